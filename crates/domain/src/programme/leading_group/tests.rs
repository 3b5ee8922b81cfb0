use super::*;
use crate::{
    Fact,
    spec::{given, office, officer},
};
use uuid::Uuid;

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn date(text: &str) -> Date {
    text.parse().unwrap()
}
fn establish() -> EstablishLeadingGroup {
    EstablishLeadingGroup {
        name: "推进质量振兴工作领导小组".into(),
        region_code: "620000".parse().unwrap(),
        plan_id: None,
        document: Some("甘政办发〔1968〕12号".into()),
        established_on: date("1968-03-18"),
    }
}
fn established() -> LeadingGroupEvent {
    let EstablishLeadingGroup { name, region_code, plan_id, document, established_on } = establish();
    LeadingGroupEvent::Established { name, region_code, plan_id, document, established_on }
}
fn appoint(person: &str, post: LeadingGroupPost, from: &str) -> AppointLeadingGroupMember {
    AppointLeadingGroupMember {
        id: id(9),
        unit_id: Some(id(2)),
        person: Some(person.into()),
        post,
        from: date(from),
    }
}
fn appointed(number: i32, person: &str, post: LeadingGroupPost, from: &str) -> LeadingGroupEvent {
    let AppointLeadingGroupMember { unit_id, person, post, from, .. } = appoint(person, post, from);
    LeadingGroupEvent::MemberAppointed { number, unit_id, person, post, from }
}
fn released(number: i32, until: &str) -> LeadingGroupEvent {
    LeadingGroupEvent::MemberReleased { number, until: date(until), reason: "工作调动".into() }
}
fn designated(unit: u128, from: &str) -> LeadingGroupEvent {
    LeadingGroupEvent::OfficeDesignated { unit_id: id(unit), from: date(from) }
}
fn unit(status: &str) -> Facts {
    let fact = Fact {
        kind: Kind::Unit,
        id: Uuid::from_u128(2),
        status: status.into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    Facts { objects: vec![fact], ..Facts::default() }
}
fn past(events: impl IntoIterator<Item = LeadingGroupEvent>) -> crate::spec::Given<LeadingGroup> {
    let history = std::iter::once(established()).chain(events);
    given::<LeadingGroup>(history.map(|event| ("ann", event))).with(unit("ACTIVE"))
}

#[track_caller]
fn refused_field(rejection: &Rejection, wanted: &str) {
    assert!(matches!(rejection, Rejection::Invalid { field, .. } if field == wanted), "{rejection:?}");
}
#[track_caller]
fn refused_rule(rejection: &Rejection, wanted: &str) {
    assert!(matches!(rejection, Rejection::Rule { rule, .. } if *rule == wanted), "{rejection:?}");
}

#[test]
fn the_office_establishes_a_group_on_a_day_that_has_come() {
    given::<LeadingGroup>([]).when(&office("ann"), establish()).then([established()]);
    given::<LeadingGroup>([]).when(&officer("bob", id(2)), establish()).then_rejected("NOT_PERMITTED");
    let later = EstablishLeadingGroup { established_on: date("1970-01-02"), ..establish() };
    let rejection = given::<LeadingGroup>([]).when(&office("ann"), later).then_rejected("INVALID_INPUT");
    refused_field(&rejection, "establishedOn");
}

#[test]
fn there_is_one_head_on_any_day() {
    use LeadingGroupPost::{DeputyHead, Head};
    let first = appointed(1, "甲", Head, "1968-03-18");
    past([]).when(&office("ann"), appoint("甲", Head, "1968-03-18")).then([first.clone()]);
    let rejection = past([first.clone()])
        .when(&office("ann"), appoint("乙", Head, "1969-01-01"))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "one-head-at-a-time");
    past([first.clone()]).when(&office("ann"), appoint("乙", DeputyHead, "1969-01-01")).then([appointed(
        2,
        "乙",
        DeputyHead,
        "1969-01-01",
    )]);
    // The last day of the one is not yet a day of the other.
    let left = released(1, "1968-12-31");
    past([first.clone(), left.clone()])
        .when(&office("ann"), appoint("乙", Head, "1968-12-31"))
        .then_rejected("RULE_VIOLATION");
    past([first, left]).when(&office("ann"), appoint("乙", Head, "1969-01-01")).then([appointed(
        2,
        "乙",
        Head,
        "1969-01-01",
    )]);
}

