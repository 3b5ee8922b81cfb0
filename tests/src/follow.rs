//! Followers of the changes, over WebSocket and over server-sent events.
use std::{pin::Pin, time::Duration};

use futures_util::{SinkExt, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::house::House;

/// The subscription that followers ask for.
pub(crate) const CHANGES: &str = "subscription($after: Position, $where: ChangeWhere) {
    changes(after: $after, where: $where) { position type kind subjectId version statusFrom statusTo regionCode } }";

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that speaks graphql-transport-ws.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket and says who is there.
    pub(crate) async fn open(house: &House, token: &str) -> Self {
        let payload =
            if token.is_empty() { json!({}) } else { json!({ "Authorization": format!("Bearer {token}") }) };
        let mut socket = Self::begin(house, payload).await;
        assert_eq!(socket.receive().await["type"], "connection_ack");
        socket
    }

    /// Opens a socket and says this of who is there.
    pub(crate) async fn begin(house: &House, payload: Value) -> Self {
        let mut request = house.url("/graphql").replacen("http", "ws", 1).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
        let (stream, _) = connect_async(request).await.unwrap();
        let mut socket = Self(stream);
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        socket
    }

    /// With which code and reason the other side closes.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("nothing came").expect("cut").unwrap();
            if let Message::Close(Some(frame)) = next {
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Begins to follow.
    pub(crate) async fn follow(&mut self, after: i64, filter: Value) {
        let variables = json!({ "after": after, "where": filter });
        let payload = json!({ "query": CHANGES, "variables": variables });
        self.send(json!({ "id": "1", "type": "subscribe", "payload": payload })).await;
    }

    /// The next change.
    pub(crate) async fn next(&mut self) -> Value {
        let mut message = self.receive().await;
        let change = message["payload"]["data"]["changes"].take();
        assert!(change.is_object(), "not a change: {message}");
        change
    }

    /// Whether nothing comes for a while.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.0.next()).await.is_err()
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message of the protocol.
    pub(crate) async fn receive(&mut self) -> Value {
        loop {
            let message =
                timeout(PATIENCE, self.0.next()).await.expect("nothing came").expect("cut").unwrap();
            if let Message::Text(text) = message {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

/// A stream of server-sent events.
pub(crate) struct Sse {
    bytes: Pin<Box<dyn Stream<Item = Vec<u8>> + Send>>,
    read: Vec<u8>,
}

impl Sse {
    /// Begins to follow.
    pub(crate) async fn follow(house: &House, token: &str, after: i64, filter: Value) -> Self {
        let body = json!({ "query": CHANGES, "variables": { "after": after, "where": filter } });
        let mut request =
            house.http().post(house.url("/graphql")).header("accept", "text/event-stream").json(&body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { bytes: response.bytes_stream().map(|bytes| bytes.unwrap().to_vec()).boxed(), read: Vec::new() }
    }

    /// The next event: its name and its data.
    pub(crate) async fn event(&mut self) -> (String, String) {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let event = self.read.drain(..end + 2).collect::<Vec<u8>>();
                let event = String::from_utf8(event).unwrap();
                let line = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                // A comment keeps the stream alive and says nothing.
                if event.starts_with(':') {
                    continue;
                }
                return (line("event:"), line("data:"));
            }
            let more = timeout(PATIENCE, self.bytes.next()).await.expect("nothing came").expect("cut");
            self.read.extend(more);
        }
    }

    /// The next change.
    pub(crate) async fn next(&mut self) -> Value {
        let (name, data) = self.event().await;
        assert_eq!(name, "next", "{data}");
        let mut reply: Value = serde_json::from_str(&data).unwrap();
        let change = reply["data"]["changes"].take();
        assert!(change.is_object(), "not a change: {data}");
        change
    }
}
