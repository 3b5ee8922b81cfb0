//! Reports of violations, as the API shows and takes them. Who the informer is goes through `informer.rs` alone.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Sealed, Viewer,
    complaints::violation_report::{
        AcceptViolationReport, ApproveInformerIdentity, CloseViolationReport, DecisionDue,
        HandleViolationReport, InformerAddress, InformerIdentity, InformerName, InformerPhone, IntakeChannel,
        RejectViolationReport, RequestInformerIdentity, TransferViolationReport, ViolationCategory,
        ViolationReport as Domain, ViolationReportEvent as Event, ViolationReportStatus,
    },
    id::Key,
    organisation::unit,
    time::{AppliedLimit, CalendarVersion, DueClock},
};
use zhixing_event_store::Link;

use super::{
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, nothing, view, visible},
};

/// As what a report names the unit that it was transferred to.
pub const COMPETENT: &str = "competent";

/// Somebody's request to be shown who the informer is; who it was stands on its event (查阅申请).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SimpleObject)]
#[serde(rename_all = "camelCase")]
pub struct InformerIdentityRequest {
    /// Its number: 1 is the first of the report.
    pub number: i32,
    /// What it is needed for.
    pub reason: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// When somebody else approved; from then on it can be opened for 24 hours.
    pub approved_at: Option<DateTime<Utc>>,
}

/// That who the informer is was opened (查阅记录).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SimpleObject)]
#[graphql(complex)]
#[serde(rename_all = "camelCase")]
pub struct InformerIdentityOpening {
    /// The number of the request.
    pub request: i32,
    /// When.
    pub opened_at: DateTime<Utc>,
    #[graphql(skip)]
    #[expect(missing_docs, reason = "shown as a unit")]
    pub unit_id: Option<Id<unit::Unit>>,
}

#[ComplexObject]
impl InformerIdentityOpening {
    /// By somebody of which unit.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.unit_id {
            Some(id) => ctx.load(id).await,
            None => Ok(None),
        }
    }
}

view! {
    /// What somebody told of a breach of law, and what came of it (举报线索). For officials of its region.
    pub struct ViolationReport of Domain, in "violation_reports" {
        /// Where it stands.
        status: ViolationReportStatus,
        /// Where it happened.
        region_code: RegionCode,
        /// The number that the informer was given.
        number: String,
        #[graphql(skip)]
        secret_digest: String,
        /// By which way it came.
        channel: IntakeChannel,
        /// What it is about.
        category: ViolationCategory,
        /// In one line.
        subject: String,
        /// What happened.
        details: String,
        /// Who is said to have done it.
        respondent: Option<String>,
        /// When it happened.
        occurred_on: Option<Date>,
        /// When it was received.
        received_on: Date,
        /// What is kept of who the informer is.
        informer_identity: InformerIdentity,
        #[graphql(skip)]
        informer_key_id: Option<Uuid>,
        #[graphql(skip)]
        informer_name: Option<Sealed<InformerName>>,
        #[graphql(skip)]
        informer_phone: Option<Sealed<InformerPhone>>,
        #[graphql(skip)]
        informer_address: Option<Sealed<InformerAddress>>,
        #[graphql(skip)]
        erasure_pending: bool,
        /// By when it is decided whether it is accepted, as the informer was told; null when no rule was in force.
        decision_due_on: Option<Date>,
        #[graphql(skip)]
        decision_basis: Option<Json<DecisionDue>>,
        /// When that was decided.
        decided_on: Option<Date>,
        /// What was said when it was accepted.
        accepted_note: Option<String>,
        /// Why it was not accepted.
        rejected_reason: Option<String>,
        #[graphql(skip)]
        unit_id: Option<Key<unit::Unit>>,
        /// When it was last transferred.
        transferred_on: Option<Date>,
        /// Why it was last transferred.
        transferred_reason: Option<String>,
        /// What was found and done.
        result: Option<String>,
        /// When it was handled.
        handled_on: Option<Date>,
        /// When it was closed.
        closed_on: Option<Date>,
        /// What was said when it was closed.
        closed_note: Option<String>,
        #[graphql(skip)]
        identity_requests: Json<Vec<InformerIdentityRequest>>,
        #[graphql(skip)]
        identity_openings: Json<Vec<InformerIdentityOpening>>,
        #[graphql(skip)]
        due_set_at: Option<DateTime<Utc>>,
        #[graphql(skip)]
        due_soon_pending: Option<Date>,
        #[graphql(skip)]
        overdue_pending: Option<Date>,
    }
}

impl ViolationReport {
    fn announce_nothing(&mut self) {
        self.due_soon_pending = None;
        self.overdue_pending = None;
    }
    fn nothing_of_the_informer(&mut self) {
        self.informer_name = None;
        self.informer_phone = None;
        self.informer_address = None;
    }
}

