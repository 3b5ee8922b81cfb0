//! A role grant (角色授权): what a person or machine is trusted with, where, and from when until when.
//!
//! Whether a grant holds on a day follows from its dates; that a day passes is no event. Nobody grants anything to
//! themselves, and an administrator grants inside their own region only.
use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Claim, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    text,
};

vocabulary! {
    /// Where a role grant stands (授权状态).
    pub enum RoleGrantStatus {
        Granted = "GRANTED", "已授予";
        Revoked = "REVOKED", "已撤销";
    }
}
status!(RoleGrantStatus);
use RoleGrantStatus::{Granted, Revoked};

const ADMINISTRATOR: &[By] = &[By::InRegion(Role::Administrator)];
const LIFE: Step<RoleGrantStatus> = Step {
    action: "",
    term: "",
    from: &[Granted],
    to: To::Same,
    by: ADMINISTRATOR,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<RoleGrantStatus>] = &[
    Step { action: "grantRole", term: "授予角色", from: &[], to: To::State(Granted), ..LIFE },
    Step {
        action: "revokeRole",
        term: "撤销角色",
        to: To::State(Revoked),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a role grant.
    RoleGrantCommand {
        create GrantRole = "grantRole";
        on RevokeRole = "revokeRole" (reason);
    }
}

/// Most characters of the name of a person or machine.
pub const ACTOR: usize = 200;

/// Grants a role (授予角色). One of a sort for each person, unit and region at a time.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct GrantRole {
    /// Who gets it: `PROVIDER:SUBJECT`, the name under which the settings know the identity provider and the token's
    /// `sub`, as it stands on events.
    pub actor: String,
    /// What they are trusted with; not PUBLIC and not SCHEDULER.
    pub role: Role,
    /// The unit that they work for; needed for UNIT_OFFICER, UNIT_APPROVER and ENTERPRISE.
    pub unit_id: Option<Id<Unit>>,
    /// Their authority ends at the borders of this region.
    pub region_code: RegionCode,
    /// The first day on which it holds; today when left out.
    pub valid_from: Option<Date>,
    /// The last day on which it holds; without end when left out.
    pub valid_until: Option<Date>,
    /// What it rests on, such as a letter of appointment.
    pub note: Option<String>,
}

/// Revokes a role (撤销角色): from now on it is not theirs any more.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RevokeRole {
    /// The grant.
    pub id: Id<RoleGrant>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a role grant.
    pub enum RoleGrantEvent {
        /// 角色已授予
        Granted {
            actor: String,
            role: Role,
            unit_id: Option<Id<Unit>>,
            region_code: RegionCode,
            valid_from: Date,
            valid_until: Option<Date>,
            note: Option<String>,
        },
        /// 角色已撤销
        Revoked { reason: String },
    }
}

impl RoleGrantEvent {
    /// Where the grant stands after this event.
    pub const fn status(&self) -> Option<RoleGrantStatus> {
        Some(match self {
            Self::Granted { .. } => Granted,
            Self::Revoked { .. } => Revoked,
        })
    }
}

/// What a role grant must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RoleGrant {
    status: Option<RoleGrantStatus>,
    region: Option<RegionCode>,
    key: String,
}

impl RoleGrant {
    /// The claim of a role of one person in one unit and region.
    pub const ROLE: &'static str = "roleGrant.role";

    /// Whether a role can be held only for a unit.
    pub const fn needs_unit(role: Role) -> bool {
        matches!(role, Role::UnitOfficer | Role::UnitApprover | Role::Enterprise)
    }
}

fn key_of(actor: &str, role: Role, unit: Option<Id<Unit>>, region: RegionCode) -> String {
    let unit = unit.map(|id| id.uuid().to_string()).unwrap_or_default();
    format!("{}|{unit}|{region}|{actor}", role.as_str())
}

impl Aggregate for RoleGrant {
    const KIND: Kind = Kind::RoleGrant;
    type Status = RoleGrantStatus;
    type Command = RoleGrantCommand;
    type Event = RoleGrantEvent;
    const STEPS: &'static [Step<RoleGrantStatus>] = STEPS;

    fn status(&self) -> Option<RoleGrantStatus> {
        self.status
    }

    fn subject(&self, command: Option<&RoleGrantCommand>, _facts: &Facts) -> Subject {
        let region = match command {
            Some(RoleGrantCommand::GrantRole(grant)) => Some(grant.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &RoleGrantCommand) -> Vec<Need> {
        match command {
            RoleGrantCommand::GrantRole(GrantRole { unit_id: Some(id), .. }) => {
                vec![Need::Object { kind: Kind::Unit, id: id.uuid(), field: "unitId".into() }]
            }
            _ => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: RoleGrantCommand,
        context: &Context<'_>,
    ) -> Result<Vec<RoleGrantEvent>, Rejection> {
        Ok(vec![match command {
            RoleGrantCommand::GrantRole(grant) => {
                let GrantRole { actor, role, unit_id, region_code, valid_from, valid_until, note } = grant;
                text::required("actor", &actor, ACTOR)?;
                text::maybe("note", note.as_ref(), text::LONG)?;
                if !actor.split_once(':').is_some_and(|(issuer, sub)| !issuer.is_empty() && !sub.is_empty()) {
                    return Err(Rejection::invalid("actor", "is not PROVIDER:SUBJECT"));
                }
                if matches!(role, Role::Public | Role::Scheduler) {
                    return Err(Rejection::invalid("role", "is nobody's to grant"));
                }
                if RoleGrant::needs_unit(role) && unit_id.is_none() {
                    return Err(Rejection::invalid("unitId", "is needed for this role"));
                }
                if let Some(unit) = unit_id {
                    Unit::check_active("unitId", unit, context.facts)?;
                }
                if actor == context.viewer.actor {
                    let message = "nobody grants a role to themselves";
                    return Err(Rejection::rule("not-to-oneself", message, None));
                }
                let valid_from = valid_from.unwrap_or_else(|| context.today());
                if valid_until.is_some_and(|until| until < valid_from || until < context.today()) {
                    return Err(Rejection::invalid(
                        "validUntil",
                        "lies before the first day or before today",
                    ));
                }
                RoleGrantEvent::Granted { actor, role, unit_id, region_code, valid_from, valid_until, note }
            }
            RoleGrantCommand::RevokeRole(RevokeRole { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                RoleGrantEvent::Revoked { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &RoleGrantEvent, _stamp: &Stamp) {
        self.status = event.status().or(self.status);
        if let RoleGrantEvent::Granted { actor, role, unit_id, region_code, .. } = event {
            self.region = Some(*region_code);
            self.key = key_of(actor, *role, *unit_id, *region_code);
        }
    }

    fn claims(&self, event: &RoleGrantEvent) -> Vec<Claim> {
        match event {
            RoleGrantEvent::Granted { actor, role, unit_id, region_code, .. } => {
                vec![Claim::take(Self::ROLE, key_of(actor, *role, *unit_id, *region_code), "role")]
            }
            RoleGrantEvent::Revoked { .. } => vec![Claim::release(Self::ROLE, self.key.clone(), "role")],
        }
    }
}

#[cfg(test)]
mod tests;
