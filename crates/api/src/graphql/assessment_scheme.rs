//! Assessment schemes, as the API shows and takes them, and the league table of each.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result};
use futures_util::FutureExt;
use sea_query::Condition;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Amount, Id, Kind, RegionCode, Viewer,
    id::Key,
    performance::{
        assessment_scheme::{
            AmendAssessmentScheme, AssessmentScheme as Domain, AssessmentSchemeEvent as Event,
            AssessmentSchemeStatus, DraftAssessmentScheme, IssueAssessmentScheme, RevokeAssessmentScheme,
        },
        scoring::{AssessmentItem, Grade, Rules, Veto},
    },
    programme::plan,
};

use super::{
    assessment::{self, AssessmentConnection, AssessmentWhere},
    command::mutations,
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    league_table::{self, LeagueRow},
    plan::{Plan, of_visible_plans},
    region::Region,
    view::{Fold, Life, Visible, Wanted, view, visible, in_public},
    workbench::Workbench,
};

view! {
    /// What units are assessed by in one year, how it is weighed, and what decides by itself (考核办法).
    pub struct AssessmentScheme of Domain, in "assessment_schemes" under "plan_id" {
        /// Where it stands.
        status: AssessmentSchemeStatus,
        /// The region of its plan.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Key<plan::Plan>,
        /// The year that is assessed.
        year: i32,
        /// What it is called.
        title: String,
        #[graphql(skip)]
        rules: Json<Rules>,
    }
}

impl Fold for AssessmentScheme {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Drafted { plan_id, region_code, year, title, rules } = event else { return None };
        Some(Self {
            life,
            status: AssessmentSchemeStatus::Draft,
            region_code: *region_code,
            plan_id: Key(*plan_id),
            year: *year,
            title: title.clone(),
            rules: Json(rules.clone()),
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Amended { rules } => self.rules = Json(rules.clone()),
            Event::Drafted { .. } | Event::Issued | Event::Revoked { .. } => {}
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }
}

impl Visible for AssessmentScheme {
    const RELATIONS: &'static [&'static str] = &["plan"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "plan" {
            wanted.plans.push(self.plan_id.0.uuid());
        }
    }

    fn published_with(&self) -> Option<Uuid> {
        Some(self.plan_id.0.uuid())
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        let issued = of_visible_plans(viewer).add(in_public(Kind::AssessmentScheme));
        visible(viewer, Kind::AssessmentScheme, issued, Self::own(viewer))
    }
}

/// Another weight for an item.
#[derive(Clone, Debug, InputObject)]
pub struct ItemWeight {
    /// Code of the item.
    pub item: String,
    /// Its weight.
    pub weight: Amount,
}

#[ComplexObject]
impl AssessmentScheme {
    /// The plan whose work is assessed.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        ctx.load(self.plan_id.0).await
    }
    /// The region of its plan.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// What is assessed; the weights add up to 100.
    async fn items(&self) -> &[AssessmentItem] {
        &self.rules.items
    }
    /// What decides by itself (一票否决事项).
    async fn vetoes(&self) -> &[Veto] {
        &self.rules.vetoes
    }
    /// The grades, highest first.
    async fn grades(&self) -> &[Grade] {
        &self.rules.grades
    }
    /// Assessments by it, by region.
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
        let own = Condition::all().has("scheme_id", Some(self.life.id));
        assessment::list(ctx, own, r#where, Paging { first, after, last, before }).boxed().await
    }
    /// Its workbench: the scoring sheet, what waits for whom, and what was objected to (考核工作台).
    async fn workbench(&self, ctx: &Context<'_>) -> Result<Workbench> {
        Workbench::of(ctx, self).boxed().await
    }
    /// Units that were scored, best first (排名). Equal totals share a rank and the next one is passed over; units with a
    /// veto stand behind all others. At most 1,000 units.
    async fn league_table(&self, ctx: &Context<'_>) -> Result<Vec<LeagueRow>> {
        league_table::of(ctx, self, None).boxed().await
    }
    /// The league table as it would be with other weights; nothing is recorded. Every item needs one, and they add up to 100.
    async fn what_if(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A weight for every item.")] weights: Vec<ItemWeight>,
    ) -> Result<Vec<LeagueRow>> {
        league_table::of(ctx, self, Some(weights)).boxed().await
    }
}

connection!(AssessmentScheme, AssessmentSchemeConnection, AssessmentSchemeEdge, "assessment schemes");

/// Which assessment schemes; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct AssessmentSchemeWhere {
    /// Of this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Of this year.
    pub year: Option<i32>,
    /// Where they stand.
    pub status: Option<Vec<AssessmentSchemeStatus>>,
    /// The region of the plan itself and all inside it.
    pub region: Option<RegionCode>,
}

/// Questions about assessment schemes.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "AssessmentSchemeQueries")]
impl Queries {
    /// The assessment scheme with this id. For officials.
    async fn assessment_scheme(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<AssessmentScheme>>> {
        ctx.load(id).await
    }

    /// Assessment schemes of all plans, latest year first. For officials.
    async fn assessment_schemes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<AssessmentSchemeWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<AssessmentSchemeConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .has("plan_id", wanted.plan)
            .has("year", wanted.year)
            .one_of("status", wanted.status)?
            .in_region(wanted.region);
        let by = By::column("year", Holds::Number).directed(OrderDirection::Desc);
        let paging = Paging { first, after, last, before };
        Ok(AssessmentSchemeConnection(page(ctx, filter, by, paging).await?))
    }
}

mutations! {
    AssessmentScheme, AssessmentSchemePayload { assessment_scheme } "AssessmentSchemeMutations":
    /// Drafts an assessment scheme; the weights of its items add up to 100 (起草考核办法).
    draft_assessment_scheme(DraftAssessmentScheme);
    /// Amends a draft (修订考核办法).
    amend_assessment_scheme(AmendAssessmentScheme);
    /// Issues a scheme: it no longer changes (印发考核办法).
    issue_assessment_scheme(IssueAssessmentScheme);
    /// Revokes a scheme (废止考核办法).
    revoke_assessment_scheme(RevokeAssessmentScheme);
}
