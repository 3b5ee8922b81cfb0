use super::*;
use crate::{
    Fact, Viewer,
    spec::{Given, given, office, officer},
};
use uuid::Uuid;

fn unit(number: u128) -> Id<Unit> {
    Id::new(Uuid::from_u128(number))
}
fn id() -> Id<LocalPlan> {
    Id::new(Uuid::from_u128(9))
}
fn due_on() -> Date {
    "1969-12-31".parse().unwrap()
}
fn demand() -> DemandLocalPlan {
    DemandLocalPlan {
        plan_id: Id::new(Uuid::from_u128(7)),
        filing_unit_id: unit(1),
        addressee_id: unit(2),
        what: "本地区具体方案".into(),
        due_on: Some(due_on()),
    }
}
fn demanded() -> (&'static str, LocalPlanEvent) {
    let DemandLocalPlan { plan_id, filing_unit_id, addressee_id, what, due_on } = demand();
    let region_code = "620000".parse().unwrap();
    ("ann", LocalPlanEvent::Demanded { plan_id, region_code, filing_unit_id, addressee_id, what, due_on })
}
fn file() -> FileLocalPlan {
    FileLocalPlan {
        id: id(),
        title: "兰州市质量振兴工作方案".into(),
        document_number: Some("兰政办发〔2011〕20号".into()),
        issued_on: None,
        summary: "分解为四十项任务".into(),
        evidence: vec![],
    }
}
fn filed(actor: &'static str) -> (&'static str, LocalPlanEvent) {
    let FileLocalPlan { title, document_number, issued_on, summary, evidence, .. } = file();
    (actor, LocalPlanEvent::Filed { title, document_number, issued_on, summary, evidence })
}
fn accept() -> AcceptLocalPlan {
    AcceptLocalPlan { id: id(), note: None }
}
/// The plan and two units, and where they stand.
fn world(plan: &str, filing_unit: &str) -> Facts {
    let fact = |kind, id, status: &str, region: &str| Fact {
        kind,
        id,
        status: status.into(),
        region: region.parse().ok(),
        belongs_to: None,
    };
    let objects = vec![
        fact(Kind::Plan, Uuid::from_u128(7), plan, "620000"),
        fact(Kind::Unit, unit(1).uuid(), filing_unit, "620100"),
        fact(Kind::Unit, unit(2).uuid(), "ACTIVE", "620000"),
    ];
    Facts { objects, ..Facts::default() }
}
fn handed_in() -> Given<LocalPlan> {
    given::<LocalPlan>([demanded(), filed("bob")])
}

#[test]
fn the_office_demands_it_under_an_open_plan() {
    let under = |plan: &str, filing_unit: &str| given::<LocalPlan>([]).with(world(plan, filing_unit));
    under("IN_FORCE", "ACTIVE").when(&office("ann"), demand()).then([demanded().1]);
    under("CONCLUDED", "ACTIVE").when(&office("ann"), demand()).then_rejected("NOT_ALLOWED_IN_STATE");
    under("IN_FORCE", "ACTIVE").when(&officer("bob", unit(1)), demand()).then_rejected("NOT_PERMITTED");
    let gone = under("IN_FORCE", "MERGED").when(&office("ann"), demand()).then_rejected("INVALID_INPUT");
    assert!(gone.to_string().starts_with("filingUnitId"), "{gone}");
    let own = DemandLocalPlan { addressee_id: unit(1), ..demand() };
    let own = under("IN_FORCE", "ACTIVE").when(&office("ann"), own).then_rejected("INVALID_INPUT");
    assert!(own.to_string().starts_with("addresseeId"), "{own}");
}

#[test]
fn the_authority_is_that_of_the_plan() {
    let city = Viewer { region: "620100".parse().unwrap(), ..office("lan") };
    let waive = || WaiveLocalPlan { id: id(), reason: "机构撤销".into() };
    given::<LocalPlan>([demanded()]).when(&city, waive()).then_rejected("NOT_PERMITTED");
    let waived = LocalPlanEvent::Waived { reason: "机构撤销".into() };
    given::<LocalPlan>([demanded()]).when(&office("ann"), waive()).then([waived]);
    handed_in().when(&office("ann"), waive()).then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn the_filing_unit_files_and_the_addressee_takes() {
    given::<LocalPlan>([demanded()]).when(&officer("bob", unit(1)), file()).then([filed("bob").1]);
    given::<LocalPlan>([demanded()]).when(&officer("eve", unit(2)), file()).then_rejected("NOT_PERMITTED");
    handed_in().when(&officer("eve", unit(2)), accept()).then([LocalPlanEvent::Accepted { note: None }]);
    handed_in().when(&office("ann"), accept()).then([LocalPlanEvent::Accepted { note: None }]);
    handed_in().when(&officer("joe", unit(3)), accept()).then_rejected("NOT_PERMITTED");
    let back = LocalPlanEvent::Returned { reason: "没有分工".into() };
    let again = given::<LocalPlan>([demanded(), filed("bob"), ("eve", back)]);
    again.when(&officer("bob", unit(1)), file()).then([filed("bob").1]);
}

#[test]
fn nobody_takes_what_their_own_unit_filed() {
    let both = Viewer { units: vec![unit(2), unit(1)], ..officer("eve", unit(2)) };
    handed_in().when(&both, accept()).then_rejected("RULE_VIOLATION");
    given::<LocalPlan>([demanded(), filed("ann")])
        .when(&office("ann"), accept())
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn what_is_filed_was_not_issued_tomorrow() {
    let on = |day: &str| FileLocalPlan { issued_on: day.parse().ok(), ..file() };
    let refused = given::<LocalPlan>([demanded()])
        .when(&officer("bob", unit(1)), on("1970-01-02"))
        .then_rejected("INVALID_INPUT");
    assert!(refused.to_string().starts_with("issuedOn"), "{refused}");
    let LocalPlanEvent::Filed { title, document_number, summary, evidence, .. } = filed("bob").1 else {
        unreachable!("it is filed");
    };
    let issued_on = "1970-01-01".parse().ok();
    let today = LocalPlanEvent::Filed { title, document_number, issued_on, summary, evidence };
    given::<LocalPlan>([demanded()]).when(&officer("bob", unit(1)), on("1970-01-01")).then([today]);
}

#[test]
fn only_what_was_never_filed_becomes_overdue() {
    let overdue = || AnnounceLocalPlanOverdue { id: id(), due_on: due_on() };
    let said = LocalPlanEvent::BecameOverdue { due_on: due_on() };
    given::<LocalPlan>([demanded()]).when(&Viewer::scheduler(), overdue()).then([said.clone()]);
    given::<LocalPlan>([demanded(), ("system", said)])
        .when(&Viewer::scheduler(), overdue())
        .then_rejected("RULE_VIOLATION");
    handed_in().when(&Viewer::scheduler(), overdue()).then_rejected("NOT_ALLOWED_IN_STATE");
    let LocalPlanEvent::Demanded { plan_id, region_code, filing_unit_id, addressee_id, what, .. } =
        demanded().1
    else {
        unreachable!("it is demanded");
    };
    let undated =
        LocalPlanEvent::Demanded { plan_id, region_code, filing_unit_id, addressee_id, what, due_on: None };
    given::<LocalPlan>([("ann", undated)])
        .when(&Viewer::scheduler(), overdue())
        .then_rejected("INVALID_INPUT");
}
