//! Tasks, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result};
use futures_util::FutureExt;
use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    programme::{
        plan,
        task::{
            AcceptTask, AmendTask, ArbitrateTask, AssignTaskUnits, Assignment, CancelTask, DeclineGround, DeclineTask,
            Evidence, ReassignTaskUnits, RegisterTask, ReportTaskCompletion, ReportTaskProgress, Responsibility, ReturnTask, Task as Domain, TaskContent,
            TaskEvent as Event, TaskKind, TaskStatus, TransferTaskUnits, VerifyTaskCompletion,
            dispatch::DispatchDays,
        },
    },
    time::DueClock,
};
use zhixing_event_store::Link;

use super::{
    found::{All, Found},
    command::mutations,
    connection::{By, DateRange, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    indicator::{self, IndicatorConnection, IndicatorOrder, IndicatorWhere},
    plan::{Plan, in_visible_plan, of_visible_plans},
    region::Region,
    supervision_item::{self, SupervisionItemConnection, SupervisionItemOrder, SupervisionItemWhere},
    task_tree::{self, TaskAssignment},
    time::Deadline,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, names, view, visible},
};

view! {
    /// One numbered piece of work of a plan, with units that answer for it (任务).
    pub struct Task of Domain, in "tasks" under "plan_id" {
        /// Where it stands.
        status: TaskStatus,
        /// The region of its plan.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        #[graphql(skip)]
        parent_id: Option<Key<Domain>>,
        /// Its number, unique in the plan, such as `4.1` or `A20`.
        number: String,
        #[graphql(skip)]
        number_order: String,
        /// The number as printed, when it is printed.
        label: Option<String>,
        /// What sort of entry of the plan it is.
        kind: TaskKind,
        /// A short heading (工作任务).
        title: String,
        /// What is to be done (主要内容).
        summary: String,
        /// How the document names its units.
        assignment: Assignment,
        #[graphql(skip)]
        lead_unit_ids: Json<Vec<Id<unit::Unit>>>,
        #[graphql(skip)]
        supporting_unit_ids: Json<Vec<Id<unit::Unit>>>,
        /// Whether the list of units ends with 等 or names an open group.
        open_ended: bool,
        /// When it is due, when that is said.
        due_on: Option<Date>,
        /// How far it has come, 0 to 100 percent.
        progress_percent: i32,
        /// What was last reported.
        progress_note: Option<String>,
        #[graphql(skip)]
        evidence: Json<Vec<Evidence>>,
        /// Why the last completion report was returned.
        returned_reason: Option<String>,
        /// Why it was cancelled.
        cancelled_reason: Option<String>,
        /// A remark.
        note: Option<String>,
        #[graphql(skip)]
        due_set_at: Option<DateTime<Utc>>,
        #[graphql(skip)]
        due_soon_pending: Option<Date>,
        #[graphql(skip)]
        overdue_pending: Option<Date>,
        /// When its present dispatch began: the first one, or the arbitration, or the first one after it had been accepted
        /// (交办日期).
        dispatched_on: Option<Date>,
        /// When that dispatch was accepted.
        accepted_on: Option<Date>,
        #[graphql(skip)]
        contested_on: Option<Date>,
        /// When it was arbitrated who answers for it; it is not declined any more (裁定日期).
        arbitrated_on: Option<Date>,
        /// How often it was declined; three times, then it is arbitrated.
        declines: i32,
        /// On which ground it was declined; null once it was dispatched again.
        decline_ground: Option<DeclineGround>,
        /// Why it was declined; null once it was dispatched again.
        decline_reason: Option<String>,
        #[graphql(skip)]
        declined_by_id: Option<Key<unit::Unit>>,
        #[graphql(skip)]
        suggested_unit_id: Option<Key<unit::Unit>>,
    }
}

/// As what a task names the units that lead it.
pub const LEAD: &str = Domain::LEAD;
/// As what a task names the units that support it.
pub const SUPPORT: &str = Domain::SUPPORT;

