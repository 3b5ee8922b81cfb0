//! A new calendar or a new version of a time limit: every deadline that it moves is listed, once.
use std::{fs, path::Path};

use serde_json::{Value, json};
use zhixing_api::{cli, time_change, time_reference};
use zhixing_domain::TimeReference;

use crate::{
    house::{ANONYMOUS, House, OFFICE, story},
    world::{World, text, unit},
};

const CALENDAR_2019: &str = include_str!("../../../reference/calendars/2019.json");

/// Directories with a correction of 2019, in which 20 June and 12 July are days of rest, and with a second version of the time
/// limit of escalation: three working days instead of five since June.
fn directories(home: &Path) -> TimeReference {
    let (calendars, rules) = (home.join("calendars"), home.join("rules"));
    fs::create_dir_all(&calendars).unwrap();
    fs::create_dir_all(&rules).unwrap();
    let mut year: Value = serde_json::from_str(CALENDAR_2019).unwrap();
    year["version"] = json!(2);
    for day in ["2019-06-20", "2019-07-12"] {
        year["holidays"].as_array_mut().unwrap().push(json!({ "name": "临时放假", "from": day, "to": day }));
    }
    fs::write(calendars.join("2019.json"), year.to_string()).unwrap();
    let version = |value: u32, from: &str, to: Option<&str>| {
        json!({ "code": "SUPERVISION_ESCALATION", "name": "督办件逾期升级", "value": value, "unit": "WORKING_DAYS",
            "validFrom": from, "validTo": to, "citation": "某市督办办法第三条" })
    };
    let limits = [version(5, "2009-01-01", Some("2019-05-31")), version(3, "2019-06-01", None)];
    fs::write(rules.join("escalation.json"), json!({ "subject": "督办", "rules": limits }).to_string())
        .unwrap();
    time_reference::read(Some(&calendars), Some(&rules)).unwrap()
}

async fn changes(house: &House) -> Vec<Value> {
    let query = "{ timeReferenceChanges { totalCount nodes { number changedAt calendars { year before after }
        timeLimits { code before { value validFrom validTo } after { value validFrom validTo } } movedCount
        movedDeadlines { totalCount nodes { object { __typename id } objectId kind title clock before problemBefore
            after problem } } } } }";
    let mut page = house.ok(OFFICE, query, json!({})).await["timeReferenceChanges"].take();
    let nodes = page["nodes"].take().as_array().unwrap().clone();
    assert_eq!(page["totalCount"], nodes.len());
    nodes
}

/// A task that was dispatched on Saturday 15 June, and an item whose answer is due on 10 July.
async fn begin(house: &House) -> (World, String) {
    let world = World::new(house).await;
    let above = unit(house, "市人民政府办公室", "440800").await;
    let item = json!({ "planId": world.plan, "number": "督1号", "title": "进展迟缓", "unitIds": [world.lead],
        "escalationUnitId": above, "demand": "说明原因", "answerDueOn": "2019-07-10" });
    let item = text(&house.done(OFFICE, "openSupervisionItem", item).await["id"]);
    house.done(OFFICE, "notifySupervisedUnits", json!({ "id": item })).await;
    (world, item)
}

