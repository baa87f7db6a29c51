//! Parquet: a table in columns, read row group by row group.
//!
//! Flowing in: a file, whole or gzipped. Flowing out: a row for each of its rows, as JSON values: dates and
//! times as ISO 8601 writes them, decimals as numbers where that loses nothing. What is no text, number,
//! time or list of such is left out.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row as Record};
use parquet::schema::types::Type;
use serde_json::{Map, Number, Value};

use crate::catalogue::Error;
use crate::catalogue::rows::Row;

/// Rows that are held at once; text columns can be long.
const BATCH: usize = 64;
/// What a gzipped file may unpack to: it has to lie on disk to be read.
const MOST_UNPACKED: u64 = 64 << 30;

/// Whether a file is Parquet, gzipped or not. Not asked of pipes, which can be read only once.
pub(in crate::catalogue) fn is_parquet(path: &Path) -> bool {
    let magic = |source: &mut dyn Read| {
        let mut magic = [0; 4];
        source.read_exact(&mut magic).map(|()| magic)
    };
    path.is_file()
        && File::open(path).is_ok_and(|mut file| match magic(&mut file) {
            Ok(start) if start[..2] == [0x1F, 0x8B] => {
                file.rewind().is_ok()
                    && magic(&mut MultiGzDecoder::new(file)).is_ok_and(|magic| magic == *b"PAR1")
            }
            start => start.is_ok_and(|magic| magic == *b"PAR1"),
        })
}

/// The rows of a Parquet file, one at a time.
pub(in crate::catalogue) struct Parquet {
    rows: RowIter<'static>,
    path: PathBuf,
    columns: Vec<String>,
    /// Columns of times in nanoseconds, which the reader takes for plain numbers.
    nanoseconds: HashSet<String>,
    number: u64,
    gzip: bool,
    failed: bool,
}

impl Parquet {
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let mut magic = [0; 2];
        let gzip = file.read_exact(&mut magic).is_ok() && magic == [0x1F, 0x8B];
        file.rewind().map_err(io)?;
        let file = if gzip { unpacked(file).map_err(io)? } else { file };
        let damaged = |source| Error::Parquet { path: path.to_owned(), row: 1, source };
        // Other people's code over bytes from anywhere: one bad file must not take the run with it.
        catch_unwind(AssertUnwindSafe(|| Self::read(path, file, gzip)))
            .unwrap_or_else(|_| Err(failed()))
            .map_err(damaged)
    }

    fn read(path: &Path, file: File, gzip: bool) -> Result<Self, ParquetError> {
        let reader = SerializedFileReader::new(file)?;
        let schema = reader.metadata().file_metadata().schema();
        let kept: Vec<Arc<Type>> =
            schema.get_fields().iter().filter(|column| is_readable(column)).cloned().collect();
        let columns: Vec<String> = kept.iter().map(|column| column.name().to_owned()).collect();
        let nanoseconds = kept.iter().filter(|column| is_nanoseconds(column));
        let nanoseconds = nanoseconds.map(|column| column.name().to_owned()).collect();
        let projection = Type::group_type_builder(schema.name()).with_fields(kept).build()?;
        let rows = RowIter::from_file_into(Box::new(reader))
            .project(Some(projection))?
            .with_batch_size(BATCH);
        let path = path.to_owned();
        Ok(Parquet { rows, path, columns, nanoseconds, number: 0, gzip, failed: false })
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn is_gzip(&self) -> bool {
        self.gzip
    }

    fn fields(&self, record: Record) -> Map<String, Value> {
        let columns = record.into_columns().into_iter();
        let value = |(name, field)| {
            let value = match field {
                Field::Long(nanos) if self.nanoseconds.contains(&name) => moment(i128::from(nanos)),
                field => value(field),
            };
            (name, value)
        };
        columns.map(value).collect()
    }
}

impl Iterator for Parquet {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.number += 1;
        let number = self.number;
        let record = catch_unwind(AssertUnwindSafe(|| self.rows.next()));
        match record.unwrap_or_else(|_| Some(Err(failed())))? {
            Ok(record) => Some(Ok(Row { number, fields: Ok(self.fields(record)) })),
            Err(source) => {
                self.failed = true;
                Some(Err(Error::Parquet { path: self.path.clone(), row: number, source }))
            }
        }
    }
}

fn failed() -> ParquetError {
    ParquetError::General("the reader failed on it".to_owned())
}

fn unpacked(packed: File) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let mut bytes = MultiGzDecoder::new(packed).take(MOST_UNPACKED + 1);
    if io::copy(&mut bytes, &mut file)? > MOST_UNPACKED {
        return Err(io::Error::other("it unpacks to more than 64 GiB: unpack it yourself"));
    }
    file.rewind()?;
    Ok(file)
}

