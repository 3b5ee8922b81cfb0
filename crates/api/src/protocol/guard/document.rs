//! What an operation costs, with every fragment measured once, and the document that is handed to the
//! executor.

use super::schema::{Field as FieldInfo, Schema, base_name};
use crate::protocol::{Limits, error};
use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, Field, OperationDefinition, OperationType, Selection,
    SelectionSet, Type,
};
use async_graphql::{Name, Positioned, ServerError, Value as ConstValue, Variables};
use async_graphql_value::Value;
use std::collections::{HashMap, HashSet};

/// Lists of introspection inside each other: the usual query needs one, deeper nesting multiplies the schema.
const INTROSPECTION_LISTS: u64 = 2;

/// Selection sets inside each other with fragments expanded; what walks them recurses.
const NESTING: u64 = 32;

/// What a valid operation was measured at.
pub(super) struct Measured {
    pub(super) cost: u64,
    pub(super) depth: u64,
}

/// Measures `operation` and holds it against the limits.
pub(super) fn measure(
    schema: &Schema,
    limits: &Limits,
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<Measured, Vec<ServerError>> {
    let mut meter = Meter {
        schema,
        limits,
        document,
        variables,
        fragments: HashMap::new(),
        level: 0,
        errors: Vec::new(),
    };
    let root = schema.root(operation.ty).cloned().unwrap_or_else(|| Name::new(""));
    let mut size = meter.set(&operation.selection_set.node, &root);
    size.directives = size.directives.saturating_add(operation.directives.len() as u64);
    let cost = meter.total(&size);
    let bounds = [
        ("depth", size.depth, limits.depth),
        ("nesting", size.nesting, NESTING + 1),
        ("fields", size.fields, limits.fields),
        ("aliases", size.aliases, limits.aliases),
        ("root_fields", size.roots, limits.root_fields),
        ("directives", size.directives, limits.directives),
        ("cost", cost, limits.cost),
    ];
    let mut errors = meter.errors;
    errors.extend(
        bounds.iter().filter(|(_, found, max)| found > max).map(|(name, _, max)| error::limit(name, *max)),
    );
    if errors.is_empty() { Ok(Measured { cost, depth: size.depth }) } else { Err(errors) }
}

/// The measure of a selection set, all sums saturating.
#[derive(Clone, Copy, Default)]
struct Size {
    depth: u64,
    fields: u64,
    aliases: u64,
    directives: u64,
    /// Fields of this very level.
    roots: u64,
    /// Cost of what is there once.
    once: u64,
    /// Cost of what is there once per item of the page around it: what is below `nodes` and `edges`.
    per_item: u64,
    /// Introspection lists inside each other.
    lists: u64,
    /// Selection sets inside each other, fragments counted as such.
    nesting: u64,
}

impl Size {
    /// Takes a neighbour in.
    fn add(&mut self, other: Self) {
        self.depth = self.depth.max(other.depth);
        self.lists = self.lists.max(other.lists);
        self.nesting = self.nesting.max(other.nesting);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.roots = self.roots.saturating_add(other.roots);
        self.once = self.once.saturating_add(other.once);
        self.per_item = self.per_item.saturating_add(other.per_item);
    }
}

struct Meter<'a> {
    schema: &'a Schema,
    limits: &'a Limits,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    fragments: HashMap<&'a Name, Size>,
    level: u64,
    errors: Vec<ServerError>,
}

