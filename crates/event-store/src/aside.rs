//! Rows that no event makes: what the service itself remembers, such as the calendars that it last ran with.
use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;

use crate::{
    Error, Pool,
    pool::transaction,
    view::{Row, Table, WriteRow},
};

/// Rows written by one statement.
const PAGE: usize = 500;

impl Pool {
    /// Writes new rows, all of them or none: none when one holds what must be unique and another process wrote before.
    /// Whether they were written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add(&self, rows: &[WriteRow]) -> Result<bool, Error> {
        match self.write(rows).await {
            Ok(()) => Ok(true),
            Err(Error::Database(sqlx::Error::Database(error))) if error.is_unique_violation() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets the rows of a kind whose `column` lies before an instant; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget<R: Row>(&self, column: &'static str, before: DateTime<Utc>) -> Result<u64, Error> {
        let sql = format!("delete from {} where {column} < $1", R::TABLE.name);
        Ok(transaction!(self, |tx, _upsert| {
            sqlx::query(AssertSqlSafe(sql)).bind(before).execute(&mut *tx).await?.rows_affected()
        }))
    }

    async fn write(&self, rows: &[WriteRow]) -> Result<(), Error> {
        let same = |one: &WriteRow, other: &WriteRow| std::ptr::eq(one.table, other.table);
        transaction!(self, |tx, upsert| {
            for page in rows.chunk_by(same).flat_map(|rows| rows.chunks(PAGE)) {
                let Some(WriteRow { table: Table { name, columns }, .. }) = page.first() else { continue };
                let json: Vec<&str> = page.iter().map(|row| &*row.json).collect();
                let query = sqlx::query(AssertSqlSafe(upsert(name, columns, None)));
                query.bind(format!("[{}]", json.join(","))).execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}
