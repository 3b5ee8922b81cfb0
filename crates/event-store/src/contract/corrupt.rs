//! Rows that no store wrote: whoever meets one is told by name and position, and nothing is written over it.
use std::sync::Arc;

use futures_util::StreamExt;
use uuid::Uuid;
use zhixing_domain::{Id, Kind, organisation::unit::Unit};

use super::{
    contract,
    database::{Database, until},
    raw::{append, fresh, verified},
    sums::{NAME, Sums, active, assert_exact, caught_up, start},
    units::{UnitRow, assert_views_hold, order, register, rename, renaming},
};
use crate::{Error, EventStore, SystemClock, store::AsOf};

contract! {
    a_bad_row_is_named_by_whatever_needs_it
    a_row_that_is_another_kind_s_or_missing_is_not_folded_over
    a_projection_parks_what_cannot_be_read_and_takes_it_when_it_is_mended
    a_projection_stops_at_a_hole_and_goes_on_when_it_is_filled
    a_projection_that_is_ahead_of_the_log_says_so
    a_follower_is_told_of_a_hole
    a_log_whose_head_disagrees_is_not_opened
}

/// Where the damaged event stands: the second of its unit, between those of another.
const BAD: i64 = 3;

async fn lives(store: &EventStore) -> [Id<Unit>; 2] {
    let (bad, good) = (register(store, "甲").await, register(store, "乙").await);
    for n in 1..=3 {
        rename(store, bad, &format!("甲{n}")).await;
        rename(store, good, &format!("乙{n}")).await;
    }
    [bad, good]
}

/// What stands in the log, whatever it is.
async fn sum_of_rows(db: &Database) -> i64 {
    db.number("select count(*) * 1000000 + sum(length(data)) from events").await
}

fn unreadable(error: &Error, words: &str) {
    match error {
        Error::Unreadable { position: BAD, reason, .. } if reason.contains(words) => {}
        other => panic!("not named ({words}): {other:?}"),
    }
}

async fn a_bad_row_is_named_by_whatever_needs_it(db: &Database) {
    const DAMAGES: [(&str, &str); 8] = [
        ("data = 'no JSON'", "expected"),
        ("data = '{'", "missing field"),
        ("data = '{}'", "missing field"),
        ("type = 'UnitVanished'", "unknown variant"),
        ("kind = 'SPACESHIP'", "kind"),
        ("schema_version = 2", "newer release"),
        ("schema_version = 0", "no release wrote"),
        ("schema_version = -1", "no release wrote"),
    ];
    let [bad, good] = lives(&db.store().await).await;
    db.by_hand("create table kept as select * from events").await;
    for (damage, words) in DAMAGES {
        db.by_hand(&format!("update events set {damage} where position = {BAD}")).await;
        let before = sum_of_rows(db).await;
        // A store that remembers nothing.
        let store = db.store().await;
        let refused = store.execute::<UnitRow>(order(renaming(bad, "丙"))).await.unwrap_err();
        unreadable(&refused, words);
        unreadable(&store.as_of::<UnitRow>(bad, AsOf::Version(2)).await.unwrap_err(), words);
        unreadable(&store.rebuild(Kind::Unit, true, |_| {}).await.unwrap_err(), words);
        // What does not need it goes on.
        assert!(store.as_of::<UnitRow>(good, AsOf::Version(4)).await.unwrap().is_some());
        assert_eq!(sum_of_rows(db).await, before, "{damage}: nothing was written");
        store.pool().close().await;
        db.by_hand("delete from events").await;
        db.by_hand("insert into events select * from kept").await;
    }
    let store = db.store().await;
    rename(&store, bad, "丙").await;
    assert_eq!(verified(&store).await, 9);
    assert_views_hold(&store).await;
}

async fn a_row_that_is_another_kind_s_or_missing_is_not_folded_over(db: &Database) {
    let [bad, good] = lives(&db.store().await).await;
    db.by_hand("create table kept as select * from events").await;
    let gap = "the event before it in the life of its subject is missing";
    // The first event after the damage tells, or the damaged one itself.
    for (damage, position, words) in [
        ("delete from events where position = 3", 5, gap),
        ("update events set version = -2 where position = 3", 5, gap),
        ("update events set version = 7 where position = 3", 5, gap),
        (
            "update events set kind = 'PLAN' where position = 3",
            BAD,
            "the event is not the one that was written",
        ),
    ] {
        db.by_hand(damage).await;
        let store = db.store().await;
        match store.execute::<UnitRow>(order(renaming(bad, "丙"))).await.unwrap_err() {
            Error::Broken { position: at, reason } => assert_eq!((at, reason), (position, words), "{damage}"),
            other => panic!("{damage}: {other:?}"),
        }
        assert!(store.state::<UnitRow>(good).await.is_ok());
        assert!(matches!(
            store.pool().verify(&[], &[], |_| {}).await,
            Err(Error::Broken { position: BAD, .. })
        ));
        store.pool().close().await;
        db.by_hand("delete from events").await;
        db.by_hand("insert into events select * from kept").await;
    }
    let store = db.store().await;
    rename(&store, bad, "丙").await;
    assert_eq!(verified(&store).await, 9);
}

