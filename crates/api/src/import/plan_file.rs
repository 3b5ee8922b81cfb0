//! A plan (方案) as one JSON object: the plan, its units, tasks, indicators, duties, and what was odd in the source.
//!
//! The file is read row by row so that a fault can be named as in `tasks[17].dueOn`. Decimals are read as they are
//! written, never through a binary float. Fields that are not known are passed over and reported.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::encoding;
use super::report::{Findings, ImportError, Repair};
use super::text::{MAX_EXCERPT, excerpt};
use super::unknown_fields::{Shape, fields_of, unknown_fields};

/// Most rows of each kind in one file.
pub const MAX_ROWS: usize = 5_000;
/// Most characters of the reason for which a file is refused.
const MAX_REASON: usize = 1_000;

/// Declares a closed vocabulary: each word once, read from JSON by exactly that word.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$word_doc])* $variant,)+ }

        impl $name {
            /// Every word of the vocabulary.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word as it stands in the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| {
                    let known: Vec<_> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    D::Error::custom(format!("{} is not one of {}", excerpt(&text), known.join(", ")))
                })
            }
        }
    };
}

vocabulary! {
    /// What a unit is; the `…Group` kinds are open sets whose members are not listed.
    UnitKind {
        /// 人民政府.
        Government = "GOVERNMENT",
        /// Several governments, as 各市州人民政府.
        GovernmentGroup = "GOVERNMENT_GROUP",
        /// 部门.
        Department = "DEPARTMENT",
        /// Several departments.
        DepartmentGroup = "DEPARTMENT_GROUP",
        /// 处室.
        InternalOffice = "INTERNAL_OFFICE",
        /// 事业单位.
        PublicInstitution = "PUBLIC_INSTITUTION",
        /// 技术机构.
        TechnicalInstitution = "TECHNICAL_INSTITUTION",
        /// Several technical institutions.
        TechnicalInstitutionGroup = "TECHNICAL_INSTITUTION_GROUP",
        /// 领导小组.
        LeadingGroup = "LEADING_GROUP",
        /// 领导小组办公室.
        LeadingGroupOffice = "LEADING_GROUP_OFFICE",
        /// 领导小组成员单位.
        LeadingGroupMemberGroup = "LEADING_GROUP_MEMBER_GROUP",
        /// 委员会.
        Committee = "COMMITTEE",
        /// 委员会办公室.
        CommitteeOffice = "COMMITTEE_OFFICE",
        /// 委员会成员单位.
        CommitteeMemberGroup = "COMMITTEE_MEMBER_GROUP",
        /// 标准化技术委员会.
        StandardsCommitteeGroup = "STANDARDS_COMMITTEE_GROUP",
        /// A ministry or another agency of the centre.
        CentralAgency = "CENTRAL_AGENCY",
        /// An institution of the centre.
        CentralInstitution = "CENTRAL_INSTITUTION",
        /// A local branch of the centre, as 海关.
        CentralVerticalAgency = "CENTRAL_VERTICAL_AGENCY",
        /// 党的机构.
        PartyOrgan = "PARTY_ORGAN",
        /// 人民团体.
        PeoplesOrganisation = "PEOPLES_ORGANISATION",
        /// 检察院.
        Procuratorate = "PROCURATORATE",
        /// 企业.
        Enterprise = "ENTERPRISE",
        /// Several enterprises.
        EnterpriseGroup = "ENTERPRISE_GROUP",
        /// 园区.
        IndustrialPark = "INDUSTRIAL_PARK",
        /// Units of several kinds.
        UnitGroup = "UNIT_GROUP",
    }
}

vocabulary! {
    /// What a task is.
    TaskKind {
        /// 目标.
        Goal = "GOAL",
        /// 任务.
        Task = "TASK",
        /// 保障措施.
        Safeguard = "SAFEGUARD",
        /// 工作要求.
        Requirement = "REQUIREMENT",
    }
}

vocabulary! {
    /// Where in the document a task stands.
    TaskSource {
        /// 正文.
        Body = "BODY",
        /// 附件.
        Annex = "ANNEX",
    }
}

