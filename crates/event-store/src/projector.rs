//! Runs projections: in batches, with the checkpoint in the transaction of the rows, one process at a time.
//!
//! Whoever writes holds a lease and the latest token. Every batch moves the checkpoint only if the token is still the
//! latest, inside its transaction: a process that slept past its lease writes nothing.
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use sqlx::AssertSqlSafe;
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;
use zhixing_domain::{Fact, Kind};

use crate::{
    Error, EventStore, Pool, error::is_about_data, pool::transaction, projection::Projection, stored,
    verify::MISSING,
};

mod builds;
mod parked;
mod progress;
mod rows;

pub use builds::Difference;
pub use progress::{Parked, Progress};
use rows::{Build, Rows, Taken, ddl};

/// Events taken in one transaction.
const BATCH: u32 = 500;
/// Why an event is parked whose rows the database refuses; its own words are for the log of the service.
const REFUSED: &str = "the database refuses the rows it writes";
/// How long after a failing database it is tried again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a process may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long before another takes over.
    pub lease: Duration,
    /// How often an idle owner says that it is there, and others look whether it still is.
    pub beat: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease: Duration::from_secs(10), beat: Duration::from_secs(3) }
    }
}

/// The projections of a process.
#[derive(Clone)]
pub struct Projector {
    store: EventStore,
    running: Arc<Vec<Running>>,
    /// Names this process among those that share the database.
    owner: Arc<str>,
    timing: Timing,
    /// A build appeared or was replaced.
    changed: watch::Sender<u64>,
}

struct Running {
    projection: Arc<dyn Projection>,
    /// Position reached by this process; what others reach stands in the database.
    reached: watch::Sender<i64>,
}

impl std::fmt::Debug for Projector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.running.iter().map(|running| running.projection.name()).collect();
        f.debug_struct("Projector").field("projections", &names).finish_non_exhaustive()
    }
}

const LEASED: &str = "update projections set token = token + 1, owner = $1, lease_until = $2 \
     where name = $3 and generation = $4 and (lease_until < $5 or owner = $1) returning token, position, state";
const FENCE: &str = "update projections set position = $1, lease_until = $2, progressed_at = $3, last_error = null \
     where name = $4 and generation = $5 and token = $6 and position = $7 returning state";
const BEATEN: &str = "update projections set lease_until = $1 where name = $2 and generation = $3 and token = $4 returning state";
const DROP: &str = "delete from projections where name = $1 and generation = $2";
const DROP_PARKED: &str = "delete from parked_events where name = $1 and generation = $2";
const RELEASED: &str = "update projections set lease_until = 0 where owner = $1";
const FAILED: &str =
    "update projections set last_error = $1 where name = $2 and generation = $3 and token = $4";
const PARK: &str = "insert into parked_events (name, generation, position, error, attempts, parked_at) \
     values ($1, $2, $3, $4, 1, $5) on conflict (name, generation, position) \
     do update set error = excluded.error, attempts = parked_events.attempts + 1";

