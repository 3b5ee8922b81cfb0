//! What stands in arguments as text: ids, decimals, dates, periods, regions and cursors. What is taken is written as the
//! same again.
#![no_main]
use std::{fmt::Display, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use zhixing_api::graphql::{
    connection::{By, Holds},
    region::Region,
};
use zhixing_domain::{Amount, Date, Id, Period, RegionCode, id::GlobalId, programme::plan::Plan};

/// An order over each sort of values.
const ORDERS: [By; 4] = [
    By::column("title", Holds::Text),
    By::nullable("due_on", Holds::Date),
    By::column("version", Holds::Number),
    By::column("id", Holds::Key),
];

fn comes_back<T: FromStr + Display + PartialEq>(text: &str) {
    let Ok(value) = text.parse::<T>() else { return };
    let written = value.to_string();
    assert!(written.parse::<T>().is_ok_and(|again| again == value), "{text:?} is written as {written:?}");
}

fn is_a_place_or_refused(cursor: &str) {
    for by in ORDERS {
        match by.place("after", cursor) {
            Ok(place) => assert!(place.value.is_some() || by.sort.nullable || by.holds == Holds::Key),
            Err(refusal) => assert!(refusal.extensions.is_some(), "without a code: {refusal:?}"),
        }
    }
}

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<GlobalId>() {
        assert_eq!(id.to_string(), text, "two texts for one id");
    }
    comes_back::<Id<Plan>>(text);
    comes_back::<Amount>(text);
    comes_back::<Date>(text);
    comes_back::<Period>(text);
    comes_back::<RegionCode>(text);
    let _ = Region::by_id(text);
    // As it comes, and in the base64 that chance seldom writes.
    is_a_place_or_refused(text);
    is_a_place_or_refused(&URL_SAFE_NO_PAD.encode(text));
});
