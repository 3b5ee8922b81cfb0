//! Who is asking (当前访问者).
use async_graphql::{Context, Object, Result};
use zhixing_domain::{Role, Viewer as Domain, policy::AuthenticationMethod};

use super::{context::Ask, found::Found, region::Region, unit::Unit};

/// Who is asking, and in which capacity (当前访问者).
#[derive(Clone, Debug)]
pub struct Viewer(Domain);

/// Who is asking, and in which capacity (当前访问者).
#[Object]
impl Viewer {
    /// The name that stands on the events that they cause.
    async fn actor(&self) -> &str {
        &self.0.actor
    }
    /// What they are trusted with.
    async fn roles(&self) -> &[Role] {
        &self.0.roles
    }
    /// The unit that they work for.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.0.units.first() {
            Some(id) => ctx.load(*id).await,
            None => Ok(None),
        }
    }
    /// Their authority ends at the borders of this region.
    async fn region(&self) -> Option<Region> {
        Region::find(self.0.region)
    }
    /// How they proved who they are.
    async fn authentication_method(&self) -> AuthenticationMethod {
        self.0.method
    }
}

/// Questions about who is asking.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ViewerQueries")]
impl Queries {
    /// Who is asking.
    async fn viewer(&self, ctx: &Context<'_>) -> Viewer {
        Viewer(ctx.viewer().clone())
    }
}
