use super::*;
use crate::{
    Fact, Viewer,
    spec::{given, office},
};
use uuid::Uuid;

fn unit(number: u128) -> Id<Unit> {
    Id::new(Uuid::from_u128(number))
}
fn id() -> Id<ReportingDuty> {
    Id::new(Uuid::from_u128(9))
}
fn date(text: &str) -> Date {
    text.parse().unwrap()
}
fn schedule(cadence: Cadence) -> ReportingSchedule {
    ReportingSchedule {
        cadence,
        due_days: 0,
        open_days: 30,
        holds_from: date("2011-03-18"),
        holds_until: date("2015-12-31"),
    }
}
fn county() -> EstablishReportingDuty {
    let party = |addressee| ReportingParty { reporter_id: unit(1), addressee_id: unit(addressee) };
    EstablishReportingDuty {
        plan_id: Id::new(Uuid::from_u128(7)),
        what: "县级质量状况报告".into(),
        asks_for: ReportSubject::StatusAnalysis,
        schedule: schedule(Cadence::Quarterly),
        parties: vec![party(2), party(3)],
        note: None,
    }
}
fn facts(status: &str) -> Facts {
    let fact = |kind, id, status: &str| Fact {
        kind,
        id,
        status: status.into(),
        region: "620000".parse().ok(),
        belongs_to: None,
    };
    let units = [1, 2, 3].map(|number| fact(Kind::Unit, unit(number).uuid(), status));
    let plan = fact(Kind::Plan, Uuid::from_u128(7), "IN_FORCE");
    Facts { objects: std::iter::once(plan).chain(units).collect(), ..Facts::default() }
}
fn established() -> (&'static str, ReportingDutyEvent) {
    let EstablishReportingDuty { plan_id, what, asks_for, schedule, parties, note } = county();
    let region_code = "620000".parse().unwrap();
    ("ann", ReportingDutyEvent::Established { plan_id, region_code, what, asks_for, schedule, parties, note })
}

/// Every period of a schedule with its opening and due dates.
fn periods(schedule: &ReportingSchedule) -> Vec<(String, String, String)> {
    let mut periods = Vec::new();
    let mut next = schedule.first();
    while let Some(period) = next {
        let days = (schedule.opens_on(period).to_string(), schedule.due_on(period).to_string());
        periods.push((period.to_string(), days.0, days.1));
        next = schedule.after(period);
    }
    periods
}
fn row(period: &str, opens_on: &str, due_on: &str) -> (String, String, String) {
    (period.into(), opens_on.into(), due_on.into())
}

#[test]
fn the_two_addressees_of_a_county_are_two_parties() {
    given::<ReportingDuty>([]).with(facts("ACTIVE")).when(&office("ann"), county()).then([established().1]);
}

#[test]
fn periods_run_over_the_life_of_the_duty() {
    let quarters = periods(&schedule(Cadence::Quarterly));
    assert_eq!(quarters.len(), 20);
    assert_eq!(quarters[0], row("2011Q1", "2011-03-01", "2011-03-31"));
    assert_eq!(quarters[19], row("2015Q4", "2015-12-01", "2015-12-31"));
    // From the first whole quarter behind the issue of the plan.
    let whole = ReportingSchedule { holds_from: date("2011-04-01"), ..schedule(Cadence::Quarterly) };
    assert_eq!(periods(&whole)[0], row("2011Q2", "2011-05-31", "2011-06-30"));
    // Ten days behind the end of the half-year, the last of which is due too late.
    let behind = ReportingSchedule { due_days: 10, ..schedule(Cadence::SemiAnnual) };
    assert_eq!(periods(&behind)[0], row("2011H1", "2011-06-10", "2011-07-10"));
    assert_eq!(periods(&behind).len(), 9);
    // A plan for the coming year, due before that year begins: 2013 has 365 days.
    let ahead = ReportingSchedule { due_days: -365, open_days: 0, ..schedule(Cadence::Annual) };
    assert!(periods(&ahead).contains(&row("2013", "2012-12-31", "2012-12-31")));
    assert!(periods(&schedule(Cadence::Monthly)).contains(&row("2012-02", "2012-01-30", "2012-02-29")));
}

