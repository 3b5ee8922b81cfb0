//! Event subscriptions: who may have one, what it is for, and how it is managed.
use serde_json::{Value, json};
use zhixing_api::graphql::event_subscription::EventSubscription;
use zhixing_domain::{
    Id, Role, Sealed, Viewer,
    integration::event_subscription::{
        ChangeFilter, CreateSubscription, EnvelopeForm, MOST_WEBHOOKS, NewEndpoint, SignatureScheme,
        SigningKey,
    },
};

use crate::{
    house::{ANONYMOUS, ERRORS, House, OFFICE, story},
    world::{World, text, unit},
};

const ADMINISTRATOR: &str = "dev:root:ADMINISTRATOR";

fn system(unit: &str) -> String {
    format!("dev:hub:INTEGRATOR:unit={unit}:region=440800")
}

/// A command to a subscription, with what came of it.
pub(super) async fn tell(house: &House, token: &str, mutation: &str, kind: &str, input: Value) -> Value {
    let query = format!(
        "mutation($input: {kind}!) {{ {mutation}(input: $input) {{
            eventSubscription {{ id status name url envelope method publicKey formerPublicKey suspensionCause
                stoppedReason signatureScheme filter {{ kinds types statusChangesOnly }}
                progress {{ position lag behindCount parkedCount }} }}
            signingSecret events {{ type }} position {ERRORS} }} }}"
    );
    house.ok(token, &query, json!({ "input": input })).await[mutation].take()
}

