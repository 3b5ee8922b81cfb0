//! Who is let in, by whom, and how it ends.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Duration;
use serde_json::{Value, json};

use crate::{
    days::wait_until,
    follow::Socket,
    house::{ANONYMOUS, ERRORS, House, OFFICE, mutation, story},
    provider::{Provider, client},
    world::{World, text, unit},
};

const VIEWER: &str = "{ viewer { actor roles unit { name } region { code } authenticationMethod } }";
/// Somebody who keeps access.
const ADMINISTRATOR: &str = "dev:root:ADMINISTRATOR";

async fn who(house: &House, token: &str) -> Value {
    house.ok(token, VIEWER, json!({})).await["viewer"].take()
}

async fn refused(house: &House, token: &str) -> String {
    let answer = house.ask(token, "{ plans { totalCount } }", json!({})).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    text(&answer.body["errors"][0]["message"])
}

story!(a_token_of_a_provider_lets_in_whom_it_names, |house| {
    let lead = unit(house, "市市场监管局", "440800").await;
    let provider = Provider::start(&[
        client(
            "ann",
            json!({ "sub": "ann", "roles": ["office", "unknown word", "SCHEDULER"], "region": "440000" }),
        ),
        client("wei", json!({ "sub": "wei", "roles": "officer", "unit": lead })),
        client("nobody", json!({ "sub": "new" })),
        client("lost", json!({ "sub": "lost", "roles": "officer", "unit": "x" })),
    ])
    .await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    let ann = provider.token("ann").await;
    let known = json!({ "actor": "gov:ann", "roles": ["LEADING_GROUP_OFFICE"], "unit": null,
        "region": { "code": "440000" }, "authenticationMethod": "IDENTITY_PROVIDER" });
    assert_eq!(who(house, &ann).await, known);
    let wei = provider.token("wei").await;
    let known = json!({ "actor": "gov:wei", "roles": ["UNIT_OFFICER"], "unit": { "name": "市市场监管局" },
        "region": { "code": "440800" }, "authenticationMethod": "IDENTITY_PROVIDER" });
    assert_eq!(who(house, &wei).await, known);
    assert_eq!(who(house, &provider.token("nobody").await).await["roles"], json!(["PUBLIC"]));
    assert_eq!(who(house, ANONYMOUS).await["actor"], "anonymous");
    assert!(refused(house, &provider.token("lost").await).await.contains("its unit is not an id"));
    // What they do bears their name, their unit and how they proved it.
    let input = json!({ "name": "省商务厅", "kind": "DEPARTMENT", "regionCode": "440000" });
    let id = text(&house.done(&ann, "registerUnit", input).await["id"]);
    let query = "query($id: ID!) { unit(id: $id) { history { nodes { actor authenticationMethod } } } }";
    let event = &house.ok(OFFICE, query, json!({ "id": id })).await["unit"]["history"]["nodes"][0];
    assert_eq!(event, &json!({ "actor": "gov:ann", "authenticationMethod": "IDENTITY_PROVIDER" }));
    // Outside their region they have no say.
    let input = json!({ "name": "省商务厅", "kind": "DEPARTMENT", "regionCode": "620000" });
    house.refused(&ann, "registerUnit", input, "NOT_PERMITTED").await;
});

/// A token with parts of another one replaced.
fn forged(token: &str, header: Option<Value>, change: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let decode =
        |part: &str| -> Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut claims = decode(parts[1]);
    change(&mut claims);
    let header = header.map_or_else(|| parts[0].to_owned(), |header| encode(&header));
    format!("{header}.{}.{}", encode(&claims), parts[2])
}

