//! Reads a document character by character before the parser does: counts tokens, bounds nesting (the parser
//! recurses), refuses control characters, and writes the escapes that the parser does not know as plain
//! characters.

use crate::protocol::{Limits, error};
use async_graphql::{Pos, ServerError};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

/// Brackets open at the same time.
const NESTING: usize = 64;
/// Characters of a name; error messages repeat names.
const NAME_CHARS: usize = 128;

/// Checks `source` and returns it, with `\u{…}` and surrogate pairs replaced where there are any.
pub(super) fn scan<'a>(source: &'a str, limits: &Limits) -> Result<Cow<'a, str>, ServerError> {
    if source.len() > limits.query_bytes {
        return Err(error::limit("query_bytes", limits.query_bytes as u64));
    }
    let mut lexer = Lexer { source, at: 0, copied: 0, rewritten: String::new() };
    let mut brackets = Brackets::default();
    let mut tokens = 0_usize;
    while lexer.skip_ignored()? {
        tokens += 1;
        if tokens > limits.tokens {
            return Err(error::limit("tokens", limits.tokens as u64));
        }
        let start = lexer.at;
        let first = lexer.token()?;
        if let Some(twice) = brackets.see(first, &source[start..lexer.at]) {
            return Err(lexer.fail(format!("the input field `{twice}` is given twice")));
        }
        if brackets.open.len() > NESTING {
            return Err(error::limit("nesting", NESTING as u64));
        }
    }
    Ok(lexer.finish())
}

/// The brackets that are open, and the keys of the input objects among them: the parser keeps the last of two
/// equal keys without a word.
#[derive(Default)]
struct Brackets<'a> {
    open: Vec<Option<HashSet<&'a str>>>,
    /// How many brackets were open at the outermost `(`: a `{` inside it is an input object, not a selection.
    arguments_at: Option<usize>,
    last_name: Option<&'a str>,
}

