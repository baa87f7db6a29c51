//! Colours as the drawing mixes them.

use tiny_skia::Color;

/// An opaque colour, its channels from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

/// What outlines and shadows lean towards: a warm near-black, kinder to the eye than black.
pub const INK: Rgb = Rgb(46, 36, 52);
/// What highlights lean towards.
pub const LIGHT: Rgb = Rgb(255, 252, 244);

impl Rgb {
    /// This colour with `share` of another mixed into it.
    pub fn mix(self, other: Self, share: f32) -> Self {
        let blend =
            |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share + 0.5) as u8;
        Self(blend(self.0, other.0), blend(self.1, other.1), blend(self.2, other.2))
    }

    /// Darker by a share.
    pub fn darker(self, share: f32) -> Self {
        self.mix(INK, share)
    }

    /// Lighter by a share.
    pub fn lighter(self, share: f32) -> Self {
        self.mix(LIGHT, share)
    }

    /// How bright the eye takes it to be, from 0 to 1 (Rec. 709 weights).
    pub fn brightness(self) -> f32 {
        (0.2126 * f32::from(self.0) + 0.7152 * f32::from(self.1) + 0.0722 * f32::from(self.2))
            / 255.0
    }

    pub(crate) fn paint(self, opacity: f32) -> Color {
        let mut colour = Color::from_rgba8(self.0, self.1, self.2, 255);
        colour.set_alpha(opacity);
        colour
    }
}
