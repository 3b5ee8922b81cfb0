//! Role grants, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result};
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Date, Id, RegionCode, Role, Viewer,
    access::role_grant::{
        GrantRole, RevokeRole, RoleGrant as Domain, RoleGrantEvent as Event, RoleGrantStatus,
    },
    id::Key,
    organisation::unit,
};

use super::{
    command::mutations,
    connection::{By, Holds, Narrow, Paging, connection, page},
    context::Ask,
    found::Found,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, for_keepers_of_access, view},
};

view! {
    /// What a person or machine is trusted with, where, and from when until when (角色授权).
    pub struct RoleGrant of Domain, in "role_grants" {
        /// Where it stands; whether it holds today is `isInForce`.
        status: RoleGrantStatus,
        /// Its authority ends at the borders of this region.
        region_code: RegionCode,
        /// Whose it is: `PROVIDER:SUBJECT`, as it stands on events.
        actor: String,
        /// What they are trusted with.
        role: Role,
        #[graphql(skip)]
        unit_id: Option<Key<unit::Unit>>,
        /// The first day on which it holds.
        valid_from: Date,
        /// The last day on which it holds; null without end.
        valid_until: Option<Date>,
        /// What it rests on.
        note: Option<String>,
        /// Why it was revoked.
        revoked_reason: Option<String>,
    }
}

impl RoleGrant {
    /// Whether it holds on a day.
    pub fn holds_on(&self, day: Date) -> bool {
        self.status == RoleGrantStatus::Granted
            && self.valid_from <= day
            && self.valid_until.is_none_or(|until| day <= until)
    }
}

impl Fold for RoleGrant {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Granted { actor, role, unit_id, region_code, valid_from, valid_until, note } = event else {
            return None;
        };
        Some(Self {
            life,
            status: RoleGrantStatus::Granted,
            region_code: *region_code,
            actor: actor.clone(),
            role: *role,
            unit_id: unit_id.map(Key),
            valid_from: *valid_from,
            valid_until: *valid_until,
            note: note.clone(),
            revoked_reason: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Granted { .. } => {}
            Event::Revoked { reason } => self.revoked_reason = Some(reason.clone()),
        }
    }
}

impl Visible for RoleGrant {
    const RELATIONS: &'static [&'static str] = &["unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "unit" {
            wanted.units.extend(self.unit_id.map(|id| id.0.uuid()));
        }
    }

    fn visible_to(viewer: &Viewer) -> Condition {
        // Everybody sees what they are trusted with themselves.
        Condition::any()
            .add(for_keepers_of_access(viewer))
            .add_option(viewer.is_somebody().then(|| Expr::col("actor").eq(viewer.actor.clone())))
    }
}

#[ComplexObject]
impl RoleGrant {
    /// The unit that they work for.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.unit_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The region at whose borders it ends.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// Whether it holds today.
    async fn is_in_force(&self, ctx: &Context<'_>) -> bool {
        self.holds_on(Date::of(ctx.store().clock().now()))
    }
}

connection!(RoleGrant, RoleGrantConnection, RoleGrantEdge, "role grants");

/// Which role grants; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct RoleGrantWhere {
    /// Of this person or machine.
    pub actor: Option<String>,
    /// Of these roles.
    pub role: Option<Vec<Role>>,
    /// For this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// Where they stand.
    pub status: Option<Vec<RoleGrantStatus>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
}

/// Questions about role grants.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "RoleGrantQueries")]
impl Queries {
    /// The role grant with this id. For administrators and auditors, and one's own.
    async fn role_grant(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<RoleGrant>>> {
        ctx.load(id).await
    }

    /// Role grants, by person. For administrators and auditors, and one's own.
    async fn role_grants(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<RoleGrantWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<RoleGrantConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .has("actor", wanted.actor)
            .one_of("role", wanted.role)?
            .has("unit_id", wanted.unit)
            .one_of("status", wanted.status)?
            .in_region(wanted.region);
        let paging = Paging { first, after, last, before };
        Ok(RoleGrantConnection(page(ctx, filter, By::column("actor", Holds::Text), paging).await?))
    }
}

mutations! {
    RoleGrant, RoleGrantPayload { role_grant } "RoleGrantMutations":
    /// Grants a role; nobody grants to themselves (授予角色).
    grant_role(GrantRole);
    /// Revokes a role; open streams that rested on it end (撤销角色).
    revoke_role(RevokeRole);
}
