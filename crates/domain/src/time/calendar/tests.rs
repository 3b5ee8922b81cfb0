use super::*;
use proptest::prelude::*;

fn calendar() -> Calendar {
    Calendar::embedded().unwrap()
}
fn day(text: &str) -> Date {
    text.parse().unwrap()
}
/// A day of the years 2010 to 2025.
fn days() -> impl Strategy<Value = Date> {
    (0..365 * 16i64).prop_map(|offset| Date::from(day("2010-01-01").naive() + chrono::Duration::days(offset)))
}
fn file(text: &str) -> ReferenceFile {
    ReferenceFile { name: "more.json".into(), text: text.into() }
}
fn year(year: i32, version: u32, holidays: &str, working_days: &str) -> ReferenceFile {
    file(&format!(
        r#"{{ "year": {year}, "version": {version}, "holidays": [{holidays}], "workingDays": [{working_days}],
             "source": {{ "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" }} }}"#
    ))
}

#[test]
fn every_year_that_is_compiled_in_is_read() {
    let years: Vec<i32> = calendar().years().map(|year| year.year).collect();
    assert_eq!(years, (2009..=2026).collect::<Vec<_>>());
}

/// As the notices of the State Council say: 250 working days is the usual number.
#[test]
fn working_days_of_known_years() {
    for (from, to, count) in [("2017-12-31", "2018-12-31", 250), ("2018-12-31", "2019-12-31", 250)] {
        assert_eq!(calendar().working_days(day(from), day(to)), Ok(count), "{to}");
    }
}

#[test]
fn national_day_and_spring_festival() {
    let calendar = calendar();
    let add = |from: &str, days| calendar.add_working_days(day(from), days).unwrap().to_string();
    // 2018: holiday 1 to 7 October; 29 and 30 September (Saturday, Sunday) are worked.
    assert_eq!(add("2018-09-28", 1), "2018-09-29");
    assert_eq!(add("2018-09-28", 2), "2018-09-30");
    assert_eq!(add("2018-09-28", 3), "2018-10-08");
    // 2019: holiday 4 to 10 February; 2 and 3 February (Saturday, Sunday) are worked.
    assert_eq!(add("2019-02-01", 2), "2019-02-03");
    assert_eq!(add("2019-02-01", 3), "2019-02-11");
    // 2020: the Spring Festival was prolonged to 2 February.
    assert_eq!(add("2020-01-23", 1), "2020-02-03");
    // New Year 2013: 1 to 3 January.
    assert_eq!(add("2012-12-31", 1), "2013-01-04");
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let calendar = calendar();
    let missing = |year| TimeError::CalendarMissing { year };
    assert_eq!(calendar.add_working_days(day("2026-12-30"), 2), Err(missing(2027)));
    assert_eq!(calendar.working_days(day("2008-12-30"), day("2009-01-05")), Err(missing(2008)));
    // Only years that are touched are needed: day zero is not.
    assert_eq!(calendar.working_days(day("2008-12-31"), day("2009-01-05")), Ok(2));
    assert_eq!(calendar.reach(day("2026-12-30"), 5), Reach { until: day("2026-12-31"), missing: Some(2027) });
    assert_eq!(calendar.reach(day("2018-09-28"), 2), Reach { until: day("2018-10-07"), missing: None });
}

#[test]
fn too_many_days_are_refused() {
    assert_eq!(
        calendar().add_working_days(day("2018-01-01"), MOST_DAYS + 1),
        Err(TimeError::TooFar { field: "days" })
    );
}

#[test]
fn a_new_year_is_a_file_and_a_correction_a_higher_version() {
    let rest = r#"{ "name": "元旦", "from": "2027-01-01", "to": "2027-01-03" }"#;
    let more = calendar().with(&[year(2027, 1, rest, "")]).unwrap();
    assert_eq!(more.add_working_days(day("2026-12-31"), 1), Ok(day("2027-01-04")));
    let corrected = more.with(&[year(2027, 2, "", "")]).unwrap();
    assert_eq!(corrected.add_working_days(day("2026-12-31"), 1), Ok(day("2027-01-01")));
    let versions = corrected.versions(day("2026-12-31"), day("2027-01-01"));
    assert_eq!(
        versions,
        [CalendarVersion { year: 2026, version: 1 }, CalendarVersion { year: 2027, version: 2 }]
    );
    // An older file than the one that is known changes nothing.
    assert_eq!(corrected.with(&[year(2027, 1, rest, "")]), Ok(corrected));
}

