use super::*;
use crate::{
    Fact, Viewer,
    programme::task::Task,
    spec::{given, office, officer},
    time::TimeUnit,
};
use uuid::Uuid;

fn unit(number: u128) -> Id<Unit> {
    Id::new(Uuid::from_u128(number))
}
fn id() -> Id<SupervisionItem> {
    Id::new(Uuid::from_u128(9))
}
fn plan() -> Id<Plan> {
    Id::new(Uuid::from_u128(7))
}
fn task() -> GlobalId {
    Id::<Task>::new(Uuid::from_u128(8)).into()
}
fn date(text: &str) -> Date {
    text.parse().unwrap()
}
/// Tests stand on 1 January 1970.
fn today() -> Date {
    date("1970-01-01")
}
fn yesterday() -> Date {
    date("1969-12-31")
}

fn open() -> OpenSupervisionItem {
    OpenSupervisionItem {
        plan_id: plan(),
        region_code: None,
        number: "甘督〔1970〕1号".into(),
        title: "质量兴市进展迟缓".into(),
        subject_id: Some(task()),
        unit_ids: vec![unit(1), unit(2)],
        escalation_unit_id: Some(unit(3)),
        demand: "限期说明原因并整改".into(),
        answer_due_on: date("1970-01-20"),
        basis: Some("领导批示".into()),
    }
}
fn limit(code: &str, value: u32, unit: TimeUnit) -> AppliedLimit {
    AppliedLimit { code: code.into(), valid_from: date("1960-01-01"), value, unit }
}
fn by_rule() -> OpenSupervisionItemByRule {
    OpenSupervisionItemByRule {
        plan_id: plan(),
        subject_id: task(),
        title: "任务逾期".into(),
        unit_ids: vec![unit(1)],
        escalation_unit_id: Some(unit(3)),
        demand: "说明原因".into(),
        answer_due_on: yesterday(),
        by_rule: OpenedByRule {
            subject_due_on: date("1969-11-30"),
            after_overdue: limit("SUPERVISION_AFTER_OVERDUE", 15, TimeUnit::CalendarDays),
            answer: limit("SUPERVISION_ANSWER", 10, TimeUnit::WorkingDays),
            calendars: vec![],
        },
    }
}

fn fact(kind: Kind, id: Uuid, status: &str, region: &str, belongs_to: Option<Uuid>) -> Fact {
    Fact { kind, id, status: status.into(), region: region.parse().ok(), belongs_to }
}
/// A plan of Gansu in this state with a task, and three units of which the third stands so.
fn world(plan_status: &str, third: &str) -> Facts {
    let unit = |number, status| fact(Kind::Unit, unit(number).uuid(), status, "620000", None);
    Facts {
        objects: vec![
            fact(Kind::Plan, plan().uuid(), plan_status, "620000", None),
            fact(Kind::Task, task().uuid, "ASSIGNED", "620000", Some(plan().uuid())),
            unit(1, "ACTIVE"),
            unit(2, "ACTIVE"),
            unit(3, third),
        ],
        ..Facts::default()
    }
}
fn facts() -> Facts {
    world("IN_FORCE", "ACTIVE")
}

/// What opening by hand and by rule come to.
fn opened() -> SupervisionItemEvent {
    opened_from(open())
}
fn opened_from(item: OpenSupervisionItem) -> SupervisionItemEvent {
    SupervisionItemEvent::Opened {
        plan_id: item.plan_id,
        region_code: item.region_code.unwrap_or_else(|| "620000".parse().unwrap()),
        number: Some(item.number),
        title: item.title,
        subject_id: item.subject_id,
        unit_ids: item.unit_ids,
        escalation_unit_id: item.escalation_unit_id,
        demand: item.demand,
        answer_due_on: item.answer_due_on,
        basis: item.basis,
        by_rule: None,
    }
}
fn opened_by_rule() -> SupervisionItemEvent {
    let item = by_rule();
    SupervisionItemEvent::Opened {
        plan_id: item.plan_id,
        region_code: "620000".parse().unwrap(),
        number: None,
        title: item.title,
        subject_id: Some(item.subject_id),
        unit_ids: item.unit_ids,
        escalation_unit_id: item.escalation_unit_id,
        demand: item.demand,
        answer_due_on: item.answer_due_on,
        basis: None,
        by_rule: Some(item.by_rule),
    }
}
fn notified() -> (&'static str, SupervisionItemEvent) {
    ("ann", SupervisionItemEvent::Notified { note: None })
}
fn answer() -> AnswerSupervisionItem {
    let evidence = vec![Evidence { title: "整改报告".into(), reference: None }];
    AnswerSupervisionItem { id: id(), summary: "已整改到位".into(), evidence }
}
fn answered(actor: &'static str) -> (&'static str, SupervisionItemEvent) {
    let AnswerSupervisionItem { summary, evidence, .. } = answer();
    (actor, SupervisionItemEvent::Answered { unit_id: Some(unit(2)), summary, evidence })
}
fn close() -> CloseSupervisionItem {
    CloseSupervisionItem { id: id(), note: None }
}
fn refused(command: OpenSupervisionItem, facts: Facts) -> String {
    let rejection = given::<SupervisionItem>([]).with(facts).when(&office("ann"), command);
    rejection.then_rejected("INVALID_INPUT").to_string()
}

