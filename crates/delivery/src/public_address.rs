//! Which addresses the service may be sent to by others (SSRF): public ones, and those that the operator allows.
//!
//! Names are looked up here for every connection, and the connection is made to the very addresses that were judged: a name
//! server that answers differently the next time gains nothing.
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why a name or address is not connected to.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It leads into a network that is not public.
    #[error(
        "{0} leads to {1}, which is no public address; the operator can allow its network (delivery.allow_networks)"
    )]
    NotPublic(String, IpAddr),
    /// It has no address at all.
    #[error("{0} has no address")]
    NoAddress(String),
    /// It cannot be looked up.
    #[error("{0} cannot be looked up: {1}")]
    LookUp(String, io::Error),
}

/// Whether packets to this address leave for the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// By the special-purpose registry of IANA (RFC 6890 and its successors).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a, b & 0xc0) == (100, 64)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a, b & 0xfe) == (198, 18))
}

/// Only global unicast; an address that wraps one of version 4 is what it wraps.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let wrapped = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => wrapped(high, low),
        // Teredo, benchmarking, ORCHID and other protocols' own; documentation.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// How names are looked up.
pub trait LookUp: Send + Sync + 'static {
    /// The addresses of a name.
    fn look_up(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
}

/// As the system does it.
#[derive(Clone, Copy, Debug)]
pub struct BySystem;

impl LookUp for BySystem {
    fn look_up(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// Looks names up and lets only addresses through that may be connected to.
#[derive(Clone)]
pub struct PublicOnly {
    names: Arc<dyn LookUp>,
    allowed: Arc<[IpNet]>,
}

impl fmt::Debug for PublicOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicOnly").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl PublicOnly {
    /// Public addresses and these networks.
    pub fn new(allowed: impl Into<Arc<[IpNet]>>) -> Self {
        Self::with_names(allowed, BySystem)
    }

    /// The same with names looked up in another way.
    pub fn with_names(allowed: impl Into<Arc<[IpNet]>>, names: impl LookUp) -> Self {
        Self { names: Arc::new(names), allowed: allowed.into() }
    }

    /// Whether this address may be connected to.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|network| network.contains(&address))
    }

    /// The addresses of a host that may be connected to.
    ///
    /// # Errors
    /// [`Refused`] when there is none.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Refused> {
        let found = if let Ok(address) = host.trim_matches(['[', ']']).parse() {
            vec![address]
        } else {
            let found = self.names.look_up(host.to_owned()).await;
            found.map_err(|error| Refused::LookUp(host.to_owned(), error))?
        };
        let first = *found.first().ok_or_else(|| Refused::NoAddress(host.to_owned()))?;
        let open: Vec<IpAddr> = found.into_iter().filter(|address| self.admits(*address)).collect();
        if open.is_empty() { Err(Refused::NotPublic(host.to_owned(), first)) } else { Ok(open) }
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let this = self.clone();
        Box::pin(async move {
            let found = this.addresses(name.as_str()).await?;
            // The client puts the port of the address in the place of 0.
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_public_is_public() {
        for address in
            ["8.8.8.8", "1.1.1.1", "100.63.0.1", "2400:3200::1", "2001:4860:4860::8888", "64:ff9b::808:808"]
        {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_network_can_be_allowed() {
        let some = PublicOnly::new(["10.1.0.0/16".parse().unwrap()]);
        assert!(some.addresses("10.1.2.3").await.is_ok());
        assert!(some.addresses("10.2.0.1").await.is_err());
        let error = some.addresses("[::1]").await.unwrap_err().to_string();
        assert!(error.contains("no public address"), "{error}");
        let error = some.addresses("localhost").await.unwrap_err().to_string();
        assert!(error.starts_with("localhost leads to"), "{error}");
    }
}
