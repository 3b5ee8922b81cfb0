//! A unit (单位): an authority, institution or enterprise that answers for tasks, or an open group of such.
//!
//! Short names repeat across provinces (省质监局), so a unit is unique by region and name. Units are renamed and merged
//! by institutional reform; old documents keep the old name, which stays an alias.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    policy::By,
    text,
};

vocabulary! {
    /// What sort of unit it is (单位类别). `…_GROUP` are open sets whose members a document does not list.
    pub enum UnitKind {
        Government = "GOVERNMENT", "人民政府";
        GovernmentGroup = "GOVERNMENT_GROUP", "各级人民政府（集合）";
        Department = "DEPARTMENT", "政府部门";
        DepartmentGroup = "DEPARTMENT_GROUP", "有关部门（集合）";
        InternalOffice = "INTERNAL_OFFICE", "内设处室";
        PublicInstitution = "PUBLIC_INSTITUTION", "事业单位";
        TechnicalInstitution = "TECHNICAL_INSTITUTION", "技术机构";
        TechnicalInstitutionGroup = "TECHNICAL_INSTITUTION_GROUP", "技术机构（集合）";
        LeadingGroup = "LEADING_GROUP", "领导小组";
        LeadingGroupOffice = "LEADING_GROUP_OFFICE", "领导小组办公室";
        LeadingGroupMemberGroup = "LEADING_GROUP_MEMBER_GROUP", "领导小组成员单位（集合）";
        Committee = "COMMITTEE", "委员会";
        CommitteeOffice = "COMMITTEE_OFFICE", "委员会办公室";
        CommitteeMemberGroup = "COMMITTEE_MEMBER_GROUP", "委员会成员单位（集合）";
        StandardsCommitteeGroup = "STANDARDS_COMMITTEE_GROUP", "标准化技术委员会（集合）";
        CentralAgency = "CENTRAL_AGENCY", "中央机关";
        CentralInstitution = "CENTRAL_INSTITUTION", "中央机构";
        CentralVerticalAgency = "CENTRAL_VERTICAL_AGENCY", "中央垂直管理机构";
        PartyOrgan = "PARTY_ORGAN", "党委机关";
        PeoplesOrganisation = "PEOPLES_ORGANISATION", "人民团体";
        Procuratorate = "PROCURATORATE", "检察机关";
        Enterprise = "ENTERPRISE", "企业";
        EnterpriseGroup = "ENTERPRISE_GROUP", "企业（集合）";
        IndustrialPark = "INDUSTRIAL_PARK", "产业园区";
        UnitGroup = "UNIT_GROUP", "有关单位（集合）";
    }
}

impl UnitKind {
    /// Whether it stands for an open set of units.
    pub fn is_group(self) -> bool {
        self.as_str().ends_with("_GROUP") && self != Self::LeadingGroup
    }
}

vocabulary! {
    /// Where a unit stands (单位状态).
    pub enum UnitStatus {
        Active = "ACTIVE", "存续";
        Merged = "MERGED", "已并入";
        Dissolved = "DISSOLVED", "已撤销";
    }
}
status!(UnitStatus);
use UnitStatus::{Active, Dissolved, Merged};

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice), By::InRegion(Role::Administrator)];
const LIFE: Step<UnitStatus> = Step {
    action: "",
    term: "",
    from: &[Active],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<UnitStatus>] = &[
    Step { action: "registerUnit", term: "登记单位", from: &[], to: To::State(Active), ..LIFE },
    Step { action: "renameUnit", term: "更名", requires: &[Requirement::Reason], ..LIFE },
    Step { action: "addUnitAliases", term: "增加别名", ..LIFE },
    Step { action: "setUnitMembers", term: "确定成员单位", ..LIFE },
    Step {
        action: "mergeUnit",
        term: "并入",
        to: To::State(Merged),
        requires: &[Requirement::Reason],
        ..LIFE
    },
    Step {
        action: "dissolveUnit",
        term: "撤销",
        to: To::State(Dissolved),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a unit.
    UnitCommand {
        create RegisterUnit = "registerUnit";
        on RenameUnit = "renameUnit" (reason);
        on AddUnitAliases = "addUnitAliases";
        on SetUnitMembers = "setUnitMembers";
        on MergeUnit = "mergeUnit" (reason);
        on DissolveUnit = "dissolveUnit" (reason);
    }
}

/// Registers a unit (登记单位). Unique by region and name.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RegisterUnit {
    /// The short form used in documents, at most 100 characters (简称).
    pub name: String,
    /// What sort of unit it is.
    pub kind: UnitKind,
    /// The region whose unit it is.
    pub region_code: RegionCode,
    /// The full name of its time, at most 200 characters (全称).
    pub official_name: Option<String>,
    /// Other forms of the name, at most 200 (别名).
    #[cfg_attr(feature = "graphql", graphql(default))]
    pub aliases: Vec<String>,
    /// A remark.
    pub note: Option<String>,
}

