//! What lies behind and below a product: a light wall, a table or a paper, and the product's shadow.

use tiny_skia::{
    FillRule, FilterQuality, GradientStop, Pixmap, PixmapPaint, Point, RadialGradient, Rect,
    SpreadMode, Transform,
};

use super::canvas::{BOARD, gradient, plain};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::Pen;

/// A setting for the photograph, so to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backdrop {
    /// An even studio wall.
    Studio,
    /// A pale disc behind the product.
    Disc,
    /// A pale arch behind the product.
    Arch,
    /// A wall of two halves.
    Split,
    /// None: the product is cut out, and what surrounds it is transparent.
    CutOut,
}

impl Backdrop {
    /// Its name in the file of hidden truths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Studio => "studio",
            Self::Disc => "disc",
            Self::Arch => "arch",
            Self::Split => "split",
            Self::CutOut => "cut-out",
        }
    }
}

/// The light tints that walls are painted in.
pub const WALLS: [Rgb; 8] = [
    Rgb(244, 240, 232),
    Rgb(236, 240, 242),
    Rgb(246, 234, 228),
    Rgb(234, 241, 233),
    Rgb(240, 236, 245),
    Rgb(249, 241, 222),
    Rgb(232, 238, 246),
    Rgb(247, 247, 245),
];

/// Puts a product onto its backdrop. A product that stands gets a shadow at its feet, one that hangs or
/// lies gets one of its own shape. `None` where the picture has no pixels.
pub(crate) fn compose(
    product: &Pixmap,
    backdrop: Backdrop,
    wall: Rgb,
    floor: Option<f32>,
) -> Option<Pixmap> {
    let side = product.width();
    let units = Transform::from_scale(side as f32 / BOARD, side as f32 / BOARD);
    let mut picture = Pixmap::new(side, side)?;
    if backdrop != Backdrop::CutOut {
        paint_wall(&mut picture, backdrop, wall, floor, units);
        match floor {
            Some(floor) => foot_shadow(&mut picture, product, floor, units),
            None => cast_shadow(&mut picture, product)?,
        }
    }
    let paint = PixmapPaint::default();
    picture.draw_pixmap(0, 0, product.as_ref(), &paint, Transform::identity(), None);
    Some(picture)
}

fn paint_wall(
    picture: &mut Pixmap,
    backdrop: Backdrop,
    wall: Rgb,
    floor: Option<f32>,
    units: Transform,
) {
    let light = [(0.0, wall.lighter(0.55).paint(1.0)), (1.0, wall.darker(0.05).paint(1.0))];
    if let (Some(shader), Some(all)) =
        (gradient((30.0, 0.0), (200.0, BOARD), &light), Rect::from_xywh(0.0, 0.0, BOARD, BOARD))
    {
        picture.fill_rect(all, &plain(shader), units, None);
    }
    let tint = wall.mix(deeper(wall), 0.55);
    let shape = match backdrop {
        Backdrop::Disc => Pen::oval(120.0, 120.0, 98.0, 98.0),
        Backdrop::Arch => Pen::at(34.0, 240.0)
            .to(34.0, 104.0)
            .curve(34.0, -8.0, 206.0, -8.0, 206.0, 104.0)
            .to(206.0, 240.0)
            .close(),
        Backdrop::Split => {
            Pen::at(0.0, 150.0).to(240.0, 132.0).to(240.0, 240.0).to(0.0, 240.0).close()
        }
        Backdrop::Studio | Backdrop::CutOut => Pen::default(),
    };
    let shades = [(0.0, tint.lighter(0.25).paint(1.0)), (1.0, tint.paint(1.0))];
    if let (Some(path), Some(shader)) =
        (shape.path(), gradient((60.0, 20.0), (180.0, 230.0), &shades))
    {
        picture.fill_path(&path, &plain(shader), FillRule::Winding, units, None);
    }
    if let Some(floor) = floor {
        let top = floor - 14.0;
        let wood = [(0.0, deeper(wall).paint(0.55)), (1.0, deeper(wall).lighter(0.45).paint(0.55))];
        if let (Some(shader), Some(table)) = (
            gradient((0.0, top), (0.0, BOARD), &wood),
            Rect::from_xywh(0.0, top, BOARD, BOARD - top),
        ) {
            picture.fill_rect(table, &plain(shader), units, None);
        }
    }
}

