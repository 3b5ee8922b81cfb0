//! A small disk that can fill up.
use std::{path::Path, process::Command};

use tempfile::TempDir;

use crate::Outcome;

/// A file system of its own in memory, so small that it fills up. Needs root.
pub(crate) struct Disk {
    directory: TempDir,
}

impl Disk {
    pub(crate) fn new(megabytes: u32) -> Outcome<Self> {
        let directory = tempfile::Builder::new().prefix("zhixing-soak.").tempdir_in("/tmp")?;
        run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(directory.path()))?;
        Ok(Self { directory })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes it larger.
    pub(crate) fn grow(&self, megabytes: u32) -> Outcome {
        run(Command::new("mount").args(["-o", &format!("remount,size={megabytes}m")]).arg(self.path()))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that was killed may take a moment to close its files.
        let _ = run(Command::new("umount").arg("-l").arg(self.path()));
    }
}

fn run(command: &mut Command) -> Outcome {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}
