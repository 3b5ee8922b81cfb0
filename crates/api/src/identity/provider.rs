//! An identity provider (OpenID Connect): its keys, found by discovery and changed as it changes them, and its tokens.
//!
//! The key set is asked for when it is older than the settings say or a token names a key that is not known; never more
//! often than the pause in the settings, and by one request at a time. When the provider does not answer, the keys that
//! are known are taken for a day more.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{
    DecodingKey, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet, PublicKeyUse},
};
use reqwest::{Client, redirect};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use zhixing_domain::{Id, RegionCode, Role, organisation::unit::Unit, policy::AuthenticationMethod};

use super::{
    Claimed, Refused,
    settings::{ProviderSettings, is_safe},
};

/// Most bytes of a token.
pub(super) const TOKEN_BYTES: usize = 16 * 1024;
/// Most bytes of what a provider answers.
const ANSWER_BYTES: usize = 512 * 1024;
/// Most keys of a provider.
const MOST_KEYS: usize = 100;
/// Most characters of a subject.
const SUBJECT: usize = 150;
/// Most roles of a token that are looked at.
const MOST_ROLES: usize = 200;
/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long keys are taken after they were to be asked for again, while the provider does not answer.
const STALE: Duration = Duration::from_hours(24);

/// An identity provider that is trusted.
#[derive(Debug)]
pub(super) struct Provider {
    settings: ProviderSettings,
    client: Client,
    /// Held while keys are asked for, so that one request does it for all.
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    set: Option<(Arc<JwkSet>, Instant)>,
    asked: Option<Instant>,
}

