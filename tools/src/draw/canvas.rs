//! The board on which a product is drawn, and the few strokes everything is made of.
//!
//! A part of a product is filled with cloth or colour, given volume by soft light along its inner
//! edges, and outlined. What is drawn stays on a transparent layer, from whose silhouette the backdrop
//! takes its shadow.

use tiny_skia::{
    FillRule, FilterQuality, GradientStop, LineCap, LineJoin, LinearGradient, Mask, Paint, Path,
    Pattern, Pixmap, Point, Shader, SpreadMode, Stroke, StrokeDash, Transform,
};

use super::colour::{INK, LIGHT, Rgb};
use super::pattern::TILE;
use super::pen::Pen;

/// The side of the board in units.
pub const BOARD: f32 = 240.0;

/// What a part is filled with.
#[derive(Debug, Clone, Copy)]
pub enum Fill {
    /// The product's cloth, its pattern leaning by a slope: 0 is upright, 1 is turned by 45 degrees.
    Cloth(f32),
    /// One colour.
    Colour(Rgb),
}

/// A transparent layer with the product's cloth at hand.
pub struct Canvas {
    pub(crate) layer: Pixmap,
    swatch: Pixmap,
    /// The colour that outlines of cloth are mixed from.
    base: Rgb,
    /// Pixels a unit.
    scale: f32,
    weave: f32,
}

impl Canvas {
    /// An empty board whose cloth repeats `swatch`, enlarged by `weave`. `None` for a side of 0 pixels.
    pub fn new(side: u32, swatch: Pixmap, weave: f32, base: Rgb) -> Option<Self> {
        let layer = Pixmap::new(side, side)?;
        Some(Self { layer, swatch, base, scale: side as f32 / BOARD, weave })
    }

    fn units(&self) -> Transform {
        Transform::from_scale(self.scale, self.scale)
    }

    /// A part with volume and outline: what products are mostly made of.
    pub fn part(&mut self, outline: &Pen, fill: Fill) {
        let Some(path) = outline.path() else { return };
        self.lay(&path, fill);
        self.volume(&path, 1.0);
        let edge = match fill {
            Fill::Cloth(_) => self.base,
            Fill::Colour(colour) => colour,
        };
        self.stroke(&path, edge.darker(0.6).paint(0.9), 1.5, None, None);
    }

    /// A part without volume or outline.
    pub fn flat(&mut self, outline: &Pen, colour: Rgb, opacity: f32) {
        if let Some(path) = outline.path() {
            let paint = plain(Shader::SolidColor(colour.paint(opacity)));
            self.layer.fill_path(&path, &paint, FillRule::Winding, self.units(), None);
        }
    }

    /// A part that fades between two opacities of one colour along a line.
    pub fn fade(&mut self, outline: &Pen, colour: Rgb, from: (f32, f32, f32), to: (f32, f32, f32)) {
        let Some(path) = outline.path() else { return };
        let ((ax, ay, a), (bx, by, b)) = (from, to);
        let stops = [(0.0, colour.paint(a)), (1.0, colour.paint(b))];
        if let Some(shader) = gradient((ax, ay), (bx, by), &stops) {
            self.layer.fill_path(&path, &plain(shader), FillRule::Winding, self.units(), None);
        }
    }

    /// A line.
    pub fn line(&mut self, line: &Pen, colour: Rgb, opacity: f32, width: f32) {
        if let Some(path) = line.path() {
            self.stroke(&path, colour.paint(opacity), width, None, None);
        }
    }

    /// A cord, strap or stem: a thick line with outline and a highlight along its middle.
    pub fn cord(&mut self, line: &Pen, colour: Rgb, width: f32) {
        if let Some(path) = line.path() {
            self.stroke(&path, colour.darker(0.6).paint(1.0), width + 2.4, None, None);
            self.stroke(&path, colour.paint(1.0), width, None, None);
            self.stroke(&path, LIGHT.paint(0.22), width * 0.35, None, None);
        }
    }

    /// A row of stitches.
    pub fn stitch(&mut self, line: &Pen, colour: Rgb) {
        if let Some(path) = line.path() {
            let dash = StrokeDash::new(vec![3.6, 2.8], 0.0);
            self.stroke(&path, colour.paint(0.75), 1.0, dash, None);
        }
    }

    /// A crease in cloth: a shadow with light beside it.
    pub fn fold(&mut self, line: &Pen) {
        let Some(path) = line.path() else { return };
        let beside = self.units().pre_translate(1.6, 0.4);
        self.stroke(&path, INK.paint(0.10), 4.0, None, None);
        self.stroke(&path, INK.paint(0.20), 1.3, None, None);
        let paint = plain(Shader::SolidColor(LIGHT.paint(0.20)));
        self.layer.stroke_path(&path, &paint, &brush(1.4, None), beside, None);
    }

