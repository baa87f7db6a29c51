//! Bags, hats and scarves.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::{CENTRE, Pen};

const CLOTH: Fill = Fill::Cloth(0.0);
const BRASS: Rgb = Rgb(214, 172, 92);

/// Tote, handbag with a flap, or backpack.
pub(super) fn bag(canvas: &mut Canvas, look: &Look) {
    match look.cut {
        0 => tote(canvas, look),
        1 => handbag(canvas, look),
        _ => backpack(canvas, look),
    }
}

fn tote(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let loop_back = Pen::at(88.0, 90.0).curve(88.0, 8.0, 152.0, 8.0, 152.0, 90.0);
    canvas.cord(&loop_back.placed(4.0, -6.0, 1.0), edging.darker(0.2), 6.0);
    let body = Pen::at(CENTRE, 84.0)
        .bend(86.0, 82.0, 54.0, 84.0)
        .curve(58.0, 130.0, 50.0, 170.0, 46.0, 208.0)
        .bend(60.0, 218.0, CENTRE, 218.0)
        .mirror();
    canvas.part(&body, CLOTH);
    let rim = Pen::at(CENTRE, 84.0).bend(86.0, 82.0, 54.0, 84.0).to(55.0, 96.0);
    canvas.part(&rim.bend(86.0, 94.0, CENTRE, 96.0).mirror(), Fill::Colour(edging));
    canvas.fold(&Pen::at(66.0, 120.0).bend(78.0, 150.0, 66.0, 196.0));
    canvas.fold(&Pen::at(172.0, 112.0).bend(160.0, 150.0, 174.0, 186.0));
    canvas.stitch(&Pen::at(54.0, 204.0).bend(120.0, 214.0, 186.0, 204.0), base.darker(0.5));
    let handle = Pen::at(84.0, 108.0).curve(80.0, 18.0, 160.0, 18.0, 156.0, 108.0);
    canvas.cord(&handle, edging, 7.0);
    for x in [84.0, 156.0] {
        canvas.part(&Pen::card(x - 7.0, 98.0, 14.0, 18.0, 3.0), Fill::Colour(edging));
        canvas.flat(&Pen::oval(x, 107.0, 2.2, 2.2), BRASS, 1.0);
    }
    look.sew(canvas, CENTRE, 156.0, 27.0);
}

fn handbag(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let handle = Pen::at(78.0, 106.0).curve(74.0, 18.0, 166.0, 18.0, 162.0, 106.0);
    canvas.cord(&handle, edging, 8.0);
    let body = Pen::at(CENTRE, 92.0)
        .to(58.0, 92.0)
        .bend(46.0, 94.0, 44.0, 112.0)
        .curve(38.0, 150.0, 34.0, 176.0, 36.0, 194.0)
        .bend(40.0, 208.0, 58.0, 208.0)
        .to(CENTRE, 209.0)
        .mirror();
    canvas.part(&body, CLOTH);
    canvas.stitch(
        &Pen::at(44.0, 192.0).bend(120.0, 206.0, 196.0, 192.0),
        look.colours[0].darker(0.5),
    );
    let flap = Pen::at(CENTRE, 88.0)
        .to(60.0, 88.0)
        .bend(48.0, 90.0, 46.0, 108.0)
        .bend(48.0, 144.0, 84.0, 150.0)
        .bend(110.0, 154.0, CENTRE, 154.0)
        .mirror();
    canvas.part(&flap, Fill::Colour(look.trim.unwrap_or(look.colours[0].darker(0.08))));
    canvas.stitch(
        &Pen::at(52.0, 110.0)
            .bend(54.0, 140.0, 86.0, 145.0)
            .bend(120.0, 151.0, 154.0, 145.0)
            .bend(186.0, 140.0, 188.0, 110.0),
        LIGHT,
    );
    canvas.part(&Pen::card(109.0, 142.0, 22.0, 20.0, 4.0), Fill::Colour(BRASS));
    canvas.flat(&Pen::oval(CENTRE, 152.0, 3.4, 3.4), INK, 0.6);
    for x in [78.0, 162.0] {
        canvas.part(&Pen::oval(x, 103.0, 6.0, 6.0), Fill::Colour(BRASS));
    }
    look.sew(canvas, 164.0, 178.0, 20.0);
}

