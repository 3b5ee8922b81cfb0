//! The Gansu plan of 2011 lived from its issue to the assessment of 2015: every duty on its day, everything said once, every
//! score to be summed by hand.
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures_util::FutureExt;
use rust_decimal::{Decimal, RoundingStrategy};
use sea_query::{Condition, Expr, ExprTrait};
use serde_json::Value;
use uuid::Uuid;
use zhixing_api::{
    graphql::{self, assessment::Assessment, report::Report, reporting_duty::ReportingDuty, unit::Unit},
    simulation::{self, Course},
};
use zhixing_domain::{
    Date, Period, TimeReference,
    performance::{assessment::AssessmentStatus, report::ReportStatus},
};
use zhixing_event_store::{EventStore, Pool, Recorded, SimulatedClock, View};

use crate::database::{Base, Database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    tell(Base::Sqlite).await;
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    tell(Base::Postgres).await;
}

async fn tell(base: Base) {
    let database = Database::new(base).await;
    let told = AssertUnwindSafe(five_years(&database)).catch_unwind().await;
    database.remove().await;
    if let Err(panic) = told {
        std::panic::resume_unwind(panic);
    }
}

async fn five_years(database: &Database) {
    let clock = Arc::new(SimulatedClock::at("2011-03-17T16:00:00Z".parse().unwrap()));
    let pool = Pool::open(&database.url()).await.unwrap();
    let store = EventStore::open(pool, clock.clone(), graphql::catalogue()).await.unwrap();
    let time = Arc::new(TimeReference::embedded());
    let course = Course::default();
    let outcome = simulation::run(&store, &clock, time.clone(), course, |_, _| {}).await.unwrap();
    let events = log(&store).await;
    let reports: Vec<Report> = all(&store).await;
    every_duty_opened_on_its_day(&store, &events, &reports, course.until).await;
    everything_overdue_was_said_once(&events, &reports, course.until);
    // The start-up phase had begun before the plan was issued; it counts from that day on.
    let phases = of_type(&events, "PlanPhaseEntered").map(|event| Date::of(event.happened_at).to_string());
    assert_eq!(phases.collect::<Vec<_>>(), ["2011-03-18", "2011-04-01", "2015-10-01"]);
    assert_eq!(outcome.opened, reports.len());
    assert_eq!(
        outcome.schemes.iter().map(|(year, _)| *year).collect::<Vec<_>>(),
        [2011, 2012, 2013, 2014, 2015]
    );
    for (year, scheme) in &outcome.schemes {
        let of_scheme = Condition::all().add(Expr::col("scheme_id").eq(scheme.uuid()));
        let mut cities: Vec<Assessment> = store.pool().all(of_scheme, 100).await.unwrap();
        assert_eq!(cities.len(), 14, "{year}");
        assert!(cities.iter().all(|city| city.status == AssessmentStatus::Final), "{year}");
        cities.sort_by_key(|city| std::cmp::Reverse(city.total));
        assert!(cities[0].total > cities[13].total, "somebody does better than others");
        // The best, one in the middle, the last.
        for city in [&cities[0], &cities[7], &cities[13]] {
            adds_up_by_hand(&store, &events, &reports, city).await;
        }
    }
    // A log with events cannot be simulated into again.
    assert!(simulation::run(&store, &clock, time, course, |_, _| {}).await.is_err());
    store.pool().close().await;
}

async fn log(store: &EventStore) -> Vec<Recorded> {
    let mut events: Vec<Recorded> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.position);
        let page = store.pool().read_log(after, 1_000).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}

async fn all<V: View>(store: &EventStore) -> Vec<V> {
    store.pool().all(Condition::all(), 100_000).await.unwrap()
}

fn data(event: &Recorded) -> Value {
    serde_json::from_str(&event.data).unwrap()
}

