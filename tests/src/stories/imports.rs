//! The five plans come in as they were issued, once.
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{HUNAN_2009, PLANS, ZHANJIANG, import, import_all, plan_id},
};

/// How much there is of everything.
async fn counts(house: &House) -> Value {
    let query = "{ plans { totalCount } units { totalCount } tasks { totalCount } indicators { totalCount }
        dataImports { totalCount } }";
    let data = house.ok(OFFICE, query, json!({})).await;
    let kinds = ["plans", "units", "tasks", "indicators", "dataImports"];
    kinds.iter().map(|kind| data[kind]["totalCount"].clone()).collect()
}

story!(the_five_plans_come_in_completely, |house| {
    for file in PLANS {
        let payload = file.import(house).await;
        assert_eq!(payload["errors"], json!([]), "{}", file.name);
        let report = &payload["report"];
        let lists = ["units", "tasks", "indicators", "reportingDuties", "oneOffDuties"];
        let rows: usize = lists.iter().map(|list| file.count(list)).sum();
        assert_eq!(report["rowsRead"], json!(rows), "{}", file.name);
        assert_eq!(
            report["accepted"].as_u64().unwrap() + report["unchanged"].as_u64().unwrap(),
            rows as u64,
            "{}: every row is taken or stood there already",
            file.name
        );
        assert_eq!(report["rejected"], json!([]), "{}", file.name);
        assert_eq!(payload["plan"]["code"], file.code);
        assert_eq!(payload["position"], house.head(), "one append: it ends at the head");
        assert_eq!(payload["importedBefore"], false);
    }
    // 191 units are named in the files; four of them by two files.
    let named: usize = PLANS.iter().map(|file| file.count("units")).sum();
    assert_eq!(named, 191);
    assert_eq!(counts(house).await, json!([5, 187, 246, 217, 5]));
});

story!(a_plan_says_what_its_file_says, |house| {
    import_all(house).await;
    let query = "query($code: String) { plans(where: { code: $code }) { nodes {
        code title issuer documentNumber issuedOn periodEnd status
        reportingDuties { who to cadence what } oneOffDuties { who to trigger what } phases { name from to }
        tasks { totalCount } indicators { totalCount } } } }";
    for file in PLANS {
        let (said, data) = (file.json(), house.ok(OFFICE, query, json!({ "code": file.code })).await);
        let plan = &data["plans"]["nodes"][0];
        for field in ["title", "issuer", "documentNumber", "issuedOn", "periodEnd"] {
            assert_eq!(plan[field], said["plan"][field], "{}: {field}", file.name);
        }
        assert_eq!(plan["phases"], said["plan"]["phases"], "{}", file.name);
        for (list, fields) in [
            ("reportingDuties", ["who", "to", "cadence", "what"]),
            ("oneOffDuties", ["who", "to", "trigger", "what"]),
        ] {
            let pick = |duty: &Value| fields.iter().map(|field| duty[field].clone()).collect::<Value>();
            let of = |plan: &Value| plan[list].as_array().unwrap().iter().map(pick).collect::<Vec<_>>();
            assert_eq!(of(plan), of(&said), "{}: {list}", file.name);
        }
        assert_eq!(plan["tasks"]["totalCount"], json!(file.count("tasks")));
        assert_eq!(plan["indicators"]["totalCount"], json!(file.count("indicators")));
    }
});

story!(every_task_has_the_units_of_its_row, |house| {
    ZHANJIANG.import(house).await;
    let plan = plan_id(house, ZHANJIANG.code).await;
    let query = "query($plan: ID!) { plan(id: $plan) { tasks(first: 100) { nodes {
        number title summary assignment openEnded dueOn parent { number }
        leadUnits { name } supportingUnits { name } } } } }";
    let data = house.ok(OFFICE, query, json!({ "plan": plan })).await;
    let tasks = data["plan"]["tasks"]["nodes"].as_array().unwrap();
    let said = ZHANJIANG.json();
    for row in said["tasks"].as_array().unwrap() {
        let task = tasks.iter().find(|task| task["number"] == row["number"]).unwrap();
        for field in ["title", "summary", "assignment"] {
            assert_eq!(task[field], row[field], "{}: {field}", row["number"]);
        }
        assert_eq!(task["dueOn"], row.get("dueOn").cloned().unwrap_or_default(), "{}", row["number"]);
        assert_eq!(task["parent"]["number"], row.get("parentNumber").cloned().unwrap_or_default());
        for list in ["leadUnits", "supportingUnits"] {
            let units = task[list].as_array().unwrap();
            let names: Value = units.iter().map(|unit| unit["name"].clone()).collect();
            assert_eq!(names, row[list], "{}: {list}", row["number"]);
        }
    }
});

