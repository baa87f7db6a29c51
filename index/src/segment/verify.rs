//! Reads every byte of a segment, which `open` does not.

use rayon::prelude::*;

use super::format::{self, Layout, Section};
use crate::error::Fault;
use crate::graph;
use crate::vectors::Vectors;

/// How far the length of an accepted vector may be from one.
pub(super) const NORM_TOLERANCE: f64 = 1e-3;
/// How far rounding to 16 bits may move it further: half a unit in the last place of each component.
const F16_ROUNDING: f64 = 5e-4;

/// The first damage in the order of the file, if there is any.
pub(super) fn verify(bytes: &[u8], layout: &Layout, vectors: &Vectors<'_>) -> Result<(), Fault> {
    let mut end = format::table_end(layout.sections.len());
    for section in &layout.sections {
        check_gap(bytes, end, section)?;
        end = section.range.end;
        if checksum(&bytes[section.range.clone()]) != section.checksum {
            return Err(Fault::SectionChecksum(section.name()));
        }
    }
    if let Some((range, graph)) = &layout.graph {
        graph::verify(graph, &bytes[range.clone()], layout.rows)?;
    }
    check_ids(vectors)?;
    match (0..vectors.len()).into_par_iter().find_map_first(|row| damage(vectors, row)) {
        Some(fault) => Err(fault),
        None => Ok(()),
    }
}

fn check_gap(bytes: &[u8], end: usize, section: &Section) -> Result<(), Fault> {
    match bytes[end..section.range.start].iter().all(|&byte| byte == 0) {
        true => Ok(()),
        false => Err(Fault::Gap(section.name())),
    }
}

/// The checksum of a section, whose parts all cores read.
fn checksum(bytes: &[u8]) -> u32 {
    let part = |bytes: &[u8]| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(bytes);
        hasher
    };
    bytes
        .par_chunks(4 << 20)
        .map(part)
        .reduce(crc32fast::Hasher::new, |mut left, right| {
            left.combine(&right);
            left
        })
        .finalize()
}

fn check_ids(vectors: &Vectors<'_>) -> Result<(), Fault> {
    for row in 1..vectors.len() {
        if vectors.id(row) <= vectors.id(row - 1) {
            return Err(Fault::IdOrder(row as u32));
        }
    }
    Ok(())
}

fn damage(vectors: &Vectors<'_>, row: usize) -> Option<Fault> {
    let components = vectors.row(row);
    if !components.iter().all(|x| x.is_finite()) {
        return Some(Fault::NotFinite(row as u32));
    }
    let norm = norm(&components);
    let unit = (norm - 1.0).abs() <= NORM_TOLERANCE + F16_ROUNDING;
    (!unit).then_some(Fault::NotUnit { row: row as u32, norm })
}

/// The length of a vector, in `f64` because the squares of its components may leave `f32`.
pub(super) fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt()
}
