//! `zhixing verify`, `checkpoint`, `prove` and `verify-proof`.
use std::path::{Path, PathBuf};

use zhixing_event_store::{Error, EventStore, Pool, Proof, PublicKey};

use super::{Failure, screen};
use crate::{
    checkpoints::{self, Published, Signer},
    config::Settings,
};

/// What the log is held to.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// Checkpoints that were kept outside this machine
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    /// Public keys of checkpoints, beside the one of this machine's signing key
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PublicKey>,
}

/// How to sign.
#[derive(Debug, clap::Args)]
pub(super) struct CheckpointArguments {
    /// Only print the public key
    #[arg(long, conflicts_with = "new_key")]
    show_key: bool,
    /// Sign with another key than the last checkpoint's; makes one when there is none
    #[arg(long)]
    new_key: bool,
}

/// A proof and the keys to be trusted.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyProofArguments {
    /// The proof
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Public keys of the log, got from somebody you trust
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<PublicKey>,
}

/// Most bytes of a proof: an event is limited by the size of a request, the rest is some kilobytes.
const MAX_PROOF: u64 = 64 * 1024 * 1024;

pub(super) async fn verify(
    pool: &Pool,
    settings: &Settings,
    arguments: VerifyArguments,
) -> Result<(), Failure> {
    let signer = Signer::new(settings);
    let mut keys = arguments.keys;
    match signer.key() {
        Ok(key) => keys.push(key.public()),
        Err(Error::Key(zhixing_event_store::signing::KeyError::Missing(_))) => {}
        Err(error) => return Err(error.into()),
    }
    let mut kept: Vec<_> = signer.kept()?.into_iter().collect();
    for path in &arguments.checkpoints {
        kept.push(checkpoints::read(path)?);
    }
    let bar = screen::bar(pool.head().await?.unsigned_abs(), "events");
    let verified = pool.verify(&keys, &kept, |at| bar.set_position(at.unsigned_abs())).await;
    bar.finish_and_clear();
    let verified = verified?;
    screen::say(&format!(
        "The log is whole: {} events, every hash as it was written; checkpoints that agree: {}.",
        verified.position, verified.checkpoints
    ));
    if !verified.unknown_keys.is_empty() {
        let named: Vec<String> = verified.unknown_keys.into_iter().collect();
        screen::say(&format!(
            "Signatures by these keys were NOT checked, for want of the key: {}. Name it with --key.",
            named.join(", ")
        ));
    }
    Ok(())
}

pub(super) fn show_key(settings: &Settings) -> Result<(), Failure> {
    screen::say(&Signer::new(settings).key()?.public().to_string());
    Ok(())
}

pub(super) async fn checkpoint(
    store: &EventStore,
    settings: &Settings,
    arguments: &CheckpointArguments,
) -> Result<(), Failure> {
    let made = match Signer::new(settings).sign(store, arguments.new_key).await? {
        Some(made) => Some(made),
        None => store.pool().last_checkpoint().await?,
    };
    let Some(checkpoint) = made else {
        return Err(Failure::Said("the log is empty: there is nothing to sign".into()));
    };
    json(&Published::from(checkpoint))
}

impl CheckpointArguments {
    pub(super) fn only_shows(&self) -> bool {
        self.show_key
    }
}

pub(super) async fn prove(pool: &Pool, position: i64) -> Result<(), Failure> {
    let covered = pool.last_checkpoint().await?.map_or(0, |last| last.position);
    let bar = screen::bar(covered.unsigned_abs(), "hashes");
    let proof = pool.prove(position, |at| bar.set_position(at.unsigned_abs())).await;
    bar.finish_and_clear();
    json(&proof?)
}

pub(super) fn verify_proof(arguments: &VerifyProofArguments) -> Result<(), Failure> {
    let proof = read_proof(&arguments.file)?;
    proof.check(&arguments.keys).map_err(Error::from)?;
    screen::say(&format!(
        "Proved: {} of {} stands at position {} of the log that the key {} signed at position {} on {}.",
        proof.event.r#type,
        zhixing_domain::id::GlobalId { kind: proof.event.kind, uuid: proof.event.stream_id },
        proof.event.position,
        proof.checkpoint.key_id,
        proof.checkpoint.position,
        proof.checkpoint.signed_at,
    ));
    Ok(())
}

fn read_proof(path: &Path) -> Result<Proof, Failure> {
    let cannot = |reason: String| Failure::Said(format!("{} is no proof: {reason}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?.len();
    if size > MAX_PROOF {
        return Err(cannot("it is larger than 64 MiB".into()));
    }
    let text = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| cannot(error.to_string()))
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    screen::say(&serde_json::to_string_pretty(value).map_err(Error::from)?);
    Ok(())
}
