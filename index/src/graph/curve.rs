//! How much a walk finds for how much breadth: measured when a segment is written, read when a query asks
//! for a recall.

use crate::error::Fault;

/// The breadths that are measured.
pub(super) const BREADTHS: [u32; 14] =
    [12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512];

/// A walk stops when the best row left is estimated to be less similar than the `k`-th found by more than
/// this slack, which grows with the breadth: with its root below [`SLACK_BREADTH`], where the breadth itself ends most
/// walks, and as itself above, so that any recall can be reached. 100,000 x 2048, breadth 48: 39 rows are
/// expanded and .994 of the best found; 49 and .9946 with twice the slack, 26 and .976 with half of it.
const SLACK: f32 = 2.0;
/// The breadth at which the slack is what stands above, in root mean square errors of an estimate.
const SLACK_BREADTH: f32 = 64.0;

/// One point of the [curve](crate::Graph::curve).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CurvePoint {
    /// The breadth of the walk.
    pub breadth: usize,
    /// The part of the ten best rows that it found.
    pub recall: f32,
}

/// Recall by breadth, and how good estimates are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// The root mean square error of an estimated similarity.
    pub(super) error: f32,
    /// The root mean square error of a sketched similarity; zero where there are no sketches.
    pub(super) sketch_error: f32,
    /// For each of [`BREADTHS`].
    pub(super) recalls: [f32; BREADTHS.len()],
}

impl Curve {
    /// The bytes of a curve in a file.
    pub(super) const LENGTH: usize = 64;

    pub(super) fn write(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let values = [&self.error].into_iter().chain(&self.recalls).chain([&self.sketch_error]);
        for (place, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8; Self::LENGTH]) -> Result<Self, Fault> {
        let value = |i: usize| f32::from_le_bytes(bytes.as_chunks().0[i]);
        let curve = Curve {
            error: value(0),
            recalls: std::array::from_fn(|i| value(i + 1)),
            sketch_error: value(1 + BREADTHS.len()),
        };
        let mut all = [curve.error, curve.sketch_error].into_iter().chain(curve.recalls);
        // NaN fails too.
        let sound = all.all(|value| (0.0..=1.0).contains(&value));
        if sound { Ok(curve) } else { Err(Fault::Graph("its curve is impossible")) }
    }

    /// The least breadth that reached this recall, or the largest that was measured.
    pub(super) fn breadth(&self, recall: f32) -> usize {
        let reached = self.recalls.iter().position(|&reached| reached >= recall);
        BREADTHS[reached.unwrap_or(BREADTHS.len() - 1)] as usize
    }

    pub(super) fn points(&self) -> impl Iterator<Item = CurvePoint> {
        BREADTHS
            .iter()
            .zip(self.recalls)
            .map(|(&breadth, recall)| CurvePoint { breadth: breadth as usize, recall })
    }
}

/// The slack of a walk of this breadth, for estimates with this error.
pub(super) fn slack(error: f32, breadth: usize) -> f32 {
    let wide = breadth as f32 / SLACK_BREADTH;
    SLACK * error * wide.max(wide.sqrt())
}

/// By how much a sketch may be wrong, in root mean square errors, about a row that is found all the same.
const DOUBT: f32 = 3.0;

/// How far a sketched similarity may lie below the last of the best for the row itself to be looked at.
pub(super) fn doubt(sketch_error: f32) -> f32 {
    DOUBT * sketch_error
}
