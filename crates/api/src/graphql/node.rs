//! Relay's `node` and `nodes`: any object by its id.
use async_graphql::{Context, Interface, Object, Result};
use zhixing_domain::{Id, Kind, id::GlobalId};

use zhixing_event_store::View;

use super::{
    assessment::Assessment,
    assessment_scheme::AssessmentScheme,
    context::{Ask, Session},
    data_import::DataImport,
    error,
    event_subscription::EventSubscription,
    found::Found,
    indicator::Indicator,
    leading_group::LeadingGroup,
    local_plan::LocalPlan,
    plan::Plan,
    region::Region,
    report::Report,
    reporting_duty::ReportingDuty,
    role_grant::RoleGrant,
    service_key::ServiceKey,
    supervision_item::SupervisionItem,
    survey::Survey,
    task::Task,
    unit::Unit,
    view::{self, Visible},
    violation_report::ViolationReport,
};

/// Anything with an id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "async_graphql::ID", desc = "The object's id, unique over all kinds."))]
pub enum Node {
    /// A unit.
    Unit(Unit),
    /// A plan.
    Plan(Plan),
    /// A task.
    Task(Task),
    /// An indicator.
    Indicator(Indicator),
    /// An import.
    DataImport(DataImport),
    /// A reporting duty.
    ReportingDuty(ReportingDuty),
    /// A report.
    Report(Report),
    /// A supervision item.
    SupervisionItem(SupervisionItem),
    /// An assessment scheme.
    AssessmentScheme(AssessmentScheme),
    /// An assessment.
    Assessment(Assessment),
    /// A local plan.
    LocalPlan(LocalPlan),
    /// A survey.
    Survey(Survey),
    /// A leading group.
    LeadingGroup(LeadingGroup),
    /// A role grant.
    RoleGrant(RoleGrant),
    /// A service key.
    ServiceKey(ServiceKey),
    /// A report of a violation.
    ViolationReport(ViolationReport),
    /// An event subscription.
    EventSubscription(EventSubscription),
    /// A region.
    Region(Region),
}

/// The object with this id, if it exists and the viewer may see it.
///
/// # Errors
/// When the database fails.
pub async fn load(ctx: &Context<'_>, id: GlobalId) -> Result<Option<Node>> {
    Ok(match id.kind {
        Kind::Unit => ctx.load::<Unit>(Id::new(id.uuid)).await?.map(own).map(Node::Unit),
        Kind::Plan => ctx.load::<Plan>(Id::new(id.uuid)).await?.map(own).map(Node::Plan),
        Kind::Task => ctx.load::<Task>(Id::new(id.uuid)).await?.map(own).map(Node::Task),
        Kind::Indicator => ctx.load::<Indicator>(Id::new(id.uuid)).await?.map(own).map(Node::Indicator),
        Kind::DataImport => ctx.load::<DataImport>(Id::new(id.uuid)).await?.map(own).map(Node::DataImport),
        Kind::ReportingDuty => {
            ctx.load::<ReportingDuty>(Id::new(id.uuid)).await?.map(own).map(Node::ReportingDuty)
        }
        Kind::AssessmentScheme => {
            ctx.load::<AssessmentScheme>(Id::new(id.uuid)).await?.map(own).map(Node::AssessmentScheme)
        }
        Kind::Assessment => ctx.load::<Assessment>(Id::new(id.uuid)).await?.map(own).map(Node::Assessment),
        Kind::Report => ctx.load::<Report>(Id::new(id.uuid)).await?.map(own).map(Node::Report),
        Kind::SupervisionItem => {
            ctx.load::<SupervisionItem>(Id::new(id.uuid)).await?.map(own).map(Node::SupervisionItem)
        }
        Kind::Survey => ctx.load::<Survey>(Id::new(id.uuid)).await?.map(own).map(Node::Survey),
        Kind::LeadingGroup => {
            ctx.load::<LeadingGroup>(Id::new(id.uuid)).await?.map(own).map(Node::LeadingGroup)
        }
        Kind::RoleGrant => ctx.load::<RoleGrant>(Id::new(id.uuid)).await?.map(own).map(Node::RoleGrant),
        Kind::ServiceKey => ctx.load::<ServiceKey>(Id::new(id.uuid)).await?.map(own).map(Node::ServiceKey),
        Kind::ViolationReport => {
            ctx.load::<ViolationReport>(Id::new(id.uuid)).await?.map(own).map(Node::ViolationReport)
        }
        Kind::EventSubscription => {
            ctx.load::<EventSubscription>(Id::new(id.uuid)).await?.map(own).map(Node::EventSubscription)
        }
        Kind::LocalPlan => ctx.load::<LocalPlan>(Id::new(id.uuid)).await?.map(own).map(Node::LocalPlan),
    })
}

