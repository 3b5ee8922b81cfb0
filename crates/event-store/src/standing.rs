//! Where many objects stand at one moment, and which position of the log that moment is: the beginning for a copy.
use chrono::{DateTime, Utc};
use sea_query::{Alias, Condition, Order, Query};
use sea_query_sqlx::SqlxBinder;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;
use zhixing_domain::{Kind, RegionCode};

use crate::{Error, Pool, pool::on, view::Table};

/// Which objects of one kind.
#[derive(Clone, Debug)]
pub struct Standings {
    /// The kind.
    pub kind: Kind,
    /// Its table.
    pub table: &'static Table,
    /// Which of its rows.
    pub filter: Condition,
}

/// Where an object stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of what kind it is.
    pub kind: Kind,
    /// Which one it is.
    pub id: Uuid,
    /// How many events it has lived through.
    pub version: i64,
    /// Its status.
    pub status: String,
    /// Where it lies.
    pub region_code: Option<RegionCode>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct Row {
    id: Uuid,
    version: i64,
    status: String,
    region_code: Option<RegionCode>,
    updated_at: DateTime<Utc>,
}

impl Pool {
    /// Where these objects stand at one moment, in the order of kinds and keys, and the position of the last event that they
    /// have lived through; `None` instead of the objects when there are more than `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standings(
        &self,
        of: Vec<Standings>,
        most: usize,
    ) -> Result<(i64, Option<Vec<Standing>>), Error> {
        // What is read in it is of one moment, whatever is written meanwhile.
        let begin = match self {
            Self::Postgres(_) => "begin isolation level repeatable read read only",
            Self::Sqlite { .. } => "begin",
        };
        on!(self, |db, dialect| {
            let mut moment = db.begin_with(begin).await?;
            let head = sqlx::query_scalar("select position from log_head").fetch_one(&mut *moment).await?;
            let mut all = Vec::new();
            for Standings { kind, table, filter } in of {
                let statement = Query::select()
                    .columns(["id", "version", "status", "region_code", "updated_at"])
                    .from(Alias::new(table.name))
                    .cond_where(filter)
                    .order_by("id", Order::Asc)
                    .limit((most + 1 - all.len()) as u64)
                    .to_owned();
                let (sql, values) = statement.build_sqlx(dialect());
                let rows: Vec<Row> =
                    sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(&mut *moment).await?;
                all.extend(rows.into_iter().map(|row| {
                    let Row { id, version, status, region_code, updated_at } = row;
                    Standing { kind, id, version, status, region_code, updated_at }
                }));
                if all.len() > most {
                    return Ok((head, None));
                }
            }
            Ok((head, Some(all)))
        })
    }
}
