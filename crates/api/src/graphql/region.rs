//! Regions, as the API shows them: reference data, held in memory.
use async_graphql::{Context, InputObject, Object, Result, SimpleObject};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zhixing_domain::{
    RegionCode,
    organisation::region::{self, RegionLevel},
};

use super::{
    connection::{PageInfo, Paging},
    error,
};

/// An administrative division by GB/T 2260 (行政区划).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(pub &'static region::Region);

/// A name that a region had before.
#[derive(Clone, Debug, SimpleObject)]
pub struct FormerName {
    /// The name.
    pub name: String,
    /// The last year of the reference data in which it stands.
    pub last_year: i32,
}

/// First bytes of a region's id: the format, and a mark that no kind of aggregate has.
const MARK: [u8; 2] = [1, 100];

impl Region {
    /// The region with this code, if the reference data know it.
    pub fn find(code: RegionCode) -> Option<Self> {
        code.region().map(Self)
    }
    /// The region with this opaque id.
    pub fn by_id(id: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id).ok()?;
        let digits = bytes.strip_prefix(&MARK)?;
        let region = Self::find(std::str::from_utf8(digits).ok()?.parse().ok()?)?;
        (region.opaque_id() == id).then_some(region)
    }
    fn opaque_id(self) -> String {
        URL_SAFE_NO_PAD.encode([&MARK, self.0.code.as_str().as_bytes()].concat())
    }
    fn cursor(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.code.as_str())
    }
}

/// An administrative division by GB/T 2260 (行政区划).
#[Object]
impl Region {
    /// The object's id.
    pub async fn id(&self) -> async_graphql::ID {
        self.opaque_id().into()
    }
    /// GB/T 2260 code (行政区划代码).
    async fn code(&self) -> RegionCode {
        self.0.code
    }
    /// Its latest name.
    async fn name(&self) -> &str {
        self.0.name
    }
    /// How high it stands.
    async fn level(&self) -> RegionLevel {
        self.0.level
    }
    /// The region it lies in; null for the country.
    async fn parent(&self) -> Option<Self> {
        self.0.parent.and_then(Self::find)
    }
    /// First year of the code; null when it stands in the first edition known.
    async fn valid_from(&self) -> Option<i32> {
        self.0.valid_from
    }
    /// Last year of the code; null while it is in force.
    async fn valid_to(&self) -> Option<i32> {
        self.0.valid_to
    }
    /// Names it had before.
    async fn former_names(&self) -> Vec<FormerName> {
        let entry = |(name, year): &(&str, i32)| FormerName { name: (*name).into(), last_year: *year };
        self.0.former_names.iter().map(entry).collect()
    }
}

/// Which regions; what is left out does not narrow.
#[derive(Clone, Debug, Default, InputObject)]
pub struct RegionWhere {
    /// How high they stand.
    pub level: Option<Vec<RegionLevel>>,
    /// The region they lie in directly.
    pub parent: Option<RegionCode>,
    /// The region itself and all inside it.
    pub within: Option<RegionCode>,
    /// Only codes in force (true) or abolished (false).
    pub in_force: Option<bool>,
    /// Part of the present or a former name, or the beginning of the code; at most 100 characters.
    pub text: Option<String>,
}

impl RegionWhere {
    fn admits(&self, region: &region::Region) -> bool {
        let named = |text: &str| {
            region.name.contains(text)
                || region.code.as_str().starts_with(text)
                || region.former_names.iter().any(|(name, _)| name.contains(text))
        };
        self.level.as_ref().is_none_or(|levels| levels.contains(&region.level))
            && self.parent.is_none_or(|parent| region.parent == Some(parent))
            && self.within.is_none_or(|within| within.covers(region.code))
            && self.in_force.is_none_or(|in_force| region.valid_to.is_none() == in_force)
            && self.text.as_deref().is_none_or(named)
    }
}

