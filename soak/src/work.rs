//! Writers on a store: commands of every sort, and what came of them.
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zhixing_api::graphql::unit::Unit as Row;
use zhixing_domain::{
    Id, Rejection, Viewer,
    organisation::unit::{RegisterUnit, RenameUnit, SetUnitMembers, Unit, UnitCommand, UnitKind},
};
use zhixing_event_store::{Error, EventStore, Order, event::Shared, store::command_key};

use crate::{Failure, Outcome, check::Acknowledged, minutes::Times};

/// Objects that everybody changes.
pub(crate) const SHARED: u8 = 4;
/// Names that everybody wants.
const CONTESTED: u64 = 50;
/// Objects that a writer goes on to change.
const MINE: usize = 256;
/// Commands decided together in one work.
const TOGETHER: u64 = 6;

/// What the writers of a process did.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Commands that were written.
    pub written: u64,
    /// Commands that were rightly refused.
    pub refused: u64,
    /// Retries that got the first answer.
    pub repeated: u64,
}

impl Tally {
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            written: self.written + other.written,
            refused: self.refused + other.refused,
            repeated: self.repeated + other.repeated,
        }
    }
}

/// Writers of one process.
#[derive(Clone)]
pub(crate) struct Writers {
    pub store: EventStore,
    pub name: String,
    pub shared: Vec<Id<Unit>>,
    pub until: Instant,
    pub told: Told,
    pub times: Times,
}

/// What the writers of a process were told, in a file: kept in memory it would hide whether the store's grows.
#[derive(Clone)]
pub(crate) struct Told(Arc<Mutex<BufWriter<File>>>);

impl Told {
    pub(crate) fn into_file(path: &Path) -> Outcome<Self> {
        Ok(Self(Arc::new(Mutex::new(BufWriter::new(File::create(path)?)))))
    }

    fn add(&self, told: &Acknowledged) -> Outcome {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::to_writer(&mut *file, told)?;
        Ok(file.write_all(b"\n")?)
    }

    /// Must be called when the writers are done.
    pub(crate) fn finish(&self) -> Outcome {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }

    /// All that was told into this file.
    pub(crate) fn read(path: &Path) -> Outcome<Vec<Acknowledged>> {
        let text = std::fs::read(path)?;
        let told = serde_json::Deserializer::from_slice(&text).into_iter().collect::<Result<_, _>>();
        Ok(told?)
    }
}

impl Writers {
    /// Runs so many writers to the end.
    pub(crate) async fn run(&self, writers: usize) -> Outcome<Tally> {
        let tasks: Vec<_> = (0..writers)
            .map(|writer| {
                let writers = self.clone();
                tokio::spawn(async move { writers.write(writer).await })
            })
            .collect();
        let mut sum = Tally::default();
        for task in tasks {
            sum = sum.plus(task.await??);
        }
        Ok(sum)
    }

    async fn write(&self, writer: usize) -> Outcome<Tally> {
        let mut tally = Tally::default();
        let mut mine: Vec<Id<Unit>> = Vec::new();
        let mut last: Option<(Order<UnitCommand>, Acknowledged)> = None;
        let mut dice = Dice(writer as u64 ^ self.store.clock().new_id().as_u64_pair().1);
        let mut turn = 0_u64;
        while Instant::now() < self.until {
            turn += 1;
            let id = format!("{}-{writer}-{turn}", self.name);
            let any = |dice: &mut Dice, ids: &[Id<Unit>]| ids[dice.below(ids.len() as u64)];
            let command: UnitCommand = match dice.below(20) {
                0..8 => registration(&format!("单位 {id}")).into(),
                8..12 if !mine.is_empty() => {
                    let id_of = any(&mut dice, &mine);
                    RenameUnit {
                        id: id_of,
                        name: format!("更名 {id}"),
                        official_name: None,
                        reason: "机构改革".into(),
                    }
                    .into()
                }
                8..15 if mine.len() > 1 => {
                    let first = any(&mut dice, &mine);
                    let mut member_ids = vec![first, any(&mut dice, &mine)];
                    member_ids.dedup();
                    SetUnitMembers { id: any(&mut dice, &self.shared), member_ids }.into()
                }
                15 => registration(&format!("争名 {}", dice.below(CONTESTED))).into(),
                16 => {
                    self.write_together(&id, &mut mine, &mut tally).await?;
                    continue;
                }
                17 => {
                    let Some((order, first)) = &last else { continue };
                    let again = self.store.execute::<Row>(order.clone()).await?;
                    same(first, again.position, &again.events)?;
                    tally.repeated += 1;
                    continue;
                }
                18 if !mine.is_empty() => {
                    let order = Order {
                        expected_version: Some(9_999),
                        ..order(&id, rename(any(&mut dice, &mine), &id))
                    };
                    match self.store.execute::<Row>(order).await {
                        Err(Error::Rejected(Rejection::VersionConflict { .. })) => tally.refused += 1,
                        other => return Err(format!("a wrong version was answered by {other:?}").into()),
                    }
                    continue;
                }
                _ => registration(&format!("其他 {id}")).into(),
            };
            let order = order(&id, command);
            let begun = Instant::now();
            let answer = self.store.execute::<Row>(order.clone()).await;
            self.times.note(begun.elapsed());
            match answer {
                Ok(receipt) => {
                    if matches!(order.command, UnitCommand::RegisterUnit(_)) {
                        own(&mut mine, receipt.object.life.id.0);
                    }
                    let told = acknowledged(&id, &receipt.events)?;
                    tally.written += 1;
                    last = Some((order, told.clone()));
                    self.told.add(&told)?;
                }
                // A contested name; or twenty rivals of other processes came first and the caller is told to try again.
                Err(Error::Rejected(Rejection::AlreadyExists { .. }) | Error::Busy) => tally.refused += 1,
                Err(error) => return Err(Failure::from(format!("{id}: {error}"))),
            }
        }
        Ok(tally)
    }

