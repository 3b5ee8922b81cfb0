//! A leading group (领导小组): plans, co-ordinates and assesses quality work for the government of a region; its office sits in
//! a unit.
//!
//! Who led, and who was a member in which post, is asked as of a day, so memberships and designations have days. It is public
//! information of the government (政府信息公开).
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    programme::plan::Plan,
    text,
};

vocabulary! {
    /// Where a leading group stands (领导小组状态).
    pub enum LeadingGroupStatus {
        Established = "ESTABLISHED", "已成立";
        Dissolved = "DISSOLVED", "已撤销";
    }
}
status!(LeadingGroupStatus);
use LeadingGroupStatus::{Dissolved, Established};

vocabulary! {
    /// As what somebody belongs to a leading group (职务).
    pub enum LeadingGroupPost {
        Head = "HEAD", "组长";
        DeputyHead = "DEPUTY_HEAD", "副组长";
        Member = "MEMBER", "成员";
        OfficeDirector = "OFFICE_DIRECTOR", "办公室主任";
        LiaisonOfficer = "LIAISON_OFFICER", "联络员";
    }
}

const OFFICE: &[By] = &[By::InRegion(Role::LeadingGroupOffice), By::InRegion(Role::Administrator)];
const LIFE: Step<LeadingGroupStatus> = Step {
    action: "",
    term: "",
    from: &[Established],
    to: To::Same,
    by: OFFICE,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<LeadingGroupStatus>] = &[
    Step {
        action: "establishLeadingGroup",
        term: "成立领导小组",
        from: &[],
        to: To::State(Established),
        ..LIFE
    },
    Step { action: "designateLeadingGroupOffice", term: "设立办公室", ..LIFE },
    Step { action: "appointLeadingGroupMember", term: "任命成员", ..LIFE },
    Step {
        action: "releaseLeadingGroupMember", term: "免去成员", requires: &[Requirement::Reason], ..LIFE
    },
    Step { action: "renameLeadingGroup", term: "更名", requires: &[Requirement::Reason], ..LIFE },
    Step {
        action: "dissolveLeadingGroup",
        term: "撤销领导小组",
        to: To::State(Dissolved),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a leading group.
    LeadingGroupCommand {
        create EstablishLeadingGroup = "establishLeadingGroup";
        on DesignateLeadingGroupOffice = "designateLeadingGroupOffice";
        on AppointLeadingGroupMember = "appointLeadingGroupMember";
        on ReleaseLeadingGroupMember = "releaseLeadingGroupMember" (reason);
        on RenameLeadingGroup = "renameLeadingGroup" (reason);
        on DissolveLeadingGroup = "dissolveLeadingGroup" (reason);
    }
}

/// Establishes a leading group (成立领导小组). Unique by region and name while it stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct EstablishLeadingGroup {
    /// Its name, at most 100 characters, such as 质量强省工作领导小组.
    pub name: String,
    /// The region whose government establishes it.
    pub region_code: RegionCode,
    /// The plan that it was established for.
    pub plan_id: Option<Id<Plan>>,
    /// The document that establishes it, at most 200 characters (成立文件).
    pub document: Option<String>,
    /// Its first day: a day that has come.
    pub established_on: Date,
}

/// Says in which unit the group's office sits (设立办公室), from a day on. Later designations follow earlier ones.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DesignateLeadingGroupOffice {
    /// The group.
    pub id: Id<LeadingGroup>,
    /// The unit: it exists today.
    pub unit_id: Id<Unit>,
    /// The first day.
    pub from: Date,
}

/// Appoints a member (任命成员): a unit, or a person, or a person for a unit.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct AppointLeadingGroupMember {
    /// The group.
    pub id: Id<LeadingGroup>,
    /// The unit: it exists today. A person is missing when the unit itself is the member (成员单位).
    pub unit_id: Option<Id<Unit>>,
    /// The person's name, at most 100 characters.
    pub person: Option<String>,
    /// As what.
    pub post: LeadingGroupPost,
    /// The first day.
    pub from: Date,
}

/// Releases a member (免去成员).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseLeadingGroupMember {
    /// The group.
    pub id: Id<LeadingGroup>,
    /// Number of the membership.
    pub number: i32,
    /// The last day.
    pub until: Date,
    /// Why.
    pub reason: String,
}

/// Renames a leading group (更名).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RenameLeadingGroup {
    /// The group.
    pub id: Id<LeadingGroup>,
    /// The new name, at most 100 characters.
    pub name: String,
    /// Why, such as the document that says so.
    pub reason: String,
}

