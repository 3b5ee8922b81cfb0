//! The workbench of an assessment (考核工作台): the whole scoring sheet, what waits for whom, and what was objected to.
use async_graphql::{Context, Result, SimpleObject};
use sea_query::Condition;
use zhixing_domain::{
    Amount, Date, Kind,
    performance::{assessment::AssessmentStatus, scoring::Scored},
};

use super::{
    assessment::{ASSESSED, Assessment},
    assessment_scheme::AssessmentScheme,
    connection::Narrow,
    context::Ask,
    error,
    found::Found,
    unit::Unit,
    view::{inside, named},
};

/// Most units of one workbench.
const MOST: u64 = 1_000;

/// How many assessments stand somewhere.
#[derive(Clone, Debug, SimpleObject)]
pub struct AssessmentStatusCount {
    /// Where.
    pub status: AssessmentStatus,
    /// How many.
    pub count: i32,
}

/// A cell of the scoring sheet (评分表).
#[derive(Clone, Debug, SimpleObject)]
pub struct SheetCell {
    /// Code of the item.
    pub item: String,
    /// Its points; null before it was scored.
    pub points: Option<Amount>,
    /// The points that the unit gives itself; null when it said none.
    pub self_points: Option<Amount>,
    /// Whether it was scored without any data, so that it earned nothing.
    pub lacks_data: bool,
    /// How many events the points rest on.
    pub evidence_count: i32,
}

/// A row of the scoring sheet: one unit.
#[derive(Clone, Debug, SimpleObject)]
pub struct SheetRow {
    /// The unit.
    pub unit: Option<Found<Unit>>,
    /// Its assessment, which explains every figure.
    pub assessment: Found<Assessment>,
    /// A cell for every item, in the order of the scheme.
    pub cells: Vec<SheetCell>,
    /// Its points; null before it was scored.
    pub total: Option<Amount>,
    /// Codes of what decided by itself (一票否决).
    pub vetoes: Vec<String>,
}

/// The workbench of an assessment scheme (考核工作台).
#[derive(Clone, Debug, SimpleObject)]
pub struct Workbench {
    /// Assessments by where they stand; every status, also with none.
    pub by_status: Vec<AssessmentStatusCount>,
    /// The scoring sheet (评分表): units by region, at most 1,000.
    pub sheet: Vec<SheetRow>,
    /// Those that were objected to or appealed against and wait for a decision, with their reasons.
    pub to_decide: Vec<Found<Assessment>>,
    /// Announced results that can still be objected to today.
    pub open_to_objection: Vec<Found<Assessment>>,
    /// Announced results whose time for objections is over: they can be made final.
    pub to_finalise: Vec<Found<Assessment>>,
}

impl Workbench {
    /// The workbench of this scheme.
    ///
    /// # Errors
    /// When there are too many units, or the database fails.
    pub async fn of(ctx: &Context<'_>, scheme: &AssessmentScheme) -> Result<Self> {
        let own = inside(ctx.viewer(), Kind::Assessment, named(ctx.viewer(), "id", &[ASSESSED]));
        let own = Condition::all().add(own).has("scheme_id", Some(scheme.life.id));
        let mut rows: Vec<Assessment> = ctx.store().pool().all(own, MOST + 1).await.map_err(error::fault)?;
        if rows.len() as u64 > MOST {
            return Err(error::invalid("workbench", "has more than 1,000 units"));
        }
        rows.sort_by_key(|row| (row.region_code, row.life.id.0.uuid()));
        let today = Date::of(ctx.store().clock().now());
        let count = |status: &AssessmentStatus| AssessmentStatusCount {
            status: *status,
            count: i32::try_from(rows.iter().filter(|row| row.status == *status).count()).unwrap_or(i32::MAX),
        };
        let those = |wanted: &dyn Fn(&Assessment) -> bool| {
            rows.iter().filter(|row| wanted(row)).cloned().map(Found::new).collect::<Vec<_>>()
        };
        let announced = |row: &Assessment, over: bool| {
            row.status == AssessmentStatus::Announced
                && row.objections_until.is_some_and(|until| (until < today) == over)
        };
        Ok(Self {
            by_status: AssessmentStatus::ALL.iter().map(count).collect(),
            to_decide: those(&|row| {
                matches!(row.status, AssessmentStatus::Objected | AssessmentStatus::Appealed)
            }),
            open_to_objection: those(&|row| announced(row, false)),
            to_finalise: those(&|row| announced(row, true)),
            sheet: sheet(ctx, &rows).await?,
        })
    }
}

async fn sheet(ctx: &Context<'_>, rows: &[Assessment]) -> Result<Vec<SheetRow>> {
    let mut sheet = Vec::with_capacity(rows.len());
    let ids: Vec<_> = rows.iter().map(|row| row.unit_id.0).collect();
    let units = ctx.load_all::<Unit>(&ids).await?;
    for row in rows {
        let unit = units.iter().find(|unit| unit.life.id.0 == row.unit_id.0).cloned();
        sheet.push(SheetRow {
            unit,
            cells: row.rules.items.iter().map(|item| cell(row, &item.code)).collect(),
            total: row.total,
            vetoes: row.vetoes.iter().map(|veto| veto.code.clone()).collect(),
            assessment: Found::new(row.clone()),
        });
    }
    Ok(sheet)
}

fn cell(row: &Assessment, item: &str) -> SheetCell {
    let scored: Option<&Scored> = row.items.iter().find(|scored| scored.figure.item == item);
    SheetCell {
        item: item.to_owned(),
        points: scored.map(|scored| scored.points),
        self_points: row.self_scores.iter().find(|own| own.item == item).map(|own| own.points),
        lacks_data: scored.is_some_and(|scored| scored.figure.value.is_none()),
        evidence_count: scored
            .map_or(0, |scored| i32::try_from(scored.figure.evidence.len()).unwrap_or(i32::MAX)),
    }
}
