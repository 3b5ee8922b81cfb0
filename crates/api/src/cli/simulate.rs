//! `zhixing simulate`.
use std::sync::Arc;

use comfy_table::Table;
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::Date;
use zhixing_event_store::{EventStore, SimulatedClock};

use super::{Failure, pool, reference, screen};
use crate::{
    config::Settings,
    graphql::{self, assessment::Assessment, unit::Unit},
    simulation::{self, Course, FIRST_DAY, Outcome},
};

/// What to simulate.
#[derive(Debug, clap::Args)]
pub(super) struct SimulateArguments {
    /// The last day
    #[arg(long, value_name = "DATE", default_value = "2016-02-29")]
    until: Date,
    /// What the dice begin with: the same number gives the same course
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// More than a province has cities.
const MOST: u64 = 100;

pub(super) async fn simulate(settings: &Settings, arguments: SimulateArguments) -> Result<(), Failure> {
    let SimulateArguments { until, seed } = arguments;
    let time = reference(settings)?;
    let pool = pool(settings).await?;
    let (year, month, day) = FIRST_DAY;
    let first = Date::new(year, month, day).unwrap_or(until);
    let clock = Arc::new(SimulatedClock::at(first.begins()));
    let store = EventStore::open(pool, clock.clone(), graphql::catalogue()).await?;
    let days = u64::try_from(until.days_since(first) + 1).unwrap_or(0);
    let bar = screen::bar(days, "days");
    let ran = simulation::run(&store, &clock, time, Course { seed, until }, |today, outcome| {
        bar.set_message(format!("{today}"));
        bar.set_position(outcome.days);
    })
    .await;
    bar.finish_and_clear();
    let outcome = ran?;
    show(&store, &outcome).await?;
    store.pool().close().await;
    Ok(())
}

async fn show(store: &EventStore, outcome: &Outcome) -> Result<(), Failure> {
    let Outcome { days, opened, submitted, due_soon, overdue, schemes } = outcome;
    screen::say(&format!(
        "{days} days, {events} events: {opened} reports were opened and {submitted} handed in; {due_soon} objects were \
         announced as due soon, {overdue} as overdue.",
        events = store.head(),
    ));
    for (year, scheme) in schemes {
        let of_scheme = Condition::all().add(Expr::col("scheme_id").eq(scheme.uuid()));
        let mut assessments: Vec<Assessment> = store.pool().all(of_scheme, MOST).await?;
        assessments.sort_by_key(|assessment| std::cmp::Reverse(assessment.total));
        let mut table = Table::new();
        table.set_header(["rank", "unit", "total", "grade"]);
        let mut rank = 0;
        let mut before = None;
        for (place, assessment) in (1..).zip(&assessments) {
            // Equal totals share a rank.
            rank = if before == Some(assessment.total) { rank } else { place };
            before = Some(assessment.total);
            let unit = store.pool().many::<Unit>(&[assessment.unit_id.0.uuid()]).await?.pop();
            let total = assessment.total.map(|total| total.to_string()).unwrap_or_default();
            table.add_row([
                rank.to_string(),
                unit.map(|unit| unit.name).unwrap_or_default(),
                total,
                assessment.grade.clone().unwrap_or_default(),
            ]);
        }
        screen::say(&format!("\n{year}\n{table}"));
    }
    Ok(())
}
