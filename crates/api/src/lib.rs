//! The door of Zhixing: GraphQL, HTTP, identity, imports, and the `zhixing` binary's commands.

// The root objects of the schema are merged from one for each kind, which nests their futures as deep.
#![recursion_limit = "256"]

/// Answers are made of many small pieces, which the system's allocator is slow to hand out.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod address;
pub mod checkpoints;
pub mod cli;
pub mod config;
pub mod connections;
pub mod downloads;
pub mod due_list;
pub mod event_documents;
pub mod export;
pub mod feed;
pub mod graphql;
pub mod identity;
pub mod import;
pub mod integration;
mod local;
pub mod problem;
pub mod projections;
pub mod protocol;
pub mod scheduler;
pub mod server;
pub mod simulation;
pub mod task_table;
pub mod time_change;
pub mod time_reference;
pub mod tls;
