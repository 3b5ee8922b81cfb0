//! The door of Zhixing: GraphQL, HTTP, identity, imports, and the `zhixing` binary's commands.
pub mod cli;
pub mod config;
pub mod graphql;
pub mod identity;
pub mod import;
pub mod projections;
pub mod protocol;
pub mod server;
