//! The delivery log of webhooks (投递记录): every attempt with what was sent, what came back and how long it took.
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;
use zhixing_delivery::webhook::{Entry, Journal};
use zhixing_domain::Kind;
use zhixing_event_store::{EventStore, Row, Table, view::WriteRow};

/// How long attempts are kept.
pub const KEPT: TimeDelta = TimeDelta::days(30);

/// One attempt.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct DeliveryAttempt {
    pub id: Uuid,
    pub subscription_id: Uuid,
    pub event_id: Uuid,
    pub subject_id: Uuid,
    pub kind: Kind,
    pub position: i64,
    pub number: i32,
    pub url: String,
    pub signatures: String,
    pub at: DateTime<Utc>,
    pub took_micros: i64,
    pub status: Option<i32>,
    pub answer: Option<String>,
    pub reason: Option<String>,
}

impl Row for DeliveryAttempt {
    const TABLE: &'static Table = &Table {
        name: "delivery_attempts",
        columns: &[
            "id",
            "subscription_id",
            "event_id",
            "subject_id",
            "kind",
            "position",
            "number",
            "url",
            "signatures",
            "at",
            "took_micros",
            "status",
            "answer",
            "reason",
        ],
    };
    fn key(&self) -> Uuid {
        self.id
    }
}

/// Writes attempts of one subscription into the database.
#[derive(Clone, Debug)]
pub struct Attempts {
    /// Where they are kept.
    pub store: EventStore,
    /// Whose they are.
    pub subscription: Uuid,
}

impl Journal for Attempts {
    async fn record(&self, entries: Vec<Entry>) {
        let row = |entry: Entry| {
            let (status, answer, reason) = match entry.attempt.result {
                Ok(answer) => (Some(i32::from(answer.status)), Some(answer.body), None),
                Err(reason) => (None, None, Some(reason)),
            };
            WriteRow::of(&DeliveryAttempt {
                id: self.store.clock().new_id(),
                subscription_id: self.subscription,
                event_id: entry.event,
                subject_id: entry.subject.uuid,
                kind: entry.subject.kind,
                position: entry.position,
                number: i32::try_from(entry.number).unwrap_or(i32::MAX),
                url: entry.attempt.url,
                signatures: entry.attempt.signatures,
                at: entry.attempt.at,
                took_micros: i64::try_from(entry.attempt.took.as_micros()).unwrap_or(i64::MAX),
                status,
                answer,
                reason,
            })
        };
        let rows: Result<Vec<WriteRow>, _> = entries.into_iter().map(row).collect();
        let written = match rows {
            Ok(rows) => self.store.pool().add(&rows).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(%error, "attempts to deliver cannot be written down");
        }
    }
}

/// Forgets attempts that are old enough.
///
/// # Errors
/// When the database fails.
pub async fn forget(store: &EventStore) -> Result<u64, zhixing_event_store::Error> {
    let before = store.clock().now() - KEPT;
    store.pool().forget::<DeliveryAttempt>("at", before).await
}
