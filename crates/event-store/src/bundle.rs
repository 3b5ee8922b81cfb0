//! Signed bundles (签名数据包): a part of the log as a file, for networks that are not connected.
//!
//! The first line says what the file holds, every following line is one event with all that its hash covers, the last line
//! is a signature over everything before it. A bundle names the hash of the event before its first, so bundles follow
//! each other as events do: none can be left out or exchanged without being noticed. See `docs/bundles.md`.
mod read;
mod series;
mod write;

use std::{io, path::PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Pool, Recorded,
    merkle::HASH,
    pool::on,
    signing::{NAME, PublicKey},
    verify::MISSING,
};

pub use read::{Checked, check};
pub(crate) use read::{Reader, open};
pub use series::{Gap, Series};
pub use write::Making;

/// Most events of a bundle.
pub const MOST_EVENTS: i64 = 10_000_000;
/// Most bundles looked at together.
pub const MOST_FILES: usize = 1_000;
/// Most bytes of a line.
const LINE: u64 = 64 * 1024 * 1024;
/// Most bytes of a bundle, unpacked.
const SIZE: u64 = 64 * 1024 * 1024 * 1024;
/// Most characters of the name of a log.
const SOURCE: usize = 1_000;

/// What a bundle says of itself, in its first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// The form of the file.
    pub format: Format,
    /// What the log calls itself: the `source` of its events.
    pub source: String,
    /// Position of the first event.
    pub first: i64,
    /// Position of the last event; one less than the first when there was nothing new.
    pub last: i64,
    /// How many events there are.
    pub count: i64,
    /// Hash of the event before the first; zeros where the log begins.
    #[serde(with = "hex")]
    pub before: Vec<u8>,
    /// Hash of the last event.
    #[serde(with = "hex")]
    pub hash: Vec<u8>,
    /// When it was made.
    pub made_at: DateTime<Utc>,
    /// The public key that checks its signature.
    pub key: String,
}

/// Forms of bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[serde(rename = "zhixing-bundle-v1")]
    V1,
}

impl Header {
    /// What must be so whatever the events are, or why it is no header.
    fn signer(&self) -> Result<PublicKey, String> {
        let Self { first, last, count, before, hash, source, .. } = self;
        if *first < 1 || *last == i64::MAX || *last < first - 1 || *count != last - first + 1 {
            return Err("its positions do not fit together".into());
        }
        if before.len() != HASH || hash.len() != HASH || (*count == 0 && before != hash) {
            return Err("its hashes do not fit together".into());
        }
        if *first == 1 && *before != [0; HASH] {
            return Err("it names an event before the first of the log".into());
        }
        if !is_source(source) {
            return Err("its source is no URI reference of 1 to 1000 characters".into());
        }
        self.key.parse().map_err(|error: crate::signing::KeyError| error.to_string())
    }

    /// Where the chain of its events begins.
    fn beginning(&self) -> Chain {
        Chain { at: self.first - 1, hash: self.before.clone() }
    }
}

/// Whether a log may call itself so.
pub fn is_source(source: &str) -> bool {
    !source.is_empty()
        && source.len() <= SOURCE
        && !source.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The last line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    /// The signature (ed25519) over [`sealed`].
    #[serde(with = "hex")]
    signature: Vec<u8>,
}

impl Seal {
    /// The one way in which it is written.
    fn line(&self) -> Vec<u8> {
        format!("{{\"signature\":\"{}\"}}\n", hex::encode(&self.signature)).into_bytes()
    }
}

/// What is signed: never what a checkpoint could say, which is signed by the same key.
fn sealed(digest: &[u8]) -> String {
    format!("{NAME}-bundle-v1\nsha256 {}\n", hex::encode(digest))
}

/// A walk along the events of a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Position of the last event passed.
    pub at: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Chain {
    /// Passes the next event, if it is the next and is the one that its hash was made of.
    fn pass(&mut self, event: &Recorded) -> bool {
        let follows = event.position == self.at + 1 && event.chained(&self.hash) == event.hash;
        if follows {
            self.at = event.position;
            self.hash.clone_from(&event.hash);
        }
        follows
    }
}

