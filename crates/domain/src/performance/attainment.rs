//! Whether a target is attained (指标完成情况): derived from measurements, exactly, in decimals.
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Amount, Date, Period};

vocabulary! {
    /// How a measured value is compared with the target (比较方式).
    ///
    /// 以上/达到/不低于 include the number, 超过/突破 exclude it; 以下/不超过 include it, 低于 excludes it (Civil Code art. 1259).
    pub enum Comparator {
        AtLeast = "AT_LEAST", "不低于（≥）";
        AtMost = "AT_MOST", "不超过（≤）";
        MoreThan = "MORE_THAN", "超过（＞）";
        LessThan = "LESS_THAN", "低于（＜）";
        Equal = "EQUAL", "等于（＝）";
        IncreaseBy = "INCREASE_BY", "比基期提高";
    }
}

impl Comparator {
    /// Whether the target is a ceiling, so that it is attained only once its time is over.
    pub const fn is_ceiling(self) -> bool {
        matches!(self, Self::AtMost | Self::LessThan)
    }
}

vocabulary! {
    /// What sort of quantity is measured (指标性质).
    pub enum Measure {
        Flow = "FLOW", "期间累计量";
        Stock = "STOCK", "时点存量";
        Ratio = "RATIO", "比率";
        Change = "CHANGE", "变化量";
        Index = "INDEX", "指数";
    }
}

vocabulary! {
    /// Whether the target holds once or every year (目标周期).
    pub enum Recurrence {
        Annual = "ANNUAL", "每年";
    }
}

vocabulary! {
    /// The light of an indicator (指标亮灯).
    pub enum Light {
        Attained = "ATTAINED", "已完成";
        OnTrack = "ON_TRACK", "正常推进";
        AtRisk = "AT_RISK", "存在风险";
        Missed = "MISSED", "未完成";
        NoData = "NO_DATA", "无数据";
    }
}

/// The value before the programme began (基期值).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "BaselineInput"))]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The value, when the document or statistics give one.
    pub value: Option<Amount>,
    /// The date it holds for.
    pub as_of: Option<Date>,
    /// A remark.
    pub note: Option<String>,
}

/// What is to be reached (目标).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "TargetInput"))]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// How the measured value is compared.
    pub comparator: Comparator,
    /// The number, in the indicator's unit.
    pub value: Amount,
    /// Upper end of a range such as 80–100个; attained from `value` on.
    pub upper: Option<Amount>,
    /// The wording behind a rounded number, such as `1/3` or `11万多`.
    pub text: Option<String>,
    /// Whether the document says 左右, 约, 多 or 基本.
    pub approximate: bool,
    /// Whether it holds for every year.
    pub recurrence: Option<Recurrence>,
    /// When it is due.
    pub due_on: Date,
}

/// One measured value that counts: the latest correction of each measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Point {
    /// The period it holds for.
    pub period: Period,
    /// The value.
    pub value: Amount,
}

/// What the measurements say about the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attainment {
    /// The value compared with the target: the sum of a flow, the last value otherwise; of the last year when the
    /// target holds for every year.
    pub value: Amount,
    /// Last day of the period of the last measurement.
    pub as_of: Date,
    /// Whether the target is met so far; `None` when it cannot be judged (an increase without baseline).
    pub met: Option<bool>,
    /// Why it cannot be judged.
    pub unjudged_because: Option<&'static str>,
}

/// Derives the attainment; `None` without any measurement.
pub fn attainment(
    target: &Target,
    measure: Measure,
    unit: &str,
    baseline: Option<&Baseline>,
    points: &[Point],
) -> Option<Attainment> {
    let last = points.iter().max_by_key(|point| (point.period.end(), point.period))?;
    let as_of = last.period.end();
    let base = baseline.and_then(|baseline| baseline.value);
    let judge = |points: &[&Point]| {
        let value = combined(measure, points)?;
        Some((value, meets(target, unit, base, value)))
    };
    let (value, met) = if target.recurrence.is_some() {
        // «稳定在» means met in every year: one bad year and it is not.
        let mut years: Vec<i32> = points.iter().map(|point| point.period.year()).collect();
        years.sort_unstable();
        years.dedup();
        let mut verdict = (last.value, Some(true));
        for year in years {
            let of_year: Vec<&Point> = points.iter().filter(|point| point.period.year() == year).collect();
            let (value, met) = judge(&of_year)?;
            verdict = (value, verdict.1.zip(met).map(|(before, now)| before && now));
        }
        verdict
    } else {
        judge(&points.iter().collect::<Vec<_>>())?
    };
    let unjudged_because = match met {
        None if base.is_none() => Some("an increase cannot be judged without a baseline"),
        None => Some(
            "an increase in percent cannot be judged from a baseline of zero or less, or from numbers so large",
        ),
        Some(_) => None,
    };
    Some(Attainment { value, as_of, met, unjudged_because })
}

