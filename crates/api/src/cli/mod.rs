//! The commands of `zhixing`.
mod backup;
mod bundle;
mod event_types;
mod export;
mod grant;
mod health;
mod import;
mod keys;
mod rebuild;
mod screen;
mod serve;
mod simulate;
mod time;
mod trust;

use std::{path::PathBuf, sync::Arc};

use clap::{CommandFactory, Parser, Subcommand};
use zhixing_domain::{Id, TimeReference};
use zhixing_event_store::{EventStore, Pool, SystemClock};

use crate::{
    config::{ConfigError, Flags, Settings},
    graphql,
    time_reference::{self, ReferenceError},
};
pub use import::samples;
pub use time::moved as moved_deadlines;

const EXAMPLES: &str = "Examples:
  zhixing                                            serve on 127.0.0.1:8080 with an embedded database in ./data
  zhixing --listen 127.0.0.1:9000 --data /srv/zhixing
  zhixing --database postgres://zhixing@db.example.cn/zhixing serve
  zhixing import plan.json
  zhixing import breakdown.xlsx --plan AQKAAAAAAAAAAAAAAAAAAAAA --number-prefix A
  zhixing schema > schema.graphql
  zhixing grant administrator --issuer https://id.example.cn --subject 248289761001
  zhixing verify
  zhixing export --output events.ndjson
  zhixing backup /backup/zhixing-2026-01-31.db
  zhixing bundle create --after 1000 /media/usb/events.ndjson.gz

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
    /// Show every type of events, or write their JSON Schemas and the AsyncAPI document
    #[command(after_help = "Examples:
  zhixing event-types
  zhixing event-types Task
  zhixing event-types --write schemas")]
    EventTypes(event_types::EventTypesArguments),
    /// Bring the database's tables up to date
    Migrate,
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
    /// Recompute every hash of the log, hold it to its signed checkpoints, and name the first bad position
    #[command(after_help = "Examples:
  zhixing verify
  zhixing verify --checkpoint kept-elsewhere.json --key zhixing+1a2b3c4d+AQ…")]
    Verify(trust::VerifyArguments),
    /// Sign the end of the log now and print the checkpoint
    #[command(after_help = "Examples:
  zhixing checkpoint > checkpoint.json
  zhixing checkpoint --show-key")]
    Checkpoint(trust::CheckpointArguments),
    /// Print the proof that an event is in the signed log
    #[command(after_help = "Examples:
  zhixing prove 1234 > proof.json
  zhixing verify-proof proof.json --key zhixing+1a2b3c4d+AQ…")]
    Prove {
        /// Where the event stands in the log
        #[arg(value_name = "POSITION", value_parser = clap::value_parser!(i64).range(1..))]
        position: i64,
    },
    /// Check a proof; needs neither the database nor the network
    VerifyProof(trust::VerifyProofArguments),
    /// Write the log as CloudEvents, one a line
    #[command(after_help = "Examples:
  zhixing export | jq .type
  zhixing export --output events.ndjson          continues where the file ends
  zhixing export --after 1000 --to 2000 --source https://quality.example.cn/log --output part.ndjson")]
    Export(export::ExportArguments),
    /// Carry the log to networks that are not connected: signed files, applied to replicas that can only be read
    Bundle {
        #[command(subcommand)]
        command: bundle::BundleCommand,
    },
    /// Copy the embedded database while it is in use, and verify the copy
    Backup {
        /// The copy; must not exist
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a backup into an empty data directory, after verifying it
    #[command(after_help = "Example:
  zhixing restore /backup/zhixing-2026-01-31.db --data /srv/zhixing")]
    Restore {
        /// The backup
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Run the Gansu plan of 2011 in fast motion into an empty database: invented reports of real regions, day by day
    #[command(after_help = "Examples:
  zhixing simulate --data simulation                     five years, about half a minute
  zhixing simulate --data simulation --seed 7 --until 2012-12-31
  zhixing serve --data simulation                        and look at it")]
    Simulate(simulate::SimulateArguments),
    /// Grant a role to somebody of an identity provider, such as to the first administrator
    #[command(after_help = "Examples:
  zhixing grant administrator --issuer https://id.example.cn --subject 248289761001
  zhixing grant leading-group-office --issuer https://id.example.cn --subject ann --region 620000 \\
    --note 'Letter of appointment 2026/7'

It is an event like every other, also while the service runs. Everything after the first administrator can be
granted and revoked over GraphQL (grantRole, revokeRole).")]
    Grant(grant::GrantArguments),
    /// The master key, which wraps the keys of persons, and keys of connected systems
    #[command(after_help = "Examples:
  zhixing keys init                  before the first start, to keep the master key elsewhere
  zhixing keys rotate-master         also while the service runs
  zhixing keys issue-service-key --name 'Credit platform' --unit AQEAAAAAAAAAAAAAAAAAAAAA --role integrator \\
    --region 620000 --expires-on 2026-12-31 > token")]
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Working days and time limits
    Time {
        #[command(subcommand)]
        command: time::TimeCommand,
    },
    /// Ask a running service whether it is ready; exit status 0 when it is
    Health {
        /// The address to ask; with https:// any certificate will do
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
    /// No checkpoint could be signed or read.
    #[error(transparent)]
    Signing(#[from] crate::checkpoints::SigningError),
    /// The log could not be exported.
    #[error(transparent)]
    Export(#[from] crate::export::ExportError),
    /// Calendars or time limits cannot be used.
    #[error(transparent)]
    Time(#[from] ReferenceError),
    /// The keys of persons cannot be used.
    #[error(transparent)]
    Keys(#[from] zhixing_vault::VaultError),
    /// A simulation ended early.
    #[error(transparent)]
    Simulation(#[from] crate::simulation::Halt),
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
        Command::EventTypes(arguments) => event_types::event_types_of(&arguments),
        Command::Migrate => {
            let pool = pool(&settings).await?;
            screen::say("The database is up to date.");
            pool.close().await;
            Ok(())
        }
        Command::Rebuild { names, apply } => rebuild::rebuild(&open(&settings).await?, &names, apply).await,
        Command::Verify(arguments) => trust::verify(&pool(&settings).await?, &settings, arguments).await,
        Command::Checkpoint(arguments) if arguments.only_shows() => trust::show_key(&settings),
        Command::Checkpoint(arguments) => {
            trust::checkpoint(&open(&settings).await?, &settings, &arguments).await
        }
        Command::Prove { position } => trust::prove(&pool(&settings).await?, position).await,
        Command::VerifyProof(arguments) => trust::verify_proof(&arguments),
        Command::Export(arguments) => export::export(&pool(&settings).await?, arguments).await,
        Command::Bundle { command } => bundle::bundle(&settings, command).await,
        Command::Backup { file } => backup::backup(&pool(&settings).await?, &file).await,
        Command::Restore { file } => backup::restore(&settings, &file).await,
        Command::Simulate(arguments) => simulate::simulate(&settings, arguments).await,
        Command::Time { command: time::TimeCommand::Moved } => {
            let after = reference(&settings)?;
            screen::say(&time::moved(&pool(&settings).await?, &after).await?);
            Ok(())
        }
        Command::Grant(arguments) => grant::grant(&open(&settings).await?, &settings, arguments).await,
        Command::Keys { command } => keys::keys(&settings, command).await,
        Command::Health { url } => health::ask(&url).await,
    }
}

/// Working days and time limits: those that the program knows and those of the configured directories.
fn reference(settings: &Settings) -> Result<Arc<TimeReference>, Failure> {
    Ok(Arc::new(time_reference::read(settings.calendars.as_deref(), settings.rules.as_deref())?))
}

/// The command line as clap knows it, for documentation and tests.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Makes the data directory if there is none.
fn data_directory(settings: &Settings) -> Result<(), Failure> {
    let directory = &settings.data;
    std::fs::create_dir_all(directory).map_err(|error| {
        Failure::said(&format!("the directory {} cannot be made", directory.display()), error)
    })
}

async fn pool(settings: &Settings) -> Result<Pool, Failure> {
    if settings.database.is_none() {
        data_directory(settings)?;
    }
    Ok(Pool::open(&settings.database_url()).await?)
}

async fn open(settings: &Settings) -> Result<EventStore, Failure> {
    let pool = pool(settings).await?;
    Ok(EventStore::open(pool, Arc::new(SystemClock), graphql::catalogue()).await?)
}
