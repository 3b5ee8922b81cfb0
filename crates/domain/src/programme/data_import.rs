//! An import (数据导入): which file brought what in, and what was repaired on the way.
//!
//! One file is imported once: the fingerprint of its bytes, and of the plan that a table adds to, is a unique key.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Step, To, status},
    policy::By,
    programme::plan::Plan,
    text,
};

vocabulary! {
    /// Where an import stands (导入状态): an import that is recorded is complete.
    pub enum DataImportStatus {
        Completed = "COMPLETED", "已完成";
    }
}
status!(DataImportStatus);

const STEPS: &[Step<DataImportStatus>] = &[Step {
    action: "importData",
    term: "导入数据",
    from: &[],
    to: To::State(DataImportStatus::Completed),
    by: &[By::InRegion(Role::LeadingGroupOffice), By::InRegion(Role::Administrator)],
    requires: &[],
    parent: None,
    basis: None,
}];

commands! {
    /// What may be asked of an import.
    DataImportCommand { create ImportData = "importData"; }
}

vocabulary! {
    /// The form of an imported file (文件格式).
    pub enum ImportFormat {
        PlanJson = "PLAN_JSON", "方案 JSON";
        TaskTableCsv = "TASK_TABLE_CSV", "任务分解表 CSV";
        TaskTableXlsx = "TASK_TABLE_XLSX", "任务分解表 XLSX";
    }
}

/// Something in a file that was read differently from how it is written (修正).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// Row of the file, from 1; 0 for the whole file.
    pub row: u32,
    /// Column or field.
    pub field: String,
    /// What stands there.
    pub found: String,
    /// How it was read.
    pub reading: String,
}

/// Most characters of a file that a report shows.
const EXCERPT: usize = 80;

impl Repair {
    /// A repair; `found` is shortened to an excerpt.
    pub fn new(row: u32, field: impl Into<String>, found: &str, reading: impl Into<String>) -> Self {
        let found = match found.char_indices().nth(EXCERPT - 1) {
            Some((at, last)) if found.len() > at + last.len_utf8() => format!("{}…", &found[..at]),
            _ => found.to_owned(),
        };
        Self { row, field: field.into(), found, reading: reading.into() }
    }
}

/// A row that was not taken (未采纳的行).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[cfg_attr(feature = "graphql", graphql(name = "RejectedRow"))]
#[serde(rename_all = "camelCase")]
pub struct RowRejection {
    /// Row of the file, from 1; 0 for the whole file.
    pub row: u32,
    /// Column or field.
    pub field: String,
    /// Why.
    pub reason: String,
}

/// A finding quotes the file, which may hold anything: what cannot be kept is shown as `�`, what is endless is cut.
fn printable(text: &mut String) {
    if text::optional("", text, text::LONG).is_err() {
        let shown = text
            .chars()
            .take(text::LONG)
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
        *text = shown.collect();
    }
}

impl RowRejection {
    /// A rejection.
    pub fn new(row: u32, field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { row, field: field.into(), reason: reason.into() }
    }
}

/// What an import did (导入结果).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ImportData {
    /// The file's name, or where the text came from.
    pub source: String,
    /// Its form.
    pub format: ImportFormat,
    /// The encoding it was read in, such as `UTF-8` or `GB18030`.
    pub encoding: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The region it is about.
    pub region_code: RegionCode,
    /// The plan it brought in or added to.
    pub plan_id: Id<Plan>,
    /// Rows read (for a plan file: units, tasks, indicators and duties).
    pub rows_read: u32,
    /// Rows taken.
    pub accepted: u32,
    /// Rows that stood there already.
    pub unchanged: u32,
    /// What was repaired.
    pub repaired: Vec<Repair>,
    /// What was not taken.
    pub rejected: Vec<RowRejection>,
    /// What the file says of how its document was read: misprints, inferred dates, numbers that are no targets.
    pub readings: Vec<Repair>,
}

events! {
    /// What has happened to an import.
    pub enum DataImportEvent {
        /// 导入已完成
        Completed(ImportData),
    }
}