#[test]
fn a_schedule_must_leave_a_period() {
    for (field, wrong) in [
        ("schedule.dueDays", ReportingSchedule { due_days: 367, ..schedule(Cadence::Annual) }),
        ("schedule.openDays", ReportingSchedule { open_days: -1, ..schedule(Cadence::Annual) }),
        (
            "schedule.holdsUntil",
            ReportingSchedule { holds_until: date("2011-03-17"), ..schedule(Cadence::Quarterly) },
        ),
        (
            "schedule.holdsUntil",
            ReportingSchedule { holds_until: date("2011-12-30"), ..schedule(Cadence::Annual) },
        ),
    ] {
        let command = EstablishReportingDuty { schedule: wrong, ..county() };
        let refused = given::<ReportingDuty>([]).with(facts("ACTIVE")).when(&office("ann"), command);
        assert!(refused.then_rejected("INVALID_INPUT").to_string().starts_with(field));
    }
}

#[test]
fn parties_are_two_units_that_exist_and_stand_once() {
    let same = ReportingParty { reporter_id: unit(1), addressee_id: unit(1) };
    let twice = county().parties[0];
    for parties in [vec![], vec![same], vec![twice, twice]] {
        let command = EstablishReportingDuty { parties, ..county() };
        given::<ReportingDuty>([])
            .with(facts("ACTIVE"))
            .when(&office("ann"), command)
            .then_rejected("INVALID_INPUT");
    }
    given::<ReportingDuty>([])
        .with(facts("MERGED"))
        .when(&office("ann"), county())
        .then_rejected("INVALID_INPUT");
}

/// Tests ask on 1 January 1970: only what was due then can open.
#[test]
fn periods_open_in_order_on_their_day_and_by_the_clock() {
    let old = ReportingSchedule {
        holds_from: date("1969-12-01"),
        holds_until: date("1970-12-31"),
        ..schedule(Cadence::Quarterly)
    };
    let (actor, event) = established();
    let ReportingDutyEvent::Established { plan_id, region_code, what, asks_for, parties, note, .. } = event
    else {
        return;
    };
    let event = ReportingDutyEvent::Established {
        plan_id,
        region_code,
        what,
        asks_for,
        schedule: old,
        parties,
        note,
    };
    let open = |period: &str| OpenReportingPeriod { id: id(), period: period.parse().unwrap() };
    let opened =
        ReportingDutyEvent::PeriodOpened { period: "1969Q4".parse().unwrap(), due_on: date("1969-12-31") };
    let duty = || given::<ReportingDuty>([(actor, event.clone())]);
    duty().when(&office("ann"), open("1969Q4")).then_rejected("NOT_PERMITTED");
    duty().when(&Viewer::scheduler(), open("1970Q1")).then_rejected("RULE_VIOLATION");
    duty().when(&Viewer::scheduler(), open("1969Q4")).then([opened.clone()]);
    let next = || given::<ReportingDuty>([(actor, event.clone()), ("system", opened.clone())]);
    next().when(&Viewer::scheduler(), open("1969Q4")).then_rejected("RULE_VIOLATION");
    let early = next().when(&Viewer::scheduler(), open("1970Q1")).then_rejected("RULE_VIOLATION");
    assert!(early.to_string().contains("1970-03-01"), "{early}");
}

#[test]
fn an_ended_duty_opens_nothing() {
    let ended = ReportingDutyEvent::Ended { reason: "方案已总结".into() };
    let open = OpenReportingPeriod { id: id(), period: "2011Q1".parse().unwrap() };
    given::<ReportingDuty>([established(), ("ann", ended)])
        .when(&Viewer::scheduler(), open)
        .then_rejected("NOT_ALLOWED_IN_STATE");
}

#[test]
fn a_work_plan_plans_for_the_year_behind_its_period() {
    let planned = |subject: ReportSubject, period: &str| subject.planned_year(period.parse().unwrap());
    assert_eq!(planned(ReportSubject::WorkPlan, "2011"), Some(2012));
    assert_eq!(planned(ReportSubject::WorkPlan, "2011Q4"), Some(2012));
    for other in ReportSubject::ALL.iter().filter(|subject| **subject != ReportSubject::WorkPlan) {
        assert_eq!(planned(*other, "2011"), None, "{other}");
    }
}
