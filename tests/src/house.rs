//! The house of a story: the whole service, spoken to only through its front door.
use std::{net::SocketAddr, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use zhixing_api::{
    config::Settings,
    connections::Connections,
    graphql,
    identity::settings::IdentitySettings,
    server::{self, Service},
    time_change,
};
use zhixing_domain::{Kind, TimeReference};
use zhixing_event_store::{EventStore, Pool, SimulatedClock};
use zhixing_vault::{MasterSource, Vault};

use crate::{
    clock::clock,
    database::{Base, Database},
};

/// Tells a story once on each database.
macro_rules! story {
    ($(#[$meta:meta])* $name:ident, |$house:ident| $body:block) => {
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                $crate::house::tell($crate::database::Base::Sqlite, super::$name).await;
            }
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_postgres() {
                $crate::house::tell($crate::database::Base::Postgres, super::$name).await;
            }
        }
        $(#[$meta])*
        async fn $name($house: &mut $crate::house::House) $body
    };
}
pub(crate) use story;

/// Somebody of the leading group's office of the whole country.
pub(crate) const OFFICE: &str = "dev:ann:LEADING_GROUP_OFFICE";
/// Another one, for the second pair of eyes.
pub(crate) const OFFICE_TOO: &str = "dev:bo:LEADING_GROUP_OFFICE";
/// Nobody in particular.
pub(crate) const ANONYMOUS: &str = "";

/// What a refusal says, whichever it is.
pub(crate) const ERRORS: &str = "errors { __typename code message field
    ... on NotFound { kind } ... on NotAllowedInState { action state allowedIn } ... on NotPermitted { roles }
    ... on VersionConflict { expected actual } ... on AlreadyExists { kind existingId }
    ... on RuleViolation { rule legalBasis } ... on InvalidInput { reason } }";
/// What an event says.
pub(crate) const EVENT: &str =
    "id position type kind subjectId version statusFrom statusTo actor regionCode data hash recordedAt";

/// The running service with its database and its clock.
pub(crate) struct House {
    pub(crate) clock: Arc<SimulatedClock>,
    pub(crate) store: EventStore,
    pub(crate) vault: Vault,
    /// Where the keys of persons are, apart from the database.
    keys: TempDir,
    service: Service,
    pub(crate) database: Database,
    http: reqwest::Client,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    identity: IdentitySettings,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// Tells a story in a house of its own, and clears the house away however the story ends.
pub(crate) async fn tell(base: Base, story: impl AsyncFnOnce(&mut House)) {
    let mut house = House::open(base).await;
    let end = AssertUnwindSafe(story(&mut house)).catch_unwind().await;
    house.close().await;
    house.database.remove().await;
    if let Err(panic) = end {
        std::panic::resume_unwind(panic);
    }
}

impl House {
    async fn open(base: Base) -> Self {
        let clock = Arc::new(clock());
        let database = Database::new(base).await;
        let store = open_store(&database, &clock).await;
        let keys = tempfile::tempdir().unwrap();
        let vault = open_vault(&keys, &clock).await;
        let service = Service::start(store.clone()).await.unwrap().with_vault(vault.clone());
        let identity = IdentitySettings::default();
        let (address, stop, server) = serve(&service, &settings()).await;
        Self {
            clock,
            store,
            vault,
            keys,
            service,
            database,
            http: reqwest::Client::new(),
            address,
            stop,
            server,
            identity,
        }
    }

    async fn close(&mut self) {
        self.stop.send_replace(true);
        self.server.abort();
        let _ = (&mut self.server).await;
        self.service.stop().await;
    }

    /// Stops the service and starts it again on the same database.
    pub(crate) async fn restart(&mut self) {
        self.restart_with(TimeReference::embedded()).await;
    }

    /// The same with other calendars and time limits, of which it remembers the change.
    pub(crate) async fn restart_with(&mut self, time: TimeReference) {
        self.close().await;
        self.store = open_store(&self.database, &self.clock).await;
        self.vault = open_vault(&self.keys, &self.clock).await;
        let service = Service::start_with(self.store.clone(), Arc::new(time)).await.unwrap();
        self.service = service.with_vault(self.vault.clone());
        time_change::remember(&self.store, &self.service.time).await.unwrap();
        (self.address, self.stop, self.server) = serve(&self.service, &self.settings()).await;
    }

    /// Stops the service and starts it again, trusting these identity providers.
    pub(crate) async fn restart_trusting(&mut self, identity: IdentitySettings) {
        self.identity = identity;
        self.restart().await;
    }

    fn settings(&self) -> Settings {
        Settings { identity: self.identity.clone(), ..settings() }
    }

    /// Opens another front door to the same service, with other settings.
    pub(crate) async fn serve_with(&mut self, settings: Settings) {
        self.stop.send_replace(true);
        self.server.abort();
        let _ = (&mut self.server).await;
        (self.address, self.stop, self.server) = serve(&self.service, &settings).await;
    }

