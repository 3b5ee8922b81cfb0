//! An assessment (考核): how one unit did in one year, by one scheme.
//!
//! The figures behind a score are looked up when it is scored and stand in the event, each with the object and version
//! that says so: years later the sum can be done again by hand. Until it is final it can be objected to and scored anew;
//! then it is frozen.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Amount, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Parent, Requirement, Step, To, status},
    organisation::unit::Unit,
    performance::{
        assessment_scheme::{AssessmentScheme, AssessmentSchemeStatus},
        scoring::{FORMULA, Figure, Rules, Scored as ScoredItem, score},
    },
    policy::By,
    programme::{
        plan::Plan,
        task::{Evidence, check_evidence},
    },
    text,
};

vocabulary! {
    /// Where an assessment stands (考核状态).
    pub enum AssessmentStatus {
        Opened = "OPENED", "已启动";
        SelfAssessed = "SELF_ASSESSED", "已自评";
        Scored = "SCORED", "已评分";
        Reviewed = "REVIEWED", "已复核";
        Announced = "ANNOUNCED", "已公布";
        Objected = "OBJECTED", "有异议";
        Appealed = "APPEALED", "已申诉";
        Final = "FINAL", "已定稿";
        Applied = "APPLIED", "已运用";
    }
}
status!(AssessmentStatus);
use AssessmentStatus::{
    Announced, Appealed, Applied, Final, Objected, Opened, Reviewed, Scored, SelfAssessed,
};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice)];
const ASSESSED: &[By] = &[By::InLeadUnit(Role::UnitOfficer), By::InLeadUnit(Role::UnitApprover)];
const LIFE: Step<AssessmentStatus> = Step {
    action: "",
    term: "",
    from: &[],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<AssessmentStatus>] = &[
    Step {
        action: "openAssessments",
        term: "启动考核",
        to: To::State(Opened),
        parent: Some(Parent {
            kind: Kind::AssessmentScheme,
            states: &[AssessmentSchemeStatus::Issued.as_str()],
        }),
        ..LIFE
    },
    Step {
        action: "submitSelfAssessment",
        term: "报送自评",
        from: &[Opened, SelfAssessed],
        to: To::State(SelfAssessed),
        by: ASSESSED,
        ..LIFE
    },
    // A unit that does not assess itself holds nobody up, and what was scored can be scored again before it is announced.
    Step {
        action: "scoreAssessment",
        term: "评分",
        from: &[Opened, SelfAssessed, Scored, Reviewed],
        to: To::State(Scored),
        ..LIFE
    },
    Step {
        action: "reviewAssessment",
        term: "复核",
        from: &[Scored],
        to: To::State(Reviewed),
        requires: &[Requirement::FourEyes],
        ..LIFE
    },
    Step {
        action: "announceAssessments",
        term: "公布结果",
        from: &[Reviewed],
        to: To::State(Announced),
        ..LIFE
    },
    Step {
        action: "objectToAssessment",
        term: "提出异议",
        from: &[Announced],
        to: To::State(Objected),
        by: ASSESSED,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "decideAssessmentObjection",
        term: "处理异议",
        from: &[Objected],
        to: To::OneOf(&[Scored, Announced]),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "appealAssessment",
        term: "申诉",
        from: &[Announced],
        to: To::State(Appealed),
        by: ASSESSED,
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "decideAssessmentAppeal",
        term: "处理申诉",
        from: &[Appealed],
        to: To::OneOf(&[Scored, Announced]),
        requires: &[Requirement::Reason, Requirement::FourEyes],
        ..LIFE
    },
    Step { action: "finaliseAssessment", term: "定稿", from: &[Announced], to: To::State(Final), ..LIFE },
    Step {
        action: "applyAssessmentResult",
        term: "运用考核结果",
        from: &[Final],
        to: To::State(Applied),
        ..LIFE
    },
];

