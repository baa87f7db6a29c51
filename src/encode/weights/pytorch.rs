//! PyTorch checkpoints: where the tensors lie in the file.
//!
//! Two containers hold the same pickle. Since PyTorch 1.6 it is a zip archive, `NAME/data.pkl` beside
//! the storages `NAME/data/KEY`, none of them compressed. Before, it is a chain of five pickles (magic
//! number, protocol, machine, the object, the storages' keys) and then, for each key in order, the
//! number of elements as a little-endian `u64` and the elements. Both are read where they lie.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::ops::Range;

use safetensors::Dtype;
use zip::{CompressionMethod, ZipArchive};

use super::Stored;
use super::pickle::{Id, Pickle, Value};

/// The pickled magic number that opens a file of the older container.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Keys under which training scripts keep the weights beside their other state.
const NESTED: [&str; 3] = ["state_dict", "model_state_dict", "model"];

pub(super) fn is_zip(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04")
}

pub(super) fn is_legacy(file: &[u8]) -> bool {
    file.starts_with(LEGACY)
}

pub(super) fn read_zip(file: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    let damaged = |error| format!("it is a damaged zip archive, or was cut short: {error}");
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().map_err(damaged)?.into_owned();
        if entry.compression() != CompressionMethod::Stored {
            continue;
        }
        let range = entry.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            let end = start.checked_add(usize::try_from(entry.size()).ok()?)?;
            (end <= file.len()).then_some(start..end)
        });
        entries.insert(name, range.ok_or("it is a zip archive that was cut short")?);
    }
    let (folder, pickled) = entries
        .iter()
        .find_map(|(name, range)| Some((name.strip_suffix("data.pkl")?, range.clone())))
        .ok_or("it is a zip archive, but not one that torch.save made")?;
    let order = entries.get(&format!("{folder}byteorder"));
    if order.is_some_and(|range| &file[range.clone()] != b"little") {
        return Err("it was written on a big-endian machine".to_owned());
    }
    let pickle = Pickle::read(&file[pickled])?;
    tensors_of(&pickle, |storage| {
        let name = format!("{folder}data/{}", storage.key);
        entries.get(&name).cloned().ok_or_else(|| format!("its storage `{name}` is missing"))
    })
}

pub(super) fn read_legacy(file: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    let mut rest = file;
    for _ in ["magic number", "protocol", "machine"] {
        rest = &rest[Pickle::read(rest)?.length..];
    }
    let object = Pickle::read(rest)?;
    rest = &rest[object.length..];
    let keys = Pickle::read(rest)?;
    let mut position = file.len() - rest.len() + keys.length;
    // A storage is measured in elements, and only its references say of which type.
    let mut widths = HashMap::new();
    for storage in object.references().filter_map(|key| storage_of(&object, key).ok()) {
        widths.insert(storage.key, width(storage.dtype));
    }
    let Value::List(keys_in_order) = keys.root() else {
        return Err("its list of storages is damaged".to_owned());
    };
    let mut storages = HashMap::new();
    for &key in keys_in_order {
        let key = text(&keys, key)?;
        let width =
            *widths.get(key).ok_or_else(|| format!("its storage {key} has no known type"))?;
        let range = legacy_extent(file, position, width).ok_or("it was cut short")?;
        position = range.end;
        storages.insert(key, range);
    }
    tensors_of(&object, |storage| {
        storages
            .get(storage.key)
            .cloned()
            .ok_or_else(|| format!("it lacks storage {}", storage.key))
    })
}

/// The elements of the storage whose count stands at `position`.
fn legacy_extent(file: &[u8], position: usize, width: usize) -> Option<Range<usize>> {
    let start = position.checked_add(8)?;
    let count = u64::from_le_bytes(file.get(position..start)?.try_into().ok()?);
    let end = start.checked_add(usize::try_from(count).ok()?.checked_mul(width)?)?;
    (end <= file.len()).then_some(start..end)
}

/// A reference to a storage as the pickle spells it.
struct Storage<'a> {
    dtype: Dtype,
    key: &'a str,
}

/// Every tensor of the checkpoint, with `extent` telling where in the file a storage lies.
fn tensors_of<'a>(
    pickle: &Pickle<'a>,
    extent: impl Fn(&Storage<'a>) -> Result<Range<usize>, String>,
) -> Result<BTreeMap<String, Stored>, String> {
    let mut tensors = BTreeMap::new();
    for &(name, value) in state_dict(pickle)? {
        if let (&Value::Text(name), Some(arguments)) =
            (pickle.get(name), tensor_arguments(pickle, value))
        {
            let stored = stored(pickle, arguments, &extent)
                .map_err(|reason| format!("`{name}`: {reason}"))?;
            tensors.insert(name.to_owned(), stored);
        }
    }
    Ok(tensors)
}

