//! Whatever is asked in whatever order: a view row is the fold of its stream.
mod later;

use std::sync::Arc;

use chrono::Duration;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use zhixing_api::graphql::{catalogue, indicator, plan, task, unit};
use zhixing_domain::{
    Aggregate, Amount, Date, Id, Kind, Role, Viewer,
    organisation::unit::{RegisterUnit, Unit, UnitKind},
    performance::{
        attainment::{Comparator, Measure, Target},
        indicator::{
            CorrectMeasurement, DefineIndicator, Indicator, JudgeIndicator, RecordMeasurement,
            RetireIndicator, TargetBasis,
        },
    },
    policy::AuthenticationMethod,
    programme::{
        plan::{BringPlanIntoForce, ConcludePlan, DraftPlan, IssuePlan, Plan, PlanContent},
        task::{
            AcceptTask, AmendTask, AnnounceTaskDueSoon, AnnounceTaskOverdue, AssignTaskUnits, Assignment,
            CancelTask, Evidence, ReassignTaskUnits, RegisterTask, ReportTaskCompletion, ReportTaskProgress,
            Responsibility, ReturnTask, Task, TaskContent, TaskKind, VerifyTaskCompletion,
        },
    },
    time::DueSoon,
};
use zhixing_event_store::{Error, EventStore, Order, Pool, SimulatedClock, View, store::AsOf};

use self::later::Later;
use crate::{
    clock::clock,
    database::{Base, Database},
};

/// A command by numbers: which one, to which object, with what.
type Step = (u8, usize, i32);

struct Run {
    store: EventStore,
    clock: Arc<SimulatedClock>,
    units: Vec<Id<Unit>>,
    plan: Id<Plan>,
    tasks: Vec<Id<Task>>,
    indicators: Vec<Id<Indicator>>,
    later: Later,
}

fn viewer(actor: &str, units: Vec<Id<Unit>>) -> Viewer {
    Viewer {
        actor: actor.into(),
        roles: vec![Role::LeadingGroupOffice, Role::UnitOfficer],
        units,
        region: "100000".parse().unwrap(),
        method: AuthenticationMethod::DevelopmentToken,
    }
}

fn content(number: i32) -> TaskContent {
    TaskContent {
        label: None,
        kind: TaskKind::Task,
        title: format!("题目{number}"),
        summary: "内容".into(),
        due_on: (number > 0).then(|| due_on(number)),
        note: None,
    }
}

/// A few days from the day before the story begins on.
fn due_on(number: i32) -> Date {
    format!("2019-06-{:02}", 14 + 3 * number.rem_euclid(3)).parse().unwrap()
}

fn due_soon(number: i32) -> DueSoon {
    DueSoon {
        due_on: due_on(number),
        working_days: 5,
        rule_code: "TASK_DUE_SOON".into(),
        rule_valid_from: due_on(number),
        calendars: vec![],
    }
}

fn period(number: i32) -> String {
    format!("2019-{:02}", 1 + number.rem_euclid(12))
}

fn content_of_plan() -> PlanContent {
    PlanContent {
        document_number: None,
        title: "方案".into(),
        title_is_assigned: false,
        issuer: "市政府".into(),
        issuer_id: None,
        issuer_is_inferred: false,
        period_start: None,
        period_end: "2020-12-31".parse().unwrap(),
        period_note: None,
        phases: vec![],
        basis: vec![],
        guidance: None,
    }
}

impl Run {
    async fn begin(database: &Database) -> Self {
        let clock = Arc::new(clock());
        let pool = Pool::open(&database.url()).await.unwrap();
        let store = EventStore::open(pool, clock.clone(), catalogue()).await.unwrap();
        let mut run = Self {
            store,
            clock,
            units: vec![],
            plan: Id::new(uuid::Uuid::nil()),
            tasks: vec![],
            indicators: vec![],
            later: Later::default(),
        };
        let region_code = "440800".parse().unwrap();
        for name in ["甲局", "乙局"] {
            let (kind, name) = (UnitKind::Department, name.to_owned());
            let command =
                RegisterUnit { name, kind, region_code, official_name: None, aliases: vec![], note: None };
            run.units.push(run.make::<unit::Unit>(command).await);
        }
        let draft = DraftPlan { code: "ZJ".into(), region_code, content: content_of_plan() };
        run.plan = run.make::<plan::Plan>(draft).await;
        for number in 0..3 {
            let command = RegisterTask {
                plan_id: run.plan,
                parent_id: run.tasks.first().copied(),
                number: number.to_string(),
                content: content(number),
                assignment: Assignment::Explicit,
            };
            run.tasks.push(run.make::<task::Task>(command).await);
        }
        for number in 0..2 {
            run.indicators.push(run.make::<indicator::Indicator>(run.definition(number)).await);
        }
        run.later = run.begin_later().await;
        run
    }

