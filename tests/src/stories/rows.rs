//! Rows are answered at once where nothing must be waited for: the answers are those of the executor.
use serde_json::{Value, json};
use zhixing_api::graphql::{loader::Rows, unit::Unit};
use zhixing_domain::Viewer;

use crate::{
    follow::Socket,
    house::{House, OFFICE, story},
    world::{World, import_all, text, unit},
};

/// The fields of a type that have no arguments and nothing below them.
async fn leaves(house: &House, type_name: &str) -> String {
    let query = "query($name: String!) { __type(name: $name) { fields { name args { name } \
                 type { kind ofType { kind } } } } }";
    let data = house.ok(OFFICE, query, json!({ "name": type_name })).await;
    let is_leaf = |field: &&Value| {
        let kinds = [&field["type"]["kind"], &field["type"]["ofType"]["kind"]];
        field["args"] == json!([]) && kinds.iter().any(|kind| **kind == "SCALAR" || **kind == "ENUM")
    };
    let fields = data["__type"]["fields"].as_array().unwrap();
    let names: Vec<String> = fields.iter().filter(is_leaf).map(|field| text(&field["name"])).collect();
    assert!(names.len() > 5, "{type_name}: {names:?}");
    names.join(" ")
}

story!(a_row_says_the_same_at_once_and_field_by_field, |house| {
    import_all(house).await;
    let kinds = [
        ("plans", "Plan", "issuerUnit { id name } supersededBy { code }"),
        (
            "tasks",
            "Task",
            "plan { id title } parent { number } leadUnits { __typename name } supportingUnits { id }",
        ),
        ("indicators", "Indicator", "plan { code } task { number title }"),
        ("units", "Unit", "members { name } mergedInto { id }"),
        ("dataImports", "DataImport", "plan { code }"),
    ];
    for (list, kind, relations) in kinds {
        let leaves = leaves(house, kind).await;
        let all = format!("__typename {leaves} {relations}");
        // A directive is the executor's affair, and so is the whole row that has one.
        let ways = [
            format!("{{ {list}(first: 100) {{ nodes {{ {all} }} }} }}"),
            format!("{{ {list}(first: 100) {{ nodes {{ {all} id @include(if: true) }} }} }}"),
            format!("{{ {list}(first: 100) {{ nodes {{ ...F id }} }} }} fragment F on {kind} {{ {all} }}"),
            format!("{{ {list}(first: 100) {{ nodes {{ ... on Node {{ id }} ... {{ {all} }} }} }} }}"),
        ];
        let mut answers = Vec::new();
        for query in &ways {
            answers.push(house.ok(OFFICE, query, json!({})).await[list]["nodes"].take());
        }
        assert!(!answers[0].as_array().unwrap().is_empty(), "{list}");
        for (query, answer) in ways.iter().zip(&answers) {
            assert_eq!(answer, &answers[0], "{query}");
        }
    }
});

story!(a_row_at_hand_waits_for_what_is_not, |house| {
    let world = World::new(house).await;
    let query = "query($id: ID!) { task(id: $id) { number plan { code tasks { totalCount nodes { number } } }
        leadUnits { name members { name } } history { nodes { type } } again: plan { title } } }";
    let task = house.ok(OFFICE, query, json!({ "id": world.task })).await["task"].take();
    assert_eq!(task["plan"]["tasks"], json!({ "totalCount": 1, "nodes": [{ "number": "1" }] }));
    assert_eq!(task["leadUnits"], json!([{ "name": "市市场监管局", "members": [] }]));
    assert_eq!(task["history"]["nodes"].as_array().unwrap().len(), 2);
    assert!(task["again"]["title"].is_string());
});

story!(the_subject_of_a_change_is_shown_as_it_is_now, |house| {
    let id = unit(house, "市质监局", "440800").await;
    let mut socket = Socket::open(house, OFFICE).await;
    let query = "subscription { changes(after: 0) { type subject { ... on Unit { name version } } } }";
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": { "query": query } })).await;
    let change = socket.receive().await["payload"]["data"]["changes"].take();
    assert_eq!(change["subject"], json!({ "name": "市质监局", "version": 1 }));
    let rename = json!({ "id": id, "name": "市市场监管局", "reason": "机构改革" });
    house.done(OFFICE, "renameUnit", rename).await;
    let change = socket.receive().await["payload"]["data"]["changes"].take();
    assert_eq!(change["subject"], json!({ "name": "市市场监管局", "version": 2 }));
});

story!(the_second_command_of_a_document_shows_what_the_first_changed, |house| {
    let world = World::new(house).await;
    let query = "mutation($id: ID!, $plan: ID!) {
        acceptTask(input: { id: $id }) { errors { code } task { plan { version } } }
        enterPlanPhase(input: { id: $plan, phase: \"启动阶段\" }) { errors { code } plan { version } }
        reportTaskProgress(input: { id: $id, percent: 10, note: \"已启动\" }) {
            errors { code } task { plan { version } } } }";
    let both = format!("dev:wei:UNIT_OFFICER,LEADING_GROUP_OFFICE:unit={}", world.lead);
    let data = house.ok(&both, query, json!({ "id": world.task, "plan": world.plan })).await;
    let before = data["acceptTask"]["task"]["plan"]["version"].as_i64().unwrap();
    let after = json!({ "version": before + 1 });
    assert_eq!(data["enterPlanPhase"]["plan"], after, "{data}");
    assert_eq!(data["reportTaskProgress"]["task"]["plan"], after, "{data}");
});

story!(a_request_that_is_given_up_gives_its_connection_back, |house| {
    let key = uuid::Uuid::from_u128(7);
    // More often than there are connections.
    for polls in (1..6).cycle().take(60) {
        let rows = Rows::new(house.store.clone(), Viewer::system());
        let mut load = Box::pin(rows.load::<Unit>(vec![key]));
        for _ in 0..polls {
            if futures_util::poll!(load.as_mut()).is_ready() {
                break;
            }
        }
    }
    let rows = Rows::new(house.store.clone(), Viewer::system());
    let load = rows.load::<Unit>(vec![key]);
    let found = tokio::time::timeout(std::time::Duration::from_secs(5), load).await;
    assert!(found.expect("every connection is gone").unwrap().is_empty());
});
