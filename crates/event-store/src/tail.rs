//! Following the log: catch up from the database, then live, with no hole and no repetition.
//!
//! One task per process reads what was committed and hands it to all who follow; those who wait cost no query. A
//! follower that falls behind the live ring reads the database again, so memory stays bounded.
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use futures_util::Stream;
use tokio::sync::{broadcast, watch};

use crate::{Error, Pool, event::Shared, postgres, stored, verify::MISSING};

/// Events kept for followers that are a little behind.
const RING: usize = 4_096;
/// Events read from the database at once.
const PAGE: u32 = 500;

/// How long after a failing database it is asked again.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// The live end of the log.
#[derive(Clone, Debug)]
pub struct Tail {
    pool: Pool,
    head: watch::Receiver<i64>,
    live: broadcast::Sender<Shared>,
}

impl Tail {
    /// Starts following; `head` hears of every commit of this process, and of others by notification.
    pub fn start(pool: Pool, head: &watch::Sender<i64>) -> Self {
        let tail = Self { pool: pool.clone(), head: head.subscribe(), live: broadcast::channel(RING).0 };
        tokio::spawn(publish(tail.clone()));
        match pool {
            Pool::Postgres(db) => drop(tokio::spawn(listen(db, head.clone()))),
            Pool::Sqlite { .. } => drop(tokio::spawn(look(pool, head.clone()))),
        }
        tail
    }

    /// Hears of every new position.
    pub fn heads(&self) -> watch::Receiver<i64> {
        self.head.clone()
    }

    /// The position of the last event this process knows of.
    pub fn head(&self) -> i64 {
        *self.head.borrow()
    }

    /// Every event behind `after`, for ever.
    pub fn follow(&self, after: i64) -> impl Stream<Item = Result<Shared, Error>> + Send + use<> {
        let follower =
            Follower { tail: self.clone(), at: after.max(0), page: Vec::new().into_iter(), live: None };
        futures_util::stream::unfold(Some(follower), |follower| async move {
            let mut follower = follower?;
            match follower.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(follower))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// Reads new events once and hands them to all followers.
async fn publish(mut tail: Tail) {
    let sent = AtomicI64::new(tail.head());
    while tail.head.changed().await.is_ok() {
        let head = *tail.head.borrow_and_update();
        if tail.live.receiver_count() == 0 {
            // Nobody listens: whoever comes next reads the database first.
            sent.store(head, Ordering::Relaxed);
            continue;
        }
        while sent.load(Ordering::Relaxed) < head {
            let from = sent.load(Ordering::Relaxed);
            let page = match tail.pool.read_each(from, PAGE).await {
                Ok(page) if page.is_empty() => break,
                Ok(page) => page,
                Err(_) if tail.pool.is_closed() => return,
                Err(error) => {
                    // Those who wait must not have to wait for somebody to write again.
                    tracing::warn!(%error, "following the log failed: trying again");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            for event in page {
                sent.store(stored::position(&event).unwrap_or(from + 1), Ordering::Relaxed);
                match event {
                    // Nobody listening is not an error.
                    Ok(event) => drop(tail.live.send(Arc::new(event))),
                    // Left out here, so that followers see the gap, read it themselves and are told by name.
                    Err(error) => tracing::error!(%error, "an event cannot be handed out"),
                }
            }
        }
    }
}

/// Looks for commits by other processes on the same SQLite file, such as an import from the command line: one cheap
/// question a second, however many follow.
async fn look(pool: Pool, head: watch::Sender<i64>) {
    while !pool.is_closed() {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if let Ok(position) = pool.head().await {
            advance(&head, position);
        }
    }
}

fn advance(head: &watch::Sender<i64>, position: i64) {
    head.send_if_modified(|known| {
        let moved = position > *known;
        *known = position.max(*known);
        moved
    });
}

/// Hears of commits by other processes on the same PostgreSQL.
async fn listen(db: sqlx::PgPool, head: watch::Sender<i64>) {
    loop {
        match heard(&db, &head).await {
            Ok(()) | Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(%error, "listening for commits failed: trying again"),
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
}

async fn heard(db: &sqlx::PgPool, head: &watch::Sender<i64>) -> Result<(), sqlx::Error> {
    let mut listener = sqlx::postgres::PgListener::connect_with(db).await?;
    listener.listen(postgres::CHANNEL).await?;
    while !head.is_closed() {
        // A lost connection may have lost notifications: the head is read, at the beginning and after each loss.
        let (position, schema): (i64, String) =
            sqlx::query_as("select position, current_schema()::text from log_head where id = 1")
                .fetch_one(db)
                .await?;
        advance(head, position);
        while let Some(told) = listener.try_recv().await? {
            // Logs in other schemas of this database use the same channel.
            let position =
                told.payload().strip_prefix(&schema).and_then(|rest| rest.trim_start().parse().ok());
            if let Some(position) = position {
                advance(head, position);
            }
        }
    }
    Ok(())
}

struct Follower {
    tail: Tail,
    /// Position of the last event handed out.
    at: i64,
    page: std::vec::IntoIter<Result<crate::Recorded, Error>>,
    live: Option<broadcast::Receiver<Shared>>,
}

impl Follower {
    async fn next(&mut self) -> Result<Option<Shared>, Error> {
        loop {
            if let Some(event) = self.page.next() {
                let event = event?;
                if event.position != self.at + 1 {
                    return Err(Error::Broken { position: self.at + 1, reason: MISSING });
                }
                self.at = event.position;
                return Ok(Some(Arc::new(event)));
            }
            // Those who wait hold nothing of the past.
            self.page = Vec::new().into_iter();
            let Some(live) = &mut self.live else {
                // Listen first, then read: nothing can fall between the two.
                let live = self.tail.live.subscribe();
                if self.tail.head() <= self.at {
                    // What is recorded from now on is handed out, and there is nothing before.
                    self.live = Some(live);
                    continue;
                }
                // On the heap: most of the time it is not needed.
                let page = Box::pin(self.tail.pool.read_each(self.at, PAGE)).await?;
                if page.len() < PAGE as usize {
                    self.live = Some(live);
                }
                self.page = page.into_iter();
                continue;
            };
            match live.recv().await {
                Ok(event) if event.position <= self.at => {}
                Ok(event) if event.position == self.at + 1 => {
                    self.at = event.position;
                    return Ok(Some(event));
                }
                // A gap, or fallen behind the ring: read the database again.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => self.live = None,
                Err(broadcast::error::RecvError::Closed) => return Ok(None),
            }
        }
    }
}
