//! How far projections have come, and waiting for one.
use std::time::Duration;

use super::Projector;
use crate::{Error, pool::on};

/// How often a waiting reader looks at a projection that another process runs.
const LOOK: Duration = Duration::from_millis(15);

/// How far a projection has come.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Progress {
    /// Its name.
    pub name: String,
    /// Which build of it.
    pub generation: i32,
    /// Version of its form.
    pub version: i32,
    /// `WARMING` beside an older build, or `ACTIVE`.
    pub state: String,
    /// Everything up to here is in it.
    pub position: i64,
    /// When it last moved, in microseconds since 1970.
    pub progressed_at: i64,
    /// What last went wrong.
    pub last_error: Option<String>,
    /// How many events it could not take.
    pub parked: i64,
}

/// An event that a projection could not take.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Parked {
    /// Where it stands.
    pub position: i64,
    /// Why not.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
}

const PROGRESS: &str = "select p.name, p.generation, p.version, p.state, p.position, p.progressed_at, p.last_error, \
     (select count(*) from parked_events e where e.name = p.name and e.generation = p.generation) as parked \
     from projections p order by p.name, p.generation";

impl Projector {
    /// How far every build of every projection has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn progress(&self) -> Result<Vec<Progress>, Error> {
        Ok(on!(self.store.pool(), |db, _dialect| sqlx::query_as(PROGRESS).fetch_all(db).await?))
    }

    /// The events that the active build of a projection could not take, first to last, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn parked(&self, name: &str, limit: u32) -> Result<Vec<Parked>, Error> {
        const SQL: &str = "select e.position, e.error, e.attempts from parked_events e join projections p \
             on p.name = e.name and p.generation = e.generation and p.state = 'ACTIVE' \
             where e.name = $1 order by e.position limit $2";
        Ok(on!(self.store.pool(), |db, _dialect| {
            sqlx::query_as(SQL).bind(name).bind(i64::from(limit)).fetch_all(db).await?
        }))
    }

    /// Waits until everything up to `position` is in the projection, at most `patience`. The position reached.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wait(&self, name: &str, position: i64, patience: Duration) -> Result<i64, Error> {
        let Some(running) = self.running.iter().find(|running| running.projection.name() == name) else {
            return Ok(0);
        };
        let mut local = running.reached.subscribe();
        let until = tokio::time::Instant::now() + patience;
        loop {
            let reached = *local.borrow_and_update();
            if reached >= position {
                return Ok(reached);
            }
            let stored = self.active(name).await?.map_or(0, |build| build.position);
            if stored >= position || tokio::time::Instant::now() >= until {
                return Ok(stored);
            }
            let _ = tokio::time::timeout(LOOK, local.changed()).await;
        }
    }
}
