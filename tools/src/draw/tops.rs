//! Shirts, jumpers and dresses.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::{CENTRE, Pen};

const STRAIGHT: Fill = Fill::Cloth(0.0);

/// A pair of things, one each side of the middle line; cloth leans with the limb.
fn pair(canvas: &mut Canvas, left: &Pen, fill: Fill) {
    canvas.part(left, fill);
    let right = match fill {
        Fill::Cloth(lean) => Fill::Cloth(-lean),
        colour => colour,
    };
    canvas.part(&left.flipped(), right);
}

/// Short lines across a cuff or hem, as ribbing has them.
fn ribs(canvas: &mut Canvas, band: &Pen, from: f32, to: f32, top: f32, bottom: f32) {
    let mut lines = Pen::default();
    let mut x = from;
    while x < to {
        lines = lines.then_at(x, top).to(x, bottom);
        x += 4.2;
    }
    canvas.inside(band, &lines, INK, 0.22, 1.1);
}

fn button(canvas: &mut Canvas, x: f32, y: f32, colour: Rgb) {
    canvas.flat(&Pen::oval(x + 0.4, y + 0.7, 2.7, 2.7), INK, 0.35);
    canvas.flat(&Pen::oval(x, y, 2.5, 2.5), colour, 1.0);
    canvas.flat(&Pen::oval(x - 0.6, y - 0.6, 0.8, 0.8), LIGHT, 0.8);
}

/// Long-sleeved with a pointed collar, short-sleeved with an open one, or with a band collar.
pub(super) fn shirt(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    if look.cut == 1 {
        let sleeve = Pen::at(84.0, 48.0)
            .curve(64.0, 52.0, 44.0, 74.0, 31.0, 103.0)
            .bend(42.0, 116.0, 62.0, 120.0)
            .to(82.0, 90.0)
            .close();
        pair(canvas, &sleeve, Fill::Cloth(0.5));
        let hem = Pen::at(34.0, 98.0).bend(44.0, 110.0, 65.0, 114.0).to(62.0, 120.0);
        let hem = hem.bend(42.0, 116.0, 31.0, 103.0).close();
        pair(canvas, &hem, Fill::Colour(edging));
    } else {
        let sleeve = Pen::at(84.0, 48.0)
            .curve(58.0, 54.0, 52.0, 86.0, 34.0, 174.0)
            .bend(44.0, 182.0, 58.0, 180.0)
            .curve(66.0, 150.0, 72.0, 120.0, 84.0, 100.0)
            .close();
        pair(canvas, &sleeve, Fill::Cloth(0.25));
        let cuff = Pen::at(36.0, 164.0).bend(48.0, 171.0, 61.0, 169.0).to(57.0, 189.0);
        let cuff = cuff.bend(42.0, 191.0, 30.0, 183.0).close();
        pair(canvas, &cuff, Fill::Colour(edging));
        let crease = Pen::at(62.0, 96.0).bend(58.0, 128.0, 48.0, 150.0);
        canvas.fold(&crease);
        canvas.fold(&crease.flipped());
    }
    let body = Pen::at(CENTRE, 52.0)
        .to(100.0, 40.0)
        .bend(84.0, 46.0, 70.0, 52.0)
        .curve(76.0, 70.0, 74.0, 90.0, 73.0, 108.0)
        .curve(71.0, 140.0, 70.0, 170.0, 68.0, 198.0)
        .curve(84.0, 214.0, 104.0, 212.0, CENTRE, 206.0)
        .mirror();
    let nape = Pen::at(100.0, 41.0).bend(CENTRE, 30.0, 140.0, 41.0).bend(CENTRE, 66.0, 100.0, 41.0);
    canvas.part(&nape.close(), Fill::Colour(base.darker(0.45)));
    canvas.part(&body, STRAIGHT);
    let crease = Pen::at(80.0, 112.0).bend(92.0, 124.0, 90.0, 150.0);
    canvas.fold(&crease);
    canvas.fold(&Pen::at(158.0, 150.0).bend(148.0, 170.0, 152.0, 192.0));
    shirt_front(canvas, look, edging);
    look.sew(canvas, 144.0, 98.0, 15.5);
}

