//! The kinds that follow a plan up: duties, reports, supervision items, local plans, schemes and assessments.
use zhixing_api::graphql::{
    assessment, assessment_scheme, local_plan, plan, report, reporting_duty, supervision_item,
};
use zhixing_domain::{
    Amount, Date, Id, Viewer,
    performance::{
        assessment::{
            AnnounceAssessment, AppealAssessment, ApplyAssessmentResult, Assessment, DecideAssessmentAppeal,
            DecideAssessmentObjection, FinaliseAssessment, ObjectToAssessment, OpenAssessment,
            ReviewAssessment, ScoreAssessment, SubmitSelfAssessment, Vetoed,
        },
        assessment_scheme::{
            AmendAssessmentScheme, AssessmentScheme, DraftAssessmentScheme, IssueAssessmentScheme,
            RevokeAssessmentScheme,
        },
        attainment::Comparator,
        report::{
            AcceptReport, AnnounceReportOverdue, LockReport, OpenReport, Report, ReturnReport, SubmitReport,
            UnlockReport, WaiveReport,
        },
        reporting_duty::{
            ChangeReportingParties, EndReportingDuty, EstablishReportingDuty, OpenReportingPeriod,
            ReportSubject, ReportingDuty, ReportingParty, ReportingSchedule,
        },
        scoring::{AssessmentItem, Figure, Grade, Rules, ScoreSource, Veto},
        supervision_item::{
            AnnounceSupervisionItemOverdue, AnswerSupervisionItem, CloseSupervisionItem,
            EscalateSupervisionItem, ExtendSupervisionItem, NotifySupervisedUnits, OpenSupervisionItem,
            ReturnSupervisionAnswer, SupervisionItem, WithdrawSupervisionItem,
        },
    },
    programme::{
        local_plan::{
            AcceptLocalPlan, AnnounceLocalPlanOverdue, DemandLocalPlan, FileLocalPlan, LocalPlan,
            ReturnLocalPlan, WaiveLocalPlan,
        },
        plan::{BringPlanIntoForce, Cadence, DraftPlan, IssuePlan},
        task::Evidence,
    },
};
use zhixing_event_store::Error;

use super::{Run, content_of_plan, due_on, viewer};

