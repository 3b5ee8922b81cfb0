use super::*;
use crate::Amount;
use crate::spec::{given, office, officer};
use uuid::Uuid;

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}
fn date(text: &str) -> Date {
    text.parse().unwrap()
}
fn plan() -> PlanSurvey {
    PlanSurvey {
        plan_id: id(1),
        kind: SurveyKind::Satisfaction,
        title: "游客满意度测评".into(),
        question: "您对本次旅游服务是否满意？".into(),
        population: "旅游业游客".into(),
        unit_id: id(2),
        method: SurveyMethod::Interview,
        region_code: None,
        period: "1969".parse().unwrap(),
        planned_sample_size: 1_000,
        scale: None,
        indicator_id: Some(id(3)),
    }
}
fn planned() -> (&'static str, SurveyEvent) {
    let PlanSurvey { plan_id, kind, title, question, population, unit_id, method, period, .. } = plan();
    let event = SurveyEvent::Planned {
        plan_id,
        kind,
        title,
        question,
        population,
        unit_id,
        method,
        region_code: "620000".parse().unwrap(),
        period,
        planned_sample_size: 1_000,
        scale: AnswerScale::usual(),
        indicator_id: Some(id(3)),
    };
    ("ann", event)
}
fn fielded() -> (&'static str, SurveyEvent) {
    ("bob", SurveyEvent::Fielded { from: date("1969-11-01"), to: date("1969-11-30") })
}
fn result() -> SurveyResult {
    SurveyResult {
        asked: 1_500,
        responses: 1_200,
        sample_size: 1_100,
        score: amount("85.4"),
        standard_deviation: Some(amount("11.2")),
        margin_of_error: Some(amount("0.66")),
        confidence_level: Some(amount("95")),
        groups: vec![group("兰州市", 700, "86.1"), group("嘉峪关市", 400, "84.2")],
        shortfall_reason: None,
    }
}
fn group(name: &str, sample_size: i32, score: &str) -> SurveyGroup {
    SurveyGroup { name: name.into(), sample_size, score: amount(score) }
}
fn record(result: SurveyResult) -> RecordSurveyResult {
    RecordSurveyResult { id: id(9), result, evidence: vec![] }
}
fn recorded() -> (&'static str, SurveyEvent) {
    ("bob", SurveyEvent::ResultRecorded { number: 1, result: result(), evidence: vec![] })
}
fn accepted() -> (&'static str, SurveyEvent) {
    ("ann", SurveyEvent::ResultAccepted { note: None })
}
fn accept() -> AcceptSurveyResult {
    AcceptSurveyResult { id: id(9), note: None }
}
fn surveyor(actor: &str) -> crate::Viewer {
    officer(actor, id(2))
}
fn facts(unit: &str, plan_of_indicator: u128, indicator_in: &str) -> Facts {
    let fact = |kind, id, status: &str, region: &str, belongs_to| Fact {
        kind,
        id: Uuid::from_u128(id),
        status: status.into(),
        region: region.parse().ok(),
        belongs_to,
    };
    Facts {
        objects: vec![
            fact(Kind::Plan, 1, "IN_FORCE", "620000", None),
            fact(Kind::Unit, 2, unit, "620000", None),
            fact(Kind::Indicator, 3, "ACTIVE", indicator_in, Some(Uuid::from_u128(plan_of_indicator))),
        ],
        ..Facts::default()
    }
}

#[track_caller]
fn refused_field(rejection: &Rejection, wanted: &str) {
    assert!(matches!(rejection, Rejection::Invalid { field, .. } if field == wanted), "{rejection:?}");
}
#[track_caller]
fn refused_rule(rejection: &Rejection, wanted: &str) {
    assert!(matches!(rejection, Rejection::Rule { rule, .. } if *rule == wanted), "{rejection:?}");
}

