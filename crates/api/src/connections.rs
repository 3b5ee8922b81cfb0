//! How connections are taken: so many at once, of one address so many, with an end to the waiting for headers, over
//! TLS if there is a certificate.
use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn::http1, service::Service as _, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Sleep, sleep, timeout},
};

use crate::{
    address::Proxies,
    config::Settings,
    protocol::{Address, clients::network},
    tls::Tls,
};

#[cfg(test)]
mod tests;

/// Bytes of the headers of one request, and of what is read or written ahead.
const BUFFER: usize = 128 << 10;
/// Pause after the system refused to hand over a connection, such as for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// How connections are taken.
#[derive(Clone, Debug)]
pub struct Connections {
    most: u32,
    of_one_address: usize,
    headers_within: Duration,
    taken_within: Duration,
    proxies: Proxies,
    tls: Option<Arc<Tls>>,
}

impl Connections {
    /// As the settings say.
    pub fn new(settings: &Settings, tls: Option<Arc<Tls>>) -> Self {
        let limits = &settings.limits;
        Self {
            most: limits.connections.max(1),
            of_one_address: limits.address_connections.max(1),
            headers_within: Duration::from_millis(limits.header_timeout_ms.max(1)),
            taken_within: Duration::from_millis(limits.write_timeout_ms.max(1)),
            proxies: Proxies { trusted: settings.trusted_proxies.clone(), header: settings.forwarded_header },
            tls,
        }
    }

    /// Serves until `stop` becomes true and the last connection has ended, WebSockets too.
    pub async fn serve(self, listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(self.most as usize));
        let neighbours = Arc::new(Neighbours::default());
        let router = TowerToHyperService::new(router);
        let stopped = stopped(stop.clone());
        tokio::pin!(stopped);
        loop {
            let accepted = async { (room.clone().acquire_owned().await, listener.accept().await) };
            let (place, stream, peer) = tokio::select! {
                () = &mut stopped => break,
                (place, accepted) = accepted => match (place, accepted) {
                    (Ok(place), Ok((stream, peer))) => (place, stream, peer),
                    (_, Err(error)) if is_of_one_connection(&error) => continue,
                    (_, Err(error)) => {
                        tracing::warn!(%error, "a connection cannot be accepted");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                    // Nobody closes the semaphore.
                    (Err(_), _) => break,
                },
            };
            let Some(neighbour) = self.neighbour(&neighbours, peer) else {
                metrics::counter!("zhixing_http_connections_refused_total").increment(1);
                continue;
            };
            let held = Held { _place: place, _neighbour: neighbour };
            tokio::spawn(self.clone().connection(stream, peer, held, router.clone(), stop.clone()));
        }
        drop(listener);
        // When all places are free again, nothing is open any more.
        let _ = room.acquire_many(self.most).await;
    }

    /// A place beside the other connections of its address. A proxy brings everybody's, so it has no limit of its own.
    fn neighbour(&self, neighbours: &Arc<Neighbours>, peer: SocketAddr) -> Option<Neighbour> {
        let most = if self.proxies.trusts(peer.ip()) { usize::MAX } else { self.of_one_address };
        neighbours.clone().one_more(network(peer.ip()), most)
    }

    async fn connection(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        held: Held,
        router: TowerToHyperService<Router>,
        stop: watch::Receiver<bool>,
    ) {
        // Answers are written whole; waiting to fill a packet only makes them late.
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.http(Open::new(stream, self.taken_within, held), peer, router, stop).await;
        };
        match timeout(self.headers_within, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                self.http(Open::new(stream, self.taken_within, held), peer, router, stop).await;
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
        }
    }

    async fn http<S>(
        &self,
        io: Open<S>,
        peer: SocketAddr,
        router: TowerToHyperService<Router>,
        stop: watch::Receiver<bool>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let proxies = self.proxies.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            let address = Address(proxies.client(peer.ip(), request.headers()));
            request.extensions_mut().insert(address);
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // Begins anew with every request, so it ends idle connections too.
            .header_read_timeout(self.headers_within)
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ends");
        }
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left to stop us.
        std::future::pending::<()>().await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Open connections by address; those without any are not remembered.
#[derive(Debug, Default)]
struct Neighbours(Mutex<HashMap<IpAddr, usize>>);

/// One connection of an address.
struct Neighbour {
    neighbours: Arc<Neighbours>,
    address: IpAddr,
}

impl Neighbours {
    fn one_more(self: Arc<Self>, address: IpAddr, most: usize) -> Option<Neighbour> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Neighbour { neighbours: self, address })
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let mut open = self.neighbours.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What a connection holds while it is open.
struct Held {
    _place: OwnedSemaphorePermit,
    _neighbour: Neighbour,
}

/// A connection with its place, which it keeps when it becomes a WebSocket. Whoever does not take what is written loses it.
struct Open<S> {
    io: S,
    taken_within: Duration,
    /// Since when nothing was taken: when it is cut.
    stalled: Option<Pin<Box<Sleep>>>,
    _held: Held,
}

impl<S> Open<S> {
    fn new(io: S, taken_within: Duration, held: Held) -> Self {
        Self { io, taken_within, stalled: None, _held: held }
    }

    /// What came of a write, or that it has been waited for long enough.
    fn unless_stalled<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.taken_within)));
        match stalled.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                metrics::counter!("zhixing_http_connections_stalled_total").increment(1);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Open<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Open<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(context, bytes);
        self.unless_stalled(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.io).poll_flush(context);
        self.unless_stalled(context, written)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = Pin::new(&mut self.io).poll_shutdown(context);
        self.unless_stalled(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(context, bytes);
        self.unless_stalled(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
