use super::*;
use crate::{
    Fact,
    spec::{Given, given, office, officer},
};
use uuid::Uuid;

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn content() -> TaskContent {
    TaskContent {
        label: Some("附件20.".into()),
        kind: TaskKind::Task,
        title: "全面加强质量监管".into(),
        summary: "加强事中事后监管".into(),
        due_on: Date::new(2020, 12, 31),
        note: None,
    }
}
fn register() -> RegisterTask {
    let number = "A20".into();
    RegisterTask {
        plan_id: id(1),
        parent_id: None,
        number,
        content: content(),
        assignment: Assignment::Explicit,
    }
}
fn responsibility() -> Responsibility {
    Responsibility { lead_unit_ids: vec![id(10)], supporting_unit_ids: vec![id(11)], open_ended: false }
}
fn plan(status: &str) -> Facts {
    let region = "440800".parse().ok();
    let plan =
        Fact { kind: Kind::Plan, id: Uuid::from_u128(1), status: status.into(), region, belongs_to: None };
    Facts { objects: vec![plan], open_children: vec![] }
}
/// A task that has come so far.
fn task(steps: usize) -> Given<Task> {
    let RegisterTask { plan_id, parent_id, number, content, assignment } = register();
    let region_code = "440800".parse().unwrap();
    let history = [
        ("ann", TaskEvent::Registered { plan_id, parent_id, number, content, assignment, region_code }),
        ("ann", TaskEvent::UnitsAssigned { responsibility: responsibility() }),
        ("bob", TaskEvent::Accepted),
        ("bob", TaskEvent::CompletionReported { note: "完成".into(), evidence: evidence() }),
    ];
    given(history.into_iter().take(steps))
}
fn evidence() -> Vec<Evidence> {
    vec![Evidence { title: "验收报告".into(), reference: None }]
}