/// From which place in the log on the viewer of a session sees the life of an object; `None` when there is none or they
/// may not see it.
///
/// # Errors
/// When the database fails.
pub async fn since(session: &Session, id: GlobalId) -> Result<Option<i64>> {
    async fn found<V: View + Visible>(session: &Session, key: uuid::Uuid) -> Result<Option<i64>> {
        view::since::<V>(session, key).await.map_err(|fault| error::shared_fault(&fault))
    }
    match id.kind {
        Kind::Unit => found::<Unit>(session, id.uuid).await,
        Kind::Plan => found::<Plan>(session, id.uuid).await,
        Kind::Task => found::<Task>(session, id.uuid).await,
        Kind::Indicator => found::<Indicator>(session, id.uuid).await,
        Kind::DataImport => found::<DataImport>(session, id.uuid).await,
        Kind::ReportingDuty => found::<ReportingDuty>(session, id.uuid).await,
        Kind::AssessmentScheme => found::<AssessmentScheme>(session, id.uuid).await,
        Kind::Assessment => found::<Assessment>(session, id.uuid).await,
        Kind::Report => found::<Report>(session, id.uuid).await,
        Kind::SupervisionItem => found::<SupervisionItem>(session, id.uuid).await,
        Kind::Survey => found::<Survey>(session, id.uuid).await,
        Kind::LeadingGroup => found::<LeadingGroup>(session, id.uuid).await,
        Kind::RoleGrant => found::<RoleGrant>(session, id.uuid).await,
        Kind::ServiceKey => found::<ServiceKey>(session, id.uuid).await,
        Kind::LocalPlan => found::<LocalPlan>(session, id.uuid).await,
        Kind::EventSubscription => found::<EventSubscription>(session, id.uuid).await,
        Kind::ViolationReport => found::<ViolationReport>(session, id.uuid).await,
    }
}

/// An interface is made of objects, not of what they stand in.
fn own<V: Clone>(row: Found<V>) -> V {
    row.into_inner()
}

async fn find(ctx: &Context<'_>, field: &str, id: &str) -> Result<Option<Node>> {
    if let Some(region) = Region::by_id(id) {
        return Ok(Some(Node::Region(region)));
    }
    load(ctx, id.parse().map_err(|reason| error::invalid(field, reason))?).await
}

/// Most ids of one `nodes`.
const MOST: usize = 100;

/// Questions for any object.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "NodeQueries")]
impl Queries {
    /// The object with this id; null when there is none or the viewer may not see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id, of whatever kind.")] id: async_graphql::ID,
    ) -> Result<Option<Node>> {
        find(ctx, "id", &id).await
    }

    /// The objects with these ids, at most 100, in their order.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Their ids, of whatever kinds.")] ids: Vec<async_graphql::ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > MOST {
            return Err(error::invalid("ids", "has more than 100 entries"));
        }
        let found =
            ids.iter().enumerate().map(|(at, id)| async move { find(ctx, &format!("ids[{at}]"), id).await });
        futures_util::future::try_join_all(found).await
    }
}
