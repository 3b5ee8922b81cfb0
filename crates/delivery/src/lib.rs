//! What leaves the service for other systems (对外投递): events as CloudEvents, and how they are brought to those who follow.
//!
//! Nothing here knows GraphQL or how people sign in. The log is read by position, so every way out is a place to go on from.
pub mod cloud_event;
pub mod name_servers;
pub mod nats;
pub mod public_address;
pub mod standard_webhooks;
pub mod webhook;
