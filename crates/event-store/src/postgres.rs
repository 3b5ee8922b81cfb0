//! The log's writes on PostgreSQL: arrays in, everything in one statement.
use std::time::Instant;

use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Postgres, postgres::PgArguments,
    query::Query,
};
use uuid::Uuid;
use zhixing_domain::Kind;

use crate::{
    append::{Append, Before, Head, Outcome, Plan, Questions, Seen, plan},
    event::COLUMNS,
    pool::{TRUSTED, WAIT_FOR_CONNECTION, let_go},
    replica::{MARK, Origin},
};

/// The channel on which every process on this database hears of new positions; the payload is the schema's name and the
/// position.
pub(crate) const CHANNEL: &str = "zhixing_log";

// Asked by a statement of its own: what is read after it is what the last holder of the head left.
const HOLD: &str = "begin; select from log_head where id = 1 for update";
const LOCK: &str = "select from log_head where id = 1 for update";
const HEAD: &str = "select position, hash, origin from log_head where id = 1";
// A scalar subquery per stream: the planner always answers it from the index, even on a fresh table.
const VERSIONS: &str = "select s.id, coalesce((select version from events e where e.stream_id = s.id \
     order by version desc limit 1), 0) from unnest($1::uuid[]) as s(id)";
// `lateral … limit 1` and [`INDEXES`] for the same reason: what is planned while the tables are small would go on reading
// all claims or commands at every append, until the tables are analysed again.
const CLAIMS: &str = "select k.scope, k.key, c.stream_id from unnest($1::text[], $2::text[]) as k(scope, key) \
     cross join lateral (select stream_id from claims where scope = k.scope and key = k.key limit 1) c";
const COMMANDS: &str = "select k.actor, k.id, c.fingerprint, c.first_position, c.last_position \
     from unnest($1::text[], $2::text[]) as k(actor, id) cross join lateral (select fingerprint, first_position, \
     last_position from commands where actor = k.actor and command_id = k.id limit 1) c";
const RELEASE: &str = "delete from claims c using unnest($1::text[], $2::text[]) as k(scope, key) \
     where c.scope = k.scope and c.key = k.key";
const UNLINK: &str = "delete from links l using unnest($1::uuid[], $2::text[], $3::uuid[]) as k(target, relation, source) \
     where l.target_id = k.target and l.relation = k.relation and l.source_id = k.source";

// The parts of the one statement that writes. Each has its own numbers, bound also when the part is left out. Whoever
// waits here for another holder of the head finds the position changed and writes nothing.
const MOVE: &str = "with moved as (update log_head set position = $1, hash = $2 \
     where id = 1 and position = $3 and hash = $4 and not exists (select from unnest($5::uuid[], $6::bigint[]) \
     as s(id, version) where s.version <> coalesce((select version from events e where e.stream_id = s.id \
     order by version desc limit 1), 0))";
const OWN: &str = " and origin is null";
const STILL_FREE: &str = " and not exists (select from unnest($28::text[], $29::text[]) as k(scope, key) \
     cross join lateral (select from claims where scope = k.scope and key = k.key limit 1) c)";
const STILL_NEW: &str = " and not exists (select from unnest($32::text[], $33::text[]) as k(actor, id) \
     cross join lateral (select from commands where actor = k.actor and command_id = k.id limit 1) c)";
const EVENTS: &str = " select * from unnest($8::bigint[], $9::text[], $10::uuid[], $11::bigint[], $12::uuid[], $13::text[], \
     $14::int[], $15::text[], $16::text[], $17::uuid[], $18::text[], $19::text[], $20::text[], $21::text[], $22::uuid[], \
     $23::uuid[], $24::text[], $25::timestamptz[], $26::timestamptz[], $27::bytea[])";
const TAKE: &str = "insert into claims (scope, key, kind, stream_id) \
     select * from unnest($28::text[], $29::text[], $30::text[], $31::uuid[])";
const REMEMBER: &str = "insert into commands (actor, command_id, fingerprint, first_position, last_position) \
     select * from unnest($32::text[], $33::text[], $34::bytea[], $35::bigint[], $36::bigint[])";
const LINK: &str = "insert into links (target_id, relation, source_id, source_kind) \
     select * from unnest($37::uuid[], $38::text[], $39::uuid[], $40::text[])";
