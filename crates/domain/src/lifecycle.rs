//! The life of an aggregate as data: one table of named steps, read by everything that needs to know.
//!
//! `handle` (what may happen), `availableActions` and `lifecycles` in GraphQL, dry runs, the diagrams in the docs and
//! the property tests all read the same table; nothing repeats it.
use std::fmt::Write;

use crate::{Context, Kind, Rejection, Role, Subject, Viewer, policy, policy::By};

/// A word for where an aggregate stands.
pub trait Status: Copy + Eq + std::fmt::Debug + Send + Sync + 'static {
    /// The word as JSON, SQL and GraphQL spell it.
    fn as_str(self) -> &'static str;
    /// The Chinese term.
    fn term(self) -> &'static str;
    /// Every word.
    fn all() -> &'static [Self];
}

/// Makes a vocabulary a [`Status`].
macro_rules! status {
    ($name:ident) => {
        impl crate::lifecycle::Status for $name {
            fn as_str(self) -> &'static str {
                $name::as_str(self)
            }
            fn term(self) -> &'static str {
                $name::term(self)
            }
            fn all() -> &'static [Self] {
                $name::ALL
            }
        }
    };
}
pub(crate) use status;

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<S: 'static> {
    /// To this state.
    State(S),
    /// To one of these: the facts decide.
    OneOf(&'static [S]),
    /// Nowhere: the state stays.
    Same,
}

/// What a step asks for beside the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// A reason in words (理由).
    Reason,
    /// At least one piece of evidence (佐证材料).
    Evidence,
    /// Another person than the one whose step is checked, and not of a leading unit (四眼原则).
    FourEyes,
}

impl Requirement {
    /// The word as GraphQL spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reason => "REASON",
            Self::Evidence => "EVIDENCE",
            Self::FourEyes => "FOUR_EYES",
        }
    }
}

/// The object under which something is created, and the states in which that is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// What it is.
    pub kind: Kind,
    /// Its states that admit new children.
    pub states: &'static [&'static str],
}

/// One row of a lifecycle table.
#[derive(Clone, Copy, Debug)]
pub struct Step<S: 'static> {
    /// The command and GraphQL mutation, such as `acceptTask`.
    pub action: &'static str,
    /// The Chinese term.
    pub term: &'static str,
    /// States it may start from; empty for a step that creates.
    pub from: &'static [S],
    /// Where it leads.
    pub to: To<S>,
    /// Who may take it: any one of these.
    pub by: &'static [By],
    /// What else it needs.
    pub requires: &'static [Requirement],
    /// Under what a creating step creates.
    pub parent: Option<Parent>,
    /// The regulation or document it rests on.
    pub basis: Option<&'static str>,
}

impl<S: Status> Step<S> {
    /// Whether it creates its object.
    pub const fn creates(&self) -> bool {
        self.from.is_empty()
    }

    /// Whether the table lets `viewer` take this step from `state`.
    ///
    /// # Errors
    /// [`Rejection::NotAllowedInState`], [`Rejection::AlreadyExists`], [`Rejection::NotPermitted`] or
    /// [`Rejection::Rule`] `four-eyes`.
    pub fn check(
        &self,
        kind: Kind,
        state: Option<S>,
        viewer: &Viewer,
        subject: &Subject,
    ) -> Result<(), Rejection> {
        match state {
            Some(_) if self.creates() => {
                return Err(Rejection::AlreadyExists { kind, field: "id".into(), existing: None });
            }
            None if !self.creates() => return Err(Rejection::NotFound { kind, field: "id".into() }),
            _ => {}
        }
        // Permission before state: a stranger does not learn where the object stands.
        policy::may(viewer, self.by, subject).map_err(|reason| Rejection::NotPermitted {
            action: self.action,
            reason: reason.into(),
            roles: self.roles(),
        })?;
        if let Some(state) = state.filter(|state| !self.from.contains(state)) {
            return Err(Rejection::NotAllowedInState {
                kind,
                action: self.action,
                state: Some(state.as_str()),
                allowed_in: self.from.iter().map(|state| state.as_str()).collect(),
            });
        }
        if self.requires.contains(&Requirement::FourEyes) && !policy::is_another(viewer, subject) {
            return Err(Rejection::rule(
                "four-eyes",
                "this step is taken by somebody else than the person and unit whose work it checks",
                self.basis,
            ));
        }
        Ok(())
    }

    /// Whether the command brings what the step asks for.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] naming the field.
    pub fn satisfied(&self, presented: &Presented<'_>) -> Result<(), Rejection> {
        if self.requires.contains(&Requirement::Reason)
            && presented.reason.is_none_or(|text| text.trim().is_empty())
        {
            return Err(Rejection::invalid("reason", "must say why"));
        }
        if self.requires.contains(&Requirement::Evidence) && presented.evidence == 0 {
            return Err(Rejection::invalid("evidence", "needs at least one piece of evidence"));
        }
        Ok(())
    }

    /// The roles that may take it, each once.
    pub fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<Role> = self.by.iter().map(|by| by.role()).collect();
        roles.dedup();
        roles
    }
}

/// What a command brings for the [`Requirement`]s.
#[derive(Clone, Copy, Debug, Default)]
pub struct Presented<'a> {
    /// The reason given.
    pub reason: Option<&'a str>,
    /// Pieces of evidence attached.
    pub evidence: usize,
}

/// Every status word that no step leaves.
pub fn finals<S: Status>(steps: &[Step<S>]) -> Vec<S> {
    S::all().iter().copied().filter(|state| !steps.iter().any(|step| leaves(step, *state))).collect()
}

fn leaves<S: Status>(step: &Step<S>, state: S) -> bool {
    step.from.contains(&state) && step.to != To::Same && step.to != To::State(state)
}

/// The table as a Mermaid state diagram.
pub fn mermaid<S: Status>(steps: &[Step<S>]) -> String {
    let mut text = String::from("stateDiagram-v2\n");
    let mut line = |from: &str, to: &str, step: &Step<S>| {
        let _ = writeln!(text, "    {from} --> {to}: {} {}", step.action, step.term);
    };
    for step in steps {
        let froms = step.from.iter().map(|state| Some(*state));
        let froms: Vec<Option<S>> = if step.creates() { vec![None] } else { froms.collect() };
        for from in froms {
            let start = from.map_or("[*]", S::as_str);
            match step.to {
                To::State(to) => line(start, to.as_str(), step),
                To::OneOf(states) => states.iter().for_each(|to| line(start, to.as_str(), step)),
                To::Same => line(start, start, step),
            }
        }
    }
    for state in finals(steps) {
        let _ = writeln!(text, "    {} --> [*]", state.as_str());
    }
    text
}

/// Whether the parent named by a creating step stands and admits children.
///
/// # Errors
/// [`Rejection::NotAllowedInState`] of the parent.
pub fn parent_admits<S: Status>(step: &Step<S>, context: &Context<'_>) -> Result<(), Rejection> {
    let Some(parent) = step.parent else { return Ok(()) };
    match context.facts.of_kind(parent.kind).next() {
        Some(fact) if !parent.states.contains(&fact.status.as_str()) => Err(Rejection::NotAllowedInState {
            kind: parent.kind,
            action: step.action,
            state: parent.kind.status_word(&fact.status),
            allowed_in: parent.states.to_vec(),
        }),
        _ => Ok(()),
    }
}
