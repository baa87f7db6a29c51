//! Pictures and texts become unit vectors.
//!
//! Flowing in: decoded pictures and sentences, in batches. Flowing out: [`Embedding`]s. An encoder is
//! a pure function of its weights and its input; its [`Fingerprint`] names that function, so that
//! vectors of two different ones are never compared.

mod device;
mod embedding;
pub mod image;
pub(crate) mod kernels;
mod shares;
pub mod store;
pub mod text;
mod weights;

use std::fmt;

use ::image::RgbImage;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
pub use device::{Device, Wanted};
pub use embedding::{Embedding, NotAnEmbedding};
pub use weights::Weights;

/// What a vector was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// The product's picture.
    Image,
    /// The product's words.
    Text,
}

impl Modality {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Modality; 2] = [Modality::Image, Modality::Text];
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Modality::Image => "image",
            Modality::Text => "text",
        })
    }
}

/// Names the function from input to vector: architecture, weights, preprocessing and dimension.
///
/// The input is a decoded picture. How a file is decoded is not part of it: decoders differ by some levels
/// of a pixel, and by as much as [`ImageEncoder::enough`] allows, which leaves vectors at a cosine of 0.999 or
/// more to each other; a better decoder should not have every catalogue embedded again.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Hashes whatever determines the function; each part is delimited, so that no two lists collide.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Fingerprint(hasher.finalize().into())
    }

    /// The fingerprint that is written so.
    pub(crate) fn from_hex(digits: &str) -> Option<Self> {
        hex::decode(digits).map(Fingerprint)
    }

    /// The raw bytes, for keys.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What there is to know of an encoder before it has made a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The architecture's name, `resnet50` say.
    pub name: String,
    /// The length of every vector it makes.
    pub dimension: usize,
    /// Names the function that it is.
    pub fingerprint: Fingerprint,
}

/// What every encoder can say of itself.
pub trait Encoder: Send + Sync {
    /// Who it is; the same as long as it lives.
    fn identity(&self) -> &Identity;

    /// The architecture's name.
    fn name(&self) -> &str {
        &self.identity().name
    }

    /// The length of every vector it makes.
    fn dimension(&self) -> usize {
        self.identity().dimension
    }

    /// Names the function that it is.
    fn fingerprint(&self) -> Fingerprint {
        self.identity().fingerprint
    }
}

/// A network that reads pictures.
///
/// Preprocessing is apart from the network, because it runs for one picture a core while the network
/// runs for a batch.
pub trait ImageEncoder: Encoder {
    /// Resizes, crops and scales a picture to what the network reads.
    fn prepare(&self, picture: &RgbImage) -> Pixels;
    /// How many pixels the shorter side of a picture needs for the same embedding, to a cosine of 0.999: a
    /// decoder may give one that is smaller than the file's. `None` where that is not known.
    fn enough(&self) -> Option<u32> {
        None
    }
    /// One embedding a picture, in order.
    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Embedding>, Error>;
    /// What it sees in each part of a picture that is cut into `side` rows of as many tiles: a vector a tile, of no
    /// particular length, row by row and one after the other. `None` where it cannot tell.
    fn tiles(&self, _batch: &[Pixels], _side: usize) -> Result<Option<Vec<Vec<f32>>>, Error> {
        Ok(None)
    }
}

/// A network that reads sentences.
pub trait TextEncoder: Encoder {
    /// One embedding a sentence, in order.
    fn encode(&self, batch: &[&str]) -> Result<Vec<Embedding>, Error>;
}

/// A picture as a network reads it: channels, rows, columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// Rows and columns; the picture is square.
    pub side: usize,
    /// `3 * side * side` values, channel by channel.
    pub values: Vec<f32>,
}

/// Why an encoder could not be loaded, or could not encode.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A GPU was asked for that the program cannot use.
    #[error("this program was built without CUDA: build it with --features cuda")]
    NoCuda,
    /// A file of the model cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the model cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the model is not what it should be.
    #[error("{path} is not a usable model file: {reason}")]
    Malformed {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong, and the remedy where there is one.
        reason: String,
    },
    /// The network's output has no direction.
    #[error(transparent)]
    Embedding(#[from] NotAnEmbedding),
    /// Whatever the network is given, what comes out is not a number.
    #[error(
        "the network {name} gives vectors that are not finite numbers, whatever it is shown: its \
         weights are damaged; fetch or add the model again"
    )]
    Broken {
        /// The architecture's name.
        name: String,
    },
    /// The encoder is not one.
    #[error("an encoder made {given} embeddings of {asked} inputs; it must make one of each")]
    Count {
        /// The inputs that it was given.
        asked: usize,
        /// The embeddings that it gave.
        given: usize,
    },
    /// The network could not be run.
    #[error("the network failed: {0}")]
    Network(#[from] candle_core::Error),
}
