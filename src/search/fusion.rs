//! Exact fusion: every item's cosine in every part of the query, weighted and summed.
//!
//! With unit vectors `sum w_p cos(q_p, x)` is one inner product of the weighted, concatenated vectors,
//! so scoring everything and sorting is exact for any weights. **An item that has nothing of a modality
//! scores 0 there**: as if its vector were at right angles to the query. It is neither thrown out, for
//! it may answer well in what it has, nor lifted by leaving the part out of the sum, for a similarity
//! that nobody measured must not count in its favour. An item that has none of the query's modalities
//! is no answer.

use std::cmp::Ordering;

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
    let ranked = best(&scanned, top, excluded);

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

/// The `top` best of all items that have at least one of the parts' modalities.
fn best(scanned: &[Scanned], top: usize, excluded: &[u32]) -> Vec<(u32, f32)> {
    let mut best = Best::new(top);
    let mut offer = |id: u32, score: f32| {
        if best.may_keep(score) && !excluded.contains(&id) {
            best.keep(id, score);
        }
    };
    match scanned {
        // The weighted cosines are the scores; what is added makes a negative zero a plain one.
        [only] => {
            let scores = only.cosines.iter().map(|cosine| 0.0 + only.part.weight * cosine);
            only.part.segment.ids().zip(scores).for_each(|(id, score)| offer(id, score));
        }
        several => {
            let totals = totals(several).into_iter().enumerate();
            totals
                .filter(|(_, total)| !total.is_nan())
                .for_each(|(id, total)| offer(id as u32, total));
        }
    }
    best.into_sorted()
}

/// The score of every item by its number; no number where it has none of the parts' modalities.
fn totals(scanned: &[Scanned]) -> Vec<f32> {
    // Ids are dense, so that a table over all of them is smaller than the vectors that were just read.
    let last = scanned.iter().filter_map(|scan| scan.part.segment.ids().last()).max();
    let mut totals = vec![f32::NAN; last.map_or(0, |id| id as usize + 1)];
    for scan in scanned {
        for (id, &cosine) in scan.part.segment.ids().zip(&scan.cosines) {
            let total = &mut totals[id as usize];
            let before = if total.is_nan() { 0.0 } else { *total };
            *total = before + scan.part.weight * cosine;
        }
    }
    totals
}

/// The best of a stream of scores, in room for a few more than are wanted: whenever that is full, the
/// worse are thrown out, and what is no better than the worst of the rest is not let in any more.
struct Best {
    top: usize,
    room: usize,
    kept: Vec<(u32, f32)>,
    floor: f32,
}

impl Best {
    fn new(top: usize) -> Self {
        let room = top.saturating_mul(2).max(64);
        Best { top, room, kept: Vec::new(), floor: f32::NEG_INFINITY }
    }

    /// Cheap, for the many that cannot be among them.
    fn may_keep(&self, score: f32) -> bool {
        score >= self.floor
    }

    fn keep(&mut self, id: u32, score: f32) {
        self.kept.push((id, score));
        if self.kept.len() >= self.room {
            self.throw_out();
        }
    }

    fn throw_out(&mut self) {
        if self.kept.len() > self.top {
            let (_, &mut (_, floor), _) = self.kept.select_nth_unstable_by(self.top, better);
            // Equal is of interest, for its id.
            self.floor = floor;
            self.kept.truncate(self.top);
        }
    }

    fn into_sorted(mut self) -> Vec<(u32, f32)> {
        self.throw_out();
        self.kept.sort_unstable_by(better);
        self.kept
    }
}

/// Higher scores first, equal ones by ascending number.
fn better(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
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
        let sign = self.part.weight.signum();
        let value = |row: usize| sign * self.cosines[row];
        let better = |a: usize, b: usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
        let mut asked: Vec<usize> = rows.iter().flatten().copied().collect();
        asked.sort_unstable_by(|&a, &b| better(a, b));
        let Some(&last) = asked.last() else { return vec![None; rows.len()] };
        let worst = value(last);
        let mut ahead = vec![0u32; asked.len()];
        for (row, cosine) in self.cosines.iter().enumerate() {
            // Most rows are worse than all of the asked, and are ahead of none.
            if sign * cosine >= worst && better(row, last).is_lt() {
                ahead[asked.partition_point(|&other| better(other, row).is_le())] += 1;
            }
        }
        let mut rank = 0;
        for count in &mut ahead {
            rank += *count;
            *count = rank + 1;
        }
        let place = |row: usize| asked.partition_point(|&other| better(other, row).is_lt());
        rows.iter().map(|row| row.map(|row| ahead[place(row)])).collect()
    }
}
