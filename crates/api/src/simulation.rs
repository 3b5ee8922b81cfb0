//! A programme in fast motion (模拟运行): the Gansu plan of 2011 from its issue to the assessment of its last year.
//!
//! Everything is done by the commands that people would use, on the days on which they would; only the clock is set by
//! hand and what people do is thrown by dice. The dice begin with a seed, so a run can be repeated. Units, reports and
//! values are invented; the plan, the duties, the regions and the working days are real.
mod cast;
mod dice;
mod year;

use std::{collections::BTreeMap, sync::Arc};

use chrono::Datelike;
use futures_util::{StreamExt, stream};
use sea_query::Condition;
use zhixing_domain::{
    Date, Id, Rejection, TimeReference, Viewer,
    organisation::unit::Unit,
    performance::{
        assessment_scheme::AssessmentScheme,
        report::{AcceptReport, ReportCommand, ReturnReport, SubmitReport, WaiveReport},
    },
};
use zhixing_event_store::{
    Error, EventStore, Listing, Order, SimulatedClock, Sort,
    listing::{Cursor, Slice},
};

use crate::{
    graphql::report::Report,
    import::Fault,
    scheduler::{Scheduler, Timing},
};
use cast::Cast;
use dice::Dice;

/// What a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// What the dice begin with.
    pub seed: u64,
    /// The last day.
    pub until: Date,
}

impl Default for Course {
    fn default() -> Self {
        // The assessment of 2015 is final in February 2016.
        Self {
            seed: 1,
            until: Date::new(2016, 2, 29).unwrap_or_else(|| Date::of(chrono::DateTime::UNIX_EPOCH)),
        }
    }
}

/// The day on which the plan was issued, and the simulation begins.
pub const FIRST_DAY: (i32, u32, u32) = (2011, 3, 18);

