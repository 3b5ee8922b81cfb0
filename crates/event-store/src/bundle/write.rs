//! Making a bundle: only of events whose hashes follow from each other, and whole before it gets its name.
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::{BundleError, Fault, Format, Header, LINE, MOST_EVENTS, Seal, sealed};
use crate::{
    Error, Pool,
    backup::{Unfinished, beside, settle},
    signing::SigningKey,
    verify::{ALTERED, MISSING},
};

/// Events read at once.
const PAGE: u32 = 1_000;

/// What a bundle is to hold.
#[derive(Clone, Debug)]
pub struct Making {
    /// Only events behind this position.
    pub after: i64,
    /// Only events up to this position; the end of the log at the start, when left out.
    pub to: Option<i64>,
    /// What the log calls itself.
    pub source: String,
    /// The present time.
    pub at: DateTime<Utc>,
}

impl Pool {
    /// Writes a part of the log into the new file `to`, signed; packed when its name ends with `.gz`. `progress` hears
    /// the position and the end.
    ///
    /// # Errors
    /// When the file exists or cannot be written, the log does not reach so far, or an event is not the one that was
    /// written: nothing altered is ever signed.
    pub async fn bundle(
        &self,
        making: &Making,
        key: &SigningKey,
        to: &Path,
        progress: impl FnMut(i64, i64),
    ) -> Result<Header, Error> {
        let header = self.announced(making, key).await?;
        let failed = |error: io::Error| {
            let fault = match error.kind() {
                io::ErrorKind::AlreadyExists => Fault::Exists,
                _ => Fault::File(error),
            };
            Error::from(BundleError::File { file: to.to_owned(), fault })
        };
        // The empty file holds the name; the bundle is made beside it.
        File::create_new(to).map_err(failed)?;
        let mut unfinished = Unfinished(vec![to.to_owned()]);
        let partial: PathBuf = beside(to, ".partial");
        let file = File::create_new(&partial).map_err(failed)?;
        unfinished.0.push(partial.clone());
        let out = BufWriter::new(file);
        let out = if to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz")) {
            let mut packed = GzEncoder::new(out, Compression::default());
            self.write_bundle(&header, key, &mut packed, to, progress).await?;
            packed.finish().map_err(failed)?
        } else {
            let mut out = out;
            self.write_bundle(&header, key, &mut out, to, progress).await?;
            out
        };
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&partial, to).map_err(failed)?;
        unfinished.0.clear();
        settle(to)?;
        Ok(header)
    }

    /// The first line: everything that is known before the events are read.
    async fn announced(&self, making: &Making, key: &SigningKey) -> Result<Header, Error> {
        let Making { after, to, source, at } = making;
        let head = self.head().await?;
        let (after, last) = (*after, to.unwrap_or(head));
        if let Some(position) = [after, last].into_iter().find(|position| *position > head) {
            return Err(BundleError::NotYet { position, head }.into());
        }
        if last < after {
            return Err(BundleError::Backwards { after, to: last }.into());
        }
        let count = last - after;
        if count > MOST_EVENTS {
            return Err(BundleError::TooManyEvents { count }.into());
        }
        Ok(Header {
            format: Format::V1,
            source: source.clone(),
            first: after + 1,
            last,
            count,
            before: self.hash_at(after).await?,
            hash: self.hash_at(last).await?,
            made_at: *at,
            key: key.public().to_string(),
        })
    }

    async fn write_bundle(
        &self,
        header: &Header,
        key: &SigningKey,
        out: &mut (dyn Write + Send),
        to: &Path,
        mut progress: impl FnMut(i64, i64),
    ) -> Result<(), Error> {
        let failed = |fault: Fault| BundleError::File { file: to.to_owned(), fault };
        let mut hasher = Sha256::new();
        let mut write = |value: Vec<u8>| {
            let mut line = value;
            line.push(b'\n');
            if line.len() as u64 > LINE {
                return Err(failed(Fault::TooLarge("64 MiB a line")));
            }
            hasher.update(&line);
            out.write_all(&line).map_err(|error| failed(error.into()))
        };
        write(serde_json::to_vec(header)?)?;
        let mut chain = header.beginning();
        while chain.at < header.last {
            let page = self.read_each(chain.at, PAGE).await?;
            if page.is_empty() {
                return Err(Error::Broken { position: chain.at + 1, reason: MISSING });
            }
            for event in page {
                if chain.at == header.last {
                    break;
                }
                let event = event?;
                if !chain.pass(&event) {
                    let reason = if event.position > chain.at + 1 { MISSING } else { ALTERED };
                    return Err(Error::Broken { position: chain.at + 1, reason });
                }
                write(serde_json::to_vec(&event)?)?;
            }
            progress(chain.at, header.last);
        }
        if chain.hash != header.hash {
            return Err(Error::Broken { position: header.last, reason: ALTERED });
        }
        let seal = Seal { signature: key.sign(&sealed(&hasher.finalize())) };
        let ended = out.write_all(&seal.line()).and_then(|()| out.flush());
        Ok(ended.map_err(|error| failed(error.into()))?)
    }
}
