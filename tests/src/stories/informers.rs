//! Informers: anybody tells of a violation, follows it, and stays unknown to all but those whom two persons let know.
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};
use std::sync::Arc;
use zhixing_domain::{
    Clock, Kind, Sealed, TimeReference,
    sealed::Confidential,
    time::{Calendar, TimeLimits},
};
use zhixing_event_store::{Pool, SigningKey};
use zhixing_vault::{MasterSource, Place, Plain, Vault, VaultError};

use crate::{
    database::{Base, Database},
    days,
    house::{ANONYMOUS, ERRORS, House, OFFICE, OFFICE_TOO, story},
    world::{text, unit},
};

const INSPECTOR: &str = "dev:ivy:INSPECTOR";
const NAME: &str = "欧阳明月";
const PHONE: &str = "13800138000";
const ADDRESS: &str = "人民路8号欧阳家";

fn report() -> Value {
    json!({ "category": "COUNTERFEIT", "subject": "销售假冒化肥", "details": "包装相仿，肥效全无",
        "respondent": "某农资店", "occurredOn": "2019-06-10", "regionCode": "440800" })
}
fn named() -> Value {
    let mut input = report();
    input["informer"] = json!({ "name": NAME, "phone": PHONE, "address": ADDRESS });
    input
}

async fn submit(house: &House, token: &str, input: Value) -> Value {
    let query = format!(
        "mutation($input: SubmitViolationReport!) {{ submitViolationReport(input: $input) {{
            number secret decisionDueOn position {ERRORS} }} }}"
    );
    house.ok(token, &query, json!({ "input": input })).await["submitViolationReport"].take()
}

async fn open(house: &House, token: &str, id: &str, request: i32) -> Value {
    let query = format!(
        "mutation($input: OpenInformerIdentity!) {{ openInformerIdentity(input: $input) {{
            informer {{ name phone address }} position {ERRORS} }} }}"
    );
    let input = json!({ "input": { "id": id, "request": request } });
    house.ok(token, &query, input).await["openInformerIdentity"].take()
}

async fn erase(house: &House, token: &str, id: &str) -> Value {
    let query = format!(
        "mutation($input: EraseInformerIdentity!) {{ eraseInformerIdentity(input: $input) {{
            violationReport {{ informerIdentity hasInformerName hasInformerPhone hasInformerAddress }}
            events {{ type }} position {ERRORS} }} }}"
    );
    let input = json!({ "input": { "id": id, "reason": "举报人要求" } });
    house.ok(token, &query, input).await["eraseInformerIdentity"].take()
}

/// As the informer sees it, without signing in.
async fn track(house: &House, submitted: &Value) -> Value {
    let query =
        "query($number: String!, $secret: String!) { trackViolationReport(number: $number, secret: $secret) {
        number status receivedOn decisionDueOn decidedOn transferredOn handledOn closedOn informerIdentity
        informerIdentityOpenings { request openedAt unit { name } } } }";
    let variables = json!({ "number": submitted["number"], "secret": submitted["secret"] });
    house.ok(ANONYMOUS, query, variables).await["trackViolationReport"].take()
}

async fn id_of(house: &House, submitted: &Value) -> String {
    let query = "query($number: String!) { violationReports(where: { number: $number }) { nodes { id } } }";
    let data = house.ok(OFFICE, query, json!({ "number": submitted["number"] })).await;
    text(&data["violationReports"]["nodes"][0]["id"])
}

/// A request of the inspector that the office approved.
async fn approved(house: &House, id: &str) {
    let ask = json!({ "id": id, "reason": "核实线索" });
    house.done(INSPECTOR, "requestInformerIdentity", ask).await;
    house.done(OFFICE, "approveInformerIdentity", json!({ "id": id, "request": 1 })).await;
}

