//! How events get their positions: group commit.
//!
//! Appends of one process are gathered and written in one transaction that holds the single row of `log_head`, so
//! positions are contiguous and in commit order, over all processes on one database. Each append is judged by itself: a
//! conflict fails its own append and nobody else's. A lone append does not wait for company.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use sqlx::SqlitePool;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;
use zhixing_domain::{Claim, Kind};

use crate::{
    Error, Pool, Recorded,
    error::{Unanswered, is_about_data},
    event::Shared,
    partitions, postgres, sqlite,
    view::{Link, Table, WriteRow},
};

/// Everything one command wants written, or nothing of it.
#[derive(Clone, Debug, Default)]
pub struct Append {
    /// Streams to extend. Events carry their final version; position and hash are filled in.
    pub streams: Vec<Extension>,
    /// The caller's id for the command.
    pub command: Option<CommandKey>,
    /// View rows to write.
    pub rows: Vec<WriteRow>,
    /// Links of each object that changed: what it names now.
    pub links: Vec<Named>,
}

/// Events for the end of one stream.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The stream.
    pub stream_id: Uuid,
    /// The version it must have.
    pub expected: i64,
    /// What happened.
    pub events: Vec<Recorded>,
    /// Unique keys to take or give back; giving back what another stream holds does nothing.
    pub claims: Vec<Claim>,
}

/// What an object names: added and removed links.
#[derive(Clone, Debug)]
pub struct Named {
    /// The object.
    pub source_id: Uuid,
    /// Of what kind it is.
    pub source_kind: Kind,
    /// Links it no longer has.
    pub removed: Vec<Link>,
    /// Links it did not have before.
    pub added: Vec<Link>,
}

/// A caller's id for a command, and what the command was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CommandKey {
    /// Whose id it is: two callers may use the same.
    pub actor: String,
    /// The id.
    pub id: String,
    /// SHA-256 of the command.
    pub fingerprint: Vec<u8>,
}

/// Why an append was not written.
#[derive(Debug)]
pub enum Refusal {
    /// The stream has another version.
    Conflict {
        /// Which stream.
        stream_id: Uuid,
        /// The version it has.
        actual: i64,
    },
    /// Somebody else holds the key.
    Taken {
        /// The key.
        claim: Claim,
        /// Of what kind the append's stream is.
        kind: Kind,
        /// Who holds it.
        holder: Uuid,
    },
    /// The command was done before: where its events stand, if it was the same command.
    Seen(Seen),
    /// The log is a copy of another one, which alone appends to it.
    ReadOnly {
        /// What the other log calls itself.
        origin: String,
    },
    /// The database failed; whether the append was written is unknown.
    Failed(Arc<sqlx::Error>),
    /// The writer has stopped.
    Closed,
}

/// A command that was done before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// SHA-256 of what it was.
    pub fingerprint: Vec<u8>,
    /// Position of its first event.
    pub first: i64,
    /// Position of its last event.
    pub last: i64,
}

/// What came of an append.
pub type Outcome = Result<Vec<Shared>, Refusal>;

/// Most appends that wait for the writer; more callers wait to be let in.
const QUEUE: usize = 1_024;
/// Most appends and events written in one transaction.
const MOST_APPENDS: usize = 256;
const MOST_EVENTS: usize = 4_096;
/// How long the database may take to write a batch. Longer than the waits for a connection and for SQLite's lock.
const ANSWER: Duration = Duration::from_secs(30);

/// The only way into the log of this process.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: mpsc::Sender<(Append, oneshot::Sender<Outcome>)>,
}

impl Writer {
    /// Starts the writer; `head` is told of every position that was committed.
    pub fn start(pool: Pool, head: watch::Sender<i64>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        if let Pool::Postgres(db) = &pool {
            tokio::spawn(partitions::keep_ahead(db.clone(), head.subscribe()));
        }
        tokio::spawn(run(Log::of(pool), waiting, head));
        Self { queue }
    }

    /// Writes an append, whole or not at all.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub async fn append(&self, append: Append) -> Outcome {
        let (answer, outcome) = oneshot::channel();
        self.queue.send((append, answer)).await.map_err(|_| Refusal::Closed)?;
        outcome.await.map_err(|_| Refusal::Closed)?
    }
}

