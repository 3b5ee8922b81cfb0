//! The task breakdown table (任务分解表) as officials keep it, in CSV or Excel: 序号, 工作任务, 主要内容, 责任部门.

use std::collections::HashMap;

use super::report::{Findings, Format, ImportError, Repair, RowRejection};
use super::text::{clean, excerpt, folded, forbidden};
use super::{csv_rows, encoding, xlsx_rows};

/// Last row of the file in which the header may stand; a title and a date often stand above it.
pub const MAX_HEADER_ROW: u32 = 10;
/// Most rows under the header.
pub const MAX_ROWS: usize = 20_000;
/// Most cells of a file that hold anything.
pub const MAX_CELLS: usize = 200_000;
/// Most columns that are looked at.
pub const MAX_COLUMNS: usize = 256;
/// Most characters of a cell.
pub const MAX_CELL_CHARS: usize = 20_000;
/// Most characters of a task number.
pub const MAX_NUMBER_CHARS: usize = 20;

/// A column of the table: its usual name and the other names it goes by.
struct Column {
    name: &'static str,
    also: &'static [&'static str],
    required: bool,
}

const NUMBER: usize = 0;
const TITLE: usize = 1;
const CONTENT: usize = 2;
const RESPONSIBLE: usize = 3;
const SUPPORTING: usize = 4;

/// The columns by the constants above.
const COLUMNS: [Column; 5] = [
    Column { name: "序号", also: &["编号", "任务编号", "任务序号"], required: true },
    Column {
        name: "工作任务",
        also: &["任务", "重点任务", "主要任务", "任务名称", "工作任务名称", "重点工作任务"],
        required: true,
    },
    Column {
        name: "主要内容",
        also: &["工作内容", "内容", "任务内容", "具体内容", "主要工作内容"],
        required: false,
    },
    Column {
        name: "责任部门",
        also: &["责任单位", "负责单位", "负责部门", "牵头部门", "牵头单位", "主办单位", "牵头责任单位"],
        required: true,
    },
    Column {
        name: "参与部门",
        also: &["参与单位", "参加单位", "配合单位", "配合部门", "协办单位", "协办部门", "支持单位"],
        required: false,
    },
];

/// A row of a file before its columns are known.
#[derive(Debug, Default)]
pub(super) struct RawRow {
    /// Row of the file, counted from 1.
    pub(super) row: u32,
    /// Text by column.
    pub(super) cells: Vec<String>,
    /// Why the whole row cannot be read.
    pub(super) fault: Option<String>,
    /// Why a cell cannot be read, by column.
    pub(super) cell_faults: Vec<(usize, &'static str)>,
    /// Columns whose text was taken over from a merged cell above.
    pub(super) filled: Vec<usize>,
}

impl RawRow {
    pub(super) fn new(row: u32, cells: Vec<String>) -> Self {
        Self { row, cells, ..Self::default() }
    }

    pub(super) fn broken(row: u32, fault: String) -> Self {
        Self { row, fault: Some(fault), ..Self::default() }
    }

    pub(super) fn set(&mut self, column: usize, text: String) {
        if self.cells.len() <= column {
            self.cells.resize(column + 1, String::new());
        }
        self.cells[column] = text;
    }

    fn is_blank(&self) -> bool {
        self.fault.is_none() && self.cell_faults.is_empty() && self.cells.iter().all(|c| folded(c).is_empty())
    }
}

/// One task of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRow {
    /// Row of the file, counted from 1, header included.
    pub row: u32,
    /// 序号, never empty and unique in the table.
    pub number: String,
    /// 工作任务, never empty.
    pub title: String,
    /// 主要内容, may be empty; line breaks are kept.
    pub content: String,
    /// 责任部门 as written, may be empty; line breaks are kept.
    pub responsible: String,
}

/// What a table file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The rows that can be taken.
    pub rows: Vec<TableRow>,
    /// What was read otherwise than written.
    pub repairs: Findings<Repair>,
    /// The rows that cannot be taken.
    pub rejected: Findings<RowRejection>,
    /// Rows under the header that hold anything; rows of merged cells that make one task count each.
    pub rows_read: u32,
    /// Encoding of the text; UTF-8 for a workbook.
    pub encoding: &'static str,
    /// CSV or XLSX.
    pub format: Format,
}

