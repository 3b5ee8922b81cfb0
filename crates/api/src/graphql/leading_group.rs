//! Leading groups, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result, SimpleObject};
use futures_util::FutureExt;
use sea_query::Condition;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Date, Id, RegionCode, Viewer,
    id::Key,
    organisation::unit,
    programme::{
        leading_group::{
            AppointLeadingGroupMember, Composition, DesignateLeadingGroupOffice, DissolveLeadingGroup,
            EstablishLeadingGroup, LeadingGroup as Domain, LeadingGroupEvent as Event, LeadingGroupPost,
            LeadingGroupStatus, Membership, ReleaseLeadingGroupMember, RenameLeadingGroup, Seat,
        },
        plan,
    },
};
use zhixing_event_store::Link;

use super::{
    command::mutations,
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    found::Found,
    plan::Plan,
    region::Region,
    unit::Unit,
    view::{Fold, Life, Visible, Wanted, view},
};

view! {
    /// A group that plans, co-ordinates and assesses quality work for the government of a region (领导小组).
    pub struct LeadingGroup of Domain, in "leading_groups" under "plan_id" {
        /// Where it stands.
        status: LeadingGroupStatus,
        /// The region whose government established it.
        region_code: RegionCode,
        #[graphql(skip)]
        plan_id: Option<Key<plan::Plan>>,
        /// Its name.
        name: String,
        #[graphql(skip)]
        former_names: Json<Vec<String>>,
        /// The document that established it (成立文件).
        document: Option<String>,
        /// Its first day.
        established_on: Date,
        #[graphql(skip)]
        composition: Json<Composition>,
        /// Its last day; null while it stands.
        dissolved_on: Option<Date>,
        /// Why it was dissolved.
        dissolved_reason: Option<String>,
    }
}

/// As what a group names its members, and the units in which its office sat.
const MEMBER: &str = "leading_group_member";
/// See [`MEMBER`].
const SEAT: &str = "leading_group_office";

/// Who belongs to a leading group, as what, on which days (成员任职).
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct LeadingGroupMembership {
    /// Its number in the group, from 1.
    pub number: i32,
    #[graphql(skip)]
    unit_id: Option<Id<unit::Unit>>,
    /// The person; null when the unit itself is the member (成员单位).
    pub person: Option<String>,
    /// As what.
    pub post: LeadingGroupPost,
    /// The first day.
    pub from: Date,
    /// The last day; null while it goes on. With the group every membership ends.
    pub until: Option<Date>,
    /// Why it ended before the group did.
    pub reason: Option<String>,
}

#[ComplexObject]
impl LeadingGroupMembership {
    /// The unit that is the member, or that the person is of.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.unit_id {
            Some(id) => ctx.load(id).await,
            None => Ok(None),
        }
    }
}

/// In which unit the office of a leading group sits (办公室设在何单位).
#[derive(Clone, Debug, SimpleObject)]
#[graphql(complex)]
pub struct LeadingGroupSeat {
    #[graphql(skip)]
    unit_id: Id<unit::Unit>,
    /// The first day.
    pub from: Date,
    /// The last day; null while it sits there.
    pub until: Option<Date>,
}

#[ComplexObject]
impl LeadingGroupSeat {
    /// The unit.
    async fn unit(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        ctx.load(self.unit_id).await
    }
}

impl LeadingGroup {
    fn member(&self, membership: &Membership) -> LeadingGroupMembership {
        let Membership { number, unit_id, person, post, from, until, reason } = membership.clone();
        let until = until.into_iter().chain(self.dissolved_on).min();
        LeadingGroupMembership { number, unit_id, person, post, from, until, reason }
    }
    fn seat(&self, seat: &Seat) -> LeadingGroupSeat {
        let next = self.composition.seats.iter().find(|other| other.from > seat.from);
        let left = next.map(|next| next.from.plus(-1));
        let until = left.into_iter().chain(self.dissolved_on).min();
        LeadingGroupSeat { unit_id: seat.unit_id, from: seat.from, until }
    }
}

impl Fold for LeadingGroup {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Established { name, region_code, plan_id, document, established_on } = event else {
            return None;
        };
        Some(Self {
            life,
            status: LeadingGroupStatus::Established,
            region_code: *region_code,
            plan_id: plan_id.map(Key),
            name: name.clone(),
            former_names: Json(Vec::new()),
            document: document.clone(),
            established_on: *established_on,
            composition: Json(Composition::default()),
            dissolved_on: None,
            dissolved_reason: None,
        })
    }

    fn fold(&mut self, event: &Event) {
        self.composition.evolve(event);
        match event {
            Event::Renamed { name, former_name, .. } => {
                self.name.clone_from(name);
                self.former_names.push(former_name.clone());
            }
            Event::Dissolved { until, reason } => {
                self.dissolved_on = Some(*until);
                self.dissolved_reason = Some(reason.clone());
            }
            Event::Established { .. }
            | Event::OfficeDesignated { .. }
            | Event::MemberAppointed { .. }
            | Event::MemberReleased { .. } => {}
        }
    }

    fn belongs_to(&self) -> Option<Uuid> {
        self.plan_id.map(|id| id.0.uuid())
    }

    fn names(&self) -> Vec<Link> {
        let Composition { seats, memberships, .. } = &*self.composition;
        let seats = seats.iter().map(|seat| (SEAT, seat.unit_id));
        let members = memberships.iter().filter_map(|member| Some((MEMBER, member.unit_id?)));
        let mut named: Vec<(&'static str, Uuid)> =
            seats.chain(members).map(|(relation, id)| (relation, id.uuid())).collect();
        named.sort_unstable();
        named.dedup();
        named.into_iter().map(|(relation, target_id)| Link { relation, target_id }).collect()
    }
}

