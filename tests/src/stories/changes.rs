//! Following the changes: every one, once, in order, however often the line breaks.
use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    follow::{CHANGES, Socket, Sse},
    house::{House, OFFICE, story},
    world::{World, unit},
};

fn position(change: &Value) -> i64 {
    change["position"].as_i64().unwrap()
}

/// Registers `count` units, one after the other.
async fn write(house: &House, who: usize, count: usize) {
    for at in 0..count {
        unit(house, &format!("第{who}处第{at}科"), "440800").await;
    }
}

const WRITERS: usize = 8;
const EACH: usize = 12;

/// What a filter should let through.
type Wanted = fn(&Value, &World) -> bool;

story!(catching_up_then_live, |house| {
    World::new(house).await;
    let head = house.head();
    let mut socket = Socket::open(house, OFFICE).await;
    socket.follow(0, json!({})).await;
    for expected in 1..=head {
        assert_eq!(position(&socket.next().await), expected);
    }
    for expected in head + 1..head + 4 {
        unit(house, &format!("第{expected}科"), "440800").await;
        let change = socket.next().await;
        assert_eq!((position(&change), &change["type"]), (expected, &json!("UnitRegistered")));
    }
    assert!(socket.is_quiet().await);
});

story!(a_cut_line_is_taken_up_by_position_while_eight_write, |house| {
    write(house, 99, 5).await;
    let total = i64::try_from(5 + WRITERS * EACH).unwrap();
    let writing = join_all((0..WRITERS).map(|who| write(house, who, EACH)));
    let reading = async {
        let mut seen: Vec<i64> = Vec::new();
        let mut lines = 0;
        while seen.last() != Some(&total) {
            lines += 1;
            let mut socket = Socket::open(house, OFFICE).await;
            socket.follow(seen.last().copied().unwrap_or(0), json!({})).await;
            // The line breaks after some changes, without a word.
            for _ in 0..7 + lines {
                seen.push(position(&socket.next().await));
                if seen.last() == Some(&total) {
                    break;
                }
            }
        }
        assert!(lines > 3, "the line broke often enough");
        seen
    };
    let (_, seen) = tokio::join!(writing, reading);
    assert_eq!(seen, (1..=total).collect::<Vec<_>>());
});

story!(the_same_over_server_sent_events, |house| {
    write(house, 99, 5).await;
    let total = i64::try_from(5 + WRITERS * EACH).unwrap();
    let writing = join_all((0..WRITERS).map(|who| write(house, who, EACH)));
    let reading = async {
        let mut seen: Vec<i64> = Vec::new();
        while seen.last() != Some(&total) {
            let mut stream = Sse::follow(house, OFFICE, seen.last().copied().unwrap_or(0), json!({})).await;
            for _ in 0..17 {
                seen.push(position(&stream.next().await));
                if seen.last() == Some(&total) {
                    break;
                }
            }
        }
        seen
    };
    let (_, seen) = tokio::join!(writing, reading);
    assert_eq!(seen, (1..=total).collect::<Vec<_>>());
});

