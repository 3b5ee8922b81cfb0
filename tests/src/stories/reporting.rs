//! Reports that are owed at a cadence: opened on their day, handed in, returned, accepted, counted.
use serde_json::{Value, json};
use zhixing_api::scheduler::Scheduler;

use crate::{
    days::{round_on, scheduler, wait_until},
    house::{ANONYMOUS, ERRORS, House, OFFICE, story},
    world::{World, draft as draft_plan, evidence, indicator, text, unit},
};

/// The quarterly report of a county to two addressees, and who has a part in it.
struct Reporting {
    world: World,
    duty: String,
    county: String,
    city: String,
    government: String,
    scheduler: Scheduler,
}

fn schedule(from: &str, until: &str) -> Value {
    json!({ "cadence": "QUARTERLY", "dueDays": 10, "openDays": 20, "holdsFrom": from, "holdsUntil": until })
}

impl Reporting {
    async fn new(house: &House) -> Self {
        let world = World::new(house).await;
        let county = unit(house, "县市场监管局", "440881").await;
        let government = unit(house, "县人民政府", "440881").await;
        let city = world.lead.clone();
        let input = json!({
            "planId": world.plan, "what": "质量状况报告", "schedule": schedule("2019-07-01", "2020-12-31"),
            "parties": [{ "reporterId": county, "addresseeId": government }, { "reporterId": county, "addresseeId": city }],
        });
        let duty = text(&house.done(OFFICE, "establishReportingDuty", input).await["id"]);
        let scheduler = scheduler(&house.store);
        Self { world, duty, county, city, government, scheduler }
    }

    fn clerk(&self) -> String {
        format!("dev:fang:UNIT_OFFICER:unit={}", self.county)
    }

    async fn opened_on(&self, house: &House, day: &str) -> usize {
        round_on(house, &self.scheduler, day).await.opened
    }

    /// The reports of a period, the one to the city first.
    async fn reports(&self, house: &House, period: &str) -> Vec<String> {
        let query = "query($duty: ID!, $period: [Period!]) {
            reports(where: { duty: $duty, period: $period }) { nodes { id addressee { id } } } }";
        let data = house.ok(OFFICE, query, json!({ "duty": self.duty, "period": [period] })).await;
        let mut nodes = data["reports"]["nodes"].as_array().unwrap().clone();
        nodes.sort_by_key(|node| node["addressee"]["id"] != self.city.as_str());
        nodes.iter().map(|node| text(&node["id"])).collect()
    }

    async fn submit(&self, house: &House, report: &str) {
        let input = json!({ "id": report, "summary": "抽查合格率92.3%", "evidence": evidence() });
        house.done(&self.clerk(), "submitReport", input).await;
    }

    async fn rate(&self, house: &House, by: &str, as_of: &str) -> Vec<Value> {
        let query = "query($plan: ID!, $by: ReportingRateBy!, $asOf: Date) {
            reportingRates(where: { plan: $plan }, by: $by, asOf: $asOf) {
                period owed submitted timely accepted completeness timeliness } }";
        let variables = json!({ "plan": self.world.plan, "by": by, "asOf": as_of });
        house.ok(OFFICE, query, variables).await["reportingRates"].as_array().unwrap().clone()
    }
}

async fn report(house: &House, id: &str) -> Value {
    let query = "query($id: ID!) { report(id: $id) { status period dueOn firstSubmittedOn submittedOn submissions isTimely
        isOverdue returnedReason locked reporter { name } addressee { name } duty { what nextPeriod nextOpensOn }
        history(last: 100) { nodes { type happenedAt } } } }";
    house.ok(OFFICE, query, json!({ "id": id })).await["report"].take()
}

