use super::*;
use crate::{
    Fact,
    spec::{given, office},
};
use uuid::Uuid;

fn unit() -> Id<Unit> {
    Id::new(Uuid::from_u128(7))
}
fn facts() -> Facts {
    let unit = Fact {
        kind: Kind::Unit,
        id: unit().uuid(),
        status: "ACTIVE".into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    Facts { objects: vec![unit], ..Facts::default() }
}
fn issue() -> IssueServiceKey {
    IssueServiceKey {
        name: "信用平台".into(),
        unit_id: unit(),
        roles: vec![Role::Integrator],
        region_code: "620000".parse().unwrap(),
        expires_on: Date::new(1970, 12, 31).unwrap(),
        digest: [10; 32],
    }
}
fn ask(command: IssueServiceKey) -> crate::spec::When<ServiceKey> {
    given::<ServiceKey>([]).with(facts()).when(&office("ann"), command)
}

#[test]
fn a_key_is_issued_with_the_roles_of_connected_systems_only() {
    let twice = IssueServiceKey { roles: vec![Role::Integrator, Role::Integrator], ..issue() };
    ask(twice).then([ServiceKeyEvent::Issued {
        name: "信用平台".into(),
        unit_id: unit(),
        roles: vec![Role::Integrator],
        region_code: "620000".parse().unwrap(),
        expires_on: Date::new(1970, 12, 31).unwrap(),
        digest: "0a".repeat(32),
    }]);
    for roles in [vec![], vec![Role::Administrator], vec![Role::Integrator, Role::LeadingGroupOffice]] {
        ask(IssueServiceKey { roles, ..issue() }).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn a_key_expires_within_a_year() {
    for day in [Date::new(1969, 12, 31), Date::new(1971, 1, 3)] {
        ask(IssueServiceKey { expires_on: day.unwrap(), ..issue() }).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn the_digest_is_no_part_of_what_a_retry_repeats() {
    let other = IssueServiceKey { digest: [11; 32], ..issue() };
    let spelled = |command: &IssueServiceKey| serde_json::to_string(command).unwrap();
    assert_eq!(spelled(&issue()), spelled(&other));
}
