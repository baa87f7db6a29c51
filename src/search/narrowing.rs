//! What of all that answers is shown: which items may be among the hits, in which groups, from which place
//! on, and what is counted beside them.
//!
//! Flowing in: the narrowing part of a [`Query`], and the ranking as a function of how deep it goes. Flowing
//! out: the hits of the page, in order.

use std::collections::HashSet;
use std::sync::Arc;

use lookalike_index::RowSet;
use roaring::RoaringBitmap;

use super::candidates::Found;
use super::facet::Facet;
use super::filter::{Filter, FilterError, field_named};
use super::fusion::Fused;
use super::group::Groups;
use super::hit::{Hit, Hits, Receipt};
use super::listing::Listing;
use super::plan::{How, Plan};
use super::{Error, Query, diversity};
use crate::collection::{Collection, FieldEntry};
use crate::encode::Modality;

/// What a query says of which hits it wants, beside what they are to be similar to.
#[derive(Debug, Clone, Default)]
pub(super) struct Narrowing {
    pub(super) filter: Option<Filter>,
    pub(super) group_by: Option<String>,
    pub(super) facets: Vec<String>,
    pub(super) diversity: f32,
    pub(super) min_score: Option<f32>,
    pub(super) offset: usize,
}

impl Query {
    /// Only items that match. A query of filters alone, without terms, lists what matches by ascending
    /// item number.
    ///
    /// ```
    /// use lookalike::{Filter, Query};
    ///
    /// let in_stock: Filter = "price <= 80 and not sold_out".parse()?;
    /// let query = Query::new().text("red leather").filter(in_stock);
    /// # Ok::<(), lookalike::search::FilterError>(())
    /// ```
    pub fn filter(mut self, filter: Filter) -> Self {
        self.narrowing.filter = Some(match self.narrowing.filter {
            Some(before) => before.and(filter),
            None => filter,
        });
        self
    }

    /// One hit, the best, for all items that share a value of this field, such as the variants of a product.
    /// An item without a value stands for itself; of several values the first in their order counts.
    pub fn group_by(mut self, field: impl Into<String>) -> Self {
        self.narrowing.group_by = Some(field.into());
        self
    }

    /// Counts, for each value of this field, the items that match the filter, whatever their score; where hits
    /// are grouped, the groups with such an item. Items that the query names are not counted, unless they may be
    /// among the hits.
    pub fn facet(mut self, field: impl Into<String>) -> Self {
        self.narrowing.facets.push(field.into());
        self
    }

    /// How much hits shall differ from one another: 0, as at first, not at all, and 1 above all else.
    ///
    /// Each next hit is the one of the greatest `(1 - d) * score - d * likeness`, where the likeness is that to
    /// the most similar hit before it (maximal marginal relevance), among the best hundred, or ten times as
    /// many as are asked for. Scores stay what they are.
    pub fn diversity(mut self, diversity: f32) -> Self {
        self.narrowing.diversity = diversity;
        self
    }

    /// The filter, where there is one.
    pub fn filtered_by(&self) -> Option<&Filter> {
        self.narrowing.filter.as_ref()
    }

    /// Leaves out what scores less.
    pub fn min_score(mut self, score: f32) -> Self {
        self.narrowing.min_score = Some(score);
        self
    }

    /// Leaves out so many of the first hits, which earlier pages have shown. Pages of one size continue one
    /// another: no hit comes twice and none is passed over, however large the collection.
    pub fn offset(mut self, hits: usize) -> Self {
        self.narrowing.offset = hits;
        self
    }
}

/// The items that match a filter.
pub(super) struct Matching {
    pub(super) ids: RoaringBitmap,
    pub(super) set: Arc<RowSet>,
}

impl Matching {
    fn new(ids: RoaringBitmap) -> Self {
        let set = Arc::new(ids.iter().collect());
        Matching { ids, set }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len() as usize
    }
}

/// Which items may be among the hits.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'a> {
    /// `None` where there is no filter.
    pub(super) matching: Option<&'a Matching>,
    /// The items that the query names.
    pub(super) excluded: &'a [u32],
}

/// A narrowing that has met its collection.
pub(super) struct Narrow<'a> {
    query: &'a Query,
    collection: &'a Collection,
    pub(super) matching: Option<Matching>,
    groups: Option<Groups>,
}

impl Collection {
    /// Looks up what a query's narrowing names.
    pub(super) fn narrow<'a>(&'a self, query: &'a Query) -> Result<Narrow<'a>, Error> {
        let narrowing = &query.narrowing;
        let diversity = narrowing.diversity;
        if !(0.0..=1.0).contains(&diversity) {
            return Err(Error::Diversity { diversity });
        }
        if query.terms.is_empty() && (diversity > 0.0 || narrowing.min_score.is_some()) {
            return Err(Error::NothingToCompare);
        }
        let evaluate = |filter: &Filter| filter.evaluate(self).map(Matching::new);
        let matching = narrowing.filter.as_ref().map(evaluate).transpose()?;
        let groups = match &narrowing.group_by {
            Some(name) => Some(Groups::of(self.column(self.field(name)?)?)),
            None => None,
        };
        narrowing.facets.iter().try_for_each(|name| self.field(name).map(drop))?;
        Ok(Narrow { query, collection: self, matching, groups })
    }

