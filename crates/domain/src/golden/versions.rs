//! The shape of versions, proved on an aggregate that only stands here: an event of three versions, and ways to do it
//! wrong.
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::{
    Context, Rejection, Subject,
    aggregate::{Facts, Stamp, Undecodable, Upcast},
    lifecycle::Step,
};

events! {
    /// Once `kilograms` in words, then `grams`, now also `by` whom.
    pub(super) enum ParcelEvent {
        /// 已称重
        Weighed { grams: i64, by: Option<String> },
        /// 已发出
        Sent,
    }
}

fn kilograms_become_grams(mut data: Value) -> Value {
    let kilograms = data["kilograms"].as_str().unwrap_or_default();
    let (whole, part) = kilograms.split_once('.').unwrap_or((kilograms, ""));
    let grams = format!("{whole}{part:0<3.3}").parse::<i64>().unwrap_or_default();
    if let Some(fields) = data.as_object_mut() {
        fields.remove("kilograms");
        fields.insert("grams".into(), json!(grams));
    }
    data
}

fn nobody_is_known(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("by".into(), Value::Null);
    }
    data
}

const STEPS: &[Upcast] = &[
    Upcast { event: "Weighed", from: 1, step: kilograms_become_grams },
    Upcast { event: "Weighed", from: 2, step: nobody_is_known },
];

/// Aggregates of one event enum that differ in their upcasters and golden files.
macro_rules! parcels {
    ($($name:ident = $upcasts:expr, $file:literal, wrong: $wrong:literal;)+) => {$(
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        struct $name;
        impl Aggregate for $name {
            const KIND: Kind = Kind::Unit;
            type Status = UnitStatus;
            type Command = UnitCommand;
            type Event = ParcelEvent;
            const STEPS: &'static [Step<UnitStatus>] = &[];
            const UPCASTS: &'static [Upcast] = $upcasts;
            fn status(&self) -> Option<UnitStatus> {
                None
            }
            fn subject(&self, _: Option<&UnitCommand>, _: &Facts) -> Subject {
                Subject::default()
            }
            fn decide(&self, _: UnitCommand, _: &Context<'_>) -> Result<Vec<ParcelEvent>, Rejection> {
                Ok(Vec::new())
            }
            fn evolve(&mut self, _: &ParcelEvent, _: &Stamp) {}
        }
        impl Golden for $name {
            const FILE: &'static str = $file;
            const DIRECTORY: &'static str = "parcels";
            const WRONG: bool = $wrong;
            fn examples() -> Vec<ParcelEvent> {
                let weighed = |by: Option<&str>| ParcelEvent::Weighed { grams: 1_500, by: by.map(str::to_owned) };
                vec![weighed(Some("ann")), weighed(None), ParcelEvent::Sent]
            }
        }
    )+};
}
parcels! {
    Parcel = STEPS, "Parcel", wrong: false;
    // The payload was changed and no version was made.
    Unversioned = &[], "Unversioned", wrong: true;
    // A version was made and its example left out.
    Exampleless = STEPS, "Exampleless", wrong: true;
    // An upcaster was changed later.
    Rewritten = &[STEPS[0], Upcast { event: "Weighed", from: 2, step: |mut data| { data["by"] = json!("bob"); data } }], "Parcel", wrong: true;
    // A step is missing.
    Gapped = &[STEPS[1]], "Parcel", wrong: true;
}

#[test]
fn every_version_is_read_as_it_is_written_down() {
    compare::<Parcel>();
}

#[test]
#[should_panic(expected = "payloads never change")]
fn a_payload_that_changes_without_a_version_is_caught() {
    compare::<Unversioned>();
}

#[test]
#[should_panic(expected = "is not in")]
fn a_version_without_an_example_is_caught() {
    compare::<Exampleless>();
}

#[test]
#[should_panic(expected = "upcasters never change")]
fn an_upcaster_that_changes_is_caught() {
    compare::<Rewritten>();
}

#[test]
#[should_panic(expected = "not one for each version")]
fn a_step_that_is_left_out_is_caught() {
    compare::<Gapped>();
}

#[test]
fn what_is_written_has_the_last_version() {
    let written = |event: &ParcelEvent| schema_version::<Parcel>(&encode::<Parcel>(event).unwrap().0);
    assert_eq!(written(&ParcelEvent::Weighed { grams: 1, by: None }), 3);
    assert_eq!(written(&ParcelEvent::Sent), 1);
}

#[test]
fn an_event_of_another_release_is_named_and_never_guessed() {
    let read = |name, version, data| decode::<Parcel>(name, version, data);
    // It would fit.
    let newer = read("UnitWeighed", 4, r#"{"grams":1,"by":null}"#).unwrap_err();
    assert!(matches!(newer, Undecodable::Newer { version: 4, known: 3 }), "{newer}");
    let newer = read("UnitSent", 2, "null").unwrap_err();
    assert_eq!(
        newer.to_string(),
        "it was written by a newer release: its payload has version 2, this release reads up to 1"
    );
    for version in [0, -1, i32::MIN] {
        let none = read("UnitWeighed", version, r#"{"grams":1,"by":null}"#).unwrap_err();
        assert!(matches!(none, Undecodable::NoVersion { .. }), "{none}");
    }
    assert!(matches!(read("UnitLost", 1, "null").unwrap_err(), Undecodable::Payload(_)));
    assert!(matches!(read("UnitWeighed", 1, "{").unwrap_err(), Undecodable::Payload(_)));
    assert!(matches!(read("UnitWeighed", 1, "[]").unwrap_err(), Undecodable::Payload(_)));
}

/// Any JSON, a few levels deep.
fn payload() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("grams|kilograms|by|[a-z]{1,5}", inner, 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// The steps of every aggregate there is, and those of the parcel.
fn all_steps() -> Vec<Upcast> {
    let plans =
        [Unit::UPCASTS, Plan::UPCASTS, Task::UPCASTS, Indicator::UPCASTS, DataImport::UPCASTS].concat();
    let reports = [ReportingDuty::UPCASTS, Report::UPCASTS, STEPS].concat();
    [plans, reports].concat()
}

proptest! {
    #[test]
    fn a_step_gives_the_same_every_time_and_never_panics(data in payload()) {
        for upcast in all_steps() {
            prop_assert_eq!((upcast.step)(data.clone()), (upcast.step)(data.clone()), "{} v{}", upcast.event, upcast.from);
        }
    }

    #[test]
    fn a_former_version_is_read_as_its_steps_taken_one_by_one(grams in 0..100_000_000_i64) {
        let first = json!({ "kilograms": format!("{}.{:03}", grams / 1_000, grams % 1_000) });
        let second = kilograms_become_grams(first.clone());
        let third = nobody_is_known(second.clone());
        let read = |version, data: &Value| decode::<Parcel>("UnitWeighed", version, &data.to_string()).unwrap();
        prop_assert_eq!(read(1, &first), ParcelEvent::Weighed { grams, by: None });
        prop_assert_eq!(read(1, &first), read(2, &second));
        prop_assert_eq!(read(2, &second), read(3, &third));
    }
}
