//! Supervision items, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Viewer,
    id::{GlobalId, Key},
    organisation::unit,
    performance::supervision_item::{
        AnswerSupervisionItem, CloseSupervisionItem, EscalateSupervisionItem, ExtendSupervisionItem,
        NotifySupervisedUnits, OpenSupervisionItem, OpenedByRule, ReturnSupervisionAnswer,
        SupervisionItem as Domain, SupervisionItemEvent as Event, SupervisionStatus, WithdrawSupervisionItem,
    },
    programme::{plan, task::Evidence},
    time::DueClock,
};
use zhixing_event_store::Link;

use super::{
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::{All, Found},
    node::{self, Node},
    plan::Plan,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, nothing, view, visible},
};

view! {
    /// A matter that the leading group's office follows up until the supervised units have settled it (督办件).
    pub struct SupervisionItem of Domain, in "supervision_items" under "plan_id" {
        /// Where it stands.
        status: SupervisionStatus,
        /// The region whose office supervises.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// The number of the supervision letter (督办函文号); null when it was opened by rule.
        number: Option<String>,
        /// A short heading.
        title: String,
        #[graphql(skip)]
        subject_kind: Option<Kind>,
        #[graphql(skip)]
        subject_id: Option<Uuid>,
        #[graphql(skip)]
        unit_ids: Json<Vec<Id<unit::Unit>>>,
        #[graphql(skip)]
        escalation_unit_id: Option<Key<unit::Unit>>,
        /// What is demanded (督办要求).
        demand: String,
        /// What it rests on (督办依据).
        basis: Option<String>,
        #[graphql(skip)]
        opened_by_rule: Option<Json<OpenedByRule>>,
        #[graphql(skip)]
        subject_due_on: Option<Date>,
        /// By when it is to be answered.
        answer_due_on: Date,
        /// When the supervised units were notified.
        notified_on: Option<Date>,
        /// What was said when they were notified.
        notified_note: Option<String>,
        #[graphql(skip)]
        answers: Json<Vec<SupervisionAnswer>>,
        #[graphql(skip)]
        escalated_to_id: Option<Key<unit::Unit>>,
        /// When it was last escalated.
        escalated_on: Option<Date>,
        /// Why it was last escalated; null when that was by rule.
        escalated_reason: Option<String>,
        /// Why the time for the answer was last extended.
        extended_reason: Option<String>,
        /// What was found when it was closed.
        closed_note: Option<String>,
        /// Why nothing is demanded any more.
        withdrawn_reason: Option<String>,
        #[graphql(skip)]
        clock: Json<DueClock>,
        #[graphql(skip)]
        due_set_at: Option<DateTime<Utc>>,
        #[graphql(skip)]
        due_soon_pending: Option<Date>,
        #[graphql(skip)]
        overdue_pending: Option<Date>,
    }
}

/// As what an item names the units that it supervises.
pub const SUPERVISED: &str = "supervised";

/// An answer to a supervision item (答复).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, SimpleObject)]
#[graphql(complex)]
pub struct SupervisionAnswer {
    #[graphql(skip)]
    unit_id: Option<Id<unit::Unit>>,
    /// What was done.
    pub summary: String,
    /// What shows it.
    pub evidence: Vec<Evidence>,
    /// When it was given.
    pub answered_at: DateTime<Utc>,
    /// Why it was returned; null when it was not.
    pub returned_reason: Option<String>,
}

#[ComplexObject]
impl SupervisionAnswer {
    /// The supervised unit that wrote it for all.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.unit_id {
            Some(id) => ctx.load(id).await,
            None => Ok(None),
        }
    }
}

impl SupervisionItem {
    /// Whether an answer is still to come.
    fn is_unanswered(&self) -> bool {
        SupervisionStatus::UNANSWERED.contains(&self.status)
    }
    /// What it is about.
    fn about(&self) -> Option<GlobalId> {
        let (kind, uuid) = self.subject_kind.zip(self.subject_id)?;
        Some(GlobalId { kind, uuid })
    }
    fn set_due(&mut self, answer_due_on: Date) {
        self.answer_due_on = answer_due_on;
        self.clock.set(Some(answer_due_on), self.life.updated_at);
    }
    /// What is still to be announced, as the domain's own clock says; nothing once it was answered.
    fn await_announcements(&mut self) {
        let running = self.is_unanswered();
        self.due_set_at = self.clock.set_at();
        self.due_soon_pending = self.clock.due_soon_pending().filter(|_| running);
        self.overdue_pending = self.clock.overdue_pending().filter(|_| running);
    }
}

