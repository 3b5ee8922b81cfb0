//! Whatever is sent is answered: by name, in words, and never with those of a database.
use serde_json::{Value, json};

use crate::{
    house::{Answer, House, OFFICE, mutation, story},
    world::{World, evidence, indicator, plan_content, task_content, task_input},
};

/// No word of what lies beneath, no fault of ours.
fn is_decent(answer: &Answer, what: &str) {
    assert!([200, 400].contains(&answer.status), "{what}: {} {}", answer.status, answer.text);
    assert!(answer.body.is_object(), "{what}: {}", answer.text);
    let text = answer.text.to_lowercase();
    for word in ["sqlite", "postgres", "sqlx", "sql", "constraint", "panick", "internal error", "database"] {
        assert!(!text.contains(word), "{what}: {}", answer.text);
    }
}

/// The code and the field of the first error, wherever it stands.
fn error_of(answer: &Answer) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if let Some(error) = answer.body["errors"].get(0) {
        let field = text(&error["extensions"]["field"]);
        return (text(&error["extensions"]["code"]), field.strip_prefix("input.").unwrap_or(&field).into());
    }
    let payload =
        answer.body["data"].as_object().and_then(|data| data.values().next()).cloned().unwrap_or_default();
    (text(&payload["errors"][0]["code"]), text(&payload["errors"][0]["field"]))
}

async fn is_refused(house: &House, query: &str, variables: Value, field: &str) {
    let before = house.head();
    let mut what = format!("{query} {variables}");
    what.truncate(what.floor_char_boundary(400));
    let answer = house.ask(OFFICE, query, variables).await;
    is_decent(&answer, &what);
    assert_eq!(error_of(&answer), ("INVALID_INPUT".into(), field.into()), "{what}: {}", answer.text);
    assert_eq!(house.head(), before, "{what} left a trace");
}

/// An id with another first byte.
fn other_version(id: &str) -> String {
    format!("Ag{}", &id[2..])
}