/// Reads a table from the bytes of a CSV or XLSX file. `name` is the name of the file, for messages.
///
/// # Errors
/// The file as a whole cannot be read or holds no table; a bad row is in [`Table::rejected`] instead.
pub fn read_table(bytes: &[u8], name: &str) -> Result<Table, ImportError> {
    let format = encoding::detect_format(bytes, name)?;
    match format {
        Format::TaskTableXlsx => {
            let rows = xlsx_rows::read(bytes, |rows| find_header(rows).is_ok())?;
            Builder::new(format, "UTF-8", Vec::new(), false).read(rows)
        }
        Format::TaskTableCsv => {
            let (text, encoding, repairs) = encoding::decode(bytes)?;
            let mut delimiter = csv_rows::DELIMITERS[0];
            for candidate in csv_rows::DELIMITERS {
                if find_header(&csv_rows::head(&text, candidate)?).is_ok() {
                    delimiter = candidate;
                    break;
                }
            }
            Builder::new(format, encoding, repairs, true).read(csv_rows::all(&text, delimiter)?)
        }
        Format::PlanJson => {
            Err(ImportError::UnknownFormat { found: format!("{} is JSON, not a table", excerpt(name)) })
        }
    }
}

/// Where the columns are.
#[derive(Clone)]
struct Header {
    row: u32,
    width: usize,
    /// By the constants [`NUMBER`] …: the column of the file.
    at: [Option<usize>; COLUMNS.len()],
    /// The names of the columns that are passed over.
    ignored: Vec<String>,
    /// The responsible column is called 牵头部门 or the like, so that its cells need no label.
    leads: bool,
}

impl Header {
    /// The columns that a row names; a note in brackets after a name does not matter.
    fn of(row: &RawRow) -> Self {
        let mut header =
            Self { row: row.row, width: 0, at: [None; COLUMNS.len()], ignored: Vec::new(), leads: false };
        for (column, cell) in row.cells.iter().enumerate() {
            let full = folded(cell);
            let name = full.split('(').next().unwrap_or_default();
            if full.is_empty() {
                continue;
            }
            header.width = column + 1;
            let known = COLUMNS.iter().position(|c| c.name == name || c.also.contains(&name));
            match known.and_then(|known| header.at.get_mut(known)) {
                Some(place @ None) => {
                    *place = Some(column);
                    header.leads |= known == Some(RESPONSIBLE) && name.starts_with(['牵', '主']);
                }
                _ => header.ignored.push(cell.clone()),
            }
        }
        header
    }

    fn known(&self) -> usize {
        self.at.iter().flatten().count()
    }

    fn missing(&self) -> Option<&'static str> {
        COLUMNS.iter().zip(self.at).find(|(c, at)| c.required && at.is_none()).map(|(c, _)| c.name)
    }
}

/// The first row of the upper rows that names all required columns; else what comes nearest.
fn find_header(rows: &[RawRow]) -> Result<Header, ImportError> {
    let headers = rows.iter().filter(|row| row.row <= MAX_HEADER_ROW).map(Header::of);
    let Some(best) = headers.rev().max_by_key(|header| (header.missing().is_none(), header.known())) else {
        return Err(ImportError::EmptyFile);
    };
    match best.missing() {
        None => Ok(best),
        // A single word in common with the header is chance.
        Some(name) if best.known() > 1 => Err(ImportError::MissingColumn { name }),
        Some(_) if rows.iter().all(RawRow::is_blank) => Err(ImportError::EmptyFile),
        Some(_) => Err(ImportError::UnknownFormat {
            found: format!("no header with 序号, 工作任务, 责任部门 in the first {MAX_HEADER_ROW} rows"),
        }),
    }
}

/// Builds the table row by row.
struct Builder {
    table: Table,
    /// Whether every row must have as many cells as the header, as in CSV.
    strict_width: bool,
    /// Number of each row taken, and its place in the table.
    numbers: HashMap<String, usize>,
}

