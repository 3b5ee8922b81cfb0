//! The protocol layer against a small schema of its own, through real sockets where there are any.
#![allow(clippy::unused_async, reason = "the derive macros want resolvers async")]

mod clients;
mod documents;
mod guard;
mod http;
mod stream;
mod ws;

use super::*;
use async_graphql::{
    Context, Enum, ErrorExtensions, ID, InputObject, MaybeUndefined, Object, OneofObject, Scalar, ScalarType,
    Schema, SimpleObject, Subscription, Union, ValidationMode, Value as GraphQlValue,
};
use futures_util::Stream;
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Enum, Copy, Clone, Eq, PartialEq)]
enum Colour {
    Red,
    Green,
}

/// An even number.
#[derive(Clone, Copy)]
struct Even(i64);

#[Scalar]
impl ScalarType for Even {
    fn parse(value: GraphQlValue) -> async_graphql::InputValueResult<Self> {
        match value {
            GraphQlValue::Number(n) => Ok(Self(n.as_i64().unwrap_or_default())),
            _ => Err("not a number".into()),
        }
    }

    fn to_value(&self) -> GraphQlValue {
        self.0.into()
    }
}

fn check_even(value: &GraphQlValue) -> Result<(), String> {
    match value {
        GraphQlValue::Number(n) if n.as_i64().is_some_and(|n| n % 2 == 0) => Ok(()),
        _ => Err("must be an even number".to_owned()),
    }
}

#[derive(InputObject)]
struct TaskInput {
    title: String,
    lead_units: Vec<ID>,
    colour: Option<Colour>,
    weight: Option<Even>,
    #[graphql(default = 7)]
    priority: i32,
    children: Option<Vec<TaskInput>>,
}

#[derive(OneofObject)]
enum Key {
    Id(ID),
    Title(String),
}

#[derive(Clone)]
struct Task(i32);

#[Object]
impl Task {
    async fn id(&self) -> ID {
        self.0.into()
    }
    async fn title(&self, upper: Option<bool>) -> String {
        if upper == Some(true) { "TASK".to_owned() } else { "task".to_owned() }
    }
    async fn colour(&self) -> Colour {
        Colour::Red
    }
    async fn parent(&self) -> Option<Task> {
        Some(self.clone())
    }
    async fn units(&self) -> Vec<Task> {
        vec![self.clone()]
    }
}

#[derive(SimpleObject)]
struct PageInfo {
    has_next_page: bool,
}

#[derive(SimpleObject)]
struct TaskConnection {
    nodes: Vec<Task>,
    page_info: PageInfo,
    total_count: i32,
}

#[derive(SimpleObject)]
struct Cat {
    sound: i32,
    name: String,
}

#[derive(SimpleObject)]
struct Dog {
    sound: String,
    name: String,
}

#[derive(Union)]
enum Animal {
    Cat(Cat),
    Dog(Dog),
}

#[derive(Default)]
struct Counter(AtomicI32);

/// Set per request by the prepare hook.
struct Prepared;

struct Query;