story!(ids_that_are_none, |house| {
    let world = World::new(house).await;
    let good = &world.task;
    let bad = [
        json!(""),
        json!("garbage"),
        json!("0"),
        json!(other_version(good)),
        json!(format!("{good}=")),
        json!(format!("{good}A")),
        json!(&good[1..]),
        json!(format!("AQ{}", &good[..22])),
        json!(good.replacen('A', "甲", 1)),
        json!("01963d2e-0000-7000-8000-000000000000"),
        json!(format!("{}\u{0}", &good[..23])),
        json!("' or 1=1 --"),
        json!("A".repeat(100_001)),
    ];
    for id in &bad {
        is_refused(house, "query($id: ID!) { node(id: $id) { id } }", json!({ "id": id }), "id").await;
        is_refused(house, "query($id: ID!) { task(id: $id) { id } }", json!({ "id": id }), "id").await;
        let ids = json!({ "ids": [good, id] });
        is_refused(house, "query($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids, "ids[1]").await;
        let filter = json!({ "where": { "unit": id } });
        is_refused(
            house,
            "query($where: TaskWhere) { tasks(where: $where) { totalCount } }",
            filter,
            "where.unit",
        )
        .await;
        is_refused(house, &mutation("acceptTask"), json!({ "input": { "id": id } }), "id").await;
        let responsibility = json!({ "leadUnitIds": [world.lead, id] });
        let assign = json!({ "input": { "id": good, "responsibility": responsibility } });
        is_refused(house, &mutation("assignTaskUnits"), assign, "responsibility.leadUnitIds[1]").await;
    }
    // An id of another kind.
    is_refused(house, "query($id: ID!) { task(id: $id) { id } }", json!({ "id": world.plan }), "id").await;
    is_refused(house, &mutation("acceptTask"), json!({ "input": { "id": world.plan } }), "id").await;
    // In the document itself.
    for literal in ["\"garbage\"", "7", "\"\"", "\"A\\u0000\""] {
        is_refused(house, &format!("{{ task(id: {literal}) {{ id }} }}"), json!({}), "id").await;
    }
});

story!(what_does_not_exist_is_not_found, |house| {
    let world = World::new(house).await;
    let swap = |id: &str| format!("{}{}", &id[..23], if id.ends_with('A') { 'B' } else { 'A' });
    let (task, plan, unit) = (swap(&world.task), swap(&world.plan), swap(&world.lead));
    let units = json!({ "leadUnitIds": [world.lead, unit] });
    let cases = [
        ("acceptTask", json!({ "id": task }), "id"),
        ("issuePlan", json!({ "id": plan }), "id"),
        ("registerTask", task_input(&plan, "9"), "planId"),
        (
            "reassignTaskUnits",
            json!({ "id": world.task, "responsibility": units, "reason": "改派" }),
            "responsibility.leadUnitIds[1]",
        ),
        ("mergeUnit", json!({ "id": world.lead, "intoId": unit, "reason": "合并" }), "intoId"),
    ];
    for (action, input, field) in cases {
        let refusal = house.refused(OFFICE, action, input, "NOT_FOUND").await;
        assert_eq!((&refusal["__typename"], &refusal["field"]), (&json!("NotFound"), &json!(field)));
    }
});

story!(values_that_are_none, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let dates = [
        "2018-02-29",
        "2018-13-01",
        "2018-1-1",
        "20180101",
        "0001-01-01",
        "2018-01-01T00:00:00Z",
        "昨天",
        "",
    ];
    for date in dates {
        let input = json!({ "input": { "id": world.plan, "effectiveFrom": date } });
        is_refused(house, &mutation("bringPlanIntoForce"), input, "effectiveFrom").await;
        let filter = json!({ "where": { "due": { "from": date } } });
        is_refused(
            house,
            "query($where: TaskWhere) { tasks(where: $where) { totalCount } }",
            filter,
            "where.due.from",
        )
        .await;
    }
    // 29 February is a day of leap years only, wherever a day is taken.
    let baseline = |day: &str| json!({ "id": id, "baseline": { "value": "1", "asOf": day } });
    is_refused(house, &mutation("setBaseline"), json!({ "input": baseline("2019-02-29") }), "baseline.asOf")
        .await;
    house.done(OFFICE, "setBaseline", baseline("2020-02-29")).await;
    let mut content = task_content("二月底前完成");
    content["dueOn"] = json!("2100-02-29");
    let amend = json!({ "input": { "id": world.task, "content": content } });
    is_refused(house, &mutation("amendTask"), amend, "content.dueOn").await;
    for code in ["999999", "44080", "4408000", "44080X", "四四〇八", "", "440800\u{0}"] {
        let unit = json!({ "input": { "name": "市商务局", "kind": "DEPARTMENT", "regionCode": code } });
        is_refused(house, &mutation("registerUnit"), unit, "regionCode").await;
        is_refused(
            house,
            "query($code: RegionCode!) { region(code: $code) { name } }",
            json!({ "code": code }),
            "code",
        )
        .await;
        let filter = json!({ "where": { "region": code } });
        is_refused(
            house,
            "query($where: UnitWhere) { units(where: $where) { totalCount } }",
            filter,
            "where.region",
        )
        .await;
    }
    let decimals = [
        json!("1e3"),
        json!("NaN"),
        json!("Infinity"),
        json!(""),
        json!("1,000"),
        json!("０.１"),
        json!("0x1"),
        json!("1".repeat(19)),
        json!("0.00000000001"),
        json!("1".repeat(100_001)),
        json!(true),
        json!([]),
    ];
    for value in decimals {
        let input = json!({ "input": { "id": id, "period": "2019Q1", "value": value } });
        is_refused(house, &mutation("recordMeasurement"), input, "value").await;
    }
    // Weeks are no periods, not even week 53 of a year that has one; and the answer says what is.
    for period in ["2020W53", "2020-W53", "2020-53"] {
        let input = json!({ "input": { "id": id, "period": period, "value": "1" } });
        is_refused(house, &mutation("recordMeasurement"), input.clone(), "period").await;
        let answer = house.ask(OFFICE, &mutation("recordMeasurement"), input).await;
        assert!(
            answer.text.contains("2018, 2018H1, 2018Q3 or 2018-05") && answer.text.contains("weeks"),
            "{}",
            answer.text
        );
    }
    for period in ["2019Q5", "2019H3", "2019-00", "2019-13", "1899", "19", "2019q1", "2019 ", "全年", ""] {
        let input = json!({ "input": { "id": id, "period": period, "value": "1" } });
        is_refused(house, &mutation("recordMeasurement"), input, "period").await;
    }
    for word in [json!("KING"), json!("department"), json!(""), json!(1), json!(null), json!("DEPARTMENT ")] {
        let unit = json!({ "input": { "name": "市商务局", "kind": word, "regionCode": "440800" } });
        is_refused(house, &mutation("registerUnit"), unit, "kind").await;
    }
    for time in ["yesterday", "2019-06-15", "2019-06-15T25:00:00Z", "2019-06-15 10:00", ""] {
        let query = format!(
            "query($time: DateTime) {{ task(id: \"{}\") {{ asOf(time: $time) {{ id }} }} }}",
            world.task
        );
        is_refused(house, &query, json!({ "time": time }), "time").await;
    }
});

