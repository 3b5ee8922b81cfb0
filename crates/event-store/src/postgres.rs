//! The log's writes on PostgreSQL: arrays in, one statement a table.
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use uuid::Uuid;
use zhixing_domain::Kind;

use crate::{
    append::{Append, Before, Outcome, Plan, Questions, Seen, plan},
    event::Shared,
};

/// The channel on which every process on this database hears of new positions; the payload is the schema's name.
pub(crate) const CHANNEL: &str = "zhixing_log";

const HEAD: &str = "select position, hash from log_head where id = 1 for update";
// A scalar subquery per stream: the planner always answers it from the index, even on a fresh table.
const VERSIONS: &str = "select s.id, coalesce((select version from events e where e.stream_id = s.id \
     order by version desc limit 1), 0) from unnest($1::uuid[]) as s(id)";
const CLAIMS: &str = "select c.scope, c.key, c.stream_id from unnest($1::text[], $2::text[]) as k(scope, key) \
     join claims c on c.scope = k.scope and c.key = k.key";
const COMMANDS: &str = "select c.actor, c.command_id, c.fingerprint, c.first_position, c.last_position \
     from unnest($1::text[], $2::text[]) as k(actor, id) join commands c on c.actor = k.actor and c.command_id = k.id";
const EVENTS: &str = "insert into events (position, kind, stream_id, version, id, type, schema_version, data, actor, \
     actor_unit, method, region_code, status_from, status_to, correlation_id, causation_id, command_id, happened_at, \
     recorded_at, hash) select * from unnest($1::bigint[], $2::text[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], \
     $7::int[], $8::text[], $9::text[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::uuid[], \
     $16::uuid[], $17::text[], $18::timestamptz[], $19::timestamptz[], $20::bytea[])";
const TAKE: &str = "insert into claims (scope, key, kind, stream_id) \
     select * from unnest($1::text[], $2::text[], $3::text[], $4::uuid[])";
const RELEASE: &str = "delete from claims c using unnest($1::text[], $2::text[]) as k(scope, key) \
     where c.scope = k.scope and c.key = k.key";
const REMEMBER: &str = "insert into commands (actor, command_id, fingerprint, first_position, last_position) \
     select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::bigint[])";
const UNLINK: &str = "delete from links l using unnest($1::uuid[], $2::text[], $3::uuid[]) as k(target, relation, source) \
     where l.target_id = k.target and l.relation = k.relation and l.source_id = k.source";
const LINK: &str = "insert into links (target_id, relation, source_id, source_kind) \
     select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[]) on conflict do nothing";
// The notification leaves with the commit: whoever hears it can read the events.
const ADVANCE: &str = "with moved as (update log_head set position = $1, hash = $2 where id = 1) \
     select pg_notify($3, current_schema())";

type Tx<'t> = Transaction<'t, Postgres>;

pub(crate) async fn commit(db: &PgPool, appends: &[Append]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut tx = db.begin().await?;
    let before = ask(&mut tx, &Questions::of(appends)).await?;
    let plan = plan(before, appends);
    if plan.events.is_empty() {
        tx.rollback().await?;
        return Ok(plan.outcomes);
    }
    insert_events(&mut tx, &plan.events).await?;
    keep_books(&mut tx, &plan).await?;
    for (table, rows) in &plan.rows {
        sqlx::query(AssertSqlSafe(upsert(table.name, table.columns, None)))
            .bind(rows)
            .execute(&mut *tx)
            .await?;
    }
    relink(&mut tx, &plan).await?;
    sqlx::query(ADVANCE).bind(plan.position).bind(&plan.hash).bind(CHANNEL).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(plan.outcomes)
}

async fn ask(tx: &mut Tx<'_>, questions: &Questions<'_>) -> Result<Before, sqlx::Error> {
    let (position, hash) = sqlx::query_as(HEAD).fetch_one(&mut **tx).await?;
    let mut before = Before { position, hash, ..Before::default() };
    let versions: Vec<(Uuid, i64)> =
        sqlx::query_as(VERSIONS).bind(&questions.streams).fetch_all(&mut **tx).await?;
    before.versions.extend(versions);
    if !questions.claims.is_empty() {
        let (scopes, keys): (Vec<&str>, Vec<&str>) =
            questions.claims.iter().map(|claim| (claim.scope, claim.key.as_str())).unzip();
        let rows: Vec<(String, String, Uuid)> =
            sqlx::query_as(CLAIMS).bind(scopes).bind(keys).fetch_all(&mut **tx).await?;
        before.claims.extend(rows.into_iter().map(|(scope, key, holder)| ((scope, key), holder)));
    }
    if !questions.commands.is_empty() {
        let (actors, ids): (Vec<&str>, Vec<&str>) =
            questions.commands.iter().map(|key| (key.actor.as_str(), key.id.as_str())).unzip();
        let rows: Vec<(String, String, Vec<u8>, i64, i64)> =
            sqlx::query_as(COMMANDS).bind(actors).bind(ids).fetch_all(&mut **tx).await?;
        before.commands.extend(
            rows.into_iter().map(|(actor, id, fingerprint, first, last)| {
                ((actor, id), Seen { fingerprint, first, last })
            }),
        );
    }
    Ok(before)
}

