//! What the guard lets through and what it refuses.

use super::*;
use async_graphql::{ServerError, Variables};
use std::fmt::Write;
use std::time::Instant;

fn check(query: &str) -> Result<Checked, Vec<ServerError>> {
    check_with(query, &json!({}))
}

fn check_with(query: &str, variables: &Json) -> Result<Checked, Vec<ServerError>> {
    new_guard(Limits::default()).check(query, None, Variables::from_json(variables.clone()))
}

/// The first error: its code, and the limit or the field it names.
fn refusal(result: Result<Checked, Vec<ServerError>>) -> (String, String) {
    let errors = result.expect_err("refused");
    let error = serde_json::to_value(&errors[0]).unwrap();
    let detail = error["extensions"]["limit"].as_str().or(error["extensions"]["field"].as_str());
    (code_of(&json!({ "errors": [error] })).to_owned(), detail.unwrap_or_default().to_owned())
}

#[track_caller]
fn refused(query: &str, code: &str) {
    assert_eq!(refusal(check(query)).0, code, "{query}");
}

#[track_caller]
fn limited(query: &str, limit: &str) {
    assert_eq!(refusal(check(query)), (error::LIMIT_EXCEEDED.to_owned(), limit.to_owned()));
}

#[track_caller]
fn accepted(query: &str) -> Checked {
    check(query).unwrap_or_else(|errors| panic!("{query}: {errors:?}"))
}

fn quick<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < Duration::from_millis(100), "took {:?}", start.elapsed());
    result
}

fn bomb(levels: usize, inner: &str) -> String {
    let mut query = "{ task { ...f0 } }".to_owned();
    for level in 0..levels {
        write!(query, " fragment f{level} on Task {{ ...f{0} ...f{0} }}", level + 1).unwrap();
    }
    write!(query, " fragment f{levels} on Task {{ {inner} }}").unwrap();
    query
}

#[test]
fn a_fragment_bomb_is_refused_at_once() {
    let guard = new_guard(Limits::default());
    let query = bomb(28, "id");
    assert!(query.len() < 3000);
    let errors = quick(|| guard.check(&query, None, Variables::default())).unwrap_err();
    assert!(errors.iter().all(|error| error::code(error) == Some(error::LIMIT_EXCEEDED)), "{errors:?}");
}

#[test]
fn a_bomb_in_parents_and_aliases_is_refused_at_once() {
    let guard = new_guard(Limits::default());
    let mut query = "{ task { ...f0 } }".to_owned();
    for level in 0..12 {
        write!(
            query,
            " fragment f{level} on Task {{ a: parent {{ ...f{0} }} b: parent {{ ...f{0} }} }}",
            level + 1
        )
        .unwrap();
    }
    query.push_str(" fragment f12 on Task { id }");
    let errors = quick(|| guard.check(&query, None, Variables::default())).unwrap_err();
    assert!(errors.iter().any(|error| error.message.contains("aliases")), "{errors:?}");
}

#[test]
fn a_long_chain_of_fragments_does_not_exhaust_the_stack() {
    let mut query = "{ task { ...f0 } }".to_owned();
    for level in 0..450 {
        write!(query, " fragment f{level} on Task {{ ...f{} }}", level + 1).unwrap();
    }
    query.push_str(" fragment f450 on Task { id }");
    limited(&query, "nesting");
}

/// The largest documents the limits admit, built against each rule; the bound is generous for a debug build.
#[test]
fn no_document_within_the_limits_takes_long() {
    let guard = new_guard(Limits::default());
    let join = |n: usize, one: &dyn Fn(usize) -> String| (0..n).map(one).collect::<Vec<_>>().join(" ");
    let chain = |n: usize| join(n, &|i| format!("fragment f{i} on Task {{ ...f{} }}", i + 1));
    let many_operations = join(200, &|i| format!("query q{i}($u: Boolean) {{ task {{ ...f0 }} }}"));
    for query in [
        format!("{{ task {{ ...f0 }} }} {} fragment f600 on Task {{ id }}", chain(600)),
        format!("{many_operations} {} fragment f200 on Task {{ title(upper: $u) }}", chain(200)),
        format!("{{ task {{ {} }} }}", join(1900, &|_| "id".to_owned())),
        format!("{{ task {{ {} }} }}", join(600, &|_| "title(upper: true)".to_owned())),
        format!("{{ nodes(ids: [{}]) {{ id }} }}", join(4900, &|i| i.to_string())),
        format!("{{ hello(name: \"{}\") }}", "\\u{41}".repeat(10_000)),
        "{".repeat(60_000),
        "#".repeat(65_000),
    ] {
        let start = Instant::now();
        let _ = guard.check(&query, None, Variables::default());
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}: {}", start.elapsed(), &query[..60]);
    }
}

