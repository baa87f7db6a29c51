//! Gradients against finite differences of the objective, repeatability, and what it learns.

use image::RgbImage;

use super::*;
use crate::taste::Ranker;

/// Red pictures for even items, blue ones for odd; the last has none.
fn gallery(items: usize) -> Arc<Gallery> {
    let picture = |item: usize| {
        let mut chance = Chance::new(5, "picture", item as u64);
        let planes = (0..3).flat_map(|channel| {
            let bright = if (channel == 0) == (item.is_multiple_of(2)) { 200.0 } else { 40.0 };
            (0..16 * 16).map(move |_| bright)
        });
        planes.map(|value: f32| (value + 40.0 * chance.unit()) as u8).collect()
    };
    let pictures = (0..items).map(|item| (item + 1 < items).then(|| picture(item)));
    Arc::new(Gallery::new(16, pictures.collect()))
}

fn settings() -> DvbprSettings {
    DvbprSettings {
        thin: 32,
        visual: 4,
        latent: 3,
        batch: 16,
        rate: 1e-3,
        dropout: 0.2,
        ..DvbprSettings::default()
    }
}

/// Even users take even items.
fn history(items: u32) -> History {
    let taken =
        (0..24u32).flat_map(|u| (0..5).map(move |n| (u, (u % 2 + 2 * ((u + n * 3) % 9)) % items)));
    History::new(24, items as usize, taken)
}

#[test]
fn gradients_are_those_of_the_objective() {
    let gallery = gallery(6);
    let triples = [(0, 1, 2), (1, 2, 5), (0, 4, 1)].map(|(user, positive, negative)| Triple {
        user,
        positive,
        negative,
    });
    let items = [1, 2, 4];
    let known = History::new(2, 6, [(0, 1), (0, 4), (1, 2), (1, 5)]);
    let phi = Chance::new(1, "phi", 0).normals(items.len() * 4, 0.5);
    let mut model = Dvbpr::new(&known, Arc::clone(&gallery), settings()).unwrap();
    let mut found = vec![0.0; phi.len()];
    let loss = model.differentiate(&triples, &items, &phi, &mut found);
    let users: Vec<(u32, Vec<f32>)> =
        model.users.gradients().map(|(row, g)| (row, g.to_vec())).collect();
    let rows: Vec<(u32, Vec<f32>)> =
        model.items.gradients().map(|(row, g)| (row, g.to_vec())).collect();

    let all = [model.users.values(), model.items.values(), &phi]
        .map(|values| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>());
    // The equation, in double precision; penalties count once a triple.
    let objective = |[users, rows, phi]: &[Vec<f64>; 3], penalties: bool| -> f64 {
        let s = settings();
        let look =
            |item: u32| items.iter().position(|&i| i == item).map(|p| &phi[p * 4..p * 4 + 4]);
        let square = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>();
        let one = |t: &Triple| {
            let u = &users[t.user as usize * 7..][..7];
            let score = |item: u32| {
                let row = &rows[item as usize * 4..][..4];
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
                row[3] + dot(&u[..3], &row[..3]) + look(item).map_or(0.0, |phi| dot(&u[3..], phi))
            };
            let mut sum = (score(t.negative) - score(t.positive)).exp().ln_1p();
            if penalties {
                sum += f64::from(s.lambda_user) / 2.0 * square(&u[3..]);
                sum += f64::from(s.lambda) / 2.0 * square(&u[..3]);
                for item in [t.positive, t.negative] {
                    let row = &rows[item as usize * 4..][..4];
                    sum += f64::from(s.lambda) / 2.0 * square(&row[..3]);
                    sum += f64::from(s.lambda_bias) / 2.0 * row[3] * row[3];
                }
            }
            sum
        };
        triples.iter().map(one).sum()
    };
    assert!((loss - objective(&all, false)).abs() < 1e-5);
    let slope = |part: usize, place: usize| {
        let [up, down] = [1e-5, -1e-5].map(|step| {
            let mut moved = all.clone();
            moved[part][place] += step;
            objective(&moved, true)
        });
        (up - down) / 2e-5
    };
    let near = |what: &str, ours: f32, slope: f64| {
        assert!((f64::from(ours) - slope).abs() < 1e-4, "{what}: {ours} where {slope} is right");
    };
    for (part, what, width, gradients) in [(0, "user", 7, users), (1, "item", 4, rows)] {
        for (row, gradient) in gradients {
            for (column, ours) in gradient.into_iter().enumerate() {
                near(what, ours, slope(part, row as usize * width + column));
            }
        }
    }
    found.into_iter().enumerate().for_each(|(place, ours)| near("phi", ours, slope(2, place)));
}

