//! Time limits (时限规则): effective-dated, each version with its citation. A case is judged by the version in force on the
//! day its clock started.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FileError, ReferenceFile, TimeError, calendar::next};
use crate::{Date, text};

vocabulary! {
    /// What a time limit is counted in (期限单位).
    pub enum TimeUnit {
        WorkingDays = "WORKING_DAYS", "工作日";
        CalendarDays = "CALENDAR_DAYS", "日（自然日）";
        Months = "MONTHS", "月";
        Years = "YEARS", "年";
    }
}

impl TimeUnit {
    /// The most that a limit in this unit may be.
    const fn most(self) -> u32 {
        match self {
            Self::WorkingDays | Self::CalendarDays => 3_660,
            Self::Months => 240,
            Self::Years => 20,
        }
    }
}

/// Most versions of all time limits together.
const MOST_LIMITS: usize = 2_000;
/// Most characters of a code.
const CODE: usize = 60;

/// One version of a time limit (时限规则版本).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeLimit {
    /// What it limits, such as `COMPLAINT_ACCEPTANCE`; the same for every version.
    pub code: String,
    /// The Chinese term.
    pub name: String,
    /// How long.
    pub value: u32,
    /// In what.
    pub unit: TimeUnit,
    /// First day of its force.
    pub valid_from: Date,
    /// Last day of its force; null while it is in force.
    pub valid_to: Option<Date>,
    /// The law, regulation or document, and its article.
    pub citation: String,
}

impl TimeLimit {
    /// Whether it was in force on this day.
    pub fn is_in_force(&self, on: Date) -> bool {
        self.valid_from <= on && self.valid_to.is_none_or(|to| on <= to)
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        let letters = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        if self.code.is_empty() || self.code.len() > CODE || !self.code.bytes().all(letters) {
            return Err(("code", "is not 1 to 60 capitals, digits and underscores".into()));
        }
        for (field, words) in [("name", &self.name), ("citation", &self.citation)] {
            text::required(field, words, text::TITLE).map_err(|rejection| (field, rejection.to_string()))?;
        }
        let most = self.unit.most();
        if !(1..=most).contains(&self.value) {
            return Err(("value", format!("is not between 1 and {most}")));
        }
        if self.valid_to.is_some_and(|to| to < self.valid_from) {
            return Err(("validTo", "comes before validFrom".into()));
        }
        Ok(())
    }
}

/// A version of a time limit as it was applied to something (适用的时限).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "graphql", derive(async_graphql::SimpleObject))]
#[serde(rename_all = "camelCase")]
pub struct AppliedLimit {
    /// Its code.
    pub code: String,
    /// First day of the version's force.
    pub valid_from: Date,
    /// How long.
    pub value: u32,
    /// In what.
    pub unit: TimeUnit,
}

impl From<&TimeLimit> for AppliedLimit {
    fn from(limit: &TimeLimit) -> Self {
        let TimeLimit { code, valid_from, value, unit, .. } = limit.clone();
        Self { code, valid_from, value, unit }
    }
}

/// A file of time limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFile {
    /// What they are about.
    #[serde(rename = "subject")]
    _subject: String,
    rules: Vec<TimeLimit>,
}

/// A version on its way in, with where it stands.
struct Placed<'f> {
    limit: TimeLimit,
    file: &'f str,
    place: String,
}

const EMBEDDED: &[(&str, &str)] = &[
    ("complaints.json", include_str!("../../../../reference/rules/complaints.json")),
    ("enforcement.json", include_str!("../../../../reference/rules/enforcement.json")),
    ("licensing.json", include_str!("../../../../reference/rules/licensing.json")),
    ("market-surveillance.json", include_str!("../../../../reference/rules/market-surveillance.json")),
    ("programme.json", include_str!("../../../../reference/rules/programme.json")),
    ("quality-credit.json", include_str!("../../../../reference/rules/quality-credit.json")),
    ("special-equipment.json", include_str!("../../../../reference/rules/special-equipment.json")),
];
/// What a version that was there before is called in messages.
const KNOWN: &str = "the program";

/// Every version of every time limit, by code and first day of force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeLimits {
    by_code: BTreeMap<String, Vec<TimeLimit>>,
}

impl TimeLimits {
    /// The time limits that are compiled in.
    ///
    /// # Errors
    /// Never: a test reads every one.
    pub fn embedded() -> Result<Self, FileError> {
        let file = |(name, text): &(&str, &str)| ReferenceFile { name: (*name).into(), text: (*text).into() };
        Self::default().with(&EMBEDDED.iter().map(file).collect::<Vec<_>>())
    }

