//! Indicators: measured, corrected, judged, and how they shine.
use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    house::{House, OFFICE, story},
    world::{World, import_all, indicator, unit},
};

async fn show(house: &House, id: &str) -> Value {
    let query = "query($id: ID!) { indicator(id: $id) { status light measuredCount judgedValue
        forecast { value met dueOn } attainment { value asOf met unjudgedBecause } } }";
    house.ok(OFFICE, query, json!({ "id": id })).await["indicator"].take()
}

async fn measure(house: &House, id: &str, period: &str, value: &str) {
    house.done(OFFICE, "recordMeasurement", json!({ "id": id, "period": period, "value": value })).await;
}

fn target(comparator: &str, value: &str) -> Value {
    json!({ "comparator": comparator, "value": value, "approximate": false, "dueOn": "2019-12-31" })
}

story!(a_flow_adds_up_exactly, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-FLOW", json!({})).await;
    assert_eq!(show(house, &id).await["light"], "NO_DATA");
    measure(house, &id, "2019Q1", "0.1").await;
    let shown = show(house, &id).await;
    assert_eq!((&shown["status"], &shown["attainment"]["met"]), (&json!("ACTIVE"), &json!(false)));
    measure(house, &id, "2019Q2", "0.20").await;
    let shown = show(house, &id).await;
    let attained = json!({ "value": "0.3", "asOf": "2019-06-30", "met": true, "unjudgedBecause": null });
    assert_eq!(shown["attainment"], attained, "0.1 and 0.2 are 0.3, not a hair more");
    assert_eq!((&shown["light"], &shown["measuredCount"]), (&json!("ATTAINED"), &json!(2)));
    // 0.3 in 181 days, and the plan's year has 365.
    assert_eq!(shown["forecast"], json!({ "value": "0.6", "met": true, "dueOn": "2019-12-31" }));
});

story!(digits_are_kept, |house| {
    let world = World::new(house).await;
    for (at, value) in ["123456789012345678.0123456789", "-0.0000000001", "33.3333", "0"].iter().enumerate() {
        let measure_kind = json!({ "measure": "STOCK" });
        let id = indicator(house, &world.plan, &format!("ZJ-{at}"), measure_kind).await;
        measure(house, &id, "2019-01", value).await;
        let query = "query($id: ID!) { indicator(id: $id) { attainment { value } measurements { nodes { value } } } }";
        let data = house.ok(OFFICE, query, json!({ "id": id })).await;
        assert_eq!(data["indicator"]["attainment"]["value"], *value);
        assert_eq!(data["indicator"]["measurements"]["nodes"][0]["value"], *value);
    }
});

story!(periods_do_not_overlap, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    measure(house, &id, "2019Q1", "1").await;
    for period in ["2019Q1", "2019-03", "2019H1", "2019"] {
        let again = json!({ "id": id, "period": period, "value": "1" });
        let refusal = house.refused(OFFICE, "recordMeasurement", again, "RULE_VIOLATION").await;
        assert_eq!(refusal["rule"], "periods-do-not-overlap", "{period}");
    }
    // Another region measures for itself.
    let part = json!({ "id": id, "period": "2019Q1", "value": "7", "regionCode": "440802" });
    house.done(OFFICE, "recordMeasurement", part).await;
    let outside = json!({ "id": id, "period": "2019Q1", "value": "7", "regionCode": "430000" });
    let refusal = house.refused(OFFICE, "recordMeasurement", outside, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "regionCode");
    assert_eq!(show(house, &id).await["attainment"]["value"], "1", "only its own region is judged");
});

story!(a_half_year_and_its_quarter_share_days, |house| {
    let world = World::new(house).await;
    for (at, (first, second)) in [("2019H1", "2019Q2"), ("2019Q2", "2019H1")].iter().enumerate() {
        let yearly = json!({ "target": { "comparator": "AT_LEAST", "value": "1", "approximate": false,
            "dueOn": "2019-12-31", "recurrence": "ANNUAL" } });
        let id = indicator(house, &world.plan, &format!("ZJ-{at}"), yearly).await;
        measure(house, &id, first, "1").await;
        let again = json!({ "id": id, "period": second, "value": "1" });
        let refusal = house.refused(OFFICE, "recordMeasurement", again, "RULE_VIOLATION").await;
        assert_eq!(refusal["rule"], "periods-do-not-overlap", "{second}");
        assert!(refusal["message"].as_str().unwrap().starts_with(first), "{refusal}");
    }
});

