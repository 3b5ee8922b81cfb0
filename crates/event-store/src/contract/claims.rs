//! Unique keys: taken, kept, given back, taken again.
use futures_util::future::join_all;

use super::{
    contract,
    database::{Database, in_time},
    raw::{append, claiming, extension, fresh, give_back, take, together},
};
use crate::append::{Append, Extension, Refusal};

contract! {
    a_key_is_held_by_one
    a_key_given_back_is_free
    only_the_holder_gives_a_key_back
    of_rivals_for_a_key_one_wins
    keys_change_hands_inside_one_batch
    a_key_passes_between_streams_of_one_append
    a_refused_append_takes_no_key
}

fn taken_by(outcome: &crate::append::Outcome, by: uuid::Uuid) -> bool {
    matches!(outcome, Err(Refusal::Taken { holder, .. }) if *holder == by)
}

async fn a_key_is_held_by_one(db: &Database) {
    let (store, first, second) = (db.store().await, fresh(), fresh());
    store.writer().append(claiming(first, 0, vec![take("k")])).await.unwrap();
    assert!(taken_by(&store.writer().append(claiming(second, 0, vec![take("k")])).await, first));
    // Whoever holds it may take it again.
    store.writer().append(claiming(first, 1, vec![take("k")])).await.unwrap();
    assert_eq!(store.holder("test.key", "k").await.unwrap(), Some(first));
    assert_eq!(store.holder("other.key", "k").await.unwrap(), None);
}

async fn a_key_given_back_is_free(db: &Database) {
    let (store, first, second) = (db.store().await, fresh(), fresh());
    store.writer().append(claiming(first, 0, vec![take("k")])).await.unwrap();
    store.writer().append(claiming(first, 1, vec![give_back("k")])).await.unwrap();
    assert_eq!(store.holder("test.key", "k").await.unwrap(), None);
    store.writer().append(claiming(second, 0, vec![take("k")])).await.unwrap();
    assert!(taken_by(&store.writer().append(claiming(first, 2, vec![take("k")])).await, second));
    // Giving back and taking in one append leaves it with the same holder.
    store.writer().append(claiming(second, 1, vec![give_back("k"), take("k")])).await.unwrap();
    assert_eq!(store.holder("test.key", "k").await.unwrap(), Some(second));
}

async fn only_the_holder_gives_a_key_back(db: &Database) {
    let (store, holder, other) = (db.store().await, fresh(), fresh());
    store.writer().append(claiming(holder, 0, vec![take("k")])).await.unwrap();
    store.writer().append(claiming(other, 0, vec![give_back("k"), give_back("never taken")])).await.unwrap();
    assert_eq!(store.holder("test.key", "k").await.unwrap(), Some(holder));
}

async fn of_rivals_for_a_key_one_wins(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    for round in 0..10 {
        let key = format!("k{round}");
        let rivals = (0..12).map(|n| {
            let store = if n % 2 == 0 { &here } else { &there };
            store.writer().append(claiming(fresh(), 0, vec![take(&key)]))
        });
        let outcomes = in_time(join_all(rivals)).await;
        let winners: Vec<_> = outcomes.iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        let winner = winners[0][0].stream_id;
        assert_eq!(outcomes.iter().filter(|outcome| taken_by(outcome, winner)).count(), 11);
        assert_eq!(here.holder("test.key", &key).await.unwrap(), Some(winner));
    }
}

async fn keys_change_hands_inside_one_batch(db: &Database) {
    let store = db.store().await;
    let [first, second, third] = [fresh(), fresh(), fresh()];
    store.writer().append(claiming(first, 0, vec![take("old")])).await.unwrap();
    let outcomes = together(
        db,
        &store,
        vec![
            claiming(second, 0, vec![take("old")]),
            claiming(first, 1, vec![give_back("old"), take("new")]),
            claiming(second, 0, vec![take("old")]),
            claiming(third, 0, vec![take("new")]),
            claiming(second, 1, vec![give_back("old")]),
            claiming(third, 0, vec![take("old")]),
            claiming(first, 2, vec![give_back("new")]),
        ],
    )
    .await;
    let fine: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [false, true, true, false, true, true, true], "{outcomes:?}");
    assert!(taken_by(&outcomes[0], first) && taken_by(&outcomes[3], first));
    assert_eq!(store.holder("test.key", "old").await.unwrap(), Some(third));
    assert_eq!(store.holder("test.key", "new").await.unwrap(), None);
}

async fn a_key_passes_between_streams_of_one_append(db: &Database) {
    let (store, first, second) = (db.store().await, fresh(), fresh());
    store.writer().append(claiming(first, 0, vec![take("k")])).await.unwrap();
    let with = |stream, expected, claims| Extension { claims, ..extension(stream, expected, 1) };
    let pass = |streams| Append { streams, ..Append::default() };
    let too_early = pass(vec![with(second, 0, vec![take("k")]), with(first, 1, vec![give_back("k")])]);
    assert!(taken_by(&store.writer().append(too_early).await, first));
    let in_order = pass(vec![with(first, 1, vec![give_back("k")]), with(second, 0, vec![take("k")])]);
    store.writer().append(in_order).await.unwrap();
    assert_eq!(store.holder("test.key", "k").await.unwrap(), Some(second));
}

async fn a_refused_append_takes_no_key(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    store.writer().append(append(stream, 0, 1)).await.unwrap();
    let outcomes = together(
        db,
        &store,
        vec![claiming(stream, 0, vec![take("k")]), claiming(fresh(), 0, vec![take("k")])],
    )
    .await;
    assert!(matches!(outcomes[0], Err(Refusal::Conflict { actual: 1, .. })));
    assert!(outcomes[1].is_ok(), "{outcomes:?}");
}