async fn insert_events(tx: &mut Tx<'_>, events: &[Shared]) -> Result<(), sqlx::Error> {
    macro_rules! column {
        (|$event:ident| $value:expr) => {
            events.iter().map(|$event| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query(EVENTS)
        .bind(column!(|e| e.position))
        .bind(column!(|e| e.kind.as_str()))
        .bind(column!(|e| e.stream_id))
        .bind(column!(|e| e.version))
        .bind(column!(|e| e.id))
        .bind(column!(|e| e.r#type.as_str()))
        .bind(column!(|e| e.schema_version))
        .bind(column!(|e| e.data.as_str()))
        .bind(column!(|e| e.actor.as_str()))
        .bind(column!(|e| e.actor_unit))
        .bind(column!(|e| e.method.as_str()))
        .bind(column!(|e| e.region_code.as_ref().map(zhixing_domain::RegionCode::as_str)))
        .bind(column!(|e| e.status_from.as_deref()))
        .bind(column!(|e| e.status_to.as_deref()))
        .bind(column!(|e| e.correlation_id))
        .bind(column!(|e| e.causation_id))
        .bind(column!(|e| e.command_id.as_deref()))
        .bind(column!(|e| e.happened_at))
        .bind(column!(|e| e.recorded_at))
        .bind(column!(|e| e.hash.as_slice()))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Claims and command ids.
async fn keep_books(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    if !plan.released.is_empty() {
        let (scopes, keys): (Vec<&str>, Vec<&str>) = plan.released.iter().copied().unzip();
        sqlx::query(RELEASE).bind(scopes).bind(keys).execute(&mut **tx).await?;
    }
    if !plan.taken.is_empty() {
        let (scopes, keys): (Vec<&str>, Vec<&str>) = plan.taken.keys().copied().unzip();
        let (kinds, streams): (Vec<&str>, Vec<Uuid>) =
            plan.taken.values().map(|(kind, id)| (kind.as_str(), *id)).unzip();
        sqlx::query(TAKE).bind(scopes).bind(keys).bind(kinds).bind(streams).execute(&mut **tx).await?;
    }
    if !plan.commands.is_empty() {
        let keys = || plan.commands.iter();
        sqlx::query(REMEMBER)
            .bind(keys().map(|(key, ..)| key.actor.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|(key, ..)| key.id.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|(key, ..)| key.fingerprint.as_slice()).collect::<Vec<_>>())
            .bind(keys().map(|(_, first, _)| *first).collect::<Vec<_>>())
            .bind(keys().map(|(.., last)| *last).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

async fn relink(tx: &mut Tx<'_>, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    let of = |named: bool| plan.links.iter().filter(move |(_, kind)| kind.is_some() == named);
    let targets = |named| of(named).map(|((_, link), _)| link.target_id).collect::<Vec<_>>();
    let relations = |named| of(named).map(|((_, link), _)| link.relation).collect::<Vec<_>>();
    let sources = |named| of(named).map(|((source, _), _)| *source).collect::<Vec<_>>();
    if of(false).next().is_some() {
        let unlink = sqlx::query(UNLINK).bind(targets(false)).bind(relations(false)).bind(sources(false));
        unlink.execute(&mut **tx).await?;
    }
    if of(true).next().is_some() {
        let kinds: Vec<&str> = of(true).filter_map(|(_, kind)| kind.map(Kind::as_str)).collect();
        let link =
            sqlx::query(LINK).bind(targets(true)).bind(relations(true)).bind(sources(true)).bind(kinds);
        link.execute(&mut **tx).await?;
    }
    Ok(())
}

/// Rows come as one JSON array; PostgreSQL gives each value the type of its column. A row that is there is replaced, or
/// the column `adds` is added to.
pub(crate) fn upsert(name: &str, columns: &[&str], adds: Option<&str>) -> String {
    let updates = updates(name, columns, adds);
    let columns = columns.join(", ");
    format!(
        "insert into {name} ({columns}) select {columns} from json_populate_recordset(null::{name}, $1::json) \
         on conflict (id) do update set {updates}"
    )
}

/// What happens to a row that is there.
pub(crate) fn updates(name: &str, columns: &[&str], adds: Option<&str>) -> String {
    if let Some(column) = adds {
        return format!("{column} = {name}.{column} + excluded.{column}");
    }
    let replace = |column: &&str| format!("{column} = excluded.{column}");
    columns.iter().skip(1).map(replace).collect::<Vec<_>>().join(", ")
}
