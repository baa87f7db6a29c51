//! What pictures look like part by part to the collection's own encoder: cut into tiles, a few numbers each.
//!
//! A tile is the mean of its places in the encoder's last maps, from which what all tiles have in common is taken off,
//! along the directions in which tiles differ most. Those are found on the first pictures that are looked at, and
//! kept beside the tiles, so that later pictures are measured by the same.

use super::features::Features;
use super::foreign::Foreign;
use super::material::Material;
use super::model::{Array, State};
use super::pictures::pictures;
use super::principal::Principal;
use super::sights::{Sights, prepared};
use super::{Error, ModelError};
use crate::encode::kernels::{Isa, Matrix, multiply_shared};
use crate::encode::{Modality, Pixels};

/// Pictures by which the main directions are found.
const SAMPLE: usize = 256;

/// As many tiles an item, one after the other, by dense number; zeros where an item has no picture.
#[derive(Debug, Clone)]
pub struct Tiles {
    values: Vec<f32>,
    /// Of each picture.
    count: usize,
    dimension: usize,
}

impl Tiles {
    /// Items of `count` tiles of so many numbers each, one after the other.
    ///
    /// # Panics
    /// Where the values are no whole number of items.
    pub fn new(values: Vec<f32>, count: usize, dimension: usize) -> Self {
        let whole = count * dimension;
        assert!(whole > 0 && values.len().is_multiple_of(whole), "no whole pictures");
        Tiles { values, count, dimension }
    }

    /// The items' pictures, each cut into `side` rows of as many tiles, as `dimension` numbers a tile; for a model of that
    /// name.
    pub(super) fn of(
        material: &Material<'_>,
        model: &str,
        (side, dimension): (usize, usize),
    ) -> Result<Self, Error> {
        let blind = |why| ModelError::Blind { model: model.to_owned(), why };
        let collection = material.collection().ok_or_else(|| blind("there are none"))?;
        let pictures = pictures(collection, material.items())?;
        let own =
            collection.encoder(Modality::Image).filter(|_| pictures.iter().any(Option::is_some));
        let own = own.ok_or_else(|| blind("there are none"))?;
        let foreign = Foreign::open(&own.model, material)?;
        if !foreign.own {
            return Err(blind("their encoder is no longer the one that made their vectors").into());
        }
        let encoder = &*foreign.encoder;
        let cut = |pixels: &[Pixels]| -> Result<Vec<Vec<f32>>, Error> {
            let tiles = encoder.tiles(pixels, side)?;
            Ok(tiles.ok_or_else(|| blind("their encoder only sees whole ones"))?)
        };
        let path = collection.path().join("taste/features");
        let path = path.join(format!("{}-{side}-{dimension}.safetensors", foreign.fingerprint));
        let mut sights = Sights::open(path, side * side * dimension);
        let full = encoder.dimension();
        let basis = match Basis::restored(&sights.basis, (full, dimension)) {
            Some(basis) => basis,
            None => {
                sights.forget();
                // By their hashes, the first are any.
                let missing = sights.missing(&pictures);
                let (_, pixels) = prepared(&missing[..missing.len().min(SAMPLE)], encoder);
                if pixels.is_empty() {
                    return Err(blind("they cannot be read any more").into());
                }
                let basis = Basis::of(&cut(&pixels)?.concat(), (full, dimension));
                sights.basis = basis.state();
                basis
            }
        };
        let see = |pixels: &[Pixels]| {
            let cut = cut(pixels)?.into_iter();
            Ok(cut.map(|tiles| basis.project(tiles)).collect())
        };
        sights.look(&sights.missing(&pictures), encoder, material, see)?;
        Ok(Tiles::new(sights.values(&pictures), side * side, dimension))
    }

    /// The tiles of some items, one after the other.
    pub fn of_items(&self, items: &[u32]) -> Vec<f32> {
        let whole = self.count * self.dimension;
        items
            .iter()
            .flat_map(|&item| &self.values[item as usize * whole..][..whole])
            .copied()
            .collect()
    }

    /// Tiles an item.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Numbers a tile.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
}

