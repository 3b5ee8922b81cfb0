//! Decimal numbers as officials write them: exact, never a binary float.
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An exact decimal of up to 28 digits, ten of them behind the point. In JSON, SQL and GraphQL it is a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(Decimal);

const MOST_DIGITS_BEHIND_THE_POINT: u32 = 10;
const MOST_CHARACTERS: usize = 40;

impl Amount {
    /// The decimal inside.
    pub const fn decimal(self) -> Decimal {
        self.0
    }
}
impl From<Decimal> for Amount {
    fn from(decimal: Decimal) -> Self {
        Self(decimal.normalize())
    }
}
impl From<i64> for Amount {
    fn from(number: i64) -> Self {
        Self(number.into())
    }
}
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl FromStr for Amount {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REASON: &str =
            "is not a decimal such as \"0.68\" (at most 18 digits before the point and 10 behind it)";
        let plain = text.len() <= MOST_CHARACTERS
            && text
                .bytes()
                .enumerate()
                .all(|(at, byte)| byte.is_ascii_digit() || byte == b'.' || at == 0 && byte == b'-')
            && text.bytes().last().is_some_and(|byte| byte.is_ascii_digit())
            && text.trim_start_matches('-').bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        match Decimal::from_str_exact(text) {
            Ok(decimal)
                if plain
                    && decimal.scale() <= MOST_DIGITS_BEHIND_THE_POINT
                    && decimal.abs() < Decimal::from(1_000_000_000_000_000_000_i64) =>
            {
                Ok(decimal.into())
            }
            _ => Err(REASON),
        }
    }
}

// As text: SQLite would turn a `numeric` into a binary float.
newtype!(Amount as String, into: |amount| amount.0.to_string(), from: |text| Ok(Self(text.parse()?)));
string_scalar!(
    Amount,
    "Decimal",
    "An exact decimal number written as a string, such as `\"0.68\"`: at most 18 digits before the point and 10 behind it.",
    r"^-?\d{1,18}(\.\d{1,10})?$"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_officials_write() {
        for (text, shown) in
            [("0.6", "0.6"), ("0.68", "0.68"), ("-12", "-12"), ("100.00", "100"), ("33.3333", "33.3333")]
        {
            assert_eq!(text.parse::<Amount>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "-",
            ".",
            ".5",
            "5.",
            "1e3",
            "１",
            "1,000",
            "NaN",
            "0x1",
            "+1",
            "1_000",
            "0.00000000001",
            "1000000000000000000",
        ] {
            assert!(text.parse::<Amount>().is_err(), "{text}");
        }
    }

    proptest! {
        /// Up to one digit more than is taken, before the point and behind it.
        #[test]
        fn what_is_read_is_written_as_the_same(text in "-?[0-9]{1,19}(\\.[0-9]{1,11})?") {
            let (before, behind) = text.split_once('.').unwrap_or((&text, ""));
            let before = before.trim_start_matches('-').trim_start_matches('0');
            let read = text.parse::<Amount>();
            prop_assert_eq!(read.is_ok(), before.len() <= 18 && behind.len() <= 10, "{}", text);
            if let Ok(amount) = read {
                let written = amount.to_string();
                prop_assert_eq!(written.parse(), Ok(amount));
                prop_assert!(!written.contains('.') || !written.ends_with('0'), "{}", written);
                prop_assert_eq!(serde_json::from_value::<Amount>(written.into()).unwrap(), amount);
            }
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[-+.,_ 0-9eE１]{0,45}|.{0,45}") {
            if let Ok(amount) = text.parse::<Amount>() {
                prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            }
        }
    }
}
