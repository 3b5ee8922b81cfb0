//! Who sees which field of which object, and who may do and follow what: every field, mutation and subscription of the
//! schema, asked by everybody. The answers are kept in `snapshots/`; a field that is new changes them, so that somebody
//! decides about it.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::{Value, json};
use zhixing_domain::{Kind, policy::By};

use crate::{
    follow::Socket,
    house::{ANONYMOUS, House, OFFICE, story},
    stories::assessments::{Year, score},
    world::{HUNAN_2009, draft, evidence, indicator, task, text, unit},
};

/// How deep objects without an id are looked into.
const DEPTH: usize = 2;

/// The types of the schema, as introspection tells them.
struct Types(BTreeMap<String, Value>);

impl Types {
    async fn read(house: &House) -> Self {
        let query = "{ __schema { types { name kind interfaces { name } fields { name
            args { name defaultValue type { kind } }
            type { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";
        let data = house.ok(OFFICE, query, json!({})).await;
        let types = data["__schema"]["types"].as_array().unwrap().iter();
        Self(types.map(|known| (text(&known["name"]), known.clone())).collect())
    }
    fn fields(&self, of: &str) -> &[Value] {
        self.0[of]["fields"].as_array().map_or(&[], Vec::as_slice)
    }
    fn is_node(&self, name: &str) -> bool {
        let interfaces = self.0[name]["interfaces"].as_array();
        name == "Node" || interfaces.is_some_and(|all| all.iter().any(|one| one["name"] == "Node"))
    }
    /// The name and kind of a field's type without lists and exclamation marks.
    fn named(field: &Value) -> (String, String) {
        let mut of = &field["type"];
        while of["name"].is_null() {
            of = &of["ofType"];
        }
        (text(&of["name"]), text(&of["kind"]))
    }
    /// What is asked of a type, and the paths that the answers stand at.
    fn selection(&self, of: &str, depth: usize) -> (String, Vec<Vec<String>>) {
        let (mut asked, mut paths) = (String::new(), Vec::new());
        for field in self.fields(of) {
            let name = text(&field["name"]);
            let needs = |arg: &Value| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null();
            let arguments = match name.as_str() {
                "asOf" if field["args"] != json!([]) => "(version: 1)",
                _ if field["args"].as_array().unwrap().iter().any(needs) => continue,
                _ => "",
            };
            let (inner, kind) = Self::named(field);
            let (selection, inside) = if matches!(kind.as_str(), "SCALAR" | "ENUM") {
                (String::new(), Vec::new())
            } else if self.is_node(&inner) {
                ("{ id }".into(), Vec::new())
            } else if self.fields(&inner).iter().any(|field| field["name"] == "totalCount") {
                ("{ totalCount }".into(), Vec::new())
            } else if depth == 0 || kind != "OBJECT" {
                ("{ __typename }".into(), Vec::new())
            } else {
                let (inner, inside) = self.selection(&inner, depth - 1);
                (format!("{{ __typename {inner} }}"), inside)
            };
            write!(asked, " {name}{arguments} {selection}").unwrap();
            paths.extend(inside.into_iter().map(|rest| [vec![name.clone()], rest].concat()));
            paths.push(vec![name]);
        }
        (asked, paths)
    }
}

/// What stands at a path: `+` something, `0` an empty list, `.` nothing, `!` a refusal.
fn found(answer: &Value, root: &str, path: &[String]) -> char {
    let refused = answer["errors"].as_array().is_some_and(|errors| {
        errors.iter().any(|error| {
            let at: Vec<&str> = error["path"]
                .as_array()
                .map_or(vec![], |path| path.iter().filter_map(Value::as_str).collect());
            let asked: Vec<&str> = if root.is_empty() { vec![] } else { vec![root] }
                .into_iter()
                .chain(path.iter().map(String::as_str))
                .collect();
            !at.is_empty() && asked.starts_with(&at)
        })
    });
    if refused {
        return '!';
    }
    let mut value = if root.is_empty() { &answer["data"] } else { &answer["data"][root] };
    for name in path {
        value = &value[name];
        if let Some(first) = value.as_array().and_then(|list| list.first()) {
            value = first;
        }
    }
    match value {
        Value::Null => '.',
        Value::Array(list) if list.is_empty() => '0',
        Value::Object(object) if object.get("totalCount") == Some(&json!(0)) => '0',
        _ => '+',
    }
}

/// Everybody who asks, with the names of the columns.
struct People(Vec<(&'static str, String)>);

impl People {
    fn of(lead: &str, elsewhere: &str) -> Self {
        let here = |role: &str| format!("dev:p:{role}:region=440800");
        let works = |role: &str, unit: &str| format!("dev:p:{role}:unit={unit}");
        Self(vec![
            ("the office of the country", OFFICE.into()),
            ("the office of the region", here("LEADING_GROUP_OFFICE")),
            ("the office of another region", "dev:p:LEADING_GROUP_OFFICE:region=620000".into()),
            ("an officer of the leading unit", works("UNIT_OFFICER", lead)),
            ("an approver of the leading unit", works("UNIT_APPROVER", lead)),
            ("an officer of another unit", works("UNIT_OFFICER", elsewhere)),
            ("an inspector of the region", here("INSPECTOR")),
            ("an auditor of the region", here("AUDITOR")),
            ("a connected system of the region", here("INTEGRATOR")),
            ("an administrator of the region", here("ADMINISTRATOR")),
            ("an enterprise", works("ENTERPRISE", elsewhere)),
            ("the public", ANONYMOUS.into()),
        ])
    }
    fn legend(&self) -> String {
        let mut legend = String::from(
            "+ is shown, 0 is shown as empty, . is not there for them, ! is refused. Columns:\n",
        );
        for (at, (name, _)) in self.0.iter().enumerate() {
            writeln!(legend, "{}{name}", " ".repeat(at)).unwrap();
        }
        legend
    }
    /// Fields by what everybody gets of them.
    async fn ask(
        &self,
        house: &House,
        root: &str,
        query: &str,
        variables: Value,
        paths: &[Vec<String>],
    ) -> String {
        let mut patterns: BTreeMap<Vec<String>, String> = BTreeMap::new();
        for (_, token) in &self.0 {
            let answer = house.ask(token, query, variables.clone()).await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            assert!(!answer.text.contains("GRAPHQL_VALIDATION_FAILED"), "{query}: {}", answer.text);
            for path in paths {
                patterns.entry(path.clone()).or_default().push(found(&answer.body, root, path));
            }
        }
        let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, pattern) in patterns {
            fields.entry(pattern).or_default().insert(path.join("."));
        }
        let mut told = String::new();
        for (pattern, fields) in fields {
            writeln!(told, "  {pattern}  {}", fields.into_iter().collect::<Vec<_>>().join(" ")).unwrap();
        }
        told
    }
}

/// Objects of every kind in Zhanjiang, published and not; the import lies in Hunan.
pub(super) async fn objects(house: &House, year: &Year) -> Vec<(String, String)> {
    let world = &year.world;
    let mut objects: Vec<(String, String)> = Vec::new();
    let hidden_plan = draft(house, "ZJ-SECRET").await;
    let hidden_task = task(house, &hidden_plan, "1").await;
    world.assign(house, &hidden_task).await;
    let with = json!({ "taskId": hidden_task });
    let hidden_indicator = indicator(house, &hidden_plan, "ZJ-HIDDEN", with).await;
    let [assessment, _] = year.open(house, &year.scheme).await;
    score(house, &assessment, "80", json!([])).await;
    let done = async |action: &str, input: Value| text(&house.done(OFFICE, action, input).await["id"]);
    let mut keep = |name: &str, id: &str| objects.push((name.to_owned(), id.to_owned()));
    keep("Unit", &world.lead);
    keep("Plan, in force", &world.plan);
    keep("Plan, a draft", &hidden_plan);
    keep("Task, of a plan in force", &world.task);
    keep("Task, of a draft", &hidden_task);
    keep("Indicator, of a plan in force", &year.rate);
    keep("Indicator, of a draft", &hidden_indicator);
    keep("AssessmentScheme, issued", &year.scheme);
    keep("Assessment, scored", &assessment);
    let first = async |field: &str| {
        let data = house.ok(OFFICE, &format!("{{ {field} {{ nodes {{ id }} }} }}"), json!({})).await;
        text(&data[field]["nodes"][0]["id"])
    };
    keep("ReportingDuty", &first("reportingDuties").await);
    keep("Report, of a county", &first("reports").await);
    let item = json!({ "planId": world.plan, "number": "督1号", "title": "进展迟缓", "subjectId": world.task,
        "unitIds": [world.lead], "demand": "限期整改", "answerDueOn": "2020-07-10", "basis": "领导批示" });
    keep("SupervisionItem", &done("openSupervisionItem", item).await);
    let local = json!({ "planId": world.plan, "filingUnitId": world.lead, "addresseeId": world.support,
        "what": "具体方案", "dueOn": "2020-07-10" });
    keep("LocalPlan", &done("demandLocalPlan", local).await);
    let survey = json!({ "planId": world.plan, "kind": "STATUS", "title": "企业质量状况调查", "question": "如何？",
        "population": "获证企业", "unitId": world.lead, "method": "MAIL", "period": "2019", "plannedSampleSize": 300,
        "scale": { "lowest": "1", "highest": "5" } });
    keep("Survey, planned", &done("planSurvey", survey).await);
    let group =
        json!({ "name": "质量强市工作领导小组", "regionCode": "440800", "establishedOn": "2017-01-10" });
    keep("LeadingGroup", &done("establishLeadingGroup", group).await);
    let root = "dev:root:ADMINISTRATOR";
    let grant =
        json!({ "actor": "gov:wei", "role": "UNIT_OFFICER", "unitId": world.lead, "regionCode": "440800" });
    keep("RoleGrant", &text(&house.done(root, "grantRole", grant).await["id"]));
    let key = json!({ "name": "信用平台", "unitId": world.lead, "roles": ["INTEGRATOR"], "regionCode": "440800",
        "expiresOn": "2020-07-10" });
    let query =
        "mutation($input: IssueServiceKeyInput!) { issueServiceKey(input: $input) { serviceKey { id } } }";
    let issued = house.ok(root, query, json!({ "input": key })).await;
    keep("ServiceKey", &text(&issued["issueServiceKey"]["serviceKey"]["id"]));
    let subscription = json!({ "name": "信用平台", "unitId": world.lead, "regionCode": "440800",
        "endpoint": { "url": "https://hub.example.cn/changes" } });
    let query = "mutation($input: CreateSubscriptionInput!) { createSubscription(input: $input) { eventSubscription { id } } }";
    let made = house.ok(root, query, json!({ "input": subscription })).await;
    keep("EventSubscription", &text(&made["createSubscription"]["eventSubscription"]["id"]));
    let told = json!({ "subject": "销售假冒化肥", "category": "COUNTERFEIT", "regionCode": "440800", "details": "肥效全无",
        "informer": { "name": "王五" } });
    let query =
        "mutation($input: SubmitViolationReport!) { submitViolationReport(input: $input) { number } }";
    house.ok(ANONYMOUS, query, json!({ "input": told })).await;
    keep("ViolationReport", &first("violationReports").await);
    HUNAN_2009.import(house).await;
    keep("DataImport, of Hunan", &first("dataImports").await);
    let progress = json!({ "id": world.task, "percent": 10, "note": "进展", "evidence": evidence() });
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    house.done(&world.leader(), "reportTaskProgress", progress).await;
    objects
}

story!(everybody_sees_what_was_decided, |house| {
    let year = Year::new(house).await;
    year.lived(house).await;
    let objects = objects(house, &year).await;
    let elsewhere = unit(house, "省质监局", "620000").await;
    let (types, people) = (Types::read(house).await, People::of(&year.world.lead, &elsewhere));
    let mut told = people.legend();
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for (name, id) in &objects {
        let kind = name.split(',').next().unwrap();
        kinds.insert(kind.to_owned());
        let (asked, paths) = types.selection(kind, DEPTH);
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on {kind} {{ {asked} }} }} }}");
        let fields = people.ask(house, "node", &query, json!({ "id": id }), &paths).await;
        writeln!(told, "\n{name}\n{fields}").unwrap();
    }
    let every: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(kinds, every, "a kind without an object in this story");
    // What can be asked without naming anything.
    let (mut patterns, mut left) = (Vec::new(), Vec::new());
    for field in types.fields("Query") {
        let name = text(&field["name"]);
        let (inner, kind) = Types::named(field);
        let needs = |arg: &Value| arg["type"]["kind"] == "NON_NULL" && arg["defaultValue"].is_null();
        if field["args"].as_array().unwrap().iter().any(needs) {
            left.push(name);
            continue;
        }
        let counted = types.fields(&inner).iter().any(|field| field["name"] == "totalCount");
        let selection = match kind.as_str() {
            "SCALAR" | "ENUM" => "",
            _ if counted => "{ totalCount }",
            _ => "{ __typename }",
        };
        let query = format!("{{ {name} {selection} }}");
        patterns.push(people.ask(house, "", &query, json!({}), &[vec![name]]).await);
    }
    patterns.sort();
    writeln!(told, "\nQuery\n{}", patterns.concat()).unwrap();
    writeln!(told, "Query, with arguments\n  {}\n", left.join(" ")).unwrap();
    // Who may follow.
    writeln!(told, "Subscription").unwrap();
    for field in types.fields("Subscription") {
        let name = text(&field["name"]);
        let query = format!("subscription {{ {name}(after: 0) {{ __typename }} }}");
        let mut follows = String::new();
        for (_, token) in &people.0 {
            let mut socket = Socket::open(house, token).await;
            let subscribe = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
            socket.send(subscribe).await;
            follows.push(if socket.receive().await["payload"]["data"].is_object() { '+' } else { '!' });
        }
        writeln!(told, "  {follows}  {name}").unwrap();
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("who_sees_what", told);
    });
});

