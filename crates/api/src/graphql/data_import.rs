//! Imports, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use base64::{Engine, engine::general_purpose::STANDARD};
use sea_query::Condition;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Id, Kind, RegionCode, Viewer,
    id::Key,
    programme::{
        data_import::{
            DataImport as Domain, DataImportEvent as Event, DataImportStatus, ImportFormat, Repair, RowRejection,
        },
        plan,
    },
};

use super::{
    found::Found,
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    error::{self, InvalidInput, UserError},
    event::Position,
    plan::Plan,
    view::{Fold, Life, Visible, nothing, view, visible},
};
use crate::import::{self, Importer, Job};

view! {
    /// Which file brought what in, and what was repaired on the way (数据导入).
    pub struct DataImport of Domain, in "data_imports" {
        /// Where it stands: an import that is recorded is complete.
        status: DataImportStatus,
        /// The region it is about.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// The file's name, or where the text came from.
        source: String,
        /// The form of the file.
        format: ImportFormat,
        /// The encoding it was read in.
        encoding: String,
        /// SHA-256 of its bytes, in hexadecimal digits.
        sha256: String,
        /// Rows read (for a plan file: units, tasks, indicators and duties).
        rows_read: i32,
        /// Rows taken.
        accepted: i32,
        /// Rows that stood there already.
        unchanged: i32,
        #[graphql(skip)]
        repaired: Json<Vec<Repair>>,
        #[graphql(skip)]
        rejected: Json<Vec<RowRejection>>,
        #[graphql(skip)]
        readings: Json<Vec<Repair>>,
    }
}

fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Fold for DataImport {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Completed(import) = event;
        Some(Self {
            life,
            status: DataImportStatus::Completed,
            region_code: import.region_code,
            plan_id: Key(import.plan_id),
            source: import.source.clone(),
            format: import.format,
            encoding: import.encoding.clone(),
            sha256: import.sha256.clone(),
            rows_read: count(import.rows_read),
            accepted: count(import.accepted),
            unchanged: count(import.unchanged),
            repaired: Json(import.repaired.clone()),
            rejected: Json(import.rejected.clone()),
            readings: Json(import.readings.clone()),
        })
    }

    fn fold(&mut self, event: &Event) {
        // There is one event, and the row is born from it.
        let Event::Completed(_) = event;
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }
}

impl Visible for DataImport {
    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::DataImport, nothing(), None)
    }
}

#[ComplexObject]
impl DataImport {
    /// The plan that it brought in or added to.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// What was read differently from how it is written; at most 1,000.
    async fn repaired(&self) -> &[Repair] {
        &self.repaired
    }
    /// What the file says of how its document was read: misprints, inferred dates, numbers that are no targets; at most
    /// 1,000.
    async fn readings(&self) -> &[Repair] {
        &self.readings
    }
    /// Rows that were not taken; at most 1,000.
    async fn rejected(&self) -> &[RowRejection] {
        &self.rejected
    }
}

connection!(DataImport, DataImportConnection, DataImportEdge, "imports");

/// Questions about imports.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "DataImportQueries")]
impl Queries {
    /// Imports, latest first. For officials.
    async fn data_imports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only into this plan.")] plan: Option<Id<plan::Plan>>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<DataImportConnection> {
        let filter = Condition::all().has("plan_id", plan);
        let by = By::column("id", Holds::Key).directed(OrderDirection::Desc);
        Ok(DataImportConnection(page(ctx, filter, by, Paging { first, after, last, before }).await?))
    }
}

/// A file to import: a plan as JSON, or a task breakdown table as CSV or XLSX (see reference/plans/SCHEMA.md).
#[derive(Clone, Debug, InputObject)]
pub struct ImportData {
    /// The file's name, at most 200 characters.
    pub source: String,
    /// The content as text.
    pub text: Option<String>,
    /// The content as base64, for XLSX and encodings other than UTF-8. Give either this or `text`.
    pub base64: Option<String>,
    /// The plan that the tasks of a table belong to; not for a plan file.
    pub plan: Option<Id<plan::Plan>>,
    /// Put before the numbers of a table, as `A` in `A20`, where numbers repeat inside a plan; at most 10 characters.
    #[graphql(default)]
    pub number_prefix: String,
    /// Take the good rows of a file that has bad ones; otherwise such a file changes nothing.
    #[graphql(default)]
    pub take_good_rows: bool,
}

