use super::*;
use crate::time::ReferenceFile;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}
fn started(on: &str, code: &str) -> Counted {
    Counted::Clock(vec![ClockFact::Started { on: day(on), code: code.into() }])
}
fn due_soon(code: &str, due_on: &str) -> Counted {
    Counted::DueSoon { code: code.into(), due_on: day(due_on) }
}
fn calendar(text: &str) -> ReferenceFile {
    ReferenceFile { name: "calendar.json".into(), text: text.into() }
}
fn rules(rules: &str) -> ReferenceFile {
    ReferenceFile {
        name: "rules.json".into(),
        text: format!(r#"{{ "subject": "规则", "rules": [{rules}] }}"#),
    }
}
fn with(calendars: &[ReferenceFile], rules: &[ReferenceFile]) -> TimeReference {
    let known = TimeReference::embedded();
    TimeReference {
        calendar: known.calendar.with(calendars).unwrap(),
        limits: known.limits.with(rules).unwrap(),
    }
}
fn rest_on_9_february() -> ReferenceFile {
    calendar(
        r#"{ "year": 2026, "version": 2, "note": "9 February is a day of rest", "workingDays": [],
            "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-01-05" },
            "holidays": [{ "name": "春节", "from": "2026-02-09", "to": "2026-02-09" }] }"#,
    )
}
fn notice_in_3_days() -> ReferenceFile {
    rules(
        r#"{ "code": "REPORT_FILING_NOTICE", "name": "告知", "value": 3, "unit": "WORKING_DAYS",
            "validFrom": "2020-01-01", "citation": "某办法第一条" }"#,
    )
}
fn move_of<K>(key: K, before: &str, after: &str) -> Moved<K> {
    Moved { key, before: Ok(Some(day(before))), after: Ok(Some(day(after))) }
}

#[test]
fn a_new_calendar_and_a_new_rule_list_what_they_move() {
    let (old, new) = (TimeReference::embedded(), with(&[rest_on_9_february()], &[notice_in_3_days()]));
    let counted = [
        ("over the new holiday", started("2026-02-06", "COMPLAINT_ACCEPTANCE")),
        ("of another year", started("2025-02-06", "COMPLAINT_ACCEPTANCE")),
        ("by the new rule", started("2025-03-03", "REPORT_FILING_NOTICE")),
        ("not to be counted, before and after", started("2026-12-31", "COMPLAINT_ACCEPTANCE")),
        ("said a day earlier", due_soon("TASK_DUE_SOON", "2026-02-12")),
        (
            "escalated later",
            Counted::WorkingDaysOverdue {
                code: "SUPERVISION_ESCALATION".into(),
                due_on: day("2026-02-05"),
                from: day("2026-02-06"),
            },
        ),
        (
            "in calendar days",
            Counted::CalendarDaysOverdue {
                code: "SUPERVISION_AFTER_OVERDUE".into(),
                due_on: day("2026-02-05"),
            },
        ),
    ];
    // 9 to 14 February with the make-up Saturday, then 24; with the correction: 10 to 13, 16 to 18.
    assert_eq!(
        moved(counted.clone(), &old, &new),
        [
            move_of("over the new holiday", "2026-02-24", "2026-02-18"),
            move_of("by the new rule", "2025-03-10", "2025-03-06"),
            // Five working days before the 12th: the 5th; without the 9th the 4th.
            move_of("said a day earlier", "2026-02-05", "2026-02-04"),
            // 9 to 13 February, and with the correction 10 to 13 and 16.
            move_of("escalated later", "2026-02-13", "2026-02-16"),
        ]
    );
    assert_eq!(moved(counted, &new, &new), []);
}

#[test]
fn a_limit_that_is_gone_and_a_year_that_arrives_say_why_there_is_no_day() {
    let (old, new) = (TimeReference::embedded(), TimeReference::default());
    let counted = [("task", started("2026-02-06", "TASK_ACCEPTANCE"))];
    let gone = Err(TimeError::LimitMissing { code: "TASK_ACCEPTANCE".into(), on: day("2026-02-06") });
    assert_eq!(
        moved(counted, &old, &new),
        [Moved { key: "task", before: Ok(Some(day("2026-02-13"))), after: gone }]
    );
    let year = calendar(
        r#"{ "year": 2027, "version": 1, "workingDays": [], "holidays": [],
            "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-11-23" } }"#,
    );
    let counted = [("task", started("2026-12-30", "TASK_ACCEPTANCE"))];
    assert_eq!(
        moved(counted, &old, &with(&[year], &[])),
        [Moved {
            key: "task",
            before: Err(TimeError::CalendarMissing { year: 2027 }),
            after: Ok(Some(day("2027-01-06"))),
        }]
    );
}

/// From 1 July 2026 tasks are said to be due soon ten working days before instead of five.
#[test]
fn a_reminder_follows_the_version_of_its_own_day() {
    let new = with(
        &[],
        &[rules(
            r#"{ "code": "TASK_DUE_SOON", "name": "提醒", "value": 5, "unit": "WORKING_DAYS",
                "validFrom": "2009-01-01", "validTo": "2026-06-30", "citation": "旧" },
            { "code": "TASK_DUE_SOON", "name": "提醒", "value": 10, "unit": "WORKING_DAYS",
                "validFrom": "2026-07-01", "citation": "新" }"#,
        )],
    );
    let on = |due_on: &str| due_soon("TASK_DUE_SOON", due_on).day(&new).unwrap().unwrap().to_string();
    assert_eq!(on("2026-06-30"), "2026-06-23", "by the old version");
    assert_eq!(
        on("2026-07-10"),
        "2026-07-01",
        "ten working days before is June: from the first day of the new one"
    );
    assert_eq!(on("2026-07-31"), "2026-07-17", "by the new version");
}

#[test]
fn what_differs_is_named_with_both_versions() {
    let (old, new) = (TimeReference::embedded(), with(&[rest_on_9_february()], &[notice_in_3_days()]));
    let found = Difference::between(&old, &new);
    assert_eq!(found.calendars, [CalendarChange { year: 2026, before: Some(1), after: Some(2) }]);
    let [change] = found.limits.as_slice() else { panic!("{:?}", found.limits) };
    assert_eq!(change.code, "REPORT_FILING_NOTICE");
    let value = |limit: &Option<TimeLimit>| limit.as_ref().map(|limit| limit.value);
    assert_eq!((value(&change.before), value(&change.after)), (Some(5), Some(3)));
    assert_eq!(Difference::between(&new, &new), Difference::default());
    let all = Difference::between(&old, &TimeReference::default());
    assert_eq!((all.calendars.len(), all.limits.len()), (18, old.limits.all().count()));
}

#[test]
fn the_reference_is_read_as_it_was_written() {
    let known = with(&[rest_on_9_february()], &[notice_in_3_days()]);
    let text = serde_json::to_string(&known).unwrap();
    assert_eq!(serde_json::from_str::<TimeReference>(&text).unwrap(), known);
}
