//! How much a walk finds for how much breadth: measured when a segment is written, read when a query asks
//! for a recall.

use crate::error::Fault;

/// The breadths that are measured.
pub(super) const BREADTHS: [u32; 14] =
    [12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512];

/// A walk stops when the best row left is estimated to be less similar than the `k`-th found by more than
/// this slack, which grows with the breadth: with its root below [`SLACK_BREADTH`], where the breadth itself ends most
/// walks, and as itself above, so that any recall can be reached. 100,000 x 768 at recall .99: 43 rows are
/// expanded; 52 without.
const SLACK: f32 = 1.0;
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
    /// For each of [`BREADTHS`].
    pub(super) recalls: [f32; BREADTHS.len()],
}

impl Curve {
    /// The bytes of a curve in a file.
    pub(super) const LENGTH: usize = 64;

    pub(super) fn write(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let values = std::iter::once(&self.error).chain(&self.recalls);
        for (place, value) in bytes.as_chunks_mut().0.iter_mut().zip(values) {
            *place = value.to_le_bytes();
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8; Self::LENGTH]) -> Result<Self, Fault> {
        let value = |i: usize| f32::from_le_bytes(bytes.as_chunks().0[i]);
        let curve = Curve { error: value(0), recalls: std::array::from_fn(|i| value(i + 1)) };
        // So written that NaN fails.
        let sound = curve.error >= 0.0
            && curve.error <= 1.0
            && curve.recalls.iter().all(|recall| (0.0..=1.0).contains(recall))
            && bytes[4 * (1 + BREADTHS.len())..] == [0; 4];
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
