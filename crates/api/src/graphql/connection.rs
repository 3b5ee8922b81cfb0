//! Pages: Relay connections with keyset cursors.
use async_graphql::{Context, Enum, InputObject, Result, SimpleObject};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::FutureExt;
use sea_query::{Condition, Expr, ExprTrait, Func, LikeExpr, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zhixing_domain::{Date, RegionCode};
use zhixing_event_store::{Error, Listing, Reader, Row, Slice, Sort, listing::Cursor};

use super::{
    context::{Ask, Asked},
    error,
    found::Found,
    plan::Plan,
    task::Task,
    unit::Unit,
    view::{Visible, Wanted},
};

/// Most entries of a page.
pub const MOST: u64 = 100;
const USUAL: u64 = 20;
/// Most characters of a search text.
const SEARCH: usize = 100;

/// Which direction an order has (排序方向).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum OrderDirection {
    /// Smallest first; empty values last.
    Asc,
    /// Largest first; empty values first.
    Desc,
}

/// A range of dates; both ends belong to it.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct DateRange {
    /// Not before this date.
    pub from: Option<Date>,
    /// Not after this date.
    pub to: Option<Date>,
}

/// Where a page lies among its rows.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// Whether there are rows before it.
    pub has_previous_page: bool,
    /// Whether there are rows behind it.
    pub has_next_page: bool,
    /// Cursor of its first row.
    pub start_cursor: Option<String>,
    /// Cursor of its last row.
    pub end_cursor: Option<String>,
}

/// The arguments of a connection.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    /// The first so many.
    pub first: Option<i32>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// The last so many.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl Paging {
    /// How many rows, and whether from the end.
    ///
    /// # Errors
    /// When both ends are asked for, or more than [`MOST`] rows.
    pub fn size(&self) -> Result<(u64, bool)> {
        let check = |field: &str, number: i32| match u64::try_from(number) {
            Ok(number) if number <= MOST => Ok(number),
            _ => Err(error::invalid(field, "is not between 0 and 100")),
        };
        match (self.first, self.last) {
            (Some(_), Some(_)) => Err(error::invalid("last", "give either first or last")),
            (None, Some(last)) => Ok((check("last", last)?, true)),
            (first, None) => Ok((first.map_or(Ok(USUAL), |first| check("first", first))?, false)),
        }
    }
}

/// A place in an order, as it travels: opaque to clients, refused by any other order.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    /// The order it belongs to.
    o: String,
    /// The sort column's value as JSON.
    v: serde_json::Value,
    /// The row's key.
    k: Uuid,
}

/// What sort of values a column holds, so that a cursor's value is read back as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Words.
    Text,
    /// Dates.
    Date,
    /// Whole numbers.
    Number,
    /// The primary key.
    Key,
}

/// An order that a connection offers.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// The order for the database.
    pub sort: Sort,
    /// What its column holds.
    pub holds: Holds,
}

impl By {
    /// By a column that is never empty.
    pub const fn column(column: &'static str, holds: Holds) -> Self {
        Self { sort: Sort { column, nullable: false, descending: false }, holds }
    }
    /// By a column that may be empty.
    pub const fn nullable(column: &'static str, holds: Holds) -> Self {
        Self { sort: Sort { column, nullable: true, descending: false }, holds }
    }
    /// The same in this direction.
    #[must_use]
    pub fn directed(mut self, direction: OrderDirection) -> Self {
        self.sort.descending = direction == OrderDirection::Desc;
        self
    }

    fn name(&self) -> String {
        format!("{}{}", if self.sort.descending { "-" } else { "+" }, self.sort.column)
    }

    /// Where a row stands in this order.
    ///
    /// # Errors
    /// When the row cannot be written as JSON (a defect of its type).
    pub fn cursor<R: Row>(&self, row: &R) -> Result<String> {
        let json = serde_json::to_value(row).map_err(|fault| error::fault(fault.into()))?;
        self.written(json.get(self.sort.column).cloned().unwrap_or_default(), row.key())
    }

