//! A row as the executor gets it. Most of what a query asks of a row is at hand, so it is asked without waiting first;
//! only where something must be waited for does the executor take over, with a future for every field.
//!
//! Architecture invariant: a leaf field of a view, and a field that its [`Visible::RELATIONS`] name, asks the database by
//! [`Ask::load`] alone. Asked in vain, that leaves nothing behind; any other question would be asked twice.
//!
//! [`Ask::load`]: super::context::Ask::load
use std::{
    borrow::Cow,
    ops::Deref,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_graphql::{
    ContainerType, ContextSelectionSet, OutputType, Positioned, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::{Field, Selection, SelectionSet},
    registry::Registry,
    resolver_utils::resolve_list,
};
use futures_util::FutureExt;

use super::view::Visible;

/// A row that was read, shared by all who show it.
#[derive(Debug)]
pub struct Found<V>(Arc<V>);

impl<V> Found<V> {
    /// A row to show.
    pub fn new(row: V) -> Self {
        Self(Arc::new(row))
    }
}

impl<V: Clone> Found<V> {
    /// The row itself.
    pub fn into_inner(self) -> V {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<V> Clone for Found<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Deref for Found<V> {
    type Target = V;
    fn deref(&self) -> &V {
        &self.0
    }
}

impl<V: Visible + ContainerType> OutputType for Found<V> {
    fn type_name() -> Cow<'static, str> {
        V::type_name()
    }
    fn create_type_info(registry: &mut Registry) -> String {
        V::create_type_info(registry)
    }
    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        match near::<V>(ctx).and_then(|asked| at_once(ctx, &asked, &*self.0)) {
            Some(value) => Ok(value),
            None => V::resolve(&self.0, ctx, field).boxed().await,
        }
    }
}

/// Rows that are asked the same.
#[derive(Debug)]
pub struct All<V>(Vec<Found<V>>);

impl<V> From<Vec<Found<V>>> for All<V> {
    fn from(rows: Vec<Found<V>>) -> Self {
        Self(rows)
    }
}

impl<V: Visible + ContainerType> OutputType for All<V> {
    fn type_name() -> Cow<'static, str> {
        Vec::<V>::type_name()
    }
    fn qualified_type_name() -> String {
        Vec::<V>::qualified_type_name()
    }
    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<V>::create_type_info(registry)
    }
    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let all = |asked: Vec<_>| self.0.iter().map(|row| at_once(ctx, &asked, &**row)).collect();
        match near::<V>(ctx).and_then(all) {
            Some(values) => Ok(Value::List(values)),
            None => resolve_list(ctx, field, &self.0, Some(self.0.len())).boxed().await,
        }
    }
}

/// The fields that a query asks for, each once, if all of them are leaves or lead to rows of which leaves are asked.
fn near<'a, V: Visible + ContainerType>(ctx: &ContextSelectionSet<'a>) -> Option<Vec<&'a Positioned<Field>>> {
    let mut asked: Vec<&Positioned<Field>> = Vec::with_capacity(ctx.item.node.items.len());
    flatten(ctx, &ctx.item.node, &V::type_name(), &mut |field| {
        let (name, below) = (field.node.name.node.as_str(), &field.node.selection_set.node.items);
        let key = &field.node.response_key().node;
        if asked.iter().any(|other| other.node.response_key().node == *key) {
            // Asked twice: the same leaf, or two selections of which one answer is to be made.
            return below.is_empty();
        }
        asked.push(field);
        below.is_empty() || V::RELATIONS.contains(&name) && below.iter().all(is_leaf)
    })
    .then_some(asked)
}

/// The whole answer, when nothing of it must be waited for. What fails is left to the executor, which says why.
fn at_once<V: ContainerType>(
    ctx: &ContextSelectionSet<'_>,
    asked: &[&Positioned<Field>],
    row: &V,
) -> Option<Value> {
    let mut answer = IndexMap::with_capacity(asked.len());
    for field in asked {
        let value = if field.node.name.node == "__typename" {
            V::type_name().into_owned().into()
        } else {
            let asked = ctx.with_field(field);
            // Polled where it is made: it has room for the largest resolver, and to move it would copy all of that.
            match pin!(row.resolve_field(&asked)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(answered) => answered.ok()??,
                Poll::Pending => return None,
            }
        };
        answer.insert(field.node.response_key().node.clone(), value);
    }
    Some(Value::Object(answer))
}

/// Shows every field of a selection with its fragments; whether there was nothing else in it and all were taken.
fn flatten<'a>(
    ctx: &ContextSelectionSet<'a>,
    set: &'a SelectionSet,
    type_name: &str,
    take: &mut impl FnMut(&'a Positioned<Field>) -> bool,
) -> bool {
    set.items.iter().all(|selection| {
        let (on, below) = match &selection.node {
            _ if !selection.node.directives().is_empty() => return false,
            Selection::Field(field) => return take(field),
            Selection::InlineFragment(inline) => {
                (inline.node.type_condition.as_ref(), &inline.node.selection_set)
            }
            Selection::FragmentSpread(spread) => {
                let Some(fragment) = ctx.query_env.fragments.get(&spread.node.fragment_name.node) else {
                    return false;
                };
                (Some(&fragment.node.type_condition), &fragment.node.selection_set)
            }
        };
        on.is_none_or(|on| on.node.on.node == type_name) && flatten(ctx, &below.node, type_name, take)
    })
}

fn is_leaf(selection: &Positioned<Selection>) -> bool {
    match &selection.node {
        Selection::Field(field) => {
            field.node.selection_set.node.items.is_empty() && field.node.directives.is_empty()
        }
        _ => false,
    }
}
