//! A measured value as it stands in the row of its indicator.
use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zhixing_domain::performance::attainment::Point;

/// A value that counts, by the number of its measurement: `3 2024-03 96.3`.
///
/// One short text: an object for each takes PostgreSQL six times as long to read, and all of them are written at every
/// measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Number of the measurement.
    pub number: i32,
    /// What it says.
    pub point: Point,
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, self.point.period, self.point.value)
    }
}

impl FromStr for Counted {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const REASON: &str = "is not a number, a period and a value";
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or(REASON);
        let number = word()?.parse().map_err(|_| REASON)?;
        let counted = Self { number, point: Point { period: word()?.parse()?, value: word()?.parse()? } };
        words.next().is_none().then_some(counted).ok_or(REASON)
    }
}

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Counted;

    #[test]
    fn a_value_is_read_as_it_was_written() {
        for text in
            ["1 2024 0", "3 2024-03 96.3", "100000 2018H1 -0.0000000001", "7 2018Q3 999999999999999999"]
        {
            let counted: Counted = text.parse().unwrap();
            assert_eq!(counted.to_string(), text);
            let json = serde_json::to_string(&counted).unwrap();
            assert_eq!(serde_json::from_str::<Counted>(&json).unwrap(), counted);
        }
        for text in ["", "1", "1 2024", "1 2024 x", "x 2024 1", "1 2024-13 1", "1 2024 1 1"] {
            assert!(text.parse::<Counted>().is_err(), "{text}");
        }
    }
}