/// Of a plan in force.
#[derive(Debug, Default)]
pub(super) struct Later {
    duties: Vec<Id<ReportingDuty>>,
    reports: Vec<Id<Report>>,
    items: Vec<Id<SupervisionItem>>,
    local_plans: Vec<Id<LocalPlan>>,
    schemes: Vec<Id<AssessmentScheme>>,
    assessments: Vec<Id<Assessment>>,
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn evidence(number: i32) -> Vec<Evidence> {
    vec![Evidence { title: format!("佐证{number}"), reference: None }]
}

/// Two items that weigh so much and the rest.
fn rules(number: i32) -> Rules {
    let weight = 1 + i64::from(number.rem_euclid(99));
    let item = |code: &str, weight: i64| AssessmentItem {
        code: code.into(),
        name: "考核项目".into(),
        weight: Amount::from(weight),
        source: ScoreSource::Expert,
        indicator_id: None,
    };
    let grade = |name: &str, from: i64| Grade { name: name.into(), from: Amount::from(from) };
    Rules {
        items: vec![item("A", weight), item("B", 100 - weight)],
        vetoes: vec![Veto { code: "ACCIDENT".into(), name: "发生重大质量安全事故".into() }],
        grades: vec![grade("合格", 60), grade("不合格", 0)],
    }
}

fn figure(item: &str, percent: i32) -> Figure {
    Figure {
        item: item.into(),
        value: Some(Amount::from(i64::from(percent))),
        target: Some(Amount::from(100)),
        comparator: Comparator::AtLeast,
        evidence: vec![],
        note: None,
    }
}

impl Run {
    pub(super) async fn begin_later(&self) -> Later {
        let region_code = "440800".parse().unwrap();
        let draft = DraftPlan { code: "ZJ-2".into(), region_code, content: content_of_plan() };
        let plan_id = self.make::<plan::Plan>(draft).await;
        self.make::<plan::Plan>(IssuePlan { id: plan_id, issued_on: None }).await;
        let force = BringPlanIntoForce { id: plan_id, effective_from: None, effective_from_is_assumed: true };
        self.make::<plan::Plan>(force).await;
        let (own, other) = (self.units[0], self.units[1]);
        let mut later = Later::default();
        for (at, (reporter_id, addressee_id)) in [(own, other), (other, own)].into_iter().enumerate() {
            let schedule = ReportingSchedule {
                cadence: Cadence::Quarterly,
                due_days: 10,
                open_days: 30,
                holds_from: day("2019-07-01"),
                holds_until: day("2020-12-31"),
            };
            let duty = EstablishReportingDuty {
                plan_id,
                what: format!("报告{at}"),
                asks_for: ReportSubject::Other,
                schedule,
                parties: vec![ReportingParty { reporter_id, addressee_id }],
                note: None,
            };
            let duty_id = self.make::<reporting_duty::ReportingDuty>(duty).await;
            let report = OpenReport {
                duty_id,
                plan_id,
                reporter_id,
                addressee_id,
                what: "报告".into(),
                asks_for: ReportSubject::Other,
                period: "2019Q2".parse().unwrap(),
                due_on: due_on(1),
            };
            let report = self.give::<report::Report>(&Viewer::scheduler(), report).await.unwrap();
            later.duties.push(duty_id);
            later.reports.push(report.life.id.0);
            let item = OpenSupervisionItem {
                plan_id,
                region_code: None,
                number: format!("督{at}号"),
                title: "进展迟缓".into(),
                subject_id: Some(report.life.id.0.into()),
                unit_ids: vec![reporter_id],
                escalation_unit_id: Some(addressee_id),
                demand: "说明原因".into(),
                answer_due_on: day("2019-07-10"),
                basis: None,
            };
            later.items.push(self.make::<supervision_item::SupervisionItem>(item).await);
            let demand = DemandLocalPlan {
                plan_id,
                filing_unit_id: reporter_id,
                addressee_id,
                what: "具体方案".into(),
                due_on: Some(due_on(1)),
            };
            later.local_plans.push(self.make::<local_plan::LocalPlan>(demand).await);
            let Rules { items, vetoes, grades } = rules(40);
            let year = 2019 + i32::try_from(at).unwrap();
            let scheme =
                DraftAssessmentScheme { plan_id, year, title: "办法".into(), items, vetoes, grades };
            let scheme_id = self.make::<assessment_scheme::AssessmentScheme>(scheme).await;
            later.schemes.push(scheme_id);
            if at == 0 {
                let issue = IssueAssessmentScheme { id: scheme_id };
                self.make::<assessment_scheme::AssessmentScheme>(issue).await;
                for unit_id in [own, other] {
                    let open = OpenAssessment { scheme_id, plan_id, year, unit_id, rules: rules(40) };
                    later.assessments.push(self.make::<assessment::Assessment>(open).await);
                }
            }
        }
        later
    }

