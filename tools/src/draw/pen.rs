//! Outlines. A pen records where it went, so that half a shirt can be drawn and mirrored.
//!
//! All drawing happens on a board of 240 by 240 units whose vertical axis of symmetry lies at
//! [`CENTRE`]; the canvas scales it to the picture's size.

use tiny_skia::{Path, PathBuilder};

/// Where a symmetrical thing has its middle.
pub const CENTRE: f32 = 120.0;

/// How far the handles of a cubic stand from its ends for a quarter of a circle of radius 1.
const QUARTER: f32 = 0.552_284_8;

#[derive(Debug, Clone, Copy)]
enum Step {
    Move([f32; 2]),
    Curve([f32; 6]),
    Line([f32; 2]),
    Close,
}

/// An outline under way or finished.
#[derive(Debug, Clone, Default)]
pub struct Pen {
    steps: Vec<Step>,
    at: [f32; 2],
}

impl Pen {
    /// Sets the pen down.
    pub fn at(x: f32, y: f32) -> Self {
        Self { steps: vec![Step::Move([x, y])], at: [x, y] }
    }

    /// Lifts the pen and sets it down elsewhere.
    pub fn then_at(mut self, x: f32, y: f32) -> Self {
        self.steps.push(Step::Move([x, y]));
        self.at = [x, y];
        self
    }

    /// A straight line.
    pub fn to(mut self, x: f32, y: f32) -> Self {
        self.steps.push(Step::Line([x, y]));
        self.at = [x, y];
        self
    }

    /// A bend pulled towards one handle.
    pub fn bend(self, hx: f32, hy: f32, x: f32, y: f32) -> Self {
        let [ax, ay] = self.at;
        let towards = |from: f32, handle: f32| from + (handle - from) * 2.0 / 3.0;
        self.curve(towards(ax, hx), towards(ay, hy), towards(x, hx), towards(y, hy), x, y)
    }

    /// A Bézier curve with two handles.
    pub fn curve(mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) -> Self {
        self.steps.push(Step::Curve([ax, ay, bx, by, x, y]));
        self.at = [x, y];
        self
    }

    /// Back to where the pen was set down.
    pub fn close(mut self) -> Self {
        self.steps.push(Step::Close);
        self
    }

    /// Completes a left half, begun and ended on the middle line, by its right half.
    pub fn mirror(mut self) -> Self {
        let mut ends = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            ends.push(match *step {
                Step::Move([x, y]) | Step::Line([x, y]) | Step::Curve([_, _, _, _, x, y]) => [x, y],
                Step::Close => return self,
            });
        }
        for index in (1..ends.len()).rev() {
            let [x, y] = [flip(ends[index - 1][0]), ends[index - 1][1]];
            self.steps.push(match self.steps[index] {
                Step::Curve([ax, ay, bx, by, _, _]) => {
                    Step::Curve([flip(bx), by, flip(ax), ay, x, y])
                }
                _ => Step::Line([x, y]),
            });
        }
        self.close()
    }

    /// The same outline on the other side of the middle line.
    pub fn flipped(&self) -> Self {
        self.mapped(|[x, y]| [flip(x), y])
    }

    /// The same outline, grown about the origin and then moved.
    pub fn placed(&self, x: f32, y: f32, scale: f32) -> Self {
        self.mapped(|[px, py]| [px * scale + x, py * scale + y])
    }

    fn mapped(&self, map: impl Fn([f32; 2]) -> [f32; 2]) -> Self {
        let steps = self.steps.iter().map(|step| match *step {
            Step::Move(p) => Step::Move(map(p)),
            Step::Line(p) => Step::Line(map(p)),
            Step::Curve([ax, ay, bx, by, x, y]) => {
                let ([ax, ay], [bx, by], [x, y]) = (map([ax, ay]), map([bx, by]), map([x, y]));
                Step::Curve([ax, ay, bx, by, x, y])
            }
            Step::Close => Step::Close,
        });
        Self { steps: steps.collect(), at: map(self.at) }
    }

    /// An ellipse about a point.
    pub fn oval(cx: f32, cy: f32, rx: f32, ry: f32) -> Self {
        let (kx, ky) = (rx * QUARTER, ry * QUARTER);
        Self::at(cx - rx, cy)
            .curve(cx - rx, cy - ky, cx - kx, cy - ry, cx, cy - ry)
            .curve(cx + kx, cy - ry, cx + rx, cy - ky, cx + rx, cy)
            .curve(cx + rx, cy + ky, cx + kx, cy + ry, cx, cy + ry)
            .curve(cx - kx, cy + ry, cx - rx, cy + ky, cx - rx, cy)
            .close()
    }

    /// A rectangle with rounded corners, given by its left upper corner and its size.
    pub fn card(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Self {
        let (r, b) = (x + width, y + height);
        Self::at(x + radius, y)
            .to(r - radius, y)
            .bend(r, y, r, y + radius)
            .to(r, b - radius)
            .bend(r, b, r - radius, b)
            .to(x + radius, b)
            .bend(x, b, x, b - radius)
            .to(x, y + radius)
            .bend(x, y, x + radius, y)
            .close()
    }

    /// A straight line from here to there.
    pub fn line(ax: f32, ay: f32, bx: f32, by: f32) -> Self {
        Self::at(ax, ay).to(bx, by)
    }

    /// Two outlines as one, so that they are filled in one go.
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self.at = other.at;
        self
    }

    /// What the rasteriser understands; `None` for an outline without extent.
    pub(crate) fn path(&self) -> Option<Path> {
        let mut path = PathBuilder::new();
        for step in &self.steps {
            match *step {
                Step::Move([x, y]) => path.move_to(x, y),
                Step::Line([x, y]) => path.line_to(x, y),
                Step::Curve([ax, ay, bx, by, x, y]) => path.cubic_to(ax, ay, bx, by, x, y),
                Step::Close => path.close(),
            }
        }
        path.finish()
    }
}

fn flip(x: f32) -> f32 {
    2.0 * CENTRE - x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_half_is_symmetrical() {
        let whole = Pen::at(CENTRE, 10.0).to(60.0, 40.0).bend(30.0, 80.0, CENTRE, 120.0).mirror();
        let bounds = whole.path().unwrap().bounds();
        assert_eq!(
            (bounds.left(), bounds.top(), bounds.bottom()),
            (flip(bounds.right()), 10.0, 120.0)
        );
    }

    #[test]
    fn a_card_has_the_size_it_was_asked_for() {
        let bounds = Pen::card(20.0, 30.0, 100.0, 50.0, 8.0).path().unwrap().bounds();
        assert_eq!((bounds.width(), bounds.height()), (100.0, 50.0));
    }
}
