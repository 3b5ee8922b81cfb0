//! Leases: of several processes on one database, one does a piece of work, and another takes over when it falls silent.
//!
//! The same way as for projections, without their token: whoever holds a lease appends commands, and a command that
//! comes from a process that slept past its lease is refused by the aggregate that was told already.
use std::{sync::Arc, time::Duration};

use crate::{Error, EventStore, pool::transaction};

/// The right of one process to do something, while it says that it is there.
#[derive(Clone, Debug)]
pub struct Lease {
    store: EventStore,
    name: &'static str,
    /// Names this process among those that share the database.
    owner: Arc<str>,
    length: Duration,
}

const MAKE: &str = "insert into leases (name, owner, lease_until) values ($1, $2, 0) on conflict do nothing";
const TAKE: &str =
    "update leases set owner = $1, lease_until = $2 where name = $3 and (lease_until < $4 or owner = $1)";
const RELEASE: &str = "update leases set lease_until = 0 where name = $1 and owner = $2";

impl Lease {
    /// A lease of this name, which nobody holds yet. A silence of `length` ends it.
    pub fn new(store: EventStore, name: &'static str, length: Duration) -> Self {
        let owner = store.clock().new_id().to_string().into();
        Self { store, name, owner, length }
    }

    /// Takes the lease, or says that its owner is still there. Whether this process holds it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold(&self) -> Result<bool, Error> {
        let now = self.store.clock().now().timestamp_micros();
        let until = now + i64::try_from(self.length.as_micros()).unwrap_or(i64::MAX - now);
        let taken = transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(MAKE).bind(self.name).bind(&*self.owner).execute(&mut *tx).await?;
            let take = sqlx::query(TAKE).bind(&*self.owner).bind(until).bind(self.name).bind(now);
            take.execute(&mut *tx).await?.rows_affected()
        });
        Ok(taken == 1)
    }

    /// Gives the lease back, so that another process need not wait for its end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release(&self) -> Result<(), Error> {
        transaction!(self.store.pool(), |tx, _upsert| {
            sqlx::query(RELEASE).bind(self.name).bind(&*self.owner).execute(&mut *tx).await?;
        });
        Ok(())
    }
}
