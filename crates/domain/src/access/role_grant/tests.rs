use super::*;
use crate::{
    Fact,
    spec::{given, office},
};
use uuid::Uuid;

fn unit() -> Id<Unit> {
    Id::new(Uuid::from_u128(7))
}
fn facts(status: &str) -> Facts {
    let unit = Fact {
        kind: Kind::Unit,
        id: unit().uuid(),
        status: status.into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    Facts { objects: vec![unit], ..Facts::default() }
}
fn grant(actor: &str, role: Role) -> GrantRole {
    GrantRole {
        actor: actor.into(),
        role,
        unit_id: Some(unit()),
        region_code: "620000".parse().unwrap(),
        valid_from: None,
        valid_until: None,
        note: None,
    }
}
fn granted() -> RoleGrantEvent {
    RoleGrantEvent::Granted {
        actor: "gov:wei".into(),
        role: Role::UnitOfficer,
        unit_id: Some(unit()),
        region_code: "620000".parse().unwrap(),
        valid_from: Date::new(1970, 1, 1).unwrap(),
        valid_until: None,
        note: None,
    }
}

#[test]
fn an_administrator_grants_in_their_region_from_today_on() {
    let ask = |viewer: &crate::Viewer, command: GrantRole| {
        given::<RoleGrant>([]).with(facts("ACTIVE")).when(viewer, command)
    };
    ask(&office("ann"), grant("gov:wei", Role::UnitOfficer)).then([granted()]);
    let elsewhere = crate::Viewer { region: "430000".parse().unwrap(), ..office("ann") };
    ask(&elsewhere, grant("gov:wei", Role::UnitOfficer)).then_rejected("NOT_PERMITTED");
    let no_administrator = crate::Viewer { roles: vec![Role::LeadingGroupOffice], ..office("ann") };
    ask(&no_administrator, grant("gov:wei", Role::UnitOfficer)).then_rejected("NOT_PERMITTED");
}

#[test]
fn what_cannot_be_granted_is_refused_by_name() {
    let ask =
        |command: GrantRole| given::<RoleGrant>([]).with(facts("ACTIVE")).when(&office("gov:ann"), command);
    for role in [Role::Public, Role::Scheduler] {
        ask(grant("gov:wei", role)).then_rejected("INVALID_INPUT");
    }
    for actor in ["", "wei", ":wei", "gov:"] {
        ask(grant(actor, Role::Auditor)).then_rejected("INVALID_INPUT");
    }
    ask(GrantRole { unit_id: None, ..grant("gov:wei", Role::UnitOfficer) }).then_rejected("INVALID_INPUT");
    let over = GrantRole { valid_until: Date::new(1969, 12, 31), ..grant("gov:wei", Role::Auditor) };
    ask(over).then_rejected("INVALID_INPUT");
    ask(grant("gov:ann", Role::Auditor)).then_rejected("RULE_VIOLATION");
    let gone = given::<RoleGrant>([]).with(facts("MERGED"));
    gone.when(&office("ann"), grant("gov:wei", Role::UnitOfficer)).then_rejected("INVALID_INPUT");
}

#[test]
fn a_role_is_revoked_once_and_with_a_reason() {
    let id = Id::new(Uuid::nil());
    let revoke = |reason: &str| RevokeRole { id, reason: reason.into() };
    let revoked = RoleGrantEvent::Revoked { reason: "调离".into() };
    given::<RoleGrant>([("ann", granted())]).when(&office("ann"), revoke("调离")).then([revoked.clone()]);
    given::<RoleGrant>([("ann", granted()), ("ann", revoked)])
        .when(&office("ann"), revoke("调离"))
        .then_rejected("NOT_ALLOWED_IN_STATE");
    given::<RoleGrant>([("ann", granted())]).when(&office("ann"), revoke(" ")).then_rejected("INVALID_INPUT");
}
