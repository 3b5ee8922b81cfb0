//! Webhooks: events brought to an address, in order for each subject, until it takes them.
//!
//! [`Sender`] makes one attempt; [`patience`] says when the next is due and when it is enough; [`Breaker`] keeps an endpoint
//! that answers nobody from being asked for every subject; [`Courier`] does the work of one subscription.
mod breaker;
mod courier;
pub mod patience;
mod sender;

#[cfg(test)]
mod tests;

pub use breaker::Breaker;
pub(crate) use courier::is_confidential;
pub use courier::{Courier, Destination, Entry, Halt, Journal};
pub use sender::{Answer, Attempt, Sender, Verdict};
