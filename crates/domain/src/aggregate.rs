//! The one shape every aggregate has: `decide` what happens, `evolve` what is.
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Date, Kind, RegionCode, Rejection, Subject, Viewer,
    lifecycle::{self, Presented, Status, Step},
};

/// What a decision may look at beside the aggregate's own state. Time enters the domain only here.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Who asks.
    pub viewer: &'a Viewer,
    /// When.
    pub now: DateTime<Utc>,
    /// The facts that the command asked for by [`Aggregate::needs`].
    pub facts: &'a Facts,
}

impl Context<'_> {
    /// The date in China.
    pub fn today(&self) -> Date {
        Date::of(self.now)
    }
}

/// A fact about another aggregate that a decision rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The object that the argument `field` names: it must exist.
    Object {
        /// Of what kind.
        kind: Kind,
        /// Which one.
        id: Uuid,
        /// The argument that names it.
        field: String,
    },
    /// The objects of `kind` that another one names, such as a task's units: each comes as a fact that belongs to it.
    Named {
        /// Of what kind.
        kind: Kind,
        /// Which object names them.
        by: Uuid,
        /// As what.
        relations: &'static [&'static str],
    },
    /// Objects of `kind` whose rows hold what is asked for in every one of these columns, at most [`MOST_HAVING`].
    Having {
        /// Of what kind.
        kind: Kind,
        /// What each fact is said to belong to.
        belongs_to: Option<Uuid>,
        /// What is asked for.
        columns: Vec<(&'static str, Holding)>,
    },
    /// How many objects of `kind` under this aggregate are not yet in a final state.
    OpenChildren {
        /// Of what kind.
        kind: Kind,
        /// Under which object.
        parent: Uuid,
    },
}

/// Most facts that one [`Need::Having`] brings.
pub const MOST_HAVING: u64 = 10;

/// What a column must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holding {
    /// This id.
    Id(Uuid),
    /// One of these words.
    OneOf(Vec<String>),
    /// One of the viewer's units; nothing does when the viewer has none.
    ViewersUnit,
    /// True.
    Yes,
}

/// What is known of another aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Of what kind it is.
    pub kind: Kind,
    /// Which one it is.
    pub id: Uuid,
    /// Where it stands.
    pub status: String,
    /// Where it lies.
    pub region: Option<RegionCode>,
    /// The object it belongs to: a task's plan.
    pub belongs_to: Option<Uuid>,
}

/// The answers to the [`Need`]s of one command.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Objects that were asked for and exist.
    pub objects: Vec<Fact>,
    /// Counts of open children, by kind.
    pub open_children: Vec<(Kind, u64)>,
}

impl Facts {
    /// The objects of one kind, in the order they were asked for.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Fact> {
        self.objects.iter().filter(move |fact| fact.kind == kind)
    }
    /// The object with this id.
    pub fn object(&self, id: Uuid) -> Option<&Fact> {
        self.objects.iter().find(|fact| fact.id == id)
    }
    /// The first object of this kind, which the argument `field` names.
    ///
    /// # Errors
    /// [`Rejection::NotFound`] when there is none.
    pub fn first(&self, kind: Kind, field: &str) -> Result<&Fact, Rejection> {
        self.of_kind(kind).next().ok_or_else(|| Rejection::NotFound { kind, field: field.into() })
    }
    /// The region of the first object of this kind.
    pub fn region_of(&self, kind: Kind) -> Option<RegionCode> {
        self.of_kind(kind).next().and_then(|fact| fact.region)
    }
    /// How many children of this kind are open.
    pub fn open(&self, kind: Kind) -> u64 {
        self.open_children.iter().filter(|(of, _)| *of == kind).map(|(_, count)| count).sum()
    }
}

/// A key that only one aggregate of its scope may hold, written in the transaction of the event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// What must be unique, such as `plan.code`.
    pub scope: &'static str,
    /// The key itself.
    pub key: String,
    /// The argument to name when the key is taken.
    pub field: &'static str,
    /// Whether the event takes the key or gives it back.
    pub held: bool,
}

impl Claim {
    /// Takes a key.
    pub fn take(scope: &'static str, key: impl Into<String>, field: &'static str) -> Self {
        Self { scope, key: key.into(), field, held: true }
    }
    /// Gives a key back.
    pub fn release(scope: &'static str, key: impl Into<String>, field: &'static str) -> Self {
        Self { scope, key: key.into(), field, held: false }
    }
}

/// What may be asked of an aggregate.
pub trait Command: Serialize + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// The action's name: the row of the lifecycle table and the GraphQL mutation.
    fn action(&self) -> &'static str;
    /// The object it is asked of; `None` when it creates one.
    fn target(&self) -> Option<Uuid>;
    /// What it brings for the requirements of its step.
    fn presented(&self) -> Presented<'_>;
}