/// Dissolves a leading group (撤销领导小组): all memberships end with its last day.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct DissolveLeadingGroup {
    /// The group.
    pub id: Id<LeadingGroup>,
    /// Its last day: a day that has come.
    pub until: Date,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a leading group.
    pub enum LeadingGroupEvent {
        /// 领导小组已成立
        Established {
            name: String,
            region_code: RegionCode,
            plan_id: Option<Id<Plan>>,
            document: Option<String>,
            established_on: Date,
        },
        /// 办公室已设立
        OfficeDesignated { unit_id: Id<Unit>, from: Date },
        /// 成员已任命
        MemberAppointed {
            /// Number of the membership in the group, from 1.
            number: i32,
            unit_id: Option<Id<Unit>>,
            person: Option<String>,
            post: LeadingGroupPost,
            from: Date,
        },
        /// 成员已免去
        MemberReleased { number: i32, until: Date, reason: String },
        /// 领导小组已更名
        Renamed { name: String, former_name: String, reason: String },
        /// 领导小组已撤销
        Dissolved { until: Date, reason: String },
    }
}

impl LeadingGroupEvent {
    /// Where the group stands after this event; `None` when it stays.
    pub const fn status(&self) -> Option<LeadingGroupStatus> {
        match self {
            Self::Established { .. } => Some(Established),
            Self::Dissolved { .. } => Some(Dissolved),
            Self::OfficeDesignated { .. }
            | Self::MemberAppointed { .. }
            | Self::MemberReleased { .. }
            | Self::Renamed { .. } => None,
        }
    }
}

/// Who belongs to a group, as what, on which days (成员任职).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Its number in the group, from 1.
    pub number: i32,
    /// The unit.
    pub unit_id: Option<Id<Unit>>,
    /// The person.
    pub person: Option<String>,
    /// As what.
    pub post: LeadingGroupPost,
    /// The first day.
    pub from: Date,
    /// The last day; none while it goes on, or when it ended with the group.
    pub until: Option<Date>,
    /// Why it ended before the group did.
    pub reason: Option<String>,
}

impl Membership {
    /// Whether it holds on this day.
    pub fn holds_on(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|until| day <= until)
    }
    fn overlaps(&self, other: &Self) -> bool {
        self.until.is_none_or(|until| other.from <= until)
            && other.until.is_none_or(|until| self.from <= until)
    }
    fn is_of_the_same(&self, other: &Self) -> bool {
        (self.unit_id, &self.person) == (other.unit_id, &other.person)
    }
}

/// In which unit the office sits, from a day on (办公室设立).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The unit.
    pub unit_id: Id<Unit>,
    /// The first day.
    pub from: Date,
}

/// What has been said of a group's office and members, each in the order in which it was said (领导小组构成).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Composition {
    /// Where its office sat, the first seat first.
    pub seats: Vec<Seat>,
    /// Everybody who was ever appointed.
    pub memberships: Vec<Membership>,
    /// The last day of the group.
    pub until: Option<Date>,
}

impl Composition {
    /// What the event changes.
    pub fn evolve(&mut self, event: &LeadingGroupEvent) {
        match event {
            LeadingGroupEvent::OfficeDesignated { unit_id, from } => {
                self.seats.push(Seat { unit_id: *unit_id, from: *from });
            }
            LeadingGroupEvent::MemberAppointed { number, unit_id, person, post, from } => {
                self.memberships.push(Membership {
                    number: *number,
                    unit_id: *unit_id,
                    person: person.clone(),
                    post: *post,
                    from: *from,
                    until: None,
                    reason: None,
                });
            }
            LeadingGroupEvent::MemberReleased { number, until, reason } => {
                let mut known = self.memberships.iter_mut();
                if let Some(membership) = known.find(|membership| membership.number == *number) {
                    membership.until = Some(*until);
                    membership.reason = Some(reason.clone());
                }
            }
            LeadingGroupEvent::Dissolved { until, .. } => self.until = Some(*until),
            LeadingGroupEvent::Established { .. } | LeadingGroupEvent::Renamed { .. } => {}
        }
    }
    fn stands_on(&self, day: Date) -> bool {
        self.until.is_none_or(|until| day <= until)
    }
    /// Who belongs to it on this day, in the order of posts. With the group all memberships end.
    pub fn members_on(&self, day: Date) -> Vec<&Membership> {
        let holds = |membership: &&Membership| self.stands_on(day) && membership.holds_on(day);
        let mut members: Vec<&Membership> = self.memberships.iter().filter(holds).collect();
        members.sort_by_key(|membership| (membership.post, membership.number));
        members
    }
    /// Where its office sits on this day.
    pub fn seat_on(&self, day: Date) -> Option<&Seat> {
        self.seats.iter().rev().find(|seat| self.stands_on(day) && seat.from <= day)
    }
}

