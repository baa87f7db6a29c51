//! A catalogue's file as UTF-8 text, whatever it was before.
//!
//! Flowing in: a path. Flowing out: a stream that is unpacked (gzip) and decoded, with the head of the
//! text for those who guess, and a refusal for files that are no text.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use flate2::read::MultiGzDecoder;

use super::{CatalogueOptions, Error};

/// Over so many bytes the encoding is guessed.
const HEAD: usize = 1 << 20;
/// So much text is enough to tell the format by.
const GLANCE: usize = 64 << 10;

pub(super) struct Source {
    pub text: Box<dyn Read + Send>,
    /// The first characters of `text`, which still yields them.
    pub glance: String,
    /// Whether `glance` is all there is.
    pub whole: bool,
    pub encoding: &'static Encoding,
    pub encoding_given: bool,
    pub gzip: bool,
}

impl Source {
    pub fn open(path: &Path, options: &CatalogueOptions) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let wish = match &options.encoding {
            Some(label) => Some(
                Encoding::for_label(label.as_bytes())
                    .ok_or_else(|| Error::UnknownEncoding { label: label.clone() })?,
            ),
            None => None,
        };
        let file = File::open(path).map_err(io)?;
        let mut raw = BufReader::new(file);

        let magic = head(&mut raw, 2).map_err(io)?;
        let gzip = magic == [0x1F, 0x8B];
        let raw = Cursor::new(magic).chain(raw);
        let mut bytes: Box<dyn Read + Send> =
            if gzip { Box::new(MultiGzDecoder::new(raw)) } else { Box::new(raw) };

        let mut head = head(&mut bytes, HEAD).map_err(io)?;
        let whole = head.len() < HEAD;
        let (encoding, mark) = match Encoding::for_bom(&head) {
            Some((encoding, mark)) => (encoding, mark),
            None => {
                let told = || declared(&head).unwrap_or_else(|| guess(&head, whole));
                (wish.unwrap_or_else(told), 0)
            }
        };
        head.drain(..mark);
        refuse_foreign(path, &head, encoding)?;

        let glance = glance(&head, encoding);
        let xml = glance.trim_start().starts_with('<');
        if whole && glance.trim().is_empty() {
            return Err(Error::Empty { path: path.to_owned() });
        }
        let whole = whole && head.len() <= GLANCE;
        let bytes = Cursor::new(head).chain(bytes);
        let text: Box<dyn Read + Send> = if encoding == UTF_8 && !xml {
            // Passed on as it is: the rows are checked one by one, so that one bad byte costs one row. XML
            // is looked through for what could not be decoded instead.
            Box::new(bytes)
        } else {
            Box::new(Decoding::new(bytes, encoding))
        };
        let encoding_given = wish == Some(encoding);
        Ok(Source { text, glance, whole, encoding, encoding_given, gzip })
    }
}

fn head(from: &mut impl Read, most: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(most as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// UTF-8 if the head is nothing else; a character cut in half by its end counts as whole.
fn guess(head: &[u8], whole: bool) -> &'static Encoding {
    match std::str::from_utf8(head) {
        Err(error) if whole || error.error_len().is_some() => WINDOWS_1252,
        _ => UTF_8,
    }
}

/// What an XML document says of itself. It says so in a line that is read byte by byte, so that a claim to be
/// UTF-16 can only be an error; and where every other byte of that line is zero, it is UTF-16.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [b'<', 0, b'?', 0, ..] => return Some(UTF_16LE),
        [0, b'<', 0, b'?', ..] => return Some(UTF_16BE),
        _ => (),
    }
    let line = head.strip_prefix(b"<?xml")?;
    let line = &line[..line.iter().position(|&byte| byte == b'>')?];
    let (_, label) = std::str::from_utf8(line).ok()?.split_once("encoding")?;
    let label = label.trim_start_matches(|c: char| c.is_whitespace() || c == '=');
    let label = label.split(['"', '\'']).nth(1)?;
    // What is called UTF-8 and is not is commoner than what is UTF-8 and is not called so.
    Encoding::for_label(label.as_bytes())
        .filter(|&told| told != UTF_8 && told != UTF_16LE && told != UTF_16BE)
}

fn glance(head: &[u8], encoding: &'static Encoding) -> String {
    let head = &head[..head.len().min(GLANCE)];
    let mut text = encoding.decode_without_bom_handling(head).0.into_owned();
    // The cut may have split the last character.
    if text.ends_with('\u{FFFD}') {
        text.pop();
    }
    text
}

