//! What the rows of a plan file must say of each other.
//!
//! Deliberately not asked, since real plans do otherwise: that a phase starts after the issue, that a task is due
//! before the plan or its parent ends, that the day of issue is known, that a parent has a leading unit.

use std::collections::{HashMap, HashSet};

use super::plan_file::{Assignment, Comparator, PlanFile, TaskRow};
use super::report::{Findings, RowRejection};
use super::text::{excerpt, forbidden};

/// Most characters of a code or number.
const MAX_CODE_CHARS: usize = 64;
/// Most characters of a name, heading or unit of measurement.
const MAX_NAME_CHARS: usize = 200;
/// Most characters of a longer text.
const MAX_TEXT_CHARS: usize = 4_000;
/// Most entries of a list inside a row.
const MAX_LIST: usize = 100;

impl PlanFile {
    /// Everything that keeps the file from being taken, each named as in `tasks[17].leadUnits[0]`. The row is the
    /// place in its list, counted from 1; 0 for the plan itself.
    pub fn check(&self) -> Vec<RowRejection> {
        let mut check = Check::default();
        check.plan(self);
        check.units(self);
        check.tasks(self);
        check.indicators(self);
        check.duties(self);
        check.remarks(self);
        check.found.finish()
    }
}

#[derive(Default)]
struct Check {
    found: Findings<RowRejection>,
    /// The row that is looked at, counted from 1, and its path.
    row: u32,
    path: String,
}

impl Check {
    fn plan(&mut self, file: &PlanFile) {
        let plan = &file.plan;
        self.at_plan();
        self.code("planCode", &plan.plan_code);
        self.name("title", &plan.title);
        self.name("issuer", &plan.issuer);
        self.name("regionName", &plan.region_name);
        self.region(&plan.region_code);
        self.optional_name("documentNumber", plan.document_number.as_deref());
        self.optional_name("documentNumberAsPrinted", plan.document_number_as_printed.as_deref());
        self.text("periodNote", plan.period_note.as_deref());
        self.text("guidance", plan.guidance.as_deref());
        self.text("retrievedMetadata.note", plan.retrieved_metadata.as_ref().and_then(|m| m.note.as_deref()));
        if plan.period_start.is_some_and(|start| start > plan.period_end) {
            self.reject("periodEnd", "before periodStart");
        }
        if let Some(estimate) = &plan.issued_on_estimate {
            if estimate.from > estimate.to {
                self.reject("issuedOnEstimate.to", "before from");
            }
            self.list("issuedOnEstimate.evidence", estimate.evidence.len());
            for (i, text) in estimate.evidence.iter().enumerate() {
                self.text(&format!("issuedOnEstimate.evidence[{i}]"), Some(text));
            }
        }
        self.list("basis", plan.basis.len());
        for (i, basis) in plan.basis.iter().enumerate() {
            self.name(&format!("basis[{i}].title"), &basis.title);
            self.optional_name(&format!("basis[{i}].issuer"), basis.issuer.as_deref());
            self.optional_name(&format!("basis[{i}].documentNumber"), basis.document_number.as_deref());
        }
        self.phases(file);
    }

    /// Phases lie inside the period and do not overlap, in whatever order they stand.
    fn phases(&mut self, file: &PlanFile) {
        let plan = &file.plan;
        self.list("phases", plan.phases.len());
        for (i, phase) in plan.phases.iter().enumerate() {
            self.name(&format!("phases[{i}].name"), &phase.name);
            if phase.from > phase.to {
                self.reject(&format!("phases[{i}].to"), "before from");
            }
            if plan.period_start.is_some_and(|start| phase.from < start) {
                self.reject(&format!("phases[{i}].from"), "before periodStart");
            }
            if phase.to > plan.period_end {
                self.reject(&format!("phases[{i}].to"), "after periodEnd");
            }
        }
        let mut order: Vec<_> = plan.phases.iter().enumerate().collect();
        order.sort_by_key(|(_, phase)| (phase.from, phase.to));
        for pair in order.windows(2) {
            if let [(_, first), (i, second)] = pair
                && second.from <= first.to
            {
                self.reject(&format!("phases[{i}].from"), format!("overlaps {}", excerpt(&first.name)));
            }
        }
    }