/// Whether the reader knows every part of a column; it gives up where it does not.
fn is_readable(column: &Type) -> bool {
    if !column.is_primitive() {
        return column.get_fields().iter().all(|part| is_readable(part));
    }
    let converted = column.get_basic_info().converted_type();
    match column.get_physical_type() {
        Physical::INT64 => converted != ConvertedType::INTERVAL,
        Physical::FIXED_LEN_BYTE_ARRAY => converted == ConvertedType::DECIMAL,
        Physical::BYTE_ARRAY => converted != ConvertedType::BSON,
        _ => true,
    }
}

fn is_nanoseconds(column: &Type) -> bool {
    let logical = column.get_basic_info().logical_type_ref();
    matches!(logical, Some(LogicalType::Timestamp(time)) if time.unit == TimeUnit::NANOS)
}

fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(value),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value.into(),
        Field::Long(value) => value.into(),
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value.into(),
        Field::ULong(value) => value.into(),
        Field::Float16(value) => shortest(value),
        Field::Float(value) => shortest(value),
        Field::Double(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        decimal @ Field::Decimal(_) => exact(decimal.to_string()),
        Field::Str(text) => Value::String(text),
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => Value::Null,
        },
        Field::Date(days) => Value::String(date(i64::from(days))),
        Field::TimeMillis(millis) => time(i128::from(millis) * 1_000_000),
        Field::TimeMicros(micros) => time(i128::from(micros) * 1_000),
        Field::TimestampMillis(millis) => moment(i128::from(millis) * 1_000_000),
        Field::TimestampMicros(micros) => moment(i128::from(micros) * 1_000),
        Field::Group(record) => {
            Value::Object(record.into_columns().into_iter().map(|(n, f)| (n, value(f))).collect())
        }
        Field::ListInternal(list) => {
            Value::Array(list.elements().iter().cloned().map(value).collect())
        }
        Field::MapInternal(map) => {
            let entries = map.entries().iter().cloned();
            let name = |key| match value(key) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            Value::Object(entries.map(|(key, field)| (name(key), value(field))).collect())
        }
    }
}

/// A number of fewer than 64 bits as people wrote it: 19.9, and not 19.899999618530273.
fn shortest(value: impl ToString) -> Value {
    value.to_string().parse().ok().and_then(Number::from_f64).map_or(Value::Null, Value::Number)
}

/// A decimal as a number, or as text where a number cannot hold all of its digits.
fn exact(decimal: String) -> Value {
    const DIGITS_OF_F64: usize = 15;
    let digits = decimal.bytes().filter(u8::is_ascii_digit).count();
    match decimal.parse().ok().and_then(Number::from_f64) {
        Some(number) if digits <= DIGITS_OF_F64 => Value::Number(number),
        _ => Value::String(decimal),
    }
}

const NANOS_A_DAY: i128 = 86_400_000_000_000;

/// `2026-03-09`, of a day counted from 1970, by the calendar's cycle of 400 years.
fn date(days: i64) -> String {
    let from_march = days + 719_468;
    let (era, day) = (from_march.div_euclid(146_097), from_march.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `14:30:00`, with as much of a second's part as there is.
fn time(nanos: i128) -> Value {
    let (seconds, part) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let part = match part {
        0 => String::new(),
        part => format!(".{part:09}").trim_end_matches('0').to_owned(),
    };
    Value::String(clock + &part)
}

/// `2026-03-09T14:30:00`, of nanoseconds counted from 1970.
fn moment(nanos: i128) -> Value {
    let (days, rest) = (nanos.div_euclid(NANOS_A_DAY), nanos.rem_euclid(NANOS_A_DAY));
    let clock = time(rest);
    let days = i64::try_from(days).unwrap_or_default();
    Value::String(format!("{}T{}", date(days), clock.as_str().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Dates by `date -u -d @SECONDS`.
    #[test]
    fn moments_are_written_as_iso_says() {
        for (nanos, written) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00"),
            (1_773_066_600_123_000_000, "2026-03-09T14:30:00.123"),
            (-1_000_000_000, "1969-12-31T23:59:59"),
            (-2_203_891_200_000_000_000, "1900-03-01T00:00:00"),
        ] {
            assert_eq!(moment(nanos), Value::String(written.to_owned()));
        }
    }

    #[test]
    fn decimals_lose_nothing() {
        assert_eq!(exact("19.90".into()), Value::from(19.9));
        assert_eq!(exact("12345678901234567.89".into()), Value::from("12345678901234567.89"));
    }
}
