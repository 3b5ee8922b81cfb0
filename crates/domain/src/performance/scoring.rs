//! How an assessment is scored (评分): one formula for every source of a score, in decimals, so that anybody can do the sum
//! again by hand.
//!
//! An item earns its weight times the share that was reached. The share of an indicator is 1 when the target is met; else
//! the value over the target, or for a ceiling 1 less the excess over the target, never below 0. Reports and tasks earn
//! their quota, experts give a percentage. Points are rounded once, to two places, a half away from zero. What nobody
//! measured earns nothing, and is said to have no data.
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use crate::{
    Amount, Id, Rejection,
    id::GlobalId,
    performance::{attainment::Comparator, indicator::Indicator},
    text,
};

/// Version of the formula: whoever changes it raises this, so that old scores are read with the old one.
pub const FORMULA: i32 = 1;

vocabulary! {
    /// Where the points of an item come from (得分来源).
    pub enum ScoreSource {
        Indicator = "INDICATOR", "指标";
        ReportTimeliness = "REPORT_TIMELINESS", "报告及时率";
        ReportCompleteness = "REPORT_COMPLETENESS", "报告完整率";
        TaskCompletion = "TASK_COMPLETION", "任务完成率";
        Expert = "EXPERT", "专家评分";
    }
}

/// An item of an assessment (考核项目).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "AssessmentItemInput"))]
#[serde(rename_all = "camelCase")]
pub struct AssessmentItem {
    /// Its code, unique in the scheme, at most 40 letters, digits, `.`, `-` and `_`.
    pub code: String,
    /// What is assessed, at most 200 characters.
    pub name: String,
    /// The points that it can earn, above 0; all weights add up to 100.
    pub weight: Amount,
    /// Where its points come from.
    pub source: ScoreSource,
    /// The indicator; needed for that source, and only there.
    pub indicator_id: Option<Id<Indicator>>,
}

/// A circumstance that decides an assessment by itself (一票否决事项).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "VetoInput"))]
#[serde(rename_all = "camelCase")]
pub struct Veto {
    /// Its code, unique in the scheme.
    pub code: String,
    /// What it is, such as 发生重大质量安全事故.
    pub name: String,
}

/// A grade of the result (考核等次).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "GradeInput"))]
#[serde(rename_all = "camelCase")]
pub struct Grade {
    /// What it is called, such as 优秀.
    pub name: String,
    /// The points from which on it is given.
    pub from: Amount,
}

/// What is assessed and how it is weighed (考核内容).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Rules {
    /// The items; their weights add up to 100.
    pub items: Vec<AssessmentItem>,
    /// Circumstances that decide by themselves.
    pub vetoes: Vec<Veto>,
    /// The grades, highest first; the last from 0 on.
    pub grades: Vec<Grade>,
}

fn check_code(field: &str, code: &str) -> Result<(), Rejection> {
    let allowed = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if code.is_empty() || code.len() > 40 || !allowed {
        return Err(Rejection::invalid(
            field,
            "is not 1 to 40 letters, digits, dots, hyphens and underscores",
        ));
    }
    Ok(())
}

impl Rules {
    /// That they can be assessed by.
    ///
    /// # Errors
    /// A rejection that names the field, or the rule `weights-add-to-100`.
    pub fn check(&self) -> Result<(), Rejection> {
        for (field, entries) in
            [("items", self.items.len()), ("vetoes", self.vetoes.len()), ("grades", self.grades.len())]
        {
            text::count(field, entries)?;
        }
        let mut sum = Decimal::ZERO;
        for (at, item) in self.items.iter().enumerate() {
            let field = |name: &str| format!("items[{at}].{name}");
            check_code(&field("code"), &item.code)?;
            if self.items[..at].iter().any(|other| other.code == item.code) {
                return Err(Rejection::invalid(field("code"), "stands twice"));
            }
            text::required(&field("name"), &item.name, text::TITLE)?;
            let weight = item.weight.decimal();
            if weight <= Decimal::ZERO || weight > Decimal::ONE_HUNDRED {
                return Err(Rejection::invalid(field("weight"), "is not above 0 and at most 100"));
            }
            sum += weight;
            match (item.source, item.indicator_id) {
                (ScoreSource::Indicator, None) => {
                    return Err(Rejection::invalid(field("indicatorId"), "is needed for this source"));
                }
                (ScoreSource::Indicator, Some(_)) | (_, None) => {}
                (_, Some(_)) => {
                    return Err(Rejection::invalid(field("indicatorId"), "belongs to the source INDICATOR"));
                }
            }
        }
        if sum != Decimal::ONE_HUNDRED {
            let message = format!("the weights of all items add up to {}, not to 100", sum.normalize());
            return Err(Rejection::rule("weights-add-to-100", message, None));
        }
        self.check_vetoes()?;
        self.check_grades()
    }

