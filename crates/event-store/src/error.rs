//! What can go wrong between a command and its view.
use zhixing_domain::Rejection;

/// A refusal by the rules or a fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The rules refuse: an answer, not a fault.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// A stored event can no longer be read.
    #[error("the event at position {position} ({event_type}) cannot be read: {reason}")]
    Unreadable {
        /// Where it stands.
        position: i64,
        /// What it is called.
        event_type: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// The log's hash chain does not hold.
    #[error("the log is broken at position {position}: {reason}")]
    Broken {
        /// The first bad position.
        position: i64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// Too many rivals changed the same object.
    #[error("the object is changed by too many at once: try again")]
    Busy,
    /// The database was made by a newer version of this program.
    #[error("the database was made by a newer version of zhixing: use that version or restore a backup")]
    NewerDatabase,
    /// The address of the database cannot be understood.
    #[error("the database address must begin with sqlite: or postgres://")]
    Address,
    /// An event or row could not be written as JSON.
    #[error("a value cannot be written as JSON: {0}")]
    Unwritable(#[from] serde_json::Error),
    /// There is no such projection, or no build of it that is ready.
    #[error(
        "the projection {projection} is not ready: it does not exist, is not being rebuilt, or lags behind"
    )]
    NotReady {
        /// Which one.
        projection: String,
    },
    /// The writer has stopped.
    #[error("the service is shutting down")]
    Closed,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::VersionMissing(_) => Self::NewerDatabase,
            other => Self::Database(other.into()),
        }
    }
}
