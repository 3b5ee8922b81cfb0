//! The feed over GraphQL, and what begins with where everything stands.
use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{
    follow::Socket,
    house::{ANONYMOUS, House, OFFICE, story},
    world::{World, draft, text, unit},
};

const FEED: &str = "subscription($after: Position, $where: ChangeWhere, $snapshot: Boolean! = false, $beat: Int! = 15) {
    feed(after: $after, where: $where, snapshot: $snapshot, heartbeatSeconds: $beat) {
        __typename
        ... on Event { position type subjectId version statusTo }
        ... on FeedSnapshot { position remaining objects { subjectId kind status version regionCode subject { id } } }
        ... on CaughtUp { position }
        ... on Heartbeat { position head } } }";

async fn follow(house: &House, token: &str, variables: Value) -> Socket {
    let mut socket = Socket::open(house, token).await;
    let payload = json!({ "query": FEED, "variables": variables });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    socket
}

async fn told(socket: &mut Socket) -> (String, Value) {
    let mut message = socket.receive().await;
    let told = message["payload"]["data"]["feed"].take();
    assert!(told.is_object(), "{message}");
    (text(&told["__typename"]), told)
}

/// What a copy holds of each object: version and status.
type Copy = BTreeMap<String, (i64, String)>;

async fn begin(house: &House, token: &str, filter: Value) -> (Socket, Copy, i64) {
    let mut socket = follow(house, token, json!({ "snapshot": true, "where": filter })).await;
    let (mut copy, mut position) = (Copy::new(), 0);
    loop {
        let (name, told) = told(&mut socket).await;
        if name == "CaughtUp" {
            assert_eq!(told["position"], position);
            return (socket, copy, position);
        }
        assert_eq!(name, "FeedSnapshot");
        position = told["position"].as_i64().unwrap();
        for object in told["objects"].as_array().unwrap() {
            assert_eq!(object["subject"]["id"], object["subjectId"]);
            let version = object["version"].as_i64().unwrap();
            copy.insert(text(&object["subjectId"]), (version, text(&object["status"])));
        }
    }
}

/// What the copy would be, told from the first event.
async fn from_the_beginning(house: &House, token: &str, filter: Value) -> Copy {
    let mut socket = follow(house, token, json!({ "after": 0, "where": filter })).await;
    let mut copy = Copy::new();
    loop {
        let (name, told) = told(&mut socket).await;
        if name == "CaughtUp" {
            return copy;
        }
        keep(&mut copy, &told);
    }
}

fn keep(copy: &mut Copy, event: &Value) {
    let known = copy.entry(text(&event["subjectId"])).or_default();
    known.0 = event["version"].as_i64().unwrap();
    if let Some(status) = event["statusTo"].as_str() {
        known.1 = status.into();
    }
}

story!(a_copy_begins_with_a_snapshot_and_goes_on, |house| {
    let world = World::new(house).await;
    let (mut socket, mut copy, position) = begin(house, OFFICE, json!({})).await;
    assert_eq!(position, house.head());
    assert_eq!(copy, from_the_beginning(house, OFFICE, json!({})).await);
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    unit(house, "市商务局", "440800").await;
    for expected in [position + 1, position + 2] {
        let (name, event) = told(&mut socket).await;
        assert_eq!((name.as_str(), &event["position"]), ("Event", &json!(expected)));
        keep(&mut copy, &event);
    }
    assert_eq!(copy, from_the_beginning(house, OFFICE, json!({})).await);
    // Narrowed.
    let tasks = json!({ "kinds": ["TASK"], "region": "440000" });
    let (_, copy, _) = begin(house, OFFICE, tasks.clone()).await;
    assert_eq!(copy, [(world.task.clone(), (3, "ACCEPTED".to_owned()))].into());
    assert_eq!(begin(house, OFFICE, json!({ "region": "620000" })).await.1, Copy::new());
    assert_eq!(begin(house, OFFICE, json!({ "subjects": [world.lead] })).await.1.len(), 1);
});

