//! The command line.
use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

const EXAMPLES: &str = "Examples:
  cargo run --release -p zhixing-bench                      everything, about 12 minutes
  cargo run --release -p zhixing-bench -- --quick           everything, about 3 minutes
  cargo run --release -p zhixing-bench -- reads             only the reads
  cargo run --release -p zhixing-bench -- append --database sqlite --rounds 5 --seconds 3
  cargo run --release -p zhixing-bench -- all --json result.json
  BENCH_DATABASE_URL=postgres://me@127.0.0.1/postgres cargo run --release -p zhixing-bench -- commands

Without BENCH_DATABASE_URL a throw-away PostgreSQL is started from the programs on this machine (14 or newer, with
pgbench) with fsync and synchronous_commit on, and removed at the end. A server that is given gets databases called
zhixing_bench_…, made anew each time. Nothing else should run meanwhile: ratios of one run are comparable, rates of two
are not.";

/// Measures Zhixing's log, commands and reads beside their limits, a hand-written handler and a peer.
#[derive(Debug, Parser)]
#[command(name = "bench", version, about, after_help = EXAMPLES, max_term_width = 110)]
pub struct Settings {
    /// What to measure
    #[command(subcommand)]
    what: Option<What>,
    /// One round of one second each instead of three of one and a half
    #[arg(long, global = true)]
    pub quick: bool,
    /// Rounds; medians are shown
    #[arg(long, global = true, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Seconds of each run
    #[arg(long, global = true, value_name = "SECONDS", value_parser = seconds)]
    seconds: Option<f64>,
    /// Only cases whose name contains this; bases and figures that need the others are left out
    #[arg(long, global = true, value_name = "TEXT")]
    pub only: Option<String>,
    /// Which databases
    #[arg(long, global = true, value_enum, default_value_t = Database::Both)]
    pub database: Database,
    /// How many tasks there are when the scopes of readers are compared
    #[arg(long, global = true, value_name = "NUMBER", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u32).range(10_000..=100_000_000))]
    pub tasks: u32,
    /// Leave out the peer, which is built from a workspace of its own
    #[arg(long, global = true)]
    pub no_peer: bool,
    /// Where databases are kept while it runs: on the disk to be measured
    #[arg(long, global = true, value_name = "DIR", default_value = "/var/tmp")]
    pub data: PathBuf,
    /// Also write the results to a file as JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A PostgreSQL to use instead of a throw-away one; its user may create databases
    #[arg(long, global = true, value_name = "URL", env = "BENCH_DATABASE_URL", hide_env_values = true)]
    pub url: Option<String>,
}

/// Parts that can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum What {
    /// Everything (the default)
    All,
    /// Inserts at the database's limit, appends through the store, commands of the peer
    Append,
    /// Whole commands through the store and through GraphQL
    Commands,
    /// Reports with a sealed informer beside the same words in plain
    Sealed,
    /// The whole log read again
    Replay,
    /// A page and a single object through GraphQL, by hand, and as SQL (PostgreSQL only)
    Reads,
    /// One check of who may take a step
    Policy,
    /// The same page of tasks for those who see everything and for those who see a part
    Scopes,
    /// Whether followers miss events while 64 writers append (PostgreSQL only)
    Check,
}

/// One of two databases, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// Both.
    Both,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "is not a number".to_owned())?;
    if (0.1..=600.0).contains(&seconds) { Ok(seconds) } else { Err("is not between 0.1 and 600".into()) }
}

impl Settings {
    /// Whether this part is to be measured.
    pub fn wants(&self, part: What) -> bool {
        let what = self.what.unwrap_or(What::All);
        what == What::All || what == part
    }
    /// How often each case is run.
    pub fn rounds(&self) -> usize {
        self.rounds.map_or(if self.quick { 1 } else { 3 }, usize::from)
    }
    /// How long each run is.
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.unwrap_or(if self.quick { 1.0 } else { 1.5 }))
    }
}
