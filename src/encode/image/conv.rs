//! Convolution with its batch norm folded in.
//!
//! ```text
//! y = hi ∧ (lo ∨ (W' * x + b' [+ residual])),   W' = W γ / √(var + ε),   b' = β - mean γ / √(var + ε)
//! ```
//!
//! On a CPU it is a [`dense`](super::dense) product, one after a [`winograd`](super::winograd)
//! transform, or a [`depthwise`](super::depthwise) sum; on a GPU it is made of candle's operations.

use candle_core::Result;

use super::by_candle::ByCandle;
use super::dense::Dense;
use super::depthwise::Depthwise;
use super::geometry::Kernel;
use super::maps::Maps;
use super::winograd::Winograd;
use crate::encode::Device;

/// What follows the sum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    /// The bounds that it keeps a sum within.
    pub(super) fn bounds(self) -> (f32, f32) {
        match self {
            Activation::None => (f32::NEG_INFINITY, f32::INFINITY),
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
        }
    }
}

/// A convolution, its batch norm and its activation, laid out for its device.
pub(super) enum Conv {
    Dense(Dense),
    Winograd(Winograd),
    Depthwise(Depthwise),
    ByCandle(ByCandle),
}

/// Weights after folding: outputs by inputs, rows and columns of the kernel, one input per output if it
/// is depthwise.
pub(super) struct Folded {
    pub(super) weight: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) depthwise: bool,
    pub(super) geometry: Kernel,
    pub(super) activation: Activation,
}

/// A batch norm; a bias alone is one with the rest left out.
pub(super) struct Norm {
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
    pub(super) epsilon: f64,
}

impl Norm {
    /// Folds it into the weight before it; returns the bias that remains.
    pub(super) fn fold(&self, weight: &mut [f32]) -> Vec<f32> {
        let taps = weight.len() / self.gamma.len();
        let mut bias = Vec::with_capacity(self.gamma.len());
        for (output, row) in weight.chunks_exact_mut(taps).enumerate() {
            let spread = (f64::from(self.variance[output]) + self.epsilon).sqrt();
            let scale = f64::from(self.gamma[output]) / spread;
            row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale) as f32);
            let shift = f64::from(self.mean[output]) * scale;
            bias.push((f64::from(self.beta[output]) - shift) as f32);
        }
        bias
    }
}

impl Conv {
    pub(super) fn new(folded: Folded, device: &Device) -> Result<Self> {
        if !device.is_ours() {
            return Ok(Conv::ByCandle(ByCandle::new(folded, device)?));
        }
        Ok(match folded {
            folded if folded.depthwise => Conv::Depthwise(Depthwise::new(&folded)),
            folded if Winograd::suits(&folded) => Conv::Winograd(Winograd::new(&folded)),
            folded => Conv::Dense(Dense::new(&folded)),
        })
    }

    pub(super) fn forward(&self, x: &Maps) -> Result<Maps> {
        self.run(x, None)
    }

    /// The same, with other maps added before the activation.
    pub(super) fn forward_onto(&self, x: &Maps, residual: &Maps) -> Result<Maps> {
        self.run(x, Some(residual))
    }

