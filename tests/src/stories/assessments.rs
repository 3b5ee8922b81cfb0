//! Yearly assessments: scored by figures that can be summed by hand, announced, objected to, final, ranked.
use serde_json::{Value, json};

use crate::{
    days::{round_on, scheduler, wait_until},
    house::{ANONYMOUS, ERRORS, House, OFFICE, OFFICE_TOO, story},
    world::{World, evidence, indicator, text, unit},
};

/// Two counties that are assessed for 2019 by a scheme with a source of every sort.
pub(super) struct Year {
    pub(super) world: World,
    pub(super) scheme: String,
    lianjiang: String,
    leizhou: String,
    pub(super) rate: String,
}

fn item(code: &str, weight: &str, source: &str, indicator: Option<&str>) -> Value {
    json!({ "code": code, "name": "考核项目", "weight": weight, "source": source, "indicatorId": indicator })
}

fn grades() -> Value {
    json!([{ "name": "优秀", "from": "90" }, { "name": "合格", "from": "60" }, { "name": "不合格", "from": "0" }])
}

fn scheme_input(plan: &str, year: i32, items: &Value) -> Value {
    json!({ "planId": plan, "year": year, "title": "质量工作考核办法", "items": items, "grades": grades(),
        "vetoes": [{ "code": "ACCIDENT", "name": "发生重大质量安全事故" }] })
}

impl Year {
    pub(super) async fn new(house: &House) -> Self {
        let world = World::new(house).await;
        let government = async |name: &str, region: &str| {
            let input = json!({ "name": name, "kind": "GOVERNMENT", "regionCode": region });
            text(&house.done(OFFICE, "registerUnit", input).await["id"])
        };
        let lianjiang = government("廉江市人民政府", "440881").await;
        let leizhou = government("雷州市人民政府", "440882").await;
        let with = json!({ "measure": "RATIO", "unit": "%", "name": "监督抽查合格率",
            "target": { "comparator": "AT_LEAST", "value": "90", "approximate": false, "dueOn": "2019-12-31" } });
        let rate = indicator(house, &world.plan, "ZJ-RATE", with).await;
        let mut year = Self { world, scheme: String::new(), lianjiang, leizhou, rate };
        year.scheme = year.scheme_of(house, 2019).await;
        year
    }

    pub(super) async fn scheme_of(&self, house: &House, year: i32) -> String {
        let items = json!([
            item("RATE", "40", "INDICATOR", Some(&self.rate)),
            item("REPORTS", "20", "REPORT_TIMELINESS", None),
            item("TASKS", "30", "TASK_COMPLETION", None),
            item("EXPERT", "10", "EXPERT", None),
        ]);
        let input = scheme_input(&self.world.plan, year, &items);
        let scheme = text(&house.done(OFFICE, "draftAssessmentScheme", input).await["id"]);
        house.done(OFFICE, "issueAssessmentScheme", json!({ "id": scheme })).await;
        scheme
    }

    /// What happened in 2019: measured, reported and done more or less well.
    pub(super) async fn lived(&self, house: &House) {
        for (region, value) in [("440881", "88.2"), ("440882", "95")] {
            let input = json!({ "id": self.rate, "period": "2019", "regionCode": region, "value": value });
            house.done(OFFICE, "recordMeasurement", input).await;
        }
        let bureau = unit(house, "廉江市市场监管局", "440881").await;
        let input = json!({
            "planId": self.world.plan, "what": "质量状况报告",
            "schedule": { "cadence": "SEMI_ANNUAL", "holdsFrom": "2019-06-01", "holdsUntil": "2019-12-31" },
            "parties": [{ "reporterId": bureau, "addresseeId": self.world.lead }],
        });
        house.done(OFFICE, "establishReportingDuty", input).await;
        let scheduler = scheduler(&house.store);
        // The first half-year is reported in time, the second not at all.
        round_on(house, &scheduler, "2019-06-20").await;
        let query = "{ reports { nodes { id } } }";
        let report = text(&house.ok(OFFICE, query, json!({})).await["reports"]["nodes"][0]["id"]);
        let clerk = format!("dev:fang:UNIT_OFFICER:unit={bureau}");
        house.done(&clerk, "submitReport", json!({ "id": report, "summary": "上半年情况" })).await;
        round_on(house, &scheduler, "2020-01-10").await;
    }

