//! Where events are kept, the views that are made of them, and the ways to follow them.
//!
//! Read [`store`] for the road of a command, [`append`] for how events get their positions, [`tail`] for how they
//! are followed, [`verify`] for how it is trusted, [`bundle`] for how it is carried elsewhere. Nothing here knows an aggregate by name.
pub mod append;
pub mod aside;
pub mod backup;
pub mod bundle;
pub mod checkpoint;
pub mod clock;
pub mod consumer;
pub mod error;
pub mod event;
pub mod lease;
pub mod listing;
pub mod merkle;
pub mod pool;
pub mod projection;
pub mod projector;
pub mod proof;
pub mod rebuild;
pub mod replica;
pub mod signing;
pub mod standing;
pub mod store;
pub mod tail;
pub mod verify;
pub mod view;
pub mod work;

#[cfg(test)]
mod contract;
mod facts;
mod log;
mod partitions;
mod postgres;
mod sqlite;
mod stored;

pub use checkpoint::Checkpoint;
pub use clock::{SimulatedClock, SystemClock};
pub use consumer::Consumer;
pub use error::Error;
pub use event::{EventFilter, Recorded};
pub use lease::Lease;
pub use listing::{Listing, Reader, Slice, Sort};
pub use pool::Pool;
pub use projection::Projection;
pub use projector::Projector;
pub use proof::Proof;
pub use signing::{PublicKey, SigningKey};
pub use store::{EventStore, Order, Receipt};
pub use verify::Verified;
pub use view::{Link, Meta, Row, Table, View};
pub use work::Work;
