//! The cell of responsible units.
#![no_main]
use libfuzzer_sys::fuzz_target;
use zhixing_api::import::responsible::{is_open_group, normalised, parse_responsible};

fuzz_target!(|cell: &str| {
    let once = normalised(cell);
    assert_eq!(normalised(&once), once, "a cell in its normal form changes once more");
    let _ = is_open_group(cell);
    let (first, again) = (parse_responsible(cell), parse_responsible(cell));
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
});