#[test]
fn a_survey_is_planned_where_the_plan_holds() {
    given::<Survey>([]).with(facts("ACTIVE", 1, "620000")).when(&office("ann"), plan()).then([planned().1]);
    let cases = [
        (facts("DISSOLVED", 1, "620000"), plan(), "unitId"),
        (facts("ACTIVE", 7, "620000"), plan(), "indicatorId"),
        (facts("ACTIVE", 1, "620100"), plan(), "indicatorId"),
        (
            facts("ACTIVE", 1, "620000"),
            PlanSurvey { region_code: "430000".parse().ok(), ..plan() },
            "regionCode",
        ),
        (facts("ACTIVE", 1, "620000"), PlanSurvey { planned_sample_size: 0, ..plan() }, "plannedSampleSize"),
        (
            facts("ACTIVE", 1, "620000"),
            PlanSurvey { scale: Some(AnswerScale { lowest: amount("5"), highest: amount("5") }), ..plan() },
            "scale.highest",
        ),
    ];
    for (facts, command, field) in cases {
        let rejection =
            given::<Survey>([]).with(facts).when(&office("ann"), command).then_rejected("INVALID_INPUT");
        refused_field(&rejection, field);
    }
    given::<Survey>([])
        .with(facts("ACTIVE", 1, "620000"))
        .when(&surveyor("bob"), plan())
        .then_rejected("NOT_PERMITTED");
}

#[test]
fn the_result_comes_when_the_field_is_left() {
    let field = FieldSurvey { id: id(9), from: date("1969-11-01"), to: date("1969-10-31") };
    let rejection = given::<Survey>([planned()]).when(&surveyor("bob"), field).then_rejected("INVALID_INPUT");
    refused_field(&rejection, "to");
    given::<Survey>([planned()])
        .when(&surveyor("bob"), record(result()))
        .then_rejected("NOT_ALLOWED_IN_STATE");
    given::<Survey>([planned(), fielded()]).when(&surveyor("bob"), record(result())).then([recorded().1]);
    given::<Survey>([planned(), fielded()])
        .when(&officer("eve", id(4)), record(result()))
        .then_rejected("NOT_PERMITTED");
    // Today is 1 January 1970. The field was to be left later, so it is said anew.
    let long = ("bob", SurveyEvent::Fielded { from: date("1969-11-01"), to: date("1970-01-02") });
    let rejection = given::<Survey>([planned(), long.clone()])
        .when(&surveyor("bob"), record(result()))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "fieldwork-ends-before-the-result");
    given::<Survey>([planned(), long, fielded()])
        .when(&surveyor("bob"), record(result()))
        .then([recorded().1]);
}

#[test]
fn a_result_adds_up() {
    let cases = [
        (SurveyResult { asked: 0, ..result() }, "result.asked"),
        (SurveyResult { asked: 1_199, ..result() }, "result.responses"),
        (SurveyResult { responses: -1, ..result() }, "result.responses"),
        (SurveyResult { responses: 1_099, ..result() }, "result.sampleSize"),
        (SurveyResult { score: amount("100.01"), ..result() }, "result.score"),
        (SurveyResult { score: amount("-0.01"), ..result() }, "result.score"),
        (SurveyResult { standard_deviation: Some(amount("-1")), ..result() }, "result.standardDeviation"),
        (SurveyResult { margin_of_error: Some(amount("101")), ..result() }, "result.marginOfError"),
        (SurveyResult { margin_of_error: None, ..result() }, "result.marginOfError"),
        (SurveyResult { confidence_level: None, ..result() }, "result.confidenceLevel"),
        (SurveyResult { confidence_level: Some(amount("100")), ..result() }, "result.confidenceLevel"),
        (
            SurveyResult { groups: vec![group("甲", 1_100, "80"), group("乙", 1, "80")], ..result() },
            "result.groups[1].sampleSize",
        ),
        (
            SurveyResult { groups: vec![group("甲", 1, "80"), group("甲", 1, "80")], ..result() },
            "result.groups[1].name",
        ),
        (SurveyResult { groups: vec![group("甲", 1, "180")], ..result() }, "result.groups[0].score"),
        (SurveyResult { groups: vec![group("甲", 1, "80"); 101], ..result() }, "result.groups"),
        (SurveyResult { shortfall_reason: Some("无".into()), ..result() }, "result.shortfallReason"),
    ];
    for (wrong, field) in cases {
        let rejection = given::<Survey>([planned(), fielded()])
            .when(&surveyor("bob"), record(wrong))
            .then_rejected("INVALID_INPUT");
        refused_field(&rejection, field);
    }
    let whole = SurveyResult { groups: vec![group("甲", 1_100, "85.4")], ..result() };
    let event = SurveyEvent::ResultRecorded { number: 1, result: whole.clone(), evidence: vec![] };
    given::<Survey>([planned(), fielded()]).when(&surveyor("bob"), record(whole)).then([event]);
}