/// `4.10` behind `4.2`: digits are padded so that text order is number order.
fn in_order(number: &str) -> String {
    let mut padded = String::with_capacity(number.len() + 12);
    let mut digits = String::new();
    let flush = |digits: &mut String, padded: &mut String| {
        if !digits.is_empty() {
            *padded = format!("{padded}{digits:0>6}");
            digits.clear();
        }
    };
    for c in number.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
        } else {
            flush(&mut digits, &mut padded);
            padded.push(c);
        }
    }
    flush(&mut digits, &mut padded);
    padded
}

impl Task {
    /// Code of the time limit by which a task is accepted or declined (接收期限).
    pub const ACCEPTANCE: &'static str = "TASK_ACCEPTANCE";
    /// Code of the time limit by which it is arbitrated who answers for it (裁定期限).
    pub const ARBITRATION: &'static str = "TASK_ARBITRATION";

    fn say(&mut self, content: &TaskContent) {
        self.label.clone_from(&content.label);
        self.kind = content.kind;
        self.title.clone_from(&content.title);
        self.summary.clone_from(&content.summary);
        self.set_due(content.due_on);
        self.note.clone_from(&content.note);
    }
    /// Takes a due date; another one than before is to be announced.
    fn set_due(&mut self, due_on: Option<Date>) {
        if self.due_on == due_on {
            return;
        }
        let mut clock = DueClock::default();
        clock.set(due_on, self.life.updated_at);
        self.due_on = due_on;
        self.due_set_at = clock.set_at();
        self.due_soon_pending = clock.due_soon_pending();
        self.overdue_pending = clock.overdue_pending();
    }
    /// Nothing remains to be done, so nothing is to be announced.
    fn close(&mut self) {
        self.due_soon_pending = None;
        self.overdue_pending = None;
    }
    /// Whether anything remains to be done.
    const fn is_open(&self) -> bool {
        !matches!(self.status, TaskStatus::Verified | TaskStatus::Cancelled)
    }
    fn assign(&mut self, responsibility: &Responsibility) {
        self.lead_unit_ids = Json(responsibility.lead_unit_ids.clone());
        self.supporting_unit_ids = Json(responsibility.supporting_unit_ids.clone());
        self.open_ended = responsibility.open_ended;
        self.decline_ground = None;
        self.decline_reason = None;
        self.declined_by_id = None;
        self.suggested_unit_id = None;
    }
    /// Notes on which day something happened to the dispatch.
    fn on_day(&mut self, happens: impl FnOnce(&mut DispatchDays, Date)) {
        let mut days = DispatchDays {
            dispatched_on: self.dispatched_on,
            accepted_on: self.accepted_on,
            contested_on: self.contested_on,
            arbitrated_on: self.arbitrated_on,
        };
        happens(&mut days, Date::of(self.life.updated_at));
        self.dispatched_on = days.dispatched_on;
        self.accepted_on = days.accepted_on;
        self.contested_on = days.contested_on;
        self.arbitrated_on = days.arbitrated_on;
    }
    /// The deadline of a clock of the dispatch: what ended it, or the end of the task, stops it.
    fn deadline_of(
        &self,
        ctx: &Context<'_>,
        code: &str,
        from: Option<Date>,
        until: Option<Date>,
    ) -> Result<Option<Deadline>> {
        let Some(from) = from else { return Ok(None) };
        let closed = (!self.is_open()).then(|| Date::of(self.life.updated_at));
        Deadline::of_rule(ctx, code, from, until.or(closed)).map(Some)
    }
}