/// Everything that the database of the log holds, as text.
async fn everything(database: &Database) -> String {
    const POSTGRES: &str = "select table_name from information_schema.tables \
         where table_schema = current_schema() and table_type = 'BASE TABLE' order by 1";
    let pool = Pool::open(&database.url()).await.unwrap();
    let mut all = String::new();
    match &pool {
        Pool::Postgres(db) => {
            let tables: Vec<String> = sqlx::query_scalar(POSTGRES).fetch_all(db).await.unwrap();
            assert!(tables.iter().any(|table| table == "violation_reports"));
            for table in tables {
                let sql = format!("select t::text as line from \"{table}\" t");
                for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(db).await.unwrap() {
                    all.push_str(&row.get::<String, _>("line"));
                }
            }
        }
        Pool::Sqlite { .. } => {
            let Database::Sqlite(directory) = database else { unreachable!("it is a file") };
            for file in std::fs::read_dir(directory.path()).unwrap() {
                all.push_str(&String::from_utf8_lossy(&std::fs::read(file.unwrap().path()).unwrap()));
            }
        }
    }
    pool.close().await;
    all
}

fn is_unknown(whole: &str, of: &str) {
    for secret in [NAME, PHONE, ADDRESS] {
        assert!(!whole.contains(secret), "{secret} stands in {of}");
        // As JSON may spell it, and as PostgreSQL shows bytes.
        let escaped = secret.encode_utf16().fold(String::new(), |all, unit| format!("{all}\\u{unit:04x}"));
        let bytes = secret.bytes().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
        assert!(!whole.contains(&escaped) && !whole.contains(&bytes), "{secret} stands in {of}");
    }
}

story!(anybody_tells_of_a_violation_and_follows_it, |house| {
    let bureau = unit(house, "市市场监管局", "440800").await;
    let submitted = submit(house, ANONYMOUS, report()).await;
    assert_eq!(submitted["errors"], json!([]));
    assert!(text(&submitted["number"]).starts_with("JB20190615-"), "{submitted}");
    assert_eq!(
        (submitted["decisionDueOn"].as_str(), text(&submitted["secret"]).len()),
        (Some("2019-07-05"), 32)
    );
    let seen = track(house, &submitted).await;
    assert_eq!((&seen["status"], &seen["informerIdentity"]), (&json!("RECEIVED"), &json!("ANONYMOUS")));
    assert_eq!(seen["receivedOn"], "2019-06-15");
    // Neither half alone shows anything.
    for (number, secret) in [(&submitted["number"], json!("0")), (&json!("JB"), submitted["secret"].clone())]
    {
        assert_eq!(track(house, &json!({ "number": number, "secret": secret })).await, Value::Null);
    }
    let id = id_of(house, &submitted).await;
    let due = "{ dueItems(where: { kind: [VIOLATION_REPORT] }) { nodes { title dueOn plan { id } subject { id } } } }";
    let due_item =
        json!({ "title": submitted["number"], "dueOn": "2019-07-05", "plan": null, "subject": { "id": id } });
    assert_eq!(house.ok(OFFICE, due, json!({})).await["dueItems"]["nodes"], json!([due_item]));
    house.done(INSPECTOR, "acceptViolationReport", json!({ "id": id })).await;
    assert_eq!(house.ok(OFFICE, due, json!({})).await["dueItems"]["nodes"], json!([]));
    let transfer = json!({ "id": id, "unitId": bureau, "reason": "属市监部门职责" });
    house.done(OFFICE, "transferViolationReport", transfer).await;
    let handler = format!("dev:wei:UNIT_OFFICER:unit={bureau}");
    house.done(&handler, "handleViolationReport", json!({ "id": id, "result": "已立案查处" })).await;
    house.done(OFFICE, "closeViolationReport", json!({ "id": id })).await;
    let seen = track(house, &submitted).await;
    assert_eq!(seen["status"], "CLOSED");
    for day in ["decidedOn", "transferredOn", "handledOn", "closedOn"] {
        assert_eq!(seen[day], "2019-06-15", "{day}");
    }
    // What the public may not see of it.
    let query = "query($id: ID!) { violationReport(id: $id) { id } violationReports { totalCount } node(id: $id) { id } }";
    for token in [ANONYMOUS, "dev:acme:ENTERPRISE", "dev:oz:LEADING_GROUP_OFFICE:region=620000"] {
        let data = house.ok(token, query, json!({ "id": id })).await;
        assert_eq!((&data["violationReport"], &data["node"]), (&Value::Null, &Value::Null), "{token}");
        assert_eq!(data["violationReports"]["totalCount"], 0, "{token}");
    }
    // The unit that has it sees it wherever it lies.
    let far = format!("dev:wei:UNIT_OFFICER:unit={bureau}:region=620000");
    assert_eq!(house.ok(&far, query, json!({ "id": id })).await["violationReport"]["id"], id.as_str());
});

