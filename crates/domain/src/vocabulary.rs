//! `vocabulary!`: a closed set of words, spelled once — in Rust, JSON, SQL and GraphQL.
//!
//! Words are written in capitals everywhere (`IN_FORCE`), as GraphQL writes enum values. The doc line of every
//! word carries the Chinese term.

macro_rules! vocabulary {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal, $term:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "graphql", derive(async_graphql::Enum))]
        pub enum $name {
            $($(#[$vmeta])* #[doc = $term] #[serde(rename = $word)] #[cfg_attr(feature = "graphql", graphql(name = $word))] $variant),+
        }

        impl $name {
            /// Every word, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word as it stands in JSON, SQL and GraphQL.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The Chinese term.
            pub const fn term(self) -> &'static str {
                match self { $(Self::$variant => $term),+ }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("is not one of {}", [$($word),+].join(", "))),
                }
            }
        }
        #[cfg(feature = "json-schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let terms = [$(concat!($word, " ", $term)),+].join(", ");
                schemars::json_schema!({ "type": "string", "enum": [$($word),+], "description": terms })
            }
        }
        newtype!($name as String, into: |word| word.as_str().to_owned(), from: |word| Ok(word.parse::<$name>()?));
    };
}
