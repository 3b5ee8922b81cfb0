//! TLS by the service itself: a certificate and its key, read again when the files change.
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{
            CertificateDer, PrivateKeyDer,
            pem::{self, PemObject},
        },
    },
};

/// Time between two looks at the files.
const LOOK: Duration = Duration::from_secs(30);

/// What is wrong with certificate or key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// A file is not what it should be.
    #[error("{0} holds no {1} in PEM: {2}")]
    NotPem(PathBuf, &'static str, pem::Error),
    /// They do not go together, or are of a kind that is not taken.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate with its key, as it is now.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Current>,
}

#[derive(Clone, Debug)]
struct Current {
    /// Of both files.
    digest: [u8; 32],
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads both files: the certificate with those that lead to a root, and its key.
    ///
    /// # Errors
    /// When they cannot be read or do not go together.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = RwLock::new(Current::read(certificate, key)?);
        Ok(Self { certificate: certificate.into(), key: key.into(), current })
    }

    /// Takes connections with the certificate as it is now.
    pub fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(current.config.clone())
    }

    /// Reads the files again; whether they changed.
    ///
    /// # Errors
    /// When they cannot be used now; what was read before stays in use.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let found = Current::read(&self.certificate, &self.key)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = found.digest != current.digest;
        if changed {
            *current = found;
        }
        Ok(changed)
    }

    /// Looks at the files now and then until `stop` becomes true.
    pub async fn watch(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        while tokio::time::timeout(LOOK, stop.wait_for(|stop| *stop)).await.is_err() {
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.refresh()).await {
                Ok(Ok(true)) => tracing::info!("a new certificate is in use"),
                Ok(Ok(false)) | Err(_) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the former certificate stays in use"),
            }
        }
    }
}

impl Current {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let bytes = |path: &Path| fs::read(path).map_err(|error| TlsError::Unreadable(path.into(), error));
        let (chain, secret) = (bytes(certificate)?, bytes(key)?);
        let digest =
            Sha256::new().chain_update(&chain).chain_update([0]).chain_update(&secret).finalize().into();
        let not_pem = |path: &Path, what| {
            let path = path.to_owned();
            move |error| TlsError::NotPem(path, what, error)
        };
        let chain = CertificateDer::pem_slice_iter(&chain).collect::<Result<Vec<_>, _>>();
        let chain =
            chain.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
        let chain = chain.map_err(not_pem(certificate, "certificate"))?;
        let secret = PrivateKeyDer::from_pem_slice(&secret).map_err(not_pem(key, "private key"))?;
        // The provider by name: another crate in the tree may bring another.
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, secret)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { digest, config: Arc::new(config) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        fs::write(directory.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(directory.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    #[test]
    fn a_changed_certificate_is_taken_and_a_bad_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let (cert, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
        assert!(matches!(Tls::read(&cert, &key), Err(TlsError::Unreadable(..))));
        write(directory.path(), "one.example");
        let tls = Tls::read(&cert, &key).unwrap();
        let first = tls.current.read().unwrap().digest;
        assert!(!tls.refresh().unwrap());
        write(directory.path(), "two.example");
        assert!(tls.refresh().unwrap());
        let second = tls.current.read().unwrap().digest;
        assert_ne!(first, second);
        // The key of another certificate, then no key at all.
        let other = rcgen::generate_simple_self_signed(vec!["x.example".to_owned()]).unwrap();
        fs::write(&key, other.signing_key.serialize_pem()).unwrap();
        assert!(matches!(tls.refresh(), Err(TlsError::Unusable(_))));
        fs::write(&key, "no key").unwrap();
        assert!(matches!(tls.refresh(), Err(TlsError::NotPem(_, "private key", _))));
        fs::write(&cert, "").unwrap();
        assert!(matches!(tls.refresh(), Err(TlsError::NotPem(_, "certificate", _))));
        assert_eq!(tls.current.read().unwrap().digest, second);
    }
}
