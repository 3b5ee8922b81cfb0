//! Who may do what to whom: one pure function over roles and scope, used by every door.
use crate::{
    Id, Kind, RegionCode,
    lifecycle::Status,
    organisation::unit::Unit,
    performance::{
        assessment::AssessmentStatus, assessment_scheme::AssessmentSchemeStatus, indicator::IndicatorStatus,
        survey::SurveyStatus,
    },
    programme::{plan::PlanStatus, task::TaskStatus},
};

vocabulary! {
    /// What a person or machine is trusted with (角色).
    pub enum Role {
        LeadingGroupOffice = "LEADING_GROUP_OFFICE", "领导小组办公室";
        UnitOfficer = "UNIT_OFFICER", "单位经办人";
        UnitApprover = "UNIT_APPROVER", "单位审批人";
        Inspector = "INSPECTOR", "检查人员";
        Auditor = "AUDITOR", "审计人员";
        Enterprise = "ENTERPRISE", "企业";
        Integrator = "INTEGRATOR", "系统对接方";
        Administrator = "ADMINISTRATOR", "系统管理员";
        Public = "PUBLIC", "社会公众";
        Scheduler = "SCHEDULER", "调度程序";
    }
}

vocabulary! {
    /// How the viewer proved who they are (认证方式). Every event carries it.
    pub enum AuthenticationMethod {
        Anonymous = "ANONYMOUS", "匿名";
        DevelopmentToken = "DEVELOPMENT_TOKEN", "开发令牌";
        System = "SYSTEM", "系统";
        IdentityProvider = "IDENTITY_PROVIDER", "身份提供方";
        ServiceKey = "SERVICE_KEY", "服务密钥";
    }
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Stable name of the person or machine; it stands on every event they cause.
    pub actor: String,
    /// What they are trusted with.
    pub roles: Vec<Role>,
    /// The unit they work for, first, then the groups of units it belongs to.
    pub units: Vec<Id<Unit>>,
    /// Their authority ends at the borders of this region.
    pub region: RegionCode,
    /// How they proved it.
    pub method: AuthenticationMethod,
}

impl Viewer {
    /// Somebody of whom nothing is known.
    pub fn anonymous() -> Self {
        Self {
            actor: "anonymous".into(),
            roles: vec![Role::Public],
            units: Vec::new(),
            region: RegionCode::COUNTRY,
            method: AuthenticationMethod::Anonymous,
        }
    }
    /// The service's own clock: it announces what days bring about, and may do nothing else.
    pub fn scheduler() -> Self {
        Self { roles: vec![Role::Scheduler], ..Self::system() }
    }
    /// The service itself: imports of sample data at first start.
    pub fn system() -> Self {
        Self {
            actor: "system".into(),
            roles: vec![Role::LeadingGroupOffice, Role::Administrator],
            units: Vec::new(),
            region: RegionCode::COUNTRY,
            method: AuthenticationMethod::System,
        }
    }
    /// Whether they work for the government, as people or as connected systems, and so see what is not public.
    pub fn is_official(&self) -> bool {
        self.roles.iter().any(|role| !matches!(role, Role::Public | Role::Enterprise))
    }
    /// Whether anything is known of them.
    pub fn is_somebody(&self) -> bool {
        self.method != AuthenticationMethod::Anonymous
    }
    fn is_one_of(&self, units: &[Id<Unit>]) -> bool {
        self.units.iter().any(|unit| units.contains(unit))
    }
}

/// What the rules of access need to know of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Where it lies.
    pub region: Option<RegionCode>,
    /// Units that answer for it.
    pub lead_units: Vec<Id<Unit>>,
    /// Units that contribute.
    pub supporting_units: Vec<Id<Unit>>,
    /// Units that it is handed to.
    pub addressees: Vec<Id<Unit>>,
    /// The person whose step must be checked by another (四眼原则).
    pub checked_person: Option<String>,
}

/// One way of being allowed to take a step: a role, within a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The role, over objects inside the viewer's region.
    InRegion(Role),
    /// The role, in a unit that leads.
    InLeadUnit(Role),
    /// The role, in a unit that leads or supports.
    InResponsibleUnit(Role),
    /// The role, in a unit that it is handed to.
    InAddressee(Role),
}

