//! Rows of an Excel workbook. The archive is measured before the workbook reader sees it, and the cells are
//! streamed, so that neither a zip bomb nor a cell in the last corner of a sheet takes the memory.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write, copy, sink};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use zip::ZipArchive;

use super::report::ImportError;
use super::table::{MAX_CELL_CHARS, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, RawRow};
use super::text::excerpt;

/// Most entries of the archive.
const MAX_ENTRIES: usize = 2_000;
/// Most bytes that the whole archive may inflate to.
const MAX_INFLATED_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes that one byte of the archive may inflate to, once [`FREE_INFLATED_BYTES`] are passed.
const MAX_RATIO: u64 = 200;
/// Inflated bytes up to which the ratio does not matter.
const FREE_INFLATED_BYTES: u64 = 4 * 1024 * 1024;
/// The last row that a sheet can have.
const LAST_ROW: u32 = 1_048_576;
/// Most sheets that are searched for the table.
const MAX_SHEETS: usize = 32;
/// Most cells that are passed over because they are empty.
const MAX_EMPTY_CELLS: usize = 2_000_000;
/// Most merged regions of a sheet.
const MAX_MERGED: usize = 2_000;
/// Most bytes of text in all cells; one long text may be shared by many cells.
const MAX_TEXT_BYTES: usize = 32 * 1024 * 1024;

type Book<'a> = Xlsx<Cursor<&'a [u8]>>;

/// The rows of the first sheet that `is_table` accepts; the rows of the first sheet with any, when none is.
pub(super) fn read(bytes: &[u8], is_table: impl Fn(&[RawRow]) -> bool) -> Result<Vec<RawRow>, ImportError> {
    guard(bytes)?;
    // The bytes come from strangers and the reader is not ours: a panic in it is a broken file, not a broken service.
    catch_unwind(AssertUnwindSafe(|| read_book(bytes, is_table)))
        .unwrap_or_else(|_| Err(broken("it holds impossible values")))
}

fn read_book(bytes: &[u8], is_table: impl Fn(&[RawRow]) -> bool) -> Result<Vec<RawRow>, ImportError> {
    let mut book: Book<'_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
    let mut budget = Budget::default();
    let mut first = Vec::new();
    for name in book.sheet_names().into_iter().take(MAX_SHEETS) {
        let rows = match sheet(&mut book, &name, &mut budget) {
            Ok(rows) => rows,
            Err(Stop::NoSheet) => continue,
            Err(Stop::Refused(refusal)) => return Err(refusal),
        };
        if is_table(&rows) {
            return Ok(rows);
        }
        if first.is_empty() {
            first = rows;
        }
    }
    Ok(first)
}

/// Refuses an archive that is none, no workbook, or inflates out of proportion. What an entry declares is not
/// believed: every entry is inflated once, into nothing.
fn guard(bytes: &[u8]) -> Result<(), ImportError> {
    let bomb = |reason: String| Err(ImportError::ZipBomb { reason });
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e.to_string()))?;
    if archive.len() > MAX_ENTRIES {
        return bomb(format!("more than {MAX_ENTRIES} entries"));
    }
    if archive.index_for_name("xl/workbook.xml").is_none() {
        let found = "a zip archive that holds no .xlsx workbook".into();
        return Err(ImportError::UnknownFormat { found });
    }
    let compressed = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let most = MAX_INFLATED_BYTES.min(FREE_INFLATED_BYTES.max(compressed.saturating_mul(MAX_RATIO)));
    let (mut declared, mut inflated) = (0_u64, 0_u64);
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| broken(&e.to_string()))?;
        declared = declared.saturating_add(entry.size());
        let mut strings = Vec::new();
        if declared <= most {
            let shared =
                entry.name().map_or(true, |name| name.to_ascii_lowercase().ends_with("sharedstrings.xml"));
            let into: &mut dyn Write = if shared { &mut strings } else { &mut sink() };
            inflated +=
                copy(&mut entry.take(most - inflated + 1), into).map_err(|e| broken(&e.to_string()))?;
        }
        if declared > most || inflated > most {
            return bomb(format!("{compressed} bytes inflate to more than {most}"));
        }
        if declares_too_many(strings) {
            return Err(broken("it declares more strings than it holds"));
        }
    }
    Ok(())
}

