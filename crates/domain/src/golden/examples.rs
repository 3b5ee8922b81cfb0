//! Examples of every event, in the order of the variants: the first of each has every field filled.
use uuid::Uuid;

use crate::{
    Date, Id, Kind, Role, Sealed,
    access::{role_grant::*, service_key::*},
    complaints::violation_report::*,
    id::GlobalId,
    integration::event_subscription::*,
    organisation::unit::*,
    performance::{
        assessment::*, assessment_scheme::*, attainment::*, indicator::*, report::*, reporting_duty::*,
        scoring::*, supervision_item::*, survey::*,
    },
    programme::{data_import::*, leading_group::*, local_plan::*, plan::*, task::*},
    time::{AppliedLimit, CalendarVersion, DueSoon, TimeUnit},
};

fn id<T>(number: u128) -> Id<T> {
    Id::new(Uuid::from_u128(number))
}
fn date(text: &str) -> Date {
    text.parse().unwrap()
}

fn due_soon(rule_code: &str) -> DueSoon {
    DueSoon {
        due_on: date("2018-12-31"),
        working_days: 5,
        rule_code: rule_code.into(),
        rule_valid_from: date("2009-01-01"),
        calendars: vec![CalendarVersion { year: 2018, version: 1 }],
    }
}

pub(super) fn unit_events() -> Vec<UnitEvent> {
    vec![
        UnitEvent::Registered {
            name: "省质监局".into(),
            kind: UnitKind::Department,
            region_code: "430000".parse().unwrap(),
            official_name: Some("湖南省质量技术监督局".into()),
            aliases: vec!["省局".into(), "质监局".into()],
            note: Some("2018年并入省市场监管局".into()),
        },
        UnitEvent::Registered {
            name: "有关部门".into(),
            kind: UnitKind::DepartmentGroup,
            region_code: "100000".parse().unwrap(),
            official_name: None,
            aliases: vec![],
            note: None,
        },
        UnitEvent::Renamed {
            name: "省市场监管局".into(),
            official_name: Some("湖南省市场监督管理局".into()),
            former_name: "省质监局".into(),
            reason: "机构改革".into(),
        },
        UnitEvent::Renamed {
            name: "省知识产权局".into(),
            official_name: None,
            former_name: "省专利局".into(),
            reason: "更名".into(),
        },
        UnitEvent::AliasesAdded { aliases: vec!["省市场局".into()] },
        UnitEvent::MembersSet { members: vec![id(1), id(2)] },
        UnitEvent::MembersSet { members: vec![] },
        UnitEvent::Merged { into: id(3), reason: "机构改革".into() },
        UnitEvent::Dissolved { reason: "撤销".into() },
    ]
}

pub(super) fn plan_events() -> Vec<PlanEvent> {
    let content = PlanContent {
        document_number: Some("甘政办发〔2011〕58号".into()),
        title: "甘肃省推进质量振兴工作方案".into(),
        title_is_assigned: true,
        issuer: "甘肃省人民政府办公厅".into(),
        issuer_id: Some(id(1)),
        issuer_is_inferred: true,
        period_start: Some(date("2011-01-01")),
        period_end: date("2015-12-31"),
        period_note: Some("按规划期推定".into()),
        phases: vec![Phase { name: "启动阶段".into(), from: date("2011-01-01"), to: date("2011-06-30") }],
        basis: vec![Basis {
            document_number: Some("国发〔1996〕51号".into()),
            title: "质量振兴纲要".into(),
            issuer: Some("国务院".into()),
        }],
        guidance: Some("以质量求发展".into()),
    };
    let bare = PlanContent {
        document_number: None,
        title_is_assigned: false,
        issuer_id: None,
        issuer_is_inferred: false,
        period_start: None,
        period_note: None,
        phases: vec![],
        basis: vec![Basis { document_number: None, title: "质量发展纲要".into(), issuer: None }],
        guidance: None,
        ..content.clone()
    };
    let reporting = StatedReportingDuty {
        who: "各市州人民政府".into(),
        to: "省质监局".into(),
        cadence: Cadence::Quarterly,
        what: "工作进展".into(),
        first_due: Some(date("2011-09-30")),
        first_due_is_inferred: true,
        note: Some("书面报送".into()),
    };
    let one_off = OneOffDuty {
        who: "省质监局".into(),
        to: "省人民政府".into(),
        trigger: DutyTrigger::Once,
        what: "总结报告".into(),
        due_on: Some(date("2015-12-31")),
        note: Some("含自评".into()),
    };
    vec![
        PlanEvent::Drafted {
            code: "GS-2011-QUALITY".into(),
            region_code: "620000".parse().unwrap(),
            content: content.clone(),
        },
        PlanEvent::Drafted {
            code: "GS-2012-QUALITY".into(),
            region_code: "620000".parse().unwrap(),
            content: bare.clone(),
        },
        PlanEvent::Amended { content, reason: Some("勘误".into()) },
        PlanEvent::Amended { content: bare, reason: None },
        PlanEvent::DutiesRecorded {
            reporting_duties: vec![reporting.clone()],
            one_off_duties: vec![one_off.clone()],
        },
        PlanEvent::DutiesRecorded {
            reporting_duties: vec![StatedReportingDuty { first_due: None, note: None, ..reporting }],
            one_off_duties: vec![OneOffDuty { due_on: None, note: None, ..one_off }],
        },
        PlanEvent::DutiesRecorded { reporting_duties: vec![], one_off_duties: vec![] },
        PlanEvent::Issued { issued_on: Some(date("2011-03-18")) },
        PlanEvent::Issued { issued_on: None },
        PlanEvent::TookEffect { effective_from: Some(date("2011-04-01")), effective_from_is_assumed: false },
        PlanEvent::TookEffect { effective_from: None, effective_from_is_assumed: true },
        PlanEvent::PhaseEntered { phase: "启动阶段".into() },
        PlanEvent::Concluded { open_tasks: 3, reason: Some("规划期满".into()) },
        PlanEvent::Concluded { open_tasks: 0, reason: None },
        PlanEvent::Superseded { by: id(2), reason: "新方案印发".into() },
        PlanEvent::Repealed { reason: "文件清理".into() },
    ]
}

