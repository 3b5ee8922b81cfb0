//! Looking names up with name servers that the operator names, instead of those of the system (域名服务器).
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};

use crate::public_address::LookUp;

/// Most name servers that can be named.
pub const MOST: usize = 8;

/// Asks these servers, over UDP and, when an answer is too long for that, over TCP.
#[derive(Clone, Debug)]
pub struct NameServers(TokioResolver);

impl NameServers {
    /// Asks these servers.
    ///
    /// # Errors
    /// When they cannot be asked at all.
    pub fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        let at = |server: &SocketAddr| {
            let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            (udp.port, tcp.port) = (server.port(), server.port());
            NameServerConfig::new(server.ip(), true, vec![udp, tcp])
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(at).collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        // Every connection is judged by what is true when it is made; and this machine's own names are nobody's business.
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        Ok(Self(builder.build().map_err(io::Error::other)?))
    }
}

impl LookUp for NameServers {
    fn look_up(&self, name: String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
        let resolver = self.0.clone();
        Box::pin(async move {
            // As it stands: nothing is put behind it.
            let name = if name.ends_with('.') { name } else { format!("{name}.") };
            let found = resolver.lookup_ip(name).await.map_err(io::Error::other)?;
            Ok(found.iter().collect())
        })
    }
}
