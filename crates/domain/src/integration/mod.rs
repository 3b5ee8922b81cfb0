//! Integration (系统对接): how other systems follow what happens here.
pub mod event_subscription;
