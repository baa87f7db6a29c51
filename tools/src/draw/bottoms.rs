//! Skirts and trousers.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::{CENTRE, Pen};

/// The band at the waist, with its button.
fn waistband(canvas: &mut Canvas, half: f32, y: f32, colour: Rgb) {
    let band = Pen::at(CENTRE, y + 3.0)
        .bend(CENTRE - half * 0.6, y + 3.0, CENTRE - half, y)
        .to(CENTRE - half - 1.5, y + 13.0)
        .bend(CENTRE - half * 0.6, y + 17.0, CENTRE, y + 17.0)
        .mirror();
    canvas.part(&band, Fill::Colour(colour));
    canvas.stitch(
        &Pen::at(CENTRE - half + 2.0, y + 11.0).bend(
            CENTRE,
            y + 16.0,
            CENTRE + half - 2.0,
            y + 11.0,
        ),
        colour.darker(0.5),
    );
}

/// Flared, pleated, or a pencil skirt.
pub(super) fn skirt(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let (outline, hem) = match look.cut {
        2 => (
            Pen::at(CENTRE, 42.0)
                .to(88.0, 40.0)
                .curve(70.0, 84.0, 74.0, 130.0, 84.0, 206.0)
                .bend(102.0, 212.0, CENTRE, 211.0)
                .mirror(),
            Pen::at(CENTRE, 202.0).bend(102.0, 203.0, 83.0, 197.0).to(84.0, 207.0),
        ),
        _ => (
            Pen::at(CENTRE, 42.0)
                .to(90.0, 40.0)
                .curve(80.0, 90.0, 56.0, 140.0, 36.0, 186.0)
                .curve(62.0, 208.0, 92.0, 202.0, CENTRE, 206.0)
                .mirror(),
            Pen::at(CENTRE, 196.0).curve(92.0, 192.0, 64.0, 198.0, 40.0, 177.0).to(36.0, 187.0),
        ),
    };
    let hem = match look.cut {
        2 => hem.bend(102.0, 213.0, CENTRE, 212.0).mirror(),
        _ => hem.curve(62.0, 209.0, 92.0, 203.0, CENTRE, 207.0).mirror(),
    };
    canvas.part(&outline, Fill::Cloth(0.0));
    match look.cut {
        0 => {
            for (top, bottom) in [(100.0, 62.0), (110.0, 96.0), (128.0, 140.0), (139.0, 176.0)] {
                canvas.fold(&Pen::at(top, 70.0).bend(top, 130.0, bottom, 194.0));
            }
        }
        1 => pleats(canvas, &outline),
        _ => {
            canvas.fold(&Pen::line(CENTRE, 164.0, CENTRE, 208.0));
            canvas.fold(&Pen::at(96.0, 62.0).bend(94.0, 76.0, 96.0, 84.0));
            canvas.fold(&Pen::at(144.0, 62.0).bend(146.0, 76.0, 144.0, 84.0));
        }
    }
    if look.trim.is_some() {
        canvas.part(&hem, Fill::Colour(edging));
    }
    waistband(canvas, if look.cut == 2 { 33.0 } else { 31.0 }, 34.0, edging);
    let x = if look.cut == 2 { 104.0 } else { 90.0 };
    look.sew(canvas, x, if look.cut == 2 { 122.0 } else { 136.0 }, 20.0);
}

fn pleats(canvas: &mut Canvas, skirt: &Pen) {
    for pleat in 0..9 {
        let across = (pleat as f32 - 4.0) / 4.0;
        let (top, bottom) = (CENTRE + across * 29.0, CENTRE + across * 80.0);
        let next = CENTRE + (across + 0.11) * 80.0;
        let shade = Pen::at(top, 48.0).bend(top, 110.0, bottom, 208.0).to(next, 208.0);
        canvas.patch(skirt, &shade.to(top, 48.0).close(), INK, 0.13);
        canvas.inside(skirt, &Pen::at(top, 48.0).bend(top, 110.0, bottom, 208.0), INK, 0.4, 1.1);
        let bright = Pen::at(top, 48.0).bend(top, 110.0, bottom - 3.0, 208.0);
        canvas.inside(skirt, &bright, LIGHT, 0.25, 1.6);
    }
}

/// Straight, wide, or shorts.
pub(super) fn trousers(canvas: &mut Canvas, look: &Look) {
    let (edging, base) = (look.edging(), look.colours[0]);
    // Where the outer and the inner seam meet the hem, how low, and how far down it all hangs.
    let (outer, inner, low, down) = match look.cut {
        0 => (75.0, 108.0, 216.0, 0.0),
        1 => (56.0, 112.0, 216.0, 0.0),
        _ => (60.0, 115.0, 146.0, 34.0),
    };
    let hang = |pen: Pen| pen.placed(0.0, down, 1.0);
    let left = Pen::at(CENTRE + 1.0, 30.0)
        .to(88.0, 28.0)
        .curve(76.0, 60.0, outer + 4.0, 110.0, outer, low - 4.0)
        .bend((outer + inner) / 2.0, low + 4.0, inner, low)
        .curve(inner + 4.0, 150.0_f32.min(low - 10.0), 118.0, 110.0, CENTRE + 1.0, 96.0)
        .close();
    let left = hang(left);
    canvas.part(&left, Fill::Cloth(0.04));
    canvas.part(&left.flipped(), Fill::Cloth(-0.04));
    let hem = Pen::at(outer + 0.8, low - 14.0)
        .bend((outer + inner) / 2.0, low - 7.0, inner + 0.4, low - 11.0)
        .to(inner, low)
        .bend((outer + inner) / 2.0, low + 4.0, outer, low - 4.0)
        .close();
    let hem = hang(hem);
    for hem in [&hem, &hem.flipped()] {
        if look.trim.is_some() {
            canvas.part(hem, Fill::Colour(edging));
        }
    }
    let middle = (outer + inner) / 2.0;
    let crease = hang(Pen::at(97.0, 76.0).bend(middle + 6.0, 110.0, middle, low - 16.0));
    canvas.fold(&crease);
    canvas.fold(&crease.flipped());
    trouser_front(canvas, base, down);
    waistband(canvas, 33.0, 22.0 + down, edging);
    for x in [94.0, 142.0] {
        canvas.part(&Pen::card(x, 20.0 + down, 4.5, 20.0, 1.5), Fill::Colour(edging.lighter(0.08)));
    }
    canvas.flat(&Pen::oval(CENTRE + 0.5, 32.0 + down, 3.2, 3.2), LIGHT.darker(0.2), 1.0);
    canvas.line(&Pen::oval(CENTRE + 0.5, 32.0 + down, 3.2, 3.2), INK, 0.6, 0.9);
    look.sew(canvas, if look.cut == 2 { 91.0 } else { 95.0 }, 108.0 + down, 17.0);
}

fn trouser_front(canvas: &mut Canvas, base: Rgb, down: f32) {
    let hang = |pen: Pen| pen.placed(0.0, down, 1.0);
    canvas.line(&hang(Pen::line(CENTRE, 40.0, CENTRE, 97.0)), INK, 0.4, 1.2);
    let fly = Pen::at(127.0, 40.0).to(127.0, 66.0).bend(127.0, 76.0, CENTRE, 78.0);
    canvas.stitch(&hang(fly), base.darker(0.55));
    let pocket = hang(Pen::at(87.0, 60.0).bend(99.0, 58.0, 102.0, 40.0));
    for pocket in [&pocket, &pocket.flipped()] {
        canvas.line(pocket, INK, 0.45, 1.2);
        canvas.stitch(&pocket.placed(0.0, 2.4, 1.0), base.darker(0.55));
    }
}