impl Fold for SupervisionItem {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Opened {
            plan_id,
            region_code,
            number,
            title,
            subject_id,
            unit_ids,
            escalation_unit_id,
            demand,
            answer_due_on,
            basis,
            by_rule,
        } = event
        else {
            return None;
        };
        Some(Self {
            life,
            status: SupervisionStatus::Opened,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            number: number.clone(),
            title: title.clone(),
            subject_kind: subject_id.map(|subject| subject.kind),
            subject_id: subject_id.map(|subject| subject.uuid),
            unit_ids: Json(unit_ids.clone()),
            escalation_unit_id: escalation_unit_id.map(Key),
            demand: demand.clone(),
            basis: basis.clone(),
            opened_by_rule: by_rule.clone().map(Json),
            subject_due_on: by_rule.as_ref().map(|rule| rule.subject_due_on),
            answer_due_on: *answer_due_on,
            notified_on: None,
            notified_note: None,
            answers: Json(Vec::new()),
            escalated_to_id: None,
            escalated_on: None,
            escalated_reason: None,
            extended_reason: None,
            closed_note: None,
            withdrawn_reason: None,
            clock: Json(DueClock::default()),
            due_set_at: None,
            due_soon_pending: None,
            overdue_pending: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        let at = self.life.updated_at;
        match event {
            Event::Opened { answer_due_on, .. } => self.set_due(*answer_due_on),
            Event::Notified { note } => {
                self.notified_on = Some(Date::of(at));
                self.notified_note.clone_from(note);
            }
            Event::Answered { unit_id, summary, evidence } => self.answers.push(SupervisionAnswer {
                unit_id: *unit_id,
                summary: summary.clone(),
                evidence: evidence.clone(),
                answered_at: at,
                returned_reason: None,
            }),
            Event::Returned { answer_due_on, reason } => {
                if let Some(answer) = self.answers.last_mut() {
                    answer.returned_reason = Some(reason.clone());
                }
                self.set_due(*answer_due_on);
            }
            Event::Escalated { unit_id, reason, .. } => {
                self.escalated_to_id = Some(Key(*unit_id));
                self.escalated_on = Some(Date::of(at));
                self.escalated_reason.clone_from(reason);
            }
            Event::Extended { answer_due_on, reason, .. } => {
                self.extended_reason = Some(reason.clone());
                self.set_due(*answer_due_on);
            }
            Event::Closed { note } => self.closed_note.clone_from(note),
            Event::Withdrawn { reason } => self.withdrawn_reason = Some(reason.clone()),
            Event::DueSoon(_) => self.clock.said_due_soon(),
            Event::BecameOverdue { .. } => self.clock.said_overdue(),
        }
        self.await_announcements();
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        self.unit_ids.iter().map(|id| Link { relation: SUPERVISED, target_id: id.uuid() }).collect()
    }
}

impl Visible for SupervisionItem {
    const RELATIONS: &'static [&'static str] = &["plan", "units", "escalationUnit", "escalatedTo"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "units" => wanted.units.extend(self.unit_ids.iter().map(|id| id.uuid())),
            "escalationUnit" => wanted.units.extend(self.escalation_unit_id.map(|id| id.0.uuid())),
            "escalatedTo" => wanted.units.extend(self.escalated_to_id.map(|id| id.0.uuid())),
            _ => {}
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::SupervisionItem, nothing(), named(viewer, "id", &[SUPERVISED]))
    }
}

#[ComplexObject]
impl SupervisionItem {
    /// The plan that is followed up.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The region whose office supervises.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// What it is about: a task, a report, an indicator, a local plan or the plan itself; null when it is about none of them.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        match self.about() {
            Some(subject) => node::load(ctx, subject).boxed().await,
            None => Ok(None),
        }
    }
    /// The supervised units, which answer together (被督办单位).
    async fn units(&self, ctx: &Context<'_>) -> Result<All<Unit>> {
        ctx.load_all(&self.unit_ids).await.map(All::from)
    }
    /// The unit above that it is escalated to when the answer stays out; null when only the office escalates it.
    async fn escalation_unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.escalation_unit_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The unit that it was last escalated to (升级对象).
    async fn escalated_to(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.escalated_to_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// Every answer, the first one first, at most 100.
    async fn answers(&self) -> &[SupervisionAnswer] {
        &self.answers
    }
    /// How it came about that the clock opened it; null when the office did.
    async fn opened_by_rule(&self) -> Option<&OpenedByRule> {
        self.opened_by_rule.as_ref().map(|rule| &rule.0)
    }
    /// Whether the answer is still to come although its due date has passed. Derived today; nothing stale is stored.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        self.is_unanswered() && Date::of(ctx.store().clock().now()) > self.answer_due_on
    }
}

