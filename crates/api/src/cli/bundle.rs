//! `zhixing bundle`: the log as signed files, for networks that are not connected.
use std::{path::PathBuf, time::Duration};

use clap::Subcommand;
use comfy_table::Table;
use zhixing_domain::Clock;
use zhixing_event_store::{
    Error, Pool, PublicKey, SigningKey, SystemClock,
    bundle::{Checked, Gap, Making, Series, is_source},
    replica::{Applied, Stage},
    signing::KeyError,
};

use super::{Failure, open, pool, screen};
use crate::{config::Settings, projections, server::Service};

/// How long projections may take to catch up.
const PATIENCE: Duration = Duration::from_hours(1);

/// What is done with bundles.
#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
    /// Write a part of the log into a new file and sign it
    #[command(after_help = "Examples:
  zhixing bundle create --after 0 /media/usb/all.ndjson.gz
  zhixing bundle create --after 4711 /media/usb/next.ndjson.gz        everything since then
  zhixing bundle create --after 0 --to 4711 first.ndjson

A name that ends with .gz is packed. What stands behind the last event goes into the next bundle: `--after` is the last
position of the one before. When there is nothing new, the bundle says just that, signed and with its time.")]
    Create(CreateArguments),
    /// Check bundles without a database: signatures, every hash, and that none is missing between them
    #[command(after_help = "Examples:
  zhixing bundle verify /media/usb/*.ndjson.gz --key zhixing+1a2b3c4d+AQ…

The order of the names does not matter. Exit status 0: all whole, none missing; 1: something is wrong or missing, and it
says what.")]
    Verify(BundleArguments),
    /// Copy the events of bundles into an empty database, which becomes a replica, or into a replica
    #[command(after_help = "Examples:
  zhixing bundle apply --data replica --key zhixing+1a2b3c4d+AQ… /media/usb/all.ndjson.gz      the first time
  zhixing bundle apply --data replica /media/usb/next.ndjson.gz                                from then on
  zhixing serve --data replica                                                                and read it

A replica remembers the key and takes nothing that another one signed. All files are checked before the first event is
written; what it has already is passed over. It may be served meanwhile. Exit status 0: it has everything that the
bundles have; 1: something is wrong or missing, and it says what.")]
    Apply(BundleArguments),
}

/// What a bundle is made of, and where it goes.
#[derive(Debug, clap::Args)]
pub(super) struct CreateArguments {
    /// Only events behind this position; 0 for all
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// Only events up to this position [default: the end of the log at the start]
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..))]
    to: Option<i64>,
    /// The secret key that signs [default: the one of the checkpoints]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// What the log calls itself [default: `delivery.source` of the settings; on a replica, its origin]
    #[arg(long, value_name = "URI")]
    source: Option<String>,
    /// The new file
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

/// Bundles and the keys to be trusted.
#[derive(Debug, clap::Args)]
pub(super) struct BundleArguments {
    /// The bundles, in any order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Public keys of the log, got from somebody you trust
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PublicKey>,
}

pub(super) async fn bundle(settings: &Settings, command: BundleCommand) -> Result<(), Failure> {
    match command {
        BundleCommand::Create(arguments) => create(&pool(settings).await?, settings, arguments).await,
        BundleCommand::Verify(arguments) => verify(settings, arguments),
        BundleCommand::Apply(arguments) => apply(settings, &arguments).await,
    }
}

async fn create(pool: &Pool, settings: &Settings, arguments: CreateArguments) -> Result<(), Failure> {
    let CreateArguments { after, to, key, source, out } = arguments;
    let source = match (source, pool.origin().await?) {
        (Some(source), _) => source,
        (None, Some(origin)) => origin.source,
        (None, None) => settings.delivery.source.clone(),
    };
    if !is_source(&source) {
        return Err(Failure::Said("--source must be a URI reference of 1 to 1000 characters".into()));
    }
    let key = SigningKey::read(&key.unwrap_or_else(|| settings.signing_key_file())).map_err(Error::from)?;
    let making = Making { after, to, source, at: SystemClock.now() };
    let bar = screen::bar(0, "events");
    let made = pool
        .bundle(&making, &key, &out, |at, of| {
            bar.set_length((of - after).unsigned_abs());
            bar.set_position((at - after).unsigned_abs());
        })
        .await;
    bar.finish_and_clear();
    let header = made?;
    pool.close().await;
    screen::say(&match header.count {
        0 => format!("{} says that there was nothing behind position {after}.", out.display()),
        count => format!(
            "{} holds {count} events, positions {} to {}; signed by the key {}.",
            out.display(),
            header.first,
            header.last,
            key.public().id()
        ),
    });
    screen::say(&format!("Begin the next one with --after {}.", header.last));
    Ok(())
}

fn verify(settings: &Settings, arguments: BundleArguments) -> Result<(), Failure> {
    let BundleArguments { files, mut keys } = arguments;
    let named = !keys.is_empty();
    match SigningKey::read(&settings.signing_key_file()) {
        Ok(key) if !named => keys.push(key.public()),
        Ok(_) | Err(KeyError::Missing(_)) => {}
        Err(error) => return Err(Error::from(error).into()),
    }
    let bar = screen::bar(0, "events");
    let series = Series::read(&files, &keys, None, |at, of| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(at.unsigned_abs());
    });
    bar.finish_and_clear();
    let series = series.map_err(Error::from)?;
    let gaps = series.gaps(None);
    screen::say(&shown(&series, &gaps));
    if keys.is_empty() {
        screen::say(
            "Signatures were checked by the keys that the bundles name themselves, which proves nothing of who made \
             them. Name the key that you trust with --key.",
        );
    }
    if gaps.is_empty() {
        return Ok(());
    }
    let gaps: Vec<String> = gaps.iter().map(Gap::to_string).collect();
    Err(Failure::Said(gaps.join("\n")))
}

/// Bundles in their order, and what is missing between them.
fn shown(series: &Series, gaps: &[Gap]) -> String {
    let mut table = Table::new();
    table.set_header(["bundle", "source", "positions", "events", "made at", "key", "before it"]);
    let mut covered = None;
    for Checked { file, header, .. } in &series.bundles {
        let missing = gaps.iter().find(|gap| gap.next == *file);
        let before = match (covered, missing) {
            (_, Some(gap)) => format!("MISSING: {} to {}", gap.from, gap.to),
            (None, None) if header.first == 1 => "the log begins".to_owned(),
            (None, None) => format!("position {} and before", header.first - 1),
            (Some(end), None) if header.first <= end => format!("overlaps up to {}", header.last.min(end)),
            (Some(_), None) => "follows".to_owned(),
        };
        let positions = if header.count == 0 {
            "nothing new".to_owned()
        } else {
            format!("{} to {}", header.first, header.last)
        };
        table.add_row([
            file.display().to_string(),
            header.source.clone(),
            positions,
            header.count.to_string(),
            header.made_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            header.key.split('+').nth(1).unwrap_or_default().to_owned(),
            before,
        ]);
        covered = covered.max(Some(header.last));
    }
    table.to_string()
}

async fn apply(settings: &Settings, arguments: &BundleArguments) -> Result<(), Failure> {
    let store = open(settings).await?;
    let bar = screen::bar(0, "events");
    let applied = store.apply(&arguments.files, &arguments.keys, |stage, at, of| {
        bar.set_message(match stage {
            Stage::Checking => "checking",
            Stage::Writing => "writing",
        });
        bar.set_length(of.unsigned_abs());
        bar.set_position(at.unsigned_abs());
    });
    let applied = applied.await;
    bar.finish_and_clear();
    let Applied { before, position, source } = applied?;
    // The views were written with the events; what crosses aggregates follows the log by itself.
    let service = Service::start(store.clone()).await?;
    let bar = screen::bar(position.unsigned_abs(), "events");
    for projection in projections::all() {
        bar.set_message(projection.name());
        if service.projector.wait(projection.name(), position, PATIENCE).await? < position {
            screen::say(&format!(
                "{} has not caught up within an hour; it goes on when the replica is served.",
                projection.name()
            ));
        }
    }
    bar.finish_and_clear();
    service.stop().await;
    screen::say(&if position == before {
        format!("Nothing was new: this replica of {source} holds everything up to position {position}.")
    } else {
        format!(
            "{} events applied; this replica of {source} holds everything up to position {position}.",
            position - before
        )
    });
    Ok(())
}
