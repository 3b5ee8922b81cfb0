//! Due dates: what is due soon, what has become overdue.
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Aggregate, Date, Id,
    complaints::violation_report::{
        AnnounceViolationReportDueSoon, AnnounceViolationReportOverdue, ViolationReportCommand,
    },
    performance::{
        report::{AnnounceReportDueSoon, AnnounceReportOverdue, ReportCommand},
        supervision_item::{
            AnnounceSupervisionItemDueSoon, AnnounceSupervisionItemOverdue, SupervisionItemCommand,
        },
    },
    programme::{
        local_plan::{AnnounceLocalPlanDueSoon, AnnounceLocalPlanOverdue, LocalPlanCommand},
        task::{AnnounceTaskDueSoon, AnnounceTaskOverdue, TaskCommand},
    },
    time::{DueSoon, TimeLimit, TimeUnit, calendar::Reach},
};
use zhixing_event_store::{
    Error, Listing, Order, Sort, View,
    listing::{Cursor, Slice},
};

use super::Scheduler;
use crate::graphql::{
    local_plan::LocalPlan, report::Report, supervision_item::SupervisionItem, task::Task,
    violation_report::ViolationReport,
};

/// Objects read at once.
const PAGE: u64 = 500;
/// Announcements on their way at once; the log writes them together.
pub(super) const AT_ONCE: usize = 64;

type CommandOf<V> = <<V as View>::Of as Aggregate>::Command;
type Announcement<V> = (CommandOf<V>, DateTime<Utc>);

/// A view whose due dates are announced. Its table has `due_soon_pending` and `overdue_pending`, with an index on those
/// that are not empty.
pub(crate) trait Clocked: View {
    /// Code of the rule that says how many working days before the due date it is said.
    const RULE: &'static str;
    /// When the due date was set.
    fn set_at(&self) -> Option<DateTime<Utc>>;
    /// The due date that is still to be announced as due soon.
    fn due_soon_pending(&self) -> Option<Date>;
    /// The due date that is still to be announced as overdue.
    fn overdue_pending(&self) -> Option<Date>;
    /// Announces that it is due soon.
    fn say_due_soon(id: Id<Self::Of>, due_soon: DueSoon) -> CommandOf<Self>;
    /// Announces that it has become overdue.
    fn say_overdue(id: Id<Self::Of>, due_on: Date) -> CommandOf<Self>;

    /// The beginning of a day, or when the due date was set, if that was later.
    fn since(&self, day: Date) -> DateTime<Utc> {
        self.set_at().map_or(day.begins(), |set_at| std::cmp::max(set_at, day.begins()))
    }
}

macro_rules! clocked {
    ($($view:ident by $rule:literal: $due_soon:ident, $overdue:ident of $command:ident;)+) => { $(
        impl Clocked for $view {
            const RULE: &'static str = $rule;
            fn set_at(&self) -> Option<DateTime<Utc>> {
                self.due_set_at
            }
            fn due_soon_pending(&self) -> Option<Date> {
                self.due_soon_pending
            }
            fn overdue_pending(&self) -> Option<Date> {
                self.overdue_pending
            }
            fn say_due_soon(id: Id<Self::Of>, due_soon: DueSoon) -> $command {
                $due_soon { id, due_soon }.into()
            }
            fn say_overdue(id: Id<Self::Of>, due_on: Date) -> $command {
                $overdue { id, due_on }.into()
            }
        }
    )+ };
}
clocked! {
    Task by "TASK_DUE_SOON": AnnounceTaskDueSoon, AnnounceTaskOverdue of TaskCommand;
    Report by "REPORT_DUE_SOON": AnnounceReportDueSoon, AnnounceReportOverdue of ReportCommand;
    SupervisionItem by "SUPERVISION_DUE_SOON":
        AnnounceSupervisionItemDueSoon, AnnounceSupervisionItemOverdue of SupervisionItemCommand;
    LocalPlan by "LOCAL_PLAN_DUE_SOON": AnnounceLocalPlanDueSoon, AnnounceLocalPlanOverdue of LocalPlanCommand;
    ViolationReport by "VIOLATION_REPORT_DUE_SOON":
        AnnounceViolationReportDueSoon, AnnounceViolationReportOverdue of ViolationReportCommand;
}

impl Scheduler {
    /// Announces what is due within the working days of the rule; how many were.
    pub(super) async fn announce_due_soon<V: Clocked>(&self, today: Date) -> Result<usize, Error> {
        let Some((limit, reach)) = self.due_soon_limit(V::RULE, today) else { return Ok(0) };
        let announcement = |row: &V| self.due_soon(&limit, row, row.due_soon_pending()?);
        self.announce("due_soon_pending", V::due_soon_pending, reach.until, announcement).await
    }

    /// Announces what was due before today; how many were.
    pub(super) async fn announce_overdue<V: Clocked>(&self, today: Date) -> Result<usize, Error> {
        let announcement = |row: &V| {
            let due_on = row.overdue_pending()?;
            Some((V::say_overdue(row.id(), due_on), row.since(due_on.next())))
        };
        self.announce("overdue_pending", V::overdue_pending, today.plus(-1), announcement).await
    }

    /// The rule of today, and the last due date that it certainly reaches.
    fn due_soon_limit(&self, code: &'static str, today: Date) -> Option<(TimeLimit, Reach)> {
        let limit = match self.time.limits.on(code, today) {
            Ok(limit) if limit.unit == TimeUnit::WorkingDays => limit.clone(),
            Ok(_) => {
                tracing::warn!(code, "the rule is not in working days: nothing is announced as due soon");
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

    fn due_soon<V: Clocked>(&self, limit: &TimeLimit, row: &V, due_on: Date) -> Option<Announcement<V>> {
        let first = match self.time.calendar.first_within(due_on, limit.value) {
            Ok(first) => first,
            Err(error) => {
                tracing::warn!(%error, %due_on, "nothing is announced as due soon");
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
        Some((V::say_due_soon(row.id(), due_soon), row.since(first)))
    }

    /// Announces every object whose pending date in this column is no later than `until`; how many were.
    async fn announce<V: Clocked>(
        &self,
        column: &'static str,
        pending: fn(&V) -> Option<Date>,
        until: Date,
        announcement: impl Fn(&V) -> Option<Announcement<V>>,
    ) -> Result<usize, Error> {
        let sort = Sort { column, nullable: false, descending: false };
        let filter = Condition::all().add(Expr::col(column).lte(Expr::value(until)));
        let (mut after, mut announced) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<V>(listing).await?;
            // Behind the last row, whatever became of it: what is refused holds nobody else up.
            after =
                rows.last().map(|row| Cursor { value: pending(row).map(Into::into), key: row.id().uuid() });
            let commands: Vec<_> = rows
                .iter()
                .filter_map(&announcement)
                .map(|(command, happened_at)| self.tell::<V>(command, happened_at))
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

    /// Tells one object; whether it was new to it.
    pub(super) async fn tell<V: Clocked>(
        &self,
        command: CommandOf<V>,
        happened_at: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let order = Order {
            viewer: self.viewer.clone(),
            command,
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        match self.store.execute_at::<V>(order, Some(happened_at)).await {
            Ok(receipt) => Ok(receipt.position.is_some()),
            Err(Error::Rejected(rejection)) => {
                tracing::debug!(%rejection, "an object has moved on");
                Ok(false)
            }
            // So many others change this object that the next round is early enough.
            Err(Error::Busy) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