fn backpack(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    canvas.cord(&Pen::at(104.0, 46.0).curve(102.0, 14.0, 138.0, 14.0, 136.0, 46.0), edging, 6.0);
    let strap = Pen::at(66.0, 84.0).curve(34.0, 110.0, 36.0, 160.0, 58.0, 196.0);
    canvas.cord(&strap, edging, 9.0);
    canvas.cord(&strap.flipped(), edging, 9.0);
    let body = Pen::at(CENTRE, 36.0)
        .curve(76.0, 36.0, 62.0, 66.0, 60.0, 110.0)
        .curve(58.0, 150.0, 54.0, 180.0, 58.0, 204.0)
        .bend(64.0, 216.0, CENTRE, 216.0)
        .mirror();
    canvas.part(&body, CLOTH);
    canvas.line(&Pen::at(66.0, 98.0).curve(72.0, 50.0, 168.0, 50.0, 174.0, 98.0), INK, 0.5, 2.2);
    canvas
        .stitch(&Pen::at(71.0, 98.0).curve(78.0, 56.0, 162.0, 56.0, 169.0, 98.0), base.darker(0.5));
    let pocket = Pen::card(74.0, 140.0, 92.0, 62.0, 14.0);
    canvas.part(&pocket, Fill::Colour(look.trim.unwrap_or(base.darker(0.06))));
    canvas.line(&Pen::line(84.0, 152.0, 156.0, 152.0), INK, 0.55, 2.0);
    canvas.cord(&Pen::line(150.0, 153.0, 150.0, 166.0), BRASS, 3.0);
    look.sew(canvas, CENTRE, 102.0, 26.0);
}

/// Wide brim, beanie with a pompom, or cap.
pub(super) fn hat(canvas: &mut Canvas, look: &Look) {
    match look.cut {
        0 => sun_hat(canvas, look),
        1 => beanie(canvas, look),
        _ => cap(canvas, look),
    }
}

fn sun_hat(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let brim = Pen::at(CENTRE, 128.0).curve(60.0, 128.0, 14.0, 142.0, 18.0, 158.0);
    let brim = brim.curve(26.0, 178.0, 78.0, 184.0, CENTRE, 184.0).mirror();
    canvas.part(&brim, Fill::Cloth(0.1));
    canvas.line(
        &Pen::at(26.0, 160.0).curve(60.0, 182.0, 180.0, 182.0, 214.0, 160.0),
        INK,
        0.14,
        3.0,
    );
    let crown = Pen::at(CENTRE, 66.0)
        .curve(92.0, 48.0, 72.0, 70.0, 70.0, 104.0)
        .to(67.0, 148.0)
        .bend(90.0, 160.0, CENTRE, 160.0)
        .mirror();
    canvas.part(&crown, CLOTH);
    canvas.fold(&Pen::at(98.0, 66.0).bend(CENTRE, 84.0, 142.0, 66.0));
    let ribbon_colour = look.trim.unwrap_or(base.darker(0.4));
    let ribbon = Pen::at(CENTRE, 138.0).bend(90.0, 138.0, 68.5, 126.0).to(67.0, 147.0);
    canvas.part(&ribbon.bend(90.0, 160.0, CENTRE, 160.0).mirror(), Fill::Colour(ribbon_colour));
    canvas.stitch(
        &Pen::at(24.0, 162.0).curve(50.0, 180.0, 190.0, 180.0, 216.0, 162.0),
        edging.darker(0.4),
    );
    look.sew(canvas, 146.0, 108.0, 19.0);
}