story!(a_snapshot_shows_nobody_what_they_may_not_see, |house| {
    let world = World::new(house).await;
    let secret = draft(house, "ZJ-SECRET").await;
    let elsewhere = "dev:hub:INTEGRATOR:region=620000";
    let (_, copy, _) = begin(house, elsewhere, json!({})).await;
    assert!(copy.contains_key(&world.task) && !copy.contains_key(&secret));
    assert!(begin(house, OFFICE, json!({})).await.1.contains_key(&secret));
    let mut socket = follow(house, ANONYMOUS, json!({ "snapshot": true })).await;
    let refused = socket.receive().await;
    assert!(refused.to_string().contains("NOT_PERMITTED"), "{refused}");
});

story!(what_no_snapshot_can_be_is_named, |house| {
    World::new(house).await;
    let asked = [
        (json!({ "snapshot": true, "after": 1 }), "after"),
        (json!({ "snapshot": true, "where": { "types": ["TaskAccepted"] } }), "where.types"),
        (json!({ "beat": 0 }), "heartbeatSeconds"),
        (json!({ "after": 999_999 }), "after"),
        (json!({ "where": { "types": ["TaskFlew"] } }), "where.types[0]"),
    ];
    for (variables, field) in asked {
        let mut socket = follow(house, OFFICE, variables.clone()).await;
        let refused = socket.receive().await;
        assert!(refused.to_string().contains(&format!("\"field\":\"{field}\"")), "{variables}: {refused}");
    }
    for (query, field) in [
        ("snapshot=true&after=1", "after"),
        ("snapshot=true&units=x", "units"),
        ("snapshot=maybe", "snapshot"),
    ] {
        let response =
            house.http().get(house.url(&format!("/events?{query}"))).bearer_auth(OFFICE).send().await;
        let problem: Value = response.unwrap().json().await.unwrap();
        assert_eq!(problem["field"], field, "{query}");
    }
});

story!(a_page_begins_with_a_snapshot, |house| {
    let world = World::new(house).await;
    let head = house.head();
    let url = house.url("/events?snapshot=true&kinds=TASK");
    let response = house.http().get(url).bearer_auth(OFFICE).send().await.unwrap();
    let page: Value = response.json().await.unwrap();
    assert_eq!((&page["position"], &page["events"]), (&json!(head), &json!([])));
    let [task] = page["snapshot"].as_array().unwrap().as_slice() else { panic!("{page}") };
    assert_eq!(
        (&task["subject"], &task["status"], &task["subjectversion"]),
        (&json!(world.task), &json!("ASSIGNED"), &json!(2))
    );
});

story!(lines_begin_with_a_snapshot, |house| {
    let world = World::new(house).await;
    let position = house.head();
    let lines = async |query: &str| {
        let request = house.http().get(house.url(&format!("/events?{query}"))).bearer_auth(OFFICE);
        let response = request.header("accept", "application/x-ndjson").send().await.unwrap();
        let through = response.headers()["zhixing-through"].to_str().unwrap().parse::<i64>().unwrap();
        let body = response.text().await.unwrap();
        let lines = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        (lines, through)
    };
    let (snapshot, through) = lines("snapshot=true&kinds=TASK").await;
    let [part] = snapshot.as_slice() else { panic!("{snapshot:?}") };
    assert_eq!((&part["position"], &part["remaining"], through), (&json!(position), &json!(0), position));
    assert_eq!(part["objects"][0]["subject"], world.task);
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let (events, _) = lines(&format!("after={through}&kinds=TASK")).await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&event["subject"], &event["statusto"]), (&json!(world.task), &json!("ACCEPTED")));
});

story!(silence_is_told_by_heartbeats, |house| {
    World::new(house).await;
    let mut socket = follow(house, OFFICE, json!({ "where": { "kinds": ["SURVEY"] }, "beat": 1 })).await;
    assert_eq!(told(&mut socket).await.0, "CaughtUp");
    unit(house, "市商务局", "440800").await;
    let head = house.head();
    loop {
        let (name, beat) = told(&mut socket).await;
        assert_eq!((name.as_str(), &beat["position"]), ("Heartbeat", &beat["head"]));
        if beat["position"] == head {
            break;
        }
    }
});
