//! Which of a modality's segments are written anew together with what a run adds: what is merged, and when.
//!
//! A run writes its new vectors into a segment of their own, so that the cost of a change goes with its
//! size. But every segment costs a search something, and dead vectors cost it more, so segments have to be
//! merged at times. The rule is that of log-structured trees: segments fall into tiers by size, each tier
//! holding [`GROWTH`] times as many vectors as the one below, and whatever a run writes takes with it all
//! segments of its own tier and below. So at most one segment of a tier stays (two, after one has
//! shrunk), five or six for a million vectors, and a vector is written again about `GROWTH` times in each
//! tier, a dozen times on its way from the smallest to the largest: as often as its neighbours multiply, not
//! as often as somebody changes a price. Where more than [`MAX_DEAD`] of a segment is dead it is written
//! anew at once: that much of what it costs to read and to store is wasted.
//!
//! Nothing here looks at a clock or draws lots: the same runs lead to the same segments.

/// Of less than this no segment is too small to be copied at every change: 4,096 vectors of 2048 values are 16 MB,
/// written in some hundredths of a second, where embedding a single picture takes as long. It is also where a
/// graph begins to pay in a segment beside larger ones.
pub(super) const SMALLEST: u64 = 4096;
/// How many times more a tier holds than the one below.
const GROWTH: u64 = 4;
/// The part of a segment that may be dead.
const MAX_DEAD: f64 = 0.25;
/// More segments than these are never kept, whatever their tiers.
const MAX_SEGMENTS: usize = 8;

/// How large a segment is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub(super) alive: u64,
    pub(super) dead: u64,
}

/// Which of the segments are to be written anew, together with so many fresh vectors.
pub(super) fn merged(segments: &[Size], fresh: u64) -> Vec<bool> {
    let too_dead = |s: &Size| s.dead as f64 > MAX_DEAD * (s.alive + s.dead) as f64;
    let mut merged: Vec<bool> = segments.iter().map(too_dead).collect();
    loop {
        let taken = segments.iter().zip(&merged).filter(|&(_, &merged)| merged);
        let rows = fresh + taken.map(|(segment, _)| segment.alive).sum::<u64>();
        let kept = merged.iter().filter(|&&merged| !merged).count();
        if rows == 0 && kept <= MAX_SEGMENTS {
            return merged;
        }
        let left = segments.iter().zip(&mut merged).filter(|(_, merged)| !**merged);
        match left.min_by_key(|(segment, _)| segment.alive) {
            Some((least, merged)) if tier(least.alive) <= tier(rows) || kept >= MAX_SEGMENTS => {
                *merged = true;
            }
            _ => return merged,
        }
    }
}

fn tier(vectors: u64) -> u32 {
    (vectors / SMALLEST).checked_ilog(GROWTH).map_or(0, |tier| tier + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alive(sizes: &[u64]) -> Vec<Size> {
        sizes.iter().map(|&alive| Size { alive, dead: 0 }).collect()
    }

    #[test]
    fn small_changes_leave_large_segments_alone() {
        assert_eq!(merged(&alive(&[100_000]), 1), [false]);
        assert_eq!(merged(&alive(&[100_000, 900]), 1), [false, true]);
        assert_eq!(merged(&alive(&[100_000, 5_000, 900]), 1), [false, false, true]);
        // 900 and 3,500 make a segment of the next tier, which takes the 5,000 with it.
        assert_eq!(merged(&alive(&[100_000, 5_000, 900]), 3_500), [false, true, true]);
        assert_eq!(merged(&alive(&[100_000, 5_000]), 70_000), [true, true]);
        assert_eq!(merged(&alive(&[3_000]), 1), [true]);
    }

    #[test]
    fn the_dead_are_cleared_away() {
        let half_dead = |alive| Size { alive, dead: alive };
        assert_eq!(merged(&[Size { alive: 75, dead: 25 }], 0), [false]);
        assert_eq!(merged(&[half_dead(100_000), Size { alive: 7, dead: 0 }], 0), [true, true]);
        assert_eq!(merged(&[Size { alive: 0, dead: 10 }], 0), [true]);
        let large = Size { alive: 100_000, dead: 30_000 };
        assert_eq!(merged(&[large, half_dead(6_000)], 0), [false, true]);
        // Nothing is new and nobody is too dead: nothing is written.
        assert_eq!(merged(&[large, Size { alive: 10, dead: 1 }], 0), [false, false]);
    }

    proptest! {
        /// A collection that is changed by runs of any size, for long.
        #[test]
        fn segments_stay_few_and_are_seldom_written(runs in prop::collection::vec((1u64..20_000, 0u64..3), 1..400)) {
            let (mut sizes, mut written, mut pushed): (Vec<Size>, u64, u64) = (vec![Size { alive: 50_000, dead: 0 }], 0, 0);
            for (fresh, superseded) in runs {
                for size in &mut sizes {
                    let dies = size.alive.min(superseded * fresh / 10);
                    (size.alive, size.dead) = (size.alive - dies, size.dead + dies);
                }
                let merged = merged(&sizes, fresh);
                let taken: u64 = sizes.iter().zip(&merged).filter(|(_, m)| **m).map(|(s, _)| s.alive).sum();
                let mut kept = merged.into_iter();
                sizes.retain(|_| !kept.next().unwrap());
                sizes.push(Size { alive: fresh + taken, dead: 0 });
                written += taken;
                pushed += fresh;
                prop_assert!(sizes.len() <= MAX_SEGMENTS);
                prop_assert!(sizes.iter().all(|s| s.dead * 4 <= s.alive + s.dead));
            }
            // At the most GROWTH times a tier on the way up, and once more for the dead.
            let total: u64 = sizes.iter().map(|s| s.alive + s.dead).sum();
            let tiers = u64::from(tier(total)) + 1;
            prop_assert!(written <= (GROWTH + 1) * tiers * (pushed + 50_000), "{written} of {pushed}");
        }
    }
}
