//! One of two databases.
use std::{str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgPool, SqliteConnection, SqlitePool,
    migrate::Migrator,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, backup, partitions};

/// An open database.
#[derive(Clone, Debug)]
pub enum Pool {
    /// PostgreSQL, for production.
    Postgres(PgPool),
    /// Embedded SQLite: one writer at a time, many readers.
    Sqlite {
        /// The only connection that writes.
        writer: SqlitePool,
        /// Connections that read.
        readers: SqlitePool,
    },
}

/// How long a request waits for a free connection before it gives up.
pub(crate) const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(10);
/// How long the client of an open transaction may be silent, in seconds, and what PostgreSQL calls that.
const SILENT: u32 = 60;
const SILENCE: &str = "idle_in_transaction_session_timeout";
/// How long an idle connection is trusted.
pub(crate) const TRUSTED: Duration = Duration::from_secs(1);
const POSTGRES_CONNECTIONS: u32 = 20;
const SQLITE_READERS: u32 = 8;
const STATEMENT_CACHE: usize = 500;

impl Pool {
    /// Opens the database at `postgres://…` or `sqlite:FILE` and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached or migrated, or was made by a newer version.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let pool = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Self::Postgres(
                postgres_pool(POSTGRES_CONNECTIONS)
                    .connect_with(
                        url.parse::<sqlx::postgres::PgConnectOptions>()?
                            .statement_cache_capacity(STATEMENT_CACHE),
                    )
                    .await?,
            )
        } else if url.starts_with("sqlite:") {
            return Self::open_sqlite(SqliteConnectOptions::from_str(url)?).await;
        } else {
            return Err(Error::Address);
        };
        if let Self::Postgres(db) = &pool {
            migrator(&sqlx::migrate!("../../migrations/postgres")).run(db).await?;
            // The row of the head may be missing: whoever needs it says so.
            let head = pool.head_row().await.map_or(0, |(position, _)| position);
            partitions::ensure(db, head).await?;
        }
        Ok(pool)
    }

    /// Opens the database in a file and brings its tables up to date, unless it is another program's.
    pub(crate) async fn open_sqlite(options: SqliteConnectOptions) -> Result<Self, Error> {
        backup::recognise(options.get_filename()).await?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit that was acknowledged survives a loss of power.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT_FOR_CONNECTION)
            .foreign_keys(true)
            .statement_cache_capacity(STATEMENT_CACHE);
        let pool = |connections| {
            SqlitePoolOptions::new().max_connections(connections).acquire_timeout(WAIT_FOR_CONNECTION)
        };
        let writer = pool(1)
            .after_release(|connection, _| Box::pin(still_good(connection)))
            .connect_with(options.clone())
            .await?;
        migrator(&sqlx::migrate!("../../migrations/sqlite")).run(&writer).await?;
        let readers = pool(SQLITE_READERS).connect_with(options.pragma("query_only", "on")).await?;
        Ok(Self::Sqlite { writer, readers })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), Error> {
        on!(self, |db, _dialect| sqlx::query("select 1").execute(db).await.map(drop))?;
        Ok(())
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Postgres(db) => db.close().await,
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
        }
    }
}

/// Lets the server end a transaction whose client fell silent: it may hold the head of the log, for which all wait.
pub(crate) async fn let_go(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    connection.execute(AssertSqlSafe(format!("set {SILENCE} = '{SILENT}s'"))).await.map(drop)
}

/// A pool that asks a connection whether it still works only when it was idle for a while: to ask is a round trip.
fn postgres_pool(connections: u32) -> PgPoolOptions {
    let options = PgPoolOptions::new().max_connections(connections).acquire_timeout(WAIT_FOR_CONNECTION);
    let options = options.after_connect(|connection, _| Box::pin(let_go(connection)));
    options.test_before_acquire(false).before_acquire(|connection, about| {
        Box::pin(async move {
            if about.idle_for > TRUSTED {
                connection.ping().await?;
            }
            Ok(true)
        })
    })
}

/// Whether a connection can be used again. A full disk makes SQLite end a transaction by itself; sqlx takes it for open
/// ever after, and no other can begin on that connection.
async fn still_good(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    if connection.is_in_transaction() {
        // A rollback may still be on its way: this is answered behind it.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

/// The log is spelled in each dialect, the views once for both.
fn migrator(log: &Migrator) -> Migrator {
    let views = sqlx::migrate!("../../migrations/views");
    Migrator::with_migrations(log.iter().chain(views.iter()).cloned().collect())
}

/// Runs one reading body against whichever database is open, compiled once for each.
macro_rules! on {
    ($pool:expr, |$db:ident, $dialect:ident| $body:expr) => {
        match $pool {
            $crate::Pool::Postgres($db) => {
                let $dialect = || ::sea_query::PostgresQueryBuilder;
                let _ = &$dialect;
                $body
            }
            $crate::Pool::Sqlite { readers: $db, .. } => {
                let $dialect = || ::sea_query::SqliteQueryBuilder;
                let _ = &$dialect;
                $body
            }
        }
    };
}
pub(crate) use on;

/// Runs one writing body in a transaction of whichever database is open: all of it happens, or none. `$upsert` spells
/// the insertion of rows that come as one JSON array.
macro_rules! transaction {
    ($pool:expr, |$tx:ident, $upsert:ident| $body:expr) => {
        match $pool {
            $crate::Pool::Postgres(db) => {
                let mut $tx = db.begin().await?;
                let $upsert = $crate::postgres::upsert;
                let _ = $upsert;
                let out = $body;
                $tx.commit().await?;
                out
            }
            $crate::Pool::Sqlite { writer, .. } => {
                let mut $tx = writer.begin_with("begin immediate").await?;
                let $upsert = $crate::sqlite::upsert;
                let _ = $upsert;
                let out = $body;
                $tx.commit().await?;
                out
            }
        }
    };
}
pub(crate) use transaction;