impl Builder {
    fn new(format: Format, encoding: &'static str, repairs: Vec<Repair>, strict_width: bool) -> Self {
        let mut table = Table {
            rows: Vec::new(),
            repairs: Findings::default(),
            rejected: Findings::default(),
            rows_read: 0,
            encoding,
            format,
        };
        table.repairs.extend(repairs);
        Self { table, strict_width, numbers: HashMap::new() }
    }

    fn read(mut self, rows: Vec<RawRow>) -> Result<Table, ImportError> {
        let header = find_header(&rows)?;
        for name in &header.ignored {
            self.table.repairs.push(Repair::new(header.row, "header", name, "column ignored"));
        }
        for row in rows.into_iter().filter(|row| row.row > header.row && !row.is_blank()) {
            let again = Header::of(&row);
            if again.missing().is_none() && again.at == header.at {
                self.table.repairs.push(Repair::new(
                    row.row,
                    "header",
                    "",
                    "header repeated; row passed over",
                ));
                continue;
            }
            self.table.rows_read += 1;
            if self.table.rows_read as usize > MAX_ROWS {
                return Err(ImportError::TooManyCells { what: "rows", limit: MAX_ROWS });
            }
            if let Err((field, reason)) = self.take(&header, &row) {
                self.table.rejected.push(RowRejection::new(row.row, field, reason));
            }
        }
        if self.table.rows_read == 0 { Err(ImportError::EmptyFile) } else { Ok(self.table) }
    }

    fn take(&mut self, header: &Header, row: &RawRow) -> Result<(), (&'static str, String)> {
        if let Some(fault) = &row.fault {
            return Err(("row", fault.clone()));
        }
        let spare = row.cells.iter().skip(header.width).any(|cell| !folded(cell).is_empty());
        if spare || (self.strict_width && row.cells.len() < header.width) {
            let (found, wanted) = (row.cells.len(), header.width);
            let reason =
                format!("{found} cells where the header has {wanted}; quote cells that hold the delimiter");
            return Err(("row", reason));
        }
        // Repairs of a row that is rejected further on would be noise.
        let mut repairs = Vec::new();
        let mut cells: [String; COLUMNS.len()] = Default::default();
        for (kind, column) in COLUMNS.iter().enumerate() {
            cells[kind] = cell(header.at[kind], column.name, kind, row, &mut repairs)?;
        }
        let [number, title, content, responsible, supporting] = cells;
        let number = read_number(&number, row.row, &mut repairs)?;
        if title.is_empty() {
            return Err((COLUMNS[TITLE].name, "empty; a row needs the name of its task".into()));
        }
        let responsible = labelled(responsible, &supporting, header.leads);
        let filled = |kind: usize| header.at[kind].is_some_and(|at| row.filled.contains(&at));
        match self.numbers.get(&number).copied() {
            Some(first) if filled(NUMBER) && filled(TITLE) => {
                let task = &mut self.table.rows[first];
                let reading = format!("merged cell; joined to the task of row {}", task.row);
                repairs.push(Repair::new(row.row, COLUMNS[NUMBER].name, &number, reading));
                join(&mut task.content, &content, filled(CONTENT));
                join(&mut task.responsible, &responsible, filled(RESPONSIBLE));
            }
            Some(first) => {
                let reason = format!("{number} stands already in row {}", self.table.rows[first].row);
                return Err((COLUMNS[NUMBER].name, reason));
            }
            None if filled(NUMBER) && filled(TITLE) => {
                return Err(("row", "merged with a row that was rejected".into()));
            }
            None => {
                for kind in [TITLE, CONTENT, RESPONSIBLE, SUPPORTING] {
                    if filled(kind) {
                        let reading = "merged cell; taken over from the row above";
                        repairs.push(Repair::new(row.row, COLUMNS[kind].name, "", reading));
                    }
                }
                self.numbers.insert(number.clone(), self.table.rows.len());
                self.table.rows.push(TableRow { row: row.row, number, title, content, responsible });
            }
        }
        self.table.repairs.extend(repairs);
        Ok(())
    }
}

