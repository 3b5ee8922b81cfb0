//! Events leave for other systems: by the feed, by groups that pull, and by webhooks.
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use zhixing_api::integration::{DeliverySettings, webhooks::Webhooks};
use zhixing_delivery::standard_webhooks::is_signed_by;

use crate::{
    house::{ANONYMOUS, House, OFFICE, story},
    stories::subscriptions::tell,
    world::{World, text},
};

const PATIENCE: Duration = Duration::from_secs(30);
const ADMINISTRATOR: &str = "dev:root:ADMINISTRATOR";

async fn get(house: &House, token: &str, accept: &str, query: &str) -> reqwest::Response {
    let request = house.http().get(house.url(&format!("/events?{query}"))).header("accept", accept);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    request.send().await.unwrap()
}

async fn page(house: &House, token: &str, query: &str) -> Value {
    let response = get(house, token, "application/json", query).await;
    assert_eq!(response.status(), 200, "{query}");
    response.json().await.unwrap()
}

/// Waits until something is so.
async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !so().await {
        assert!(tokio::time::Instant::now() < end, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn sequences(events: &Value) -> Vec<i64> {
    let sequence = |event: &Value| event["sequence"].as_str().unwrap().parse().unwrap();
    events.as_array().unwrap().iter().map(sequence).collect()
}

story!(the_feed_is_read_page_by_page, |house| {
    World::new(house).await;
    let head = house.head();
    let whole = page(house, OFFICE, "after=0").await;
    assert_eq!(sequences(&whole["events"]), (1..=head).collect::<Vec<_>>());
    assert_eq!((&whole["position"], &whole["caughtUp"]), (&json!(head), &json!(true)));
    let first = &whole["events"][0];
    assert_eq!(
        (&first["specversion"], &first["type"]),
        (&json!("1.0"), &json!("cn.zhixing.UnitRegistered.v1"))
    );
    // Small pages, each behind the last.
    let (mut position, mut seen) = (0, Vec::new());
    loop {
        let page = page(house, OFFICE, &format!("after={position}&limit=3")).await;
        seen.extend(sequences(&page["events"]));
        position = page["position"].as_i64().unwrap();
        if page["caughtUp"] == true {
            break;
        }
    }
    assert_eq!(seen, (1..=head).collect::<Vec<_>>());
    // A filter passes over the rest.
    let tasks = page(house, OFFICE, "after=0&kinds=TASK&statusChangesOnly=true").await;
    assert_eq!(tasks["position"], json!(head));
    let types: Vec<&str> =
        tasks["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["cn.zhixing.TaskRegistered.v1", "cn.zhixing.TaskUnitsAssigned.v1"]);
    // Waiting for the next event.
    let url = house.url(&format!("/events?after={head}&wait=20"));
    let waiting = tokio::spawn(house.http().get(url).bearer_auth(OFFICE).send());
    crate::world::unit(house, "市商务局", "440800").await;
    let page: Value = timeout(PATIENCE, waiting).await.unwrap().unwrap().unwrap().json().await.unwrap();
    assert_eq!(sequences(&page["events"]), [head + 1]);
    // As lines.
    let response = get(house, OFFICE, "application/x-ndjson", "after=2").await;
    assert_eq!(response.headers()["zhixing-through"], (head + 1).to_string());
    let lines = response.text().await.unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(sequences(&json!(events)), (3..=head + 1).collect::<Vec<_>>());
});

story!(the_feed_tells_nobody_what_they_may_not_see, |house| {
    let world = World::new(house).await;
    for (token, status) in [(ANONYMOUS, 401), ("dev:bob:PUBLIC", 403), ("nonsense", 401)] {
        let response = get(house, token, "application/json", "after=0").await;
        assert_eq!(response.status(), status, "{token}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
    for (query, field) in
        [("after=x", "after"), ("after=999999", "after"), ("kinds=KING", "kinds"), ("limit=0", "limit")]
    {
        let response = get(house, OFFICE, "application/json", query).await;
        assert_eq!(response.status(), 400, "{query}");
        let problem: Value = response.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["field"]), (&json!("INVALID_INPUT"), &json!(field)));
    }
    assert_eq!(get(house, OFFICE, "text/html", "").await.status(), 406);
    // A system of another province hears of units, which are everybody's, and of what is published.
    let draft = crate::world::draft(house, "ZJ-SECRET").await;
    let elsewhere = "dev:hub:INTEGRATOR:region=620000";
    let events = page(house, elsewhere, "after=0").await;
    let about = |id: &str| events["events"].as_array().unwrap().iter().any(|event| event["subject"] == *id);
    assert!(about(&world.lead) && about(&world.task) && !about(&draft));
    let here = page(house, "dev:hub:INTEGRATOR:region=440000", "after=0").await;
    assert!(here.to_string().contains(&draft));
});

/// Messages of an event stream as (id, event, data).
struct Messages {
    stream: futures_util::stream::BoxStream<'static, reqwest::Result<Bytes>>,
    text: String,
}

impl Messages {
    async fn open(house: &House, token: &str, query: &str, last: Option<&str>) -> Self {
        let url = house.url(&format!("/events?{query}"));
        let mut request = house.http().get(url).bearer_auth(token).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { stream: response.bytes_stream().boxed(), text: String::new() }
    }

    async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let line = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
                    line.unwrap_or_default().to_owned()
                };
                let told = (field("id"), field("event"), serde_json::from_str(&field("data")).unwrap());
                self.text = rest.to_owned();
                return told;
            }
            let chunk = timeout(PATIENCE, self.stream.next()).await.expect("nothing came");
            self.text += std::str::from_utf8(&chunk.expect("it ended").unwrap()).unwrap();
        }
    }
}