story!(bad_reports_are_refused_by_field_and_never_quoted, |house| {
    let with = |field: &str, value: Value| {
        let mut input = named();
        match field.strip_prefix("informer.") {
            Some(field) => input["informer"][field] = value,
            None => input[field] = value,
        }
        input
    };
    let head = house.head();
    let long = format!("{NAME}{}", "长".repeat(100));
    for (field, value) in [
        ("subject", json!(" ")),
        ("details", json!("长".repeat(5_001))),
        ("occurredOn", json!("2019-06-16")),
        ("channel", json!("LETTER")),
        ("informer.name", json!(long)),
        ("informer.phone", json!("1".repeat(101))),
        ("informer.address", json!("\u{200b}")),
        ("informer", json!({})),
    ] {
        let refused = submit(house, ANONYMOUS, with(field, value)).await;
        assert_eq!(
            (&refused["errors"][0]["code"], &refused["errors"][0]["field"]),
            (&json!("INVALID_INPUT"), &json!(field))
        );
        assert_eq!((&refused["number"], &refused["secret"]), (&Value::Null, &Value::Null));
        is_unknown(&refused.to_string(), field);
    }
    // Refused by the guard, before any resolver.
    for (field, value) in [
        ("informer.name", json!([NAME, { "x": PHONE }])),
        ("informer.phone", json!(format!("{PHONE}\u{7}"))),
        ("regionCode", json!("999999")),
    ] {
        let query =
            "mutation($input: SubmitViolationReport!) { submitViolationReport(input: $input) { number } }";
        let answer = house.ask(ANONYMOUS, query, json!({ "input": with(field, value) })).await;
        assert!(answer.body["errors"][0]["message"].is_string(), "{}", answer.text);
        is_unknown(&answer.text, "a refusal by the guard");
    }
    assert_eq!(house.head(), head, "a refused report left a trace");
});

story!(who_the_informer_is_is_shown_to_one_after_another_approved, |house| {
    let bureau = unit(house, "市市场监管局", "440800").await;
    let submitted = submit(house, ANONYMOUS, named()).await;
    let id = id_of(house, &submitted).await;
    let shown = "query($id: ID!) { violationReport(id: $id) { informerIdentity hasInformerName hasInformerPhone
        hasInformerAddress informerIdentityRequests { number reason approvedAt } history { nodes { type data } } } }";
    let data = house.ok(OFFICE, shown, json!({ "id": id })).await;
    assert_eq!(
        (&data["violationReport"]["informerIdentity"], &data["violationReport"]["hasInformerName"]),
        (&json!("SEALED"), &json!(true))
    );
    is_unknown(&data.to_string(), "the answer to an official");

    let inspector = format!("{INSPECTOR}:unit={bureau}");
    let refusal = |payload: Value, rule: &str| {
        assert_eq!(
            (&payload["errors"][0]["rule"], &payload["informer"]),
            (&json!(rule), &Value::Null),
            "{payload}"
        );
    };
    let ask = json!({ "id": id, "reason": "核实线索" });
    house
        .refused(
            &format!("dev:wei:UNIT_OFFICER:unit={bureau}"),
            "requestInformerIdentity",
            ask.clone(),
            "NOT_PERMITTED",
        )
        .await;
    house.done(&inspector, "requestInformerIdentity", ask).await;
    refusal(open(house, &inspector, &id, 1).await, "approved-by-another");
    let approve = json!({ "id": id, "request": 1 });
    house.refused(&inspector, "approveInformerIdentity", approve.clone(), "RULE_VIOLATION").await;
    house.done(OFFICE, "approveInformerIdentity", approve).await;
    refusal(open(house, OFFICE, &id, 1).await, "opened-by-who-asked");
    assert_eq!(
        open(house, "dev:oz:INSPECTOR:region=620000", &id, 1).await["errors"][0]["code"],
        "NOT_PERMITTED"
    );
    assert_eq!(track(house, &submitted).await["informerIdentityOpenings"], json!([]));
    // Each time it is shown, it is an event.
    for times in 1..=2 {
        let opened = open(house, &inspector, &id, 1).await;
        assert_eq!(opened["informer"], json!({ "name": NAME, "phone": PHONE, "address": ADDRESS }));
        assert_eq!(opened["position"], house.head());
        let openings = track(house, &submitted).await["informerIdentityOpenings"].take();
        assert_eq!(openings.as_array().unwrap().len(), times);
        assert_eq!(openings[0]["unit"]["name"], "市市场监管局");
        assert!(!openings.to_string().contains("ivy"), "by which unit, not by whom");
    }
    house.clock.pass(chrono::Duration::hours(25));
    refusal(open(house, &inspector, &id, 1).await, "the-approval-has-lapsed");

    let last = house.store.pool().read_log(house.head() - 1, 1).await.unwrap().pop().unwrap();
    assert_eq!(last.r#type, "ViolationReportIdentityOpened");
    let data: Value = serde_json::from_str(&last.data).unwrap();
    assert_eq!(
        (&data["approvedBy"], &data["reason"], last.actor.as_str()),
        (&json!("ann"), &json!("核实线索"), "ivy")
    );
    is_unknown(&everything(&house.database).await, "the database of the log");
});