#[test]
fn the_office_opens_an_item_of_a_plan_that_stands() {
    given::<SupervisionItem>([]).with(facts()).when(&office("ann"), open()).then([opened()]);
    given::<SupervisionItem>([])
        .with(facts())
        .when(&officer("bob", unit(1)), open())
        .then_rejected("NOT_PERMITTED");
    given::<SupervisionItem>([])
        .with(world("DRAFT", "ACTIVE"))
        .when(&office("ann"), open())
        .then_rejected("NOT_ALLOWED_IN_STATE");
    let outside = OpenSupervisionItem { region_code: "430000".parse().ok(), ..open() };
    assert!(refused(outside, facts()).starts_with("regionCode:"));
    let county = || OpenSupervisionItem { region_code: "620102".parse().ok(), ..open() };
    given::<SupervisionItem>([]).with(facts()).when(&office("ann"), county()).then([opened_from(county())]);
    let other_province = Viewer { region: "430000".parse().unwrap(), ..office("ann") };
    given::<SupervisionItem>([]).with(facts()).when(&other_province, open()).then_rejected("NOT_PERMITTED");
}

#[test]
fn what_it_names_must_fit() {
    let with = |change: fn(&mut OpenSupervisionItem)| {
        let mut item = open();
        change(&mut item);
        refused(item, facts())
    };
    assert!(with(|item| item.answer_due_on = yesterday()).starts_with("answerDueOn:"));
    assert!(with(|item| item.unit_ids.clear()).starts_with("unitIds:"));
    assert!(with(|item| item.unit_ids = vec![unit(1), unit(1)]).starts_with("unitIds[1]:"));
    assert!(with(|item| item.escalation_unit_id = Some(unit(2))).starts_with("escalationUnitId:"));
    assert!(with(|item| item.number = " 1号".into()).starts_with("number:"));
    assert!(with(|item| item.subject_id = Some(unit(1).into())).starts_with("subjectId: is not one of Task"));
    assert!(refused(open(), world("IN_FORCE", "MERGED")).starts_with("escalationUnitId:"));
    let mut elsewhere = facts();
    elsewhere.objects[1].belongs_to = Some(Uuid::from_u128(70));
    assert_eq!(refused(open(), elsewhere), "subjectId: belongs to another plan");
    // On the day itself it can still be answered.
    let last = OpenSupervisionItem { answer_due_on: today(), ..open() };
    let event = opened_from(last.clone());
    given::<SupervisionItem>([]).with(facts()).when(&office("ann"), last).then([event]);
    // The plan itself, or nothing in particular.
    for subject_id in [Some(plan().into()), None] {
        let item = OpenSupervisionItem { subject_id, ..open() };
        let event = opened_from(item.clone());
        given::<SupervisionItem>([]).with(facts()).when(&office("ann"), item).then([event]);
    }
}

#[test]
fn the_clock_opens_what_stays_overdue_once_for_a_due_date() {
    given::<SupervisionItem>([]).with(facts()).when(&Viewer::scheduler(), by_rule()).then([opened_by_rule()]);
    given::<SupervisionItem>([]).with(facts()).when(&office("ann"), by_rule()).then_rejected("NOT_PERMITTED");
    given::<SupervisionItem>([])
        .with(world("ISSUED", "ACTIVE"))
        .when(&Viewer::scheduler(), by_rule())
        .then_rejected("NOT_ALLOWED_IN_STATE");
    let mut early = by_rule();
    early.by_rule.subject_due_on = today();
    given::<SupervisionItem>([])
        .with(facts())
        .when(&Viewer::scheduler(), early)
        .then_rejected("RULE_VIOLATION");
    // Reported as completed in the meantime, it waits for the office.
    let mut reported = facts();
    reported.objects[1].status = "COMPLETION_REPORTED".into();
    given::<SupervisionItem>([])
        .with(reported)
        .when(&Viewer::scheduler(), by_rule())
        .then_rejected("RULE_VIOLATION");
    let claims = SupervisionItem::default().claims(&opened_by_rule());
    let key = format!("{}|1969-11-30", task());
    assert_eq!(claims, [Claim::take(SupervisionItem::OVERDUE, key, "subjectId")]);
    let claims = SupervisionItem::default().claims(&opened());
    assert_eq!(claims, [Claim::take(SupervisionItem::NUMBER, "620000|甘督〔1970〕1号", "number")]);
}