/// Where batches go.
pub(crate) enum Log {
    Postgres(postgres::Log),
    Sqlite(SqlitePool),
}

impl Log {
    pub(crate) fn of(pool: Pool) -> Self {
        match pool {
            Pool::Postgres(db) => Self::Postgres(postgres::Log::of(db)),
            Pool::Sqlite { writer, .. } => Self::Sqlite(writer),
        }
    }

    /// Writes what can be written of a batch; `told` is the last position that this process was told of.
    async fn commit(&mut self, appends: &[Append], told: i64) -> Result<Vec<Outcome>, sqlx::Error> {
        self.commit_within(appends, told, ANSWER).await
    }

    /// The same, or says in bounded time that nobody knows whether it was written.
    pub(crate) async fn commit_within(
        &mut self,
        appends: &[Append],
        told: i64,
        patience: Duration,
    ) -> Result<Vec<Outcome>, sqlx::Error> {
        let written = async {
            match self {
                Self::Postgres(log) => partitions::commit(log, appends, told).await,
                Self::Sqlite(writer) => sqlite::commit(writer, appends).await,
            }
        };
        tokio::time::timeout(patience, written).await.unwrap_or_else(|_| Err(Unanswered::error()))
    }
}

async fn run(
    mut log: Log,
    mut waiting: mpsc::Receiver<(Append, oneshot::Sender<Outcome>)>,
    head: watch::Sender<i64>,
) {
    while let Some(first) = waiting.recv().await {
        let mut events = size(&first.0);
        let mut batch = vec![first];
        while batch.len() < MOST_APPENDS && events < MOST_EVENTS {
            let Ok(next) = waiting.try_recv() else { break };
            events += size(&next.0);
            batch.push(next);
        }
        let (appends, answers): (Vec<Append>, Vec<_>) = batch.into_iter().unzip();
        let told = *head.borrow();
        let outcomes = write(&mut log, &appends, told).await;
        let shared = answers.len() > 1;
        let last = outcomes.iter().flatten().flatten().map(|event| event.position).max();
        if let Some(last) = last {
            head.send_modify(|position| *position = last.max(*position));
        }
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // A caller that went away does not undo what was written.
            let _ = answer.send(outcome);
        }
        // Those who were answered together may have more: let them come before the next batch is closed.
        if shared {
            tokio::task::yield_now().await;
        }
    }
}

pub(crate) fn size(append: &Append) -> usize {
    append.streams.iter().map(|stream| stream.events.len()).sum()
}

/// Writes a batch. When the database refuses what is in it, each append is tried alone, so that one that cannot be
/// stored does not fail the others. When the database itself fails, all fail at once: trying each would take as many
/// times as long.
async fn write(log: &mut Log, appends: &[Append], told: i64) -> Vec<Outcome> {
    match log.commit(appends, told).await {
        Ok(outcomes) => outcomes,
        Err(error) if appends.len() > 1 && is_about_data(&error) => {
            tracing::warn!(%error, appends = appends.len(), "a batch was refused: writing its appends one by one");
            let mut outcomes = Vec::with_capacity(appends.len());
            let mut fault: Option<Arc<sqlx::Error>> = None;
            for append in appends {
                outcomes.push(match &fault {
                    Some(fault) => Err(Refusal::Failed(fault.clone())),
                    None => match log.commit(std::slice::from_ref(append), told).await {
                        Ok(mut outcomes) => outcomes.pop().unwrap_or(Err(Refusal::Closed)),
                        Err(error) => {
                            let concerns_all = !is_about_data(&error);
                            let error = Arc::new(error);
                            fault = concerns_all.then(|| error.clone());
                            Err(Refusal::Failed(error))
                        }
                    },
                });
            }
            outcomes
        }
        Err(error) => {
            tracing::error!(%error, "the log could not be written");
            let error = Arc::new(error);
            appends.iter().map(|_| Err(Refusal::Failed(error.clone()))).collect()
        }
    }
}

