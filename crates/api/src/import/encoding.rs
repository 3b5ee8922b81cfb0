//! Bytes to text: byte order marks, UTF-8, and GB18030 as it is common in offices; never a guess that yields mojibake.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{GB18030, GBK, UTF_16BE, UTF_16LE};

use super::report::{Format, ImportError, Repair};
use super::text::is_forbidden;

/// Most bytes of a file that are read.
pub const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;

/// Least share, in percent, of everyday characters among the Chinese ones of a text taken for GB18030.
const MIN_EVERYDAY_PERCENT: usize = 80;

/// What was tried, for the message.
const TRIED: &str = "UTF-8, UTF-16 with byte order mark, GB18030";

/// First bytes of files that are certainly no text.
const SIGNATURES: [(&[u8], &str); 9] = [
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
];

/// Looks at the size alone, before anything is read.
///
/// # Errors
/// The file is empty or larger than [`MAX_FILE_BYTES`].
pub fn check_size(bytes: &[u8]) -> Result<(), ImportError> {
    match bytes.len() {
        0 => Err(ImportError::EmptyFile),
        n if n > MAX_FILE_BYTES => Err(ImportError::TooLarge { limit: MAX_FILE_BYTES }),
        _ => Ok(()),
    }
}

/// Tells the kind of file by its bytes; the name is only used to word a refusal.
///
/// # Errors
/// The file is empty, too large, of a kind that is not read, or no text.
pub fn detect_format(bytes: &[u8], name: &str) -> Result<Format, ImportError> {
    check_size(bytes)?;
    if bytes.starts_with(b"PK\x03\x04") {
        return Ok(Format::TaskTableXlsx);
    }
    if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
        return Err(ImportError::OldExcel);
    }
    if let Some((_, found)) = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Err(ImportError::UnknownFormat {
            found: format!("{} is {found}", super::text::excerpt(name)),
        });
    }
    let (text, _, _) = decode(bytes)?;
    match text.trim_start().chars().next() {
        None => Err(ImportError::EmptyFile),
        Some('{') => Ok(Format::PlanJson),
        Some(_) => Ok(Format::TaskTableCsv),
    }
}

/// The text of a file, the encoding it was read in, and what was repaired on the way.
///
/// # Errors
/// The file is empty, too large, or no text in a known encoding.
pub fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, &'static str, Vec<Repair>), ImportError> {
    check_size(bytes)?;
    let (text, encoding) = if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        let text = std::str::from_utf8(rest).map_err(|e| {
            not_text(format!("marked as UTF-8, but the bytes from {} on are not", e.valid_up_to() + 3))
        })?;
        (Cow::Borrowed(text), "UTF-8")
    } else if let Some(rest) = bytes.strip_prefix(b"\xff\xfe") {
        (utf16(rest, UTF_16LE)?, "UTF-16LE")
    } else if let Some(rest) = bytes.strip_prefix(b"\xfe\xff") {
        (utf16(rest, UTF_16BE)?, "UTF-16BE")
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        (Cow::Borrowed(text), "UTF-8")
    } else {
        (gb18030(bytes)?, "GB18030")
    };
    // A stray control character costs one row; a file full of them is no text at all.
    let forbidden = text.chars().filter(|c| is_forbidden(*c)).count();
    if forbidden * 10 > text.chars().count() {
        return Err(not_text("most of it is control characters"));
    }
    let repairs = match encoding {
        "UTF-8" => Vec::new(),
        other => vec![Repair::new(0, "encoding", other, "converted to UTF-8")],
    };
    Ok((text, encoding, repairs))
}

fn not_text(reason: impl Into<String>) -> ImportError {
    ImportError::NotText { tried: TRIED, reason: reason.into() }
}

fn utf16<'a>(bytes: &'a [u8], encoding: &'static encoding_rs::Encoding) -> Result<Cow<'a, str>, ImportError> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or_else(|| not_text("marked as UTF-16, but it holds halves of characters"))
}

/// GB18030 decodes almost any bytes into some Chinese characters, so the result must also look like Chinese.
fn gb18030(bytes: &[u8]) -> Result<Cow<'_, str>, ImportError> {
    let text = GB18030
        .decode_without_bom_handling_and_without_replacement(bytes)
        .ok_or_else(|| not_text("it holds bytes that no encoding tried can hold"))?;
    if text.chars().any(is_forbidden) {
        return Err(not_text("it holds control characters"));
    }
    let (everyday, all) = count_everyday(bytes);
    if everyday * 100 < all * MIN_EVERYDAY_PERCENT {
        return Err(not_text("read as GB18030 it would be rare characters without sense"));
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    // No hint of a Chinese origin: it would turn Korean into rare Chinese.
    let guess = detector.guess(None, Utf8Detection::Deny);
    if guess != GBK && guess != GB18030 {
        return Err(not_text(format!("it looks like {}", guess.name())));
    }
    Ok(text)
}

