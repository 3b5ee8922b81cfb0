//! The one place that reads the machine's clock and randomness.
use chrono::{DateTime, SubsecRound, Utc};
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
