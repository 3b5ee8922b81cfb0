//! What can go wrong between a command and its view.
use sqlx::sqlite::SqliteError;
use zhixing_domain::Rejection;

use crate::{backup::BackupError, bundle::BundleError, checkpoint::Distrust, signing::KeyError};

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
    /// The file is no database, or is damaged or cut.
    #[error("the database file is damaged ({0}): restore a backup")]
    Damaged(String),
    /// The database belongs to another program.
    #[error("this is the database of another program, not a log of zhixing: nothing was changed")]
    Foreign,
    /// The log, a checkpoint or a proof is not to be trusted.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A backup cannot be made or restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A bundle cannot be made, is not to be trusted, or does not belong here.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The log is a replica: it grows by bundles alone.
    #[error("this database is a replica of {origin}: it can only be read, and grows by bundles from there")]
    ReadOnly {
        /// What the log calls itself of which it is a copy.
        origin: String,
    },
    /// Views are being built anew by somebody else.
    #[error("another rebuild is running: try again when it has ended")]
    Rebuilding,
    /// There is no such durable reader.
    #[error("there is no such consumer")]
    NoConsumer,
    /// Whoever judges events for a consumer cannot judge now.
    #[error("whether an event is wanted cannot be found out now")]
    Undecided,
    /// The writer has stopped.
    #[error("the service is shutting down")]
    Closed,
    /// A projection claims to hold events that the log has not: it would pass over the next ones.
    #[error(
        "the projection {projection} stands at position {position}, behind the end of the log ({head}): rebuild it"
    )]
    ProjectionAhead {
        /// Which one.
        projection: String,
        /// Where it claims to stand.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// The database did not answer in time when it was told to write.
    #[error(
        "the database does not answer: whether the command was carried out is not known; \
         give it again with the same commandId, and it is carried out once"
    )]
    OutcomeUnknown,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[source] sqlx::Error),
}

/// Stands in an [`sqlx::Error`] for a database that did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer in time: whether it has written is not known")]
pub(crate) struct Unanswered;

impl Unanswered {
    pub(crate) fn error() -> sqlx::Error {
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, Self))
    }

    pub(crate) fn is(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.downcast_ref::<Self>().is_some()))
    }
}

/// What SQLite calls a damaged database (SQLITE_CORRUPT) and a file that is none (SQLITE_NOTADB).
const DAMAGED: [i32; 2] = [11, 26];

/// Whether the database works and refuses what it was given: trying again is in vain, others are not concerned.
pub(crate) fn is_about_data(error: &sqlx::Error) -> bool {
    // SQLite: ERROR (malformed JSON), TOOBIG, CONSTRAINT, MISMATCH, below whatever says more about them.
    const SQLITE: [i32; 4] = [1, 18, 19, 20];
    // PostgreSQL: cardinality, data, integrity, program limits.
    const POSTGRES: [&str; 4] = ["21", "22", "23", "54"];
    let Some(error) = error.as_database_error() else { return false };
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
        return code.parse::<i32>().is_ok_and(|code| SQLITE.contains(&(code & 0xff)));
    }
    POSTGRES.iter().any(|class| code.starts_with(class))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlite = error.as_database_error().and_then(|error| error.try_downcast_ref::<SqliteError>());
        // The low byte of an extended code is the plain one.
        let code = sqlite.and_then(|error| sqlx::error::DatabaseError::code(error)?.parse::<i32>().ok());
        match (code, sqlite) {
            (Some(code), Some(what)) if DAMAGED.contains(&(code & 0xff)) => Self::Damaged(what.to_string()),
            _ => Self::Database(error),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for Error {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError;
        match error {
            MigrateError::VersionMissing(_) => Self::NewerDatabase,
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => Self::Database(other.into()),
        }
    }
}