/// The end of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// Position of the last event.
    pub position: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// What the database says before anything is judged, read while the head is locked.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// The end of the log.
    pub head: Head,
    /// Present versions of the streams.
    pub versions: HashMap<Uuid, i64>,
    /// Holders of the keys to be taken or given back.
    pub claims: HashMap<(String, String), Uuid>,
    /// Commands done before.
    pub commands: HashMap<(String, String), Seen>,
    /// Of which log this one is a copy.
    pub origin: Option<String>,
}

impl Before {
    /// What must be so if nothing speaks against any of these appends. `None` when one gives back a key or takes away a
    /// link: that is done only while the head is held.
    pub(crate) fn presumed(head: Head, appends: &[Append]) -> Option<Self> {
        let mut presumed = Self { head, ..Self::default() };
        for append in appends {
            let gives_back = append.streams.iter().flat_map(|stream| &stream.claims).any(|claim| !claim.held);
            if gives_back || append.links.iter().any(|named| !named.removed.is_empty()) {
                return None;
            }
            for stream in &append.streams {
                presumed.versions.entry(stream.stream_id).or_insert(stream.expected);
            }
        }
        Some(presumed)
    }
}

/// What is to be asked of the database first.
pub(crate) struct Questions<'a> {
    pub streams: Vec<Uuid>,
    pub claims: Vec<&'a Claim>,
    pub commands: Vec<&'a CommandKey>,
}

impl<'a> Questions<'a> {
    pub(crate) fn of(appends: &'a [Append]) -> Self {
        let extensions = || appends.iter().flat_map(|append| &append.streams);
        let mut streams: Vec<Uuid> = extensions().map(|stream| stream.stream_id).collect();
        streams.sort_unstable();
        streams.dedup();
        let claims = extensions().flat_map(|stream| &stream.claims).collect();
        let commands = appends.iter().filter_map(|append| append.command.as_ref()).collect();
        Self { streams, claims, commands }
    }
}

/// The writes of a batch after each append was judged.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub outcomes: Vec<Outcome>,
    pub events: Vec<Shared>,
    /// The end of the log after it.
    pub head: Head,
    pub commands: Vec<(&'a CommandKey, i64, i64)>,
    pub taken: BTreeMap<(&'static str, &'a str), (Kind, Uuid)>,
    pub released: BTreeSet<(&'static str, &'a str)>,
    /// JSON array of rows for each table.
    pub rows: Vec<(&'static Table, String)>,
    /// The last word on each link: of what kind its source is, or that it is no longer there.
    pub links: BTreeMap<(Uuid, Link), Option<Kind>>,
}

impl Plan<'_> {
    /// Nothing but a log that ends there.
    pub(crate) fn of(head: Head) -> Self {
        Self {
            outcomes: Vec::new(),
            events: Vec::new(),
            head,
            commands: Vec::new(),
            taken: BTreeMap::new(),
            released: BTreeSet::new(),
            rows: Vec::new(),
            links: BTreeMap::new(),
        }
    }
}

/// Judges every append in the order of arrival, each against what the ones before it will have done.
pub(crate) fn plan(mut before: Before, appends: &[Append]) -> Plan<'_> {
    let mut plan = Plan::of(std::mem::take(&mut before.head));
    let mut rows: Vec<&WriteRow> = Vec::new();
    for append in appends {
        if let Err(refusal) = judge(&before, append) {
            plan.outcomes.push(Err(refusal));
            continue;
        }
        let first = plan.head.position + 1;
        let mut recorded = Vec::with_capacity(size(append));
        for stream in &append.streams {
            for event in &stream.events {
                plan.head.position += 1;
                let mut event = Recorded { position: plan.head.position, ..event.clone() };
                event.hash = event.chained(&plan.head.hash);
                plan.head.hash.clone_from(&event.hash);
                recorded.push(Arc::new(event));
            }
            before
                .versions
                .insert(stream.stream_id, stream.expected + i64::try_from(stream.events.len()).unwrap_or(0));
            for claim in &stream.claims {
                let key = (claim.scope, claim.key.as_str());
                let owned = (claim.scope.to_owned(), claim.key.clone());
                if claim.held {
                    if before.claims.insert(owned, stream.stream_id) != Some(stream.stream_id) {
                        let kind = stream.events.first().map_or(Kind::Unit, |event| event.kind);
                        plan.taken.insert(key, (kind, stream.stream_id));
                    }
                } else if before.claims.get(&owned) == Some(&stream.stream_id) {
                    before.claims.remove(&owned);
                    plan.taken.remove(&key);
                    plan.released.insert(key);
                }
            }
        }
        if let Some(key) = &append.command {
            let seen = Seen { fingerprint: key.fingerprint.clone(), first, last: plan.head.position };
            before.commands.insert((key.actor.clone(), key.id.clone()), seen);
            plan.commands.push((key, first, plan.head.position));
        }
        rows.extend(&append.rows);
        for named in &append.links {
            let removed = named.removed.iter().map(|link| ((named.source_id, *link), None));
            let added = named.added.iter().map(|link| ((named.source_id, *link), Some(named.source_kind)));
            plan.links.extend(removed.chain(added));
        }
        plan.events.extend(recorded.iter().cloned());
        plan.outcomes.push(Ok(recorded));
    }
    plan.rows = by_table(rows);
    plan
}

