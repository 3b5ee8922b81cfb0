//! The scheduler (调度程序): announces what days bring about, exactly once.
//!
//! A round asks the views what is still to be announced or opened (an index has only that), tells the aggregates, and
//! each decides: what was announced, moved or done meanwhile is refused. So rounds may overlap, be cut off, or come a
//! week late; what is said then happened on its own day and is recorded now. One process holds the lease.
pub(crate) mod announce;
mod erase;
mod periods;
mod phases;
pub(crate) mod supervise;

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinHandle};
use zhixing_domain::{Date, TimeReference, Viewer};
use zhixing_event_store::{Error, EventStore, Lease};
use zhixing_vault::Vault;

use crate::graphql::{
    local_plan::LocalPlan, report::Report, supervision_item::SupervisionItem, task::Task,
    violation_report::ViolationReport,
};

/// Name of the lease.
const NAME: &str = "scheduler";

/// How often the scheduler looks.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long before it looks again.
    pub every: Duration,
    /// How long its process may be silent before another takes over.
    pub lease: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { every: Duration::from_secs(30), lease: Duration::from_mins(2) }
    }
}

/// What a round announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Whether this process held the lease.
    pub held: bool,
    /// Phases of plans that were entered.
    pub phases: usize,
    /// Reports that were opened.
    pub opened: usize,
    /// Objects that are due soon.
    pub due_soon: usize,
    /// Objects that have become overdue.
    pub overdue: usize,
    /// Supervision items that were opened by rule.
    pub supervised: usize,
    /// Supervision items that were escalated by rule.
    pub escalated: usize,
    /// Identities of informers whose erasure was finished.
    pub erased: usize,
}

/// The scheduler of one process.
#[derive(Clone, Debug)]
pub struct Scheduler {
    store: EventStore,
    time: Arc<TimeReference>,
    timing: Timing,
    /// Whether what stays overdue is supervised.
    supervises: bool,
    vault: Option<Vault>,
    lease: Lease,
    viewer: Viewer,
}

impl Scheduler {
    /// A scheduler that does nothing yet.
    pub fn new(store: EventStore, time: Arc<TimeReference>, timing: Timing) -> Self {
        let lease = Lease::new(store.clone(), NAME, timing.lease);
        Self { store, time, timing, supervises: false, vault: None, lease, viewer: Viewer::scheduler() }
    }

    /// The same, which also opens supervision items for what stays overdue, or does not.
    #[must_use]
    pub fn supervising(self, supervises: bool) -> Self {
        Self { supervises, ..self }
    }

    /// The same, which also finishes erasures by these keys.
    #[must_use]
    pub fn with_vault(self, vault: Option<Vault>) -> Self {
        Self { vault, ..self }
    }

    /// Does its rounds until the service stops.
    pub fn start(self, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut stop = pin!(async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            });
            loop {
                // Cut off in the middle, a round leaves nothing half done.
                tokio::select! {
                    () = &mut stop => break,
                    () = self.try_round() => {}
                }
                tokio::select! {
                    () = &mut stop => break,
                    () = tokio::time::sleep(self.timing.every) => {}
                }
            }
            if let Err(error) = self.lease.release().await {
                tracing::warn!(%error, "the next scheduler must wait until the lease of this one ends");
            }
        })
    }

    async fn try_round(&self) {
        match self.round().await {
            Ok(round) if round == (Round { held: round.held, ..Round::default() }) => {}
            Ok(Round { phases, opened, due_soon, overdue, supervised, escalated, erased, .. }) => {
                tracing::info!(
                    phases,
                    opened,
                    due_soon,
                    overdue,
                    supervised,
                    escalated,
                    erased,
                    "entered, opened, announced, supervised and erased what the day brought about"
                );
            }
            Err(error) => tracing::warn!(%error, "a round of the scheduler failed: the next one goes on"),
        }
    }

    /// Announces everything that has come about by now, unless another process does.
    ///
    /// # Errors
    /// When the database fails; what was announced stays so.
    pub async fn round(&self) -> Result<Round, Error> {
        let mut round = Round { held: self.lease.hold().await?, ..Round::default() };
        if !round.held {
            return Ok(round);
        }
        let today = Date::of(self.store.clock().now());
        // In the order in which it happened: what is opened may be due, and is due soon before it is overdue.
        round.phases = self.enter_phases(today).await?;
        round.opened = self.open_periods(today).await?;
        round.due_soon = self.announce_due_soon::<Task>(today).await?;
        round.due_soon += self.announce_due_soon::<Report>(today).await?;
        round.due_soon += self.announce_due_soon::<LocalPlan>(today).await?;
        round.due_soon += self.announce_due_soon::<ViolationReport>(today).await?;
        round.overdue = self.announce_overdue::<Task>(today).await?;
        round.overdue += self.announce_overdue::<Report>(today).await?;
        round.overdue += self.announce_overdue::<LocalPlan>(today).await?;
        round.overdue += self.announce_overdue::<ViolationReport>(today).await?;
        if self.supervises {
            round.supervised = self.supervise_overdue::<Task>(today).await?;
            round.supervised += self.supervise_overdue::<Report>(today).await?;
        }
        round.due_soon += self.announce_due_soon::<SupervisionItem>(today).await?;
        round.overdue += self.announce_overdue::<SupervisionItem>(today).await?;
        round.escalated = self.escalate_overdue(today).await?;
        round.erased = self.finish_erasures().await?;
        Ok(round)
    }
}
