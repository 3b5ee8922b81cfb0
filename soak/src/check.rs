//! The checker: one missing, repeated or reordered event, one row that differs, and it fails.
use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_api::{graphql, projections};
use zhixing_domain::Kind;
use zhixing_event_store::{EventStore, Pool, Projector, SystemClock};

use crate::{Outcome, screen::say};

/// What a caller was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Acknowledged {
    /// Their id for the command.
    pub command: String,
    /// Position of its last event.
    pub position: i64,
    /// Ids of its events.
    pub events: Vec<Uuid>,
}

/// Opens the log of this database as one more process.
pub(crate) async fn open(url: &str) -> Outcome<EventStore> {
    Ok(EventStore::open(Pool::open(url).await?, Arc::new(SystemClock), graphql::catalogue()).await?)
}

/// How long projections may take to catch up.
const PATIENCE: Duration = Duration::from_mins(2);
/// Events read at once.
const PAGE: u32 = 2_000;

/// Checks everything about a log on which nobody writes; how many events it has. With `complete`, every event must
/// belong to a command that was acknowledged.
pub(crate) async fn check(url: &str, acknowledged: &[Acknowledged], complete: bool) -> Outcome<i64> {
    let store = open(url).await?;
    let projector = Projector::start(store.clone(), projections::all()).await?;
    let checked = check_all(&store, &projector, acknowledged, complete).await;
    projector.stop().await?;
    store.pool().close().await;
    checked
}

async fn check_all(
    store: &EventStore,
    projector: &Projector,
    acknowledged: &[Acknowledged],
    complete: bool,
) -> Outcome<i64> {
    let head = store.pool().verify(&[], &[], |_| {}).await?.position;
    commands(store, acknowledged, complete).await?;
    books(store, head).await?;
    let mut rows = 0;
    for kind in Kind::ALL {
        for difference in store.rebuild(*kind, false, |_| {}).await? {
            rows += difference.rows;
            if !difference.is_none() {
                return Err(format!("a view differs from its fold: {difference:?}").into());
            }
        }
    }
    for projection in projections::all() {
        compare(projector, projection.name(), head).await?;
    }
    say(&format!(
        "  checked: {head} events in order, {} acknowledged commands, {rows} rows equal their folds, projections equal",
        acknowledged.len()
    ));
    Ok(head)
}

/// Every acknowledged command stands where its caller was told, once; streams have no hole.
async fn commands(store: &EventStore, acknowledged: &[Acknowledged], complete: bool) -> Outcome {
    let mut versions: HashMap<Uuid, i64> = HashMap::new();
    let mut written: HashMap<String, (i64, Vec<Uuid>)> = HashMap::new();
    let mut at = 0;
    loop {
        let page = store.pool().read_log(at, PAGE).await?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for event in page {
            let version = versions.entry(event.stream_id).or_default();
            *version += 1;
            if event.version != *version {
                return Err(format!(
                    "position {}: version {} after {}",
                    event.position,
                    event.version,
                    *version - 1
                )
                .into());
            }
            if let Some(command) = event.command_id {
                let (position, ids) = written.entry(command.clone()).or_default();
                if !ids.is_empty() && *position + 1 != event.position {
                    return Err(
                        format!("the command {command} was done twice, again at {}", event.position).into()
                    );
                }
                *position = event.position;
                ids.push(event.id);
            }
        }
    }
    for told in acknowledged {
        match written.remove(&told.command) {
            Some((position, ids)) if position == told.position && ids == told.events => {}
            other => return Err(format!("acknowledged {told:?}, but the log has {other:?}").into()),
        }
    }
    if complete && let Some((command, (position, _))) = written.into_iter().next() {
        return Err(format!("nobody was told of the command {command} at {position}").into());
    }
    Ok(())
}

/// What is written beside the events belongs to them, all of it.
async fn books(store: &EventStore, head: i64) -> Outcome {
    const QUESTIONS: [(&str, &str); 5] = [
        (
            "the head is not the last event",
            "select (select position from log_head) - (select coalesce(max(position), 0) from events)",
        ),
        (
            "a command without its events",
            "select count(*) from commands c where (select count(*) from events e \
          where e.position between c.first_position and c.last_position and e.command_id = c.command_id \
          and e.actor = c.actor) <> c.last_position - c.first_position + 1",
        ),
        (
            "events of a command that is not in the books",
            "select count(*) from (select actor, command_id from events \
          where command_id is not null except select actor, command_id from commands) as missing",
        ),
        (
            "a key of nobody",
            "select count(*) from claims c where not exists (select 1 from events e where e.stream_id = c.stream_id)",
        ),
        (
            "a unit that does not hold its name",
            "select count(*) from units u where not exists (select 1 from claims c \
          where c.scope = 'unit.name' and c.key = u.region_code || '|' || u.name and c.stream_id = u.id)",
        ),
    ];
    for (what, sql) in QUESTIONS {
        let found = number(store.pool(), sql).await?;
        if found != 0 {
            return Err(format!("{what}: {found} (at head {head})").into());
        }
    }
    Ok(())
}

/// The one number that a query answers.
pub(crate) async fn number(pool: &Pool, sql: &str) -> Outcome<i64> {
    let sql = AssertSqlSafe(sql.to_owned());
    Ok(match pool {
        Pool::Postgres(db) => sqlx::query_scalar(sql).fetch_one(db).await?,
        Pool::Sqlite { readers, .. } => sqlx::query_scalar(sql).fetch_one(readers).await?,
    })
}

/// A projection built anew is the one that serves.
async fn compare(projector: &Projector, name: &str, head: i64) -> Outcome {
    let reached = projector.wait(name, head, PATIENCE).await?;
    if reached < head {
        return Err(format!("the projection {name} stands at {reached} of {head}").into());
    }
    projector.rebuild(name).await?;
    let until = tokio::time::Instant::now() + PATIENCE;
    let parked = loop {
        let builds: Vec<_> =
            projector.progress().await?.into_iter().filter(|build| build.name == name).collect();
        if builds.len() == 2 && builds.iter().all(|build| build.position >= head) {
            break builds.iter().map(|build| build.parked).sum::<i64>();
        }
        if tokio::time::Instant::now() > until {
            return Err(format!("the projection {name} is not built anew in time: {builds:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let differences = projector.difference(name).await?;
    projector.settle(name, false).await?;
    if parked > 0 {
        return Err(format!("the projection {name} parked {parked} events").into());
    }
    for difference in differences {
        if difference.only_before + difference.only_after > 0 {
            return Err(format!("the projection {name} differs: {difference:?}").into());
        }
    }
    Ok(())
}
