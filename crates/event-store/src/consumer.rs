//! Durable readers of the log (持久消费者). A consumer is a position: what lies behind it is still to be handed out.
//!
//! What was handed out stays with the consumer until it is acknowledged, one row a subject: acknowledged so far, to be
//! handed out as far as. As long as a subject has such a row, its further events only move the row's end, so nobody is
//! handed an event before those that came earlier to the same subject are acknowledged. Other subjects go on: a subject
//! that nobody can take stops itself alone. When its last event is acknowledged the row goes.
//!
//! Whoever claims gets a token and a time; afterwards the same events are handed to others. An event is handed out at
//! least once, never lost. Several processes and many members of a group may claim from one consumer at once: every change
//! moves a revision, and a change that rests on a former revision is not made.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_domain::Kind;

use crate::{
    Error, EventStore, Recorded,
    event::Shared,
    pool::{on, transaction},
};

mod row;

pub use row::Behind;
use row::{COLUMNS, TABLE, key};

/// Most subjects of one consumer that can wait for acknowledgement; then no further ones are begun.
pub const MOST_BEHIND: usize = 10_000;
/// Most events of one claim.
pub const MOST_CLAIMED: usize = 1_000;
/// Most events of one subject that are handed out again at once.
const MOST_OF_A_SUBJECT: u32 = 100;
/// Events looked through by one claim.
const LOOKED_THROUGH: usize = 20_000;
/// Events read at once.
const PAGE: u32 = 500;
/// How often a claim is tried when others change the same consumer.
const TRIES: usize = 8;

/// Which events a consumer is for. It may look things up, so it is asked one after the other.
pub trait Wanted: Sync {
    /// Whether this event is to be handed out.
    ///
    /// # Errors
    /// When that cannot be found out now: nothing is handed out then, and nothing is passed over.
    fn wants(&self, event: &Recorded) -> impl Future<Output = Result<bool, Error>> + Send;
}

/// Events of one subject, to be taken in order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Whose they are.
    pub subject: Uuid,
    /// Proves that they were handed to whoever acknowledges them.
    pub token: Uuid,
    /// How often in a row they were handed out without any progress.
    pub attempts: u32,
    /// Since when that is so.
    pub failing_since: Option<DateTime<Utc>>,
    /// The events.
    pub events: Vec<Shared>,
    /// What is acknowledged when all of them are: the last position that was looked at.
    pub through: i64,
}

/// How the events of a [`Batch`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken as far as said; what is left is handed out again at once.
    Taken,
    /// Handed out again, not before this instant.
    Later {
        /// When.
        not_before: DateTime<Utc>,
        /// What went wrong.
        reason: String,
    },
    /// Not handed out again until somebody asks for it.
    Parked {
        /// What went wrong.
        reason: String,
    },
}

/// What is said of a [`Batch`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whose events.
    pub subject: Uuid,
    /// The token that came with them.
    pub token: Uuid,
    /// They were taken up to this position; 0 when none was.
    pub up_to: i64,
    /// And the rest.
    pub outcome: Outcome,
}

impl Batch {
    /// All of it was taken.
    pub fn taken(&self) -> Settled {
        Settled { subject: self.subject, token: self.token, up_to: self.through, outcome: Outcome::Taken }
    }
    /// None of it was tried: others may have it at once.
    pub fn back(&self) -> Settled {
        Settled { up_to: 0, ..self.taken() }
    }
}

/// A change of where a consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Everything behind this position is handed out, again if need be.
    Rewind(i64),
    /// The events of one subject behind this position are handed out again.
    Replay {
        /// Of what kind it is.
        kind: Kind,
        /// Which one.
        subject: Uuid,
        /// Behind which position.
        after: i64,
    },
    /// What is parked or waits is tried again at once, of one subject or of all.
    Retry(Option<Uuid>),
}

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    /// Every event up to here was handed out, or was not wanted.
    pub position: i64,
    /// Moves with every change.
    pub revision: i64,
    /// So many events of its owner's life have been carried out.
    pub applied: i64,
}

/// A subject of which everything is acknowledged needs no row.
const FORGET: &str = "delete from consumer_subjects where consumer_id = $1 and acked >= latest";
const TOUCH: &str = "update consumers set revision = revision + 1 where id = $1";

/// A durable reader of the log.
#[derive(Debug)]
pub struct Consumer {
    store: EventStore,
    id: Uuid,
    /// Up to where nothing is wanted, as of which revision: so that what nobody wants is not looked at twice.
    passed: Mutex<(i64, i64)>,
}