story!(a_unit_measures_what_it_answers_for, |house| {
    let world = World::new(house).await;
    let with_task = json!({ "taskId": world.task });
    let id = indicator(house, &world.plan, "ZJ-1", with_task).await;
    let officer = |unit: &str| format!("dev:fang:UNIT_OFFICER:unit={unit}");
    let figure = |period: &str, region: Value| json!({ "id": id, "period": period, "regionCode": region, "value": "1" });
    let stranger = officer(&unit(house, "市教育局", "440800").await);
    for input in [figure("2019Q1", Value::Null), figure("2019Q1", json!("440802"))] {
        let refusal = house.refused(&stranger, "recordMeasurement", input, "NOT_PERMITTED").await;
        assert!(refusal["message"].as_str().unwrap().contains("neither leads nor supports"), "{refusal}");
    }
    house.done(&world.leader(), "recordMeasurement", figure("2019Q1", Value::Null)).await;
    house.done(&world.supporter(), "recordMeasurement", figure("2019Q2", Value::Null)).await;
    let correct = json!({ "id": id, "number": 1, "value": "2", "reason": "笔误" });
    house.refused(&stranger, "correctMeasurement", correct.clone(), "NOT_PERMITTED").await;
    house.done(&world.supporter(), "correctMeasurement", correct).await;
    // A county's unit has no say in the city's indicator, and the city's none in another city.
    let county = officer(&unit(house, "廉江市市场监管局", "440881").await);
    house.refused(&county, "recordMeasurement", figure("2019Q1", json!("440881")), "NOT_PERMITTED").await;
    let outside = figure("2019Q1", json!("440100"));
    house.refused(&world.leader(), "recordMeasurement", outside, "INVALID_INPUT").await;
    house.done(&world.leader(), "recordMeasurement", figure("2019Q1", json!("440881"))).await;
    // Once the task is another unit's, so is the indicator.
    let school = unit(house, "市商务局", "440800").await;
    let responsibility = json!({ "leadUnitIds": [school] });
    let input = json!({ "id": world.task, "responsibility": responsibility, "reason": "按职责改派" });
    house.done(OFFICE, "reassignTaskUnits", input).await;
    house.refused(&world.leader(), "recordMeasurement", figure("2019Q3", Value::Null), "NOT_PERMITTED").await;
    house.done(&officer(&school), "recordMeasurement", figure("2019Q3", Value::Null)).await;
});

story!(what_was_corrected_meanwhile_is_not_corrected_unknowingly, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    measure(house, &id, "2019Q1", "1").await;
    let correct = |former: Value, value: &str| json!({ "id": id, "number": 1, "value": value, "formerValue": former, "reason": "复核" });
    house.done(OFFICE, "correctMeasurement", correct(json!("1"), "2")).await;
    let refusal =
        house.refused(OFFICE, "correctMeasurement", correct(json!("1"), "3"), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "the-present-value-is-corrected");
    assert!(refusal["message"].as_str().unwrap().contains("it is 2 now"), "{refusal}");
    house.done(OFFICE, "correctMeasurement", correct(json!("2.0"), "3")).await;
    // There is no number 2: a correction has none.
    let second = json!({ "id": id, "number": 2, "value": "4", "reason": "复核" });
    let refusal = house.refused(OFFICE, "correctMeasurement", second, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "number");
});

