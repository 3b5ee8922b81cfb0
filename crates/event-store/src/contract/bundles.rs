//! Bundles and replicas: the same log elsewhere, and nothing else ever.
use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures_util::StreamExt;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use tempfile::TempDir;
use zhixing_domain::Id;

use super::{
    contract,
    database::{Database, in_time},
    raw::{append, fresh, verified},
    units::{assert_views_hold, register, rename, set_members, stored},
};
use crate::{
    Error, EventStore, Recorded, SigningKey,
    append::Refusal,
    bundle::{BundleError, Fault, Gap, Header, Making, Series, check},
    replica::{Applied, Stage},
};

contract! {
    a_replica_is_the_same_log
    a_replica_takes_nothing_but_bundles
    what_was_cut_off_goes_on
    what_does_not_follow_is_refused_and_names_what_is_missing
    a_bundle_of_another_history_is_refused
    only_a_trusted_key_and_the_same_source_are_taken
    no_byte_can_be_altered_and_no_end_be_cut
    what_is_too_large_is_not_read
    any_division_in_any_order_is_one_log_and_what_is_left_out_is_named
    nothing_altered_is_signed
    that_there_is_nothing_new_is_signed_too
    followers_in_another_process_hear_of_what_was_applied
}

const SOURCE: &str = "https://quality.example.cn/log";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}
fn stranger() -> SigningKey {
    SigningKey::from_bytes(&[8; 32])
}

/// Where bundles are put.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn make(&self, store: &EventStore, name: &str, after: i64, to: i64) -> PathBuf {
        let path = self.path(name);
        bundle(store, after, Some(to), &key(), SOURCE, &path).await.unwrap();
        path
    }
}

async fn bundle(
    store: &EventStore,
    after: i64,
    to: Option<i64>,
    key: &SigningKey,
    source: &str,
    path: &Path,
) -> Result<Header, Error> {
    let at = store.clock().now();
    let making = Making { after, to, source: source.into(), at };
    store.pool().bundle(&making, key, path, |_, _| {}).await
}

async fn apply(store: &EventStore, files: &[&PathBuf]) -> Result<Applied, Error> {
    let files: Vec<PathBuf> = files.iter().copied().cloned().collect();
    store.apply(&files, &[key().public()], |_, _, _| {}).await
}

async fn log(store: &EventStore) -> Vec<Recorded> {
    store.pool().read_log(0, 100_000).await.unwrap()
}

/// Three units, one of which is a group that changes its members: nine events.
async fn some_units(store: &EventStore) -> [Id<zhixing_domain::organisation::unit::Unit>; 3] {
    let [one, two, group] =
        [register(store, "甲").await, register(store, "乙").await, register(store, "组").await];
    set_members(store, group, &[one, two]).await;
    rename(store, one, "甲二").await;
    rename(store, one, "甲三").await;
    rename(store, two, "乙二").await;
    set_members(store, group, &[two]).await;
    rename(store, group, "小组").await;
    [one, two, group]
}