/// One JSON array of rows for each table; of rows with the same key, the last.
pub(crate) fn by_table<'r>(rows: impl IntoIterator<Item = &'r WriteRow>) -> Vec<(&'static Table, String)> {
    let mut tables: BTreeMap<&'static str, (&'static Table, BTreeMap<Uuid, &str>)> = BTreeMap::new();
    for WriteRow { table, key, json } in rows {
        tables.entry(table.name).or_insert_with(|| (table, BTreeMap::new())).1.insert(*key, json);
    }
    let array =
        |rows: BTreeMap<Uuid, &str>| format!("[{}]", rows.into_values().collect::<Vec<_>>().join(","));
    tables.into_values().map(|(table, rows)| (table, array(rows))).collect()
}

fn judge(before: &Before, append: &Append) -> Result<(), Refusal> {
    if let Some(origin) = &before.origin {
        return Err(Refusal::ReadOnly { origin: origin.clone() });
    }
    if let Some(key) = &append.command
        && let Some(seen) = before.commands.get(&(key.actor.clone(), key.id.clone()))
    {
        return Err(Refusal::Seen(seen.clone()));
    }
    for stream in &append.streams {
        let actual = before.versions.get(&stream.stream_id).copied().unwrap_or(0);
        if actual != stream.expected {
            return Err(Refusal::Conflict { stream_id: stream.stream_id, actual });
        }
    }
    let mut held: HashMap<(&str, &str), Option<Uuid>> = HashMap::new();
    for stream in &append.streams {
        for claim in &stream.claims {
            let key = (claim.scope, claim.key.as_str());
            let stored = || before.claims.get(&(claim.scope.to_owned(), claim.key.clone())).copied();
            let holder = held.get(&key).copied().unwrap_or_else(stored);
            if !claim.held {
                // Only what is one's own can be given back.
                if holder == Some(stream.stream_id) {
                    held.insert(key, None);
                }
                continue;
            }
            if let Some(holder) = holder.filter(|holder| *holder != stream.stream_id) {
                let kind = stream.events.first().map_or(Kind::Unit, |event| event.kind);
                return Err(Refusal::Taken { claim: claim.clone(), kind, holder });
            }
            held.insert(key, Some(stream.stream_id));
        }
    }
    Ok(())
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict { .. } => Self::Busy,
            Refusal::Taken { claim, kind, holder } => {
                Self::Rejected(zhixing_domain::Rejection::AlreadyExists {
                    kind,
                    field: claim.field.into(),
                    existing: Some(holder),
                })
            }
            Refusal::Seen(_) => Self::Rejected(zhixing_domain::Rejection::CommandIdReused),
            Refusal::ReadOnly { origin } => Self::ReadOnly { origin },
            Refusal::Failed(error) if Unanswered::is(&error) => Self::OutcomeUnknown,
            Refusal::Failed(error) => Self::Database(
                Arc::try_unwrap(error).unwrap_or_else(|shared| sqlx::Error::Protocol(shared.to_string())),
            ),
            Refusal::Closed => Self::Closed,
        }
    }
}