/// Most memberships of one group, those that ended too.
const MOST_MEMBERSHIPS: usize = 200;
/// Most units that an office sits in, one after the other.
const MOST_SEATS: usize = 100;

/// What a leading group must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LeadingGroup {
    status: Option<LeadingGroupStatus>,
    name: String,
    region: Option<RegionCode>,
    established_on: Option<Date>,
    composition: Composition,
}

impl LeadingGroup {
    /// The claim of a name in a region; given back when the group is dissolved.
    pub const NAME: &'static str = "leadingGroup.name";

    fn key(&self, name: &str) -> String {
        format!("{}|{name}", self.region.unwrap_or(RegionCode::COUNTRY))
    }

    fn check_from(&self, from: Date) -> Result<(), Rejection> {
        if self.established_on.is_some_and(|first| from < first) {
            return Err(Rejection::invalid("from", "lies before the first day of the group"));
        }
        Ok(())
    }

    fn appoint(
        &self,
        command: AppointLeadingGroupMember,
        facts: &Facts,
    ) -> Result<LeadingGroupEvent, Rejection> {
        let AppointLeadingGroupMember { unit_id, person, post, from, .. } = command;
        text::maybe("person", person.as_ref(), text::SHORT)?;
        match unit_id {
            Some(unit) => Unit::check_active("unitId", unit, facts)?,
            None if person.is_none() => {
                return Err(Rejection::invalid("person", "names nobody, and no unit is named"));
            }
            None => {}
        }
        self.check_from(from)?;
        let known = &self.composition.memberships;
        if known.len() >= MOST_MEMBERSHIPS {
            let message = format!("a leading group has at most {MOST_MEMBERSHIPS} memberships");
            return Err(Rejection::rule("memberships-are-bounded", message, None));
        }
        let number = i32::try_from(known.len() + 1).unwrap_or(i32::MAX);
        let new = Membership { number, unit_id, person, post, from, until: None, reason: None };
        let mut same_post = known.iter().filter(|other| other.post == post && other.overlaps(&new));
        if post == LeadingGroupPost::Head
            && let Some(head) = same_post.clone().next()
        {
            let message = format!("membership {} is the head then: release it first", head.number);
            return Err(Rejection::rule("one-head-at-a-time", message, None));
        }
        if let Some(same) = same_post.find(|other| other.is_of_the_same(&new)) {
            let message = format!("membership {} is in this post then", same.number);
            return Err(Rejection::rule("memberships-do-not-overlap", message, None));
        }
        let Membership { unit_id, person, .. } = new;
        Ok(LeadingGroupEvent::MemberAppointed { number, unit_id, person, post, from })
    }

    fn release(&self, command: ReleaseLeadingGroupMember) -> Result<LeadingGroupEvent, Rejection> {
        let ReleaseLeadingGroupMember { number, until, reason, .. } = command;
        text::required("reason", &reason, text::LONG)?;
        let mut known = self.composition.memberships.iter();
        let Some(membership) = known.find(|membership| membership.number == number) else {
            return Err(Rejection::invalid("number", "is not the number of a membership of this group"));
        };
        if let Some(ended) = membership.until {
            let message = format!("membership {number} ended on {ended}");
            return Err(Rejection::rule("a-membership-ends-once", message, None));
        }
        if until < membership.from {
            return Err(Rejection::invalid("until", "lies before the first day of the membership"));
        }
        Ok(LeadingGroupEvent::MemberReleased { number, until, reason })
    }

    fn dissolve(&self, command: DissolveLeadingGroup, today: Date) -> Result<LeadingGroupEvent, Rejection> {
        let DissolveLeadingGroup { until, reason, .. } = command;
        text::required("reason", &reason, text::LONG)?;
        if until > today {
            return Err(Rejection::invalid("until", "lies in the future"));
        }
        if self.established_on.is_some_and(|first| until < first) {
            return Err(Rejection::invalid("until", "lies before the first day of the group"));
        }
        Ok(LeadingGroupEvent::Dissolved { until, reason })
    }
}

