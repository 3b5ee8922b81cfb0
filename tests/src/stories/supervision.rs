//! Supervision items: opened by hand or by rule, answered, returned, escalated, closed; each announcement once.
use std::sync::Arc;

use serde_json::{Value, json};
use zhixing_api::scheduler::{Round, Scheduler, Timing};
use zhixing_domain::{Kind, TimeReference, time::ReferenceFile};
use zhixing_event_store::rebuild::Difference;

use crate::{
    days::{TIMING, round_on, scheduler, wait_until},
    house::{ANONYMOUS, House, OFFICE, OFFICE_TOO, story},
    world::{World, draft, evidence, import_all, indicator, plan_content, task, task_content, text, unit},
};

/// What the office writes about the task of the small world.
fn open_input(world: &World, number: &str) -> Value {
    json!({ "planId": world.plan, "number": number, "title": "质量监管进展迟缓", "subjectId": world.task,
        "unitIds": [world.lead], "demand": "限期说明原因并整改", "answerDueOn": "2019-07-10", "basis": "领导批示" })
}

/// An item to be answered by 10 July of which the lead unit was notified.
async fn notified(house: &House, world: &World, input: Value) -> String {
    let item = text(&house.done(OFFICE, "openSupervisionItem", input).await["id"]);
    let told = house.done(OFFICE, "notifySupervisedUnits", json!({ "id": item, "note": "书面通知" })).await;
    assert_eq!(told["status"], "NOTIFIED", "{}", world.plan);
    item
}

async fn answer(house: &House, token: &str, item: &str) {
    let input = json!({ "id": item, "summary": "已整改到位", "evidence": evidence() });
    house.done(token, "answerSupervisionItem", input).await;
}

async fn item(house: &House, id: &str) -> Value {
    let query = "query($id: ID!) { supervisionItem(id: $id) { status number title demand basis answerDueOn isOverdue
        notifiedOn notifiedNote region { code } plan { id } subject { __typename id } units { name }
        escalationUnit { name } escalatedTo { name } escalatedOn escalatedReason extendedReason closedNote
        withdrawnReason openedByRule { subjectDueOn afterOverdue { code value unit } answer { code validFrom value }
            calendars { year } }
        answers { unit { name } summary evidence { title } answeredAt returnedReason }
        history(last: 100) { nodes { type data happenedAt recordedAt actor } } } }";
    house.ok(OFFICE, query, json!({ "id": id })).await["supervisionItem"].take()
}

fn types(item: &Value) -> Vec<String> {
    item["history"]["nodes"].as_array().unwrap().iter().map(|event| text(&event["type"])).collect()
}

/// The items about an object, those opened first at the top.
async fn about(house: &House, subject: &str) -> Vec<String> {
    let query = "query($subject: ID) {
        supervisionItems(where: { subject: $subject }, orderBy: { field: CREATED }) { nodes { id } } }";
    let data = house.ok(OFFICE, query, json!({ "subject": subject })).await;
    data["supervisionItems"]["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect()
}

async fn due(house: &House, task: &str, due_on: &str) {
    let mut content = task_content("全面加强质量监管");
    content["dueOn"] = json!(due_on);
    house.done(OFFICE, "amendTask", json!({ "id": task, "content": content })).await;
}

/// Every row is what its events come to.
async fn rows_are_their_folds(house: &House) {
    let differences = house.store.rebuild(Kind::SupervisionItem, false, |_| {}).await.unwrap();
    assert!(differences.iter().all(Difference::is_none), "{differences:?}");
}

fn supervising(house: &House) -> Scheduler {
    scheduler(&house.store).supervising(true)
}