story!(the_feed_is_followed_and_taken_up_again, |house| {
    World::new(house).await;
    let head = house.head();
    let mut messages = Messages::open(house, OFFICE, "after=0", None).await;
    for position in 1..=head {
        let (id, event, data) = messages.next().await;
        assert_eq!((id, event.as_str()), (position.to_string(), ""));
        assert_eq!(sequences(&json!([data])), [position]);
    }
    assert_eq!(messages.next().await, (head.to_string(), "caught-up".into(), json!({ "position": head })));
    crate::world::unit(house, "市商务局", "440800").await;
    assert_eq!(messages.next().await.0, (head + 1).to_string());
    drop(messages);
    // What happened meanwhile comes first.
    crate::world::unit(house, "市教育局", "440800").await;
    let last = (head + 1).to_string();
    let mut messages = Messages::open(house, OFFICE, "after=0", Some(&last)).await;
    assert_eq!(messages.next().await.0, (head + 2).to_string());
    assert_eq!(messages.next().await.1, "caught-up");
    // Without a position it begins now.
    let mut messages = Messages::open(house, OFFICE, "kinds=TASK", None).await;
    assert_eq!(
        messages.next().await,
        ((head + 2).to_string(), "caught-up".into(), json!({ "position": head + 2 }))
    );
});

