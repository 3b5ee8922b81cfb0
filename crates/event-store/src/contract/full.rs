//! A full disk under SQLite, played by a limit on its pages.
use sqlx::Executor;

use super::{
    database::Database,
    raw::{append, fresh, verified},
};
use crate::{Pool, append::Refusal};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_file_fails_clearly_and_recovers_when_there_is_room() {
    let db = Database::sqlite().await;
    let store = db.store().await;
    let Pool::Sqlite { writer, .. } = store.pool() else { unreachable!("it is a file") };
    for _ in 0..3 {
        // A limit belongs to the connection and cannot be less than what is there.
        writer.execute("pragma max_page_count = 1").await.unwrap();
        let mut failures = 0;
        while failures < 3 {
            match store.writer().append(append(fresh(), 0, 200)).await {
                Ok(_) => {}
                Err(Refusal::Failed(error)) => {
                    assert!(error.to_string().contains("full"), "{error}");
                    failures += 1;
                    // A connection that was given up takes its limit with it.
                    writer.execute("pragma max_page_count = 1").await.unwrap();
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        writer.execute("pragma max_page_count = 1073741823").await.unwrap();
        store.writer().append(append(fresh(), 0, 200)).await.unwrap();
    }
    verified(&store).await;
    db.discard().await;
}
