//! Shoes, seen from the side with the toe to the left. They stand on a table at 196.

use super::Look;
use super::canvas::{Canvas, Fill};
use super::colour::{INK, LIGHT, Rgb};
use super::pen::Pen;

const CLOTH: Fill = Fill::Cloth(0.0);

/// A dark opening with its lining.
fn opening(canvas: &mut Canvas, outline: Pen, base: Rgb) {
    canvas.part(&outline, Fill::Colour(base.darker(0.55)));
}

/// Low with laces, high-top, or slip-on.
pub(super) fn sneaker(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let rubber = look.trim.unwrap_or(Rgb(246, 242, 232));
    let collar = if look.cut == 1 { 62.0 } else { 98.0 };
    opening(canvas, Pen::oval(178.0, collar + 3.0, 29.0, 10.0), base);
    let upper = Pen::at(24.0, 180.0)
        .curve(20.0, 150.0, 44.0, 142.0, 74.0, 137.0)
        .curve(104.0, 130.0, 126.0, collar + 24.0, 150.0, collar)
        .bend(178.0, collar + 16.0, 207.0, collar - 2.0)
        .curve(204.0, 130.0, 218.0, 146.0, 216.0, 180.0)
        .close();
    canvas.part(&upper, CLOTH);
    canvas.fold(&Pen::at(128.0, 178.0).bend(120.0, 152.0, 134.0, 138.0));
    let heel = Pen::at(206.0, collar + 22.0).curve(203.0, 130.0, 220.0, 150.0, 216.0, 180.0);
    let heel = heel.to(190.0, 180.0).bend(198.0, 146.0, 196.0, collar + 24.0).close();
    canvas.part(&heel, Fill::Colour(edging));
    match look.cut {
        2 => {
            let gore = Pen::at(132.0, 112.0)
                .to(152.0, 99.0)
                .to(160.0, 122.0)
                .bend(148.0, 132.0, 140.0, 134.0);
            canvas.part(&gore.close(), Fill::Colour(base.darker(0.35)));
        }
        _ => laces(canvas, look, collar),
    }
    let cap = Pen::at(24.0, 180.0).curve(20.0, 150.0, 44.0, 144.0, 66.0, 139.0);
    let cap = cap.bend(80.0, 158.0, 76.0, 182.0).close();
    if look.cut != 2 {
        canvas.part(&cap, Fill::Colour(rubber));
    }
    let sole = Pen::at(20.0, 176.0)
        .bend(70.0, 184.0, 120.0, 178.0)
        .bend(170.0, 176.0, 220.0, 174.0)
        .bend(224.0, 186.0, 218.0, 195.0)
        .to(32.0, 196.0)
        .bend(18.0, 194.0, 20.0, 176.0)
        .close();
    canvas.part(&sole, Fill::Colour(rubber));
    let stripe = Pen::at(24.0, 187.0).bend(120.0, 192.0, 218.0, 185.0);
    canvas.line(&stripe, edging, 0.9, 2.4);
    let (x, y) = if look.cut == 1 { (177.0, 116.0) } else { (160.0, 151.0) };
    look.sew(canvas, x, y, if look.cut == 1 { 18.0 } else { 17.0 });
}

fn laces(canvas: &mut Canvas, look: &Look, collar: f32) {
    let flap = Pen::at(74.0, 137.0)
        .curve(104.0, 130.0, 126.0, collar + 24.0, 150.0, collar)
        .to(162.0, collar + 12.0)
        .curve(140.0, collar + 44.0, 120.0, 148.0, 92.0, 152.0)
        .close();
    canvas.part(&flap, Fill::Colour(look.colours[0].lighter(0.12)));
    let rows = if look.cut == 1 { 6 } else { 4 };
    for row in 0..rows {
        let t = (row as f32 + 0.7) / rows as f32;
        // Along the middle of the flap, which rises steeper the higher it gets.
        let (x, y) = (86.0 + t * 66.0, 143.0 - (143.0 - collar - 8.0) * t * (0.45 + 0.55 * t));
        canvas.cord(&Pen::line(x - 9.0, y - 6.0, x + 5.0, y + 9.0), LIGHT, 3.0);
    }
}

