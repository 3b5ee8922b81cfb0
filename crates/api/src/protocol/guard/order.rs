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

    /// Puts the fields of the value in order.
    pub(in crate::protocol) fn arrange(&self, value: &mut Value) {
        if self.fields.is_empty() {
            // A leaf: what is in it is its own affair.
            return;
        }
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| self.arrange(item)),
            Value::Object(fields) => {
                // Mostly they are in order: what was at hand comes first, as it was asked for.
                if !fields.keys().eq(self.fields.keys()) {
                    let mut arranged = IndexMap::with_capacity(fields.len());
                    for name in self.fields.keys() {
                        if let Some((name, value)) = fields.swap_remove_entry(name) {
                            arranged.insert(name, value);
                        }
                    }
                    arranged.extend(std::mem::take(fields));
                    *fields = arranged;
                }
                for (name, value) in fields {
                    if let Some(order) = self.fields.get(name) {
                        order.arrange(value);
                    }
                }
            }
            _ => {}
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
        let mut answer = value!({ "a": [{ "y": 1, "z": 2 }, null], "c": 3, "extra": 4, "b": { "json": { "q": 1, "p": 2 } } });
        order.arrange(&mut answer);
        assert_eq!(answer.to_string(), "{b: {json: {q: 1, p: 2}}, c: 3, a: [{y: 1, z: 2}, null], extra: 4}");
    }
}