story!(an_item_is_answered_returned_and_closed, |house| {
    let world = World::new(house).await;
    wait_until(house, "2019-07-01");
    let opened = text(&house.done(OFFICE, "openSupervisionItem", open_input(&world, "督1号")).await["id"]);
    let reply = json!({ "id": opened, "summary": "已整改", "evidence": evidence() });
    house.refused(&world.leader(), "answerSupervisionItem", reply.clone(), "NOT_ALLOWED_IN_STATE").await;
    let told = json!({ "id": opened, "note": "书面通知" });
    house.refused(&world.leader(), "notifySupervisedUnits", told.clone(), "NOT_PERMITTED").await;
    house.done(OFFICE, "notifySupervisedUnits", told).await;
    house.refused(&world.supporter(), "answerSupervisionItem", reply.clone(), "NOT_PERMITTED").await;
    let bare = json!({ "id": opened, "summary": "已整改", "evidence": [] });
    let refusal = house.refused(&world.leader(), "answerSupervisionItem", bare, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "evidence");
    answer(house, &world.leader(), &opened).await;
    let back = |day: &str| json!({ "id": opened, "answerDueOn": day, "reason": "佐证不足" });
    let refusal = house.refused(OFFICE, "returnSupervisionAnswer", back("2019-06-30"), "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "answerDueOn");
    // Whoever answered, or works for the unit that did, does not judge the answer.
    let both = format!("dev:wei:UNIT_OFFICER,LEADING_GROUP_OFFICE:unit={}", world.lead);
    let own = house.refused(&both, "closeSupervisionItem", json!({ "id": opened }), "RULE_VIOLATION").await;
    assert_eq!(own["rule"], "four-eyes");
    house.done(OFFICE, "returnSupervisionAnswer", back("2019-07-15")).await;
    answer(house, &world.leader(), &opened).await;
    let close = json!({ "id": opened, "note": "整改到位" });
    house.done(OFFICE_TOO, "closeSupervisionItem", close).await;
    let done = item(house, &opened).await;
    assert_eq!((&done["status"], &done["closedNote"]), (&json!("CLOSED"), &json!("整改到位")));
    assert_eq!(done["subject"], json!({ "__typename": "Task", "id": world.task }));
    assert_eq!((&done["units"], &done["number"]), (&json!([{ "name": "市市场监管局" }]), &json!("督1号")));
    assert_eq!((&done["region"]["code"], &done["answerDueOn"]), (&json!("440800"), &json!("2019-07-15")));
    let returned: Vec<&Value> =
        done["answers"].as_array().unwrap().iter().map(|answer| &answer["returnedReason"]).collect();
    assert_eq!(returned, [&json!("佐证不足"), &Value::Null]);
    assert_eq!(done["answers"][0]["unit"]["name"], "市市场监管局");
    let events = ["Opened", "Notified", "Answered", "Returned", "Answered", "Closed"];
    assert_eq!(types(&done), events.map(|event| format!("SupervisionItem{event}")));
    let gone = json!({ "id": opened, "reason": "误立" });
    house.refused(OFFICE, "withdrawSupervisionItem", gone, "NOT_ALLOWED_IN_STATE").await;
    rows_are_their_folds(house).await;
});

story!(what_an_item_names_must_fit, |house| {
    let world = World::new(house).await;
    wait_until(house, "2019-07-01");
    let with = |name: &str, value: Value| {
        let mut input = open_input(&world, "督1号");
        input[name] = value;
        input
    };
    let other_plan = draft(house, "ZJ-OTHER").await;
    let other_task = task(house, &other_plan, "1").await;
    for (name, value, field) in [
        ("subjectId", json!(world.lead), "subjectId"),
        ("subjectId", json!(other_task), "subjectId"),
        ("unitIds", json!([]), "unitIds"),
        ("unitIds", json!([world.lead, world.lead]), "unitIds[1]"),
        ("escalationUnitId", json!(world.lead), "escalationUnitId"),
        ("answerDueOn", json!("2019-06-30"), "answerDueOn"),
        ("regionCode", json!("430000"), "regionCode"),
        ("number", json!(""), "number"),
        ("demand", json!(" "), "demand"),
    ] {
        let refusal = house.refused(OFFICE, "openSupervisionItem", with(name, value), "INVALID_INPUT").await;
        assert_eq!(refusal["field"], field);
    }
    let nobody = format!("{}A", &world.task[..world.task.len() - 1]);
    let nobody = if nobody == world.task { format!("{}B", &nobody[..nobody.len() - 1]) } else { nobody };
    let refusal =
        house.refused(OFFICE, "openSupervisionItem", with("subjectId", json!(nobody)), "NOT_FOUND").await;
    assert_eq!((&refusal["field"], &refusal["kind"]), (&json!("subjectId"), &json!("TASK")));
    let drafted = with("planId", json!(other_plan));
    house.refused(OFFICE, "openSupervisionItem", drafted, "NOT_ALLOWED_IN_STATE").await;
    let elsewhere = "dev:ann:LEADING_GROUP_OFFICE:region=430000";
    house.refused(elsewhere, "openSupervisionItem", open_input(&world, "督1号"), "NOT_PERMITTED").await;
    house.done(OFFICE, "openSupervisionItem", open_input(&world, "督1号")).await;
    let twice =
        house.refused(OFFICE, "openSupervisionItem", open_input(&world, "督1号"), "ALREADY_EXISTS").await;
    assert_eq!(twice["field"], "number");
    // A county of the city counts its own numbers.
    house.done(OFFICE, "openSupervisionItem", with("regionCode", json!("440881"))).await;
    // An indicator and the plan itself can be supervised too, or nothing in particular.
    let indicator = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let subjects = [json!(indicator), json!(world.plan), Value::Null];
    for (number, subject) in ["督2号", "督3号", "督4号"].into_iter().zip(subjects) {
        let mut input = open_input(&world, number);
        input["subjectId"] = subject.clone();
        let id = text(&house.done(OFFICE, "openSupervisionItem", input).await["id"]);
        assert_eq!(item(house, &id).await["subject"]["id"], subject);
    }
});

story!(an_answer_that_stays_out_is_announced_and_escalated_once, |house| {
    let world = World::new(house).await;
    let above = unit(house, "市人民政府", "440800").await;
    wait_until(house, "2019-07-01");
    let mut input = open_input(&world, "督1号");
    input["escalationUnitId"] = json!(above);
    let late = notified(house, &world, input).await;
    let forgotten = text(&house.done(OFFICE, "openSupervisionItem", open_input(&world, "督2号")).await["id"]);
    let answered = notified(house, &world, open_input(&world, "督3号")).await;
    answer(house, &world.leader(), &answered).await;
    let scheduler = scheduler(&house.store);
    // Wednesday 10 July: Monday 8 to Wednesday 10 are three working days, so it is said from Friday 5 July on. The
    // fifth working day behind it is Wednesday 17 July.
    for (day, said) in [
        ("2019-07-04", (0, 0, 0)),
        ("2019-07-05", (2, 0, 0)),
        ("2019-07-10", (0, 0, 0)),
        ("2019-07-11", (0, 2, 0)),
        ("2019-07-16", (0, 0, 0)),
        ("2019-07-18", (0, 0, 1)),
        ("2019-07-18", (0, 0, 0)),
        ("2019-09-18", (0, 0, 0)),
    ] {
        let Round { due_soon, overdue, escalated, .. } = round_on(house, &scheduler, day).await;
        assert_eq!((due_soon, overdue, escalated), said, "{day}");
    }
    let up = item(house, &late).await;
    assert_eq!((&up["status"], &up["escalatedTo"]["name"]), (&json!("ESCALATED"), &json!("市人民政府")));
    assert_eq!((&up["isOverdue"], &up["escalatedReason"]), (&json!(true), &Value::Null));
    let last = &up["history"]["nodes"][4];
    assert_eq!(last["happenedAt"], "2019-07-16T16:00:00+00:00");
    assert!(text(&last["recordedAt"]).starts_with("2019-07-18T02:"), "{last}");
    let rule = json!({ "answerDueOn": "2019-07-10", "calendars": [{ "year": 2019, "version": 1 }],
        "limit": { "code": "SUPERVISION_ESCALATION", "validFrom": "2009-01-01", "value": 5, "unit": "WORKING_DAYS" } });
    assert_eq!(last["data"], json!({ "unitId": above, "reason": null, "byRule": rule }));
    let said = ["Opened", "Notified", "DueSoon", "BecameOverdue", "Escalated"];
    assert_eq!(types(&up), said.map(|event| format!("SupervisionItem{event}")));
    // One of which nobody was notified becomes overdue too, but nobody is to blame for it.
    let said = ["Opened", "DueSoon", "BecameOverdue"];
    assert_eq!(types(&item(house, &forgotten).await), said.map(|event| format!("SupervisionItem{event}")));
    // The supervised unit still answers; the office may take it further up before.
    let higher = unit(house, "省人民政府", "440000").await;
    let further = json!({ "id": late, "unitId": higher, "reason": "仍未答复" });
    house.done(OFFICE, "escalateSupervisionItem", further).await;
    answer(house, &world.leader(), &late).await;
    assert_eq!(item(house, &late).await["escalatedTo"]["name"], "省人民政府");
    rows_are_their_folds(house).await;
});

story!(an_extension_is_announced_anew, |house| {
    let world = World::new(house).await;
    wait_until(house, "2019-07-01");
    let id = notified(house, &world, open_input(&world, "督1号")).await;
    let scheduler = scheduler(&house.store);
    let said = async |day: &str| {
        let Round { due_soon, overdue, .. } = round_on(house, &scheduler, day).await;
        (due_soon, overdue)
    };
    assert_eq!(said("2019-07-12").await, (1, 1));
    let extend = |day: &str| json!({ "id": id, "answerDueOn": day, "reason": "汛期" });
    for day in ["2019-07-10", "2019-07-11"] {
        let refusal = house.refused(OFFICE, "extendSupervisionItem", extend(day), "INVALID_INPUT").await;
        assert_eq!(refusal["field"], "answerDueOn", "{day}");
    }
    house.done(OFFICE, "extendSupervisionItem", extend("2019-07-31")).await;
    let extended = item(house, &id).await;
    assert_eq!((&extended["answerDueOn"], &extended["isOverdue"]), (&json!("2019-07-31"), &json!(false)));
    assert_eq!((&extended["extendedReason"], &extended["status"]), (&json!("汛期"), &json!("NOTIFIED")));
    assert_eq!(said("2019-08-01").await, (1, 1));
    // Answered and returned with the same date: what was said of it is not said again.
    answer(house, &world.leader(), &id).await;
    let back = json!({ "id": id, "answerDueOn": "2019-08-01", "reason": "佐证不足" });
    house.done(OFFICE, "returnSupervisionAnswer", back.clone()).await;
    answer(house, &world.leader(), &id).await;
    house.done(OFFICE, "returnSupervisionAnswer", back).await;
    assert_eq!(said("2019-08-03").await, (1, 1));
    assert_eq!(said("2019-08-04").await, (0, 0));
    house.done(OFFICE, "withdrawSupervisionItem", json!({ "id": id, "reason": "事项取消" })).await;
    assert_eq!(item(house, &id).await["withdrawnReason"], "事项取消");
    rows_are_their_folds(house).await;
});

story!(what_stays_overdue_is_supervised_once_for_a_due_date, |house| {
    let world = World::new(house).await;
    let government = unit(house, "湛江市人民政府", "440800").await;
    let mut content = plan_content();
    content["issuerId"] = json!(government);
    house
        .done(
            OFFICE,
            "amendPlan",
            json!({ "id": world.plan, "content": content, "reason": "发文机关已登记" }),
        )
        .await;
    due(house, &world.task, "2019-07-05").await;
    // Reported as completed: that one waits for the office.
    let reported = task(house, &world.plan, "2").await;
    world.assign(house, &reported).await;
    due(house, &reported, "2019-07-05").await;
    house.done(&world.leader(), "acceptTask", json!({ "id": reported })).await;
    let completion = json!({ "id": reported, "note": "完成", "evidence": evidence() });
    house.done(&world.leader(), "reportTaskCompletion", completion).await;
    // Of a plan that is not in force nothing is supervised by rule.
    let other = draft(house, "ZJ-OTHER").await;
    let drafted = task(house, &other, "1").await;
    world.assign(house, &drafted).await;
    due(house, &drafted, "2019-07-05").await;
    let supervising = supervising(house);
    assert_eq!(round_on(house, &supervising, "2019-07-19").await.supervised, 0, "fourteen days");
    // Only who is told to supervise does.
    assert_eq!(round_on(house, &scheduler(&house.store), "2019-07-21").await.supervised, 0);
    // Monday 22 July, two days late. Ten working days from then end on Monday 5 August.
    for (day, supervised) in [("2019-07-22", 1), ("2019-07-22", 0), ("2019-07-23", 0)] {
        assert_eq!(round_on(house, &supervising, day).await.supervised, supervised, "{day}");
    }
    let first = about(house, &world.task).await;
    let opened = item(house, &first[0]).await;
    assert_eq!((first.len(), &opened["status"]), (1, &json!("OPENED")));
    assert_eq!(opened["title"], "逾期任务：1 全面加强质量监管");
    assert_eq!((&opened["units"], &opened["number"]), (&json!([{ "name": "市市场监管局" }]), &Value::Null));
    assert_eq!(
        (&opened["escalationUnit"]["name"], &opened["answerDueOn"]),
        (&json!("湛江市人民政府"), &json!("2019-08-05"))
    );
    let rule = json!({ "subjectDueOn": "2019-07-05", "calendars": [{ "year": 2019 }],
        "afterOverdue": { "code": "SUPERVISION_AFTER_OVERDUE", "value": 15, "unit": "CALENDAR_DAYS" },
        "answer": { "code": "SUPERVISION_ANSWER", "validFrom": "2009-01-01", "value": 10 } });
    assert_eq!(opened["openedByRule"], rule);
    let born = &opened["history"]["nodes"][0];
    assert_eq!(
        (&born["actor"], &born["happenedAt"]),
        (&json!("system"), &json!("2019-07-19T16:00:00+00:00"))
    );
    // Withdrawn, it is not opened again; with another due date it is.
    house.done(OFFICE, "withdrawSupervisionItem", json!({ "id": first[0], "reason": "已另行处理" })).await;
    assert_eq!(round_on(house, &supervising, "2019-07-24").await.supervised, 0);
    due(house, &world.task, "2019-07-25").await;
    assert_eq!(round_on(house, &supervising, "2019-08-08").await.supervised, 0);
    assert_eq!(round_on(house, &supervising, "2019-08-09").await.supervised, 1);
    // Back to the first date: for that one there was an item.
    due(house, &world.task, "2019-07-05").await;
    assert_eq!(round_on(house, &supervising, "2019-08-12").await.supervised, 0);
    let second = about(house, &world.task).await;
    assert_eq!((second.len(), &second[0]), (2, &first[0]));
    assert_eq!(about(house, &reported).await.len() + about(house, &drafted).await.len(), 0);
    // Opened, notified, unanswered: the clock takes it to the issuer of the plan. Friday 23 August is its due date.
    house.done(OFFICE, "notifySupervisedUnits", json!({ "id": second[1] })).await;
    assert_eq!(item(house, &second[1]).await["answerDueOn"], "2019-08-23");
    assert_eq!(round_on(house, &supervising, "2019-08-29").await.escalated, 0);
    assert_eq!(round_on(house, &supervising, "2019-08-30").await.escalated, 1);
    assert_eq!(item(house, &second[1]).await["escalatedTo"]["name"], "湛江市人民政府");
    rows_are_their_folds(house).await;
});

story!(what_an_item_is_about_is_of_its_plan, |house| {
    let world = World::new(house).await;
    let duty = json!({
        "planId": world.plan, "what": "质量状况报告", "parties": [{ "reporterId": world.lead, "addresseeId": world.support }],
        "schedule": { "cadence": "QUARTERLY", "dueDays": 10, "openDays": 20, "holdsFrom": "2019-07-01", "holdsUntil": "2019-07-31" },
    });
    house.done(OFFICE, "establishReportingDuty", duty).await;
    let local = json!({ "planId": world.plan, "filingUnitId": world.support, "addresseeId": world.lead, "what": "具体方案" });
    let local = text(&house.done(OFFICE, "demandLocalPlan", local).await["id"]);
    assert_eq!(round_on(house, &scheduler(&house.store), "2019-06-21").await.opened, 1);
    let data = house.ok(OFFICE, "{ reports { nodes { id } } }", json!({})).await;
    let report = text(&data["reports"]["nodes"][0]["id"]);
    let rate = indicator(house, &world.plan, "ZJ-1", json!({})).await;
    let other = draft(house, "ZJ-OTHER").await;
    house.done(OFFICE, "issuePlan", json!({ "id": other, "issuedOn": "2019-01-02" })).await;
    for (at, subject) in [&world.task, &report, &local, &rate].into_iter().enumerate() {
        let mut input = open_input(&world, &format!("督{at}号"));
        input["subjectId"] = json!(subject);
        input["planId"] = json!(other);
        let refusal = house.refused(OFFICE, "openSupervisionItem", input.clone(), "INVALID_INPUT").await;
        assert_eq!(refusal["field"], "subjectId");
        assert!(text(&refusal["message"]).contains("belongs to another plan"), "{refusal}");
        input["planId"] = json!(world.plan);
        let id = text(&house.done(OFFICE, "openSupervisionItem", input).await["id"]);
        assert_eq!(item(house, &id).await["subject"]["id"], subject.as_str());
    }
    let mut input = open_input(&world, "督9号");
    input["subjectId"] = json!(other);
    house.refused(OFFICE, "openSupervisionItem", input, "INVALID_INPUT").await;
});

story!(an_overdue_report_is_supervised, |house| {
    let world = World::new(house).await;
    let county = unit(house, "县市场监管局", "440881").await;
    let input = json!({
        "planId": world.plan, "what": "质量状况报告", "parties": [{ "reporterId": county, "addresseeId": world.lead }],
        "schedule": { "cadence": "QUARTERLY", "dueDays": 10, "openDays": 20, "holdsFrom": "2019-07-01", "holdsUntil": "2019-07-31" },
    });
    house.done(OFFICE, "establishReportingDuty", input).await;
    let supervising = supervising(house);
    // Due on 10 July; fifteen days later is 25 July.
    assert_eq!(round_on(house, &supervising, "2019-07-24").await.supervised, 0);
    assert_eq!(round_on(house, &supervising, "2019-07-25").await.supervised, 1);
    assert_eq!(round_on(house, &supervising, "2019-07-26").await.supervised, 0);
    let query = "{ reports { nodes { id supervisionItems(where: { isByRule: true }) { totalCount nodes {
        title units { id } subject { __typename } region { code } } } } } }";
    let report = house.ok(OFFICE, query, json!({})).await["reports"]["nodes"][0].take();
    assert_eq!(report["supervisionItems"]["totalCount"], 1);
    let found = &report["supervisionItems"]["nodes"][0];
    assert_eq!(
        (&found["title"], &found["units"]),
        (&json!("逾期报告：质量状况报告 2019Q2"), &json!([{ "id": county }]))
    );
    // The office of the plan's region supervises, not that of the county itself.
    assert_eq!(
        (&found["subject"]["__typename"], &found["region"]["code"]),
        (&json!("Report"), &json!("440800"))
    );
});

