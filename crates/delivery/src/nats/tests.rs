//! A log, real servers, and what the stream holds in the end: exactly the log.
use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{self, message::StreamMessage as Message};
use futures_util::{StreamExt, TryStreamExt};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use uuid::Uuid;
use zhixing_domain::{Clock, Kind};
use zhixing_event_store::{
    EventStore, Pool, Recorded, SystemClock,
    append::{Append, Extension},
};

use super::{Publisher, Refusal, Settings, Standing, State, test_server::Servers};
use crate::cloud_event::{SOURCE, sequence};

const PATIENCE: Duration = Duration::from_mins(1);
const LEASE: Duration = Duration::from_secs(2);

/// A log of its own.
struct Log {
    store: EventStore,
    url: String,
    _directory: tempfile::TempDir,
}

/// A publisher at work.
struct Working {
    standing: watch::Receiver<Standing>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Log {
    async fn new(events: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("log.db").display());
        let log = Self { store: open(&url).await, url, _directory: directory };
        log.write(events).await;
        log
    }

    async fn write(&self, count: i64) {
        write(&self.store, Kind::Task, count).await;
    }

    async fn events(&self) -> Vec<Recorded> {
        self.store.pool().read_log(0, 100_000).await.unwrap()
    }

    /// Writes a few events at a time until it is stopped.
    fn writing(&self, pause: Duration) -> (watch::Sender<bool>, JoinHandle<()>) {
        let ((stop, stopped), store) = (watch::channel(false), self.store.clone());
        let task = tokio::spawn(async move {
            while !*stopped.borrow() {
                write(&store, Kind::Plan, 7).await;
                tokio::time::sleep(pause).await;
            }
        });
        (stop, task)
    }

    fn publish(&self, servers: &Servers) -> Working {
        start(Publisher::with_lease(self.store.clone(), settings(servers), SOURCE.into(), LEASE))
    }

    /// Waits until all is published, and holds the stream to the log: every event, in order, none twice.
    async fn arrives(&self, servers: &Servers, working: &Working) -> Vec<Message> {
        let head = self.store.pool().head().await.unwrap();
        working.until(|standing| standing.position >= head).await;
        self.is_held_by(servers).await
    }

    async fn is_held_by(&self, servers: &Servers) -> Vec<Message> {
        let events = self.events().await;
        let end = Instant::now() + PATIENCE;
        // A cluster that has just lost its leader does not answer yet.
        let messages = loop {
            match read(servers).await {
                Ok(messages) => break messages,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
        };
        assert_eq!(messages.len(), events.len());
        for (event, message) in events.iter().zip(&messages) {
            assert_eq!(i64::try_from(message.sequence), Ok(event.position));
            assert_eq!(header(message, "Nats-Msg-Id"), event.id.to_string());
            assert_eq!(header(message, super::POSITION), event.position.to_string());
            let body: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(
                (&body["id"], &body["sequence"]),
                (&event.id.to_string().into(), &sequence(event.position).into())
            );
        }
        messages
    }
}

impl Working {
    async fn until(&self, so: impl Fn(&Standing) -> bool) -> Standing {
        let mut standing = self.standing.clone();
        let found = tokio::time::timeout(PATIENCE, standing.wait_for(so)).await;
        found.unwrap_or_else(|_| panic!("in vain: {:?}", self.standing.borrow())).unwrap().clone()
    }

