//! The real service as a process that can be killed.
use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{Outcome, cluster::free_port, minutes::resident};

/// How long the service may take to be ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// `zhixing serve`.
pub(crate) struct Service {
    process: Child,
    binary: PathBuf,
    database: String,
    log: PathBuf,
    address: SocketAddr,
    /// Settings as environment variables.
    settings: Vec<(String, String)>,
}

impl Service {
    /// Starts the service on this database and waits until it is ready. Its log goes to `log`.
    pub(crate) async fn start(database: &str, log: &Path) -> Outcome<Self> {
        // All load comes from one machine: what one client may ask for is not what is tried here.
        let unlimited = ["OPERATIONS", "SUBSCRIPTIONS", "SOCKETS", "COST_PER_SECOND"];
        let unlimited = unlimited.map(|limit| (format!("ZHIXING_LIMITS__CLIENT_{limit}"), "0".to_owned()));
        let many = ("ZHIXING_LIMITS__ADDRESS_CONNECTIONS".to_owned(), "10000".to_owned());
        Self::start_with(database, log, unlimited.into_iter().chain([many]).collect()).await
    }

    /// The same with settings as environment variables.
    pub(crate) async fn start_with(
        database: &str,
        log: &Path,
        settings: Vec<(String, String)>,
    ) -> Outcome<Self> {
        let binary = std::env::current_exe()?.with_file_name("zhixing");
        if !binary.is_file() {
            return Err("there is no zhixing binary beside this one: cargo build -p zhixing-api".into());
        }
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let process = spawn(&binary, database, log, address, &settings)?;
        let mut service =
            Self { process, binary, database: database.into(), log: log.into(), address, settings };
        service.answers().await?;
        Ok(service)
    }

    /// Where it answers.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its resident memory in MiB; 0 where the system does not tell.
    pub(crate) fn memory(&self) -> u64 {
        resident(&self.process.id().to_string())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Starts it again at the same address.
    pub(crate) async fn restart(&mut self) -> Outcome {
        self.process = spawn(&self.binary, &self.database, &self.log, self.address, &self.settings)?;
        self.answers().await
    }

    /// Whether it is still the process that was started.
    pub(crate) fn is_running(&mut self) -> Outcome<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(8).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    async fn answers(&mut self) -> Outcome {
        let until = Instant::now() + PATIENCE;
        loop {
            if self.is_ready().await {
                return Ok(());
            }
            if !self.is_running()? || Instant::now() > until {
                return Err(format!("the service does not become ready: {}", self.last_words()).into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether it says so.
    pub(crate) async fn is_ready(&self) -> bool {
        let asked =
            reqwest::Client::new().get(self.url("readyz")).timeout(Duration::from_secs(15)).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(
    binary: &Path,
    database: &str,
    log: &Path,
    address: SocketAddr,
    settings: &[(String, String)],
) -> Outcome<Child> {
    let log = File::options().create(true).append(true).open(log)?;
    let mut service = Command::new(binary);
    service.args(["serve", "--samples", "false", "--database", database, "--listen", &address.to_string()]);
    service.envs(settings.iter().map(|(name, value)| (name, value)));
    Ok(service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?)
}
