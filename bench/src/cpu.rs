//! Where the time of the processors goes: a measure that a busy machine does not change. Known on Linux only.
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Ticks in a second, as Linux has always told them to programs.
const TICKS: f64 = 100.0;

/// The server that is watched; another one on the machine is none of our business. 0 while there is none of our own.
static SERVER: AtomicU32 = AtomicU32::new(0);

/// Watches the server with this process id.
pub fn watch(server: u32) {
    SERVER.store(server, Relaxed);
}

/// Processor time that was used so far, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// By this program and the programs it has run and waited for, such as `pgbench`.
    pub here: f64,
    /// By the server that is watched.
    pub postgres: f64,
}

impl Used {
    /// Reads the clocks; `None` where they cannot be read.
    pub fn now() -> Option<Self> {
        // User and system time, with those of children that ended.
        let here = ticks(&fs::read_to_string("/proc/self/stat").ok()?, 4)?;
        let server = SERVER.load(Relaxed);
        let mut postgres = 0;
        for process in fs::read_dir("/proc").ok()?.flatten() {
            // With the times of the sessions that ended: the server waited for them.
            postgres += ticks_of(&process.path(), server).unwrap_or(0);
        }
        #[expect(clippy::cast_precision_loss, reason = "ticks of a benchmark are far below 2^52")]
        Some(Self { here: here as f64 / TICKS, postgres: postgres as f64 / TICKS })
    }
}

/// The ticks of the server or of one of its children.
fn ticks_of(process: &Path, server: u32) -> Option<u64> {
    let number: u32 = process.file_name()?.to_str()?.parse().ok()?;
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let parent: u32 = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    (server != 0 && (number == server || parent == server)).then(|| ticks(&stat, 4))?
}

/// The sum of the first `fields` times of a `stat` line; they stand 12 fields behind the name.
fn ticks(stat: &str, fields: usize) -> Option<u64> {
    let (_, behind) = stat.rsplit_once(')')?;
    let times =
        behind.split_whitespace().skip(11).take(fields).map(|field| field.parse::<u64>().unwrap_or(0));
    Some(times.sum())
}
