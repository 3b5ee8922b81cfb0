//! Surveys: planned, fielded, found, accepted by others, published, corrected, and measured with.
use serde_json::{Value, json};

use crate::{
    days::wait_until,
    house::{ANONYMOUS, House, OFFICE, OFFICE_TOO, story},
    world::{World, draft, indicator, text, unit},
};

const SHOWN: &str = "status title population method period plannedSampleSize scale { lowest highest } fieldedFrom fieldedTo
    acceptedOn publishedOn returnedReason withdrawnReason unit { name } plan { code } indicator { code }
    result { number corrects reason asked responses sampleSize responseRate score marginOfError confidenceLevel
        shortfallReason groups { name sampleSize score } }
    results { number corrects reason score }";

/// A survey of a third party for an indicator.
struct Asking {
    world: World,
    institute: String,
    indicator: String,
    survey: String,
}

impl Asking {
    async fn new(house: &House) -> Self {
        let world = World::new(house).await;
        let institute = unit(house, "市质量发展研究院", "440800").await;
        let with = json!({ "name": "游客满意度", "unit": "分", "measure": "RATIO",
            "target": { "comparator": "AT_LEAST", "value": "85", "approximate": false, "dueOn": "2019-12-31" } });
        let indicator = indicator(house, &world.plan, "ZJ-TOURISTS", with).await;
        let input = plan_input(&world.plan, &institute, "游客满意度测评", &indicator);
        let survey = text(&house.done(OFFICE, "planSurvey", input).await["id"]);
        Self { world, institute, indicator, survey }
    }

    fn clerk(&self) -> String {
        format!("dev:gao:UNIT_OFFICER:unit={}", self.institute)
    }

    fn input(&self, mut more: Value) -> Value {
        more["id"] = json!(self.survey);
        more
    }

    /// Fielded in June, and found what `result` says in July.
    async fn found(&self, house: &House, result: Value) {
        wait_until(house, "2019-06-20");
        let days = self.input(json!({ "from": "2019-06-01", "to": "2019-06-30" }));
        house.done(&self.clerk(), "fieldSurvey", days).await;
        wait_until(house, "2019-07-05");
        house.done(&self.clerk(), "recordSurveyResult", self.input(json!({ "result": result }))).await;
    }

    async fn settle(&self, house: &House) {
        self.found(house, result("86.2")).await;
        house.done(OFFICE, "acceptSurveyResult", self.input(json!({}))).await;
    }

    async fn show(&self, house: &House, token: &str) -> Value {
        let query = format!("query($id: ID!) {{ survey(id: $id) {{ {SHOWN} }} }}");
        house.ok(token, &query, json!({ "id": self.survey })).await["survey"].take()
    }
}

fn plan_input(plan: &str, unit: &str, title: &str, indicator: &str) -> Value {
    json!({ "planId": plan, "kind": "SATISFACTION", "title": title, "question": "您对本次旅游服务是否满意？",
        "population": "旅游业游客", "unitId": unit, "method": "INTERVIEW", "period": "2019H1",
        "plannedSampleSize": 1000, "indicatorId": indicator })
}

fn result(score: &str) -> Value {
    json!({ "asked": 1500, "responses": 1300, "sampleSize": 1200, "score": score, "marginOfError": "0.8",
        "confidenceLevel": "95", "groups": [{ "name": "国内游客", "sampleSize": 900, "score": "85.9" },
            { "name": "境外游客", "sampleSize": 300, "score": "87.1" }] })
}

