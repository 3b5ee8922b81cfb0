//! What is measured several times, and in which order.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use crate::{
    cpu::Used,
    load::{Caller, Fault, Sample, drive},
    settings::Settings,
};

type Run = Box<dyn FnMut() -> BoxFuture<'static, Result<Sample, Fault>>>;

/// Something to be measured several times.
pub struct Case {
    /// What it is.
    pub what: String,
    /// How many call at once.
    pub callers: usize,
    /// What each run came to.
    pub samples: Vec<Sample>,
    /// How many events or requests one call stands for.
    worth: f64,
    run: Run,
}

impl Case {
    /// A case that measures itself.
    pub fn new(
        what: &str,
        callers: usize,
        run: impl FnMut() -> BoxFuture<'static, Result<Sample, Fault>> + 'static,
    ) -> Self {
        Self { what: what.into(), callers, samples: Vec::new(), worth: 1.0, run: Box::new(run) }
    }

    /// A case of callers in this process; they are kept from run to run.
    pub fn calling<C: Caller>(what: &str, length: Duration, callers: Vec<C>) -> Self {
        let count = callers.len();
        let kept = Arc::new(Mutex::new(callers));
        Self::new(what, count, move || {
            let kept = kept.clone();
            Box::pin(async move {
                let mut kept = kept.lock().await;
                let (sample, back) = drive(std::mem::take(&mut *kept), length).await?;
                *kept = back;
                Ok(sample)
            })
        })
    }

    /// The same where one call stands for so many events.
    #[must_use]
    pub fn worth(mut self, events: u32) -> Self {
        self.worth = f64::from(events);
        self
    }

    /// The median run.
    pub fn median(&self) -> Sample {
        median(&self.samples)
    }
}

/// Runs every case once a round, so that a slow minute of the machine falls on all alike.
///
/// # Errors
/// When a call fails: what is measured must work.
pub async fn rounds(title: &str, settings: &Settings, cases: &mut Vec<Case>) -> Result<(), Fault> {
    if let Some(part) = &settings.only {
        cases.retain(|case| case.what.contains(part));
    }
    let rounds = settings.rounds();
    let bar = crate::report::bar(rounds * cases.len(), title);
    for _ in 0..rounds {
        for case in cases.iter_mut() {
            bar.set_message(format!("{} × {}", case.what, case.callers));
            let (before, begun) = (Used::now(), Instant::now());
            let mut sample = (case.run)().await.map_err(|fault| format!("{}: {fault}", case.what))?;
            sample.per_second *= case.worth;
            if let Some((before, after)) = before.zip(Used::now()) {
                // The warm-up is work too: what was used is spread over all calls of that time.
                let calls = sample.per_second * begun.elapsed().as_secs_f64();
                sample.cpu_here_us = (after.here - before.here) * 1e6 / calls;
                sample.cpu_postgres_us = (after.postgres - before.postgres).max(0.0) * 1e6 / calls;
            }
            bar.println(format!(
                "  {title}: {} at {}: {:.0}/s, p50 {:.2} ms",
                case.what, case.callers, sample.per_second, sample.p50_ms
            ));
            case.samples.push(sample);
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The case that is called so, at so many callers.
pub fn find<'c>(cases: &'c [Case], what: &str, callers: usize) -> Option<&'c Case> {
    cases.iter().find(|case| case.what == what && case.callers == callers)
}

/// The median of each number by itself; of an even number of runs the lower of the middle two, lest luck be counted.
fn median(samples: &[Sample]) -> Sample {
    let middle = |number: fn(&Sample) -> f64| {
        let mut numbers: Vec<f64> = samples.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
    };
    Sample {
        per_second: middle(|s| s.per_second),
        p50_ms: middle(|s| s.p50_ms),
        p99_ms: middle(|s| s.p99_ms),
        cpu_here_us: middle(|s| s.cpu_here_us),
        cpu_postgres_us: middle(|s| s.cpu_postgres_us),
    }
}