    /// Several commands in one work: all of their events or none.
    async fn write_together(&self, id: &str, mine: &mut Vec<Id<Unit>>, tally: &mut Tally) -> Outcome {
        let viewer = Viewer::system();
        let mut work = self.store.begin(&viewer, Some(id.to_owned()));
        for n in 0..TOGETHER {
            let unit = Id::new(self.store.clock().new_id());
            work.run::<Row>(unit, None, registration(&format!("同写 {id} {n}"))).await?;
            own(mine, unit);
        }
        let key = command_key(&viewer, id, &UnitCommand::from(registration(id)))?;
        let events = work.commit(Some(key)).await.map_err(Error::from)?;
        if events.len() as u64 != TOGETHER {
            return Err(format!("{id}: {} events of {TOGETHER}", events.len()).into());
        }
        tally.written += 1;
        self.told.add(&acknowledged(id, &events)?)
    }
}

/// Remembers one more object of a writer, in the place of an old one when there are many.
fn own(mine: &mut Vec<Id<Unit>>, id: Id<Unit>) {
    if mine.len() < MINE {
        mine.push(id);
    } else {
        let old = usize::from(id.uuid().as_bytes()[15]);
        mine[old] = id;
    }
}

fn order(id: &str, command: UnitCommand) -> Order<UnitCommand> {
    Order {
        viewer: Viewer::system(),
        command,
        command_id: Some(id.to_owned()),
        expected_version: None,
        dry_run: false,
    }
}

fn rename(id: Id<Unit>, name: &str) -> UnitCommand {
    RenameUnit { id, name: name.into(), official_name: None, reason: "机构改革".into() }.into()
}

pub(crate) fn registration(name: &str) -> RegisterUnit {
    RegisterUnit {
        name: name.into(),
        kind: UnitKind::UnitGroup,
        region_code: zhixing_domain::RegionCode::COUNTRY,
        official_name: None,
        aliases: Vec::new(),
        note: None,
    }
}

fn acknowledged(command: &str, events: &[Shared]) -> Outcome<Acknowledged> {
    let position = events.last().ok_or("a command without events was acknowledged")?.position;
    Ok(Acknowledged {
        command: command.into(),
        position,
        events: events.iter().map(|event| event.id).collect(),
    })
}

fn same(first: &Acknowledged, position: Option<i64>, events: &[Shared]) -> Outcome {
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    if position != Some(first.position) || ids != first.events {
        return Err(format!("a retry of {first:?} was answered by {position:?} {ids:?}").into());
    }
    Ok(())
}

/// Follows the log from its beginning and fails at the first event that is missing, repeated, reordered or altered.
#[derive(Clone, Default)]
pub(crate) struct Reader {
    /// Position of the last event that came.
    pub at: Arc<AtomicI64>,
}

impl Reader {
    pub(crate) async fn run(self, store: EventStore) -> Outcome {
        let mut events = std::pin::pin!(store.follow(0));
        let mut hash = vec![0; 32];
        while let Some(event) = events.next().await {
            let event = event?;
            let at = self.at.load(Ordering::SeqCst);
            if event.position != at + 1 {
                return Err(format!("a reader at {at} was given {}", event.position).into());
            }
            hash = event.chained(&hash);
            if hash != event.hash {
                return Err(format!("a reader was given another event at {}", event.position).into());
            }
            self.at.store(event.position, Ordering::SeqCst);
        }
        Err("the log ended".into())
    }

    /// Waits until it has come so far.
    pub(crate) async fn reaches(&self, head: i64) -> Outcome {
        for _ in 0..600 {
            if self.at.load(Ordering::SeqCst) >= head {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Err(format!("a reader stands at {} of {head}", self.at.load(Ordering::SeqCst)).into())
    }
}

/// Chance enough for a load: a linear congruential generator.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound).unwrap_or(0)
    }
}