story!(what_a_new_calendar_and_rule_move_is_listed_once, |house| {
    let home = tempfile::tempdir().unwrap();
    let (world, item) = begin(house).await;
    house.restart().await;
    house.restart().await;
    assert_eq!(changes(house).await, Vec::<Value>::new(), "what it first ran with is no change");
    let new = directories(home.path());
    // The preview lists the same, and records nothing.
    let preview = cli::moved_deadlines(house.store.pool(), &new).await.unwrap();
    assert_eq!(changes(house).await, Vec::<Value>::new());
    let has = |words: &[&str]| preview.lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(has(&["calendar 2019: version 1 -> version 2"]), "{preview}");
    assert!(has(&["time limit SUPERVISION_ESCALATION: none -> 3 WORKING_DAYS from 2019-06-01"]), "{preview}");
    assert!(has(&[&world.task, "TASK_ACCEPTANCE", "2019-06-21", "2019-06-24"]), "{preview}");
    assert!(has(&[&item, "SUPERVISION_ESCALATION", "2019-07-17", "2019-07-16"]), "{preview}");
    assert!(preview.ends_with("\n2 deadlines move."), "{preview}");

    house.restart_with(new.clone()).await;
    let listed = changes(house).await;
    let [change] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!(change["number"], 1);
    assert_eq!(change["calendars"], json!([{ "year": 2019, "before": 1, "after": 2 }]));
    let version =
        |value, from: &str, to: Option<&str>| json!({ "value": value, "validFrom": from, "validTo": to });
    let code = "SUPERVISION_ESCALATION";
    assert_eq!(
        change["timeLimits"],
        json!([
            { "code": code, "before": version(5, "2009-01-01", None),
                "after": version(5, "2009-01-01", Some("2019-05-31")) },
            { "code": code, "before": null, "after": version(3, "2019-06-01", None) },
        ])
    );
    // Five working days from 15 June without the 20th; three from 10 July without the 12th.
    let moved = json!([
        { "object": { "__typename": "Task", "id": world.task }, "objectId": world.task, "kind": "TASK",
            "title": "1 全面加强质量监管", "clock": "TASK_ACCEPTANCE",
            "before": "2019-06-21", "problemBefore": null, "after": "2019-06-24", "problem": null },
        { "object": { "__typename": "SupervisionItem", "id": item }, "objectId": item, "kind": "SUPERVISION_ITEM",
            "title": "督1号 进展迟缓", "clock": "SUPERVISION_ESCALATION",
            "before": "2019-07-17", "problemBefore": null, "after": "2019-07-16", "problem": null },
    ]);
    assert_eq!(change["movedDeadlines"], json!({ "totalCount": 2, "nodes": moved }));
    assert_eq!(change["movedCount"], 2);
    let query = "query($id: ID!) { task(id: $id) { acceptanceDeadline { dueOn } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"]["acceptanceDeadline"]["dueOn"], "2019-06-24", "the list says what is read");
    // The date of an answer was said to the units: no calendar moves it.
    let query = "query($id: ID!) { supervisionItem(id: $id) { answerDueOn } }";
    let data = house.ok(OFFICE, query, json!({ "id": item })).await;
    assert_eq!(data["supervisionItem"]["answerDueOn"], "2019-07-10");

    house.restart_with(new.clone()).await;
    assert_eq!(changes(house).await, listed, "a second start lists nothing more");
    let preview = cli::moved_deadlines(house.store.pool(), &new).await.unwrap();
    assert_eq!(preview, "Calendars and time limits are those that the service last ran with.");
    // Paged like every list, and not for everybody.
    let query = "{ timeReferenceChanges(first: 1) { nodes { movedDeadlines(first: 1) {
        pageInfo { hasNextPage endCursor } nodes { clock } } } } }";
    let data = house.ok(OFFICE, query, json!({})).await;
    let page = &data["timeReferenceChanges"]["nodes"][0]["movedDeadlines"];
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
    let query =
        "query($after: String) { timeReferenceChanges { nodes { movedDeadlines(first: 1, after: $after) {
        nodes { clock } } } } }";
    let data = house.ok(OFFICE, query, json!({ "after": page["pageInfo"]["endCursor"] })).await;
    assert_eq!(
        data["timeReferenceChanges"]["nodes"][0]["movedDeadlines"]["nodes"],
        json!([{ "clock": "SUPERVISION_ESCALATION" }])
    );
    let refused = house.ask(ANONYMOUS, "{ timeReferenceChanges { totalCount } }", json!({})).await;
    assert_eq!(refused.body["errors"][0]["extensions"]["code"], "NOT_PERMITTED", "{}", refused.text);
});

story!(what_is_done_moves_no_more, |house| {
    let home = tempfile::tempdir().unwrap();
    let (world, item) = begin(house).await;
    house.restart().await;
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    house.done(OFFICE, "withdrawSupervisionItem", json!({ "id": item, "reason": "误立" })).await;
    house.restart_with(directories(home.path())).await;
    let listed = changes(house).await;
    assert_eq!((listed.len(), &listed[0]["movedCount"]), (1, &json!(0)), "{listed:?}");
});

story!(of_two_processes_one_records_a_change, |house| {
    let (world, _) = begin(house).await;
    house.restart().await;
    let another = house.another_store().await;
    // Without any calendar nothing can be counted, and the list says why.
    let known = TimeReference::embedded();
    let blind = TimeReference { limits: known.limits.clone(), ..TimeReference::default() };
    for (number, time) in [(1, &blind), (2, &known), (3, &blind)] {
        let (one, other) =
            tokio::join!(time_change::remember(&house.store, time), time_change::remember(&another, time));
        let told = [one.unwrap(), other.unwrap()];
        assert_eq!(told.iter().flatten().count(), 1, "{told:?}");
        assert_eq!(changes(house).await.len(), number, "each change stands once");
    }
    let listed = changes(house).await;
    let of_task = |change: &Value| {
        let nodes = change["movedDeadlines"]["nodes"].as_array().unwrap().clone();
        let found = nodes
            .into_iter()
            .find(|node| node["objectId"] == json!(world.task) && node["clock"] == "TASK_ACCEPTANCE");
        found.unwrap_or_else(|| panic!("{change}"))
    };
    let why = "the working-day calendar of 2019 is missing: it is published late in the year before";
    let gone = of_task(&listed[0]);
    assert_eq!((&gone["before"], &gone["after"]), (&json!("2019-06-21"), &Value::Null));
    assert_eq!((&gone["problemBefore"], &gone["problem"]), (&Value::Null, &json!(why)));
    let back = of_task(&listed[1]);
    assert_eq!((&back["before"], &back["after"]), (&Value::Null, &json!("2019-06-21")));
    assert_eq!((&back["problemBefore"], &back["problem"]), (&json!(why), &Value::Null));
    another.pool().close().await;
});
