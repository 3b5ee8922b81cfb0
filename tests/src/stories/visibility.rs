//! What nobody in particular may see.
use serde_json::{Value, json};

use crate::{
    house::{ANONYMOUS, OFFICE, story},
    world::{HUNAN_2009, World, draft, indicator, task},
};

story!(a_draft_is_nobodys_business, |house| {
    let world = World::new(house).await;
    let shown = indicator(house, &world.plan, "ZJ-SHOWN", json!({})).await;
    let hidden_plan = draft(house, "ZJ-SECRET").await;
    let hidden_task = task(house, &hidden_plan, "1").await;
    let hidden = indicator(house, &hidden_plan, "ZJ-HIDDEN", json!({ "taskId": hidden_task })).await;
    world.assign(house, &hidden_task).await;
    for token in [ANONYMOUS, "dev:acme:ENTERPRISE"] {
        let query = "query($plan: ID!, $task: ID!, $unit: ID!, $hidden: [ID!]!) {
            plans { totalCount nodes { id } }
            tasks { totalCount nodes { id } }
            indicators { totalCount nodes { id } }
            ofUnit: tasks(where: { unit: $unit }) { totalCount }
            ofPlan: tasks(where: { plan: $plan }) { totalCount }
            measures: indicators(where: { plan: $plan }) { totalCount }
            ofTask: indicators(where: { task: $task }) { totalCount }
            byCode: plans(where: { code: \"ZJ-SECRET\" }) { totalCount }
            byText: tasks(where: { text: \"质量\" }) { totalCount }
            plan(id: $plan) { id } task(id: $task) { id }
            nodes(ids: $hidden) { id } }";
        let variables = json!({ "plan": hidden_plan, "task": hidden_task, "unit": world.lead,
            "hidden": [hidden_plan, hidden_task, hidden] });
        let data = house.ok(token, query, variables.clone()).await;
        assert_eq!(data["plans"], json!({ "totalCount": 1, "nodes": [{ "id": world.plan }] }));
        assert_eq!(data["tasks"], json!({ "totalCount": 1, "nodes": [{ "id": world.task }] }));
        assert_eq!(data["indicators"], json!({ "totalCount": 1, "nodes": [{ "id": shown }] }));
        for (name, count) in
            [("ofUnit", 1), ("ofPlan", 0), ("measures", 0), ("ofTask", 0), ("byCode", 0), ("byText", 1)]
        {
            assert_eq!(data[name]["totalCount"], count, "{name}");
        }
        assert_eq!((&data["plan"], &data["task"]), (&Value::Null, &Value::Null));
        assert_eq!(data["nodes"], json!([null, null, null]));
        let official = house.ok(OFFICE, query, variables).await;
        assert_eq!(official["plans"]["totalCount"], 2, "an official sees both");
    }
    // With its issue it becomes everybody's.
    house.done(OFFICE, "issuePlan", json!({ "id": hidden_plan })).await;
    let query = "{ plans { totalCount } tasks { totalCount } indicators { totalCount } }";
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    let two = json!({ "totalCount": 2 });
    assert_eq!(data, json!({ "plans": two, "tasks": two, "indicators": two }));
});

story!(a_published_object_does_not_lead_to_a_draft, |house| {
    let world = World::new(house).await;
    let hidden = draft(house, "ZJ-NEXT").await;
    let by = json!({ "id": world.plan, "byId": hidden, "reason": "修订" });
    let payload = house.act(OFFICE, "supersedePlan", by).await;
    if payload["errors"] == json!([]) {
        let query = "query($id: ID!) { plan(id: $id) { status supersededBy { code } } }";
        let data = house.ok(ANONYMOUS, query, json!({ "id": world.plan })).await;
        assert_eq!(data["plan"], json!({ "status": "SUPERSEDED", "supersededBy": null }));
    }
});

story!(names_of_officials_are_not_public, |house| {
    let world = World::new(house).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    house.done(OFFICE, "recordMeasurement", json!({ "id": id, "period": "2019Q1", "value": "1" })).await;
    let query = "query($task: ID!, $indicator: ID!) {
        task(id: $task) { history { totalCount nodes { type actor authenticationMethod actorUnit { name } } } }
        indicator(id: $indicator) { measurements { nodes { value actor } } } }";
    let variables = json!({ "task": world.task, "indicator": id });
    let answer = house.ask(ANONYMOUS, query, variables.clone()).await;
    let history = &answer.body["data"]["task"]["history"];
    assert_eq!(history["totalCount"], 3, "what happened is public");
    for event in history["nodes"].as_array().unwrap() {
        let who = ["actor", "authenticationMethod", "actorUnit"].map(|field| &event[field]);
        assert_eq!(who, [&Value::Null; 3], "{event}");
    }
    let measured = &answer.body["data"]["indicator"]["measurements"]["nodes"];
    assert_eq!(measured, &json!([{ "value": "1", "actor": null }]));
    assert!(!answer.text.contains("ann") && !answer.text.contains("wei"), "{}", answer.text);
    let official = house.ok(OFFICE, query, variables).await;
    assert_eq!(official["task"]["history"]["nodes"][2]["actor"], "wei");
});

story!(imports_are_for_officials, |house| {
    HUNAN_2009.import(house).await;
    let query = "{ dataImports { totalCount nodes { id } } }";
    let official = house.ok(OFFICE, query, json!({})).await;
    assert_eq!(official["dataImports"]["totalCount"], 1);
    let id = &official["dataImports"]["nodes"][0]["id"];
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    assert_eq!(data["dataImports"], json!({ "totalCount": 0, "nodes": [] }));
    let data = house.ok(ANONYMOUS, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id })).await;
    assert_eq!(data["node"], Value::Null);
});

story!(nobody_in_particular_changes_nothing, |house| {
    let world = World::new(house).await;
    let query = "query($task: ID!) { availableActions { action allowed }
        task(id: $task) { availableActions { action allowed } plan { availableActions { action allowed } } } }";
    let data = house.ok(ANONYMOUS, query, json!({ "task": world.task })).await;
    let lists = [
        &data["availableActions"],
        &data["task"]["availableActions"],
        &data["task"]["plan"]["availableActions"],
    ];
    for list in lists {
        let list = list.as_array().unwrap();
        // To tell of a violation is everybody's right, and the only one.
        let right = |action: &&Value| action["allowed"] == (action["action"] == "submitViolationReport");
        assert!(!list.is_empty() && list.iter().all(|action| right(&action)), "{list:?}");
    }
    let unit = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" });
    house.refused(ANONYMOUS, "registerUnit", unit, "NOT_PERMITTED").await;
});

story!(a_bad_token_is_not_nobody, |house| {
    for token in ["nonsense", "dev:ann:KING", "dev::AUDITOR", "dev:ann:AUDITOR:unit=x"] {
        let answer = house.ask(token, "{ plans { totalCount } }", json!({})).await;
        assert_eq!(answer.status, 401, "{token}: {}", answer.text);
        assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    }
});
