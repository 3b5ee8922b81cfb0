//! The type table: what the guard knows of the schema, read from its SDL once at start.

use super::{GuardError, ScalarCheck, Scalars};
use async_graphql::Name;
use async_graphql::parser::types::{
    BaseType, DirectiveLocation, FieldDefinition, InputValueDefinition, OperationType, Type, TypeKind,
    TypeSystemDefinition,
};
use async_graphql::{Value, parser};
use std::collections::{BTreeSet, HashMap, HashSet};

/// The types of introspection, which the SDL leaves out, and the directives every server has.
const INTROSPECTION: &str = "
    type __Schema { description: String types: [__Type!]! queryType: __Type! mutationType: __Type
      subscriptionType: __Type directives: [__Directive!]! }
    type __Type { kind: __TypeKind! name: String description: String specifiedByURL: String isOneOf: Boolean
      fields(includeDeprecated: Boolean! = false): [__Field!] interfaces: [__Type!] possibleTypes: [__Type!]
      enumValues(includeDeprecated: Boolean! = false): [__EnumValue!]
      inputFields(includeDeprecated: Boolean! = false): [__InputValue!] ofType: __Type }
    enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
    type __Field { name: String! description: String
      args(includeDeprecated: Boolean! = false): [__InputValue!]! type: __Type!
      isDeprecated: Boolean! deprecationReason: String }
    type __InputValue { name: String! description: String type: __Type! defaultValue: String
      isDeprecated: Boolean! deprecationReason: String }
    type __EnumValue { name: String! description: String isDeprecated: Boolean! deprecationReason: String }
    type __Directive { name: String! description: String locations: [__DirectiveLocation!]!
      args(includeDeprecated: Boolean! = false): [__InputValue!]! isRepeatable: Boolean! }
    enum __DirectiveLocation { QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD
      INLINE_FRAGMENT VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE
      UNION ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION }
    type __Root { __schema: __Schema! __type(name: String!): __Type __typename: String! }
    directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
    directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
";
const BUILT_IN: [&str; 5] = ["Int", "Float", "String", "Boolean", "ID"];

pub(super) struct Input {
    pub(super) ty: Type,
    pub(super) default: Option<Value>,
}

impl Input {
    pub(super) fn is_required(&self) -> bool {
        !self.ty.nullable && self.default.is_none()
    }
}

pub(super) type Inputs = HashMap<Name, Input>;

pub(super) struct Field {
    pub(super) ty: Type,
    pub(super) args: Inputs,
}

pub(super) enum Kind {
    BuiltIn,
    Scalar(ScalarCheck),
    Enum(HashSet<Name>),
    Input { fields: Inputs, one_of: bool },
    Object(HashMap<Name, Field>),
    Interface(HashMap<Name, Field>),
    Union,
}

impl Kind {
    pub(super) fn is_input(&self) -> bool {
        matches!(self, Self::BuiltIn | Self::Scalar(_) | Self::Enum(_) | Self::Input { .. })
    }

    pub(super) fn is_composite(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Interface(_) | Self::Union)
    }
}

pub(super) struct Directive {
    pub(super) args: Inputs,
    pub(super) repeatable: bool,
    pub(super) locations: Vec<DirectiveLocation>,
}

pub(super) struct Schema {
    types: HashMap<Name, Kind>,
    directives: HashMap<Name, Directive>,
    /// The object types that an interface or a union stands for.
    possible: HashMap<Name, BTreeSet<Name>>,
    query: Name,
    mutation: Option<Name>,
    subscription: Option<Name>,
    /// `__schema`, `__type` and `__typename`.
    meta: HashMap<Name, Field>,
}

impl Schema {
    pub(super) fn parse(sdl: &str, scalars: &Scalars) -> Result<Self, GuardError> {
        let parse = |text| parser::parse_schema(text).map_err(|error| GuardError::Sdl(error.to_string()));
        let definitions = parse(INTROSPECTION)?.definitions.into_iter().chain(parse(sdl)?.definitions);
        let mut schema = Self {
            // A check for `ID` or another built-in scalar takes the place of the usual rule.
            types: BUILT_IN
                .iter()
                .map(|name| {
                    (Name::new(name), scalars.get(*name).map_or(Kind::BuiltIn, |check| Kind::Scalar(*check)))
                })
                .collect(),
            directives: HashMap::new(),
            possible: HashMap::new(),
            query: Name::new("Query"),
            mutation: None,
            subscription: None,
            meta: HashMap::new(),
        };
        for definition in definitions {
            match definition {
                TypeSystemDefinition::Schema(root) => {
                    schema.query = root.node.query.map_or(schema.query, |name| name.node);
                    schema.mutation = root.node.mutation.map(|name| name.node);
                    schema.subscription = root.node.subscription.map(|name| name.node);
                }
                TypeSystemDefinition::Directive(directive) => {
                    let name = &directive.node.name.node;
                    let info = Directive {
                        args: inputs(directive.node.arguments.into_iter().map(|arg| arg.node)),
                        repeatable: is_repeatable(sdl, name),
                        locations: directive.node.locations.iter().map(|at| at.node).collect(),
                    };
                    schema.directives.insert(directive.node.name.node, info);
                }
                TypeSystemDefinition::Type(ty) => {
                    let ty = ty.node;
                    let one_of = ty.directives.iter().any(|directive| directive.node.name.node == "oneOf");
                    schema.add(ty.name.node, ty.kind, one_of, scalars)?;
                }
            }
        }
        if let Some(Kind::Object(fields)) = schema.types.remove("__Root") {
            schema.meta = fields;
        }
        schema.complete()
    }

