//! What a decision rests on beside the object's own state: other objects, open children, unique keys.
use sea_query::{Alias, Expr, ExprTrait, Func, Query};
use sea_query_sqlx::SqlxBinder;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_domain::{Fact, Kind, RegionCode};

use crate::{Error, EventStore, pool::on};

impl EventStore {
    /// What is known of objects of one kind.
    pub(crate) async fn facts(&self, kind: Kind, ids: &[Uuid]) -> Result<Vec<Fact>, Error> {
        let Some(known) = self.catalogue().iter().find(|known| known.kind == kind) else {
            return Ok(Vec::new());
        };
        let parent = known.parent.map_or_else(|| Expr::value(None::<Uuid>), Expr::col);
        let statement = Query::select()
            .columns(["id", "status", "region_code"])
            .expr(parent)
            .from(Alias::new(known.table.name))
            .and_where(Expr::col("id").is_in(ids.iter().copied()))
            .to_owned();
        let rows: Vec<(Uuid, String, RegionCode, Option<Uuid>)> = on!(self.pool(), |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_as_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        });
        let fact =
            |(id, status, region, belongs_to)| Fact { kind, id, status, region: Some(region), belongs_to };
        Ok(rows.into_iter().map(fact).collect())
    }

    /// How many objects of a kind under `parent` are in no final state.
    pub(crate) async fn count_open(&self, kind: Kind, parent: Uuid) -> Result<u64, Error> {
        let known = self.catalogue().iter().find(|known| known.kind == kind);
        let Some((table, column)) = known.and_then(|known| Some((known.table, known.parent?))) else {
            return Ok(0);
        };
        let statement = Query::select()
            .expr(Func::count(Expr::col(sea_query::Asterisk)))
            .from(Alias::new(table.name))
            .and_where(Expr::col(column).eq(parent))
            .and_where(Expr::col("status").is_not_in(kind.lifecycle().finals))
            .to_owned();
        let count: i64 = on!(self.pool(), |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_scalar_with(AssertSqlSafe(sql), values).fetch_one(db).await?
        });
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Who holds a unique key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holder(&self, scope: &str, key: &str) -> Result<Option<Uuid>, Error> {
        const HOLDER: &str = "select stream_id from claims where scope = $1 and key = $2";
        Ok(on!(self.pool(), |db, _dialect| {
            sqlx::query_scalar(HOLDER).bind(scope).bind(key).fetch_optional(db).await?
        }))
    }
}
