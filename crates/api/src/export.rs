//! The log as a file: one CloudEvent a line, up to a position fixed at the start, to be continued where it ended.
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use zhixing_delivery::cloud_event::{BEGINNING, CloudEvent};
use zhixing_event_store::{Error, Pool};

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct Export {
    /// Only events behind this position.
    pub after: i64,
    /// Only events up to this position; the end of the log at the start, when left out.
    pub to: Option<i64>,
    /// The `source` of every event.
    pub source: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// How many events were written now.
    pub events: i64,
    /// The last position in the output.
    pub position: i64,
    /// How many bytes of a torn last line were cut off.
    pub torn: u64,
}

/// Why nothing was exported, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log failed or cannot be read.
    #[error(transparent)]
    Store(#[from] Error),
    /// The output failed.
    #[error("{output} cannot be written: {reason}")]
    Output {
        /// The file, or standard output.
        output: String,
        /// Why not.
        reason: io::Error,
    },
    /// The end lies behind the end of the log.
    #[error("--to {to} lies behind the end of the log ({head})")]
    NotYet {
        /// What was asked.
        to: i64,
        /// Where the log ends.
        head: i64,
    },
    /// The file holds something else.
    #[error("{path} is no export that can be continued ({reason}): nothing was changed")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Somebody is writing to the file.
    #[error("{0} is being written by another export")]
    InUse(PathBuf),
}

/// Events read at once.
const PAGE: u32 = 500;
/// Longest line that is looked at when an export is continued.
const LINE: u64 = 64 * 1024 * 1024;
/// Bytes read at once when the last line is looked for.
const BLOCK: u64 = 64 * 1024;

impl Export {
    /// Writes to `out`, beginning behind `from`. `progress` hears the position and the end.
    ///
    /// # Errors
    /// When the log or the output fails.
    pub async fn write(
        &self,
        pool: &Pool,
        from: i64,
        out: &mut (impl Write + ?Sized),
        mut progress: impl FnMut(i64, i64),
    ) -> Result<Exported, ExportError> {
        // Fixed now: what is appended meanwhile is left for the next time.
        let head = pool.head().await?;
        let to = self.to.unwrap_or(head);
        if to > head {
            return Err(ExportError::NotYet { to, head });
        }
        let mut exported = Exported { events: 0, position: from, torn: 0 };
        let failed = |reason| ExportError::Output { output: "the output".into(), reason };
        while exported.position < to {
            let page = pool.read_each(exported.position, PAGE).await?;
            let missing = Error::Broken { position: exported.position + 1, reason: "the event is missing" };
            if page.is_empty() {
                return Err(missing.into());
            }
            for event in page {
                if exported.position >= to {
                    break;
                }
                let event = event?;
                if event.position != exported.position + 1 {
                    let position = exported.position + 1;
                    return Err(Error::Broken { position, reason: "the event is missing" }.into());
                }
                // One write a line: what is torn by a crash is at most the last.
                let mut line =
                    serde_json::to_vec(&CloudEvent::of(&event, &self.source)?).map_err(Error::from)?;
                line.push(b'\n');
                out.write_all(&line).map_err(failed)?;
                exported.events += 1;
                exported.position = event.position;
            }
            progress(exported.position, to);
        }
        out.flush().map_err(failed)?;
        Ok(exported)
    }

    /// Writes to a file: a new one, or one that an earlier export of the same events began.
    ///
    /// # Errors
    /// When the file holds something else, or the log or the file fails. What the file held before is kept.
    pub async fn write_file(
        &self,
        pool: &Pool,
        path: &Path,
        progress: impl FnMut(i64, i64),
    ) -> Result<Exported, ExportError> {
        let failed = |reason| ExportError::Output { output: path.display().to_string(), reason };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ExportError::InUse(path.to_owned())),
            Err(TryLockError::Error(reason)) if reason.kind() != io::ErrorKind::Unsupported => {
                return Err(failed(reason));
            }
            _ => {}
        }
        let held = self.held(&mut file, path)?;
        let length = file.metadata().map_err(failed)?.len();
        file.set_len(held.end).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        let mut out = BufWriter::new(&file);
        let exported = self.write(pool, held.position, &mut out, progress).await?;
        drop(out);
        file.sync_all().map_err(failed)?;
        Ok(Exported { torn: length - held.end, ..exported })
    }

    /// What the file holds already; nothing is changed.
    fn held(&self, file: &mut File, path: &Path) -> Result<Held, ExportError> {
        let failed = |reason| ExportError::Output { output: path.display().to_string(), reason };
        let foreign = |reason: String| ExportError::Foreign { path: path.to_owned(), reason };
        let end = end_of_lines(file).map_err(failed)?;
        if end == 0 {
            let mut torn = Vec::new();
            file.rewind().and_then(|()| file.take(LINE).read_to_end(&mut torn)).map_err(failed)?;
            let common = torn.len().min(BEGINNING.len());
            if torn[..common] != BEGINNING.as_bytes()[..common] {
                return Err(foreign("it holds something else".into()));
            }
            return Ok(Held { position: self.after, end });
        }
        let first = line_at(file, 0).map_err(failed)?.position(&self.source).map_err(foreign)?;
        let foreign = |reason: String| ExportError::Foreign { path: path.to_owned(), reason };
        if first != self.after + 1 {
            return Err(foreign(format!(
                "it begins at position {first}, this export at {}: repeat its --after",
                self.after + 1
            )));
        }
        let start = start_of_last_line(file, end).map_err(failed)?;
        let position = line_at(file, start).map_err(failed)?.position(&self.source).map_err(foreign)?;
        Ok(Held { position, end })
    }
}

/// The whole lines of a file.
struct Held {
    /// Position of the last event.
    position: i64,
    /// Where the last whole line ends.
    end: u64,
}

/// Where the last line that is whole ends; 0 when there is none.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    Ok(newline_before(file, length)?.map_or(0, |at| at + 1))
}

fn start_of_last_line(file: &mut File, end: u64) -> io::Result<u64> {
    Ok(newline_before(file, end - 1)?.map_or(0, |at| at + 1))
}

/// The last line break before `end`, looked for backwards in blocks.
fn newline_before(file: &mut File, mut end: u64) -> io::Result<Option<u64>> {
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + at as u64));
        }
        end = start;
    }
    Ok(None)
}

/// A line of an export, as far as it must be known to go on.
#[derive(Deserialize)]
struct Line {
    sequence: String,
    source: String,
}

/// What a line was found to be.
struct Found(serde_json::Result<Line>);

impl Found {
    fn position(self, source: &str) -> Result<i64, String> {
        let line = self.0.map_err(|_| "a line of it is no event".to_owned())?;
        if line.source != source {
            return Err(format!("its source is {}, not {source}", line.source));
        }
        line.sequence.parse().map_err(|_| "a line of it has no position".to_owned())
    }
}

fn line_at(file: &mut File, start: u64) -> io::Result<Found> {
    file.seek(SeekFrom::Start(start))?;
    let mut line = Vec::new();
    io::BufRead::read_until(&mut BufReader::new(file.take(LINE)), b'\n', &mut line)?;
    Ok(Found(serde_json::from_slice(&line)))
}