connection!(SupervisionItem, SupervisionItemConnection, SupervisionItemEdge, "supervision items");

/// Which supervision items; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct SupervisionItemWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Where they stand.
    pub status: Option<Vec<SupervisionStatus>>,
    /// That supervise this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// About this task, report, indicator, local plan or plan.
    pub subject: Option<GlobalId>,
    /// Of this region and all inside it.
    pub region: Option<RegionCode>,
    /// To be answered in this range.
    pub due: Option<DateRange>,
    /// Only those whose answer stays out although its due date has passed (true), or only others (false).
    pub is_overdue: Option<bool>,
    /// Only those that the clock opened (true), or only others (false).
    pub is_by_rule: Option<bool>,
    /// Part of the number, the title or the demand, at most 100 characters.
    pub text: Option<String>,
}

/// What supervision items are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SupervisionItemOrderField {
    /// By the time they were opened.
    Created,
    /// By the due date of the answer.
    AnswerDueOn,
}

/// An order of supervision items.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct SupervisionItemOrder {
    /// By what.
    pub field: SupervisionItemOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<SupervisionItemOrder>) -> By {
    let usual =
        SupervisionItemOrder { field: SupervisionItemOrderField::AnswerDueOn, direction: OrderDirection::Asc };
    let order = order.unwrap_or(usual);
    match order.field {
        SupervisionItemOrderField::Created => By::column("id", Holds::Key),
        SupervisionItemOrderField::AnswerDueOn => By::column("answer_due_on", Holds::Date),
    }
    .directed(order.direction)
}

/// A page of the supervision items that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<SupervisionItemWhere>,
    order_by: Option<SupervisionItemOrder>,
    paging: Paging,
) -> Result<SupervisionItemConnection> {
    let wanted = wanted.unwrap_or_default();
    let today = Date::of(ctx.store().clock().now());
    let overdue = || {
        let unanswered = Expr::col("status").is_in(SupervisionStatus::UNANSWERED.iter().copied());
        Condition::all().add(unanswered).add(Expr::col("answer_due_on").lt(Expr::value(today)))
    };
    let by_rule = || Expr::col("subject_due_on").is_not_null();
    let filter = own
        .has("plan_id", wanted.plan)
        .one_of("status", wanted.status)?
        .names(wanted.unit.map(Id::uuid), &[SUPERVISED])
        .has("subject_id", wanted.subject.map(|subject| subject.uuid))
        .in_region(wanted.region)
        .in_range("answer_due_on", wanted.due)
        .add_option(wanted.is_overdue.map(|yes| if yes { overdue() } else { overdue().not() }))
        .add_option(wanted.is_by_rule.map(|yes| if yes { by_rule() } else { by_rule().not() }))
        .containing(&["number", "title", "demand"], wanted.text.as_ref())?;
    Ok(SupervisionItemConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// A page of the supervision items about one object.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn about(
    ctx: &Context<'_>,
    subject: Uuid,
    wanted: Option<SupervisionItemWhere>,
    order_by: Option<SupervisionItemOrder>,
    paging: Paging,
) -> Result<SupervisionItemConnection> {
    list(ctx, Condition::all().has("subject_id", Some(subject)), wanted, order_by, paging).await
}

/// Questions about supervision items.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "SupervisionItemQueries")]
impl Queries {
    /// The supervision item with this id. For officials.
    async fn supervision_item(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<SupervisionItem>>> {
        ctx.load(id).await
    }

    /// Supervision items of all plans, by the due date of the answer unless ordered otherwise. For officials.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn supervision_items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<SupervisionItemWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<SupervisionItemOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<SupervisionItemConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    SupervisionItem, SupervisionItemPayload { supervision_item } "SupervisionItemMutations":
    /// Opens a supervision item (立项督办).
    open_supervision_item(OpenSupervisionItem);
    /// Notifies the supervised units: they owe an answer (通知).
    notify_supervised_units(NotifySupervisedUnits);
    /// Answers on behalf of the supervised units, with evidence (答复).
    answer_supervision_item(AnswerSupervisionItem);
    /// Returns an answer that does not suffice, with a new due date (退回答复).
    return_supervision_answer(ReturnSupervisionAnswer);
    /// Closes an item whose answer suffices: another person than the one who answered (办结).
    close_supervision_item(CloseSupervisionItem);
    /// Escalates an item to a unit above; the supervised units still owe the answer (升级).
    escalate_supervision_item(EscalateSupervisionItem);
    /// Extends the time for the answer (延期).
    extend_supervision_item(ExtendSupervisionItem);
    /// Withdraws an item: nothing is demanded any more (撤销督办).
    withdraw_supervision_item(WithdrawSupervisionItem);
}