fn shirt_front(canvas: &mut Canvas, look: &Look, edging: Rgb) {
    let base = look.colours[0];
    canvas.line(&Pen::line(125.0, 60.0, 125.0, 208.0), INK, 0.35, 1.1);
    canvas.stitch(&Pen::line(115.0, 64.0, 115.0, 206.0), base.darker(0.5));
    let shell = if base.brightness() > 0.7 { base.darker(0.35) } else { LIGHT.darker(0.06) };
    for row in 0..6 {
        button(canvas, CENTRE, 78.0 + row as f32 * 23.0, shell);
    }
    if look.motif.is_none() {
        let pocket = Pen::at(135.0, 88.0).to(159.0, 88.0).to(159.0, 110.0);
        let pocket = pocket.bend(156.0, 117.0, 147.0, 119.0).bend(138.0, 117.0, 135.0, 110.0);
        canvas.part(&pocket.close(), STRAIGHT);
        canvas.stitch(&Pen::line(136.0, 92.5, 158.0, 92.5), base.darker(0.5));
    }
    if look.cut == 2 {
        let band = Pen::at(CENTRE, 68.0)
            .bend(102.0, 60.0, 97.0, 40.0)
            .to(102.0, 35.0)
            .bend(106.0, 52.0, CENTRE, 58.0)
            .mirror();
        canvas.part(&band, Fill::Colour(edging));
    } else {
        let depth = if look.cut == 1 { 88.0 } else { 77.0 };
        let leaf = Pen::at(CENTRE, 59.0)
            .bend(105.0, 52.0, 100.0, 36.0)
            .bend(94.0, 40.0, 90.0, 48.0)
            .bend(92.0, 66.0, 99.0, depth)
            .to(CENTRE, 59.0)
            .close();
        pair(canvas, &leaf, Fill::Colour(look.trim.unwrap_or(base.lighter(0.12))));
        button(canvas, CENTRE, 62.0, shell);
    }
}

/// Crew neck, roll neck, or a buttoned cardigan.
pub(super) fn jumper(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let sleeve = Pen::at(82.0, 50.0)
        .curve(52.0, 58.0, 44.0, 100.0, 29.0, 176.0)
        .bend(44.0, 188.0, 58.0, 182.0)
        .curve(66.0, 150.0, 76.0, 128.0, 86.0, 108.0)
        .close();
    pair(canvas, &sleeve, Fill::Cloth(0.25));
    let cuff = Pen::at(30.0, 168.0).bend(45.0, 178.0, 60.0, 173.0).to(56.0, 194.0);
    let cuff = cuff.bend(42.0, 199.0, 27.0, 189.0).close();
    pair(canvas, &cuff, Fill::Colour(edging));
    ribs(canvas, &cuff, 28.0, 62.0, 160.0, 200.0);
    ribs(canvas, &cuff.flipped(), 180.0, 214.0, 160.0, 200.0);
    let nape = Pen::oval(CENTRE, 48.0, 22.0, 12.0);
    canvas.part(&nape, Fill::Colour(base.darker(0.42)));
    let neckline = if look.cut == 2 { 104.0 } else { 60.0 };
    let body = Pen::at(CENTRE, neckline)
        .bend(98.0, if look.cut == 2 { 74.0 } else { 60.0 }, 98.0, 43.0)
        .bend(84.0, 48.0, 68.0, 55.0)
        .curve(74.0, 80.0, 70.0, 150.0, 66.0, 192.0)
        .bend(90.0, 202.0, CENTRE, 201.0)
        .mirror();
    canvas.part(&body, STRAIGHT);
    knit(canvas, &body);
    let hem = Pen::at(CENTRE, 190.0).bend(90.0, 191.0, 66.0, 182.0).to(67.0, 203.0);
    let hem = hem.bend(90.0, 213.0, CENTRE, 212.0).mirror();
    canvas.part(&hem, Fill::Colour(edging));
    ribs(canvas, &hem, 68.0, 174.0, 178.0, 216.0);
    canvas.fold(&Pen::at(80.0, 118.0).bend(92.0, 132.0, 86.0, 160.0));
    canvas.fold(&Pen::at(160.0, 118.0).bend(148.0, 132.0, 154.0, 160.0));
    jumper_neck(canvas, look, edging);
    if look.cut == 2 {
        look.sew(canvas, 148.0, 116.0, 16.0);
    } else {
        look.sew(canvas, CENTRE, 118.0, 26.0);
    }
}

