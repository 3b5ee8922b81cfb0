//! Commands through cqrs-es and postgres-es: `peer URL CONNECTIONS CALLERS MILLISECONDS new|existing NOTE`, the
//! sample on standard output.
#[path = "../../src/load.rs"]
mod load;

use std::{collections::HashMap, sync::Arc, time::Duration};

use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use load::{Caller, Fault};
use postgres_es::PostgresCqrs;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// A stream gets so many events before another is taken: this framework reads all of them for each command.
const EVENTS: u32 = 10;

/// A counter: nothing is decided, so that only the framework and the database are measured.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Task {
    reports: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reported {
    percent: i32,
    note: String,
    evidence: Vec<String>,
}

impl DomainEvent for Reported {
    fn event_type(&self) -> String {
        "TaskProgressReported".into()
    }
    fn event_version(&self) -> String {
        "1".into()
    }
}

impl Aggregate for Task {
    const TYPE: &'static str = "task";
    type Command = Reported;
    type Event = Reported;
    type Error = std::convert::Infallible;
    type Services = ();

    async fn handle(
        &mut self,
        command: Reported,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        sink.write(command, self).await;
        Ok(())
    }
    fn apply(&mut self, _: Reported) {
        self.reports += 1;
    }
}

struct Client {
    framework: Arc<PostgresCqrs<Task>>,
    note: String,
    stream: Uuid,
    left: u32,
    keeps: bool,
}

impl Caller for Client {
    async fn call(&mut self) -> Result<(), Fault> {
        if !self.keeps || self.left == 0 {
            (self.stream, self.left) = (Uuid::now_v7(), EVENTS);
        }
        self.left -= 1;
        let command = Reported { percent: 50, note: self.note.clone(), evidence: Vec::new() };
        let metadata = HashMap::new();
        self.framework.execute_with_metadata(&self.stream.to_string(), command, metadata).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, callers, milliseconds, kind, note] = arguments.as_slice() else {
        return Err("usage: peer URL CONNECTIONS CALLERS MILLISECONDS new|existing NOTE".into());
    };
    let pool = PgPoolOptions::new().max_connections(connections.parse()?).connect(url).await?;
    let framework = Arc::new(postgres_es::postgres_cqrs::<Task>(pool, Vec::new(), ()));
    let client = |_| Client {
        framework: framework.clone(),
        note: note.clone(),
        stream: Uuid::nil(),
        left: 0,
        keeps: kind == "existing",
    };
    let clients: Vec<Client> = (0..callers.parse::<usize>()?).map(client).collect();
    let (sample, _) = load::drive(clients, Duration::from_millis(milliseconds.parse()?)).await?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}
