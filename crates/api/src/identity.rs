//! Who is at the door. Until identity providers are connected, a development token says so; it works only on a
//! machine that serves nobody but itself.
//!
//! `Authorization: Bearer dev:ACTOR:ROLE[,ROLE…][:unit=ID][:region=CODE]`, for example
//! `dev:ann:LEADING_GROUP_OFFICE:region=620000`.
use sea_query::Condition;
use zhixing_domain::{Id, RegionCode, Role, Viewer, organisation::unit::Unit, policy::AuthenticationMethod};
use zhixing_event_store::EventStore;

use crate::{
    graphql::unit::{MEMBER, Unit as UnitView},
    protocol::{Authenticator, Refused},
};

/// Reads development tokens, where they are allowed.
#[derive(Clone, Debug)]
pub struct Identity {
    store: EventStore,
    development_tokens: bool,
}

/// Most groups that a unit acts for.
const MOST_GROUPS: u32 = 200;
/// Most characters of an actor's name.
const ACTOR: usize = 64;

impl Identity {
    /// An authenticator over this store.
    pub fn new(store: EventStore, development_tokens: bool) -> Self {
        Self { store, development_tokens }
    }

    async fn viewer(&self, token: &str) -> Result<Viewer, Refused> {
        let refuse = |reason: &str| Refused(format!("the token is refused: {reason}"));
        if !self.development_tokens {
            return Err(refuse("development tokens are switched off here"));
        }
        let said = Said::read(token).map_err(|reason| refuse(&reason))?;
        let mut viewer = Viewer {
            actor: said.actor,
            roles: said.roles,
            units: Vec::new(),
            region: said.region.unwrap_or(RegionCode::COUNTRY),
            method: AuthenticationMethod::DevelopmentToken,
        };
        if let Some(id) = said.unit {
            let failed = |_| refuse("the unit cannot be looked up now");
            let mut reader = self.store.pool().reader().await.map_err(failed)?;
            let unit: Vec<UnitView> = reader.many(&[id.uuid()], Condition::all()).await.map_err(failed)?;
            let unit = unit.first().ok_or_else(|| refuse("there is no such unit"))?;
            let groups = reader.naming(id.uuid(), MEMBER, MOST_GROUPS).await.map_err(failed)?;
            viewer.units = std::iter::once(id).chain(groups.into_iter().map(Id::new)).collect();
            viewer.region = said.region.unwrap_or(unit.region_code);
        }
        Ok(viewer)
    }
}

impl Authenticator for Identity {
    type Viewer = Viewer;

    async fn authenticate(&self, authorization: Option<&str>) -> Result<Viewer, Refused> {
        match authorization.map(str::trim) {
            None | Some("") => Ok(Viewer::anonymous()),
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
                    self.viewer(token.trim()).await
                }
                _ => Err(Refused("the Authorization header is not `Bearer TOKEN`".into())),
            },
        }
    }

    fn name(viewer: &Viewer) -> Option<&str> {
        (viewer.method != AuthenticationMethod::Anonymous).then_some(viewer.actor.as_str())
    }
}

/// What a development token says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    actor: String,
    roles: Vec<Role>,
    unit: Option<Id<Unit>>,
    region: Option<RegionCode>,
}

impl Said {
    fn read(token: &str) -> Result<Self, String> {
        const FORM: &str = "it is not dev:ACTOR:ROLE[,ROLE…][:unit=ID][:region=CODE]";
        let mut parts = token.split(':');
        let (Some("dev"), Some(actor), Some(roles)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(FORM.into());
        };
        let plain = actor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte));
        if actor.is_empty() || actor.len() > ACTOR || !plain {
            return Err("the actor is not 1 to 64 letters, digits and ._-@".into());
        }
        let roles = roles.split(',').map(str::parse).collect::<Result<Vec<Role>, _>>();
        let roles = roles.map_err(|reason| format!("a role {reason}"))?;
        if roles.contains(&Role::Scheduler) {
            return Err("the role SCHEDULER is the service's own".into());
        }
        let mut said = Self { actor: actor.into(), roles, unit: None, region: None };
        for part in parts {
            match part.split_once('=') {
                Some(("unit", id)) => {
                    said.unit = Some(id.parse().map_err(|reason| format!("unit {reason}"))?);
                }
                Some(("region", code)) => {
                    said.region = Some(code.parse().map_err(|reason| format!("region {reason}"))?);
                }
                _ => return Err(FORM.into()),
            }
        }
        Ok(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_or_refused_with_a_reason() {
        let said = Said::read("dev:ann:UNIT_OFFICER,UNIT_APPROVER:region=620000").unwrap();
        assert_eq!((said.actor.as_str(), said.roles.len()), ("ann", 2));
        assert_eq!(said.region, "620000".parse().ok());
        for token in [
            "",
            "dev",
            "dev:ann",
            "dev::AUDITOR",
            "dev:ann:KING",
            "dev:a b:AUDITOR",
            "dev:ann:AUDITOR:unit=x",
            "dev:ann:AUDITOR:region=999999",
            "dev:ann:AUDITOR:x",
            "dev:ann:SCHEDULER",
        ] {
            assert!(Said::read(token).is_err(), "{token}");
        }
    }
}