story!(whose_units_are_gone_is_left_to_the_office, |house| {
    let world = World::new(house).await;
    due(house, &world.task, "2019-07-05").await;
    house.done(OFFICE, "dissolveUnit", json!({ "id": world.lead, "reason": "机构改革" })).await;
    let supervising = supervising(house);
    assert_eq!(round_on(house, &supervising, "2019-07-22").await.supervised, 0);
    let reassigned = json!({ "leadUnitIds": [world.support], "supportingUnitIds": [] });
    let input = json!({ "id": world.task, "responsibility": reassigned, "reason": "机构改革" });
    house.done(OFFICE, "reassignTaskUnits", input).await;
    assert_eq!(round_on(house, &supervising, "2019-07-23").await.supervised, 1);
});

story!(two_schedulers_supervise_once, |house| {
    let world = World::new(house).await;
    for number in 2..32 {
        let id = task(house, &world.plan, &number.to_string()).await;
        world.assign(house, &id).await;
        due(house, &id, "2019-07-05").await;
    }
    let another = house.another_store().await;
    wait_until(house, "2019-07-22");
    // A lease that ends at once keeps nobody out: both open at the same time, and each task has one item.
    let no_lease = Timing { lease: std::time::Duration::ZERO, ..TIMING };
    let time = || Arc::new(TimeReference::embedded());
    let one = Scheduler::new(house.store.clone(), time(), no_lease).supervising(true);
    let other = Scheduler::new(another.clone(), time(), no_lease).supervising(true);
    let (first, second) = tokio::join!(one.round(), other.round());
    assert_eq!(first.unwrap().supervised + second.unwrap().supervised, 30);
    let data = house.ok(OFFICE, "{ supervisionItems { totalCount } }", json!({})).await;
    assert_eq!(data["supervisionItems"]["totalCount"], 30);
    another.pool().close().await;
});

