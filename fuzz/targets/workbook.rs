//! XLSX from the inside: the parts of a workbook, packed into an archive that is in order, so that changes reach the
//! readers behind the checksums.
//!
//! The input is the parts one after the other, each ended by a line `----`: the first sheet, the strings, the styles,
//! the workbook, its relations.
#![no_main]
mod hook;

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use zhixing_api::import::table::read_table;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const TYPES: &str = include_str!("workbook/content-types.xml");
const ROOT: &str = include_str!("workbook/rels.xml");
const WORKBOOK: &str = include_str!("workbook/workbook.xml");
const RELATIONS: &str = include_str!("workbook/workbook.rels.xml");

fn packed(input: &[u8]) -> Option<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut parts = split(input).into_iter();
    let mut put = |name: &str, usual: &str, given: Option<&[u8]>| {
        let content = given.filter(|given| !given.is_empty()).unwrap_or(usual.as_bytes());
        archive.start_file(name, options).ok()?;
        archive.write_all(content).ok()
    };
    put("[Content_Types].xml", TYPES, None)?;
    put("_rels/.rels", ROOT, None)?;
    put("xl/worksheets/sheet1.xml", "", parts.next())?;
    put("xl/sharedStrings.xml", "", parts.next())?;
    put("xl/styles.xml", "", parts.next())?;
    put("xl/workbook.xml", WORKBOOK, parts.next())?;
    put("xl/_rels/workbook.xml.rels", RELATIONS, parts.next())?;
    Some(archive.finish().ok()?.into_inner())
}

fn split(mut input: &[u8]) -> Vec<&[u8]> {
    const END: &[u8] = b"\n----\n";
    let mut parts = Vec::new();
    while let Some(at) = input.windows(END.len()).position(|window| window == END) {
        parts.push(&input[..at]);
        input = &input[at + END.len()..];
    }
    parts.push(input);
    parts
}

fuzz_target!(
    init: hook::only_ours(),
    |input: &[u8]| {
        let Some(bytes) = packed(input) else { return };
        if let Err(refusal) = read_table(&bytes, "tasks.xlsx") {
            assert!(refusal.to_string().chars().count() <= 2_000, "{refusal}");
        }
    }
);
