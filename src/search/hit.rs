//! What is answered: hits, each with a receipt that adds up to its score.

use serde::Serialize;

use super::facet::Facet;
use super::group::Group;
use super::plan::Plan;
use crate::collection::StoredItem;
use crate::encode::Modality;

/// The answer to a query.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Hits {
    /// Best first; equal scores by ascending item number.
    pub hits: Vec<Hit>,
    /// How many hits were left out before these.
    pub offset: usize,
    /// Whether these are certainly the best that there are.
    pub exact: bool,
    /// How many vectors were compared with the query, over all of its parts.
    pub looked_at: usize,
    /// How they were found.
    pub plan: Plan,
    /// The fields that were to be counted, in the query's order.
    pub facets: Vec<Facet>,
}

/// An item that answers the query.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The collection's number for it.
    pub id: u32,
    /// How well it answers, from -1 to 1; 0 in a list, which answers nothing.
    pub score: f32,
    /// How the score came about.
    pub receipt: Receipt,
    /// The items that it stands for, where hits are grouped and it has a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// The item.
    pub item: StoredItem,
}

/// What each part of the query contributed to a score: the shares add up to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Receipt {
    /// In the query's order.
    pub parts: Vec<Part>,
}

/// One term of the query, seen through one modality.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Part {
    /// The term, as a person would name it.
    pub term: String,
    /// The modality in which it was compared.
    pub modality: Modality,
    /// What it counts for; the weights' absolute values add up to 1.
    pub weight: f32,
    /// How similar the item is to the term; `None` where the item has nothing of this modality.
    pub cosine: Option<f32>,
    /// The item's place among those that match if this part alone decided, from 1; `None` where it has none, or where it lies
    /// farther back than an approximate search looked.
    pub rank: Option<u32>,
    /// `weight * cosine`, and 0 where there is no cosine.
    pub share: f32,
}
