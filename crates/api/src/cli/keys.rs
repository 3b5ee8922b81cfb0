//! `zhixing keys`: the master key and the store of the keys of persons.
use std::sync::Arc;

use clap::Subcommand;
use zhixing_event_store::SystemClock;
use zhixing_vault::{Vault, VaultError};

use super::{Failure, screen};
use crate::config::Settings;

/// What is done to the keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make the first master key, readable by its owner only; one that is there is never overwritten
    Init,
    /// Make a new master key and wrap the keys of all persons by it; a rotation that was cut off goes on
    RotateMaster,
}

pub(super) async fn keys(settings: &Settings, command: &KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::Init => {
            super::data_directory(settings)?;
            let master = settings.master_source().init()?;
            screen::say(&format!("The master key {} was made. Copy it to a safe place now.", master.id()));
        }
        KeysCommand::RotateMaster => {
            let vault = open(settings).await?;
            let count = vault.rotate_master().await;
            vault.close().await;
            screen::say(&format!(
                "The master key was rotated; keys wrapped anew: {}. Copy the new one to a safe place now.",
                count?
            ));
        }
    }
    Ok(())
}

/// The vault of these settings.
pub(super) async fn open(settings: &Settings) -> Result<Vault, Failure> {
    super::data_directory(settings)?;
    Vault::open_at(&settings.key_store_url(), settings.master_source(), Arc::new(SystemClock))
        .await
        .map_err(|error: VaultError| error.into())
}
