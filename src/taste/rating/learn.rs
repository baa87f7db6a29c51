//! How the rating model learns: each epoch first pictures, then ratings.
//!
//! ```text
//! phase I   a (1 - SSIM) + b MSE(picture)               encoder and decoder
//! phase II  MSE(rating) + c MSE(review)                 encoder, tower, review branch, users and items
//! ```
//!
//! Users and items are updated sparsely: half a million rows cost nothing where a batch names a few hundred. A picture
//! that several ratings of a part of a batch are about is encoded once.
//!
//! A batch is learned from in small parts, whose gradients are summed up in their order: what a part holds stays in the
//! cache, where a batch's maps come page by page from the system; and threads have something to share out that does
//! not change a bit.

use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rayon::prelude::*;

use super::ground::Ground;
use super::network::{RatingNetwork, Sight, Sizes};
use super::ratings::Rated;
use super::settings::{GroundKind, Losses, RatingSettings};
use super::structure::structure;
use crate::taste::Error;
use crate::taste::adam::{Adam as LazyAdam, Table};
use crate::taste::chance::Chance;
use crate::taste::error::failed;
use crate::taste::features::Features;
use crate::taste::gallery::{Gallery, Scale};
use crate::taste::model::{Array, State, halves, restore, whole};
use crate::taste::net::{Adam, AdamSettings, backward, keep_freed};

/// Rows and columns of the pictures.
pub const SIDE: usize = 40;

/// Pictures, or ratings, of a part of a batch.
pub(super) const PART: usize = 16;

/// The model.
pub struct Rating {
    settings: RatingSettings,
    gallery: Arc<Gallery>,
    /// Of the reviews, by number.
    reviews: Option<Arc<Features>>,
    network: RatingNetwork,
    ground: Option<Ground>,
    /// Of phase I and of phase II.
    adams: [Adam; 2],
    lazy: LazyAdam,
    users: Table,
    items: Table,
}

/// Some pairs' pictures: each once, and which of them is whose.
struct Seen {
    pictures: Vec<u32>,
    places: Vec<u32>,
}

/// What a part of a batch comes to.
struct Part {
    gradients: GradStore,
    /// Of users and items, rating by rating.
    rows: Vec<f32>,
    /// The sums of the losses.
    rating: f64,
    review: f64,
}

impl Seen {
    fn of(items: impl Iterator<Item = u32> + Clone) -> Self {
        let mut pictures: Vec<u32> = items.clone().collect();
        pictures.sort_unstable();
        pictures.dedup();
        let place = |item| pictures.partition_point(|&other| other < item) as u32;
        Seen { places: items.map(place).collect(), pictures }
    }
}

impl Rating {
    /// A model of so many users that knows nothing yet of a gallery's items.
    ///
    /// # Panics
    /// Where the gallery's pictures are not of [`SIDE`] rows and columns.
    pub fn new(
        users: usize,
        gallery: Arc<Gallery>,
        reviews: Option<Arc<Features>>,
        settings: RatingSettings,
    ) -> Result<Self, Error> {
        assert_eq!(gallery.side(), SIDE, "pictures of another size");
        keep_freed();
        let reviews = reviews.filter(|_| settings.reviews);
        let review = reviews.as_ref().map_or(0, |reviews| reviews.dimension());
        let sizes = Sizes {
            embedding: settings.embedding,
            review,
            pictures: settings.pictures,
            ..Sizes::default()
        };
        let network = RatingNetwork::new(sizes, settings.seed).map_err(failed)?;
        let steps = AdamSettings { rate: settings.rate, ..AdamSettings::default() };
        let drawn = |name, rows: usize| {
            let values =
                Chance::new(settings.seed, name, 0).normals(rows * settings.embedding, 0.05);
            Table::new(settings.embedding, values, rows)
        };
        Ok(Rating {
            adams: [true, false].map(|pictures| Adam::new(network.of_phase(pictures), steps)),
            lazy: LazyAdam::new(settings.rate_tables),
            users: drawn("rating users", users),
            items: drawn("rating items", gallery.len()),
            network,
            ground: None,
            gallery,
            reviews,
            settings,
        })
    }

