//! From one vector a token to one vector a text.

use candle_core::{Result, Tensor};
use serde::Serialize;

use super::transformer::Run;

/// How a text's token vectors become one. A model may ask for several, joined end to end.
#[derive(Serialize, Clone, Copy, Debug, PartialEq)]
pub(super) enum Pooling {
    /// The vector of the start token.
    First,
    /// The largest value of each component.
    Max,
    /// The mean over all tokens, start and end included.
    Mean,
    /// The sum divided by the root of the number of tokens.
    MeanSqrt,
}

/// `tokens`: one row a token, text after text, as `runs` says. Returns one row a text.
pub(super) fn pool(tokens: &Tensor, runs: &[Run], modes: &[Pooling]) -> Result<Tensor> {
    let mut rows = Vec::with_capacity(runs.len());
    let mut start = 0;
    for run in runs {
        let texts = tokens.narrow(0, start, run.tokens())?.reshape((
            run.texts,
            run.length,
            tokens.dim(1)?,
        ))?;
        let pooled = modes.iter().map(|mode| match mode {
            Pooling::First => texts.narrow(1, 0, 1)?.squeeze(1),
            Pooling::Max => texts.max(1),
            Pooling::Mean => texts.mean(1),
            Pooling::MeanSqrt => texts.sum(1)? / (run.length as f64).sqrt(),
        });
        rows.push(Tensor::cat(&pooled.collect::<Result<Vec<_>>>()?, 1)?);
        start += run.tokens();
    }
    Tensor::cat(&rows, 0)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn pools_by_hand_computed_values() {
        // Two texts of one token, then one of four, two components each.
        let rows: [[f32; 2]; 6] =
            [[1., 2.], [3., 4.], [1., -1.], [2., -2.], [6., -3.], [-1., -10.]];
        let tokens = Tensor::new(&rows, &Device::Cpu).unwrap();
        let runs = [Run { texts: 2, length: 1 }, Run { texts: 1, length: 4 }];
        let modes = [Pooling::First, Pooling::Max, Pooling::Mean, Pooling::MeanSqrt];
        let pooled = pool(&tokens, &runs, &modes).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(pooled[0], [1., 2., 1., 2., 1., 2., 1., 2.]);
        assert_eq!(pooled[1], [3., 4., 3., 4., 3., 4., 3., 4.]);
        assert_eq!(pooled[2], [1., -1., 6., -1., 2., -4., 4., -8.]);
    }
}
