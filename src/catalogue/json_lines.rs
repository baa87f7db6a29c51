//! JSON lines: one object a line, each with fields of its own.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::Error;
use super::rows::{LONGEST_ROW, Row};

/// The objects of a JSON-lines file, one at a time. A row's number is that of its line.
pub(super) struct JsonLines {
    text: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    line: Vec<u8>,
    number: u64,
    failed: bool,
}

impl JsonLines {
    pub fn new(path: &Path, text: Box<dyn Read + Send>) -> Self {
        let text = BufReader::new(text);
        JsonLines { text, path: path.to_owned(), line: Vec::new(), number: 0, failed: false }
    }

    /// Reads the next line; `None` at the end, an error for the row where it is too long.
    fn read_line(&mut self) -> std::io::Result<Option<Result<(), String>>> {
        self.line.clear();
        let count = (&mut self.text).take(LONGEST_ROW).read_until(b'\n', &mut self.line)?;
        if count == 0 {
            return Ok(None);
        }
        if count as u64 == LONGEST_ROW && !self.line.ends_with(b"\n") {
            self.text.skip_until(b'\n')?;
            let reason = format!("the line is longer than {LONGEST_ROW} bytes: is it one object?");
            return Ok(Some(Err(reason)));
        }
        Ok(Some(Ok(())))
    }

    fn fields(&self) -> Result<Map<String, Value>, String> {
        match serde_json::from_slice(self.line.trim_ascii_end()) {
            Ok(Value::Object(fields)) => Ok(fields),
            Ok(other) => {
                let found = match other {
                    Value::Array(_) => "an array",
                    Value::String(_) => "a string",
                    Value::Number(_) => "a number",
                    _ => "a bare word",
                };
                Err(format!("the line holds {found} where an object {{...}} is expected"))
            }
            Err(error) => {
                // The parser's own "line 1" would be taken for the file's.
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or_default();
                let column = error.column();
                Err(format!(
                    "the line is not JSON ({what} at column {column}): write one whole object a line"
                ))
            }
        }
    }
}

impl Iterator for JsonLines {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            self.number += 1;
            let number = self.number;
            match self.read_line() {
                Ok(None) => return None,
                Ok(Some(Err(reason))) => return Some(Ok(Row { number, fields: Err(reason) })),
                Ok(Some(Ok(()))) if self.line.trim_ascii().is_empty() => {}
                Ok(Some(Ok(()))) => return Some(Ok(Row { number, fields: self.fields() })),
                Err(source) => {
                    self.failed = true;
                    return Some(Err(Error::Io { path: self.path.clone(), source }));
                }
            }
        }
        None
    }
}
