//! Quality programme (质量提升方案): plans, their tasks, and the imports that bring them in.
pub mod data_import;
pub mod plan;
pub mod task;