story!(switched_on_over_the_sample_plans_what_is_overdue_is_supervised_once, |house| {
    import_all(house).await;
    wait_until(house, "2021-02-01");
    // The others were never assigned, so no unit owes them anything.
    let query = r#"{ dueItems(where: { kind: [TASK], isOverdue: true }) { totalCount }
        tasks(where: { status: [ASSIGNED], due: { to: "2021-01-17" } }) { totalCount } }"#;
    let data = house.ok(OFFICE, query, json!({})).await;
    let supervising = supervising(house);
    let first = supervising.round().await.unwrap();
    assert_eq!((&data["dueItems"]["totalCount"], first.supervised), (&json!(224), 178), "{first:?}");
    assert_eq!(data["tasks"]["totalCount"], 178);
    assert_eq!(supervising.round().await.unwrap().supervised, 0);
});

story!(without_next_years_calendar_nothing_is_supervised_yet, |house| {
    let world = World::new(house).await;
    due(house, &world.task, "2026-12-10").await;
    // Ten working days from 25 December on lead into January.
    assert_eq!(round_on(house, &supervising(house), "2026-12-28").await.supervised, 0);
    let file = ReferenceFile {
        name: "2027.json".into(),
        text: r#"{ "year": 2027, "version": 1, "workingDays": [],
            "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" },
            "holidays": [{ "name": "元旦", "from": "2027-01-01", "to": "2027-01-03" }] }"#
            .into(),
    };
    let mut time = TimeReference::embedded();
    time.calendar = time.calendar.with(&[file]).unwrap();
    house.clock.pass(chrono::Duration::minutes(5));
    let informed = Scheduler::new(house.store.clone(), Arc::new(time), TIMING).supervising(true);
    assert_eq!(round_on(house, &informed, "2026-12-29").await.supervised, 1);
    let opened = item(house, &about(house, &world.task).await[0]).await;
    // Opened as of its own day; 30 and 31 December and 4 to 8, 11 to 13 January are ten working days.
    assert_eq!(opened["history"]["nodes"][0]["happenedAt"], "2026-12-24T16:00:00+00:00");
    assert_eq!(opened["answerDueOn"], "2027-01-13");
    assert_eq!(opened["openedByRule"]["calendars"], json!([{ "year": 2026 }, { "year": 2027 }]));
});

