//! A change of calendars or time limits (期限变动): which deadlines of open objects it moves.
//!
//! What is counted by a rule is derived when it is read, so a change holds at once and there is nothing to mend: the clocks of
//! acceptance and arbitration of a task, the days on which something is said to be due soon, supervised or escalated.
//! Two days are not counted anew. The due date of an answer to a supervision item, and the last day for objections to an
//! assessment, were said to those whom they bind, like the date in a letter; the event holds them with the versions that
//! they were counted with, and only another command moves them. So a change lists neither.
use std::fmt::Display;

use chrono::{DateTime, Utc};
use sea_query::{Condition, Expr, ExprTrait};
use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;
use zhixing_domain::{
    Aggregate, Date, Kind, TimeReference,
    id::GlobalId,
    performance::supervision_item::SupervisionStatus,
    time::{
        ClockFact, Counted, Difference, TimeError,
        moved::{self, CalendarChange, Moved, TimeLimitChange},
    },
};
use zhixing_event_store::{
    Error, EventStore, Listing, Pool, Row, Slice, Sort, Table, View, listing::Cursor, view::WriteRow,
};

use crate::{
    graphql::{local_plan::LocalPlan, report::Report, supervision_item::SupervisionItem, task::Task},
    scheduler::{announce::Clocked, supervise},
};

/// Objects read at once.
const PAGE: u64 = 500;
/// Most deadlines that are listed of one change; more are only counted.
pub const MOST_LISTED: usize = 100_000;
/// How often a change is counted again because another process recorded one meanwhile.
const ATTEMPTS: usize = 5;

/// A change of calendars or time limits, without all that they say.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct Change {
    pub id: Uuid,
    pub number: i64,
    pub changed_at: DateTime<Utc>,
    pub calendars: Json<Vec<CalendarChange>>,
    pub limits: Json<Vec<TimeLimitChange>>,
    pub moved_deadlines: i64,
}

impl Row for Change {
    const TABLE: &'static Table = &Table {
        name: "time_reference_changes",
        columns: &["id", "number", "changed_at", "calendars", "limits", "moved_deadlines"],
    };
    fn key(&self) -> Uuid {
        self.id
    }
}

/// The same with all that they say.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
struct Remembered {
    #[sqlx(flatten)]
    #[serde(flatten)]
    change: Change,
    reference: String,
}

impl Row for Remembered {
    const TABLE: &'static Table = &Table {
        name: "time_reference_changes",
        columns: &["id", "number", "changed_at", "calendars", "limits", "moved_deadlines", "reference"],
    };
    fn key(&self) -> Uuid {
        self.change.id
    }
}

/// A deadline that a change moved.
#[derive(Clone, Debug, PartialEq, Serialize, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns")]
pub struct MovedDeadline {
    pub id: Uuid,
    pub change_id: Uuid,
    pub place: i64,
    pub kind: Kind,
    pub object_id: Uuid,
    pub title: String,
    pub clock: String,
    pub before_on: Option<Date>,
    pub before_problem: Option<String>,
    pub after_on: Option<Date>,
    pub problem: Option<String>,
}

impl Row for MovedDeadline {
    const TABLE: &'static Table = &Table {
        name: "moved_deadlines",
        columns: &[
            "id",
            "change_id",
            "place",
            "kind",
            "object_id",
            "title",
            "clock",
            "before_on",
            "before_problem",
            "after_on",
            "problem",
        ],
    };
    fn key(&self) -> Uuid {
        self.id
    }
}

/// Whose deadline it is, and by which time limit it is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The object.
    pub object: GlobalId,
    /// What it is called.
    pub title: String,
    /// The code of the time limit.
    pub clock: String,
}

/// The deadlines that a change moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    /// The first [`MOST_LISTED`] of them.
    pub listed: Vec<Moved<Whose>>,
    /// How many there are.
    pub count: usize,
}

/// An object whose days are counted by rules while it is open.
trait Counts: View {
    /// Those of which a day is counted.
    fn open() -> Condition;
    /// What they are called.
    fn title(&self) -> String;
    /// The days that are counted.
    fn counted(&self) -> Vec<Counted>;
}

fn clock(code: &str, from: Option<Date>, until: Option<Date>) -> Option<Counted> {
    let on = from.filter(|_| until.is_none())?;
    Some(Counted::Clock(vec![ClockFact::Started { on, code: code.into() }]))
}

fn due_soon<V: Clocked>(row: &V) -> Option<Counted> {
    row.due_soon_pending().map(|due_on| Counted::DueSoon { code: V::RULE.into(), due_on })
}