#[test]
fn circles_and_undefined_and_unused_fragments_are_refused() {
    refused(
        "{ task { ...a } } fragment a on Task { ...b } fragment b on Task { ...a }",
        error::VALIDATION_FAILED,
    );
    refused("{ task { ...a } } fragment a on Task { parent { ...a } }", error::VALIDATION_FAILED);
    refused("{ task { ...a } }", error::VALIDATION_FAILED);
    refused("{ task { id } } fragment a on Task { id }", error::VALIDATION_FAILED);
    accepted("{ task { ...a } } fragment a on Task { ...b } fragment b on Task { id }");
}

#[test]
fn limits_count_what_is_there() {
    let many = |one: &dyn Fn(usize) -> String, n: usize| (0..n).map(one).collect::<Vec<_>>().join(" ");
    limited(&format!("{{ task {{ {} }} }}", many(&|n| format!("a{n}: __typename"), 1000)), "aliases");
    limited(&format!("{{ {} }}", many(&|_| "__typename".to_owned(), 21)), "root_fields");
    limited(&format!("{{ task {{ {} }} }}", many(&|_| "__typename".to_owned(), 2001)), "fields");
    limited(&format!("{{ task {{ {} }} }}", many(&|_| "id @skip(if: false)".to_owned(), 51)), "directives");
    limited(&format!("{{ task {{ {} }} }}", many(&|_| "id".to_owned(), 5000)), "tokens");
    limited(&format!("{{ hello(name: \"{}\") }}", "x".repeat(70_000)), "query_bytes");
    let deep = |n: usize| format!("{{ task {}{{ id }}{} }}", "{ parent ".repeat(n), " }".repeat(n));
    assert_eq!(accepted(&deep(13)).depth, 15);
    limited(&deep(14), "depth");
    limited(&format!("{{ hello(name: {}{}) }}", "[".repeat(1000), "]".repeat(1000)), "nesting");
}

#[test]
fn lists_multiply_the_cost() {
    // tasks 1 + nodes 1 + 10 × (item 1 + id 1 + title 1)
    assert_eq!(accepted("{ tasks(first: 10) { nodes { id title } } }").cost, 32);
    assert_eq!(
        accepted(
            "{ tasks(first: 10) { totalCount ...n } } fragment n on TaskConnection { nodes { id title } }"
        )
        .cost,
        33
    );
    // Without `first` the page size of the limits counts.
    assert_eq!(accepted("{ tasks { nodes { id title } } }").cost, 62);
    let first =
        check_with("query($n: Int!) { tasks(first: $n) { nodes { id title } } }", &json!({ "n": 10 }));
    assert_eq!(first.unwrap().cost, 32);
    assert_eq!(accepted("query($n: Int = 10) { tasks(first: $n) { nodes { id title } } }").cost, 32);
    assert_eq!(accepted("{ nodes(ids: [1, 2, 3, 4]) { id } }").cost, 9);
    let ids = check_with("query($ids: [ID!]!) { nodes(ids: $ids) { id } }", &json!({ "ids": ["1", "2"] }));
    assert_eq!(ids.unwrap().cost, 5);
    assert_eq!(accepted("{ task { units { id } } }").cost, 8);
    limited("{ tasks(first: 20000) { nodes { id title } } }", "cost");
}

