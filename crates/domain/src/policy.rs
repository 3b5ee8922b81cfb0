//! Who may do what to whom: one pure function over roles and scope, used by every door.
use crate::{Id, RegionCode, organisation::unit::Unit};

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
    fn nobody_is_allowed_what_nobody_may() {
        assert!(may(&Viewer::system(), &[], &Subject::default()).is_err());
    }
}