    fn written(&self, value: serde_json::Value, key: Uuid) -> Result<String> {
        let place = Place { o: self.name(), v: value, k: key };
        let text = serde_json::to_vec(&place).map_err(|fault| error::fault(fault.into()))?;
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// The place that a cursor names, which stood in this argument.
    ///
    /// # Errors
    /// When it is no cursor, or one of another order.
    pub fn place(&self, field: &str, cursor: &str) -> Result<Cursor> {
        let broken = || error::invalid(field, "is not a cursor of this connection in this order");
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| broken())?;
        let place: Place = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        if place.o != self.name() {
            return Err(broken());
        }
        let value: Option<Value> = match (self.holds, place.v) {
            (Holds::Key, _) => None,
            (_, serde_json::Value::Null) if self.sort.nullable => None,
            (Holds::Text, serde_json::Value::String(text)) if !text.contains('\0') => Some(text.into()),
            (Holds::Number, serde_json::Value::Number(number)) => {
                Some(number.as_i64().ok_or_else(broken)?.into())
            }
            (Holds::Date, serde_json::Value::String(text)) => {
                Some(text.parse::<Date>().map_err(|_| broken())?.into())
            }
            _ => return Err(broken()),
        };
        Ok(Cursor { value, key: place.k })
    }
}

/// A page of rows.
#[derive(Clone, Debug)]
pub struct Page<R> {
    /// The rows.
    pub rows: Vec<Found<R>>,
    /// Their order, from which each has its cursor.
    pub by: By,
    /// Where they lie.
    pub info: PageInfo,
    /// Which rows there are, to count them all.
    pub filter: Condition,
}

/// Reads a page of the rows that the viewer may see.
///
/// # Errors
/// When an argument breaks its form, or the database fails.
pub fn page<'a, R: Row + Visible>(
    ctx: &'a Context<'_>,
    filter: Condition,
    by: By,
    paging: Paging,
) -> Asked<'a, Page<R>> {
    read(ctx, filter, by, paging).boxed()
}

async fn read<R: Row + Visible>(
    ctx: &Context<'_>,
    filter: Condition,
    by: By,
    paging: Paging,
) -> Result<Page<R>> {
    let (limit, from_end) = paging.size()?;
    let place = |field: &str, cursor: &Option<String>| {
        cursor.as_deref().map(|text| by.place(field, text)).transpose()
    };
    let (after, before) = (place("after", &paging.after)?, place("before", &paging.before)?);
    let (has_after, has_before) = (after.is_some(), before.is_some());
    let shown = filter.clone().add(R::visible_to(ctx.viewer()));
    let filter = filter.add(R::counted_for(ctx.viewer()));
    let listing = Listing { filter: shown, sort: by.sort, after, before, from_end, limit };
    let mut reader = ctx.store().pool().reader().await.map_err(error::fault)?;
    let Slice { rows, more } = reader.page::<R>(listing).await.map_err(error::fault)?;
    gather(ctx, &mut reader, &rows).await.map_err(error::fault)?;
    let info = PageInfo {
        has_previous_page: if from_end { more } else { has_after },
        has_next_page: if from_end { has_before } else { more },
        start_cursor: rows.first().map(|row| by.cursor(row)).transpose()?,
        end_cursor: rows.last().map(|row| by.cursor(row)).transpose()?,
    };
    Ok(Page { rows: rows.into_iter().map(Found::new).collect(), by, info, filter })
}

/// Reads what the query goes on to ask of the rows of a page, one question for each kind of row.
async fn gather<R: Visible>(ctx: &Context<'_>, reader: &mut Reader, rows: &[R]) -> Result<(), Error> {
    let (below, mut wanted) = (ctx.look_ahead(), Wanted::default());
    let (nodes, edges) = (below.field("nodes"), below.field("edges").field("node"));
    for relation in R::RELATIONS {
        if nodes.field(relation).exists() || edges.field(relation).exists() {
            for row in rows {
                row.related(relation, &mut wanted);
            }
        }
    }
    let known = ctx.session().rows();
    known.read::<Unit>(reader, wanted.units).await?;
    known.read::<Plan>(reader, wanted.plans).await?;
    known.read::<Task>(reader, wanted.tasks).await
}