vocabulary! {
    /// How the units of a task are named.
    Assignment {
        /// Printed with leading and supporting units.
        Explicit = "EXPLICIT",
        /// 按职责分工负责: responsible units, none of which leads.
        Joint = "JOINT",
        /// Follows from the issuer or the text.
        Implied = "IMPLIED",
        /// Nobody is named.
        None = "NONE",
    }
}

vocabulary! {
    /// How an actual value is held against the target.
    Comparator {
        /// 以上, 不低于.
        AtLeast = ">=",
        /// 以下, 不超过.
        AtMost = "<=",
        /// 超过, 突破.
        MoreThan = ">",
        /// 低于.
        LessThan = "<",
        /// Exactly.
        Equal = "=",
        /// A rise against the baseline.
        IncreaseBy = "increaseBy",
    }
}

vocabulary! {
    /// What kind of quantity an indicator measures.
    Measure {
        /// Adds up in the period.
        Flow = "FLOW",
        /// Level at the date.
        Stock = "STOCK",
        /// 率.
        Ratio = "RATIO",
        /// Against a baseline or the year before.
        Change = "CHANGE",
        /// 指数, 得分.
        Index = "INDEX",
    }
}

vocabulary! {
    /// What the target rests on.
    TargetBasis {
        /// A number is printed.
        Numeric = "NUMERIC",
        /// A word for all or none.
        Totality = "TOTALITY",
        /// A direction only.
        Trend = "TREND",
        /// Items listed in the text were counted.
        Counted = "COUNTED",
    }
}

vocabulary! {
    /// Whether a target returns.
    Recurrence {
        /// Holds for every year.
        Annual = "ANNUAL",
    }
}

vocabulary! {
    /// How often a report is due.
    Cadence {
        /// 每月.
        Monthly = "MONTHLY",
        /// 每季度.
        Quarterly = "QUARTERLY",
        /// 每半年.
        SemiAnnual = "SEMI_ANNUAL",
        /// 每年.
        Annual = "ANNUAL",
    }
}

vocabulary! {
    /// What the first date of a reporting duty rests on.
    FirstDueBasis {
        /// The document states it.
        Text = "TEXT",
        /// It was inferred.
        Inferred = "INFERRED",
    }
}

vocabulary! {
    /// When a duty without cadence falls due.
    Trigger {
        /// Once.
        Once = "ONCE",
        /// When something happens.
        OnEvent = "ON_EVENT",
        /// 及时.
        AsNeeded = "AS_NEEDED",
        /// 定期, without saying how often.
        PeriodicUnspecified = "PERIODIC_UNSPECIFIED",
    }
}

/// A whole plan file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFile {
    /// Version of the format, `1.x`.
    pub schema_version: String,
    /// The plan itself.
    pub plan: PlanHead,
    /// Units that the plan names.
    pub units: Vec<UnitRow>,
    /// Tasks, in the order of the document.
    pub tasks: Vec<TaskRow>,
    /// Indicators.
    pub indicators: Vec<IndicatorRow>,
    /// Reports with a cadence.
    pub reporting_duties: Vec<ReportingDutyRow>,
    /// Duties without one.
    pub one_off_duties: Vec<OneOffDutyRow>,
    /// Numbers that are no targets.
    pub other_numbers: Vec<OtherNumber>,
    /// Oddities of the source.
    pub source_irregularities: Vec<Irregularity>,
    /// Encoding the file was read in.
    pub encoding: &'static str,
    /// What was read otherwise than written, or passed over.
    pub repairs: Findings<Repair>,
}

/// The plan itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanHead {
    /// Stable identifier.
    pub plan_code: String,
    /// 文号 with `〔〕` brackets.
    pub document_number: Option<String>,
    /// 文号 as printed, when that differs.
    pub document_number_as_printed: Option<String>,
    /// 标题.
    pub title: String,
    /// The document has no title; this one was given.
    #[serde(default)]
    pub title_is_assigned: bool,
    /// 发文机关.
    pub issuer: String,
    /// The issuer is not printed.
    #[serde(default)]
    pub issuer_is_inferred: bool,
    /// GB/T 2260 code.
    pub region_code: String,
    /// Name of the region.
    pub region_name: String,
    /// 成文日期.
    pub issued_on: Option<NaiveDate>,
    /// Window in which it was issued, when the date is not known.
    pub issued_on_estimate: Option<DateEstimate>,
    /// 施行日期.
    pub effective_from: Option<NaiveDate>,
    /// That date is not printed.
    #[serde(default)]
    pub effective_from_is_assumed: bool,
    /// First day of the planning period.
    pub period_start: Option<NaiveDate>,
    /// Last day of the planning period.
    pub period_end: NaiveDate,
    /// How an unstated period was fixed.
    pub period_note: Option<String>,
    /// Dated phases.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// Superior documents cited.
    #[serde(default)]
    pub basis: Vec<BasisDocument>,
    /// The guiding idea in one sentence.
    pub guidance: Option<String>,
    /// What the place of publication says about itself.
    pub retrieved_metadata: Option<RetrievedMetadata>,
}

