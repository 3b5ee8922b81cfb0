//! Clients of the service over HTTP: writers that never give up, and a subscriber that goes on where it was.
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::header;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Outcome, check::Acknowledged};

const TOKEN: &str = "Bearer dev:soak:LEADING_GROUP_OFFICE,ADMINISTRATOR";
const REGISTER: &str = "mutation($id: String!, $input: RegisterUnit!) { registerUnit(input: $input, commandId: $id) \
     { unit { id } position events { id } errors { code message } } }";
const RENAME: &str = "mutation($id: String!, $input: RenameUnit!) { renameUnit(input: $input, commandId: $id) \
     { unit { id } position events { id } errors { code message } } }";
const CHANGES: &str = "subscription($after: Position!) { changes(after: $after) { id position } }";

/// How long one request may take before the client gives up and asks again.
const REQUEST: Duration = Duration::from_secs(40);

/// One command as it is sent, again and again if need be.
#[derive(Clone)]
pub(crate) struct Command {
    id: String,
    query: &'static str,
    input: Value,
}

/// What came of sending it once.
pub(crate) enum Answer {
    /// It was done, now or before.
    Done { unit: String, told: Acknowledged },
    /// The service said that it cannot now, with this code.
    Fault(String),
    /// No answer.
    Lost,
}

/// What all writers know.
#[derive(Default)]
pub(crate) struct Shared {
    stop: AtomicBool,
    told: Mutex<Vec<(Command, Acknowledged)>>,
    /// How often each code was answered.
    faults: Mutex<BTreeMap<String, u64>>,
    lost: AtomicU64,
    /// Longest time that a command took to be done.
    slowest: AtomicU64,
}

