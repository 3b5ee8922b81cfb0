//! Projections for the cases: sums that are wrong as soon as an event is taken twice or not at all.
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;
use zhixing_domain::Fact;

use super::database::{Database, PATIENCE, until};
use crate::{
    EventStore, Projection, Projector, Recorded, Row, Table,
    projection::{Projected, Write},
    projector::{Progress, Timing},
};

pub(super) const NAME: &str = "sums";

/// How many events each subject has, and which was its last.
#[derive(Clone, Debug, PartialEq, serde::Serialize, sqlx::FromRow)]
pub(super) struct Sum {
    pub id: Uuid,
    pub events: i64,
}
impl Row for Sum {
    const TABLE: &'static Table = &Table { name: "sums", columns: &["id", "events"] };
    fn key(&self) -> Uuid {
        self.id
    }
}

/// The last event of each subject.
#[derive(Clone, Debug, PartialEq, serde::Serialize, sqlx::FromRow)]
pub(super) struct Last {
    pub id: Uuid,
    pub version: i64,
    pub note: Option<String>,
}
impl Row for Last {
    const TABLE: &'static Table = &Table { name: "lasts", columns: &["id", "version", "note"] };
    fn key(&self) -> Uuid {
        self.id
    }
}

const TABLES: &[Projected] = &[
    Projected {
        table: Table { name: Sum::TABLE.name, columns: Sum::TABLE.columns },
        columns: "id uuid primary key, events bigint not null",
        indexes: &["events"],
    },
    Projected {
        table: Table { name: Last::TABLE.name, columns: Last::TABLE.columns },
        columns: "id uuid primary key, version bigint not null, note text check (note <> 'refused')",
        indexes: &[],
    },
];

/// The projection, and levers to disturb it.
#[derive(Default)]
pub(super) struct Sums {
    /// While it is up, the projection stands still between reading and writing.
    pub paused: AtomicBool,
    /// How many events wait in that place.
    pub waiting: AtomicUsize,
    /// While it is up, events whose payload says `bad` cannot be taken.
    pub refuses: AtomicBool,
    /// What it writes beside each last event.
    pub version: i32,
}

impl Sums {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { version: 1, ..Self::default() })
    }
}

impl Projection for Sums {
    fn name(&self) -> &'static str {
        NAME
    }
    fn version(&self) -> i32 {
        self.version
    }
    fn tables(&self) -> &'static [Projected] {
        TABLES
    }
    fn project(&self, event: &Recorded, _: Option<&Fact>) -> Result<Vec<Write>, String> {
        if self.paused.load(Ordering::SeqCst) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            // Not for ever: a case that failed meanwhile must end.
            let begun = std::time::Instant::now();
            // Only this projection stands still, not what else its thread had to do.
            tokio::task::block_in_place(|| {
                while self.paused.load(Ordering::SeqCst) && begun.elapsed() < PATIENCE {
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        if self.refuses.load(Ordering::SeqCst) && event.data.contains("bad") {
            return Err("it says bad".into());
        }
        let id = event.stream_id;
        // What the table refuses, until the cause is mended.
        let note = event.data.contains("refused").then_some("refused");
        let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
        let mut row = object(json!({ "id": id, "version": event.version }));
        row.insert("note".into(), json!(note));
        Ok(vec![
            Write::Add {
                table: Sum::TABLE.name,
                key: id,
                row: object(json!({ "id": id })),
                column: "events",
                by: 1,
            },
            Write::Put { table: Last::TABLE.name, key: id, row },
        ])
    }
}

/// Short enough to wait for, long enough that a busy machine keeps it.
pub(super) const TIMING: Timing = Timing { lease: Duration::from_secs(1), beat: Duration::from_millis(200) };

pub(super) async fn start(store: &EventStore, sums: &Arc<Sums>) -> Projector {
    Projector::start_with(store.clone(), vec![sums.clone()], TIMING).await.unwrap()
}

/// The build that serves.
pub(super) async fn active(projector: &Projector) -> Progress {
    let builds = projector.progress().await.unwrap();
    builds.into_iter().find(|build| build.name == NAME && build.state == "ACTIVE").expect("a build serves")
}

/// Waits until every event is in the sums.
pub(super) async fn caught_up(projector: &Projector, head: i64) {
    until("the projection reaches the head", || async { active(projector).await.position >= head }).await;
}

/// The sums are exactly what the log says.
pub(super) async fn assert_exact(db: &Database) {
    const WRONG: &str = "select count(*) from (select stream_id, count(*) as n, max(version) as v from events \
         group by stream_id) e left join sums s on s.id = e.stream_id left join lasts l on l.id = e.stream_id \
         where s.events is null or s.events <> e.n or l.version is null or l.version <> e.v";
    assert_eq!(db.number(WRONG).await, 0, "an event was taken twice or not at all");
    let same = "select (select count(*) from sums) - (select count(distinct stream_id) from events)";
    assert_eq!(db.number(same).await, 0, "there are sums of nothing");
}
