//! What is due, over all kinds, as a table to download (到期与逾期清单): 类别, 事项, 责任单位, 地区, 方案, 期限, 逾期天数.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::Response,
};
use sea_query::{Condition, Expr, ExprTrait};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zhixing_domain::{Date, Id, Kind, RegionCode, Viewer, organisation::unit};
use zhixing_event_store::{Error, Row, Table};

use crate::{
    downloads::{Caller, Downloads, Format, MOST_ROWS, NoTable, Sheet},
    graphql::{
        due_item::{DOERS, DueItem, DueItemWhere},
        plan::Plan,
        region::Region,
        unit::Unit,
        view::Visible,
    },
};

const COLUMNS: &[(&str, u8)] = &[
    ("类别", 12),
    ("事项", 50),
    ("责任单位", 40),
    ("地区", 16),
    ("方案", 40),
    ("期限", 12),
    ("逾期天数", 10),
];
/// Objects looked up at once.
const AT_ONCE: usize = 1_000;
/// More than one object names doers.
const MOST_NAMED: u64 = 100_000;

/// Which items, as the address says it; what is left out does not narrow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Code of the plan.
    plan: Option<String>,
    /// The region itself and all inside it.
    region: Option<String>,
    /// Which this unit has to do.
    unit: Option<String>,
    /// Of these kinds, separated by commas.
    kind: Option<String>,
    /// Only what is overdue (true), or only the rest (false).
    overdue: Option<bool>,
}

type Asked = Result<Query<Wanted>, QueryRejection>;

/// `GET /due-items.csv?plan=CODE&region=CODE&unit=ID&kind=KIND,…&overdue=true`.
pub async fn csv(State(downloads): State<Downloads>, wanted: Asked, caller: Caller) -> Response {
    answer(&downloads, wanted, &caller, Format::Csv).await
}

/// `GET /due-items.xlsx`, narrowed in the same way.
pub async fn xlsx(State(downloads): State<Downloads>, wanted: Asked, caller: Caller) -> Response {
    answer(&downloads, wanted, &caller, Format::Xlsx).await
}

async fn answer(downloads: &Downloads, wanted: Asked, caller: &Caller, format: Format) -> Response {
    let made = async |viewer: &Viewer| {
        if !viewer.is_official() {
            return Err(NoTable::Refused(StatusCode::FORBIDDEN, "this list is for officials".into()));
        }
        let Query(wanted) =
            wanted.map_err(|error| NoTable::Refused(StatusCode::BAD_REQUEST, error.body_text()))?;
        sheet(downloads, viewer, wanted).await
    };
    downloads.answer(caller, "due-items", format, made).await
}

fn bad(field: &str, reason: impl std::fmt::Display) -> NoTable {
    NoTable::Refused(StatusCode::BAD_REQUEST, format!("{field} {reason}"))
}

async fn sheet(downloads: &Downloads, viewer: &Viewer, wanted: Wanted) -> Result<Sheet, NoTable> {
    let pool = downloads.store.pool();
    let today = Date::of(downloads.store.clock().now());
    let plan = match &wanted.plan {
        None => None,
        Some(code) => {
            let filter = Plan::visible_to(viewer).add(Expr::col("code").eq(code));
            let found = pool.all::<Plan>(filter, 1).await?.pop();
            let missing = || NoTable::Refused(StatusCode::NOT_FOUND, "there is no such plan".into());
            Some(found.ok_or_else(missing)?.life.id.0)
        }
    };
    let kinds = wanted.kind.map(|kinds| kinds.split(',').map(str::parse).collect::<Result<Vec<Kind>, _>>());
    let narrowed = DueItemWhere {
        kind: kinds.transpose().map_err(|reason| bad("kind", reason))?,
        plan,
        region: wanted
            .region
            .map(|code| code.parse::<RegionCode>())
            .transpose()
            .map_err(|reason| bad("region", reason))?,
        unit: wanted
            .unit
            .map(|id| id.parse::<Id<unit::Unit>>())
            .transpose()
            .map_err(|reason| bad("unit", reason))?,
        due: None,
        is_overdue: wanted.overdue,
    };
    let filter = narrowed.filter(today).map_err(|error| bad("kind", error.message))?;
    let filter = DueItem::visible_to(viewer).add(filter);
    let mut items: Vec<DueItem> = pool.all(filter, MOST_ROWS + 1).await?;
    if items.len() as u64 > MOST_ROWS {
        let reason = "there are more than 20,000 items: narrow them by plan, region, unit or kind";
        return Err(NoTable::Refused(StatusCode::UNPROCESSABLE_ENTITY, reason.into()));
    }
    items.sort_by_key(|item| (item.due_on, item.id));
    let doers = doers(downloads, viewer, &items).await?;
    let plans = plans(downloads, viewer, &items).await?;
    let row = |item: &DueItem| {
        vec![
            item.kind.term().to_owned(),
            item.title.clone(),
            doers.get(&item.id).cloned().unwrap_or_default(),
            Region::find(item.region_code).map(|region| region.0.name.to_owned()).unwrap_or_default(),
            item.plan_id.and_then(|id| plans.get(&id.0.uuid()).cloned()).unwrap_or_default(),
            item.due_on.to_string(),
            Ord::max(today.days_since(item.due_on), 0).to_string(),
        ]
    };
    Ok(Sheet { name: "到期与逾期清单", columns: COLUMNS, rows: items.iter().map(row).collect() })
}