/// The mean of tiles, and the main directions in which they differ from it: scaled, so that the squares of what is seen along
/// all of them are one in the mean.
#[derive(Debug, PartialEq)]
struct Basis {
    mean: Vec<f32>,
    /// A row a direction.
    directions: Vec<f32>,
}

impl Basis {
    /// That of tiles of `full` numbers each, one after the other.
    fn of(tiles: &[f32], (full, dimension): (usize, usize)) -> Self {
        let mut mean = vec![0.0f64; full];
        for tile in tiles.chunks_exact(full) {
            mean.iter_mut().zip(tile).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        let count = (tiles.len() / full).max(1) as f64;
        let mean: Vec<f32> = mean.iter().map(|sum| (sum / count) as f32).collect();
        let apart = tiles.iter().zip(mean.iter().cycle()).map(|(x, m)| x - m).collect();
        let Principal { mut directions, deviations } =
            Principal::of(&Features::new(apart, full), dimension, 1);
        let strength = deviations.iter().map(|deviation| deviation * deviation).sum::<f32>();
        let scale = (dimension as f32 / strength.max(f32::MIN_POSITIVE)).sqrt();
        directions.iter_mut().for_each(|x| *x *= scale);
        // There are no more directions than numbers.
        directions.resize(dimension * full, 0.0);
        Basis { mean, directions }
    }

    fn state(&self) -> State {
        State::from([
            ("mean".to_owned(), Array::rows(1, self.mean.clone())),
            ("directions".to_owned(), Array::rows(1, self.directions.clone())),
        ])
    }

    /// What [`state`](Self::state) told, if it fits.
    fn restored(state: &State, (full, dimension): (usize, usize)) -> Option<Self> {
        let values = |name, count| {
            let values = &state.get(name)?.values;
            (values.len() == count).then(|| values.clone())
        };
        Some(Basis {
            mean: values("mean", full)?,
            directions: values("directions", dimension * full)?,
        })
    }

    /// What tiles are along the directions.
    fn project(&self, mut tiles: Vec<f32>) -> Vec<f32> {
        let full = self.mean.len();
        tiles.iter_mut().zip(self.mean.iter().cycle()).for_each(|(x, m)| *x -= m);
        let (count, dimension) = (tiles.len() / full, self.directions.len() / full);
        let mut seen = vec![0.0; count * dimension];
        let turned = Matrix::new(&self.directions, dimension, full).transposed();
        multiply_shared(Isa::best(), Matrix::new(&tiles, count, full), turned, &mut seen);
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taste::chance::Chance;

    /// Tiles that differ along two of eight axes, by 3 and by 1; the squares of what is seen are to be one in the mean.
    #[test]
    fn tiles_are_seen_along_the_directions_in_which_they_differ() {
        let mut chance = Chance::new(1, "tiles", 0);
        let drawn = chance.normals(2 * 4000, 1.0);
        let (both, _) = drawn.as_chunks::<2>();
        let tiles: Vec<f32> = both
            .iter()
            .flat_map(|[a, b]| [5.0, 3.0 * a, 0.0, 0.0, b + 2.0, 0.0, 1.0, 0.0])
            .collect();
        let basis = Basis::of(&tiles, (8, 2));
        let seen = basis.project(tiles.clone());
        // sqrt(2 / (9 + 1)) of either.
        let scale = 0.2f32.sqrt();
        for (seen, [a, b]) in seen.chunks_exact(2).zip(both) {
            assert!((seen[0].abs() - (3.0 * scale * a).abs()).abs() < 0.1, "{seen:?} {a}");
            assert!((seen[1].abs() - (scale * b).abs()).abs() < 0.1, "{seen:?} {b}");
        }
        assert_eq!(Basis::restored(&basis.state(), (8, 2)), Some(basis));
        let wide = Basis::of(&tiles, (8, 11));
        assert!(wide.project(tiles).chunks_exact(11).all(|seen| seen[8..] == [0.0; 3]));
        assert_eq!(Basis::restored(&wide.state(), (8, 2)), None);
    }
}
