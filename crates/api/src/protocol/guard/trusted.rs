//! Documents that the operator trusts: a manifest of ids and documents, as compilers of clients write it.

use super::super::error;
use super::{Guard, lexer, overlap, parser, rules};
use async_graphql::ServerError;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// Documents of a manifest.
const MOST_DOCUMENTS: usize = 10_000;
/// Characters of an id.
const ID_CHARS: usize = 128;
/// Said before an id that is a digest, by the appendix of GraphQL over HTTP.
const DIGEST: &str = "sha256:";

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum DocumentsError {
    /// It is not JSON of the expected form.
    #[error("it is not a JSON object of ids and documents: {0}")]
    NotAManifest(serde_json::Error),
    /// It is too long.
    #[error("it has more than {MOST_DOCUMENTS} documents")]
    TooMany,
    /// An id is too long or empty.
    #[error("the id `{0}` does not have 1 to {ID_CHARS} visible ASCII characters")]
    BadId(String),
    /// A digest is that of another document.
    #[error("the id `{0}` looks like a SHA-256, but it is not that of its document")]
    OtherDigest(String),
    /// A document does not fit the schema.
    #[error("the document `{id}` is not valid: {reason}")]
    Invalid {
        /// Its id.
        id: String,
        /// The first thing that is wrong with it.
        reason: String,
    },
}

/// Documents by id.
#[derive(Debug, Default)]
pub struct Documents {
    by_id: HashMap<String, String>,
    /// The SHA-256 of each, for those who send the text.
    digests: HashSet<String>,
    only: bool,
}

impl Documents {
    /// Reads a manifest, a JSON object of ids and documents. With `only`, nothing else is run.
    ///
    /// # Errors
    /// When it is not one, or an id that looks like a SHA-256 is not that of its document.
    pub fn read(manifest: &str, only: bool) -> Result<Self, DocumentsError> {
        let found: HashMap<String, String> =
            serde_json::from_str(manifest).map_err(DocumentsError::NotAManifest)?;
        if found.len() > MOST_DOCUMENTS {
            return Err(DocumentsError::TooMany);
        }
        let mut documents = Self { only, ..Self::default() };
        for (id, text) in found {
            let bare = bare(&id).to_owned();
            if !(1..=ID_CHARS).contains(&bare.len()) || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(DocumentsError::BadId(id.chars().take(ID_CHARS).collect()));
            }
            let digest = digest(&text);
            let is_digest = bare.len() == digest.len() && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_digest && !bare.eq_ignore_ascii_case(&digest) {
                return Err(DocumentsError::OtherDigest(bare));
            }
            // Every document can be asked for by its digest, whatever the manifest calls it.
            documents.by_id.insert(digest.clone(), text.clone());
            documents.digests.insert(digest);
            documents.by_id.insert(bare, text);
        }
        Ok(documents)
    }
}

/// The id without the word that says what it is.
fn bare(id: &str) -> &str {
    id.strip_prefix(DIGEST).unwrap_or(id)
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

impl Guard {
    /// Lets documents be asked for by id; all of them must be valid.
    ///
    /// # Errors
    /// The first document that is not.
    pub fn trusting(mut self, documents: Documents) -> Result<Self, DocumentsError> {
        for (id, text) in &documents.by_id {
            let invalid = |reason: String| DocumentsError::Invalid { id: id.clone(), reason };
            let source = lexer::scan(text, &self.limits).map_err(|error| invalid(error.message))?;
            let document = parser::parse_query(&source);
            let document = document.map_err(|error| invalid(super::parse_error(&error).message))?;
            rules::validate(&self.schema, &document).map_err(|errors| {
                invalid(errors.into_iter().next().map_or_else(String::new, |error| error.message))
            })?;
            for (_, operation) in document.operations.iter() {
                overlap::check(&self.schema, &document, &operation.node)
                    .map_err(|error| invalid(error.message))?;
            }
        }
        self.documents = documents;
        Ok(self)
    }

    /// The document to run: the one that was sent, or the one that was asked for by id.
    pub(in crate::protocol) fn document(
        &self,
        text: String,
        id: Option<&str>,
    ) -> Result<String, ServerError> {
        let Documents { by_id, digests, only } = &self.documents;
        if !text.trim().is_empty() {
            if *only && !digests.contains(&digest(&text)) {
                let message = "only documents that were registered are run here: this one is not among them";
                return Err(error::error(error::DOCUMENT_NOT_TRUSTED, message));
            }
            return Ok(text);
        }
        let id = bare(id.unwrap_or_default());
        // The words that clients know.
        by_id.get(id).or_else(|| by_id.get(&id.to_ascii_lowercase())).cloned().ok_or_else(|| {
            if by_id.is_empty() && !only {
                error::error(error::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
            } else {
                error::error(error::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound")
            }
        })
    }
}
