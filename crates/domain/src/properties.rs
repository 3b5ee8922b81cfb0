//! What holds for every aggregate, whatever is asked of it by whomever: random commands through one harness.
//!
//! A new aggregate adds one line to `tried!` and one strategy of its commands (`commands.rs`). Each strategy must be able to take
//! every step of the table: a test that never gets anywhere proves nothing.
use std::{cell::RefCell, collections::BTreeSet, fmt::Debug};

use chrono::{DateTime, Utc};
use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    test_runner::{TestCaseResult, TestError, TestRunner},
};
use uuid::Uuid;

use crate::{
    Aggregate, Command, Context, Fact, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Viewer,
    access::{role_grant::*, service_key::*},
    aggregate::{Holding, Stamp, decode, encode, schema_version},
    complaints::violation_report::*,
    integration::event_subscription::*,
    lifecycle::{Parent, Requirement, To},
    organisation::unit::*,
    performance::{
        assessment::*, assessment_scheme::*, indicator::*, report::*, reporting_duty::*, supervision_item::*,
        survey::*,
    },
    policy::{self, AuthenticationMethod, By},
    programme::{data_import::*, leading_group::*, local_plan::*, plan::*, task::*},
};

mod commands;
use commands::*;

/// An aggregate that random commands are tried on.
trait Tried: Aggregate {
    /// Any command, mostly well-formed.
    fn commands() -> BoxedStrategy<Self::Command>;
    /// What the event itself says about the status after it.
    fn status_after(event: &Self::Event) -> Option<Self::Status>;
}

macro_rules! tried {
    ($($name:ident by $commands:ident in $test:ident;)+) => {
        $(
            impl Tried for $name {
                fn commands() -> BoxedStrategy<Self::Command> {
                    $commands()
                }
                fn status_after(event: &Self::Event) -> Option<Self::Status> {
                    event.status()
                }
            }
            #[test]
            fn $test() {
                try_out::<$name>();
            }
        )+
        #[test]
        fn every_kind_is_tried() {
            assert_eq!([$(Kind::$name),+].as_slice(), Kind::ALL);
        }
    };
}
tried! {
    Unit by unit_commands in units_keep_the_rules;
    Plan by plan_commands in plans_keep_the_rules;
    Task by task_commands in tasks_keep_the_rules;
    Indicator by indicator_commands in indicators_keep_the_rules;
    DataImport by data_import_commands in data_imports_keep_the_rules;
    ReportingDuty by reporting_duty_commands in reporting_duties_keep_the_rules;
    Report by report_commands in reports_keep_the_rules;
    SupervisionItem by supervision_item_commands in supervision_items_keep_the_rules;
    LocalPlan by local_plan_commands in local_plans_keep_the_rules;
    AssessmentScheme by assessment_scheme_commands in assessment_schemes_keep_the_rules;
    Assessment by assessment_commands in assessments_keep_the_rules;
    Survey by survey_commands in surveys_keep_the_rules;
    LeadingGroup by leading_group_commands in leading_groups_keep_the_rules;
    RoleGrant by role_grant_commands in role_grants_keep_the_rules;
    ServiceKey by service_key_commands in service_keys_keep_the_rules;
    ViolationReport by violation_report_commands in violation_reports_keep_the_rules;
    EventSubscription by event_subscription_commands in event_subscriptions_keep_the_rules;
}

/// Lives per kind and round.
const CASES: u32 = 128;
/// Most rounds until every step of the table was taken; one is nearly always enough.
const MOST_ROUNDS: u32 = 20;

/// One life: people, commands and a world, and the turns in which somebody asks for something.
#[derive(Clone, Debug)]
struct Life<C> {
    viewers: Vec<Viewer>,
    commands: Vec<C>,
    answers: Vec<Answer>,
    now: DateTime<Utc>,
    turns: Vec<Turn>,
}

/// Who asks for what. Refused, the next person asks for the next thing, `tries` times at most, passing over steps
/// that were taken before: so a life gets on.
#[derive(Clone, Copy, Debug)]
struct Turn {
    viewer: usize,
    command: usize,
    tries: usize,
}

/// What a [`Need`] finds.
#[derive(Clone, Debug)]
struct Answer {
    exists: bool,
    status: usize,
    region: RegionCode,
    belongs_to: Option<Uuid>,
    open_children: u64,
}

