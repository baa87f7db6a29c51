//! A table as a Parquet file, for whoever reads that.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::Error;

/// About so many bytes are gathered before they are written as a row group.
const GROUP: usize = 16 << 20;

/// A cell of a [`Table`]; of a column, all are of one kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A count or a number.
    Number(u32),
    /// A score.
    Float(f32),
    /// A vector.
    Vector(Vec<f32>),
}

/// A Parquet file that is being written, row by row, a few megabytes of it in memory.
pub struct Table {
    writer: SerializedFileWriter<File>,
    path: PathBuf,
    columns: Vec<Vec<Cell>>,
    bytes: usize,
}

impl Table {
    /// A table with these columns, each by its name and an example of its cells.
    pub fn create(path: impl Into<PathBuf>, columns: &[(&str, Cell)]) -> Result<Self, Error> {
        let path = path.into();
        let file =
            File::create(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        let fields: String = columns.iter().map(|(name, cell)| cell.field(name)).collect();
        let open = || {
            let schema = parse_message_type(&format!("message table {{ {fields} }}"))?;
            let options = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .build();
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(options))
        };
        let writer = open().map_err(failed(&path))?;
        let columns = columns.iter().map(|_| Vec::new()).collect();
        Ok(Table { writer, path, columns, bytes: 0 })
    }

    /// Adds a row: a cell a column, in their order.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) -> Result<(), Error> {
        for (column, cell) in self.columns.iter_mut().zip(row) {
            self.bytes += cell.bytes();
            column.push(cell);
        }
        if self.bytes >= GROUP { self.write() } else { Ok(()) }
    }

    /// Writes what is left and closes the file.
    pub fn finish(mut self) -> Result<(), Error> {
        self.write()?;
        self.writer.close().map(|_| ()).map_err(failed(&self.path))
    }

    fn write(&mut self) -> Result<(), Error> {
        let mut write = || {
            let mut group = self.writer.next_row_group()?;
            for cells in &mut self.columns {
                if let Some(mut column) = group.next_column()? {
                    write_column(&mut column, std::mem::take(cells))?;
                    column.close()?;
                }
            }
            group.close().map(|_| ())
        };
        self.bytes = 0;
        write().map_err(failed(&self.path))
    }
}

fn failed(path: &Path) -> impl Fn(ParquetError) -> Error {
    move |source| Error::Parquet { path: path.to_owned(), source }
}

impl Cell {
    /// The column that has such cells, in the language of Parquet's schemas.
    fn field(&self, name: &str) -> String {
        match self {
            Cell::Text(_) => format!("required binary {name} (UTF8); "),
            Cell::Number(_) => format!("required int32 {name} (UINT_32); "),
            Cell::Float(_) => format!("required float {name}; "),
            Cell::Vector(_) => format!(
                "required group {name} (LIST) {{ repeated group list {{ required float element; }} }} "
            ),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Cell::Text(text) => text.len() + 4,
            Cell::Number(_) | Cell::Float(_) => 4,
            Cell::Vector(vector) => 4 * vector.len(),
        }
    }
}

fn write_column(column: &mut SerializedColumnWriter, cells: Vec<Cell>) -> Result<(), ParquetError> {
    let (mut texts, mut numbers, mut floats) = (Vec::new(), Vec::new(), Vec::new());
    // Of each value of a vector: whether it goes on with the row (1) or begins it (0).
    let mut levels: Option<Vec<i16>> = None;
    for cell in cells {
        match cell {
            Cell::Text(text) => texts.push(ByteArray::from(text.into_bytes())),
            // The bits are those of an unsigned number, as the schema says.
            Cell::Number(number) => numbers.push(number as i32),
            Cell::Float(value) => floats.push(value),
            Cell::Vector(vector) => {
                let begins = std::iter::once(0).chain(std::iter::repeat(1));
                levels.get_or_insert_default().extend(begins.take(vector.len()));
                floats.extend(vector);
            }
        }
    }
    if !texts.is_empty() {
        column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
    } else if !numbers.is_empty() {
        column.typed::<Int32Type>().write_batch(&numbers, None, None)?;
    } else if !floats.is_empty() {
        let there = levels.as_ref().map(|levels| vec![1; levels.len()]);
        let (there, levels) = (there.as_deref(), levels.as_deref());
        column.typed::<FloatType>().write_batch(&floats, there, levels)?;
    }
    Ok(())
}
