//! Pages of rows by keyset: stable under writes, as fast on page 1,000 as on page 1.
use sea_query::{
    Alias, Condition, Expr, ExprTrait, Func, Order, PostgresQueryBuilder, Query, SelectStatement,
    SqliteQueryBuilder, Value, extension::postgres::PgFunc,
};
use sea_query_sqlx::SqlxBinder;
use sqlx::{AssertSqlSafe, Postgres, Sqlite, pool::PoolConnection};
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

/// A connection for several questions, one after the other. To borrow one from the pool and to give it back costs as
/// much as a short question.
#[derive(Debug)]
pub enum Reader {
    /// Of PostgreSQL.
    Postgres(PoolConnection<Postgres>),
    /// Of SQLite.
    Sqlite(PoolConnection<Sqlite>),
}

impl Reader {
    /// One page of rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page<R: Row>(&mut self, listing: Listing) -> Result<Slice<R>, Error> {
        let limit = usize::try_from(listing.limit).unwrap_or(usize::MAX);
        let from_end = listing.from_end;
        let mut rows: Vec<R> = self.rows(&page::<R>(listing)).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        if from_end {
            rows.reverse();
        }
        Ok(Slice { rows, more })
    }

    /// The rows with these keys that the filter admits, in no order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn many<R: Row>(&mut self, keys: &[Uuid], filter: Condition) -> Result<Vec<R>, Error> {
        let has_key = match self {
            // One statement for any number of keys, prepared once.
            Self::Postgres(_) => Expr::col("id").eq(PgFunc::any(Expr::value(keys.to_vec()))),
            Self::Sqlite(_) => Expr::col("id").is_in(keys.iter().copied()),
        };
        self.all(filter.add(has_key), keys.len() as u64).await
    }

    /// Rows in no order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all<R: Row>(&mut self, filter: Condition, limit: u64) -> Result<Vec<R>, Error> {
        self.rows(select::<R>(filter).limit(limit)).await
    }

    /// The objects that name `target` in this relation, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn naming(&mut self, target: Uuid, relation: &str, limit: u32) -> Result<Vec<Uuid>, Error> {
        const NAMING: &str = "select source_id from links where target_id = $1 and relation = $2 limit $3";
        Ok(match self {
            Self::Postgres(db) => {
                let query = sqlx::query_scalar(NAMING).bind(target).bind(relation).bind(i64::from(limit));
                query.fetch_all(&mut **db).await?
            }
            Self::Sqlite(db) => {
                let query = sqlx::query_scalar(NAMING).bind(target).bind(relation).bind(i64::from(limit));
                query.fetch_all(&mut **db).await?
            }
        })
    }

    async fn rows<R: Row>(&mut self, statement: &SelectStatement) -> Result<Vec<R>, Error> {
        Ok(match self {
            Self::Postgres(db) => {
                let (sql, values) = statement.build_sqlx(PostgresQueryBuilder);
                sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(&mut **db).await?
            }
            Self::Sqlite(db) => {
                let (sql, values) = statement.build_sqlx(SqliteQueryBuilder);
                sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(&mut **db).await?
            }
        })
    }
}

impl Pool {
    /// A connection to read from.
    ///
    /// # Errors
    /// When none is to be had.
    pub async fn reader(&self) -> Result<Reader, Error> {
        Ok(match self {
            Self::Postgres(db) => Reader::Postgres(db.acquire().await?),
            Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
        })
    }

    /// One page of rows.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page<R: Row>(&self, listing: Listing) -> Result<Slice<R>, Error> {
        self.reader().await?.page(listing).await
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

    /// The sum of a column of whole numbers over all rows; 0 of none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sum<R: Row>(&self, column: &'static str) -> Result<i64, Error> {
        let sum = Func::coalesce([Func::sum(Expr::col(column)).into(), Expr::val(0)]);
        let statement = Query::select()
            .expr(Expr::expr(sum).cast_as("bigint"))
            .from(Alias::new(R::TABLE.name))
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
        self.reader().await?.many(keys, Condition::all()).await
    }

    /// Rows in no order, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all<R: Row>(&self, filter: Condition, limit: u64) -> Result<Vec<R>, Error> {
        self.reader().await?.all(filter, limit).await
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
