//! Short ways from a resolver to the store and the viewer.
use std::{any::TypeId, collections::HashMap, sync::Arc, time::Duration};

use async_graphql::{
    Context, Request, Result,
    dataloader::{DataLoader, HashMapCache, Loader},
};
use sea_query::{Condition, Expr, ExprTrait};
use uuid::Uuid;
use zhixing_domain::{Id, Viewer};
use zhixing_event_store::{EventStore, View};

use super::{error, view::Visible};

/// What belongs to one request: who asks, and the rows already read.
pub struct Session {
    /// Who asks.
    pub viewer: Viewer,
    rows: DataLoader<Rows, HashMapCache>,
}

impl Session {
    /// A session for this viewer.
    pub fn new(store: EventStore, viewer: Viewer) -> Self {
        let rows = Rows { store, viewer: viewer.clone() };
        // No delay: siblings resolve side by side and so ask before the first batch leaves anyway.
        let rows = DataLoader::with_cache(rows, tokio::spawn, HashMapCache::default()).delay(Duration::ZERO);
        Self { viewer, rows }
    }

    /// Adds a session to a request whose viewer is known.
    pub fn prepare(store: &EventStore, request: Request) -> Request {
        let viewer = request.data.get(&TypeId::of::<Viewer>()).and_then(|data| data.downcast_ref::<Viewer>());
        let viewer = viewer.cloned().unwrap_or_else(Viewer::anonymous);
        request.data(Self::new(store.clone(), viewer))
    }
}

/// Loads rows that the viewer may see, each once a request.
struct Rows {
    store: EventStore,
    viewer: Viewer,
}

/// The key of one row of one view.
pub struct Key<V: View>(Id<V::Of>);
impl<V: View> Clone for Key<V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}
impl<V: View> PartialEq for Key<V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<V: View> Eq for Key<V> {}
impl<V: View> std::hash::Hash for Key<V> {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.0.hash(hasher);
    }
}

impl<V: View + Visible> Loader<Key<V>> for Rows {
    type Value = V;
    type Error = Arc<zhixing_event_store::Error>;
    async fn load(&self, keys: &[Key<V>]) -> Result<HashMap<Key<V>, V>, Self::Error> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0.uuid()).collect();
        let limit = ids.len() as u64;
        let filter = Condition::all().add(Expr::col("id").is_in(ids)).add(V::visible_to(&self.viewer));
        let rows: Vec<V> = self.store.pool().all(filter, limit).await?;
        Ok(rows.into_iter().map(|row| (Key(row.id()), row)).collect())
    }
}

/// What resolvers ask of their context.
pub trait Ask {
    /// The log and its views.
    fn store(&self) -> &EventStore;
    /// Who asks.
    fn viewer(&self) -> &Viewer;
    /// A row, if it exists and the viewer may see it.
    fn load<V: View + Visible>(&self, id: Id<V::Of>) -> impl Future<Output = Result<Option<V>>> + Send;
    /// Several rows, in the order asked for; those that the viewer may not see are left out.
    fn load_all<V: View + Visible>(&self, ids: Vec<Id<V::Of>>)
    -> impl Future<Output = Result<Vec<V>>> + Send;
}

impl Ask for Context<'_> {
    fn store(&self) -> &EventStore {
        self.data_unchecked::<EventStore>()
    }
    fn viewer(&self) -> &Viewer {
        &self.data_unchecked::<Session>().viewer
    }
    async fn load<V: View + Visible>(&self, id: Id<V::Of>) -> Result<Option<V>> {
        self.data_unchecked::<Session>()
            .rows
            .load_one(Key::<V>(id))
            .await
            .map_err(|fault| error::shared_fault(&fault))
    }
    async fn load_all<V: View + Visible>(&self, ids: Vec<Id<V::Of>>) -> Result<Vec<V>> {
        let keys = ids.iter().map(|id| Key::<V>(*id));
        let rows = self.data_unchecked::<Session>().rows.load_many(keys).await;
        let mut rows = rows.map_err(|fault| error::shared_fault(&fault))?;
        Ok(ids.into_iter().filter_map(|id| rows.remove(&Key(id))).collect())
    }
}
