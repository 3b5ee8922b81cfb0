//! GraphQL over HTTP through a real listener.

use super::*;
use reqwest::{Method, StatusCode};

const GRAPHQL: &str = "application/graphql-response+json";
const JSON: &str = "application/json";

/// Status, content type and body of a POST.
async fn post(server: &Server, accept: &str, body: &Json) -> (u16, String, Json) {
    read(server.post().header("accept", accept).json(body)).await
}

async fn read(request: reqwest::RequestBuilder) -> (u16, String, Json) {
    let answer = request.send().await.expect("an answer");
    let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), content_type, answer.json().await.expect("well-formed JSON"))
}

#[tokio::test]
async fn statuses_follow_the_media_type() {
    let server = serve(Limits::default()).await;
    for (query, json, graphql, has_data) in [
        ("{ hello }", 200, 200, true),
        ("{ nothing }", 200, 400, false),
        ("{ hello", 200, 400, false),
        ("{ small(value: \"x\") }", 200, 400, false),
        ("{ missing }", 200, 200, true),
        ("{ panics }", 500, 500, false),
    ] {
        for (accept, status) in [(JSON, json), (GRAPHQL, graphql)] {
            let answer = post(&server, accept, &json!({ "query": query })).await;
            assert_eq!(
                (answer.0, answer.1),
                (status, format!("{accept}; charset=utf-8")),
                "{query} as {accept}"
            );
            assert_eq!(answer.2.get("data").is_some(), has_data, "{query}: {}", answer.2);
            assert!(answer.2["errors"].as_array().is_none_or(|errors| !errors.is_empty()));
        }
    }
}

#[tokio::test]
async fn the_accept_header_is_negotiated() {
    let server = serve(Limits::default()).await;
    for (accept, expected) in [
        ("*/*", JSON),
        ("application/*", JSON),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL),
        ("application/json, application/graphql-response+json", GRAPHQL),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("text/event-stream, multipart/mixed, application/json", JSON),
        ("text/html, application/graphql-response+json;q=0.1, image/png", GRAPHQL),
        ("application/json;q=0, */*;q=0.1, application/graphql-response+json", GRAPHQL),
        ("text/event-stream", "text/event-stream"),
        ("text/event-stream, application/json;q=0.5", "text/event-stream"),
        ("multipart/mixed", "multipart/mixed"),
    ] {
        let answer = server
            .post()
            .header("accept", accept)
            .json(&json!({ "query": "{ hello }" }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let content_type = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(content_type.split(';').next(), Some(expected), "{accept}");
    }
    for accept in ["text/html", "image/png, text/plain", "application/json;q=0"] {
        let (status, _, body) = post(&server, accept, &json!({ "query": "{ hello }" })).await;
        assert_eq!((status, code_of(&body)), (406, "NOT_ACCEPTABLE"), "{accept}");
    }
    let (status, _, body) = post(&server, JSON, &json!({ "query": "subscription { count(to: 1) }" })).await;
    assert_eq!((status, code_of(&body)), (406, "NOT_ACCEPTABLE"));
}

#[tokio::test]
async fn only_json_bodies_are_read() {
    let server = serve(Limits::default()).await;
    let body = r#"{"query":"mutation { bump(by: 1) }"}"#;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/json; charset=gb18030"),
        Some("text/plain, application/json"),
        Some("application/jsonp"),
    ] {
        let mut request = server.post().body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let (status, _, answer) = read(request).await;
        assert_eq!((status, code_of(&answer)), (415, "UNSUPPORTED_MEDIA_TYPE"), "{content_type:?}");
    }
    assert_eq!(server.counter.0.load(Ordering::SeqCst), 0);
    let (status, ..) =
        read(server.post().header("content-type", "Application/JSON; Charset=\"UTF-8\"").body(body)).await;
    assert_eq!((status, server.counter.0.load(Ordering::SeqCst)), (200, 1));
}