/// Chelsea boot, laced boot, rain boot.
pub(super) fn boot(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    let top = if look.cut == 2 { 30.0 } else { 50.0 };
    opening(canvas, Pen::oval(158.0, top + 3.0, 39.0, 10.0), base);
    let upper = Pen::at(30.0, 180.0)
        .curve(24.0, 150.0, 50.0, 140.0, 80.0, 132.0)
        .curve(112.0, 122.0, 122.0, 104.0, 119.0, top)
        .bend(158.0, top + 18.0, 197.0, top)
        .curve(200.0, 100.0, 196.0, 130.0, 206.0, 180.0)
        .close();
    canvas.part(&upper, CLOTH);
    canvas.fold(&Pen::at(124.0, 118.0).bend(150.0, 126.0, 176.0, 118.0));
    canvas.fold(&Pen::at(122.0, 128.0).bend(140.0, 138.0, 152.0, 134.0));
    match look.cut {
        0 => {
            let gore = Pen::at(142.0, 59.0).to(176.0, 58.0).bend(172.0, 90.0, 160.0, 112.0);
            let gore = gore.bend(146.0, 92.0, 142.0, 59.0).close();
            canvas.part(&gore, Fill::Colour(edging.darker(0.2)));
            let lines = (0..8).fold(Pen::default(), |pen, rib| {
                let x = 144.0 + rib as f32 * 4.4;
                pen.then_at(x, 56.0).to(x, 116.0)
            });
            canvas.inside(&gore, &lines, INK, 0.35, 1.2);
            canvas.cord(
                &Pen::at(190.0, 52.0).curve(188.0, 30.0, 206.0, 30.0, 202.0, 54.0),
                edging,
                4.0,
            );
        }
        1 => {
            for row in 0..5 {
                let y = 66.0 + row as f32 * 13.0;
                let x = 121.0 - (row as f32 - 2.5).max(0.0) * 5.0;
                canvas.cord(
                    &Pen::line(x - 3.0, y + 1.0, x + 19.0, y + 6.0),
                    look.trim.unwrap_or(LIGHT),
                    3.0,
                );
            }
            let cuff = Pen::at(118.0, top - 3.0).bend(158.0, top + 16.0, 198.0, top - 3.0);
            let cuff =
                cuff.to(199.0, top + 13.0).bend(158.0, top + 30.0, 119.0, top + 13.0).close();
            canvas.part(&cuff, Fill::Colour(edging));
        }
        _ => {
            let band = Pen::at(118.0, top - 2.0).bend(158.0, top + 17.0, 198.0, top - 2.0);
            let band =
                band.to(198.0, top + 12.0).bend(158.0, top + 30.0, 119.0, top + 12.0).close();
            canvas.part(&band, Fill::Colour(edging));
            let shine = Pen::at(132.0, 66.0).bend(136.0, 100.0, 124.0, 124.0);
            canvas.line(&shine, LIGHT, 0.55, 4.5);
            canvas.line(&Pen::at(58.0, 152.0).bend(74.0, 144.0, 86.0, 142.0), LIGHT, 0.55, 4.0);
        }
    }
    boot_sole(canvas, look.trim.unwrap_or(if look.cut == 2 { edging } else { Rgb(92, 66, 52) }));
    let y = if look.cut == 0 { 140.0 } else { 98.0 };
    look.sew(canvas, if look.cut == 0 { 152.0 } else { 166.0 }, y, 18.0);
}

