//! The rules of the GraphQL specification that a document can break by itself: every definition is walked
//! once, fragments are not expanded.

use super::MAX_ERRORS;
use super::coerce::{Ids, Place, Values};
use super::schema::{Inputs, Schema, base_name};
use crate::protocol::error;
use async_graphql::parser::types::{
    BaseType, Directive, DirectiveLocation, ExecutableDocument, Field, FragmentDefinition,
    OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeCondition,
};
use async_graphql::{Name, Pos, Positioned, ServerError, Value as ConstValue};
use async_graphql_value::Value;
use std::collections::{HashMap, HashSet};

/// A variable in a place of known type.
#[derive(Clone)]
pub(super) struct Use {
    pub(super) variable: Name,
    pub(super) pos: Pos,
    /// The type of the place; none inside a custom scalar.
    pub(super) expected: Option<Type>,
    /// Whether the place has a default of its own.
    pub(super) has_default: bool,
}

/// What one definition uses.
#[derive(Default)]
struct Scope {
    uses: Vec<Use>,
    spreads: Vec<(Name, Pos)>,
}

/// What a valid document uses where.
pub(super) struct Facts {
    operations: HashMap<Option<Name>, Scope>,
    fragments: HashMap<Name, Scope>,
    /// Ids that stand in the document itself.
    pub(super) ids: Ids,
    /// Whether `__schema` or `__type` stands anywhere in it.
    pub(super) introspects: bool,
}

impl Facts {
    /// The uses of variables in an operation and in all fragments it reaches.
    pub(super) fn uses_of(&self, operation: Option<&Name>, document: &ExecutableDocument) -> Vec<&Use> {
        let Some(scope) = self.operations.get(&operation.cloned()) else { return Vec::new() };
        let mut uses: Vec<&Use> = scope.uses.iter().collect();
        for name in self.reachable(scope, document) {
            uses.extend(self.fragments.get(name).iter().flat_map(|scope| &scope.uses));
        }
        uses
    }

    fn reachable<'a>(&'a self, scope: &'a Scope, document: &ExecutableDocument) -> HashSet<&'a Name> {
        let mut seen = HashSet::new();
        let mut open: Vec<&Name> = scope.spreads.iter().map(|(name, _)| name).collect();
        while let Some(name) = open.pop() {
            if document.fragments.contains_key(name)
                && seen.insert(name)
                && let Some(scope) = self.fragments.get(name)
            {
                open.extend(scope.spreads.iter().map(|(name, _)| name));
            }
        }
        seen
    }
}

/// Walks the whole document.
pub(super) fn validate(schema: &Schema, document: &ExecutableDocument) -> Result<Facts, Vec<ServerError>> {
    let mut walk = Walk {
        schema,
        document,
        scope: Scope::default(),
        ids: Ids::new(),
        introspects: false,
        errors: Vec::new(),
    };
    let mut facts =
        Facts { operations: HashMap::new(), fragments: HashMap::new(), ids: Ids::new(), introspects: false };
    for (name, fragment) in &document.fragments {
        walk.fragment(&fragment.node);
        facts.fragments.insert(name.clone(), std::mem::take(&mut walk.scope));
    }
    for (name, operation) in document.operations.iter() {
        walk.operation(operation);
        facts.operations.insert(name.cloned(), std::mem::take(&mut walk.scope));
    }
    facts.ids = walk.ids;
    facts.introspects = walk.introspects;
    let mut errors = walk.errors;
    spreads(&facts, document, &mut errors);
    if errors.is_empty() {
        for (name, operation) in document.operations.iter() {
            variables(&operation.node, &facts.uses_of(name, document), &mut errors);
        }
    }
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(facts) } else { Err(errors) }
}

fn invalid(message: impl AsRef<str>, pos: Pos) -> ServerError {
    error::error_at(error::VALIDATION_FAILED, message, pos)
}

/// Fragments must be defined, used, and not lead back to themselves.
fn spreads(facts: &Facts, document: &ExecutableDocument, errors: &mut Vec<ServerError>) {
    for scope in facts.operations.values().chain(facts.fragments.values()) {
        for (name, pos) in &scope.spreads {
            if !document.fragments.contains_key(name) {
                errors.push(invalid(format!("the fragment `{name}` is not defined"), *pos));
            }
        }
    }
    let mut used = HashSet::new();
    for scope in facts.operations.values() {
        used.extend(facts.reachable(scope, document));
    }
    // A fragment whose spreads are all settled is on no circle; what never settles is on one or leads to one.
    let mut settled: HashSet<&Name> = HashSet::new();
    let mut waiting: Vec<(&Name, &Scope)> = facts.fragments.iter().collect();
    loop {
        let before = waiting.len();
        waiting.retain(|(name, scope)| {
            let is_settled =
                |spread: &Name| settled.contains(spread) || !document.fragments.contains_key(spread);
            let done = scope.spreads.iter().all(|(spread, _)| is_settled(spread));
            if done {
                settled.insert(name);
            }
            !done
        });
        if waiting.len() == before {
            break;
        }
    }
    for (name, fragment) in &document.fragments {
        if !settled.contains(name) {
            errors.push(invalid(
                format!("the fragment `{name}` leads back to a fragment that contains it"),
                fragment.pos,
            ));
        } else if !used.contains(name) {
            errors.push(invalid(format!("the fragment `{name}` is never used"), fragment.pos));
        }
    }
}