story!(every_period_opens_on_its_day_for_every_party, |house| {
    let reporting = Reporting::new(house).await;
    // The second quarter is due on 10 July, within the duty; it opens twenty days before.
    for (day, opened) in [("2019-06-19", 0), ("2019-06-20", 2), ("2019-06-21", 0), ("2019-09-20", 2)] {
        assert_eq!(reporting.opened_on(house, day).await, opened, "{day}");
    }
    let ids = reporting.reports(house, "2019Q2").await;
    let to_city = report(house, &ids[0]).await;
    assert_eq!(
        (&to_city["dueOn"], &to_city["addressee"]["name"]),
        (&json!("2019-07-10"), &json!("市市场监管局"))
    );
    assert_eq!(to_city["duty"]["nextPeriod"], "2019Q4");
    // Half a year of silence: each period opens once, as of its own day.
    assert_eq!(reporting.opened_on(house, "2020-07-01").await, 6);
    assert_eq!(reporting.opened_on(house, "2020-07-01").await, 0);
    let late = report(house, &reporting.reports(house, "2019Q4").await[0]).await;
    assert_eq!(late["history"]["nodes"][0]["type"], "ReportOpened");
    assert_eq!(late["history"]["nodes"][0]["happenedAt"], "2019-12-20T16:00:00+00:00");
    // The fourth quarter of 2020 would be due behind the last day of the duty.
    assert_eq!(reporting.opened_on(house, "2021-06-01").await, 2);
    assert_eq!(report(house, &ids[0]).await["duty"]["nextPeriod"], Value::Null);
});

story!(a_report_is_handed_in_returned_and_accepted, |house| {
    let reporting = Reporting::new(house).await;
    reporting.opened_on(house, "2019-06-20").await;
    let ids = reporting.reports(house, "2019Q2").await;
    let input = json!({ "id": ids[0], "summary": "抽查合格率92.3%" });
    house.refused(&reporting.world.supporter(), "submitReport", input, "NOT_PERMITTED").await;
    wait_until(house, "2019-07-10");
    reporting.submit(house, &ids[0]).await;
    let clerk = reporting.clerk();
    house.refused(&clerk, "acceptReport", json!({ "id": ids[0] }), "NOT_PERMITTED").await;
    let back = json!({ "id": ids[0], "reason": "缺少食品抽查数据" });
    house.done(&reporting.world.leader(), "returnReport", back).await;
    assert_eq!(report(house, &ids[0]).await["returnedReason"], "缺少食品抽查数据");
    // Handed in again behind the due date: what was in time stays so.
    wait_until(house, "2019-07-12");
    reporting.submit(house, &ids[0]).await;
    let now = report(house, &ids[0]).await;
    let days = (&now["firstSubmittedOn"], &now["submittedOn"], &now["submissions"], &now["isTimely"]);
    assert_eq!(days, (&json!("2019-07-10"), &json!("2019-07-12"), &json!(2), &json!(true)));
    house.done(&reporting.world.leader(), "acceptReport", json!({ "id": ids[0], "note": "数据完整" })).await;
    assert_eq!(report(house, &ids[0]).await["status"], "ACCEPTED");
    house
        .refused(&clerk, "submitReport", json!({ "id": ids[0], "summary": "再报" }), "NOT_ALLOWED_IN_STATE")
        .await;
});