impl Aggregate for LeadingGroup {
    const KIND: Kind = Kind::LeadingGroup;
    type Status = LeadingGroupStatus;
    type Command = LeadingGroupCommand;
    type Event = LeadingGroupEvent;
    const STEPS: &'static [Step<LeadingGroupStatus>] = STEPS;

    fn status(&self) -> Option<LeadingGroupStatus> {
        self.status
    }

    fn subject(&self, command: Option<&LeadingGroupCommand>, _: &Facts) -> Subject {
        let region = match command {
            Some(LeadingGroupCommand::EstablishLeadingGroup(group)) => Some(group.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &LeadingGroupCommand) -> Vec<Need> {
        let unit = |id: Id<Unit>| Need::Object { kind: Kind::Unit, id: id.uuid(), field: "unitId".into() };
        match command {
            LeadingGroupCommand::EstablishLeadingGroup(group) => {
                let plan =
                    |id: Id<Plan>| Need::Object { kind: Kind::Plan, id: id.uuid(), field: "planId".into() };
                group.plan_id.map(plan).into_iter().collect()
            }
            LeadingGroupCommand::DesignateLeadingGroupOffice(office) => vec![unit(office.unit_id)],
            LeadingGroupCommand::AppointLeadingGroupMember(member) => {
                member.unit_id.map(unit).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: LeadingGroupCommand,
        context: &Context<'_>,
    ) -> Result<Vec<LeadingGroupEvent>, Rejection> {
        Ok(vec![match command {
            LeadingGroupCommand::EstablishLeadingGroup(EstablishLeadingGroup {
                name,
                region_code,
                plan_id,
                document,
                established_on,
            }) => {
                text::required("name", &name, text::SHORT)?;
                text::maybe("document", document.as_ref(), text::TITLE)?;
                if established_on > context.today() {
                    return Err(Rejection::invalid("establishedOn", "lies in the future"));
                }
                LeadingGroupEvent::Established { name, region_code, plan_id, document, established_on }
            }
            LeadingGroupCommand::DesignateLeadingGroupOffice(DesignateLeadingGroupOffice {
                unit_id,
                from,
                ..
            }) => {
                Unit::check_active("unitId", unit_id, context.facts)?;
                self.check_from(from)?;
                let seats = &self.composition.seats;
                if let Some(last) = seats.last().filter(|last| from <= last.from) {
                    let reason = format!("is not behind {}, since when it sits where it does", last.from);
                    return Err(Rejection::invalid("from", reason));
                }
                if seats.len() >= MOST_SEATS {
                    let message = format!("an office moves at most {MOST_SEATS} times");
                    return Err(Rejection::rule("seats-are-bounded", message, None));
                }
                LeadingGroupEvent::OfficeDesignated { unit_id, from }
            }
            LeadingGroupCommand::AppointLeadingGroupMember(command) => {
                self.appoint(command, context.facts)?
            }
            LeadingGroupCommand::ReleaseLeadingGroupMember(command) => self.release(command)?,
            LeadingGroupCommand::RenameLeadingGroup(RenameLeadingGroup { name, reason, .. }) => {
                text::required("name", &name, text::SHORT)?;
                text::required("reason", &reason, text::LONG)?;
                if name == self.name {
                    return Err(Rejection::invalid("name", "is the present name"));
                }
                LeadingGroupEvent::Renamed { name, former_name: self.name.clone(), reason }
            }
            LeadingGroupCommand::DissolveLeadingGroup(command) => self.dissolve(command, context.today())?,
        }])
    }

    fn evolve(&mut self, event: &LeadingGroupEvent, _: &Stamp) {
        self.status = event.status().or(self.status);
        match event {
            LeadingGroupEvent::Established { name, region_code, established_on, .. } => {
                self.name.clone_from(name);
                self.region = Some(*region_code);
                self.established_on = Some(*established_on);
            }
            LeadingGroupEvent::Renamed { name, .. } => self.name.clone_from(name),
            _ => self.composition.evolve(event),
        }
    }

    fn claims(&self, event: &LeadingGroupEvent) -> Vec<Claim> {
        match event {
            LeadingGroupEvent::Established { name, region_code, .. } => {
                vec![Claim::take(Self::NAME, format!("{region_code}|{name}"), "name")]
            }
            LeadingGroupEvent::Renamed { name, .. } => vec![
                Claim::release(Self::NAME, self.key(&self.name), "name"),
                Claim::take(Self::NAME, self.key(name), "name"),
            ],
            LeadingGroupEvent::Dissolved { .. } => {
                vec![Claim::release(Self::NAME, self.key(&self.name), "name")]
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