#[test]
fn a_bad_file_is_refused_and_says_where() {
    let holiday =
        |from: &str, to: &str| format!(r#"{{ "name": "元旦", "from": "2027-{from}", "to": "2027-{to}" }}"#);
    let make_up = |date: &str| format!(r#"{{ "date": "{date}", "name": "元旦" }}"#);
    let two = |a: String, b: String| format!("{a}, {b}");
    let cases = [
        (file("{\n  \"year\": 2027,\n  oops"), "line 3, column 3"),
        (file(r#"{ "year": 2027, "vacations": [] }"#), "line 1, column 27"),
        (year(1800, 1, "", ""), "year"),
        (year(2027, 0, "", ""), "version"),
        (
            year(2027, 1, r#"{ "name": "", "from": "2027-01-01", "to": "2027-01-01" }"#, ""),
            "holidays[0].name",
        ),
        (year(2028, 1, &holiday("01-01", "01-01"), ""), "holidays[0].from"),
        (year(2027, 1, &holiday("01-03", "01-01"), ""), "holidays[0].to"),
        (year(2027, 1, &two(holiday("01-01", "01-03"), holiday("01-03", "01-04")), ""), "holidays[1].from"),
        (year(2027, 1, "", &make_up("2028-01-01")), "workingDays[0].date"),
        (year(2027, 1, "", &make_up("2027-01-04")), "workingDays[0].date"),
        (year(2027, 1, "", &two(make_up("2027-01-09"), make_up("2027-01-09"))), "workingDays[1].date"),
        (year(2027, 1, &holiday("01-02", "01-02"), &make_up("2027-01-02")), "workingDays[0].date"),
        // Says another thing than the year that is known under the same version.
        (year(2026, 1, "", ""), "version"),
    ];
    for (file, place) in cases {
        let error = calendar().with(std::slice::from_ref(&file)).unwrap_err();
        assert_eq!(
            (error.file.as_str(), error.place.as_str()),
            ("more.json", place),
            "{error}\n{}",
            file.text
        );
    }
    let twice = [year(2027, 1, "", ""), year(2027, 1, "", "")];
    assert_eq!(calendar().with(&twice).unwrap_err().place, "version");
}

#[test]
fn the_first_day_within_so_many_working_days() {
    let calendar = calendar();
    // Monday 17 to Monday 24 June 2019: five working days, the 24th counted.
    assert_eq!(calendar.first_within(day("2019-06-24"), 5), Ok(day("2019-06-17")));
    // A due date on a Sunday: from the Friday before the week on.
    assert_eq!(calendar.first_within(day("2019-06-23"), 5), Ok(day("2019-06-14")));
    assert_eq!(calendar.first_within(day("2019-06-21"), 0), Ok(day("2019-06-21")));
}

proptest! {
    #[test]
    fn adding_and_counting_agree(from in days(), count in 0..200u32) {
        let calendar = calendar();
        let to = calendar.add_working_days(from, count).unwrap();
        prop_assert_eq!(calendar.working_days(from, to), Ok(i64::from(count)));
        prop_assert_eq!(calendar.working_days(to, from), Ok(-i64::from(count)));
        prop_assert!(count == 0 || calendar.is_working_day(to).unwrap());
    }

    #[test]
    fn counting_adds_up(a in days(), b in days(), c in days()) {
        let calendar = calendar();
        let count = |from, to| calendar.working_days(from, to).unwrap();
        prop_assert_eq!(count(a, b) + count(b, c), count(a, c));
    }

    #[test]
    fn reach_and_first_within_are_two_sides_of_one_thing(today in days(), due in days(), count in 0..30u32) {
        let calendar = calendar();
        let within = calendar.first_within(due, count).unwrap() <= today;
        prop_assert_eq!(within, due <= calendar.reach(today, count).until || due < today);
        let first = calendar.first_within(due, count).unwrap();
        prop_assert!(calendar.working_days(first, due).unwrap() <= i64::from(count));
        prop_assert!(calendar.working_days(previous(first).unwrap(), due).unwrap() > i64::from(count));
    }
}
