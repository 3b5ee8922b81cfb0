//! Events that a projection could not take, tried again.
use sqlx::AssertSqlSafe;

use super::{
    PARK, Projector, REFUSED,
    rows::{Build, Rows, Taken},
};
use crate::{Error, error::is_about_data, pool::transaction, projection::Write, stored, verify::MISSING};

impl Projector {
    /// Tries the parked events of the active build again; how many remain.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(&self, name: &str) -> Result<i64, Error> {
        const MOST: u32 = 10_000;
        let (Some(running), Some(active)) =
            (self.running.iter().find(|running| running.projection.name() == name), self.active(name).await?)
        else {
            return Ok(0);
        };
        let build =
            Build { projection: running.projection.as_ref(), generation: active.generation, token: 0 };
        let mut remaining = 0;
        for parked in self.parked(name, MOST).await? {
            let page = self.store.pool().read_each(parked.position - 1, 1).await?;
            let event =
                page.into_iter().next().filter(|event| stored::position(event) == Some(parked.position));
            let event = event.ok_or(Error::Broken { position: parked.position, reason: MISSING }).flatten();
            let taken = Taken { position: parked.position, event: event.map_err(|error| error.to_string()) };
            let facts = self.facts(std::slice::from_ref(&taken)).await?;
            let failure = match taken.project(build.projection, &facts) {
                Ok(writes) => match self.unpark(&build, parked.position, writes).await {
                    Err(Error::Database(error)) if is_about_data(&error) => {
                        tracing::error!(%error, position = parked.position, "the rows of an event are refused");
                        Some(REFUSED.to_owned())
                    }
                    other => other.map(|()| None)?,
                },
                Err(error) => Some(error),
            };
            let Some(error) = failure else { continue };
            remaining += 1;
            let now = self.now();
            transaction!(self.store.pool(), |tx, _upsert| {
                sqlx::query(PARK)
                    .bind(name)
                    .bind(build.generation)
                    .bind(parked.position)
                    .bind(&error)
                    .bind(now)
                    .execute(&mut *tx)
                    .await?;
            });
        }
        Ok(remaining)
    }

    /// Writes what a parked event writes, once, whoever else tries at the same moment.
    async fn unpark(&self, build: &Build<'_>, position: i64, writes: Vec<Write>) -> Result<(), Error> {
        const UNPARK: &str =
            "delete from parked_events where name = $1 and generation = $2 and position = $3";
        let mut rows = Rows::default();
        rows.extend(writes);
        let statements = rows.statements(build);
        transaction!(self.store.pool(), |tx, upsert| {
            let taken = sqlx::query(UNPARK)
                .bind(build.projection.name())
                .bind(build.generation)
                .bind(position)
                .execute(&mut *tx)
                .await?;
            if taken.rows_affected() == 1 {
                for (table, columns, adds, json) in &statements {
                    let sql = upsert(table, columns, *adds);
                    sqlx::query(AssertSqlSafe(sql)).bind(json).execute(&mut *tx).await?;
                }
            }
        });
        Ok(())
    }
}
