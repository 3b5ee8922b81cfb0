//! Who is asking (当前访问者).
use async_graphql::{Context, Object, Result};
use zhixing_domain::{Role, Viewer as Domain, policy::AuthenticationMethod};

use super::{context::Ask, found::Found, region::Region, unit::Unit};
use crate::identity::Capacity;

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
    /// The capacities that they may choose, the usual one first; at most 100.
    async fn capacities(&self, ctx: &Context<'_>) -> Vec<ViewerCapacity> {
        ctx.session().capacities.iter().take(MOST).cloned().map(ViewerCapacity).collect()
    }
}

/// Most capacities that are listed.
const MOST: usize = 100;

/// A capacity that somebody may act in: for one unit or a region (可选身份).
#[derive(Clone, Debug)]
pub struct ViewerCapacity(Capacity);

/// A capacity that somebody may act in: for one unit or a region (可选身份).
#[Object]
impl ViewerCapacity {
    /// What chooses it: the value of the header `Zhixing-Acting-For`, or of the same name in the payload of
    /// `connection_init`.
    async fn acting_for(&self) -> String {
        self.0.acting_for()
    }
    /// The unit that they act for in it, if it is for one.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.0.unit {
            Some(id) => ctx.load(id).await,
            None => Ok(None),
        }
    }
    /// Where their authority ends in it.
    async fn region(&self) -> Option<Region> {
        Region::find(self.0.region)
    }
    /// What they are trusted with in it.
    async fn roles(&self) -> &[Role] {
        &self.0.roles
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