commands! {
    /// What may be asked of an assessment.
    AssessmentCommand {
        create OpenAssessment = "openAssessments";
        on SubmitSelfAssessment = "submitSelfAssessment";
        on ScoreAssessment = "scoreAssessment";
        on ReviewAssessment = "reviewAssessment";
        on AnnounceAssessment = "announceAssessments";
        on ObjectToAssessment = "objectToAssessment" (reason);
        on DecideAssessmentObjection = "decideAssessmentObjection" (reason);
        on AppealAssessment = "appealAssessment" (reason);
        on DecideAssessmentAppeal = "decideAssessmentAppeal" (reason);
        on FinaliseAssessment = "finaliseAssessment";
        on ApplyAssessmentResult = "applyAssessmentResult";
    }
}

/// Opens the assessment of one unit (启动考核), with the rules of its scheme. Once a year for each unit and plan.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenAssessment {
    /// The scheme.
    pub scheme_id: Id<AssessmentScheme>,
    /// The plan of the scheme.
    pub plan_id: Id<Plan>,
    /// The year of the scheme.
    pub year: i32,
    /// The unit that is assessed.
    pub unit_id: Id<Unit>,
    /// The rules of the scheme.
    pub rules: Rules,
}

/// What a unit says of itself for one item (自评).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "SelfScoreInput"))]
#[serde(rename_all = "camelCase")]
pub struct SelfScore {
    /// Code of the item.
    pub item: String,
    /// The points that it gives itself, from 0 to the weight.
    pub points: Amount,
    /// Why, at most 5,000 characters.
    pub note: Option<String>,
}

/// Hands in a self-assessment (报送自评). Replaces the one before.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct SubmitSelfAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// What the unit did, at most 5,000 characters.
    pub summary: String,
    /// The points it gives itself, for some items or all.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub scores: Vec<SelfScore>,
    /// What shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// A circumstance that decides by itself, and why it holds (一票否决).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject, async_graphql::InputObject))]
#[cfg_attr(feature = "graphql", graphql(input_name = "VetoedInput"))]
#[serde(rename_all = "camelCase")]
pub struct Vetoed {
    /// Code of the veto.
    pub code: String,
    /// What happened, at most 5,000 characters.
    pub reason: String,
}

/// Scores an assessment (评分) by figures that were looked up for every item.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoreAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// What was found, for every item once.
    pub figures: Vec<Figure>,
    /// What decides by itself.
    pub vetoes: Vec<Vetoed>,
}

/// Reviews a score (复核): somebody else than who scored it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReviewAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// A remark, at most 5,000 characters.
    pub note: Option<String>,
}

/// Announces a result (公布结果).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AnnounceAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// The last day on which it can be objected to.
    pub objections_until: Date,
}

/// Objects to an announced result (提出异议).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ObjectToAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// Why, naming the items.
    pub reason: String,
    /// What shows it.
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub evidence: Vec<Evidence>,
}

/// Decides an objection (处理异议): upheld, it is scored anew.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DecideAssessmentObjection {
    /// The assessment.
    pub id: Id<Assessment>,
    /// Whether the unit is right.
    pub upheld: bool,
    /// Why.
    pub reason: String,
}

/// Appeals against a rejected objection (申诉), once.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AppealAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
    /// Why.
    pub reason: String,
}

/// Decides an appeal (处理申诉): somebody else than who decided the objection. Upheld, it is scored anew.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DecideAssessmentAppeal {
    /// The assessment.
    pub id: Id<Assessment>,
    /// Whether the unit is right.
    pub upheld: bool,
    /// Why.
    pub reason: String,
}

/// Makes a result final (定稿): nothing of it changes any more.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct FinaliseAssessment {
    /// The assessment.
    pub id: Id<Assessment>,
}

/// Records what a result was used for (运用考核结果), such as the evaluation of leading officials.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ApplyAssessmentResult {
    /// The assessment.
    pub id: Id<Assessment>,
    /// To whom it was given and for what, at most 5,000 characters.
    pub note: String,
}