#[test]
fn a_member_is_in_a_post_once() {
    use LeadingGroupPost::{LiaisonOfficer, Member};
    let first = appointed(1, "丙", Member, "1968-04-01");
    let rejection = past([first.clone()])
        .when(&office("ann"), appoint("丙", Member, "1968-03-18"))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "memberships-do-not-overlap");
    past([first.clone()]).when(&office("ann"), appoint("丁", Member, "1968-04-01")).then([appointed(
        2,
        "丁",
        Member,
        "1968-04-01",
    )]);
    past([first.clone()])
        .when(&office("ann"), appoint("丙", LiaisonOfficer, "1968-04-01"))
        .then([appointed(2, "丙", LiaisonOfficer, "1968-04-01")]);
    past([first, released(1, "1968-12-31")])
        .when(&office("ann"), appoint("丙", Member, "1969-01-01"))
        .then([appointed(2, "丙", Member, "1969-01-01")]);
}

#[test]
fn a_member_is_a_unit_that_exists_or_a_person() {
    let unit_alone =
        AppointLeadingGroupMember { person: None, ..appoint("", LeadingGroupPost::Member, "1968-04-01") };
    let event = LeadingGroupEvent::MemberAppointed {
        number: 1,
        unit_id: Some(id(2)),
        person: None,
        post: LeadingGroupPost::Member,
        from: date("1968-04-01"),
    };
    past([]).when(&office("ann"), unit_alone.clone()).then([event]);
    let nobody = AppointLeadingGroupMember { unit_id: None, ..unit_alone.clone() };
    refused_field(&past([]).when(&office("ann"), nobody).then_rejected("INVALID_INPUT"), "person");
    let gone = past([]).with(unit("DISSOLVED")).when(&office("ann"), unit_alone.clone());
    refused_field(&gone.then_rejected("INVALID_INPUT"), "unitId");
    let early = AppointLeadingGroupMember { from: date("1968-03-17"), ..unit_alone };
    refused_field(&past([]).when(&office("ann"), early).then_rejected("INVALID_INPUT"), "from");
    let seat = DesignateLeadingGroupOffice { id: id(9), unit_id: id(2), from: date("1968-03-18") };
    let gone = past([]).with(unit("MERGED")).when(&office("ann"), seat);
    refused_field(&gone.then_rejected("INVALID_INPUT"), "unitId");
}

#[test]
fn a_group_has_two_hundred_memberships_at_most() {
    let many: Vec<LeadingGroupEvent> = (1..=200)
        .map(|number| appointed(number, &format!("成员{number}"), LeadingGroupPost::Member, "1968-04-01"))
        .collect();
    let rejection = past(many.clone())
        .when(&office("ann"), appoint("多余", LeadingGroupPost::Member, "1968-04-01"))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "memberships-are-bounded");
    past(many[..199].iter().cloned())
        .when(&office("ann"), appoint("成员200", LeadingGroupPost::Member, "1968-04-01"))
        .then([many[199].clone()]);
}

#[test]
fn a_membership_ends_once_and_not_before_it_began() {
    let first = appointed(1, "甲", LeadingGroupPost::Head, "1968-04-01");
    let release = |number, until: &str| ReleaseLeadingGroupMember {
        id: id(9),
        number,
        until: date(until),
        reason: "工作调动".into(),
    };
    past([first.clone()]).when(&office("ann"), release(1, "1968-04-01")).then([released(1, "1968-04-01")]);
    for (number, until, field) in
        [(1, "1968-03-31", "until"), (2, "1969-01-01", "number"), (0, "1969-01-01", "number")]
    {
        let rejection =
            past([first.clone()]).when(&office("ann"), release(number, until)).then_rejected("INVALID_INPUT");
        refused_field(&rejection, field);
    }
    let rejection = past([first, released(1, "1969-01-01")])
        .when(&office("ann"), release(1, "1969-02-01"))
        .then_rejected("RULE_VIOLATION");
    refused_rule(&rejection, "a-membership-ends-once");
}