    pub(super) async fn open(&self, house: &House, scheme: &str) -> [String; 2] {
        let query = format!(
            "mutation($input: OpenAssessments!) {{ openAssessments(input: $input) {{ {ERRORS} assessments {{ id unit {{ id }} }} }} }}"
        );
        let input = json!({ "schemeId": scheme, "unitIds": [self.lianjiang, self.leizhou] });
        let payload = house.ok(OFFICE, &query, json!({ "input": input })).await["openAssessments"].take();
        assert_eq!(payload["errors"], json!([]));
        [0, 1].map(|at| text(&payload["assessments"][at]["id"]))
    }

    fn spokesman(&self) -> String {
        format!("dev:chen:UNIT_OFFICER:unit={}", self.lianjiang)
    }
}

pub(super) async fn score(house: &House, assessment: &str, percent: &str, vetoes: Value) -> Value {
    let query = format!(
        "mutation($input: ScoreAssessmentInput!, $dryRun: Boolean! = false) {{ scoreAssessment(input: $input, dryRun: $dryRun) {{
            {ERRORS} position assessment {{ status total grade }} }} }}"
    );
    let input = json!({ "id": assessment, "vetoes": vetoes,
        "expertScores": [{ "item": "EXPERT", "percent": percent, "note": "有创新" }] });
    house.ok(OFFICE, &query, json!({ "input": input })).await["scoreAssessment"].take()
}

async fn announce(house: &House, scheme: &str) -> Value {
    let query = format!(
        "mutation($input: AnnounceAssessments!) {{ announceAssessments(input: $input) {{ {ERRORS}
            assessments {{ status objectionsUntil }} }} }}"
    );
    house.ok(OFFICE, &query, json!({ "input": { "schemeId": scheme } })).await["announceAssessments"].take()
}

async fn league(house: &House, scheme: &str, field: &str) -> Vec<(i64, String, String)> {
    let query = format!(
        "query($id: ID!) {{ assessmentScheme(id: $id) {{ rows: {field} {{ rank total unit {{ name }} }} }} }}"
    );
    let data = house.ok(OFFICE, &query, json!({ "id": scheme })).await;
    let rows = data["assessmentScheme"]["rows"].as_array().unwrap();
    let row = |row: &Value| (row["rank"].as_i64().unwrap(), text(&row["unit"]["name"]), text(&row["total"]));
    rows.iter().map(row).collect()
}

story!(a_score_can_be_summed_by_hand_down_to_the_event, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let [first, _] = year.open(house, &year.scheme).await;
    let payload = score(house, &first, "80", json!([])).await;
    // 40 × 88.2 ÷ 90 + 20 × 1 ÷ 2 + 30 × 1 (nothing was due) + 10 × 80 ÷ 100.
    assert_eq!(payload["assessment"], json!({ "status": "SCORED", "total": "87.2", "grade": "合格" }));
    let query = "query($id: ID!) { assessment(id: $id) { rank score { formulaVersion total inputs {
        item { code } weight value target share points note
        evidence { version subject { __typename } event { type data } } } } } }";
    let score = house.ok(OFFICE, query, json!({ "id": first })).await["assessment"]["score"].take();
    let row = |at: usize| {
        let input = &score["inputs"][at];
        ["value", "target", "share", "points"].map(|field| text(&input[field]))
    };
    assert_eq!(row(0), ["88.2", "90", "98", "39.2"]);
    assert_eq!(row(1), ["1", "2", "50", "10"]);
    assert_eq!(row(2), ["0", "0", "100", "30"]);
    assert_eq!(row(3), ["80", "100", "80", "8"]);
    let sum: f64 = (0..4).map(|at| row(at)[3].parse::<f64>().unwrap()).sum();
    assert!((sum - 87.2).abs() < 1e-9);
    let event = &score["inputs"][0]["evidence"][0]["event"];
    assert_eq!(
        (&event["type"], &event["data"]["value"]),
        (&json!("IndicatorMeasurementRecorded"), &json!("88.2"))
    );
    assert_eq!(score["inputs"][1]["evidence"].as_array().unwrap().len(), 2);
    assert_eq!(score["inputs"][1]["evidence"][0]["subject"]["__typename"], "Report");
    // A value that changes afterwards changes no score: it is scored anew, or stays.
    let correction = json!({ "id": year.rate, "number": 1, "value": "90", "reason": "复核" });
    house.done(OFFICE, "correctMeasurement", correction).await;
    let still = house.ok(OFFICE, query, json!({ "id": first })).await["assessment"]["score"].take();
    assert_eq!(still, score);
    let again = self::score(house, &first, "80", json!([])).await;
    assert_eq!(again["assessment"]["total"], "88");
});

