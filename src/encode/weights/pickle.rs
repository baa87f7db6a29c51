//! Python's pickle, as far as PyTorch checkpoints need it, without Python.
//!
//! Flowing in: the bytes of one pickle. Flowing out: the values it describes. A pickle is a program for
//! a stack machine that may ask to call any function; ours calls none. It notes the few calls that
//! rebuild a tensor and refuses every other one by name. Values lie in one arena and refer to each
//! other by position, so that neither sharing nor deep nesting can blow up time, memory or the stack.

use std::collections::HashMap;

/// A value's position in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Int(i64),
    Text(&'a str),
    /// A function or class: module and name.
    Global(&'a str, &'a str),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A noted call of one of [`HARMLESS`].
    Call {
        function: Id,
        arguments: Id,
    },
    /// A reference to a storage beside the pickle.
    Persistent(Id),
    /// Anything that no tensor is made of: `None`, booleans, floats, bytes, long integers.
    Other,
}

/// One pickle's values.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
    /// How many bytes the pickle took.
    pub(super) length: usize,
}

/// What a checkpoint of nothing but tensors and settings may name as a function.
const HARMLESS: [(&str, &str); 5] = [
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    ("torch", "Size"),
    ("argparse", "Namespace"),
    ("collections", "OrderedDict"),
];

