//! NATS JetStream: the log as a stream, for those who follow on other machines (消息流).
//!
//! The stream holds exactly the log: the event at position N is its message number N. Nothing else remembers how far it is:
//! a publisher reads the last message, compares it with the event at that position and goes on behind it. Every message says
//! behind which number it belongs (`Nats-Expected-Last-Sequence`), so one that comes too late, twice or from a second
//! publisher is refused by the server. When one is refused or not acknowledged, all that were sent behind it are as well;
//! the publisher looks again where the stream ends and goes on there. `Nats-Msg-Id` is a second belt.
//!
//! A stream that has more than the log, or something else, is left alone and that is said: nothing is ever overwritten.
mod link;
mod message;
mod publisher;
mod settings;
mod stream;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use message::{POSITION, SUBJECTS};
pub use publisher::{Publisher, Standing, State};
pub use settings::{Settings, SettingsError};
pub use stream::Refusal;
