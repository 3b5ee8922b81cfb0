//! What one client, one document and another site's page may not do.
use std::fs;

use futures_util::StreamExt;
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest};
use zhixing_api::{
    config::Settings,
    protocol::{Introspection, Limits},
    server,
};

use crate::{
    follow::Socket,
    house::{ANONYMOUS, Answer, House, OFFICE, OFFICE_TOO, settings, story},
    world::World,
};

const REFUSED: &str = "INTROSPECTION_NOT_ALLOWED";
const PLANS: &str = "{ plans(first: 10) { nodes { id title } } }";

fn with(change: impl FnOnce(&mut Limits)) -> Settings {
    let mut settings = settings();
    change(&mut settings.limits);
    settings
}

fn code(body: &Value) -> &str {
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

fn post(house: &House, body: &Value) -> RequestBuilder {
    house.http().post(house.url("/graphql")).json(body)
}

async fn json_of(response: Response) -> Value {
    response.json().await.unwrap()
}

story!(who_asks_for_too_much_waits_and_nobody_else_does, |house| {
    house
        .serve_with(with(|limits| {
            limits.client_cost_per_second = 1;
            limits.client_cost_burst = 80;
        }))
        .await;
    let first = house.ask(OFFICE, PLANS, json!({})).await;
    let cost = &first.body["extensions"]["cost"];
    assert_eq!(
        (&cost["requested"], &cost["remaining"], &cost["perSecond"]),
        (&json!(32), &json!(48), &json!(1))
    );
    assert_eq!(house.ask(OFFICE, PLANS, json!({})).await.status, 200);
    let refused = post(house, &json!({ "query": PLANS })).bearer_auth(OFFICE).send().await.unwrap();
    assert_eq!(refused.status(), 429);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=36).contains(&seconds), "{seconds}");
    let body = json_of(refused).await;
    assert_eq!(code(&body), "RATE_LIMITED");
    assert_eq!(body["errors"][0]["extensions"]["retryAfterSeconds"], seconds);
    // The same person by another way is the same client; another person and nobody are others.
    let mut socket = Socket::open(house, OFFICE).await;
    let payload = json!({ "query": PLANS });
    socket.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    let message = socket.receive().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{message}");
    for token in [OFFICE_TOO, ANONYMOUS] {
        assert_eq!(house.ask(token, PLANS, json!({})).await.status, 200, "{token}");
    }
});

story!(one_client_has_so_many_followers, |house| {
    house.serve_with(with(|limits| limits.client_subscriptions = 2)).await;
    let mut sockets = Vec::new();
    for refused in [false, false, true] {
        let mut socket = Socket::open(house, OFFICE).await;
        socket.follow(0, json!({})).await;
        if refused {
            let message = socket.receive().await;
            assert_eq!(message["payload"][0]["extensions"]["code"], "TOO_MANY_SUBSCRIPTIONS", "{message}");
        }
        sockets.push(socket);
    }
    let mut other = Socket::open(house, OFFICE_TOO).await;
    other.follow(0, json!({})).await;
    house.serve_with(settings()).await;
    let world = World::new(house).await;
    assert!(!world.task.is_empty());
});

story!(a_proxy_tells_who_asks_and_nobody_else_may, |house| {
    let from = async |house: &House, address: &str| {
        let request = post(house, &json!({ "query": PLANS })).header("x-forwarded-for", address);
        request.send().await.unwrap().status().as_u16()
    };
    let tight = || {
        with(|limits| {
            limits.client_cost_per_second = 1;
            limits.client_cost_burst = 40;
        })
    };
    house.serve_with(tight()).await;
    let found = [from(house, "198.51.100.1").await, from(house, "198.51.100.2").await];
    assert_eq!(found, [200, 429], "a made-up address is no other client");
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    house.serve_with(Settings { trusted_proxies, ..tight() }).await;
    let found = [
        from(house, "198.51.100.1").await,
        from(house, "198.51.100.2").await,
        from(house, "9.9.9.9, 198.51.100.1").await,
    ];
    assert_eq!(found, [200, 200, 429]);
});