/// Mutations that are no step of one object, and who takes them: the rule of the steps that they are made of.
const TOGETHER: &[(&str, &str)] = &[
    ("demandLocalPlans", "demandLocalPlan"),
    ("lockReportingPeriod", "lockReport"),
    ("retryParkedEvents", ""),
    ("transferTasks", "transferTaskUnits"),
];

story!(everybody_may_do_what_was_decided, |house| {
    let types = Types::read(house).await;
    let scope = |by: &By| match by {
        By::InRegion(role) => format!("{role} of the region"),
        By::InLeadUnit(role) => format!("{role} of a leading unit"),
        By::InResponsibleUnit(role) => format!("{role} of a leading or supporting unit"),
        By::InAddressee(role) => format!("{role} of a unit that it is handed to"),
    };
    let mut steps: BTreeMap<&str, String> = BTreeMap::new();
    for kind in Kind::ALL {
        for step in kind.lifecycle().steps {
            steps.insert(step.action, step.by.iter().map(scope).collect::<Vec<_>>().join(", "));
        }
    }
    let mut told = String::new();
    for field in types.fields("Mutation") {
        let name = text(&field["name"]);
        let together = TOGETHER.iter().find(|(mutation, _)| *mutation == name);
        let roles = match (steps.get(name.as_str()), together) {
            (Some(by), None) => by.clone(),
            (_, Some((_, ""))) => "ADMINISTRATOR".into(),
            (_, Some((_, step))) => {
                steps.get(step).unwrap_or_else(|| panic!("there is no step {step}")).clone()
            }
            (None, None) => panic!("nobody decided who may do {name}: it is no step; see TOGETHER"),
        };
        writeln!(told, "{name:<34} {roles}").unwrap();
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_snapshot!("who_does_what", told);
    });
});
