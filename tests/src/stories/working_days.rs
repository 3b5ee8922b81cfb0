//! Working days, time limits and deadlines, asked for.
use serde_json::{Value, json};

use crate::{
    house::{ANONYMOUS, House, OFFICE, story},
    world::World,
};

async fn refused(house: &House, query: &str) -> Value {
    house.ask(ANONYMOUS, query, json!({})).await.body["errors"][0]["extensions"].take()
}

story!(working_days_are_counted_by_the_calendar, |house| {
    let query = r#"{ workingDays(from: "2018-09-28", to: "2018-10-08") { count calendars { year version } }
        back: workingDays(from: "2018-10-08", to: "2018-09-28") { count }
        addWorkingDays(from: "2020-12-25", days: 10) { to calendars { year version } }
        calendar(year: 2018) { year version source { package licence } holidays { name from to }
            workingDays { date name } }
        unknown: calendar(year: 1999) { year } }"#;
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    // 29 and 30 September are a weekend that is worked, 1 to 7 October are National Day.
    assert_eq!(data["workingDays"], json!({ "count": 3, "calendars": [{ "year": 2018, "version": 1 }] }));
    assert_eq!(data["back"]["count"], -3);
    let both = json!([{ "year": 2020, "version": 1 }, { "year": 2021, "version": 1 }]);
    assert_eq!(data["addWorkingDays"], json!({ "to": "2021-01-11", "calendars": both }));
    let holidays = data["calendar"]["holidays"].as_array().unwrap();
    assert!(holidays.contains(&json!({ "name": "国庆节", "from": "2018-10-01", "to": "2018-10-07" })));
    assert_eq!(data["calendar"]["source"]["licence"], "MIT");
    assert_eq!(data["unknown"], Value::Null);
});

