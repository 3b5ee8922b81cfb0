//! A unit is merged, and its tasks go over to the one that goes on: together, where they stand, and on record.
use serde_json::{Value, json};

use crate::{
    days::wait_until,
    house::{ERRORS, House, OFFICE, story},
    world::{World, draft, evidence, task, text, unit},
};

async fn transfer(house: &House, token: &str, input: Value) -> Value {
    let query = format!(
        "mutation($input: TransferTasks!) {{ transferTasks(input: $input) {{ transferred position {ERRORS} }} }}"
    );
    house.ok(token, &query, json!({ "input": input })).await["transferTasks"].take()
}

async fn responsible(house: &House, id: &str, day: Option<&str>) -> Value {
    let query =
        "query($id: ID!, $time: DateTime!) { task(id: $id) { asOf(time: $time) { status leadUnits { name }
        supportingUnits { name } } } }";
    let time = format!("{}T15:59:59Z", day.unwrap_or("2019-12-31"));
    house.ok(OFFICE, query, json!({ "id": id, "time": time })).await["task"]["asOf"].take()
}

story!(the_tasks_of_a_merged_unit_go_over_where_they_stand, |house| {
    let world = World::new(house).await;
    let heir = unit(house, "市市场监督管理局", "440800").await;
    let (supported, done, other_plan) = (
        task(house, &world.plan, "2").await,
        task(house, &world.plan, "3").await,
        draft(house, "ZJ-OTHER").await,
    );
    // Task 2 is led by the heir and supported by the unit that ends; task 3 is over; task 1 of another plan is not.
    let input = json!({ "id": supported, "responsibility": { "leadUnitIds": [heir], "supportingUnitIds": [world.lead] } });
    house.done(OFFICE, "assignTaskUnits", input).await;
    world.assign(house, &done).await;
    house.done(OFFICE, "cancelTask", json!({ "id": done, "reason": "不再需要" })).await;
    let elsewhere = task(house, &other_plan, "1").await;
    world.assign(house, &elsewhere).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let progress = json!({ "id": world.task, "percent": 60, "note": "已抽查三批", "evidence": evidence() });
    house.done(&world.leader(), "reportTaskProgress", progress).await;

    wait_until(house, "2019-06-20");
    house.done(OFFICE, "mergeUnit", json!({ "id": world.lead, "intoId": heir, "reason": "机构改革" })).await;
    wait_until(house, "2019-06-24");
    let input =
        json!({ "fromUnitId": world.lead, "toUnitId": heir, "planId": world.plan, "reason": "机构改革" });
    let head = house.head();
    // All or none, and only by the office: of this region.
    for person in [world.leader(), "dev:far:LEADING_GROUP_OFFICE:region=620000".into()] {
        let refused = transfer(house, &person, input.clone()).await;
        assert_eq!(
            (&refused["transferred"], &refused["errors"][0]["code"]),
            (&json!(0), &json!("NOT_PERMITTED"))
        );
    }
    let back = json!({ "fromUnitId": heir, "toUnitId": world.lead, "reason": "改回" });
    let refused = transfer(house, OFFICE, back).await;
    assert_eq!(
        (&refused["errors"][0]["code"], &refused["errors"][0]["field"]),
        (&json!("INVALID_INPUT"), &json!("toUnitId")),
        "a unit that is no more takes nothing"
    );
    let mut silent = input.clone();
    silent["reason"] = json!(" ");
    let refused = transfer(house, OFFICE, silent).await;
    assert_eq!(refused["errors"][0]["field"], "reason");
    assert_eq!(house.head(), head, "a refusal left a trace");

    let payload = transfer(house, OFFICE, input.clone()).await;
    assert_eq!((&payload["transferred"], &payload["errors"]), (&json!(2), &json!([])));
    assert_eq!(house.head(), head + 2);
    let again = transfer(house, OFFICE, input).await;
    assert_eq!((&again["transferred"], &again["position"]), (&json!(0), &Value::Null), "nothing is left");

    let heirs = json!([{ "name": "市市场监督管理局" }]);
    let now = responsible(house, &world.task, None).await;
    assert_eq!((&now["status"], &now["leadUnits"]), (&json!("IN_PROGRESS"), &heirs));
    let now = responsible(house, &supported, None).await;
    assert_eq!(
        (&now["leadUnits"], &now["supportingUnits"]),
        (&heirs, &json!([])),
        "nobody leads and supports"
    );
    // Who answered for it on the day of the merger is still known.
    let before = responsible(house, &world.task, Some("2019-06-20")).await;
    assert_eq!(before["leadUnits"], json!([{ "name": "市市场监管局" }]));
    for untouched in [&done, &elsewhere] {
        let now = responsible(house, untouched, None).await;
        assert_eq!(now["leadUnits"], json!([{ "name": "市市场监管局" }]));
    }
    // On record, and the heir goes on where the other stood; all of the rest follows without a plan.
    let query = "query($id: ID!) { task(id: $id) { history(last: 1) { nodes { type actor data } } } }";
    let event =
        house.ok(OFFICE, query, json!({ "id": world.task })).await["task"]["history"]["nodes"][0].take();
    assert_eq!((&event["type"], &event["actor"]), (&json!("TaskUnitsTransferred"), &json!("ann")));
    assert_eq!(event["data"], json!({ "from": world.lead, "to": heir, "reason": "机构改革" }));
    let officer = format!("dev:fang:UNIT_OFFICER:unit={heir}");
    let completion = json!({ "id": world.task, "note": "全部完成", "evidence": evidence() });
    house.refused(&world.leader(), "reportTaskCompletion", completion.clone(), "NOT_PERMITTED").await;
    house.done(&officer, "reportTaskCompletion", completion).await;
    let rest = json!({ "fromUnitId": world.lead, "toUnitId": heir, "reason": "机构改革" });
    assert_eq!(transfer(house, OFFICE, rest).await["transferred"], 1);
    let query = "query($unit: ID!) { tasks(where: { leadUnit: $unit }) { nodes { number } } }";
    let left = house.ok(OFFICE, query, json!({ "unit": world.lead })).await["tasks"]["nodes"].take();
    assert_eq!(left, json!([{ "number": "3" }]), "what is over stays with whoever did it");
    assert_eq!(text(&responsible(house, &elsewhere, None).await["status"]), "ASSIGNED");
});
