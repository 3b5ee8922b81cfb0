//! `graphql-transport-ws` through a real listener.

use super::*;
use futures_util::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(super) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Opens a socket with these headers besides the subprotocol, or tells the status of the refusal.
pub(super) async fn open(
    server: &Server,
    protocol: Option<&str>,
    headers: &[(&'static str, &str)],
) -> Result<Client, (u16, Json)> {
    let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
    for (name, value) in
        protocol.map(|name| ("sec-websocket-protocol", name)).into_iter().chain(headers.iter().copied())
    {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    match tokio_tungstenite::connect_async(request).await {
        Ok((socket, answer)) => {
            assert_eq!(answer.headers()["sec-websocket-protocol"], "graphql-transport-ws");
            Ok(Client(socket))
        }
        Err(tungstenite::Error::Http(answer)) => {
            let body = answer.body().as_deref().unwrap_or_default();
            Err((answer.status().as_u16(), serde_json::from_slice(body).unwrap_or_default()))
        }
        Err(error) => panic!("{error}"),
    }
}

async fn connect(server: &Server) -> Client {
    open(server, Some("graphql-transport-ws"), &[]).await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

pub(super) async fn ready(server: &Server) -> Client {
    let mut client = connect(server).await;
    client.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(client.next().await, json!({ "type": "connection_ack" }));
    client
}

impl Client {
    pub(super) async fn send(&mut self, message: &Json) {
        self.raw(Message::Text(message.to_string().into())).await;
    }

    async fn raw(&mut self, message: Message) {
        self.0.send(message).await.expect("sent");
    }

    pub(super) async fn subscribe(&mut self, id: &str, query: &str) {
        self.send(&json!({ "id": id, "type": "subscribe", "payload": { "query": query } })).await;
    }

    async fn frame(&mut self) -> Message {
        let frame = tokio::time::timeout(Duration::from_secs(5), self.0.next()).await.expect("in time");
        frame.expect("a frame").expect("a good one")
    }

    /// The next message of the protocol.
    pub(super) async fn next(&mut self) -> Json {
        loop {
            match self.frame().await {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The close code, whatever comes before it.
    pub(super) async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.frame().await {
                return frame.expect("a code").code.into();
            }
        }
    }
}

#[tokio::test]
async fn operations_of_all_kinds_run() {
    let server = serve(Limits { report_cost: false, ..Limits::default() }).await;
    let mut client = ready(&server).await;
    client.subscribe("a", "subscription { count(to: 2) }").await;
    for expected in [
        json!({ "id": "a", "type": "next", "payload": { "data": { "count": 1 } } }),
        json!({ "id": "a", "type": "next", "payload": { "data": { "count": 2 } } }),
        json!({ "id": "a", "type": "complete" }),
    ] {
        assert_eq!(client.next().await, expected);
    }
    // The id is free again.
    client.subscribe("a", "mutation { bump(by: 2) }").await;
    assert_eq!(client.next().await["payload"]["data"]["bump"], 2);
    assert_eq!(client.next().await, json!({ "id": "a", "type": "complete" }));
    client.subscribe("q", "{ hello missing }").await;
    assert_eq!(client.next().await["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(client.next().await["type"], "complete");
}

#[tokio::test]
async fn refused_operations_are_errors_without_complete() {
    let server = serve(Limits::default()).await;
    let mut client = ready(&server).await;
    for (query, code) in [
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ hello", "GRAPHQL_PARSE_FAILED"),
        ("subscription { denied }", "NOT_PERMITTED"),
        ("{ panics }", "INTERNAL"),
    ] {
        client.subscribe("a", query).await;
        let message = client.next().await;
        assert_eq!((&message["id"], &message["type"]), (&json!("a"), &json!("error")), "{query}");
        assert_eq!(message["payload"][0]["extensions"]["code"], code, "{query}");
    }
    client.subscribe("a", "subscription { panicking }").await;
    assert_eq!(client.next().await["payload"]["data"]["panicking"], 1);
    assert_eq!(client.next().await["payload"][0]["extensions"]["code"], "INTERNAL");
    client.send(&json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(client.next().await, json!({ "type": "pong" }));
    client.send(&json!({ "type": "pong" })).await;
    client.send(&json!({ "id": "unknown", "type": "complete" })).await;
    client.subscribe("b", "{ hello }").await;
    assert_eq!(client.next().await["type"], "next");
}

#[tokio::test]
async fn invalid_messages_close_with_4400() {
    let server = serve(Limits::default()).await;
    for message in [
        "no JSON".to_owned(),
        "[]".to_owned(),
        json!({ "type": "start" }).to_string(),
        json!({ "type": "next", "id": "a" }).to_string(),
        json!({ "type": "subscribe", "payload": { "query": "{ hello }" } }).to_string(),
        json!({ "type": "subscribe", "id": "", "payload": { "query": "{ hello }" } }).to_string(),
        json!({ "type": "subscribe", "id": 1, "payload": { "query": "{ hello }" } }).to_string(),
        json!({ "type": "subscribe", "id": "x".repeat(200), "payload": { "query": "{ hello }" } })
            .to_string(),
        json!({ "type": "subscribe", "id": "a" }).to_string(),
        json!({ "type": "subscribe", "id": "a", "payload": {} }).to_string(),
        json!({ "type": "subscribe", "id": "a", "payload": [{ "query": "{ hello }" }] }).to_string(),
        json!({ "type": "subscribe", "id": "a", "payload": { "query": 1 } }).to_string(),
        json!({ "type": "complete" }).to_string(),
        json!({ "type": "ping", "payload": 1 }).to_string(),
    ] {
        let mut client = ready(&server).await;
        client.raw(Message::Text(message.clone().into())).await;
        assert_eq!(client.closed().await, 4400, "{message}");
    }
    let mut client = ready(&server).await;
    client.raw(Message::Binary(b"{}".to_vec().into())).await;
    assert_eq!(client.closed().await, 4400);
}

#[tokio::test]
async fn the_protocol_closes_with_its_codes() {
    let limits = Limits { connection_init_timeout_ms: 100, ..Limits::default() };
    let server = serve(limits).await;
    let mut client = connect(&server).await;
    assert_eq!(client.closed().await, 4408);
    let mut client = connect(&server).await;
    client.subscribe("a", "{ hello }").await;
    assert_eq!(client.closed().await, 4401);
    let mut client = ready(&server).await;
    client.send(&json!({ "type": "connection_init" })).await;
    assert_eq!(client.closed().await, 4429);
    let mut client = ready(&server).await;
    client.subscribe("a", "subscription { endless }").await;
    client.subscribe("a", "subscription { endless }").await;
    assert_eq!(client.closed().await, 4409);
    let mut client = connect(&server).await;
    client.send(&json!({ "type": "connection_init", "payload": { "Authorization": "Bearer bad" } })).await;
    assert_eq!(client.closed().await, 4403);
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let server = serve(Limits::default()).await;
    let mut client = ready(&server).await;
    client.subscribe("a", "subscription { count(to: 1) }").await;
    client.next().await;
    client.next().await;
    let frame = CloseFrame { code: CloseCode::Normal, reason: "Normal Closure".into() };
    client.raw(Message::Close(Some(frame))).await;
    assert_eq!(client.closed().await, 1000);
    assert!(client.0.next().await.is_none(), "the connection ends after the answer, without an error");
}

#[tokio::test]
async fn frames_that_are_none_close_with_the_codes_of_rfc_6455() {
    let server = serve(Limits::default()).await;
    let unmasked: &[u8] = &[0x81, 0x00];
    let reserved_bit: &[u8] = &[0xc1, 0x80, 0, 0, 0, 0];
    let reserved_opcode: &[u8] = &[0x83, 0x80, 0, 0, 0, 0];
    let continues_nothing: &[u8] = &[0x80, 0x80, 0, 0, 0, 0];
    let not_utf_8: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28];
    for (frame, code) in [
        (unmasked, 1002),
        (reserved_bit, 1002),
        (reserved_opcode, 1002),
        (continues_nothing, 1002),
        (not_utf_8, 1007),
    ] {
        let mut client = ready(&server).await;
        client.0.get_mut().write_all(frame).await.expect("sent");
        assert_eq!(client.closed().await, code, "{frame:x?}");
    }
}

#[tokio::test]
async fn the_token_comes_with_init_or_with_the_upgrade() {
    let server = serve(Limits::default()).await;
    for payload in [
        json!({ "Authorization": "Bearer good" }),
        json!({ "authorization": "Bearer good" }),
        json!({ "headers": { "Authorization": "Bearer good" } }),
        Json::Null,
    ] {
        let header = if payload.is_null() { "Bearer good" } else { "Bearer other" };
        let mut client =
            open(&server, Some("graphql-transport-ws"), &[("authorization", header)]).await.ok().unwrap();
        client.send(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(client.next().await["type"], "connection_ack");
        client.subscribe("a", "{ viewer }").await;
        assert_eq!(client.next().await["payload"]["data"]["viewer"], "good");
    }
}

#[tokio::test]
async fn the_upgrade_asks_for_the_protocol_and_the_own_origin() {
    let server =
        serve(Limits { allowed_origins: vec!["https://desk.example.cn".to_owned()], ..Limits::default() })
            .await;
    for protocol in [None, Some("graphql-ws"), Some("soap")] {
        let (status, body) = open(&server, protocol, &[]).await.err().expect("refused");
        assert_eq!((status, code_of(&body)), (400, "BAD_REQUEST"), "{protocol:?}");
    }
    let protocols = Some("graphql-ws, graphql-transport-ws");
    assert!(open(&server, protocols, &[]).await.is_ok());
    let own = format!("http://{}", server.address);
    assert!(open(&server, protocols, &[("origin", &own)]).await.is_ok());
    assert!(open(&server, protocols, &[("origin", "https://desk.example.cn")]).await.is_ok());
    for origin in ["https://evil.example", "null"] {
        let (status, body) = open(&server, protocols, &[("origin", origin)]).await.err().expect("refused");
        assert_eq!((status, code_of(&body)), (403, "FORBIDDEN_ORIGIN"));
    }
}

#[tokio::test]
async fn a_socket_has_its_limits() {
    let server = serve(Limits {
        subscriptions: 2,
        ws_message_bytes: 1000,
        ws_outgoing_bytes: 5000,
        ..Limits::default()
    })
    .await;
    let mut client = ready(&server).await;
    for id in ["a", "b", "c"] {
        client.subscribe(id, "subscription { endless }").await;
        let message = client.next().await;
        let expected = if id == "c" { "error" } else { "next" };
        assert_eq!((&message["id"], &message["type"]), (&json!(id), &json!(expected)));
    }
    // One that is completed makes room.
    client.send(&json!({ "id": "a", "type": "complete" })).await;
    client.subscribe("d", "{ big(size: 6000) }").await;
    assert_eq!(client.next().await["payload"][0]["extensions"]["limit"], "ws_outgoing_bytes");
    client.subscribe("d", "{ big(size: 3000) }").await;
    assert_eq!(client.next().await["type"], "next");
    client
        .raw(Message::Text(
            format!("{{\"type\":\"ping\",\"payload\":{{\"a\":\"{}\"}}}}", "x".repeat(2000)).into(),
        ))
        .await;
    assert_eq!(client.closed().await, 1009);
}

/// Also when most of what is too long was never read.
#[tokio::test]
async fn whoever_says_too_much_hears_so() {
    let server = serve(Limits { ws_message_bytes: 1000, ..Limits::default() }).await;
    let mut client = ready(&server).await;
    client.raw(Message::Text("x".repeat(100_000).into())).await;
    assert_eq!(client.closed().await, 1009);
}

#[tokio::test]
async fn a_busy_stream_starves_nobody() {
    let server = serve(Limits::default()).await;
    let mut client = ready(&server).await;
    client.subscribe("flood", "subscription { flood }").await;
    client.subscribe("count", "subscription { count(to: 5) }").await;
    let (mut others, mut floods) = (0, 0);
    while others < 6 {
        let message = client.next().await;
        if message["id"] == "count" {
            others += 1;
        } else {
            floods += 1;
        }
        assert!(floods < 5000, "the other stream never got its turn");
    }
    // The client's own words are heard in the flood.
    client.send(&json!({ "id": "flood", "type": "complete" })).await;
    client.send(&json!({ "type": "ping" })).await;
    let silence = async { while client.next().await["type"] != "pong" {} };
    tokio::time::timeout(Duration::from_secs(5), silence).await.expect("heard");
    client.subscribe("q", "{ hello }").await;
    assert_eq!(client.next().await["id"], "q");
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_cut() {
    let server = serve(Limits { ws_write_timeout_ms: 200, ..Limits::default() }).await;
    let mut client = ready(&server).await;
    client.subscribe("flood", "subscription { flood }").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let rest = async { while let Some(Ok(_)) = client.0.next().await {} };
    tokio::time::timeout(Duration::from_secs(10), rest).await.expect("the socket ends");
}

#[tokio::test]
async fn a_silent_peer_is_cut_and_a_live_one_is_not() {
    let server = serve(Limits { ws_ping_ms: 50, ..Limits::default() }).await;
    // This one answers pings because it is polled.
    let mut live = ready(&server).await;
    // This one is not polled, so its pongs are never written.
    let mut dead = ready(&server).await;
    let end = tokio::time::Instant::now() + Duration::from_secs(1);
    while let Ok(frame) = tokio::time::timeout_at(end, live.0.next()).await {
        assert!(matches!(frame, Some(Ok(Message::Ping(_)))), "{frame:?}");
    }
    live.subscribe("a", "{ hello }").await;
    assert_eq!(live.next().await["type"], "next");
    let rest = async { while let Some(Ok(_)) = dead.0.next().await {} };
    tokio::time::timeout(Duration::from_secs(2), rest).await.expect("the socket is gone");
}

#[tokio::test]
async fn sockets_close_when_the_service_stops() {
    let server = serve(Limits::default()).await;
    let mut client = ready(&server).await;
    client.subscribe("a", "subscription { endless }").await;
    client.next().await;
    server.stop.send(true).unwrap();
    assert_eq!(client.closed().await, 1001);
}
