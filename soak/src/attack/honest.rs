//! An honest client, and how long it waits.
use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use reqwest::Client;
use serde_json::{Value, json};

use crate::{Failure, Outcome};

/// Requests at work at the same time, and the pause behind each.
const AT_ONCE: usize = 4;
const PAUSE: Duration = Duration::from_millis(10);
/// One request of so many is a command.
const COMMAND: usize = 10;

/// Small enough that what one client may spend in a second is never spent.
const READ: &str =
    "{ units(first: 5) { nodes { id name status region { name } availableActions { action } } } }";
const WRITE: &str =
    "mutation($input: RegisterUnit!) { registerUnit(input: $input) { position errors { code } } }";

/// Reads pages and registers a unit now and then.
pub(super) struct Honest {
    http: Client,
    url: String,
    token: String,
    registered: AtomicU64,
}

/// How it went for a while.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub requests: usize,
    pub failed: usize,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, requests, .. } = self;
        write!(f, "{requests} requests, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms")
    }
}

impl Pace {
    /// How many times the other's p99 this one is.
    pub(super) fn p99_over(&self, other: Self) -> f64 {
        self.p99_ms / other.p99_ms.max(0.001)
    }
}

impl Honest {
    pub(super) fn new(url: String, token: String) -> Outcome<Self> {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, url, token, registered: AtomicU64::new(0) })
    }

    /// Asks for so long.
    pub(super) async fn asks(&self, length: Duration) -> Outcome<Pace> {
        let until = Instant::now() + length;
        let asking = (0..AT_ONCE).map(|_| self.ask_until(until));
        let mut times = Vec::new();
        let mut failed = 0;
        for (took, failures) in futures_util::future::join_all(asking).await {
            times.extend(took);
            failed += failures;
        }
        times.sort_unstable();
        let at = |hundredth: usize| {
            let place = (times.len() * hundredth / 100).min(times.len().saturating_sub(1));
            times.get(place).copied().ok_or_else(|| Failure::from("the honest client gets no answer"))
        };
        let in_ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        Ok(Pace { p50_ms: in_ms(at(50)?), p99_ms: in_ms(at(99)?), requests: times.len(), failed })
    }

    async fn ask_until(&self, until: Instant) -> (Vec<Duration>, usize) {
        let (mut times, mut failed) = (Vec::new(), 0);
        while Instant::now() < until {
            let begun = Instant::now();
            failed += usize::from(self.ask(times.len() % COMMAND == 0).await.is_none());
            times.push(begun.elapsed());
            tokio::time::sleep(PAUSE).await;
        }
        (times, failed)
    }

    /// One request; none when it was not answered as it should be.
    async fn ask(&self, is_command: bool) -> Option<()> {
        let body = if is_command {
            let name = format!("单位 {}", self.registered.fetch_add(1, Ordering::Relaxed));
            json!({ "query": WRITE, "variables": { "input": {
                "name": name, "kind": "UNIT_GROUP", "regionCode": "100000" } } })
        } else {
            json!({ "query": READ })
        };
        let answer = self.http.post(&self.url).bearer_auth(&self.token).json(&body).send().await.ok()?;
        let said: Value = answer.json().await.ok()?;
        let refused =
            said["data"]["registerUnit"]["errors"].as_array().is_some_and(|errors| !errors.is_empty());
        (said["errors"].is_null() && !refused).then_some(())
    }
}
