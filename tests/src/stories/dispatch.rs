//! How a task comes to a unit that takes it: declined, handed on, arbitrated, and late all the same.
use serde_json::{Value, json};

use crate::{
    days::wait_until,
    house::{House, OFFICE, OFFICE_TOO, story},
    world::{World, text, unit},
};

async fn task(house: &House, id: &str) -> Value {
    let query =
        "query($id: ID!) { task(id: $id) { status declines declineGround declineReason declinedBy { name }
        suggestedUnit { name } dispatchedOn acceptedOn arbitratedOn leadUnits { name }
        acceptanceDeadline { dueOn source startedOn remainingWorkingDays rule { code } }
        arbitrationDeadline { dueOn startedOn remainingWorkingDays rule { code } }
        history(last: 100) { nodes { type statusFrom statusTo } } } }";
    house.ok(OFFICE, query, json!({ "id": id })).await["task"].take()
}

fn officer(unit: &str) -> String {
    format!("dev:fang:UNIT_OFFICER:unit={unit}")
}

fn led_by(unit: &str) -> Value {
    json!({ "leadUnitIds": [unit] })
}

fn decline(task: &str, suggested: Option<&str>) -> Value {
    json!({ "id": task, "ground": "NOT_OUR_DUTY", "reason": "按三定方案非本单位职责", "suggestedUnitId": suggested })
}

async fn hand_on(house: &House, world: &World, unit: &str) {
    let input = json!({ "id": world.task, "responsibility": led_by(unit), "reason": "按职责改派" });
    house.done(OFFICE, "reassignTaskUnits", input).await;
}

story!(a_task_is_declined_and_handed_on_and_its_clock_runs_on, |house| {
    let world = World::new(house).await;
    let other = unit(house, "市商务局", "440800").await;
    house.refused(&world.supporter(), "declineTask", decline(&world.task, None), "NOT_PERMITTED").await;
    let own = decline(&world.task, Some(&world.lead));
    let refusal = house.refused(&world.leader(), "declineTask", own, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "suggestedUnitId");
    wait_until(house, "2019-06-18");
    house.done(&world.leader(), "declineTask", decline(&world.task, Some(&other))).await;
    let now = task(house, &world.task).await;
    assert_eq!((&now["status"], &now["declines"]), (&json!("DECLINED"), &json!(1)));
    assert_eq!(
        (&now["declineGround"], &now["declineReason"]),
        (&json!("NOT_OUR_DUTY"), &json!("按三定方案非本单位职责"))
    );
    assert_eq!(
        (&now["declinedBy"]["name"], &now["suggestedUnit"]["name"]),
        (&json!("市市场监管局"), &json!("市商务局"))
    );
    // Dispatched on Saturday 15 June: five working days end on Friday 21 June, whoever has it by then.
    let by_friday = json!({ "dueOn": "2019-06-21", "source": "RULE", "startedOn": "2019-06-15",
        "remainingWorkingDays": 3, "rule": { "code": "TASK_ACCEPTANCE" } });
    assert_eq!((&now["acceptanceDeadline"], &now["arbitrationDeadline"]), (&by_friday, &Value::Null));
    wait_until(house, "2019-06-24");
    hand_on(house, &world, &other).await;
    let now = task(house, &world.task).await;
    assert_eq!(
        (&now["status"], &now["declineGround"], &now["declinedBy"]),
        (&json!("ASSIGNED"), &Value::Null, &Value::Null)
    );
    assert_eq!(now["acceptanceDeadline"]["dueOn"], "2019-06-21", "a hop does not restart the clock");
    assert_eq!(now["acceptanceDeadline"]["remainingWorkingDays"], -1);
    house.done(&officer(&other), "acceptTask", json!({ "id": world.task })).await;
    wait_until(house, "2019-07-08");
    let now = task(house, &world.task).await;
    assert_eq!(
        (&now["acceptedOn"], &now["acceptanceDeadline"]["remainingWorkingDays"]),
        (&json!("2019-06-24"), &json!(-1)),
        "accepted, the clock stands"
    );
    // A reform later: another dispatch, another clock.
    hand_on(house, &world, &world.support).await;
    let now = task(house, &world.task).await;
    assert_eq!(
        (&now["dispatchedOn"], &now["acceptedOn"], &now["acceptanceDeadline"]["dueOn"]),
        (&json!("2019-07-08"), &Value::Null, &json!("2019-07-15"))
    );
});

story!(the_third_decline_leads_to_an_arbitration_that_holds, |house| {
    let world = World::new(house).await;
    let mut units = vec![world.lead.clone()];
    for name in ["市商务局", "市教育局", "市公安局"] {
        units.push(unit(house, name, "440800").await);
    }
    for (at, day) in ["2019-06-17", "2019-06-18", "2019-06-19"].iter().enumerate() {
        wait_until(house, day);
        if at > 0 {
            hand_on(house, &world, &units[at]).await;
        }
        house.done(&officer(&units[at]), "declineTask", decline(&world.task, None)).await;
    }
    let now = task(house, &world.task).await;
    let arbitration = json!({ "dueOn": "2019-06-26", "startedOn": "2019-06-19", "remainingWorkingDays": 5,
        "rule": { "code": "TASK_ARBITRATION" } });
    assert_eq!((&now["declines"], &now["arbitrationDeadline"]), (&json!(3), &arbitration));
    let input = json!({ "id": world.task, "responsibility": led_by(&units[3]), "reason": "由主管部门牵头" });
    let refusal = house.refused(OFFICE, "reassignTaskUnits", input.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "contested-tasks-are-arbitrated");
    // Ann dispatched it last: somebody else arbitrates.
    let refusal = house.refused(OFFICE, "arbitrateTask", input.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "four-eyes");
    house.refused(&officer(&units[2]), "arbitrateTask", input.clone(), "NOT_PERMITTED").await;
    wait_until(house, "2019-06-20");
    house.done(OFFICE_TOO, "arbitrateTask", input).await;
    let last = officer(&units[3]);
    let refusal = house.refused(&last, "declineTask", decline(&world.task, None), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "arbitrated-tasks-are-not-declined");
    let now = task(house, &world.task).await;
    assert_eq!(
        (&now["status"], &now["arbitratedOn"], &now["acceptanceDeadline"]["dueOn"]),
        (&json!("ASSIGNED"), &json!("2019-06-20"), &json!("2019-06-27"))
    );
    house.done(&last, "acceptTask", json!({ "id": world.task })).await;
    let now = task(house, &world.task).await;
    let told: Vec<String> = now["history"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .skip(2)
        .map(|event| {
            format!("{} {}→{}", text(&event["type"]), text(&event["statusFrom"]), text(&event["statusTo"]))
        })
        .collect();
    assert_eq!(
        told,
        [
            "TaskDeclined ASSIGNED→DECLINED",
            "TaskUnitsReassigned DECLINED→ASSIGNED",
            "TaskDeclined ASSIGNED→DECLINED",
            "TaskUnitsReassigned DECLINED→ASSIGNED",
            "TaskDeclined ASSIGNED→DECLINED",
            "TaskArbitrated DECLINED→ASSIGNED",
            "TaskAccepted ASSIGNED→ACCEPTED",
        ]
    );
});