pub(super) fn task_events() -> Vec<TaskEvent> {
    let content = TaskContent {
        label: Some("(四)3".into()),
        kind: TaskKind::Task,
        title: "加强质量监管".into(),
        summary: "开展重点产品监督抽查。\n公布结果。".into(),
        due_on: Some(date("2018-12-31")),
        note: Some("每年".into()),
    };
    let bare =
        TaskContent { label: None, kind: TaskKind::Safeguard, due_on: None, note: None, ..content.clone() };
    let responsibility = Responsibility {
        lead_unit_ids: vec![id(1), id(2)],
        supporting_unit_ids: vec![id(3)],
        open_ended: true,
    };
    let supporters = Responsibility { supporting_unit_ids: vec![id(3)], ..Responsibility::default() };
    let evidence =
        vec![Evidence { title: "验收报告".into(), reference: Some("验字〔2018〕1号".into()) }];
    let unreferenced = vec![Evidence { title: "现场照片".into(), reference: None }];
    vec![
        TaskEvent::Registered {
            plan_id: id(1),
            parent_id: Some(id(2)),
            number: "4.3".into(),
            content: content.clone(),
            assignment: Assignment::Explicit,
            region_code: "440800".parse().unwrap(),
        },
        TaskEvent::Registered {
            plan_id: id(1),
            parent_id: None,
            number: "A20".into(),
            content: bare.clone(),
            assignment: Assignment::None,
            region_code: "100000".parse().unwrap(),
        },
        TaskEvent::Amended { content, reason: Some("勘误".into()) },
        TaskEvent::Amended { content: bare, reason: None },
        TaskEvent::UnitsAssigned { responsibility: responsibility.clone() },
        TaskEvent::UnitsAssigned { responsibility: supporters },
        TaskEvent::UnitsReassigned { responsibility: responsibility.clone(), reason: "机构改革".into() },
        TaskEvent::Declined {
            ground: DeclineGround::NotOurDuty,
            reason: "按三定方案属省商务厅职责".into(),
            unit_id: id(1),
            suggested_unit_id: Some(id(4)),
        },
        TaskEvent::Declined {
            ground: DeclineGround::LacksBasis,
            reason: "文件未写明".into(),
            unit_id: id(2),
            suggested_unit_id: None,
        },
        TaskEvent::Arbitrated { responsibility, reason: "由主管部门牵头".into() },
        TaskEvent::UnitsTransferred { from: id(1), to: id(4), reason: "机构改革".into() },
        TaskEvent::Accepted,
        TaskEvent::ProgressReported {
            percent: 60, note: "已抽查三批".into(), evidence: evidence.clone()
        },
        TaskEvent::ProgressReported { percent: 0, note: "正在准备".into(), evidence: vec![] },
        TaskEvent::CompletionReported { note: "已完成".into(), evidence },
        TaskEvent::CompletionReported { note: "已完成".into(), evidence: unreferenced },
        TaskEvent::Returned { reason: "缺少验收报告".into() },
        TaskEvent::CompletionVerified { note: Some("属实".into()) },
        TaskEvent::CompletionVerified { note: None },
        TaskEvent::Cancelled { reason: "事项取消".into() },
        TaskEvent::DueSoon(due_soon("TASK_DUE_SOON")),
        TaskEvent::BecameOverdue { due_on: date("2018-12-31") },
    ]
}

