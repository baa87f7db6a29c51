//! A model's weights file, whatever program wrote it.
//!
//! Flowing in: a `.safetensors` file or a PyTorch checkpoint, recognised by its first bytes. Flowing
//! out: named `f32` tensors, and a hash of them that does not depend on the file's format. The file is
//! mapped, every extent is checked before a byte is looked at, and nothing in it is ever executed.

mod pickle;
mod pytorch;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::Error;

/// The prefix that PyTorch's data-parallel wrapper puts before every name.
const WRAPPER: &str = "module.";

/// Named tensors in a mapped file. Cheap to clone.
#[derive(Clone)]
pub struct Weights(Arc<Contents>);

struct Contents {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, Stored>,
    sha256: OnceLock<[u8; 32]>,
}

/// Where a tensor lies in the file. Its extent has been checked against the file's length.
struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    /// The first element's byte in the file.
    start: usize,
    /// Steps between elements, counted in elements; `None` where the elements lie in order.
    strides: Option<Vec<usize>>,
}

impl Weights {
    /// Opens a weights file; what it is shows in its first bytes, not in its name.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        // SAFETY: the map is read-only and lives as long as the tensors that point into it. Another
        // process that truncates the file meanwhile can end this one with SIGBUS, one that writes to
        // it can alter the weights; the model store only ever replaces files by renaming.
        let map = unsafe { Mmap::map(&file) }.map_err(io)?;
        let malformed = |reason| Error::Malformed { path: path.to_owned(), reason };
        let tensors = read_directory(&map).map_err(malformed)?;
        if tensors.is_empty() {
            return Err(malformed("it holds no tensors".to_owned()));
        }
        let tensors = without_wrapper(tensors);
        Ok(Weights(Arc::new(Contents {
            path: path.to_owned(),
            map,
            tensors,
            sha256: OnceLock::new(),
        })))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The tensors' names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.tensors.keys().map(String::as_str)
    }

    /// A tensor's shape, if there is a tensor of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.0.tensors.get(name).map(|stored| stored.shape.as_slice())
    }

    /// The tensor of that name, widened or converted to `f32`.
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Tensor, Error> {
        let Some(stored) = self.0.tensors.get(name) else {
            return Err(self.malformed(format_args!("it holds no tensor `{name}`")));
        };
        let dtype = DType::try_from(stored.dtype)
            .map_err(|_| self.malformed(format_args!("`{name}` is of type {:?}", stored.dtype)))?;
        Tensor::from_raw_buffer(&self.bytes(stored), dtype, &stored.shape, &Device::Cpu)
            .and_then(|tensor| tensor.to_dtype(DType::F32)?.to_device(device))
            .map_err(Error::Network)
    }

    /// The tensor of that name as `f32`, if it has the shape that the network expects.
    pub fn tensor_of(
        &self,
        name: &str,
        shape: impl Into<Shape>,
        device: &Device,
    ) -> Result<Tensor, Error> {
        let tensor = self.tensor(name, device)?;
        let expected = shape.into();
        if *tensor.shape() != expected {
            let found = tensor.dims();
            return Err(self.malformed(format_args!(
                "`{name}` has the shape {found:?} where the network expects {:?}",
                expected.dims()
            )));
        }
        Ok(tensor)
    }

    /// The same tensors for candle's own layers. Their failures name the tensor but not the file:
    /// pass them through [`Weights::malformed`].
    pub fn var_builder(&self, device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, device.clone())
    }

    /// The error that says what is wrong with this file.
    pub fn malformed(&self, reason: impl fmt::Display) -> Error {
        Error::Malformed { path: self.0.path.clone(), reason: reason.to_string() }
    }

    /// The hash of names, types, shapes and elements in the order of the names: the same tensors have
    /// the same hash in whatever format they come. Computed once, when first asked for.
    pub fn sha256(&self) -> [u8; 32] {
        *self.0.sha256.get_or_init(|| {
            let mut hasher = Sha256::new();
            for (name, stored) in &self.0.tensors {
                hasher.update((name.len() as u64).to_le_bytes());
                hasher.update(name);
                hasher.update(format!("{:?}{:?}", stored.dtype, stored.shape));
                hasher.update(self.bytes(stored));
            }
            hasher.finalize().into()
        })
    }

    /// Writes the same tensors, in their own types, as `.safetensors`: beside the target first, so
    /// that the target is always absent, old or whole.
    pub fn save_safetensors(&self, path: &Path) -> Result<(), Error> {
        let views = self.0.tensors.iter().map(|(name, stored)| (name, View { of: self, stored }));
        let failed = |source| Error::Write { path: path.to_owned(), source };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let temporary = readable_by_all().tempfile_in(folder).map_err(failed)?;
        safetensors::serialize_to_file(views, None, temporary.path())
            .map_err(|error| failed(std::io::Error::other(error)))?;
        temporary.as_file().sync_all().map_err(failed)?;
        temporary.persist(path).map_err(|error| failed(error.error))?;
        // The rename is durable once the folder is.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn bytes(&self, stored: &Stored) -> Cow<'_, [u8]> {
        stored.bytes(&self.0.map)
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Weights({}, {} tensors)", self.0.path.display(), self.0.tensors.len())
    }
}