/// Renames a unit (更名); the old name stays an alias.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RenameUnit {
    /// The unit.
    pub id: Id<Unit>,
    /// The new short name.
    pub name: String,
    /// The new full name.
    pub official_name: Option<String>,
    /// Why, such as the document of the reform.
    pub reason: String,
}

/// Adds other forms of a unit's name (别名).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AddUnitAliases {
    /// The unit.
    pub id: Id<Unit>,
    /// The names to add; known ones are passed over.
    pub aliases: Vec<String>,
}

/// Says which units belong to a group (成员单位). Replaces the former list.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct SetUnitMembers {
    /// The group.
    pub id: Id<Unit>,
    /// Its members, at most 200.
    pub member_ids: Vec<Id<Unit>>,
}

/// Merges a unit into another (并入). Its tasks are transferred by commands of their own.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct MergeUnit {
    /// The unit that ends.
    pub id: Id<Unit>,
    /// The unit that goes on.
    pub into_id: Id<Unit>,
    /// Why, such as the document of the reform.
    pub reason: String,
}

/// Ends a unit without successor (撤销).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DissolveUnit {
    /// The unit.
    pub id: Id<Unit>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a unit.
    pub enum UnitEvent {
        /// 单位已登记
        Registered {
            name: String,
            kind: UnitKind,
            region_code: RegionCode,
            official_name: Option<String>,
            aliases: Vec<String>,
            note: Option<String>,
        },
        /// 单位已更名
        Renamed { name: String, official_name: Option<String>, former_name: String, reason: String },
        /// 单位别名已增加
        AliasesAdded { aliases: Vec<String> },
        /// 成员单位已确定
        MembersSet { members: Vec<Id<Unit>> },
        /// 单位已并入
        Merged { into: Id<Unit>, reason: String },
        /// 单位已撤销
        Dissolved { reason: String },
    }
}

impl UnitEvent {
    /// Where the unit stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<UnitStatus> {
        match self {
            Self::Registered { .. } => Some(Active),
            Self::Merged { .. } => Some(Merged),
            Self::Dissolved { .. } => Some(Dissolved),
            Self::Renamed { .. } | Self::AliasesAdded { .. } | Self::MembersSet { .. } => None,
        }
    }
}

/// What a unit must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Unit {
    status: Option<UnitStatus>,
    kind: Option<UnitKind>,
    name: String,
    region: Option<RegionCode>,
    aliases: Vec<String>,
}

/// Most other names of one unit.
const MOST_ALIASES: usize = text::LIST;

impl Unit {
    /// The claim of a name: units are unique by region and name.
    pub const NAME: &'static str = "unit.name";
    /// The key of that claim.
    pub fn name_key(region: RegionCode, name: &str) -> String {
        format!("{region}|{name}")
    }
    /// That a unit which a command names still exists.
    pub(crate) fn check_active(field: &str, unit: Id<Self>, facts: &Facts) -> Result<(), Rejection> {
        match facts.object(unit.uuid()) {
            Some(fact) if fact.status != Active.as_str() => {
                Err(Rejection::invalid(field, "no longer exists as a unit"))
            }
            _ => Ok(()),
        }
    }
    fn unknown(&self, names: &[String]) -> Vec<String> {
        let mut fresh: Vec<String> = Vec::new();
        for name in names.iter().filter(|name| **name != self.name && !self.aliases.contains(*name)) {
            if !fresh.contains(name) {
                fresh.push(name.clone());
            }
        }
        fresh
    }
}

