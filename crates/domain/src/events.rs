//! `events!`: what can happen to one kind of object, spelled once — in Rust, in the log and in the catalogue of events.
//!
//! The doc line of every event carries its Chinese term. A variant is stored as `{"type": "<Kind><Variant>", "data": …}`.

macro_rules! events {
    (
        $(#[$meta:meta])*
        $visible:vis enum $name:ident {
            $(
                #[doc = $term:literal]
                $(#[$vmeta:meta])*
                $variant:ident $({ $($fields:tt)* })? $(($($payload:tt)*))?
            ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
        #[serde(tag = "type", content = "data", rename_all_fields = "camelCase")]
        #[allow(missing_docs, reason = "fields are those of the commands")]
        $visible enum $name {
            $(#[doc = $term] $(#[$vmeta])* $variant $({ $($fields)* })? $(($($payload)*))?),+
        }
        impl crate::Event for $name {
            const TYPES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($variant), $term.trim_ascii_start())),+];
        }
    };
}
