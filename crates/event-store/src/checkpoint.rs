//! Signed statements of what the log was when it ended at a position.
//!
//! A checkpoint that somebody keeps elsewhere holds the log to what it was: who rewrites history and all hashes with it
//! cannot make the old root again. What is signed is a note (C2SP `tlog-checkpoint`), so other tools can check it too.
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::{
    Error, Pool,
    merkle::{Frontier, HASH},
    pool::on,
    signing::{NAME, PublicKey, SigningKey},
    verify::Walk,
};

/// The head of the log at some time, signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// The last position it covers; the size of the Merkle tree.
    pub position: i64,
    /// Root of the Merkle tree (RFC 6962) over the hashes of all events up to there.
    #[serde(with = "hex")]
    pub root: Vec<u8>,
    /// Hash of the event there.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
    /// By which key.
    pub key_id: String,
    /// The signature (ed25519) over [`Checkpoint::text`].
    #[serde(with = "hex")]
    pub signature: Vec<u8>,
}

/// Why the log, a checkpoint or a proof is not to be trusted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Distrust {
    /// The log ends before a checkpoint that was signed of it.
    #[error(
        "checkpoint at position {position} is ahead of the log's head {head}: this log was restored from an older \
         backup or cut"
    )]
    Ahead {
        /// What the checkpoint covers.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// The log holds other events than those that were signed.
    #[error("checkpoint at position {position} was signed of other events than this log holds up to there")]
    OtherEvents {
        /// What the checkpoint covers.
        position: i64,
    },
    /// The checkpoint is signed by a key that is not among those to be trusted.
    #[error("checkpoint at position {position} is signed by the key {signed_by}, not by {given}")]
    WrongKey {
        /// What the checkpoint covers.
        position: i64,
        /// The key it names.
        signed_by: String,
        /// The keys that were given.
        given: String,
    },
    /// The signature is not of the key that the checkpoint names, or the checkpoint was altered.
    #[error("checkpoint at position {position} is forged or altered: its signature does not hold")]
    Forged {
        /// What the checkpoint covers.
        position: i64,
    },
    /// No checkpoint covers the event yet.
    #[error(
        "no checkpoint covers position {position} yet (the last covers {covered}): make one by `zhixing checkpoint`"
    )]
    Uncovered {
        /// Where the event stands.
        position: i64,
        /// What is covered.
        covered: i64,
    },
    /// The event in a proof is not the one its hash was made of.
    #[error("the event at position {position} in this proof was altered")]
    Altered {
        /// Where the event stands.
        position: i64,
    },
    /// The path of a proof does not lead to the root.
    #[error("this proof does not show that the event at position {position} is in the log")]
    NotIncluded {
        /// Where the event stands.
        position: i64,
    },
}

