//! Pooling: the largest or the mean of each neighbourhood, and the mean over all places or over those of a tile.

use candle_core::{Result, Tensor};

use super::geometry::Kernel;
use super::maps::Maps;

/// The largest of each neighbourhood; padding never wins.
pub(super) fn largest(x: &Maps, geometry: &Kernel) -> Result<Maps> {
    if let Some(tensor) = x.tensor() {
        let (kernel, stride, tensor) = for_candle(tensor, x, geometry)?;
        // Behind a ReLU a zero never beats what it stands beside.
        return Maps::of_tensor(tensor.max_pool2d_with_stride(kernel, stride)?);
    }
    pooled(x, geometry, f32::NEG_INFINITY, |most, x| {
        // What is not a number wins, so that it is not lost.
        *most = if x > *most || x.is_nan() { x } else { *most };
    })
}

/// The mean of each neighbourhood, padding counted as zeros.
pub(super) fn mean_around(x: &Maps, geometry: &Kernel) -> Result<Maps> {
    if let Some(tensor) = x.tensor() {
        let (kernel, stride, tensor) = for_candle(tensor, x, geometry)?;
        return Maps::of_tensor(tensor.avg_pool2d_with_stride(kernel, stride)?);
    }
    let mut y = pooled(x, geometry, 0.0, |sum, x| *sum += x)?;
    let scale = 1.0 / (geometry.down.kernel * geometry.across.kernel) as f32;
    y.places_mut()?.iter_mut().for_each(|y| *y *= scale);
    Ok(y)
}

/// The mean of each channel over all places.
pub(super) fn mean(x: &Maps) -> Result<Maps> {
    if let Some(tensor) = x.tensor() {
        return Maps::of_tensor(tensor.mean_keepdim((2, 3))?);
    }
    let places = x.rows * x.columns;
    let mut y = x.unwritten(1, 1, x.channels)?;
    let pictures = x.places()?.chunks_exact(places * x.channels);
    for (picture, means) in pictures.zip(y.places_mut()?.chunks_exact_mut(x.channels)) {
        means.fill(0.0);
        for place in picture.chunks_exact(x.channels) {
            means.iter_mut().zip(place).for_each(|(sum, x)| *sum += x);
        }
        means.iter_mut().for_each(|sum| *sum /= places as f32);
    }
    Ok(y)
}

/// The means of each picture's channels over `side` rows of as many tiles: tile after tile, row by row. Where they do not come
/// out even, neighbouring tiles share a row or a column of places.
pub(super) fn tiles(x: &Maps, side: usize) -> Result<Vec<Vec<f32>>> {
    let size = x.rows * x.columns;
    let along = |tile: usize, places: usize| {
        tile * places / side..((tile + 1) * places).div_ceil(side).min(places)
    };
    let of_picture = |planes: Vec<f32>| {
        let mut tiles = Vec::with_capacity(side * side * x.channels);
        for tile in 0..side * side {
            let (rows, columns) = (along(tile / side, x.rows), along(tile % side, x.columns));
            let count = (rows.len() * columns.len()) as f32;
            tiles.extend(planes.chunks_exact(size).map(|plane| {
                let sum: f32 =
                    (rows.clone()).flat_map(|row| &plane[row * x.columns..][columns.clone()]).sum();
                sum / count
            }));
        }
        tiles
    };
    Ok(x.planes()?.into_iter().map(of_picture).collect())
}

/// Down and across.
type Pair = (usize, usize);

/// Kernel, stride, and the tensor with its padding.
fn for_candle(
    tensor: &Tensor,
    x: &Maps,
    Kernel { down, across }: &Kernel,
) -> Result<(Pair, Pair, Tensor)> {
    let ((top, bottom), (left, right)) = (down.zeros(x.rows), across.zeros(x.columns));
    let tensor = tensor.pad_with_zeros(2, top, bottom)?.pad_with_zeros(3, left, right)?;
    Ok(((down.kernel, across.kernel), (down.stride, across.stride), tensor))
}

/// Gathers each neighbourhood, channel by channel.
fn pooled(
    x: &Maps,
    Kernel { down, across }: &Kernel,
    start: f32,
    gather: impl Fn(&mut f32, f32),
) -> Result<Maps> {
    let ((_, rows), (_, columns)) = (down.along(x.rows), across.along(x.columns));
    let channels = x.channels;
    let mut y = x.unwritten(rows, columns, channels)?;
    let values = x.places()?;
    for (at, y) in y.places_mut()?.chunks_exact_mut(channels).enumerate() {
        let (picture, row, column) = (at / (rows * columns), at / columns % rows, at % columns);
        let (tall, row) = down.taps(row, x.rows);
        let (wide, column) = across.taps(column, x.columns);
        y.fill(start);
        for row in row..row + tall.len() {
            let first = ((picture * x.rows + row) * x.columns + column) * channels;
            for place in values[first..].chunks_exact(channels).take(wide.len()) {
                y.iter_mut().zip(place).for_each(|(y, &x)| gather(y, x));
            }
        }
    }
    Ok(y)
}

#[cfg(test)]
mod tests {
    use super::super::geometry::Padding;
    use super::super::maps::Arena;
    use super::*;
    use crate::encode::Device;

    /// One picture of three channels, 3 x 3.
    fn maps() -> Maps {
        let planes = [
            [-1f32, -2., -3., -4., -5., -6., -7., -8., -9.],
            [1., 2., 9., 3., 4., 0., 5., 8., 7.],
            [0.; 9],
        ];
        Maps::of_pictures(&[&planes.concat()], 3, &Device::cpu(), &Arena::default()).unwrap()
    }

    #[test]
    fn pools_by_hand() {
        let around = Kernel::square(3, 2, Padding::Each(1));
        let pooled = largest(&maps(), &around).unwrap();
        assert_eq!((pooled.rows, pooled.columns, pooled.channels), (2, 2, 3));
        let expected = [[-1., -2., -4., -5.], [4., 9., 8., 8.], [0.; 4]].concat();
        assert_eq!(pooled.planes().unwrap(), [expected]);

        let within = Kernel::square(3, 2, Padding::Each(0));
        assert_eq!(largest(&maps(), &within).unwrap().planes().unwrap(), [[-1., 9., 0.]]);

        let expected = [[-12., -16., -24., -28.], [10., 15., 20., 19.], [0.; 4]].concat();
        let ninths: Vec<f32> = expected.iter().map(|x| x * (1.0 / 9.0)).collect();
        assert_eq!(mean_around(&maps(), &around).unwrap().planes().unwrap(), [ninths]);

        assert_eq!(mean(&maps()).unwrap().planes().unwrap(), [[-5.0, 39.0 / 9.0, 0.0]]);

        let quarters = [[-3., 10. / 4.], [-4., 15. / 4.], [-6., 20. / 4.], [-7., 19. / 4.]];
        let expected: Vec<f32> = quarters.iter().flat_map(|&[a, b]| [a, b, 0.0]).collect();
        assert_eq!(tiles(&maps(), 2).unwrap(), [expected]);
        assert_eq!(tiles(&maps(), 1).unwrap(), mean(&maps()).unwrap().planes().unwrap());
    }
}