/// Variables must be defined, used, and fit the places they are used in.
fn variables(operation: &OperationDefinition, uses: &[&Use], errors: &mut Vec<ServerError>) {
    let names: HashSet<&Name> = uses.iter().map(|found| &found.variable).collect();
    let mut defined = HashMap::new();
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        if defined.insert(name, &definition.node).is_some() {
            errors.push(invalid(format!("the variable `${name}` is defined twice"), definition.pos));
        }
        if !names.contains(name) {
            errors.push(invalid(format!("the variable `${name}` is never used"), definition.pos));
        }
    }
    for found in uses {
        let name = &found.variable;
        let Some(definition) = defined.get(name) else {
            errors.push(invalid(format!("the variable `${name}` is not defined"), found.pos));
            continue;
        };
        let Some(expected) = &found.expected else { continue };
        let ty = &definition.var_type.node;
        let has_default =
            definition.default_value.as_ref().is_some_and(|value| value.node != ConstValue::Null);
        let fits = if !expected.nullable && ty.nullable {
            (has_default || found.has_default)
                && fits(&Type { base: ty.base.clone(), nullable: false }, expected)
        } else {
            fits(ty, expected)
        };
        if !fits {
            let message =
                format!("the variable `${name}` of type `{ty}` does not fit a place of type `{expected}`");
            errors.push(invalid(message, found.pos));
        }
    }
}

/// Whether every value of `ty` is a value of `expected`.
fn fits(ty: &Type, expected: &Type) -> bool {
    let base = match (&ty.base, &expected.base) {
        (BaseType::Named(ty), BaseType::Named(expected)) => ty == expected,
        (BaseType::List(ty), BaseType::List(expected)) => fits(ty, expected),
        _ => false,
    };
    base && (expected.nullable || !ty.nullable)
}

struct Walk<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    scope: Scope,
    ids: Ids,
    introspects: bool,
    errors: Vec<ServerError>,
}

