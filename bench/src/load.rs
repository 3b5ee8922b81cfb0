//! Callers side by side for a while: how much they get done, and how long each call takes.
//!
//! The peer's program includes this file too, so that both are measured alike.
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// Whatever went wrong.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One who calls, waits for the answer, and calls again.
pub trait Caller: Send + 'static {
    /// One call.
    fn call(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// What one run came to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// Calls (or events) in a second.
    pub per_second: f64,
    /// Half of the calls took no longer, in milliseconds.
    pub p50_ms: f64,
    /// All but a hundredth of the calls took no longer, in milliseconds.
    pub p99_ms: f64,
    /// Processor time of a call in this program (or in `pgbench` or the peer), in microseconds.
    #[serde(default)]
    pub cpu_here_us: f64,
    /// Processor time of a call in PostgreSQL, in microseconds.
    #[serde(default)]
    pub cpu_postgres_us: f64,
}

impl Sample {
    /// A run of `done` calls in `took`, with how long single calls took, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
    pub fn of(done: usize, took: Duration, mut micros: Vec<u64>) -> Self {
        micros.sort_unstable();
        let at = |share: usize| {
            let place = (micros.len() * share / 100).min(micros.len().saturating_sub(1));
            micros.get(place).copied().unwrap_or(0) as f64 / 1_000.0
        };
        Self {
            per_second: done as f64 / took.as_secs_f64(),
            p50_ms: at(50),
            p99_ms: at(99),
            cpu_here_us: 0.0,
            cpu_postgres_us: 0.0,
        }
    }
}

/// Lets every caller call for `length` after a warm-up of a fifth of it; only what begins and ends inside counts.
///
/// # Errors
/// When a call fails: what is measured must work.
pub async fn drive<C: Caller>(callers: Vec<C>, length: Duration) -> Result<(Sample, Vec<C>), Fault> {
    let begin = Instant::now() + length / 5;
    let end = begin + length;
    let mut running = JoinSet::new();
    for mut caller in callers {
        running.spawn(async move {
            let mut micros = Vec::with_capacity(4_096);
            loop {
                let called = Instant::now();
                if called >= end {
                    return Ok::<_, Fault>((caller, micros));
                }
                caller.call().await?;
                let answered = Instant::now();
                if called >= begin && answered <= end {
                    micros.push(u64::try_from((answered - called).as_micros()).unwrap_or(u64::MAX));
                }
            }
        });
    }
    let (mut back, mut all) = (Vec::new(), Vec::new());
    while let Some(done) = running.join_next().await {
        let (caller, micros) = done??;
        back.push(caller);
        all.extend(micros);
    }
    Ok((Sample::of(all.len(), length, all), back))
}