    /// One of twenty commands on one of two objects of its kind.
    pub(super) async fn step_later(&self, command: u8, at: usize, number: i32) -> Result<(), Error> {
        let of = at % 2;
        let Later { duties, reports, items, local_plans, .. } = &self.later;
        let (duty, report, item, local) = (duties[of], reports[of], items[of], local_plans[of]);
        let (own, other) = (self.units[of], self.units[1 - of]);
        let office = viewer(if number % 2 == 0 { "ann" } else { "bo" }, vec![]);
        let (officer, addressee) = (viewer("wei", vec![own]), viewer("li", vec![other]));
        let (note, reason) = (Some(format!("说明{number}")), format!("理由{number}"));
        let (summary, evidence) = (format!("小结{number}"), evidence(number));
        let answer_due_on = day("2019-06-20").plus(number.rem_euclid(60));
        let clock = Viewer::scheduler();
        match (command, number.rem_euclid(3)) {
            (0, _) => {
                let party = |reporter_id, addressee_id| ReportingParty { reporter_id, addressee_id };
                let mut parties = vec![party(own, other), party(other, own)];
                parties.truncate(1 + usize::from(number % 2 == 0));
                let change = ChangeReportingParties { id: duty, parties, reason };
                self.tried::<reporting_duty::ReportingDuty>(&office, change).await
            }
            (1, 0) if number % 5 == 0 => {
                let end = EndReportingDuty { id: duty, reason };
                self.tried::<reporting_duty::ReportingDuty>(&office, end).await
            }
            (1, at) => {
                let period = ["2019Q2", "2019Q3", "2019Q4"][usize::try_from(at).unwrap()].parse().unwrap();
                let open = OpenReportingPeriod { id: duty, period };
                self.tried::<reporting_duty::ReportingDuty>(&clock, open).await
            }
            (2 | 3, _) => {
                let submit = SubmitReport { id: report, summary, evidence };
                self.tried::<report::Report>(&officer, submit).await
            }
            (4, 0) => self.tried::<report::Report>(&addressee, AcceptReport { id: report, note }).await,
            (4, _) => self.tried::<report::Report>(&addressee, ReturnReport { id: report, reason }).await,
            (5, 0) => self.tried::<report::Report>(&office, LockReport { id: report, reason }).await,
            (5, 1) => self.tried::<report::Report>(&office, UnlockReport { id: report, reason }).await,
            (5, _) if number % 5 == 0 => {
                self.tried::<report::Report>(&office, WaiveReport { id: report, reason }).await
            }
            (5, _) => {
                let overdue = AnnounceReportOverdue { id: report, due_on: due_on(1) };
                self.tried::<report::Report>(&clock, overdue).await
            }
            (6, _) => {
                let notify = NotifySupervisedUnits { id: item, note };
                self.tried::<supervision_item::SupervisionItem>(&office, notify).await
            }
            (7 | 8, _) => {
                let answer = AnswerSupervisionItem { id: item, summary, evidence };
                self.tried::<supervision_item::SupervisionItem>(&officer, answer).await
            }
            (9, 0) => {
                let close = CloseSupervisionItem { id: item, note };
                self.tried::<supervision_item::SupervisionItem>(&office, close).await
            }
            (9, _) => {
                let back = ReturnSupervisionAnswer { id: item, answer_due_on, reason };
                self.tried::<supervision_item::SupervisionItem>(&office, back).await
            }
            (10, 0) => {
                let escalate = EscalateSupervisionItem { id: item, unit_id: other, reason };
                self.tried::<supervision_item::SupervisionItem>(&office, escalate).await
            }
            (10, 1) if number % 5 == 0 => {
                let withdraw = WithdrawSupervisionItem { id: item, reason };
                self.tried::<supervision_item::SupervisionItem>(&office, withdraw).await
            }
            (10, _) => {
                let extend = ExtendSupervisionItem { id: item, answer_due_on, reason };
                self.tried::<supervision_item::SupervisionItem>(&office, extend).await
            }
            (11, 0) => {
                let overdue = AnnounceSupervisionItemOverdue { id: item, due_on: day("2019-07-10") };
                self.tried::<supervision_item::SupervisionItem>(&clock, overdue).await
            }
            (11, _) => {
                let overdue = AnnounceLocalPlanOverdue { id: local, due_on: due_on(1) };
                self.tried::<local_plan::LocalPlan>(&clock, overdue).await
            }
            (12..=14, _) => self.file(command, of, number).await,
            _ => self.assess(command, of, number).await,
        }
    }

    async fn file(&self, command: u8, of: usize, number: i32) -> Result<(), Error> {
        let (local, own, other) = (self.later.local_plans[of], self.units[of], self.units[1 - of]);
        let office = viewer(if number % 2 == 0 { "ann" } else { "bo" }, vec![]);
        let (officer, addressee) = (viewer("wei", vec![own]), viewer("li", vec![other]));
        let (note, reason) = (Some(format!("说明{number}")), format!("理由{number}"));
        let (summary, evidence) = (format!("小结{number}"), evidence(number));
        match (command, number.rem_euclid(3)) {
            (12 | 13, _) => {
                let file = FileLocalPlan {
                    id: local,
                    title: format!("方案{number}"),
                    document_number: note,
                    issued_on: Some(day("2019-06-10")),
                    summary,
                    evidence,
                };
                self.tried::<local_plan::LocalPlan>(&officer, file).await
            }
            (14, 0) => {
                self.tried::<local_plan::LocalPlan>(&addressee, AcceptLocalPlan { id: local, note }).await
            }
            (14, 1) if number % 5 == 0 => {
                self.tried::<local_plan::LocalPlan>(&office, WaiveLocalPlan { id: local, reason }).await
            }
            _ => self.tried::<local_plan::LocalPlan>(&addressee, ReturnLocalPlan { id: local, reason }).await,
        }
    }