async fn a_replica_is_the_same_log(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    let ids = some_units(&store).await;
    let first = shelf.make(&store, "first.ndjson", 0, 4).await;
    let second = shelf.make(&store, "second.ndjson.gz", 4, 9).await;
    assert!(fs::read(&second).unwrap().starts_with(&[0x1f, 0x8b]), "packed by its name");
    let replica = other.store().await;
    assert_eq!(replica.origin(), None);
    let mut stages = BTreeSet::new();
    let applied = replica
        .apply(&[second.clone(), first.clone()], &[key().public()], |stage, at, of| {
            assert!(at <= of && of == 9, "{stage:?} {at} {of}");
            stages.insert(format!("{stage:?} {}", at == of));
        })
        .await
        .unwrap();
    assert_eq!(applied, Applied { before: 0, position: 9, source: SOURCE.into() });
    for done in [Stage::Checking, Stage::Writing] {
        assert!(stages.contains(&format!("{done:?} true")), "{stages:?}");
    }
    assert_eq!(log(&replica).await, log(&store).await);
    assert_eq!(verified(&replica).await, 9);
    assert_views_hold(&replica).await;
    for id in ids {
        assert!(stored(&store, id).await.is_some());
        assert_eq!(stored(&replica, id).await, stored(&store, id).await);
    }
    // A second time nothing happens, whichever of them it is.
    for again in [vec![&first], vec![&second], vec![&first, &second, &first]] {
        let applied = apply(&replica, &again).await.unwrap();
        assert_eq!((applied.before, applied.position), (9, 9));
    }
    // It grows on, and remembers whom it trusts.
    rename(&store, ids[0], "甲四").await;
    set_members(&store, ids[2], &[ids[0]]).await;
    let third = shelf.make(&store, "third.ndjson", 9, 11).await;
    let replica = other.store().await;
    assert_eq!(replica.origin().map(|origin| origin.source.as_str()), Some(SOURCE));
    let applied = replica.apply(&[third], &[], |_, _, _| {}).await.unwrap();
    assert_eq!((applied.before, applied.position), (9, 11));
    assert_eq!(log(&replica).await, log(&store).await);
    assert_views_hold(&replica).await;
    // A bundle can be made of a replica too.
    let relayed = shelf.make(&replica, "relayed.ndjson", 0, 11).await;
    let header = check(&relayed, &[key().public()], &BTreeSet::new(), |_| {}).unwrap().header;
    assert_eq!(header.hash, log(&store).await[10].hash);
    other.discard().await;
}

async fn a_replica_takes_nothing_but_bundles(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    some_units(&store).await;
    let all = shelf.make(&store, "all.ndjson", 0, 9).await;
    // A process that found the database empty, and one that appended to nothing yet.
    let early = other.store().await;
    apply(&other.store().await, &[&all]).await.unwrap();
    for process in [&early, &other.store().await] {
        let refused = process.writer().append(append(fresh(), 0, 1)).await;
        assert!(matches!(&refused, Err(Refusal::ReadOnly { origin }) if origin == SOURCE), "{refused:?}");
        let order = super::units::order(super::units::registration("丁"));
        let refused = process.execute::<super::units::UnitRow>(order).await;
        assert!(matches!(&refused, Err(Error::ReadOnly { origin }) if origin == SOURCE), "{refused:?}");
    }
    assert_eq!(verified(&early).await, 9);
    // A log of its own becomes no replica, whatever is in the bundle.
    let own = db.another().await;
    let log_of_its_own = own.store().await;
    register(&log_of_its_own, "戊").await;
    let refused = apply(&log_of_its_own, &[&all]).await.unwrap_err();
    assert!(matches!(refused, Error::Bundle(BundleError::OwnLog { head: 1 })), "{refused:?}");
    register(&log_of_its_own, "己").await;
    assert_eq!(verified(&log_of_its_own).await, 2);
    assert!(log_of_its_own.pool().origin().await.unwrap().is_none());
    other.discard().await;
    own.discard().await;
}

async fn what_was_cut_off_goes_on(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    // More than is written in one transaction, of streams that go on from one to the next.
    let [one, two, group] = some_units(&store).await;
    let groups = [group, register(&store, "又一组").await];
    for n in 0..1_150 {
        set_members(&store, groups[n % 2], &[[one, two][n / 2 % 2]]).await;
    }
    let head = store.head();
    let begun = shelf.make(&store, "begun.ndjson", 0, 1_003).await;
    let all = shelf.make(&store, "all.ndjson.gz", 0, head).await;
    let inner = shelf.make(&store, "inner.ndjson", 500, head - 1).await;
    apply(&other.store().await, &[&begun]).await.unwrap();
    // Overlapping: what is there is compared and passed over.
    let applied = apply(&other.store().await, &[&inner]).await.unwrap();
    assert_eq!((applied.before, applied.position), (1_003, head - 1));
    let replica = other.store().await;
    apply(&replica, &[&all]).await.unwrap();
    assert_eq!(log(&replica).await, log(&store).await);
    assert_eq!(verified(&replica).await, head);
    assert_views_hold(&replica).await;
    other.discard().await;
}

