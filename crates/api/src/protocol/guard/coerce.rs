//! Values against their types: literals and variables, before anything runs.

use super::MAX_ERRORS;
use super::rules::Use;
use super::schema::{Inputs, Kind, Schema};
use crate::protocol::error;
use async_graphql::parser::types::{BaseType, OperationDefinition, Type};
use async_graphql::{Name, Number, Pos, ServerError, Value as ConstValue, Variables};
use async_graphql_value::Value;
use std::fmt::Write;

/// Where a value stands, for error messages.
pub(super) enum Place<'a> {
    Variable(&'a Name),
    Argument { owner: &'a str, name: &'a Name },
}

impl Place<'_> {
    /// `input.units[2]` or `first`.
    fn field(&self, path: &[Segment]) -> String {
        let (Self::Variable(name) | Self::Argument { name, .. }) = self;
        format!("{name}{}", Self::tail(path))
    }

    fn tail(path: &[Segment]) -> String {
        let mut tail = String::new();
        for segment in path {
            // Writing to a string does not fail.
            let _ = match segment {
                Segment::Key(key) => write!(tail, ".{key}"),
                Segment::Index(index) => write!(tail, "[{index}]"),
            };
        }
        tail
    }

    /// `variables.input.units[2] must …` or `tasks(first:) must …`.
    pub(super) fn error(&self, path: &[Segment], problem: &str, pos: Option<Pos>) -> ServerError {
        let tail = Self::tail(path);
        let at = match self {
            Self::Variable(name) => format!("variables.{name}{tail}"),
            Self::Argument { owner, name } => format!("{owner}({name}:){tail}"),
        };
        let mut error = error::invalid_input(format!("{at} {problem}"), &self.field(path));
        error.locations.extend(pos);
        error
    }
}

/// Ids in an operation, each with the field it stands in: types that share the scalar refuse each other's only during
/// execution, where the field is no longer known.
pub(in crate::protocol) type Ids = Vec<(String, String)>;

/// Most ids remembered.
const MOST_IDS: usize = 1_000;

/// One step into a value.
pub(super) enum Segment {
    Key(Name),
    Index(usize),
}

/// Checks one value; collects the variables in it and what is wrong.
pub(super) struct Values<'a> {
    pub(super) schema: &'a Schema,
    pub(super) place: &'a Place<'a>,
    pub(super) pos: Option<Pos>,
    /// Values from JSON spell enums as strings.
    pub(super) json: bool,
    pub(super) path: Vec<Segment>,
    pub(super) uses: &'a mut Vec<Use>,
    pub(super) ids: &'a mut Ids,
    pub(super) errors: &'a mut Vec<ServerError>,
}

