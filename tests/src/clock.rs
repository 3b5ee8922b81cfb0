//! The clock that a story holds in its hand.
use zhixing_event_store::SimulatedClock;

/// Begins on 15 June 2019, ten o'clock in China.
pub(crate) fn clock() -> SimulatedClock {
    SimulatedClock::at("2019-06-15T02:00:00Z".parse().unwrap())
}