pub(super) fn indicator_events() -> Vec<IndicatorEvent> {
    let amount = |text: &str| text.parse().unwrap();
    let baseline = Baseline {
        value: Some(amount("85.5")),
        as_of: Some(date("2010-12-31")),
        note: Some("统计公报".into()),
    };
    let unknown = Baseline { value: None, as_of: None, note: None };
    let target = Target {
        comparator: Comparator::AtLeast,
        value: amount("90"),
        upper: Some(amount("95")),
        text: Some("90%以上".into()),
        approximate: true,
        recurrence: Some(Recurrence::Annual),
        due_on: date("2015-12-31"),
    };
    let increase = Target {
        comparator: Comparator::IncreaseBy,
        value: amount("0.0000000001"),
        upper: None,
        text: None,
        approximate: false,
        recurrence: None,
        due_on: date("2015-12-31"),
    };
    let definition = DefineIndicator {
        plan_id: id(1),
        task_id: Some(id(2)),
        code: "GS11-6_2-01".into(),
        name: "监督抽查合格率".into(),
        unit: "%".into(),
        measure: Measure::Ratio,
        target: target.clone(),
        basis: TargetBasis::Numeric,
        baseline: Some(baseline.clone()),
        scope: Some("重点产品".into()),
        region_code: "620000".parse().unwrap(),
        source_phrase: Some("合格率达到90%以上".into()),
        note: Some("口径待定".into()),
    };
    let bare = DefineIndicator {
        task_id: None,
        target: increase.clone(),
        baseline: None,
        scope: None,
        source_phrase: None,
        note: None,
        ..definition.clone()
    };
    vec![
        IndicatorEvent::Defined(definition),
        IndicatorEvent::Defined(bare),
        IndicatorEvent::BaselineSet { baseline },
        IndicatorEvent::BaselineSet { baseline: unknown },
        IndicatorEvent::TargetRevised { target, reason: "中期调整".into() },
        IndicatorEvent::TargetRevised { target: increase, reason: "中期调整".into() },
        IndicatorEvent::MeasurementRecorded {
            number: 1,
            period: "2014H1".parse().unwrap(),
            region_code: "620100".parse().unwrap(),
            value: amount("91.25"),
            reported_by: Some(id(1)),
            evidence: vec![Evidence { title: "抽查通报".into(), reference: Some("第3期".into()) }],
            note: Some("初步数".into()),
        },
        IndicatorEvent::MeasurementRecorded {
            number: 2,
            period: "2015".parse().unwrap(),
            region_code: "620000".parse().unwrap(),
            value: amount("-999999999999999999.9999999999"),
            reported_by: None,
            evidence: vec![],
            note: None,
        },
        IndicatorEvent::MeasurementCorrected {
            number: 1,
            period: "2014Q3".parse().unwrap(),
            region_code: "620100".parse().unwrap(),
            value: amount("91.52"),
            former_value: amount("91.25"),
            reason: "笔误".into(),
        },
        IndicatorEvent::Judged { attained: true, value: amount("91.52"), note: Some("按年报".into()) },
        IndicatorEvent::Judged { attained: false, value: amount("0"), note: None },
        IndicatorEvent::Retired { reason: "口径调整".into() },
    ]
}

pub(super) fn data_import_events() -> Vec<DataImportEvent> {
    let import = ImportData {
        source: "任务分解表.csv".into(),
        format: ImportFormat::TaskTableCsv,
        encoding: "GB18030".into(),
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
        region_code: "620000".parse().unwrap(),
        plan_id: id(1),
        rows_read: 12,
        accepted: 10,
        unchanged: 1,
        repaired: vec![Repair {
            row: 3,
            field: "due".into(),
            found: "2015年底".into(),
            reading: "2015-12-31".into(),
        }],
        rejected: vec![RowRejection { row: 7, field: "unit".into(), reason: "没有这个单位".into() }],
        readings: vec![Repair {
            row: 0,
            field: "plan.issuedOn".into(),
            found: "春".into(),
            reading: "2011年春".into(),
        }],
    };
    let smooth = ImportData { repaired: vec![], rejected: vec![], readings: vec![], ..import.clone() };
    vec![DataImportEvent::Completed(import), DataImportEvent::Completed(smooth)]
}

