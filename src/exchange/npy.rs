//! NumPy's `.npy`: a header that says type and shape, then the numbers.
//!
//! The header is a Python dictionary. Only the one that NumPy writes is understood, and nothing in it is
//! evaluated.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use half::f16;

use super::Error;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Where the numbers start is a multiple of this.
const ALIGNMENT: usize = 64;
/// No header of a plain array is longer.
const LONGEST_HEADER: usize = 64 << 10;
/// No vector has more values.
const WIDEST: u64 = 1 << 20;

/// Writes an array row by row. It has to get as many rows as were promised.
pub(super) struct NpyWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl NpyWriter {
    /// An array of `rows` numbers, or of so many rows of `width` numbers. `kind` is NumPy's name for the
    /// numbers, `<f4` or `<u4`.
    pub fn create(
        path: &Path,
        kind: &str,
        rows: usize,
        width: Option<usize>,
    ) -> Result<Self, Error> {
        let shape = width.map_or(format!("{rows},"), |width| format!("{rows}, {width}"));
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
        let start = MAGIC.len() + 4;
        let length = (start + header.len() + 1).next_multiple_of(ALIGNMENT) - start;
        let write = || {
            let mut file = BufWriter::new(File::create(path)?);
            file.write_all(MAGIC)?;
            file.write_all(&[1, 0])?;
            file.write_all(&(length as u16).to_le_bytes())?;
            writeln!(file, "{header:width$}", width = length - 1)?;
            Ok(file)
        };
        let file = write().map_err(|source| Error::Io { path: path.to_owned(), source })?;
        Ok(NpyWriter { file, path: path.to_owned() })
    }

    pub fn floats(&mut self, row: &[f32]) -> Result<(), Error> {
        let written = row.iter().try_for_each(|value| self.file.write_all(&value.to_le_bytes()));
        written.map_err(|source| self.failed(source))
    }

    pub fn number(&mut self, number: u32) -> Result<(), Error> {
        let written = self.file.write_all(&number.to_le_bytes());
        written.map_err(|source| self.failed(source))
    }

    pub fn finish(mut self) -> Result<(), Error> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Io { path: self.path.clone(), source }
    }
}

/// The rows of a table of numbers, as 32-bit floats.
pub(super) struct NpyReader {
    file: BufReader<File>,
    path: PathBuf,
    kind: Kind,
    rows: u64,
    width: usize,
    row: Vec<u8>,
}

/// The numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    /// `f`, `i` or `u`.
    class: u8,
    bytes: usize,
    big_endian: bool,
}

impl NpyReader {
    /// A table of numbers, a vector a row.
    pub fn table(path: &Path) -> Result<Self, Error> {
        Self::open(path, |shape| match *shape {
            [rows, width] if (1..=WIDEST).contains(&width) => Some((rows, width as usize)),
            _ => None,
        })
    }

    /// A plain list of numbers.
    pub fn list(path: &Path) -> Result<Self, Error> {
        Self::open(path, |shape| match *shape {
            [rows] => Some((rows, 1)),
            _ => None,
        })
    }