/// Numbers of the parameters that every writing statement has; rows of views follow.
const FIXED: usize = 40;
/// What every part asks: a part that writes although the head did not move would break the log.
const MOVED: &str = "exists (select from moved)";
// The notification leaves with the commit: whoever hears it can read the events.
const TELL: &str = " select pg_notify($7, current_schema() || ' ' || $1) from moved";

/// Everything that the writer asks is answered from an index, also when a table is small today.
const INDEXES: &str = "set enable_seqscan = off";

/// The log's only way to the database: a connection of its own, and the end of the log as this process left it.
#[derive(Debug)]
pub(crate) struct Log {
    /// The other connections of this process; closed when it ends.
    pool: PgPool,
    own: Option<PgConnection>,
    used: Instant,
    known: Option<Head>,
}

impl Log {
    pub(crate) fn of(pool: PgPool) -> Self {
        Self { pool, own: None, used: Instant::now(), known: None }
    }

    /// Other connections to the same database.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Writes what can be written of a batch. While nobody else writes, one statement does it all: it presumes that no
    /// append is refused, and writes nothing when the database knows better. Then the head is held and asked first.
    /// `told` is the last position that this process was told of.
    pub(crate) async fn commit(
        &mut self,
        appends: &[Append],
        told: i64,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        let mut connection = self.connection().await?;
        let known = self.known.take().filter(|head| head.position >= told);
        let written = write(&mut connection, known, appends).await;
        // A connection on which more failed than a statement is not used again.
        if written.as_ref().err().is_none_or(|error| error.as_database_error().is_some()) {
            self.own = Some(connection);
            self.used = Instant::now();
        }
        let plan = written?;
        self.known = Some(plan.head);
        Ok(plan.outcomes)
    }

    async fn connection(&mut self) -> Result<PgConnection, sqlx::Error> {
        let own = self.own.take();
        if self.pool.is_closed() {
            return Err(sqlx::Error::PoolClosed);
        }
        if let Some(mut own) = own
            && (self.used.elapsed() < TRUSTED || own.ping().await.is_ok())
        {
            return Ok(own);
        }
        let options = self.pool.connect_options();
        let connecting = async {
            let mut own = PgConnection::connect_with(&options).await?;
            let_go(&mut own).await?;
            own.execute(INDEXES).await?;
            Ok(own)
        };
        let connected = tokio::time::timeout(WAIT_FOR_CONNECTION, connecting).await;
        connected.map_err(|_| sqlx::Error::PoolTimedOut)?
    }
}

async fn write<'a>(
    connection: &mut PgConnection,
    known: Option<Head>,
    appends: &'a [Append],
) -> Result<Plan<'a>, sqlx::Error> {
    if let Some(head) = known
        && let Some(plan) = presuming(connection, head, appends).await?
    {
        return Ok(plan);
    }
    holding(connection, appends).await
}

/// Writes a batch without asking; `None` when that cannot be done or the database has something against it.
async fn presuming<'a>(
    connection: &mut PgConnection,
    head: Head,
    appends: &'a [Append],
) -> Result<Option<Plan<'a>>, sqlx::Error> {
    let Some(before) = Before::presumed(head, appends) else { return Ok(None) };
    let (former, versions) = (before.head.clone(), before.versions.clone().into_iter().unzip());
    let plan = plan(before, appends);
    if plan.outcomes.iter().any(Result::is_err) {
        return Ok(None);
    }
    let sql = writing(&plan, OWN);
    let moved = bound(&sql, &former, versions, &plan).fetch_optional(connection).await?;
    Ok(moved.map(|_| plan))
}

/// Writes a batch while the head is held: what is asked then stays true.
async fn holding<'a>(connection: &mut PgConnection, appends: &'a [Append]) -> Result<Plan<'a>, sqlx::Error> {
    let mut tx = connection.begin_with(HOLD).await?;
    let before = ask(&mut tx, &Questions::of(appends)).await?;
    let former = before.head.clone();
    let plan = plan(before, appends);
    if plan.events.is_empty() {
        tx.rollback().await?;
        return Ok(plan);
    }
    take_away(&mut tx, &plan).await?;
    let sql = writing(&plan, OWN);
    bound(&sql, &former, Default::default(), &plan).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(plan)
}

