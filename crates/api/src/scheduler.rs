//! The scheduler (调度程序): announces what days bring about, exactly once.
//!
//! A round asks the views which due dates are still to be announced (an index has only those), tells the aggregates, and
//! each decides: a date that was announced, moved or done meanwhile is refused. So rounds may overlap, be cut off, or
//! come a week late; what is said then happened on its own day and is recorded now. One process holds the lease.
use std::{pin::pin, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use sea_query::{Condition, Expr, ExprTrait};
use tokio::{sync::watch, task::JoinHandle};
use zhixing_domain::{
    Date, TimeReference, Viewer,
    programme::{
        task::TaskCommand,
        task_clock::{AnnounceTaskDueSoon, AnnounceTaskOverdue, DueSoon},
    },
    time::{TimeLimit, TimeUnit, calendar::Reach},
};
use zhixing_event_store::{
    Error, EventStore, Lease, Listing, Order, Sort,
    listing::{Cursor, Slice},
};

use crate::graphql::task::Task;

/// Name of the lease.
const NAME: &str = "scheduler";
/// Code of the rule that says how many working days before it is said that a task is due soon.
pub const DUE_SOON: &str = "TASK_DUE_SOON";
/// Tasks read at once.
const PAGE: u64 = 500;
/// Announcements on their way at once; the log writes them together.
const AT_ONCE: usize = 64;

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
    /// Tasks that are due soon.
    pub due_soon: usize,
    /// Tasks that have become overdue.
    pub overdue: usize,
}

/// The scheduler of one process.
#[derive(Clone, Debug)]
pub struct Scheduler {
    store: EventStore,
    time: Arc<TimeReference>,
    timing: Timing,
    lease: Lease,
    viewer: Viewer,
}

/// The column of the view that holds what is to be announced.
#[derive(Clone, Copy)]
struct Pending {
    column: &'static str,
    of: fn(&Task) -> Option<Date>,
}

const PENDING_DUE_SOON: Pending = Pending { column: "due_soon_pending", of: |task| task.due_soon_pending };
const PENDING_OVERDUE: Pending = Pending { column: "overdue_pending", of: |task| task.overdue_pending };

impl Scheduler {
    /// A scheduler that does nothing yet.
    pub fn new(store: EventStore, time: Arc<TimeReference>, timing: Timing) -> Self {
        let lease = Lease::new(store.clone(), NAME, timing.lease);
        Self { store, time, timing, lease, viewer: Viewer::scheduler() }
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
            Ok(Round { due_soon: 0, overdue: 0, .. }) => {}
            Ok(Round { due_soon, overdue, .. }) => tracing::info!(due_soon, overdue, "tasks were announced"),
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
        // In the order in which it happened: a task is due soon before it is overdue.
        if let Some((limit, reach)) = self.due_soon_limit(today) {
            round.due_soon = self
                .announce(PENDING_DUE_SOON, reach.until, |task, due_on| self.due_soon(&limit, task, due_on))
                .await?;
        }
        let yesterday = Date::from(today.naive().pred_opt().unwrap_or(today.naive()));
        round.overdue =
            self.announce(PENDING_OVERDUE, yesterday, |task, due_on| Some(overdue(task, due_on))).await?;
        Ok(round)
    }

    /// The rule of today, and the last due date that it certainly reaches.
    fn due_soon_limit(&self, today: Date) -> Option<(TimeLimit, Reach)> {
        let limit = match self.time.limits.on(DUE_SOON, today) {
            Ok(limit) if limit.unit == TimeUnit::WorkingDays => limit.clone(),
            Ok(_) => {
                tracing::warn!(
                    code = DUE_SOON,
                    "the rule is not in working days: nothing is announced as due soon"
                );
                return None;
            }
            Err(error) => {
                tracing::warn!(%error, "nothing is announced as due soon");
                return None;
            }
        };
        let reach = self.time.calendar.reach(today, limit.value);
        if let Some(year) = reach.missing {
            tracing::warn!(
                year,
                "the working-day calendar is missing: due dates behind {} wait for it",
                reach.until
            );
        }
        Some((limit, reach))
    }

    /// Announces every task whose pending date is no later than `until`; how many were.
    async fn announce(
        &self,
        pending: Pending,
        until: Date,
        announcement: impl Fn(&Task, Date) -> Option<(TaskCommand, DateTime<Utc>)>,
    ) -> Result<usize, Error> {
        let sort = Sort { column: pending.column, nullable: false, descending: false };
        let filter = Condition::all().add(Expr::col(pending.column).lte(Expr::value(until)));
        let (mut after, mut announced) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<Task>(listing).await?;
            // Behind the last row, whatever became of it: a task that is refused holds nobody else up.
            after = rows
                .last()
                .map(|task| Cursor { value: (pending.of)(task).map(Into::into), key: task.life.id.0.uuid() });
            let commands: Vec<_> = rows
                .iter()
                .filter_map(|task| announcement(task, (pending.of)(task)?))
                .map(|(command, happened_at)| self.tell(command, happened_at))
                .collect();
            let mut told = stream::iter(commands).buffer_unordered(AT_ONCE);
            while let Some(done) = told.next().await {
                announced += usize::from(done?);
            }
            if !more || !self.lease.hold().await? {
                return Ok(announced);
            }
        }
    }

    /// Tells one task; whether it was new to it.
    async fn tell(&self, command: TaskCommand, happened_at: DateTime<Utc>) -> Result<bool, Error> {
        let order = Order {
            viewer: self.viewer.clone(),
            command,
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        match self.store.execute_at::<Task>(order, Some(happened_at)).await {
            Ok(receipt) => Ok(receipt.position.is_some()),
            Err(Error::Rejected(rejection)) => {
                tracing::debug!(%rejection, "a task has moved on");
                Ok(false)
            }
            // So many others change this task that the next round is early enough.
            Err(Error::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn due_soon(&self, limit: &TimeLimit, task: &Task, due_on: Date) -> Option<(TaskCommand, DateTime<Utc>)> {
        let first = match self.time.calendar.first_within(due_on, limit.value) {
            Ok(first) => first,
            Err(error) => {
                tracing::warn!(%error, %due_on, "a task is not announced as due soon");
                return None;
            }
        };
        let due_soon = DueSoon {
            due_on,
            working_days: limit.value,
            rule_code: limit.code.clone(),
            rule_valid_from: limit.valid_from,
            calendars: self.time.calendar.versions(first, due_on),
        };
        let command = AnnounceTaskDueSoon { id: task.life.id.0, due_soon };
        Some((command.into(), since(first, task)))
    }
}

fn overdue(task: &Task, due_on: Date) -> (TaskCommand, DateTime<Utc>) {
    (AnnounceTaskOverdue { id: task.life.id.0, due_on }.into(), since(due_on.next(), task))
}

/// The beginning of a day, or when the due date was set, if that was later.
fn since(day: Date, task: &Task) -> DateTime<Utc> {
    task.due_set_at.map_or(day.begins(), |set_at| std::cmp::max(set_at, day.begins()))
}
