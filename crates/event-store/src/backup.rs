//! Copies of an embedded database, and the way back. PostgreSQL has its own tools: `docs/operations.md`.
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sqlx::{
    Connection, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::{Error, Pool, verify::Verified};

/// What stands in the way of a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The log is not in a file.
    #[error("the log is in PostgreSQL: back it up with pg_dump, as docs/operations.md shows")]
    NotAFile,
    /// Something is where the copy should go.
    #[error("{0} exists already: nothing is overwritten")]
    Exists(PathBuf),
    /// The directory holds something.
    #[error("{directory} is not empty (it holds {found}): a backup is restored into an empty directory only")]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// What was found first.
        found: String,
    },
    /// The file has a write-ahead log, so it is not the whole database.
    #[error(
        "{0} has a write-ahead log beside it: it is a database in use, not a backup; make one by `zhixing backup`"
    )]
    InUse(PathBuf),
    /// A file cannot be read or written.
    #[error("{path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: io::Error,
    },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path),
        _ => BackupError::File { path, reason },
    }
}

/// Removes unfinished files unless they were finished.
pub(crate) struct Unfinished(pub(crate) Vec<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            // What cannot be removed is left: it bears the name of something unfinished.
            let _ = std::fs::remove_file(path);
        }
    }
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes what was written to `path` and its name in the directory survive a loss of power.
pub(crate) fn settle(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(at(path))?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))?;
    }
    Ok(())
}

impl Pool {
    /// Copies the database into the new file `to` while it may be in use, and verifies the copy. The file gets its name
    /// only when it is whole.
    ///
    /// # Errors
    /// When the file exists, cannot be written, or the log in it is not whole.
    pub async fn backup(&self, to: &Path, progress: impl FnMut(i64)) -> Result<Verified, Error> {
        let Self::Sqlite { readers, .. } = self else { return Err(BackupError::NotAFile.into()) };
        // The empty file holds the name; the copy is made beside it.
        File::create_new(to).map_err(at(to))?;
        let partial = beside(to, ".partial");
        let mut unfinished = Unfinished(vec![to.to_owned()]);
        File::create_new(&partial).map_err(at(&partial))?;
        unfinished.0.push(partial.clone());
        // A connection of its own: readers may not write anywhere, and the writer is not to be held up.
        let options = (*readers.connect_options()).clone().pragma("query_only", "off");
        let mut db = SqliteConnection::connect_with(&options).await?;
        let copied = sqlx::query("vacuum into $1").bind(partial.to_string_lossy()).execute(&mut db).await;
        db.close().await?;
        copied?;
        settle(&partial)?;
        let copy = read_only(&partial).await?;
        let verified = copy.verify(&[], &[], progress).await;
        copy.close().await;
        let verified = verified?;
        std::fs::rename(&partial, to).map_err(at(to))?;
        unfinished.0.clear();
        settle(to)?;
        Ok(verified)
    }
}

/// Puts the backup `from` as database `to` into an empty or new directory, after it was found whole.
///
/// # Errors
/// When the directory is not empty, or the file is damaged, of another program, or of a newer version.
pub async fn restore(from: &Path, to: &Path, progress: impl FnMut(i64)) -> Result<Verified, Error> {
    let directory = to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(at(directory))?;
    if let Some(found) = std::fs::read_dir(directory).map_err(at(directory))?.next() {
        let found = found.map_err(at(directory))?.file_name().to_string_lossy().into_owned();
        return Err(BackupError::NotEmpty { directory: directory.to_owned(), found }.into());
    }
    File::open(from).map_err(at(from))?;
    if std::fs::metadata(beside(from, "-wal")).is_ok_and(|wal| wal.len() > 0) {
        return Err(BackupError::InUse(from.to_owned()).into());
    }
    let partial = beside(to, ".partial");
    let mut unfinished =
        Unfinished(["", "-wal", "-shm"].iter().map(|suffix| beside(&partial, suffix)).collect());
    // Everything is tried on the copy: opening brings its tables up to date, the backup stays as it is.
    let (source, target) = (from.to_owned(), partial.clone());
    let copied = tokio::task::spawn_blocking(move || std::fs::copy(source, target)).await;
    copied.map_err(io::Error::other).and_then(|copied| copied).map_err(at(from))?;
    if recognise(&partial).await? == Found::Nothing {
        return Err(Error::Damaged("it is empty".into()));
    }
    if is_cut(&partial).map_err(at(&partial))? {
        return Err(Error::Damaged("it ends inside a page".into()));
    }
    let pool = Pool::open_sqlite(SqliteConnectOptions::new().filename(&partial)).await?;
    let verified = match whole(&pool).await {
        Ok(()) => pool.verify(&[], &[], progress).await,
        Err(error) => Err(error),
    };
    pool.close().await;
    let verified = verified?;
    settle(&partial)?;
    std::fs::rename(&partial, to).map_err(at(to))?;
    unfinished.0.clear();
    settle(to)?;
    Ok(verified)
}

/// Whether the last page is not whole: SQLite reads the rest of it as zeros and does not complain.
fn is_cut(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut header = [0; 18];
    file.read_exact(&mut header)?;
    // By the file format: 1 stands for 65,536.
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size.max(1)),
    };
    Ok(!file.metadata()?.len().is_multiple_of(page))
}

/// SQLite's own check of every page and index.
async fn whole(pool: &Pool) -> Result<(), Error> {
    let Pool::Sqlite { readers, .. } = pool else { return Err(BackupError::NotAFile.into()) };
    let found: String = sqlx::query_scalar("pragma integrity_check(1)").fetch_one(readers).await?;
    if found == "ok" { Ok(()) } else { Err(Error::Damaged(found)) }
}

/// Opens a database that nobody else uses, without changing a byte of it or beside it.
async fn read_only(path: &Path) -> Result<Pool, Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let pool: SqlitePool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    Ok(Pool::Sqlite { writer: pool.clone(), readers: pool })
}

/// What a file is, before anything is written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file, or an empty database.
    Nothing,
    /// A log.
    Log,
}

/// Looks at a SQLite file and refuses what is not a log.
///
/// # Errors
/// [`Error::Foreign`] for the database of another program, [`Error::Damaged`] for what is no database.
pub(crate) async fn recognise(path: &Path) -> Result<Found, Error> {
    const TABLES: &str = "select count(*), count(*) filter (where name in ('log_head', 'events')) from sqlite_schema \
         where name not like 'sqlite_%' and name <> '_sqlx_migrations'";
    if !std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(Found::Nothing);
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let tables: Result<(i64, i64), sqlx::Error> = sqlx::query_as(TABLES).fetch_one(&mut db).await;
    db.close().await?;
    match tables? {
        (0, _) => Ok(Found::Nothing),
        (_, 2) => Ok(Found::Log),
        _ => Err(Error::Foreign),
    }
}
