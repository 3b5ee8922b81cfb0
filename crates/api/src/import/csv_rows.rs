//! Rows of delimited text. A broken row costs that row, not the rows after it.

use csv::{ReaderBuilder, StringRecord};

use super::report::ImportError;
use super::table::{MAX_CELLS, MAX_COLUMNS, MAX_HEADER_ROW, MAX_ROWS, RawRow};
use super::text::unguarded;

/// Delimiters that are tried, the usual one first.
pub(super) const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Reads the rows above and at the header only, to try a delimiter.
pub(super) fn head(text: &str, delimiter: u8) -> Result<Vec<RawRow>, ImportError> {
    read_until(text, delimiter, Some(MAX_HEADER_ROW as usize))
}

/// Reads all rows.
pub(super) fn all(text: &str, delimiter: u8) -> Result<Vec<RawRow>, ImportError> {
    read_until(text, delimiter, None)
}

fn read_until(text: &str, delimiter: u8, stop: Option<usize>) -> Result<Vec<RawRow>, ImportError> {
    let mut rows = Vec::new();
    let (mut rest, mut row, mut cells) = (text, 0_u32, 0);
    while !rest.is_empty() && stop.is_none_or(|stop| rows.len() < stop) {
        row += 1;
        let end = record_end(rest.as_bytes(), delimiter);
        let (raw, after) = rest.split_at(end.at);
        rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix(['\r', '\n'])).unwrap_or(after);
        rows.push(match end.fault {
            Some(fault) => RawRow::broken(row, fault.reason()),
            None => RawRow::new(row, split(raw, delimiter, row)?),
        });
        cells += rows.last().map_or(0, |row| row.cells.len());
        if cells > MAX_CELLS {
            return Err(ImportError::TooManyCells { what: "cells", limit: MAX_CELLS });
        }
        // Blank lines are rows too here: each costs memory.
        if rows.len() > MAX_ROWS * 2 {
            return Err(ImportError::TooManyCells { what: "rows", limit: MAX_ROWS });
        }
    }
    Ok(rows)
}

fn split(raw: &str, delimiter: u8, row: u32) -> Result<Vec<String>, ImportError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .buffer_capacity(512)
        .from_reader(raw.as_bytes());
    let mut record = StringRecord::new();
    reader
        .read_record(&mut record)
        .map_err(|e| ImportError::BrokenCsv { row, reason: super::text::excerpt(&e.to_string()) })?;
    Ok(record.iter().map(|cell| unguarded(cell).to_owned()).collect())
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    NestedQuote,
    OpenQuote,
    TooManyCells,
}

impl Fault {
    fn reason(self) -> String {
        match self {
            Self::NestedQuote => {
                "text follows a closing quote; write a quote inside a quoted cell twice (\"\")".into()
            }
            Self::OpenQuote => "a quote is opened and never closed; close it or write it twice (\"\")".into(),
            Self::TooManyCells => format!("more than {MAX_COLUMNS} cells"),
        }
    }
}

struct RecordEnd {
    /// Bytes before the line break that ends the record.
    at: usize,
    fault: Option<Fault>,
}

/// Where the first record ends, by the quoting rules of RFC 4180. The csv reader forgives broken quotes and may
/// swallow the rows after them; so a record with broken quotes ends with its first line. A quote that is never closed
/// is looked for to the end of the text, but only once: any later one that opens a cell would close it.
fn record_end(bytes: &[u8], delimiter: u8) -> RecordEnd {
    #[derive(Clone, Copy)]
    enum At {
        Start,
        Plain,
        Quoted,
        Closed,
    }
    let fail = |fault| RecordEnd {
        at: bytes.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(bytes.len()),
        fault: Some(fault),
    };
    let (mut state, mut cells) = (At::Start, 1);
    for (i, &byte) in bytes.iter().enumerate() {
        state = match (state, byte) {
            (At::Quoted, b'"') => At::Closed,
            (At::Start | At::Closed, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b'\n' | b'\r') => {
                return if cells > MAX_COLUMNS {
                    fail(Fault::TooManyCells)
                } else {
                    RecordEnd { at: i, fault: None }
                };
            }
            (_, b) if b == delimiter => {
                cells += 1;
                At::Start
            }
            (At::Closed, _) => return fail(Fault::NestedQuote),
            (At::Start | At::Plain, _) => At::Plain,
        };
    }
    match state {
        At::Quoted => fail(Fault::OpenQuote),
        _ if cells > MAX_COLUMNS => fail(Fault::TooManyCells),
        _ => RecordEnd { at: bytes.len(), fault: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells(text: &str) -> Vec<(u32, Result<Vec<String>, bool>)> {
        let read = |row: RawRow| (row.row, if row.fault.is_none() { Ok(row.cells) } else { Err(true) });
        all(text, b',').unwrap().into_iter().map(read).collect()
    }

    fn row(number: u32, cells: &[&str]) -> (u32, Result<Vec<String>, bool>) {
        (number, Ok(cells.iter().map(|c| (*c).to_owned()).collect()))
    }

    #[test]
    fn quotes_line_breaks_and_blank_lines_are_read_by_the_book() {
        assert_eq!(
            cells("a,b\r\n\r\n\"x,\"\"y\"\"\r\nz\",2\n他说\"好\",3"),
            [row(1, &["a", "b"]), row(2, &[]), row(3, &["x,\"y\"\r\nz", "2"]), row(4, &["他说\"好\"", "3"])]
        );
    }

    #[test]
    fn a_broken_quote_costs_one_row() {
        assert_eq!(
            cells("a,\"他说\"你好\"\"\nb,\"open\nc,3\n"),
            [(1, Err(true)), (2, Err(true)), row(3, &["c", "3"])]
        );
    }

    #[test]
    fn a_text_of_stray_quotes_or_blank_lines_takes_no_time() {
        let text = "\"open\n".repeat(MAX_ROWS);
        assert!(all(&text, b',').unwrap().iter().all(|row| row.fault.is_some()));
        assert_eq!(all(&"\n".repeat(MAX_ROWS * 2 + 1), b',').unwrap_err().code(), "IMPORT_TOO_MANY_CELLS");
        assert!(all(&",".repeat(100_000), b',').unwrap()[0].fault.is_some());
    }

    proptest! {
        #[test]
        fn what_the_csv_writer_writes_is_read_back(rows in proptest::collection::vec(
            proptest::collection::vec("[a\"质,\r\n ]{1,6}", 2..5), 1..6)
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let read: Vec<_> = all(&text, b',').unwrap().into_iter().map(|row| row.cells).collect();
            prop_assert_eq!(read, rows);
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[a\",;\t\r\n质]{0,80}", d in 0..3_usize) {
            prop_assert!(all(&text, DELIMITERS[d]).is_ok());
        }
    }
}
