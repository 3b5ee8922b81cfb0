//! A plan file becomes commands: units, the plan, its tasks and indicators, its duties.
use std::collections::{HashMap, HashSet};

use zhixing_domain::{
    Amount, Id, RegionCode,
    organisation::unit::{AddUnitAliases, RegisterUnit, Unit},
    performance::{
        attainment::{self, Target},
        indicator::{DefineIndicator, TargetBasis},
    },
    programme::{
        plan::{self, BringPlanIntoForce, DraftPlan, IssuePlan, Plan, PlanContent, RecordPlanDuties},
        task::{AssignTaskUnits, Assignment, RegisterTask, Responsibility, Task, TaskContent},
    },
};
use zhixing_event_store::Error;

use super::{
    Commands, Fault, Importer, Job, MOST_PASSES, Report, Row, as_row,
    plan_file::{self, Comparator, PlanFile, TaskRow, UnitRow, read_plan},
    report::{Repair, RowRejection},
};
use crate::graphql::{
    indicator::Indicator as IndicatorView, plan::Plan as PlanView, task::Task as TaskView,
    unit::Unit as UnitView,
};

impl<'s> Importer<'s> {
    /// Reads and decides a plan file; `None` when nothing of it can be taken.
    pub(super) async fn plan_file(
        &self,
        work: Commands<'_, 's>,
        job: &Job,
        report: &mut Report,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<(Id<Plan>, RegionCode)>, Fault> {
        let mut file = read_plan(&job.bytes)?;
        file.encoding.clone_into(&mut report.encoding);
        report.repaired = file.repairs.clone().finish();
        report.readings = readings(&file);
        report.rows_read = count(&file);
        report.rejected = file.check();
        if !report.rejected.is_empty()
            && (!job.take_good_rows || !drop_bad_rows(&mut file, &mut report.rejected))
        {
            return Ok(None);
        }
        let mut passes = 0;
        loop {
            let mut plan = PlanImport::new(self, &file);
            match plan.run(work, progress).await? {
                None => {
                    report.accepted = plan.taken;
                    report.unchanged = plan.unchanged;
                    return Ok(Some((
                        plan.id,
                        region(&file.plan.region_code).unwrap_or(RegionCode::COUNTRY),
                    )));
                }
                Some(bad) => {
                    report.rejected.push(bad.clone());
                    passes += 1;
                    let dropped = job.take_good_rows && passes < MOST_PASSES && drop_row(&mut file, &bad);
                    if !dropped || !drop_bad_rows(&mut file, &mut report.rejected) {
                        return Ok(None);
                    }
                    // What was decided so far rests on the row that is gone: begin again.
                    *work = self.store.begin(self.viewer, job.command_id.clone());
                }
            }
        }
    }
}

/// What the file says of its own readings: kept with the import, so that every figure can be explained.
fn readings(file: &PlanFile) -> Vec<Repair> {
    let mut repairs = Vec::new();
    let head = &file.plan;
    if let Some(printed) = &head.document_number_as_printed {
        repairs.push(Repair::new(
            0,
            "plan.documentNumber",
            printed,
            head.document_number.clone().unwrap_or_default(),
        ));
    }
    if let Some(estimate) = &head.issued_on_estimate {
        let reading =
            format!("issued between {} and {}: {}", estimate.from, estimate.to, estimate.evidence.join("；"));
        repairs.push(Repair::new(0, "plan.issuedOn", "", reading));
    }
    for number in &file.other_numbers {
        let task = number.task_number.as_deref().map(|task| format!("task {task}: ")).unwrap_or_default();
        repairs.push(Repair::new(0, "otherNumbers", &number.phrase, format!("{task}{}", number.meaning)));
    }
    for irregularity in &file.source_irregularities {
        let found = irregularity.found.as_deref().unwrap_or_default();
        let reading = format!("{}：{}", irregularity.place, irregularity.reading);
        repairs.push(Repair::new(0, "sourceIrregularities", found, reading));
    }
    repairs
}

fn count(file: &PlanFile) -> u32 {
    let rows = file.units.len()
        + file.tasks.len()
        + file.indicators.len()
        + file.reporting_duties.len()
        + file.one_off_duties.len();
    u32::try_from(rows).unwrap_or(u32::MAX)
}

/// Takes bad rows out of the file, and rows that rest on them, until it is clean; false when the plan itself is bad.
fn drop_bad_rows(file: &mut PlanFile, rejected: &mut Vec<RowRejection>) -> bool {
    for _ in 0..MOST_PASSES {
        let bad = file.check();
        if bad.is_empty() {
            return true;
        }
        // From the end, so that the places of the others stay true.
        let mut rows: Vec<(String, u32)> = bad.iter().map(|bad| (list_of(&bad.field), bad.row)).collect();
        rows.sort_unstable();
        rows.dedup();
        for entry in bad {
            if !rejected.contains(&entry) {
                rejected.push(entry);
            }
        }
        for (list, row) in rows.into_iter().rev() {
            if !remove(file, &list, row) {
                return false;
            }
        }
    }
    false
}

fn drop_row(file: &mut PlanFile, bad: &RowRejection) -> bool {
    remove(file, &list_of(&bad.field), bad.row)
}

/// `tasks` of `tasks[17].leadUnits[0]`.
fn list_of(field: &str) -> String {
    field.split(['[', '.']).next().unwrap_or_default().to_owned()
}

fn remove(file: &mut PlanFile, list: &str, row: u32) -> bool {
    let Some(at) = usize::try_from(row).ok().and_then(|row| row.checked_sub(1)) else { return false };
    macro_rules! from {
        ($($name:literal => $rows:ident),+) => {
            match list {
                $($name if at < file.$rows.len() => { file.$rows.remove(at); true })+
                _ => false,
            }
        };
    }
    from!("units" => units, "tasks" => tasks, "indicators" => indicators, "reportingDuties" => reporting_duties,
        "oneOffDuties" => one_off_duties, "otherNumbers" => other_numbers, "sourceIrregularities" => source_irregularities)
}

struct PlanImport<'i, 's, 'f> {
    importer: &'i Importer<'s>,
    file: &'f PlanFile,
    id: Id<Plan>,
    units: HashMap<&'f str, Id<Unit>>,
    tasks: HashMap<&'f str, Id<Task>>,
    taken: u32,
    unchanged: u32,
}

