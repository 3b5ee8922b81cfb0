//! The road of a command: load → decide → append with view rows → answer. And the roads of reading.
use std::{
    any::Any,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use futures_util::Stream;
use lru::LruCache;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use uuid::Uuid;
use zhixing_domain::{Aggregate, Clock, Command, Id, Rejection, Viewer};

use crate::{
    Error, Meta, Pool, View, Work,
    append::{CommandKey, Refusal, Seen, Writer},
    event::Shared,
    pool::{on, transaction},
    replica::Origin,
    tail::Tail,
    view::Known,
    work::{Loaded, share},
};

/// A command and how it is to be carried out.
#[derive(Clone, Debug)]
pub struct Order<C> {
    /// Who asks.
    pub viewer: Viewer,
    /// What they ask.
    pub command: C,
    /// Their id for it: a retry gets the first answer. At most 100 characters.
    pub command_id: Option<String>,
    /// The version of the object they had seen.
    pub expected_version: Option<i64>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What came of a command.
#[derive(Clone, Debug)]
pub struct Receipt<V> {
    /// The object after it.
    pub object: V,
    /// What happened.
    pub events: Vec<Shared>,
    /// Position of the last event; `None` when nothing was written.
    pub position: Option<i64>,
}

/// A point in the life of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// After this many events.
    Version(i64),
    /// At this instant.
    Time(DateTime<Utc>),
}

/// The log and its views.
#[derive(Clone)]
pub struct EventStore(Arc<Inner>);

struct Inner {
    pool: Pool,
    origin: Option<Origin>,
    clock: Arc<dyn Clock>,
    catalogue: Vec<Known>,
    writer: Writer,
    tail: Tail,
    cache: Mutex<LruCache<Uuid, Kept>>,
    /// Commands on one object queue up here instead of failing each other.
    turns: Vec<tokio::sync::Mutex<()>>,
}

/// An aggregate that is kept ready to decide.
#[derive(Clone)]
struct Kept {
    /// A [`Loaded`].
    loaded: Arc<dyn Any + Send + Sync>,
    /// Somebody else may have written since: what came is read before it is used.
    behind: bool,
}

impl std::fmt::Debug for EventStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStore").field("pool", &self.0.pool).finish_non_exhaustive()
    }
}

/// Aggregates kept ready to decide.
const CACHED: usize = 20_000;
/// Many more than commands at work, so that two on different objects hardly ever wait for each other.
const TURNS: usize = 4_096;
/// How often a command is decided anew because a rival of another process came first.
const TRIES: usize = 20;
/// A stream leaves a snapshot whenever it has so many events more. The last two are kept.
const SNAPSHOT_EVERY: i64 = 500;
/// Snapshots belong to one release: another may remember or show something else.
const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// Events read at once when a stream is folded.
const PAGE: u32 = 1_000;
/// Most characters of a command id.
const COMMAND_ID: usize = 100;

