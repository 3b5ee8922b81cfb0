//! The log against a model of it: random appends, alone and together, must come out as the model says.
use std::collections::HashMap;

use futures_util::future::join_all;
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::subsequence,
    test_runner::{Config, TestRunner},
};
use uuid::Uuid;

use super::{
    contract,
    database::{Database, in_time},
    raw::{command, extension, fresh, give_back, take, verified},
};
use crate::{
    EventStore,
    append::{Append, Extension, Outcome, Refusal},
};

contract! { random_appends_come_out_as_the_model_says }

const STREAMS: usize = 4;

/// How far the expected version is off, events, and keys taken or given back.
type Part = (i64, i64, Vec<(u8, bool)>);

/// An append, by numbers.
#[derive(Clone, Debug)]
struct Try {
    streams: Vec<usize>,
    /// One for each stream.
    parts: Vec<Part>,
    command: Option<(u8, u8)>,
}

fn attempt() -> impl Strategy<Value = Try> {
    let off = prop_oneof![12 => Just(0), 1 => Just(1), 1 => Just(-1)];
    let part = (off, 1..3_i64, vec((0..4_u8, prop::bool::weighted(0.7)), 0..3));
    let streams = subsequence((0..STREAMS).collect::<Vec<_>>(), 1..=2);
    (streams, vec(part, 2), option::weighted(0.4, (0..6_u8, 0..2_u8)))
        .prop_map(|(streams, parts, command)| Try { streams, parts, command })
}

/// What the log should hold.
#[derive(Default)]
struct Model {
    position: i64,
    versions: [i64; STREAMS],
    holders: HashMap<u8, usize>,
    commands: HashMap<u8, (u8, i64, i64)>,
}

#[derive(Debug, PartialEq)]
enum Expected {
    Written { first: i64, last: i64 },
    Conflict { stream: usize, actual: i64 },
    Taken { holder: usize },
    Seen { payload: u8, first: i64, last: i64 },
}

impl Model {
    fn take(&mut self, attempt: &Try) -> Expected {
        if let Some((payload, first, last)) = attempt.command.and_then(|(id, _)| self.commands.get(&id)) {
            return Expected::Seen { payload: *payload, first: *first, last: *last };
        }
        let parts = || attempt.streams.iter().copied().zip(&attempt.parts);
        if let Some((stream, _)) = parts().find(|(_, (off, ..))| *off != 0) {
            return Expected::Conflict { stream, actual: self.versions[stream] };
        }
        let mut holders = self.holders.clone();
        for (stream, (_, _, claims)) in parts() {
            for (key, held) in claims {
                match holders.get(key) {
                    Some(holder) if *holder != stream && *held => return Expected::Taken { holder: *holder },
                    Some(holder) if *holder == stream && !held => drop(holders.remove(key)),
                    None if *held => drop(holders.insert(*key, stream)),
                    _ => {}
                }
            }
        }
        self.holders = holders;
        let first = self.position + 1;
        for (stream, (_, events, _)) in parts() {
            self.versions[stream] += events;
            self.position += events;
        }
        if let Some((id, payload)) = attempt.command {
            self.commands.insert(id, (payload, first, self.position));
        }
        Expected::Written { first, last: self.position }
    }
}

/// One run has streams, keys and commands of its own.
struct Run<'s> {
    store: &'s EventStore,
    streams: [Uuid; STREAMS],
    name: String,
}

impl Run<'_> {
    fn append(&self, attempt: &Try, versions: &[i64; STREAMS]) -> Append {
        let streams = attempt.streams.iter().zip(&attempt.parts).map(|(at, (off, events, claims))| {
            let named = |key: &u8| format!("{} {key}", self.name);
            let claim =
                |(key, held): &(u8, bool)| if *held { take(&named(key)) } else { give_back(&named(key)) };
            let claims = claims.iter().map(claim).collect();
            Extension { claims, ..extension(self.streams[*at], versions[*at] + off, *events) }
        });
        let key = |(id, payload): (u8, u8)| command(&format!("{} {id}", self.name), payload);
        Append { streams: streams.collect(), command: attempt.command.map(key), ..Append::default() }
    }

    fn came_out(&self, outcome: &Outcome) -> Expected {
        let stream =
            |id: &Uuid| self.streams.iter().position(|known| known == id).expect("a stream of this run");
        match outcome {
            Ok(events) => Expected::Written {
                first: events.first().unwrap().position,
                last: events.last().unwrap().position,
            },
            Err(Refusal::Conflict { stream_id, actual }) => {
                Expected::Conflict { stream: stream(stream_id), actual: *actual }
            }
            Err(Refusal::Taken { holder, .. }) => Expected::Taken { holder: stream(holder) },
            Err(Refusal::Seen(seen)) => {
                Expected::Seen { payload: seen.fingerprint[0], first: seen.first, last: seen.last }
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    async fn rounds(&self, rounds: &[Vec<Try>]) {
        let mut model = Model { position: self.store.head(), ..Model::default() };
        for round in rounds {
            // Those of one round are given at once: most of them share a transaction.
            let mut expected = Vec::new();
            let mut appends = Vec::new();
            for attempt in round {
                appends.push(self.append(attempt, &model.versions));
                expected.push(model.take(attempt));
            }
            let given = appends.into_iter().map(|append| self.store.writer().append(append));
            let outcomes = in_time(join_all(given)).await;
            let outcomes: Vec<Expected> = outcomes.iter().map(|outcome| self.came_out(outcome)).collect();
            assert_eq!(outcomes, expected, "{round:#?}");
        }
        for (at, stream) in self.streams.iter().enumerate() {
            assert_eq!(self.store.pool().count_stream(*stream).await.unwrap(), model.versions[at]);
        }
        for key in 0..4_u8 {
            let holder = self.store.holder("test.key", &format!("{} {key}", self.name)).await.unwrap();
            assert_eq!(holder, model.holders.get(&key).map(|at| self.streams[*at]));
        }
        assert_eq!(self.store.head(), model.position);
    }
}

async fn random_appends_come_out_as_the_model_says(db: &Database) {
    let store = db.store().await;
    let config = Config { cases: 40, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    tokio::task::block_in_place(|| {
        let checked = TestRunner::new(config).run(&vec(vec(attempt(), 1..8), 1..8), |rounds| {
            let name = fresh().to_string();
            let run = Run { store: &store, streams: std::array::from_fn(|_| fresh()), name };
            tokio::runtime::Handle::current().block_on(run.rounds(&rounds));
            Ok(())
        });
        if let Err(failure) = checked {
            panic!("{failure}");
        }
    });
    verified(&store).await;
}