/// Decides one command; a refusal by the rules ends the pass with a bad row.
macro_rules! decide {
    ($self:ident, $work:ident, $view:ty, $id:expr, $command:expr, $row:expr, $path:expr) => {
        match $work.run::<$view>($id, None, $command).await {
            Ok(row) => row,
            Err(error) => return Ok(Row::Bad(as_row($row, $path, error)?)),
        }
    };
}

impl<'i, 's, 'f> PlanImport<'i, 's, 'f> {
    fn new(importer: &'i Importer<'s>, file: &'f PlanFile) -> Self {
        let id = Id::new(importer.store.clock().new_id());
        Self { importer, file, id, units: HashMap::new(), tasks: HashMap::new(), taken: 0, unchanged: 0 }
    }

    /// One pass over the file; the first bad row, if any.
    async fn run(
        &mut self,
        work: Commands<'_, '_>,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<Option<RowRejection>, Error> {
        let file = self.file;
        let total = u64::from(count(file)) + 1;
        let mut done = 0;
        let mut step = |done: &mut u64| {
            *done += 1;
            progress(*done, total);
        };
        for (at, unit) in file.units.iter().enumerate() {
            let verdict = self.unit(work, at, unit).await?;
            if let Some(bad) = self.tally(verdict) {
                return Ok(Some(bad));
            }
            step(&mut done);
        }
        if let Row::Bad(bad) = self.plan(work).await? {
            return Ok(Some(bad));
        }
        step(&mut done);
        for at in parents_first(&file.tasks) {
            let verdict = self.task(work, at, &file.tasks[at]).await?;
            if let Some(bad) = self.tally(verdict) {
                return Ok(Some(bad));
            }
            step(&mut done);
        }
        for (at, indicator) in file.indicators.iter().enumerate() {
            let verdict = self.indicator(work, at, indicator).await?;
            if let Some(bad) = self.tally(verdict) {
                return Ok(Some(bad));
            }
            step(&mut done);
        }
        if let Row::Bad(bad) = self.finish(work).await? {
            return Ok(Some(bad));
        }
        let duties = file.reporting_duties.len() + file.one_off_duties.len();
        self.taken += u32::try_from(duties).unwrap_or(u32::MAX);
        progress(total, total);
        Ok(None)
    }

    fn tally(&mut self, verdict: Row) -> Option<RowRejection> {
        match verdict {
            Row::Taken => self.taken += 1,
            Row::Unchanged => self.unchanged += 1,
            Row::Bad(bad) => return Some(bad),
        }
        None
    }

    /// A unit that is known by region and name is taken as it is; only new aliases are added.
    async fn unit(&mut self, work: Commands<'_, '_>, at: usize, unit: &'f UnitRow) -> Result<Row, Error> {
        let (row, path) = place("units", at);
        let region_code = match region(&unit.region_code) {
            Ok(code) => code,
            Err(reason) => return Ok(Row::Bad(RowRejection::new(row, format!("{path}.regionCode"), reason))),
        };
        let store = self.importer.store;
        let known = store.holder(Unit::NAME, &Unit::name_key(region_code, &unit.name)).await?;
        if let Some(id) = known.map(Id::<Unit>::new) {
            self.units.insert(&unit.name, id);
            if unit.aliases.is_empty() {
                return Ok(Row::Unchanged);
            }
            let events = work.events().count();
            let command = AddUnitAliases { id, aliases: unit.aliases.clone() };
            decide!(self, work, UnitView, id, command, row, &path);
            return Ok(if work.events().count() > events { Row::Taken } else { Row::Unchanged });
        }
        let Ok(kind) = unit.kind.as_str().parse() else {
            return Ok(Row::Bad(RowRejection::new(row, format!("{path}.kind"), "is not a kind of unit")));
        };
        let id = Id::new(store.clock().new_id());
        let command = RegisterUnit {
            name: unit.name.clone(),
            kind,
            region_code,
            official_name: unit.official_name.clone(),
            aliases: unit.aliases.clone(),
            note: unit.note.clone(),
        };
        decide!(self, work, UnitView, id, command, row, &path);
        self.units.insert(&unit.name, id);
        Ok(Row::Taken)
    }

    async fn plan(&mut self, work: Commands<'_, '_>) -> Result<Row, Error> {
        let head = &self.file.plan;
        let region_code = match region(&head.region_code) {
            Ok(code) => code,
            Err(reason) => return Ok(Row::Bad(RowRejection::new(0, "plan.regionCode", reason))),
        };
        let content = PlanContent {
            document_number: head.document_number.clone(),
            title: head.title.clone(),
            title_is_assigned: head.title_is_assigned,
            issuer: head.issuer.clone(),
            issuer_id: self.units.get(head.issuer.as_str()).copied(),
            issuer_is_inferred: head.issuer_is_inferred,
            period_start: head.period_start.map(Into::into),
            period_end: head.period_end.into(),
            period_note: head.period_note.clone(),
            phases: head
                .phases
                .iter()
                .map(|phase| plan::Phase {
                    name: phase.name.clone(),
                    from: phase.from.into(),
                    to: phase.to.into(),
                })
                .collect(),
            basis: head
                .basis
                .iter()
                .map(|basis| plan::Basis {
                    document_number: basis.document_number.clone(),
                    title: basis.title.clone(),
                    issuer: basis.issuer.clone(),
                })
                .collect(),
            guidance: head.guidance.clone(),
        };
        let command = DraftPlan { code: head.plan_code.clone(), region_code, content };
        decide!(self, work, PlanView, self.id, command, 0, "plan");
        Ok(Row::Taken)
    }

    async fn task(&mut self, work: Commands<'_, '_>, at: usize, task: &'f TaskRow) -> Result<Row, Error> {
        let (row, path) = place("tasks", at);
        let id = Id::new(self.importer.store.clock().new_id());
        let content = TaskContent {
            label: task.label.clone(),
            kind: word(task.kind.as_str())?,
            title: task.title.clone(),
            summary: task.summary.clone().unwrap_or_else(|| task.title.clone()),
            due_on: task.due_on.map(Into::into),
            note: task.note.clone(),
        };
        let assignment: Assignment = word(task.assignment.as_str())?;
        let parent_id = task.parent_number.as_deref().and_then(|number| self.tasks.get(number)).copied();
        let command =
            RegisterTask { plan_id: self.id, parent_id, number: task.number.clone(), content, assignment };
        decide!(self, work, TaskView, id, command, row, &path);
        let units = |names: &[String]| {
            names.iter().filter_map(|name| self.units.get(name.as_str())).copied().collect()
        };
        let responsibility = Responsibility {
            lead_unit_ids: units(&task.lead_units),
            supporting_unit_ids: units(&task.supporting_units),
            open_ended: task.open_ended,
        };
        if !responsibility.lead_unit_ids.is_empty() || !responsibility.supporting_unit_ids.is_empty() {
            decide!(self, work, TaskView, id, AssignTaskUnits { id, responsibility }, row, &path);
        }
        self.tasks.insert(&task.number, id);
        Ok(Row::Taken)
    }

    async fn indicator(
        &mut self,
        work: Commands<'_, '_>,
        at: usize,
        indicator: &plan_file::IndicatorRow,
    ) -> Result<Row, Error> {
        let (row, path) = place("indicators", at);
        let region_code = match region(&indicator.region_code) {
            Ok(code) => code,
            Err(reason) => return Ok(Row::Bad(RowRejection::new(row, format!("{path}.regionCode"), reason))),
        };
        let baseline = indicator.baseline.as_ref().map(|baseline| attainment::Baseline {
            value: baseline.value.map(Amount::from),
            as_of: baseline.as_of.map(Into::into),
            note: baseline.note.clone(),
        });
        let recurrence = match &indicator.recurrence {
            Some(recurrence) => Some(word(recurrence.as_str())?),
            None => None,
        };
        let basis: TargetBasis = word(indicator.basis.as_str())?;
        let command = DefineIndicator {
            plan_id: self.id,
            task_id: self.tasks.get(indicator.task_number.as_str()).copied(),
            code: indicator.code.clone(),
            name: indicator.name.clone(),
            unit: indicator.unit.clone(),
            measure: word(indicator.measure.as_str())?,
            target: Target {
                comparator: comparator(indicator.comparator),
                value: indicator.target.into(),
                upper: indicator.target_upper.map(Amount::from),
                text: indicator.target_text.clone(),
                approximate: indicator.approximate,
                recurrence,
                due_on: indicator.due_on.into(),
            },
            basis,
            baseline,
            scope: indicator.scope.clone(),
            region_code,
            source_phrase: indicator.source_phrase.clone(),
            note: indicator.note.clone(),
        };
        let id = Id::new(self.importer.store.clock().new_id());
        decide!(self, work, IndicatorView, id, command, row, &path);
        Ok(Row::Taken)
    }

    /// Duties, and the plan is what it is: issued, and in force.
    async fn finish(&mut self, work: Commands<'_, '_>) -> Result<Row, Error> {
        let (file, id) = (self.file, self.id);
        let mut duties = RecordPlanDuties { id, reporting_duties: Vec::new(), one_off_duties: Vec::new() };
        for duty in &file.reporting_duties {
            duties.reporting_duties.push(plan::StatedReportingDuty {
                who: duty.who.clone(),
                to: duty.to.clone(),
                cadence: word(duty.cadence.as_str())?,
                what: duty.what.clone(),
                first_due: duty.first_due.map(Into::into),
                first_due_is_inferred: duty
                    .first_due_basis
                    .as_ref()
                    .is_some_and(|basis| basis.as_str() == "INFERRED"),
                note: duty.note.clone(),
            });
        }
        for duty in &file.one_off_duties {
            duties.one_off_duties.push(plan::OneOffDuty {
                who: duty.who.clone(),
                to: duty.to.clone(),
                trigger: word(duty.trigger.as_str())?,
                what: duty.what.clone(),
                due_on: duty.due_on.map(Into::into),
                note: duty.note.clone(),
            });
        }
        if !duties.reporting_duties.is_empty() || !duties.one_off_duties.is_empty() {
            decide!(self, work, PlanView, id, duties, 0, "plan");
        }
        let issued_on = file.plan.issued_on.map(Into::into);
        decide!(self, work, PlanView, id, IssuePlan { id, issued_on }, 0, "plan");
        let effect = BringPlanIntoForce {
            id,
            effective_from: file.plan.effective_from.map(Into::into),
            effective_from_is_assumed: file.plan.effective_from_is_assumed,
        };
        decide!(self, work, PlanView, id, effect, 0, "plan");
        Ok(Row::Taken)
    }
}

/// Row and path of an entry of one of the file's lists.
fn place(list: &str, at: usize) -> (u32, String) {
    (u32::try_from(at + 1).unwrap_or(u32::MAX), format!("{list}[{at}]"))
}

fn region(code: &str) -> Result<RegionCode, &'static str> {
    code.parse()
}

