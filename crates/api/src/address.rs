//! Where a request comes from: the address of its socket, or what a proxy says of it that the operator trusts.
use std::{net::IpAddr, str::FromStr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use ipnet::IpNet;
use serde::Deserialize;

/// Most addresses read of one request; there are never so many proxies in a row.
const MOST_HOPS: usize = 32;

/// Proxies whose word is taken: one address, or a network such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Proxy(IpNet);

impl FromStr for Proxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network
            .map(Self)
            .map_err(|_| format!("{text} is neither an address nor a network such as 10.0.0.0/8"))
    }
}

impl TryFrom<String> for Proxy {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The header that the trusted proxies write. The other one is ignored: a proxy passes on what it does not know, so
/// anybody could have written it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, as most proxies write it.
    #[default]
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// The proxies in front of the service.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Whose word is taken.
    pub trusted: Vec<Proxy>,
    /// Where they say it.
    pub header: ForwardedHeader,
}

impl Proxies {
    /// Whether this is one of them.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|proxy| proxy.0.contains(&address))
    }

    /// Who sent the request: going back from the socket, the first address that is no trusted proxy.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.trusts(client) {
            return client;
        }
        let name: HeaderName = match self.header {
            ForwardedHeader::XForwardedFor => HeaderName::from_static("x-forwarded-for"),
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let values = headers.get_all(name).iter().map(HeaderValue::to_str).collect::<Result<Vec<_>, _>>();
        let said = values.unwrap_or_default().join(",");
        for hop in said.rsplit(',').take(MOST_HOPS) {
            // What cannot be read was said by the last address that could be.
            let Some(address) = self.read(hop.trim()) else { return client };
            client = address;
            if !self.trusts(client) {
                return client;
            }
        }
        client
    }

    /// The address in one element of the header.
    fn read(&self, hop: &str) -> Option<IpAddr> {
        let node = match self.header {
            ForwardedHeader::XForwardedFor => hop,
            ForwardedHeader::Forwarded => hop.split(';').find_map(|pair| {
                let (name, value) = pair.trim().split_once('=')?;
                name.eq_ignore_ascii_case("for").then_some(value.trim_matches('"'))
            })?,
        };
        // `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`
        let bare = match node.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?.0,
            None if node.matches(':').count() == 1 => node.split_once(':')?.0,
            None => node,
        };
        bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(header: ForwardedHeader) -> Proxies {
        let trusted = ["10.0.0.0/8", "192.0.2.7", "fd00::/8"].map(|text| text.parse().unwrap());
        Proxies { trusted: trusted.to_vec(), header }
    }

    fn found(proxies: &Proxies, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let by = proxies(ForwardedHeader::XForwardedFor);
        for (peer, said, client) in [
            // Nobody else may say who he is.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            // What the client made up stands left of what the proxy saw.
            ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "1.1.1.1, 198.51.100.1, 192.0.2.7, 10.2.3.4", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
            ("fd00::1", "[2001:db8::1]:4711", "2001:db8::1"),
            ("fd00::1", "2001:db8::1", "2001:db8::1"),
            // Unreadable: the proxy itself; only proxies: the first of them.
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.1, nonsense, 192.0.2.7", "192.0.2.7"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            assert_eq!(found(&by, peer, &[("x-forwarded-for", said)]), client, "{peer} says {said}");
        }
        let twice = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")];
        assert_eq!(found(&by, "10.0.0.1", &twice), "198.51.100.1");
        assert_eq!(found(&by, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_header_that_the_proxy_does_not_write_is_ignored() {
        let (a, b) =
            (("x-forwarded-for", "1.1.1.1"), ("forwarded", "by=_x;for=\"198.51.100.1:80\";proto=https"));
        assert_eq!(found(&proxies(ForwardedHeader::Forwarded), "10.0.0.1", &[a, b]), "198.51.100.1");
        assert_eq!(found(&proxies(ForwardedHeader::XForwardedFor), "10.0.0.1", &[a, b]), "1.1.1.1");
        let v6 = [("forwarded", "for=1.1.1.1, For=\"[2001:db8::1]\"")];
        assert_eq!(found(&proxies(ForwardedHeader::Forwarded), "10.0.0.1", &v6), "2001:db8::1");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        assert!("10.0.0.0/33".parse::<Proxy>().is_err() && "proxy.example".parse::<Proxy>().is_err());
    }
}
