//! Reading pages of a stream and of the log.
use super::{
    contract,
    database::Database,
    raw::{append, fresh, verified},
};

contract! {
    pages_of_the_log_have_no_hole
    pages_of_a_stream_have_no_hole
    what_is_not_there_is_empty
}

async fn two_streams(db: &Database) -> (crate::EventStore, [uuid::Uuid; 2]) {
    let (store, streams) = (db.store().await, [fresh(), fresh()]);
    for version in 0..30 {
        for stream in streams {
            store.writer().append(append(stream, version, 1)).await.unwrap();
        }
    }
    (store, streams)
}

async fn pages_of_the_log_have_no_hole(db: &Database) {
    let (store, _) = two_streams(db).await;
    for limit in [1, 7, 60, 100] {
        let mut at = 0;
        loop {
            let page = store.pool().read_log(at, limit).await.unwrap();
            assert!(page.len() <= limit as usize);
            assert!(
                page.iter().map(|event| event.position).eq(at + 1..=at + i64::try_from(page.len()).unwrap())
            );
            let Some(last) = page.last() else { break };
            at = last.position;
        }
        assert_eq!(at, 60);
    }
}

async fn pages_of_a_stream_have_no_hole(db: &Database) {
    let (store, streams) = two_streams(db).await;
    for stream in streams {
        assert_eq!(store.pool().count_stream(stream).await.unwrap(), 30);
        let first = store.pool().read_stream(stream, 0, 12).await.unwrap();
        let rest = store.pool().read_stream(stream, 12, 100).await.unwrap();
        let all: Vec<_> = first.iter().chain(&rest).collect();
        assert!(all.iter().map(|event| event.version).eq(1..=30));
        assert!(all.iter().all(|event| event.stream_id == stream));
        assert!(all.is_sorted_by_key(|event| event.position));
    }
}

async fn what_is_not_there_is_empty(db: &Database) {
    let store = db.store().await;
    assert_eq!(store.head(), 0);
    assert_eq!(verified(&store).await, 0);
    assert!(store.pool().read_log(0, 10).await.unwrap().is_empty());
    assert!(store.pool().read_log(i64::MAX, 10).await.unwrap().is_empty());
    assert!(store.pool().read_stream(fresh(), 0, 10).await.unwrap().is_empty());
    assert_eq!(store.pool().count_stream(fresh()).await.unwrap(), 0);
}