#[test]
fn a_dissolved_group_takes_no_members() {
    let dissolve =
        |until: &str| DissolveLeadingGroup { id: id(9), until: date(until), reason: "机构改革".into() };
    let dissolved = LeadingGroupEvent::Dissolved { until: date("1969-12-31"), reason: "机构改革".into() };
    past([]).when(&office("ann"), dissolve("1969-12-31")).then([dissolved.clone()]);
    for until in ["1970-01-02", "1968-03-17"] {
        let rejection = past([]).when(&office("ann"), dissolve(until)).then_rejected("INVALID_INPUT");
        refused_field(&rejection, "until");
    }
    past([dissolved])
        .when(&office("ann"), appoint("甲", LeadingGroupPost::Head, "1968-04-01"))
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn who_belonged_and_where_the_office_sat_is_known_of_every_day() {
    use LeadingGroupPost::{Head, Member};
    let mut composition = Composition::default();
    for event in [
        designated(2, "1968-03-18"),
        appointed(1, "丙", Member, "1968-03-18"),
        appointed(2, "甲", Head, "1968-04-01"),
        released(2, "1968-12-31"),
        appointed(3, "乙", Head, "1969-01-01"),
        designated(3, "1969-06-01"),
        LeadingGroupEvent::Dissolved { until: date("1969-12-31"), reason: "机构改革".into() },
    ] {
        composition.evolve(&event);
    }
    for (day, numbers, seat) in [
        ("1968-03-17", vec![], None),
        ("1968-03-18", vec![1], Some(2)),
        ("1968-04-01", vec![2, 1], Some(2)),
        ("1968-12-31", vec![2, 1], Some(2)),
        ("1969-01-01", vec![3, 1], Some(2)),
        ("1969-05-31", vec![3, 1], Some(2)),
        ("1969-06-01", vec![3, 1], Some(3)),
        ("1969-12-31", vec![3, 1], Some(3)),
        ("1970-01-01", vec![], None),
    ] {
        let day = date(day);
        let members: Vec<i32> = composition.members_on(day).iter().map(|member| member.number).collect();
        let unit = composition.seat_on(day).map(|seat| seat.unit_id);
        assert_eq!((members, unit), (numbers, seat.map(id)), "{day}");
    }
}

#[test]
fn the_office_moves_forward_in_time() {
    let seat = |from: &str| DesignateLeadingGroupOffice { id: id(9), unit_id: id(2), from: date(from) };
    let first = designated(2, "1968-04-01");
    past([first.clone()]).when(&office("ann"), seat("1968-04-02")).then([designated(2, "1968-04-02")]);
    for from in ["1968-04-01", "1968-03-20"] {
        let rejection = past([first.clone()]).when(&office("ann"), seat(from)).then_rejected("INVALID_INPUT");
        refused_field(&rejection, "from");
    }
}

#[test]
fn a_name_is_given_back() {
    let mut group = LeadingGroup::default();
    let stamp = Stamp { actor: "ann".into(), at: chrono::DateTime::UNIX_EPOCH };
    let taken = group.claims(&established());
    group.evolve(&established(), &stamp);
    let renamed = LeadingGroupEvent::Renamed {
        name: "质量强省工作领导小组".into(),
        former_name: establish().name,
        reason: "更名".into(),
    };
    let claims = group.claims(&renamed);
    assert_eq!((&claims[0].key, claims[0].held), (&taken[0].key, false));
    assert!(claims[1].held);
    group.evolve(&renamed, &stamp);
    let freed =
        group.claims(&LeadingGroupEvent::Dissolved { until: date("1969-12-31"), reason: "撤销".into() });
    assert_eq!((&freed[0].key, freed[0].held), (&claims[1].key, false));
}
