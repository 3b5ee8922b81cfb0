//! The log is altered by hand, cut, rewritten and damaged, and every time it is caught and named.
//!
//! Every case runs on SQLite, and on PostgreSQL where `TEST_DATABASE_URL` names a server.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]
use std::{path::Path, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use sqlx::AssertSqlSafe;
use uuid::Uuid;
use zhixing_domain::{Clock, Kind};
use zhixing_event_store::{
    Checkpoint, Error, EventStore, Pool, Proof, PublicKey, Recorded, SigningKey, SystemClock,
    append::{Append, Extension},
    backup::{self, BackupError},
    checkpoint::Distrust,
};

/// A log of twelve events: four subjects with three events each, in turn.
struct Log {
    store: EventStore,
    url: String,
    /// Where the database is, and the schema to be dropped at the end.
    _directory: Option<tempfile::TempDir>,
    schema: Option<(String, String)>,
}

const EVENTS: i64 = 12;
const SUBJECTS: u128 = 4;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap()
}

fn event(subject: u128, version: i64) -> Recorded {
    Recorded {
        position: 0,
        kind: Kind::Task,
        stream_id: Uuid::from_u128(subject),
        version,
        id: Uuid::from_u128((subject << 64) + u128::try_from(version).unwrap()),
        r#type: "TaskReported".into(),
        schema_version: 1,
        data: format!(r#"{{"progress":"{version}.50","note":"第{version}次"}}"#),
        actor: "ann".into(),
        actor_unit: (version > 1).then(|| Uuid::from_u128(99)),
        method: "token".into(),
        region_code: (subject > 1).then(|| "440800".parse().unwrap()),
        status_from: (version > 1).then(|| "ACCEPTED".into()),
        status_to: Some("ACCEPTED".into()),
        correlation_id: Uuid::from_u128(7),
        causation_id: None,
        command_id: Some(format!("c-{subject}-{version}")),
        happened_at: now() - TimeDelta::days(version),
        recorded_at: now(),
        hash: Vec::new(),
    }
}

async fn append(store: &EventStore, subject: u128, version: i64) {
    let extension = Extension {
        stream_id: Uuid::from_u128(subject),
        expected: version - 1,
        events: vec![event(subject, version)],
        claims: Vec::new(),
    };
    store.writer().append(Append { streams: vec![extension], ..Append::default() }).await.unwrap();
}

async fn open(url: &str) -> Result<EventStore, Error> {
    EventStore::open(Pool::open(url).await?, Arc::new(SystemClock), Vec::new()).await
}

impl Log {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("zhixing.db").display());
        Self::fill(url, Some(directory), None).await
    }

    async fn postgres(server: &str) -> Self {
        let schema = format!("trust_{}", SystemClock.new_id().simple());
        let admin = sqlx::PgPool::connect(server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create schema {schema}"))).execute(&admin).await.unwrap();
        admin.close().await;
        let mark = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{mark}options[search_path]={schema}");
        Self::fill(url, None, Some((server.to_owned(), schema))).await
    }

    async fn fill(
        url: String,
        directory: Option<tempfile::TempDir>,
        schema: Option<(String, String)>,
    ) -> Self {
        let store = open(&url).await.unwrap();
        for version in 1..=3 {
            for subject in 1..=SUBJECTS {
                append(&store, subject, version).await;
            }
        }
        Self { store, url, _directory: directory, schema }
    }

    fn pool(&self) -> &Pool {
        self.store.pool()
    }

    /// What somebody does who has the database's password.
    async fn by_hand(&self, sql: &str) {
        match self.pool() {
            Pool::Postgres(db) => {
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await.unwrap();
            }
            Pool::Sqlite { writer, .. } => {
                sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(writer).await.unwrap();
            }
        }
    }

    async fn verify(&self) -> Result<i64, Error> {
        self.pool().verify(&[key().public()], &[], |_| ()).await.map(|verified| verified.position)
    }

    async fn sign(&self) -> Result<Option<Checkpoint>, Error> {
        self.pool().sign_head(&key(), now(), false).await
    }

    /// Makes every hash fit again from `position` on, as somebody would who knows how it is done.
    async fn rechain(&self, position: i64) {
        let events = self.pool().read_log(position - 1, 1_000).await.unwrap();
        let mut hash = match position {
            1 => vec![0; 32],
            _ => self.pool().read_log(position - 2, 1).await.unwrap()[0].hash.clone(),
        };
        for event in events {
            hash = event.chained(&hash);
            let text = self.bytes(&hash);
            self.by_hand(&format!("update events set hash = {text} where position = {}", event.position))
                .await;
        }
        let text = self.bytes(&hash);
        self.by_hand(&format!("update log_head set hash = {text}")).await;
    }

    fn bytes(&self, hash: &[u8]) -> String {
        match self.pool() {
            Pool::Postgres(_) => format!("decode('{}', 'hex')", hex::encode(hash)),
            Pool::Sqlite { .. } => format!("x'{}'", hex::encode(hash)),
        }
    }

    async fn end(self) {
        self.pool().close().await;
        if let Some((server, schema)) = &self.schema {
            let admin = sqlx::PgPool::connect(server).await.unwrap();
            sqlx::query(AssertSqlSafe(format!("drop schema {schema} cascade")))
                .execute(&admin)
                .await
                .unwrap();
            admin.close().await;
        }
    }
}

