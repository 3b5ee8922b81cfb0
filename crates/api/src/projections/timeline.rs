//! What happened, over all objects, for reading and searching.
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;
use zhixing_domain::{Fact, Kind, RegionCode};
use zhixing_event_store::{
    Projection, Recorded, Row, Table,
    projection::{Projected, Write},
};

/// The projection.
#[derive(Debug)]
pub struct Timeline;

/// Its name.
pub const NAME: &str = "timeline";

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, serde::Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct Entry {
    pub id: Uuid,
    pub position: i64,
    pub kind: Kind,
    pub subject_id: Uuid,
    pub event_type: String,
    pub status_from: Option<String>,
    pub status_to: Option<String>,
    pub region_code: Option<RegionCode>,
    pub actor: String,
    pub words: String,
    pub recorded_at: DateTime<Utc>,
}

impl Row for Entry {
    const TABLE: &'static Table = &Table {
        name: "timeline",
        columns: &[
            "id",
            "position",
            "kind",
            "subject_id",
            "event_type",
            "status_from",
            "status_to",
            "region_code",
            "actor",
            "words",
            "recorded_at",
        ],
    };
    fn key(&self) -> Uuid {
        self.id
    }
}

const TABLES: &[Projected] = &[Projected {
    table: Table { name: Entry::TABLE.name, columns: Entry::TABLE.columns },
    columns: "id uuid primary key, position bigint not null, kind text not null, subject_id uuid not null, \
              event_type text not null, status_from text, status_to text, region_code text, actor text not null, \
              words text not null, recorded_at timestamptz not null",
    indexes: &["position", "subject_id, position", "kind, position"],
}];

/// Most characters of an event's words that can be searched.
const WORDS: usize = 2_000;

impl Projection for Timeline {
    fn name(&self) -> &'static str {
        NAME
    }
    fn version(&self) -> i32 {
        1
    }
    fn tables(&self) -> &'static [Projected] {
        TABLES
    }
    fn project(&self, event: &Recorded, _: Option<&Fact>) -> Result<Vec<Write>, String> {
        let data: Value = serde_json::from_str(&event.data).map_err(|error| error.to_string())?;
        let mut words = String::new();
        gather(&data, &mut words);
        let row: Map<String, Value> = [
            ("id", json!(event.id)),
            ("position", json!(event.position)),
            ("kind", json!(event.kind)),
            ("subject_id", json!(event.stream_id)),
            ("event_type", json!(event.r#type)),
            ("status_from", json!(event.status_from)),
            ("status_to", json!(event.status_to)),
            ("region_code", json!(event.region_code)),
            ("actor", json!(event.actor)),
            ("words", json!(words)),
            ("recorded_at", json!(event.recorded_at)),
        ]
        .into_iter()
        .map(|(column, value)| (column.to_owned(), value))
        .collect();
        Ok(vec![Write::Put { table: Entry::TABLE.name, key: event.id, row }])
    }
}

/// Every text of a payload that people wrote; ids and codes of kinds are left out.
fn gather(value: &Value, words: &mut String) {
    match value {
        Value::String(text) if !text.is_ascii() || text.contains(' ') => say(text, words),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if matches!(name.as_str(), "code" | "number" | "documentNumber") => {
                        say(text, words);
                    }
                    _ => gather(value, words),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| gather(value, words)),
        _ => {}
    }
}

fn say(text: &str, words: &mut String) {
    if words.chars().count() + text.chars().count() < WORDS {
        words.push_str(text);
        words.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_people_wrote() {
        let mut words = String::new();
        let data = json!({ "content": { "title": "推进质量兴湘战略", "kind": "TASK" }, "number": "A20", "planId": "AQIBogZ5" });
        gather(&data, &mut words);
        assert_eq!(words, "推进质量兴湘战略\nA20\n");
    }
}
