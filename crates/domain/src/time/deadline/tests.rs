use super::*;
use crate::time::TimeReference;
use proptest::prelude::*;

fn reference() -> TimeReference {
    TimeReference::embedded()
}
fn day(text: &str) -> Date {
    text.parse().unwrap()
}
fn started(on: &str, code: &str) -> ClockFact {
    ClockFact::Started { on: day(on), code: code.into() }
}
fn paused(on: &str) -> ClockFact {
    ClockFact::Paused { on: day(on) }
}
fn resumed(on: &str) -> ClockFact {
    ClockFact::Resumed { on: day(on) }
}
fn extended(on: &str, code: &str) -> ClockFact {
    ClockFact::Extended { on: day(on), code: code.into() }
}
fn of(facts: &[ClockFact]) -> Result<Deadline, TimeError> {
    let reference = reference();
    deadline(facts, &reference.limits, &reference.calendar)
}
fn due(facts: &[ClockFact]) -> String {
    of(facts).unwrap().due_on.unwrap().to_string()
}
/// A limit that no law knows, for arithmetic.
fn limit(value: u32, unit: TimeUnit) -> TimeLimit {
    let on = day("2009-01-01");
    let (code, name, citation) = ("TEST".into(), "试".into(), "某法".into());
    TimeLimit { code, name, value, unit, valid_from: on, valid_to: None, citation }
}
fn end(from: &str, value: u32, unit: TimeUnit) -> String {
    let calendar = reference().calendar;
    let mut counting = Counting { calendar: &calendar, pauses: &[], skipped: 0, calendars: Vec::new() };
    counting.add(day(from), &limit(value, unit)).unwrap().to_string()
}

/// Counted by hand with the notices for National Day 2018 and 2020 and the Spring Festivals of 2018, 2019 and 2020.
#[test]
fn known_cases() {
    // Monday 17 September 2018, seven working days: 18 to 21 (4), 25 to 27 (7); Mid-autumn is the 24th.
    assert_eq!(due(&[started("2018-09-17", "COMPLAINT_ACCEPTANCE")]), "2018-09-27");
    // Friday 21 September: 25 to 28 (4), the worked weekend 29 and 30 (6), 8 October (7).
    assert_eq!(due(&[started("2018-09-21", "COMPLAINT_ACCEPTANCE")]), "2018-10-08");
    // Wednesday 7 February 2018: 8, 9 (2), Sunday 11 (3), 12 to 14 (6), holiday 15 to 21, 22 (7).
    assert_eq!(due(&[started("2018-02-07", "COMPLAINT_ACCEPTANCE")]), "2018-02-22");
    // Wednesday 15 January 2020: 16, 17 (2), Sunday 19 (3), 20 to 23 (7); the holiday begins on the 24th.
    assert_eq!(due(&[started("2020-01-15", "COMPLAINT_ACCEPTANCE")]), "2020-01-23");
    // One day later: over the prolonged holiday to 3 February.
    assert_eq!(due(&[started("2020-01-16", "COMPLAINT_ACCEPTANCE")]), "2020-02-03");
    // Twenty working days from Friday 11 September 2020: 14 to 18 (5), 21 to 25 (10), Sunday 27 (11), 28 to 30 (14),
    // holiday 1 to 8 October, 9 (15), Saturday 10 (16), 12 to 15 (20).
    assert_eq!(due(&[started("2020-09-11", "LICENCE_DECISION")]), "2020-10-15");
    // Ninety calendar days from 5 July 2019 end on 3 October, in the holiday: 8 October.
    assert_eq!(due(&[started("2019-07-05", "CASE_DECISION")]), "2019-10-08");
    // Sixty calendar days from 26 February 2018 end on 27 April, a Friday.
    assert_eq!(due(&[started("2018-02-26", "COMPLAINT_MEDIATION")]), "2018-04-27");
    // From the 27th they end on Saturday 28 April, which is worked.
    assert_eq!(due(&[started("2018-02-27", "COMPLAINT_MEDIATION")]), "2018-04-28");
    // From the 28th on the 29th, a holiday to 1 May.
    assert_eq!(due(&[started("2018-02-28", "COMPLAINT_MEDIATION")]), "2018-05-02");
}