/// A window of dates and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DateEstimate {
    /// First possible day.
    pub from: NaiveDate,
    /// Last possible day.
    pub to: NaiveDate,
    /// What speaks for it.
    #[serde(default)]
    pub evidence: Vec<String>,
}

/// A phase of the plan (阶段).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
}

/// A superior document that the plan cites.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BasisDocument {
    /// 文号.
    pub document_number: Option<String>,
    /// Title.
    pub title: String,
    /// Issuer.
    pub issuer: Option<String>,
}

/// What the place of publication says; never the date of issue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetrievedMetadata {
    /// Day of publication there.
    pub web_published_on: Option<NaiveDate>,
    /// Remark.
    pub note: Option<String>,
}

/// A unit that the plan names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitRow {
    /// Short form used in the document, unique in the file.
    pub name: String,
    /// What it is.
    pub kind: UnitKind,
    /// GB/T 2260 code.
    pub region_code: String,
    /// Full name of that time.
    pub official_name: Option<String>,
    /// Other forms in the same document.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Remark.
    pub note: Option<String>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRow {
    /// Number, unique in the file.
    pub number: String,
    /// Number as printed.
    pub label: Option<String>,
    /// Number of the parent task.
    pub parent_number: Option<String>,
    /// What it is.
    pub kind: TaskKind,
    /// Where it stands.
    pub source: Option<TaskSource>,
    /// Short heading.
    pub title: String,
    /// Paraphrase.
    pub summary: Option<String>,
    /// How its units are named.
    pub assignment: Assignment,
    /// Units that lead.
    #[serde(default)]
    pub lead_units: Vec<String>,
    /// Units that support.
    #[serde(default)]
    pub supporting_units: Vec<String>,
    /// The list ends with 等 or names an open group.
    #[serde(default)]
    pub open_ended: bool,
    /// Deadline.
    pub due_on: Option<NaiveDate>,
    /// Remark.
    pub note: Option<String>,
}

/// An indicator with its target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndicatorRow {
    /// Code, unique over all files.
    pub code: String,
    /// What is measured.
    pub name: String,
    /// Unit of measurement.
    pub unit: String,
    /// How the actual value is held against the target.
    pub comparator: Comparator,
    /// Target.
    #[serde(deserialize_with = "exact")]
    pub target: Decimal,
    /// Upper end of a range.
    #[serde(default, deserialize_with = "exact_option")]
    pub target_upper: Option<Decimal>,
    /// Wording behind a rounded number.
    pub target_text: Option<String>,
    /// 左右, 约, 多, 基本.
    #[serde(default)]
    pub approximate: bool,
    /// What a change is measured against.
    pub baseline: Option<Baseline>,
    /// Whether the target returns.
    pub recurrence: Option<Recurrence>,
    /// Day of the target.
    pub due_on: NaiveDate,
    /// Task that it belongs to.
    pub task_number: String,
    /// Kind of quantity.
    pub measure: Measure,
    /// What the target rests on.
    pub basis: TargetBasis,
    /// To what it applies.
    pub scope: Option<String>,
    /// GB/T 2260 code.
    pub region_code: String,
    /// Words of the source document.
    pub source_phrase: Option<String>,
    /// Doubts.
    pub note: Option<String>,
}

/// What a change is measured against.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Value, when the document gives one.
    #[serde(default, deserialize_with = "exact_option")]
    pub value: Option<Decimal>,
    /// Day of the value.
    pub as_of: Option<NaiveDate>,
    /// Remark.
    pub note: Option<String>,
}

