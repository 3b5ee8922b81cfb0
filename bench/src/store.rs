//! The store under test.
use std::{path::Path, sync::Arc};

use zhixing_api::graphql;
use zhixing_event_store::{EventStore, Pool, SystemClock};

use crate::load::Fault;

/// Opens the store of a database.
///
/// # Errors
/// When the database does not answer or is not durable.
pub async fn open(url: &str) -> Result<EventStore, Fault> {
    let pool = Pool::open(url).await?;
    durable(&pool).await?;
    Ok(EventStore::open(pool, Arc::new(SystemClock), graphql::catalogue()).await?)
}

/// Makes sure that what is acknowledged to a session of this store survives a loss of power.
async fn durable(pool: &Pool) -> Result<(), Fault> {
    let Pool::Postgres(db) = pool else { return Ok(()) };
    for name in ["fsync", "synchronous_commit", "full_page_writes"] {
        let value: String = sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(db).await?;
        if value == "off" {
            return Err(format!("the server has {name} = off: figures of it would be worth nothing").into());
        }
    }
    Ok(())
}

/// Opens the store of a new file.
///
/// # Errors
/// When the file cannot be made.
pub async fn sqlite(directory: &Path, name: &str) -> Result<EventStore, Fault> {
    open(&format!("sqlite:{}", directory.join(name).with_extension("db").display())).await
}
