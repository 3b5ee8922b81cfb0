//! Partitions of the log on PostgreSQL, by range of position: made ahead, so that every append finds one.
//!
//! Each has indexes of its own for the reading of one stream, so whoever asks for a stream asks every partition. Hence
//! few and large ones: one alone costs nothing, and the larger the log, the larger the next.
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool, error::DatabaseError};
use tokio::sync::watch;

use crate::{
    append::{Append, Outcome, size},
    postgres::Log,
};

/// Positions of the first partition. The next ones are at least as large as the one before.
const FIRST: i64 = 50_000_000;
/// The next partition is at least this part of the whole log, so that their number grows only as its logarithm does.
const PART: i64 = 4;
/// It is made when no more than this part of the last one is free.
const AHEAD: i64 = 10;
/// How often room is made for one batch, because others took it meanwhile.
const TRIES: usize = 5;
/// How long after a failing database it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The first position of the last partition, and the first behind it.
const LAST: &str = r"select (bounds)[1]::bigint, (bounds)[2]::bigint from (
     select regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)') as bounds
     from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'events'::regclass) as partitions
     where bounds is not null order by 2 desc limit 1";
// Processes take turns, each schema for itself.
const ALONE: &str = "select pg_advisory_xact_lock(hashtext('zhixing partitions ' || current_schema()))";

/// Sees to it that there is room behind `head`. The head at which it should be done again.
///
/// Appends and reads go on meanwhile: a table is made by itself and then attached, which locks neither of them out.
pub(crate) async fn ensure(db: &PgPool, head: i64) -> Result<i64, sqlx::Error> {
    loop {
        let mut tx = db.begin().await?;
        sqlx::query(ALONE).execute(&mut *tx).await?;
        let last: Option<(i64, i64)> = sqlx::query_as(LAST).fetch_optional(&mut *tx).await?;
        let (from, size) = match last {
            Some((from, end)) => (end, end - from),
            None => (head + 1, FIRST),
        };
        let due = from - 1 - size / AHEAD;
        if last.is_some() && head < due {
            tx.rollback().await?;
            return Ok(due);
        }
        let to = from + size.max(from / PART / size * size);
        // A table that somebody detached is taken back, if what is in it belongs there.
        let make = format!(
            "create table if not exists events_{from} (like events including all, unique (stream_id, version), unique (id))"
        );
        sqlx::query(AssertSqlSafe(make)).execute(&mut *tx).await?;
        let attach =
            format!("alter table events attach partition events_{from} for values from ({from}) to ({to})");
        sqlx::query(AssertSqlSafe(attach)).execute(&mut *tx).await?;
        tx.commit().await?;
        tracing::info!(from, to = to - 1, "a partition of the log was made ahead");
    }
}

/// Does so for ever, as the head moves on.
pub(crate) async fn keep_ahead(db: PgPool, mut head: watch::Receiver<i64>) {
    let mut due = 0;
    while !db.is_closed() {
        let at = *head.borrow_and_update();
        if at >= due {
            match ensure(&db, at).await {
                Ok(next) => due = next,
                Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    tracing::warn!(%error, "no partition could be made ahead: trying again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            }
        }
        if head.changed().await.is_err() {
            return;
        }
    }
}

/// Whether an append found no partition: nobody had made one ahead.
fn is_missing(error: &sqlx::Error) -> bool {
    const CHECK_VIOLATION: &str = "23514";
    let says_so = |error: &dyn DatabaseError| {
        error.code().as_deref() == Some(CHECK_VIOLATION)
            && error.table() == Some("events")
            && error.constraint().is_none()
    };
    error.as_database_error().is_some_and(says_so)
}

/// Writes a batch. Where no partition was made ahead for it, one is made now.
pub(crate) async fn commit(
    log: &mut Log,
    appends: &[Append],
    told: i64,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let events: usize = appends.iter().map(size).sum();
    for _ in 0..TRIES {
        match log.commit(appends, told).await {
            Err(error) if is_missing(&error) => {
                let head: i64 = sqlx::query_scalar("select position from log_head where id = 1")
                    .fetch_one(log.pool())
                    .await?;
                ensure(log.pool(), head + i64::try_from(events).unwrap_or(FIRST)).await?;
            }
            written => return written,
        }
    }
    log.commit(appends, told).await
}
