//! Administrative divisions of China by GB/T 2260 (行政区划): reference data, not an aggregate.
//!
//! The facts stand in `reference/regions.csv`; a new year is a new file, not new code.
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr, sync::LazyLock};

vocabulary! {
    /// How high a region stands (行政级别).
    pub enum RegionLevel {
        Country = "COUNTRY", "全国";
        Province = "PROVINCE", "省级";
        City = "CITY", "地级";
        County = "COUNTY", "县级";
    }
}

/// A six-digit GB/T 2260 code, such as `440800`; `100000` is the whole country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegionCode([u8; 6]);

impl RegionCode {
    /// The whole country.
    pub const COUNTRY: Self = Self(*b"100000");

    /// The six digits.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
    /// The digits that every code of its subtree begins with: none for the country, two for a province.
    pub fn prefix(&self) -> &str {
        let digits = self.as_str();
        match digits {
            "100000" => "",
            _ if digits.ends_with("0000") => &digits[..2],
            _ if digits.ends_with("00") => &digits[..4],
            _ => digits,
        }
    }
    /// Whether `other` is this region or lies inside it.
    pub fn covers(&self, other: Self) -> bool {
        other.as_str().starts_with(self.prefix())
    }
    /// What the reference data say of it.
    pub fn region(self) -> Option<&'static Region> {
        all().binary_search_by_key(&self, |region| region.code).ok().map(|at| &all()[at])
    }
}

impl fmt::Display for RegionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl FromStr for RegionCode {
    type Err = &'static str;
    /// Reads a code that the reference data know.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = Self::well_formed(text).ok_or("is not a six-digit GB/T 2260 code such as 440800")?;
        code.region().map(|region| region.code).ok_or("is not a GB/T 2260 code that the reference data know")
    }
}
impl RegionCode {
    fn well_formed(text: &str) -> Option<Self> {
        let digits: [u8; 6] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_digit).then_some(Self(digits))
    }
}
impl Serialize for RegionCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for RegionCode {
    /// What the log holds is read even if the reference data no longer know the code.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::well_formed(&text).ok_or_else(|| serde::de::Error::custom("not a region code"))
    }
}
newtype!(RegionCode as String, into: |code| code.to_string(), from: |text| {
    RegionCode::well_formed(&text).ok_or_else(|| "not a region code".into())
});
string_scalar!(
    RegionCode,
    "RegionCode",
    "A six-digit GB/T 2260 code of a region (行政区划代码), such as `440800`; `100000` is the whole country.",
    r"^\d{6}$"
);

/// One region of the reference data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// GB/T 2260 code.
    pub code: RegionCode,
    /// Its latest name.
    pub name: &'static str,
    /// How high it stands.
    pub level: RegionLevel,
    /// The region it lies in; none for the country.
    pub parent: Option<RegionCode>,
    /// First year of the code in the reference data; none when it stands in the first edition.
    pub valid_from: Option<i32>,
    /// Last year of the code; none while it is in force.
    pub valid_to: Option<i32>,
    /// Earlier names with the last year of each.
    pub former_names: Vec<(&'static str, i32)>,
}

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let lines = include_str!("../../../../reference/regions.csv").lines().skip(1);
    let mut regions: Vec<Region> = lines.filter_map(row).collect();
    regions.sort_by_key(|region| region.code);
    regions
});

/// Every region, by code.
pub fn all() -> &'static [Region] {
    &REGIONS
}

/// The columns `code,name,level,parent,valid_from,valid_to,former_names`; a test holds that every line is read.
fn row(line: &'static str) -> Option<Region> {
    let mut cells = line.split(',');
    let mut cell = || cells.next();
    Some(Region {
        code: RegionCode::well_formed(cell()?)?,
        name: cell()?,
        level: cell()?.parse().ok()?,
        parent: RegionCode::well_formed(cell()?),
        valid_from: cell()?.parse().ok(),
        valid_to: cell()?.parse().ok(),
        former_names: cell()?
            .split(';')
            .filter_map(|entry| entry.split_once('@'))
            .filter_map(|(name, year)| Some((name, year.parse().ok()?)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_line_of_the_reference_data_is_read_and_every_parent_stands_higher() {
        let lines = include_str!("../../../../reference/regions.csv").lines().count() - 1;
        assert_eq!(all().len(), lines);
        assert!(!include_str!("../../../../reference/regions.csv").contains('"'), "cells are not quoted");
        for region in all() {
            let Some(parent) = region.parent else {
                assert_eq!(region.code, RegionCode::COUNTRY);
                continue;
            };
            let parent = parent.region().unwrap();
            assert!(parent.level < region.level, "{region:?}");
            assert!(parent.code.covers(region.code), "{region:?}");
        }
    }

    #[test]
    fn a_province_covers_its_counties_and_nothing_else() {
        let [hunan, changsha, county, gansu] =
            ["430000", "430100", "430121", "620000"].map(|code| code.parse::<RegionCode>().unwrap());
        assert!(hunan.covers(changsha) && hunan.covers(county) && changsha.covers(county));
        assert!(!changsha.covers(hunan) && !gansu.covers(county));
        assert!(RegionCode::COUNTRY.covers(county));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(at in 0..all().len(), digit in 0..6_usize, with in "[0-9]", text in ".{0,8}") {
            let mut near = all()[at].code.to_string();
            near.replace_range(digit..=digit, &with);
            for text in [near, text] {
                if let Ok(code) = text.parse::<RegionCode>() {
                    prop_assert_eq!(code.to_string(), text);
                    prop_assert!(code.covers(code) && RegionCode::COUNTRY.covers(code));
                }
            }
        }
    }
}