/// What discovery says.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl Provider {
    /// A provider, not asked yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(settings: ProviderSettings) -> Result<Self, reqwest::Error> {
        let client =
            Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { settings, client, keys: Mutex::default() })
    }

    /// Whether a token that names this issuer is its own.
    pub(super) fn is(&self, issuer: &str) -> bool {
        self.settings.issuer == issuer
    }

    /// Who a token says they are.
    ///
    /// # Errors
    /// Why it is not taken.
    pub(super) async fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Claimed, Refused> {
        let header = decode_header(token).map_err(|_| Refused::token("it is no signed token (JWT)"))?;
        if !self.settings.algorithms.contains(&header.alg) {
            return Err(Refused::token("it is signed with an algorithm that is not taken here"));
        }
        let typed = header.typ.as_deref().is_none_or(|typ| {
            let typ = typ.to_ascii_lowercase();
            typ == "jwt" || typ == "at+jwt" || typ == "application/at+jwt"
        });
        if !typed {
            return Err(Refused::token("it is not an access token"));
        }
        let key = self.key(header.kid.as_deref(), header.alg).await?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The one clock of the program is asked below, not that of the library.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims = decode::<Value>(token, &key, &validation).map_err(|error| {
            use jsonwebtoken::errors::ErrorKind;
            Refused::token(match error.kind() {
                ErrorKind::InvalidSignature => "its signature does not hold",
                ErrorKind::InvalidAudience => "it is meant for another audience",
                ErrorKind::InvalidIssuer => "it is of another issuer",
                ErrorKind::MissingRequiredClaim(_) => "it lacks exp, iss or aud",
                _ => "it cannot be verified",
            })
        })?;
        self.claimed(&claims.claims, now)
    }

    fn claimed(&self, claims: &Value, now: DateTime<Utc>) -> Result<Claimed, Refused> {
        let skew = i64::try_from(self.settings.clock_skew_seconds).unwrap_or(0);
        let instant = |name: &str| claims.get(name).and_then(seconds);
        let until = instant("exp").ok_or_else(|| Refused::token("its exp is no time"))?;
        if until + skew < now.timestamp() {
            return Err(Refused::token("it has expired"));
        }
        if instant("nbf").is_some_and(|from| from - skew > now.timestamp()) {
            return Err(Refused::token("it does not hold yet"));
        }
        let ProviderSettings { name, claims: names, .. } = &self.settings;
        let text = |path: &str| found(claims, path).and_then(Value::as_str);
        let subject = text(&names.subject).filter(|subject| {
            (1..=SUBJECT).contains(&subject.len()) && !subject.chars().any(char::is_control)
        });
        let subject = subject.ok_or_else(|| Refused::token("it does not say who it is of"))?;
        let unit = text(&names.unit).map(str::parse::<Id<Unit>>).transpose();
        let region = text(&names.region).map(str::parse::<RegionCode>).transpose();
        Ok(Claimed {
            actor: format!("{name}:{subject}"),
            roles: self.roles(found(claims, &names.roles)),
            unit: unit.map_err(|reason| Refused::token(&format!("its unit {reason}")))?,
            region: region.map_err(|reason| Refused::token(&format!("its region {reason}")))?,
            method: AuthenticationMethod::IdentityProvider,
            until: DateTime::from_timestamp(until + skew, 0),
        })
    }

    /// The roles that a claim names; words that mean nothing here are passed over.
    fn roles(&self, claim: Option<&Value>) -> Vec<Role> {
        let words: Vec<&str> = match claim {
            Some(Value::String(word)) => word.split_whitespace().collect(),
            Some(Value::Array(words)) => words.iter().take(MOST_ROLES).filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let known = |word: &str| match self.settings.roles.get(word) {
            Some(role) => Some(*role),
            None if self.settings.roles.is_empty() => word.parse().ok(),
            None => None,
        };
        let mut roles: Vec<Role> = words.into_iter().filter_map(known).collect();
        roles.retain(|role| *role != Role::Scheduler);
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// The key of this name for this algorithm.
    async fn key(&self, kid: Option<&str>, alg: jsonwebtoken::Algorithm) -> Result<DecodingKey, Refused> {
        let mut keys = self.keys.lock().await;
        let fresh = Duration::from_secs(self.settings.keys_fresh_seconds);
        let known = keys.set.as_ref().filter(|(_, read)| read.elapsed() < fresh);
        let found = known.and_then(|(set, _)| find(set, kid, alg));
        if let Some(key) = found {
            return key;
        }
        let pause = Duration::from_secs(self.settings.keys_pause_seconds);
        if keys.asked.is_none_or(|asked| asked.elapsed() >= pause) {
            keys.asked = Some(Instant::now());
            match self.fetch().await {
                Ok(set) => keys.set = Some((Arc::new(set), Instant::now())),
                Err(reason) => {
                    tracing::warn!(
                        issuer = self.settings.issuer,
                        reason,
                        "the keys of a provider cannot be read"
                    );
                }
            }
        }
        let usable = keys.set.as_ref().filter(|(_, read)| read.elapsed() < fresh + STALE);
        match usable {
            Some((set, _)) => find(set, kid, alg)
                .unwrap_or_else(|| Err(Refused::token("its key is not one of the provider's"))),
            None => Err(Refused::later("the identity provider does not answer")),
        }
    }

    async fn fetch(&self) -> Result<JwkSet, String> {
        let base = self.settings.issuer.trim_end_matches('/');
        let discovered: Discovered = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
        if discovered.issuer != self.settings.issuer {
            return Err(format!("discovery names another issuer: {}", discovered.issuer));
        }
        if !is_safe(&discovered.jwks_uri) {
            return Err("the keys are not to be had over https".into());
        }
        let mut set: JwkSet = self.get(&discovered.jwks_uri).await?;
        set.keys.truncate(MOST_KEYS);
        Ok(set)
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, address: &str) -> Result<T, String> {
        let failed = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.client.get(address).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(format!("answered {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES {
                return Err(format!("answered more than {ANSWER_BYTES} bytes"));
            }
            bytes.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&bytes).map_err(|error| error.to_string())
    }
}

/// The issuer that a token names; nothing is verified yet.
pub(super) fn issuer(token: &str) -> Option<String> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice::<Issuer>(&bytes).ok().map(|issuer| issuer.iss)
}

/// The key in a set: by name; without a name, the only one that fits.
fn find(
    set: &JwkSet,
    kid: Option<&str>,
    alg: jsonwebtoken::Algorithm,
) -> Option<Result<DecodingKey, Refused>> {
    let signs = |key: &&Jwk| {
        let for_signatures = key.common.public_key_use.as_ref().is_none_or(|u| *u == PublicKeyUse::Signature);
        let own = key.common.key_algorithm.is_none_or(|own| own.to_string() == format!("{alg:?}"));
        for_signatures && own
    };
    let mut fitting = set.keys.iter().filter(signs).filter(|key| match kid {
        Some(kid) => key.common.key_id.as_deref() == Some(kid),
        None => true,
    });
    let key = fitting.next()?;
    if kid.is_none() && fitting.next().is_some() {
        return Some(Err(Refused::token("it does not name its key, and the provider has several")));
    }
    Some(DecodingKey::from_jwk(key).map_err(|_| Refused::token("its key cannot be used")))
}

/// Seconds since 1970, from a whole number or one with a fraction.
fn seconds(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
    value.as_i64().or_else(|| {
        value.as_f64().filter(|seconds| (0.0..1e11).contains(seconds)).map(|seconds| seconds as i64)
    })
}

/// The claim at a name or a path with dots.
fn found<'v>(claims: &'v Value, path: &str) -> Option<&'v Value> {
    claims.get(path).or_else(|| path.split('.').try_fold(claims, |value, name| value.get(name)))
}