#[tokio::test]
async fn malformed_requests_are_told_what_is_wrong() {
    let server = serve(Limits { body_bytes: 10_000, variables_bytes: 1000, ..Limits::default() }).await;
    let long = format!(r#"{{"query":"{{ hello }}","variables":{{"a":"{}"}}}}"#, "x".repeat(2000));
    for (body, status, code) in [
        (b"".to_vec(), 400, "BAD_REQUEST"),
        (b"{".to_vec(), 400, "BAD_REQUEST"),
        (b"\"{ hello }\"".to_vec(), 400, "BAD_REQUEST"),
        (b"{}".to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": 1}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": ""}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": null}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": "\ud800"}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": "{ hello }", "variables": []}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": "{ hello }", "variables": "{}"}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": "{ hello }", "operationName": 1}"#.to_vec(), 400, "BAD_REQUEST"),
        (br#"{"query": "{ hello }", "extensions": 1}"#.to_vec(), 400, "BAD_REQUEST"),
        (b"{\"query\": \"{ hello(name: \\\"\xff\\\") }\"}".to_vec(), 400, "BAD_REQUEST"),
        (br#"[{"query": "{ hello }"}]"#.to_vec(), 400, "BATCHING_NOT_SUPPORTED"),
        (long.into_bytes(), 400, "LIMIT_EXCEEDED"),
        (vec![b' '; 20_000], 413, "PAYLOAD_TOO_LARGE"),
        ([b"{\"query\": ".to_vec(), vec![b'['; 5000]].concat(), 400, "BAD_REQUEST"),
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (found, content_type, answer) = read(server.post().header("content-type", JSON).body(body)).await;
        assert_eq!((found, code_of(&answer)), (status, code), "{shown}");
        assert_eq!(content_type, "application/json; charset=utf-8");
    }
    for body in [
        r#"{"query":"{ hello }","variables":null,"operationName":null,"extensions":null}"#,
        r#"{"query":"{ hello }","more":1}"#,
    ] {
        assert_eq!(read(server.post().header("content-type", JSON).body(body)).await.0, 200);
    }
}

#[tokio::test]
async fn nobody_sends_as_much_as_somebody() {
    let server = serve(Limits { anonymous_body_bytes: 1_000, ..Limits::default() }).await;
    let body = format!(r#"{{"query":"{{ hello }}"{}}}"#, " ".repeat(2_000));
    let request = || server.post().header("content-type", JSON).body(body.clone());
    assert_eq!(read(request()).await.0, 413);
    assert_eq!(read(request().bearer_auth("good")).await.0, 200);
}

#[tokio::test]
async fn a_large_body_without_length_is_cut_and_a_slow_one_given_up() {
    let server = serve(Limits { body_bytes: 10_000, body_timeout_ms: 200, ..Limits::default() }).await;
    let chunks = streams::iter((0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1000])));
    let large = server.post().header("content-type", JSON).body(reqwest::Body::wrap_stream(chunks));
    assert_eq!(read(large).await.0, 413);
    let drip = streams::once(async { Ok::<_, std::io::Error>(b"{".to_vec()) }).chain(streams::pending());
    let slow = server.post().header("content-type", JSON).body(reqwest::Body::wrap_stream(drip));
    let (status, _, answer) = read(slow).await;
    assert_eq!((status, code_of(&answer)), (408, "REQUEST_TIMEOUT"));
}

