//! The contract as text: fresh, and described to the last argument.
use serde_json::{Value, json};

use crate::house::{House, story};

#[test]
fn the_schema_file_is_fresh() {
    let file = include_str!("../../../schema.graphql");
    assert!(
        file == zhixing_api::graphql::sdl(),
        "schema.graphql is stale: run `cargo run -- schema > schema.graphql` and look at what changed"
    );
}

/// Everything in the schema without a description, except what the specification defines.
async fn undescribed(house: &House) -> Vec<String> {
    let query = "{ __schema { types { name kind description } } }";
    let data = house.ok("", query, json!({})).await;
    let mut bare = Vec::new();
    let mut note = |place: String, thing: &Value| {
        if thing["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            bare.push(place);
        }
    };
    let builtin = ["Int", "Float", "String", "Boolean", "ID"];
    for known in data["__schema"]["types"].as_array().unwrap() {
        let name = known["name"].as_str().unwrap();
        if name.starts_with("__") || builtin.contains(&name) {
            continue;
        }
        note(name.into(), known);
        let query = "query($name: String!) { __type(name: $name) {
            fields { name description args { name description } }
            inputFields { name description } enumValues { name description } } }";
        let parts = house.ok("", query, json!({ "name": name })).await;
        for list in ["fields", "inputFields", "enumValues"] {
            for part in parts["__type"][list].as_array().into_iter().flatten() {
                let place = format!("{name}.{}", part["name"].as_str().unwrap());
                note(place.clone(), part);
                for argument in part["args"].as_array().into_iter().flatten() {
                    note(format!("{place}({}:)", argument["name"].as_str().unwrap()), argument);
                }
            }
        }
    }
    bare
}

story!(everything_is_described, |house| {
    let bare = undescribed(house).await;
    assert!(bare.is_empty(), "without a description: {}", bare.join(", "));
});
