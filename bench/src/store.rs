//! The store under test.
use std::{path::Path, sync::Arc};

use zhixing_api::graphql;
use zhixing_event_store::{EventStore, Pool, SystemClock};

use crate::load::Fault;

/// Opens the store of a database.
///
/// # Errors
/// When the database does not answer.
pub async fn open(url: &str) -> Result<EventStore, Fault> {
    Ok(EventStore::open(Pool::open(url).await?, Arc::new(SystemClock), graphql::catalogue()).await?)
}

/// Opens the store of a new file.
///
/// # Errors
/// When the file cannot be made.
pub async fn sqlite(directory: &Path, name: &str) -> Result<EventStore, Fault> {
    open(&format!("sqlite:{}", directory.join(name).with_extension("db").display())).await
}
