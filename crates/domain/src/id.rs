//! `Id<Plan>` is not an `Id<Task>`.
//!
//! Inside (log, views, domain) an id is a UUID. Outside it is opaque: base64url of one format byte, one byte for the
//! kind and the sixteen bytes of the UUID, so that a client can neither guess nor mix up ids.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, hash, marker::PhantomData, str::FromStr};
use uuid::Uuid;

use crate::{Aggregate, Kind};

/// The identity of one aggregate of type `T`.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

/// First byte of every id that leaves the service. A new format gets a new byte, old ids stay readable.
const FORMAT: u8 = 1;

impl<T> Id<T> {
    /// The id with this UUID.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }
    /// The UUID inside.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// An id of a kind known only at run time, as GraphQL's `node(id:)` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalId {
    /// What it is an id of.
    pub kind: Kind,
    /// The UUID inside.
    pub uuid: Uuid,
}

impl fmt::Display for GlobalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 18];
        bytes[0] = FORMAT;
        bytes[1] = self.kind.code();
        bytes[2..].copy_from_slice(self.uuid.as_bytes());
        // 18 bytes are exactly 24 characters: no padding.
        for chunk in bytes.chunks_exact(3) {
            let word = u32::from(chunk[0]) << 16 | u32::from(chunk[1]) << 8 | u32::from(chunk[2]);
            for shift in [18, 12, 6, 0] {
                write!(f, "{}", char::from(ALPHABET[(word >> shift & 63) as usize]))?;
            }
        }
        Ok(())
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const NOT_AN_ID: &str = "is not an id of this service";

impl FromStr for GlobalId {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 24 {
            return Err(NOT_AN_ID);
        }
        let mut bytes = [0_u8; 18];
        for (chunk, out) in text.as_bytes().chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
            let mut word = 0_u32;
            for byte in chunk {
                let digit = ALPHABET.iter().position(|letter| letter == byte).ok_or(NOT_AN_ID)?;
                word = word << 6 | u32::try_from(digit).map_err(|_| NOT_AN_ID)?;
            }
            out.copy_from_slice(&word.to_be_bytes()[1..]);
        }
        match (bytes[0], Kind::from_code(bytes[1]), Uuid::from_slice(&bytes[2..])) {
            (FORMAT, Some(kind), Ok(uuid)) => Ok(Self { kind, uuid }),
            _ => Err(NOT_AN_ID),
        }
    }
}

impl Serialize for GlobalId {
    /// As it leaves the service, like [`Id`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for GlobalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
impl<T: Aggregate> From<Id<T>> for GlobalId {
    fn from(id: Id<T>) -> Self {
        Self { kind: T::KIND, uuid: id.0 }
    }
}
impl<T: Aggregate> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        GlobalId::from(*self).fmt(f)
    }
}
impl<T: Aggregate> FromStr for Id<T> {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // The id itself stands at the end: whoever shows the words can tell which argument is meant.
        let id: GlobalId = text.parse().map_err(|reason: &str| match text.len() {
            0..=24 => format!("{reason}: {text}"),
            _ => reason.to_owned(),
        })?;
        if id.kind == T::KIND {
            Ok(Self::new(id.uuid))
        } else {
            Err(format!("is the id of a {}, not of a {}: {text}", id.kind.name(), T::KIND.name()))
        }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<T: Aggregate> Serialize for Id<T> {
    /// As it leaves the service: payloads of events carry the ids that GraphQL knows.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de, T: Aggregate> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An [`Id`] as a column of a view row: a UUID in JSON, so that the databases read it as one.
#[derive(Debug)]
pub struct Key<T>(pub Id<T>);

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Key<T> {}
impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Key<T> {}
impl<T: Aggregate> fmt::Display for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<T> Serialize for Key<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.0.serialize(serializer)
    }
}
impl<'de, T> Deserialize<'de> for Key<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(|uuid| Self(Id::new(uuid)))
    }
}
newtype!(Key<T> as Uuid, into: |key| key.0.0, from: |uuid| Ok(Self(Id::new(uuid))));

string_schema!(GlobalId, "Global id of an object, as GraphQL knows it.", "^[A-Za-z0-9_-]{24}$");
#[cfg(feature = "json-schema")]
impl<T: Aggregate> schemars::JsonSchema for Id<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}Id", T::KIND.name()).into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let description =
            format!("Global id of an object of the kind {} ({}).", T::KIND.name(), T::KIND.term());
        schemars::json_schema!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{24}$", "description": description })
    }
}

newtype!(Id<T> as Uuid, into: |id| id.0, from: |uuid| Ok(Self::new(uuid)));

#[cfg(feature = "graphql")]
mod graphql {
    use super::{Aggregate, GlobalId, Id, Key};
    use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(value: &Value) -> Result<T, String> {
        let Value::String(text) = value else { return Err("is not an id of this service".into()) };
        text.parse().map_err(|reason| format!("{reason}"))
    }

    #[Scalar(name = "ID")]
    impl<T: Aggregate> ScalarType for Id<T> {
        fn parse(value: Value) -> InputValueResult<Self> {
            read(&value).map_err(InputValueError::custom)
        }
        fn to_value(&self) -> Value {
            Value::String(self.to_string())
        }
    }
    #[Scalar(name = "ID")]
    impl<T: Aggregate> ScalarType for Key<T> {
        fn parse(value: Value) -> InputValueResult<Self> {
            read(&value).map(Key).map_err(InputValueError::custom)
        }
        fn to_value(&self) -> Value {
            Value::String(self.to_string())
        }
    }
    #[Scalar(name = "ID")]
    impl ScalarType for GlobalId {
        fn parse(value: Value) -> InputValueResult<Self> {
            read(&value).map_err(InputValueError::custom)
        }
        fn to_value(&self) -> Value {
            Value::String(self.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programme::{plan::Plan, task::Task};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_survives_its_way_out_and_in(bytes: [u8; 16]) {
            let id = Id::<Task>::new(Uuid::from_bytes(bytes));
            prop_assert_eq!(id.to_string().parse::<Id<Task>>(), Ok(id));
            prop_assert!(id.to_string().parse::<Id<Plan>>().is_err());
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,40}") {
            if let Ok(id) = text.parse::<GlobalId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        /// Of the format and a kind that exist, so that what follows them is looked at too.
        #[test]
        fn no_two_texts_are_one_id(kind in 0..Kind::ALL.len(), bytes: [u8; 16], at in 0..24_usize, with in "[A-Za-z0-9_=+/-]") {
            let mut text = GlobalId { kind: Kind::ALL[kind], uuid: Uuid::from_bytes(bytes) }.to_string();
            text.replace_range(at..=at, &with);
            if let Ok(id) = text.parse::<GlobalId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
