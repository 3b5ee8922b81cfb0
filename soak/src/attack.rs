//! `soak attack`: what strangers throw at the front door is refused clearly and soon, and honest clients hardly notice.
//!
//! The attackers come from another loopback address than the honest client where the machine has one (Linux), so that
//! what one client may ask for is told apart.
mod arsenal;
mod honest;
mod issuer;
mod shot;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use self::{
    arsenal::{Attack, MEANWHILE},
    honest::{Honest, Pace},
    issuer::Issuer,
    shot::Answer,
};
use crate::{Outcome, screen::say, service::Service};

/// How long a refusal may take, beyond what the limit itself grants.
const REFUSAL: Duration = Duration::from_secs(1);
/// MiB by which the service's memory may exceed what it was before the first attack.
const GROWTH: u64 = 256;
/// How many times its quiet p99 the honest client may wait.
const RATIO: f64 = 2.0;
/// Sockets that say nothing.
const IDLE: usize = 1_000;

/// What `soak attack` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long each attack goes on
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Attackers of each attack; with all attacks together one of each
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    attackers: u16,
    /// Milliseconds between two shots of one attacker
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    every_ms: u64,
    /// Only the attacks whose names contain this text
    #[arg(long, default_value = "", value_name = "TEXT")]
    only: String,
    /// Also on this empty PostgreSQL database, after SQLite
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Fail when the honest client's p99 exceeds twice its quiet value: for machines that do nothing else
    #[arg(long)]
    strict: bool,
}

/// What came of an attack.
struct Row {
    name: String,
    shots: usize,
    answers: BTreeMap<Answer, usize>,
    slowest: Duration,
    /// Resident memory in MiB before, at its highest and after.
    memory: [u64; 3],
    pace: Pace,
    wrong: BTreeSet<String>,
}

/// What one attacker or all of an attack got.
#[derive(Default)]
struct Got {
    answers: BTreeMap<Answer, usize>,
    slowest: Duration,
    wrong: BTreeSet<String>,
}

pub(crate) async fn attack(arguments: &Arguments) -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = format!("sqlite:{}", directory.path().join("attack.db").display());
    let mut failures = on("SQLite", &file, directory.path(), arguments).await?;
    if let Some(url) = &arguments.database {
        failures.extend(on("PostgreSQL", url, directory.path(), arguments).await?);
    }
    if failures.is_empty() {
        say("soak attack: PASSED");
        return Ok(());
    }
    Err(failures.join("\n  ").into())
}

/// All attacks on a service over this database: what failed.
async fn on(name: &str, database: &str, directory: &Path, arguments: &Arguments) -> Outcome<Vec<String>> {
    let issuer = Issuer::start().await?;
    let log = directory.join("service.log");
    let mut service = Service::start_with(database, &log, issuer.settings()).await?;
    let to = service.address();
    let honest = Honest::new(service.url("graphql"), issuer.token())?;
    let length = Duration::from_secs(arguments.seconds);
    // The first requests of a process prepare what all later ones find.
    honest.asks(length.min(Duration::from_secs(2))).await?;
    let quiet = honest.asks(length).await?;
    let before = service.memory();
    say(&format!("{name}: the honest client alone: {quiet}; the service's memory {before} MiB"));
    let scene = Scene { to, service: &service, honest: &honest, length, before };
    let attacks = arsenal::all(&issuer);
    let chosen: Vec<&Attack> =
        attacks.iter().filter(|attack| attack.name.contains(&arguments.only)).collect();
    let mut rows = Vec::new();
    for attack in &chosen {
        let attackers = vec![*attack; usize::from(arguments.attackers)];
        rows.push(scene.fire(attack.name, &attackers, arguments).await?);
    }
    if "idle sockets".contains(&arguments.only) {
        rows.push(scene.idle().await?);
    }
    rows.push(scene.fire("all together", &chosen, arguments).await?);
    // How much the machine itself wavers: nobody attacks.
    rows.push(scene.fire("nobody (control)", &[], arguments).await?);
    say(&table(&rows, quiet));
    let mut failures = failures(name, &rows, quiet, arguments.strict);
    if !service.is_running()? {
        failures.push(format!("{name}: the service ended: {}", service.last_words()));
    }
    Ok(failures)
}

struct Scene<'s> {
    to: SocketAddr,
    service: &'s Service,
    honest: &'s Honest,
    length: Duration,
    before: u64,
}

