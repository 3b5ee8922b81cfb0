//! Tables to download (表格下载), as CSV and as XLSX: one way out for all of them.
use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use zhixing_domain::Viewer;
use zhixing_event_store::{Error, EventStore};

use crate::{
    identity::Identity,
    import::text::guarded,
    protocol::{Address, Authenticator, Later, Refused, Said, Till},
};

mod workbook;

/// Most rows of a table: as many as an import takes.
pub const MOST_ROWS: u64 = 20_000;

/// A table: its name, its columns with their widths in characters, its rows.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What it is called in a workbook.
    pub name: &'static str,
    /// Names and widths of its columns.
    pub columns: &'static [(&'static str, u8)],
    /// As many cells in each row as there are columns.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// UTF-8 with a byte order mark, so that Excel reads it as such; no cell is a formula.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn csv(&self) -> Result<Vec<u8>, String> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer("\u{FEFF}".as_bytes().to_vec());
        let failed = |error: csv::Error| error.to_string();
        writer.write_record(self.columns.iter().map(|(name, _)| name)).map_err(failed)?;
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|cell| guarded(cell)).collect();
            writer.write_record(cells.iter().map(|cell| cell.as_bytes())).map_err(failed)?;
        }
        writer.into_inner().map_err(|error| error.to_string())
    }
    /// A workbook of one sheet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn xlsx(&self) -> Result<Vec<u8>, String> {
        workbook::of(self).map_err(|error| error.to_string())
    }
}

/// As what a table is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values.
    Csv,
    /// A workbook of Excel.
    Xlsx,
}

impl Format {
    const fn end(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

/// Why there is no table.
#[derive(Debug)]
pub enum NoTable {
    /// The request is at fault.
    Refused(StatusCode, String),
    /// The service is.
    Failed(Error),
}

impl From<Error> for NoTable {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Who asks for a download, and where it is read.
#[derive(Clone, Debug)]
pub struct Downloads {
    /// The log and its views.
    pub store: EventStore,
    /// Who is at the door.
    pub identity: Identity,
    /// Where they pay.
    pub till: Till,
}

/// What a download costs at least: that somebody is looked up and asks the database.
const LEAST: u64 = 1_000;

/// What tells who asks for a download: its headers, and where it comes from.
#[derive(Debug)]
pub struct Caller {
    headers: HeaderMap,
    address: Option<Address>,
}

impl Caller {
    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
    /// Where it comes from.
    pub fn address(&self) -> Option<Address> {
        self.address
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { headers: parts.headers.clone(), address: parts.extensions.get::<Address>().copied() })
    }
}

impl Downloads {
    /// A table as a file of this name, made for whoever asks.
    pub async fn answer(
        &self,
        caller: &Caller,
        name: &str,
        format: Format,
        table: impl AsyncFnOnce(&Viewer) -> Result<Sheet, NoTable>,
    ) -> Response {
        let said = match Said::of(&caller.headers) {
            Ok(said) => self.identity.authenticate(&said).await,
            Err(refused) => Err(refused),
        };
        let visitor = match said {
            Ok(visitor) => visitor,
            Err(Refused { reason, what }) => return (what.status(), reason).into_response(),
        };
        // A value in a cell costs what a value in an answer does.
        let purchase = match self.till.open(Identity::name(&visitor), caller.address, LEAST) {
            Ok(purchase) => purchase,
            Err(later) => return come_back(later),
        };
        let table = table(&visitor.viewer).await;
        if let Ok(sheet) = &table
            && let Err(later) = purchase.settle((sheet.rows.len() * sheet.columns.len()) as u64)
        {
            return come_back(later);
        }
        let made = match table {
            Ok(sheet) if format == Format::Csv => sheet.csv(),
            Ok(sheet) => sheet.xlsx(),
            Err(NoTable::Refused(status, reason)) => return (status, reason).into_response(),
            Err(NoTable::Failed(error)) => Err(error.to_string()),
        };
        match made {
            Ok(bytes) => {
                let file = file_name(name, format.end());
                let said = [
                    (header::CONTENT_TYPE, format.content_type().to_owned()),
                    (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")),
                    // What is seen depends on who asks.
                    (header::CACHE_CONTROL, "no-store".to_owned()),
                ];
                (said, bytes).into_response()
            }
            Err(error) => {
                tracing::error!(%error, "a table cannot be made");
                (StatusCode::SERVICE_UNAVAILABLE, "the table cannot be made now").into_response()
            }
        }
    }
}

/// The answer to a client that has to wait.
fn come_back(Later { reason, seconds }: Later) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], reason).into_response()
}

/// A name that no browser or system takes otherwise than it is meant: ASCII letters, digits, `-`, `_` and single dots.
fn file_name(name: &str, end: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("{}.{end}", name.chars().take(70).map(safe).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_plain_name() {
        assert_eq!(file_name("GS-2011-tasks", "csv"), "GS-2011-tasks.csv");
        assert_eq!(file_name("a\"; x=\r\n../b", "xlsx"), "a___x______b.xlsx");
    }
}
