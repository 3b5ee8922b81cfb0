//! `soak faults`: lost connections, exhausted pools, full disks: clear errors, and recovery without a restart.
use std::{
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::{
    Outcome,
    check::check,
    cluster::{Cluster, give, is_root},
    disk::Disk,
    drive::Clients,
    proxy::{Line, Proxy},
    screen::say,
    service::Service,
};

/// How long after a fault has gone the first command may take.
const RECOVERY: Duration = Duration::from_secs(30);
const WRITERS: usize = 8;

/// What `soak faults` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only the faults whose names contain this text
    #[arg(value_name = "NAME", default_value = "")]
    only: String,
}

pub(crate) async fn faults(arguments: &Arguments) -> Outcome {
    let cluster = Cluster::start(60).await?;
    let root = is_root()?;
    let mut failures = Vec::new();
    macro_rules! fault {
        ($what:literal, $fault:expr) => {
            if $what.contains(&arguments.only) {
                match $fault.await {
                    Ok(()) => say(concat!($what, ": passed")),
                    Err(failure) => {
                        say(&format!("{}: FAILED: {failure}", $what));
                        failures.push($what);
                    }
                }
            }
        };
    }
    fault!("connections lost", connections_lost(&cluster));
    fault!("database out of reach", out_of_reach(&cluster));
    fault!("silent line", silent_line(&cluster));
    fault!("no connection left", no_connection_left(&cluster));
    if root {
        fault!("full disk under SQLite", full_disk_under_sqlite());
        fault!("full disk under PostgreSQL", full_disk_under_postgres(&cluster));
    } else {
        say("full disks: NOT RUN: mounting a small disk needs root");
    }
    if failures.is_empty() {
        say("soak faults: PASSED");
        return Ok(());
    }
    Err(failures.join(", ").into())
}

/// A service on a database of its own behind a line, with writers at work.
struct Scene {
    service: Service,
    clients: Clients,
    writers: Vec<tokio::task::JoinHandle<Outcome>>,
    _directory: TempDir,
    /// The database, past the line.
    url: String,
}

impl Scene {
    async fn begin(service_url: &str, url: String, note: usize) -> Outcome<Self> {
        let directory = tempfile::tempdir()?;
        let service = Service::start(service_url, &directory.path().join("service.log")).await?;
        let clients = Clients::new(service.url("graphql"), note)?;
        let writers = clients.start(WRITERS, "w");
        clients.until_done(RECOVERY).await?;
        Ok(Self { service, clients, writers, _directory: directory, url })
    }

