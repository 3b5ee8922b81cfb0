//! The log goes to another network as signed files, and is read there as it is read here.
use std::path::PathBuf;

use serde_json::{Value, json};
use zhixing_domain::{Kind, TimeReference};
use zhixing_event_store::{
    EventStore, SigningKey,
    bundle::{BundleError, Making},
};

use crate::{
    follow::Socket,
    house::{ANONYMOUS, House, OFFICE, mutation, story},
    stories::subscriptions::tell,
    world::{World, ZHANJIANG, indicator, text, unit},
};

const SOURCE: &str = "https://quality.example.cn/log";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// Everything behind `after`, as a file.
async fn carry(house: &House, shelf: &tempfile::TempDir, after: i64) -> PathBuf {
    let path = shelf.path().join(format!("{after}.ndjson.gz"));
    let making = Making { after, to: None, source: SOURCE.into(), at: house.store.clock().now() };
    let made = house.store.pool().bundle(&making, &key(), &path, |_, _| {}).await.unwrap();
    assert_eq!((made.first, made.last), (after + 1, house.head()));
    path
}

/// Applied by another process, as an operator does.
async fn apply(replica: &House, files: &[PathBuf]) -> i64 {
    let process = replica.another_store().await;
    let applied = process.apply(files, &[key().public()], |_, _, _| {}).await.unwrap();
    process.pool().close().await;
    applied.position
}

/// What people see of it: the same questions to both.
const QUESTIONS: [&str; 6] = [
    "{ plans(first: 100) { totalCount nodes { id version code title status createdAt updatedAt phases { name }
        cockpit { tasksByStatus { status count } indicatorsByLight { light count } } } } }",
    "{ tasks(first: 100) { totalCount nodes { id version number title status dueOn leadUnits { id name }
        supportingUnits { id } parent { id } progressPercent progressNote updatedAt } } }",
    "{ indicators(first: 100) { totalCount nodes { id version code status light target { value }
        attainment { value met } measuredCount } } }",
    "{ units(first: 100) { totalCount nodes { id version name aliases members { id } } } }",
    "{ dataImports(first: 100) { totalCount nodes { id source sha256 rowsRead } } }",
    "{ timeline(first: 100) { nodes { position type } } }",
];

