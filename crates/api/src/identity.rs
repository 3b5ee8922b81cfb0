//! Who is at the door: development tokens, service keys, and tokens of identity providers (OpenID Connect).
//!
//! Whoever comes without a token is anonymous and sees what is published. A token that is not taken is refused, never
//! treated as none. What a token came to is kept for a minute at most, and forgotten at once when a role is granted or
//! revoked, a key revoked, in this process or another.
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt, future::BoxFuture};
use lru::LruCache;
use sea_query::{Condition, Expr, ExprTrait};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use zhixing_domain::{
    Date, Id, RegionCode, Role, Viewer, access::role_grant::RoleGrantStatus, organisation::unit::Unit,
    policy::AuthenticationMethod,
};
use zhixing_event_store::EventStore;

use crate::{
    graphql::{
        role_grant::RoleGrant,
        service_key::ServiceKey,
        unit::{MEMBER, Unit as UnitView},
    },
    protocol::{AccessChanged, Authenticator, Refused, RefusedWhat, Said},
};

mod development;
mod provider;
pub mod service_key;
pub mod settings;

use provider::Provider;
use settings::IdentitySettings;

/// Most groups that a unit acts for.
const MOST_GROUPS: u32 = 200;
/// Most grants of one person that are looked at.
const MOST_GRANTS: u64 = 200;
/// Most capacities that a refusal names.
const MOST_NAMED: usize = 5;
/// Most tokens that are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// How long it is remembered what a token came to.
const TRUSTED: TimeDelta = TimeDelta::seconds(60);
/// How soon a process hears at the latest that another has changed what somebody may do, while the log grows.
const HEARING: Duration = Duration::from_millis(250);

/// Finds out who is at the door. Clones share everything.
#[derive(Clone, Debug)]
pub struct Identity {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: EventStore,
    development_tokens: bool,
    providers: Vec<Provider>,
    known: Mutex<LruCache<[u8; 32], Known>>,
    /// Counts the changes of what anybody may do.
    changes: watch::Sender<u64>,
}

/// In which capacity somebody may act (身份): for one unit, in one region. What they are trusted with for another unit or
/// region does not add to it, otherwise an officer here who audits there could audit here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The unit that they act for, if it is for one.
    pub unit: Option<Id<Unit>>,
    /// Their authority ends at the borders of this region.
    pub region: RegionCode,
    /// What they are trusted with.
    pub roles: Vec<Role>,
}

impl Capacity {
    /// As the header `Zhixing-Acting-For` names it: by the id of the unit, or by the code of the region.
    pub fn acting_for(&self) -> String {
        self.unit.map_or_else(|| self.region.to_string(), |unit| unit.to_string())
    }
}

/// Somebody who was let in. Another capacity that they may choose makes nobody else of them.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who they are, in the capacity in which they act.
    pub viewer: Viewer,
    /// The capacities that they may choose, the usual one first.
    pub capacities: Arc<[Capacity]>,
}

impl PartialEq for Visitor {
    fn eq(&self, other: &Self) -> bool {
        self.viewer == other.viewer
    }
}

/// What a token came to.
#[derive(Clone, Debug)]
struct Known {
    access: Access,
    /// The change after which it was found out.
    change: u64,
}

/// Somebody who was let in, and until when that holds as it is.
#[derive(Clone, Debug)]
struct Access {
    visitor: Visitor,
    /// When the token or key ends.
    ends: Option<DateTime<Utc>>,
    /// When it must be found out anew.
    until: DateTime<Utc>,
}

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
struct Claimed {
    actor: String,
    roles: Vec<Role>,
    unit: Option<Id<Unit>>,
    region: Option<RegionCode>,
    method: AuthenticationMethod,
    /// When it ends.
    until: Option<DateTime<Utc>>,
}

/// The first instant behind a day in China.
fn end_of(day: Date) -> DateTime<Utc> {
    day.next().begins()
}

