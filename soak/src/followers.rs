//! `soak followers`: how soon many followers hear, what they cost while nothing happens, and how fast the past is told, by a
//! real service in one process and beside a plain tail of the same database.
mod receiver;
mod sockets;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::sleep;

use self::{receiver::Receiver, sockets::Sockets};
use crate::{Outcome, check::open, cluster::Cluster, fill::Filler, screen::say, service::Service};

/// What `soak followers` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Events of the past that is told
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(i64).range(1_000..=10_000_000))]
    events: i64,
    /// How many follow: the last number is also how many are idle
    #[arg(long, value_delimiter = ',', default_value = "1000,10000", value_name = "NUMBERS")]
    followers: Vec<usize>,
    /// Changes that are waited for
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    changes: u32,
    /// How often the past is told
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Events that are brought to a webhook
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    deliveries: u32,
    /// This database, which must be empty: sqlite:FILE or postgres://…; a throw-away PostgreSQL when left out
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// A token of an auditor of the country, who sees everything.
const TOKEN: &str = "dev:soak:AUDITOR";
/// How long idle followers are watched.
const IDLE: Duration = Duration::from_secs(10);
/// How long a webhook may take for all.
const PATIENCE: Duration = Duration::from_mins(3);

/// Figures that were found, each with what is wanted of it.
#[derive(Default)]
struct Figures(Vec<(String, String, f64, bool)>);

impl Figures {
    fn at_most(&mut self, what: impl Into<String>, wanted: f64, found: f64) {
        self.0.push((what.into(), format!("≤ {wanted}"), found, found <= wanted));
    }
    fn at_least(&mut self, what: impl Into<String>, wanted: f64, found: f64) {
        self.0.push((what.into(), format!("≥ {wanted}"), found, found >= wanted));
    }
    fn table(&self) -> String {
        let mut table = format!("{:<66} {:>10} {:>12}\n", "figure", "wanted", "found");
        for (what, wanted, found, reached) in &self.0 {
            let verdict = if *reached { "" } else { "  NOT REACHED" };
            let _ = writeln!(table, "{what:<66} {wanted:>10} {found:>12.1}{verdict}");
        }
        table
    }
}

pub(crate) async fn followers(arguments: Arguments) -> Outcome {
    let cluster = match &arguments.database {
        Some(_) => None,
        None => Some(Cluster::start(100).await?),
    };
    let own = cluster.as_ref().map(|cluster| cluster.url("postgres"));
    let url = arguments.database.clone().or(own).unwrap_or_default();
    let store = open(&url).await?;
    if store.head() != 0 {
        return Err("the database is not empty".into());
    }
    let head = arguments.events;
    Filler::new(&store)?.fill(head, |at| say_every(at, head)).await?;
    let head = store.head();
    let mut figures = Figures::default();

    let mut tails = Vec::new();
    for _ in 0..arguments.rounds {
        let begun = Instant::now();
        let mut past = Box::pin(store.follow(0).take(usize::try_from(head)?));
        while let Some(event) = past.next().await {
            event?;
        }
        tails.push(rate(head, begun.elapsed()));
    }
    store.pool().close().await;
    let tail = median(&mut tails);
    say(&format!("a plain tail of the database: {tail:.0} events/s"));

    let directory = tempfile::tempdir()?;
    let receiver = Receiver::start().await?;
    let mut service = Service::start_with(&url, &directory.path().join("service.log"), settings()).await?;

    past(&service, head, tail, arguments.rounds, &mut figures).await?;
    let quiet = transactions(cluster.as_ref()).await?;
    let before = service.memory();
    for count in &arguments.followers {
        let sockets = Sockets::open(service.address(), *count, TOKEN).await?;
        hear(&service, &sockets, *count, arguments.changes, &mut figures).await?;
        if Some(count) == arguments.followers.last() {
            idle(&service, cluster.as_ref(), *count, (before, quiet), &mut figures).await?;
        }
        drop(sockets);
        sleep(Duration::from_secs(2)).await;
    }
    webhook(&service, &receiver, arguments.deliveries, &mut figures).await?;
    if !service.is_running()? {
        return Err(format!("the service ended: {}", service.last_words()).into());
    }
    say(&figures.table());
    Ok(())
}

