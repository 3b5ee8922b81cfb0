//! A service key (服务密钥): how a connected system proves who it is.
//!
//! The secret is shown once, when the key is issued; the log holds its digest only. A key works for one unit in one region
//! with the roles of connected systems, expires on a day that is said, and can be revoked at any time.
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate, Context, Date, Facts, Id, Kind, Need, RegionCode, Rejection, Role, Subject,
    aggregate::{Stamp, commands},
    lifecycle::{Requirement, Step, To, status},
    organisation::unit::Unit,
    policy::By,
    text,
};

vocabulary! {
    /// Where a service key stands (密钥状态).
    pub enum ServiceKeyStatus {
        Issued = "ISSUED", "已签发";
        Revoked = "REVOKED", "已吊销";
    }
}
status!(ServiceKeyStatus);
use ServiceKeyStatus::{Issued, Revoked};

const ADMINISTRATOR: &[By] = &[By::InRegion(Role::Administrator)];
const LIFE: Step<ServiceKeyStatus> = Step {
    action: "",
    term: "",
    from: &[Issued],
    to: To::Same,
    by: ADMINISTRATOR,
    requires: &[],
    parent: None,
    basis: None,
};
const STEPS: &[Step<ServiceKeyStatus>] = &[
    Step { action: "issueServiceKey", term: "签发服务密钥", from: &[], to: To::State(Issued), ..LIFE },
    Step {
        action: "revokeServiceKey",
        term: "吊销服务密钥",
        to: To::State(Revoked),
        requires: &[Requirement::Reason],
        ..LIFE
    },
];

commands! {
    /// What may be asked of a service key.
    ServiceKeyCommand {
        create IssueServiceKey = "issueServiceKey";
        on RevokeServiceKey = "revokeServiceKey" (reason);
    }
}

/// Most days that a key holds: whoever needs it longer changes it once a year.
pub const MOST_DAYS: i32 = 366;
/// Roles that a connected system can have.
pub const ROLES: &[Role] = &[Role::Integrator, Role::Auditor, Role::UnitOfficer];

/// Issues a service key (签发服务密钥). Its secret is made by whoever asks and is not part of the command.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssueServiceKey {
    /// What it is for, at most 100 characters.
    pub name: String,
    /// The unit that answers for the connected system.
    pub unit_id: Id<Unit>,
    /// What it is trusted with: INTEGRATOR, AUDITOR or UNIT_OFFICER.
    pub roles: Vec<Role>,
    /// Its authority ends at the borders of this region.
    pub region_code: RegionCode,
    /// The last day on which it works, at most 366 days from today.
    pub expires_on: Date,
    /// SHA-256 of the secret. Not part of what a retry must repeat: a retry never learns the secret.
    #[serde(skip)]
    pub digest: [u8; 32],
}

/// Revokes a service key (吊销服务密钥): from now on it lets nobody in.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::InputObject))]
#[serde(rename_all = "camelCase")]
pub struct RevokeServiceKey {
    /// The key.
    pub id: Id<ServiceKey>,
    /// Why.
    pub reason: String,
}

events! {
    /// What has happened to a service key.
    pub enum ServiceKeyEvent {
        /// 服务密钥已签发
        Issued {
            name: String,
            unit_id: Id<Unit>,
            roles: Vec<Role>,
            region_code: RegionCode,
            expires_on: Date,
            digest: String,
        },
        /// 服务密钥已吊销
        Revoked { reason: String },
    }
}

impl ServiceKeyEvent {
    /// Where the key stands after this event.
    pub const fn status(&self) -> Option<ServiceKeyStatus> {
        Some(match self {
            Self::Issued { .. } => Issued,
            Self::Revoked { .. } => Revoked,
        })
    }
}

/// What a service key must remember to decide.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ServiceKey {
    status: Option<ServiceKeyStatus>,
    region: Option<RegionCode>,
}

impl Aggregate for ServiceKey {
    const KIND: Kind = Kind::ServiceKey;
    type Status = ServiceKeyStatus;
    type Command = ServiceKeyCommand;
    type Event = ServiceKeyEvent;
    const STEPS: &'static [Step<ServiceKeyStatus>] = STEPS;

    fn status(&self) -> Option<ServiceKeyStatus> {
        self.status
    }

    fn subject(&self, command: Option<&ServiceKeyCommand>, _facts: &Facts) -> Subject {
        let region = match command {
            Some(ServiceKeyCommand::IssueServiceKey(issue)) => Some(issue.region_code),
            _ => self.region,
        };
        Subject { region, ..Subject::default() }
    }

    fn needs(&self, command: &ServiceKeyCommand) -> Vec<Need> {
        match command {
            ServiceKeyCommand::IssueServiceKey(issue) => {
                vec![Need::Object { kind: Kind::Unit, id: issue.unit_id.uuid(), field: "unitId".into() }]
            }
            ServiceKeyCommand::RevokeServiceKey(_) => Vec::new(),
        }
    }

    fn decide(
        &self,
        command: ServiceKeyCommand,
        context: &Context<'_>,
    ) -> Result<Vec<ServiceKeyEvent>, Rejection> {
        Ok(vec![match command {
            ServiceKeyCommand::IssueServiceKey(issue) => {
                let IssueServiceKey { name, unit_id, mut roles, region_code, expires_on, digest } = issue;
                text::required("name", &name, text::SHORT)?;
                Unit::check_active("unitId", unit_id, context.facts)?;
                if roles.is_empty() {
                    return Err(Rejection::invalid("roles", "must not be empty"));
                }
                if let Some(at) = roles.iter().position(|role| !ROLES.contains(role)) {
                    let reason = "is no role of connected systems: INTEGRATOR, AUDITOR or UNIT_OFFICER";
                    return Err(Rejection::invalid(format!("roles[{at}]"), reason));
                }
                roles.sort_unstable();
                roles.dedup();
                let today = context.today();
                if expires_on < today || expires_on > today.plus(MOST_DAYS) {
                    return Err(Rejection::invalid("expiresOn", "is not within 366 days from today"));
                }
                let digest = digest.iter().fold(String::with_capacity(64), |mut digits, byte| {
                    // Writing to a string cannot fail.
                    let _ = write!(digits, "{byte:02x}");
                    digits
                });
                ServiceKeyEvent::Issued { name, unit_id, roles, region_code, expires_on, digest }
            }
            ServiceKeyCommand::RevokeServiceKey(RevokeServiceKey { reason, .. }) => {
                text::required("reason", &reason, text::LONG)?;
                ServiceKeyEvent::Revoked { reason }
            }
        }])
    }

    fn evolve(&mut self, event: &ServiceKeyEvent, _stamp: &Stamp) {
        self.status = event.status().or(self.status);
        if let ServiceKeyEvent::Issued { region_code, .. } = event {
            self.region = Some(*region_code);
        }
    }
}

#[cfg(test)]
mod tests;
