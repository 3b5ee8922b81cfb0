//! A database for one case.
use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;
use zhixing_domain::Clock;

use super::units;
use crate::{EventStore, Pool, SystemClock};

/// Longer than anything here takes on a slow machine: what waits so long hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a database is kept, and how it goes away.
enum Place {
    File { _directory: TempDir },
    Schema { server: String, name: String },
}

/// A database that one case has for itself.
pub(super) struct Database {
    url: String,
    place: Place,
    /// Changes by hand, past the store.
    hand: Pool,
}

/// The head of the log, held so that nobody can append.
pub(super) enum Held {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Database {
    pub(super) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("log.db").display());
        Self::open(url, Place::File { _directory: directory }).await
    }

    pub(super) async fn postgres() -> Self {
        let server = std::env::var("TEST_DATABASE_URL")
            .unwrap_or_else(|_| panic!("TEST_DATABASE_URL names no PostgreSQL: run ./test"));
        let name = format!("case_{}", SystemClock.new_id().simple());
        let mut connection = PgConnection::connect(&server).await.unwrap();
        connection.execute(AssertSqlSafe(format!("create schema {name}"))).await.unwrap();
        connection.close().await.unwrap();
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{name}");
        Self::open(url, Place::Schema { server, name }).await
    }

    async fn open(url: String, place: Place) -> Self {
        let hand = Pool::open(&url).await.unwrap();
        let db = Self { url, place, hand };
        db.by_hand(units::NAMES).await;
        db
    }

    /// Connections of one more process.
    pub(super) async fn pool(&self) -> Pool {
        Pool::open(&self.url).await.unwrap()
    }

    /// One more process on this database.
    pub(super) async fn store(&self) -> EventStore {
        EventStore::open(self.pool().await, Arc::new(SystemClock), units::catalogue()).await.unwrap()
    }

    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.hand, Pool::Postgres(_))
    }

    /// An empty one of the same sort.
    pub(super) async fn another(&self) -> Self {
        if self.is_postgres() { Self::postgres().await } else { Self::sqlite().await }
    }

    /// Does something that no store does. How many rows it changed.
    pub(super) async fn by_hand(&self, sql: &str) -> u64 {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &self.hand {
            Pool::Postgres(db) => db.execute(sql).await.unwrap().rows_affected(),
            Pool::Sqlite { writer, .. } => writer.execute(sql).await.unwrap().rows_affected(),
        }
    }

    /// The one number that a query answers.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        crate::pool::on!(&self.hand, |db, _dialect| sqlx::query_scalar(sql).fetch_one(db).await.unwrap())
    }

    /// Keeps everybody from appending until [`Held::release`].
    pub(super) async fn hold(&self) -> Held {
        if self.is_postgres() {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            connection.execute("begin").await.unwrap();
            connection.execute("select position from log_head for update").await.unwrap();
            Held::Postgres(connection)
        } else {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            connection.execute("begin immediate").await.unwrap();
            Held::Sqlite(connection)
        }
    }

    /// Removes the database. One whose case failed stays, for looking at it.
    pub(super) async fn discard(self) {
        self.hand.close().await;
        if let Place::Schema { server, name } = &self.place {
            let mut connection = PgConnection::connect(server).await.unwrap();
            connection.execute(AssertSqlSafe(format!("drop schema {name} cascade"))).await.unwrap();
        }
    }
}

impl Held {
    pub(super) async fn release(self) {
        match self {
            Self::Postgres(mut connection) => drop(connection.execute("rollback").await.unwrap()),
            Self::Sqlite(mut connection) => drop(connection.execute("rollback").await.unwrap()),
        }
    }
}

/// The answer, which must come in time.
pub(super) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it hangs")
}

/// Waits until something is so.
pub(super) async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