    /// `fits` tells rows and width of the shapes that are wanted.
    fn open(path: &Path, fits: fn(&[u64]) -> Option<(u64, usize)>) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let malformed = |reason: String| Error::Malformed { path: path.to_owned(), reason };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut file = BufReader::new(file);
        let (start, header) = header(&mut file).map_err(io)?.ok_or_else(|| {
            malformed("is no .npy file: save it with numpy.save, without pickle".to_owned())
        })?;
        let (kind, shape) = understood(&header).map_err(malformed)?;
        let (rows, width) = fits(&shape)
            .ok_or_else(|| malformed(format!("has the shape {shape:?}: save one row a vector")))?;
        let size = kind.bytes as u64 * width as u64;
        if rows.checked_mul(size).and_then(|size| size.checked_add(start)) != Some(length) {
            let reason = format!(
                "has not the length that its shape of {rows} x {width} takes: save it again"
            );
            return Err(malformed(reason));
        }
        let row = vec![0; kind.bytes * width];
        Ok(NpyReader { file, path: path.to_owned(), kind, rows, width, row })
    }

    pub fn len(&self) -> u64 {
        self.rows
    }

    pub fn width(&self) -> usize {
        self.width
    }

    /// The next row; there are [`len`](Self::len).
    pub fn read(&mut self) -> Result<Vec<f32>, Error> {
        self.read_bytes()?;
        let kind = self.kind;
        Ok(self.row.chunks_exact(kind.bytes).map(|bytes| kind.value(bytes)).collect())
    }

    /// The next row of a list of whole numbers, which a float could not hold.
    pub fn read_number(&mut self) -> Result<u32, Error> {
        self.read_bytes()?;
        let number = match self.kind.class {
            b'f' => None,
            _ => u32::try_from(self.kind.bits(&self.row[..self.kind.bytes])).ok(),
        };
        number.ok_or_else(|| Error::Malformed {
            path: self.path.clone(),
            reason: "holds something else than items' numbers: export it again".to_owned(),
        })
    }

    fn read_bytes(&mut self) -> Result<(), Error> {
        let read = self.file.read_exact(&mut self.row);
        read.map_err(|source| Error::Io { path: self.path.clone(), source })
    }
}

impl Kind {
    fn of(name: &str) -> Option<Kind> {
        let (order, class, bytes) = match name.as_bytes() {
            [order @ (b'<' | b'>' | b'|' | b'='), class, bytes] => (*order, *class, *bytes),
            _ => return None,
        };
        let bytes = usize::from(bytes.wrapping_sub(b'0'));
        let known = match class {
            b'f' => matches!(bytes, 2 | 4 | 8),
            b'i' | b'u' => matches!(bytes, 1 | 2 | 4 | 8),
            _ => false,
        };
        known.then_some(Kind { class, bytes, big_endian: order == b'>' })
    }

    /// As 64 bits, little-endian, whatever it was.
    fn bits(self, bytes: &[u8]) -> u64 {
        let mut wide = [0; 8];
        wide[..self.bytes].copy_from_slice(bytes);
        if self.big_endian {
            wide[..self.bytes].reverse();
        }
        u64::from_le_bytes(wide)
    }

    fn value(self, bytes: &[u8]) -> f32 {
        let bits = self.bits(bytes);
        let unused = 64 - 8 * self.bytes as u32;
        match (self.class, self.bytes) {
            (b'f', 2) => f16::from_bits(bits as u16).to_f32(),
            (b'f', 4) => f32::from_bits(bits as u32),
            (b'f', _) => f64::from_bits(bits) as f32,
            (b'i', _) => ((bits << unused) as i64 >> unused) as f32,
            _ => bits as f32,
        }
    }
}

/// Where the numbers start, and the dictionary before them; `None` where there is none.
fn header(file: &mut impl Read) -> io::Result<Option<(u64, String)>> {
    let mut start = [0; 8];
    let mut length = [0; 4];
    match file.read_exact(&mut start) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let bytes = match start {
        [.., 1, _] => 2,
        [.., 2 | 3, _] => 4,
        _ => return Ok(None),
    };
    if start[..6] != MAGIC[..] {
        return Ok(None);
    }
    file.read_exact(&mut length[..bytes])?;
    let length = u32::from_le_bytes(length) as usize;
    if length > LONGEST_HEADER {
        return Ok(None);
    }
    let mut header = vec![0; length];
    file.read_exact(&mut header)?;
    Ok(String::from_utf8(header).ok().map(|header| ((8 + bytes + length) as u64, header)))
}