impl DataImportEvent {
    /// Where the import stands after this event.
    pub const fn status(&self) -> Option<DataImportStatus> {
        match self {
            Self::Completed(_) => Some(DataImportStatus::Completed),
        }
    }
}

/// What an import must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DataImport {
    status: Option<DataImportStatus>,
    region: Option<RegionCode>,
}

impl DataImport {
    /// The claim of a file.
    pub const FILE: &'static str = "import.file";
    /// The key of that claim: a plan file stands for itself, a table for what it adds to one plan.
    pub fn file_key(format: ImportFormat, sha256: &str, plan: Option<Id<Plan>>) -> String {
        match (format, plan) {
            (ImportFormat::TaskTableCsv | ImportFormat::TaskTableXlsx, Some(plan)) => {
                format!("{sha256}|{}", plan.uuid())
            }
            _ => sha256.to_owned(),
        }
    }
}

/// Most repairs and most rejected rows that one report keeps.
pub const MOST_ROWS_OF_A_REPORT: usize = 1_000;

impl Aggregate for DataImport {
    const KIND: Kind = Kind::DataImport;
    type Status = DataImportStatus;
    type Command = DataImportCommand;
    type Event = DataImportEvent;
    const STEPS: &'static [Step<DataImportStatus>] = STEPS;

    fn status(&self) -> Option<DataImportStatus> {
        self.status
    }

    fn subject(&self, command: Option<&DataImportCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(DataImportCommand::ImportData(import)) => Some(import.region_code),
            None => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &DataImportCommand) -> Vec<Need> {
        let DataImportCommand::ImportData(import) = command;
        vec![Need::Object { kind: Kind::Plan, id: import.plan_id.uuid(), field: "planId".into() }]
    }

    fn decide(&self, command: DataImportCommand, _: &Context<'_>) -> Result<Vec<DataImportEvent>, Rejection> {
        let DataImportCommand::ImportData(mut import) = command;
        text::required("source", &import.source, text::TITLE)?;
        text::required("encoding", &import.encoding, text::SHORT)?;
        text::required("sha256", &import.sha256, text::SHORT)?;
        for repair in import.repaired.iter_mut().chain(&mut import.readings) {
            let Repair { field, found, reading, .. } = repair;
            [field, found, reading].into_iter().for_each(printable);
        }
        for rejection in &mut import.rejected {
            let RowRejection { field, reason, .. } = rejection;
            [field, reason].into_iter().for_each(printable);
        }
        import.repaired.truncate(MOST_ROWS_OF_A_REPORT);
        import.rejected.truncate(MOST_ROWS_OF_A_REPORT);
        import.readings.truncate(MOST_ROWS_OF_A_REPORT);
        Ok(vec![DataImportEvent::Completed(import)])
    }

    fn evolve(&mut self, event: &DataImportEvent, _: &Stamp) {
        self.status = event.status();
        let DataImportEvent::Completed(import) = event;
        self.region = Some(import.region_code);
    }

    fn claims(&self, event: &DataImportEvent) -> Vec<Claim> {
        let DataImportEvent::Completed(import) = event;
        let key = Self::file_key(import.format, &import.sha256, Some(import.plan_id));
        vec![Claim::take(Self::FILE, key, "text")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{given, office};

    #[test]
    fn a_file_is_imported_once() {
        let import = ImportData {
            source: "plan.json".into(),
            format: ImportFormat::PlanJson,
            encoding: "UTF-8".into(),
            sha256: "00".into(),
            region_code: "620000".parse().unwrap(),
            plan_id: Id::new(uuid::Uuid::nil()),
            rows_read: 1,
            accepted: 1,
            unchanged: 0,
            repaired: vec![],
            rejected: vec![],
            readings: vec![],
        };
        let completed = DataImportEvent::Completed(import.clone());
        given::<DataImport>([]).when(&office("ann"), import.clone()).then([completed.clone()]);
        given::<DataImport>([("ann", completed)])
            .when(&office("ann"), import)
            .then_rejected("ALREADY_EXISTS");
    }
}