/// The dictionary from names to tensors, which may lie inside others.
fn state_dict<'p>(pickle: &'p Pickle<'_>) -> Result<&'p [(Id, Id)], String> {
    let mut found = pickle.root();
    // No program nests deeper; a dictionary that holds itself must not hold us.
    for _ in 0..NESTED.len() {
        let Value::Dict(entries) = found else { break };
        let inner = NESTED.iter().find_map(|&wanted| {
            let named = |&&(key, _): &&(Id, Id)| *pickle.get(key) == Value::Text(wanted);
            let (_, value) = entries.iter().find(named)?;
            Some(pickle.get(*value)).filter(|value| matches!(value, Value::Dict(_)))
        });
        match inner {
            Some(inner) => found = inner,
            None => break,
        }
    }
    match found {
        Value::Dict(entries) => Ok(entries),
        _ => Err("it holds no state_dict".to_owned()),
    }
}

/// The arguments from which PyTorch would rebuild a tensor, if the value is a tensor.
fn tensor_arguments<'p>(pickle: &'p Pickle<'_>, value: Id) -> Option<&'p [Id]> {
    let Value::Call { function, arguments } = pickle.get(value) else { return None };
    let Value::Tuple(arguments) = pickle.get(*arguments) else { return None };
    match pickle.get(*function) {
        Value::Global("torch._utils", "_rebuild_tensor_v2") => Some(arguments),
        // A parameter wraps a tensor, and never another parameter.
        Value::Global("torch._utils", "_rebuild_parameter") => {
            let Value::Call { function, arguments } = pickle.get(*arguments.first()?) else {
                return None;
            };
            match (pickle.get(*function), pickle.get(*arguments)) {
                (Value::Global(_, "_rebuild_tensor_v2"), Value::Tuple(arguments)) => {
                    Some(arguments)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Reads `(storage, offset, size, stride, ...)` and checks that the tensor lies within its storage.
fn stored<'a>(
    pickle: &Pickle<'a>,
    arguments: &[Id],
    extent: &impl Fn(&Storage<'a>) -> Result<Range<usize>, String>,
) -> Result<Stored, String> {
    let &[storage, offset, size, stride, ..] = arguments else {
        return Err("too few arguments".to_owned());
    };
    let &Value::Persistent(storage) = pickle.get(storage) else {
        return Err("it has no storage".to_owned());
    };
    let storage = storage_of(pickle, storage)?;
    let (offset, shape, strides) =
        (integer(pickle, offset)?, integers(pickle, size)?, integers(pickle, stride)?);
    let range = extent(&storage)?;
    let width = width(storage.dtype);
    let available = (range.end - range.start) / width;
    let outside = || "it reaches outside its storage".to_owned();
    let elements = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    if shape.len() != strides.len() || elements.is_none_or(|elements| elements > available) {
        return Err(outside());
    }
    if elements == Some(0) {
        return Ok(Stored { dtype: storage.dtype, shape, start: range.start, strides: None });
    }
    let last = shape.iter().zip(&strides).try_fold(offset, |last, (&size, &stride)| {
        last.checked_add((size - 1).checked_mul(stride)?)
    });
    if last.is_none_or(|last| last >= available) {
        return Err(outside());
    }
    let start = range.start + offset * width;
    let strides = (!in_order(&shape, &strides)).then_some(strides);
    Ok(Stored { dtype: storage.dtype, shape, start, strides })
}

/// Whether the strides are those of a row-major tensor.
fn in_order(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size <= 1 || stride == expected;
        expected *= size;
        fits
    })
}

/// Reads `("storage", type, key, device, elements)`, which refers to a storage.
fn storage_of<'a>(pickle: &Pickle<'a>, id: Id) -> Result<Storage<'a>, String> {
    let damaged = || "its storage is described in a way we do not know".to_owned();
    let Value::Tuple(parts) = pickle.get(id) else { return Err(damaged()) };
    let &[_, class, key, ..] = parts.as_slice() else { return Err(damaged()) };
    let &Value::Global(_, class) = pickle.get(class) else { return Err(damaged()) };
    // In the older container a sixth part tells that this storage is a window of another one.
    if parts.get(5).is_some_and(|&view| *pickle.get(view) != Value::Other) {
        return Err(damaged());
    }
    let dtype = match class {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        other => return Err(format!("its elements are of a type we do not know, {other}")),
    };
    Ok(Storage { dtype, key: text(pickle, key)? })
}

/// Bytes an element.
fn width(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

fn text<'a>(pickle: &Pickle<'a>, id: Id) -> Result<&'a str, String> {
    match *pickle.get(id) {
        Value::Text(text) => Ok(text),
        _ => Err("a storage has a key that is no text".to_owned()),
    }
}

fn integer(pickle: &Pickle<'_>, id: Id) -> Result<usize, String> {
    match *pickle.get(id) {
        Value::Int(value) => usize::try_from(value).map_err(|_| "a size is negative".to_owned()),
        _ => Err("a size is no integer".to_owned()),
    }
}

