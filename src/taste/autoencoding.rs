//! The shop's own autoencoder: it learns to draw the catalogue's pictures, and its codes are then features.
//!
//! Flowing in: a [`Gallery`]. Flowing out: a [`Frozen`] network with the codes of all items, and a picture of
//! originals beside what is left of them.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chance::Chance;
use super::error::failed;
use super::features::Features;
use super::frozen::{Eye, Frozen, LinearSettings};
use super::gallery::{Gallery, Scale, planes};
use super::material::Material;
use super::model::{Looks, State};
use super::net::{Adam, AdamSettings, Autoencoder};
use crate::encode::image::squash;

/// What can be chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaeSettings {
    /// Rows and columns of the pictures that it sees, a multiple of 8; the document has 224.
    pub side: usize,
    /// How often it sees each.
    pub passes: u32,
    /// Pictures a step.
    pub pictures: usize,
    /// Adam's step size.
    pub drawing_rate: f32,
    /// What is learned over its codes.
    #[serde(flatten)]
    pub model: LinearSettings,
}

impl Default for CaeSettings {
    fn default() -> Self {
        let model = LinearSettings::default();
        CaeSettings { side: 64, passes: 3, pictures: 32, drawing_rate: 1e-3, model }
    }
}

/// Pictures that are encoded at once.
const TOGETHER: usize = 64;

/// Pictures that are shown with what is left of them.
const DRAWN: usize = 12;

/// An autoencoder that has learned.
pub(super) struct Autoencoding {
    network: Autoencoder,
    side: usize,
}

fn tensor(gallery: &Gallery, items: &[u32]) -> candle_core::Result<Tensor> {
    let side = gallery.side();
    let pixels = gallery.batch(items, Scale::Unit);
    Tensor::from_vec(pixels, (items.len(), 3, side, side), &Device::Cpu)
}

impl CaeSettings {
    /// Learns to draw all pictures, and encodes them.
    pub(super) fn train(&self, material: &Material<'_>, seed: u64) -> Result<Frozen, Error> {
        let gallery = material.gallery("dvbpr-cae", self.side)?;
        let (eye, _) = self.learn(&gallery, seed)?;
        let seen = gallery.items();
        let codes = eye.codes(&gallery, &seen)?;
        let dimension = eye.network.dimension();
        let mut values = vec![0.0; gallery.len() * dimension];
        for (&item, code) in seen.iter().zip(codes.chunks(dimension)) {
            values[item as usize * dimension..][..dimension].copy_from_slice(code);
        }
        let features = Arc::new(Features::new(values, dimension).centred());
        Ok(Frozen { features, eye: Arc::new(eye) })
    }

    /// Learns to draw a gallery; beside it the mean loss of each pass.
    pub(super) fn learn(
        &self,
        gallery: &Gallery,
        seed: u64,
    ) -> Result<(Autoencoding, Vec<f64>), Error> {
        let network = Autoencoder::new(self.side, seed).map_err(failed)?;
        let settings = AdamSettings { rate: self.drawing_rate, ..AdamSettings::default() };
        let mut adam = Adam::new(network.parameters(), settings);
        let mut losses = Vec::new();
        for pass in 0..self.passes {
            let mut items = gallery.items();
            Chance::new(seed, "drawing", u64::from(pass)).shuffle(&mut items);
            let mut sum = 0.0;
            for some in items.chunks(self.pictures.max(1)) {
                let step = tensor(gallery, some).and_then(|x| network.step(&x, &mut adam));
                sum += f64::from(step.map_err(failed)?) * some.len() as f64;
            }
            losses.push(sum / items.len().max(1) as f64);
        }
        Ok((Autoencoding { network, side: self.side }, losses))
    }
}

impl Autoencoding {
    fn codes(&self, gallery: &Gallery, items: &[u32]) -> Result<Vec<f32>, Error> {
        let mut codes = Vec::with_capacity(items.len() * self.network.dimension());
        for some in items.chunks(TOGETHER) {
            let code = tensor(gallery, some)
                .and_then(|x| self.network.encode(&x)?.flatten_all()?.to_vec1::<f32>());
            codes.extend(code.map_err(failed)?);
        }
        Ok(codes)
    }

