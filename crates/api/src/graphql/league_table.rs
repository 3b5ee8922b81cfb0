//! League tables (排名): who stands where, why, and against the year before.
use std::collections::{HashMap, HashSet};

use async_graphql::{Context, Result, SimpleObject};
use rust_decimal::Decimal;
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{
    Amount, Id, Rejection,
    performance::scoring::{self, Rules},
};

use super::{
    assessment::Assessment,
    assessment_scheme::{AssessmentScheme, ItemWeight},
    connection::Narrow,
    context::Ask,
    error,
    found::Found,
    unit::Unit,
};

/// Most units of one league table.
const MOST: u64 = 1_000;

/// A unit in a league table.
#[derive(Clone, Debug, SimpleObject)]
pub struct LeagueRow {
    /// Its rank, from 1; equal totals share one.
    pub rank: i32,
    /// The unit.
    pub unit: Option<Found<Unit>>,
    /// Its assessment, which explains the total.
    pub assessment: Found<Assessment>,
    /// Its points.
    pub total: Amount,
    /// Its grade.
    pub grade: String,
    /// Whether something decided by itself.
    pub vetoed: bool,
    /// Its rank of the year before under the same plan; null when it was not assessed.
    pub former_rank: Option<i32>,
    /// Places gained against the year before; negative when lost.
    pub rank_change: Option<i32>,
}

/// A unit on its way into a table.
struct Standing {
    assessment: Assessment,
    total: Amount,
    vetoed: bool,
}

/// Best first, and the rank of each.
fn ranked(mut standings: Vec<Standing>) -> Vec<(i32, Standing)> {
    standings.sort_by(|one, other| {
        let by = |standing: &Standing| (standing.vetoed, std::cmp::Reverse(standing.total));
        let (one_id, other_id) = (one.assessment.life.id.0.uuid(), other.assessment.life.id.0.uuid());
        by(one)
            .cmp(&by(other))
            .then(one.assessment.region_code.cmp(&other.assessment.region_code))
            .then(one_id.cmp(&other_id))
    });
    let mut rows: Vec<(i32, Standing)> = Vec::with_capacity(standings.len());
    for (place, standing) in (1..).zip(standings) {
        let shared = rows
            .last()
            .filter(|(_, before)| (before.vetoed, before.total) == (standing.vetoed, standing.total));
        let rank = shared.map_or(place, |(rank, _)| *rank);
        rows.push((rank, standing));
    }
    rows
}

async fn standings(ctx: &Context<'_>, of: Condition) -> Result<Vec<Standing>> {
    let scored = of.add(Expr::col("total").is_not_null());
    let rows: Vec<Assessment> = ctx.store().pool().all(scored, MOST + 1).await.map_err(error::fault)?;
    if rows.len() as u64 > MOST {
        return Err(error::invalid("leagueTable", "has more than 1,000 units"));
    }
    let standing = |assessment: Assessment| {
        let (total, vetoed) = (assessment.total?, !assessment.vetoes.is_empty());
        Some(Standing { assessment, total, vetoed })
    };
    Ok(rows.into_iter().filter_map(standing).collect())
}

/// The rules with other weights.
fn reweighed(rules: &Rules, weights: &[ItemWeight]) -> Result<Rules> {
    let mut rules = rules.clone();
    for (at, ItemWeight { item, weight }) in weights.iter().enumerate() {
        let field = format!("weights[{at}].item");
        if weights[..at].iter().any(|other| other.item == *item) {
            return Err(error::invalid(&field, "stands twice"));
        }
        let Some(known) = rules.items.iter_mut().find(|known| known.code == *item) else {
            return Err(error::invalid(&field, "is no item of the scheme"));
        };
        known.weight = *weight;
    }
    if weights.len() != rules.items.len() {
        return Err(error::invalid("weights", "does not name every item"));
    }
    match rules.check() {
        Ok(()) => Ok(rules),
        Err(Rejection::Invalid { reason, .. }) => Err(error::invalid("weights", &reason)),
        Err(other) => Err(error::invalid("weights", &other.to_string())),
    }
}

/// The league table of a scheme, with its own weights or with others.
///
/// # Errors
/// When the other weights break their form, or the database fails.
pub async fn of(
    ctx: &Context<'_>,
    scheme: &AssessmentScheme,
    weights: Option<Vec<ItemWeight>>,
) -> Result<Vec<LeagueRow>> {
    let rules = weights.map(|weights| reweighed(&scheme.rules, &weights)).transpose()?;
    let mut now = standings(ctx, Condition::all().has("scheme_id", Some(scheme.life.id))).await?;
    if let Some(rules) = &rules {
        for standing in &mut now {
            let figures: Vec<_> = standing.assessment.items.iter().map(|item| item.figure.clone()).collect();
            let (_, total) =
                scoring::score(rules, &figures).map_err(|rejection| error::fault(rejection.into()))?;
            standing.total = total;
        }
    }
    let before = Condition::all().has("plan_id", Some(scheme.plan_id)).has("year", Some(scheme.year - 1));
    let former: HashMap<Uuid, i32> = ranked(standings(ctx, before).await?)
        .into_iter()
        .map(|(rank, standing)| (standing.assessment.unit_id.0.uuid(), rank))
        .collect();
    let mut rows = Vec::new();
    // Ranks are those among all; rows are shown to whom they are open.
    let ids: Vec<Id<_>> = now.iter().map(|standing| standing.assessment.life.id.0).collect();
    let open = ctx.load_all::<Assessment>(&ids).await?;
    let open: HashSet<Uuid> = open.iter().map(|row| row.life.id.0.uuid()).collect();
    for (rank, Standing { assessment, total, vetoed }) in ranked(now) {
        if !open.contains(&assessment.life.id.0.uuid()) {
            continue;
        }
        let unit = assessment.unit_id.0.uuid();
        let former_rank = former.get(&unit).copied();
        let grade = match &rules {
            Some(rules) => rules.grade(total, vetoed).map(|grade| grade.name.clone()),
            None => assessment.grade.clone(),
        };
        rows.push(LeagueRow {
            rank,
            unit: ctx.load(Id::new(unit)).await?,
            assessment: Found::new(assessment),
            total,
            grade: grade.unwrap_or_default(),
            vetoed,
            former_rank,
            rank_change: former_rank.map(|former| former - rank),
        });
    }
    Ok(rows)
}

/// The rank of one assessment among those of its scheme; none before it is scored.
///
/// # Errors
/// When the database fails.
pub async fn rank_of(ctx: &Context<'_>, assessment: &Assessment) -> Result<Option<i32>> {
    let all = standings(ctx, Condition::all().has("scheme_id", Some(assessment.scheme_id))).await?;
    let rows = ranked(all);
    Ok(rows.iter().find(|(_, row)| row.assessment.life.id == assessment.life.id).map(|(rank, _)| *rank))
}

/// A share as a percentage, to two places.
pub fn percent(share: Decimal) -> Amount {
    (share * Decimal::ONE_HUNDRED).round_dp(2).into()
}
