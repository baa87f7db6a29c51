//! One part of a query beside the items that it was compared with.

use lookalike_index::{QueryError, Shelf};

use super::best::Scored;
use super::hit::Part;
use super::narrowing::Matching;
use crate::encode::{Embedding, Modality};

/// One term of a query in one modality, ready to be compared.
pub(super) struct QueryPart<'a> {
    pub(super) term: String,
    pub(super) modality: Modality,
    pub(super) weight: f32,
    pub(super) embedding: Embedding,
    pub(super) vectors: &'a Shelf,
}

/// To fetch one vector takes as long as passing so many in a row.
const PASSED_PER_FETCHED: usize = 4;

/// A query part with its exact cosines to items that have its modality.
pub(super) struct Column<'a> {
    part: &'a QueryPart<'a>,
    /// The items that were compared, ascending; `None` where it was all that there are.
    ids: Option<Vec<u32>>,
    /// In the same order.
    cosines: Vec<f32>,
    /// Down to which place the ranks among the compared are ranks among all.
    ranks_known: usize,
}

impl<'a> Column<'a> {
    /// Compares every item that has the modality.
    pub(super) fn of_all(part: &'a QueryPart<'a>) -> Result<Self, QueryError> {
        let mut cosines = vec![0.0; part.vectors.len()];
        part.vectors.scan(&part.embedding, &mut cosines)?;
        Ok(Column { part, ids: None, cosines, ranks_known: part.vectors.len() })
    }

    /// Compares some items, given by ascending id, as far as they have the modality. All that are
    /// among the best `ranks_known` must be among them.
    pub(super) fn of_some(
        part: &'a QueryPart<'a>,
        ids: &[u32],
        ranks_known: usize,
    ) -> Result<Self, QueryError> {
        let cosines = part.vectors.similarities(&part.embedding, ids)?;
        let found = ids.iter().zip(cosines).filter_map(|(&id, cosine)| Some((id, cosine?)));
        let (ids, cosines) = found.unzip();
        Ok(Column { part, ids: Some(ids), cosines, ranks_known })
    }

    /// Compares every item that matches and has the modality. Where most match, one pass over all of them is
    /// cheaper than fetching each by itself.
    pub(super) fn of_matching(
        part: &'a QueryPart<'a>,
        matching: &Matching,
    ) -> Result<Self, QueryError> {
        if matching.len().saturating_mul(PASSED_PER_FETCHED) < part.vectors.len() {
            let ids: Vec<u32> = matching.ids.iter().collect();
            return Self::of_some(part, &ids, usize::MAX);
        }
        let all = Self::of_all(part)?;
        let cosines = part.vectors.ids().zip(all.cosines);
        let (ids, cosines) = cosines.filter(|(id, _)| matching.set.contains(*id)).unzip();
        Ok(Column { ids: Some(ids), cosines, ..all })
    }

    /// How many items were compared.
    pub(super) fn len(&self) -> usize {
        self.cosines.len()
    }

    /// What this part alone contributes to each item's score, by ascending id.
    pub(super) fn for_each_share(&self, mut take: impl FnMut(Scored)) {
        let shares = self.cosines.iter().map(|cosine| self.part.weight * cosine);
        match &self.ids {
            None => self.part.vectors.ids().zip(shares).for_each(&mut take),
            Some(ids) => ids.iter().copied().zip(shares).for_each(&mut take),
        }
    }

    fn place_of(&self, id: u32) -> Option<usize> {
        match &self.ids {
            None => self.part.vectors.place_of(id),
            Some(ids) => ids.binary_search(&id).ok(),
        }
    }

    /// This part of the receipts of some items.
    pub(super) fn parts_for(&self, ids: &[u32]) -> Vec<Part> {
        let places: Vec<Option<usize>> = ids.iter().map(|&id| self.place_of(id)).collect();
        let part = |(place, rank): (&Option<usize>, Option<u32>)| {
            let cosine = place.map(|place| self.cosines[place]);
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

    /// The ranks that some of the compared would have if this part alone decided. One pass for all of
    /// them: it counts, for each, those that fall right before it, and then sums the counts up.
    fn ranks(&self, places: &[Option<usize>]) -> Vec<Option<u32>> {
        // Under a negative weight the least similar is the best answer.
        let sign = self.part.weight.signum();
        let value = |place: usize| sign * self.cosines[place];
        let better = |a: usize, b: usize| value(b).total_cmp(&value(a)).then(a.cmp(&b));
        let mut asked: Vec<usize> = places.iter().flatten().copied().collect();
        asked.sort_unstable_by(|&a, &b| better(a, b));
        let Some(&last) = asked.last() else { return vec![None; places.len()] };
        let worst = value(last);
        let mut ahead = vec![0u32; asked.len()];
        for (place, cosine) in self.cosines.iter().enumerate() {
            // Most are worse than all of the asked, and ahead of none.
            if sign * cosine >= worst && better(place, last).is_lt() {
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
