//! Convolution of each channel with a kernel of its own.
//!
//! There is no matrix product to hide in, so the sums are made directly: each plane is copied once into
//! a frame of zeros, its columns sorted by their remainder modulo the stride, after which every tap of
//! eight neighbouring outputs is eight neighbouring numbers.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape};

use super::conv::{Geometry, elements};

/// Outputs summed together.
const LANES: usize = 8;

/// (channels, pictures, rows, columns), and a kernel a channel.
pub(super) struct Depthwise(pub(super) Geometry);

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (channels, pictures, rows, columns) = x_layout.shape().dims4()?;
        let (x, weight) = (elements(x, x_layout)?, elements(weight, weight_layout)?);
        let mut frame = Frame::new(self.0, rows, columns);
        let (out_rows, out_columns) = (frame.out_rows, frame.out_columns);
        let mut out = vec![0f32; channels * pictures * out_rows * out_columns];
        let taps = self.0.kernel * self.0.kernel;
        let planes = x.chunks_exact(rows * columns);
        let targets = out.chunks_exact_mut(out_rows * out_columns);
        for (index, (plane, target)) in planes.zip(targets).enumerate() {
            frame.fill(plane, columns);
            frame.sum(&weight[index / pictures * taps..][..taps], target);
        }
        Ok((CpuStorage::F32(out), Shape::from((channels, pictures, out_rows, out_columns))))
    }
}

/// A plane surrounded by zeros. Row by row; in each row, the columns of each remainder together.
struct Frame {
    values: Vec<f32>,
    geometry: Geometry,
    /// Zeros above and to the left.
    top: usize,
    left: usize,
    out_rows: usize,
    out_columns: usize,
    rows: usize,
    /// Columns of each remainder, enough for whole groups of lanes.
    width: usize,
}

impl Frame {
    fn new(geometry: Geometry, rows: usize, columns: usize) -> Self {
        let Geometry { kernel, stride, .. } = geometry;
        let (top, out_rows) = geometry.along(rows);
        let (left, out_columns) = geometry.along(columns);
        let lanes = out_columns.next_multiple_of(LANES) + kernel.div_ceil(stride);
        let width = lanes.max((left + columns).div_ceil(stride));
        let rows = ((out_rows - 1) * stride + kernel).max(top + rows);
        let values = vec![0.0; rows * stride * width];
        Frame { values, geometry, top, left, out_rows, out_columns, rows, width }
    }

    /// Puts a plane into the frame, over the one before it.
    fn fill(&mut self, plane: &[f32], columns: usize) {
        let stride = self.geometry.stride;
        let framed = self.values.chunks_exact_mut(stride * self.width).skip(self.top);
        for (target, row) in framed.zip(plane.chunks_exact(columns)) {
            for (remainder, target) in target.chunks_exact_mut(self.width).enumerate() {
                // The first column of this remainder that lies on the plane, in the frame's counting.
                let first = self.left.saturating_sub(remainder).div_ceil(stride);
                let from = &row[first * stride + remainder - self.left..];
                if stride == 1 {
                    target[first..][..from.len()].copy_from_slice(from);
                } else {
                    let from = from.iter().step_by(stride);
                    target[first..].iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    fn sum(&self, kernel: &[f32], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just said that it has AVX2, which is all the function asks for.
            return unsafe { self.sum_with_avx2(kernel, out) };
        }
        self.sum_by_size(kernel, out);
    }

    /// The same instructions in registers twice as wide; products and sums round alike in both.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn sum_with_avx2(&self, kernel: &[f32], out: &mut [f32]) {
        self.sum_by_size(kernel, out);
    }

    /// Lets the compiler unroll the sizes that occur.
    #[inline(always)]
    fn sum_by_size(&self, kernel: &[f32], out: &mut [f32]) {
        match (self.geometry.kernel, self.geometry.stride) {
            (3, 1) => self.sum_taps(kernel, out, 3, 1),
            (3, 2) => self.sum_taps(kernel, out, 3, 2),
            (5, 1) => self.sum_taps(kernel, out, 5, 1),
            (5, 2) => self.sum_taps(kernel, out, 5, 2),
            (size, stride) => self.sum_taps(kernel, out, size, stride),
        }
    }

    #[inline(always)]
    fn sum_taps(&self, kernel: &[f32], out: &mut [f32], size: usize, stride: usize) {
        let row = stride * self.width;
        debug_assert!((self.out_rows - 1) * stride + size <= self.rows);
        for (y, out) in out.chunks_exact_mut(self.out_columns).enumerate() {
            let under = &self.values[y * stride * row..][..size * row];
            for (group, out) in out.chunks_mut(LANES).enumerate() {
                let mut sums = [0f32; LANES];
                for tap_y in 0..size {
                    for tap_x in 0..size {
                        let weight = kernel[tap_y * size + tap_x];
                        let start = tap_y * row
                            + tap_x % stride * self.width
                            + tap_x / stride
                            + group * LANES;
                        let x = &under[start..start + LANES];
                        for lane in 0..LANES {
                            sums[lane] += weight * x[lane];
                        }
                    }
                }
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }
}
