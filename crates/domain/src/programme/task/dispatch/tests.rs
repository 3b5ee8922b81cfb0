use super::*;
use crate::{
    Fact, Kind,
    programme::task::{
        AcceptTask, Assignment, CancelTask, ReassignTaskUnits, TaskContent, TaskEvent, TaskKind,
    },
    spec::{Given, given, office, officer},
};
use uuid::Uuid;

type Told = (&'static str, TaskEvent);

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn led_by(unit: u128) -> Responsibility {
    Responsibility { lead_unit_ids: vec![id(unit)], ..Responsibility::default() }
}
fn registered() -> Told {
    let content = TaskContent {
        label: None,
        kind: TaskKind::Task,
        title: "全面加强质量监管".into(),
        summary: "加强事中事后监管".into(),
        due_on: None,
        note: None,
    };
    let event = TaskEvent::Registered {
        plan_id: id(1),
        parent_id: None,
        number: "1".into(),
        content,
        assignment: Assignment::Explicit,
        region_code: "440800".parse().unwrap(),
    };
    ("ann", event)
}
fn assigned(by: &'static str, unit: u128) -> Told {
    (by, TaskEvent::UnitsAssigned { responsibility: led_by(unit) })
}
fn reassigned(by: &'static str, unit: u128) -> Told {
    (by, TaskEvent::UnitsReassigned { responsibility: led_by(unit), reason: "改派".into() })
}
fn declined(unit: u128) -> Told {
    let reason = "非本单位职责".into();
    let ground = DeclineGround::NotOurDuty;
    ("bob", TaskEvent::Declined { ground, reason, unit_id: id(unit), suggested_unit_id: None })
}
fn arbitrated(by: &'static str, unit: u128) -> Told {
    (by, TaskEvent::Arbitrated { responsibility: led_by(unit), reason: "由主管部门牵头".into() })
}
fn decline() -> DeclineTask {
    DeclineTask {
        id: id(5),
        ground: DeclineGround::NotOurDuty,
        reason: "非本单位职责".into(),
        suggested_unit_id: None,
    }
}
fn reassign(unit: u128) -> ReassignTaskUnits {
    ReassignTaskUnits { id: id(5), responsibility: led_by(unit), reason: "改派".into() }
}
fn arbitrate(unit: u128) -> ArbitrateTask {
    ArbitrateTask { id: id(5), responsibility: led_by(unit), reason: "由主管部门牵头".into() }
}
/// A task that was declined so often; the last who dispatched it was `bo`.
fn hopped(declines: u128) -> Vec<Told> {
    let mut history = vec![registered(), assigned("ann", 10), declined(10)];
    for unit in 11..10 + declines {
        history.extend([reassigned("bo", unit), declined(unit)]);
    }
    history
}
fn task(history: impl IntoIterator<Item = Told>) -> Given<Task> {
    given(history)
}
fn suggested(status: &str) -> Facts {
    let unit = Fact {
        kind: Kind::Unit,
        id: Uuid::from_u128(20),
        status: status.into(),
        region: None,
        belongs_to: None,
    };
    Facts { objects: vec![unit], ..Facts::default() }
}

#[test]
fn a_lead_unit_declines_on_a_ground_and_may_name_another() {
    let fresh = || task([registered(), assigned("ann", 10)]);
    fresh().when(&officer("bob", id(10)), decline()).then([declined(10).1]);
    fresh().when(&officer("eve", id(11)), decline()).then_rejected("NOT_PERMITTED");
    fresh().when(&office("ann"), decline()).then_rejected("NOT_PERMITTED");
    let silent = DeclineTask { reason: " ".into(), ..decline() };
    fresh().when(&officer("bob", id(10)), silent).then_rejected("INVALID_INPUT");
    let naming = |unit| DeclineTask { suggested_unit_id: Some(id(unit)), ..decline() };
    let named = TaskEvent::Declined {
        ground: DeclineGround::NotOurDuty,
        reason: "非本单位职责".into(),
        unit_id: id(10),
        suggested_unit_id: Some(id(20)),
    };
    fresh().with(suggested("ACTIVE")).when(&officer("bob", id(10)), naming(20)).then([named]);
    for (unit, status) in [(10, "ACTIVE"), (20, "DISSOLVED")] {
        let refused = fresh().with(suggested(status)).when(&officer("bob", id(10)), naming(unit));
        let refused = refused.then_rejected("INVALID_INPUT");
        assert!(refused.to_string().starts_with("suggestedUnitId"), "{refused}");
    }
    // Accepted is accepted.
    let taken = task([registered(), assigned("ann", 10), ("bob", TaskEvent::Accepted)]);
    taken.when(&officer("bob", id(10)), decline()).then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn declined_it_is_dispatched_anew_and_taken_by_nobody_before() {
    task(hopped(1)).when(&office("ann"), reassign(11)).then([reassigned("ann", 11).1]);
    task(hopped(1))
        .when(&officer("bob", id(10)), AcceptTask { id: id(5) })
        .then_rejected("NOT_ALLOWED_IN_STATE");
    let cancel = CancelTask { id: id(5), reason: "不再需要".into() };
    task(hopped(1))
        .when(&office("ann"), cancel)
        .then([TaskEvent::Cancelled { reason: "不再需要".into() }]);
}

#[test]
fn the_third_decline_is_the_last() {
    task(hopped(2)).when(&office("ann"), reassign(12)).then([reassigned("ann", 12).1]);
    let refused = task(hopped(3)).when(&office("ann"), reassign(13)).then_rejected("RULE_VIOLATION");
    assert!(matches!(refused, Rejection::Rule { rule: "contested-tasks-are-arbitrated", .. }), "{refused:?}");
    task(hopped(3)).when(&office("ann"), arbitrate(13)).then([arbitrated("ann", 13).1]);
    let decided = || hopped(3).into_iter().chain([arbitrated("ann", 13)]);
    let refused = task(decided()).when(&officer("bob", id(13)), decline()).then_rejected("RULE_VIOLATION");
    assert!(
        matches!(refused, Rejection::Rule { rule: "arbitrated-tasks-are-not-declined", .. }),
        "{refused:?}"
    );
    task(decided()).when(&officer("bob", id(13)), AcceptTask { id: id(5) }).then([TaskEvent::Accepted]);
    // Nor when the office hands it on after all.
    let handed_on = decided().chain([reassigned("ann", 14)]);
    task(handed_on).when(&officer("bob", id(14)), decline()).then_rejected("RULE_VIOLATION");
}

#[test]
fn nobody_arbitrates_their_own_dispatch() {
    task(hopped(3)).when(&office("bo"), arbitrate(13)).then_rejected("RULE_VIOLATION");
    task(hopped(1)).when(&office("ann"), arbitrate(11)).then_rejected("RULE_VIOLATION");
    // Any decline may be arbitrated, and whoever declined may be told that it is theirs.
    task(hopped(1)).when(&office("bo"), arbitrate(10)).then([arbitrated("bo", 10).1]);
    let colleague = Viewer { units: vec![id(10)], ..office("carl") };
    task(hopped(1)).when(&colleague, arbitrate(11)).then_rejected("RULE_VIOLATION");
    task([registered(), assigned("ann", 10)])
        .when(&office("bo"), arbitrate(11))
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn no_hop_restarts_the_clock() {
    let day = |text: &str| -> Date { text.parse().unwrap() };
    let mut days = DispatchDays::default();
    days.assigned(day("2019-06-17"));
    days.declined(day("2019-06-18"), 1);
    days.assigned(day("2019-06-19"));
    assert_eq!((days.dispatched_on, days.contested_on), (Some(day("2019-06-17")), None));
    days.declined(day("2019-06-20"), 2);
    days.assigned(day("2019-06-21"));
    days.declined(day("2019-06-24"), MOST_HOPS);
    assert_eq!((days.dispatched_on, days.contested_on), (Some(day("2019-06-17")), Some(day("2019-06-24"))));
    days.arbitrated(day("2019-06-25"));
    assert_eq!((days.dispatched_on, days.arbitrated_on), (Some(day("2019-06-25")), Some(day("2019-06-25"))));
    days.accepted(day("2019-06-26"));
    assert_eq!(days.accepted_on, Some(day("2019-06-26")));
    // Taken once, another dispatch is another clock.
    days.assigned(day("2019-09-02"));
    assert_eq!((days.dispatched_on, days.accepted_on), (Some(day("2019-09-02")), None));
}
