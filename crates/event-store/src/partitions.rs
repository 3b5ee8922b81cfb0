//! Partitions of the log on PostgreSQL, by range of position: made ahead, so that every append finds one.
//!
//! Each has indexes of its own for the reading of one stream, so a read of a stream asks every partition once. Hence few
//! and large ones: the larger the log, the larger the next.
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use tokio::sync::watch;

/// Positions of the smallest partition. So many are always free ahead of the head, too.
pub(crate) const SMALLEST: i64 = 10_000_000;
/// The next partition is as large as this part of the whole log, so that their number grows only as its logarithm does.
const PART: i64 = 8;
/// How long after a failing database it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// The first position that has no partition.
const END: &str = r"select max(substring(pg_get_expr(c.relpartbound, c.oid) from 'TO \(''(\d+)''\)')::bigint)
     from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'events'::regclass";
// Processes take turns, each schema for itself.
const ALONE: &str = "select pg_advisory_xact_lock(hashtext('zhixing partitions ' || current_schema()))";

/// Sees to it that at least `smallest` positions behind `head` have a partition. The first position that has none.
///
/// Appends and reads go on meanwhile: a table is made by itself and then attached, which locks neither of them out.
pub(crate) async fn ensure(db: &PgPool, head: i64, smallest: i64) -> Result<i64, sqlx::Error> {
    loop {
        let mut tx = db.begin().await?;
        sqlx::query(ALONE).execute(&mut *tx).await?;
        let end: Option<i64> = sqlx::query_scalar(END).fetch_one(&mut *tx).await?;
        let end = end.unwrap_or(head + 1);
        if end > head + smallest {
            tx.rollback().await?;
            return Ok(end);
        }
        let next = end + smallest.max(end / PART / smallest * smallest);
        // A table that somebody detached is taken back, if what is in it belongs there.
        let make = format!(
            "create table if not exists events_{end} (like events including all, unique (stream_id, version), unique (id))"
        );
        sqlx::query(AssertSqlSafe(make)).execute(&mut *tx).await?;
        let attach =
            format!("alter table events attach partition events_{end} for values from ({end}) to ({next})");
        sqlx::query(AssertSqlSafe(attach)).execute(&mut *tx).await?;
        tx.commit().await?;
        tracing::info!(from = end, to = next - 1, "a partition of the log was made ahead");
    }
}

/// Does so for ever, as the head moves on.
pub(crate) async fn keep_ahead(db: PgPool, mut head: watch::Receiver<i64>, smallest: i64) {
    let mut end = 0;
    while !db.is_closed() {
        let at = *head.borrow_and_update();
        if end <= at + smallest {
            match ensure(&db, at, smallest).await {
                Ok(made) => end = made,
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