async fn are_alike(origin: &House, replica: &House) {
    for question in QUESTIONS {
        let (here, there) =
            (origin.ok(OFFICE, question, json!({})).await, replica.ok(OFFICE, question, json!({})).await);
        assert_eq!(there, here, "{question}");
    }
    let head = origin.head();
    let log = async |store: &EventStore| store.pool().read_log(0, 100_000).await.unwrap();
    assert_eq!(log(&replica.store).await, log(&origin.store).await);
    assert_eq!(replica.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, head);
    for kind in Kind::ALL {
        for difference in replica.store.rebuild(*kind, false, |_| {}).await.unwrap() {
            assert!(difference.is_none(), "{kind:?}: {difference:?}");
        }
    }
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

story!(a_network_that_is_not_connected_reads_the_same, |house| {
    let shelf = tempfile::tempdir().unwrap();
    let world = World::new(house).await;
    ZHANJIANG.import(house).await;
    indicator(house, &world.plan, "ZB-1", json!({})).await;
    let first = house.head();
    let bundles = vec![carry(house, &shelf, 0).await];
    let mut replica = house.another().await;
    assert_eq!(apply(&replica, &bundles).await, first);
    // Found empty, the service would take commands; the log does not.
    let accepting = json!({ "input": { "id": world.task } });
    let answer = replica.ask(&world.leader(), &mutation("acceptTask"), accepting.clone()).await;
    assert_eq!(code(&answer.body), "READ_ONLY", "{}", answer.text);
    assert!(answer.text.contains(SOURCE), "{}", answer.text);
    replica.restart_with(TimeReference::embedded()).await;
    are_alike(house, &replica).await;
    // It refuses whatever would change something before it looks at it, trials too.
    let mut trying = accepting.clone();
    trying["dryRun"] = json!(true);
    let before = replica.head();
    for (token, query, variables) in [
        (world.leader().as_str(), mutation("acceptTask"), accepting.clone()),
        (world.leader().as_str(), mutation("acceptTask"), trying),
        (ANONYMOUS, mutation("acceptTask"), accepting),
        (OFFICE, "mutation { retryParkedEvents(name: \"timeline\") }".into(), json!({})),
    ] {
        let answer = replica.ask(token, &query, variables).await;
        assert_eq!(code(&answer.body), "READ_ONLY", "{query}: {}", answer.text);
        assert_eq!(answer.body.get("data").cloned().unwrap_or_default(), Value::Null);
    }
    assert_eq!(replica.store.pool().head().await.unwrap(), before);
    // Whoever follows the replica hears of what another process applies.
    let mut socket = Socket::open(&replica, OFFICE).await;
    socket.follow(first, json!({})).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let progress = json!({ "id": world.task, "percent": 40, "note": "推进" });
    house.done(&world.leader(), "reportTaskProgress", progress).await;
    let department = unit(house, "市质量技术中心", "440800").await;
    let renamed = json!({ "id": department, "name": "市质量发展中心", "reason": "机构改革" });
    house.done(OFFICE, "renameUnit", renamed).await;
    let next = carry(house, &shelf, first).await;
    assert_eq!(apply(&replica, std::slice::from_ref(&next)).await, house.head());
    for (position, kind) in
        (first + 1..).zip(["TaskAccepted", "TaskProgressReported", "UnitRegistered", "UnitRenamed"])
    {
        let event = socket.next().await;
        assert_eq!((&event["position"], &event["type"]), (&json!(position), &json!(kind)), "{event}");
    }
    let query = "query($id: ID!) { task(id: $id) { status progressPercent history(first: 10) { nodes { type actor hash } } } }";
    let asked = json!({ "id": world.task });
    assert_eq!(replica.ok(OFFICE, query, asked.clone()).await, house.ok(OFFICE, query, asked).await);
    are_alike(house, &replica).await;
    // The feed, page by page.
    let page = |house: &House| {
        let request = house.http().get(house.url("/events?after=0&limit=5000"));
        request.bearer_auth(OFFICE).header("accept", "application/json").send()
    };
    let (here, there): (Value, Value) = (
        page(house).await.unwrap().json().await.unwrap(),
        page(&replica).await.unwrap().json().await.unwrap(),
    );
    assert_eq!(there["position"], json!(house.head()));
    assert_eq!(there["events"], here["events"]);
    // All of it again is nothing new.
    assert_eq!(apply(&replica, &[next, bundles[0].clone()]).await, house.head());
    replica.leave().await;
});

story!(a_group_pulls_where_its_subscription_was_made, |house| {
    let shelf = tempfile::tempdir().unwrap();
    let world = World::new(house).await;
    let token = format!("dev:hub:INTEGRATOR:unit={}:region=440800", world.lead);
    let input = json!({ "name": "信用平台", "unitId": world.lead, "regionCode": "440800", "after": 0 });
    let made = tell(house, &token, "createSubscription", "CreateSubscriptionInput", input).await;
    let id = text(&made["eventSubscription"]["id"]);
    let bundle = carry(house, &shelf, 0).await;
    let mut replica = house.another().await;
    apply(&replica, &[bundle]).await;
    replica.restart_with(TimeReference::embedded()).await;
    let path = format!("/subscriptions/{id}/claim");
    let claim = async |house: &House| {
        let request = house.http().post(house.url(&path)).bearer_auth(&token).json(&json!({}));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, answer) = claim(&replica).await;
    assert_eq!((status, &answer["code"]), (409, &json!("READ_ONLY")), "{answer}");
    let (status, answer) = claim(house).await;
    assert_eq!(status, 200, "{answer}");
    // The subscription itself is seen, without having got anywhere.
    let query = "query($id: ID!) { eventSubscription(id: $id) { status progress { position behindCount } } }";
    let seen = replica.ok(&token, query, json!({ "id": id })).await;
    let progress = json!({ "position": 0, "behindCount": 0 });
    assert_eq!(seen["eventSubscription"], json!({ "status": "ACTIVE", "progress": progress }));
    replica.leave().await;
});

story!(a_database_with_a_life_of_its_own_becomes_no_replica, |house| {
    let shelf = tempfile::tempdir().unwrap();
    World::new(house).await;
    let bundle = carry(house, &shelf, 0).await;
    let own = house.another().await;
    unit(&own, "市某局", "440800").await;
    let process = own.another_store().await;
    let refused = process.apply(&[bundle], &[key().public()], |_, _, _| {}).await.unwrap_err();
    let named = matches!(refused, zhixing_event_store::Error::Bundle(BundleError::OwnLog { head: 1 }));
    assert!(named, "{refused}");
    process.pool().close().await;
    unit(&own, "市另一局", "440800").await;
    assert_eq!(own.head(), 2);
    own.leave().await;
});
