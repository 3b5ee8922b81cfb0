use super::*;
use crate::{
    Fact,
    performance::scoring::AssessmentItem,
    spec::{given, office},
};
use uuid::Uuid;

fn plan() -> Id<Plan> {
    Id::new(Uuid::from_u128(7))
}
fn facts() -> Facts {
    let fact = Fact {
        kind: Kind::Plan,
        id: plan().uuid(),
        status: "IN_FORCE".into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    Facts { objects: vec![fact], ..Facts::default() }
}
fn draft(weight: &str) -> DraftAssessmentScheme {
    DraftAssessmentScheme {
        plan_id: plan(),
        year: 2012,
        title: "2012年度考核办法".into(),
        items: vec![AssessmentItem {
            code: "A".into(),
            name: "工作创新".into(),
            weight: weight.parse().unwrap(),
            source: ScoreSource::Expert,
            indicator_id: None,
        }],
        vetoes: vec![],
        grades: vec![Grade { name: "合格".into(), from: "0".parse().unwrap() }],
    }
}
fn drafted() -> (&'static str, AssessmentSchemeEvent) {
    let DraftAssessmentScheme { plan_id, year, title, items, vetoes, grades } = draft("100");
    let rules = Rules { items, vetoes, grades };
    let region_code = "620000".parse().unwrap();
    ("ann", AssessmentSchemeEvent::Drafted { plan_id, region_code, year, title, rules })
}

#[test]
fn a_scheme_whose_weights_add_up_is_drafted() {
    given::<AssessmentScheme>([]).with(facts()).when(&office("ann"), draft("100")).then([drafted().1]);
    given::<AssessmentScheme>([])
        .with(facts())
        .when(&office("ann"), draft("99"))
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn an_issued_scheme_does_not_change() {
    let id = Id::new(Uuid::nil());
    let DraftAssessmentScheme { items, vetoes, grades, .. } = draft("100");
    let amend = AmendAssessmentScheme { id, items, vetoes, grades };
    given::<AssessmentScheme>([drafted()]).when(&office("ann"), amend.clone()).then([]);
    given::<AssessmentScheme>([drafted(), ("ann", AssessmentSchemeEvent::Issued)])
        .when(&office("ann"), amend)
        .then_rejected("NOT_ALLOWED_IN_STATE");
}
