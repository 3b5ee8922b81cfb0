//! What a batch writes: tables of a build, and rows gathered so that each is written once.
use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use uuid::Uuid;
use zhixing_domain::Fact;

use crate::{
    Recorded,
    projection::{Projected, Projection, Write},
};

/// An event on its way into a projection, or why it cannot be read.
pub(super) struct Taken {
    pub(super) position: i64,
    pub(super) event: Result<Recorded, String>,
}

impl Taken {
    /// What it writes, or why it is parked.
    pub(super) fn project(
        &self,
        projection: &dyn Projection,
        facts: &HashMap<Uuid, Fact>,
    ) -> Result<Vec<Write>, String> {
        let event = self.event.as_ref().map_err(Clone::clone)?;
        projection.project(event, facts.get(&event.stream_id))
    }
}

/// One build of one projection, and the right to write it.
pub(super) struct Build<'p> {
    pub(super) projection: &'p dyn Projection,
    pub(super) generation: i32,
    pub(super) token: i64,
}

pub(super) fn ddl(table: &Projected, generation: i32, first: bool) -> Vec<String> {
    let name = table.name_of(generation);
    let mut statements = vec![format!("create table {name} ({})", table.columns)];
    for (at, columns) in table.indexes.iter().enumerate() {
        statements.push(format!("create index {name}_{at} on {name} ({columns})"));
    }
    if first {
        statements.push(format!("create view {} as select * from {name}", table.table.name));
    }
    statements
}

pub(super) fn swap(table: &Projected, old: i32, new: i32) -> [String; 3] {
    let name = table.table.name;
    [
        format!("drop view if exists {name}"),
        format!("create view {name} as select * from {}", table.name_of(new)),
        format!("drop table if exists {}", table.name_of(old)),
    ]
}

/// The rows of a batch, each written once: a later `Put` takes the place of an earlier one, `Add`s add up.
#[derive(Default)]
pub(super) struct Rows {
    put: BTreeMap<&'static str, BTreeMap<Uuid, Columns>>,
    /// By table and column that is added to.
    add: BTreeMap<(&'static str, &'static str), Sums>,
}

type Sums = BTreeMap<Uuid, (Columns, i64)>;

type Columns = serde_json::Map<String, Value>;

/// Table, columns, the column that is added to, rows as a JSON array.
pub(super) type Statement = (String, &'static [&'static str], Option<&'static str>, String);

impl Rows {
    pub(super) fn extend(&mut self, writes: Vec<Write>) {
        for write in writes {
            self.take(write);
        }
    }

    fn take(&mut self, write: Write) {
        match write {
            Write::Put { table, key, row } => {
                self.put.entry(table).or_default().insert(key, row);
            }
            Write::Add { table, key, row, column, by } => {
                let entry = self.add.entry((table, column)).or_default().entry(key).or_insert((row, 0));
                entry.1 += by;
            }
        }
    }

    pub(super) fn statements(self, build: &Build<'_>) -> Vec<Statement> {
        let target = |name: &str| {
            let table = build.projection.tables().iter().find(|table| table.table.name == name)?;
            Some((table.name_of(build.generation), table.table.columns))
        };
        let mut statements = Vec::new();
        for (table, rows) in self.put {
            let Some((name, columns)) = target(table) else { continue };
            let rows: Vec<Value> = rows.into_values().map(Value::Object).collect();
            statements.push((name, columns, None, Value::Array(rows).to_string()));
        }
        for ((table, column), rows) in self.add {
            let Some((name, columns)) = target(table) else { continue };
            let rows = rows.into_values().map(|(mut row, by)| {
                row.insert(column.to_owned(), by.into());
                Value::Object(row)
            });
            statements.push((name, columns, Some(column), Value::Array(rows.collect()).to_string()));
        }
        statements
    }
}