async fn what_does_not_follow_is_refused_and_names_what_is_missing(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    some_units(&store).await;
    let hashes: Vec<Vec<u8>> = log(&store).await.into_iter().map(|event| event.hash).collect();
    let parts = [
        shelf.make(&store, "a.ndjson", 0, 2).await,
        shelf.make(&store, "b.ndjson", 2, 5).await,
        shelf.make(&store, "c.ndjson", 5, 9).await,
    ];
    let replica = other.store().await;
    let gap = |from, to: i64, next: &PathBuf| {
        let hash = hashes[usize::try_from(to).unwrap() - 1].clone();
        Gap { from, to, next: next.clone(), hash }
    };
    for (files, missing) in [
        (vec![&parts[1]], gap(1, 2, &parts[1])),
        (vec![&parts[2], &parts[0]], gap(3, 5, &parts[2])),
        (vec![&parts[2]], gap(1, 5, &parts[2])),
    ] {
        let refused = apply(&replica, &files).await.unwrap_err();
        assert!(matches!(&refused, Error::Bundle(BundleError::Missing(gap)) if *gap == missing), "{refused}");
        assert_eq!(replica.pool().head().await.unwrap(), 0, "nothing was changed");
        assert!(replica.pool().origin().await.unwrap().is_none());
    }
    apply(&replica, &[&parts[0]]).await.unwrap();
    let refused = apply(&replica, &[&parts[2]]).await.unwrap_err().to_string();
    let hash = hex::encode(&hashes[4]);
    let said = format!(
        "positions 3 to 5 are missing: {} follows the event at 5 with the hash {hash}",
        parts[2].display()
    );
    assert!(refused.starts_with(&said), "{refused}");
    // With the missing one between them, all go on.
    assert_eq!(apply(&replica, &[&parts[2], &parts[1]]).await.unwrap().position, 9);
    // What the log does not have cannot be made, and no file is left.
    for (after, to) in [(0, Some(10)), (10, None), (5, Some(4))] {
        let path = shelf.path("none.ndjson");
        let refused = bundle(&store, after, to, &key(), SOURCE, &path).await.unwrap_err();
        let named = matches!(
            refused,
            Error::Bundle(
                BundleError::NotYet { position: 10, head: 9 } | BundleError::Backwards { after: 5, to: 4 }
            )
        );
        assert!(named && !path.exists(), "{refused}");
    }
    let refused = bundle(&store, 0, None, &key(), SOURCE, &parts[0]).await.unwrap_err();
    assert!(matches!(refused, Error::Bundle(BundleError::File { fault: Fault::Exists, .. })), "{refused}");
    assert!(check(&parts[0], &[], &BTreeSet::new(), |_| {}).is_ok(), "it is as it was");
    other.discard().await;
}

async fn a_bundle_of_another_history_is_refused(db: &Database) {
    let (shelf, here, there) = (Shelf::new(), db.another().await, db.another().await);
    let (one, two) = (db.store().await, here.store().await);
    for n in 0..3 {
        register(&one, &format!("甲{n}")).await;
        register(&two, &format!("甲{n}")).await;
    }
    let replica = there.store().await;
    let begun = shelf.make(&one, "begun.ndjson", 0, 2).await;
    apply(&replica, &[&begun]).await.unwrap();
    // Of the same positions, before, at and behind the end of the replica; signed by the same key.
    for (name, after, to, at) in
        [("same", 0, 2, 2), ("shorter", 0, 1, 1), ("longer", 0, 3, 2), ("next", 2, 3, 2), ("inner", 1, 3, 1)]
    {
        let foreign = shelf.make(&two, name, after, to).await;
        let refused = apply(&replica, &[&foreign]).await.unwrap_err();
        assert!(
            matches!(refused, Error::Bundle(BundleError::Diverges { position, .. }) if position == at),
            "{name}: {refused}"
        );
        // Two histories are told apart without a database as well.
        let both = Series::read(&[begun.clone(), foreign], &[key().public()], None, |_, _| {}).unwrap_err();
        assert!(matches!(both, BundleError::Diverges { .. }), "{name}: {both}");
    }
    assert_eq!(verified(&replica).await, 2);
    here.discard().await;
    there.discard().await;
}

