//! An assessment scheme (考核办法): what units are assessed by in one year, how it is weighed, and what decides by itself.
//!
//! Once it is issued it does not change: every result rests on it.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    performance::scoring::{AssessmentItem, Grade, Rules, ScoreSource, Veto},
    policy::By,
    programme::plan::{OPEN_STATES, Plan},
    text,
};

vocabulary! {
    /// Where an assessment scheme stands (考核办法状态).
    pub enum AssessmentSchemeStatus {
        Draft = "DRAFT", "草案";
        Issued = "ISSUED", "已印发";
        Revoked = "REVOKED", "已废止";
    }
}
status!(AssessmentSchemeStatus);
use AssessmentSchemeStatus::{Draft, Issued, Revoked};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const LIFE: Step<AssessmentSchemeStatus> = Step {
    action: "",
    term: "",
    from: &[Draft],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<AssessmentSchemeStatus>] = &[
    Step {
        action: "draftAssessmentScheme",
        term: "起草考核办法",
        from: &[],
        to: To::State(Draft),
        parent: Some(Parent { kind: Kind::Plan, states: OPEN_STATES }),
        ..LIFE
    },
    Step { action: "amendAssessmentScheme", term: "修订考核办法", ..LIFE },
    Step { action: "issueAssessmentScheme", term: "印发考核办法", to: To::State(Issued), ..LIFE },
    Step {
        action: "revokeAssessmentScheme",
        term: "废止考核办法",
        from: &[Draft, Issued],
        to: To::State(Revoked),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of an assessment scheme.
    AssessmentSchemeCommand {
        create DraftAssessmentScheme = "draftAssessmentScheme";
        on AmendAssessmentScheme = "amendAssessmentScheme";
        on IssueAssessmentScheme = "issueAssessmentScheme";
        on RevokeAssessmentScheme = "revokeAssessmentScheme" (reason);
    }
}

/// Drafts an assessment scheme (起草考核办法). One for each plan, year and title.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DraftAssessmentScheme {
    /// The plan whose work is assessed.
    pub plan_id: Id<Plan>,
    /// The year that is assessed.
    pub year: i32,
    /// What it is called, at most 200 characters.
    pub title: String,
    /// What is assessed, 1 to 200 items; the weights add up to 100.
    pub items: Vec<AssessmentItem>,
    /// What decides by itself.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub vetoes: Vec<Veto>,
    /// The grades, highest first; the last from 0 on.
    pub grades: Vec<Grade>,
}

/// Amends a draft (修订考核办法): replaces what it says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AmendAssessmentScheme {
    /// The scheme.
    pub id: Id<AssessmentScheme>,
    /// What is assessed from now on; the weights add up to 100.
    pub items: Vec<AssessmentItem>,
    /// What decides by itself.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub vetoes: Vec<Veto>,
    /// The grades, highest first; the last from 0 on.
    pub grades: Vec<Grade>,
}

/// Issues a scheme (印发考核办法): it no longer changes, and units can be assessed by it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct IssueAssessmentScheme {
    /// The scheme.
    pub id: Id<AssessmentScheme>,
}

/// Revokes a scheme (废止考核办法): nobody else is assessed by it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RevokeAssessmentScheme {
    /// The scheme.
    pub id: Id<AssessmentScheme>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to an assessment scheme.
    pub enum AssessmentSchemeEvent {
        /// 考核办法已起草
        Drafted { plan_id: Id<Plan>, region_code: RegionCode, year: i32, title: String, rules: Rules },
        /// 考核办法已修订
        Amended { rules: Rules },
        /// 考核办法已印发
        Issued,
        /// 考核办法已废止
        Revoked { reason: String },
    }
}

impl AssessmentSchemeEvent {
    /// Where the scheme stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<AssessmentSchemeStatus> {
        match self {
            Self::Drafted { .. } => Some(Draft),
            Self::Amended { .. } => None,
            Self::Issued => Some(Issued),
            Self::Revoked { .. } => Some(Revoked),
        }
    }
}

