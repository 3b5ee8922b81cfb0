//! The rows of one request, each read once. What siblings ask for side by side becomes one question.
//!
//! Our own, because the executor's loader starts a task, a timer and two maps for every field that asks, known rows or
//! not; with 100 relations on a page that was most of the time of the page.
use std::{
    any::{Any, TypeId},
    collections::HashMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use uuid::Uuid;
use zhixing_domain::Viewer;
use zhixing_event_store::{Error, EventStore, Reader, View};

use super::{found::Found, view::Visible};

/// Keys in one question at most; more are asked one question after the other.
const MOST_KEYS: usize = 1_000;

/// Rows that the viewer may see.
#[derive(Clone)]
pub struct Rows {
    inner: Arc<Inner>,
}

struct Inner {
    store: EventStore,
    viewer: Viewer,
    /// A [`Table`] for every view that was asked for.
    tables: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
}

type Asking = BoxFuture<'static, Result<(), Arc<Error>>>;
type Turn = Shared<Asking>;
type WeakTurn = WeakShared<Asking>;

struct Table<V> {
    /// What was read; `None` where nothing is to be seen.
    known: HashMap<Uuid, Option<Found<V>>>,
    /// What the next question will ask for.
    wanted: Vec<Uuid>,
    /// The question under way. Held only by those who wait for it: it holds the rows and a connection, so that it must end
    /// with the last of them, also when a request is given up half-way.
    turn: Option<WeakTurn>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { known: HashMap::new(), wanted: Vec::new(), turn: None }
    }
}

impl Rows {
    /// No rows yet.
    pub fn new(store: EventStore, viewer: Viewer) -> Self {
        Self { inner: Arc::new(Inner { store, viewer, tables: Mutex::default() }) }
    }

    /// What they are read from.
    pub fn store(&self) -> &EventStore {
        &self.inner.store
    }

    /// Whether anything was asked for yet.
    pub fn were_asked(&self) -> bool {
        !self.tables().is_empty()
    }

    /// The same without what was read.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.inner.store.clone(), self.inner.viewer.clone())
    }

    /// The rows with these keys that exist and may be seen, in this order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn load<V: View + Visible>(&self, keys: Vec<Uuid>) -> Result<Vec<Found<V>>, Arc<Error>> {
        loop {
            if let Some(rows) = self.known(&keys) {
                return Ok(rows);
            }
            // Siblings say what they want before the first of them asks.
            let_others().await;
            self.turn::<V>().await?;
        }
    }

    /// The rows, when all are known; notes which are wanted, if not.
    fn known<V: View + Visible>(&self, keys: &[Uuid]) -> Option<Vec<Found<V>>> {
        let mut tables = self.tables();
        let Table { known, wanted, .. } = table::<V>(&mut tables);
        let before = wanted.len();
        wanted.extend(keys.iter().filter(|key| !known.contains_key(key)));
        (wanted.len() == before)
            .then(|| keys.iter().filter_map(|key| known.get(key).cloned().flatten()).collect())
    }

    /// The question under way, or the next one.
    fn turn<V: View + Visible>(&self) -> Turn {
        let mut tables = self.tables();
        let Table { wanted, turn, .. } = table::<V>(&mut tables);
        if let Some(under_way) = turn.as_ref().and_then(WeakTurn::upgrade) {
            return under_way;
        }
        let next = self.clone().ask::<V>(std::mem::take(wanted)).boxed().shared();
        *turn = next.downgrade();
        next
    }

    async fn ask<V: View + Visible>(self, wanted: Vec<Uuid>) -> Result<(), Arc<Error>> {
        let read = async { self.read::<V>(&mut self.inner.store.pool().reader().await?, wanted).await };
        let read = read.await;
        table::<V>(&mut self.tables()).turn = None;
        read.map_err(Arc::new)
    }

    /// Reads what will be asked for, on a connection that is at hand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read<V: View + Visible>(
        &self,
        reader: &mut Reader,
        mut keys: Vec<Uuid>,
    ) -> Result<(), Error> {
        keys.sort_unstable();
        keys.dedup();
        let seen = V::visible_to(&self.inner.viewer);
        for keys in keys.chunks(MOST_KEYS) {
            let rows: Vec<V> = reader.many(keys, seen.clone()).await?;
            let mut tables = self.tables();
            let known = &mut table::<V>(&mut tables).known;
            known.extend(keys.iter().map(|key| (*key, None)));
            known.extend(rows.into_iter().map(|row| (row.key(), Some(Found::new(row)))));
        }
        Ok(())
    }

    fn tables(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Any + Send>>> {
        self.inner.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn table<V: View>(tables: &mut HashMap<TypeId, Box<dyn Any + Send>>) -> &mut Table<V> {
    let entry = tables.entry(TypeId::of::<V>()).or_insert_with(|| Box::new(Table::<V>::default()));
    if !entry.is::<Table<V>>() {
        *entry = Box::new(Table::<V>::default());
    }
    entry.downcast_mut().unwrap_or_else(|| unreachable!("it was just made so"))
}

/// Ready at the second look: by then all siblings were looked at once.
async fn let_others() {
    let mut seen = false;
    poll_fn(|context| {
        if std::mem::replace(&mut seen, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::Arc};

    use futures_util::poll;
    use zhixing_event_store::{Pool, SystemClock};

    use super::*;
    use crate::graphql::{catalogue, unit::Unit};

    /// Polled by hand: nothing but the look at all siblings lies between what they want and the question, no time above all.
    /// Every connection is held meanwhile, so that no answer can come between two looks.
    #[tokio::test]
    async fn siblings_are_asked_for_together_and_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pool =
            Pool::open(&format!("sqlite:{}", directory.path().join("log.db").display())).await.unwrap();
        let store = EventStore::open(pool, Arc::new(SystemClock), catalogue()).await.unwrap();
        let Pool::Sqlite { readers, .. } = store.pool() else {
            unreachable!("the address is that of a file")
        };
        let mut held = Vec::new();
        for _ in 0..readers.options().get_max_connections() {
            held.push(store.pool().reader().await.unwrap());
        }
        let rows = Rows::new(store, Viewer::anonymous());
        let [first, second] = [Uuid::from_u128(1), Uuid::from_u128(2)];
        let mut one = pin!(rows.load::<Unit>(vec![first]));
        let mut other = pin!(rows.load::<Unit>(vec![second]));
        let state = || {
            let mut tables = rows.tables();
            let Table { known, wanted, turn } = table::<Unit>(&mut tables);
            (known.len(), wanted.clone(), turn.as_ref().and_then(WeakTurn::upgrade).is_some())
        };
        assert!(poll!(one.as_mut()).is_pending());
        assert_eq!(state(), (0, vec![first], false), "nobody asks before its siblings were looked at");
        assert!(poll!(other.as_mut()).is_pending());
        assert_eq!(state(), (0, vec![first, second], false));
        assert!(poll!(one.as_mut()).is_pending());
        assert_eq!(
            state(),
            (0, vec![], true),
            "one question for both, and it is under way at the second look"
        );
        assert!(poll!(other.as_mut()).is_pending());
        assert_eq!(state(), (0, vec![], true), "the other waits for the same");
        drop(held);
        assert!(one.await.unwrap().is_empty() && other.await.unwrap().is_empty());
        assert_eq!(state(), (2, vec![], false));
        assert!(
            poll!(pin!(rows.load::<Unit>(vec![first, second]))).is_ready(),
            "what is known is not asked again"
        );
    }
}
