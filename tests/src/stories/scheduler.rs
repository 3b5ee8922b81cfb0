//! What days bring about: announced once, on its own day, whoever does it and however late.
use std::{sync::Arc, time::Duration as Wait};

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use zhixing_api::scheduler::{Round, Scheduler, Timing};
use zhixing_domain::{Kind, TimeReference, time::ReferenceFile};
use zhixing_event_store::Pool;

use crate::{
    days::{self, TIMING, scheduler, wait_until},
    house::{House, OFFICE, story},
    world::{World, evidence, import_all, task, task_content, text},
};

/// Ten o'clock in China on this day: how many objects are announced as due soon and as overdue.
async fn round_on(house: &House, scheduler: &Scheduler, day: &str) -> (usize, usize) {
    let Round { due_soon, overdue, .. } = days::round_on(house, scheduler, day).await;
    (due_soon, overdue)
}

async fn due(house: &House, task: &str, due_on: &str) {
    let mut content = task_content("全面加强质量监管");
    content["dueOn"] = json!(due_on);
    house.done(OFFICE, "amendTask", json!({ "id": task, "content": content })).await;
}

/// The announcements in the life of a task.
async fn announced(house: &House, task: &str) -> Vec<Value> {
    let query = "query($id: ID!) { task(id: $id) { history(last: 100) { nodes {
        type data happenedAt recordedAt actor authenticationMethod statusFrom statusTo } } } }";
    let mut data = house.ok(OFFICE, query, json!({ "id": task })).await;
    let Value::Array(events) = data["task"]["history"]["nodes"].take() else { panic!("no history") };
    let by_the_clock =
        |event: &Value| ["TaskDueSoon", "TaskBecameOverdue"].contains(&text(&event["type"]).as_str());
    events.into_iter().filter(by_the_clock).collect()
}

/// Type, due date and instant. A day in China begins at 16:00 of the day before in UTC.
async fn told(house: &House, task: &str) -> Vec<(String, String, String)> {
    let row =
        |event: &Value| (text(&event["type"]), text(&event["data"]["dueOn"]), text(&event["happenedAt"]));
    announced(house, task).await.iter().map(row).collect()
}

fn row(event: &str, due_on: &str, happened_at: &str) -> (String, String, String) {
    (event.into(), due_on.into(), happened_at.into())
}

story!(a_task_is_announced_on_its_days, |house| {
    let world = World::new(house).await;
    // Friday 5 July 2019: Monday 1 to Friday 5 are five working days, so it is said from Friday 28 June on.
    due(house, &world.task, "2019-07-05").await;
    let scheduler = scheduler(&house.store);
    for (day, announced) in [
        ("2019-06-27", (0, 0)),
        ("2019-06-28", (1, 0)),
        ("2019-06-28", (0, 0)),
        ("2019-07-05", (0, 0)),
        ("2019-07-06", (0, 1)),
        ("2019-07-07", (0, 0)),
    ] {
        assert_eq!(round_on(house, &scheduler, day).await, announced, "{day}");
    }
    let expected = [
        row("TaskDueSoon", "2019-07-05", "2019-06-27T16:00:00+00:00"),
        row("TaskBecameOverdue", "2019-07-05", "2019-07-05T16:00:00+00:00"),
    ];
    assert_eq!(told(house, &world.task).await, expected);
    let soon = &announced(house, &world.task).await[0];
    assert_eq!((&soon["actor"], &soon["authenticationMethod"]), (&json!("system"), &json!("SYSTEM")));
    let data = json!({ "dueOn": "2019-07-05", "workingDays": 5, "ruleCode": "TASK_DUE_SOON",
        "ruleValidFrom": "2009-01-01", "calendars": [{ "year": 2019, "version": 1 }] });
    assert_eq!(soon["data"], data);
    assert_eq!((&soon["statusFrom"], &soon["statusTo"]), (&json!("ASSIGNED"), &json!("ASSIGNED")));
    // Integrators and readers of the timeline hear of it like of anything else.
    let query = "query($id: ID!) { timeline(where: { subject: $id }) { nodes { type } } }";
    let timeline = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert!(timeline.to_string().contains("TaskBecameOverdue"), "{timeline}");
});

