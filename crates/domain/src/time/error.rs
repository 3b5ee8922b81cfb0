//! What cannot be counted, and which reference file cannot be used.
use thiserror::Error;

use crate::Date;

/// Why a day could not be counted to. Nothing is ever guessed instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    /// The working days of a year are not known.
    #[error("the working-day calendar of {year} is missing: it is published late in the year before")]
    CalendarMissing {
        /// Which year.
        year: i32,
    },
    /// No version of a time limit was in force.
    #[error("no time limit {code} is known that was in force on {on}")]
    LimitMissing {
        /// Its code.
        code: String,
        /// The day on which the clock started.
        on: Date,
    },
    /// More days than are counted, or a date outside of the years 1900 to 2200.
    #[error("{field}: leads too far")]
    TooFar {
        /// The argument that does.
        field: &'static str,
    },
    /// What is said of a clock cannot have happened.
    #[error("fact {at} of the clock: {reason}")]
    Facts {
        /// Its place, from 0.
        at: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why a reference file is refused, whole.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}: {place}: {reason}")]
pub struct FileError {
    /// Which file.
    pub file: String,
    /// The line, or the path of the field.
    pub place: String,
    /// What is wrong there.
    pub reason: String,
}

impl FileError {
    /// A field that cannot stand so.
    pub fn new(file: &str, place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { file: file.into(), place: place.into(), reason: reason.into() }
    }

    /// A text that is not the JSON it should be.
    pub(crate) fn unreadable(file: &str, error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let reason = error.to_string();
        let reason = reason.trim_end_matches(&format!(" at line {line} column {column}"));
        Self::new(file, format!("line {line}, column {column}"), reason)
    }
}