#[test]
fn a_task_is_registered_under_an_open_plan_only() {
    let event = task(0).with(plan("IN_FORCE")).when(&office("ann"), register());
    let RegisterTask { plan_id, parent_id, number, content, assignment } = register();
    let region_code = "440800".parse().unwrap();
    event.then([TaskEvent::Registered { plan_id, parent_id, number, content, assignment, region_code }]);
    task(0).with(plan("CONCLUDED")).when(&office("ann"), register()).then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn a_parent_of_another_plan_is_refused() {
    let mut facts = plan("DRAFT");
    facts.objects.push(Fact {
        kind: Kind::Task,
        id: Uuid::from_u128(2),
        status: "REGISTERED".into(),
        region: None,
        belongs_to: Some(Uuid::from_u128(9)),
    });
    let command = RegisterTask { parent_id: Some(id(2)), ..register() };
    task(0).with(facts).when(&office("ann"), command).then_rejected("INVALID_INPUT");
}

#[test]
fn a_unit_does_not_both_lead_and_support() {
    let responsibility = Responsibility { supporting_unit_ids: vec![id(10)], ..responsibility() };
    let command = AssignTaskUnits { id: id(5), responsibility };
    let rejection = task(1).when(&office("ann"), command).then_rejected("INVALID_INPUT");
    assert!(rejection.to_string().starts_with("responsibility.supportingUnitIds[0]"), "{rejection}");
}

#[test]
fn only_a_lead_unit_accepts() {
    let accept = AcceptTask { id: id(5) };
    task(2).when(&officer("bob", id(10)), accept.clone()).then([TaskEvent::Accepted]);
    task(2).when(&officer("eve", id(11)), accept.clone()).then_rejected("NOT_PERMITTED");
    task(2).when(&office("ann"), accept).then_rejected("NOT_PERMITTED");
}

#[test]
fn completion_needs_evidence() {
    let command = ReportTaskCompletion { id: id(5), note: "完成".into(), evidence: vec![] };
    task(3).when(&officer("bob", id(10)), command).then_rejected("INVALID_INPUT");
}

#[test]
fn completion_is_verified_by_another_person_of_another_unit() {
    let verify = VerifyTaskCompletion { id: id(5), note: None };
    let done = TaskEvent::CompletionVerified { note: None };
    task(4).when(&office("ann"), verify.clone()).then([done]);
    task(4).when(&office("bob"), verify.clone()).then_rejected("RULE_VIOLATION");
    let colleague = crate::Viewer { units: vec![id(10)], ..office("carl") };
    task(4).when(&colleague, verify).then_rejected("RULE_VIOLATION");
}

#[test]
fn progress_lies_between_0_and_100() {
    for percent in [-1, 101, i32::MAX] {
        let command = ReportTaskProgress { id: id(5), percent, note: "进展".into(), evidence: vec![] };
        task(3).when(&officer("eve", id(11)), command).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn only_the_scheduler_announces() {
    let announce = AnnounceTaskDueSoon { id: id(5), due_soon: due_soon() };
    task(2).when(&crate::Viewer::scheduler(), announce.clone()).then([TaskEvent::DueSoon(due_soon())]);
    task(2).when(&office("ann"), announce).then_rejected("NOT_PERMITTED");
    let overdue = AnnounceTaskOverdue { id: id(5), due_on: Date::new(2020, 12, 31).unwrap() };
    // It is 1970.
    task(2).when(&crate::Viewer::scheduler(), overdue).then_rejected("RULE_VIOLATION");
}

fn due_soon() -> DueSoon {
    DueSoon {
        due_on: Date::new(2020, 12, 31).unwrap(),
        working_days: 5,
        rule_code: "TASK_DUE_SOON".into(),
        rule_valid_from: Date::new(2009, 1, 1).unwrap(),
        calendars: Vec::new(),
    }
}

#[test]
fn an_amendment_that_changes_nothing_is_no_event() {
    task(1).when(&office("ann"), AmendTask { id: id(5), content: content(), reason: None }).then([]);
}

#[test]
fn a_transfer_keeps_the_status_and_knows_its_units() {
    let transfer = |from, to| TransferTaskUnits {
        id: id(5),
        from_unit_id: id(from),
        to_unit_id: id(to),
        reason: "机构改革".into(),
    };
    let heir = |status: &str| Fact {
        kind: Kind::Unit,
        id: Uuid::from_u128(12),
        status: status.into(),
        region: None,
        belongs_to: None,
    };
    let with = |status: &str| Facts { objects: vec![heir(status)], ..Facts::default() };
    let transferred =
        || TaskEvent::UnitsTransferred { from: id(10), to: id(12), reason: "机构改革".into() };
    // While its completion is checked, too.
    task(4).with(with("ACTIVE")).when(&office("ann"), transfer(10, 12)).then([transferred()]);
    for (from, to, status, field) in
        [(10, 10, "ACTIVE", "toUnitId"), (12, 11, "ACTIVE", "fromUnitId"), (10, 12, "MERGED", "toUnitId")]
    {
        let refused = task(3).with(with(status)).when(&office("ann"), transfer(from, to));
        let refused = refused.then_rejected("INVALID_INPUT");
        assert!(refused.to_string().starts_with(field), "{refused}");
    }
    task(3).when(&officer("bob", id(10)), transfer(10, 12)).then_rejected("NOT_PERMITTED");
    task(1).when(&office("ann"), transfer(10, 12)).then_rejected("NOT_ALLOWED_IN_STATE");
    let RegisterTask { plan_id, parent_id, number, content, assignment } = register();
    let region_code = "440800".parse().unwrap();
    let history = [
        TaskEvent::Registered { plan_id, parent_id, number, content, assignment, region_code },
        TaskEvent::UnitsAssigned { responsibility: responsibility() },
        transferred(),
    ];
    let gone_on = || given::<Task>(history.clone().map(|event| ("ann", event)));
    gone_on().when(&officer("fang", id(12)), AcceptTask { id: id(5) }).then([TaskEvent::Accepted]);
    gone_on().when(&officer("bob", id(10)), AcceptTask { id: id(5) }).then_rejected("NOT_PERMITTED");
}