#[test]
fn months_and_years_end_on_the_day_of_the_same_number() {
    let months = |from, value| end(from, value, TimeUnit::Months);
    // 28 February 2018 is a Wednesday, 29 February 2016 a Monday.
    assert_eq!(months("2018-01-31", 1), "2018-02-28");
    assert_eq!(months("2018-01-29", 1), "2018-02-28");
    assert_eq!(months("2016-01-31", 1), "2016-02-29");
    assert_eq!(months("2016-01-30", 1), "2016-02-29");
    assert_eq!(months("2017-12-31", 6), "2018-07-02"); // 30 June is a Saturday
    assert_eq!(months("2018-02-28", 1), "2018-03-28"); // not the last of March
    let years = |from, value| end(from, value, TimeUnit::Years);
    assert_eq!(years("2016-02-29", 1), "2017-02-28");
    assert_eq!(years("2016-02-29", 4), "2020-03-02"); // 29 February 2020 is a Saturday
    assert_eq!(years("2017-09-03", 1), "2018-09-03");
    // Years of 53 weeks (2015, 2020) are years like any other.
    assert_eq!(years("2014-12-29", 1), "2015-12-29");
    assert_eq!(years("2019-12-30", 1), "2020-12-30");
}

#[test]
fn a_pause_is_not_counted() {
    let start = started("2019-06-03", "LICENCE_DECISION");
    // 4 to 28 June without Dragon Boat, 7 June: 18 of 20 by Friday 28; the 20th is Tuesday 2 July.
    assert_eq!(due(std::slice::from_ref(&start)), "2019-07-02");
    // From Wednesday 12 to Wednesday 19 June: 13, 14, 17, 18, 19 are not counted, five working days.
    let with = [start.clone(), paused("2019-06-12"), resumed("2019-06-19")];
    let found = of(&with).unwrap();
    assert_eq!((found.due_on, found.paused_days), (Some(day("2019-07-09")), 7));
    assert_eq!(found.started_on, day("2019-06-03"));
    // A pause that begins on a Saturday and ends on a Sunday takes nothing away.
    let weekend = [start.clone(), paused("2019-06-15"), resumed("2019-06-16")];
    assert_eq!(due(&weekend), "2019-07-02");
    // From Saturday to the Monday behind it: Monday.
    let monday = [start.clone(), paused("2019-06-15"), resumed("2019-06-17")];
    assert_eq!(due(&monday), "2019-07-03");
    // One that begins after the end changes nothing.
    assert_eq!(due(&[start.clone(), paused("2019-07-02"), resumed("2019-07-30")]), "2019-07-02");
}

#[test]
fn while_it_is_paused_nothing_is_due() {
    let calendar = reference().calendar;
    let found = of(&[started("2019-06-03", "LICENCE_DECISION"), paused("2019-06-12")]).unwrap();
    assert_eq!((found.due_on, found.paused_on), (None, Some(day("2019-06-12"))));
    // 4, 5, 6, 10, 11, 12 are six of twenty.
    for on in ["2019-06-12", "2019-12-31"] {
        assert_eq!(found.remaining_working_days(day(on), &calendar), Ok(14), "{on}");
    }
    assert_eq!(found.remaining_working_days(day("2019-06-10"), &calendar), Ok(16));
}

#[test]
fn remaining_days() {
    let calendar = reference().calendar;
    let facts = [started("2019-06-03", "LICENCE_DECISION"), paused("2019-06-12"), resumed("2019-06-19")];
    let found = of(&facts).unwrap();
    for (on, remaining) in [
        ("2019-06-03", 20),
        ("2019-06-12", 14),
        ("2019-06-17", 14),
        ("2019-06-19", 14),
        ("2019-06-20", 13),
        ("2019-07-09", 0),
        ("2019-07-10", -1),
        ("2019-07-14", -3),
    ] {
        assert_eq!(found.remaining_working_days(day(on), &calendar), Ok(remaining), "{on}");
    }
    let stopped = [started("2019-06-03", "LICENCE_DECISION"), ClockFact::Stopped { on: day("2019-06-28") }];
    let found = of(&stopped).unwrap();
    assert_eq!(found.remaining_working_days(day("2020-01-01"), &calendar), Ok(2));
}