impl<'a> Meter<'a> {
    fn set(&mut self, set: &'a SelectionSet, parent: &Name) -> Size {
        let mut size = Size { nesting: u64::from(!set.items.is_empty()), ..Size::default() };
        if self.level > NESTING {
            return Size { nesting: NESTING + 1, ..size };
        }
        self.level += 1;
        for item in &set.items {
            size.directives = size.directives.saturating_add(item.node.directives().len() as u64);
            let mut other = match &item.node {
                Selection::Field(field) => self.field(&field.node, parent),
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map_or(parent, |on| &on.node.on.node);
                    self.set(&inline.node.selection_set.node, on)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node),
            };
            other.nesting = other.nesting.saturating_add(1);
            size.add(other);
        }
        self.level -= 1;
        size
    }

    /// A fragment, measured when it is first met. The rules have refused circles before.
    fn fragment(&mut self, name: &'a Name) -> Size {
        if let Some(size) = self.fragments.get(name) {
            return *size;
        }
        let Some(fragment) = self.document.fragments.get(name) else { return Size::default() };
        let size = self.set(&fragment.node.selection_set.node, &fragment.node.type_condition.node.on.node);
        self.fragments.insert(name, size);
        size
    }

    fn field(&mut self, field: &'a Field, parent: &Name) -> Size {
        let Some(info) = self.schema.field(parent, &field.name.node) else { return Size::default() };
        let ty = base_name(&info.ty);
        let mut below = self.set(&field.selection_set.node, ty);
        let name = field.name.node.as_str();
        if parent.starts_with("__")
            && matches!(name, "fields" | "inputFields" | "interfaces" | "possibleTypes")
        {
            below.lists += 1;
        }
        if matches!(name, "__schema" | "__type") {
            self.introspection(name, &mut below);
        }
        let (once, per_item) = self.cost(field, info, parent, &below);
        Size {
            depth: below.depth.saturating_add(1),
            fields: below.fields.saturating_add(1),
            aliases: below.aliases.saturating_add(u64::from(field.alias.is_some())),
            roots: 1,
            once,
            per_item,
            ..below
        }
    }

    /// Introspection nests deeper than data; it has limits of its own and counts as one level.
    fn introspection(&mut self, name: &str, below: &mut Size) {
        if below.depth > self.limits.introspection_depth {
            self.errors.push(error::limit("introspection_depth", self.limits.introspection_depth));
        }
        // The whole schema is already one list.
        let allowed = INTROSPECTION_LISTS - u64::from(name == "__schema");
        if below.lists > allowed {
            self.errors.push(error::limit("introspection_lists", allowed));
        }
        below.depth = 0;
    }

    /// What a field costs once, and per item of the page it stands in.
    fn cost(&self, field: &Field, info: &FieldInfo, parent: &Name, below: &Size) -> (u64, u64) {
        if !self.schema.is_composite(base_name(&info.ty)) {
            return (1, 0);
        }
        let item = self.total(below).saturating_add(1);
        let name = field.name.node.as_str();
        if matches!(name, "nodes" | "edges") && self.schema.field(parent, "pageInfo").is_some() {
            return (1, item);
        }
        let is_list = is_list(&info.ty);
        let times = if let Some(ids) = self.ids(field) {
            ids
        } else if let Some(page) = self.page(field, info) {
            if !is_list {
                return (page.saturating_mul(below.per_item).saturating_add(below.once).saturating_add(1), 0);
            }
            page
        } else if is_list {
            self.limits.list_size
        } else {
            return (item, 0);
        };
        (times.saturating_mul(item).saturating_add(1), 0)
    }

    /// Everything below a field that names no page.
    fn total(&self, size: &Size) -> u64 {
        size.per_item.saturating_mul(self.limits.page_size).saturating_add(size.once)
    }

    /// The page that `first` or `last` asks for, if the field has one of them.
    fn page(&self, field: &Field, info: &FieldInfo) -> Option<u64> {
        let mut pages = ["first", "last"].into_iter().filter_map(|name| {
            let default = info.args.get(name)?.default.as_ref();
            let given = field.get_argument(name).and_then(|value| self.count(&value.node));
            Some(given.or_else(|| default.and_then(number)))
        });
        let (one, other) = (pages.next()?, pages.next().flatten());
        Some(one.max(other).unwrap_or(self.limits.page_size))
    }

    fn count(&self, value: &Value) -> Option<u64> {
        match value {
            Value::Number(n) => n.as_u64(),
            Value::Variable(name) => self.variables.get(name).and_then(number),
            _ => None,
        }
    }

    /// How many ids the field looks up.
    fn ids(&self, field: &Field) -> Option<u64> {
        match &field.get_argument("ids")?.node {
            Value::List(items) => Some(items.len() as u64),
            Value::Variable(name) => match self.variables.get(name)? {
                ConstValue::List(items) => Some(items.len() as u64),
                _ => Some(1),
            },
            _ => Some(1),
        }
    }
}

