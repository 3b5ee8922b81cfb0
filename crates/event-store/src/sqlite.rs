//! The log's writes on SQLite: events in rows of values, everything else as JSON, one statement a table.
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;
use zhixing_domain::Kind;

use crate::{
    append::{Append, Before, Head, Outcome, Plan, Questions, Seen, plan},
    event::COLUMNS,
    postgres::updates,
    replica::{MARK, Origin},
};

const HEAD: &str = "select position, hash, origin from log_head where id = 1";
const VERSIONS: &str = "select unhex(s.value), coalesce((select version from events e where e.stream_id = unhex(s.value) \
     order by version desc limit 1), 0) from json_each($1) s";
// `cross join` keeps the order of the tables: after an `analyze` SQLite may go through all claims or commands otherwise.
const CLAIMS: &str = "select c.scope, c.key, c.stream_id from json_each($1) k \
     cross join claims c on c.scope = k.value->>0 and c.key = k.value->>1";
const COMMANDS: &str = "select c.actor, c.command_id, c.fingerprint, c.first_position, c.last_position \
     from json_each($1) k cross join commands c on c.actor = k.value->>0 and c.command_id = k.value->>1";
/// Events of one statement: each statement is a message to the thread of the connection and back.
const AT_ONCE: usize = 16;
const TAKE: &str = "insert into claims (scope, key, kind, stream_id) \
     select k.value->>0, k.value->>1, k.value->>2, unhex(k.value->>3) from json_each($1) k";
const RELEASE: &str =
    "delete from claims where (scope, key) in (select k.value->>0, k.value->>1 from json_each($1) k)";
const REMEMBER: &str = "insert into commands (actor, command_id, fingerprint, first_position, last_position) \
     values ($1, $2, $3, $4, $5)";
const UNLINK: &str = "delete from links where (target_id, relation, source_id) in \
     (select unhex(k.value->>0), k.value->>1, unhex(k.value->>2) from json_each($1) k)";
const LINK: &str = "insert into links (target_id, relation, source_id, source_kind) \
     select unhex(k.value->>0), k.value->>1, unhex(k.value->>2), k.value->>3 from json_each($1) k where true \
     on conflict do nothing";
const ADVANCE: &str = "update log_head set position = $1, hash = $2 where id = 1";

type Tx<'t> = Transaction<'t, Sqlite>;

pub(crate) async fn commit(db: &SqlitePool, appends: &[Append]) -> Result<Vec<Outcome>, sqlx::Error> {
    // `immediate` takes the write lock now: what is read below stays true until the commit.
    let mut tx = db.begin_with("begin immediate").await?;
    let before = ask(&mut tx, &Questions::of(appends)).await?;
    let plan = plan(before, appends);
    if plan.events.is_empty() {
        tx.rollback().await?;
        return Ok(plan.outcomes);
    }
    write(&mut tx, &plan).await?;
    tx.commit().await?;
    Ok(plan.outcomes)
}

/// Writes events as they were recorded elsewhere, unless the log no longer ends at `from` or is no copy of that one.
/// Whether they were written.
pub(crate) async fn copy(
    db: &SqlitePool,
    from: &Head,
    origin: &Origin,
    plan: &Plan<'_>,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin_with("begin immediate").await?;
    let (position, hash, copied): (i64, Vec<u8>, Option<String>) =
        sqlx::query_as(HEAD).fetch_one(&mut *tx).await?;
    if !origin.may_follow(from, &Head { position, hash }, copied.as_deref()) {
        tx.rollback().await?;
        return Ok(false);
    }
    sqlx::query(MARK).bind(&origin.source).bind(&origin.key).execute(&mut *tx).await?;
    write(&mut tx, plan).await?;
    tx.commit().await?;
    Ok(true)
}

async fn write(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    insert_events(tx, plan).await?;
    keep_books(tx, plan).await?;
    for (table, rows) in &plan.rows {
        sqlx::query(AssertSqlSafe(upsert(table.name, table.columns, None)))
            .bind(rows)
            .execute(&mut **tx)
            .await?;
    }
    relink(tx, plan).await?;
    sqlx::query(ADVANCE).bind(plan.head.position).bind(&plan.head.hash).execute(&mut **tx).await?;
    Ok(())
}

/// A UUID as `unhex` reads it.
fn hex(id: Uuid) -> String {
    id.simple().to_string()
}