impl Scene<'_> {
    /// One attacker for each of these, and the honest client meanwhile.
    async fn fire(&self, name: &str, attacks: &[&Attack], arguments: &Arguments) -> Outcome<Row> {
        let mut attackers = JoinSet::new();
        let every = Duration::from_millis(arguments.every_ms);
        for attack in attacks {
            attackers.spawn(keep_firing((*attack).clone(), self.to, self.length, every));
        }
        let length = attacks.iter().map(|attack| attack.shot.grants()).fold(self.length, Duration::max);
        let before = self.service.memory();
        let (pace, most) = tokio::join!(self.honest.asks(length), self.most_memory(length));
        let mut all = Got::default();
        while let Some(got) = attackers.join_next().await {
            let Got { answers, slowest, wrong } = got?;
            for (answer, count) in answers {
                *all.answers.entry(answer).or_default() += count;
            }
            all.slowest = all.slowest.max(slowest);
            all.wrong.extend(wrong);
        }
        Ok(self.row(name, all, before, most, pace?))
    }

    /// Sockets that are opened and say nothing, or half a head.
    async fn idle(&self) -> Outcome<Row> {
        let before = self.service.memory();
        let mut sockets = Vec::new();
        let mut got = Got::default();
        for number in 0..IDLE {
            match shot::idle(self.to, number % 2 == 1).await {
                Ok(socket) => sockets.push(socket),
                Err(error) => {
                    got.wrong.insert(format!("only {number} sockets can be opened: {error}"));
                    break;
                }
            }
        }
        let (pace, most) = tokio::join!(self.honest.asks(self.length), self.most_memory(self.length));
        for socket in &sockets {
            let said = if shot::is_open(socket) { "held" } else { "closed" };
            *got.answers.entry(Answer { status: 0, code: said.into() }).or_default() += 1;
        }
        Ok(self.row("1,000 idle sockets", got, before, most, pace?))
    }

    fn row(&self, name: &str, got: Got, before: u64, most: u64, pace: Pace) -> Row {
        let Got { answers, slowest, mut wrong } = got;
        if most > self.before + GROWTH {
            wrong.insert(format!("memory grew from {} to {most} MiB", self.before));
        }
        if slowest > REFUSAL {
            wrong.insert(format!("a refusal took {} ms", slowest.as_millis()));
        }
        if pace.failed > 0 {
            wrong.insert(format!("{} requests of the honest client failed", pace.failed));
        }
        let memory = [before, most, self.service.memory()];
        Row { name: name.into(), shots: answers.values().sum(), answers, slowest, memory, pace, wrong }
    }

    async fn most_memory(&self, length: Duration) -> u64 {
        let (until, mut most) = (Instant::now() + length, 0);
        while Instant::now() < until {
            most = most.max(self.service.memory());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        most
    }
}

/// Fires until the time is over, and at least once.
async fn keep_firing(attack: Attack, to: SocketAddr, length: Duration, every: Duration) -> Got {
    let (begun, mut got) = (Instant::now(), Got::default());
    let mut is_refused = false;
    loop {
        let fired = Instant::now();
        let answer = attack.shot.fire(to).await;
        let took = fired.elapsed().saturating_sub(attack.shot.grants());
        let expected = attack.refusals.contains(&(answer.status, answer.code.as_str()));
        is_refused |= expected;
        if !expected && !MEANWHILE.contains(&answer.code.as_str()) {
            got.wrong.insert(format!("{} was answered {answer}", attack.name));
        }
        got.slowest = got.slowest.max(took);
        *got.answers.entry(answer).or_default() += 1;
        if begun.elapsed() >= length {
            break;
        }
        tokio::time::sleep(every).await;
    }
    if !is_refused {
        got.wrong.insert(format!("{} was never refused for what it is", attack.name));
    }
    got
}

fn failures(database: &str, rows: &[Row], quiet: Pace, strict: bool) -> Vec<String> {
    let mut failures = Vec::new();
    for row in rows {
        failures.extend(row.wrong.iter().map(|wrong| format!("{database}, {}: {wrong}", row.name)));
        let ratio = row.pace.p99_over(quiet);
        if strict && ratio > RATIO {
            failures.push(format!("{database}, {}: p99 is {ratio:.1} times its quiet value", row.name));
        }
    }
    failures
}

fn table(rows: &[Row], quiet: Pace) -> String {
    let mut text = format!(
        "\n{:<22}{:>7}  {:<36}{:>9}{:>18}{:>15}{:>7}",
        "attack", "shots", "refusals", "slowest", "memory MiB", "honest p50/p99", "ratio"
    );
    for row in rows {
        let refusals: Vec<String> =
            row.answers.iter().map(|(answer, count)| format!("{answer} × {count}")).collect();
        // Of all together the single ones are above.
        let (first, more) = match refusals.len() {
            0 => ("—".to_owned(), &[][..]),
            count if count > 4 => (format!("{count} kinds"), &[][..]),
            _ => (refusals[0].clone(), &refusals[1..]),
        };
        let Row { name, shots, slowest, memory: [before, most, after], pace, .. } = row;
        let slowest = format!("{} ms", slowest.as_millis());
        let memory = format!("{before} ≤ {most} → {after}");
        let ratio = pace.p99_over(quiet);
        let Pace { p50_ms, p99_ms, .. } = pace;
        let honest = format!("{p50_ms:.1}/{p99_ms:.1}");
        let _ = write!(
            text,
            "\n{name:<22}{shots:>7}  {first:<36}{slowest:>9}{memory:>18}{honest:>15}{ratio:>7.2}"
        );
        for refusal in more {
            let _ = write!(text, "\n{:<31}{refusal}", "");
        }
    }
    text.push('\n');
    text
}
