//! Through every connection, page by page: no duplicate, no hole, in order, and counted.
use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{HUNAN_2009, World, ZHANJIANG, import_all, indicator, plan_id, text},
};

/// Rows of a page.
const SIZES: [usize; 8] = [1, 2, 3, 4, 5, 6, 7, 100];

/// A way through a connection.
struct Way {
    /// A query in which `PAGE` stands for the paging arguments and `FOUND` for what is asked of the connection.
    query: String,
    /// Where the connection lies in the data.
    at: &'static str,
    /// Fields of a node.
    fields: &'static str,
    /// How a node sorts, and whether from the largest; `None` sorts last.
    order: Option<(Sorts, bool)>,
}

type Sorts = fn(&Value) -> Option<String>;

impl Way {
    fn new(query: impl Into<String>, at: &'static str, fields: &'static str) -> Self {
        Self { query: query.into(), at, fields, order: None }
    }
    fn by(self, sorts: Sorts, descending: bool) -> Self {
        Self { order: Some((sorts, descending)), ..self }
    }

    async fn page(&self, house: &House, args: &str) -> Value {
        let found = format!(
            "{{ totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
                edges {{ cursor node {{ {0} }} }} nodes {{ {0} }} }}",
            self.fields
        );
        let query = self.query.replace("PAGE", args).replace("FOUND", &found);
        let page = house.ok(OFFICE, &query, json!({})).await.pointer_mut(self.at).unwrap().take();
        let edges = page["edges"].as_array().unwrap();
        let nodes: Value = edges.iter().map(|edge| edge["node"].clone()).collect();
        assert_eq!(nodes, page["nodes"], "edges and nodes are the same");
        let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
        assert_eq!(page["pageInfo"]["startCursor"], cursor(edges.first()));
        assert_eq!(page["pageInfo"]["endCursor"], cursor(edges.last()));
        page
    }

    async fn forward(&self, house: &House, size: usize) -> Vec<Value> {
        let mut seen: Vec<Value> = Vec::new();
        let mut args = format!("first: {size}");
        loop {
            let page = self.page(house, &args).await;
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !seen.is_empty(), "{} {args}", self.query);
            let nodes = page["nodes"].as_array().unwrap();
            seen.extend(nodes.iter().cloned());
            let total = page["totalCount"].as_u64().unwrap();
            let more = page["pageInfo"]["hasNextPage"].as_bool().unwrap();
            assert_eq!(more, (seen.len() as u64) < total, "{} {args}", self.query);
            if !more {
                return seen;
            }
            assert_eq!(nodes.len(), size, "a page with more behind it is full");
            args = format!("first: {size}, after: {}", page["pageInfo"]["endCursor"]);
        }
    }

    async fn backward(&self, house: &House, size: usize) -> Vec<Value> {
        let mut seen: Vec<Value> = Vec::new();
        let mut args = format!("last: {size}");
        loop {
            let page = self.page(house, &args).await;
            assert_eq!(page["pageInfo"]["hasNextPage"], !seen.is_empty(), "{} {args}", self.query);
            let mut nodes = page["nodes"].as_array().unwrap().clone();
            nodes.append(&mut seen);
            seen = nodes;
            if page["pageInfo"]["hasPreviousPage"] == false {
                assert_eq!(page["totalCount"], json!(seen.len()));
                return seen;
            }
            args = format!("last: {size}, before: {}", page["pageInfo"]["startCursor"]);
        }
    }

    /// Walks both ways in pages of these sizes: always the same rows. Returns them.
    async fn walk(&self, house: &House, sizes: &[usize]) -> Vec<Value> {
        let all = self.forward(house, 100).await;
        let distinct: HashSet<String> = all.iter().map(Value::to_string).collect();
        assert_eq!(distinct.len(), all.len(), "{}: a row stands twice", self.query);
        if let Some((sorts, descending)) = self.order {
            // What has no value comes last, or first in the reverse.
            let mut keys: Vec<_> = all.iter().map(|node| (sorts(node).is_none(), sorts(node))).collect();
            if descending {
                keys.reverse();
            }
            assert!(keys.is_sorted(), "{}: out of order", self.query);
        }
        for size in sizes {
            assert_eq!(self.forward(house, *size).await, all, "{} by {size}", self.query);
            assert_eq!(self.backward(house, *size).await, all, "{} by {size} from the end", self.query);
        }
        all
    }
}