#[test]
fn a_smaller_sample_says_why() {
    let small = SurveyResult { sample_size: 999, groups: vec![], ..result() };
    let rejection = given::<Survey>([planned(), fielded()])
        .when(&surveyor("bob"), record(small.clone()))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "a-smaller-sample-says-why");
    let told = SurveyResult { shortfall_reason: Some("淡季游客减少".into()), ..small };
    let event = SurveyEvent::ResultRecorded { number: 1, result: told.clone(), evidence: vec![] };
    given::<Survey>([planned(), fielded()]).when(&surveyor("bob"), record(told)).then([event]);
}

#[test]
fn the_response_rate_is_derived() {
    assert_eq!(result().response_rate(), amount("80"));
    assert_eq!(SurveyResult { asked: 3, responses: 1, ..result() }.response_rate(), amount("33.33"));
    let most = SurveyResult { asked: i32::MAX, responses: i32::MAX, ..result() };
    assert_eq!(most.response_rate(), amount("100"));
}

#[test]
fn nobody_accepts_what_they_found() {
    let handed_in = || given::<Survey>([planned(), fielded(), recorded()]);
    handed_in().when(&office("ann"), accept()).then([accepted().1]);
    // The person who recorded it, in the office or not; anybody of the unit that carried it out.
    let rejection = handed_in().when(&office("bob"), accept()).then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "four-eyes");
    let insider = crate::Viewer { units: vec![id(2)], ..office("eve") };
    refused_rule(&handed_in().when(&insider, accept()).then_rejected("RULE_VIOLATION"), "four-eyes");
    let back = ReturnSurveyResult { id: id(9), reason: "缺分组数据".into() };
    handed_in().when(&insider, back.clone()).then_rejected("RULE_VIOLATION");
    let returned = SurveyEvent::ResultReturned { reason: back.reason.clone() };
    handed_in().when(&office("ann"), back).then([returned.clone()]);
    let second = SurveyEvent::ResultRecorded { number: 2, result: result(), evidence: vec![] };
    given::<Survey>([planned(), fielded(), recorded(), ("ann", returned)])
        .when(&surveyor("bob"), record(result()))
        .then([second]);
}

#[test]
fn a_correction_names_what_it_corrects_and_is_accepted_anew() {
    let right = SurveyResult { score: amount("84.4"), ..result() };
    let correct = |result, reason: &str| CorrectSurveyResult {
        id: id(9),
        result,
        evidence: vec![],
        reason: reason.into(),
    };
    let corrected = SurveyEvent::ResultCorrected {
        number: 2,
        corrects: 1,
        result: right.clone(),
        evidence: vec![],
        reason: "重复计入".into(),
    };
    let settled = || [planned(), fielded(), recorded(), accepted(), ("ann", SurveyEvent::Published)];
    given::<Survey>(settled())
        .when(&surveyor("bob"), correct(right.clone(), "重复计入"))
        .then([corrected.clone()]);
    let rejection =
        given::<Survey>(settled()).when(&surveyor("bob"), correct(right, " ")).then_rejected("INVALID_INPUT");
    refused_field(&rejection, "reason");
    let rejection = given::<Survey>(settled())
        .when(&surveyor("bob"), correct(result(), "无变化"))
        .then_rejected("INVALID_INPUT");
    refused_field(&rejection, "result");
    let again = || given::<Survey>(settled().into_iter().chain([("eve", corrected.clone())]));
    again().when(&office("ann"), PublishSurvey { id: id(9) }).then_rejected("NOT_ALLOWED_IN_STATE");
    again().when(&office("eve"), accept()).then_rejected("RULE_VIOLATION");
    again().when(&office("ann"), accept()).then([accepted().1]);
}

#[test]
fn a_name_is_free_again_when_the_survey_ends() {
    let state = {
        let mut state = Survey::default();
        let stamp = Stamp { actor: "ann".into(), at: chrono::DateTime::UNIX_EPOCH };
        state.evolve(&planned().1, &stamp);
        state
    };
    let taken = Survey::default().claims(&planned().1);
    let freed = state.claims(&SurveyEvent::Cancelled { reason: "经费不足".into() });
    assert_eq!((taken.len(), freed.len()), (1, 1));
    assert_eq!((&taken[0].key, taken[0].held), (&freed[0].key, true));
    assert!(!freed[0].held);
}
