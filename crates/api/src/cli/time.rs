//! `zhixing time`: working days and time limits.
use clap::Subcommand;
use comfy_table::Table;
use zhixing_domain::{
    TimeReference,
    time::{
        Difference, TimeLimit,
        moved::{CalendarChange, Moved, TimeLimitChange},
    },
};
use zhixing_event_store::Pool;

use super::Failure;
use crate::time_change::{self, Moves, shown};

/// Questions about working days and time limits.
#[derive(Debug, Subcommand)]
pub(super) enum TimeCommand {
    /// List the deadlines that other calendars or time limits would move; nothing is recorded
    #[command(after_help = "Example:
  zhixing time moved --calendars /etc/zhixing/calendars --rules /etc/zhixing/rules --data /srv/zhixing

What the service last ran with on this database is compared with what it would run with by these settings.")]
    Moved,
}

/// The deadlines that would move if the service ran with this, as people read it.
///
/// # Errors
/// When the database fails.
pub async fn moved(pool: &Pool, after: &TimeReference) -> Result<String, Failure> {
    let before = time_change::remembered(pool).await?.unwrap_or_else(TimeReference::embedded);
    let Difference { calendars, limits } = Difference::between(&before, after);
    if calendars.is_empty() && limits.is_empty() {
        return Ok("Calendars and time limits are those that the service last ran with.".into());
    }
    let calendars = calendars.iter().map(calendar);
    let mut text: Vec<String> = calendars.chain(limits.iter().map(limit)).collect();
    let Moves { listed, count } = time_change::moves(pool, &before, after).await?;
    let mut table = Table::new();
    table.set_header(["kind", "id", "title", "clock", "before", "after"]);
    for Moved { key, before, after } in &listed {
        table.add_row([
            key.object.kind.as_str(),
            &key.object.to_string(),
            &key.title,
            &key.clock,
            &shown(before),
            &shown(after),
        ]);
    }
    if !listed.is_empty() {
        text.push(table.to_string());
    }
    text.push(match count {
        0 => "No deadline moves.".into(),
        1 => "1 deadline moves.".into(),
        count if count > listed.len() => {
            format!("{count} deadlines move; the first {} are shown.", listed.len())
        }
        count => format!("{count} deadlines move."),
    });
    Ok(text.join("\n"))
}

fn calendar(CalendarChange { year, before, after }: &CalendarChange) -> String {
    let version =
        |version: &Option<u32>| version.map_or("none".into(), |version| format!("version {version}"));
    format!("calendar {year}: {} -> {}", version(before), version(after))
}

fn limit(TimeLimitChange { code, before, after }: &TimeLimitChange) -> String {
    let said = |limit: &Option<TimeLimit>| match limit {
        None => "none".to_owned(),
        Some(TimeLimit { value, unit, valid_from, valid_to, .. }) => {
            let until = valid_to.map(|to| format!(" to {to}")).unwrap_or_default();
            format!("{value} {unit} from {valid_from}{until}")
        }
    };
    format!("time limit {code}: {} -> {}", said(before), said(after))
}
