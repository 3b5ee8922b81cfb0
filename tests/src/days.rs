//! Days that pass, and the scheduler that says what they bring about.
use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use zhixing_api::scheduler::{Round, Scheduler, Timing};
use zhixing_domain::TimeReference;
use zhixing_event_store::EventStore;

use crate::house::House;

pub(crate) const TIMING: Timing = Timing { every: Duration::from_millis(20), lease: Duration::from_mins(2) };

pub(crate) fn scheduler(store: &EventStore) -> Scheduler {
    Scheduler::new(store.clone(), Arc::new(TimeReference::embedded()), TIMING)
}

/// Lets time pass until ten o'clock in China on this day.
pub(crate) fn wait_until(house: &House, day: &str) {
    let then: DateTime<Utc> = format!("{day}T02:00:00Z").parse().unwrap();
    house.clock.pass(then - house.clock.look());
}

/// What a scheduler announces at ten o'clock in China on this day.
pub(crate) async fn round_on(house: &House, scheduler: &Scheduler, day: &str) -> Round {
    wait_until(house, day);
    let round = scheduler.round().await.unwrap();
    assert!(round.held);
    round
}