/// A report that is due again and again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportingDutyRow {
    /// Unit that reports.
    pub who: String,
    /// Addressee; may be the public or enterprises.
    pub to: String,
    /// How often.
    pub cadence: Cadence,
    /// What is reported.
    pub what: String,
    /// First date.
    pub first_due: Option<NaiveDate>,
    /// What that date rests on.
    pub first_due_basis: Option<FirstDueBasis>,
    /// Words of the source document.
    pub source_phrase: Option<String>,
    /// Remark.
    pub note: Option<String>,
}

/// A duty without cadence.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OneOffDutyRow {
    /// Unit that has the duty.
    pub who: String,
    /// Addressee; may be the public or enterprises.
    pub to: String,
    /// When it falls due.
    pub trigger: Trigger,
    /// What is to be done.
    pub what: String,
    /// Date, when there is one.
    pub due_on: Option<NaiveDate>,
    /// Words of the source document.
    pub source_phrase: Option<String>,
    /// Remark.
    pub note: Option<String>,
}

/// A number that is a name, a slogan or a rule, not a target.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherNumber {
    /// Words with the number.
    pub phrase: String,
    /// What it means.
    pub meaning: String,
    /// Task in which it stands.
    pub task_number: Option<String>,
}

/// A misprint, damage or ambiguity of the source.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Irregularity {
    /// Place.
    #[serde(rename = "where")]
    pub place: String,
    /// What stands there, when it is repeated.
    pub found: Option<String>,
    /// How it was read.
    pub reading: String,
}

/// A decimal from the digits as they stand in the file.
fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    decimal(raw.get()).map_err(D::Error::custom)
}

fn exact_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    if raw.get() == "null" { Ok(None) } else { decimal(raw.get()).map(Some).map_err(D::Error::custom) }
}

fn decimal(text: &str) -> Result<Decimal, String> {
    let number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let read = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    read.ok()
        .filter(|_| number)
        .ok_or_else(|| format!("{} is not a number of at most 28 digits", excerpt(text)))
}

/// The file with its rows still unread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound = "'de: 'a")]
struct Outline<'a> {
    schema_version: String,
    #[serde(rename = "seedFile")]
    _seed_file: Option<String>,
    #[serde(borrow)]
    plan: &'a RawValue,
    #[serde(borrow)]
    units: Vec<&'a RawValue>,
    #[serde(borrow)]
    tasks: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    indicators: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    reporting_duties: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    one_off_duties: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    other_numbers: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    source_irregularities: Vec<&'a RawValue>,
}

