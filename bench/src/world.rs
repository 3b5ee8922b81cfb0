//! What commands and reads are measured on: a programme of units, plans, tasks and indicators, made by commands.
use futures_util::{StreamExt, TryStreamExt, stream};
use zhixing_api::graphql::{indicator::Indicator, plan::Plan, task::Task, unit::Unit};
use zhixing_domain::{
    Date, Id, RegionCode, Role, Viewer,
    organisation::unit::{RegisterUnit, Unit as UnitOf, UnitKind},
    performance::{
        attainment::{Comparator, Measure, Target},
        indicator::{DefineIndicator, Indicator as IndicatorOf, TargetBasis},
    },
    policy::AuthenticationMethod,
    programme::{
        plan::{BringPlanIntoForce, DraftPlan, IssuePlan, Plan as PlanOf, PlanContent},
        task::{
            AcceptTask, AssignTaskUnits, Assignment, RegisterTask, Responsibility, Task as TaskOf,
            TaskContent, TaskKind,
        },
    },
};
use zhixing_event_store::{EventStore, Order, View};

use crate::load::Fault;

/// How large a programme is made.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Plans in force.
    pub plans: usize,
    /// Tasks of each plan, accepted by their lead unit.
    pub tasks: usize,
    /// Indicators of the first plan.
    pub indicators: usize,
}

/// A programme.
#[derive(Clone, Debug)]
pub struct World {
    /// Units; the task at `n` is led by the unit at `n % UNITS`.
    pub units: Vec<Id<UnitOf>>,
    /// Plans.
    pub plans: Vec<Id<PlanOf>>,
    /// Tasks of all plans.
    pub tasks: Vec<Id<TaskOf>>,
    /// Indicators.
    pub indicators: Vec<Id<IndicatorOf>>,
}

/// How many units share the tasks.
const UNITS: usize = 20;
/// Commands on their way at the same time.
const AT_ONCE: usize = 256;
const REGION: &str = "620000";

impl World {
    /// Makes a programme.
    ///
    /// # Errors
    /// When a command is refused.
    pub async fn build(store: &EventStore, size: Size) -> Result<Self, Fault> {
        let all = size.plans * size.tasks * 3 + size.indicators;
        let bar = crate::report::bar(all, "programme");
        let office = &office();
        let mut units = Vec::new();
        for number in 0..UNITS {
            units.push(order::<Unit>(store, office, unit(number)).await?.life.id.0);
        }
        let plans = stream::iter(0..size.plans).map(|number| plan(store, office, number)).buffered(AT_ONCE);
        let plans: Vec<_> = plans.try_collect().await?;
        let tasks = (0..size.plans * size.tasks).map(|number| {
            let (plan, unit) = (plans[number / size.tasks], units[number % UNITS]);
            let bar = bar.clone();
            async move {
                let id = task(store, office, plan, unit, number).await?;
                bar.inc(3);
                Ok::<_, Fault>(id)
            }
        });
        let tasks: Vec<_> = stream::iter(tasks).buffered(AT_ONCE).try_collect().await?;
        let indicators = (0..size.indicators).map(|number| {
            let command = indicator(plans[0], number);
            let bar = bar.clone();
            async move {
                let id = order::<Indicator>(store, office, command?).await?.life.id.0;
                bar.inc(1);
                Ok::<_, Fault>(id)
            }
        });
        let indicators: Vec<_> = stream::iter(indicators).buffered(AT_ONCE).try_collect().await?;
        bar.finish_and_clear();
        Ok(Self { units, plans, tasks, indicators })
    }

    /// The lead unit of the task at `number`.
    pub fn lead(&self, number: usize) -> Id<UnitOf> {
        self.units[number % UNITS]
    }
}

/// Carries out a command and returns the object after it.
///
/// # Errors
/// When it is refused.
pub async fn order<V: View>(
    store: &EventStore,
    viewer: &Viewer,
    command: impl Into<<V::Of as zhixing_domain::Aggregate>::Command>,
) -> Result<V, Fault> {
    let (viewer, command) = (viewer.clone(), command.into());
    let order = Order { viewer, command, command_id: None, expected_version: None, dry_run: false };
    Ok(store.execute::<V>(order).await?.object)
}

/// Somebody of the leading group's office.
pub fn office() -> Viewer {
    Viewer { actor: "office".into(), ..Viewer::system() }
}

