use chrono::{DateTime, TimeDelta};

use super::*;
use crate::{
    Fact, Sealed, Viewer,
    spec::{given, office, officer},
};

fn unit(number: u128) -> Id<Unit> {
    Id::new(Uuid::from_u128(number))
}
fn id() -> Id<ViolationReport> {
    Id::new(Uuid::from_u128(9))
}
fn key() -> Uuid {
    Uuid::from_u128(5)
}
fn informer() -> Informer {
    Informer { key_id: key(), name: Sealed::new(key(), "AAAA").ok(), phone: None, address: None }
}
fn submit(informer: Option<Informer>) -> SubmitViolationReport {
    SubmitViolationReport {
        number: "JB19700101-00000001".into(),
        secret_digest: "0a".repeat(32),
        channel: IntakeChannel::Web,
        category: ViolationCategory::Counterfeit,
        subject: "销售假冒化肥".into(),
        details: "某农资店销售包装相仿的化肥".into(),
        respondent: Some("某农资店".into()),
        occurred_on: "1969-12-30".parse().ok(),
        region_code: "620102".parse().unwrap(),
        informer: informer.map(Box::new),
        decision_due: None,
    }
}
fn received(by: Option<Informer>) -> (&'static str, ViolationReportEvent) {
    ("anonymous", submitted(submit(by), false, "1970-01-01".parse().unwrap()).unwrap())
}
fn inspector(actor: &str) -> Viewer {
    Viewer { roles: vec![Role::Inspector], ..office(actor) }
}
fn ask() -> RequestInformerIdentity {
    RequestInformerIdentity { id: id(), reason: "核实线索".into() }
}
fn asked(actor: &'static str) -> (&'static str, ViolationReportEvent) {
    (actor, ViolationReportEvent::IdentityRequested { request: 1, reason: ask().reason })
}
const APPROVED: ViolationReportEvent = ViolationReportEvent::IdentityApproved { request: 1 };
fn approve(request: i32) -> ApproveInformerIdentity {
    ApproveInformerIdentity { id: id(), request }
}
fn open() -> OpenInformerIdentity {
    OpenInformerIdentity { id: id(), request: 1 }
}
fn opened() -> ViolationReportEvent {
    ViolationReportEvent::IdentityOpened {
        request: 1,
        unit_id: None,
        approved_by: "bo".into(),
        reason: ask().reason,
    }
}
fn erase() -> EraseInformerIdentity {
    EraseInformerIdentity { id: id(), reason: "举报人要求".into() }
}
fn ordered() -> ViolationReportEvent {
    ViolationReportEvent::IdentityErasureOrdered { key_id: key(), reason: erase().reason }
}
const CONFIRM: fn() -> ConfirmInformerIdentityErased = || ConfirmInformerIdentityErased { id: id() };

#[test]
fn anybody_tells_of_a_violation_with_a_name_or_without() {
    for informer in [None, Some(informer())] {
        given::<ViolationReport>([])
            .when(&Viewer::anonymous(), submit(informer.clone()))
            .then([received(informer).1]);
    }
    // The office of another region has no business here; the public is everywhere.
    let elsewhere = Viewer { region: "440000".parse().unwrap(), ..office("ann") };
    given::<ViolationReport>([]).when(&elsewhere, submit(None)).then_rejected("NOT_PERMITTED");
    let letter = SubmitViolationReport { channel: IntakeChannel::Letter, ..submit(None) };
    given::<ViolationReport>([]).when(&Viewer::anonymous(), letter.clone()).then_rejected("INVALID_INPUT");
    let written = submitted(letter.clone(), true, "1970-01-01".parse().unwrap()).unwrap();
    given::<ViolationReport>([]).when(&inspector("eve"), letter).then([written]);
    let future = SubmitViolationReport { occurred_on: "1970-01-02".parse().ok(), ..submit(None) };
    let refused =
        given::<ViolationReport>([]).when(&Viewer::anonymous(), future).then_rejected("INVALID_INPUT");
    assert!(refused.to_string().starts_with("occurredOn"), "{refused}");
}

#[test]
fn what_identifies_the_informer_is_under_one_key() {
    let two = Informer { phone: Sealed::new(Uuid::from_u128(6), "AAAA").ok(), ..informer() };
    let none = Informer { name: None, ..informer() };
    for informer in [two, none] {
        given::<ViolationReport>([])
            .when(&Viewer::anonymous(), submit(Some(informer)))
            .then_rejected("INVALID_INPUT");
    }
}

