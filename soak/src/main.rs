//! `soak`: load, growth, crashes, faults and attacks against the real log and the real service, with a checker that misses nothing.
//!
//! Slow on purpose and not part of the tests. Every command says how far it is, ends with a verdict, and has exit code 1
//! when anything failed.
mod attack;
mod check;
mod clocks;
mod cluster;
mod crash;
mod disk;
mod drive;
mod faults;
mod fill;
mod followers;
mod growth;
mod load;
mod minutes;
mod proxy;
mod screen;
mod service;
mod work;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Whatever may go wrong here, in words.
type Failure = Box<dyn std::error::Error + Send + Sync>;
type Outcome<T = ()> = Result<T, Failure>;

const EXAMPLES: &str = "Examples:
  cargo build -p zhixing-api && cargo run -p zhixing-soak -- load --seconds 60 --processes 3 --writers 64
  cargo run --release -p zhixing-soak -- load --minutes 10
  cargo run -p zhixing-soak -- load --database sqlite:/srv/soak.db
  cargo run -p zhixing-soak -- crash --rounds 10
  cargo run -p zhixing-soak -- faults
  cargo run --release -p zhixing-soak -- clocks --clocks 100000
  cargo run --release -p zhixing-soak -- attack --strict
  cargo run --release -p zhixing-soak -- followers
  cargo run --release -p zhixing-soak -- growth --events 10000000 --directory /var/tmp

Without --database, a throw-away PostgreSQL with durable settings is started from the programs on this machine;
`attack` then needs none.";

/// Load, crashes and faults, with a checker.
#[derive(Debug, Parser)]
#[command(name = "soak", version, about, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Many writers in several processes on PostgreSQL and many tasks on SQLite, readers following meanwhile
    Load(load::Arguments),
    /// One process of `load`
    #[command(hide = true)]
    Worker(load::WorkerArguments),
    /// Kill the service and the PostgreSQL server in the middle of load, again and again
    Crash(crash::Arguments),
    /// Fill a log to 10,000 events and every tenfold, and show how long reads and appends take at each size
    Growth(growth::Arguments),
    /// Lost connections, exhausted pools and full disks
    Faults(faults::Arguments),
    /// Thousands who follow the log: how soon they hear, what they cost, how fast the past is told and webhooks are brought
    Followers(followers::Arguments),
    /// The scheduler with very many running clocks: a tenth falls due on one day, each is announced once
    Clocks(clocks::Arguments),
    /// Throw at the front door what strangers do: each attack is refused clearly and soon, and honest clients are served
    Attack(attack::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse().command {
        Command::Load(arguments) => load::load(arguments).await,
        Command::Worker(arguments) => load::worker(arguments).await,
        Command::Crash(arguments) => crash::crash(&arguments).await,
        Command::Growth(arguments) => growth::growth(arguments).await,
        Command::Followers(arguments) => followers::followers(arguments).await,
        Command::Faults(arguments) => faults::faults(&arguments).await,
        Command::Clocks(arguments) => clocks::clocks(arguments).await,
        Command::Attack(arguments) => attack::attack(&arguments).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen::fail(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}