story!(items_are_found_where_they_matter, |house| {
    let world = World::new(house).await;
    wait_until(house, "2019-07-01");
    let mine = notified(house, &world, open_input(&world, "督1号")).await;
    let mut input = open_input(&world, "督2号");
    input["unitIds"] = json!([world.support]);
    input["subjectId"] = Value::Null;
    input["answerDueOn"] = json!("2019-07-20");
    input["regionCode"] = json!("440881");
    let theirs = text(&house.done(OFFICE, "openSupervisionItem", input).await["id"]);
    wait_until(house, "2019-07-12");
    let query = "query($where: SupervisionItemWhere) { supervisionItems(where: $where) { nodes { id } } }";
    let found = async |wanted: Value| {
        let data = house.ok(OFFICE, query, json!({ "where": wanted })).await;
        data["supervisionItems"]["nodes"].as_array().unwrap().iter().map(|node| text(&node["id"])).collect()
    };
    let both: Vec<String> = found(json!({ "plan": world.plan })).await;
    assert_eq!(both, [mine.clone(), theirs.clone()], "by due date");
    for (wanted, expected) in [
        (json!({ "status": ["NOTIFIED"] }), &mine),
        (json!({ "unit": world.support }), &theirs),
        (json!({ "subject": world.task }), &mine),
        (json!({ "region": "440881" }), &theirs),
        (json!({ "due": { "from": "2019-07-11" } }), &theirs),
        (json!({ "isOverdue": true }), &mine),
        (json!({ "isOverdue": false }), &theirs),
        (json!({ "text": "督2" }), &theirs),
    ] {
        let one: Vec<String> = found(wanted.clone()).await;
        assert_eq!(one, std::slice::from_ref(expected), "{wanted}");
    }
    let query = "query($task: ID!, $lead: ID!, $support: ID!) {
        task(id: $task) { supervisionItems { nodes { id } } }
        lead: unit(id: $lead) { desk { supervisionToAnswer { nodes { id } } overdue { nodes { id kind daysOverdue } } } }
        support: unit(id: $support) { desk { supervisionToAnswer { nodes { id } } } }
        dueItems(where: { kind: [SUPERVISION_ITEM] }) { nodes { id title dueOn subject { __typename } } } }";
    let variables = json!({ "task": world.task, "lead": world.lead, "support": world.support });
    let data = house.ok(OFFICE, query, variables).await;
    assert_eq!(data["task"]["supervisionItems"]["nodes"], json!([{ "id": mine }]));
    let desk = &data["lead"]["desk"];
    assert_eq!(desk["supervisionToAnswer"]["nodes"], json!([{ "id": mine }]));
    let overdue = json!([{ "id": mine, "kind": "SUPERVISION_ITEM", "daysOverdue": 2 }]);
    assert_eq!(desk["overdue"]["nodes"], overdue);
    assert_eq!(data["support"]["desk"]["supervisionToAnswer"]["nodes"], json!([]), "nobody told them yet");
    let due_on: Vec<&Value> =
        data["dueItems"]["nodes"].as_array().unwrap().iter().map(|node| &node["dueOn"]).collect();
    assert_eq!(due_on, [&json!("2019-07-10"), &json!("2019-07-20")]);
    assert_eq!(data["dueItems"]["nodes"][0]["subject"]["__typename"], "SupervisionItem");
    // Once it is answered it waits for the office, and is on nobody's list.
    answer(house, &world.leader(), &mine).await;
    let data =
        house.ok(OFFICE, "{ dueItems(where: { kind: [SUPERVISION_ITEM] }) { totalCount } }", json!({}));
    assert_eq!(data.await["dueItems"]["totalCount"], 1);
});

story!(supervision_is_not_shown_to_the_public, |house| {
    let world = World::new(house).await;
    wait_until(house, "2019-07-01");
    let id = notified(house, &world, open_input(&world, "督1号")).await;
    let query = "query($id: ID!, $task: ID!) { supervisionItem(id: $id) { id } node(id: $id) { id }
        supervisionItems { totalCount nodes { id } } dueItems { totalCount }
        task(id: $task) { supervisionItems { totalCount } } }";
    let data = house.ok(ANONYMOUS, query, json!({ "id": id, "task": world.task })).await;
    assert_eq!((&data["supervisionItem"], &data["node"]), (&Value::Null, &Value::Null));
    assert_eq!(data["supervisionItems"], json!({ "totalCount": 0, "nodes": [] }));
    assert_eq!(
        (&data["dueItems"]["totalCount"], &data["task"]["supervisionItems"]["totalCount"]),
        (&json!(0), &json!(0))
    );
    let denied = house.act(ANONYMOUS, "openSupervisionItem", open_input(&world, "督2号")).await;
    assert_eq!(denied["errors"][0]["code"], "NOT_PERMITTED");
});
