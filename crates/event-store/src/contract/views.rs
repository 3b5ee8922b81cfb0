//! Rows are folded and stored with the events they come from.
use std::collections::BTreeSet;

use futures_util::future::join_all;
use zhixing_domain::{Kind, Rejection, Viewer, organisation::unit::Unit};

use super::{
    contract,
    database::{Database, in_time},
    units::{
        MEMBER, NameRow, UnitRow, assert_views_hold, order, register, registration, rename, renaming,
        set_members, stored,
    },
};
use crate::{Error, Order, store::AsOf};

contract! {
    a_command_reads_its_own_writes
    rows_equal_their_folds_after_many_rivals
    links_follow_the_row
    commands_of_two_processes_on_one_object_all_count
    a_work_is_written_whole
    a_dry_run_writes_nothing
    the_past_is_folded
}

async fn a_command_reads_its_own_writes(db: &Database) {
    let store = db.store().await;
    let id = register(&store, "省质监局").await;
    let renamed = rename(&store, id, "省市场监管局").await;
    let row = stored(&store, id).await.unwrap();
    assert_eq!(row, renamed);
    assert_eq!(
        (row.version, row.name.as_str(), row.aliases.0.as_slice()),
        (2, "省市场监管局", &["省质监局".into()][..])
    );
    let names: BTreeSet<String> = store
        .pool()
        .all::<NameRow>(sea_query::Condition::all(), 10)
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.name)
        .collect();
    assert_eq!(names, ["省市场监管局".to_owned(), "省质监局".into()].into());
    assert_views_hold(&store).await;
}

async fn rows_equal_their_folds_after_many_rivals(db: &Database) {
    let stores = [db.store().await, db.store().await];
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(register(&stores[0], &format!("单位{n}")).await);
    }
    let work = (0..60).map(|n| {
        let (store, ids) = (&stores[n % 2], &ids);
        async move {
            if n % 3 == 0 {
                set_members(store, ids[n % 6], &[ids[(n + 1) % 6], ids[(n + 2 + n / 20) % 6]]).await;
            } else {
                rename(store, ids[n % 6], &format!("单位{} 第{n}次", n % 6)).await;
            }
        }
    });
    in_time(join_all(work)).await;
    assert_eq!(db.number("select count(*) from events").await, 66);
    for id in ids {
        let row = stored(&stores[0], id).await.unwrap();
        let folded = stores[1].as_of::<UnitRow>(id, AsOf::Version(i64::MAX)).await.unwrap();
        assert_eq!(Some(row), folded);
    }
    assert_views_hold(&stores[0]).await;
}

async fn links_follow_the_row(db: &Database) {
    let store = db.store().await;
    let group = register(&store, "成员单位").await;
    let [a, b, c] =
        [register(&store, "甲").await, register(&store, "乙").await, register(&store, "丙").await];
    for members in [vec![a, b], vec![b, c], vec![], vec![c]] {
        set_members(&store, group, &members).await;
        for unit in [a, b, c] {
            let groups = store.pool().reader().await.unwrap().naming(unit.uuid(), MEMBER, 10).await.unwrap();
            assert_eq!(groups, if members.contains(&unit) { vec![group.uuid()] } else { vec![] });
        }
    }
    assert_views_hold(&store).await;
}

async fn commands_of_two_processes_on_one_object_all_count(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let id = register(&here, "甲").await;
    let alternate = |store: crate::EventStore, side: &'static str| async move {
        for n in 0..15 {
            rename(&store, id, &format!("{side}{n}")).await;
        }
    };
    let both = futures_util::future::join(alternate(here.clone(), "东"), alternate(there.clone(), "西"));
    Box::pin(in_time(both)).await;
    let row = stored(&here, id).await.unwrap();
    assert_eq!((row.version, row.aliases.len()), (31, 30));
    assert_views_hold(&there).await;
}

async fn a_work_is_written_whole(db: &Database) {
    let store = db.store().await;
    register(&store, "乙").await;
    let viewer = Viewer::system();
    for (names, written) in [(["甲", "乙"], false), (["丙", "丁"], true)] {
        let mut work = store.begin(&viewer, None);
        for name in names {
            let id = zhixing_domain::Id::<Unit>::new(store.clock().new_id());
            work.run::<UnitRow>(id, None, registration(name)).await.unwrap();
        }
        assert_eq!(work.commit(None).await.is_ok(), written);
    }
    assert_eq!(db.number("select count(*) from units").await, 3);
    assert_eq!(
        store.holder(Unit::NAME, &Unit::name_key("430000".parse().unwrap(), "甲")).await.unwrap(),
        None
    );
    assert_views_hold(&store).await;
}

async fn a_dry_run_writes_nothing(db: &Database) {
    let store = db.store().await;
    let id = register(&store, "甲").await;
    let dry = |command| Order { dry_run: true, ..order(command) };
    let receipt = store.execute::<UnitRow>(dry(registration("乙"))).await.unwrap();
    assert_eq!((receipt.position, receipt.events.len()), (None, 1));
    let refused = store.execute::<UnitRow>(dry(registration("甲"))).await;
    assert!(matches!(refused, Err(Error::Rejected(Rejection::AlreadyExists { kind: Kind::Unit, .. }))));
    store.execute::<UnitRow>(Order { dry_run: true, ..order(renaming(id, "丙")) }).await.unwrap();
    assert_eq!((stored(&store, id).await.unwrap().version, store.head()), (1, 1));
    // What was only tried does not show in what comes after it.
    assert_eq!(rename(&store, id, "丁").await.aliases.0, ["甲"]);
}

async fn the_past_is_folded(db: &Database) {
    let store = db.store().await;
    let id = register(&store, "甲").await;
    let then = rename(&store, id, "乙").await;
    rename(&store, id, "丙").await;
    assert_eq!(store.as_of::<UnitRow>(id, AsOf::Version(2)).await.unwrap(), Some(then.clone()));
    assert_eq!(store.as_of::<UnitRow>(id, AsOf::Time(then.updated_at)).await.unwrap(), Some(then));
    assert_eq!(store.as_of::<UnitRow>(id, AsOf::Version(0)).await.unwrap(), None);
}
