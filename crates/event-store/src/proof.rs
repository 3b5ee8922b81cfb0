//! That one event is in the log that was signed: checked by anybody, without the log.
use serde::{Deserialize, Serialize};

use crate::{
    Error, Pool, Recorded,
    checkpoint::{Checkpoint, Distrust},
    merkle::{HASH, PathBuilder, includes},
    pool::on,
    signing::PublicKey,
};

/// An event, the way from it to the root of the Merkle tree, and the checkpoint that signs this root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proof {
    /// The form of this proof.
    pub format: Format,
    /// The event with every field that its hash covers.
    pub event: Recorded,
    /// Hash of the event before it; zeros for the first.
    pub before: Node,
    /// Hashes beside the way from the event up to the root (RFC 6962, section 2.1.1), at most 63.
    pub path: Vec<Node>,
    /// The signed root.
    pub checkpoint: Checkpoint,
}

/// Forms of proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[serde(rename = "zhixing-proof-v1")]
    V1,
}

/// A hash, hexadecimal in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Node(#[serde(with = "hex")] pub Vec<u8>);

impl Proof {
    /// Checks everything, offline: the signature by one of `keys`, the event's hash, and its place under the root.
    ///
    /// # Errors
    /// A [`Distrust`] naming what does not hold.
    pub fn check(&self, keys: &[PublicKey]) -> Result<(), Distrust> {
        self.checkpoint.check(keys)?;
        let position = self.event.position;
        if self.event.chained(&self.before.0) != self.event.hash {
            return Err(Distrust::Altered { position });
        }
        let path: Vec<Vec<u8>> = self.path.iter().map(|node| node.0.clone()).collect();
        let included = u64::try_from(self.checkpoint.position).is_ok_and(|size| {
            u64::try_from(position - 1)
                .is_ok_and(|number| includes(&self.checkpoint.root, size, number, &self.event.hash, &path))
        });
        if included { Ok(()) } else { Err(Distrust::NotIncluded { position }) }
    }
}

/// Hashes read at once.
const PAGE: i64 = 10_000;

impl Pool {
    /// The proof that the event at this position is in the log, by the last checkpoint. All hashes up to the checkpoint
    /// pass by, in pages; `progress` hears how far it is.
    ///
    /// # Errors
    /// When no checkpoint covers the event, the log is not the one that was signed, or the database fails.
    pub async fn prove(&self, position: i64, mut progress: impl FnMut(i64)) -> Result<Proof, Error> {
        const HASHES: &str =
            "select position, hash from events where position > $1 and position <= $2 order by position";
        let checkpoint = self.last_checkpoint().await?;
        let covered = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position);
        let number = u64::try_from(position - 1).ok();
        let size = u64::try_from(covered).unwrap_or_default();
        let builder = number.and_then(|number| PathBuilder::new(number, size));
        let (Some(checkpoint), Some(mut builder)) = (checkpoint, builder) else {
            return Err(Distrust::Uncovered { position, covered }.into());
        };
        self.agrees(&checkpoint).await?;
        let (mut at, mut before) = (0, vec![0; HASH]);
        while at < covered {
            let to = covered.min(at + PAGE);
            let page: Vec<(i64, Vec<u8>)> =
                on!(self, |db, _dialect| sqlx::query_as(HASHES).bind(at).bind(to).fetch_all(db).await?);
            for (found, hash) in page {
                at += 1;
                if found != at {
                    return Err(Error::Broken { position: at, reason: crate::verify::MISSING });
                }
                builder.push(&hash);
                if at == position - 1 {
                    before = hash;
                }
            }
            if at < to {
                return Err(Error::Broken { position: at + 1, reason: crate::verify::MISSING });
            }
            progress(at);
        }
        let (path, root) = builder.finish();
        if root.as_slice() != checkpoint.root {
            return Err(Distrust::OtherEvents { position: covered }.into());
        }
        let event = self.read_each(position - 1, 1).await?.into_iter().next();
        let event = event.ok_or(Error::Broken { position, reason: crate::verify::MISSING })??;
        let path = path.into_iter().map(|node| Node(node.to_vec())).collect();
        Ok(Proof { format: Format::V1, event, before: Node(before), path, checkpoint })
    }
}
