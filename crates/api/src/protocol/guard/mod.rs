//! The guard: reads, measures, validates and coerces a whole operation before anything of it runs.
//!
//! The executor's own validation expands fragments without remembering them and looks at values only when
//! their field is reached. So the guard does all of it first, on the parsed document, and hands over one
//! operation with the fragments it needs and complete variables. A schema behind it may use
//! `ValidationMode::Fast`.

mod coerce;
mod document;
mod lexer;
mod order;
mod overlap;
mod rules;
mod schema;
mod trusted;

pub(super) use coerce::Ids;
pub(super) use order::Order;
pub use trusted::{Documents, DocumentsError};

use super::{Limits, error};
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType,
};
use async_graphql::{Name, Positioned, Request, ServerError, Value, Variables, parser};
use lru::LruCache;
use serde::Deserialize;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Tells whether a custom scalar takes a value, and if not why, in words for the client.
pub type ScalarCheck = fn(&Value) -> Result<(), String>;

/// The checks of all custom scalars by the name of their type.
pub type Scalars = HashMap<String, ScalarCheck>;

/// Errors one answer lists at most.
const MAX_ERRORS: usize = 20;

/// Documents that are remembered, and bytes of one at most: clients send the same few again and again.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(256).unwrap();
const REMEMBERED_BYTES: usize = 8_192;

/// Why no guard can be made for a schema.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The SDL cannot be read.
    #[error("the schema cannot be read: {0}")]
    Sdl(String),
    /// A type is named but not defined.
    #[error("the schema names the type `{0}` but does not define it")]
    UnknownType(String),
    /// A custom scalar has no check, so its values could not be refused before execution.
    #[error("the scalar `{0}` has no check")]
    UncheckedScalar(String),
}

/// Who may ask what the schema holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Introspection {
    /// Whoever comes.
    #[default]
    Everybody,
    /// Whoever signed in.
    SignedIn,
    /// Nobody: the schema is handed out by other ways.
    Nobody,
}

impl Introspection {
    /// Whether somebody may ask.
    pub fn is_open_to(self, signed_in: bool) -> bool {
        match self {
            Self::Everybody => true,
            Self::SignedIn => signed_in,
            Self::Nobody => false,
        }
    }
}

/// Stands before the executor of one schema.
pub struct Guard {
    schema: schema::Schema,
    limits: Limits,
    introspection: Introspection,
    documents: Documents,
    /// Why nothing may be changed.
    read_only: Option<String>,
    /// By operation name and text.
    known: Mutex<LruCache<(String, String), Arc<Valid>>>,
}

/// An operation of a document that was found valid, whatever its variables will be.
struct Valid {
    document: ExecutableDocument,
    facts: rules::Facts,
    /// Made behind the measure, which bounds the work.
    order: OnceLock<Arc<Order>>,
}

/// An operation that may run.
#[derive(Debug)]
pub struct Checked {
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// The name the document gives the operation.
    pub operation_name: Option<String>,
    /// What it was reckoned at, see [`Limits::cost`].
    pub cost: u64,
    /// Its deepest field.
    pub depth: u64,
    /// Whether its document asks what the schema holds.
    pub introspects: bool,
    /// In which order the answer's fields stand.
    pub(super) order: Arc<Order>,
    /// The ids in it and where they stand.
    pub(super) ids: coerce::Ids,
    document: ExecutableDocument,
    variables: Variables,
}

impl Checked {
    /// The request for the executor, which will not parse again.
    pub fn into_request(self) -> Request {
        let mut request = Request::new("").variables(self.variables);
        request.set_parsed_query(self.document);
        request
    }
}

impl Guard {
    /// A guard for the schema that `sdl` describes.
    ///
    /// # Errors
    /// The SDL is not complete, or a custom scalar in it has no check.
    pub fn new(sdl: &str, limits: Limits, scalars: &Scalars) -> Result<Self, GuardError> {
        let known = Mutex::new(LruCache::new(REMEMBERED));
        let schema = schema::Schema::parse(sdl, scalars)?;
        let (introspection, documents) = (Introspection::default(), Documents::default());
        Ok(Self { schema, limits, introspection, documents, read_only: None, known })
    }

    /// Lets these ask what the schema holds. Nobody is told of names that he did not say himself.
    #[must_use]
    pub fn introspected_by(self, introspection: Introspection) -> Self {
        Self { introspection, ..self }
    }

    /// Refuses every mutation, for this reason.
    #[must_use]
    pub fn reading_only(self, reason: impl Into<String>) -> Self {
        Self { read_only: Some(reason.into()), ..self }
    }