/// The type and shape in a header; or what is wrong with it.
fn understood(header: &str) -> Result<(Kind, Vec<u64>), String> {
    let after = |name: &str| {
        let at = header.find(&format!("'{name}':"))?;
        Some(header[at + name.len() + 3..].trim_start())
    };
    let garbled = || "has a header that NumPy does not write: save it again".to_owned();
    let name = after("descr").ok_or_else(garbled)?;
    let kind = match name.strip_prefix('\'').and_then(|name| name.split('\'').next()) {
        Some(name) => Kind::of(name).ok_or_else(|| {
            format!("holds {name:?}: save float32, float16 or float64, without pickle")
        })?,
        None => return Err("holds records: save one table of floats".to_owned()),
    };
    if !after("fortran_order").ok_or_else(garbled)?.starts_with("False") {
        return Err("is stored column by column: save numpy.ascontiguousarray of it".to_owned());
    }
    let shape = after("shape").and_then(|shape| shape.strip_prefix('(')?.split(')').next());
    let sizes =
        shape.ok_or_else(garbled)?.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<u64> = sizes.map(str::parse).collect::<Result<_, _>>().map_err(|_| garbled())?;
    Ok((kind, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Vec<f32>>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        let mut reader = NpyReader::table(&path)
            .map_err(|error| error.to_string().replace(path.to_str().unwrap(), "a.npy"))?;
        Ok((0..reader.len()).map(|_| reader.read().unwrap()).collect())
    }

    fn file(kind: &str, order: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
        let header =
            format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        let length = (header.len() as u16).to_le_bytes();
        [&MAGIC[..], &[1, 0], &length, header.as_bytes(), numbers].concat()
    }

    #[test]
    fn every_kind_of_number_is_read() {
        for (kind, numbers, value) in [
            ("<f4", &1.5f32.to_le_bytes()[..], 1.5),
            (">f4", &1.5f32.to_be_bytes(), 1.5),
            ("<f8", &(-0.1f64).to_le_bytes(), -0.1),
            ("<f2", &f16::from_f32(0.25).to_le_bytes(), 0.25),
            ("|i1", &[0xFF], -1.0),
            (">i2", &(-300i16).to_be_bytes(), -300.0),
            ("<u4", &4_000_000_000u32.to_le_bytes(), 4e9),
            ("<i8", &(-5i64).to_le_bytes(), -5.0),
        ] {
            assert_eq!(
                read(&file(kind, "False", "1, 1", numbers)),
                Ok(vec![vec![value]]),
                "{kind}"
            );
        }
    }

    #[test]
    fn what_is_no_table_of_floats_is_told() {
        let sound = file("<f4", "False", "1, 1", &[0; 4]);
        assert!(read(&sound).is_ok());
        for (bytes, told) in [
            (
                b"PK\x03\x04 an archive".to_vec(),
                "a.npy is no .npy file: save it with numpy.save, without pickle",
            ),
            (sound[..5].to_vec(), "a.npy is no .npy file: save it with numpy.save, without pickle"),
            (
                sound[..sound.len() - 1].to_vec(),
                "a.npy has not the length that its shape of 1 x 1 takes: save it again",
            ),
            (
                file("<f4", "False", "4611686018427387904, 4", &[]),
                "a.npy has not the length that its shape of 4611686018427387904 x 4 takes: save it again",
            ),
            (
                file("|O", "False", "1,", &[0; 8]),
                "a.npy holds \"|O\": save float32, float16 or float64, without pickle",
            ),
            (
                file("<f4", "True", "1, 1", &[0; 4]),
                "a.npy is stored column by column: save numpy.ascontiguousarray of it",
            ),
            (
                file("<f4", "False", "1, 1, 1", &[0; 4]),
                "a.npy has the shape [1, 1, 1]: save one row a vector",
            ),
            (file("<f4", "False", "1,", &[0; 4]), "a.npy has the shape [1]: save one row a vector"),
            (
                file("<f4", "False", "x", &[0; 4]),
                "a.npy has a header that NumPy does not write: save it again",
            ),
        ] {
            assert_eq!(read(&bytes).unwrap_err(), told);
        }
    }
}