impl Walk<'_> {
    fn fail(&mut self, message: impl AsRef<str>, pos: Pos) {
        // One more than is shown: it is the count that says the document is refused.
        if self.errors.len() <= MAX_ERRORS {
            self.errors.push(invalid(message, pos));
        }
    }

    fn operation(&mut self, operation: &Positioned<OperationDefinition>) {
        let node = &operation.node;
        let Some(root) = self.schema.root(node.ty).cloned() else {
            return self.fail(format!("the schema has no {}", node.ty), operation.pos);
        };
        let location = match node.ty {
            OperationType::Query => DirectiveLocation::Query,
            OperationType::Mutation => DirectiveLocation::Mutation,
            OperationType::Subscription => DirectiveLocation::Subscription,
        };
        self.directives(&node.directives, location);
        for definition in &node.variable_definitions {
            self.directives(&definition.node.directives, DirectiveLocation::VariableDefinition);
            let (name, ty) = (&definition.node.name.node, &definition.node.var_type);
            match self.schema.kind(base_name(&ty.node)) {
                None => self
                    .fail(format!("the type `{}` of `${name}` does not exist", base_name(&ty.node)), ty.pos),
                Some(kind) if !kind.is_input() => {
                    self.fail(format!("the type `{}` of `${name}` is not an input type", ty.node), ty.pos);
                }
                Some(_) => {
                    if let Some(default) = &definition.node.default_value {
                        let place = Place::Variable(name);
                        self.value(&ty.node, &default.node.clone().into_value(), &place, default.pos, false);
                    }
                }
            }
        }
        if node.ty == OperationType::Subscription {
            self.subscription_root(&node.selection_set.node, operation.pos);
        }
        self.selection_set(&node.selection_set.node, &root);
    }

    /// A subscription has one root field, always.
    fn subscription_root(&mut self, set: &SelectionSet, pos: Pos) {
        let mut keys = HashSet::new();
        let mut seen = HashSet::new();
        let mut open = vec![set];
        while let Some(set) = open.pop() {
            for item in &set.items {
                if let Some(directive) = item.node.directives().first() {
                    let message = "directives are not allowed on the root selections of a subscription";
                    self.fail(message, directive.pos);
                }
                match &item.node {
                    Selection::Field(field) => {
                        keys.insert(field.node.response_key().node.as_str());
                        if field.node.name.node.starts_with("__") {
                            self.fail(
                                "the root field of a subscription must not be introspection",
                                field.pos,
                            );
                        }
                    }
                    Selection::InlineFragment(inline) => open.push(&inline.node.selection_set.node),
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        if seen.insert(name)
                            && let Some(fragment) = self.document.fragments.get(name)
                        {
                            open.push(&fragment.node.selection_set.node);
                        }
                    }
                }
            }
        }
        if keys.len() > 1 {
            self.fail("a subscription has exactly one root field", pos);
        }
    }

    fn fragment(&mut self, fragment: &FragmentDefinition) {
        self.directives(&fragment.directives, DirectiveLocation::FragmentDefinition);
        if let Some(on) = self.condition(&fragment.type_condition) {
            self.selection_set(&fragment.selection_set.node, &on);
        }
    }

    /// The type a fragment is on, if it exists and has fields.
    fn condition(&mut self, condition: &Positioned<TypeCondition>) -> Option<Name> {
        let on = &condition.node.on.node;
        if self.schema.is_composite(on) {
            return Some(on.clone());
        }
        let problem = if self.schema.kind(on).is_some() { "has no fields" } else { "does not exist" };
        self.fail(format!("the type `{on}` of a fragment {problem}"), condition.pos);
        None
    }

    fn selection_set(&mut self, set: &SelectionSet, parent: &Name) {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => self.field(field, parent),
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.node.directives, DirectiveLocation::InlineFragment);
                    let on = match &inline.node.type_condition {
                        None => Some(parent.clone()),
                        Some(condition) => self.condition(condition),
                    };
                    if let Some(on) = on {
                        self.possible(&on, parent, inline.pos);
                        self.selection_set(&inline.node.selection_set.node, &on);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.node.directives, DirectiveLocation::FragmentSpread);
                    let name = &spread.node.fragment_name.node;
                    self.scope.spreads.push((name.clone(), spread.pos));
                    if let Some(fragment) = self.document.fragments.get(name) {
                        let on = &fragment.node.type_condition.node.on.node;
                        if self.schema.is_composite(on) {
                            self.possible(on, parent, spread.pos);
                        }
                    }
                }
            }
        }
    }

    fn possible(&mut self, on: &Name, parent: &Name, pos: Pos) {
        if !self.schema.overlap(on, parent) {
            self.fail(format!("a fragment on `{on}` can never apply inside `{parent}`"), pos);
        }
    }

    fn field(&mut self, field: &Positioned<Field>, parent: &Name) {
        let node = &field.node;
        let name = &node.name.node;
        self.directives(&node.directives, DirectiveLocation::Field);
        let schema = self.schema;
        let Some(info) = schema.field(parent, name) else {
            return self.fail(format!("the type `{parent}` has no field `{name}`"), field.pos);
        };
        self.introspects |= matches!(name.as_str(), "__schema" | "__type");
        self.arguments(name, &node.arguments, &info.args, field.pos);
        let ty = base_name(&info.ty);
        match (schema.is_composite(ty), node.selection_set.node.items.is_empty()) {
            (true, true) => self.fail(format!("`{name}` is of type `{ty}`: select fields of it"), field.pos),
            (false, false) => {
                self.fail(format!("`{name}` is of type `{ty}`, which has no fields"), field.pos);
            }
            (true, false) => self.selection_set(&node.selection_set.node, ty),
            (false, true) => {}
        }
    }

    fn directives(&mut self, directives: &[Positioned<Directive>], location: DirectiveLocation) {
        let mut seen = HashSet::new();
        for directive in directives {
            let name = &directive.node.name.node;
            let schema = self.schema;
            let Some(info) = schema.directive(name) else {
                self.fail(format!("the directive `@{name}` does not exist"), directive.pos);
                continue;
            };
            if !info.locations.contains(&location) {
                self.fail(format!("the directive `@{name}` does not belong here"), directive.pos);
            }
            if !seen.insert(name) && !info.repeatable {
                self.fail(format!("the directive `@{name}` is given twice"), directive.pos);
            }
            self.arguments(&format!("@{name}"), &directive.node.arguments, &info.args, directive.pos);
        }
    }

    fn arguments(
        &mut self,
        owner: &str,
        given: &[(Positioned<Name>, Positioned<Value>)],
        known: &Inputs,
        pos: Pos,
    ) {
        let mut seen = HashSet::new();
        for (name, value) in given {
            let Some(input) = known.get(&name.node) else {
                self.fail(format!("`{owner}` has no argument `{}`", name.node), name.pos);
                continue;
            };
            if !seen.insert(&name.node) {
                self.fail(format!("the argument `{}` of `{owner}` is given twice", name.node), name.pos);
            }
            let place = Place::Argument { owner, name: &name.node };
            self.value(&input.ty, &value.node, &place, value.pos, input.default.is_some());
        }
        for (name, input) in known {
            if input.is_required() && !seen.contains(name) {
                let place = Place::Argument { owner, name };
                self.errors.push(place.error(&[], "is required", Some(pos)));
            }
        }
    }

    fn value(&mut self, ty: &Type, value: &Value, place: &Place<'_>, pos: Pos, has_default: bool) {
        let mut values = Values {
            schema: self.schema,
            place,
            pos: Some(pos),
            json: false,
            path: Vec::new(),
            uses: &mut self.scope.uses,
            ids: &mut self.ids,
            errors: &mut self.errors,
        };
        values.check(ty, value, has_default);
    }
}
