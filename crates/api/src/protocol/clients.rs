//! What one client may have at work at the same time, and how much it may ask for in a while.
//!
//! A client is whoever signed in, by name, or else the address that the request came from. Only the last so many are
//! remembered, so that no number of clients makes memory grow.

use super::{Limits, error};
use async_graphql::{ServerError, Value};
use lru::LruCache;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Clients that are remembered; whoever asked least recently is forgotten first.
pub(super) const REMEMBERED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();
/// What a document costs that the guard refuses: reading it is work too.
pub(super) const REFUSED: u64 = 20;
/// Seconds after which a client that has too much at work is told to come back.
const SOON: u64 = 1;

/// Where a request comes from, put into its extensions by whoever accepts connections. Without it all requests of
/// unnamed viewers count as those of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address(pub IpAddr);

/// The clients of an endpoint.
pub(super) struct Clients {
    known: Mutex<LruCache<Key, Arc<Client>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Named(String),
    At(IpAddr),
    Somewhere,
}

/// An address as far as it tells clients apart: a subscriber gets 64 bits of an IPv6 address for himself.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Clients {
    pub(super) fn new() -> Self {
        Self { known: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The client of this name, or else at this address.
    pub(super) fn of(&self, name: Option<&str>, address: Option<Address>, limits: &Limits) -> Arc<Client> {
        let key = match (name, address) {
            (Some(name), _) => Key::Named(name.to_owned()),
            (None, Some(Address(address))) => Key::At(network(address)),
            (None, None) => Key::Somewhere,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert(key, || Arc::new(Client::new(limits))).clone()
    }
}

/// What one client has at work, and what is left of its budget.
pub(super) struct Client {
    operations: AtomicUsize,
    subscriptions: AtomicUsize,
    sockets: AtomicUsize,
    budget: Mutex<Budget>,
}

/// What is counted while it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// A query or a mutation at work.
    Operation,
    /// A subscription that goes on, over whatever transport.
    Subscription,
    /// An open WebSocket.
    Socket,
}

/// Gives the place back when it is dropped.
pub(super) struct Place {
    client: Arc<Client>,
    held: Held,
}

impl Place {
    /// Lets another client hold it, if that one has not too many; nothing happens if it is the same.
    pub(super) fn move_to(&mut self, client: &Arc<Client>, limits: &Limits) -> Result<(), ServerError> {
        if !Arc::ptr_eq(&self.client, client) {
            *self = client.hold(self.held, limits)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.client.count(self.held).fetch_sub(1, Ordering::AcqRel);
    }
}

impl Client {
    fn new(limits: &Limits) -> Self {
        Self {
            operations: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
            sockets: AtomicUsize::new(0),
            budget: Mutex::new(Budget::full(limits, Instant::now())),
        }
    }

    fn count(&self, held: Held) -> &AtomicUsize {
        match held {
            Held::Operation => &self.operations,
            Held::Subscription => &self.subscriptions,
            Held::Socket => &self.sockets,
        }
    }

    /// A place for one more, if the client has not too many.
    pub(super) fn hold(self: &Arc<Self>, held: Held, limits: &Limits) -> Result<Place, ServerError> {
        let (most, code, what) = match held {
            Held::Operation => (limits.client_operations, error::TOO_MANY_OPERATIONS, "operations"),
            Held::Subscription => {
                (limits.client_subscriptions, error::TOO_MANY_SUBSCRIPTIONS, "subscriptions")
            }
            Held::Socket => (limits.client_sockets, error::TOO_MANY_SOCKETS, "sockets"),
        };
        let more = |now| (most == 0 || now < most).then_some(now + 1);
        match self.count(held).fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Place { client: self.clone(), held }),
            Err(_) => Err(later(code, format!("a client has {most} {what} at work at most"), SOON)),
        }
    }

    /// Takes the cost of an operation from the budget, but for what is paid already; what is left.
    pub(super) fn pay(&self, cost: u64, paid: u64, limits: &Limits) -> Result<Option<u64>, ServerError> {
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.pay(cost, paid, limits, Instant::now()).map_err(|seconds| {
            let message = format!("the budget of this client is used up: come back in {seconds} s");
            later(error::RATE_LIMITED, message, seconds)
        })
    }
}

fn later(code: &str, message: String, seconds: u64) -> ServerError {
    let mut error = error::error(code, message);
    error::set(&mut error, "retryAfterSeconds", seconds);
    error
}

/// The seconds after which a refused client may come back, if the refusal is for now only.
pub(super) fn retry_after(errors: &[ServerError]) -> Option<u64> {
    match errors.first()?.extensions.as_ref()?.get("retryAfterSeconds")? {
        Value::Number(seconds) => seconds.as_u64(),
        _ => None,
    }
}

/// A bucket of cost that fills up steadily. Counted in thousandths, so that milliseconds are exact.
#[derive(Debug)]
struct Budget {
    thousandths: u64,
    filled: Instant,
}

impl Budget {
    fn full(limits: &Limits, now: Instant) -> Self {
        Self { thousandths: most(limits), filled: now }
    }

