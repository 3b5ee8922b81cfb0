use super::*;
use proptest::prelude::*;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}
fn item(code: &str, weight: &str) -> AssessmentItem {
    AssessmentItem {
        code: code.into(),
        name: "监督抽查合格率".into(),
        weight: amount(weight),
        source: ScoreSource::Expert,
        indicator_id: None,
    }
}
fn rules(weights: &[(&str, &str)]) -> Rules {
    Rules {
        items: weights.iter().map(|(code, weight)| item(code, weight)).collect(),
        vetoes: vec![Veto { code: "V1".into(), name: "发生重大质量安全事故".into() }],
        grades: vec![
            Grade { name: "优秀".into(), from: amount("90") },
            Grade { name: "合格".into(), from: amount("60") },
            Grade { name: "不合格".into(), from: amount("0") },
        ],
    }
}
fn figure(code: &str, comparator: Comparator, value: Option<&str>, target: &str) -> Figure {
    Figure {
        item: code.into(),
        value: value.map(amount),
        target: Some(amount(target)),
        comparator,
        evidence: vec![],
        note: None,
    }
}

#[test]
fn weights_add_to_a_hundred_to_the_last_digit() {
    assert_eq!(rules(&[("A", "33.3"), ("B", "66.7")]).check(), Ok(()));
    for wrong in [vec![("A", "99.9999999999")], vec![("A", "60"), ("B", "60")], vec![]] {
        let Err(Rejection::Rule { rule, message, .. }) = rules(&wrong).check() else {
            panic!("{wrong:?} was taken");
        };
        assert_eq!(rule, "weights-add-to-100");
        assert!(message.contains("add up to"), "{message}");
    }
    for wrong in [vec![("A", "100"), ("A", "0.1")], vec![("A", "0"), ("B", "100")], vec![("文", "100")]] {
        assert_eq!(rules(&wrong).check().unwrap_err().code(), "INVALID_INPUT", "{wrong:?}");
    }
}

#[test]
fn an_indicator_is_named_where_it_counts_and_only_there() {
    let indicator_id = Some(Id::new(uuid::Uuid::nil()));
    let lacking = AssessmentItem { source: ScoreSource::Indicator, ..item("A", "100") };
    let superfluous = AssessmentItem { indicator_id, ..item("A", "100") };
    for wrong in [lacking, superfluous] {
        let refused = Rules { items: vec![wrong], ..rules(&[]) }.check().unwrap_err();
        assert!(refused.to_string().starts_with("items[0].indicatorId"), "{refused}");
    }
    let right = AssessmentItem { source: ScoreSource::Indicator, indicator_id, ..item("A", "100") };
    assert_eq!(Rules { items: vec![right], ..rules(&[]) }.check(), Ok(()));
}

#[test]
fn grades_come_down_to_nought() {
    let grades = |from: &[&str]| {
        let grade = |from: &&str| Grade { name: "等次".into(), from: amount(from) };
        Rules { grades: from.iter().map(grade).collect(), ..rules(&[("A", "100")]) }
    };
    for wrong in [&[][..], &["60"], &["60", "60", "0"], &["0", "60"]] {
        assert_eq!(grades(wrong).check().unwrap_err().code(), "INVALID_INPUT", "{wrong:?}");
    }
    let rules = rules(&[("A", "100")]);
    let of = |total: &str, vetoed| rules.grade(amount(total), vetoed).unwrap().name.clone();
    assert_eq!([of("90", false), of("89.99", false), of("0", false)], ["优秀", "合格", "不合格"]);
    assert_eq!(of("99", true), "不合格");
}

#[test]
fn points_can_be_summed_by_hand() {
    let rules = rules(&[("RATE", "40"), ("ENERGY", "30"), ("REPORTS", "20"), ("EXPERT", "10")]);
    let figures = [
        // 88.2 of 90 percent: 40 × 0.98.
        figure("RATE", Comparator::AtLeast, Some("88.2"), "90"),
        // A tenth above the ceiling: 30 × 0.9.
        figure("ENERGY", Comparator::AtMost, Some("682"), "620"),
        // 5 of 6 in time: 20 × 5 ÷ 6 = 16.666…
        figure("REPORTS", Comparator::AtLeast, Some("5"), "6"),
        figure("EXPERT", Comparator::AtLeast, None, "100"),
    ];
    let (scored, total) = score(&rules, &figures).unwrap();
    let points: Vec<String> = scored.iter().map(|item| item.points.to_string()).collect();
    assert_eq!(points, ["39.2", "27", "16.67", "0"]);
    assert_eq!(total, amount("82.87"));
}

#[test]
fn every_item_is_scored_once() {
    let rules = rules(&[("A", "50"), ("B", "50")]);
    let of = |code| figure(code, Comparator::AtLeast, Some("1"), "1");
    for wrong in [vec![of("A")], vec![of("A"), of("A"), of("B")], vec![of("A"), of("B"), of("C")]] {
        assert!(score(&rules, &wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn limits_count_as_they_are_worded() {
    for (comparator, value, target, points) in [
        (Comparator::AtLeast, "90", "90", "10"),
        (Comparator::AtMost, "90", "90", "10"),
        (Comparator::AtMost, "180", "90", "0"),
        (Comparator::AtMost, "500", "90", "0"),
        (Comparator::AtMost, "1", "0", "0"),
        (Comparator::AtMost, "0", "0", "10"),
        (Comparator::LessThan, "0.59", "0.6", "10"),
        (Comparator::Equal, "2", "4", "5"),
        (Comparator::AtLeast, "-3", "6", "0"),
        (Comparator::AtLeast, "7", "6", "10"),
        (Comparator::AtLeast, "0.005", "10", "0.01"),
    ] {
        let earned = figure("A", comparator, Some(value), target).points(amount("10"));
        assert_eq!(earned, amount(points), "{comparator:?} {value} {target}");
    }
}

proptest! {
    #[test]
    fn no_item_earns_more_than_its_weight_or_less_than_nothing(
        value in -1_000_000_i64..1_000_000, target in -1_000_i64..1_000_000, weight in 1_i64..=10_000, at in 0..6_usize,
    ) {
        let figure = Figure {
            item: "A".into(),
            value: Some(Decimal::new(value, 2).into()),
            target: Some(Decimal::new(target, 2).into()),
            comparator: Comparator::ALL[at],
            evidence: vec![],
            note: None,
        };
        let weight = Amount::from(Decimal::new(weight, 2));
        let points = figure.points(weight);
        prop_assert!(points >= amount("0") && points <= weight, "{points}");
    }
}
