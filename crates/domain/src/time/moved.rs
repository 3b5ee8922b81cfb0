//! What a new calendar or a new version of a rule moves (期限变动).
use super::{ClockFact, TimeError, TimeReference, deadline};
use crate::Date;

/// A deadline that is another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved<K> {
    /// Whose it is.
    pub key: K,
    /// The last day as it was counted before, or why there was none; none while the clock is paused.
    pub before: Result<Option<Date>, TimeError>,
    /// The last day as it is counted now, or why there is none any more.
    pub after: Result<Option<Date>, TimeError>,
}

/// Every one of these clocks whose last day differs between two states of the reference data.
pub fn moved<'c, K: Clone + 'c>(
    clocks: impl IntoIterator<Item = (&'c K, &'c [ClockFact])>,
    before: &TimeReference,
    after: &TimeReference,
) -> Vec<Moved<K>> {
    let due = |facts: &[ClockFact], by: &TimeReference| {
        deadline(facts, &by.limits, &by.calendar).map(|deadline| deadline.due_on)
    };
    let compare = |(key, facts): (&K, &[ClockFact])| {
        let (before, after) = (due(facts, before), due(facts, after));
        (before != after).then(|| Moved { key: key.clone(), before, after })
    };
    clocks.into_iter().filter_map(compare).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ReferenceFile;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }
    fn started(on: &str, code: &str) -> Vec<ClockFact> {
        vec![ClockFact::Started { on: day(on), code: code.into() }]
    }

    #[test]
    fn a_new_calendar_and_a_new_rule_list_what_they_move() {
        let old = TimeReference::embedded();
        let calendar = ReferenceFile {
            name: "2026.json".into(),
            text: r#"{ "year": 2026, "version": 2, "note": "9 February is a day of rest", "workingDays": [],
                "source": { "package": "a notice", "licence": "none", "retrievedOn": "2026-01-05" },
                "holidays": [{ "name": "春节", "from": "2026-02-09", "to": "2026-02-09" }] }"#
                .into(),
        };
        let rule = ReferenceFile {
            name: "rules.json".into(),
            text: r#"{ "subject": "投诉举报", "rules": [{ "code": "REPORT_FILING_NOTICE", "name": "告知", "value": 3,
                "unit": "WORKING_DAYS", "validFrom": "2020-01-01", "citation": "某办法第一条" }] }"#
                .into(),
        };
        let new = TimeReference {
            calendar: old.calendar.with(&[calendar]).unwrap(),
            limits: old.limits.with(&[rule]).unwrap(),
        };
        let clocks = [
            ("over the new holiday", started("2026-02-06", "COMPLAINT_ACCEPTANCE")),
            ("of another year", started("2025-02-06", "COMPLAINT_ACCEPTANCE")),
            ("by the new rule", started("2025-03-03", "REPORT_FILING_NOTICE")),
            ("not to be counted, before and after", started("2026-12-31", "COMPLAINT_ACCEPTANCE")),
        ];
        let moves = moved(clocks.iter().map(|(key, facts)| (key, facts.as_slice())), &old, &new);
        // 9 to 14 February with the make-up Saturday, then 24; with the correction: 10 to 13, 16 to 18.
        let move_of =
            |key, before, after| Moved { key, before: Ok(Some(day(before))), after: Ok(Some(day(after))) };
        assert_eq!(
            moves,
            [
                move_of("over the new holiday", "2026-02-24", "2026-02-18"),
                move_of("by the new rule", "2025-03-10", "2025-03-06"),
            ]
        );
        assert_eq!(moved(clocks.iter().map(|(key, facts)| (key, facts.as_slice())), &new, &new), []);
    }
}