async fn ask(db: &mut PgConnection, questions: &Questions<'_>) -> Result<Before, sqlx::Error> {
    let (position, hash, origin) = sqlx::query_as(HEAD).fetch_one(&mut *db).await?;
    let mut before = Before { head: Head { position, hash }, origin, ..Before::default() };
    let versions: Vec<(Uuid, i64)> =
        sqlx::query_as(VERSIONS).bind(&questions.streams).fetch_all(&mut *db).await?;
    before.versions.extend(versions);
    if !questions.claims.is_empty() {
        let (scopes, keys): (Vec<&str>, Vec<&str>) =
            questions.claims.iter().map(|claim| (claim.scope, claim.key.as_str())).unzip();
        let rows: Vec<(String, String, Uuid)> =
            sqlx::query_as(CLAIMS).bind(scopes).bind(keys).fetch_all(&mut *db).await?;
        before.claims.extend(rows.into_iter().map(|(scope, key, holder)| ((scope, key), holder)));
    }
    if !questions.commands.is_empty() {
        let (actors, ids): (Vec<&str>, Vec<&str>) =
            questions.commands.iter().map(|key| (key.actor.as_str(), key.id.as_str())).unzip();
        let rows: Vec<(String, String, Vec<u8>, i64, i64)> =
            sqlx::query_as(COMMANDS).bind(actors).bind(ids).fetch_all(&mut *db).await?;
        before.commands.extend(
            rows.into_iter().map(|(actor, id, fingerprint, first, last)| {
                ((actor, id), Seen { fingerprint, first, last })
            }),
        );
    }
    Ok(before)
}