    async fn assess(&self, command: u8, of: usize, number: i32) -> Result<(), Error> {
        let (scheme, id) = (self.later.schemes[1], self.later.assessments[of]);
        let own = self.units[of];
        let office = viewer(if number % 2 == 0 { "ann" } else { "bo" }, vec![]);
        let officer = viewer("wei", vec![own]);
        let (note, reason) = (Some(format!("说明{number}")), format!("理由{number}"));
        match (command, number.rem_euclid(3)) {
            (15, 0) if number % 5 == 0 => {
                let revoke = RevokeAssessmentScheme { id: scheme, reason };
                self.tried::<assessment_scheme::AssessmentScheme>(&office, revoke).await
            }
            (15, 0) => {
                let issue = IssueAssessmentScheme { id: scheme };
                self.tried::<assessment_scheme::AssessmentScheme>(&office, issue).await
            }
            (15, _) => {
                let Rules { items, vetoes, grades } = rules(number);
                let amend = AmendAssessmentScheme { id: scheme, items, vetoes, grades };
                self.tried::<assessment_scheme::AssessmentScheme>(&office, amend).await
            }
            (16, _) => {
                let (scores, evidence) = (vec![], evidence(number));
                let own = SubmitSelfAssessment { id, summary: reason, scores, evidence };
                self.tried::<assessment::Assessment>(&officer, own).await
            }
            (17, _) => {
                let percent = number.rem_euclid(101);
                let figures = vec![figure("A", percent), figure("B", 100 - percent)];
                let veto = Vetoed { code: "ACCIDENT".into(), reason };
                let vetoes = if number % 7 == 0 { vec![veto] } else { vec![] };
                let score = ScoreAssessment { id, figures, vetoes };
                self.tried::<assessment::Assessment>(&office, score).await
            }
            (18, 0) => {
                let review = ReviewAssessment { id, note };
                self.tried::<assessment::Assessment>(&office, review).await
            }
            (18, 1) => {
                let announce = AnnounceAssessment { id, objections_until: day("2019-06-30") };
                self.tried::<assessment::Assessment>(&office, announce).await
            }
            (18, _) => {
                let object = ObjectToAssessment { id, reason, evidence: evidence(number) };
                self.tried::<assessment::Assessment>(&officer, object).await
            }
            (_, 0) => {
                let decide = DecideAssessmentObjection { id, upheld: number % 2 == 0, reason };
                self.tried::<assessment::Assessment>(&office, decide).await
            }
            (_, 1) => self.tried::<assessment::Assessment>(&office, FinaliseAssessment { id }).await,
            _ if number % 2 == 0 => {
                self.tried::<assessment::Assessment>(&officer, AppealAssessment { id, reason }).await
            }
            _ if number % 5 == 0 => {
                let apply = ApplyAssessmentResult { id, note: reason };
                self.tried::<assessment::Assessment>(&office, apply).await
            }
            _ => {
                let decide = DecideAssessmentAppeal { id, upheld: number % 4 == 1, reason };
                self.tried::<assessment::Assessment>(&office, decide).await
            }
        }
    }

    pub(super) async fn check_later(&self) {
        let Later { duties, reports, items, local_plans, schemes, assessments } = &self.later;
        for id in duties {
            self.is_its_fold::<reporting_duty::ReportingDuty>(*id).await;
        }
        for id in reports {
            self.is_its_fold::<report::Report>(*id).await;
        }
        for id in items {
            self.is_its_fold::<supervision_item::SupervisionItem>(*id).await;
        }
        for id in local_plans {
            self.is_its_fold::<local_plan::LocalPlan>(*id).await;
        }
        for id in schemes {
            self.is_its_fold::<assessment_scheme::AssessmentScheme>(*id).await;
        }
        for id in assessments {
            self.is_its_fold::<assessment::Assessment>(*id).await;
        }
    }
}
