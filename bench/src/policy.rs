//! `bench policy`: how long it takes to say whether somebody may take a step, and what somebody sees.
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Id, Kind, Role, Subject, Viewer,
    lifecycle::Step,
    organisation::unit::Unit,
    policy,
    programme::task::{Task, TaskStatus},
};

use crate::{
    case::{Case, find, rounds},
    load::{Fault, Sample},
    report::{Report, Section},
    settings::Settings,
};

const MAY: &str = "may: one that is allowed";
const MAY_NOT: &str = "may: one that is refused";
const STEP: &str = "Step::check: completion verified, four eyes";
const STEP_NOT: &str = "Step::check: a stranger refused, in words";
const SIGHT: &str = "sight: which reports somebody sees";
/// Checks between two looks at the clock.
const AT_ONCE: u32 = 1_000;

fn units(numbers: std::ops::Range<u128>) -> Vec<Id<Unit>> {
    numbers.map(|number| Id::new(Uuid::from_u128(number))).collect()
}

/// Somebody with many roles, of a unit that belongs to many groups.
fn viewer(groups: std::ops::Range<u128>) -> Viewer {
    let roles =
        [Role::Inspector, Role::Auditor, Role::UnitApprover, Role::UnitOfficer, Role::LeadingGroupOffice];
    Viewer { roles: roles.into(), units: units(groups), ..Viewer::system() }
}

/// A task that names many units, those of the viewer last.
fn subject() -> Subject {
    Subject {
        region: "620100".parse().ok(),
        lead_units: units(100..104),
        supporting_units: units(200..219).into_iter().chain(units(8..9)).collect(),
        addressees: Vec::new(),
        checked_person: Some("officer".into()),
    }
}

fn step(action: &str) -> Result<&'static Step<TaskStatus>, Fault> {
    Task::STEPS.iter().find(|step| step.action == action).ok_or_else(|| "no such step".into())
}

/// Lets a check run again and again for `length`; a call is a thousand of them.
fn case(what: &str, length: Duration, check: impl Fn() -> bool + Clone + Send + 'static) -> Case {
    Case::new(what, 1, move || {
        let check = check.clone();
        Box::pin(async move {
            let (mut micros, begun, mut done) = (Vec::new(), Instant::now(), 0);
            while begun.elapsed() < length {
                let called = Instant::now();
                for _ in 0..AT_ONCE {
                    if !black_box(check()) {
                        return Err("the answer is another than it must be".into());
                    }
                }
                micros.push(u64::try_from(called.elapsed().as_micros())?);
                done += AT_ONCE as usize;
            }
            Ok(Sample::of(done, begun.elapsed(), micros))
        })
    })
}

/// All of it; it needs no database.
///
/// # Errors
/// When a check gives another answer than it must.
pub async fn measure(settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let length = settings.length();
    let (own, foreign, object) = (viewer(1..9), viewer(300..308), subject());
    let stranger = Viewer { roles: vec![Role::UnitOfficer, Role::Enterprise], ..foreign.clone() };
    let (verify, accept) = (step("verifyTaskCompletion")?, step("acceptTask")?);
    let mut cases = vec![
        {
            let (own, object) = (own.clone(), object.clone());
            case(MAY, length, move || policy::may(black_box(&own), verify.by, black_box(&object)).is_ok())
        },
        {
            let (foreign, object) = (foreign, object.clone());
            case(MAY_NOT, length, move || {
                policy::may(black_box(&foreign), accept.by, black_box(&object)).is_err()
            })
        },
        {
            let (own, object) = (own.clone(), object.clone());
            let reported = Some(TaskStatus::CompletionReported);
            case(STEP, length, move || {
                verify.check(Kind::Task, black_box(reported), black_box(&own), black_box(&object)).is_ok()
            })
        },
        case(STEP_NOT, length, move || {
            let state = Some(TaskStatus::Assigned);
            accept.check(Kind::Task, black_box(state), black_box(&stranger), black_box(&object)).is_err()
        }),
        case(SIGHT, length, move || {
            !black_box(policy::sight(black_box(&own), Kind::Report)).units.is_empty()
        }),
    ];
    rounds("policy", settings, &mut cases).await?;
    let mut section = Section::new("Checks of policy", "checks/s", &[]);
    for case in &cases {
        section.row(case, Vec::new());
        section.note(format!("{}: {:.0} ns", case.what, 1e9 / case.median().per_second));
    }
    section
        .note("Viewer: five roles, a unit and seven groups. Task: four leading and twenty supporting units.");
    section.note("p50 and p99 are of a thousand checks.");
    report.add(section);
    for what in [MAY, MAY_NOT, STEP, STEP_NOT, SIGHT] {
        let micros = find(&cases, what, 1).map(|case| 1e6 / case.median().per_second);
        report.at_most(format!("{what}, µs"), 5.0, micros);
    }
    Ok(())
}
