//! One example of every event as the log has it, checked in: what was once written must be readable for ever.
//!
//! `golden/<Kind>.v<n>.json` holds `{type, data}` of version n of the events, as [`encode`] gave them. A payload that
//! changes breaks this test, and that is its purpose: it needs a new version and an [`Upcast`](crate::aggregate::Upcast).
//! `golden/<Kind>.upcast.json` says as what the examples of former versions are read now.
//!
//! For a new event or version change the examples, then run the test once with `UPDATE_GOLDEN=1`: examples that a file
//! lacks are added, those it has are never touched.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Aggregate, Event, Kind,
    access::{role_grant::*, service_key::*},
    aggregate::{decode, encode, schema_version},
    complaints::violation_report::*,
    integration::event_subscription::*,
    organisation::unit::*,
    performance::{
        assessment::*, assessment_scheme::*, attainment::*, indicator::*, report::*, reporting_duty::*,
        scoring::*, supervision_item::*, survey::*,
    },
    policy::{AuthenticationMethod, Classification, Role},
    programme::{data_import::*, leading_group::*, local_plan::*, plan::*, task::*},
    time::TimeUnit,
};

mod examples;
mod versions;

const ADVICE: &str = "payloads never change: add a new event version with an upcaster";

/// An aggregate whose events have examples.
trait Golden: Aggregate {
    /// What its files are called.
    const FILE: &'static str;
    /// Where they are, below `golden/`.
    const DIRECTORY: &'static str = "";
    /// Made wrong on purpose: its files are not touched.
    const WRONG: bool = false;
    /// Examples in the order of the variants: the first of each has every field filled.
    fn examples() -> Vec<Self::Event>;
}

/// Names each aggregate once, with what makes its examples.
macro_rules! golden {
    ($($name:ident by $examples:ident in $test:ident;)+) => {
        $(
            impl Golden for $name {
                const FILE: &'static str = stringify!($name);
                fn examples() -> Vec<Self::Event> {
                    examples::$examples()
                }
            }
            #[test]
            fn $test() {
                compare::<$name>();
            }
        )+
        #[test]
        fn every_kind_has_examples() {
            assert_eq!([$(Kind::$name),+].as_slice(), Kind::ALL);
        }
    };
}
golden! {
    Unit by unit_events in units_stay_readable;
    Plan by plan_events in plans_stay_readable;
    Task by task_events in tasks_stay_readable;
    Indicator by indicator_events in indicators_stay_readable;
    DataImport by data_import_events in data_imports_stay_readable;
    ReportingDuty by reporting_duty_events in reporting_duties_stay_readable;
    Report by report_events in reports_stay_readable;
    SupervisionItem by supervision_item_events in supervision_items_stay_readable;
    LocalPlan by local_plan_events in local_plans_stay_readable;
    AssessmentScheme by assessment_scheme_events in assessment_schemes_stay_readable;
    Assessment by assessment_events in assessments_stay_readable;
    Survey by survey_events in surveys_stay_readable;
    LeadingGroup by leading_group_events in leading_groups_stay_readable;
    RoleGrant by role_grant_events in role_grants_stay_readable;
    ServiceKey by service_key_events in service_keys_stay_readable;
    ViolationReport by violation_report_events in violation_reports_stay_readable;
    EventSubscription by event_subscription_events in event_subscriptions_stay_readable;
}

/// An event as the log has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    r#type: String,
    data: Value,
}

/// As what the payload of a former version is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Upcasted {
    r#type: String,
    from: i32,
    to: i32,
    stored: Value,
    read: Value,
}

fn variants<A: Aggregate>() -> impl Iterator<Item = &'static str> {
    A::Event::TYPES.iter().map(|(variant, _)| *variant)
}