/// The one value of several measurements: a flow adds up, everything else takes the last.
fn combined(measure: Measure, points: &[&Point]) -> Option<Amount> {
    if measure == Measure::Flow {
        let sum =
            points.iter().try_fold(Decimal::ZERO, |sum, point| sum.checked_add(point.value.decimal()))?;
        return Some(sum.into());
    }
    points.iter().max_by_key(|point| (point.period.end(), point.period)).map(|point| point.value)
}

fn meets(target: &Target, unit: &str, base: Option<Amount>, value: Amount) -> Option<bool> {
    let (value, goal) = (value.decimal(), target.value.decimal());
    Some(match target.comparator {
        Comparator::AtLeast => value >= goal,
        Comparator::AtMost => value <= goal,
        Comparator::MoreThan => value > goal,
        Comparator::LessThan => value < goal,
        // A range is attained from its lower end on.
        Comparator::Equal => {
            value == goal || target.upper.is_some_and(|upper| value >= goal && value <= upper.decimal())
        }
        Comparator::IncreaseBy => return increased_by(unit, base?.decimal(), value, goal),
    })
}

/// `%`: (value − base) / base ≥ goal / 100, multiplied out so that nothing is rounded. Otherwise, as with 百分点:
/// value − base ≥ goal.
fn increased_by(unit: &str, base: Decimal, value: Decimal, goal: Decimal) -> Option<bool> {
    let rise = value.checked_sub(base)?;
    if unit.trim() != "%" {
        return Some(rise >= goal);
    }
    if base <= Decimal::ZERO {
        return None;
    }
    Some(rise.checked_mul(Decimal::ONE_HUNDRED)? >= base.checked_mul(goal)?)
}

/// The light on this day.
///
/// Before the due date an unmet target is on track while its value has come at least as far, in proportion, as
/// time has since `from`; a ceiling or a yearly target that is met so far is on track, not yet attained.
pub fn light(
    target: &Target,
    baseline: Option<&Baseline>,
    attained: Option<&Attainment>,
    from: Option<Date>,
    today: Date,
) -> Light {
    // Even when it is overdue: that nobody measured does not say that it was missed.
    let Some(attained) = attained else { return Light::NoData };
    let over = today > target.due_on;
    match attained.met {
        None => Light::NoData,
        Some(true) if over || !target.comparator.is_ceiling() && target.recurrence.is_none() => {
            Light::Attained
        }
        Some(true) => Light::OnTrack,
        // A ceiling once broken, or a year once missed, does not come right by waiting.
        Some(false) if over || target.comparator.is_ceiling() || target.recurrence.is_some() => {
            if over {
                Light::Missed
            } else {
                Light::AtRisk
            }
        }
        Some(false) => {
            if keeps_pace(target, baseline, attained, from) {
                Light::OnTrack
            } else {
                Light::AtRisk
            }
        }
    }
}

/// Where an indicator will stand on the due date if it goes on as it did (趋势预测).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The value on the due date.
    pub value: Amount,
    /// Whether it would meet the target; `None` when that cannot be judged.
    pub met: Option<bool>,
}

/// The forecast for the due date: what was reached a day so far goes on for the days that remain. A flow is reckoned from
/// `from` on, everything else along the line from the baseline, or the first value, to the last.
///
/// `None` when there is nothing to go by: too few values, the due date measured already, or a target of every year.
pub fn forecast(
    target: &Target,
    measure: Measure,
    unit: &str,
    baseline: Option<&Baseline>,
    points: &[Point],
    from: Option<Date>,
) -> Option<Forecast> {
    let last = points.iter().max_by_key(|point| (point.period.end(), point.period))?;
    let end = last.period.end();
    if target.recurrence.is_some() || end >= target.due_on {
        return None;
    }
    let days = |from: Date, to: Date| Some(to.days_since(from)).filter(|days| *days > 0).map(Decimal::from);
    let value = if measure == Measure::Flow {
        // The first day counts.
        let first = from?.plus(-1);
        let sum = combined(measure, &points.iter().collect::<Vec<_>>())?.decimal();
        sum.checked_mul(days(first, target.due_on)?)?.checked_div(days(first, end)?)?
    } else {
        let earliest = points.iter().min_by_key(|point| (point.period.end(), point.period))?;
        let base = baseline.and_then(|baseline| Some((baseline.as_of?, baseline.value?)));
        let (since, base) = base.unwrap_or((earliest.period.end(), earliest.value));
        let (last, base) = (last.value.decimal(), base.decimal());
        let rise = last.checked_sub(base)?.checked_mul(days(end, target.due_on)?)?;
        last.checked_add(rise.checked_div(days(since, end)?)?)?
    };
    // Of all there is no more than all, and no less than nothing.
    let is_share = measure == Measure::Ratio && unit.trim() == "%";
    let value = if is_share { value.clamp(Decimal::ZERO, Decimal::ONE_HUNDRED) } else { value };
    let value = Amount::from(value.round_dp(2));
    Some(Forecast { value, met: meets(target, unit, baseline.and_then(|baseline| baseline.value), value) })
}