#[test]
fn an_extension_counts_from_the_old_due_date() {
    let start = started("2019-06-03", "LICENCE_DECISION");
    let facts = [start, extended("2019-06-20", "LICENCE_DECISION_EXTENSION")];
    // Ten working days behind Tuesday 2 July.
    assert_eq!(due(&facts), "2019-07-16");
    let codes: Vec<_> = of(&facts).unwrap().limits.into_iter().map(|limit| limit.code).collect();
    assert_eq!(codes, ["LICENCE_DECISION", "LICENCE_DECISION_EXTENSION"]);
    // Ninety days end on 8 October 2019 (3 October is a holiday); thirty behind it are 7 November.
    let case = [started("2019-07-05", "CASE_DECISION"), extended("2019-09-30", "CASE_DECISION_EXTENSION")];
    assert_eq!(due(&case), "2019-11-07");
}

#[test]
fn the_versions_that_were_used_are_said() {
    let found = of(&[started("2019-12-20", "COMPLAINT_MEDIATION")]).unwrap();
    assert_eq!(found.limits[0].valid_from, day("2014-03-15"));
    // Only the end had to be looked up: 18 February 2020.
    assert_eq!(found.calendars, [CalendarVersion { year: 2020, version: 1 }]);
    let found = of(&[started("2020-12-21", "COMPLAINT_MEDIATION")]).unwrap();
    let years: Vec<i32> = found.calendars.iter().map(|calendar| calendar.year).collect();
    assert_eq!((found.limits[0].valid_from, years), (day("2020-01-01"), vec![2020, 2021]));
}

#[test]
fn what_is_missing_is_said() {
    assert_eq!(
        of(&[started("2026-12-25", "COMPLAINT_ACCEPTANCE")]),
        Err(TimeError::CalendarMissing { year: 2027 })
    );
    assert!(matches!(
        of(&[started("2013-01-04", "COMPLAINT_ACCEPTANCE")]),
        Err(TimeError::LimitMissing { .. })
    ));
    assert!(matches!(of(&[started("2019-01-04", "NO_SUCH")]), Err(TimeError::LimitMissing { .. })));
}

#[test]
fn what_cannot_have_happened_is_refused() {
    let start = || started("2019-06-03", "LICENCE_DECISION");
    let stopped = || ClockFact::Stopped { on: day("2019-06-04") };
    let cases = [
        (vec![], 0),
        (vec![paused("2019-06-03")], 0),
        (vec![start(), start()], 1),
        (vec![start(), paused("2019-06-02")], 1),
        (vec![start(), stopped(), paused("2019-06-05")], 2),
    ];
    for (facts, place) in cases {
        assert!(matches!(of(&facts), Err(TimeError::Facts { at, .. }) if at == place), "{facts:?}");
    }
    let many = vec![start(); MOST_FACTS + 1];
    assert!(matches!(of(&many), Err(TimeError::Facts { at: MOST_FACTS, .. })));
}

/// A day of the years 2010 to 2024.
fn days() -> impl Strategy<Value = Date> {
    (0..365 * 15i64).prop_map(|offset| Date::from(day("2010-01-01").naive() + chrono::Duration::days(offset)))
}
fn units() -> impl Strategy<Value = TimeUnit> {
    proptest::sample::select(TimeUnit::ALL)
}

fn limits(value: u32, unit: TimeUnit) -> TimeLimits {
    let text = format!(
        r#"{{ "subject": "test", "rules": [{{ "code": "TEST", "name": "试", "value": {value}, "unit": "{unit}",
             "validFrom": "2009-01-01", "citation": "某法" }}] }}"#
    );
    TimeLimits::default().with(&[crate::time::ReferenceFile { name: "test".into(), text }]).unwrap()
}

