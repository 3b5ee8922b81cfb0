//! The whole service behind its door, on an empty SQLite: methods, paths, headers, tokens, bodies, cursors, commands.
//!
//! The input is a request as HTTP/1.1 writes it: `POST /graphql`, headers, an empty line, the body.
#![no_main]
use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use libfuzzer_sys::fuzz_target;
use tokio::{runtime::Runtime, sync::watch};
use tower::ServiceExt;
use zhixing_api::{
    config::Settings,
    graphql,
    identity::settings::IdentitySettings,
    protocol::Limits,
    server::{self, Service},
};
use zhixing_event_store::{EventStore, Pool, SystemClock};
use zhixing_vault::{MasterSource, Vault};

/// Bytes of an answer at most.
const ANSWER: usize = 64 << 20;

struct House {
    runtime: Runtime,
    router: Router,
    _service: Service,
    _stop: watch::Sender<bool>,
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (router, service, stop) = runtime.block_on(async {
        let directory = std::env::temp_dir().join(format!("zhixing-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let database = |name: &str| format!("sqlite:{}", directory.join(name).display());
        let clock = Arc::new(SystemClock);
        let pool = Pool::open(&database("zhixing.db")).await.unwrap();
        let store = EventStore::open(pool, clock.clone(), graphql::catalogue()).await.unwrap();
        let master = MasterSource::File(directory.join("master.key"));
        let vault = Vault::open_at(&database("keys.db"), master, clock).await.unwrap();
        let service = Service::start(store).await.unwrap().with_vault(vault);
        // Nothing listens at the port of discovery, so tokens are read up to their key.
        let provider =
            r#"{ "providers": [{ "name": "gov", "issuer": "http://127.0.0.1:9", "audience": "zhixing" }] }"#;
        let identity: IdentitySettings = serde_json::from_str(provider).unwrap();
        // One client asks everything, and may.
        let limits = Limits {
            client_operations: 0,
            client_subscriptions: 0,
            client_cost_per_second: 0,
            ..Limits::default()
        };
        let settings = Settings { identity, limits, ..Settings::default() };
        let (stop, stopped) = watch::channel(false);
        (server::router(&service, &settings, stopped).unwrap(), service, stop)
    });
    House { runtime, router, _service: service, _stop: stop }
});

/// The request, unless HTTP itself would refuse it.
fn request(input: &[u8]) -> Option<Request<Body>> {
    let end = input.windows(2).position(|window| window == b"\n\n")?;
    let (head, body) = (&input[..end], &input[end + 2..]);
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::builder().method(first.next()?).uri(first.next()?);
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        request = request.header(parts.next()?, parts.next()?.trim_ascii());
    }
    request.body(Body::from(body.to_vec())).ok()
}

fuzz_target!(|input: &[u8]| {
    let Some(request) = request(input) else { return };
    HOUSE.runtime.block_on(async {
        let answer = HOUSE.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = answer.status();
        assert!(!status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE, "{status}");
        let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
        let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // A stream has no end.
        if kind.starts_with("text/event-stream") || kind.starts_with("multipart/") {
            return;
        }
        let body = tokio::time::timeout(Duration::from_secs(5), to_bytes(answer.into_body(), ANSWER));
        let body = body.await.expect("the answer does not end").expect("the answer is too long");
        let Ok(said) = serde_json::from_slice::<serde_json::Value>(&body) else { return };
        for error in said["errors"].as_array().into_iter().flatten() {
            let code = error["extensions"]["code"].as_str().unwrap_or_default();
            assert!(!code.is_empty() && code != "INTERNAL", "{error}");
        }
    });
});