impl Identity {
    /// An authenticator over this store. Listens to what other processes change until it is dropped.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        store: EventStore,
        development_tokens: bool,
        settings: &IdentitySettings,
    ) -> Result<Self, reqwest::Error> {
        let providers =
            settings.providers.iter().cloned().map(Provider::new).collect::<Result<Vec<_>, _>>()?;
        let known = Mutex::new(LruCache::new(REMEMBERED));
        let changes = watch::Sender::new(0);
        let inner = Arc::new(Inner { store: store.clone(), development_tokens, providers, known, changes });
        tokio::spawn(listen(store, Arc::downgrade(&inner)));
        Ok(Self { inner })
    }

    /// What anybody may do has changed: whoever asks next is found out anew, and open streams are looked at.
    pub fn forget(&self) {
        self.inner.changes.send_modify(|change| *change += 1);
    }

    fn now(&self) -> DateTime<Utc> {
        self.inner.store.clock().now()
    }

    async fn access(&self, said: &Said) -> Result<Access, Refused> {
        let token = match said.authorization.as_deref().map(str::trim) {
            None | Some("") if said.acting_for.is_some() => {
                return Err(Refused::capacity("whoever comes without a token acts for nobody"));
            }
            None | Some("") => {
                let visitor = Visitor { viewer: Viewer::anonymous(), capacities: Arc::new([]) };
                return Ok(Access { visitor, ends: None, until: DateTime::<Utc>::MAX_UTC });
            }
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(Refused::token("the Authorization header is not `Bearer TOKEN`")),
            },
        };
        if token.len() > provider::TOKEN_BYTES {
            return Err(Refused::token("the token is refused: it has more than 16,384 bytes"));
        }
        let name = name_of(token, said.acting_for.as_deref());
        let (now, change) = (self.now(), *self.inner.changes.borrow());
        let known = self.inner.known().get(&name).cloned();
        if let Some(known) = known.filter(|known| known.change == change && now < known.access.until) {
            return Ok(known.access);
        }
        let access = self.found_out(token, said.acting_for.as_deref(), now).await?;
        self.inner.known().put(name, Known { access: access.clone(), change });
        Ok(access)
    }

    async fn found_out(
        &self,
        token: &str,
        acting_for: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Access, Refused> {
        let refuse = |reason: &str| Refused::token(&format!("the token is refused: {reason}"));
        let today = Date::of(now);
        let claimed = if token.starts_with(development::PREFIX) {
            if !self.inner.development_tokens {
                return Err(refuse("development tokens are switched off here"));
            }
            development::read(token).map_err(|reason| refuse(&reason))?
        } else if token.starts_with(service_key::PREFIX) {
            service_key::read(&self.inner.store, token, today).await?
        } else {
            let issuer =
                provider::issuer(token).ok_or_else(|| refuse("it is of no form that is known here"))?;
            let provider = self.inner.providers.iter().find(|provider| provider.is(&issuer));
            let provider = provider.ok_or_else(|| refuse("its issuer is not trusted here"))?;
            provider.read(token, now).await.map_err(|refused| match refused.what {
                RefusedWhat::Token => refuse(&refused.reason),
                RefusedWhat::Unavailable | RefusedWhat::Capacity => refused,
            })?
        };
        let ends = claimed.until;
        let visitor = self.visitor(claimed, acting_for, today).await?;
        // With the day grants begin and end.
        let ends_or_never = ends.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let until = Ord::min(now + TRUSTED, Ord::min(end_of(today), ends_or_never));
        Ok(Access { visitor, ends, until })
    }

    /// Whom the claims make, with what was granted to them here, in the capacity that they chose.
    async fn visitor(
        &self,
        claimed: Claimed,
        acting_for: Option<&str>,
        today: Date,
    ) -> Result<Visitor, Refused> {
        let Claimed { actor, roles, unit, region, method, .. } = claimed;
        // A claim that is misnamed in the settings must not make an officer of one county one of the whole country.
        let is_of_provider = method == AuthenticationMethod::IdentityProvider;
        if is_of_provider && !roles.is_empty() && unit.is_none() && region.is_none() {
            let reason = "the token is refused: it names roles, but no unit or region where they hold";
            return Err(Refused::token(reason));
        }
        // The region of the unit, when the token says no other.
        let region = match (unit, region) {
            (Some(unit), None) => Some(self.unit(unit).await?.region_code),
            (_, region) => region,
        };
        let grants =
            if is_of_provider { self.grants(&actor, today).await.map_err(later)? } else { Vec::new() };
        let own = (roles, unit, region.unwrap_or(RegionCode::COUNTRY));
        let capacities = capacities(own, &grants);
        let chosen = match acting_for {
            None => capacities.first().cloned(),
            Some(named) => Some(chosen(&capacities, named)?),
        };
        let chosen = chosen.unwrap_or_else(|| Capacity {
            unit,
            region: region.unwrap_or(RegionCode::COUNTRY),
            roles: vec![Role::Public],
        });
        let Capacity { unit, region, roles } = chosen;
        let units = match unit {
            Some(unit) => self.units(unit).await?,
            None => Vec::new(),
        };
        Ok(Visitor { viewer: Viewer { actor, roles, units, region, method }, capacities: capacities.into() })
    }

    async fn unit(&self, id: Id<Unit>) -> Result<UnitView, Refused> {
        let mut units: Vec<UnitView> = self.inner.store.pool().many(&[id.uuid()]).await.map_err(later)?;
        units.pop().ok_or_else(|| Refused::token("the token is refused: there is no such unit"))
    }

    /// A unit and the groups that it belongs to.
    async fn units(&self, id: Id<Unit>) -> Result<Vec<Id<Unit>>, Refused> {
        self.unit(id).await?;
        let mut reader = self.inner.store.pool().reader().await.map_err(later)?;
        let groups = reader.naming(id.uuid(), MEMBER, MOST_GROUPS).await.map_err(later)?;
        Ok(std::iter::once(id).chain(groups.into_iter().map(Id::new)).collect())
    }

    async fn grants(&self, actor: &str, today: Date) -> Result<Vec<RoleGrant>, zhixing_event_store::Error> {
        let own = Condition::all()
            .add(Expr::col("actor").eq(actor))
            .add(Expr::col("status").eq(RoleGrantStatus::Granted));
        let mut grants: Vec<RoleGrant> = self.inner.store.pool().all(own, MOST_GRANTS).await?;
        grants.retain(|grant| grant.holds_on(today));
        grants.sort_by_key(|grant| grant.life.id.0.uuid());
        Ok(grants)
    }
}

