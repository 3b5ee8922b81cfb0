//! What a decision rests on beside the object's own state: other objects, open children, unique keys.
use sea_query::{Alias, Expr, ExprTrait, Func, Query};
use sea_query_sqlx::SqlxBinder;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_domain::{
    Fact, Kind, RegionCode, Viewer,
    aggregate::{Holding, MOST_HAVING},
};

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

    /// What is known of the objects that another one names; they belong to it.
    pub(crate) async fn named(
        &self,
        kind: Kind,
        by: Uuid,
        relations: &[&'static str],
    ) -> Result<Vec<Fact>, Error> {
        let statement = Query::select()
            .column("target_id")
            .from("links")
            .and_where(Expr::col("source_id").eq(by))
            .and_where(Expr::col("relation").is_in(relations.iter().copied()))
            .to_owned();
        let ids: Vec<Uuid> = on!(self.pool(), |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_scalar_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        });
        let facts = self.facts(kind, &ids).await?;
        Ok(facts.into_iter().map(|fact| Fact { belongs_to: Some(by), ..fact }).collect())
    }

    /// What is known of objects whose rows hold this.
    pub(crate) async fn having(
        &self,
        kind: Kind,
        columns: &[(&'static str, Holding)],
        viewer: &Viewer,
    ) -> Result<Vec<Fact>, Error> {
        let of_viewer = columns.iter().any(|(_, holding)| *holding == Holding::ViewersUnit);
        let known = self.catalogue().iter().find(|known| known.kind == kind);
        let Some(known) = known.filter(|_| !of_viewer || !viewer.units.is_empty()) else {
            return Ok(Vec::new());
        };
        let mut statement = Query::select();
        statement.column("id").from(Alias::new(known.table.name)).limit(MOST_HAVING);
        for (column, holding) in columns {
            let column = Expr::col(*column);
            statement.and_where(match holding {
                Holding::Id(id) => column.eq(*id),
                Holding::OneOf(words) => column.is_in(words.iter().map(String::as_str)),
                Holding::ViewersUnit => column.is_in(viewer.units.iter().map(|unit| unit.uuid())),
                Holding::Yes => column.eq(true),
            });
        }
        let ids: Vec<Uuid> = on!(self.pool(), |db, dialect| {
            let (sql, values) = statement.build_sqlx(dialect());
            sqlx::query_scalar_with(AssertSqlSafe(sql), values).fetch_all(db).await?
        });
        self.facts(kind, &ids).await
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
