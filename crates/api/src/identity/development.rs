//! Development tokens: they let anybody be anybody, so they work only on a machine that serves nobody but itself.
//!
//! `Authorization: Bearer dev:ACTOR:ROLE[,ROLE…][:unit=ID][:region=CODE]`, for example
//! `dev:ann:LEADING_GROUP_OFFICE:region=620000`.
use zhixing_domain::{Id, RegionCode, Role, organisation::unit::Unit, policy::AuthenticationMethod};

use super::Claimed;

/// What every development token begins with.
pub(super) const PREFIX: &str = "dev:";
/// Most characters of an actor's name.
const ACTOR: usize = 64;

/// Reads a development token.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(token: &str) -> Result<Claimed, String> {
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
    let (mut unit, mut region): (Option<Id<Unit>>, Option<RegionCode>) = (None, None);
    for part in parts {
        match part.split_once('=') {
            Some(("unit", id)) => unit = Some(id.parse().map_err(|reason| format!("unit {reason}"))?),
            Some(("region", code)) => {
                region = Some(code.parse().map_err(|reason| format!("region {reason}"))?);
            }
            _ => return Err(FORM.into()),
        }
    }
    let method = AuthenticationMethod::DevelopmentToken;
    Ok(Claimed { actor: actor.into(), roles, unit, region, method, until: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_or_refused_with_a_reason() {
        let said = read("dev:ann:UNIT_OFFICER,UNIT_APPROVER:region=620000").unwrap();
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
            assert!(read(token).is_err(), "{token}");
        }
    }
}
