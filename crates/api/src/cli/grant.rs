//! `zhixing grant`: the first administrator, by the road that every other grant goes.
use std::str::FromStr;

use zhixing_domain::{
    Aggregate, Date, Id, RegionCode, Role, Viewer, access::role_grant::GrantRole, organisation::unit::Unit,
};
use zhixing_event_store::{EventStore, Order, View, store::Receipt};

use super::{Failure, screen};
use crate::{config::Settings, graphql::role_grant::RoleGrant};

/// Who gets which role.
#[derive(Debug, clap::Args)]
pub(super) struct GrantArguments {
    /// The role, such as administrator or leading-group-office
    #[arg(value_name = "ROLE", value_parser = role)]
    role: Role,
    /// The identity provider: its issuer, as the settings have it
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Who it is to the provider: the claim that names them in their tokens (usually sub)
    #[arg(long, value_name = "TEXT")]
    subject: String,
    /// Their authority ends at the borders of this region [default: the whole country]
    #[arg(long, value_name = "CODE", default_value = "100000", hide_default_value = true)]
    region: RegionCode,
    /// The unit that they work for: its id in GraphQL
    #[arg(long, value_name = "ID")]
    unit: Option<Id<Unit>>,
    /// The last day on which it holds, such as 2026-12-31 [default: without end]
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
    /// What it rests on, such as a letter of appointment
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

/// A role as people type it.
pub(super) fn role(word: &str) -> Result<Role, String> {
    Role::from_str(&word.to_ascii_uppercase().replace('-', "_"))
}

pub(super) async fn grant(
    store: &EventStore,
    settings: &Settings,
    arguments: GrantArguments,
) -> Result<(), Failure> {
    let GrantArguments { role, issuer, subject, region, unit, until, note } = arguments;
    let provider = settings.identity.providers.iter().find(|provider| provider.issuer == issuer);
    let provider = provider.ok_or_else(|| {
        let known: Vec<&str> =
            settings.identity.providers.iter().map(|known| known.issuer.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Failure::Said(format!("the settings trust no identity provider {issuer}; they trust: {known}"))
    })?;
    let command = GrantRole {
        actor: format!("{}:{subject}", provider.name),
        role,
        unit_id: unit,
        region_code: region,
        valid_from: None,
        valid_until: until,
        note,
    };
    let receipt: Receipt<RoleGrant> = carry_out(store, command).await?;
    let RoleGrant { life, actor, .. } = &receipt.object;
    screen::say(&format!("{actor} is granted {role} in {region} from today on (grant {}).", life.id));
    Ok(())
}

/// Carries out a command as the service itself.
pub(super) async fn carry_out<V: View>(
    store: &EventStore,
    command: impl Into<<V::Of as Aggregate>::Command>,
) -> Result<Receipt<V>, Failure> {
    let order = Order {
        viewer: Viewer::system(),
        command: command.into(),
        command_id: None,
        expected_version: None,
        dry_run: false,
    };
    Ok(store.execute::<V>(order).await?)
}