fn boot_sole(canvas: &mut Canvas, colour: Rgb) {
    let sole = Pen::at(26.0, 177.0)
        .bend(110.0, 184.0, 208.0, 176.0)
        .to(210.0, 196.0)
        .to(166.0, 196.0)
        .to(160.0, 188.0)
        .bend(90.0, 194.0, 36.0, 192.0)
        .bend(24.0, 190.0, 26.0, 177.0)
        .close();
    canvas.part(&sole, Fill::Colour(colour));
    canvas.stitch(&Pen::at(32.0, 182.0).bend(110.0, 187.0, 204.0, 181.0), LIGHT);
}

/// Stiletto, block heel, or ballet flat.
pub(super) fn pump(canvas: &mut Canvas, look: &Look) {
    let (base, edging) = (look.colours[0], look.edging());
    // How high the heel lifts the back of the shoe.
    let lift = [66.0, 44.0, 6.0][look.cut.min(2)];
    let back = 190.0 - lift;
    heel(canvas, look.cut, back, edging);
    opening(
        canvas,
        Pen::at(86.0, 168.0 - lift * 0.12)
            .curve(120.0, 160.0 - lift * 0.5, 166.0, back - 46.0, 206.0, back - 52.0)
            .bend(170.0, back - 10.0, 86.0, 168.0 - lift * 0.12)
            .close(),
        base,
    );
    let upper = Pen::at(22.0, 188.0)
        .curve(22.0, 172.0, 52.0, 160.0 - lift * 0.1, 86.0, 163.0 - lift * 0.2)
        .curve(120.0, 172.0 - lift * 0.3, 168.0, back - 10.0, 206.0, back - 54.0)
        .curve(214.0, back - 30.0, 214.0, back - 14.0, 210.0, back)
        .curve(170.0, back + 8.0, 130.0, 192.0 - lift * 0.05, 96.0, 192.0)
        .bend(50.0, 196.0, 22.0, 188.0)
        .close();
    canvas.part(&upper, CLOTH);
    let shine = Pen::at(40.0, 177.0).bend(58.0, 168.0, 80.0, 168.0 - lift * 0.1);
    canvas.line(&shine, LIGHT, 0.5, 3.6);
    let rim = Pen::at(86.0, 163.0 - lift * 0.2).curve(
        120.0,
        172.0 - lift * 0.3,
        168.0,
        back - 10.0,
        206.0,
        back - 54.0,
    );
    canvas.line(&rim, edging, 1.0, 3.6);
    let sole = Pen::at(22.0, 188.0)
        .bend(50.0, 196.0, 96.0, 192.0)
        .curve(130.0, 192.0 - lift * 0.05, 170.0, back + 8.0, 210.0, back)
        .curve(176.0, back + 14.0, 140.0, 196.0, 96.0, 196.0)
        .bend(40.0, 199.0, 22.0, 188.0)
        .close();
    canvas.part(&sole, Fill::Colour(edging.darker(0.25)));
    if look.cut == 2 {
        let bow = Pen::at(74.0, 164.0).curve(58.0, 148.0, 54.0, 168.0, 74.0, 166.0);
        let bow = bow.curve(92.0, 176.0, 96.0, 154.0, 74.0, 164.0).close();
        canvas.part(&bow, Fill::Colour(edging));
    }
    look.sew(canvas, 186.0, back - 16.0, 14.5);
}

fn heel(canvas: &mut Canvas, cut: usize, back: f32, colour: Rgb) {
    let heel = match cut {
        0 => Pen::at(184.0, back + 2.0)
            .curve(200.0, back + 24.0, 200.0, 170.0, 200.0, 195.0)
            .to(206.0, 195.0)
            .curve(206.0, 170.0, 212.0, back + 20.0, 211.0, back - 6.0)
            .close(),
        1 => Pen::at(172.0, back + 2.0)
            .bend(178.0, 174.0, 180.0, 195.0)
            .to(208.0, 195.0)
            .bend(208.0, 170.0, 212.0, back - 6.0)
            .close(),
        _ => Pen::card(172.0, 184.0, 38.0, 11.0, 2.0),
    };
    canvas.part(&heel, Fill::Colour(colour));
}