/// Whether the table of strings is said to hold more of them than it has bytes. The workbook reader sets memory aside for
/// as many as it is told, and a process without memory ends: that is no panic.
fn declares_too_many(mut table: Vec<u8>) -> bool {
    const COUNT: &[u8] = b"uniqueCount";
    // Without its zeros UTF-16 reads as ASCII does.
    table.retain(|byte| *byte != 0);
    let declared = |at: usize| {
        let behind = table[at + COUNT.len()..].trim_ascii_start().strip_prefix(b"=")?;
        let [b'"' | b'\'', value @ ..] = behind.trim_ascii_start() else { return None };
        let value = value.iter().take_while(|byte| !matches!(byte, b'"' | b'\''));
        let digits = value.filter(|byte| byte.is_ascii_digit()).map(|byte| usize::from(byte - b'0'));
        // More than fits into a number is too many as well.
        Some(digits.fold(0_usize, |count, digit| count.saturating_mul(10).saturating_add(digit)))
    };
    let places = table.windows(COUNT.len()).enumerate().filter(|(_, window)| *window == COUNT);
    places.filter_map(|(at, _)| declared(at)).any(|count| count > table.len())
}

/// What all sheets together may still use.
#[derive(Default)]
struct Budget {
    cells: usize,
    empty: usize,
    text: usize,
}

enum Stop {
    NoSheet,
    Refused(ImportError),
}

impl From<ImportError> for Stop {
    fn from(refusal: ImportError) -> Self {
        Self::Refused(refusal)
    }
}

fn sheet(book: &mut Book<'_>, name: &str, budget: &mut Budget) -> Result<Vec<RawRow>, Stop> {
    let mut rows: BTreeMap<u32, RawRow> = BTreeMap::new();
    let mut cells = match book.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        // A chart or macro sheet, or one that is listed only.
        Err(XlsxError::NotAWorksheet(_) | XlsxError::WorksheetNotFound(_)) => return Err(Stop::NoSheet),
        Err(e) => return Err(unreadable(e).into()),
    };
    while let Some(cell) = cells.next_cell().map_err(unreadable)? {
        let (row, column) = cell.get_position();
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let value = match cell.get_value() {
            DataRef::Empty => {
                budget.empty += 1;
                check(budget.empty, MAX_EMPTY_CELLS, "empty cells")?;
                continue;
            }
            DataRef::String(text) => Ok(text.as_str().into()),
            DataRef::SharedString(text) => Ok((*text).into()),
            DataRef::Int(number) => Ok(number.to_string().into()),
            DataRef::Float(number) => Ok(number.to_string().into()),
            DataRef::Bool(_) => Err("holds TRUE or FALSE"),
            DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => {
                Err("holds a date; format the cell as text")
            }
            DataRef::Error(_) => Err("holds a formula error; correct it or type the value"),
        };
        let value: Result<std::borrow::Cow<'_, str>, &'static str> = value;
        budget.cells += 1;
        check(budget.cells, MAX_CELLS, "cells")?;
        if column >= MAX_COLUMNS {
            continue;
        }
        if row >= LAST_ROW {
            return Err(broken("a row number out of range").into());
        }
        let number = row + 1;
        let raw = rows.entry(row).or_insert_with(|| RawRow::new(number, Vec::new()));
        match value {
            Ok(text) => {
                budget.text += text.len();
                check(budget.text, MAX_TEXT_BYTES, "bytes of text")?;
                raw.set(column, text.chars().take(MAX_CELL_CHARS + 1).collect());
            }
            Err(fault) => raw.cell_faults.push((column, fault)),
        }
        check(rows.len(), MAX_ROWS * 2, "rows")?;
    }
    drop(cells);
    let merged = book.merge_cells_by_sheet_name(name).map_err(unreadable)?;
    check(merged.len(), MAX_MERGED, "merged regions")?;
    for region in merged {
        fill_down(&mut rows, region.start, region.end, budget)?;
    }
    Ok(rows.into_values().collect())
}