fn beanie(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let pompom = look.trim.unwrap_or(look.colours[1]);
    for (dx, dy, r) in [
        (-12.0, 4.0, 13.0),
        (12.0, 4.0, 13.0),
        (0.0, -8.0, 14.0),
        (-9.0, -5.0, 11.0),
        (10.0, -5.0, 11.0),
    ] {
        canvas.part(&Pen::oval(CENTRE + dx, 46.0 + dy, r, r), Fill::Colour(pompom));
    }
    canvas.flat(&Pen::oval(CENTRE, 46.0, 16.0, 14.0), pompom, 1.0);
    for (x, y) in [(110.0, 40.0), (124.0, 36.0), (116.0, 50.0), (130.0, 48.0)] {
        canvas.line(&Pen::at(x, y).bend(x + 3.0, y - 4.0, x + 7.0, y), LIGHT, 0.5, 1.6);
    }
    let crown = Pen::at(CENTRE, 58.0)
        .curve(74.0, 58.0, 48.0, 104.0, 50.0, 168.0)
        .bend(84.0, 176.0, CENTRE, 176.0)
        .mirror();
    canvas.part(&crown, CLOTH);
    let ribs = (0..9).fold(Pen::default(), |pen, rib| {
        let across = (rib as f32 - 4.0) * 17.0;
        pen.then_at(CENTRE + across * 0.2, 60.0).bend(
            CENTRE + across,
            90.0,
            CENTRE + across * 1.05,
            176.0,
        )
    });
    canvas.inside(&crown, &ribs, INK, 0.20, 1.6);
    let cuff = Pen::at(CENTRE, 158.0).bend(84.0, 158.0, 46.0, 150.0).to(44.0, 188.0);
    let cuff = cuff.bend(84.0, 202.0, CENTRE, 202.0).mirror();
    canvas.part(&cuff, Fill::Colour(edging));
    let lines = (0..26).fold(Pen::default(), |pen, rib| {
        let x = 46.0 + rib as f32 * 6.0;
        pen.then_at(x, 148.0).to(x, 204.0)
    });
    canvas.inside(&cuff, &lines, INK, 0.22, 1.5);
    look.sew(canvas, CENTRE, 140.0, 27.0);
}

fn cap(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let peak = Pen::at(96.0, 150.0)
        .curve(60.0, 150.0, 24.0, 160.0, 16.0, 180.0)
        .curve(30.0, 194.0, 76.0, 188.0, 122.0, 172.0)
        .close();
    canvas.part(&peak, Fill::Colour(edging));
    canvas.stitch(
        &Pen::at(26.0, 178.0).curve(46.0, 162.0, 74.0, 158.0, 104.0, 158.0),
        edging.darker(0.5),
    );
    let crown = Pen::at(82.0, 160.0)
        .curve(76.0, 96.0, 108.0, 62.0, 148.0, 64.0)
        .curve(194.0, 66.0, 222.0, 108.0, 214.0, 164.0)
        .curve(180.0, 178.0, 120.0, 176.0, 82.0, 160.0)
        .close();
    canvas.part(&crown, CLOTH);
    for seam in [
        Pen::at(148.0, 64.0).bend(110.0, 96.0, 112.0, 168.0),
        Pen::at(148.0, 64.0).bend(180.0, 100.0, 178.0, 172.0),
    ] {
        canvas.line(&seam, INK, 0.4, 1.2);
        canvas.stitch(&seam.placed(3.0, 0.0, 1.0), base.darker(0.5));
    }
    canvas.part(&Pen::oval(148.0, 62.0, 6.0, 3.6), Fill::Colour(edging));
    for x in [124.0, 192.0] {
        canvas.flat(&Pen::oval(x, 104.0, 2.4, 2.4), INK, 0.6);
    }
    look.sew(canvas, 145.0, 126.0, 22.0);
}

/// Looped, hanging side by side, or a tied square.
pub(super) fn scarf(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    match look.cut {
        0 => {
            tail(canvas, [132.0, 112.0, 46.0], 190.0, 0.06, edging);
            tail(canvas, [86.0, 118.0, 44.0], 204.0, -0.06, edging);
            let ring = Pen::at(CENTRE, 34.0)
                .curve(66.0, 30.0, 36.0, 62.0, 44.0, 96.0)
                .curve(52.0, 134.0, 96.0, 146.0, CENTRE, 146.0)
                .mirror();
            canvas.part(&ring, Fill::Cloth(0.35));
            let hole = Pen::oval(CENTRE, 66.0, 38.0, 17.0);
            canvas.part(&hole, Fill::Colour(look.colours[0].darker(0.6)));
            for depth in [0.0, 16.0, 32.0] {
                let fold = Pen::at(52.0 + depth * 0.3, 84.0 + depth * 0.8);
                canvas.fold(&fold.bend(
                    CENTRE,
                    106.0 + depth * 1.3,
                    188.0 - depth * 0.3,
                    84.0 + depth * 0.8,
                ));
            }
            look.sew(canvas, 106.0, 172.0, 17.0);
        }
        1 => {
            tail(canvas, [118.0, 52.0, 44.0], 164.0, 0.10, edging);
            tail(canvas, [80.0, 50.0, 46.0], 206.0, -0.05, edging);
            let over = Pen::at(78.0, 70.0)
                .curve(80.0, 18.0, 160.0, 18.0, 164.0, 70.0)
                .bend(142.0, 78.0, 124.0, 66.0)
                .bend(104.0, 78.0, 78.0, 70.0)
                .close();
            canvas.part(&over, Fill::Cloth(0.6));
            canvas.fold(&Pen::at(92.0, 66.0).curve(98.0, 40.0, 140.0, 40.0, 150.0, 66.0));
            canvas.part(&Pen::oval(CENTRE, 32.0, 8.0, 8.0), Fill::Colour(Rgb(190, 150, 108)));
            look.sew(canvas, 98.0, 140.0, 20.0);
        }
        _ => tied(canvas, look),
    }
}

