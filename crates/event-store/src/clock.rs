//! The one place that reads the machine's clock and randomness; and a clock that is set by hand.
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Duration, SubsecRound, Utc};
use uuid::Uuid;
use zhixing_domain::Clock;

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    fn now(&self) -> DateTime<Utc> {
        // Both databases keep microseconds: more would be lost on the way and break hashes.
        Utc::now().trunc_subsecs(6)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Random bytes for secrets, from the system.
///
/// # Errors
/// When the system gives none.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A clock that is set by hand and moves on by a millisecond whenever it is read: for simulations and tests. Its ids are
/// of its own time, with a counter where chance would stand, so they never repeat and are in order.
#[derive(Debug)]
pub struct SimulatedClock {
    micros: AtomicI64,
    ids: AtomicU64,
}

const TICK: i64 = 1_000;

impl SimulatedClock {
    /// A clock that stands at this instant.
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self { micros: AtomicI64::new(instant.timestamp_micros()), ids: AtomicU64::new(0) }
    }
    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.micros.fetch_add(time.num_microseconds().unwrap_or(0), Ordering::SeqCst);
    }
    /// Sets it to this instant, unless it is there or beyond: time never runs backwards.
    pub fn advance_to(&self, instant: DateTime<Utc>) {
        self.micros.fetch_max(instant.timestamp_micros(), Ordering::SeqCst);
    }
    /// The instant, without moving on.
    pub fn look(&self) -> DateTime<Utc> {
        instant(self.micros.load(Ordering::SeqCst))
    }
}

fn instant(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::UNIX_EPOCH)
}

impl Clock for SimulatedClock {
    fn now(&self) -> DateTime<Utc> {
        instant(self.micros.fetch_add(TICK, Ordering::SeqCst) + TICK)
    }

    fn new_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&number.to_be_bytes());
        let millis = u64::try_from(self.micros.load(Ordering::SeqCst) / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }
}
