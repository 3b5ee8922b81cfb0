//! Imports: bytes of a file in, one atomic append out, and a report of what was read, repaired and rejected.
//!
//! The reading half ([`table`], [`plan_file`]) knows files and nothing of the domain; `plan_import` and
//! `table_import` turn what was read into commands.
mod csv_rows;
pub mod encoding;
mod plan_check;
pub mod plan_file;
mod plan_import;
pub mod report;
pub mod responsible;
pub mod table;
mod table_import;
pub mod text;
mod unknown_fields;
mod xlsx_rows;

use sha2::{Digest, Sha256};
use zhixing_domain::{
    Aggregate, Id, Kind, RegionCode, Rejection, Subject, Viewer,
    programme::{
        data_import::{DataImport, ImportData},
        plan::Plan,
    },
};
use zhixing_event_store::{
    Error, EventStore, Work,
    append::{CommandKey, Refusal},
    store::fingerprinted,
};

use crate::graphql::data_import::DataImport as Imported;
use report::{Format, ImportError, RowRejection};

/// A file to import.
#[derive(Clone, Debug)]
pub struct Job {
    /// The file's name.
    pub source: String,
    /// Its content.
    pub bytes: Vec<u8>,
    /// The plan that the tasks of a table belong to.
    pub plan: Option<Id<Plan>>,
    /// Put before the numbers of a table, as `A` in `A20`, where numbers repeat inside a plan.
    pub number_prefix: String,
    /// Take the good rows of a file that has bad ones.
    pub take_good_rows: bool,
    /// Only say what would happen.
    pub dry_run: bool,
    /// The caller's id for the command.
    pub command_id: Option<String>,
}

/// What came of an import.
#[derive(Clone, Debug)]
pub struct Done {
    /// The plan it brought in or added to, unless nothing was taken.
    pub plan: Option<Id<Plan>>,
    /// What was read, repaired and rejected.
    pub report: Report,
    /// Position of the last event; `None` when nothing was recorded.
    pub position: Option<i64>,
    /// Whether this very file was imported before.
    pub imported_before: bool,
}

/// What was read, repaired and rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the domain's ImportData")]
pub struct Report {
    pub source: String,
    pub format: Format,
    pub encoding: String,
    pub sha256: String,
    pub rows_read: u32,
    pub accepted: u32,
    pub unchanged: u32,
    pub repaired: Vec<report::Repair>,
    pub rejected: Vec<RowRejection>,
    pub readings: Vec<report::Repair>,
}

/// Why an import did not come to a report.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file as a whole is refused.
    #[error(transparent)]
    File(#[from] ImportError),
    /// The rules or the database refuse.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        Self::Store(rejection.into())
    }
}

/// What became of one row.
enum Row {
    Taken,
    Unchanged,
    Bad(RowRejection),
}

/// Imports files on behalf of a viewer.
#[derive(Debug)]
pub struct Importer<'s> {
    store: &'s EventStore,
    viewer: &'s Viewer,
}

/// Most characters before the numbers of a table.
const PREFIX: usize = 10;
/// How often an import is tried again because somebody changed the same units meanwhile.
const TRIES: usize = 5;
/// Most bad rows of a file whose good rows are taken: each costs another pass.
const MOST_PASSES: usize = 200;

impl<'s> Importer<'s> {
    /// An importer for this viewer.
    pub fn new(store: &'s EventStore, viewer: &'s Viewer) -> Self {
        Self { store, viewer }
    }

