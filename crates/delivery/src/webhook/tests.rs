//! A receiver on this machine, a log of its own, and what the one gets of the other.
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use hickory_resolver::proto::{
    op::Message,
    rr::{RData, Record, RecordType, rdata::A},
};
use tokio::{net::UdpSocket, sync::watch};
use uuid::Uuid;
use zhixing_domain::{
    Clock, Kind,
    integration::event_subscription::{EnvelopeForm, SignatureScheme},
};
use zhixing_event_store::{
    Consumer, Error, EventStore, Pool, Recorded, SystemClock,
    append::{Append, Extension},
    consumer::Wanted,
};

use super::{Courier, Destination, Entry, Halt, Journal, Sender};
use crate::{
    name_servers::NameServers,
    public_address::PublicOnly,
    standard_webhooks::{ID, SIGNATURE, Secret, TIMESTAMP, is_signed_by},
};

const PATIENCE: Duration = Duration::from_secs(30);

/// What a receiver got: the subject and version of each event it took.
type Taken = Arc<Mutex<Vec<(String, i64)>>>;
type Behaviour = Arc<dyn Fn(usize, &str) -> Response + Send + Sync>;

#[derive(Clone)]
struct Receiver {
    taken: Taken,
    asked: Arc<AtomicUsize>,
    key: String,
    answers: Behaviour,
}

impl Receiver {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
    fn taken(&self) -> Vec<(String, i64)> {
        self.taken.lock().unwrap().clone()
    }
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let timestamp: i64 = header(TIMESTAMP).parse().unwrap();
    assert!(is_signed_by(&receiver.key, &header(ID), timestamp, &body, &header(SIGNATURE)));
    assert_eq!(header("content-type"), "application/cloudevents+json");
    let event: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["id"], header(ID));
    let subject = event["subject"].as_str().unwrap().to_owned();
    let number = receiver.asked.fetch_add(1, Ordering::SeqCst);
    let answer = (receiver.answers)(number, &subject);
    if answer.status().is_success() {
        let version = event["subjectversion"].as_str().unwrap().parse().unwrap();
        receiver.taken.lock().unwrap().push((subject, version));
    }
    answer
}

struct All;
impl Wanted for All {
    async fn wants(&self, _event: &Recorded) -> Result<bool, Error> {
        Ok(true)
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Entry>>>);
impl Journal for Log {
    async fn record(&self, entries: Vec<Entry>) {
        self.0.lock().unwrap().extend(entries);
    }
}

/// A log, a receiver and a courier between them.
struct Scene {
    store: EventStore,
    receiver: Receiver,
    consumer: Uuid,
    log: Log,
    url: String,
    secret: Arc<Secret>,
    _directory: tempfile::TempDir,
}

impl Scene {
    async fn new(answers: impl Fn(usize, &str) -> Response + Send + Sync + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("log.db").display());
        let pool = Pool::open(&url).await.unwrap();
        let store = EventStore::open(pool, Arc::new(SystemClock), Vec::new()).await.unwrap();
        let secret = Secret::generate(SignatureScheme::Ed25519).unwrap();
        let receiver = Receiver {
            taken: Arc::default(),
            asked: Arc::default(),
            key: secret.public().unwrap(),
            answers: Arc::new(answers),
        };
        let router = Router::new().route("/in", post(receive)).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let consumer = SystemClock.new_id();
        Consumer::new(store.clone(), consumer).create(0, 1).await.unwrap();
        Self {
            store,
            receiver,
            consumer,
            log: Log::default(),
            url,
            secret: Arc::new(secret),
            _directory: directory,
        }
    }

    async fn write(&self, subject: Uuid, after: i64, count: i64) {
        let now = SystemClock.now();
        let event = |version| Recorded {
            position: 0,
            kind: Kind::Unit,
            stream_id: subject,
            version,
            id: SystemClock.new_id(),
            r#type: "UnitRenamed".into(),
            schema_version: 1,
            data: "{}".into(),
            actor: "ann".into(),
            actor_unit: None,
            method: "SYSTEM".into(),
            region_code: None,
            status_from: None,
            status_to: None,
            correlation_id: SystemClock.new_id(),
            causation_id: None,
            command_id: None,
            happened_at: now,
            recorded_at: now,
            hash: Vec::new(),
        };
        let events = (after + 1..=after + count).map(event).collect();
        let stream = Extension { stream_id: subject, expected: after, events, claims: Vec::new() };
        let append = Append { streams: vec![stream], ..Append::default() };
        self.store.writer().append(append).await.unwrap();
    }

