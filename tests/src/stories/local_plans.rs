//! Local plans that a plan demands: of one unit or of very many, filed, returned, accepted, told when they are late.
use serde_json::{Value, json};

use crate::{
    days::{round_on, scheduler, wait_until},
    house::{ANONYMOUS, ERRORS, House, OFFICE, story},
    world::{World, draft, evidence, text, unit},
};

const WHAT: &str = "本部门具体方案";

fn demand(world: &World, unit: &str, due: Option<&str>) -> Value {
    json!({ "planId": world.plan, "filingUnitId": unit, "addresseeId": world.lead, "what": WHAT, "dueOn": due })
}

fn document() -> Value {
    json!({ "title": "市农业农村局质量提升具体方案", "documentNumber": "湛农〔2019〕12号", "issuedOn": "2019-07-01",
        "summary": "分解为十二项任务", "evidence": evidence() })
}

async fn demand_all(house: &House, token: &str, input: Value) -> Value {
    let query = format!(
        "mutation($input: DemandLocalPlans!) {{ demandLocalPlans(input: $input) {{
            localPlans {{ id status filingUnit {{ id }} }} position {ERRORS} }} }}"
    );
    house.ok(token, &query, json!({ "input": input })).await["demandLocalPlans"].take()
}

async fn local_plan(house: &House, id: &str) -> Value {
    let query = "query($id: ID!) { localPlan(id: $id) { status what dueOn title documentNumber issuedOn firstFiledOn filedOn
        filings isTimely isOverdue returnedReason note deadline { dueOn source } plan { code } filingUnit { name }
        addressee { name } evidence { title } history(last: 100) { nodes { type } } } }";
    house.ok(OFFICE, query, json!({ "id": id })).await["localPlan"].take()
}

