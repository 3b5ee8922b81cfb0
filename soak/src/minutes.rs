//! What a process did in each minute, so that "held without growth" can be seen.
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

/// Most commands of a minute whose times are kept; those beyond are counted only.
const MOST: usize = 2_000_000;
const MINUTE: Duration = Duration::from_mins(1);

/// How long the commands of this minute took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    micros: Vec<u32>,
    commands: u64,
}

/// One minute of one process.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Minute {
    number: u64,
    per_second: u64,
    p50_ms: f64,
    p99_ms: f64,
    /// Resident memory in MiB; 0 where the system does not tell.
    memory: u64,
}

impl Times {
    /// One command took so long.
    pub(crate) fn note(&self, took: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.commands += 1;
        if kept.micros.len() < MOST {
            kept.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
    }

    /// Tells of every whole minute, until the task is ended.
    pub(crate) async fn tell_minutes(self, tell: impl Fn(&Minute)) {
        for number in 1.. {
            let begun = Instant::now();
            tokio::time::sleep(MINUTE).await;
            let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
            tell(&kept.minute(number, begun.elapsed()));
        }
    }
}

impl Kept {
    fn minute(mut self, number: u64, length: Duration) -> Minute {
        self.micros.sort_unstable();
        let at = |share: usize| {
            let place = (self.micros.len() * share / 100).min(self.micros.len().saturating_sub(1));
            self.micros.get(place).map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
        };
        let (p50_ms, p99_ms) = (at(50), at(99));
        let per_second = self.commands * 1_000 / u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1);
        Minute { number, per_second, p50_ms, p99_ms, memory: resident("self") }
    }
}

impl std::fmt::Display for Minute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, per_second, p50_ms, p99_ms, memory } = self;
        write!(
            f,
            "minute {number}: {per_second} commands/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, memory {memory} MiB"
        )
    }
}

/// Resident memory of a process in MiB, where there is `/proc`.
pub(crate) fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) / 1_024
}
