//! What is done once a year: values are measured, cities assessed, results announced and made final.
use sea_query::{Condition, Expr, ExprTrait};
use zhixing_domain::{
    Amount, Date, Id, Period,
    performance::{
        assessment::{Assessment as Subject, FinaliseAssessment, ReviewAssessment, SubmitSelfAssessment},
        assessment_scheme::{DraftAssessmentScheme, IssueAssessmentScheme},
        indicator::RecordMeasurement,
        scoring::{AssessmentItem, Grade, ScoreSource, Veto},
    },
};

use super::{Halt, Simulation, cast::Cast, order};
use crate::graphql::{
    assessing::{self, AnnounceAssessments, ExpertScore, OpenAssessments, ScoreAssessmentInput},
    assessment::Assessment,
    assessment_scheme::AssessmentScheme,
    indicator::Indicator,
};

/// Codes of the items that are not indicators.
const TIMELY: &str = "TIMELINESS";
const COMPLETE: &str = "COMPLETENESS";
const EXPERT: &str = "EXPERT";
/// More than a province has cities.
const MOST: u64 = 100;

impl Simulation<'_> {
    /// The rates of every city in a year: better from year to year, and more or less good.
    pub(super) async fn measure(&mut self, year: i32) -> Result<(), Halt> {
        let Some(period) = Date::new(year, 1, 1).map(|day| Period::around(day, 12)) else { return Ok(()) };
        for (indicator, _) in self.cast.indicators.clone() {
            for city in self.cast.cities.clone() {
                let progress = u64::try_from(year - 2011).unwrap_or(0) * 30;
                let tenths = Ord::min(700 + progress + self.dice.below(180), 1_000);
                let value = rust_decimal::Decimal::new(i64::try_from(tenths).unwrap_or(0), 1);
                let record = RecordMeasurement {
                    id: indicator,
                    period,
                    region_code: Some(city.region),
                    value: Amount::from(value),
                    evidence: Vec::new(),
                    note: None,
                };
                self.store.execute::<Indicator>(order(Cast::office("ann"), record)).await?;
            }
        }
        Ok(())
    }

    /// Drafts and issues the scheme of a year; every city assesses itself, is scored and reviewed.
    pub(super) async fn assess(&mut self, year: i32) -> Result<(), Halt> {
        let (office, reviewer) = (Cast::office("ann"), Cast::office("bo"));
        let draft = self.scheme(year);
        let scheme = self.store.execute::<AssessmentScheme>(order(office.clone(), draft)).await?;
        let id = scheme.object.life.id.0;
        self.store.execute::<AssessmentScheme>(order(office.clone(), IssueAssessmentScheme { id })).await?;
        let unit_ids = self.cast.cities.iter().map(|city| city.government).collect();
        let open = OpenAssessments { scheme_id: id, unit_ids };
        let opened = assessing::open(self.store, &office, open).await?;
        for (assessment, city) in opened.assessments.iter().zip(self.cast.cities.clone()) {
            let assessed: Id<Subject> = assessment.life.id.0;
            let own = SubmitSelfAssessment {
                id: assessed,
                summary: format!("{year}年度质量振兴工作目标任务基本完成。"),
                scores: Vec::new(),
                evidence: Vec::new(),
            };
            self.store.execute::<Assessment>(order(Cast::officer(city.government), own)).await?;
            let percent = Amount::from(i64::try_from(60 + self.dice.below(41)).unwrap_or(60));
            let experts =
                vec![ExpertScore {
                    item: EXPERT.into(), percent, note: Some("专家组集体评议".into())
                }];
            let input = ScoreAssessmentInput { id: assessed, expert_scores: experts, vetoes: Vec::new() };
            let score = assessing::scoring(self.store, input).await?;
            self.store.execute::<Assessment>(order(office.clone(), score)).await?;
            let review = ReviewAssessment { id: assessed, note: None };
            self.store.execute::<Assessment>(order(reviewer.clone(), review)).await?;
        }
        self.outcome.schemes.push((year, id));
        Ok(())
    }

    fn scheme(&self, year: i32) -> DraftAssessmentScheme {
        let item = |code: &str, name: &str, weight: i64, source| AssessmentItem {
            code: code.into(),
            name: name.into(),
            weight: Amount::from(weight),
            source,
            indicator_id: None,
        };
        let measured = self.cast.indicators.iter().zip([("FILES", 15), ("PASS_RATE", 25), ("CAMPAIGN", 10)]);
        let mut items: Vec<AssessmentItem> = measured
            .map(|((indicator, name), (code, weight))| AssessmentItem {
                indicator_id: Some(*indicator),
                ..item(code, name, weight, ScoreSource::Indicator)
            })
            .collect();
        items.push(item(TIMELY, "质量状况报告及时率", 20, ScoreSource::ReportTimeliness));
        items.push(item(COMPLETE, "质量状况报告完整率", 15, ScoreSource::ReportCompleteness));
        items.push(item(EXPERT, "工作创新和成效", 15, ScoreSource::Expert));
        let grade = |name: &str, from: i64| Grade { name: name.into(), from: Amount::from(from) };
        DraftAssessmentScheme {
            plan_id: self.cast.plan,
            year,
            title: format!("{year}年度推进质量振兴工作考核办法"),
            items,
            vetoes: vec![Veto { code: "ACCIDENT".into(), name: "发生重大质量安全事故".into() }],
            grades: vec![grade("优秀", 90), grade("良好", 80), grade("合格", 60), grade("不合格", 0)],
        }
    }

    pub(super) async fn announce(&mut self, today: Date) -> Result<(), Halt> {
        let Some((_, scheme_id)) = self.outcome.schemes.last().copied() else { return Ok(()) };
        let until = assessing::objections_until(&self.time, today)?;
        let office = Cast::office("ann");
        assessing::announce(self.store, &office, AnnounceAssessments { scheme_id }, until).await?;
        Ok(())
    }

    pub(super) async fn finalise(&mut self) -> Result<(), Halt> {
        let Some((_, scheme)) = self.outcome.schemes.last().copied() else { return Ok(()) };
        let of_scheme = Condition::all().add(Expr::col("scheme_id").eq(scheme.uuid()));
        let assessments: Vec<Assessment> = self.store.pool().all(of_scheme, MOST).await?;
        for assessment in assessments {
            let finalise = FinaliseAssessment { id: assessment.life.id.0 };
            self.store.execute::<Assessment>(order(Cast::office("ann"), finalise)).await?;
        }
        Ok(())
    }
}