story!(what_is_not_handed_in_becomes_overdue_once, |house| {
    let reporting = Reporting::new(house).await;
    reporting.opened_on(house, "2019-06-20").await;
    let ids = reporting.reports(house, "2019Q2").await;
    reporting.submit(house, &ids[1]).await;
    // Wednesday 10 July: Thursday 4 to Wednesday 10 are five working days, so it is said from Wednesday 3 July on.
    for (day, said) in
        [("2019-07-02", (0, 0)), ("2019-07-03", (1, 0)), ("2019-07-10", (0, 0)), ("2019-07-20", (0, 1))]
    {
        let round = round_on(house, &reporting.scheduler, day).await;
        assert_eq!((round.due_soon, round.overdue), said, "{day}");
    }
    let late = report(house, &ids[0]).await;
    assert_eq!(late["isOverdue"], true);
    let events: Vec<String> =
        late["history"]["nodes"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect();
    assert_eq!(events, ["ReportOpened", "ReportDueSoon", "ReportBecameOverdue"]);
    let query = "{ reports(where: { isOverdue: true }) { nodes { id } } }";
    let overdue = house.ok(OFFICE, query, json!({})).await;
    assert_eq!(overdue["reports"]["nodes"], json!([{ "id": ids[0] }]));
    assert_eq!(reporting.opened_on(house, "2019-07-21").await, 0);
});

story!(rates_and_the_calendar_say_who_reported, |house| {
    let reporting = Reporting::new(house).await;
    reporting.opened_on(house, "2019-06-20").await;
    let ids = reporting.reports(house, "2019Q2").await;
    wait_until(house, "2019-07-01");
    reporting.submit(house, &ids[0]).await;
    reporting.opened_on(house, "2019-09-25").await;
    reporting.submit(house, &ids[1]).await;
    let third = reporting.reports(house, "2019Q3").await;
    house.done(OFFICE, "waiveReport", json!({ "id": third[0], "reason": "机构改革" })).await;
    wait_until(house, "2019-10-20");
    let rate = |period: Value, counts: [i32; 4], percents: [&str; 2]| {
        json!({ "period": period, "owed": counts[0], "submitted": counts[1], "timely": counts[2],
            "accepted": counts[3], "completeness": percents[0], "timeliness": percents[1] })
    };
    assert_eq!(
        reporting.rate(house, "PERIOD", "2019-10-20").await,
        [rate(json!("2019Q2"), [2, 2, 1, 0], ["100", "50"]), rate(json!("2019Q3"), [1, 0, 0, 0], ["0", "0"])]
    );
    assert_eq!(
        reporting.rate(house, "ALL", "2019-10-20").await,
        [rate(Value::Null, [3, 2, 1, 0], ["66.67", "33.33"])]
    );
    // As it stood in summer, when one of the two was missing.
    assert_eq!(
        reporting.rate(house, "ALL", "2019-08-01").await,
        [rate(Value::Null, [2, 1, 1, 0], ["50", "50"])]
    );
    let query = "query($plan: ID!) { reportingCalendar(where: { plan: $plan }) { periods totalRows rows {
        duty { what } reporter { name } addressee { name } cells { status isOverdue dueOn } } } }";
    let calendar =
        house.ok(OFFICE, query, json!({ "plan": reporting.world.plan })).await["reportingCalendar"].take();
    assert_eq!((&calendar["periods"], &calendar["totalRows"]), (&json!(["2019Q2", "2019Q3"]), &json!(2)));
    let mut statuses: Vec<String> = calendar["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            format!(
                "{} {} {}",
                text(&row["addressee"]["name"]),
                text(&row["cells"][0]["status"]),
                text(&row["cells"][1]["status"])
            )
        })
        .collect();
    statuses.sort();
    assert_eq!(statuses, ["县人民政府 SUBMITTED OPEN", "市市场监管局 SUBMITTED WAIVED"]);
});

story!(a_closed_period_takes_no_report, |house| {
    let reporting = Reporting::new(house).await;
    reporting.opened_on(house, "2019-06-20").await;
    let ids = reporting.reports(house, "2019Q2").await;
    let lock = format!(
        "mutation($input: LockReportingPeriod!) {{ lockReportingPeriod(input: $input) {{ locked position {ERRORS} }} }}"
    );
    let input = json!({ "planId": reporting.world.plan, "period": "2019Q2", "reason": "统计数据已公布" });
    let payload = house.ok(OFFICE, &lock, json!({ "input": input })).await["lockReportingPeriod"].take();
    assert_eq!((&payload["locked"], &payload["errors"]), (&json!(2), &json!([])));
    let again = house.ok(OFFICE, &lock, json!({ "input": input })).await["lockReportingPeriod"].take();
    assert_eq!((&again["locked"], &again["position"]), (&json!(0), &Value::Null));
    let refused = house
        .ok(
            &reporting.clerk(),
            &lock,
            json!({ "input": json!({
        "planId": reporting.world.plan, "period": "2019Q3", "reason": "" }) }),
        )
        .await["lockReportingPeriod"]
        .take();
    assert_eq!(refused["locked"], 0, "nothing is open: {refused}");
    let input = json!({ "id": ids[0], "summary": "抽查合格率92.3%" });
    let refusal = house.refused(&reporting.clerk(), "submitReport", input, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "the-period-is-locked");
    house.done(OFFICE, "unlockReport", json!({ "id": ids[0], "reason": "补报" })).await;
    reporting.submit(house, &ids[0]).await;
});