    /// Takes up the weights that [`Eye::state`] told.
    pub(super) fn restored(settings: &CaeSettings, state: &State) -> Result<Self, Error> {
        let network = Autoencoder::new(settings.side, 0).map_err(failed)?;
        network.restore(state).map_err(failed)?;
        Ok(Autoencoding { network, side: settings.side })
    }

    /// Items' pictures, and below each what is left of it.
    fn sheet(&self, gallery: &Gallery, items: &[u32]) -> Result<RgbImage, Error> {
        let side = self.side as u32;
        let mut sheet = RgbImage::new(side * items.len() as u32, 2 * side);
        let drawn = tensor(gallery, items)
            .and_then(|x| self.network.reconstruct(&x)?.flatten_all()?.to_vec1::<f32>())
            .map_err(failed)?;
        let originals = gallery.batch(items, Scale::Unit);
        let place = self.side * self.side;
        for (row, values) in [originals, drawn].iter().enumerate() {
            for (column, picture) in values.chunks(3 * place).enumerate() {
                for at in 0..place {
                    let rgb = [0, 1, 2].map(|channel| {
                        (picture[channel * place + at] * 255.0).round().clamp(0.0, 255.0) as u8
                    });
                    let (x, y) = ((at % self.side) as u32, (at / self.side) as u32);
                    let (left, top) = (column as u32 * side, row as u32 * side);
                    sheet.put_pixel(left + x, top + y, image::Rgb(rgb));
                }
            }
        }
        Ok(sheet)
    }
}

impl Eye for Autoencoding {
    fn feature(&self, looks: &Looks<'_>) -> Result<Option<Vec<f32>>, Error> {
        let Some(picture) = (looks.picture)()? else { return Ok(None) };
        let pixels = planes(&squash(&picture, self.side));
        self.codes(&Gallery::new(self.side, vec![Some(pixels)]), &[0]).map(Some)
    }

    fn state(&self) -> State {
        // Reading a parameter cannot fail; should it, restoring says that it is not there.
        self.network.state().unwrap_or_default()
    }

    fn drawings(&self, material: &Material<'_>) -> Result<Option<RgbImage>, Error> {
        let gallery = material.gallery("dvbpr-cae", self.side)?;
        let items = gallery.items();
        let every = (items.len() / DRAWN).max(1);
        let some: Vec<u32> = items.into_iter().step_by(every).take(DRAWN).collect();
        self.sheet(&gallery, &some).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every picture is of one shade, so that there is something to learn, and most of it can be.
    fn gallery() -> Gallery {
        let shade = |item: u8| Some(vec![20 * item; 3 * 16 * 16]);
        Gallery::new(16, (0..12).map(|item| if item == 5 { None } else { shade(item) }).collect())
    }

    #[test]
    fn it_learns_to_draw_and_codes_tell_pictures_apart() {
        let settings = CaeSettings {
            side: 16,
            passes: 150,
            pictures: 4,
            drawing_rate: 0.01,
            ..CaeSettings::default()
        };
        let (learned, losses) = settings.learn(&gallery(), 1).unwrap();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.2 * first, "{first} to {last}");
        let sheet = learned.sheet(&gallery(), &[0, 11]).unwrap();
        assert_eq!(sheet.dimensions(), (32, 32));
        assert_eq!((sheet.get_pixel(8, 8).0, sheet.get_pixel(24, 8).0), ([0; 3], [220; 3]));
        let drawn = [sheet.get_pixel(8, 24).0[0], sheet.get_pixel(24, 24).0[0]];
        assert!(drawn[0] < 80 && drawn[1] > 150, "{drawn:?}");
        // Kept and taken up again, it makes the same of a picture that is no item.
        let again = Autoencoding::restored(&settings, &learned.state()).unwrap();
        let picture = || Ok(Some(RgbImage::from_pixel(40, 30, image::Rgb([60; 3]))));
        let looks = Looks { feature: None, picture: &picture };
        let code = again.feature(&looks).unwrap().unwrap();
        assert_eq!(code, learned.codes(&gallery(), &[3]).unwrap());
        assert_ne!(code, learned.codes(&gallery(), &[4]).unwrap());
        let other = CaeSettings { side: 20, ..settings };
        assert!(Autoencoding::restored(&other, &State::new()).is_err());
    }
}
