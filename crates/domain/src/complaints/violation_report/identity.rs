//! Who told of a violation (举报人身份): what is kept of it, and how it is opened and erased.
//!
//! It is opened by the person who asked, after another one approved, within a day, and every opening is an event. Erasure
//! is told in two events: that it was ordered, which ends all opening, and that the key is gone.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ViolationReport, ViolationReportEvent};
use crate::{Context, Id, Rejection, Sealed, aggregate::Stamp, sealed::Confidential, text};

vocabulary! {
    /// What is kept of the informer's identity (举报人身份).
    pub enum InformerIdentity {
        Anonymous = "ANONYMOUS", "匿名";
        IsSealed = "SEALED", "已密封";
        ErasureOrdered = "ERASURE_ORDERED", "待销毁";
        Erased = "ERASED", "已销毁";
    }
}

/// For how long after the approval an identity may be opened.
const OPENED_WITHIN: TimeDelta = TimeDelta::hours(24);
/// Most requests to open the identity behind one report.
pub const MOST_REQUESTS: usize = 100;
/// Most openings by one request.
pub const MOST_OPENINGS: usize = 20;

/// The informer's name (举报人姓名).
#[derive(Debug)]
pub enum InformerName {}
impl Confidential for InformerName {
    const FIELD: &'static str = "informer.name";
}
/// The informer's telephone (举报人电话).
#[derive(Debug)]
pub enum InformerPhone {}
impl Confidential for InformerPhone {
    const FIELD: &'static str = "informer.phone";
}
/// The informer's address (举报人住址).
#[derive(Debug)]
pub enum InformerAddress {}
impl Confidential for InformerAddress {
    const FIELD: &'static str = "informer.address";
}

/// Who the informer is, each field sealed under one key (举报人).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Informer {
    /// The key.
    pub key_id: Uuid,
    /// The name.
    pub name: Option<Sealed<InformerName>>,
    /// The telephone.
    pub phone: Option<Sealed<InformerPhone>>,
    /// The address.
    pub address: Option<Sealed<InformerAddress>>,
}

impl Informer {
    /// One key for all of it: so nothing is left when it is destroyed.
    pub(super) fn is_of_one_key(&self) -> bool {
        let keys = [
            self.name.as_ref().map(Sealed::key),
            self.phone.as_ref().map(Sealed::key),
            self.address.as_ref().map(Sealed::key),
        ];
        keys.iter().any(Option::is_some) && keys.iter().flatten().all(|key| *key == self.key_id)
    }
}

impl InformerIdentity {
    /// What is kept at first.
    pub const fn of(informer: Option<&Informer>) -> Self {
        if informer.is_some() { Self::IsSealed } else { Self::Anonymous }
    }
}

/// Asks to be shown who the informer is (申请查阅举报人身份).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RequestInformerIdentity {
    /// The report.
    pub id: Id<ViolationReport>,
    /// What it is needed for.
    pub reason: String,
}

/// Approves that somebody else is shown who the informer is (批准查阅举报人身份).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ApproveInformerIdentity {
    /// The report.
    pub id: Id<ViolationReport>,
    /// The number of the request.
    pub request: i32,
}

/// Opens who the informer is (查阅举报人身份), within 24 hours of the approval, by the person who asked.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct OpenInformerIdentity {
    /// The report.
    pub id: Id<ViolationReport>,
    /// The number of the request.
    pub request: i32,
}

/// Erases who the informer is (销毁举报人身份): nobody can open it ever again.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EraseInformerIdentity {
    /// The report.
    pub id: Id<ViolationReport>,
    /// Why.
    pub reason: String,
}

/// Confirms that the key is destroyed (确认销毁). Only the service itself does, after it destroyed the key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmInformerIdentityErased {
    /// The report.
    pub id: Id<ViolationReport>,
}

/// Somebody's wish to be shown who the informer is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) approved: Option<(String, DateTime<Utc>)>,
    pub(super) openings: usize,
}

impl ViolationReport {
    /// The rule that nothing can be opened that is not there.
    pub const ANONYMOUS: &'static str = "the-informer-is-anonymous";
    /// The rule that nothing is opened that is erased.
    pub const ERASED: &'static str = "the-identity-is-erased";