impl Checkpoint {
    /// What is signed: the log's name, its size and root, and its last hash.
    pub fn text(&self) -> String {
        format!(
            "{NAME}\n{size}\n{root}\nhash {hash}\nsigned-at {at}\n",
            size = self.position,
            root = STANDARD.encode(&self.root),
            hash = hex::encode(&self.hash),
            at = self.signed_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }

    /// The whole signed note, for tools that read `tlog-checkpoint`.
    pub fn note(&self) -> String {
        let mut signature = hex::decode(&self.key_id).unwrap_or_default();
        signature.extend(&self.signature);
        format!("{}\n\u{2014} {NAME} {}\n", self.text(), STANDARD.encode(signature))
    }

    fn sign(walk: &Walk, at: DateTime<Utc>, key: &SigningKey) -> Self {
        let mut checkpoint = Self {
            position: walk.at,
            root: walk.tree.root().to_vec(),
            hash: walk.hash.clone(),
            signed_at: at,
            key_id: key.public().id(),
            signature: Vec::new(),
        };
        checkpoint.signature = key.sign(&checkpoint.text());
        checkpoint
    }

    /// Checks the signature by that key of `keys` that the checkpoint names.
    ///
    /// # Errors
    /// [`Distrust::WrongKey`] when it is none of them, [`Distrust::Forged`] when it did not sign this.
    pub fn check(&self, keys: &[PublicKey]) -> Result<(), Distrust> {
        let mut named = keys.iter().filter(|key| key.id() == self.key_id).peekable();
        if named.peek().is_none() {
            let given: Vec<String> = keys.iter().map(PublicKey::id).collect();
            return Err(Distrust::WrongKey {
                position: self.position,
                signed_by: self.key_id.clone(),
                given: if given.is_empty() { "any that was given".into() } else { given.join(" or ") },
            });
        }
        let text = self.text();
        let holds = named.any(|key| key.verifies(&text, &self.signature));
        let whole = self.position > 0 && self.root.len() == HASH && self.hash.len() == HASH;
        if holds && whole { Ok(()) } else { Err(Distrust::Forged { position: self.position }) }
    }
}

/// Events read at once.
const PAGE: u32 = 1_000;
const COLUMNS: &str = "position, root, hash, signed_at, key_id, signature";

impl Pool {
    /// Signs the head of the log, unless it was signed before or there is nothing yet; `None` then.
    ///
    /// Events since the last checkpoint are hashed anew, so that nothing altered is ever signed, and the tree grows on
    /// from what was signed before. `new_key` permits a key other than that of the last checkpoint.
    ///
    /// # Errors
    /// When the log is broken or behind its last checkpoint, the key is another, or the database fails.
    pub async fn sign_head(
        &self,
        key: &SigningKey,
        at: DateTime<Utc>,
        new_key: bool,
    ) -> Result<Option<Checkpoint>, Error> {
        let (head, hash) = self.head_row().await?;
        let last = self.last_checkpoint().await?;
        let mut walk = match &last {
            None => Walk::default(),
            Some(last) => {
                self.agrees(last).await?;
                match last.check(&[key.public()]) {
                    Err(Distrust::WrongKey { .. }) if new_key => {}
                    checked => checked?,
                }
                self.resume(last).await?
            }
        };
        let same_key = last.as_ref().is_none_or(|last| last.key_id == key.public().id());
        if walk.at >= head && (same_key || head == 0) {
            return Ok(None);
        }
        while walk.at < head {
            let page = self.read_each(walk.at, PAGE).await?;
            walk.page(page, head)?;
        }
        if walk.at == head && walk.hash != hash {
            return Err(Error::Broken { position: head, reason: crate::verify::HEAD_DIFFERS });
        }
        let checkpoint = Checkpoint::sign(&walk, at, key);
        self.keep(&checkpoint, &walk.tree.to_bytes()).await?;
        Ok(Some(checkpoint))
    }

    /// Where the tree stood at this checkpoint, to go on from there.
    async fn resume(&self, last: &Checkpoint) -> Result<Walk, Error> {
        const PEAKS: &str = "select peaks from checkpoints where position = $1";
        let peaks: Vec<u8> =
            on!(self, |db, _dialect| sqlx::query_scalar(PEAKS).bind(last.position).fetch_one(db).await?);
        let size = u64::try_from(last.position).unwrap_or_default();
        // The peaks are not signed, the root that they make is.
        let tree = Frontier::from_bytes(size, &peaks).filter(|tree| tree.root().as_slice() == last.root);
        let tree = tree.ok_or(Distrust::Forged { position: last.position })?;
        Ok(Walk { at: last.position, hash: last.hash.clone(), tree })
    }

    async fn keep(&self, checkpoint: &Checkpoint, peaks: &[u8]) -> Result<(), Error> {
        // Another process may have signed the same position: a checkpoint is never replaced, but by a new key's.
        const KEEP: &str = "insert into checkpoints (position, root, hash, peaks, signed_at, key_id, signature) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (position) do update set signed_at = excluded.signed_at, \
             key_id = excluded.key_id, signature = excluded.signature where checkpoints.key_id <> excluded.key_id";
        macro_rules! insert {
            ($db:expr) => {
                sqlx::query(KEEP)
                    .bind(checkpoint.position)
                    .bind(&checkpoint.root)
                    .bind(&checkpoint.hash)
                    .bind(peaks)
                    .bind(checkpoint.signed_at)
                    .bind(&checkpoint.key_id)
                    .bind(&checkpoint.signature)
                    .execute($db)
                    .await
                    .map(drop)?
            };
        }
        match self {
            Self::Postgres(db) => insert!(db),
            Self::Sqlite { writer, .. } => insert!(writer),
        }
        Ok(())
    }

