//! Fills a log in bulk, through the store's own way in: lives of tasks and indicators as they would be told, with rows,
//! links and claims, in batches as large as a transaction takes.
use uuid::Uuid;
use zhixing_api::graphql::{indicator::Indicator as IndicatorRow, task::Task as TaskRow};
use zhixing_domain::{
    Aggregate, Id, RegionCode,
    aggregate::{Stamp, encode, schema_version},
    organisation::unit::Unit,
    performance::{
        attainment::{Comparator, Measure, Target},
        indicator::{DefineIndicator, Indicator, IndicatorEvent, TargetBasis},
    },
    programme::{
        plan::Plan,
        task::{Assignment, Responsibility, TaskContent, TaskEvent, TaskKind},
    },
};
use zhixing_event_store::{
    EventStore, Meta, Recorded, View,
    append::{Append, Extension, Named},
    view::WriteRow,
};

use crate::{Failure, Outcome};

/// Events in the life of one task.
pub(crate) const LIFE: usize = 10;
/// Tasks of one plan.
const OF_A_PLAN: usize = 1_000;
/// Tasks written at once: 4,000 events.
const AT_ONCE: usize = 400;
/// Measurements written at once.
const MEASUREMENTS: i32 = 2_000;
const REPORT: &str = "完成重点产品监督抽查三百二十批次，合格率百分之九十六点三，不合格产品已依法处理";

/// Where a filler is.
#[derive(Clone)]
pub(crate) struct Filler {
    store: EventStore,
    region: RegionCode,
    county: RegionCode,
    unit: Id<Unit>,
    plan: Id<Plan>,
    made: usize,
}

/// Tasks made, and one of their plans.
pub(crate) struct Sample {
    pub tasks: Vec<Uuid>,
    pub plan: Id<Plan>,
}

impl Filler {
    pub(crate) fn new(store: &EventStore) -> Outcome<Self> {
        let id = || store.clock().new_id();
        Ok(Self {
            store: store.clone(),
            region: "620000".parse()?,
            county: "620102".parse()?,
            unit: Id::new(id()),
            plan: Id::new(id()),
            made: 0,
        })
    }

    /// Fills the log up to `head`; `progress` hears how far it is. The next batch is made while one is written.
    pub(crate) async fn fill(&mut self, head: i64, progress: impl Fn(i64)) -> Outcome<Sample> {
        let store = self.store.clone();
        let mut sample = Sample { tasks: Vec::new(), plan: self.plan };
        let mut next = self.prepare(head - self.store.head()).await?;
        while let Some((append, ids)) = next.take() {
            let left = head - self.store.head() - i64::try_from(ids.len() * LIFE)?;
            let (written, prepared) = tokio::join!(write(&store, append), self.prepare(left));
            written?;
            next = prepared?;
            progress(self.store.head());
            // Enough to choose from, a few from every part of the log.
            sample.tasks.extend(ids.iter().step_by(ids.len().div_ceil(8)));
            sample.plan = self.plan;
        }
        Ok(sample)
    }

    /// Lives for so many events, at most a batch; `None` when none are left.
    async fn prepare(&mut self, events: i64) -> Outcome<Option<(Append, Vec<Uuid>)>> {
        let tasks = usize::try_from(events.max(0))?.div_ceil(LIFE).min(AT_ONCE);
        if tasks == 0 {
            return Ok(None);
        }
        let mut filler = self.clone();
        let (filler, batch) = tokio::task::spawn_blocking(move || {
            let batch = (0..tasks).map(|_| filler.task(LIFE)).collect::<Outcome<Vec<_>>>();
            (filler, batch)
        })
        .await?;
        *self = filler;
        let batch = batch?;
        let ids = batch.iter().map(|append| append.streams[0].stream_id).collect();
        Ok(Some((together(batch), ids)))
    }

    /// One task whose life has so many events.
    pub(crate) fn task(&mut self, length: usize) -> Outcome<Append> {
        if self.made.is_multiple_of(OF_A_PLAN) {
            self.plan = Id::new(self.store.clock().new_id());
        }
        self.made += 1;
        let content = TaskContent {
            label: None,
            kind: TaskKind::Task,
            title: format!("推进质量提升行动第{}项", self.made),
            summary: REPORT.into(),
            due_on: Some("2015-12-31".parse()?),
            note: None,
        };
        let mut events = vec![
            TaskEvent::Registered {
                plan_id: self.plan,
                parent_id: None,
                number: (self.made % OF_A_PLAN + 1).to_string(),
                content,
                assignment: Assignment::Explicit,
                region_code: self.region,
            },
            TaskEvent::UnitsAssigned {
                responsibility: Responsibility {
                    lead_unit_ids: vec![self.unit],
                    ..Responsibility::default()
                },
            },
            TaskEvent::Accepted,
        ];
        let report = |n: usize| TaskEvent::ProgressReported {
            percent: i32::try_from(n * 10).unwrap_or(100).min(100),
            note: REPORT.into(),
            evidence: Vec::new(),
        };
        events.extend((events.len()..length).map(report));
        events.truncate(length);
        self.life::<TaskRow>(Id::new(self.store.clock().new_id()), &events)
    }

