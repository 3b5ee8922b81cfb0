//! `bench replay`: the whole log read again, into a count and into the real views.
use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use uuid::Uuid;
use zhixing_api::graphql::task::Task;
use zhixing_domain::{
    Id, Kind,
    aggregate::encode,
    programme::task::{Assignment, Responsibility, Task as TaskOf, TaskContent, TaskEvent, TaskKind},
};
use zhixing_event_store::{
    EventStore, Meta, View as _,
    append::{Append, Extension},
    store::AsOf,
};

use crate::{
    case::{Case, rounds},
    load::{Fault, Sample},
    report::{Report, Section},
    sample,
    server::Server,
    settings::Settings,
    store,
};

/// Events of each stream: registered, assigned, accepted, and reports of progress.
const EVENTS: usize = 10;
const AT_ONCE: usize = 256;

/// Fills the log quickly: whole lives of tasks, without view rows.
async fn fill(store: &EventStore, streams: usize) -> Result<Arc<Vec<Uuid>>, Fault> {
    let bar = crate::report::bar(streams * EVENTS, "filling");
    let (plan, unit) = (Id::new(store.clock().new_id()), Id::new(store.clock().new_id()));
    let content = TaskContent {
        label: None,
        kind: TaskKind::Task,
        title: "加强重点产品质量监督抽查".into(),
        summary: sample::NOTE.into(),
        due_on: None,
        note: None,
    };
    let region_code = "620000".parse::<zhixing_domain::RegionCode>()?;
    let registered = TaskEvent::Registered {
        plan_id: plan,
        parent_id: None,
        number: "4.1".into(),
        content,
        assignment: Assignment::Explicit,
        region_code,
    };
    let responsibility =
        Responsibility { lead_unit_ids: vec![unit], supporting_unit_ids: Vec::new(), open_ended: false };
    let mut life = vec![registered, TaskEvent::UnitsAssigned { responsibility }, TaskEvent::Accepted];
    life.extend((life.len()..EVENTS).map(|number| sample::progress(i32::try_from(number * 10).unwrap_or(0))));
    let life = life.iter().map(encode::<TaskOf>).collect::<Result<Vec<_>, _>>()?;
    let append = |_| {
        let stream_id = store.clock().new_id();
        let event = |(version, (name, data)): (i64, &(String, String))| {
            sample::event(store, stream_id, version, name, data.clone())
        };
        let events = (1..).zip(&life).map(event).collect();
        let extension = Extension { stream_id, expected: 0, events, claims: Vec::new() };
        let bar = bar.clone();
        async move {
            let append = Append { streams: vec![extension], ..Append::default() };
            store.writer().append(append).await.map_err(|refusal| format!("{refusal:?}"))?;
            bar.inc(EVENTS as u64);
            Ok::<_, Fault>(stream_id)
        }
    };
    let streams: Vec<Uuid> =
        stream::iter(0..streams).map(append).buffer_unordered(AT_ONCE).try_collect().await?;
    bar.finish_and_clear();
    Ok(Arc::new(streams))
}

