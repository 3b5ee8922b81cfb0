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

story!(the_tree_tells_who_answered_on_which_day, |house| {
    let world = World::new(house).await;
    let heir = unit(house, "市市场监督管理局", "440800").await;
    let mut child =
        json!({ "planId": world.plan, "number": "1.1", "parentId": world.task, "assignment": "EXPLICIT" });
    child["content"] = crate::world::task_content("专项检查");
    let child = text(&house.done(OFFICE, "registerTask", child).await["id"]);
    wait_until(house, "2019-07-01");
    let input = json!({ "id": world.task, "reason": "职能调整",
        "responsibility": { "leadUnitIds": [heir], "supportingUnitIds": [] } });
    house.done(OFFICE, "reassignTaskUnits", input).await;
    wait_until(house, "2019-07-05");
    world.assign(house, &child).await;
    task(house, &world.plan, "2").await;
    let query = "query($id: ID!, $on: Date, $skip: Int! = 0) { plan(id: $id) { taskTree(on: $on, skip: $skip) { on totalRows
        rows { depth children task { number leadUnits { name } supportingUnits { name } } } } } }";
    let tree = async |on: Option<&str>| {
        let data = house.ok(OFFICE, query, json!({ "id": world.plan, "on": on })).await;
        data["plan"]["taskTree"].clone()
    };
    let row = |depth: i32, children: i32, number: &str, leads: &[&str], supporters: &[&str]| {
        let named = |units: &[&str]| units.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>();
        json!({ "depth": depth, "children": children,
            "task": { "number": number, "leadUnits": named(leads), "supportingUnits": named(supporters) } })
    };
    let (old, new, support) = (["市市场监管局"], ["市市场监督管理局"], ["市农业农村局"]);
    let june = tree(Some("2019-06-30")).await;
    assert_eq!(june["rows"], json!([row(0, 1, "1", &old, &support), row(1, 0, "1.1", &[], &[])]));
    let july = tree(Some("2019-07-01")).await;
    assert_eq!(july["rows"], json!([row(0, 1, "1", &new, &[]), row(1, 0, "1.1", &[], &[])]));
    let now = tree(None).await;
    assert_eq!((&now["on"], &now["totalRows"]), (&json!("2019-07-05"), &json!(3)));
    assert_eq!(now["rows"][1], row(1, 0, "1.1", &old, &support));
    assert_eq!(tree(Some("2018-12-31")).await["rows"], json!([]), "nothing was there yet");
    let page = house.ok(OFFICE, query, json!({ "id": world.plan, "skip": 2 })).await;
    assert_eq!(page["plan"]["taskTree"]["rows"], json!([row(0, 0, "2", &[], &[])]));
    let changes =
        "query($id: ID!) { task(id: $id) { assignments { from until leadUnits { name } event { type } } } }";
    let data = house.ok(OFFICE, changes, json!({ "id": world.task })).await;
    let told = json!([
        { "from": "2019-06-15", "until": "2019-07-01", "leadUnits": [{ "name": "市市场监管局" }],
            "event": { "type": "TaskUnitsAssigned" } },
        { "from": "2019-07-01", "until": null, "leadUnits": [{ "name": "市市场监督管理局" }],
            "event": { "type": "TaskUnitsReassigned" } },
    ]);
    assert_eq!(data["task"]["assignments"], told);
});
