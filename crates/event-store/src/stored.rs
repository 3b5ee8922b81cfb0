//! Rows of the log as they are read: one that cannot be read is named, whatever stands around it.
use std::cmp::Ordering;

use sqlx::{AssertSqlSafe, ColumnIndex, Decode, FromRow, Row, Type};

use crate::{Error, Pool, Recorded, event::COLUMNS, pool::on, verify};

/// The event in this row.
///
/// # Errors
/// [`Error::Unreadable`] when a column holds what no event can: an unknown kind, a damaged value.
pub(crate) fn read<'r, R>(row: &'r R) -> Result<Recorded, Error>
where
    R: Row,
    Recorded: FromRow<'r, R>,
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    Recorded::from_row(row).map_err(|error| Error::Unreadable {
        position: row.try_get("position").unwrap_or_default(),
        event_type: row.try_get("type").unwrap_or_else(|_| "unknown type".to_owned()),
        reason: match error {
            sqlx::Error::ColumnDecode { index, source } => format!("its {index} {source}"),
            other => other.to_string(),
        },
    })
}

/// That these events are of one stream and follow each other behind `after`: a life with a hole must not be folded.
///
/// # Errors
/// [`Error::Broken`] at the first that does not.
pub(crate) fn in_step(events: &[Recorded], after: i64) -> Result<(), Error> {
    for (event, version) in events.iter().zip(after + 1..) {
        let reason = match event.version.cmp(&version) {
            Ordering::Less => verify::TWICE,
            Ordering::Greater => verify::GAP,
            Ordering::Equal if event.kind != events[0].kind => verify::ALTERED,
            Ordering::Equal => continue,
        };
        return Err(Error::Broken { position: event.position, reason });
    }
    Ok(())
}

/// Where an event stands, also one that cannot be read.
pub(crate) fn position(event: &Result<Recorded, Error>) -> Option<i64> {
    match event {
        Ok(Recorded { position, .. }) | Err(Error::Unreadable { position, .. }) => Some(*position),
        Err(_) => None,
    }
}

impl Pool {
    /// Events behind `after`, in order, at most `limit`; each by itself, so that one that cannot be read hides no other.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_each(&self, after: i64, limit: u32) -> Result<Vec<Result<Recorded, Error>>, Error> {
        let sql = format!("select {COLUMNS} from events where position > $1 order by position limit $2");
        Ok(on!(self, |db, _dialect| {
            let rows =
                sqlx::query(AssertSqlSafe(sql)).bind(after).bind(i64::from(limit)).fetch_all(db).await?;
            rows.iter().map(read).collect()
        }))
    }
}