    /// What is left, or the seconds until there is enough.
    fn pay(&mut self, cost: u64, paid: u64, limits: &Limits, now: Instant) -> Result<Option<u64>, u64> {
        let rate = limits.client_cost_per_second;
        if rate == 0 {
            return Ok(None);
        }
        let passed = now.saturating_duration_since(self.filled).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.thousandths = self.thousandths.saturating_add(passed.saturating_mul(rate)).min(most(limits));
        // Whole milliseconds only: the rest counts the next time.
        self.filled += Duration::from_millis(passed);
        // What is dearer than the bucket can hold takes a full one: the limit of one operation is another.
        let price = |cost: u64| cost.saturating_mul(1_000).min(most(limits));
        let price = price(cost).saturating_sub(price(paid));
        match self.thousandths.checked_sub(price) {
            Some(left) => {
                self.thousandths = left;
                Ok(Some(left / 1_000))
            }
            None => Err((price - self.thousandths).div_ceil(rate.saturating_mul(1_000)).max(1)),
        }
    }
}

fn most(limits: &Limits) -> u64 {
    limits.client_cost_burst.max(1).saturating_mul(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits {
            client_cost_per_second: 10,
            client_cost_burst: 100,
            client_operations: 2,
            ..Limits::default()
        }
    }

    #[test]
    fn a_budget_is_used_up_and_fills_again() {
        let (limits, start) = (limits(), Instant::now());
        let mut budget = Budget::full(&limits, start);
        assert_eq!(budget.pay(60, 0, &limits, start), Ok(Some(40)));
        assert_eq!(budget.pay(75, 0, &limits, start), Err(4));
        assert_eq!(budget.pay(40, 0, &limits, start), Ok(Some(0)));
        let later = start + Duration::from_millis(1_500);
        assert_eq!(budget.pay(5, 0, &limits, later), Ok(Some(10)));
        // Never more than the bucket holds, however long it was idle; and what is dearer takes all of it.
        let much_later = start + Duration::from_hours(1);
        assert_eq!(budget.pay(5_000, 0, &limits, much_later), Ok(Some(0)));
        assert_eq!(budget.pay(5_000, 0, &limits, much_later), Err(10));
        // What was paid in advance counts for it.
        let mut budget = Budget::full(&limits, start);
        assert_eq!(budget.pay(20, 0, &limits, start), Ok(Some(80)));
        assert_eq!(budget.pay(5_000, 20, &limits, start), Ok(Some(0)));
        let none = Limits { client_cost_per_second: 0, ..limits };
        assert_eq!(budget.pay(u64::MAX, 0, &none, much_later), Ok(None));
    }

    #[test]
    fn asking_often_does_not_keep_a_budget_from_filling() {
        let (limits, start) = (limits(), Instant::now());
        let mut budget = Budget::full(&limits, start);
        assert_eq!(budget.pay(100, 0, &limits, start), Ok(Some(0)));
        for micros in (0..2_000_000).step_by(300) {
            let _ = budget.pay(101, 0, &limits, start + Duration::from_micros(micros));
        }
        let left = budget.pay(0, 0, &limits, start + Duration::from_secs(2)).unwrap().unwrap();
        assert_eq!(left, 20);
    }

    #[test]
    fn places_are_given_back() {
        let (limits, clients) = (limits(), Clients::new());
        let ann = clients.of(Some("ann"), None, &limits);
        let first = ann.hold(Held::Operation, &limits).ok().unwrap();
        let _second = ann.hold(Held::Operation, &limits).ok().unwrap();
        // The same client by whatever way it comes; another has places of its own.
        let again = clients.of(Some("ann"), Some(Address([10, 0, 0, 1].into())), &limits);
        let refused = again.hold(Held::Operation, &limits).err().unwrap();
        assert_eq!(error::code(&refused), Some(error::TOO_MANY_OPERATIONS));
        assert_eq!(retry_after(&[refused]), Some(SOON));
        assert!(clients.of(Some("bo"), None, &limits).hold(Held::Operation, &limits).is_ok());
        drop(first);
        assert!(again.hold(Held::Operation, &limits).is_ok());
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client_and_memory_has_an_end() {
        let (limits, clients) = (limits(), Clients::new());
        let at = |text: &str| clients.of(None, Some(Address(text.parse().unwrap())), &limits);
        assert!(Arc::ptr_eq(&at("2001:db8:1:2::1"), &at("2001:db8:1:2:ffff::7")));
        assert!(!Arc::ptr_eq(&at("2001:db8:1:2::1"), &at("2001:db8:1:3::1")));
        assert!(Arc::ptr_eq(&at("::ffff:192.0.2.1"), &at("192.0.2.1")));
        for number in 0..u32::try_from(REMEMBERED.get()).unwrap() + 500 {
            clients.of(None, Some(Address(IpAddr::from(number.to_be_bytes()))), &limits);
        }
        assert_eq!(clients.known.lock().unwrap().len(), REMEMBERED.get());
    }
}