async fn post_json(house: &House, token: &str, path: &str, body: Value) -> (u16, Value) {
    let response = house.http().post(house.url(path)).bearer_auth(token).json(&body).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

story!(a_group_pulls_in_order_and_settles, |house| {
    let world = World::new(house).await;
    let token = format!("dev:hub:INTEGRATOR:unit={}:region=440800", world.lead);
    let input = json!({ "name": "信用平台", "unitId": world.lead, "regionCode": "440800", "after": 0,
        "where": { "kinds": ["TASK"] } });
    let created = tell(house, &token, "createSubscription", "CreateSubscriptionInput", input).await;
    let id = text(&created["eventSubscription"]["id"]);
    let path = |what: &str| format!("/subscriptions/{id}/{what}");
    let (status, claimed) = post_json(house, &token, &path("claim"), json!({ "most": 10 })).await;
    assert_eq!(status, 200, "{claimed}");
    let batch = &claimed["batches"][0];
    assert_eq!((&batch["subject"], claimed["batches"].as_array().unwrap().len()), (&json!(world.task), 1));
    let handed = sequences(&batch["events"]);
    assert_eq!(handed.len(), 2);
    // What happens to the task meanwhile waits for what was claimed.
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let (_, nothing) = post_json(house, &token, &path("claim"), json!({})).await;
    assert_eq!(nothing["batches"], json!([]));
    let undelivered = |after: i64| {
        let query = "query($id: ID!, $after: Position) { node(id: $id) { ... on EventSubscription {
            undelivered(after: $after) { events { type } hasMore } } } }";
        house.ok(ADMINISTRATOR, query, json!({ "id": id, "after": after }))
    };
    let open = undelivered(0).await["node"]["undelivered"]["events"].take();
    assert_eq!(
        open,
        json!([{ "type": "TaskRegistered" }, { "type": "TaskUnitsAssigned" }, { "type": "TaskAccepted" }])
    );
    let went = json!({ "subject": world.task, "token": batch["token"], "upTo": handed[0],
        "retryAfterSeconds": 0, "reason": "second one failed" });
    let (_, settled) = post_json(house, &token, &path("settle"), json!({ "settled": [went] })).await;
    assert_eq!(settled["lost"], json!([]));
    let (_, again) = post_json(house, &token, &path("claim"), json!({})).await;
    let batch = &again["batches"][0];
    let types: Vec<&Value> = batch["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["cn.zhixing.TaskUnitsAssigned.v1", "cn.zhixing.TaskAccepted.v1"]);
    let held = json!({ "held": [{ "subject": world.task, "token": batch["token"] }], "holdSeconds": 300 });
    assert_eq!(post_json(house, &token, &path("hold"), held).await.1["lost"], json!([]));
    let last = *sequences(&batch["events"]).last().unwrap();
    let went = json!({ "subject": world.task, "token": batch["token"], "upTo": last });
    let (_, settled) = post_json(house, &token, &path("settle"), json!({ "settled": [went.clone()] })).await;
    assert_eq!(settled["lost"], json!([]));
    let (_, settled) = post_json(house, &token, &path("settle"), json!({ "settled": [went] })).await;
    assert_eq!(settled["lost"], json!([world.task]), "a token acknowledges once");
    // Others may not, and bad input is named.
    for stranger in ["dev:hub:INTEGRATOR:region=440800", OFFICE, ADMINISTRATOR] {
        assert_eq!(post_json(house, stranger, &path("claim"), json!({})).await.0, 404, "{stranger}");
    }
    let (status, problem) = post_json(house, &token, &path("claim"), json!({ "most": 0 })).await;
    assert_eq!((status, &problem["field"]), (400, &json!("most")));
    assert_eq!(post_json(house, &token, &path("claim"), json!({ "mots": 1 })).await.0, 422);
    // The events of one subject are played again; paused, nothing is handed out and nothing lost.
    let rewind = json!({ "id": id, "after": 0, "subjectId": world.task, "reason": "数据恢复" });
    tell(house, &token, "rewindSubscription", "RewindSubscriptionInput", rewind).await;
    let stop = json!({ "id": id, "reason": "系统维护" });
    tell(house, &token, "pauseSubscription", "PauseSubscription", stop).await;
    assert_eq!(post_json(house, &token, &path("claim"), json!({})).await.0, 409);
    tell(house, &token, "resumeSubscription", "ResumeSubscription", json!({ "id": id })).await;
    let (_, replayed) = post_json(house, &token, &path("claim"), json!({})).await;
    assert_eq!(replayed["batches"][0]["events"].as_array().unwrap().len(), 3);
});

/// What a receiver got, and how it answers.
#[derive(Clone)]
struct Receiver {
    got: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    status: Arc<Mutex<u16>>,
    url: String,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        let receiver = Self { got: Arc::default(), status: Arc::new(Mutex::new(200)), url };
        let router = Router::new().route("/in", post(receive)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }
    fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }
    /// The events, without challenges.
    fn events(&self) -> Vec<Value> {
        let got = self.got.lock().unwrap();
        let events = got.iter().map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap());
        events.filter(|event| event.get("challenge").is_none()).collect()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let told: Value = serde_json::from_slice(&body).unwrap();
    receiver.got.lock().unwrap().push((headers, body));
    let status = StatusCode::from_u16(*receiver.status.lock().unwrap()).unwrap();
    match told.get("challenge") {
        Some(challenge) => (StatusCode::OK, json!({ "challenge": challenge }).to_string()),
        None => (status, "好".into()),
    }
}

/// Lets webhooks be sent as the service does.
fn send_webhooks(house: &House) -> (watch::Sender<bool>, JoinHandle<()>) {
    let settings = DeliverySettings {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        allow_http: true,
        ..DeliverySettings::default()
    };
    let (stop, stopped) = watch::channel(false);
    let webhooks = Webhooks::new(house.store.clone(), house.vault.clone(), &settings).unwrap();
    (stop, webhooks.start(stopped))
}