events! {
    /// What has happened to an assessment.
    pub enum AssessmentEvent {
        /// 考核已启动
        Opened {
            scheme_id: Id<AssessmentScheme>,
            plan_id: Id<Plan>,
            year: i32,
            unit_id: Id<Unit>,
            /// The region of the unit.
            region_code: RegionCode,
            rules: Rules,
        },
        /// 自评已报送
        SelfAssessed { summary: String, scores: Vec<SelfScore>, evidence: Vec<Evidence> },
        /// 已评分
        Scored { formula_version: i32, items: Vec<ScoredItem>, vetoes: Vec<Vetoed>, total: Amount, grade: String },
        /// 已复核
        Reviewed { note: Option<String> },
        /// 结果已公布
        ResultAnnounced { total: Amount, grade: String, objections_until: Date },
        /// 已提出异议
        Objected { reason: String, evidence: Vec<Evidence> },
        /// 异议已处理
        ObjectionDecided { upheld: bool, reason: String },
        /// 已申诉
        Appealed { reason: String },
        /// 申诉已处理
        AppealDecided { upheld: bool, reason: String },
        /// 已定稿
        Finalised { total: Amount, grade: String },
        /// 结果已运用
        ResultApplied { note: String },
    }
}

impl AssessmentEvent {
    /// Where the assessment stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<AssessmentStatus> {
        Some(match self {
            Self::Opened { .. } => Opened,
            Self::SelfAssessed { .. } => SelfAssessed,
            Self::Scored { .. } => Scored,
            Self::Reviewed { .. } => Reviewed,
            Self::ResultAnnounced { .. } => Announced,
            Self::Objected { .. } => Objected,
            Self::Appealed { .. } => Appealed,
            Self::ObjectionDecided { upheld, .. } | Self::AppealDecided { upheld, .. } => {
                if *upheld {
                    Scored
                } else {
                    Announced
                }
            }
            Self::Finalised { .. } => Final,
            Self::ResultApplied { .. } => Applied,
        })
    }
}

/// What an assessment must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Assessment {
    status: Option<AssessmentStatus>,
    region: Option<RegionCode>,
    unit: Option<Id<Unit>>,
    rules: Rules,
    /// Total and grade as they were last scored.
    result: Option<(Amount, String)>,
    objections_until: Option<Date>,
    /// Whether the last result must be scored anew before it is reviewed: an objection or appeal was upheld.
    outdated: bool,
    /// Whether an objection was rejected, so that it can be appealed against.
    rejected: bool,
    appealed: bool,
    /// Whose work is to be checked: who scored, or who decided the objection.
    checked: Option<String>,
}

/// Most pieces of evidence that one figure rests on.
pub const MOST_CITED: usize = 1_000;

impl Assessment {
    /// The claim of one assessment a year for a unit under a plan.
    pub const YEAR: &'static str = "assessment.year";

    fn result(&self) -> Result<(Amount, String), Rejection> {
        self.result.clone().ok_or_else(|| Rejection::rule("scored-first", "it has not been scored", None))
    }

    fn check_self_scores(&self, scores: &[SelfScore]) -> Result<(), Rejection> {
        text::count("scores", scores.len())?;
        for (at, own) in scores.iter().enumerate() {
            let field = |name: &str| format!("scores[{at}].{name}");
            let Some(item) = self.rules.items.iter().find(|item| item.code == own.item) else {
                return Err(Rejection::invalid(field("item"), "is no item of the scheme"));
            };
            if scores[..at].iter().any(|other| other.item == own.item) {
                return Err(Rejection::invalid(field("item"), "stands twice"));
            }
            if own.points.decimal().is_sign_negative() || own.points > item.weight {
                return Err(Rejection::invalid(field("points"), format!("is not from 0 to {}", item.weight)));
            }
            text::maybe(&field("note"), own.note.as_ref(), text::LONG)?;
        }
        Ok(())
    }

