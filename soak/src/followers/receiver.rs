//! A webhook receiver that takes everything as fast as it can.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, Router, body::Bytes, extract::State, response::IntoResponse, routing::post};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

use crate::Outcome;

/// When the first came, when the last, and how many.
#[derive(Clone, Copy, Default)]
struct Count {
    first: Option<Instant>,
    last: Option<Instant>,
    taken: u64,
}

type Taken = Arc<watch::Sender<Count>>;

/// Listens until it is dropped.
pub(super) struct Receiver {
    url: String,
    taken: Taken,
    listening: JoinHandle<()>,
}

impl Receiver {
    pub(super) async fn start() -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/in", listener.local_addr()?);
        let taken = Taken::default();
        let router = Router::new().route("/in", post(take)).with_state(taken.clone());
        let listening = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, taken, listening })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// How long it took from the first delivery to this one.
    pub(super) async fn first_to(&self, count: u64, patience: Duration) -> Outcome<Duration> {
        let mut taken = self.taken.subscribe();
        let reached = timeout(patience, taken.wait_for(|count_so_far| count_so_far.taken >= count)).await;
        let so_far = *self.taken.borrow();
        let (Ok(_), Some(first), Some(last)) = (reached, so_far.first, so_far.last) else {
            return Err(format!("only {} of {count} deliveries came", so_far.taken).into());
        };
        Ok(last - first)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn take(State(taken): State<Taken>, body: Bytes) -> impl IntoResponse {
    if body.windows(9).any(|part| part == b"challenge") {
        let said: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(challenge) = said.get("challenge") {
            return Json(serde_json::json!({ "challenge": challenge }));
        }
    }
    let now = Instant::now();
    taken.send_modify(|count| {
        count.first.get_or_insert(now);
        count.last = Some(now);
        count.taken += 1;
    });
    Json(Value::Null)
}
