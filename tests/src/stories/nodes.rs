//! Any object by its id.
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{HUNAN_2009, World, indicator, text},
};

/// One object of every kind: its type and its id.
async fn one_of_each(house: &House) -> Vec<(&'static str, String)> {
    HUNAN_2009.import(house).await;
    let world = World::new(house).await;
    let indicator = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let item = json!({ "planId": world.plan, "number": "督1号", "title": "进展迟缓", "unitIds": [world.lead],
        "demand": "说明原因", "answerDueOn": "2019-12-31" });
    let item = text(&house.done(OFFICE, "openSupervisionItem", item).await["id"]);
    let survey = json!({ "planId": world.plan, "kind": "STATUS", "title": "企业质量状况调查", "question": "是否建立质量管理体系？",
        "population": "规模以上工业企业", "unitId": world.lead, "method": "ONLINE", "period": "2019",
        "plannedSampleSize": 100 });
    let survey = text(&house.done(OFFICE, "planSurvey", survey).await["id"]);
    let group =
        json!({ "name": "质量强市工作领导小组", "regionCode": "440800", "establishedOn": "2019-01-02" });
    let group = text(&house.done(OFFICE, "establishLeadingGroup", group).await["id"]);
    let report =
        json!({ "category": "OTHER", "subject": "缺斤短两", "details": "秤不准", "regionCode": "440800" });
    let submit =
        "mutation($input: SubmitViolationReport!) { submitViolationReport(input: $input) { number } }";
    house.ok(OFFICE, submit, json!({ "input": report })).await;
    let reported = house.ok(OFFICE, "{ violationReports { nodes { id } } }", json!({})).await;
    let reported = text(&reported["violationReports"]["nodes"][0]["id"]);
    let query = r#"{ dataImports { nodes { id } } region(code: "440800") { id } }"#;
    let data = house.ok(OFFICE, query, json!({})).await;
    vec![
        ("Unit", world.lead),
        ("Plan", world.plan),
        ("Task", world.task),
        ("Indicator", indicator),
        ("SupervisionItem", item),
        ("Survey", survey),
        ("LeadingGroup", group),
        ("ViolationReport", reported),
        ("DataImport", text(&data["dataImports"]["nodes"][0]["id"])),
        ("Region", text(&data["region"]["id"])),
    ]
}

/// An id of this kind that belongs to nothing.
fn nobody(id: &str) -> String {
    let last = if id.ends_with('A') { 'B' } else { 'A' };
    format!("{}{last}", &id[..id.len() - 1])
}

story!(every_kind_has_a_node, |house| {
    let all = one_of_each(house).await;
    for (kind, id) in &all {
        let query = "query($id: ID!) { node(id: $id) { __typename id } }";
        let data = house.ok(OFFICE, query, json!({ "id": id })).await;
        assert_eq!(data["node"], json!({ "__typename": kind, "id": id }));
    }
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
    let missing = nobody(&all[2].1);
    let mut ids: Vec<&String> = all.iter().rev().map(|(_, id)| id).collect();
    ids.insert(2, &missing);
    ids.push(&all[0].1);
    let data = house.ok(OFFICE, query, json!({ "ids": ids })).await;
    let nodes = data["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), ids.len());
    for (node, id) in nodes.iter().zip(ids) {
        if *id == missing {
            assert_eq!(node, &Value::Null, "what is not there is null in its place");
        } else {
            assert_eq!(node["id"], id.as_str(), "the order is that of the question");
        }
    }
    assert_eq!(house.ok(OFFICE, query, json!({ "ids": [] })).await["nodes"], json!([]));
});

story!(an_id_of_another_kind_is_refused, |house| {
    let all = one_of_each(house).await;
    for (field, kind) in [("unit", "Unit"), ("plan", "Plan"), ("task", "Task"), ("indicator", "Indicator")] {
        let query = format!("query($id: ID!) {{ {field}(id: $id) {{ id }} }}");
        for (other, id) in &all {
            let answer = house.ask(OFFICE, &query, json!({ "id": id })).await;
            if *other == kind {
                assert_eq!(answer.body["data"][field]["id"], id.as_str());
                continue;
            }
            let error = &answer.body["errors"][0]["extensions"];
            let named = (error["code"].as_str(), error["field"].as_str());
            assert_eq!(named, (Some("INVALID_INPUT"), Some("id")), "{field} of a {other}: {}", answer.text);
        }
    }
});

story!(at_most_a_hundred_nodes, |house| {
    let world = World::new(house).await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let data = house.ok(OFFICE, query, json!({ "ids": vec![&world.task; 100] })).await;
    assert_eq!(data["nodes"].as_array().unwrap().len(), 100);
    let answer = house.ask(OFFICE, query, json!({ "ids": vec![&world.task; 101] })).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["field"], "ids");
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "INVALID_INPUT");
});
