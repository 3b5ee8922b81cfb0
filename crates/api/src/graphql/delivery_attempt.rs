//! What was tried for a webhook and what came of it, as the API shows it (投递记录).
use async_graphql::{Context, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{Viewer, id::GlobalId};

use super::{
    connection::{By, Holds, OrderDirection, Paging, connection, page},
    event::Position,
    view::{Visible, for_officials},
};
use crate::integration::journal::DeliveryAttempt;

/// Which attempts; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct DeliveryWhere {
    /// Of this subject.
    pub subject: Option<GlobalId>,
    /// Of this event.
    pub event: Option<Uuid>,
    /// Only those that were taken (true), or only others (false).
    pub is_taken: Option<bool>,
}

/// The attempts of a subscription, latest first.
///
/// # Errors
/// When the page is malformed or the database fails.
pub async fn attempts(
    ctx: &Context<'_>,
    subscription: Uuid,
    wanted: DeliveryWhere,
    paging: Paging,
) -> Result<DeliveryAttemptConnection> {
    let taken = Condition::all().add(Expr::col("status").between(200, 299));
    let failed = Condition::any().add(Expr::col("status").is_null()).add(taken.clone().not());
    let filter = Condition::all()
        .add(Expr::col("subscription_id").eq(subscription))
        .add_option(wanted.subject.map(|subject| Expr::col("subject_id").eq(subject.uuid)))
        .add_option(wanted.event.map(|event| Expr::col("event_id").eq(event)))
        .add_option(wanted.is_taken.map(|yes| if yes { taken } else { failed }));
    let order = By::column("id", Holds::Key).directed(OrderDirection::Desc);
    Ok(DeliveryAttemptConnection(page(ctx, filter, order, paging).await?))
}

impl Visible for DeliveryAttempt {
    /// They are reached through their subscription only.
    fn seen_by(viewer: &Viewer) -> Condition {
        for_officials(viewer)
    }
}

/// One attempt to deliver an event to a webhook (投递记录).
#[Object]
impl DeliveryAttempt {
    /// Of which event: the `webhook-id`.
    async fn event_id(&self) -> Uuid {
        self.event_id
    }
    /// Where the event stands in the log.
    async fn position(&self) -> Position {
        Position(self.position)
    }
    /// The event's subject.
    async fn subject_id(&self) -> GlobalId {
        GlobalId { kind: self.kind, uuid: self.subject_id }
    }
    /// Which attempt it was since the last that was taken, from 1.
    async fn number(&self) -> i32 {
        self.number
    }
    /// Where it was sent to.
    async fn url(&self) -> &str {
        &self.url
    }
    /// When it was signed and sent: the `webhook-timestamp`.
    async fn at(&self) -> DateTime<Utc> {
        self.at
    }
    /// The `webhook-signature`.
    async fn signatures(&self) -> &str {
        &self.signatures
    }
    /// How long it took, in microseconds.
    async fn took_micros(&self) -> i64 {
        self.took_micros
    }
    /// The status of the answer; null when none came.
    async fn status(&self) -> Option<i32> {
        self.status
    }
    /// The beginning of the answer's body.
    async fn answer(&self) -> Option<&str> {
        self.answer.as_deref()
    }
    /// Why no answer came.
    async fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

connection!(DeliveryAttempt, DeliveryAttemptConnection, DeliveryAttemptEdge, "attempts to deliver");