/// Rows of little arches, barely there.
fn knit(canvas: &mut Canvas, body: &Pen) {
    let mut rows = Pen::default();
    for row in 0..18 {
        let y = 60.0 + row as f32 * 7.4;
        rows = rows.then_at(60.0, y);
        for stitch in 0..24 {
            let x = 60.0 + stitch as f32 * 5.0;
            rows = rows.to(x + 2.5, y + 2.4).to(x + 5.0, y);
        }
    }
    canvas.inside(body, &rows, INK, 0.09, 0.9);
}

fn jumper_neck(canvas: &mut Canvas, look: &Look, edging: Rgb) {
    match look.cut {
        0 => {
            let collar = Pen::at(CENTRE, 69.0)
                .bend(91.0, 68.0, 92.0, 44.0)
                .to(99.0, 40.0)
                .bend(100.0, 60.0, CENTRE, 60.0)
                .mirror();
            canvas.part(&collar, Fill::Colour(edging));
            ribs(canvas, &collar, 92.0, 150.0, 38.0, 72.0);
        }
        1 => {
            let collar = Pen::at(CENTRE, 66.0)
                .bend(94.0, 66.0, 94.0, 48.0)
                .bend(92.0, 34.0, 97.0, 25.0)
                .bend(CENTRE, 16.0, CENTRE, 20.0)
                .mirror();
            canvas.part(&collar, Fill::Colour(edging));
            ribs(canvas, &collar, 95.0, 148.0, 20.0, 70.0);
            canvas.fold(&Pen::at(96.0, 44.0).bend(CENTRE, 54.0, 144.0, 44.0));
        }
        _ => {
            let band = Pen::at(CENTRE, 112.0).bend(90.0, 80.0, 91.0, 43.0).to(98.0, 40.0);
            let band = band.bend(99.0, 76.0, CENTRE, 100.0).mirror();
            canvas.part(&band, Fill::Colour(edging));
            let front = Pen::card(115.0, 104.0, 10.0, 106.0, 1.0);
            canvas.part(&front, Fill::Colour(edging));
            for row in 0..5 {
                button(canvas, CENTRE, 118.0 + row as f32 * 20.0, LIGHT.darker(0.1));
            }
        }
    }
}