    fn run(&self, x: &Maps, residual: Option<&Maps>) -> Result<Maps> {
        match self {
            Conv::Dense(conv) => conv.forward(x, residual),
            Conv::Winograd(conv) => conv.forward(x, residual),
            Conv::Depthwise(conv) if residual.is_none() => conv.forward(x),
            Conv::Depthwise(_) => candle_core::bail!("a depthwise convolution adds to nothing"),
            Conv::ByCandle(conv) => conv.forward(x, residual),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::super::geometry::{Geometry, Padding};
    use super::super::maps::Arena;
    use super::*;

    fn ramp(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 % 101) as f32 - 50.0) * step).collect()
    }

    /// A convolution of these inputs to these outputs; one input means depthwise.
    fn folded(inputs: usize, outputs: usize, geometry: Kernel) -> Folded {
        let taps = geometry.down.kernel * geometry.across.kernel;
        Folded {
            weight: ramp(outputs * inputs * taps, 0.02),
            bias: ramp(outputs, 0.01),
            depthwise: inputs == 1,
            geometry,
            activation: Activation::Relu6,
        }
    }

    /// Maps on the CPU in our order, and the same in candle's.
    fn both(pictures: usize, channels: usize, rows: usize, columns: usize) -> (Maps, Maps) {
        let values = ramp(pictures * channels * rows * columns, 0.1);
        let shape = (pictures, channels, rows, columns);
        let tensor = Tensor::from_vec(values, shape, &candle_core::Device::Cpu).unwrap();
        let planes = Maps::of_tensor(tensor).unwrap();
        (places(&planes), planes)
    }

    fn places(planes: &Maps) -> Maps {
        let Maps { pictures, rows, columns, channels, .. } = *planes;
        let values: Vec<f32> = planes
            .tensor()
            .unwrap()
            .permute((0, 2, 3, 1))
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let empty = vec![&[0f32; 3][..]; pictures];
        let any = Maps::of_pictures(&empty, 1, &Device::cpu(), &Arena::default()).unwrap();
        let mut maps = any.unwritten(rows, columns, channels).unwrap();
        maps.places_mut().unwrap().copy_from_slice(&values);
        maps
    }

    fn difference(ours: &Maps, candles: &Maps) -> f32 {
        let (ours, candles) = (ours.planes().unwrap(), candles.planes().unwrap());
        assert_eq!(ours.len(), candles.len());
        let pairs = ours.iter().flatten().zip(candles.iter().flatten());
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    /// Candle's convolution is slow but right; every geometry agrees with it, on sides that the
    /// strides divide and on sides that they do not.
    #[test]
    fn equals_candles() {
        for padding in [Padding::Each(0), Padding::Each(1), Padding::Each(3), Padding::Same] {
            for (kernel, stride) in [(1, 1), (1, 2), (3, 1), (3, 2), (5, 1), (5, 2), (7, 2)] {
                let geometry = Kernel::square(kernel, stride, padding);
                for (rows, columns) in [(8, 8), (7, 9), (12, 7)] {
                    let (x, planes) = both(3, 4, rows, columns);
                    let (out_rows, out_columns) = geometry.outputs(rows, columns);
                    let (residual, residual_planes) = both(3, 5, out_rows, out_columns);
                    let ours = Conv::new(folded(4, 5, geometry), &Device::cpu()).unwrap();
                    let candles =
                        Conv::new(folded(4, 5, geometry), &Device::cpu_by_candle()).unwrap();
                    let what = format!("{geometry:?} on {rows}x{columns}");
                    let apart =
                        difference(&ours.forward(&x).unwrap(), &candles.forward(&planes).unwrap());
                    assert!(apart < 1e-4, "{what}: {apart}");
                    let apart = difference(
                        &ours.forward_onto(&x, &residual).unwrap(),
                        &candles.forward_onto(&planes, &residual_planes).unwrap(),
                    );
                    assert!(apart < 1e-4, "{what}, onto another: {apart}");
                }
            }
        }
    }

    /// As many channels as it takes for Winograd's transform, on sides of whole and of broken tiles.
    #[test]
    fn transformed_equals_candles() {
        for padding in [Padding::Each(0), Padding::Each(1), Padding::Same] {
            let geometry = Kernel::square(3, 1, padding);
            for (rows, columns) in [(8, 8), (7, 9), (30, 6)] {
                let (x, planes) = both(3, 32, rows, columns);
                let (out_rows, out_columns) = geometry.outputs(rows, columns);
                let (residual, residual_planes) = both(3, 48, out_rows, out_columns);
                let ours = Conv::new(folded(32, 48, geometry), &Device::cpu()).unwrap();
                assert!(matches!(ours, Conv::Winograd(_)));
                let candles =
                    Conv::new(folded(32, 48, geometry), &Device::cpu_by_candle()).unwrap();
                let pairs = [
                    (ours.forward(&x), candles.forward(&planes)),
                    (
                        ours.forward_onto(&x, &residual),
                        candles.forward_onto(&planes, &residual_planes),
                    ),
                ];
                for (ours, candles) in pairs {
                    let apart = difference(&ours.unwrap(), &candles.unwrap());
                    assert!(apart < 1e-3, "{geometry:?} on {rows}x{columns}: {apart}");
                }
            }
        }
    }

    #[test]
    fn depthwise_equals_candles() {
        for padding in [Padding::Each(0), Padding::Each(1), Padding::Same] {
            for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
                let geometry = Kernel::square(kernel, stride, padding);
                for (rows, columns, channels) in [(8, 8, 32), (7, 9, 16), (12, 7, 21)] {
                    let (x, planes) = both(2, channels, rows, columns);
                    let ours = Conv::new(folded(1, channels, geometry), &Device::cpu()).unwrap();
                    let candles =
                        Conv::new(folded(1, channels, geometry), &Device::cpu_by_candle());
                    let candles = candles.unwrap().forward(&planes).unwrap();
                    let apart = difference(&ours.forward(&x).unwrap(), &candles);
                    assert!(apart < 1e-4, "{geometry:?} on {rows}x{columns}: {apart}");
                }
            }
        }
    }

    /// Kernels that are wider than tall and the other way round, with padding along one axis only.
    #[test]
    fn flat_kernels_equal_candles() {
        let axis =
            |kernel: usize| Geometry { kernel, stride: 1, padding: Padding::Each(kernel / 2) };
        for (down, across) in [(1, 7), (7, 1), (3, 1), (1, 3)] {
            let geometry = Kernel { down: axis(down), across: axis(across) };
            let (x, planes) = both(2, 4, 9, 17);
            let ours = Conv::new(folded(4, 33, geometry), &Device::cpu()).unwrap();
            let candles = Conv::new(folded(4, 33, geometry), &Device::cpu_by_candle()).unwrap();
            let candles = candles.forward(&planes).unwrap();
            let apart = difference(&ours.forward(&x).unwrap(), &candles);
            assert!(apart < 1e-4, "{geometry:?}: {apart}");
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let point = Kernel::square(1, 1, Padding::Same);
        let nan = Tensor::full(f32::NAN, (1, 2, 1, 1), &candle_core::Device::Cpu).unwrap();
        let x = places(&Maps::of_tensor(nan).unwrap());
        let (residual, _) = both(1, 2, 1, 1);
        let dense = Conv::new(folded(2, 2, point), &Device::cpu()).unwrap();
        let depthwise = Conv::new(folded(1, 2, point), &Device::cpu()).unwrap();
        for y in [dense.forward(&x), dense.forward_onto(&x, &residual), depthwise.forward(&x)] {
            assert!(y.unwrap().planes().unwrap()[0].iter().all(|y| y.is_nan()));
        }
    }
}