story!(tokens_that_do_not_hold_are_refused_with_a_reason, |house| {
    let office = |more: Value| {
        let mut claims = json!({ "sub": "ann", "roles": "office", "region": "100000" });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let now = house.clock.look().timestamp();
    let mut elsewhere = client("elsewhere", office(json!({})));
    elsewhere["audience"] = json!("another");
    let provider = Provider::start(&[
        client("good", office(json!({}))),
        client("expired", office(json!({ "exp": now - 61 }))),
        client("skewed", office(json!({ "exp": now - 30 }))),
        client("early", office(json!({ "nbf": now + 120 }))),
        client("stranger", office(json!({ "iss": "https://id.example.org" }))),
        client("unnamed", office(json!({ "sub": "" }))),
        client("placeless", json!({ "sub": "ann", "roles": "office" })),
        elsewhere,
    ])
    .await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    let good = provider.token("good").await;
    assert_eq!(who(house, &good).await["actor"], "gov:ann");
    assert_eq!(
        who(house, &provider.token("skewed").await).await["actor"],
        "gov:ann",
        "clocks differ a little"
    );
    for (name, reason) in [
        ("expired", "has expired"),
        ("early", "does not hold yet"),
        ("stranger", "issuer is not trusted"),
        ("unnamed", "does not say who"),
        ("placeless", "no unit or region"),
        ("elsewhere", "another audience"),
    ] {
        let said = refused(house, &provider.token(name).await).await;
        assert!(said.contains(reason), "{name}: {said}");
    }
    let none = json!({ "alg": "none", "typ": "JWT" });
    let symmetric = json!({ "alg": "HS256", "typ": "JWT" });
    let of_id = json!({ "alg": "RS256", "typ": "id+jwt" });
    for token in [
        forged(&good, None, |claims| claims["sub"] = json!("root")),
        forged(&good, Some(none.clone()), |_| {}),
        format!("{}.", forged(&good, Some(none), |_| {}).rsplit_once('.').unwrap().0),
        forged(&good, Some(symmetric), |_| {}),
        forged(&good, Some(of_id), |_| {}),
        good[..good.len() - 4].to_owned(),
        format!("{good}.x"),
        "x.y.z".to_owned(),
        "a".repeat(17_000),
        "zxk_x".to_owned(),
        format!("zxk_{}_{}", "0".repeat(32), "A".repeat(43)),
    ] {
        refused(house, &token).await;
    }
});

story!(keys_change_and_providers_rest, |house| {
    let provider =
        Provider::start(&[client("ann", json!({ "sub": "ann", "roles": "office", "region": "100000" }))])
            .await;
    house.restart_trusting(provider.trusted(600, 1)).await;
    let before = provider.token("ann").await;
    who(house, &before).await;
    assert_eq!(provider.asked().await, 1);
    provider.post("rotate").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let after = provider.token("ann").await;
    assert_eq!(who(house, &after).await["actor"], "gov:ann");
    assert_eq!(provider.asked().await, 2, "an unknown key is asked for once");
    // Made-up names of keys do not make it ask more often than the pause allows.
    for number in 0..20 {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": format!("made-up-{number}") });
        refused(house, &forged(&after, Some(header), |_| {})).await;
    }
    assert!(provider.asked().await <= 3, "{}", provider.asked().await);
    // A provider that rests locks nobody out whose key is known.
    provider.post("down").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    house.clock.pass(Duration::minutes(2));
    assert_eq!(who(house, &after).await["actor"], "gov:ann");
    house.restart_trusting(provider.trusted(600, 1)).await;
    let answer = house.ask(&after, VIEWER, json!({})).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "IDENTITY_UNAVAILABLE");
    provider.post("up").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(who(house, &after).await["actor"], "gov:ann");
});

/// The error that ends the subscription of a socket.
async fn ended(socket: &mut Socket) -> Value {
    loop {
        let mut message = socket.receive().await;
        if message["type"] == "error" {
            return message["payload"][0]["extensions"].take();
        }
        assert_eq!(message["type"], "next", "{message}");
    }
}

story!(a_role_is_granted_and_revoked_and_streams_end, |house| {
    let world = World::new(house).await;
    let provider = Provider::start(&[client("wei", json!({ "sub": "wei" }))]).await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    let wei = provider.token("wei").await;
    let accept = json!({ "id": world.task });
    house.refused(&wei, "acceptTask", accept.clone(), "NOT_PERMITTED").await;
    let input =
        json!({ "actor": "gov:wei", "role": "UNIT_OFFICER", "unitId": world.lead, "regionCode": "440800" });
    house.refused(OFFICE, "grantRole", input.clone(), "NOT_PERMITTED").await;
    let grant = text(&house.done(ADMINISTRATOR, "grantRole", input.clone()).await["id"]);
    house.refused(ADMINISTRATOR, "grantRole", input, "ALREADY_EXISTS").await;
    assert_eq!(who(house, &wei).await["unit"]["name"], "市市场监管局");
    house.done(&wei, "acceptTask", accept).await;
    // They see what they are trusted with; others see nothing of it.
    let mine = "{ roleGrants { nodes { id role isInForce validFrom } } }";
    let known =
        json!([{ "id": grant, "role": "UNIT_OFFICER", "isInForce": true, "validFrom": "2019-06-15" }]);
    assert_eq!(house.ok(&wei, mine, json!({})).await["roleGrants"]["nodes"], known);
    for token in [ANONYMOUS, OFFICE] {
        assert_eq!(house.ok(token, mine, json!({})).await["roleGrants"]["nodes"], json!([]), "{token}");
    }
    let mut socket = Socket::open(house, &wei).await;
    socket.follow(0, json!({})).await;
    socket.next().await;
    house.done(ADMINISTRATOR, "revokeRole", json!({ "id": grant, "reason": "调离" })).await;
    let end = ended(&mut socket).await;
    assert_eq!((&end["code"], &end["reason"]), (&json!("ACCESS_CHANGED"), &json!("ROLES_CHANGED")));
    let progress = json!({ "id": world.task, "percent": 10, "note": "进展" });
    house.refused(&wei, "reportTaskProgress", progress, "NOT_PERMITTED").await;
    // A grant begins and ends with its days.
    let later = json!({ "actor": "gov:wei", "role": "AUDITOR", "regionCode": "440800",
        "validFrom": "2019-07-01", "validUntil": "2019-07-31" });
    house.done(ADMINISTRATOR, "grantRole", later).await;
    assert_eq!(who(house, &wei).await["roles"], json!(["PUBLIC"]));
    wait_until(house, "2019-07-31");
    assert_eq!(who(house, &wei).await["roles"], json!(["AUDITOR"]));
    wait_until(house, "2019-08-01");
    assert_eq!(who(house, &wei).await["roles"], json!(["PUBLIC"]));
});