story!(after_a_week_of_downtime_everything_is_said_once_on_its_own_day, |house| {
    let world = World::new(house).await;
    due(house, &world.task, "2019-07-05").await;
    let still_open = task(house, &world.plan, "2").await;
    due(house, &still_open, "2019-07-22").await;
    assert_eq!(round_on(house, &scheduler(&house.store), "2019-06-27").await, (0, 0));
    house.restart().await;
    let scheduler = scheduler(&house.store);
    // Both days of the first task passed while nobody looked; of the other, its reminder.
    assert_eq!(round_on(house, &scheduler, "2019-07-15").await, (2, 1));
    assert_eq!(round_on(house, &scheduler, "2019-07-15").await, (0, 0));
    let expected = [
        row("TaskDueSoon", "2019-07-05", "2019-06-27T16:00:00+00:00"),
        row("TaskBecameOverdue", "2019-07-05", "2019-07-05T16:00:00+00:00"),
    ];
    assert_eq!(told(house, &world.task).await, expected);
    for event in announced(house, &world.task).await {
        assert!(
            text(&event["recordedAt"]).starts_with("2019-07-15T02:"),
            "recorded when it was said: {event}"
        );
    }
    // A year on, over the Spring Festival.
    due(house, &still_open, "2020-02-10").await;
    assert_eq!(round_on(house, &scheduler, "2020-06-15").await, (1, 1));
    // 3 to 7 and 10 February are six working days: from 3 February on.
    let said = told(house, &still_open).await;
    assert_eq!(said[1], row("TaskDueSoon", "2020-02-10", "2020-02-02T16:00:00+00:00"));
    assert_eq!(said[2], row("TaskBecameOverdue", "2020-02-10", "2020-02-10T16:00:00+00:00"));
});

story!(another_due_date_can_be_announced_again, |house| {
    let world = World::new(house).await;
    let scheduler = scheduler(&house.store);
    due(house, &world.task, "2019-06-20").await;
    assert_eq!(round_on(house, &scheduler, "2019-06-21").await, (1, 1));
    // What is said of it but its due date changes nothing.
    let mut content = task_content("标题改了");
    content["dueOn"] = json!("2019-06-20");
    house.done(OFFICE, "amendTask", json!({ "id": world.task, "content": content })).await;
    assert_eq!(round_on(house, &scheduler, "2019-06-22").await, (0, 0));
    due(house, &world.task, "2019-07-31").await;
    assert_eq!(round_on(house, &scheduler, "2019-08-01").await, (1, 1));
    // One that has passed when it is set was never due soon, and is overdue from then on.
    due(house, &world.task, "2019-07-01").await;
    let set_at = house.clock.look();
    assert_eq!(round_on(house, &scheduler, "2019-08-02").await, (0, 1));
    let last = told(house, &world.task).await.pop().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str()), ("TaskBecameOverdue", "2019-07-01"));
    let happened: DateTime<Utc> = last.2.parse().unwrap();
    assert!((set_at - happened).num_seconds().abs() < 5, "{happened} is when it was set, {set_at}");
});