#[test]
fn introspection_passes_once_and_not_as_a_bomb() {
    let usual = "query { __schema { queryType { name } types { ...t } directives { name locations args { ...i } } } }
        fragment t on __Type { kind name fields(includeDeprecated: true) { name args { ...i } type { ...r } }
          inputFields { ...i } interfaces { ...r } enumValues { name } possibleTypes { ...r } }
        fragment i on __InputValue { name type { ...r } defaultValue }
        fragment r on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
          ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { name } } } } } } } } } }";
    assert_eq!(accepted(usual).depth, 1);
    limited("{ __schema { types { fields { type { fields { name } } } } } }", "introspection_lists");
    let deep =
        format!("{{ __type(name: \"Task\") {}{{ name }}{} }}", "{ ofType ".repeat(21), " }".repeat(21));
    limited(&deep, "introspection_depth");
}

#[test]
fn sources_are_read_strictly_and_never_echoed_at_length() {
    refused("{ hello(name: \"a\u{0}b\") }", error::PARSE_FAILED);
    refused("{ hello # \u{7}\n }", error::PARSE_FAILED);
    refused("{ hello(", error::PARSE_FAILED);
    refused("{ hello(name: \"open) }", error::PARSE_FAILED);
    refused("{ small(value: 01) }", error::PARSE_FAILED);
    refused("{ small(value: 1.) }", error::PARSE_FAILED);
    refused("", error::PARSE_FAILED);
    for query in [format!("{{ {} }}", "x".repeat(60_000)), format!("{{ hello }} \"{}\"", "y".repeat(60_000))]
    {
        let errors = check(&query).unwrap_err();
        assert!(errors.iter().all(|error| error.message.len() < 400), "{}", errors[0].message.len());
    }
    let errors = check("{ hello(name: ) }").unwrap_err();
    assert!(!errors[0].message.contains("hello") && errors[0].locations[0].line == 1, "{errors:?}");
}

