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
    protocol::{AccessChanged, Authenticator, Refused},
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
    viewer: Viewer,
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

    async fn access(&self, authorization: Option<&str>) -> Result<Access, Refused> {
        let token = match authorization.map(str::trim) {
            None | Some("") => {
                let viewer = Viewer::anonymous();
                return Ok(Access { viewer, ends: None, until: DateTime::<Utc>::MAX_UTC });
            }
            Some(value) => match value.split_once(' ') {
                Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
                _ => return Err(Refused::token("the Authorization header is not `Bearer TOKEN`")),
            },
        };
        if token.len() > provider::TOKEN_BYTES {
            return Err(Refused::token("the token is refused: it has more than 16,384 bytes"));
        }
        let name: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (now, change) = (self.now(), *self.inner.changes.borrow());
        let known = self.inner.known().get(&name).cloned();
        if let Some(known) = known.filter(|known| known.change == change && now < known.access.until) {
            return Ok(known.access);
        }
        let access = self.found_out(token, now).await?;
        self.inner.known().put(name, Known { access: access.clone(), change });
        Ok(access)
    }

    async fn found_out(&self, token: &str, now: DateTime<Utc>) -> Result<Access, Refused> {
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
            provider
                .read(token, now)
                .await
                .map_err(|refused| if refused.unavailable { refused } else { refuse(&refused.reason) })?
        };
        let ends = claimed.until;
        let viewer = self.viewer(claimed, today).await?;
        // With the day grants begin and end.
        let ends_or_never = ends.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let until = Ord::min(now + TRUSTED, Ord::min(end_of(today), ends_or_never));
        Ok(Access { viewer, ends, until })
    }

    /// Whom the claims make, with what was granted to them here.
    async fn viewer(&self, claimed: Claimed, today: Date) -> Result<Viewer, Refused> {
        let Claimed { actor, mut roles, mut unit, mut region, method, .. } = claimed;
        let later = |error: zhixing_event_store::Error| {
            tracing::warn!(%error, "a viewer cannot be looked up");
            Refused::later("who you are cannot be looked up now")
        };
        if method == AuthenticationMethod::IdentityProvider {
            let grants = self.grants(&actor, today).await.map_err(later)?;
            (roles, unit, region) = capacity(roles, unit, region, &grants);
            // A claim that is misnamed in the settings must not make an officer of one county one of the whole country.
            if !roles.is_empty() && unit.is_none() && region.is_none() {
                let reason = "the token is refused: it names roles, but no unit or region where they hold";
                return Err(Refused::token(reason));
            }
        }
        if roles.is_empty() {
            roles.push(Role::Public);
        }
        let mut viewer =
            Viewer { actor, roles, units: Vec::new(), region: region.unwrap_or(RegionCode::COUNTRY), method };
        if let Some(id) = unit {
            let mut reader = self.inner.store.pool().reader().await.map_err(later)?;
            let units: Vec<UnitView> = reader.many(&[id.uuid()], Condition::all()).await.map_err(later)?;
            let found = units.first();
            let found = found.ok_or_else(|| Refused::token("the token is refused: there is no such unit"))?;
            let groups = reader.naming(id.uuid(), MEMBER, MOST_GROUPS).await.map_err(later)?;
            viewer.units = std::iter::once(id).chain(groups.into_iter().map(Id::new)).collect();
            viewer.region = region.unwrap_or(found.region_code);
        }
        Ok(viewer)
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

type Capacity = (Vec<Role>, Option<Id<Unit>>, Option<RegionCode>);

/// In which capacity somebody acts: for one unit, in one region. Grants for another unit or region do not add to it,
/// otherwise an officer here who audits there could audit here. Without roles in the token the oldest grant decides.
fn capacity(
    mut roles: Vec<Role>,
    mut unit: Option<Id<Unit>>,
    mut region: Option<RegionCode>,
    grants: &[RoleGrant],
) -> Capacity {
    if roles.is_empty() {
        let named = |grant: &&RoleGrant| unit.is_none() || grant.unit_id.map(|id| id.0) == unit;
        let Some(first) = grants.iter().find(named) else { return (roles, unit, region) };
        unit = first.unit_id.map(|id| id.0).or(unit);
        region = Some(first.region_code);
    }
    let of_this = grants.iter().filter(|grant| {
        let own = grant.unit_id.map(|id| id.0);
        let same_region = region.is_some_and(|region| region == grant.region_code);
        same_region && (own.is_none() || own == unit)
    });
    roles.extend(of_this.map(|grant| grant.role));
    roles.sort_unstable();
    roles.dedup();
    (roles, unit, region)
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
    type Viewer = Viewer;

    async fn authenticate(&self, authorization: Option<&str>) -> Result<Viewer, Refused> {
        self.access(authorization).await.map(|access| access.viewer)
    }

    fn changed(&self, authorization: Option<&str>, viewer: &Viewer) -> BoxFuture<'static, AccessChanged> {
        if authorization.is_none_or(|value| value.trim().is_empty()) {
            return std::future::pending().boxed();
        }
        let (identity, authorization) = (self.clone(), authorization.map(ToOwned::to_owned));
        let viewer = viewer.clone();
        let mut changes = self.inner.changes.subscribe();
        async move {
            loop {
                changes.borrow_and_update();
                let until = match identity.access(authorization.as_deref()).await {
                    Ok(access) if access.viewer == viewer => access.until,
                    Ok(_) => return AccessChanged::RolesChanged,
                    // What cannot be found out now, is asked again.
                    Err(Refused { unavailable: true, .. }) => identity.now() + TRUSTED,
                    Err(_) if identity.has_ended(authorization.as_deref()) => return AccessChanged::Expired,
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

    fn name(viewer: &Viewer) -> Option<&str> {
        (viewer.method != AuthenticationMethod::Anonymous).then_some(viewer.actor.as_str())
    }
}

impl Identity {
    /// Whether a token was taken before and has ended since.
    fn has_ended(&self, authorization: Option<&str>) -> bool {
        let token =
            authorization.and_then(|value| value.trim().split_once(' ')).map(|(_, token)| token.trim());
        let Some(token) = token else { return false };
        let name: [u8; 32] = Sha256::digest(token.as_bytes()).into();
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
        let (roles, unit, region) = capacity(Vec::new(), None, None, &grants);
        assert_eq!(roles, [Role::UnitOfficer, Role::UnitApprover, Role::Inspector]);
        assert_eq!((unit.map(Id::uuid), region), (Some(Uuid::from_u128(7)), "620000".parse().ok()));
        // The unit that the token names decides among several.
        let (roles, ..) = capacity(Vec::new(), Some(Id::new(Uuid::from_u128(8))), None, &grants);
        assert_eq!(roles, [Role::UnitApprover, Role::Inspector]);
        // Roles of the token stay in their own region.
        let there = "430000".parse().ok();
        let (roles, unit, region) = capacity(vec![Role::Inspector], None, there, &grants);
        assert_eq!((roles, unit, region), (vec![Role::Inspector, Role::Auditor], None, there));
        assert_eq!(capacity(Vec::new(), None, None, &[]).0, []);
    }
}
