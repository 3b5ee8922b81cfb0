//! Signed checkpoints: made at intervals, kept beside the key, shown to everybody.
use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, time::MissedTickBehavior};
use zhixing_event_store::{Checkpoint, Error, EventStore, Pool, SigningKey, signing::KeyError};

use crate::config::Settings;

/// Most bytes of a file with a checkpoint; they have some hundred.
const MAX_FILE: u64 = 64 * 1024;

/// A checkpoint as it is published: its fields, and the signed note that other tools read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Published {
    /// The fields.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// The same as a signed note (C2SP `tlog-checkpoint`).
    #[serde(default)]
    pub note: String,
}

impl From<Checkpoint> for Published {
    fn from(checkpoint: Checkpoint) -> Self {
        Self { note: checkpoint.note(), checkpoint }
    }
}

/// Why no checkpoint was made.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The log is not to be signed, or the key cannot be used.
    #[error(transparent)]
    Store(#[from] Error),
    /// A file with a checkpoint cannot be used.
    #[error("the checkpoint {path} cannot be used: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Signs the log with one key, and keeps the last checkpoint where a restored database does not reach.
#[derive(Clone, Debug)]
pub struct Signer {
    key: PathBuf,
    kept: PathBuf,
}

impl Signer {
    /// With the key and the directory of these settings.
    pub fn new(settings: &Settings) -> Self {
        Self { key: settings.signing_key_file(), kept: settings.data.join("checkpoint.json") }
    }

    /// The key.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn key(&self) -> Result<SigningKey, Error> {
        Ok(SigningKey::read(&self.key)?)
    }

    /// The last checkpoint that was made here.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn kept(&self) -> Result<Option<Checkpoint>, SigningError> {
        if self.kept.exists() { read(&self.kept).map(Some) } else { Ok(None) }
    }

    /// Signs the head of the log unless that was done before. The first time a key is made; `new_key` permits another
    /// key than the last one's, and makes one when there is none.
    ///
    /// # Errors
    /// When the log is broken or ends before a checkpoint, the key is missing or another, or a file cannot be written.
    pub async fn sign(&self, store: &EventStore, new_key: bool) -> Result<Option<Checkpoint>, SigningError> {
        let pool = store.pool();
        let kept = self.kept()?;
        if let Some(kept) = &kept {
            pool.agrees(kept).await?;
        }
        let key = self.key_or_first(pool, kept.is_none(), new_key).await?;
        let made = pool.sign_head(&key, store.clock().now(), new_key).await?;
        if let Some(checkpoint) = &made {
            self.keep(checkpoint)?;
            tracing::info!(position = checkpoint.position, key = checkpoint.key_id, "signed a checkpoint");
        }
        Ok(made)
    }

    async fn key_or_first(
        &self,
        pool: &Pool,
        first: bool,
        new_key: bool,
    ) -> Result<SigningKey, SigningError> {
        match SigningKey::read(&self.key) {
            Err(KeyError::Missing(path)) => {
                // A key is never replaced in silence: who holds the old one would not trust the new.
                let first = first && pool.last_checkpoint().await?.is_none();
                if !first && !new_key {
                    return Err(Error::from(KeyError::Missing(path)).into());
                }
                let made = directory_of(&self.key)
                    .map_err(|error| KeyError::File { path, reason: error.to_string() })
                    .and_then(|()| SigningKey::create(&self.key))
                    .map_err(Error::from)?;
                tracing::info!(path = %self.key.display(), key = %made.public(), "made a new signing key");
                Ok(made)
            }
            found => Ok(found.map_err(Error::from)?),
        }
    }

    /// Replaces the kept checkpoint at once: a reader sees the old or the new, whole.
    fn keep(&self, checkpoint: &Checkpoint) -> Result<(), SigningError> {
        let failed =
            |error: std::io::Error| SigningError::File { path: self.kept.clone(), reason: error.to_string() };
        let text = serde_json::to_string_pretty(&Published::from(checkpoint.clone())).map_err(Error::from)?;
        directory_of(&self.kept).map_err(failed)?;
        let new = self.kept.with_extension("json.new");
        let mut file = std::fs::File::create(&new).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &self.kept).map_err(failed)
    }

    /// Signs at once and then at every interval, when there is something new, until it is stopped.
    pub async fn run(self, store: EventStore, minutes: u64, mut stopped: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(Duration::from_secs(minutes.saturating_mul(60)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let stop = async {
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            tokio::select! {
                () = stop => return,
                _ = ticks.tick() => {}
            }
            self.try_sign(&store).await;
        }
    }

    /// Signs; what goes wrong is logged, for nobody waits for it.
    pub async fn try_sign(&self, store: &EventStore) {
        if let Err(error) = self.sign(store, false).await {
            tracing::error!(%error, "no checkpoint was signed");
        }
    }
}

fn directory_of(path: &Path) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}

/// Reads a checkpoint from a file: one that was published or kept.
///
/// # Errors
/// When it cannot be read, is larger than 64 KiB, or is no checkpoint.
pub fn read(path: &Path) -> Result<Checkpoint, SigningError> {
    let failed = |reason: String| SigningError::File { path: path.to_owned(), reason };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > MAX_FILE {
        return Err(failed("it is larger than 64 KiB".into()));
    }
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let published: Published = serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
    Ok(published.checkpoint)
}

/// `GET /log/checkpoint`: the last checkpoint. Everybody may keep it and hold the log to it.
pub async fn latest(State(store): State<EventStore>) -> Response {
    match store.pool().last_checkpoint().await {
        Ok(Some(checkpoint)) => {
            ([(header::CACHE_CONTROL, "no-cache")], Json(Published::from(checkpoint))).into_response()
        }
        Ok(None) => (StatusCode::NOT_FOUND, "no checkpoint was signed yet").into_response(),
        Err(error) => {
            tracing::error!(%error, "the last checkpoint cannot be read");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer as it should").into_response()
        }
    }
}
