//! Every limit of the endpoint, in one place.

use serde::Deserialize;
use std::time::Duration;

/// What one request, one document, one socket and one client may ask for at most.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Fields nested in each other, the root field being 1. Introspection has its own limit.
    pub depth: u64,
    /// Fields nested in each other below `__schema` and `__type`.
    pub introspection_depth: u64,
    /// Values the answer may hold at most: every field counts 1, below a list it counts once per expected
    /// item.
    pub cost: u64,
    /// Items reckoned for a connection asked for without `first` or `last`.
    pub page_size: u64,
    /// Items reckoned for a list that is not paged.
    pub list_size: u64,
    /// Fields of an operation with its fragments expanded, `__typename` included.
    pub fields: u64,
    /// Aliases of an operation with its fragments expanded.
    pub aliases: u64,
    /// Fields at the root of an operation.
    pub root_fields: u64,
    /// Directives of an operation with its fragments expanded.
    pub directives: u64,
    /// Lexical tokens of a document.
    pub tokens: usize,
    /// Bytes of a document.
    pub query_bytes: usize,
    /// Bytes of the variables as JSON.
    pub variables_bytes: usize,
    /// Bytes of an HTTP request body.
    pub body_bytes: usize,
    /// Bytes of an HTTP request body of somebody who did not sign in: they import nothing, and there may be many of them.
    pub anonymous_body_bytes: usize,
    /// Milliseconds within which the whole body has to arrive.
    pub body_timeout_ms: u64,
    /// Milliseconds a query or a mutation may run.
    pub execution_timeout_ms: u64,
    /// Operations at work at the same time on one WebSocket.
    pub subscriptions: usize,
    /// Queries and mutations of one client at work at the same time; 0 for any number.
    pub client_operations: usize,
    /// Subscriptions of one client at the same time, over all its connections; 0 for any number.
    pub client_subscriptions: usize,
    /// Open WebSockets of one client; 0 for any number.
    pub client_sockets: usize,
    /// Cost that one client gets back each second; 0 for no limit.
    pub client_cost_per_second: u64,
    /// Cost that one client may save up.
    pub client_cost_burst: u64,
    /// Open connections, WebSockets too; further ones wait to be accepted.
    pub connections: u32,
    /// Open connections of one address; further ones are closed. A trusted proxy may have any number.
    pub address_connections: usize,
    /// Milliseconds within which a TLS handshake, and then the headers of the next request, have to arrive.
    pub header_timeout_ms: u64,
    /// Milliseconds a new WebSocket has for its `connection_init`.
    pub connection_init_timeout_ms: u64,
    /// Bytes of one incoming WebSocket message.
    pub ws_message_bytes: usize,
    /// Bytes of one outgoing WebSocket message; a larger answer becomes an error.
    pub ws_outgoing_bytes: usize,
    /// Milliseconds between two pings on a WebSocket; a peer silent for three of them is cut.
    pub ws_ping_ms: u64,
    /// Milliseconds a WebSocket write may take before the slow reader is cut.
    pub ws_write_timeout_ms: u64,
    /// Milliseconds in which a client must take something of an answer that is ready, before the connection is cut.
    pub write_timeout_ms: u64,
    /// Milliseconds between two keep-alive comments on an event stream.
    pub sse_keep_alive_ms: u64,
    /// Origins other than the server's own whose pages may ask and open a WebSocket, e.g. `https://desk.example.cn`.
    pub allowed_origins: Vec<String>,
    /// Whether answers tell in `extensions.cost` what the operation was reckoned at.
    pub report_cost: bool,
    /// Whether an answer with both data and errors has status 294 instead of 200 (a draft of 2026).
    pub partial_success_status: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 15,
            introspection_depth: 20,
            cost: 20_000,
            page_size: 20,
            list_size: 3,
            fields: 2_000,
            aliases: 30,
            root_fields: 20,
            directives: 50,
            tokens: 5_000,
            query_bytes: 64 << 10,
            // Room for the text of a file to import.
            variables_bytes: 7 << 20,
            body_bytes: 8 << 20,
            anonymous_body_bytes: 256 << 10,
            body_timeout_ms: 15_000,
            execution_timeout_ms: 30_000,
            subscriptions: 100,
            connections: 10_000,
            address_connections: 1_000,
            // Longer than proxies keep connections that they do not use, so that it is they who close them.
            header_timeout_ms: 75_000,
            client_operations: 100,
            client_subscriptions: 500,
            client_sockets: 100,
            client_cost_per_second: 20_000,
            client_cost_burst: 1_000_000,
            connection_init_timeout_ms: 10_000,
            ws_message_bytes: 256 << 10,
            ws_outgoing_bytes: 8 << 20,
            ws_ping_ms: 20_000,
            ws_write_timeout_ms: 30_000,
            write_timeout_ms: 60_000,
            sse_keep_alive_ms: 15_000,
            allowed_origins: Vec::new(),
            report_cost: true,
            partial_success_status: false,
        }
    }
}

/// A time limit as a [`Duration`]; zero would make a timer spin, so it counts as one millisecond.
pub(super) fn millis(limit: u64) -> Duration {
    Duration::from_millis(limit.max(1))
}
