//! Durable readers: everything comes, in order for each subject, until it is acknowledged.
use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use uuid::Uuid;
use zhixing_domain::Kind;

use super::{
    contract,
    database::{Database, PATIENCE, in_time},
    raw::{append, fresh},
};
use crate::{
    Consumer, Error, EventStore, Recorded,
    consumer::{Batch, Change, Claimed, Outcome, Settled, Wanted},
};

contract! {
    what_is_handed_out_comes_again_until_it_is_acknowledged
    a_subject_that_fails_waits_alone
    events_that_come_meanwhile_wait_behind_their_subject
    what_was_taken_in_part_goes_on_behind_it
    what_is_parked_waits_until_somebody_asks
    what_nobody_wants_is_passed_over
    what_cannot_be_judged_is_not_passed_over
    one_goes_back_and_another_is_played_again
    a_change_is_carried_out_once
    many_members_take_everything_once_and_in_order
}

const LONG: Duration = Duration::from_mins(5);

/// Everything is wanted.
struct All;
impl Wanted for All {
    async fn wants(&self, _event: &Recorded) -> Result<bool, Error> {
        Ok(true)
    }
}

/// Of these subjects nothing is.
struct Without(HashSet<Uuid>, AtomicUsize);
impl Wanted for Without {
    async fn wants(&self, event: &Recorded) -> Result<bool, Error> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(!self.0.contains(&event.stream_id))
    }
}

async fn consumer(store: &EventStore) -> Consumer {
    let consumer = Consumer::new(store.clone(), store.clock().new_id());
    consumer.create(0, 1).await.unwrap();
    consumer
}

/// So many events of one subject behind version `after`.
async fn write(store: &EventStore, subject: Uuid, after: i64, count: i64) {
    store.writer().append(append(subject, after, count)).await.unwrap();
}

async fn claim(consumer: &Consumer) -> Vec<Batch> {
    consumer.claim(&All, 100, LONG).await.unwrap().batches
}

/// Subject, first and last position of each batch.
fn told(batches: &[Batch]) -> Vec<(Uuid, i64, i64)> {
    let ends = |batch: &Batch| (batch.events[0].position, batch.events.last().unwrap().position);
    batches.iter().map(|batch| (batch.subject, ends(batch).0, ends(batch).1)).collect()
}

fn later(batch: &Batch, up_to: i64, not_before: chrono::DateTime<chrono::Utc>) -> Settled {
    let outcome = Outcome::Later { not_before, reason: "it answered 500".into() };
    Settled { up_to, outcome, ..batch.taken() }
}

async fn what_is_handed_out_comes_again_until_it_is_acknowledged(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let subject = fresh();
    write(&store, subject, 0, 3).await;
    let short = Duration::from_millis(100);
    let Claimed { batches: first, .. } = consumer.claim(&All, 100, short).await.unwrap();
    assert_eq!(told(&first), [(subject, 1, 3)]);
    let Claimed { batches, next } = consumer.claim(&All, 100, short).await.unwrap();
    assert_eq!(told(&batches), [], "somebody has them");
    assert!(next.is_some(), "they can be claimed when they are given up");
    tokio::time::sleep(Duration::from_millis(150)).await;
    let again = claim(&consumer).await;
    assert_eq!(told(&again), [(subject, 1, 3)]);
    assert_eq!(consumer.settle(&[first[0].taken()]).await.unwrap(), [subject], "too late");
    assert_eq!(consumer.hold(&[(subject, first[0].token)], LONG).await.unwrap(), [subject]);
    assert!(consumer.hold(&[(subject, again[0].token)], LONG).await.unwrap().is_empty());
    assert!(consumer.settle(&[again[0].taken()]).await.unwrap().is_empty());
    assert_eq!(told(&claim(&consumer).await), []);
    assert_eq!(consumer.behind(10).await.unwrap(), []);
    assert_eq!(consumer.standing().await.unwrap().unwrap().position, 3);
}

