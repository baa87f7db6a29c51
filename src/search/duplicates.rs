//! Near-duplicates over a whole collection: clusters of one picture, or of one text.
//!
//! Two items belong together where the cosine of their vectors reaches a threshold, or where the very
//! picture's bytes or the very text is the same, which is certain. What belongs together with the same item
//! belongs together: clusters are the connected parts of that graph, found by union-find over every
//! item's neighbours. A chain of small differences can so join what differs at its ends; the similarity of
//! each member to the first tells.

use std::collections::HashMap;

use lookalike_index::Shelf;
use serde::Serialize;

use super::Error;
use super::similar::{Block, Similar, SimilarTo};
use crate::collection::{Collection, StoredItem};
use crate::encode::{Embedding, Modality};

/// Neighbours that are asked for at first; items with as many get more.
const NEIGHBOURS: usize = 16;

/// How to find near-duplicates.
#[derive(Debug, Clone)]
pub struct Duplicates {
    threshold: f32,
    exact: bool,
    options: Similar,
    modality: Modality,
}

/// Items that are the same in one modality, or nearly so.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Cluster {
    /// What is the same.
    pub modality: Modality,
    /// The one that is most like all others first, then by falling similarity to it, equal ones by ascending
    /// number. Two at the least.
    pub members: Vec<Member>,
}

/// An item of a [`Cluster`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// The item's number.
    pub id: u32,
    /// Its cosine to the cluster's first.
    pub similarity: f32,
    /// Whether its picture's bytes, or its text, are those of the cluster's first.
    pub same: bool,
}

impl Duplicates {
    /// Finds what is the same by this modality: of a cosine of .97 or more, unless said otherwise.
    pub fn by(modality: Modality) -> Self {
        let options = Similar::by([modality]).top(NEIGHBOURS);
        Duplicates { threshold: 0.97, exact: false, options, modality }
    }

    /// From which cosine on two items are taken for the same.
    pub fn threshold(mut self, cosine: f32) -> Self {
        self.threshold = cosine;
        self
    }

    /// Compares every item with every other, graph or not.
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }
}

impl Collection {
    /// The clusters of near-duplicates, the largest first, equal ones by the number of their first member.
    pub fn duplicates(&self, wish: &Duplicates) -> Result<Vec<Cluster>, Error> {
        let vectors = self.vectors_of(wish.modality)?;
        let ids: Vec<u32> = vectors.ids().collect();
        let mut sets = Sets::of(ids.len());
        let place = |id: u32| ids.binary_search(&id).unwrap_or_default();
        let contents = self.contents(wish.modality, &ids)?;
        let mut firsts: HashMap<[u8; 32], usize> = HashMap::new();
        for (place, content) in contents.iter().enumerate() {
            let first = content.map(|content| *firsts.entry(content).or_insert(place));
            sets.join(first.unwrap_or(place), place);
        }
        let mut options = wish.options.clone().at_least(wish.threshold);
        if wish.exact {
            options = options.exact();
        }
        // How like its neighbours each item is, all of them together: the middle of a cluster has most.
        let mut closeness = vec![0.0; ids.len()];
        self.neighbours(vectors, &options, &mut |found: SimilarTo| {
            let own = place(found.id);
            for &(other, similarity) in &found.others {
                sets.join(own, place(other));
                closeness[own] += f64::from(similarity);
            }
        })?;
        let mut found = Vec::new();
        for places in sets.clusters() {
            let closer =
                |&&a: &&usize, &&b: &&usize| closeness[a].total_cmp(&closeness[b]).then(b.cmp(&a));
            let Some(&first) = places.iter().max_by(closer) else { continue };
            let Some(asked) = self.embedding(ids[first], wish.modality)? else { continue };
            let members = members((vectors, &asked), &ids, &contents, &places, first)?;
            found.push(Cluster { modality: wish.modality, members });
        }
        found.sort_by_key(|cluster| (usize::MAX - cluster.members.len(), cluster.members[0].id));
        Ok(found)
    }

