//! What stories begin with: the five plans, or a small plan with one task.
use serde_json::{Value, json};

use crate::house::{ERRORS, House, OFFICE};

/// A plan file of the repository.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanFile {
    pub(crate) code: &'static str,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

macro_rules! plan_file {
    ($code:literal, $name:literal) => {
        PlanFile { code: $code, name: $name, text: include_str!(concat!("../../reference/plans/", $name)) }
    };
}

/// The five plans that come with the project.
pub(crate) const PLANS: [PlanFile; 5] = [
    plan_file!("HN-2009-QUALITY", "hunan-2009-measures.json"),
    plan_file!("GS-2011-QUALITY", "gansu-2011-quality-revitalisation.json"),
    plan_file!("HN-2017-CONSUMER-GOODS", "hunan-2017-consumer-goods.json"),
    plan_file!("HN-2018-KEYPOINTS", "hunan-2018-key-points.json"),
    plan_file!("ZJ-2019-QUALITY-UPGRADE", "zhanjiang-2019-quality-upgrade.json"),
];
pub(crate) const HUNAN_2009: PlanFile = PLANS[0];
pub(crate) const ZHANJIANG: PlanFile = PLANS[4];

/// Imports a file; the answer is the payload.
pub(crate) async fn import(house: &House, token: &str, input: Value, how: Value) -> Value {
    let query = format!(
        "mutation($input: ImportData!, $commandId: String, $dryRun: Boolean! = false) {{
            importData(input: $input, commandId: $commandId, dryRun: $dryRun) {{ position importedBefore {ERRORS}
                plan {{ id code status }}
                report {{ source format encoding sha256 rowsRead accepted unchanged
                    repaired {{ row field found reading }} rejected {{ row field reason }} }} }} }}"
    );
    let mut variables = how;
    variables["input"] = input;
    house.ok(token, &query, variables).await["importData"].take()
}

impl PlanFile {
    /// Imports the file as the office; the payload.
    pub(crate) async fn import(self, house: &House) -> Value {
        import(house, OFFICE, json!({ "source": self.name, "text": self.text }), json!({})).await
    }
    /// The file as JSON.
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(self.text).unwrap()
    }
    /// Entries of one of its lists.
    pub(crate) fn count(self, list: &str) -> usize {
        self.json()[list].as_array().unwrap().len()
    }
}

/// Imports all five plans.
pub(crate) async fn import_all(house: &House) {
    for plan in PLANS {
        let payload = plan.import(house).await;
        assert_eq!(payload["errors"], json!([]), "{}: {payload}", plan.name);
    }
}

/// The id of the plan with this code.
pub(crate) async fn plan_id(house: &House, code: &str) -> String {
    let query = "query($code: String) { plans(where: { code: $code }) { nodes { id } } }";
    let data = house.ok(OFFICE, query, json!({ "code": code })).await;
    text(&data["plans"]["nodes"][0]["id"])
}

/// A JSON string as text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string")).to_owned()
}

/// A small plan in force in Zhanjiang (440800), with two units and one task that is assigned to them.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) plan: String,
    pub(crate) lead: String,
    pub(crate) support: String,
    pub(crate) task: String,
}

pub(crate) const REGION: &str = "440800";

impl World {
    pub(crate) async fn new(house: &House) -> Self {
        let lead = unit(house, "市市场监管局", REGION).await;
        let support = unit(house, "市农业农村局", REGION).await;
        let plan = draft(house, "ZJ-SMALL").await;
        house.done(OFFICE, "issuePlan", json!({ "id": plan, "issuedOn": "2019-01-02" })).await;
        let force = json!({ "id": plan, "effectiveFrom": "2019-01-02" });
        house.done(OFFICE, "bringPlanIntoForce", force).await;
        let task = task(house, &plan, "1").await;
        let world = Self { plan, lead, support, task };
        world.assign(house, &world.task).await;
        world
    }

    /// Assigns a task to the two units.
    pub(crate) async fn assign(&self, house: &House, task: &str) {
        let input = json!({ "id": task, "responsibility": self.responsibility() });
        house.done(OFFICE, "assignTaskUnits", input).await;
    }

    pub(crate) fn responsibility(&self) -> Value {
        json!({ "leadUnitIds": [self.lead], "supportingUnitIds": [self.support] })
    }

    /// The token of an officer of the lead unit.
    pub(crate) fn leader(&self) -> String {
        format!("dev:wei:UNIT_OFFICER:unit={}", self.lead)
    }
    /// The token of an officer of the supporting unit.
    pub(crate) fn supporter(&self) -> String {
        format!("dev:li:UNIT_OFFICER:unit={}", self.support)
    }
}

/// Registers a department.
pub(crate) async fn unit(house: &House, name: &str, region: &str) -> String {
    let input = json!({ "name": name, "kind": "DEPARTMENT", "regionCode": region });
    text(&house.done(OFFICE, "registerUnit", input).await["id"])
}

/// Drafts a plan of Zhanjiang for 2019 and 2020.
pub(crate) async fn draft(house: &House, code: &str) -> String {
    let input = json!({ "code": code, "regionCode": REGION, "content": plan_content() });
    text(&house.done(OFFICE, "draftPlan", input).await["id"])
}

pub(crate) fn plan_content() -> Value {
    json!({
        "title": "质量提升行动", "issuer": "湛江市人民政府",
        "periodStart": "2019-01-01", "periodEnd": "2020-12-31",
        "phases": [{ "name": "启动阶段", "from": "2019-01-01", "to": "2019-03-31" }],
    })
}

/// Registers a task.
pub(crate) async fn task(house: &House, plan: &str, number: &str) -> String {
    text(&house.done(OFFICE, "registerTask", task_input(plan, number)).await["id"])
}

pub(crate) fn task_input(plan: &str, number: &str) -> Value {
    json!({ "planId": plan, "number": number, "content": task_content("全面加强质量监管"), "assignment": "EXPLICIT" })
}

pub(crate) fn task_content(title: &str) -> Value {
    json!({ "kind": "TASK", "title": title, "summary": "加强事中事后监管", "dueOn": "2019-12-31" })
}

pub(crate) fn evidence() -> Value {
    json!([{ "title": "检查报告", "reference": "湛市监〔2019〕7号" }])
}

/// Defines an indicator with a target due on the last day of 2019; `with` replaces what is said of it.
pub(crate) async fn indicator(house: &House, plan: &str, code: &str, with: Value) -> String {
    let mut input = json!({
        "planId": plan, "code": code, "name": "抽检合格率", "unit": "个", "measure": "FLOW", "basis": "NUMERIC",
        "regionCode": REGION,
        "target": { "comparator": "AT_LEAST", "value": "0.3", "approximate": false, "dueOn": "2019-12-31" },
    });
    for (name, value) in with.as_object().unwrap() {
        input[name] = value.clone();
    }
    text(&house.done(OFFICE, "defineIndicator", input).await["id"])
}
