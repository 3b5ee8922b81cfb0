//! Short ways from a resolver to the store and the viewer.
use std::{
    any::TypeId,
    sync::{Arc, Mutex, PoisonError},
};

use async_graphql::{Context, Request, Result};
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use zhixing_domain::{Id, Viewer};
use zhixing_event_store::{EventStore, View};

use super::{error, found::Found, loader::Rows, view::Visible};
use crate::identity::{Capacity, Visitor};

/// What belongs to one request: who asks, and the rows already read. Clones share them.
#[derive(Clone)]
pub struct Session {
    /// Who asks.
    pub viewer: Viewer,
    /// The capacities that they may choose.
    pub capacities: Arc<[Capacity]>,
    rows: Arc<Mutex<Rows>>,
}

impl Session {
    /// A session for this viewer.
    pub fn new(store: EventStore, Visitor { viewer, capacities }: Visitor) -> Self {
        Self { rows: Arc::new(Mutex::new(Rows::new(store, viewer.clone()))), viewer, capacities }
    }

    /// Forgets the rows that were read, because something has changed.
    pub fn forget(&self) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.were_asked() {
            *rows = rows.anew();
        }
    }

    /// The rows read so far.
    pub fn rows(&self) -> Rows {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds a session to a request whose viewer is known.
    pub fn prepare(store: &EventStore, request: Request) -> Request {
        let visitor =
            request.data.get(&TypeId::of::<Visitor>()).and_then(|data| data.downcast_ref::<Visitor>());
        let nobody = || Visitor { viewer: Viewer::anonymous(), capacities: Arc::new([]) };
        let visitor = visitor.cloned().unwrap_or_else(nobody);
        request.data(Self::new(store.clone(), visitor))
    }
}

/// What a resolver waits for, on the heap: with every field that it answers, a plain column too, the executor reserves
/// room for the largest resolver of the object.
pub type Asked<'a, T> = BoxFuture<'a, Result<T>>;

/// What resolvers ask of their context.
pub trait Ask {
    /// The log and its views.
    fn store(&self) -> &EventStore;
    /// What belongs to this request.
    fn session(&self) -> &Session;
    /// Who asks.
    fn viewer(&self) -> &Viewer;
    /// A row, if it exists and the viewer may see it.
    fn load<V: View + Visible>(&self, id: Id<V::Of>) -> Asked<'_, Option<Found<V>>>;
    /// Several rows, in the order asked for; those that the viewer may not see are left out.
    fn load_all<V: View + Visible>(&self, ids: &[Id<V::Of>]) -> Asked<'_, Vec<Found<V>>>;
}

impl Ask for Context<'_> {
    fn store(&self) -> &EventStore {
        self.data_unchecked::<EventStore>()
    }
    fn session(&self) -> &Session {
        self.data_unchecked::<Session>()
    }
    fn viewer(&self) -> &Viewer {
        &self.session().viewer
    }
    fn load<V: View + Visible>(&self, id: Id<V::Of>) -> Asked<'_, Option<Found<V>>> {
        self.load_all::<V>(&[id]).map_ok(|mut rows| rows.pop()).boxed()
    }
    fn load_all<V: View + Visible>(&self, ids: &[Id<V::Of>]) -> Asked<'_, Vec<Found<V>>> {
        let (rows, keys) = (self.session().rows(), ids.iter().map(|id| id.uuid()).collect());
        async move { rows.load::<V>(keys).await.map_err(|fault| error::shared_fault(&fault)) }.boxed()
    }
}