/// A point of the target line (目标线).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinePoint {
    /// The day.
    pub on: Date,
    /// The value that is to be reached by then.
    pub value: Amount,
}

/// Where the value should lie from `from` on until the target is due (目标线): its two ends.
///
/// A ceiling, and a target of every year, holds all the time; anything else rises from the baseline, or from nothing, to
/// the target. `None` when there is no first day, or an increase has no baseline that it could be added to.
pub fn target_line(
    target: &Target,
    unit: &str,
    baseline: Option<&Baseline>,
    from: Option<Date>,
) -> Option<[LinePoint; 2]> {
    let from = from.filter(|from| *from <= target.due_on)?;
    let base = baseline.and_then(|baseline| baseline.value).map(Amount::decimal);
    let goal = target.value.decimal();
    let goal = match target.comparator {
        Comparator::IncreaseBy if unit.trim() == "%" => {
            let base = base.filter(|base| *base > Decimal::ZERO)?;
            base.checked_add(base.checked_mul(goal)?.checked_div(Decimal::ONE_HUNDRED)?)?
        }
        Comparator::IncreaseBy => base?.checked_add(goal)?,
        _ => goal,
    };
    let always = target.comparator.is_ceiling() || target.recurrence.is_some();
    let first = if always { goal } else { base.unwrap_or_default() };
    let point = |on, value: Decimal| LinePoint { on, value: value.into() };
    Some([point(from, first), point(target.due_on, goal)])
}