    async fn behind(cluster: &Cluster, proxy: &Proxy, database: &str) -> Outcome<Self> {
        cluster.run(&format!("create database {database}")).await?;
        let through = format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port());
        Self::begin(&through, cluster.url(database), 0).await
    }

    /// The fault is gone: the same process must work again, and nothing may be lost.
    async fn recover(mut self, expected: &[&str]) -> Outcome {
        for code in self.clients.codes() {
            if !expected.contains(&code.as_str()) {
                return Err(format!("the code {code} was answered; expected were {expected:?}").into());
            }
        }
        let begun = Instant::now();
        let took = self.clients.until_done(RECOVERY).await;
        let took = took.map_err(|failure| format!("{failure}\n{}", self.service.last_words()))?;
        if !self.service.is_running()? {
            return Err("the service ended".into());
        }
        while !self.service.is_ready().await {
            if begun.elapsed() > RECOVERY {
                return Err("the service does not say that it is ready".into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.clients.finish(std::mem::take(&mut self.writers)).await?;
        say(&format!("  next command after {} ms; {}", took.as_millis(), self.clients.faults()));
        self.clients.repeat_some(100).await?;
        check(&self.url, &self.clients.told(), true).await?;
        Ok(())
    }
}

const FAULT: &str = "DATABASE_UNAVAILABLE";

async fn connections_lost(cluster: &Cluster) -> Outcome {
    let proxy = Proxy::start(cluster.port()).await?;
    let scene = Scene::behind(cluster, &proxy, "lost").await?;
    for _ in 0..8 {
        proxy.cut().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    scene.recover(&[FAULT]).await
}

async fn out_of_reach(cluster: &Cluster) -> Outcome {
    let proxy = Proxy::start(cluster.port()).await?;
    let scene = Scene::behind(cluster, &proxy, "away").await?;
    proxy.set(Line::Cut);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ready = scene.service.is_ready().await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    if ready {
        return Err("the service says that it is ready without its database".into());
    }
    if scene.clients.codes() != [FAULT] {
        return Err(format!("no clear error: {}", scene.clients.faults()).into());
    }
    proxy.set(Line::Good);
    scene.recover(&[FAULT]).await
}

async fn silent_line(cluster: &Cluster) -> Outcome {
    let proxy = Proxy::start(cluster.port()).await?;
    let scene = Scene::behind(cluster, &proxy, "silent").await?;
    proxy.set(Line::Silent);
    // Longer than a request may take, so that clients are answered before the line is good again.
    tokio::time::sleep(Duration::from_secs(33)).await;
    if scene.clients.codes().is_empty() {
        return Err(format!("nobody was told: {}", scene.clients.faults()).into());
    }
    proxy.set(Line::Good);
    scene.recover(&[FAULT, "EXECUTION_TIMEOUT"]).await
}

async fn no_connection_left(cluster: &Cluster) -> Outcome {
    cluster.run("create database crowded").await?;
    let url = cluster.url("crowded");
    let scene = Scene::begin(&url, url.clone(), 0).await?;
    // Strangers take every connection that the server has, and the service loses its own.
    let mut strangers = Vec::new();
    let kick = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'crowded' and application_name = ''";
    let until = Instant::now() + Duration::from_secs(8);
    while Instant::now() < until {
        match PgConnection::connect(&format!("{}?application_name=stranger", cluster.url("postgres"))).await {
            Ok(mut stranger) => {
                sqlx::query(kick).execute(&mut stranger).await?;
                strangers.push(stranger);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    say(&format!("  strangers hold {} connections; {:?}", strangers.len(), scene.clients.codes()));
    for stranger in strangers {
        stranger.close().await?;
    }
    scene.recover(&[FAULT]).await
}

/// Fills a disk with commands until the service says that it cannot, then makes it larger.
async fn fill(scene: Scene, disk: &Disk) -> Outcome {
    let begun = Instant::now();
    while scene.clients.codes().is_empty() {
        if begun.elapsed() > Duration::from_secs(90) {
            return Err("the disk does not fill up".into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    say(&format!("  full after {} commands", scene.clients.done()));
    tokio::time::sleep(Duration::from_secs(3)).await;
    disk.grow(300)?;
    scene.recover(&[FAULT]).await
}

/// A remark of this length makes an event of about 9 KB.
const NOTE: usize = 3_000;

async fn full_disk_under_sqlite() -> Outcome {
    let disk = Disk::new(12)?;
    let url = format!("sqlite:{}", disk.path().join("log.db").display());
    let scene = Scene::begin(&url, url.clone(), NOTE).await?;
    fill(scene, &disk).await
}

async fn full_disk_under_postgres(cluster: &Cluster) -> Outcome {
    let disk = Disk::new(14)?;
    give(disk.path(), cluster.owner())?;
    tablespace(cluster, disk.path()).await?;
    let url = cluster.url("small");
    let filled = match Scene::begin(&url, url.clone(), NOTE).await {
        Ok(scene) => fill(scene, &disk).await,
        Err(failure) => Err(failure),
    };
    // The server must not look for the disk once it is gone.
    cluster.run("drop database small with (force)").await?;
    cluster.run("drop tablespace small").await?;
    filled
}

async fn tablespace(cluster: &Cluster, path: &Path) -> Outcome {
    cluster.run(&format!("create tablespace small location '{}'", path.display())).await?;
    cluster.run("create database small tablespace small").await
}