async fn filled(db: &Database, events: i64) -> EventStore {
    let store = db.store().await;
    for _ in 0..events {
        store.writer().append(append(fresh(), 0, 1)).await.unwrap();
    }
    store
}

async fn a_projection_parks_what_cannot_be_read_and_takes_it_when_it_is_mended(db: &Database) {
    let store = filled(db, 20).await;
    db.by_hand("update events set kind = 'SPACESHIP' where position in (7, 20)").await;
    let projector = start(&store, &Sums::new()).await;
    caught_up(&projector, 20).await;
    let parked = projector.parked(NAME, 10).await.unwrap();
    assert_eq!(parked.iter().map(|parked| parked.position).collect::<Vec<_>>(), [7, 20]);
    for parked in &parked {
        let named = format!("the event at position {} (UnitNoted) cannot be read", parked.position);
        assert!(parked.error.starts_with(&named), "{}", parked.error);
    }
    // What comes behind it is taken.
    store.writer().append(append(fresh(), 0, 1)).await.unwrap();
    caught_up(&projector, 21).await;
    assert_eq!(projector.retry(NAME).await.unwrap(), 2, "it still cannot be read");
    assert_eq!(projector.parked(NAME, 10).await.unwrap()[0].attempts, 2);
    db.by_hand("update events set kind = 'UNIT' where position in (7, 20)").await;
    assert_eq!(projector.retry(NAME).await.unwrap(), 0);
    assert_eq!(active(&projector).await.parked, 0);
    assert_exact(db).await;
}

async fn complains(projector: &crate::Projector, words: &str) {
    until(words, || async { active(projector).await.last_error.is_some_and(|error| error.contains(words)) })
        .await;
}

async fn a_projection_stops_at_a_hole_and_goes_on_when_it_is_filled(db: &Database) {
    let store = filled(db, 20).await;
    db.by_hand("create table kept as select * from events where position = 7").await;
    db.by_hand("delete from events where position = 7").await;
    let projector = start(&store, &Sums::new()).await;
    complains(&projector, "the log is broken at position 7: the event is missing").await;
    assert!(active(&projector).await.position < 7);
    db.by_hand("insert into events select * from kept").await;
    caught_up(&projector, 20).await;
    assert_exact(db).await;
}

async fn a_projection_that_is_ahead_of_the_log_says_so(db: &Database) {
    let store = filled(db, 5).await;
    let projector = start(&store, &Sums::new()).await;
    caught_up(&projector, 5).await;
    projector.stop().await.unwrap();
    store.pool().close().await;
    db.by_hand("update projections set position = 9").await;
    let store = db.store().await;
    let projector = start(&store, &Sums::new()).await;
    complains(&projector, "stands at position 9, behind the end of the log (5)").await;
}

async fn a_follower_is_told_of_a_hole(db: &Database) {
    let store = filled(db, 5).await;
    db.by_hand("delete from events where position = 3").await;
    let mut follower = Box::pin(store.follow(-1));
    for position in 1..=2 {
        assert_eq!(follower.next().await.unwrap().unwrap().position, position);
    }
    let told = follower.next().await.unwrap();
    assert!(matches!(told, Err(Error::Broken { position: 3, reason: "the event is missing" })), "{told:?}");
    assert!(follower.next().await.is_none());
}

async fn a_log_whose_head_disagrees_is_not_opened(db: &Database) {
    filled(db, 5).await.pool().close().await;
    db.by_hand("create table kept as select * from log_head").await;
    for (damage, position, words) in [
        ("update log_head set position = 3", 4, "there are events behind the end of the log"),
        ("update log_head set position = 7", 6, "the event is missing"),
        ("update log_head set hash = substr(hash, 1, 31)", 5, "the hash in log_head is not 32 bytes long"),
        ("delete from log_head", 0, "the row of log_head is missing"),
    ] {
        db.by_hand(damage).await;
        let opened = EventStore::open(db.pool().await, Arc::new(SystemClock), Vec::new()).await;
        match opened.map(|_| Uuid::nil()) {
            Err(Error::Broken { position: at, reason }) => assert_eq!((at, reason), (position, words)),
            other => panic!("{damage}: {other:?}"),
        }
        assert_eq!(db.number("select count(*) from events").await, 5);
        db.by_hand("delete from log_head").await;
        db.by_hand("insert into log_head select * from kept").await;
    }
    assert_eq!(verified(&db.store().await).await, 5);
}