    /// The last checkpoint.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let sql = format!("select {COLUMNS} from checkpoints order by position desc limit 1");
        Ok(on!(self, |db, _dialect| sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_optional(db).await?))
    }

    /// Checkpoints behind `after`, in order, at most `limit`.
    pub(crate) async fn checkpoints(&self, after: i64, limit: u32) -> Result<Vec<Checkpoint>, Error> {
        let sql = format!("select {COLUMNS} from checkpoints where position > $1 order by position limit $2");
        Ok(on!(self, |db, _dialect| {
            sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(after).bind(i64::from(limit)).fetch_all(db).await?
        }))
    }

    /// Whether the log still ends behind this checkpoint and has the event that was signed; quick, not the whole chain.
    ///
    /// # Errors
    /// [`Distrust::Ahead`], [`Distrust::OtherEvents`], or a failing database.
    pub async fn agrees(&self, checkpoint: &Checkpoint) -> Result<(), Error> {
        const HASH_AT: &str = "select hash from events where position = $1";
        let (head, _) = self.head_row().await?;
        let position = checkpoint.position;
        if position > head {
            return Err(Distrust::Ahead { position, head }.into());
        }
        let hash: Option<Vec<u8>> = on!(self, |db, _dialect| {
            sqlx::query_scalar(HASH_AT).bind(position).fetch_optional(db).await?
        });
        if hash.is_none_or(|hash| hash != checkpoint.hash) {
            return Err(Distrust::OtherEvents { position }.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (SigningKey, Checkpoint) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let mut walk = Walk { at: 1, hash: vec![9; HASH], ..Walk::default() };
        walk.tree.push(&[9; HASH]);
        let at = DateTime::from_timestamp_micros(1_700_000_000_000_000).unwrap();
        let checkpoint = Checkpoint::sign(&walk, at, &key);
        (key, checkpoint)
    }

    #[test]
    fn the_signature_covers_every_field() {
        let (key, good) = signed();
        let keys = [key.public()];
        assert_eq!(good.check(&keys), Ok(()));
        let changes: [fn(&mut Checkpoint); 5] = [
            |c| c.position += 1,
            |c| c.root[0] ^= 1,
            |c| c.hash[0] ^= 1,
            |c| c.signed_at += chrono::TimeDelta::microseconds(1),
            |c| c.signature[0] ^= 1,
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert!(matches!(bad.check(&keys), Err(Distrust::Forged { .. })), "{bad:?}");
        }
        let stranger = SigningKey::from_bytes(&[8; 32]).public();
        assert!(matches!(good.check(&[stranger]), Err(Distrust::WrongKey { .. })));
        assert!(matches!(good.check(&[]), Err(Distrust::WrongKey { .. })));
        assert_eq!(good.check(&[stranger, key.public()]), Ok(()));
    }

    #[test]
    fn the_note_names_the_log_and_carries_key_and_signature() {
        let (key, checkpoint) = signed();
        let note = checkpoint.note();
        let (text, signature) = note.split_once("\n\n").unwrap();
        assert_eq!(format!("{text}\n"), checkpoint.text());
        let encoded = signature.strip_prefix("\u{2014} zhixing ").unwrap().trim_end();
        let bytes = STANDARD.decode(encoded).unwrap();
        assert_eq!(hex::encode(&bytes[..4]), key.public().id());
        assert_eq!(bytes[4..], checkpoint.signature);
    }

    #[test]
    fn a_checkpoint_is_read_as_it_is_written() {
        let (_, checkpoint) = signed();
        let json = serde_json::to_string(&checkpoint).unwrap();
        assert_eq!(serde_json::from_str::<Checkpoint>(&json).unwrap(), checkpoint);
    }
}