story!(what_the_calendar_does_not_know_is_said, |house| {
    let far = refused(house, r#"{ workingDays(from: "2026-12-30", to: "2027-01-04") { count } }"#).await;
    assert_eq!((&far["code"], &far["year"]), (&json!("CALENDAR_MISSING"), &json!(2027)));
    for (query, field) in [
        (r#"{ addWorkingDays(from: "2018-01-01", days: -1) { to } }"#, "days"),
        (r#"{ addWorkingDays(from: "2018-01-01", days: 10001) { to } }"#, "days"),
    ] {
        let error = refused(house, query).await;
        assert_eq!((&error["code"], &error["field"]), (&json!("INVALID_INPUT"), &json!(field)), "{query}");
    }
});

story!(time_limits_have_versions, |house| {
    let query = r#"{ timeLimits(code: "COMPLAINT_MEDIATION") { code name value unit validFrom validTo citation }
        then: timeLimits(code: "COMPLAINT_MEDIATION", on: "2019-06-15") { value }
        none: timeLimits(code: "NO_SUCH") { value } }"#;
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    let versions = data["timeLimits"].as_array().unwrap();
    let told: Vec<_> =
        versions.iter().map(|v| (&v["value"], &v["unit"], &v["validFrom"], &v["validTo"])).collect();
    assert_eq!(
        told,
        [
            (&json!(60), &json!("CALENDAR_DAYS"), &json!("2014-03-15"), &json!("2019-12-31")),
            (&json!(45), &json!("WORKING_DAYS"), &json!("2020-01-01"), &Value::Null),
        ]
    );
    assert_eq!((&data["then"], &data["none"]), (&json!([{ "value": 60 }]), &json!([])));
});

story!(a_task_says_when_it_is_due_and_how_that_was_counted, |house| {
    let world = World::new(house).await;
    let query =
        "query($id: ID!) { task(id: $id) { deadline { dueOn source startedOn pausedDays remainingWorkingDays
        rule { code } calendars { year version } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    // From Saturday 15 June to 31 December 2019: 10, 23, 22, 20 + 1 and 18 + 1, 21, 22 days from June on.
    let expected = json!({ "dueOn": "2019-12-31", "source": "PLAN", "startedOn": null, "pausedDays": 0,
        "remainingWorkingDays": 138, "rule": null, "calendars": [{ "year": 2019, "version": 1 }] });
    assert_eq!(data["task"]["deadline"], expected);
    house.clock.pass(chrono::Duration::days(203));
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    // Saturday 4 January 2020: 2 and 3 January were worked.
    assert_eq!(data["task"]["deadline"]["remainingWorkingDays"], -2);
    house.done(OFFICE, "cancelTask", json!({ "id": world.task, "reason": "撤销" })).await;
    let data = house.ok(OFFICE, query, json!({ "id": world.task })).await;
    assert_eq!(data["task"]["deadline"]["remainingWorkingDays"], Value::Null);
});

story!(a_deadline_is_explained, |house| {
    let query = "query($facts: [ClockFactInput!]!) { deadline(facts: $facts) { dueOn source startedOn pausedOn pausedDays
        remainingWorkingDays rule { code value unit validFrom validTo citation } extensions { code }
        calendars { year version } } }";
    let start = json!({ "kind": "STARTED", "on": "2019-06-03", "code": "LICENCE_DECISION" });
    let pause = json!({ "kind": "PAUSED", "on": "2019-06-12" });
    let resume = json!({ "kind": "RESUMED", "on": "2019-06-19" });
    let extend = json!({ "kind": "EXTENDED", "on": "2019-07-01", "code": "LICENCE_DECISION_EXTENSION" });
    let facts = json!({ "facts": [start, pause, resume, extend] });
    let data = house.ok(ANONYMOUS, query, facts).await;
    // 20 working days end on 2 July, the pause takes five to 9 July, ten more to 23 July; today is Saturday 15 June.
    let expected = json!({ "dueOn": "2019-07-23", "source": "RULE", "startedOn": "2019-06-03", "pausedOn": null,
        "pausedDays": 7, "remainingWorkingDays": 24,
        "rule": { "code": "LICENCE_DECISION", "value": 20, "unit": "WORKING_DAYS", "validFrom": "2004-07-01",
            "validTo": null, "citation": "中华人民共和国行政许可法第四十二条、第八十二条" },
        "extensions": [{ "code": "LICENCE_DECISION_EXTENSION" }], "calendars": [{ "year": 2019, "version": 1 }] });
    assert_eq!(data["deadline"], expected);
    let data = house.ok(ANONYMOUS, query, json!({ "facts": [start, pause] })).await;
    assert_eq!(
        (&data["deadline"]["dueOn"], &data["deadline"]["pausedOn"]),
        (&Value::Null, &json!("2019-06-12"))
    );
    assert_eq!(data["deadline"]["remainingWorkingDays"], 14);

    let unknown = json!({ "kind": "STARTED", "on": "2019-06-03", "code": "NO_SUCH" });
    let far = json!({ "kind": "STARTED", "on": "2026-12-25", "code": "LICENCE_DECISION" });
    let nameless = json!({ "kind": "STARTED", "on": "2019-06-03" });
    let named = json!({ "kind": "PAUSED", "on": "2019-06-12", "code": "LICENCE_DECISION" });
    let many: Vec<Value> =
        std::iter::once(&start).chain(std::iter::repeat_n(&resume, 1_000)).cloned().collect();
    for (facts, code, field) in [
        (json!([]), "INVALID_INPUT", json!("facts[0]")),
        (json!([start, start]), "INVALID_INPUT", json!("facts[1]")),
        (json!([nameless]), "INVALID_INPUT", json!("facts[0].code")),
        (json!([start, named]), "INVALID_INPUT", json!("facts[1].code")),
        (json!(many), "INVALID_INPUT", json!("facts[1000]")),
        (json!([unknown]), "TIME_LIMIT_MISSING", Value::Null),
        (json!([far]), "CALENDAR_MISSING", Value::Null),
    ] {
        let answer = house.ask(ANONYMOUS, query, json!({ "facts": facts })).await;
        let error = &answer.body["errors"][0]["extensions"];
        assert_eq!((&error["code"], &error["field"]), (&json!(code), &field), "{}", answer.text);
    }
});
