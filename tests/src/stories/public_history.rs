//! What was drafted before it was public stays with those who drafted it.
use serde_json::{Value, json};

use crate::{
    follow::Socket,
    house::{ANONYMOUS, House, OFFICE, story},
    stories::assessments::{Year, score},
    world::{World, draft, indicator, plan_content, task, task_content, unit},
};

/// Others than those who work in Zhanjiang.
const ELSEWHERE: &str = "dev:p:LEADING_GROUP_OFFICE:region=620000";
/// Somebody who works there.
const INSIDE: &str = "dev:p:INSPECTOR:region=440800";
const DRAFTED: &str = "草稿中的说法";

/// A plan with a task and an indicator that were drafted, amended and published, and what happened since.
struct Published {
    world: World,
    plan: String,
    task: String,
    indicator: String,
    /// The instant before it was published, and the place in the log with which it was.
    before: String,
    position: i64,
}

impl Published {
    async fn new(house: &House) -> Self {
        let world = World::new(house).await;
        let mut content = plan_content();
        content["guidance"] = json!(DRAFTED);
        let input = json!({ "code": "ZJ-NEXT", "regionCode": "440800", "content": content });
        let plan = house.done(OFFICE, "draftPlan", input).await["id"].as_str().unwrap().to_owned();
        let mut first = json!({ "planId": plan, "number": "1", "assignment": "EXPLICIT" });
        first["content"] = task_content(DRAFTED);
        let task = house.done(OFFICE, "registerTask", first).await["id"].as_str().unwrap().to_owned();
        world.assign(house, &task).await;
        let said = json!({ "id": task, "content": task_content("全面加强质量监管") });
        house.done(OFFICE, "amendTask", said).await;
        let indicator = indicator(house, &plan, "ZJ-1", json!({ "taskId": task, "name": DRAFTED })).await;
        let baseline = json!({ "id": indicator, "baseline": { "value": "0.1" } });
        house.done(OFFICE, "setBaseline", baseline).await;
        let amended = json!({ "id": plan, "content": plan_content() });
        house.done(OFFICE, "amendPlan", amended).await;
        let before = house.clock.look().to_rfc3339();
        house.clock.pass(chrono::Duration::minutes(5));
        house.done(OFFICE, "issuePlan", json!({ "id": plan })).await;
        let position = house.head();
        house.clock.pass(chrono::Duration::minutes(5));
        house.done(&world.leader(), "acceptTask", json!({ "id": task })).await;
        let measured = json!({ "id": indicator, "period": "2019Q1", "value": "1" });
        house.done(OFFICE, "recordMeasurement", measured).await;
        house.done(OFFICE, "bringPlanIntoForce", json!({ "id": plan, "effectiveFrom": "2019-01-02" })).await;
        Self { world, plan, task, indicator, before, position }
    }

    async fn told(&self, house: &House, token: &str) -> Value {
        let query = "query($plan: ID!, $task: ID!, $indicator: ID!, $before: DateTime!) {
            plan(id: $plan) { ...H
              first: asOf(version: 1) { guidance } last: asOf(version: 2) { guidance } issued: asOf(version: 3) { status }
              then: asOf(time: $before) { guidance }
              back: history(last: 10) { totalCount nodes { type } }
              now: asOf(version: 4) { history { totalCount } } }
            task(id: $task) { ...T
              first: asOf(version: 1) { title } assigned: asOf(version: 2) { title } asPublished: asOf(version: 3) { title }
              assignments { event { version } } }
            indicator(id: $indicator) { ...I first: asOf(version: 1) { name } asPublished: asOf(version: 2) { name } } }
            fragment H on Plan { history { totalCount nodes { type data } pageInfo { hasPreviousPage hasNextPage } } }
            fragment T on Task { history { totalCount nodes { type data } pageInfo { hasPreviousPage hasNextPage } } }
            fragment I on Indicator { history { totalCount nodes { type data } pageInfo { hasPreviousPage hasNextPage } } }";
        let variables = json!({ "plan": self.plan, "task": self.task, "indicator": self.indicator, "before": self.before });
        house.ok(token, query, variables).await
    }
}