/// Clients of one service.
#[derive(Clone)]
pub(crate) struct Clients {
    http: reqwest::Client,
    url: String,
    pub shared: Arc<Shared>,
    /// Characters of a remark that each unit is given.
    note: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clients {
    pub(crate) fn new(url: String, note: usize) -> Outcome<Self> {
        let http = reqwest::Client::builder().timeout(REQUEST).build()?;
        Ok(Self { http, url, shared: Arc::default(), note })
    }

    /// Sends a command once.
    pub(crate) async fn send(&self, command: &Command) -> Outcome<Answer> {
        let body =
            json!({ "query": command.query, "variables": { "id": command.id, "input": command.input } });
        let sent = self.http.post(&self.url).header(header::AUTHORIZATION, TOKEN).json(&body).send().await;
        let Ok(answer) = sent else { return Ok(Answer::Lost) };
        let Ok(answer) = answer.json::<Value>().await else { return Ok(Answer::Lost) };
        if let Some(error) = answer["errors"].get(0) {
            let code = error["extensions"]["code"]
                .as_str()
                .ok_or_else(|| format!("a fault without a code: {answer}"))?;
            return Ok(Answer::Fault(code.to_owned()));
        }
        let payload = answer["data"].as_object().and_then(|data| data.values().next()).ok_or("no data")?;
        if payload["errors"].as_array().is_none_or(|errors| !errors.is_empty()) {
            return Err(format!("{} was refused: {}", command.id, payload["errors"]).into());
        }
        let unit = payload["unit"]["id"].as_str().ok_or("no unit")?.to_owned();
        let events = payload["events"].as_array().into_iter().flatten();
        let events = events.filter_map(|event| event["id"].as_str()?.parse::<Uuid>().ok()).collect();
        let position = payload["position"].as_i64().ok_or("no position")?;
        Ok(Answer::Done { unit, told: Acknowledged { command: command.id.clone(), position, events } })
    }

    /// Starts writers that send every command until it is done.
    pub(crate) fn start(&self, writers: usize, name: &str) -> Vec<tokio::task::JoinHandle<Outcome>> {
        self.shared.stop.store(false, Ordering::SeqCst);
        (0..writers).map(|writer| tokio::spawn(self.clone().write(format!("{name}-{writer}")))).collect()
    }

    /// Lets every writer finish its command and ends them.
    pub(crate) async fn finish(&self, writers: Vec<tokio::task::JoinHandle<Outcome>>) -> Outcome {
        self.shared.stop.store(true, Ordering::SeqCst);
        for writer in writers {
            writer.await??;
        }
        Ok(())
    }

    async fn write(self, name: String) -> Outcome {
        const PAUSE: Duration = Duration::from_millis(50);
        let mut unit: Option<String> = None;
        let mut turn = 0;
        while !self.shared.stop.load(Ordering::SeqCst) {
            turn += 1;
            let id = format!("{name}-{turn}");
            let command = match &unit {
                Some(unit) if turn % 3 == 0 => Command {
                    query: RENAME,
                    input: json!({ "id": unit, "name": format!("更名 {id}"), "reason": "机构改革" }),
                    id,
                },
                _ => {
                    let note = if self.note == 0 { Value::Null } else { noise(self.note, &id).into() };
                    let input = json!({ "name": format!("单位 {id}"), "kind": "DEPARTMENT", "regionCode": "430000", "note": note });
                    Command { query: REGISTER, input, id }
                }
            };
            let begun = Instant::now();
            loop {
                match self.send(&command).await? {
                    Answer::Done { unit: done, told } => {
                        unit = Some(done);
                        locked(&self.shared.told).push((command, told));
                        break;
                    }
                    Answer::Fault(code) => *locked(&self.shared.faults).entry(code).or_default() += 1,
                    Answer::Lost => drop(self.shared.lost.fetch_add(1, Ordering::SeqCst)),
                }
                tokio::time::sleep(PAUSE).await;
            }
            let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.shared.slowest.fetch_max(took, Ordering::SeqCst);
        }
        Ok(())
    }

    /// What was acknowledged so far.
    pub(crate) fn told(&self) -> Vec<Acknowledged> {
        locked(&self.shared.told).iter().map(|(_, told)| told.clone()).collect()
    }

    pub(crate) fn done(&self) -> usize {
        locked(&self.shared.told).len()
    }

    /// How long until the next command is done.
    pub(crate) async fn until_done(&self, patience: Duration) -> Outcome<Duration> {
        let (begun, before) = (Instant::now(), self.done());
        while self.done() <= before {
            if begun.elapsed() > patience {
                return Err(format!("no command was done for {patience:?}: {}", self.faults()).into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(begun.elapsed())
    }

    /// Sends some of the acknowledged commands again: the answers must be the first ones.
    pub(crate) async fn repeat_some(&self, some: usize) -> Outcome<usize> {
        let all = locked(&self.shared.told).clone();
        let step = (all.len() / some).max(1);
        let mut repeated = 0;
        for (command, first) in all.iter().rev().step_by(step) {
            match self.send(command).await? {
                Answer::Done { told, .. } if told == *first => repeated += 1,
                Answer::Done { told, .. } => {
                    return Err(format!("{first:?} was answered again by {told:?}").into());
                }
                Answer::Fault(code) => return Err(format!("a retry was answered by {code}").into()),
                Answer::Lost => return Err("a retry was not answered".into()),
            }
        }
        Ok(repeated)
    }

    /// Codes of faults since the last time, in words; an unknown code fails.
    pub(crate) fn faults(&self) -> String {
        let faults = std::mem::take(&mut *locked(&self.shared.faults));
        let lost = self.shared.lost.swap(0, Ordering::SeqCst);
        let slowest = self.shared.slowest.swap(0, Ordering::SeqCst);
        let codes: Vec<String> = faults.iter().map(|(code, times)| format!("{times} × {code}")).collect();
        let codes = if codes.is_empty() { "no faults".into() } else { codes.join(", ") };
        format!("{codes}, {lost} × no answer, slowest command {slowest} ms")
    }

    /// The codes that were answered since the last time.
    pub(crate) fn codes(&self) -> Vec<String> {
        locked(&self.shared.faults).keys().cloned().collect()
    }
}

/// A text that no database can make smaller.
fn noise(length: usize, seed: &str) -> String {
    let mut state = seed.bytes().fold(1_u64, |state, byte| state.wrapping_mul(31).wrapping_add(byte.into()));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Some twenty thousand ideographs.
        char::from_u32(0x4E00 + u32::try_from((state >> 33) % 20_000).unwrap_or(0)).unwrap_or('质')
    };
    (0..length).map(|_| next()).collect()
}

/// Follows all changes over SSE and goes on by position, whatever happens to the service.
#[derive(Clone, Default)]
pub(crate) struct Subscriber {
    pub at: Arc<AtomicI64>,
    pub resumed: Arc<AtomicU64>,
}

impl Subscriber {
    pub(crate) async fn run(self, url: String) -> Outcome {
        const PAUSE: Duration = Duration::from_millis(100);
        let http = reqwest::Client::new();
        loop {
            self.resumed.fetch_add(1, Ordering::SeqCst);
            let variables = json!({ "after": self.at.load(Ordering::SeqCst) });
            let asked = http
                .post(&url)
                .header(header::AUTHORIZATION, TOKEN)
                .header(header::ACCEPT, "text/event-stream")
                .json(&json!({ "query": CHANGES, "variables": variables }))
                .send();
            if let Ok(mut answer) = asked.await {
                let mut text: Vec<u8> = Vec::new();
                while let Ok(Some(chunk)) = answer.chunk().await {
                    text.extend_from_slice(&chunk);
                    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                        let line: Vec<u8> = text.drain(..=end).collect();
                        self.take(&String::from_utf8_lossy(&line))?;
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn take(&self, line: &str) -> Outcome {
        let Some(data) = line.strip_prefix("data:") else { return Ok(()) };
        let Ok(data) = serde_json::from_str::<Value>(data.trim()) else { return Ok(()) };
        // A fault ends the stream; what comes next is asked for again.
        let Some(position) = data["data"]["changes"]["position"].as_i64() else { return Ok(()) };
        let at = self.at.load(Ordering::SeqCst);
        if position != at + 1 {
            return Err(format!("the subscriber at {at} was given {position}").into());
        }
        self.at.store(position, Ordering::SeqCst);
        Ok(())
    }

    pub(crate) async fn reaches(&self, head: i64) -> Outcome {
        for _ in 0..300 {
            if self.at.load(Ordering::SeqCst) >= head {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("the subscriber stands at {} of {head}", self.at.load(Ordering::SeqCst)).into())
    }
}
