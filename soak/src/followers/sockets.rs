//! Very many sockets that follow the changes, each a task that notes when something came.
use std::{net::SocketAddr, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use zhixing_domain::Clock;
use zhixing_event_store::SystemClock;

use crate::Outcome;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long anything may take to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Sockets that are opened at the same time.
const AT_ONCE: usize = 100;

/// Opens a socket and follows the changes behind a position, or from now on.
async fn follow(address: SocketAddr, token: &str, after: Option<usize>) -> Outcome<Socket> {
    let mut request = format!("ws://{address}/graphql").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (mut socket, _) = connect_async(request).await?;
    let hello = format!(r#"{{"type":"connection_init","payload":{{"Authorization":"Bearer {token}"}}}}"#);
    socket.send(Message::text(hello)).await?;
    let ready = next(&mut socket).await?;
    if !ready.contains("connection_ack") {
        return Err(ready.into());
    }
    let after = after.map_or_else(|| "null".to_owned(), |after| after.to_string());
    let query =
        "subscription($after: Position) { changes(after: $after) { position type subjectId recordedAt } }";
    let follow = format!(
        r#"{{"id":"1","type":"subscribe","payload":{{"query":"{query}","variables":{{"after":{after}}}}}}}"#
    );
    socket.send(Message::text(follow)).await?;
    Ok(socket)
}

async fn next(socket: &mut Socket) -> Outcome<String> {
    loop {
        let message = timeout(PATIENCE, socket.next()).await?.ok_or("the socket was closed")??;
        match message {
            Message::Text(text) => return Ok(text.to_string()),
            Message::Close(frame) => return Err(format!("closed: {frame:?}").into()),
            _ => {}
        }
    }
}

/// Follows the whole past over one socket.
pub(super) async fn replay(address: SocketAddr, token: &str, events: usize) -> Outcome {
    let mut socket = follow(address, token, Some(0)).await?;
    for _ in 0..events {
        let text = next(&mut socket).await?;
        if !text.contains(r#""type":"next""#) {
            return Err(text.into());
        }
    }
    Ok(())
}

/// Sockets that follow, until they are dropped.
pub(super) struct Sockets {
    count: usize,
    heard: tokio::sync::Mutex<mpsc::Receiver<Heard>>,
    _following: JoinSet<()>,
}

/// A change that one socket heard of.
struct Heard {
    /// When it was recorded, and when it came.
    recorded_at: DateTime<Utc>,
    at: DateTime<Utc>,
}

impl Sockets {
    pub(super) async fn open(address: SocketAddr, count: usize, token: &str) -> Outcome<Self> {
        let (tell, heard) = mpsc::channel(2 * count);
        let mut following = JoinSet::new();
        let mut left = count;
        while left > 0 {
            let some = left.min(AT_ONCE);
            let opening = (0..some).map(|_| follow(address, token, None));
            for socket in futures_util::future::join_all(opening).await {
                following.spawn(listen(socket?, tell.clone()));
            }
            left -= some;
        }
        // The last of them are taken up by the service now.
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Self { count, heard: tokio::sync::Mutex::new(heard), _following: following })
    }

    /// Waits until every socket has heard of one change: after how many milliseconds each did.
    pub(super) async fn heard(&self) -> Outcome<Vec<f64>> {
        let mut heard = self.heard.lock().await;
        let mut waits = Vec::with_capacity(self.count);
        for _ in 0..self.count {
            let one = timeout(PATIENCE, heard.recv()).await.ok().flatten();
            let Heard { recorded_at, at } =
                one.ok_or_else(|| format!("only {} of {} followers heard", waits.len(), self.count))?;
            let wait = (at - recorded_at).to_std().unwrap_or_default();
            waits.push(wait.as_secs_f64() * 1_000.0);
        }
        Ok(waits)
    }
}

async fn listen(mut socket: Socket, tell: mpsc::Sender<Heard>) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        let at = SystemClock.now();
        let recorded = text.split_once(r#""recordedAt":""#).and_then(|(_, rest)| rest.split('"').next());
        let Some(recorded_at) = recorded.and_then(|text| text.parse().ok()) else { continue };
        if tell.send(Heard { recorded_at, at }).await.is_err() {
            return;
        }
    }
}
