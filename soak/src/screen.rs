//! Words for the person at the terminal.

/// A line of progress.
pub(crate) fn say(line: &str) {
    #[expect(clippy::print_stdout, reason = "what the person at the terminal reads")]
    {
        println!("{line}");
    }
}

/// The last word of a command that failed.
pub(crate) fn fail(line: &str) {
    #[expect(clippy::print_stderr, reason = "the last word to the person at the terminal")]
    {
        eprintln!("soak: FAILED: {line}");
    }
}
