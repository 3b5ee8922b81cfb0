//! `zhixing import`, and the sample plans of a first start.
use comfy_table::Table;
use zhixing_domain::Viewer;
use zhixing_event_store::EventStore;

use super::{Failure, ImportArguments, screen};
use crate::import::{Done, Importer, Job, encoding::MAX_FILE_BYTES};

/// The sample plans: five real government documents, as facts and short paraphrases.
pub fn samples() -> [(&'static str, &'static str); 5] {
    macro_rules! sample {
        ($name:literal) => {
            ($name, include_str!(concat!("../../../../reference/plans/", $name)))
        };
    }
    [
        sample!("hunan-2009-measures.json"),
        sample!("gansu-2011-quality-revitalisation.json"),
        sample!("hunan-2018-key-points.json"),
        sample!("zhanjiang-2019-quality-upgrade.json"),
        sample!("hunan-2017-consumer-goods.json"),
    ]
}

/// Brings the sample plans into an empty log.
pub(super) async fn import_samples(store: &EventStore) -> Result<(), Failure> {
    screen::say("First start: importing the five sample plans.");
    for (name, text) in samples() {
        let done = one(store, name, text.as_bytes().to_vec(), &ImportArguments::usual()).await?;
        tracing::info!(plan = name, rows = done.report.rows_read, "imported");
    }
    Ok(())
}

impl ImportArguments {
    fn usual() -> Self {
        Self {
            files: Vec::new(),
            plan: None,
            number_prefix: String::new(),
            take_good_rows: false,
            dry_run: false,
        }
    }
}

pub(super) async fn import(store: &EventStore, arguments: ImportArguments) -> Result<(), Failure> {
    let mut refused = 0;
    for path in &arguments.files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let bytes = read(path)?;
        match one(store, &name, bytes, &arguments).await {
            Ok(done) => {
                refused += u32::from(done.plan.is_none());
                show(&done, arguments.dry_run);
            }
            Err(error) => {
                refused += 1;
                screen::say(&format!("{name}: {error}\n"));
            }
        }
    }
    if refused > 0 {
        return Err(Failure::Said(format!("{refused} of {} files changed nothing", arguments.files.len())));
    }
    Ok(())
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, Failure> {
    let cannot =
        |error: &dyn std::fmt::Display| Failure::Said(format!("{} cannot be read: {error}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
    if size > MAX_FILE_BYTES as u64 {
        let limit = MAX_FILE_BYTES / (1024 * 1024);
        return Err(cannot(&format!("it is larger than {limit} MiB; split it into several files")));
    }
    std::fs::read(path).map_err(|error| cannot(&error))
}

async fn one(
    store: &EventStore,
    name: &str,
    bytes: Vec<u8>,
    arguments: &ImportArguments,
) -> Result<Done, Failure> {
    let viewer = Viewer::system();
    let bar = screen::bar(0, "rows");
    bar.set_message(name.to_owned());
    let job = Job {
        source: name.to_owned(),
        bytes,
        plan: arguments.plan,
        number_prefix: arguments.number_prefix.clone(),
        take_good_rows: arguments.take_good_rows,
        dry_run: arguments.dry_run,
        command_id: None,
    };
    let done = Importer::new(store, &viewer)
        .import(job, |at, of| {
            bar.set_length(of);
            bar.set_position(at);
        })
        .await;
    bar.finish_and_clear();
    done.map_err(|fault| Failure::Said(fault.to_string()))
}

/// Most findings shown at the terminal; all of them are kept with the import.
const SHOWN: usize = 30;

fn show(done: &Done, dry_run: bool) {
    let report = &done.report;
    let verdict = match (&done.plan, done.position) {
        _ if done.imported_before => "imported before: nothing changed".to_owned(),
        (None, _) => "nothing was taken".to_owned(),
        (Some(_), None) if dry_run => "nothing was recorded (dry run)".to_owned(),
        (Some(_), position) => format!("recorded up to position {}", position.unwrap_or(0)),
    };
    screen::say(&format!(
        "{} ({}, {}): {} rows read, {} accepted, {} unchanged, {} repaired, {} rejected; {verdict}",
        report.source,
        report.format,
        report.encoding,
        report.rows_read,
        report.accepted,
        report.unchanged,
        report.repaired.len(),
        report.rejected.len(),
    ));
    let mut findings = Table::new();
    findings.set_header(["", "row", "field", "found", "reading or reason"]);
    for bad in report.rejected.iter().take(SHOWN) {
        findings.add_row(["rejected", &bad.row.to_string(), &bad.field, "", &bad.reason]);
    }
    for repair in report.repaired.iter().take(SHOWN.saturating_sub(report.rejected.len())) {
        findings.add_row([
            "repaired",
            &repair.row.to_string(),
            &repair.field,
            &repair.found,
            &repair.reading,
        ]);
    }
    let left = (report.rejected.len() + report.repaired.len()).saturating_sub(SHOWN);
    if findings.row_count() > 0 {
        screen::say(&findings.to_string());
    }
    if left > 0 {
        screen::say(&format!("and {left} more; see `dataImports` in GraphQL"));
    }
}
