//! Views built anew from the log beside the ones that serve, compared with them row by row, and put in their place.
//!
//! Commands go on meanwhile. Only the last step holds the log's head: it folds what came in since, counts the rows that
//! differ and, if that is wanted, replaces those rows and no others.
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_domain::Kind;

use crate::{
    Error, EventStore, Pool,
    pool::{on, transaction},
    view::{Known, WriteRow},
};

/// How the rows of a table differ from what the log says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Rows as the log says.
    pub rows: i64,
    /// Rows that stand there but should not, or otherwise.
    pub wrong: i64,
    /// Rows that should stand there but do not, or otherwise.
    pub missing: i64,
    /// Keys of some of them.
    pub examples: Vec<Uuid>,
}

impl Difference {
    /// Whether the table is what the log says.
    pub fn is_none(&self) -> bool {
        self.wrong == 0 && self.missing == 0
    }
}

/// Streams and events read at once.
const PAGE: u32 = 500;
/// Rows written in one transaction.
const BATCH: usize = 1_000;
/// Rounds of catching up before the head is held for the rest.
const ROUNDS: usize = 10;
/// Streams that may be left for the last step.
const FEW: usize = 50;
/// Keys shown of rows that differ.
const EXAMPLES: i64 = 5;

/// Nobody else rebuilds on this database while this is kept; it ends with the process at the latest.
enum Alone {
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
    Sqlite(std::fs::File),
}

impl Alone {
    /// Lets the next one in at once; when it is only dropped, that takes as long as the database needs to notice.
    async fn end(self) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => transaction.rollback().await?,
            Self::Sqlite(file) => file.unlock().map_err(sqlx::Error::Io)?,
        }
        Ok(())
    }
}

/// A table that is built anew, and which of its rows.
struct Shadow {
    name: &'static str,
    columns: Vec<&'static str>,
    /// The column that names a row.
    key: &'static str,
    /// Which rows belong to this view.
    only: String,
}

impl Shadow {
    fn shadow(&self) -> String {
        format!("{}_rebuild", self.name)
    }
    fn all_columns(&self) -> String {
        self.columns.join(", ")
    }
    /// Rows of `from` that `to` has not.
    fn except(&self, from: &str, to: &str) -> String {
        let (columns, only) = (self.all_columns(), &self.only);
        format!("select {columns} from {from} where {only} except select {columns} from {to} where {only}")
    }
}

fn shadows(known: &Known) -> Vec<Shadow> {
    let whole = |table: &'static crate::Table| Shadow {
        name: table.name,
        columns: table.columns.to_vec(),
        key: "id",
        only: "1 = 1".into(),
    };
    let links = Shadow {
        name: "links",
        columns: vec!["target_id", "relation", "source_id", "source_kind"],
        key: "source_id",
        only: format!("source_kind = '{}'", known.kind.as_str()),
    };
    std::iter::once(whole(known.table)).chain(known.entries.map(whole)).chain([links]).collect()
}

