//! The peer: cqrs-es with postgres-es, in a program of its own.
use std::{path::PathBuf, process::Stdio, time::Duration};

use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use crate::{
    case::Case,
    load::{Fault, Sample},
    report::note,
    sample,
    server::Server,
};

/// What the peer expects to find.
const TABLE: &str = "create table events (aggregate_type text not null, aggregate_id text not null, \
     sequence bigint not null check (sequence >= 0), event_type text not null, event_version text not null, \
     payload json not null, metadata json not null, primary key (aggregate_type, aggregate_id, sequence))";

/// Sizes of its pool that are tried before it is measured with the best.
const CONNECTIONS: [u32; 4] = [4, 8, 20, 64];
/// Callers and length of such a trial.
const TRIAL: (usize, Duration) = (64, Duration::from_secs(1));

/// The peer's program, ready to run.
#[derive(Clone, Debug)]
pub struct Peer {
    program: PathBuf,
    url: String,
    connections: u32,
}

impl Peer {
    /// Builds the program, once, makes its table and finds the best size of its pool.
    ///
    /// # Errors
    /// When it cannot be built or the table cannot be made.
    pub async fn prepare(server: &Server) -> Result<Self, Fault> {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peer");
        let target = std::env::current_exe()?.ancestors().nth(2).ok_or("no target directory")?.join("peer");
        note("building the peer (cqrs-es with postgres-es); the first time takes a few minutes");
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--release", "--locked", "--quiet", "--manifest-path"])
            .arg(here.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .stdin(Stdio::null())
            .status()
            .await?;
        if !built.success() {
            return Err("the peer cannot be built; leave it out with --no-peer".into());
        }
        let url = server.database("peer").await?;
        sqlx::query(TABLE).execute(&mut PgConnection::connect(&url).await?).await?;
        let mut peer = Self { program: target.join("release/peer"), url, connections: 0 };
        let mut best = (0.0, 0);
        for connections in CONNECTIONS {
            peer.connections = connections;
            let rate = peer.run(TRIAL.0, TRIAL.1, "new").await?.per_second;
            note(&format!("peer: {rate:.0}/s with a pool of {connections}"));
            best = if rate > best.0 { (rate, connections) } else { best };
        }
        peer.connections = best.1;
        Ok(peer)
    }

    /// Commands on new streams and on short existing ones.
    pub fn cases(&self, callers: &[usize], length: Duration) -> Vec<Case> {
        let kinds =
            [("peer: command on a new stream", "new"), ("peer: command on an existing stream", "existing")];
        let case = |(what, kind): (&str, &'static str), callers: usize| {
            let peer = self.clone();
            Case::new(what, callers, move || {
                let peer = peer.clone();
                Box::pin(async move { peer.run(callers, length, kind).await })
            })
        };
        kinds.iter().flat_map(|kind| callers.iter().map(|callers| case(*kind, *callers))).collect()
    }

    async fn run(&self, callers: usize, length: Duration, kind: &str) -> Result<Sample, Fault> {
        let mut command = Command::new(&self.program);
        command
            .arg(&self.url)
            .arg(self.connections.to_string())
            .arg(callers.to_string())
            .arg(length.as_millis().to_string())
            .args([kind, sample::NOTE]);
        let said = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        if !said.status.success() {
            return Err(format!("the peer failed: {}", String::from_utf8_lossy(&said.stderr)).into());
        }
        Ok(serde_json::from_slice(&said.stdout)?)
    }
}
