//! The catalogue of events (事件目录): what an integrator may be told, in which form, with examples.
//!
//! Names and terms are those of the declarations, forms are derived from the types that write the log, examples are the ones
//! that prove that it stays readable. A schema says what of a payload can be relied on: a field that a former release left
//! out is not required, and more fields than it names may come.
use std::sync::LazyLock;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    Kind,
    policy::{Classification, classification},
};

/// What can happen, in one version of its payload.
#[derive(Clone, Debug)]
pub struct EventType {
    /// The kind of its subjects.
    pub kind: Kind,
    /// As the log and the filters spell it: `TaskAccepted`.
    pub name: String,
    /// The version of the payload, from 1.
    pub version: i32,
    /// Whether it is the version that is written now; former ones stay in the log for ever.
    pub is_current: bool,
    /// The Chinese term.
    pub term: String,
    /// The same in English.
    pub description: String,
    /// How widely it may be told.
    pub classification: Classification,
    /// JSON Schema (draft 2020-12) of the payload, the `data` of the envelope.
    pub schema: Value,
    /// Payloads as the log has them; of what carries nothing there is none.
    pub examples: Vec<Value>,
}

impl EventType {
    /// The name of the form, `dataschema` in the envelope.
    pub fn urn(&self) -> String {
        format!("urn:zhixing:event:{}:v{}", self.name, self.version)
    }
    /// The `type` of the envelope.
    pub fn envelope_type(&self) -> String {
        format!("cn.zhixing.{}.v{}", self.name, self.version)
    }
    /// The schema as a document of its own.
    pub fn document(&self) -> Value {
        let mut document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": self.urn(),
            "title": self.name,
            "description": format!("{} ({})", self.description, self.term),
            "x-kind": self.kind.as_str(),
            "x-classification": self.classification.as_str(),
        });
        if let (Value::Object(document), Value::Object(schema)) = (&mut document, &self.schema) {
            document.extend(schema.clone());
            document.insert("examples".into(), self.examples.clone().into());
        }
        document
    }
}

/// Examples in later versions than the first.
const LATER: &[(Kind, i32, &str)] = &[
    (Kind::ReportingDuty, 2, include_str!("../golden/ReportingDuty.v2.json")),
    (Kind::Report, 2, include_str!("../golden/Report.v2.json")),
];

/// Forms that are written no more, in the words of their time.
const FORMER: &[(&str, i32, &str)] = &[
    ("ReportingDutyEstablished", 1, include_str!("../former/ReportingDutyEstablished.v1.json")),
    ("ReportOpened", 1, include_str!("../former/ReportOpened.v1.json")),
];

/// Everything that can happen, kind by kind in the order of the registry; former versions stand before the current one.
pub fn event_types() -> &'static [EventType] {
    static TYPES: LazyLock<Vec<EventType>> =
        LazyLock::new(|| Kind::ALL.iter().flat_map(|kind| of_kind(*kind)).collect());
    &TYPES
}

/// What the registry knows of a kind's payloads.
pub(crate) struct Payloads {
    /// Schema of the event enum.
    pub(crate) schema: Value,
    /// The examples of first versions.
    pub(crate) examples: &'static str,
}

/// The schema of an event enum, every part in its place.
pub(crate) fn schema_of<E: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<E>().to_value()
}