story!(a_survey_goes_from_a_plan_to_the_public, |house| {
    let asking = Asking::new(house).await;
    let shown = asking.show(house, OFFICE).await;
    assert_eq!(
        (&shown["status"], &shown["scale"], &shown["unit"]["name"], &shown["result"]),
        (
            &json!("PLANNED"),
            &json!({ "lowest": "0", "highest": "100" }),
            &json!("市质量发展研究院"),
            &Value::Null
        )
    );
    asking.found(house, result("86.2")).await;
    let shown = asking.show(house, OFFICE).await;
    let last = &shown["result"];
    assert_eq!(
        (&shown["status"], &last["score"], &last["responseRate"], &last["groups"][1]["score"]),
        (&json!("RESULT_RECORDED"), &json!("86.2"), &json!("86.67"), &json!("87.1"))
    );
    assert_eq!(asking.show(house, ANONYMOUS).await, Value::Null);
    // Neither a stranger nor whoever carried it out accepts it, in whatever role.
    let accept = asking.input(json!({}));
    house.refused(&asking.clerk(), "acceptSurveyResult", accept.clone(), "NOT_PERMITTED").await;
    let insider = format!("dev:mu:LEADING_GROUP_OFFICE:unit={}", asking.institute);
    let refusal = house.refused(&insider, "acceptSurveyResult", accept.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "four-eyes");
    let back = asking.input(json!({ "reason": "缺少县区分组" }));
    house.done(OFFICE, "returnSurveyResult", back).await;
    assert_eq!(asking.show(house, OFFICE).await["returnedReason"], "缺少县区分组");
    let again = asking.input(json!({ "result": result("86.3") }));
    house.done(&asking.clerk(), "recordSurveyResult", again).await;
    house.done(OFFICE, "acceptSurveyResult", accept.clone()).await;
    assert_eq!(asking.show(house, ANONYMOUS).await, Value::Null, "accepted is not published");
    house.done(OFFICE, "publishSurvey", accept).await;
    let seen = asking.show(house, ANONYMOUS).await;
    assert_eq!(
        (&seen["status"], &seen["publishedOn"], &seen["returnedReason"], &seen["result"]["number"]),
        (&json!("PUBLISHED"), &json!("2019-07-05"), &Value::Null, &json!(2))
    );
    let down = asking.input(json!({ "reason": "抽样有误" }));
    house.done(OFFICE, "withdrawSurvey", down).await;
    assert_eq!(asking.show(house, ANONYMOUS).await, Value::Null);
    assert_eq!(asking.show(house, OFFICE).await["withdrawnReason"], "抽样有误");
});

story!(a_result_adds_up_or_is_refused, |house| {
    let asking = Asking::new(house).await;
    wait_until(house, "2019-06-20");
    let days = asking.input(json!({ "from": "2019-06-01", "to": "2019-06-30" }));
    house.done(&asking.clerk(), "fieldSurvey", days).await;
    let with = |name: &str, value: Value| {
        let mut changed = result("86.2");
        changed[name] = value;
        asking.input(json!({ "result": changed }))
    };
    let early = with("score", json!("86.2"));
    let refusal = house.refused(&asking.clerk(), "recordSurveyResult", early, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "fieldwork-ends-before-the-result");
    wait_until(house, "2019-06-30");
    for (wrong, field) in [
        (with("score", json!("100.1")), "result.score"),
        (with("responses", json!(1501)), "result.responses"),
        (with("sampleSize", json!(0)), "result.sampleSize"),
        (with("confidenceLevel", Value::Null), "result.confidenceLevel"),
        (
            with("groups", json!([{ "name": "全部", "sampleSize": 1201, "score": "80" }])),
            "result.groups[0].sampleSize",
        ),
        (with("shortfallReason", json!("无")), "result.shortfallReason"),
    ] {
        let refusal = house.refused(&asking.clerk(), "recordSurveyResult", wrong, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], field);
    }
    let mut small = result("86.2");
    small["sampleSize"] = json!(999);
    small["groups"] = json!([]);
    let input = asking.input(json!({ "result": small }));
    let refusal = house.refused(&asking.clerk(), "recordSurveyResult", input, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "a-smaller-sample-says-why");
    small["shortfallReason"] = json!("淡季游客减少");
    house.done(&asking.clerk(), "recordSurveyResult", asking.input(json!({ "result": small }))).await;
    assert_eq!(asking.show(house, OFFICE).await["result"]["shortfallReason"], "淡季游客减少");
    let other = "dev:li:UNIT_OFFICER:unit=".to_owned() + &asking.world.support;
    house
        .refused(
            &other,
            "fieldSurvey",
            asking.input(json!({ "from": "2019-07-01", "to": "2019-07-02" })),
            "NOT_PERMITTED",
        )
        .await;
});