    /// Every item's neighbours down to the threshold, however many they are.
    fn neighbours(
        &self,
        vectors: &Shelf,
        options: &Similar,
        take: &mut dyn FnMut(SimilarTo),
    ) -> Result<(), Error> {
        let mut wider = options.clone();
        let mut waiting: Option<Vec<u32>> = None;
        loop {
            // More than there are cannot be asked for: then whatever comes is all.
            let all = wider.limit() >= vectors.len();
            let mut crowded = Vec::new();
            let mut settle = |row: SimilarTo| match all || row.others.len() < wider.limit() {
                true => take(row),
                false => crowded.push(row.id),
            };
            let mut block = Block::new(self, vectors, &wider);
            let rows: Box<dyn Iterator<Item = (u32, Vec<f32>)>> = match waiting {
                None => Box::new(vectors.vectors()),
                Some(ids) => {
                    Box::new(ids.into_iter().filter_map(|id| Some((id, vectors.vector(id)?))))
                }
            };
            for row in rows {
                block.push(row)?.into_iter().flatten().for_each(&mut settle);
            }
            block.found()?.into_iter().for_each(&mut settle);
            if crowded.is_empty() {
                return Ok(());
            }
            wider = wider.clone().top(wider.limit().saturating_mul(8));
            waiting = Some(crowded);
        }
    }

    /// What each of the items was embedded from, as a hash.
    fn contents(&self, modality: Modality, ids: &[u32]) -> Result<Vec<Option<[u8; 32]>>, Error> {
        let content = |&id: &u32| {
            let item = self.item(id)?;
            Ok(item.and_then(|item: StoredItem| item.content(modality)))
        };
        ids.iter().map(content).collect()
    }
}

/// A cluster's members in order; `asked` is the vector of the first.
fn members(
    (vectors, asked): (&Shelf, &Embedding),
    ids: &[u32],
    contents: &[Option<[u8; 32]>],
    places: &[usize],
    first: usize,
) -> Result<Vec<Member>, Error> {
    let wrong = |source| Error::Vector { term: "an item".to_owned(), source };
    let own: Vec<u32> = places.iter().map(|&place| ids[place]).collect();
    let cosines = vectors.similarities(asked, &own).map_err(wrong)?;
    let mut members: Vec<Member> = places
        .iter()
        .zip(cosines)
        .map(|(&place, cosine)| Member {
            id: ids[place],
            similarity: cosine.unwrap_or_default(),
            same: contents[first].is_some() && contents[place] == contents[first],
        })
        .collect();
    let rank = |member: &Member| (member.id != ids[first], !member.same);
    members.sort_by(|a, b| {
        rank(a).cmp(&rank(b)).then(b.similarity.total_cmp(&a.similarity)).then(a.id.cmp(&b.id))
    });
    Ok(members)
}

/// Disjoint sets of places, by union-find: each points towards its set's lowest place.
struct Sets {
    towards: Vec<usize>,
}

impl Sets {
    fn of(places: usize) -> Self {
        Sets { towards: (0..places).collect() }
    }

    fn root(&mut self, mut place: usize) -> usize {
        while self.towards[place] != place {
            // Halves the way for whoever comes next.
            self.towards[place] = self.towards[self.towards[place]];
            place = self.towards[place];
        }
        place
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.towards[a.max(b)] = a.min(b);
    }

    /// The sets of two and more, each ascending.
    fn clusters(&mut self) -> Vec<Vec<usize>> {
        let mut of_root: HashMap<usize, usize> = HashMap::new();
        let mut sets: Vec<Vec<usize>> = Vec::new();
        for place in 0..self.towards.len() {
            let root = self.root(place);
            let set = *of_root.entry(root).or_insert_with(|| {
                sets.push(Vec::new());
                sets.len() - 1
            });
            sets[set].push(place);
        }
        sets.retain(|set| set.len() > 1);
        sets
    }
}
