//! The curves of an indicator (指标曲线): what was measured in each region, beside the line that the target draws.
use std::collections::BTreeMap;

use async_graphql::{Context, Result, SimpleObject};
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Amount, Date, Period, RegionCode,
    performance::attainment::{self, Light, Point},
};

use super::{
    connection::Narrow,
    context::Ask,
    error,
    indicator::{Attainment, Forecast, Indicator, Measurement},
    plan::Plan,
    region::Region,
};

/// Most values that curves are drawn from.
const MOST: u64 = 5_000;

/// A value on a curve.
#[derive(Clone, Debug, SimpleObject)]
pub struct SeriesPoint {
    /// The period that it was measured for.
    pub period: Period,
    /// Its last day.
    pub ends_on: Date,
    /// The value that counts: the last correction.
    pub value: Amount,
    /// Its number among the measurements of the indicator.
    pub number: i32,
    /// How often it was corrected.
    pub corrections: i32,
}

/// A point of the line that the target draws (目标线).
#[derive(Clone, Debug, SimpleObject)]
pub struct TargetLinePoint {
    /// The day.
    pub on: Date,
    /// The value that should be reached by then.
    pub value: Amount,
}

/// What was measured of an indicator in one region, beside the target (指标曲线).
#[derive(Clone, Debug, SimpleObject)]
pub struct IndicatorSeries {
    /// The region.
    pub region: Option<Region>,
    /// The values, by end of period.
    pub points: Vec<SeriesPoint>,
    /// The two ends of the line along which the value should come to the target; flat for a ceiling and for a target of
    /// every year. Null when it cannot be drawn: an increase without a baseline, or a plan without a first day. The baseline
    /// is that of the indicator's own region, so only that region has a line that rises from it.
    pub target_line: Option<Vec<TargetLinePoint>>,
    /// Upper end of a range such as 80–100个; it is attained from the target's value on.
    pub range_upper: Option<Amount>,
    /// How far the region has come.
    pub attainment: Option<Attainment>,
    /// Where it will stand on the due date if it goes on as it did.
    pub forecast: Option<Forecast>,
    /// Its light today, as if the target were the region's own.
    pub light: Light,
}

/// A value on its way to a curve: its last version, and how many there were.
struct Last {
    measurement: Measurement,
    corrections: i32,
}

/// The curves of an indicator, by region.
///
/// # Errors
/// When there are too many values, or the database fails.
pub async fn of(
    ctx: &Context<'_>,
    indicator: &Indicator,
    region: Option<RegionCode>,
    parts: bool,
) -> Result<Vec<IndicatorSeries>> {
    let own = (!parts).then_some(indicator.region_code);
    // Entries behind the version of this object belong to a later time than it shows.
    let filter = Condition::all()
        .has("indicator_id", Some(indicator.life.id))
        .in_region(region)
        .has("region_code", own)
        .add(Expr::col("version").lte(indicator.life.version));
    let rows: Vec<Measurement> = ctx.store().pool().all(filter, MOST + 1).await.map_err(error::fault)?;
    if rows.len() as u64 > MOST {
        return Err(error::invalid("region", "admits more than 5,000 values: narrow it"));
    }
    let mut regions: BTreeMap<(bool, RegionCode), BTreeMap<i32, Last>> = BTreeMap::new();
    for measurement in rows {
        let is_part = measurement.region_code != indicator.region_code;
        let values = regions.entry((is_part, measurement.region_code)).or_default();
        match values.get_mut(&measurement.number) {
            None => {
                let number = measurement.number;
                values.insert(number, Last { measurement, corrections: 0 });
            }
            Some(last) => {
                last.corrections += 1;
                if last.measurement.version < measurement.version {
                    last.measurement = measurement;
                }
            }
        }
    }
    let plan = ctx.load::<Plan>(indicator.plan_id.0).await?;
    let began = plan.and_then(|plan| plan.period_start);
    let today = Date::of(ctx.store().clock().now());
    let series = |((_, region), values): ((bool, RegionCode), BTreeMap<i32, Last>)| {
        curve(indicator, region, values.into_values().collect(), began, today)
    };
    Ok(regions.into_iter().map(series).collect())
}

fn curve(
    indicator: &Indicator,
    region: RegionCode,
    mut values: Vec<Last>,
    began: Option<Date>,
    today: Date,
) -> IndicatorSeries {
    values.sort_by_key(|last| (last.measurement.period_end, last.measurement.number));
    let (target, measure, unit) = (&*indicator.target, indicator.measure, &indicator.unit);
    let baseline = indicator.baseline().filter(|_| region == indicator.region_code);
    let from = baseline.and_then(|baseline| baseline.as_of).or(began);
    let counted: Vec<Point> = values
        .iter()
        .map(|last| Point { period: last.measurement.period, value: last.measurement.value })
        .collect();
    let attained = attainment::attainment(target, measure, unit, baseline, &counted);
    let forecast = attainment::forecast(target, measure, unit, baseline, &counted, began);
    let line = attainment::target_line(target, unit, baseline, from);
    IndicatorSeries {
        region: Region::find(region),
        target_line: line
            .map(|ends| ends.map(|end| TargetLinePoint { on: end.on, value: end.value }).to_vec()),
        range_upper: target.upper,
        light: attainment::light(target, baseline, attained.as_ref(), from, today),
        attainment: attained.map(Into::into),
        forecast: forecast.map(|forecast| Forecast {
            value: forecast.value,
            met: forecast.met,
            due_on: target.due_on,
        }),
        points: values
            .into_iter()
            .map(|Last { measurement, corrections }| SeriesPoint {
                period: measurement.period,
                ends_on: measurement.period_end,
                value: measurement.value,
                number: measurement.number,
                corrections,
            })
            .collect(),
    }
}