/// What this one machine asks is not what one client may ask.
fn settings() -> Vec<(String, String)> {
    let unlimited = ["OPERATIONS", "SUBSCRIPTIONS", "SOCKETS", "COST_PER_SECOND"];
    let mut settings: Vec<(String, String)> =
        unlimited.iter().map(|limit| (format!("ZHIXING_LIMITS__CLIENT_{limit}"), "0".to_owned())).collect();
    for (name, value) in [
        ("ZHIXING_LIMITS__ADDRESS_CONNECTIONS", "20000"),
        ("ZHIXING_LIMITS__CONNECTIONS", "20000"),
        ("ZHIXING_DELIVERY__ALLOW_HTTP", "true"),
        ("ZHIXING_DELIVERY__ALLOW_NETWORKS", "[\"127.0.0.0/8\"]"),
        ("ZHIXING_SCHEDULER", "false"),
    ] {
        settings.push((name.into(), value.into()));
    }
    settings
}

fn say_every(at: i64, head: i64) {
    if at % 100_000 < 4_000 {
        say(&format!("{at} of {head} events are written"));
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn rate(events: i64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// How fast the past is told, in lines and over a socket.
async fn past(service: &Service, head: i64, tail: f64, rounds: u32, figures: &mut Figures) -> Outcome {
    let (mut lines, mut socket) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        let request = reqwest::Client::new().get(service.url("events?after=0")).bearer_auth(TOKEN);
        let answer = request.header("accept", "application/x-ndjson").send().await?.error_for_status()?;
        let (mut body, mut count) = (answer.bytes_stream(), 0_usize);
        while let Some(chunk) = body.next().await {
            count += chunk?.split(|byte| *byte == b'\n').count() - 1;
        }
        if i64::try_from(count)? != head {
            return Err(format!("{count} of {head} events came in lines").into());
        }
        lines.push(rate(head, begun.elapsed()));

        let begun = Instant::now();
        sockets::replay(service.address(), TOKEN, usize::try_from(head)?).await?;
        socket.push(rate(head, begun.elapsed()));
    }
    let (lines, socket) = (median(&mut lines), median(&mut socket));
    say(&format!(
        "the past: {lines:.0} events/s in lines ({:.2} of the plain tail), {socket:.0} over WebSocket ({:.2})",
        lines / tail,
        socket / tail
    ));
    figures.at_least("the past in lines, events/s", 150_000.0, lines);
    figures.at_least("the past over WebSocket, events/s", 50_000.0, socket);
    Ok(())
}

/// How soon followers hear of a change, from when it was recorded, which is before it was safe on the disk.
async fn hear(
    service: &Service,
    sockets: &Sockets,
    count: usize,
    changes: u32,
    figures: &mut Figures,
) -> Outcome {
    let mut waits = Vec::new();
    for change in 0..changes {
        register(service, &format!("单位 {count}-{change}")).await?;
        waits.extend(sockets.heard().await?);
        sleep(Duration::from_millis(50)).await;
    }
    waits.sort_by(f64::total_cmp);
    let at = |hundredth: usize| waits.get(waits.len() * hundredth / 100).copied().unwrap_or_default();
    say(&format!(
        "{count} followers heard of {changes} changes after {:.1} ms (p50), {:.1} ms (p99)",
        at(50),
        at(99)
    ));
    figures.at_most(
        format!("{count} followers, p99 of hearing, ms"),
        if count > 1_000 { 500.0 } else { 50.0 },
        at(99),
    );
    Ok(())
}

/// What followers cost while nothing happens.
#[expect(clippy::cast_precision_loss, reason = "figures for people")]
async fn idle(
    service: &Service,
    cluster: Option<&Cluster>,
    count: usize,
    (before, quiet): (u64, i64),
    figures: &mut Figures,
) -> Outcome {
    let each = service.memory().saturating_sub(before) as f64 * 1_024.0 / count as f64;
    say(&format!("{count} idle followers: {each:.1} KiB each"));
    figures.at_most(format!("{count} idle followers, KiB each"), 30.0, each);
    if cluster.is_some() {
        let with = transactions(cluster).await?;
        say(&format!(
            "transactions of the database in {} s: {quiet} without followers, {with} with them",
            IDLE.as_secs()
        ));
        // What the service does by itself wavers by a few; were followers to ask, it would be thousands.
        figures.at_most(
            format!("{count} idle followers, more transactions in {} s", IDLE.as_secs()),
            10.0,
            (with - quiet) as f64,
        );
    }
    Ok(())
}

/// Transactions that the database ends while nothing happens; 0 of one that is not ours.
async fn transactions(cluster: Option<&Cluster>) -> Outcome<i64> {
    const COUNT: &str = "select xact_commit + xact_rollback from pg_stat_database where datname = 'postgres'";
    let Some(cluster) = cluster else { return Ok(0) };
    // Not in the database that is counted.
    let db = sqlx::PgPool::connect(&cluster.url("template1")).await?;
    // What was counted in other processes arrives with a delay.
    sleep(Duration::from_secs(3)).await;
    let before: i64 = sqlx::query_scalar(COUNT).fetch_one(&db).await?;
    sleep(IDLE).await;
    let after: i64 = sqlx::query_scalar(COUNT).fetch_one(&db).await?;
    db.close().await;
    Ok(after - before)
}

async fn ask(service: &Service, token: &str, query: &str, variables: Value) -> Outcome<Value> {
    let request = reqwest::Client::new().post(service.url("graphql")).bearer_auth(token);
    let answer = request.json(&json!({ "query": query, "variables": variables })).send().await?;
    let mut said: Value = answer.json().await?;
    if !said["errors"].is_null() {
        return Err(said["errors"].to_string().into());
    }
    Ok(said["data"].take())
}

async fn register(service: &Service, name: &str) -> Outcome<String> {
    let query =
        "mutation($input: RegisterUnit!) { registerUnit(input: $input) { unit { id } errors { message } } }";
    let input = json!({ "input": { "name": name, "kind": "UNIT_GROUP", "regionCode": "620000" } });
    let said = ask(service, "dev:soak:ADMINISTRATOR", query, input).await?;
    let id = said["registerUnit"]["unit"]["id"].as_str();
    Ok(id.ok_or_else(|| said["registerUnit"]["errors"].to_string())?.to_owned())
}

/// How fast events are brought to an address.
async fn webhook(service: &Service, receiver: &Receiver, count: u32, figures: &mut Figures) -> Outcome {
    let unit = register(service, "省数据中心").await?;
    let token = format!("dev:hub:INTEGRATOR:unit={unit}:region=620000");
    let query = "mutation($input: CreateSubscriptionInput!) { createSubscription(input: $input) {
        eventSubscription { id } errors { message } } }";
    let input = json!({ "name": "省数据中心", "unitId": unit, "regionCode": "620000", "after": 0,
        "where": { "kinds": ["TASK"] }, "endpoint": { "url": receiver.url() } });
    let created = ask(service, &token, query, json!({ "input": input })).await?;
    if created["createSubscription"]["eventSubscription"].is_null() {
        return Err(created.to_string().into());
    }
    let took = receiver.first_to(count.into(), PATIENCE).await?;
    let per_second = rate(count.into(), took);
    say(&format!("{count} deliveries to a webhook: {per_second:.0}/s"));
    figures.at_least("deliveries to a local webhook, a second", 2_000.0, per_second);
    Ok(())
}