fn is_awaited(column: &'static str) -> Expr {
    Expr::col(column).is_not_null()
}

impl Counts for Task {
    fn open() -> Condition {
        let running = |from, until| Condition::all().add(is_awaited(from)).add(Expr::col(until).is_null());
        let counted = Condition::any()
            .add(running("dispatched_on", "accepted_on"))
            .add(running("contested_on", "arbitrated_on"))
            .add(is_awaited("due_soon_pending"));
        Condition::all().add(Expr::col("status").is_not_in(Kind::Task.lifecycle().finals)).add(counted)
    }
    fn title(&self) -> String {
        format!("{} {}", self.number, self.title)
    }
    fn counted(&self) -> Vec<Counted> {
        [
            clock(Self::ACCEPTANCE, self.dispatched_on, self.accepted_on),
            clock(Self::ARBITRATION, self.contested_on, self.arbitrated_on),
            due_soon(self),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

impl Counts for Report {
    fn open() -> Condition {
        Condition::all().add(is_awaited("due_soon_pending"))
    }
    fn title(&self) -> String {
        format!("{} {}", self.what, self.period)
    }
    fn counted(&self) -> Vec<Counted> {
        due_soon(self).into_iter().collect()
    }
}

impl Counts for LocalPlan {
    fn open() -> Condition {
        Condition::all().add(is_awaited("due_soon_pending"))
    }
    fn title(&self) -> String {
        self.what.clone()
    }
    fn counted(&self) -> Vec<Counted> {
        due_soon(self).into_iter().collect()
    }
}

impl Counts for SupervisionItem {
    fn open() -> Condition {
        let escalated = Condition::all()
            .add(Expr::col("status").is_in(SupervisionStatus::ESCALATED_BY_RULE.iter().copied()))
            .add(is_awaited("escalation_unit_id"));
        Condition::any().add(is_awaited("due_soon_pending")).add(escalated)
    }
    fn title(&self) -> String {
        let number = self.number.as_ref().map(|number| format!("{number} "));
        format!("{}{}", number.unwrap_or_default(), self.title)
    }
    fn counted(&self) -> Vec<Counted> {
        let waits = SupervisionStatus::ESCALATED_BY_RULE.contains(&self.status);
        let escalation = self.escalation_unit_id.filter(|_| waits).map(|_| Counted::WorkingDaysOverdue {
            code: supervise::ESCALATION.into(),
            due_on: self.answer_due_on,
            from: supervise::escalated_from(self),
        });
        due_soon(self).into_iter().chain(escalation).collect()
    }
}

/// Compares page by page, so that only what moved is held.
struct Comparison<'c> {
    pool: &'c Pool,
    before: &'c TimeReference,
    after: &'c TimeReference,
    moves: Moves,
}

impl Comparison<'_> {
    async fn of<V: View>(
        &mut self,
        filter: Condition,
        title: impl Fn(&V) -> String,
        counted: impl Fn(&V) -> Vec<Counted>,
    ) -> Result<(), Error> {
        let sort = Sort { column: "id", nullable: false, descending: false };
        let mut after = None;
        loop {
            let listing =
                Listing { filter: filter.clone(), sort, after, before: None, from_end: false, limit: PAGE };
            let Slice { rows, more } = self.pool.page::<V>(listing).await?;
            after = rows.last().map(|row| Cursor { value: None, key: row.key() });
            for row in &rows {
                let whose = |counted: Counted| {
                    let object = GlobalId { kind: V::Of::KIND, uuid: row.key() };
                    (Whose { object, title: title(row), clock: counted.code().to_owned() }, counted)
                };
                let moved = moved::moved(counted(row).into_iter().map(whose), self.before, self.after);
                self.moves.count += moved.len();
                let room = MOST_LISTED - self.moves.listed.len();
                self.moves.listed.extend(moved.into_iter().take(room));
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn counts<V: Counts>(&mut self) -> Result<(), Error> {
        self.of::<V>(V::open(), V::title, V::counted).await
    }

    /// When overdue work is supervised, where that is switched on.
    async fn supervised<V: Counts + supervise::Supervised>(&mut self) -> Result<(), Error> {
        let counted = |row: &V| {
            let code = supervise::AFTER_OVERDUE.to_owned();
            row.due_on().map(|due_on| Counted::CalendarDaysOverdue { code, due_on }).into_iter().collect()
        };
        self.of::<V>(supervise::unsupervised::<V>(), V::title, counted).await
    }
}

/// The deadlines of open objects that move from one state of the reference data to another. Nothing is written.
///
/// # Errors
/// When the database fails.
pub async fn moves(pool: &Pool, before: &TimeReference, after: &TimeReference) -> Result<Moves, Error> {
    let mut comparison = Comparison { pool, before, after, moves: Moves::default() };
    if before != after {
        comparison.counts::<Task>().await?;
        comparison.counts::<Report>().await?;
        comparison.counts::<LocalPlan>().await?;
        comparison.counts::<SupervisionItem>().await?;
        comparison.supervised::<Task>().await?;
        comparison.supervised::<Report>().await?;
    }
    Ok(comparison.moves)
}

/// What the database remembers: the number of the last change, and what the service has run with since; the latter is none
/// when a later release wrote it.
async fn last(pool: &Pool) -> Result<Option<(i64, Option<TimeReference>)>, Error> {
    let sort = Sort { column: "number", nullable: false, descending: true };
    let filter = Condition::all();
    let listing = Listing { filter, sort, after: None, before: None, from_end: false, limit: 1 };
    let last = pool.page::<Remembered>(listing).await?.rows.pop();
    Ok(last.map(|last| (last.change.number, serde_json::from_str(&last.reference).ok())))
}

/// The calendars and time limits that the service last ran with on this database; none before it ever did.
///
/// # Errors
/// When the database fails.
pub async fn remembered(pool: &Pool) -> Result<Option<TimeReference>, Error> {
    Ok(last(pool).await?.and_then(|(_, reference)| reference))
}

/// Remembers what the service runs with. When that is another state than before, every deadline that moved is listed: by one
/// process, once. How many moved; none when there was nothing new.
///
/// # Errors
/// When the database fails.
pub async fn remember(store: &EventStore, now: &TimeReference) -> Result<Option<usize>, Error> {
    for _ in 0..ATTEMPTS {
        let (number, before) = match last(store.pool()).await? {
            Some((_, Some(before))) if before == *now => return Ok(None),
            Some((number, before)) => (number + 1, before),
            None => (0, None),
        };
        if number > 0 && before.is_none() {
            tracing::warn!(
                "a later release wrote the calendars and time limits: what moved since is not listed"
            );
        }
        // Without a former state nothing can have moved.
        let before = before.as_ref().unwrap_or(now);
        let Moves { listed, count } = moves(store.pool(), before, now).await?;
        let rows = rows(store, number, before, now, listed, count)?;
        if store.pool().add(&rows).await? {
            if number > 0 {
                tracing::info!(
                    moved = count,
                    "calendars or time limits changed: see timeReferenceChanges for the deadlines that moved"
                );
            }
            return Ok((number > 0).then_some(count));
        }
        tracing::debug!(number, "another process recorded a change at the same time");
    }
    Err(Error::Busy)
}

fn rows(
    store: &EventStore,
    number: i64,
    before: &TimeReference,
    now: &TimeReference,
    listed: Vec<Moved<Whose>>,
    count: usize,
) -> Result<Vec<WriteRow>, Error> {
    let Difference { calendars, limits } = Difference::between(before, now);
    let change = Change {
        id: store.clock().new_id(),
        number,
        changed_at: store.clock().now(),
        calendars: Json(calendars),
        limits: Json(limits),
        moved_deadlines: i64::try_from(count).unwrap_or(i64::MAX),
    };
    let change_id = change.id;
    let mut rows = vec![WriteRow::of(&Remembered { change, reference: serde_json::to_string(now)? })?];
    for (place, Moved { key: Whose { object, title, clock }, before, after }) in (0..).zip(listed) {
        let (before_on, before_problem) = day_or_problem(before);
        let (after_on, problem) = day_or_problem(after);
        rows.push(WriteRow::of(&MovedDeadline {
            id: store.clock().new_id(),
            change_id,
            place,
            kind: object.kind,
            object_id: object.uuid,
            title,
            clock,
            before_on,
            before_problem,
            after_on,
            problem,
        })?);
    }
    Ok(rows)
}

fn day_or_problem(day: Result<Option<Date>, TimeError>) -> (Option<Date>, Option<String>) {
    match day {
        Ok(day) => (day, None),
        Err(error) => (None, Some(error.to_string())),
    }
}

/// A day as people read it, or why there is none.
pub fn shown(day: &Result<Option<Date>, impl Display>) -> String {
    match day {
        Ok(Some(day)) => day.to_string(),
        Ok(None) => "paused".into(),
        Err(error) => error.to_string(),
    }
}