/// When somebody cannot be looked up.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn later(error: zhixing_event_store::Error) -> Refused {
    tracing::warn!(%error, "a viewer cannot be looked up");
    Refused::later("who you are cannot be looked up now")
}

/// The name under which it is remembered what a token came to in a capacity.
fn name_of(token: &str, acting_for: Option<&str>) -> [u8; 32] {
    let mut name = Sha256::new_with_prefix(token.as_bytes());
    // No token holds a line break.
    name.update(b"\n");
    name.update(acting_for.unwrap_or_default().as_bytes());
    name.finalize().into()
}

/// The capacities in which somebody may act: what their token says, then what was granted, the oldest grant first. A unit
/// that the token names goes before all others.
fn capacities(
    (claimed, unit, region): (Vec<Role>, Option<Id<Unit>>, RegionCode),
    grants: &[RoleGrant],
) -> Vec<Capacity> {
    let said = (!claimed.is_empty() || unit.is_some()).then_some(Capacity { unit, region, roles: claimed });
    let granted = grants.iter().map(|grant| Capacity {
        unit: grant.unit_id.map(|id| id.0),
        region: grant.region_code,
        roles: Vec::new(),
    });
    let mut found: Vec<Capacity> = Vec::new();
    for mut capacity in said.into_iter().chain(granted) {
        if found.iter().any(|known| (known.unit, known.region) == (capacity.unit, capacity.region)) {
            continue;
        }
        let of_this = grants.iter().filter(|grant| {
            let own = grant.unit_id.map(|id| id.0);
            grant.region_code == capacity.region && (own.is_none() || own == capacity.unit)
        });
        capacity.roles.extend(of_this.map(|grant| grant.role));
        capacity.roles.sort_unstable();
        capacity.roles.dedup();
        if !capacity.roles.is_empty() {
            found.push(capacity);
        }
    }
    if unit.is_some() {
        found.sort_by_key(|capacity| capacity.unit != unit);
    }
    found
}