impl<'a> Brackets<'a> {
    /// Takes the next token; answers a key that its object has already.
    fn see(&mut self, first: u8, token: &'a str) -> Option<&'a str> {
        let name = self.last_name.take();
        match first {
            b'(' | b'[' | b'{' => {
                let is_object = first == b'{' && self.arguments_at.is_some();
                if first == b'(' {
                    self.arguments_at.get_or_insert(self.open.len());
                }
                self.open.push(is_object.then(HashSet::new));
            }
            b')' | b']' | b'}' => {
                self.open.pop();
                if self.arguments_at == Some(self.open.len()) {
                    self.arguments_at = None;
                }
            }
            b':' => {
                if let (Some(Some(keys)), Some(name)) = (self.open.last_mut(), name)
                    && !keys.insert(name)
                {
                    return Some(name);
                }
            }
            _ if is_name_byte(first) && !first.is_ascii_digit() => self.last_name = Some(token),
            _ => {}
        }
        None
    }
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    /// Everything before this offset is already in `rewritten`.
    copied: usize,
    rewritten: String,
}

impl<'a> Lexer<'a> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.source.as_bytes().get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        self.source.as_bytes()[self.at..].starts_with(text.as_bytes())
    }

    fn fail(&self, message: impl AsRef<str>) -> ServerError {
        let before = &self.source[..self.source.floor_char_boundary(self.at)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let pos =
            Pos { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 };
        error::error_at(error::PARSE_FAILED, format!("syntax error: {}", message.as_ref()), pos)
    }

    /// The character here, which must not be a control character.
    fn character(&self) -> Result<Option<char>, ServerError> {
        match self.source[self.at..].chars().next() {
            Some(c) if c.is_control() && !matches!(c, '\t' | '\n' | '\r') => {
                Err(self.fail(format!("control character U+{:04X}", u32::from(c))))
            }
            other => Ok(other),
        }
    }

    /// Moves to the next token; false at the end.
    fn skip_ignored(&mut self) -> Result<bool, ServerError> {
        let mut comment = false;
        while let Some(c) = self.character()? {
            match c {
                '\n' | '\r' => comment = false,
                '#' => comment = true,
                ' ' | '\t' | ',' | '\u{feff}' => {}
                _ if comment => {}
                _ => return Ok(true),
            }
            self.at += c.len_utf8();
        }
        Ok(false)
    }

    /// Passes one token and returns its first byte.
    fn token(&mut self) -> Result<u8, ServerError> {
        let first = self.peek(0).unwrap_or_default();
        match first {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                self.at += 1;
            }
            b'.' if self.starts_with("...") => self.at += 3,
            b'"' if self.starts_with("\"\"\"") => self.block_string()?,
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.number()?,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.name()?,
            _ => return Err(self.fail("unexpected character")),
        }
        Ok(first)
    }

    fn name(&mut self) -> Result<(), ServerError> {
        let start = self.at;
        while self.peek(0).is_some_and(is_name_byte) {
            self.at += 1;
        }
        if self.at - start > NAME_CHARS {
            return Err(self.fail(format!("a name has more than {NAME_CHARS} characters")));
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ServerError> {
        if !self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.fail("malformed number"));
        }
        while self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ServerError> {
        if self.peek(0) == Some(b'-') {
            self.at += 1;
        }
        if self.peek(0) == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek(0) == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(0), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        match self.peek(0) {
            Some(byte) if byte == b'.' || is_name_byte(byte) => Err(self.fail("malformed number")),
            _ => Ok(()),
        }
    }

    fn block_string(&mut self) -> Result<(), ServerError> {
        self.at += 3;
        while let Some(c) = self.character()? {
            if self.starts_with("\\\"\"\"") {
                self.at += 4;
            } else if self.starts_with("\"\"\"") {
                self.at += 3;
                return Ok(());
            } else {
                self.at += c.len_utf8();
            }
        }
        Err(self.fail("a string is not closed"))
    }

    fn string(&mut self) -> Result<(), ServerError> {
        self.at += 1;
        while let Some(c) = self.character()? {
            match c {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\n' | '\r' => break,
                '\\' => self.escape()?,
                _ => self.at += c.len_utf8(),
            }
        }
        Err(self.fail("a string is not closed"))
    }

    fn escape(&mut self) -> Result<(), ServerError> {
        let start = self.at;
        match self.peek(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                return Ok(());
            }
            Some(b'u') => self.at += 2,
            _ => return Err(self.fail("unknown escape sequence")),
        }
        let (code, plain) = self.code_point()?;
        let c = char::from_u32(code).ok_or_else(|| self.fail("an escape names no character"))?;
        if !plain {
            self.rewritten.push_str(&self.source[self.copied..start]);
            if c.is_control() || matches!(c, '"' | '\\') {
                // Writing to a string does not fail.
                let _ = write!(self.rewritten, "\\u{code:04x}");
            } else {
                self.rewritten.push(c);
            }
            self.copied = self.at;
        }
        Ok(())
    }

    /// The code point after `\u`, and whether the parser reads this spelling itself.
    fn code_point(&mut self) -> Result<(u32, bool), ServerError> {
        if self.peek(0) == Some(b'{') {
            let digits = self.source[self.at + 1..].split('}').next().unwrap_or_default();
            let length = digits.len();
            if !(1..=8).contains(&length) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.fail("malformed \\u{…} escape"));
            }
            self.at += length + 1;
            if self.peek(0) != Some(b'}') {
                return Err(self.fail("malformed \\u{…} escape"));
            }
            self.at += 1;
            let code = self.source[self.at - 1 - length..self.at - 1].to_owned();
            return Ok((u32::from_str_radix(&code, 16).unwrap_or(u32::MAX), false));
        }
        let high = self.four_digits()?;
        if !(0xD800..0xDC00).contains(&high) || !self.starts_with("\\u") {
            return Ok((high, true));
        }
        self.at += 2;
        let low = self.four_digits()?;
        if !(0xDC00..0xE000).contains(&low) {
            return Err(self.fail("a surrogate without its pair"));
        }
        Ok((0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00), false))
    }

    fn four_digits(&mut self) -> Result<u32, ServerError> {
        let digits = self.source.as_bytes().get(self.at..self.at + 4).unwrap_or_default();
        let text = std::str::from_utf8(digits).ok().filter(|text| text.len() == 4 && !text.starts_with('+'));
        let code = text.and_then(|text| u32::from_str_radix(text, 16).ok());
        let code = code.ok_or_else(|| self.fail("malformed \\u escape"))?;
        self.at += 4;
        Ok(code)
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.source);
        }
        self.rewritten.push_str(&self.source[self.copied..]);
        Cow::Owned(self.rewritten)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}
