//! Lamps, cushions and chairs.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::{CENTRE, Pen};

const BRASS: Rgb = Rgb(206, 164, 96);
const OAK: Rgb = Rgb(190, 142, 96);

/// Cone, dome or globe, on a turned, a straight or a round foot.
pub(super) fn lamp(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let metal = look.trim.unwrap_or(if look.cut == 1 { BRASS } else { OAK });
    glow(canvas);
    match look.cut {
        0 => {
            let stem = Pen::at(CENTRE, 112.0)
                .to(114.0, 112.0)
                .curve(114.0, 132.0, 94.0, 140.0, 94.0, 164.0)
                .curve(94.0, 184.0, 108.0, 190.0, 104.0, 204.0)
                .to(CENTRE, 204.0)
                .mirror();
            canvas.part(&stem, Fill::Colour(metal));
        }
        1 => canvas.part(&Pen::card(115.5, 96.0, 9.0, 112.0, 3.0), Fill::Colour(metal)),
        _ => {
            canvas.part(&Pen::oval(CENTRE, 166.0, 22.0, 20.0), Fill::Colour(metal));
            canvas.part(&Pen::oval(CENTRE, 190.0, 30.0, 16.0), Fill::Colour(metal));
        }
    }
    let foot = Pen::card(82.0, 200.0, 76.0, 12.0, 6.0);
    canvas.part(&foot, Fill::Colour(metal.darker(0.1)));
    let shade = match look.cut {
        0 => Pen::at(CENTRE, 30.0)
            .bend(104.0, 30.0, 90.0, 33.0)
            .to(56.0, 114.0)
            .bend(86.0, 126.0, CENTRE, 126.0),
        1 => Pen::at(CENTRE, 36.0)
            .curve(74.0, 36.0, 46.0, 70.0, 44.0, 110.0)
            .bend(82.0, 120.0, CENTRE, 120.0),
        _ => Pen::at(CENTRE, 28.0)
            .curve(82.0, 28.0, 58.0, 56.0, 58.0, 90.0)
            .curve(58.0, 124.0, 84.0, 148.0, CENTRE, 148.0),
    }
    .mirror();
    canvas.part(&shade, Fill::Cloth(0.0));
    canvas.fade(&shade, Rgb(255, 226, 150), (CENTRE, 126.0, 0.55), (CENTRE, 40.0, 0.0));
    match look.cut {
        2 => {
            canvas.part(&Pen::card(104.0, 142.0, 32.0, 9.0, 4.0), Fill::Colour(edging));
            canvas.line(&Pen::at(80.0, 62.0).bend(68.0, 80.0, 72.0, 102.0), LIGHT, 0.6, 5.0);
        }
        cut => {
            let (left, y) = if cut == 0 { (56.0, 114.0) } else { (44.0, 110.0) };
            let rim = Pen::at(left, y).bend(CENTRE, y + 24.0, 240.0 - left, y);
            canvas.line(&rim, edging, 1.0, 4.2);
            let pull = Pen::line(150.0, y + 9.0, 150.0, y + 34.0);
            canvas.line(&pull, BRASS.darker(0.3), 1.0, 1.4);
            canvas.part(&Pen::oval(150.0, y + 36.0, 3.4, 3.4), Fill::Colour(BRASS));
        }
    }
    look.sew(canvas, CENTRE, if look.cut == 2 { 90.0 } else { 82.0 }, 21.0);
}

/// Warm light below a shade.
fn glow(canvas: &mut Canvas) {
    for (radius, opacity) in [(92.0, 0.05), (74.0, 0.06), (56.0, 0.07)] {
        canvas.flat(&Pen::oval(CENTRE, 110.0, radius, radius * 0.86), Rgb(255, 222, 140), opacity);
    }
}

