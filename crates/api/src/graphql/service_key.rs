//! Service keys, as the API shows and takes them. The secret of a key is shown once, when it is issued.
use async_graphql::{ComplexObject, Context, InputObject, Object, Result, SimpleObject};
use sea_query::Condition;
use sqlx::types::Json;
use zhixing_domain::{
    Date, Id, Kind, RegionCode, Role, Viewer,
    access::service_key::{
        IssueServiceKey, RevokeServiceKey, ServiceKey as Domain, ServiceKeyEvent as Event, ServiceKeyStatus,
    },
    id::Key,
    organisation::unit,
};

use super::{
    command::{How, Outcome, carry_out},
    connection::{By, Holds, Narrow, Paging, connection, page},
    context::Ask,
    error::{self, UserError},
    event::{self, Position},
    found::Found,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, inside, view},
};
use crate::identity::service_key::Secret;

view! {
    /// How a connected system proves who it is (服务密钥).
    pub struct ServiceKey of Domain, in "service_keys" {
        /// Where it stands; a key whose last day has passed lets nobody in either.
        status: ServiceKeyStatus,
        /// Its authority ends at the borders of this region.
        region_code: RegionCode,
        /// What it is for.
        name: String,
        #[graphql(skip)]
        unit_id: Key<unit::Unit>,
        #[graphql(skip)]
        roles: Json<Vec<Role>>,
        /// The last day on which it works.
        expires_on: Date,
        #[graphql(skip)]
        digest: String,
        /// Why it was revoked.
        revoked_reason: Option<String>,
    }
}

impl Fold for ServiceKey {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Issued { name, unit_id, roles, region_code, expires_on, digest } = event else {
            return None;
        };
        Some(Self {
            life,
            status: ServiceKeyStatus::Issued,
            region_code: *region_code,
            name: name.clone(),
            unit_id: Key(*unit_id),
            roles: Json(roles.clone()),
            expires_on: *expires_on,
            digest: digest.clone(),
            revoked_reason: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Issued { .. } => {}
            Event::Revoked { reason } => self.revoked_reason = Some(reason.clone()),
        }
    }
}

impl Visible for ServiceKey {
    const RELATIONS: &'static [&'static str] = &["unit"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "unit" {
            wanted.units.push(self.unit_id.0.uuid());
        }
    }

    fn seen_by(viewer: &Viewer) -> Condition {
        inside(viewer, Kind::ServiceKey, None)
    }
}

#[ComplexObject]
impl ServiceKey {
    /// The unit that answers for the connected system.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.unit_id.0).await
    }
    /// The region at whose borders it ends.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// What it is trusted with.
    async fn roles(&self) -> &[Role] {
        &self.roles
    }
}

connection!(ServiceKey, ServiceKeyConnection, ServiceKeyEdge, "service keys");

/// Which service keys; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct ServiceKeyWhere {
    /// For this unit.
    pub unit: Option<Id<unit::Unit>>,
    /// Where they stand.
    pub status: Option<Vec<ServiceKeyStatus>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
}

/// Questions about service keys.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "ServiceKeyQueries")]
impl Queries {
    /// The service key with this id. For administrators and auditors.
    async fn service_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<ServiceKey>>> {
        ctx.load(id).await
    }

    /// Service keys, by name. For administrators and auditors.
    async fn service_keys(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<ServiceKeyWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<ServiceKeyConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .has("unit_id", wanted.unit)
            .one_of("status", wanted.status)?
            .in_region(wanted.region);
        let paging = Paging { first, after, last, before };
        Ok(ServiceKeyConnection(page(ctx, filter, By::column("name", Holds::Text), paging).await?))
    }
}

/// What is asked for a new service key.
#[derive(Clone, Debug, InputObject)]
pub struct IssueServiceKeyInput {
    /// What it is for, at most 100 characters.
    pub name: String,
    /// The unit that answers for the connected system.
    pub unit_id: Id<unit::Unit>,
    /// What it is trusted with: INTEGRATOR, AUDITOR or UNIT_OFFICER.
    pub roles: Vec<Role>,
    /// Its authority ends at the borders of this region.
    pub region_code: RegionCode,
    /// The last day on which it works, at most 366 days from today.
    pub expires_on: Date,
}

/// What came of a command to a service key.
#[derive(Debug, SimpleObject)]
pub struct ServiceKeyPayload {
    /// The key after the command; null when it was refused.
    pub service_key: Option<ServiceKey>,
    /// What the connected system sends as `Authorization: Bearer …`. It is shown in this answer and never again; null in the
    /// answer to a retry and in a dry run.
    pub token: Option<String>,
    /// What happened; in a dry run, what would happen.
    pub events: Vec<event::Event>,
    /// Position of the last event; null when nothing was recorded.
    pub position: Option<Position>,
    /// Why it was refused; empty when it was not.
    pub errors: Vec<UserError>,
}

impl ServiceKeyPayload {
    fn of(outcome: Outcome<ServiceKey>, secret: Option<&Secret>) -> Self {
        let Outcome { object, events, position, errors } = outcome;
        let own = |key: &ServiceKey| position.is_some() && secret.is_some_and(|secret| secret.is_of(&key.digest));
        let token = object.as_ref().filter(|key| own(key)).map(|key| key.life.id.0.uuid());
        let token = token.zip(secret).map(|(id, secret)| secret.token(id));
        Self { service_key: object, token, events, position, errors }
    }
}

/// One mutation for each command.
#[derive(Debug, Default)]
pub struct Mutations;

#[Object(name = "ServiceKeyMutations")]
impl Mutations {
    /// Issues a service key; its token is in the answer, this once (签发服务密钥).
    async fn issue_service_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: IssueServiceKeyInput,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer, without the token, and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<ServiceKeyPayload> {
        let secret = Secret::new().map_err(|reason| error::internal(&reason))?;
        let IssueServiceKeyInput { name, unit_id, roles, region_code, expires_on } = input;
        let digest = secret.digest();
        let command = IssueServiceKey { name, unit_id, roles, region_code, expires_on, digest };
        let how = How { command_id, expected_version: None, dry_run };
        let outcome = carry_out::<ServiceKey>(ctx, command, how).await?;
        Ok(ServiceKeyPayload::of(outcome, Some(&secret)))
    }

    /// Revokes a service key; open streams that rested on it end (吊销服务密钥).
    async fn revoke_service_key(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is asked.")] input: RevokeServiceKey,
        #[graphql(
            desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice."
        )]
        command_id: Option<String>,
        #[graphql(
            desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict."
        )]
        expected_version: Option<i64>,
        #[graphql(default, desc = "Only say what would happen; nothing is recorded.")] dry_run: bool,
    ) -> Result<ServiceKeyPayload> {
        let how = How { command_id, expected_version, dry_run };
        Ok(ServiceKeyPayload::of(carry_out::<ServiceKey>(ctx, input, how).await?, None))
    }
}
