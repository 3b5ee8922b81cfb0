//! `soak growth`: what is asked of a log takes as long when it is long as when it is short.
use std::{
    fmt::Write,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sea_query::{Condition, Expr};
use uuid::Uuid;
use zhixing_api::graphql::{indicator::Indicator as IndicatorRow, task::Task as TaskRow};
use zhixing_domain::{Id, performance::indicator::Indicator, programme::plan::Plan};
use zhixing_event_store::{EventStore, Listing, Pool, Sort, store::AsOf};

use crate::{
    Outcome,
    check::{number, open},
    cluster::Cluster,
    fill::{Filler, Sample, write},
    screen::say,
};

/// What `soak growth` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How long the log grows: measured at 10,000 events and every tenfold of them up to here
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000_000))]
    events: i64,
    /// How often each thing is measured
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    samples: u32,
    /// Only this database, which must be empty: sqlite:FILE or postgres://…
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the databases are kept meanwhile: 10,000,000 events take some 10 GB each
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

/// The smallest log that is measured.
const SMALLEST: i64 = 10_000;
/// Measurements of the long indicator, and of the short one beside it.
const LONG: i32 = 10_000;
const SHORT: i32 = 3;
/// Events of a page of the log, rows of a page of tasks.
const PAGE: u32 = 500;
const ROWS: u64 = 20;
/// How long a snapshot may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn growth(arguments: Arguments) -> Outcome {
    if let Some(url) = &arguments.database {
        return grow(url, &arguments).await;
    }
    let mut builder = tempfile::Builder::new();
    let directory = match &arguments.directory {
        Some(place) => builder.prefix("zhixing-soak.").tempdir_in(place)?,
        None => builder.prefix("zhixing-soak.").tempdir()?,
    };
    grow(&format!("sqlite:{}", directory.path().join("growth.db").display()), &arguments).await?;
    drop(directory);
    let cluster = Cluster::start_in(arguments.directory.as_deref(), 100).await?;
    grow(&cluster.url("postgres"), &arguments).await?;
    Ok(())
}

async fn grow(url: &str, arguments: &Arguments) -> Outcome {
    let store = open(url).await?;
    if store.head() != 0 {
        return Err("the database is not empty: growth is measured from the beginning".into());
    }
    let name = if matches!(store.pool(), Pool::Postgres(_)) { "PostgreSQL" } else { "SQLite" };
    let mut filler = Filler::new(&store)?;
    let indicators = [filler.indicator(SHORT).await?, filler.indicator(LONG).await?];
    let mut tables: Vec<(i64, Vec<Measured>)> = Vec::new();
    let mut sample = Sample { tasks: Vec::new(), plan: Id::new(Uuid::nil()) };
    let mut size = SMALLEST;
    while size <= arguments.events.max(SMALLEST) {
        let (begun, before) = (Instant::now(), store.head());
        let bar = bar(size, &format!("{name} to {size} events"));
        bar.set_position(u64::try_from(before)?);
        // The indicators alone are a little more than the smallest size.
        let target = size.max(before + i64::from(PAGE));
        let more = filler.fill(target, |head| bar.set_position(u64::try_from(head).unwrap_or(0))).await?;
        bar.finish_and_clear();
        sample.tasks.extend(more.tasks);
        sample.plan = more.plan;
        let (events, seconds) = (store.head() - before, begun.elapsed().as_secs_f64());
        say(&format!(
            "{name}: {} events; {events} written in {seconds:.1} s ({:.0}/s)",
            store.head(),
            rate(events, seconds)
        ));
        settle(&store).await?;
        let head = store.head();
        let measured = measure(&store, &mut filler, &sample, indicators, arguments.samples).await?;
        tables.push((head, measured));
        size = size.saturating_mul(10);
    }
    say(&table(name, &tables));
    let verified = store.pool().verify(&[], &[], |_| ()).await?;
    say(&format!("{name}: the chain of all {} events was verified", verified.position));
    store.pool().close().await;
    Ok(())
}

fn rate(events: i64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let events = events as f64;
    events / seconds.max(f64::EPSILON)
}

/// What autovacuum does by and by after a bulk load, done at once: statistics and the map of what all can see.
async fn settle(store: &EventStore) -> Outcome {
    match store.pool() {
        Pool::Postgres(db) => sqlx::query("vacuum analyze").execute(db).await.map(drop)?,
        Pool::Sqlite { writer, .. } => sqlx::query("analyze").execute(writer).await.map(drop)?,
    }
    Ok(())
}

/// One thing at one size.
struct Measured {
    what: &'static str,
    p50: String,
    p99: String,
}

impl Measured {
    fn of(what: &'static str, mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let index = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(index).map_or_else(String::new, |time| format!("{:.3}", time.as_secs_f64() * 1_000.0))
        };
        Self { what, p50: at(50), p99: at(99) }
    }
}