fn number(value: &ConstValue) -> Option<u64> {
    match value {
        ConstValue::Number(n) => n.as_u64(),
        _ => None,
    }
}

fn is_list(ty: &Type) -> bool {
    matches!(ty.base, BaseType::List(_))
}

/// The operation alone with the fragments it reaches. Where a variable was not given, its argument is left
/// out, so that the default of the argument holds (the executor would pass null).
pub(super) fn hand_over(
    document: &ExecutableDocument,
    operation: &Positioned<OperationDefinition>,
    variables: &Variables,
) -> ExecutableDocument {
    let mut operation = operation.clone();
    if operation.node.ty == OperationType::Subscription {
        root_of_subscription(&mut operation.node.selection_set.node, document);
    }
    let definitions = operation.node.variable_definitions.iter().map(|definition| &definition.node.name.node);
    let absent = definitions.filter(|name| !variables.contains_key(name.as_str())).cloned().collect();
    let mut fragments = HashMap::new();
    let mut wanted = Vec::new();
    prune(&mut operation.node.selection_set.node, &absent, &mut wanted);
    while let Some(name) = wanted.pop() {
        if !fragments.contains_key(&name)
            && let Some(fragment) = document.fragments.get(&name)
        {
            let mut fragment = fragment.clone();
            prune(&mut fragment.node.selection_set.node, &absent, &mut wanted);
            fragments.insert(name, fragment);
        }
    }
    ExecutableDocument { operations: DocumentOperations::Single(operation), fragments }
}

/// The executor reads the root field of a subscription outside fragments only, and runs it once for each time
/// it is selected: so it is written out, once.
fn root_of_subscription(set: &mut SelectionSet, document: &ExecutableDocument) {
    let mut found = Vec::new();
    root_fields(set, document, &mut found);
    let mut found = found.into_iter().cloned();
    let Some(mut root) = found.next() else { return };
    root.node.selection_set.node.items.extend(found.flat_map(|field| field.node.selection_set.node.items));
    let pos = root.pos;
    set.items = vec![Positioned::new(Selection::Field(root), pos)];
}

fn root_fields<'a>(
    set: &'a SelectionSet,
    document: &'a ExecutableDocument,
    found: &mut Vec<&'a Positioned<Field>>,
) {
    for item in &set.items {
        match &item.node {
            Selection::Field(field) => found.push(field),
            Selection::InlineFragment(inline) => {
                root_fields(&inline.node.selection_set.node, document, found);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    root_fields(&fragment.node.selection_set.node, document, found);
                }
            }
        }
    }
}

/// Leaves out what hangs on absent variables; notes the fragments met.
fn prune(set: &mut SelectionSet, absent: &HashSet<Name>, spreads: &mut Vec<Name>) {
    for item in &mut set.items {
        match &mut item.node {
            Selection::Field(field) => prune_field(&mut field.node, absent, spreads),
            Selection::InlineFragment(inline) => prune(&mut inline.node.selection_set.node, absent, spreads),
            Selection::FragmentSpread(spread) => spreads.push(spread.node.fragment_name.node.clone()),
        }
    }
}

fn prune_field(field: &mut Field, absent: &HashSet<Name>, spreads: &mut Vec<Name>) {
    if !absent.is_empty() {
        field.arguments.retain_mut(|(_, value)| keep(&mut value.node, absent));
    }
    prune(&mut field.selection_set.node, absent, spreads);
}

fn keep(value: &mut Value, absent: &HashSet<Name>) -> bool {
    match value {
        Value::Variable(name) => !absent.contains(name),
        Value::Object(object) => {
            object.retain(|_, value| keep(value, absent));
            true
        }
        Value::List(items) => {
            for item in items {
                if !keep(item, absent) {
                    *item = Value::Null;
                }
            }
            true
        }
        _ => true,
    }
}
