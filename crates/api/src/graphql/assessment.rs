//! Assessments, as the API shows and takes them: every score with the figures and events behind it.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use futures_util::FutureExt;
use sea_query::Condition;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Amount, Date, Id, Kind, RegionCode, Viewer,
    id::{GlobalId, Key},
    organisation::unit,
    performance::{
        assessment::{
            AppealAssessment, ApplyAssessmentResult, Assessment as Domain, AssessmentEvent as Event,
            AssessmentStatus, DecideAssessmentAppeal, DecideAssessmentObjection, FinaliseAssessment,
            ObjectToAssessment, ReviewAssessment, SelfScore, SubmitSelfAssessment, Vetoed,
        },
        assessment_scheme as scheme,
        attainment::Comparator,
        scoring::{AssessmentItem, Cited, Rules, Scored},
    },
    policy::{self, Seen},
    programme::{plan, task::Evidence},
};
use zhixing_event_store::Link;

use super::{
    assessment_scheme::AssessmentScheme,
    command::mutations,
    connection::{By, Holds, Narrow, Paging, connection, page},
    context::Ask,
    error,
    event,
    found::Found,
    league_table::{percent, rank_of},
    node::{self, Node},
    plan::{Plan, of_visible_plans},
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, named, view, visible, in_public},
};

view! {
    /// How one unit did in one year, by one scheme (考核).
    pub struct Assessment of Domain, in "assessments" under "scheme_id" {
        /// Where it stands.
        status: AssessmentStatus,
        /// The region of the unit.
        region_code: RegionCode,
        #[graphql(skip)]
        scheme_id: Key<scheme::AssessmentScheme>,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// The year that is assessed.
        year: i32,
        #[graphql(skip)]
        unit_id: Key<unit::Unit>,
        #[graphql(skip)]
        rules: Json<Rules>,
        #[graphql(skip)]
        self_summary: Option<String>,
        #[graphql(skip)]
        self_scores: Json<Vec<SelfScore>>,
        #[graphql(skip)]
        self_evidence: Json<Vec<Evidence>>,
        #[graphql(skip)]
        formula_version: Option<i32>,
        #[graphql(skip)]
        items: Json<Vec<Scored>>,
        #[graphql(skip)]
        vetoes: Json<Vec<Vetoed>>,
        /// Its points; null before it was scored.
        total: Option<Amount>,
        /// Its grade; null before it was scored.
        grade: Option<String>,
        #[graphql(skip)]
        review_note: Option<String>,
        /// The last day on which it can be objected to.
        objections_until: Option<Date>,
        #[graphql(skip)]
        objection: Option<String>,
        #[graphql(skip)]
        appeal: Option<String>,
        #[graphql(skip)]
        decision: Option<String>,
        #[graphql(skip)]
        applied_note: Option<String>,
    }
}

/// As what an assessment names the unit that is assessed.
pub const ASSESSED: &str = "assessed";

impl Fold for Assessment {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Opened { scheme_id, plan_id, year, unit_id, region_code, rules } = event else {
            return None;
        };
        Some(Self {
            life,
            status: AssessmentStatus::Opened,
            region_code: *region_code,
            scheme_id: Key(*scheme_id),
            plan_id: Key(*plan_id),
            year: *year,
            unit_id: Key(*unit_id),
            rules: Json(rules.clone()),
            self_summary: None,
            self_scores: Json(Vec::new()),
            self_evidence: Json(Vec::new()),
            formula_version: None,
            items: Json(Vec::new()),
            vetoes: Json(Vec::new()),
            total: None,
            grade: None,
            review_note: None,
            objections_until: None,
            objection: None,
            appeal: None,
            decision: None,
            applied_note: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::SelfAssessed { summary, scores, evidence } => {
                self.self_summary = Some(summary.clone());
                self.self_scores = Json(scores.clone());
                self.self_evidence = Json(evidence.clone());
            }
            Event::Scored { formula_version, items, vetoes, total, grade } => {
                self.formula_version = Some(*formula_version);
                self.items = Json(items.clone());
                self.vetoes = Json(vetoes.clone());
                self.total = Some(*total);
                self.grade = Some(grade.clone());
                self.review_note = None;
            }
            Event::Reviewed { note } => self.review_note.clone_from(note),
            Event::ResultAnnounced { objections_until, .. } => {
                self.objections_until = Some(*objections_until);
            }
            Event::Objected { reason, .. } => self.objection = Some(reason.clone()),
            Event::Appealed { reason } => self.appeal = Some(reason.clone()),
            Event::ObjectionDecided { reason, .. } | Event::AppealDecided { reason, .. } => {
                self.decision = Some(reason.clone());
            }
            Event::ResultApplied { note } => self.applied_note = Some(note.clone()),
            Event::Opened { .. } | Event::Finalised { .. } => {}
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.scheme_id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        vec![Link { relation: ASSESSED, target_id: self.unit_id.0.uuid() }]
    }
}

impl Assessment {
    /// Whether a viewer sees more of it than the result that is published.
    pub fn is_inside(&self, viewer: &Viewer) -> bool {
        let seen = Seen { published: None, region: Some(self.region_code), units: vec![self.unit_id.0] };
        policy::sight(viewer, Kind::Assessment).is_inside(&seen)
    }
}

impl Visible for Assessment {
    const RELATIONS: &'static [&'static str] = &["plan", "unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "plan" => wanted.plans.push(self.plan_id.0.uuid()),
            "unit" => wanted.units.push(self.unit_id.0.uuid()),
            _ => {}
        }
    }

    fn own(viewer: &Viewer) -> Option<Condition> {
        named(viewer, "id", &[ASSESSED])
    }

    fn published_with(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        let settled = of_visible_plans(viewer).add(in_public(Kind::Assessment));
        visible(viewer, Kind::Assessment, settled, Self::own(viewer))
    }
}