impl EventStore {
    /// Builds the view of one kind anew and says how the one that serves differs; with `apply`, mends it.
    ///
    /// # Errors
    /// When an event cannot be read or the database fails; nothing was changed then.
    pub async fn rebuild(
        &self,
        kind: Kind,
        apply: bool,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<Difference>, Error> {
        let Some(known) = self.catalogue().iter().find(|known| known.kind == kind).copied() else {
            return Ok(Vec::new());
        };
        let alone = self.pool().rebuild_alone().await?;
        let differences = self.rebuild_known(&known, apply, &mut progress).await;
        alone.end().await?;
        differences
    }

    async fn rebuild_known(
        &self,
        known: &Known,
        apply: bool,
        progress: &mut impl FnMut(u64),
    ) -> Result<Vec<Difference>, Error> {
        let shadows = shadows(known);
        self.drop_shadows(&shadows).await?;
        self.make_shadows(&shadows).await?;
        let differences = self.fill_and_compare(known, &shadows, apply, progress).await;
        self.drop_shadows(&shadows).await?;
        self.forget_all();
        differences
    }

    async fn fill_and_compare(
        &self,
        known: &Known,
        shadows: &[Shadow],
        apply: bool,
        progress: &mut impl FnMut(u64),
    ) -> Result<Vec<Difference>, Error> {
        let mut caught_up = self.pool().head().await?;
        let mut at = 0;
        let mut streams = 0;
        loop {
            let page = self.pool().born(known.kind, at, PAGE).await?;
            let Some((_, last)) = page.last() else { break };
            at = *last;
            let ids: Vec<Uuid> = page.iter().map(|(id, _)| *id).collect();
            self.fill(known, &ids, 0).await?;
            streams += ids.len() as u64;
            progress(streams);
        }
        for _ in 0..ROUNDS {
            let head = self.pool().head().await?;
            let changed = self.pool().changed(known.kind, caught_up).await?;
            if changed.len() <= FEW {
                break;
            }
            self.fill(known, &changed, caught_up).await?;
            caught_up = head;
        }
        self.compare(known, shadows, caught_up, apply).await
    }

    /// Folds these streams into the shadow tables, beside what was written of them up to `since`.
    async fn fill(&self, known: &Known, streams: &[Uuid], since: i64) -> Result<(), Error> {
        let mut folded = Folded::default();
        for id in streams {
            self.fold_into(known, *id, since, BATCH, &mut folded).await?;
            if folded.rows.len() >= BATCH {
                self.write_shadows(std::mem::take(&mut folded)).await?;
            }
        }
        self.write_shadows(folded).await
    }

    /// Folds one stream. Rows beside its own come from events behind `since` only; when there are `most`, they are
    /// written on the way.
    async fn fold_into(
        &self,
        known: &Known,
        id: Uuid,
        since: i64,
        most: usize,
        folded: &mut Folded,
    ) -> Result<(), Error> {
        let mut folding = (known.folding)(id);
        let mut version = 0;
        if since > 0 {
            folded.again.push(id);
        }
        loop {
            let page = self.pool().read_stream(id, version, PAGE).await?;
            for event in &page {
                version = event.version;
                let entries = folding.apply(event)?;
                folded.rows.extend(entries.into_iter().filter(|_| event.position > since));
            }
            if folded.rows.len() >= most {
                self.write_shadows(std::mem::take(folded)).await?;
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        let Some((row, links)) = folding.finish()? else { return Ok(()) };
        folded.rows.push(row);
        folded.links.extend(links.into_iter().map(|link| {
            json!({ "target_id": link.target_id, "relation": link.relation, "source_id": id, "source_kind": known.kind })
        }));
        Ok(())
    }

    async fn write_shadows(&self, folded: Folded) -> Result<(), Error> {
        transaction!(self.pool(), |tx, upsert| {
            for id in &folded.again {
                sqlx::query(UNLINK).bind(id).execute(&mut *tx).await?;
            }
            for (sql, rows) in folded.statements(upsert) {
                sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Holds the head, folds what came in behind `caught_up`, counts and, if wanted, replaces the rows that differ.
    async fn compare(
        &self,
        known: &Known,
        shadows: &[Shadow],
        caught_up: i64,
        apply: bool,
    ) -> Result<Vec<Difference>, Error> {
        let mut differences = Vec::new();
        transaction!(self.pool(), |tx, upsert| {
            sqlx::query(self.pool().lock()).execute(&mut *tx).await?;
            let mut folded = Folded::default();
            for id in self.pool().changed(known.kind, caught_up).await? {
                self.fold_into(known, id, caught_up, usize::MAX, &mut folded).await?;
            }
            for id in &folded.again {
                sqlx::query(UNLINK).bind(id).execute(&mut *tx).await?;
            }
            for (sql, rows) in folded.statements(upsert) {
                sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *tx).await?;
            }
            for shadow in shadows {
                let (name, new) = (shadow.name, shadow.shadow());
                let count = |sql: String| format!("select count(*) from ({sql}) as counted");
                let wrong = shadow.except(name, &new);
                let missing = shadow.except(&new, name);
                let keys = format!(
                    "select distinct {key} from ({wrong} union all {missing}) as differing limit {EXAMPLES}",
                    key = shadow.key,
                    wrong = format_args!("select * from ({wrong}) as wrong"),
                    missing = format_args!("select * from ({missing}) as missing"),
                );
                let all = format!("select count(*) from {new}");
                differences.push(Difference {
                    table: name,
                    rows: sqlx::query_scalar(AssertSqlSafe(all)).fetch_one(&mut *tx).await?,
                    wrong: sqlx::query_scalar(AssertSqlSafe(count(wrong.clone())))
                        .fetch_one(&mut *tx)
                        .await?,
                    missing: sqlx::query_scalar(AssertSqlSafe(count(missing.clone())))
                        .fetch_one(&mut *tx)
                        .await?,
                    examples: sqlx::query_scalar(AssertSqlSafe(keys)).fetch_all(&mut *tx).await?,
                });
                if apply {
                    for sql in mend(shadow, &wrong) {
                        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                    }
                }
            }
            if apply {
                // Snapshots hold nothing that the log does not: they are kept anew when they are needed.
                sqlx::query("delete from snapshots").execute(&mut *tx).await?;
            }
        });
        Ok(differences)
    }

    async fn make_shadows(&self, shadows: &[Shadow]) -> Result<(), Error> {
        for shadow in shadows {
            let (name, new) = (shadow.name, shadow.shadow());
            let unique = if name == "links" { "target_id, relation, source_id" } else { "id" };
            let mut indexes = vec![format!("create unique index {new}_key on {new} ({unique})")];
            if shadow.key != "id" {
                indexes.push(format!("create index {new}_source on {new} ({})", shadow.key));
            }
            match self.pool() {
                Pool::Postgres(db) => {
                    let table = format!("create unlogged table {new} (like {name})");
                    sqlx::query(AssertSqlSafe(table)).execute(db).await?;
                    for index in indexes {
                        sqlx::query(AssertSqlSafe(index)).execute(db).await?;
                    }
                }
                Pool::Sqlite { writer, .. } => {
                    let table = format!("create table {new} as select * from {name} where false");
                    sqlx::query(AssertSqlSafe(table)).execute(writer).await?;
                    for index in indexes {
                        sqlx::query(AssertSqlSafe(index)).execute(writer).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn drop_shadows(&self, shadows: &[Shadow]) -> Result<(), Error> {
        transaction!(self.pool(), |tx, _upsert| {
            for shadow in shadows {
                let sql = format!("drop table if exists {}", shadow.shadow());
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}

const UNLINK: &str = "delete from links_rebuild where source_id = $1";

/// Streams that were folded, on their way into the shadow tables.
#[derive(Default)]
struct Folded {
    /// Streams that may have been folded before: their links are taken away first.
    again: Vec<Uuid>,
    rows: Vec<WriteRow>,
    links: Vec<Value>,
}

impl Folded {
    /// One statement a table, each with its rows as a JSON array.
    fn statements(&self, upsert: fn(&str, &[&str], Option<&str>) -> String) -> Vec<(String, String)> {
        let mut tables: Vec<(&'static crate::Table, Vec<&str>)> = Vec::new();
        for row in &self.rows {
            match tables.iter_mut().find(|(table, _)| *table == row.table) {
                Some((_, of_table)) => of_table.push(&row.json),
                None => tables.push((row.table, vec![&row.json])),
            }
        }
        let mut statements: Vec<(String, String)> = tables
            .into_iter()
            .map(|(table, rows)| {
                let sql = upsert(&format!("{}_rebuild", table.name), table.columns, None);
                (sql, format!("[{}]", rows.join(",")))
            })
            .collect();
        if !self.links.is_empty() {
            let columns = ["target_id", "relation", "source_id", "source_kind"];
            let sql = upsert("links_rebuild", &columns, None)
                .replace("on conflict (id)", "on conflict (target_id, relation, source_id)");
            statements.push((sql, Value::Array(self.links.clone()).to_string()));
        }
        statements
    }
}

/// Takes away the rows that are wrong and puts in those that are missing.
fn mend(shadow: &Shadow, wrong: &str) -> [String; 2] {
    let (name, new, columns) = (shadow.name, shadow.shadow(), shadow.all_columns());
    let keys = if name == "links" { "target_id, relation, source_id" } else { "id" };
    [
        format!("delete from {name} where ({keys}) in (select {keys} from ({wrong}) as wrong)"),
        format!("insert into {name} ({columns}) {}", shadow.except(&new, name)),
    ]
}

impl Pool {
    /// Position of the last event.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn head(&self) -> Result<i64, Error> {
        Ok(self.head_row().await?.0)
    }

    /// The right to build views anew, for one on this database, as long as it is kept: two would fill and drop the same
    /// tables, and a half-filled one must never be taken for the truth.
    async fn rebuild_alone(&self) -> Result<Alone, Error> {
        // It lasts as long as the rebuild does, which is no silence.
        const LOCK: &str = "select pg_try_advisory_xact_lock(hashtext('zhixing rebuild ' || current_schema())) \
             and set_config('idle_in_transaction_session_timeout', '0', true) is not null";
        match self {
            Self::Postgres(db) => {
                let mut transaction = db.begin().await?;
                let alone = sqlx::query_scalar(LOCK).fetch_one(&mut *transaction).await?;
                if alone { Ok(Alone::Postgres(transaction)) } else { Err(Error::Rebuilding) }
            }
            Self::Sqlite { writer, .. } => {
                let file = writer.connect_options().get_filename().with_extension("rebuild");
                let file = std::fs::File::create(file).map_err(sqlx::Error::Io)?;
                match file.try_lock() {
                    Ok(()) => Ok(Alone::Sqlite(file)),
                    Err(std::fs::TryLockError::WouldBlock) => Err(Error::Rebuilding),
                    Err(std::fs::TryLockError::Error(error)) => Err(sqlx::Error::Io(error).into()),
                }
            }
        }
    }

    /// Reads the head and holds it until the transaction ends. SQLite's one writer holds everything anyway.
    fn lock(&self) -> &'static str {
        match self {
            // Streams are folded in this transaction by other connections, which is no silence.
            Self::Postgres(_) => {
                "select position, set_config('idle_in_transaction_session_timeout', '0', true) from log_head \
                 where id = 1 for update"
            }
            Self::Sqlite { .. } => "select position from log_head where id = 1",
        }
    }

    /// Streams of a kind in the order of their first events.
    async fn born(&self, kind: Kind, after: i64, limit: u32) -> Result<Vec<(Uuid, i64)>, Error> {
        const BORN: &str = "select stream_id, position from events where kind = $1 and version = 1 and position > $2 \
             order by position limit $3";
        Ok(on!(self, |db, _dialect| {
            sqlx::query_as(BORN).bind(kind).bind(after).bind(i64::from(limit)).fetch_all(db).await?
        }))
    }

    /// Streams of a kind with events behind a position.
    async fn changed(&self, kind: Kind, after: i64) -> Result<Vec<Uuid>, Error> {
        const CHANGED: &str = "select distinct stream_id from events where kind = $1 and position > $2";
        Ok(on!(self, |db, _dialect| sqlx::query_scalar(CHANGED).bind(kind).bind(after).fetch_all(db).await?))
    }
}
