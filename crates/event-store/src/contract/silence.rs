//! A database that does not answer: the caller is told in time, and may give the same command again.
use std::time::Duration;

use super::{
    contract,
    database::{Database, in_time},
    raw::{append, command, fresh, verified},
};
use crate::{
    Error, Pool,
    append::{Append, Log, Outcome, Refusal},
    error::Unanswered,
};

contract! { a_database_that_does_not_answer_is_given_up_in_time }

/// Shorter than anybody would wait; a healthy commit on a busy machine is given [`super::database::PATIENCE`].
const SHORT: Duration = Duration::from_millis(300);

async fn written(pool: &Pool, append: &Append, patience: Duration) -> Result<Outcome, sqlx::Error> {
    let mut log = Log::of(pool.clone());
    let outcomes = in_time(log.commit_within(std::slice::from_ref(append), 0, patience)).await;
    outcomes.map(|mut outcomes| outcomes.pop().unwrap())
}

/// What the caller of a command is told.
fn told(error: sqlx::Error) -> Error {
    assert!(Unanswered::is(&error), "{error}");
    Refusal::Failed(error.into()).into()
}

async fn a_database_that_does_not_answer_is_given_up_in_time(db: &Database) {
    let store = db.store().await;
    let append = Append { command: Some(command("c-1", 1)), ..append(fresh(), 0, 2) };
    let held = db.hold().await;
    let begun = std::time::Instant::now();
    let error = written(store.pool(), &append, SHORT).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(told(error), Error::OutcomeUnknown));
    held.release().await;
    // Whatever came of the first, the second time it is there, once.
    match written(store.pool(), &append, super::database::PATIENCE).await.unwrap() {
        Ok(events) => assert_eq!(events.len(), 2),
        Err(Refusal::Seen(seen)) => assert_eq!((seen.first, seen.last), (1, 2)),
        Err(other) => panic!("{other:?}"),
    }
    assert_eq!(verified(&store).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_written_after_all_is_not_written_twice() {
    let db = Database::postgres().await;
    let store = db.store().await;
    // The commit itself takes longer than anybody waits for it.
    db.by_hand("create function dawdle() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$")
        .await;
    db.by_hand(
        "create constraint trigger slow after insert on commands deferrable initially deferred \
         for each row execute function dawdle()",
    )
    .await;
    let append = Append { command: Some(command("c-1", 1)), ..append(fresh(), 0, 2) };
    let error = written(store.pool(), &append, SHORT).await.unwrap_err();
    assert!(matches!(told(error), Error::OutcomeUnknown));
    match written(store.pool(), &append, super::database::PATIENCE).await.unwrap() {
        Err(Refusal::Seen(seen)) => assert_eq!((seen.first, seen.last), (1, 2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(verified(&store).await, 2);
    db.discard().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_server_ends_a_transaction_whose_client_fell_silent() {
    let db = Database::postgres().await;
    let store = db.store().await;
    let Pool::Postgres(pool) = store.pool() else { unreachable!("it is a server") };
    let mut silent = pool.acquire().await.unwrap();
    let told: String =
        sqlx::query_scalar("show idle_in_transaction_session_timeout").fetch_one(&mut *silent).await.unwrap();
    assert_eq!(told, "1min");
    // The same, without waiting for a minute.
    sqlx::query("set idle_in_transaction_session_timeout = '500ms'").execute(&mut *silent).await.unwrap();
    sqlx::query("begin").execute(&mut *silent).await.unwrap();
    sqlx::query("select position from log_head for update").execute(&mut *silent).await.unwrap();
    let appended = in_time(store.writer().append(append(fresh(), 0, 1))).await;
    assert!(appended.is_ok(), "{appended:?}");
    drop(silent);
    db.discard().await;
}
