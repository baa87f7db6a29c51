//! The cloth: a square tile for every pattern, which repeats without a seam.

use tiny_skia::{FillRule, LineCap, Paint, Pixmap, Rect, Shader, Stroke, Transform};

use super::canvas::plain;
use super::colour::Rgb;
use super::pen::Pen;

/// The side of a tile in units of the board. Every pattern's period divides it.
pub const TILE: f32 = 60.0;

/// What is printed on or woven into the cloth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Nothing.
    Plain,
    /// Broad horizontal bands.
    Striped,
    /// Thin upright lines.
    Pinstriped,
    /// Round dots, every second row shifted.
    Dotted,
    /// Gingham.
    Checked,
    /// Crossing bands of unequal width.
    Tartan,
    /// Zigzag lines.
    Zigzag,
    /// Scattered blossoms and leaves.
    Floral,
}

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Plain,
        Self::Striped,
        Self::Pinstriped,
        Self::Dotted,
        Self::Checked,
        Self::Tartan,
        Self::Zigzag,
        Self::Floral,
    ];

    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Striped => "striped",
            Self::Pinstriped => "pinstriped",
            Self::Dotted => "dotted",
            Self::Checked => "checked",
            Self::Tartan => "tartan",
            Self::Zigzag => "zigzag",
            Self::Floral => "floral",
        }
    }
}

/// One tile in the colours given, `pixels` wide. `None` for a width of 0.
pub(crate) fn swatch(
    pattern: Pattern,
    [base, second, third]: [Rgb; 3],
    pixels: u32,
) -> Option<Pixmap> {
    let mut tile = Tile { pixmap: Pixmap::new(pixels, pixels)?, scale: pixels as f32 / TILE };
    tile.pixmap.fill(base.paint(1.0));
    match pattern {
        Pattern::Plain => {}
        Pattern::Striped => tile.bands(false, 20.0, 9.0, second, 1.0),
        Pattern::Pinstriped => tile.bands(true, 10.0, 1.8, second, 0.9),
        Pattern::Dotted => tile.dots(second),
        Pattern::Checked => {
            tile.bands(false, 20.0, 10.0, second, 0.55);
            tile.bands(true, 20.0, 10.0, second, 0.55);
        }
        Pattern::Tartan => tile.tartan(second, third),
        Pattern::Zigzag => tile.zigzag(second),
        Pattern::Floral => tile.blossoms(second, third),
    }
    Some(tile.pixmap)
}

struct Tile {
    pixmap: Pixmap,
    scale: f32,
}

impl Tile {
    fn units(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    fn bands(&mut self, upright: bool, period: f32, width: f32, colour: Rgb, opacity: f32) {
        let paint = plain(Shader::SolidColor(colour.paint(opacity)));
        let mut at = period * 0.25;
        while at < TILE {
            let band = if upright {
                Rect::from_xywh(at, 0.0, width, TILE)
            } else {
                Rect::from_xywh(0.0, at, TILE, width)
            };
            if let Some(band) = band {
                self.pixmap.fill_rect(band, &paint, self.units(), None);
            }
            at += period;
        }
    }

    fn tartan(&mut self, second: Rgb, third: Rgb) {
        for upright in [false, true] {
            self.bands(upright, 30.0, 12.0, second, 0.5);
            self.bands(upright, 30.0, 2.0, third, 0.8);
            self.bands(upright, 60.0, 1.4, third, 0.9);
        }
    }

    fn dots(&mut self, colour: Rgb) {
        for row in 0..4 {
            for column in 0..4 {
                let shift = if row % 2 == 0 { 3.75 } else { 11.25 };
                let (x, y) = (column as f32 * 15.0 + shift, row as f32 * 15.0 + 7.5);
                self.fill(&Pen::oval(x, y, 3.5, 3.5), colour);
            }
        }
    }

    fn zigzag(&mut self, colour: Rgb) {
        for row in -1..5 {
            let y = row as f32 * 15.0;
            let mut line = Pen::at(-15.0, y + 8.0);
            for step in 0..9 {
                let peak = if step % 2 == 0 { y } else { y + 8.0 };
                line = line.to(step as f32 * 10.0 - 5.0, peak);
            }
            self.stroke(&line, colour, 3.6);
        }
    }

    fn blossoms(&mut self, petals: Rgb, hearts: Rgb) {
        let leaves = Rgb(96, 128, 92).mix(petals, 0.15);
        let places = [(14.0, 13.0, 1.0), (44.0, 20.0, 0.8), (24.0, 42.0, 0.8), (50.0, 49.0, 1.0)];
        for (x, y, size) in places {
            let stem = Pen::at(-6.0, 9.0).bend(-1.0, 6.0, 0.0, 0.0);
            let leaf =
                Pen::at(4.0, 5.0).bend(10.0, 4.0, 11.0, 10.0).bend(5.0, 11.0, 4.0, 5.0).close();
            self.stroke(&stem.placed(x, y, size), leaves, 1.2);
            self.fill(&leaf.placed(x, y, size), leaves);
            for (dx, dy) in [(0.0, -4.6), (4.4, -1.4), (2.7, 3.7), (-2.7, 3.7), (-4.4, -1.4)] {
                self.fill(&Pen::oval(dx, dy, 3.6, 3.6).placed(x, y, size), petals);
            }
            self.fill(&Pen::oval(x, y, 2.4 * size, 2.4 * size), hearts);
        }
        for (x, y) in [(31.0, 7.0), (6.0, 34.0), (36.0, 33.0), (9.0, 55.0)] {
            self.fill(&Pen::oval(x, y, 1.7, 1.7), hearts.mix(petals, 0.4));
        }
    }

    fn fill(&mut self, outline: &Pen, colour: Rgb) {
        if let Some(path) = outline.path() {
            let paint = plain(Shader::SolidColor(colour.paint(1.0)));
            self.pixmap.fill_path(&path, &paint, FillRule::Winding, self.units(), None);
        }
    }

    fn stroke(&mut self, line: &Pen, colour: Rgb, width: f32) {
        if let Some(path) = line.path() {
            let paint: Paint = plain(Shader::SolidColor(colour.paint(1.0)));
            let brush = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
            self.pixmap.stroke_path(&path, &paint, &brush, self.units(), None);
        }
    }
}