/// Square, round, or a bolster.
pub(super) fn cushion(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let outline = match look.cut {
        0 => Pen::at(CENTRE, 50.0)
            .bend(74.0, 52.0, 42.0, 38.0)
            .bend(53.0, 82.0, 51.0, 121.0)
            .bend(53.0, 162.0, 42.0, 204.0)
            .bend(74.0, 191.0, CENTRE, 193.0)
            .mirror(),
        1 => Pen::oval(CENTRE, 122.0, 92.0, 88.0),
        _ => Pen::at(CENTRE, 76.0)
            .bend(70.0, 74.0, 34.0, 84.0)
            .curve(18.0, 96.0, 18.0, 158.0, 34.0, 170.0)
            .bend(70.0, 180.0, CENTRE, 178.0)
            .mirror(),
    };
    if look.cut == 0 {
        for (x, y) in [(42.0, 38.0), (198.0, 38.0), (42.0, 204.0), (198.0, 204.0)] {
            tassel(canvas, x, y, edging);
        }
    }
    canvas.part(&outline, Fill::Cloth(0.0));
    canvas.line(&outline, edging, 1.0, 4.4);
    canvas.line(&outline, edging.darker(0.5), 0.5, 0.9);
    match look.cut {
        0 => {
            for dent in [
                Pen::at(55.0, 52.0).bend(69.5, 65.0, 76.0, 78.0),
                Pen::at(185.0, 52.0).bend(179.5, 64.0, 166.0, 76.0),
                Pen::at(55.0, 189.0).bend(70.5, 177.5, 78.0, 166.0),
                Pen::at(185.0, 189.0).bend(178.5, 177.5, 164.0, 166.0),
            ] {
                canvas.fold(&dent);
            }
        }
        1 => {
            gathers(canvas);
            canvas.part(&Pen::oval(CENTRE, 122.0, 7.0, 7.0), Fill::Colour(edging));
        }
        _ => {
            for (x, side) in [(54.0, -8.0), (186.0, 8.0)] {
                let seam = Pen::at(x, 80.0).bend(x + side, 126.0, x, 174.0);
                canvas.line(&seam, edging, 1.0, 5.0);
                canvas.stitch(&seam.placed(-side * 0.8, 0.0, 1.0), base.darker(0.5));
            }
            canvas.fold(&Pen::at(70.0, 92.0).bend(96.0, 100.0, 128.0, 94.0));
        }
    }
    let (y, radius) = if look.cut == 2 { (127.0, 32.0) } else { (122.0, 34.0) };
    look.sew(canvas, CENTRE, y, radius);
}

/// Creases that run from the rim of a round cushion towards its button.
fn gathers(canvas: &mut Canvas) {
    let towards = |from: f32, to: f32| from + (to - from) * 0.42;
    for (x, y) in
        [(62.0, 72.0), (178.0, 72.0), (48.0, 140.0), (192.0, 140.0), (84.0, 186.0), (156.0, 186.0)]
    {
        let inner = towards(x, CENTRE);
        canvas.fold(&Pen::at(x, y).bend(inner + 5.0, y, inner, towards(y, 122.0)));
    }
}

fn tassel(canvas: &mut Canvas, x: f32, y: f32, colour: Rgb) {
    let (dx, dy) = (if x < CENTRE { -1.0 } else { 1.0 }, if y < CENTRE { -1.0 } else { 1.0 });
    for spread in [-4.0, 0.0, 4.0] {
        canvas.cord(
            &Pen::line(x, y, x + dx * 11.0 + spread, y + dy * 11.0 - spread * dx * dy),
            colour,
            2.4,
        );
    }
    canvas.part(&Pen::oval(x, y, 4.6, 4.6), Fill::Colour(colour));
}

/// Armchair, dining chair, or stool.
pub(super) fn chair(canvas: &mut Canvas, look: &Look) {
    match look.cut {
        0 => armchair(canvas, look),
        1 => dining_chair(canvas, look),
        _ => stool(canvas, look),
    }
}

fn leg(canvas: &mut Canvas, top: [f32; 2], foot: [f32; 2], width: f32, wood: Rgb) {
    let ([x, y], [fx, fy]) = (top, foot);
    let outline = Pen::at(x - width / 2.0, y).to(x + width / 2.0, y).to(fx + width * 0.32, fy);
    canvas.part(&outline.to(fx - width * 0.32, fy).close(), Fill::Colour(wood));
}

