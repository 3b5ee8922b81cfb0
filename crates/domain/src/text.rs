//! What every text field must satisfy before a rule looks at it.
use crate::Rejection;

/// Most characters of a name or number.
pub const SHORT: usize = 100;
/// Most characters of a title.
pub const TITLE: usize = 200;
/// Most characters of a summary, reason or note.
pub const LONG: usize = 5_000;
/// Most entries of a list inside one command.
pub const LIST: usize = 200;

/// A text that must be there: not blank, at most `limit` characters, no control characters except line breaks.
///
/// # Errors
/// [`Rejection::Invalid`] naming the field.
pub fn required(field: &str, text: &str, limit: usize) -> Result<(), Rejection> {
    if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(Rejection::invalid(field, "must not be empty"));
    }
    optional(field, text, limit)
}

/// The same for a text that may be empty.
///
/// # Errors
/// [`Rejection::Invalid`] naming the field.
pub fn optional(field: &str, text: &str, limit: usize) -> Result<(), Rejection> {
    if text.chars().nth(limit).is_some() {
        return Err(Rejection::invalid(field, format!("is longer than {limit} characters")));
    }
    if text.chars().any(|c| c.is_control() && c != '\n' && c != '\r' && c != '\t' || turns_direction(c)) {
        return Err(Rejection::invalid(field, "contains a control character"));
    }
    Ok(())
}

/// Takes room on no screen: zero-width blanks and joiners, the byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

/// Makes a text look like another one by turning its direction.
fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The same for an optional field.
///
/// # Errors
/// [`Rejection::Invalid`] naming the field.
pub fn maybe(field: &str, text: Option<&String>, limit: usize) -> Result<(), Rejection> {
    text.map_or(Ok(()), |text| required(field, text, limit))
}

/// A list of texts: at most [`LIST`] of them, each well-formed.
///
/// # Errors
/// [`Rejection::Invalid`] naming the field and the place in the list.
pub fn list(field: &str, texts: &[String], limit: usize) -> Result<(), Rejection> {
    count(field, texts.len())?;
    texts.iter().enumerate().try_for_each(|(at, text)| required(&format!("{field}[{at}]"), text, limit))
}

/// A list must not be endless.
///
/// # Errors
/// [`Rejection::Invalid`] naming the field.
pub fn count(field: &str, entries: usize) -> Result<(), Rejection> {
    if entries > LIST {
        return Err(Rejection::invalid(field, format!("has more than {LIST} entries")));
    }
    Ok(())
}
