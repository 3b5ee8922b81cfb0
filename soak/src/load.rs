//! `soak load`: many writers, readers that follow, and a checker at the end.
use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};
use zhixing_api::{graphql::unit::Unit as Row, projections};
use zhixing_domain::{Id, Viewer, organisation::unit::Unit};
use zhixing_event_store::{EventStore, Order, Projector};

use crate::{
    Outcome,
    check::{check, number, open},
    cluster::Cluster,
    minutes::{Minute, Times},
    screen::say,
    work::{Reader, SHARED, Tally, Told, Writers, registration},
};

/// What `soak load` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long to write
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long to write instead, with rate, times and memory of every minute
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: Option<u64>,
    /// Processes on PostgreSQL
    #[arg(long, default_value_t = 3)]
    processes: usize,
    /// Writers, over all processes
    #[arg(long, default_value_t = 64)]
    writers: usize,
    /// Only this database, empty or not; one process when it is sqlite:FILE
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl Arguments {
    fn length(&self) -> u64 {
        self.minutes.map_or(self.seconds, |minutes| minutes * 60)
    }
}

/// What one process of it takes.
#[derive(Debug, clap::Args)]
pub(crate) struct WorkerArguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    name: String,
    #[arg(long)]
    seconds: u64,
    #[arg(long)]
    writers: usize,
    #[arg(long, value_delimiter = ',')]
    shared: Vec<Id<Unit>>,
    #[arg(long)]
    told: PathBuf,
}

pub(crate) async fn load(arguments: Arguments) -> Outcome {
    match &arguments.database {
        Some(url) if url.starts_with("sqlite:") => one_process(url, &arguments).await?,
        Some(url) => several_processes(url, &arguments).await?,
        None => {
            let directory = tempfile::tempdir()?;
            let url = format!("sqlite:{}", directory.path().join("soak.db").display());
            one_process(&url, &arguments).await?;
            let cluster = Cluster::start(100).await?;
            several_processes(&cluster.url("postgres"), &arguments).await?;
        }
    }
    say("soak load: PASSED");
    Ok(())
}