async fn a_subject_that_fails_waits_alone(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let (good, bad) = (fresh(), fresh());
    write(&store, bad, 0, 1).await;
    write(&store, good, 0, 1).await;
    let batches = claim(&consumer).await;
    assert_eq!(told(&batches), [(bad, 1, 1), (good, 2, 2)]);
    let tomorrow = store.clock().now() + chrono::TimeDelta::days(1);
    consumer.settle(&[later(&batches[0], 0, tomorrow), batches[1].taken()]).await.unwrap();
    write(&store, bad, 1, 1).await;
    write(&store, good, 1, 1).await;
    let Claimed { batches, next } = consumer.claim(&All, 100, LONG).await.unwrap();
    assert_eq!(told(&batches), [(good, 4, 4)]);
    assert_eq!(next, Some(tomorrow));
    let behind = consumer.behind(10).await.unwrap();
    let bad_row = behind.iter().find(|row| row.subject_id == bad).unwrap();
    assert_eq!((bad_row.acked, bad_row.latest, bad_row.attempts), (0, 3, 1));
    assert_eq!(bad_row.reason.as_deref(), Some("it answered 500"));
    assert!(bad_row.failing_since().is_some());
}

async fn events_that_come_meanwhile_wait_behind_their_subject(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let subject = fresh();
    write(&store, subject, 0, 2).await;
    let held = claim(&consumer).await;
    write(&store, subject, 2, 2).await;
    assert_eq!(told(&claim(&consumer).await), [], "the first two come first");
    consumer.settle(&[held[0].taken()]).await.unwrap();
    let next = claim(&consumer).await;
    assert_eq!(told(&next), [(subject, 3, 4)]);
    consumer.settle(&[next[0].taken()]).await.unwrap();
    assert_eq!(consumer.behind(10).await.unwrap(), []);
}

async fn what_was_taken_in_part_goes_on_behind_it(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let subject = fresh();
    write(&store, subject, 0, 5).await;
    let batch = claim(&consumer).await.remove(0);
    consumer.settle(&[later(&batch, 0, store.clock().now())]).await.unwrap();
    let batch = claim(&consumer).await.remove(0);
    assert_eq!((batch.attempts, batch.failing_since.is_some()), (1, true));
    consumer.settle(&[later(&batch, 2, store.clock().now())]).await.unwrap();
    let batch = claim(&consumer).await.remove(0);
    assert_eq!(told(std::slice::from_ref(&batch)), [(subject, 3, 5)]);
    assert_eq!(batch.attempts, 1, "what was taken ended the row of failures, one more began");
}

async fn what_is_parked_waits_until_somebody_asks(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let (one, other) = (fresh(), fresh());
    write(&store, one, 0, 1).await;
    write(&store, other, 0, 1).await;
    let park = |batch: &Batch| {
        let outcome = Outcome::Parked { reason: "字".repeat(400) };
        Settled { up_to: 0, outcome, ..batch.taken() }
    };
    let batches = claim(&consumer).await;
    consumer.settle(&batches.iter().map(park).collect::<Vec<_>>()).await.unwrap();
    let Claimed { batches, next } = consumer.claim(&All, 100, LONG).await.unwrap();
    assert_eq!((told(&batches), next), (vec![], None));
    let behind = consumer.behind(10).await.unwrap();
    assert!(behind.iter().all(|row| row.parked && row.reason.as_ref().unwrap().len() <= 500));
    assert!(consumer.apply(1, 2, &[Change::Retry(Some(other))]).await.unwrap());
    assert_eq!(told(&claim(&consumer).await), [(other, 2, 2)]);
    assert!(consumer.apply(2, 3, &[Change::Retry(None)]).await.unwrap());
    assert_eq!(told(&claim(&consumer).await), [(one, 1, 1)]);
}

async fn what_nobody_wants_is_passed_over(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let (dull, wanted) = (fresh(), fresh());
    write(&store, dull, 0, 50).await;
    let filter = Without([dull].into(), AtomicUsize::new(0));
    assert_eq!(told(&consumer.claim(&filter, 100, LONG).await.unwrap().batches), []);
    assert_eq!(consumer.standing().await.unwrap().unwrap().position, 0, "nothing to write down");
    write(&store, wanted, 0, 1).await;
    let batches = consumer.claim(&filter, 100, LONG).await.unwrap().batches;
    assert_eq!(told(&batches), [(wanted, 51, 51)]);
    assert_eq!(filter.1.load(Ordering::Relaxed), 51, "nothing is looked at twice");
    assert_eq!(consumer.standing().await.unwrap().unwrap().position, 51);
}

async fn what_cannot_be_judged_is_not_passed_over(db: &Database) {
    struct Unable;
    impl Wanted for Unable {
        async fn wants(&self, event: &Recorded) -> Result<bool, Error> {
            if event.position < 3 { Ok(true) } else { Err(Error::Busy) }
        }
    }
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let subject = fresh();
    write(&store, subject, 0, 3).await;
    assert!(matches!(consumer.claim(&Unable, 100, LONG).await, Err(Error::Busy)));
    assert_eq!(told(&claim(&consumer).await), [(subject, 1, 3)], "nothing was handed out");
    let nobody = Consumer::new(store.clone(), fresh());
    assert!(matches!(nobody.claim(&All, 100, LONG).await, Err(Error::NoConsumer)));
}