impl Visible for LeadingGroup {
    const RELATIONS: &'static [&'static str] = &["plan"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        if relation == "plan" {
            wanted.plans.extend(self.plan_id.map(|id| id.0.uuid()));
        }
    }

    fn seen_by(_: &Viewer) -> Condition {
        // Who leads quality work is public information of the government.
        Condition::all()
    }
}

#[ComplexObject]
impl LeadingGroup {
    /// The plan that it was established for.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Found<Plan>>> {
        match self.plan_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
    /// The region whose government established it.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// The names it had before, the first one first.
    async fn former_names(&self) -> &[String] {
        &self.former_names
    }
    /// Who belongs to it on a day, in the order of posts, at most 200 (成员).
    async fn members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today when left out.")] on: Option<Date>,
    ) -> Vec<LeadingGroupMembership> {
        let day = on.unwrap_or_else(|| Date::of(ctx.store().clock().now()));
        self.composition.members_on(day).into_iter().map(|member| self.member(member)).collect()
    }
    /// Everybody who was ever appointed, in that order, at most 200 (历任成员).
    async fn memberships(&self) -> Vec<LeadingGroupMembership> {
        self.composition.memberships.iter().map(|member| self.member(member)).collect()
    }
    /// Where its office sits on a day; null when it has none then (办公室).
    async fn office(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today when left out.")] on: Option<Date>,
    ) -> Option<LeadingGroupSeat> {
        let day = on.unwrap_or_else(|| Date::of(ctx.store().clock().now()));
        self.composition.seat_on(day).map(|seat| self.seat(seat))
    }
    /// Wherever its office was designated to sit, in that order, at most 100 (办公室沿革).
    async fn offices(&self) -> Vec<LeadingGroupSeat> {
        self.composition.seats.iter().map(|seat| self.seat(seat)).collect()
    }
}

connection!(LeadingGroup, LeadingGroupConnection, LeadingGroupEdge, "leading groups");

/// Which leading groups; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct LeadingGroupWhere {
    /// Established for this plan.
    pub plan: Option<Id<plan::Plan>>,
    /// Where they stand.
    pub status: Option<Vec<LeadingGroupStatus>>,
    /// Of this region and all inside it.
    pub region: Option<RegionCode>,
    /// Of which this unit was ever a member, or in which their office ever sat.
    pub unit: Option<Id<unit::Unit>>,
    /// Part of the name or the document, at most 100 characters.
    pub text: Option<String>,
}

/// What leading groups are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum LeadingGroupOrderField {
    /// By the time they were recorded here.
    Created,
    /// By name.
    Name,
    /// By region.
    Region,
}

/// An order of leading groups.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct LeadingGroupOrder {
    /// By what.
    pub field: LeadingGroupOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<LeadingGroupOrder>) -> By {
    let usual = LeadingGroupOrder { field: LeadingGroupOrderField::Region, direction: OrderDirection::Asc };
    let order = order.unwrap_or(usual);
    match order.field {
        LeadingGroupOrderField::Created => By::column("id", Holds::Key),
        LeadingGroupOrderField::Name => By::column("name", Holds::Text),
        LeadingGroupOrderField::Region => By::column("region_code", Holds::Text),
    }
    .directed(order.direction)
}

/// A page of the leading groups that `own` and `wanted` admit.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub async fn list(
    ctx: &Context<'_>,
    own: Condition,
    wanted: Option<LeadingGroupWhere>,
    order_by: Option<LeadingGroupOrder>,
    paging: Paging,
) -> Result<LeadingGroupConnection> {
    let wanted = wanted.unwrap_or_default();
    let filter = own
        .has("plan_id", wanted.plan)
        .one_of("status", wanted.status)?
        .in_region(wanted.region)
        .names(wanted.unit.map(Id::uuid), &[MEMBER, SEAT])
        .containing(&["name", "document"], wanted.text.as_ref())?;
    Ok(LeadingGroupConnection(page(ctx, filter, order(order_by), paging).await?))
}

/// Questions about leading groups.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "LeadingGroupQueries")]
impl Queries {
    /// The leading group with this id.
    async fn leading_group(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Its id.")] id: Id<Domain>,
    ) -> Result<Option<Found<LeadingGroup>>> {
        ctx.load(id).await
    }

    /// Leading groups of all regions, by region unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn leading_groups(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<LeadingGroupWhere>,
        #[graphql(desc = "In which order.")] order_by: Option<LeadingGroupOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<LeadingGroupConnection> {
        list(ctx, Condition::all(), r#where, order_by, Paging { first, after, last, before }).boxed().await
    }
}

mutations! {
    LeadingGroup, LeadingGroupPayload { leading_group } "LeadingGroupMutations":
    /// Establishes a leading group (成立领导小组).
    establish_leading_group(EstablishLeadingGroup);
    /// Says in which unit its office sits, from a day on (设立办公室).
    designate_leading_group_office(DesignateLeadingGroupOffice);
    /// Appoints a member: a unit, a person, or a person for a unit (任命成员).
    appoint_leading_group_member(AppointLeadingGroupMember);
    /// Releases a member (免去成员).
    release_leading_group_member(ReleaseLeadingGroupMember);
    /// Renames a leading group (更名).
    rename_leading_group(RenameLeadingGroup);
    /// Dissolves a leading group: all memberships end with its last day (撤销领导小组).
    dissolve_leading_group(DissolveLeadingGroup);
}
