//! Mugs and vases: glazed, so they shine.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::{CENTRE, Pen};

/// Light caught by a glaze.
fn shine(canvas: &mut Canvas, line: Pen, width: f32) {
    canvas.line(&line, LIGHT, 0.55, width);
}

/// The measures of a mug: half its width at the rim and at the foot, the height of its rim, how far
/// its belly swells, and where it stands between left and right.
struct MugShape {
    half: f32,
    foot: f32,
    top: f32,
    bulge: f32,
    middle: f32,
}

const MUGS: [MugShape; 3] = [
    MugShape { half: 52.0, foot: 46.0, top: 78.0, bulge: 0.0, middle: 108.0 },
    MugShape { half: 50.0, foot: 34.0, top: 86.0, bulge: 16.0, middle: 108.0 },
    MugShape { half: 44.0, foot: 32.0, top: 40.0, bulge: 0.0, middle: CENTRE },
];

impl MugShape {
    fn body(&self) -> Pen {
        let (rim, foot) = (CENTRE - self.half, CENTRE - self.foot);
        Pen::at(CENTRE, self.top + 11.0)
            .bend(CENTRE - self.half * 0.6, self.top + 11.0, rim, self.top)
            .curve(rim - self.bulge, self.top + 40.0, foot - self.bulge * 1.6, 170.0, foot, 180.0)
            .bend(foot + 2.0, 190.0, foot + 16.0, 190.0)
            .to(CENTRE, 190.0)
            .mirror()
            .placed(self.middle - CENTRE, 0.0, 1.0)
    }

    fn handle(&self) -> Pen {
        let (side, low) = (self.middle + self.half, 158.0 - self.bulge / 2.0);
        let reach = side + 46.0;
        Pen::at(side - 6.0, self.top + 20.0).curve(
            reach,
            self.top + 10.0,
            reach,
            low + 4.0,
            side - 8.0,
            low,
        )
    }
}

/// Straight, rounded, or a tall tumbler with a lid.
pub(super) fn mug(canvas: &mut Canvas, look: &Look) {
    let (edging, lidded) = (look.edging(), look.cut == 2);
    let shape = &MUGS[look.cut.min(2)];
    let &MugShape { half, foot, top, bulge, middle } = shape;
    if !lidded {
        canvas.cord(&shape.handle(), edging, 11.0);
    }
    let body = shape.body();
    canvas.part(&body, Fill::Cloth(0.0));
    if look.trim.is_some() {
        let dip = Pen::at(0.0, 166.0).bend(middle - 20.0, 176.0, middle, 168.0);
        let dip = dip.bend(middle + 30.0, 160.0, 240.0, 168.0).to(240.0, 240.0).to(0.0, 240.0);
        canvas.patch(&body, &dip.close(), edging, 0.95);
    }
    canvas.fade(&body, INK, (middle, 0.0, 0.0), (middle + half + 10.0, 0.0, 0.30));
    canvas.part(&Pen::oval(middle, top, half, 11.5), Fill::Colour(look.colours[0].lighter(0.45)));
    if lidded {
        canvas.part(&Pen::oval(middle, top - 3.0, half + 2.0, 11.0), Fill::Colour(edging));
        canvas.part(&Pen::card(middle - 8.0, top - 15.0, 16.0, 12.0, 5.0), Fill::Colour(edging));
    } else {
        coffee(canvas, middle, top, half);
        steam(canvas, middle, top);
    }
    let (belly, low) = (middle - half + 10.0 - bulge * 0.7, middle - foot + 10.0);
    shine(canvas, Pen::at(middle - half + 12.0, top + 26.0).bend(belly, 130.0, low, 160.0), 5.0);
    let radius = if look.cut == 0 { 27.0 } else { 24.0 };
    look.sew(canvas, middle + 8.0, top / 2.0 + 101.0, radius);
}

fn coffee(canvas: &mut Canvas, middle: f32, top: f32, half: f32) {
    canvas.flat(&Pen::oval(middle + 0.5, top + 2.0, half - 5.0, 8.0), Rgb(112, 72, 48), 1.0);
    let glint = Pen::at(middle - half + 12.0, top + 1.0);
    canvas.line(&glint.bend(middle - 12.0, top - 5.0, middle + 8.0, top - 4.0), LIGHT, 0.35, 2.0);
}

fn steam(canvas: &mut Canvas, middle: f32, top: f32) {
    for (dx, height) in [(-18.0, 30.0), (2.0, 42.0), (20.0, 28.0)] {
        let wisp = Pen::at(middle + dx, top - 10.0).curve(
            middle + dx - 9.0,
            top - 10.0 - height * 0.35,
            middle + dx + 9.0,
            top - 10.0 - height * 0.65,
            middle + dx,
            top - 10.0 - height,
        );
        canvas.line(&wisp, LIGHT.darker(0.35), 0.28, 3.4);
    }
}