    pub(super) fn field(&self, name: &str) -> Result<&FieldEntry, Error> {
        let fields = self
            .fields()
            .ok_or_else(|| FilterError::NoPostings { collection: self.path().to_owned() })?;
        Ok(field_named(name, fields).ok_or_else(|| FilterError::unknown(name, fields))?)
    }
}

impl Narrow<'_> {
    /// What matches, by ascending number, for a query without terms.
    pub(super) fn list(&self) -> Result<Hits, Error> {
        let matching = self.matching.as_ref().ok_or(Error::EmptyQuery)?;
        let listed = |id| Fused {
            id,
            score: 0.0,
            receipt: Receipt { parts: Vec::new(), taste: Vec::new() },
        };
        self.hits(&[], &[], |depth| {
            let fused = matching.ids.iter().take(depth).map(listed).collect();
            Ok(Found { fused, exact: true, looked_at: 0 })
        })
    }

    /// The page, its facets and how they were found; `rank` gives so many of the best, and `weights` says
    /// how much each modality counts.
    pub(super) fn hits(
        &self,
        excluded: &[u32],
        weights: &[(Modality, f32)],
        rank: impl Fn(usize) -> Result<Found, Error>,
    ) -> Result<Hits, Error> {
        let Query { narrowing, top, .. } = self.query;
        let end = narrowing.offset.saturating_add(*top);
        let pool = match narrowing.diversity {
            0.0 => 0,
            _ => top.saturating_mul(diversity::POOL_PER_HIT).max(diversity::POOL),
        };
        let listing = Listing::new(*top, end.max(pool), |ranked| self.shown(ranked), rank)?;
        let Listing { mut fused, exact, looked_at } = listing;
        if pool > 0 {
            let pool = pool.min(fused.len());
            diversity::spread(self.collection, weights, narrowing.diversity, &mut fused[..pool])?;
        }
        let counted = self.counted(excluded)?;
        let facet = |name: &String| {
            let column = self.collection.column(self.collection.field(name)?)?;
            Ok::<_, Error>(Facet::count(name, &column, &counted, self.groups.as_ref()))
        };
        let facets = narrowing.facets.iter().map(facet).collect::<Result<_, _>>()?;
        let page = fused.into_iter().skip(narrowing.offset).take(*top);
        let hits = page.map(|fused| self.hit(fused, &counted)).collect::<Result<_, _>>()?;
        let how = if self.query.terms.is_empty() {
            How::Listed
        } else if exact {
            How::Scanned
        } else {
            How::Walked
        };
        let matching = self.matching.as_ref().map(|matching| matching.ids.len());
        let plan = Plan { how, matching, of: self.collection.len() };
        let fusion = self.query.fusion;
        Ok(Hits { offset: narrowing.offset, fusion, hits, exact, looked_at, plan, facets })
    }

    /// Of what was ranked, in its order, the places of what is shown: nothing below the least score, and the
    /// best of each group.
    fn shown(&self, ranked: &[Fused]) -> Vec<usize> {
        let least = self.query.narrowing.min_score.unwrap_or(f32::NEG_INFINITY);
        let mut seen = HashSet::new();
        let mut first = |id| {
            let group = self.groups.as_ref().and_then(|groups| groups.of_item(id));
            group.is_none_or(|group| seen.insert(group))
        };
        let shown = |&place: &usize| ranked[place].score >= least && first(ranked[place].id);
        (0..ranked.len()).filter(shown).collect()
    }

    /// The items that groups and facets count.
    fn counted(&self, excluded: &[u32]) -> Result<RoaringBitmap, Error> {
        if self.groups.is_none() && self.query.narrowing.facets.is_empty() {
            return Ok(RoaringBitmap::new());
        }
        let mut counted = match &self.matching {
            Some(matching) => matching.ids.clone(),
            None => (*self.collection.ids()?).clone(),
        };
        counted -= excluded.iter().copied().collect::<RoaringBitmap>();
        Ok(counted)
    }

    fn hit(&self, fused: Fused, counted: &RoaringBitmap) -> Result<Hit, Error> {
        let Fused { id, score, receipt } = fused;
        let item = self.collection.item(id)?.ok_or_else(|| self.collection.lacks_item(id))?;
        let group = self.groups.as_ref().and_then(|groups| groups.describe(id, counted));
        Ok(Hit { id, score, receipt, group, item })
    }
}