/// A maker of files with the permissions that an ordinary new file has; temporary ones have fewer.
fn readable_by_all() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
}

/// Finds the tensors of a file of any format we know.
fn read_directory(file: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    if pytorch::is_zip(file) {
        pytorch::read_zip(file)
    } else if pytorch::is_legacy(file) {
        pytorch::read_legacy(file)
    } else if file.starts_with(b"version https://git-lfs") {
        Err("it is a Git LFS pointer: run `git lfs pull` where it came from".to_owned())
    } else {
        read_safetensors(file)
    }
}

fn read_safetensors(file: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    if file.get(8) != Some(&b'{') {
        return Err("it is neither safetensors nor a PyTorch checkpoint".to_owned());
    }
    let directory = SafeTensors::deserialize(file)
        .map_err(|error| format!("it is not sound safetensors, or was cut short: {error}"))?;
    let stored = directory.iter().map(|(name, view)| {
        let start = view.data().as_ptr() as usize - file.as_ptr() as usize;
        let stored =
            Stored { dtype: view.dtype(), shape: view.shape().to_vec(), start, strides: None };
        (name.to_owned(), stored)
    });
    Ok(stored.collect())
}

fn without_wrapper(tensors: BTreeMap<String, Stored>) -> BTreeMap<String, Stored> {
    if !tensors.keys().all(|name| name.starts_with(WRAPPER)) {
        return tensors;
    }
    tensors.into_iter().map(|(name, stored)| (name[WRAPPER.len()..].to_owned(), stored)).collect()
}

impl Stored {
    fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * (self.dtype.bitsize() / 8)
    }

    /// The elements in row-major order.
    fn bytes<'a>(&self, file: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(strides) = &self.strides else {
            return Cow::Borrowed(&file[self.start..self.start + self.len()]);
        };
        let width = self.dtype.bitsize() / 8;
        let mut gathered = Vec::with_capacity(self.len());
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.shape.iter().product() {
            let element: usize = index.iter().zip(strides).map(|(i, stride)| i * stride).sum();
            let at = self.start + element * width;
            gathered.extend_from_slice(&file[at..at + width]);
            for (i, &size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < size {
                    break;
                }
                *i = 0;
            }
        }
        Cow::Owned(gathered)
    }
}

/// A tensor as the safetensors writer reads it.
struct View<'a> {
    of: &'a Weights,
    stored: &'a Stored,
}

impl safetensors::View for View<'_> {
    fn dtype(&self) -> Dtype {
        self.stored.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.stored.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.of.bytes(self.stored)
    }

    fn data_len(&self) -> usize {
        self.stored.len()
    }
}

impl SimpleBackend for Weights {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor_of(name, shape, device).map_err(reason)?.to_dtype(dtype)
    }

    fn get_unchecked(
        &self,
        name: &str,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        self.tensor(name, device).map_err(reason)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.tensors.contains_key(name)
    }
}

