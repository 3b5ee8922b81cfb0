//! Lifecycles as data, and what a viewer can do now.
use async_graphql::{Context, Enum, Object, Result, SimpleObject};
use zhixing_domain::{
    Facts, Id, Kind, Rejection, Role, Subject, Viewer,
    lifecycle::{self, Status},
    policy,
    registry::StepRow,
};

use super::{
    context::Ask,
    error::{self, UserError},
    view::Shown,
};

/// What a step asks for beside the role (附加要求).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum Requirement {
    /// A reason in words (理由).
    Reason,
    /// At least one piece of evidence (佐证材料).
    Evidence,
    /// Another person than the one whose step is checked, and not of a leading unit (四眼原则).
    FourEyes,
}

impl From<lifecycle::Requirement> for Requirement {
    fn from(requirement: lifecycle::Requirement) -> Self {
        match requirement {
            lifecycle::Requirement::Reason => Self::Reason,
            lifecycle::Requirement::Evidence => Self::Evidence,
            lifecycle::Requirement::FourEyes => Self::FourEyes,
        }
    }
}

/// Something that can be done, or cannot and why.
#[derive(Clone, Debug, SimpleObject)]
pub struct Action {
    /// The mutation that does it, such as `acceptTask`.
    pub action: String,
    /// The Chinese term.
    pub term: String,
    /// Whether the viewer may do it now.
    pub allowed: bool,
    /// Why not; empty when it is allowed.
    pub reasons: Vec<UserError>,
    /// What it asks for beside the role.
    pub requires: Vec<Requirement>,
    /// The kind of object it creates, when it creates one.
    pub creates: Option<Kind>,
}

impl Action {
    fn new(step: &StepRow, creates: Option<Kind>, verdict: Result<(), Rejection>) -> Self {
        Self {
            action: step.action.into(),
            term: step.term.into(),
            allowed: verdict.is_ok(),
            reasons: verdict.err().map(UserError::from).into_iter().collect(),
            requires: step.requires.iter().map(|requirement| (*requirement).into()).collect(),
            creates,
        }
    }
}

/// The steps of this object's lifecycle, and those that create something under it.
///
/// # Errors
/// When the database fails.
pub async fn actions_of<T: Shown>(ctx: &Context<'_>, id: Id<T>) -> Result<Vec<Action>> {
    let state = ctx.store().state::<T::View>(id).await.map_err(error::fault)?;
    let subject = state.subject(None, &Facts::default());
    let viewer = ctx.viewer();
    let mut actions = Vec::new();
    for row in T::KIND.lifecycle().steps.iter().filter(|row| !row.from.is_empty() && is_mutation(row)) {
        let Some(step) = T::step(row.action) else { continue };
        actions.push(Action::new(row, None, step.check(T::KIND, state.status(), viewer, &subject)));
    }
    let status = state.status().map(Status::as_str);
    // Who leads the parent does not lead what is created under it.
    let under = Subject { region: subject.region, ..Subject::default() };
    for kind in Kind::ALL {
        for row in kind.lifecycle().steps.into_iter().filter(is_mutation) {
            let Some(parent) = row.parent.filter(|parent| parent.kind == T::KIND) else { continue };
            let open = status.is_some_and(|status| parent.states.contains(&status));
            let verdict = if open {
                may(viewer, &row, &under)
            } else {
                Err(Rejection::NotAllowedInState {
                    kind: T::KIND,
                    action: row.action,
                    state: status,
                    allowed_in: parent.states.to_vec(),
                })
            };
            actions.push(Action::new(&row, Some(*kind), verdict));
        }
    }
    Ok(actions)
}

/// What only the scheduler does is no mutation.
fn is_mutation(row: &StepRow) -> bool {
    !row.by.iter().all(|by| by.role() == Role::Scheduler)
}

fn may(viewer: &Viewer, row: &StepRow, subject: &Subject) -> Result<(), Rejection> {
    policy::may(viewer, row.by, subject).map_err(|reason| Rejection::NotPermitted {
        action: row.action,
        reason: reason.into(),
        roles: row.by.iter().map(|by| by.role()).collect(),
    })
}

/// A state of a lifecycle.
#[derive(Clone, Debug, SimpleObject)]
pub struct LifecycleState {
    /// The word as `status` spells it.
    pub state: String,
    /// The Chinese term.
    pub term: String,
    /// Whether no step leaves it.
    pub is_final: bool,
}

/// A step of a lifecycle.
#[derive(Clone, Debug, SimpleObject)]
pub struct LifecycleStep {
    /// The mutation, such as `acceptTask`; what only the scheduler does is none.
    pub action: String,
    /// The Chinese term.
    pub term: String,
    /// States it may start from; empty when it creates the object.
    pub from: Vec<String>,
    /// States it may lead to; empty when the state stays.
    pub to: Vec<String>,
    /// Roles that may take it, within their scope.
    pub roles: Vec<Role>,
    /// What it asks for beside the role.
    pub requires: Vec<Requirement>,
    /// Under which kind of object it creates.
    pub parent: Option<Kind>,
    /// States of the parent in which that is possible.
    pub parent_states: Vec<String>,
    /// The regulation or document it rests on.
    pub legal_basis: Option<String>,
}

/// The life that objects of a kind can lead: the very table that decides.
#[derive(Clone, Debug, SimpleObject)]
pub struct Lifecycle {
    /// Of which kind.
    pub kind: Kind,
    /// The kind's Chinese term.
    pub term: String,
    /// Its states.
    pub states: Vec<LifecycleState>,
    /// Its steps.
    pub steps: Vec<LifecycleStep>,
    /// The whole as a Mermaid state diagram.
    pub diagram: String,
}

impl From<Kind> for Lifecycle {
    fn from(kind: Kind) -> Self {
        let table = kind.lifecycle();
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let state = |(state, term): &(&'static str, &'static str)| LifecycleState {
            state: (*state).into(),
            term: (*term).into(),
            is_final: table.finals.contains(state),
        };
        let step = |row: &StepRow| LifecycleStep {
            action: row.action.into(),
            term: row.term.into(),
            from: own(&row.from),
            to: own(&row.to),
            roles: row.by.iter().map(|by| by.role()).collect(),
            requires: row.requires.iter().map(|requirement| (*requirement).into()).collect(),
            parent: row.parent.map(|parent| parent.kind),
            parent_states: row.parent.map(|parent| own(parent.states)).unwrap_or_default(),
            legal_basis: row.basis.map(Into::into),
        };
        Self {
            kind,
            term: kind.term().into(),
            states: table.states.iter().map(state).collect(),
            steps: table.steps.iter().map(step).collect(),
            diagram: table.diagram.clone(),
        }
    }
}

/// Questions about lifecycles.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "LifecycleQueries")]
impl Queries {
    /// The lifecycles of these kinds, or of all.
    async fn lifecycles(
        &self,
        #[graphql(desc = "Which kinds; all when left out.")] kinds: Option<Vec<Kind>>,
    ) -> Vec<Lifecycle> {
        let wanted = |kind: &&Kind| kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
        Kind::ALL.iter().filter(wanted).map(|kind| Lifecycle::from(*kind)).collect()
    }

    /// What the viewer can create that stands under nothing else; see `availableActions` of each object for the rest.
    async fn available_actions(&self, ctx: &Context<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        for kind in Kind::ALL {
            for row in kind.lifecycle().steps.iter().filter(|row| row.from.is_empty() && row.parent.is_none())
            {
                let verdict = may(ctx.viewer(), row, &Subject::default());
                actions.push(Action::new(row, Some(*kind), verdict));
            }
        }
        actions
    }
}
