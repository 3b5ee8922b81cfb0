//! The catalogue of events: fresh files, and every event that leaves is what they say.
use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};
use zhixing_api::event_documents::{NotWritten, documents, write};
use zhixing_domain::catalogue::event_types;

use crate::{
    house::{ANONYMOUS, OFFICE, story},
    world::{World, text},
};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas");

fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for directory in ["", "events/"] {
        for file in fs::read_dir(Path::new(FILES).join(directory)).unwrap() {
            let file = file.unwrap();
            if file.path().is_file() {
                let name = format!("{directory}{}", file.file_name().into_string().unwrap());
                found.insert(name, fs::read_to_string(file.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_schema_files_are_fresh() {
    let advice = "schemas/ is stale: run `cargo run -- event-types --write schemas` and look at what changed";
    let files = files();
    for (name, text) in documents() {
        assert!(files.get(name) == Some(text), "{name}: {advice}");
    }
    assert_eq!(files.len(), documents().len(), "schemas/ has documents of events that are no more");
}

#[test]
fn a_form_on_which_readers_rely_is_never_taken_from_them() {
    let directory = tempfile::tempdir().unwrap();
    let count = write(directory.path()).unwrap();
    assert_eq!((count, write(directory.path()).unwrap()), (documents().len(), count));
    let path = directory.path().join("events/TaskDeclined.v1.json");
    let mut former: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    former["properties"]["telephone"] = json!({ "type": "string" });
    fs::write(&path, former.to_string()).unwrap();
    let refused = write(directory.path()).unwrap_err();
    assert!(
        matches!(&refused, NotWritten::Breaks { reason, .. } if reason == "telephone is gone"),
        "{refused}"
    );
    assert!(refused.to_string().contains("new version"), "{refused}");
}

/// What is wrong with an instance, by a schema.
fn faults(schema: &Value, instance: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    validator.iter_errors(instance).map(|error| format!("{} {error}", error.instance_path())).collect()
}

#[test]
fn every_example_is_what_its_schema_says() {
    for known in event_types() {
        let document = known.document();
        jsonschema::draft202012::meta::validate(&document).unwrap();
        for example in &known.examples {
            assert_eq!(faults(&document, example), Vec::<String>::new(), "{}: {example}", known.urn());
        }
        assert_ne!(
            faults(&document, &json!("something else")),
            Vec::<String>::new(),
            "{} takes all",
            known.urn()
        );
    }
}

story!(every_event_that_leaves_is_what_the_catalogue_says, |house| {
    let world = World::new(house).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let http = house.http();
    let document = async |path: &str| -> Value {
        let response = http.get(house.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    };
    let envelope = document("/schemas/envelope.json").await;
    let events = http.get(house.url("/events?after=0")).bearer_auth(OFFICE).send().await.unwrap();
    let events: Value = events.json().await.unwrap();
    let events = events["events"].as_array().unwrap().clone();
    assert!(events.len() > 5);
    for event in &events {
        assert_eq!(faults(&envelope, event), Vec::<String>::new(), "{event}");
        let name = event["type"].as_str().unwrap().trim_start_matches("cn.zhixing.");
        let schema = document(&format!("/schemas/events/{name}.json")).await;
        assert_eq!(schema["$id"], event["dataschema"]);
        assert_eq!(faults(&schema, &event["data"]), Vec::<String>::new(), "{event}");
    }
    let asyncapi = document("/asyncapi.json").await;
    assert_eq!(
        (&asyncapi["asyncapi"], asyncapi["channels"].as_object().unwrap().len()),
        (&json!("3.0.0"), 4)
    );
    let unknown = http.get(house.url("/schemas/events/TaskFlew.v1.json")).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
});

story!(the_catalogue_is_asked_for, |house| {
    let query = "query($kinds: [Kind!], $told: Classification, $names: [String!], $former: Boolean! = false) {
        eventTypes(kinds: $kinds, classification: $told, names: $names, former: $former) {
            name version isCurrent kind term description classification envelopeType dataSchema schema examples } }";
    let all = house.ok(ANONYMOUS, query, json!({})).await["eventTypes"].take();
    assert_eq!(all.as_array().unwrap().len(), event_types().iter().filter(|known| known.is_current).count());
    let tasks = house.ok(ANONYMOUS, query, json!({ "kinds": ["TASK"], "names": ["TaskDeclined"] })).await;
    let [declined] = tasks["eventTypes"].as_array().unwrap().as_slice() else { panic!("{tasks}") };
    assert_eq!(
        (text(&declined["term"]), text(&declined["description"]), text(&declined["envelopeType"])),
        ("任务已退办".into(), "Task declined".into(), "cn.zhixing.TaskDeclined.v1".into())
    );
    assert_eq!(declined["schema"]["properties"]["reason"]["type"], "string");
    assert!(declined["examples"][0]["unitId"].is_string());
    let confidential = house.ok(ANONYMOUS, query, json!({ "told": "CONFIDENTIAL" })).await;
    let kinds: std::collections::BTreeSet<&str> = confidential["eventTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["EVENT_SUBSCRIPTION", "ROLE_GRANT", "SERVICE_KEY", "VIOLATION_REPORT"].into());
    let opened = house.ok(ANONYMOUS, query, json!({ "names": ["ReportOpened"], "former": true })).await;
    let versions: Vec<(i64, bool)> = opened["eventTypes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["version"].as_i64().unwrap(), one["isCurrent"].as_bool().unwrap()))
        .collect();
    assert_eq!(versions, [(1, false), (2, true)]);
    // A type that does not exist is no filter.
    let response =
        house.http().get(house.url("/events?after=0&types=TaskFlew")).bearer_auth(OFFICE).send().await;
    let problem: Value = response.unwrap().json().await.unwrap();
    assert_eq!(problem["field"], "types[0]");
});