/// The part of an error that candle carries for us.
fn reason(error: Error) -> candle_core::Error {
    match error {
        Error::Malformed { reason, .. } => candle_core::Error::Msg(reason),
        other => candle_core::Error::Msg(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/weights").join(name)
    }

    fn elements(weights: &Weights, name: &str) -> Vec<f32> {
        let tensor = weights.tensor(name, &Device::Cpu).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|i| i as f32 / 8.0 - 1.0).collect()
    }

    /// Opens `bytes` as a file and returns what is said of them.
    fn refusal(bytes: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let error = Weights::open(file.path()).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        error.to_string()
    }

    #[test]
    fn every_format_gives_the_same_tensors_and_the_same_hash() {
        let files =
            ["plain.safetensors", "zip.pth", "legacy.pth", "nested.pth", "nested-legacy.pth"];
        let mut hashes = Vec::new();
        for file in files {
            let weights = Weights::open(&golden(file)).unwrap();
            let names: Vec<_> = weights.names().collect();
            assert_eq!(names, ["brain", "conv.weight", "half", "permuted", "steps", "window"]);
            assert_eq!(weights.shape("conv.weight"), Some([2, 3, 4].as_slice()), "{file}");
            assert_eq!(elements(&weights, "conv.weight"), ramp(24), "{file}");
            assert_eq!(elements(&weights, "permuted"), ramp(24), "{file}");
            assert_eq!(elements(&weights, "window"), ramp(6), "{file}");
            assert_eq!(elements(&weights, "half"), ramp(6), "{file}");
            assert_eq!(elements(&weights, "brain"), ramp(4), "{file}");
            assert_eq!(elements(&weights, "steps"), [7.0], "{file}");
            hashes.push(weights.sha256());
        }
        assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    }

    #[test]
    fn what_is_saved_is_what_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("model.safetensors");
        std::fs::write(&target, "an older file").unwrap();
        let opened = Weights::open(&golden("nested-legacy.pth")).unwrap();
        opened.save_safetensors(&target).unwrap();
        let saved = Weights::open(&target).unwrap();
        assert_eq!(saved.sha256(), opened.sha256());
        assert_eq!(elements(&saved, "permuted"), ramp(24));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file stayed");
    }

    #[test]
    fn a_missing_name_or_another_shape_is_named() {
        let weights = Weights::open(&golden("zip.pth")).unwrap();
        let missing = weights.tensor("fc.weight", &Device::Cpu).unwrap_err().to_string();
        assert!(missing.contains("zip.pth") && missing.contains("`fc.weight`"), "{missing}");
        let shape = weights.tensor_of("half", (2, 3), &Device::Cpu).unwrap_err().to_string();
        for part in ["zip.pth", "`half`", "[3, 2]", "[2, 3]"] {
            assert!(shape.contains(part), "{shape}");
        }
        let built = weights.var_builder(&Device::Cpu).pp("conv").get((2, 3), "weight");
        let built = built.unwrap_err().to_string();
        assert!(built.contains("`conv.weight`") && built.contains("[2, 3, 4]"), "{built}");
    }

    #[test]
    fn nothing_is_called() {
        let calls = Weights::open(&golden("calls.pth")).unwrap_err().to_string();
        assert!(calls.contains("asks to call `posix.system`"), "{calls}");
        let module = Weights::open(&golden("module.pth")).unwrap_err().to_string();
        assert!(module.contains("torch.nn.modules.linear.Linear"), "{module}");
    }

    #[test]
    fn foreign_files_are_refused() {
        assert!(refusal(b"").contains("neither"));
        assert!(refusal(b"\x89HDF\r\n\x1a\n and so on").contains("neither"));
        assert!(refusal(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
        assert!(refusal(b"PK\x03\x04 and no more").contains("zip"));
        let missing = Weights::open(Path::new("/no/such/file")).unwrap_err();
        assert!(matches!(missing, Error::Io { .. }) && missing.to_string().contains("/no/such"));
    }

    #[test]
    fn a_file_cut_short_anywhere_is_refused() {
        for name in ["plain.safetensors", "zip.pth", "legacy.pth"] {
            let whole = std::fs::read(golden(name)).unwrap();
            for length in 0..whole.len() {
                refusal(&whole[..length]);
            }
        }
    }

    #[test]
    fn a_damaged_file_is_refused_or_read_but_never_fatal() {
        for name in ["plain.safetensors", "zip.pth", "nested-legacy.pth"] {
            let whole = std::fs::read(golden(name)).unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            for at in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << (at % 8);
                std::fs::write(file.path(), damaged).unwrap();
                if let Ok(weights) = Weights::open(file.path()) {
                    weights.sha256();
                }
            }
        }
    }
}