story!(a_closed_period_takes_no_figure_of_its_unit, |house| {
    let reporting = Reporting::new(house).await;
    let World { plan, lead, .. } = &reporting.world;
    let input = json!({
        "planId": plan, "what": "工作落实情况", "schedule": schedule("2019-07-01", "2020-12-31"),
        "parties": [{ "reporterId": lead, "addresseeId": reporting.government }],
    });
    house.done(OFFICE, "establishReportingDuty", input).await;
    reporting.opened_on(house, "2019-06-20").await;
    let id = indicator(house, plan, "ZJ-1", json!({})).await;
    let (officer, other) = (reporting.world.leader(), reporting.world.supporter());
    let figure = |period: &str| json!({ "id": id, "period": period, "value": "92" });
    house.done(&officer, "recordMeasurement", figure("2019-04")).await;
    let lock = format!(
        "mutation($input: LockReportingPeriod!) {{ lockReportingPeriod(input: $input) {{ locked {ERRORS} }} }}"
    );
    let input = json!({ "planId": plan, "period": "2019Q2", "reporterId": lead, "reason": "已公布" });
    let payload = house.ok(OFFICE, &lock, json!({ "input": input })).await["lockReportingPeriod"].take();
    assert_eq!(payload["locked"], 1, "{payload}");
    let query = "query($unit: ID!) { reports(where: { reporter: $unit }) { nodes { id } } }";
    let data = house.ok(OFFICE, query, json!({ "unit": lead })).await;
    let report = text(&data["reports"]["nodes"][0]["id"]);
    for period in ["2019-05", "2019-06"] {
        let refusal = house.refused(&officer, "recordMeasurement", figure(period), "RULE_VIOLATION").await;
        assert_eq!(refusal["rule"], "the-period-is-locked");
        let message = text(&refusal["message"]);
        assert!(message.contains(period) && message.contains(&report), "{message}");
    }
    let correct = json!({ "id": id, "number": 1, "value": "93", "reason": "笔误" });
    let refusal = house.refused(&officer, "correctMeasurement", correct.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "the-period-is-locked");
    // Another period, another unit, another plan, and the office.
    house.done(&officer, "recordMeasurement", figure("2019-07")).await;
    house.done(&other, "recordMeasurement", figure("2019-05")).await;
    let elsewhere = indicator(house, &draft_plan(house, "ZJ-OTHER").await, "ZJ-2", json!({})).await;
    let input = json!({ "id": elsewhere, "period": "2019-05", "value": "1" });
    house.done(&officer, "recordMeasurement", input).await;
    house.done(OFFICE, "correctMeasurement", correct).await;
    house.done(OFFICE, "unlockReport", json!({ "id": report, "reason": "补报" })).await;
    house.done(&officer, "recordMeasurement", figure("2019-06")).await;
});