story!(only_what_was_asked_for, |house| {
    let world = World::new(house).await;
    let elsewhere = unit(house, "省质监局", "430000").await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let aliases = json!({ "id": elsewhere, "aliases": ["湖南省质监局"] });
    house.done(OFFICE, "addUnitAliases", aliases).await;
    let mut socket = Socket::open(house, OFFICE).await;
    socket.follow(0, json!({})).await;
    let mut all = Vec::new();
    for _ in 0..house.head() {
        all.push(socket.next().await);
    }
    let filters: [(Value, Wanted); 7] = [
        (json!({ "kinds": ["TASK", "PLAN"] }), |change, _| change["kind"] != "UNIT"),
        (json!({ "types": ["TaskAccepted", "PlanIssued"] }), |change, _| {
            change["type"] == "TaskAccepted" || change["type"] == "PlanIssued"
        }),
        (json!({ "subjects": [world.task] }), |change, world| change["subjectId"] == world.task.as_str()),
        (json!({ "region": "430000" }), |change, _| change["regionCode"] == "430000"),
        (json!({ "region": "440000" }), |change, _| change["regionCode"] == "440800"),
        (json!({ "units": [world.lead] }), |change, _| change["type"] == "TaskAccepted"),
        (json!({ "statusChangesOnly": true }), |change, _| change["statusFrom"] != change["statusTo"]),
    ];
    for (filter, wanted) in filters {
        let expected: Vec<i64> = all.iter().filter(|change| wanted(change, &world)).map(position).collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{filter} narrows");
        let mut socket = Socket::open(house, OFFICE).await;
        socket.follow(0, filter.clone()).await;
        for position_wanted in &expected {
            assert_eq!(position(&socket.next().await), *position_wanted, "{filter}");
        }
        assert!(socket.is_quiet().await, "{filter}: nothing else");
        let mut stream = Sse::follow(house, OFFICE, 0, filter).await;
        assert_eq!(position(&stream.next().await), expected[0]);
    }
});

story!(without_a_position_it_begins_now, |house| {
    unit(house, "市商务局", "440800").await;
    let mut socket = Socket::open(house, "dev:desk:INTEGRATOR").await;
    let payload = json!({ "query": "subscription { changes { position } }" });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    assert!(socket.is_quiet().await);
    unit(house, "市教育局", "440800").await;
    assert_eq!(position(&socket.next().await), 2);
});

story!(nobody_in_particular_may_not_follow, |house| {
    unit(house, "市商务局", "440800").await;
    for token in ["", "dev:acme:ENTERPRISE"] {
        let mut socket = Socket::open(house, token).await;
        socket.follow(0, json!({})).await;
        let refusal = socket.receive().await;
        assert_eq!(refusal["type"], "error", "{refusal}");
        assert_eq!(refusal["payload"][0]["extensions"]["code"], "NOT_PERMITTED");
        let mut stream = Sse::follow(house, token, 0, json!({})).await;
        let (_, data) = stream.event().await;
        assert!(data.contains("NOT_PERMITTED") && !data.contains("UnitRegistered"), "{data}");
    }
});

story!(a_position_that_is_not_there_is_refused, |house| {
    unit(house, "市商务局", "440800").await;
    for after in [json!(2), json!(-1), json!("1"), json!(1.5), json!(i64::MAX), json!(1e30)] {
        let mut socket = Socket::open(house, OFFICE).await;
        let payload = json!({ "query": CHANGES, "variables": { "after": after } });
        socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
        let refusal = socket.receive().await;
        assert_eq!(refusal["type"], "error", "{after}: {refusal}");
        let error = &refusal["payload"][0]["extensions"];
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID_INPUT"), &json!("after")), "{after}");
    }
});

story!(several_on_one_socket_do_not_disturb_each_other, |house| {
    let mut socket = Socket::open(house, OFFICE).await;
    for id in ["a", "b", "c"] {
        let payload = json!({ "query": CHANGES, "variables": { "after": 0 } });
        socket.send(json!({ "id": id, "type": "subscribe", "payload": payload })).await;
    }
    write(house, 1, 3).await;
    let mut seen = BTreeSet::new();
    for _ in 0..9 {
        let message = socket.receive().await;
        let change = &message["payload"]["data"]["changes"];
        assert!(seen.insert((message["id"].to_string(), position(change))), "{message}");
    }
    socket.send(json!({ "id": "b", "type": "complete" })).await;
    // The answer to a ping comes behind the completion.
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.receive().await["type"], "pong");
    write(house, 2, 1).await;
    let mut ids = [socket.receive().await["id"].clone(), socket.receive().await["id"].clone()];
    ids.sort_by_key(Value::to_string);
    assert_eq!(ids, [json!("a"), json!("c")]);
    assert!(socket.is_quiet().await);
});
