//! Stories through the front door: each is told once and runs on SQLite and on PostgreSQL.
#![cfg(test)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a story that goes wrong ends at once"
)]

mod clock;
mod database;
mod days;
mod follow;
mod house;
mod provider;
mod stories;
mod world;
