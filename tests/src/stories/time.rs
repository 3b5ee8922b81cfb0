//! What was, as it was.
use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{World, evidence, indicator},
};

const TASK: &str = "id version status progressPercent title leadUnits { name } evidence { title } updatedAt";

async fn as_of(house: &House, task: &str, then: &str) -> Value {
    let query = format!("query($id: ID!) {{ task(id: $id) {{ asOf({then}) {{ {TASK} }} }} }}");
    house.ok(OFFICE, &query, json!({ "id": task })).await["task"]["asOf"].take()
}

async fn now(house: &House, task: &str) -> Value {
    let query = format!("query($id: ID!) {{ task(id: $id) {{ {TASK} }} }}");
    house.ok(OFFICE, &query, json!({ "id": task })).await["task"].take()
}

story!(a_task_is_shown_as_it_was, |house| {
    let world = World::new(house).await;
    let before = house.clock.look();
    let mut moments = vec![(before, now(house, &world.task).await)];
    let steps = [
        ("acceptTask", json!({ "id": world.task })),
        (
            "reportTaskProgress",
            json!({ "id": world.task, "percent": 40, "note": "四成", "evidence": evidence() }),
        ),
        ("reportTaskCompletion", json!({ "id": world.task, "note": "完成", "evidence": evidence() })),
    ];
    for (action, input) in steps {
        house.clock.pass(Duration::days(1));
        house.done(&world.leader(), action, input).await;
        moments.push((house.clock.look(), now(house, &world.task).await));
    }
    for (version, (moment, shown)) in (2..).zip(&moments) {
        assert_eq!(&as_of(house, &world.task, &format!("version: {version}")).await, shown);
        assert_eq!(&as_of(house, &world.task, &format!("time: \"{}\"", moment.to_rfc3339())).await, shown);
    }
    let last = &moments.last().unwrap().1;
    assert_eq!(&as_of(house, &world.task, "version: 1000000").await, last, "later than the last is the last");
    assert_eq!(as_of(house, &world.task, "version: 0").await, Value::Null);
    assert_eq!(as_of(house, &world.task, "time: \"2018-01-01T00:00:00Z\"").await, Value::Null);
    let first = as_of(house, &world.task, "version: 1").await;
    assert_eq!((&first["status"], &first["leadUnits"]), (&json!("REGISTERED"), &json!([])));
    for then in ["version: -1", "", "version: 1, time: \"2019-06-15T00:00:00Z\""] {
        let argument = if then.is_empty() { String::new() } else { format!("({then})") };
        let query = format!("query($id: ID!) {{ task(id: $id) {{ asOf{argument} {{ id }} }} }}");
        let answer = house.ask(OFFICE, &query, json!({ "id": world.task })).await;
        let error = &answer.body["errors"][0]["extensions"];
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID_INPUT"), &json!("version")), "{then}");
    }
});

story!(history_of_the_past_ends_there, |house| {
    let world = World::new(house).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let query = "query($id: ID!) { task(id: $id) { asOf(version: 2) {
        history(last: 1) { totalCount pageInfo { hasNextPage hasPreviousPage } nodes { type } } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    let history = &data["task"]["asOf"]["history"];
    assert_eq!(history["totalCount"], 2);
    assert_eq!(history["nodes"], json!([{ "type": "TaskUnitsAssigned" }]));
    assert_eq!(history["pageInfo"], json!({ "hasNextPage": false, "hasPreviousPage": true }));
});

story!(measurements_before_and_after_a_correction, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    for (period, value) in [("2019Q1", "0.1"), ("2019Q2", "0.1")] {
        house.done(OFFICE, "recordMeasurement", json!({ "id": id, "period": period, "value": value })).await;
    }
    let right = json!({ "id": id, "number": 2, "value": "0.2", "reason": "漏报一批" });
    house.done(OFFICE, "correctMeasurement", right).await;
    let query = "query($id: ID!, $all: Boolean!) { indicator(id: $id) { now: measurements(where: { includeCorrected: $all }) {
            totalCount nodes { number value formerValue reason } } attainment { value met }
        then: asOf(version: 3) { measurements(where: { includeCorrected: $all }) { totalCount nodes { number value } }
            attainment { value met } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": id, "all": false })).await;
    let (now, then) = (&data["indicator"], &data["indicator"]["then"]);
    assert_eq!(now["attainment"], json!({ "value": "0.3", "met": true }));
    assert_eq!(then["attainment"], json!({ "value": "0.2", "met": false }));
    assert_eq!(
        now["now"]["nodes"],
        json!([
            { "number": 1, "value": "0.1", "formerValue": null, "reason": null },
            { "number": 2, "value": "0.2", "formerValue": "0.1", "reason": "漏报一批" },
        ])
    );
    let measured = json!([{ "number": 1, "value": "0.1" }, { "number": 2, "value": "0.1" }]);
    assert_eq!(then["measurements"]["nodes"], measured);
    let data = house.ok(OFFICE, query, json!({ "id": id, "all": true })).await;
    assert_eq!(data["indicator"]["now"]["totalCount"], 3);
    assert_eq!(data["indicator"]["then"]["measurements"]["totalCount"], 2);
});