story!(what_is_done_is_not_announced, |house| {
    let world = World::new(house).await;
    let scheduler = scheduler(&house.store);
    due(house, &world.task, "2019-06-28").await;
    let cancelled = task(house, &world.plan, "2").await;
    due(house, &cancelled, "2019-06-28").await;
    house.done(OFFICE, "cancelTask", json!({ "id": cancelled, "reason": "撤销" })).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let report = json!({ "id": world.task, "note": "完成", "evidence": evidence() });
    house.done(&world.leader(), "reportTaskCompletion", report).await;
    house.done(OFFICE, "verifyTaskCompletion", json!({ "id": world.task })).await;
    assert_eq!(round_on(house, &scheduler, "2019-07-15").await, (0, 0));
    // Nobody but the scheduler may, and it is no mutation.
    let denied = house.ask("dev:eve:SCHEDULER", "{ __typename }", json!({})).await;
    assert_eq!(denied.status, 401);
    let query = "{ lifecycles(kinds: [TASK]) { steps { action roles } } }";
    let steps = house.ok(OFFICE, query, json!({})).await.to_string();
    assert!(steps.contains(r#""action":"announceTaskOverdue","roles":["SCHEDULER"]"#), "{steps}");
});

/// Every announcement of the log: whose, and what. Fails when one stands twice.
async fn all_announced(house: &House, event: &str) -> usize {
    let events = house.store.pool().read_log(0, 1_000_000).await.unwrap();
    let mut said: Vec<_> =
        events.iter().filter(|said| said.r#type == event).map(|said| (said.stream_id, &said.data)).collect();
    let all = said.len();
    said.sort();
    said.dedup();
    assert_eq!(said.len(), all, "something was said twice");
    all
}

story!(two_schedulers_say_everything_once, |house| {
    let world = World::new(house).await;
    import_all(house).await;
    let another = house.another_store().await;
    due(house, &world.task, "2019-07-05").await;
    let (here, there) = (scheduler(&house.store), scheduler(&another));
    wait_until(house, "2019-07-08");
    // One holds the lease; the other does nothing, until the first has been silent for long.
    let first = here.round().await.unwrap();
    assert!(first.held && first.overdue > 100, "{first:?}");
    assert_eq!(there.round().await.unwrap(), Round::default());
    house.clock.pass(Duration::minutes(5));
    due(house, &world.task, "2019-07-04").await;
    let second = there.round().await.unwrap();
    assert_eq!((second.held, second.overdue), (true, 1));
    assert!(!here.round().await.unwrap().held);
    assert_eq!(all_announced(house, "TaskBecameOverdue").await, first.overdue + second.overdue);
    // A lease that ends at once keeps nobody out: both say everything at the same time, and it is said once.
    wait_until(house, "2021-02-01");
    let no_lease = Timing { lease: Wait::ZERO, ..TIMING };
    let time = || Arc::new(TimeReference::embedded());
    let one = Scheduler::new(house.store.clone(), time(), no_lease);
    let other = Scheduler::new(another.clone(), time(), no_lease);
    let (third, fourth) = tokio::join!(one.round(), other.round());
    let (third, fourth) = (third.unwrap(), fourth.unwrap());
    let said = first.overdue + second.overdue + third.overdue + fourth.overdue;
    assert!(third.overdue + fourth.overdue > 50, "{third:?} {fourth:?}");
    assert_eq!(all_announced(house, "TaskBecameOverdue").await, said);
    let said = [first, second, third, fourth].iter().map(|round| round.due_soon).sum::<usize>();
    assert_eq!(all_announced(house, "TaskDueSoon").await, said);
    another.pool().close().await;
});

story!(a_scheduler_runs_until_the_service_stops, |house| {
    let world = World::new(house).await;
    due(house, &world.task, "2019-06-20").await;
    let (stop, stopped) = watch::channel(false);
    let running = scheduler(&house.store).start(stopped);
    for (days, count) in [(0, 1), (7, 2)] {
        house.clock.pass(Duration::days(days));
        let said = async {
            while told(house, &world.task).await.len() < count {
                tokio::time::sleep(Wait::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Wait::from_secs(30), said).await.expect("it is said in time");
    }
    stop.send_replace(true);
    running.await.unwrap();
    // The lease was given back, so another need not wait.
    assert!(scheduler(&house.store).round().await.unwrap().held);
});

story!(without_next_years_calendar_reminders_wait_and_nothing_is_guessed, |house| {
    let world = World::new(house).await;
    due(house, &world.task, "2026-12-31").await;
    let next_year = task(house, &world.plan, "2").await;
    due(house, &next_year, "2027-01-04").await;
    let embedded = scheduler(&house.store);
    // Of the last days of the year it is known that they are near; of January it is not.
    assert_eq!(round_on(house, &embedded, "2026-12-30").await, (1, 0));
    assert_eq!(told(house, &next_year).await, []);
    // That a day has passed needs no calendar.
    assert_eq!(round_on(house, &embedded, "2027-01-02").await, (0, 1));
    let file = ReferenceFile {
        name: "2027.json".into(),
        text: r#"{ "year": 2027, "version": 1, "workingDays": [],
            "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" },
            "holidays": [{ "name": "元旦", "from": "2027-01-01", "to": "2027-01-03" }] }"#
            .into(),
    };
    let mut time = TimeReference::embedded();
    time.calendar = time.calendar.with(&[file]).unwrap();
    house.clock.pass(Duration::minutes(5));
    let informed = Scheduler::new(house.store.clone(), Arc::new(time), TIMING);
    assert_eq!(round_on(house, &informed, "2027-01-03").await, (1, 0));
    // Monday 4 January; 28 to 31 December and the 4th are five working days: from Friday 25 December on.
    assert_eq!(
        told(house, &next_year).await,
        [row("TaskDueSoon", "2027-01-04", "2026-12-24T16:00:00+00:00")]
    );
});

// The rows of a database that is older than the scheduler get what the fold of their events gives.
story!(a_database_from_before_is_brought_up_to_date, |house| {
    const MIGRATION: &str = include_str!("../../../migrations/views/0120_task_clocks.sql");
    let world = World::new(house).await;
    import_all(house).await;
    let cancelled = task(house, &world.plan, "2").await;
    house.done(OFFICE, "cancelTask", json!({ "id": cancelled, "reason": "撤销" })).await;
    let updates = MIGRATION.lines().filter(|line| line.starts_with("update"));
    let by_hand = std::iter::once(
        "update tasks set due_set_at = null, due_soon_pending = null, overdue_pending = null",
    )
    .chain(updates)
    .map(|line| line.trim_end_matches(';'));
    let differs = async || {
        let differences = house.store.rebuild(Kind::Task, false, |_| {}).await.unwrap();
        differences.iter().any(|difference| !difference.is_none())
    };
    for (at, statement) in by_hand.enumerate() {
        match house.store.pool() {
            Pool::Postgres(db) => drop(sqlx::query(statement).execute(db).await.unwrap()),
            Pool::Sqlite { writer, .. } => drop(sqlx::query(statement).execute(writer).await.unwrap()),
        }
        // Until the last of the three updates something is missing.
        assert_eq!(differs().await, at < 3, "{statement}");
    }
    // The task of the small world is due that day; those of the plans were due before they came, or are later.
    assert_eq!(round_on(house, &scheduler(&house.store), "2019-12-31").await.0, 1);
});