/// What a claim found and what is to be written of it.
#[derive(Default)]
struct Claim {
    batches: Vec<Batch>,
    events: usize,
    position: i64,
    rows: BTreeMap<Uuid, Behind>,
}

/// What came of a claim.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// The events, one batch a subject.
    pub batches: Vec<Batch>,
    /// When something that waits now can be claimed, should nothing else happen.
    pub next: Option<DateTime<Utc>>,
}

impl Consumer {
    /// The consumer with this id; it may not exist yet.
    pub fn new(store: EventStore, id: Uuid) -> Self {
        Self { store, id, passed: Mutex::default() }
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Makes it, to begin behind `position`, unless it is there. `applied` events of its owner's life are known by that.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(&self, position: i64, applied: i64) -> Result<(), Error> {
        const CREATE: &str = "insert into consumers (id, position, revision, applied) values ($1, $2, 1, $3) on conflict do nothing";
        transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(CREATE).bind(self.id).bind(position).bind(applied).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Removes it and all it knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove(&self) -> Result<(), Error> {
        transaction!(self.store.pool(), |tx, _upsert| {
            let subjects = sqlx::query("delete from consumer_subjects where consumer_id = $1");
            subjects.bind(self.id).execute(&mut *tx).await?;
            sqlx::query("delete from consumers where id = $1").bind(self.id).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// Where it stands; `None` when it does not exist.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&self) -> Result<Option<Standing>, Error> {
        const STANDING: &str = "select position, revision, applied from consumers where id = $1";
        Ok(on!(self.store.pool(), |db, _dialect| {
            sqlx::query_as(STANDING).bind(self.id).fetch_optional(db).await?
        }))
    }

    /// The subjects of which something is not acknowledged, those that wait longest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn behind(&self, limit: usize) -> Result<Vec<Behind>, Error> {
        let sql = format!("{} order by acked limit $2", all());
        let limit = i64::try_from(limit.min(MOST_BEHIND)).unwrap_or(i64::MAX);
        Ok(on!(self.store.pool(), |db, _dialect| {
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.id).bind(limit).fetch_all(db).await?
        }))
    }

    /// Hands out what can be handed out now: first what was handed out before and not taken, then what is new. At most `most`
    /// events, nobody else's for as long as `hold`. Empty when there is nothing, or when too many others claim as well.
    ///
    /// # Errors
    /// When it does not exist, an event cannot be read, `wanted` cannot say, or the database fails.
    pub async fn claim(&self, wanted: &impl Wanted, most: usize, hold: Duration) -> Result<Claimed, Error> {
        for _ in 0..TRIES {
            if let Some(claimed) = self.try_claim(wanted, most.min(MOST_CLAIMED), hold).await? {
                return Ok(claimed);
            }
        }
        Ok(Claimed { next: Some(self.store.clock().now()), ..Claimed::default() })
    }

    /// `None` when another changed the consumer meanwhile.
    async fn try_claim(
        &self,
        wanted: &impl Wanted,
        most: usize,
        hold: Duration,
    ) -> Result<Option<Claimed>, Error> {
        let standing = self.standing().await?.ok_or(Error::NoConsumer)?;
        let now = self.now();
        let until = now.saturating_add(i64::try_from(hold.as_micros()).unwrap_or(i64::MAX));
        let behind = self.behind(MOST_BEHIND).await?;
        let next = behind.iter().filter(|row| !row.is_ready(now)).filter_map(Behind::ready_at).min();
        let mut claim = Claim { position: standing.position, ..Claim::default() };
        for row in behind.iter().filter(|row| row.is_ready(now)) {
            if claim.events >= most {
                break;
            }
            self.claim_again(&mut claim, row.clone(), wanted, until).await?;
        }
        let behind = behind.into_iter().map(|row| (row.subject_id, row)).collect();
        self.claim_new(&mut claim, &behind, standing.revision, wanted, most, until).await?;
        if claim.rows.is_empty() {
            // Written with the next event that is wanted.
            *self.passed() = (standing.revision, claim.position);
        } else if !self.keep(&standing, &claim).await? {
            return Ok(None);
        }
        Ok(Some(Claimed { batches: claim.batches, next }))
    }

    /// Claims what a subject has left to be acknowledged.
    async fn claim_again(
        &self,
        claim: &mut Claim,
        mut row: Behind,
        wanted: &impl Wanted,
        until: i64,
    ) -> Result<(), Error> {
        let read =
            self.store.pool().read_subject(row.subject_id, row.acked, row.latest, MOST_OF_A_SUBJECT).await?;
        let whole = read.len() < MOST_OF_A_SUBJECT as usize;
        let through = if whole { row.latest } else { read.last().map_or(row.latest, |event| event.position) };
        let mut events = Vec::with_capacity(read.len());
        for event in read {
            if wanted.wants(&event).await? {
                events.push(event.into());
            }
        }
        if events.is_empty() {
            row.acked = through;
        } else {
            let token = self.store.clock().new_id();
            row.hand_out(token, until);
            claim.events += events.len();
            claim.batches.push(Batch {
                subject: row.subject_id,
                token,
                attempts: u32::try_from(row.attempts).unwrap_or(0),
                failing_since: row.failing_since(),
                events,
                through,
            });
        }
        claim.rows.insert(row.subject_id, row);
        Ok(())
    }

    /// Claims what lies behind the position, but for subjects that have something to be acknowledged first.
    async fn claim_new(
        &self,
        claim: &mut Claim,
        behind: &HashMap<Uuid, Behind>,
        revision: i64,
        wanted: &impl Wanted,
        most: usize,
        until: i64,
    ) -> Result<(), Error> {
        let passed = *self.passed();
        if passed.0 == revision {
            claim.position = claim.position.max(passed.1);
        }
        let head = self.store.head();
        let mut fresh: HashMap<Uuid, usize> = HashMap::new();
        let mut looked_through = 0;
        'pages: while claim.position < head && claim.events < most && looked_through < LOOKED_THROUGH {
            let page = self.store.pool().read_log(claim.position, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for event in page {
                if event.position != claim.position + 1 {
                    return Err(Error::Broken {
                        position: claim.position + 1,
                        reason: crate::verify::MISSING,
                    });
                }
                let at = event.position;
                if let Some(row) = behind.get(&event.stream_id) {
                    let row = claim.rows.entry(event.stream_id).or_insert_with(|| row.clone());
                    row.latest = row.latest.max(at);
                } else if wanted.wants(&event).await? {
                    if !fresh.contains_key(&event.stream_id) && behind.len() + fresh.len() >= MOST_BEHIND {
                        break 'pages;
                    }
                    let place = *fresh.entry(event.stream_id).or_insert_with(|| {
                        let token = self.store.clock().new_id();
                        let mut row = Behind::new(self.id, (event.kind, event.stream_id), at - 1, at);
                        row.hand_out(token, until);
                        claim.rows.insert(event.stream_id, row);
                        claim.batches.push(Batch {
                            subject: event.stream_id,
                            token,
                            attempts: 0,
                            failing_since: None,
                            events: Vec::new(),
                            through: at,
                        });
                        claim.batches.len() - 1
                    });
                    if let Some(row) = claim.rows.get_mut(&event.stream_id) {
                        row.latest = at;
                    }
                    claim.batches[place].through = at;
                    claim.batches[place].events.push(event.into());
                    claim.events += 1;
                }
                claim.position = at;
                looked_through += 1;
                if claim.events >= most {
                    break 'pages;
                }
            }
        }
        Ok(())
    }

    /// Writes a claim, unless the consumer has changed since.
    async fn keep(&self, standing: &Standing, claim: &Claim) -> Result<bool, Error> {
        const MOVE: &str =
            "update consumers set position = $1, revision = revision + 1 where id = $2 and revision = $3";
        let rows = serde_json::to_string(&claim.rows.values().collect::<Vec<_>>())?;
        transaction!(self.store.pool(), |tx, upsert| {
            let moved = sqlx::query(MOVE).bind(claim.position).bind(self.id).bind(standing.revision);
            if moved.execute(&mut *tx).await?.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(AssertSqlSafe(upsert(TABLE, COLUMNS, None))).bind(rows).execute(&mut *tx).await?;
            sqlx::query(FORGET).bind(self.id).execute(&mut *tx).await?;
        });
        Ok(true)
    }

    /// Acknowledges, or says that it did not work. Answers the subjects whose events are no longer held by the token that came
    /// with them: they were handed to others meanwhile, and nothing is changed for them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(&self, settled: &[Settled]) -> Result<Vec<Uuid>, Error> {
        let now = self.now();
        let mut lost = Vec::new();
        transaction!(self.store.pool(), |tx, upsert| {
            // First, so that nobody else changes what is read next.
            sqlx::query(TOUCH).bind(self.id).execute(&mut *tx).await?;
            let rows = sqlx::query_as(AssertSqlSafe(held())).bind(self.id);
            let rows: Vec<Behind> = rows.fetch_all(&mut *tx).await?;
            let mut held: HashMap<Uuid, Behind> = rows.into_iter().map(|row| (row.subject_id, row)).collect();
            let mut changed = Vec::with_capacity(settled.len());
            for settled in settled {
                match held.remove(&settled.subject) {
                    Some(mut row) if row.token_id == Some(settled.token) => {
                        row.settle(settled, now);
                        changed.push(row);
                    }
                    _ => lost.push(settled.subject),
                }
            }
            let changed = serde_json::to_string(&changed)?;
            sqlx::query(AssertSqlSafe(upsert(TABLE, COLUMNS, None))).bind(changed).execute(&mut *tx).await?;
            sqlx::query(FORGET).bind(self.id).execute(&mut *tx).await?;
        });
        Ok(lost)
    }

