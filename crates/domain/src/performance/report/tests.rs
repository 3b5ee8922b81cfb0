use super::*;
use crate::{
    Fact, Viewer,
    spec::{given, office, officer},
};
use uuid::Uuid;

fn unit(number: u128) -> Id<Unit> {
    Id::new(Uuid::from_u128(number))
}
fn id() -> Id<Report> {
    Id::new(Uuid::from_u128(9))
}
fn open() -> OpenReport {
    OpenReport {
        duty_id: Id::new(Uuid::from_u128(8)),
        plan_id: Id::new(Uuid::from_u128(7)),
        reporter_id: unit(1),
        addressee_id: unit(2),
        what: "县级质量状况报告".into(),
        asks_for: ReportSubject::StatusAnalysis,
        period: "1969Q4".parse().unwrap(),
        due_on: "1969-12-31".parse().unwrap(),
    }
}
fn opened() -> (&'static str, ReportEvent) {
    let OpenReport { duty_id, plan_id, reporter_id, addressee_id, what, asks_for, period, due_on } = open();
    let region_code = "620102".parse().unwrap();
    let event = ReportEvent::Opened {
        duty_id,
        plan_id,
        reporter_id,
        addressee_id,
        region_code,
        what,
        asks_for,
        period,
        due_on,
    };
    ("system", event)
}
fn submit() -> SubmitReport {
    SubmitReport { id: id(), summary: "全县产品抽查合格率92.3%".into(), evidence: vec![] }
}
fn submitted(actor: &'static str) -> (&'static str, ReportEvent) {
    (actor, ReportEvent::Submitted { summary: submit().summary, evidence: vec![] })
}
fn accept() -> AcceptReport {
    AcceptReport { id: id(), note: None }
}

#[test]
fn the_clock_opens_a_report_of_a_duty_that_stands() {
    let fact = |kind, id, status: &str, region: &str| Fact {
        kind,
        id,
        status: status.into(),
        region: region.parse().ok(),
        belongs_to: None,
    };
    let facts = |status: &str| Facts {
        objects: vec![
            fact(Kind::ReportingDuty, Uuid::from_u128(8), status, "620000"),
            fact(Kind::Unit, unit(1).uuid(), "ACTIVE", "620102"),
        ],
        ..Facts::default()
    };
    given::<Report>([]).with(facts("ACTIVE")).when(&Viewer::scheduler(), open()).then([opened().1]);
    given::<Report>([]).with(facts("ACTIVE")).when(&office("ann"), open()).then_rejected("NOT_PERMITTED");
    given::<Report>([])
        .with(facts("ENDED"))
        .when(&Viewer::scheduler(), open())
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn the_reporting_unit_hands_in_and_the_addressee_takes() {
    let report = || given::<Report>([opened()]);
    report().when(&officer("bob", unit(1)), submit()).then([submitted("bob").1]);
    report().when(&officer("eve", unit(2)), submit()).then_rejected("NOT_PERMITTED");
    let handed_in = || given::<Report>([opened(), submitted("bob")]);
    handed_in().when(&officer("eve", unit(2)), accept()).then([ReportEvent::Accepted { note: None }]);
    handed_in().when(&office("ann"), accept()).then([ReportEvent::Accepted { note: None }]);
    handed_in().when(&officer("joe", unit(3)), accept()).then_rejected("NOT_PERMITTED");
}

#[test]
fn nobody_takes_their_own_report() {
    let both = Viewer { units: vec![unit(2), unit(1)], ..officer("eve", unit(2)) };
    given::<Report>([opened(), submitted("bob")]).when(&both, accept()).then_rejected("RULE_VIOLATION");
    given::<Report>([opened(), submitted("ann")])
        .when(&office("ann"), accept())
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn a_locked_period_takes_nothing_and_gives_nothing_back() {
    let lock = LockReport { id: id(), reason: "统计数据已公布".into() };
    let locked = ("ann", ReportEvent::Locked { reason: lock.reason.clone() });
    let refused = given::<Report>([opened(), locked.clone()])
        .when(&officer("bob", unit(1)), submit())
        .then_rejected("RULE_VIOLATION");
    assert!(refused.to_string().contains("1969Q4"), "{refused}");
    let back = ReturnReport { id: id(), reason: "缺少数据".into() };
    given::<Report>([opened(), submitted("bob"), locked.clone()])
        .when(&officer("eve", unit(2)), back)
        .then_rejected("RULE_VIOLATION");
    // What was handed in before can still be taken, and locking again is nothing new.
    given::<Report>([opened(), submitted("bob"), locked.clone()])
        .when(&officer("eve", unit(2)), accept())
        .then([ReportEvent::Accepted { note: None }]);
    given::<Report>([opened(), locked.clone()]).when(&office("ann"), lock).then([]);
    let unlocked = ("ann", ReportEvent::Unlocked { reason: "补报".into() });
    given::<Report>([opened(), locked, unlocked])
        .when(&officer("bob", unit(1)), submit())
        .then([submitted("bob").1]);
}

#[test]
fn only_what_was_never_handed_in_becomes_overdue() {
    let due_on = "1969-12-31".parse().unwrap();
    let overdue = || AnnounceReportOverdue { id: id(), due_on };
    given::<Report>([opened()])
        .when(&Viewer::scheduler(), overdue())
        .then([ReportEvent::BecameOverdue { due_on }]);
    given::<Report>([opened(), ("system", ReportEvent::BecameOverdue { due_on })])
        .when(&Viewer::scheduler(), overdue())
        .then_rejected("RULE_VIOLATION");
    given::<Report>([opened(), submitted("bob")])
        .when(&Viewer::scheduler(), overdue())
        .then_rejected("NOT_ALLOWED_IN_STATE");
}
