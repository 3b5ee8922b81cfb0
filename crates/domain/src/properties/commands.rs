//! Random commands of every kind, and the values they are made of.
use chrono::{Days, NaiveDate};
use proptest::{collection::vec, option, prelude::*, sample::select};
use rust_decimal::Decimal;
use std::fmt::Debug;
use uuid::Uuid;

use crate::{
    Aggregate, Amount, Date, Id, Kind, Period, RegionCode, Role, Sealed,
    access::{role_grant::*, service_key::*},
    complaints::violation_report::*,
    id::GlobalId,
    integration::event_subscription::*,
    organisation::unit::*,
    performance::{
        assessment::*, assessment_scheme::*, attainment::*, indicator::*, report::*, reporting_duty::*,
        scoring::*, supervision_item::*, survey::*,
    },
    programme::{data_import::*, leading_group::*, local_plan::*, plan::*, task::*},
    time::{AppliedLimit, DueSoon, TimeUnit},
};

// Values: mostly such as officials write, some at the limits, some beyond.

/// Few, so that they meet; no two kinds share one.
pub(super) fn ids<T: Aggregate>() -> impl Strategy<Value = Id<T>> + Clone {
    let kind = u128::from(T::KIND.code()) << 64;
    (1_u128..4).prop_map(move |number| Id::new(Uuid::from_u128(kind | number)))
}
pub(super) fn maybe<T: Debug>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    option::weighted(0.4, value)
}
pub(super) fn list<T: Clone + Debug + 'static>(
    entry: impl Strategy<Value = T> + Clone + 'static,
) -> BoxedStrategy<Vec<T>> {
    prop_oneof![40 => vec(entry.clone(), 0..4), 1 => vec(entry, 201)].boxed()
}
pub(super) fn texts() -> BoxedStrategy<String> {
    let good = ["启动", "实施", "省质监局", "市场监管局", "%", "机构改革\n第二行", "👩‍👩‍👧🏮", " 省局 "];
    let bad = ["", " \t\n", "a\0b", "\u{1b}[31m", "\u{7f}", "\u{202e}倒"];
    prop_oneof![
        40 => select(good.to_vec()).prop_map(Into::into),
        2 => select(bad.to_vec()).prop_map(Into::into),
        1 => select(vec![100, 101, 200, 201, 5_000, 6_000]).prop_map(|length| "长".repeat(length)),
        1 => any::<String>(),
    ]
    .boxed()
}
pub(super) fn codes() -> BoxedStrategy<String> {
    let long = Just("A".repeat(61));
    prop_oneof![9 => select(vec!["GS-2011", "A20", "B", "a.b_c", "", "文 号"]).prop_map(Into::into), 1 => long].boxed()
}
pub(super) fn regions() -> impl Strategy<Value = RegionCode> + Clone {
    select(vec!["100000", "430000", "430100", "430121", "620000"]).prop_map(|code| code.parse().unwrap())
}
pub(super) fn dates() -> BoxedStrategy<Date> {
    let first = NaiveDate::from_ymd_opt(2017, 1, 1).unwrap();
    let extremes = [NaiveDate::MIN, NaiveDate::MAX, NaiveDate::from_ymd_opt(1900, 1, 1).unwrap()];
    prop_oneof![
        9 => (0_u64..1_500).prop_map(move |days| Date::from(first + Days::new(days))),
        1 => select(extremes.to_vec()).prop_map(Date::from),
    ]
    .boxed()
}
pub(super) fn periods() -> BoxedStrategy<Period> {
    let some =
        select(vec!["2017", "2018H1", "2018Q3", "2019-05", "1900", "2200-12", "2200"]).prop_map(String::from);
    prop_oneof![some, (1900..=2200).prop_map(|year: i32| year.to_string())]
        .prop_map(|text| text.parse().unwrap())
        .boxed()
}
pub(super) fn amounts() -> BoxedStrategy<Amount> {
    let known = ["0", "1", "60", "99.99", "100", "100.01", "-1", "0.0000000001"];
    let extremes = ["999999999999999999.9999999999", "-999999999999999999.9999999999"];
    prop_oneof![
        8 => select(known.to_vec()).prop_map(|text| text.parse().unwrap()),
        1 => select(extremes.to_vec()).prop_map(|text| text.parse().unwrap()),
        1 => (any::<i64>(), 0_u32..=10).prop_map(|(digits, scale)| Decimal::new(digits, scale).into()),
    ]
    .boxed()
}

// Commands, in the order of their declaration.

