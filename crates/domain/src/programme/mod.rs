//! Quality programme (质量提升方案): plans, their tasks, local plans, who leads them, and the imports that bring them in.
pub mod data_import;
pub mod leading_group;
pub mod local_plan;
pub mod plan;
pub mod task;
