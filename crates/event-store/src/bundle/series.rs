//! Several bundles: in their order whatever the order of their names, agreeing where they meet, and what is missing.
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use super::{BundleError, Checked, MOST_FILES, check, open};
use crate::signing::PublicKey;

/// Bundles of one log that agree with each other, in the order of their positions.
#[derive(Clone, Debug)]
pub struct Series {
    /// The bundles.
    pub bundles: Vec<Checked>,
}

/// Positions that are missing, and what proves that there were events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first position that is missing.
    pub from: i64,
    /// The last one.
    pub to: i64,
    /// The bundle behind them, which is signed.
    pub next: PathBuf,
    /// The hash that it names as that of the event at the last one.
    pub hash: Vec<u8>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, next, hash } = self;
        let (next, hash) = (next.display(), hex::encode(hash));
        write!(
            f,
            "positions {from} to {to} are missing: {next} follows the event at {to} with the hash {hash}"
        )
    }
}

impl Series {
    /// Checks bundles by themselves and where they meet. `end` is another position at which they may meet something: the
    /// end of a log. `progress` hears how many of how many events were read.
    ///
    /// # Errors
    /// What is wrong with one of them, or between two.
    pub fn read(
        files: &[PathBuf],
        keys: &[PublicKey],
        end: Option<i64>,
        mut progress: impl FnMut(i64, i64),
    ) -> Result<Self, BundleError> {
        if files.len() > MOST_FILES {
            return Err(BundleError::TooManyFiles { count: files.len() });
        }
        let mut wanted: BTreeSet<i64> = end.into_iter().collect();
        let mut all = 0;
        for file in files {
            let wrong = |fault| BundleError::File { file: file.clone(), fault };
            let header = open(file).map_err(wrong)?.header;
            wanted.extend([header.first - 1, header.last]);
            all += header.count;
        }
        let mut bundles = Vec::with_capacity(files.len());
        let mut read = 0;
        for file in files {
            let checked = check(file, keys, &wanted, |events| progress(read + events, all))?;
            read += checked.header.count;
            bundles.push(checked);
        }
        bundles.sort_by_key(|bundle| (bundle.header.first, bundle.header.last));
        let series = Self { bundles };
        series.agree()?;
        Ok(series)
    }

    /// That all are of one log, and that none has another event where two have one.
    fn agree(&self) -> Result<(), BundleError> {
        let mut known: BTreeMap<i64, (&[u8], &Path)> = BTreeMap::new();
        let Some(first) = self.bundles.first() else { return Ok(()) };
        for bundle in &self.bundles {
            bundle.is_of(&first.header.source)?;
            for (position, hash) in &bundle.marks {
                let (before, other) =
                    known.entry(*position).or_insert((hash.as_slice(), bundle.file.as_path()));
                if *before != hash.as_slice() {
                    return Err(BundleError::Diverges {
                        position: *position,
                        one: other.display().to_string(),
                        other: bundle.file.display().to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// What is missing between them, and before the first when everything up to `end` is there already.
    pub fn gaps(&self, end: Option<i64>) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut covered = end;
        for Checked { header, file, .. } in &self.bundles {
            let end = covered.unwrap_or(header.first - 1);
            if header.first > end + 1 {
                let (next, hash) = (file.clone(), header.before.clone());
                gaps.push(Gap { from: end + 1, to: header.first - 1, next, hash });
            }
            covered = Some(end.max(header.last));
        }
        gaps
    }
}

impl Checked {
    /// That it is a bundle of this log.
    pub(crate) fn is_of(&self, source: &str) -> Result<(), BundleError> {
        if self.header.source == source {
            return Ok(());
        }
        Err(BundleError::OtherSource {
            file: self.file.clone(),
            found: self.header.source.clone(),
            expected: source.to_owned(),
        })
    }
}