    fn units(&mut self, file: &PlanFile) {
        let names: HashSet<&str> = file.units.iter().map(|unit| unit.name.as_str()).collect();
        let mut taken: HashMap<&str, usize> = HashMap::new();
        for (i, unit) in file.units.iter().enumerate() {
            self.at("units", i);
            self.name("name", &unit.name);
            self.region(&unit.region_code);
            self.optional_name("officialName", unit.official_name.as_deref());
            self.text("note", unit.note.as_deref());
            if let Some(first) = taken.insert(&unit.name, i).filter(|first| *first != i) {
                self.reject("name", format!("{} is units[{first}] already", excerpt(&unit.name)));
            }
            self.list("aliases", unit.aliases.len());
            for (j, alias) in unit.aliases.iter().enumerate() {
                let field = format!("aliases[{j}]");
                self.name(&field, alias);
                if names.contains(alias.as_str()) {
                    self.reject(&field, format!("{} is the name of a unit", excerpt(alias)));
                } else if let Some(first) = taken.insert(alias, i).filter(|first| *first != i) {
                    self.reject(&field, format!("{} is units[{first}] already", excerpt(alias)));
                }
            }
        }
    }

    fn tasks(&mut self, file: &PlanFile) {
        let units: HashSet<&str> = file.units.iter().map(|unit| unit.name.as_str()).collect();
        let mut parents: HashMap<&str, Option<&str>> = HashMap::new();
        for (i, task) in file.tasks.iter().enumerate() {
            if parents.insert(&task.number, task.parent_number.as_deref()).is_some() {
                self.at("tasks", i);
                self.reject("number", format!("{} stands twice", excerpt(&task.number)));
            }
        }
        let rooted = rooted(&parents);
        for (i, task) in file.tasks.iter().enumerate() {
            self.at("tasks", i);
            self.code("number", &task.number);
            self.optional_name("label", task.label.as_deref());
            self.name("title", &task.title);
            self.text("summary", task.summary.as_deref());
            self.text("note", task.note.as_deref());
            if let Some(parent) = &task.parent_number {
                if !parents.contains_key(parent.as_str()) {
                    self.reject("parentNumber", format!("no task {}", excerpt(parent)));
                } else if !rooted.contains(task.number.as_str()) {
                    self.reject("parentNumber", "the task is among its own parents");
                }
            }
            self.assigned(task, &units);
        }
    }

    fn assigned(&mut self, task: &TaskRow, units: &HashSet<&str>) {
        let mut named = HashSet::new();
        for (list, names) in [("leadUnits", &task.lead_units), ("supportingUnits", &task.supporting_units)] {
            self.list(list, names.len());
            for (i, name) in names.iter().enumerate() {
                if !units.contains(name.as_str()) {
                    self.reject(&format!("{list}[{i}]"), format!("no unit {}", excerpt(name)));
                }
                if !named.insert(name.as_str()) {
                    self.reject(&format!("{list}[{i}]"), format!("{} is named twice", excerpt(name)));
                }
            }
        }
        if task.assignment == Assignment::None && !named.is_empty() {
            self.reject("assignment", "NONE, but units are named");
        }
    }

    fn indicators(&mut self, file: &PlanFile) {
        let tasks = numbers(file);
        let mut codes = HashSet::new();
        for (i, indicator) in file.indicators.iter().enumerate() {
            self.at("indicators", i);
            self.code("code", &indicator.code);
            if !codes.insert(indicator.code.as_str()) {
                self.reject("code", format!("{} stands twice", excerpt(&indicator.code)));
            }
            self.name("name", &indicator.name);
            self.name("unit", &indicator.unit);
            self.region(&indicator.region_code);
            self.task(&indicator.task_number, &tasks);
            self.optional_name("targetText", indicator.target_text.as_deref());
            self.text("scope", indicator.scope.as_deref());
            self.text("sourcePhrase", indicator.source_phrase.as_deref());
            self.text("note", indicator.note.as_deref());
            self.text("baseline.note", indicator.baseline.as_ref().and_then(|b| b.note.as_deref()));
            if indicator.target_upper.is_some_and(|upper| upper < indicator.target) {
                self.reject("targetUpper", "less than target");
            }
            if indicator.comparator == Comparator::IncreaseBy && indicator.baseline.is_none() {
                self.reject("baseline", "missing; increaseBy needs one");
            }
        }
    }