pub(super) fn reporting_duty_events() -> Vec<ReportingDutyEvent> {
    let schedule = ReportingSchedule {
        cadence: Cadence::Quarterly,
        due_days: 10,
        open_days: 30,
        holds_from: date("2011-04-01"),
        holds_until: date("2015-12-31"),
    };
    let parties = vec![
        ReportingParty { reporter_id: id(1), addressee_id: id(2) },
        ReportingParty { reporter_id: id(1), addressee_id: id(3) },
    ];
    let established = |note| ReportingDutyEvent::Established {
        plan_id: id(4),
        region_code: "620000".parse().unwrap(),
        what: "县级质量状况报告".into(),
        asks_for: ReportSubject::StatusAnalysis,
        schedule,
        parties: parties.clone(),
        note,
    };
    vec![
        established(Some("县市区主管部门每季度报告一次".into())),
        established(None),
        ReportingDutyEvent::PartiesChanged { parties: parties.clone(), reason: "机构改革".into() },
        ReportingDutyEvent::PeriodOpened { period: "2011Q2".parse().unwrap(), due_on: date("2011-07-10") },
        ReportingDutyEvent::Ended { reason: "方案已总结".into() },
    ]
}

pub(super) fn report_events() -> Vec<ReportEvent> {
    let evidence = vec![Evidence { title: "报告正文".into(), reference: Some("第3期".into()) }];
    vec![
        ReportEvent::Opened {
            duty_id: id(1),
            plan_id: id(2),
            reporter_id: id(3),
            addressee_id: id(4),
            region_code: "620102".parse().unwrap(),
            what: "县级质量状况报告".into(),
            asks_for: ReportSubject::StatusAnalysis,
            period: "2011Q2".parse().unwrap(),
            due_on: date("2011-07-10"),
        },
        ReportEvent::Submitted { summary: "抽查合格率92.3%".into(), evidence },
        ReportEvent::Submitted { summary: "抽查合格率92.3%".into(), evidence: vec![] },
        ReportEvent::Returned { reason: "缺少数据".into() },
        ReportEvent::Accepted { note: Some("数据完整".into()) },
        ReportEvent::Accepted { note: None },
        ReportEvent::Waived { reason: "机构撤销".into() },
        ReportEvent::Locked { reason: "数据已公布".into() },
        ReportEvent::Unlocked { reason: "补报".into() },
        ReportEvent::DueSoon(due_soon("REPORT_DUE_SOON")),
        ReportEvent::BecameOverdue { due_on: date("2018-12-31") },
    ]
}

/// With an indicator, or with an item that experts score.
fn assessment_rules(source: ScoreSource) -> Rules {
    let amount = |text: &str| text.parse().unwrap();
    Rules {
        items: vec![AssessmentItem {
            code: "RATE".into(),
            name: "监督抽查合格率".into(),
            weight: amount("100"),
            source,
            indicator_id: Some(id(5)).filter(|_| source == ScoreSource::Indicator),
        }],
        vetoes: vec![Veto { code: "ACCIDENT".into(), name: "发生重大质量安全事故".into() }],
        grades: vec![
            Grade { name: "优秀".into(), from: amount("90.5") },
            Grade { name: "合格".into(), from: amount("0") },
        ],
    }
}

pub(super) fn assessment_scheme_events() -> Vec<AssessmentSchemeEvent> {
    let drafted = |source| AssessmentSchemeEvent::Drafted {
        plan_id: id(1),
        region_code: "620000".parse().unwrap(),
        year: 2012,
        title: "2012年度质量振兴工作考核办法".into(),
        rules: assessment_rules(source),
    };
    vec![
        drafted(ScoreSource::Indicator),
        drafted(ScoreSource::Expert),
        AssessmentSchemeEvent::Amended { rules: assessment_rules(ScoreSource::Indicator) },
        AssessmentSchemeEvent::Amended { rules: assessment_rules(ScoreSource::TaskCompletion) },
        AssessmentSchemeEvent::Issued,
        AssessmentSchemeEvent::Revoked { reason: "办法调整".into() },
    ]
}

