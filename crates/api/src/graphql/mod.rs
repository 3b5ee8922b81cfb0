//! One schema, put together from one module per kind of object.
pub mod action;
pub mod assessing;
pub mod cockpit;
pub mod command;
pub mod connection;
pub mod context;
pub mod counted;
pub mod delivery_attempt;
pub mod due_item;
pub mod error;
pub mod event;
pub mod event_type;
pub mod feed;
pub mod figures;
pub mod found;
pub mod indicator_series;
pub mod informer;
pub mod league_table;
pub mod loader;
pub mod node;
pub mod projection;
pub mod region;
pub mod report_draft;
pub mod reporting;
pub mod subscription_command;
pub mod subscription_progress;
pub mod task_transfer;
pub mod task_tree;
pub mod time;
pub mod time_change;
pub mod view;
pub mod viewer;
pub mod workbench;

use std::sync::Arc;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, ValidationMode};
use zhixing_domain::{Aggregate, TimeReference, Viewer};
use zhixing_event_store::{EventStore, Projector, Row, View, standing::Standings, view::Known};
use zhixing_vault::Vault;

/// One line for each kind of object.
macro_rules! kinds {
    ($($module:ident :: $view:ident),+ $(,)?) => {
        $(pub mod $module;)+

        /// Everything that can be asked.
        #[derive(MergedObject, Default)]
        pub struct Query($($module::Queries,)+ region::Queries, due_item::Queries, viewer::Queries, reporting::Queries, action::Queries, event_type::Queries, node::Queries, projection::Queries, time::Queries, time_change::Queries, informer::Queries);

        /// Everything that can be done.
        #[derive(MergedObject, Default)]
        pub struct Mutation(
            $($module::Mutations,)+ reporting::Mutations, assessing::Mutations, local_plan::BulkMutations,
            task_transfer::Mutations, survey::MeasurementMutations, projection::Mutations, informer::Mutations,
        );

        /// Every view, for the store.
        pub fn catalogue() -> Vec<Known> {
            vec![$(Known::of::<$module::$view>()),+]
        }

        /// Which objects of each kind a viewer sees, for a question about all of them.
        pub fn standings(viewer: &Viewer) -> Vec<Standings> {
            vec![$(Standings {
                kind: <$module::$view as View>::Of::KIND,
                table: <$module::$view as Row>::TABLE,
                filter: <$module::$view as view::Visible>::counted_for(viewer),
            }),+]
        }
    };
}
kinds! {
    unit::Unit, plan::Plan, task::Task, indicator::Indicator, data_import::DataImport, reporting_duty::ReportingDuty,
    report::Report, supervision_item::SupervisionItem, local_plan::LocalPlan, assessment_scheme::AssessmentScheme,
    assessment::Assessment, survey::Survey, leading_group::LeadingGroup, role_grant::RoleGrant, service_key::ServiceKey,
    violation_report::ViolationReport, event_subscription::EventSubscription
}

/// Everything that can be followed.
#[derive(MergedSubscription, Default)]
pub struct Subscription(event::Subscriptions, feed::Subscriptions);

/// The executable schema.
pub type Api = Schema<Query, Mutation, Subscription>;

fn build() -> async_graphql::SchemaBuilder<Query, Mutation, Subscription> {
    // The request guard validates documents before they come here; see `protocol::guard`.
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .register_output_type::<node::Node>()
        .validation_mode(ValidationMode::Fast)
}

/// The schema over this store. Without a vault nothing of a person is taken or shown.
pub fn schema(
    store: EventStore,
    projector: Projector,
    time: Arc<TimeReference>,
    vault: Option<Vault>,
) -> Api {
    build().data(store).data(projector).data(time).data(informer::Keys(vault)).finish()
}

/// The schema as text, sorted, so that its history is readable.
pub fn sdl() -> String {
    let options =
        SDLExportOptions::new().sorted_fields().sorted_arguments().sorted_enum_items().include_specified_by();
    build().finish().sdl_with_options(options)
}
