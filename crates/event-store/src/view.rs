//! A view: one row per aggregate, folded from its events, written in the transaction that appends them.
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{FromRow, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;
use zhixing_domain::{Aggregate, Fact, Id, Kind};

use crate::{Error, Recorded};

/// What the log knows of an event beside its content.
#[derive(Clone, Debug)]
pub struct Meta<A> {
    /// Its subject.
    pub id: Id<A>,
    /// Number of the event in its subject's life.
    pub version: i64,
    /// Who caused it.
    pub actor: String,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// A table that is folded from events. A column called `id` or `…_id` holds a UUID, any other what its migration says.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, `id` first.
    pub columns: &'static [&'static str],
}

/// A row of a [`Table`]: it is written as JSON whose keys are the columns.
pub trait Row:
    Clone
    + std::fmt::Debug
    + PartialEq
    + Serialize
    + Send
    + Sync
    + Unpin
    + 'static
    + for<'r> FromRow<'r, PgRow>
    + for<'r> FromRow<'r, SqliteRow>
{
    /// Where it is kept.
    const TABLE: &'static Table;
    /// Its primary key.
    fn key(&self) -> Uuid;
}

/// The row of one aggregate. Its table has `version`, `created_at`, `updated_at`, `status` and `region_code`.
pub trait View: Row + DeserializeOwned {
    /// The aggregate whose life it tells.
    type Of: Aggregate;
    /// The column that names the object it belongs to: a task's `plan_id`.
    const PARENT: Option<&'static str> = None;
    /// The table of the rows beside its own.
    const ENTRIES: Option<&'static Table> = None;

    /// Whose row it is.
    fn id(&self) -> Id<Self::Of> {
        Id::new(self.key())
    }
    /// How many events it has folded.
    fn version(&self) -> i64;
    /// What other aggregates may want to know of it.
    fn fact(&self) -> Fact;
    /// The objects it names.
    fn links(&self) -> Vec<Link> {
        Vec::new()
    }
    /// Rows beside its own that `event` adds: one for every measurement of an indicator.
    ///
    /// # Errors
    /// When a row cannot be written as JSON.
    fn entries(
        _event: &<Self::Of as Aggregate>::Event,
        _meta: &Meta<Self::Of>,
    ) -> Result<Vec<WriteRow>, Error> {
        Ok(Vec::new())
    }
    /// The row after `event`; `None` when there is no row to change (a broken stream).
    fn project(
        row: Option<Self>,
        event: &<Self::Of as Aggregate>::Event,
        meta: &Meta<Self::Of>,
    ) -> Option<Self>;
}

/// That one object names another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// As what it is named, such as `lead`.
    pub relation: &'static str,
    /// The object named.
    pub target_id: Uuid,
}

/// A row on its way into its table.
#[derive(Clone, Debug)]
pub struct WriteRow {
    /// Where it goes.
    pub table: &'static Table,
    /// Its primary key.
    pub key: Uuid,
    /// The row as a JSON object.
    pub json: String,
}

impl WriteRow {
    /// This row.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of<R: Row>(row: &R) -> Result<Self, Error> {
        Ok(Self { table: R::TABLE, key: row.key(), json: serde_json::to_string(row)? })
    }
}

/// What the store must know of each kind to look up facts.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The kind.
    pub kind: Kind,
    /// Its table.
    pub table: &'static Table,
    /// The column that names what it belongs to.
    pub parent: Option<&'static str>,
    /// The table of its [`View::entries`].
    pub entries: Option<&'static Table>,
    /// Folds one stream anew.
    pub(crate) folding: fn(Uuid) -> Box<dyn Folding>,
}

impl Known {
    /// What is to be known of `V`.
    pub fn of<V: View>() -> Self {
        Self {
            kind: V::Of::KIND,
            table: V::TABLE,
            parent: V::PARENT,
            entries: V::ENTRIES,
            folding: |id| Box::new(Fold::<V> { id: Id::new(id), row: None }),
        }
    }
}

/// A view row on its way through the events of one stream, without its type.
pub(crate) trait Folding: Send {
    /// Takes the next event; the rows beside its own that it adds.
    fn apply(&mut self, event: &Recorded) -> Result<Vec<WriteRow>, Error>;
    /// The row after the last event, and what it names.
    fn finish(&self) -> Result<Option<(WriteRow, Vec<Link>)>, Error>;
}

struct Fold<V: View> {
    id: Id<V::Of>,
    row: Option<V>,
}

impl<V: View> Folding for Fold<V> {
    fn apply(&mut self, event: &Recorded) -> Result<Vec<WriteRow>, Error> {
        let meta =
            Meta { id: self.id, version: event.version, actor: event.actor.clone(), at: event.recorded_at };
        let typed = event.decode::<V::Of>()?;
        self.row = V::project(self.row.take(), &typed, &meta);
        V::entries(&typed, &meta)
    }
    fn finish(&self) -> Result<Option<(WriteRow, Vec<Link>)>, Error> {
        self.row.as_ref().map(|row| Ok((WriteRow::of(row)?, row.links()))).transpose()
    }
}
