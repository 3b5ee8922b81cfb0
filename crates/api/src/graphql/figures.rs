//! The figures behind a score, looked up in the views: what was measured, reported and done in the year that is assessed,
//! each with the events that say so.
use std::collections::BTreeMap;

use chrono::Datelike;
use rust_decimal::Decimal;
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Amount, Date, Period, Rejection,
    id::GlobalId,
    organisation::unit::UnitKind,
    performance::{
        assessment::MOST_CITED,
        attainment::{Comparator, Measure},
        report::ReportStatus,
        scoring::{AssessmentItem, Cited, Figure, ScoreSource},
    },
    programme::task::TaskStatus,
};
use zhixing_event_store::{Error, EventStore};

use super::{
    assessment::Assessment,
    connection::{DateRange, Narrow},
    indicator::{Indicator, Measurement},
    report::Report,
    reporting_duty::REPORTER,
    task::{LEAD, SUPPORT, Task},
    unit::Unit,
};

/// Most objects that one figure is counted from: what is cited must be whole.
const MOST: u64 = MOST_CITED as u64;

/// The figure of an item that can be counted.
///
/// # Errors
/// When more would have to be cited than an event holds, or the database fails.
pub async fn of(
    store: &EventStore,
    assessment: &Assessment,
    unit: &Unit,
    item: &AssessmentItem,
) -> Result<Figure, Error> {
    match item.source {
        ScoreSource::Indicator => of_indicator(store, assessment, unit, item).await,
        ScoreSource::ReportTimeliness | ScoreSource::ReportCompleteness => {
            of_reports(store, assessment, unit, item).await
        }
        ScoreSource::TaskCompletion => of_tasks(store, assessment, unit, item).await,
        ScoreSource::Expert => Ok(unknown(item, "由专家评分")),
    }
}

fn unknown(item: &AssessmentItem, why: &str) -> Figure {
    Figure {
        item: item.code.clone(),
        value: None,
        target: None,
        comparator: Comparator::AtLeast,
        evidence: Vec::new(),
        note: Some(why.into()),
    }
}

fn whole<T>(rows: Vec<T>, item: &AssessmentItem) -> Result<Vec<T>, Error> {
    if rows.len() as u64 > MOST {
        let message = format!("item {} would rest on more than {MOST_CITED} objects", item.code);
        return Err(Rejection::rule("figures-are-cited-whole", message, None).into());
    }
    Ok(rows)
}

/// First and last day of the year that is assessed.
fn year(assessment: &Assessment) -> DateRange {
    let period = Date::new(assessment.year, 1, 1).map(|day| Period::around(day, 12).days());
    DateRange { from: period.map(|(first, _)| first), to: period.map(|(_, last)| last) }
}

