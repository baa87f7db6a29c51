//! A trained model as it is kept in a collection, and as it scores candidates.
//!
//! Flowing in: the [`Best`] of a training. Kept: `taste/NAME.safetensors`, both sides and what it takes to
//! score strangers, and `taste/NAME.DIGEST.items`, the items' vectors as a segment of the index, in which
//! recommending is a search. Flowing out: scores, each cut into named terms.
//!
//! The first file names the second by what is in it, and comes after it: until then the model before stands
//! whole, and whoever has that one open keeps it.
//!
//! A segment holds unit vectors, and these are not: `q` stands in it as `(q / M, sqrt(1 - |q|^2 / M^2))`,
//! `M` being the longest. Its inner product with `(p, 0)` is `p . q / M`, so the order is that of the
//! scores. The scan is exact, and over a quarter of a million items shorter than a graph's proposals
//! would be worth: users' vectors point away from most items, where graphs are at their worst.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use image::RgbImage;
use lookalike_index::{Neighbours, Precision, RowSet, SearchOptions, Segment, SegmentWriter};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::Error;
use super::checkpoint::{Checkpoint, Column, write};
use super::factors::{Block, fold};
use super::history::History;
use super::interactions::Interactions;
use super::material::Material;
use super::model::{Array, Insight, Learned, Liked, Looks, Testimony, terms};
use super::recipe::Recipe;
use super::training::{Best, EpochReport};
use super::visitor::{LikedPicture, Visitor};
use crate::catalogue::picture::{PictureLimits, decode_picture, read_picture};
use crate::collection::Collection;
use crate::encode::Modality;
use crate::hex;

/// Scores of some items, each the sum of its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The terms' names.
    pub terms: Vec<String>,
    /// A row an item.
    pub values: Vec<f32>,
}

impl Scores {
    /// The terms of an item.
    pub fn of(&self, item: usize) -> &[f32] {
        &self.values[item * self.terms.len()..][..self.terms.len()]
    }

    /// What they add up to.
    pub fn score(&self, item: usize) -> f32 {
        self.of(item).iter().sum()
    }
}

/// The seam of serving: scores candidates for a visitor.
pub trait Reranker: Sync {
    /// What it is called in receipts.
    fn name(&self) -> &str;

    /// The items' scores in their order; `None` where it knows nothing of the visitor.
    fn score(&self, visitor: &Visitor, items: &[u32]) -> Result<Option<Scores>, Error>;

    /// What it takes a visitor for, in the shop's words, and what each liked item and each liked picture said of
    /// it; `None` where it has no words, or nothing to go by.
    fn testimony(&self, _visitor: &Visitor) -> Result<Option<Testimony>, Error> {
        Ok(None)
    }
}

/// What stands in a model's file about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct About {
    version: u32,
    model: String,
    settings: Map<String, Value>,
    epochs: Vec<EpochReport>,
    blocks: Vec<Block>,
    folding: Vec<f32>,
    /// The length of the longest item vector.
    longest: f32,
    /// The digest by which the segment of the items is named.
    rows: String,
    /// Whether it has an insight.
    insight: bool,
    /// Of the encoder whose features it looks at.
    features: Option<String>,
}

const VERSION: u32 = 1;

/// The segment adds products up in another order than receipts do: so many more are asked for than are wanted,
/// lest rounding keep one out.
const ROUNDED: usize = 16;

/// What the names of an insight's arrays begin with.
const INSIGHT: &str = "insight.";

/// A trained model of a collection.
pub struct Served<'a> {
    collection: &'a Collection,
    file: Checkpoint,
    segment: Segment,
    about: About,
    width: usize,
    items: Vec<u32>,
    ends: Vec<u32>,
    insight: Option<Arc<dyn Insight>>,
}

/// A model to be kept.
pub struct Keep<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it was built with.
    pub settings: Map<String, Value>,
    /// The run.
    pub epochs: &'a [EpochReport],
    /// What it came to.
    pub best: &'a Best,
    /// Whose numbers it uses.
    pub interactions: &'a Interactions,
    /// What it learned from.
    pub history: &'a History,
}

fn checkpoint(collection: &Collection, name: &str) -> PathBuf {
    collection.models_folder().join(format!("{name}.safetensors"))
}

fn segment(collection: &Collection, name: &str, digest: &str) -> PathBuf {
    collection.models_folder().join(format!("{name}.{digest}.items"))
}