/// Runs something so often and takes the times.
async fn timed<F: Future<Output = Outcome>>(
    samples: u32,
    mut once: impl FnMut(u32) -> F,
) -> Outcome<Vec<Duration>> {
    let mut times = Vec::with_capacity(usize::try_from(samples)?);
    for n in 0..samples {
        let begun = Instant::now();
        once(n).await?;
        times.push(begun.elapsed());
    }
    Ok(times)
}

async fn measure(
    store: &EventStore,
    filler: &mut Filler,
    sample: &Sample,
    [short, long]: [Id<Indicator>; 2],
    samples: u32,
) -> Outcome<Vec<Measured>> {
    snapshot(store, long).await?;
    let head = store.head();
    let tasks = &sample.tasks;
    let mut all = Vec::new();
    // A stride that is prime to most numbers visits streams of every age.
    let task = |n: u32| Id::new(tasks[n as usize * 7_919 % tasks.len()]);
    let times = timed(samples, async |n| {
        store.forget(task(n).uuid());
        store.state::<TaskRow>(task(n)).await?;
        Ok(())
    });
    all.push(Measured::of("read a task of 10 events", times.await?));
    for (what, id) in [("read an indicator, 3 measurements", short), ("the same, 10,000, by snapshot", long)]
    {
        let times = timed(samples, async |_| {
            store.forget(id.uuid());
            store.state::<IndicatorRow>(id).await?;
            Ok(())
        });
        all.push(Measured::of(what, times.await?));
    }
    // As of an instant: snapshots do not say of when they are, so the whole stream is folded.
    let whole = AsOf::Time(store.clock().now());
    let times = timed(samples.div_ceil(20), async |_| {
        store.as_of::<IndicatorRow>(long, whole).await?.ok_or("there is no such indicator")?;
        Ok(())
    });
    all.push(Measured::of("the same, 10,000, event by event", times.await?));
    let last = (head - i64::from(PAGE)).max(0);
    for (what, from) in
        [("read 500 events at the start", 0), ("… in the middle", last / 2), ("… at the end", last)]
    {
        let times = timed(samples, async |n| {
            // Not the same page every time.
            let after = (from - i64::from(n)).max(0);
            let page = store.pool().read_log(after, PAGE).await?;
            if page.len() == PAGE as usize { Ok(()) } else { Err("a page of the log is not full".into()) }
        });
        all.push(Measured::of(what, times.await?));
    }
    let times = timed(samples, async |_| {
        let page = store.pool().page::<TaskRow>(of_plan(sample.plan)).await?;
        if page.rows.is_empty() { Err("a plan without tasks".into()) } else { Ok(()) }
    });
    all.push(Measured::of("read 20 tasks of a plan", times.await?));
    let mut appends = (0..samples).map(|_| filler.task(1)).collect::<Outcome<Vec<_>>>()?;
    let times = timed(samples, |_| {
        let append = appends.pop().unwrap_or_default();
        write(store, append)
    });
    all.push(Measured::of("append one event", times.await?));
    all.push(Measured {
        what: "memory of this process, MB",
        p50: resident().unwrap_or_default(),
        p99: String::new(),
    });
    Ok(all)
}

/// The first tasks of a plan, by number.
fn of_plan(plan: Id<Plan>) -> Listing {
    use sea_query::ExprTrait;
    let sort = Sort { column: "number_order", nullable: false, descending: false };
    let filter = Condition::all().add(Expr::col("plan_id").eq(plan.uuid()));
    Listing { filter, sort, after: None, before: None, from_end: false, limit: ROWS }
}

/// Sees to it that the long stream has its snapshot, which is kept beside the first read.
async fn snapshot(store: &EventStore, long: Id<Indicator>) -> Outcome {
    let begun = Instant::now();
    while number(store.pool(), "select count(*) from snapshots").await? == 0 {
        store.forget(long.uuid());
        store.state::<IndicatorRow>(long).await?;
        if begun.elapsed() > PATIENCE {
            return Err("no snapshot was kept of the long indicator".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// What this process holds in memory, where the system says so.
fn resident() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some((kilobytes / 1_024).to_string())
}

fn table(name: &str, tables: &[(i64, Vec<Measured>)]) -> String {
    let mut text = format!("\n{name}: p50 / p99 in ms\n{:<36}", "events in the log");
    for (head, _) in tables {
        let _ = write!(text, "{head:>22}");
    }
    let rows = tables.first().map_or(0, |(_, rows)| rows.len());
    for row in 0..rows {
        for (at, (_, measured)) in tables.iter().enumerate() {
            let Measured { what, p50, p99 } = &measured[row];
            if at == 0 {
                let _ = write!(text, "\n{what:<36}");
            }
            let both = if p99.is_empty() { p50.clone() } else { format!("{p50} / {p99}") };
            let _ = write!(text, "{both:>22}");
        }
    }
    text.push('\n');
    text
}

/// A progress bar on the terminal; nothing where there is none.
fn bar(length: i64, what: &str) -> ProgressBar {
    let length = u64::try_from(length).unwrap_or(0);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    let template = "{msg:36} [{bar:30}] {pos}/{len} {per_sec} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.with_message(what.to_owned())
}
