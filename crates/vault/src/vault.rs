//! What is sealed, under which key, and how it is opened again.
//!
//! Every person gets a key of their own: random, kept wrapped by the master key. A field is sealed by XChaCha20-Poly1305
//! with the object and the name of the field as associated data, so that a sealed text fits no other row and no other
//! field. Texts are filled up to a multiple of 64 bytes first: the length of a name says nothing of it.
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;
use zeroize::Zeroizing;
use zhixing_domain::{Clock, Kind, Sealed, sealed::Confidential};

use crate::{
    KeyStore, MasterKey, MasterSource, PersonKey, Plain, VaultError,
    cipher::{self, Key},
    database::Database,
};

/// Keys made ahead at once: one commit of the key store for so many persons.
pub(crate) const AHEAD: usize = 128;
/// When fewer are left, more are made beside those who take them.
const FEW: usize = AHEAD / 2;
/// A text is filled up to a multiple of so many bytes.
const BLOCK: usize = 64;
/// Most bytes of a text that is sealed.
const MOST_BYTES: usize = 2_048;
/// Keys rewrapped at once.
const PAGE: u32 = 500;

/// The object that a sealed field is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of what kind it is.
    pub kind: Kind,
    /// Which one it is.
    pub id: Uuid,
}

impl Place {
    fn about<T: Confidential>(self, key: Uuid) -> String {
        format!("zhixing/field/1|{key}|{}|{}|{}", self.kind.code(), self.id, T::FIELD)
    }
}

/// Seals and opens. Keys of persons are in memory only while they are used, and a few that are nobody's yet.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    store: Arc<dyn KeyStore>,
    source: MasterSource,
    clock: Arc<dyn Clock>,
    masters: RwLock<Arc<Vec<MasterKey>>>,
    /// Keys that are kept already and were given to nobody. Those that a process leaves behind are never used.
    ahead: Mutex<HashMap<Kind, Vec<PersonalKey>>>,
    /// Held by whoever makes more of them.
    making: Arc<tokio::sync::Mutex<()>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("store", &self.0.store).finish_non_exhaustive()
    }
}

/// The key of one person, ready to seal and to open. It is wiped from memory when it is dropped.
pub struct PersonalKey {
    id: Uuid,
    key: Key,
}

impl fmt::Debug for PersonalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PersonalKey").field(&self.id).finish()
    }
}

impl PersonalKey {
    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    #[cfg(test)]
    pub(crate) fn for_tests(id: Uuid) -> Self {
        Self { id, key: Zeroizing::new([7; 32]) }
    }

    /// Seals a field of an object.
    ///
    /// # Errors
    /// When the text is longer than any field may be.
    pub fn seal<T: Confidential>(&self, place: Place, plain: &Plain) -> Result<Sealed<T>, VaultError> {
        let text = plain.reveal().as_bytes();
        if text.len() > MOST_BYTES {
            return Err(VaultError::TooLong(MOST_BYTES));
        }
        // A mark behind the text, then zeros: it is cut off again at the last mark.
        let mut filled = Zeroizing::new(vec![0; (text.len() / BLOCK + 1) * BLOCK]);
        filled[..text.len()].copy_from_slice(text);
        filled[text.len()] = 0x80;
        let sealed = cipher::seal(&self.key, &place.about::<T>(self.id), &filled)?;
        let sealed = sealed.ok_or(VaultError::TooLong(MOST_BYTES))?;
        Sealed::new(self.id, &URL_SAFE_NO_PAD.encode(sealed)).map_err(|_| VaultError::TooLong(MOST_BYTES))
    }

    /// Opens a field of an object.
    ///
    /// # Errors
    /// When another key sealed it, or it was sealed for another object or field, or altered.
    pub fn open<T: Confidential>(&self, place: Place, sealed: &Sealed<T>) -> Result<Plain, VaultError> {
        let altered = || VaultError::Altered(self.id);
        let body = URL_SAFE_NO_PAD.decode(sealed.body()).map_err(|_| altered())?;
        let filled = cipher::open(&self.key, &place.about::<T>(self.id), &body).ok_or_else(altered)?;
        let end = filled.iter().rposition(|byte| *byte == 0x80).ok_or_else(altered)?;
        let text = std::str::from_utf8(&filled[..end]).map_err(|_| altered())?;
        Ok(Plain::new(text.to_owned()))
    }
}