story!(a_year_runs_from_the_scheme_to_the_final_rank, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let ids = year.open(house, &year.scheme).await;
    let own = json!({ "id": ids[0], "summary": "完成全部任务", "evidence": evidence(),
        "scores": [{ "item": "EXPERT", "points": "9" }] });
    house.done(&year.spokesman(), "submitSelfAssessment", own).await;
    for (id, percent) in ids.iter().zip(["80", "70"]) {
        score(house, id, percent, json!([])).await;
        house.refused(OFFICE, "reviewAssessment", json!({ "id": id }), "RULE_VIOLATION").await;
        house.done(OFFICE_TOO, "reviewAssessment", json!({ "id": id, "note": "数据属实" })).await;
    }
    // Leizhou had nothing to report: nothing is missing.
    let table = [(1, "雷州市人民政府".into(), "97".into()), (2, "廉江市人民政府".into(), "87.2".into())];
    assert_eq!(league(house, &year.scheme, "leagueTable").await, table);
    let weights =
        "whatIf(weights: [{ item: \"RATE\", weight: \"10\" }, { item: \"REPORTS\", weight: \"10\" },
        { item: \"TASKS\", weight: \"10\" }, { item: \"EXPERT\", weight: \"70\" }])";
    // 10 × 0.98 + 10 × 0.5 + 10 + 70 × 0.8, and 10 + 10 + 10 + 70 × 0.7.
    let otherwise = [(1, "廉江市人民政府".into(), "80.8".into()), (2, "雷州市人民政府".into(), "79".into())];
    assert_eq!(league(house, &year.scheme, weights).await, otherwise);
    assert_eq!(league(house, &year.scheme, "leagueTable").await, table, "asking changes nothing");
    wait_until(house, "2020-03-02");
    let payload = announce(house, &year.scheme).await;
    // Monday 2 March: five working days behind it is Monday 9 March.
    let announced = json!({ "status": "ANNOUNCED", "objectionsUntil": "2020-03-09" });
    assert_eq!(payload["assessments"], json!([announced, announced]));
    house.refused(OFFICE, "finaliseAssessment", json!({ "id": ids[1] }), "RULE_VIOLATION").await;
    let objection = json!({ "id": ids[0], "reason": "漏计一份报告", "evidence": evidence() });
    house.done(&year.spokesman(), "objectToAssessment", objection.clone()).await;
    let rejected = json!({ "id": ids[0], "upheld": false, "reason": "确未报送" });
    house.done(OFFICE, "decideAssessmentObjection", rejected).await;
    house.refused(&year.spokesman(), "objectToAssessment", objection, "RULE_VIOLATION").await;
    house.done(&year.spokesman(), "appealAssessment", json!({ "id": ids[0], "reason": "请求复查" })).await;
    let upheld = json!({ "id": ids[0], "upheld": true, "reason": "应免报" });
    house.refused(OFFICE, "decideAssessmentAppeal", upheld.clone(), "RULE_VIOLATION").await;
    house.done(OFFICE_TOO, "decideAssessmentAppeal", upheld).await;
    house.refused(OFFICE_TOO, "reviewAssessment", json!({ "id": ids[0] }), "RULE_VIOLATION").await;
    // The report is waived, so one of one was in time; scored anew it has all its points.
    let query = "{ reports(where: { status: [OPEN] }) { nodes { id } } }";
    let report = text(&house.ok(OFFICE, query, json!({})).await["reports"]["nodes"][0]["id"]);
    house.done(OFFICE, "waiveReport", json!({ "id": report, "reason": "应免报" })).await;
    assert_eq!(score(house, &ids[0], "80", json!([])).await["assessment"]["total"], "97.2");
    house.done(OFFICE_TOO, "reviewAssessment", json!({ "id": ids[0] })).await;
    announce(house, &year.scheme).await;
    wait_until(house, "2020-03-10");
    for id in &ids {
        house.done(OFFICE, "finaliseAssessment", json!({ "id": id })).await;
        let refusal = score(house, id, "100", json!([])).await;
        assert_eq!(refusal["errors"][0]["code"], "NOT_ALLOWED_IN_STATE", "frozen: {refusal}");
        house.done(OFFICE, "applyAssessmentResult", json!({ "id": id, "note": "报送组织部门" })).await;
    }
    // The year after knows where everybody stood.
    let next = year.scheme_of(house, 2020).await;
    for id in year.open(house, &next).await {
        score(house, &id, "50", json!([])).await;
    }
    let query = "query($id: ID!) { assessmentScheme(id: $id) { leagueTable { rank formerRank rankChange vetoed unit { name } } } }";
    let data = house.ok(OFFICE, query, json!({ "id": next })).await;
    // Nobody measured anything in 2020: equal totals share the first rank.
    let row = |name: &str, former: i64| json!({ "rank": 1, "formerRank": former, "rankChange": former - 1, "vetoed": false, "unit": { "name": name } });
    assert_eq!(
        data["assessmentScheme"]["leagueTable"],
        json!([row("廉江市人民政府", 1), row("雷州市人民政府", 2)])
    );
});