impl By {
    /// The role that is asked for.
    pub const fn role(self) -> Role {
        match self {
            Self::InRegion(role)
            | Self::InLeadUnit(role)
            | Self::InResponsibleUnit(role)
            | Self::InAddressee(role) => role,
        }
    }
    fn admits(self, viewer: &Viewer, subject: &Subject) -> Result<(), &'static str> {
        if !viewer.roles.contains(&self.role()) {
            return Err("needs a role that the viewer does not have");
        }
        let inside = match self {
            Self::InRegion(_) => subject.region.is_none_or(|region| viewer.region.covers(region)),
            Self::InLeadUnit(_) => viewer.is_one_of(&subject.lead_units),
            Self::InResponsibleUnit(_) => {
                viewer.is_one_of(&subject.lead_units) || viewer.is_one_of(&subject.supporting_units)
            }
            Self::InAddressee(_) => viewer.is_one_of(&subject.addressees),
        };
        match self {
            _ if inside => Ok(()),
            Self::InRegion(_) => Err("the object lies outside the viewer's region"),
            Self::InLeadUnit(_) => Err("only a leading unit may do this"),
            Self::InResponsibleUnit(_) => Err("only a leading or supporting unit may do this"),
            Self::InAddressee(_) => Err("only a unit that it is handed to may do this"),
        }
    }
}

/// Whether `viewer` may take a step open to `by` on `subject`.
///
/// # Errors
/// The reason that comes nearest to being allowed.
pub fn may(viewer: &Viewer, by: &[By], subject: &Subject) -> Result<(), &'static str> {
    let mut reason = "needs a role that the viewer does not have";
    for way in by {
        match way.admits(viewer, subject) {
            Ok(()) => return Ok(()),
            Err(why) if viewer.roles.contains(&way.role()) => reason = why,
            Err(_) => {}
        }
    }
    Err(reason)
}

/// To whom objects of a kind are open (公开范围).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// To everybody: who answers for what is public.
    Everybody,
    /// To everybody once published; before, to officials in scope.
    OncePublished,
    /// To officials in scope.
    Officials,
    /// To officials in scope, but not to connected systems.
    Confidential,
    /// To those who keep access: administrators and auditors of the region.
    KeepersOfAccess,
    /// To the systems of the unit that they are of, and to those who keep access.
    ItsSystems,
}

/// To whom objects of this kind are open. A new kind needs a decision here.
pub const fn audience(kind: Kind) -> Audience {
    match kind {
        Kind::Unit | Kind::LeadingGroup => Audience::Everybody,
        Kind::Plan
        | Kind::Task
        | Kind::Indicator
        | Kind::Survey
        | Kind::AssessmentScheme
        | Kind::Assessment => Audience::OncePublished,
        Kind::DataImport | Kind::ReportingDuty | Kind::Report | Kind::SupervisionItem | Kind::LocalPlan => {
            Audience::Officials
        }
        Kind::ViolationReport => Audience::Confidential,
        Kind::RoleGrant | Kind::ServiceKey => Audience::KeepersOfAccess,
        Kind::EventSubscription => Audience::ItsSystems,
    }
}

vocabulary! {
    /// How widely what happens to objects of a kind may be told (知悉范围).
    pub enum Classification {
        Public = "PUBLIC", "公开";
        Internal = "INTERNAL", "内部";
        Confidential = "CONFIDENTIAL", "保密";
    }
}

/// How widely the events of this kind may be told. Of confidential kinds no more leaves for another system than that
/// something happened.
pub const fn classification(kind: Kind) -> Classification {
    match audience(kind) {
        Audience::Everybody | Audience::OncePublished => Classification::Public,
        Audience::Officials => Classification::Internal,
        Audience::Confidential | Audience::KeepersOfAccess | Audience::ItsSystems => {
            Classification::Confidential
        }
    }
}

