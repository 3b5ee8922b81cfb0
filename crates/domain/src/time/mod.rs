//! Time that the law counts (期限): working days, time limits, deadlines. Pure: days come in, no clock is read.
pub mod calendar;
pub mod deadline;
pub mod due;
pub mod error;
pub mod moved;
pub mod rule;

pub use calendar::{Calendar, CalendarVersion, CalendarYear};
pub use deadline::{ClockFact, Deadline, deadline};
pub use due::{DueClock, DueSoon};
pub use error::{FileError, TimeError};
pub use moved::{Counted, Difference, Moved, moved};
pub use rule::{AppliedLimit, TimeLimit, TimeLimits, TimeUnit};

use serde::{Deserialize, Serialize};

/// A reference file as it was read: its name for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferenceFile {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The working days and time limits that the program counts with (时间参考数据).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeReference {
    /// Working days and days of rest.
    pub calendar: Calendar,
    /// Time limits in all their versions.
    pub limits: TimeLimits,
}

impl TimeReference {
    /// What the program knows by itself. Tests hold that every file that is compiled in is read.
    pub fn embedded() -> Self {
        Self {
            calendar: Calendar::embedded().unwrap_or_default(),
            limits: TimeLimits::embedded().unwrap_or_default(),
        }
    }
}
