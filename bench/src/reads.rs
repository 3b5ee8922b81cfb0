//! `bench reads`: a page of 50 tasks and a single task through GraphQL, through a handler written by hand, and as SQL.
use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Id,
    organisation::unit::Unit,
    programme::{plan::Plan, task::Task},
};
use zhixing_event_store::Pool;

use crate::{
    case::{Case, find, rounds},
    http::{self, Asker, Connection, Serving},
    load::Fault,
    pgbench::Pgbench,
    report::{Report, Section},
    server::Server,
    settings::Settings,
    store,
    world::{Size, World},
};

const CONNECTIONS: [usize; 3] = [1, 16, 64];
const TOKEN: &str = "dev:reader:AUDITOR";

const PAGE: &str = "query Page($plan: ID!) { tasks(where: { plan: $plan }, orderBy: { field: DUE_ON }, first: 50) { \
     nodes { id version number title summary status dueOn progressPercent leadUnits { id name } plan { id code title } } \
     pageInfo { hasNextPage endCursor } } }";
const ONE: &str =
    "query One($id: ID!) { task(id: $id) { id version number title summary status dueOn progressPercent } }";

const PAGE_SQL: &str = "select t.id, t.version, t.number, t.title, t.summary, t.status, t.due_on, t.progress_percent, \
     u.id as unit_id, u.name as unit_name, p.id as plan_id, p.code as plan_code, p.title as plan_title from tasks t \
     join plans p on p.id = t.plan_id join links l on l.source_id = t.id and l.relation = 'lead' \
     join units u on u.id = l.target_id where t.plan_id = $1 order by t.due_on is null, t.due_on, t.id limit 51";
const ONE_SQL: &str =
    "select id, version, number, title, summary, status, due_on, progress_percent from tasks where id = $1";

const KINDS: [(&str, [&str; 3]); 2] = [
    ("page of 50", ["page of 50: GraphQL", "page of 50: by hand", "page of 50: SQL (pgbench)"]),
    ("single task", ["single task: GraphQL", "single task: by hand", "single task: SQL (pgbench)"]),
];

// What the handler reads and answers.

#[derive(FromRow)]
struct TaskRow {
    id: Uuid,
    version: i64,
    number: String,
    title: String,
    summary: String,
    status: String,
    due_on: Option<NaiveDate>,
    progress_percent: i32,
}

#[derive(FromRow)]
struct PageRow {
    #[sqlx(flatten)]
    task: TaskRow,
    unit_id: Uuid,
    unit_name: String,
    plan_id: Uuid,
    plan_code: String,
    plan_title: String,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct Tasks {
    tasks: Page,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    nodes: Vec<Node>,
    page_info: PageInfo,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

#[derive(Serialize)]
struct One {
    task: Option<Fields>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    id: Id<Task>,
    version: i64,
    number: String,
    title: String,
    summary: String,
    status: String,
    due_on: Option<NaiveDate>,
    progress_percent: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(flatten)]
    fields: Fields,
    lead_units: [Named; 1],
    plan: Titled,
}

#[derive(Serialize)]
struct Named {
    id: Id<Unit>,
    name: String,
}

#[derive(Serialize)]
struct Titled {
    id: Id<Plan>,
    code: String,
    title: String,
}

#[derive(Serialize)]
struct Cursor {
    o: &'static str,
    v: Option<NaiveDate>,
    k: Uuid,
}

impl From<TaskRow> for Fields {
    fn from(row: TaskRow) -> Self {
        Self {
            id: Id::new(row.id),
            version: row.version,
            number: row.number,
            title: row.title,
            summary: row.summary,
            status: row.status,
            due_on: row.due_on,
            progress_percent: row.progress_percent,
        }
    }
}

#[derive(Deserialize)]
#[serde(bound = "")]
struct Asked<T: Aggregate> {
    id: Id<T>,
}

type Answer<T> = Result<Json<Data<T>>, (StatusCode, String)>;

fn failed(error: impl std::fmt::Display) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

async fn page(State(db): State<PgPool>, Query(asked): Query<Asked<Plan>>) -> Answer<Tasks> {
    let mut rows: Vec<PageRow> =
        sqlx::query_as(PAGE_SQL).bind(asked.id.uuid()).fetch_all(&db).await.map_err(failed)?;
    let has_next_page = rows.len() > 50;
    rows.truncate(50);
    let cursor = |row: &PageRow| {
        let cursor = Cursor { o: "+due_on", v: row.task.due_on, k: row.task.id };
        serde_json::to_vec(&cursor).map(|json| URL_SAFE_NO_PAD.encode(json)).map_err(failed)
    };
    let end_cursor = rows.last().map(cursor).transpose()?;
    let node = |row: PageRow| Node {
        fields: row.task.into(),
        lead_units: [Named { id: Id::new(row.unit_id), name: row.unit_name }],
        plan: Titled { id: Id::new(row.plan_id), code: row.plan_code, title: row.plan_title },
    };
    let nodes = rows.into_iter().map(node).collect();
    Ok(Json(Data {
        data: Tasks { tasks: Page { nodes, page_info: PageInfo { has_next_page, end_cursor } } },
    }))
}

async fn one(State(db): State<PgPool>, Query(asked): Query<Asked<Task>>) -> Answer<One> {
    let row: Option<TaskRow> =
        sqlx::query_as(ONE_SQL).bind(asked.id.uuid()).fetch_optional(&db).await.map_err(failed)?;
    Ok(Json(Data { data: One { task: row.map(Fields::from) } }))
}

/// Both must say the same, or they cannot be compared.
async fn compare(graphql: &Serving, by_hand: &Serving, questions: (&[u8], &[u8])) -> Result<String, Fault> {
    let mut ours = Connection::open(graphql.address).await?;
    let mut theirs = Connection::open(by_hand.address).await?;
    let (ours, theirs) = (ours.ask(questions.0).await?, theirs.ask(questions.1).await?);
    let data =
        |answer: &[u8]| Ok::<_, Fault>(serde_json::from_slice::<serde_json::Value>(answer)?["data"].take());
    if data(ours)? != data(theirs)? {
        let (ours, theirs) = (String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs));
        return Err(format!("the answers differ:\n{ours}\n{theirs}").into());
    }
    Ok(format!("{} bytes through GraphQL, {} by hand", ours.len(), theirs.len()))
}