fn types(history: &Value) -> Vec<&str> {
    history["nodes"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

story!(the_public_reads_the_life_of_a_plan_since_it_was_published, |house| {
    let published = Published::new(house).await;
    for token in [ANONYMOUS, "dev:acme:ENTERPRISE", "dev:root:ADMINISTRATOR", ELSEWHERE] {
        let told = published.told(house, token).await;
        assert!(
            !told["plan"].to_string().contains(DRAFTED) && !told["task"].to_string().contains(DRAFTED),
            "{told}"
        );
        let (plan, task, indicator) = (&told["plan"], &told["task"], &told["indicator"]);
        assert_eq!(types(&plan["history"]), ["PlanIssued", "PlanTookEffect"], "{token}");
        assert_eq!(plan["history"]["totalCount"], 2);
        let whole = json!({ "hasPreviousPage": false, "hasNextPage": false });
        assert_eq!(plan["history"]["pageInfo"], whole);
        assert_eq!(plan["back"]["totalCount"], 2);
        assert_eq!(types(&plan["back"]), ["PlanIssued", "PlanTookEffect"]);
        assert_eq!(plan["now"]["history"]["totalCount"], 2);
        assert_eq!(
            (&plan["first"], &plan["last"], &plan["then"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        assert_eq!(plan["issued"]["status"], "ISSUED");
        assert_eq!(types(&task["history"]), ["TaskAccepted"]);
        assert_eq!((&task["first"], &task["assigned"]), (&Value::Null, &Value::Null));
        assert_eq!(
            task["asPublished"]["title"], "全面加强质量监管",
            "what it was when the plan was published"
        );
        assert_eq!(types(&indicator["history"]), ["IndicatorMeasurementRecorded"]);
        assert_eq!(indicator["first"], Value::Null);
        assert_ne!(indicator["asPublished"], Value::Null);
    }
    for token in [OFFICE, INSIDE] {
        let told = published.told(house, token).await;
        assert_eq!(told["plan"]["history"]["totalCount"], 4, "{token}: {told}");
        assert_eq!(told["plan"]["first"]["guidance"], DRAFTED);
        assert_eq!(told["plan"]["then"]["guidance"], Value::Null, "amended before it was published");
        assert_eq!(told["task"]["history"]["totalCount"], 4);
        assert_eq!(told["task"]["first"]["title"], DRAFTED);
        assert_eq!(told["indicator"]["history"]["totalCount"], 3);
    }
    // Whose unit answers for a task sees all of it, and of the plan what everybody sees.
    let told = published.told(house, &published.world.leader()).await;
    assert_eq!(told["plan"]["history"]["totalCount"], 2);
    assert_eq!(told["task"]["history"]["totalCount"], 4);
    assert_eq!(told["indicator"]["history"]["totalCount"], 3);
});

story!(pages_of_history_begin_where_it_became_public, |house| {
    let published = Published::new(house).await;
    let query = "query($id: ID!, $after: String, $before: String) { plan(id: $id) {
        forth: history(first: 1, after: $after) { nodes { type } pageInfo { hasPreviousPage hasNextPage endCursor } }
        back: history(last: 1, before: $before) { nodes { type } pageInfo { hasPreviousPage startCursor } }
        none: history(last: 1, before: $after) { nodes { type } } } }";
    let first = house.ok(ANONYMOUS, query, json!({ "id": published.plan })).await["plan"].take();
    assert_eq!(types(&first["forth"]), ["PlanIssued"]);
    assert_eq!(first["forth"]["pageInfo"]["hasPreviousPage"], false);
    // A cursor from before, which an insider has got, does not lead there.
    let inside = house.ok(OFFICE, query, json!({ "id": published.plan })).await["plan"].take();
    let drafted = &inside["forth"]["pageInfo"]["endCursor"];
    let variables =
        json!({ "id": published.plan, "after": drafted, "before": first["back"]["pageInfo"]["startCursor"] });
    let told = house.ok(ANONYMOUS, query, variables).await["plan"].take();
    assert_eq!(types(&told["forth"]), ["PlanIssued"]);
    assert_eq!(
        (types(&told["back"]), &told["back"]["pageInfo"]["hasPreviousPage"]),
        (vec!["PlanIssued"], &json!(false))
    );
    assert!(types(&told["none"]).is_empty(), "nothing lies before: {told}");
});

story!(changes_and_the_tree_of_tasks_begin_there_too, |house| {
    let published = Published::new(house).await;
    let of_it = json!({ "subjects": [published.plan, published.task, published.indicator] });
    let mut socket = Socket::open(house, ELSEWHERE).await;
    socket.follow(0, of_it.clone()).await;
    for expected in ["PlanIssued", "TaskAccepted", "IndicatorMeasurementRecorded", "PlanTookEffect"] {
        let event = socket.next().await;
        assert_eq!(event["type"], expected);
        assert!(event["position"].as_i64().unwrap() >= published.position);
    }
    let mut inside = Socket::open(house, INSIDE).await;
    inside.follow(0, of_it).await;
    assert_eq!(inside.next().await["type"], "PlanDrafted");
    let timeline = "query($id: ID!) { timeline(where: { subject: $id }) { totalCount } }";
    let told = house.ok(ELSEWHERE, timeline, json!({ "id": published.plan })).await;
    assert_eq!(told["timeline"]["totalCount"], 0);
    // The tree as of a day before it was public.
    let query = "query($id: ID!, $on: Date) { plan(id: $id) { taskTree(on: $on) { totalRows rows { task { title } } } } }";
    let next = draft(house, "ZJ-LATER").await;
    task(house, &next, "1").await;
    let on = house.clock.look().date_naive().to_string();
    house.clock.pass(chrono::Duration::days(3));
    house.done(OFFICE, "issuePlan", json!({ "id": next })).await;
    let told = house.ok(ANONYMOUS, query, json!({ "id": next, "on": on })).await;
    assert_eq!(told["plan"]["taskTree"]["totalRows"], 0);
    let told = house.ok(OFFICE, query, json!({ "id": next, "on": on })).await;
    assert_eq!(told["plan"]["taskTree"]["totalRows"], 1);
    let told = house.ok(ANONYMOUS, query, json!({ "id": next })).await;
    assert_eq!(told["plan"]["taskTree"]["totalRows"], 1);
});

story!(what_led_to_a_result_is_not_public, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let scheme = "query($id: ID!) { assessmentScheme(id: $id) { asOf(version: 1) { id } history { nodes { type } } } }";
    let told = house.ok(ANONYMOUS, scheme, json!({ "id": year.scheme })).await["assessmentScheme"].take();
    assert_eq!((types(&told["history"]), &told["asOf"]), (vec!["AssessmentSchemeIssued"], &Value::Null));
    let [assessment, _] = year.open(house, &year.scheme).await;
    score(house, &assessment, "80", json!([])).await;
    let life = "query($id: ID!) { assessment(id: $id) { history { nodes { type } } } }";
    let told = house.ok(ANONYMOUS, life, json!({ "id": assessment })).await;
    assert_eq!(told["assessment"], Value::Null);
    let elsewhere = unit(house, "省质监局", "620000").await;
    let stranger = format!("dev:p:UNIT_OFFICER:unit={elsewhere}");
    assert_eq!(house.ok(&stranger, life, json!({ "id": assessment })).await["assessment"], Value::Null);
});
