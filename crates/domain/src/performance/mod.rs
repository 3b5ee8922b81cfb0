//! Indicators, reporting, assessment, supervision, surveys (目标考核).
pub mod assessment;
pub mod assessment_scheme;
pub mod attainment;
pub mod indicator;
pub mod report;
pub mod reporting_duty;
pub mod scoring;
pub mod supervision_item;
pub mod survey;
