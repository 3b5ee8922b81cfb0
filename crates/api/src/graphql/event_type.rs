//! The catalogue of events (事件目录) as GraphQL serves it.
use async_graphql::{Json, Object};
use serde_json::Value;
use zhixing_domain::{
    Kind,
    catalogue::{self, EventType as Known},
    policy::Classification,
};

/// A type of events (事件类型) in one version of its payload.
pub struct EventType(&'static Known);

/// A type of events (事件类型) in one version of its payload.
// Names of types in GraphQL do not end with "Type".
#[Object(name = "EventDefinition")]
impl EventType {
    /// How widely it may be told. Of what is confidential other systems hear only that it happened.
    async fn classification(&self) -> Classification {
        self.0.classification
    }
    /// The name of the form of its payload, `dataschema` in the envelope; the schema is served at
    /// `/schemas/events/<name>.v<version>.json`.
    async fn data_schema(&self) -> String {
        self.0.urn()
    }
    /// What happened, in English.
    async fn description(&self) -> &str {
        &self.0.description
    }
    /// Its `type` in the envelope (CloudEvents): `cn.zhixing.TaskAccepted.v1`.
    async fn envelope_type(&self) -> String {
        self.0.envelope_type()
    }
    /// Payloads as the log has them; of what carries nothing there is none.
    async fn examples(&self) -> Json<Vec<Value>> {
        Json(self.0.examples.clone())
    }
    /// Whether it is the version that is written now. Former ones stay in the log for ever.
    async fn is_current(&self) -> bool {
        self.0.is_current
    }
    /// The kind of its subjects.
    async fn kind(&self) -> Kind {
        self.0.kind
    }
    /// As filters and history spell it: `TaskAccepted`.
    async fn name(&self) -> &str {
        &self.0.name
    }
    /// JSON Schema (draft 2020-12) of the payload.
    async fn schema(&self) -> Json<Value> {
        Json(self.0.document())
    }
    /// The Chinese term.
    async fn term(&self) -> &str {
        &self.0.term
    }
    /// The version of the payload, from 1.
    async fn version(&self) -> i32 {
        self.0.version
    }
}

/// Questions about types of events.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "EventTypeQueries")]
impl Queries {
    /// Everything that can happen, kind by kind; a few hundred at most.
    async fn event_types(
        &self,
        #[graphql(desc = "Which kinds of subjects; all when left out.")] kinds: Option<Vec<Kind>>,
        #[graphql(desc = "How widely they may be told; all when left out.")] classification: Option<
            Classification,
        >,
        #[graphql(desc = "Their names, such as `TaskAccepted`; all when left out.")] names: Option<
            Vec<String>,
        >,
        #[graphql(desc = "Also versions that are written no more.", default)] former: bool,
    ) -> Vec<EventType> {
        let wanted = |known: &&Known| {
            (former || known.is_current)
                && kinds.as_ref().is_none_or(|kinds| kinds.contains(&known.kind))
                && classification.is_none_or(|classification| known.classification == classification)
                && names.as_ref().is_none_or(|names| names.contains(&known.name))
        };
        catalogue::event_types().iter().filter(wanted).map(EventType).collect()
    }
}