fn events(object: &Value) -> Vec<String> {
    object["history"]["nodes"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect()
}

story!(a_local_plan_is_filed_returned_and_accepted, |house| {
    let world = World::new(house).await;
    let input = demand(&world, &world.support, Some("2019-07-10"));
    house.refused(&world.supporter(), "demandLocalPlan", input.clone(), "NOT_PERMITTED").await;
    let id = text(&house.done(OFFICE, "demandLocalPlan", input.clone()).await["id"]);
    let again = house.refused(OFFICE, "demandLocalPlan", input, "ALREADY_EXISTS").await;
    assert_eq!((&again["field"], &again["existingId"]), (&json!("what"), &json!(id)));
    wait_until(house, "2019-07-10");
    let mut filed = document();
    filed["id"] = json!(id);
    house.refused(&world.leader(), "fileLocalPlan", filed.clone(), "NOT_PERMITTED").await;
    let mut early = filed.clone();
    early["issuedOn"] = json!("2019-07-11");
    let refusal = house.refused(&world.supporter(), "fileLocalPlan", early, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "issuedOn");
    house.done(&world.supporter(), "fileLocalPlan", filed.clone()).await;
    house.refused(&world.supporter(), "acceptLocalPlan", json!({ "id": id }), "NOT_PERMITTED").await;
    let back = json!({ "id": id, "reason": "没有责任分工" });
    house.done(&world.leader(), "returnLocalPlan", back).await;
    assert_eq!(local_plan(house, &id).await["returnedReason"], "没有责任分工");
    // Filed again behind the due date: what was in time stays so.
    wait_until(house, "2019-07-12");
    house.done(&world.supporter(), "fileLocalPlan", filed).await;
    house.done(&world.leader(), "acceptLocalPlan", json!({ "id": id, "note": "内容完整" })).await;
    let now = local_plan(house, &id).await;
    let said = json!({ "status": "ACCEPTED", "what": WHAT, "dueOn": "2019-07-10",
        "title": "市农业农村局质量提升具体方案", "documentNumber": "湛农〔2019〕12号", "issuedOn": "2019-07-01",
        "firstFiledOn": "2019-07-10", "filedOn": "2019-07-12", "filings": 2, "isTimely": true, "isOverdue": false,
        "returnedReason": null, "note": "内容完整", "deadline": { "dueOn": "2019-07-10", "source": "PLAN" },
        "plan": { "code": "ZJ-SMALL" }, "filingUnit": { "name": "市农业农村局" },
        "addressee": { "name": "市市场监管局" }, "evidence": [{ "title": "检查报告" }] });
    for (field, value) in said.as_object().unwrap() {
        assert_eq!(&now[field], value, "{field}");
    }
    assert_eq!(
        events(&now),
        ["LocalPlanDemanded", "LocalPlanFiled", "LocalPlanReturned", "LocalPlanFiled", "LocalPlanAccepted"]
    );
});

story!(all_units_are_asked_together_or_none, |house| {
    let world = World::new(house).await;
    let mut units = vec![world.support.clone()];
    for name in ["市商务局", "市教育局", "市公安局"] {
        units.push(unit(house, name, "440800").await);
    }
    let input = |units: &[String]| {
        json!({ "planId": world.plan, "filingUnitIds": units, "addresseeId": world.lead, "what": WHAT,
            "dueOn": "2019-07-10" })
    };
    let gone = unit(house, "市质监局", "440800").await;
    house.done(OFFICE, "dissolveUnit", json!({ "id": gone, "reason": "机构改革" })).await;
    let head = house.head();
    // One that cannot be asked, and nobody is.
    let with = |unit: &String| -> Vec<String> { units.iter().chain([unit]).cloned().collect() };
    for (wrong, field) in
        [(with(&units[0]), "filingUnitIds[4]"), (with(&world.lead), "addresseeId"), (vec![], "filingUnitIds")]
    {
        let refused = demand_all(house, OFFICE, input(&wrong)).await;
        assert_eq!((&refused["localPlans"], &refused["position"]), (&json!([]), &Value::Null));
        assert_eq!(refused["errors"][0]["field"], field, "{refused}");
    }
    // A unit that is no more, and more than 200 of them.
    let refused = demand_all(house, OFFICE, input(&with(&gone))).await;
    assert_eq!(
        (&refused["errors"][0]["code"], &refused["errors"][0]["field"]),
        (&json!("INVALID_INPUT"), &json!("filingUnitIds[4]"))
    );
    let refused = demand_all(house, OFFICE, input(&vec![units[0].clone(); 201])).await;
    assert_eq!(refused["errors"][0]["field"], "filingUnitIds", "{refused}");
    let refused = demand_all(house, &world.leader(), input(&units)).await;
    assert_eq!(refused["errors"][0]["code"], "NOT_PERMITTED");
    assert_eq!(house.head(), head, "a refusal left a trace");

    let asked = demand_all(house, OFFICE, input(&units)).await;
    assert_eq!(asked["errors"], json!([]));
    let asked: Vec<String> =
        asked["localPlans"].as_array().unwrap().iter().map(|plan| text(&plan["filingUnit"]["id"])).collect();
    assert_eq!(asked, units);
    assert_eq!(house.head(), head + 4);
    // One more unit beside one that was asked before: the whole is refused.
    let late = unit(house, "市民政局", "440800").await;
    let head = house.head();
    let refused = demand_all(house, OFFICE, input(&[late, units[2].clone()])).await;
    assert_eq!(refused["errors"][0]["code"], "ALREADY_EXISTS");
    assert_eq!(house.head(), head);
    let query = "query($id: ID!) { plan(id: $id) { localPlans(where: { status: [DUE] }) { totalCount } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.plan })).await;
    assert_eq!(data["plan"]["localPlans"]["totalCount"], 4);
});

story!(local_plans_become_due_soon_and_overdue_once, |house| {
    let world = World::new(house).await;
    let scheduler = scheduler(&house.store);
    let late =
        house.done(OFFICE, "demandLocalPlan", demand(&world, &world.support, Some("2019-07-10"))).await;
    let other = unit(house, "市商务局", "440800").await;
    // Without a day nothing is announced.
    house.done(OFFICE, "demandLocalPlan", demand(&world, &other, None)).await;
    // Wednesday 10 July: Thursday 4 to Wednesday 10 are five working days, so it is said from Wednesday 3 July on.
    for (day, said) in
        [("2019-07-02", (0, 0)), ("2019-07-03", (1, 0)), ("2019-07-10", (0, 0)), ("2019-07-12", (0, 1))]
    {
        let round = round_on(house, &scheduler, day).await;
        assert_eq!((round.due_soon, round.overdue), said, "{day}");
    }
    assert_eq!(round_on(house, &scheduler, "2019-07-13").await.overdue, 0);
    let id = text(&late["id"]);
    let now = local_plan(house, &id).await;
    assert_eq!(now["isOverdue"], true);
    assert_eq!(events(&now), ["LocalPlanDemanded", "LocalPlanDueSoon", "LocalPlanBecameOverdue"]);

    // It lies on the desk of its unit and in the list of everything that is due.
    let query = "query($id: ID!) { unit(id: $id) { desk {
        localPlansDue { nodes { id } } overdue { nodes { id kind title daysOverdue } } } } }";
    let desk = house.ok(OFFICE, query, json!({ "id": world.support })).await["unit"]["desk"].take();
    assert_eq!(desk["localPlansDue"]["nodes"], json!([{ "id": id }]));
    let overdue = json!([{ "id": id, "kind": "LOCAL_PLAN", "title": WHAT, "daysOverdue": 3 }]);
    assert_eq!(desk["overdue"]["nodes"], overdue);
    let undated = house.ok(OFFICE, query, json!({ "id": other })).await["unit"]["desk"].take();
    assert_eq!(
        undated["localPlansDue"]["nodes"].as_array().unwrap().len(),
        1,
        "no day is said, but it is owed"
    );
    assert_eq!(undated["overdue"]["nodes"], json!([]));
    let query = "{ localPlans(where: { isOverdue: true }) { nodes { id } } }";
    assert_eq!(house.ok(OFFICE, query, json!({})).await["localPlans"]["nodes"], json!([{ "id": id }]));

    // Waived, it is owed no more.
    house.done(OFFICE, "waiveLocalPlan", json!({ "id": id, "reason": "职能划转" })).await;
    let query =
        "{ dueItems(where: { kind: [LOCAL_PLAN] }) { totalCount } localPlans(where: { isOverdue: true }) {
        totalCount } }";
    let data = house.ok(OFFICE, query, json!({})).await;
    assert_eq!((&data["dueItems"]["totalCount"], &data["localPlans"]["totalCount"]), (&json!(0), &json!(0)));
});