story!(what_was_erased_is_shown_to_nobody_and_the_log_stays_whole, |house| {
    let submitted = submit(house, ANONYMOUS, named()).await;
    let id = id_of(house, &submitted).await;
    approved(house, &id).await;
    assert_eq!(open(house, INSPECTOR, &id, 1).await["informer"]["name"], NAME);
    let key = SigningKey::from_bytes(&[7; 32]);
    house.store.pool().sign_head(&key, house.clock.look(), false).await.unwrap().unwrap();
    assert_eq!(erase(house, INSPECTOR, &id).await["errors"][0]["code"], "NOT_PERMITTED");
    let erased = erase(house, OFFICE, &id).await;
    assert_eq!(erased["errors"], json!([]));
    let gone = json!({ "informerIdentity": "ERASED", "hasInformerName": false, "hasInformerPhone": false, "hasInformerAddress": false });
    assert_eq!(erased["violationReport"], gone);
    let types: Vec<&str> =
        erased["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ViolationReportIdentityErasureOrdered", "ViolationReportIdentityErased"]);
    // Once more is nothing new.
    assert_eq!(erase(house, OFFICE, &id).await["events"], json!([]));
    let refused = open(house, INSPECTOR, &id, 1).await;
    assert_eq!(
        (&refused["errors"][0]["rule"], &refused["informer"]),
        (&json!("the-identity-is-erased"), &Value::Null)
    );
    assert_eq!(track(house, &submitted).await["informerIdentity"], "ERASED");
    // A row of before, folded from the log, cannot be opened either: the key is gone.
    let first = house.store.pool().read_log(0, 100).await.unwrap();
    let first = first.iter().find(|event| event.r#type == "ViolationReportReceived").unwrap();
    let data: Value = serde_json::from_str(&first.data).unwrap();
    let sealed: Sealed<Name> = text(&data["informer"]["name"]).parse().unwrap();
    assert!(matches!(house.vault.key(sealed.key()).await, Err(VaultError::Destroyed(_))));
    house.store.pool().verify(&[key.public()], &[], |_| ()).await.unwrap();
    let proof = house.store.pool().prove(first.position, |_| ()).await.unwrap();
    proof.check(&[key.public()]).unwrap();
});

