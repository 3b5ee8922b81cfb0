//! `bench check`: writers append while others follow; nobody may miss an event, see one twice or out of order.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::task::JoinSet;
use zhixing_event_store::EventStore;

use crate::{
    load::Fault,
    report::{Report, note},
    sample,
    server::Server,
    settings::Settings,
    store,
};

const WRITERS: u32 = 64;
/// How long a follower may be silent after the last append before what it has not seen counts as missed.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a follower saw.
#[derive(Debug, Default)]
struct Seen {
    events: i64,
    last: i64,
    /// Positions that were passed over or repeated.
    wrong: i64,
}

async fn follow(store: EventStore, writing: Arc<AtomicBool>) -> Result<Seen, Fault> {
    let (mut seen, mut events) = (Seen::default(), Box::pin(store.follow(0)));
    loop {
        match tokio::time::timeout(PATIENCE, events.next()).await {
            Ok(Some(event)) => {
                let position = event?.position;
                seen.wrong += i64::from(position != seen.last + 1);
                (seen.events, seen.last) = (seen.events + 1, position);
            }
            Ok(None) => return Err("the log ended".into()),
            Err(_) if writing.load(Relaxed) => {}
            Err(_) => return Ok(seen),
        }
    }
}

/// Two stores on one database, as two processes would be, half of the writers and one follower on each.
async fn ours(server: &Server, length: Duration, report: &mut Report) -> Result<(), Fault> {
    let url = server.database("check").await?;
    let stores = [store::open(&url).await?, store::open(&url).await?];
    let writing = Arc::new(AtomicBool::new(true));
    let mut followers = JoinSet::new();
    for store in &stores {
        followers.spawn(follow(store.clone(), writing.clone()));
    }
    let end = Instant::now() + length;
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        let store = stores[number as usize % 2].clone();
        writers.spawn(async move {
            let (stream, mut version) = (store.clock().new_id(), 0);
            while Instant::now() < end {
                version += 1;
                let outcome = store.writer().append(sample::append(&store, stream, version)).await;
                outcome.map_err(|refusal| format!("{refusal:?}"))?;
            }
            Ok::<_, Fault>(version)
        });
    }
    let mut written = 0;
    while let Some(count) = writers.join_next().await {
        written += count??;
    }
    writing.store(false, Relaxed);
    let (mut missed, mut wrong) = (0, 0);
    while let Some(seen) = followers.join_next().await {
        let seen = seen??;
        note(&format!(
            "check: {written} events appended; a follower saw {}, {} out of order",
            seen.events, seen.wrong
        ));
        missed += (written - seen.events).abs();
        wrong += seen.wrong;
    }
    report.none(format!("events missed by 2 followers of {written} events"), missed);
    report.none("events out of order or repeated", wrong);
    for store in stores {
        store.pool().close().await;
    }
    Ok(())
}

/// The same with a serial column that is polled, as many would do it.
async fn naive(server: &Server, length: Duration, report: &mut Report) -> Result<(), Fault> {
    const READ: &str = "select id from naive where id > $1 order by id limit 1000";
    let url = server.database("naive").await?;
    let db = PgPoolOptions::new().max_connections(WRITERS + 2).connect(&url).await?;
    sqlx::query("create table naive (id bigserial primary key, data text not null)").execute(&db).await?;
    let writing = Arc::new(AtomicBool::new(true));
    let reader = tokio::spawn(poll(db.clone(), READ, writing.clone()));
    let end = Instant::now() + length;
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        let (db, data) = (db.clone(), sample::payload());
        writers.spawn(async move {
            let mut count = 0_i64;
            while Instant::now() < end {
                sqlx::query("insert into naive (data) values ($1)").bind(&data).execute(&db).await?;
                count += 1;
            }
            Ok::<_, Fault>(count)
        });
    }
    let mut written = 0;
    while let Some(count) = writers.join_next().await {
        written += count??;
    }
    writing.store(false, Relaxed);
    let seen = reader.await??;
    let share = (written - seen) * 10_000 / written.max(1);
    report.remark(format!(
        "A plain serial column polled by `id > last` missed {} of {written} events ({}.{:02} %).",
        written - seen,
        share / 100,
        share % 100
    ));
    db.close().await;
    Ok(())
}

async fn poll(db: PgPool, read: &'static str, writing: Arc<AtomicBool>) -> Result<i64, Fault> {
    let (mut last, mut seen) = (0_i64, 0_i64);
    loop {
        // Asked before the read: what is committed by now is read once more after the writers have stopped.
        let more = writing.load(Relaxed);
        let ids: Vec<i64> = sqlx::query_scalar(read).bind(last).fetch_all(&db).await?;
        seen += i64::try_from(ids.len())?;
        last = ids.last().copied().unwrap_or(last);
        if ids.is_empty() && !more {
            return Ok(seen);
        }
    }
}

/// Both, one after the other.
///
/// # Errors
/// When an append or a read fails.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let length = Duration::from_secs(if settings.quick { 3 } else { 10 });
    note(&format!("check: {WRITERS} writers append for {} s while two follow", length.as_secs()));
    ours(server, length, report).await?;
    note(&format!("check: the same with a plain serial column for {} s", length.as_secs()));
    naive(server, length, report).await
}