fn member(node: &Value, name: &str) -> Option<String> {
    node[name].as_str().map(Into::into)
}

/// Numbers of tasks sort as numbers: 4.2 before 4.10.
fn by_number(node: &Value) -> Option<String> {
    let (mut key, mut digits) = (String::new(), String::new());
    for c in member(node, "number")?.chars().chain([' ']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            key = format!("{key}{digits:0>9}");
            digits.clear();
        }
        key.push(c);
    }
    Some(key.trim_end().into())
}

/// Every order in both directions, with and without a filter; over all of them every size of a page comes up.
async fn every_order(
    house: &House,
    connection: &'static str,
    fields: &'static str,
    orders: &[(&str, Sorts)],
    filter: &str,
) {
    let at: &'static str = format!("/{connection}").leak();
    let mut turn = 0;
    for (order, sorts) in orders {
        for direction in ["ASC", "DESC"] {
            for filter in ["", filter] {
                let args = format!("orderBy: {{ field: {order}, direction: {direction} }}, {filter} PAGE");
                let way = Way::new(format!("{{ {connection}({args}) FOUND }}"), at, fields);
                let rows = way.by(*sorts, direction == "DESC").walk(house, &[SIZES[turn % 8]]).await;
                assert!(!rows.is_empty(), "{filter}");
                turn += 1;
            }
        }
    }
    assert!(turn >= SIZES.len());
}

story!(every_order_of_tasks_and_units, |house| {
    import_all(house).await;
    let orders: [(&str, Sorts); 3] = [
        ("CREATED", |node| member(node, "createdAt")),
        ("NUMBER", by_number),
        ("DUE_ON", |node| member(node, "dueOn")),
    ];
    let filter = r#"where: { region: "430000", kind: [TASK, SAFEGUARD], isRoot: true },"#;
    every_order(house, "tasks", "id number dueOn createdAt", &orders, filter).await;
    let orders: [(&str, Sorts); 3] = [
        ("CREATED", |node| member(node, "createdAt")),
        ("NAME", |node| member(node, "name")),
        ("REGION", |node| member(node, "regionCode")),
    ];
    let filter = r#"where: { region: "430000", kind: [DEPARTMENT] },"#;
    every_order(house, "units", "id name regionCode createdAt", &orders, filter).await;
});

story!(every_order_of_plans_and_indicators, |house| {
    import_all(house).await;
    let orders: [(&str, Sorts); 4] = [
        ("CREATED", |node| member(node, "createdAt")),
        ("CODE", |node| member(node, "code")),
        ("ISSUED_ON", |node| member(node, "issuedOn")),
        ("PERIOD_END", |node| member(node, "periodEnd")),
    ];
    let filter = r#"where: { region: "430000" },"#;
    every_order(house, "plans", "id code issuedOn periodEnd createdAt", &orders, filter).await;
    let orders: [(&str, Sorts); 3] = [
        ("CREATED", |node| member(node, "createdAt")),
        ("CODE", |node| member(node, "code")),
        ("DUE_ON", |node| member(node, "dueOn")),
    ];
    let filter = r#"where: { text: "率", basis: [NUMERIC] },"#;
    every_order(house, "indicators", "id code dueOn createdAt", &orders, filter).await;
    let way = Way::new("{ dataImports(PAGE) FOUND }", "/dataImports", "id createdAt");
    let rows = way.by(|node| member(node, "createdAt"), true).walk(house, &SIZES).await;
    assert_eq!(rows.len(), 5);
});

