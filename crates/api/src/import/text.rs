//! Small things about text that every reader needs: excerpts, blanks, full-width characters.

use std::borrow::Cow;

/// Most characters of the input that any message repeats.
pub const MAX_EXCERPT: usize = 80;

/// At most [`MAX_EXCERPT`] characters of `text`, with what is invisible made visible.
pub fn excerpt(text: &str) -> String {
    let mut shown = Vec::new();
    for c in text.chars() {
        if shown.len() > MAX_EXCERPT {
            break;
        }
        match c {
            '\n' => shown.push('⏎'),
            c if c != ' ' && (is_blank(c) || c.is_control() || is_invisible(c)) => {
                shown.extend(format!("<U+{:04X}>", u32::from(c)).chars());
            }
            c => shown.push(c),
        }
    }
    if shown.len() > MAX_EXCERPT {
        shown.truncate(MAX_EXCERPT - 1);
        shown.push('…');
    }
    shown.into_iter().collect()
}

/// Whether a character is a blank of any kind, line breaks included.
pub(super) fn is_blank(c: char) -> bool {
    c.is_whitespace()
}

/// Whether a character leaves no trace on the page: zero-width, direction marks, byte order marks.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a character is one that no cell may hold: a control character or the mark of a lost character.
pub(super) fn is_forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || c == '\u{fffd}'
}

/// The first character that no text may hold, as a reason to reject it.
pub(super) fn forbidden(text: &str) -> Option<String> {
    let (at, c) = text.chars().enumerate().find(|(_, c)| is_forbidden(*c))?;
    let kind = if c == '\u{fffd}' { "a lost character" } else { "a control character" };
    Some(format!("{kind} (U+{:04X}) at character {}; type the text again", u32::from(c), at + 1))
}

/// The half-width form of a full-width ASCII character; every other character as it is.
pub(super) fn half_width(c: char) -> char {
    match c {
        '！'..='～' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    }
}

/// Whether a character belongs to running Chinese text, where blanks mean nothing.
pub(super) fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{303f}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff01}'..='\u{ffee}' | '\u{20000}'..='\u{3ffff}')
}

/// Text with its blanks set right, and what was done to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cleaned {
    /// The text.
    pub(super) text: String,
    /// What was changed beyond trimming plain blanks; `None` when nothing was.
    pub(super) change: Option<&'static str>,
}

/// Sets blanks right: one plain blank between words, none between Chinese characters, none at the ends.
/// Line breaks stay (as `\n`) only when `keep_lines`. Invisible characters are dropped.
pub(super) fn clean(text: &str, keep_lines: bool) -> Cleaned {
    let mut out = String::with_capacity(text.len());
    let mut change = None;
    // A run of blanks is held back until the character after it says what it is worth.
    let (mut run, mut breaks) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| *c != '\r') {
        if is_invisible(c) {
            change = Some("invisible characters removed");
        } else if is_blank(c) {
            if c != ' ' && c != '\n' {
                change = change.or(Some("unusual blanks read as plain ones"));
            }
            run += 1;
            breaks += usize::from(c == '\n');
        } else {
            match out.chars().next_back() {
                None => {}
                Some(_) if run == 0 => {}
                Some(_) if keep_lines && breaks > 0 => out.push('\n'),
                Some(before) if is_chinese(before) && is_chinese(c) => {
                    change = Some("blanks inside Chinese text removed");
                }
                Some(_) => out.push(' '),
            }
            (run, breaks) = (0, 0);
            out.push(c);
        }
    }
    Cleaned { text: out, change }
}

/// Whether a spreadsheet program would compute a cell instead of showing it.
fn reads_as_formula(cell: &str) -> bool {
    let first = cell.chars().find(|c| !is_blank(*c) && !is_invisible(*c));
    first.is_some_and(|c| matches!(half_width(c), '=' | '+' | '-' | '@'))
}

/// A cell as it is written into delimited text: what a spreadsheet program would compute stands behind an apostrophe, which
/// makes it text.
pub fn guarded(cell: &str) -> Cow<'_, str> {
    if reads_as_formula(cell.trim_start_matches('\'')) { format!("'{cell}").into() } else { cell.into() }
}

/// A cell as it is read: without the apostrophe that [`guarded`] put there.
pub(super) fn unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if reads_as_formula(rest.trim_start_matches('\'')) => rest,
        _ => cell,
    }
}

/// A name as it is compared: half-width, without blanks.
pub(super) fn folded(text: &str) -> String {
    text.chars().filter(|c| !is_blank(*c) && !is_invisible(*c)).map(half_width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_inside_chinese_words_go_and_others_stay_single() {
        let cleaned = clean("  产 品\u{a0}质量 3 个\u{3000}ISO  9001 ", false);
        assert_eq!(cleaned.text, "产品质量 3 个 ISO 9001");
        assert_eq!(cleaned.change, Some("blanks inside Chinese text removed"));
        assert_eq!(clean("质量\u{a0}A", false).change, Some("unusual blanks read as plain ones"));
        assert_eq!(clean(" 质量 ", false), Cleaned { text: "质量".into(), change: None });
    }

    #[test]
    fn line_breaks_stay_only_where_they_mean_something() {
        assert_eq!(clean("一\r\n \n二", true), Cleaned { text: "一\n二".into(), change: None });
        assert_eq!(clean("一\n二", false).text, "一二");
    }

    #[test]
    fn excerpts_show_what_is_invisible() {
        assert_eq!(excerpt("a\0b\n\u{a0}c"), "a<U+0000>b⏎<U+00A0>c");
        assert_eq!(excerpt(&"质".repeat(80)), "质".repeat(80));
        assert_eq!(excerpt(&"质".repeat(81)), format!("{}…", "质".repeat(79)));
    }

    #[test]
    fn lost_and_control_characters_are_forbidden() {
        assert_eq!(forbidden("一\n二\t"), None);
        assert!(forbidden("质\u{7}").unwrap().contains("U+0007"));
        assert!(forbidden("\u{fffd}").unwrap().contains("lost"));
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing_more(text in ".{0,60}", keep_lines: bool) {
            let once = clean(&text, keep_lines);
            let twice = clean(&once.text, keep_lines);
            prop_assert_eq!(&twice.text, &once.text);
            prop_assert_eq!(twice.change, None);
        }
    }
}