story!(a_veto_puts_a_unit_behind_all_others, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let ids = year.open(house, &year.scheme).await;
    score(house, &ids[0], "0", json!([])).await;
    let veto = json!([{ "code": "ACCIDENT", "reason": "某企业重大事故" }]);
    assert_eq!(score(house, &ids[1], "100", veto).await["assessment"]["grade"], "不合格");
    let table = league(house, &year.scheme, "leagueTable").await;
    assert_eq!(table[1], (2, "雷州市人民政府".into(), "100".into()));
});

story!(a_scheme_that_does_not_add_up_is_refused, |house| {
    let year = Year::new(house).await;
    let plan = &year.world.plan;
    let items = json!([item("A", "60", "EXPERT", None), item("B", "39.99", "EXPERT", None)]);
    let input = scheme_input(plan, 2021, &items);
    let refusal = house.refused(OFFICE, "draftAssessmentScheme", input, "RULE_VIOLATION").await;
    assert_eq!(refusal["rule"], "weights-add-to-100");
    let items = json!([item("A", "100", "INDICATOR", None)]);
    let input = scheme_input(plan, 2021, &items);
    let refusal = house.refused(OFFICE, "draftAssessmentScheme", input, "INVALID_INPUT").await;
    assert_eq!(refusal["field"], "items[0].indicatorId");
    // A unit is assessed once a year, and nobody else sees how.
    let ids = year.open(house, &year.scheme).await;
    let query = format!(
        "mutation($input: OpenAssessments!) {{ openAssessments(input: $input) {{ {ERRORS} position }} }}"
    );
    let input = json!({ "input": { "schemeId": year.scheme, "unitIds": [year.lianjiang] } });
    let again = house.ok(OFFICE, &query, input).await["openAssessments"].take();
    assert_eq!((&again["errors"][0]["code"], &again["position"]), (&json!("ALREADY_EXISTS"), &Value::Null));
    let input = json!({ "input": { "schemeId": year.scheme, "unitIds": [] } });
    let none = house.ok(OFFICE, &query, input).await["openAssessments"].take();
    assert_eq!(none["errors"][0]["field"], "unitIds");
    let query = "query($id: ID!) { assessment(id: $id) { id } assessments { totalCount } }";
    let data = house.ok(ANONYMOUS, query, json!({ "id": ids[0] })).await;
    assert_eq!(data, json!({ "assessment": null, "assessments": { "totalCount": 0 } }));
    // Experts must have been asked, and only for what is theirs.
    let query = format!(
        "mutation($input: ScoreAssessmentInput!) {{ scoreAssessment(input: $input) {{ {ERRORS} }} }}"
    );
    for (scores, field) in [
        (json!([]), "expertScores"),
        (json!([{ "item": "RATE", "percent": "1" }]), "expertScores[0].item"),
        (json!([{ "item": "EXPERT", "percent": "101" }]), "expertScores[0].percent"),
    ] {
        let input = json!({ "input": { "id": ids[0], "expertScores": scores } });
        let payload = house.ok(OFFICE, &query, input).await["scoreAssessment"].take();
        assert_eq!(payload["errors"][0]["field"], field);
    }
});