/// Writes events as they were recorded elsewhere, unless the log no longer ends at `from` or is no copy of that one.
/// Whether they were written.
pub(crate) async fn copy(
    db: &PgPool,
    from: &Head,
    origin: &Origin,
    plan: &Plan<'_>,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    sqlx::query(LOCK).execute(&mut *tx).await?;
    let (position, hash, copied): (i64, Vec<u8>, Option<String>) =
        sqlx::query_as(HEAD).fetch_one(&mut *tx).await?;
    if !origin.may_follow(from, &Head { position, hash }, copied.as_deref()) {
        tx.rollback().await?;
        return Ok(false);
    }
    sqlx::query(MARK).bind(&origin.source).bind(&origin.key).execute(&mut *tx).await?;
    take_away(&mut tx, plan).await?;
    let sql = writing(plan, "");
    bound(&sql, from, Default::default(), plan).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Deletes claims and links. Only done while the head is held: a statement that waits for the head would not see rows that
/// came meanwhile.
async fn take_away(db: &mut PgConnection, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    if !plan.released.is_empty() {
        let (scopes, keys): (Vec<&str>, Vec<&str>) = plan.released.iter().copied().unzip();
        sqlx::query(RELEASE).bind(scopes).bind(keys).execute(&mut *db).await?;
    }
    let removed = || plan.links.iter().filter(|(_, kind)| kind.is_none()).map(|(key, _)| key);
    if removed().next().is_some() {
        let unlink = sqlx::query(UNLINK)
            .bind(removed().map(|(_, link)| link.target_id).collect::<Vec<_>>())
            .bind(removed().map(|(_, link)| link.relation).collect::<Vec<_>>())
            .bind(removed().map(|(source, _)| *source).collect::<Vec<_>>());
        unlink.execute(&mut *db).await?;
    }
    Ok(())
}

/// The statement that writes a batch: its parts depend on what there is to write. `whose` says which logs it may write to.
fn writing(plan: &Plan<'_>, whose: &str) -> String {
    let takes = !plan.taken.is_empty();
    let remembers = !plan.commands.is_empty();
    let links = plan.links.values().any(Option::is_some);
    let part = |wanted: bool, name: &str, insert: &str| {
        if wanted { format!(", {name} as ({insert})") } else { String::new() }
    };
    let mut parts = vec![
        MOVE.to_owned(),
        whose.to_owned(),
        if takes { STILL_FREE } else { "" }.to_owned(),
        if remembers { STILL_NEW } else { "" }.to_owned(),
        " returning 1)".to_owned(),
        part(true, "logged", &format!("insert into events ({COLUMNS}){EVENTS} where {MOVED}")),
        part(takes, "taken", &format!("{TAKE} where {MOVED}")),
        part(remembers, "remembered", &format!("{REMEMBER} where {MOVED}")),
        part(links, "linked", &format!("{LINK} where {MOVED} on conflict do nothing")),
    ];
    parts.extend((FIXED + 1..).zip(&plan.rows).map(|(number, (table, _))| {
        let rows = format!("json_populate_recordset(null::{}, ${number}::json) where {MOVED}", table.name);
        part(true, &format!("new_{}", table.name), &upsert_from(&rows, table.name, table.columns, None))
    }));
    parts.push(TELL.to_owned());
    parts.concat()
}

/// Its values, in the order of their numbers.
fn bound<'q>(
    sql: &str,
    former: &Head,
    (streams, versions): (Vec<Uuid>, Vec<i64>),
    plan: &Plan<'_>,
) -> Query<'q, Postgres, PgArguments> {
    macro_rules! column {
        ($items:expr, |$item:pat_param| $value:expr) => {
            $items.map(|$item| $value).collect::<Vec<_>>()
        };
    }
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()))
        .bind(plan.head.position)
        .bind(&plan.head.hash)
        .bind(former.position)
        .bind(&former.hash)
        .bind(streams)
        .bind(versions)
        .bind(CHANNEL);
    let events = || plan.events.iter();
    let query = query
        .bind(column!(events(), |e| e.position))
        .bind(column!(events(), |e| e.kind.as_str()))
        .bind(column!(events(), |e| e.stream_id))
        .bind(column!(events(), |e| e.version))
        .bind(column!(events(), |e| e.id))
        .bind(column!(events(), |e| e.r#type.as_str()))
        .bind(column!(events(), |e| e.schema_version))
        .bind(column!(events(), |e| e.data.as_str()))
        .bind(column!(events(), |e| e.actor.as_str()))
        .bind(column!(events(), |e| e.actor_unit))
        .bind(column!(events(), |e| e.method.as_str()))
        .bind(column!(events(), |e| e.region_code.as_ref().map(zhixing_domain::RegionCode::as_str)))
        .bind(column!(events(), |e| e.status_from.as_deref()))
        .bind(column!(events(), |e| e.status_to.as_deref()))
        .bind(column!(events(), |e| e.correlation_id))
        .bind(column!(events(), |e| e.causation_id))
        .bind(column!(events(), |e| e.command_id.as_deref()))
        .bind(column!(events(), |e| e.happened_at))
        .bind(column!(events(), |e| e.recorded_at))
        .bind(column!(events(), |e| e.hash.as_slice()));
    let (taken, commands) = (|| plan.taken.iter(), || plan.commands.iter());
    let links = || plan.links.iter().filter_map(|((source, link), kind)| Some((source, link, (*kind)?)));
    let query = query
        .bind(column!(taken(), |((scope, _), _)| *scope))
        .bind(column!(taken(), |((_, key), _)| *key))
        .bind(column!(taken(), |(_, (kind, _))| kind.as_str()))
        .bind(column!(taken(), |(_, (_, stream))| *stream))
        .bind(column!(commands(), |(key, ..)| key.actor.as_str()))
        .bind(column!(commands(), |(key, ..)| key.id.as_str()))
        .bind(column!(commands(), |(key, ..)| key.fingerprint.as_slice()))
        .bind(column!(commands(), |(_, first, _)| *first))
        .bind(column!(commands(), |(.., last)| *last))
        .bind(column!(links(), |(_, link, _)| link.target_id))
        .bind(column!(links(), |(_, link, _)| link.relation))
        .bind(column!(links(), |(source, ..)| *source))
        .bind(column!(links(), |(.., kind)| Kind::as_str(kind)));
    plan.rows.iter().fold(query, |query, (_, rows)| query.bind(rows))
}

/// Rows come as one JSON array; PostgreSQL gives each value the type of its column. A row that is there is replaced, or
/// the column `adds` is added to.
pub(crate) fn upsert(name: &str, columns: &[&str], adds: Option<&str>) -> String {
    upsert_from(&format!("json_populate_recordset(null::{name}, $1::json)"), name, columns, adds)
}

fn upsert_from(rows: &str, name: &str, columns: &[&str], adds: Option<&str>) -> String {
    let updates = updates(name, columns, adds);
    let columns = columns.join(", ");
    format!(
        "insert into {name} ({columns}) select {columns} from {rows} \
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