/// Reads the log in pages and hands each to `take`; the time of a page is the time of a call.
async fn read(
    store: EventStore,
    page: u32,
    mut take: impl FnMut(&[zhixing_event_store::Recorded]) -> Result<(), Fault>,
) -> Result<Sample, Fault> {
    let (begun, mut at, mut micros) = (Instant::now(), 0, Vec::new());
    while at < store.head() {
        let asked = Instant::now();
        let events = store.pool().read_log(at, page).await?;
        take(&events)?;
        at = events.last().ok_or("the log ends before its head")?.position;
        micros.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    Ok(Sample::of(usize::try_from(at)?, begun.elapsed(), micros))
}

async fn count(store: EventStore, page: u32) -> Result<Sample, Fault> {
    let mut counts: HashMap<Kind, u64> = HashMap::new();
    let sample = read(store.clone(), page, |events| {
        for event in events {
            *counts.entry(event.kind).or_default() += 1;
        }
        Ok(())
    });
    let sample = sample.await?;
    let counted: u64 = counts.values().sum();
    if counted == u64::try_from(store.head())? { Ok(sample) } else { Err("an event was not counted".into()) }
}

async fn follow(store: EventStore) -> Result<Sample, Fault> {
    let (begun, head) = (Instant::now(), store.head());
    let mut events = Box::pin(store.follow(0));
    for position in 1..=head {
        let event = events.next().await.ok_or("the log ended")??;
        if event.position != position {
            return Err(format!("{} came instead of {position}", event.position).into());
        }
    }
    Ok(Sample::of(usize::try_from(head)?, begun.elapsed(), Vec::new()))
}

async fn fold(store: EventStore, streams: usize) -> Result<Sample, Fault> {
    let mut rows: HashMap<Uuid, Task> = HashMap::with_capacity(streams);
    let sample = read(store, 1_000, |events| {
        for event in events {
            let id = Id::new(event.stream_id);
            let meta = Meta { id, version: event.version, actor: event.actor.clone(), at: event.recorded_at };
            let row = Task::project(rows.remove(&event.stream_id), &event.decode::<TaskOf>()?, &meta);
            rows.insert(event.stream_id, row.ok_or("an event changed no row")?);
        }
        Ok(())
    });
    let sample = sample.await?;
    let whole =
        rows.len() == streams && rows.values().all(|row| usize::try_from(row.life.version) == Ok(EVENTS));
    if whole { Ok(sample) } else { Err("a view differs from its stream".into()) }
}

async fn as_of(store: EventStore, streams: Arc<Vec<Uuid>>) -> Result<Sample, Fault> {
    let begun = Instant::now();
    let one = |stream: &Uuid| {
        let (store, id) = (store.clone(), Id::new(*stream));
        async move {
            let asked = Instant::now();
            store.as_of::<Task>(id, AsOf::Version(i64::MAX)).await?.ok_or("a stream is missing")?;
            Ok::<_, Fault>(u64::try_from(asked.elapsed().as_micros())?)
        }
    };
    let micros: Vec<u64> = stream::iter(streams.iter().map(one)).buffer_unordered(16).try_collect().await?;
    Ok(Sample::of(micros.len() * EVENTS, begun.elapsed(), micros))
}

async fn section(
    store: EventStore,
    database: &str,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Fault> {
    let streams = if settings.quick { 4_000 } else { 20_000 };
    let begun = Instant::now();
    let ids = fill(&store, streams).await?;
    let filled = rate(streams * EVENTS, begun.elapsed());
    let case =
        |what: &str, at_once, run: Box<dyn Fn(EventStore) -> BoxFuture<'static, Result<Sample, Fault>>>| {
            let store = store.clone();
            Case::new(what, at_once, move || run(store.clone()))
        };
    let mut cases = vec![
        case("count by kind, pages of 1,000", 1, Box::new(|store| Box::pin(count(store, 1_000)))),
        case("count by kind, pages of 5,000", 1, Box::new(|store| Box::pin(count(store, 5_000)))),
        case("follow from position 0", 1, Box::new(|store| Box::pin(follow(store)))),
        case("fold into the view of tasks", 1, Box::new(move |store| Box::pin(fold(store, streams)))),
        case("asOf on every stream", 16, Box::new(move |store| Box::pin(as_of(store, ids.clone())))),
    ];
    rounds("replay", settings, &mut cases).await?;
    let title = format!("Replay of {} events on {database} (f)", store.head());
    let mut section = Section::new(&title, "events/s", &[]);
    for case in &cases {
        section.row(case, Vec::new());
    }
    section.note(format!(
        "Times are of a page, for asOf of a stream. Filled at {filled} events/s, ten an append."
    ));
    report.add(section);
    let trivial = cases
        .iter()
        .filter(|case| case.what.starts_with("count"))
        .map(|case| case.median().per_second)
        .max_by(f64::total_cmp);
    report.at_least(format!("replay into a trivial projection on {database}, events/s"), 200_000.0, trivial);
    store.pool().close().await;
    Ok(())
}

fn rate(events: usize, took: Duration) -> u128 {
    events as u128 * 1_000 / took.as_millis().max(1)
}

/// On PostgreSQL.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    section(store::open(&server.database("replay").await?).await?, "PostgreSQL", settings, report).await
}

/// On SQLite.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_sqlite(directory: &Path, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    section(store::sqlite(directory, "replay").await?, "SQLite", settings, report).await
}