/// What an assessment scheme must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AssessmentScheme {
    status: Option<AssessmentSchemeStatus>,
    region: Option<RegionCode>,
    rules: Rules,
}

impl AssessmentScheme {
    /// The claim of a title in a plan and year.
    pub const TITLE: &'static str = "assessmentScheme.title";
}

fn indicators_of(items: &[AssessmentItem]) -> impl Iterator<Item = Need> {
    let named = items.iter().take(text::LIST).enumerate();
    let named = named.filter(|(_, item)| item.source == ScoreSource::Indicator);
    named.filter_map(|(at, item)| {
        let id = item.indicator_id?.uuid();
        Some(Need::Object { kind: Kind::Indicator, id, field: format!("items[{at}].indicatorId") })
    })
}

impl Aggregate for AssessmentScheme {
    const KIND: Kind = Kind::AssessmentScheme;
    type Status = AssessmentSchemeStatus;
    type Command = AssessmentSchemeCommand;
    type Event = AssessmentSchemeEvent;
    const STEPS: &'static [Step<AssessmentSchemeStatus>] = STEPS;

    fn status(&self) -> Option<AssessmentSchemeStatus> {
        self.status
    }

    fn subject(&self, command: Option<&AssessmentSchemeCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(AssessmentSchemeCommand::DraftAssessmentScheme(_)) => facts.region_of(Kind::Plan),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &AssessmentSchemeCommand) -> Vec<Need> {
        match command {
            AssessmentSchemeCommand::DraftAssessmentScheme(draft) => {
                let plan =
                    Need::Object { kind: Kind::Plan, id: draft.plan_id.uuid(), field: "planId".into() };
                std::iter::once(plan).chain(indicators_of(&draft.items)).collect()
            }
            AssessmentSchemeCommand::AmendAssessmentScheme(amended) => {
                indicators_of(&amended.items).collect()
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: AssessmentSchemeCommand,
        context: &Context<'_>,
    ) -> Result<Vec<AssessmentSchemeEvent>, Rejection> {
        Ok(vec![match command {
            AssessmentSchemeCommand::DraftAssessmentScheme(DraftAssessmentScheme {
                plan_id,
                year,
                title,
                items,
                vetoes,
                grades,
            }) => {
                text::required("title", &title, text::TITLE)?;
                if !crate::Period::YEARS.contains(&year) {
                    return Err(Rejection::invalid("year", "is not between 1900 and 2200"));
                }
                let rules = Rules { items, vetoes, grades };
                rules.check()?;
                let plan = context.facts.first(Kind::Plan, "planId")?;
                let region_code = plan.region.unwrap_or(RegionCode::COUNTRY);
                AssessmentSchemeEvent::Drafted { plan_id, region_code, year, title, rules }
            }
            AssessmentSchemeCommand::AmendAssessmentScheme(AmendAssessmentScheme {
                items,
                vetoes,
                grades,
                ..
            }) => {
                let rules = Rules { items, vetoes, grades };
                rules.check()?;
                if rules == self.rules {
                    return Ok(Vec::new());
                }
                AssessmentSchemeEvent::Amended { rules }
            }
            AssessmentSchemeCommand::IssueAssessmentScheme(_) => AssessmentSchemeEvent::Issued,
            AssessmentSchemeCommand::RevokeAssessmentScheme(RevokeAssessmentScheme { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                AssessmentSchemeEvent::Revoked { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &AssessmentSchemeEvent, _stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            AssessmentSchemeEvent::Drafted { region_code, rules, .. } => {
                self.region = Some(*region_code);
                self.rules = rules.clone();
            }
            AssessmentSchemeEvent::Amended { rules } => self.rules = rules.clone(),
            AssessmentSchemeEvent::Issued | AssessmentSchemeEvent::Revoked { .. } => {}
        }
    }

    fn claims(&self, event: &AssessmentSchemeEvent) -> Vec<Claim> {
        match event {
            AssessmentSchemeEvent::Drafted { plan_id, year, title, .. } => {
                vec![Claim::take(Self::TITLE, format!("{}|{year}|{title}", plan_id.uuid()), "title")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
