//! Complaints and reports of violations (投诉举报).
pub mod violation_report;