fn requests<A: Aggregate>(ids: &[Id<A>], request: impl Fn(&Id<A>) -> Vec<u8>) -> Arc<Vec<Vec<u8>>> {
    Arc::new(ids.iter().map(request).collect())
}

/// A table from which `pgbench` takes a random id.
async fn number<A>(db: &PgPool, table: &str, ids: &[Id<A>]) -> Result<(), Fault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "create table {table} (n bigint primary key, id uuid not null)"
    )))
    .execute(db)
    .await?;
    let fill =
        format!("insert into {table} select n, id from unnest($1::uuid[]) with ordinality as x(id, n)");
    sqlx::query(sqlx::AssertSqlSafe(fill)).bind(ids).execute(db).await?;
    Ok(())
}

/// Reads on PostgreSQL.
///
/// # Errors
/// When anything fails: what is measured must work.
pub async fn on_postgres(server: &Server, settings: &Settings, report: &mut Report) -> Result<(), Fault> {
    let (length, url) = (settings.length(), server.database("reads").await?);
    let store = store::open(&url).await?;
    let world = World::build(&store, Size { plans: 50, tasks: 200, indicators: 0 }).await?;
    let Pool::Postgres(db) = store.pool().clone() else { return Err("not PostgreSQL".into()) };
    number(&db, "bench_plans", &world.plans).await?;
    number(&db, "bench_tasks", &world.tasks).await?;
    sqlx::query("vacuum analyze").execute(&db).await?;

    let graphql = Serving::graphql(&store).await?;
    let by_hand = Router::new().route("/page", get(page)).route("/one", get(one)).with_state(db.clone());
    let by_hand = Serving::router(by_hand).await?;

    let ask = |query, name: &'static str| {
        move |id: String| http::graphql(TOKEN, query, &serde_json::json!({ name: id }))
    };
    let (ask_page, ask_one) = (ask(PAGE, "plan"), ask(ONE, "id"));
    let questions = [
        [
            requests(&world.plans, |id| ask_page(id.to_string())),
            requests(&world.plans, |id| http::get(&format!("/page?id={id}"))),
        ],
        [
            requests(&world.tasks, |id| ask_one(id.to_string())),
            requests(&world.tasks, |id| http::get(&format!("/one?id={id}"))),
        ],
    ];
    let script = |sql: &str, table: &str, count: usize| {
        let id = format!("(select id from {table} where n = :n)");
        format!("\\set n random(1, {count})\n{};\n", sql.replace("$1", &id))
    };
    let scripts = [
        Pgbench::new(server, &url, &script(PAGE_SQL, "bench_plans", world.plans.len()), &[])?,
        Pgbench::new(server, &url, &script(ONE_SQL, "bench_tasks", world.tasks.len()), &[])?,
    ]
    .map(Arc::new);

    let (mut cases, mut notes) = (Vec::new(), Vec::new());
    for (at, (kind, [through, hand, sql])) in KINDS.into_iter().enumerate() {
        let [ours, theirs] = &questions[at];
        for (ours, theirs) in ours.iter().zip(theirs.iter()).step_by(7) {
            let sizes = compare(&graphql, &by_hand, (ours, theirs)).await?;
            notes = [notes, vec![format!("{kind}: {sizes}")]].concat();
        }
        notes.truncate(at + 1);
        for count in CONNECTIONS {
            cases.push(Case::calling(through, length, Asker::several(count, graphql.address, ours).await?));
            cases.push(Case::calling(hand, length, Asker::several(count, by_hand.address, theirs).await?));
            let script = scripts[at].clone();
            cases.push(Case::new(sql, count, move || {
                let script = script.clone();
                Box::pin(async move { script.run(count, length).await })
            }));
        }
    }
    rounds("reads", settings, &mut cases).await?;

    let mut section = Section::new("Reads on PostgreSQL (g)", "requests/s", &["by hand, same connections"]);
    let hand_of = |case: &Case| {
        let kind = KINDS.iter().find(|(_, names)| names.contains(&case.what.as_str()))?;
        find(&cases, kind.1[1], case.callers).map(|hand| hand.median().per_second)
    };
    let ratio = |case: &Case| hand_of(case).map(|hand| case.median().per_second / hand);
    for case in &cases {
        section.row(case, vec![ratio(case)]);
    }
    for note in notes {
        section.note(note);
    }
    section.note(
        "Both servers and their clients share this process and one pool; the answers were compared and say the same.",
    );
    report.add(section);
    for ((_, [through, ..]), wanted) in KINDS.into_iter().zip([0.7, 0.65]) {
        let got = find(&cases, through, 16).and_then(ratio);
        report.at_least(format!("{through} at 16 connections ÷ by hand"), wanted, got);
    }
    by_hand.stop().await;
    graphql.stop().await;
    Ok(())
}