/// Objects that every writer changes.
async fn shared(store: &EventStore, name: &str) -> Outcome<Vec<Id<Unit>>> {
    let mut ids = Vec::new();
    for n in 0..SHARED {
        let order = Order {
            viewer: Viewer::system(),
            command: registration(&format!("共有 {name} {n}")).into(),
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        ids.push(store.execute::<Row>(order).await?.object.life.id.0);
    }
    Ok(ids)
}

async fn one_process(url: &str, arguments: &Arguments) -> Outcome {
    say(&format!("SQLite: {} writers for {} s", arguments.writers, arguments.length()));
    let store = open(url).await?;
    let projector = Projector::start(store.clone(), projections::all()).await?;
    let name = store.clock().new_id().simple().to_string();
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("told");
    let writers = Writers {
        shared: shared(&store, &name).await?,
        store: store.clone(),
        name,
        until: Instant::now() + Duration::from_secs(arguments.length()),
        told: Told::into_file(&file)?,
        times: Times::default(),
    };
    let readers = [Reader::default(), Reader::default(), Reader::default()];
    let following = readers.clone().map(|reader| tokio::spawn(reader.run(store.clone())));
    let (begun, before) = (Instant::now(), store.pool().head().await?);
    let progress = tokio::spawn(tell_progress(store.clone(), arguments.minutes.is_some()));
    let minutes = tokio::spawn(writers.times.clone().tell_minutes(|minute| say(&format!("  {minute}"))));
    let tally = writers.run(arguments.writers).await?;
    let head = store.pool().head().await?;
    progress.abort();
    minutes.abort();
    report(begun, head - before, &tally);
    ends(&readers, following, head).await?;
    projector.stop().await?;
    store.pool().close().await;
    writers.told.finish()?;
    check(url, &Told::read(&file)?, before <= i64::from(SHARED)).await?;
    Ok(())
}

async fn ends<const N: usize>(
    readers: &[Reader; N],
    following: [tokio::task::JoinHandle<Outcome>; N],
    head: i64,
) -> Outcome {
    for (reader, following) in readers.iter().zip(following) {
        let reached = reader.reaches(head).await;
        if following.is_finished() {
            following.await??;
        }
        reached?;
    }
    say(&format!("  {N} readers were given every event up to {head}, once and in order"));
    Ok(())
}

fn report(begun: Instant, events: i64, tally: &Tally) {
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = events as f64 / seconds;
    say(&format!(
        "  {events} events in {seconds:.1} s: {rate:.0} events/s; {} commands written, {} refused, {} repeated",
        tally.written, tally.refused, tally.repeated
    ));
}

async fn tell_progress(store: EventStore, long: bool) {
    let every = Duration::from_secs(if long { 60 } else { 5 });
    loop {
        tokio::time::sleep(every).await;
        say(&format!("  … position {}", store.head()));
    }
}

async fn several_processes(url: &str, arguments: &Arguments) -> Outcome {
    let Arguments { processes, writers, .. } = *arguments;
    let seconds = arguments.length();
    say(&format!("PostgreSQL: {writers} writers in {processes} processes for {seconds} s"));
    let store = open(url).await?;
    let name = store.clock().new_id().simple().to_string();
    let ids = shared(&store, &name).await?.iter().map(Id::to_string).collect::<Vec<_>>().join(",");
    let readers = [Reader::default(), Reader::default()];
    let following = readers.clone().map(|reader| tokio::spawn(reader.run(store.clone())));
    let (begun, before) = (Instant::now(), store.pool().head().await?);
    let directory = tempfile::tempdir()?;
    let mut children: Vec<(Child, PathBuf)> = Vec::new();
    for process in 0..processes.max(1) {
        let told = directory.path().join(format!("told-{process}"));
        let mut child = Command::new(std::env::current_exe()?);
        child.arg("worker").args(["--database", url, "--shared", &ids]).arg("--told").arg(&told);
        child.args(["--name", &format!("{name}-{process}"), "--seconds", &seconds.to_string()]);
        child.args(["--writers", &writers.div_ceil(processes.max(1)).to_string()]);
        let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        children.push((child, told));
    }
    let progress = tokio::spawn(tell_progress(store.clone(), arguments.minutes.is_some()));
    let speaking = children.iter_mut().enumerate().map(|(number, (child, _))| listen(number + 1, child));
    let tally =
        futures_util::future::try_join_all(speaking).await?.into_iter().fold(Tally::default(), Tally::plus);
    let told = children.iter().map(|(_, file)| Told::read(file)).collect::<Outcome<Vec<_>>>()?.concat();
    let head = store.pool().head().await?;
    progress.abort();
    report(begun, head - before, &tally);
    // Readers of the other processes must come to the same end.
    for (mut child, _) in children {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(format!("{head}\n").as_bytes()).await?;
        }
        if !child.wait().await?.success() {
            return Err("a process failed: see above".into());
        }
    }
    ends(&readers, following, head).await?;
    say(&format!("  a reader in each of {processes} processes, too"));
    let leased = number(store.pool(), "select count(distinct owner) from projections").await?;
    say(&format!("  projections were last written by {leased} process(es)"));
    store.pool().close().await;
    check(url, &told, before <= i64::from(SHARED)).await?;
    Ok(())
}

/// What a worker writes on its standard output, a line each.
#[derive(Serialize, Deserialize)]
enum Said {
    Minute(Minute),
    /// The last: its writers are done.
    Tally(Tally),
}

async fn listen(number: usize, child: &mut Child) -> Outcome<Tally> {
    let stdout = child.stdout.take().ok_or("a process without output")?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Said::Minute(minute) => say(&format!("  process {number}, {minute}")),
            Said::Tally(tally) => return Ok(tally),
        }
    }
    Err("a process ended too early: see above".into())
}

pub(crate) async fn worker(arguments: WorkerArguments) -> Outcome {
    let store = open(&arguments.database).await?;
    let projector = Projector::start(store.clone(), projections::all()).await?;
    let reader = Reader::default();
    let following = tokio::spawn(reader.clone().run(store.clone()));
    let writers = Writers {
        store: store.clone(),
        name: arguments.name,
        shared: arguments.shared,
        until: Instant::now() + Duration::from_secs(arguments.seconds),
        told: Told::into_file(&arguments.told)?,
        times: Times::default(),
    };
    let tell = |said: &Said| say(&serde_json::to_string(said).unwrap_or_default());
    let minutes =
        tokio::spawn(writers.times.clone().tell_minutes(move |minute| tell(&Said::Minute(*minute))));
    let tally = writers.run(arguments.writers).await?;
    minutes.abort();
    writers.told.finish()?;
    tell(&Said::Tally(tally));
    // The first process says when all are done and where the log ends.
    let mut head = String::new();
    tokio::io::stdin().read_to_string(&mut head).await?;
    ends_quietly(&reader, following, head.trim().parse()?).await?;
    projector.stop().await?;
    store.pool().close().await;
    Ok(())
}

async fn ends_quietly(reader: &Reader, following: tokio::task::JoinHandle<Outcome>, head: i64) -> Outcome {
    let reached = reader.reaches(head).await;
    if following.is_finished() {
        following.await??;
    }
    reached
}