story!(an_erasure_that_was_cut_off_is_finished_by_the_scheduler, |house| {
    let submitted = submit(house, ANONYMOUS, named()).await;
    let id = id_of(house, &submitted).await;
    // The order alone, as it is when the process ends behind it.
    let order = zhixing_event_store::Order {
        viewer: zhixing_domain::Viewer::system(),
        command: zhixing_domain::complaints::violation_report::EraseInformerIdentity {
            id: id.parse().unwrap(),
            reason: "举报人要求".into(),
        }
        .into(),
        command_id: None,
        expected_version: None,
        dry_run: false,
    };
    house.store.execute::<zhixing_api::graphql::violation_report::ViolationReport>(order).await.unwrap();
    assert_eq!(track(house, &submitted).await["informerIdentity"], "ERASURE_ORDERED");
    let scheduler = days::scheduler(&house.store).with_vault(Some(house.vault.clone()));
    assert_eq!(days::round_on(house, &scheduler, "2019-06-16").await.erased, 1);
    assert_eq!(track(house, &submitted).await["informerIdentity"], "ERASED");
    assert_eq!(days::round_on(house, &scheduler, "2019-06-17").await.erased, 0);
});

story!(a_sealed_text_moved_to_another_row_opens_nothing, |house| {
    let (one, other) = (submit(house, ANONYMOUS, named()).await, submit(house, ANONYMOUS, named()).await);
    let [one, other] = [id_of(house, &one).await, id_of(house, &other).await];
    for id in [&one, &other] {
        approved(house, id).await;
    }
    // By hand, in the views and in the log: key, texts and all.
    let events = house.store.pool().read_log(0, 100).await.unwrap();
    let received: Vec<_> = events.iter().filter(|event| event.r#type == "ViolationReportReceived").collect();
    let pool = Pool::open(&house.database.url()).await.unwrap();
    let moved = "update events set data = $1 where position = $2";
    match &pool {
        Pool::Postgres(db) => {
            sqlx::query(moved).bind(&received[0].data).bind(received[1].position).execute(db).await.map(drop)
        }
        Pool::Sqlite { writer, .. } => sqlx::query(moved)
            .bind(&received[0].data)
            .bind(received[1].position)
            .execute(writer)
            .await
            .map(drop),
    }
    .unwrap();
    pool.close().await;
    house.restart().await;
    let query = "mutation($input: OpenInformerIdentity!) { openInformerIdentity(input: $input) { informer { name } } }";
    let answer = house.ask(INSPECTOR, query, json!({ "input": { "id": other, "request": 1 } })).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "KEY_STORE_UNAVAILABLE", "{}", answer.text);
    is_unknown(&answer.text, "a fault");
    assert_eq!(open(house, INSPECTOR, &one, 1).await["informer"]["name"], NAME);
});

story!(identities_stay_readable_through_a_restart_and_a_rotation, |house| {
    let submitted = submit(house, OFFICE_TOO, named()).await;
    let id = id_of(house, &submitted).await;
    approved(house, &id).await;
    assert!(house.vault.rotate_master().await.unwrap() > 0);
    assert_eq!(open(house, INSPECTOR, &id, 1).await["informer"]["phone"], PHONE);
    house.restart().await;
    assert_eq!(open(house, INSPECTOR, &id, 1).await["informer"]["phone"], PHONE);
});

struct Name;
impl Confidential for Name {
    const FIELD: &'static str = "informer.name";
}

/// The key store on either database, without the service.
async fn keys_are_kept(base: Base) {
    let (database, directory) = (Database::new(base).await, tempfile::tempdir().unwrap());
    let master = MasterSource::File(directory.path().join("master.key"));
    let clock: Arc<dyn Clock> = Arc::new(crate::clock::clock());
    let open = async || Vault::open_at(&database.url(), master.clone(), clock.clone()).await.unwrap();
    let vault = open().await;
    let key = vault.new_key(Kind::ViolationReport).await.unwrap();
    let place = Place { kind: Kind::ViolationReport, id: key.id() };
    let sealed: Sealed<Name> = key.seal(place, &Plain::new(NAME.into())).unwrap();
    let running = open().await;
    assert!(vault.rotate_master().await.unwrap() > 0);
    for vault in [&vault, &running] {
        let key = vault.key(sealed.key()).await.unwrap();
        assert_eq!(key.open(place, &sealed).unwrap().reveal(), NAME);
        assert!(vault.new_key(Kind::Task).await.is_ok(), "also by one that knew the old master key");
    }
    vault.destroy(sealed.key()).await.unwrap();
    assert!(matches!(running.key(sealed.key()).await, Err(VaultError::Destroyed(_))));
    vault.close().await;
    running.close().await;
    database.remove().await;
}

