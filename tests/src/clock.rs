//! A clock that a story holds in its hand.
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;
use zhixing_domain::Clock;

/// Begins on 15 June 2019, ten o'clock in China, and moves on by a millisecond whenever it is read.
#[derive(Debug)]
pub(crate) struct TestClock {
    micros: AtomicI64,
    ids: AtomicU64,
}

/// 2019-06-15T02:00:00Z in microseconds.
const BEGINNING: i64 = 1_560_564_000_000_000;
const TICK: i64 = 1_000;

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { micros: AtomicI64::new(BEGINNING), ids: AtomicU64::new(0) }
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        self.micros.fetch_add(time.num_microseconds().unwrap(), Ordering::SeqCst);
    }

    /// The instant, without moving on.
    pub(crate) fn look(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.load(Ordering::SeqCst)).unwrap()
    }
}

impl Clock for TestClock {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.micros.fetch_add(TICK, Ordering::SeqCst) + TICK).unwrap()
    }

    /// UUIDv7 of the test's time; a counter stands where chance would, so that ids never repeat and are in order.
    fn new_id(&self) -> Uuid {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&number.to_be_bytes());
        let millis = u64::try_from(self.micros.load(Ordering::SeqCst) / 1_000).unwrap();
        uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
    }
}
