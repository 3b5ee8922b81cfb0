//! What was recorded survives the end of the process.
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{World, import_all, task_content, unit},
};

/// Pages that show everything there is.
async fn everything(house: &House) -> Vec<Value> {
    let queries = [
        "{ plans(first: 100) { totalCount pageInfo { endCursor } nodes { id version code title status createdAt updatedAt
            issuerUnit { id } phases { name } basis { title } reportingDuties { who } oneOffDuties { what }
            cockpit { today tasksByStatus { status count } overdueTasks indicatorsByLight { light count } } } } }",
        "{ tasks(first: 100) { totalCount pageInfo { endCursor } nodes { id version number title status dueOn isOverdue
            leadUnits { id name } supportingUnits { id } parent { id } evidence { title } progressNote } } }",
        "{ indicators(first: 100) { totalCount nodes { id version code status light target { value } baseline { value }
            attainment { value met } judgedValue measuredCount } } }",
        "{ units(first: 100) { totalCount nodes { id version name aliases members { id } mergedInto { id } } } }",
        "{ dataImports(first: 100) { totalCount nodes { id source sha256 rowsRead repaired { reading } } } }",
    ];
    let mut pages = Vec::new();
    for query in queries {
        pages.push(house.ok(OFFICE, query, json!({})).await);
    }
    let history = "query($id: ID!) { node(id: $id) { ... on Task { history(first: 100) { nodes {
        id position type version data hash recordedAt actor } } availableActions { action allowed } } } }";
    let tasks = pages[1]["tasks"]["nodes"].as_array().unwrap().clone();
    for task in tasks.iter().take(5) {
        pages.push(house.ok(OFFICE, history, json!({ "id": task["id"] })).await);
    }
    pages
}

story!(a_restart_loses_nothing, |house| {
    let world = World::new(house).await;
    import_all(house).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let (head, before) = (house.head(), everything(house).await);
    assert_eq!(house.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, head);
    house.restart().await;
    assert_eq!(house.head(), head);
    for (page, was) in everything(house).await.iter().zip(&before) {
        assert_eq!(page, was);
    }
    // Life goes on where it stopped.
    let progress = json!({ "id": world.task, "percent": 10, "note": "继续" });
    let payload = house.act(&world.leader(), "reportTaskProgress", progress).await;
    assert_eq!((&payload["errors"], &payload["position"]), (&json!([]), &json!(head + 1)));
    assert_eq!(payload["object"]["version"], 4);
    unit(house, "市某局", "440800").await;
    let taken = json!({ "name": "市某局", "kind": "DEPARTMENT", "regionCode": "440800" });
    house.refused(OFFICE, "registerUnit", taken, "ALREADY_EXISTS").await;
    house.restart().await;
    assert_eq!(house.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, head + 2);
});

story!(a_tampered_log_is_found_out, |house| {
    let world = World::new(house).await;
    let amended = json!({ "id": world.task, "content": task_content("原来的题目") });
    house.done(OFFICE, "amendTask", amended).await;
    let head = house.head();
    assert_eq!(house.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, head);
    let forge = "update events set actor = 'somebody else' where position = 3";
    match house.store.pool() {
        zhixing_event_store::Pool::Postgres(db) => drop(sqlx::query(forge).execute(db).await.unwrap()),
        zhixing_event_store::Pool::Sqlite { writer, .. } => {
            sqlx::query(forge).execute(writer).await.unwrap();
        }
    }
    let found = house.store.pool().verify(&[], &[], |_| {}).await.unwrap_err().to_string();
    assert!(found.contains("position 3"), "{found}");
});
