//! Leases: of several processes one does the work, and another takes over.
use std::time::Duration;

use futures_util::future::join_all;

use super::{contract, database::Database};
use crate::Lease;

contract! {
    of_many_one_holds_the_lease
    a_silent_owner_is_replaced
    a_lease_given_back_is_free_at_once
}

const LONG: Duration = Duration::from_mins(5);

async fn of_many_one_holds_the_lease(db: &Database) {
    let stores = join_all((0..4).map(|_| db.store())).await;
    let leases: Vec<Lease> = stores.iter().map(|store| Lease::new(store.clone(), "work", LONG)).collect();
    for _ in 0..5 {
        let held = join_all(leases.iter().map(Lease::hold)).await;
        assert_eq!(held.into_iter().filter(|held| *held.as_ref().unwrap()).count(), 1);
    }
    // Another piece of work has another owner.
    assert!(Lease::new(stores[0].clone(), "other work", LONG).hold().await.unwrap());
}

async fn a_silent_owner_is_replaced(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let short = Lease::new(here, "work", Duration::from_millis(100));
    let next = Lease::new(there, "work", LONG);
    assert!(short.hold().await.unwrap());
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(next.hold().await.unwrap());
    assert!(!short.hold().await.unwrap(), "it slept past its lease");
}

async fn a_lease_given_back_is_free_at_once(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let (first, second) = (Lease::new(here, "work", LONG), Lease::new(there, "work", LONG));
    assert!(first.hold().await.unwrap());
    assert!(!second.hold().await.unwrap());
    second.release().await.unwrap();
    assert!(first.hold().await.unwrap(), "only its owner can give it back");
    first.release().await.unwrap();
    assert!(second.hold().await.unwrap());
}