impl Fold for Task {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Registered { plan_id, parent_id, number, content, assignment, region_code } = event else {
            return None;
        };
        Some(Self {
            life,
            status: TaskStatus::Registered,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            parent_id: parent_id.map(Key),
            number: number.clone(),
            number_order: in_order(number),
            label: None,
            kind: content.kind,
            title: String::new(),
            summary: String::new(),
            assignment: *assignment,
            lead_unit_ids: Json(Vec::new()),
            supporting_unit_ids: Json(Vec::new()),
            open_ended: false,
            due_on: None,
            progress_percent: 0,
            progress_note: None,
            evidence: Json(Vec::new()),
            returned_reason: None,
            cancelled_reason: None,
            note: None,
            due_set_at: None,
            due_soon_pending: None,
            overdue_pending: None,
            dispatched_on: None,
            accepted_on: None,
            contested_on: None,
            arbitrated_on: None,
            declines: 0,
            decline_ground: None,
            decline_reason: None,
            declined_by_id: None,
            suggested_unit_id: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Registered { content, .. } | Event::Amended { content, .. } => self.say(content),
            Event::UnitsAssigned { responsibility } | Event::UnitsReassigned { responsibility, .. } => {
                self.assign(responsibility);
                self.on_day(DispatchDays::assigned);
            }
            Event::Declined { ground, reason, unit_id, suggested_unit_id } => {
                self.declines += 1;
                self.decline_ground = Some(*ground);
                self.decline_reason = Some(reason.clone());
                self.declined_by_id = Some(Key(*unit_id));
                self.suggested_unit_id = suggested_unit_id.map(Key);
                let declines = self.declines.unsigned_abs();
                self.on_day(|days, today| days.declined(today, declines));
            }
            Event::Arbitrated { responsibility, .. } => {
                self.assign(responsibility);
                self.on_day(DispatchDays::arbitrated);
            }
            Event::UnitsTransferred { from, to, .. } => {
                let mut responsibility = Responsibility {
                    lead_unit_ids: std::mem::take(&mut self.lead_unit_ids.0),
                    supporting_unit_ids: std::mem::take(&mut self.supporting_unit_ids.0),
                    open_ended: self.open_ended,
                };
                responsibility.transfer(*from, *to);
                self.lead_unit_ids = Json(responsibility.lead_unit_ids);
                self.supporting_unit_ids = Json(responsibility.supporting_unit_ids);
            }
            Event::Accepted => self.on_day(DispatchDays::accepted),
            Event::ProgressReported { percent, note, evidence } => {
                self.progress_percent = *percent;
                self.progress_note = Some(note.clone());
                self.evidence.extend_from_slice(evidence);
            }
            Event::CompletionReported { note, evidence } => {
                self.progress_percent = 100;
                self.progress_note = Some(note.clone());
                self.evidence.extend_from_slice(evidence);
            }
            Event::Returned { reason } => self.returned_reason = Some(reason.clone()),
            Event::CompletionVerified { .. } => {
                self.returned_reason = None;
                self.close();
            }
            Event::Cancelled { reason } => {
                self.cancelled_reason = Some(reason.clone());
                self.close();
            }
            Event::DueSoon(_) => self.due_soon_pending = None,
            Event::BecameOverdue { .. } => self.overdue_pending = None,
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        let link = |relation: &'static str| move |id: &Id<unit::Unit>| Link { relation, target_id: id.uuid() };
        let leads = self.lead_unit_ids.iter().map(link(LEAD));
        leads.chain(self.supporting_unit_ids.iter().map(link(SUPPORT))).collect()
    }
}

impl Visible for Task {
    const RELATIONS: &'static [&'static str] = &["plan", "leadUnits", "supportingUnits", "parent", "declinedBy", "suggestedUnit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "parent" => wanted.tasks.extend(self.parent_id.map(|id| id.0.uuid())),
            "declinedBy" => wanted.units.extend(self.declined_by_id.map(|id| id.0.uuid())),
            "suggestedUnit" => wanted.units.extend(self.suggested_unit_id.map(|id| id.0.uuid())),
            "leadUnits" => wanted.units.extend(self.lead_unit_ids.iter().map(|id| id.uuid())),
            "supportingUnits" => wanted.units.extend(self.supporting_unit_ids.iter().map(|id| id.uuid())),
            _ => {}
        }
    }

    fn own(viewer: &Viewer) -> Option<Condition> {
        named(viewer, "id", &[LEAD, SUPPORT])
    }

    fn published_with(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Task, in_visible_plan(viewer), names(viewer, "id", &[LEAD, SUPPORT]))
    }
    fn seen_of_all_by(viewer: &Viewer) -> Condition {
        visible(viewer, Kind::Task, of_visible_plans(viewer), Self::own(viewer))
    }
}