impl Vault {
    /// Opens the vault over a key store. The first of all master keys is made now if there is none.
    ///
    /// # Errors
    /// When the key store or the master key cannot be used, or they do not belong together.
    pub async fn open(
        store: Arc<dyn KeyStore>,
        source: MasterSource,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, VaultError> {
        let wanted = store.master().await?;
        let masters = match source.read() {
            Err(VaultError::NoMaster(_)) if wanted.is_none() => vec![source.init()?],
            masters => masters?,
        };
        let given = masters.first().map(|master| master.id().to_owned()).unwrap_or_default();
        match wanted {
            None => store.take_master(&given, clock.now()).await?,
            Some(wanted) if masters.iter().any(|master| master.id() == wanted) => {}
            Some(wanted) => return Err(VaultError::WrongMaster { given, wanted }),
        }
        let masters = RwLock::new(Arc::new(masters));
        Ok(Self(Arc::new(Inner {
            store,
            source,
            clock,
            masters,
            ahead: Mutex::default(),
            making: Arc::default(),
        })))
    }

    /// The same over the database at `postgres://…` or `sqlite:FILE`.
    ///
    /// # Errors
    /// When the key store or the master key cannot be used, or they do not belong together.
    pub async fn open_at(url: &str, source: MasterSource, clock: Arc<dyn Clock>) -> Result<Self, VaultError> {
        Self::open(Arc::new(Database::open(url).await?), source, clock).await
    }

    /// A key for a person of whom nothing was sealed yet. It is on disk before it is given away.
    ///
    /// # Errors
    /// When the key store fails.
    pub async fn new_key(&self, kind: Kind) -> Result<PersonalKey, VaultError> {
        if let Some(key) = self.take(kind) {
            return Ok(key);
        }
        let _turn = self.0.making.lock().await;
        if let Some(key) = self.take(kind) {
            return Ok(key);
        }
        let mut made = self.make(kind).await?;
        let key = made.pop().ok_or(VaultError::NoKey(Uuid::nil()))?;
        self.ahead().entry(kind).or_default().append(&mut made);
        Ok(key)
    }

    /// One of the keys made ahead. Whoever leaves few lets more be made; should that fail, the one who finds none is told.
    fn take(&self, kind: Kind) -> Option<PersonalKey> {
        let mut ahead = self.ahead();
        let keys = ahead.entry(kind).or_default();
        let key = keys.pop();
        if key.is_some()
            && keys.len() < FEW
            && let Ok(turn) = self.0.making.clone().try_lock_owned()
        {
            let vault = self.clone();
            tokio::spawn(async move {
                if let Ok(mut made) = vault.make(kind).await {
                    vault.ahead().entry(kind).or_default().append(&mut made);
                }
                drop(turn);
            });
        }
        key
    }

    fn ahead(&self) -> MutexGuard<'_, HashMap<Kind, Vec<PersonalKey>>> {
        self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn make(&self, kind: Kind) -> Result<Vec<PersonalKey>, VaultError> {
        // A second time when the master key was rotated in between.
        for _ in 0..2 {
            let (masters, at) = self.current().await?;
            let mut keys = Vec::with_capacity(AHEAD);
            let mut rows = Vec::with_capacity(AHEAD);
            for _ in 0..AHEAD {
                let id = uuid::Builder::from_random_bytes(cipher::random()?).into_uuid();
                let key = cipher::new_key()?;
                rows.push(PersonKey {
                    id,
                    subject: kind.as_str().to_owned(),
                    wrapped: Some(masters[at].wrap(id, &key)?),
                    master_id: masters[at].id().to_owned(),
                    created_at: self.0.clock.now(),
                    destroyed_at: None,
                });
                keys.push(PersonalKey { id, key });
            }
            if self.0.store.keep(&rows).await? {
                return Ok(keys);
            }
        }
        let given = self.masters().first().map(|master| master.id().to_owned()).unwrap_or_default();
        Err(VaultError::WrongMaster { given, wanted: self.0.store.master().await?.unwrap_or_default() })
    }

    /// Takes a key back that has sealed nothing which was kept: it can be the next person's.
    pub fn give_back(&self, kind: Kind, key: PersonalKey) {
        let mut ahead = self.ahead();
        let keys = ahead.entry(kind).or_default();
        if keys.len() < AHEAD {
            keys.push(key);
        }
    }

    /// The key of a person. It is asked for anew each time: what another process destroyed is not opened here.
    ///
    /// # Errors
    /// [`VaultError::Destroyed`] when it was destroyed; when the key store fails or does not have it.
    pub async fn key(&self, id: Uuid) -> Result<PersonalKey, VaultError> {
        let row = self.0.store.find(id).await?.ok_or(VaultError::NoKey(id))?;
        let wrapped = row.wrapped.as_ref().ok_or(VaultError::Destroyed(id))?;
        let (masters, at) = self.master(&row.master_id)?;
        Ok(PersonalKey { id, key: masters[at].unwrap(id, wrapped)? })
    }

    /// Destroys a key for ever. Once more does no harm.
    ///
    /// # Errors
    /// When the key store fails or does not have it.
    pub async fn destroy(&self, id: Uuid) -> Result<(), VaultError> {
        if self.0.store.destroy(id, self.0.clock.now()).await? { Ok(()) } else { Err(VaultError::NoKey(id)) }
    }

    /// Makes a new master key, wraps every key by it and forgets the old one; how many keys were wrapped anew. What was
    /// cut off goes on when it is called again. Services that run meanwhile read the file again by themselves.
    ///
    /// # Errors
    /// When the key store or the file fails, or the master key is not in a file.
    pub async fn rotate_master(&self) -> Result<u64, VaultError> {
        let masters = self.reload()?;
        if masters.len() == 1 {
            let next = MasterKey::generate()?;
            self.0.source.replace(&[&next, &masters[0]])?;
        }
        let masters = self.reload()?;
        let next = &masters[0];
        self.0.store.take_master(next.id(), self.0.clock.now()).await?;
        let (mut after, mut count) = (Uuid::nil(), 0);
        loop {
            let mut page = self.0.store.wrapped_by_others(next.id(), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            for row in &mut page {
                let Some(wrapped) = &row.wrapped else { continue };
                let (old, at) = self.master(&row.master_id)?;
                row.wrapped = Some(next.wrap(row.id, &old[at].unwrap(row.id, wrapped)?)?);
                next.id().clone_into(&mut row.master_id);
            }
            self.0.store.rewrap(&page).await?;
            count += page.len() as u64;
        }
        self.0.source.replace(&[next])?;
        self.reload()?;
        Ok(count)
    }

    /// A key as the store has it.
    #[cfg(test)]
    pub(crate) async fn wrapped(&self, id: Uuid) -> String {
        self.0.store.find(id).await.unwrap().unwrap().wrapped.unwrap()
    }

    /// Lets go of the key store.
    pub async fn close(&self) {
        // Whoever makes keys now is done first.
        let _turn = self.0.making.lock().await;
        self.ahead().clear();
        self.0.store.close().await;
    }

    /// The master key that wraps now.
    async fn current(&self) -> Result<(Arc<Vec<MasterKey>>, usize), VaultError> {
        let wanted = self.0.store.master().await?.unwrap_or_default();
        self.master(&wanted)
    }

    /// The master key with this id; a file is read again when it is not known.
    fn master(&self, id: &str) -> Result<(Arc<Vec<MasterKey>>, usize), VaultError> {
        let place = |masters: &Arc<Vec<MasterKey>>| masters.iter().position(|master| master.id() == id);
        let masters = self.masters();
        if let Some(at) = place(&masters) {
            return Ok((masters, at));
        }
        let masters = self.reload()?;
        if let Some(at) = place(&masters) {
            return Ok((masters, at));
        }
        let given = masters.first().map(|master| master.id().to_owned()).unwrap_or_default();
        Err(VaultError::WrongMaster { given, wanted: id.to_owned() })
    }

    fn masters(&self) -> Arc<Vec<MasterKey>> {
        self.0.masters.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn reload(&self) -> Result<Arc<Vec<MasterKey>>, VaultError> {
        let read = Arc::new(self.0.source.read()?);
        *self.0.masters.write().unwrap_or_else(PoisonError::into_inner) = read.clone();
        Ok(read)
    }
}

/// Random bytes in hexadecimal digits: numbers and secrets that are given to people.
///
/// # Errors
/// When the machine gives no random numbers.
pub fn random_hex<const N: usize>() -> Result<String, VaultError> {
    cipher::random::<N>().map(hex::encode)
}
