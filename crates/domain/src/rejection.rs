//! Why a command was refused: the one error of the domain. Each variant is a type of GraphQL's `UserError`.
use thiserror::Error;

use crate::{Kind, Role};

/// A refusal by the rules: an answer, not a fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    /// An argument breaks the form or limits of its field.
    #[error("{field}: {reason}")]
    Invalid {
        /// Path of the argument inside `input`, such as `leadUnitIds[2]`.
        field: String,
        /// What is wrong, readable after the field's name.
        reason: String,
    },
    /// What the argument names does not exist.
    #[error("{field}: there is no such {}", kind.name())]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// The argument that names it.
        field: String,
    },
    /// The lifecycle has no such step from the present state.
    #[error("{action} is not possible while the {} is {}", kind.name(), state.unwrap_or("not there"))]
    NotAllowedInState {
        /// Of what.
        kind: Kind,
        /// The action that was asked for.
        action: &'static str,
        /// The present state.
        state: Option<&'static str>,
        /// States in which the action would be possible.
        allowed_in: Vec<&'static str>,
    },
    /// The viewer may not do this.
    #[error("{action}: {reason}")]
    NotPermitted {
        /// The action that was asked for.
        action: &'static str,
        /// Why not.
        reason: String,
        /// Any of these roles (within its scope) could.
        roles: Vec<Role>,
    },
    /// Somebody else changed the object first.
    #[error("the object is at version {actual}, not {expected}: read it again and decide anew")]
    VersionConflict {
        /// The version the caller had seen.
        expected: i64,
        /// The version it has.
        actual: i64,
    },
    /// The object, or another one with the same unique key, exists already.
    #[error("{field}: there is already a {} with this key", kind.name())]
    AlreadyExists {
        /// Of what kind.
        kind: Kind,
        /// The field that must be unique.
        field: String,
        /// The one that has the key, when it is known.
        existing: Option<uuid::Uuid>,
    },
    /// A rule of the programme forbids it.
    #[error("{message}")]
    Rule {
        /// Stable name of the rule.
        rule: &'static str,
        /// What it says.
        message: String,
        /// Regulation or document it rests on.
        basis: Option<&'static str>,
    },
    /// The command id was used for a different command before.
    #[error("this commandId was used for another command: use a new one")]
    CommandIdReused,
}

impl Rejection {
    /// An argument that breaks its form.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }
    /// A rule that forbids it.
    pub fn rule(rule: &'static str, message: impl Into<String>, basis: Option<&'static str>) -> Self {
        Self::Rule { rule, message: message.into(), basis }
    }
    /// Stable machine-readable code, part of the API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "INVALID_INPUT",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::NotAllowedInState { .. } => "NOT_ALLOWED_IN_STATE",
            Self::NotPermitted { .. } => "NOT_PERMITTED",
            Self::VersionConflict { .. } => "VERSION_CONFLICT",
            Self::AlreadyExists { .. } => "ALREADY_EXISTS",
            Self::Rule { .. } => "RULE_VIOLATION",
            Self::CommandIdReused => "COMMAND_ID_REUSED",
        }
    }
}
