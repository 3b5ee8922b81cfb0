//! Indicators, reporting, assessment, supervision (目标考核).
pub mod attainment;
pub mod indicator;
pub mod report;
pub mod reporting_duty;
pub mod supervision_item;