story!(only_registered_documents_are_run_if_the_operator_says_so, |house| {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("documents.json");
    fs::write(&file, json!({ "plans": PLANS }).to_string()).unwrap();
    let only = || Settings { documents: Some(file.clone()), only_trusted_documents: true, ..settings() };
    house.serve_with(only()).await;
    let answer = post(house, &json!({ "documentId": "plans" })).send().await.unwrap();
    assert!(json_of(answer).await["data"]["plans"]["nodes"].is_array());
    for query in ["{ plans { totalCount } }", "{ __schema { queryType { name } } }"] {
        let Answer { body, .. } = house.ask(OFFICE, query, json!({})).await;
        assert_eq!(code(&body), "DOCUMENT_NOT_TRUSTED", "{query}");
    }
    let unknown = post(house, &json!({ "documentId": "tasks" })).send().await.unwrap();
    assert_eq!(code(&json_of(unknown).await), "PERSISTED_QUERY_NOT_FOUND");
    // A document that does not fit is named before anything is served.
    let bad = json!({ "plans": PLANS, "old-one": "{ plans { nodes { formerTitle } } }" });
    fs::write(&file, bad.to_string()).unwrap();
    let refused = house.router(&only()).unwrap_err();
    assert!(matches!(refused, server::NoDoor::Documents(..)), "{refused}");
    assert!(refused.to_string().contains("formerTitle"), "{refused}");
    fs::remove_file(&file).unwrap();
    assert!(matches!(house.router(&only()), Err(server::NoDoor::Unreadable(..))));
});

story!(the_schema_is_told_to_whom_the_operator_says, |house| {
    let asked = async |house: &House, token: &str| {
        let Answer { body, .. } = house.ask(token, "{ __type(name: \"Task\") { name } }", json!({})).await;
        let mut text = house.http().get(house.url("/graphql/schema.graphql"));
        if !token.is_empty() {
            text = text.bearer_auth(token);
        }
        (code(&body).to_owned(), text.send().await.unwrap().status().as_u16())
    };
    for (introspection, anonymous, office) in [
        (Introspection::Everybody, ("none", 200), ("none", 200)),
        (Introspection::SignedIn, (REFUSED, 403), ("none", 200)),
        (Introspection::Nobody, (REFUSED, 403), (REFUSED, 403)),
    ] {
        house.serve_with(Settings { introspection: Some(introspection), ..settings() }).await;
        let (code, status) = asked(house, ANONYMOUS).await;
        assert_eq!((code.as_str(), status), anonymous, "{introspection:?}");
        let (code, status) = asked(house, OFFICE).await;
        assert_eq!((code.as_str(), status), office, "{introspection:?}");
    }
    house.serve_with(Settings { introspection: Some(Introspection::SignedIn), ..settings() }).await;
    assert_eq!(asked(house, "dev:x:KING").await.1, 401);
});

story!(a_page_of_another_site_changes_and_reads_nothing, |house| {
    let before = house.head();
    let input = json!({ "name": "市市场监管局", "kind": "DEPARTMENT", "regionCode": "440800" });
    let query = "mutation($input: RegisterUnit!) { registerUnit(input: $input) { position } }";
    let body = json!({ "query": query, "variables": { "input": input } }).to_string();
    let form = format!("query={}", query.replace(' ', "+"));
    let part =
        format!("--x\r\ncontent-disposition: form-data; name=\"operations\"\r\n\r\n{body}\r\n--x--\r\n");
    // What a page may send without asking first, as somebody who would be allowed to.
    for (content_type, body) in [
        ("text/plain", body.clone()),
        ("text/plain; charset=utf-8", body),
        ("application/x-www-form-urlencoded", form.clone()),
        ("multipart/form-data; boundary=x", part),
    ] {
        let request = house.http().post(house.url("/graphql")).header("content-type", content_type);
        let request = request.header("origin", "https://evil.example").bearer_auth(OFFICE).body(body);
        let refused = request.send().await.unwrap();
        assert_eq!(refused.status(), 415, "{content_type}");
        assert!(!refused.headers().contains_key("access-control-allow-origin"));
    }
    let unit = "mutation%7BregisterUnit(input:%7Bname:%22a%22,kind:DEPARTMENT,regionCode:%22440800%22%7D)%7Bposition%7D%7D";
    let link = house.http().get(house.url(&format!("/graphql?query={unit}"))).bearer_auth(OFFICE);
    assert_eq!(link.send().await.unwrap().status(), 405);
    let mut socket = house.url("/graphql").replacen("http", "ws", 1).into_client_request().unwrap();
    socket.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    socket.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert!(connect_async(socket).await.unwrap_err().to_string().contains("403"));
    assert_eq!(house.head(), before);
    // The pages themselves are framed by nobody and run nothing from elsewhere; over TLS they stay there.
    let settings =
        Settings { tls_cert: Some("cert.pem".into()), tls_key: Some("key.pem".into()), ..settings() };
    house.serve_with(settings).await;
    for path in ["/", "/graphql/schema.graphql", "/healthz"] {
        let page = house.http().get(house.url(path)).send().await.unwrap();
        let header = |name: &str| page.headers()[name].to_str().unwrap().to_owned();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("strict-transport-security"), "max-age=31536000");
    }
});

