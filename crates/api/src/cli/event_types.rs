//! `zhixing event-types`.
use std::path::PathBuf;

use comfy_table::Table;
use zhixing_domain::catalogue::event_types;

use super::{Failure, screen};
use crate::event_documents::write;

/// How the catalogue is shown.
#[derive(Debug, clap::Args)]
pub(super) struct EventTypesArguments {
    /// Only types whose names contain this
    #[arg(value_name = "TEXT", default_value = "")]
    text: String,
    /// Write the schemas and the AsyncAPI document into this directory instead
    #[arg(long, value_name = "DIR", conflicts_with = "text")]
    write: Option<PathBuf>,
}

pub(super) fn event_types_of(arguments: &EventTypesArguments) -> Result<(), Failure> {
    if let Some(directory) = &arguments.write {
        let count = write(directory).map_err(|error| Failure::Said(error.to_string()))?;
        screen::say(&format!("{count} documents are in {}.", directory.display()));
        return Ok(());
    }
    let mut table = Table::new();
    table.set_header(["Type", "Version", "Term", "Kind", "Told"]);
    for known in event_types().iter().filter(|known| known.name.contains(&arguments.text)) {
        let version =
            if known.is_current { known.version.to_string() } else { format!("{} (former)", known.version) };
        table.add_row([
            known.name.as_str(),
            &version,
            &known.term,
            known.kind.term(),
            known.classification.term(),
        ]);
    }
    screen::say(&table.to_string());
    Ok(())
}
