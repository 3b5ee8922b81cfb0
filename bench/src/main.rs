//! Measures Zhixing side by side with what a database gives, what a hand-written handler gives, and a peer.
//!
//! Rates depend on the machine and the minute; ratios of one run do not, so everything is measured in rounds, every case
//! once a round, and compared by medians. What is measured must work: a failed call ends the program.
#![expect(unreachable_pub, reason = "a program: nothing of it leaves")]

mod append;
mod case;
mod check;
mod commands;
mod cpu;
mod http;
mod limit;
mod load;
mod peer;
mod pgbench;
mod policy;
mod reads;
mod replay;
mod report;
mod sample;
mod scopes;
mod sealed;
mod server;
mod settings;
mod store;
mod world;

use std::{path::Path, process::ExitCode, time::Instant};

use clap::Parser;

use load::Fault;
use report::{Report, note, say};
use server::Server;
use settings::{Database, Settings, What};

#[tokio::main]
async fn main() -> ExitCode {
    let settings = Settings::parse();
    // A batch that is refused or a tail that fails would spoil the figures: be told.
    tracing_subscriber::fmt().with_env_filter("warn").with_writer(std::io::stderr).init();
    let measured = tokio::select! {
        measured = measure(&settings) => measured,
        // Leaving this way drops the server, which ends and removes it.
        _ = tokio::signal::ctrl_c() => Err("stopped".into()),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            note(&format!("bench: {fault}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(settings: &Settings) -> Result<(), Fault> {
    let begun = Instant::now();
    let mut report = Report::default();
    report.machine = machine(&settings.data)?;
    if settings.wants(What::Policy) {
        policy::measure(settings, &mut report).await?;
    }
    if settings.database != Database::Sqlite {
        let server = Server::take(settings.url.as_deref(), &settings.data)?;
        report.machine.push(server.describe().await?);
        if settings.wants(What::Append) {
            append::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Commands) {
            commands::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Sealed) {
            sealed::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Replay) {
            replay::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Reads) {
            reads::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Scopes) {
            scopes::on_postgres(&server, settings, &mut report).await?;
        }
        if settings.wants(What::Check) {
            check::on_postgres(&server, settings, &mut report).await?;
        }
    }
    if settings.database != Database::Postgres {
        let files = tempfile::Builder::new().prefix("zhixing-bench.").tempdir_in(&settings.data)?;
        if settings.wants(What::Append) {
            append::on_sqlite(files.path(), settings, &mut report).await?;
        }
        if settings.wants(What::Commands) {
            commands::on_sqlite(files.path(), settings, &mut report).await?;
        }
        if settings.wants(What::Sealed) {
            sealed::on_sqlite(files.path(), settings, &mut report).await?;
        }
        if settings.wants(What::Replay) {
            replay::on_sqlite(files.path(), settings, &mut report).await?;
        }
        if settings.wants(What::Scopes) {
            scopes::on_sqlite(files.path(), settings, &mut report).await?;
        }
    }
    report.finish();
    if let Some(file) = &settings.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    let rounds = settings.rounds();
    say(&format!("\n{rounds} round(s) of {:?} in {:.0} s", settings.length(), begun.elapsed().as_secs_f64()));
    Ok(())
}

/// What it runs on: processors, and how long the disk takes to make a small write safe.
fn machine(data: &Path) -> Result<Vec<String>, Fault> {
    use std::io::Write as _;
    let processors = std::thread::available_parallelism()?;
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, name)| name.trim()).to_owned();
    let mut file = tempfile::tempfile_in(data)?;
    let mut micros = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        file.write_all(&[0; 8_192])?;
        file.sync_data()?;
        micros.push(begun.elapsed().as_micros());
    }
    micros.sort_unstable();
    let disk = format!("disk: 8 KiB written and made safe in {} µs (median of 200)", micros[100]);
    Ok(vec![format!("{processors} processors: {model}"), disk])
}