impl Projector {
    /// Makes the tables of new projections and starts all of them. They run until the process ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(store: EventStore, projections: Vec<Arc<dyn Projection>>) -> Result<Self, Error> {
        Self::start_with(store, projections, Timing::default()).await
    }

    /// The same with other times: a test does not wait ten seconds for the end of a lease.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_with(
        store: EventStore,
        projections: Vec<Arc<dyn Projection>>,
        timing: Timing,
    ) -> Result<Self, Error> {
        let owner: Arc<str> = store.clock().new_id().to_string().into();
        let running = projections
            .into_iter()
            .map(|projection| Running { projection, reached: watch::Sender::new(0) })
            .collect();
        let (running, changed) = (Arc::new(running), watch::Sender::new(0));
        let projector = Self { store, running, owner, timing, changed };
        for at in 0..projector.running.len() {
            let projection = projector.running[at].projection.clone();
            let builds = projector.builds(projection.name()).await?;
            if !builds.iter().any(|build| build.version == projection.version()) {
                let generation = builds.iter().map(|build| build.generation).max().unwrap_or(0) + 1;
                let state = if builds.is_empty() { ACTIVE } else { WARMING };
                projector.create(projection.as_ref(), generation, state).await?;
            }
            tokio::spawn(projector.clone().run(at));
        }
        Ok(projector)
    }

    async fn builds(&self, name: &str) -> Result<Vec<Progress>, Error> {
        Ok(self.progress().await?.into_iter().filter(|build| build.name == name).collect())
    }

    async fn active(&self, name: &str) -> Result<Option<Progress>, Error> {
        Ok(self.builds(name).await?.into_iter().find(|build| build.state == ACTIVE))
    }

    fn now(&self) -> i64 {
        self.store.clock().now().timestamp_micros()
    }
    fn lease_end(&self) -> i64 {
        self.now() + i64::try_from(self.timing.lease.as_micros()).unwrap_or(i64::MAX)
    }

    /// Makes the tables of a build and, for the first one, the names that readers use.
    async fn create(&self, projection: &dyn Projection, generation: i32, state: &str) -> Result<(), Error> {
        const INSERT: &str = "insert into projections (name, generation, version, state, position, token, lease_until, \
             progressed_at) values ($1, $2, $3, $4, 0, 0, 0, $5) on conflict do nothing";
        let now = self.now();
        transaction!(self.store.pool(), |tx, _upsert| {
            let made = sqlx::query(INSERT)
                .bind(projection.name())
                .bind(generation)
                .bind(projection.version())
                .bind(state)
                .bind(now)
                .execute(&mut *tx)
                .await?;
            // Another process that started at the same moment makes the tables.
            if made.rows_affected() == 1 {
                for table in projection.tables() {
                    for sql in ddl(table, generation, state == ACTIVE) {
                        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
                    }
                }
            }
        });
        Ok(())
    }

    /// Gives the leases back, so that another process need not wait for their end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stop(&self) -> Result<(), Error> {
        transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(RELEASED).bind(&*self.owner).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Sees to it that every build of one projection is written by one task of this process, while its lease lasts.
    async fn run(self, at: usize) {
        let name = self.running[at].projection.name();
        let mut turns: HashMap<i32, JoinHandle<()>> = HashMap::new();
        let mut changed = self.changed.subscribe();
        while !self.store.is_closed() {
            match self.builds(name).await {
                Ok(builds) => {
                    turns.retain(|_, turn| !turn.is_finished());
                    let version = self.running[at].projection.version();
                    // A build of another version belongs to another release of the program.
                    for build in builds.into_iter().filter(|build| build.version == version) {
                        let turn = || tokio::spawn(self.clone().turn(at, build.generation));
                        turns.entry(build.generation).or_insert_with(turn);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, projection = name, "projections cannot be read: trying again");
                }
            }
            let _ = tokio::time::timeout(self.timing.beat, changed.changed()).await;
        }
    }

    /// One turn at writing a build; what goes wrong is noted, and the next turn tries again.
    async fn turn(self, at: usize, generation: i32) {
        let projection = self.running[at].projection.clone();
        let name = projection.name();
        if let Err(error) = self.write_build(at, projection.as_ref(), generation).await {
            tracing::warn!(%error, projection = name, generation, "a projection stopped: trying again");
            tokio::time::sleep(PAUSE).await;
        }
        self.changed.send_modify(|times| *times += 1);
    }

    /// Writes one build as long as this process holds its lease.
    async fn write_build(
        &self,
        at: usize,
        projection: &dyn Projection,
        generation: i32,
    ) -> Result<(), Error> {
        let leased: Option<(i64, i64, String)> = transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query_as(LEASED)
                .bind(&*self.owner)
                .bind(self.lease_end())
                .bind(projection.name())
                .bind(generation)
                .bind(self.now())
                .fetch_optional(&mut *tx)
                .await?
        });
        let Some((token, mut position, mut state)) = leased else {
            tokio::time::sleep(self.timing.beat).await;
            return Ok(());
        };
        let mut head = self.store.heads();
        let build = Build { projection, generation, token };
        // Read behind the lease: the log only grows.
        let end = self.store.pool().head().await?;
        if position > end {
            let projection = projection.name().to_owned();
            let error = Error::ProjectionAhead { projection, position, head: end };
            self.note(&build, &error).await?;
            return Err(error);
        }
        while !self.store.is_closed() {
            if state == ACTIVE {
                self.running[at].reached.send_if_modified(|reached| {
                    let moved = position > *reached;
                    *reached = position.max(*reached);
                    moved
                });
            }
            head.borrow_and_update();
            let page = match self.page(position).await {
                Ok(page) => page,
                Err(error) => {
                    self.note(&build, &error).await?;
                    return Err(error);
                }
            };
            let moved = if page.is_empty() {
                if state == WARMING && self.replaces_older(projection).await? {
                    tracing::info!(
                        projection = projection.name(),
                        generation,
                        "a new version has caught up: switching"
                    );
                    self.switch(projection.name()).await?;
                    ACTIVE.clone_into(&mut state);
                    continue;
                }
                match tokio::time::timeout(self.timing.beat, head.changed()).await {
                    Ok(_) => continue,
                    Err(_) => self.beat(&build).await,
                }
            } else {
                match self.batch(&build, position, &page, None).await {
                    Err(Error::Database(error)) if is_about_data(&error) => {
                        self.one_by_one(&build, position, &page).await
                    }
                    other => other,
                }
            };
            match moved {
                // Another process holds the token now, or the build was replaced.
                Ok(None) => return Ok(()),
                Ok(Some(now)) => state = now,
                Err(error) => {
                    self.note(&build, &error).await?;
                    return Err(error);
                }
            }
            position = page.last().map_or(position, |event| event.position);
        }
        Ok(())
    }

    /// The next events. One that cannot be read comes with the reason, one that is missing ends it.
    async fn page(&self, position: i64) -> Result<Vec<Taken>, Error> {
        let mut page = Vec::new();
        for (event, next) in
            self.store.pool().read_each(position, BATCH).await?.into_iter().zip(position + 1..)
        {
            if stored::position(&event) != Some(next) {
                return Err(Error::Broken { position: next, reason: MISSING });
            }
            page.push(Taken { position: next, event: event.map_err(|error| error.to_string()) });
        }
        Ok(page)
    }

    /// Whether the build that serves is of an older version: then the new one takes its place as soon as it has caught up.
    async fn replaces_older(&self, projection: &dyn Projection) -> Result<bool, Error> {
        let active = self.active(projection.name()).await?;
        Ok(active.is_some_and(|build| build.version != projection.version()))
    }

    /// Says that the owner is still there. The state of the build; `None` when the token is no longer the latest.
    async fn beat(&self, build: &Build<'_>) -> Result<Option<String>, Error> {
        Ok(transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query_scalar(BEATEN)
                .bind(self.lease_end())
                .bind(build.projection.name())
                .bind(build.generation)
                .bind(build.token)
                .fetch_optional(&mut *tx)
                .await?
        }))
    }

    async fn note(&self, build: &Build<'_>, error: &Error) -> Result<(), Error> {
        transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(FAILED)
                .bind(error.to_string())
                .bind(build.projection.name())
                .bind(build.generation)
                .bind(build.token)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Takes a batch whose rows the database refused: what cannot be stored is parked, the others go on.
    async fn one_by_one(
        &self,
        build: &Build<'_>,
        position: i64,
        page: &[Taken],
    ) -> Result<Option<String>, Error> {
        let (mut at, mut state) = (position, None);
        for event in page {
            let alone = std::slice::from_ref(event);
            state = match self.batch(build, at, alone, None).await {
                Err(Error::Database(error)) if is_about_data(&error) => {
                    tracing::error!(%error, position = event.position, "the rows of an event are refused");
                    self.batch(build, at, alone, Some(REFUSED)).await?
                }
                other => other?,
            };
            if state.is_none() {
                break;
            }
            at = event.position;
        }
        Ok(state)
    }

    /// Takes a batch: rows, parked events and checkpoint in one transaction. The state of the build; `None` when the token
    /// is no longer the latest, and then nothing was written. With `refused`, all of it is parked for this reason.
    async fn batch(
        &self,
        build: &Build<'_>,
        position: i64,
        page: &[Taken],
        refused: Option<&str>,
    ) -> Result<Option<String>, Error> {
        let facts = self.facts(page).await?;
        let mut rows = Rows::default();
        let mut parked = Vec::new();
        for taken in page {
            if let Some(reason) = refused {
                parked.push((taken.position, reason.to_owned()));
                continue;
            }
            match taken.project(build.projection, &facts) {
                Ok(writes) => rows.extend(writes),
                Err(error) => parked.push((taken.position, error)),
            }
        }
        let last = page.last().map_or(position, |event| event.position);
        let statements = rows.statements(build);
        let now = self.now();
        Ok(transaction!(self.store.pool(), |tx, upsert| {
            let state: Option<String> = sqlx::query_scalar(FENCE)
                .bind(last)
                .bind(self.lease_end())
                .bind(now)
                .bind(build.projection.name())
                .bind(build.generation)
                .bind(build.token)
                .bind(position)
                .fetch_optional(&mut *tx)
                .await?;
            if state.is_some() {
                for (name, columns, adds, json) in &statements {
                    let sql = upsert(name, columns, *adds);
                    sqlx::query(AssertSqlSafe(sql)).bind(json).execute(&mut *tx).await?;
                }
                for (position, error) in &parked {
                    tracing::error!(
                        projection = build.projection.name(),
                        position,
                        error,
                        "an event was parked"
                    );
                    sqlx::query(PARK)
                        .bind(build.projection.name())
                        .bind(build.generation)
                        .bind(position)
                        .bind(error)
                        .bind(now)
                        .execute(&mut *tx)
                        .await?;
                }
            }
            state
        }))
    }

    /// What the views know of the subjects of a page.
    async fn facts(&self, page: &[Taken]) -> Result<HashMap<Uuid, Fact>, Error> {
        let mut ids: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
        for event in page.iter().flat_map(|taken| &taken.event) {
            let of_kind = ids.entry(event.kind).or_default();
            if !of_kind.contains(&event.stream_id) {
                of_kind.push(event.stream_id);
            }
        }
        let mut facts = HashMap::new();
        for (kind, ids) in ids {
            facts.extend(self.store.facts(kind, &ids).await?.into_iter().map(|fact| (fact.id, fact)));
        }
        Ok(facts)
    }
}

const ACTIVE: &str = "ACTIVE";
const WARMING: &str = "WARMING";

impl Pool {
    /// Whether the pool was closed.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Postgres(db) => db.is_closed(),
            Self::Sqlite { writer, .. } => writer.is_closed(),
        }
    }
}
