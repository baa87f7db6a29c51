//! Vectors and tables to and from other programs.
//!
//! Flowing out: a collection as a folder of plain files (`export`), or a [`Table`] as Parquet. Flowing in: such a
//! folder (`restore`), or vectors that were made elsewhere (`vectors`). Formats are those that NumPy and Arrow read
//! without code of ours; nothing is pickled.
//!
//! ```text
//! export/
//!   manifest.json     what is here, and the encoders' fingerprints: written last
//!   items.jsonl       the items by ascending number, one a line
//!   image.npy         float32, a row a picture's vector     (or image.parquet: id, key, vector)
//!   image-ids.npy     uint32, the number of each row's item
//!   text.npy, text-ids.npy
//! ```

mod error;
mod export;
mod npy;
mod restore;
mod table;
mod vectors;

pub use error::Error;
pub use export::{Exported, VectorFile, VectorFormat};
pub use restore::import_export;
pub use table::{Cell, Table};
pub use vectors::Vectors;