/// Who asked, what for, and what happens.
type Accepted<'a, C, A> = (&'a Viewer, &'a C, Vec<<A as Aggregate>::Event>);

fn lives<A: Tried>() -> impl Strategy<Value = Life<A::Command>> {
    // Numbers of people and commands without a common factor, so that every pair has its turn.
    // Mostly in the years that most dates lie in, so that steps of the clock come to their day.
    let now = prop_oneof![3 => 1_483_228_800_i64..1_609_459_200, 1 => 0_i64..4_102_444_800];
    let pools = (vec(viewers(), 7), vec(A::commands(), 40), vec(answers(), 1..8), now);
    let turn = (0..7_usize, 0..40_usize, select(vec![1, 280]));
    let turn = turn.prop_map(|(viewer, command, tries)| Turn { viewer, command, tries });
    (pools, vec(turn, 0..=25)).prop_map(|((viewers, commands, answers, seconds), turns)| {
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        Life { viewers, commands, answers, now, turns }
    })
}

fn try_out<A: Tried>() {
    let taken = RefCell::new(BTreeSet::new());
    let missing = || A::STEPS.iter().find(|step| !taken.borrow().contains(step.action));
    for _ in 0..MOST_ROUNDS {
        let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
        let outcome =
            TestRunner::new(config).run(&lives::<A>(), |life| life.live::<A>(&mut taken.borrow_mut()));
        match outcome {
            Ok(()) => {}
            // The life itself would fill pages; `told` says what matters of it.
            Err(TestError::Fail(why, _) | TestError::Abort(why)) => panic!("{why}"),
        }
        if missing().is_none() {
            return;
        }
    }
    panic!("{:?} was never accepted, so nothing was proved of it", missing().map(|step| step.action));
}

impl<C: Command> Life<C> {
    /// Lives it and checks every answer; keeps the steps taken.
    fn live<A: Tried<Command = C>>(&self, taken: &mut BTreeSet<&'static str>) -> TestCaseResult {
        let mut state = A::default();
        let mut done = BTreeSet::new();
        let mut log = Vec::new();
        for turn in &self.turns {
            let before = format!("{state:?}");
            let accepted = self.accepted(turn, &state, &done)?;
            prop_assert_eq!(before, format!("{:?}", state), "an answer alone changes nothing");
            let Some((viewer, command, events)) = accepted else { continue };
            let was = state.status();
            let lived = events.iter().try_for_each(|event| {
                let stamp = Stamp { actor: viewer.actor.clone(), at: self.now };
                happens(&mut state, event, &stamp)?;
                log.push((stored::<A>(event)?, stamp));
                Ok(())
            });
            lived
                .and_then(|()| in_the_table::<A>(command.action(), was, state.status(), events.len()))
                .and_then(|()| in_the_region(&state, command.action(), viewer))
                .map_err(|why| told(&why, viewer, command, &state))?;
            done.insert(command.action());
        }
        // Twice, and from what the log keeps: the same past is the same present.
        for _ in 0..2 {
            let replayed = A::replay(log.iter().map(|(event, stamp)| (event, stamp)));
            prop_assert_eq!(format!("{:?}", replayed), format!("{:?}", state));
        }
        taken.extend(done);
        Ok(())
    }