/// A unit that an object names.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
struct Doer {
    source_id: Uuid,
    target_id: Uuid,
    relation: String,
}

impl Row for Doer {
    const TABLE: &'static Table = &Table { name: "links", columns: &["source_id", "target_id", "relation"] };
    fn key(&self) -> Uuid {
        self.source_id
    }
}

/// The names of those who have something to do, by object; those who lead first.
async fn doers(
    downloads: &Downloads,
    viewer: &Viewer,
    items: &[DueItem],
) -> Result<HashMap<Uuid, String>, Error> {
    let mut reader = downloads.store.pool().reader().await?;
    let mut doers: BTreeMap<Uuid, Vec<(usize, Uuid)>> = BTreeMap::new();
    let mut units: BTreeSet<Uuid> = BTreeSet::new();
    for some in items.chunks(AT_ONCE) {
        let filter = Condition::all()
            .add(Expr::col("source_id").is_in(some.iter().map(|item| item.id)))
            .add(Expr::col("relation").is_in(DOERS.iter().copied()));
        for Doer { source_id, target_id, relation } in reader.all::<Doer>(filter, MOST_NAMED).await? {
            let place = DOERS.iter().position(|known| *known == relation).unwrap_or_default();
            doers.entry(source_id).or_default().push((place, target_id));
            units.insert(target_id);
        }
    }
    let units: Vec<Uuid> = units.into_iter().collect();
    let mut names = HashMap::with_capacity(units.len());
    for keys in units.chunks(AT_ONCE) {
        let found: Vec<Unit> = reader.many(keys, Unit::visible_to(viewer)).await?;
        names.extend(found.into_iter().map(|unit| (unit.life.id.0.uuid(), unit.name)));
    }
    let spelled = |(object, mut units): (Uuid, Vec<(usize, Uuid)>)| {
        units.sort_unstable();
        let known: Vec<&str> =
            units.iter().filter_map(|(_, unit)| names.get(unit).map(String::as_str)).collect();
        (object, known.join("、"))
    };
    Ok(doers.into_iter().map(spelled).collect())
}

async fn plans(
    downloads: &Downloads,
    viewer: &Viewer,
    items: &[DueItem],
) -> Result<HashMap<Uuid, String>, Error> {
    let keys: BTreeSet<Uuid> = items.iter().filter_map(|item| Some(item.plan_id?.0.uuid())).collect();
    let keys: Vec<Uuid> = keys.into_iter().collect();
    let mut titles = HashMap::with_capacity(keys.len());
    let mut reader = downloads.store.pool().reader().await?;
    for some in keys.chunks(AT_ONCE) {
        let found: Vec<Plan> = reader.many(some, Plan::visible_to(viewer)).await?;
        titles.extend(found.into_iter().map(|plan| (plan.life.id.0.uuid(), plan.title)));
    }
    Ok(titles)
}
