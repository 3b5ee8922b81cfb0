//! Whoever follows ends with exactly the log, whatever is killed meanwhile: two services on one PostgreSQL, a NATS server, a
//! webhook receiver that fails and stalls, and four who write.
use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::{self, consumer::pull};
use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use zhixing_domain::Clock;
use zhixing_event_store::SystemClock;

const ADMINISTRATOR: &str = "dev:root:ADMINISTRATOR";
const AUDITOR: &str = "dev:ann:AUDITOR";
const WRITERS: usize = 4;
/// Events in the life of one unit.
const LIFE: usize = 50;
/// What is killed, one after the other.
const ROUNDS: usize = 6;
const BETWEEN: Duration = Duration::from_millis(1_500);
/// How long everybody may take to come along in the end: a delivery that a killed process held is free again after 30 s, one
/// that stalled after 15 s, and then waits 5 s.
const PATIENCE: Duration = Duration::from_mins(2);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program that can be killed and started again.
struct Program {
    command: Box<dyn Fn() -> Command + Send>,
    running: Child,
}

impl Program {
    fn start(command: impl Fn() -> Command + Send + 'static) -> Self {
        Self { running: spawn(&command), command: Box::new(command) }
    }

    /// As `kill -9` does it.
    fn kill_and_start(&mut self) {
        self.running.kill().unwrap();
        self.running.wait().unwrap();
        self.running = spawn(&self.command);
    }
}

