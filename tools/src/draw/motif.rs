//! The emblems that only a picture shows: embroidered on the product, named in no text.

use super::canvas::Canvas;
use super::colour::{INK, LIGHT, Rgb};
use super::pen::Pen;

/// An emblem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Motif {
    /// A heart.
    Heart,
    /// A five-pointed star.
    Star,
    /// A ship's anchor.
    Anchor,
    /// A cat's face.
    Cat,
    /// A crescent.
    Moon,
    /// A leaf on its stem.
    Leaf,
}

impl Motif {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Heart, Self::Star, Self::Anchor, Self::Cat, Self::Moon, Self::Leaf];

    /// Its name in the file of hidden truths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Heart => "heart",
            Self::Star => "star",
            Self::Anchor => "anchor",
            Self::Cat => "cat",
            Self::Moon => "moon",
            Self::Leaf => "leaf",
        }
    }

    /// The thread it is embroidered in.
    fn thread(self) -> Rgb {
        match self {
            Self::Heart => Rgb(214, 52, 74),
            Self::Star => Rgb(240, 178, 40),
            Self::Anchor => Rgb(32, 62, 118),
            Self::Cat => Rgb(58, 50, 60),
            Self::Moon => Rgb(104, 82, 164),
            Self::Leaf => Rgb(52, 132, 84),
        }
    }

    /// Sews the emblem onto a round patch, so that it reads on any cloth.
    pub(crate) fn sew(self, canvas: &mut Canvas, x: f32, y: f32, radius: f32) {
        let patch = Pen::oval(x, y, radius, radius);
        canvas.flat(&Pen::oval(x + 0.8, y + 1.4, radius + 0.6, radius + 0.6), INK, 0.22);
        canvas.flat(&patch, LIGHT, 1.0);
        canvas.line(&patch, self.thread(), 0.9, radius * 0.09);
        canvas.stitch(&Pen::oval(x, y, radius * 0.86, radius * 0.86), self.thread().lighter(0.35));
        self.stamp(canvas, x, y, radius * 0.66);
    }

    /// The bare emblem, `size` from its middle to its rim.
    fn stamp(self, canvas: &mut Canvas, x: f32, y: f32, size: f32) {
        let thread = self.thread();
        let place = |pen: Pen| pen.placed(x, y, size);
        match self {
            Self::Heart => canvas.flat(&place(heart()), thread, 1.0),
            Self::Star => canvas.flat(&place(star()), thread, 1.0),
            Self::Moon => canvas.flat(&place(moon()), thread, 1.0),
            Self::Leaf => {
                canvas.flat(&place(leaf()), thread, 1.0);
                canvas.line(&place(Pen::line(-0.8, 0.85, 0.55, -0.5)), LIGHT, 0.8, size * 0.1);
            }
            Self::Anchor => {
                let hook = Pen::at(-0.8, 0.15).curve(-0.75, 1.15, 0.75, 1.15, 0.8, 0.15);
                canvas.line(&place(hook), thread, 1.0, size * 0.2);
                canvas.line(&place(Pen::line(0.0, -0.5, 0.0, 0.85)), thread, 1.0, size * 0.2);
                canvas.line(&place(Pen::line(-0.42, -0.28, 0.42, -0.28)), thread, 1.0, size * 0.18);
                canvas.line(&place(Pen::oval(0.0, -0.74, 0.2, 0.2)), thread, 1.0, size * 0.15);
            }
            Self::Cat => {
                canvas.flat(&place(cat()), thread, 1.0);
                for side in [-1.0, 1.0] {
                    let eye = place(Pen::oval(0.34 * side, 0.06, 0.14, 0.18));
                    canvas.flat(&eye, Rgb(250, 214, 92), 1.0);
                    let whisker = Pen::line(0.25 * side, 0.46, 0.95 * side, 0.36);
                    canvas.line(&place(whisker), LIGHT, 0.9, size * 0.06);
                }
                canvas.flat(&place(Pen::oval(0.0, 0.38, 0.12, 0.09)), Rgb(240, 150, 150), 1.0);
            }
        }
    }
}

fn heart() -> Pen {
    Pen::at(0.0, 0.92)
        .curve(-0.5, 0.5, -1.05, 0.1, -0.98, -0.42)
        .curve(-0.9, -0.95, -0.2, -0.98, 0.0, -0.4)
        .curve(0.2, -0.98, 0.9, -0.95, 0.98, -0.42)
        .curve(1.05, 0.1, 0.5, 0.5, 0.0, 0.92)
        .close()
}

fn star() -> Pen {
    // The corners of a regular pentagon, outer radius 1 and inner radius 0.45, starting at the top.
    Pen::at(0.0, -1.0)
        .to(0.265, -0.364)
        .to(0.951, -0.309)
        .to(0.428, 0.139)
        .to(0.588, 0.809)
        .to(0.0, 0.45)
        .to(-0.588, 0.809)
        .to(-0.428, 0.139)
        .to(-0.951, -0.309)
        .to(-0.265, -0.364)
        .close()
}

fn moon() -> Pen {
    Pen::at(0.35, -0.95)
        .curve(-1.15, -0.85, -1.15, 0.85, 0.35, 0.95)
        .curve(-0.4, 0.55, -0.4, -0.55, 0.35, -0.95)
        .close()
}

fn leaf() -> Pen {
    Pen::at(0.85, -0.85)
        .curve(-0.4, -0.95, -1.0, -0.1, -0.55, 0.6)
        .curve(0.25, 0.95, 1.0, 0.25, 0.85, -0.85)
        .close()
}

fn cat() -> Pen {
    Pen::at(-0.88, -0.95)
        .to(-0.32, -0.52)
        .bend(0.0, -0.6, 0.32, -0.52)
        .to(0.88, -0.95)
        .curve(1.0, -0.3, 1.05, 0.1, 0.8, 0.45)
        .curve(0.5, 0.95, -0.5, 0.95, -0.8, 0.45)
        .curve(-1.05, 0.1, -1.0, -0.3, -0.88, -0.95)
        .close()
}
