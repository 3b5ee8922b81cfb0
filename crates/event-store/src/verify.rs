//! Whether the log is what was written: every event, every link of the chain, every checkpoint.
use std::{
    cmp::Ordering,
    collections::{BTreeSet, VecDeque},
};

use crate::{
    Error, Pool, Recorded,
    checkpoint::{Checkpoint, Distrust},
    merkle::{Frontier, HASH},
    pool::on,
    signing::PublicKey,
    stored,
};

pub(crate) const MISSING: &str = "the event is missing";
pub(crate) const ALTERED: &str = "the event is not the one that was written";
pub(crate) const GAP: &str = "the event before it in the life of its subject is missing";
pub(crate) const TWICE: &str = "another event has its place in the life of its subject";
const SAME_ID: &str = "another event has its id";
const BEYOND: &str = "there are events behind the end of the log";
const NO_HEAD: &str = "the row of log_head is missing";
pub(crate) const HEAD_DIFFERS: &str = "the hash in log_head is not that of the last event";
const HEAD_MALFORMED: &str = "the hash in log_head is not 32 bytes long";

/// Events read at once.
const PAGE: u32 = 1_000;
/// Checkpoints read at once.
const CHECKPOINTS: u32 = 100;
/// Most unknown keys that are named.
const MOST_NAMED: usize = 20;

/// What was found whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many events there are.
    pub position: i64,
    /// How many checkpoints agree with them.
    pub checkpoints: u64,
    /// Keys that signed some of these checkpoints and were not given, so that the signatures were not checked; at most 20.
    pub unknown_keys: BTreeSet<String>,
}

/// A walk along the log from its beginning, or from a checkpoint.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    /// Position of the last event passed.
    pub at: i64,
    /// Its hash.
    pub hash: Vec<u8>,
    /// The tree of all events passed.
    pub tree: Frontier,
}

impl Default for Walk {
    fn default() -> Self {
        Self { at: 0, hash: vec![0; HASH], tree: Frontier::default() }
    }
}

impl Walk {
    /// Passes one event: it must be the next, and carry the hash that follows from the one before and from its content.
    fn step(&mut self, event: Result<Recorded, Error>) -> Result<(), Error> {
        let next = self.at + 1;
        if stored::position(&event) != Some(next) {
            return Err(Error::Broken { position: next, reason: MISSING });
        }
        let event = event?;
        let hash = event.chained(&self.hash);
        if hash != event.hash {
            return Err(Error::Broken { position: next, reason: ALTERED });
        }
        self.tree.push(&hash);
        self.at = next;
        self.hash = hash;
        Ok(())
    }

    /// Passes a page of events, but none behind `until`.
    pub(crate) fn page(&mut self, page: Vec<Result<Recorded, Error>>, until: i64) -> Result<(), Error> {
        if page.is_empty() {
            return Err(Error::Broken { position: self.at + 1, reason: MISSING });
        }
        for event in page {
            if self.at >= until {
                break;
            }
            self.step(event)?;
        }
        Ok(())
    }
}

/// The checkpoints that a walk has still to pass.
struct Due<'a> {
    keys: &'a [PublicKey],
    /// Kept outside the database.
    kept: VecDeque<&'a Checkpoint>,
    stored: VecDeque<Checkpoint>,
    /// Position of the last that was read from the database.
    read: i64,
    /// Position of the last that agreed.
    met: i64,
    verified: Verified,
}

impl Due<'_> {
    /// Holds the walk to every checkpoint of the position where it stands.
    async fn meet(&mut self, pool: &Pool, walk: &Walk) -> Result<(), Error> {
        if self.stored.is_empty() && self.read < walk.at {
            self.stored = pool.checkpoints(self.read, CHECKPOINTS).await?.into();
            self.read = self.stored.back().map_or(i64::MAX, |last| last.position);
        }
        while let Some(checkpoint) = self.kept.pop_front_if(|next| next.position == walk.at) {
            self.hold(checkpoint, walk)?;
        }
        while let Some(checkpoint) = self.stored.pop_front_if(|next| next.position <= walk.at) {
            self.hold(&checkpoint, walk)?;
        }
        Ok(())
    }

    fn hold(&mut self, checkpoint: &Checkpoint, walk: &Walk) -> Result<(), Distrust> {
        match checkpoint.check(self.keys) {
            Err(Distrust::WrongKey { signed_by, .. }) => {
                if self.verified.unknown_keys.len() < MOST_NAMED {
                    self.verified.unknown_keys.insert(signed_by);
                }
            }
            checked => checked?,
        }
        let position = checkpoint.position;
        if position != walk.at || checkpoint.hash != walk.hash || checkpoint.root != walk.tree.root() {
            return Err(Distrust::OtherEvents { position });
        }
        // One that is kept outside as well is not counted twice.
        self.verified.checkpoints += u64::from(self.met < position);
        self.met = position;
        Ok(())
    }
}

