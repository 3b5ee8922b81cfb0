use super::*;
use crate::{
    Fact, Viewer,
    policy::AuthenticationMethod,
    spec::{Given, given, office},
};
use uuid::Uuid;

fn unit() -> Id<Unit> {
    Id::new(Uuid::from_u128(7))
}
fn id() -> Id<EventSubscription> {
    Id::new(Uuid::from_u128(9))
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
fn system() -> Viewer {
    Viewer {
        actor: "key:1".into(),
        roles: vec![Role::Integrator],
        units: vec![unit()],
        region: "620000".parse().unwrap(),
        method: AuthenticationMethod::ServiceKey,
    }
}
fn key() -> SigningKey {
    SigningKey {
        scheme: SignatureScheme::Ed25519,
        secret: Sealed::new(Uuid::from_u128(5), "c2VjcmV0").unwrap(),
        public_key: Some("whpk_AA==".into()),
    }
}
fn create() -> CreateSubscription {
    CreateSubscription {
        name: "信用平台".into(),
        unit_id: unit(),
        region_code: "620000".parse().unwrap(),
        filter: ChangeFilter { kinds: vec![Kind::Task], ..ChangeFilter::default() },
        after: None,
        head: 5,
        envelope: EnvelopeForm::Full,
        endpoint: None,
    }
}
fn created(url: Option<&str>) -> EventSubscriptionEvent {
    EventSubscriptionEvent::Created {
        name: "信用平台".into(),
        unit_id: unit(),
        region_code: "620000".parse().unwrap(),
        filter: ChangeFilter::default(),
        after: 5,
        envelope: EnvelopeForm::Full,
        method: if url.is_some() { DeliveryMethod::Webhook } else { DeliveryMethod::Pull },
        endpoint: url.map(|url| Endpoint { url: url.into(), key: key() }),
    }
}
fn webhook() -> Given<EventSubscription> {
    given([("ann", created(Some("https://hub.example.cn/in")))])
}
fn ask(viewer: &Viewer, command: CreateSubscription) -> crate::spec::When<EventSubscription> {
    given::<EventSubscription>([]).with(facts()).when(viewer, command)
}

#[test]
fn a_system_subscribes_for_its_own_unit_and_region() {
    ask(&system(), create()).then([EventSubscriptionEvent::Created {
        filter: ChangeFilter { kinds: vec![Kind::Task], ..ChangeFilter::default() },
        name: "信用平台".into(),
        unit_id: unit(),
        region_code: "620000".parse().unwrap(),
        after: 5,
        envelope: EnvelopeForm::Full,
        method: DeliveryMethod::Pull,
        endpoint: None,
    }]);
    let stranger = Viewer { units: Vec::new(), ..system() };
    ask(&stranger, create()).then_rejected("INVALID_INPUT");
    let elsewhere = CreateSubscription { region_code: "430000".parse().unwrap(), ..create() };
    ask(&system(), elsewhere).then_rejected("NOT_PERMITTED");
    let officer = Viewer { roles: vec![Role::UnitOfficer], ..system() };
    ask(&officer, create()).then_rejected("NOT_PERMITTED");
}

#[test]
fn addresses_have_a_form() {
    for url in [
        "ftp://hub.example.cn/",
        "https://",
        "https:///path",
        "https://me:secret@hub.example.cn/",
        "https://hub.example.cn/#part",
        "https://质量.cn/",
        "https://hub.example.cn/a b",
        "hub.example.cn",
    ] {
        let endpoint = Some(NewEndpoint { url: url.into(), key: key(), others: 0 });
        let command = CreateSubscription { endpoint, ..create() };
        ask(&office("ann"), command).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn there_are_no_more_webhooks_than_are_served() {
    let url = "https://hub.example.cn/";
    let webhook = |others| {
        let endpoint = Some(NewEndpoint { url: url.into(), key: key(), others });
        CreateSubscription { endpoint, filter: ChangeFilter::default(), ..create() }
    };
    ask(&system(), webhook(MOST_WEBHOOKS - 1)).then([created(Some(url))]);
    ask(&system(), webhook(MOST_WEBHOOKS)).then_rejected("RULE_VIOLATION");
}

#[test]
fn filters_are_bounded_and_name_types_that_can_be() {
    for filter in [
        ChangeFilter { kinds: vec![Kind::Task; 101], ..ChangeFilter::default() },
        ChangeFilter { types: vec!["Accepted".into()], ..ChangeFilter::default() },
        ChangeFilter { types: vec!["Task".into()], ..ChangeFilter::default() },
        ChangeFilter { types: vec!["Task Accepted".into()], ..ChangeFilter::default() },
    ] {
        ask(&system(), CreateSubscription { filter, ..create() }).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn a_webhook_is_confirmed_by_the_service_at_its_present_address() {
    let confirm = |url: &str| ConfirmEndpoint { id: id(), url: url.into() };
    let at = "https://hub.example.cn/in";
    webhook().when(&office("ann"), confirm(at)).then_rejected("NOT_PERMITTED");
    webhook()
        .when(&Viewer::scheduler(), confirm(at))
        .then([EventSubscriptionEvent::EndpointConfirmed { url: at.into() }]);
    webhook()
        .when(&Viewer::scheduler(), confirm("https://other.example.cn/"))
        .then_rejected("RULE_VIOLATION");
    let pulled = || given::<EventSubscription>([("ann", created(None))]);
    pulled().when(&office("ann"), MoveEndpoint { id: id(), url: at.into() }).then_rejected("RULE_VIOLATION");
}

#[test]
fn a_webhook_that_was_stopped_is_challenged_again() {
    let paused = EventSubscriptionEvent::Paused { reason: "维护".into() };
    let at = Some("https://hub.example.cn/in");
    for (url, status) in [(at, Unverified), (None, Active)] {
        let mut state = EventSubscription::default();
        let stamp = Stamp { actor: "ann".into(), at: DateTime::UNIX_EPOCH };
        state.evolve(&created(url), &stamp);
        state.evolve(&paused, &stamp);
        let facts = Facts::default();
        let context = Context { viewer: &system(), now: DateTime::UNIX_EPOCH, facts: &facts };
        for event in state.clone().handle(ResumeSubscription { id: id() }.into(), &context).unwrap() {
            state.evolve(&event, &stamp);
        }
        assert_eq!(state.status(), Some(status));
    }
}

#[test]
fn secrets_overlap_for_a_week_at_most() {
    let rotate = |overlap_hours| RotateSigningSecret { id: id(), overlap_hours, key: key() };
    webhook().when(&system(), rotate(24)).then([EventSubscriptionEvent::SigningSecretRotated {
        key: key(),
        former_until: DateTime::UNIX_EPOCH + TimeDelta::hours(24),
    }]);
    for hours in [-1, 169] {
        webhook().when(&system(), rotate(hours)).then_rejected("INVALID_INPUT");
    }
}

#[test]
fn a_change_changes_something() {
    let nothing = ChangeSubscription { id: id(), name: None, filter: None, envelope: None };
    webhook().when(&system(), nothing).then_rejected("INVALID_INPUT");
    let rewind = RewindSubscription { id: id(), after: -1, subject_id: None, reason: "重放".into() };
    webhook().when(&system(), rewind).then_rejected("INVALID_INPUT");
}
