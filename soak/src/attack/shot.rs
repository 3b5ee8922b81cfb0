//! One shot: bytes on a connection of its own, as no decent client would send them, and what comes back.
use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// How long a shot waits for its answer, beyond what the limit grants.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ANSWER: usize = 1 << 20;
/// How long a body may take and a WebSocket may stay uninitialised, by default.
const SLOW_BODY: Duration = Duration::from_secs(15);
const SILENT_SOCKET: Duration = Duration::from_secs(10);
/// Between two bytes of a slow body.
const DRIP: Duration = Duration::from_millis(200);

/// What is sent.
#[derive(Clone)]
pub(super) enum Shot {
    /// These bytes.
    Bytes(Arc<[u8]>),
    /// These, and then for ever a byte now and then.
    Dripping(Arc<[u8]>),
    /// A WebSocket is opened, and nothing is said on it.
    SilentSocket,
}

/// The status of an answer and the code of its first error; a WebSocket has 101 and its close code.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Answer {
    pub status: u16,
    pub code: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            0 => f.write_str(&self.code),
            status => write!(f, "{status} {}", self.code),
        }
    }
}

impl Shot {
    /// What the limit that refuses it grants before.
    pub(super) fn grants(&self) -> Duration {
        match self {
            Self::Bytes(_) => Duration::ZERO,
            Self::Dripping(_) => SLOW_BODY,
            Self::SilentSocket => SILENT_SOCKET,
        }
    }

    /// Fires once.
    pub(super) async fn fire(&self, to: SocketAddr) -> Answer {
        let answer = tokio::time::timeout(self.grants() + PATIENCE, self.answer(to)).await;
        let lost = |what: String| Answer { status: 0, code: what };
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => lost(format!("connection lost: {error}")),
            Err(_) => lost("no answer".into()),
        }
    }

    async fn answer(&self, to: SocketAddr) -> io::Result<Answer> {
        let mut stream = connect(to).await?;
        let (mut reader, mut writer) = stream.split();
        // An answer may come before all is sent; then sending fails, and what matters is the answer.
        let sending = async {
            match self {
                Self::Bytes(bytes) => drop(writer.write_all(bytes).await),
                Self::Dripping(head) => {
                    let mut sent = writer.write_all(head).await;
                    while sent.is_ok() {
                        tokio::time::sleep(DRIP).await;
                        sent = writer.write_all(b" ").await;
                    }
                }
                Self::SilentSocket => drop(writer.write_all(UPGRADE.as_bytes()).await),
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answer = read(&mut reader) => answer,
            () = sending => Err(io::ErrorKind::Other.into()),
        }
    }
}

const UPGRADE: &str = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";

async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Systems other than Linux have no such address; then all come from one.
    let _ = socket.bind(SocketAddr::from(([127, 0, 0, 2], 0)));
    socket.connect(to).await
}

/// A socket on which nothing is said, or half a head.
pub(super) async fn idle(to: SocketAddr, half: bool) -> io::Result<TcpStream> {
    let mut stream = connect(to).await?;
    if half {
        stream.write_all(b"POST /graphql HTTP/1.1\r\nHost: att").await?;
    }
    Ok(stream)
}

/// Whether the other side has not closed it.
pub(super) fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn read(reader: &mut (impl AsyncReadExt + Unpin)) -> io::Result<Answer> {
    let mut read = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let count = reader.read(&mut chunk).await?;
        read.extend_from_slice(&chunk[..count]);
        if let Some(answer) = parsed(&read) {
            return Ok(answer);
        }
        if count == 0 || read.len() > ANSWER {
            return Ok(Answer { status: 0, code: "closed without an answer".into() });
        }
    }
}

/// The answer, when it is complete.
fn parsed(read: &[u8]) -> Option<Answer> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let body = &read[end..];
    if status == 101 {
        // A close frame of a server: its code in two bytes, with no mask.
        let [0x88, length, high, low, ..] = *body else { return None };
        let code = if length < 2 { 0 } else { u16::from_be_bytes([high, low]) };
        return Some(Answer { status, code: code.to_string() });
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    if body.len() < length.unwrap_or(0) {
        return None;
    }
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    Some(Answer { status, code: code(&said).unwrap_or_default().into() })
}

/// The code of the first error, of the request or of a payload.
fn code(said: &Value) -> Option<&str> {
    let of_request = said["errors"][0]["extensions"]["code"].as_str();
    let payload = || said["data"].as_object()?.values().next()?["errors"][0]["code"].as_str();
    of_request.or_else(payload)
}
