//! Draws one product. Flowing in: its [`Look`]. Flowing out: a picture, cut out or on a backdrop.
//!
//! [`canvas`] has the strokes, [`pattern`] the cloth, [`motif`] the emblems, [`backdrop`] what lies behind;
//! the files named after parts of the shop hold the outlines of things.

mod accessories;
pub mod backdrop;
mod bottoms;
pub mod canvas;
pub mod colour;
mod footwear;
mod furnishing;
pub mod motif;
pub mod pattern;
pub mod pen;
mod tableware;
mod tops;

use tiny_skia::Pixmap;

use backdrop::Backdrop;
use canvas::Canvas;
use colour::Rgb;
use motif::Motif;
use pattern::Pattern;

/// A sort of thing that the drawer knows the outlines of. Each comes in three cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Long-sleeved, short-sleeved, band-collared.
    Shirt,
    /// Crew neck, roll neck, V-neck cardigan.
    Jumper,
    /// Sleeveless flared, strappy, long-sleeved.
    Dress,
    /// Flared, pleated, pencil.
    Skirt,
    /// Straight, wide, shorts.
    Trousers,
    /// Low, high-top, slip-on.
    Sneaker,
    /// Chelsea, laced, rain.
    Boot,
    /// Stiletto, block heel, flat.
    Pump,
    /// Tote, handbag, backpack.
    Bag,
    /// Wide brim, beanie, cap.
    Hat,
    /// Looped, hanging, tied.
    Scarf,
    /// Straight, rounded, tumbler.
    Mug,
    /// Cone, dome, globe.
    Lamp,
    /// Square, round, bolster.
    Cushion,
    /// Armchair, dining chair, stool.
    Chair,
    /// Bottle, round, jug.
    Vase,
}

impl Kind {
    /// All of them, clothes first.
    pub const ALL: [Self; 16] = [
        Self::Shirt,
        Self::Jumper,
        Self::Dress,
        Self::Skirt,
        Self::Trousers,
        Self::Sneaker,
        Self::Boot,
        Self::Pump,
        Self::Bag,
        Self::Hat,
        Self::Scarf,
        Self::Mug,
        Self::Lamp,
        Self::Cushion,
        Self::Chair,
        Self::Vase,
    ];

    /// The height of the table on which things of this sort stand; `None` for what hangs or lies.
    fn floor(self) -> Option<f32> {
        match self {
            Self::Sneaker | Self::Boot | Self::Pump => Some(196.0),
            Self::Mug => Some(190.0),
            Self::Vase | Self::Lamp => Some(212.0),
            Self::Chair => Some(214.0),
            _ => None,
        }
    }
}

/// All that a picture shows of a product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// What it is.
    pub kind: Kind,
    /// Which of the kind's three cuts.
    pub cut: usize,
    /// The cloth's ground, its print, and the print's third colour.
    pub colours: [Rgb; 3],
    /// The cloth's print.
    pub pattern: Pattern,
    /// How large the print is; 1 is usual.
    pub weave: f32,
    /// The emblem, if there is one.
    pub motif: Option<Motif>,
    /// The colour of cuffs, soles, handles and hems where they stand out.
    pub trim: Option<Rgb>,
    /// What lies behind.
    pub backdrop: Backdrop,
    /// The wall's tint.
    pub wall: Rgb,
}

impl Look {
    /// The colour of cuffs, soles and hems.
    fn edging(&self) -> Rgb {
        self.trim.unwrap_or(self.colours[0].darker(0.14))
    }

    fn sew(&self, canvas: &mut Canvas, x: f32, y: f32, radius: f32) {
        if let Some(motif) = self.motif {
            motif.sew(canvas, x, y, radius);
        }
    }
}

/// Draws a product, `side` pixels wide and high. `None` where `side` is 0.
pub fn picture(look: &Look, side: u32) -> Option<Pixmap> {
    let swatch = pattern::swatch(look.pattern, look.colours, side.div_ceil(4))?;
    let mut canvas = Canvas::new(side, swatch, look.weave, look.colours[0])?;
    let draw = match look.kind {
        Kind::Shirt => tops::shirt,
        Kind::Jumper => tops::jumper,
        Kind::Dress => tops::dress,
        Kind::Skirt => bottoms::skirt,
        Kind::Trousers => bottoms::trousers,
        Kind::Sneaker => footwear::sneaker,
        Kind::Boot => footwear::boot,
        Kind::Pump => footwear::pump,
        Kind::Bag => accessories::bag,
        Kind::Hat => accessories::hat,
        Kind::Scarf => accessories::scarf,
        Kind::Mug => tableware::mug,
        Kind::Vase => tableware::vase,
        Kind::Lamp => furnishing::lamp,
        Kind::Cushion => furnishing::cushion,
        Kind::Chair => furnishing::chair,
    };
    draw(&mut canvas, look);
    backdrop::compose(&canvas.layer, look.backdrop, look.wall, look.kind.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_look(kind: Kind, cut: usize) -> Look {
        Look {
            kind,
            cut,
            colours: [Rgb(60, 90, 150), Rgb(240, 230, 210), Rgb(200, 80, 60)],
            pattern: Pattern::Plain,
            weave: 1.0,
            motif: None,
            trim: None,
            backdrop: Backdrop::CutOut,
            wall: backdrop::WALLS[0],
        }
    }

    /// The pixels in which two pictures differ.
    fn difference(a: &Look, b: &Look) -> usize {
        let (a, b) = (picture(a, 120).unwrap(), picture(b, 120).unwrap());
        a.pixels().iter().zip(b.pixels()).filter(|(a, b)| a != b).count()
    }

    #[test]
    fn every_cut_of_every_kind_fills_a_fair_part_of_the_board_and_keeps_its_margin() {
        for kind in Kind::ALL {
            for cut in 0..3 {
                let drawn = picture(&plain_look(kind, cut), 240).unwrap();
                let opaque = |x: u32, y: u32| drawn.pixel(x, y).unwrap().alpha() > 0;
                let covered = drawn.pixels().iter().filter(|pixel| pixel.alpha() > 0).count();
                let share = covered as f32 / (240.0 * 240.0);
                assert!((0.06..0.75).contains(&share), "{kind:?} {cut} covers {share}");
                let rim = (0..240)
                    .any(|i| opaque(i, 3) || opaque(3, i) || opaque(i, 236) || opaque(236, i));
                assert!(!rim, "{kind:?} {cut} reaches the rim");
            }
        }
    }

    #[test]
    fn every_attribute_of_a_look_shows() {
        for kind in Kind::ALL {
            for cut in 0..3 {
                let bare = plain_look(kind, cut);
                let seen = |what: &str, other: Look, least: usize| {
                    let pixels = difference(&bare, &other);
                    assert!(pixels >= least, "{what} of {kind:?} {cut}: {pixels} pixels");
                };
                seen("cut", Look { cut: (cut + 1) % 3, ..bare }, 400);
                seen("pattern", Look { pattern: Pattern::Tartan, ..bare }, 200);
                seen("trim", Look { trim: Some(Rgb(250, 200, 60)), ..bare }, 60);
                for motif in Motif::ALL {
                    seen("motif", Look { motif: Some(motif), ..bare }, 150);
                }
            }
        }
    }
}
