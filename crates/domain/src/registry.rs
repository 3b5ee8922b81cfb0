//! Every aggregate of the programme, named once.

macro_rules! aggregates {
    ($($code:literal $name:ident = $word:literal, $term:literal in $($path:ident)::+;)+) => {
        vocabulary! {
            /// The kinds of objects that have a life of their own (对象类别).
            pub enum Kind { $($name = $word, $term;)+ }
        }
        $(use crate::$($path)::+::$name;)+

        impl Kind {
            /// The kind's name as types and events spell it: `Task` in `TaskAccepted`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
            /// The byte that stands for it in ids that leave the service; never reused.
            pub const fn code(self) -> u8 {
                match self { $(Self::$name => $code),+ }
            }
            /// The kind with this byte.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
            /// The status word of this kind that is spelled so.
            pub fn status_word(self, word: &str) -> Option<&'static str> {
                match self { $(Self::$name => spelled::<$name>(word)),+ }
            }
            /// The types of its events with their Chinese terms, such as `TaskAccepted`, 任务已接收.
            pub fn event_types(self) -> Vec<EventTypeName> {
                match self { $(Self::$name => event_types::<$name>()),+ }
            }
            /// What its events hold, and examples as the log has them: the first version of each.
            #[cfg(feature = "json-schema")]
            pub(crate) fn payloads(self) -> Payloads {
                match self {
                    $(Self::$name => Payloads {
                        schema: catalogue::schema_of::<<$name as Aggregate>::Event>(),
                        examples: include_str!(concat!("../golden/", stringify!($name), ".v1.json")),
                    }),+
                }
            }
            /// The lifecycle of this kind, for reading.
            pub fn lifecycle(self) -> LifecycleTable {
                match self { $(Self::$name => table::<$name>()),+ }
            }
        }
    };
}
aggregates! {
    1 Unit = "UNIT", "单位" in organisation::unit;
    2 Plan = "PLAN", "质量工作方案" in programme::plan;
    3 Task = "TASK", "任务" in programme::task;
    4 Indicator = "INDICATOR", "指标" in performance::indicator;
    5 DataImport = "DATA_IMPORT", "数据导入" in programme::data_import;
    6 ReportingDuty = "REPORTING_DUTY", "报告义务" in performance::reporting_duty;
    7 Report = "REPORT", "报告" in performance::report;
    8 SupervisionItem = "SUPERVISION_ITEM", "督办件" in performance::supervision_item;
    9 LocalPlan = "LOCAL_PLAN", "具体方案" in programme::local_plan;
    10 AssessmentScheme = "ASSESSMENT_SCHEME", "考核办法" in performance::assessment_scheme;
    11 Assessment = "ASSESSMENT", "考核" in performance::assessment;
    12 Survey = "SURVEY", "满意度调查" in performance::survey;
    13 LeadingGroup = "LEADING_GROUP", "领导小组" in programme::leading_group;
    14 RoleGrant = "ROLE_GRANT", "角色授权" in access::role_grant;
    15 ServiceKey = "SERVICE_KEY", "服务密钥" in access::service_key;
    16 ViolationReport = "VIOLATION_REPORT", "举报线索" in complaints::violation_report;
    17 EventSubscription = "EVENT_SUBSCRIPTION", "事件订阅" in integration::event_subscription;
}

#[cfg(feature = "json-schema")]
use crate::catalogue::{self, Payloads};
use crate::{
    Aggregate, Event,
    aggregate::schema_version,
    lifecycle::{self, Parent, Requirement, Status, To},
    policy::By,
};

/// What can happen to an object, in the version that is written now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTypeName {
    /// As the log and the filters spell it: `TaskAccepted`.
    pub name: String,
    /// The Chinese term.
    pub term: &'static str,
    /// The version in which its payload is written.
    pub version: i32,
}

/// A lifecycle without its types: words only, for those who read tables.
#[derive(Clone, Debug)]
pub struct LifecycleTable {
    /// Every status word with its Chinese term.
    pub states: Vec<(&'static str, &'static str)>,
    /// The states that no step leaves.
    pub finals: Vec<&'static str>,
    /// Every step.
    pub steps: Vec<StepRow>,
    /// The table as a Mermaid state diagram.
    pub diagram: String,
}

/// One step of a [`LifecycleTable`]; the fields are those of [`lifecycle::Step`].
#[derive(Clone, Debug)]
pub struct StepRow {
    /// The command and mutation.
    pub action: &'static str,
    /// The Chinese term.
    pub term: &'static str,
    /// States it may start from; empty when it creates.
    pub from: Vec<&'static str>,
    /// States it may lead to; empty when the state stays.
    pub to: Vec<&'static str>,
    /// Who may take it.
    pub by: &'static [By],
    /// What else it needs.
    pub requires: &'static [Requirement],
    /// Under what it creates.
    pub parent: Option<Parent>,
    /// What it rests on.
    pub basis: Option<&'static str>,
}

fn spelled<A: Aggregate>(word: &str) -> Option<&'static str> {
    A::Status::all().iter().map(|status| status.as_str()).find(|known| *known == word)
}

fn event_types<A: Aggregate>() -> Vec<EventTypeName> {
    let types = A::Event::TYPES.iter().map(|(variant, term)| (format!("{}{variant}", A::KIND.name()), *term));
    types.map(|(name, term)| EventTypeName { version: schema_version::<A>(&name), name, term }).collect()
}

fn table<A: Aggregate>() -> LifecycleTable {
    let words = |states: &[A::Status]| states.iter().map(|state| state.as_str()).collect();
    LifecycleTable {
        states: A::Status::all().iter().map(|state| (state.as_str(), state.term())).collect(),
        finals: words(&lifecycle::finals(A::STEPS)),
        steps: A::STEPS
            .iter()
            .map(|step| StepRow {
                action: step.action,
                term: step.term,
                from: words(step.from),
                to: match step.to {
                    To::State(state) => vec![state.as_str()],
                    To::OneOf(states) => words(states),
                    To::Same => Vec::new(),
                },
                by: step.by,
                requires: step.requires,
                parent: step.parent,
                basis: step.basis,
            })
            .collect(),
        diagram: lifecycle::mermaid(A::STEPS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn actions_are_unique_over_all_kinds_and_tables_are_sound() {
        let mut actions = BTreeSet::new();
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(*kind));
            for step in kind.lifecycle().steps {
                assert!(actions.insert(step.action), "{} stands twice", step.action);
                assert!(!step.by.is_empty(), "{} may be taken by nobody", step.action);
                let states: Vec<_> = kind.lifecycle().states.iter().map(|(word, _)| *word).collect();
                assert!(step.from.iter().chain(&step.to).all(|word| states.contains(word)));
                if let Some(parent) = step.parent {
                    assert!(step.from.is_empty(), "{} creates under a parent", step.action);
                    assert!(parent.states.iter().all(|word| parent.kind.status_word(word).is_some()));
                }
            }
        }
    }

    #[test]
    fn lifecycle_diagrams() {
        for kind in Kind::ALL {
            insta::assert_snapshot!(
                format!("lifecycle_{}", kind.as_str().to_lowercase()),
                kind.lifecycle().diagram
            );
        }
    }
}
