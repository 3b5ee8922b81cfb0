//! Fields that come out under one name must be the same field. Follows the merged sets level by level: one
//! pass for the shape of the answer, one for name and arguments. The work is counted and bounded.

use super::schema::{Field as FieldInfo, Kind, Schema, base_name};
use crate::protocol::error;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet, Type,
};
use async_graphql::{Name, Positioned, ServerError};
use std::collections::{HashMap, HashSet};

/// Fields looked at by all passes together.
const WORK: usize = 100_000;

/// Refuses an operation with two different fields under one name.
pub(super) fn check(
    schema: &Schema,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
) -> Result<(), ServerError> {
    let Some(root) = schema.root(operation.ty) else { return Ok(()) };
    let mut pass = Pass { schema, document, work: 0 };
    let set = vec![(root, &operation.selection_set.node)];
    pass.shapes(set.clone())?;
    pass.names(set)
}

/// Selection sets that are merged, each with the type it is on.
type Sets<'a> = Vec<(&'a Name, &'a SelectionSet)>;

/// A field where it was found.
#[derive(Clone, Copy)]
struct Found<'a> {
    parent: &'a Name,
    field: &'a Positioned<Field>,
    info: &'a FieldInfo,
}

struct Pass<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    work: usize,
}

impl<'a> Pass<'a> {
    /// The fields of the merged sets by the name they come out under.
    fn collect(&mut self, sets: Sets<'a>) -> Result<Vec<Vec<Found<'a>>>, ServerError> {
        let mut groups: HashMap<&'a Name, Vec<Found<'a>>> = HashMap::new();
        let mut seen = HashSet::new();
        let mut open = sets;
        while let Some((parent, set)) = open.pop() {
            for item in &set.items {
                self.work += 1;
                if self.work > WORK {
                    return Err(error::limit("merged_fields", WORK as u64));
                }
                match &item.node {
                    Selection::Field(field) => {
                        if let Some(info) = self.schema.field(parent, &field.node.name.node) {
                            let key = &field.node.response_key().node;
                            groups.entry(key).or_default().push(Found { parent, field, info });
                        }
                    }
                    Selection::InlineFragment(inline) => {
                        let on = inline.node.type_condition.as_ref().map_or(parent, |on| &on.node.on.node);
                        open.push((on, &inline.node.selection_set.node));
                    }
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        if seen.insert(name)
                            && let Some(fragment) = self.document.fragments.get(name)
                        {
                            let on = &fragment.node.type_condition.node.on.node;
                            open.push((on, &fragment.node.selection_set.node));
                        }
                    }
                }
            }
        }
        Ok(groups.into_values().collect())
    }

    /// All fields under one name have the same lists, non-null marks and leaf type.
    fn shapes(&mut self, sets: Sets<'a>) -> Result<(), ServerError> {
        for group in self.collect(sets)? {
            for pair in group.windows(2) {
                if !self.same_shape(&pair[0].info.ty, &pair[1].info.ty) {
                    return Err(conflict(pair[0], pair[1], "their types differ"));
                }
            }
            self.shapes(below(&group))?;
        }
        Ok(())
    }

    fn same_shape(&self, one: &Type, other: &Type) -> bool {
        one.nullable == other.nullable
            && match (&one.base, &other.base) {
                (BaseType::List(one), BaseType::List(other)) => self.same_shape(one, other),
                (BaseType::Named(one), BaseType::Named(other)) => {
                    one == other || (self.schema.is_composite(one) && self.schema.is_composite(other))
                }
                _ => false,
            }
    }

    /// Fields that can meet in one object have the same name and arguments.
    fn names(&mut self, sets: Sets<'a>) -> Result<(), ServerError> {
        for group in self.collect(sets)? {
            let is_object =
                |found: &Found<'_>| matches!(self.schema.kind(found.parent), Some(Kind::Object(_)));
            let (objects, everywhere): (Vec<_>, Vec<_>) = group.into_iter().partition(is_object);
            let mut by_object: HashMap<&Name, Vec<Found<'a>>> = HashMap::new();
            for found in objects {
                by_object.entry(found.parent).or_default().push(found);
            }
            let groups: Vec<Vec<Found<'a>>> = if by_object.is_empty() {
                vec![everywhere]
            } else {
                by_object
                    .into_values()
                    .map(|own| own.into_iter().chain(everywhere.clone()).collect())
                    .collect()
            };
            for group in groups {
                for pair in group.windows(2) {
                    let (one, other) = (&pair[0].field.node, &pair[1].field.node);
                    if one.name.node != other.name.node {
                        return Err(conflict(pair[0], pair[1], "they are different fields"));
                    }
                    if !same_arguments(one, other) {
                        return Err(conflict(pair[0], pair[1], "their arguments differ"));
                    }
                }
                self.names(below(&group))?;
            }
        }
        Ok(())
    }
}

fn below<'a>(group: &[Found<'a>]) -> Sets<'a> {
    group.iter().map(|found| (base_name(&found.info.ty), &found.field.node.selection_set.node)).collect()
}

fn same_arguments(one: &Field, other: &Field) -> bool {
    one.arguments.len() == other.arguments.len()
        && one
            .arguments
            .iter()
            .all(|(name, value)| other.get_argument(&name.node).is_some_and(|found| found.node == value.node))
}

fn conflict(one: Found<'_>, other: Found<'_>, why: &str) -> ServerError {
    let name = &one.field.node.response_key().node;
    let message = format!("two fields come out as `{name}` but {why}: give one of them an alias");
    let mut error = error::error_at(error::VALIDATION_FAILED, message, one.field.pos);
    error.locations.push(other.field.pos);
    error
}
