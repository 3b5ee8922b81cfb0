//! The guard over the real schema: lexer, parser, validation, variables, measure.
//!
//! The input is a document, and behind a NUL its variables as JSON.
#![no_main]
use std::sync::LazyLock;

use async_graphql::Variables;
use libfuzzer_sys::fuzz_target;
use zhixing_api::{
    protocol::{Guard, Limits},
    server,
};

static GUARD: LazyLock<Guard> = LazyLock::new(|| server::bare_guard(&Limits::default()).unwrap());

fuzz_target!(|input: &str| {
    let (query, variables) = input.split_once('\0').unwrap_or((input, "{}"));
    let Ok(variables) = serde_json::from_str::<Variables>(variables) else { return };
    // The second time a document may be remembered as valid: the verdict must be the same.
    let verdicts = [0, 1].map(|_| {
        GUARD.check(query, None, variables.clone()).map(|checked| {
            let verdict = (checked.cost, checked.depth);
            drop(checked.into_request());
            verdict
        })
    });
    for refusal in verdicts.iter().filter_map(|verdict| verdict.as_ref().err()).flatten() {
        let code = refusal.extensions.as_ref().and_then(|extensions| extensions.get("code"));
        assert!(code.is_some(), "without a code: {refusal:?}");
    }
    let [first, again] = verdicts.map(|verdict| verdict.map_err(|errors| errors.len()));
    assert_eq!(first, again);
});