fn refusal(answer: &Value) -> &str {
    assert_eq!(answer["position"], Value::Null, "{answer}");
    answer["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("not refused: {answer}"))
}

story!(a_system_manages_its_own_subscriptions, |house| {
    let hub = unit(house, "市信用中心", "440800").await;
    let other = unit(house, "市商务局", "440800").await;
    let token = system(&hub);
    let input = json!({ "name": "信用平台", "unitId": hub, "regionCode": "440800", "after": 0,
        "where": { "kinds": ["TASK", "PLAN"], "statusChangesOnly": true } });
    let created = tell(house, &token, "createSubscription", "CreateSubscriptionInput", input.clone()).await;
    let subscription = &created["eventSubscription"];
    assert_eq!((&subscription["status"], &subscription["method"]), (&json!("ACTIVE"), &json!("PULL")));
    assert_eq!(
        subscription["filter"],
        json!({ "kinds": ["TASK", "PLAN"], "types": [], "statusChangesOnly": true })
    );
    assert_eq!(subscription["progress"]["position"], 0);
    let id = text(&subscription["id"]);
    // For others it does not exist; nobody has one for a unit or a region that is not theirs.
    let query = "query($id: ID!) { eventSubscription(id: $id) { name } node(id: $id) { id } }";
    for stranger in [ANONYMOUS, OFFICE, &system(&other)] {
        let seen = house.ok(stranger, query, json!({ "id": id })).await;
        assert_eq!(seen, json!({ "eventSubscription": null, "node": null }), "{stranger}");
    }
    for keeper in [ADMINISTRATOR, "dev:eve:AUDITOR"] {
        let seen = house.ok(keeper, query, json!({ "id": id })).await;
        assert_eq!(seen["eventSubscription"]["name"], "信用平台");
    }
    let foreign = json!({ "name": "别家", "unitId": other, "regionCode": "440800" });
    let answer = tell(house, &token, "createSubscription", "CreateSubscriptionInput", foreign).await;
    assert_eq!(refusal(&answer), "INVALID_INPUT");
    let wide = json!({ "name": "全国", "unitId": hub, "regionCode": "100000" });
    let answer = tell(house, &token, "createSubscription", "CreateSubscriptionInput", wide).await;
    assert_eq!(refusal(&answer), "NOT_PERMITTED");
    // Its life.
    let stop = json!({ "id": id, "reason": "系统维护" });
    let paused = tell(house, &token, "pauseSubscription", "PauseSubscription", stop.clone()).await;
    assert_eq!(paused["eventSubscription"]["stoppedReason"], "系统维护");
    let answer = tell(house, &token, "pauseSubscription", "PauseSubscription", stop.clone()).await;
    assert_eq!(refusal(&answer), "NOT_ALLOWED_IN_STATE");
    let resumed = tell(house, &token, "resumeSubscription", "ResumeSubscription", json!({ "id": id })).await;
    assert_eq!(resumed["eventSubscription"]["status"], "ACTIVE");
    assert_eq!(resumed["eventSubscription"]["stoppedReason"], Value::Null);
    let change = json!({ "id": id, "where": { "types": ["TaskAccepted"] }, "envelope": "THIN" });
    let changed = tell(house, &token, "changeSubscription", "ChangeSubscriptionInput", change).await;
    assert_eq!(changed["eventSubscription"]["filter"]["types"], json!(["TaskAccepted"]));
    assert_eq!(changed["eventSubscription"]["envelope"], "THIN");
    let rewind = json!({ "id": id, "time": "2001-01-01T00:00:00Z", "reason": "数据恢复" });
    let rewound = tell(house, &token, "rewindSubscription", "RewindSubscriptionInput", rewind).await;
    assert_eq!(rewound["events"][0]["type"], "EventSubscriptionRewound");
    let cancelled = tell(house, ADMINISTRATOR, "cancelSubscription", "CancelSubscription", stop).await;
    assert_eq!(cancelled["eventSubscription"]["status"], "CANCELLED");
    let answer = tell(house, &token, "retryDeliveries", "RetryDeliveries", json!({ "id": id })).await;
    assert_eq!(refusal(&answer), "NOT_ALLOWED_IN_STATE");
});

story!(a_shared_signing_secret_is_shown_once, |house| {
    let world = World::new(house).await;
    let token = format!("dev:hub:INTEGRATOR:unit={}", world.lead);
    let endpoint = json!({ "url": "https://hub.example.cn/in", "signatureScheme": "HMAC_SHA256" });
    let input =
        json!({ "name": "热线平台", "unitId": world.lead, "regionCode": "440800", "endpoint": endpoint });
    let created =
        tell(house, ADMINISTRATOR, "createSubscription", "CreateSubscriptionInput", input.clone()).await;
    let secret = text(&created["signingSecret"]);
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(created["eventSubscription"]["status"], "UNVERIFIED");
    assert_eq!(created["eventSubscription"]["publicKey"], Value::Null);
    let id = text(&created["eventSubscription"]["id"]);
    // Neither the log nor anybody who reads it has the secret.
    let query = "query($id: ID!) { eventSubscription(id: $id) { history { nodes { data } } } }";
    let history = house.ok(ADMINISTRATOR, query, json!({ "id": id })).await;
    assert!(history.to_string().contains("sealed1."), "{history}");
    assert!(!history.to_string().contains(&secret[6..]), "{history}");
    // A new secret that anybody can check; the former one stays for a while.
    let rotate = json!({ "id": id, "overlapHours": 2 });
    let rotated = tell(house, ADMINISTRATOR, "rotateSigningSecret", "RotateSigningSecretInput", rotate).await;
    assert_eq!(rotated["signingSecret"], Value::Null, "a private key leaves for nobody");
    let public = text(&rotated["eventSubscription"]["publicKey"]);
    assert!(public.starts_with("whpk_"), "{public}");
    let again = json!({ "id": id });
    let rotated = tell(house, ADMINISTRATOR, "rotateSigningSecret", "RotateSigningSecretInput", again).await;
    assert_eq!(rotated["eventSubscription"]["formerPublicKey"], json!(public));
    let at = json!({ "id": id, "url": "http://user:secret@hub.example.cn/" });
    let answer = tell(house, ADMINISTRATOR, "moveEndpoint", "MoveEndpoint", at).await;
    assert_eq!(refusal(&answer), "INVALID_INPUT");
    // An officer of the unit is no system of it.
    let officer = world.leader();
    let stop = json!({ "id": id, "reason": "停用" });
    let answer = tell(house, &officer, "pauseSubscription", "PauseSubscription", stop.clone()).await;
    assert_eq!(refusal(&answer), "NOT_PERMITTED");
    let paused = tell(house, &token, "pauseSubscription", "PauseSubscription", stop).await;
    assert_eq!(paused["eventSubscription"]["status"], "PAUSED");
});

story!(one_webhook_more_than_are_served_is_refused, |house| {
    let hub = unit(house, "市信用中心", "440800").await;
    let unit_id = hub.parse().unwrap();
    let store = house.another_store().await;
    let administrator =
        Viewer { actor: "root".into(), roles: vec![Role::Administrator], ..Viewer::anonymous() };
    let command = |number: i64| CreateSubscription {
        name: format!("平台{number}"),
        unit_id,
        region_code: "440800".parse().unwrap(),
        filter: ChangeFilter::default(),
        after: None,
        head: 0,
        envelope: EnvelopeForm::Thin,
        endpoint: Some(NewEndpoint {
            url: "https://hub.example.cn/in".into(),
            key: SigningKey {
                scheme: SignatureScheme::HmacSha256,
                secret: Sealed::new(uuid::Uuid::from_u128(5), "c2VjcmV0").unwrap(),
                public_key: None,
            },
            others: 0,
        }),
    };
    let mut last = None;
    for some in (1..MOST_WEBHOOKS).collect::<Vec<_>>().chunks(111) {
        let mut work = store.begin(&administrator, None);
        for number in some {
            let id = Id::new(store.clock().new_id());
            work.run::<EventSubscription>(id, None, command(*number)).await.unwrap();
            last = Some(id);
        }
        work.commit(None).await.unwrap();
    }
    let token = system(&hub);
    let webhook = json!({ "name": "又一平台", "unitId": hub, "regionCode": "440800",
        "endpoint": { "url": "https://hub.example.cn/in" } });
    let create = async |input: &Value, command: &str| {
        let query = format!(
            "mutation($input: CreateSubscriptionInput!, $command: String!) {{
                createSubscription(input: $input, commandId: $command) {{
                    eventSubscription {{ id }} position {ERRORS} }} }}"
        );
        house.ok(&token, &query, json!({ "input": input, "command": command })).await["createSubscription"]
            .take()
    };
    let first = create(&webhook, "first").await;
    assert!(first["position"].is_number(), "{first}");
    let refused = create(&webhook, "second").await;
    assert_eq!(refusal(&refused), "RULE_VIOLATION");
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("1000 webhooks"), "{refused}");
    assert_eq!(create(&webhook, "first").await["eventSubscription"], first["eventSubscription"], "a retry");
    // What stands still may go on, so it counts; what is pulled does not, nor what was cancelled.
    let stop = json!({ "id": last.unwrap(), "reason": "停用" });
    tell(house, &token, "pauseSubscription", "PauseSubscription", stop.clone()).await;
    assert_eq!(refusal(&create(&webhook, "third").await), "RULE_VIOLATION");
    let pulled = json!({ "name": "拉取", "unitId": hub, "regionCode": "440800" });
    assert!(create(&pulled, "pulled").await["position"].is_number());
    tell(house, &token, "cancelSubscription", "CancelSubscription", stop).await;
    assert!(create(&webhook, "fourth").await["position"].is_number());
});