#[tokio::test]
async fn get_is_for_queries() {
    let server = serve(Limits::default()).await;
    let client = reqwest::Client::new();
    let get = |query: &str| read(client.get(format!("{}?{query}", server.url())));
    let (status, _, answer) = get("query=query%20A($n:String!)%7Bhello(name:$n)%7D&variables=%7B%22n%22:%22%E8%B4%A8%22%7D&operationName=A").await;
    assert_eq!((status, &answer["data"]["hello"]), (200, &json!("hello 质")));
    let (_, _, answer) = get("query=query+A%7Bhello%7Dquery+B%7Ba:hello%7D&operationName=B").await;
    assert_eq!(answer["data"], json!({ "a": "hello you" }));
    for (query, status, code) in [
        ("", 400, "BAD_REQUEST"),
        ("query=%7Bhello(name:%22%FF%22)%7D", 400, "BAD_REQUEST"),
        ("query=%7Bhello%7D&query=%7Bhello%7D", 400, "BAD_REQUEST"),
        ("query=%7Bhello%7D&variables=1", 400, "BAD_REQUEST"),
        ("query=mutation%7Bbump(by:1)%7D", 405, "METHOD_NOT_ALLOWED"),
        ("query=%7Bhello%7D&operationName=X", 200, "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let (found, _, answer) = get(query).await;
        assert_eq!((found, code_of(&answer)), (status, code), "{query}");
    }
    let mutation =
        client.get(format!("{}?query=mutation%7Bbump(by:1)%7D", server.url())).send().await.unwrap();
    assert_eq!(mutation.headers()["allow"], "POST");
    assert_eq!(server.counter.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn other_methods_are_refused_and_other_sites_not_invited() {
    let server = serve(Limits::default()).await;
    let client = reqwest::Client::new();
    for method in [Method::PATCH, Method::TRACE] {
        let answer =
            client.request(method, server.url()).json(&json!({ "query": "{ hello }" })).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["allow"]),
            (405, &"GET, POST, PUT, DELETE, OPTIONS".parse().unwrap())
        );
        assert_eq!(code_of(&answer.json().await.unwrap()), "METHOD_NOT_ALLOWED");
    }
    let head = client.head(server.url()).send().await.unwrap();
    assert_eq!(head.status().as_u16(), 405);
    let preflight = client
        .request(Method::OPTIONS, server.url())
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST")
        .send()
        .await
        .unwrap();
    assert!(preflight.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
}

#[tokio::test]
async fn tokens_are_checked_first() {
    let server = serve(Limits::default()).await;
    let body = json!({ "query": "{ viewer }" });
    assert_eq!(server.query("{ viewer }").await["data"]["viewer"], "nobody");
    let (_, _, answer) = read(server.post().header("authorization", "Bearer good").json(&body)).await;
    assert_eq!(answer["data"]["viewer"], "good");
    let refused = server.post().header("authorization", "Bearer bad").json(&body).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["www-authenticate"]),
        (401, &"Bearer".parse().unwrap())
    );
    assert_eq!(code_of(&refused.json().await.unwrap()), "UNAUTHENTICATED");
}

#[tokio::test]
async fn nothing_of_our_insides_is_told() {
    let server = serve(Limits::default()).await;
    let broken = server
        .post()
        .header("x-request-id", "abc-1")
        .json(&json!({ "query": "{ hello broken }" }))
        .send()
        .await
        .unwrap();
    assert_eq!(broken.headers()["x-request-id"], "abc-1");
    let answer: Json = broken.json().await.unwrap();
    let error = json!({ "code": "INTERNAL", "requestId": "abc-1" });
    assert_eq!(
        (&answer["errors"][0]["extensions"], &answer["errors"][0]["message"]),
        (&error, &json!("internal error"))
    );
    assert_eq!(
        (&answer["data"]["hello"], &answer["errors"][0]["path"]),
        (&json!("hello you"), &json!(["broken"]))
    );
    let answer = server.query("{ panics }").await;
    assert_eq!(answer["errors"][0]["extensions"], json!({ "code": "INTERNAL", "requestId": "made-here" }));
    let answer = server.query("{ missing }").await;
    assert_eq!((code_of(&answer), &answer["errors"][0]["message"]), ("NOT_FOUND", &json!("no such thing")));
    let answer = server.query("{ small(value: 11) }").await;
    assert_eq!(
        (code_of(&answer), &answer["errors"][0]["extensions"]["field"]),
        ("INVALID_INPUT", &json!("small"))
    );
    for bad in ["a b", &"x".repeat(65)] {
        let answer = server
            .post()
            .header("x-request-id", bad)
            .json(&json!({ "query": "{ hello }" }))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["x-request-id"], "made-here");
    }
}

#[tokio::test]
async fn slow_operations_are_stopped() {
    let server = serve(Limits { execution_timeout_ms: 100, ..Limits::default() }).await;
    let (status, _, answer) = post(&server, GRAPHQL, &json!({ "query": "{ slow }" })).await;
    assert_eq!((status, code_of(&answer)), (503, "EXECUTION_TIMEOUT"));
    assert_eq!(answer["errors"][0]["extensions"]["requestId"], "made-here");
}

