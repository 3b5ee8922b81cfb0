//! The order of an answer's fields: that of the document, as the specification asks. The executor resolves siblings
//! side by side and writes them in the order in which they come to an end.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use async_graphql::{Name, Value};
use std::collections::HashSet;

/// The fields of one object in the order of their first appearance, each with the order inside it.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Order {
    fields: IndexMap<Name, Order>,
    /// Fragments that were gathered here: a second time they add nothing, however often they are spread.
    spread: HashSet<Name>,
}

impl Order {
    /// The order that a selection asks for. The document passed the limits: expanded, it has a bounded number of fields.
    pub(super) fn of(document: &ExecutableDocument, set: &SelectionSet) -> Self {
        let mut order = Self::default();
        order.gather(document, set);
        order
    }

    fn gather(&mut self, document: &ExecutableDocument, set: &SelectionSet) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = field.node.response_key().node.clone();
                    self.fields.entry(name).or_default().gather(document, &field.node.selection_set.node);
                }
                Selection::InlineFragment(fragment) => {
                    self.gather(document, &fragment.node.selection_set.node);
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = document.fragments.get(name)
                        && self.spread.insert(name.clone())
                    {
                        self.gather(document, &fragment.node.selection_set.node);
                    }
                }
            }
        }
    }

    /// The value with its fields in order.
    pub(in crate::protocol) fn arrange(&self, value: Value) -> Value {
        match value {
            // A leaf: what is in it is its own affair.
            _ if self.fields.is_empty() => value,
            Value::List(items) => Value::List(items.into_iter().map(|item| self.arrange(item)).collect()),
            Value::Object(mut fields) => {
                let mut arranged = IndexMap::with_capacity(fields.len());
                for (name, order) in &self.fields {
                    if let Some(value) = fields.swap_remove(name) {
                        arranged.insert(name.clone(), order.arrange(value));
                    }
                }
                arranged.extend(fields);
                Value::Object(arranged)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::{parser, value};

    #[test]
    fn fields_stand_as_the_document_names_them() {
        let text = "{ b ...F a: x { z } } fragment F on Query { c a: x { y z } b }";
        let document = parser::parse_query(text).unwrap();
        let (_, operation) = document.operations.iter().next().unwrap();
        let order = Order::of(&document, &operation.node.selection_set.node);
        let answer = value!({ "a": [{ "y": 1, "z": 2 }, null], "c": 3, "extra": 4, "b": { "json": { "q": 1, "p": 2 } } });
        let arranged = order.arrange(answer).to_string();
        assert_eq!(arranged, "{b: {json: {q: 1, p: 2}}, c: 3, a: [{y: 1, z: 2}, null], extra: 4}");
    }
}
