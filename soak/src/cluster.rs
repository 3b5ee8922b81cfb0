//! A throw-away PostgreSQL with durable settings, whose server process can be killed.
use std::{
    fs::{self, File},
    io::Write,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::{Failure, Outcome};

/// How long a server may take to answer, recovery from a crash included.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server of our own.
pub(crate) struct Cluster {
    directory: TempDir,
    bin: PathBuf,
    port: u16,
    server: Child,
    /// Whom the server runs as when we are root: it refuses to be root itself.
    owner: Option<(u32, u32)>,
}

impl Cluster {
    /// Sets up and starts a server. `max_connections` is how many clients it lets in.
    pub(crate) async fn start(max_connections: u16) -> Outcome<Self> {
        Self::start_in(None, max_connections).await
    }

    /// The same, with its files below `place` instead of `/tmp`.
    pub(crate) async fn start_in(place: Option<&Path>, max_connections: u16) -> Outcome<Self> {
        let bin = programs()?;
        let owner = owner()?;
        let directory = tempfile::Builder::new()
            .prefix("zhixing-soak.")
            .tempdir_in(place.unwrap_or(Path::new("/tmp")))?;
        give(directory.path(), owner)?;
        let data = directory.path().join("data");
        let mut initdb = as_owner(&bin.join("initdb"), owner);
        let initdb = initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        let made = initdb.args(["--locale=C", "--no-sync"]).output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let port = free_port()?;
        // fsync, synchronous_commit and full_page_writes stay on: what is acknowledged must survive.
        let mut settings = File::options().append(true).open(data.join("postgresql.conf"))?;
        writeln!(settings, "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''")?;
        writeln!(settings, "max_connections = {max_connections}")?;
        let server = serve(&bin, directory.path(), owner)?;
        let mut cluster = Self { directory, bin, port, server, owner };
        cluster.answers().await?;
        Ok(cluster)
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whom files of the server must belong to.
    pub(crate) fn owner(&self) -> Option<(u32, u32)> {
        self.owner
    }

    /// `kill -9` of the server; its children notice and go.
    pub(crate) fn kill(&mut self) -> Outcome {
        self.server.kill()?;
        self.server.wait()?;
        Ok(())
    }

    /// Starts the server again, which recovers what was acknowledged.
    pub(crate) async fn restart(&mut self) -> Outcome {
        self.server = serve(&self.bin, self.directory.path(), self.owner)?;
        self.answers().await
    }

    async fn answers(&mut self) -> Outcome {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Ok(connection) = PgConnection::connect(&self.url("postgres")).await {
                connection.close().await?;
                return Ok(());
            }
            if Instant::now() > until {
                let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
                return Err(format!("PostgreSQL does not start: {log}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            // While children of a killed server are still there, a new one refuses to start.
            if self.server.try_wait()?.is_some() {
                self.server = serve(&self.bin, self.directory.path(), self.owner)?;
            }
        }
    }

    /// Runs a statement as the superuser.
    pub(crate) async fn run(&self, sql: &str) -> Outcome {
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
        connection.close().await?;
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing of it is needed any more.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(bin: &Path, directory: &Path, owner: Option<(u32, u32)>) -> Outcome<Child> {
    let log = File::options().create(true).append(true).open(directory.join("log"))?;
    let mut server = as_owner(&bin.join("postgres"), owner);
    server.arg("-D").arg(directory.join("data")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    // A signal to this program is not one to the server, which is stopped at the end.
    Ok(server.process_group(0).spawn()?)
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

/// Gives a directory to the user whom the server runs as.
pub(crate) fn give(directory: &Path, owner: Option<(u32, u32)>) -> Outcome {
    if let Some((user, group)) = owner {
        chown(directory, Some(user), Some(group))?;
    }
    Ok(())
}

/// Whether this program may do everything.
pub(crate) fn is_root() -> Outcome<bool> {
    Ok(id(&["-u"])? == 0)
}

fn owner() -> Outcome<Option<(u32, u32)>> {
    if !is_root()? {
        return Ok(None);
    }
    let user = if id(&["-u", "postgres"]).is_ok() { "postgres" } else { "nobody" };
    Ok(Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn id(arguments: &[&str]) -> Outcome<u32> {
    let output = Command::new("id").args(arguments).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The newest server programs on this machine.
fn programs() -> Outcome<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let bin = entry.path().join("bin");
        if let Ok(version) = entry.file_name().to_string_lossy().parse()
            && bin.join("postgres").is_file()
        {
            found.push((version, bin));
        }
    }
    if let Some((_, bin)) = found.into_iter().max() {
        return Ok(bin);
    }
    let told = Command::new("pg_config").arg("--bindir").output();
    let bin = told.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    bin.map(|bin| PathBuf::from(bin.trim())).filter(|bin| bin.join("postgres").is_file()).ok_or_else(|| {
        Failure::from("there are no PostgreSQL server programs here: install them or give --database")
    })
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
