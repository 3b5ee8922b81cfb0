//! Indicators, reporting, assessment, supervision (目标考核).
pub mod attainment;
pub mod indicator;
