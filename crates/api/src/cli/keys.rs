//! `zhixing keys`: the master key and the store of the keys of persons; keys of connected systems.
use std::sync::Arc;

use clap::Subcommand;
use zhixing_domain::{
    Date, Id, RegionCode, Role, access::service_key::IssueServiceKey, organisation::unit::Unit,
};
use zhixing_event_store::{EventStore, SystemClock, store::Receipt};
use zhixing_vault::{Vault, VaultError};

use super::{Failure, grant, screen};
use crate::{config::Settings, graphql::service_key::ServiceKey, identity::service_key::Secret};

/// What is done to the keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make the first master key, readable by its owner only; one that is there is never overwritten
    Init,
    /// Make a new master key and wrap the keys of all persons by it; a rotation that was cut off goes on
    RotateMaster,
    /// Issue a key for a connected system and print its token, this once
    IssueServiceKey(ServiceKeyArguments),
}

/// For whom a service key is.
#[derive(Debug, clap::Args)]
pub(super) struct ServiceKeyArguments {
    /// What it is for, at most 100 characters
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// The unit that answers for the connected system: its id in GraphQL
    #[arg(long, value_name = "ID")]
    unit: Id<Unit>,
    /// What it is trusted with: integrator, auditor or unit-officer; may be given several times
    #[arg(long = "role", value_name = "ROLE", required = true, value_parser = grant::role)]
    roles: Vec<Role>,
    /// Its authority ends at the borders of this region
    #[arg(long, value_name = "CODE")]
    region: RegionCode,
    /// The last day on which it works, at most 366 days from today
    #[arg(long, value_name = "DATE")]
    expires_on: Date,
}

pub(super) async fn keys(settings: &Settings, command: KeysCommand) -> Result<(), Failure> {
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
        KeysCommand::IssueServiceKey(arguments) => {
            let token = issue_service_key(&super::open(settings).await?, arguments).await?;
            screen::say(&token);
        }
    }
    Ok(())
}

/// The token of a new service key.
async fn issue_service_key(store: &EventStore, arguments: ServiceKeyArguments) -> Result<String, Failure> {
    let secret = Secret::new().map_err(|reason| Failure::said("no secret can be made", reason))?;
    let ServiceKeyArguments { name, unit, roles, region, expires_on } = arguments;
    let digest = secret.digest();
    let command = IssueServiceKey { name, unit_id: unit, roles, region_code: region, expires_on, digest };
    let receipt: Receipt<ServiceKey> = grant::carry_out(store, command).await?;
    Ok(secret.token(receipt.object.life.id.0.uuid()))
}

/// The vault of these settings.
pub(super) async fn open(settings: &Settings) -> Result<Vault, Failure> {
    super::data_directory(settings)?;
    Vault::open_at(&settings.key_store_url(), settings.master_source(), Arc::new(SystemClock))
        .await
        .map_err(|error: VaultError| error.into())
}
