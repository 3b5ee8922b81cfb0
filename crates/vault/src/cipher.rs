//! XChaCha20-Poly1305, and nothing else: a random nonce of 24 bytes never repeats in practice, so none is counted.
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use zeroize::Zeroizing;

use crate::VaultError;

/// A key: wiped from memory when it is dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

const NONCE: usize = 24;

/// A new random key.
pub(crate) fn new_key() -> Result<Key, VaultError> {
    let mut key = Key::default();
    getrandom::fill(key.as_mut()).map_err(VaultError::Chance)?;
    Ok(key)
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], VaultError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(VaultError::Chance)?;
    Ok(bytes)
}

/// Nonce and ciphertext of `plain`; `about` must be said again to open it. `None` when it is too long for the cipher.
pub(crate) fn seal(key: &Key, about: &str, plain: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
    let nonce: [u8; NONCE] = random()?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload { msg: plain, aad: about.as_bytes() };
    let Ok(sealed) = cipher.encrypt(&XNonce::from(nonce), payload) else { return Ok(None) };
    Ok(Some([nonce.as_slice(), &sealed].concat()))
}

/// What was sealed; `None` when key, place or text is another.
pub(crate) fn open(key: &Key, about: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let payload = Payload { msg: sealed, aad: about.as_bytes() };
    cipher.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
}