#[tokio::test]
async fn escapes_of_any_spelling_are_read() {
    let (schema, _) = schema(ValidationMode::Fast);
    for (literal, text) in [
        (r"\u{8D28}\u5174", "质兴"),
        (r"\uD83D\uDE00!", "😀!"),
        (r"\u{1F600}\n", "😀\n"),
        (r"\u{22}\u{5C}", "\"\\"),
    ] {
        let checked = accepted(&format!("{{ hello(name: \"{literal}\") }}"));
        let data = schema.execute(checked.into_request()).await.data.into_json().unwrap();
        assert_eq!(data["hello"], format!("hello {text}"));
    }
    for literal in [
        r"\uD83D",
        r"\uD83Dx",
        r"\uD83D\u0041",
        r"\u{}",
        r"\u{110000}",
        r"\u{D800}",
        r"\u12",
        r"\x",
        r"\u+123",
    ] {
        refused(&format!("{{ hello(name: \"{literal}\") }}"), error::PARSE_FAILED);
    }
    refused(r#"{ hello(name: "\u0000") }"#, error::INVALID_INPUT);
    refused(r#"{ hello(name: "\u{0}") }"#, error::INVALID_INPUT);
}

#[test]
fn documents_must_fit_the_schema() {
    for query in [
        "{ nothing }",
        "{ hello { x } }",
        "{ task }",
        "{ hello(other: 1) }",
        "{ hello(name: \"a\", name: \"b\") }",
        "{ task { ... on Nothing { id } } }",
        "{ task { ... on Colour { id } } }",
        "{ task { ... on Cat { name } } }",
        "query A { hello } query A { hello }",
        "query A { hello } { hello }",
        "query A { hello } query B { hello }",
        "subscription { count(to: 1) flood }",
        "subscription { __typename }",
        "subscription { count(to: 1) @skip(if: false) }",
        "{ __typename @nothing }",
        "{ __typename @skip(if: true) @skip(if: false) }",
        "{ __typename @deprecated }",
        "query @skip(if: true) { hello }",
        "{ __typename @include }",
        "{ __typename { x } }",
        "{ __typename(x: 1) }",
    ] {
        let code = refusal(check(query)).0;
        let fitting = [error::VALIDATION_FAILED, error::PARSE_FAILED, error::INVALID_INPUT];
        assert!(fitting.contains(&code.as_str()), "{query}: {code}");
    }
    refused(
        "mutation { addTask(input: { title: \"a\", title: \"b\", leadUnits: [] }) }",
        error::PARSE_FAILED,
    );
    // Equal names outside one input object are fine.
    accepted("{ a: find(key: { id: 1 }) b: find(key: { id: 1 }) task { id id } }");
    accepted("subscription { ...f } fragment f on Feed { count(to: 1) }");
}

#[test]
fn variables_must_be_defined_used_and_fitting() {
    let query = |text: &str| refused(text, error::VALIDATION_FAILED);
    query("{ hello(name: $n) }");
    query("query($n: String!) { hello }");
    query("query($n: String!, $n: String!) { hello(name: $n) }");
    query("query($n: Nothing) { hello(name: $n) }");
    query("query($n: Task) { hello(name: $n) }");
    query("query($n: Int) { hello(name: $n) }");
    query("query($n: [Int]) { tasks(first: $n) { totalCount } }");
    query("query($n: Int) { small(value: $n) }");
    query("query($n: [ID]!) { nodes(ids: $n) { id } }");
    query("query($id: ID) { find(key: { id: $id }) }");
    query("{ task { ...f } } fragment f on Task { title(upper: $u) }");
    refused("query($n: Int = \"x\") { tasks(first: $n) { totalCount } }", error::INVALID_INPUT);
    // Uses on `__typename`, in fragments, and nullable variables where a default stands.
    accepted("query($b: Boolean = true) { __typename @include(if: $b) }");
    accepted("query($u: Boolean) { task { ...f } } fragment f on Task { title(upper: $u) }");
    accepted("query($n: String) { hello(name: $n) }");
    accepted("query($n: Int = 3) { small(value: $n) }");
}

#[test]
fn literals_are_coerced_before_anything_runs() {
    let field = |query: &str, field: &str| {
        assert_eq!(refusal(check(query)), (error::INVALID_INPUT.to_owned(), field.to_owned()), "{query}");
    };
    field("{ small }", "value");
    field("{ small(value: null) }", "value");
    field("{ small(value: \"1\") }", "value");
    field("{ small(value: 3000000000) }", "value");
    field("{ small(value: 1.0) }", "value");
    field("{ tasks(first: RED) { totalCount } }", "first");
    field("{ find(key: {}) }", "key");
    field("{ find(key: { id: 1, title: \"a\" }) }", "key");
    field("{ find(key: { id: null }) }", "key.id");
    let input = |input: &str| {
        format!("mutation {{ addTask(input: {{ title: \"a\", leadUnits: [\"u\"], {input} }}) }}")
    };
    field(&input("colour: \"RED\""), "input.colour");
    field(&input("colour: BLUE"), "input.colour");
    field(&input("weight: 3"), "input.weight");
    field(
        &input("children: [{ title: \"b\", leadUnits: [] }, { title: \"c\", leadUnits: [null] }]"),
        "input.children[1].leadUnits[0]",
    );
    field(&input("other: 1"), "input");
    accepted(&input("colour: GREEN, weight: 4"));
    let errors = check("{ tasks(first: true) { totalCount } }").unwrap_err();
    assert_eq!(errors[0].message, "tasks(first:) must be a whole number");
}

#[test]
fn variables_are_coerced_with_the_path_of_what_is_wrong() {
    let query = "mutation($input: TaskInput!) { addTask(input: $input) }";
    let field = |variables: &Json, field: &str| {
        let found = refusal(check_with(query, variables));
        assert_eq!(found, (error::INVALID_INPUT.to_owned(), field.to_owned()), "{variables}");
    };
    let input = |extra: Json| {
        let mut input = json!({ "title": "a", "leadUnits": ["u"] });
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "input": input })
    };
    field(&json!({}), "input");
    field(&json!({ "input": null }), "input");
    field(&json!({ "input": "a" }), "input");
    field(&json!({ "input": { "title": "a" } }), "input.leadUnits");
    field(&input(json!({ "leadUnits": ["a", "b", null] })), "input.leadUnits[2]");
    field(&input(json!({ "title": 1 })), "input.title");
    field(&input(json!({ "title": "a\u{0}" })), "input.title");
    field(&input(json!({ "colour": "BLUE" })), "input.colour");
    field(&input(json!({ "weight": 3 })), "input.weight");
    field(&input(json!({ "weight": { "a": "\u{1}" } })), "input.weight");
    field(&input(json!({ "priority": 1e300 })), "input.priority");
    field(&input(json!({ "children": [{ "title": "b" }] })), "input.children[0].leadUnits");
    field(&input(json!({ "other": 1 })), "input");
    let errors = check_with(query, &input(json!({ "leadUnits": ["a", "b", {}] }))).unwrap_err();
    assert!(errors[0].message.starts_with("variables.input.leadUnits[2] must be"), "{errors:?}");
    assert!(
        check_with(query, &input(json!({ "leadUnits": "one", "colour": "RED", "title": "a\tb\n" }))).is_ok()
    );
    let null = check_with("query($b: Boolean = true) { hello @include(if: $b) }", &json!({ "b": null }));
    assert_eq!(refusal(null).1, "b");
    // A hundred wrong items are not a hundred errors.
    let many = check_with(query, &input(json!({ "leadUnits": vec![Json::Null; 100] }))).unwrap_err();
    assert_eq!(many.len(), 20);
}

