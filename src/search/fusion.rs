//! Exact fusion: every item's cosine in every part of the query, weighted and summed.
//!
//! With unit vectors `sum w_p cos(q_p, x)` is one inner product of the weighted, concatenated vectors,
//! so scoring everything and sorting is exact for any weights. **An item that has nothing of a modality
//! scores 0 there**: as if its vector were at right angles to the query. It is neither thrown out, for
//! it may answer well in what it has, nor lifted by leaving the part out of the sum, for a similarity
//! that nobody measured must not count in its favour. An item that has none of the query's modalities
//! is no answer.

use lookalike_index::{QueryError, Segment};

use super::hit::{Part, Receipt};
use crate::encode::{Embedding, Modality};

/// One term of a query in one modality, ready to be compared.
pub(super) struct QueryPart<'a> {
    pub(super) term: String,
    pub(super) modality: Modality,
    pub(super) weight: f32,
    pub(super) embedding: Embedding,
    pub(super) segment: &'a Segment,
}

/// A query part with its cosine to every row of its segment.
struct Scanned<'a> {
    part: &'a QueryPart<'a>,
    cosines: Vec<f32>,
}

/// An item's number, its score and how that came about.
pub(super) struct Fused {
    pub(super) id: u32,
    pub(super) score: f32,
    pub(super) receipt: Receipt,
}

/// The `top` best items that are not `excluded`, best first, equal scores by ascending number.
pub(super) fn fuse(
    parts: &[QueryPart],
    top: usize,
    excluded: &[u32],
) -> Result<Vec<Fused>, QueryError> {
    let scanned = parts.iter().map(scan).collect::<Result<Vec<_>, _>>()?;
    let mut ranked = scores(&scanned);
    ranked.retain(|(id, _)| !excluded.contains(id));
    let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if ranked.len() > top {
        ranked.select_nth_unstable_by(top, better);
        ranked.truncate(top);
    }
    ranked.sort_unstable_by(better);

    let ids: Vec<u32> = ranked.iter().map(|&(id, _)| id).collect();
    let columns: Vec<Vec<Part>> = scanned.iter().map(|scan| scan.parts_for(&ids)).collect();
    let fused = ranked.into_iter().enumerate().map(|(place, (id, score))| {
        let parts = columns.iter().map(|column| column[place].clone()).collect();
        Fused { id, score, receipt: Receipt { parts } }
    });
    Ok(fused.collect())
}

fn scan<'a>(part: &'a QueryPart<'a>) -> Result<Scanned<'a>, QueryError> {
    let mut cosines = vec![0.0; part.segment.len()];
    part.segment.scan(&part.embedding, &mut cosines)?;
    Ok(Scanned { part, cosines })
}

/// The score of every item that has at least one of the parts' modalities, by ascending number.
fn scores(scanned: &[Scanned]) -> Vec<(u32, f32)> {
    // Ids are dense, so that a table over all of them is smaller than the vectors that were just read.
    let last = scanned.iter().filter_map(|scan| scan.part.segment.ids().last()).max();
    let places = last.map_or(0, |id| id as usize + 1);
    let mut totals: Vec<Option<f32>> = vec![None; places];
    for scan in scanned {
        for (id, &cosine) in scan.part.segment.ids().zip(&scan.cosines) {
            let total = &mut totals[id as usize];
            *total = Some(total.unwrap_or(0.0) + scan.part.weight * cosine);
        }
    }
    let scored = totals.into_iter().enumerate();
    scored.filter_map(|(id, total)| Some((id as u32, total?))).collect()
}

impl Scanned<'_> {
    /// This part of the receipts of some items.
    fn parts_for(&self, ids: &[u32]) -> Vec<Part> {
        let rows: Vec<Option<usize>> =
            ids.iter().map(|&id| self.part.segment.row_of(id).map(|row| row as usize)).collect();
        let ranks = self.ranks(&rows);
        let part = |(row, rank): (Option<usize>, Option<u32>)| {
            let cosine = row.map(|row| self.cosines[row]);
            Part {
                term: self.part.term.clone(),
                modality: self.part.modality,
                weight: self.part.weight,
                cosine,
                rank,
                share: self.part.weight * cosine.unwrap_or(0.0),
            }
        };
        rows.into_iter().zip(ranks).map(part).collect()
    }

    /// The places that some rows would take if this part alone decided. One pass over the cosines for
    /// all of them: it counts, for each, those that fall right before it, and then sums the counts up.
    fn ranks(&self, rows: &[Option<usize>]) -> Vec<Option<u32>> {
        // Under a negative weight the least similar is the best answer.
        let value = |row: usize| self.part.weight.signum() * self.cosines[row];
        let better = |a: usize, b: usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
        let mut asked: Vec<usize> = rows.iter().flatten().copied().collect();
        asked.sort_unstable_by(|&a, &b| better(a, b));
        let mut ahead = vec![0u32; asked.len() + 1];
        for row in 0..self.cosines.len() {
            ahead[asked.partition_point(|&other| better(other, row).is_le())] += 1;
        }
        let mut rank = 0;
        let ranks: Vec<u32> = ahead
            .iter()
            .map(|&count| {
                rank += count;
                rank + 1
            })
            .collect();
        rows.iter()
            .map(|&row| {
                let row = row?;
                let place = asked.partition_point(|&other| better(other, row).is_lt());
                Some(ranks[place])
            })
            .collect()
    }
}