/// The text of one cell with its blanks set right; empty when the table has no such column.
fn cell(
    at: Option<usize>,
    name: &'static str,
    kind: usize,
    row: &RawRow,
    repairs: &mut Vec<Repair>,
) -> Result<String, (&'static str, String)> {
    let Some(at) = at else { return Ok(String::new()) };
    if let Some((_, fault)) = row.cell_faults.iter().find(|(column, _)| *column == at) {
        return Err((name, (*fault).into()));
    }
    let text = row.cells.get(at).map_or("", String::as_str);
    if text.chars().count() > MAX_CELL_CHARS {
        return Err((name, format!("longer than {MAX_CELL_CHARS} characters")));
    }
    if let Some(reason) = forbidden(text) {
        return Err((name, reason));
    }
    let cleaned = clean(text, !matches!(kind, NUMBER | TITLE));
    if let Some(change) = cleaned.change {
        repairs.push(Repair::new(row.row, name, text, change));
    }
    Ok(cleaned.text)
}

/// The number of a task without the point after it and without the `.0` that a spreadsheet gives whole numbers.
fn read_number(text: &str, row: u32, repairs: &mut Vec<Repair>) -> Result<String, (&'static str, String)> {
    let name = COLUMNS[NUMBER].name;
    let full = folded(text);
    let bare = full.trim_end_matches(['.', '、', ',', '．']);
    let whole = bare.split_once('.').filter(|(whole, zeros)| {
        whole.chars().all(|c| c.is_ascii_digit()) && !zeros.is_empty() && zeros.chars().all(|c| c == '0')
    });
    let number = whole.map_or(bare, |(whole, _)| whole);
    if number.is_empty() {
        return Err((name, "empty; a row needs the number of its task".into()));
    }
    if number.chars().count() > MAX_NUMBER_CHARS {
        return Err((name, format!("longer than {MAX_NUMBER_CHARS} characters")));
    }
    if !number.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '(' | ')')) {
        return Err((name, format!("{} may hold only letters, digits, . - _ ( )", excerpt(number))));
    }
    if number != text {
        repairs.push(Repair::new(row, name, text, number));
    }
    Ok(number.to_owned())
}

/// One text for the responsible units, in which the names of their columns are labels: some tables keep the
/// supporting units in a column of their own.
fn labelled(responsible: String, supporting: &str, leads: bool) -> String {
    let bare = |text: &str| !text.is_empty() && !text.contains([':', '：']);
    let mut text = responsible;
    if bare(&text) && (leads || !supporting.is_empty()) {
        text.insert_str(0, "牵头部门:");
    }
    if !supporting.is_empty() {
        text.truncate(text.trim_end_matches(['。', ';', '；']).len());
        text.push_str(if bare(supporting) { ";参与部门:" } else { ";" });
        text.push_str(supporting);
    }
    text
}