impl Fold for ViolationReport {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Received {
            number,
            secret_digest,
            channel,
            category,
            subject,
            details,
            respondent,
            occurred_on,
            region_code,
            informer,
            decision_due,
        } = event
        else {
            return None;
        };
        let received_on = Date::of(life.updated_at);
        let mut clock = DueClock::default();
        clock.set(decision_due.as_ref().map(|due| due.due_on), life.updated_at);
        Some(Self {
            life,
            status: ViolationReportStatus::Received,
            region_code: *region_code,
            number: number.clone(),
            secret_digest: secret_digest.clone(),
            channel: *channel,
            category: *category,
            subject: subject.clone(),
            details: details.clone(),
            respondent: respondent.clone(),
            occurred_on: *occurred_on,
            received_on,
            informer_identity: InformerIdentity::of(informer.as_deref()),
            informer_key_id: informer.as_ref().map(|informer| informer.key_id),
            informer_name: informer.as_ref().and_then(|informer| informer.name.clone()),
            informer_phone: informer.as_ref().and_then(|informer| informer.phone.clone()),
            informer_address: informer.as_ref().and_then(|informer| informer.address.clone()),
            erasure_pending: false,
            decision_due_on: decision_due.as_ref().map(|due| due.due_on),
            decision_basis: decision_due.as_deref().cloned().map(Json),
            decided_on: None,
            accepted_note: None,
            rejected_reason: None,
            unit_id: None,
            transferred_on: None,
            transferred_reason: None,
            result: None,
            handled_on: None,
            closed_on: None,
            closed_note: None,
            identity_requests: Json(Vec::new()),
            identity_openings: Json(Vec::new()),
            due_set_at: clock.set_at(),
            due_soon_pending: clock.due_soon_pending(),
            overdue_pending: clock.overdue_pending(),
        })
    }

    fn fold(&mut self, event: &Event) {
        let at = self.life.updated_at;
        let today = Some(Date::of(at));
        match event {
            Event::Received { .. } => {}
            Event::DueSoon(_) => self.due_soon_pending = None,
            Event::BecameOverdue { .. } => self.overdue_pending = None,
            Event::Accepted { note } => {
                self.announce_nothing();
                self.decided_on = today;
                self.accepted_note.clone_from(note);
            }
            Event::NotAccepted { reason } => {
                self.announce_nothing();
                self.decided_on = today;
                self.rejected_reason = Some(reason.clone());
            }
            Event::Transferred { unit_id, reason } => {
                self.unit_id = Some(Key(*unit_id));
                self.transferred_on = today;
                self.transferred_reason = Some(reason.clone());
            }
            Event::Handled { result } => {
                self.handled_on = today;
                self.result = Some(result.clone());
            }
            Event::Closed { note } => {
                self.closed_on = today;
                self.closed_note.clone_from(note);
            }
            Event::IdentityRequested { request, reason } => self.identity_requests.push(InformerIdentityRequest {
                number: *request,
                reason: reason.clone(),
                requested_at: at,
                approved_at: None,
            }),
            Event::IdentityApproved { request } => {
                let asked = self.identity_requests.iter_mut().find(|asked| asked.number == *request);
                if let Some(asked) = asked {
                    asked.approved_at = Some(at);
                }
            }
            Event::IdentityOpened { request, unit_id, .. } => self.identity_openings.push(
                InformerIdentityOpening { request: *request, opened_at: at, unit_id: *unit_id },
            ),
            Event::IdentityErasureOrdered { .. } => {
                self.informer_identity = InformerIdentity::ErasureOrdered;
                self.erasure_pending = true;
                self.nothing_of_the_informer();
            }
            Event::IdentityErased { .. } => {
                self.informer_identity = InformerIdentity::Erased;
                self.erasure_pending = false;
            }
        }
    }

    fn names(&self) -> Vec<Link> {
        let link = |id: Key<unit::Unit>| Link { relation: COMPETENT, target_id: id.0.uuid() };
        self.unit_id.into_iter().map(link).collect()
    }
}

impl Visible for ViolationReport {
    const RELATIONS: &'static [&'static str] = &["unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "unit" {
            wanted.units.extend(self.unit_id.map(|id| id.0.uuid()));
        }
    }

    /// Officials of the region, and those of the unit that it was transferred to.
    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::ViolationReport, nothing(), named(viewer, "id", &[COMPETENT]))
    }
}

