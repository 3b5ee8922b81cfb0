//! Refusals as data, faults as errors.
use async_graphql::{Error, ErrorExtensions, Interface, SimpleObject};
use zhixing_domain::{Kind, Rejection, Role, id::GlobalId, time::TimeError};
use zhixing_event_store as store;

/// An argument of a query that breaks its form: a GraphQL error with code `INVALID_INPUT` and the field's name.
pub fn invalid(field: &str, reason: &str) -> Error {
    Error::new(format!("{field}: {reason}")).extend_with(|_, extensions| {
        extensions.set("code", "INVALID_INPUT");
        extensions.set("field", field);
    })
}

/// Something that the viewer may not ask for.
pub fn not_permitted(message: &str) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", "NOT_PERMITTED"))
}

/// A fault of this machine: its cause goes to the service's own log.
pub fn internal(reason: &str) -> Error {
    tracing::error!(reason, "the machine fails");
    Error::new("internal error").extend_with(|_, extensions| extensions.set("code", "INTERNAL"))
}

/// Days that cannot be counted: never guessed.
pub fn time(error: &TimeError) -> Error {
    let message = error.to_string();
    Error::new(message).extend_with(|_, extensions| match error {
        TimeError::CalendarMissing { year } => {
            extensions.set("code", "CALENDAR_MISSING");
            extensions.set("year", *year);
        }
        TimeError::LimitMissing { code, on } => {
            extensions.set("code", "TIME_LIMIT_MISSING");
            extensions.set("timeLimit", code.clone());
            extensions.set("on", on.to_string());
        }
        TimeError::TooFar { field } => {
            extensions.set("code", "INVALID_INPUT");
            extensions.set("field", *field);
        }
        TimeError::Facts { at, .. } => {
            extensions.set("code", "INVALID_INPUT");
            extensions.set("field", format!("facts[{at}]"));
        }
    })
}

/// A fault: the client gets a code and no words of the database; the log gets the rest.
#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
pub fn fault(error: store::Error) -> Error {
    shared_fault(&error)
}

/// The same for a fault that several resolvers share.
pub fn shared_fault(error: &store::Error) -> Error {
    let (code, message) = match error {
        store::Error::Rejected(rejection) => (rejection.code(), rejection.to_string()),
        store::Error::Busy => ("BUSY", error.to_string()),
        store::Error::ReadOnly { .. } => ("READ_ONLY", error.to_string()),
        store::Error::OutcomeUnknown => ("OUTCOME_UNKNOWN", error.to_string()),
        store::Error::Closed => ("SHUTTING_DOWN", error.to_string()),
        store::Error::Unreadable { position, .. } => {
            tracing::error!(%error, "an event cannot be read");
            ("UNREADABLE_EVENT", format!("the event at position {position} cannot be read"))
        }
        store::Error::Broken { position, .. } => {
            tracing::error!(%error, "the log is broken");
            ("BROKEN_LOG", format!("the log is broken at position {position}"))
        }
        _ => {
            tracing::error!(%error, "the database failed");
            ("DATABASE_UNAVAILABLE", "the database does not answer as it should: try again".to_owned())
        }
    };
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}

/// Why a command was refused. Every refusal has a stable code, a message, and the argument it is about.
#[derive(Clone, Debug, Interface)]
#[expect(clippy::duplicated_attributes, reason = "fields of one type")]
#[graphql(
    field(name = "code", ty = "&String", desc = "Stable, machine-readable."),
    field(name = "message", ty = "&String", desc = "For people, in English."),
    field(
        name = "field",
        ty = "&Option<String>",
        desc = "Path of the argument in `input` that it is about."
    )
)]
pub enum UserError {
    /// An argument breaks its form.
    InvalidInput(InvalidInput),
    /// An object that an argument names does not exist.
    NotFound(NotFound),
    /// The lifecycle has no such step from the present state.
    NotAllowedInState(NotAllowedInState),
    /// The viewer may not do this.
    NotPermitted(NotPermitted),
    /// Somebody else changed the object first.
    VersionConflict(VersionConflict),
    /// An object with this key exists already.
    AlreadyExists(AlreadyExists),
    /// A rule forbids it.
    RuleViolation(RuleViolation),
    /// The command id was used for another command.
    CommandIdReused(CommandIdReused),
}

macro_rules! user_error {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, SimpleObject)]
        pub struct $name {
            /// Stable, machine-readable.
            pub code: String,
            /// For people, in English.
            pub message: String,
            /// Path of the argument in `input` that it is about.
            pub field: Option<String>,
            $($(#[$fmeta])* pub $field: $ty),*
        }
    };
}
user_error! {
    /// An argument breaks the form or limits of its field.
    InvalidInput { /// What is wrong with it.
        reason: String }
}
user_error! {
    /// What an argument names does not exist.
    NotFound { /// What was looked for.
        kind: Kind }
}
user_error! {
    /// The lifecycle has no such step from the present state.
    NotAllowedInState {
        /// The action asked for.
        action: String,
        /// The present state.
        state: Option<String>,
        /// States in which the action would be possible.
        allowed_in: Vec<String>,
    }
}
user_error! {
    /// The viewer may not do this.
    NotPermitted {
        /// The action asked for.
        action: String,
        /// Roles that may, within their scope.
        roles: Vec<Role>,
    }
}
user_error! {
    /// Somebody else changed the object first: read it again and decide anew.
    VersionConflict {
        /// The version the caller had seen.
        expected: i64,
        /// The version it has.
        actual: i64,
    }
}
user_error! {
    /// An object with this unique key exists already.
    AlreadyExists {
        /// What exists.
        kind: Kind,
        /// The object that has the key.
        existing_id: Option<GlobalId>,
    }
}
user_error! {
    /// A rule of the programme forbids it.
    RuleViolation {
        /// Stable name of the rule.
        rule: String,
        /// The regulation or document it rests on.
        legal_basis: Option<String>,
    }
}
user_error! {
    /// The command id was used for another command before.
    CommandIdReused {}
}

impl From<Rejection> for UserError {
    fn from(rejection: Rejection) -> Self {
        let code = rejection.code().to_owned();
        let message = rejection.to_string();
        let own = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
        match rejection {
            Rejection::Invalid { field, reason } => {
                Self::InvalidInput(InvalidInput { code, message, field: Some(field), reason })
            }
            Rejection::NotFound { kind, field } => {
                Self::NotFound(NotFound { code, message, field: Some(field), kind })
            }
            Rejection::NotAllowedInState { action, state, allowed_in, .. } => {
                Self::NotAllowedInState(NotAllowedInState {
                    code,
                    message,
                    field: None,
                    action: action.into(),
                    state: state.map(Into::into),
                    allowed_in: own(allowed_in),
                })
            }
            Rejection::NotPermitted { action, roles, .. } => {
                Self::NotPermitted(NotPermitted { code, message, field: None, action: action.into(), roles })
            }
            Rejection::VersionConflict { expected, actual } => {
                Self::VersionConflict(VersionConflict { code, message, field: None, expected, actual })
            }
            Rejection::AlreadyExists { kind, field, existing } => Self::AlreadyExists(AlreadyExists {
                code,
                message,
                field: Some(field),
                kind,
                existing_id: existing.map(|uuid| GlobalId { kind, uuid }),
            }),
            Rejection::Rule { rule, basis, .. } => Self::RuleViolation(RuleViolation {
                code,
                message,
                field: None,
                rule: rule.into(),
                legal_basis: basis.map(Into::into),
            }),
            Rejection::CommandIdReused => {
                Self::CommandIdReused(CommandIdReused { code, message, field: Some("commandId".into()) })
            }
        }
    }
}
