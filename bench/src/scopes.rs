//! `bench scopes`: the same pages of tasks asked by those who see everything and by those who see a part of a million.
use std::{path::Path, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use zhixing_api::graphql::{task::Task, unit::Unit};
use zhixing_domain::{
    Id, Kind, RegionCode,
    organisation::unit::Unit as UnitOf,
    programme::{
        plan::Plan as PlanOf,
        task::{Assignment, Responsibility, Task as TaskOf, TaskEvent},
    },
};
use zhixing_event_store::{
    EventStore, Meta, Pool, View,
    append::{Append, Named},
    view::WriteRow,
};

use crate::{
    case::{Case, find, rounds},
    http::{self, Asker, Connection, Serving},
    load::Fault,
    report::{Report, Section},
    sample,
    server::Server,
    settings::Settings,
    store, world,
};

/// Tasks of one plan; they are registered one after the other.
const OF_A_PLAN: usize = 1_000;
/// One plan in so many is a draft, wherever it lies …
const DRAFTS: usize = 4;
/// … and of the last plans so many in a hundred all are: what was begun last is not issued yet.
const LAST_PERCENT: usize = 1;
const UNITS: usize = 2_000;
/// Tasks written at once.
const AT_ONCE: usize = 1_000;
/// Commands on their way at the same time.
const COMMANDS: usize = 64;
/// So many tasks are led by the unit that has few.
const FEW: usize = 5;
/// One task in so many is supported by the unit that has many.
const MANY: usize = 50;
/// Regions that plans are for: provinces, with a city of each.
const PROVINCES: [&str; 20] = [
    "13", "14", "21", "22", "23", "32", "33", "34", "35", "36", "37", "41", "42", "43", "44", "51", "52",
    "53", "61", "62",
];

const PAGE: &str = "query Page($where: TaskWhere, $order: TaskOrder!, $first: Int!) { tasks(where: $where, \
     orderBy: $order, first: $first) { edges { cursor node { id version number title summary status dueOn \
     progressPercent leadUnits { id name } plan { id code title } } } pageInfo { hasNextPage endCursor } } }";
const COUNT: &str = "query Count($where: TaskWhere) { tasks(where: $where, first: 0) { totalCount } }";

/// What is asked, and the least that everybody must find.
const ASKED: [&str; 6] = [
    "20 by number",
    "50 by due date",
    "20 latest first",
    "20 of a region by due date",
    "50 of a plan by due date",
    "totalCount of all",
];

/// A million tasks, and the two units whose officers ask.
struct Ground {
    plans: Vec<Id<PlanOf>>,
    few: Id<UnitOf>,
    many: Id<UnitOf>,
}

fn region(plan: usize) -> Result<RegionCode, Fault> {
    let province = PROVINCES[plan % PROVINCES.len()];
    let code =
        format!("{province}{}00", if (plan / PROVINCES.len()).is_multiple_of(2) { "00" } else { "01" });
    Ok(code.parse().map_err(|reason| format!("{code} {reason}"))?)
}

fn is_draft(plan: usize, plans: usize) -> bool {
    plan / PROVINCES.len() / 2 % DRAFTS == DRAFTS - 1 || plan * 100 >= plans * (100 - LAST_PERCENT)
}

impl Ground {
    /// Makes units and plans by commands, and rows of tasks as they are folded from their events.
    async fn lay(store: &EventStore, tasks: usize) -> Result<Self, Fault> {
        let office = &world::office();
        let count = tasks.div_ceil(OF_A_PLAN);
        let units = (0..UNITS).map(|number| async move {
            Ok::<_, Fault>(world::order::<Unit>(store, office, world::unit(number)).await?.life.id.0)
        });
        let units: Vec<_> = stream::iter(units).buffered(COMMANDS).try_collect().await?;
        let drafts = (0..count).map(|number| async move {
            let id = world::draft(store, office, number, region(number)?).await?;
            if !is_draft(number, count) {
                world::issue(store, office, id).await?;
            }
            Ok::<_, Fault>(id)
        });
        let plans: Vec<_> = stream::iter(drafts).buffered(COMMANDS).try_collect().await?;
        let bar = crate::report::bar(tasks, "tasks");
        let (few, many) = (units[0], units[1]);
        for first in (0..tasks).step_by(AT_ONCE) {
            let mut append = sample::append(store, store.clock().new_id(), 1);
            for number in first..tasks.min(first + AT_ONCE) {
                let at = number / OF_A_PLAN;
                let lead = if number % (tasks / FEW) == 7 { few } else { units[2 + number % (UNITS - 2)] };
                let supports = number.is_multiple_of(MANY).then_some(many);
                let row = task(store, (plans[at], region(at)?), number, lead, supports)?;
                let (added, source_id) = (row.links(), row.life.id.0.uuid());
                append.rows.push(WriteRow::of(&row)?);
                append.links.push(Named { source_id, source_kind: Kind::Task, removed: Vec::new(), added });
            }
            write(store, append).await?;
            bar.inc(AT_ONCE as u64);
        }
        bar.finish_and_clear();
        Ok(Self { plans, few, many })
    }

    /// Who asks; the first one sees everything, and all others are compared with them.
    fn people(&self) -> Vec<(&'static str, String)> {
        let officer = |unit: Id<UnitOf>| format!("dev:p:UNIT_OFFICER:unit={unit}");
        vec![
            (ALL, "dev:p:AUDITOR".into()),
            ("the office of the country", "dev:p:LEADING_GROUP_OFFICE".into()),
            ("the office of a province", "dev:p:LEADING_GROUP_OFFICE:region=620000".into()),
            ("an inspector of a city", "dev:p:INSPECTOR:region=620100".into()),
            ("an officer with a few tasks", officer(self.few)),
            ("an officer with many tasks", officer(self.many)),
            (
                "officer and inspector",
                format!("dev:p:UNIT_OFFICER,INSPECTOR:unit={}:region=620000", self.few),
            ),
            ("an enterprise", "dev:p:ENTERPRISE".into()),
            ("the public", String::new()),
        ]
    }

    /// The questions of one sort, as bytes.
    fn questions(&self, asked: &str, token: &str) -> Arc<Vec<Vec<u8>>> {
        let ask = |r#where: Value, field: &str, direction: &str, first: usize| {
            let order = json!({ "field": field, "direction": direction });
            http::graphql(token, PAGE, &json!({ "where": r#where, "order": order, "first": first }))
        };
        let everything = Value::Null;
        Arc::new(match asked {
            "20 by number" => vec![ask(everything, "NUMBER", "ASC", 20)],
            "50 by due date" => vec![ask(everything, "DUE_ON", "ASC", 50)],
            "20 latest first" => vec![ask(everything, "CREATED", "DESC", 20)],
            "20 of a region by due date" => {
                vec![ask(json!({ "region": "620000" }), "DUE_ON", "ASC", 20)]
            }
            "50 of a plan by due date" => {
                let issued = (0..self.plans.len()).filter(|at| !is_draft(*at, self.plans.len()));
                let of = |at: usize| ask(json!({ "plan": self.plans[at] }), "DUE_ON", "ASC", 50);
                issued.take(100).map(of).collect()
            }
            _ => vec![http::graphql(token, COUNT, &json!({}))],
        })
    }
}

const ALL: &str = "an auditor of the country";

fn task(
    store: &EventStore,
    (plan_id, region_code): (Id<PlanOf>, RegionCode),
    number: usize,
    lead: Id<UnitOf>,
    supports: Option<Id<UnitOf>>,
) -> Result<Task, Fault> {
    let id: Id<TaskOf> = Id::new(store.clock().new_id());
    let registered = TaskEvent::Registered {
        plan_id,
        parent_id: None,
        number: (number % OF_A_PLAN).to_string(),
        content: world::content(number),
        assignment: Assignment::Explicit,
        region_code,
    };
    let responsibility = Responsibility {
        lead_unit_ids: vec![lead],
        supporting_unit_ids: supports.into_iter().collect(),
        open_ended: false,
    };
    let events = [registered, TaskEvent::UnitsAssigned { responsibility }, TaskEvent::Accepted];
    let (at, mut row) = (store.clock().now(), None);
    for (event, version) in events.iter().zip(1..) {
        row = Task::project(row, event, &Meta { id, version, actor: "office".into(), at });
    }
    row.ok_or_else(|| "a life without a row".into())
}

async fn write(store: &EventStore, append: Append) -> Result<(), Fault> {
    store.writer().append(append).await.map(drop).map_err(|refusal| format!("{refusal:?}").into())
}

/// How many rows, or which count, an answer holds.
fn held(answer: &[u8]) -> Result<i64, Fault> {
    let answer: Value = serde_json::from_slice(answer)?;
    let tasks = &answer["data"]["tasks"];
    let edges = tasks["edges"].as_array().map(|edges| i64::try_from(edges.len())).transpose()?;
    edges.or(tasks["totalCount"].as_i64()).ok_or_else(|| format!("unexpected answer: {answer}").into())
}

async fn measure(
    title: &str,
    store: &EventStore,
    settings: &Settings,
    report: &mut Report,
) -> Result<(), Fault> {
    let tasks = usize::try_from(settings.tasks)?;
    let ground = Ground::lay(store, tasks).await?;
    if let Pool::Postgres(db) = store.pool() {
        sqlx::query("vacuum analyze").execute(db).await?;
    }
    let serving = Serving::graphql(store).await?;
    let (people, mut cases, mut found) = (ground.people(), Vec::new(), Vec::new());
    let name = |asked: &str, who: &str| format!("{asked}: {who}");
    for asked in ASKED {
        for (who, token) in &people {
            let questions = ground.questions(asked, token);
            found.push(held(Connection::open(serving.address).await?.ask(&questions[0]).await?)?);
            let askers = Asker::several(1, serving.address, &questions).await?;
            cases.push(Case::calling(&name(asked, who), settings.length(), askers));
        }
    }
    rounds("scopes", settings, &mut cases).await?;
    let mut section = Section::new(title, "requests/s", &["p50 of who sees everything"]);
    for asked in ASKED {
        let base = find(&cases, &name(asked, ALL), 1).map(|case| case.median().p50_ms);
        for (who, _) in &people {
            let Some(case) = find(&cases, &name(asked, who), 1) else { continue };
            let ratio = base.map(|base| case.median().p50_ms / base);
            section.row(case, vec![ratio]);
            if *who != ALL {
                report.at_most(format!("{title}, {}: p50 ÷ {ALL}", case.what), 1.2, ratio);
            }
        }
    }
    let held = found.chunks(people.len()).zip(ASKED).map(|(found, asked)| format!("{asked} {found:?}"));
    section.note(format!("Found, by who asks: {}", held.collect::<Vec<_>>().join("; ")));
    section.note(format!(
        "{tasks} tasks of {} plans, one in {DRAFTS} a draft and of the last plans all; rows are folded from events as \
         commands would make them, and written without the events.",
        ground.plans.len()
    ));
    report.add(section);
    serving.stop().await;
    store.pool().close().await;
    Ok(())
}

/// On PostgreSQL.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let store = store::open(&server.database("scopes").await?).await?;
    measure("Scopes on PostgreSQL", &store, settings, report).await
}

/// On SQLite.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_sqlite(directory: &Path, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let store = store::sqlite(directory, "scopes").await?;
    measure("Scopes on SQLite", &store, settings, report).await
}