    fn duties(&mut self, file: &PlanFile) {
        let units: HashSet<&str> = file.units.iter().map(|unit| unit.name.as_str()).collect();
        for (i, duty) in file.reporting_duties.iter().enumerate() {
            self.at("reportingDuties", i);
            self.duty(&units, &duty.who, &duty.to, &duty.what);
            self.text("sourcePhrase", duty.source_phrase.as_deref());
            self.text("note", duty.note.as_deref());
        }
        for (i, duty) in file.one_off_duties.iter().enumerate() {
            self.at("oneOffDuties", i);
            self.duty(&units, &duty.who, &duty.to, &duty.what);
            self.text("sourcePhrase", duty.source_phrase.as_deref());
            self.text("note", duty.note.as_deref());
        }
    }

    /// The addressee may be the public or enterprises in general, which are no units.
    fn duty(&mut self, units: &HashSet<&str>, who: &str, to: &str, what: &str) {
        if !units.contains(who) {
            self.reject("who", format!("no unit {}", excerpt(who)));
        }
        self.name("to", to);
        self.name("what", what);
    }

    fn remarks(&mut self, file: &PlanFile) {
        let tasks = numbers(file);
        for (i, number) in file.other_numbers.iter().enumerate() {
            self.at("otherNumbers", i);
            self.name("phrase", &number.phrase);
            self.text("meaning", Some(&number.meaning));
            if let Some(task) = &number.task_number {
                self.task(task, &tasks);
            }
        }
        for (i, odd) in file.source_irregularities.iter().enumerate() {
            self.at("sourceIrregularities", i);
            self.name("where", &odd.place);
            self.text("found", odd.found.as_deref());
            self.text("reading", Some(&odd.reading));
        }
    }

    fn at_plan(&mut self) {
        (self.row, self.path) = (0, "plan".into());
    }

    fn at(&mut self, list: &str, index: usize) {
        self.row = u32::try_from(index + 1).unwrap_or(u32::MAX);
        self.path = format!("{list}[{index}]");
    }

    fn reject(&mut self, field: &str, reason: impl Into<String>) {
        self.found.push(RowRejection::new(self.row, format!("{}.{field}", self.path), reason));
    }

    fn list(&mut self, field: &str, len: usize) {
        if len > MAX_LIST {
            self.reject(field, format!("more than {MAX_LIST} entries"));
        }
    }

    fn task(&mut self, number: &str, tasks: &HashSet<&str>) {
        if !tasks.contains(number) {
            self.reject("taskNumber", format!("no task {}", excerpt(number)));
        }
    }

    fn region(&mut self, code: &str) {
        if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
            self.reject("regionCode", "not six digits");
        }
    }

    fn code(&mut self, field: &str, code: &str) {
        self.bounded(field, code, MAX_CODE_CHARS);
        if code.is_empty() {
            self.reject(field, "empty");
        } else if !code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
            self.reject(field, "may hold only ASCII letters, digits, . - _");
        }
    }

    fn name(&mut self, field: &str, name: &str) {
        self.bounded(field, name, MAX_NAME_CHARS);
        if name.trim().is_empty() {
            self.reject(field, "empty");
        }
        if name.contains(['\n', '\r', '\t']) {
            self.reject(field, "holds a line break or tab");
        }
    }

    fn optional_name(&mut self, field: &str, name: Option<&str>) {
        if let Some(name) = name {
            self.name(field, name);
        }
    }

    fn text(&mut self, field: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.bounded(field, text, MAX_TEXT_CHARS);
        }
    }

    fn bounded(&mut self, field: &str, text: &str, limit: usize) {
        if text.chars().count() > limit {
            self.reject(field, format!("longer than {limit} characters"));
        }
        if let Some(reason) = forbidden(text) {
            self.reject(field, reason);
        }
    }
}

fn numbers(file: &PlanFile) -> HashSet<&str> {
    file.tasks.iter().map(|task| task.number.as_str()).collect()
}

