//! Commands that belong together: decided one after the other, written together or not at all.
use std::{any::Any, collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Context, Fact, Facts, Id, Kind, Need, Rejection, Viewer,
    aggregate::{self, Stamp},
    lifecycle::Status,
};

use crate::{
    Error, EventStore, Meta, Recorded, View,
    append::{Append, CommandKey, Extension, Named, Outcome},
    view::{Link, WriteRow},
};

/// An aggregate as it was loaded: its decision state and its view row.
#[derive(Clone, Debug)]
pub(crate) struct Loaded<V: View> {
    pub version: i64,
    pub state: V::Of,
    pub row: Option<V>,
}

impl<V: View> Loaded<V> {
    pub(crate) fn new() -> Self {
        Self { version: 0, state: V::Of::default(), row: None }
    }

    pub(crate) fn apply(&mut self, event: &<V::Of as Aggregate>::Event, meta: &Meta<V::Of>) {
        self.version = meta.version;
        self.state.evolve(event, &Stamp { actor: meta.actor.clone(), at: meta.at });
        self.row = V::project(self.row.take(), event, meta);
    }
}

/// One stream inside a [`Work`].
struct Changed {
    extension: Extension,
    rows: Vec<WriteRow>,
    row: Option<WriteRow>,
    kind: Kind,
    links_before: Vec<Link>,
    links_after: Vec<Link>,
    fact: Option<Fact>,
    cached: bool,
    /// A [`Loaded`], as it is after the events.
    loaded: Arc<dyn Any + Send + Sync>,
    /// [`EventStore::grown`] of its kind.
    grown: fn(&EventStore, Uuid, i64, &(dyn Any + Send + Sync)),
}

/// Commands on their way: nothing is written before [`Work::commit`].
pub struct Work<'s> {
    store: &'s EventStore,
    viewer: &'s Viewer,
    now: DateTime<Utc>,
    happened_at: DateTime<Utc>,
    correlation: Uuid,
    command_id: Option<String>,
    changed: Vec<Changed>,
    index: HashMap<Uuid, usize>,
    known: HashMap<Uuid, Fact>,
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("streams", &self.changed.len()).finish_non_exhaustive()
    }
}