story!(numbers_out_of_bounds, |house| {
    let world = World::new(house).await;
    let leader = world.leader();
    house.done(&leader, "acceptTask", json!({ "id": world.task })).await;
    let huge = [json!(9_223_372_036_854_775_808_u64), json!(1e300), json!(1.5), json!("1"), json!(true)];
    for number in &huge {
        is_refused(
            house,
            "query($first: Int) { tasks(first: $first) { totalCount } }",
            json!({ "first": number }),
            "first",
        )
        .await;
        let how = json!({ "input": { "id": world.task }, "expectedVersion": number });
        is_refused(house, &mutation("verifyTaskCompletion"), how, "expectedVersion").await;
        let input = json!({ "input": { "id": world.task, "percent": number, "note": "x" } });
        is_refused(house, &mutation("reportTaskProgress"), input, "percent").await;
    }
    for percent in [-1, 101, i64::from(i32::MAX)] {
        let input = json!({ "id": world.task, "percent": percent, "note": "x" });
        let refusal = house.refused(&leader, "reportTaskProgress", input, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], "percent");
    }
    for percent in [i64::from(i32::MAX) + 1, i64::MIN, i64::MAX] {
        let variables = json!({ "input": { "id": world.task, "percent": percent, "note": "x" } });
        let answer = house.ask(&leader, &mutation("reportTaskProgress"), variables).await;
        is_decent(&answer, &percent.to_string());
        assert_eq!(error_of(&answer), ("INVALID_INPUT".into(), "percent".into()), "{}", answer.text);
    }
    for first in [-1, 101, i64::from(i32::MAX) + 1, i64::MAX, i64::MIN] {
        let query = "query($first: Int) { tasks(first: $first) { totalCount } }";
        is_refused(house, query, json!({ "first": first }), "first").await;
    }
    is_refused(house, "{ tasks(first: 99999999999999999999) { totalCount } }", json!({}), "first").await;
    is_refused(house, "{ tasks(first: 1, last: 1) { totalCount } }", json!({}), "last").await;
});

/// Every text inside a value, by path; lists and ids are left out.
fn texts(at: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                texts(&format!("{at}/{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(&format!("{at}/{index}"), item, found);
            }
        }
        Value::String(_) => {
            let mut field = String::new();
            for step in at.split('/').skip(1) {
                let is_index = step.bytes().all(|byte| byte.is_ascii_digit());
                field = match (is_index, field.is_empty()) {
                    (true, _) => format!("{field}[{step}]"),
                    (false, true) => step.into(),
                    (false, false) => format!("{field}.{step}"),
                };
            }
            found.push((at.to_owned(), field));
        }
        _ => {}
    }
}

