//! Whether a form may take the place of another of the same name: what a reader relied on must stay.
use serde_json::Value;

/// What a reader of `before` would miss in `after`; `None` when everything stays. New fields and new words of a list may come,
/// for which readers are prepared; all else needs a new version.
pub(super) fn break_of(before: &Value, after: &Value) -> Option<String> {
    broken(before, after, "")
}

fn broken(before: &Value, after: &Value, at: &str) -> Option<String> {
    let named = if at.is_empty() { "the payload" } else { at };
    for key in ["pattern", "format", "const", "minimum", "maximum"] {
        if before.get(key) != after.get(key) && before.get(key).is_some() {
            return Some(format!("{named} has another {key}"));
        }
    }
    let types = words(&before["type"]);
    if !types.is_empty() && words(&after["type"]).iter().any(|word| !types.contains(word)) {
        return Some(format!("{named} has another type"));
    }
    if let Some(word) = missing(&before["enum"], &after["enum"]) {
        return Some(format!("{named} cannot be {word} any more"));
    }
    if let Some(name) = missing(&before["required"], &after["required"]) {
        return Some(format!("{named} may lack {name} now"));
    }
    for (name, part) in before["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        match after["properties"].get(name) {
            None => return Some(format!("{path} is gone")),
            Some(now) => {
                if let Some(reason) = broken(part, now, &path) {
                    return Some(reason);
                }
            }
        }
    }
    if let (Some(part), Some(now)) = (before.get("items"), after.get("items")) {
        return broken(part, now, &format!("{at}[]"));
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        let (former, current) = (&before[key], &after[key]);
        let (former, current) = (former.as_array(), current.as_array());
        if former.map(Vec::len) != current.map(Vec::len) {
            return Some(format!("{named} has other forms"));
        }
        let mut pairs = former.into_iter().flatten().zip(current.into_iter().flatten());
        if let Some(reason) = pairs.find_map(|(part, now)| broken(part, now, at)) {
            return Some(reason);
        }
    }
    None
}

/// A word or a list of words.
fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect(),
    }
}

/// The first word that is only in the list before.
fn missing<'a>(before: &'a Value, after: &Value) -> Option<&'a str> {
    let after = words(after);
    words(before).into_iter().find(|word| !after.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zhixing_domain::catalogue::event_types;

    use super::*;

    #[test]
    fn what_readers_rely_on_stays() {
        let before = json!({ "type": "object", "required": ["a"], "properties": {
            "a": { "type": "string", "pattern": "^x$" },
            "b": { "type": ["integer", "null"] },
            "c": { "type": "array", "items": { "type": "string", "enum": ["ONE", "TWO"] } },
            "d": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
        } });
        let with = |pointer: &str, value: Value| {
            let mut after = before.clone();
            *after.pointer_mut(pointer).unwrap() = value;
            break_of(&before, &after)
        };
        assert_eq!(break_of(&before, &before), None);
        let mut more = before.clone();
        more["properties"]["e"] = json!({ "type": "string" });
        more["required"] = json!(["a", "e"]);
        more["properties"]["c"]["items"]["enum"] = json!(["ZERO", "ONE", "TWO"]);
        assert_eq!(break_of(&before, &more), None, "more may come");
        assert_eq!(with("/properties/b/type", json!("integer")), None, "it is never null any more");
        for (pointer, value, reason) in [
            ("/properties/a", json!({ "type": "integer" }), "a has another pattern"),
            ("/properties/b/type", json!("string"), "b has another type"),
            ("/properties/c/items/enum", json!(["ONE"]), "c[] cannot be TWO any more"),
            ("/properties/d/anyOf", json!([{ "type": "string" }]), "d has other forms"),
            ("/required", json!([]), "the payload may lack a now"),
            ("/properties", json!({ "a": before["properties"]["a"] }), "b is gone"),
            ("/type", json!("array"), "the payload has another type"),
        ] {
            assert_eq!(with(pointer, value).as_deref(), Some(reason));
        }
    }

    #[test]
    fn every_form_may_take_its_own_place() {
        for known in event_types() {
            assert_eq!(break_of(&known.schema, &known.schema), None, "{}", known.urn());
        }
    }
}