async fn only_a_trusted_key_and_the_same_source_are_taken(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    some_units(&store).await;
    let replica = other.store().await;
    let forged = shelf.path("forged.ndjson");
    bundle(&store, 0, None, &stranger(), SOURCE, &forged).await.unwrap();
    let refused = apply(&replica, &[&forged]).await.unwrap_err();
    let wrong = |error: &Error| {
        matches!(error, Error::Bundle(BundleError::File { fault: Fault::WrongKey { signed_by, .. }, .. })
            if *signed_by == stranger().public().id())
    };
    assert!(wrong(&refused), "{refused}");
    // Nobody is trusted by what he says of himself.
    let refused = replica.apply(std::slice::from_ref(&forged), &[], |_, _, _| {}).await.unwrap_err();
    let named = stranger().public().to_string();
    assert!(matches!(&refused, Error::Bundle(BundleError::NoKey { named: key, .. }) if *key == named));
    let first = shelf.make(&store, "first.ndjson", 0, 4).await;
    apply(&replica, &[&first]).await.unwrap();
    // The replica trusts whom it trusted before, and no other.
    let next = shelf.path("next.ndjson");
    bundle(&store, 4, Some(6), &stranger(), SOURCE, &next).await.unwrap();
    let refused = replica.apply(std::slice::from_ref(&next), &[], |_, _, _| {}).await.unwrap_err();
    assert!(wrong(&refused), "{refused}");
    let foreign = shelf.path("foreign.ndjson");
    bundle(&store, 4, Some(6), &key(), "/another", &foreign).await.unwrap();
    for files in [vec![foreign.clone()], vec![foreign, first.clone()]] {
        let refused = replica.apply(&files, &[], |_, _, _| {}).await.unwrap_err();
        assert!(matches!(refused, Error::Bundle(BundleError::OtherSource { .. })), "{refused}");
    }
    assert_eq!(replica.pool().head().await.unwrap(), 4);
    // A new key is trusted when it is named, and from then on.
    replica.apply(&[next], &[stranger().public()], |_, _, _| {}).await.unwrap();
    let last = shelf.path("last.ndjson");
    bundle(&store, 6, None, &stranger(), SOURCE, &last).await.unwrap();
    assert_eq!(replica.apply(&[last], &[], |_, _, _| {}).await.unwrap().position, 9);
    assert_eq!(verified(&replica).await, 9);
    other.discard().await;
}

/// The file with these bytes: what is wrong with it, if anything.
fn fault(path: &Path, bytes: &[u8]) -> Option<Fault> {
    fs::write(path, bytes).unwrap();
    match check(path, &[key().public()], &BTreeSet::new(), |_| {}) {
        Ok(_) => None,
        Err(BundleError::File { fault, .. }) => Some(fault),
        Err(other) => panic!("{other}"),
    }
}

