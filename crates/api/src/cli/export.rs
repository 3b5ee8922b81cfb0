//! `zhixing export`.
use std::{io, path::PathBuf};

use zhixing_delivery::cloud_event::SOURCE;
use zhixing_event_store::Pool;

use super::{Failure, screen};
use crate::export::{Export, ExportError};

/// What to export, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    /// Only events behind this position
    #[arg(long, value_name = "POSITION", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
    after: i64,
    /// Only events up to this position [default: the end of the log at the start]
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(i64).range(0..))]
    to: Option<i64>,
    /// The file; one that an earlier export began is continued [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The `source` of every event
    #[arg(long, value_name = "URI", default_value = SOURCE)]
    source: String,
}

pub(super) async fn export(pool: &Pool, arguments: ExportArguments) -> Result<(), Failure> {
    let ExportArguments { after, to, output, source } = arguments;
    if source.is_empty()
        || source.len() > 1_000
        || source.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        return Err(Failure::Said("--source must be a URI reference of 1 to 1000 characters".into()));
    }
    let export = Export { after, to, source };
    let bar = screen::bar(0, "positions");
    let progress = |at: i64, of: i64| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(at.unsigned_abs());
    };
    let Some(path) = output else {
        let mut out = io::BufWriter::new(io::stdout().lock());
        return match export.write(pool, after, &mut out, progress).await {
            // A reader that went away (`zhixing export | head`) is no error.
            Err(ExportError::Output { reason, .. }) if reason.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => Ok(done.map(drop)?),
        };
    };
    let done = export.write_file(pool, &path, progress).await;
    bar.finish_and_clear();
    let done = done?;
    if done.torn > 0 {
        screen::say(&format!("{} bytes of a torn last line were cut off.", done.torn));
    }
    screen::say(&format!(
        "{} events written; {} holds everything up to position {}.",
        done.events,
        path.display(),
        done.position
    ));
    Ok(())
}