#[tokio::test]
async fn a_mutation_with_a_wrong_second_field_runs_nothing() {
    let server = serve(Limits::default()).await;
    let query = "mutation($n: Int!) { a: bump(by: 1) b: bump(by: $n) }";
    let (_, _, answer) = post(&server, JSON, &json!({ "query": query, "variables": {} })).await;
    assert_eq!(
        (code_of(&answer), &answer["errors"][0]["extensions"]["field"]),
        ("INVALID_INPUT", &json!("n"))
    );
    assert_eq!(server.counter.0.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_cost_is_reported_if_wanted() {
    let server = serve(Limits { client_cost_per_second: 1, ..Limits::default() }).await;
    let mut answer = server.query("{ tasks(first: 10) { nodes { id } } }").await;
    // What is left grows again while the answer is under way.
    let left = answer["extensions"]["cost"]["remaining"].take().as_u64().unwrap();
    let burst = Limits::default().client_cost_burst;
    assert!((burst - 22..burst).contains(&left), "{left}");
    assert_eq!(
        answer["extensions"]["cost"],
        json!({
            "requested": 22,
            "limit": Limits::default().cost,
            "depth": 3,
            "remaining": null,
            "perSecond": 1,
        })
    );
    let server =
        serve(Limits { report_cost: false, partial_success_status: true, ..Limits::default() }).await;
    assert_eq!(server.query("{ hello }").await.get("extensions"), None);
    assert_eq!(post(&server, GRAPHQL, &json!({ "query": "{ hello missing }" })).await.0, 294);
    assert_eq!(post(&server, JSON, &json!({ "query": "{ hello missing }" })).await.0, 200);
}

#[tokio::test]
async fn persisted_queries_are_declined_in_the_words_clients_know() {
    let server = serve(Limits::default()).await;
    let hash = json!({ "persistedQuery": { "version": 1, "sha256Hash": "ab" } });
    let (status, _, answer) = post(&server, JSON, &json!({ "extensions": hash })).await;
    assert_eq!((status, code_of(&answer)), (200, "PERSISTED_QUERY_NOT_SUPPORTED"));
    let (_, _, answer) = post(&server, JSON, &json!({ "extensions": hash, "query": "{ hello }" })).await;
    assert_eq!(answer["data"]["hello"], "hello you");
}

#[tokio::test]
async fn it_works_before_a_strict_executor_too() {
    let server = serve_with(Limits::default(), ValidationMode::Strict).await;
    let answer = server
        .query("query($b: Boolean = true) { task { ...f } } fragment f on Task { id title(upper: $b) }")
        .await;
    assert_eq!(answer["data"]["task"], json!({ "id": "1", "title": "TASK" }));
}

#[tokio::test]
async fn pages_of_allowed_origins_may_ask() {
    let origin = "https://desk.example.cn";
    let server = serve(Limits { allowed_origins: vec![origin.to_owned()], ..Limits::default() }).await;
    let preflight = async |from: &str| {
        let request = reqwest::Client::new().request(Method::OPTIONS, server.url()).header("origin", from);
        let asked = "authorization,content-type";
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", asked).send().await.unwrap()
    };
    let allowed = preflight(origin).await;
    assert!(allowed.status().is_success());
    let header = |name: &str| allowed.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("access-control-allow-origin").as_deref(), Some(origin));
    let names = header("access-control-allow-headers").unwrap();
    assert!(
        ["authorization", "content-type", "x-request-id"].iter().all(|name| names.contains(name)),
        "{names}"
    );
    assert_eq!(header("access-control-max-age").as_deref(), Some("3600"));
    // Nothing is ever sent along by the browser itself.
    assert_eq!(header("access-control-allow-credentials"), None);
    assert!(!preflight("https://evil.example").await.headers().contains_key("access-control-allow-origin"));
    // Answers and refusals alike can be read by that origin, and no cache mixes them up.
    for (token, status) in [("Bearer good", 200), ("Bearer bad", 401)] {
        let request = server.post().header("origin", origin).header("authorization", token);
        let answer = request.json(&json!({ "query": "{ hello }" })).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
            (status, &origin.parse().unwrap())
        );
        let vary: Vec<_> = answer.headers().get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
        let vary = vary.join(",");
        assert!(["origin", "accept", "authorization"].iter().all(|name| vary.contains(name)), "{vary}");
    }
    let other = server.post().header("origin", "https://evil.example").json(&json!({ "query": "{ hello }" }));
    assert!(!other.send().await.unwrap().headers().contains_key("access-control-allow-origin"));
    // A star opens nothing.
    let server = serve(Limits { allowed_origins: vec!["*".to_owned()], ..Limits::default() }).await;
    let answer = server.post().header("origin", origin).json(&json!({ "query": "{ hello }" })).send().await;
    assert!(!answer.unwrap().headers().contains_key("access-control-allow-origin"));
}
