//! The rules of a quality programme: what may be asked, what then happens, what is refused.
//!
//! Pure: no clock, no randomness, no database, no network, no async. Read [`aggregate`] and [`lifecycle`] first,
//! then any one aggregate: all files have the same order inside.
#[macro_use]
mod newtype;
#[macro_use]
mod vocabulary;
#[macro_use]
mod events;

pub mod aggregate;
pub mod amount;
#[cfg(feature = "json-schema")]
pub mod catalogue;
pub mod clock;
pub mod date;
pub mod id;
pub mod lifecycle;
pub mod period;
pub mod policy;
pub mod registry;
pub mod rejection;
pub mod sealed;
pub mod spec;
pub mod text;
pub mod time;

pub mod access;
pub mod complaints;
pub mod integration;
pub mod organisation;
pub mod performance;
pub mod programme;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod properties;

pub use aggregate::{Aggregate, Claim, Command, Context, Event, Fact, Facts, Need};
pub use amount::Amount;
pub use clock::Clock;
pub use date::Date;
pub use id::Id;
pub use organisation::region::RegionCode;
pub use period::Period;
pub use policy::{Role, Subject, Viewer};
pub use registry::Kind;
pub use rejection::Rejection;
pub use sealed::Sealed;
pub use time::TimeReference;