    fn add(&mut self, name: Name, kind: TypeKind, one_of: bool, scalars: &Scalars) -> Result<(), GuardError> {
        let kind = match kind {
            TypeKind::Scalar if self.types.contains_key(&name) => return Ok(()),
            TypeKind::Scalar => match scalars.get(name.as_str()) {
                Some(check) => Kind::Scalar(*check),
                None => return Err(GuardError::UncheckedScalar(name.to_string())),
            },
            TypeKind::Object(object) => {
                for interface in object.implements {
                    self.possible.entry(interface.node).or_default().insert(name.clone());
                }
                Kind::Object(fields(object.fields.into_iter().map(|field| field.node)))
            }
            TypeKind::Interface(interface) => {
                Kind::Interface(fields(interface.fields.into_iter().map(|field| field.node)))
            }
            TypeKind::Union(union) => {
                let members = union.members.into_iter().map(|member| member.node);
                self.possible.entry(name.clone()).or_default().extend(members);
                Kind::Union
            }
            TypeKind::Enum(values) => {
                Kind::Enum(values.values.into_iter().map(|v| v.node.value.node).collect())
            }
            TypeKind::InputObject(input) => {
                Kind::Input { fields: inputs(input.fields.into_iter().map(|field| field.node)), one_of }
            }
        };
        self.types.insert(name, kind);
        Ok(())
    }

    /// Every type that is named must be there, or the guard would wave through what it does not know.
    fn complete(self) -> Result<Self, GuardError> {
        let roots = [Some(&self.query), self.mutation.as_ref(), self.subscription.as_ref()];
        let mut named: Vec<&Name> = roots.into_iter().flatten().collect();
        for kind in self.types.values() {
            match kind {
                Kind::Object(fields) | Kind::Interface(fields) => {
                    for field in fields.values() {
                        named.push(base_name(&field.ty));
                        named.extend(field.args.values().map(|arg| base_name(&arg.ty)));
                    }
                }
                Kind::Input { fields, .. } => named.extend(fields.values().map(|field| base_name(&field.ty))),
                _ => {}
            }
        }
        match named.into_iter().find(|name| !self.types.contains_key(name.as_str())) {
            Some(missing) => Err(GuardError::UnknownType(missing.to_string())),
            None => Ok(self),
        }
    }

    pub(super) fn root(&self, operation: OperationType) -> Option<&Name> {
        match operation {
            OperationType::Query => Some(&self.query),
            OperationType::Mutation => self.mutation.as_ref(),
            OperationType::Subscription => self.subscription.as_ref(),
        }
    }

    pub(super) fn kind(&self, name: &str) -> Option<&Kind> {
        self.types.get(name)
    }

    pub(super) fn directive(&self, name: &str) -> Option<&Directive> {
        self.directives.get(name)
    }

    /// The field `name` of the composite type `parent`.
    pub(super) fn field(&self, parent: &str, name: &str) -> Option<&Field> {
        if name == "__typename" || (parent == self.query && matches!(name, "__schema" | "__type")) {
            return self.meta.get(name);
        }
        match self.types.get(parent)? {
            Kind::Object(fields) | Kind::Interface(fields) => fields.get(name),
            _ => None,
        }
    }

    pub(super) fn is_composite(&self, name: &str) -> bool {
        self.kind(name).is_some_and(Kind::is_composite)
    }

    /// Whether an object can be of both types.
    pub(super) fn overlap(&self, one: &Name, other: &Name) -> bool {
        match (self.possible.get(one), self.possible.get(other)) {
            _ if one == other => true,
            (None, None) => false,
            (Some(set), None) => set.contains(other),
            (None, Some(set)) => set.contains(one),
            (Some(one), Some(other)) => one.intersection(other).next().is_some(),
        }
    }
}

fn inputs(definitions: impl Iterator<Item = InputValueDefinition>) -> Inputs {
    let input = |definition: InputValueDefinition| {
        let default = definition.default_value.map(|value| value.node);
        (definition.name.node, Input { ty: definition.ty.node, default })
    };
    definitions.map(input).collect()
}

fn fields(definitions: impl Iterator<Item = FieldDefinition>) -> HashMap<Name, Field> {
    let field = |definition: FieldDefinition| {
        let args = inputs(definition.arguments.into_iter().map(|arg| arg.node));
        (definition.name.node, Field { ty: definition.ty.node, args })
    };
    definitions.map(field).collect()
}

/// Whether the SDL says so. (The parser calls every directive repeatable.)
fn is_repeatable(sdl: &str, name: &str) -> bool {
    let definition = sdl.split("directive @").find(|text| {
        text.strip_prefix(name).is_some_and(|rest| rest.starts_with(|c: char| c == '(' || c.is_whitespace()))
    });
    let words = definition.unwrap_or_default().split_whitespace();
    words
        .zip(definition.unwrap_or_default().split_whitespace().skip(1))
        .any(|pair| pair == ("repeatable", "on"))
}

/// The named type inside lists and non-null marks.
pub(super) fn base_name(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base_name(inner),
    }
}