/// Runs a case on a log of its own in every database there is.
async fn on_each(case: impl AsyncFn(&Log)) {
    let mut logs = vec![Log::sqlite().await];
    if let Ok(server) = std::env::var("TEST_DATABASE_URL") {
        logs.push(Log::postgres(&server).await);
    }
    for log in logs {
        case(&log).await;
        log.end().await;
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn broken_at(found: Result<i64, Error>) -> (i64, &'static str) {
    match found {
        Err(Error::Broken { position, reason }) => (position, reason),
        other => panic!("not broken: {other:?}"),
    }
}

#[tokio::test]
async fn a_whole_log_is_found_whole() {
    on_each(async |log| {
        let mut seen = Vec::new();
        log.sign().await.unwrap().unwrap();
        let verified = log.pool().verify(&[key().public()], &[], |at| seen.push(at)).await.unwrap();
        assert_eq!((verified.position, verified.checkpoints), (EVENTS, 1));
        assert!(verified.unknown_keys.is_empty());
        assert_eq!(seen.last(), Some(&EVENTS));
    })
    .await;
}

#[tokio::test]
async fn every_field_that_is_altered_by_hand_is_caught_at_its_position() {
    const ALTERATIONS: [&str; 17] = [
        "kind = 'PLAN'",
        "type = 'TaskAccepted'",
        "schema_version = 2",
        "data = replace(data, '第', '弟')",
        "data = data || ' '",
        "actor = 'bob'",
        "actor_unit = null",
        "method = 'password'",
        "region_code = '440000'",
        "region_code = null",
        "status_from = 'PROPOSED'",
        "status_to = null",
        "command_id = null",
        "correlation_id = stream_id",
        "causation_id = stream_id",
        "hash = (select hash from events where position = 5)",
        "recorded_at = happened_at",
    ];
    on_each(async |log| {
        for alteration in ALTERATIONS {
            log.by_hand("create table before_it as select * from events where position = 6").await;
            log.by_hand(&format!("update events set {alteration} where position = 6")).await;
            let found = log.verify().await;
            assert_eq!(broken_at(found), (6, "the event is not the one that was written"), "{alteration}");
            log.by_hand(
                "delete from events where position = 6; insert into events select * from before_it; \
                 drop table before_it",
            )
            .await;
            assert_eq!(log.verify().await.unwrap(), EVENTS, "{alteration}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_missing_or_moved_is_caught_at_the_first_bad_position() {
    const CASES: [(&str, i64, &str); 8] = [
        ("delete from events where position = 1", 1, "the event is missing"),
        ("delete from events where position in (5, 9)", 5, "the event is missing"),
        ("delete from events where position = 12", 12, "the event is missing"),
        ("delete from events where position > 3", 4, "the event is missing"),
        ("update events set position = 100 where position = 7", 7, "the event is missing"),
        (
            "update log_head set hash = (select hash from events where position = 3)",
            12,
            "the hash in log_head is not that of the last event",
        ),
        (
            "update log_head set position = 9, hash = (select hash from events where position = 9)",
            10,
            "there are events behind the end of the log",
        ),
        ("delete from log_head", 0, "the row of log_head is missing"),
    ];
    on_each(async |log| {
        for (sql, position, reason) in CASES {
            log.by_hand("create table all_events as select * from events; create table old_head as select * from log_head").await;
            log.by_hand(sql).await;
            assert_eq!(broken_at(log.verify().await), (position, reason), "{sql}");
            log.by_hand(
                "delete from events; insert into events select * from all_events; delete from log_head; \
                 insert into log_head select * from old_head; drop table all_events; drop table old_head",
            )
            .await;
            assert_eq!(log.verify().await.unwrap(), EVENTS, "{sql}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_gap_in_the_life_of_a_subject_is_caught_although_every_hash_fits() {
    on_each(async |log| {
        log.by_hand("update events set version = 4 where position = 10").await;
        log.rechain(10).await;
        let gap = "the event before it in the life of its subject is missing";
        assert_eq!(broken_at(log.verify().await), (10, gap));
    })
    .await;
}

/// Takes away the indexes that keep versions and ids apart: on PostgreSQL by a border between two partitions, as a large
/// log has it, on SQLite altogether.
async fn no_index_of_the_whole(log: &Log) {
    log.by_hand(match log.pool() {
        Pool::Postgres(_) => {
            "alter table events detach partition events_1; \
             create table low partition of events (unique (stream_id, version), unique (id)) for values from (1) to (7); \
             create table high partition of events (unique (stream_id, version), unique (id)) for values from (7) to (100); \
             insert into events select * from events_1; drop table events_1"
        }
        Pool::Sqlite { .. } => {
            "create table bare as select * from events; drop table events; alter table bare rename to events"
        }
    })
    .await;
    assert_eq!(log.verify().await.unwrap(), EVENTS);
}

#[tokio::test]
async fn what_is_there_twice_is_caught_although_every_hash_fits() {
    // Position 9 is the third event of subject 1, position 5 its second.
    const DOUBLES: [(&str, &str); 3] = [
        ("version = 2", "another event has its place in the life of its subject"),
        ("version = 1", "another event has its place in the life of its subject"),
        ("id = (select id from events where position = 2)", "another event has its id"),
    ];
    on_each(async |log| {
        no_index_of_the_whole(log).await;
        log.by_hand("create table kept as select * from events").await;
        for (double, reason) in DOUBLES {
            log.by_hand(&format!("update events set {double} where position = 9")).await;
            log.rechain(9).await;
            assert_eq!(broken_at(log.verify().await), (9, reason), "{double}");
            assert!(log.pool().read_stream(Uuid::from_u128(2), 0, 100).await.is_ok());
            if double.starts_with("version") {
                // Whoever folds it is told as well.
                let folded = log.pool().read_stream(Uuid::from_u128(1), 0, 100).await;
                assert!(matches!(folded, Err(Error::Broken { .. })), "{folded:?}");
            }
            log.by_hand("delete from events; insert into events select * from kept").await;
            log.rechain(9).await;
            assert_eq!(log.verify().await.unwrap(), EVENTS, "{double}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_hash_of_another_length_is_caught_and_never_signed_or_proved() {
    on_each(async |log| {
        log.sign().await.unwrap().unwrap();
        for hash in ["substr(hash, 1, 31)", "substr(hash, 1, 0)", "hash || hash"] {
            log.by_hand("create table kept as select * from events where position = 6").await;
            log.by_hand(&format!("update events set hash = {} where position = 6", cast(log, hash))).await;
            assert_eq!(broken_at(log.verify().await), (6, "the event is not the one that was written"), "{hash}");
            let proved = log.pool().prove(3, |_| ()).await.map(|_| ());
            assert!(matches!(proved, Err(Error::Distrust(Distrust::OtherEvents { position: EVENTS }))), "{proved:?}");
            log.by_hand("delete from events where position = 6; insert into events select * from kept; drop table kept")
                .await;
        }
        let kept = "create table kept as select * from checkpoints";
        log.by_hand(kept).await;
        for column in ["root", "hash", "peaks", "signature"] {
            let cut = cast(log, &format!("substr({column}, 1, 5)"));
            log.by_hand(&format!("update checkpoints set {column} = {cut}")).await;
            // The peaks are not signed: they only spare the way from the beginning.
            if column != "peaks" {
                let found = log.verify().await;
                assert!(matches!(found, Err(Error::Distrust(_))), "{column}: {found:?}");
            }
            append(&log.store, 9, log.store.head() - EVENTS + 1).await;
            let signed = log.sign().await;
            assert!(matches!(signed, Err(Error::Distrust(_) | Error::Broken { .. })), "{column}: {signed:?}");
            log.by_hand("delete from checkpoints; insert into checkpoints select * from kept").await;
        }
        assert!(log.verify().await.is_ok());
    })
    .await;
}

/// SQLite keeps bytes as bytes only when it is told to.
fn cast(log: &Log, bytes: &str) -> String {
    match log.pool() {
        Pool::Postgres(_) => bytes.to_owned(),
        Pool::Sqlite { .. } => format!("cast({bytes} as blob)"),
    }
}

#[tokio::test]
async fn history_that_is_rewritten_with_all_hashes_is_caught_by_a_checkpoint() {
    on_each(async |log| {
        let signed = log.sign().await.unwrap().unwrap();
        append(&log.store, 1, 4).await;
        log.by_hand("update events set actor = 'bob' where position = 5").await;
        log.rechain(5).await;
        let expected = Distrust::OtherEvents { position: EVENTS };
        let caught = |found: Result<i64, Error>| match found {
            Err(Error::Distrust(distrust)) => assert_eq!(distrust, expected),
            other => panic!("not caught: {other:?}"),
        };
        caught(log.verify().await);
        caught(log.sign().await.map(|_| 0));
        caught(log.pool().prove(3, |_| ()).await.map(|_| 0));
        // Who can do that can drop the checkpoints too; one that was kept elsewhere still tells.
        log.by_hand("delete from checkpoints").await;
        assert_eq!(log.verify().await.unwrap(), EVENTS + 1);
        let kept = log.pool().verify(&[key().public()], std::slice::from_ref(&signed), |_| ()).await;
        caught(kept.map(|_| 0));
        caught(log.pool().agrees(&signed).await.map(|()| 0));
    })
    .await;
}

#[tokio::test]
async fn a_log_that_ends_before_its_checkpoint_says_so() {
    on_each(async |log| {
        let signed = log.sign().await.unwrap().unwrap();
        log.by_hand(
            "delete from events where position > 8; \
             update log_head set position = 8, hash = (select hash from events where position = 8)",
        )
        .await;
        let expected = Distrust::Ahead { position: EVENTS, head: 8 };
        for found in [
            log.verify().await,
            log.sign().await.map(|_| 0),
            log.pool().agrees(&signed).await.map(|()| 0),
        ] {
            match found {
                Err(Error::Distrust(distrust)) => assert_eq!(distrust, expected),
                other => panic!("not said: {other:?}"),
            }
        }
        assert_eq!(
            expected.to_string(),
            "checkpoint at position 12 is ahead of the log's head 8: this log was restored from an older backup or cut"
        );
        log.by_hand("delete from checkpoints").await;
        assert_eq!(log.verify().await.unwrap(), 8);
        let kept = log.pool().verify(&[key().public()], &[signed], |_| ()).await;
        assert!(matches!(kept, Err(Error::Distrust(Distrust::Ahead { position: 12, head: 8 }))));
    })
    .await;
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_and_hides_no_other() {
    on_each(async |log| {
        log.by_hand("update events set kind = 'SPACESHIP', type = 'SpaceshipLanded' where position = 6")
            .await;
        let unreadable = |error: Error| match error {
            Error::Unreadable { position: 6, event_type, reason } => {
                assert_eq!(event_type, "SpaceshipLanded");
                assert!(reason.contains("kind") && reason.contains("is not one of"), "{reason}");
            }
            other => panic!("not named: {other:?}"),
        };
        unreadable(log.verify().await.unwrap_err());
        unreadable(log.pool().read_log(0, 100).await.unwrap_err());
        // Subject 2 has it, subject 1 has not.
        unreadable(log.pool().read_stream(Uuid::from_u128(2), 0, 100).await.unwrap_err());
        assert_eq!(log.pool().read_stream(Uuid::from_u128(1), 0, 100).await.unwrap().len(), 3);
        assert_eq!(log.pool().read_log(6, 100).await.unwrap().len(), 6);
        let each = log.pool().read_each(0, 100).await.unwrap();
        assert_eq!(each.iter().filter(|event| event.is_ok()).count(), 11);
        // Followers get what stands before it, then the reason.
        let mut follower = Box::pin(log.store.follow(0));
        for position in 1..=5 {
            assert_eq!(follower.next().await.unwrap().unwrap().position, position);
        }
        unreadable(follower.next().await.unwrap().unwrap_err());
        assert!(follower.next().await.is_none());
        // Who follows from behind it is not touched.
        let mut live = Box::pin(log.store.follow(EVENTS));
        let (next, ()) = tokio::join!(live.next(), append(&log.store, 1, 4));
        assert_eq!(next.unwrap().unwrap().position, EVENTS + 1);
        assert!(matches!(log.sign().await, Err(Error::Unreadable { position: 6, .. })));
    })
    .await;
}

#[tokio::test]
async fn a_damaged_value_is_named() {
    // PostgreSQL keeps such values out by its types.
    let log = Log::sqlite().await;
    for damage in ["recorded_at = 'yesterday'", "stream_id = x'00'", "data = x'ff'", "version = 'three'"] {
        log.by_hand("create table before_it as select * from events where position = 6").await;
        log.by_hand(&format!("update events set {damage} where position = 6")).await;
        let found = log.verify().await;
        assert!(matches!(found, Err(Error::Unreadable { position: 6, .. })), "{damage}: {found:?}");
        log.by_hand(
            "delete from events where position = 6; insert into events select * from before_it; drop table before_it",
        )
        .await;
    }
    assert_eq!(log.verify().await.unwrap(), EVENTS);
    log.end().await;
}

#[tokio::test]
async fn checkpoints_grow_on_from_each_other_to_the_root_of_the_whole() {
    on_each(async |log| {
        let first = log.sign().await.unwrap().unwrap();
        assert_eq!(first.position, EVENTS);
        assert_eq!(log.sign().await.unwrap(), None, "nothing new");
        append(&log.store, 1, 4).await;
        append(&log.store, 2, 4).await;
        let second = log.sign().await.unwrap().unwrap();
        assert_eq!(second.position, EVENTS + 2);
        // Made from the beginning it is the same.
        log.by_hand("delete from checkpoints").await;
        let whole = log.sign().await.unwrap().unwrap();
        assert_eq!(whole, second);
        assert_eq!(log.pool().last_checkpoint().await.unwrap(), Some(whole));
        assert_eq!(log.verify().await.unwrap(), EVENTS + 2);
    })
    .await;
}

#[tokio::test]
async fn nothing_altered_is_ever_signed() {
    on_each(async |log| {
        log.sign().await.unwrap().unwrap();
        append(&log.store, 1, 4).await;
        log.by_hand("update events set actor = 'bob' where position = 13").await;
        assert!(matches!(log.sign().await, Err(Error::Broken { position: 13, .. })));
        assert_eq!(log.pool().last_checkpoint().await.unwrap().unwrap().position, EVENTS);
    })
    .await;
}

#[tokio::test]
async fn another_key_signs_only_when_it_is_said_to_be_new() {
    on_each(async |log| {
        let old = log.sign().await.unwrap().unwrap();
        append(&log.store, 1, 4).await;
        let other = SigningKey::from_bytes(&[8; 32]);
        let refused = log.pool().sign_head(&other, now(), false).await;
        assert!(matches!(refused, Err(Error::Distrust(Distrust::WrongKey { position: EVENTS, .. }))));
        let signed = log.pool().sign_head(&other, now(), true).await.unwrap().unwrap();
        assert_eq!((signed.position, &signed.key_id), (EVENTS + 1, &other.public().id()));
        // Both keys are needed to check both; a key that is not given is named, not passed over.
        let both = [key().public(), other.public()];
        let verified = log.pool().verify(&both, &[], |_| ()).await.unwrap();
        assert_eq!((verified.checkpoints, verified.unknown_keys.len()), (2, 0));
        let verified = log.pool().verify(&both[1..], &[], |_| ()).await.unwrap();
        assert_eq!(verified.unknown_keys.into_iter().collect::<Vec<_>>(), [old.key_id]);
    })
    .await;
}

#[tokio::test]
async fn a_forged_checkpoint_is_caught() {
    on_each(async |log| {
        log.sign().await.unwrap().unwrap();
        log.by_hand("update checkpoints set signature = root").await;
        let forged = |found: Result<i64, Error>| {
            assert!(
                matches!(found, Err(Error::Distrust(Distrust::Forged { position: EVENTS }))),
                "{found:?}"
            );
        };
        forged(log.verify().await);
        forged(log.sign().await.map(|_| 0));
    })
    .await;
}

#[tokio::test]
async fn every_event_is_proved_and_no_altered_proof_holds() {
    on_each(async |log| {
        let uncovered = log.pool().prove(1, |_| ()).await;
        assert!(matches!(uncovered, Err(Error::Distrust(Distrust::Uncovered { position: 1, covered: 0 }))));
        log.sign().await.unwrap().unwrap();
        let keys = [key().public()];
        for position in 1..=EVENTS {
            let proof = log.pool().prove(position, |_| ()).await.unwrap();
            // As it is read from a file, far from the database.
            let text = serde_json::to_string_pretty(&proof).unwrap();
            let proof: Proof = serde_json::from_str(&text).unwrap();
            assert_eq!(proof.event.position, position);
            assert_eq!(proof.check(&keys), Ok(()));
            hold_no_longer(&proof, &keys);
        }
        for position in [0, -1, EVENTS + 1, i64::MIN + 1] {
            let nothing = log.pool().prove(position, |_| ()).await;
            assert!(matches!(nothing, Err(Error::Distrust(Distrust::Uncovered { .. }))), "{position}");
        }
    })
    .await;
}

fn hold_no_longer(proof: &Proof, keys: &[PublicKey]) {
    type Change = (&'static str, fn(&mut Proof));
    let changes: [Change; 8] = [
        ("data", |proof| proof.event.data = proof.event.data.replace("50", "51")),
        ("actor", |proof| proof.event.actor = "bob".into()),
        ("before", |proof| proof.before.0[0] ^= 1),
        ("position", |proof| {
            proof.event.position += 1;
            proof.event.hash = proof.event.chained(&proof.before.0);
        }),
        ("an event of one's own", |proof| {
            proof.event.actor = "bob".into();
            proof.event.hash = proof.event.chained(&proof.before.0);
        }),
        ("path", |proof| proof.path[0].0[0] ^= 1),
        ("shorter path", |proof| drop(proof.path.pop())),
        ("root", |proof| proof.checkpoint.root[0] ^= 1),
    ];
    for (what, change) in changes {
        let mut bad = proof.clone();
        change(&mut bad);
        assert!(bad.check(keys).is_err(), "{what}");
    }
    let stranger = SigningKey::from_bytes(&[8; 32]).public();
    assert!(matches!(proof.check(&[stranger]), Err(Distrust::WrongKey { .. })));
}

#[tokio::test]
async fn a_database_from_before_checkpoints_gets_them() {
    on_each(async |log| {
        log.by_hand("drop table checkpoints; delete from _sqlx_migrations where version = 2").await;
        let store = open(&log.url).await.unwrap();
        assert!(store.pool().sign_head(&key(), now(), false).await.unwrap().is_some());
        store.pool().close().await;
        assert_eq!(log.verify().await.unwrap(), EVENTS);
    })
    .await;
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    on_each(async |log| {
        let columns = "version, description, success, checksum, execution_time";
        log.by_hand(&format!(
            "insert into _sqlx_migrations ({columns}) select 9000, 'from the future', success, checksum, 1 \
             from _sqlx_migrations where version = 1"
        ))
        .await;
        assert!(matches!(open(&log.url).await, Err(Error::NewerDatabase)));
        assert_eq!(log.verify().await.unwrap(), EVENTS);
    })
    .await;
}

// --- Files ----------------------------------------------------------------------------------------------------------

fn file(directory: &tempfile::TempDir, name: &str) -> std::path::PathBuf {
    directory.path().join(name)
}

async fn restored(from: &Path) -> Result<i64, Error> {
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("data").join("zhixing.db");
    let found = backup::restore(from, &to, |_| ()).await.map(|verified| verified.position);
    let left: Vec<_> =
        std::fs::read_dir(to.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    if found.is_ok() {
        assert_eq!(left, ["zhixing.db"]);
        let store = open(&format!("sqlite:{}", to.display())).await.unwrap();
        assert_eq!(store.head(), found.as_ref().copied().unwrap());
        store.pool().close().await;
    } else {
        assert!(left.is_empty(), "{left:?} was left by a refused restore");
    }
    found
}

#[tokio::test]
async fn a_backup_taken_under_load_is_whole_and_comes_back() {
    let log = Log::sqlite().await;
    log.sign().await.unwrap().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let copy = file(&directory, "copy.db");
    let writing = async {
        for version in 4..=60 {
            append(&log.store, 1, version).await;
        }
    };
    let (verified, ()) = tokio::join!(log.pool().backup(&copy, |_| ()), writing);
    let verified = verified.unwrap();
    assert!((EVENTS..=EVENTS + 57).contains(&verified.position), "{verified:?}");
    assert_eq!(verified.checkpoints, 1);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "only the copy is left");
    assert_eq!(restored(&copy).await.unwrap(), verified.position);
    assert_eq!(log.verify().await.unwrap(), EVENTS + 57);
    log.end().await;
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let log = Log::sqlite().await;
    let directory = tempfile::tempdir().unwrap();
    let copy = file(&directory, "copy.db");
    std::fs::write(&copy, "dear to somebody").unwrap();
    assert!(matches!(log.pool().backup(&copy, |_| ()).await, Err(Error::Backup(BackupError::Exists(_)))));
    assert_eq!(std::fs::read(&copy).unwrap(), b"dear to somebody");
    let good = file(&directory, "good.db");
    log.pool().backup(&good, |_| ()).await.unwrap();
    let occupied = tempfile::tempdir().unwrap();
    std::fs::write(file(&occupied, "notes.txt"), "dear to somebody").unwrap();
    let refused = backup::restore(&good, &file(&occupied, "zhixing.db"), |_| ()).await;
    assert!(matches!(refused, Err(Error::Backup(BackupError::NotEmpty { .. }))));
    assert_eq!(std::fs::read_dir(occupied.path()).unwrap().count(), 1);
    log.end().await;
}

#[tokio::test]
async fn a_log_that_is_not_whole_is_not_backed_up() {
    let log = Log::sqlite().await;
    log.by_hand("update events set actor = 'bob' where position = 3").await;
    let directory = tempfile::tempdir().unwrap();
    let refused = log.pool().backup(&file(&directory, "copy.db"), |_| ()).await;
    assert!(matches!(refused, Err(Error::Broken { position: 3, .. })));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    log.end().await;
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_by_name() {
    let log = Log::sqlite().await;
    let directory = tempfile::tempdir().unwrap();
    let good = file(&directory, "good.db");
    log.pool().backup(&good, |_| ()).await.unwrap();
    let bytes = std::fs::read(&good).unwrap();
    let bad = file(&directory, "bad.db");
    for length in [0, 50, 4_096, bytes.len() / 2, bytes.len() - 4_096, bytes.len() - 1] {
        std::fs::write(&bad, &bytes[..length]).unwrap();
        let found = restored(&bad).await;
        assert!(matches!(found, Err(Error::Damaged(_))), "cut to {length} bytes: {found:?}");
        assert_eq!(std::fs::read(&bad).unwrap().len(), length, "the file itself is left as it was");
    }
    std::fs::write(&bad, "This is a letter, not a database. ".repeat(500)).unwrap();
    assert!(matches!(restored(&bad).await, Err(Error::Damaged(_))));
    assert!(matches!(
        restored(&file(&directory, "none.db")).await,
        Err(Error::Backup(BackupError::File { .. }))
    ));
    // A row altered in the copy: the file is sound, the log is not.
    let altered = file(&directory, "altered.db");
    std::fs::copy(&good, &altered).unwrap();
    on_file(&altered, "update events set actor = 'bob' where position = 4").await;
    assert!(matches!(restored(&altered).await, Err(Error::Broken { position: 4, .. })));
    let newer = file(&directory, "newer.db");
    std::fs::copy(&good, &newer).unwrap();
    on_file(&newer, "update _sqlx_migrations set version = 9000 where version = 2").await;
    assert!(matches!(restored(&newer).await, Err(Error::NewerDatabase)));
    let foreign = file(&directory, "foreign.db");
    on_file(&foreign, "create table bookmarks (url text)").await;
    let before = std::fs::read(&foreign).unwrap();
    assert!(matches!(restored(&foreign).await, Err(Error::Foreign)));
    assert!(matches!(open(&format!("sqlite:{}", foreign.display())).await, Err(Error::Foreign)));
    assert_eq!(
        std::fs::read(&foreign).unwrap(),
        before,
        "not one byte of another program's database is changed"
    );
    log.end().await;
}

/// Changes a database file that nobody has open.
async fn on_file(path: &Path, sql: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let db = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&db).await.unwrap();
    db.close().await;
}

#[tokio::test]
async fn a_database_in_use_is_no_backup() {
    let log = Log::sqlite().await;
    let path = log.url.strip_prefix("sqlite:").unwrap();
    assert!(matches!(restored(Path::new(path)).await, Err(Error::Backup(BackupError::InUse(_)))));
    log.end().await;
}

#[tokio::test]
async fn a_service_does_not_start_on_a_damaged_file_and_leaves_it() {
    let log = Log::sqlite().await;
    let path = log.url.strip_prefix("sqlite:").unwrap().to_owned();
    log.pool().close().await;
    let whole = std::fs::read(&path).unwrap();
    for bad in [
        &whole[..50],
        &whole[..3_000],
        b"not a database at all, and longer than a header is".repeat(9).as_slice(),
    ] {
        std::fs::write(&path, bad).unwrap();
        let found = open(&log.url).await.map(|_| ());
        assert!(matches!(found, Err(Error::Damaged(_))), "{found:?}");
        assert_eq!(std::fs::read(&path).unwrap(), bad);
    }
    log.end().await;
}
