//! Bringing events to other systems (系统对接): webhooks, and what pulls.
//!
//! [`account`] says what a subscription may see and how far it has got, [`journal`] keeps the delivery log, [`webhooks`] lets a
//! courier work for every webhook, [`pull`] hands events to members of a group.
pub mod account;
pub mod journal;
pub mod pull;
pub mod webhooks;

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;
use zhixing_delivery::{cloud_event::SOURCE, name_servers};

/// Most characters of a source.
pub const LONGEST_SOURCE: usize = 1_000;

/// How events leave the service, `[delivery]` in the file of settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliverySettings {
    /// The `source` of every event: which log it comes from.
    pub source: String,
    /// Whether this process sends webhooks; several processes share the work.
    pub webhooks: bool,
    /// Networks that are not public and to which webhooks may be sent all the same.
    pub allow_networks: Vec<IpNet>,
    /// Whether webhooks may be sent without TLS.
    pub allow_http: bool,
    /// Whom to ask for the addresses of endpoints, `ADDRESS:PORT`, at most 8; the system when there are none.
    pub name_servers: Vec<SocketAddr>,
}

impl DeliverySettings {
    /// Whether events can be told by these: a source is a URI reference, and stands in headers.
    pub fn has_source(&self) -> bool {
        (1..=LONGEST_SOURCE).contains(&self.source.len()) && self.source.chars().all(|c| c.is_ascii_graphic())
    }

    /// Whether no more name servers are named than are asked.
    pub fn has_few_name_servers(&self) -> bool {
        self.name_servers.len() <= name_servers::MOST
    }
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            source: SOURCE.into(),
            webhooks: true,
            allow_networks: Vec::new(),
            allow_http: false,
            name_servers: Vec::new(),
        }
    }
}
