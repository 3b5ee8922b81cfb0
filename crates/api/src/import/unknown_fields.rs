//! Finds the fields of a JSON text that no reader knows, so that a misspelt one is noticed.

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor, value,
};
use serde::forward_to_deserialize_any;

use super::report::{Findings, Repair};
use super::text::excerpt;

/// The fields of an object, and the shape of those that hold objects or lists of objects.
pub(super) struct Shape {
    fields: &'static [&'static str],
    inner: Vec<(&'static str, Shape)>,
}

impl Shape {
    /// The fields of `T`.
    pub(super) fn of<'de, T: Deserialize<'de>>() -> Self {
        Self { fields: fields_of::<T>(), inner: Vec::new() }
    }

    /// The same, with a closer look into one field.
    pub(super) fn with(mut self, field: &'static str, shape: Self) -> Self {
        self.inner.push((field, shape));
        self
    }
}

/// The names under which a derived struct reads its fields: it hands them to the deserializer.
pub(super) fn fields_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    struct Ask<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(value::Error::custom("asked for the fields only"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    // Always refused: only the fields matter.
    let _ = T::deserialize(Ask(&mut fields));
    fields
}

/// Adds a repair for every field that the shape does not know. The text is known to be JSON already.
pub(super) fn unknown_fields(text: &str, shape: &Shape, found: &mut Findings<Repair>) {
    let look = Look { shape, path: String::new(), row: 0, found };
    // A text that fails here has failed its reader too.
    let _ = look.deserialize(&mut serde_json::Deserializer::from_str(text));
}

struct Look<'a> {
    shape: &'a Shape,
    path: String,
    row: u32,
    found: &'a mut Findings<Repair>,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object, a list of objects, or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let top = self.row == 0;
        for i in 0_u32.. {
            let row = if top { i + 1 } else { self.row };
            let path = format!("{}[{i}]", self.path);
            if seq.next_element_seed(Look { shape: self.shape, path, row, found: self.found })?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let path =
                if self.path.is_empty() { excerpt(&key) } else { format!("{}.{}", self.path, excerpt(&key)) };
            if !self.shape.fields.contains(&key.as_str()) {
                self.found.push(Repair::new(self.row, path, &key, "ignored field"));
                map.next_value::<IgnoredAny>()?;
            } else if let Some((_, shape)) = self.shape.inner.iter().find(|(field, _)| *field == key) {
                map.next_value_seed(Look { shape, path, row: self.row, found: self.found })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}
