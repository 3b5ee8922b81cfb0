//! What is done about assessments with figures that are looked up (考核评分): opening them for many units, scoring,
//! announcing.
use std::{collections::HashMap, sync::Arc};

use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use rust_decimal::Decimal;
use zhixing_domain::{
    Amount, Date, Id, Rejection, TimeReference, Viewer,
    organisation::unit,
    performance::{
        assessment::{
            AnnounceAssessment, Assessment as Domain, AssessmentStatus, OpenAssessment, ScoreAssessment,
            Vetoed,
        },
        assessment_scheme as scheme,
        attainment::Comparator,
        scoring::{AssessmentItem, Figure, ScoreSource},
    },
    text,
    time::TimeError,
};
use zhixing_event_store::{Error, EventStore, View};

use super::{
    assessment::{Assessment, AssessmentPayload},
    assessment_scheme::AssessmentScheme,
    command::{How, Outcome, answered, carry_out, together},
    connection::Narrow,
    context::Ask,
    error::{self, UserError},
    event::Position,
    figures,
    unit::Unit,
    view::Visible,
};

/// Code of the rule that says for how long an announced result can be objected to.
const OBJECTION: &str = "ASSESSMENT_OBJECTION";
/// Most assessments that are announced at once.
const MOST_ANNOUNCED: u64 = 1_000;

/// Opens the assessments of units by an issued scheme (启动考核).
#[derive(Clone, Debug, InputObject)]
pub struct OpenAssessments {
    /// The scheme.
    pub scheme_id: Id<scheme::AssessmentScheme>,
    /// The units, 1 to 200.
    pub unit_ids: Vec<Id<unit::Unit>>,
}

/// What experts say of an item (专家评分).
#[derive(Clone, Debug, InputObject)]
pub struct ExpertScore {
    /// Code of the item.
    pub item: String,
    /// How much of it was reached, 0 to 100 percent.
    pub percent: Amount,
    /// Why, at most 5,000 characters.
    pub note: Option<String>,
}

/// Scores an assessment (评分): what can be counted is counted now.
#[derive(Clone, Debug, InputObject)]
pub struct ScoreAssessmentInput {
    /// The assessment.
    pub id: Id<Domain>,
    /// What experts say, for every item with that source.
    #[graphql(default)]
    pub expert_scores: Vec<ExpertScore>,
    /// What decides by itself.
    #[graphql(default)]
    pub vetoes: Vec<Vetoed>,
}

/// Announces the reviewed results of a scheme, all together (公布结果).
#[derive(Clone, Debug, InputObject)]
pub struct AnnounceAssessments {
    /// The scheme.
    pub scheme_id: Id<scheme::AssessmentScheme>,
}

/// What came of a command to many assessments.
#[derive(Debug, Default, SimpleObject)]
pub struct AssessmentsPayload {
    /// The assessments after it; empty when it was refused.
    pub assessments: Vec<Assessment>,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

/// What is done about assessments with figures that are looked up.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "AssessingMutations")]
impl Mutations {
    /// Opens the assessments of these units by an issued scheme: all of them or none (启动考核). Once a year for each unit and
    /// plan.
    async fn open_assessments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: OpenAssessments,
    ) -> Result<AssessmentsPayload> {
        let done = open(ctx.store(), ctx.viewer(), input).await;
        answered(ctx, done.map(AssessmentsPayload::from))
    }

    /// Scores an assessment by what is known now; every figure stands in the event with what it rests on (评分). Indicators
    /// count with the values of the unit's region in that year; reports and tasks due in that year with those of a
    /// government's whole region, or of the unit itself.
    async fn score_assessment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: ScoreAssessmentInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<AssessmentPayload> {
        let command = match scoring(ctx.store(), input).await {
            Ok(command) => command,
            Err(Error::Rejected(rejection)) => {
                let errors = vec![rejection.into()];
                return Ok(AssessmentPayload {
                    assessment: None,
                    events: Vec::new(),
                    position: None,
                    errors,
                });
            }
            Err(fault) => return Err(error::fault(fault)),
        };
        let how = How { command_id, expected_version, dry_run };
        let Outcome { object, events, position, errors } = carry_out(ctx, command, how).await?;
        Ok(AssessmentPayload { assessment: object, events, position, errors })
    }

    /// Announces every reviewed result of a scheme, all together (公布结果). Units can object for as long as the rule
    /// `ASSESSMENT_OBJECTION` says. An error `CALENDAR_MISSING` when that cannot be counted.
    async fn announce_assessments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: AnnounceAssessments,
    ) -> Result<AssessmentsPayload> {
        let until = objections_until(ctx.data_unchecked::<Arc<TimeReference>>(), today(ctx));
        let until = until.map_err(|fault| error::time(&fault))?;
        let done = announce(ctx.store(), ctx.viewer(), input, until).await;
        answered(ctx, done.map(AssessmentsPayload::from))
    }
}

fn today(ctx: &Context<'_>) -> Date {
    Date::of(ctx.store().clock().now())
}

impl From<Written> for AssessmentsPayload {
    fn from(Written { assessments, position }: Written) -> Self {
        Self { assessments, position: position.map(Position), errors: Vec::new() }
    }
}
together!(AssessmentsPayload);

async fn row<V: View>(store: &EventStore, id: Id<V::Of>, field: &str) -> Result<V, Error> {
    let found = store.pool().many::<V>(&[id.uuid()]).await?.pop();
    let kind = <V::Of as zhixing_domain::Aggregate>::KIND;
    found.ok_or_else(|| Rejection::NotFound { kind, field: field.into() }.into())
}

