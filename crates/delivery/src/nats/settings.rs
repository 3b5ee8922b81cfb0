//! Where the stream is, and how it is spoken to.
use std::{fmt, path::PathBuf};

use async_nats::ServerAddr;
use serde::Deserialize;

/// Most copies of a message that a stream keeps here.
const MOST_REPLICAS: u8 = 3;
/// Most characters of the name of a stream.
const NAME: usize = 64;

/// Everything that can be set.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The servers: `nats://HOST:4222` or `tls://HOST:4222`, several of one cluster separated by commas. Without one nothing is
    /// published.
    pub url: Option<String>,
    /// The name of the stream.
    pub stream: String,
    /// On how many servers a stream that is made here is kept: 1 to 3.
    pub replicas: u8,
    /// A file of credentials (`.creds`).
    pub credentials: Option<PathBuf>,
    /// The certificates that are trusted (PEM) instead of those that the system trusts.
    pub tls_ca: Option<PathBuf>,
    /// The certificate that this service shows (PEM).
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    pub tls_key: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: None,
            stream: "ZHIXING".into(),
            replicas: 1,
            credentials: None,
            tls_ca: None,
            tls_cert: None,
            tls_key: None,
        }
    }
}

/// The address may hold a password: it is not shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Settings");
        shown.field("stream", &self.stream).field("replicas", &self.replicas);
        shown.finish_non_exhaustive()
    }
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// An address cannot be understood. It is not repeated: it may hold a password.
    #[error("nats.url must be addresses such as nats://nats.example.cn:4222, separated by commas")]
    Url,
    /// The stream cannot be called so.
    #[error("nats.stream must be 1 to {NAME} letters, digits, - and _, not {0:?}")]
    Stream(String),
    /// So many copies cannot be kept.
    #[error("nats.replicas must be 1 to {MOST_REPLICAS}, not {0}")]
    Replicas(u8),
    /// One of two files is missing.
    #[error("nats.tls_cert and nats.tls_key belong together")]
    HalfOfTls,
}

impl Settings {
    /// Whether a publisher can work by these.
    ///
    /// # Errors
    /// When one of them cannot be understood.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.servers()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if self.stream.is_empty() || self.stream.len() > NAME || !self.stream.bytes().all(is_plain) {
            return Err(SettingsError::Stream(self.stream.chars().take(NAME).collect()));
        }
        if !(1..=MOST_REPLICAS).contains(&self.replicas) {
            return Err(SettingsError::Replicas(self.replicas));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            return Err(SettingsError::HalfOfTls);
        }
        Ok(())
    }

    /// The servers; none when nothing is to be published.
    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, SettingsError> {
        let Some(url) = &self.url else { return Ok(Vec::new()) };
        let read = |one: &str| {
            let mut hosts = ["nats://", "tls://"].iter().filter_map(|scheme| one.strip_prefix(scheme));
            let is_named = hosts.any(|host| !host.is_empty());
            one.parse().ok().filter(|_| is_named).ok_or(SettingsError::Url)
        };
        url.split(',').map(|one| read(one.trim())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_said_by_name() {
        let good = || Settings { url: Some("nats://a:4222, tls://b".into()), ..Settings::default() };
        assert_eq!(good().check(), Ok(()));
        assert_eq!(good().servers().unwrap().len(), 2);
        assert_eq!(Settings::default().check(), Ok(()));
        assert_eq!(Settings::default().servers(), Ok(Vec::new()));
        let bad = |settings: Settings| settings.check().unwrap_err();
        for url in ["", "nats://a,", "nats://", "a:4222", "http://a"] {
            assert_eq!(bad(Settings { url: Some(url.into()), ..good() }), SettingsError::Url, "{url}");
        }
        assert_eq!(bad(Settings { stream: "a.b".into(), ..good() }), SettingsError::Stream("a.b".into()));
        assert_eq!(bad(Settings { replicas: 0, ..good() }), SettingsError::Replicas(0));
        assert_eq!(bad(Settings { replicas: 4, ..good() }), SettingsError::Replicas(4));
        assert_eq!(bad(Settings { tls_key: Some("key.pem".into()), ..good() }), SettingsError::HalfOfTls);
    }

    #[test]
    fn a_password_in_the_address_is_not_shown() {
        let settings = Settings { url: Some("nats://ann:secret@a".into()), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
