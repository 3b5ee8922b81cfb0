//! A task from its acceptance to its verification by a second pair of eyes.
use serde_json::{Value, json};

use crate::{
    house::{ERRORS, House, OFFICE, OFFICE_TOO, story},
    world::{World, evidence, task, task_content, text, unit},
};

async fn status(house: &House, task: &str) -> String {
    let data = house.ok(OFFICE, "query($id: ID!) { task(id: $id) { status } }", json!({ "id": task })).await;
    text(&data["task"]["status"])
}

/// What the actions of a task would take, each well-formed.
fn inputs(world: &World) -> Vec<(&'static str, Value)> {
    let id = &world.task;
    let other = json!({ "leadUnitIds": [world.support], "supportingUnitIds": [] });
    vec![
        ("amendTask", json!({ "id": id, "content": task_content("换个题目") })),
        ("assignTaskUnits", json!({ "id": id, "responsibility": world.responsibility() })),
        ("reassignTaskUnits", json!({ "id": id, "responsibility": other, "reason": "机构改革" })),
        ("declineTask", json!({ "id": id, "ground": "OTHER", "reason": "人手不足" })),
        ("arbitrateTask", json!({ "id": id, "responsibility": other, "reason": "由主管部门牵头" })),
        (
            "transferTaskUnits",
            json!({ "id": id, "fromUnitId": world.support, "toUnitId": world.lead, "reason": "机构改革" }),
        ),
        ("acceptTask", json!({ "id": id })),
        ("reportTaskProgress", json!({ "id": id, "percent": 50, "note": "过半" })),
        ("reportTaskCompletion", json!({ "id": id, "note": "完成", "evidence": evidence() })),
        ("returnTask", json!({ "id": id, "reason": "佐证不足" })),
        ("verifyTaskCompletion", json!({ "id": id })),
        ("cancelTask", json!({ "id": id, "reason": "不再需要" })),
    ]
}

/// For everybody, what `availableActions` says is what the mutation then does.
async fn actions_keep_their_word(house: &House, world: &World) {
    let people = [OFFICE, OFFICE_TOO, &world.leader(), &world.supporter(), "dev:eve:AUDITOR", ""];
    for person in people {
        let query = format!(
            "query($id: ID!) {{ task(id: $id) {{ status availableActions {{ action allowed reasons {} }} }} }}",
            ERRORS.trim_start_matches("errors")
        );
        let data = house.ok(person, &query, json!({ "id": world.task })).await;
        let actions = data["task"]["availableActions"].as_array().unwrap();
        assert_eq!(actions.len(), inputs(world).len(), "every action is there, possible or not");
        for (action, input) in inputs(world) {
            let said = actions.iter().find(|said| said["action"] == action).unwrap();
            let payload = house.act_so(person, action, input, json!({ "dryRun": true })).await;
            let who = format!("{person}: {action} while {}", data["task"]["status"]);
            assert_eq!(said["allowed"] == true, payload["errors"] == json!([]), "{who}: {said} {payload}");
            assert_eq!(said["reasons"], payload["errors"], "{who}");
        }
    }
}

