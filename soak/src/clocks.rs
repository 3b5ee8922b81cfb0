//! `soak clocks`: the scheduler keeps up with very many running clocks, and says everything once.
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use uuid::Uuid;
use zhixing_api::{
    graphql::{self, plan::Plan as PlanRow, task::Task as TaskRow},
    scheduler::{Round, Scheduler, Timing},
};
use zhixing_domain::{
    Clock, Id, TimeReference, Viewer,
    programme::{
        plan::{DraftPlan, PlanContent},
        task::{Assignment, RegisterTask, TaskContent, TaskKind},
    },
};
use zhixing_event_store::{Error, EventStore, Pool, SystemClock};

use crate::{Outcome, cluster::Cluster, screen::say};

/// What `soak clocks` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Tasks with a due date; every tenth of them falls due on one day
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(10..=10_000_000))]
    clocks: u32,
    /// Only this database, which must be empty: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// Tasks registered in one transaction, events read at once.
const BATCH: u32 = 500;
const PAGE: u32 = 2_000;
const DUE: &str = "2019-12-31";
const LATER: &str = "2020-12-31";
/// The days on which the scheduler looks, and whether the tenth is then due soon or overdue.
const DAYS: [(&str, bool, bool); 5] = [
    ("2019-09-02", false, false),
    ("2019-09-03", false, false),
    ("2019-12-25", true, false),
    ("2020-01-01", false, true),
    ("2020-01-02", false, false),
];

/// A clock that shows what it was set to.
#[derive(Debug)]
struct Set(AtomicI64);

impl Set {
    fn to(&self, day: &str) -> Outcome {
        let noon: DateTime<Utc> = format!("{day}T04:00:00Z").parse()?;
        self.0.store(noon.timestamp(), Ordering::SeqCst);
        Ok(())
    }
}

impl Clock for Set {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.load(Ordering::SeqCst), 0).unwrap_or_default()
    }
    fn new_id(&self) -> Uuid {
        SystemClock.new_id()
    }
}

pub(crate) async fn clocks(arguments: Arguments) -> Outcome {
    if let Some(url) = &arguments.database {
        keep_up(url, arguments.clocks).await?;
    } else {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite:{}", directory.path().join("clocks.db").display());
        keep_up(&url, arguments.clocks).await?;
        let cluster = Cluster::start(100).await?;
        keep_up(&cluster.url("postgres"), arguments.clocks).await?;
    }
    say("soak clocks: PASSED");
    Ok(())
}

async fn keep_up(url: &str, clocks: u32) -> Outcome {
    let clock = Arc::new(Set(AtomicI64::new(0)));
    clock.to("2019-06-15")?;
    let store = EventStore::open(Pool::open(url).await?, clock.clone(), graphql::catalogue()).await?;
    if store.head() != 0 {
        return Err("the database is not empty: what is due in it would be announced".into());
    }
    let name = if matches!(store.pool(), Pool::Postgres(_)) { "PostgreSQL" } else { "SQLite" };
    let begun = Instant::now();
    register(&store, clocks).await?;
    say(&format!("{name}: {clocks} clocks were set in {:.1} s", begun.elapsed().as_secs_f64()));
    let timing = Timing { every: Duration::from_secs(30), lease: Duration::from_mins(2) };
    let scheduler = Scheduler::new(store.clone(), Arc::new(TimeReference::embedded()), timing);
    let due = usize::try_from(clocks.div_ceil(10))?;
    for (day, is_soon, is_overdue) in DAYS {
        clock.to(day)?;
        let begun = Instant::now();
        let Round { held, due_soon, overdue, .. } = scheduler.round().await?;
        let took = begun.elapsed().as_secs_f64() * 1e3;
        say(&format!("{name}: {day}: {due_soon} due soon, {overdue} overdue, in {took:.1} ms"));
        if (held, due_soon, overdue) != (true, due * usize::from(is_soon), due * usize::from(is_overdue)) {
            return Err(format!("on {day} something else was to be announced, of {due} tasks").into());
        }
    }
    once(&store, due).await?;
    store.pool().close().await;
    Ok(())
}

async fn register(store: &EventStore, clocks: u32) -> Outcome {
    let viewer = Viewer::system();
    let plan = Id::new(store.clock().new_id());
    let content = PlanContent {
        document_number: None,
        title: "质量提升行动".into(),
        title_is_assigned: true,
        issuer: "湛江市人民政府".into(),
        issuer_id: None,
        issuer_is_inferred: true,
        period_start: None,
        period_end: LATER.parse()?,
        period_note: None,
        phases: Vec::new(),
        basis: Vec::new(),
        guidance: None,
    };
    let draft = DraftPlan { code: "CLOCKS".into(), region_code: "440800".parse()?, content };
    let mut work = store.begin(&viewer, None);
    work.run::<PlanRow>(plan, None, draft).await?;
    work.commit(None).await.map_err(Error::from)?;
    let mut number = 0;
    while number < clocks {
        let mut work = store.begin(&viewer, None);
        for number in number..clocks.min(number + BATCH) {
            let content = TaskContent {
                label: None,
                kind: TaskKind::Task,
                title: "全面加强质量监管".into(),
                summary: "加强事中事后监管".into(),
                due_on: Some(if number % 10 == 0 { DUE } else { LATER }.parse()?),
                note: None,
            };
            let task = RegisterTask {
                plan_id: plan,
                parent_id: None,
                number: format!("K{number}"),
                content,
                assignment: Assignment::Explicit,
            };
            work.run::<TaskRow>(Id::new(store.clock().new_id()), None, task).await?;
        }
        work.commit(None).await.map_err(Error::from)?;
        number += BATCH;
    }
    Ok(())
}

/// Every announcement stands in the log once.
async fn once(store: &EventStore, due: usize) -> Outcome {
    let (mut after, mut said) = (0, HashSet::new());
    let mut announced = 0;
    loop {
        let events = store.pool().read_log(after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.position;
        for event in events {
            if ["TaskDueSoon", "TaskBecameOverdue"].contains(&event.r#type.as_str()) {
                announced += 1;
                said.insert((event.stream_id, event.r#type));
            }
        }
    }
    if announced != 2 * due || said.len() != announced {
        return Err(
            format!("{announced} announcements of {due} tasks, {} of them different", said.len()).into()
        );
    }
    Ok(())
}
