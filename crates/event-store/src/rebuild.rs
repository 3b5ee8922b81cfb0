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
        let shadows = shadows(&known);
        self.drop_shadows(&shadows).await?;
        self.make_shadows(&shadows).await?;
        let differences = self.fill_and_compare(&known, &shadows, apply, &mut progress).await;
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
            self.fill(known, &ids, false).await?;
            streams += ids.len() as u64;
            progress(streams);
        }
        for _ in 0..ROUNDS {
            let head = self.pool().head().await?;
            let changed = self.pool().changed(known.kind, caught_up).await?;
            if changed.len() <= FEW {
                break;
            }
            self.fill(known, &changed, true).await?;
            caught_up = head;
        }
        for _ in 0..ROUNDS {
            // What is left is folded before the head is held; if more came in meanwhile, once more.
            let head = self.pool().head().await?;
            self.fill(known, &self.pool().changed(known.kind, caught_up).await?, true).await?;
            if let Some(differences) = self.compare(known, shadows, head, apply).await? {
                return Ok(differences);
            }
            caught_up = head;
        }
        Err(Error::Busy)
    }

    /// Folds these streams into the shadow tables; `again` when they may have been folded before.
    async fn fill(&self, known: &Known, streams: &[Uuid], again: bool) -> Result<(), Error> {
        const UNLINK: &str = "delete from links_rebuild where source_id = $1";
        if again {
            transaction!(self.pool(), |tx, _upsert| {
                for id in streams {
                    sqlx::query(UNLINK).bind(id).execute(&mut *tx).await?;
                }
            });
        }
        let mut rows = Vec::new();
        let mut links = Vec::new();
        for id in streams {
            let (row, names) = self.fold_into(known, *id, &mut rows).await?;
            rows.extend(row);
            links.extend(names);
            if rows.len() >= BATCH {
                self.write_shadows(&std::mem::take(&mut rows), &std::mem::take(&mut links)).await?;
            }
        }
        self.write_shadows(&rows, &links).await
    }

    async fn fold_into(
        &self,
        known: &Known,
        id: Uuid,
        entries: &mut Vec<WriteRow>,
    ) -> Result<(Option<WriteRow>, Vec<Value>), Error> {
        let mut folding = (known.folding)(id);
        let mut version = 0;
        loop {
            let page = self.pool().read_stream(id, version, PAGE).await?;
            for event in &page {
                version = event.version;
                entries.extend(folding.apply(event)?);
            }
            if entries.len() >= BATCH {
                self.write_shadows(&std::mem::take(entries), &[]).await?;
            }
            if page.len() < PAGE as usize {
                break;
            }
        }
        let Some((row, links)) = folding.finish()? else { return Ok((None, Vec::new())) };
        let named = links.into_iter().map(|link| {
            json!({ "target_id": link.target_id, "relation": link.relation, "source_id": id, "source_kind": known.kind })
        });
        Ok((Some(row), named.collect()))
    }

    async fn write_shadows(&self, rows: &[WriteRow], links: &[Value]) -> Result<(), Error> {
        let mut tables: Vec<(&'static crate::Table, Vec<&str>)> = Vec::new();
        for row in rows {
            match tables.iter_mut().find(|(table, _)| *table == row.table) {
                Some((_, of_table)) => of_table.push(&row.json),
                None => tables.push((row.table, vec![&row.json])),
            }
        }
        let links = Value::Array(links.to_vec()).to_string();
        transaction!(self.pool(), |tx, upsert| {
            for (table, rows) in &tables {
                let sql = upsert(&format!("{}_rebuild", table.name), table.columns, None);
                let rows = format!("[{}]", rows.join(","));
                sqlx::query(AssertSqlSafe(sql)).bind(rows).execute(&mut *tx).await?;
            }
            if links != "[]" {
                let columns = ["target_id", "relation", "source_id", "source_kind"];
                // A stream that is folded twice names the same objects twice.
                let sql = upsert("links_rebuild", &columns, None)
                    .replace("on conflict (id)", "on conflict (target_id, relation, source_id)");
                sqlx::query(AssertSqlSafe(sql)).bind(&links).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// Holds the head, counts and, if wanted, replaces the rows that differ; `None` when events came in behind `head`.
    async fn compare(
        &self,
        known: &Known,
        shadows: &[Shadow],
        head: i64,
        apply: bool,
    ) -> Result<Option<Vec<Difference>>, Error> {
        let mut differences = Vec::new();
        let settled = transaction!(self.pool(), |tx, _upsert| {
            let locked: i64 = sqlx::query_scalar(self.pool().lock()).fetch_one(&mut *tx).await?;
            let settled = locked == head || self.pool().changed(known.kind, head).await?.is_empty();
            if settled {
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
            }
            settled
        });
        Ok(settled.then_some(differences))
    }

    async fn make_shadows(&self, shadows: &[Shadow]) -> Result<(), Error> {
        for shadow in shadows {
            let (name, new) = (shadow.name, shadow.shadow());
            let unique = if name == "links" { "target_id, relation, source_id" } else { "id" };
            let index = format!("create unique index {new}_key on {new} ({unique})");
            match self.pool() {
                Pool::Postgres(db) => {
                    let table = format!("create unlogged table {new} (like {name})");
                    sqlx::query(AssertSqlSafe(table)).execute(db).await?;
                    sqlx::query(AssertSqlSafe(index)).execute(db).await?;
                }
                Pool::Sqlite { writer, .. } => {
                    let table = format!("create table {new} as select * from {name} where false");
                    sqlx::query(AssertSqlSafe(table)).execute(writer).await?;
                    sqlx::query(AssertSqlSafe(index)).execute(writer).await?;
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

    /// Reads the head and holds it until the transaction ends. SQLite's one writer holds everything anyway.
    fn lock(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "select position from log_head where id = 1 for update",
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