impl<'s> Work<'s> {
    pub(crate) fn new(store: &'s EventStore, viewer: &'s Viewer, command_id: Option<String>) -> Self {
        let now = store.clock().now();
        Self {
            store,
            viewer,
            now,
            happened_at: now,
            correlation: store.clock().new_id(),
            command_id,
            changed: Vec::new(),
            index: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// Says that what is decided from here on happened at another time than it is recorded.
    pub fn happened_at(&mut self, at: DateTime<Utc>) {
        self.happened_at = at;
    }

    /// Decides a command and keeps its events for the commit. Returns the row as it will be.
    ///
    /// # Errors
    /// A rejection by the rules, or a failing database.
    pub async fn run<V: View>(
        &mut self,
        id: Id<V::Of>,
        expected_version: Option<i64>,
        command: impl Into<<V::Of as Aggregate>::Command>,
    ) -> Result<V, Error> {
        let command = command.into();
        let at = self.take_up::<V>(id).await?;
        let Some(mut loaded) = self.changed[at].loaded.downcast_ref::<Loaded<V>>().cloned() else {
            return Err(Rejection::NotFound { kind: V::Of::KIND, field: "id".into() }.into());
        };
        if let Some(expected) = expected_version.filter(|expected| *expected != loaded.version) {
            return Err(Rejection::VersionConflict { expected, actual: loaded.version }.into());
        }
        let facts = self.facts(&loaded.state.needs(&command)).await?;
        let context = Context { viewer: self.viewer, now: self.now, facts: &facts };
        let events = loaded.state.handle(command, &context)?;
        for event in &events {
            let mut recorded = self.record::<V>(id, &loaded, event)?;
            let meta = Meta { id, version: recorded.version, actor: recorded.actor.clone(), at: self.now };
            let claims = loaded.state.claims(event);
            loaded.apply(event, &meta);
            recorded.status_to = loaded.state.status().map(|status| status.as_str().to_owned());
            recorded.region_code = loaded.row.as_ref().and_then(|row| row.fact().region);
            let entries = V::entries(event, &meta)?;
            let changed = &mut self.changed[at];
            changed.extension.events.push(recorded);
            changed.extension.claims.extend(claims);
            changed.rows.extend(entries);
        }
        let row = loaded.row.clone().ok_or(Rejection::NotFound { kind: V::Of::KIND, field: "id".into() })?;
        let changed = &mut self.changed[at];
        if !events.is_empty() {
            changed.row = Some(WriteRow::of(&row)?);
            changed.links_after = row.links();
            changed.fact = Some(row.fact());
        }
        changed.loaded = Arc::new(loaded);
        Ok(row)
    }

    /// The place of this stream in the work, loading it when it is new here.
    async fn take_up<V: View>(&mut self, id: Id<V::Of>) -> Result<usize, Error> {
        if let Some(at) = self.index.get(&id.uuid()) {
            return Ok(*at);
        }
        let (loaded, cached) = self.store.load::<V>(id).await?;
        let links = loaded.row.as_ref().map(View::links).unwrap_or_default();
        self.changed.push(Changed {
            extension: Extension {
                stream_id: id.uuid(),
                expected: loaded.version,
                events: Vec::new(),
                claims: Vec::new(),
            },
            rows: Vec::new(),
            row: None,
            kind: V::Of::KIND,
            links_after: links.clone(),
            links_before: links,
            fact: None,
            cached,
            loaded,
            grown: EventStore::grown::<V>,
        });
        self.index.insert(id.uuid(), self.changed.len() - 1);
        Ok(self.changed.len() - 1)
    }

    fn record<V: View>(
        &self,
        id: Id<V::Of>,
        loaded: &Loaded<V>,
        event: &<V::Of as Aggregate>::Event,
    ) -> Result<Recorded, Error> {
        let (name, data) = aggregate::encode::<V::Of>(event)?;
        Ok(Recorded {
            position: 0,
            kind: V::Of::KIND,
            stream_id: id.uuid(),
            version: loaded.version + 1,
            id: self.store.clock().new_id(),
            schema_version: aggregate::schema_version::<V::Of>(&name),
            r#type: name,
            data,
            actor: self.viewer.actor.clone(),
            actor_unit: self.viewer.units.first().map(|unit| unit.uuid()),
            method: self.viewer.method.as_str().to_owned(),
            region_code: None,
            status_from: loaded.state.status().map(|status| status.as_str().to_owned()),
            status_to: None,
            correlation_id: self.correlation,
            causation_id: None,
            command_id: self.command_id.clone(),
            happened_at: self.happened_at,
            recorded_at: self.now,
            hash: Vec::new(),
        })
    }

    /// Facts come from this work first, then from the views. They are read before the commit and not locked: a rule
    /// that must hold against rivals is a claim.
    async fn facts(&mut self, needs: &[Need]) -> Result<Facts, Error> {
        let mut wanted: HashMap<Kind, Vec<Uuid>> = HashMap::new();
        for need in needs {
            if let Need::Object { kind, id, .. } = need
                && self.pending(*id).is_none()
                && !self.known.contains_key(id)
            {
                wanted.entry(*kind).or_default().push(*id);
            }
        }
        for (kind, ids) in wanted {
            let found = self.store.facts(kind, &ids).await?;
            self.known.extend(found.into_iter().map(|fact| (fact.id, fact)));
        }
        let mut facts = Facts::default();
        for need in needs {
            match need {
                Need::Object { kind, id, field } => {
                    let fact =
                        self.pending(*id).or_else(|| self.known.get(id)).filter(|fact| fact.kind == *kind);
                    let missing = || Rejection::NotFound { kind: *kind, field: field.clone() };
                    facts.objects.push(fact.cloned().ok_or_else(missing)?);
                }
                Need::Named { kind, by, relations } => {
                    facts.objects.extend(self.store.named(*kind, *by, relations).await?);
                }
                Need::Having { kind, belongs_to, columns } => {
                    let found = self.store.having(*kind, columns, self.viewer).await?;
                    facts
                        .objects
                        .extend(found.into_iter().map(|fact| Fact { belongs_to: *belongs_to, ..fact }));
                }
                Need::OpenChildren { kind, parent } => {
                    facts.open_children.push((*kind, self.store.count_open(*kind, *parent).await?));
                }
            }
        }
        Ok(facts)
    }

    fn pending(&self, id: Uuid) -> Option<&Fact> {
        self.index.get(&id).and_then(|at| self.changed[*at].fact.as_ref())
    }

    /// The version of a stream that was taken from the cache; `None` when it was read from the log.
    pub(crate) fn decided_on_cached(&self, id: Uuid) -> Option<i64> {
        let changed = &self.changed[*self.index.get(&id)?];
        changed.cached.then_some(changed.extension.expected)
    }

    /// The events decided so far.
    pub fn events(&self) -> impl Iterator<Item = &Recorded> {
        self.changed.iter().flat_map(|changed| &changed.extension.events)
    }

    /// Whether the unique keys that would be taken are free. For dry runs: a commit checks under the lock of the log.
    ///
    /// # Errors
    /// [`Rejection::AlreadyExists`] for the first key that is not, or a failing database.
    pub async fn check_claims(&self) -> Result<(), Error> {
        for changed in &self.changed {
            let Extension { stream_id, claims, .. } = &changed.extension;
            for claim in claims.iter().filter(|claim| claim.held) {
                let holder = self.store.holder(claim.scope, &claim.key).await?;
                if let Some(existing) = holder.filter(|holder| holder != stream_id) {
                    let (kind, field) = (changed.kind, claim.field.to_owned());
                    return Err(Rejection::AlreadyExists { kind, field, existing: Some(existing) }.into());
                }
            }
        }
        Ok(())
    }

    /// Writes everything decided so far, or nothing.
    ///
    /// # Errors
    /// A refusal of the log.
    pub async fn commit(self, command: Option<CommandKey>) -> Outcome {
        let mut append = Append { command, ..Append::default() };
        let mut remember = Vec::with_capacity(self.changed.len());
        for changed in self.changed.into_iter().filter(|changed| !changed.extension.events.is_empty()) {
            let Changed { extension, rows, row, kind, links_before, links_after, loaded, grown, .. } =
                changed;
            let without = |links: &[Link], others: &[Link]| -> Vec<Link> {
                links.iter().filter(|link| !others.contains(link)).copied().collect()
            };
            let (removed, added) =
                (without(&links_before, &links_after), without(&links_after, &links_before));
            if !removed.is_empty() || !added.is_empty() {
                append.links.push(Named {
                    source_id: extension.stream_id,
                    source_kind: kind,
                    removed,
                    added,
                });
            }
            remember.push((extension.stream_id, extension.expected, loaded, grown));
            append.rows.extend(rows);
            append.rows.extend(row);
            append.streams.push(extension);
        }
        if append.streams.is_empty() {
            return Ok(Vec::new());
        }
        let outcome = self.store.writer().append(append).await;
        for (id, before, loaded, grown) in remember {
            if outcome.is_ok() {
                grown(self.store, id, before, loaded.as_ref());
                self.store.remember(id, loaded);
            } else {
                self.store.doubt(id);
            }
        }
        outcome
    }
}

/// What follows the log gets: shared, never copied.
pub(crate) fn share(events: impl IntoIterator<Item = Recorded>) -> Vec<Arc<Recorded>> {
    events.into_iter().map(Arc::new).collect()
}