async fn ask(tx: &mut Tx<'_>, questions: &Questions<'_>) -> Result<Before, sqlx::Error> {
    let (position, hash, origin) = sqlx::query_as(HEAD).fetch_one(&mut **tx).await?;
    let mut before = Before { head: Head { position, hash }, origin, ..Before::default() };
    let streams: Value = questions.streams.iter().map(|id| hex(*id)).collect();
    let versions: Vec<(Uuid, i64)> =
        sqlx::query_as(VERSIONS).bind(streams.to_string()).fetch_all(&mut **tx).await?;
    before.versions.extend(versions);
    if !questions.claims.is_empty() {
        let keys: Value = questions.claims.iter().map(|claim| json!([claim.scope, claim.key])).collect();
        let rows: Vec<(String, String, Uuid)> =
            sqlx::query_as(CLAIMS).bind(keys.to_string()).fetch_all(&mut **tx).await?;
        before.claims.extend(rows.into_iter().map(|(scope, key, holder)| ((scope, key), holder)));
    }
    if !questions.commands.is_empty() {
        let keys: Value = questions.commands.iter().map(|key| json!([key.actor, key.id])).collect();
        let rows: Vec<(String, String, Vec<u8>, i64, i64)> =
            sqlx::query_as(COMMANDS).bind(keys.to_string()).fetch_all(&mut **tx).await?;
        before.commands.extend(
            rows.into_iter().map(|(actor, id, fingerprint, first, last)| {
                ((actor, id), Seen { fingerprint, first, last })
            }),
        );
    }
    Ok(before)
}

async fn insert_events(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    // Two texts only, so that both stay prepared.
    let (many, single) = plan.events.split_at(plan.events.len() / AT_ONCE * AT_ONCE);
    for events in many.chunks(AT_ONCE).chain(single.chunks(1)) {
        let row = format!("({})", ["?"; 20].join(", "));
        let sql = format!("insert into events ({COLUMNS}) values {}", vec![row; events.len()].join(", "));
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for e in events {
            query = query
                .bind(e.position)
                .bind(e.kind)
                .bind(e.stream_id)
                .bind(e.version)
                .bind(e.id)
                .bind(&e.r#type)
                .bind(e.schema_version)
                .bind(&e.data)
                .bind(&e.actor)
                .bind(e.actor_unit)
                .bind(&e.method)
                .bind(e.region_code)
                .bind(&e.status_from)
                .bind(&e.status_to)
                .bind(e.correlation_id)
                .bind(e.causation_id)
                .bind(&e.command_id)
                .bind(e.happened_at)
                .bind(e.recorded_at)
                .bind(&e.hash);
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Claims and command ids.
async fn keep_books(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    if !plan.released.is_empty() {
        let keys: Value = plan.released.iter().map(|(scope, key)| json!([scope, key])).collect();
        sqlx::query(RELEASE).bind(keys.to_string()).execute(&mut **tx).await?;
    }
    if !plan.taken.is_empty() {
        let rows: Value = plan
            .taken
            .iter()
            .map(|((scope, key), (kind, id))| json!([scope, key, kind.as_str(), hex(*id)]))
            .collect();
        sqlx::query(TAKE).bind(rows.to_string()).execute(&mut **tx).await?;
    }
    for (key, first, last) in &plan.commands {
        sqlx::query(REMEMBER)
            .bind(&key.actor)
            .bind(&key.id)
            .bind(&key.fingerprint)
            .bind(first)
            .bind(last)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn relink(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    for (named, sql) in [(false, UNLINK), (true, LINK)] {
        let links = plan.links.iter().filter(|(_, kind)| kind.is_some() == named);
        let rows: Vec<Value> = links
            .map(|((source, link), kind)| {
                json!([hex(link.target_id), link.relation, hex(*source), kind.map(Kind::as_str)])
            })
            .collect();
        if !rows.is_empty() {
            sqlx::query(sql).bind(Value::from(rows).to_string()).execute(&mut **tx).await?;
        }
    }
    Ok(())
}

/// Rows come as one JSON array; columns called `id` or `…_id` hold UUIDs as bytes. A row that is there is replaced, or
/// the column `adds` is added to.
pub(crate) fn upsert(name: &str, columns: &[&str], adds: Option<&str>) -> String {
    let value = |column: &&str| {
        if *column == "id" || column.ends_with("_id") {
            format!("unhex(replace(value->>'$.{column}', '-', ''))")
        } else {
            format!("value->>'$.{column}'")
        }
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let updates = updates(name, columns, adds);
    let columns = columns.join(", ");
    format!(
        "insert into {name} ({columns}) select {values} from json_each($1) where true \
         on conflict (id) do update set {updates}",
        values = values.join(", "),
    )
}
