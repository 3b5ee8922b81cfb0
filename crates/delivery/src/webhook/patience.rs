//! When a delivery that failed is tried again, and when it is enough.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// A delivery is tried for so long before it is parked.
pub const ENOUGH: TimeDelta = TimeDelta::days(3);
/// How long a receiver can make us wait by `Retry-After`.
pub const MOST_ASKED_FOR: Duration = Duration::from_hours(24);

/// The waits after the first, second … failure; the last one repeats.
const WAITS: [Duration; 10] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
];

/// How long to wait after failure number `failures` (from 1). `chance`, a number between 0 and 1, takes up to a fifth away or adds
/// it, so that those who failed together do not come back together.
pub fn wait(failures: u32, chance: f64) -> Duration {
    let place = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX);
    let wait = WAITS[place.min(WAITS.len() - 1)];
    wait.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

/// Whether what fails since then has been tried for long enough.
pub fn is_enough(failing_since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - failing_since >= ENOUGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay() {
        assert_eq!(wait(1, 0.5), Duration::from_secs(5));
        assert_eq!(wait(1, 0.0), Duration::from_secs(4));
        assert_eq!(wait(2, 1.0), Duration::from_secs(36));
        assert_eq!(wait(10, 0.5), wait(u32::MAX, 0.5));
        assert!((1..10).all(|failures| wait(failures, 0.5) < wait(failures + 1, 0.5)));
    }

    #[test]
    fn three_days_are_enough() {
        let since = DateTime::UNIX_EPOCH;
        assert!(!is_enough(since, since + TimeDelta::hours(71)));
        assert!(is_enough(since, since + TimeDelta::hours(72)));
    }
}