pub(super) fn assessment_events() -> Vec<AssessmentEvent> {
    let amount = |text: &str| text.parse().unwrap();
    let evidence = vec![Evidence { title: "自评报告".into(), reference: Some("第3期".into()) }];
    let figure = Figure {
        item: "RATE".into(),
        value: Some(amount("88.2")),
        target: Some(amount("90")),
        comparator: Comparator::AtLeast,
        evidence: vec![Cited { subject: id::<Indicator>(5).into(), version: 7 }],
        note: Some("2012年".into()),
    };
    let unknown = Figure { value: None, target: None, evidence: vec![], note: None, ..figure.clone() };
    let scored = |figure, points| Scored { weight: amount("60.5"), points: amount(points), figure };
    let opened = |source| AssessmentEvent::Opened {
        scheme_id: id(1),
        plan_id: id(2),
        year: 2012,
        unit_id: id(3),
        region_code: "620100".parse().unwrap(),
        rules: assessment_rules(source),
    };
    vec![
        opened(ScoreSource::Indicator),
        opened(ScoreSource::Expert),
        AssessmentEvent::SelfAssessed {
            summary: "完成全部任务".into(),
            scores: vec![SelfScore {
                item: "EXPERT".into(),
                points: amount("30"),
                note: Some("有创新".into()),
            }],
            evidence: evidence.clone(),
        },
        AssessmentEvent::SelfAssessed { summary: "完成".into(), scores: vec![], evidence: vec![] },
        AssessmentEvent::Scored {
            formula_version: 1,
            items: vec![scored(figure, "59.29")],
            vetoes: vec![Vetoed { code: "ACCIDENT".into(), reason: "某企业重大事故".into() }],
            total: amount("59.29"),
            grade: "合格".into(),
        },
        AssessmentEvent::Scored {
            formula_version: 1,
            items: vec![scored(unknown, "0")],
            vetoes: vec![],
            total: amount("0"),
            grade: "合格".into(),
        },
        AssessmentEvent::Reviewed { note: Some("数据属实".into()) },
        AssessmentEvent::Reviewed { note: None },
        AssessmentEvent::ResultAnnounced {
            total: amount("59.29"),
            grade: "合格".into(),
            objections_until: date("2013-03-15"),
        },
        AssessmentEvent::Objected { reason: "漏计一季度".into(), evidence },
        AssessmentEvent::Objected { reason: "漏计一季度".into(), evidence: vec![] },
        AssessmentEvent::ObjectionDecided { upheld: false, reason: "数据无误".into() },
        AssessmentEvent::Appealed { reason: "请求复查".into() },
        AssessmentEvent::AppealDecided { upheld: true, reason: "应计入".into() },
        AssessmentEvent::Finalised { total: amount("61"), grade: "合格".into() },
        AssessmentEvent::ResultApplied { note: "报送组织部门".into() },
    ]
}

pub(super) fn supervision_item_events() -> Vec<SupervisionItemEvent> {
    let limit = |code: &str, value, unit| AppliedLimit {
        code: code.into(),
        valid_from: date("2009-01-01"),
        value,
        unit,
    };
    let calendars = vec![CalendarVersion { year: 2011, version: 1 }];
    let task: Id<Task> = id(2);
    let opened = |number: Option<&str>, subject_id: Option<GlobalId>, above, basis: Option<&str>, by_rule| {
        SupervisionItemEvent::Opened {
            plan_id: id(1),
            region_code: "620000".parse().unwrap(),
            number: number.map(Into::into),
            title: "质量兴市活动进展迟缓".into(),
            subject_id,
            unit_ids: vec![id(3)],
            escalation_unit_id: above,
            demand: "限期说明原因并整改".into(),
            answer_due_on: date("2011-07-20"),
            basis: basis.map(Into::into),
            by_rule,
        }
    };
    let by_rule = OpenedByRule {
        subject_due_on: date("2011-06-30"),
        after_overdue: limit("SUPERVISION_AFTER_OVERDUE", 15, TimeUnit::CalendarDays),
        answer: limit("SUPERVISION_ANSWER", 10, TimeUnit::WorkingDays),
        calendars: calendars.clone(),
    };
    let escalated = EscalatedByRule {
        answer_due_on: date("2011-07-20"),
        limit: limit("SUPERVISION_ESCALATION", 5, TimeUnit::WorkingDays),
        calendars,
    };
    let evidence = vec![Evidence { title: "整改报告".into(), reference: Some("第7号".into()) }];
    let unreferenced = vec![Evidence { title: "整改报告".into(), reference: None }];
    let answered = |unit_id, evidence| SupervisionItemEvent::Answered {
        unit_id,
        summary: "已整改到位".into(),
        evidence,
    };
    vec![
        opened(
            Some("督〔2011〕3号"),
            Some(task.into()),
            Some(id(4)),
            Some("领导批示"),
            Some(by_rule.clone()),
        ),
        opened(Some("督〔2011〕4号"), None, None, None, None),
        opened(None, Some(task.into()), None, None, Some(by_rule)),
        SupervisionItemEvent::Notified { note: Some("书面通知".into()) },
        SupervisionItemEvent::Notified { note: None },
        answered(Some(id(3)), evidence),
        answered(None, unreferenced),
        SupervisionItemEvent::Returned { answer_due_on: date("2011-08-01"), reason: "佐证不足".into() },
        SupervisionItemEvent::Escalated {
            unit_id: id(4),
            reason: Some("逾期未答复".into()),
            by_rule: Some(escalated.clone()),
        },
        SupervisionItemEvent::Escalated {
            unit_id: id(4),
            reason: Some("多次督办无果".into()),
            by_rule: None,
        },
        SupervisionItemEvent::Escalated { unit_id: id(4), reason: None, by_rule: Some(escalated) },
        SupervisionItemEvent::Extended {
            answer_due_on: date("2011-08-15"),
            former_answer_due_on: date("2011-07-20"),
            reason: "汛期".into(),
        },
        SupervisionItemEvent::Closed { note: Some("整改到位".into()) },
        SupervisionItemEvent::Closed { note: None },
        SupervisionItemEvent::Withdrawn { reason: "事项取消".into() },
        SupervisionItemEvent::DueSoon(due_soon("SUPERVISION_DUE_SOON")),
        SupervisionItemEvent::BecameOverdue { due_on: date("2018-12-31") },
    ]
}