/// The file's word in the domain's vocabulary. Both are closed and spelled alike; a test holds that.
fn word<T: std::str::FromStr<Err = String>>(word: &str) -> Result<T, Error> {
    word.parse().map_err(|reason: String| zhixing_domain::Rejection::invalid(word, reason).into())
}

fn comparator(comparator: Comparator) -> attainment::Comparator {
    match comparator.as_str() {
        ">=" => attainment::Comparator::AtLeast,
        "<=" => attainment::Comparator::AtMost,
        ">" => attainment::Comparator::MoreThan,
        "<" => attainment::Comparator::LessThan,
        "=" => attainment::Comparator::Equal,
        _ => attainment::Comparator::IncreaseBy,
    }
}

/// Places of the tasks in an order in which no task comes before its parent.
fn parents_first(tasks: &[TaskRow]) -> Vec<usize> {
    let mut order = Vec::with_capacity(tasks.len());
    let mut placed: HashSet<&str> = HashSet::new();
    let mut waiting: Vec<usize> = (0..tasks.len()).collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|at| {
            let ready = tasks[*at].parent_number.as_deref().is_none_or(|parent| placed.contains(parent));
            if ready {
                order.push(*at);
            }
            !ready
        });
        placed.extend(order.iter().map(|at| tasks[*at].number.as_str()));
        if waiting.len() == before {
            // A circle of parents: the check of the file refuses it; here it must only not hang.
            order.append(&mut waiting);
        }
    }
    order
}
