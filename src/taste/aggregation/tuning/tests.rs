//! A planted task whose signal only a tuned extractor shows; runs that are stopped and go on; and pictures that are no items.

use image::RgbImage;

use super::*;
use crate::taste::History;
use crate::taste::aggregation::{Aggregation, measure};

const SIDE: usize = 32;
const DIRECTIONS: usize = 4;

/// Stripes of one of four directions, of any colours, anywhere: what is loud in them says nothing.
fn stripes(direction: usize, chance: &mut Chance) -> Vec<u8> {
    let mut colours = [0f32; 6];
    colours.iter_mut().for_each(|colour| *colour = 255.0 * chance.unit());
    let (phase, width) = (8.0 * chance.unit(), 4.0 + chance.unit());
    let turn = direction as f32 * std::f32::consts::PI / DIRECTIONS as f32;
    let value = |channel: usize, at: usize| {
        let (x, y) = ((at % SIDE) as f32, (at / SIDE) as f32);
        let along = (x * turn.cos() + y * turn.sin() + phase) / width;
        let light = along.floor() as i32 % 2 == 0;
        colours[channel + if light { 3 } else { 0 }] as u8
    };
    (0..3)
        .flat_map(|channel| (0..SIDE * SIDE).map(move |at| (channel, at)))
        .map(|(c, at)| value(c, at))
        .collect()
}

/// Pictures of every direction in turn; every fifth item has none.
fn shop(count: usize) -> (Gallery, Categories) {
    let mut chance = Chance::new(5, "stripes", 0);
    let pictures = (0..count).map(|item| {
        let picture = stripes(item % DIRECTIONS, &mut chance);
        (item % 5 != 4).then_some(picture)
    });
    let gallery = Gallery::new(SIDE, pictures.collect());
    let of = (0..count as u32).map(|item| (item, item % DIRECTIONS as u32));
    let names = ["across", "rising", "down", "falling"].map(str::to_owned).to_vec();
    (gallery, Categories::new(names, History::new(count, DIRECTIONS, of)))
}

fn settings() -> AggregationSettings {
    AggregationSettings {
        hidden: 64,
        weight: 3.0,
        dropout: 0.2,
        rate: 3e-3,
        batch: 16,
        tuning: TuningSettings {
            finetune: CHANCE.to_owned(),
            side: SIDE,
            thin: 8,
            pictures: 16,
            top_passes: 2,
            all_passes: 14,
            top_rate: 1e-2,
            all_rate: 1e-2,
            ..TuningSettings::default()
        },
        ..AggregationSettings::default()
    }
}

/// How often the likeliest category of a single picture that was not learned from is its own.
fn right(features: Features, categories: &Categories, cut: u32, count: u32) -> f64 {
    let settings = settings();
    let mut model = Aggregation::new(Arc::new(features), categories.len(), settings).unwrap();
    let single = |items: std::ops::Range<u32>| {
        let pairs = items.filter(|item| item % 5 != 4).map(|item| (item, item));
        History::new(count as usize, count as usize, pairs)
    };
    let (known, held) = (single(0..cut), single(cut..count));
    let labels = categories.of_sets(&single(0..count));
    for epoch in 0..20 {
        model.learn(&known, &labels, 1, epoch).unwrap();
    }
    assert_eq!(measure(&model, &held, &labels).unwrap()[0].at, 5);
    let asked: Vec<u32> = (cut..count).filter(|item| item % 5 != 4).collect();
    let sets: Vec<Vec<u32>> = asked.iter().map(|&item| vec![item]).collect();
    let told = model.probabilities(&sets).unwrap();
    let hits = asked.iter().zip(told.chunks(DIRECTIONS)).filter(|(item, told)| {
        let own = told[**item as usize % DIRECTIONS];
        told.iter().all(|&other| other <= own)
    });
    hits.count() as f64 / asked.len() as f64
}