/// Governments answer for their region, other units for themselves.
fn answers_for(unit: &Unit, filter: Condition, relations: &[&'static str]) -> Condition {
    match unit.kind {
        UnitKind::Government => filter.in_region(Some(unit.region_code)),
        _ => filter.names(Some(unit.life.id.0.uuid()), relations),
    }
}

async fn of_reports(
    store: &EventStore,
    assessment: &Assessment,
    unit: &Unit,
    item: &AssessmentItem,
) -> Result<Figure, Error> {
    let owed = Condition::all()
        .has("plan_id", Some(assessment.plan_id))
        .in_range("due_on", Some(year(assessment)))
        .add(Expr::col("status").ne(ReportStatus::Waived));
    let owed = answers_for(unit, owed, &[REPORTER]);
    let reports: Vec<Report> = whole(store.pool().all(owed, MOST + 1).await?, item)?;
    let timely = item.source == ScoreSource::ReportTimeliness;
    let counts =
        |report: &&Report| report.first_submitted_on.is_some_and(|day| !timely || day <= report.due_on);
    let done = reports.iter().filter(counts).count();
    let what = if timely { "按时报送" } else { "已报送" };
    Ok(quota(
        item,
        done,
        reports.len(),
        what,
        reports.iter().map(|report| cited(report.life.id.0, report.life.version)),
    ))
}

async fn of_tasks(
    store: &EventStore,
    assessment: &Assessment,
    unit: &Unit,
    item: &AssessmentItem,
) -> Result<Figure, Error> {
    let due = Condition::all()
        .has("plan_id", Some(assessment.plan_id))
        .in_range("due_on", Some(year(assessment)))
        .add(Expr::col("status").ne(TaskStatus::Cancelled));
    let due = due.names(Some(unit.life.id.0.uuid()), &[LEAD, SUPPORT]);
    let tasks: Vec<Task> = whole(store.pool().all(due, MOST + 1).await?, item)?;
    let done = tasks.iter().filter(|task| task.status == TaskStatus::Verified).count();
    Ok(quota(
        item,
        done,
        tasks.len(),
        "已核验完成",
        tasks.iter().map(|task| cited(task.life.id.0, task.life.version)),
    ))
}

fn cited(subject: impl Into<GlobalId>, version: i64) -> Cited {
    Cited { subject: subject.into(), version }
}

/// So many of so many. Where nothing was owed nothing is missing.
fn quota(
    item: &AssessmentItem,
    done: usize,
    all: usize,
    what: &str,
    evidence: impl Iterator<Item = Cited>,
) -> Figure {
    let count = |number: usize| Some(Amount::from(i64::try_from(number).unwrap_or(i64::MAX)));
    let mut evidence: Vec<Cited> = evidence.collect();
    evidence.sort_by_key(|cited| cited.subject.uuid);
    Figure {
        item: item.code.clone(),
        value: count(done),
        target: count(all),
        comparator: Comparator::AtLeast,
        evidence,
        note: Some(if all == 0 {
            "本年度无应办事项".into()
        } else {
            format!("{what}{done}，应办{all}")
        }),
    }
}

async fn of_indicator(
    store: &EventStore,
    assessment: &Assessment,
    unit: &Unit,
    item: &AssessmentItem,
) -> Result<Figure, Error> {
    let Some(id) = item.indicator_id else { return Ok(unknown(item, "未指定指标")) };
    let Some(indicator) = store.pool().many::<Indicator>(&[id.uuid()]).await?.pop() else {
        return Ok(unknown(item, "指标不存在"));
    };
    let of_region = Condition::all()
        .has("indicator_id", Some(indicator.life.id))
        .has("region_code", Some(unit.region_code))
        .in_range("period_end", Some(year(assessment)));
    let rows: Vec<Measurement> = whole(store.pool().all(of_region, MOST + 1).await?, item)?;
    // Of a value that was corrected the last word counts.
    let mut last: BTreeMap<i32, Measurement> = BTreeMap::new();
    for row in rows {
        let newer = last.get(&row.number).is_none_or(|known| known.version < row.version);
        if newer {
            last.insert(row.number, row);
        }
    }
    let mut values: Vec<&Measurement> =
        last.values().filter(|value| value.period_end.naive().year() == assessment.year).collect();
    values.sort_by_key(|value| (value.period_end, value.number));
    let Some(latest) = values.last() else { return Ok(unknown(item, "本年度无监测值")) };
    let measured = if indicator.measure == Measure::Flow {
        values.iter().map(|value| value.value.decimal()).sum()
    } else {
        latest.value.decimal()
    };
    let counted =
        if indicator.measure == Measure::Flow { values.as_slice() } else { &values[values.len() - 1..] };
    let evidence = counted.iter().map(|value| cited(value.indicator_id.0, value.version)).collect();
    let figure = |value: Option<Decimal>, note: String| Figure {
        item: item.code.clone(),
        value: value.map(Amount::from),
        target: Some(indicator.target.value),
        comparator: indicator.target.comparator,
        evidence,
        note: Some(note),
    };
    if indicator.target.comparator != Comparator::IncreaseBy {
        return Ok(figure(Some(measured), format!("{} {}", latest.period, indicator.unit)));
    }
    // An increase is compared as such, so the base must be known.
    let base = indicator.baseline.as_ref().and_then(|baseline| baseline.value).map(Amount::decimal);
    let rise = base.and_then(|base| match indicator.unit.trim() {
        "%" if base <= Decimal::ZERO => None,
        "%" => (measured - base).checked_mul(Decimal::ONE_HUNDRED)?.checked_div(base),
        _ => measured.checked_sub(base),
    });
    let note = match base {
        Some(base) => format!("{} 较基期{}提高", latest.period, base.normalize()),
        None => "缺少基期值，无法计算提高幅度".into(),
    };
    Ok(figure(rise.map(|rise| rise.round_dp(10)), note))
}