/// Assessments that were written together.
#[derive(Debug)]
pub struct Written {
    /// The assessments after it.
    pub assessments: Vec<Assessment>,
    /// Position of the last event.
    pub position: Option<i64>,
}

/// Opens the assessments of units by an issued scheme: all of them or none.
///
/// # Errors
/// A rejection by the rules, or a failing database.
pub async fn open(store: &EventStore, viewer: &Viewer, input: OpenAssessments) -> Result<Written, Error> {
    let OpenAssessments { scheme_id, unit_ids } = input;
    if unit_ids.is_empty() {
        return Err(Rejection::invalid("unitIds", "names no unit").into());
    }
    text::count("unitIds", unit_ids.len())?;
    if let Some(at) = (1..unit_ids.len()).find(|at| unit_ids[..*at].contains(&unit_ids[*at])) {
        return Err(Rejection::invalid(format!("unitIds[{at}]"), "stands twice").into());
    }
    let scheme: AssessmentScheme = row(store, scheme_id, "schemeId").await?;
    let mut work = store.begin(viewer, None);
    let mut assessments = Vec::with_capacity(unit_ids.len());
    for unit_id in unit_ids {
        let command = OpenAssessment {
            scheme_id,
            plan_id: scheme.plan_id.0,
            year: scheme.year,
            unit_id,
            rules: scheme.rules.0.clone(),
        };
        assessments.push(work.run::<Assessment>(Id::new(store.clock().new_id()), None, command).await?);
    }
    let events = work.commit(None).await?;
    Ok(Written { assessments, position: events.last().map(|event| event.position) })
}

/// The command that scores an assessment, with every figure as it is now.
///
/// # Errors
/// A rejection when an expert's score is missing or wrong, or a failing database.
pub async fn scoring(store: &EventStore, input: ScoreAssessmentInput) -> Result<ScoreAssessment, Error> {
    let ScoreAssessmentInput { id, expert_scores, vetoes } = input;
    let assessment: Assessment = row(store, id, "id").await?;
    let unit: Unit = row(store, assessment.unit_id.0, "id").await?;
    let items = &assessment.rules.items;
    let mut experts = by_item(items, expert_scores)?;
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        found.push(match item.source {
            ScoreSource::Expert => experts.remove(item.code.as_str()).ok_or_else(|| {
                let reason = format!("says nothing of item {}, which experts score", item.code);
                Rejection::invalid("expertScores", reason)
            })?,
            _ => figures::of(store, &assessment, &unit, item).await?,
        });
    }
    Ok(ScoreAssessment { id, figures: found, vetoes })
}

fn by_item(items: &[AssessmentItem], scores: Vec<ExpertScore>) -> Result<HashMap<&str, Figure>, Rejection> {
    let mut figures = HashMap::new();
    for (at, ExpertScore { item, percent, note }) in scores.into_iter().enumerate() {
        let field = |name: &str| format!("expertScores[{at}].{name}");
        let known = items.iter().find(|known| known.code == item && known.source == ScoreSource::Expert);
        let Some(known) = known else {
            return Err(Rejection::invalid(field("item"), "is no item that experts score"));
        };
        if percent.decimal().is_sign_negative() || percent.decimal() > Decimal::ONE_HUNDRED {
            return Err(Rejection::invalid(field("percent"), "is not between 0 and 100"));
        }
        text::maybe(&field("note"), note.as_ref(), text::LONG)?;
        let figure = Figure {
            item,
            value: Some(percent),
            target: Some(Amount::from(100)),
            comparator: Comparator::AtLeast,
            evidence: Vec::new(),
            note,
        };
        if figures.insert(known.code.as_str(), figure).is_some() {
            return Err(Rejection::invalid(field("item"), "stands twice"));
        }
    }
    Ok(figures)
}

/// The last day on which a result that is announced today can be objected to.
///
/// # Errors
/// When the rule or the calendar of a year is missing.
pub fn objections_until(time: &TimeReference, today: Date) -> Result<Date, TimeError> {
    let limit = time.limits.on(OBJECTION, today)?;
    time.calendar.add_working_days(today, limit.value)
}

/// Announces the reviewed results of a scheme, all together.
///
/// # Errors
/// A rejection when none is reviewed, or a failing database.
pub async fn announce(
    store: &EventStore,
    viewer: &Viewer,
    input: AnnounceAssessments,
    objections_until: Date,
) -> Result<Written, Error> {
    let AssessmentScheme { life, .. } = row(store, input.scheme_id, "schemeId").await?;
    let reviewed = Assessment::visible_to(viewer)
        .has("scheme_id", Some(life.id))
        .has("status", Some(AssessmentStatus::Reviewed));
    let rows: Vec<Assessment> = store.pool().all(reviewed, MOST_ANNOUNCED).await?;
    if rows.is_empty() {
        let message = "no result of this scheme is reviewed and waits to be announced";
        return Err(Rejection::rule("reviewed-first", message, None).into());
    }
    let mut work = store.begin(viewer, None);
    let mut assessments = Vec::with_capacity(rows.len());
    for assessment in rows {
        let id = assessment.life.id.0;
        let command = AnnounceAssessment { id, objections_until };
        assessments.push(work.run::<Assessment>(id, None, command).await?);
    }
    let events = work.commit(None).await?;
    Ok(Written { assessments, position: events.last().map(|event| event.position) })
}
