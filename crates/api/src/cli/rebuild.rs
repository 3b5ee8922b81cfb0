//! `zhixing rebuild`: views and projections against the log.
use std::time::{Duration, Instant};

use comfy_table::Table;
use zhixing_domain::Kind;
use zhixing_event_store::{EventStore, Projector};

use super::{Failure, screen};
use crate::{projections, server::Service};

/// How often the new build of a projection is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long it may take.
const PATIENCE: Duration = Duration::from_hours(1);

pub(super) async fn rebuild(store: &EventStore, names: &[String], apply: bool) -> Result<(), Failure> {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|given| given.eq_ignore_ascii_case(name));
    let known: Vec<&str> = Kind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .chain(projections::all().iter().map(|p| p.name()))
        .collect();
    if let Some(unknown) =
        names.iter().find(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)))
    {
        return Err(Failure::Said(format!(
            "{unknown} is neither a view nor a projection: there are {}",
            known.join(", ")
        )));
    }
    let mut found = Table::new();
    found.set_header(["view or projection", "table", "rows wrong", "rows missing", "verdict"]);
    let mut differs = false;
    let mut row = |name: &str, table: &str, wrong: i64, missing: i64| {
        let verdict = match (wrong + missing, apply) {
            (0, _) => "as the log says",
            (_, true) => "mended",
            (_, false) => "differs",
        };
        differs |= wrong + missing > 0;
        found.add_row([name, table, &wrong.to_string(), &missing.to_string(), verdict]);
    };
    for kind in Kind::ALL.iter().filter(|kind| wanted(kind.as_str())) {
        let bar = screen::bar(0, "objects");
        bar.set_message(kind.as_str());
        let differences = store.rebuild(*kind, apply, |done| bar.set_position(done)).await?;
        bar.finish_and_clear();
        for difference in differences {
            row(kind.as_str(), difference.table, difference.wrong, difference.missing);
        }
    }
    let service = Service::start(store.clone()).await?;
    for projection in projections::all() {
        let name = projection.name();
        if wanted(name) {
            for difference in anew(store, &service.projector, name).await? {
                row(name, difference.table, difference.only_before, difference.only_after);
            }
            service.projector.settle(name, apply).await?;
        }
    }
    service.projector.stop().await?;
    screen::say(&found.to_string());
    if differs && !apply {
        screen::say("Run it again with --apply to put the new rows in place.");
    }
    Ok(())
}

/// Builds a projection anew beside the one that serves and compares the two.
async fn anew(
    store: &EventStore,
    projector: &Projector,
    name: &str,
) -> Result<Vec<zhixing_event_store::projector::Difference>, Failure> {
    let head = store.head();
    let generation = projector.rebuild(name).await?;
    let bar = screen::bar(u64::try_from(head).unwrap_or(0), "events");
    bar.set_message(name.to_owned());
    let until = Instant::now() + PATIENCE;
    loop {
        if Instant::now() > until {
            return Err(Failure::Said(format!(
                "{name} did not catch up within an hour; its new build goes on when the service runs"
            )));
        }
        let builds = projector.progress().await?;
        let of_name = || builds.iter().filter(|build| build.name == name);
        let new = of_name().find(|build| build.generation == generation).map_or(0, |build| build.position);
        let serving = of_name().find(|build| build.state == "ACTIVE").map_or(0, |build| build.position);
        bar.set_position(u64::try_from(new).unwrap_or(0));
        if new >= head && new == serving {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    bar.finish_and_clear();
    Ok(projector.difference(name).await?)
}
