//! Where the keys of persons are kept: apart from the log, its replicas and its backups.
use std::fmt;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::VaultError;

/// A key as it is kept: wrapped by a master key.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PersonKey {
    /// Its id.
    pub id: Uuid,
    /// What sort of object it was made for.
    pub subject: String,
    /// The wrapped key in base64; `None` once it was destroyed.
    pub wrapped: Option<String>,
    /// The master key that wrapped it.
    pub master_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was destroyed.
    pub destroyed_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersonKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a keeper of keys must be able to do. A hardware module that holds the keys itself may stand behind it.
pub trait KeyStore: fmt::Debug + Send + Sync + 'static {
    /// The master key in use; `None` in an empty store.
    fn master(&self) -> BoxFuture<'_, Result<Option<String>, VaultError>>;
    /// From now on this master key wraps; all others are retired.
    fn take_master<'a>(&'a self, id: &'a str, at: DateTime<Utc>) -> BoxFuture<'a, Result<(), VaultError>>;
    /// Keeps new keys, safely on disk when it is done; `false`, and none is kept, when their master key was retired.
    fn keep<'a>(&'a self, keys: &'a [PersonKey]) -> BoxFuture<'a, Result<bool, VaultError>>;
    /// The key with this id.
    fn find(&self, id: Uuid) -> BoxFuture<'_, Result<Option<PersonKey>, VaultError>>;
    /// Keys behind `after` that another master key than this one wrapped, in the order of their ids.
    fn wrapped_by_others<'a>(
        &'a self,
        master: &'a str,
        after: Uuid,
        limit: u32,
    ) -> BoxFuture<'a, Result<Vec<PersonKey>, VaultError>>;
    /// Puts other wrappings in the place of those that are there; a key destroyed meanwhile stays destroyed.
    fn rewrap<'a>(&'a self, keys: &'a [PersonKey]) -> BoxFuture<'a, Result<(), VaultError>>;
    /// Destroys a key for ever, with every copy of it that the store has made; `false` when it does not have it.
    fn destroy(&self, id: Uuid, at: DateTime<Utc>) -> BoxFuture<'_, Result<bool, VaultError>>;
    /// Lets go of it.
    fn close(&self) -> BoxFuture<'_, ()>;
}
