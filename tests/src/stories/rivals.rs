//! Several at the same thing at the same time.
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    house::{OFFICE, OFFICE_TOO, story},
    world::{World, task_content, text},
};

story!(two_officials_edit_the_same_task, |house| {
    let world = World::new(house).await;
    let seen = json!({ "expectedVersion": 2 });
    let edit = async |token: &str, title: &str| {
        let input = json!({ "id": world.task, "content": task_content(title) });
        house.act_so(token, "amendTask", input, seen.clone()).await
    };
    let (one, two) = tokio::join!(edit(OFFICE, "甲的题目"), edit(OFFICE_TOO, "乙的题目"));
    let (winner, loser) = if one["errors"] == json!([]) { (one, two) } else { (two, one) };
    assert_eq!((&winner["errors"], &winner["object"]["version"]), (&json!([]), &json!(3)));
    let refusal = &loser["errors"][0];
    assert_eq!(refusal["__typename"], "VersionConflict");
    assert_eq!((&refusal["expected"], &refusal["actual"]), (&json!(2), &json!(3)));
    assert_eq!((&loser["object"], &loser["position"]), (&Value::Null, &Value::Null));
    let query = "query($id: ID!) { task(id: $id) { version title } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"]["version"], 3);
    assert_eq!(data["task"]["title"], winner["events"][0]["data"]["content"]["title"]);
});

story!(whoever_does_not_ask_takes_turns, |house| {
    let world = World::new(house).await;
    let edit = async |token: &str, title: &str| {
        house.done(token, "amendTask", json!({ "id": world.task, "content": task_content(title) })).await
    };
    let (one, two) = tokio::join!(edit(OFFICE, "甲的题目"), edit(OFFICE_TOO, "乙的题目"));
    let mut versions = [one["version"].as_i64().unwrap(), two["version"].as_i64().unwrap()];
    versions.sort_unstable();
    assert_eq!(versions, [3, 4]);
});

story!(twenty_reports_at_once_are_all_recorded, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    house.done(&leader, "acceptTask", json!({ "id": world.task })).await;
    let before = house.head();
    let reports = (0..20).map(|percent| {
        let input = json!({ "id": world.task, "percent": percent, "note": format!("第{percent}次") });
        house.act(&leader, "reportTaskProgress", input)
    });
    let payloads = join_all(reports).await;
    let mut positions = Vec::new();
    let mut versions = Vec::new();
    for payload in &payloads {
        assert_eq!(payload["errors"], json!([]));
        positions.push(payload["position"].as_i64().unwrap());
        versions.push(payload["object"]["version"].as_i64().unwrap());
    }
    positions.sort_unstable();
    versions.sort_unstable();
    assert_eq!(positions, (before + 1..=before + 20).collect::<Vec<_>>(), "positions have no gap");
    assert_eq!(versions, (4..=23).collect::<Vec<_>>(), "versions have no gap");
    let query =
        "query($id: ID!) { task(id: $id) { history(first: 100) { nodes { version position data } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    let history = data["task"]["history"]["nodes"].as_array().unwrap();
    let mut notes: Vec<_> = history[3..].iter().map(|event| text(&event["data"]["note"])).collect();
    notes.sort_unstable();
    notes.dedup();
    assert_eq!(notes.len(), 20, "none was lost or doubled");
    assert!(
        history.is_sorted_by_key(|event| event["position"].as_i64()),
        "versions are in order of positions"
    );
});

story!(one_of_many_gets_the_unique_name, |house| {
    let register = (0..12).map(|at| {
        let input = json!({ "name": "市市场监管局", "kind": "DEPARTMENT", "regionCode": "440800",
            "note": format!("第{at}个") });
        house.act(OFFICE, "registerUnit", input)
    });
    let payloads = join_all(register).await;
    let won: Vec<_> = payloads.iter().filter(|payload| payload["errors"] == json!([])).collect();
    assert_eq!(won.len(), 1);
    for payload in payloads.iter().filter(|payload| payload["errors"] != json!([])) {
        let refusal = &payload["errors"][0];
        assert_eq!((&refusal["__typename"], &refusal["field"]), (&json!("AlreadyExists"), &json!("name")));
        assert_eq!(refusal["existingId"], won[0]["object"]["id"]);
    }
    assert_eq!(house.head(), 1);
});
