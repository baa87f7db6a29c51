//! The rating model as a collection keeps it, and as it answers.
//!
//! Kept: `taste/rating.model`, the networks, users and items with their keys, and the biases that strangers fall
//! back to; and `taste/rating.DIGEST.looks`, what there is to see of every item. The review branch is dropped: it has
//! done its work.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::baselines::Biases;
use super::judge::Verdicts;
use super::learn::{Rating, SIDE};
use super::looks::{self, Looks};
use super::ratings::Stars;
use super::settings::RatingSettings;
use super::train::{RatingEpoch, TrainedRating};
use crate::collection::Collection;
use crate::taste::Error;
use crate::taste::checkpoint::{Checkpoint, Column, write};
use crate::taste::gallery::{Gallery, Scale};
use crate::taste::interactions::Interactions;
use crate::taste::model::{Array, State};
use crate::taste::served::{Reranker, Scores, Served, clear_others};
use crate::taste::visitor::Visitor;

/// What stands in a model's file about it.
#[derive(Serialize, Deserialize)]
struct About {
    version: u32,
    settings: RatingSettings,
    epochs: Vec<RatingEpoch>,
    least: f32,
    most: f32,
    mean: f32,
    users: Vec<String>,
    /// The digest by which what was seen of the items is named; `None` where the model does not look.
    looks: Option<String>,
}

const VERSION: u32 = 3;
/// Before there was a ground: such a file is a model without any.
const GROUNDLESS: u32 = 2;
const NAME: &str = "rating";

/// What every version's description has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What the names of the model's arrays begin with.
const STATE: &str = "state.";

/// A trained rating model of a collection.
pub struct KeptRating {
    rating: Rating,
    looks: Option<Looks>,
    biases: Biases,
    stars: Stars,
    gallery: Arc<Gallery>,
    users: Vec<String>,
    /// The collection's numbers of the items, by dense number.
    items: Vec<u32>,
}

/// What a user will think of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// In stars.
    pub stars: f32,
    /// What biases alone would say.
    pub by_biases: f32,
    /// What the tower built on; `None` where biases had to do, or it built on nothing.
    pub ground: Option<f32>,
    /// Whether the user has rated anything.
    pub user_known: bool,
    /// Whether the item was there at the training.
    pub item_known: bool,
    /// What each pixel of the two maps counted for; `None` where biases had to do, or the model does not look.
    pub attention: Option<[Vec<f32>; 2]>,
}

fn file(collection: &Collection) -> PathBuf {
    collection.models_folder().join("rating.model")
}

