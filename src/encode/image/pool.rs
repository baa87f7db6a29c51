//! Pooling over (channels, pictures, rows, columns).

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::conv::{Geometry, Padding, elements};

/// The largest of each 3x3 neighbourhood, every second row and column; padding never wins.
pub(super) fn max_3x3_stride_2(x: &Tensor) -> Result<Tensor> {
    if x.device().is_cpu() {
        return x.apply_op1_no_bwd(&Max3x3);
    }
    // Behind a ReLU a zero never beats what it stands beside.
    x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?.max_pool2d_with_stride(3, 2)
}

/// The mean of each channel of each picture: (pictures, channels).
pub(super) fn mean(x: &Tensor) -> Result<Tensor> {
    x.flatten_from(2)?.mean(2)?.t()?.contiguous()
}

struct Max3x3;

impl CustomOp1 for Max3x3 {
    fn name(&self) -> &'static str {
        "max pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let geometry = Geometry { kernel: 3, stride: 2, padding: Padding::Each(1) };
        let (channels, pictures, rows, columns) = layout.shape().dims4()?;
        let x = elements(storage, layout)?;
        let (_, out_rows) = geometry.along(rows);
        let (_, out_columns) = geometry.along(columns);
        let mut pooled = Vec::with_capacity(channels * pictures * out_rows * out_columns);
        let mut tallest = vec![0f32; columns];
        for plane in x.chunks_exact(rows * columns) {
            for y in 0..out_rows {
                tallest.fill(f32::NEG_INFINITY);
                let under = (2 * y).saturating_sub(1)..(2 * y + 2).min(rows);
                for row in plane[under.start * columns..under.end * columns].chunks_exact(columns) {
                    tallest.iter_mut().zip(row).for_each(|(top, &x)| *top = larger(*top, x));
                }
                pooled.extend((0..out_columns).map(|x| {
                    let under = (2 * x).saturating_sub(1)..(2 * x + 2).min(columns);
                    tallest[under].iter().copied().fold(f32::NEG_INFINITY, larger)
                }));
            }
        }
        let shape = Shape::from((channels, pictures, out_rows, out_columns));
        Ok((CpuStorage::F32(pooled), shape))
    }
}

/// The larger number; what is not a number wins, so that it is not lost.
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn pools_by_hand() {
        let x = Tensor::new(
            &[
                [[[-1f32, -2., -3.], [-4., -5., -6.], [-7., -8., -9.]]],
                [[[1., 2., 9.], [3., 4., 0.], [5., 8., 7.]]],
            ],
            &Device::Cpu,
        )
        .unwrap();
        let pooled = max_3x3_stride_2(&x).unwrap();
        assert_eq!(pooled.dims(), [2, 1, 2, 2]);
        let values: Vec<f32> = pooled.flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(values, [-1., -2., -4., -5., 4., 9., 8., 8.]);
        let mean = mean(&x).unwrap();
        assert_eq!(mean.to_vec2::<f32>().unwrap(), [[-5.0, 39.0 / 9.0]]);
    }
}