    fn definition(&self, number: i32) -> DefineIndicator {
        DefineIndicator {
            plan_id: self.plan,
            task_id: self.tasks.first().copied(),
            code: format!("I-{number}"),
            name: "合格率".into(),
            unit: "个".into(),
            measure: if number == 0 { Measure::Flow } else { Measure::Stock },
            target: Target {
                comparator: Comparator::AtLeast,
                value: Amount::from(10),
                upper: None,
                text: None,
                approximate: false,
                recurrence: None,
                due_on: "2019-12-31".parse().unwrap(),
            },
            basis: TargetBasis::Numeric,
            baseline: None,
            scope: None,
            region_code: "440800".parse().unwrap(),
            source_phrase: None,
            note: None,
        }
    }

    async fn make<V: View>(&self, command: impl Into<<V::Of as Aggregate>::Command>) -> Id<V::Of> {
        self.give::<V>(&viewer("ann", vec![]), command).await.unwrap().id()
    }

    async fn give<V: View>(
        &self,
        viewer: &Viewer,
        command: impl Into<<V::Of as Aggregate>::Command>,
    ) -> Result<V, Error> {
        let order = Order {
            viewer: viewer.clone(),
            command: command.into(),
            command_id: None,
            expected_version: None,
            dry_run: false,
        };
        self.store.execute::<V>(order).await.map(|receipt| receipt.object)
    }

    /// Carries out a step; only a refusal by the rules may come of it beside success.
    async fn step(&self, (command, at, number): Step) {
        let task = self.tasks[at % self.tasks.len()];
        let indicator = self.indicators[at % self.indicators.len()];
        let lead = self.units[at % 2];
        let responsibility = || Responsibility {
            lead_unit_ids: vec![lead],
            supporting_unit_ids: if number % 2 == 0 { vec![] } else { vec![self.units[(at + 1) % 2]] },
            open_ended: number % 3 == 0,
        };
        let evidence = || vec![Evidence { title: format!("佐证{number}"), reference: None }];
        let (note, reason) = (format!("说明{number}"), "理由".to_owned());
        let office = viewer(if number % 2 == 0 { "ann" } else { "bo" }, vec![]);
        let officer = viewer("wei", self.units.clone());
        let value = Amount::from(i64::from(number));
        let (n, region_code) = (number % 5, None);
        let come = match command % 40 {
            20.. => self.step_later(command % 40 - 20, at, number).await,
            0 => {
                self.tried::<task::Task>(&office, AmendTask { id: task, content: content(n), reason: None })
                    .await
            }
            1 => {
                self.tried::<task::Task>(
                    &office,
                    AssignTaskUnits { id: task, responsibility: responsibility() },
                )
                .await
            }
            2 => {
                let command = ReassignTaskUnits { id: task, responsibility: responsibility(), reason };
                self.tried::<task::Task>(&office, command).await
            }
            3 => self.tried::<task::Task>(&officer, AcceptTask { id: task }).await,
            4 | 5 => {
                let command =
                    ReportTaskProgress { id: task, percent: number % 120, note, evidence: evidence() };
                self.tried::<task::Task>(&officer, command).await
            }
            6 | 7 => {
                let command = ReportTaskCompletion { id: task, note, evidence: evidence() };
                self.tried::<task::Task>(&officer, command).await
            }
            8 => self.tried::<task::Task>(&office, ReturnTask { id: task, reason }).await,
            9 => self.tried::<task::Task>(&office, VerifyTaskCompletion { id: task, note: None }).await,
            10 if number % 4 == 0 => self.tried::<task::Task>(&office, CancelTask { id: task, reason }).await,
            10..=12 => {
                let period = period(number).parse().unwrap();
                let command = RecordMeasurement {
                    id: indicator,
                    period,
                    region_code,
                    value,
                    evidence: vec![],
                    note: None,
                };
                self.tried::<indicator::Indicator>(&office, command).await
            }
            13 => {
                let command =
                    CorrectMeasurement { id: indicator, number: n, value, former_value: None, reason };
                self.tried::<indicator::Indicator>(&office, command).await
            }
            14 => {
                self.tried::<indicator::Indicator>(&office, JudgeIndicator { id: indicator, note: None })
                    .await
            }
            15 if number % 5 == 0 => {
                self.tried::<indicator::Indicator>(&office, RetireIndicator { id: indicator, reason }).await
            }
            15 => self.tried::<plan::Plan>(&office, IssuePlan { id: self.plan, issued_on: None }).await,
            16 => {
                let command = BringPlanIntoForce {
                    id: self.plan,
                    effective_from: None,
                    effective_from_is_assumed: true,
                };
                self.tried::<plan::Plan>(&office, command).await
            }
            17 => {
                let command = AnnounceTaskOverdue { id: task, due_on: due_on(n) };
                self.tried::<task::Task>(&Viewer::scheduler(), command).await
            }
            18 => {
                let due_soon = due_soon(n);
                self.tried::<task::Task>(&Viewer::scheduler(), AnnounceTaskDueSoon { id: task, due_soon })
                    .await
            }
            _ => {
                let reason = (number % 2 == 0).then_some(reason);
                self.tried::<plan::Plan>(&office, ConcludePlan { id: self.plan, reason }).await
            }
        };
        self.clock.pass(Duration::hours(i64::from(number.unsigned_abs() % 50)));
        if let Err(error) = come {
            assert!(matches!(error, Error::Rejected(_)), "{error}");
        }
    }