/// What a unit says of itself (自评).
#[derive(Clone, Debug, SimpleObject)]
pub struct SelfAssessment {
    /// What the unit did.
    pub summary: String,
    /// The points that it gives itself.
    pub scores: Vec<SelfScore>,
    /// What shows it.
    pub evidence: Vec<Evidence>,
}

/// The event that says so for a figure (得分依据).
#[derive(Clone, Copy, Debug)]
pub struct ScoreEvidence(Cited);

/// The event that says so for a figure (得分依据).
#[Object]
impl ScoreEvidence {
    /// The object's id.
    async fn subject_id(&self) -> GlobalId {
        self.0.subject
    }
    /// The object, as it is now.
    async fn subject(&self, ctx: &Context<'_>) -> Result<Option<Node>> {
        node::load(ctx, self.0.subject).boxed().await
    }
    /// Its version when the figure was taken.
    async fn version(&self) -> i64 {
        self.0.version
    }
    /// The event itself; null when the viewer may not see its object, or not so far back.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<event::Event>> {
        let since = node::since(ctx.session(), self.0.subject).boxed().await?;
        let (stream, after) = (self.0.subject.uuid, self.0.version - 1);
        let events = ctx.store().pool().read_stream(stream, after, 1).await.map_err(error::fault)?;
        let told = events.into_iter().next().filter(|event| since.is_some_and(|since| event.position >= since));
        Ok(told.map(|found| event::Event(found.into())))
    }
}

/// An item with its points, and what they rest on (得分明细).
#[derive(Clone, Debug, SimpleObject)]
pub struct ScoreInput {
    /// The item, as the scheme had it.
    pub item: Option<AssessmentItem>,
    /// Its weight.
    pub weight: Amount,
    /// What was found: a measured value, reports in time, tasks verified, a percentage; null when there is no data.
    pub value: Option<Amount>,
    /// What it is compared with: the target, reports owed, tasks due, 100.
    pub target: Option<Amount>,
    /// How the two are compared.
    pub comparator: Comparator,
    /// The share of the weight that was reached, in percent to two places; null when there is no data.
    pub share: Option<Amount>,
    /// Its points: weight times share, rounded once to two places.
    pub points: Amount,
    /// How the figure was found, in words.
    pub note: Option<String>,
    /// The events that say so, at most 1,000.
    pub evidence: Vec<ScoreEvidence>,
}

/// A score with everything that it rests on (得分): the sum of its points.
#[derive(Clone, Debug, SimpleObject)]
pub struct Score {
    /// Version of the formula; see the documentation of `ScoreInput`.
    pub formula_version: i32,
    /// Its points.
    pub total: Amount,
    /// Its grade.
    pub grade: String,
    /// What it is made of, in the order of the scheme.
    pub inputs: Vec<ScoreInput>,
    /// What decides by itself.
    pub vetoes: Vec<Vetoed>,
}

