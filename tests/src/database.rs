//! A database of its own for every story, removed when the story ends.
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;
use zhixing_domain::Clock;
use zhixing_event_store::SystemClock;

/// On which database a story runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    Sqlite,
    Postgres,
}

/// An empty database.
#[derive(Debug)]
pub(crate) enum Database {
    Sqlite(TempDir),
    Postgres { server: String, schema: String },
}

impl Database {
    pub(crate) async fn new(base: Base) -> Self {
        match base {
            Base::Sqlite => Self::Sqlite(tempfile::tempdir().unwrap()),
            Base::Postgres => {
                // Never left out silently: a story that was not told on PostgreSQL is a failure.
                let server = std::env::var("TEST_DATABASE_URL").unwrap_or_else(|_| {
                    panic!("no PostgreSQL to test on: run ./test -p zhixing-tests, which finds or starts one")
                });
                let name: Uuid = SystemClock.new_id();
                let schema = format!("story_{}", name.simple());
                run(&server, &format!("create schema {schema}")).await;
                Self::Postgres { server, schema }
            }
        }
    }

    /// What the service is told to open.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite:{}", directory.path().join("zhixing.db").display()),
            Self::Postgres { server, schema } => {
                let join = if server.contains('?') { '&' } else { '?' };
                format!("{server}{join}options[search_path]={schema}")
            }
        }
    }

    pub(crate) async fn remove(self) {
        if let Self::Postgres { server, schema } = self {
            run(&server, &format!("drop schema {schema} cascade")).await;
        }
    }
}

async fn run(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server).await.expect("TEST_DATABASE_URL does not answer");
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
