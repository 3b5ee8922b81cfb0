//! Appending: positions, versions, whole or not at all.
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{
    contract,
    database::{Database, in_time},
    raw::{append, extension, fresh, verified},
};
use crate::append::{Append, Refusal};

contract! {
    a_new_stream_begins_at_one_and_goes_on
    a_wrong_version_is_a_conflict_that_names_the_right_one
    of_rivals_for_one_version_one_wins
    several_streams_are_written_together_or_not_at_all
    positions_are_contiguous_and_in_commit_order_over_all_processes
    the_first_bad_event_is_named
    a_lone_append_needs_no_company
}

async fn a_new_stream_begins_at_one_and_goes_on(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    let first = store.writer().append(append(stream, 0, 2)).await.unwrap();
    let second = store.writer().append(append(stream, 2, 1)).await.unwrap();
    let written: Vec<(i64, i64)> =
        first.iter().chain(&second).map(|event| (event.position, event.version)).collect();
    assert_eq!(written, [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(store.head(), 3);
    // What the caller was told is what stands there, to the last field.
    let read = store.pool().read_stream(stream, 0, 10).await.unwrap();
    assert!(first.iter().chain(&second).map(AsRef::as_ref).eq(&read));
}

async fn a_wrong_version_is_a_conflict_that_names_the_right_one(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    for (expected, actual) in [(1, 0), (7, 0)] {
        let refused = store.writer().append(append(stream, expected, 1)).await;
        assert!(
            matches!(refused, Err(Refusal::Conflict { actual: a, stream_id }) if (a, stream_id) == (actual, stream))
        );
    }
    store.writer().append(append(stream, 0, 3)).await.unwrap();
    for expected in [0, 1, 2, 4] {
        let refused = store.writer().append(append(stream, expected, 1)).await;
        assert!(matches!(refused, Err(Refusal::Conflict { actual: 3, .. })), "{refused:?}");
    }
    assert_eq!(verified(&store).await, 3);
}

async fn of_rivals_for_one_version_one_wins(db: &Database) {
    let (here, there, stream) = (db.store().await, db.store().await, fresh());
    for version in 0..20 {
        let rivals =
            [&here, &there, &here, &there].map(|store| store.writer().append(append(stream, version, 1)));
        let outcomes = in_time(join_all(rivals)).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let conflict =
            |refusal: &Refusal| matches!(refusal, Refusal::Conflict { actual, .. } if *actual == version + 1);
        assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(conflict), "{outcomes:?}");
    }
    assert_eq!(here.pool().count_stream(stream).await.unwrap(), 20);
}

async fn several_streams_are_written_together_or_not_at_all(db: &Database) {
    let (store, streams) = (db.store().await, [fresh(), fresh(), fresh()]);
    let of = |expected: [i64; 3]| Append {
        streams: streams.iter().zip(expected).map(|(id, expected)| extension(*id, expected, 2)).collect(),
        ..Append::default()
    };
    store.writer().append(of([0, 0, 0])).await.unwrap();
    let refused = store.writer().append(of([2, 1, 2])).await;
    assert!(matches!(refused, Err(Refusal::Conflict { stream_id, actual: 2 }) if stream_id == streams[1]));
    for stream in streams {
        assert_eq!(store.pool().count_stream(stream).await.unwrap(), 2);
    }
    let written = store.writer().append(of([2, 2, 2])).await.unwrap();
    assert!(written.iter().map(|event| event.position).eq(7..=12));
}

async fn positions_are_contiguous_and_in_commit_order_over_all_processes(db: &Database) {
    let stores = [db.store().await, db.store().await];
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let writer = stores[n % 2].writer().clone();
            tokio::spawn(async move {
                let stream = fresh();
                let mut positions = Vec::new();
                for version in 0..15 {
                    let written = writer.append(append(stream, version, 1)).await.unwrap();
                    positions.push(written[0].position);
                }
                positions
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        let positions = in_time(task).await.unwrap();
        assert!(positions.is_sorted(), "a later append stands before an earlier one");
        all.extend(positions);
    }
    all.sort_unstable();
    assert!(all.into_iter().eq(1..=300));
    let log = stores[0].pool().read_log(0, 1_000).await.unwrap();
    assert!(log.iter().map(|event| event.position).eq(1..=300));
    let mut hash = vec![0; 32];
    for event in &log {
        hash = event.chained(&hash);
        assert_eq!(hash, event.hash, "the chain breaks at {}", event.position);
    }
    assert_eq!(verified(&stores[1]).await, 300);
}

async fn the_first_bad_event_is_named(db: &Database) {
    let store = db.store().await;
    store.writer().append(append(fresh(), 0, 9)).await.unwrap();
    let broken = async || match store.pool().verify(&[], &[], |_| {}).await {
        Err(crate::Error::Broken { position, .. }) => position,
        other => panic!("{other:?}"),
    };
    db.by_hand("update log_head set hash = (select hash from events where position = 8)").await;
    assert_eq!(broken().await, 9);
    db.by_hand("update events set actor = 'eve' where position = 6").await;
    assert_eq!(broken().await, 6);
    db.by_hand("delete from events where position = 4").await;
    assert_eq!(broken().await, 4);
    db.by_hand("delete from events").await;
    assert_eq!(broken().await, 1);
}

async fn a_lone_append_needs_no_company(db: &Database) {
    let store = db.store().await;
    let begun = Instant::now();
    for _ in 0..20 {
        store.writer().append(append(fresh(), 0, 1)).await.unwrap();
    }
    // No second caller ever came. Far more than the disk needs, far less than any waiting that would be worth it.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
