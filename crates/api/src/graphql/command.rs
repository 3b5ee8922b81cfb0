//! Mutations: one for each command, all of one shape.
use async_graphql::{Context, Result};
use zhixing_domain::{Aggregate, Command, Kind};
use zhixing_event_store::{Error, Order, Receipt, View};

use super::{
    context::Ask,
    error::{self, UserError},
    event::{Event, Position},
};

use crate::identity::Identity;

/// How a command is to be carried out.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// The caller's id for it.
    pub command_id: Option<String>,
    /// The version of the object they had seen.
    pub expected_version: Option<i64>,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What a payload is made of.
#[derive(Debug)]
pub struct Outcome<V> {
    /// The object after the command.
    pub object: Option<V>,
    /// What happened.
    pub events: Vec<Event>,
    /// Position of the last event.
    pub position: Option<Position>,
    /// Why it was refused.
    pub errors: Vec<UserError>,
}

/// Carries out a command; a refusal is data, a fault an error.
///
/// # Errors
/// When the database fails.
pub async fn carry_out<V: View>(
    ctx: &Context<'_>,
    command: impl Into<<V::Of as Aggregate>::Command>,
    how: How,
) -> Result<Outcome<V>> {
    let order = Order {
        viewer: ctx.viewer().clone(),
        command: command.into(),
        command_id: how.command_id,
        expected_version: how.expected_version,
        dry_run: how.dry_run,
    };
    // A unit that is new is nobody's yet.
    let concerns_access = match V::Of::KIND {
        Kind::RoleGrant | Kind::ServiceKey => true,
        Kind::Unit => order.command.target().is_some(),
        _ => false,
    };
    let done = ctx.store().execute::<V>(order).await;
    ctx.session().forget();
    if concerns_access && let Some(identity) = ctx.data_opt::<Identity>() {
        identity.forget();
    }
    match done {
        Ok(Receipt { object, events, position }) => Ok(Outcome {
            object: Some(object),
            events: events.into_iter().map(Event).collect(),
            position: position.map(Position),
            errors: Vec::new(),
        }),
        Err(Error::Rejected(rejection)) => {
            Ok(Outcome { object: None, events: Vec::new(), position: None, errors: vec![rejection.into()] })
        }
        Err(fault) => Err(error::fault(fault)),
    }
}

/// The payload of a command to many objects that are written together.
pub trait Together: Default {
    /// Why it was refused.
    fn errors(&mut self) -> &mut Vec<UserError>;
}

/// Declares payloads that are [`Together`].
macro_rules! together {
    ($($payload:ident),+) => { $(
        impl $crate::graphql::command::Together for $payload {
            fn errors(&mut self) -> &mut Vec<$crate::graphql::error::UserError> {
                &mut self.errors
            }
        }
    )+ };
}
pub(crate) use together;

/// What came of a command to many objects; a refusal is data, a fault an error.
///
/// # Errors
/// When the database fails.
pub fn answered<P: Together>(ctx: &Context<'_>, done: Result<P, Error>) -> Result<P> {
    ctx.session().forget();
    match done {
        Ok(payload) => Ok(payload),
        Err(Error::Rejected(rejection)) => {
            let mut payload = P::default();
            payload.errors().push(rejection.into());
            Ok(payload)
        }
        Err(fault) => Err(error::fault(fault)),
    }
}

/// Declares the mutations of one kind of object, and their payload unless it is given with a way to carry them out.
macro_rules! mutations {
    ($view:ident, $payload:ident { $object:ident } $name:literal: $($mutations:tt)+) => {
        #[doc = concat!("What came of a command to a ", stringify!($view), ".")]
        #[derive(Debug, async_graphql::SimpleObject)]
        pub struct $payload {
            /// The object after the command; null when it was refused.
            pub $object: Option<$view>,
            /// What happened; in a dry run, what would happen.
            pub events: Vec<$crate::graphql::event::Event>,
            /// Position of the last event; null when nothing was recorded.
            pub position: Option<$crate::graphql::event::Position>,
            /// Why it was refused; empty when it was not.
            pub errors: Vec<$crate::graphql::error::UserError>,
        }

        impl $payload {
            async fn carried<C>(
                ctx: &async_graphql::Context<'_>,
                command: C,
                how: $crate::graphql::command::How,
            ) -> async_graphql::Result<Self>
            where
                C: Into<<<$view as zhixing_event_store::View>::Of as zhixing_domain::Aggregate>::Command>,
            {
                let outcome = $crate::graphql::command::carry_out::<$view>(ctx, command, how).await?;
                let $crate::graphql::command::Outcome { object, events, position, errors } = outcome;
                Ok(Self { $object: object, events, position, errors })
            }
        }

        $crate::graphql::command::mutations! { $name -> $payload by $payload::carried: $($mutations)+ }
    };
    ($name:literal -> $payload:ident by $carried:path: $($(#[$meta:meta])* $mutation:ident($input:ty);)+) => {
        /// One mutation for each command.
        #[derive(Debug, Default)]
        pub struct Mutations;

        #[async_graphql::Object(name = $name)]
        impl Mutations {
            $(
                $(#[$meta])*
                async fn $mutation(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                    #[graphql(desc = "What is asked.")] input: $input,
                    #[graphql(desc = "Your id for this command, 1 to 100 visible ASCII characters: a retry with the same id gets the first answer and does nothing twice.")]
                    command_id: Option<String>,
                    #[graphql(desc = "The version of the object that you have seen: if it has moved on, the command is refused with VersionConflict.")]
                    expected_version: Option<i64>,
                    #[graphql(default, desc = "Only say what would happen; nothing is recorded.")]
                    dry_run: bool,
                ) -> async_graphql::Result<$payload> {
                    let how = $crate::graphql::command::How { command_id, expected_version, dry_run };
                    $carried(ctx, input, how).await
                }
            )+
        }
    };
}
pub(crate) use mutations;