async fn issue(house: &House, input: &Value, how: Value) -> Value {
    let query = format!(
        "mutation($input: IssueServiceKeyInput!, $commandId: String, $dryRun: Boolean! = false) {{
            issueServiceKey(input: $input, commandId: $commandId, dryRun: $dryRun) {{
                token position serviceKey {{ id name roles expiresOn }} {ERRORS} }} }}"
    );
    let mut variables = how;
    variables["input"] = input.clone();
    house.ok(ADMINISTRATOR, &query, variables).await["issueServiceKey"].take()
}

story!(a_key_is_shown_once_works_expires_and_is_revoked, |house| {
    let world = World::new(house).await;
    let input = json!({ "name": "信用平台", "unitId": world.lead, "roles": ["INTEGRATOR"], "regionCode": "440800",
        "expiresOn": "2019-12-31" });
    let tried = issue(house, &input, json!({ "dryRun": true })).await;
    assert_eq!((&tried["token"], &tried["position"]), (&Value::Null, &Value::Null));
    let first = issue(house, &input, json!({ "commandId": "key-1" })).await;
    let (token, id) = (text(&first["token"]), text(&first["serviceKey"]["id"]));
    let again = issue(house, &input, json!({ "commandId": "key-1" })).await;
    assert_eq!((&again["serviceKey"]["id"], &again["token"]), (&json!(id), &Value::Null), "shown once");
    let viewer = who(house, &token).await;
    assert_eq!((&viewer["actor"], &viewer["roles"]), (&json!(format!("key:{id}")), &json!(["INTEGRATOR"])));
    assert_eq!(viewer["authenticationMethod"], "SERVICE_KEY");
    // Nothing that is stored or shown lets anybody make the token again.
    let secret = token.rsplit_once('_').unwrap().1;
    let query = "query($id: ID!) { serviceKey(id: $id) { name unit { name } history { nodes { data } } } }";
    let shown = house.ok(ADMINISTRATOR, query, json!({ "id": id })).await;
    assert!(!shown.to_string().contains(secret), "{shown}");
    let other_end = if token.ends_with('A') { "E" } else { "A" };
    refused(house, &format!("{}{other_end}", &token[..token.len() - 1])).await;
    refused(house, &token.to_uppercase()).await;
    let mut socket = Socket::open(house, &token).await;
    socket.follow(0, json!({})).await;
    socket.next().await;
    house.done(ADMINISTRATOR, "revokeServiceKey", json!({ "id": id, "reason": "系统下线" })).await;
    assert_eq!(ended(&mut socket).await["reason"], "REVOKED");
    refused(house, &token).await;
    let second = text(&issue(house, &input, json!({})).await["token"]);
    wait_until(house, "2019-12-31");
    who(house, &second).await;
    wait_until(house, "2020-01-01");
    refused(house, &second).await;
});

