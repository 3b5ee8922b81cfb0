//! Server-sent events and multipart through a real listener.

use super::*;

async fn open(server: &Server, accept: &str, query: &str) -> reqwest::Response {
    server.post().header("accept", accept).json(&json!({ "query": query })).send().await.expect("an answer")
}

async fn events(server: &Server, query: &str) -> (u16, String) {
    let answer = open(server, "text/event-stream", query).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn events_come_and_complete() {
    let server = serve(Limits { report_cost: false, ..Limits::default() }).await;
    let (status, text) = events(&server, "subscription { count(to: 2) }").await;
    let expected = ":\n\nevent: next\ndata: {\"data\":{\"count\":1}}\n\nevent: next\ndata: {\"data\":{\"count\":2}}\n\n\
                    event: complete\ndata:\n\n";
    assert_eq!((status, text.as_str()), (200, expected));
    let (_, text) =
        events(&server, "subscription { ...f } fragment f on Feed { ... on Feed { count(to: 1) } }").await;
    assert!(text.contains("{\"data\":{\"count\":1}}"), "{text}");
    let (_, text) = events(&server, "{ hello }").await;
    assert_eq!(
        text,
        ":\n\nevent: next\ndata: {\"data\":{\"hello\":\"hello you\"}}\n\nevent: complete\ndata:\n\n"
    );
}

#[tokio::test]
async fn errors_are_events_too() {
    let server = serve(Limits::default()).await;
    for (query, code) in [
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { denied }", "NOT_PERMITTED"),
        ("subscription { panicking }", "INTERNAL"),
    ] {
        let (status, text) = events(&server, query).await;
        assert!(text.contains(code) && text.ends_with("event: complete\ndata:\n\n"), "{query}: {text}");
        assert_eq!(status, 200);
    }
    let refused = server
        .post()
        .header("accept", "text/event-stream")
        .header("authorization", "x")
        .json(&json!({}))
        .send();
    assert_eq!(refused.await.unwrap().status().as_u16(), 401);
}

#[tokio::test]
async fn get_opens_a_stream_and_anything_goes_means_events() {
    let server = serve(Limits::default()).await;
    let url = format!("{}?query=subscription%7Bcount(to:1)%7D", server.url());
    for accept in ["text/event-stream", "*/*"] {
        let answer = reqwest::Client::new().get(&url).header("accept", accept).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "text/event-stream; charset=utf-8");
        assert!(answer.text().await.unwrap().contains("event: next"));
    }
}

#[tokio::test]
async fn a_silent_stream_is_kept_alive_and_ends_with_the_client_or_the_service() {
    let server = serve(Limits { sse_keep_alive_ms: 20, ..Limits::default() }).await;
    let mut answer = open(&server, "text/event-stream", "subscription { endless }").await;
    let mut text = String::new();
    while text.matches(":\n\n").count() < 4 {
        text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.contains("event: next"));
    let before = OPEN.load(Ordering::SeqCst);
    assert!(before >= 1);
    drop(answer);
    tokio::time::timeout(Duration::from_secs(5), async {
        while OPEN.load(Ordering::SeqCst) >= before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the stream is dropped when the client is gone");
    let answer = open(&server, "text/event-stream", "subscription { endless }").await;
    server.stop.send(true).unwrap();
    let text =
        tokio::time::timeout(Duration::from_secs(5), answer.text()).await.expect("the stream ends").unwrap();
    assert!(!text.contains("complete"), "{text}");
}

#[tokio::test]
async fn multipart_subscriptions_have_the_payload_envelope() {
    let server = serve(Limits { report_cost: false, ..Limits::default() }).await;
    let accept = "multipart/mixed;subscriptionSpec=1.0, application/json";
    let answer = open(&server, accept, "subscription { count(to: 1) }").await;
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("multipart/mixed; boundary=\"graphql\"")
    );
    let expected = "--graphql\r\ncontent-type: application/json\r\n\r\n{\"payload\":{\"data\":{\"count\":1}}}\r\n--graphql--\r\n";
    assert_eq!(answer.text().await.unwrap(), expected);
    let text = open(&server, accept, "subscription { panicking }").await.text().await.unwrap();
    assert!(text.contains("{\"payload\":null,\"errors\":["), "{text}");
    let text = open(&server, "multipart/mixed", "{ hello }").await.text().await.unwrap();
    assert!(text.contains("\r\n\r\n{\"data\":{\"hello\""), "{text}");
}
