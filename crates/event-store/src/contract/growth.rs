//! Long lives and long logs.
use super::{
    contract,
    database::{Database, until},
    units::{UnitRow, assert_views_hold, order, register, set_members, stored},
};
use crate::Order;
use zhixing_domain::{
    Id, Viewer,
    organisation::unit::{SetUnitMembers, Unit},
};

contract! {
    a_command_on_a_long_life_reads_none_of_it_again
    a_long_life_is_folded_in_pages
    a_snapshot_spares_the_past
    a_snapshot_serves_while_rivals_write
    what_a_rival_wrote_is_added_to_what_is_known
    a_retry_on_a_long_life_reads_none_of_it_again
}

const LONG: i64 = 3_000;

/// A group whose members were set so often, in works of many commands.
async fn long_life(store: &crate::EventStore) -> [Id<Unit>; 2] {
    let [group, member] = [register(store, "成员单位").await, register(store, "甲").await];
    let viewer = Viewer::system();
    for _ in 0..LONG / 500 {
        let mut work = store.begin(&viewer, None);
        for n in 0..500 {
            let member_ids = if n % 2 == 0 { vec![member] } else { vec![] };
            work.run::<UnitRow>(group, None, SetUnitMembers { id: group, member_ids }).await.unwrap();
        }
        work.commit(None).await.unwrap();
    }
    [group, member]
}

/// Hides the past by hand: whoever reads it again finds a life that never began. The last event stays.
async fn hide(db: &Database) {
    let hidden = db.by_hand("update events set version = -version where version between 1 and 3000").await;
    assert!(hidden > 2_999, "{hidden}");
}

async fn a_command_on_a_long_life_reads_none_of_it_again(db: &Database) {
    let store = db.store().await;
    let [group, member] = long_life(&store).await;
    hide(db).await;
    let row = set_members(&store, group, &[member]).await;
    assert_eq!(row.version, LONG + 2);
    assert_eq!(stored(&store, group).await, Some(row));
}

async fn a_long_life_is_folded_in_pages(db: &Database) {
    let (writing, reading) = (db.store().await, db.store().await);
    let [group, member] = long_life(&writing).await;
    let row = set_members(&reading, group, &[member]).await;
    assert_eq!((row.version, row.member_ids.0.as_slice()), (LONG + 2, &[member][..]));
    let again =
        writing.execute::<UnitRow>(order(SetUnitMembers { id: group, member_ids: vec![] })).await.unwrap();
    assert_eq!(again.object.version, LONG + 3);
    assert_views_hold(&reading).await;
}

async fn a_snapshot_spares_the_past(db: &Database) {
    let (writing, reading) = (db.store().await, db.store().await);
    let [group, member] = long_life(&writing).await;
    let before = set_members(&reading, group, &[]).await;
    snapshot_kept(db).await;
    hide(db).await;
    let later = db.store().await;
    let row = set_members(&later, group, &[member]).await;
    assert_eq!((row.version, row.name, row.created_at), (LONG + 3, before.name, before.created_at));
    assert_eq!(row.member_ids.0, [member]);
}

/// Waits for the last snapshot of [`long_life`] as it is at its end.
async fn snapshot_kept(db: &Database) {
    const KEPT: &str = "select coalesce(max(version), 0) from snapshots";
    until("a snapshot is kept", || async { db.number(KEPT).await >= LONG }).await;
}

async fn a_snapshot_serves_while_rivals_write(db: &Database) {
    let (rival, reading) = (db.store().await, db.store().await);
    let [group, member] = long_life(&rival).await;
    snapshot_kept(db).await;
    hide(db).await;
    let writing = async {
        for n in 0..100 {
            let members = if n % 2 == 0 { vec![member] } else { vec![] };
            set_members(&rival, group, &members).await;
        }
    };
    let loading = async {
        for _ in 0..100 {
            reading.forget(group.uuid());
            // From the beginning it cannot be read.
            reading.state::<UnitRow>(group).await.unwrap();
        }
    };
    tokio::join!(writing, loading);
}

async fn what_a_rival_wrote_is_added_to_what_is_known(db: &Database) {
    let (one, other) = (db.store().await, db.store().await);
    let [group, member] = long_life(&one).await;
    assert_eq!(set_members(&other, group, &[member]).await.version, LONG + 2);
    snapshot_kept(db).await;
    db.by_hand("delete from snapshots").await;
    hide(db).await;
    // The first loses to what the other wrote, and must not need the past to try again.
    assert_eq!(set_members(&one, group, &[]).await.version, LONG + 3);
    assert_eq!(set_members(&other, group, &[member]).await.version, LONG + 4);
}

async fn a_retry_on_a_long_life_reads_none_of_it_again(db: &Database) {
    let store = db.store().await;
    let [group, member] = long_life(&store).await;
    let once =
        Order { command_id: Some("once".into()), ..order(SetUnitMembers { id: group, member_ids: vec![] }) };
    let first = store.execute::<UnitRow>(once.clone()).await.unwrap();
    set_members(&store, group, &[member]).await;
    snapshot_kept(db).await;
    hide(db).await;
    let again = store.execute::<UnitRow>(once).await.unwrap();
    assert_eq!((again.object, again.position), (first.object, first.position));
    // Six were made; old ones are not kept.
    assert!(db.number("select count(*) from snapshots").await < 6);
}
