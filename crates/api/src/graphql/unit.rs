//! Units, as the API shows and takes them.
use async_graphql::{ComplexObject, Context, Enum, InputObject, Object, Result};
use sea_query::Condition;
use sqlx::types::Json;
use zhixing_domain::{
    Id, RegionCode, Viewer,
    id::Key,
    organisation::unit::{
        AddUnitAliases, DissolveUnit, MergeUnit, RegisterUnit, RenameUnit, SetUnitMembers, Unit as Domain,
        UnitEvent as Event, UnitKind, UnitStatus,
    },
};
use zhixing_event_store::Link;

use super::{
    found::{All, Found},
    command::mutations,
    connection::{By, Holds, Narrow, OrderDirection, Paging, connection, page},
    context::Ask,
    due_item::Desk,
    region::Region,
    view::{Fold, Life, Visible, Wanted, view},
};

view! {
    /// An authority, institution or enterprise that answers for tasks, or an open group of such (单位).
    pub struct Unit of Domain, in "units" {
        /// Where it stands.
        status: UnitStatus,
        /// The region whose unit it is.
        region_code: RegionCode,
        /// The short name used in documents.
        name: String,
        /// What sort of unit it is.
        kind: UnitKind,
        /// The full name of its time.
        official_name: Option<String>,
        #[graphql(skip)]
        aliases: Json<Vec<String>>,
        #[graphql(skip)]
        member_ids: Json<Vec<Id<Domain>>>,
        #[graphql(skip)]
        merged_into_id: Option<Key<Domain>>,
        /// A remark.
        note: Option<String>,
    }
}

/// As what a group names its members.
pub const MEMBER: &str = "member";

impl Fold for Unit {
    type Of = Domain;

    fn born(event: &Event, life: Life<Domain>) -> Option<Self> {
        let Event::Registered { name, kind, region_code, official_name, aliases, note } = event else { return None };
        Some(Self {
            life,
            status: UnitStatus::Active,
            region_code: *region_code,
            name: name.clone(),
            kind: *kind,
            official_name: official_name.clone(),
            aliases: Json(aliases.clone()),
            member_ids: Json(Vec::new()),
            merged_into_id: None,
            note: note.clone(),
        })
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Registered { .. } | Event::Dissolved { .. } => {}
            Event::Renamed { name, official_name, former_name, .. } => {
                self.aliases.retain(|alias| alias != name);
                self.aliases.push(former_name.clone());
                self.name.clone_from(name);
                self.official_name.clone_from(official_name);
            }
            Event::AliasesAdded { aliases } => self.aliases.extend_from_slice(aliases),
            Event::MembersSet { members } => self.member_ids = Json(members.clone()),
            Event::Merged { into, .. } => self.merged_into_id = Some(Key(*into)),
        }
    }

    fn names(&self) -> Vec<Link> {
        self.member_ids.iter().map(|id| Link { relation: MEMBER, target_id: id.uuid() }).collect()
    }
}

impl Visible for Unit {
    const RELATIONS: &'static [&'static str] = &["members", "mergedInto"];

    fn related(&self, relation: &str, wanted: &mut Wanted) {
        match relation {
            "members" => wanted.units.extend(self.member_ids.iter().map(|id| id.uuid())),
            "mergedInto" => wanted.units.extend(self.merged_into_id.map(|id| id.0.uuid())),
            _ => {}
        }
    }

    fn seen_by(_: &Viewer) -> Condition {
        // Who answers for what is public.
        Condition::all()
    }
}

#[ComplexObject]
impl Unit {
    /// The region whose unit it is.
    async fn region(&self) -> Option<Region> {
        Region::find(self.region_code)
    }
    /// Other forms of the name, former names among them.
    async fn aliases(&self) -> &[String] {
        &self.aliases
    }
    /// Whether it stands for an open set of units.
    async fn is_group(&self) -> bool {
        self.kind.is_group()
    }
    /// The members of a group, as far as they are known.
    async fn members(&self, ctx: &Context<'_>) -> Result<All<Unit>> {
        ctx.load_all(&self.member_ids).await.map(All::from)
    }
    /// What lies on its desk today (本单位工作台).
    async fn desk(&self) -> Desk {
        Desk::of(self.life.id.0)
    }
    /// The unit that it was merged into.
    async fn merged_into(&self, ctx: &Context<'_>) -> Result<Option<Found<Unit>>> {
        match self.merged_into_id {
            Some(id) => ctx.load(id.0).await,
            None => Ok(None),
        }
    }
}

connection!(Unit, UnitConnection, UnitEdge, "units");

/// Which units; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct UnitWhere {
    /// Where they stand.
    pub status: Option<Vec<UnitStatus>>,
    /// What sort they are.
    pub kind: Option<Vec<UnitKind>>,
    /// The region itself and all inside it.
    pub region: Option<RegionCode>,
    /// The exact short name.
    pub name: Option<String>,
    /// Part of the name, the full name or an alias, at most 100 characters.
    pub text: Option<String>,
}

/// What units are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum UnitOrderField {
    /// By time of registration.
    Created,
    /// By name.
    Name,
    /// By region.
    Region,
}

/// An order of units.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct UnitOrder {
    /// By what.
    pub field: UnitOrderField,
    /// In which direction.
    #[graphql(default_with = "OrderDirection::Asc")]
    pub direction: OrderDirection,
}

fn order(order: Option<UnitOrder>) -> By {
    let order = order.unwrap_or(UnitOrder { field: UnitOrderField::Name, direction: OrderDirection::Asc });
    match order.field {
        UnitOrderField::Created => By::column("id", Holds::Key),
        UnitOrderField::Name => By::column("name", Holds::Text),
        UnitOrderField::Region => By::column("region_code", Holds::Text),
    }
    .directed(order.direction)
}

/// Questions about units.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "UnitQueries")]
impl Queries {
    /// The unit with this id.
    async fn unit(&self, ctx: &Context<'_>, #[graphql(desc = "Its id.")] id: Id<Domain>) -> Result<Option<Found<Unit>>> {
        ctx.load(id).await
    }

    /// Units, by name unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a Relay connection")]
    async fn units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")]
        r#where: Option<UnitWhere>,
        #[graphql(desc = "In which order.")]
        order_by: Option<UnitOrder>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<UnitConnection> {
        let wanted = r#where.unwrap_or_default();
        let filter = Condition::all()
            .one_of("status", wanted.status)?
            .one_of("kind", wanted.kind)?
            .in_region(wanted.region)
            .has("name", wanted.name)
            .containing(&["name", "official_name", "aliases"], wanted.text.as_ref())?;
        let paging = Paging { first, after, last, before };
        Ok(UnitConnection(page(ctx, filter, order(order_by), paging).await?))
    }
}

mutations! {
    Unit, UnitPayload { unit } "UnitMutations":
    /// Registers a unit (登记单位).
    register_unit(RegisterUnit);
    /// Renames a unit; the old name stays an alias (更名).
    rename_unit(RenameUnit);
    /// Adds other forms of a unit's name (增加别名).
    add_unit_aliases(AddUnitAliases);
    /// Says which units belong to a group (确定成员单位).
    set_unit_members(SetUnitMembers);
    /// Merges a unit into another (并入).
    merge_unit(MergeUnit);
    /// Ends a unit without successor (撤销).
    dissolve_unit(DissolveUnit);
}