/// How many of the two-byte and four-byte characters are everyday ones, and how many there are: the first
/// level of GB 2312 (3755 characters sorted by sound) and its punctuation cover nearly all of any office text.
fn count_everyday(bytes: &[u8]) -> (usize, usize) {
    let (mut everyday, mut all, mut at) = (0, 0, 0);
    while at < bytes.len() {
        let trail = bytes.get(at + 1).copied().unwrap_or(0);
        at += match (bytes[at], trail) {
            (0..=0x7f, _) => 1,
            (_, 0x30..=0x39) => {
                all += 1;
                4
            }
            (lead, trail) => {
                all += 1;
                everyday += usize::from(matches!(lead, 0xa1..=0xa3 | 0xb0..=0xd7) && trail >= 0xa1);
                2
            }
        };
    }
    (everyday, all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "序号,工作任务,主要内容,责任部门\r\n1,提升服务,做好服务,牵头部门：市商务局\r\n";

    fn utf16_bytes(text: &str, mark: [u8; 2], unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.into_iter().chain(text.encode_utf16().flat_map(unit)).collect()
    }

    #[test]
    fn every_known_encoding_gives_the_same_text() {
        let marked = [b"\xef\xbb\xbf", HEADER.as_bytes()].concat();
        let gb = GB18030.encode(HEADER).0.into_owned();
        for (bytes, name) in [
            (HEADER.as_bytes().to_vec(), "UTF-8"),
            (marked, "UTF-8"),
            (gb, "GB18030"),
            (utf16_bytes(HEADER, [0xff, 0xfe], u16::to_le_bytes), "UTF-16LE"),
            (utf16_bytes(HEADER, [0xfe, 0xff], u16::to_be_bytes), "UTF-16BE"),
        ] {
            let (text, encoding, repairs) = decode(&bytes).unwrap();
            assert_eq!((text.as_ref(), encoding), (HEADER, name));
            assert_eq!(repairs.len(), usize::from(name != "UTF-8"));
        }
    }

    #[test]
    fn the_header_line_alone_is_enough_to_know_gb18030() {
        for text in ["序号,工作任务,主要内容,责任部门", "责任单位", "一、市商务局", "牵头部门:市财政局"]
        {
            let bytes = GB18030.encode(text).0;
            assert_eq!(decode(&bytes).unwrap().0, text);
        }
    }

    #[test]
    fn binary_files_are_refused_not_read_as_mojibake() {
        let noise: Vec<u8> = (0..4000_u32).map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
        let high: Vec<u8> = noise.iter().map(|b| b | 0x80).collect();
        for bytes in [
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR".as_slice(),
            b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xc8",
            &[0; 500],
            &noise,
            &high,
            "café noël".chars().map(|c| c as u8).collect::<Vec<_>>().as_slice(),
            b"\xef\xbb\xbf\xff\xff",
            b"\xff\xfe\x00",
            b"\xff\xfe\x00\xd8\x41\x00",
        ] {
            assert_eq!(decode(bytes).unwrap_err().code(), "IMPORT_NOT_TEXT", "{bytes:x?}");
        }
    }

    #[test]
    fn other_east_asian_encodings_are_refused() {
        use encoding_rs::{BIG5, EUC_JP, EUC_KR, SHIFT_JIS};
        for (encoding, text) in [
            (BIG5, "序號,工作任務,主要內容,責任部門,提升農產品質量安全水準"),
            (EUC_KR, "번호,업무,내용,담당부서,시장감독국,품질향상계획을 시행한다"),
            (SHIFT_JIS, "番号、業務、内容、担当部署、市場監督局、品質の向上をめざす"),
            (EUC_JP, "番号、業務、内容、担当部署、市場監督局、品質の向上をめざす"),
        ] {
            let bytes = encoding.encode(text).0;
            assert_eq!(decode(&bytes).unwrap_err().code(), "IMPORT_NOT_TEXT", "{}", encoding.name());
        }
    }

    #[test]
    fn size_has_two_ends() {
        assert_eq!(decode(b"").unwrap_err(), ImportError::EmptyFile);
        let large = vec![b' '; MAX_FILE_BYTES + 1];
        assert_eq!(decode(&large).unwrap_err(), ImportError::TooLarge { limit: MAX_FILE_BYTES });
    }

    #[test]
    fn the_kind_of_file_is_told_by_its_bytes() {
        assert_eq!(detect_format(b"PK\x03\x04", "a"), Ok(Format::TaskTableXlsx));
        assert_eq!(detect_format(b"\xef\xbb\xbf\n {", "a"), Ok(Format::PlanJson));
        assert_eq!(detect_format(HEADER.as_bytes(), "a"), Ok(Format::TaskTableCsv));
        assert_eq!(detect_format(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a.xls"), Err(ImportError::OldExcel));
        assert_eq!(detect_format(b" \n", "a"), Err(ImportError::EmptyFile));
        assert_eq!(detect_format(b"%PDF-1.7", "a").unwrap_err().code(), "IMPORT_UNKNOWN_FORMAT");
    }

    proptest! {
        #[test]
        fn any_bytes_give_text_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok((text, "GB18030", _)) = decode(&bytes) {
                prop_assert!(!text.chars().any(is_forbidden));
            }
        }

        #[test]
        fn long_noise_is_always_refused(bytes in proptest::collection::vec(any::<u8>(), 200..400)) {
            prop_assert!(decode(&bytes).is_err());
        }
    }
}
