//! Fusion: an item's cosines in every part of the query, weighted and summed.
//!
//! With unit vectors `sum w_p cos(q_p, x)` is one inner product of the weighted, concatenated vectors,
//! so any weights can be served from vectors that are stored once. **An item that has nothing of a
//! modality scores 0 there**: as if its vector were at right angles to the query. It is neither thrown
//! out, for it may answer well in what it has, nor lifted by leaving the part out of the sum, for a
//! similarity that nobody measured must not count in its favour. An item that has none of the query's
//! modalities is no answer.

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

/// An item's number, its score and how that came about.
pub(super) struct Fused {
    pub(super) id: u32,
    pub(super) score: f32,
    pub(super) receipt: Receipt,
}

/// A query part with its exact cosines to rows of its segment.
pub(super) struct Column<'a> {
    part: &'a QueryPart<'a>,
    /// Ascending by id.
    compared: Vec<Compared>,
    /// Down to which place the ranks among the compared rows are ranks among all.
    ranks_known: usize,
}

struct Compared {
    id: u32,
    cosine: f32,
}

impl<'a> Column<'a> {
    /// Compares every row.
    pub(super) fn of_all(part: &'a QueryPart<'a>) -> Result<Self, QueryError> {
        let mut cosines = vec![0.0; part.segment.len()];
        part.segment.scan(&part.embedding, &mut cosines)?;
        let ids = part.segment.ids();
        let compared = ids.zip(cosines).map(|(id, cosine)| Compared { id, cosine }).collect();
        Ok(Column { part, compared, ranks_known: part.segment.len() })
    }

    /// Compares some items, given by ascending id, as far as they are in the segment. All rows that are
    /// among the best `ranks_known` must be among them.
    pub(super) fn of_some(
        part: &'a QueryPart<'a>,
        ids: &[u32],
        ranks_known: usize,
    ) -> Result<Self, QueryError> {
        let found = ids.iter().filter_map(|&id| Some((id, part.segment.row_of(id)?)));
        let (ids, rows): (Vec<u32>, Vec<u32>) = found.unzip();
        let cosines = part.segment.similarities(&part.embedding, &rows)?;
        let compared = ids.into_iter().zip(cosines);
        let compared = compared.map(|(id, cosine)| Compared { id, cosine }).collect();
        Ok(Column { part, compared, ranks_known })
    }

    /// How many rows were compared.
    pub(super) fn len(&self) -> usize {
        self.compared.len()
    }

    /// This part of the receipts of some items.
    fn parts_for(&self, ids: &[u32]) -> Vec<Part> {
        let places: Vec<Option<usize>> = ids
            .iter()
            .map(|id| self.compared.binary_search_by_key(id, |row| row.id).ok())
            .collect();
        let part = |(place, rank): (&Option<usize>, Option<u32>)| {
            let cosine = place.map(|place| self.compared[place].cosine);
            Part {
                term: self.part.term.clone(),
                modality: self.part.modality,
                weight: self.part.weight,
                cosine,
                rank: rank.filter(|&rank| rank as usize <= self.ranks_known),
                share: self.part.weight * cosine.unwrap_or(0.0),
            }
        };
        places.iter().zip(self.ranks(&places)).map(part).collect()
    }

    /// The ranks that some of the compared rows would have if this part alone decided. One pass for all
    /// of them: it counts, for each, the rows that fall right before it, and then sums the counts up.
    fn ranks(&self, places: &[Option<usize>]) -> Vec<Option<u32>> {
        // Under a negative weight the least similar is the best answer.
        let value = |place: usize| self.part.weight.signum() * self.compared[place].cosine;
        let better = |a: usize, b: usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
        let mut asked: Vec<usize> = places.iter().flatten().copied().collect();
        asked.sort_unstable_by(|&a, &b| better(a, b));
        let mut ahead = vec![0u32; asked.len() + 1];
        for place in 0..self.compared.len() {
            ahead[asked.partition_point(|&other| better(other, place).is_le())] += 1;
        }
        let mut before = 0;
        let mut ranks = Vec::with_capacity(asked.len());
        for count in &ahead[..asked.len()] {
            before += count;
            ranks.push(before + 1);
        }
        let rank = |place: &Option<usize>| {
            let place = (*place)?;
            Some(ranks[asked.partition_point(|&other| better(other, place).is_lt())])
        };
        places.iter().map(rank).collect()
    }
}

/// The `top` best of the compared items that are not `excluded`, best first, equal scores by ascending
/// number.
pub(super) fn fuse(columns: &[Column], top: usize, excluded: &[u32]) -> Vec<Fused> {
    let mut ranked = scores(columns);
    ranked.retain(|(id, _)| !excluded.contains(id));
    let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if ranked.len() > top {
        ranked.select_nth_unstable_by(top, better);
        ranked.truncate(top);
    }
    ranked.sort_unstable_by(better);

    let ids: Vec<u32> = ranked.iter().map(|&(id, _)| id).collect();
    let receipts: Vec<Vec<Part>> = columns.iter().map(|column| column.parts_for(&ids)).collect();
    let fused = ranked.into_iter().enumerate().map(|(place, (id, score))| {
        let parts = receipts.iter().map(|parts| parts[place].clone()).collect();
        Fused { id, score, receipt: Receipt { parts } }
    });
    fused.collect()
}

/// The score of every item that has at least one of the parts' modalities, by ascending number.
fn scores(columns: &[Column]) -> Vec<(u32, f32)> {
    // Both sides ascend by id: adding a column is a merge. Sums run in the order of the parts, so that
    // a receipt's shares, added up in that order, are the score to the bit.
    let mut scores: Vec<(u32, f32)> = Vec::new();
    for column in columns {
        let weight = column.part.weight;
        let mut merged = Vec::with_capacity(scores.len().max(column.compared.len()));
        let mut rest = scores.into_iter().peekable();
        for row in &column.compared {
            while let Some(before) = rest.next_if(|&(id, _)| id < row.id) {
                merged.push(before);
            }
            let so_far = rest.next_if(|&(id, _)| id == row.id).map_or(0.0, |(_, score)| score);
            merged.push((row.id, so_far + weight * row.cosine));
        }
        merged.extend(rest);
        scores = merged;
    }
    scores
}
