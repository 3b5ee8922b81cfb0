//! Two processes on one PostgreSQL. SQLite is a file of one process, so there is nothing to tell of it.
use std::pin::pin;

use futures_util::{StreamExt, future::join_all};
use serde_json::json;
use zhixing_api::graphql::{task, unit};
use zhixing_domain::{
    Aggregate, Id, Role, Viewer,
    organisation::unit::{RegisterUnit, UnitKind},
    policy::AuthenticationMethod,
    programme::task::{AcceptTask, AmendTask, ReportTaskProgress, TaskContent, TaskKind},
};
use zhixing_event_store::{Error, EventStore, Order, Receipt, View};

use crate::{
    database::Base,
    house::{House, OFFICE, tell},
    world::World,
};

fn office() -> Viewer {
    Viewer {
        actor: "ann".into(),
        roles: vec![Role::LeadingGroupOffice],
        units: Vec::new(),
        region: "100000".parse().unwrap(),
        method: AuthenticationMethod::DevelopmentToken,
    }
}

async fn give<V: View>(
    store: &EventStore,
    viewer: Viewer,
    command: impl Into<<V::Of as Aggregate>::Command>,
    command_id: Option<&str>,
) -> Result<Receipt<V>, Error> {
    let command_id = command_id.map(Into::into);
    let order = Order { viewer, command: command.into(), command_id, expected_version: None, dry_run: false };
    store.execute::<V>(order).await
}

fn department(name: String) -> RegisterUnit {
    let (kind, region_code) = (UnitKind::Department, "440800".parse().unwrap());
    RegisterUnit { name, kind, region_code, official_name: None, aliases: Vec::new(), note: None }
}

async fn write(store: &EventStore, who: &str, count: usize) {
    for at in 0..count {
        give::<unit::Unit>(store, office(), department(format!("{who}第{at}科")), None).await.unwrap();
    }
}

/// Positions of the first `count` events as this process hears of them.
async fn follow(store: &EventStore, count: usize) -> Vec<i64> {
    let changes = pin!(store.follow(0).take(count));
    changes.map(|event| event.unwrap().position).collect().await
}

async fn both_write_and_both_hear_it_all(house: &mut House) {
    let other = house.another_store().await;
    let total = 2 * 4 * 15;
    let writers = [(&house.store, "甲"), (&other, "乙")]
        .into_iter()
        .flat_map(|(store, who)| (0..4).map(move |at| (store, format!("{who}{at}"))));
    let writing = join_all(writers.map(|(store, who)| async move { write(store, &who, 15).await }));
    let patience = std::time::Duration::from_mins(1);
    let hearing = async { tokio::join!(follow(&house.store, total), follow(&other, total)) };
    let told = tokio::time::timeout(patience, async { tokio::join!(writing, hearing) }).await;
    let (_, (here, there)) = told.expect("both hear of everything in time");
    let all: Vec<i64> = (1..=i64::try_from(total).unwrap()).collect();
    assert_eq!(here, all);
    assert_eq!(there, all);
    assert_eq!(
        house.store.pool().verify(&[], &[], |_| {}).await.unwrap().position,
        i64::try_from(total).unwrap()
    );
    other.pool().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_write_and_both_hear_it_all_on_postgres() {
    tell(Base::Postgres, both_write_and_both_hear_it_all).await;
}

/// An officer of the unit that leads the task.
fn officer(world: &World) -> Viewer {
    let units = vec![world.lead.parse().unwrap()];
    Viewer { actor: "wei".into(), roles: vec![Role::UnitOfficer], units, ..office() }
}

async fn what_one_remembers_of_old_is_decided_anew(house: &mut House) {
    let world = World::new(house).await;
    let other = house.another_store().await;
    let id: Id<_> = world.task.parse().unwrap();
    let officer = officer(&world);
    // This process remembers the task as assigned; the other accepts it.
    let accepted =
        give::<task::Task>(&other, officer.clone(), AcceptTask { id }, Some("accept")).await.unwrap();
    assert_eq!(accepted.object.life.version, 3);
    // What the old state forbids is allowed now.
    let report = |percent| ReportTaskProgress { id, percent, note: "推进".into(), evidence: Vec::new() };
    let progress = give::<task::Task>(&house.store, officer.clone(), report(10), None).await.unwrap();
    assert_eq!((progress.object.life.version, progress.object.progress_percent), (4, 10));
    // What the old state allows is written behind what the other wrote.
    let progress = give::<task::Task>(&other, officer.clone(), report(20), None).await.unwrap();
    assert_eq!(progress.object.life.version, 5);
    // A retry that comes to the other process gets the answer of the first.
    let head = house.store.head();
    let again =
        give::<task::Task>(&house.store, officer.clone(), AcceptTask { id }, Some("accept")).await.unwrap();
    assert_eq!((again.position, again.object), (accepted.position, accepted.object));
    // What was the same in the old state is not the same now.
    let content = |title: &str| TaskContent {
        label: None,
        kind: TaskKind::Task,
        title: title.into(),
        summary: "内容".into(),
        due_on: None,
        note: None,
    };
    let amend = |title: &str| AmendTask { id, content: content(title), reason: None };
    give::<task::Task>(&house.store, office(), amend("一"), None).await.unwrap();
    give::<task::Task>(&other, office(), amend("二"), None).await.unwrap();
    let back = give::<task::Task>(&house.store, office(), amend("一"), None).await.unwrap();
    assert_eq!(back.object.title, "一");
    let query = "query($id: ID!) { task(id: $id) { title version } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"], json!({ "title": "一", "version": 8 }), "from position {head}");
    other.pool().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_remembers_of_old_is_decided_anew_on_postgres() {
    tell(Base::Postgres, what_one_remembers_of_old_is_decided_anew).await;
}

async fn ten_of_each_report_at_once(house: &mut House) {
    let world = World::new(house).await;
    let other = house.another_store().await;
    let id: Id<_> = world.task.parse().unwrap();
    let officer = officer(&world);
    give::<task::Task>(&house.store, officer.clone(), AcceptTask { id }, None).await.unwrap();
    let reports = (0..20).map(|percent| {
        let store = if percent % 2 == 0 { &house.store } else { &other };
        let command = ReportTaskProgress { id, percent, note: "推进".into(), evidence: Vec::new() };
        give::<task::Task>(store, officer.clone(), command, None)
    });
    let mut versions: Vec<i64> =
        join_all(reports).await.into_iter().map(|receipt| receipt.unwrap().object.life.version).collect();
    versions.sort_unstable();
    assert_eq!(versions, (4..=23).collect::<Vec<_>>());
    // A name is taken in both at once by one of them.
    let claims = [&house.store, &other]
        .map(|store| give::<unit::Unit>(store, office(), department("丙局".into()), None));
    let won = join_all(claims).await.into_iter().flatten().count();
    assert_eq!(won, 1);
    other.pool().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_of_each_report_at_once_on_postgres() {
    tell(Base::Postgres, ten_of_each_report_at_once).await;
}
