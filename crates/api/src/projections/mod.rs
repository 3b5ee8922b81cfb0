//! Read models that cross aggregates.
pub mod plan_progress;
pub mod timeline;

use std::sync::Arc;

use zhixing_event_store::Projection;

/// Every projection, named once.
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![Arc::new(timeline::Timeline), Arc::new(plan_progress::PlanProgress)]
}