    async fn tried<V: View>(
        &self,
        viewer: &Viewer,
        command: impl Into<<V::Of as Aggregate>::Command>,
    ) -> Result<(), Error> {
        let head = self.store.head();
        let come = self.give::<V>(viewer, command).await;
        if come.is_err() {
            assert_eq!(self.store.head(), head, "a refused command left a trace");
        }
        come.map(drop)
    }

    /// The stored row is the fold of the whole stream.
    async fn is_its_fold<V: View>(&self, id: Id<V::Of>) {
        let stored: Vec<V> = self.store.pool().many(&[id.uuid()]).await.unwrap();
        let folded = self.store.as_of::<V>(id, AsOf::Version(i64::MAX)).await.unwrap();
        assert_eq!(stored.first(), folded.as_ref());
        assert_eq!(stored[0].version(), self.store.pool().count_stream(id.uuid()).await.unwrap());
    }

    async fn check(&self) {
        for id in &self.units {
            self.is_its_fold::<unit::Unit>(*id).await;
        }
        self.is_its_fold::<plan::Plan>(self.plan).await;
        for id in &self.tasks {
            self.is_its_fold::<task::Task>(*id).await;
        }
        for id in &self.indicators {
            self.is_its_fold::<indicator::Indicator>(*id).await;
        }
        self.check_later().await;
        // The rows beside them too: measurements and links.
        for kind in Kind::ALL {
            for difference in self.store.rebuild(*kind, false, |_| {}).await.unwrap() {
                assert!(difference.is_none(), "{difference:?}");
            }
        }
        assert_eq!(self.store.pool().verify(&[], &[], |_| {}).await.unwrap().position, self.store.head());
    }
}

#[test]
fn every_row_is_the_fold_of_its_stream() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config { cases: 12, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let steps = vec((any::<u8>(), 0..6_usize, -20..140_i32), 1..100);
    let told = TestRunner::new(config).run(&steps, |steps| {
        runtime.block_on(async {
            let database = Database::new(Base::Sqlite).await;
            let run = Run::begin(&database).await;
            for step in steps {
                run.step(step).await;
            }
            run.check().await;
            run.store.pool().close().await;
        });
        Ok(())
    });
    told.unwrap();
}
