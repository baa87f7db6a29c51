//! What must hold of a whole graph.

use super::layout::{Axes, GraphLayout};
use super::sketch::Shared;
use crate::error::Fault;

/// The first thing that does not hold, if any: links are rows, scales are lengths, gaps are zero, and a walk
/// from the entry can reach every row.
pub(crate) fn verify(layout: &GraphLayout, section: &[u8], rows: usize) -> Result<(), Fault> {
    if section[layout.gap()].iter().any(|&byte| byte != 0) {
        return Err(Fault::Graph("a gap is not zero"));
    }
    let view = layout.view(section);
    let finite = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).is_finite();
    let half = |bytes: &[u8; 2]| half::f16::from_le_bytes(*bytes);
    let axes = match view.axes {
        Axes::Halves(axes) => axes.iter().all(|x| half(x).is_finite()),
        Axes::Turned { units, .. } => units.iter().all(finite),
    };
    if !axes || !view.points.as_flattened().iter().all(finite) {
        return Err(Fault::Graph("its codebook is not finite"));
    }
    let sound = |shared: Shared<'_>| shared.step.is_finite() && shared.mean.iter().all(finite);
    if !view.sketches.is_none_or(sound) {
        return Err(Fault::Graph("its sketches are not finite"));
    }
    let mut reached = vec![false; rows];
    reached[view.entry as usize] = true;
    let mut open = vec![view.entry];
    while let Some(row) = open.pop() {
        let block = view.block(row);
        // So written that NaN fails. Two is the length of a diameter, of which a code tells a twentieth at least.
        if !block.factors.scales.iter().all(|scale| (0.0..=40.0).contains(&half(scale).to_f32())) {
            return Err(Fault::Graph("a scale is no length"));
        }
        if !block.factors.offsets.iter().all(|offset| half(offset).is_finite()) {
            return Err(Fault::Graph("an offset is not finite"));
        }
        for link in block.links {
            let to = u32::from_le_bytes(*link);
            match reached.get_mut(to as usize) {
                None => return Err(Fault::Graph("a link leads to no row")),
                Some(reached) if !*reached => {
                    *reached = true;
                    open.push(to);
                }
                Some(_) => {}
            }
        }
    }
    match reached.iter().all(|&reached| reached) {
        true => Ok(()),
        false => Err(Fault::Graph("a row cannot be reached")),
    }
}
