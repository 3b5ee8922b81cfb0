//! Sealing (密封): fields of a person are encrypted under a key of their own, and the keys are kept apart from the log.
//!
//! Read [`vault`] for what is sealed and how, [`master`] for the key above all keys, [`store`] for where the keys of
//! persons are. Destroying a person's key erases what it sealed, in the log, its views, exports, replicas and backups.
pub mod error;
pub mod master;
pub mod plain;
pub mod store;
pub mod vault;

mod cipher;
mod database;
#[cfg(test)]
mod tests;

pub use error::VaultError;
pub use master::{MasterKey, MasterSource};
pub use plain::Plain;
pub use store::{KeyStore, PersonKey};
pub use vault::{PersonalKey, Place, Vault};
