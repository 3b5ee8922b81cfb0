//! `bench commands`: a command decided, appended and shown in its view, through the store and through GraphQL.
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use zhixing_api::graphql::{indicator::Indicator, task::Task};
use zhixing_domain::{
    Period, Viewer, performance::indicator::RecordMeasurement, programme::task::ReportTaskProgress,
};
use zhixing_event_store::EventStore;

use crate::{
    append::{self, CALLERS},
    case::{Case, find, rounds},
    http::{self, Connection, Serving},
    load::{Caller, Fault},
    report::{Report, Section},
    sample,
    server::Server,
    settings::Settings,
    store,
    world::{self, Size, World},
};

const CALLERS_SQLITE: [usize; 3] = [1, 64, 256];
const BARE: &str = "append to an own stream";
const PROGRESS: &str = "reportTaskProgress";
const MEASUREMENT: &str = "recordMeasurement";
const PROGRESS_HTTP: &str = "reportTaskProgress through GraphQL";
const MEASUREMENT_HTTP: &str = "recordMeasurement through GraphQL";

const REPORT: &str = "mutation Report($input: ReportTaskProgress!) { reportTaskProgress(input: $input) \
     { position errors { message } task { id version status progressPercent } } }";
const RECORD: &str = "mutation Record($input: RecordMeasurement!) { recordMeasurement(input: $input) \
     { position errors { message } indicator { id version status } } }";

/// What all callers share.
struct Ground {
    store: EventStore,
    world: World,
    office: Viewer,
    tasks: AtomicUsize,
    measurements: AtomicUsize,
}

impl Ground {
    fn task(&self) -> (ReportTaskProgress, usize) {
        let number = self.tasks.fetch_add(1, Relaxed);
        let at = number % self.world.tasks.len();
        let percent = i32::try_from(number / self.world.tasks.len() % 100).unwrap_or(0);
        let id = self.world.tasks[at];
        (ReportTaskProgress { id, percent, note: sample::NOTE.into(), evidence: Vec::new() }, at)
    }

    fn measurement(&self) -> Result<RecordMeasurement, Fault> {
        let number = self.measurements.fetch_add(1, Relaxed);
        let count = self.world.indicators.len();
        // A month after the other for each indicator: none is measured twice.
        let month = number / count;
        let period: Period = format!("{}-{:02}", 1900 + month / 12, month % 12 + 1).parse()?;
        let id = self.world.indicators[number % count];
        let note = Some(sample::NOTE.into());
        Ok(RecordMeasurement {
            id,
            period,
            region_code: None,
            value: "96.3".parse()?,
            evidence: Vec::new(),
            note,
        })
    }
}

struct Progress(Arc<Ground>);
impl Caller for Progress {
    async fn call(&mut self) -> Result<(), Fault> {
        let (command, at) = self.0.task();
        let viewer = world::officer(self.0.world.lead(at));
        world::order::<Task>(&self.0.store, &viewer, command).await.map(drop)
    }
}

struct Measurement(Arc<Ground>);
impl Caller for Measurement {
    async fn call(&mut self) -> Result<(), Fault> {
        let command = self.0.measurement()?;
        world::order::<Indicator>(&self.0.store, &self.0.office, command).await.map(drop)
    }
}

/// The same over HTTP; `true` reports progress, `false` records a measurement.
struct Through(Arc<Ground>, Connection, bool);
impl Caller for Through {
    async fn call(&mut self) -> Result<(), Fault> {
        let request = if self.2 {
            let (command, at) = self.0.task();
            let token = format!("dev:officer:UNIT_OFFICER:unit={}", self.0.world.lead(at));
            http::graphql(&token, REPORT, &serde_json::json!({ "input": command }))
        } else {
            let command = self.0.measurement()?;
            http::graphql("dev:office:LEADING_GROUP_OFFICE", RECORD, &serde_json::json!({ "input": command }))
        };
        let answer = self.1.ask(&request).await?;
        let text = std::str::from_utf8(answer)?;
        if !text.contains(r#""errors":[]"#) {
            return Err(text.into());
        }
        Ok(())
    }
}

fn through_store(ground: &Arc<Ground>, callers: usize, length: Duration) -> [Case; 3] {
    let each = || (0..callers).map(|_| ground.clone());
    [
        append::own(&ground.store, callers, length),
        Case::calling(PROGRESS, length, each().map(Progress).collect()),
        Case::calling(MEASUREMENT, length, each().map(Measurement).collect()),
    ]
}

async fn through_http(
    ground: &Arc<Ground>,
    serving: &Serving,
    callers: usize,
    length: Duration,
) -> Result<Vec<Case>, Fault> {
    let mut cases = Vec::new();
    for (what, progress) in [(PROGRESS_HTTP, true), (MEASUREMENT_HTTP, false)] {
        let mut through = Vec::with_capacity(callers);
        for _ in 0..callers {
            through.push(Through(ground.clone(), Connection::open(serving.address).await?, progress));
        }
        cases.push(Case::calling(what, length, through));
    }
    Ok(cases)
}

async fn ground(store: EventStore, settings: &Settings) -> Result<Arc<Ground>, Fault> {
    let size = if settings.quick { 1_024 } else { 4_096 };
    let world = World::build(&store, Size { plans: 16, tasks: size / 16, indicators: size }).await?;
    let counter = || AtomicUsize::new(0);
    Ok(Arc::new(Ground { store, world, office: world::office(), tasks: counter(), measurements: counter() }))
}

/// On PostgreSQL, also over HTTP.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let length = settings.length();
    // Two databases: the read models that run behind GraphQL shall not slow down what is measured without it.
    let bare = ground(store::open(&server.database("commands").await?).await?, settings).await?;
    let behind = ground(store::open(&server.database("graphql").await?).await?, settings).await?;
    let serving = Serving::graphql(&behind.store).await?;
    let mut cases = Vec::new();
    for callers in CALLERS {
        cases.extend(through_store(&bare, callers, length));
        cases.extend(through_http(&behind, &serving, callers, length).await?);
    }
    rounds("commands", settings, &mut cases).await?;
    let mut section = table("Commands on PostgreSQL (c, d)", &cases);
    section.note("Server, callers and HTTP clients share this process; clients write prepared bytes on kept connections.");
    report.add(section);
    for callers in [64, 256] {
        let rate = |what: &str| find(&cases, what, callers).map(|case| case.median().per_second);
        for what in [PROGRESS, MEASUREMENT] {
            let ratio = rate(what).zip(rate(BARE)).map(|(ours, bare)| ours / bare);
            report.at_least(format!("{what}, {callers} callers ÷ bare append"), 0.6, ratio);
        }
    }
    serving.stop().await;
    bare.store.pool().close().await;
    Ok(())
}

/// On SQLite.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_sqlite(directory: &Path, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let ground = ground(store::sqlite(directory, "commands").await?, settings).await?;
    let length = settings.length();
    let mut cases: Vec<Case> =
        CALLERS_SQLITE.iter().flat_map(|callers| through_store(&ground, *callers, length)).collect();
    rounds("commands", settings, &mut cases).await?;
    report.add(table("Commands on SQLite (c)", &cases));
    ground.store.pool().close().await;
    Ok(())
}

fn table(title: &str, cases: &[Case]) -> Section {
    let mut section = Section::new(title, "commands/s", &["bare append, same callers"]);
    for case in cases {
        let bare = find(cases, BARE, case.callers).map(|bare| bare.median().per_second);
        section.row(case, vec![bare.map(|bare| case.median().per_second / bare)]);
    }
    section
}
