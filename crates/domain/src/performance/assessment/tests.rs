use super::*;
use crate::{
    performance::{
        attainment::Comparator,
        scoring::{AssessmentItem, Grade, ScoreSource, Veto},
    },
    spec::{given, office, officer},
};
use uuid::Uuid;

fn unit() -> Id<Unit> {
    Id::new(Uuid::from_u128(1))
}
fn id() -> Id<Assessment> {
    Id::new(Uuid::from_u128(9))
}
fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}
fn rules() -> Rules {
    let item = |code: &str, weight: &str| AssessmentItem {
        code: code.into(),
        name: "项目".into(),
        weight: amount(weight),
        source: ScoreSource::Expert,
        indicator_id: None,
    };
    let grade = |name: &str, from: &str| Grade { name: name.into(), from: amount(from) };
    Rules {
        items: vec![item("A", "60"), item("B", "40")],
        vetoes: vec![Veto { code: "ACCIDENT".into(), name: "发生重大质量安全事故".into() }],
        grades: vec![grade("优秀", "90"), grade("合格", "60"), grade("不合格", "0")],
    }
}
fn opened() -> (&'static str, AssessmentEvent) {
    let opened = AssessmentEvent::Opened {
        scheme_id: Id::new(Uuid::from_u128(3)),
        plan_id: Id::new(Uuid::from_u128(4)),
        year: 1969,
        unit_id: unit(),
        region_code: "620100".parse().unwrap(),
        rules: rules(),
    };
    ("ann", opened)
}
fn figure(item: &str, percent: &str) -> Figure {
    Figure {
        item: item.into(),
        value: Some(amount(percent)),
        target: Some(amount("100")),
        comparator: Comparator::AtLeast,
        evidence: vec![],
        note: None,
    }
}
fn score_by(percents: [&str; 2]) -> ScoreAssessment {
    let figures = vec![figure("A", percents[0]), figure("B", percents[1])];
    ScoreAssessment { id: id(), figures, vetoes: vec![] }
}
fn scored() -> (&'static str, AssessmentEvent) {
    let (items, total) = score(&rules(), &score_by(["95", "90"]).figures).unwrap();
    let event =
        AssessmentEvent::Scored { formula_version: 1, items, vetoes: vec![], total, grade: "优秀".into() };
    ("ann", event)
}
fn reviewed() -> (&'static str, AssessmentEvent) {
    ("bob", AssessmentEvent::Reviewed { note: None })
}
/// Tests ask on 1 January 1970.
fn announced(until: &str) -> (&'static str, AssessmentEvent) {
    let event = AssessmentEvent::ResultAnnounced {
        total: amount("93"),
        grade: "优秀".into(),
        objections_until: until.parse().unwrap(),
    };
    ("ann", event)
}
fn objection() -> ObjectToAssessment {
    ObjectToAssessment { id: id(), reason: "漏计一季度".into(), evidence: vec![] }
}

#[test]
fn it_is_scored_by_every_item() {
    given::<Assessment>([opened()]).when(&office("ann"), score_by(["95", "90"])).then([scored().1]);
    let lacking = ScoreAssessment { figures: vec![figure("A", "95")], ..score_by(["0", "0"]) };
    given::<Assessment>([opened()]).when(&office("ann"), lacking).then_rejected("RULE_VIOLATION");
    given::<Assessment>([opened()])
        .when(&officer("eve", unit()), score_by(["100", "100"]))
        .then_rejected("NOT_PERMITTED");
}

#[test]
fn a_veto_decides_whatever_the_points() {
    let veto = |code: &str| Vetoed { code: code.into(), reason: "某企业重大事故".into() };
    let vetoed = |code| ScoreAssessment { vetoes: vec![veto(code)], ..score_by(["95", "90"]) };
    let (_, AssessmentEvent::Scored { items, total, .. }) = scored() else { return };
    let grade = "不合格".to_owned();
    given::<Assessment>([opened()]).when(&office("ann"), vetoed("ACCIDENT")).then([
        AssessmentEvent::Scored { formula_version: 1, items, vetoes: vec![veto("ACCIDENT")], total, grade },
    ]);
    given::<Assessment>([opened()]).when(&office("ann"), vetoed("OTHER")).then_rejected("INVALID_INPUT");
}

