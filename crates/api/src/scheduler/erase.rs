//! Erasures of informers' identities that were ordered and cut off before the key was destroyed or that was recorded.
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_event_store::Error;

use super::Scheduler;
use crate::graphql::{
    informer::{Unfinished, finish_erasure},
    violation_report::ViolationReport,
};

/// Most erasures finished in one round; the next one goes on.
const MOST: u64 = 500;

impl Scheduler {
    /// Finishes what was ordered; how many were.
    pub(super) async fn finish_erasures(&self) -> Result<usize, Error> {
        let Some(vault) = &self.vault else { return Ok(0) };
        let pending = Condition::all().add(Expr::col("erasure_pending").eq(true));
        let mut finished = 0;
        for row in self.store.pool().all::<ViolationReport>(pending, MOST).await? {
            match finish_erasure(&self.store, vault, &row).await {
                Ok(receipt) => finished += usize::from(receipt.position.is_some()),
                Err(Unfinished::Store(Error::Rejected(rejection))) => {
                    tracing::debug!(%rejection, "a report has moved on");
                }
                Err(Unfinished::Store(error)) => return Err(error),
                // The other reports wait no longer for it.
                Err(Unfinished::Key(error)) => tracing::error!(%error, "an erasure waits for the key store"),
            }
        }
        Ok(finished)
    }
}