pub(super) fn unit_commands() -> BoxedStrategy<UnitCommand> {
    let kinds = prop_oneof![Just(UnitKind::UnitGroup), select(UnitKind::ALL)];
    let register = (texts(), kinds, regions(), maybe(texts()), list(texts()), maybe(texts()));
    prop_oneof![
        4 => register.prop_map(|(name, kind, region_code, official_name, aliases, note)| {
            RegisterUnit { name, kind, region_code, official_name, aliases, note }.into()
        }),
        4 => (ids(), texts(), maybe(texts()), texts()).prop_map(|(id, name, official_name, reason)| {
            RenameUnit { id, name, official_name, reason }.into()
        }),
        4 => (ids(), list(texts())).prop_map(|(id, aliases)| AddUnitAliases { id, aliases }.into()),
        4 => (ids(), list(ids())).prop_map(|(id, member_ids)| SetUnitMembers { id, member_ids }.into()),
        1 => (ids(), ids(), texts()).prop_map(|(id, into_id, reason)| MergeUnit { id, into_id, reason }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| DissolveUnit { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn phase_names() -> BoxedStrategy<String> {
    prop_oneof![9 => select(vec!["启动", "实施"]).prop_map(Into::into), 1 => texts()].boxed()
}
pub(super) fn plan_contents() -> impl Strategy<Value = PlanContent> {
    let names = (maybe(texts()), texts(), any::<bool>(), texts(), maybe(ids()), any::<bool>());
    let ends = prop_oneof![Just(Date::new(2030, 12, 31).unwrap()), dates()];
    let phase = (phase_names(), dates(), 0_u64..200).prop_map(|(name, from, days)| {
        let to = from.naive().checked_add_days(Days::new(days)).map_or(from, Date::from);
        Phase { name, from, to }
    });
    // So long that many a today lies in it.
    let long = phase_names().prop_map(|name| Phase {
        name,
        from: Date::new(1970, 1, 1).unwrap(),
        to: Date::new(2029, 12, 31).unwrap(),
    });
    let phase = prop_oneof![2 => phase, 1 => long];
    let basis = (maybe(texts()), texts(), maybe(texts()));
    let basis = basis.prop_map(|(document_number, title, issuer)| Basis { document_number, title, issuer });
    let rest = (
        option::weighted(0.1, dates()),
        ends,
        maybe(texts()),
        vec(phase, 0..3),
        vec(basis, 0..2),
        maybe(texts()),
    );
    (names, rest).prop_map(|(names, (period_start, period_end, period_note, phases, basis, guidance))| {
        let (document_number, title, title_is_assigned, issuer, issuer_id, issuer_is_inferred) = names;
        PlanContent {
            document_number,
            title,
            title_is_assigned,
            issuer,
            issuer_id,
            issuer_is_inferred,
            period_start,
            period_end,
            period_note,
            phases,
            basis,
            guidance,
        }
    })
}

pub(super) fn plan_commands() -> BoxedStrategy<PlanCommand> {
    let reporting =
        (texts(), texts(), select(Cadence::ALL), texts(), maybe(dates()), any::<bool>(), maybe(texts()))
            .prop_map(|(who, to, cadence, what, first_due, first_due_is_inferred, note)| {
                StatedReportingDuty { who, to, cadence, what, first_due, first_due_is_inferred, note }
            });
    let one_off =
        (texts(), texts(), select(DutyTrigger::ALL), texts(), maybe(dates()), maybe(texts())).prop_map(
            |(who, to, trigger, what, due_on, note)| OneOffDuty { who, to, trigger, what, due_on, note },
        );
    prop_oneof![
        4 => (codes(), regions(), plan_contents())
            .prop_map(|(code, region_code, content)| DraftPlan { code, region_code, content }.into()),
        4 => (ids(), plan_contents(), maybe(texts()))
            .prop_map(|(id, content, reason)| AmendPlan { id, content, reason }.into()),
        4 => (ids(), list(reporting.boxed()), list(one_off.boxed())).prop_map(
            |(id, reporting_duties, one_off_duties)| {
                RecordPlanDuties { id, reporting_duties, one_off_duties }.into()
            }
        ),
        4 => (ids(), maybe(dates())).prop_map(|(id, issued_on)| IssuePlan { id, issued_on }.into()),
        4 => (ids(), maybe(dates()), any::<bool>()).prop_map(|(id, effective_from, effective_from_is_assumed)| {
            BringPlanIntoForce { id, effective_from, effective_from_is_assumed }.into()
        }),
        4 => (ids(), phase_names()).prop_map(|(id, phase)| EnterPlanPhase { id, phase }.into()),
        4 => (ids(), phase_names()).prop_map(|(id, phase)| EnterPlanPhaseByDate { id, phase }.into()),
        2 => (ids(), maybe(texts())).prop_map(|(id, reason)| ConcludePlan { id, reason }.into()),
        1 => (ids(), ids(), texts()).prop_map(|(id, by_id, reason)| SupersedePlan { id, by_id, reason }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| RepealPlan { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn evidence() -> BoxedStrategy<Vec<Evidence>> {
    list((texts(), maybe(texts())).prop_map(|(title, reference)| Evidence { title, reference }).boxed())
}
pub(super) fn task_contents() -> BoxedStrategy<TaskContent> {
    (maybe(texts()), select(TaskKind::ALL), texts(), texts(), maybe(due_dates()), maybe(texts()))
        .prop_map(|(label, kind, title, summary, due_on, note)| TaskContent {
            label,
            kind,
            title,
            summary,
            due_on,
            note,
        })
        .boxed()
}

pub(super) fn task_commands() -> BoxedStrategy<TaskCommand> {
    let responsibility = (vec(ids(), 0..3), vec(ids(), 0..2), any::<bool>())
        .prop_map(|(lead_unit_ids, supporting_unit_ids, open_ended)| Responsibility {
            lead_unit_ids,
            supporting_unit_ids,
            open_ended,
        })
        .boxed();
    let arbitrated = responsibility.clone();
    let percents =
        prop_oneof![4 => 0..=100, 1 => any::<i32>(), 1 => select(vec![-1, 101, i32::MIN, i32::MAX])];
    let register = (ids(), option::weighted(0.2, ids()), codes(), task_contents(), select(Assignment::ALL));
    prop_oneof![
        4 => register.prop_map(|(plan_id, parent_id, number, content, assignment)| {
            RegisterTask { plan_id, parent_id, number, content, assignment }.into()
        }),
        1 => (ids(), task_contents(), maybe(texts()))
            .prop_map(|(id, content, reason)| AmendTask { id, content, reason }.into()),
        4 => (ids(), responsibility.clone())
            .prop_map(|(id, responsibility)| AssignTaskUnits { id, responsibility }.into()),
        2 => (ids(), responsibility, texts()).prop_map(|(id, responsibility, reason)| {
            ReassignTaskUnits { id, responsibility, reason }.into()
        }),
        4 => (ids(), select(DeclineGround::ALL), texts(), option::weighted(0.2, ids())).prop_map(
            |(id, ground, reason, suggested_unit_id)| {
                DeclineTask { id, ground, reason, suggested_unit_id }.into()
            }
        ),
        4 => (ids(), arbitrated, texts()).prop_map(|(id, responsibility, reason)| {
            ArbitrateTask { id, responsibility, reason }.into()
        }),
        2 => (ids(), ids(), ids(), texts()).prop_map(|(id, from_unit_id, to_unit_id, reason)| {
            TransferTaskUnits { id, from_unit_id, to_unit_id, reason }.into()
        }),
        4 => ids().prop_map(|id| AcceptTask { id }.into()),
        4 => (ids(), percents, texts(), evidence()).prop_map(|(id, percent, note, evidence)| {
            ReportTaskProgress { id, percent, note, evidence }.into()
        }),
        4 => (ids(), texts(), evidence())
            .prop_map(|(id, note, evidence)| ReportTaskCompletion { id, note, evidence }.into()),
        4 => (ids(), texts()).prop_map(|(id, reason)| ReturnTask { id, reason }.into()),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| VerifyTaskCompletion { id, note }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| CancelTask { id, reason }.into()),
        2 => (ids(), due_dates()).prop_map(|(id, due_on)| AnnounceTaskOverdue { id, due_on }.into()),
        2 => (ids(), due_soon()).prop_map(|(id, due_soon)| AnnounceTaskDueSoon { id, due_soon }.into()),
    ]
    .boxed()
}

/// Often the same, so that what is announced is often what is due.
pub(super) fn due_dates() -> BoxedStrategy<Date> {
    prop_oneof![1 => dates(), 2 => Just(Date::new(2050, 12, 31).unwrap())].boxed()
}

pub(super) fn due_soon() -> BoxedStrategy<DueSoon> {
    let parts = (due_dates(), 1..10_u32, texts());
    let said = parts.prop_map(|(due_on, working_days, rule_code)| DueSoon {
        due_on,
        working_days,
        rule_code,
        rule_valid_from: due_on,
        calendars: Vec::new(),
    });
    said.boxed()
}

pub(super) fn baselines() -> BoxedStrategy<Baseline> {
    (maybe(amounts()), maybe(dates()), maybe(texts()))
        .prop_map(|(value, as_of, note)| Baseline { value, as_of, note })
        .boxed()
}
pub(super) fn targets() -> BoxedStrategy<Target> {
    let numbers = (select(Comparator::ALL), amounts(), option::weighted(0.2, amounts()));
    (numbers, maybe(texts()), any::<bool>(), maybe(Just(Recurrence::Annual)), dates())
        .prop_map(|((comparator, value, upper), text, approximate, recurrence, due_on)| Target {
            comparator,
            value,
            upper,
            text,
            approximate,
            recurrence,
            due_on,
        })
        .boxed()
}

pub(super) fn indicator_commands() -> BoxedStrategy<IndicatorCommand> {
    let names = (ids(), option::weighted(0.2, ids()), codes(), texts(), texts());
    let goals = (select(Measure::ALL), targets(), select(TargetBasis::ALL), maybe(baselines()));
    let rest = (maybe(texts()), regions(), maybe(texts()), maybe(texts()));
    prop_oneof![
        4 => (names, goals, rest).prop_map(|(names, (measure, target, basis, baseline), rest)| {
            let (plan_id, task_id, code, name, unit) = names;
            let (scope, region_code, source_phrase, note) = rest;
            DefineIndicator {
                plan_id,
                task_id,
                code,
                name,
                unit,
                measure,
                target,
                basis,
                baseline,
                scope,
                region_code,
                source_phrase,
                note,
            }
            .into()
        }),
        4 => (ids(), baselines()).prop_map(|(id, baseline)| SetBaseline { id, baseline }.into()),
        4 => (ids(), targets(), texts()).prop_map(|(id, target, reason)| ReviseTarget { id, target, reason }.into()),
        4 => (ids(), periods(), maybe(regions()), amounts(), evidence(), maybe(texts())).prop_map(
            |(id, period, region_code, value, evidence, note)| {
                RecordMeasurement { id, period, region_code, value, evidence, note }.into()
            }
        ),
        4 => ((ids(), ids(), any::<i64>()), option::weighted(0.3, ids()), periods(), regions(), amounts(), maybe(texts()))
            .prop_map(|((id, survey_id, survey_version), names, period, region_code, score, note)| {
                RecordSurveyMeasurement {
                    id,
                    survey_id,
                    survey_version,
                    title: "游客满意度测评".into(),
                    names,
                    period,
                    region_code,
                    score,
                    note,
                }
                .into()
            }),
        4 => (ids(), prop_oneof![4 => -1..6, 1 => any::<i32>()], amounts(), maybe(amounts()), texts()).prop_map(
            |(id, number, value, former_value, reason)| {
                CorrectMeasurement { id, number, value, former_value, reason }.into()
            }
        ),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| JudgeIndicator { id, note }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| RetireIndicator { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn data_import_commands() -> BoxedStrategy<DataImportCommand> {
    let repair = (any::<u32>(), texts(), texts(), texts());
    let repair = repair.prop_map(|(row, field, found, reading)| Repair { row, field, found, reading });
    let rejection = (any::<u32>(), texts(), texts());
    let rejection = rejection.prop_map(|(row, field, reason)| RowRejection { row, field, reason });
    let file = (texts(), select(ImportFormat::ALL), texts(), texts(), regions(), ids());
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let repair = repair.boxed();
    (file, counts, list(repair.clone()), list(rejection.boxed()), list(repair))
        .prop_map(|(file, (rows_read, accepted, unchanged), repaired, rejected, readings)| {
            let (source, format, encoding, sha256, region_code, plan_id) = file;
            ImportData {
                source,
                format,
                encoding,
                sha256,
                region_code,
                plan_id,
                rows_read,
                accepted,
                unchanged,
                repaired,
                rejected,
                readings,
            }
            .into()
        })
        .boxed()
}

pub(super) fn reporting_duty_commands() -> BoxedStrategy<ReportingDutyCommand> {
    let party =
        (ids(), ids()).prop_map(|(reporter_id, addressee_id)| ReportingParty { reporter_id, addressee_id });
    let parties = list(party.boxed());
    // Old enough that the first periods are open, whenever it is.
    let long = (Just(Date::new(1969, 11, 1).unwrap()), Just(Date::new(2050, 12, 31).unwrap()));
    let days = prop_oneof![4 => long, 1 => (dates(), dates())];
    let delays = prop_oneof![4 => Just((0, 366)), 1 => (-400..400, -10..400)];
    let schedule = (select(Cadence::ALL), delays, days).prop_map(
        |(cadence, (due_days, open_days), (holds_from, holds_until))| ReportingSchedule {
            cadence,
            due_days,
            open_days,
            holds_from,
            holds_until,
        },
    );
    let first = select(vec!["1969", "1969H2", "1969Q4", "1969-11"]).prop_map(|text| text.parse().unwrap());
    let opened = prop_oneof![4 => first, 1 => periods()];
    prop_oneof![
        4 => (ids(), texts(), select(ReportSubject::ALL), schedule, parties.clone(), maybe(texts())).prop_map(
            |(plan_id, what, asks_for, schedule, parties, note)| {
                EstablishReportingDuty { plan_id, what, asks_for, schedule, parties, note }.into()
            }
        ),
        4 => (ids(), parties, texts())
            .prop_map(|(id, parties, reason)| ChangeReportingParties { id, parties, reason }.into()),
        4 => (ids(), opened).prop_map(|(id, period)| OpenReportingPeriod { id, period }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| EndReportingDuty { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn report_commands() -> BoxedStrategy<ReportCommand> {
    let open = (ids(), ids(), ids(), ids(), texts(), select(ReportSubject::ALL), periods(), due_dates());
    prop_oneof![
        4 => open.prop_map(|(duty_id, plan_id, reporter_id, addressee_id, what, asks_for, period, due_on)| {
            OpenReport { duty_id, plan_id, reporter_id, addressee_id, what, asks_for, period, due_on }.into()
        }),
        4 => (ids(), texts(), evidence())
            .prop_map(|(id, summary, evidence)| SubmitReport { id, summary, evidence }.into()),
        4 => (ids(), texts()).prop_map(|(id, reason)| ReturnReport { id, reason }.into()),
        2 => (ids(), maybe(texts())).prop_map(|(id, note)| AcceptReport { id, note }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| WaiveReport { id, reason }.into()),
        2 => (ids(), texts()).prop_map(|(id, reason)| LockReport { id, reason }.into()),
        4 => (ids(), texts()).prop_map(|(id, reason)| UnlockReport { id, reason }.into()),
        2 => (ids(), due_dates()).prop_map(|(id, due_on)| AnnounceReportOverdue { id, due_on }.into()),
        2 => (ids(), due_soon()).prop_map(|(id, due_soon)| AnnounceReportDueSoon { id, due_soon }.into()),
    ]
    .boxed()
}

fn item_codes() -> BoxedStrategy<String> {
    prop_oneof![9 => select(vec!["A", "B"]).prop_map(Into::into), 1 => codes()].boxed()
}

/// Mostly two items of fifty points, so that figures for both often fit.
fn rules() -> BoxedStrategy<Rules> {
    let weights = prop_oneof![9 => Just("50".parse().unwrap()), 1 => amounts()];
    let item = move |code: &'static str| {
        let source = prop_oneof![4 => Just(ScoreSource::Expert), 1 => select(ScoreSource::ALL)];
        let item = (texts(), weights.clone(), source, option::weighted(0.1, ids()));
        item.prop_map(move |(name, weight, source, indicator_id)| AssessmentItem {
            code: code.into(),
            name,
            weight,
            source,
            indicator_id,
        })
    };
    let veto = (item_codes(), texts()).prop_map(|(code, name)| Veto { code, name });
    let lowest = prop_oneof![9 => Just("0".parse().unwrap()), 1 => amounts()];
    let grade = (texts(), lowest).prop_map(|(name, from)| Grade { name, from });
    (item("A"), item("B"), vec(veto, 0..2), vec(grade, 1..2))
        .prop_map(|(one, other, vetoes, grades)| Rules { items: vec![one, other], vetoes, grades })
        .boxed()
}

pub(super) fn assessment_scheme_commands() -> BoxedStrategy<AssessmentSchemeCommand> {
    let years = prop_oneof![9 => 2010..2020, 1 => any::<i32>()];
    prop_oneof![
        4 => (ids(), years, texts(), rules()).prop_map(|(plan_id, year, title, rules)| {
            let Rules { items, vetoes, grades } = rules;
            DraftAssessmentScheme { plan_id, year, title, items, vetoes, grades }.into()
        }),
        4 => (ids(), rules()).prop_map(|(id, Rules { items, vetoes, grades })| {
            AmendAssessmentScheme { id, items, vetoes, grades }.into()
        }),
        2 => ids().prop_map(|id| IssueAssessmentScheme { id }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| RevokeAssessmentScheme { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn assessment_commands() -> BoxedStrategy<AssessmentCommand> {
    let own = (item_codes(), amounts(), maybe(texts()));
    let own = own.prop_map(|(item, points, note)| SelfScore { item, points, note });
    let figure = |code: &'static str| {
        let found = (maybe(amounts()), maybe(amounts()), select(Comparator::ALL), maybe(texts()));
        found.prop_map(move |(value, target, comparator, note)| Figure {
            item: code.into(),
            value,
            target,
            comparator,
            evidence: vec![Cited { subject: Id::<Indicator>::new(Uuid::nil()).into(), version: 1 }],
            note,
        })
    };
    let figures = prop_oneof![
        9 => (figure("A"), figure("B")).prop_map(|(one, other)| vec![one, other]),
        1 => vec(figure("A"), 0..3),
    ];
    let veto = (item_codes(), texts()).prop_map(|(code, reason)| Vetoed { code, reason });
    let until = prop_oneof![Just(Date::new(2150, 12, 31).unwrap()), Just(Date::new(1960, 1, 1).unwrap())];
    prop_oneof![
        4 => (ids(), ids(), 2010..2020, ids(), rules()).prop_map(|(scheme_id, plan_id, year, unit_id, rules)| {
            OpenAssessment { scheme_id, plan_id, year, unit_id, rules }.into()
        }),
        4 => (ids(), texts(), vec(own, 0..2), evidence()).prop_map(|(id, summary, scores, evidence)| {
            SubmitSelfAssessment { id, summary, scores, evidence }.into()
        }),
        6 => (ids(), figures, option::weighted(0.1, veto)).prop_map(|(id, figures, veto)| {
            ScoreAssessment { id, figures, vetoes: veto.into_iter().collect() }.into()
        }),
        6 => (ids(), maybe(texts())).prop_map(|(id, note)| ReviewAssessment { id, note }.into()),
        6 => (ids(), until).prop_map(|(id, objections_until)| AnnounceAssessment { id, objections_until }.into()),
        6 => (ids(), texts(), evidence())
            .prop_map(|(id, reason, evidence)| ObjectToAssessment { id, reason, evidence }.into()),
        6 => (ids(), prop::bool::weighted(0.3), texts())
            .prop_map(|(id, upheld, reason)| DecideAssessmentObjection { id, upheld, reason }.into()),
        6 => (ids(), texts()).prop_map(|(id, reason)| AppealAssessment { id, reason }.into()),
        6 => (ids(), prop::bool::weighted(0.3), texts())
            .prop_map(|(id, upheld, reason)| DecideAssessmentAppeal { id, upheld, reason }.into()),
        4 => ids().prop_map(|id| FinaliseAssessment { id }.into()),
        4 => (ids(), texts()).prop_map(|(id, note)| ApplyAssessmentResult { id, note }.into()),
    ]
    .boxed()
}

/// Mostly a report: found in its first state, it is owed. Now and then a task, or an object of any kind.
pub(super) fn subjects() -> BoxedStrategy<GlobalId> {
    let any = (select(Kind::ALL), 1_u128..4).prop_map(|(kind, number)| {
        let bits = u128::from(kind.code()) << 64 | number;
        GlobalId { kind, uuid: Uuid::from_u128(bits) }
    });
    let (tasks, reports) = (ids::<Task>().prop_map(GlobalId::from), ids::<Report>().prop_map(GlobalId::from));
    prop_oneof![1 => tasks, 4 => reports, 1 => any].boxed()
}
pub(super) fn applied_limits() -> BoxedStrategy<AppliedLimit> {
    (texts(), dates(), any::<u32>(), select(TimeUnit::ALL))
        .prop_map(|(code, valid_from, value, unit)| AppliedLimit { code, valid_from, value, unit })
        .boxed()
}

pub(super) fn supervision_item_commands() -> BoxedStrategy<SupervisionItemCommand> {
    let units = || vec(ids(), 0..3);
    let open = (
        (ids(), maybe(regions()), codes(), texts()),
        (option::weighted(0.3, subjects()), units(), option::weighted(0.5, ids())),
        (texts(), due_dates(), maybe(texts())),
    );
    let by_rule =
        (dates(), applied_limits(), applied_limits()).prop_map(|(subject_due_on, after_overdue, answer)| {
            OpenedByRule { subject_due_on, after_overdue, answer, calendars: Vec::new() }
        });
    let open_by_rule = (
        (ids(), subjects(), texts(), units()),
        (option::weighted(0.7, ids()), texts(), due_dates(), by_rule),
    );
    let escalated = (due_dates(), applied_limits()).prop_map(|(answer_due_on, limit)| EscalatedByRule {
        answer_due_on,
        limit,
        calendars: Vec::new(),
    });
    prop_oneof![
        4 => open.prop_map(|((plan_id, region_code, number, title), who, (demand, answer_due_on, basis))| {
            let (subject_id, unit_ids, escalation_unit_id) = who;
            OpenSupervisionItem {
                plan_id,
                region_code,
                number,
                title,
                subject_id,
                unit_ids,
                escalation_unit_id,
                demand,
                answer_due_on,
                basis,
            }
            .into()
        }),
        8 => open_by_rule.prop_map(|((plan_id, subject_id, title, unit_ids), rest)| {
            let (escalation_unit_id, demand, answer_due_on, by_rule) = rest;
            OpenSupervisionItemByRule {
                plan_id,
                subject_id,
                title,
                unit_ids,
                escalation_unit_id,
                demand,
                answer_due_on,
                by_rule,
            }
            .into()
        }),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| NotifySupervisedUnits { id, note }.into()),
        4 => (ids(), texts(), evidence())
            .prop_map(|(id, summary, evidence)| AnswerSupervisionItem { id, summary, evidence }.into()),
        4 => (ids(), due_dates(), texts()).prop_map(|(id, answer_due_on, reason)| {
            ReturnSupervisionAnswer { id, answer_due_on, reason }.into()
        }),
        1 => (ids(), maybe(texts())).prop_map(|(id, note)| CloseSupervisionItem { id, note }.into()),
        2 => (ids(), ids(), texts())
            .prop_map(|(id, unit_id, reason)| EscalateSupervisionItem { id, unit_id, reason }.into()),
        4 => (ids(), escalated).prop_map(|(id, by_rule)| EscalateSupervisionItemByRule { id, by_rule }.into()),
        2 => (ids(), due_dates(), texts()).prop_map(|(id, answer_due_on, reason)| {
            ExtendSupervisionItem { id, answer_due_on, reason }.into()
        }),
        1 => (ids(), texts()).prop_map(|(id, reason)| WithdrawSupervisionItem { id, reason }.into()),
        2 => (ids(), due_dates())
            .prop_map(|(id, due_on)| AnnounceSupervisionItemOverdue { id, due_on }.into()),
        2 => (ids(), due_soon())
            .prop_map(|(id, due_soon)| AnnounceSupervisionItemDueSoon { id, due_soon }.into()),
    ]
    .boxed()
}

pub(super) fn local_plan_commands() -> BoxedStrategy<LocalPlanCommand> {
    let demand =
        (ids(), ids(), ids(), texts(), prop_oneof![3 => due_dates().prop_map(Some), 1 => Just(None)]);
    let document = (texts(), maybe(texts()), maybe(dates()), texts(), evidence());
    prop_oneof![
        4 => demand.prop_map(|(plan_id, filing_unit_id, addressee_id, what, due_on)| {
            DemandLocalPlan { plan_id, filing_unit_id, addressee_id, what, due_on }.into()
        }),
        4 => (ids(), document).prop_map(
            |(id, (title, document_number, issued_on, summary, evidence))| {
                FileLocalPlan { id, title, document_number, issued_on, summary, evidence }.into()
            }
        ),
        4 => (ids(), texts()).prop_map(|(id, reason)| ReturnLocalPlan { id, reason }.into()),
        2 => (ids(), maybe(texts())).prop_map(|(id, note)| AcceptLocalPlan { id, note }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| WaiveLocalPlan { id, reason }.into()),
        2 => (ids(), due_dates()).prop_map(|(id, due_on)| AnnounceLocalPlanOverdue { id, due_on }.into()),
        2 => (ids(), due_soon()).prop_map(|(id, due_soon)| AnnounceLocalPlanDueSoon { id, due_soon }.into()),
    ]
    .boxed()
}

/// Mostly such as adds up; now and then any numbers.
fn survey_results() -> BoxedStrategy<SurveyResult> {
    let counts = prop_oneof![
        9 => Just((500, 400, 300)),
        1 => (any::<i32>(), any::<i32>(), any::<i32>()),
    ];
    let group = (texts(), prop_oneof![9 => 1..100, 1 => any::<i32>()], amounts());
    let group = group.prop_map(|(name, sample_size, score)| SurveyGroup { name, sample_size, score });
    let spread = || option::weighted(0.1, amounts());
    let margin = prop_oneof![
        9 => Just((None, None)),
        9 => Just((Some(Amount::from(1)), Some(Amount::from(95)))),
        1 => (maybe(amounts()), maybe(amounts())),
    ];
    let groups = prop_oneof![40 => vec(group.clone(), 0..3), 1 => vec(group, 101)];
    (counts, amounts(), spread(), margin, groups, option::weighted(0.3, texts()))
        .prop_map(|(counts, score, standard_deviation, margin, groups, shortfall_reason)| {
            let ((asked, responses, sample_size), (margin_of_error, confidence_level)) = (counts, margin);
            SurveyResult {
                asked,
                responses,
                sample_size,
                score,
                standard_deviation,
                margin_of_error,
                confidence_level,
                groups,
                shortfall_reason,
            }
        })
        .boxed()
}

pub(super) fn survey_commands() -> BoxedStrategy<SurveyCommand> {
    let words = (select(SurveyKind::ALL), texts(), texts(), texts(), select(SurveyMethod::ALL));
    let scale = (amounts(), amounts()).prop_map(|(lowest, highest)| AnswerScale { lowest, highest });
    let sample = prop_oneof![4 => select(vec![200, 600]), 1 => any::<i32>()];
    let rest =
        (maybe(regions()), periods(), sample, option::weighted(0.1, scale), option::weighted(0.2, ids()));
    prop_oneof![
        6 => ((ids(), ids()), words, rest).prop_map(|((plan_id, unit_id), words, rest)| {
            let (kind, title, question, population, method) = words;
            let (region_code, period, planned_sample_size, scale, indicator_id) = rest;
            PlanSurvey {
                plan_id,
                kind,
                title,
                question,
                population,
                unit_id,
                method,
                region_code,
                period,
                planned_sample_size,
                scale,
                indicator_id,
            }
            .into()
        }),
        4 => (ids(), dates(), dates()).prop_map(|(id, from, to)| FieldSurvey { id, from, to }.into()),
        8 => (ids(), survey_results(), evidence())
            .prop_map(|(id, result, evidence)| RecordSurveyResult { id, result, evidence }.into()),
        6 => (ids(), survey_results(), evidence(), texts()).prop_map(|(id, result, evidence, reason)| {
            CorrectSurveyResult { id, result, evidence, reason }.into()
        }),
        4 => (ids(), texts()).prop_map(|(id, reason)| ReturnSurveyResult { id, reason }.into()),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| AcceptSurveyResult { id, note }.into()),
        4 => ids().prop_map(|id| PublishSurvey { id }.into()),
        2 => (ids(), texts()).prop_map(|(id, reason)| WithdrawSurvey { id, reason }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| CancelSurvey { id, reason }.into()),
    ]
    .boxed()
}

/// Mostly under one key.
fn informers() -> impl Strategy<Value = Informer> {
    let key = || prop_oneof![9 => Just(Uuid::from_u128(1)), 1 => Just(Uuid::from_u128(2))];
    let body = || select(vec!["AAAA", "b-_9"]);
    (key(), maybe((key(), body())), maybe((key(), body())), maybe((key(), body()))).prop_map(
        |(key_id, name, phone, address)| Informer {
            key_id,
            name: name.and_then(|(key, body)| Sealed::new(key, body).ok()),
            phone: phone.and_then(|(key, body)| Sealed::new(key, body).ok()),
            address: address.and_then(|(key, body)| Sealed::new(key, body).ok()),
        },
    )
}

pub(super) fn violation_report_commands() -> BoxedStrategy<ViolationReportCommand> {
    let due = (due_dates(), applied_limits()).prop_map(|(due_on, limit)| DecisionDue {
        due_on,
        limit,
        calendars: Vec::new(),
    });
    let digest = prop_oneof![9 => Just("0a".repeat(32)), 1 => texts()];
    let long_ago = prop_oneof![4 => Just(Date::new(1969, 1, 1).unwrap()), 1 => dates()];
    let words =
        (codes(), digest, select(IntakeChannel::ALL), select(ViolationCategory::ALL), texts(), texts());
    let rest = (
        maybe(texts()),
        maybe(long_ago),
        regions(),
        option::weighted(0.9, informers()),
        option::weighted(0.8, due),
    );
    let request = || prop_oneof![8 => 1..4, 1 => any::<i32>()];
    prop_oneof![
        6 => (words, rest).prop_map(|(words, rest)| {
            let (number, secret_digest, channel, category, subject, details) = words;
            let (respondent, occurred_on, region_code, informer, decision_due) = rest;
            SubmitViolationReport {
                number,
                secret_digest,
                channel,
                category,
                subject,
                details,
                respondent,
                occurred_on,
                region_code,
                informer: informer.map(Box::new),
                decision_due: decision_due.map(Box::new),
            }
            .into()
        }),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| AcceptViolationReport { id, note }.into()),
        2 => (ids(), texts()).prop_map(|(id, reason)| RejectViolationReport { id, reason }.into()),
        4 => (ids(), ids(), texts())
            .prop_map(|(id, unit_id, reason)| TransferViolationReport { id, unit_id, reason }.into()),
        4 => (ids(), texts()).prop_map(|(id, result)| HandleViolationReport { id, result }.into()),
        4 => (ids(), maybe(texts())).prop_map(|(id, note)| CloseViolationReport { id, note }.into()),
        8 => (ids(), texts()).prop_map(|(id, reason)| RequestInformerIdentity { id, reason }.into()),
        8 => (ids(), request()).prop_map(|(id, request)| ApproveInformerIdentity { id, request }.into()),
        8 => (ids(), request()).prop_map(|(id, request)| OpenInformerIdentity { id, request }.into()),
        2 => (ids(), texts()).prop_map(|(id, reason)| EraseInformerIdentity { id, reason }.into()),
        4 => ids().prop_map(|id| ConfirmInformerIdentityErased { id }.into()),
        6 => (ids(), due_soon()).prop_map(|(id, due_soon)| AnnounceViolationReportDueSoon { id, due_soon }.into()),
        6 => (ids(), due_dates()).prop_map(|(id, due_on)| AnnounceViolationReportOverdue { id, due_on }.into()),
    ]
    .boxed()
}

pub(super) fn leading_group_commands() -> BoxedStrategy<LeadingGroupCommand> {
    // Mostly days behind which many others lie, whenever it is.
    let long_ago = prop_oneof![4 => Just(Date::new(1969, 1, 1).unwrap()), 1 => dates()];
    let people = prop_oneof![4 => select(vec!["甲", "乙"]).prop_map(Into::into), 1 => texts()];
    let establish = (texts(), regions(), option::weighted(0.2, ids()), maybe(texts()), long_ago.clone());
    let member = (option::weighted(0.5, ids()), option::weighted(0.8, people), select(LeadingGroupPost::ALL));
    prop_oneof![
        6 => establish.prop_map(|(name, region_code, plan_id, document, established_on)| {
            EstablishLeadingGroup { name, region_code, plan_id, document, established_on }.into()
        }),
        4 => (ids(), ids(), dates())
            .prop_map(|(id, unit_id, from)| DesignateLeadingGroupOffice { id, unit_id, from }.into()),
        8 => (ids(), member, dates()).prop_map(|(id, (unit_id, person, post), from)| {
            AppointLeadingGroupMember { id, unit_id, person, post, from }.into()
        }),
        8 => (ids(), prop_oneof![4 => 0..4, 1 => any::<i32>()], dates(), texts()).prop_map(
            |(id, number, until, reason)| ReleaseLeadingGroupMember { id, number, until, reason }.into()
        ),
        4 => (ids(), texts(), texts())
            .prop_map(|(id, name, reason)| RenameLeadingGroup { id, name, reason }.into()),
        1 => (ids(), long_ago, texts())
            .prop_map(|(id, until, reason)| DissolveLeadingGroup { id, until, reason }.into()),
    ]
    .boxed()
}

pub(super) fn role_grant_commands() -> BoxedStrategy<RoleGrantCommand> {
    let actors = select(vec!["gov:wei", "gov:li", "wei", "", ":wei", "p0:p0"]).prop_map(String::from);
    let grant =
        (actors, select(Role::ALL), maybe(ids()), regions(), maybe(dates()), maybe(dates()), maybe(texts()));
    let grant = grant.prop_map(|(actor, role, unit_id, region_code, valid_from, valid_until, note)| {
        GrantRole { actor, role, unit_id, region_code, valid_from, valid_until, note }.into()
    });
    prop_oneof![
        4 => grant,
        1 => (ids(), texts()).prop_map(|(id, reason)| RevokeRole { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn service_key_commands() -> BoxedStrategy<ServiceKeyCommand> {
    let roles = prop_oneof![9 => vec(select(ROLES), 1..3), 1 => vec(select(Role::ALL), 0..4)];
    // Within a year of any day on which somebody may ask.
    let days = (0_u64..47_500)
        .prop_map(|days| Date::from(NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + Days::new(days)));
    let issue = (texts(), ids(), roles, regions(), days, any::<[u8; 32]>());
    let issue = issue.prop_map(|(name, unit_id, roles, region_code, expires_on, digest)| {
        IssueServiceKey { name, unit_id, roles, region_code, expires_on, digest }.into()
    });
    prop_oneof![
        6 => issue,
        1 => (ids(), texts()).prop_map(|(id, reason)| RevokeServiceKey { id, reason }.into()),
    ]
    .boxed()
}

pub(super) fn event_subscription_commands() -> BoxedStrategy<EventSubscriptionCommand> {
    fn filters() -> impl Strategy<Value = ChangeFilter> {
        let types = select(vec!["TaskAccepted", "Task", "accepted", ""]).prop_map(String::from);
        let lists = (vec(select(Kind::ALL), 0..3), vec(types, 0..2), vec(ids::<Unit>(), 0..2));
        (lists, maybe(regions()), any::<bool>()).prop_map(
            |((kinds, types, units), region, status_changes_only)| {
                let subjects = units.iter().map(|unit| GlobalId::from(*unit)).collect();
                ChangeFilter { kinds, types, subjects, units, region, status_changes_only }
            },
        )
    }
    fn urls() -> impl Strategy<Value = String> {
        let urls = vec!["https://hub.example.cn/in", "https://hub.example.cn/in", "http://a@b/", "nowhere"];
        select(urls).prop_map(String::from)
    }
    fn keys() -> impl Strategy<Value = SigningKey> {
        let secret = || Sealed::new(uuid::Uuid::from_u128(5), "c2VjcmV0").unwrap();
        select(SignatureScheme::ALL).prop_map(move |scheme| SigningKey {
            scheme,
            secret: secret(),
            public_key: None,
        })
    }
    let others = select(vec![0, MOST_WEBHOOKS - 1, MOST_WEBHOOKS]);
    let endpoint = (urls(), keys(), others).prop_map(|(url, key, others)| NewEndpoint { url, key, others });
    let form = select(EnvelopeForm::ALL);
    let create = (texts(), ids(), regions(), filters(), maybe(-1_i64..9), form.clone(), maybe(endpoint));
    let create = create.prop_map(|(name, unit_id, region_code, filter, after, envelope, endpoint)| {
        CreateSubscription { name, unit_id, region_code, filter, after, head: 7, envelope, endpoint }.into()
    });
    let subject = || maybe(ids::<Unit>().prop_map(GlobalId::from));
    prop_oneof![
        8 => create,
        1 => (ids(), maybe(texts()), maybe(filters()), maybe(form)).prop_map(|(id, name, filter, envelope)| {
            ChangeSubscription { id, name, filter, envelope }.into()
        }),
        1 => (ids(), urls()).prop_map(|(id, url)| MoveEndpoint { id, url }.into()),
        1 => (ids(), -1_i32..200, keys()).prop_map(|(id, overlap_hours, key)| {
            RotateSigningSecret { id, overlap_hours, key }.into()
        }),
        2 => (ids(), urls()).prop_map(|(id, url)| ConfirmEndpoint { id, url }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| PauseSubscription { id, reason }.into()),
        2 => (ids(), select(SuspensionCause::ALL), texts()).prop_map(|(id, cause, reason)| {
            SuspendSubscription { id, cause, reason }.into()
        }),
        1 => ids().prop_map(|id| ResumeSubscription { id }.into()),
        1 => (ids(), -1_i64..9, subject(), texts()).prop_map(|(id, after, subject_id, reason)| {
            RewindSubscription { id, after, subject_id, reason }.into()
        }),
        1 => (ids(), subject()).prop_map(|(id, subject_id)| RetryDeliveries { id, subject_id }.into()),
        1 => (ids(), texts()).prop_map(|(id, reason)| CancelSubscription { id, reason }.into()),
    ]
    .boxed()
}