/// Bottle with a sprig, round with blossoms, or a jug with ears.
pub(super) fn vase(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let mouth = [(118.0, 12.0), (112.0, 24.0), (104.0, 22.0)][look.cut.min(2)];
    sprigs(canvas, look, mouth.0);
    if look.cut == 2 {
        let ear = Pen::at(98.0, 112.0).curve(52.0, 106.0, 54.0, 150.0, 78.0, 156.0);
        canvas.cord(&ear, edging, 8.0);
        canvas.cord(&ear.flipped(), edging, 8.0);
    }
    let (top, neck) = mouth;
    canvas.part(&Pen::oval(CENTRE, top, neck, 5.5), Fill::Colour(look.colours[0].darker(0.6)));
    let body = match look.cut {
        0 => Pen::at(CENTRE, top + 4.0)
            .bend(CENTRE - 6.0, top + 4.0, CENTRE - neck, top)
            .curve(112.0, 150.0, 84.0, 150.0, 82.0, 182.0)
            .bend(82.0, 210.0, 100.0, 212.0),
        1 => Pen::at(CENTRE, top + 5.0)
            .bend(CENTRE - 14.0, top + 5.0, CENTRE - neck, top)
            .curve(104.0, 122.0, 58.0, 124.0, 60.0, 166.0)
            .curve(62.0, 198.0, 88.0, 206.0, 96.0, 212.0),
        _ => Pen::at(CENTRE, top + 5.0)
            .bend(CENTRE - 14.0, top + 5.0, CENTRE - neck, top)
            .curve(102.0, 124.0, 72.0, 126.0, 74.0, 150.0)
            .curve(76.0, 182.0, 98.0, 196.0, 94.0, 212.0),
    };
    let body = body.to(CENTRE, 212.0).mirror();
    canvas.part(&body, Fill::Cloth(0.0));
    if look.trim.is_some() {
        let dip =
            Pen::at(0.0, 194.0).bend(90.0, 202.0, CENTRE, 195.0).bend(150.0, 188.0, 240.0, 194.0);
        canvas.patch(&body, &dip.to(240.0, 240.0).to(0.0, 240.0).close(), edging, 0.95);
    }
    canvas.fade(&body, INK, (CENTRE, 0.0, 0.0), (186.0, 0.0, 0.30));
    let rim = Pen::at(CENTRE - neck, top).bend(CENTRE, top + 9.0, CENTRE + neck, top);
    canvas.line(&rim, edging, 1.0, 3.4);
    let (x, y) = [(92.0, 176.0), (76.0, 152.0), (86.0, 146.0)][look.cut.min(2)];
    shine(canvas, Pen::at(x + 4.0, y - 12.0).bend(x - 6.0, y + 6.0, x + 2.0, y + 22.0), 4.6);
    let (y, radius) = [(182.0, 20.0), (166.0, 26.0), (156.0, 23.0)][look.cut.min(2)];
    look.sew(canvas, CENTRE + 4.0, y, radius);
}

fn sprigs(canvas: &mut Canvas, look: &Look, mouth: f32) {
    let green = Rgb(98, 132, 96);
    let stems = [(-34.0, 38.0), (2.0, 24.0), (36.0, 46.0)];
    for (index, (dx, top)) in stems.into_iter().enumerate() {
        let stem = Pen::at(CENTRE + dx * 0.12, mouth + 6.0).bend(
            CENTRE + dx * 0.2,
            70.0,
            CENTRE + dx,
            top + 8.0,
        );
        canvas.line(&stem, green.darker(0.25), 1.0, 2.6);
        for step in 0..3 {
            let t = 0.3 + step as f32 * 0.2;
            let (x, y) = (CENTRE + dx * (0.12 + 0.6 * t * t), mouth + (top - mouth) * t);
            for side in [-1.0, 1.0] {
                let leaf = Pen::at(x, y)
                    .bend(x + 6.0 * side, y - 12.0, x + 16.0 * side, y - 9.0)
                    .bend(x + 11.0 * side, y + 2.0, x, y);
                canvas.part(&leaf.close(), Fill::Colour(green.lighter(0.1 + 0.1 * step as f32)));
            }
        }
        let (x, y) = (CENTRE + dx, top + 6.0);
        let petals = look.colours[if index == 1 { 2 } else { 1 }];
        if look.cut == 0 {
            canvas.part(&Pen::oval(x, y, 6.0, 8.0), Fill::Colour(green.lighter(0.3)));
            continue;
        }
        for (px, py) in [(0.0, -8.0), (7.6, -2.5), (4.7, 6.5), (-4.7, 6.5), (-7.6, -2.5)] {
            canvas.part(&Pen::oval(x + px, y + py, 6.4, 6.4), Fill::Colour(petals));
        }
        canvas.part(&Pen::oval(x, y, 4.6, 4.6), Fill::Colour(Rgb(238, 190, 84)));
    }
}
