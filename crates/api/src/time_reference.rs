//! Calendars and time limits from files: a new year, or a new version of a rule, needs no release.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use zhixing_domain::{
    TimeReference,
    time::{FileError, ReferenceFile},
};

/// Most files of one directory.
const MOST_FILES: usize = 500;
/// Most bytes of one file.
const FILE_BYTES: u64 = 1024 * 1024;

/// Why the files cannot be used: the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A directory or file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// Too many files.
    #[error("{} holds more than {MOST_FILES} files", .0.display())]
    TooMany(PathBuf),
    /// A file is too large.
    #[error("{} has more than {FILE_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// A file cannot stand so.
    #[error(transparent)]
    Refused(#[from] FileError),
}

/// What the program knows, and what the files of these directories add.
///
/// # Errors
/// The first file that cannot be used: then none is.
pub fn read(calendars: Option<&Path>, rules: Option<&Path>) -> Result<TimeReference, ReferenceError> {
    let mut reference = TimeReference::embedded();
    if let Some(directory) = calendars {
        reference.calendar = reference.calendar.with(&files(directory)?)?;
    }
    if let Some(directory) = rules {
        reference.limits = reference.limits.with(&files(directory)?)?;
    }
    Ok(reference)
}

/// Every `.json` file of a directory, by name.
fn files(directory: &Path) -> Result<Vec<ReferenceFile>, ReferenceError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| ReferenceError::Unreadable { path, error }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(unreadable(directory))? {
        let path = entry.map_err(unreadable(directory))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
        if paths.len() > MOST_FILES {
            return Err(ReferenceError::TooMany(directory.to_owned()));
        }
    }
    paths.sort();
    let file = |path: PathBuf| {
        if fs::metadata(&path).map_err(unreadable(&path))?.len() > FILE_BYTES {
            return Err(ReferenceError::TooLarge(path));
        }
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        Ok(ReferenceFile { name: path.display().to_string(), text })
    };
    paths.into_iter().map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: &str = r#"{ "year": 2027, "version": 1, "holidays": [], "workingDays": [],
        "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" } }"#;

    #[test]
    fn a_further_year_is_read_and_other_files_are_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("2027.json"), YEAR).unwrap();
        fs::write(directory.path().join("README"), "not a calendar").unwrap();
        let reference = read(Some(directory.path()), None).unwrap();
        let known = |reference: &TimeReference| reference.calendar.year(2027).is_some();
        assert!(known(&reference) && !known(&read(None, None).unwrap()));
    }

    #[test]
    fn one_bad_file_refuses_all_and_is_named() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("2027.json"), YEAR).unwrap();
        fs::write(directory.path().join("2028.json"), YEAR.replace("\"version\": 1", "\"version\": 0"))
            .unwrap();
        let refused = read(Some(directory.path()), None).unwrap_err().to_string();
        assert!(refused.contains("2028.json: version: is not 1 or higher"), "{refused}");
        let large = " ".repeat(usize::try_from(FILE_BYTES).unwrap() + 1);
        fs::write(directory.path().join("2028.json"), large).unwrap();
        assert!(matches!(read(Some(directory.path()), None), Err(ReferenceError::TooLarge(_))));
        let nowhere = directory.path().join("nowhere");
        assert!(matches!(read(None, Some(&nowhere)), Err(ReferenceError::Unreadable { .. })));
    }
}