    fn check_vetoes(&self) -> Result<(), Rejection> {
        for (at, veto) in self.vetoes.iter().enumerate() {
            check_code(&format!("vetoes[{at}].code"), &veto.code)?;
            if self.vetoes[..at].iter().any(|other| other.code == veto.code) {
                return Err(Rejection::invalid(format!("vetoes[{at}].code"), "stands twice"));
            }
            text::required(&format!("vetoes[{at}].name"), &veto.name, text::TITLE)?;
        }
        Ok(())
    }

    fn check_grades(&self) -> Result<(), Rejection> {
        for (at, grade) in self.grades.iter().enumerate() {
            text::required(&format!("grades[{at}].name"), &grade.name, text::SHORT)?;
            if at > 0 && grade.from >= self.grades[at - 1].from {
                return Err(Rejection::invalid(
                    format!("grades[{at}].from"),
                    "is not below the grade before",
                ));
            }
        }
        match self.grades.last() {
            Some(last) if last.from.decimal() != Decimal::ZERO => {
                let field = format!("grades[{}].from", self.grades.len() - 1);
                Err(Rejection::invalid(field, "is not 0, so some results would have no grade"))
            }
            Some(_) => Ok(()),
            None => Err(Rejection::invalid("grades", "names no grade")),
        }
    }

    /// The grade of a total; the last one when a veto holds.
    pub fn grade(&self, total: Amount, vetoed: bool) -> Option<&Grade> {
        let earned = self.grades.iter().find(|grade| total >= grade.from);
        if vetoed { self.grades.last() } else { earned.or(self.grades.last()) }
    }
}

/// What an event of the log says for a figure: the object, and how many events it had then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Cited {
    /// The object.
    pub subject: GlobalId,
    /// Its version when the figure was taken: number of the event that says so.
    pub version: i64,
}

/// What was found for an item, before it is weighed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// Code of the item.
    pub item: String,
    /// What was found: a measured value, reports in time, tasks verified, a percentage; none when there is no data.
    pub value: Option<Amount>,
    /// What it is compared with: the target, reports owed, tasks due, 100.
    pub target: Option<Amount>,
    /// How the two are compared.
    pub comparator: Comparator,
    /// What it rests on, at most 1,000 entries.
    pub evidence: Vec<Cited>,
    /// How it was found, in words.
    pub note: Option<String>,
}

impl Figure {
    /// The share of the weight that it earns, from 0 to 1; none when there is no data.
    pub fn share(&self) -> Option<Decimal> {
        let (value, target) = (self.value?.decimal(), self.target?.decimal());
        let met = match self.comparator {
            Comparator::AtLeast | Comparator::IncreaseBy => value >= target,
            Comparator::MoreThan => value > target,
            Comparator::AtMost => value <= target,
            Comparator::LessThan => value < target,
            Comparator::Equal => value == target,
        };
        if met {
            return Some(Decimal::ONE);
        }
        if target <= Decimal::ZERO {
            return Some(Decimal::ZERO);
        }
        let share = if self.comparator.is_ceiling() {
            Decimal::ONE - (value - target).checked_div(target)?
        } else {
            value.checked_div(target)?
        };
        Some(share.clamp(Decimal::ZERO, Decimal::ONE))
    }
    /// The points that it earns of this weight.
    pub fn points(&self, weight: Amount) -> Amount {
        let points = self.share().and_then(|share| weight.decimal().checked_mul(share)).unwrap_or_default();
        points.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero).normalize().into()
    }
}

/// An item with its points (得分).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Scored {
    /// Its weight.
    pub weight: Amount,
    /// Its points.
    pub points: Amount,
    /// What was found.
    pub figure: Figure,
}

/// The points of every item, in the order of the rules, and their sum.
///
/// # Errors
/// When an item has no figure, or a figure no item.
pub fn score(rules: &Rules, figures: &[Figure]) -> Result<(Vec<Scored>, Amount), Rejection> {
    if let Some(at) =
        figures.iter().position(|figure| !rules.items.iter().any(|item| item.code == figure.item))
    {
        return Err(Rejection::invalid(format!("figures[{at}].item"), "is no item of the scheme"));
    }
    let mut scored = Vec::with_capacity(rules.items.len());
    for item in &rules.items {
        let mut of_item = figures.iter().filter(|figure| figure.item == item.code);
        let (Some(figure), None) = (of_item.next(), of_item.next()) else {
            let message = format!("item {} needs exactly one figure", item.code);
            return Err(Rejection::rule("every-item-is-scored-once", message, None));
        };
        let points = figure.points(item.weight);
        scored.push(Scored { weight: item.weight, points, figure: figure.clone() });
    }
    let total = scored.iter().map(|item| item.points.decimal()).sum::<Decimal>();
    Ok((scored, total.normalize().into()))
}

#[cfg(test)]
mod tests;
