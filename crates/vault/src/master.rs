//! The master key (主密钥): it wraps the keys of persons, and is kept apart from them and from the log.
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    VaultError,
    cipher::{self, Key},
};

/// Begins the line of a master key.
const FORM: &str = "zhixing-master-1:";
/// Most bytes of a master key file that are read.
const MAX_FILE: u64 = 4_096;

/// A key that wraps keys. It is wiped from memory when it is dropped, and never shown.
pub struct MasterKey {
    key: Key,
    id: String,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.id).finish()
    }
}

impl MasterKey {
    /// A new one.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate() -> Result<Self, VaultError> {
        cipher::new_key().map(Self::of)
    }

    fn of(key: Key) -> Self {
        let mut hasher = Sha256::new();
        hasher.update("zhixing master key id\n");
        hasher.update(key.as_slice());
        let id = hex::encode(&hasher.finalize()[..8]);
        Self { key, id }
    }

    /// What the key store calls it: sixteen hexadecimal digits that say nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Reads one key a line; the first is in use, a second one was until it was rotated.
    ///
    /// # Errors
    /// When a line is no master key, or there are none or more than two.
    pub fn parse(text: &str) -> Result<Vec<Self>, VaultError> {
        let keys: Vec<Self> = text.lines().map(Self::line).collect::<Result<_, _>>()?;
        if (1..=2).contains(&keys.len()) { Ok(keys) } else { Err(VaultError::MasterForm) }
    }

    fn line(line: &str) -> Result<Self, VaultError> {
        let text = line.trim().strip_prefix(FORM).ok_or(VaultError::MasterForm)?;
        let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| VaultError::MasterForm)?);
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| VaultError::MasterForm)?;
        Ok(Self::of(Zeroizing::new(key)))
    }

    /// The line of a file.
    pub fn to_line(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(self.key.as_slice()));
        Zeroizing::new([FORM, &encoded, "\n"].concat())
    }

    /// Wraps the key of a person.
    pub(crate) fn wrap(&self, id: Uuid, key: &Key) -> Result<String, VaultError> {
        let wrapped = cipher::seal(&self.key, &self.about(id), key.as_slice())?;
        Ok(STANDARD.encode(wrapped.ok_or(VaultError::TooLong(key.len()))?))
    }

    /// Unwraps it.
    pub(crate) fn unwrap(&self, id: Uuid, wrapped: &str) -> Result<Key, VaultError> {
        let wrapped = STANDARD.decode(wrapped).map_err(|_| VaultError::Altered(id))?;
        let key = cipher::open(&self.key, &self.about(id), &wrapped).ok_or(VaultError::Altered(id))?;
        let key: [u8; 32] = key.as_slice().try_into().map_err(|_| VaultError::Altered(id))?;
        Ok(Zeroizing::new(key))
    }

    fn about(&self, id: Uuid) -> String {
        format!("zhixing/key/1|{id}|{}", self.id)
    }
}

/// Where the master key comes from.
#[derive(Clone)]
pub enum MasterSource {
    /// A file that only its owner can read.
    File(PathBuf),
    /// The text itself, from the environment.
    Given(Zeroizing<String>),
}

impl fmt::Debug for MasterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given(…)"),
        }
    }
}

impl MasterSource {
    /// Reads the master key, and the one before it while a rotation is not finished.
    ///
    /// # Errors
    /// When there is none, it is none, or others can read it.
    pub fn read(&self) -> Result<Vec<MasterKey>, VaultError> {
        match self {
            Self::File(path) => MasterKey::parse(&read(path)?),
            Self::Given(text) => MasterKey::parse(text),
        }
    }

    /// Writes the first master key into its file.
    ///
    /// # Errors
    /// When there is one, or the file cannot be written.
    pub fn init(&self) -> Result<MasterKey, VaultError> {
        let Self::File(path) = self else { return Err(VaultError::MasterGiven) };
        let key = MasterKey::generate()?;
        create(path, key.to_line().as_bytes())?;
        settle(path)?;
        Ok(key)
    }

    /// Puts these keys in the place of those in the file, all at once.
    pub(crate) fn replace(&self, keys: &[&MasterKey]) -> Result<(), VaultError> {
        let Self::File(path) = self else { return Err(VaultError::MasterGiven) };
        let mut text = Zeroizing::new(String::with_capacity(256));
        for key in keys {
            text.push_str(&key.to_line());
        }
        let mut next = path.as_os_str().to_owned();
        next.push(".next");
        let next = PathBuf::from(next);
        match std::fs::remove_file(&next) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&next)(error)),
            _ => {}
        }
        create(&next, text.as_bytes())?;
        std::fs::rename(&next, path).map_err(at(path))?;
        settle(path)
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_owned();
    move |reason| VaultError::File { path, reason }
}

fn read(path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VaultError::NoMaster(path.to_owned()));
        }
        Err(error) => return Err(at(path)(error)),
    };
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(at(path))?.permissions()) & 0o077 != 0
    {
        return Err(VaultError::MasterOpen(path.to_owned()));
    }
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_FILE).unwrap_or(0) + 1));
    file.take(MAX_FILE).read_to_string(&mut text).map_err(at(path))?;
    Ok(text)
}

fn create(path: &Path, text: &[u8]) -> Result<(), VaultError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => VaultError::MasterExists(path.to_owned()),
        _ => at(path)(error),
    })?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(at(path))
}

/// The name of a file survives a loss of power only with its directory.
fn settle(path: &Path) -> Result<(), VaultError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    #[cfg(unix)]
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(at(directory))?;
    Ok(())
}