story!(a_draft_tells_what_the_tasks_have_come_to, |house| {
    let reporting = Reporting::new(house).await;
    let world = &reporting.world;
    let input = json!({
        "planId": world.plan, "what": "工作落实情况", "schedule": schedule("2019-07-01", "2020-12-31"),
        "parties": [{ "reporterId": world.lead, "addresseeId": reporting.government }],
    });
    let duty = text(&house.done(OFFICE, "establishReportingDuty", input).await["id"]);
    wait_until(house, "2019-05-06");
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let progress = json!({ "id": world.task, "percent": 40, "note": "已抽查三批" });
    house.done(&world.leader(), "reportTaskProgress", progress).await;
    assert_eq!(reporting.opened_on(house, "2019-06-20").await, 3);
    let query = "query($duty: ID!, $period: [Period!]) { reports(where: { duty: $duty, period: $period }) { nodes { id
        draft { since text tasks { task { number } entries { type } }
            measurements { indicator { code } measurement { period value } presentValue } } } } }";
    let draft = async |period: &str| {
        let data = house.ok(OFFICE, query, json!({ "duty": duty, "period": [period] })).await;
        data["reports"]["nodes"][0].clone()
    };
    let first = draft("2019Q2").await;
    assert_eq!(first["draft"]["since"], "2019-04-01");
    let told = "1 全面加强质量监管（40%）\n  2019-05-06 接收任务\n  2019-05-06 报告进展：已抽查三批\n";
    assert_eq!(first["draft"]["text"], told);
    let input = json!({ "id": first["id"], "summary": told });
    house.done(&world.leader(), "submitReport", input).await;
    // The next one begins where this one ended.
    wait_until(house, "2019-09-01");
    let progress = json!({ "id": world.task, "percent": 70, "note": "已抽查六批" });
    house.done(&world.leader(), "reportTaskProgress", progress).await;
    // What the unit itself measured, as it is by now; nothing of another unit, plan or time.
    let id = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let figure = |id: &str, period: &str, value: &str, region: Value| json!({ "id": id, "period": period, "value": value, "regionCode": region });
    let by_unit = async |figure: Value| {
        house.done(&world.leader(), "recordMeasurement", figure).await;
    };
    by_unit(figure(&id, "2019-08", "7", Value::Null)).await;
    by_unit(figure(&id, "2019-07", "5", Value::Null)).await;
    by_unit(figure(&id, "2019-07", "2", json!("440881"))).await;
    let correct = |value: &str| json!({ "id": id, "number": 1, "value": value, "reason": "笔误" });
    house.done(OFFICE, "correctMeasurement", correct("8")).await;
    house.done(OFFICE, "correctMeasurement", correct("9")).await;
    house.done(&world.supporter(), "recordMeasurement", figure(&id, "2019-06", "1", Value::Null)).await;
    let elsewhere = indicator(house, &draft_plan(house, "ZJ-OTHER").await, "ZJ-2", json!({})).await;
    by_unit(figure(&elsewhere, "2019-07", "1", Value::Null)).await;
    reporting.opened_on(house, "2019-09-25").await;
    let second = draft("2019Q3").await;
    assert_eq!(second["draft"]["since"], "2019-06-20");
    let told = "1 全面加强质量监管（70%）\n  2019-09-01 报告进展：已抽查六批\n抽检合格率 2019-07：5个\n\
        抽检合格率 廉江市 2019-07：2个\n抽检合格率 2019-08：9个\n";
    assert_eq!(second["draft"]["text"], told);
    assert_eq!(
        second["draft"]["measurements"][2],
        json!({ "indicator": { "code": "ZJ-1" }, "measurement": { "period": "2019-08", "value": "7" },
            "presentValue": "9" })
    );
    assert_eq!(first["draft"]["measurements"], json!([]));
});

story!(a_plan_that_is_over_opens_nothing_more, |house| {
    let reporting = Reporting::new(house).await;
    let over = json!({ "id": reporting.world.plan, "reason": "提前总结" });
    house.done(OFFICE, "concludePlan", over).await;
    assert_eq!(reporting.opened_on(house, "2019-06-20").await, 0);
    let query = "query($id: ID!) { reportingDuty(id: $id) { status nextPeriod history(last: 1) { nodes { data } } } }";
    let duty = house.ok(OFFICE, query, json!({ "id": reporting.duty })).await["reportingDuty"].take();
    assert_eq!((&duty["status"], &duty["nextPeriod"]), (&json!("ENDED"), &Value::Null));
    assert_eq!(duty["history"]["nodes"][0]["data"]["reason"], "方案已总结");
    // Under a plan that is open, a duty is established once.
    let other = draft_plan(house, "ZJ-OTHER").await;
    let input = json!({
        "planId": other, "what": "质量状况报告", "schedule": schedule("2019-07-01", "2020-12-31"),
        "parties": [{ "reporterId": reporting.county, "addresseeId": reporting.city }],
    });
    house.done(OFFICE, "establishReportingDuty", input.clone()).await;
    house.refused(OFFICE, "establishReportingDuty", input, "ALREADY_EXISTS").await;
});