/// A page of regions, by code.
#[derive(Clone, Debug, SimpleObject)]
pub struct RegionConnection {
    /// The regions with their cursors.
    pub edges: Vec<RegionEdge>,
    /// The regions.
    pub nodes: Vec<Region>,
    /// Where the page lies.
    pub page_info: PageInfo,
    /// How many regions there are on all pages.
    pub total_count: usize,
}

/// A region with its cursor.
#[derive(Clone, Debug, SimpleObject)]
pub struct RegionEdge {
    /// Its place.
    pub cursor: String,
    /// The region.
    pub node: Region,
}

fn code(field: &str, cursor: Option<String>) -> Result<Option<RegionCode>> {
    let read = |text: String| {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    };
    cursor
        .map(|text| read(text).ok_or_else(|| error::invalid(field, "is not a cursor of this connection")))
        .transpose()
}

/// Questions about regions.
#[derive(Debug, Default)]
pub struct Queries;

#[Object(name = "RegionQueries")]
impl Queries {
    /// The region with this code.
    async fn region(&self, #[graphql(desc = "Its six digits.")] code: RegionCode) -> Option<Region> {
        Region::find(code)
    }

    /// Regions by code.
    async fn regions(
        &self,
        _ctx: &Context<'_>,
        #[graphql(desc = "Which ones; all when left out.")] r#where: Option<RegionWhere>,
        #[graphql(desc = "The first so many, at most 100; 20 when left out.")] first: Option<i32>,
        #[graphql(desc = "Those behind this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many, at most 100.")] last: Option<i32>,
        #[graphql(desc = "Those before this cursor.")] before: Option<String>,
    ) -> Result<RegionConnection> {
        let paging = Paging { first, last, ..Paging::default() };
        let (limit, from_end) = paging.size()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let (after, before) = (code("after", after)?, code("before", before)?);
        let wanted = r#where.unwrap_or_default();
        if wanted.level.as_ref().is_some_and(|levels| levels.len() > 100) {
            return Err(error::invalid("where.level", "has more than 100 entries"));
        }
        if wanted.text.as_ref().is_some_and(|text| text.chars().nth(100).is_some()) {
            return Err(error::invalid("where.text", "is longer than 100 characters"));
        }
        let all: Vec<&'static region::Region> =
            region::all().iter().filter(|region| wanted.admits(region)).collect();
        let start = after.map_or(0, |code| all.partition_point(|region| region.code <= code));
        let end =
            before.map_or(all.len(), |code| all.partition_point(|region| region.code < code)).max(start);
        let (start, end) = if from_end {
            (start.max(end.saturating_sub(limit)), end)
        } else {
            (start, end.min(start + limit))
        };
        let nodes: Vec<Region> = all[start..end].iter().map(|region| Region(region)).collect();
        let edges: Vec<RegionEdge> =
            nodes.iter().map(|region| RegionEdge { cursor: region.cursor(), node: *region }).collect();
        let page_info = PageInfo {
            has_previous_page: start > 0,
            has_next_page: end < all.len(),
            start_cursor: edges.first().map(|edge| edge.cursor.clone()),
            end_cursor: edges.last().map(|edge| edge.cursor.clone()),
        };
        Ok(RegionConnection { edges, nodes, page_info, total_count: all.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_kind_of_aggregate_has_the_mark_of_regions() {
        assert_eq!(zhixing_domain::Kind::from_code(MARK[1]), None);
    }

    proptest! {
        #[test]
        fn ids_and_cursors_lead_back_to_their_region(at in 0..region::all().len(), noise in "[A-Za-z0-9_-]{0,12}|.{0,12}") {
            let known = Region(&region::all()[at]);
            prop_assert_eq!(Region::by_id(&known.opaque_id()), Some(known));
            prop_assert_eq!(code("after", Some(known.cursor())).unwrap(), Some(known.0.code));
            for text in [URL_SAFE_NO_PAD.encode(&noise), noise] {
                if let Some(found) = Region::by_id(&text) {
                    prop_assert_eq!(found.opaque_id(), text.clone());
                }
                if let Ok(Some(found)) = code("after", Some(text)) {
                    prop_assert!(Region::find(found).is_some());
                }
            }
        }
    }
}
