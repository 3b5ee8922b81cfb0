//! What both stores promise, as cases that run unchanged on SQLite and on PostgreSQL.
//!
//! Every case gets a database of its own: a file in a temporary directory, or a schema. A case that wants several
//! processes opens several stores on it.
mod appends;
mod batches;
mod bundles;
mod claims;
mod commands;
mod consumers;
mod corrupt;
mod database;
mod fencing;
mod full;
mod growth;
mod leases;
mod listings;
mod model;
mod partitions;
mod projections;
mod raw;
mod reads;
mod rebuilds;
mod silence;
mod sums;
mod tails;
mod units;
mod versions;
mod views;

/// Declares cases: each becomes one test on each database.
macro_rules! contract {
    ($($case:ident)+) => {
        contract!(@on on_sqlite sqlite $($case)+);
        contract!(@on on_postgres postgres $($case)+);
    };
    (@on $module:ident $database:ident $($case:ident)+) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let db = crate::contract::database::Database::$database().await;
                    super::$case(&db).await;
                    db.discard().await;
                }
            )+
        }
    };
}
use contract;