    /// The first command of the turn that is accepted; checks every refusal before it.
    fn accepted<A: Tried<Command = C>>(
        &self,
        turn: &Turn,
        state: &A,
        done: &BTreeSet<&'static str>,
    ) -> Result<Option<Accepted<'_, C, A>>, TestCaseError> {
        for next in 0..turn.tries {
            let viewer = &self.viewers[(turn.viewer + next) % self.viewers.len()];
            let command = &self.commands[(turn.command + next) % self.commands.len()];
            if next > 0 && done.contains(command.action()) {
                continue;
            }
            let parent = A::step(command.action()).and_then(|step| step.parent);
            let facts = self.facts(&state.needs(command), parent);
            let context = Context { viewer, now: self.now, facts: &facts };
            let answer = state.handle(command.clone(), &context);
            let right = match &answer {
                Err(rejection) => refused(rejection, command),
                Ok(_) => admitted(state, command, &context),
            };
            right.map_err(|why| told(&why, viewer, command, state))?;
            if let Ok(events) = answer {
                return Ok(Some((viewer, command, events)));
            }
        }
        Ok(None)
    }

    /// What a caller finds who looks for the needs: objects in some state, some of them missing. A parent is mostly found
    /// in a state that admits children.
    fn facts(&self, needs: &[Need], parent: Option<Parent>) -> Facts {
        let mut facts = Facts::default();
        for need in needs {
            match need {
                Need::Object { kind, id, field } => {
                    assert!(!field.is_empty(), "{need:?} names no argument");
                    let answer = self.answer(*id);
                    let words = kind.lifecycle().states;
                    let admitting = parent.filter(|parent| parent.kind == *kind && answer.status == 0);
                    let status =
                        admitting.map_or(words[answer.status % words.len()].0, |parent| parent.states[0]);
                    let status = status.to_owned();
                    let Answer { region, belongs_to, .. } = *answer;
                    let fact = Fact { kind: *kind, id: *id, status, region: Some(region), belongs_to };
                    facts.objects.extend(answer.exists.then_some(fact));
                }
                Need::Named { kind, by, .. } => {
                    facts.objects.extend(self.found(*kind, *by, Some(*by)));
                }
                Need::Having { kind, belongs_to, columns } => {
                    let id = columns.iter().find_map(|(_, holding)| match holding {
                        Holding::Id(id) => Some(*id),
                        _ => None,
                    });
                    facts.objects.extend(id.and_then(|id| self.found(*kind, id, *belongs_to)));
                }
                Need::OpenChildren { kind, parent } => {
                    facts.open_children.push((*kind, self.answer(*parent).open_children));
                }
            }
        }
        facts
    }

    /// An object that nobody named by its id.
    fn found(&self, kind: Kind, by: Uuid, belongs_to: Option<Uuid>) -> Option<Fact> {
        let answer = self.answer(by);
        let words = kind.lifecycle().states;
        let status = words[answer.status % words.len()].0.to_owned();
        answer.exists.then_some(Fact { kind, id: by, status, region: Some(answer.region), belongs_to })
    }

    /// The same object is found in the same state by all who look.
    fn answer(&self, id: Uuid) -> &Answer {
        &self.answers[id.as_bytes()[15] as usize % self.answers.len()]
    }
}

/// Why a life went wrong, and at which command.
fn told(why: &TestCaseError, viewer: &Viewer, command: &impl Debug, state: &impl Debug) -> TestCaseError {
    const MOST: usize = 1_000;
    let [command, state] = [format!("{command:?}"), format!("{state:?}")];
    TestCaseError::fail(format!("{why}\n  {command:.MOST$}\n  asked by {viewer:?}\n  of {state:.MOST$}"))
}

/// A refusal has a code the domain may use and words; what is wrong with an argument names that argument.
fn refused(rejection: &Rejection, command: &impl Command) -> TestCaseResult {
    const CODES: [&str; 6] = [
        "INVALID_INPUT",
        "NOT_FOUND",
        "NOT_ALLOWED_IN_STATE",
        "NOT_PERMITTED",
        "ALREADY_EXISTS",
        "RULE_VIOLATION",
    ];
    prop_assert!(CODES.contains(&rejection.code()), "{rejection:?}");
    prop_assert!(!rejection.to_string().trim().is_empty(), "{rejection:?}");
    if let Rejection::Invalid { field, reason } = rejection {
        let input = serde_json::to_value(command).unwrap();
        let pointer = format!("/{}", field.replace(['.', '['], "/").replace(']', ""));
        prop_assert!(input.pointer(&pointer).is_some(), "{} has no argument {field}", command.action());
        prop_assert!(!reason.is_empty());
    }
    Ok(())
}

/// Whoever was heard may take the step, and brought what it requires.
fn admitted<A: Aggregate>(state: &A, command: &A::Command, context: &Context<'_>) -> TestCaseResult {
    let step = A::step(command.action()).unwrap();
    let subject = state.subject(Some(command), context.facts);
    prop_assert_eq!(policy::may(context.viewer, step.by, &subject), Ok(()), "{}", step.action);
    let is_for_all = step.by.iter().any(|by| by.role() == Role::Public);
    prop_assert!(context.viewer.is_official() || is_for_all, "the public does {}", step.action);
    for requirement in step.requires {
        prop_assert!(
            match requirement {
                Requirement::Reason => command.presented().reason.is_some_and(|text| !text.trim().is_empty()),
                Requirement::Evidence => command.presented().evidence > 0,
                Requirement::FourEyes => {
                    subject.checked_person.as_ref().is_some_and(|person| *person != context.viewer.actor)
                        && !context.viewer.units.iter().any(|unit| subject.lead_units.contains(unit))
                }
            },
            "{} without {requirement:?}",
            step.action
        );
    }
    Ok(())
}

