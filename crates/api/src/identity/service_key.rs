//! Tokens of connected systems: `zxk_ID_SECRET`. The log knows the digest of the secret only.
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zhixing_domain::{Date, Id, access::service_key::ServiceKeyStatus, policy::AuthenticationMethod};
use zhixing_event_store::{EventStore, Pool, clock};

use super::{Claimed, Refused, end_of};
use crate::graphql::service_key::ServiceKey;

/// What every token of a connected system begins with, so that scanners find one that was published by mistake.
pub(super) const PREFIX: &str = "zxk_";

/// The secret of a key: 32 random bytes, as base64url.
pub struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn new() -> Result<Self, String> {
        let bytes = clock::random::<32>().map_err(|error| error.to_string())?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }
    /// Its digest, which the log keeps. It needs no salt and no stretching: nobody guesses 256 random bits.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
    /// Whether a digest is its own.
    pub fn is_of(&self, digest: &str) -> bool {
        same(hex::encode(self.digest()).as_bytes(), digest.as_bytes())
    }
    /// What a connected system sends.
    pub fn token(&self, id: Uuid) -> String {
        format!("{PREFIX}{}_{}", id.simple(), self.0)
    }
}

/// Compares without telling by its time how much is right.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Who sends this token.
pub(super) async fn read(store: &EventStore, token: &str, today: Date) -> Result<Claimed, Refused> {
    let refused = || Refused::token("the service key is not known, has expired or was revoked");
    let (id, secret) = token
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('_'))
        .and_then(|(id, secret)| Some((Uuid::try_parse(id).ok()?, secret)))
        .ok_or_else(refused)?;
    let key = find(store.pool(), id).await?.ok_or_else(refused)?;
    let is_right = Secret(secret.to_owned()).is_of(&key.digest);
    if !is_right || key.status != ServiceKeyStatus::Issued || key.expires_on < today {
        return Err(refused());
    }
    Ok(Claimed {
        actor: format!("key:{}", Id::<zhixing_domain::access::service_key::ServiceKey>::new(id)),
        roles: key.roles.to_vec(),
        unit: Some(key.unit_id.0),
        region: Some(key.region_code),
        method: AuthenticationMethod::ServiceKey,
        until: Some(end_of(key.expires_on)),
    })
}

async fn find(pool: &Pool, id: Uuid) -> Result<Option<ServiceKey>, Refused> {
    let found = pool.many::<ServiceKey>(&[id]).await;
    found.map(|mut keys| keys.pop()).map_err(|error| {
        tracing::warn!(%error, "a service key cannot be looked up");
        Refused::later("service keys cannot be looked up now")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_digest_and_never_printed() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let digest = hex::encode(one.digest());
        assert!(one.is_of(&digest) && !other.is_of(&digest) && !one.is_of(&digest[..62]) && !one.is_of(""));
        assert_eq!(format!("{one:?}"), "Secret(…)");
        assert_eq!(one.token(Uuid::nil()).len(), PREFIX.len() + 32 + 1 + 43);
    }
}