/// What came about.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Days that passed.
    pub days: u64,
    /// Reports that were opened.
    pub opened: usize,
    /// Reports that were handed in for the first time.
    pub submitted: usize,
    /// Objects that were announced as due soon.
    pub due_soon: usize,
    /// Objects that were announced as overdue.
    pub overdue: usize,
    /// The scheme of each year that was assessed.
    pub schemes: Vec<(i32, Id<AssessmentScheme>)>,
}

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// The rules or the database refuse.
    #[error(transparent)]
    Store(#[from] Error),
    /// The plan cannot be imported.
    #[error(transparent)]
    Import(#[from] Fault),
    /// The log is not empty: invented events must not stand among real ones.
    #[error("the log holds {0} events: simulate into an empty database")]
    NotEmpty(i64),
    /// Days cannot be counted.
    #[error(transparent)]
    Time(#[from] zhixing_domain::time::TimeError),
}

impl From<Rejection> for Halt {
    fn from(rejection: Rejection) -> Self {
        Self::Store(rejection.into())
    }
}

/// Something that somebody will do.
#[derive(Clone, Debug)]
struct Deed {
    viewer: Viewer,
    command: ReportCommand,
    /// Whether it hands a report in for the first time.
    first: bool,
}

/// Deeds under way at once; the log writes them together.
const AT_ONCE: usize = 64;
/// Reports read at once.
const PAGE: u64 = 500;

struct Simulation<'s> {
    store: &'s EventStore,
    time: Arc<TimeReference>,
    cast: Cast,
    dice: Dice,
    deeds: BTreeMap<Date, Vec<Deed>>,
    /// The last report that was seen, by id.
    seen: Option<Cursor>,
    outcome: Outcome,
}

/// Runs the programme; `progress` is told of every day.
///
/// # Errors
/// A [`Halt`].
pub async fn run(
    store: &EventStore,
    clock: &SimulatedClock,
    time: Arc<TimeReference>,
    course: Course,
    mut progress: impl FnMut(Date, &Outcome),
) -> Result<Outcome, Halt> {
    if store.head() > 0 {
        return Err(Halt::NotEmpty(store.head()));
    }
    let (year, month, day) = FIRST_DAY;
    let mut today = Date::new(year, month, day).unwrap_or(course.until);
    clock.advance_to(morning(today));
    let cast = Cast::assemble(store).await?;
    let scheduler = Scheduler::new(store.clone(), time.clone(), Timing::default());
    let dice = Dice::new(course.seed);
    let mut simulation = Simulation {
        store,
        time,
        cast,
        dice,
        deeds: BTreeMap::new(),
        seen: None,
        outcome: Outcome::default(),
    };
    while today <= course.until {
        clock.advance_to(morning(today));
        let round = scheduler.round().await?;
        simulation.outcome.opened += round.opened;
        simulation.outcome.due_soon += round.due_soon;
        simulation.outcome.overdue += round.overdue;
        if round.opened > 0 {
            simulation.plan_deeds(today).await?;
        }
        simulation.do_deeds(today).await?;
        simulation.calendar_day(today).await?;
        simulation.outcome.days += 1;
        progress(today, &simulation.outcome);
        today = today.next();
    }
    Ok(simulation.outcome)
}

/// Nine o'clock in China.
fn morning(day: Date) -> chrono::DateTime<chrono::Utc> {
    day.begins() + chrono::Duration::hours(9)
}

impl Simulation<'_> {
    /// Decides for every new report when it will be handed in, and what the addressee will say.
    async fn plan_deeds(&mut self, today: Date) -> Result<(), Error> {
        loop {
            let listing = Listing {
                filter: Condition::all(),
                sort: Sort { column: "id", nullable: false, descending: false },
                after: self.seen.clone(),
                before: None,
                from_end: false,
                limit: PAGE,
            };
            let Slice { rows, more } = self.store.pool().page::<Report>(listing).await?;
            for report in &rows {
                self.plan(report, today);
            }
            if let Some(last) = rows.last() {
                self.seen = Some(Cursor { value: None, key: last.life.id.0.uuid() });
            }
            if !more {
                return Ok(());
            }
        }
    }

    fn plan(&mut self, report: &Report, today: Date) {
        let id = report.life.id.0;
        let handed_in = match self.dice.below(100) {
            // Mostly in the two weeks before the due date.
            0..86 => report.due_on.plus(-self.dice.days(14)),
            // Some late,
            86..95 => report.due_on.plus(1 + self.dice.days(25)),
            // few not owed after all,
            95..96 => {
                let waive = WaiveReport { id, reason: "机构职能调整，本期免报".into() };
                let office = Cast::office("ann");
                return self
                    .will(report.due_on, Deed { viewer: office, command: waive.into(), first: false });
            }
            // and few never.
            _ => return,
        };
        let day = handed_in.max(today);
        let reporter = Cast::officer(report.reporter_id());
        let addressee = Cast::officer(report.addressee_id());
        let percent = 88 + self.dice.below(12);
        let summary = match report.asks_for.planned_year(report.period) {
            Some(year) => format!("{year}年度质量振兴工作计划：监督抽查合格率力争达到{percent}%。"),
            None => {
                format!(
                    "{} {}：监督抽查合格率{percent}%，未发生重大质量安全事故。",
                    report.period, report.what
                )
            }
        };
        let submit = || SubmitReport { id, summary: summary.clone(), evidence: Vec::new() };
        self.will(day, Deed { viewer: reporter.clone(), command: submit().into(), first: true });
        let mut answered = day.plus(1 + self.dice.days(4));
        if self.dice.below(100) < 6 {
            let back = ReturnReport { id, reason: "缺少分行业数据，请补充".into() };
            self.will(answered, Deed { viewer: addressee.clone(), command: back.into(), first: false });
            let again = answered.plus(2);
            self.will(again, Deed { viewer: reporter, command: submit().into(), first: false });
            answered = again.plus(1);
        }
        let accept = AcceptReport { id, note: None };
        self.will(answered, Deed { viewer: addressee, command: accept.into(), first: false });
    }

    fn will(&mut self, day: Date, deed: Deed) {
        self.deeds.entry(day).or_default().push(deed);
    }

    async fn do_deeds(&mut self, today: Date) -> Result<(), Error> {
        // A report has one deed a day, so their order does not matter.
        let deeds = self.deeds.remove(&today).unwrap_or_default();
        let store = self.store;
        let doing: Vec<_> = deeds
            .into_iter()
            .map(|Deed { viewer, command, first }| async move {
                store.execute::<Report>(order(viewer, command)).await.map(|_| first)
            })
            .collect();
        let mut doing = stream::iter(doing).buffer_unordered(AT_ONCE);
        let mut submitted = 0;
        while let Some(done) = doing.next().await {
            submitted += usize::from(done?);
        }
        self.outcome.submitted += submitted;
        Ok(())
    }

    /// What is done once a year.
    async fn calendar_day(&mut self, today: Date) -> Result<(), Halt> {
        let day = today.naive();
        match (day.month(), day.day()) {
            (1, 8) => self.measure(day.year() - 1).await?,
            (1, 15) => self.assess(day.year() - 1).await?,
            (1, 25) => self.announce(today).await?,
            (2, 25) => self.finalise().await?,
            _ => {}
        }
        Ok(())
    }
}

fn order<C>(viewer: Viewer, command: impl Into<C>) -> Order<C> {
    Order { viewer, command: command.into(), command_id: None, expected_version: None, dry_run: false }
}

/// A unit that takes part.
type Party = Id<Unit>;