    fn check_vetoes(&self, vetoes: &[Vetoed]) -> Result<(), Rejection> {
        text::count("vetoes", vetoes.len())?;
        for (at, veto) in vetoes.iter().enumerate() {
            let known = self.rules.vetoes.iter().any(|known| known.code == veto.code);
            if !known || vetoes[..at].iter().any(|other| other.code == veto.code) {
                let reason = if known { "stands twice" } else { "is no veto of the scheme" };
                return Err(Rejection::invalid(format!("vetoes[{at}].code"), reason));
            }
            text::required(&format!("vetoes[{at}].reason"), &veto.reason, text::LONG)?;
        }
        Ok(())
    }

    fn score(&self, figures: &[Figure], vetoes: Vec<Vetoed>) -> Result<AssessmentEvent, Rejection> {
        for (at, figure) in figures.iter().enumerate() {
            text::maybe(&format!("figures[{at}].note"), figure.note.as_ref(), text::LONG)?;
            if figure.evidence.len() > MOST_CITED {
                let reason = format!("has more than {MOST_CITED} entries");
                return Err(Rejection::invalid(format!("figures[{at}].evidence"), reason));
            }
        }
        self.check_vetoes(&vetoes)?;
        let (items, total) = score(&self.rules, figures)?;
        let grade = self.rules.grade(total, !vetoes.is_empty());
        let grade = grade.map(|grade| grade.name.clone()).unwrap_or_default();
        Ok(AssessmentEvent::Scored { formula_version: FORMULA, items, vetoes, total, grade })
    }

    /// Objections come in time.
    fn check_in_time(&self, today: Date) -> Result<(), Rejection> {
        match self.objections_until {
            Some(until) if today > until => {
                let message = format!("the last day for objections, {until}, has passed");
                Err(Rejection::rule("objections-come-in-time", message, None))
            }
            _ => Ok(()),
        }
    }
}

impl Aggregate for Assessment {
    const KIND: Kind = Kind::Assessment;
    type Status = AssessmentStatus;
    type Command = AssessmentCommand;
    type Event = AssessmentEvent;
    const STEPS: &'static [Step<AssessmentStatus>] = STEPS;

    fn status(&self) -> Option<AssessmentStatus> {
        self.status
    }

    fn subject(&self, command: Option<&AssessmentCommand>, facts: &Facts) -> Subject {
        let region = match command {
            Some(AssessmentCommand::OpenAssessment(_)) => facts.region_of(Kind::Unit),
            _ => self.region,
        };
        Subject {
            region,
            lead_units: self.unit.into_iter().collect(),
            checked_person: self.checked.clone(),
            ..Subject::default()
        }
    }