/// A stored fact: `{"type": …, "data": …}`, kept in two columns. Payloads never change once written: a new form is a new
/// version, and an [`Upcast`] reads the one before. Declared by `events!`.
pub trait Event:
    Serialize + DeserializeOwned + Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static
{
    /// Every variant with its Chinese term, in the order of declaration.
    const TYPES: &'static [(&'static str, &'static str)];
}

/// How the payload of one version of an event becomes that of the next. Pure: no clock, no lookup, no choice.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// The variant of the event enum.
    pub event: &'static str,
    /// The version it takes; it gives the next one.
    pub from: i32,
    /// Payload → payload.
    pub step: fn(Value) -> Value,
}

/// Why a stored payload is no event.
#[derive(Debug, thiserror::Error)]
pub enum Undecodable {
    /// It has a version that this release does not know: only a newer one can have written it.
    #[error(
        "it was written by a newer release: its payload has version {version}, this release reads up to {known}"
    )]
    Newer {
        /// The version it has.
        version: i32,
        /// The last version known here.
        known: i32,
    },
    /// It has a version that no release wrote.
    #[error("its payload has version {version}, which no release wrote")]
    NoVersion {
        /// The version it has.
        version: i32,
    },
    /// No event is so called, or the payload does not fit.
    #[error(transparent)]
    Payload(#[from] serde_json::Error),
}

/// Who caused an event, and when it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Stable name of the person or machine.
    pub actor: String,
    /// When it was recorded.
    pub at: DateTime<Utc>,
}

/// A consistency boundary. `Self` is the *decision state*: only what `decide` needs to know.
pub trait Aggregate:
    Default + Clone + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Names the streams of this aggregate; never changes once stored.
    const KIND: Kind;
    /// Where it can stand.
    type Status: Status;
    /// What may be asked.
    type Command: Command;
    /// What can happen.
    type Event: Event;
    /// The lifecycle table.
    const STEPS: &'static [Step<Self::Status>];
    /// How payloads that are no longer written are read: a line for each version but the last of each event.
    const UPCASTS: &'static [Upcast] = &[];

    /// Where it stands; `None` before its first event.
    fn status(&self) -> Option<Self::Status>;

    /// What the rules of access need to know of it; for a creating command, of what it will be.
    fn subject(&self, command: Option<&Self::Command>, facts: &Facts) -> Subject;

    /// Facts about other aggregates that `decide` rests on.
    fn needs(&self, _command: &Self::Command) -> Vec<Need> {
        Vec::new()
    }

    /// Command → events, or a reason why not. The lifecycle table was checked before.
    ///
    /// # Errors
    /// A [`Rejection`] when the rules forbid the command in this state.
    fn decide(&self, command: Self::Command, context: &Context<'_>) -> Result<Vec<Self::Event>, Rejection>;

    /// Event → new state. Never fails: it already happened.
    fn evolve(&mut self, event: &Self::Event, stamp: &Stamp);

    /// Unique keys that `event` takes or gives back, seen from the state before it.
    fn claims(&self, _event: &Self::Event) -> Vec<Claim> {
        Vec::new()
    }

    /// The row of the table for this action.
    fn step(action: &str) -> Option<&'static Step<Self::Status>> {
        Self::STEPS.iter().find(|step| step.action == action)
    }

    /// The whole decision: the table first, then the aggregate's own rules. The only way in.
    ///
    /// # Errors
    /// A [`Rejection`] by the table or by `decide`.
    fn handle(&self, command: Self::Command, context: &Context<'_>) -> Result<Vec<Self::Event>, Rejection> {
        let action = command.action();
        let step = Self::step(action).ok_or(Rejection::NotAllowedInState {
            kind: Self::KIND,
            action,
            state: None,
            allowed_in: Vec::new(),
        })?;
        step.check(Self::KIND, self.status(), context.viewer, &self.subject(Some(&command), context.facts))?;
        step.satisfied(&command.presented())?;
        lifecycle::parent_admits(step, context)?;
        self.decide(command, context)
    }

    /// The state after these events.
    fn replay<'e>(events: impl IntoIterator<Item = (&'e Self::Event, &'e Stamp)>) -> Self {
        let mut state = Self::default();
        events.into_iter().for_each(|(event, stamp)| state.evolve(event, stamp));
        state
    }
}