    async fn refusal(&self) -> Refusal {
        let standing = self.until(|standing| matches!(standing.state, State::Refused(_))).await;
        let State::Refused(refusal) = standing.state else { unreachable!() };
        refusal
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it does not stop").unwrap();
    }
}

async fn open(url: &str) -> EventStore {
    EventStore::open(Pool::open(url).await.unwrap(), Arc::new(SystemClock), Vec::new()).await.unwrap()
}

async fn write(store: &EventStore, kind: Kind, count: i64) {
    let (now, stream_id) = (SystemClock.now(), SystemClock.new_id());
    let event = |version: i64| Recorded {
        position: 0,
        kind,
        stream_id,
        version,
        id: SystemClock.new_id(),
        r#type: "SomethingHappened".into(),
        schema_version: 1,
        data: format!(r#"{{"number":{version},"note":"质"}}"#),
        actor: "ann".into(),
        actor_unit: None,
        method: "SYSTEM".into(),
        region_code: (version % 2 == 0).then(|| "440800".parse().unwrap()),
        status_from: None,
        status_to: None,
        correlation_id: Uuid::nil(),
        causation_id: None,
        command_id: None,
        happened_at: now,
        recorded_at: now,
        hash: Vec::new(),
    };
    if count == 0 {
        return;
    }
    let events = (1..=count).map(event).collect();
    let stream = Extension { stream_id, expected: 0, events, claims: Vec::new() };
    store.writer().append(Append { streams: vec![stream], ..Append::default() }).await.unwrap();
}

fn settings(servers: &Servers) -> Settings {
    let replicas = servers.nodes.len().try_into().unwrap();
    Settings { url: Some(servers.url()), replicas, ..Settings::default() }
}

fn start(publisher: Publisher) -> Working {
    let (stop, stopped) = watch::channel(false);
    let standing = publisher.standing();
    Working { standing, stop, task: tokio::spawn(publisher.run(stopped)) }
}

async fn context(servers: &Servers) -> jetstream::Context {
    let urls: Vec<async_nats::ServerAddr> =
        servers.url().split(',').map(|url| url.parse().unwrap()).collect();
    let mut context = jetstream::new(async_nats::connect(urls).await.unwrap());
    context.set_timeout(Duration::from_secs(2));
    context
}

/// All that the stream holds, by its numbers.
async fn read(servers: &Servers) -> Result<Vec<Message>, async_nats::Error> {
    let stream = stream(servers).await;
    let state = stream.get_info().await?.state;
    assert_eq!(state.messages, state.last_sequence, "nothing is left out");
    let numbers = futures_util::stream::iter(1..=state.last_sequence);
    Ok(numbers.map(|number| stream.get_raw_message(number)).buffered(64).try_collect().await?)
}

async fn stream(servers: &Servers) -> jetstream::stream::Stream {
    let end = Instant::now() + PATIENCE;
    loop {
        match context(servers).await.get_stream("ZHIXING").await {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn header(message: &Message, name: &str) -> String {
    message.headers.get(name).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_goes_on_where_the_stream_ends() {
    let (servers, log) = (Servers::one(""), Log::new(1_000).await);
    write(&log.store, Kind::ViolationReport, 1).await;
    let working = log.publish(&servers);
    working.until(|standing| standing.position >= 300).await;
    working.stop().await;
    log.write(500).await;
    let working = log.publish(&servers);
    let messages = log.arrives(&servers, &working).await;
    assert_eq!(messages.len(), 1_501);
    assert_eq!(messages[0].subject.as_str(), "zhixing.events.none.task");
    assert_eq!(messages[1].subject.as_str(), "zhixing.events.440800.task");
    assert_eq!(header(&messages[1], "Content-Type"), "application/cloudevents+json");
    assert_eq!(header(&messages[1], "ce-type"), "cn.zhixing.SomethingHappened.v1");
    let body = |at: usize| serde_json::from_slice::<serde_json::Value>(&messages[at].payload).unwrap();
    assert_eq!(body(1)["data"]["number"], 2);
    assert_eq!(messages[1_000].subject.as_str(), "zhixing.events.none.violation_report");
    assert_eq!(body(1_000).get("data"), None, "no more is told than that it happened");
    // What comes while it works goes out by itself.
    log.write(1).await;
    assert_eq!(log.arrives(&servers, &working).await.len(), 1_502);
    assert_eq!(working.until(|_| true).await.state, State::Publishing);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_loses_and_repeats_nothing() {
    let (mut servers, log) = (Servers::one(""), Log::new(3_000).await);
    let working = log.publish(&servers);
    let (stop, writing) = log.writing(Duration::from_millis(10));
    for at in [500, 3_100] {
        working.until(|standing| standing.position >= at).await;
        servers.nodes[0].kill();
        tokio::time::sleep(Duration::from_millis(300)).await;
        servers.nodes[0].start();
    }
    working.until(|standing| standing.position >= 3_200).await;
    stop.send_replace(true);
    writing.await.unwrap();
    log.arrives(&servers, &working).await;
    assert!(working.until(|_| true).await.reconnects >= 2);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_three_that_is_killed_loses_and_repeats_nothing() {
    let (mut servers, log) = (Servers::start(3, ""), Log::new(1_000).await);
    let working = log.publish(&servers);

    let (stop, writing) = log.writing(Duration::from_millis(50));
    working.until(|standing| standing.position >= 100).await;
    let info = stream(&servers).await.get_info().await.unwrap();
    assert_eq!(info.config.num_replicas, 3);
    let leader = info.cluster.unwrap().leader.unwrap();
    servers.node(&leader).kill();
    let killed_at = log.store.head();
    working.until(|standing| standing.position > killed_at + 100).await;
    stop.send_replace(true);
    writing.await.unwrap();
    log.arrives(&servers, &working).await;
    servers.node(&leader).start();
    log.write(100).await;
    log.arrives(&servers, &working).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_both_think_it_is_their_turn_do_not_mix() {
    let (servers, log) = (Servers::one(""), Log::new(1_000).await);
    // A lease that is over as soon as it is taken stands for a process that slept past its own.
    let other = open(&log.url).await;
    let start = |store: &EventStore| {
        start(Publisher::with_lease(store.clone(), settings(&servers), SOURCE.into(), Duration::ZERO))
    };
    let both = [start(&log.store), start(&other)];
    let (stop, writing) = log.writing(Duration::from_millis(10));
    for working in &both {
        working.until(|standing| standing.position >= 1_300).await;
    }
    stop.send_replace(true);
    writing.await.unwrap();
    for working in both {
        log.arrives(&servers, &working).await;
        working.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_one_publishes_until_it_stops() {
    let (servers, log) = (Servers::one(""), Log::new(100).await);
    let first = log.publish(&servers);
    log.arrives(&servers, &first).await;
    let other = open(&log.url).await;
    let second = start(Publisher::with_lease(other, settings(&servers), SOURCE.into(), LEASE));
    tokio::time::sleep(LEASE).await;
    assert_eq!(*second.standing.borrow(), Standing::default(), "it waits");
    first.stop().await;
    log.write(100).await;
    log.arrives(&servers, &second).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_log_is_left_alone() {
    let (servers, log) = (Servers::one(""), Log::new(20).await);
    let working = log.publish(&servers);
    log.arrives(&servers, &working).await;
    working.stop().await;
    let name = || "ZHIXING".to_owned();
    let shorter = Log::new(10).await;
    let working = shorter.publish(&servers);
    assert_eq!(working.refusal().await, Refusal::Ahead { stream: name(), position: 20, head: 10 });
    shorter.write(20).await;
    working.stop().await;
    let working = shorter.publish(&servers);
    assert_eq!(working.refusal().await, Refusal::OtherLog { stream: name(), position: 20 });
    working.stop().await;
    log.write(1).await;
    let working = start(Publisher::with_lease(log.store.clone(), settings(&servers), "/other".into(), LEASE));
    let (found, expected) = ("/zhixing".to_owned(), "/other".to_owned());
    assert_eq!(working.refusal().await, Refusal::OtherSource { stream: name(), found, expected });
    working.stop().await;
    let last = stream(&servers).await.get_info().await.unwrap().state.last_sequence;
    assert_eq!(last, 20, "nothing was published");
    // Its own log goes on, until something else publishes in between.
    let working = log.publish(&servers);
    log.arrives(&servers, &working).await;
    working.stop().await;
    let by_hand = context(&servers).await;
    let sent = by_hand.publish("zhixing.events.none.task", "?".into()).await.unwrap();
    assert_eq!(sent.await.unwrap().sequence, 22);
    log.write(1).await;
    let working = log.publish(&servers);
    assert_eq!(working.refusal().await, Refusal::Foreign { stream: name(), sequence: 22 });
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_other_subjects_is_left_alone() {
    let (servers, log) = (Servers::one(""), Log::new(1).await);
    let config = jetstream::stream::Config { name: "ZHIXING".into(), ..Default::default() };
    context(&servers).await.create_stream(config).await.unwrap();
    let working = log.publish(&servers);
    let refusal = Refusal::Subjects { stream: "ZHIXING".into(), found: "ZHIXING".into() };
    assert_eq!(working.refusal().await, refusal);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_is_made_again() {
    let (servers, log) = (Servers::one(""), Log::new(50).await);
    let working = log.publish(&servers);
    log.arrives(&servers, &working).await;
    let config = stream(&servers).await.get_info().await.unwrap().config;
    assert!(config.deny_delete && config.deny_purge);
    context(&servers).await.delete_stream("ZHIXING").await.unwrap();
    log.write(10).await;
    working.until(|standing| matches!(standing.state, State::Failing(_))).await;
    assert_eq!(log.arrives(&servers, &working).await.len(), 60);
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_too_large_is_named() {
    let (servers, log) = (Servers::one("max_payload: 2000"), Log::new(3).await);
    let working = log.publish(&servers);
    log.arrives(&servers, &working).await;
    let wordy = format!("/{}", "x".repeat(900));
    working.stop().await;
    context(&servers).await.delete_stream("ZHIXING").await.unwrap();
    let working = start(Publisher::with_lease(log.store.clone(), settings(&servers), wordy, LEASE));
    assert_eq!(working.refusal().await, Refusal::TooLarge { position: 1, most: 2_000 });
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_fails_ends_the_publisher() {
    let log = Log::new(3).await;
    let mut servers = Servers::one("");
    servers.nodes[0].kill();
    let working = log.publish(&servers);
    let State::Failing(reason) =
        working.until(|standing| matches!(standing.state, State::Failing(_))).await.state
    else {
        unreachable!()
    };
    assert!(reason.contains("no server can be reached"), "{reason}");
    servers.nodes[0].start();
    log.arrives(&servers, &working).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_spoken_to_by_tls() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name);
    std::fs::write(file("cert.pem"), certified.cert.pem()).unwrap();
    std::fs::write(file("key.pem"), certified.signing_key.serialize_pem()).unwrap();
    let lines = format!("tls {{ cert_file: {:?}, key_file: {:?} }}", file("cert.pem"), file("key.pem"));
    let (servers, log) = (Servers::one(&lines), Log::new(5).await);
    let strange = start(Publisher::with_lease(log.store.clone(), settings(&servers), SOURCE.into(), LEASE));
    strange.until(|standing| matches!(standing.state, State::Failing(_))).await;
    strange.stop().await;
    let trusting = Settings { tls_ca: Some(file("cert.pem")), ..settings(&servers) };
    let working = start(Publisher::with_lease(log.store.clone(), trusting, SOURCE.into(), LEASE));
    working.until(|standing| standing.position == 5).await;
    working.stop().await;
}