pub(super) fn local_plan_events() -> Vec<LocalPlanEvent> {
    let demanded = |due_on| LocalPlanEvent::Demanded {
        plan_id: id(1),
        region_code: "620000".parse().unwrap(),
        filing_unit_id: id(2),
        addressee_id: id(3),
        what: "本地区具体方案".into(),
        due_on,
    };
    let evidence = vec![Evidence { title: "方案正文".into(), reference: Some("第3期".into()) }];
    vec![
        demanded(Some(date("2011-04-30"))),
        demanded(None),
        LocalPlanEvent::Filed {
            title: "兰州市质量振兴工作方案".into(),
            document_number: Some("兰政办发〔2011〕20号".into()),
            issued_on: Some(date("2011-04-20")),
            summary: "分解为四十项任务".into(),
            evidence,
        },
        LocalPlanEvent::Filed {
            title: "省商务厅具体方案".into(),
            document_number: None,
            issued_on: None,
            summary: "分解为三项任务".into(),
            evidence: vec![],
        },
        LocalPlanEvent::Returned { reason: "没有责任分工".into() },
        LocalPlanEvent::Accepted { note: Some("内容完整".into()) },
        LocalPlanEvent::Accepted { note: None },
        LocalPlanEvent::Waived { reason: "机构撤销".into() },
        LocalPlanEvent::DueSoon(due_soon("LOCAL_PLAN_DUE_SOON")),
        LocalPlanEvent::BecameOverdue { due_on: date("2011-04-30") },
    ]
}

pub(super) fn survey_events() -> Vec<SurveyEvent> {
    let amount = |text: &str| text.parse().unwrap();
    let evidence =
        vec![Evidence { title: "测评报告".into(), reference: Some("甘旅调〔2012〕3号".into()) }];
    let planned = |indicator_id| SurveyEvent::Planned {
        plan_id: id(1),
        kind: SurveyKind::Satisfaction,
        title: "游客满意度测评".into(),
        question: "您对本次旅游服务是否满意？".into(),
        population: "旅游业游客".into(),
        unit_id: id(2),
        method: SurveyMethod::Interview,
        region_code: "620000".parse().unwrap(),
        period: "2012".parse().unwrap(),
        planned_sample_size: 1_000,
        scale: AnswerScale { lowest: amount("0"), highest: amount("100") },
        indicator_id,
    };
    let result = SurveyResult {
        asked: 1_500,
        responses: 1_200,
        sample_size: 990,
        score: amount("85.4"),
        standard_deviation: Some(amount("11.2")),
        margin_of_error: Some(amount("0.7")),
        confidence_level: Some(amount("95")),
        groups: vec![SurveyGroup { name: "兰州市".into(), sample_size: 400, score: amount("86.1") }],
        shortfall_reason: Some("淡季游客减少".into()),
    };
    let plain = SurveyResult {
        sample_size: 1_100,
        standard_deviation: None,
        margin_of_error: None,
        confidence_level: None,
        groups: vec![],
        shortfall_reason: None,
        ..result.clone()
    };
    vec![
        planned(Some(id(3))),
        planned(None),
        SurveyEvent::Fielded { from: date("2012-09-01"), to: date("2012-09-30") },
        SurveyEvent::ResultRecorded { number: 1, result: result.clone(), evidence: evidence.clone() },
        SurveyEvent::ResultRecorded { number: 1, result: plain.clone(), evidence: vec![] },
        SurveyEvent::ResultCorrected {
            number: 2, corrects: 1, result, evidence, reason: "重复计入".into()
        },
        SurveyEvent::ResultCorrected {
            number: 2,
            corrects: 1,
            result: plain,
            evidence: vec![],
            reason: "重复计入".into(),
        },
        SurveyEvent::ResultReturned { reason: "缺分组数据".into() },
        SurveyEvent::ResultAccepted { note: Some("样本合格".into()) },
        SurveyEvent::ResultAccepted { note: None },
        SurveyEvent::Published,
        SurveyEvent::Withdrawn { reason: "抽样有误".into() },
        SurveyEvent::Cancelled { reason: "经费不足".into() },
    ]
}