impl Pool {
    /// Walks over the whole log and names the first position that is not as it was written. `keys` check the signatures
    /// of checkpoints, `kept` are checkpoints from outside the database; `progress` hears how far it is. Memory does not
    /// grow with the log; events that are appended meanwhile are left for the next time.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Unreadable`] or [`Error::Distrust`] naming the position, or a failing database.
    pub async fn verify(
        &self,
        keys: &[PublicKey],
        kept: &[Checkpoint],
        mut progress: impl FnMut(i64),
    ) -> Result<Verified, Error> {
        let (head, hash) = self.head_row().await?;
        let mut kept: Vec<&Checkpoint> = kept.iter().collect();
        kept.sort_by_key(|checkpoint| checkpoint.position);
        if let Some(first) = kept.first().filter(|first| first.position < 1) {
            return Err(Distrust::Forged { position: first.position }.into());
        }
        let verified = Verified::default();
        let mut due = Due { keys, kept: kept.into(), stored: VecDeque::new(), read: 0, met: 0, verified };
        let mut walk = Walk::default();
        while walk.at < head {
            let from = walk.at;
            let page = self.read_each(from, PAGE).await?;
            let misfits = self.misfits(from, from + i64::from(PAGE)).await?;
            if page.is_empty() {
                return Err(Error::Broken { position: from + 1, reason: MISSING });
            }
            for event in page {
                if walk.at >= head {
                    break;
                }
                walk.step(event)?;
                if let Some((position, reason)) = misfits.iter().find(|(at, _)| *at == walk.at) {
                    return Err(Error::Broken { position: *position, reason });
                }
                due.meet(self, &walk).await?;
            }
            progress(walk.at);
        }
        if walk.hash != hash {
            return Err(Error::Broken { position: head, reason: HEAD_DIFFERS });
        }
        self.nothing_behind(&due).await?;
        Ok(Verified { position: head, ..due.verified })
    }

    /// Position and hash of the head.
    pub(crate) async fn head_row(&self) -> Result<(i64, Vec<u8>), Error> {
        const HEAD: &str = "select position, hash from log_head where id = 1";
        let row = on!(self, |db, _dialect| sqlx::query_as(HEAD).fetch_optional(db).await?);
        let (position, hash): (i64, Vec<u8>) = row.ok_or(Error::Broken { position: 0, reason: NO_HEAD })?;
        if hash.len() != HASH {
            return Err(Error::Broken { position, reason: HEAD_MALFORMED });
        }
        Ok((position, hash))
    }

    /// Where the log ends, and that its last event stands there: what is appended to another log would make it worse.
    ///
    /// # Errors
    /// [`Error::Broken`] when `log_head` and the events disagree, or a failing database.
    pub(crate) async fn sound_head(&self) -> Result<i64, Error> {
        // One statement, so that both are of the same instant.
        const ENDS: &str =
            "select position, (select coalesce(max(position), 0) from events) from log_head where id = 1";
        self.head_row().await?;
        let ends = on!(self, |db, _dialect| sqlx::query_as(ENDS).fetch_optional(db).await?);
        let (head, last): (i64, i64) = ends.ok_or(Error::Broken { position: 0, reason: NO_HEAD })?;
        match last.cmp(&head) {
            Ordering::Equal => Ok(head),
            Ordering::Less => Err(Error::Broken { position: last + 1, reason: MISSING }),
            Ordering::Greater => Err(Error::Broken { position: head + 1, reason: BEYOND }),
        }
    }

    /// For each thing that can be wrong around an event whose hash fits, the first of these positions where it is.
    ///
    /// No index of the whole log keeps versions and ids apart where it is partitioned: this proves that they are.
    async fn misfits(&self, after: i64, to: i64) -> Result<Vec<(i64, &'static str)>, Error> {
        const GAPS: &str = "select min(e.position) from events e where e.position > $1 and e.position <= $2 \
             and case when e.version = 1 then false else not exists (select 1 from events b \
             where b.stream_id = e.stream_id and b.version = e.version - 1 and b.kind = e.kind \
             and b.position < e.position) end";
        const DOUBLES: &str = "select min(e.position) from events e where e.position > $1 and e.position <= $2 \
             and exists (select 1 from events b where b.stream_id = e.stream_id and b.version = e.version \
             and b.position < e.position)";
        const SAME_IDS: &str = "select min(e.position) from events e where e.position > $1 and e.position <= $2 \
             and exists (select 1 from events b where b.id = e.id and b.position < e.position)";
        let mut misfits = Vec::new();
        for (sql, reason) in [(DOUBLES, TWICE), (GAPS, GAP), (SAME_IDS, SAME_ID)] {
            let first: Option<i64> = on!(self, |db, _dialect| {
                sqlx::query_scalar(sql).bind(after).bind(to).fetch_one(db).await?
            });
            misfits.extend(first.map(|position| (position, reason)));
        }
        Ok(misfits)
    }

    /// Neither an event nor a checkpoint may stand behind the end of the log, wherever it is by now.
    async fn nothing_behind(&self, due: &Due<'_>) -> Result<(), Error> {
        // One statement, so that all three are of the same instant.
        const ENDS: &str = "select (select position from log_head where id = 1), \
             (select max(position) from events), (select max(position) from checkpoints)";
        let (head, event, checkpoint): (Option<i64>, Option<i64>, Option<i64>) =
            on!(self, |db, _dialect| sqlx::query_as(ENDS).fetch_one(db).await?);
        let head = head.ok_or(Error::Broken { position: 0, reason: NO_HEAD })?;
        if event.unwrap_or(0) > head {
            return Err(Error::Broken { position: head + 1, reason: BEYOND });
        }
        let kept = due.kept.back().map(|kept| kept.position);
        match checkpoint.max(kept) {
            Some(position) if position > head => Err(Distrust::Ahead { position, head }.into()),
            _ => Ok(()),
        }
    }
}
