//! Builds of a projection beside the one that serves: begun, compared, switched in or dropped.
use sqlx::AssertSqlSafe;

use super::{ACTIVE, DROP, DROP_PARKED, Projector, Running, WARMING, rows::swap};
use crate::{
    Error,
    pool::{on, transaction},
};

/// How two builds of a projection differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: &'static str,
    /// Rows that only the old build has, or has otherwise.
    pub only_before: i64,
    /// Rows that only the new build has, or has otherwise.
    pub only_after: i64,
}

impl Projector {
    /// Begins to build a projection anew beside the one that serves. Commands and readers go on. Its generation.
    ///
    /// # Errors
    /// When there is no such projection or the database fails.
    pub async fn rebuild(&self, name: &str) -> Result<i32, Error> {
        let running = self.named(name)?;
        let builds = self.builds(name).await?;
        if let Some(warming) = builds.iter().find(|build| build.state == WARMING) {
            return Ok(warming.generation);
        }
        let generation = builds.iter().map(|build| build.generation).max().unwrap_or(0) + 1;
        self.create(running.projection.as_ref(), generation, WARMING).await?;
        self.changed.send_modify(|times| *times += 1);
        Ok(generation)
    }

    /// How the build that warms up differs from the one that serves, table by table.
    ///
    /// # Errors
    /// When there is nothing to compare or the database fails.
    pub async fn difference(&self, name: &str) -> Result<Vec<Difference>, Error> {
        let projection = self.named(name)?.projection.clone();
        let (active, warming) = self.pair(name).await?;
        let mut differences = Vec::new();
        for table in projection.tables() {
            let columns = table.table.columns.join(", ");
            let missing = |from: i32, to: i32| {
                format!(
                    "select count(*) from (select {columns} from {} except select {columns} from {}) as missing",
                    table.name_of(from),
                    table.name_of(to)
                )
            };
            let (before, after) = (missing(active, warming), missing(warming, active));
            let (only_before, only_after) = on!(self.store.pool(), |db, _dialect| {
                let before = sqlx::query_scalar(AssertSqlSafe(before)).fetch_one(db).await?;
                (before, sqlx::query_scalar(AssertSqlSafe(after)).fetch_one(db).await?)
            });
            differences.push(Difference { table: table.table.name, only_before, only_after });
        }
        Ok(differences)
    }

    /// Puts the build that warms up in the place of the one that serves, in one transaction, and drops the old one.
    ///
    /// # Errors
    /// When there is no such build, it lags behind the one that serves, or the database fails.
    pub async fn switch(&self, name: &str) -> Result<(), Error> {
        const CAUGHT_UP: &str = "select count(*) from projections a, projections w where a.name = $1 and w.name = $1 \
             and a.generation = $2 and w.generation = $3 and w.position >= a.position";
        const ACTIVATE: &str = "update projections set state = 'ACTIVE' where name = $1 and generation = $2";
        let projection = self.named(name)?.projection.clone();
        let (active, warming) = self.pair(name).await?;
        let caught_up = transaction!(self.store.pool(), |tx, _upsert| {
            let caught_up: i64 = sqlx::query_scalar(CAUGHT_UP)
                .bind(name)
                .bind(active)
                .bind(warming)
                .fetch_one(&mut *tx)
                .await?;
            if caught_up == 1 {
                for sql in [DROP, DROP_PARKED] {
                    sqlx::query(sql).bind(name).bind(active).execute(&mut *tx).await?;
                }
                sqlx::query(ACTIVATE).bind(name).bind(warming).execute(&mut *tx).await?;
                for table in projection.tables() {
                    for sql in swap(table, active, warming) {
                        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                    }
                }
            }
            caught_up
        });
        if caught_up != 1 {
            return Err(Error::NotReady { projection: name.to_owned() });
        }
        self.changed.send_modify(|times| *times += 1);
        Ok(())
    }

    /// Ends a rebuild: switches to the new build, or drops it.
    ///
    /// # Errors
    /// When there is no new build, it lags behind the one that serves, or the database fails.
    pub async fn settle(&self, name: &str, switch: bool) -> Result<(), Error> {
        if switch {
            return self.switch(name).await;
        }
        let projection = self.named(name)?.projection.clone();
        let (_, warming) = self.pair(name).await?;
        transaction!(self.store.pool(), |tx, _upsert| {
            for sql in [DROP, DROP_PARKED] {
                sqlx::query(sql).bind(name).bind(warming).execute(&mut *tx).await?;
            }
            for table in projection.tables() {
                let sql = format!("drop table {}", table.name_of(warming));
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
        });
        self.changed.send_modify(|times| *times += 1);
        Ok(())
    }

    fn named(&self, name: &str) -> Result<&Running, Error> {
        let found = self.running.iter().find(|running| running.projection.name() == name);
        found.ok_or_else(|| Error::NotReady { projection: name.to_owned() })
    }

    async fn pair(&self, name: &str) -> Result<(i32, i32), Error> {
        let builds = self.builds(name).await?;
        let of = |state: &str| builds.iter().find(|build| build.state == state).map(|build| build.generation);
        of(ACTIVE).zip(of(WARMING)).ok_or_else(|| Error::NotReady { projection: name.to_owned() })
    }
}