story!(a_correction_stands_beside_what_it_corrects, |house| {
    let asking = Asking::new(house).await;
    asking.settle(house).await;
    house.done(OFFICE, "publishSurvey", asking.input(json!({}))).await;
    let correct = asking.input(json!({ "result": result("84.2"), "reason": "重复计入一批问卷" }));
    house.done(OFFICE_TOO, "correctSurveyResult", correct).await;
    let shown = asking.show(house, OFFICE).await;
    assert_eq!(
        (&shown["status"], &shown["acceptedOn"], &shown["publishedOn"]),
        (&json!("RESULT_RECORDED"), &Value::Null, &Value::Null)
    );
    let results = json!([{ "number": 1, "corrects": null, "reason": null, "score": "86.2" },
        { "number": 2, "corrects": 1, "reason": "重复计入一批问卷", "score": "84.2" }]);
    assert_eq!(shown["results"], results);
    let accept = asking.input(json!({ "note": "已核" }));
    house.refused(OFFICE_TOO, "acceptSurveyResult", accept.clone(), "RULE_VIOLATION").await;
    house.done(OFFICE, "acceptSurveyResult", accept).await;
    let query = "query($id: ID!) { survey(id: $id) { asOf(version: 5) { status result { score } } } }";
    let before = house.ok(OFFICE, query, json!({ "id": asking.survey })).await["survey"]["asOf"].take();
    assert_eq!(before, json!({ "status": "PUBLISHED", "result": { "score": "86.2" } }));
});

story!(an_accepted_survey_is_a_measured_value, |house| {
    let asking = Asking::new(house).await;
    let input = |indicator: &str, survey: &str| json!({ "id": indicator, "surveyId": survey });
    let measure = input(&asking.indicator, &asking.survey);
    let refusal = house.refused(OFFICE, "recordSurveyMeasurement", measure.clone(), "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "surveyId");
    asking.found(house, result("86.2")).await;
    let refusal = house.refused(OFFICE, "recordSurveyMeasurement", measure.clone(), "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "a-survey-is-accepted-first");
    house.done(OFFICE, "acceptSurveyResult", asking.input(json!({}))).await;
    let other = indicator(house, &asking.world.plan, "ZJ-OTHER", json!({})).await;
    let elsewhere = draft(house, "ZJ-ELSEWHERE").await;
    let elsewhere = indicator(house, &elsewhere, "ZJ-THIRD", json!({})).await;
    for wrong in [input(&other, &asking.survey), input(&elsewhere, &asking.survey)] {
        let refusal = house.refused(OFFICE, "recordSurveyMeasurement", wrong, "INVALID_INPUT").await;
        assert_eq!(refusal["field"], "surveyId");
    }
    let nobody = input(&asking.indicator, &asking.world.task);
    let answer = house
        .ask(OFFICE, &crate::house::mutation("recordSurveyMeasurement"), json!({ "input": nobody }))
        .await;
    assert!(answer.body.get("errors").is_some(), "a task is no survey: {}", answer.text);
    house
        .refused(
            &asking.world.leader().replace("UNIT_OFFICER", "AUDITOR"),
            "recordSurveyMeasurement",
            measure.clone(),
            "NOT_PERMITTED",
        )
        .await;
    let dry =
        house.act_so(OFFICE, "recordSurveyMeasurement", measure.clone(), json!({ "dryRun": true })).await;
    assert_eq!(dry["events"][0]["type"], "IndicatorMeasurementRecorded");
    house.done(OFFICE, "recordSurveyMeasurement", measure.clone()).await;
    let query = "query($id: ID!) { indicator(id: $id) { light surveys { totalCount nodes { id } }
        measurements { nodes { value period regionCode evidence { title reference } } } } }";
    let shown = house.ok(OFFICE, query, json!({ "id": asking.indicator })).await["indicator"].take();
    let value = json!({ "value": "86.2", "period": "2019H1", "regionCode": "440800",
        "evidence": [{ "title": "游客满意度测评", "reference": format!("{} v4", asking.survey) }] });
    assert_eq!(shown["measurements"]["nodes"], json!([value]));
    assert_eq!(
        (&shown["light"], &shown["surveys"]["nodes"][0]["id"]),
        (&json!("ATTAINED"), &json!(asking.survey))
    );
    let refusal = house.refused(OFFICE, "recordSurveyMeasurement", measure, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "periods-do-not-overlap");
});

