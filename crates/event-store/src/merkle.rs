//! The Merkle tree of RFC 6962 over the hashes of all events, built in passing: memory grows with the logarithm of the
//! log, never with the log.
use ct_merkle::{InclusionProof, RootHash};
use sha2::{Digest, Sha256, digest::array::Array};

/// Length of every hash.
pub const HASH: usize = 32;

type Hash = [u8; HASH];

/// A tree that grows at its right edge: only the roots of its perfect subtrees are kept, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut node = hash(&[&[0], leaf]);
        // Every trailing one in the size is a perfect subtree that the new leaf completes to one of double size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = hash(&[&[1], &left, &node]);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree as it is now.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return hash(&[]) };
        peaks.fold(*last, |right, left| hash(&[&[1], left, &right]))
    }

    /// What has to be kept to let it grow later.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// The tree that was kept when it had `size` leaves; `None` when these are not its peaks.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (peaks, rest) = bytes.as_chunks::<HASH>();
        let whole = rest.is_empty() && peaks.len() == size.count_ones() as usize;
        whole.then(|| Self { size, peaks: peaks.to_vec() })
    }
}

/// Gathers the path that leads from one leaf to the root of a tree of known size, while all leaves pass by.
#[derive(Debug)]
pub struct PathBuilder {
    leaf: u64,
    tree: Frontier,
    /// The subtrees beside the way from the root down: where each ends (exclusive), and the leaves it got so far.
    siblings: Vec<(u64, Frontier)>,
}

impl PathBuilder {
    /// For the leaf with this number, from 0, in a tree of `size` leaves; `None` when it has no such leaf.
    pub fn new(leaf: u64, size: u64) -> Option<Self> {
        if leaf >= size {
            return None;
        }
        let (mut start, mut end, mut ends) = (0, size, Vec::new());
        while end - start > 1 {
            // The largest power of two smaller than the number of leaves.
            let split = start + (1 << (end - start - 1).ilog2());
            if leaf < split {
                ends.push(end);
                end = split;
            } else {
                ends.push(split);
                start = split;
            }
        }
        Some(Self {
            leaf,
            tree: Frontier::default(),
            siblings: ends.into_iter().map(|end| (end, Frontier::default())).collect(),
        })
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: &[u8]) {
        let number = self.tree.size();
        self.tree.push(leaf);
        if number == self.leaf {
            return;
        }
        // Siblings left of the leaf end at or before it, those right of it lie nested behind it, the innermost first.
        let sibling = if number < self.leaf {
            self.siblings.iter_mut().find(|(end, _)| number < *end && *end <= self.leaf)
        } else {
            self.siblings.iter_mut().rev().find(|(end, _)| number < *end && *end > self.leaf)
        };
        if let Some((_, tree)) = sibling {
            tree.push(leaf);
        }
    }

    /// The path from the leaf up, and the root, after all leaves have passed.
    pub fn finish(self) -> (Vec<Hash>, Hash) {
        (self.siblings.iter().rev().map(|(_, tree)| tree.root()).collect(), self.tree.root())
    }
}

/// Whether `leaf` is the leaf with this number, from 0, in the tree with this size and root.
pub fn includes(root: &[u8], size: u64, number: u64, leaf: &[u8], path: &[Vec<u8>]) -> bool {
    let Ok(root) = Hash::try_from(root) else { return false };
    // A tree of 2^63 leaves is more than positions can number; below it the library's arithmetic holds.
    if size > i64::MAX as u64 || path.iter().any(|hash| hash.len() != HASH) {
        return false;
    }
    let Ok(proof) = InclusionProof::<Sha256>::try_from_bytes(path.concat()) else { return false };
    RootHash::<Sha256>::new(Array::from(root), size).verify_inclusion(&leaf, number, &proof).is_ok()
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    /// The reference data of Certificate Transparency: eight leaves, and the roots after one to eight of them.
    const LEAVES: [&str; 8] =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn path(leaves: &[Vec<u8>], leaf: u64) -> (Vec<Vec<u8>>, Hash) {
        let mut builder = PathBuilder::new(leaf, leaves.len() as u64).unwrap();
        for leaf in leaves {
            builder.push(leaf);
        }
        let (path, root) = builder.finish();
        (path.into_iter().map(Vec::from).collect(), root)
    }

    #[test]
    fn roots_are_those_of_the_reference_data() {
        let mut tree = Frontier::default();
        assert_eq!(
            hex::encode(tree.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            tree.push(&hex::decode(leaf).unwrap());
            assert_eq!(hex::encode(tree.root()), root);
        }
    }

    #[test]
    fn a_path_is_that_of_the_reference_data() {
        let leaves: Vec<Vec<u8>> = LEAVES.iter().map(|leaf| hex::decode(leaf).unwrap()).collect();
        let (path, _) = path(&leaves, 5);
        assert_eq!(
            path.iter().map(hex::encode).collect::<Vec<_>>(),
            [
                "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proved_as_by_a_tree_in_memory() {
        let mut whole = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        let mut tree = Frontier::default();
        let mut leaves = Vec::new();
        for size in 1..=70_u64 {
            let leaf = size.to_be_bytes().to_vec();
            whole.push(leaf.clone());
            tree.push(&leaf);
            leaves.push(leaf);
            assert_eq!(tree.root().as_slice(), whole.root().as_bytes().as_slice());
            assert_eq!(Frontier::from_bytes(size, &tree.to_bytes()), Some(tree.clone()));
            for number in 0..size {
                let (path, root) = path(&leaves, number);
                assert_eq!(root, tree.root());
                let at = usize::try_from(number).unwrap();
                assert_eq!(path.concat(), whole.prove_inclusion(at).as_bytes());
                assert!(includes(&root, size, number, &leaves[at], &path));
                assert!(!includes(&root, size, number, b"another", &path));
                assert!(!includes(&root, size, (number + 1) % (size + 1), &leaves[at], &path));
            }
        }
    }

    #[test]
    fn what_is_no_path_proves_nothing() {
        let (path, root) = path(&[vec![1], vec![2], vec![3]], 1);
        assert!(includes(&root, 3, 1, &[2], &path));
        assert!(!includes(&root, 3, 1, &[2], &path[..1]));
        assert!(!includes(&root[1..], 3, 1, &[2], &path));
        assert!(!includes(&root, 3, 1, &[2], &[vec![0; 31], vec![0; 33]]));
        assert!(!includes(&root, 0, 0, &[2], &[]));
        assert!(!includes(&root, u64::MAX, u64::MAX - 1, &[2], &[]));
        assert!(PathBuilder::new(3, 3).is_none());
        assert!(Frontier::from_bytes(3, &[0; 32]).is_none());
    }
}