async fn stop((stop, task): (watch::Sender<bool>, JoinHandle<()>)) {
    stop.send_replace(true);
    timeout(PATIENCE, task).await.expect("it does not stop").unwrap();
}

async fn subscription(house: &House, id: &str) -> Value {
    let query = "query($id: ID!) { node(id: $id) { ... on EventSubscription { status publicKey suspensionCause
        stoppedReason progress { position lag behindCount parkedCount behind { subjectId attempts reason } }
        deliveries(first: 100) { totalCount nodes { eventId position number status answer reason tookMicros subjectId } }
        undelivered { events { position } } } } }";
    house.ok(ADMINISTRATOR, query, json!({ "id": id })).await["node"].take()
}

story!(a_webhook_is_challenged_told_and_suspended, |house| {
    let world = World::new(house).await;
    let receiver = Receiver::start().await;
    let sending = send_webhooks(house);
    let endpoint = json!({ "url": receiver.url });
    let input = json!({ "name": "信用平台", "unitId": world.lead, "regionCode": "440800", "after": 0,
        "endpoint": endpoint });
    let created = tell(house, ADMINISTRATOR, "createSubscription", "CreateSubscriptionInput", input).await;
    let id = text(&created["eventSubscription"]["id"]);
    let key = text(&created["eventSubscription"]["publicKey"]);
    // Everything of its region, in order, signed; of its own kind, which is confidential, only that it happened.
    let active = async || subscription(house, &id).await["status"] == "ACTIVE";
    until("the endpoint is confirmed", active).await;
    let head = house.head();
    let all = async || {
        // What was handed out may still be on its way.
        let progress = subscription(house, &id).await["progress"].take();
        progress["position"].as_i64() >= Some(head) && progress["behindCount"] == 0
    };
    until("all is delivered", all).await;
    let events = receiver.events();
    let mut positions = sequences(&json!(events));
    positions.sort_unstable();
    assert_eq!(positions, (1..=head).collect::<Vec<_>>());
    for (headers, body) in receiver.got.lock().unwrap().iter() {
        let header = |name: &str| headers[name].to_str().unwrap();
        let timestamp = header("webhook-timestamp").parse().unwrap();
        assert!(is_signed_by(&key, header("webhook-id"), timestamp, body, header("webhook-signature")));
    }
    let own = events.iter().find(|event| event["type"] == "cn.zhixing.EventSubscriptionCreated.v1").unwrap();
    assert_eq!((own.get("data"), own["subject"].as_str()), (None, Some(id.as_str())));
    let seen = subscription(house, &id).await;
    assert_eq!((&seen["status"], &seen["progress"]["behindCount"]), (&json!("ACTIVE"), &json!(0)));
    assert_eq!(seen["deliveries"]["totalCount"], json!(events.len()));
    assert_eq!(seen["deliveries"]["nodes"][0]["answer"], "好");
    // It fails: the subject waits with the reason, and can be compared.
    receiver.answer(500);
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    let failed = async || subscription(house, &id).await["progress"]["behind"][0]["attempts"] == 1;
    until("the attempt failed", failed).await;
    let seen = subscription(house, &id).await;
    assert_eq!(seen["progress"]["behind"][0]["subjectId"], json!(world.task));
    assert_eq!(seen["progress"]["behind"][0]["reason"], "it answered 500");
    assert_eq!(seen["undelivered"]["events"], json!([{ "position": house.head() }]));
    assert_eq!(seen["deliveries"]["nodes"][0]["status"], 500);
    // Somebody mends the receiver and asks for it to be tried at once.
    receiver.answer(204);
    tell(house, ADMINISTRATOR, "retryDeliveries", "RetryDeliveries", json!({ "id": id })).await;
    let taken = async || subscription(house, &id).await["progress"]["behindCount"] == 0;
    until("it was taken", taken).await;
    // A new secret signs beside the former one.
    let rotate = json!({ "id": id, "overlapHours": 1 });
    let rotated = tell(house, ADMINISTRATOR, "rotateSigningSecret", "RotateSigningSecretInput", rotate).await;
    let new = text(&rotated["eventSubscription"]["publicKey"]);
    let signed = |(headers, body): &(HeaderMap, Bytes)| {
        let header = |name: &str| headers[name].to_str().unwrap();
        let timestamp = header("webhook-timestamp").parse().unwrap();
        let by =
            |key: &str| is_signed_by(key, header("webhook-id"), timestamp, body, header("webhook-signature"));
        by(&key) && by(&new)
    };
    let both = async || {
        // Whoever was at work may have told the first ones by the former secret alone.
        crate::world::unit(house, &format!("单位{}", house.head()), "440800").await;
        receiver.got.lock().unwrap().iter().any(signed)
    };
    until("both secrets sign", both).await;
    // It says that it is no more.
    receiver.answer(410);
    crate::world::unit(house, "市商务局", "440800").await;
    let suspended = async || subscription(house, &id).await["status"] == "SUSPENDED";
    until("it is suspended", suspended).await;
    assert_eq!(subscription(house, &id).await["suspensionCause"], "ENDPOINT_GONE");
    // Resumed it is challenged again, and nothing was lost.
    receiver.answer(200);
    tell(house, ADMINISTRATOR, "resumeSubscription", "ResumeSubscription", json!({ "id": id })).await;
    let whole = async || subscription(house, &id).await["undelivered"]["events"] == json!([]);
    until("everything is delivered", whole).await;
    // Cancelled, its secret is destroyed and its place forgotten.
    let cancel = json!({ "id": id, "reason": "系统下线" });
    tell(house, ADMINISTRATOR, "cancelSubscription", "CancelSubscription", cancel).await;
    let forgotten = async || subscription(house, &id).await["progress"]["position"] == 0;
    until("it is forgotten", forgotten).await;
    stop(sending).await;
});