fn keeps_pace(
    target: &Target,
    baseline: Option<&Baseline>,
    attained: &Attainment,
    from: Option<Date>,
) -> bool {
    let Some(from) = from else { return false };
    let whole = target.due_on.days_since(from);
    let passed = attained.as_of.days_since(from);
    if whole <= 0 || passed <= 0 {
        return true;
    }
    let base = baseline.and_then(|baseline| baseline.value).map_or(Decimal::ZERO, Amount::decimal);
    let goal = match target.comparator {
        Comparator::IncreaseBy => return false,
        _ => target.value.decimal() - base,
    };
    let risen = attained.value.decimal() - base;
    match (risen.checked_mul(whole.into()), goal.checked_mul(passed.into())) {
        (Some(risen), Some(expected)) => risen >= expected,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(comparator: Comparator, value: &str) -> Target {
        Target {
            comparator,
            value: value.parse().unwrap(),
            upper: None,
            text: None,
            approximate: false,
            recurrence: None,
            due_on: Date::new(2020, 12, 31).unwrap(),
        }
    }
    #[test]
    fn the_target_line_rises_from_the_base_or_lies_flat() {
        let from = Date::new(2017, 12, 31);
        let base = |value: &str| Baseline { value: value.parse().ok(), as_of: from, note: None };
        let ends = |target: &Target, unit: &str, baseline: Option<&Baseline>| {
            let line = target_line(target, unit, baseline, from)?;
            assert_eq!((Some(line[0].on), line[1].on), (from, target.due_on));
            Some(line.map(|point| point.value.to_string()))
        };
        let line = |first: &str, last: &str| Some([first.to_owned(), last.to_owned()]);
        assert_eq!(ends(&target(Comparator::AtLeast, "90"), "%", Some(&base("60"))), line("60", "90"));
        assert_eq!(ends(&target(Comparator::AtLeast, "90"), "个", None), line("0", "90"));
        assert_eq!(ends(&target(Comparator::AtMost, "4"), "起", Some(&base("9"))), line("4", "4"));
        let yearly = Target { recurrence: Some(Recurrence::Annual), ..target(Comparator::AtLeast, "90") };
        assert_eq!(ends(&yearly, "%", Some(&base("60"))), line("90", "90"));
        assert_eq!(ends(&target(Comparator::IncreaseBy, "20"), "%", Some(&base("50"))), line("50", "60"));
        assert_eq!(ends(&target(Comparator::IncreaseBy, "20"), "个", Some(&base("50"))), line("50", "70"));
        // An increase of what nobody knows has no line, nor has a target without a first day.
        assert_eq!(ends(&target(Comparator::IncreaseBy, "20"), "%", None), None);
        assert_eq!(target_line(&target(Comparator::AtLeast, "1"), "个", None, None), None);
        assert_eq!(target_line(&target(Comparator::AtLeast, "1"), "个", None, Date::new(2021, 1, 1)), None);
    }

    fn points(values: &[(&str, &str)]) -> Vec<Point> {
        let point = |(period, value): &(&str, &str)| Point {
            period: period.parse().unwrap(),
            value: value.parse().unwrap(),
        };
        values.iter().map(point).collect()
    }
    fn met(
        target: &Target,
        measure: Measure,
        unit: &str,
        base: Option<&str>,
        values: &[(&str, &str)],
    ) -> Option<bool> {
        let value = base.map(|value| value.parse().unwrap());
        let baseline = Baseline { value, as_of: None, note: None };
        attainment(target, measure, unit, Some(&baseline), &points(values)).unwrap().met
    }

    #[test]
    fn below_excludes_the_number_and_not_above_includes_it() {
        let value = [("2018", "0.6")];
        assert_eq!(met(&target(Comparator::LessThan, "0.6"), Measure::Ratio, "%", None, &value), Some(false));
        assert_eq!(met(&target(Comparator::AtMost, "0.6"), Measure::Ratio, "%", None, &value), Some(true));
        assert_eq!(
            met(&target(Comparator::LessThan, "0.6"), Measure::Ratio, "%", None, &[("2018", "0.5999999999")]),
            Some(true)
        );
    }

    #[test]
    fn a_forecast_goes_on_as_it_went() {
        let goal = target(Comparator::AtLeast, "120");
        let of = |measure, unit: &str, baseline: Option<(&str, &str)>, values: &[(&str, &str)]| {
            let baseline = baseline.map(|(as_of, value)| Baseline {
                value: value.parse().ok(),
                as_of: as_of.parse().ok(),
                note: None,
            });
            let from = Date::new(2019, 1, 1);
            let forecast = forecast(&goal, measure, unit, baseline.as_ref(), &points(values), from);
            forecast.map(|forecast| (forecast.value.to_string(), forecast.met))
        };
        let two = [("2018", "100"), ("2019", "110")];
        // Ten in 365 days, 366 more to go; from the baseline on thirty in 730.
        assert_eq!(of(Measure::Stock, "个", None, &two), Some(("120.03".into(), Some(true))));
        let base = Some(("2017-12-31", "80"));
        assert_eq!(of(Measure::Stock, "个", base, &two), Some(("125.04".into(), Some(true))));
        assert_eq!(
            of(Measure::Stock, "个", Some(("2017-12-31", "110")), &two[1..]),
            Some(("110".into(), Some(false)))
        );
        // One a day over the 731 days of two years.
        assert_eq!(of(Measure::Flow, "个", None, &[("2019", "365")]), Some(("731".into(), Some(true))));
        assert_eq!(of(Measure::Flow, "个", None, &[("2019H1", "18.1")]), Some(("73.1".into(), Some(false))));
        // No share is more than all; what is no share may be.
        let near = [("2018", "90"), ("2019", "99")];
        assert_eq!(of(Measure::Ratio, "%", None, &near), Some(("100".into(), Some(false))));
        assert_eq!(of(Measure::Ratio, "千克/吨", None, &near), Some(("108.02".into(), Some(false))));
        for nothing in [&two[..1], &[], &[("2018", "1"), ("2020", "2")]] {
            assert_eq!(of(Measure::Stock, "个", None, nothing), None, "{nothing:?}");
        }
        let yearly = Target { recurrence: Some(Recurrence::Annual), ..goal.clone() };
        assert_eq!(forecast(&yearly, Measure::Stock, "个", None, &points(&two), None), None);
    }

    #[test]
    fn a_flow_adds_up_and_a_stock_takes_its_last_value() {
        let values = [("2018Q2", "3000"), ("2018Q1", "5000")];
        let goal = target(Comparator::AtLeast, "8000");
        assert_eq!(met(&goal, Measure::Flow, "批次", None, &values), Some(true));
        assert_eq!(met(&goal, Measure::Stock, "批次", None, &values), Some(false));
    }

    #[test]
    fn a_range_is_attained_at_its_lower_end() {
        let range = Target { upper: "100".parse().ok(), ..target(Comparator::Equal, "80") };
        for (value, expected) in [("79", false), ("80", true), ("100", true), ("101", false)] {
            assert_eq!(
                met(&range, Measure::Stock, "个", None, &[("2018", value)]),
                Some(expected),
                "{value}"
            );
        }
        let range = Target { upper: "100".parse().ok(), ..target(Comparator::AtLeast, "80") };
        assert_eq!(met(&range, Measure::Stock, "个", None, &[("2018", "120")]), Some(true));
    }

    #[test]
    fn an_increase_is_exact_and_needs_a_baseline() {
        let by_a_fifth = target(Comparator::IncreaseBy, "20");
        assert_eq!(met(&by_a_fifth, Measure::Stock, "%", Some("5"), &[("2018", "6")]), Some(true));
        assert_eq!(
            met(&by_a_fifth, Measure::Stock, "%", Some("5.0000000001"), &[("2018", "6")]),
            Some(false)
        );
        assert_eq!(met(&by_a_fifth, Measure::Stock, "百分点", Some("60"), &[("2018", "80")]), Some(true));
        assert_eq!(met(&by_a_fifth, Measure::Stock, "%", None, &[("2018", "6")]), None);
        assert_eq!(met(&by_a_fifth, Measure::Stock, "%", Some("0"), &[("2018", "6")]), None);
    }

    #[test]
    fn every_year_means_every_year() {
        let yearly = Target { recurrence: Some(Recurrence::Annual), ..target(Comparator::AtLeast, "90") };
        let held = [("2017", "91"), ("2018", "90")];
        assert_eq!(met(&yearly, Measure::Ratio, "%", None, &held), Some(true));
        assert_eq!(met(&yearly, Measure::Ratio, "%", None, &[("2017", "89.9"), ("2018", "95")]), Some(false));
    }

    #[test]
    fn lights_change_with_the_day() {
        let from = Date::new(2018, 1, 1);
        let day = |text: &str| text.parse::<Date>().unwrap();
        let goal = target(Comparator::AtLeast, "90");
        let seen = |value: &str, period: &str, today: &str| {
            let attained = attainment(&goal, Measure::Stock, "个", None, &points(&[(period, value)]));
            light(&goal, None, attained.as_ref(), from, day(today))
        };
        assert_eq!(light(&goal, None, None, from, day("2018-06-01")), Light::NoData);
        assert_eq!(light(&goal, None, None, from, day("2021-01-01")), Light::NoData);
        assert_eq!(seen("90", "2018", "2019-02-01"), Light::Attained);
        assert_eq!(seen("30", "2018", "2019-02-01"), Light::OnTrack);
        assert_eq!(seen("20", "2018", "2019-02-01"), Light::AtRisk);
        assert_eq!(seen("89", "2020", "2020-12-31"), Light::AtRisk);
        assert_eq!(seen("89", "2020", "2021-01-01"), Light::Missed);
        let ceiling = target(Comparator::AtMost, "4");
        let attained = attainment(&ceiling, Measure::Flow, "个", None, &points(&[("2018", "4")]));
        assert_eq!(light(&ceiling, None, attained.as_ref(), from, day("2019-01-01")), Light::OnTrack);
        assert_eq!(light(&ceiling, None, attained.as_ref(), from, day("2021-01-01")), Light::Attained);
    }

    proptest! {
        #[test]
        fn no_values_break_it(values in proptest::collection::vec((1990_i32..2100, any::<i64>(), 0_u32..10), 0..8), base in any::<Option<i64>>(), goal in any::<i64>(), kind in 0_usize..6, measure in 0_usize..5) {
            let amount = |number: i64, scale: u32| Amount::from(Decimal::new(number, scale));
            let target = Target { value: amount(goal, 4), ..target(Comparator::ALL[kind], "1") };
            let points: Vec<Point> = values.iter().map(|(year, value, scale)| Point { period: year.to_string().parse().unwrap(), value: amount(*value, *scale) }).collect();
            let baseline = Baseline { value: base.map(|value| amount(value, 3)), as_of: None, note: None };
            let attained = attainment(&target, Measure::ALL[measure], "%", Some(&baseline), &points);
            prop_assert_eq!(attained.is_none(), points.is_empty());
            light(&target, Some(&baseline), attained.as_ref(), Date::new(2000, 1, 1), Date::new(2019, 1, 1).unwrap());
        }
    }
}