#[test]
fn a_unit_gives_itself_no_more_than_the_weight() {
    let own = |item: &str, points: &str| SubmitSelfAssessment {
        id: id(),
        summary: "完成全部任务".into(),
        scores: vec![SelfScore { item: item.into(), points: amount(points), note: None }],
        evidence: vec![],
    };
    let SubmitSelfAssessment { summary, scores, evidence, .. } = own("B", "40");
    given::<Assessment>([opened()])
        .when(&officer("eve", unit()), own("B", "40"))
        .then([AssessmentEvent::SelfAssessed { summary, scores, evidence }]);
    for wrong in [own("B", "40.01"), own("B", "-1"), own("C", "1")] {
        given::<Assessment>([opened()]).when(&officer("eve", unit()), wrong).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn somebody_else_reviews() {
    let review = ReviewAssessment { id: id(), note: None };
    given::<Assessment>([opened(), scored()]).when(&office("bob"), review.clone()).then([reviewed().1]);
    given::<Assessment>([opened(), scored()]).when(&office("ann"), review).then_rejected("RULE_VIOLATION");
}

#[test]
fn objections_come_in_time_and_results_are_final_behind_them() {
    let past = [opened(), scored(), reviewed(), announced("1969-12-31")];
    let open = [opened(), scored(), reviewed(), announced("1970-01-01")];
    let finalise = FinaliseAssessment { id: id() };
    given::<Assessment>(past.clone())
        .when(&officer("eve", unit()), objection())
        .then_rejected("RULE_VIOLATION");
    given::<Assessment>(past)
        .when(&office("ann"), finalise.clone())
        .then([AssessmentEvent::Finalised { total: amount("93"), grade: "优秀".into() }]);
    let ObjectToAssessment { reason, evidence, .. } = objection();
    given::<Assessment>(open.clone())
        .when(&officer("eve", unit()), objection())
        .then([AssessmentEvent::Objected { reason, evidence }]);
    given::<Assessment>(open).when(&office("ann"), finalise).then_rejected("RULE_VIOLATION");
}

#[test]
fn an_upheld_objection_is_scored_anew_before_it_is_reviewed() {
    let upheld = ("bob", AssessmentEvent::ObjectionDecided { upheld: true, reason: "应计入".into() });
    let objected = ("eve", AssessmentEvent::Objected { reason: "漏计".into(), evidence: vec![] });
    let past = || [opened(), scored(), reviewed(), announced("1970-01-01"), objected.clone(), upheld.clone()];
    let review = ReviewAssessment { id: id(), note: None };
    let refused =
        given::<Assessment>(past()).when(&office("cao"), review.clone()).then_rejected("RULE_VIOLATION");
    assert!(refused.to_string().contains("score it anew"), "{refused}");
    let again = past().into_iter().chain([scored()]);
    given::<Assessment>(again).when(&office("cao"), review).then([reviewed().1]);
}

#[test]
fn a_rejected_objection_is_appealed_against_once_and_decided_by_another() {
    let rejected = ("bob", AssessmentEvent::ObjectionDecided { upheld: false, reason: "数据无误".into() });
    let past = || {
        let objected = ("eve", AssessmentEvent::Objected { reason: "漏计".into(), evidence: vec![] });
        vec![opened(), scored(), reviewed(), announced("1970-01-01"), objected, rejected.clone()]
    };
    let appeal = AppealAssessment { id: id(), reason: "请求复查".into() };
    let appealed = ("eve", AssessmentEvent::Appealed { reason: "请求复查".into() });
    let eve = officer("eve", unit());
    given::<Assessment>([opened(), scored(), reviewed(), announced("1970-01-01")])
        .when(&eve, appeal.clone())
        .then_rejected("RULE_VIOLATION");
    given::<Assessment>(past()).when(&eve, objection()).then_rejected("RULE_VIOLATION");
    given::<Assessment>(past()).when(&eve, appeal.clone()).then([appealed.1.clone()]);
    let with_appeal = || past().into_iter().chain([appealed.clone()]).collect::<Vec<_>>();
    let decide = DecideAssessmentAppeal { id: id(), upheld: false, reason: "维持".into() };
    let decided = AssessmentEvent::AppealDecided { upheld: false, reason: "维持".into() };
    given::<Assessment>(with_appeal()).when(&office("bob"), decide.clone()).then_rejected("RULE_VIOLATION");
    given::<Assessment>(with_appeal()).when(&office("cao"), decide).then([decided.clone()]);
    let over = with_appeal().into_iter().chain([("cao", decided)]);
    given::<Assessment>(over).when(&eve, appeal).then_rejected("RULE_VIOLATION");
}
