//! Projections: in batches, exactly once, past what cannot be taken, and built anew while they serve.
use std::{sync::atomic::Ordering, time::Duration};

use super::{
    contract,
    database::{Database, PATIENCE, until},
    raw::{append, event, extension, fresh},
    sums::{NAME, Sums, active, assert_exact, caught_up, start},
};
use crate::{
    Error, EventStore, Projector,
    append::{Append, Extension},
};

contract! {
    a_projection_takes_every_event_once
    waiting_sees_what_was_written
    an_event_that_cannot_be_taken_is_parked_and_the_others_go_on
    an_event_that_the_table_refuses_is_parked_and_the_others_go_on
    a_restart_goes_on_exactly_once
    a_rebuild_runs_beside_and_is_switched_in
    a_rebuild_that_is_not_wanted_is_dropped
    a_new_version_warms_up_beside_the_old_one
    a_rebuild_shows_what_differs
}

/// Writes 20 events each to so many streams.
async fn write(store: &EventStore, streams: usize) {
    let streams: Vec<_> = (0..streams).map(|_| fresh()).collect();
    for version in 0..10 {
        for stream in &streams {
            store.writer().append(append(*stream, version * 2, 2)).await.unwrap();
        }
    }
}

/// An event whose payload says this.
async fn say(store: &EventStore, words: &str) {
    let stream = fresh();
    let events = vec![event(stream, 1, &format!("{{\"words\":\"{words}\"}}"))];
    let streams = vec![Extension { events, ..extension(stream, 0, 0) }];
    store.writer().append(Append { streams, ..Append::default() }).await.unwrap();
}

async fn a_projection_takes_every_event_once(db: &Database) {
    let (store, sums) = (db.store().await, Sums::new());
    // More than a batch before it starts, and more while it runs.
    write(&store, 40).await;
    let projector = start(&store, &sums).await;
    write(&store, 10).await;
    caught_up(&projector, 1_000).await;
    assert_exact(db).await;
    let build = active(&projector).await;
    assert_eq!((build.position, build.parked, build.last_error), (1_000, 0, None));
}

async fn waiting_sees_what_was_written(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let [running, watching] = [start(&here, &Sums::new()).await, start(&there, &Sums::new()).await];
    for _ in 0..10 {
        let position = here.writer().append(append(fresh(), 0, 3)).await.unwrap()[2].position;
        // Through the process that runs it and through one that does not.
        for projector in [&running, &watching] {
            assert!(projector.wait(NAME, position, PATIENCE).await.unwrap() >= position);
        }
        assert_exact(db).await;
    }
    let reached = running.wait(NAME, 1_000, Duration::from_millis(100)).await.unwrap();
    assert_eq!(reached, 30, "what was not written yet is not waited for beyond the patience");
    assert_eq!(running.wait("no such", 1, PATIENCE).await.unwrap(), 0);
}

async fn an_event_that_cannot_be_taken_is_parked_and_the_others_go_on(db: &Database) {
    let (store, sums) = (db.store().await, Sums::new());
    sums.refuses.store(true, Ordering::SeqCst);
    let projector = start(&store, &sums).await;
    for words in ["good", "bad", "good", "bad", "good"] {
        say(&store, words).await;
    }
    caught_up(&projector, 5).await;
    assert_eq!(db.number("select count(*) from sums").await, 3);
    let parked = projector.parked(NAME, 10).await.unwrap();
    let seen: Vec<(i64, &str, i32)> =
        parked.iter().map(|parked| (parked.position, parked.error.as_str(), parked.attempts)).collect();
    assert_eq!(seen, [(2, "it says bad", 1), (4, "it says bad", 1)]);
    assert_eq!(active(&projector).await.parked, 2);
    // The cause is still there, then it is gone.
    assert_eq!(projector.retry(NAME).await.unwrap(), 2);
    assert_eq!(projector.parked(NAME, 1).await.unwrap()[0].attempts, 2);
    sums.refuses.store(false, Ordering::SeqCst);
    assert_eq!(projector.retry(NAME).await.unwrap(), 0);
    assert_eq!(projector.retry(NAME).await.unwrap(), 0);
    assert!(projector.parked(NAME, 10).await.unwrap().is_empty());
    assert_exact(db).await;
}

async fn an_event_that_the_table_refuses_is_parked_and_the_others_go_on(db: &Database) {
    let store = db.store().await;
    for words in ["good", "refused", "good"] {
        say(&store, words).await;
    }
    let projector = start(&store, &Sums::new()).await;
    say(&store, "good").await;
    caught_up(&projector, 4).await;
    let parked = projector.parked(NAME, 10).await.unwrap();
    assert_eq!(parked.iter().map(|parked| parked.position).collect::<Vec<_>>(), [2]);
    assert_eq!(db.number("select count(*) from sums").await, 3);
}

