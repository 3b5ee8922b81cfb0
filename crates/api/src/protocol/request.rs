//! The parameters of a GraphQL request, from a JSON object or from a query string.

use super::{Limits, error};
use async_graphql::{ServerError, Variables};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// What the client wants to run.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) query: String,
    /// What a registered document is called, if its text was not sent.
    pub(super) document_id: Option<String>,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Variables,
    /// What the client calls the operation, where one stream carries the answers of several.
    pub(super) operation_id: Option<String>,
}

fn bad(message: impl AsRef<str>) -> ServerError {
    error::error(error::BAD_REQUEST, message)
}

impl Params {
    /// Reads a JSON body.
    pub(super) fn from_body(body: &[u8], limits: &Limits) -> Result<Self, ServerError> {
        let text = std::str::from_utf8(body).map_err(|_| bad("the body is not valid UTF-8"))?;
        Self::from_json(text, limits)
    }

    /// Reads the JSON object of a request.
    pub(super) fn from_json(text: &str, limits: &Limits) -> Result<Self, ServerError> {
        match text.trim_start().bytes().next() {
            Some(b'{') => {}
            Some(b'[') => {
                let message = "several operations in one JSON array are not supported: send them one by one";
                return Err(error::error(error::BATCHING_NOT_SUPPORTED, message));
            }
            _ => return Err(bad("the body must be a JSON object with a `query`")),
        }
        let members: HashMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| bad("the body is not valid JSON"))?;
        let member = |name: &str| members.get(name).map(|raw| raw.get()).filter(|raw| *raw != "null");
        let document_id =
            member("documentId").map(|raw| parse(raw, "`documentId` must be a string")).transpose()?;
        Self::assemble(
            document_id,
            member("query").map(|raw| parse(raw, "`query` must be a string")).transpose()?,
            member("operationName").map(|raw| parse(raw, "`operationName` must be a string")).transpose()?,
            member("variables"),
            member("extensions"),
            limits,
        )
    }

    /// Reads the query string of a URL.
    pub(super) fn from_query_string(
        query: &str,
        pairs: Vec<(String, String)>,
        limits: &Limits,
    ) -> Result<Self, ServerError> {
        // Decoding replaces what is not UTF-8 by this character.
        let replaced = pairs.iter().any(|(_, value)| value.contains('\u{fffd}'));
        if replaced && !query.to_ascii_lowercase().contains("%ef%bf%bd") {
            return Err(bad("the query string is not valid UTF-8"));
        }
        let mut members = HashMap::new();
        for (name, value) in pairs {
            if members.insert(name, value).is_some() {
                return Err(bad("a parameter is given twice"));
            }
        }
        let operation_name = members.remove("operationName").filter(|name| !name.is_empty());
        let json = |name: &str| {
            members.get(name).map(String::as_str).filter(|raw| !raw.is_empty() && *raw != "null")
        };
        let (variables, extensions) = (json("variables"), json("extensions"));
        let document_id = members.get("documentId").filter(|id| !id.is_empty()).cloned();
        Self::assemble(
            document_id,
            members.get("query").cloned(),
            operation_name,
            variables,
            extensions,
            limits,
        )
    }

    fn assemble(
        document_id: Option<String>,
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<&str>,
        extensions: Option<&str>,
        limits: &Limits,
    ) -> Result<Self, ServerError> {
        let variables = match variables {
            Some(raw) if raw.len() > limits.variables_bytes => {
                return Err(error::limit("variables_bytes", limits.variables_bytes as u64));
            }
            Some(raw) => object(raw, "`variables` must be a JSON object")?,
            None => Variables::default(),
        };
        let extensions: HashMap<String, &RawValue> = match extensions {
            Some(raw) => object(raw, "`extensions` must be a JSON object")?,
            None => HashMap::new(),
        };
        let id = |raw: &&RawValue| parse(raw.get(), "`operationId` must be a string");
        let operation_id = extensions.get("operationId").map(id).transpose()?;
        let query = query.unwrap_or_default();
        if !query.trim().is_empty() {
            return Ok(Self { query, document_id: None, operation_name, variables, operation_id });
        }
        let document_id = match (document_id, extensions.get("persistedQuery")) {
            (None, Some(raw)) => Some(persisted(raw.get())?),
            (id, _) => id,
        };
        if document_id.is_some() {
            let query = String::new();
            return Ok(Self { query, document_id, operation_name, variables, operation_id });
        }
        Err(bad("`query` is missing: send the document to run, or the `documentId` of a registered one"))
    }
}

/// The hash in the extension that clients of Apollo send.
fn persisted(raw: &str) -> Result<String, ServerError> {
    #[derive(serde::Deserialize)]
    struct Persisted {
        #[serde(rename = "sha256Hash")]
        hash: String,
    }
    parse::<Persisted>(raw, "`persistedQuery` must have a `sha256Hash`").map(|persisted| persisted.hash)
}

fn parse<T: DeserializeOwned>(raw: &str, problem: &str) -> Result<T, ServerError> {
    serde_json::from_str(raw).map_err(|_| bad(problem))
}

fn object<'a, T: serde::Deserialize<'a>>(raw: &'a str, problem: &str) -> Result<T, ServerError> {
    if !raw.trim_start().starts_with('{') {
        return Err(bad(problem));
    }
    serde_json::from_str(raw).map_err(|_| bad(problem))
}
