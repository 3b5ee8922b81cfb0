//! Read models that cross aggregates: folded from the log beside the commands, not inside them.
use serde_json::{Map, Value};
use uuid::Uuid;
use zhixing_domain::Fact;

use crate::{Recorded, view::Table};

/// A read model. It says what each event writes and does nothing itself: no clock, no database, no side effects, so that
/// it can be built anew at any time.
pub trait Projection: Send + Sync + 'static {
    /// Its name; never changes.
    fn name(&self) -> &'static str;
    /// Version of its form: when it changes, the model is built anew beside the old one and switched in.
    fn version(&self) -> i32;
    /// Its tables.
    fn tables(&self) -> &'static [Projected];
    /// What an event writes. `fact` is what the views know of the event's subject.
    ///
    /// # Errors
    /// Why the event cannot be taken: it is parked, and the others go on.
    fn project(&self, event: &Recorded, fact: Option<&Fact>) -> Result<Vec<Write>, String>;
}

/// A table of a projection. Readers know it by its name; each generation has a table of its own behind it.
#[derive(Debug, PartialEq, Eq)]
pub struct Projected {
    /// Name and columns.
    pub table: Table,
    /// The columns as both databases understand them, `id uuid primary key` first.
    pub columns: &'static str,
    /// Columns of each index.
    pub indexes: &'static [&'static str],
}

impl Projected {
    /// The table of one generation.
    pub(crate) fn name_of(&self, generation: i32) -> String {
        format!("{}_g{generation}", self.table.name)
    }
}

/// Something that an event writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// A row, new or in place of the one with its key.
    Put {
        /// Where.
        table: &'static str,
        /// Its primary key.
        key: Uuid,
        /// Its columns.
        row: Map<String, Value>,
    },
    /// Adds to a number of a row, which begins at nothing.
    Add {
        /// Where.
        table: &'static str,
        /// The row's primary key.
        key: Uuid,
        /// Its other columns.
        row: Map<String, Value>,
        /// The column to add to.
        column: &'static str,
        /// How much.
        by: i64,
    },
}