fn entry<A: Aggregate>(event: &A::Event) -> Entry {
    let (r#type, data) = encode::<A>(event).unwrap();
    Entry { r#type, data: serde_json::from_str(&data).unwrap() }
}

fn read_entry<A: Aggregate>(kept: &Entry, version: i32) -> Entry {
    let Entry { r#type, data } = kept;
    let event = decode::<A>(r#type, version, &data.to_string());
    let event =
        event.unwrap_or_else(|error| panic!("{type} v{version} is not read any more ({error}): {ADVICE}"));
    entry::<A>(&event)
}

fn compare<A: Golden>() {
    let full = |variant: &str| format!("{}{variant}", A::KIND.name());
    let types: Vec<String> = variants::<A>().map(full).collect();
    let newest = types.iter().map(|name| schema_version::<A>(name)).max().unwrap();
    steps_are_whole::<A>();
    let mut upcasted = Vec::new();
    for version in 1..=newest {
        let path = file(A::DIRECTORY, A::FILE, &format!("v{version}"));
        let mut entries: Vec<Entry> = read(&path);
        let made: Vec<Entry> = A::examples().iter().map(entry::<A>).collect();
        let written_in = |entry: &Entry| schema_version::<A>(&entry.r#type) == version;
        let made: Vec<Entry> = made.into_iter().filter(written_in).collect();
        if updating() && !A::WRONG && add_missing(&mut entries, &made) {
            write(&path, &entries);
        }
        let (kept, made) = (by_type(&entries), by_type(&made));
        for name in types.iter().map(String::as_str) {
            let current = schema_version::<A>(name);
            if current < version {
                assert!(
                    !kept.contains_key(name),
                    "{name} is in {path:?} but has no version {version}: {ADVICE}"
                );
                continue;
            }
            let kept = kept.get(name).unwrap_or_else(|| panic!("{name} is not in {path:?}: UPDATE_GOLDEN=1"));
            if current > version {
                upcasted.extend(kept.iter().map(|entry| Upcasted {
                    r#type: name.to_owned(),
                    from: version,
                    to: current,
                    stored: entry.data.clone(),
                    read: read_entry::<A>(entry, version).data,
                }));
                continue;
            }
            for entry in kept {
                assert_eq!(
                    read_entry::<A>(entry, version),
                    **entry,
                    "{name} is not written as it was read: {ADVICE}"
                );
            }
            let made = made.get(name).unwrap_or_else(|| panic!("{name} has no example"));
            assert!(
                is_full(&made[0].data),
                "the first example of {name} leaves a field empty: {}",
                made[0].data
            );
            assert_eq!(made, kept, "{name} differs from {path:?}: {ADVICE}");
        }
        let known = |name: &&str| types.iter().any(|known| known == name);
        assert!(kept.keys().all(known), "{path:?} has events that are no more: {ADVICE}");
    }
    let beyond = file(A::DIRECTORY, A::FILE, &format!("v{}", newest + 1));
    assert!(!beyond.exists(), "{beyond:?} is of a version that is no more: {ADVICE}");
    read_as_before::<A>(upcasted);
}

/// Former versions are read as it is written down.
fn read_as_before<A: Golden>(upcasted: Vec<Upcasted>) {
    let path = file(A::DIRECTORY, A::FILE, "upcast");
    let mut kept: Vec<Upcasted> = read(&path);
    if updating() && !A::WRONG {
        // What was read as a version that is a former one now, is read as another.
        kept.retain(|kept| kept.to == schema_version::<A>(&kept.r#type));
        let of = |upcasted: &Upcasted| (upcasted.r#type.clone(), upcasted.from);
        let known: BTreeSet<(String, i32)> = kept.iter().map(of).collect();
        kept.extend(upcasted.iter().filter(|upcasted| !known.contains(&of(upcasted))).cloned());
        if !kept.is_empty() {
            write(&path, &kept);
        }
    }
    assert_eq!(upcasted.len(), kept.len(), "{path:?} lacks examples of former versions: UPDATE_GOLDEN=1");
    for upcasted in upcasted {
        assert!(
            kept.contains(&upcasted),
            "{upcasted:?} was read otherwise before, see {path:?}: upcasters never change"
        );
    }
}

/// Each event has one step for each version but the last.
fn steps_are_whole<A: Golden>() {
    let mut steps: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for upcast in A::UPCASTS {
        assert!(
            variants::<A>().any(|variant| variant == upcast.event),
            "{} is upcast but is no event",
            upcast.event
        );
        steps.entry(upcast.event).or_default().push(upcast.from);
    }
    for (event, from) in steps {
        let whole: Vec<i32> = (1..).take(from.len()).collect();
        assert_eq!(from, whole, "the steps of {event} are not one for each version, in order");
    }
}

/// Words stand in payloads and beside them: new ones may come, none may go or be spelled anew.
macro_rules! words {
    ($($vocabulary:ident),+) => {
        BTreeMap::from([$((
            stringify!($vocabulary).to_owned(),
            $vocabulary::ALL.iter().map(|word| word.as_str().to_owned()).collect::<BTreeSet<String>>(),
        )),+])
    };
}

#[test]
fn words_stay_readable() {
    let spoken: BTreeMap<String, BTreeSet<String>> = words![
        AssessmentSchemeStatus,
        AssessmentStatus,
        Assignment,
        AuthenticationMethod,
        Cadence,
        Classification,
        Comparator,
        DataImportStatus,
        DeclineGround,
        DeliveryMethod,
        DutyTrigger,
        EnvelopeForm,
        EventSubscriptionStatus,
        ImportFormat,
        IndicatorStatus,
        InformerIdentity,
        IntakeChannel,
        Kind,
        LeadingGroupPost,
        LeadingGroupStatus,
        LocalPlanStatus,
        Measure,
        PlanStatus,
        Recurrence,
        ReportStatus,
        ReportSubject,
        ReportingDutyStatus,
        Role,
        RoleGrantStatus,
        ScoreSource,
        ServiceKeyStatus,
        SignatureScheme,
        SupervisionStatus,
        SurveyKind,
        SurveyMethod,
        SurveyStatus,
        SuspensionCause,
        TargetBasis,
        TaskKind,
        TaskStatus,
        TimeUnit,
        UnitKind,
        UnitStatus,
        ViolationCategory,
        ViolationReportStatus
    ];
    let path = file("", "words", "v1");
    let mut kept: BTreeMap<String, BTreeSet<String>> = read(&path);
    if updating() {
        for (vocabulary, words) in &spoken {
            kept.entry(vocabulary.clone()).or_default().extend(words.iter().cloned());
        }
        write(&path, &kept);
    }
    assert_eq!(spoken, kept, "words never change; UPDATE_GOLDEN=1 adds new ones");
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}
fn file(directory: &str, name: &str, of: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "golden", directory, &format!("{name}.{of}.json")].iter().collect()
}
fn read<T: DeserializeOwned + Default>(path: &Path) -> T {
    fs::read_to_string(path).map_or_else(|_| T::default(), |text| serde_json::from_str(&text).unwrap())
}
fn write(path: &Path, content: &impl Serialize) {
    fs::write(path, serde_json::to_string_pretty(content).unwrap() + "\n").unwrap();
}

fn by_type(entries: &[Entry]) -> BTreeMap<&str, Vec<&Entry>> {
    let mut types: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        types.entry(&entry.r#type).or_default().push(entry);
    }
    types
}

/// Adds the examples of types that are not there at all; whether there were any.
fn add_missing(entries: &mut Vec<Entry>, examples: &[Entry]) -> bool {
    let known = entries.clone();
    let missing = examples.iter().filter(|example| known.iter().all(|entry| entry.r#type != example.r#type));
    entries.extend(missing.cloned());
    entries.len() > known.len()
}

/// Whether no field is left out; an event without any payload is full.
fn is_full(data: &Value) -> bool {
    fn filled(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(list) => !list.is_empty() && list.iter().all(filled),
            Value::Object(fields) => fields.values().all(filled),
            Value::Bool(_) | Value::Number(_) => true,
        }
    }
    data.is_null() || filled(data)
}
