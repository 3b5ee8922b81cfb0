//! A throw-away PostgreSQL of its own, durable as in production, gone when the program ends in whatever way.
use std::{
    fs,
    io::Write as _,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::load::Fault;

/// What a server of the same size would be run with; everything that makes it durable stays on.
const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 300
shared_buffers = 512MB
max_wal_size = 4GB
checkpoint_timeout = 15min
fsync = on
synchronous_commit = on
full_page_writes = on
";

/// The oldest release taken.
const OLDEST: u32 = 14;

/// A running PostgreSQL.
#[derive(Debug)]
pub struct Server {
    address: String,
    bin: PathBuf,
    /// Stops the server and removes its files as soon as its standard input is closed.
    keeper: Option<Child>,
}

impl Server {
    /// Takes the server at `url`, or starts one with its files in a new directory under `data`.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it does not start.
    pub fn take(url: Option<&str>, data: &Path) -> Result<Self, Fault> {
        let bin = find()?;
        match url {
            Some(url) => {
                let address = url.rsplit_once('/').map_or(url, |(address, _)| address).to_owned();
                Ok(Self { address, bin, keeper: None })
            }
            None => Self::start(bin, data),
        }
    }

    fn start(bin: PathBuf, data: &Path) -> Result<Self, Fault> {
        let directory = tempfile::Builder::new().prefix("zhixing-bench.").tempdir_in(data)?.keep();
        let owner = owner()?;
        if let Some((user, group)) = owner {
            chown(&directory, Some(user), Some(group))?;
        }
        let as_owner = |program: &Path| {
            let mut command = Command::new(program);
            command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // A group of its own: Ctrl-C reaches this program alone, which then ends the server in order.
            command.process_group(0);
            if let Some((user, group)) = owner {
                command.uid(user).gid(group);
            }
            command
        };
        let keeper = as_owner(Path::new("/bin/sh"))
            .args(["-c", "read -r _; \"$0\" -D \"$1/data\" -m immediate -w -s stop; rm -rf \"$1\""])
            .args([bin.join("pg_ctl"), directory.clone()])
            .stdin(Stdio::piped())
            .spawn()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let server =
            Self { address: format!("postgres://postgres@127.0.0.1:{port}"), bin, keeper: Some(keeper) };
        let files = directory.join("data");
        let made = as_owner(&server.bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"])
            .arg(&files)
            .status()?;
        if !made.success() {
            return Err("initdb failed".into());
        }
        let mut settings = fs::OpenOptions::new().append(true).open(files.join("postgresql.conf"))?;
        write!(settings, "{SETTINGS}port = {port}\nunix_socket_directories = '{}'\n", directory.display())?;
        let log = directory.join("log");
        let started = as_owner(&server.bin.join("pg_ctl"))
            .args(["-w", "-s", "-t", "30", "-D"])
            .arg(&files)
            .arg("-l")
            .arg(&log)
            .arg("start")
            .status()?;
        if !started.success() {
            return Err(format!("PostgreSQL did not start: {}", fs::read_to_string(log)?).into());
        }
        let number = fs::read_to_string(files.join("postmaster.pid"))?;
        crate::cpu::watch(number.lines().next().unwrap_or_default().parse()?);
        Ok(server)
    }

    /// Where it listens, without a database.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A program of the server's release, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Makes an empty database and returns its address.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn database(&self, name: &str) -> Result<String, Fault> {
        let mut server = PgConnection::connect(&format!("{}/postgres", self.address)).await?;
        let name = format!("zhixing_bench_{name}");
        for statement in
            [format!("drop database if exists {name} with (force)"), format!("create database {name}")]
        {
            sqlx::query(AssertSqlSafe(statement)).execute(&mut server).await?;
        }
        Ok(format!("{}/{name}", self.address))
    }

    /// Its version and what decides how durable and how fast it is.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn describe(&self) -> Result<String, Fault> {
        let mut server = PgConnection::connect(&format!("{}/postgres", self.address)).await?;
        let mut words = Vec::new();
        let names = [
            "server_version",
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "shared_buffers",
            "max_wal_size",
        ];
        for name in names {
            let value: String =
                sqlx::query_scalar("select current_setting($1)").bind(name).fetch_one(&mut server).await?;
            words.push(format!("{name} {value}"));
        }
        Ok(format!("PostgreSQL: {}", words.join(", ")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }
}

/// The directory of the server's programs.
fn find() -> Result<PathBuf, Fault> {
    let mut directories: Vec<PathBuf> = Vec::new();
    if let Ok(said) = Command::new("pg_config").arg("--bindir").output() {
        directories.push(String::from_utf8_lossy(&said.stdout).trim().into());
    }
    for parent in ["/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"] {
        let inside = fs::read_dir(parent).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = inside.map(|entry| entry.path().join("bin")).collect();
        found.sort();
        directories.extend(found.into_iter().rev());
    }
    directories.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let whole = |directory: &PathBuf| {
        ["initdb", "pg_ctl", "postgres", "pgbench"].iter().all(|program| directory.join(program).is_file())
            && release(directory).is_some_and(|release| release >= OLDEST)
    };
    directories.into_iter().find(whole).ok_or_else(|| {
        format!("there is no PostgreSQL {OLDEST} or newer with pgbench (Debian: apt-get install postgresql)")
            .into()
    })
}

fn release(directory: &Path) -> Option<u32> {
    let said = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    text.split_whitespace().nth(2)?.split('.').next()?.parse().ok()
}

/// PostgreSQL refuses to run as root: then another user runs it.
fn owner() -> Result<Option<(u32, u32)>, Fault> {
    let id = |arguments: &[&str]| -> Option<u32> {
        let said = Command::new("id").args(arguments).output().ok().filter(|said| said.status.success())?;
        String::from_utf8_lossy(&said.stdout).trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return Ok(None);
    }
    let of = |name: &str| Some((id(&["-u", name])?, id(&["-g", name])?));
    let found = of("postgres").or_else(|| of("nobody"));
    found.map(Some).ok_or_else(|| "there is no user `postgres` or `nobody` to run PostgreSQL".into())
}