async fn one_goes_back_and_another_is_played_again(db: &Database) {
    let store = db.store().await;
    let consumer = consumer(&store).await;
    let (one, other) = (fresh(), fresh());
    write(&store, one, 0, 2).await;
    write(&store, other, 0, 2).await;
    let held = claim(&consumer).await;
    consumer.settle(&held.iter().map(Batch::taken).collect::<Vec<_>>()).await.unwrap();
    consumer.apply(1, 2, &[Change::Replay { kind: Kind::Unit, subject: one, after: 1 }]).await.unwrap();
    let held = claim(&consumer).await;
    assert_eq!(told(&held), [(one, 2, 2)]);
    consumer.apply(2, 3, &[Change::Rewind(1)]).await.unwrap();
    assert_eq!(consumer.settle(&[held[0].taken()]).await.unwrap(), [one], "what was held before is void");
    assert_eq!(told(&claim(&consumer).await), [(one, 2, 2), (other, 3, 4)]);
    consumer.remove().await.unwrap();
    assert_eq!(consumer.standing().await.unwrap(), None);
    assert_eq!(db.number("select count(*) from consumer_subjects").await, 0);
}

async fn a_change_is_carried_out_once(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let consumer = consumer(&here).await;
    write(&here, fresh(), 0, 4).await;
    claim(&consumer).await;
    let other = Consumer::new(there, consumer.id());
    let rewind = [Change::Rewind(2)];
    let applied = join_all([consumer.apply(1, 2, &rewind), other.apply(1, 2, &rewind)]).await;
    assert_eq!(applied.into_iter().filter(|applied| *applied.as_ref().unwrap()).count(), 1);
    let standing = consumer.standing().await.unwrap().unwrap();
    assert_eq!((standing.position, standing.applied), (2, 2));
}

/// Two processes with two members each take what a third writes; every fourth batch fails or is forgotten.
async fn many_members_take_everything_once_and_in_order(db: &Database) {
    const SUBJECTS: i64 = 7;
    const EVENTS: i64 = 30;
    let store = db.store().await;
    let id = consumer(&store).await.id();
    let done = Arc::new(AtomicBool::new(false));
    let taken = Arc::new(tokio::sync::Mutex::new(BTreeMap::<Uuid, Vec<i64>>::new()));
    let mut members = Vec::new();
    for number in 0..4 {
        let store = if number < 2 { store.clone() } else { db.store().await };
        let (done, taken) = (done.clone(), taken.clone());
        members.push(tokio::spawn(async move {
            let consumer = Consumer::new(store.clone(), id);
            let mut round = number;
            loop {
                let over = done.load(Ordering::SeqCst);
                let claimed = consumer.claim(&All, 5, Duration::from_millis(300)).await.unwrap();
                if claimed.batches.is_empty() {
                    if over && claimed.next.is_none() && store.head() == SUBJECTS * EVENTS {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                for batch in claimed.batches {
                    round += 1;
                    let settled = match round % 8 {
                        0 => continue,
                        4 => later(&batch, 0, store.clock().now()),
                        _ => batch.taken(),
                    };
                    // What counts is what was acknowledged; a token that was lost acknowledges nothing.
                    let mut taken = taken.lock().await;
                    if consumer.settle(std::slice::from_ref(&settled)).await.unwrap().is_empty()
                        && settled.up_to > 0
                    {
                        let positions = batch.events.iter().map(|event| event.position);
                        taken.entry(batch.subject).or_default().extend(positions);
                    }
                }
            }
        }));
    }
    let subjects: Vec<Uuid> = (0..SUBJECTS).map(|_| fresh()).collect();
    for version in 0..EVENTS {
        join_all(subjects.iter().map(|subject| write(&store, *subject, version, 1))).await;
    }
    done.store(true, Ordering::SeqCst);
    for member in members {
        tokio::time::timeout(PATIENCE * 2, member).await.expect("it hangs").unwrap();
    }
    let taken = taken.lock().await;
    for subject in subjects {
        let log = in_time(store.pool().read_stream(subject, 0, 1_000)).await.unwrap();
        let positions: Vec<i64> = log.iter().map(|event| event.position).collect();
        assert_eq!(taken[&subject], positions);
    }
}