story!(surveys_are_found_by_what_they_ask, |house| {
    let asking = Asking::new(house).await;
    let status = json!({ "planId": asking.world.plan, "kind": "STATUS", "title": "获证企业质量状况调查",
        "question": "企业是否建立质量管理体系？", "population": "获证生产企业", "unitId": asking.world.lead,
        "method": "MAIL", "period": "2019", "plannedSampleSize": 300, "scale": { "lowest": "1", "highest": "5" },
        "regionCode": "440881" });
    let other = text(&house.done(OFFICE, "planSurvey", status.clone()).await["id"]);
    let refusal = house.refused(OFFICE, "planSurvey", status.clone(), "ALREADY_EXISTS").await;
    assert_eq!(refusal["field"], "title");
    let mut outside = status.clone();
    outside["regionCode"] = json!("430000");
    outside["title"] = json!("另一调查");
    let refusal = house.refused(OFFICE, "planSurvey", outside, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "regionCode");
    let query =
        "query($where: SurveyWhere, $orderBy: SurveyOrder) { surveys(where: $where, orderBy: $orderBy) {
        totalCount nodes { id } } }";
    let both = [asking.survey.clone(), other.clone()];
    for (wanted, found) in [
        (json!({ "plan": asking.world.plan }), vec![&both[1], &both[0]]),
        (json!({ "kind": ["STATUS"] }), vec![&both[1]]),
        (json!({ "method": ["INTERVIEW", "ONLINE"] }), vec![&both[0]]),
        (json!({ "unit": asking.institute }), vec![&both[0]]),
        (json!({ "indicator": asking.indicator }), vec![&both[0]]),
        (json!({ "period": ["2019"] }), vec![&both[1]]),
        (json!({ "region": "440881" }), vec![&both[1]]),
        (json!({ "text": "质量管理体系" }), vec![&both[1]]),
        (json!({ "status": ["ACCEPTED"] }), vec![]),
    ] {
        let data = house.ok(OFFICE, query, json!({ "where": wanted })).await["surveys"].take();
        let nodes: Vec<Value> = found.into_iter().map(|id| json!({ "id": id })).collect();
        assert_eq!(data["nodes"], json!(nodes), "{wanted}");
        assert_eq!(data["totalCount"], json!(nodes.len()), "{wanted}");
    }
    let order = json!({ "orderBy": { "field": "CREATED", "direction": "DESC" } });
    let data = house.ok(OFFICE, query, order).await["surveys"].take();
    assert_eq!(data["nodes"], json!([{ "id": both[1] }, { "id": both[0] }]));
    assert_eq!(house.ok(ANONYMOUS, query, json!({})).await["surveys"]["totalCount"], 0);
    // What was cancelled may be planned again.
    house.done(OFFICE, "cancelSurvey", json!({ "id": other, "reason": "经费不足" })).await;
    house.done(OFFICE, "planSurvey", status).await;
    // What is offered is a mutation.
    let query = "query($id: ID!) { survey(id: $id) { availableActions { action } } }";
    let data = house.ok(OFFICE, query, json!({ "id": asking.survey })).await;
    let sdl = zhixing_api::graphql::sdl();
    let actions = data["survey"]["availableActions"].as_array().unwrap();
    assert!(actions.len() >= 8, "{actions:?}");
    for action in actions {
        let action = text(&action["action"]);
        assert!(sdl.contains(&format!("\t{action}(")), "{action} is no mutation");
    }
});