/// Declares the Relay connection of one kind of rows.
macro_rules! connection {
    ($node:ty, $connection:ident, $edge:ident, $doc:literal) => {
        #[doc = concat!("A page of ", $doc, ".")]
        #[derive(Clone, Debug)]
        pub struct $connection($crate::graphql::connection::Page<$node>);

        #[doc = concat!("One of ", $doc, ", with its cursor.")]
        #[derive(Clone, Debug, async_graphql::SimpleObject)]
        pub struct $edge {
            /// Where it stands in this order.
            pub cursor: String,
            /// The object itself.
            pub node: $crate::graphql::found::Found<$node>,
        }

        #[doc = concat!("A page of ", $doc, ".")]
        #[async_graphql::Object]
        impl $connection {
            /// The objects with their cursors.
            async fn edges(&self) -> async_graphql::Result<Vec<$edge>> {
                let edge = |node: &$crate::graphql::found::Found<$node>| {
                    Ok($edge { cursor: self.0.by.cursor(&**node)?, node: node.clone() })
                };
                self.0.rows.iter().map(edge).collect()
            }
            /// The objects.
            async fn nodes(&self) -> $crate::graphql::found::All<$node> {
                self.0.rows.clone().into()
            }
            /// Where the page lies.
            async fn page_info(&self) -> &$crate::graphql::connection::PageInfo {
                &self.0.info
            }
            /// How many objects there are on all pages.
            async fn total_count(&self, ctx: &async_graphql::Context<'_>) -> async_graphql::Result<i64> {
                use $crate::graphql::context::Ask;
                let pool = ctx.store().pool();
                pool.count::<$node>(self.0.filter.clone()).await.map_err($crate::graphql::error::fault)
            }
        }
    };
}
pub(crate) use connection;