/// Gives the value of a merged region to its first column in all of its rows that hold anything.
fn fill_down(
    rows: &mut BTreeMap<u32, RawRow>,
    start: (u32, u32),
    end: (u32, u32),
    budget: &mut Budget,
) -> Result<(), ImportError> {
    let column = usize::try_from(start.1).unwrap_or(usize::MAX);
    let Some(value) = rows.get(&start.0).and_then(|row| row.cells.get(column)).cloned() else {
        return Ok(());
    };
    if value.is_empty() || end.0 <= start.0 {
        return Ok(());
    }
    for (_, row) in rows.range_mut(start.0 + 1..=end.0) {
        budget.text += value.len();
        check(budget.text, MAX_TEXT_BYTES, "bytes of text")?;
        row.set(column, value.clone());
        row.filled.push(column);
    }
    Ok(())
}

fn check(count: usize, limit: usize, what: &'static str) -> Result<(), ImportError> {
    if count > limit { Err(ImportError::TooManyCells { what, limit }) } else { Ok(()) }
}

fn broken(reason: &str) -> ImportError {
    ImportError::BrokenXlsx { reason: excerpt(reason) }
}

// By value, as `map_err` hands it over.
#[allow(clippy::needless_pass_by_value)]
fn unreadable(error: XlsxError) -> ImportError {
    broken(&error.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    /// A cell with its text beside it.
    pub(in super::super) fn cell(at: &str, text: &str) -> String {
        format!("<c r=\"{at}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>")
    }

    /// A workbook of sheets given by name and rows; `after` follows the rows of every sheet.
    pub(in super::super) fn workbook(sheets: &[(&str, &str)], after: &str) -> Vec<u8> {
        let space = "xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"";
        let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let (mut list, mut targets) = (Vec::new(), Vec::new());
        let mut files = Vec::new();
        for (i, (name, rows)) in sheets.iter().enumerate() {
            list.push(format!("<sheet name=\"{name}\" sheetId=\"{i}\" r:id=\"r{i}\"/>"));
            targets.push(format!(
                "<Relationship Id=\"r{i}\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet{i}.xml\"/>"
            ));
            let xml = format!("<worksheet {space}><sheetData>{rows}</sheetData>{after}</worksheet>");
            files.push((format!("xl/worksheets/sheet{i}.xml"), xml));
        }
        let book = format!(
            "<workbook {space} xmlns:r=\"{relations}\"><sheets>{}</sheets></workbook>",
            list.concat()
        );
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let targets = format!("<Relationships xmlns=\"{package}\">{}</Relationships>", targets.concat());
        let root = format!(
            "<Relationships xmlns=\"{package}\"><Relationship Id=\"r\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        );
        files.push(("_rels/.rels".into(), root));
        files.push(("xl/workbook.xml".into(), book));
        files.push(("xl/_rels/workbook.xml.rels".into(), targets));
        archive(files.into_iter().map(|(name, text)| (name, text.into_bytes())))
    }

    fn archive(files: impl Iterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn refusal(bytes: &[u8]) -> &'static str {
        read(bytes, |_| true).unwrap_err().code()
    }

    /// Bytes are refused, or give rows at places that a sheet has.
    fn sound(bytes: &[u8]) {
        match read(bytes, |_| true) {
            Ok(rows) => {
                assert!(rows.iter().all(|r| (1..=LAST_ROW).contains(&r.row) && r.cells.len() <= MAX_COLUMNS));
            }
            Err(refusal) => {
                let known = ["IMPORT_BROKEN_XLSX", "IMPORT_UNKNOWN_FORMAT", "IMPORT_ZIP_BOMB"];
                assert!(known.contains(&refusal.code()), "{refusal}");
            }
        }
    }

    #[test]
    fn bombs_are_refused_before_they_are_opened() {
        let book = || ("xl/workbook.xml".to_owned(), Vec::new());
        let zeros = vec![0; 20 * 1024 * 1024];
        assert_eq!(refusal(&archive([book(), ("a".into(), zeros)].into_iter())), "IMPORT_ZIP_BOMB");
        let many = (0..MAX_ENTRIES).map(|i| (format!("{i}"), Vec::new()));
        assert_eq!(refusal(&archive(std::iter::once(book()).chain(many))), "IMPORT_ZIP_BOMB");
    }

    #[test]
    fn a_bomb_that_declares_little_is_refused_too() {
        let mut bytes = archive(
            [("xl/workbook.xml".to_owned(), Vec::new()), ("a".into(), vec![0; 20 * 1024 * 1024])].into_iter(),
        );
        let size = (20_u32 * 1024 * 1024).to_le_bytes();
        let places: Vec<_> = (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
        assert!(!places.is_empty());
        for at in places {
            bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
        }
        // Caught by what it inflates to, or by the archive reader when its sum or size does not fit.
        assert!(["IMPORT_ZIP_BOMB", "IMPORT_BROKEN_XLSX"].contains(&refusal(&bytes)));
    }

    #[test]
    fn what_is_no_workbook_is_refused() {
        assert_eq!(refusal(b"PK\x03\x04 and nothing more"), "IMPORT_BROKEN_XLSX");
        let document = archive(std::iter::once(("word/document.xml".to_owned(), vec![])));
        assert_eq!(refusal(&document), "IMPORT_UNKNOWN_FORMAT");
        assert_eq!(refusal(&workbook(&[("a", "<row><c r=\"A1\"><v>1</row>")], "")), "IMPORT_BROKEN_XLSX");
    }

    #[test]
    fn impossible_places_neither_panic_nor_take_the_memory() {
        let far = format!("<row>{}{}</row>", cell("A1", "a"), cell("XFD1048576", "z"));
        let rows = read(&workbook(&[("a", &far)], ""), |_| true).unwrap();
        assert_eq!(rows.iter().map(|r| r.row).collect::<Vec<_>>(), [1]); // The far column is not looked at.
        for bad in [
            "<row r=\"4294967296\"><c><v>1</v></c></row>",
            "<row r=\"4294967295\"></row><row><c><v>1</v></c></row>",
            "<row><c r=\"A4294967296\"><v>1</v></c></row>",
            "<row><c r=\"A0\"><v>1</v></c></row>",
            "<row><c t=\"s\"><v>99</v></c></row>",
        ] {
            sound(&workbook(&[("a", bad)], ""));
        }
    }

    /// The workbook reader would set 38 TB aside, and the process would end.
    #[test]
    fn a_table_of_strings_holds_as_many_as_it_declares() {
        let with = |table: Vec<u8>| {
            let sheet = workbook(&[("a", "<row><c r=\"A1\" t=\"s\"><v>0</v></c></row>")], "");
            let mut zip = ZipWriter::new_append(Cursor::new(sheet)).unwrap();
            zip.start_file("xl/SharedStrings.xml", SimpleFileOptions::default()).unwrap();
            zip.write_all(&table).unwrap();
            zip.finish().unwrap().into_inner()
        };
        let table = |count: &str| {
            let space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
            format!("<sst xmlns=\"{space}\" {count}><si><t>质量</t></si></sst>")
        };
        for right in
            ["", "uniqueCount=\"1\"", "count=\"9999999\" uniqueCount = '0001'", "uniqueCount=\"none\""]
        {
            let rows = read(&with(table(right).into()), |_| true).unwrap();
            assert_eq!(rows[0].cells, ["质量"], "{right}");
        }
        for wrong in [
            "uniqueCount=\"0000000001600000000004\"",
            "uniqueCount=\"9999999999999999\"",
            "uniqueCount\n= '+9999999999999999'",
            "uniqueCount=\"99999999999999999999999999\"",
        ] {
            let wide: Vec<u8> = table(wrong).encode_utf16().flat_map(u16::to_le_bytes).collect();
            for bytes in [table(wrong).into(), [vec![0xff, 0xfe], wide].concat()] {
                let refused = read(&with(bytes), |_| true).unwrap_err().to_string();
                assert!(refused.contains("more strings than it holds"), "{wrong}: {refused}");
            }
        }
    }

    #[test]
    fn cells_are_counted() {
        let row = format!("<row>{}</row>", "<c><v>1</v></c>".repeat(100)).repeat(MAX_CELLS / 100 + 1);
        assert_eq!(refusal(&workbook(&[("a", &row)], "")), "IMPORT_TOO_MANY_CELLS");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_damaged_workbook_never_panics(at in 0..1_500_usize, with: u8, xml in "[<>/a-z0-9\" =&;]{0,30}") {
            let mut bytes = workbook(&[("a", &format!("<row>{}</row>", cell("A1", "a")))], "");
            let at = at % bytes.len();
            bytes[at] = with;
            sound(&bytes);
            sound(&workbook(&[("a", &xml)], &xml));
        }
    }
}