    /// The networks, as far as they have learned.
    pub fn network(&self) -> &RatingNetwork {
        &self.network
    }

    /// The same on a ground, to which the tower has nothing to add yet.
    pub fn on(mut self, ground: Option<Ground>) -> Result<Self, Error> {
        if ground.is_some() {
            self.network.hush().map_err(failed)?;
        }
        self.ground = ground;
        Ok(self)
    }

    /// What the tower builds on.
    pub fn ground(&self) -> Option<&Ground> {
        self.ground.as_ref()
    }

    /// How many items there are.
    pub fn items(&self) -> usize {
        self.items.rows()
    }

    /// Some items' pictures.
    pub(super) fn pictures(&self, items: &[u32]) -> candle_core::Result<Tensor> {
        let pixels = self.gallery.batch(items, Scale::Unit);
        Tensor::from_vec(pixels, (items.len(), 3, SIDE, SIDE), &Device::Cpu)
    }

    /// Users and items side by side.
    pub(super) fn rows(
        &self,
        pairs: impl Iterator<Item = (u32, u32)>,
    ) -> candle_core::Result<Tensor> {
        let mut rows = Vec::new();
        for (user, item) in pairs {
            rows.extend_from_slice(self.users.row(user));
            rows.extend_from_slice(self.items.row(item));
        }
        let width = 2 * self.settings.embedding;
        let count = rows.len() / width;
        Tensor::from_vec(rows, (count, width), &Device::Cpu)
    }

