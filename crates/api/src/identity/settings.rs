//! Which identity providers are trusted, and what their tokens say.
use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use zhixing_domain::Role;

/// Identity providers (身份提供方), in the file of settings as `[[identity.providers]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentitySettings {
    /// At most ten.
    pub providers: Vec<ProviderSettings>,
}

/// One identity provider (OpenID Connect) and what its tokens say.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its short name, which stands before the subject of its tokens on events: `gov` in `gov:248289761001`. Letters,
    /// digits and hyphens, at most 20; not `dev`, `key` or `system`.
    pub name: String,
    /// Its issuer, exactly as its tokens have it. `https`, but for loopback addresses.
    pub issuer: String,
    /// The audience that tokens must be meant for.
    pub audience: String,
    /// Algorithms that tokens may be signed with; asymmetric ones only.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Seconds that clocks may differ, at most 300.
    #[serde(default = "skew")]
    pub clock_skew_seconds: u64,
    /// Seconds that its keys are taken without asking again.
    #[serde(default = "fresh")]
    pub keys_fresh_seconds: u64,
    /// Seconds between two questions for keys at least, however many tokens name a key that is not known.
    #[serde(default = "pause")]
    pub keys_pause_seconds: u64,
    /// Which claims say what.
    #[serde(default)]
    pub claims: ClaimSettings,
    /// Its words for roles: `{ "quality-office" = "LEADING_GROUP_OFFICE" }`. Words of this service need no entry unless
    /// there is any.
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
}

/// Which claims of a token say what: names, or paths with dots such as `realm_access.roles`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimSettings {
    /// Who it is; stable for ever.
    pub subject: String,
    /// A word or a list of words for their roles. Roles granted here come on top.
    pub roles: String,
    /// The id of the unit that they work for.
    pub unit: String,
    /// The GB/T 2260 code of the region where their authority ends; that of the unit when it is left out. A token
    /// that names roles, but neither, is refused.
    pub region: String,
}

impl Default for ClaimSettings {
    fn default() -> Self {
        Self { subject: "sub".into(), roles: "roles".into(), unit: "unit".into(), region: "region".into() }
    }
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA]
}
const fn skew() -> u64 {
    60
}
const fn fresh() -> u64 {
    600
}
const fn pause() -> u64 {
    30
}

/// Most providers.
const MOST: usize = 10;
/// Most seconds that clocks may differ.
const MOST_SKEW: u64 = 300;
const TAKEN: [&str; 3] = ["dev", "key", "system"];

impl IdentitySettings {
    /// Whether they can be trusted as they stand.
    ///
    /// # Errors
    /// What is wrong, with the name of the setting.
    pub fn check(&self) -> Result<(), String> {
        if self.providers.len() > MOST {
            return Err(format!("identity.providers: there are more than {MOST}"));
        }
        for (at, provider) in self.providers.iter().enumerate() {
            let wrong = |field: &str, reason: &str| Err(format!("identity.providers[{at}].{field} {reason}"));
            let name = &provider.name;
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if name.is_empty() || name.len() > 20 || !plain || TAKEN.contains(&name.as_str()) {
                return wrong("name", "is not 1 to 20 letters, digits and hyphens, or is taken");
            }
            let others = &self.providers[..at];
            if others.iter().any(|other| other.name == *name || other.issuer == provider.issuer) {
                return wrong("name", "or its issuer stands twice");
            }
            if !is_safe(&provider.issuer) {
                return wrong("issuer", "is not an https address (http works on loopback addresses only)");
            }
            if provider.audience.is_empty() {
                return wrong("audience", "must not be empty");
            }
            let symmetric = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
            if provider.algorithms.is_empty() || provider.algorithms.iter().any(|one| symmetric.contains(one))
            {
                return wrong("algorithms", "are not one or more asymmetric ones");
            }
            if provider.clock_skew_seconds > MOST_SKEW {
                return wrong("clock_skew_seconds", "is more than 300");
            }
            let granted = provider.roles.values().any(|role| matches!(role, Role::Scheduler));
            if granted {
                return wrong("roles", "give SCHEDULER, which is the service's own");
            }
        }
        Ok(())
    }
}

/// Whether an address can be asked without anybody in between: `https`, or this machine itself.
pub(super) fn is_safe(address: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(address) else { return false };
    let local = match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    };
    url.scheme() == "https" && url.host_str().is_some() || url.scheme() == "http" && local
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(change: impl FnOnce(&mut ProviderSettings)) -> IdentitySettings {
        let toml = r#"{ "name": "gov", "issuer": "https://id.example.gov.cn/", "audience": "zhixing" }"#;
        let mut provider: ProviderSettings = serde_json::from_str(toml).unwrap();
        change(&mut provider);
        IdentitySettings { providers: vec![provider] }
    }

    #[test]
    fn what_cannot_be_trusted_is_named() {
        type Change = fn(&mut ProviderSettings);
        assert_eq!(settings(|_| {}).check(), Ok(()));
        assert_eq!(settings(|p| p.issuer = "http://127.0.0.1:9000".into()).check(), Ok(()));
        let cases: [(&str, Change); 8] = [
            ("issuer", |p| p.issuer = "http://id.example.gov.cn/".into()),
            ("issuer", |p| p.issuer = "id".into()),
            ("name", |p| p.name = "dev".into()),
            ("name", |p| p.name = "a:b".into()),
            ("audience", |p| p.audience.clear()),
            ("algorithms", |p| p.algorithms = vec![Algorithm::HS256]),
            ("clock_skew_seconds", |p| p.clock_skew_seconds = 301),
            ("roles", |p| {
                p.roles.insert("clock".into(), Role::Scheduler);
            }),
        ];
        for (field, change) in cases {
            let refused = settings(change).check().unwrap_err();
            assert!(refused.contains(&format!("[0].{field}")), "{field}: {refused}");
        }
    }
}
