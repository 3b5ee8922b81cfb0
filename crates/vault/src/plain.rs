//! A plain value of a person: it is shown by nothing by accident, and wiped from memory when it is dropped.
use std::fmt;

use zeroize::Zeroizing;

/// A plain value. There is no way to log, compare or serialize it; who needs the text says so by [`Plain::reveal`].
pub struct Plain(Zeroizing<String>);

impl Plain {
    /// Takes a text over; the caller's copy is this one.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
    /// The text, for the one who may see it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain(…)")
    }
}