    /// Calls `f` with what there is to see of some pairs' items: each picture is encoded once.
    pub(super) fn seeing<T>(
        &self,
        items: impl Iterator<Item = u32> + Clone,
        learns: bool,
        f: impl FnOnce(Sight<'_>) -> candle_core::Result<T>,
    ) -> candle_core::Result<T> {
        if !self.settings.pictures {
            return f(Sight::Nowhere);
        }
        let seen = Seen::of(items);
        let maps = self.network.encode(&self.pictures(&seen.pictures)?, learns)?;
        f(Sight::Maps { maps: &maps, places: &seen.places })
    }

    /// Learns once from the pictures and from some ratings.
    pub fn learn(&mut self, ratings: &[Rated], seed: u64, epoch: u32) -> Result<Losses, Error> {
        let (structure, pixels) = self.learn_pictures(seed, epoch).map_err(failed)?;
        let (rating, review) = self.learn_ratings(ratings, seed, epoch).map_err(failed)?;
        Ok(Losses { structure, pixels, rating, review })
    }

    /// Phase I.
    pub fn learn_pictures(&mut self, seed: u64, epoch: u32) -> candle_core::Result<(f64, f64)> {
        if !self.settings.pictures {
            return Ok((0.0, 0.0));
        }
        let mut items = self.gallery.items();
        Chance::new(seed, "pictures", epoch.into()).shuffle(&mut items);
        let mut sums = (0.0, 0.0);
        for batch in items.chunks(self.settings.batch_pictures.max(1)) {
            let parts = batch.par_chunks(PART).map(|part| self.picture_part(part, batch.len()));
            let parts: Vec<_> = parts.collect::<candle_core::Result<_>>()?;
            let (gradients, losses): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            self.adams[0].step_along(gradients)?;
            for (structure, pixels) in losses {
                sums.0 += structure;
                sums.1 += pixels;
            }
        }
        let count = items.len().max(1) as f64;
        Ok((sums.0 / count, sums.1 / count))
    }

    /// The gradients of a part of a batch of so many pictures, and the part's losses, picture by picture.
    fn picture_part(
        &self,
        part: &[u32],
        batch: usize,
    ) -> candle_core::Result<(GradStore, (f64, f64))> {
        let pictures = self.pictures(part)?;
        let [_, map] = self.network.encode(&pictures, true)?;
        let made = self.network.decode(&map, true)?;
        let kept = structure(&pictures, &made)?.mean_all()?;
        let error = (&made - &pictures)?.sqr()?.mean_all()?;
        let share = part.len() as f64 / batch as f64;
        let loss = (((1.0 - &kept)? * (share * f64::from(self.settings.structure)))?
            + (&error * (share * f64::from(self.settings.pixels)))?)?;
        let value = |loss: &Tensor| loss.to_scalar::<f32>().map(f64::from);
        let (structure, pixels) = (1.0 - value(&kept)?, value(&error)?);
        let count = part.len() as f64;
        Ok((backward(&loss)?, (structure * count, pixels * count)))
    }

    /// Phase II.
    pub fn learn_ratings(
        &mut self,
        ratings: &[Rated],
        seed: u64,
        epoch: u32,
    ) -> candle_core::Result<(f64, f64)> {
        let mut order: Vec<u32> = (0..ratings.len() as u32).collect();
        Chance::new(seed, "ratings", epoch.into()).shuffle(&mut order);
        let (mut sums, mut reviews) = ((0.0, 0.0), 0);
        for batch in order.chunks(self.settings.batch.max(1)) {
            let mut batch: Vec<Rated> = batch.iter().map(|&n| ratings[n as usize]).collect();
            // By item, so that a picture's ratings stand together.
            batch.sort_by_key(|rated| (rated.item, rated.user));
            let reviewed = match self.reviews {
                Some(_) => batch.iter().filter(|rated| rated.review.is_some()).count(),
                None => 0,
            };
            let (rating, review) = self.step(&batch, reviewed)?;
            sums.0 += rating;
            sums.1 += review;
            reviews += reviewed;
        }
        Ok((sums.0 / ratings.len().max(1) as f64, sums.1 / reviews.max(1) as f64))
    }

    /// One step on some ratings, of which so many come with reviews; returns the losses as they were before, rating by
    /// rating and review by review.
    fn step(&mut self, batch: &[Rated], reviewed: usize) -> candle_core::Result<(f64, f64)> {
        let parts =
            batch.par_chunks(PART).map(|part| self.rating_part(part, batch.len(), reviewed));
        let parts: Vec<Part> = parts.collect::<candle_core::Result<_>>()?;
        let (mut gradients, mut rows, mut losses) = (Vec::new(), Vec::new(), (0.0, 0.0));
        for part in parts {
            gradients.push(part.gradients);
            rows.extend(part.rows);
            losses.0 += part.rating;
            losses.1 += part.review;
        }
        self.spread(batch, &rows);
        self.adams[1].step_along(gradients)?;
        Ok(losses)
    }

    /// What a part of a batch of so many ratings and so many reviews comes to.
    fn rating_part(
        &self,
        part: &[Rated],
        batch: usize,
        reviewed: usize,
    ) -> candle_core::Result<Part> {
        let pairs = self.rows(part.iter().map(|rated| (rated.user, rated.item)))?;
        let pairs = Var::from_tensor(&pairs)?;
        let judged = self.seeing(part.iter().map(|rated| rated.item), true, |sight| {
            self.network.judge(&pairs, sight, true)
        })?;
        let truth: Vec<f32> = part.iter().map(|rated| rated.value).collect();
        let truth = Tensor::from_vec(truth, part.len(), &Device::Cpu)?;
        let ground: Vec<f32> = match &self.ground {
            Some(ground) => part.iter().map(|r| ground.tell_apart(r.user, r.item)).collect(),
            None => Vec::new(),
        };
        let error = (judged.ratings(&ground)? - truth)?.sqr()?.sum_all()?;
        let rating = f64::from(error.to_scalar::<f32>()?);
        let mut loss = (error / batch as f64)?;
        let mut review = 0.0;
        if let Some((places, vectors)) = self.reviewed(part)? {
            let last = match vectors.dim(0)? == part.len() {
                true => judged.last,
                false => judged.last.index_select(&places, 0)?,
            };
            let told = self.network.review(&last, true)?;
            let error = ((told - &vectors)?.sqr()?.sum_all()? / vectors.dim(1)? as f64)?;
            review = f64::from(error.to_scalar::<f32>()?);
            let share = f64::from(self.settings.review) / reviewed as f64;
            loss = (loss + (error * share)?)?;
        }
        let mut gradients = backward(&loss)?;
        let rows = match gradients.remove(&pairs) {
            Some(gradient) => gradient.flatten_all()?.to_vec1()?,
            None => vec![0.0; pairs.elem_count()],
        };
        Ok(Part { gradients, rows, rating, review })
    }

    /// The places of those ratings that come with reviews, and the reviews' vectors.
    fn reviewed(&self, batch: &[Rated]) -> candle_core::Result<Option<(Tensor, Tensor)>> {
        let Some(reviews) = &self.reviews else { return Ok(None) };
        let written = (0u32..).zip(batch).filter_map(|(place, rated)| Some((place, rated.review?)));
        let (places, numbers): (Vec<u32>, Vec<u32>) = written.unzip();
        if places.is_empty() {
            return Ok(None);
        }
        let shape = (numbers.len(), reviews.dimension());
        let vectors = Tensor::from_vec(reviews.scaled(&numbers), shape, &Device::Cpu)?;
        Ok(Some((Tensor::new(places, &Device::Cpu)?, vectors)))
    }

    /// Moves users and items down the gradients of their rows.
    fn spread(&mut self, batch: &[Rated], gradients: &[f32]) {
        let width = self.settings.embedding;
        let lambda = self.settings.lambda / batch.len() as f32;
        for (rated, gradient) in batch.iter().zip(gradients.chunks(2 * width)) {
            let (of_user, of_item) = gradient.split_at(width);
            for (table, row, found) in
                [(&mut self.users, rated.user, of_user), (&mut self.items, rated.item, of_item)]
            {
                let (values, gradient) = table.touch(row);
                for ((sum, x), found) in gradient.iter_mut().zip(values).zip(found) {
                    *sum += found + lambda * x;
                }
            }
        }
        let step = self.lazy.step();
        self.users.descend(step);
        self.items.descend(step);
    }

    /// What it takes to answer, without the optimisers' memory and without the review branch.
    pub(super) fn bare_state(&self) -> Result<State, Error> {
        let mut state = self.network.parameters().state().map_err(failed)?;
        state.retain(|name, _| !name.starts_with("review."));
        if let Some(ground) = &self.ground {
            ground.save(&mut state);
        }
        for (name, table) in [("users", &self.users), ("items", &self.items)] {
            state.insert(name.to_owned(), Array::rows(table.rows(), table.values().to_vec()));
        }
        Ok(state)
    }

    /// Takes up what [`bare_state`](Self::bare_state) told.
    pub(super) fn restore_bare(&mut self, state: &State) -> Result<(), Error> {
        self.network.parameters().restore(state).map_err(failed)?;
        for (name, table) in [("users", &mut self.users), ("items", &mut self.items)] {
            let mut values = vec![0.0; table.values().len()];
            restore(state, name, &mut values)?;
            *table = Table::new(self.settings.embedding, values, table.rows());
        }
        if self.settings.ground != GroundKind::None {
            self.ground = Some(Ground::load(state, (self.users.rows(), self.items.rows()))?);
        }
        Ok(())
    }

    /// All that training changes.
    pub fn state(&self) -> Result<State, Error> {
        let mut state = self.network.parameters().state().map_err(failed)?;
        for (phase, adam) in ["pictures.", "ratings."].into_iter().zip(&self.adams) {
            state.extend(adam.state().into_iter().map(|(name, a)| (format!("{phase}{name}"), a)));
            state.insert(format!("{phase}steps"), halves(adam.steps() as u32));
        }
        self.users.save("users", &mut state);
        self.items.save("items", &mut state);
        state.insert("steps".to_owned(), halves(self.lazy.steps()));
        Ok(state)
    }

    /// Goes back to a state that [`state`](Self::state) gave.
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.network.parameters().restore(state).map_err(failed)?;
        for (phase, adam) in ["pictures.", "ratings."].into_iter().zip(&mut self.adams) {
            let steps = whole(state, &format!("{phase}steps"))?.into();
            let own = state.iter().filter_map(|(name, array)| {
                Some((name.strip_prefix(phase)?.to_owned(), array.clone()))
            });
            adam.restore(steps, &own.collect()).map_err(failed)?;
        }
        self.users.load("users", state)?;
        self.items.load("items", state)?;
        self.lazy.resume(whole(state, "steps")?);
        Ok(())
    }
}