story!(the_lists_inside_a_plan, |house| {
    ZHANJIANG.import(house).await;
    let plan = plan_id(house, ZHANJIANG.code).await;
    let query = format!("{{ plan(id: \"{plan}\") {{ tasks(PAGE) FOUND }} }}");
    let tasks = Way::new(query, "/plan/tasks", "id number children { totalCount }");
    let tasks = tasks.by(by_number, false).walk(house, &SIZES).await;
    assert_eq!(tasks.len(), ZHANJIANG.count("tasks"));

    let query = format!("{{ plan(id: \"{plan}\") {{ indicators(PAGE) FOUND }} }}");
    let indicators = Way::new(query, "/plan/indicators", "id code");
    let rows = indicators.by(|node| member(node, "code"), false).walk(house, &SIZES).await;
    assert_eq!(rows.len(), ZHANJIANG.count("indicators"));

    let parents: Vec<&Value> = tasks.iter().filter(|task| task["children"]["totalCount"] != 0).collect();
    assert!(!parents.is_empty());
    let mut children = 0;
    for parent in parents {
        let query = format!("{{ task(id: {}) {{ children(PAGE) FOUND }} }}", parent["id"]);
        let way = Way::new(query, "/task/children", "id number").by(by_number, false);
        children += way.walk(house, &[1, 2, 3]).await.len();
    }
    let parts = ZHANJIANG.json()["tasks"].as_array().unwrap().clone();
    assert_eq!(children, parts.iter().filter(|task| task.get("parentNumber").is_some()).count());
});

story!(every_region_is_on_one_page, |house| {
    let all =
        Way::new("{ regions(PAGE) FOUND }", "/regions", "id code").by(|node| member(node, "code"), false);
    let rows = all.walk(house, &[100]).await;
    assert!(rows.len() > 3_000, "all provinces, cities and counties: {}", rows.len());
    let city = r#"{ regions(where: { within: "440800" }, PAGE) FOUND }"#;
    let rows = Way::new(city, "/regions", "id code level").walk(house, &SIZES).await;
    assert!(rows.len() > 5 && rows.iter().all(|region| text(&region["code"]).starts_with("4408")));
});

story!(history_and_measurements, |house| {
    let world = World::new(house).await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    for percent in 1..=20 {
        let report = json!({ "id": world.task, "percent": percent, "note": "推进中" });
        house.done(&world.leader(), "reportTaskProgress", report).await;
    }
    let query = format!("{{ task(id: \"{}\") {{ history(PAGE) FOUND }} }}", world.task);
    let rows = Way::new(query, "/task/history", "id version type").walk(house, &SIZES).await;
    let versions: Vec<i64> = rows.iter().map(|event| event["version"].as_i64().unwrap()).collect();
    assert_eq!(versions, (1..=23).collect::<Vec<_>>());

    let indicator = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    for month in 1..=12 {
        let value = json!({ "id": indicator, "period": format!("2018-{month:02}"), "value": "1.5" });
        house.done(OFFICE, "recordMeasurement", value).await;
    }
    let right = json!({ "id": indicator, "number": 3, "value": "2", "reason": "录入有误" });
    house.done(OFFICE, "correctMeasurement", right).await;
    for (filter, count) in [("", 12), ("where: { includeCorrected: true },", 13)] {
        for direction in ["ASC", "DESC"] {
            let query = format!(
                "{{ indicator(id: \"{indicator}\") {{ measurements({filter} direction: {direction}, PAGE) FOUND }} }}"
            );
            let way = Way::new(query, "/indicator/measurements", "number period value formerValue");
            let rows = way.by(|node| member(node, "period"), direction == "DESC").walk(house, &SIZES).await;
            assert_eq!(rows.len(), count);
        }
    }
});

