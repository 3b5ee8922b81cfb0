//! Plan files (JSON): any bytes are read or refused in bounded words.
#![no_main]
use libfuzzer_sys::fuzz_target;
use zhixing_api::import::plan_file::{MAX_ROWS, read_plan};

fuzz_target!(|bytes: &[u8]| match read_plan(bytes) {
    Ok(file) => {
        assert!(file.tasks.len() <= MAX_ROWS && file.units.len() <= MAX_ROWS);
        assert!(file.indicators.len() <= MAX_ROWS && file.reporting_duties.len() <= MAX_ROWS);
        for rejection in file.check() {
            assert!(rejection.reason.chars().count() <= 2_000, "{rejection:?}");
        }
    }
    Err(refusal) => assert!(refusal.to_string().chars().count() <= 2_000, "{refusal}"),
});
