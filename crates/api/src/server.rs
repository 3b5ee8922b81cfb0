//! HTTP: one router.
use std::{
    collections::HashMap,
    fs,
    io::Read,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use async_graphql::Value;
use axum::{
    Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::sync::watch;
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer};
use zhixing_domain::{Amount, Date, Period, RegionCode, TimeReference, id::GlobalId};
use zhixing_event_store::{Error, EventStore, Projector, replica::Origin};
use zhixing_vault::Vault;

use crate::{
    checkpoints,
    config::Settings,
    downloads::Downloads,
    due_list, event_documents,
    feed::{self, Feed},
    graphql::{self, context::Session, region::Region},
    identity::Identity,
    integration::pull,
    local, projections,
    protocol::{
        Authenticator, Documents, DocumentsError, Endpoint, Guard, GuardError, Introspection, Limits,
        Refused, Said, Scalars,
    },
    task_table,
};

/// The query that GraphiQL opens with and `serve` prints.
pub const FIRST_QUERY: &str = r"{
  plans(orderBy: { field: ISSUED_ON }) {
    totalCount
    nodes {
      title
      issuedOn
      region { name }
      cockpit { tasksByStatus { status count } indicatorsByLight { light count } }
      tasks(first: 3, where: { isRoot: true }) { totalCount nodes { number title dueOn leadUnits { name } } }
    }
  }
}";

/// Scripts, styles and data from this service only; nobody frames it.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Bytes of a manifest of documents.
const MANIFEST: u64 = 16 << 20;

/// What runs behind the door.
#[derive(Clone, Debug)]
pub struct Service {
    /// The log and its views.
    pub store: EventStore,
    /// The read models beside them.
    pub projector: Projector,
    /// Working days and time limits.
    pub time: Arc<TimeReference>,
    /// The keys of persons.
    pub vault: Option<Vault>,
}

impl Service {
    /// Starts the read models over an open log, with the working days and time limits that the program knows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start(store: EventStore) -> Result<Self, Error> {
        Self::start_with(store, Arc::new(TimeReference::embedded())).await
    }

    /// The same with other working days and time limits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn start_with(store: EventStore, time: Arc<TimeReference>) -> Result<Self, Error> {
        let projector = Projector::start(store.clone(), projections::all()).await?;
        Ok(Self { store, projector, time, vault: None })
    }

    /// The same with the keys of persons.
    #[must_use]
    pub fn with_vault(self, vault: Vault) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// Hands over to the next process and closes the database.
    pub async fn stop(&self) {
        if let Err(error) = self.projector.stop().await {
            tracing::warn!(%error, "the next process must wait until the leases of this one end");
        }
        if let Some(vault) = &self.vault {
            vault.close().await;
        }
        self.store.pool().close().await;
    }
}

