//! The connection to the servers.
use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectOptions, Event,
    jetstream::{Context, context::ContextBuilder},
    rustls::crypto::aws_lc_rs,
};
use tokio::sync::watch;

use super::{publisher::Trouble, settings::Settings};

/// How long a server may take to answer, or to acknowledge.
const ANSWER: Duration = Duration::from_secs(3);
/// The longest wait before a server is tried again.
const LONGEST: Duration = Duration::from_secs(5);

/// How the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wire {
    connected: bool,
    /// How often it broke off.
    lost: u64,
}

/// A connection, which looks for another server by itself when it breaks off.
pub(super) struct Link {
    pub(super) context: Context,
    client: Client,
    wire: watch::Receiver<Wire>,
}

impl Link {
    pub(super) async fn connect(settings: &Settings) -> Result<Self, Trouble> {
        // What TLS is made of, for whoever names nothing: two libraries that can do it are compiled in. It was chosen already
        // when this fails.
        let _ = aws_lc_rs::default_provider().install_default();
        let servers = settings.servers().map_err(|error| Trouble::Failed(error.to_string()))?;
        let wire = Arc::new(watch::Sender::new(Wire { connected: true, lost: 0 }));
        let heard = wire.subscribe();
        let mut options = ConnectOptions::new()
            .name("zhixing")
            .connection_timeout(ANSWER)
            .request_timeout(Some(ANSWER))
            .ping_interval(Duration::from_secs(10))
            .reconnect_delay_callback(|attempts| wait(attempts, LONGEST))
            .event_callback(move |event| {
                let wire = wire.clone();
                async move {
                    wire.send_if_modified(|wire| wire.hear(&event));
                }
            });
        if let Some(file) = &settings.tls_ca {
            options = options.add_root_certificates(file.clone()).require_tls(true);
        }
        if let (Some(certificate), Some(key)) = (&settings.tls_cert, &settings.tls_key) {
            options = options.add_client_certificate(certificate.clone(), key.clone()).require_tls(true);
        }
        if let Some(file) = &settings.credentials {
            let read = options.credentials_file(file).await;
            options = read.map_err(|error| {
                Trouble::Failed(format!("the credentials {} cannot be read: {error}", file.display()))
            })?;
        }
        let client = options.connect(servers).await;
        let client = client.map_err(|error| Trouble::Failed(format!("no server can be reached: {error}")))?;
        let context = ContextBuilder::new().timeout(ANSWER).ack_timeout(ANSWER).build(client.clone());
        Ok(Self { context, client, wire: heard })
    }

    /// Waits until a server is there.
    pub(super) async fn connected(&mut self) -> Result<(), Trouble> {
        let there = tokio::time::timeout(ANSWER, self.wire.wait_for(|wire| wire.connected)).await;
        if matches!(there, Ok(Ok(_))) {
            Ok(())
        } else {
            Err(Trouble::Failed("no server can be reached".into()))
        }
    }

    /// Ends when the connection breaks off that is there now.
    pub(super) fn lost(&self) -> impl Future<Output = ()> + Send + use<> {
        let (mut wire, before) = (self.wire.clone(), self.lost_so_far());
        async move {
            let _ = wire.wait_for(|wire| wire.lost != before).await;
        }
    }

    /// How often it broke off.
    pub(super) fn lost_so_far(&self) -> u64 {
        self.wire.borrow().lost
    }

    /// The largest message that the server takes.
    pub(super) fn max_payload(&self) -> usize {
        self.client.server_info().max_payload
    }
}

impl Wire {
    /// Whether the event changed anything.
    fn hear(&mut self, event: &Event) -> bool {
        let before = *self;
        match event {
            Event::Connected => self.connected = true,
            Event::Disconnected => *self = Self { connected: false, lost: self.lost + 1 },
            _ => {}
        }
        *self != before
    }
}

/// The wait after failure number `failures`: from a twentieth of a second on, each twice as long, up to the longest.
pub(super) fn wait(failures: usize, longest: Duration) -> Duration {
    let doubled = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    (Duration::from_millis(50) * (1 << doubled)).min(longest)
}