/// One end of a scarf: left edge, top and width; where the cloth ends and the fringe begins.
fn tail(canvas: &mut Canvas, [x, top, width]: [f32; 3], low: f32, lean: f32, edging: Rgb) {
    let drift = lean * (low - top);
    let (left, right) = (x + drift, x + width + drift);
    for thread in 0..9 {
        let at = left + 2.0 + thread as f32 * (width - 4.0) / 8.0;
        canvas.cord(
            &Pen::at(at, low - 2.0).bend(at + 1.0, low + 8.0, at + drift * 0.2, low + 17.0),
            edging,
            2.4,
        );
    }
    let cloth = Pen::at(x, top)
        .bend(x - 3.0, (top + low) / 2.0, left, low)
        .bend((left + right) / 2.0, low + 4.0, right, low)
        .bend(x + width + 3.0, (top + low) / 2.0, x + width, top)
        .close();
    canvas.part(&cloth, Fill::Cloth(-lean));
    canvas.fold(&Pen::at(x + width * 0.3, top + 14.0).bend(
        x + width * 0.2,
        (top + low) / 2.0,
        left + width * 0.34,
        low - 14.0,
    ));
    let band = Pen::at(left - 0.4, low - 11.0).bend(
        (left + right) / 2.0,
        low - 7.0,
        right + 0.4,
        low - 11.0,
    );
    let band = band.to(right, low).bend((left + right) / 2.0, low + 4.0, left, low).close();
    canvas.part(&band, Fill::Colour(edging));
}

fn tied(canvas: &mut Canvas, look: &Look) {
    let edging = look.edging();
    let end = Pen::at(118.0, 84.0)
        .curve(84.0, 52.0, 56.0, 40.0, 34.0, 46.0)
        .bend(38.0, 80.0, 64.0, 104.0)
        .bend(90.0, 104.0, 118.0, 84.0)
        .close();
    canvas.part(&end, Fill::Cloth(-0.5));
    canvas.part(&end.flipped(), Fill::Cloth(0.5));
    canvas.fold(&Pen::at(110.0, 84.0).bend(84.0, 76.0, 60.0, 62.0));
    canvas.fold(&Pen::at(130.0, 84.0).bend(156.0, 76.0, 180.0, 62.0));
    let square = Pen::at(CENTRE, 84.0)
        .curve(92.0, 88.0, 56.0, 100.0, 36.0, 118.0)
        .curve(60.0, 160.0, 92.0, 196.0, CENTRE, 220.0)
        .mirror();
    canvas.part(&square, Fill::Cloth(0.0));
    let border =
        Pen::at(CENTRE, 208.0).curve(96.0, 188.0, 66.0, 154.0, 44.0, 112.0).to(36.0, 118.0);
    let border = border.curve(60.0, 160.0, 92.0, 196.0, CENTRE, 220.0).mirror();
    canvas.part(&border, Fill::Colour(edging));
    for (top, low) in [(96.0, 76.0), (144.0, 166.0)] {
        canvas.fold(&Pen::at(top, 98.0).bend(top, 120.0, low, 144.0));
    }
    canvas.part(&Pen::oval(CENTRE, 86.0, 17.0, 14.0), Fill::Colour(edging));
    canvas.fold(&Pen::at(112.0, 80.0).bend(118.0, 88.0, 114.0, 96.0));
    look.sew(canvas, CENTRE, 146.0, 26.0);
}
