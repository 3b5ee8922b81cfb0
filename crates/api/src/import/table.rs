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
mod tests;