story!(the_workbench_shows_what_waits_for_whom, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let [first, second] = year.open(house, &year.scheme).await;
    let input = json!({ "id": first, "summary": "自评情况", "evidence": evidence(),
        "scores": [{ "item": "RATE", "points": "39" }] });
    house.done(&year.spokesman(), "submitSelfAssessment", input).await;
    let workbench = async || {
        let query = "query($id: ID!) { assessmentScheme(id: $id) { workbench { byStatus { status count }
            sheet { unit { name } total vetoes cells { item points selfPoints lacksData evidenceCount } }
            toDecide { objection } openToObjection { id } toFinalise { id } } } }";
        house.ok(OFFICE, query, json!({ "id": year.scheme })).await["assessmentScheme"]["workbench"].take()
    };
    let opened = workbench().await;
    assert_eq!(opened["byStatus"].as_array().unwrap().len(), 9);
    let rate =
        json!({ "item": "RATE", "points": null, "selfPoints": "39", "lacksData": false, "evidenceCount": 0 });
    assert_eq!((&opened["sheet"][0]["cells"][0], &opened["sheet"][0]["total"]), (&rate, &json!(null)));
    let accident = json!([{ "code": "ACCIDENT", "reason": "较大事故" }]);
    for (id, vetoes) in [(&first, json!([])), (&second, accident)] {
        assert_eq!(score(house, id, "80", vetoes).await["errors"], json!([]));
        house.done(OFFICE_TOO, "reviewAssessment", json!({ "id": id })).await;
    }
    announce(house, &year.scheme).await;
    let announced = workbench().await;
    assert_eq!(announced["openToObjection"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&announced["sheet"][1]["vetoes"], &announced["sheet"][1]["unit"]["name"]),
        (&json!(["ACCIDENT"]), &json!("雷州市人民政府"))
    );
    let cell = &announced["sheet"][0]["cells"][0];
    assert_eq!((&cell["points"], &cell["evidenceCount"]), (&json!("39.2"), &json!(1)));
    house
        .done(&year.spokesman(), "objectToAssessment", json!({ "id": first, "reason": "抽检数据有误" }))
        .await;
    wait_until(house, "2020-03-01");
    let later = workbench().await;
    assert_eq!(later["toDecide"], json!([{ "objection": "抽检数据有误" }]));
    assert_eq!((&later["toFinalise"], &later["openToObjection"]), (&json!([{ "id": second }]), &json!([])));
});