fn of_type<'e>(events: &'e [Recorded], name: &'e str) -> impl Iterator<Item = &'e Recorded> {
    events.iter().filter(move |event| event.r#type == name)
}

async fn every_duty_opened_on_its_day(
    store: &EventStore,
    events: &[Recorded],
    reports: &[Report],
    until: Date,
) {
    let mut opened: HashMap<Uuid, Vec<(Period, Date)>> = HashMap::new();
    for event in of_type(events, "ReportingDutyPeriodOpened") {
        let period = data(event)["period"].as_str().unwrap().parse().unwrap();
        // It was opened on the day itself, not only said to have been.
        assert_eq!(Date::of(event.happened_at), Date::of(event.recorded_at));
        opened.entry(event.stream_id).or_default().push((period, Date::of(event.happened_at)));
    }
    let duties: Vec<ReportingDuty> = all(store).await;
    assert_eq!(duties.len(), 7);
    for duty in &duties {
        let mut due = Vec::new();
        let mut next = duty.schedule().first();
        while let Some(period) = next {
            due.push((period, duty.schedule().opens_on(period)));
            next = duty.schedule().after(period);
        }
        assert!(due.iter().all(|(_, opens_on)| *opens_on <= until));
        assert_eq!(opened[&duty.life.id.0.uuid()], due, "{}", duty.what);
        let mut of_period: BTreeMap<String, usize> = BTreeMap::new();
        for report in reports.iter().filter(|report| report.duty_id.0 == duty.life.id.0) {
            *of_period.entry(report.period.to_string()).or_default() += 1;
        }
        let expected: BTreeMap<String, usize> =
            due.iter().map(|(period, _)| (period.to_string(), duty.parties.len())).collect();
        assert_eq!(of_period, expected, "{}", duty.what);
    }
    // Counties owe quarterly from the first whole quarter behind the issue of the plan to its end.
    let county = duties.iter().find(|duty| duty.what.starts_with("县级")).unwrap();
    let quarters = &opened[&county.life.id.0.uuid()];
    assert_eq!((quarters.len(), quarters[0].1.to_string()), (19, "2011-05-31".to_owned()));
    assert!(county.parties.len() > 80, "{} counties", county.parties.len());
}

fn everything_overdue_was_said_once(events: &[Recorded], reports: &[Report], until: Date) {
    let said: Vec<&Recorded> = of_type(events, "ReportBecameOverdue").collect();
    let streams: BTreeSet<Uuid> = said.iter().map(|event| event.stream_id).collect();
    assert_eq!(streams.len(), said.len(), "something was said twice");
    let late = |report: &&Report| match report.first_submitted_on {
        Some(day) => day > report.due_on,
        None => report.status == ReportStatus::Open && report.due_on < until,
    };
    let late: BTreeSet<Uuid> = reports.iter().filter(late).map(|report| report.life.id.0.uuid()).collect();
    assert!(late.len() > 100, "{} were late", late.len());
    assert_eq!(streams, late);
    for event in said {
        let due_on: Date = data(event)["dueOn"].as_str().unwrap().parse().unwrap();
        assert_eq!(Date::of(event.happened_at), due_on.next());
    }
    let tasks: Vec<Uuid> = of_type(events, "TaskBecameOverdue").map(|event| event.stream_id).collect();
    assert_eq!(tasks.iter().collect::<BTreeSet<_>>().len(), tasks.len());
    assert!(!tasks.is_empty(), "tasks of 2015 that nobody reported on are overdue in 2016");
}

/// Does the sum again, from the events and reports alone.
async fn adds_up_by_hand(store: &EventStore, events: &[Recorded], reports: &[Report], city: &Assessment) {
    let unit = store.pool().many::<Unit>(&[city.unit_id.0.uuid()]).await.unwrap().pop().unwrap();
    let scored_at = of_type(events, "AssessmentScored")
        .filter(|event| event.stream_id == city.life.id.0.uuid())
        .last()
        .unwrap();
    let year = city.year.to_string();
    // Reports of the city and its counties that were due in the year, as they stood when it was scored.
    let owed: Vec<&Report> = reports
        .iter()
        .filter(|report| report.plan_id == city.plan_id && unit.region_code.covers(report.region_code))
        .filter(|report| {
            report.due_on.to_string().starts_with(&year) && report.status != ReportStatus::Waived
        })
        .collect();
    let scored_on = Date::of(scored_at.recorded_at);
    let by_then = |report: &&&Report| report.first_submitted_on.filter(|day| *day <= scored_on);
    let complete = owed.iter().filter(|report| by_then(report).is_some()).count();
    let timely = owed.iter().filter(|report| by_then(report).is_some_and(|day| day <= report.due_on)).count();
    let mut total = Decimal::ZERO;
    for (item, scored) in city.rules.items.iter().zip(city.items.iter()) {
        let (value, target): (Decimal, Decimal) = match item.code.as_str() {
            "TIMELINESS" => (timely.into(), owed.len().into()),
            "COMPLETENESS" => (complete.into(), owed.len().into()),
            "EXPERT" => (scored.figure.value.unwrap().decimal(), 100.into()),
            _ => {
                let measured = of_type(events, "IndicatorMeasurementRecorded").filter(|event| {
                    let data = data(event);
                    event.stream_id == item.indicator_id.unwrap().uuid()
                        && data["period"] == year.as_str()
                        && data["regionCode"] == unit.region_code.as_str()
                });
                let value = data(measured.last().unwrap())["value"].as_str().unwrap().parse().unwrap();
                (value, scored.figure.target.unwrap().decimal())
            }
        };
        let share = if value >= target { Decimal::ONE } else { value / target };
        let points =
            (item.weight.decimal() * share).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        assert_eq!(scored.points.decimal(), points, "{} {} {}", unit.name, year, item.code);
        total += points;
    }
    assert_eq!(city.total.unwrap().decimal(), total, "{} {year}", unit.name);
}