story!(a_webhook_that_does_not_answer_its_challenge_is_told_nothing, |house| {
    let world = World::new(house).await;
    let sending = send_webhooks(house);
    // Nobody is there, or somebody who did not ask for it.
    let endpoint = json!({ "url": format!("{}/healthz", house.url("")) });
    let input = json!({ "name": "不应答", "unitId": world.lead, "regionCode": "440800", "after": 0,
        "endpoint": endpoint });
    let created = tell(house, ADMINISTRATOR, "createSubscription", "CreateSubscriptionInput", input).await;
    let id = text(&created["eventSubscription"]["id"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let seen = subscription(house, &id).await;
    assert_eq!((&seen["status"], &seen["deliveries"]["totalCount"]), (&json!("UNVERIFIED"), &json!(0)));
    stop(sending).await;
});

story!(a_subscription_ends_with_the_key_that_made_it, |house| {
    let world = World::new(house).await;
    let receiver = Receiver::start().await;
    let sending = send_webhooks(house);
    let query = "mutation($input: IssueServiceKeyInput!) { issueServiceKey(input: $input) { token serviceKey { id } } }";
    let input = json!({ "name": "信用平台", "unitId": world.lead, "roles": ["INTEGRATOR"], "regionCode": "440800",
        "expiresOn": "2019-12-31" });
    let issued = house.ok(ADMINISTRATOR, query, json!({ "input": input })).await["issueServiceKey"].take();
    let (token, key) = (text(&issued["token"]), text(&issued["serviceKey"]["id"]));
    let input = json!({ "name": "信用平台", "unitId": world.lead, "regionCode": "440800", "after": 0,
        "where": { "kinds": ["TASK"] }, "endpoint": { "url": receiver.url } });
    let created = tell(house, &token, "createSubscription", "CreateSubscriptionInput", input).await;
    let id = text(&created["eventSubscription"]["id"]);
    until("both events of the task came", async || receiver.events().len() == 2).await;
    house.done(ADMINISTRATOR, "revokeServiceKey", json!({ "id": key, "reason": "系统停用" })).await;
    until("it is suspended", async || subscription(house, &id).await["status"] == "SUSPENDED").await;
    assert_eq!(subscription(house, &id).await["suspensionCause"], "ACCOUNT_ENDED");
    // Whoever has no account any more is told nothing more.
    house.done(&world.leader(), "acceptTask", json!({ "id": world.task })).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(receiver.events().len(), 2);
    stop(sending).await;
});