#[test]
fn a_report_is_accepted_transferred_handled_and_closed() {
    let fact = |status: &str| Facts {
        objects: vec![Fact {
            kind: Kind::Unit,
            id: unit(1).uuid(),
            status: status.into(),
            region: None,
            belongs_to: None,
        }],
        ..Facts::default()
    };
    let accept = AcceptViolationReport { id: id(), note: None };
    let accepted = ("ann", ViolationReportEvent::Accepted { note: None });
    given::<ViolationReport>([received(None)])
        .when(&inspector("eve"), accept.clone())
        .then([accepted.1.clone()]);
    given::<ViolationReport>([received(None)])
        .when(&officer("bob", unit(1)), accept)
        .then_rejected("NOT_PERMITTED");
    let transfer =
        || TransferViolationReport { id: id(), unit_id: unit(1), reason: "属市监部门职责".into() };
    let transferred =
        ("ann", ViolationReportEvent::Transferred { unit_id: unit(1), reason: transfer().reason });
    let life = || given::<ViolationReport>([received(None), accepted.clone()]);
    life().with(fact("ACTIVE")).when(&office("ann"), transfer()).then([transferred.1.clone()]);
    life().with(fact("DISSOLVED")).when(&office("ann"), transfer()).then_rejected("INVALID_INPUT");
    given::<ViolationReport>([received(None)])
        .with(fact("ACTIVE"))
        .when(&office("ann"), transfer())
        .then_rejected("NOT_ALLOWED_IN_STATE");
    let handle = HandleViolationReport { id: id(), result: "已立案查处".into() };
    let handled = ("bob", ViolationReportEvent::Handled { result: handle.result.clone() });
    let life = || given::<ViolationReport>([received(None), accepted.clone(), transferred.clone()]);
    life().when(&officer("bob", unit(1)), handle.clone()).then([handled.1.clone()]);
    life().when(&officer("bob", unit(2)), handle).then_rejected("NOT_PERMITTED");
    life().with(fact("ACTIVE")).when(&office("ann"), transfer()).then_rejected("INVALID_INPUT");
    let close = CloseViolationReport { id: id(), note: None };
    given::<ViolationReport>([received(None), accepted, transferred, handled])
        .when(&office("ann"), close)
        .then([ViolationReportEvent::Closed { note: None }]);
}

#[test]
fn an_identity_is_opened_by_who_asked_after_another_approved() {
    let sealed = || received(Some(informer()));
    given::<ViolationReport>([sealed()]).when(&inspector("ann"), ask()).then([asked("ann").1]);
    given::<ViolationReport>([sealed()]).when(&officer("bob", unit(1)), ask()).then_rejected("NOT_PERMITTED");
    let life = || given::<ViolationReport>([sealed(), asked("ann")]);
    life().when(&inspector("ann"), open()).then_rejected("RULE_VIOLATION");
    life().when(&inspector("ann"), approve(1)).then_rejected("RULE_VIOLATION");
    life().when(&office("bo"), approve(1)).then([APPROVED]);
    for request in [0, 2, -1, i32::MIN, i32::MAX] {
        life().when(&office("bo"), approve(request)).then_rejected("INVALID_INPUT");
    }
    let life = || given::<ViolationReport>([sealed(), asked("ann"), ("bo", APPROVED)]);
    life().when(&inspector("ann"), open()).then([opened()]);
    life().when(&office("bo"), open()).then_rejected("RULE_VIOLATION");
    life().when(&office("cy"), approve(1)).then([]);
}

#[test]
fn an_approval_lapses_after_a_day_and_after_many_openings() {
    let mut state = ViolationReport::default();
    let stamp = |actor: &str, hours| Stamp {
        actor: actor.into(),
        at: DateTime::UNIX_EPOCH - TimeDelta::hours(hours),
    };
    state.evolve(&received(Some(informer())).1, &stamp("anonymous", 50));
    state.evolve(&asked("ann").1, &stamp("ann", 49));
    let viewer = inspector("ann");
    let facts = Facts::default();
    let context = Context { viewer: &viewer, now: DateTime::UNIX_EPOCH, facts: &facts };
    let after = |hours| {
        let mut state = state.clone();
        state.evolve(&APPROVED, &stamp("bo", hours));
        state.handle(open().into(), &context)
    };
    assert!(after(24).is_ok());
    assert_eq!(after(25).unwrap_err().code(), "RULE_VIOLATION");
    state.evolve(&APPROVED, &stamp("bo", 1));
    (0..MOST_OPENINGS).for_each(|_| state.evolve(&opened(), &stamp("ann", 1)));
    assert_eq!(state.handle(open().into(), &context).unwrap_err().code(), "RULE_VIOLATION");
}

#[test]
fn nothing_is_opened_of_the_nameless_or_of_what_was_erased() {
    let refused = given::<ViolationReport>([received(None)])
        .when(&office("ann"), ask())
        .then_rejected("RULE_VIOLATION");
    assert!(matches!(refused, Rejection::Rule { rule: ViolationReport::ANONYMOUS, .. }));
    given::<ViolationReport>([received(None)]).when(&office("ann"), erase()).then_rejected("RULE_VIOLATION");
    let before = || [received(Some(informer())), asked("ann"), ("bo", APPROVED)];
    let life = || given::<ViolationReport>(before());
    life().when(&inspector("ann"), erase()).then_rejected("NOT_PERMITTED");
    life().when(&Viewer::scheduler(), CONFIRM()).then_rejected("RULE_VIOLATION");
    life().when(&office("ann"), erase()).then([ordered()]);
    let life = || given::<ViolationReport>(before().into_iter().chain([("ann", ordered())]));
    for refused in [
        life().when(&office("ann"), open()).then_rejected("RULE_VIOLATION"),
        life().when(&office("ann"), ask()).then_rejected("RULE_VIOLATION"),
        life().when(&office("bo"), approve(1)).then_rejected("RULE_VIOLATION"),
    ] {
        assert!(matches!(refused, Rejection::Rule { rule: ViolationReport::ERASED, .. }), "{refused:?}");
    }
    life().when(&office("ann"), erase()).then([]);
    let erased = ViolationReportEvent::IdentityErased { key_id: key() };
    life().when(&Viewer::scheduler(), CONFIRM()).then([erased.clone()]);
    life().when(&office("ann"), CONFIRM()).then_rejected("NOT_PERMITTED");
    given::<ViolationReport>(before().into_iter().chain([("ann", ordered()), ("system", erased)]))
        .when(&Viewer::scheduler(), CONFIRM())
        .then([]);
}
