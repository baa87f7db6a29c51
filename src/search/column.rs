//! One part of a query beside the items that it was compared with.

use lookalike_index::{QueryError, Shelf};

use super::aspect::Aspect;
use super::best::Scored;
use super::fusion::Shares;
use super::hit::{Bm25, Part};
use crate::encode::Embedding;
use crate::words::Matches;

/// One term of a query in one aspect, ready to be compared.
pub(super) struct QueryPart<'a> {
    pub(super) term: String,
    pub(super) aspect: Aspect,
    pub(super) weight: f32,
    pub(super) source: Source<'a>,
}

/// What a part is compared with.
pub(super) enum Source<'a> {
    /// Vectors, by their cosine with a term's.
    Vectors { asked: Embedding, vectors: &'a Shelf },
    /// Words: all that have any of them, and how well they match.
    Words(Matches),
}

/// A query part with its exact values for items that have its aspect: cosines, or the part of the most
/// that BM25 can give.
pub(super) struct Column<'a> {
    part: &'a QueryPart<'a>,
    /// The items that were compared, ascending; `None` where it was all that there are.
    ids: Option<Vec<u32>>,
    /// In the same order.
    values: Vec<f32>,
    /// Down to which place the ranks among the compared are ranks among all.
    ranks_known: usize,
}

impl<'a> Column<'a> {
    /// Compares every item that has the aspect.
    pub(super) fn of_all(part: &'a QueryPart<'a>) -> Result<Self, QueryError> {
        let values = match &part.source {
            Source::Vectors { asked, vectors } => {
                let mut cosines = vec![0.0; vectors.len()];
                vectors.scan(asked, &mut cosines)?;
                cosines
            }
            Source::Words(matches) => matches.values().collect(),
        };
        let ranks_known = values.len();
        Ok(Column { part, ids: None, values, ranks_known })
    }

    /// Compares some items, given by ascending id, as far as they have the aspect. All that are among the
    /// best `ranks_known` must be among them.
    pub(super) fn of_some(
        part: &'a QueryPart<'a>,
        ids: &[u32],
        ranks_known: usize,
    ) -> Result<Self, QueryError> {
        let values = match &part.source {
            Source::Vectors { asked, vectors } => vectors.similarities(asked, ids)?,
            Source::Words(matches) => ids.iter().map(|&id| matches.value(id)).collect(),
        };
        let found = ids.iter().zip(values).filter_map(|(&id, value)| Some((id, value?)));
        let (ids, values) = found.unzip();
        Ok(Column { part, ids: Some(ids), values, ranks_known })
    }

    fn place_of(&self, id: u32) -> Option<usize> {
        match (&self.ids, &self.part.source) {
            (Some(ids), _) => ids.binary_search(&id).ok(),
            (None, Source::Vectors { vectors, .. }) => vectors.place_of(id),
            (None, Source::Words(matches)) => matches.ids().binary_search(&id).ok(),
        }
    }

    /// This part of the receipts of some items.
    pub(super) fn parts_for(&self, ids: &[u32]) -> Vec<Part> {
        let places: Vec<Option<usize>> = ids.iter().map(|&id| self.place_of(id)).collect();
        let part = |((place, rank), &id): ((&Option<usize>, Option<u32>), &u32)| {
            let value = place.map(|place| self.values[place]);
            let (cosine, bm25) = match &self.part.source {
                Source::Vectors { .. } => (value, None),
                Source::Words(matches) => (None, matches.bm25(id).zip(value)),
            };
            Part {
                term: self.part.term.clone(),
                modality: self.part.aspect,
                weight: self.part.weight,
                cosine,
                bm25: bm25.map(|(score, normalised)| Bm25 { score, normalised }),
                rank: rank.filter(|&rank| rank as usize <= self.ranks_known),
                share: self.part.weight * value.unwrap_or(0.0),
            }
        };
        places.iter().zip(self.ranks(&places)).zip(ids).map(part).collect()
    }

    /// The ranks that some of the compared would have if this part alone decided. One pass for all of
    /// them: it counts, for each, those that fall right before it, and then sums the counts up.
    fn ranks(&self, places: &[Option<usize>]) -> Vec<Option<u32>> {
        // Under a negative weight the least similar is the best answer.
        let sign = self.part.weight.signum();
        let value = |place: usize| sign * self.values[place];
        let better = |a: usize, b: usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
        let mut asked: Vec<usize> = places.iter().flatten().copied().collect();
        asked.sort_unstable_by(|&a, &b| better(a, b));
        let Some(&last) = asked.last() else { return vec![None; places.len()] };
        let worst = value(last);
        let mut ahead = vec![0u32; asked.len()];
        for (place, own) in self.values.iter().enumerate() {
            // Most are worse than all of the asked, and ahead of none.
            if sign * own >= worst && better(place, last).is_lt() {
                ahead[asked.partition_point(|&other| better(other, place).is_le())] += 1;
            }
        }
        let mut rank = 0;
        for count in &mut ahead {
            rank += *count;
            *count = rank + 1;
        }
        let position = |place: usize| asked.partition_point(|&other| better(other, place).is_lt());
        places.iter().map(|place| place.map(|place| ahead[position(place)])).collect()
    }
}

impl Shares for Column<'_> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn for_each(&self, mut take: impl FnMut(Scored)) {
        let shares = self.values.iter().map(|value| self.part.weight * value);
        match (&self.ids, &self.part.source) {
            (Some(ids), _) => ids.iter().copied().zip(shares).for_each(&mut take),
            (None, Source::Vectors { vectors, .. }) => {
                vectors.ids().zip(shares).for_each(&mut take)
            }
            (None, Source::Words(matches)) => {
                matches.ids().iter().copied().zip(shares).for_each(&mut take);
            }
        }
    }
}