/// The event happens: it takes no key twice, and its status is the state's.
fn happens<A: Tried>(state: &mut A, event: &A::Event, stamp: &Stamp) -> TestCaseResult {
    let mut keys = BTreeSet::new();
    for claim in state.claims(event).into_iter().filter(|claim| claim.held) {
        prop_assert!(keys.insert((claim.scope, claim.key.clone())), "{claim:?} is taken twice by {event:?}");
    }
    let was = state.status();
    state.evolve(event, stamp);
    prop_assert_eq!(state.status(), A::status_after(event).or(was), "{:?}", event);
    Ok(())
}

/// The event as it comes back from the log.
fn stored<A: Aggregate>(event: &A::Event) -> Result<A::Event, TestCaseError> {
    let (name, data) = encode::<A>(event).unwrap();
    prop_assert!(name.starts_with(A::KIND.name()), "{name}");
    let read = decode::<A>(&name, schema_version::<A>(&name), &data)
        .map_err(|error| TestCaseError::fail(format!("{name} {data}: {error}")))?;
    prop_assert_eq!(&read, event);
    prop_assert_eq!(encode::<A>(&read).unwrap(), (name, data));
    Ok(read)
}

fn in_the_table<A: Aggregate>(
    action: &str,
    was: Option<A::Status>,
    is: Option<A::Status>,
    events: usize,
) -> TestCaseResult {
    let step = A::step(action).unwrap();
    prop_assert_eq!(was.is_none(), step.creates(), "{}", action);
    prop_assert!(was.is_none_or(|was| step.from.contains(&was)), "{action} from {was:?}");
    prop_assert!(
        match step.to {
            To::State(to) => is == Some(to) && events > 0,
            To::OneOf(states) => is.is_some_and(|is| states.contains(&is)) && events > 0,
            To::Same => is == was,
        },
        "{action} leads from {was:?} to {is:?}"
    );
    Ok(())
}

/// Whoever acts by authority over a region has it over the object as it then is.
fn in_the_region<A: Aggregate>(state: &A, action: &str, viewer: &Viewer) -> TestCaseResult {
    let by = A::step(action).unwrap().by;
    let subject = state.subject(None, &Facts::default());
    if by.iter().all(|by| matches!(by, By::InRegion(_))) {
        let inside = subject.region.is_some_and(|region| viewer.region.covers(region));
        prop_assert!(inside, "{action} in {:?} by {:?}", subject.region, viewer.region);
    }
    Ok(())
}

// Who asks, and what stands elsewhere.

fn viewers() -> impl Strategy<Value = Viewer> {
    use Role::{Administrator, LeadingGroupOffice, Scheduler, UnitApprover, UnitOfficer};
    let roles = prop_oneof![
        1 => Just(vec![Scheduler]),
        4 => Just(vec![LeadingGroupOffice, Administrator]),
        4 => select(vec![vec![UnitOfficer], vec![UnitApprover]]),
        1 => Just(Role::ALL.to_vec()),
        1 => Just(vec![Role::Public]),
        1 => vec(select(Role::ALL), 0..3),
    ];
    let region = prop_oneof![2 => Just(RegionCode::COUNTRY), 1 => regions()];
    let people = (select(vec!["ann", "bob", "eve", ""]), roles, vec(ids(), 0..4), region);
    people.prop_map(|(actor, roles, units, region)| {
        let official = roles.iter().any(|role| !matches!(role, Role::Public | Role::Enterprise));
        let method =
            if official { AuthenticationMethod::DevelopmentToken } else { AuthenticationMethod::Anonymous };
        Viewer { actor: actor.into(), roles, units, region, method }
    })
}

fn answers() -> impl Strategy<Value = Answer> {
    // The first status word of every kind is one in which it is there for others.
    let status = prop_oneof![3 => Just(0), 1 => 0_usize..20];
    let answer =
        (prop::bool::weighted(0.9), status, regions(), maybe(ids::<Plan>()), select(vec![0, 1, u64::MAX]));
    answer.prop_map(|(exists, status, region, belongs_to, open_children)| Answer {
        exists,
        status,
        region,
        belongs_to: belongs_to.map(Id::uuid),
        open_children,
    })
}