impl Aggregate for Unit {
    const KIND: Kind = Kind::Unit;
    type Status = UnitStatus;
    type Command = UnitCommand;
    type Event = UnitEvent;
    const STEPS: &'static [Step<UnitStatus>] = STEPS;

    fn status(&self) -> Option<UnitStatus> {
        self.status
    }

    fn subject(&self, command: Option<&UnitCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(UnitCommand::RegisterUnit(unit)) => Some(unit.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &UnitCommand) -> Vec<Need> {
        let unit = |id: &Id<Self>, field: String| Need::Object { kind: Kind::Unit, id: id.uuid(), field };
        match command {
            UnitCommand::SetUnitMembers(command) => {
                let members = command.member_ids.iter().take(text::LIST).enumerate();
                members.map(|(at, id)| unit(id, format!("memberIds[{at}]"))).collect()
            }
            UnitCommand::MergeUnit(command) => vec![unit(&command.into_id, "intoId".into())],
            _ => Vec::new(),
        }
    }

    fn decide(&self, command: UnitCommand, context: &Context<'_>) -> Result<Vec<UnitEvent>, Rejection> {
        Ok(vec![match command {
            UnitCommand::RegisterUnit(RegisterUnit {
                name,
                kind,
                region_code,
                official_name,
                aliases,
                note,
            }) => {
                text::required("name", &name, text::SHORT)?;
                text::maybe("officialName", official_name.as_ref(), text::TITLE)?;
                text::list("aliases", &aliases, text::SHORT)?;
                text::maybe("note", note.as_ref(), text::LONG)?;
                let aliases = Self { name: name.clone(), ..Self::default() }.unknown(&aliases);
                UnitEvent::Registered { name, kind, region_code, official_name, aliases, note }
            }
            UnitCommand::RenameUnit(RenameUnit { name, official_name, reason, .. }) => {
                text::required("name", &name, text::SHORT)?;
                text::maybe("officialName", official_name.as_ref(), text::TITLE)?;
                text::required("reason", &reason, text::LONG)?;
                if name == self.name {
                    return Err(Rejection::invalid("name", "is the present name"));
                }
                if self.aliases.len() >= MOST_ALIASES {
                    let message = format!("the old name would be one alias more than {MOST_ALIASES}");
                    return Err(Rejection::rule("aliases-are-bounded", message, None));
                }
                UnitEvent::Renamed { name, official_name, former_name: self.name.clone(), reason }
            }
            UnitCommand::AddUnitAliases(AddUnitAliases { aliases, .. }) => {
                text::list("aliases", &aliases, text::SHORT)?;
                let aliases = self.unknown(&aliases);
                if self.aliases.len() + aliases.len() > MOST_ALIASES {
                    return Err(Rejection::invalid(
                        "aliases",
                        format!("a unit has at most {MOST_ALIASES} aliases"),
                    ));
                }
                if aliases.is_empty() {
                    return Ok(Vec::new());
                }
                UnitEvent::AliasesAdded { aliases }
            }
            UnitCommand::SetUnitMembers(SetUnitMembers { id, member_ids }) => {
                text::count("memberIds", member_ids.len())?;
                if !self.kind.is_some_and(UnitKind::is_group) {
                    return Err(Rejection::rule(
                        "only-groups-have-members",
                        "only a group of units has members",
                        None,
                    ));
                }
                let mut members: Vec<Id<Self>> = Vec::with_capacity(member_ids.len());
                for (at, member) in member_ids.into_iter().enumerate() {
                    if member == id || members.contains(&member) {
                        return Err(Rejection::invalid(
                            format!("memberIds[{at}]"),
                            "is the group itself or stands twice",
                        ));
                    }
                    members.push(member);
                }
                UnitEvent::MembersSet { members }
            }
            UnitCommand::MergeUnit(MergeUnit { id, into_id, reason }) => {
                text::required("reason", &reason, text::LONG)?;
                if into_id == id {
                    return Err(Rejection::invalid("intoId", "is the unit itself"));
                }
                if context.facts.object(into_id.uuid()).is_some_and(|unit| unit.status != Active.as_str()) {
                    return Err(Rejection::invalid("intoId", "no longer exists as a unit"));
                }
                UnitEvent::Merged { into: into_id, reason }
            }
            UnitCommand::DissolveUnit(DissolveUnit { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                UnitEvent::Dissolved { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &UnitEvent, _: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            UnitEvent::Registered { name, kind, region_code, aliases, .. } => {
                self.name.clone_from(name);
                self.kind = Some(*kind);
                self.region = Some(*region_code);
                self.aliases.clone_from(aliases);
            }
            UnitEvent::Renamed { name, former_name, .. } => {
                self.aliases.retain(|alias| alias != name);
                self.aliases.push(former_name.clone());
                self.name.clone_from(name);
            }
            UnitEvent::AliasesAdded { aliases } => self.aliases.extend_from_slice(aliases),
            UnitEvent::MembersSet { .. } | UnitEvent::Merged { .. } | UnitEvent::Dissolved { .. } => {}
        }
    }

    fn claims(&self, event: &UnitEvent) -> Vec<Claim> {
        match event {
            UnitEvent::Registered { name, region_code, .. } => {
                vec![Claim::take(Self::NAME, Self::name_key(*region_code, name), "name")]
            }
            // The former name stays taken, as does the name of a unit that ended: old documents mean this unit.
            UnitEvent::Renamed { name, .. } => {
                let region = self.region.unwrap_or(RegionCode::COUNTRY);
                vec![Claim::take(Self::NAME, Self::name_key(region, name), "name")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{given, office};
    use uuid::Uuid;

    fn registered() -> (&'static str, UnitEvent) {
        let event = UnitEvent::Registered {
            name: "省质监局".into(),
            kind: UnitKind::Department,
            region_code: "430000".parse().unwrap(),
            official_name: None,
            aliases: vec!["省局".into()],
            note: None,
        };
        ("ann", event)
    }
    fn id() -> Id<Unit> {
        Id::new(Uuid::nil())
    }

    #[test]
    fn a_renamed_unit_keeps_its_old_name_as_an_alias_and_frees_it_for_nobody_else() {
        let rename = |name: &str| RenameUnit {
            id: id(),
            name: name.into(),
            official_name: None,
            reason: "机构改革".into(),
        };
        let renamed = UnitEvent::Renamed {
            name: "省市场监管局".into(),
            official_name: None,
            former_name: "省质监局".into(),
            reason: "机构改革".into(),
        };
        given::<Unit>([registered()]).when(&office("ann"), rename("省市场监管局")).then([renamed.clone()]);
        let mut unit = Unit::default();
        let stamp = Stamp { actor: "ann".into(), at: chrono::DateTime::UNIX_EPOCH };
        unit.evolve(&registered().1, &stamp);
        let claims = unit.claims(&renamed);
        assert!(
            claims.iter().all(|claim| claim.held) && claims[0].key == "430000|省市场监管局",
            "{claims:?}"
        );
        unit.evolve(&renamed, &stamp);
        assert_eq!(unit.aliases, ["省局", "省质监局"]);
        given::<Unit>([registered()]).when(&office("ann"), rename("省质监局")).then_rejected("INVALID_INPUT");
    }

    #[test]
    fn known_aliases_are_passed_over() {
        given::<Unit>([registered()])
            .when(
                &office("ann"),
                AddUnitAliases { id: id(), aliases: vec!["省局".into(), "省质监局".into()] },
            )
            .then([]);
    }

    #[test]
    fn only_a_group_has_members_and_an_ended_unit_does_nothing() {
        let members = SetUnitMembers { id: id(), member_ids: vec![] };
        given::<Unit>([registered()]).when(&office("ann"), members.clone()).then_rejected("RULE_VIOLATION");
        let ended = ("ann", UnitEvent::Dissolved { reason: "撤销".into() });
        given::<Unit>([registered(), ended])
            .when(&office("ann"), members)
            .then_rejected("NOT_ALLOWED_IN_STATE");
    }
}