fn armchair(canvas: &mut Canvas, look: &Look) {
    let wood = look.trim.unwrap_or(OAK);
    for (x, foot) in [(72.0, 62.0), (168.0, 178.0)] {
        leg(canvas, [x, 184.0], [foot, 213.0], 12.0, wood);
    }
    let back = Pen::at(CENTRE, 34.0)
        .curve(82.0, 34.0, 62.0, 48.0, 60.0, 84.0)
        .to(64.0, 152.0)
        .to(CENTRE, 154.0)
        .mirror();
    canvas.part(&back, Fill::Cloth(0.0));
    canvas.fold(&Pen::at(84.0, 60.0).bend(90.0, 90.0, 84.0, 122.0));
    canvas.fold(&Pen::at(158.0, 60.0).bend(150.0, 90.0, 156.0, 122.0));
    let base = Pen::card(54.0, 158.0, 132.0, 34.0, 8.0);
    canvas.part(&base, Fill::Cloth(0.0));
    let seat = Pen::card(62.0, 130.0, 116.0, 34.0, 14.0);
    canvas.part(&seat, Fill::Cloth(0.0));
    canvas.fold(&Pen::at(76.0, 148.0).bend(CENTRE, 156.0, 164.0, 148.0));
    let arm = Pen::at(34.0, 190.0)
        .curve(30.0, 150.0, 28.0, 130.0, 32.0, 114.0)
        .curve(36.0, 96.0, 64.0, 96.0, 68.0, 114.0)
        .curve(70.0, 140.0, 68.0, 160.0, 68.0, 190.0)
        .bend(50.0, 196.0, 34.0, 190.0)
        .close();
    canvas.part(&arm, Fill::Cloth(0.0));
    canvas.part(&arm.flipped(), Fill::Cloth(0.0));
    let piping = Pen::at(36.0, 186.0).curve(34.0, 140.0, 32.0, 106.0, 50.0, 105.0);
    let piping = piping.curve(68.0, 106.0, 64.0, 150.0, 64.0, 186.0);
    for piping in [&piping, &piping.flipped()] {
        canvas.line(piping, look.edging().darker(0.2), 1.0, 1.8);
    }
    look.sew(canvas, CENTRE, 86.0, 26.0);
}

fn dining_chair(canvas: &mut Canvas, look: &Look) {
    let wood = look.trim.unwrap_or(OAK);
    for (top, foot) in [([82.0, 150.0], [80.0, 200.0]), ([158.0, 150.0], [160.0, 200.0])] {
        leg(canvas, top, foot, 8.0, wood.darker(0.25));
    }
    for x in [76.0, 164.0] {
        let post = Pen::at(x, 30.0).bend(x + (CENTRE - x) * 0.06, 90.0, x, 146.0);
        canvas.cord(&post, wood, 8.0);
    }
    let back = Pen::at(CENTRE, 28.0).bend(94.0, 26.0, 74.0, 34.0).to(76.0, 92.0);
    let back = back.bend(96.0, 98.0, CENTRE, 98.0).mirror();
    canvas.part(&back, Fill::Cloth(0.0));
    canvas.cord(&Pen::at(78.0, 116.0).bend(CENTRE, 122.0, 162.0, 116.0), wood, 6.0);
    for (top, foot) in [([70.0, 152.0], [62.0, 213.0]), ([170.0, 152.0], [178.0, 213.0])] {
        leg(canvas, top, foot, 11.0, wood);
    }
    canvas.cord(&Pen::line(70.0, 186.0, 170.0, 186.0), wood, 4.0);
    let seat = Pen::at(CENTRE, 136.0).bend(84.0, 136.0, 70.0, 140.0).bend(58.0, 152.0, 58.0, 158.0);
    let seat = seat.bend(60.0, 166.0, 74.0, 166.0).to(CENTRE, 167.0).mirror();
    canvas.part(&seat, Fill::Cloth(0.0));
    canvas.stitch(&Pen::at(64.0, 157.0).bend(CENTRE, 163.0, 176.0, 157.0), INK.lighter(0.2));
    look.sew(canvas, CENTRE, 63.0, 23.0);
}

fn stool(canvas: &mut Canvas, look: &Look) {
    let wood = look.trim.unwrap_or(OAK);
    for (top, foot) in [([98.0, 108.0], [88.0, 200.0]), ([142.0, 108.0], [152.0, 200.0])] {
        leg(canvas, top, foot, 9.0, wood.darker(0.25));
    }
    for (top, foot) in [([76.0, 106.0], [52.0, 213.0]), ([164.0, 106.0], [188.0, 213.0])] {
        leg(canvas, top, foot, 12.0, wood);
    }
    canvas.cord(&Pen::line(66.0, 166.0, 174.0, 166.0), wood, 5.0);
    let drum = Pen::at(42.0, 66.0)
        .to(44.0, 102.0)
        .curve(58.0, 124.0, 182.0, 124.0, 196.0, 102.0)
        .to(198.0, 66.0)
        .bend(CENTRE, 92.0, 42.0, 66.0)
        .close();
    canvas.part(&drum, Fill::Cloth(0.0));
    canvas.part(&Pen::oval(CENTRE, 66.0, 78.0, 19.0), Fill::Colour(look.colours[0].lighter(0.1)));
    canvas.line(
        &Pen::at(43.0, 100.0).curve(58.0, 122.0, 182.0, 122.0, 197.0, 100.0),
        look.edging(),
        1.0,
        4.0,
    );
    canvas.part(&Pen::oval(CENTRE, 66.0, 4.0, 2.2), Fill::Colour(look.edging()));
    look.sew(canvas, CENTRE, 92.0, 19.0);
}
