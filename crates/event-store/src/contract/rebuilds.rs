//! Views built anew: what was changed by hand is found and mended, while commands go on.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use zhixing_domain::{Id, Kind, organisation::unit::Unit};

use super::{
    contract,
    database::{Database, in_time},
    raw::fresh,
    units::{assert_views_hold, register, rename, set_members, stored},
};
use crate::{EventStore, rebuild::Difference};

contract! {
    what_is_right_is_left_alone
    what_was_done_by_hand_is_found_and_mended
    commands_go_on_while_a_view_is_mended
    two_rebuilds_do_not_destroy_each_other
}

async fn some_units(store: &EventStore) -> Vec<Id<Unit>> {
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(register(store, &format!("单位{n}")).await);
    }
    for n in 0..4 {
        rename(store, ids[n], &format!("新单位{n}")).await;
        set_members(store, ids[n], &[ids[n + 4], ids[(n + 5) % 8]]).await;
    }
    ids
}

fn of<'d>(differences: &'d [Difference], table: &str) -> &'d Difference {
    differences.iter().find(|difference| difference.table == table).expect("the table was compared")
}

async fn what_is_right_is_left_alone(db: &Database) {
    let store = db.store().await;
    some_units(&store).await;
    for apply in [false, true] {
        let differences = store.rebuild(Kind::Unit, apply, |_| {}).await.unwrap();
        let rows: Vec<_> = differences.iter().map(|difference| (difference.table, difference.rows)).collect();
        assert_eq!(rows, [("units", 8), ("unit_names", 12), ("links", 8)]);
        assert!(differences.iter().all(Difference::is_none), "{differences:?}");
    }
}

/// Alters, deletes and invents a row of each table.
async fn tamper(db: &Database, ids: &[Id<Unit>]) {
    let literal = |id: uuid::Uuid| {
        if db.is_postgres() { format!("'{id}'") } else { format!("x'{}'", id.simple()) }
    };
    let id = |n: usize| literal(ids[n].uuid());
    let invented = literal(fresh());
    for sql in [
        format!("update units set name = '冒名', aliases = '[]' where id = {}", id(0)),
        format!("delete from units where id = {}", id(1)),
        format!(
            "insert into units (id, version, created_at, updated_at, status, region_code, name, kind, aliases, member_ids) \
             select {invented}, 1, created_at, updated_at, status, region_code, '无中生有', kind, '[]', '[]' \
             from units where id = {}",
            id(2)
        ),
        format!("update unit_names set name = '冒名' where unit_id = {} and name = '单位2'", id(2)),
        format!("delete from unit_names where unit_id = {}", id(3)),
        format!("insert into unit_names (id, unit_id, name) values ({invented}, {}, '无中生有')", id(5)),
        format!("delete from links where source_id = {} and target_id = {}", id(3), id(7)),
        format!(
            "insert into links (target_id, relation, source_id, source_kind) values ({}, 'member', {}, 'UNIT')",
            id(0),
            id(7)
        ),
    ] {
        assert!(db.by_hand(&sql).await > 0, "{sql}");
    }
}

async fn what_was_done_by_hand_is_found_and_mended(db: &Database) {
    let store = db.store().await;
    let ids = some_units(&store).await;
    tamper(db, &ids).await;
    for apply in [false, true] {
        let differences = store.rebuild(Kind::Unit, apply, |_| {}).await.unwrap();
        for (table, wrong, missing) in [("units", 2, 2), ("unit_names", 2, 3), ("links", 1, 1)] {
            let difference = of(&differences, table);
            assert_eq!((difference.wrong, difference.missing), (wrong, missing), "{difference:?}");
            assert!(!difference.examples.is_empty());
        }
    }
    assert_views_hold(&store).await;
    assert_eq!(stored(&store, ids[0]).await.unwrap().name, "新单位0");
    // The next command builds on what was mended.
    assert_eq!(rename(&store, ids[1], "再改").await.aliases.0, ["单位1", "新单位1"]);
    assert_views_hold(&store).await;
}

async fn commands_go_on_while_a_view_is_mended(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let ids = some_units(&here).await;
    tamper(db, &ids).await;
    let going = Arc::new(AtomicBool::new(true));
    let writers: Vec<_> = [(here.clone(), "东"), (there.clone(), "西")]
        .into_iter()
        .map(|(store, side)| {
            let (going, ids) = (going.clone(), ids.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while going.load(Ordering::SeqCst) && done < 150 {
                    set_members(&store, ids[done % 4], &[ids[4 + done % 4]]).await;
                    register(&store, &format!("{side}{done}")).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    for _ in 0..3 {
        here.rebuild(Kind::Unit, true, |_| {}).await.unwrap();
    }
    going.store(false, Ordering::SeqCst);
    for writer in writers {
        assert!(in_time(writer).await.unwrap() > 0, "commands stood still");
    }
    assert_views_hold(&there).await;
}

async fn two_rebuilds_do_not_destroy_each_other(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    some_units(&here).await;
    for n in 0..200 {
        register(&here, &format!("许多{n}")).await;
    }
    for _ in 0..4 {
        let one = Box::pin(here.rebuild(Kind::Unit, true, |_| {}));
        let other = Box::pin(there.rebuild(Kind::Unit, true, |_| {}));
        // Either may be told to come later; neither may do harm.
        let (one, other) = in_time(futures_util::future::join(one, other)).await;
        for differences in [one, other].into_iter().flatten() {
            assert!(differences.iter().all(Difference::is_none), "{differences:?}");
        }
        assert_eq!(
            db.number("select count(*) from units").await,
            208,
            "a rebuild deleted rows that are right"
        );
    }
    assert_views_hold(&here).await;
}