impl Keep<'_> {
    /// Writes the model into its collection; one of the same name is replaced.
    pub fn write(&self, collection: &Collection) -> Result<PathBuf, Error> {
        let path = checkpoint(collection, self.name);
        let Learned { factors, insight } = &self.best.learned;
        let (width, items) = (factors.width(), &self.interactions.items);
        let length = |row: &[f32]| row.iter().map(|x| x * x).sum::<f32>().sqrt();
        let longest = factors.items().chunks(width).map(length).fold(f32::MIN_POSITIVE, f32::max);
        let rows = self.write_rows(collection, longest)?;
        let about = About {
            version: VERSION,
            model: self.name.to_owned(),
            settings: self.settings.clone(),
            epochs: self.epochs.to_vec(),
            blocks: factors.blocks().to_vec(),
            folding: factors.folding(self.history),
            longest,
            rows,
            insight: insight.is_some(),
            features: collection.encoder(Modality::Image).map(|e| e.fingerprint.clone()),
        };
        let mut end = 0;
        let ends: Vec<u32> = (self.interactions.users.iter())
            .map(|user| {
                end += user.len() as u32;
                end
            })
            .collect();
        let users = Array::rows(self.interactions.users.len(), factors.users().to_vec());
        let item_rows = Array::rows(items.len(), factors.items().to_vec());
        let keys = self.interactions.users.concat();
        let mut columns = vec![
            ("users".to_owned(), Column::Floats(&users)),
            ("items".to_owned(), Column::Floats(&item_rows)),
            ("numbers".to_owned(), Column::Numbers(items)),
            ("keys".to_owned(), Column::Bytes(keys.as_bytes())),
            ("ends".to_owned(), Column::Numbers(&ends)),
        ];
        let state = insight.as_ref().map(|insight| insight.state()).unwrap_or_default();
        let kept = |(name, array)| (format!("{INSIGHT}{name}"), Column::Floats(array));
        columns.extend(state.iter().map(kept));
        write(&path, &about, &columns)?;

        clear_others(collection, self.name, &about.rows, ".items");
        Ok(path)
    }

    /// Writes the items' vectors as a segment, and returns the digest that names it.
    fn write_rows(&self, collection: &Collection, longest: f32) -> Result<String, Error> {
        let (factors, items) = (&self.best.learned.factors, &self.interactions.items);
        let mut hash = Sha256::new();
        items.iter().for_each(|id| hash.update(id.to_le_bytes()));
        factors.items().iter().for_each(|x| hash.update(x.to_le_bytes()));
        let digest = hex::encode(&hash.finalize()[..8]);
        let path = segment(collection, self.name, &digest);
        let io = |source| Error::Io { path: path.clone(), source };
        fs::create_dir_all(collection.models_folder()).map_err(io)?;
        let beside = path.with_extension("new");
        if beside.exists() {
            fs::remove_file(&beside).map_err(io)?;
        }
        let width = factors.width();
        let label = format!("taste {}", self.name);
        let mut writer =
            SegmentWriter::create(&beside, width + 1, Precision::F32, label.as_bytes())?;
        for (&id, row) in items.iter().zip(factors.items().chunks(width)) {
            let mut unit: Vec<f32> = row.iter().map(|x| x / longest).collect();
            let square: f32 = unit.iter().map(|x| x * x).sum();
            unit.push((1.0 - square).max(0.0).sqrt());
            writer.push(id, &unit)?;
        }
        writer.finish()?;
        fs::rename(&beside, &path).map_err(io)?;
        Ok(digest)
    }
}

