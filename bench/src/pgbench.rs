//! The server's own load program, as the measure of what a database gives.
use std::{path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    load::{Fault, Sample},
    server::Server,
};

/// A script and where it is run.
#[derive(Debug)]
pub struct Pgbench {
    program: PathBuf,
    url: String,
    files: TempDir,
    variables: Vec<String>,
}

impl Pgbench {
    /// Prepares a script; `variables` are `name=value`.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn new(server: &Server, url: &str, script: &str, variables: &[String]) -> Result<Self, Fault> {
        let files = tempfile::tempdir()?;
        std::fs::write(files.path().join("script.sql"), script)?;
        Ok(Self { program: server.program("pgbench"), url: url.into(), files, variables: variables.to_vec() })
    }

    /// Runs it; a fifth of the transactions are timed one by one.
    ///
    /// # Errors
    /// When `pgbench` fails or a transaction does.
    pub async fn run(&self, clients: usize, length: Duration) -> Result<Sample, Fault> {
        let log = self.files.path().join("timed");
        let mut command = Command::new(&self.program);
        command.args(["--no-vacuum", "--protocol=prepared", "--log", "--sampling-rate=0.2"]);
        command.arg(format!("--log-prefix={}", log.display()));
        command.args(["--client", &clients.to_string(), "--jobs", &clients.min(2).to_string()]);
        // It knows whole seconds only.
        command.args(["--time", &length.as_secs().max(1).to_string(), "--file"]);
        command.arg(self.files.path().join("script.sql"));
        for variable in &self.variables {
            command.args(["--define", variable]);
        }
        command.arg(&self.url).current_dir(self.files.path()).stdin(Stdio::null()).kill_on_drop(true);
        let said = command.output().await?;
        let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        let rate =
            out.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let Some(rate) = rate.filter(|_| said.status.success() && !err.contains("aborted")) else {
            return Err(format!("pgbench failed: {err}").into());
        };
        let mut micros = Vec::new();
        for entry in std::fs::read_dir(self.files.path())?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("timed.") {
                let text = std::fs::read_to_string(entry.path())?;
                micros.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok()));
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(Sample { per_second: rate, ..Sample::of(0, length, micros) })
    }
}
