//! What one client may ask for, over every transport.

use super::ws::{open as open_socket, ready};
use super::*;

const GRAPHQL: &str = "application/graphql-response+json";

async fn ask(server: &Server, token: Option<&str>, query: &str) -> (u16, Option<u64>, Json) {
    let mut request = server.post().header("accept", GRAPHQL).json(&json!({ "query": query }));
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let answer = request.send().await.expect("an answer");
    let wait = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().parse().unwrap());
    (answer.status().as_u16(), wait, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_client_that_asks_for_too_much_is_told_when_to_come_back() {
    let limits = Limits { client_cost_per_second: 10, client_cost_burst: 100, ..Limits::default() };
    let server = serve(limits).await;
    let (status, wait, answer) = ask(&server, None, "{ tasks(first: 10) { nodes { id title } } }").await;
    assert_eq!((status, wait), (200, None));
    assert_eq!(
        answer["extensions"]["cost"],
        json!({ "requested": 32, "limit": 20_000, "depth": 3, "remaining": 68, "perSecond": 10 })
    );
    // A document that is refused is not free.
    assert_eq!(ask(&server, None, "{ nothing }").await.0, 400);
    let (status, wait, answer) = ask(&server, None, "{ tasks(first: 20) { nodes { id title } } }").await;
    assert_eq!((status, code_of(&answer)), (429, "RATE_LIMITED"));
    assert!((1..=3).contains(&wait.unwrap()), "{wait:?}");
    assert_eq!(answer["errors"][0]["extensions"]["retryAfterSeconds"], json!(wait));
    assert_eq!(answer.get("data"), None);
    // Whoever signed in has a budget of his own, by socket as by request.
    let (status, _, answer) = ask(&server, Some("Bearer good"), "{ hello }").await;
    assert_eq!((status, &answer["extensions"]["cost"]["remaining"]), (200, &json!(80)));
    let mut client = ready(&server).await;
    client.subscribe("a", "{ tasks(first: 20) { nodes { id title } } }").await;
    let message = client.next().await;
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!("a")));
    assert_eq!(message["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    assert!(message["payload"][0]["extensions"]["retryAfterSeconds"].as_u64().unwrap() >= 1);
}

#[tokio::test]
async fn a_stream_is_refused_before_it_begins() {
    let limits = Limits { client_cost_per_second: 1, client_cost_burst: 30, ..Limits::default() };
    let server = serve(limits).await;
    let count = json!({ "query": "subscription { count(to: 1) }" });
    for status in [200, 429] {
        let answer = server.post().header("accept", "text/event-stream").json(&count).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        answer.text().await.unwrap();
    }
}

#[tokio::test]
async fn operations_at_work_are_counted() {
    let limits = Limits { client_operations: 2, execution_timeout_ms: 1_000, ..Limits::default() };
    let server = serve(limits).await;
    let slow = || ask(&server, None, "{ slow }");
    let (first, second, third) = tokio::join!(slow(), slow(), slow());
    let mut codes = [&first, &second, &third].map(|answer| (answer.0, code_of(&answer.2)));
    codes.sort_unstable();
    assert_eq!(codes, [(429, "TOO_MANY_OPERATIONS"), (503, "EXECUTION_TIMEOUT"), (503, "EXECUTION_TIMEOUT")]);
    // Those that ended make room, also when they were stopped.
    assert_eq!(ask(&server, None, "{ hello }").await.0, 200);
}

#[tokio::test]
async fn subscriptions_are_counted_over_all_connections() {
    let server = serve(Limits { client_subscriptions: 2, ..Limits::default() }).await;
    let endless = json!({ "query": "subscription { endless }" });
    let events = || server.post().header("accept", "text/event-stream").json(&endless).send();
    let mut held = events().await.unwrap();
    held.chunk().await.unwrap();
    let mut client = ready(&server).await;
    client.subscribe("a", "subscription { endless }").await;
    assert_eq!(client.next().await["type"], "next");
    let refused = events().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    client.subscribe("b", "subscription { endless }").await;
    assert_eq!(client.next().await["payload"][0]["extensions"]["code"], "TOO_MANY_SUBSCRIPTIONS");
    // A reader that goes leaves a place.
    drop(held);
    let again = async {
        loop {
            client.subscribe("b", "subscription { endless }").await;
            if client.next().await["type"] == "next" {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), again).await.expect("a place");
    client.send(&json!({ "id": "a", "type": "complete" })).await;
    client.subscribe("c", "subscription { endless }").await;
    assert_eq!(client.next().await["type"], "next");
}

#[tokio::test]
async fn sockets_count_for_the_address_and_then_for_who_signed_in() {
    let server = serve(Limits { client_sockets: 1, ..Limits::default() }).await;
    let mut named = open_socket(&server, Some("graphql-transport-ws"), &[]).await.ok().unwrap();
    let (status, body) = open_socket(&server, Some("graphql-transport-ws"), &[]).await.err().unwrap();
    assert_eq!((status, code_of(&body)), (429, "TOO_MANY_SOCKETS"));
    named.send(&json!({ "type": "connection_init", "payload": { "Authorization": "Bearer good" } })).await;
    assert_eq!(named.next().await["type"], "connection_ack");
    // The place at the address is free again, but the same person has no second one.
    let mut second = open_socket(&server, Some("graphql-transport-ws"), &[]).await.ok().unwrap();
    second.send(&json!({ "type": "connection_init", "payload": { "Authorization": "Bearer good" } })).await;
    assert_eq!(second.closed().await, 1013);
}