story!(a_correction_has_a_reason_and_opens_the_verdict_again, |house| {
    let world = World::new(house).await;
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let judge = json!({ "id": id });
    house.refused(OFFICE, "judgeIndicator", judge.clone(), "NOT_ALLOWED_IN_STATE").await;
    measure(house, &id, "2019", "0.2").await;
    house.clock.pass(Duration::days(400));
    assert_eq!(show(house, &id).await["light"], "MISSED");
    let judged = house.done(OFFICE, "judgeIndicator", judge.clone()).await;
    assert_eq!(judged["status"], "JUDGED_MISSED");
    assert_eq!(show(house, &id).await["judgedValue"], "0.2");
    for (number, value, reason, field) in [
        (1, "0.4", " ", "reason"),
        (2, "0.4", "更正", "number"),
        (0, "0.4", "更正", "number"),
        (1, "0.2", "更正", "value"),
    ] {
        let wrong = json!({ "id": id, "number": number, "value": value, "reason": reason });
        let refusal = house.refused(OFFICE, "correctMeasurement", wrong, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], field);
    }
    let right = json!({ "id": id, "number": 1, "value": "0.4", "reason": "漏报一批" });
    assert_eq!(house.done(OFFICE, "correctMeasurement", right).await["status"], "ACTIVE");
    let shown = show(house, &id).await;
    assert_eq!((&shown["judgedValue"], &shown["light"]), (&Value::Null, &json!("ATTAINED")));
    assert_eq!(house.done(OFFICE, "judgeIndicator", judge).await["status"], "JUDGED_ATTAINED");
});

story!(every_comparator_judges, |house| {
    let world = World::new(house).await;
    let base = json!({ "value": "10", "asOf": "2018-12-31" });
    let cases = [
        ("AT_LEAST", "STOCK", "5", "5", true, Value::Null),
        ("MORE_THAN", "STOCK", "5", "5", false, Value::Null),
        ("AT_MOST", "STOCK", "5", "5", true, Value::Null),
        ("LESS_THAN", "STOCK", "5", "5", false, Value::Null),
        ("EQUAL", "STOCK", "5", "5.0", true, Value::Null),
        ("INCREASE_BY", "STOCK", "5", "15", true, base.clone()),
        ("INCREASE_BY", "STOCK", "5", "14.9999999999", false, base),
    ];
    for (at, (comparator, kind, goal, value, met, baseline)) in cases.into_iter().enumerate() {
        let with = json!({ "measure": kind, "target": target(comparator, goal), "baseline": baseline });
        let id = indicator(house, &world.plan, &format!("ZJ-{at}"), with).await;
        measure(house, &id, "2019-05", value).await;
        assert_eq!(show(house, &id).await["attainment"]["met"], met, "{value} {comparator} {goal}");
    }
});

story!(a_trend_is_a_direction, |house| {
    let world = World::new(house).await;
    let with = json!({ "measure": "CHANGE", "basis": "TREND", "target": target("MORE_THAN", "0") });
    for (code, value, met) in [("ZJ-UP", "0.01", true), ("ZJ-FLAT", "0", false), ("ZJ-DOWN", "-2", false)] {
        let id = indicator(house, &world.plan, code, with.clone()).await;
        measure(house, &id, "2019H1", value).await;
        assert_eq!(show(house, &id).await["attainment"]["met"], met, "{code}");
    }
});

story!(a_ratio_stays_within_a_hundred_percent, |house| {
    let world = World::new(house).await;
    let with = json!({ "measure": "RATIO", "unit": "%", "target": target("AT_LEAST", "98") });
    let id = indicator(house, &world.plan, "ZJ-RATIO", with).await;
    for value in ["100.01", "-0.01"] {
        let wrong = json!({ "id": id, "period": "2019Q1", "value": value });
        let refusal = house.refused(OFFICE, "recordMeasurement", wrong, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], "value");
    }
    measure(house, &id, "2019Q1", "97.5").await;
    measure(house, &id, "2019Q2", "98").await;
    let shown = show(house, &id).await;
    assert_eq!(shown["attainment"]["value"], "98", "the last counts, not the sum");
});