/// The capacity of this name.
fn chosen(capacities: &[Capacity], wanted: &str) -> Result<Capacity, Refused> {
    let found = capacities.iter().find(|capacity| capacity.acting_for() == wanted);
    found.cloned().ok_or_else(|| {
        let names: Vec<String> = capacities.iter().take(MOST_NAMED).map(Capacity::acting_for).collect();
        let reason = if names.is_empty() {
            "you do not act for that: you have no capacity here".to_owned()
        } else {
            format!("you do not act for that; you may act for: {}", names.join(", "))
        };
        Refused::capacity(&reason)
    })
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, LruCache<[u8; 32], Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears that grants or keys were changed, here or by another process, as long as anybody asks.
async fn listen(store: EventStore, inner: Weak<Inner>) {
    let mut head = store.heads();
    let mut seen = None;
    loop {
        match changed(&store).await {
            Ok(now) => {
                let Some(inner) = inner.upgrade() else { return };
                if seen.replace(now).is_some_and(|before| before != now) {
                    inner.changes.send_modify(|change| *change += 1);
                }
            }
            Err(error) => tracing::warn!(%error, "changes of access cannot be read"),
        }
        tokio::time::sleep(HEARING).await;
        if head.changed().await.is_err() {
            return;
        }
    }
}

/// Sums that grow with every event of a grant or key.
async fn changed(store: &EventStore) -> Result<[i64; 2], zhixing_event_store::Error> {
    let pool = store.pool();
    Ok([pool.sum::<RoleGrant>("version").await?, pool.sum::<ServiceKey>("version").await?])
}

impl Authenticator for Identity {
    type Viewer = Visitor;

    async fn authenticate(&self, said: &Said) -> Result<Visitor, Refused> {
        self.access(said).await.map(|access| access.visitor)
    }

    fn changed(&self, said: &Said, visitor: &Visitor) -> BoxFuture<'static, AccessChanged> {
        if said.authorization.as_deref().is_none_or(|value| value.trim().is_empty()) {
            return std::future::pending().boxed();
        }
        let (identity, said, visitor) = (self.clone(), said.clone(), visitor.clone());
        let mut changes = self.inner.changes.subscribe();
        async move {
            loop {
                changes.borrow_and_update();
                // On the heap while it is needed: sockets are many, and most of the time they wait.
                let until = match Box::pin(identity.access(&said)).await {
                    Ok(access) if access.visitor == visitor => access.until,
                    Ok(_) | Err(Refused { what: RefusedWhat::Capacity, .. }) => {
                        return AccessChanged::RolesChanged;
                    }
                    // What cannot be found out now, is asked again.
                    Err(Refused { what: RefusedWhat::Unavailable, .. }) => identity.now() + TRUSTED,
                    Err(_) if identity.has_ended(&said) => return AccessChanged::Expired,
                    Err(_) => return AccessChanged::Revoked,
                };
                let wait = (until - identity.now()).to_std().unwrap_or_default();
                tokio::select! {
                    () = tokio::time::sleep(wait.max(Duration::from_millis(10))) => {}
                    heard = changes.changed() => if heard.is_err() {
                        return AccessChanged::Revoked;
                    },
                }
            }
        }
        .boxed()
    }

    fn name(Visitor { viewer, .. }: &Visitor) -> Option<&str> {
        (viewer.method != AuthenticationMethod::Anonymous).then_some(viewer.actor.as_str())
    }
}

