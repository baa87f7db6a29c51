//! The network in the form in which its device runs it best, and how much of a list it is given at once.

use candle_core::{Result, Tensor};

use super::fused::Fused;
use super::transformer::{Run, Transformer};
use crate::encode::Device;
use crate::encode::kernels::Isa;
use crate::encode::shares::next_share;

/// Tokens that go through a GPU at once (or one text, if it is longer) if its memory holds them: enough for
/// the products to run at full speed.
const GPU_TOKENS: usize = 16384;
/// Tokens that go through one core at once: of a MiniLM, their values stay in a second cache of 1 MB, and
/// the weights, which do not, are read once for all of them.
const CORE_TOKENS: usize = 256;
/// Fewer than these are not worth a thread of their own: reading the weights would take the time.
const LEAST_TOKENS: usize = 32;

/// A transformer on its device.
pub(super) enum Network {
    /// On a CPU: fused passes, one piece of work a core.
    Fused(Fused),
    /// On a GPU: tensors, one piece after the other.
    Tensors(Transformer, Device),
}

impl Network {
    pub fn new(network: Transformer, device: &Device) -> Result<Self> {
        Ok(match device.is_ours() {
            true => Network::Fused(Fused::new(network, Isa::best())?),
            false => Network::Tensors(network, device.clone()),
        })
    }

    /// The most tokens of the next piece, where `left` are left of `tokens` in all and the longest text has
    /// `longest`.
    pub fn piece(&self, left: usize, tokens: usize, longest: usize) -> usize {
        match self {
            Network::Fused(_) => {
                let threads = rayon::current_num_threads();
                match tokens <= threads * CORE_TOKENS {
                    true => tokens.div_ceil(threads).clamp(LEAST_TOKENS, CORE_TOKENS),
                    false => next_share(left, threads, CORE_TOKENS / 2, CORE_TOKENS),
                }
            }
            Network::Tensors(network, device) => {
                device.together(network.shape.bytes_a_token(longest), GPU_TOKENS)
            }
        }
    }

    /// Whether pieces may go through on several threads.
    pub fn is_per_core(&self) -> bool {
        matches!(self, Network::Fused(_))
    }

    /// `ids`: the texts' tokens, one text after the other, as `runs` says. One row a token.
    pub fn forward(&self, ids: &[u32], runs: &[Run]) -> Result<Tensor> {
        match self {
            Network::Fused(network) => network.forward(ids, runs),
            Network::Tensors(network, _) => network.forward(ids, runs),
        }
    }
}
