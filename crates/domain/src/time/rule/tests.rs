use super::*;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}
fn file(name: &str, rules: &[&str]) -> ReferenceFile {
    let text = format!(r#"{{ "subject": "test", "rules": [{}] }}"#, rules.join(", "));
    ReferenceFile { name: name.into(), text }
}
fn rule(code: &str, value: u32, from: &str, to: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(r#""validTo": "{to}", "#) };
    format!(
        r#"{{ "code": "{code}", "name": "时限", "value": {value}, "unit": "WORKING_DAYS", "validFrom": "{from}", {to}
             "citation": "某法第一条" }}"#
    )
}
fn refused(files: &[ReferenceFile]) -> FileError {
    TimeLimits::embedded().unwrap().with(files).unwrap_err()
}

#[test]
fn every_file_that_is_compiled_in_is_read() {
    let limits = TimeLimits::embedded().unwrap();
    assert_eq!(limits.on("LICENCE_DECISION", day("2018-06-01")).unwrap().value, 20);
    for limit in limits.all() {
        assert!(
            limit.citation.chars().any(|c| c == '法' || c == '则' || c == '定' || c == '例'),
            "{limit:?}"
        );
    }
}

/// Mediation took sixty days until the end of 2019, and takes forty-five working days since.
#[test]
fn a_case_is_judged_by_the_version_of_its_day() {
    let limits = TimeLimits::embedded().unwrap();
    let on = |date: &str| limits.on("COMPLAINT_MEDIATION", day(date)).map(|limit| (limit.value, limit.unit));
    assert_eq!(on("2019-12-31"), Ok((60, TimeUnit::CalendarDays)));
    assert_eq!(on("2020-01-01"), Ok((45, TimeUnit::WorkingDays)));
    let missing = TimeError::LimitMissing { code: "COMPLAINT_MEDIATION".into(), on: day("2014-03-14") };
    assert_eq!(on("2014-03-14"), Err(missing));
    assert_eq!(limits.versions("NO_SUCH_LIMIT"), []);
}

#[test]
fn a_further_file_ends_a_version_and_begins_the_next() {
    let old = rule("TASK_DUE_SOON", 5, "2009-01-01", "2027-06-30");
    let limits = TimeLimits::embedded()
        .unwrap()
        .with(&[file("a", &[&old, &rule("TASK_DUE_SOON", 3, "2027-07-01", "")])]);
    let limits = limits.unwrap();
    assert_eq!(limits.on("TASK_DUE_SOON", day("2027-06-30")).unwrap().value, 5);
    assert_eq!(limits.on("TASK_DUE_SOON", day("2027-07-01")).unwrap().value, 3);
}

#[test]
fn holes_and_overlaps_are_refused_and_name_both_versions() {
    let first = rule("A", 5, "2010-01-01", "2019-12-31");
    for (from, what) in [("2020-01-02", "leaves a hole"), ("2019-12-31", "overlaps")] {
        let error = refused(&[file("a", &[&first]), file("b", &[&rule("A", 7, from, "")])]);
        assert_eq!((error.file.as_str(), error.place.as_str()), ("b", "rules[0].validFrom"));
        for part in [what, "rules[0] of a (from 2010-01-01)", &format!("rules[0] of b (from {from})")] {
            assert!(error.reason.contains(part), "{error}");
        }
    }
    // A version that is known has no end: the file must give it one.
    let error = refused(&[file("a", &[&rule("TASK_DUE_SOON", 3, "2027-07-01", "")])]);
    assert!(error.reason.contains("has no end") && error.reason.contains(KNOWN), "{error}");
    let error = refused(&[file("a", &[&first]), file("b", &[&first])]);
    assert!(error.reason.contains("begins on that day too"), "{error}");
}

#[test]
fn a_bad_version_is_refused_and_says_where() {
    let cases = [
        (rule("lower", 5, "2010-01-01", ""), "rules[0].code"),
        (rule("A", 0, "2010-01-01", ""), "rules[0].value"),
        (rule("A", 3_661, "2010-01-01", ""), "rules[0].value"),
        (rule("A", 5, "2010-01-02", "2010-01-01"), "rules[0].validTo"),
        (rule("A", 5, "2010-01-01", "").replace("某法第一条", " "), "rules[0].citation"),
    ];
    for (bad, place) in cases {
        assert_eq!(refused(&[file("a", &[&bad])]).place, place, "{bad}");
    }
    let unit = rule("A", 5, "2010-01-01", "").replace("WORKING_DAYS", "WEEKS");
    assert!(refused(&[file("a", &[&unit])]).place.starts_with("line 1, column"));
}