#[test]
fn a_tuned_extractor_shows_what_a_frozen_one_does_not() {
    let (gallery, categories) = shop(600);
    let items: Vec<u32> = gallery.items().into_iter().filter(|&item| item < 450).collect();
    let mut tuner = Tuner::new(&settings(), categories.len(), None).unwrap();
    let frozen = Extractor { network: tuner.network.clone(), side: SIDE };
    let before = right(frozen.features(&gallery).unwrap(), &categories, 450, 600);
    let losses: Vec<f64> =
        (0..16).map(|_| tuner.pass(&gallery, &categories, &items).unwrap()).collect();
    let after = right(tuner.extractor().features(&gallery).unwrap(), &categories, 450, 600);
    assert!(losses[15] < 0.6 * losses[0], "{losses:?}");
    assert!(after > 0.7 && after > before + 0.25, "{before:.3} {after:.3} {losses:?}");
}

#[test]
fn deep_layers_stay_as_they_are_at_first_and_learn_then() {
    let (gallery, categories) = shop(40);
    let items = gallery.items();
    let mut tuner = Tuner::new(&settings(), categories.len(), None).unwrap();
    let deep =
        |tuner: &Tuner| tuner.network.state().unwrap()["layer.20.convolution.weight"].clone();
    let top = |tuner: &Tuner| tuner.network.state().unwrap()["layer.21.convolution.weight"].clone();
    let (first_deep, first_top) = (deep(&tuner), top(&tuner));
    tuner.pass(&gallery, &categories, &items).unwrap();
    tuner.pass(&gallery, &categories, &items).unwrap();
    assert!(deep(&tuner) == first_deep && top(&tuner) != first_top);
    tuner.pass(&gallery, &categories, &items).unwrap();
    assert!(deep(&tuner) != first_deep);
}

#[test]
fn a_run_that_was_stopped_goes_on_as_if_it_had_not_been_on_any_number_of_threads() {
    let (gallery, categories) = shop(50);
    let items = gallery.items();
    let start = || Tuner::new(&settings(), categories.len(), None).unwrap();
    // Before the deep layers learn, when they begin to, and after.
    for cut in [1, 2, 3] {
        let on = |threads: usize, cut: Option<u32>| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut tuner = start();
                for pass in 0..4 {
                    if cut == Some(pass) {
                        let state = tuner.state().unwrap();
                        tuner = start();
                        tuner.restore(&state).unwrap();
                    }
                    tuner.pass(&gallery, &categories, &items).unwrap();
                }
                tuner.state().unwrap()
            })
        };
        let whole = on(1, None);
        assert!(whole == on(1, Some(cut)), "stopped after {cut}");
        assert!(cut > 1 || whole == on(3, None));
    }
}

/// Kept and taken up again, it sees the same in a picture that is no item.
#[test]
fn pictures_that_are_no_items_are_seen_as_items_are() {
    let (gallery, categories) = shop(30);
    let mut tuner = Tuner::new(&settings(), categories.len(), None).unwrap();
    tuner.pass(&gallery, &categories, &gallery.items()).unwrap();
    let extractor = tuner.extractor();
    let again = Extractor::restored(&settings().tuning, &extractor.state()).unwrap();
    let planes = gallery.picture(2).unwrap();
    let picture = RgbImage::from_fn(SIDE as u32, SIDE as u32, |x, y| {
        let at = y as usize * SIDE + x as usize;
        image::Rgb([0, 1, 2].map(|channel| planes[channel * SIDE * SIDE + at]))
    });
    let looks = Looks { feature: None, picture: &|| Ok(Some(picture.clone())) };
    let seen = again.feature(&looks).unwrap().unwrap();
    assert_eq!(seen, extractor.seen(&gallery, &[2]).unwrap());
    assert_eq!(seen.len(), 128);
    assert!(Extractor::restored(&settings().tuning, &State::new()).is_err());
}
