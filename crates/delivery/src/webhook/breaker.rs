//! A circuit breaker: an endpoint that fails for everybody is left alone for a while.
use std::time::{Duration, Instant};

/// Failures in a row, of whichever subjects, after which it opens.
const FAILURES: u32 = 10;
/// How long it stays open the first time; each time in a row twice as long.
const FIRST: Duration = Duration::from_secs(30);
/// How long it stays open at most.
const LONGEST: Duration = Duration::from_mins(15);

/// Whether an endpoint is asked at all. While it is open nobody asks; then one attempt decides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    failures: u32,
    opened: u32,
    until: Option<Instant>,
}

impl Breaker {
    /// Until when nothing is to be sent.
    pub fn open_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }
    /// Whether one attempt alone decides how it goes on.
    pub fn is_on_trial(&self) -> bool {
        self.opened > 0
    }
    /// The endpoint has answered as it should.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
    /// It has not. Whether the breaker opens by that.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES && !self.is_on_trial() || self.open_until(now).is_some() {
            return false;
        }
        self.until = Some(now + FIRST.saturating_mul(1 << self.opened.min(10)).min(LONGEST));
        self.opened = self.opened.saturating_add(1);
        true
    }
    /// It asks to be left alone for so long.
    pub fn rest(&mut self, now: Instant, wait: Duration) {
        self.until = self.until.max(Some(now + wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_failures_in_a_row_and_longer_each_time() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        assert!((1..FAILURES).all(|_| !breaker.failed(now)));
        assert!(breaker.failed(now));
        assert_eq!(breaker.open_until(now), Some(now + FIRST));
        assert!(!breaker.failed(now), "what was on its way fails too");
        let later = now + FIRST;
        assert_eq!(breaker.open_until(later), None);
        assert!(breaker.is_on_trial());
        assert!(breaker.failed(later), "one attempt decides");
        assert_eq!(breaker.open_until(later), Some(later + FIRST * 2));
        let mut at = later;
        for _ in 0..20 {
            at = breaker.open_until(at).unwrap();
            assert!(breaker.failed(at));
        }
        assert_eq!(breaker.open_until(at), Some(at + LONGEST));
        breaker.succeeded();
        assert!(!breaker.is_on_trial() && breaker.open_until(at).is_none());
    }

    #[test]
    fn who_asks_for_rest_gets_it() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.rest(now, FIRST);
        breaker.rest(now, FIRST / 2);
        assert_eq!(breaker.open_until(now), Some(now + FIRST));
        assert!(!breaker.is_on_trial());
    }
}