#[ComplexObject]
impl Assessment {
    /// The scheme.
    async fn scheme(&self, ctx: &Context<'_>) -> Result<Option<Found<AssessmentScheme>>> {
        ctx.load(self.scheme_id.0).await
    }
    /// The plan of the scheme.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The unit that is assessed (被考核单位).
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.unit_id.0).await
    }
    /// The region of the unit.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// What the unit says of itself. For officials in scope.
    async fn self_assessment(&self, ctx: &Context<'_>) -> Option<SelfAssessment> {
        if !self.is_inside(ctx.viewer()) {
            return None;
        }
        let (scores, evidence) = (self.self_scores.to_vec(), self.self_evidence.to_vec());
        Some(SelfAssessment { summary: self.self_summary.clone()?, scores, evidence })
    }
    /// The score, explained figure by figure; null before it was scored.
    async fn score(&self) -> Option<Score> {
        let input = |scored: &Scored| {
            let figure = &scored.figure;
            ScoreInput {
                item: self.rules.items.iter().find(|item| item.code == figure.item).cloned(),
                weight: scored.weight,
                value: figure.value,
                target: figure.target,
                comparator: figure.comparator,
                share: figure.share().map(percent),
                points: scored.points,
                note: figure.note.clone(),
                evidence: figure.evidence.iter().copied().map(ScoreEvidence).collect(),
            }
        };
        Some(Score {
            formula_version: self.formula_version?,
            total: self.total?,
            grade: self.grade.clone()?,
            inputs: self.items.iter().map(input).collect(),
            vetoes: self.vetoes.to_vec(),
        })
    }
    /// What was said when it was reviewed. For officials in scope.
    #[graphql(name = "reviewNote")]
    async fn shown_review_note(&self, ctx: &Context<'_>) -> Option<&str> {
        self.review_note.as_deref().filter(|_| self.is_inside(ctx.viewer()))
    }
    /// What was objected to. For officials in scope.
    #[graphql(name = "objection")]
    async fn shown_objection(&self, ctx: &Context<'_>) -> Option<&str> {
        self.objection.as_deref().filter(|_| self.is_inside(ctx.viewer()))
    }
    /// Why it was appealed against. For officials in scope.
    #[graphql(name = "appeal")]
    async fn shown_appeal(&self, ctx: &Context<'_>) -> Option<&str> {
        self.appeal.as_deref().filter(|_| self.is_inside(ctx.viewer()))
    }
    /// Why the last objection or appeal was upheld or rejected. For officials in scope.
    #[graphql(name = "decision")]
    async fn shown_decision(&self, ctx: &Context<'_>) -> Option<&str> {
        self.decision.as_deref().filter(|_| self.is_inside(ctx.viewer()))
    }
    /// To whom the result was given and for what. For officials in scope.
    #[graphql(name = "appliedNote")]
    async fn shown_applied_note(&self, ctx: &Context<'_>) -> Option<&str> {
        self.applied_note.as_deref().filter(|_| self.is_inside(ctx.viewer()))
    }
    /// Its rank among those of its scheme; null before it was scored.
    async fn rank(&self, ctx: &Context<'_>) -> Result<Option<i32>> {
        if self.total.is_none() {
            return Ok(None);
        }
        rank_of(ctx, self).boxed().await
    }
}

connection!(Assessment, AssessmentConnection, AssessmentEdge, "assessments");

/// Which assessments; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AssessmentWhere {
    /// By this scheme.
    pub scheme: Option<Id<scheme::AssessmentScheme>>,
    /// Under this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Of this year.
    pub year: Option<i32>,
    /// Of this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// Where they stand.
    pub status: Option<Vec<AssessmentStatus>>,
    /// Of units of this region and all inside it.
    pub region: Option<RegionCode>,
}

/// A page of the assessments that `own` and `wanted` admit, by region.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<AssessmentWhere>,
    paging: Paging,
) -> Result<AssessmentConnection> {
    let wanted = wanted.unwrap_or_default();
    let filter = own
        .has("scheme_id", wanted.scheme)
        .has("plan_id", wanted.plan)
        .has("year", wanted.year)
        .has("unit_id", wanted.unit)
        .one_of("status", wanted.status)?
        .in_region(wanted.region);
    Ok(AssessmentConnection(page(ctx, filter, By::column("region_code", Holds::Text), paging).await?))
}

/// Questions about assessments.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "AssessmentQueries")]
impl Queries {
    /// The assessment with this id. For officials.
    async fn assessment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<Assessment>>> {
        ctx.load(id).await
    }

    /// Assessments by all schemes, by region. For officials.
    async fn assessments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<AssessmentWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<AssessmentConnection> {
        list(ctx, Condition::all(), r#where, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    Assessment, AssessmentPayload { assessment } "AssessmentMutations":
    /// Hands in what a unit says of itself (报送自评).
    submit_self_assessment(SubmitSelfAssessment);
    /// Reviews a score: somebody else than who scored it (复核).
    review_assessment(ReviewAssessment);
    /// Objects to an announced result, in time (提出异议).
    object_to_assessment(ObjectToAssessment);
    /// Decides an objection; upheld, it is scored anew (处理异议).
    decide_assessment_objection(DecideAssessmentObjection);
    /// Appeals against a rejected objection, once (申诉).
    appeal_assessment(AppealAssessment);
    /// Decides an appeal: somebody else than who decided the objection (处理申诉).
    decide_assessment_appeal(DecideAssessmentAppeal);
    /// Makes a result final once it can no longer be objected to (定稿).
    finalise_assessment(FinaliseAssessment);
    /// Records what a result was used for (运用考核结果).
    apply_assessment_result(ApplyAssessmentResult);
}
