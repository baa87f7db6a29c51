//! Sixteen points a slot, each slot over axes of its own.

use rayon::prelude::*;

/// The points of a slot.
pub(in crate::graph) const POINTS: usize = 16;
/// Rounds of Lloyd's iteration.
const ROUNDS: usize = 12;

/// Slot `j` has the axes `starts[j]..starts[j + 1]`; each axis has the places of the slot's points on it.
#[derive(Debug)]
pub(in crate::graph) struct Codebook {
    pub(in crate::graph) starts: Vec<u16>,
    pub(in crate::graph) points: Vec<[f32; POINTS]>,
}

/// Deals axes out to slots so that each slot has about as much to tell: the next axis goes to the
/// slot that has the least so far. Returns the axes of each slot.
///
/// What an axis has to tell is the logarithm of its variance above the least (as bits are shared out among
/// Gaussian sources), and a little for itself.
pub(super) fn deal(variances: &[f32], slots: usize) -> Vec<Vec<usize>> {
    const ITSELF: f32 = 0.3;
    let largest = variances.iter().copied().fold(0.0f32, f32::max).max(f32::MIN_POSITIVE);
    let least = variances.iter().copied().fold(f32::MAX, f32::min).max(largest * 1e-6);
    let mut dealt = vec![Vec::new(); slots];
    let mut told = vec![0.0f32; slots];
    for (axis, &variance) in variances.iter().enumerate() {
        let mut to = 0;
        for slot in 1..slots {
            if told[slot] < told[to] {
                to = slot;
            }
        }
        dealt[to].push(axis);
        told[to] += (variance.max(least) / least).ln() + ITSELF;
    }
    dealt
}

impl Codebook {
    /// Learns the points from samples with their axes in the order of the slots.
    pub(super) fn learn(samples: &[f32], starts: Vec<u16>) -> Self {
        let axes = starts.last().map_or(0, |&end| usize::from(end));
        let slots: Vec<Vec<[f32; POINTS]>> = starts
            .par_windows(2)
            .map(|ends| {
                let range = usize::from(ends[0])..usize::from(ends[1]);
                let part = |sample: &[f32]| sample[range.clone()].to_vec();
                let samples: Vec<f32> = samples.chunks(axes).flat_map(part).collect();
                sixteen_means(&samples, range.len())
            })
            .collect();
        Codebook { starts, points: slots.concat() }
    }

    pub(in crate::graph) fn slots(&self) -> usize {
        self.starts.len() - 1
    }

    pub(in crate::graph) fn axes(&self) -> usize {
        self.points.len()
    }

    /// The product of what these codes stand for with a vector on the axes.
    pub(super) fn product(&self, codes: &[u8], on_axes: &[f32]) -> f32 {
        let mut product = 0.0;
        for (ends, &code) in self.starts.windows(2).zip(codes) {
            let range = usize::from(ends[0])..usize::from(ends[1]);
            for (points, x) in self.points[range.clone()].iter().zip(&on_axes[range]) {
                product += points[usize::from(code)] * x;
            }
        }
        product
    }

    /// The nearest point of each slot.
    pub(super) fn encode(&self, sample: &[f32], codes: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor must have AVX2, and was asked.
            return unsafe { encode_avx2(self, sample, codes) };
        }
        encode(self, sample, codes);
    }
}

/// The same for wider registers. No multiplication is fused with an addition, so the same bits too.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn encode_avx2(codebook: &Codebook, sample: &[f32], codes: &mut [u8]) {
    encode(codebook, sample, codes);
}

#[inline(always)]
fn encode(codebook: &Codebook, sample: &[f32], codes: &mut [u8]) {
    for (ends, code) in codebook.starts.windows(2).zip(codes) {
        let range = usize::from(ends[0])..usize::from(ends[1]);
        *code = nearest(&codebook.points[range.clone()], &sample[range]) as u8;
    }
}

/// The nearest point, the first of equals.
#[inline(always)]
fn nearest(points: &[[f32; POINTS]], sample: &[f32]) -> usize {
    let mut distances = [0.0f32; POINTS];
    for (points, &x) in points.iter().zip(sample) {
        for (distance, point) in distances.iter_mut().zip(points) {
            let apart = point - x;
            *distance += apart * apart;
        }
    }
    let mut best = 0;
    for (point, distance) in distances.iter().enumerate() {
        if *distance < distances[best] {
            best = point;
        }
    }
    best
}

/// Lloyd's iteration, from samples at even steps along the first axis.
fn sixteen_means(samples: &[f32], axes: usize) -> Vec<[f32; POINTS]> {
    let mut points = vec![[0.0f32; POINTS]; axes];
    if axes == 0 || samples.is_empty() {
        return points;
    }
    let count = samples.len() / axes;
    let mut by_first: Vec<usize> = (0..count).collect();
    by_first.sort_by(|&a, &b| samples[a * axes].total_cmp(&samples[b * axes]));
    for point in 0..POINTS {
        let from = by_first[(2 * point + 1) * count / (2 * POINTS)] * axes;
        for (points, &x) in points.iter_mut().zip(&samples[from..]) {
            points[point] = x;
        }
    }
    for _ in 0..ROUNDS {
        let mut sums = vec![[0.0f64; POINTS]; axes];
        let mut counts = [0u32; POINTS];
        for sample in samples.chunks(axes) {
            let point = nearest(&points, sample);
            counts[point] += 1;
            for (sums, &x) in sums.iter_mut().zip(sample) {
                sums[point] += f64::from(x);
            }
        }
        for (points, sums) in points.iter_mut().zip(&sums) {
            for ((point, sum), &count) in points.iter_mut().zip(sums).zip(&counts) {
                // A point that nobody is near to stays where it is.
                if count > 0 {
                    *point = (sum / f64::from(count)) as f32;
                }
            }
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_with_more_to_tell_have_slots_of_their_own() {
        assert_eq!(
            deal(&[100.0, 50.0, 1.0, 1.0, 1.0, 1.0], 3),
            [vec![0], vec![1], vec![2, 3, 4, 5]]
        );
        assert_eq!(deal(&[1.0], 2), [vec![0], vec![]]);
        assert_eq!(deal(&[0.0, 0.0], 2), [vec![0], vec![1]]);
    }

    #[test]
    fn sixteen_values_are_their_own_points() {
        let samples: Vec<f32> = (0..160).map(|i| (i % 16) as f32 - 7.5).collect();
        let codebook = Codebook::learn(&samples, vec![0, 1]);
        let mut code = [0];
        for value in &samples[..16] {
            codebook.encode(&[*value], &mut code);
            assert_eq!(codebook.points[0][usize::from(code[0])], *value);
        }
    }
}
