//! What of an item a part of a query is compared with.

use std::fmt;

use serde::Serialize;

use crate::encode::Modality;

/// One way in which an item can answer: a modality's vector, or the words themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Aspect {
    /// How its picture looks, by the cosine.
    Image,
    /// What its text means, by the cosine.
    Text,
    /// Which words its text has, by BM25.
    Words,
}

impl Aspect {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Aspect; 3] = [Aspect::Image, Aspect::Text, Aspect::Words];

    /// Whose vectors are compared; `None` where it is not vectors.
    pub fn modality(self) -> Option<Modality> {
        match self {
            Aspect::Image => Some(Modality::Image),
            Aspect::Text => Some(Modality::Text),
            Aspect::Words => None,
        }
    }
}

impl From<Modality> for Aspect {
    fn from(modality: Modality) -> Self {
        match modality {
            Modality::Image => Aspect::Image,
            Modality::Text => Aspect::Text,
        }
    }
}

impl PartialEq<Modality> for Aspect {
    fn eq(&self, modality: &Modality) -> bool {
        *self == Aspect::from(*modality)
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Aspect::Image => "image",
            Aspect::Text => "text",
            Aspect::Words => "words",
        })
    }
}