story!(local_plans_are_demanded_under_open_plans_and_shown_to_officials, |house| {
    let world = World::new(house).await;
    let id = text(&house.done(OFFICE, "demandLocalPlan", demand(&world, &world.support, None)).await["id"]);
    let query = "query($id: ID!) { node(id: $id) { __typename } localPlan(id: $id) { id } localPlans { totalCount } }";
    let data = house.ok(OFFICE, query, json!({ "id": id })).await;
    assert_eq!(
        (&data["node"]["__typename"], &data["localPlans"]["totalCount"]),
        (&json!("LocalPlan"), &json!(1))
    );
    let data = house.ok(ANONYMOUS, query, json!({ "id": id })).await;
    assert_eq!(
        (&data["node"], &data["localPlan"], &data["localPlans"]["totalCount"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
    house.done(OFFICE, "concludePlan", json!({ "id": world.plan, "reason": "提前总结" })).await;
    let input = json!({ "planId": world.plan, "filingUnitId": world.lead, "addresseeId": world.support, "what": WHAT });
    house.refused(OFFICE, "demandLocalPlan", input, "NOT_ALLOWED_IN_STATE").await;
    // What was demanded before may still be filed, and another plan asks anew.
    let mut filed = document();
    filed["id"] = json!(id);
    wait_until(house, "2019-07-05");
    house.done(&world.supporter(), "fileLocalPlan", filed).await;
    let other = draft(house, "ZJ-OTHER").await;
    let mut input = demand(&world, &world.support, None);
    input["planId"] = json!(other);
    house.done(OFFICE, "demandLocalPlan", input).await;
});
