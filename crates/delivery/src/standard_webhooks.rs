//! Signatures by Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): what signs, and what a receiver checks.
//!
//! What is signed is `ID.TIMESTAMP.BODY`, with the three as they are sent. `webhook-signature` lists what every valid secret
//! says of it, separated by blanks: `v1a,` and an Ed25519 signature, or `v1,` and an HMAC-SHA256, in base64. While secrets
//! overlap a delivery has both, so a receiver changes over when it likes.
use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer, SigningKey as Ed25519, Verifier, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;
use zhixing_domain::integration::event_subscription::SignatureScheme;

/// Names the delivery; a delivery that is tried again has the same.
pub const ID: &str = "webhook-id";
/// When it was signed: seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// What the secrets say of it.
pub const SIGNATURE: &str = "webhook-signature";

const PRIVATE: &str = "whsk_";
const PUBLIC: &str = "whpk_";
const SHARED: &str = "whsec_";

/// Why a secret cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The machine gives no random numbers.
    #[error("the machine gives no random numbers")]
    NoRandomness,
    /// It is not written as a secret.
    #[error("it is no secret of Standard Webhooks (whsk_ or whsec_ and 32 bytes in base64)")]
    Form,
}

/// What signs deliveries. It is wiped from memory when it is dropped.
pub struct Secret {
    scheme: SignatureScheme,
    bytes: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.scheme).finish()
    }
}

impl Secret {
    /// A new secret.
    ///
    /// # Errors
    /// When the machine gives no random numbers.
    pub fn generate(scheme: SignatureScheme) -> Result<Self, SecretError> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).map_err(|_| SecretError::NoRandomness)?;
        Ok(Self { scheme, bytes })
    }

    /// Reads what [`Self::reveal`] wrote.
    ///
    /// # Errors
    /// [`SecretError::Form`] when it is something else.
    pub fn read(text: &str) -> Result<Self, SecretError> {
        let (scheme, rest) = if let Some(rest) = text.strip_prefix(PRIVATE) {
            (SignatureScheme::Ed25519, rest)
        } else {
            (SignatureScheme::HmacSha256, text.strip_prefix(SHARED).ok_or(SecretError::Form)?)
        };
        let decoded = Zeroizing::new(STANDARD.decode(rest).map_err(|_| SecretError::Form)?);
        let mut bytes = Zeroizing::new([0; 32]);
        if decoded.len() != bytes.len() {
            return Err(SecretError::Form);
        }
        bytes.copy_from_slice(&decoded);
        Ok(Self { scheme, bytes })
    }

    /// The secret as text, for sealing it and for the one receiver that shares it.
    pub fn reveal(&self) -> Zeroizing<String> {
        let prefix = match self.scheme {
            SignatureScheme::Ed25519 => PRIVATE,
            SignatureScheme::HmacSha256 => SHARED,
        };
        let encoded = Zeroizing::new(STANDARD.encode(*self.bytes));
        Zeroizing::new(format!("{prefix}{}", *encoded))
    }

    /// What anybody can check its signatures with; a shared secret has nothing of the sort.
    pub fn public(&self) -> Option<String> {
        let key = || Ed25519::from_bytes(&self.bytes).verifying_key();
        match self.scheme {
            SignatureScheme::Ed25519 => Some(format!("{PUBLIC}{}", STANDARD.encode(key().as_bytes()))),
            SignatureScheme::HmacSha256 => None,
        }
    }

    /// What it says of a delivery: one entry of [`SIGNATURE`].
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signed = content(id, timestamp, body);
        match self.scheme {
            SignatureScheme::Ed25519 => {
                let signature = Ed25519::from_bytes(&self.bytes).sign(&signed);
                format!("v1a,{}", STANDARD.encode(signature.to_bytes()))
            }
            SignatureScheme::HmacSha256 => {
                let code = authentication(&self.bytes, &signed).finalize().into_bytes();
                format!("v1,{}", STANDARD.encode(code))
            }
        }
    }
}

fn content(id: &str, timestamp: i64, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{id}.{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

fn authentication(key: &[u8; 32], signed: &[u8]) -> Hmac<Sha256> {
    // HMAC fills a key up with zeros to the length of a block.
    let mut block = Zeroizing::new([0; 64]);
    block[..key.len()].copy_from_slice(key);
    let mut code = <Hmac<Sha256> as KeyInit>::new(&(*block).into());
    code.update(signed);
    code
}

/// Whether one of the signatures of a delivery is by the owner of a public key (`whpk_…`) or of a shared secret (`whsec_…`).
pub fn is_signed_by(key: &str, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
    let signed = content(id, timestamp, body);
    let said = |version: &str| {
        let decode = |entry: &str| STANDARD.decode(entry.strip_prefix(version)?).ok();
        signatures.split(' ').filter_map(decode).collect::<Vec<_>>()
    };
    if let Some(key) = key.strip_prefix(PUBLIC) {
        let Some(bytes) = STANDARD.decode(key).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()) else {
            return false;
        };
        let Ok(key) = VerifyingKey::from_bytes(&bytes) else { return false };
        let is_good = |bytes: &Vec<u8>| {
            ed25519_dalek::Signature::from_slice(bytes)
                .is_ok_and(|signature| key.verify(&signed, &signature).is_ok())
        };
        return said("v1a,").iter().any(is_good);
    }
    let Ok(secret) = Secret::read(key) else { return false };
    let is_good = |bytes: &Vec<u8>| authentication(&secret.bytes, &signed).verify_slice(bytes).is_ok();
    secret.scheme == SignatureScheme::HmacSha256 && said("v1,").iter().any(is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_holds() {
        // From the specification's libraries: the secret, the message and its signature.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(Secret::read(secret).err(), Some(SecretError::Form), "24 bytes: ours have 32");
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut code = <Hmac<Sha256> as KeyInit>::new_from_slice(&key).unwrap();
        code.update(&content("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#));
        assert_eq!(
            STANDARD.encode(code.finalize().into_bytes()),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_signed_is_recognised_and_nothing_else() {
        for scheme in SignatureScheme::ALL {
            let secret = Secret::generate(*scheme).unwrap();
            let other = Secret::generate(*scheme).unwrap();
            let key = secret.public().unwrap_or_else(|| secret.reveal().to_string());
            let both = format!("{} {}", other.sign("1", 7, b"body"), secret.sign("1", 7, b"body"));
            assert!(is_signed_by(&key, "1", 7, b"body", &both), "{scheme}");
            assert!(!is_signed_by(&key, "2", 7, b"body", &both), "{scheme}");
            assert!(!is_signed_by(&key, "1", 8, b"body", &both), "{scheme}");
            assert!(!is_signed_by(&key, "1", 7, b"Body", &both), "{scheme}");
            assert!(!is_signed_by(&key, "1", 7, b"body", &other.sign("1", 7, b"body")), "{scheme}");
            assert!(!is_signed_by("whpk_AA==", "1", 7, b"body", &both), "{scheme}");
        }
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_never_shown_by_mistake() {
        for scheme in SignatureScheme::ALL {
            let secret = Secret::generate(*scheme).unwrap();
            let again = Secret::read(&secret.reveal()).unwrap();
            assert_eq!((again.scheme, again.bytes), (secret.scheme, secret.bytes.clone()));
            assert_eq!(format!("{secret:?}"), format!("Secret({scheme:?})"));
        }
        for text in ["", "whsec_", "whsk_AA==", "whpk_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert_eq!(Secret::read(text).err(), Some(SecretError::Form), "{text}");
        }
    }
}
