//! The commands of `zhixing`.
mod health;
mod import;
mod rebuild;
mod screen;
mod serve;

use std::{path::PathBuf, sync::Arc};

use clap::{CommandFactory, Parser, Subcommand};
use zhixing_domain::Id;
use zhixing_event_store::{EventStore, Pool, SystemClock};

use crate::{
    config::{ConfigError, Flags, Settings},
    graphql,
};
pub use import::samples;

const EXAMPLES: &str = "Examples:
  zhixing                                            serve on 127.0.0.1:8080 with an embedded database in ./data
  zhixing --listen 127.0.0.1:9000 --data /srv/zhixing
  zhixing --database postgres://zhixing@db.example.cn/zhixing serve
  zhixing import plan.json
  zhixing import breakdown.xlsx --plan AQKAAAAAAAAAAAAAAAAAAAAA --number-prefix A
  zhixing schema > schema.graphql
  zhixing verify

Settings come from flags, then the environment (ZHIXING_LISTEN, ZHIXING_DATABASE, ZHIXING_DATA,
ZHIXING_LIMITS__BODY_BYTES …), then zhixing.toml.";

/// Zhixing 质兴: runs a public quality programme.
#[derive(Debug, Parser)]
#[command(name = "zhixing", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve GraphQL, GraphiQL and health (the default)
    Serve,
    /// Import plans (JSON) or task breakdown tables (CSV, XLSX)
    #[command(after_help = "Examples:
  zhixing import reference/plans/*.json
  zhixing import breakdown.csv --plan AQKAAAAAAAAAAAAAAAAAAAAA --dry-run
  zhixing import breakdown.xlsx --plan AQKAAAAAAAAAAAAAAAAAAAAA --number-prefix A --take-good-rows")]
    Import(ImportArguments),
    /// Print the GraphQL schema
    Schema,
    /// Bring the database's tables up to date
    Migrate,
    /// Recompute the hash chain over the whole log and name the first bad position
    Verify,
    /// Build views and projections anew from the log and compare them with the ones that serve
    #[command(after_help = "Examples:
  zhixing rebuild                    compare every view and projection with the log
  zhixing rebuild --apply            and mend what differs
  zhixing rebuild TASK timeline      only these")]
    Rebuild {
        /// Kinds of objects (UNIT, PLAN …) or names of projections (timeline …); all when left out
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Put the new rows in the place of those that differ
        #[arg(long)]
        apply: bool,
    },
    /// Ask a running service whether it is ready; exit status 0 when it is
    Health {
        /// The address to ask
        #[arg(long, default_value = "http://127.0.0.1:8080/readyz", value_name = "URL")]
        url: String,
    },
}

/// What to import.
#[derive(Debug, clap::Args)]
pub struct ImportArguments {
    /// The files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The plan that the tasks of a table belong to: its id in GraphQL
    #[arg(long, value_name = "ID")]
    plan: Option<Id<zhixing_domain::programme::plan::Plan>>,
    /// Put before the numbers of a table, where numbers repeat inside a plan
    #[arg(long, default_value = "", value_name = "TEXT")]
    number_prefix: String,
    /// Take the good rows of a file that has bad ones
    #[arg(long)]
    take_good_rows: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

/// Why a command ended badly: a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The log or the database failed.
    #[error(transparent)]
    Store(#[from] zhixing_event_store::Error),
    /// Something else, in words.
    #[error("{0}")]
    Said(String),
}

impl Failure {
    fn said(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Said(format!("{what}: {error}"))
    }
}

/// Runs the command that was given.
///
/// # Errors
/// A [`Failure`] to be shown to the person at the terminal.
pub async fn run() -> Result<(), Failure> {
    let cli = Cli::parse();
    let settings = Settings::read(&cli.flags)?;
    screen::log(&settings.log)?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(settings).await,
        Command::Import(arguments) => import::import(&open(&settings).await?, arguments).await,
        Command::Schema => {
            screen::say(graphql::sdl().trim_end());
            Ok(())
        }
        Command::Migrate => {
            let pool = pool(&settings).await?;
            screen::say("The database is up to date.");
            pool.close().await;
            Ok(())
        }
        Command::Verify => verify(&open(&settings).await?).await,
        Command::Rebuild { names, apply } => rebuild::rebuild(&open(&settings).await?, &names, apply).await,
        Command::Health { url } => health::ask(&url).await,
    }
}

/// The command line as clap knows it, for documentation and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

async fn pool(settings: &Settings) -> Result<Pool, Failure> {
    if settings.database.is_none() {
        let directory = &settings.data;
        std::fs::create_dir_all(directory).map_err(|error| {
            Failure::said(&format!("the directory {} cannot be made", directory.display()), error)
        })?;
    }
    Ok(Pool::open(&settings.database_url()).await?)
}

async fn open(settings: &Settings) -> Result<EventStore, Failure> {
    let pool = pool(settings).await?;
    Ok(EventStore::open(pool, Arc::new(SystemClock), graphql::catalogue()).await?)
}

async fn verify(store: &EventStore) -> Result<(), Failure> {
    let head = u64::try_from(store.head()).unwrap_or(0);
    let bar = screen::bar(head, "events");
    let position = store.verify(|at| bar.set_position(u64::try_from(at).unwrap_or(0))).await?;
    bar.finish_and_clear();
    screen::say(&format!("The log is whole: {position} events, every hash as it was written."));
    Ok(())
}
