//! Reporting duties, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result};
use futures_util::FutureExt;
use sea_query::Condition;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, Period, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    performance::reporting_duty::{
        ChangeReportingParties, EndReportingDuty, EstablishReportingDuty, ReportingDuty as Domain,
        ReportSubject, ReportingDutyEvent as Event, ReportingDutyStatus, ReportingParty as Pair, ReportingSchedule,
    },
    programme::plan::{self, Cadence},
};
use zhixing_event_store::Link;

use super::{
    command::mutations,
    connection::{By, Holds, Narrow, Paging, connection, page},
    context::Ask,
    found::Found,
    plan::Plan,
    region::Region,
    report::{self, ReportConnection, ReportOrder, ReportWhere},
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, nothing, view, visible},
};

view! {
    /// That units report to others at a cadence, as a plan says (报告义务).
    pub struct ReportingDuty of Domain, in "reporting_duties" under "plan_id" {
        /// Where it stands.
        status: ReportingDutyStatus,
        /// The region of its plan.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// What is reported.
        what: String,
        /// What sort of document it is.
        asks_for: ReportSubject,
        /// How often.
        cadence: Cadence,
        /// Calendar days from the last day of the period to the due date; negative when it is due before.
        due_days: i32,
        /// Calendar days before the due date from which a report can be handed in.
        open_days: i32,
        /// The first day of the duty: no report is owed that would be due before it.
        holds_from: Date,
        /// The last day of the duty: no report is owed that would be due behind it.
        holds_until: Date,
        #[graphql(skip)]
        parties: Json<Vec<Pair>>,
        /// The passage it rests on, or another remark.
        note: Option<String>,
        /// The period that opens next; null when there is no more.
        next_period: Option<Period>,
        /// The day on which it opens.
        next_opens_on: Option<Date>,
    }
}

/// As what a duty or report names the units that report.
pub const REPORTER: &str = "reporter";
/// As what it names the units that are reported to.
pub const ADDRESSEE: &str = "addressee";

impl ReportingDuty {
    /// When its reports are due and open.
    pub fn schedule(&self) -> ReportingSchedule {
        ReportingSchedule {
            cadence: self.cadence,
            due_days: self.due_days,
            open_days: self.open_days,
            holds_from: self.holds_from,
            holds_until: self.holds_until,
        }
    }
    fn opens_next(&mut self, period: Option<Period>) {
        self.next_period = period;
        self.next_opens_on = period.map(|period| self.schedule().opens_on(period));
    }
}

impl Fold for ReportingDuty {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Established { plan_id, region_code, what, asks_for, schedule, parties, note } = event else {
            return None;
        };
        Some(Self {
            life,
            status: ReportingDutyStatus::Active,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            what: what.clone(),
            asks_for: *asks_for,
            cadence: schedule.cadence,
            due_days: schedule.due_days,
            open_days: schedule.open_days,
            holds_from: schedule.holds_from,
            holds_until: schedule.holds_until,
            parties: Json(parties.clone()),
            note: note.clone(),
            next_period: None,
            next_opens_on: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Established { schedule, .. } => self.opens_next(schedule.first()),
            Event::PartiesChanged { parties, .. } => self.parties = Json(parties.clone()),
            Event::PeriodOpened { period, .. } => self.opens_next(self.schedule().after(*period)),
            Event::Ended { .. } => self.opens_next(None),
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        let link = |relation, id: Id<unit::Unit>| Link { relation, target_id: id.uuid() };
        let both = |pair: &Pair| [link(REPORTER, pair.reporter_id), link(ADDRESSEE, pair.addressee_id)];
        let mut links: Vec<Link> = self.parties.iter().flat_map(both).collect();
        links.sort_unstable();
        links.dedup();
        links
    }
}

impl Visible for ReportingDuty {
    const RELATIONS: &'static [&'static str] = &["plan"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "plan" {
            wanted.plans.push(self.plan_id.0.uuid());
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::ReportingDuty, nothing(), named(viewer, "id", &[REPORTER, ADDRESSEE]))
    }
}

/// Who reports to whom (报送单位与报送对象).
#[derive(Clone, Copy, Debug)]
pub struct ReportingParty(Pair);

/// Who reports to whom (报送单位与报送对象).
#[Object]
impl ReportingParty {
    /// The unit that reports.
    async fn reporter(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.0.reporter_id).await
    }
    /// The unit that it reports to.
    async fn addressee(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.0.addressee_id).await
    }
}

#[ComplexObject]
impl ReportingDuty {
    /// The plan that says so.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The region of its plan.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// Who reports to whom, at most 200 pairs.
    async fn parties(&self) -> Vec<ReportingParty> {
        self.parties.iter().copied().map(ReportingParty).collect()
    }
    /// Its reports, by due date unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<ReportWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<ReportOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ReportConnection> {
        let own = Condition::all().has("duty_id", Some(self.life.id));
        report::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

connection!(ReportingDuty, ReportingDutyConnection, ReportingDutyEdge, "reporting duties");

/// Which reporting duties; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ReportingDutyWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Where they stand.
    pub status: Option<Vec<ReportingDutyStatus>>,
    /// What sort of document they ask for.
    pub asks_for: Option<Vec<ReportSubject>>,
    /// How often.
    pub cadence: Option<Vec<Cadence>>,
    /// Under which this unit reports.
    pub reporter: Option<Id<unit::Unit>>,
    /// Under which this unit is reported to.
    pub addressee: Option<Id<unit::Unit>>,
    /// The region of the plan itself and all inside it.
    pub region: Option<RegionCode>,
    /// Part of what is reported, at most 100 characters.
    pub text: Option<String>,
}

/// Questions about reporting duties.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ReportingDutyQueries")]
impl Queries {
    /// The reporting duty with this id. For officials.
    async fn reporting_duty(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<ReportingDuty>>> {
        ctx.load(id).await
    }

    /// Reporting duties of all plans, in the order in which they were established. For officials.
    async fn reporting_duties(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<ReportingDutyWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ReportingDutyConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .has("plan_id", wanted.plan)
            .one_of("status", wanted.status)?
            .one_of("asks_for", wanted.asks_for)?
            .one_of("cadence", wanted.cadence)?
            .names(wanted.reporter.map(Id::uuid), &[REPORTER])
            .names(wanted.addressee.map(Id::uuid), &[ADDRESSEE])
            .in_region(wanted.region)
            .containing(&["what"], wanted.text.as_ref())?;
        let by = By::column("id", Holds::Key);
        Ok(ReportingDutyConnection(page(ctx, filter, by, Paging { first, after, last, before }).await?))
    }
}

mutations! {
    ReportingDuty, ReportingDutyPayload { reporting_duty } "ReportingDutyMutations":
    /// Establishes a reporting duty: which units owe which reports (确立报告义务).
    establish_reporting_duty(EstablishReportingDuty);
    /// Says anew who reports to whom (调整报送单位).
    change_reporting_parties(ChangeReportingParties);
    /// Ends a reporting duty (终止报告义务).
    end_reporting_duty(EndReportingDuty);
}