    /// Holds events longer; answers the subjects whose events are no longer held by their token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self, held: &[(Uuid, Uuid)], longer: Duration) -> Result<Vec<Uuid>, Error> {
        const HOLD: &str =
            "update consumer_subjects set held_until = $1 where id = $2 and token_id = $3 and held_until > 0";
        let until = self.now().saturating_add(i64::try_from(longer.as_micros()).unwrap_or(i64::MAX));
        let mut lost = Vec::new();
        transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(TOUCH).bind(self.id).execute(&mut *tx).await?;
            for (subject, token) in held {
                let longer = sqlx::query(HOLD).bind(until).bind(key(self.id, *subject)).bind(*token);
                if longer.execute(&mut *tx).await?.rows_affected() == 0 {
                    lost.push(*subject);
                }
            }
        });
        Ok(lost)
    }

    /// Carries out what happened to its owner between event `from` and event `to` of the owner's life. Whether it was done
    /// here; another may have been first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apply(&self, from: i64, to: i64, changes: &[Change]) -> Result<bool, Error> {
        const APPLY: &str =
            "update consumers set applied = $1, revision = revision + 1 where id = $2 and applied = $3";
        transaction!(self.store.pool(), |tx, upsert| {
            let applied = sqlx::query(APPLY).bind(to).bind(self.id).bind(from).execute(&mut *tx).await?;
            if applied.rows_affected() == 0 {
                return Ok(false);
            }
            for change in changes {
                let rows = sqlx::query_as(AssertSqlSafe(all())).bind(self.id);
                let rows: Vec<Behind> = rows.fetch_all(&mut *tx).await?;
                let position = sqlx::query_scalar("select position from consumers where id = $1");
                let position: i64 = position.bind(self.id).fetch_one(&mut *tx).await?;
                let moved = match change {
                    Change::Rewind(position) => {
                        let forget = sqlx::query("delete from consumer_subjects where consumer_id = $1");
                        forget.bind(self.id).execute(&mut *tx).await?;
                        let rewind = sqlx::query("update consumers set position = $1 where id = $2");
                        rewind.bind(*position).bind(self.id).execute(&mut *tx).await?;
                        Vec::new()
                    }
                    Change::Replay { kind, subject, after } => {
                        let row = rows.into_iter().find(|row| row.subject_id == *subject);
                        let mut row =
                            row.unwrap_or_else(|| Behind::new(self.id, (*kind, *subject), *after, position));
                        row.acked = row.acked.min(*after);
                        row.latest = row.latest.max(position);
                        (row.token_id, row.held_until) = (None, 0);
                        row.forget_failures();
                        vec![row]
                    }
                    Change::Retry(subject) => {
                        let meant = |row: &Behind| subject.is_none_or(|subject| subject == row.subject_id);
                        let mut rows: Vec<Behind> = rows.into_iter().filter(meant).collect();
                        rows.iter_mut().for_each(Behind::forget_failures);
                        rows
                    }
                };
                let moved = serde_json::to_string(&moved)?;
                let write = sqlx::query(AssertSqlSafe(upsert(TABLE, COLUMNS, None))).bind(moved);
                write.execute(&mut *tx).await?;
                sqlx::query(FORGET).bind(self.id).execute(&mut *tx).await?;
            }
        });
        Ok(true)
    }

    fn now(&self) -> i64 {
        self.store.clock().now().timestamp_micros()
    }

    fn passed(&self) -> std::sync::MutexGuard<'_, (i64, i64)> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn all() -> String {
    format!("select {} from {TABLE} where consumer_id = $1", COLUMNS.join(", "))
}

/// Those that somebody holds.
fn held() -> String {
    format!("{} and token_id is not null", all())
}