#[Object]
impl Query {
    async fn hello(&self, #[graphql(default = "you")] name: String) -> String {
        format!("hello {name}")
    }
    async fn viewer(&self, ctx: &Context<'_>) -> String {
        assert!(ctx.data_opt::<Prepared>().is_some(), "the hook was not called");
        ctx.data_unchecked::<String>().clone()
    }
    async fn task(&self) -> Task {
        Task(1)
    }
    async fn tasks(&self, first: Option<i32>) -> TaskConnection {
        let nodes = (0..first.unwrap_or(2)).map(Task).collect();
        TaskConnection { nodes, page_info: PageInfo { has_next_page: false }, total_count: 2 }
    }
    async fn nodes(&self, ids: Vec<ID>) -> Vec<Task> {
        ids.iter().map(|_| Task(1)).collect()
    }
    async fn animals(&self) -> Vec<Animal> {
        let (sound, name) = ("wau".to_owned(), "a".to_owned());
        vec![Animal::Cat(Cat { sound: 1, name: name.clone() }), Animal::Dog(Dog { sound, name })]
    }
    async fn find(&self, key: Key) -> String {
        match key {
            Key::Id(id) => id.to_string(),
            Key::Title(title) => title,
        }
    }
    async fn optional(&self, value: MaybeUndefined<i32>) -> &str {
        match value {
            MaybeUndefined::Undefined => "undefined",
            MaybeUndefined::Null => "null",
            MaybeUndefined::Value(_) => "value",
        }
    }
    async fn small(&self, #[graphql(validator(maximum = 10))] value: i32) -> i32 {
        value
    }
    async fn big(&self, size: u16) -> String {
        "x".repeat(size.into())
    }
    async fn slow(&self) -> bool {
        tokio::time::sleep(Duration::from_mins(1)).await;
        true
    }
    async fn broken(&self) -> async_graphql::Result<Option<i32>> {
        Err("UNIQUE constraint failed: events.position".into())
    }
    async fn missing(&self) -> async_graphql::Result<Option<i32>> {
        Err(async_graphql::Error::new("no such thing").extend_with(|_, e| e.set("code", "NOT_FOUND")))
    }
    async fn panics(&self, #[graphql(default = 0)] by: i32) -> i32 {
        1 / by
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn bump(&self, ctx: &Context<'_>, by: i32) -> i32 {
        ctx.data_unchecked::<Arc<Counter>>().0.fetch_add(by, Ordering::SeqCst) + by
    }
    async fn add_task(&self, input: TaskInput) -> String {
        let TaskInput { title, lead_units, colour, weight, priority, children } = input;
        let colour = if colour == Some(Colour::Green) { "green" } else { "-" };
        let (weight, children) = (weight.map_or(0, |w| w.0), children.map_or(0, |c| c.len()));
        format!("{title} {} {colour} {weight} {priority} {children}", lead_units.len())
    }
}

/// How many endless streams are open, to see that they are dropped.
static OPEN: AtomicUsize = AtomicUsize::new(0);

struct Open;

impl Open {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Feed;

#[Subscription]
impl Feed {
    async fn count(&self, to: i32) -> impl Stream<Item = i32> {
        streams::iter(1..=to)
    }
    /// Never silent, never done.
    async fn flood(&self) -> impl Stream<Item = String> {
        streams::repeat_with(|| "x".repeat(1000))
    }
    async fn endless(&self) -> impl Stream<Item = i32> {
        let open = Open::new();
        streams::once(async { 1 }).chain(streams::pending().inspect(move |_: &i32| _ = &open))
    }
    async fn denied(&self) -> async_graphql::Result<impl Stream<Item = i32>> {
        let denied =
            async_graphql::Error::new("not for you").extend_with(|_, e| e.set("code", "NOT_PERMITTED"));
        Err::<streams::Empty<i32>, _>(denied)
    }
    async fn panicking(&self) -> impl Stream<Item = i32> {
        streams::iter(1..3).map(|n| if n == 2 { panic!("deliberate") } else { n })
    }
}

type TestSchema = Schema<Query, Mutation, Feed>;

fn schema(mode: ValidationMode) -> (TestSchema, Arc<Counter>) {
    let counter = Arc::new(Counter::default());
    let schema = Schema::build(Query, Mutation, Feed).data(counter.clone()).validation_mode(mode).finish();
    (schema, counter)
}

fn new_guard(limits: Limits) -> Guard {
    let (schema, _) = schema(ValidationMode::Fast);
    let scalars = Scalars::from([("Even".to_owned(), check_even as ScalarCheck)]);
    Guard::new(&schema.sdl(), limits, &scalars).expect("the guard")
}

/// Takes `Bearer good`, `Bearer slow` after a while, and no token.
struct Door;

impl Authenticator for Door {
    type Viewer = String;

    async fn authenticate(&self, said: &Said) -> Result<String, Refused> {
        match said.authorization.as_deref() {
            _ if said.acting_for.is_some() => Err(Refused::capacity("nobody here acts for anything")),
            None => Ok("nobody".to_owned()),
            Some("Bearer good") => Ok("good".to_owned()),
            Some(_) => Err(Refused::token("the token is not valid")),
        }
    }

    fn name(viewer: &String) -> Option<&str> {
        (viewer != "nobody").then_some(viewer)
    }
}

/// A server on a port of its own.
struct Server {
    address: SocketAddr,
    counter: Arc<Counter>,
    stop: watch::Sender<bool>,
}

async fn serve(limits: Limits) -> Server {
    serve_with(limits, ValidationMode::Fast).await
}

async fn serve_with(limits: Limits, mode: ValidationMode) -> Server {
    serve_guarded(new_guard(limits), mode).await
}

async fn serve_guarded(guard: Guard, mode: ValidationMode) -> Server {
    let (schema, counter) = schema(mode);
    let (stop, stopped) = watch::channel(false);
    let prepare: Prepare = Arc::new(|request| request.data(Prepared));
    let ids: RequestIds = Arc::new(|| "made-here".to_owned());
    let endpoint = Endpoint::new(schema, Door, Arc::new(guard), prepare, ids, stopped);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, endpoint.router()).await });
    Server { address, counter, stop }
}

impl Server {
    fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    fn post(&self) -> reqwest::RequestBuilder {
        reqwest::Client::new().post(self.url())
    }

    async fn query(&self, query: &str) -> Json {
        let answer = self.post().json(&json!({ "query": query })).send().await.expect("an answer");
        answer.json().await.expect("JSON")
    }
}

fn code_of(answer: &Json) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or("none")
}

#[test]
fn what_is_asked_for_beside_the_endpoint_is_paid_out_of_the_same_budget() {
    let limits = Limits {
        client_cost_per_second: 1,
        client_cost_burst: 100,
        client_operations: 1,
        ..Limits::default()
    };
    let till = Till { clients: Arc::new(Clients::new()), guard: Arc::new(new_guard(limits)) };
    let buy = |cost| till.open(Some("ann"), None, cost);
    let Ok(first) = buy(10) else { panic!("there is enough") };
    assert_eq!(buy(10).err().map(|later| later.seconds), Some(1), "one at a time");
    // What was paid in advance counts for it: 100 - 10 - 10 - 50 is left.
    assert_eq!(first.settle(60), Ok(()));
    assert_eq!(first.settle(5), Ok(()), "never less than was paid in advance");
    drop(first);
    let Ok(second) = buy(10) else { panic!("there is enough") };
    let later = second.settle(60).expect_err("20 are left of 50");
    assert!((29..=30).contains(&later.seconds), "{later:?}");
    assert!(till.open(Some("bo"), None, 100).is_ok(), "others have a budget of their own");
}