story!(no_text_is_taken_that_cannot_be_kept_or_read, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let mut plan = plan_content();
    plan["basis"] =
        json!([{ "title": "质量发展纲要", "issuer": "国务院", "documentNumber": "国发〔2012〕9号" }]);
    plan["guidance"] = json!("以质取胜");
    let unit = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800", "officialName": "湛江市商务局",
        "aliases": ["商务局"], "note": "备注" });
    let commands = [
        ("registerUnit", unit),
        ("draftPlan", json!({ "code": "ZJ-2", "regionCode": "440800", "content": plan })),
        ("registerTask", task_input(&world.plan, "7")),
        ("amendTask", json!({ "id": world.task, "content": task_content("题目"), "reason": "修订" })),
        ("cancelTask", json!({ "id": world.task, "reason": "取消" })),
        (
            "recordMeasurement",
            json!({ "id": id, "period": "2019Q1", "value": "1", "note": "备注", "evidence": evidence() }),
        ),
    ];
    let poisons = [
        "\u{0}".to_owned(),
        "文字\u{0}文字".into(),
        "文字\u{7}".into(),
        "文字\u{1b}[31m".into(),
        "\u{9b}".into(),
        "文\u{202e}字".into(),
        "字".repeat(5_001),
        "字".repeat(100_001),
        "🐎".repeat(50_001),
    ];
    for (action, input) in commands {
        let mut found = Vec::new();
        texts("", &input, &mut found);
        assert!(!found.is_empty());
        for (pointer, field) in found {
            for poison in &poisons {
                let mut poisoned = input.clone();
                *poisoned.pointer_mut(&pointer).unwrap() = json!(poison);
                is_refused(house, &mutation(action), json!({ "input": poisoned }), &field).await;
            }
        }
    }
});

story!(a_title_has_two_hundred_characters, |house| {
    let world = World::new(house).await;
    for (field, most) in [("title", 200), ("summary", 5_000), ("note", 5_000), ("label", 100)] {
        let mut content = task_content("题目");
        content[field] = json!("字".repeat(most + 1));
        let input = json!({ "id": world.task, "content": content });
        let refusal = house.refused(OFFICE, "amendTask", input.clone(), "INVALID_INPUT").await;
        assert_eq!(refusal["field"], format!("content.{field}"));
        let mut fits = input;
        fits["content"][field] = json!("字".repeat(most));
        house.done(OFFICE, "amendTask", fits).await;
    }
});

story!(lists_have_an_end, |house| {
    let world = World::new(house).await;
    let id = &world.task;
    let many = vec![evidence()[0].clone(); 201];
    house.done(&world.leader(), "acceptTask", json!({ "id": id })).await;
    let report = json!({ "id": id, "percent": 1, "note": "x", "evidence": many });
    let refusal = house.refused(&world.leader(), "reportTaskProgress", report, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "evidence");
    let aliases: Vec<String> = (0..201).map(|at| format!("别名{at}")).collect();
    let input = json!({ "id": world.lead, "aliases": aliases });
    let refusal = house.refused(OFFICE, "addUnitAliases", input, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "aliases");
    let units = json!({ "leadUnitIds": vec![&world.lead; 201] });
    let input = json!({ "id": id, "responsibility": units, "reason": "改派" });
    let refusal = house.refused(OFFICE, "reassignTaskUnits", input, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "responsibility.leadUnitIds");
});