/// In which states an object of this kind is published (公开状态), if the plan that it belongs to is. With the event that
/// led to one of them last, it became public.
pub fn public_states(kind: Kind) -> Vec<&'static str> {
    fn all_but<S: Status>(draft: &[S]) -> Vec<&'static str> {
        S::all().iter().filter(|state| !draft.contains(state)).map(|state| state.as_str()).collect()
    }
    match kind {
        Kind::Plan => all_but(&[PlanStatus::Draft]),
        Kind::AssessmentScheme => all_but(&[AssessmentSchemeStatus::Draft]),
        // Tasks and indicators are published with their plan, or when they are added to one that is.
        Kind::Task => all_but::<TaskStatus>(&[]),
        Kind::Indicator => all_but::<IndicatorStatus>(&[]),
        // Of the public is the result that nobody can object to any more; what led to it is not.
        Kind::Assessment => vec![AssessmentStatus::Final.as_str(), AssessmentStatus::Applied.as_str()],
        Kind::Survey => vec![SurveyStatus::Published.as_str()],
        Kind::Unit
        | Kind::LeadingGroup
        | Kind::DataImport
        | Kind::ReportingDuty
        | Kind::Report
        | Kind::SupervisionItem
        | Kind::LocalPlan
        | Kind::ViolationReport
        | Kind::RoleGrant
        | Kind::ServiceKey
        | Kind::EventSubscription => Vec::new(),
    }
}

/// Which objects of a kind a viewer sees (可见范围): what is published, all of a region, and what names their units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// Whether they see what is published.
    pub published: bool,
    /// They see everything in this region, published or not.
    pub region: Option<RegionCode>,
    /// They see everything that names one of these units, published or not.
    pub units: Vec<Id<Unit>>,
}

/// What the rules of sight need to know of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where in the log the event stands that made it public; none when it is not published.
    pub published: Option<i64>,
    /// Where it lies.
    pub region: Option<RegionCode>,
    /// The units that it names: leading, supporting, reporting, addressed, assessed.
    pub units: Vec<Id<Unit>>,
}

/// Which objects of a kind `viewer` sees: the one rule for queries, nested fields, subscriptions and downloads.
///
/// The office, inspectors, auditors and connected systems see their region and all inside it; officers and approvers
/// what names their unit; administrators grants and keys, and no more of the programme than everybody.
pub fn sight(viewer: &Viewer, kind: Kind) -> Sight {
    let any = |roles: &[Role]| viewer.roles.iter().any(|role| roles.contains(role));
    let audience = audience(kind);
    if matches!(audience, Audience::KeepersOfAccess | Audience::ItsSystems) {
        let keeps = any(&[Role::Administrator, Role::Auditor]);
        let owns = audience == Audience::ItsSystems && any(&[Role::Integrator]);
        let units = if owns { viewer.units.clone() } else { Vec::new() };
        return Sight { region: keeps.then_some(viewer.region), units, published: false };
    }
    let oversees = any(&[Role::LeadingGroupOffice, Role::Inspector, Role::Auditor, Role::Scheduler])
        || audience != Audience::Confidential && any(&[Role::Integrator]);
    let works = any(&[Role::UnitOfficer, Role::UnitApprover]);
    Sight {
        published: matches!(audience, Audience::Everybody | Audience::OncePublished),
        region: match audience {
            Audience::Everybody => Some(RegionCode::COUNTRY),
            _ => oversees.then_some(viewer.region),
        },
        units: if works { viewer.units.clone() } else { Vec::new() },
    }
}

impl Sight {
    /// Whether they see all of the kind.
    pub fn is_whole(&self) -> bool {
        self.region == Some(RegionCode::COUNTRY)
    }
    /// Whether they see this object although it may not be published.
    pub fn is_inside(&self, seen: &Seen) -> bool {
        self.is_whole()
            || self.region.zip(seen.region).is_some_and(|(own, region)| own.covers(region))
            || self.units.iter().any(|unit| seen.units.contains(unit))
    }
    /// From which place in the log on they see the life of this object (可见起点): all of it from inside, else what happened
    /// since it became public, never the drafts before; `None` when they do not see it.
    pub fn since(&self, seen: &Seen) -> Option<i64> {
        if self.is_inside(seen) { Some(0) } else { seen.published.filter(|_| self.published) }
    }
    /// Whether they see this object.
    pub fn sees(&self, seen: &Seen) -> bool {
        self.since(seen).is_some()
    }
}