/// Sleeveless and flared, strappy with a tiered skirt, or long-sleeved.
pub(super) fn dress(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    if look.cut == 2 {
        let sleeve = Pen::at(92.0, 36.0)
            .curve(72.0, 40.0, 66.0, 74.0, 50.0, 122.0)
            .bend(58.0, 130.0, 68.0, 128.0)
            .curve(76.0, 104.0, 84.0, 88.0, 92.0, 78.0)
            .close();
        pair(canvas, &sleeve, Fill::Cloth(0.3));
        let cuff = Pen::at(52.0, 114.0).bend(61.0, 121.0, 71.0, 119.0).to(68.0, 132.0);
        let cuff = cuff.bend(56.0, 133.0, 47.0, 127.0).close();
        pair(canvas, &cuff, Fill::Colour(edging));
    }
    if look.cut == 1 {
        let strap = Pen::at(100.0, 58.0).bend(98.0, 36.0, 106.0, 18.0);
        canvas.cord(&strap, edging, 2.6);
        canvas.cord(&strap.flipped(), edging, 2.6);
    } else {
        let nape = Pen::oval(CENTRE, 34.0, 16.0, 9.0);
        canvas.part(&nape, Fill::Colour(base.darker(0.45)));
    }
    let skirt = Pen::at(CENTRE, 104.0)
        .to(97.0, 104.0)
        .curve(88.0, 140.0, 66.0, 176.0, 54.0, 212.0)
        .curve(76.0, 226.0, 100.0, 222.0, CENTRE, 225.0)
        .mirror();
    canvas.part(&skirt, STRAIGHT);
    for (top, bottom, sink) in [(104.0, 78.0, 213.0), (112.0, 104.0, 216.0), (132.0, 148.0, 216.0)]
    {
        canvas.fold(&Pen::at(top, 116.0).bend(top - 2.0, 160.0, bottom, sink));
    }
    canvas.fold(&Pen::at(140.0, 118.0).bend(150.0, 160.0, 170.0, 206.0));
    let hem = Pen::at(CENTRE, 217.0).curve(100.0, 214.0, 78.0, 218.0, 56.0, 204.0).to(53.0, 213.0);
    let hem = hem.curve(76.0, 227.0, 100.0, 223.0, CENTRE, 226.0).mirror();
    if look.cut == 1 {
        let tier =
            Pen::at(80.0, 152.0).bend(100.0, 162.0, CENTRE, 160.0).bend(140.0, 162.0, 160.0, 152.0);
        canvas.fold(&tier);
        canvas.stitch(&tier.placed(0.0, 3.0, 1.0), base.darker(0.4));
    }
    if look.trim.is_some() || look.cut == 1 {
        canvas.part(&hem, Fill::Colour(edging));
    }
    bodice(canvas, look);
    let sash = Pen::card(95.5, 98.0, 49.0, 10.0, 3.0);
    canvas.part(&sash, Fill::Colour(edging));
    look.sew(canvas, CENTRE, 152.0, 21.0);
}

fn bodice(canvas: &mut Canvas, look: &Look) {
    let bodice = match look.cut {
        0 => Pen::at(CENTRE, 50.0)
            .bend(106.0, 48.0, 103.0, 26.0)
            .to(92.0, 28.0)
            .curve(94.0, 50.0, 92.0, 60.0, 84.0, 68.0),
        1 => Pen::at(CENTRE, 64.0).bend(108.0, 60.0, 100.0, 52.0).bend(94.0, 60.0, 86.0, 68.0),
        _ => Pen::at(CENTRE, 48.0)
            .bend(106.0, 44.0, 104.0, 28.0)
            .bend(94.0, 32.0, 84.0, 38.0)
            .curve(90.0, 54.0, 90.0, 66.0, 88.0, 76.0),
    };
    let bodice = bodice.curve(88.0, 84.0, 94.0, 94.0, 97.0, 104.0).to(CENTRE, 104.0).mirror();
    canvas.part(&bodice, STRAIGHT);
    canvas.fold(&Pen::at(99.0, 96.0).bend(103.0, 84.0, 100.0, 76.0));
    canvas.fold(&Pen::at(140.0, 96.0).bend(136.0, 84.0, 139.0, 76.0));
    let neck = match look.cut {
        0 => Pen::at(103.0, 28.0).bend(106.0, 50.0, CENTRE, 52.0).bend(134.0, 50.0, 137.0, 28.0),
        1 => Pen::at(101.0, 55.0).bend(109.0, 63.0, CENTRE, 67.0).bend(131.0, 63.0, 139.0, 55.0),
        _ => Pen::at(104.0, 30.0).bend(106.0, 46.0, CENTRE, 50.0).bend(134.0, 46.0, 136.0, 30.0),
    };
    canvas.line(&neck, look.edging(), 1.0, 3.4);
}
