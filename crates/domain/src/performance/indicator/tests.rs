use super::*;
use crate::{
    Date, Fact, Viewer,
    spec::{given, office},
};
use uuid::Uuid;

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn definition() -> DefineIndicator {
    DefineIndicator {
        plan_id: id(1),
        task_id: None,
        code: "GS11-6_2-01".into(),
        name: "监督抽查合格率".into(),
        unit: "%".into(),
        measure: Measure::Ratio,
        target: Target {
            comparator: Comparator::AtLeast,
            value: "90".parse().unwrap(),
            upper: None,
            text: None,
            approximate: false,
            recurrence: None,
            due_on: Date::new(2015, 12, 31).unwrap(),
        },
        basis: TargetBasis::Numeric,
        baseline: None,
        scope: None,
        region_code: "620000".parse().unwrap(),
        source_phrase: None,
        note: None,
    }
}
fn record(period: &str, value: &str) -> RecordMeasurement {
    RecordMeasurement {
        id: id(5),
        period: period.parse().unwrap(),
        region_code: None,
        value: value.parse().unwrap(),
        evidence: vec![],
        note: None,
    }
}
fn recorded(number: i32, period: &str, value: &str) -> IndicatorEvent {
    IndicatorEvent::MeasurementRecorded {
        number,
        period: period.parse().unwrap(),
        region_code: "620000".parse().unwrap(),
        value: value.parse().unwrap(),
        reported_by: None,
        evidence: vec![],
        note: None,
    }
}
fn defined() -> (&'static str, IndicatorEvent) {
    ("ann", IndicatorEvent::Defined(definition()))
}

#[test]
fn an_increase_needs_a_baseline_even_if_its_value_comes_later() {
    let mut indicator = definition();
    indicator.target.comparator = Comparator::IncreaseBy;
    let plan = Fact {
        kind: Kind::Plan,
        id: Uuid::from_u128(1),
        status: "DRAFT".into(),
        region: None,
        belongs_to: None,
    };
    let facts = || Facts { objects: vec![plan.clone()], open_children: vec![] };
    given::<Indicator>([])
        .with(facts())
        .when(&office("ann"), indicator.clone())
        .then_rejected("INVALID_INPUT");
    indicator.baseline = Some(Baseline { value: None, as_of: None, note: None });
    given::<Indicator>([])
        .with(facts())
        .when(&office("ann"), indicator.clone())
        .then([IndicatorEvent::Defined(indicator.clone())]);
    let history = [("ann", IndicatorEvent::Defined(indicator)), ("ann", recorded(1, "2015", "95"))];
    given::<Indicator>(history)
        .when(&office("ann"), JudgeIndicator { id: id(5), note: None })
        .then_rejected("RULE_VIOLATION");
}

#[test]
fn periods_of_one_region_do_not_overlap() {
    let history = || [defined(), ("ann", recorded(1, "2014", "91"))];
    given::<Indicator>(history())
        .when(&office("ann"), record("2014Q3", "91"))
        .then_rejected("RULE_VIOLATION");
    given::<Indicator>(history())
        .when(&office("ann"), record("2015", "92"))
        .then([recorded(2, "2015", "92")]);
    let elsewhere = RecordMeasurement { region_code: "620100".parse().ok(), ..record("2014Q3", "91") };
    let event = IndicatorEvent::MeasurementRecorded {
        number: 2,
        period: "2014Q3".parse().unwrap(),
        region_code: "620100".parse().unwrap(),
        value: "91".parse().unwrap(),
        reported_by: None,
        evidence: vec![],
        note: None,
    };
    given::<Indicator>(history()).when(&office("ann"), elsewhere).then([event]);
}

#[test]
fn a_ratio_is_a_percentage_and_a_region_lies_inside() {
    given::<Indicator>([defined()])
        .when(&office("ann"), record("2014", "100.1"))
        .then_rejected("INVALID_INPUT");
    let outside = RecordMeasurement { region_code: "430000".parse().ok(), ..record("2014", "90") };
    given::<Indicator>([defined()]).when(&office("ann"), outside).then_rejected("INVALID_INPUT");
    let stranger = Viewer { region: "430000".parse().unwrap(), ..office("eve") };
    given::<Indicator>([defined()]).when(&stranger, record("2014", "90")).then_rejected("NOT_PERMITTED");
}