#[test]
fn any_number_of_threads_and_any_interruption_come_to_the_same_bits() {
    let gallery = gallery(19);
    let on = |threads: usize, epochs: std::ops::Range<u32>, state: Option<State>| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = Dvbpr::new(&history(19), Arc::clone(&gallery), settings()).unwrap();
            state.iter().for_each(|state| model.restore(state).unwrap());
            epochs.for_each(|epoch| assert!(model.epoch(&history(19), 1, epoch).unwrap() > 0.0));
            (model.state().unwrap(), model.learned().unwrap().factors)
        })
    };
    let (_, whole) = on(1, 0..4, None);
    let (half, before) = on(3, 0..2, None);
    assert_ne!(before, whole);
    assert_eq!(on(2, 2..4, Some(half)).1, whole);
}

#[test]
fn it_learns_what_only_pictures_show_and_scores_new_ones() {
    let gallery = gallery(19);
    // Without anything but the pictures.
    let settings = DvbprSettings { latent: 0, bias: false, dropout: 0.0, ..settings() };
    let mut model = Dvbpr::new(&history(19), Arc::clone(&gallery), settings).unwrap();
    let losses: Vec<f64> =
        (0..15).map(|epoch| model.epoch(&history(19), 1, epoch).unwrap()).collect();
    assert!(losses[14] < 0.6 * losses[0], "{losses:?}");
    let Learned { factors, insight } = model.learned().unwrap();
    assert_eq!(factors.item(18), [0.0; 4], "it has no picture");
    let mut scores = vec![0.0; 19];
    factors.ranker().score(&[0], &mut scores);
    let worst = (0..18).step_by(2).map(|item| scores[item]).fold(f32::INFINITY, f32::min);
    let best = (1..18).step_by(2).map(|item| scores[item]).fold(f32::NEG_INFINITY, f32::max);
    assert!(worst > best, "{scores:?}");
    // A picture that nobody has seen, from itself alone.
    let score = |rgb| {
        let picture = || Ok(Some(RgbImage::from_pixel(30, 20, image::Rgb(rgb))));
        let looks = Looks { feature: None, picture: &picture };
        let look = insight.as_ref().unwrap().item(&looks).unwrap().unwrap();
        factors.user(0).iter().zip(look).map(|(t, phi)| t * phi).sum::<f32>()
    };
    assert!(score([215, 50, 50]) > score([50, 215, 215]));
}

#[test]
fn another_models_checkpoint_is_refused() {
    let gallery = gallery(7);
    let state = Dvbpr::new(&history(7), Arc::clone(&gallery), settings()).unwrap().state().unwrap();
    let wider = DvbprSettings { thin: 16, ..settings() };
    assert!(Dvbpr::new(&history(7), Arc::clone(&gallery), wider).unwrap().restore(&state).is_err());
    let mut torn = state.clone();
    torn.remove("conv1.weight.m");
    assert!(
        Dvbpr::new(&history(7), Arc::clone(&gallery), settings()).unwrap().restore(&torn).is_err()
    );
    assert!(
        Dvbpr::new(&history(7), Arc::clone(&gallery), settings()).unwrap().restore(&state).is_ok()
    );
}