/// Removes the files of such an ending of models that had this name before. What cannot be removed only takes room.
pub(super) fn clear_others(collection: &Collection, name: &str, digest: &str, ending: &str) {
    for entry in fs::read_dir(collection.models_folder()).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let of_this = file.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.'));
        let old = of_this.and_then(|file| file.strip_suffix(ending));
        if old.is_some_and(|old| old != digest && hex::decode::<8>(old).is_some()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

impl<'a> Served<'a> {
    /// The names of the models that a collection has, ascending.
    pub fn names(collection: &Collection) -> Vec<String> {
        let entries = fs::read_dir(collection.models_folder()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".safetensors")?;
            (!name.ends_with(".run")).then(|| name.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Opens a model.
    pub fn open(collection: &'a Collection, name: &str) -> Result<Self, Error> {
        // One that took its place just now has cleared away its vectors.
        Served::open_once(collection, name).or_else(|error| match error {
            Error::Segment(_) => Served::open_once(collection, name),
            _ => Err(error),
        })
    }

    fn open_once(collection: &'a Collection, name: &str) -> Result<Self, Error> {
        let missing = || Error::NoModel {
            name: name.to_owned(),
            known: Served::names(collection),
            path: collection.path().to_owned(),
        };
        // A name is no path.
        if name.contains(['/', '\\']) {
            return Err(missing());
        }
        let file = Checkpoint::open(&checkpoint(collection, name))?.ok_or_else(missing)?;
        let about: About = file.about()?;
        let width = about.blocks.last().map_or(0, |block| block.range.end);
        let (items, ends) = (file.numbers("numbers")?, file.numbers("ends")?);
        let fits = about.version == VERSION
            && about.folding.len() == about.blocks.len()
            && file.range("items", Dtype::F32)?.len() == items.len() * width * 4
            && file.range("users", Dtype::F32)?.len() == ends.len() * width * 4
            && items.is_sorted()
            && ends.is_sorted();
        if !fits {
            return Err(file.damaged("its parts do not fit each other"));
        }
        let segment = Segment::open(segment(collection, name, &about.rows))?;
        // Features of another encoder say nothing to it.
        let now = collection.encoder(Modality::Image).map(|e| &e.fingerprint);
        let insight = match about.insight && now == about.features.as_ref() {
            false => None,
            true => {
                let state = file.arrays(INSIGHT)?;
                let unknown = |error: Error| file.damaged(error.to_string());
                let recipe = Recipe::restored(&about.model, &about.settings)
                    .map_err(|error| unknown(error.into()))?;
                let material = Material::stored(collection, &items);
                recipe.insight(&state, &material).map_err(unknown)?
            }
        };
        Ok(Served { collection, file, segment, about, width, items, ends, insight })
    }

    /// A user's vector, if the model knows the user.
    fn user(&self, key: &str) -> Result<Option<Vec<f32>>, Error> {
        let keys = self.file.range("keys", Dtype::U8)?;
        let start = |n: usize| if n == 0 { 0 } else { self.ends[n - 1] as usize };
        let of =
            |n: usize| self.file.bytes(keys.start + start(n)..keys.start + self.ends[n] as usize);
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = (low + high) / 2;
            if of(middle) < key.as_bytes() { low = middle + 1 } else { high = middle }
        }
        if low == self.ends.len() || of(low) != key.as_bytes() {
            return Ok(None);
        }
        let users = self.file.range("users", Dtype::F32)?;
        Ok(Some(self.file.floats(&users, low * self.width, self.width)))
    }

    /// An item's vector: as it was learned, or from its picture where it is new; `None` where it has
    /// neither.
    fn item(&self, id: u32) -> Result<Option<Vec<f32>>, Error> {
        if let Ok(row) = self.items.binary_search(&id) {
            let items = self.file.range("items", Dtype::F32)?;
            return Ok(Some(self.file.floats(&items, row * self.width, self.width)));
        }
        let feature = self.collection.embedding(id, Modality::Image)?;
        let picture = || picture_of(self.collection, id);
        self.seen(&Looks { feature: feature.as_deref(), picture: &picture })
    }

    /// The vector of something new.
    fn seen(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let Some(insight) = &self.insight else { return Ok(None) };
        Ok(insight.item(looks)?.filter(|item| item.len() == self.width))
    }

    /// What can be seen of what a visitor likes: first the items, then the pictures.
    fn liked(&self, visitor: &Visitor) -> Result<Vec<Liked>, Error> {
        let mut liked = Vec::new();
        let feature = |looks: &Looks<'_>| match &self.insight {
            Some(insight) => insight.feature(looks),
            None => Ok(None),
        };
        for &id in &visitor.liked {
            let own = self.collection.embedding(id, Modality::Image)?;
            let picture = || picture_of(self.collection, id);
            let looks = Looks { feature: own.as_deref(), picture: &picture };
            liked.push(Liked { vector: self.item(id)?, feature: feature(&looks)? });
        }
        for LikedPicture { picture, feature: own, .. } in &visitor.pictures {
            let picture = || Ok(Some(picture.clone()));
            let looks = Looks { feature: own.as_deref(), picture: &picture };
            liked.push(Liked { vector: self.seen(&looks)?, feature: feature(&looks)? });
        }
        Ok(liked)
    }

    /// The vector of a visitor; `None` for a stranger.
    fn taste(&self, visitor: &Visitor) -> Result<Option<Vec<f32>>, Error> {
        if visitor.liked.is_empty() && visitor.pictures.is_empty() {
            return visitor.user.as_deref().map_or(Ok(None), |key| self.user(key));
        }
        let liked = self.liked(visitor)?;
        let own = self.insight.as_ref().map(|insight| insight.visitor(&liked)).transpose()?;
        if let Some(own) = own.flatten().filter(|own| own.len() == self.width) {
            return Ok(Some(own));
        }
        let vectors: Vec<Vec<f32>> = liked.into_iter().filter_map(|liked| liked.vector).collect();
        let fold = || fold(&self.about.blocks, &self.about.folding, &vectors);
        Ok((!vectors.is_empty()).then(fold))
    }

    fn terms(&self, taste: &[f32], item: &[f32]) -> Vec<f32> {
        terms(self.insight.as_deref(), &self.about.blocks, taste, item)
    }

    /// Whether scores are no products, so that the segment cannot tell their order.
    fn has_own_terms(&self, taste: &[f32]) -> bool {
        self.insight.as_ref().is_some_and(|insight| insight.terms(taste, taste).is_some())
    }

    /// The items that the model was trained with and that may be among the best.
    fn proposed(&self, taste: &[f32], without: &[u32], top: usize) -> Result<Vec<u32>, Error> {
        if self.has_own_terms(taste) {
            let kept = self.items.iter().copied().filter(|id| !without.contains(id));
            return Ok(kept.collect());
        }
        let segment = &self.segment;
        let mut rows = RowSet::all(segment.len());
        without.iter().filter_map(|&id| segment.row_of(id)).for_each(|row| rows.remove(row));
        let options = SearchOptions::default().exact().within(Arc::new(rows));
        let query: Vec<f32> = taste.iter().copied().chain([0.0]).collect();
        // Items that have left the collection since are asked for in vain.
        let gone = self.items.len().saturating_sub(self.collection.len() as usize);
        let wanted = top.saturating_add(gone).saturating_add(ROUNDED);
        let answer = segment.exact().search(&query, wanted, &options);
        let answer = answer.map_err(|e| self.file.damaged(e.to_string()))?;
        Ok(answer.candidates.iter().map(|candidate| candidate.id).collect())
    }

    /// The `top` items of the whole collection for a visitor, best first, without those named. For a
    /// stranger it is what everybody likes; whether it is that is told beside.
    pub fn recommend(
        &self,
        visitor: &Visitor,
        without: &[u32],
        top: usize,
    ) -> Result<(Vec<Recommendation>, bool), Error> {
        let known = self.taste(visitor)?;
        let personal = known.is_some();
        let taste = known.unwrap_or_else(|| fold(&self.about.blocks, &self.about.folding, &[]));
        let mut ids = self.proposed(&taste, without, top)?;
        let pictures = self.collection.vectors(Modality::Image);
        if self.insight.is_some() {
            let all = pictures.into_iter().flat_map(|vectors| vectors.ids());
            ids.extend(
                all.filter(|id| self.items.binary_search(id).is_err() && !without.contains(id)),
            );
        }
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(item) = self.item(id)? {
                let terms = self.terms(&taste, &item);
                found.push((id, terms.iter().sum::<f32>(), terms));
            }
        }
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut best = Vec::new();
        for (id, score, terms) in found {
            if best.len() == top {
                break;
            }
            if self.collection.item(id)?.is_some() {
                let names = self.about.blocks.iter().map(|block| block.name.clone());
                best.push(Recommendation { id, score, terms: names.zip(terms).collect() });
            }
        }
        Ok((best, personal))
    }
}

/// An item's picture, where it has one that can still be read.
fn picture_of(collection: &Collection, id: u32) -> Result<Option<RgbImage>, Error> {
    let limits = PictureLimits::default();
    let record = collection.item(id)?.and_then(|item| item.picture);
    Ok(record.and_then(|record| {
        decode_picture(&read_picture(&record.path, &limits).ok()?, &limits).ok()
    }))
}

/// An item that a visitor may like.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommendation {
    /// The collection's number for it.
    pub id: u32,
    /// The sum of its terms.
    pub score: f32,
    /// What it is made of.
    pub terms: Vec<(String, f32)>,
}

impl Reranker for Served<'_> {
    fn name(&self) -> &str {
        &self.about.model
    }

    fn testimony(&self, visitor: &Visitor) -> Result<Option<Testimony>, Error> {
        let Some(insight) = &self.insight else { return Ok(None) };
        insight.testimony(&self.liked(visitor)?)
    }

    fn score(&self, visitor: &Visitor, items: &[u32]) -> Result<Option<Scores>, Error> {
        let Some(taste) = self.taste(visitor)? else { return Ok(None) };
        let mut values = Vec::with_capacity(items.len() * self.about.blocks.len());
        for &id in items {
            match self.item(id)? {
                Some(item) => values.extend(self.terms(&taste, &item)),
                None => values.extend(std::iter::repeat_n(0.0, self.about.blocks.len())),
            }
        }
        let terms = self.about.blocks.iter().map(|block| block.name.clone()).collect();
        Ok(Some(Scores { terms, values }))
    }
}