#[test]
fn it_is_judged_by_its_measurements_and_anew_after_a_correction() {
    let judge = JudgeIndicator { id: id(5), note: None };
    let value = |text: &str| text.parse::<Amount>().unwrap();
    given::<Indicator>([defined(), ("ann", recorded(1, "2015", "89.99"))])
        .when(&office("ann"), judge.clone())
        .then([IndicatorEvent::Judged { attained: false, value: value("89.99"), note: None }]);
    let corrected = IndicatorEvent::MeasurementCorrected {
        number: 1,
        period: "2015".parse().unwrap(),
        region_code: "620000".parse().unwrap(),
        value: value("90"),
        former_value: value("89.99"),
        reason: "笔误".into(),
    };
    let history = [
        defined(),
        ("ann", recorded(1, "2015", "89.99")),
        ("ann", IndicatorEvent::Judged { attained: false, value: value("89.99"), note: None }),
        ("ann", corrected),
    ];
    given::<Indicator>(history).when(&office("ann"), judge.clone()).then([IndicatorEvent::Judged {
        attained: true,
        value: value("90"),
        note: None,
    }]);
    given::<Indicator>([defined()]).when(&office("ann"), judge).then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn only_what_was_measured_is_corrected() {
    for number in [0, -1, 2, i32::MIN, i32::MAX] {
        let value = "91".parse().unwrap();
        let command =
            CorrectMeasurement { id: id(5), number, value, former_value: None, reason: "笔误".into() };
        given::<Indicator>([defined(), ("ann", recorded(1, "2015", "90"))])
            .when(&office("ann"), command)
            .then_rejected("INVALID_INPUT");
    }
}

#[test]
fn only_an_accepted_survey_of_the_plan_is_a_measured_value() {
    let command = |score: &str| RecordSurveyMeasurement {
        id: id(5),
        survey_id: id(8),
        survey_version: 4,
        title: "游客满意度测评".into(),
        names: Some(id(5)),
        period: "2013".parse().unwrap(),
        region_code: "620000".parse().unwrap(),
        score: score.parse().unwrap(),
        note: None,
    };
    let facts = |status: &str, plan: u128| Facts {
        objects: vec![Fact {
            kind: Kind::Survey,
            id: Uuid::from_u128(8),
            status: status.into(),
            region: "620000".parse().ok(),
            belongs_to: Some(Uuid::from_u128(plan)),
        }],
        ..Facts::default()
    };
    let IndicatorEvent::MeasurementRecorded { number, period, region_code, value, .. } =
        recorded(1, "2013", "85.4")
    else {
        panic!("a measurement is recorded");
    };
    let event = IndicatorEvent::MeasurementRecorded {
        number,
        period,
        region_code,
        value,
        reported_by: None,
        evidence: vec![Evidence {
            title: "游客满意度测评".into(),
            reference: Some(format!("{} v4", id::<Survey>(8))),
        }],
        note: None,
    };
    for status in ["ACCEPTED", "PUBLISHED"] {
        given::<Indicator>([defined()])
            .with(facts(status, 1))
            .when(&office("ann"), command("85.4"))
            .then([event.clone()]);
    }
    for status in ["PLANNED", "RESULT_RECORDED", "WITHDRAWN"] {
        given::<Indicator>([defined()])
            .with(facts(status, 1))
            .when(&office("ann"), command("85.4"))
            .then_rejected("RULE_VIOLATION");
    }
    let names_another = RecordSurveyMeasurement { names: Some(id(6)), ..command("85.4") };
    let elsewhere = RecordSurveyMeasurement { region_code: "430000".parse().unwrap(), ..command("85.4") };
    for (facts, wrong) in [
        (facts("ACCEPTED", 2), command("85.4")),
        (facts("ACCEPTED", 1), names_another),
        (facts("ACCEPTED", 1), elsewhere),
        (facts("ACCEPTED", 1), command("100.1")),
    ] {
        let rejection = given::<Indicator>([defined()])
            .with(facts)
            .when(&office("ann"), wrong)
            .then_rejected("INVALID_INPUT");
        assert!(
            matches!(&rejection, Rejection::Invalid { field, .. } if field == "surveyId"),
            "{rejection:?}"
        );
    }
}

#[test]
fn what_was_corrected_meanwhile_is_corrected_only_knowingly() {
    let value = |text: &str| text.parse::<Amount>().unwrap();
    let corrected = IndicatorEvent::MeasurementCorrected {
        number: 1,
        period: "2015".parse().unwrap(),
        region_code: "620000".parse().unwrap(),
        value: value("90"),
        former_value: value("89.99"),
        reason: "笔误".into(),
    };
    let history = || [defined(), ("ann", recorded(1, "2015", "89.99")), ("bo", corrected.clone())];
    let correct = |former: Option<&str>| CorrectMeasurement {
        id: id(5),
        number: 1,
        value: value("91"),
        former_value: former.map(value),
        reason: "复核".into(),
    };
    let told = given::<Indicator>(history())
        .when(&office("ann"), correct(Some("89.99")))
        .then_rejected("RULE_VIOLATION");
    let Rejection::Rule { rule, message, .. } = told else { panic!("{told:?}") };
    assert_eq!(rule, "the-present-value-is-corrected");
    assert!(message.contains("it is 90 now"), "{message}");
    for former in [None, Some("90")] {
        given::<Indicator>(history()).when(&office("ann"), correct(former)).then([
            IndicatorEvent::MeasurementCorrected {
                number: 1,
                period: "2015".parse().unwrap(),
                region_code: "620000".parse().unwrap(),
                value: value("91"),
                former_value: value("90"),
                reason: "复核".into(),
            },
        ]);
    }
}

/// Half-years, quarters and months that share a day, whichever came first.
#[test]
fn a_half_year_and_its_quarter_overlap_both_ways() {
    for (first, second) in
        [("2015H1", "2015Q2"), ("2015Q2", "2015H1"), ("2015-06", "2015H1"), ("2015", "2015-12")]
    {
        let told = given::<Indicator>([defined(), ("ann", recorded(1, first, "91"))])
            .when(&office("ann"), record(second, "92"))
            .then_rejected("RULE_VIOLATION");
        let Rejection::Rule { rule, message, .. } = told else { panic!("{told:?}") };
        assert_eq!(
            (rule, message.starts_with(first)),
            ("periods-do-not-overlap", true),
            "{second}: {message}"
        );
    }
    given::<Indicator>([defined(), ("ann", recorded(1, "2015H1", "91"))])
        .when(&office("ann"), record("2015Q3", "92"))
        .then([recorded(2, "2015Q3", "92")]);
}

fn with_task() -> (&'static str, IndicatorEvent) {
    ("ann", IndicatorEvent::Defined(DefineIndicator { task_id: Some(id(3)), ..definition() }))
}
fn officer(unit: u128, region: &str) -> Viewer {
    Viewer {
        roles: vec![Role::UnitOfficer],
        units: vec![id(unit)],
        region: region.parse().unwrap(),
        ..office("wei")
    }
}
/// That unit 7 leads the task.
fn led_by_7() -> Facts {
    let unit = Fact {
        kind: Kind::Unit,
        id: Uuid::from_u128(7),
        status: "ACTIVE".into(),
        region: "620000".parse().ok(),
        belongs_to: Some(Uuid::from_u128(3)),
    };
    Facts { objects: vec![unit], ..Facts::default() }
}

#[test]
fn a_unit_measures_what_it_answers_for() {
    let by = |viewer: &Viewer, command: RecordMeasurement| {
        given::<Indicator>([with_task()]).with(led_by_7()).when(viewer, command)
    };
    let reported = |unit: u128, region: &str| IndicatorEvent::MeasurementRecorded {
        number: 1,
        period: "2015".parse().unwrap(),
        region_code: region.parse().unwrap(),
        value: "90".parse().unwrap(),
        reported_by: Some(id(unit)),
        evidence: vec![],
        note: None,
    };
    let of = |region: &str| RecordMeasurement { region_code: region.parse().ok(), ..record("2015", "90") };
    by(&officer(7, "620000"), record("2015", "90")).then([reported(7, "620000")]);
    let told = by(&officer(8, "620000"), record("2015", "90")).then_rejected("NOT_PERMITTED");
    assert!(told.to_string().contains("neither leads nor supports"), "{told}");
    let correct = CorrectMeasurement {
        id: id(5),
        number: 1,
        value: "91".parse().unwrap(),
        former_value: None,
        reason: "笔误".into(),
    };
    given::<Indicator>([with_task(), ("ann", recorded(1, "2015", "90"))])
        .with(led_by_7())
        .when(&officer(8, "620000"), correct)
        .then_rejected("NOT_PERMITTED");
    by(&officer(8, "620000"), of("620100")).then_rejected("NOT_PERMITTED");
    // A unit of a lower region measures nothing of it: who leads the task above does.
    by(&officer(8, "620100"), of("620100")).then_rejected("NOT_PERMITTED");
    by(&officer(7, "620000"), of("620100")).then([reported(7, "620100")]);
    given::<Indicator>([with_task()])
        .when(&officer(8, "620000"), record("2015", "90"))
        .then([reported(8, "620000")]);
    by(&office("ann"), of("620100")).then([match reported(7, "620100") {
        IndicatorEvent::MeasurementRecorded {
            number, period, region_code, value, evidence, note, ..
        } => IndicatorEvent::MeasurementRecorded {
            number,
            period,
            region_code,
            value,
            reported_by: None,
            evidence,
            note,
        },
        other => other,
    }]);
}

#[test]
fn a_locked_report_closes_the_period_to_its_unit() {
    let lock = Fact {
        kind: Kind::Report,
        id: Uuid::from_u128(9),
        status: "ACCEPTED".into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    let facts = || Facts { objects: vec![lock.clone()], ..Facts::default() };
    let told = given::<Indicator>([defined()])
        .with(facts())
        .when(&officer(7, "620000"), record("2015", "90"))
        .then_rejected("RULE_VIOLATION");
    let Rejection::Rule { rule, message, .. } = told else { panic!("{told:?}") };
    let report = GlobalId { kind: Kind::Report, uuid: Uuid::from_u128(9) }.to_string();
    assert_eq!(rule, Report::LOCKED);
    assert!(message.contains("2015") && message.contains(&report), "{message}");
    given::<Indicator>([defined()])
        .with(facts())
        .when(&office("ann"), record("2015", "90"))
        .then([recorded(1, "2015", "90")]);
}