    pub(super) fn request(&self, number: i32) -> Option<&Request> {
        self.requests.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
    fn request_mut(&mut self, number: i32) -> Option<&mut Request> {
        self.requests.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }
    fn named(&self, number: i32) -> Result<&Request, Rejection> {
        self.request(number).ok_or_else(|| Rejection::invalid("request", "is not the number of a request"))
    }

    /// Whether there is an identity that can be opened.
    fn check_sealed(&self) -> Result<Uuid, Rejection> {
        match (self.identity, self.key) {
            (Some(InformerIdentity::IsSealed), Some(key)) => Ok(key),
            (Some(InformerIdentity::ErasureOrdered | InformerIdentity::Erased), _) => {
                Err(Rejection::rule(Self::ERASED, "who the informer is was erased", None))
            }
            _ => Err(Rejection::rule(Self::ANONYMOUS, "the informer gave neither name nor contact", None)),
        }
    }

    pub(super) fn ask(&self, reason: String) -> Result<ViolationReportEvent, Rejection> {
        self.check_sealed()?;
        text::required("reason", &reason, text::LONG)?;
        if self.requests.len() >= MOST_REQUESTS {
            let message = format!("there were {MOST_REQUESTS} requests: no more are taken");
            return Err(Rejection::rule("requests-are-limited", message, None));
        }
        let request = i32::try_from(self.requests.len() + 1).unwrap_or(i32::MAX);
        Ok(ViolationReportEvent::IdentityRequested { request, reason })
    }

    pub(super) fn open(&self, number: i32, context: &Context<'_>) -> Result<ViolationReportEvent, Rejection> {
        self.check_sealed()?;
        let request = self.named(number)?;
        if request.by != context.viewer.actor {
            let message = "only the person who asked is shown it: ask yourself";
            return Err(Rejection::rule("opened-by-who-asked", message, None));
        }
        let Some((approved_by, at)) = &request.approved else {
            let message = "somebody else has to approve first";
            return Err(Rejection::rule("approved-by-another", message, None));
        };
        if context.now - *at > OPENED_WITHIN {
            let message = "the approval is older than 24 hours: ask again";
            return Err(Rejection::rule("the-approval-has-lapsed", message, None));
        }
        if request.openings >= MOST_OPENINGS {
            let message = format!("it was opened {MOST_OPENINGS} times by this request: ask again");
            return Err(Rejection::rule("openings-are-limited", message, None));
        }
        Ok(ViolationReportEvent::IdentityOpened {
            request: number,
            unit_id: context.viewer.units.first().copied(),
            approved_by: approved_by.clone(),
            reason: request.reason.clone(),
        })
    }

    /// Approved twice is nothing new, and no second day begins.
    pub(super) fn approve(&self, request: i32) -> Result<Option<ViolationReportEvent>, Rejection> {
        self.check_sealed()?;
        let approved = self.named(request)?.approved.is_some();
        Ok((!approved).then_some(ViolationReportEvent::IdentityApproved { request }))
    }

    /// Ordered twice is nothing new.
    pub(super) fn erase(&self, reason: String) -> Result<Option<ViolationReportEvent>, Rejection> {
        text::required("reason", &reason, text::LONG)?;
        if matches!(self.identity, Some(InformerIdentity::ErasureOrdered | InformerIdentity::Erased)) {
            return Ok(None);
        }
        Ok(Some(ViolationReportEvent::IdentityErasureOrdered { key_id: self.check_sealed()?, reason }))
    }

    /// Confirmed twice is nothing new.
    pub(super) fn confirm_erased(&self) -> Result<Option<ViolationReportEvent>, Rejection> {
        match (self.identity, self.key) {
            (Some(InformerIdentity::ErasureOrdered), Some(key_id)) => {
                Ok(Some(ViolationReportEvent::IdentityErased { key_id }))
            }
            (Some(InformerIdentity::Erased), _) => Ok(None),
            _ => Err(Rejection::rule("erasure-is-ordered-first", "no erasure was ordered", None)),
        }
    }

    /// What an event changes of what is kept of the informer.
    pub(super) fn evolve_identity(&mut self, event: &ViolationReportEvent, stamp: &Stamp) {
        match event {
            ViolationReportEvent::Received { informer, .. } => {
                self.key = informer.as_ref().map(|informer| informer.key_id);
                self.identity = Some(InformerIdentity::of(informer.as_deref()));
            }
            ViolationReportEvent::IdentityRequested { reason, .. } => self.requests.push(Request {
                by: stamp.actor.clone(),
                reason: reason.clone(),
                approved: None,
                openings: 0,
            }),
            ViolationReportEvent::IdentityApproved { request } => {
                if let Some(request) = self.request_mut(*request) {
                    request.approved = Some((stamp.actor.clone(), stamp.at));
                }
            }
            ViolationReportEvent::IdentityOpened { request, .. } => {
                if let Some(request) = self.request_mut(*request) {
                    request.openings += 1;
                }
            }
            ViolationReportEvent::IdentityErasureOrdered { .. } => {
                self.identity = Some(InformerIdentity::ErasureOrdered);
            }
            ViolationReportEvent::IdentityErased { .. } => self.identity = Some(InformerIdentity::Erased),
            _ => {}
        }
    }
}
