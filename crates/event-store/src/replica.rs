//! Replicas (副本): copies of a log in another network that grow by signed bundles alone.
//!
//! Events are copied unchanged, with their ids, times, positions and hashes, and the views are folded of them in the same
//! transaction. Nothing else is appended: the row of `log_head`, which everybody locks who writes, names the origin.
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    path::PathBuf,
    sync::Arc,
};

use lru::LruCache;
use uuid::Uuid;

use crate::{
    Error, EventStore, Link, Pool, PublicKey, Recorded,
    append::{Head, Plan, by_table},
    bundle::{BundleError, Checked, Fault, Reader, Series, open},
    event::Shared,
    partitions,
    pool::on,
    postgres, sqlite,
    verify::{GAP, TWICE},
    view::{Folding, Known, WriteRow},
};

/// Says in the row of the head of which log this one is a copy.
pub(crate) const MARK: &str = "update log_head set origin = $1, origin_key = $2 where id = 1";
/// Objects kept ready to be folded on.
const KEPT: NonZeroUsize = NonZeroUsize::new(20_000).unwrap();
/// Events of a stream read at once.
const PAGE: u32 = 500;

/// The log of which another one is a copy.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Origin {
    /// What it calls itself.
    pub source: String,
    /// The public key that signed the last bundle of it.
    pub key: String,
}

impl Origin {
    /// Whether events of this log may follow in a log that was found like this: it must end where it was thought to, and be
    /// empty or a copy of this log.
    pub(crate) fn may_follow(&self, from: &Head, found: &Head, copied: Option<&str>) -> bool {
        let is_copy = copied.map_or(found.position == 0, |source| source == self.source);
        is_copy && (found.position, &found.hash) == (from.position, &from.hash)
    }
}

/// What came of applying bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where the replica ended before.
    pub before: i64,
    /// Where it ends now.
    pub position: i64,
    /// The log of which it is a copy.
    pub source: String,
}

/// A part of applying bundles, for showing how far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bundles are read and checked.
    Checking,
    /// Events are written.
    Writing,
}

impl Pool {
    /// Of which log this one is a copy; `None` when it is a log of its own.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn origin(&self) -> Result<Option<Origin>, Error> {
        const ORIGIN: &str =
            "select origin as source, origin_key as key from log_head where id = 1 and origin is not null";
        Ok(on!(self, |db, _dialect| sqlx::query_as(ORIGIN).fetch_optional(db).await?))
    }

    async fn copy(&self, from: &Head, origin: &Origin, plan: &Plan<'_>) -> Result<(), Error> {
        let written = match self {
            Self::Postgres(db) => {
                partitions::ensure(db, plan.head.position).await?;
                postgres::copy(db, from, origin, plan).await?
            }
            Self::Sqlite { writer, .. } => sqlite::copy(writer, from, origin, plan).await?,
        };
        if written { Ok(()) } else { Err(BundleError::Moved.into()) }
    }
}

impl EventStore {
    /// Applies bundles to an empty database, which becomes a replica, or to a replica. All of them are checked before the
    /// first event is written. `keys` are trusted beside the one that signed what was applied before. What is there already is
    /// compared and passed over; when this is cut off, the same again goes on where it stopped.
    ///
    /// # Errors
    /// A [`BundleError`], an event that this release cannot read, or a failing database.
    pub async fn apply(
        &self,
        files: &[PathBuf],
        keys: &[PublicKey],
        mut progress: impl FnMut(Stage, i64, i64),
    ) -> Result<Applied, Error> {
        let (position, hash) = self.pool().head_row().await?;
        let head = Head { position, hash };
        let origin = self.pool().origin().await?;
        if origin.is_none() && head.position > 0 {
            return Err(BundleError::OwnLog { head: head.position }.into());
        }
        let mut keys = keys.to_vec();
        if let Some(origin) = &origin {
            keys.push(origin.key.parse()?);
        }
        if let (true, Some(file)) = (keys.is_empty(), files.first()) {
            let wrong = |fault| BundleError::File { file: file.clone(), fault };
            let named = open(file).map_err(wrong)?.header.key;
            return Err(BundleError::NoKey { file: file.clone(), named }.into());
        }
        let series =
            Series::read(files, &keys, Some(head.position), |at, of| progress(Stage::Checking, at, of))?;
        self.follow_on(&series, origin.as_ref(), &head).await?;
        let Some(last) = series.bundles.last() else {
            return Ok(Applied { before: position, position, source: String::new() });
        };
        let source = last.header.source.clone();
        let end = series.bundles.iter().map(|bundle| bundle.header.last).max().unwrap_or(position);
        let mut writing = Writing { store: self, head, kept: LruCache::new(KEPT) };
        for bundle in &series.bundles {
            let origin = Origin { source: source.clone(), key: bundle.header.key.clone() };
            writing
                .write(bundle, &origin, |at| progress(Stage::Writing, at - position, end - position))
                .await?;
        }
        if origin.is_none() && writing.head.position == 0 {
            // There is nothing yet, and it was signed that there is nothing.
            let origin = Origin { source: source.clone(), key: last.header.key.clone() };
            self.pool().copy(&writing.head, &origin, &Plan::of(writing.head.clone())).await?;
        }
        self.forget_all();
        Ok(Applied { before: position, position: writing.head.position, source })
    }

