use super::*;
use crate::spec::{given, office, officer};
use uuid::Uuid;

fn content() -> PlanContent {
    PlanContent {
        document_number: Some("甘政办发〔2011〕58号".into()),
        title: "甘肃省推进质量振兴工作方案".into(),
        title_is_assigned: false,
        issuer: "甘肃省人民政府办公厅".into(),
        issuer_id: None,
        issuer_is_inferred: false,
        period_start: Date::new(2010, 4, 1),
        period_end: Date::new(2015, 12, 31).unwrap(),
        period_note: None,
        phases: vec![
            phase("启动阶段", "2010-04-01", "2011-03-31"),
            phase("实施阶段", "2011-04-01", "2015-09-30"),
        ],
        basis: vec![],
        guidance: None,
    }
}
fn phase(name: &str, from: &str, to: &str) -> Phase {
    Phase { name: name.into(), from: from.parse().unwrap(), to: to.parse().unwrap() }
}
fn draft() -> DraftPlan {
    DraftPlan { code: "GS-2011-QUALITY".into(), region_code: "620000".parse().unwrap(), content: content() }
}
fn drafted() -> (&'static str, PlanEvent) {
    let DraftPlan { code, region_code, content } = draft();
    ("ann", PlanEvent::Drafted { code, region_code, content })
}
fn in_force() -> [(&'static str, PlanEvent); 3] {
    let effect = PlanEvent::TookEffect { effective_from: None, effective_from_is_assumed: true };
    [drafted(), ("ann", PlanEvent::Issued { issued_on: None }), ("ann", effect)]
}
fn id() -> Id<Plan> {
    Id::new(Uuid::nil())
}

#[test]
fn a_plan_is_drafted_by_the_office_of_its_region() {
    given::<Plan>([]).when(&office("ann"), draft()).then([drafted().1]);
    given::<Plan>([]).when(&officer("bob", Id::new(Uuid::nil())), draft()).then_rejected("NOT_PERMITTED");
}

#[test]
fn phases_lie_inside_the_period_and_do_not_overlap() {
    for (name, from, to) in [
        ("三", "2009-01-01", "2009-02-01"),
        ("三", "2015-09-30", "2015-10-01"),
        ("启动阶段", "2015-10-01", "2015-12-31"),
        ("三", "2015-12-01", "2015-11-01"),
    ] {
        let mut plan = draft();
        plan.content.phases.push(phase(name, from, to));
        given::<Plan>([]).when(&office("ann"), plan).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn a_phase_that_began_before_the_issue_is_no_error() {
    let issued_on = Date::new(2011, 3, 18);
    given::<Plan>([drafted()])
        .when(&office("ann"), IssuePlan { id: id(), issued_on })
        .then([PlanEvent::Issued { issued_on }]);
}

#[test]
fn a_plan_with_open_tasks_is_concluded_only_with_a_reason() {
    let facts = || Facts { objects: vec![], open_children: vec![(Kind::Task, 3)] };
    let conclude = |reason: Option<&str>| ConcludePlan { id: id(), reason: reason.map(Into::into) };
    given::<Plan>(in_force())
        .with(facts())
        .when(&office("ann"), conclude(None))
        .then_rejected("RULE_VIOLATION");
    given::<Plan>(in_force())
        .with(facts())
        .when(&office("ann"), conclude(Some("期满")))
        .then([PlanEvent::Concluded { open_tasks: 3, reason: Some("期满".into()) }]);
    given::<Plan>(in_force())
        .when(&office("ann"), conclude(None))
        .then([PlanEvent::Concluded { open_tasks: 0, reason: None }]);
}

#[test]
fn a_draft_cannot_be_concluded() {
    given::<Plan>([drafted()])
        .when(&office("ann"), ConcludePlan { id: id(), reason: None })
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn a_new_document_number_frees_the_old_one() {
    let mut plan = Plan::default();
    let stamp = Stamp { actor: "ann".into(), at: chrono::DateTime::UNIX_EPOCH };
    plan.evolve(&drafted().1, &stamp);
    let content = PlanContent { document_number: Some("甘政办发〔2011〕59号".into()), ..content() };
    let held: Vec<bool> =
        plan.claims(&PlanEvent::Amended { content, reason: None }).iter().map(|claim| claim.held).collect();
    assert_eq!(held, [false, true]);
}
