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

/// Otherwise every new type would move others about in the file.
#[test]
fn the_schema_text_is_in_order() {
    const BLOCKS: [&str; 4] = ["type ", "input ", "enum ", "interface "];
    let (text, mut described, mut in_block) = (zhixing_api::graphql::sdl(), false, false);
    let (mut types, mut fields): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let name = |line: &'static str| line.split(['(', ':', ' ', '{']).next().unwrap_or_default();
    for line in Box::leak(text.into_boxed_str()).lines() {
        if line.trim() == "\"\"\"" {
            described = !described;
            continue;
        }
        if described {
            continue;
        }
        if let Some(block) = BLOCKS.iter().find_map(|block| line.strip_prefix(block)) {
            types.push(name(block));
            fields.clear();
            in_block = true;
        } else if line == "}" {
            assert!(fields.is_sorted(), "{:?}: {fields:?}", types.last());
            in_block = false;
        } else if let Some(field) =
            line.strip_prefix('\t').filter(|field| in_block && field.starts_with(char::is_alphabetic))
        {
            fields.push(name(field));
        }
    }
    assert!(types.len() > 100 && types.is_sorted(), "{types:?}");
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