impl Values<'_> {
    fn fail(&mut self, problem: impl AsRef<str>) {
        if self.errors.len() <= MAX_ERRORS {
            self.errors.push(self.place.error(&self.path, problem.as_ref(), self.pos));
        }
    }

    fn inside(&mut self, segment: Segment, check: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        check(self);
        self.path.pop();
    }

    pub(super) fn check(&mut self, ty: &Type, value: &Value, has_default: bool) {
        if let Value::Variable(name) = value {
            self.variable(name, Some(ty.clone()), has_default);
            return;
        }
        match (value, &ty.base) {
            (Value::Null, _) if ty.nullable => {}
            (Value::Null, _) => self.fail("must not be null"),
            (Value::List(items), BaseType::List(inner)) => {
                for (index, item) in items.iter().enumerate() {
                    self.inside(Segment::Index(index), |values| values.check(inner, item, false));
                }
            }
            // A single value stands for a list of one.
            (single, BaseType::List(inner)) => self.check(inner, single, false),
            (value, BaseType::Named(name)) => self.named(name, value),
        }
    }

    fn variable(&mut self, name: &Name, expected: Option<Type>, has_default: bool) {
        let pos = self.pos.unwrap_or_default();
        self.uses.push(Use { variable: name.clone(), pos, expected, has_default });
    }

    fn named(&mut self, name: &Name, value: &Value) {
        let schema = self.schema;
        match schema.kind(name) {
            Some(Kind::BuiltIn) => self.built_in(name, value),
            Some(Kind::Enum(names)) => {
                let given = match value {
                    Value::Enum(given) if !self.json => Some(given.as_str()),
                    Value::String(given) if self.json => Some(given.as_str()),
                    _ => None,
                };
                if !given.is_some_and(|given| names.contains(given)) {
                    self.fail(format!("must be a value of the enum `{name}`"));
                }
            }
            Some(Kind::Input { fields, one_of }) => match value {
                Value::Object(object) => self.object(name, fields, *one_of, object),
                _ => self.fail(format!("must be an object of type `{name}`")),
            },
            Some(Kind::Scalar(check)) => {
                if let ("ID", Value::String(id)) = (name.as_str(), value)
                    && self.ids.len() < MOST_IDS
                {
                    self.ids.push((id.clone(), self.place.field(&self.path)));
                }
                if self.free(value) {
                    let verdict = value.clone().into_const().map_or(Ok(()), |value| check(&value));
                    if let Err(problem) = verdict {
                        self.fail(problem);
                    }
                }
            }
            _ => self.fail(format!("is of type `{name}`, which is not an input type")),
        }
    }

    fn built_in(&mut self, name: &str, value: &Value) {
        let problem = match (name, value) {
            ("Int", Value::Number(number)) if whole(number).is_some_and(|n| i32::try_from(n).is_ok()) => {
                return;
            }
            ("Int", Value::Number(_)) => "must be a whole number between -2147483648 and 2147483647",
            ("Int", _) => "must be a whole number",
            ("Float", Value::Number(_)) | ("Boolean", Value::Boolean(_)) => return,
            ("Float", _) => "must be a number",
            ("Boolean", _) => "must be true or false",
            ("ID", Value::Number(number)) if whole(number).is_some() => return,
            ("String" | "ID", Value::String(text)) if is_text(text) => return,
            ("String" | "ID", Value::String(_)) => "must not contain control characters",
            ("ID", _) => "must be an id: a string or a whole number",
            _ => "must be a string",
        };
        self.fail(problem);
    }

    /// A value of a custom scalar can have any form; true if its check may look at it.
    fn free(&mut self, value: &Value) -> bool {
        match value {
            Value::Variable(name) => {
                self.variable(name, None, false);
                false
            }
            Value::String(text) if !is_text(text) => {
                self.fail("must not contain control characters");
                false
            }
            // No shortcut: every variable inside has to be noted.
            Value::List(items) => items.iter().filter(|item| !self.free(item)).count() == 0,
            Value::Object(object) => {
                if !object.keys().all(|key| is_text(key)) {
                    self.fail("must not contain control characters");
                }
                object.values().filter(|item| !self.free(item)).count() == 0
            }
            _ => true,
        }
    }

    fn object(
        &mut self,
        ty: &Name,
        fields: &Inputs,
        one_of: bool,
        object: &async_graphql::indexmap::IndexMap<Name, Value>,
    ) {
        for (key, value) in object {
            match fields.get(key) {
                Some(input) => self.inside(Segment::Key(key.clone()), |values| {
                    // What is given in a `@oneOf` object is never null.
                    let nullable = input.ty.nullable && !one_of;
                    let ty = Type { base: input.ty.base.clone(), nullable };
                    values.check(&ty, value, input.default.is_some());
                }),
                None if is_text(key) => self.fail(format!("has a field `{key}` that `{ty}` does not know")),
                None => self.fail(format!("has a field that `{ty}` does not know")),
            }
        }
        for (key, input) in fields {
            if input.is_required() && !object.contains_key(key) {
                self.inside(Segment::Key(key.clone()), |values| values.fail("is required"));
            }
        }
        if one_of && object.len() != 1 {
            self.fail(format!("must give exactly one field of `{ty}`"));
        }
    }
}

fn whole(number: &Number) -> Option<i64> {
    number.as_i64()
}

/// Text people wrote: line breaks and tabs, no other control characters.
fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

/// The variables of an operation: each checked, defaults filled in, unknown ones left out.
pub(super) fn variables(
    schema: &Schema,
    operation: &OperationDefinition,
    uses: &[&Use],
    mut given: Variables,
    ids: &mut Ids,
) -> Result<Variables, Vec<ServerError>> {
    let mut coerced = Variables::default();
    let mut errors = Vec::new();
    for definition in &operation.variable_definitions {
        let definition = &definition.node;
        let (name, ty) = (&definition.name.node, &definition.var_type.node);
        let place = Place::Variable(name);
        let Some((_, value)) = given.remove_entry(name) else {
            match &definition.default_value {
                Some(default) => _ = coerced.insert(name.clone(), default.node.clone()),
                None if !ty.nullable => errors.push(place.error(&[], "is required", None)),
                None => {}
            }
            continue;
        };
        if value == ConstValue::Null && needs_value(name, uses) {
            errors.push(place.error(&[], "must not be null", None));
        }
        let value = value.into_value();
        let (path, uses) = (Vec::new(), &mut Vec::new());
        let mut values =
            Values { schema, place: &place, pos: None, json: true, path, uses, ids, errors: &mut errors };
        values.check(ty, &value, false);
        if let Some(value) = value.into_const() {
            coerced.insert(name.clone(), value);
        }
    }
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(coerced) } else { Err(errors) }
}

/// Whether a nullable variable stands where null cannot.
fn needs_value(name: &Name, uses: &[&Use]) -> bool {
    let needs =
        |found: &&&Use| found.variable == *name && found.expected.as_ref().is_some_and(|ty| !ty.nullable);
    uses.iter().any(|found| needs(&found))
}
