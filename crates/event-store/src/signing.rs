//! The key that signs checkpoints, and the public keys that check them.
//!
//! The secret key is a PEM file (PKCS#8), as `openssl genpkey -algorithm ed25519` writes it. A public key is one line,
//! `zhixing+HASH+KEY`, the form of signed notes (C2SP `signed-note`), which other tools read too.
use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{
    Signature, Signer, SigningKey as Secret, VerifyingKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use sha2::{Digest, Sha256};

/// Under what name the log signs, and what its checkpoints begin with.
pub const NAME: &str = "zhixing";
/// The signature algorithm by the registry of signed notes.
const ED25519: u8 = 1;
/// Most bytes of a key file that are read.
const MAX_FILE: u64 = 4_096;

/// What is wrong with a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is not there.
    #[error(
        "there is no signing key at {0}: put it back, or begin with a new one by `zhixing checkpoint --new-key`"
    )]
    Missing(PathBuf),
    /// A key stands where a new one should go.
    #[error("{0} exists already: a signing key is never overwritten")]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("the signing key {path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A public key cannot be understood.
    #[error(
        "this is not a public key of a log (such as zhixing+1a2b3c4d+AQ…, see `zhixing checkpoint --show-key`)"
    )]
    Public,
}

/// The secret key. It is wiped from memory when it is dropped, and never shown.
pub struct SigningKey(Secret);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public().id()).finish()
    }
}

impl SigningKey {
    /// The key with these bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(Secret::from_bytes(bytes))
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// When there is none, or it holds no ed25519 key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let wrong = |reason: String| KeyError::File { path: path.to_owned(), reason };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(KeyError::Missing(path.to_owned()));
            }
            Err(error) => return Err(wrong(error.to_string())),
        };
        warn_if_open(path, &file);
        let mut text = String::new();
        file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
        Secret::from_pkcs8_pem(&text)
            .map(Self)
            .map_err(|error| wrong(format!("it is no ed25519 key in PEM form ({error})")))
    }

    /// Makes a new key and writes its file, which only its owner can read.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let wrong = |reason: String| KeyError::File { path: path.to_owned(), reason };
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| wrong(error.to_string()))?;
        let key = Self(Secret::from_bytes(&seed));
        let pem = key.0.to_pkcs8_pem(LineEnding::LF).map_err(|error| wrong(error.to_string()))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => KeyError::Exists(path.to_owned()),
            _ => wrong(error.to_string()),
        })?;
        let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| wrong(error.to_string()))?;
        Ok(key)
    }

    /// The key that checks its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.0.sign(text.as_bytes()).to_vec()
    }
}

/// Said, not refused: some platforms mount secrets with modes of their own.
fn warn_if_open(path: &Path, file: &File) {
    #[cfg(unix)]
    if let Ok(about) = file.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "the signing key can be read by others: chmod 600");
    }
    #[cfg(not(unix))]
    let _ = (path, file);
}

/// A key that checks signatures of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// What checkpoints call it: eight hexadecimal digits.
    pub fn id(&self) -> String {
        hex::encode(self.short())
    }

    pub(crate) fn short(&self) -> [u8; 4] {
        let mut hasher = Sha256::new();
        hasher.update(NAME);
        hasher.update(b"\n");
        hasher.update([ED25519]);
        hasher.update(self.0.as_bytes());
        let hash = hasher.finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub(crate) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(text.as_bytes(), &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519];
        bytes.extend(self.0.as_bytes());
        write!(f, "{NAME}+{}+{}", self.id(), STANDARD.encode(bytes))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        // The key itself may hold the character that parts it from its hash.
        let mut parts = text.trim().splitn(3, '+');
        let (Some(NAME), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Public);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Public)?;
        let Some((&ED25519, bytes)) = bytes.split_first() else { return Err(KeyError::Public) };
        let bytes: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::Public)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Public).map(Self)?;
        if key.id() == id { Ok(key) } else { Err(KeyError::Public) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        let key = SigningKey::from_bytes(&[7; 32]).public();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        assert_eq!(key.to_string().len(), NAME.len() + 1 + 8 + 1 + 44);
    }

    #[test]
    fn the_public_key_of_signed_notes_is_read() {
        // The key of the example in the documentation of Go's `golang.org/x/mod/sumdb/note` bears another name.
        let foreign = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        for text in [foreign, "", "zhixing", "zhixing+00000000+AQ==", "zhixing+zz+ü"] {
            assert!(matches!(text.parse::<PublicKey>(), Err(KeyError::Public)), "{text}");
        }
        let key = SigningKey::from_bytes(&[7; 32]).public().to_string();
        let other = SigningKey::from_bytes(&[8; 32]).public().to_string();
        let mixed = format!("{}{}", &key[..17], &other[17..]);
        assert!(matches!(mixed.parse::<PublicKey>(), Err(KeyError::Public)));
    }

    #[test]
    fn a_key_file_is_made_once_and_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signing.key");
        assert!(matches!(SigningKey::read(&path), Err(KeyError::Missing(_))));
        let key = SigningKey::create(&path).unwrap();
        assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());
        assert!(matches!(SigningKey::create(&path), Err(KeyError::Exists(_))));
        assert_eq!(SigningKey::read(&path).unwrap().public(), key.public());
        #[cfg(unix)]
        {
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(matches!(SigningKey::read(&path), Err(KeyError::File { .. })));
    }
}