story!(searches_and_filters_take_any_text_that_is_one, |house| {
    let world = World::new(house).await;
    for (connection, filter) in [
        ("tasks", "TaskWhere"),
        ("plans", "PlanWhere"),
        ("units", "UnitWhere"),
        ("indicators", "IndicatorWhere"),
    ] {
        let query = format!("query($where: {filter}) {{ {connection}(where: $where) {{ totalCount }} }}");
        for text in
            ["质量", "🐎🐎", "%", "_", "\\", "'", "\"; drop table tasks; --", "", " ", "é", "\u{10FFFF}"]
        {
            house.ok(OFFICE, &query, json!({ "where": { "text": text } })).await;
        }
        for text in ["\u{0}".to_owned(), "a\u{7}".into(), "字".repeat(101), "a".repeat(100_001)] {
            is_refused(house, &query, json!({ "where": { "text": text } }), "where.text").await;
        }
    }
    for (connection, filter, field) in [
        ("tasks", "TaskWhere", "number"),
        ("plans", "PlanWhere", "code"),
        ("plans", "PlanWhere", "documentNumber"),
        ("units", "UnitWhere", "name"),
        ("indicators", "IndicatorWhere", "code"),
    ] {
        let query = format!("query($where: {filter}) {{ {connection}(where: $where) {{ totalCount }} }}");
        is_refused(house, &query, json!({ "where": { field: "a\u{0}" } }), &format!("where.{field}")).await;
        // In the document itself, where no variable names it.
        let literal = format!("{{ {connection}(where: {{ {field}: \"a\\u0000\" }}) {{ totalCount }} }}");
        is_refused(house, &literal, json!({}), &format!("where.{field}")).await;
        let data = house.ok(OFFICE, &query, json!({ "where": { field: "'; --" } })).await;
        assert_eq!(data[connection]["totalCount"], 0);
    }
    let query = "query($where: RegionWhere) { regions(where: $where) { totalCount } }";
    is_refused(house, query, json!({ "where": { "text": "字".repeat(101) } }), "where.text").await;
    is_refused(house, query, json!({ "where": { "text": "\u{0}" } }), "where.text").await;
    assert!(!world.task.is_empty());
});

story!(texts_that_are_fine_come_back_as_they_were, |house| {
    let world = World::new(house).await;
    for title in [
        "质量提升🐎",
        "ｆｕｌｌ　ｗｉｄｔｈ",
        "第一行\n第二行\t三",
        "𠮷野家",
        "é à ü",
        "\"引号\" \\ / <b>",
        "'; --",
        "{{}}",
    ] {
        house.done(OFFICE, "amendTask", json!({ "id": world.task, "content": task_content(title) })).await;
        let query = "query($id: ID!) { task(id: $id) { title history(last: 1) { nodes { data } } } }";
        let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
        assert_eq!(data["task"]["title"], title);
        assert_eq!(data["task"]["history"]["nodes"][0]["data"]["content"]["title"], title);
    }
});

story!(ids_of_commands_are_plain, |house| {
    for id in ["", " ", "a b", "命令", "a\u{0}", &"a".repeat(101), "a\n"] {
        let unit = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" });
        let variables = json!({ "input": unit, "commandId": id });
        is_refused(house, &mutation("registerUnit"), variables, "commandId").await;
    }
});

story!(documents_that_are_none, |house| {
    let deep = format!(
        "{{ {} id {} }}",
        "plans { nodes { tasks { nodes { plan {".repeat(20),
        "} } } } }".repeat(20)
    );
    for query in [
        "",
        "{",
        "}",
        "nonsense",
        "{ nothing }",
        "{ plans }",
        "{ plans { totalCount } } extra",
        "\u{0}",
        "query A { plans { totalCount } } query B { plans { totalCount } }",
        "{ plans(first: ) { totalCount } }",
        "{ plans(nothing: 1) { totalCount } }",
        "fragment F on Plan { id }",
        "query($x: Nothing) { plans { totalCount } }",
        "{ plans { ...F } }",
        &deep,
    ] {
        let answer = house.ask(OFFICE, query, json!({})).await;
        is_decent(&answer, query);
        let code = answer.body["errors"][0]["extensions"]["code"].as_str();
        assert!(code.is_some_and(|code| code != "INTERNAL"), "{query}: {}", answer.text);
    }
});
