//! How many tasks of each plan stand where: the cockpit's counts.
use serde_json::{Map, json};
use uuid::Uuid;
use zhixing_domain::{Fact, Kind};
use zhixing_event_store::{
    Projection, Recorded, Row, Table,
    projection::{Projected, Write},
};

/// The projection.
#[derive(Debug)]
pub struct PlanProgress;

/// Its name.
pub const NAME: &str = "plan_progress";

/// How many tasks of one plan stand in one state.
#[derive(Clone, Debug, PartialEq, serde::Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct TaskCount {
    pub id: Uuid,
    pub plan_id: Uuid,
    pub status: String,
    pub tasks: i64,
}

impl Row for TaskCount {
    const TABLE: &'static Table =
        &Table { name: "plan_task_counts", columns: &["id", "plan_id", "status", "tasks"] };
    fn key(&self) -> Uuid {
        self.id
    }
}

const TABLES: &[Projected] = &[Projected {
    table: Table { name: TaskCount::TABLE.name, columns: TaskCount::TABLE.columns },
    columns: "id uuid primary key, plan_id uuid not null, status text not null, tasks bigint not null",
    indexes: &["plan_id"],
}];

impl Projection for PlanProgress {
    fn name(&self) -> &'static str {
        NAME
    }
    fn version(&self) -> i32 {
        1
    }
    fn tables(&self) -> &'static [Projected] {
        TABLES
    }
    fn project(&self, event: &Recorded, fact: Option<&Fact>) -> Result<Vec<Write>, String> {
        if event.kind != Kind::Task || !event.changes_status() {
            return Ok(Vec::new());
        }
        let plan = fact.and_then(|fact| fact.belongs_to).ok_or("the task's plan is not known")?;
        let count = |status: &String, by: i64| {
            let key = Uuid::new_v5(&plan, status.as_bytes());
            let mut row = Map::new();
            row.insert("id".into(), json!(key));
            row.insert("plan_id".into(), json!(plan));
            row.insert("status".into(), json!(status));
            Write::Add { table: TaskCount::TABLE.name, key, row, column: "tasks", by }
        };
        let left = event.status_from.as_ref().map(|status| count(status, -1));
        let reached = event.status_to.as_ref().map(|status| count(status, 1));
        Ok(left.into_iter().chain(reached).collect())
    }
}