/// Adds the text of a row to that of the task whose merged cells it continues.
fn join(text: &mut String, more: &str, filled: bool) {
    if filled || more.is_empty() || text == more {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::super::xlsx_rows::tests::{cell, workbook};
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "序号,工作任务,主要内容,责任部门\n";

    fn csv(rows: &str) -> Table {
        read_table(format!("{HEADER}{rows}").as_bytes(), "table.csv").unwrap()
    }

    fn brief(table: &Table) -> Vec<(u32, &str, &str, &str, &str)> {
        table
            .rows
            .iter()
            .map(|r| (r.row, r.number.as_str(), r.title.as_str(), r.content.as_str(), r.responsible.as_str()))
            .collect()
    }

    fn rejected(table: &Table) -> Vec<(u32, &str)> {
        table.rejected.iter().map(|r| (r.row, r.field.as_str())).collect()
    }

    #[test]
    fn both_widths_delimiters_and_line_ends_give_the_same_rows() {
        let expected =
            [(2, "1", "提升服务", "做好,服务", "牵头部门:市商务局"), (4, "2", "提升质量", "", "市水务局")];
        for text in [
            "序号,工作任务,主要内容,责任部门\n1,提升服务,\"做好,服务\",牵头部门:市商务局\n\n2,提升质量,,市水务局\n,,,\n",
            "\u{feff}序号;重点任务;工作内容;责任单位\r\n1;提升服务;做好,服务;牵头部门:市商务局\r\n\r\n2;提升质量;;市水务局",
            " 序 号 \t任务\t内容\t责任部门（单位）\n1.0\t提升服务\t做好,服务\t牵头部门:市商务局\n\n2、\t提升质量\t\t市水务局",
        ] {
            let table = read_table(text.as_bytes(), "table.csv").unwrap();
            assert_eq!(brief(&table), expected, "{text}");
            assert_eq!((table.rows_read, table.rejected.total()), (2, 0));
        }
    }

    #[test]
    fn a_title_above_and_columns_beside_do_not_matter() {
        let table = read_table(
            "质量提升任务分解表,,,,\n,,,,\n编号,完成时限,任务名称,主要内容,牵头单位,配合单位\n1,年底,甲,乙,市商务局、市水务局。,团市委\n编号,完成时限,任务名称,主要内容,牵头单位,配合单位\n2,年底,丙,丁,市水务局,\n"
                .as_bytes(),
            "table.csv",
        )
        .unwrap();
        let expected = [
            (4, "1", "甲", "乙", "牵头部门:市商务局、市水务局;参与部门:团市委"),
            (6, "2", "丙", "丁", "牵头部门:市水务局"),
        ];
        assert_eq!(brief(&table), expected);
        let repairs: Vec<_> = table.repairs.iter().map(|r| (r.row, r.found.as_str())).collect();
        assert_eq!(repairs, [(3, "完成时限"), (5, "")]);
    }

    #[test]
    fn bad_rows_are_rejected_and_good_ones_kept() {
        let long = "质".repeat(MAX_CELL_CHARS + 1);
        let table = csv(&format!(
            "1,甲,乙,丙\n2,甲,乙\n3,甲,乙,丙,丁\n,甲,乙,丙\n5,,乙,丙\n1,甲,乙,丙\n7,甲\u{7},乙,丙\n8,甲,{long},丙\n备注：甲,甲,乙,丙\n10,\"甲\"乙\",乙,丙\n11,甲,乙,丙,,\n12,甲,乙\u{fffd},丙\n"
        ));
        assert_eq!(table.rows.iter().map(|r| r.number.as_str()).collect::<Vec<_>>(), ["1", "11"]);
        let expected = [
            (3, "row"),
            (4, "row"),
            (5, "序号"),
            (6, "工作任务"),
            (7, "序号"),
            (8, "工作任务"),
            (9, "主要内容"),
            (10, "序号"),
            (11, "row"),
            (13, "主要内容"),
        ];
        assert_eq!(rejected(&table), expected);
        assert_eq!(table.rows_read, 12);
    }

    #[test]
    fn blanks_and_numbers_are_set_right_and_reported() {
        let table = csv("１．,提 升\u{a0}服务,\u{3000}做好,牵头部门 :市商务局\n");
        assert_eq!(brief(&table), [(2, "1", "提升服务", "做好", "牵头部门 :市商务局")]);
        let repairs: Vec<_> =
            table.repairs.iter().map(|r| (r.row, r.field.as_str(), r.reading.as_str())).collect();
        let expected = [
            (2, "工作任务", "blanks inside Chinese text removed"),
            (2, "主要内容", "unusual blanks read as plain ones"),
            (2, "序号", "1"),
        ];
        assert_eq!(repairs, expected);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for (text, code) in [
            ("序号,工作任务,主要内容\n1,甲,乙\n", "IMPORT_MISSING_COLUMN"),
            ("name,age\nbob,3\n", "IMPORT_UNKNOWN_FORMAT"),
            ("序号,工作任务,主要内容,责任部门\n", "IMPORT_EMPTY_FILE"),
            ("\n\n \n", "IMPORT_EMPTY_FILE"),
            (",,,\n,,,\n", "IMPORT_EMPTY_FILE"),
            ("{\"plan\": {}}", "IMPORT_UNKNOWN_FORMAT"),
        ] {
            assert_eq!(read_table(text.as_bytes(), "t.csv").unwrap_err().code(), code, "{text}");
        }
        let many = "1,甲,乙,丙\n".repeat(MAX_ROWS + 1);
        let refused = read_table(format!("{HEADER}{many}").as_bytes(), "t.csv").unwrap_err();
        assert_eq!(refused, ImportError::TooManyCells { what: "rows", limit: MAX_ROWS });
    }

    #[test]
    fn gb18030_is_read() {
        let text =
            format!("{HEADER}1,提升农产品质量,推进标准化生产,牵头部门：市农业农村局；参与部门：市商务局。\n");
        let table = read_table(&encoding_rs::GB18030.encode(&text).0, "t.csv").unwrap();
        assert_eq!((table.encoding, table.rows.len(), table.repairs.total()), ("GB18030", 1, 1));
    }

    #[test]
    fn a_workbook_gives_the_same_rows() {
        let rows = [
            cell("A1", "质量提升任务分解表"),
            ["序号", "工作任务", "主要内容", "责任部门"]
                .iter()
                .zip('A'..)
                .map(|(t, c)| cell(&format!("{c}3"), t))
                .collect(),
            format!("<c r=\"A4\"><v>1</v></c>{}{}", cell("B4", "甲"), cell("D4", "市商务局")),
            format!("<c r=\"A5\"><f>A4+1</f><v>2.0</v></c>{}{}", cell("B5", "乙"), cell("C5", "丙\n丁")),
            format!("{}<c r=\"B6\" t=\"e\"><v>#REF!</v></c>", cell("A6", "3")),
            cell("C7", "\u{3000}"),
        ];
        let xml = format!("<row>{}</row>", rows.join("</row><row>"));
        let table =
            read_table(&workbook(&[("说明", &cell("A1", "无")), ("任务", &xml)], ""), "t.xlsx").unwrap();
        assert_eq!(brief(&table), [(4, "1", "甲", "", "市商务局"), (5, "2", "乙", "丙\n丁", "")]);
        assert_eq!(rejected(&table), [(6, "工作任务")]);
        assert_eq!((table.format, table.rows_read), (Format::TaskTableXlsx, 3));
    }

    #[test]
    fn merged_cells_are_followed() {
        let header: String = ["序号", "工作任务", "主要内容", "责任部门"]
            .iter()
            .zip('A'..)
            .map(|(t, c)| cell(&format!("{c}1"), t))
            .collect();
        let xml = format!(
            "<row>{header}</row><row>{}{}{}{}</row><row>{}{}</row><row>{}{}{}</row>",
            cell("A2", "1"),
            cell("B2", "甲"),
            cell("C2", "子"),
            cell("D2", "牵头部门:市商务局"),
            cell("C3", "丑"),
            cell("D3", "参与部门:团市委"),
            cell("A4", "2"),
            cell("B4", "乙"),
            cell("C4", "寅"),
        );
        let merged = "<mergeCells><mergeCell ref=\"A2:A3\"/><mergeCell ref=\"B2:B3\"/><mergeCell ref=\"D3:D1048576\"/></mergeCells>";
        let table = read_table(&workbook(&[("任务", &xml)], merged), "t.xlsx").unwrap();
        let expected = [
            (2, "1", "甲", "子\n丑", "牵头部门:市商务局\n参与部门:团市委"),
            (4, "2", "乙", "寅", "参与部门:团市委"),
        ];
        assert_eq!(brief(&table), expected);
        assert_eq!(table.repairs.iter().map(|r| r.row).collect::<Vec<_>>(), [3, 4]);
        // Half a task is worse than none.
        let table =
            read_table(&workbook(&[("任务", &xml.replace('子', "\u{fffd}"))], merged), "t.xlsx").unwrap();
        assert_eq!(rejected(&table), [(2, "主要内容"), (3, "row")]);
    }

    proptest! {
        #[test]
        fn any_rows_are_read_and_counted(rows in "[0-9,\"质 \n\r\t.]{0,120}") {
            if let Ok(table) = read_table(format!("{HEADER}{rows}").as_bytes(), "t.csv") {
                prop_assert!(table.rows.iter().all(|r| !r.number.is_empty() && !r.title.is_empty()));
                prop_assert_eq!(table.rows.len() + table.rejected.total(), table.rows_read as usize);
            }
        }
    }
}
