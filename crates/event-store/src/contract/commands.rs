//! Command ids: what was done once is not done again.
use futures_util::future::join_all;

use super::{
    contract,
    database::{Database, in_time},
    raw::{append, command, fresh, together},
    units::{UnitRow, order, register, registration, rename},
};
use crate::{
    Error, Order,
    append::{Append, CommandKey, Refusal, Seen},
};
use zhixing_domain::Rejection;

contract! {
    a_command_is_done_once
    a_retry_gets_the_first_answer
    retries_at_once_are_one_command
    an_id_is_not_used_for_another_command
    each_actor_has_ids_of_their_own
    a_refused_command_may_be_tried_again
}

async fn a_command_is_done_once(db: &Database) {
    let store = db.store().await;
    let with = |key: CommandKey| Append { command: Some(key), ..append(fresh(), 0, 2) };
    store.writer().append(with(command("c", 1))).await.unwrap();
    for payload in [1, 2] {
        let seen = Seen { fingerprint: vec![1; 32], first: 1, last: 2 };
        let refused = store.writer().append(with(command("c", payload))).await;
        assert!(matches!(refused, Err(Refusal::Seen(was)) if was == seen));
    }
    let outcomes =
        together(db, &store, vec![with(command("d", 1)), with(command("d", 1)), with(command("d", 2))]).await;
    let written = outcomes[0].as_ref().unwrap();
    let (first, last) = (written[0].position, written[1].position);
    for outcome in &outcomes[1..] {
        assert!(matches!(outcome, Err(Refusal::Seen(seen)) if (seen.first, seen.last) == (first, last)));
    }
    assert_eq!(store.seen(&command("d", 9)).await.unwrap().map(|seen| seen.last), Some(last));
    assert_eq!(store.seen(&command("e", 9)).await.unwrap(), None);
}

fn identified(id: &str, name: &str) -> Order<zhixing_domain::organisation::unit::UnitCommand> {
    Order { command_id: Some(id.into()), ..order(registration(name)) }
}

async fn a_retry_gets_the_first_answer(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    let first = here.execute::<UnitRow>(identified("c", "省质监局")).await.unwrap();
    rename(&here, first.object.id.0, "省市场监管局").await;
    for store in [&here, &there] {
        let again = store.execute::<UnitRow>(identified("c", "省质监局")).await.unwrap();
        assert_eq!((&again.object, again.position), (&first.object, first.position));
        assert_eq!(again.events, first.events);
    }
    assert_eq!(here.head(), 2);
}

async fn retries_at_once_are_one_command(db: &Database) {
    let (here, there) = (db.store().await, db.store().await);
    for round in 0..5 {
        let (id, name) = (format!("c{round}"), format!("单位{round}"));
        let rivals = (0..8).map(|n| {
            let store = if n % 2 == 0 { &here } else { &there };
            store.execute::<UnitRow>(identified(&id, &name))
        });
        let answers = in_time(join_all(rivals)).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| answer.object == answers[0].object));
        assert!(answers.iter().all(|answer| answer.position == Some(round + 1)));
    }
    assert_eq!(db.number("select count(*) from events").await, 5);
}

async fn an_id_is_not_used_for_another_command(db: &Database) {
    let store = db.store().await;
    store.execute::<UnitRow>(identified("c", "省质监局")).await.unwrap();
    let refused = store.execute::<UnitRow>(identified("c", "省安监局")).await;
    assert!(matches!(refused, Err(Error::Rejected(Rejection::CommandIdReused))), "{refused:?}");
    assert_eq!(store.head(), 1);
}

async fn each_actor_has_ids_of_their_own(db: &Database) {
    let store = db.store().await;
    let by = |actor: &str| CommandKey { actor: actor.into(), ..command("c", 1) };
    for actor in ["ann", "bob", "ann'; drop table commands"] {
        let mine = Append { command: Some(by(actor)), ..append(fresh(), 0, 1) };
        store.writer().append(mine).await.unwrap();
    }
    assert_eq!(db.number("select count(*) from commands").await, 3);
}

async fn a_refused_command_may_be_tried_again(db: &Database) {
    let store = db.store().await;
    let holder = register(&store, "省质监局").await;
    let refused = store.execute::<UnitRow>(identified("c", "省质监局")).await;
    let taken = |existing: &Option<uuid::Uuid>| *existing == Some(holder.uuid());
    assert!(
        matches!(refused, Err(Error::Rejected(Rejection::AlreadyExists { ref existing, .. })) if taken(existing))
    );
    let free = store.execute::<UnitRow>(identified("c", "省质监局办公室")).await.unwrap();
    assert_eq!(free.position, Some(2));
}