fn of_kind(kind: Kind) -> Vec<EventType> {
    let Payloads { schema, examples: first } = kind.payloads();
    let later = LATER.iter().filter(|(of, ..)| *of == kind).map(|(_, version, text)| (*version, *text));
    let examples: Vec<(i32, Example)> = [(1, first)]
        .into_iter()
        .chain(later)
        .flat_map(|(version, text)| {
            let entries: Vec<Example> = serde_json::from_str(text).unwrap_or_default();
            entries.into_iter().map(move |entry| (version, entry))
        })
        .collect();
    let mut types = Vec::new();
    for current in kind.event_types() {
        let variant = current.name.strip_prefix(kind.name()).unwrap_or_default();
        for version in 1..=current.version {
            let is_current = version == current.version;
            let schema = if is_current { payload(&schema, variant) } else { former(&current.name, version) };
            let of_this =
                examples.iter().filter(|(of, example)| (*of, &example.r#type) == (version, &current.name));
            types.push(EventType {
                kind,
                name: current.name.clone(),
                version,
                is_current,
                term: current.term.into(),
                description: in_words(&current.name),
                classification: classification(kind),
                schema,
                examples: of_this
                    .map(|(_, example)| example.data.clone())
                    .filter(|data| !data.is_null())
                    .collect(),
            });
        }
    }
    types
}

/// An example in the files that prove that the log stays readable.
#[derive(Deserialize)]
struct Example {
    r#type: String,
    data: Value,
}

/// The part of an adjacently tagged enum's schema that is about the `data` of one variant. What carries nothing has none.
fn payload(schema: &Value, variant: &str) -> Value {
    let variants = schema["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_variant = variants.iter().find(|one| one["properties"]["type"]["const"] == variant);
    let data = of_variant.and_then(|one| one["properties"].get("data")).cloned();
    data.unwrap_or_else(|| json!({ "type": "null" }))
}

fn former(name: &str, version: i32) -> Value {
    let text = FORMER.iter().find(|(of, in_version, _)| (*of, *in_version) == (name, version));
    let schema = text.and_then(|(.., text)| serde_json::from_str(text).ok());
    schema.unwrap_or_else(|| Value::Object(Map::new()))
}

/// `TaskBecameOverdue` → `Task became overdue`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
            words.extend(letter.to_lowercase());
        } else {
            words.push(letter);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Event;

    #[test]
    fn every_type_says_what_it_is_and_what_it_carries() {
        let mut seen = BTreeSet::new();
        for event_type in event_types() {
            let urn = event_type.urn();
            assert!(seen.insert(urn.clone()), "{urn} stands twice");
            assert!(!event_type.term.is_ascii(), "{urn} has no Chinese term");
            let carries = event_type.schema["type"] != "null";
            assert!(event_type.schema["type"].is_string(), "{urn} has no schema: {}", event_type.schema);
            assert_eq!(carries, !event_type.examples.is_empty(), "{urn}: {:?}", event_type.examples);
        }
        let count: usize = Kind::ALL.iter().map(|kind| kind.event_types().len()).sum();
        assert_eq!(event_types().iter().filter(|event_type| event_type.is_current).count(), count);
        assert_eq!(event_types().len(), count + FORMER.len());
        assert_eq!(in_words("TaskBecameOverdue"), "Task became overdue");
    }

    #[test]
    fn files_of_examples_are_all_known() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
        let mut versions = BTreeSet::new();
        for file in std::fs::read_dir(directory).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let Some((kind, version)) = name.trim_end_matches(".json").split_once(".v") else { continue };
            if let Some(kind) = Kind::ALL.iter().find(|known| known.name() == kind) {
                versions.insert((kind.name(), version.parse::<i32>().unwrap()));
            }
        }
        let first = Kind::ALL.iter().map(|kind| (kind.name(), 1));
        let later = LATER.iter().map(|(kind, version, _)| (kind.name(), *version));
        assert_eq!(versions, first.chain(later).collect());
    }

    #[test]
    fn optional_fields_and_words_are_told() {
        let find = |name: &str| event_types().iter().find(|one| one.name == name && one.is_current).unwrap();
        let amended = &find("TaskAmended").schema;
        assert_eq!(amended["required"], json!(["content"]), "{amended}");
        let declined = &find("TaskDeclined").schema;
        let grounds = declined["properties"]["ground"]["enum"].as_array().unwrap();
        assert_eq!(grounds.len(), crate::programme::task::DeclineGround::ALL.len());
        assert_eq!(find("TaskAccepted").schema, json!({ "type": "null" }));
        assert!(crate::programme::task::TaskEvent::TYPES.contains(&("Accepted", "任务已接收")));
    }
}