#[test]
fn a_supervised_unit_answers_with_evidence_once_it_was_notified() {
    let opened = ("ann", opened());
    let told = || given::<SupervisionItem>([opened.clone(), notified()]);
    told().when(&officer("bob", unit(2)), answer()).then([answered("bob").1]);
    told().when(&officer("eve", unit(3)), answer()).then_rejected("NOT_PERMITTED");
    told().when(&office("ann"), answer()).then_rejected("NOT_PERMITTED");
    let bare = AnswerSupervisionItem { evidence: vec![], ..answer() };
    told().when(&officer("bob", unit(1)), bare).then_rejected("INVALID_INPUT");
    given::<SupervisionItem>([opened.clone()])
        .when(&officer("bob", unit(1)), answer())
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn another_person_closes_it_or_returns_the_answer_with_a_new_date() {
    let life = |who| given::<SupervisionItem>([("ann", opened()), notified(), answered(who)]);
    life("bob").when(&office("ann"), close()).then([SupervisionItemEvent::Closed { note: None }]);
    life("ann").when(&office("ann"), close()).then_rejected("RULE_VIOLATION");
    let both = Viewer { units: vec![unit(1)], ..office("eve") };
    life("bob").when(&both, close()).then_rejected("RULE_VIOLATION");
    let back =
        |answer_due_on| ReturnSupervisionAnswer { id: id(), answer_due_on, reason: "佐证不足".into() };
    let returned = SupervisionItemEvent::Returned { answer_due_on: today(), reason: "佐证不足".into() };
    life("bob").when(&office("ann"), back(today())).then([returned.clone()]);
    life("bob").when(&office("ann"), back(yesterday())).then_rejected("INVALID_INPUT");
    life("ann").when(&office("ann"), back(today())).then_rejected("RULE_VIOLATION");
    let again = [("ann", opened()), notified(), answered("bob"), ("ann", returned)];
    given::<SupervisionItem>(again).when(&officer("bob", unit(2)), answer()).then([answered("bob").1]);
}

#[test]
fn an_answer_is_looked_at_a_hundred_times_at_most() {
    let returned = SupervisionItemEvent::Returned { answer_due_on: today(), reason: "佐证不足".into() };
    let life = |answers: usize| {
        let rounds = std::iter::repeat_n([answered("bob"), ("ann", returned.clone())], answers).flatten();
        [("ann", opened()), notified()].into_iter().chain(rounds).collect::<Vec<_>>()
    };
    given::<SupervisionItem>(life(99)).when(&officer("bob", unit(2)), answer()).then([answered("bob").1]);
    given::<SupervisionItem>(life(100))
        .when(&officer("bob", unit(2)), answer())
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn it_is_escalated_to_a_unit_above_and_further() {
    let up = |unit_id| EscalateSupervisionItem { id: id(), unit_id, reason: "多次督办无果".into() };
    let escalated = |unit_id| SupervisionItemEvent::Escalated {
        unit_id,
        reason: Some("多次督办无果".into()),
        by_rule: None,
    };
    let told = || given::<SupervisionItem>([("ann", opened()), notified()]).with(facts());
    told().when(&office("ann"), up(unit(3))).then([escalated(unit(3))]);
    told().when(&office("ann"), up(unit(1))).then_rejected("INVALID_INPUT");
    let above = || {
        given::<SupervisionItem>([("ann", opened()), notified(), ("ann", escalated(unit(3)))]).with(facts())
    };
    above().when(&office("ann"), up(unit(3))).then_rejected("INVALID_INPUT");
    above().when(&office("ann"), up(unit(4))).then([escalated(unit(4))]);
    // The supervised units still owe the answer.
    above().when(&officer("bob", unit(2)), answer()).then([answered("bob").1]);
    given::<SupervisionItem>([("ann", opened())])
        .with(facts())
        .when(&office("ann"), up(unit(3)))
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn the_clock_escalates_an_overdue_answer_to_the_named_unit() {
    let rule = |answer_due_on| EscalatedByRule {
        answer_due_on,
        limit: limit("SUPERVISION_ESCALATION", 5, TimeUnit::WorkingDays),
        calendars: vec![],
    };
    let up = |answer_due_on| EscalateSupervisionItemByRule { id: id(), by_rule: rule(answer_due_on) };
    let late = || given::<SupervisionItem>([("system", opened_by_rule()), notified()]);
    let escalated =
        SupervisionItemEvent::Escalated { unit_id: unit(3), reason: None, by_rule: Some(rule(yesterday())) };
    late().when(&Viewer::scheduler(), up(yesterday())).then([escalated.clone()]);
    late().when(&Viewer::scheduler(), up(date("1969-12-30"))).then_rejected("INVALID_INPUT");
    late().when(&office("ann"), up(yesterday())).then_rejected("NOT_PERMITTED");
    given::<SupervisionItem>([("system", opened_by_rule()), notified(), ("system", escalated)])
        .when(&Viewer::scheduler(), up(yesterday()))
        .then_rejected("NOT_ALLOWED_IN_STATE");
    given::<SupervisionItem>([("ann", opened()), notified()])
        .when(&Viewer::scheduler(), up(date("1970-01-20")))
        .then_rejected("RULE_VIOLATION");
    let mut nobody_above = opened_by_rule();
    if let SupervisionItemEvent::Opened { escalation_unit_id, .. } = &mut nobody_above {
        *escalation_unit_id = None;
    }
    given::<SupervisionItem>([("system", nobody_above), notified()])
        .when(&Viewer::scheduler(), up(yesterday()))
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn an_extension_is_later_and_is_announced_anew() {
    let extend = |day| ExtendSupervisionItem { id: id(), answer_due_on: date(day), reason: "汛期".into() };
    let extended = SupervisionItemEvent::Extended {
        answer_due_on: date("1970-02-01"),
        former_answer_due_on: date("1970-01-20"),
        reason: "汛期".into(),
    };
    let item = || given::<SupervisionItem>([("ann", opened()), notified()]);
    item().when(&office("ann"), extend("1970-02-01")).then([extended]);
    item().when(&office("ann"), extend("1970-01-20")).then_rejected("INVALID_INPUT");
    // Later than before, but still in the past.
    let mut long_ago = opened_by_rule();
    if let SupervisionItemEvent::Opened { answer_due_on, .. } = &mut long_ago {
        *answer_due_on = date("1969-12-01");
    }
    given::<SupervisionItem>([("system", long_ago)])
        .when(&office("ann"), extend("1969-12-31"))
        .then_rejected("INVALID_INPUT");
    let overdue = |day| AnnounceSupervisionItemOverdue { id: id(), due_on: date(day) };
    let said = ("system", SupervisionItemEvent::BecameOverdue { due_on: yesterday() });
    given::<SupervisionItem>([("system", opened_by_rule())])
        .when(&Viewer::scheduler(), overdue("1969-12-31"))
        .then([said.1.clone()]);
    given::<SupervisionItem>([("system", opened_by_rule()), said.clone()])
        .when(&Viewer::scheduler(), overdue("1969-12-31"))
        .then_rejected("RULE_VIOLATION");
    given::<SupervisionItem>([("system", opened_by_rule()), notified(), answered("bob")])
        .when(&Viewer::scheduler(), overdue("1969-12-31"))
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn what_is_open_can_be_withdrawn_with_a_reason() {
    let withdraw = |reason: &str| WithdrawSupervisionItem { id: id(), reason: reason.into() };
    let withdrawn = SupervisionItemEvent::Withdrawn { reason: "事项取消".into() };
    for life in [vec![], vec![notified()], vec![notified(), answered("bob")]] {
        let events: Vec<_> = std::iter::once(("ann", opened())).chain(life).collect();
        given::<SupervisionItem>(events.clone())
            .when(&office("ann"), withdraw("事项取消"))
            .then([withdrawn.clone()]);
        given::<SupervisionItem>(events).when(&office("ann"), withdraw(" ")).then_rejected("INVALID_INPUT");
    }
    let closed = ("ann", SupervisionItemEvent::Closed { note: None });
    given::<SupervisionItem>([("ann", opened()), notified(), answered("bob"), closed])
        .when(&office("ann"), withdraw("事项取消"))
        .then_rejected("NOT_ALLOWED_IN_STATE");
}
