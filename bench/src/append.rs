//! `bench append`: the limit, our append through the store, and the peer.
use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::Mutex;
use uuid::Uuid;
use zhixing_event_store::EventStore;

use crate::{
    case::{Case, find, rounds},
    limit,
    load::{Caller, Fault},
    peer::Peer,
    report::{Report, Section},
    sample,
    server::Server,
    settings::Settings,
    store,
};

/// How many call at once.
pub const CALLERS: [usize; 5] = [1, 8, 32, 64, 256];
/// The same for SQLite, which has one writer.
const CALLERS_SQLITE: [usize; 3] = [1, 64, 256];
/// Streams of each caller that appends to existing ones.
const OWN: usize = 16;
/// Streams that all callers share.
const SHARED: usize = 1_024;

const NEW: &str = "append to a new stream";
const EXISTING: &str = "append to an own stream";
const COMMON: &str = "append to a shared stream";
const SINGLE: &str = "limit: single-row inserts (pgbench)";
const SINGLE_SQLITE: &str = "limit: single-row transactions";
const PEERS: [&str; 2] = ["peer: command on a new stream", "peer: command on an existing stream"];

/// Every append makes a stream.
struct New(EventStore);
impl Caller for New {
    async fn call(&mut self) -> Result<(), Fault> {
        append(&self.0, self.0.clock().new_id(), 1).await
    }
}

/// Appends to a few streams of its own in turn.
struct Own {
    store: EventStore,
    streams: Vec<(Uuid, i64)>,
    next: usize,
}
impl Caller for Own {
    async fn call(&mut self) -> Result<(), Fault> {
        let at = self.next % self.streams.len();
        self.next += 1;
        let (stream, version) = &mut self.streams[at];
        *version += 1;
        append(&self.store, *stream, *version).await
    }
}

type Pool = Arc<Vec<Mutex<(Uuid, i64)>>>;

/// Appends to streams that others append to too, one at a time.
struct Shared {
    store: EventStore,
    streams: Pool,
    next: usize,
}
impl Caller for Shared {
    async fn call(&mut self) -> Result<(), Fault> {
        // A stride that is prime to the number of streams visits all of them in a scattered order.
        self.next = (self.next + 389) % self.streams.len();
        let mut stream = self.streams[self.next].lock().await;
        stream.1 += 1;
        append(&self.store, stream.0, stream.1).await
    }
}

async fn append(store: &EventStore, stream: Uuid, version: i64) -> Result<(), Fault> {
    let outcome = store.writer().append(sample::append(store, stream, version)).await;
    outcome.map(drop).map_err(|refusal| format!("{refusal:?}").into())
}

/// Callers that append to streams of their own.
pub fn own(store: &EventStore, callers: usize, length: Duration) -> Case {
    let caller = |_| {
        let streams = (0..OWN).map(|_| (store.clock().new_id(), 0)).collect();
        Own { store: store.clone(), streams, next: 0 }
    };
    Case::calling(EXISTING, length, (0..callers).map(caller).collect())
}

fn ours(store: &EventStore, callers: &[usize], length: Duration) -> Vec<Case> {
    let shared: Pool = Arc::new((0..SHARED).map(|_| Mutex::new((store.clock().new_id(), 0))).collect());
    let mut cases = Vec::new();
    for &callers in callers {
        cases.push(Case::calling(NEW, length, (0..callers).map(|_| New(store.clone())).collect()));
        cases.push(own(store, callers, length));
        let caller = |at: usize| Shared { store: store.clone(), streams: shared.clone(), next: at * 31 };
        cases.push(Case::calling(COMMON, length, (0..callers).map(caller).collect()));
    }
    cases
}

/// On PostgreSQL.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let length = settings.length();
    let store = store::open(&server.database("append").await?).await?;
    let mut cases = limit::on_postgres(server, length).await?;
    cases.extend(limit::many_on_postgres(server, &store, length).await?);
    cases.extend(ours(&store, &CALLERS, length));
    if !settings.no_peer {
        cases.extend(Peer::prepare(server).await?.cases(&CALLERS, length));
    }
    rounds("append", settings, &mut cases).await?;
    store.pool().close().await;

    let rate = |what: &str, callers: usize| find(&cases, what, callers).map(|case| case.median().per_second);
    let best = |whats: &[&str]| {
        let rates = cases.iter().filter(|case| whats.contains(&case.what.as_str()));
        rates.map(|case| case.median().per_second).max_by(f64::total_cmp)
    };
    let (single, peer) = (best(&[SINGLE]), best(&PEERS));
    let mut section =
        Section::new("Append on PostgreSQL (a, b, e)", "events/s", &["best single-row insert", "best peer"]);
    for case in &cases {
        let rate = case.median().per_second;
        section.row(case, vec![single.map(|base| rate / base), peer.map(|base| rate / base)]);
    }
    section.note("Events of about 300 bytes; ours are in one process with this program, the peer and pgbench in their own.");
    section.note("Single-row inserts go into a table with the columns and indexes of the log; the peer's table has one index.");
    report.add(section);

    for callers in [64, 256] {
        for what in [NEW, EXISTING] {
            let ours = rate(what, callers);
            let ratio = |base: Option<f64>| Some(ours? / base?);
            report.at_least(
                format!("{what}, {callers} callers ÷ best single-row inserts"),
                1.3,
                ratio(single),
            );
            report.at_least(format!("{what}, {callers} callers ÷ best of cqrs-es"), 3.0, ratio(peer));
        }
    }
    let p50 = |what: &str| find(&cases, what, 1).map(|case| case.median().p50_ms);
    for what in [NEW, EXISTING] {
        let ratio = p50(what).zip(p50(SINGLE)).map(|(ours, single)| ours / single);
        report.at_most(format!("p50 of a lone {what} ÷ lone single-row insert"), 2.0, ratio);
    }
    Ok(())
}

/// On SQLite.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_sqlite(directory: &Path, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let length = settings.length();
    let store = store::sqlite(directory, "append").await?;
    let plain = store::sqlite(directory, "limit").await?;
    let mut cases = limit::on_sqlite(&plain, length).await?;
    cases.extend(ours(&store, &CALLERS_SQLITE, length));
    rounds("append", settings, &mut cases).await?;
    store.pool().close().await;
    plain.pool().close().await;

    let singles = cases.iter().filter(|case| case.what == SINGLE_SQLITE).map(|case| case.median().per_second);
    let single = singles.max_by(f64::total_cmp);
    let mut section = Section::new("Append on SQLite (a, b)", "events/s", &["best single-row transaction"]);
    for case in &cases {
        section.row(case, vec![single.map(|base| case.median().per_second / base)]);
    }
    section.note(
        "Write-ahead log with synchronous = FULL: a commit that was acknowledged survives a loss of power.",
    );
    report.add(section);
    Ok(())
}