/// Why the door cannot open.
#[derive(Debug, thiserror::Error)]
pub enum NoDoor {
    /// The schema cannot be guarded: a defect of the program.
    #[error("the schema cannot be guarded: {0}")]
    Guard(#[from] GuardError),
    /// TLS to identity providers cannot be set up.
    #[error("identity providers cannot be asked: {0}")]
    Identity(#[from] reqwest::Error),
    /// The manifest of documents cannot be read.
    #[error("the documents of {0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// The manifest of documents cannot be used.
    #[error("the documents of {0} cannot be used: {1}")]
    Documents(PathBuf, DocumentsError),
}

/// What stands before the executor, with the documents that the operator trusts.
fn guard(settings: &Settings) -> Result<Guard, NoDoor> {
    let guard = bare_guard(&settings.limits)?;
    let guard = guard.introspected_by(settings.introspection());
    let Some(file) = &settings.documents else { return Ok(guard) };
    let unreadable = |error| NoDoor::Unreadable(file.clone(), error);
    let mut manifest = String::new();
    // One byte more than is taken, to tell a file that is too long.
    let read = fs::File::open(file).map_err(unreadable)?.take(MANIFEST + 1).read_to_string(&mut manifest);
    if read.map_err(unreadable)? as u64 > MANIFEST {
        return Err(unreadable(std::io::Error::other(format!("it has more than {MANIFEST} bytes"))));
    }
    let unusable = |error| NoDoor::Documents(file.clone(), error);
    let documents = Documents::read(&manifest, settings.only_trusted_documents).map_err(unusable)?;
    guard.trusting(documents).map_err(unusable)
}

/// What is said to whoever wants to change something on a replica.
pub(crate) fn read_only(Origin { source, .. }: &Origin) -> String {
    Error::ReadOnly { origin: source.clone() }.to_string()
}

/// The guard that stands before the schema, without the documents and readers of a settings file.
///
/// # Errors
/// When the schema cannot be guarded.
pub fn bare_guard(limits: &Limits) -> Result<Guard, GuardError> {
    Guard::new(&graphql::sdl(), limits.clone(), &scalars())
}

/// Everything the service answers.
///
/// # Errors
/// When the schema cannot be guarded, TLS cannot be set up, or the documents to trust cannot be used.
pub fn router(
    service: &Service,
    settings: &Settings,
    shutdown: watch::Receiver<bool>,
) -> Result<Router, NoDoor> {
    let store = &service.store;
    let stopping = shutdown.clone();
    let guard = guard(settings)?;
    let guard = match store.origin() {
        Some(origin) => guard.reading_only(read_only(origin)),
        None => guard,
    };
    let identity = Identity::new(store.clone(), settings.takes_development_tokens(), &settings.identity)?;
    let for_requests = (store.clone(), identity.clone());
    let for_ids = store.clone();
    let endpoint = Endpoint::new(
        graphql::schema(
            store.clone(),
            service.projector.clone(),
            service.time.clone(),
            service.vault.clone(),
        ),
        identity.clone(),
        Arc::new(guard),
        Arc::new(move |request| {
            let (store, identity) = &for_requests;
            Session::prepare(store, request).data(identity.clone())
        }),
        Arc::new(move || for_ids.clock().new_id().to_string()),
        shutdown,
    );
    let pages = Router::new()
        .route("/", get(graphiql))
        .route(
            "/graphiql/graphiql.js",
            get(async || asset("text/javascript", include_str!("../assets/graphiql/graphiql.js"))),
        )
        .route(
            "/graphiql/graphiql.css",
            get(async || asset("text/css", include_str!("../assets/graphiql/graphiql.css"))),
        )
        .route(
            "/graphiql/favicon.svg",
            get(async || asset("image/svg+xml", include_str!("../assets/graphiql/favicon.svg"))),
        )
        .layer(CompressionLayer::new())
        .with_state(settings.takes_development_tokens());
    let schema = Router::new()
        .route("/graphql/schema.graphql", get(schema_text))
        .layer(CompressionLayer::new())
        .with_state((settings.introspection(), identity.clone()));
    let downloads = Router::new()
        .route("/plans/{code}/tasks.csv", get(task_table::csv))
        .route("/plans/{code}/tasks.xlsx", get(task_table::xlsx))
        .route("/due-items.csv", get(due_list::csv))
        .route("/due-items.xlsx", get(due_list::xlsx))
        .layer(CompressionLayer::new())
        .with_state(Downloads { store: store.clone(), identity: identity.clone(), till: endpoint.till() });
    let feed = Feed {
        store: store.clone(),
        identity: identity.clone(),
        till: endpoint.till(),
        source: settings.delivery.source.as_str().into(),
        heartbeat: Duration::from_millis(settings.limits.sse_keep_alive_ms.max(1)),
        shutdown: stopping,
    };
    let feed = feed::router(feed.clone()).merge(pull::router(feed));
    let probes = Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/log/checkpoint", get(checkpoints::latest))
        .with_state(store.clone());
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let router = endpoint
        .router()
        .merge(pages)
        .merge(schema)
        .merge(downloads)
        .merge(event_documents::router().layer(CompressionLayer::new()))
        .merge(feed)
        .merge(probes)
        .layer(middleware::from_fn(measure));
    let router = if settings.takes_development_tokens() {
        router.layer(middleware::from_fn(local::only))
    } else {
        router
    };
    let router = router
        .layer(set(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(set(header::REFERRER_POLICY, "no-referrer"))
        .layer(set(header::X_FRAME_OPTIONS, "DENY"));
    Ok(match settings.tls_files() {
        // Once seen over TLS, never to be asked for without.
        Some(_) => router.layer(set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000")),
        None => router,
    })
}

/// How each custom scalar is checked before anything runs.
fn scalars() -> Scalars {
    fn text<T: std::str::FromStr<Err: std::fmt::Display>>(value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => text.parse::<T>().map(drop).map_err(|reason| reason.to_string()),
            _ => Err("is not a string".into()),
        }
    }
    fn id(value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) if Region::by_id(text).is_some() => Ok(()),
            _ => text::<GlobalId>(value),
        }
    }
    fn position(value: &Value) -> Result<(), String> {
        let number = if let Value::Number(number) = value { number.as_i64() } else { None };
        number.filter(|number| *number >= 0).map(drop).ok_or_else(|| "is not a whole number from 0".into())
    }
    fn instant(value: &Value) -> Result<(), String> {
        text::<chrono::DateTime<chrono::Utc>>(value)
            .map_err(|_| "is not an instant such as 2018-12-31T16:00:00Z".into())
    }
    let checks: [(&str, crate::protocol::ScalarCheck); 9] = [
        ("ID", id),
        ("UUID", text::<uuid::Uuid>),
        ("Date", text::<Date>),
        ("DateTime", instant),
        ("Decimal", text::<Amount>),
        ("Period", text::<Period>),
        ("RegionCode", text::<RegionCode>),
        ("Position", position),
        // Only ever an output.
        ("JSON", |_| Ok(())),
    ];
    checks.into_iter().map(|(name, check)| (name.to_owned(), check)).collect::<HashMap<_, _>>()
}

/// GraphiQL from the binary: government networks have no CDN.
async fn graphiql(State(development_tokens): State<bool>) -> Html<String> {
    const PAGE: &str = include_str!("../assets/graphiql/index.html");
    let headers = if development_tokens {
        r#"{ "Authorization": "Bearer dev:demo:LEADING_GROUP_OFFICE,ADMINISTRATOR" }"#
    } else {
        ""
    };
    let config =
        serde_json::json!({ "url": "graphql", "defaultQuery": FIRST_QUERY, "defaultHeaders": headers });
    // Inside a script element only `<` could end it early.
    let config = config.to_string().replace('<', "\\u003c");
    let start = PAGE.find(r#"id="config">"#).map_or(0, |at| at + r#"id="config">"#.len());
    let end = PAGE[start..].find("</script>").map_or(PAGE.len(), |at| start + at);
    Html(format!("{}{config}{}", &PAGE[..start], &PAGE[end..]))
}

/// The schema as text, for those who may ask for it.
async fn schema_text(
    State((introspection, identity)): State<(Introspection, Identity)>,
    headers: HeaderMap,
) -> Response {
    let mut may = introspection.is_open_to(false);
    if !may && introspection.is_open_to(true) {
        let visitor = match Said::of(&headers) {
            Ok(said) => identity.authenticate(&said).await,
            Err(refused) => Err(refused),
        };
        match visitor {
            Ok(visitor) => may = Identity::name(&visitor).is_some(),
            Err(Refused { reason, what }) => return (what.status(), reason).into_response(),
        }
    }
    if may {
        return asset("text/plain; charset=utf-8", graphql::sdl().into_bytes());
    }
    (StatusCode::FORBIDDEN, "the schema is not told here, or only to those who signed in").into_response()
}

fn asset(content_type: &'static str, bytes: impl Into<bytes::Bytes>) -> Response {
    let bytes: bytes::Bytes = bytes.into();
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache")], bytes).into_response()
}

/// Whether requests can be served: the database answers.
async fn ready(State(store): State<EventStore>) -> Response {
    match store.pool().ping().await {
        Ok(()) => "ready".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer").into_response()
        }
    }
}

/// One recorder for the whole process, however many servers it runs.
fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| {
            let buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
            PrometheusBuilder::new().set_buckets(&buckets).ok()?.install_recorder().ok()
        })
        .as_ref()
}

async fn metrics(State(store): State<EventStore>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float by the format")]
    metrics::gauge!("zhixing_log_position").set(store.head() as f64);
    let Some(recorder) = recorder() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    recorder.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], recorder.render()).into_response()
}

/// Counts and times every request by route; the route is a pattern, never a path that a client chose.
async fn measure(request: Request, next: Next) -> Response {
    let begun = Instant::now();
    recorder();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = request.method().as_str().to_owned();
    let response = next.run(request).await;
    let labels = [("route", route), ("method", method), ("status", response.status().as_u16().to_string())];
    metrics::histogram!("zhixing_http_request_seconds", &labels).record(begun.elapsed());
    response
}
