//! `newtype!`: what a one-field type needs to be a column, said once.

/// Stores `$name` as `$inner` in SQL: `$into` gives the stored value, `$from` reads it back.
macro_rules! newtype {
    ($name:ident $(<$g:ident>)? as $inner:ty, into: $into:expr, from: $from:expr) => {
        #[cfg(feature = "sql")]
        const _: () = {
            use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};
            impl<$($g,)? DB: Database> Type<DB> for $name $(<$g>)?
            where
                $inner: Type<DB>,
            {
                fn type_info() -> DB::TypeInfo {
                    <$inner>::type_info()
                }
                fn compatible(ty: &DB::TypeInfo) -> bool {
                    <$inner>::compatible(ty)
                }
            }
            impl<'r, $($g,)? DB: Database> Decode<'r, DB> for $name $(<$g>)?
            where
                $inner: Decode<'r, DB>,
            {
                fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                    let from: fn($inner) -> Result<Self, BoxDynError> = $from;
                    from(<$inner>::decode(value)?)
                }
            }
            impl<'q, $($g,)? DB: Database> Encode<'q, DB> for $name $(<$g>)?
            where
                $inner: Encode<'q, DB>,
            {
                fn encode_by_ref(&self, buf: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                    let into: fn(&Self) -> $inner = $into;
                    into(self).encode_by_ref(buf)
                }
            }
            impl $(<$g>)? From<$name $(<$g>)?> for sea_query::Value {
                fn from(value: $name $(<$g>)?) -> Self {
                    let into: fn(&$name $(<$g>)?) -> $inner = $into;
                    into(&value).into()
                }
            }
            impl $(<$g>)? sea_query::Nullable for $name $(<$g>)? {
                fn null() -> sea_query::Value {
                    <$inner as sea_query::Nullable>::null()
                }
            }
        };
    };
}

/// How a type that is written as a string looks in a JSON Schema.
macro_rules! string_schema {
    ($name:ident $(<$g:ident>)?, $doc:expr, $pattern:literal) => {
        #[cfg(feature = "json-schema")]
        impl $(<$g>)? schemars::JsonSchema for $name $(<$g>)? {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $doc })
            }
        }
    };
}

/// A GraphQL scalar that is written as a string and read by `FromStr`; the reason of a refusal is its error. The pattern
/// says to programs what the words say to people.
macro_rules! string_scalar {
    ($name:ident, $word:literal, $doc:literal, $pattern:literal) => {
        string_schema!($name, $doc, $pattern);
        #[cfg(feature = "graphql")]
        const _: () = {
            use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
            #[doc = $doc]
            #[Scalar(name = $word)]
            impl ScalarType for $name {
                fn parse(value: Value) -> InputValueResult<Self> {
                    match &value {
                        Value::String(text) => {
                            text.parse().map_err(|reason| InputValueError::custom(format!("{reason}")))
                        }
                        _ => Err(InputValueError::expected_type(value)),
                    }
                }
                fn to_value(&self) -> Value {
                    Value::String(self.to_string())
                }
            }
        };
    };
}