/// What is wrong with one bundle.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file cannot be read or written.
    #[error("{0}")]
    File(#[from] io::Error),
    /// A file stands where the bundle should go.
    #[error("there is such a file already: a bundle is never overwritten")]
    Exists,
    /// It is something else.
    #[error("it is no bundle, or of a newer release ({0})")]
    Foreign(String),
    /// It is larger than what is read.
    #[error("it is larger than what is read: {0}")]
    TooLarge(&'static str),
    /// It ends before its signature.
    #[error("it is cut: it ends behind position {0}, before its signature; copy it again")]
    Cut(i64),
    /// A packed file cannot be unpacked.
    #[error("it is damaged behind position {0}; copy it again")]
    Damaged(i64),
    /// A line cannot be read.
    #[error(
        "line {line} cannot be read ({reason}): it was altered, or a newer release wrote it and must read it"
    )]
    Unreadable {
        /// Which line, from 1.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// An event is not the one that was written.
    #[error("the event at position {0} was altered, or the one before it is missing")]
    Altered(i64),
    /// The last event is not the one that the first line names.
    #[error("its last event is not the one that its first line names: it was altered")]
    OtherEnd,
    /// Something stands behind the signature.
    #[error("something stands behind its signature: it was altered")]
    Longer,
    /// The signature is not of the key that the bundle names.
    #[error("it is forged or altered: its signature does not hold")]
    Forged,
    /// Signed by a key that is not among those to be trusted.
    #[error(
        "it is signed by the key {signed_by}, not by {trusted}: name the key with --key if you trust it \
         (the origin says it by `zhixing checkpoint --show-key`)"
    )]
    WrongKey {
        /// The key it names.
        signed_by: String,
        /// Those to be trusted.
        trusted: String,
    },
    /// It was changed after it had been checked.
    #[error("it was changed while it was read: nothing of what was changed was applied")]
    Changed,
}

/// Why a bundle was not made, trusted or applied.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Something is wrong with one of them.
    #[error("{}: {fault}", .file.display())]
    File {
        /// Which one.
        file: PathBuf,
        /// What.
        fault: Fault,
    },
    /// The log does not reach so far.
    #[error("position {position} lies behind the end of the log ({head})")]
    NotYet {
        /// What was asked.
        position: i64,
        /// Where the log ends.
        head: i64,
    },
    /// The end lies before the beginning.
    #[error("--to {to} lies before --after {after}")]
    Backwards {
        /// Where it should begin.
        after: i64,
        /// Where it should end.
        to: i64,
    },
    /// There are too many events for one bundle.
    #[error("{count} events are more than a bundle takes ({MOST_EVENTS}): make several, with --to")]
    TooManyEvents {
        /// How many there are.
        count: i64,
    },
    /// There are too many bundles.
    #[error("{count} bundles are more than are looked at together ({MOST_FILES})")]
    TooManyFiles {
        /// How many there are.
        count: usize,
    },
    /// No key is trusted.
    #[error(
        "a first bundle is applied only with the public key of its origin: name it with --key (the origin says it by \
         `zhixing checkpoint --show-key`; {} names {named})", .file.display()
    )]
    NoKey {
        /// A bundle.
        file: PathBuf,
        /// The key that it names itself.
        named: String,
    },
    /// Bundles of another log.
    #[error("{} is of the log {found}, not of {expected}", .file.display())]
    OtherSource {
        /// Which bundle.
        file: PathBuf,
        /// What its log calls itself.
        found: String,
        /// The log of the replica, or of the other bundles.
        expected: String,
    },
    /// Events are missing.
    #[error("{0}: get the bundles that hold them; nothing was changed")]
    Missing(Gap),
    /// Two histories.
    #[error(
        "{one} and {other} hold other events up to position {position}: one of them is not of this log, or history was \
         rewritten; nothing was changed"
    )]
    Diverges {
        /// Up to here they should be the same.
        position: i64,
        /// One of them.
        one: String,
        /// The other one.
        other: String,
    },
    /// The database holds a log of its own.
    #[error(
        "this database holds a log of its own ({head} events), no replica: bundles are applied to an empty database; \
         nothing was changed"
    )]
    OwnLog {
        /// Where it ends.
        head: i64,
    },
    /// Somebody else wrote meanwhile.
    #[error("the log moved while the bundle was applied: somebody else applies bundles; run it again")]
    Moved,
}

impl Pool {
    /// The hash of the event at a position; zeros before the first.
    pub(crate) async fn hash_at(&self, position: i64) -> Result<Vec<u8>, Error> {
        const HASH_AT: &str = "select hash from events where position = $1";
        if position == 0 {
            return Ok(vec![0; HASH]);
        }
        let hash = on!(self, |db, _dialect| {
            sqlx::query_scalar(HASH_AT).bind(position).fetch_optional(db).await?
        });
        hash.ok_or(Error::Broken { position, reason: MISSING })
    }
}