fn spawn(command: &dyn Fn() -> Command) -> Child {
    command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

fn nats_server(port: u16, directory: &Path) -> Command {
    let named = env::var("NATS_SERVER").ok();
    let usual =
        ["nats-server", "/usr/sbin/nats-server", "/usr/local/sbin/nats-server"].map(ToOwned::to_owned);
    let is_there = |program: &String| Command::new(program).arg("--version").output().is_ok();
    let program = named.into_iter().chain(usual).find(is_there);
    let mut command = Command::new(program.unwrap_or_else(|| panic!("there is no nats-server: run ./test")));
    command.args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--jetstream", "--store_dir"]);
    command.arg(directory);
    command
}

fn service(port: u16, database: &str, nats: u16, directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zhixing"));
    command.current_dir(directory);
    command.args(["serve", "--samples", "false", "--database", database, "--data", "."]);
    command.args(["--listen", &format!("127.0.0.1:{port}")]);
    command.env("ZHIXING_NATS__URL", format!("nats://127.0.0.1:{nats}"));
    command.env("ZHIXING_DELIVERY__ALLOW_HTTP", "true");
    command.env("ZHIXING_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]");
    command.env("ZHIXING_SCHEDULER", "false");
    for limit in ["OPERATIONS", "COST_PER_SECOND"] {
        command.env(format!("ZHIXING_LIMITS__CLIENT_{limit}"), "0");
    }
    command
}

/// The services, of which any may be dead just now.
#[derive(Clone)]
struct Services {
    ports: [u16; 2],
    http: reqwest::Client,
}

impl Services {
    fn address(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.ports[number % 2])
    }

    async fn until_ready(&self) {
        let end = Instant::now() + PATIENCE;
        for number in 0..2 {
            let url = format!("http://{}/readyz", self.address(number));
            while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                assert!(Instant::now() < end, "{url} does not answer");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// Asks one after the other until somebody answers; the same command id makes it one command.
    async fn command(&self, token: &str, query: &str, input: Value, command: &str) -> Value {
        for number in 0.. {
            let variables = json!({ "input": input, "command": command });
            let request =
                self.http.post(format!("http://{}/graphql", self.address(number))).bearer_auth(token);
            let asked = request.json(&json!({ "query": query, "variables": variables })).send().await;
            if let Ok(answer) = asked
                && let Ok(mut said) = answer.json::<Value>().await
                && said["errors"].is_null()
            {
                return said["data"].take();
            }
            sleep(Duration::from_millis(50)).await;
        }
        unreachable!()
    }

    async fn log(&self) -> Vec<Value> {
        let request =
            self.http.get(format!("http://{}/events?after=0", self.address(0))).bearer_auth(AUDITOR);
        let lines =
            request.header("accept", "application/x-ndjson").send().await.unwrap().text().await.unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const REGISTER: &str = "mutation($input: RegisterUnit!, $command: String) {
    registerUnit(input: $input, commandId: $command) { unit { id } position errors { message } } }";
const RENAME: &str = "mutation($input: RenameUnit!, $command: String) {
    renameUnit(input: $input, commandId: $command) { position errors { message } } }";

async fn register(services: &Services, name: &str) -> (String, i64) {
    let input = json!({ "name": name, "kind": "DEPARTMENT", "regionCode": "620000" });
    let said = services.command(ADMINISTRATOR, REGISTER, input, &SystemClock.new_id().to_string()).await;
    let done = &said["registerUnit"];
    assert_eq!(done["errors"], json!([]), "{said}");
    (done["unit"]["id"].as_str().unwrap().into(), done["position"].as_i64().unwrap())
}

/// Writes until told to stop: the positions that were acknowledged.
async fn write(services: Services, who: usize, stop: Arc<AtomicBool>) -> Vec<i64> {
    let mut positions = Vec::new();
    let mut unit = String::new();
    while !stop.load(Ordering::Relaxed) {
        let number = positions.len();
        let position = if number % LIFE == 0 {
            let (registered, position) = register(&services, &format!("第{who}处第{number}科")).await;
            unit = registered;
            position
        } else {
            let name = format!("第{who}处第{number}科改");
            let input = json!({ "id": unit, "name": name, "reason": "机构改革" });
            let said =
                services.command(ADMINISTRATOR, RENAME, input, &SystemClock.new_id().to_string()).await;
            assert_eq!(said["renameUnit"]["errors"], json!([]), "{said}");
            said["renameUnit"]["position"].as_i64().unwrap()
        };
        positions.push(position);
        sleep(Duration::from_millis(10)).await;
    }
    positions
}

/// Positions as they came, shared with who waits for them.
type Positions = Arc<Mutex<Vec<i64>>>;

fn last(positions: &Positions) -> i64 {
    positions.lock().unwrap().last().copied().unwrap_or(0)
}

/// Follows over WebSocket, at whichever service is there, from the last position on.
async fn follow(services: Services, seen: Positions) {
    for number in 0.. {
        let _ = follow_one(&services.address(number), &seen).await;
        sleep(Duration::from_millis(50)).await;
    }
}

async fn follow_one(address: &str, seen: &Positions) -> Option<()> {
    let mut request = format!("ws://{address}/graphql").into_client_request().ok()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().ok()?);
    let (mut socket, _) = connect_async(request).await.ok()?;
    let hello =
        json!({ "type": "connection_init", "payload": { "Authorization": format!("Bearer {AUDITOR}") } });
    socket.send(Message::text(hello.to_string())).await.ok()?;
    let query = format!("subscription {{ changes(after: {}) {{ position }} }}", last(seen));
    let follow = json!({ "id": "1", "type": "subscribe", "payload": { "query": query } });
    socket.send(Message::text(follow.to_string())).await.ok()?;
    loop {
        if let Message::Text(text) = socket.next().await?.ok()? {
            let message: Value = serde_json::from_str(&text).ok()?;
            if let Some(position) = message["payload"]["data"]["changes"]["position"].as_i64() {
                seen.lock().unwrap().push(position);
            }
        }
    }
}

/// Follows the stream of NATS from the last position on.
async fn listen(port: u16, seen: Positions) {
    loop {
        let _ = listen_once(port, &seen).await;
        sleep(Duration::from_millis(100)).await;
    }
}

async fn listen_once(port: u16, seen: &Positions) -> Option<()> {
    let client = async_nats::connect(format!("nats://127.0.0.1:{port}")).await.ok()?;
    let stream = jetstream::new(client).get_stream("ZHIXING").await.ok()?;
    let start_sequence = u64::try_from(last(seen) + 1).ok()?;
    let deliver_policy = jetstream::consumer::DeliverPolicy::ByStartSequence { start_sequence };
    let settings = pull::OrderedConfig { deliver_policy, ..pull::OrderedConfig::default() };
    let mut messages = stream.create_consumer(settings).await.ok()?.messages().await.ok()?;
    loop {
        let message = timeout(Duration::from_secs(5), messages.next()).await.ok()??.ok()?;
        let position = message.headers.as_ref()?.get("Zhixing-Position")?.as_str().parse().ok()?;
        let event: Value = serde_json::from_slice(&message.payload).ok()?;
        assert_eq!(event["sequence"].as_str()?.parse::<i64>().ok()?, position);
        seen.lock().unwrap().push(position);
    }
}

/// A webhook receiver that is not to be relied on.
#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<Received>>);

#[derive(Default)]
struct Received {
    /// Ids that came once, taken or not.
    met: BTreeSet<String>,
    /// What was taken, as it came: the subject, the number in its life, and the position.
    taken: Vec<(String, i64, i64)>,
    stalled: bool,
}

impl Receiver {
    /// How an event that comes for the first time fares.
    fn fate(&self, id: &str) -> Fate {
        let mut received = self.0.lock().unwrap();
        if !received.met.insert(id.to_owned()) {
            return Fate::Taken;
        }
        match received.met.len() {
            30.. if !received.stalled => {
                received.stalled = true;
                Fate::Stalled
            }
            number if number % 40 == 20 => Fate::Failed,
            _ => Fate::Taken,
        }
    }

    /// Whether it was as hard as it should be, and each subject's events came in the order of its life.
    fn judge(&self) {
        let Received { met, taken, stalled } = &*self.0.lock().unwrap();
        assert!(*stalled && met.len() > 40, "the receiver failed and stalled");
        let mut lives: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        let mut known: BTreeSet<(&str, i64)> = BTreeSet::new();
        for (subject, version, _) in taken {
            if known.insert((subject, *version)) {
                lives.entry(subject).or_default().push(*version);
            }
        }
        for (subject, versions) in lives {
            let in_order: Vec<i64> = (1..).take(versions.len()).collect();
            assert_eq!(versions, in_order, "{subject}: in the order of its life");
        }
    }
}

enum Fate {
    Taken,
    Failed,
    Stalled,
}

async fn receive(State(receiver): State<Receiver>, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap();
    if let Some(challenge) = event.get("challenge") {
        return Json(json!({ "challenge": challenge })).into_response();
    }
    match receiver.fate(event["id"].as_str().unwrap()) {
        Fate::Failed => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        // Longer than the service waits for an answer.
        Fate::Stalled => sleep(Duration::from_secs(20)).await,
        Fate::Taken => {}
    }
    let number = |name: &str| event[name].as_str().unwrap().parse::<i64>().unwrap();
    let taken = (event["subject"].as_str().unwrap().to_owned(), number("subjectversion"), number("sequence"));
    receiver.0.lock().unwrap().taken.push(taken);
    StatusCode::NO_CONTENT.into_response()
}

/// A database of its own on the server that the tests have; it goes away at the end.
async fn database() -> (String, String, String) {
    let server = env::var("TEST_DATABASE_URL")
        .unwrap_or_else(|_| panic!("there is no PostgreSQL to test on: run ./test"));
    let name = format!("chaos_{}", SystemClock.new_id().simple());
    run_sql(&server, &format!("create database {name}")).await;
    let (address, _) = server.rsplit_once('/').unwrap();
    (format!("{address}/{name}"), server, name)
}

async fn run_sql(url: &str, sql: &str) {
    let db = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&db).await.unwrap();
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_ends_with_exactly_the_log_whatever_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let (url, server, name) = database().await;
    let (nats_port, ports) = (free_port(), [free_port(), free_port()]);
    let store = directory.path().join("nats");
    let mut programs = vec![Program::start(move || nats_server(nats_port, &store))];
    let services = Services {
        ports,
        http: reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap(),
    };
    for port in ports {
        let (url, directory) = (url.clone(), directory.path().to_owned());
        programs.push(Program::start(move || service(port, &url, nats_port, &directory)));
        // One after the other: the first makes the tables and the keys.
        let ready = format!("http://127.0.0.1:{port}/readyz");
        let end = Instant::now() + PATIENCE;
        while services.http.get(&ready).send().await.is_err() {
            assert!(Instant::now() < end, "{ready} does not answer");
            sleep(Duration::from_millis(50)).await;
        }
    }
    services.until_ready().await;

    let receiver = Receiver::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/in", listener.local_addr().unwrap());
    let router = Router::new().route("/in", post(receive)).with_state(receiver.clone());
    let receiving = tokio::spawn(async move { axum::serve(listener, router).await });
    let (unit, first) = register(&services, "省数据中心").await;
    let subscribe = "mutation($input: CreateSubscriptionInput!, $command: String) {
        createSubscription(input: $input, commandId: $command) { eventSubscription { id } errors { message } } }";
    let input = json!({ "name": "省数据中心", "unitId": unit, "regionCode": "620000", "after": 0,
        "where": { "kinds": ["UNIT"] }, "endpoint": { "url": endpoint } });
    let hub = format!("dev:hub:INTEGRATOR:unit={unit}:region=620000");
    let made = services.command(&hub, subscribe, input, "the-only-one").await;
    assert_eq!(made["createSubscription"]["errors"], json!([]), "{made}");

    let (over_socket, over_nats) = (Positions::default(), Positions::default());
    let following = tokio::spawn(follow(services.clone(), over_socket.clone()));
    let listening = tokio::spawn(listen(nats_port, over_nats.clone()));
    let stop = Arc::new(AtomicBool::new(false));
    let writing: Vec<_> =
        (0..WRITERS).map(|who| tokio::spawn(write(services.clone(), who, stop.clone()))).collect();
    let count = programs.len();
    for round in 0..ROUNDS {
        sleep(BETWEEN).await;
        programs[(round + 1) % count].kill_and_start();
        services.until_ready().await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = vec![first];
    for writer in writing {
        acknowledged.extend(timeout(PATIENCE, writer).await.unwrap().unwrap());
    }
    services.until_ready().await;

    // What there is in the end: nothing acknowledged is missing, nothing was done twice.
    let log = services.log().await;
    let number = |event: &Value, name: &str| event[name].as_str().unwrap().parse::<i64>().unwrap();
    let positions: Vec<i64> = log.iter().map(|event| number(event, "sequence")).collect();
    assert_eq!(positions, (1..=positions.len().try_into().unwrap()).collect::<Vec<i64>>());
    let head = positions.len().try_into().unwrap();
    let about_units = |event: &&Value| event["type"].as_str().unwrap().starts_with("cn.zhixing.Unit");
    let units: Vec<&Value> = log.iter().filter(about_units).collect();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, units.iter().map(|event| number(event, "sequence")).collect::<Vec<_>>());
    assert!(units.len() > 100, "too little was written: {}", units.len());

    // Everybody comes along.
    let wanted: BTreeSet<i64> = acknowledged.iter().copied().collect();
    let brought =
        || receiver.0.lock().unwrap().taken.iter().map(|(.., position)| *position).collect::<BTreeSet<_>>();
    let end = Instant::now() + PATIENCE;
    while last(&over_socket) < head || last(&over_nats) < head || brought().len() < wanted.len() {
        assert!(
            Instant::now() < end,
            "of {head}: {} over the socket, {} over NATS; {} of {} brought",
            last(&over_socket),
            last(&over_nats),
            brought().len(),
            wanted.len()
        );
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(*over_socket.lock().unwrap(), positions, "over WebSocket: every event once, in order");
    assert_eq!(*over_nats.lock().unwrap(), positions, "over NATS: every event once, in order");
    assert_eq!(brought(), wanted, "by webhook: every event");
    receiver.judge();
    following.abort();
    listening.abort();
    receiving.abort();
    drop(programs);
    run_sql(&server, &format!("drop database {name} with (force)")).await;
}