async fn no_byte_can_be_altered_and_no_end_be_cut(db: &Database) {
    let (store, shelf) = (db.store().await, Shelf::new());
    register(&store, "甲").await;
    register(&store, "乙").await;
    let plain = fs::read(shelf.make(&store, "plain.ndjson", 0, 2).await).unwrap();
    let packed = fs::read(shelf.make(&store, "packed.ndjson.gz", 0, 2).await).unwrap();
    let mut unpacked = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    let path = shelf.path("altered");
    assert!(fault(&path, &plain).is_none() && fault(&path, &packed).is_none());
    for at in 0..plain.len() {
        let mut altered = plain.clone();
        // The bit that makes small letters of capital ones, and one of the others in turn.
        for bit in [5, at % 8] {
            altered[at] = plain[at] ^ (1 << bit);
            assert!(fault(&path, &altered).is_some(), "byte {at}, bit {bit} was altered");
        }
        assert!(fault(&path, &plain[..at]).is_some(), "cut at {at}");
    }
    let ends: Vec<usize> = (0..plain.len()).filter(|at| plain[*at] == b'\n').map(|at| at + 1).collect();
    assert_eq!(ends.len(), 4);
    assert!(matches!(fault(&path, &plain[..ends[1]]), Some(Fault::Cut(1))));
    assert!(matches!(fault(&path, &plain[..ends[2]]), Some(Fault::Cut(2))));
    let longer = [plain.as_slice(), b"\n"].concat();
    assert!(matches!(fault(&path, &longer), Some(Fault::Longer)));
    // A line left out, two exchanged, one twice.
    let part = |n: usize| &plain[if n == 0 { 0 } else { ends[n - 1] }..ends[n]];
    for order in [vec![0, 2, 3], vec![0, 2, 1, 3], vec![0, 1, 1, 2, 3], vec![0, 1, 3], vec![1, 2, 3]] {
        let other: Vec<u8> = order.iter().flat_map(|n| part(*n).to_vec()).collect();
        assert!(fault(&path, &other).is_some(), "{order:?}");
    }
    // What is packed may be packed otherwise, but what comes out is the same or refused.
    for at in 0..packed.len() {
        let mut altered = packed.clone();
        altered[at] ^= 1 << (at % 8);
        if fault(&path, &altered).is_none() {
            let mut out = Vec::new();
            GzDecoder::new(altered.as_slice()).read_to_end(&mut out).unwrap();
            assert_eq!(out, unpacked, "byte {at}");
        }
        assert!(fault(&path, &packed[..at]).is_some(), "cut at {at}");
    }
    let longer = |rest: &[u8]| [packed.as_slice(), rest].concat();
    assert!(matches!(fault(&path, &longer(&[b'x'; 20])), Some(Fault::Longer)));
    assert!(matches!(fault(&path, &longer(&packed)), Some(Fault::Longer)));
    // Less than gzip begins with: it could have been cut there.
    assert!(matches!(fault(&path, &longer(b"x")), Some(Fault::Cut(2))));
    assert!(matches!(fault(&path, b""), Some(Fault::Foreign(_))));
    assert!(matches!(fault(&path, b"{\"specversion\":\"1.0\"}\n"), Some(Fault::Foreign(_))));
}

async fn what_is_too_large_is_not_read(db: &Database) {
    let (store, shelf) = (db.store().await, Shelf::new());
    register(&store, "甲").await;
    let plain = fs::read(shelf.make(&store, "plain.ndjson", 0, 1).await).unwrap();
    let header = plain.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    let mut bomb = GzEncoder::new(Vec::new(), Compression::fast());
    bomb.write_all(header).unwrap();
    for _ in 0..65 {
        bomb.write_all(&vec![b'a'; 1024 * 1024]).unwrap();
    }
    let path = shelf.path("bomb");
    assert!(matches!(fault(&path, &bomb.finish().unwrap()), Some(Fault::TooLarge(_))));
    let many = String::from_utf8(header.to_vec()).unwrap();
    let many = many.replace("\"last\":1,\"count\":1,", "\"last\":10000001,\"count\":10000001,");
    assert!(matches!(fault(&path, many.as_bytes()), Some(Fault::TooLarge(_))), "{many}");
    let files = vec![path; 1_001];
    let refused = Series::read(&files, &[], None, |_, _| {}).unwrap_err();
    assert!(matches!(refused, BundleError::TooManyFiles { count: 1_001 }));
}