/// An event as the log keeps it: its full type name (`TaskAccepted`) and its payload as JSON text.
///
/// # Errors
/// When the payload cannot be written as JSON (a defect of the type).
pub fn encode<A: Aggregate>(event: &A::Event) -> serde_json::Result<(String, String)> {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        r#type: &'a str,
        #[serde(borrow, default)]
        data: Option<&'a serde_json::value::RawValue>,
    }
    let text = serde_json::to_string(event)?;
    let parts: Parts<'_> = serde_json::from_str(&text)?;
    let data = parts.data.map_or("null", serde_json::value::RawValue::get);
    Ok((format!("{}{}", A::KIND.name(), parts.r#type), data.to_owned()))
}

/// The version in which the payload of an event of this full type name is written.
pub fn schema_version<A: Aggregate>(full_type: &str) -> i32 {
    let name = variant::<A>(full_type);
    A::UPCASTS.iter().filter(|upcast| upcast.event == name).map(|upcast| upcast.from + 1).max().unwrap_or(1)
}

/// Reads what [`encode`] wrote, now or in a former version. What is written now is parsed once.
///
/// # Errors
/// [`Undecodable`] when its version is not known, no event is so called, or its payload does not fit.
pub fn decode<A: Aggregate>(full_type: &str, version: i32, data: &str) -> Result<A::Event, Undecodable> {
    let name = variant::<A>(full_type);
    let known = schema_version::<A>(full_type);
    match version {
        _ if version == known => Ok(parse::<A>(name, data)?),
        _ if version > known => Err(Undecodable::Newer { version, known }),
        _ if version < 1 => Err(Undecodable::NoVersion { version }),
        _ => Ok(parse::<A>(name, &upcast::<A>(name, version, data)?)?),
    }
}

/// The payload in the version that is written now.
fn upcast<A: Aggregate>(name: &str, version: i32, data: &str) -> Result<String, Undecodable> {
    let known = schema_version::<A>(name);
    let mut value = serde_json::from_str(data)?;
    for from in version..known {
        let mut steps = A::UPCASTS.iter().filter(|upcast| upcast.event == name);
        // The examples of all versions (`golden.rs`) prove that no step is left out.
        let upcast =
            steps.find(|upcast| upcast.from == from).ok_or(Undecodable::NoVersion { version: from })?;
        value = (upcast.step)(value);
    }
    Ok(value.to_string())
}

fn variant<A: Aggregate>(full_type: &str) -> &str {
    full_type.strip_prefix(A::KIND.name()).unwrap_or(full_type)
}

fn parse<A: Aggregate>(name: &str, data: &str) -> serde_json::Result<A::Event> {
    let name = serde_json::to_string(name)?;
    if data == "null" {
        return serde_json::from_str(&format!("{{\"type\":{name}}}"));
    }
    serde_json::from_str(&format!("{{\"type\":{name},\"data\":{data}}}"))
}

/// Declares the commands of an aggregate: one enum whose variants wrap the input structs of the same name.
///
/// `create` marks a command without a target; `(reason)` and `(evidence)` name what it brings for its step.
macro_rules! commands {
    ($(#[$meta:meta])* $enum:ident { $($(#[$vmeta:meta])* $kind:ident $name:ident = $action:literal $(($($what:ident),+))?;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Serialize)]
        #[serde(untagged)]
        pub enum $enum { $($(#[$vmeta])* #[doc = concat!("`", $action, "`")] $name($name)),+ }

        impl crate::Command for $enum {
            fn action(&self) -> &'static str {
                match self { $(Self::$name(_) => $action),+ }
            }
            fn target(&self) -> Option<uuid::Uuid> {
                match self { $(Self::$name(_command) => commands!(@target $kind _command)),+ }
            }
            fn presented(&self) -> crate::lifecycle::Presented<'_> {
                match self {
                    $(Self::$name(_command) => crate::lifecycle::Presented {
                        $($($what: crate::aggregate::Present::present(&_command.$what),)+)?
                        ..crate::lifecycle::Presented::default()
                    }),+
                }
            }
        }
        $(impl From<$name> for $enum {
            fn from(command: $name) -> Self {
                Self::$name(command)
            }
        })+
    };
    (@target create $command:ident) => { None };
    (@target on $command:ident) => { Some($command.id.uuid()) };
}
pub(crate) use commands;

/// How a field of a command is shown to the [`lifecycle::Requirement`]s.
pub trait Present<'a, T> {
    /// The field as a requirement looks at it.
    fn present(&'a self) -> T;
}
impl<'a> Present<'a, Option<&'a str>> for String {
    fn present(&'a self) -> Option<&'a str> {
        Some(self)
    }
}
impl<'a> Present<'a, Option<&'a str>> for Option<String> {
    fn present(&'a self) -> Option<&'a str> {
        self.as_deref()
    }
}
impl<'a, E> Present<'a, usize> for Vec<E> {
    fn present(&'a self) -> usize {
        self.len()
    }
}