#[ComplexObject]
impl Task {
    /// The plan it belongs to.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The region of its plan.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The task it is a part of.
    async fn parent(&self, ctx: &Context<'_>) -> Result<Option<Found<Task>>> {
        match self.parent_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// Who answered for it when, first to last (责任沿革). A task of more than 2,000 events tells those of the first 2,000.
    async fn assignments(&self, ctx: &Context<'_>) -> Result<Vec<TaskAssignment>> {
        task_tree::assignments_of(ctx, self.life.id, self.life.version).boxed().await
    }
    /// Units that lead (牵头单位); with JOINT assignment, the units responsible side by side.
    async fn lead_units(&self, ctx: &Context<'_>) -> Result<All<Unit>> {
        ctx.load_all(&self.lead_unit_ids).await.map(All::from)
    }
    /// Units that support (配合单位).
    async fn supporting_units(&self, ctx: &Context<'_>) -> Result<All<Unit>> {
        ctx.load_all(&self.supporting_unit_ids).await.map(All::from)
    }
    /// Everything that was brought to show progress and completion (佐证材料).
    async fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
    /// Whether it is due and neither verified nor cancelled. Derived today; nothing stale is stored.
    async fn is_overdue(&self, ctx: &Context<'_>) -> bool {
        self.is_open() && self.due_on.is_some_and(|due| Date::of(ctx.store().clock().now()) > due)
    }
    /// When it is due, and how that was counted (期限); null when no date is said.
    async fn deadline(&self) -> Option<Deadline> {
        self.due_on.map(|due| Deadline::of_plan(due, self.is_open()))
    }
    /// The lead unit that declined it; null once it was dispatched again (退办单位).
    async fn declined_by(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.declined_by_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The unit whose task it should be, as who declined it says (建议承办单位).
    async fn suggested_unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.suggested_unit_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// By when somebody must accept it, by the limit `TASK_ACCEPTANCE`; null before it is dispatched (接收期限). The clock
    /// runs from the first dispatch and is not restarted when it is declined and dispatched elsewhere: a task that is
    /// passed round is late all the same. An arbitration restarts it, once.
    async fn acceptance_deadline(&self, ctx: &Context<'_>) -> Result<Option<Deadline>> {
        self.deadline_of(ctx, Self::ACCEPTANCE, self.dispatched_on, self.accepted_on)
    }
    /// By when the office must arbitrate who answers for it, by the limit `TASK_ARBITRATION`; null unless it was declined
    /// as often as it can be (裁定期限).
    async fn arbitration_deadline(&self, ctx: &Context<'_>) -> Result<Option<Deadline>> {
        self.deadline_of(ctx, Self::ARBITRATION, self.contested_on, self.arbitrated_on)
    }
    /// Its parts, by number unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn children(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<TaskWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<TaskOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        let own = Condition::all().has("parent_id", Some(self.life.id));
        list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Indicators that belong to it, by code unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn indicators(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<IndicatorWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<IndicatorOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<IndicatorConnection> {
        let own = Condition::all().has("task_id", Some(self.life.id));
        indicator::list(ctx, own, r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
    /// Supervision items about this task, by the due date of the answer unless ordered otherwise (督办件). For officials.
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
        let paging = Paging { first, after, last, before };
        supervision_item::about(ctx, self.life.id.0.uuid(), r#where, order_by, paging).boxed().await
    }
}

connection!(Task, TaskConnection, TaskEdge, "tasks");

/// Which tasks; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct TaskWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Where they stand.
    pub status: Option<Vec<TaskStatus>>,
    /// What sort of entry they are.
    pub kind: Option<Vec<TaskKind>>,
    /// Led by this unit.
    pub lead_unit: Option<Id<unit::Unit>>,
    /// Supported by this unit.
    pub supporting_unit: Option<Id<unit::Unit>>,
    /// Led or supported by this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// Due in this range.
    pub due: Option<DateRange>,
    /// Only tasks that are part of no other (true), or only parts (false).
    pub is_root: Option<bool>,
    /// The exact number.
    pub number: Option<String>,
    /// Part of the title, the summary or the number, at most 100 characters.
    pub text: Option<String>,
}

/// What tasks are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum TaskOrderField {
    /// By time of registration.
    Created,
    /// By number: 4.2 comes before 4.10.
    Number,
    /// By due date.
    DueOn,
}

/// An order of tasks.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct TaskOrder {
    /// By what.
    pub field: TaskOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<TaskOrder>) -> By {
    let order = order.unwrap_or(TaskOrder { field: TaskOrderField::Number, direction: OrderDirection::Asc });
    match order.field {
        TaskOrderField::Created => By::column("id", Holds::Key),
        TaskOrderField::Number => By::column("number_order", Holds::Text),
        TaskOrderField::DueOn => By::nullable("due_on", Holds::Date),
    }
    .directed(order.direction)
}

/// A page of the tasks that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<TaskWhere>,
    order_by: Option<TaskOrder>,
    paging: Paging,
) -> Result<TaskConnection> {
    let wanted = wanted.unwrap_or_default();
    let filter = own
        .has("plan_id", wanted.plan)
        .one_of("status", wanted.status)?
        .one_of("kind", wanted.kind)?
        .names(wanted.lead_unit.map(Id::uuid), &[LEAD])
        .names(wanted.supporting_unit.map(Id::uuid), &[SUPPORT])
        .names(wanted.unit.map(Id::uuid), &[LEAD, SUPPORT])
        .in_region(wanted.region)
        .in_range("due_on", wanted.due)
        .has("number", wanted.number)
        .containing(&["title", "summary", "number"], wanted.text.as_ref())?;
    let filter = match wanted.is_root {
        Some(true) => filter.add(Expr::col("parent_id").is_null()),
        Some(false) => filter.add(Expr::col("parent_id").is_not_null()),
        None => filter,
    };
    Ok(TaskConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about tasks.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "TaskQueries")]
impl Queries {
    /// The task with this id.
    async fn task(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Task>>> {
        ctx.load(id).await
    }

    /// Tasks of all plans, by number unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<TaskWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<TaskOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<TaskConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    Task, TaskPayload { task } "TaskMutations":
    /// Registers a task of a plan (登记任务).
    register_task(RegisterTask);
    /// Amends what a task says (修订任务).
    amend_task(AmendTask);
    /// Assigns a task to its units (交办).
    assign_task_units(AssignTaskUnits);
    /// Reassigns a task to other units (改派).
    reassign_task_units(ReassignTaskUnits);
    /// Declines a task on behalf of a lead unit, at most three times in its life (退办).
    decline_task(DeclineTask);
    /// Arbitrates who answers for a task that was declined: another person than who dispatched it last. It is not declined
    /// again (裁定).
    arbitrate_task(ArbitrateTask);
    /// Puts one unit in the place of another in a task; its status stays (移交). See `transferTasks` for all tasks of a unit.
    transfer_task_units(TransferTaskUnits);
    /// Accepts a task on behalf of a lead unit (接收).
    accept_task(AcceptTask);
    /// Reports progress (报告进展).
    report_task_progress(ReportTaskProgress);
    /// Reports a task as completed, with evidence (报告完成).
    report_task_completion(ReportTaskCompletion);
    /// Returns a completion report for more work (退回).
    return_task(ReturnTask);
    /// Verifies that a task is completed: by another person, not of a lead unit (核验完成).
    verify_task_completion(VerifyTaskCompletion);
    /// Cancels a task (取消).
    cancel_task(CancelTask);
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_in_their_order() {
        let mut numbers = ["A10", "4.10", "4.2", "A2", "1", "10", "2", "S1"];
        numbers.sort_by_key(|number| super::in_order(number));
        assert_eq!(numbers, ["1", "2", "4.2", "4.10", "10", "A2", "A10", "S1"]);
    }
}