#[tokio::test]
async fn the_executor_gets_complete_variables() {
    let (schema, _) = schema(ValidationMode::Fast);
    let run = async |query: &str, variables: Json| {
        let checked = check_with(query, &variables).unwrap_or_else(|errors| panic!("{query}: {errors:?}"));
        let response = schema.execute(checked.into_request()).await;
        assert!(response.errors.is_empty(), "{:?}", response.errors);
        response.data.into_json().unwrap()
    };
    let skip = "query($b: Boolean = true) { hello @skip(if: $b) __typename }";
    assert_eq!(run(skip, json!({})).await, json!({ "__typename": "Query" }));
    let optional = "query($v: Int) { optional(value: $v) hello(name: null) }";
    assert_eq!(refusal(check_with(optional, &json!({}))).1, "name");
    let optional = "query($v: Int, $n: String) { optional(value: $v) hello(name: $n) }";
    assert_eq!(run(optional, json!({})).await, json!({ "optional": "undefined", "hello": "hello you" }));
    let optional = "query($v: Int) { optional(value: $v) }";
    assert_eq!(run(optional, json!({ "v": null })).await["optional"], "null");
    let add =
        "mutation($t: String!, $c: Colour) { addTask(input: { title: $t, leadUnits: \"u\", colour: $c }) }";
    assert_eq!(run(add, json!({ "t": "a", "c": "GREEN" })).await["addTask"], "a 1 green 0 7 0");
    let merged = "{ task { id } task { title } ...f } fragment f on Query { task { colour } }";
    let task = json!({ "id": "1", "title": "task", "colour": "RED" });
    assert_eq!(run(merged, json!({})).await["task"], task);
}

#[test]
fn fields_under_one_name_must_agree() {
    for query in [
        "{ task { a: id a: title } }",
        "{ task { a: title a: title(upper: true) } }",
        "{ task { parent { a: id } ...f } } fragment f on Task { parent { a: colour } }",
        "{ animals { ... on Cat { sound } ... on Dog { sound } } }",
        "{ animals { ... on Cat { x: __typename } ... on Dog { x: sound } ... on Cat { x: sound } } }",
        "{ tasks { nodes { id } } tasks(first: 1) { nodes { id } } }",
    ] {
        refused(query, error::VALIDATION_FAILED);
    }
    accepted("{ task { parent { id } parent { title } } }");
    accepted("{ animals { ... on Cat { n: name } ... on Dog { n: name } } }");
    accepted("query($u: Boolean) { task { title(upper: $u) title(upper: $u) } }");
    // The same fragment many times over is looked at once a level.
    let guard = new_guard(Limits { fields: u64::MAX, cost: u64::MAX, ..Limits::default() });
    let query = bomb(25, "parent { id }");
    assert!(quick(|| guard.check(&query, None, Variables::default())).is_ok());
    // Wide sets that are merged again and again end at a bound.
    let limits = Limits { fields: u64::MAX, cost: u64::MAX, depth: 64, aliases: 999, ..Limits::default() };
    let mut query = "{ task { ...f0 } }".to_owned();
    for level in 0..14 {
        write!(query, " fragment f{level} on Task {{ parent {{ ...f{0} id }} parent {{ ...f{0} title }} a: parent {{ ...f{0} }} b: parent {{ ...f{0} }} }}", level + 1).unwrap();
    }
    query.push_str(" fragment f14 on Task { id }");
    let errors = new_guard(limits).check(&query, None, Variables::default()).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(error::code(&errors[0]), Some(error::LIMIT_EXCEEDED));
}

