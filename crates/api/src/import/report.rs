//! What an import says about itself: what was read, repaired and rejected, and why a whole file is refused.

pub use zhixing_domain::programme::data_import::{ImportFormat as Format, Repair, RowRejection};

/// Most entries a list of findings keeps; the rest is only counted.
pub const MAX_FINDINGS: usize = 10_000;

/// An entry of a bounded list that can stand for those left out.
pub trait Finding {
    /// The last entry of a list from which `left_out` entries were dropped.
    fn and_more(left_out: usize) -> Self;
}

impl Finding for Repair {
    fn and_more(left_out: usize) -> Self {
        Self::new(0, "", "", format!("and {left_out} more"))
    }
}

impl Finding for RowRejection {
    fn and_more(left_out: usize) -> Self {
        Self::new(0, "", format!("and {left_out} more"))
    }
}

/// A list of at most [`MAX_FINDINGS`] entries that counts what it had to drop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings<T> {
    kept: Vec<T>,
    left_out: usize,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { kept: Vec::new(), left_out: 0 }
    }
}

impl<T: Finding> Findings<T> {
    /// Adds an entry, or counts it when the list is full.
    pub fn push(&mut self, entry: T) {
        if self.kept.len() < MAX_FINDINGS {
            self.kept.push(entry);
        } else {
            self.left_out += 1;
        }
    }

    /// Adds all entries of another list, its count of dropped ones included.
    pub fn append(&mut self, other: Self) {
        self.left_out += other.left_out;
        other.kept.into_iter().for_each(|entry| self.push(entry));
    }

    /// Entries seen, dropped ones included.
    pub fn total(&self) -> usize {
        self.kept.len() + self.left_out
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// The entries that were kept, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.kept.iter()
    }

    /// The list for the report, ending with "and N more" when entries were dropped.
    pub fn finish(mut self) -> Vec<T> {
        if self.left_out > 0 {
            self.kept.push(T::and_more(self.left_out));
        }
        self.kept
    }
}

impl<'a, T: Finding> IntoIterator for &'a Findings<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Finding> Extend<T> for Findings<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, entries: I) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }
}

/// Why a whole file is refused. Each message says what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// More bytes than are read.
    #[error("the file is larger than {} MiB; split it into several files", limit / (1024 * 1024))]
    TooLarge {
        /// Most bytes that are read.
        limit: usize,
    },
    /// Nothing in the file.
    #[error("the file is empty; export it again with its header row and its rows")]
    EmptyFile,
    /// The bytes are no text in a known encoding.
    #[error("the file is not readable text: {reason}; tried {tried}; save it as UTF-8 and import it again")]
    NotText {
        /// The encodings that were tried.
        tried: &'static str,
        /// What spoke against them.
        reason: String,
    },
    /// Neither a plan nor a task table.
    #[error("the kind of file is not known: {found}; import a plan as JSON or a task table as CSV or .xlsx")]
    UnknownFormat {
        /// What it looks like.
        found: String,
    },
    /// An Excel file of the old kind, or one locked with a password.
    #[error(
        "this is an old .xls workbook or one locked with a password; save it without password as .xlsx or CSV"
    )]
    OldExcel,
    /// Delimited text whose quotes cannot be followed.
    #[error("the CSV cannot be followed from row {row} on: {reason}; export it again with quoted cells")]
    BrokenCsv {
        /// Row, counted from 1.
        row: u32,
        /// What is wrong.
        reason: String,
    },
    /// A workbook that cannot be opened.
    #[error("the workbook cannot be read: {reason}; open it in Excel and save it again as .xlsx")]
    BrokenXlsx {
        /// What is wrong.
        reason: String,
    },
    /// Text that is not JSON.
    #[error("the JSON is broken at line {line}, column {column}: {reason}; correct it there")]
    BrokenJson {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong.
        reason: String,
    },
    /// An archive that inflates out of all proportion.
    #[error(
        "the workbook is refused as a zip bomb: {reason}; save only the sheet with the table as a new .xlsx"
    )]
    ZipBomb {
        /// The limit that was passed.
        reason: String,
    },
    /// More rows, cells or text than are read.
    #[error("the table has more than {limit} {what}; split it into several files")]
    TooManyCells {
        /// What is counted.
        what: &'static str,
        /// Most that are read.
        limit: usize,
    },
    /// A column that must be there is not.
    #[error(
        "no column {name} in the first {} rows; the header needs 序号, 工作任务 and 责任部门",
        super::table::MAX_HEADER_ROW
    )]
    MissingColumn {
        /// The name of the column.
        name: &'static str,
    },
    /// JSON that is not a plan.
    #[error("{path}: {reason}; correct it and import the file again")]
    Schema {
        /// Where, as in `tasks[17].dueOn`.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl ImportError {
    /// The stable code of the refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "IMPORT_TOO_LARGE",
            Self::EmptyFile => "IMPORT_EMPTY_FILE",
            Self::NotText { .. } => "IMPORT_NOT_TEXT",
            Self::UnknownFormat { .. } => "IMPORT_UNKNOWN_FORMAT",
            Self::OldExcel => "IMPORT_OLD_EXCEL",
            Self::BrokenCsv { .. } => "IMPORT_BROKEN_CSV",
            Self::BrokenXlsx { .. } => "IMPORT_BROKEN_XLSX",
            Self::BrokenJson { .. } => "IMPORT_BROKEN_JSON",
            Self::ZipBomb { .. } => "IMPORT_ZIP_BOMB",
            Self::TooManyCells { .. } => "IMPORT_TOO_MANY_CELLS",
            Self::MissingColumn { .. } => "IMPORT_MISSING_COLUMN",
            Self::Schema { .. } => "IMPORT_SCHEMA",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_list_counts_what_it_drops() {
        let mut findings = Findings::default();
        findings.extend((1..=10_003).map(|row| RowRejection::new(row, "序号", "empty")));
        let mut more = Findings::default();
        more.push(RowRejection::new(1, "序号", "empty"));
        findings.append(more);
        assert_eq!(findings.total(), 10_004);
        let list = findings.finish();
        assert_eq!(list.len(), MAX_FINDINGS + 1);
        assert_eq!(list[MAX_FINDINGS].reason, "and 4 more");
    }

    #[test]
    fn a_repair_shows_an_excerpt() {
        let repair = Repair::new(3, "主要内容", &"质".repeat(500), "kept");
        assert_eq!(repair.found.chars().count(), 80);
    }
}