    /// An indicator with so many measurements.
    pub(crate) async fn indicator(&mut self, measurements: i32) -> Outcome<Id<Indicator>> {
        let target = Target {
            comparator: Comparator::AtLeast,
            value: "90".parse()?,
            upper: None,
            text: None,
            approximate: false,
            recurrence: None,
            due_on: "2015-12-31".parse()?,
        };
        let mut events = vec![IndicatorEvent::Defined(DefineIndicator {
            plan_id: self.plan,
            task_id: None,
            code: format!("SOAK-{measurements}"),
            name: "监督抽查合格率".into(),
            unit: "%".into(),
            measure: Measure::Ratio,
            target,
            basis: TargetBasis::Numeric,
            baseline: None,
            scope: None,
            region_code: self.region,
            source_phrase: None,
            note: None,
        })];
        for number in 1..=measurements {
            let (year, half) = (1900 + (number / 2) % 300, number % 2 + 1);
            events.push(IndicatorEvent::MeasurementRecorded {
                number,
                period: format!("{year}H{half}").parse()?,
                region_code: self.county,
                value: "91.25".parse()?,
                reported_by: None,
                evidence: Vec::new(),
                note: None,
            });
        }
        let id = Id::new(self.store.clock().new_id());
        let whole = self.life::<IndicatorRow>(id, &events)?;
        let (rows, links) = (whole.rows, whole.links);
        let [stream] = <[Extension; 1]>::try_from(whole.streams).map_err(|_| Failure::from("one stream"))?;
        let mut claims = stream.claims;
        let mut events = stream.events;
        let mut expected = 0;
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(usize::try_from(MEASUREMENTS)?));
            let written = i64::try_from(events.len())?;
            let part =
                Extension { stream_id: id.uuid(), expected, events, claims: std::mem::take(&mut claims) };
            let mut append = Append { streams: vec![part], ..Append::default() };
            if rest.is_empty() {
                (append.rows, append.links) = (rows.clone(), links.clone());
            }
            write(&self.store, append).await?;
            (events, expected) = (rest, expected + written);
        }
        Ok(id)
    }

    /// What is written of a life: its events, its last row and the rows beside it.
    fn life<V: View>(&self, id: Id<V::Of>, events: &[<V::Of as Aggregate>::Event]) -> Outcome<Append> {
        let (clock, mut state, mut row) = (self.store.clock(), V::Of::default(), None);
        let (now, mut append) = (clock.now(), Append::default());
        let mut stream = Extension {
            stream_id: id.uuid(),
            expected: 0,
            events: Vec::with_capacity(events.len()),
            claims: Vec::new(),
        };
        for (event, version) in events.iter().zip(1..) {
            let meta = Meta { id, version, actor: "officer".into(), at: now };
            let (name, data) = encode::<V::Of>(event)?;
            let status = |state: &V::Of| {
                state.status().map(|status| zhixing_domain::lifecycle::Status::as_str(status).to_owned())
            };
            let status_from = status(&state);
            stream.claims.extend(state.claims(event));
            state.evolve(event, &Stamp { actor: "officer".into(), at: now });
            row = V::project(row, event, &meta);
            append.rows.extend(V::entries(event, &meta)?);
            stream.events.push(Recorded {
                position: 0,
                kind: V::Of::KIND,
                stream_id: id.uuid(),
                version,
                id: clock.new_id(),
                schema_version: schema_version::<V::Of>(&name),
                r#type: name,
                data,
                actor: "officer".into(),
                actor_unit: Some(self.unit.uuid()),
                method: "SYSTEM".into(),
                region_code: Some(self.region),
                status_from,
                status_to: status(&state),
                correlation_id: id.uuid(),
                causation_id: None,
                command_id: None,
                happened_at: now,
                recorded_at: now,
                hash: Vec::new(),
            });
        }
        let row = row.ok_or("a life without a row")?;
        append.rows.push(WriteRow::of(&row)?);
        let (added, removed) = (row.links(), Vec::new());
        append.links.push(Named { source_id: id.uuid(), source_kind: V::Of::KIND, removed, added });
        append.streams.push(stream);
        Ok(append)
    }
}

/// Appends in one.
fn together(batch: Vec<Append>) -> Append {
    let mut all = Append::default();
    for append in batch {
        all.streams.extend(append.streams);
        all.rows.extend(append.rows);
        all.links.extend(append.links);
    }
    all
}

pub(crate) async fn write(store: &EventStore, append: Append) -> Outcome {
    store.writer().append(append).await.map(drop).map_err(|refusal| format!("{refusal:?}").into())
}
