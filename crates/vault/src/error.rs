//! Why something could not be sealed or opened. No message holds what is sealed, or a key.
use std::path::PathBuf;

use uuid::Uuid;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The key was destroyed: what it sealed is erased for ever.
    #[error("the key {0} was destroyed: what it sealed is erased")]
    Destroyed(Uuid),
    /// The key store does not have the key.
    #[error("the key {0} is not in the key store: was an older copy of it put back?")]
    NoKey(Uuid),
    /// What is sealed was altered, or was sealed for another object or field.
    #[error("what the key {0} sealed was altered, or belongs to another object or field")]
    Altered(Uuid),
    /// The master key is not the one that wrapped the keys.
    #[error(
        "the master key {given} is not the one of the key store ({wanted}): put the right master key file in its place"
    )]
    WrongMaster {
        /// The key that was given.
        given: String,
        /// The key that is needed.
        wanted: String,
    },
    /// There is no master key file.
    #[error("there is no master key at {0}: put it back, or make the first one by `zhixing keys init`")]
    NoMaster(PathBuf),
    /// A master key stands where a new one should go.
    #[error("{0} exists already: a master key is never overwritten")]
    MasterExists(PathBuf),
    /// A text is no master key.
    #[error("the master key is not a line of the form zhixing-master-1:KEY")]
    MasterForm,
    /// A master key from the environment is replaced there, not by this program.
    #[error("the master key comes from the environment: only a master key in a file can be rotated")]
    MasterGiven,
    /// The master key file can be read by others.
    #[error("the master key {0} can be read by others than its owner: chmod 600")]
    MasterOpen(PathBuf),
    /// A file cannot be used.
    #[error("{path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// The address of the key store is of no database that is known.
    #[error("a key store is at postgres://… or sqlite:FILE")]
    Address,
    /// The key store does not answer as it should.
    #[error("the key store failed: {0}")]
    Store(#[from] sqlx::Error),
    /// The tables of the key store cannot be brought up to date.
    #[error("the key store cannot be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers: {0}")]
    Chance(getrandom::Error),
    /// A text is too long to be sealed.
    #[error("a text of more than {0} bytes is not sealed")]
    TooLong(usize),
}