/// Reads a plan from the bytes of a JSON file. What the rows say of each other is looked at by [`PlanFile::check`].
///
/// # Errors
/// The file is no text, no JSON, or no plan; the first fault is named with its place.
pub fn read_plan(bytes: &[u8]) -> Result<PlanFile, ImportError> {
    let (text, encoding, decoded) = encoding::decode(bytes)?;
    let outline: Outline<'_> =
        serde_json::from_str(&text).map_err(|e| fault::<Outline<'_>>(&e, &text, ""))?;
    if outline.schema_version != "1" && !outline.schema_version.starts_with("1.") {
        let reason =
            format!("{} is not read here; this is the reader of 1.0", excerpt(&outline.schema_version));
        return Err(ImportError::Schema { path: "schemaVersion".into(), reason });
    }
    let mut repairs = Findings::default();
    repairs.extend(decoded);
    unknown_fields(&text, &shape(), &mut repairs);
    Ok(PlanFile {
        plan: row(outline.plan, "plan")?,
        units: rows(&outline.units, "units")?,
        tasks: rows(&outline.tasks, "tasks")?,
        indicators: rows(&outline.indicators, "indicators")?,
        reporting_duties: rows(&outline.reporting_duties, "reportingDuties")?,
        one_off_duties: rows(&outline.one_off_duties, "oneOffDuties")?,
        other_numbers: rows(&outline.other_numbers, "otherNumbers")?,
        source_irregularities: rows(&outline.source_irregularities, "sourceIrregularities")?,
        schema_version: outline.schema_version,
        encoding,
        repairs,
    })
}

/// The known fields of the file and of everything in it.
fn shape() -> Shape {
    let indicator = Shape::of::<IndicatorRow>().with("baseline", Shape::of::<Baseline>());
    let plan = Shape::of::<PlanHead>()
        .with("phases", Shape::of::<Phase>())
        .with("basis", Shape::of::<BasisDocument>())
        .with("issuedOnEstimate", Shape::of::<DateEstimate>())
        .with("retrievedMetadata", Shape::of::<RetrievedMetadata>());
    Shape::of::<Outline<'_>>()
        .with("plan", plan)
        .with("units", Shape::of::<UnitRow>())
        .with("tasks", Shape::of::<TaskRow>())
        .with("indicators", indicator)
        .with("reportingDuties", Shape::of::<ReportingDutyRow>())
        .with("oneOffDuties", Shape::of::<OneOffDutyRow>())
        .with("otherNumbers", Shape::of::<OtherNumber>())
        .with("sourceIrregularities", Shape::of::<Irregularity>())
}

fn rows<T: DeserializeOwned>(raw: &[&RawValue], name: &str) -> Result<Vec<T>, ImportError> {
    if raw.len() > MAX_ROWS {
        return Err(ImportError::Schema { path: name.into(), reason: format!("more than {MAX_ROWS} rows") });
    }
    raw.iter().enumerate().map(|(i, raw)| row(raw, &format!("{name}[{i}]"))).collect()
}

fn row<T: DeserializeOwned>(raw: &RawValue, path: &str) -> Result<T, ImportError> {
    serde_json::from_str(raw.get()).map_err(|e| fault::<T>(&e, raw.get(), path))
}

/// Where and why a text is no `T`. The reader gives a place in the text; the field is the last one named before it.
fn fault<'de, T: Deserialize<'de>>(error: &serde_json::Error, text: &str, path: &str) -> ImportError {
    let reason = shortened(error.to_string().split(" at line ").next().unwrap_or_default());
    if !error.is_data() {
        return ImportError::BrokenJson { line: error.line(), column: error.column(), reason };
    }
    let before = before(text, error.line(), error.column());
    let field = fields_of::<T>()
        .iter()
        .filter_map(|field| Some((before.rfind(&format!("\"{field}\""))?, *field)))
        .max()
        .filter(|_| !reason.starts_with("missing field"))
        .map(|(_, field)| field);
    let path = match (path, field) {
        ("", None) => "file".to_owned(),
        (path, None) => path.to_owned(),
        ("", Some(field)) => field.to_owned(),
        (path, Some(field)) => format!("{path}.{field}"),
    };
    ImportError::Schema { path, reason }
}

/// The text before a place given by line and by column in bytes, both counted from 1.
fn before(text: &str, line: usize, column: usize) -> &str {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    &text[..text.floor_char_boundary(start + column)]
}

/// A message in which no quoted piece is longer than an excerpt. One that is still too long keeps its beginning and its
/// end: there stand what was found and what was expected.
fn shortened(message: &str) -> String {
    const END: usize = MAX_REASON / 4;
    let short: String = message
        .split_inclusive(['`', '"'])
        .map(|piece| if piece.len() > MAX_EXCERPT * 4 { excerpt(piece) } else { piece.to_owned() })
        .collect();
    let place = |at: usize| short.char_indices().nth(at).map(|(place, _)| place);
    let end = short.char_indices().nth_back(END).map(|(place, _)| place);
    match (place(MAX_REASON), place(MAX_REASON - END - 2), end) {
        (Some(_), Some(start), Some(end)) => format!("{}…{}", &short[..start], &short[end..]),
        _ => short,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A small plan that is right in every way; the other tests break it in one place.
    pub(in super::super) const PLAN: &str = r#"{
        "schemaVersion": "1.0", "seedFile": "a.txt",
        "plan": {
            "planCode": "TEST-2020", "documentNumber": null, "title": "质量提升方案", "titleIsAssigned": true,
            "issuer": "市政府", "regionCode": "440800", "regionName": "湛江市",
            "issuedOnEstimate": {"from": "2018-01-01", "to": "2018-12-31", "evidence": ["无日期"]},
            "issuedOn": null, "periodStart": "2018-01-01", "periodEnd": "2020-12-31",
            "phases": [
                {"name": "启动", "from": "2018-01-01", "to": "2018-06-30"},
                {"name": "实施", "from": "2018-07-01", "to": "2020-12-31"}
            ],
            "basis": [{"title": "指导意见"}],
            "retrievedMetadata": {"webPublishedOn": "2020-07-20", "note": "转载"}
        },
        "units": [
            {"name": "市市场监管局", "kind": "DEPARTMENT", "regionCode": "440800", "aliases": ["市场监管局"]},
            {"name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800", "note": null}
        ],
        "tasks": [
            {"number": "1", "label": "一、", "kind": "TASK", "source": "BODY", "title": "提升服务", "summary": "做好服务",
             "assignment": "EXPLICIT", "leadUnits": ["市商务局"], "supportingUnits": ["市市场监管局"],
             "dueOn": "2021-12-31"},
            {"number": "A1", "parentNumber": "1", "kind": "TASK", "source": "ANNEX", "title": "附件",
             "assignment": "NONE", "leadUnits": [], "supportingUnits": []}
        ],
        "indicators": [
            {"code": "T-1-01", "name": "合格率", "unit": "%", "comparator": ">=", "target": 95.10, "targetUpper": 1e2,
             "dueOn": "2020-12-31", "taskNumber": "1", "measure": "RATIO", "basis": "NUMERIC", "regionCode": "440800"},
            {"code": "T-1-02", "name": "增长", "unit": "%", "comparator": "increaseBy", "target": 5,
             "baseline": {"value": null, "asOf": "2017-12-31", "note": "上年"}, "recurrence": "ANNUAL",
             "dueOn": "2020-12-31", "taskNumber": "A1", "measure": "CHANGE", "basis": "NUMERIC", "regionCode": "440800"}
        ],
        "reportingDuties": [
            {"who": "市商务局", "to": "市市场监管局", "cadence": "QUARTERLY", "what": "进展", "firstDue": "2018-04-01",
             "firstDueBasis": "INFERRED"}
        ],
        "oneOffDuties": [{"who": "市商务局", "to": "社会公众", "trigger": "AS_NEEDED", "what": "发布信息"}],
        "otherNumbers": [{"phrase": "百城千业", "meaning": "行动名称", "taskNumber": "1"}],
        "sourceIrregularities": [{"where": "1", "found": "资料违法", "reading": "疑衍"}]
    }"#;

    fn schema_fault(from: &str, to: &str) -> (String, String) {
        assert!(PLAN.contains(from), "{from}");
        match read_plan(PLAN.replacen(from, to, 1).as_bytes()) {
            Err(ImportError::Schema { path, reason }) => (path, reason),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_whole_plan_is_read_exactly() {
        let file = read_plan(PLAN.as_bytes()).unwrap();
        assert!(file.repairs.is_empty(), "{:?}", file.repairs);
        assert_eq!((file.units.len(), file.tasks.len(), file.indicators.len()), (2, 2, 2));
        assert_eq!(file.indicators[0].target.to_string(), "95.10");
        assert_eq!(file.indicators[0].target_upper.unwrap().to_string(), "100");
        assert_eq!(file.indicators[1].baseline.as_ref().unwrap().value, None);
        assert_eq!(file.tasks[1].parent_number.as_deref(), Some("1"));
        assert_eq!(file.units[0].kind.as_str(), "DEPARTMENT");
        assert_eq!(file.source_irregularities[0].place, "1");
    }

    #[test]
    fn unknown_fields_are_passed_over_and_named() {
        let text = PLAN
            .replacen("\"title\": \"附件\"", "\"title\": \"附件\", \"colour\": {\"a\": [1e999]}", 1)
            .replacen("\"asOf\"", "\"colour\": 1, \"asOf\"", 1)
            .replacen("\"schemaVersion\"", "\"colour\": 1, \"schemaVersion\"", 1);
        let file = read_plan(text.as_bytes()).unwrap();
        let fields: Vec<_> =
            file.repairs.iter().map(|r| (r.row, r.field.as_str(), r.reading.as_str())).collect();
        assert_eq!(
            fields,
            [
                (0, "colour", "ignored field"),
                (2, "tasks[1].colour", "ignored field"),
                (2, "indicators[1].baseline.colour", "ignored field"),
            ]
        );
    }

    #[test]
    fn a_fault_names_its_row_and_field() {
        for (from, to, path) in [
            ("\"2021-12-31\"", "\"2021-02-31\"", "tasks[0].dueOn"),
            ("\"kind\": \"TASK\"", "\"kind\": \"JOB\"", "tasks[0].kind"),
            ("[\"市商务局\"]", "[3]", "tasks[0].leadUnits"),
            ("\"target\": 95.10", "\"target\": \"95\"", "indicators[0].target"),
            ("\"target\": 95.10", "\"target\": 9.99999999999999999999999999999", "indicators[0].target"),
            ("1e2", "1e200", "indicators[0].targetUpper"),
            ("\"value\": null", "\"value\": {}", "indicators[1].baseline"),
            ("\"title\": \"附件\",", "", "tasks[1]"),
            ("\"periodEnd\": \"2020-12-31\"", "\"periodEnd\": null", "plan.periodEnd"),
            ("\"1.0\"", "\"2.0\"", "schemaVersion"),
            ("\"1.0\"", "1.0", "schemaVersion"),
            ("\"units\":", "\"bodies\":", "file"),
            ("\"number\": \"1\"", "\"number\": \"1\", \"number\": \"2\"", "tasks[0].number"),
        ] {
            assert_eq!(schema_fault(from, to).0, path, "{from} -> {to}");
        }
        let (_, reason) = schema_fault("\"TASK\"", &format!("\"{}\"", "J".repeat(5_000)));
        assert!(
            reason.ends_with("is not one of GOAL, TASK, SAFEGUARD, REQUIREMENT") && reason.len() < 200,
            "{reason}"
        );
        let (_, reason) = schema_fault("\"2021-12-31\"", &format!("\"{}\"", "9".repeat(5_000)));
        assert!(reason.len() < 400, "{reason}");
        // Many pieces in quotes, each of which is short.
        let quoted = format!("{}`", "质".repeat(100)).repeat(100);
        let (_, reason) = schema_fault("[\"市商务局\"]", &format!("\"{quoted}\""));
        assert!(
            reason.starts_with("invalid type: string") && reason.ends_with("expected a sequence"),
            "{reason}"
        );
        assert!(reason.chars().count() <= MAX_REASON, "{reason}");
    }

    #[test]
    fn broken_json_names_line_and_column() {
        let broken = read_plan(b"{\n  \"plan\": {]").unwrap_err();
        assert!(matches!(broken, ImportError::BrokenJson { line: 2, column: 12, .. }), "{broken:?}");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep = PLAN.replacen("\"units\"", &format!("\"colour\": {deep}, \"units\""), 1);
        assert_eq!(read_plan(deep.as_bytes()).unwrap().repairs.total(), 1);
        let deep = PLAN.replacen("\"units\": [", &format!("\"units\": [{}", "[".repeat(1_000)), 1);
        assert!(read_plan(deep.as_bytes()).is_err());
        assert_eq!(read_plan(b"[]").unwrap_err().code(), "IMPORT_SCHEMA");
    }

    #[test]
    fn too_many_rows_are_refused() {
        let numbers = vec!["{\"phrase\": \"a\", \"meaning\": \"b\"}"; MAX_ROWS + 1].join(",");
        let text = PLAN.replacen("\"otherNumbers\": [", &format!("\"otherNumbers\": [{numbers},"), 1);
        let refused = read_plan(text.as_bytes()).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "otherNumbers: more than 5000 rows; correct it and import the file again"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_in_few_words(at in 0..PLAN.len(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let within = [&PLAN.as_bytes()[..at], &noise, &PLAN.as_bytes()[at..]].concat();
            for bytes in [noise, within] {
                if let Err(refusal) = read_plan(&bytes) {
                    prop_assert!(refusal.to_string().chars().count() <= 2 * MAX_REASON, "{}", refusal);
                }
            }
        }

        #[test]
        fn a_plan_cut_or_changed_anywhere_never_panics(at in 0..PLAN.len(), with in "[\\[\\]{}\",0-9a-z]{0,3}", keep: bool) {
            let at = PLAN.floor_char_boundary(at);
            let rest = if keep { &PLAN[PLAN.ceil_char_boundary(at + 1)..] } else { "" };
            if let Ok(file) = read_plan(format!("{}{with}{rest}", &PLAN[..at]).as_bytes()) {
                file.check();
            }
        }
    }
}
