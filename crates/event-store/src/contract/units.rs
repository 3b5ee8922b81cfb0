//! The view of the cases: units, with a row beside them for every name they bore.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Fact, Id, Kind, RegionCode, Viewer,
    id::Key,
    organisation::unit::{
        RegisterUnit, RenameUnit, SetUnitMembers, Unit, UnitCommand, UnitEvent, UnitKind, UnitStatus,
    },
};

use crate::{
    Error, EventStore, Link, Meta, Order, Receipt, Row, Table, View,
    view::{Known, WriteRow},
};

/// As what a group names its members.
pub(super) const MEMBER: &str = "member";

/// The table of [`NameRow`].
pub(super) const NAMES: &str =
    "create table unit_names (id uuid primary key, unit_id uuid not null, name text not null)";

pub(super) fn catalogue() -> Vec<Known> {
    vec![Known::of::<UnitRow>()]
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub(super) struct UnitRow {
    pub id: Key<Unit>,
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub status: UnitStatus,
    pub region_code: RegionCode,
    pub name: String,
    pub kind: UnitKind,
    pub official_name: Option<String>,
    pub aliases: Json<Vec<String>>,
    pub member_ids: Json<Vec<Id<Unit>>>,
    pub merged_into_id: Option<Key<Unit>>,
    pub note: Option<String>,
}

impl Row for UnitRow {
    const TABLE: &'static Table = &Table {
        name: "units",
        columns: &[
            "id",
            "version",
            "created_at",
            "updated_at",
            "status",
            "region_code",
            "name",
            "kind",
            "official_name",
            "aliases",
            "member_ids",
            "merged_into_id",
            "note",
        ],
    };
    fn key(&self) -> Uuid {
        self.id.0.uuid()
    }
}

/// A name that a unit bore.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
pub(super) struct NameRow {
    pub id: Uuid,
    pub unit_id: Uuid,
    pub name: String,
}

impl Row for NameRow {
    const TABLE: &'static Table = &Table { name: "unit_names", columns: &["id", "unit_id", "name"] };
    fn key(&self) -> Uuid {
        self.id
    }
}

impl View for UnitRow {
    type Of = Unit;
    const ENTRIES: Option<&'static Table> = Some(NameRow::TABLE);

    fn version(&self) -> i64 {
        self.version
    }
    fn fact(&self) -> Fact {
        Fact {
            kind: Kind::Unit,
            id: self.key(),
            status: self.status.as_str().into(),
            region: Some(self.region_code),
            belongs_to: None,
        }
    }
    fn links(&self) -> Vec<Link> {
        self.member_ids.iter().map(|id| Link { relation: MEMBER, target_id: id.uuid() }).collect()
    }
    fn entries(event: &UnitEvent, meta: &Meta<Unit>) -> Result<Vec<WriteRow>, Error> {
        let (UnitEvent::Registered { name, .. } | UnitEvent::Renamed { name, .. }) = event else {
            return Ok(Vec::new());
        };
        let unit_id = meta.id.uuid();
        let id = Uuid::new_v5(&unit_id, &meta.version.to_be_bytes());
        Ok(vec![WriteRow::of(&NameRow { id, unit_id, name: name.clone() })?])
    }
    fn project(row: Option<Self>, event: &UnitEvent, meta: &Meta<Unit>) -> Option<Self> {
        let mut row = match (row, event) {
            (Some(row), _) => row,
            (None, UnitEvent::Registered { name, kind, region_code, official_name, aliases, note }) => Self {
                id: Key(meta.id),
                version: 0,
                created_at: meta.at,
                updated_at: meta.at,
                status: UnitStatus::Active,
                region_code: *region_code,
                name: name.clone(),
                kind: *kind,
                official_name: official_name.clone(),
                aliases: Json(aliases.clone()),
                member_ids: Json(Vec::new()),
                merged_into_id: None,
                note: note.clone(),
            },
            (None, _) => return None,
        };
        (row.version, row.updated_at) = (meta.version, meta.at);
        row.status = event.status().unwrap_or(row.status);
        match event {
            UnitEvent::Registered { .. } | UnitEvent::Dissolved { .. } => {}
            UnitEvent::Renamed { name, official_name, former_name, .. } => {
                row.aliases.push(former_name.clone());
                row.name.clone_from(name);
                row.official_name.clone_from(official_name);
            }
            UnitEvent::AliasesAdded { aliases } => row.aliases.extend_from_slice(aliases),
            UnitEvent::MembersSet { members } => row.member_ids = Json(members.clone()),
            UnitEvent::Merged { into, .. } => row.merged_into_id = Some(Key(*into)),
        }
        Some(row)
    }
}

/// A command as anybody would give it.
pub(super) fn order(command: impl Into<UnitCommand>) -> Order<UnitCommand> {
    Order {
        viewer: Viewer::system(),
        command: command.into(),
        command_id: None,
        expected_version: None,
        dry_run: false,
    }
}

pub(super) fn registration(name: &str) -> RegisterUnit {
    RegisterUnit {
        name: name.into(),
        kind: UnitKind::UnitGroup,
        region_code: "430000".parse().unwrap(),
        official_name: None,
        aliases: Vec::new(),
        note: None,
    }
}

pub(super) fn renaming(id: Id<Unit>, name: &str) -> RenameUnit {
    RenameUnit { id, name: name.into(), official_name: None, reason: "机构改革".into() }
}

pub(super) async fn register(store: &EventStore, name: &str) -> Id<Unit> {
    let receipt: Receipt<UnitRow> = store.execute(order(registration(name))).await.unwrap();
    receipt.object.id.0
}

pub(super) async fn rename(store: &EventStore, id: Id<Unit>, name: &str) -> UnitRow {
    store.execute::<UnitRow>(order(renaming(id, name))).await.unwrap().object
}

pub(super) async fn set_members(store: &EventStore, id: Id<Unit>, members: &[Id<Unit>]) -> UnitRow {
    let command = SetUnitMembers { id, member_ids: members.to_vec() };
    store.execute::<UnitRow>(order(command)).await.unwrap().object
}

/// The row as it is stored.
pub(super) async fn stored(store: &EventStore, id: Id<Unit>) -> Option<UnitRow> {
    store.pool().many::<UnitRow>(&[id.uuid()]).await.unwrap().pop()
}

/// Every row is what the log says, links and rows beside it too.
pub(super) async fn assert_views_hold(store: &EventStore) {
    for difference in store.rebuild(Kind::Unit, false, |_| {}).await.unwrap() {
        assert!(difference.is_none(), "{difference:?}");
    }
}