story!(a_token_is_renewed_over_an_open_socket, |house| {
    let now = house.clock.look().timestamp();
    let claims = |exp: i64| json!({ "sub": "ann", "roles": "office", "region": "100000", "exp": exp });
    let provider = Provider::start(&[
        client("short", claims(now - 57)),
        client("long", claims(now + 3_600)),
        client("other", json!({ "sub": "bo", "roles": "office", "region": "100000", "exp": now + 3_600 })),
    ])
    .await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    let (short, long) = (provider.token("short").await, provider.token("long").await);
    let mut socket = Socket::open(house, &short).await;
    socket.follow(house.head(), json!({})).await;
    let renew =
        |token: &str| json!({ "type": "ping", "payload": { "Authorization": format!("Bearer {token}") } });
    socket.send(renew(&long)).await;
    assert_eq!(socket.receive().await, json!({ "type": "pong", "payload": { "access": "RENEWED" } }));
    house.clock.pass(Duration::minutes(5));
    let input = json!({ "name": "市商务局", "kind": "DEPARTMENT", "regionCode": "440800" });
    house.done(OFFICE, "registerUnit", input).await;
    assert_eq!(socket.next().await["type"], "UnitRegistered", "what ran goes on");
    // Somebody else's token ends it: what was open was open to another.
    socket.send(renew(&provider.token("other").await)).await;
    assert_eq!(ended(&mut socket).await["reason"], "ROLES_CHANGED");
    assert_eq!(socket.receive().await["payload"]["access"], "RENEWED");
    // Without a new token it ends with the old one.
    socket.follow(house.head(), json!({})).await;
    house.clock.pass(Duration::hours(2));
    house.store.clock().now();
    let query = "query { viewer { actor } }";
    house.ok(ANONYMOUS, query, json!({})).await;
    let input = json!({ "actor": "gov:x", "role": "AUDITOR", "regionCode": "440800" });
    house.done(ADMINISTRATOR, "grantRole", input).await;
    assert_eq!(ended(&mut socket).await["reason"], "EXPIRED");
    assert!(mutation("grantRole").contains("GrantRole"));
});

const CAPACITIES: &str =
    "{ viewer { unit { name } roles capacities { actingFor unit { name } region { code } roles } } }";