async fn a_restart_goes_on_exactly_once(db: &Database) {
    for round in 1..=4 {
        let store = db.store().await;
        let projector = start(&store, &Sums::new()).await;
        write(&store, 5).await;
        if round % 2 == 0 {
            // In the middle of its work, without a word.
            store.pool().close().await;
        } else {
            projector.stop().await.unwrap();
        }
    }
    let store = db.store().await;
    let projector = start(&store, &Sums::new()).await;
    caught_up(&projector, 400).await;
    assert_exact(db).await;
}

/// Waits until the new build has come as far as the one that serves.
async fn warmed_up(projector: &Projector, head: i64) {
    until("the new build is warm", || async {
        projector
            .progress()
            .await
            .unwrap()
            .iter()
            .any(|build| build.state == "WARMING" && build.position >= head)
    })
    .await;
}

async fn a_rebuild_runs_beside_and_is_switched_in(db: &Database) {
    let store = db.store().await;
    let projector = start(&store, &Sums::new()).await;
    write(&store, 20).await;
    caught_up(&projector, 400).await;
    let writing = tokio::spawn({
        let store = store.clone();
        async move { write(&store, 20).await }
    });
    let generation = projector.rebuild(NAME).await.unwrap();
    assert_eq!(
        (generation, projector.rebuild(NAME).await.unwrap()),
        (2, 2),
        "a second one while one warms up"
    );
    until("it is switched in", || async {
        match projector.settle(NAME, true).await {
            Ok(()) => true,
            Err(Error::NotReady { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
    writing.await.unwrap();
    caught_up(&projector, 800).await;
    assert_exact(db).await;
    let builds = projector.progress().await.unwrap();
    assert_eq!(
        builds.iter().map(|build| (build.generation, build.state.as_str())).collect::<Vec<_>>(),
        [(2, "ACTIVE")]
    );
    assert!(matches!(projector.settle(NAME, true).await, Err(Error::NotReady { .. })));
}

async fn a_rebuild_that_is_not_wanted_is_dropped(db: &Database) {
    let store = db.store().await;
    let projector = start(&store, &Sums::new()).await;
    write(&store, 5).await;
    projector.rebuild(NAME).await.unwrap();
    warmed_up(&projector, 100).await;
    projector.settle(NAME, false).await.unwrap();
    write(&store, 5).await;
    caught_up(&projector, 200).await;
    assert_exact(db).await;
    assert_eq!(active(&projector).await.generation, 1);
    // And once more from the beginning: nothing of the dropped build is in the way.
    projector.rebuild(NAME).await.unwrap();
    warmed_up(&projector, 200).await;
    projector.settle(NAME, true).await.unwrap();
    assert_exact(db).await;
}

async fn a_new_version_warms_up_beside_the_old_one(db: &Database) {
    let old = db.store().await;
    let serving = start(&old, &Sums::new()).await;
    write(&old, 5).await;
    caught_up(&serving, 100).await;
    let new = db.store().await;
    let next = std::sync::Arc::new(Sums { version: 2, ..Sums::default() });
    let warming = start(&new, &next).await;
    write(&old, 5).await;
    until("the new version is switched in", || async { active(&warming).await.version == 2 }).await;
    caught_up(&warming, 200).await;
    assert_exact(db).await;
    // The old release is still there; it writes nothing any more.
    write(&new, 5).await;
    caught_up(&warming, 300).await;
    assert_exact(db).await;
    let versions: Vec<i32> = serving.progress().await.unwrap().iter().map(|build| build.version).collect();
    assert_eq!(versions, [2]);
}

async fn a_rebuild_shows_what_differs(db: &Database) {
    let store = db.store().await;
    let projector = start(&store, &Sums::new()).await;
    write(&store, 5).await;
    caught_up(&projector, 100).await;
    db.by_hand(
        "update sums_g1 set events = events + 1 where id = (select stream_id from events where position = 1)",
    )
    .await;
    db.by_hand("delete from lasts_g1 where id = (select stream_id from events where position = 100)").await;
    projector.rebuild(NAME).await.unwrap();
    warmed_up(&projector, 100).await;
    let differences = projector.difference(NAME).await.unwrap();
    let counts: Vec<_> = differences
        .iter()
        .map(|difference| (difference.table, difference.only_before, difference.only_after))
        .collect();
    assert_eq!(counts, [("sums", 1, 1), ("lasts", 0, 1)]);
    projector.settle(NAME, true).await.unwrap();
    assert_exact(db).await;
}