impl<'a> Pickle<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        let mut machine = Machine {
            bytes,
            position: 0,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        };
        while !machine.step()? {}
        let root = machine.pop()?;
        Ok(Pickle { values: machine.values, root, length: machine.position })
    }

    pub(super) fn root(&self) -> &Value<'a> {
        self.get(self.root)
    }

    /// The keys of all references to storages.
    pub(super) fn references(&self) -> impl Iterator<Item = Id> {
        self.values.iter().filter_map(|value| match value {
            Value::Persistent(key) => Some(*key),
            _ => None,
        })
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0]
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack at which a mark was set.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Executes one instruction; true at the end of the program.
    fn step(&mut self) -> Result<bool, String> {
        let at = self.position;
        match self.byte()? {
            0x80 => drop(self.take(1)?), // PROTO
            0x95 => drop(self.take(8)?), // FRAME
            b'.' => return Ok(true),     // STOP
            b'N' | 0x88 | 0x89 => self.push(Value::Other),
            b'G' => self.skip(8)?,
            0x8a => self.long()?,
            b'K' => self.integer(1)?,
            b'M' => self.integer(2)?,
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(value.into()));
            }
            b'X' => self.text(4)?,
            0x8c | b'U' => self.text(1)?, // a short string of protocol 4, or of Python 2
            b'C' => self.skip_counted(1)?,
            b'B' => self.skip_counted(4)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(module, name));
            }
            0x93 => {
                let (name, module) = (self.pop_text()?, self.pop_text()?);
                self.push(Value::Global(module, name));
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b')' => self.push(Value::Tuple(Vec::new())),
            0x85..=0x87 => {
                let height = self.height_below(usize::from(self.bytes[at] - 0x84))?;
                let items = self.stack.split_off(height);
                self.push(Value::Tuple(items));
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items));
            }
            b']' => self.push(Value::List(Vec::new())),
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b's' => {
                let height = self.height_below(2)?;
                let pair = self.stack.split_off(height);
                self.insert(&pair)?;
            }
            b'u' => {
                let pairs = self.pop_to_mark()?;
                self.insert(&pairs)?;
            }
            b'q' => {
                let key = self.byte()?.into();
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(|_| "it remembers too much")?;
                self.remember(key)?;
            }
            b'h' => {
                let key = self.byte()?.into();
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b'R' | 0x81 => self.call()?,
            // BUILD sets attributes of an object; no tensor has any that matter.
            b'b' => drop(self.pop()?),
            b'Q' => {
                let key = self.pop()?;
                self.push(Value::Persistent(key));
            }
            other => return Err(format!("it has an instruction we do not know, {other:#04x}")),
        }
        Ok(false)
    }

    /// Notes a call, if it is one that does nothing but hold data together.
    fn call(&mut self) -> Result<(), String> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        match self.values[function.0] {
            Value::Global("collections", "OrderedDict") => self.push(Value::Dict(Vec::new())),
            Value::Global(module, name) if HARMLESS.contains(&(module, name)) => {
                self.push(Value::Call { function, arguments });
            }
            Value::Global(module, name) => {
                return Err(format!(
                    "it asks to call `{module}.{name}`, and weights files are not run here: save the \
                     model's state_dict() as safetensors instead"
                ));
            }
            _ => return Err("it asks to call something that has no name".to_owned()),
        }
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        match self.top()? {
            Value::List(list) => list.extend(items),
            _ => return Err("it appends to something that is no list".to_owned()),
        }
        Ok(())
    }

    fn insert(&mut self, pairs: &[Id]) -> Result<(), String> {
        if !pairs.len().is_multiple_of(2) {
            return Err("it has a key without a value".to_owned());
        }
        match self.top()? {
            Value::Dict(dict) => dict.extend(pairs.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err("it inserts into something that is no dictionary".to_owned()),
        }
        Ok(())
    }

    fn top(&mut self) -> Result<&mut Value<'a>, String> {
        let &id = self.stack.last().ok_or_else(underflow)?;
        Ok(&mut self.values[id.0])
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let &id = self.stack.last().ok_or_else(underflow)?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = self.memo.get(&key).ok_or("it recalls a value that it never had")?;
        self.stack.push(*id);
        Ok(())
    }

    fn push(&mut self, value: Value<'a>) {
        self.stack.push(Id(self.values.len()));
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.height_below(1)?;
        self.stack.pop().ok_or_else(underflow)
    }

    fn pop_text(&mut self) -> Result<&'a str, String> {
        let id = self.pop()?;
        match self.values[id.0] {
            Value::Text(text) => Ok(text),
            _ => Err("it names a function by something that is no text".to_owned()),
        }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let height = self.marks.pop().ok_or_else(underflow)?;
        Ok(self.stack.split_off(height))
    }

    /// The stack's height without its topmost `count` values, none of which may lie below a mark.
    fn height_below(&self, count: usize) -> Result<usize, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack.len().checked_sub(count).filter(|&height| height >= floor).ok_or_else(underflow)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.position..];
        let taken = rest.get(..count).ok_or("it ends in the middle of its pickle")?;
        self.position += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| underflow())
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    /// A little-endian number of up to 4 bytes without a sign.
    fn number(&mut self, width: usize) -> Result<usize, String> {
        Ok(self.take(width)?.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    fn integer(&mut self, width: usize) -> Result<(), String> {
        let number = self.number(width)?;
        self.push(Value::Int(number as i64));
        Ok(())
    }

    /// A signed integer of any length; those beyond 8 bytes are no size of anything.
    fn long(&mut self) -> Result<(), String> {
        let width = self.byte()?.into();
        let bytes = self.take(width)?;
        let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        self.push(match whole.get_mut(..width) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(whole))
            }
            None => Value::Other,
        });
        Ok(())
    }

    fn text(&mut self, width: usize) -> Result<(), String> {
        let length = self.number(width)?;
        let text = utf8(self.take(length)?)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(underflow)?;
        let line = utf8(self.take(length)?)?;
        self.position += 1;
        Ok(line)
    }

    fn skip(&mut self, count: usize) -> Result<(), String> {
        self.take(count)?;
        self.push(Value::Other);
        Ok(())
    }

    fn skip_counted(&mut self, width: usize) -> Result<(), String> {
        let length = self.number(width)?;
        self.skip(length)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "it has a text that is not UTF-8".to_owned())
}

fn underflow() -> String {
    "its pickle is damaged".to_owned()
}
