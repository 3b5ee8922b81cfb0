//! A real server on loopback, and a client that costs next to nothing: prepared bytes out, answers counted by length.
use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use zhixing_api::{
    config::Settings,
    projections,
    protocol::Limits,
    server::{self, Service},
};
use zhixing_event_store::EventStore;

use crate::load::{Caller, Fault};

/// How long read models may take to catch up.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server on loopback.
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    task: JoinHandle<()>,
    service: Option<Service>,
    _stop: watch::Sender<bool>,
}

impl Serving {
    /// Serves GraphQL as `zhixing serve` does, once its read models have caught up with the log.
    ///
    /// # Errors
    /// When it cannot listen or the read models do not come along.
    pub async fn graphql(store: &EventStore) -> Result<Self, Fault> {
        let service = Service::start(store.clone()).await?;
        for projection in projections::all() {
            service.projector.wait(projection.name(), store.head(), PATIENCE).await?;
        }
        let (stop, stopped) = watch::channel(false);
        // One client asks as fast as it can: what one client may ask for is not what is measured.
        let limits = Limits { client_operations: 0, client_cost_per_second: 0, ..Limits::default() };
        let settings = Settings { limits, ..Settings::default() };
        let router = server::router(&service, &settings, stopped)?;
        Ok(Self { service: Some(service), ..Self::listen(router, stop).await? })
    }

    /// Stops what it serves.
    pub async fn stop(mut self) {
        self.task.abort();
        if let Some(service) = self.service.take() {
            service.stop().await;
        }
    }

    /// Serves anything else.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn router(router: Router) -> Result<Self, Fault> {
        Self::listen(router, watch::channel(false).0).await
    }

    async fn listen(router: Router, stop: watch::Sender<bool>) -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, task, service: None, _stop: stop })
    }
}

/// The bytes of a GraphQL request; without a token it is nobody's in particular.
pub fn graphql(token: &str, query: &str, variables: &serde_json::Value) -> Vec<u8> {
    let body = serde_json::json!({ "query": query, "variables": variables }).to_string();
    let bearer = if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
    format!(
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\n{bearer}\
         accept: application/graphql-response+json\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The bytes of a plain request.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// One connection that is kept open.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// Most bytes of one answer.
const ANSWER: usize = 4 << 20;

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self, Fault> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and returns the body of the answer.
    ///
    /// # Errors
    /// When the status is not 200 or the connection breaks.
    pub async fn ask(&mut self, request: &[u8]) -> Result<&[u8], Fault> {
        self.stream.write_all(request).await?;
        self.received.clear();
        let (head, length) = loop {
            self.read().await?;
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, content_length(&self.received[..end])?);
            }
        };
        while self.received.len() < head + length {
            self.read().await?;
        }
        Ok(&self.received[head..head + length])
    }

    async fn read(&mut self) -> Result<(), Fault> {
        if self.received.len() > ANSWER || self.stream.read_buf(&mut self.received).await? == 0 {
            return Err("the answer broke off or is too long".into());
        }
        Ok(())
    }
}

fn content_length(head: &[u8]) -> Result<usize, Fault> {
    let head = std::str::from_utf8(head)?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(format!("unexpected answer: {head}").into());
    }
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, length) = lines
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer without a length")?;
    Ok(length.trim().parse()?)
}

/// Asks one of many prepared questions after the other on a connection of its own.
pub struct Asker {
    connection: Connection,
    questions: Arc<Vec<Vec<u8>>>,
    next: usize,
}

impl Asker {
    /// So many connections, each beginning elsewhere among the questions.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn several(
        count: usize,
        address: SocketAddr,
        questions: &Arc<Vec<Vec<u8>>>,
    ) -> Result<Vec<Self>, Fault> {
        let mut askers = Vec::with_capacity(count);
        for number in 0..count {
            let connection = Connection::open(address).await?;
            askers.push(Self { connection, questions: questions.clone(), next: number * 7_919 });
        }
        Ok(askers)
    }
}

impl Caller for Asker {
    async fn call(&mut self) -> Result<(), Fault> {
        self.next += 31;
        let question = &self.questions[self.next % self.questions.len()];
        let answer = self.connection.ask(question).await?;
        if answer.starts_with(br#"{"errors""#) {
            return Err(String::from_utf8_lossy(answer).into());
        }
        Ok(())
    }
}