    /// Everything the service would answer with other settings.
    pub(crate) fn router(&self, settings: &Settings) -> Result<axum::Router, server::NoDoor> {
        server::router(&self.service, settings, self.stop.subscribe())
    }

    /// Another house of its own, on an empty database of the same sort. [`House::leave`] clears it away.
    pub(crate) async fn another(&self) -> Self {
        let base = match &self.database {
            Database::Sqlite(_) => Base::Sqlite,
            Database::Postgres { .. } => Base::Postgres,
        };
        Self::open(base).await
    }

    /// Clears away what [`House::another`] built.
    pub(crate) async fn leave(mut self) {
        self.close().await;
        self.database.remove().await;
    }

    /// A second process on the same database, with the same clock.
    pub(crate) async fn another_store(&self) -> EventStore {
        open_store(&self.database, &self.clock).await
    }

    /// The address of a path of the service.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Position of the last event, as `/metrics` and subscribers see it.
    pub(crate) fn head(&self) -> i64 {
        self.store.head()
    }

    /// Posts a GraphQL request as somebody; an empty token is nobody.
    pub(crate) async fn ask(&self, token: &str, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        let mut request = self.http.post(self.url("/graphql")).json(&body);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, text, body }
    }

    /// The data of an answer without errors.
    pub(crate) async fn ok(&self, token: &str, query: &str, variables: Value) -> Value {
        let Answer { status, text, mut body } = self.ask(token, query, variables).await;
        assert!(status == 200 && body.get("errors").is_none(), "{query}\nwas answered {status}: {text}");
        body["data"].take()
    }

    /// Carries out a command. Its payload has `object`, `events`, `position` and `errors`.
    pub(crate) async fn act(&self, token: &str, action: &str, input: Value) -> Value {
        self.act_so(token, action, input, json!({})).await
    }

    /// The same with a `commandId`, an `expectedVersion` or `dryRun`.
    pub(crate) async fn act_so(&self, token: &str, action: &str, input: Value, how: Value) -> Value {
        let mut variables = how;
        variables["input"] = input;
        self.ok(token, &mutation(action), variables).await[action].take()
    }

    /// A command that must not be refused: the object after it.
    pub(crate) async fn done(&self, token: &str, action: &str, input: Value) -> Value {
        let mut payload = self.act(token, action, input).await;
        assert_eq!(payload["errors"], json!([]), "{action}");
        payload["object"].take()
    }

    /// A command that must be refused with this code: the refusal.
    pub(crate) async fn refused(&self, token: &str, action: &str, input: Value, code: &str) -> Value {
        let before = self.head();
        let mut payload = self.act(token, action, input).await;
        let refusal = payload["errors"][0].take();
        assert_eq!(refusal["code"], code, "{action}: {payload} {refusal}");
        assert_eq!((&payload["object"], &payload["position"]), (&Value::Null, &Value::Null), "{action}");
        assert_eq!(self.head(), before, "a refused {action} left a trace");
        refusal
    }
}

/// The mutation of an action, as the lifecycle tables know it.
pub(crate) fn mutation(action: &str) -> String {
    let owns = |kind: &&Kind| kind.lifecycle().steps.iter().any(|step| step.action == action);
    let kind = Kind::ALL.iter().find(owns).unwrap_or_else(|| panic!("there is no action {action}")).name();
    let object = lower(kind);
    let input = format!("{}{}", action[..1].to_uppercase(), &action[1..]);
    format!(
        "mutation($input: {input}!, $commandId: String, $expectedVersion: Int, $dryRun: Boolean! = false) {{
            {action}(input: $input, commandId: $commandId, expectedVersion: $expectedVersion, dryRun: $dryRun) {{
                position events {{ {EVENT} }} {ERRORS} object: {object} {{ id version status }} }} }}"
    )
}

fn lower(name: &str) -> String {
    format!("{}{}", name[..1].to_lowercase(), &name[1..])
}

async fn open_store(database: &Database, clock: &Arc<SimulatedClock>) -> EventStore {
    let pool = Pool::open(&database.url()).await.unwrap();
    EventStore::open(pool, clock.clone(), graphql::catalogue()).await.unwrap()
}

/// The settings of every story that says nothing of them.
pub(crate) fn settings() -> Settings {
    Settings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Settings::default() }
}

async fn open_vault(keys: &TempDir, clock: &Arc<SimulatedClock>) -> Vault {
    let master = MasterSource::File(keys.path().join("master.key"));
    let url = format!("sqlite:{}", keys.path().join("keys.db").display());
    Vault::open_at(&url, master, clock.clone()).await.unwrap()
}

async fn serve(service: &Service, settings: &Settings) -> (SocketAddr, watch::Sender<bool>, JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let router = server::router(service, settings, stopped.clone()).unwrap();
    let listener = TcpListener::bind(settings.listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(Connections::new(settings, None).serve(listener, router, stopped));
    (address, stop, server)
}
