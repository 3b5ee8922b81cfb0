//! The smallest workbook that spreadsheet programs open: one sheet, every cell a text.
//!
//! A text cell is never computed, so nothing in it has to be made inert.
use std::{
    fmt::Write as _,
    io::{Cursor, Write},
};

use zip::{CompressionMethod, ZipWriter, result::ZipResult, write::SimpleFileOptions};

use super::Sheet;

/// Most characters that a cell may hold.
const CELL_CHARS: usize = 32_767;

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>"#;
const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: [&str; 2] = [
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name=""#,
    r#"" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
];
const WORKBOOK_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#;
const SHEET: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cols>"#;

/// A workbook of this sheet.
///
/// # Errors
/// When the archive cannot be written.
pub(super) fn of(sheet: &Sheet) -> ZipResult<Vec<u8>> {
    let mut cells = SHEET.to_owned();
    for (at, (_, width)) in (1..).zip(sheet.columns) {
        // Writing to a string cannot fail.
        let _ = write!(cells, r#"<col min="{at}" max="{at}" width="{width}" customWidth="1"/>"#);
    }
    cells.push_str("</cols><sheetData>");
    let names = sheet.columns.iter().map(|(name, _)| *name).collect();
    let rows = sheet.rows.iter().map(|row| row.iter().map(String::as_str).collect());
    for row in std::iter::once::<Vec<&str>>(names).chain(rows) {
        cells.push_str("<row>");
        for cell in row {
            cells.push_str(r#"<c t="inlineStr"><is><t xml:space="preserve">"#);
            cell.chars().take(CELL_CHARS).for_each(|c| escape(c, &mut cells));
            cells.push_str("</t></is></c>");
        }
        cells.push_str("</row>");
    }
    cells.push_str("</sheetData></worksheet>");
    let book = [BOOK[0], sheet.name, BOOK[1]].concat();
    let parts = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", &book),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELATIONS),
        ("xl/worksheets/sheet1.xml", &cells),
    ];
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, text) in parts {
        archive.start_file(name, options)?;
        archive.write_all(text.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

fn escape(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        // No character of XML.
        '\u{fffe}' | '\u{ffff}' => {}
        // A parser makes a bare one a line break.
        '\r' => out.push_str("&#13;"),
        other => out.push(other),
    }
}
