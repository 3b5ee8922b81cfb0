//! Reading a bundle as a stream, and checking all of it.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::{BundleError, Chain, Fault, Header, LINE, MOST_EVENTS, SIZE, Seal, sealed};
use crate::{Recorded, signing::PublicKey};

/// What a file begins with that is packed by gzip.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Events and bytes after which the hash is remembered: so much of a bundle is held in memory when it is applied.
const MARK_EVENTS: i64 = 1_000;
const MARK_BYTES: u64 = 16 * 1024 * 1024;

/// A bundle that is whole and signed.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The file.
    pub file: PathBuf,
    /// What it says of itself.
    pub header: Header,
    /// Hashes at positions of it: at its beginning and its end, at those that were asked for, and now and then between.
    pub(crate) marks: BTreeMap<i64, Vec<u8>>,
}

/// Reads a whole bundle: every hash, its end, its signature by one of `keys`, or by whichever it names when there are
/// none. Hashes at the positions `wanted` are kept; `progress` hears how many events were read.
///
/// # Errors
/// What is wrong with it first.
pub fn check(
    file: &Path,
    keys: &[PublicKey],
    wanted: &BTreeSet<i64>,
    mut progress: impl FnMut(i64),
) -> Result<Checked, BundleError> {
    let mut read = || {
        let mut reader = open(file)?;
        let signer = trusted(&reader.header, keys)?;
        let mut marks = BTreeMap::from([(reader.chain.at, reader.chain.hash.clone())]);
        let (mut marked, mut bytes) = (reader.chain.at, 0);
        while reader.next()?.is_some() {
            let at = reader.chain.at;
            let due = at - marked >= MARK_EVENTS || reader.lines.bytes - bytes >= MARK_BYTES;
            if due || at == reader.header.last || wanted.contains(&at) {
                (marked, bytes) = (at, reader.lines.bytes);
                marks.insert(at, reader.chain.hash.clone());
                progress(at - reader.header.first + 1);
            }
        }
        let header = reader.header.clone();
        reader.end(&signer)?;
        Ok(Checked { file: file.to_owned(), header, marks })
    };
    read().map_err(|fault| BundleError::File { file: file.to_owned(), fault })
}

/// The key that a bundle names, if it is to be trusted.
fn trusted(header: &Header, keys: &[PublicKey]) -> Result<PublicKey, Fault> {
    let signer = header.signer().map_err(Fault::Foreign)?;
    if keys.is_empty() || keys.contains(&signer) {
        return Ok(signer);
    }
    let trusted: Vec<String> = keys.iter().map(PublicKey::id).collect();
    Err(Fault::WrongKey { signed_by: signer.id(), trusted: trusted.join(" or ") })
}

/// Opens a bundle, packed or not, and reads its first line.
pub(crate) fn open(file: &Path) -> Result<Reader, Fault> {
    let mut input = BufReader::new(File::open(file)?);
    let packed = input.fill_buf()?.starts_with(&GZIP);
    let input: Box<dyn BufRead + Send> =
        if packed { Box::new(BufReader::new(MultiGzDecoder::new(input))) } else { Box::new(input) };
    Reader::begin(input)
}

/// A bundle on its way from the first line to the last.
pub(crate) struct Reader {
    pub header: Header,
    /// Where it stands.
    pub chain: Chain,
    lines: Lines,
}

impl Reader {
    fn begin(input: Box<dyn BufRead + Send>) -> Result<Self, Fault> {
        let mut lines = Lines { input, line: Vec::new(), hasher: Sha256::new(), count: 0, bytes: 0 };
        let first = lines.next(0).map_err(|fault| match fault {
            Fault::Cut(_) | Fault::TooLarge(_) => Fault::Foreign("it has no first line".into()),
            other => other,
        })?;
        let header: Header =
            serde_json::from_slice(first).map_err(|error| Fault::Foreign(error.to_string()))?;
        header.signer().map_err(Fault::Foreign)?;
        if header.count > MOST_EVENTS {
            return Err(Fault::TooLarge("10,000,000 events"));
        }
        lines.take();
        Ok(Self { chain: header.beginning(), header, lines })
    }

    /// The next event; `None` behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Recorded>, Fault> {
        if self.chain.at == self.header.last {
            return Ok(None);
        }
        let line = self.lines.next(self.chain.at)?;
        let event: Recorded = match serde_json::from_slice(line) {
            Ok(event) => event,
            Err(error) => {
                return Err(Fault::Unreadable { line: self.lines.count, reason: error.to_string() });
            }
        };
        if !self.chain.pass(&event) {
            return Err(Fault::Altered(self.chain.at + 1));
        }
        if self.chain.at == self.header.last && self.chain.hash != self.header.hash {
            return Err(Fault::OtherEnd);
        }
        self.lines.take();
        Ok(Some(event))
    }

    /// Reads what stands behind the last event: the signature by this key, and nothing else.
    fn end(mut self, signer: &PublicKey) -> Result<(), Fault> {
        let digest = self.lines.hasher.clone().finalize();
        let line = self.lines.next(self.chain.at)?;
        // Only as it is written: whatever else would mean the same was altered.
        let seal = serde_json::from_slice::<Seal>(line).ok().filter(|seal| seal.line() == line);
        let holds = seal.is_some_and(|seal| signer.verifies(&sealed(&digest), &seal.signature));
        if !holds {
            return Err(Fault::Forged);
        }
        if self.lines.is_at_end(self.chain.at)? { Ok(()) } else { Err(Fault::Longer) }
    }
}

/// The lines of a bundle, each of bounded length.
struct Lines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    /// Over all lines that were taken.
    hasher: Sha256,
    count: u64,
    bytes: u64,
}

impl Lines {
    /// The next line with its end; `at` is the last position that was read.
    fn next(&mut self, at: i64) -> Result<&[u8], Fault> {
        self.line.clear();
        let most = LINE.min(SIZE - self.bytes);
        let read = (&mut self.input).take(most + 1).read_until(b'\n', &mut self.line);
        let length = read.map_err(|error| unpacking(error, at))? as u64;
        if length > most {
            return Err(Fault::TooLarge("64 MiB a line, 64 GiB in all"));
        }
        if self.line.last() != Some(&b'\n') {
            return Err(Fault::Cut(at));
        }
        self.bytes += length;
        self.count += 1;
        Ok(&self.line)
    }

    /// Takes the line that was read last into what is signed.
    fn take(&mut self) {
        self.hasher.update(&self.line);
    }

    /// Whether nothing is left; `at` is the last position that was read.
    fn is_at_end(&mut self, at: i64) -> Result<bool, Fault> {
        match self.input.fill_buf().map_err(|error| unpacking(error, at)) {
            Ok(rest) => Ok(rest.is_empty()),
            Err(Fault::Damaged(_)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}

/// What it means that a packed file cannot be unpacked: it was cut, or altered.
fn unpacking(error: io::Error, at: i64) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Cut(at),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Fault::Damaged(at),
        _ => Fault::File(error),
    }
}