async fn any_division_in_any_order_is_one_log_and_what_is_left_out_is_named(db: &Database) {
    let (store, shelf) = (db.store().await, Shelf::new());
    some_units(&store).await;
    // Every bundle that nine events can be divided into.
    let mut made = std::collections::BTreeMap::new();
    for after in 0..9 {
        for to in after..=9 {
            made.insert((after, to), shelf.make(&store, &format!("{after}-{to}.ndjson"), after, to).await);
        }
    }
    let hashes: Vec<Vec<u8>> = log(&store).await.into_iter().map(|event| event.hash).collect();
    let chosen = proptest::sample::subsequence(made.keys().copied().collect::<Vec<_>>(), 1..6);
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    runner
        .run(&chosen.prop_shuffle(), |chosen| {
            let files: Vec<PathBuf> = chosen.iter().map(|bounds| made[bounds].clone()).collect();
            let series = Series::read(&files, &[key().public()], Some(0), |_, _| {}).unwrap();
            // Reckoned another way: which events nobody has, before the last one that somebody needs.
            let has = |position: i64| chosen.iter().any(|(after, to)| position > *after && position <= *to);
            let needed = chosen.iter().map(|(after, to)| after.max(to)).max().copied().unwrap_or(0);
            let missing: Vec<i64> = (1..=needed).filter(|position| !has(*position)).collect();
            let gaps = series.gaps(Some(0));
            let named: Vec<i64> = gaps.iter().flat_map(|gap| gap.from..=gap.to).collect();
            prop_assert_eq!(named, missing);
            for gap in gaps {
                prop_assert_eq!(&gap.hash, &hashes[usize::try_from(gap.to).unwrap() - 1]);
            }
            Ok(())
        })
        .unwrap();
}

async fn nothing_altered_is_signed(db: &Database) {
    let (store, shelf) = (db.store().await, Shelf::new());
    some_units(&store).await;
    db.by_hand("create table kept as select * from events").await;
    for (damage, position) in [
        ("update events set actor = 'somebody else' where position = 5", 5),
        ("delete from events where position = 5", 5),
        ("update events set hash = substr(hash, 1, 31) || substr(hash, 1, 1) where position = 9", 9),
    ] {
        db.by_hand(damage).await;
        let path = shelf.path("none.ndjson");
        let refused = bundle(&store, 2, None, &key(), SOURCE, &path).await.unwrap_err();
        assert!(
            matches!(refused, Error::Broken { position: at, .. } if at == position),
            "{damage}: {refused}"
        );
        assert!(fs::read_dir(shelf.0.path()).unwrap().next().is_none(), "nothing is left");
        db.by_hand("delete from events").await;
        db.by_hand("insert into events select * from kept").await;
    }
}

async fn that_there_is_nothing_new_is_signed_too(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    let nothing = shelf.make(&store, "nothing.ndjson", 0, 0).await;
    // A process that knows already where the empty log ends.
    let (early, replica) = (other.store().await, other.store().await);
    assert!(matches!(early.writer().append(append(fresh(), 5, 1)).await, Err(Refusal::Conflict { .. })));
    let applied = apply(&replica, &[&nothing]).await.unwrap();
    assert_eq!((applied.before, applied.position), (0, 0));
    // It is a replica of an empty log.
    let refused = early.writer().append(append(fresh(), 0, 1)).await;
    assert!(matches!(refused, Err(Refusal::ReadOnly { .. })), "{refused:?}");
    some_units(&store).await;
    let all = shelf.make(&store, "all.ndjson", 0, 9).await;
    let quiet = shelf.make(&store, "quiet.ndjson", 9, 9).await;
    let refused = apply(&replica, &[&quiet]).await.unwrap_err();
    assert!(matches!(refused, Error::Bundle(BundleError::Missing(Gap { from: 1, to: 9, .. }))), "{refused}");
    apply(&replica, &[&quiet, &all, &nothing]).await.unwrap();
    assert_eq!(verified(&replica).await, 9);
    other.discard().await;
}

async fn followers_in_another_process_hear_of_what_was_applied(db: &Database) {
    let (store, shelf, other) = (db.store().await, Shelf::new(), db.another().await);
    let ids = some_units(&store).await;
    let all = shelf.make(&store, "all.ndjson", 0, 9).await;
    apply(&other.store().await, &[&all]).await.unwrap();
    let serving = other.store().await;
    let mut following = Box::pin(serving.follow(8));
    assert_eq!(in_time(following.next()).await.unwrap().unwrap().position, 9);
    rename(&store, ids[0], "甲五").await;
    let next = shelf.make(&store, "next.ndjson", 9, 10).await;
    apply(&other.store().await, &[&next]).await.unwrap();
    let heard = in_time(following.next()).await.unwrap().unwrap();
    assert_eq!(*heard, log(&store).await[9]);
    assert_eq!(stored(&serving, ids[0]).await.unwrap().name, "甲五");
    other.discard().await;
}