#[ComplexObject]
impl ViolationReport {
    /// Where it happened.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The unit that it was transferred to last (承办单位).
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.unit_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The time limit that the last day for the decision was counted by.
    async fn decision_limit(&self) -> Option<&AppliedLimit> {
        self.decision_basis.as_ref().map(|due| &due.limit)
    }
    /// The versions of the calendars that it was counted with.
    async fn decision_calendars(&self) -> &[CalendarVersion] {
        self.decision_basis.as_ref().map(|due| due.calendars.as_slice()).unwrap_or_default()
    }
    /// Whether nobody has decided although the last day has passed. Derived today; nothing stale is stored.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        let today = Date::of(ctx.store().clock().now());
        self.status == ViolationReportStatus::Received && self.decision_due_on.is_some_and(|due| today > due)
    }
    /// Whether a name is sealed in it; false once it was erased.
    async fn has_informer_name(&self) -> bool {
        self.informer_name.is_some()
    }
    /// Whether a telephone is sealed in it; false once it was erased.
    async fn has_informer_phone(&self) -> bool {
        self.informer_phone.is_some()
    }
    /// Whether an address is sealed in it; false once it was erased.
    async fn has_informer_address(&self) -> bool {
        self.informer_address.is_some()
    }
    /// Requests to be shown who the informer is, at most 100.
    async fn informer_identity_requests(&self) -> &[InformerIdentityRequest] {
        &self.identity_requests
    }
    /// Every time that who the informer is was opened, at most 20 for each request.
    async fn informer_identity_openings(&self) -> &[InformerIdentityOpening] {
        &self.identity_openings
    }
}

connection!(ViolationReport, ViolationReportConnection, ViolationReportEdge, "reports of violations");

/// Which reports; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ViolationReportWhere {
    /// With this number.
    pub number: Option<String>,
    /// Where they stand.
    pub status: Option<Vec<ViolationReportStatus>>,
    /// What they are about.
    pub category: Option<Vec<ViolationCategory>>,
    /// By which way they came.
    pub channel: Option<Vec<IntakeChannel>>,
    /// What is kept of who the informer is.
    pub informer_identity: Option<Vec<InformerIdentity>>,
    /// Of this region and all inside it.
    pub region: Option<RegionCode>,
    /// Transferred to this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// Received in this range.
    pub received: Option<DateRange>,
    /// To be decided in this range.
    pub decision_due: Option<DateRange>,
    /// Only those on which nobody has decided although the last day has passed (true), or only others (false).
    pub is_overdue: Option<bool>,
}

/// What reports of violations are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum ViolationReportOrderField {
    /// By the time they were received.
    Received,
    /// By the last day for the decision.
    DecisionDueOn,
}

/// An order of reports of violations.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct ViolationReportOrder {
    /// By what.
    pub field: ViolationReportOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<ViolationReportOrder>) -> By {
    let latest =
        ViolationReportOrder { field: ViolationReportOrderField::Received, direction: OrderDirection::Desc };
    let order = order.unwrap_or(latest);
    match order.field {
        ViolationReportOrderField::Received => By::column("id", Holds::Key),
        ViolationReportOrderField::DecisionDueOn => By::nullable("decision_due_on", Holds::Date),
    }
    .directed(order.direction)
}

fn admitted(ctx: &Context<'_>, wanted: ViolationReportWhere) -> Result<Condition> {
    let today = Date::of(ctx.store().clock().now());
    let overdue = || {
        let open = Condition::all().add(Expr::col("status").eq(ViolationReportStatus::Received));
        let due = Condition::all().add(Expr::col("decision_due_on").is_not_null());
        open.add(due.add(Expr::col("decision_due_on").lt(Expr::value(today))))
    };
    Ok(Condition::all()
        .has("number", wanted.number)
        .one_of("status", wanted.status)?
        .one_of("category", wanted.category)?
        .one_of("channel", wanted.channel)?
        .one_of("informer_identity", wanted.informer_identity)?
        .in_region(wanted.region)
        .has("unit_id", wanted.unit)
        .in_range("received_on", wanted.received)
        .in_range("decision_due_on", wanted.decision_due)
        .add_option(wanted.is_overdue.map(|yes| if yes { overdue() } else { overdue().not() })))
}

/// Questions about reports of violations.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ViolationReportQueries")]
impl Queries {
    /// The report of a violation with this id. For officials of its region.
    async fn violation_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<ViolationReport>>> {
        ctx.load(id).await
    }

    /// Reports of violations, the latest first unless ordered otherwise. For officials of their regions.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn violation_reports(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<ViolationReportWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<ViolationReportOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ViolationReportConnection> {
        let filter = admitted(ctx, r#where.unwrap_or_default())?;
        let paging = Paging { first, after, last, before };
        Ok(ViolationReportConnection(page(ctx, filter, order(order_by), paging).boxed().await?))
    }
}

mutations! {
    ViolationReport, ViolationReportPayload { violation_report } "ViolationReportMutations":
    /// Accepts a report of a violation (受理).
    accept_violation_report(AcceptViolationReport);
    /// Does not accept a report of a violation (不予受理).
    reject_violation_report(RejectViolationReport);
    /// Transfers a report of a violation to the unit that is competent (移送).
    transfer_violation_report(TransferViolationReport);
    /// Says what came of a report of a violation (办结).
    handle_violation_report(HandleViolationReport);
    /// Closes a report of a violation (归档).
    close_violation_report(CloseViolationReport);
    /// Asks to be shown who the informer is; somebody else has to approve (申请查阅举报人身份).
    request_informer_identity(RequestInformerIdentity);
    /// Approves that somebody else is shown who the informer is, for 24 hours (批准查阅举报人身份).
    approve_informer_identity(ApproveInformerIdentity);
}