proptest! {
    #[test]
    fn a_longer_limit_and_a_later_start_never_end_earlier(
        from in days(), unit in units(), value in 1..12u32, more in 0..3u32, later in 0..40i64
    ) {
        let calendar = reference().calendar;
        // At most a year: the calendar ends.
        let (value, more) = if unit == TimeUnit::Years { (1, 0) } else { (value, more) };
        let due = |on: Date, value| {
            let facts = [ClockFact::Started { on, code: "TEST".into() }];
            deadline(&facts, &limits(value, unit), &calendar).unwrap().due_on.unwrap()
        };
        let first = due(from, value);
        prop_assert!(first > from && first <= due(from, value + more));
        prop_assert!(first <= due(Date::from(from.naive() + chrono::Duration::days(later)), value));
        prop_assert!(calendar.is_working_day(first).unwrap());
    }

    #[test]
    fn a_pause_of_n_working_days_moves_the_end_by_n_working_days(
        from in days(), value in 2..60u32, after in 0..40i64, length in 0..40i64
    ) {
        let TimeReference { calendar, .. } = reference();
        let limits = limits(value, TimeUnit::WorkingDays);
        let due = |facts: &[ClockFact]| deadline(facts, &limits, &calendar).unwrap();
        let start = ClockFact::Started { on: from, code: "TEST".into() };
        let plain = due(std::slice::from_ref(&start)).due_on.unwrap();
        let later = |days| Date::from(from.naive() + chrono::Duration::days(days));
        let (begin, finish) = (later(after), later(after + length));
        prop_assume!(begin < plain);
        let with = [start, ClockFact::Paused { on: begin }, ClockFact::Resumed { on: finish }];
        let found = due(&with);
        let n = u32::try_from(calendar.working_days(begin, finish).unwrap()).unwrap();
        prop_assert_eq!(found.due_on.unwrap(), calendar.add_working_days(plain, n).unwrap());
        // Whatever the pauses: as many days are left at the start as the limit has.
        prop_assert_eq!(found.remaining_working_days(from, &calendar), Ok(i64::from(value)));
    }

    #[test]
    fn pausing_and_resuming_twice_is_pausing_and_resuming_once(
        from in days(), unit in units(), after in 0..20i64, gap in 0..20i64, length in 0..20i64
    ) {
        let TimeReference { calendar, .. } = reference();
        let limits = limits(1, unit);
        let later = |days| Date::from(from.naive() + chrono::Duration::days(days));
        let start = ClockFact::Started { on: from, code: "TEST".into() };
        let (begin, finish) = (later(after), later(after + gap + length));
        let once = [start.clone(), ClockFact::Paused { on: begin }, ClockFact::Resumed { on: finish }];
        let twice = [
            start,
            ClockFact::Resumed { on: from },
            ClockFact::Paused { on: begin },
            ClockFact::Paused { on: later(after + gap) },
            ClockFact::Resumed { on: finish },
            ClockFact::Resumed { on: later(after + gap + length + 1) },
        ];
        prop_assert_eq!(deadline(&once, &limits, &calendar), deadline(&twice, &limits, &calendar));
    }

    #[test]
    fn a_deadline_counted_again_is_the_same_wherever_it_is_cut(
        from in days(), first in 1..40u32, second in 1..40u32
    ) {
        // Working days add up: a limit and its extension are one limit of both.
        let TimeReference { calendar, .. } = reference();
        let mut counting = Counting { calendar: &calendar, pauses: &[], skipped: 0, calendars: Vec::new() };
        let add = |counting: &mut Counting<'_>, from, value| {
            counting.add(from, &limit(value, TimeUnit::WorkingDays)).unwrap()
        };
        let middle = add(&mut counting, from, first);
        prop_assert_eq!(add(&mut counting, middle, second), add(&mut counting, from, first + second));
    }
}