    fn needs(&self, command: &AssessmentCommand) -> Vec<Need> {
        match command {
            AssessmentCommand::OpenAssessment(open) => {
                let object = |kind, id, field: &str| Need::Object { kind, id, field: field.into() };
                vec![
                    object(Kind::AssessmentScheme, open.scheme_id.uuid(), "schemeId"),
                    object(Kind::Unit, open.unit_id.uuid(), "unitIds"),
                ]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: AssessmentCommand,
        context: &Context<'_>,
    ) -> Result<Vec<AssessmentEvent>, Rejection> {
        Ok(vec![match command {
            AssessmentCommand::OpenAssessment(OpenAssessment {
                scheme_id,
                plan_id,
                year,
                unit_id,
                rules,
            }) => {
                // The rules were checked when the scheme was drafted.
                Unit::check_active("unitId", unit_id, context.facts)?;
                let unit = context.facts.first(Kind::Unit, "unitId")?;
                let region_code = unit.region.unwrap_or(RegionCode::COUNTRY);
                AssessmentEvent::Opened { scheme_id, plan_id, year, unit_id, region_code, rules }
            }
            AssessmentCommand::SubmitSelfAssessment(SubmitSelfAssessment {
                summary,
                scores,
                evidence,
                ..
            }) => {
                text::required("summary", &summary, text::LONG)?;
                self.check_self_scores(&scores)?;
                check_evidence(&evidence)?;
                AssessmentEvent::SelfAssessed { summary, scores, evidence }
            }
            AssessmentCommand::ScoreAssessment(ScoreAssessment { figures, vetoes, .. }) => {
                self.score(&figures, vetoes)?
            }
            AssessmentCommand::ReviewAssessment(ReviewAssessment { note, .. }) => {
                text::maybe("note", note.as_ref(), text::LONG)?;
                if self.outdated {
                    let message = "it was rightly objected to: score it anew before it is reviewed";
                    return Err(Rejection::rule("upheld-objections-are-scored-anew", message, None));
                }
                AssessmentEvent::Reviewed { note }
            }
            AssessmentCommand::AnnounceAssessment(AnnounceAssessment { objections_until, .. }) => {
                let (total, grade) = self.result()?;
                AssessmentEvent::ResultAnnounced { total, grade, objections_until }
            }
            AssessmentCommand::ObjectToAssessment(ObjectToAssessment { reason, evidence, .. }) => {
                self.check_in_time(context.today())?;
                if self.rejected {
                    let message = "the objection was decided: it can be appealed against";
                    return Err(Rejection::rule("objected-to-once", message, None));
                }
                text::required("reason", &reason, text::LONG)?;
                check_evidence(&evidence)?;
                AssessmentEvent::Objected { reason, evidence }
            }
            AssessmentCommand::DecideAssessmentObjection(DecideAssessmentObjection {
                upheld,
                reason,
                ..
            }) => {
                text::required("reason", &reason, text::LONG)?;
                AssessmentEvent::ObjectionDecided { upheld, reason }
            }
            AssessmentCommand::AppealAssessment(AppealAssessment { reason, .. }) => {
                if !self.rejected || self.appealed {
                    let message = "an appeal is made once, against an objection that was rejected";
                    return Err(Rejection::rule("appealed-once", message, None));
                }
                text::required("reason", &reason, text::LONG)?;
                AssessmentEvent::Appealed { reason }
            }
            AssessmentCommand::DecideAssessmentAppeal(DecideAssessmentAppeal { upheld, reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                AssessmentEvent::AppealDecided { upheld, reason }
            }
            AssessmentCommand::FinaliseAssessment(_) => {
                if let Some(until) = self.objections_until.filter(|until| context.today() <= *until) {
                    let message = format!("it can be objected to until {until}");
                    return Err(Rejection::rule("final-after-objections", message, None));
                }
                let (total, grade) = self.result()?;
                AssessmentEvent::Finalised { total, grade }
            }
            AssessmentCommand::ApplyAssessmentResult(ApplyAssessmentResult { note, .. }) => {
                text::required("note", &note, text::LONG)?;
                AssessmentEvent::ResultApplied { note }
            }
        }])
    }

    fn evolve(&mut self, event: &AssessmentEvent, stamp: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            AssessmentEvent::Opened { unit_id, region_code, rules, .. } => {
                self.unit = Some(*unit_id);
                self.region = Some(*region_code);
                self.rules = rules.clone();
            }
            AssessmentEvent::Scored { total, grade, .. } => {
                self.result = Some((*total, grade.clone()));
                self.outdated = false;
                self.checked = Some(stamp.actor.clone());
            }
            AssessmentEvent::ResultAnnounced { objections_until, .. } => {
                self.objections_until = Some(*objections_until);
            }
            AssessmentEvent::ObjectionDecided { upheld, .. } => {
                self.outdated = *upheld;
                self.rejected = !upheld;
                self.checked = Some(stamp.actor.clone());
            }
            AssessmentEvent::AppealDecided { upheld, .. } => {
                self.outdated = *upheld;
                self.appealed = true;
            }
            _ => {}
        }
    }

    fn claims(&self, event: &AssessmentEvent) -> Vec<Claim> {
        match event {
            AssessmentEvent::Opened { plan_id, year, unit_id, .. } => {
                let key = format!("{}|{year}|{}", plan_id.uuid(), unit_id.uuid());
                vec![Claim::take(Self::YEAR, key, "unitIds")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