/// The wall's own hue, stronger.
fn deeper(wall: Rgb) -> Rgb {
    let mean = (u16::from(wall.0) + u16::from(wall.1) + u16::from(wall.2)) as f32 / 3.0;
    let away =
        |channel: u8| (mean - 26.0 + (f32::from(channel) - mean) * 3.0).clamp(0.0, 255.0) as u8;
    Rgb(away(wall.0), away(wall.1), away(wall.2)).mix(LIGHT, 0.12)
}

/// An ellipse of shade where the product meets the table, as wide as the product is near its foot.
fn foot_shadow(picture: &mut Pixmap, product: &Pixmap, floor: f32, units: Transform) {
    let Some((left, right)) = foot(product, floor) else { return };
    let (middle, half) = ((left + right) / 2.0 + 5.0, (right - left) / 2.0 + 14.0);
    let stops = vec![
        GradientStop::new(0.0, INK.paint(0.42)),
        GradientStop::new(0.55, INK.paint(0.24)),
        GradientStop::new(1.0, INK.paint(0.0)),
    ];
    let flatten = Transform::from_row(half, 0.0, 0.0, 11.0, middle, floor);
    let origin = Point::from_xy(0.0, 0.0);
    let shader = RadialGradient::new(origin, 0.0, origin, 1.0, stops, SpreadMode::Pad, flatten);
    if let (Some(shader), Some(path)) = (shader, Pen::oval(middle, floor, half, 11.0).path()) {
        picture.fill_path(&path, &plain(shader), FillRule::Winding, units, None);
    }
}

/// The leftmost and the rightmost unit that the product covers in the rows above its floor.
fn foot(product: &Pixmap, floor: f32) -> Option<(f32, f32)> {
    let side = product.width() as usize;
    let unit = side as f32 / BOARD;
    let rows = ((floor - 12.0) * unit).max(0.0) as usize..((floor * unit) as usize).min(side);
    let mut span: Option<(usize, usize)> = None;
    for row in rows {
        for (x, pixel) in product.pixels()[row * side..(row + 1) * side].iter().enumerate() {
            if pixel.alpha() > 127 {
                span = Some(span.map_or((x, x), |(left, right)| (left.min(x), right.max(x))));
            }
        }
    }
    span.map(|(left, right)| (left as f32 / unit, right as f32 / unit))
}

/// The product's silhouette, blurred and moved away from the light. It is blurred at a quarter of the
/// size: a soft shadow has nothing finer to show.
fn cast_shadow(picture: &mut Pixmap, product: &Pixmap) -> Option<()> {
    let side = product.width();
    let small = side.div_ceil(4).max(1);
    let mut shade = Pixmap::new(small, small)?;
    let shrink = small as f32 / side as f32;
    let paint = PixmapPaint { quality: FilterQuality::Bilinear, ..PixmapPaint::default() };
    let smaller = Transform::from_scale(shrink, shrink);
    shade.draw_pixmap(0, 0, product.as_ref(), &paint, smaller, None);
    let mut alpha: Vec<u16> = shade.pixels().iter().map(|pixel| u16::from(pixel.alpha())).collect();
    let reach = (small as usize / 40).max(1);
    for _ in 0..2 {
        alpha = blur_rows_and_turn(&alpha, small as usize, reach);
        alpha = blur_rows_and_turn(&alpha, small as usize, reach);
    }
    for (pixel, alpha) in shade.data_mut().chunks_exact_mut(4).zip(&alpha) {
        let alpha = f32::from(*alpha) * 0.30;
        let colour = [INK.0, INK.1, INK.2, 255];
        for (channel, full) in pixel.iter_mut().zip(colour) {
            *channel = (f32::from(full) * alpha / 255.0) as u8;
        }
    }
    let unit = side as f32 / BOARD;
    let larger = Transform::from_row(1.0 / shrink, 0.0, 0.0, 1.0 / shrink, 4.0 * unit, 7.0 * unit);
    picture.draw_pixmap(0, 0, shade.as_ref(), &paint, larger, None);
    Some(())
}

/// Each row averaged over `reach` to both sides, rows turned into columns, so that two calls blur both ways.
fn blur_rows_and_turn(values: &[u16], side: usize, reach: usize) -> Vec<u16> {
    let mut turned = vec![0; values.len()];
    for (y, row) in values.chunks_exact(side).enumerate() {
        for x in 0..side {
            let window = &row[x.saturating_sub(reach)..(x + reach + 1).min(side)];
            let sum: u32 = window.iter().map(|&value| u32::from(value)).sum();
            turned[x * side + y] = (sum / (2 * reach + 1) as u32) as u16;
        }
    }
    turned
}
