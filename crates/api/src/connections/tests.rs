//! Connections through real sockets, against a router of two paths.
use super::*;
use axum::{Extension, extract::ws::WebSocketUpgrade, routing::get};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

/// More than the buffers of any system take.
const MUCH: usize = 64 << 20;

struct Door {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

async fn open(settings: &Settings, tls: Option<Arc<Tls>>) -> Door {
    let router = Router::new()
        .route("/", get(async |Extension(Address(address)): Extension<Address>| address.to_string()))
        .route("/much", get(async || vec![b'x'; MUCH]))
        .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(300)).await))
        .route(
            "/socket",
            get(async |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(Connections::new(settings, tls).serve(listener, router, stopped));
    Door { address, stop, task }
}

fn settings(change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings);
    settings
}

impl Door {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
    headers: &str,
) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await?;
    read(stream).await
}

/// What comes next; nothing when the connection ended.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut buffer = vec![0; 4_096];
    let patience = Duration::from_secs(10);
    let length =
        timeout(patience, stream.read(&mut buffer)).await.expect("something happens in ten seconds")?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

/// Whether the other side ended the connection, in order or by a reset.
async fn is_closed(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    read(stream).await.map_or(true, |text| text.is_empty())
}

#[tokio::test]
async fn half_a_header_and_an_idle_connection_come_to_an_end() {
    let door = open(&settings(|settings| settings.limits.header_timeout_ms = 200), None).await;
    let mut slow = door.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut silent = door.connect().await;
    let mut idle = door.connect().await;
    // An answer may take longer than the headers.
    assert!(ask(&mut idle, "/slow", "").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&mut idle, "/", "").await.unwrap().ends_with("127.0.0.1"));
    for stream in [&mut slow, &mut silent, &mut idle] {
        assert!(is_closed(stream).await);
    }
}

#[tokio::test]
async fn headers_have_a_size() {
    let door = open(&Settings::default(), None).await;
    let mut stream = door.connect().await;
    let long = format!("a: {}\r\n", "x".repeat(4 * BUFFER));
    let answer = ask(&mut stream, "/", &long).await;
    assert!(answer.map_or(true, |answer| answer.starts_with("HTTP/1.1 431")));
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let mut settings = settings(|settings| settings.limits.address_connections = 2);
    let door = open(&settings, None).await;
    let (mut first, mut second) = (door.connect().await, door.connect().await);
    assert!(ask(&mut first, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(ask(&mut second, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(is_closed(&mut door.connect().await).await);
    // A connection that became a WebSocket still counts.
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert!(ask(&mut first, "/socket", upgrade).await.unwrap().starts_with("HTTP/1.1 101"));
    assert!(is_closed(&mut door.connect().await).await);
    drop(first);
    let again = async {
        while ask(&mut door.connect().await, "/", "").await.map_or(true, |answer| answer.is_empty()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), again).await.expect("a place that was given back");
    // A proxy brings everybody's connections.
    settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let door = open(&settings, None).await;
    let mut many = Vec::new();
    for _ in 0..5 {
        let mut stream = door.connect().await;
        assert!(ask(&mut stream, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
        many.push(stream);
    }
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let door = open(&settings(|settings| settings.limits.connections = 1), None).await;
    let mut first = door.connect().await;
    assert!(ask(&mut first, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
    let mut second = door.connect().await;
    let waiting = timeout(Duration::from_millis(300), ask(&mut second, "/", "")).await;
    assert!(waiting.is_err(), "{waiting:?}");
    drop(first);
    assert!(read(&mut second).await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_request_at_work_is_finished_before_the_door_closes() {
    let door = open(&Settings::default(), None).await;
    let (mut busy, mut idle) = (door.connect().await, door.connect().await);
    assert!(ask(&mut idle, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    door.stop.send_replace(true);
    assert!(read(&mut busy).await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(is_closed(&mut idle).await);
    timeout(Duration::from_secs(5), door.task).await.expect("nothing is open any more").unwrap();
    assert!(TcpStream::connect(door.address).await.is_err());
}

#[tokio::test]
async fn the_client_is_told_by_trusted_proxies_only() {
    let door = open(&Settings::default(), None).await;
    let forged = "x-forwarded-for: 198.51.100.1\r\n";
    assert!(ask(&mut door.connect().await, "/", forged).await.unwrap().ends_with("127.0.0.1"));
    let behind = settings(|settings| settings.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    let door = open(&behind, None).await;
    assert!(ask(&mut door.connect().await, "/", forged).await.unwrap().ends_with("198.51.100.1"));
}

#[tokio::test]
async fn tls_is_spoken_with_a_certificate() {
    let made = rcgen::generate_simple_self_signed(vec!["desk.example".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = Arc::new(Tls::read(&cert, &key).unwrap());
    let door = open(&settings(|settings| settings.limits.header_timeout_ms = 500), Some(tls.clone())).await;
    let connector = |der| {
        let mut roots = RootCertStore::empty();
        roots.add(der).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    };
    let name = ServerName::try_from("desk.example").unwrap();
    let first = connector(made.cert.der().clone());
    let mut stream = first.connect(name.clone(), door.connect().await).await.unwrap();
    assert!(ask(&mut stream, "/", "").await.unwrap().ends_with("127.0.0.1"));
    // Plain HTTP is no TLS, and a handshake that never comes is not waited for.
    let mut plain = door.connect().await;
    assert!(!ask(&mut plain, "/", "").await.is_ok_and(|answer| answer.starts_with("HTTP")));
    assert!(is_closed(&mut door.connect().await).await);
    // The next connection sees a certificate that was renewed.
    let next = rcgen::generate_simple_self_signed(vec!["desk.example".to_owned()]).unwrap();
    std::fs::write(&cert, next.cert.pem()).unwrap();
    std::fs::write(&key, next.signing_key.serialize_pem()).unwrap();
    assert!(tls.refresh().unwrap());
    assert!(first.connect(name.clone(), door.connect().await).await.is_err());
    assert!(connector(next.cert.der().clone()).connect(name, door.connect().await).await.is_ok());
}

#[tokio::test]
async fn who_does_not_read_loses_the_connection_and_who_reads_slowly_does_not() {
    let limited = settings(|settings| {
        settings.limits.connections = 1;
        settings.limits.write_timeout_ms = 300;
    });
    let door = open(&limited, None).await;
    let mut silent = door.connect().await;
    silent.write_all(b"GET /much HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // The only place is free again, although the silent one holds on.
    let mut next = door.connect().await;
    assert!(ask(&mut next, "/", "").await.unwrap().starts_with("HTTP/1.1 200"));
    drop(next);
    let mut rest = Vec::new();
    let cut = timeout(Duration::from_secs(10), silent.read_to_end(&mut rest)).await.unwrap();
    assert!(cut.is_err() || rest.len() < MUCH, "all of it was written");
    // Whoever takes a little again and again is not cut, longer than the limit in all.
    let mut slow = door.connect().await;
    slow.write_all(b"GET /much HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut buffer, mut taken) = (vec![0; 4 << 20], 0);
    let begun = std::time::Instant::now();
    loop {
        let length = slow.read(&mut buffer).await.unwrap();
        if length == 0 {
            break;
        }
        taken += length;
        if begun.elapsed() < Duration::from_millis(700) {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
    assert!(taken > MUCH, "{taken}");
}
