//! Pages of rows by keyset: stable under writes, as fast on page 1,000 as on page 1.
use sea_query::{Alias, Condition, Expr, ExprTrait, Func, Order, Query, SelectStatement, Value};
use sea_query_sqlx::SqlxBinder;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{Error, Pool, pool::on, view::Row};

/// An order of rows; equal values are ordered by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: &'static str,
    /// Whether it may be empty: empty values come last.
    pub nullable: bool,
    /// The exact reverse.
    pub descending: bool,
}

/// Where a page begins: right behind the row with this value and key.
#[derive(Clone, Debug)]
pub struct Cursor {
    /// The sort column's value; `None` when it is empty.
    pub value: Option<Value>,
    /// The row's key.
    pub key: Uuid,
}

/// A question for a page of rows.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Which rows.
    pub filter: Condition,
    /// In which order.
    pub sort: Sort,
    /// Rows behind this one.
    pub after: Option<Cursor>,
    /// Rows before this one.
    pub before: Option<Cursor>,
    /// The last rows instead of the first.
    pub from_end: bool,
    /// At most so many.
    pub limit: u64,
}

/// A page.
#[derive(Clone, Debug)]
pub struct Slice<R> {
    /// Its rows, in order.
    pub rows: Vec<R>,
    /// Whether there are more rows beyond it, in the direction of reading.
    pub more: bool,
}

impl Pool {
    /// One page of rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page<R: Row>(&self, listing: Listing) -> Result<Slice<R>, Error> {
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let from_end = listing.from_end;
        let statement = page::<R>(listing);
        let mut rows: Vec<R> = on!(self, |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        });
        let more = rows.len() > limit;
        rows.truncate(limit);
        if from_end {
            rows.reverse();
        }
        Ok(Slice { rows, more })
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count<R: Row>(&self, filter: Condition) -> Result<i64, Error> {
        let statement = Query::select()
            .expr(Func::count(Expr::col(sea_query::Asterisk)))
            .from(Alias::new(R::TABLE.name))
            .cond_where(filter)
            .to_owned();
        Ok(on!(self, |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_scalar_with(AssertSqlSafe(sql), values).fetch_one(db).await?
        }))
    }

    /// How many rows there are of each value of a column.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tally<R: Row>(
        &self,
        column: &'static str,
        filter: Condition,
    ) -> Result<Vec<(String, i64)>, Error> {
        let statement = Query::select()
            .column(column)
            .expr(Func::count(Expr::col(sea_query::Asterisk)))
            .from(Alias::new(R::TABLE.name))
            .cond_where(filter)
            .group_by_col(column)
            .to_owned();
        Ok(on!(self, |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        }))
    }

    /// The rows with these keys, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn many<R: Row>(&self, keys: &[Uuid]) -> Result<Vec<R>, Error> {
        self.all(Condition::all().add(Expr::col("id").is_in(keys.iter().copied())), keys.len() as u64).await
    }

    /// Rows in no order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all<R: Row>(&self, filter: Condition, limit: u64) -> Result<Vec<R>, Error> {
        let statement = select::<R>(filter).limit(limit).to_owned();
        Ok(on!(self, |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        }))
    }
}

fn select<R: Row>(filter: Condition) -> SelectStatement {
    Query::select()
        .columns(R::TABLE.columns.iter().map(|column| Alias::new(*column)))
        .from(Alias::new(R::TABLE.name))
        .cond_where(filter)
        .to_owned()
}

fn page<R: Row>(listing: Listing) -> SelectStatement {
    let Listing { mut filter, sort, after, before, from_end, limit } = listing;
    if let Some(cursor) = after {
        filter = filter.add(beyond(sort, &cursor, sort.descending));
    }
    if let Some(cursor) = before {
        filter = filter.add(beyond(sort, &cursor, !sort.descending));
    }
    let direction = if sort.descending == from_end { Order::Asc } else { Order::Desc };
    let mut statement = select::<R>(filter);
    if sort.nullable {
        statement.order_by_expr(Expr::col(sort.column).is_null(), direction.clone());
    }
    if sort.column != "id" {
        statement.order_by(sort.column, direction.clone());
    }
    statement.order_by("id", direction).limit(limit + 1).to_owned()
}

/// Rows behind (or, when `down`, before) the cursor: one comparison of tuples, answered from the index.
fn beyond(sort: Sort, cursor: &Cursor, down: bool) -> Expr {
    let mut columns = Vec::new();
    let mut values = Vec::new();
    if sort.nullable {
        columns.push(Expr::col(sort.column).is_null());
        values.push(Expr::value(cursor.value.is_none()));
    }
    if let Some(value) = cursor.value.clone().filter(|_| sort.column != "id") {
        columns.push(Expr::col(sort.column));
        values.push(Expr::value(value));
    }
    columns.push(Expr::col("id"));
    values.push(Expr::value(cursor.key));
    let (columns, values) = (Expr::tuple(columns), Expr::tuple(values));
    if down { columns.lt(values) } else { columns.gt(values) }
}