/// Names the files that people hand over by mistake.
fn refuse_foreign(path: &Path, head: &[u8], encoding: &'static Encoding) -> Result<(), Error> {
    const SHEET: &str = "export the sheet as CSV";
    const FEED: &str = "export the catalogue as CSV, TSV or JSON lines";
    let start = head.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0);
    let (found, remedy) = match &head[start..] {
        [b'P', b'K', 3, 4, ..] if has_extension(path, "xlsx") => ("an Excel workbook", SHEET),
        [b'P', b'K', 3, 4, ..] if has_extension(path, "ods") => ("a spreadsheet", SHEET),
        [b'P', b'K', 3, 4, ..] => ("a ZIP archive", "unpack it and name the catalogue within"),
        [0xD0, 0xCF, 0x11, 0xE0, ..] => ("an old Excel workbook", SHEET),
        // A file would not have come here: Parquet ends with its table of contents.
        [b'P', b'A', b'R', b'1', ..] => {
            ("a Parquet file in a pipe", "write it into a file, and index that")
        }
        [b'S', b'Q', b'L', b'i', b't', b'e', ..] => ("an SQLite database", FEED),
        [b'%', b'P', b'D', b'F', ..] => ("a PDF document", FEED),
        [0xFF, 0xD8, 0xFF, ..] | [0x89, b'P', b'N', b'G', ..] | [b'G', b'I', b'F', b'8', ..] => {
            ("a picture", "name the folder of the pictures instead")
        }
        text if is_web_page(text) => ("a web page", "download the catalogue itself"),
        text if encoding != UTF_16LE && encoding != UTF_16BE && text.contains(&0) => {
            if looks_like_utf16(text) {
                ("UTF-16 text without a byte-order mark", "say --encoding utf-16le or utf-16be")
            } else {
                ("a binary file", FEED)
            }
        }
        _ => return Ok(()),
    };
    Err(Error::NotACatalogue { path: path.to_owned(), found, remedy })
}

fn is_web_page(text: &[u8]) -> bool {
    let starts = |with: &str| {
        text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()))
    };
    starts("<!doctype html") || starts("<html")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Western text has a zero in every other byte, and there only.
fn looks_like_utf16(bytes: &[u8]) -> bool {
    let zeros =
        |odd: usize| bytes.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count() * 2;
    let (even, odd) = (zeros(0), zeros(1));
    even.max(odd) > bytes.len() * 3 / 4 && even.min(odd) < bytes.len() / 16
}

/// Any encoding in, UTF-8 out; what is malformed becomes U+FFFD.
struct Decoding<R> {
    inner: R,
    decoder: Decoder,
    raw: Vec<u8>,
    raw_at: usize,
    ended: bool,
    text: Vec<u8>,
    text_at: usize,
}

impl<R: Read> Decoding<R> {
    const BLOCK: usize = 16 << 10;

    fn new(inner: R, encoding: &'static Encoding) -> Self {
        Decoding {
            inner,
            decoder: encoding.new_decoder_without_bom_handling(),
            raw: Vec::new(),
            raw_at: 0,
            ended: false,
            text: Vec::new(),
            text_at: 0,
        }
    }

    /// Decodes the next block; afterwards `text` is empty only at the very end.
    fn refill(&mut self) -> io::Result<()> {
        self.text_at = 0;
        self.text.resize(Self::BLOCK, 0);
        loop {
            if self.raw_at == self.raw.len() && !self.ended {
                self.raw.resize(Self::BLOCK, 0);
                let count = loop {
                    match self.inner.read(&mut self.raw) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => break other,
                    }
                };
                // After an error nothing of the block may be taken for text.
                self.raw.truncate(*count.as_ref().unwrap_or(&0));
                self.raw_at = 0;
                self.ended = count? == 0;
            }
            let raw = &self.raw[self.raw_at..];
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(raw, &mut self.text, self.ended);
            self.raw_at += read;
            let done = self.ended && result == CoderResult::InputEmpty;
            if written > 0 || done {
                self.text.truncate(written);
                return Ok(());
            }
        }
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.text_at == self.text.len() {
            if self.ended && self.raw_at == self.raw.len() {
                return Ok(0);
            }
            self.refill()?;
        }
        let count = buffer.len().min(self.text.len() - self.text_at);
        buffer[..count].copy_from_slice(&self.text[self.text_at..self.text_at + count]);
        self.text_at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time, as a slow pipe may.
    struct Drop<'a>(&'a [u8]);

    impl Read for Drop<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn characters_split_between_reads_are_decoded() {
        let text = "naïve €5 👟\n".repeat(3000);
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut decoded = String::new();
        Decoding::new(Drop(&utf16), UTF_16LE).read_to_string(&mut decoded).unwrap();
        assert_eq!(decoded, text);
        let mut decoded = String::new();
        Decoding::new(utf16.as_slice(), UTF_16LE).read_to_string(&mut decoded).unwrap();
        assert_eq!(decoded, text);
    }

    #[test]
    fn half_a_character_at_the_end_of_all_is_marked() {
        let mut decoded = String::new();
        Decoding::new(&b"a\0b"[..], UTF_16LE).read_to_string(&mut decoded).unwrap();
        assert_eq!(decoded, "a\u{FFFD}");
    }

    #[test]
    fn a_character_cut_by_the_head_does_not_spoil_the_guess() {
        assert_eq!(guess(&"né".as_bytes()[..2], false), UTF_8);
        assert_eq!(guess(&"né".as_bytes()[..2], true), WINDOWS_1252);
        assert_eq!(guess(b"n\xE9 ", false), WINDOWS_1252);
    }
}