    /// These and those of more files. A version with the code and first day of a known one takes its place, which is how
    /// a version gets its last day.
    ///
    /// # Errors
    /// The first file that cannot be used, or leaves a hole or an overlap between two versions: then none is.
    pub fn with(&self, files: &[ReferenceFile]) -> Result<Self, FileError> {
        let mut placed: BTreeMap<(String, Date), Placed<'_>> = BTreeMap::new();
        for limit in self.all() {
            let (key, place) = ((limit.code.clone(), limit.valid_from), String::new());
            placed.insert(key, Placed { limit: limit.clone(), file: KNOWN, place });
        }
        for file in files {
            let read: LimitFile = serde_json::from_str(&file.text)
                .map_err(|error| FileError::unreadable(&file.name, &error))?;
            for (at, limit) in read.rules.into_iter().enumerate() {
                let place = format!("rules[{at}]");
                limit.check().map_err(|(field, reason)| {
                    FileError::new(&file.name, format!("{place}.{field}"), reason)
                })?;
                let key = (limit.code.clone(), limit.valid_from);
                if let Some(other) = placed.get(&key).filter(|other| other.file != KNOWN) {
                    let reason = format!("{} of {} begins on that day too", other.place, other.file);
                    return Err(FileError::new(&file.name, format!("{place}.validFrom"), reason));
                }
                placed.insert(key, Placed { limit, file: &file.name, place });
            }
        }
        if placed.len() > MOST_LIMITS {
            let file = files.last().map_or(KNOWN, |file| &file.name);
            return Err(FileError::new(file, "rules", format!("more than {MOST_LIMITS} versions in all")));
        }
        let placed: Vec<Placed<'_>> = placed.into_values().collect();
        placed.windows(2).try_for_each(|pair| adjoin(&pair[0], &pair[1]))?;
        let mut by_code: BTreeMap<String, Vec<TimeLimit>> = BTreeMap::new();
        for Placed { limit, .. } in placed {
            by_code.entry(limit.code.clone()).or_default().push(limit);
        }
        Ok(Self { by_code })
    }

    /// Every version of one time limit, oldest first; none when the code is unknown.
    pub fn versions(&self, code: &str) -> &[TimeLimit] {
        self.by_code.get(code).map_or(&[], Vec::as_slice)
    }

    /// Every version of every time limit.
    pub fn all(&self) -> impl Iterator<Item = &TimeLimit> {
        self.by_code.values().flatten()
    }

    /// The version of a time limit that begins on this day.
    pub fn version(&self, code: &str, valid_from: Date) -> Option<&TimeLimit> {
        self.versions(code).iter().find(|limit| limit.valid_from == valid_from)
    }

    /// The version in force on a day.
    ///
    /// # Errors
    /// [`TimeError::LimitMissing`].
    pub fn on(&self, code: &str, on: Date) -> Result<&TimeLimit, TimeError> {
        let found = self.versions(code).iter().find(|limit| limit.is_in_force(on));
        found.ok_or_else(|| TimeError::LimitMissing { code: code.into(), on })
    }
}

/// Two versions of one code follow each other without a hole and without an overlap.
fn adjoin(earlier: &Placed<'_>, later: &Placed<'_>) -> Result<(), FileError> {
    if earlier.limit.code != later.limit.code {
        return Ok(());
    }
    let begins = later.limit.valid_from;
    let what = match earlier.limit.valid_to {
        Some(end) if next(end) == Ok(begins) => return Ok(()),
        Some(end) if end < begins => format!("ends on {end} and leaves a hole"),
        Some(end) => format!("ends on {end} and overlaps"),
        None => "has no end and overlaps".into(),
    };
    let named = |placed: &Placed<'_>| {
        let at = if placed.place.is_empty() { String::new() } else { format!("{} of ", placed.place) };
        format!("{at}{} (from {})", placed.file, placed.limit.valid_from)
    };
    let code = &later.limit.code;
    let reason =
        format!("{code}: the version in {} {what} before the one in {}", named(earlier), named(later));
    // The file that came in is to blame, not what was there before.
    let blamed = if later.file == KNOWN { earlier } else { later };
    Err(FileError::new(blamed.file, format!("{}.validFrom", blamed.place), reason))
}

#[cfg(test)]
mod tests;
