//! A model's weights file, whatever program wrote it.

use std::path::Path;

use super::Error;

/// Named tensors, read from `.safetensors` or from a PyTorch checkpoint, and the hash of the file.
pub struct Weights {}

impl Weights {
    /// Opens a weights file; what it is shows in its first bytes, not in its name.
    pub fn open(_path: &Path) -> Result<Self, Error> {
        unimplemented!()
    }
}
