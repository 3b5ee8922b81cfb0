//! Given events, when a command, then events — or a rejection. For tests of the rules where they stand.
use chrono::DateTime;

use crate::{
    Aggregate, Facts, RegionCode, Rejection, Role, Viewer,
    aggregate::{Context, Stamp},
    policy::AuthenticationMethod,
};

/// A past.
#[derive(Debug)]
pub struct Given<A: Aggregate> {
    state: A,
    facts: Facts,
}

/// What came of a command.
#[derive(Debug)]
pub struct When<A: Aggregate> {
    result: Result<Vec<A::Event>, Rejection>,
}

/// Somebody of the leading group's office of the whole country.
pub fn office(actor: &str) -> Viewer {
    Viewer {
        actor: actor.into(),
        roles: vec![Role::LeadingGroupOffice, Role::Administrator],
        units: Vec::new(),
        region: RegionCode::COUNTRY,
        method: AuthenticationMethod::DevelopmentToken,
    }
}

/// An officer of one unit.
pub fn officer(actor: &str, unit: crate::Id<crate::organisation::unit::Unit>) -> Viewer {
    Viewer { roles: vec![Role::UnitOfficer], units: vec![unit], ..office(actor) }
}

/// These events happened, each caused by the actor beside it.
pub fn given<A: Aggregate>(history: impl IntoIterator<Item = (&'static str, A::Event)>) -> Given<A> {
    let mut state = A::default();
    for (actor, event) in history {
        state.evolve(&event, &Stamp { actor: actor.into(), at: DateTime::UNIX_EPOCH });
    }
    Given { state, facts: Facts::default() }
}

impl<A: Aggregate> Given<A> {
    /// These facts hold elsewhere.
    #[must_use]
    pub fn with(self, facts: Facts) -> Self {
        Self { facts, ..self }
    }
    /// Somebody asks for this, on 1 January 1970.
    #[must_use]
    pub fn when(self, viewer: &Viewer, command: impl Into<A::Command>) -> When<A> {
        let context = Context { viewer, now: DateTime::UNIX_EPOCH, facts: &self.facts };
        When { result: self.state.handle(command.into(), &context) }
    }
}

impl<A: Aggregate> When<A> {
    /// Then exactly these events happen.
    ///
    /// # Panics
    /// When others do.
    #[track_caller]
    pub fn then(self, expected: impl AsRef<[A::Event]>) {
        assert_eq!(self.result.as_deref(), Ok(expected.as_ref()));
    }
    /// Then it is refused with this code.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    #[expect(clippy::panic, reason = "for tests")]
    pub fn then_rejected(self, code: &str) -> Rejection {
        match self.result {
            Err(rejection) if rejection.code() == code => rejection,
            other => panic!("expected {code}, got {other:?}"),
        }
    }
}
