//! A subject of which something was handed out and is not acknowledged.
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;
use zhixing_domain::Kind;

use super::{Outcome, Settled};

pub(super) const TABLE: &str = "consumer_subjects";
pub(super) const COLUMNS: &[&str] = &[
    "id",
    "consumer_id",
    "subject_id",
    "kind",
    "acked",
    "latest",
    "token_id",
    "held_until",
    "attempts",
    "not_before",
    "failing_since",
    "parked",
    "reason",
];
/// Bytes of a reason that are kept.
const REASON: usize = 500;

/// A subject of which something is not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct Behind {
    pub(super) id: Uuid,
    consumer_id: Uuid,
    /// Which one.
    pub subject_id: Uuid,
    /// Of what kind it is.
    pub kind: Kind,
    /// Its events up to here are acknowledged.
    pub acked: i64,
    /// Its events up to here are to be handed out.
    pub latest: i64,
    pub(super) token_id: Option<Uuid>,
    pub(super) held_until: i64,
    /// How often in a row nothing was acknowledged.
    pub attempts: i32,
    not_before: i64,
    failing_since: Option<i64>,
    /// Whether it waits until somebody asks for it.
    pub parked: bool,
    /// Why the last attempt failed.
    pub reason: Option<String>,
}

impl Behind {
    pub(super) fn new(consumer: Uuid, (kind, subject): (Kind, Uuid), acked: i64, latest: i64) -> Self {
        Self {
            id: key(consumer, subject),
            consumer_id: consumer,
            subject_id: subject,
            kind,
            acked,
            latest,
            token_id: None,
            held_until: 0,
            attempts: 0,
            not_before: 0,
            failing_since: None,
            parked: false,
            reason: None,
        }
    }
    pub(super) fn is_ready(&self, now: i64) -> bool {
        !self.parked && self.not_before <= now && self.held_until <= now
    }
    pub(super) fn hand_out(&mut self, token: Uuid, until: i64) {
        self.token_id = Some(token);
        self.held_until = until;
    }
    pub(super) fn forget_failures(&mut self) {
        (self.attempts, self.not_before, self.failing_since) = (0, 0, None);
        (self.parked, self.reason) = (false, None);
    }
    /// When it can be handed out again, unless it is parked; in the past when it can be now.
    pub fn ready_at(&self) -> Option<DateTime<Utc>> {
        let at = (!self.parked).then_some(self.not_before.max(self.held_until))?;
        DateTime::from_timestamp_micros(at)
    }
    /// Since when nothing was acknowledged.
    pub fn failing_since(&self) -> Option<DateTime<Utc>> {
        self.failing_since.and_then(DateTime::from_timestamp_micros)
    }
    pub(super) fn settle(&mut self, settled: &Settled, now: i64) {
        if settled.up_to > self.acked {
            self.acked = settled.up_to.min(self.latest);
            self.forget_failures();
        }
        (self.token_id, self.held_until) = (None, 0);
        let failed = match &settled.outcome {
            Outcome::Taken => None,
            Outcome::Later { not_before, reason } => {
                self.not_before = not_before.timestamp_micros();
                Some(reason)
            }
            Outcome::Parked { reason } => {
                self.parked = true;
                Some(reason)
            }
        };
        if let Some(reason) = failed {
            self.attempts = self.attempts.saturating_add(1);
            self.failing_since = self.failing_since.or(Some(now));
            self.reason = Some(cut(reason));
        }
    }
}

/// One row for each subject of a consumer.
pub(super) fn key(consumer: Uuid, subject: Uuid) -> Uuid {
    Uuid::new_v5(&consumer, subject.as_bytes())
}

/// As much of a text as is kept.
fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(REASON)].to_owned()
}