#[test]
fn an_operation_is_chosen_by_name() {
    let guard = new_guard(Limits::default());
    let two = "query A { hello } mutation B { bump(by: 1) }";
    let kind = |name: Option<&str>| guard.check(two, name, Variables::default()).map(|checked| checked.kind);
    assert_eq!(kind(Some("B")).unwrap(), OperationType::Mutation);
    assert_eq!(kind(Some("A")).unwrap(), OperationType::Query);
    assert!(kind(None).is_err() && kind(Some("C")).is_err());
    let one = guard.check("query A { hello }", Some("A"), Variables::default()).unwrap();
    assert_eq!(one.operation_name.as_deref(), Some("A"));
    assert!(guard.check("{ hello }", Some("A"), Variables::default()).is_err());
}

#[test]
fn a_guard_needs_the_whole_schema() {
    let guard =
        |sdl: &str| Guard::new(sdl, Limits::default(), &Scalars::new()).err().map(|error| error.to_string());
    assert_eq!(guard("type Query { a: Int }"), None);
    assert!(guard("type Query { a: When } scalar When").unwrap().contains("When"));
    assert!(guard("type Query { a: Nothing }").unwrap().contains("Nothing"));
    assert!(guard("type Query {").is_some());
}

#[test]
fn directives_repeat_only_where_the_schema_says_so() {
    let sdl = "type Query { a: Int } directive @tag(x: Int) repeatable on FIELD directive @tagged on FIELD";
    let guard = Guard::new(sdl, Limits::default(), &Scalars::new()).unwrap();
    let check = |query: &str| guard.check(query, None, Variables::default());
    assert!(check("{ a @tag(x: 1) @tag(x: 2) }").is_ok());
    assert!(check("{ a @tagged @tagged }").is_err());
}

#[test]
fn fragments_apply_where_types_can_meet() {
    let sdl = "interface Node { id: ID! } interface Named { name: String } union Thing = A | C
        type A implements Node { id: ID! x: Int } type B implements Node & Named { id: ID! name: String }
        type C { y: Int } type Query { node: Node thing: Thing a: A }";
    let guard = Guard::new(sdl, Limits::default(), &Scalars::new()).unwrap();
    let check = |query: &str| guard.check(query, None, Variables::default()).is_ok();
    assert!(check("{ node { id ... on A { x } ... on Named { name } ... on Thing { ... on A { x } } } }"));
    assert!(check("{ a { ... on Node { id } ... on Thing { __typename } } }"));
    assert!(!check("{ node { ... on C { y } } }"));
    assert!(!check("{ a { ... on Named { name } } }"));
    assert!(!check("{ thing { id } }"));
}

#[tokio::test]
async fn the_introspection_table_is_the_executors() {
    let (schema, _) = schema(ValidationMode::Strict);
    let query = "{ __schema { description queryType { name } mutationType { name } subscriptionType { name }
          directives { name description locations args(includeDeprecated: true) { name } isRepeatable } }
        __type(name: \"TaskInput\") { kind name description specifiedByURL isOneOf
          fields(includeDeprecated: true) { name description args(includeDeprecated: true) { name } type { name }
            isDeprecated deprecationReason }
          interfaces { name } possibleTypes { name }
          enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
          inputFields(includeDeprecated: true) { name description type { name } defaultValue isDeprecated
            deprecationReason } ofType { name } } }";
    let response = schema.execute(accepted(query).into_request()).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    assert_eq!(response.data.into_json().unwrap()["__type"]["name"], "TaskInput");
}

#[test]
fn limits_are_read_from_configuration() {
    let limits: Limits =
        serde_json::from_value(json!({ "depth": 3, "allowed_origins": ["https://a.cn"] })).unwrap();
    assert_eq!((limits.depth, limits.cost), (3, Limits::default().cost));
    assert!(serde_json::from_value::<Limits>(json!({ "dept": 3 })).is_err());
}
