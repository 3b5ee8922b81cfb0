//! Appends that share a transaction: each is judged by itself.
use serde_json::json;

use super::{
    contract,
    database::Database,
    raw::{append, event, extension, fresh, together, verified},
    units::UnitRow,
};
use crate::{
    Row,
    append::{Append, Extension, Named, Outcome, Refusal},
    view::{Link, WriteRow},
};
use zhixing_domain::Kind;

contract! {
    a_conflict_fails_its_own_append_only
    a_batch_larger_than_one_transaction_is_written_whole
    an_append_that_cannot_be_stored_fails_alone
    an_append_larger_than_a_batch_is_one_transaction
    appends_to_one_stream_may_share_a_batch
    the_last_word_on_a_link_counts
    the_last_row_counts
}

async fn a_conflict_fails_its_own_append_only(db: &Database) {
    let store = db.store().await;
    let [there, good, other] = [fresh(), fresh(), fresh()];
    store.writer().append(append(there, 0, 1)).await.unwrap();
    let half_bad =
        Append { streams: vec![extension(other, 0, 3), extension(there, 0, 1)], ..Append::default() };
    let appends =
        vec![append(good, 0, 1), half_bad, append(there, 1, 1), append(there, 1, 1), append(good, 1, 2)];
    let outcomes = together(db, &store, appends).await;
    let fine: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(fine, [true, false, true, false, true], "{outcomes:?}");
    assert_eq!(store.pool().count_stream(other).await.unwrap(), 0, "half of an append was written");
    assert!(matches!(outcomes[3], Err(Refusal::Conflict { actual: 2, .. })));
    // The refused ones took no positions.
    let positions: Vec<i64> = outcomes.iter().flatten().flatten().map(|event| event.position).collect();
    assert_eq!(positions, [3, 4, 5, 6]);
    assert_eq!(verified(&store).await, 6);
}

async fn a_batch_larger_than_one_transaction_is_written_whole(db: &Database) {
    let store = db.store().await;
    let outcomes = together(db, &store, (0..600).map(|_| append(fresh(), 0, 1)).collect()).await;
    let mut positions: Vec<i64> =
        outcomes.iter().map(|outcome| outcome.as_ref().unwrap()[0].position).collect();
    positions.sort_unstable();
    assert!(positions.into_iter().eq(2..=601));
    assert_eq!(verified(&store).await, 601);
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Refusal::Failed(_)))
}

async fn an_append_that_cannot_be_stored_fails_alone(db: &Database) {
    let store = db.store().await;
    let used = store.writer().append(append(fresh(), 0, 1)).await.unwrap()[0].id;
    // An id that stands there already, rows that are no JSON, rows without their key.
    let mut known = append(fresh(), 0, 1);
    known.streams[0].events[0].id = used;
    let row = |json: &str| Append {
        rows: vec![WriteRow { table: UnitRow::TABLE, key: fresh(), json: json.into() }],
        ..append(fresh(), 0, 1)
    };
    let mut appends = vec![append(fresh(), 0, 1), known, append(fresh(), 0, 2), row("{"), row("{}")];
    let mut bad = vec![1, 3, 4];
    if db.is_postgres() {
        // A zero byte, which SQLite stores and PostgreSQL does not.
        let stream = fresh();
        let events = vec![event(stream, 1, "\"\0\"")];
        appends.push(Append {
            streams: vec![Extension { events, ..extension(stream, 0, 0) }],
            ..Append::default()
        });
        bad.push(5);
    }
    appends.push(append(fresh(), 0, 1));
    let outcomes = together(db, &store, appends).await;
    for (at, outcome) in outcomes.iter().enumerate() {
        assert_eq!(failed(outcome), bad.contains(&at), "{at}: {outcome:?}");
    }
    assert_eq!(verified(&store).await, 6);
}

async fn an_append_larger_than_a_batch_is_one_transaction(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    let written = store.writer().append(append(stream, 0, 9_000)).await.unwrap();
    assert_eq!((written.len(), store.head()), (9_000, 9_000));
    assert_eq!(verified(&store).await, 9_000);
}

async fn appends_to_one_stream_may_share_a_batch(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    let outcomes = together(db, &store, (0..20).map(|version| append(stream, version, 1)).collect()).await;
    let versions = outcomes.iter().map(|outcome| outcome.as_ref().unwrap()[0].version);
    assert!(versions.eq(1..=20));
}

async fn the_last_word_on_a_link_counts(db: &Database) {
    let store = db.store().await;
    let (source, [kept, gone, back]) = (fresh(), [fresh(), fresh(), fresh()]);
    let link = |target_id| Link { relation: "member", target_id };
    let says = |version, added: Vec<_>, removed: Vec<_>| Append {
        links: vec![Named {
            source_id: source,
            source_kind: Kind::Unit,
            added: added.into_iter().map(link).collect(),
            removed: removed.into_iter().map(link).collect(),
        }],
        ..append(source, version, 1)
    };
    let appends = vec![
        says(0, vec![kept, gone, back], vec![]),
        says(1, vec![], vec![gone, back]),
        says(2, vec![back], vec![]),
    ];
    let outcomes = together(db, &store, appends).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    for (target, named) in [(kept, true), (gone, false), (back, true)] {
        let sources = store.pool().reader().await.unwrap().naming(target, "member", 10).await.unwrap();
        assert_eq!(sources, if named { vec![source] } else { vec![] });
    }
}

async fn the_last_row_counts(db: &Database) {
    let (store, stream) = (db.store().await, fresh());
    let row = |version: i64| {
        let json = json!({
            "id": stream, "version": version, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
            "status": "ACTIVE", "region_code": "430000", "name": format!("单位{version}"), "kind": "DEPARTMENT",
            "aliases": [], "member_ids": [],
        });
        let rows = vec![WriteRow { table: UnitRow::TABLE, key: stream, json: json.to_string() }];
        Append { rows, ..append(stream, version - 1, 1) }
    };
    let outcomes = together(db, &store, vec![row(1), row(2), row(2), row(3)]).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 3);
    let rows: Vec<UnitRow> = store.pool().many(&[stream]).await.unwrap();
    assert_eq!((rows[0].version, rows[0].name.as_str()), (3, "单位3"));
}