pub(super) fn leading_group_events() -> Vec<LeadingGroupEvent> {
    let established = |plan_id, document| LeadingGroupEvent::Established {
        name: "推进质量振兴工作领导小组".into(),
        region_code: "620000".parse().unwrap(),
        plan_id,
        document,
        established_on: date("2011-03-18"),
    };
    let appointed = |unit_id, person, post| LeadingGroupEvent::MemberAppointed {
        number: 1,
        unit_id,
        person,
        post,
        from: date("2011-04-01"),
    };
    vec![
        established(Some(id(1)), Some("甘政办发〔2011〕58号".into())),
        established(None, None),
        LeadingGroupEvent::OfficeDesignated { unit_id: id(2), from: date("2011-03-18") },
        appointed(Some(id(2)), Some("张某".into()), LeadingGroupPost::OfficeDirector),
        appointed(Some(id(3)), None, LeadingGroupPost::Member),
        appointed(None, Some("李某".into()), LeadingGroupPost::Head),
        LeadingGroupEvent::MemberReleased {
            number: 1, until: date("2013-03-31"), reason: "工作调动".into()
        },
        LeadingGroupEvent::Renamed {
            name: "质量强省工作领导小组".into(),
            former_name: "推进质量振兴工作领导小组".into(),
            reason: "更名".into(),
        },
        LeadingGroupEvent::Dissolved { until: date("2015-12-31"), reason: "方案到期".into() },
    ]
}

pub(super) fn role_grant_events() -> Vec<RoleGrantEvent> {
    let granted = |unit_id, valid_until: Option<&str>, note: Option<&str>| RoleGrantEvent::Granted {
        actor: "gov:wei".into(),
        role: Role::UnitOfficer,
        unit_id,
        region_code: "620000".parse().unwrap(),
        valid_from: date("2018-01-01"),
        valid_until: valid_until.map(date),
        note: note.map(Into::into),
    };
    vec![
        granted(Some(id(1)), Some("2019-12-31"), Some("甘质监人〔2018〕1号")),
        granted(None, None, None),
        RoleGrantEvent::Revoked { reason: "调离".into() },
    ]
}

pub(super) fn service_key_events() -> Vec<ServiceKeyEvent> {
    vec![
        ServiceKeyEvent::Issued {
            name: "信用平台".into(),
            unit_id: id(1),
            roles: vec![Role::Integrator, Role::Auditor],
            region_code: "620000".parse().unwrap(),
            expires_on: date("2018-12-31"),
            digest: "0a".repeat(32),
        },
        ServiceKeyEvent::Revoked { reason: "系统下线".into() },
    ]
}