#[tokio::test]
async fn keys_are_kept_on_sqlite() {
    keys_are_kept(Base::Sqlite).await;
}
#[tokio::test]
async fn keys_are_kept_on_postgres() {
    keys_are_kept(Base::Postgres).await;
}

story!(a_report_is_taken_also_when_no_day_for_the_decision_can_be_counted, |house| {
    let time = TimeReference::embedded();
    for time in [
        TimeReference { limits: TimeLimits::default(), ..time.clone() },
        TimeReference { calendar: Calendar::default(), ..time },
    ] {
        house.restart_with(time).await;
        let submitted = submit(house, ANONYMOUS, report()).await;
        assert!(submitted["decisionDueOn"].is_null() && submitted["errors"] == json!([]), "{submitted}");
        let query = "query($id: ID!) { violationReport(id: $id) {
            status decisionDueOn decisionLimit { code } decisionCalendars { year } isOverdue } }";
        let data = house.ok(OFFICE, query, json!({ "id": id_of(house, &submitted).await })).await;
        let expected = json!({ "status": "RECEIVED", "decisionDueOn": null, "decisionLimit": null,
            "decisionCalendars": [], "isOverdue": false });
        assert_eq!(data["violationReport"], expected);
    }
});

story!(a_report_that_nobody_decides_on_is_announced_once_for_its_day, |house| {
    let (waits, decided) =
        (submit(house, ANONYMOUS, report()).await, submit(house, ANONYMOUS, report()).await);
    assert_eq!(waits["decisionDueOn"], "2019-07-05");
    let (waits, decided) = (id_of(house, &waits).await, id_of(house, &decided).await);
    let scheduler = days::scheduler(&house.store);
    // Friday 5 July 2019: Wednesday 3 to Friday 5 are three working days.
    for (day, expected) in [("2019-07-01", (0, 0)), ("2019-07-02", (2, 0)), ("2019-07-02", (0, 0))] {
        let round = days::round_on(house, &scheduler, day).await;
        assert_eq!((round.due_soon, round.overdue), expected, "{day}");
    }
    house.done(INSPECTOR, "acceptViolationReport", json!({ "id": decided })).await;
    for (day, expected) in
        [("2019-07-05", (0, 0)), ("2019-07-08", (0, 1)), ("2019-07-08", (0, 0)), ("2019-07-30", (0, 0))]
    {
        let round = days::round_on(house, &scheduler, day).await;
        assert_eq!((round.due_soon, round.overdue), expected, "{day}");
    }
    let query = "query($id: ID!) { violationReport(id: $id) { isOverdue history { nodes { type data happenedAt authenticationMethod } } } }";
    let told = async |id: &str| -> Vec<(String, String, String)> {
        let data = house.ok(OFFICE, query, json!({ "id": id })).await;
        let events = data["violationReport"]["history"]["nodes"].as_array().unwrap().clone();
        let announced = events.iter().filter(|event| event["authenticationMethod"] == "SYSTEM");
        announced
            .map(|event| (text(&event["type"]), text(&event["data"]["dueOn"]), text(&event["happenedAt"])))
            .collect()
    };
    let expected = [
        ("ViolationReportDueSoon", "2019-07-05", "2019-07-01T16:00:00"),
        ("ViolationReportBecameOverdue", "2019-07-05", "2019-07-05T16:00:00"),
    ];
    let announced = told(&waits).await;
    assert_eq!(announced.len(), expected.len(), "{announced:?}");
    for ((event, due_on, at), expected) in announced.iter().zip(expected) {
        assert_eq!((event.as_str(), due_on.as_str(), &at[..19]), expected);
    }
    assert_eq!(told(&decided).await.len(), 1, "decided in time");
    // It is no business of the public, and nobody but the clock says it.
    let due =
        "{ dueItems(where: { kind: [VIOLATION_REPORT], isOverdue: true }) { nodes { id daysOverdue } } }";
    let known = json!([{ "id": waits, "daysOverdue": 25 }]);
    assert_eq!(house.ok(OFFICE, due, json!({})).await["dueItems"]["nodes"], known);
    assert_eq!(house.ok(ANONYMOUS, due, json!({})).await["dueItems"]["nodes"], json!([]));
});