story!(the_cockpit_adds_up, |house| {
    import_all(house).await;
    let query = "{ plans(first: 100) { nodes { code tasks { totalCount } indicators { totalCount }
        cockpit { today remainingDays overdueTasks tasksByStatus { status count } indicatorsByLight { light count }
            nextDeadlines { dueOn status } } } } }";
    let data = house.ok(OFFICE, query, json!({})).await;
    for plan in data["plans"]["nodes"].as_array().unwrap() {
        let cockpit = &plan["cockpit"];
        let sum = |list: &str| {
            let counts = cockpit[list].as_array().unwrap();
            json!(counts.iter().map(|entry| entry["count"].as_i64().unwrap()).sum::<i64>())
        };
        assert_eq!(sum("tasksByStatus"), plan["tasks"]["totalCount"], "{}", plan["code"]);
        assert_eq!(sum("indicatorsByLight"), plan["indicators"]["totalCount"], "{}", plan["code"]);
        assert_eq!(cockpit["today"], "2019-06-15");
        let next = cockpit["nextDeadlines"].as_array().unwrap();
        assert!(next.iter().all(|task| task["dueOn"].as_str() >= Some("2019-06-15")));
        assert!(next.is_sorted_by_key(|task| task["dueOn"].to_string()));
        let overdue = "query($code: String) { plans(where: { code: $code }) { nodes { tasks(first: 100) { nodes { isOverdue } } } } }";
        let tasks = house.ok(OFFICE, overdue, json!({ "code": plan["code"] })).await;
        let tasks = tasks["plans"]["nodes"][0]["tasks"]["nodes"].as_array().unwrap().clone();
        let late = tasks.iter().filter(|task| task["isOverdue"] == true).count();
        assert_eq!(cockpit["overdueTasks"], json!(late), "{}", plan["code"]);
    }
});

story!(every_region_has_its_curve_beside_the_target, |house| {
    let world = World::new(house).await;
    let with = json!({ "measure": "RATIO", "unit": "%", "baseline": { "value": "60", "asOf": "2018-12-31" },
        "target": { "comparator": "AT_LEAST", "value": "90", "upper": "95", "approximate": false, "dueOn": "2019-12-31" } });
    let id = indicator(house, &world.plan, "ZJ-CURVE", with).await;
    for (period, value, region) in
        [("2019Q2", "75", "440800"), ("2019Q1", "66", "440800"), ("2019Q1", "91", "440882")]
    {
        let input = json!({ "id": id, "period": period, "value": value, "regionCode": region });
        house.done(OFFICE, "recordMeasurement", input).await;
    }
    let before = house.ok(OFFICE, SERIES, json!({ "id": id })).await["indicator"]["version"].take();
    let corrected = json!({ "id": id, "number": 2, "value": "70", "reason": "复核" });
    house.done(OFFICE, "correctMeasurement", corrected).await;
    let shown = house.ok(OFFICE, SERIES, json!({ "id": id, "version": before })).await["indicator"].take();
    let point = |period: &str, day: &str, value: &str, number: i32, corrections: i32| json!({ "period": period, "endsOn": day, "value": value, "number": number, "corrections": corrections });
    let own = &shown["series"][0];
    assert_eq!((&own["region"]["code"], &own["rangeUpper"]), (&json!("440800"), &json!("95")));
    let points = [point("2019Q1", "2019-03-31", "70", 2, 1), point("2019Q2", "2019-06-30", "75", 1, 0)];
    assert_eq!(own["points"], json!(points));
    let line = json!([{ "on": "2018-12-31", "value": "60" }, { "on": "2019-12-31", "value": "90" }]);
    assert_eq!(own["targetLine"], line);
    // 15 in 181 days, and 184 remain: 75 + 15 × 184 ÷ 181.
    assert_eq!(own["forecast"], json!({ "value": "90.25", "met": true }));
    // The part has no base of its own: its line rises from nothing on the plan's first day.
    let part = &shown["series"][1];
    assert_eq!((&part["region"]["code"], &part["light"]), (&json!("440882"), &json!("ATTAINED")));
    assert_eq!(part["targetLine"][0], json!({ "on": "2019-01-01", "value": "0" }));
    // As it was before the correction.
    let then = &shown["asOf"]["series"][0]["points"][0];
    assert_eq!((&then["value"], &then["corrections"]), (&json!("66"), &json!(0)));
    let narrow = "query($id: ID!) { indicator(id: $id) { a: series(region: \"440882\") { light } b: series(parts: false) { light } } }";
    let data = house.ok(OFFICE, narrow, json!({ "id": id })).await;
    let counts = ["a", "b"].map(|field| data["indicator"][field].as_array().unwrap().len());
    assert_eq!(counts, [1, 1]);
});

const SERIES: &str = "query($id: ID!, $version: Int! = 1) { indicator(id: $id) { version
    series { ...S } asOf(version: $version) { series { ...S } } } }
    fragment S on IndicatorSeries { region { code } rangeUpper light targetLine { on value }
        forecast { value met } points { period endsOn value number corrections } }";