    /// Imports a file. `progress` is told how many of how many rows are done.
    ///
    /// # Errors
    /// A [`Fault`]; bad rows are no fault but stand in the report.
    pub async fn import(&self, job: Job, mut progress: impl FnMut(u64, u64)) -> Result<Done, Fault> {
        self.may_import(&job)?;
        encoding::check_size(&job.bytes)?;
        let format = encoding::detect_format(&job.bytes, &job.source)?;
        let sha256 = hex::encode(Sha256::digest(&job.bytes));
        let key = self.command_key(&job, &sha256)?;
        if let Some(key) = &key
            && let Some(seen) = self.store.seen(key).await?
            && seen.fingerprint != key.fingerprint
        {
            return Err(Rejection::CommandIdReused.into());
        }
        let file_key = DataImport::file_key(format, &sha256, job.plan);
        if let Some(id) = self.store.holder(DataImport::FILE, &file_key).await? {
            return self.done_before(Id::new(id)).await;
        }
        let mut report = Report {
            source: job.source.clone(),
            format,
            encoding: String::new(),
            sha256,
            rows_read: 0,
            accepted: 0,
            unchanged: 0,
            repaired: Vec::new(),
            rejected: Vec::new(),
            readings: Vec::new(),
        };
        // A key that a rival took meanwhile: the next round finds what has it.
        let mut taken = None;
        for _ in 0..TRIES {
            let mut work = self.store.begin(self.viewer, job.command_id.clone());
            let plan = match format {
                Format::PlanJson => self.plan_file(&mut work, &job, &mut report, &mut progress).await?,
                Format::TaskTableCsv | Format::TaskTableXlsx => {
                    self.task_table(&mut work, &job, &mut report, &mut progress).await?
                }
            };
            let refused = plan.is_none() || !report.rejected.is_empty() && !job.take_good_rows;
            let Some((plan, region)) = plan.filter(|_| !refused) else {
                report.accepted = 0;
                return Ok(Done { plan: None, report, position: None, imported_before: false });
            };
            let id = Id::new(self.store.clock().new_id());
            work.run::<Imported>(id, None, record(&report, plan, region)).await?;
            if job.dry_run {
                work.check_claims().await?;
                return Ok(Done { plan: Some(plan), report, position: None, imported_before: false });
            }
            match work.commit(key.clone()).await {
                Ok(events) => {
                    let position = events.last().map(|event| event.position);
                    return Ok(Done { plan: Some(plan), report, position, imported_before: false });
                }
                Err(Refusal::Conflict { .. }) => {}
                Err(refusal @ Refusal::Taken { .. }) => {
                    // A rival imported the same file at the same time: units and plan of it stand there already.
                    if let Some(id) = self.store.holder(DataImport::FILE, &file_key).await? {
                        return self.done_before(Id::new(id)).await;
                    }
                    taken = Some(refusal);
                }
                Err(refusal) => return Err(Error::from(refusal).into()),
            }
        }
        Err(taken.map_or(Error::Busy, Error::from).into())
    }

    /// Who may import at all, before a file is looked at; each row is then decided by its own rules.
    fn may_import(&self, job: &Job) -> Result<(), Rejection> {
        if let Some(step) = DataImport::step("importData") {
            step.check(Kind::DataImport, None, self.viewer, &Subject::default())?;
        }
        let plain =
            job.number_prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        if job.number_prefix.len() > PREFIX || !plain {
            let reason = format!("is not up to {PREFIX} letters, digits, dots, hyphens and underscores");
            return Err(Rejection::invalid("numberPrefix", reason));
        }
        Ok(())
    }

    fn command_key(&self, job: &Job, sha256: &str) -> Result<Option<CommandKey>, Error> {
        let Some(id) = &job.command_id else { return Ok(None) };
        let plan = job.plan.map(|plan| plan.to_string()).unwrap_or_default();
        let body = format!("{sha256}|{plan}|{}|{}", job.number_prefix, job.take_good_rows);
        fingerprinted(self.viewer, id, "importData", body.as_bytes()).map(Some)
    }

    /// The answer to a file that was imported before.
    async fn done_before(&self, id: Id<DataImport>) -> Result<Done, Fault> {
        let rows: Vec<Imported> = self.store.pool().many(&[id.uuid()]).await?;
        let Some(row) = rows.into_iter().next() else { return Err(Error::Busy.into()) };
        let count = |number: i32| u32::try_from(number).unwrap_or(0);
        let report = Report {
            source: row.source,
            format: row.format,
            encoding: row.encoding,
            sha256: row.sha256,
            rows_read: count(row.rows_read),
            accepted: 0,
            unchanged: count(row.accepted + row.unchanged),
            repaired: row.repaired.0,
            rejected: row.rejected.0,
            readings: row.readings.0,
        };
        Ok(Done { plan: Some(row.plan_id.0), report, position: None, imported_before: true })
    }
}

fn record(report: &Report, plan_id: Id<Plan>, region_code: RegionCode) -> ImportData {
    ImportData {
        source: report.source.clone(),
        format: report.format,
        encoding: report.encoding.clone(),
        sha256: report.sha256.clone(),
        region_code,
        plan_id,
        rows_read: report.rows_read,
        accepted: report.accepted,
        unchanged: report.unchanged,
        repaired: report.repaired.clone(),
        rejected: report.rejected.clone(),
        readings: report.readings.clone(),
    }
}

/// A refusal by the rules is a bad row; anything else is a fault.
fn as_row(row: u32, path: &str, error: Error) -> Result<RowRejection, Error> {
    match error {
        Error::Rejected(Rejection::Invalid { field, reason }) => {
            Ok(RowRejection::new(row, format!("{path}.{field}"), reason))
        }
        // Who may not do this for one row may not do it for the file.
        error @ Error::Rejected(Rejection::NotPermitted { .. }) => Err(error),
        Error::Rejected(rejection) => Ok(RowRejection::new(row, path, rejection.to_string())),
        fault => Err(fault),
    }
}

/// Commands of an import, decided one after the other in one work.
type Commands<'w, 's> = &'w mut Work<'s>;
