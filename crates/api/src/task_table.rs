//! The task breakdown table of a plan (任务分解表), to read, as CSV and as XLSX: 序号, 工作任务, 主要内容, 责任部门.
//!
//! What is written here is what [`crate::import`] reads: a table that is downloaded and imported again changes nothing.
use std::collections::{BTreeSet, HashMap};

use async_graphql::{Context, SimpleObject};
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use sea_query::{Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{
    Id, Viewer,
    organisation::unit,
    programme::task::{Assignment, TaskStatus},
};
use zhixing_event_store::{Error, EventStore};

use crate::{
    downloads::{Caller, Downloads, Format, MOST_ROWS, NoTable, Sheet},
    graphql::{context::Ask, error, plan::Plan, task::Task, unit::Unit, view::Visible},
};

/// Most rows of a page in GraphQL.
const MOST_SHOWN: i32 = 500;
/// Units read at once.
const UNITS_AT_ONCE: usize = 1_000;
/// The columns, and how wide they are.
const COLUMNS: &[(&str, u8)] = &[("序号", 10), ("工作任务", 30), ("主要内容", 60), ("责任部门", 60)];

/// One task of a breakdown table.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject)]
#[graphql(name = "TaskTableRow")]
pub struct TaskTableRow {
    /// Its number (序号).
    pub number: String,
    /// Its heading (工作任务).
    pub title: String,
    /// What is to be done (主要内容).
    pub summary: String,
    /// Who answers for it, such as `牵头部门:市商务局;参与部门:市财政局、湛江海关` (责任部门).
    pub responsible: String,
}

impl TaskTableRow {
    fn of(task: &Task, names: &HashMap<Uuid, String>) -> Self {
        let list = |units: &[Id<unit::Unit>]| {
            let known: Vec<&str> =
                units.iter().filter_map(|id| names.get(&id.uuid()).map(String::as_str)).collect();
            known.join("、")
        };
        Self {
            number: task.number.clone(),
            title: task.title.clone(),
            summary: task.summary.clone(),
            responsible: responsible(
                &list(&task.lead_unit_ids),
                &list(&task.supporting_unit_ids),
                task.assignment == Assignment::Joint,
                task.open_ended,
            ),
        }
    }
    fn cells(&self) -> Vec<String> {
        [&self.number, &self.title, &self.summary, &self.responsible].map(String::clone).to_vec()
    }
}

/// The cell of the responsible units, in the words that documents use and imports read.
fn responsible(leads: &str, supporters: &str, joint: bool, open_ended: bool) -> String {
    let leads = match (leads, joint) {
        ("", _) => String::new(),
        (leads, true) => format!("{leads}{}按职责分工负责", if open_ended { "等" } else { "" }),
        (leads, false) => format!("牵头部门:{leads}"),
    };
    let etc = if open_ended && !(joint && supporters.is_empty()) { "等" } else { "" };
    match (leads.as_str(), supporters) {
        ("", "") => String::new(),
        ("", supporters) => format!("参与部门:{supporters}{etc}"),
        (leads, "") => format!("{leads}{etc}"),
        (leads, supporters) => format!("{leads};参与部门:{supporters}{etc}"),
    }
}

/// A page of a task breakdown table (任务分解表).
#[derive(Clone, Debug, SimpleObject)]
pub struct TaskTable {
    /// The rows of this page, in the order of their numbers.
    pub rows: Vec<TaskTableRow>,
    /// How many rows there are on all pages.
    pub total_rows: i32,
}

impl TaskTable {
    /// So many rows of a plan's table.
    ///
    /// # Errors
    /// When an argument breaks its form, the table is too large, or the database fails.
    pub async fn of(ctx: &Context<'_>, plan: &Plan, first: i32, skip: i32) -> async_graphql::Result<Self> {
        if !(1..=MOST_SHOWN).contains(&first) {
            return Err(error::invalid("first", "is not between 1 and 500"));
        }
        let skip = usize::try_from(skip).map_err(|_| error::invalid("skip", "is less than 0"))?;
        let rows = rows_of(ctx.store(), ctx.viewer(), plan).await.map_err(error::fault)?;
        let rows = rows.ok_or_else(|| error::invalid("taskTable", "has more than 20,000 rows"))?;
        let total_rows = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let first = usize::try_from(first).unwrap_or_default();
        Ok(Self { rows: rows.into_iter().skip(skip).take(first).collect(), total_rows })
    }
}

/// The rows of a plan's table that the viewer may see, in the order of their numbers; none when there are too many.
/// Cancelled tasks do not stand in it.
///
/// # Errors
/// When the database fails.
pub async fn rows_of(
    store: &EventStore,
    viewer: &Viewer,
    plan: &Plan,
) -> Result<Option<Vec<TaskTableRow>>, Error> {
    let filter = Task::visible_to(viewer)
        .add(Expr::col("plan_id").eq(plan.life.id.0.uuid()))
        .add(Expr::col("status").ne(TaskStatus::Cancelled));
    let mut tasks: Vec<Task> = store.pool().all(filter, MOST_ROWS + 1).await?;
    if tasks.len() as u64 > MOST_ROWS {
        return Ok(None);
    }
    tasks.sort_by(|one, other| one.number_order.cmp(&other.number_order));
    let units: BTreeSet<Uuid> = tasks
        .iter()
        .flat_map(|task| task.lead_unit_ids.iter().chain(task.supporting_unit_ids.iter()))
        .map(|id| id.uuid())
        .collect();
    let units: Vec<Uuid> = units.into_iter().collect();
    let mut names = HashMap::with_capacity(units.len());
    let mut reader = store.pool().reader().await?;
    for keys in units.chunks(UNITS_AT_ONCE) {
        let found: Vec<Unit> = reader.many(keys, Unit::visible_to(viewer)).await?;
        names.extend(found.into_iter().map(|unit| (unit.life.id.0.uuid(), unit.name)));
    }
    Ok(Some(tasks.iter().map(|task| TaskTableRow::of(task, &names)).collect()))
}

/// `GET /plans/{code}/tasks.csv`.
pub async fn csv(State(downloads): State<Downloads>, Path(code): Path<String>, caller: Caller) -> Response {
    answer(&downloads, &code, &caller, Format::Csv).await
}

/// `GET /plans/{code}/tasks.xlsx`.
pub async fn xlsx(State(downloads): State<Downloads>, Path(code): Path<String>, caller: Caller) -> Response {
    answer(&downloads, &code, &caller, Format::Xlsx).await
}

async fn answer(downloads: &Downloads, code: &str, caller: &Caller, format: Format) -> Response {
    let made = async |viewer: &Viewer| {
        let refused = |status, reason: &str| NoTable::Refused(status, reason.into());
        let filter = Plan::visible_to(viewer).add(Expr::col("code").eq(code));
        let Some(plan) = downloads.store.pool().all::<Plan>(filter, 1).await?.pop() else {
            return Err(refused(StatusCode::NOT_FOUND, "there is no such plan"));
        };
        let rows = rows_of(&downloads.store, viewer, &plan).await?;
        let too_many = || refused(StatusCode::UNPROCESSABLE_ENTITY, "the plan has more than 20,000 tasks");
        Ok(sheet(&rows.ok_or_else(too_many)?))
    };
    downloads.answer(caller, &format!("{code}-tasks"), format, made).await
}

fn sheet(rows: &[TaskTableRow]) -> Sheet {
    Sheet { name: "任务分解表", columns: COLUMNS, rows: rows.iter().map(TaskTableRow::cells).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::{responsible::parse_responsible, table::read_table};

    fn row(title: &str) -> TaskTableRow {
        TaskTableRow {
            number: "4.10".into(),
            title: title.into(),
            summary: "第一行\n\"第二行\", <三>&四".into(),
            responsible: "牵头部门:市商务局".into(),
        }
    }

    #[test]
    fn units_are_written_as_they_are_read() {
        for (leads, supporters, joint, open_ended) in [
            ("市商务局", "", false, false),
            ("市商务局、市财政局", "湛江海关", false, true),
            ("市商务局", "", false, true),
            ("市商务局、市财政局", "", true, false),
            ("市商务局、市财政局", "", true, true),
            ("市商务局、市财政局", "湛江海关、市税务局", true, false),
        ] {
            let cell = responsible(leads, supporters, joint, open_ended);
            let read = parse_responsible(&cell).unwrap();
            let said = (read.lead.join("、"), read.supporting.join("、"), read.joint, read.open_ended);
            let joint = joint || leads.contains('、') && said.2;
            assert_eq!(said, (leads.to_owned(), supporters.to_owned(), joint, open_ended), "{cell}");
        }
        assert_eq!(responsible("", "", false, false), "");
    }

    #[test]
    fn no_cell_is_a_formula_and_every_cell_comes_back() {
        for start in ["=", "+", "-", "@", "\t=", "＝", "'=", "市"] {
            let rows = [row(&format!("{start}HYPERLINK(1)"))];
            let csv = sheet(&rows).csv().unwrap();
            let text = String::from_utf8(csv.clone()).unwrap();
            assert!(text.starts_with("\u{FEFF}序号,工作任务,主要内容,责任部门\r\n"), "{text}");
            let begins = |cell: &str| {
                cell.trim_start_matches('"').trim_start().starts_with(['=', '+', '-', '@', '＝'])
            };
            assert!(!text.split(['\n', ',']).any(begins), "{text}");
            for (name, bytes) in [("t.csv", csv), ("t.xlsx", sheet(&rows).xlsx().unwrap())] {
                let table = read_table(&bytes, name).unwrap();
                let back = &table.rows[0];
                assert_eq!(
                    (back.title.trim(), &back.number),
                    (rows[0].title.trim(), &rows[0].number),
                    "{name}"
                );
                assert_eq!(
                    (&back.content, &back.responsible),
                    (&rows[0].summary, &rows[0].responsible),
                    "{name}"
                );
            }
        }
    }
}
