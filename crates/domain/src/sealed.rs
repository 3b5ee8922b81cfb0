//! Sealed fields (密封字段): what of a person is kept without being readable.
//!
//! An event and a view row hold a [`Sealed`] value: the id of the person's key and what that key has sealed, as one
//! opaque text. The domain can neither seal nor open: what comes with a command is sealed already, and what is read is
//! opened, or not, by whoever has the keys. Hashes of the log cover the sealed text, so a destroyed key breaks no proof.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, marker::PhantomData, str::FromStr};
use uuid::Uuid;

/// What a sealed field is about. Its name is part of the seal, so a sealed text fits no other field.
pub trait Confidential: 'static {
    /// The name of the field, such as `informer.phone`; never changes once something was sealed.
    const FIELD: &'static str;
}

/// Something of a person, sealed under a key of their own.
pub struct Sealed<T> {
    key: Uuid,
    text: String,
    about: PhantomData<fn() -> T>,
}

/// Begins every sealed text; another way of sealing gets another beginning.
const FORM: &str = "sealed1";
/// Most characters of a sealed text: much more than the longest field needs.
const MOST: usize = 4_096;
const NOT_SEALED: &str = "is not a sealed text";

impl<T> Sealed<T> {
    /// What the key with this id has sealed: nonce and ciphertext in base64url without padding.
    ///
    /// # Errors
    /// When it has another form or is too long.
    pub fn new(key: Uuid, body: &str) -> Result<Self, &'static str> {
        format!("{FORM}.{}.{body}", key.simple()).parse()
    }
    /// The id of the key that opens it.
    pub fn key(&self) -> Uuid {
        self.key
    }
    /// Nonce and ciphertext in base64url without padding.
    pub fn body(&self) -> &str {
        self.text.rsplit('.').next().unwrap_or_default()
    }
}

impl<T> FromStr for Sealed<T> {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.');
        let (Some(FORM), Some(key), Some(body), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NOT_SEALED);
        };
        let base64 = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.len() > MOST || key.len() != 32 || body.is_empty() || !body.bytes().all(base64) {
            return Err(NOT_SEALED);
        }
        let key = Uuid::try_parse(key).map_err(|_| NOT_SEALED)?;
        Ok(Self { key, text: text.to_owned(), about: PhantomData })
    }
}

impl<T> fmt::Display for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
impl<T> fmt::Debug for Sealed<T> {
    /// The key alone: what is sealed is nothing for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({})", self.key)
    }
}
impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self { key: self.key, text: self.text.clone(), about: PhantomData }
    }
}
impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl<T> Eq for Sealed<T> {}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}
impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

string_schema!(
    Sealed<T>,
    "Something of a person, sealed under a key of their own (密封字段): it cannot be read from the event.",
    r"^sealed1\.[0-9a-f]{32}\.[A-Za-z0-9_-]+$"
);
newtype!(Sealed<T> as String, into: |sealed| sealed.text.clone(), from: |text| Ok(text.parse()?));

#[cfg(test)]
mod tests {
    use super::*;

    enum Name {}

    #[test]
    fn a_sealed_text_is_read_as_it_is_written() {
        let sealed = Sealed::<Name>::new(Uuid::from_u128(7), "AbC-_9").unwrap();
        assert_eq!(sealed.to_string(), "sealed1.00000000000000000000000000000007.AbC-_9");
        assert_eq!((sealed.key(), sealed.body()), (Uuid::from_u128(7), "AbC-_9"));
        let json = serde_json::to_string(&sealed).unwrap();
        assert_eq!(serde_json::from_str::<Sealed<Name>>(&json).unwrap(), sealed);
        assert_eq!(format!("{sealed:?}"), "Sealed(00000000-0000-0000-0000-000000000007)");
    }

    #[test]
    fn nothing_else_is_a_sealed_text() {
        let key = "0".repeat(32);
        let long = format!("sealed1.{key}.{}", "A".repeat(MOST));
        for text in [
            "",
            "张三",
            "sealed1",
            &format!("sealed2.{key}.AAAA"),
            &format!("sealed1.{key}."),
            &format!("sealed1.{key}.AA+A"),
            &format!("sealed1.{key}.AA.AA"),
            &format!("sealed1.{}.AAAA", &key[1..]),
            &format!("sealed1.{}g.AAAA", &key[1..]),
            &long,
        ] {
            assert_eq!(text.parse::<Sealed<Name>>(), Err(NOT_SEALED), "{text:.60}");
        }
    }
}