story!(a_page_of_nothing_is_empty, |house| {
    HUNAN_2009.import(house).await;
    for query in [
        r#"{ tasks(where: { text: "没有这样的任务" }, PAGE) FOUND }"#,
        "{ tasks(where: { status: [] }, PAGE) FOUND }",
    ] {
        assert_eq!(Way::new(query, "/tasks", "id").walk(house, &SIZES).await, Vec::<Value>::new());
    }
    let page = Way::new("{ plans(PAGE) FOUND }", "/plans", "id").page(house, "first: 0").await;
    assert_eq!((&page["totalCount"], &page["nodes"]), (&json!(1), &json!([])));
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
});

story!(a_strange_cursor_is_refused_by_name, |house| {
    HUNAN_2009.import(house).await;
    let cursor = async |query: &str, at: &str| {
        let data = house.ok(OFFICE, query, json!({})).await;
        text(data.pointer(at).unwrap())
    };
    let of_tasks = cursor("{ tasks { pageInfo { endCursor } } }", "/tasks/pageInfo/endCursor").await;
    let by_date = "{ tasks(orderBy: { field: DUE_ON }) { pageInfo { endCursor } } }";
    let by_date = cursor(by_date, "/tasks/pageInfo/endCursor").await;
    let of_regions = cursor("{ regions { pageInfo { endCursor } } }", "/regions/pageInfo/endCursor").await;
    let made = |place: Value| URL_SAFE_NO_PAD.encode(place.to_string());
    let key = "01963d2e-0000-7000-8000-000000000000";
    let strange = [
        String::new(),
        "garbage".into(),
        "=".into(),
        "\u{0}".into(),
        "第一".into(),
        by_date,
        of_regions,
        of_tasks[..of_tasks.len() - 4].into(),
        format!("{of_tasks}AAAA"),
        made(json!({ "o": "+number_order", "v": 7, "k": key })),
        made(json!({ "o": "+number_order", "v": null, "k": key })),
        made(json!({ "o": "+number_order", "v": "\u{0}", "k": key })),
        made(json!({ "o": "+number_order", "v": "1", "k": "x" })),
        made(json!("tasks; drop table tasks")),
    ];
    let id = cursor("{ tasks { nodes { id } } }", "/tasks/nodes/0/id").await;
    for cursor in &strange {
        for field in ["after", "before"] {
            let history = format!("task(id: \"{id}\") {{ history");
            let regions = (*cursor != strange[6]).then_some(("regions", ""));
            let tasks = [("tasks", ""), (history.as_str(), "}")];
            for (connection, end) in tasks.into_iter().chain(regions) {
                let query = format!(
                    "query(${field}: String) {{ {connection}({field}: ${field}) {{ pageInfo {{ endCursor }} }} {end} }}"
                );
                let answer = house.ask(OFFICE, &query, json!({ field: cursor })).await;
                let error = &answer.body["errors"][0]["extensions"];
                let named = (error["code"].as_str(), error["field"].as_str());
                assert_eq!(
                    named,
                    (Some("INVALID_INPUT"), Some(field)),
                    "{connection} {cursor:?}: {}",
                    answer.text
                );
                assert_eq!(answer.status, 200);
            }
        }
    }
});

story!(a_page_has_one_end_and_at_most_a_hundred_rows, |house| {
    for (args, field) in [
        ("first: 101", "first"),
        ("first: -1", "first"),
        ("last: 101", "last"),
        ("last: -1", "last"),
        ("first: 1, last: 1", "last"),
    ] {
        for connection in ["plans", "tasks", "indicators", "units", "regions", "dataImports"] {
            let answer =
                house.ask(OFFICE, &format!("{{ {connection}({args}) {{ totalCount }} }}"), json!({})).await;
            let error = &answer.body["errors"][0]["extensions"];
            assert_eq!(
                (&error["code"], &error["field"]),
                (&json!("INVALID_INPUT"), &json!(field)),
                "{}",
                answer.text
            );
        }
    }
});
