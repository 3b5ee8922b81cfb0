//! Reading the log: from a position on, or the life of one object.
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Error, Pool, Recorded, event::COLUMNS, pool::on, stored, verify};

impl Pool {
    /// Events behind `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when one of them cannot be read, or when the database fails.
    pub async fn read_log(&self, after: i64, limit: u32) -> Result<Vec<Recorded>, Error> {
        self.read_each(after, limit).await?.into_iter().collect()
    }

    /// Events of one stream behind a version, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when one of them cannot be read, [`Error::Broken`] when one is missing or there twice, or when
    /// the database fails.
    pub async fn read_stream(&self, stream: Uuid, after: i64, limit: u32) -> Result<Vec<Recorded>, Error> {
        let sql = format!(
            "select {COLUMNS} from events where stream_id = $1 and version > $2 order by version limit $3"
        );
        let events: Vec<Recorded> = on!(self, |db, _dialect| {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(stream).bind(after).bind(i64::from(limit));
            query.fetch_all(db).await?.iter().map(stored::read).collect::<Result<_, Error>>()?
        });
        stored::in_step(&events, after)?;
        Ok(events)
    }

    /// Events of one stream behind position `after` and up to position `through`, in order, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when one of them cannot be read, or when the database fails.
    pub async fn read_subject(
        &self,
        stream: Uuid,
        after: i64,
        through: i64,
        limit: u32,
    ) -> Result<Vec<Recorded>, Error> {
        let sql = format!(
            "select {COLUMNS} from events where stream_id = $1 and position > $2 and position <= $3 \
             order by version limit $4"
        );
        on!(self, |db, _dialect| {
            let query = sqlx::query(AssertSqlSafe(sql)).bind(stream).bind(after).bind(through);
            query.bind(i64::from(limit)).fetch_all(db).await?.iter().map(stored::read).collect()
        })
    }

    /// A position behind which lies everything that was recorded at `time` or later. Clocks of several processes may differ, so
    /// it lies up to `slack` earlier than the last event before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn position_before(&self, time: DateTime<Utc>, slack: TimeDelta) -> Result<i64, Error> {
        const RECORDED: &str = "select recorded_at from events where position = $1";
        let time = time.checked_sub_signed(slack).unwrap_or(DateTime::<Utc>::MIN_UTC);
        let (mut before, mut behind) = (0, self.head().await? + 1);
        while behind - before > 1 {
            let middle = before + (behind - before) / 2;
            let recorded: Option<DateTime<Utc>> = on!(self, |db, _dialect| {
                sqlx::query_scalar(RECORDED).bind(middle).fetch_optional(db).await?
            });
            let recorded = recorded.ok_or(Error::Broken { position: middle, reason: verify::MISSING })?;
            if recorded < time { before = middle } else { behind = middle }
        }
        Ok(before)
    }

    /// Where the event stands with which an object last came into one of these states from another one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn entered(&self, stream: Uuid, states: &[&'static str]) -> Result<Option<i64>, Error> {
        if states.is_empty() {
            return Ok(None);
        }
        let words = states.iter().map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "select max(position) from events where stream_id = $1 and status_to in ({words}) \
             and (status_from is null or status_from not in ({words}))"
        );
        Ok(on!(self, |db, _dialect| sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(stream)
            .fetch_one(db)
            .await?))
    }

    /// How many events a stream has before a place in the log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_before(&self, stream: Uuid, position: i64) -> Result<i64, Error> {
        const COUNT: &str = "select count(*) from events where stream_id = $1 and position < $2";
        Ok(on!(self, |db, _dialect| {
            sqlx::query_scalar(COUNT).bind(stream).bind(position).fetch_one(db).await?
        }))
    }

    /// How many events a stream has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count_stream(&self, stream: Uuid) -> Result<i64, Error> {
        const COUNT: &str = "select count(*) from events where stream_id = $1";
        Ok(on!(self, |db, _dialect| sqlx::query_scalar(COUNT).bind(stream).fetch_one(db).await?))
    }
}