    /// Refuses what would change something where nothing may be changed.
    pub(super) fn may_change(&self, checked: &Checked) -> Result<(), ServerError> {
        match &self.read_only {
            Some(reason) if checked.kind == OperationType::Mutation => {
                Err(error::error(error::READ_ONLY, reason))
            }
            _ => Ok(()),
        }
    }

    /// Refuses questions about the schema to those who may not ask.
    pub(super) fn may_introspect(&self, checked: &Checked, signed_in: bool) -> Result<(), ServerError> {
        if !checked.introspects || self.introspection.is_open_to(signed_in) {
            return Ok(());
        }
        let message = match self.introspection {
            Introspection::SignedIn => "sign in to ask what the schema holds",
            Introspection::Everybody | Introspection::Nobody => "the schema is not told here",
        };
        Err(error::error(error::INTROSPECTION_NOT_ALLOWED, message))
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes a document apart; what comes back is safe to run.
    ///
    /// # Errors
    /// All that is wrong with it, each with `extensions.code`.
    pub fn check(
        &self,
        query: &str,
        operation_name: Option<&str>,
        variables: Variables,
    ) -> Result<Checked, Vec<ServerError>> {
        let key = (operation_name.unwrap_or_default().to_owned(), query.to_owned());
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(valid) = known {
            return self.admit(&valid, operation_name, variables);
        }
        let source = lexer::scan(query, &self.limits).map_err(|error| vec![error])?;
        let document = parser::parse_query(&source).map_err(|error| vec![parse_error(&error)])?;
        let facts = rules::validate(&self.schema, &document)?;
        let valid = Valid { document, facts, order: OnceLock::new() };
        let checked = self.admit(&valid, operation_name, variables)?;
        // Behind the measure: it bounds the work of this check.
        let (_, operation) = select(&valid.document, operation_name).map_err(|error| vec![error])?;
        overlap::check(&self.schema, &valid.document, &operation.node).map_err(|error| vec![error])?;
        if query.len() <= REMEMBERED_BYTES {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).put(key, Arc::new(valid));
        }
        Ok(checked)
    }

    /// What depends on the variables.
    fn admit(
        &self,
        valid: &Valid,
        operation_name: Option<&str>,
        variables: Variables,
    ) -> Result<Checked, Vec<ServerError>> {
        let Valid { document, facts, order } = valid;
        let (name, operation) = select(document, operation_name).map_err(|error| vec![error])?;
        let uses = facts.uses_of(name, document);
        let mut ids = facts.ids.clone();
        let variables = coerce::variables(&self.schema, &operation.node, &uses, variables, &mut ids)?;
        let measure = document::measure(&self.schema, &self.limits, document, &operation.node, &variables)?;
        let make_order = || Arc::new(Order::of(document, &operation.node.selection_set.node));
        Ok(Checked {
            kind: operation.node.ty,
            operation_name: name.map(ToString::to_string),
            cost: measure.cost,
            depth: measure.depth,
            introspects: facts.introspects,
            ids,
            order: order.get_or_init(make_order).clone(),
            document: document::hand_over(document, operation, &variables),
            variables,
        })
    }
}

/// The operation to run.
fn select<'a>(
    document: &'a ExecutableDocument,
    wanted: Option<&str>,
) -> Result<(Option<&'a Name>, &'a Positioned<OperationDefinition>), ServerError> {
    let unknown =
        || error::error(error::VALIDATION_FAILED, "`operationName` names no operation of the document");
    match (&document.operations, wanted.filter(|name| !name.is_empty())) {
        (DocumentOperations::Single(operation), None) => Ok((None, operation)),
        (DocumentOperations::Single(_), Some(_)) => Err(unknown()),
        (DocumentOperations::Multiple(map), Some(name)) => {
            map.get_key_value(name).map(|(name, operation)| (Some(name), operation)).ok_or_else(unknown)
        }
        (DocumentOperations::Multiple(map), None) => {
            let mut operations = map.iter();
            match (operations.next(), operations.next()) {
                (Some((name, operation)), None) => Ok((Some(name), operation)),
                _ => Err(error::error(
                    error::VALIDATION_FAILED,
                    "the document has several operations: `operationName` must say which one",
                )),
            }
        }
    }
}

/// The parser's error without the piece of source it prints.
fn parse_error(error: &parser::Error) -> ServerError {
    let text = error.to_string();
    let reason = match error {
        parser::Error::Syntax { .. } => {
            text.lines().last().unwrap_or_default().trim_start_matches([' ', '='])
        }
        _ => &text,
    };
    let mut failure = error::error(error::PARSE_FAILED, format!("syntax error: {reason}"));
    failure.locations = error.positions().collect();
    failure
}
