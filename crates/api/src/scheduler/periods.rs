//! Reporting periods: each is opened on its day, with a report for every party, all together or not at all.
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Date, Id, Period,
    performance::{
        report::OpenReport,
        reporting_duty::{EndReportingDuty, OpenReportingPeriod},
    },
    programme::plan::PlanStatus,
};
use zhixing_event_store::{
    Error, Listing, Sort,
    listing::{Cursor, Slice},
};

use super::Scheduler;
use crate::graphql::{plan::Plan, report::Report, reporting_duty::ReportingDuty};

/// Duties read at once.
const PAGE: u64 = 100;

impl Scheduler {
    /// Opens every period whose day has come; how many reports were opened. After downtime one duty may have several:
    /// each is opened as of its own day.
    pub(super) async fn open_periods(&self, today: Date) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            let opened = self.open_next_periods(today).await?;
            all += opened;
            if opened == 0 || !self.lease.hold().await? {
                return Ok(all);
            }
        }
    }

    /// Opens the next period of every duty whose day has come.
    async fn open_next_periods(&self, today: Date) -> Result<usize, Error> {
        let column = "next_opens_on";
        let sort = Sort { column, nullable: false, descending: false };
        let filter = Condition::all().add(Expr::col(column).lte(Expr::value(today)));
        let (mut after, mut opened) = (None, 0);
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.store.pool().page::<ReportingDuty>(listing).await?;
            after = rows
                .last()
                .map(|duty| Cursor { value: duty.next_opens_on.map(Into::into), key: duty.life.id.0.uuid() });
            for duty in &rows {
                opened += self.open_period(duty).await?;
            }
            if !more {
                return Ok(opened);
            }
        }
    }

    /// Opens the next period of one duty; how many reports were opened.
    async fn open_period(&self, duty: &ReportingDuty) -> Result<usize, Error> {
        let (Some(period), Some(opens_on)) = (duty.next_period, duty.next_opens_on) else { return Ok(0) };
        let opened = match self.over(duty).await? {
            Some(reason) => self.end(duty, reason).await,
            None => self.open(duty, period, opens_on).await,
        };
        match opened {
            // Somebody changed the duty meanwhile, or another process was faster: the next round looks again.
            Err(Error::Busy) => Ok(0),
            Err(Error::Rejected(rejection)) => {
                tracing::warn!(%rejection, %period, duty = %duty.life.id.0, "a reporting period was not opened");
                Ok(0)
            }
            other => other,
        }
    }

    async fn open(&self, duty: &ReportingDuty, period: Period, opens_on: Date) -> Result<usize, Error> {
        let id = duty.life.id.0;
        let mut work = self.store.begin(&self.viewer, None);
        work.happened_at(std::cmp::max(opens_on.begins(), duty.life.created_at));
        work.run::<ReportingDuty>(id, None, OpenReportingPeriod { id, period }).await?;
        for pair in duty.parties.iter() {
            let report = OpenReport {
                duty_id: id,
                plan_id: duty.plan_id.0,
                reporter_id: pair.reporter_id,
                addressee_id: pair.addressee_id,
                what: duty.what.clone(),
                asks_for: duty.asks_for,
                period,
                due_on: duty.schedule().due_on(period),
            };
            work.run::<Report>(Id::new(self.store.clock().new_id()), None, report).await?;
        }
        let events = work.commit(None).await?;
        // One event is the duty's own.
        Ok(events.len() - 1)
    }

    /// Why nothing more is owed: the plan is over.
    async fn over(&self, duty: &ReportingDuty) -> Result<Option<String>, Error> {
        let plan = self.store.pool().many::<Plan>(&[duty.plan_id.0.uuid()]).await?.pop();
        let open = |status| matches!(status, PlanStatus::Draft | PlanStatus::Issued | PlanStatus::InForce);
        Ok(plan.filter(|plan| !open(plan.status)).map(|plan| format!("方案{}", plan.status.term())))
    }

    async fn end(&self, duty: &ReportingDuty, reason: String) -> Result<usize, Error> {
        let id = duty.life.id.0;
        let mut work = self.store.begin(&self.viewer, None);
        work.run::<ReportingDuty>(id, None, EndReportingDuty { id, reason }).await?;
        work.commit(None).await?;
        Ok(0)
    }
}