// What the scheduler does is offered to nobody.
story!(every_action_that_is_offered_is_a_mutation, |house| {
    let reporting = Reporting::new(house).await;
    let sdl = zhixing_api::graphql::sdl();
    let query = "query($id: ID!) { node(id: $id) { ... on Plan { availableActions { action } }
        ... on ReportingDuty { availableActions { action } } } }";
    for id in [&reporting.world.plan, &reporting.duty] {
        let data = house.ok(OFFICE, query, json!({ "id": id })).await;
        let actions = data["node"]["availableActions"].as_array().unwrap().clone();
        assert!(actions.len() >= 2, "{actions:?}");
        for action in actions {
            let action = text(&action["action"]);
            assert!(sdl.contains(&format!("\t{action}(")), "{action} is no mutation");
        }
    }
});

story!(reports_are_not_shown_to_the_public, |house| {
    let reporting = Reporting::new(house).await;
    reporting.opened_on(house, "2019-06-20").await;
    let query = "{ reports { totalCount nodes { id } } reportingDuties { totalCount }
        reportingRates(by: ALL) { owed } reportingCalendar { totalRows } }";
    let data = house.ok(ANONYMOUS, query, json!({})).await;
    assert_eq!(
        (&data["reports"]["totalCount"], &data["reportingDuties"]["totalCount"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&data["reportingRates"][0]["owed"], &data["reportingCalendar"]["totalRows"]),
        (&json!(0), &json!(0))
    );
});

story!(a_yearly_work_plan_plans_for_the_year_after, |house| {
    let reporting = Reporting::new(house).await;
    let yearly = json!({ "cadence": "ANNUAL", "dueDays": 0, "openDays": 30, "holdsFrom": "2019-01-02", "holdsUntil": "2020-12-31" });
    let input = json!({
        "planId": reporting.world.plan, "what": "下一年度质量工作计划", "asksFor": "WORK_PLAN", "schedule": yearly,
        "parties": [{ "reporterId": reporting.city, "addresseeId": reporting.government }],
    });
    house.done(OFFICE, "establishReportingDuty", input).await;
    assert_eq!(reporting.opened_on(house, "2019-12-01").await, 5);
    let query = "query($asksFor: [ReportSubject!]) {
        reportingDuties(where: { asksFor: $asksFor }) { nodes { what asksFor } }
        reports(where: { asksFor: $asksFor }) { totalCount nodes { asksFor period plannedYear dueOn } } }";
    let data = house.ok(OFFICE, query, json!({ "asksFor": ["WORK_PLAN"] })).await;
    let duty = json!([{ "what": "下一年度质量工作计划", "asksFor": "WORK_PLAN" }]);
    assert_eq!(data["reportingDuties"]["nodes"], duty);
    let plan =
        json!([{ "asksFor": "WORK_PLAN", "period": "2019", "plannedYear": 2020, "dueOn": "2019-12-31" }]);
    assert_eq!(data["reports"]["nodes"], plan);
    // A duty that does not say what it asks for asks for something else, and its reports plan for no year.
    let data = house.ok(OFFICE, query, json!({ "asksFor": ["OTHER"] })).await;
    assert_eq!(
        (&data["reports"]["totalCount"], &data["reports"]["nodes"][0]["plannedYear"]),
        (&json!(4), &Value::Null)
    );
    let data = house.ok(OFFICE, query, json!({ "asksFor": ["STATISTICS", "FEEDBACK"] })).await;
    assert_eq!(data["reports"]["totalCount"], 0);
});
