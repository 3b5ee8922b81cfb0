//! What the clock announces of an object (期限提醒): that it is due soon, that it has become overdue; each once for a due
//! date.
//!
//! Nothing here reads a clock: a scheduler asks, and is refused what is not so or was said before.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Aggregate, Date, Id, Rejection, text, time::CalendarVersion};

/// That something is due within so many working days, and how that was counted (到期提醒).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DueSoon {
    /// When it is due.
    pub due_on: Date,
    /// How many working days before that it is said.
    pub working_days: u32,
    /// The code of the rule that says how many.
    pub rule_code: String,
    /// The first day of the version of that rule.
    pub rule_valid_from: Date,
    /// The versions of the calendars that it was counted with.
    pub calendars: Vec<CalendarVersion>,
}

/// Announces that an object is due soon (提醒到期). Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", bound = "T: Aggregate")]
pub struct AnnounceDueSoon<T> {
    /// The object.
    pub id: Id<T>,
    /// What is announced.
    pub due_soon: DueSoon,
}

/// Announces that an object has become overdue (登记逾期). Only the scheduler does.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase", bound = "T: Aggregate")]
pub struct AnnounceOverdue<T> {
    /// The object.
    pub id: Id<T>,
    /// When it was due.
    pub due_on: Date,
}

/// What an object remembers of its due date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueClock {
    due_on: Option<Date>,
    /// When this due date was set.
    set_at: Option<DateTime<Utc>>,
    /// Whether it was announced that it is due soon.
    due_soon: bool,
    /// Whether it was announced that it is overdue.
    overdue: bool,
}

impl DueClock {
    /// Takes a due date; another one than before can be announced again.
    pub fn set(&mut self, due_on: Option<Date>, at: DateTime<Utc>) {
        if self.due_on != due_on {
            *self = Self { due_on, set_at: due_on.map(|_| at), due_soon: false, overdue: false };
        }
    }
    /// Remembers that it was announced as due soon.
    pub fn said_due_soon(&mut self) {
        self.due_soon = true;
    }
    /// Remembers that it was announced as overdue.
    pub fn said_overdue(&mut self) {
        self.overdue = true;
    }

    /// The due date that is still to be announced as due soon: not one that had passed when it was set.
    pub fn due_soon_pending(&self) -> Option<Date> {
        let set_on = Date::of(self.set_at?);
        self.due_on.filter(|due_on| !self.due_soon && set_on <= *due_on)
    }
    /// The due date that is still to be announced as overdue.
    pub fn overdue_pending(&self) -> Option<Date> {
        self.due_on.filter(|_| !self.overdue)
    }
    /// When this due date was set.
    pub fn set_at(&self) -> Option<DateTime<Utc>> {
        self.set_at
    }

    pub(crate) fn check_due_soon(&self, due_soon: &DueSoon) -> Result<(), Rejection> {
        text::required("dueSoon.ruleCode", &due_soon.rule_code, text::SHORT)?;
        text::count("dueSoon.calendars", due_soon.calendars.len())?;
        self.is_about("dueSoon.dueOn", due_soon.due_on)?;
        match self.due_soon_pending() {
            Some(_) => Ok(()),
            None => Err(announced()),
        }
    }

    pub(crate) fn check_overdue(&self, due_on: Date, today: Date) -> Result<(), Rejection> {
        self.is_about("dueOn", due_on)?;
        if today <= due_on {
            let message = format!("the last day, {due_on}, has not passed");
            return Err(Rejection::rule("overdue-after-the-last-day", message, None));
        }
        if self.overdue { Err(announced()) } else { Ok(()) }
    }

    fn is_about(&self, field: &str, due_on: Date) -> Result<(), Rejection> {
        if self.due_on == Some(due_on) {
            return Ok(());
        }
        Err(Rejection::invalid(field, "is not when it is due"))
    }
}

fn announced() -> Rejection {
    Rejection::rule("announced-once", "this due date is not to be announced, or was announced before", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }
    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn each_due_date_is_announced_once() {
        let mut clock = DueClock::default();
        assert_eq!((clock.due_soon_pending(), clock.overdue_pending()), (None, None));
        let (first, second) = (Some(date("2019-06-30")), Some(date("2019-07-31")));
        clock.set(first, at("2019-06-15T02:00:00Z"));
        assert_eq!((clock.due_soon_pending(), clock.overdue_pending()), (first, first));
        clock.said_due_soon();
        clock.said_overdue();
        // The same date again is nothing new.
        clock.set(first, at("2019-06-16T02:00:00Z"));
        assert_eq!((clock.due_soon_pending(), clock.overdue_pending()), (None, None));
        assert!(clock.check_overdue(date("2019-06-30"), date("2019-07-02")).is_err());
        clock.set(second, at("2019-07-01T02:00:00Z"));
        assert_eq!((clock.due_soon_pending(), clock.overdue_pending()), (second, second));
        assert!(clock.check_overdue(date("2019-06-30"), date("2019-08-02")).is_err(), "the old date");
        assert!(clock.check_overdue(date("2019-07-31"), date("2019-07-31")).is_err(), "the last day itself");
        assert!(clock.check_overdue(date("2019-07-31"), date("2019-08-01")).is_ok());
    }

    #[test]
    fn what_had_passed_when_it_was_set_was_never_due_soon() {
        let mut clock = DueClock::default();
        // Half past midnight of 1 July in China.
        clock.set(Some(date("2019-06-30")), at("2019-06-30T16:30:00Z"));
        assert_eq!((clock.due_soon_pending(), clock.overdue_pending()), (None, Some(date("2019-06-30"))));
    }
}