story!(an_allowed_origin_may_ask_and_follow, |house| {
    let desk = "https://desk.example.cn";
    house.serve_with(with(|limits| limits.allowed_origins = vec![desk.to_owned()])).await;
    let request = post(house, &json!({ "query": PLANS })).header("origin", desk).bearer_auth(OFFICE);
    let answer = request.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
        (200, &desk.parse().unwrap())
    );
    let preflight =
        house.http().request(reqwest::Method::OPTIONS, house.url("/graphql")).header("origin", desk);
    let preflight = preflight
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "zhixing-acting-for");
    let allowed = preflight.send().await.unwrap();
    let allowed = allowed.headers()["access-control-allow-headers"].to_str().unwrap().to_owned();
    assert!(allowed.contains("zhixing-acting-for"), "{allowed}");
    let mut socket = house.url("/graphql").replacen("http", "ws", 1).into_client_request().unwrap();
    socket.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    socket.headers_mut().insert("origin", desk.parse().unwrap());
    let (mut socket, _) = connect_async(socket).await.unwrap();
    // It says goodbye when the house closes the door.
    house.serve_with(settings()).await;
    assert!(socket.next().await.unwrap().unwrap().is_close());
});

story!(a_name_that_was_made_to_lead_here_leads_nowhere, |house| {
    let ask = async |house: &House, host: &str, path: &str| {
        let request = post(house, &json!({ "query": "{ viewer { actor } }" })).bearer_auth(OFFICE);
        let request = match path {
            "/graphql" => request,
            path => house.http().get(house.url(path)),
        };
        let answer = request.header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let port = house.url("").rsplit_once(':').unwrap().1.to_owned();
    for path in
        ["/graphql", "/", "/graphql/schema.graphql", "/due-items.csv", "/metrics", "/healthz", "/nowhere"]
    {
        for host in [format!("evil.example:{port}"), "quality.example.cn".into(), "127.0.0.1.nip.io".into()] {
            let (status, body) = ask(house, &host, path).await;
            assert_eq!((status, code(&body)), (421, "HOST_NOT_LOCAL"), "{host}{path}: {body}");
        }
    }
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        let (status, body) = ask(house, &host, "/graphql").await;
        assert_eq!((status, &body["data"]["viewer"]["actor"]), (200, &json!("ann")), "{host}");
    }
    // A WebSocket is opened by a request like every other.
    let mut socket = house.url("/graphql").replacen("http", "ws", 1).into_client_request().unwrap();
    socket.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    socket.headers_mut().insert("host", "evil.example".parse().unwrap());
    socket.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert!(connect_async(socket).await.unwrap_err().to_string().contains("421"));
    // Without development tokens the service is asked by whatever name it has.
    house.serve_with(Settings { development_tokens: Some(false), ..settings() }).await;
    assert_eq!(ask(house, "quality.example.cn", "/healthz").await.0, 200);
});

story!(tables_cost_what_queries_do, |house| {
    World::new(house).await;
    house
        .serve_with(with(|limits| {
            limits.client_cost_per_second = 1;
            limits.client_cost_burst = 2_500;
        }))
        .await;
    let table = async |token: &str, path: &str| {
        house.http().get(house.url(path)).bearer_auth(token).send().await.unwrap()
    };
    for path in ["/due-items.csv", "/plans/ZJ-SMALL/tasks.xlsx"] {
        assert_eq!(table(OFFICE, path).await.status(), 200, "{path}");
    }
    for path in ["/due-items.xlsx", "/plans/ZJ-SMALL/tasks.csv", "/plans/NONE/tasks.csv"] {
        let refused = table(OFFICE, path).await;
        assert_eq!(refused.status(), 429, "{path}");
        let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=501).contains(&seconds), "{seconds}");
    }
    // It is one budget: a query that costs more than is left waits too. Others have their own.
    let dear = "{ plans(first: 100) { nodes { id title status region { name } tasks(first: 4) { nodes { id } } } } }";
    assert_eq!(house.ask(OFFICE, dear, json!({})).await.status, 429);
    assert_eq!(table(OFFICE_TOO, "/due-items.csv").await.status(), 200);
});