    fn courier(&self, sender: Sender) -> Courier<All, Log> {
        let secret = Secret::read(&self.secret.reveal()).unwrap();
        Courier {
            store: self.store.clone(),
            consumer: Consumer::new(self.store.clone(), self.consumer),
            wanted: All,
            destination: Arc::new(Destination {
                url: self.url.clone(),
                secrets: vec![secret],
                envelope: EnvelopeForm::Full,
                source: "/zhixing".into(),
            }),
            sender,
            journal: self.log.clone(),
        }
    }

    /// Lets the courier work until this is so.
    async fn until(&self, what: impl Fn(&Self) -> bool) -> Halt {
        let (stop, stopped) = watch::channel(false);
        let courier = self.courier(to_this_machine());
        let working = tokio::spawn(async move { courier.run(stopped).await.unwrap() });
        let end = tokio::time::Instant::now() + PATIENCE;
        while !what(self) && !working.is_finished() {
            assert!(tokio::time::Instant::now() < end, "in vain: taken {:?}", self.receiver.taken());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send_replace(true);
        tokio::time::timeout(PATIENCE, working).await.expect("it does not stop").unwrap()
    }
}

fn to_this_machine() -> Sender {
    Sender::new(PublicOnly::new(["127.0.0.0/8".parse().unwrap()]), true).unwrap()
}

fn ok() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_once_signed_and_in_order() {
    let scene = Scene::new(|_, _| ok()).await;
    let subjects: Vec<Uuid> = (0..20).map(|_| SystemClock.new_id()).collect();
    for round in 0..5 {
        for subject in &subjects {
            scene.write(*subject, round * 2, 2).await;
        }
    }
    assert_eq!(scene.until(|scene| scene.receiver.taken().len() >= 200).await, Halt::Stopped);
    let mut by_subject: HashMap<String, Vec<i64>> = HashMap::new();
    for (subject, version) in scene.receiver.taken() {
        by_subject.entry(subject).or_default().push(version);
    }
    assert_eq!(by_subject.len(), 20);
    assert!(by_subject.values().all(|versions| versions.iter().copied().eq(1..=10)));
    let consumer = Consumer::new(scene.store.clone(), scene.consumer);
    assert_eq!(consumer.standing().await.unwrap().unwrap().position, 200);
    assert_eq!(consumer.behind(10).await.unwrap().len(), 0);
    assert_eq!(scene.log.0.lock().unwrap().len(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_is_not_taken_waits_and_the_others_go_on() {
    let bad = SystemClock.new_id();
    let name = zhixing_domain::id::GlobalId { kind: Kind::Unit, uuid: bad }.to_string();
    let scene = Scene::new({
        let name = name.clone();
        move |_, subject| {
            if subject == name { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { ok() }
        }
    })
    .await;
    scene.write(bad, 0, 2).await;
    for _ in 0..5 {
        scene.write(SystemClock.new_id(), 0, 2).await;
    }
    scene.until(|scene| scene.receiver.taken().len() == 10).await;
    let behind = Consumer::new(scene.store.clone(), scene.consumer).behind(10).await.unwrap();
    assert_eq!(behind.len(), 1);
    assert_eq!((behind[0].acked, behind[0].attempts), (0, 1));
    assert_eq!(behind[0].reason.as_deref(), Some("it answered 500"));
    let log = scene.log.0.lock().unwrap();
    let failed: Vec<&Entry> = log.iter().filter(|entry| entry.subject.uuid == bad).collect();
    assert_eq!(failed.len(), 1, "the second event of the subject is not tried before the first is taken");
    assert_eq!(failed[0].attempt.result.as_ref().unwrap().status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_ends_the_work() {
    let scene = Scene::new(|_, _| StatusCode::GONE.into_response()).await;
    scene.write(SystemClock.new_id(), 0, 1).await;
    assert_eq!(scene.until(|_| false).await, Halt::Gone("it answered 410".into()));
    assert_eq!(scene.receiver.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_asks_for_rest_gets_it() {
    let scene =
        Scene::new(|_, _| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3600")]).into_response()).await;
    for _ in 0..100 {
        scene.write(SystemClock.new_id(), 0, 1).await;
    }
    scene.until(|scene| scene.receiver.asked() > 0).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(scene.receiver.asked() <= 64, "what was on its way: {}", scene.receiver.asked());
    let behind = Consumer::new(scene.store.clone(), scene.consumer).behind(100).await.unwrap();
    let hour = SystemClock.now() + chrono::TimeDelta::minutes(59);
    assert!(behind.iter().any(|row| row.ready_at().is_some_and(|at| at > hour)), "{behind:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_all_is_left_alone() {
    let scene = Scene::new(|_, _| StatusCode::BAD_GATEWAY.into_response()).await;
    for _ in 0..400 {
        scene.write(SystemClock.new_id(), 0, 1).await;
    }
    scene.until(|scene| scene.receiver.asked() >= 10).await;
    assert!(scene.receiver.asked() <= 10 + 64 + 64, "{}", scene.receiver.asked());
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed_and_private_networks_not_reached() {
    let scene = Scene::new(|_, _| (StatusCode::FOUND, [("location", "/in")]).into_response()).await;
    let send = async |sender: &Sender, url: &str| {
        let secret = [Secret::read(&scene.secret.reveal()).unwrap()];
        let body = Bytes::from_static(br#"{"id":"7","subject":"a","subjectversion":"1"}"#);
        let sent =
            sender.send(url, "7", "application/cloudevents+json", body, &secret, SystemClock.now()).await;
        (sent.verdict(), sent)
    };
    let (verdict, _) = send(&to_this_machine(), &scene.url).await;
    assert_eq!(verdict, super::Verdict::Failed("it answered 302: redirects are not followed".into()));
    assert_eq!(scene.receiver.asked(), 1);
    let careful = Sender::new(PublicOnly::new([]), true).unwrap();
    let port = scene.url.rsplit(':').next().unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
        let (_, attempt) = send(&careful, &format!("http://{host}:{port}")).await;
        let reason = attempt.result.unwrap_err();
        assert!(reason.contains("no public address"), "{host}: {reason}");
    }
    let strict = Sender::new(PublicOnly::new([]), false).unwrap();
    let (_, attempt) = send(&strict, "http://93.184.216.34/").await;
    assert_eq!(attempt.result.unwrap_err(), "its address is not https");
    assert_eq!(scene.receiver.asked(), 1, "nobody else was spoken to");
}

/// A name server that names one address in its first answer about IPv4 and this machine ever after, and keeps nobody from
/// asking again.
async fn rebinding(first: Ipv4Addr) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = asked.clone();
    tokio::spawn(async move {
        let mut question = [0; 512];
        loop {
            let (size, whose) = socket.recv_from(&mut question).await.unwrap();
            let question = Message::from_vec(&question[..size]).unwrap();
            let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
            answer.queries.clone_from(&question.queries);
            for query in &question.queries {
                if query.query_type() == RecordType::A {
                    let is_first = counter.fetch_add(1, Ordering::SeqCst) == 0;
                    let named = if is_first { first } else { Ipv4Addr::LOCALHOST };
                    answer.add_answer(Record::from_rdata(query.name().clone(), 0, RData::A(A(named))));
                }
            }
            socket.send_to(&answer.to_vec().unwrap(), whose).await.unwrap();
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_server_that_changes_its_mind_gains_nothing() {
    let scene = Scene::new(|_, _| ok()).await;
    // 192.0.2.1 stands for a public address here; nobody answers there.
    let allowed: Vec<ipnet::IpNet> = vec!["192.0.2.0/24".parse().unwrap()];
    let (server, asked) = rebinding("192.0.2.1".parse().unwrap()).await;
    let names = PublicOnly::with_names(allowed, NameServers::new(&[server]).unwrap());
    let found = names.addresses("hub.example.cn").await.unwrap();
    assert_eq!(found, ["192.0.2.1".parse::<IpAddr>().unwrap()], "when it was entered");
    let sender = Sender::new(names, true).unwrap();
    let port = scene.url.rsplit(':').next().unwrap().to_owned();
    let secret = [Secret::read(&scene.secret.reveal()).unwrap()];
    for _ in 0..3 {
        let url = format!("http://hub.example.cn:{port}");
        let sent = sender.send(&url, "7", "application/json", Bytes::new(), &secret, SystemClock.now()).await;
        let reason = sent.result.unwrap_err();
        assert!(reason.contains("hub.example.cn leads to 127.0.0.1"), "{reason}");
    }
    assert!(asked.load(Ordering::SeqCst) >= 4, "it was asked for every connection");
    assert_eq!(scene.receiver.asked(), 0);
}
