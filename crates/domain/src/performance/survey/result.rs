//! What a survey found (调查结果): the scale of its scores, the result and its groups, and what a result must hold to be one.
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{Amount, Rejection, text};

/// The scale on which answers are scored (评分区间).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "AnswerScaleInput"))]
#[serde(rename_all = "camelCase")]
pub struct AnswerScale {
    /// The lowest score.
    pub lowest: Amount,
    /// The highest score.
    pub highest: Amount,
}

impl AnswerScale {
    /// 0 to 100, as officials score.
    pub(super) fn usual() -> Self {
        Self { lowest: Amount::from(0), highest: Amount::from(100) }
    }
    fn check_score(self, field: &str, score: Amount) -> Result<(), Rejection> {
        if (self.lowest..=self.highest).contains(&score) {
            return Ok(());
        }
        Err(Rejection::invalid(field, format!("is not between {} and {}", self.lowest, self.highest)))
    }
    /// A spread of answers is no wider than the scale.
    fn check_spread(self, field: &str, spread: Option<Amount>) -> Result<(), Rejection> {
        let widest = self.highest.decimal() - self.lowest.decimal();
        match spread.map(Amount::decimal) {
            Some(spread) if spread < Decimal::ZERO || spread > widest => {
                Err(Rejection::invalid(field, format!("is not between 0 and {widest}")))
            }
            _ => Ok(()),
        }
    }
}

/// What one group of respondents says (分组结果), such as those of one city.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "SurveyGroupInput"))]
#[serde(rename_all = "camelCase")]
pub struct SurveyGroup {
    /// The group, at most 100 characters, once in a result.
    pub name: String,
    /// Its valid answers (有效样本量).
    pub sample_size: i32,
    /// Its score.
    pub score: Amount,
}

/// What a survey found (调查结果).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "SurveyResultInput"))]
#[serde(rename_all = "camelCase")]
pub struct SurveyResult {
    /// How many were asked (发放数).
    pub asked: i32,
    /// How many answered, valid or not (回收数).
    pub responses: i32,
    /// How many answers are valid and counted (有效样本量).
    pub sample_size: i32,
    /// The score over all valid answers (得分).
    pub score: Amount,
    /// The standard deviation of the answers (标准差).
    pub standard_deviation: Option<Amount>,
    /// The margin of error of the score (抽样误差), with its confidence level.
    pub margin_of_error: Option<Amount>,
    /// The confidence level in percent, such as 95 (置信水平), with its margin of error.
    pub confidence_level: Option<Amount>,
    /// What single groups say, at most 100.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub groups: Vec<SurveyGroup>,
    /// Why the sample is smaller than planned; only when it is.
    pub shortfall_reason: Option<String>,
}

/// Most groups of one result.
const MOST_GROUPS: usize = 100;
/// Most results of one survey, corrections too.
pub(super) const MOST_RESULTS: i32 = 100;

impl SurveyResult {
    /// Who answered of those asked, in percent to two places (回收率): derived, so it is never wrong.
    pub fn response_rate(&self) -> Amount {
        let share = Decimal::from(i64::from(self.responses) * 100).checked_div(self.asked.into());
        share.unwrap_or_default().round_dp(2).into()
    }

    pub(super) fn check(&self, scale: AnswerScale, planned: i32) -> Result<(), Rejection> {
        let field = |name: &str| format!("result.{name}");
        if self.asked < 1 {
            return Err(Rejection::invalid(field("asked"), "is less than 1"));
        }
        if !(0..=self.asked).contains(&self.responses) {
            return Err(Rejection::invalid(field("responses"), "is not between 0 and the number asked"));
        }
        if !(1..=self.responses).contains(&self.sample_size) {
            return Err(Rejection::invalid(field("sampleSize"), "is not between 1 and the responses"));
        }
        scale.check_score(&field("score"), self.score)?;
        scale.check_spread(&field("standardDeviation"), self.standard_deviation)?;
        scale.check_spread(&field("marginOfError"), self.margin_of_error)?;
        self.check_confidence()?;
        self.check_groups(scale)?;
        text::maybe(&field("shortfallReason"), self.shortfall_reason.as_ref(), text::LONG)?;
        match &self.shortfall_reason {
            None if self.sample_size < planned => {
                let message = format!("{planned} answers were planned: say why there are fewer");
                Err(Rejection::rule("a-smaller-sample-says-why", message, None))
            }
            Some(_) if self.sample_size >= planned => Err(Rejection::invalid(
                field("shortfallReason"),
                "is given although the sample is as planned",
            )),
            _ => Ok(()),
        }
    }

    fn check_confidence(&self) -> Result<(), Rejection> {
        match (self.margin_of_error, self.confidence_level.map(Amount::decimal)) {
            (Some(_), None) => {
                Err(Rejection::invalid("result.confidenceLevel", "is missing to the margin of error"))
            }
            (None, Some(_)) => {
                Err(Rejection::invalid("result.marginOfError", "is missing to the confidence level"))
            }
            (Some(_), Some(level)) if level <= Decimal::ZERO || level >= Decimal::ONE_HUNDRED => {
                Err(Rejection::invalid("result.confidenceLevel", "does not lie between 0 and 100"))
            }
            _ => Ok(()),
        }
    }

    fn check_groups(&self, scale: AnswerScale) -> Result<(), Rejection> {
        if self.groups.len() > MOST_GROUPS {
            return Err(Rejection::invalid("result.groups", format!("has more than {MOST_GROUPS} entries")));
        }
        let mut counted = 0_i64;
        for (at, group) in self.groups.iter().enumerate() {
            let field = |name: &str| format!("result.groups[{at}].{name}");
            text::required(&field("name"), &group.name, text::SHORT)?;
            if self.groups[..at].iter().any(|other| other.name == group.name) {
                return Err(Rejection::invalid(field("name"), "stands twice"));
            }
            if group.sample_size < 1 {
                return Err(Rejection::invalid(field("sampleSize"), "is less than 1"));
            }
            counted += i64::from(group.sample_size);
            if counted > i64::from(self.sample_size) {
                return Err(Rejection::invalid(field("sampleSize"), "adds up to more than the whole sample"));
            }
            scale.check_score(&field("score"), group.score)?;
        }
        Ok(())
    }
}
