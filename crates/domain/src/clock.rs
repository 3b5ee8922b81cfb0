//! Where time and fresh ids come from: always passed in, so that a test or a simulation can be the clock.
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The only source of time and randomness a program has.
pub trait Clock: Send + Sync + 'static {
    /// The present instant, whole microseconds (what both databases keep).
    fn now(&self) -> DateTime<Utc>;
    /// A new time-ordered id (UUIDv7).
    fn new_id(&self) -> Uuid;
}