/// What comes of a query of somebody who acts for this.
async fn acting(house: &House, token: &str, acting_for: &str, query: &str) -> (u16, Value) {
    let request = house.http().post(house.url("/graphql")).header("Zhixing-Acting-For", acting_for);
    let request = if token.is_empty() { request } else { request.bearer_auth(token) };
    let answer = request.json(&json!({ "query": query })).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

story!(somebody_chooses_in_which_capacity_they_act, |house| {
    let world = World::new(house).await;
    let stranger = unit(house, "市商务局", "440800").await;
    let provider = Provider::start(&[client("wei", json!({ "sub": "wei" }))]).await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    let wei = provider.token("wei").await;
    let grant = async |role: &str, unit: Option<&str>, region: &str| {
        let input = json!({ "actor": "gov:wei", "role": role, "unitId": unit, "regionCode": region });
        house.done(ADMINISTRATOR, "grantRole", input).await;
    };
    grant("UNIT_OFFICER", Some(&world.support), "440800").await;
    grant("UNIT_OFFICER", Some(&world.lead), "440800").await;
    grant("UNIT_APPROVER", Some(&world.lead), "440800").await;
    grant("AUDITOR", None, "620000").await;
    let viewer = house.ok(&wei, CAPACITIES, json!({})).await["viewer"].take();
    assert_eq!(viewer["unit"]["name"], "市农业农村局", "the oldest, when none is chosen");
    let capacity = |acting_for: &str, unit: Value, region: &str, roles: Value| {
        json!({ "actingFor": acting_for, "unit": unit,
        "region": { "code": region }, "roles": roles })
    };
    let known = json!([
        capacity(&world.support, json!({ "name": "市农业农村局" }), "440800", json!(["UNIT_OFFICER"])),
        capacity(
            &world.lead,
            json!({ "name": "市市场监管局" }),
            "440800",
            json!(["UNIT_OFFICER", "UNIT_APPROVER"])
        ),
        capacity("620000", Value::Null, "620000", json!(["AUDITOR"])),
    ]);
    assert_eq!(viewer["capacities"], known);
    for (at, unit) in
        [json!({ "name": "市农业农村局" }), json!({ "name": "市市场监管局" }), Value::Null].iter().enumerate()
    {
        let acting_for = text(&known[at]["actingFor"]);
        let (status, body) = acting(house, &wei, &acting_for, CAPACITIES).await;
        let viewer = &body["data"]["viewer"];
        assert_eq!((status, &viewer["unit"], &viewer["roles"]), (200, unit, &known[at]["roles"]), "{body}");
        assert_eq!(viewer["capacities"], known);
    }
    // What they do is done for that unit, and what another unit may do they may not.
    let accept = format!(
        "mutation {{ acceptTask(input: {{ id: \"{}\" }}) {{ position errors {{ code }} events {{ type }} }} }}",
        world.task
    );
    let (_, body) = acting(house, &wei, &world.support, &accept).await;
    assert_eq!(body["data"]["acceptTask"]["errors"][0]["code"], "NOT_PERMITTED", "{body}");
    let (_, body) = acting(house, &wei, &world.lead, &accept).await;
    assert_eq!(body["data"]["acceptTask"]["events"][0]["type"], "TaskAccepted", "{body}");
    let query =
        "query($id: ID!) { task(id: $id) { history(last: 1) { nodes { actor actorUnit { name } } } } }";
    let event = &house.ok(OFFICE, query, json!({ "id": world.task })).await["task"]["history"]["nodes"][0];
    assert_eq!(event, &json!({ "actor": "gov:wei", "actorUnit": { "name": "市市场监管局" } }));
    // What is not theirs is refused by name, whoever they are.
    let officer = format!("dev:li:UNIT_OFFICER:unit={}", world.lead);
    for (token, acting_for) in [
        (wei.as_str(), stranger.as_str()),
        (&wei, "440800"),
        (&wei, "nonsense"),
        (ANONYMOUS, world.lead.as_str()),
        (&officer, &stranger),
    ] {
        let (status, body) = acting(house, token, acting_for, CAPACITIES).await;
        assert_eq!(status, 403, "{acting_for}: {body}");
        assert_eq!(body["errors"][0]["extensions"]["code"], "CAPACITY_NOT_HELD", "{body}");
    }
    assert_eq!(acting(house, &officer, &world.lead, CAPACITIES).await.0, 200);
    let download = house.http().get(house.url("/due-items.csv")).bearer_auth(&wei);
    let download = download.header("zhixing-acting-for", &stranger).send().await.unwrap();
    assert_eq!(download.status(), 403);
    // The same over a WebSocket, in the payload.
    let said = |acting_for: &str| json!({ "headers": { "Authorization": format!("Bearer {wei}"), "Zhixing-Acting-For": acting_for } });
    let mut socket = Socket::begin(house, said(&stranger)).await;
    assert_eq!(socket.closed().await, (4403, "Capacity not held".to_owned()));
    let mut socket = Socket::begin(house, said(&world.lead)).await;
    assert_eq!(socket.receive().await["type"], "connection_ack");
    let ask =
        json!({ "id": "1", "type": "subscribe", "payload": { "query": "{ viewer { unit { name } } }" } });
    socket.send(ask).await;
    let answer = socket.receive().await;
    assert_eq!(answer["payload"]["data"]["viewer"]["unit"]["name"], "市市场监管局", "{answer}");
    // A grant for another unit changes nothing of this capacity; when it ends, so does what rested on it.
    assert_eq!(socket.receive().await["type"], "complete");
    socket.follow(house.head(), json!({})).await;
    grant("UNIT_OFFICER", Some(&stranger), "440800").await;
    assert_eq!(socket.next().await["type"], "RoleGrantGranted", "they see their own grants, and go on");
    let query = "query($unit: ID) { roleGrants(where: { unit: $unit }) { nodes { id } } }";
    let grants = house.ok(ADMINISTRATOR, query, json!({ "unit": world.lead })).await;
    for grant in grants["roleGrants"]["nodes"].as_array().unwrap() {
        house.done(ADMINISTRATOR, "revokeRole", json!({ "id": grant["id"], "reason": "调离" })).await;
    }
    assert_eq!(ended(&mut socket).await["reason"], "ROLES_CHANGED");
    assert_eq!(acting(house, &wei, &world.lead, CAPACITIES).await.0, 403);
});

story!(a_unit_in_the_token_brings_the_grants_of_its_region, |house| {
    let lead = unit(house, "市市场监管局", "440800").await;
    let provider = Provider::start(&[
        client("wei", json!({ "sub": "wei", "roles": "officer", "unit": lead })),
        client("zhao", json!({ "sub": "zhao", "unit": lead })),
    ])
    .await;
    house.restart_trusting(provider.trusted(600, 0)).await;
    for actor in ["gov:wei", "gov:zhao"] {
        for (role, region) in [("INSPECTOR", "440800"), ("AUDITOR", "620000")] {
            let input = json!({ "actor": actor, "role": role, "regionCode": region });
            house.done(ADMINISTRATOR, "grantRole", input).await;
        }
    }
    let wei = who(house, &provider.token("wei").await).await;
    assert_eq!(
        (&wei["roles"], &wei["region"]["code"]),
        (&json!(["UNIT_OFFICER", "INSPECTOR"]), &json!("440800"))
    );
    let zhao = who(house, &provider.token("zhao").await).await;
    assert_eq!((&zhao["roles"], &zhao["unit"]["name"]), (&json!(["INSPECTOR"]), &json!("市市场监管局")));
});