fn integers(pickle: &Pickle<'_>, id: Id) -> Result<Vec<usize>, String> {
    let items = match pickle.get(id) {
        Value::Tuple(items) => items,
        // torch.Size(tuple)
        Value::Call { arguments, .. } => match pickle.get(*arguments) {
            Value::Tuple(outer) if outer.len() == 1 => match pickle.get(outer[0]) {
                Value::Tuple(items) => items,
                _ => return Err("a shape is no tuple".to_owned()),
            },
            _ => return Err("a shape is no tuple".to_owned()),
        },
        _ => return Err("a shape is no tuple".to_owned()),
    };
    items.iter().map(|&item| integer(pickle, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of the older container around one pickled object, and one storage of four `f32` where the
    /// object refers to it.
    fn legacy(object: &[u8]) -> Vec<u8> {
        let mut file = [LEGACY, b"\x80\x02M\xe9\x03.", b"\x80\x02}.", object].concat();
        if object.windows(5).any(|window| window == b"Float") {
            file.extend(b"\x80\x02](X\x01\x00\x00\x00ke.");
            file.extend(4u64.to_le_bytes());
            file.extend([1f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()));
        } else {
            file.extend(b"\x80\x02].");
        }
        file
    }

    /// `{"w": tensor}` with this offset, shape and strides.
    fn tensor(offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
        let integer = |value: i32| [b"J".as_slice(), &value.to_le_bytes()].concat();
        let tuple = |values: &[i32]| {
            let values: Vec<u8> = values.iter().flat_map(|&value| integer(value)).collect();
            [b"(".as_slice(), &values, b"t"].concat()
        };
        [
            b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(".as_slice(),
            b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\x00\x00\x00kX\x03\0\0\0cpuK\x04NtQ",
            &integer(offset),
            &tuple(shape),
            &tuple(strides),
            b"tRs.",
        ]
        .concat()
    }

    fn read(object: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
        read_legacy(&legacy(object))
    }

    #[test]
    fn a_tensor_may_be_any_window_of_its_storage() {
        for (offset, shape, strides, expected) in [
            (0, [2, 2].as_slice(), [2, 1].as_slice(), [1f32, 2.0, 3.0, 4.0].as_slice()),
            (0, &[2, 2], &[1, 2], &[1.0, 3.0, 2.0, 4.0]),
            (1, &[3], &[1], &[2.0, 3.0, 4.0]),
            (3, &[], &[], &[4.0]),
            (1, &[2], &[2], &[2.0, 4.0]),
            (2, &[3], &[0], &[3.0, 3.0, 3.0]),
            (4, &[0, 7], &[1, 1], &[]),
        ] {
            let object = tensor(offset, shape, strides);
            let file = legacy(&object);
            let bytes = read_legacy(&file).unwrap()["w"].bytes(&file).into_owned();
            let expected: Vec<u8> = expected.iter().flat_map(|x| x.to_le_bytes()).collect();
            assert_eq!(bytes, expected, "{offset} {shape:?} {strides:?}");
        }
    }

    #[test]
    fn a_tensor_may_not_leave_its_storage() {
        for (offset, shape, strides) in [
            (0, [5].as_slice(), [1].as_slice()),
            (1, &[4], &[1]),
            (4, &[], &[]),
            (0, &[2], &[4]),
            (0, &[5], &[0]),
            (0, &[i32::MAX, i32::MAX, i32::MAX], &[1, 1, 1]),
            (0, &[2], &[1, 1]),
            (0, &[2], &[i32::MAX]),
        ] {
            let said = read(&tensor(offset, shape, strides)).err().unwrap();
            assert!(said.contains("`w`: it reaches outside its storage"), "{shape:?}: {said}");
        }
        assert!(read(&tensor(-1, &[1], &[1])).err().unwrap().contains("negative"));
    }

    #[test]
    fn sharing_and_nesting_cost_neither_time_nor_stack() {
        // A tuple in a tuple in a tuple ...
        let deep = [b"\x80\x02N".as_slice(), &vec![0x85; 3_000_000], b"."].concat();
        assert_eq!(read(&deep).err().unwrap(), "it holds no state_dict");
        // A dictionary that holds itself under a name we follow.
        let cycle = b"\x80\x02}q\0X\x05\0\0\0modelh\0s.";
        assert!(read(cycle).unwrap().is_empty());
        // Each pair holds the one before it twice: 2^60 leaves if anyone copied.
        let laughs = [b"\x80\x02N".as_slice(), &b"q\0h\0\x86".repeat(60), b"."].concat();
        assert!(read(&laughs).is_err());
    }

    #[test]
    fn a_pickle_that_underflows_its_stack_is_damaged() {
        for object in [
            b"\x80\x02.".as_slice(),
            b"0.",
            b"s.",
            b"t.",
            b"(\x85.",
            b"R.",
            b"q\0.",
            b"h\0.",
            b"(N0s.",
        ] {
            assert!(read(object).is_err(), "{object:?}");
        }
    }
}
