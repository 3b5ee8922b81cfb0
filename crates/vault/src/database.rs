//! The key store in a database of its own: a SQLite file beside the log, or PostgreSQL.
use std::{path::Path, str::FromStr, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{
    PgPool, QueryBuilder, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use uuid::Uuid;

use crate::{KeyStore, PersonKey, VaultError};

/// Connections to a key store: keys are asked for seldom.
const CONNECTIONS: u32 = 4;
/// How long somebody waits for one.
const WAIT: Duration = Duration::from_secs(10);

const MASTER: &str = "select id from master_keys where retired_at is null";
const RETIRE: &str = "update master_keys set retired_at = $2 where id <> $1 and retired_at is null";
const TAKE: &str = "insert into master_keys (id, created_at) values ($1, $2) \
     on conflict (id) do update set retired_at = null";
/// Held until the commit, so that no rotation passes between the question and the keys.
const IN_USE: &str = "select id from master_keys where id = $1 and retired_at is null";
const KEEP: &str = "insert into person_keys (id, subject, wrapped, master_id, created_at) ";
const FIND: &str =
    "select id, subject, wrapped, master_id, created_at, destroyed_at from person_keys where id = $1";
const OTHERS: &str = "select id, subject, wrapped, master_id, created_at, destroyed_at from person_keys \
     where master_id <> $1 and wrapped is not null and id > $2 order by id limit $3";
const REWRAP: &str =
    "update person_keys set wrapped = $2, master_id = $3 where id = $1 and wrapped is not null";
const DESTROY: &str =
    "update person_keys set wrapped = null, destroyed_at = coalesce(destroyed_at, $2) where id = $1";

/// A key store in one of two databases.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// PostgreSQL.
    Postgres(PgPool),
    /// A file of its own.
    Sqlite(SqlitePool),
}

/// Runs one body against whichever database is open, compiled once for each.
macro_rules! on {
    ($database:expr, |$db:ident| $body:expr) => {
        match $database {
            Database::Postgres($db) => $body,
            Database::Sqlite($db) => $body,
        }
    };
}

impl Database {
    /// Opens the key store at `postgres://…` or `sqlite:FILE` and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached or migrated.
    pub(crate) async fn open(url: &str) -> Result<Self, VaultError> {
        let migrations = sqlx::migrate!("../../migrations/keys");
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT);
            let db = pool.connect(url).await?;
            migrations.run(&db).await?;
            return Ok(Self::Postgres(db));
        }
        if !url.starts_with("sqlite:") {
            return Err(VaultError::Address);
        }
        let options = SqliteConnectOptions::from_str(url)?;
        private(options.get_filename())?;
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a key that was handed out survives a loss of power, as what it sealed does.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT)
            .foreign_keys(true)
            // What is destroyed is overwritten, not only forgotten.
            .pragma("secure_delete", "on");
        let db =
            SqlitePoolOptions::new().max_connections(1).acquire_timeout(WAIT).connect_with(options).await?;
        migrations.run(&db).await?;
        Ok(Self::Sqlite(db))
    }

    async fn keep_all(&self, keys: &[PersonKey]) -> Result<bool, VaultError> {
        let Some(first) = keys.first() else { return Ok(true) };
        macro_rules! kept {
            ($tx:ident, $in_use:expr) => {{
                let in_use: Option<String> =
                    sqlx::query_scalar($in_use).bind(&first.master_id).fetch_optional(&mut *$tx).await?;
                if in_use.is_none() {
                    return Ok(false);
                }
                let mut keep = QueryBuilder::new(KEEP);
                keep.push_values(keys, |mut row, key| {
                    row.push_bind(key.id).push_bind(&key.subject).push_bind(&key.wrapped);
                    row.push_bind(&key.master_id).push_bind(key.created_at);
                });
                keep.build().execute(&mut *$tx).await?;
                $tx.commit().await?;
            }};
        }
        match self {
            Self::Postgres(db) => {
                let mut tx = db.begin().await?;
                kept!(tx, sqlx::AssertSqlSafe(format!("{IN_USE} for share")));
            }
            Self::Sqlite(db) => {
                let mut tx = db.begin_with("begin immediate").await?;
                kept!(tx, IN_USE);
            }
        }
        Ok(true)
    }
}

/// A new file of keys is its owner's alone.
fn private(path: &Path) -> Result<(), VaultError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(reason) if reason.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(VaultError::File { path: path.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

impl KeyStore for Database {
    fn master(&self) -> BoxFuture<'_, Result<Option<String>, VaultError>> {
        async move { Ok(on!(self, |db| sqlx::query_scalar(MASTER).fetch_optional(db).await?)) }.boxed()
    }

    fn take_master<'a>(&'a self, id: &'a str, at: DateTime<Utc>) -> BoxFuture<'a, Result<(), VaultError>> {
        async move {
            on!(self, |db| {
                let mut tx = db.begin().await?;
                sqlx::query(RETIRE).bind(id).bind(at).execute(&mut *tx).await?;
                sqlx::query(TAKE).bind(id).bind(at).execute(&mut *tx).await?;
                tx.commit().await?;
            });
            Ok(())
        }
        .boxed()
    }

    fn keep<'a>(&'a self, keys: &'a [PersonKey]) -> BoxFuture<'a, Result<bool, VaultError>> {
        self.keep_all(keys).boxed()
    }

    fn find(&self, id: Uuid) -> BoxFuture<'_, Result<Option<PersonKey>, VaultError>> {
        async move { Ok(on!(self, |db| sqlx::query_as(FIND).bind(id).fetch_optional(db).await?)) }.boxed()
    }

    fn wrapped_by_others<'a>(
        &'a self,
        master: &'a str,
        after: Uuid,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<PersonKey>, VaultError>> {
        async move {
            let limit = i64::from(limit);
            Ok(on!(self, |db| {
                sqlx::query_as(OTHERS).bind(master).bind(after).bind(limit).fetch_all(db).await?
            }))
        }
        .boxed()
    }

    fn rewrap<'a>(&'a self, keys: &'a [PersonKey]) -> BoxFuture<'a, Result<(), VaultError>> {
        async move {
            on!(self, |db| {
                let mut tx = db.begin().await?;
                for key in keys {
                    let rewrap = sqlx::query(REWRAP).bind(key.id).bind(&key.wrapped);
                    rewrap.bind(&key.master_id).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            });
            Ok(())
        }
        .boxed()
    }

    fn destroy(&self, id: Uuid, at: DateTime<Utc>) -> BoxFuture<'_, Result<bool, VaultError>> {
        async move {
            let found =
                on!(self, |db| sqlx::query(DESTROY).bind(id).bind(at).execute(db).await?.rows_affected());
            if let Self::Sqlite(db) = self {
                // The write-ahead log still holds the page as it was.
                sqlx::query("pragma wal_checkpoint(truncate)").execute(db).await?;
            }
            Ok(found > 0)
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move { on!(self, |db| db.close().await) }.boxed()
    }
}