/// What an import did, or would do.
#[derive(Clone, Debug, SimpleObject)]
pub struct ImportReport {
    /// The file's name.
    pub source: String,
    /// Its form.
    pub format: ImportFormat,
    /// The encoding it was read in.
    pub encoding: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Rows read.
    pub rows_read: u32,
    /// Rows taken.
    pub accepted: u32,
    /// Rows that stood there already.
    pub unchanged: u32,
    /// What was repaired.
    pub repaired: Vec<Repair>,
    /// What was not taken, and why.
    pub rejected: Vec<RowRejection>,
    /// What the file says of how its document was read.
    pub readings: Vec<Repair>,
}

/// What came of an import.
#[derive(Debug, SimpleObject)]
pub struct ImportPayload {
    /// The plan that the file brought in or added to; null when nothing was taken.
    pub plan: Option<Found<Plan>>,
    /// What was read, repaired and rejected; null when the file as a whole was refused.
    pub report: Option<ImportReport>,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Whether this very file was imported before, so that nothing changed.
    pub imported_before: bool,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

impl ImportPayload {
    fn refused(error: UserError) -> Self {
        Self { plan: None, report: None, position: None, imported_before: false, errors: vec![error] }
    }
}

/// Imports files.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "DataImportMutations")]
impl Mutations {
    /// Imports a file: one atomic append. The same file a second time changes nothing (导入数据).
    async fn import_data(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file and how to take it.")] input: ImportData,
        #[graphql(desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer.")]
        command_id: Option<String>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<ImportPayload> {
        let refuse = |field: &str, reason: String| {
            let message = format!("{field}: {reason}");
            let (code, field) = ("INVALID_INPUT".into(), Some(field.into()));
            Ok(ImportPayload::refused(UserError::InvalidInput(InvalidInput { code, message, field, reason })))
        };
        let bytes = match (input.text, input.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(base64)) => match STANDARD.decode(base64) {
                Ok(bytes) => bytes,
                Err(_) => return refuse("base64", "is not base64".into()),
            },
            _ => return refuse("text", "give either text or base64".into()),
        };
        let job = Job {
            source: input.source,
            bytes,
            plan: input.plan,
            number_prefix: input.number_prefix,
            take_good_rows: input.take_good_rows,
            dry_run,
            command_id,
        };
        let importer = Importer::new(ctx.store(), ctx.viewer());
        match importer.import(job, |_, _| {}).await {
            Ok(done) => {
                let plan = match done.plan {
                    Some(id) if !dry_run || done.position.is_some() => ctx.load::<Plan>(id).await?,
                    _ => None,
                };
                let import::Done { report, position, imported_before, .. } = done;
                let errors = if report.rejected.is_empty() || report.accepted > 0 || imported_before {
                    Vec::new()
                } else {
                    let reason = format!("{} rows are bad: mend them or ask to take the good ones", report.rejected.len());
                    let message = format!("text: {reason}");
                    let (code, field) = ("INVALID_INPUT".into(), Some("text".into()));
                    vec![UserError::InvalidInput(InvalidInput { code, message, field, reason })]
                };
                let report = ImportReport {
                    source: report.source,
                    format: report.format,
                    encoding: report.encoding,
                    sha256: report.sha256,
                    rows_read: report.rows_read,
                    accepted: report.accepted,
                    unchanged: report.unchanged,
                    repaired: report.repaired,
                    rejected: report.rejected,
                    readings: report.readings,
                };
                Ok(ImportPayload { plan, report: Some(report), position: position.map(Position), imported_before, errors })
            }
            Err(import::Fault::File(fault)) => refuse("text", fault.to_string()),
            Err(import::Fault::Store(zhixing_event_store::Error::Rejected(rejection))) => {
                Ok(ImportPayload::refused(rejection.into()))
            }
            Err(import::Fault::Store(fault)) => Err(error::fault(fault)),
        }
    }
}