/// An officer of a unit.
pub fn officer(unit: Id<UnitOf>) -> Viewer {
    Viewer {
        actor: "officer".into(),
        roles: vec![Role::UnitOfficer],
        units: vec![unit],
        method: AuthenticationMethod::System,
        ..Viewer::system()
    }
}

/// The `n`-th unit.
pub fn unit(number: usize) -> RegisterUnit {
    RegisterUnit {
        name: format!("省第{number}厅"),
        kind: UnitKind::Department,
        region_code: region(),
        official_name: None,
        aliases: Vec::new(),
        note: None,
    }
}

fn region() -> RegionCode {
    REGION.parse().unwrap_or(RegionCode::COUNTRY)
}

/// The `n`-th day from the first of 2026.
pub fn day(n: usize) -> Option<Date> {
    chrono::NaiveDate::from_ymd_opt(2026, 1, 1)?.checked_add_days(chrono::Days::new(n as u64)).map(Date::from)
}

async fn plan(store: &EventStore, office: &Viewer, number: usize) -> Result<Id<PlanOf>, Fault> {
    let id = draft(store, office, number, region()).await?;
    issue(store, office, id).await?;
    let force = BringPlanIntoForce { id, effective_from: day(0), effective_from_is_assumed: false };
    order::<Plan>(store, office, force).await?;
    Ok(id)
}

/// Drafts the `n`-th plan.
///
/// # Errors
/// When it is refused.
pub async fn draft(
    store: &EventStore,
    office: &Viewer,
    number: usize,
    region_code: RegionCode,
) -> Result<Id<PlanOf>, Fault> {
    let content = PlanContent {
        document_number: None,
        title: format!("质量强省第{number}号行动方案"),
        title_is_assigned: false,
        issuer: "省人民政府办公厅".into(),
        issuer_id: None,
        issuer_is_inferred: false,
        period_start: day(0),
        period_end: day(1_000).ok_or("no such day")?,
        period_note: None,
        phases: Vec::new(),
        basis: Vec::new(),
        guidance: None,
    };
    let draft = DraftPlan { code: format!("BENCH-{number}"), region_code, content };
    Ok(order::<Plan>(store, office, draft).await?.life.id.0)
}

/// Issues a plan.
///
/// # Errors
/// When it is refused.
pub async fn issue(store: &EventStore, office: &Viewer, id: Id<PlanOf>) -> Result<(), Fault> {
    order::<Plan>(store, office, IssuePlan { id, issued_on: day(0) }).await.map(drop)
}

/// What the `n`-th task says.
pub fn content(number: usize) -> TaskContent {
    TaskContent {
        label: None,
        kind: TaskKind::Task,
        title: format!("第{number}项：加强重点产品质量监督抽查"),
        summary: "对群众反映强烈、风险较高的产品加大抽查力度，公布结果，依法处理不合格产品及其生产者。"
            .into(),
        // Every tenth is not dated; the others come in no order.
        due_on: if number.is_multiple_of(10) { None } else { day(number * 7 % 700) },
        note: None,
    }
}

/// Registers a task, assigns it and lets its lead unit accept it.
async fn task(
    store: &EventStore,
    office: &Viewer,
    plan_id: Id<PlanOf>,
    unit: Id<UnitOf>,
    number: usize,
) -> Result<Id<TaskOf>, Fault> {
    let register = RegisterTask {
        plan_id,
        parent_id: None,
        number: number.to_string(),
        content: content(number),
        assignment: Assignment::Explicit,
    };
    let id = order::<Task>(store, office, register).await?.life.id.0;
    let responsibility =
        Responsibility { lead_unit_ids: vec![unit], supporting_unit_ids: Vec::new(), open_ended: false };
    order::<Task>(store, office, AssignTaskUnits { id, responsibility }).await?;
    order::<Task>(store, &officer(unit), AcceptTask { id }).await?;
    Ok(id)
}

fn indicator(plan_id: Id<PlanOf>, number: usize) -> Result<DefineIndicator, Fault> {
    Ok(DefineIndicator {
        plan_id,
        task_id: None,
        code: format!("BENCH-{number}"),
        name: format!("第{number}类产品监督抽查合格率"),
        unit: "%".into(),
        measure: Measure::Ratio,
        target: Target {
            comparator: Comparator::AtLeast,
            value: "95".parse()?,
            upper: None,
            text: None,
            approximate: false,
            recurrence: None,
            due_on: day(1_000).ok_or("no such day")?,
        },
        basis: TargetBasis::Numeric,
        baseline: None,
        scope: None,
        region_code: region(),
        source_phrase: None,
        note: None,
    })
}