    /// Lines kept inside an outline: ribs, planks, knit.
    pub fn inside(&mut self, outline: &Pen, lines: &Pen, colour: Rgb, opacity: f32, width: f32) {
        let (Some(outline), Some(lines)) = (outline.path(), lines.path()) else { return };
        let mask = self.mask(&outline);
        self.stroke(&lines, colour.paint(opacity), width, None, mask.as_ref());
    }

    /// Colour kept inside an outline: a toe cap, a dipped glaze.
    pub fn patch(&mut self, outline: &Pen, patch: &Pen, colour: Rgb, opacity: f32) {
        let (Some(outline), Some(patch)) = (outline.path(), patch.path()) else { return };
        let mask = self.mask(&outline);
        let paint = plain(Shader::SolidColor(colour.paint(opacity)));
        self.layer.fill_path(&patch, &paint, FillRule::Winding, self.units(), mask.as_ref());
    }

    fn lay(&mut self, path: &Path, fill: Fill) {
        match fill {
            Fill::Colour(colour) => {
                let bounds = path.bounds();
                let stops =
                    [(0.0, colour.lighter(0.14).paint(1.0)), (1.0, colour.darker(0.10).paint(1.0))];
                let ends = ((bounds.left(), bounds.top()), (bounds.right(), bounds.bottom()));
                if let Some(shader) = gradient(ends.0, ends.1, &stops) {
                    let paint = plain(shader);
                    self.layer.fill_path(path, &paint, FillRule::Winding, self.units(), None);
                }
            }
            Fill::Cloth(lean) => {
                let cosine = 1.0 / (1.0 + lean * lean).sqrt();
                let size = TILE / self.swatch.width() as f32 * self.weave;
                let turn = Transform::from_row(
                    cosine * size,
                    lean * cosine * size,
                    -lean * cosine * size,
                    cosine * size,
                    0.0,
                    0.0,
                );
                let shader = Pattern::new(
                    self.swatch.as_ref(),
                    SpreadMode::Repeat,
                    FilterQuality::Bilinear,
                    1.0,
                    turn,
                );
                let paint = plain(shader);
                let units = Transform::from_scale(self.scale, self.scale);
                self.layer.fill_path(path, &paint, FillRule::Winding, units, None);
            }
        }
    }

    /// Light from the upper left: dark along the inner right and lower edges, bright along the others.
    fn volume(&mut self, path: &Path, strength: f32) {
        let Some(mask) = self.mask(path) else { return };
        let bounds = path.bounds();
        let reach = (bounds.width().min(bounds.height()) * 0.34).clamp(3.0, 26.0);
        let strokes = [
            (INK, 0.055, 1.0, -0.22),
            (INK, 0.065, 0.55, -0.13),
            (INK, 0.075, 0.25, -0.06),
            (LIGHT, 0.10, 0.60, 0.14),
            (LIGHT, 0.14, 0.25, 0.07),
        ];
        for (colour, opacity, width, shift) in strokes {
            let moved = self.units().pre_translate(shift * reach, shift * reach);
            let paint = plain(Shader::SolidColor(colour.paint(opacity * strength)));
            self.layer.stroke_path(path, &paint, &brush(width * reach, None), moved, Some(&mask));
        }
    }

    fn stroke(
        &mut self,
        path: &Path,
        colour: tiny_skia::Color,
        width: f32,
        dash: Option<StrokeDash>,
        mask: Option<&Mask>,
    ) {
        let units = self.units();
        let paint = plain(Shader::SolidColor(colour));
        self.layer.stroke_path(path, &paint, &brush(width, dash), units, mask);
    }

    fn mask(&self, path: &Path) -> Option<Mask> {
        let mut mask = Mask::new(self.layer.width(), self.layer.height())?;
        mask.fill_path(path, FillRule::Winding, true, self.units());
        Some(mask)
    }
}

/// A linear gradient between two points.
pub(crate) fn gradient(
    from: (f32, f32),
    to: (f32, f32),
    stops: &[(f32, tiny_skia::Color)],
) -> Option<Shader<'static>> {
    let stops = stops.iter().map(|&(at, colour)| GradientStop::new(at, colour)).collect();
    let (from, to) = (Point::from_xy(from.0, from.1), Point::from_xy(to.0, to.1));
    LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
}

/// A smooth-edged paint.
pub(crate) fn plain(shader: Shader) -> Paint {
    Paint { shader, anti_alias: true, ..Paint::default() }
}

fn brush(width: f32, dash: Option<StrokeDash>) -> Stroke {
    Stroke {
        width,
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        dash,
        ..Stroke::default()
    }
}
