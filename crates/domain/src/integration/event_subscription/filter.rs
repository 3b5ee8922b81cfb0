//! Which changes somebody follows: the same words on every way out.
use serde::{Deserialize, Serialize};

use crate::{Id, Kind, RegionCode, Rejection, id::GlobalId, organisation::unit::Unit};

/// Most entries of each list.
const MOST: usize = 100;

/// Which changes; what is empty does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ChangeFilter {
    /// Kinds of subjects.
    pub kinds: Vec<Kind>,
    /// Types of events, such as `TaskAccepted`.
    pub types: Vec<String>,
    /// Subjects.
    pub subjects: Vec<GlobalId>,
    /// Units that acted.
    pub units: Vec<Id<Unit>>,
    /// The region whose subtree the subject lies in.
    pub region: Option<RegionCode>,
    /// Only events that changed where their subject stands.
    pub status_changes_only: bool,
}

impl ChangeFilter {
    /// The filter, if its lists are short enough and its types exist.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] naming the part below `field`.
    pub fn checked(self, field: &str) -> Result<Self, Rejection> {
        let lengths = [
            ("kinds", self.kinds.len()),
            ("types", self.types.len()),
            ("subjects", self.subjects.len()),
            ("units", self.units.len()),
        ];
        if let Some((part, _)) = lengths.into_iter().find(|(_, length)| *length > MOST) {
            return Err(Rejection::invalid(format!("{field}.{part}"), "has more than 100 entries"));
        }
        let known = |name: &String| {
            let mut kinds = Kind::ALL.iter().filter(|kind| name.starts_with(kind.name()));
            kinds.any(|kind| kind.event_types().iter().any(|known| known.name == *name))
        };
        if let Some(at) = self.types.iter().position(|name| !known(name)) {
            return Err(Rejection::invalid(
                format!("{field}.types[{at}]"),
                "is no type of events, such as TaskAccepted",
            ));
        }
        Ok(self)
    }
}