/// Adds to a condition what an optional argument asks for.
pub trait Narrow: Sized {
    /// The column is one of these values; an empty list means none of them.
    ///
    /// # Errors
    /// When there are more than [`MOST`] values.
    fn one_of<T: Into<Value>>(self, column: &'static str, values: Option<Vec<T>>) -> Result<Self>;
    /// The column is this value.
    #[must_use]
    fn has<T: Into<Value>>(self, column: &'static str, value: Option<T>) -> Self;
    /// The region, or one inside it.
    #[must_use]
    fn in_region(self, region: Option<RegionCode>) -> Self;
    /// The date lies in the range.
    #[must_use]
    fn in_range(self, column: &'static str, range: Option<DateRange>) -> Self;
    /// The row names this object in one of these relations.
    #[must_use]
    fn names(self, target: Option<Uuid>, relations: &[&'static str]) -> Self;
    /// One of the columns contains the text, whatever its case.
    ///
    /// # Errors
    /// When the text is too long or contains control characters.
    fn containing(self, columns: &[&'static str], text: Option<&String>) -> Result<Self>;
}

impl Narrow for Condition {
    fn one_of<T: Into<Value>>(self, column: &'static str, values: Option<Vec<T>>) -> Result<Self> {
        if values.as_ref().is_some_and(|values| values.len() as u64 > MOST) {
            return Err(error::invalid(&format!("where.{column}"), "has more than 100 entries"));
        }
        Ok(self.add_option(values.map(|values| Expr::col(column).is_in(values.into_iter().map(Into::into)))))
    }
    fn has<T: Into<Value>>(self, column: &'static str, value: Option<T>) -> Self {
        self.add_option(value.map(|value| Expr::col(column).eq(Expr::value(value))))
    }
    fn in_region(self, region: Option<RegionCode>) -> Self {
        let Some(region) = region else { return self };
        // Six digits with a common beginning are a range, which an index answers.
        let end = |digit: &str| format!("{}{}", region.prefix(), digit.repeat(6 - region.prefix().len()));
        self.add(Expr::col("region_code").between(end("0"), end("9")))
    }
    fn in_range(self, column: &'static str, range: Option<DateRange>) -> Self {
        let Some(DateRange { from, to }) = range else { return self };
        self.add_option(from.map(|from| Expr::col(column).gte(Expr::value(from))))
            .add_option(to.map(|to| Expr::col(column).lte(Expr::value(to))))
    }
    fn names(self, target: Option<Uuid>, relations: &[&'static str]) -> Self {
        let Some(target) = target else { return self };
        let links = sea_query::Query::select()
            .column("source_id")
            .from("links")
            .and_where(Expr::col("target_id").eq(target))
            .and_where(Expr::col("relation").is_in(relations.iter().copied()))
            .to_owned();
        self.add(Expr::col("id").in_subquery(links))
    }
    fn containing(self, columns: &[&'static str], text: Option<&String>) -> Result<Self> {
        let Some(text) = text else { return Ok(self) };
        if text.chars().nth(SEARCH).is_some() {
            return Err(error::invalid("where.text", "is longer than 100 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(error::invalid("where.text", "contains a control character"));
        }
        let escaped = text.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let like = |column: &&'static str| {
            Expr::expr(Func::lower(Expr::col(*column).cast_as("text")))
                .like(LikeExpr::new(format!("%{escaped}%")).escape('\\'))
        };
        Ok(self.add(columns.iter().fold(Condition::any(), |any, column| any.add(like(column)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// An order over each sort of values, in both directions.
    fn orders() -> impl Strategy<Value = (By, serde_json::Value)> {
        let orders = prop_oneof![
            "[^\\x00]{0,20}".prop_map(|text| (By::column("title", Holds::Text), json!(text))),
            any::<i64>().prop_map(|number| (By::column("version", Holds::Number), json!(number))),
            (0..100_000_i32).prop_map(|days| {
                let day = Date::new(1900, 1, 1).unwrap().plus(days);
                (By::nullable("due_on", Holds::Date), json!(day.to_string()))
            }),
            Just((By::nullable("due_on", Holds::Date), json!(null))),
            Just((By::column("id", Holds::Key), json!(null))),
        ];
        (orders, any::<bool>()).prop_map(|((by, value), descending)| {
            (by.directed(if descending { OrderDirection::Desc } else { OrderDirection::Asc }), value)
        })
    }

    fn refused(by: By, cursor: &str) -> bool {
        by.place("after", cursor).is_err_and(|error| error.extensions.is_some())
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place((by, value) in orders(), key: [u8; 16]) {
            let key = Uuid::from_bytes(key);
            let cursor = by.written(value.clone(), key).unwrap();
            let place = by.place("after", &cursor).unwrap();
            prop_assert_eq!(place.key, key);
            let found = match place.value {
                None => json!(null),
                Some(Value::String(Some(text))) => json!(text),
                Some(Value::BigInt(Some(number))) => json!(number),
                Some(Value::ChronoDate(Some(day))) => json!(day.to_string()),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(found, value);
            let other = if by.sort.descending { OrderDirection::Asc } else { OrderDirection::Desc };
            prop_assert!(refused(by.directed(other), &cursor), "the other direction takes it");
            let elsewhere = By { sort: Sort { column: "code", ..by.sort }, ..by };
            prop_assert!(refused(elsewhere, &cursor), "another column takes it");
        }

        /// In base64 and without, changed in one place and made up.
        #[test]
        fn any_text_is_a_place_or_refused((by, value) in orders(), at: prop::sample::Index, with in ".{0,3}", noise in ".{0,80}") {
            let bytes = URL_SAFE_NO_PAD.decode(by.written(value, Uuid::nil()).unwrap()).unwrap();
            let mut inside = String::from_utf8(bytes).unwrap();
            let start = inside.floor_char_boundary(at.index(inside.len()));
            let end = inside.ceil_char_boundary(start + 1);
            inside.replace_range(start..end, &with);
            for text in [URL_SAFE_NO_PAD.encode(&inside), inside, URL_SAFE_NO_PAD.encode(&noise), noise] {
                match by.place("after", &text) {
                    Ok(place) => prop_assert!(place.value.is_some() || by.sort.nullable || by.holds == Holds::Key),
                    Err(error) => prop_assert!(error.extensions.is_some(), "{error:?}"),
                }
            }
        }
    }
}