story!(the_same_file_again_changes_nothing, |house| {
    let first = HUNAN_2009.import(house).await;
    let (head, all) = (house.head(), counts(house).await);
    let again = HUNAN_2009.import(house).await;
    assert_eq!(again["errors"], json!([]));
    assert_eq!(again["importedBefore"], true);
    assert_eq!(again["position"], Value::Null);
    assert_eq!(again["plan"], first["plan"]);
    assert_eq!(again["report"]["accepted"], 0);
    assert_eq!(again["report"]["unchanged"], first["report"]["rowsRead"]);
    assert_eq!((house.head(), counts(house).await), (head, all));
});

story!(the_same_file_at_the_same_time_comes_in_once, |house| {
    let one = async || HUNAN_2009.import(house).await;
    let (a, b, c) = tokio::join!(one(), one(), one());
    for payload in [&a, &b, &c] {
        assert_eq!(payload["errors"], json!([]));
        assert_eq!(payload["plan"]["code"], HUNAN_2009.code);
    }
    let first = [&a, &b, &c].iter().filter(|payload| payload["importedBefore"] == false).count();
    assert_eq!(first, 1, "one of them brought it in");
    let (units, tasks) = (HUNAN_2009.count("units"), HUNAN_2009.count("tasks"));
    assert_eq!(counts(house).await, json!([1, units, tasks, HUNAN_2009.count("indicators"), 1]));
    assert_eq!(house.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, house.head());
});

story!(a_dry_run_of_an_import_tells_and_writes_nothing, |house| {
    let input = json!({ "source": HUNAN_2009.name, "text": HUNAN_2009.text });
    let payload = import(house, OFFICE, input, json!({ "dryRun": true })).await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(payload["report"]["rejected"], json!([]));
    assert_eq!(payload["report"]["accepted"], payload["report"]["rowsRead"]);
    assert_eq!((&payload["position"], &payload["plan"]), (&Value::Null, &Value::Null));
    assert_eq!(house.head(), 0);
    assert_eq!(counts(house).await, json!([0, 0, 0, 0, 0]));
});

story!(a_plan_file_with_a_bad_row_comes_in_only_without_it, |house| {
    let mut file = HUNAN_2009.json();
    file["indicators"][3]["unit"] = json!("");
    let text = file.to_string();
    let strict = json!({ "source": "bad.json", "text": text });
    let payload = import(house, OFFICE, strict, json!({})).await;
    assert_eq!(payload["errors"][0]["code"], "INVALID_INPUT");
    assert_eq!(payload["report"]["rejected"][0]["row"], 4);
    assert_eq!(house.head(), 0);
    let lenient = json!({ "source": "bad.json", "text": text, "takeGoodRows": true });
    let payload = import(house, OFFICE, lenient, json!({})).await;
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(payload["report"]["rejected"].as_array().unwrap().len(), 1);
    let rows = payload["report"]["rowsRead"].as_u64().unwrap();
    assert_eq!(payload["report"]["accepted"], rows - 1);
    assert_eq!(counts(house).await[3], json!(HUNAN_2009.count("indicators") - 1));
});

story!(only_the_office_imports, |house| {
    for token in ["", "dev:eve:AUDITOR", "dev:eve:LEADING_GROUP_OFFICE:region=620000"] {
        let input = json!({ "source": HUNAN_2009.name, "text": HUNAN_2009.text });
        let payload = import(house, token, input, json!({})).await;
        let rejected = payload["report"]["rejected"].as_array().map_or(0, Vec::len);
        assert!(payload["errors"][0]["code"] == "NOT_PERMITTED" || rejected > 0, "{token}: {payload}");
        assert_eq!((&payload["plan"], house.head()), (&Value::Null, 0), "{token}");
    }
});
