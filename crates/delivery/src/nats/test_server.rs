//! Servers for one test: real ones, on free ports, with directories that go away.
use std::{
    fmt::Write as _,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// One server, which can be killed and started again with the data it had.
pub(super) struct Server {
    name: String,
    port: u16,
    config: PathBuf,
    running: Option<Child>,
}

/// Servers that know each other.
pub(super) struct Servers {
    pub(super) nodes: Vec<Server>,
    _directory: TempDir,
}

fn program() -> PathBuf {
    let named = std::env::var_os("NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = std::env::split_paths(&path).map(|directory| directory.join("nats-server"));
    let elsewhere = ["/usr/sbin/nats-server", "/usr/local/sbin/nats-server"].map(PathBuf::from);
    let mut all = named.into_iter().chain(usual).chain(elsewhere);
    all.find(|file| file.is_file())
        .expect("there is no nats-server: run ./test, or apt-get install nats-server")
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Server {
    pub(super) fn start(&mut self) {
        let quiet = || Stdio::null();
        let mut command = Command::new(program());
        let command = command.arg("-c").arg(&self.config).stdin(quiet()).stdout(quiet()).stderr(quiet());
        self.running = Some(command.spawn().unwrap());
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(Instant::now() < end, "{} does not start", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills it as `kill -9` does.
    pub(super) fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Servers {
    /// One server with these lines in its settings.
    pub(super) fn one(lines: &str) -> Self {
        Self::start(1, lines)
    }

    /// So many servers of one cluster.
    pub(super) fn start(count: usize, lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let routes: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let all: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let node = |route: &u16| {
            let (port, name) = (free_port(), format!("node-{route}"));
            let data = directory.path().join(&name);
            let mut text = format!(
                "server_name: {name}\nlisten: 127.0.0.1:{port}\njetstream {{ store_dir: {data:?} }}\n{lines}\n"
            );
            if count > 1 {
                let routes = all.join(", ");
                writeln!(text, "cluster {{ name: test, listen: 127.0.0.1:{route}, routes: [{routes}] }}")
                    .unwrap();
            }
            let config = directory.path().join(format!("{name}.conf"));
            std::fs::write(&config, text).unwrap();
            let mut server = Server { name, port, config, running: None };
            server.start();
            server
        };
        let nodes = routes.iter().map(node).collect();
        Self { nodes, _directory: directory }
    }

    pub(super) fn url(&self) -> String {
        let urls: Vec<String> =
            self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.port)).collect();
        urls.join(",")
    }

    pub(super) fn node(&mut self, name: &str) -> &mut Server {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }
}