    /// That bundles are of the log that was copied, hold the events that it has, and leave none out behind its end.
    async fn follow_on(&self, series: &Series, origin: Option<&Origin>, head: &Head) -> Result<(), Error> {
        for bundle in &series.bundles {
            if let Some(origin) = origin {
                bundle.is_of(&origin.source)?;
            }
            let meets = [bundle.header.first - 1, bundle.header.last, head.position];
            for position in BTreeSet::from(meets) {
                let Some(hash) = bundle.marks.get(&position).filter(|_| position <= head.position) else {
                    continue;
                };
                if self.pool().hash_at(position).await? != *hash {
                    return Err(diverges(bundle, position).into());
                }
            }
        }
        match series.gaps(Some(head.position)).into_iter().next() {
            Some(gap) => Err(BundleError::Missing(gap).into()),
            None => Ok(()),
        }
    }
}

fn diverges(bundle: &Checked, position: i64) -> BundleError {
    let one = bundle.file.display().to_string();
    BundleError::Diverges { position, one, other: "this database".into() }
}

/// Bundles on their way into a database.
struct Writing<'s> {
    store: &'s EventStore,
    /// Where the log ends.
    head: Head,
    kept: LruCache<Uuid, Stream>,
}

/// An object, folded up to its last event.
struct Stream {
    version: i64,
    known: Known,
    folding: Box<dyn Folding>,
    /// What it names, as it was written.
    links: Vec<Link>,
}

impl Writing<'_> {
    /// Writes what a bundle has behind the end of the log. `progress` hears the last position.
    async fn write(
        &mut self,
        bundle: &Checked,
        origin: &Origin,
        mut progress: impl FnMut(i64),
    ) -> Result<(), Error> {
        if bundle.header.last <= self.head.position {
            return Ok(());
        }
        let wrong = |fault| Error::from(BundleError::File { file: bundle.file.clone(), fault });
        let mut reader = open(&bundle.file).map_err(wrong)?;
        if reader.header != bundle.header {
            return Err(wrong(Fault::Changed));
        }
        while reader.chain.at < self.head.position {
            reader.next().map_err(wrong)?;
        }
        if reader.chain.hash != self.head.hash {
            return Err(diverges(bundle, self.head.position).into());
        }
        loop {
            let events = part(&mut reader, bundle).map_err(wrong)?;
            if events.is_empty() {
                return Ok(());
            }
            let head = Head { position: reader.chain.at, hash: reader.chain.hash.clone() };
            let plan = self.plan(events, head).await?;
            self.store.pool().copy(&self.head, origin, &plan).await?;
            self.head = plan.head;
            progress(self.head.position);
        }
    }

    /// What is written in one transaction: events, and the views as they are after them.
    async fn plan(&mut self, events: Vec<Shared>, head: Head) -> Result<Plan<'static>, Error> {
        let mut plan = Plan::of(head);
        let mut touched: BTreeMap<Uuid, Stream> = BTreeMap::new();
        let mut rows: Vec<WriteRow> = Vec::new();
        for event in &events {
            let Some(known) = self.store.catalogue().iter().find(|known| known.kind == event.kind) else {
                continue;
            };
            let id = event.stream_id;
            let mut stream = match touched.remove(&id).or_else(|| self.kept.pop(&id)) {
                Some(stream) => stream,
                None => self.load(known, event).await?,
            };
            rows.extend(stream.apply(event)?);
            touched.insert(id, stream);
        }
        for (id, mut stream) in touched {
            let (row, links) =
                stream.folding.finish()?.map_or((None, Vec::new()), |(row, links)| (Some(row), links));
            rows.extend(row);
            let removed = stream.links.iter().filter(|link| !links.contains(link)).map(|link| (*link, None));
            let added = links.iter().filter(|link| !stream.links.contains(link));
            let added = added.map(|link| (*link, Some(stream.known.kind)));
            plan.links.extend(removed.chain(added).map(|(link, kind)| ((id, link), kind)));
            stream.links = links;
            self.kept.put(id, stream);
        }
        plan.rows = by_table(&rows);
        plan.events = events;
        Ok(plan)
    }

    /// An object as it is before this event.
    async fn load(&self, known: &Known, event: &Recorded) -> Result<Stream, Error> {
        let folding = (known.folding)(event.stream_id);
        let mut stream = Stream { version: 0, known: *known, folding, links: Vec::new() };
        while stream.version < event.version - 1 {
            let page = self.store.pool().read_stream(event.stream_id, stream.version, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for before in &page {
                stream.apply(before)?;
            }
        }
        stream.links = stream.folding.finish()?.map(|(_, links)| links).unwrap_or_default();
        Ok(stream)
    }
}

impl Stream {
    /// Folds the next event; the rows beside its own that it adds.
    fn apply(&mut self, event: &Recorded) -> Result<Vec<WriteRow>, Error> {
        if event.version != self.version + 1 || event.kind != self.known.kind {
            let reason = if event.version > self.version { GAP } else { TWICE };
            return Err(Error::Broken { position: event.position, reason });
        }
        self.version = event.version;
        self.folding.apply(event)
    }
}

/// The next events up to a hash that was seen when the bundle was checked: what was checked is what is written.
fn part(reader: &mut Reader, bundle: &Checked) -> Result<Vec<Shared>, Fault> {
    let mut events = Vec::new();
    while let Some(event) = reader.next()? {
        events.push(Arc::new(event));
        match bundle.marks.get(&reader.chain.at) {
            Some(hash) if *hash == reader.chain.hash => break,
            Some(_) => return Err(Fault::Changed),
            None => {}
        }
    }
    Ok(events)
}