pub(super) fn violation_report_events() -> Vec<ViolationReportEvent> {
    let key_id = Uuid::from_u128(5);
    let informer = Informer {
        key_id,
        name: Sealed::new(key_id, "Zmlyc3Q").ok(),
        phone: Sealed::new(key_id, "c2Vjb25k").ok(),
        address: Sealed::new(key_id, "dGhpcmQ").ok(),
    };
    let nameless = Informer { name: None, address: None, ..informer.clone() };
    let decision_due = DecisionDue {
        due_on: date("2019-07-08"),
        limit: AppliedLimit {
            code: "CASE_FILING".into(),
            valid_from: date("2019-04-01"),
            value: 15,
            unit: TimeUnit::WorkingDays,
        },
        calendars: vec![CalendarVersion { year: 2019, version: 1 }],
    };
    let received =
        |respondent: Option<&str>, occurred_on, informer, decision_due| ViolationReportEvent::Received {
            number: "JB20190615-0123456789".into(),
            secret_digest: "0a".repeat(32),
            channel: IntakeChannel::Hotline12365,
            category: ViolationCategory::Counterfeit,
            subject: "销售假冒化肥".into(),
            details: "某农资店销售包装相仿的化肥".into(),
            respondent: respondent.map(Into::into),
            occurred_on,
            region_code: "620102".parse().unwrap(),
            informer,
            decision_due,
        };
    vec![
        received(
            Some("某农资店"),
            Some(date("2019-06-10")),
            Some(Box::new(informer)),
            Some(Box::new(decision_due)),
        ),
        received(None, None, Some(Box::new(nameless)), None),
        received(None, None, None, None),
        ViolationReportEvent::Accepted { note: Some("属本区管辖".into()) },
        ViolationReportEvent::Accepted { note: None },
        ViolationReportEvent::NotAccepted { reason: "线索不具体".into() },
        ViolationReportEvent::Transferred { unit_id: id(2), reason: "属市监部门职责".into() },
        ViolationReportEvent::Handled { result: "已立案查处".into() },
        ViolationReportEvent::Closed { note: Some("已告知举报人".into()) },
        ViolationReportEvent::Closed { note: None },
        ViolationReportEvent::IdentityRequested { request: 1, reason: "核实线索".into() },
        ViolationReportEvent::IdentityApproved { request: 1 },
        ViolationReportEvent::IdentityOpened {
            request: 1,
            unit_id: Some(id(2)),
            approved_by: "bo".into(),
            reason: "核实线索".into(),
        },
        ViolationReportEvent::IdentityOpened {
            request: 1,
            unit_id: None,
            approved_by: "bo".into(),
            reason: "核实线索".into(),
        },
        ViolationReportEvent::IdentityErasureOrdered { key_id, reason: "举报人要求".into() },
        ViolationReportEvent::IdentityErased { key_id },
        ViolationReportEvent::DueSoon(due_soon("VIOLATION_REPORT_DUE_SOON")),
        ViolationReportEvent::BecameOverdue { due_on: date("2019-07-05") },
    ]
}

pub(super) fn event_subscription_events() -> Vec<EventSubscriptionEvent> {
    let filter = ChangeFilter {
        kinds: vec![Kind::Task, Kind::Plan],
        types: vec!["TaskAccepted".into()],
        subjects: vec![GlobalId { kind: Kind::Task, uuid: Uuid::from_u128(3) }],
        units: vec![id(1)],
        region: "620000".parse().ok(),
        status_changes_only: true,
    };
    let url = || "https://hub.example.cn/changes".to_owned();
    let key = |scheme, public_key: Option<&str>| SigningKey {
        scheme,
        secret: Sealed::new(Uuid::from_u128(5), "c2VjcmV0").unwrap(),
        public_key: public_key.map(Into::into),
    };
    let created = |filter, envelope, method, endpoint| EventSubscriptionEvent::Created {
        name: "信用平台".into(),
        unit_id: id(1),
        region_code: "620000".parse().unwrap(),
        filter,
        after: 120,
        envelope,
        method,
        endpoint,
    };
    let ed25519 = || key(SignatureScheme::Ed25519, Some("whpk_MCowBQYDK2VwAyEA"));
    let endpoint = Endpoint { url: url(), key: ed25519() };
    let subject_id = Some(GlobalId { kind: Kind::Task, uuid: Uuid::from_u128(3) });
    vec![
        created(filter.clone(), EnvelopeForm::Full, DeliveryMethod::Webhook, Some(endpoint)),
        created(ChangeFilter::default(), EnvelopeForm::Thin, DeliveryMethod::Pull, None),
        EventSubscriptionEvent::Changed {
            name: Some("省信用平台".into()),
            filter: Some(filter),
            envelope: Some(EnvelopeForm::Thin),
        },
        EventSubscriptionEvent::Changed { name: None, filter: None, envelope: Some(EnvelopeForm::Full) },
        EventSubscriptionEvent::EndpointMoved { url: url() },
        EventSubscriptionEvent::EndpointConfirmed { url: url() },
        EventSubscriptionEvent::SigningSecretRotated {
            key: ed25519(),
            former_until: "2018-12-31T16:00:00Z".parse().unwrap(),
        },
        EventSubscriptionEvent::SigningSecretRotated {
            key: key(SignatureScheme::HmacSha256, None),
            former_until: "2018-12-31T16:00:00Z".parse().unwrap(),
        },
        EventSubscriptionEvent::Paused { reason: "系统维护".into() },
        EventSubscriptionEvent::Suspended {
            cause: SuspensionCause::EndpointGone,
            reason: "it answered 410".into(),
        },
        EventSubscriptionEvent::Resumed { method: DeliveryMethod::Webhook },
        EventSubscriptionEvent::Rewound { after: 100, subject_id, reason: "数据恢复".into() },
        EventSubscriptionEvent::Rewound { after: 0, subject_id: None, reason: "数据恢复".into() },
        EventSubscriptionEvent::RetryRequested { subject_id },
        EventSubscriptionEvent::RetryRequested { subject_id: None },
        EventSubscriptionEvent::Cancelled { reason: "系统下线".into() },
    ]
}