/// Whether one more pair of eyes is looking: neither the same person nor anybody of a leading unit.
pub fn is_another(viewer: &Viewer, subject: &Subject) -> bool {
    subject.checked_person.as_ref() != Some(&viewer.actor) && !viewer.is_one_of(&subject.lead_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn viewer(role: Role, region: &str) -> Viewer {
        Viewer { roles: vec![role], region: region.parse().unwrap(), ..Viewer::anonymous() }
    }

    #[test]
    fn authority_ends_at_the_border_of_the_region() {
        let by = [By::InRegion(Role::LeadingGroupOffice)];
        let city = Subject { region: "620100".parse().ok(), ..Subject::default() };
        assert_eq!(may(&viewer(Role::LeadingGroupOffice, "620000"), &by, &city), Ok(()));
        assert!(may(&viewer(Role::LeadingGroupOffice, "430000"), &by, &city).is_err());
        assert!(may(&viewer(Role::UnitOfficer, "620000"), &by, &city).is_err());
    }

    #[test]
    fn sight_ends_at_borders_and_at_units() {
        let unit = |number| Id::<Unit>::new(uuid::Uuid::from_u128(number));
        let report = |region: &str, named: u128| Seen {
            published: None,
            region: region.parse().ok(),
            units: vec![unit(named)],
        };
        let sees = |viewer: &Viewer, kind, seen: &Seen| sight(viewer, kind).sees(seen);
        let office = viewer(Role::LeadingGroupOffice, "620000");
        assert!(sees(&office, Kind::Report, &report("620100", 1)));
        assert!(!sees(&office, Kind::Report, &report("430100", 1)));
        let officer = Viewer { units: vec![unit(1)], ..viewer(Role::UnitOfficer, "620100") };
        assert!(sees(&officer, Kind::Report, &report("430000", 1)), "it names their unit");
        assert!(!sees(&officer, Kind::Report, &report("620100", 2)), "a neighbour's is not theirs");
        let published = Seen { published: Some(40), ..report("430000", 9) };
        for role in Role::ALL {
            let anybody = viewer(*role, "620000");
            assert!(sees(&anybody, Kind::Plan, &published), "{role}");
            assert!(sees(&anybody, Kind::Unit, &report("430000", 9)), "{role}");
            let keeps = matches!(role, Role::Administrator | Role::Auditor);
            assert_eq!(sees(&anybody, Kind::ServiceKey, &report("620100", 9)), keeps, "{role}");
            assert!(!sees(&anybody, Kind::ServiceKey, &report("430000", 9)), "{role}");
        }
        let system = viewer(Role::Integrator, "620000");
        assert!(sees(&system, Kind::Report, &report("620100", 1)));
        assert!(!sees(&system, Kind::ViolationReport, &report("620100", 1)), "it is confidential");
        let own = Viewer { units: vec![unit(1)], ..system };
        assert!(sees(&own, Kind::EventSubscription, &report("620100", 1)));
        assert!(!sees(&own, Kind::EventSubscription, &report("620100", 2)), "another unit's");
        assert!(!sees(&officer, Kind::EventSubscription, &report("620100", 1)), "they are no system");
        for role in [Role::Public, Role::Enterprise, Role::Administrator] {
            assert!(!sees(&viewer(role, "100000"), Kind::Report, &published), "{role}");
        }
    }

    #[test]
    fn who_sees_an_object_only_because_it_is_public_does_not_see_its_drafts() {
        let plan = Seen { published: Some(40), region: "620000".parse().ok(), ..Seen::default() };
        let since = |viewer: &Viewer, seen: &Seen| sight(viewer, Kind::Plan).since(seen);
        assert_eq!(since(&Viewer::anonymous(), &plan), Some(40));
        assert_eq!(since(&viewer(Role::LeadingGroupOffice, "430000"), &plan), Some(40), "a neighbour");
        assert_eq!(since(&viewer(Role::LeadingGroupOffice, "620000"), &plan), Some(0), "from inside");
        assert_eq!(since(&Viewer::anonymous(), &Seen { published: None, ..plan }), None);
        // What is open once published has states in which it is, and nothing else has.
        for kind in Kind::ALL {
            let is_published = audience(*kind) == Audience::OncePublished;
            assert_eq!(!public_states(*kind).is_empty(), is_published, "{kind}");
        }
        assert!(!public_states(Kind::Plan).contains(&PlanStatus::Draft.as_str()));
        assert_eq!(public_states(Kind::Survey), [SurveyStatus::Published.as_str()]);
    }

    #[test]
    fn nobody_is_allowed_what_nobody_may() {
        assert!(may(&Viewer::system(), &[], &Subject::default()).is_err());
    }
}
