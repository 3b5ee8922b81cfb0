//! What is printed: a table for each section, then the figures to reach.
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::{case::Case, load::Sample};

/// A progress bar on the terminal, plain lines where there is none.
pub fn bar(length: usize, title: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length as u64), ProgressDrawTarget::stderr());
    if bar.is_hidden() {
        note(&format!("{title}: {length} steps"));
    }
    if let Ok(style) = ProgressStyle::with_template("{prefix:12} [{bar:30}] {pos}/{len} {elapsed} {wide_msg}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(title.to_owned());
    bar
}

/// Prints a line of the results.
pub fn say(line: &str) {
    use std::io::Write;
    // A reader that went away (`bench all | head`) is no error.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a line about what goes on.
pub fn note(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One line of a table.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// How many called at once.
    pub callers: usize,
    /// The median of its runs.
    pub median: Sample,
    /// Every run.
    pub runs: Vec<Sample>,
    /// How it compares with each base of its section; `None` where there is nothing to compare.
    pub ratios: Vec<Option<f64>>,
}

/// One table.
#[derive(Debug, Serialize)]
pub struct Section {
    title: String,
    /// What is counted: events, requests.
    unit: &'static str,
    /// What the ratios are of.
    bases: Vec<&'static str>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Section {
    /// An empty table.
    pub fn new(title: &str, unit: &'static str, bases: &[&'static str]) -> Self {
        Self { title: title.into(), unit, bases: bases.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }
    /// Adds a case; `ratios` says how its median compares with each base.
    pub fn row(&mut self, case: &Case, ratios: Vec<Option<f64>>) {
        let (what, callers) = (case.what.clone(), case.callers);
        self.rows.push(Row { what, callers, median: case.median(), runs: case.samples.clone(), ratios });
    }
    /// Adds a remark below the table.
    pub fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        let mut header: Vec<String> =
            ["", "at once", self.unit, "slowest–fastest", "p50 ms", "p99 ms", "CPU µs here", "in PostgreSQL"]
                .map(str::to_owned)
                .to_vec();
        header.extend(self.bases.iter().map(|base| format!("× {base}")));
        table.set_header(header);
        for row in &self.rows {
            let rates = || row.runs.iter().map(|run| run.per_second);
            let (low, high) = (rates().fold(f64::MAX, f64::min), rates().fold(0.0, f64::max));
            let mut cells = vec![
                row.what.clone(),
                row.callers.to_string(),
                grouped(row.median.per_second),
                format!("{}–{}", grouped(low), grouped(high)),
                format!("{:.2}", row.median.p50_ms),
                format!("{:.2}", row.median.p99_ms),
                format!("{:.0}", row.median.cpu_here_us),
                format!("{:.0}", row.median.cpu_postgres_us),
            ];
            cells.extend(row.ratios.iter().map(|ratio| ratio.map_or_else(String::new, down)));
            table.add_row(cells);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        say(&format!("\n{}\n{table}", self.title));
        for note in &self.notes {
            say(&format!("  {note}"));
        }
    }
}

/// A figure to reach.
#[derive(Debug, Serialize)]
pub struct Figure {
    what: String,
    wanted: String,
    got: String,
    reached: bool,
}

/// Everything one run of the program found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What it ran on.
    pub machine: Vec<String>,
    sections: Vec<Section>,
    figures: Vec<Figure>,
    remarks: Vec<String>,
}

impl Report {
    /// Prints a finished table and keeps it.
    pub fn add(&mut self, section: Section) {
        section.print();
        self.sections.push(section);
    }
    /// A ratio or number that must not be less.
    pub fn at_least(&mut self, what: impl Into<String>, wanted: f64, got: Option<f64>) {
        let Some(got) = got else { return };
        let (wanted_text, got_text) =
            (format!("≥ {}", amount(wanted)), if got < 100.0 { down(got) } else { grouped(got) });
        let what = what.into();
        self.figures.push(Figure { what, wanted: wanted_text, got: got_text, reached: got >= wanted });
    }
    /// A ratio or number that must not be more.
    pub fn at_most(&mut self, what: impl Into<String>, wanted: f64, got: Option<f64>) {
        let Some(got) = got else { return };
        let (wanted_text, got_text) = (format!("≤ {}", amount(wanted)), up(got));
        let what = what.into();
        self.figures.push(Figure { what, wanted: wanted_text, got: got_text, reached: got <= wanted });
    }
    /// A number of things that must not happen at all.
    pub fn none(&mut self, what: impl Into<String>, got: i64) {
        let (what, got_text) = (what.into(), got.to_string());
        self.figures.push(Figure { what, wanted: "0".into(), got: got_text, reached: got == 0 });
    }
    /// Something worth knowing beside the figures.
    pub fn remark(&mut self, line: String) {
        self.remarks.push(line);
    }
    /// Prints the figures to reach.
    pub fn finish(&self) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["figure", "wanted", "found", ""]);
        for figure in &self.figures {
            let word = if figure.reached { "reached" } else { "NOT REACHED" };
            table.add_row([figure.what.as_str(), &figure.wanted, &figure.got, word]);
        }
        if !self.figures.is_empty() {
            say(&format!("\nFigures to reach\n{table}"));
        }
        self.remarks.iter().chain(&self.machine).for_each(|line| say(line));
    }
}

fn amount(number: f64) -> String {
    if number >= 1_000.0 { grouped(number) } else { format!("{number}") }
}
/// Two digits, never rounded up.
fn down(ratio: f64) -> String {
    format!("{:.2}", (ratio * 100.0).floor() / 100.0)
}
/// Two digits, never rounded down.
fn up(ratio: f64) -> String {
    format!("{:.2}", (ratio * 100.0).ceil() / 100.0)
}
/// A whole number, never rounded up, with a comma after every three digits.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.floor());
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (at, digit) in digits[first..].chars().enumerate() {
        if at % 3 == 0 && !text.is_empty() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded_in_our_favour() {
        assert_eq!((down(1.299), up(2.001)), ("1.29".into(), "2.01".into()));
        assert_eq!(grouped(1_234_567.9), "1,234,567");
        assert_eq!(
            (grouped(12.0), grouped(123.0), grouped(1_234.0)),
            ("12".into(), "123".into(), "1,234".into())
        );
    }
}
