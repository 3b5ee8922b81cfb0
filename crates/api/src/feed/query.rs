//! What somebody wants of the feed, as it stands in the address.
use std::str::FromStr;

use axum::http::HeaderMap;
use serde::Deserialize;
use zhixing_domain::{Rejection, integration::event_subscription::ChangeFilter};
use zhixing_event_store::EventFilter;

use super::{LONGEST_WAIT, MOST};
use crate::problem::Problem;

/// The parameters; lists are separated by commas.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wish {
    after: Option<String>,
    limit: Option<String>,
    wait: Option<String>,
    kinds: Option<String>,
    types: Option<String>,
    subjects: Option<String>,
    units: Option<String>,
    region: Option<String>,
    status_changes_only: Option<String>,
    snapshot: Option<String>,
}

/// The same, read.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) after: Option<i64>,
    pub(super) limit: Option<usize>,
    /// How long to wait for the next event, in seconds.
    pub(super) wait: u64,
    pub(super) filter: EventFilter,
    /// Whether to begin with where everything stands.
    pub(super) snapshot: bool,
}

/// A value of a parameter.
fn value<T: FromStr>(field: &str, text: Option<&str>, is: &str) -> Result<Option<T>, Problem> {
    text.map(|text| text.trim().parse().map_err(|_| Problem::of_field(field, is))).transpose()
}

/// A list of them.
fn list<T: FromStr>(field: &str, text: Option<&str>, is: &str) -> Result<Vec<T>, Problem> {
    let entries = text.unwrap_or_default().split(',').filter(|entry| !entry.trim().is_empty());
    entries.map(|entry| value(field, Some(entry), is)).filter_map(Result::transpose).collect()
}

impl Wish {
    /// Reads it. A stream that is taken up again says by `Last-Event-ID` how far it had come.
    pub(super) fn read(&self, headers: &HeaderMap, is_stream: bool) -> Result<Wanted, Problem> {
        const POSITION: &str = "is not a position: a whole number from 0";
        let last = headers.get("last-event-id").filter(|_| is_stream);
        let last = last.map(|last| last.to_str().unwrap_or_default()).filter(|last| !last.is_empty());
        let after = match last {
            Some(last) => value("Last-Event-ID", Some(last), POSITION)?,
            None => value("after", self.after.as_deref(), POSITION)?,
        };
        if after.is_some_and(|after: i64| after < 0) {
            return Err(Problem::of_field("after", POSITION));
        }
        let snapshot =
            value("snapshot", self.snapshot.as_deref(), "is neither true nor false")?.unwrap_or(false);
        if snapshot && self.after.is_some() {
            return Err(Problem::of_field("after", "is not for a feed that begins with a snapshot"));
        }
        // A stream that is taken up again is behind its snapshot.
        let snapshot = snapshot && after.is_none();
        let limit: Option<usize> = value("limit", self.limit.as_deref(), "is not a number")?;
        if limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
            return Err(Problem::of_field("limit", format!("is not between 1 and {MOST}")));
        }
        let wait = value("wait", self.wait.as_deref(), "is not a number of seconds")?.unwrap_or(0);
        if wait > LONGEST_WAIT {
            return Err(Problem::of_field("wait", format!("is more than {LONGEST_WAIT} seconds")));
        }
        let filter = ChangeFilter {
            kinds: list("kinds", self.kinds.as_deref(), "is not a kind, such as TASK")?,
            types: list("types", self.types.as_deref(), "is not a type of events")?,
            subjects: list("subjects", self.subjects.as_deref(), "is not an id of this service")?,
            units: list("units", self.units.as_deref(), "is not the id of a unit")?,
            region: value("region", self.region.as_deref(), "is not a region code, such as 440000")?,
            status_changes_only: value(
                "statusChangesOnly",
                self.status_changes_only.as_deref(),
                "is neither true nor false",
            )?
            .unwrap_or(false),
        };
        let filter = filter.checked("").map_err(|rejection| match rejection {
            Rejection::Invalid { field, reason } => Problem::of_field(field.trim_start_matches('.'), reason),
            other => Problem::of_field("query", other.to_string()),
        })?;
        Ok(Wanted { after, limit, wait, filter: EventFilter::from(&filter), snapshot })
    }
}