impl Identity {
    /// Whether a token was taken before and has ended since.
    fn has_ended(&self, said: &Said) -> bool {
        let authorization = said.authorization.as_deref();
        let token =
            authorization.and_then(|value| value.trim().split_once(' ')).map(|(_, token)| token.trim());
        let Some(token) = token else { return false };
        let name = name_of(token, said.acting_for.as_deref());
        let ends = self.inner.known().peek(&name).and_then(|known| known.access.ends);
        ends.is_some_and(|ends| ends <= self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graphql::view::Life;
    use uuid::Uuid;
    use zhixing_domain::id::Key;

    fn grant(number: u128, role: Role, unit: Option<u128>, region: &str) -> RoleGrant {
        let at = DateTime::UNIX_EPOCH;
        let id = Key(Id::new(Uuid::from_u128(number)));
        RoleGrant {
            life: Life { id, version: 1, created_at: at, updated_at: at },
            status: RoleGrantStatus::Granted,
            region_code: region.parse().unwrap(),
            actor: "gov:wei".into(),
            role,
            unit_id: unit.map(|unit| Key(Id::new(Uuid::from_u128(unit)))),
            valid_from: Date::of(at),
            valid_until: None,
            note: None,
            revoked_reason: None,
        }
    }

    #[test]
    fn what_was_granted_elsewhere_adds_nothing_here() {
        let grants = [
            grant(1, Role::UnitOfficer, Some(7), "620000"),
            grant(2, Role::UnitApprover, Some(7), "620000"),
            grant(3, Role::UnitApprover, Some(8), "620000"),
            grant(4, Role::Inspector, None, "620000"),
            grant(5, Role::Auditor, None, "430000"),
        ];
        let id = |number: u128| Some(Id::new(Uuid::from_u128(number)));
        let (here, there): (RegionCode, RegionCode) = ("620000".parse().unwrap(), "430000".parse().unwrap());
        let usual = |said| capacities(said, &grants).into_iter().next().unwrap();
        let officer = usual((Vec::new(), None, RegionCode::COUNTRY));
        assert_eq!(officer.roles, [Role::UnitOfficer, Role::UnitApprover, Role::Inspector]);
        assert_eq!((officer.unit, officer.region), (id(7), here));
        // The unit that the token names decides among several, also when it lies elsewhere.
        assert_eq!(usual((Vec::new(), id(8), here)).roles, [Role::UnitApprover, Role::Inspector]);
        assert_eq!(usual((Vec::new(), id(8), there)).roles, [Role::Auditor], "of the unit's own region");
        // Roles of the token stay in their own region.
        let inspector = usual((vec![Role::Inspector], None, there));
        assert_eq!((inspector.roles, inspector.unit), (vec![Role::Inspector, Role::Auditor], None));
        assert_eq!(capacities((Vec::new(), None, RegionCode::COUNTRY), &[]), []);
    }

    #[test]
    fn one_of_ones_own_capacities_can_be_chosen_and_no_other() {
        let grants = [
            grant(1, Role::UnitOfficer, Some(7), "620000"),
            grant(2, Role::UnitApprover, Some(8), "620000"),
            grant(3, Role::Auditor, None, "430000"),
        ];
        let found = capacities((Vec::new(), None, RegionCode::COUNTRY), &grants);
        assert_eq!(found.len(), 3);
        for capacity in &found {
            assert_eq!(chosen(&found, &capacity.acting_for()).as_ref(), Ok(capacity));
        }
        assert_eq!(chosen(&found, "430000").unwrap().roles, [Role::Auditor]);
        let stranger = Id::<Unit>::new(Uuid::from_u128(9)).to_string();
        for named in ["", "620000", "430100", "x", stranger.as_str()] {
            assert_eq!(chosen(&found, named).unwrap_err().what, RefusedWhat::Capacity, "{named}");
        }
    }
}