impl EventStore {
    /// Opens the log of this database. `catalogue` names every view.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(pool: Pool, clock: Arc<dyn Clock>, catalogue: Vec<Known>) -> Result<Self, Error> {
        let head = watch::Sender::new(pool.sound_head().await?);
        let origin = pool.origin().await?;
        let tail = Tail::start(pool.clone(), &head);
        let writer = Writer::start(pool.clone(), head);
        Ok(Self(Arc::new(Inner {
            pool,
            origin,
            clock,
            catalogue,
            writer,
            tail,
            cache: Mutex::new(LruCache::new(NonZeroUsize::new(CACHED).unwrap_or(NonZeroUsize::MIN))),
            turns: (0..TURNS).map(|_| tokio::sync::Mutex::new(())).collect(),
        })))
    }

    /// The database, for reading views.
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }
    /// The clock that was passed in.
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }
    /// Of which log this one was a copy when it was opened; nothing is appended to a copy.
    pub fn origin(&self) -> Option<&Origin> {
        self.0.origin.as_ref()
    }
    /// The way into the log.
    pub fn writer(&self) -> &Writer {
        &self.0.writer
    }
    /// Position of the last event known to this process.
    pub fn head(&self) -> i64 {
        self.0.tail.head()
    }
    /// Hears of every new position.
    pub fn heads(&self) -> watch::Receiver<i64> {
        self.0.tail.heads()
    }
    /// Whether the database was closed: the process is about to end.
    pub fn is_closed(&self) -> bool {
        self.0.pool.is_closed()
    }
    /// Every event behind `after`, for ever.
    pub fn follow(&self, after: i64) -> impl Stream<Item = Result<Shared, Error>> + Send + use<> {
        self.0.tail.follow(after)
    }

    /// Begins a work of several commands that are written together.
    pub fn begin<'s>(&'s self, viewer: &'s Viewer, command_id: Option<String>) -> Work<'s> {
        Work::new(self, viewer, command_id)
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// A rejection by the rules, or a failing database.
    pub async fn execute<V: View>(
        &self,
        order: Order<<V::Of as Aggregate>::Command>,
    ) -> Result<Receipt<V>, Error> {
        self.execute_at(order, None).await
    }

    /// The same for something that happened at another time than it is recorded.
    ///
    /// # Errors
    /// A rejection by the rules, or a failing database.
    pub async fn execute_at<V: View>(
        &self,
        order: Order<<V::Of as Aggregate>::Command>,
        happened_at: Option<DateTime<Utc>>,
    ) -> Result<Receipt<V>, Error> {
        let key =
            order.command_id.as_ref().map(|id| command_key(&order.viewer, id, &order.command)).transpose()?;
        let creates = order.command.target().is_none();
        let id = Id::new(order.command.target().unwrap_or_else(|| self.clock().new_id()));
        let _turn = if creates { None } else { Some(self.turn(id.uuid()).lock().await) };
        for _ in 0..TRIES {
            // Asked only now, and in every round: a twin of this command may have been at work meanwhile.
            if let Some(key) = &key
                && let Some(seen) = self.seen(key).await?
            {
                return self.first_answer(key, &seen).await;
            }
            let mut work = self.begin(&order.viewer, order.command_id.clone());
            if let Some(at) = happened_at {
                work.happened_at(at);
            }
            let decided = work.run::<V>(id, order.expected_version, order.command.clone()).await;
            let object = match decided {
                Ok(object) => object,
                // An old state may refuse what the present one allows.
                Err(Error::Rejected(_)) if self.is_stale(&work, id.uuid()).await? => {
                    self.doubt(id.uuid());
                    continue;
                }
                Err(error) => return Err(error),
            };
            // What is written is checked by the commit; a trial and what changes nothing have to be checked here.
            let unchecked = order.dry_run || work.events().next().is_none();
            if unchecked && self.is_stale(&work, id.uuid()).await? {
                self.doubt(id.uuid());
                continue;
            }
            if order.dry_run {
                work.check_claims().await?;
                let events = share(work.events().cloned());
                return Ok(Receipt { object, events, position: None });
            }
            match work.commit(key.clone()).await {
                Ok(events) => {
                    let position = events.last().map(|event| event.position);
                    return Ok(Receipt { object, events, position });
                }
                Err(Refusal::Conflict { actual, .. }) => {
                    if let Some(expected) = order.expected_version {
                        return Err(Rejection::VersionConflict { expected, actual }.into());
                    }
                }
                Err(Refusal::Seen(seen)) => match &key {
                    Some(key) => return self.first_answer(key, &seen).await,
                    None => return Err(Rejection::CommandIdReused.into()),
                },
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Err(Error::Busy)
    }

    /// Where the events of a command done before stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seen(&self, key: &CommandKey) -> Result<Option<Seen>, Error> {
        const SEEN: &str = "select fingerprint, first_position, last_position from commands \
             where actor = $1 and command_id = $2";
        let row: Option<(Vec<u8>, i64, i64)> = on!(&self.0.pool, |db, _dialect| {
            sqlx::query_as(SEEN).bind(&key.actor).bind(&key.id).fetch_optional(db).await?
        });
        Ok(row.map(|(fingerprint, first, last)| Seen { fingerprint, first, last }))
    }

    /// The answer that a command got the first time: its events, and the object as it was after them.
    async fn first_answer<V: View>(&self, key: &CommandKey, seen: &Seen) -> Result<Receipt<V>, Error> {
        if seen.fingerprint != key.fingerprint {
            return Err(Rejection::CommandIdReused.into());
        }
        let count = u32::try_from(seen.last - seen.first + 1).unwrap_or(u32::MAX);
        let events = share(self.0.pool.read_log(seen.first - 1, count).await?);
        let last =
            events.last().filter(|event| event.kind == V::Of::KIND).ok_or(Rejection::CommandIdReused)?;
        let object = self.as_of::<V>(Id::new(last.stream_id), AsOf::Version(last.version)).await?;
        let object = object.ok_or(Rejection::CommandIdReused)?;
        Ok(Receipt { object, position: Some(seen.last), events })
    }

    /// The aggregate's row as it was then; `None` when it did not exist yet.
    ///
    /// # Errors
    /// When the database fails or an event cannot be read.
    pub async fn as_of<V: View>(&self, id: Id<V::Of>, until: AsOf) -> Result<Option<V>, Error> {
        let base = match until {
            AsOf::Version(version) => self.snapshot_at::<V>(id, version).await?,
            // Snapshots do not say of when they are.
            AsOf::Time(_) => Loaded::new(),
        };
        Ok(self.fold_on::<V>(id, base, Some(until)).await?.row)
    }

    /// The decision state, as it is now.
    ///
    /// # Errors
    /// When the database fails or an event cannot be read.
    pub async fn state<V: View>(&self, id: Id<V::Of>) -> Result<V::Of, Error> {
        Ok(self.load::<V>(id).await?.0.state.clone())
    }

    /// The aggregate, and whether it came from the cache, so that it may be out of date.
    pub(crate) async fn load<V: View>(&self, id: Id<V::Of>) -> Result<(Arc<Loaded<V>>, bool), Error> {
        let kept = self.cache().get(&id.uuid()).cloned();
        let kept = kept.and_then(|kept| Some((kept.loaded.downcast::<Loaded<V>>().ok()?, kept.behind)));
        let loaded = match kept {
            Some((loaded, false)) => return Ok((loaded, true)),
            Some((loaded, true)) => {
                let caught_up = self.fold_on::<V>(id, Loaded::clone(&loaded), None).await;
                caught_up.inspect_err(|_| self.forget(id.uuid()))?
            }
            None => {
                let base = self.snapshot_at::<V>(id, i64::MAX).await?;
                let kept = base.version;
                let loaded = self.fold_on::<V>(id, base, None).await?;
                self.grown::<V>(id.uuid(), kept, &loaded);
                loaded
            }
        };
        let loaded = Arc::new(loaded);
        if loaded.version > 0 {
            self.remember(id.uuid(), loaded.clone());
        }
        Ok((loaded, false))
    }

    /// The aggregate as its last snapshot of this release up to a version has it; the beginning when there is none.
    async fn snapshot_at<V: View>(&self, id: Id<V::Of>, until: i64) -> Result<Loaded<V>, Error> {
        const SNAPSHOT: &str = "select version, state, view_row from snapshots \
             where id = $1 and release = $2 and version <= $3 order by version desc limit 1";
        let found: Option<(i64, String, String)> = on!(&self.0.pool, |db, _dialect| {
            sqlx::query_as(SNAPSHOT).bind(id.uuid()).bind(RELEASE).bind(until).fetch_optional(db).await?
        });
        let read = |(version, state, row): (i64, String, String)| {
            let (state, row) = (serde_json::from_str(&state).ok()?, serde_json::from_str(&row).ok()?);
            Some(Loaded { version, state, row: Some(row) })
        };
        Ok(found.and_then(read).unwrap_or_else(Loaded::new))
    }

    /// A stream now stands as in `loaded`: after every [`SNAPSHOT_EVERY`] events that is kept.
    pub(crate) fn grown<V: View>(&self, id: Uuid, before: i64, loaded: &(dyn Any + Send + Sync)) {
        if let Some(loaded) = loaded.downcast_ref::<Loaded<V>>()
            && loaded.version / SNAPSHOT_EVERY > before / SNAPSHOT_EVERY
        {
            self.snapshot(Id::new(id), loaded);
        }
    }

    /// Keeps what is known of a long stream. It may fail: it only saves time.
    fn snapshot<V: View>(&self, id: Id<V::Of>, loaded: &Loaded<V>) {
        const KEEP: &str = "insert into snapshots (id, version, release, state, view_row) values ($1, $2, $3, $4, $5) \
             on conflict (id, version) do update set release = excluded.release, state = excluded.state, \
             view_row = excluded.view_row";
        const CLEAR: &str = "delete from snapshots where id = $1 and (release <> $2 \
             or version <= (select max(version) from snapshots where id = $1) - $3)";
        let Some(row) = &loaded.row else { return };
        let (Ok(state), Ok(row)) = (serde_json::to_string(&loaded.state), serde_json::to_string(row)) else {
            return;
        };
        let (store, version) = (self.clone(), loaded.version);
        tokio::spawn(async move {
            let keep = async {
                transaction!(&store.0.pool, |tx, _upsert| {
                    let keep = sqlx::query(KEEP).bind(id.uuid()).bind(version).bind(RELEASE);
                    keep.bind(state).bind(row).execute(&mut *tx).await?;
                    let clear = sqlx::query(CLEAR).bind(id.uuid()).bind(RELEASE).bind(2 * SNAPSHOT_EVERY);
                    clear.execute(&mut *tx).await?;
                });
                Ok::<(), Error>(())
            };
            if let Err(error) = keep.await {
                tracing::debug!(%error, "a snapshot was not kept");
            }
        });
    }

    /// The aggregate after the events behind `loaded`.
    async fn fold_on<V: View>(
        &self,
        id: Id<V::Of>,
        mut loaded: Loaded<V>,
        until: Option<AsOf>,
    ) -> Result<Loaded<V>, Error> {
        loop {
            let wanted = match until {
                Some(AsOf::Version(version)) => (version - loaded.version).clamp(0, PAGE.into()),
                _ => PAGE.into(),
            };
            let wanted = u32::try_from(wanted).unwrap_or(PAGE);
            let page = self.0.pool.read_stream(id.uuid(), loaded.version, wanted).await?;
            let last = page.len() < PAGE as usize;
            for event in page {
                let past = matches!(until, Some(AsOf::Time(at)) if event.recorded_at > at);
                // An id of another kind is nobody's stream here.
                if past || event.kind != V::Of::KIND {
                    return Ok(loaded);
                }
                let meta =
                    Meta { id, version: event.version, actor: event.actor.clone(), at: event.recorded_at };
                loaded.apply(&event.decode::<V::Of>()?, &meta);
            }
            if last {
                return Ok(loaded);
            }
        }
    }

    /// Keeps a [`Loaded`] for the next command.
    pub(crate) fn remember(&self, id: Uuid, loaded: Arc<dyn Any + Send + Sync>) {
        self.cache().put(id, Kept { loaded, behind: false });
    }
    /// Somebody else may have written this aggregate: the next command reads what came.
    pub(crate) fn doubt(&self, id: Uuid) {
        if let Some(kept) = self.cache().get_mut(&id) {
            kept.behind = true;
        }
    }
    /// Every view, as the store was told of it.
    pub(crate) fn catalogue(&self) -> &[Known] {
        &self.0.catalogue
    }
    pub(crate) fn forget_all(&self) {
        self.cache().clear();
    }
    /// Lets go of an aggregate that was kept ready: the next command reads it anew.
    pub fn forget(&self, id: Uuid) {
        self.cache().pop(&id);
    }
    fn cache(&self) -> std::sync::MutexGuard<'_, LruCache<Uuid, Kept>> {
        // A panic while the cache was held leaves it whole: entries are replaced, never half changed.
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn turn(&self, id: Uuid) -> &tokio::sync::Mutex<()> {
        // The last bytes of an id are random.
        &self.0.turns[usize::from(u16::from_be_bytes([id.as_bytes()[14], id.as_bytes()[15]])) % TURNS]
    }

    /// Whether a work decided on a cached state that another process has moved on from.
    async fn is_stale(&self, work: &Work<'_>, id: Uuid) -> Result<bool, Error> {
        const VERSION: &str = "select version from events where stream_id = $1 order by version desc limit 1";
        let Some(decided_on) = work.decided_on_cached(id) else { return Ok(false) };
        let actual: Option<i64> = on!(&self.0.pool, |db, _dialect| {
            sqlx::query_scalar(VERSION).bind(id).fetch_optional(db).await?
        });
        Ok(actual.unwrap_or(0) != decided_on)
    }
}

/// What makes a retry recognisable: whose id it is, and a fingerprint of the command.
///
/// # Errors
/// When the id is not 1 to 100 visible ASCII characters.
pub fn command_key(viewer: &Viewer, id: &str, command: &impl Command) -> Result<CommandKey, Error> {
    let body = serde_json::to_vec(command)?;
    fingerprinted(viewer, id, command.action(), &body)
}

/// The same for a command that is not one of an aggregate, such as the import of a file.
///
/// # Errors
/// When the id is not 1 to 100 visible ASCII characters.
pub fn fingerprinted(viewer: &Viewer, id: &str, action: &str, body: &[u8]) -> Result<CommandKey, Error> {
    if id.is_empty() || id.len() > COMMAND_ID || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        let reason = format!("is not 1 to {COMMAND_ID} visible ASCII characters");
        return Err(Rejection::invalid("commandId", reason).into());
    }
    let mut hasher = Sha256::new();
    hasher.update(action);
    hasher.update([0]);
    hasher.update(body);
    Ok(CommandKey { actor: viewer.actor.clone(), id: id.into(), fingerprint: hasher.finalize().to_vec() })
}
