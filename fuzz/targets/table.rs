//! Task tables as files: CSV in any encoding, XLSX as it comes.
#![no_main]
mod hook;

use libfuzzer_sys::fuzz_target;
use zhixing_api::import::table::read_table;

fuzz_target!(
    init: hook::only_ours(),
    |bytes: &[u8]| {
        for name in ["tasks.csv", "tasks.xlsx", "tasks"] {
            if let Err(refusal) = read_table(bytes, name) {
                assert!(refusal.to_string().chars().count() <= 2_000, "{refusal}");
            }
        }
    }
);