story!(from_acceptance_to_verification_with_four_eyes, |house| {
    let world = World::new(house).await;
    let (leader, id) = (world.leader(), world.task.clone());
    let completion = json!({ "id": id, "note": "全部完成", "evidence": evidence() });
    actions_keep_their_word(house, &world).await;

    house.done(&leader, "acceptTask", json!({ "id": id })).await;
    actions_keep_their_word(house, &world).await;
    let half = json!({ "id": id, "percent": 50, "note": "过半", "evidence": evidence() });
    house.done(&leader, "reportTaskProgress", half).await;
    house.done(&leader, "reportTaskCompletion", completion.clone()).await;
    actions_keep_their_word(house, &world).await;

    house.done(OFFICE, "returnTask", json!({ "id": id, "reason": "缺少检查报告" })).await;
    actions_keep_their_word(house, &world).await;
    let more = json!({ "id": id, "percent": 90, "note": "补充佐证" });
    house.done(&world.supporter(), "reportTaskProgress", more).await;
    house.done(&leader, "reportTaskCompletion", completion).await;
    house.done(OFFICE, "verifyTaskCompletion", json!({ "id": id, "note": "属实" })).await;
    actions_keep_their_word(house, &world).await;

    let query = "query($id: ID!) { task(id: $id) { status version progressPercent progressNote returnedReason
        evidence { title } history(first: 100) { nodes { type version statusFrom statusTo actor } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": id })).await;
    let task = &data["task"];
    assert_eq!((&task["status"], &task["version"]), (&json!("VERIFIED"), &json!(9)));
    assert_eq!((&task["progressPercent"], &task["returnedReason"]), (&json!(100), &Value::Null));
    assert_eq!(task["evidence"].as_array().unwrap().len(), 3, "all evidence is kept");
    let told: Vec<_> = task["history"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let field = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
            format!("{} {}→{} by {}", field("type"), field("statusFrom"), field("statusTo"), field("actor"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "TaskRegistered -→REGISTERED by ann",
            "TaskUnitsAssigned REGISTERED→ASSIGNED by ann",
            "TaskAccepted ASSIGNED→ACCEPTED by wei",
            "TaskProgressReported ACCEPTED→IN_PROGRESS by wei",
            "TaskCompletionReported IN_PROGRESS→COMPLETION_REPORTED by wei",
            "TaskReturned COMPLETION_REPORTED→RETURNED by ann",
            "TaskProgressReported RETURNED→IN_PROGRESS by li",
            "TaskCompletionReported IN_PROGRESS→COMPLETION_REPORTED by wei",
            "TaskCompletionVerified COMPLETION_REPORTED→VERIFIED by ann",
        ]
    );
});

story!(each_refusal_says_which_it_is, |house| {
    let world = World::new(house).await;
    let (leader, supporter, id) = (world.leader(), world.supporter(), world.task.clone());
    let one = json!({ "id": id });
    // Who may not.
    for person in ["", "dev:eve:AUDITOR", OFFICE, &supporter] {
        let refusal = house.refused(person, "acceptTask", one.clone(), "NOT_PERMITTED").await;
        assert_eq!(refusal["__typename"], "NotPermitted");
        assert!(refusal["roles"].as_array().unwrap().contains(&json!("UNIT_OFFICER")));
    }
    let far = "dev:far:LEADING_GROUP_OFFICE:region=620000";
    house.refused(far, "cancelTask", json!({ "id": id, "reason": "越权" }), "NOT_PERMITTED").await;
    // Not yet.
    let early = json!({ "id": id, "percent": 1, "note": "抢跑" });
    let refusal = house.refused(&leader, "reportTaskProgress", early, "NOT_ALLOWED_IN_STATE").await;
    assert_eq!((&refusal["state"], &refusal["action"]), (&json!("ASSIGNED"), &json!("reportTaskProgress")));
    assert_eq!(refusal["allowedIn"], json!(["ACCEPTED", "IN_PROGRESS", "RETURNED"]));
    // Without evidence or reason.
    house.done(&leader, "acceptTask", one.clone()).await;
    let bare = json!({ "id": id, "note": "完成", "evidence": [] });
    let refusal = house.refused(&leader, "reportTaskCompletion", bare, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "evidence");
    let full = json!({ "id": id, "note": "完成", "evidence": evidence() });
    house.refused(&supporter, "reportTaskCompletion", full.clone(), "NOT_PERMITTED").await;
    // The same person, and the same unit.
    let both = format!("dev:wei:LEADING_GROUP_OFFICE,UNIT_OFFICER:unit={}", world.lead);
    house.done(&both, "reportTaskCompletion", full).await;
    let same_person = "dev:wei:LEADING_GROUP_OFFICE";
    let same_unit = format!("dev:xu:LEADING_GROUP_OFFICE:unit={}", world.lead);
    for person in [&both, same_person, &same_unit] {
        for (action, input) in
            [("verifyTaskCompletion", one.clone()), ("returnTask", json!({ "id": id, "reason": "自己退回" }))]
        {
            let refusal = house.refused(person, action, input, "RULE_VIOLATION").await;
            assert_eq!(refusal["rule"], "four-eyes");
        }
    }
    let refusal =
        house.refused(OFFICE, "returnTask", json!({ "id": id, "reason": " " }), "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "reason");
    house.done(OFFICE_TOO, "verifyTaskCompletion", one.clone()).await;
    house.refused(OFFICE, "cancelTask", json!({ "id": id, "reason": "晚了" }), "NOT_ALLOWED_IN_STATE").await;
    assert_eq!(status(house, &id).await, "VERIFIED");
});

story!(a_member_of_a_group_acts_for_it, |house| {
    let world = World::new(house).await;
    let group = json!({ "name": "各有关部门", "kind": "UNIT_GROUP", "regionCode": "440800" });
    let group = text(&house.done(OFFICE, "registerUnit", group).await["id"]);
    let member = unit(house, "市商务局", "440800").await;
    let responsibility = json!({ "leadUnitIds": [group], "supportingUnitIds": [], "openEnded": true });
    let again = json!({ "id": world.task, "responsibility": responsibility, "reason": "改派" });
    house.done(OFFICE, "reassignTaskUnits", again).await;
    let officer = format!("dev:mei:UNIT_OFFICER:unit={member}");
    house.refused(&officer, "acceptTask", json!({ "id": world.task }), "NOT_PERMITTED").await;
    house.done(OFFICE, "setUnitMembers", json!({ "id": group, "memberIds": [member] })).await;
    house.done(&officer, "acceptTask", json!({ "id": world.task })).await;
    let query = "query($id: ID!) { task(id: $id) { history { nodes { actorUnit { name } } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"]["history"]["nodes"][3]["actorUnit"]["name"], "市商务局");
});

story!(the_list_of_a_unit_shows_its_tasks, |house| {
    let world = World::new(house).await;
    let second = task(house, &world.plan, "2").await;
    let turned = json!({ "leadUnitIds": [world.support], "supportingUnitIds": [world.lead] });
    house.done(OFFICE, "assignTaskUnits", json!({ "id": second, "responsibility": turned })).await;
    let third = task(house, &world.plan, "3").await;
    let alone = json!({ "leadUnitIds": [world.support], "supportingUnitIds": [] });
    house.done(OFFICE, "assignTaskUnits", json!({ "id": third, "responsibility": alone })).await;
    let numbers = async |filter: Value| {
        let query = "query($w: TaskWhere) { tasks(where: $w) { totalCount nodes { number } } }";
        let data = house.ok(OFFICE, query, json!({ "w": filter })).await;
        let nodes = data["tasks"]["nodes"].as_array().unwrap();
        assert_eq!(data["tasks"]["totalCount"], json!(nodes.len()));
        nodes.iter().map(|task| text(&task["number"])).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(numbers(json!({ "leadUnit": world.lead })).await, "1");
    assert_eq!(numbers(json!({ "supportingUnit": world.lead })).await, "2");
    assert_eq!(numbers(json!({ "unit": world.lead })).await, "1 2");
    assert_eq!(numbers(json!({ "unit": world.support })).await, "1 2 3");
    assert_eq!(numbers(json!({ "unit": world.support, "number": "3" })).await, "3");
    assert_eq!(numbers(json!({ "unit": world.support, "status": ["VERIFIED"] })).await, "");
    assert_eq!(numbers(json!({ "due": { "from": "2019-12-31", "to": "2019-12-31" } })).await, "1 2 3");
    assert_eq!(numbers(json!({ "due": { "from": "2020-01-01" } })).await, "");
    assert_eq!(numbers(json!({ "region": "440000" })).await, "1 2 3");
    assert_eq!(numbers(json!({ "region": "430000" })).await, "");
    assert_eq!(numbers(json!({ "text": "质量监管" })).await, "1 2 3");
    assert_eq!(numbers(json!({ "text": "100%_" })).await, "", "% and _ are letters like others");
    // After a reassignment the former unit no longer has it on its list.
    let again = json!({ "id": third, "responsibility": turned, "reason": "机构改革" });
    house.done(OFFICE, "reassignTaskUnits", again).await;
    assert_eq!(numbers(json!({ "unit": world.lead })).await, "1 2 3");
    let again = json!({ "id": third, "responsibility": alone, "reason": "改回" });
    house.done(OFFICE, "reassignTaskUnits", again).await;
    assert_eq!(numbers(json!({ "unit": world.lead })).await, "1 2");
});
