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

async fn reserve(server: &Server) -> String {
    let answer = reqwest::Client::new().put(server.url()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 201);
    answer.text().await.unwrap()
}

async fn run(server: &Server, token: &str, query: &str, id: &str) -> u16 {
    let body = json!({ "query": query, "extensions": { "operationId": id } });
    let request = server.post().header("x-graphql-event-stream-token", token).json(&body);
    request.send().await.unwrap().status().as_u16()
}

/// Reads a stream until it has this.
async fn until(answer: &mut reqwest::Response, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        text.push_str(std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn one_stream_carries_the_answers_of_all_operations() {
    let server = serve(Limits { report_cost: false, ..Limits::default() }).await;
    let token = reserve(&server).await;
    let url = format!("{}?token={token}", server.url());
    let mut stream = reqwest::get(&url).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(reqwest::get(&url).await.unwrap().status().as_u16(), 409, "one reader");
    assert_eq!(run(&server, &token, "{ hello }", "a").await, 202);
    let told = until(&mut stream, "event: complete").await;
    assert_eq!(
        told,
        ":\n\nevent: next\ndata: {\"id\":\"a\",\"payload\":{\"data\":{\"hello\":\"hello you\"}}}\n\n\
         event: complete\ndata: {\"id\":\"a\"}\n\n"
    );
    assert_eq!(run(&server, &token, "subscription { endless }", "b").await, 202);
    assert_eq!(run(&server, &token, "{ hello }", "b").await, 409, "an id stands for one operation");
    assert_eq!(run(&server, &token, "{ hello }", "").await, 400);
    assert_eq!(run(&server, &token, "{ nothing }", "c").await, 400, "what is not valid is refused at once");
    assert_eq!(run(&server, "other", "{ hello }", "d").await, 404);
    let stop = reqwest::Client::new().delete(format!("{}?operationId=b", server.url()));
    let stopped = stop.header("x-graphql-event-stream-token", &token).send().await.unwrap();
    assert_eq!(stopped.status().as_u16(), 200);
    assert_eq!(run(&server, &token, "subscription { count(to: 2) }", "b").await, 202, "its id is free again");
    assert!(until(&mut stream, "event: complete").await.contains("{\"data\":{\"count\":2}}"));
    // Whoever goes takes what runs along.
    drop(stream);
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    while run(&server, &token, "{ hello }", "e").await != 404 {
        assert!(tokio::time::Instant::now() < end, "the stream is not given up");
    }
}

#[tokio::test]
async fn streams_are_for_those_who_reserved_them_and_few_for_each() {
    let server = serve(Limits { client_sockets: 2, ..Limits::default() }).await;
    let token = reserve(&server).await;
    let body = json!({ "query": "{ hello }", "extensions": { "operationId": "a" } });
    let other = server.post().bearer_auth("good").header("x-graphql-event-stream-token", &token).json(&body);
    assert_eq!(other.send().await.unwrap().status().as_u16(), 404);
    reserve(&server).await;
    let third = reqwest::Client::new().put(server.url()).send().await.unwrap();
    assert_eq!(third.status().as_u16(), 429);
    let refused = reqwest::Client::new().put(server.url()).bearer_auth("bad").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
}