impl KeptRating {
    /// Writes a trained model into its collection, in place of the one before.
    pub fn write(
        collection: &Collection,
        interactions: &Interactions,
        trained: &TrainedRating,
        (biases, stars): (&Biases, Stars),
        settings: RatingSettings,
    ) -> Result<PathBuf, Error> {
        let mut state: State = trained.model.bare_state()?;
        let digest = looks::digest(&state, &interactions.items);
        if settings.pictures {
            looks::write(&looks::file(collection, &digest), &trained.model)?;
        }
        let about = About {
            version: VERSION,
            looks: settings.pictures.then(|| digest.clone()),
            settings,
            epochs: trained.epochs.clone(),
            least: stars.least,
            most: stars.most,
            mean: biases.mean,
            users: interactions.users.clone(),
        };
        for (name, values) in [("biases.users", &biases.users), ("biases.items", &biases.items)] {
            state.insert(name.to_owned(), Array::rows(1, values.clone()));
        }
        let mut columns: Vec<(String, Column<'_>)> = state
            .iter()
            .map(|(name, array)| (format!("{STATE}{name}"), Column::Floats(array)))
            .collect();
        columns.push(("numbers".to_owned(), Column::Numbers(&interactions.items)));
        let path = file(collection);
        write(&path, &about, &columns)?;
        clear_others(collection, NAME, &digest, ".looks");
        Ok(path)
    }

    /// Opens a collection's model.
    pub fn open(collection: &Collection) -> Result<Self, Error> {
        let missing = || Error::NoModel {
            name: NAME.to_owned(),
            known: Vec::new(),
            path: collection.path().to_owned(),
        };
        let file = Checkpoint::open(&file(collection))?.ok_or_else(missing)?;
        if !(GROUNDLESS..=VERSION).contains(&file.about::<Version>()?.version) {
            return Err(file.damaged("another version of this program wrote it"));
        }
        let about: About = file.about()?;
        let (state, items) = (file.arrays(STATE)?, file.numbers("numbers")?);
        let bias = |name: &str| state.get(name).map(|array| array.values.clone());
        let (Some(of_users), Some(of_items)) = (bias("biases.users"), bias("biases.items")) else {
            return Err(file.damaged("it lacks biases"));
        };
        let fits = about.users.is_sorted()
            && about.looks.is_some() == about.settings.pictures
            && items.is_sorted()
            && of_users.len() == about.users.len()
            && of_items.len() == items.len();
        if !fits {
            return Err(file.damaged("its parts do not fit each other"));
        }
        let gallery = Arc::new(Gallery::of(collection, &items, SIDE, None)?);
        let mut rating =
            Rating::new(about.users.len(), Arc::clone(&gallery), None, about.settings)?;
        rating.restore_bare(&state).map_err(|error| file.damaged(error.to_string()))?;
        let values = rating.network().look_values();
        let looks = about
            .looks
            .map(|digest| Looks::open(&looks::file(collection, &digest), items.len(), values));
        let biases = Biases { mean: about.mean, users: of_users, items: of_items };
        let stars = Stars { least: about.least, most: about.most };
        let looks = looks.transpose()?;
        Ok(KeptRating { rating, looks, biases, stars, gallery, users: about.users, items })
    }

    fn user(&self, key: &str) -> Option<u32> {
        let place = self.users.binary_search_by(|user| user.as_str().cmp(key));
        place.ok().map(|place| place as u32)
    }

    fn item(&self, id: u32) -> Option<u32> {
        self.items.binary_search(&id).ok().map(|place| place as u32)
    }

    fn judge(&self, pairs: &[(u32, u32)]) -> Result<Verdicts, Error> {
        match &self.looks {
            Some(looks) => self.rating.judge_kept(pairs, looks),
            None => self.rating.judge(pairs),
        }
    }

    /// What the tower builds on, in stars.
    fn ground(&self, user: u32, item: u32) -> Option<f32> {
        let ground = self.rating.ground()?.tell(user, item);
        Some(self.stars.of_value(ground.tanh()))
    }

    /// What a user will think of an item, by the collection's number. Where either is new, biases answer.
    pub fn tell(&self, user: &str, item: u32) -> Result<Told, Error> {
        let (user, item) = (self.user(user), self.item(item));
        let by_biases = self.stars.of_value(self.biases.tell(user, item));
        let mut told = Told {
            stars: by_biases,
            by_biases,
            ground: None,
            user_known: user.is_some(),
            item_known: item.is_some(),
            attention: None,
        };
        if let (Some(user), Some(item)) = (user, item) {
            let (values, attention) = self.judge(&[(user, item)])?;
            told.stars = values.first().map_or(by_biases, |&value| self.stars.of_value(value));
            told.ground = self.ground(user, item);
            told.attention = self.looks.is_some().then_some(attention);
        }
        Ok(told)
    }

    /// An item's picture as the network sees it, channel by channel from 0 to 1; zeros where it has none.
    pub fn seen(&self, item: u32) -> Option<Vec<f32>> {
        Some(self.gallery.batch(&[self.item(item)?], Scale::Unit))
    }

    /// The pictures of the first so many items, and what the network remembers of them; none where it does not look.
    pub fn remembered(&self, count: usize) -> Result<(Vec<f32>, Vec<f32>), Error> {
        if self.looks.is_none() {
            return Ok((Vec::new(), Vec::new()));
        }
        let mut items = self.gallery.items();
        items.truncate(count);
        Ok((self.gallery.batch(&items, Scale::Unit), self.rating.reconstruct(&items)?))
    }
}

/// Opens any of a collection's models, to put hits into order.
pub fn reranker<'a>(
    collection: &'a Collection,
    name: &str,
) -> Result<Box<dyn Reranker + 'a>, Error> {
    match name {
        NAME => Ok(Box::new(KeptRating::open(collection)?)),
        name => Ok(Box::new(Served::open(collection, name)?)),
    }
}

impl Reranker for KeptRating {
    fn name(&self) -> &str {
        NAME
    }

    fn score(&self, visitor: &Visitor, items: &[u32]) -> Result<Option<Scores>, Error> {
        let Some(user) = visitor.user.as_deref().and_then(|key| self.user(key)) else {
            return Ok(None);
        };
        let known: Vec<Option<u32>> = items.iter().map(|&id| self.item(id)).collect();
        let pairs: Vec<(u32, u32)> = known.iter().flatten().map(|&item| (user, item)).collect();
        let mut told = self.judge(&pairs)?.0.into_iter();
        // As many values a hit as there are terms.
        let grounded = self.rating.ground().is_some();
        let mut values = Vec::with_capacity(3 * items.len());
        for item in known {
            let biased = self.stars.of_value(self.biases.tell(Some(user), item));
            let own = item.and(told.next()).map_or(biased, |value| self.stars.of_value(value));
            values.push(biased);
            let mut before = biased;
            if grounded {
                before = item.and_then(|item| self.ground(user, item)).unwrap_or(biased);
                values.push(before - biased);
            }
            values.push(own - before);
        }
        let company = grounded.then_some("company");
        let terms = ["biases"].into_iter().chain(company).chain(["looks"]);
        let terms = terms.map(str::to_owned).collect();
        Ok(Some(Scores { terms, values }))
    }
}
