//! Following the log: no hole, no repetition, whatever comes between.
use std::pin::pin;

use futures_util::{Stream, StreamExt};

use super::{
    contract,
    database::{Database, PATIENCE},
    raw::{append, fresh},
};
use crate::{Error, EventStore, event::Shared};

contract! {
    a_follower_catches_up_and_goes_on_live
    a_follower_that_falls_behind_the_ring_misses_nothing
    followers_do_not_disturb_each_other
    a_follower_begins_where_it_left_off
    a_follower_from_the_future_waits
    followers_of_all_processes_hear_of_all_appends
}

/// The next so many events, which must be exactly those behind `after`.
async fn take(events: &mut (impl Stream<Item = Result<Shared, Error>> + Unpin), after: i64, count: i64) {
    for position in after + 1..=after + count {
        let next = tokio::time::timeout(PATIENCE, events.next()).await;
        let event = next.expect("the follower waits in vain").expect("the stream ended").unwrap();
        assert_eq!(event.position, position);
    }
}

async fn silent(events: &mut (impl Stream<Item = Result<Shared, Error>> + Unpin)) {
    let none = tokio::time::timeout(std::time::Duration::from_millis(200), events.next()).await;
    assert!(none.is_err(), "an event that was not written: {none:?}");
}

/// Writes so many events in appends of `size`.
async fn write(store: &EventStore, count: i64, size: i64) {
    for _ in 0..count / size {
        store.writer().append(append(fresh(), 0, size)).await.unwrap();
    }
}

async fn a_follower_catches_up_and_goes_on_live(db: &Database) {
    let store = db.store().await;
    // More than one page, and writers at work while the follower passes from the past into the present.
    write(&store, 1_200, 100).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { write(&store, 300, 1).await }
    });
    let mut events = pin!(store.follow(0));
    take(&mut events, 0, 1_500).await;
    writing.await.unwrap();
    silent(&mut events).await;
    write(&store, 3, 1).await;
    take(&mut events, 1_500, 3).await;
}

async fn a_follower_that_falls_behind_the_ring_misses_nothing(db: &Database) {
    let store = db.store().await;
    let mut events = pin!(store.follow(0));
    write(&store, 2, 1).await;
    take(&mut events, 0, 2).await;
    // It is live now, and then not asked for longer than the ring remembers.
    write(&store, 10_000, 500).await;
    take(&mut events, 2, 10_000).await;
    write(&store, 5, 1).await;
    take(&mut events, 10_002, 5).await;
    silent(&mut events).await;
}

async fn followers_do_not_disturb_each_other(db: &Database) {
    let store = db.store().await;
    write(&store, 20, 1).await;
    let (mut quick, mut slow, mut late) =
        (pin!(store.follow(0)), pin!(store.follow(0)), pin!(store.follow(15)));
    take(&mut quick, 0, 20).await;
    take(&mut slow, 0, 1).await;
    write(&store, 30, 1).await;
    take(&mut quick, 20, 30).await;
    take(&mut late, 15, 35).await;
    take(&mut slow, 1, 49).await;
    for events in [&mut quick, &mut slow, &mut late] {
        silent(events).await;
    }
}

async fn a_follower_begins_where_it_left_off(db: &Database) {
    let store = db.store().await;
    let mut at = 0;
    for count in [3, 1, 40, 7] {
        write(&store, count, 1).await;
        // A follower that goes away is replaced by one that knows only the position.
        let mut events = pin!(store.follow(at));
        take(&mut events, at, count).await;
        at += count;
    }
}

async fn a_follower_from_the_future_waits(db: &Database) {
    let store = db.store().await;
    let mut events = pin!(store.follow(5));
    silent(&mut events).await;
    write(&store, 5, 1).await;
    silent(&mut events).await;
    write(&store, 2, 1).await;
    take(&mut events, 5, 2).await;
}

async fn followers_of_all_processes_hear_of_all_appends(db: &Database) {
    let here = db.store().await;
    // A file belongs to one process; on a server, others hear by notification.
    let there = if db.is_postgres() { db.store().await } else { here.clone() };
    let (mut at_home, mut abroad) = (pin!(here.follow(0)), pin!(there.follow(0)));
    silent(&mut abroad).await;
    for round in 0..10 {
        write(if round % 2 == 0 { &here } else { &there }, 7, 1).await;
        take(&mut at_home, round * 7, 7).await;
        take(&mut abroad, round * 7, 7).await;
    }
    silent(&mut abroad).await;
}