/// The tasks whose parents end at a task without one. A parent that is missing ends the way, too.
fn rooted<'a>(parents: &HashMap<&'a str, Option<&'a str>>) -> HashSet<&'a str> {
    let mut known: HashSet<&str> = HashSet::new();
    for &start in parents.keys() {
        let (mut way, mut here) = (vec![start], start);
        let ends = loop {
            match parents.get(here).copied().flatten() {
                None => break true,
                Some(parent) if known.contains(parent) => break true,
                Some(_) if way.len() > parents.len() => break false,
                Some(parent) => {
                    way.push(parent);
                    here = parent;
                }
            }
        };
        if ends {
            known.extend(way);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::super::plan_file::read_plan;
    use super::super::plan_file::tests::PLAN;

    /// What the small plan is found to be wrong in once one place is changed.
    fn found(from: &str, to: &str) -> Vec<(u32, String)> {
        assert!(PLAN.contains(from), "{from}");
        let file = read_plan(PLAN.replacen(from, to, 1).as_bytes()).unwrap();
        file.check().into_iter().map(|r| (r.row, r.field)).collect()
    }

    #[test]
    fn the_right_plan_is_right() {
        assert_eq!(found("", ""), []);
    }

    #[test]
    fn every_fault_names_its_place() {
        let long = format!("\"{}\"", "质".repeat(201));
        for (from, to, row, field) in [
            ("\"TEST-2020\"", "\"a b\"", 0, "plan.planCode"),
            ("\"TEST-2020\"", "\"\"", 0, "plan.planCode"),
            ("\"质量提升方案\"", "\" \"", 0, "plan.title"),
            ("\"质量提升方案\"", &long, 0, "plan.title"),
            ("\"质量提升方案\"", "\"a\\u0000\"", 0, "plan.title"),
            ("\"440800\", \"regionName\"", "\"44080\", \"regionName\"", 0, "plan.regionCode"),
            ("\"to\": \"2018-12-31\"", "\"to\": \"2017-12-31\"", 0, "plan.issuedOnEstimate.to"),
            ("\"from\": \"2018-07-01\"", "\"from\": \"2018-06-30\"", 0, "plan.phases[1].from"),
            ("\"to\": \"2020-12-31\"", "\"to\": \"2021-01-01\"", 0, "plan.phases[1].to"),
            ("{\"name\": \"市商务局\"", "{\"name\": \"市场监管局\"", 1, "units[0].aliases[0]"),
            ("[\"市场监管局\"]", "[\"市商务局\"]", 1, "units[0].aliases[0]"),
            ("[\"市商务局\"]", "[\"市水务局\"]", 1, "tasks[0].leadUnits[0]"),
            ("[\"市商务局\"]", "[\"市市场监管局\"]", 1, "tasks[0].supportingUnits[0]"),
            ("\"parentNumber\": \"1\"", "\"parentNumber\": \"9\"", 2, "tasks[1].parentNumber"),
            ("\"parentNumber\": \"1\"", "\"parentNumber\": \"A1\"", 2, "tasks[1].parentNumber"),
            ("\"leadUnits\": []", "\"leadUnits\": [\"市商务局\"]", 2, "tasks[1].assignment"),
            ("\"T-1-02\"", "\"T-1-01\"", 2, "indicators[1].code"),
            ("\"taskNumber\": \"A1\"", "\"taskNumber\": \"A2\"", 2, "indicators[1].taskNumber"),
            ("1e2", "95", 1, "indicators[0].targetUpper"),
            ("\"baseline\": {", "\"bottom\": {", 2, "indicators[1].baseline"),
            (
                "{\"who\": \"市商务局\", \"to\": \"社会公众\"",
                "{\"who\": \"企业\", \"to\": \"社会公众\"",
                1,
                "oneOffDuties[0].who",
            ),
            (
                "\"行动名称\", \"taskNumber\": \"1\"",
                "\"行动名称\", \"taskNumber\": \"2\"",
                1,
                "otherNumbers[0].taskNumber",
            ),
        ] {
            assert!(found(from, to).contains(&(row, field.to_owned())), "{to}: {:?}", found(from, to));
        }
        assert_eq!(found("\"number\": \"A1\", \"parentNumber\": \"1\"", "\"number\": \"1\"").len(), 2);
    }

    #[test]
    fn a_circle_of_parents_is_found() {
        let fields =
            found("\"number\": \"1\", \"label\"", "\"number\": \"1\", \"parentNumber\": \"A1\", \"label\"");
        assert_eq!(
            fields,
            [(1, "tasks[0].parentNumber".to_owned()), (2, "tasks[1].parentNumber".to_owned())]
        );
    }

    #[test]
    fn what_real_plans_do_is_allowed() {
        // Due after the plan, issued after the first phase began, nobody leads a parent.
        assert_eq!(found("\"2021-12-31\"", "\"2030-12-31\""), []);
        assert_eq!(found("\"issuedOn\": null", "\"issuedOn\": \"2019-01-01\""), []);
        assert_eq!(found("\"leadUnits\": [\"市商务局\"], ", ""), []);
    }
}
