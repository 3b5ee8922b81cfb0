//! The limit: what a database takes when nothing but rows of the same shape is written.
use std::{sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, PgPool, SqlitePool};
use uuid::Uuid;
use zhixing_event_store::{EventStore, Pool};

use crate::{
    case::Case,
    load::{Caller, Fault},
    pgbench::Pgbench,
    sample,
    server::Server,
};

/// Events of one statement where many are written at once.
const ROWS: u32 = 100;

// The ids ascend, as those of the log do, so that the indexes grow at their end.
const SINGLE: &str = "insert into plain (kind, stream_id, version, id, type, schema_version, data, actor, method, \
     region_code, status_from, status_to, correlation_id, happened_at, recorded_at, hash) \
     select 'TASK', lpad(to_hex(n), 32, '0')::uuid, 1, lpad(to_hex(n), 32, '0')::uuid, 'TaskProgressReported', 1, :data, \
     'officer', 'SYSTEM', '620000', 'IN_PROGRESS', 'IN_PROGRESS', lpad(to_hex(n), 32, '0')::uuid, now(), now(), sha256('') \
     from nextval('plain_ids') as n;\n";
const UNNEST: &str = "insert into plain (kind, stream_id, version, id, type, schema_version, data, actor, method, \
     region_code, status_from, status_to, correlation_id, happened_at, recorded_at, hash) \
     select 'TASK', s, 1, i, 'TaskProgressReported', 1, d, 'officer', 'SYSTEM', '620000', 'IN_PROGRESS', 'IN_PROGRESS', i, \
     t, t, h from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::bytea[]) as x(s, i, d, t, h)";
const SQLITE: &str = "insert into plain (kind, stream_id, version, id, type, schema_version, data, actor, method, \
     region_code, status_from, status_to, correlation_id, happened_at, recorded_at, hash) \
     values ('TASK', $1, 1, $2, 'TaskProgressReported', 1, $3, 'officer', 'SYSTEM', '620000', 'IN_PROGRESS', 'IN_PROGRESS', \
     $2, $4, $4, $5)";

/// Cases of single-row inserts by `pgbench`, and of a hundred rows at once, into a table like the log's own.
///
/// # Errors
/// When the table cannot be made.
pub async fn on_postgres(server: &Server, length: Duration) -> Result<Vec<Case>, Fault> {
    let url = server.database("limit").await?;
    let Pool::Postgres(db) = Pool::open(&url).await? else { return Err("not PostgreSQL".into()) };
    for statement in [
        "create table plain (like events including all)",
        "create sequence plain_ids",
        "create sequence plain_position",
        "alter table plain alter position set default nextval('plain_position')",
    ] {
        sqlx::query(statement).execute(&db).await?;
    }
    let bench = Arc::new(Pgbench::new(server, &url, SINGLE, &[format!("data={}", sample::payload())])?);
    let mut cases = Vec::new();
    for clients in [1, 8, 32, 64, 128] {
        let bench = bench.clone();
        cases.push(Case::new("limit: single-row inserts (pgbench)", clients, move || {
            let bench = bench.clone();
            Box::pin(async move { bench.run(clients, length).await })
        }));
    }
    Ok(cases)
}

/// The pool of the table that [`on_postgres`] made.
#[derive(Clone)]
struct Many {
    db: PgPool,
    store: EventStore,
}

/// Statements of a hundred rows; a call counts as one statement.
///
/// # Errors
/// When the database does not answer.
pub async fn many_on_postgres(
    server: &Server,
    store: &EventStore,
    length: Duration,
) -> Result<Vec<Case>, Fault> {
    let db = PgPool::connect(&format!("{}/zhixing_bench_limit", server.address())).await?;
    let many = Many { db, store: store.clone() };
    let case = |callers| {
        let callers = vec![many.clone(); callers];
        Case::calling("limit: 100 rows a statement (UNNEST)", length, callers).worth(ROWS)
    };
    Ok([1, 4, 8].map(case).into())
}

impl Caller for Many {
    async fn call(&mut self) -> Result<(), Fault> {
        let ids = || (0..ROWS).map(|_| self.store.clock().new_id()).collect::<Vec<Uuid>>();
        let (events, streams, payload) = (ids(), ids(), sample::payload());
        let now = self.store.clock().now();
        let count = ROWS as usize;
        let statement = sqlx::query(UNNEST).bind(streams).bind(events).bind(vec![payload; count]);
        statement.bind(vec![now; count]).bind(vec![vec![0_u8; 32]; count]).execute(&self.db).await?;
        Ok(())
    }
}

/// Plain inserts into a table like the log's own in the only connection that writes.
#[derive(Clone)]
struct Plain {
    db: SqlitePool,
    store: EventStore,
    rows: u32,
}

/// Cases of one row a transaction and of a hundred, with the settings that the log has.
///
/// # Errors
/// When the table cannot be made.
pub async fn on_sqlite(store: &EventStore, length: Duration) -> Result<Vec<Case>, Fault> {
    let Pool::Sqlite { writer: db, .. } = store.pool() else { return Err("not SQLite".into()) };
    let definition: String =
        sqlx::query_scalar("select sql from sqlite_master where type = 'table' and name = 'events'")
            .fetch_one(db)
            .await?;
    let definition = definition.replacen("events", "plain", 1);
    sqlx::query(AssertSqlSafe(definition)).execute(db).await?;
    sqlx::query("create unique index plain_id on plain (id)").execute(db).await?;
    let case = |(what, callers, rows): (&str, usize, u32)| {
        let plain = Plain { db: db.clone(), store: store.clone(), rows };
        Case::calling(what, length, vec![plain; callers]).worth(rows)
    };
    let (single, many) = ("limit: single-row transactions", "limit: 100 rows a transaction");
    Ok([(single, 1, 1), (single, 8, 1), (single, 64, 1), (many, 1, ROWS)].map(case).into())
}

impl Caller for Plain {
    async fn call(&mut self) -> Result<(), Fault> {
        let mut tx = self.db.begin_with("begin immediate").await?;
        for _ in 0..self.rows {
            let clock = self.store.clock();
            let statement = sqlx::query(SQLITE).bind(clock.new_id()).bind(clock.new_id());
            statement
                .bind(sample::payload())
                .bind(clock.now())
                .bind(vec![0_u8; 32])
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
