//! Structural similarity against scikit-image (`tools/golden/ssim.py`); gradients against finite differences.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use serde_json::Value;

use super::*;
use crate::encode::image::seeded::{floats, parameter, places};
use crate::taste::chance::Chance;
use crate::taste::features::Features;
use crate::taste::gallery::Gallery;
use crate::taste::model::Array;
use crate::taste::net::tests::slopes::{check_from, floats as values, noise};
use crate::taste::net::{Adam, AdamSettings};

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/train").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn structural_similarity_and_its_gradient_are_scikit_images() {
    for (number, case) in golden("ssim.json").as_array().unwrap().iter().enumerate() {
        let size = |key: &str| case[key].as_u64().unwrap() as usize;
        let (rows, columns) = (size("rows"), size("columns"));
        let noise = case["noise"].as_f64().unwrap();
        let plane = |name: &str| {
            values(&parameter(&format!("ssim.{number}.{name}.weight"), &[rows * columns]))
        };
        let x: Vec<f64> = plane("x").iter().map(|&u| (f64::from(u) - 0.75) * 2.0).collect();
        let y: Vec<f32> = plane("y")
            .iter()
            .zip(&x)
            .map(|(&u, x)| (x + noise * (f64::from(u) - 1.0)) as f32)
            .collect();
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let picture = |values: Vec<f32>| {
            Tensor::from_vec(values, (1, 1, rows, columns), &Device::Cpu).unwrap()
        };
        let made = Var::from_tensor(&picture(y)).unwrap();
        let index = structure(&picture(x), made.as_tensor()).unwrap();
        let theirs = case["ssim"].as_f64().unwrap();
        assert!((f64::from(values(&index)[0]) - theirs).abs() < 1e-5, "{number}: {index}");
        let gradients = index.sum_all().unwrap().backward().unwrap();
        let all = values(gradients.get(&made).unwrap());
        let inner: Vec<f32> = (6..rows - 6)
            .flat_map(|row| all[row * columns + 6..(row + 1) * columns - 6].to_vec())
            .collect();
        for (place, theirs) in places(inner.len()).zip(floats(&case["gradient"])) {
            let error = (inner[place] - theirs).abs();
            assert!(error < 2e-7 + 1e-3 * theirs.abs(), "{number}: {} {theirs}", inner[place]);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_what_they_are_of() {
    // Three questions about two maps, the second of which is asked twice.
    let parts =
        [("maps", vec![2, 3, 7]), ("questions", vec![3, 4]), ("keys", vec![4, 3]), ("w", vec![4])];
    let parts = parts.map(|(name, shape)| noise(&shape, name));
    check_from("look", &parts, 0, 5e-3, |t| {
        let [found, counted] = look(&t[0], &t[1], (&t[2], &t[3]), vec![1, 0, 1]).unwrap();
        Tensor::cat(&[found, counted], 1)
    });
    let pictures = [noise(&[2, 3, 9, 11], "true"), noise(&[2, 3, 9, 11], "made")];
    check_from("structure", &pictures, 1, 2e-3, |t| structure(&t[0], &t[1]));
}

/// By hand: one unit, keys 0 and atanh(1/2), no question: worth 0 and 3/2, so that the second counts e^1.5 times as much.
#[test]
fn a_pixel_is_worth_what_its_key_says() {
    let one =
        |values: &[f32], shape: &[usize]| Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
    let map = one(&[0.0, 0.549_306_1], &[1, 1, 2]);
    let how = (&one(&[1.0], &[1, 1]), &one(&[3.0], &[1]));
    let [found, counted] = look(&map, &one(&[0.0], &[1, 1]), how, vec![0]).unwrap();
    let second = 1.5f32.exp() / (1.0 + 1.5f32.exp());
    let (found, counted) = (values(&found), values(&counted));
    assert!((counted[1] - second).abs() < 1e-6 && (counted[0] + second - 1.0).abs() < 1e-6);
    assert!((found[0] - second * 0.549_306_1).abs() < 1e-6, "{found:?}");
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Value) {
    let ours = values(ours);
    for (place, theirs) in places(ours.len()).zip(floats(theirs)) {
        let error = (ours[place] - theirs).abs() / (1.0 + theirs.abs());
        assert!(error < 2e-5, "{what} at {place}: {} where PyTorch has {theirs}", ours[place]);
    }
}

/// The networks with the golden weights.
fn seeded(golden: &Value) -> RatingNetwork {
    let network = RatingNetwork::new(Sizes { review: 20, ..Sizes::default() }, 1).unwrap();
    let shapes = golden["shapes"].as_object().unwrap();
    assert_eq!(shapes.len(), network.parameters().iter().count());
    let array = |name: &String, shape: &Value| {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let half = if shape.len() > 1 { 0.5 } else { 1.0 };
        let drawn = values(&parameter(&format!("rating.{name}"), &shape));
        (name.clone(), Array { shape, values: drawn.iter().map(|x| half * x).collect() })
    };
    network
        .parameters()
        .restore(&shapes.iter().map(|(n, shape)| array(n, shape)).collect())
        .unwrap();
    network
}

/// The golden pictures, from 0 to 1.
fn pictures() -> Tensor {
    let drawn = values(&parameter("rating.pictures.weight", &[3 * 3 * 40 * 40]));
    let pixels = drawn.iter().map(|u| (u - 0.75) * 2.0).collect();
    Tensor::from_vec(pixels, (3, 3, 40, 40), &Device::Cpu).unwrap()
}

fn assert_phase(network: &RatingNetwork, case: &Value, loss: &Tensor, pairs: Option<&Var>) {
    let theirs = case["loss"].as_f64().unwrap();
    let ours = f64::from(loss.to_scalar::<f32>().unwrap());
    assert!((ours / theirs - 1.0).abs() < 1e-5, "{ours} {theirs}");
    let learned: Vec<(String, Var)> = network.of_phase(pairs.is_none()).collect();
    assert_eq!(learned.len(), case["after"].as_object().unwrap().len());
    let mut adam = Adam::new(learned.clone(), AdamSettings::default());
    let mut gradients = loss.backward().unwrap();
    if let Some(pairs) = pairs {
        assert_close("pairs", gradients.get(pairs).unwrap(), &case["gradients"]["pairs"]);
    }
    for (name, var) in &learned {
        assert_close(name, gradients.get(var).unwrap(), &case["gradients"][name]);
    }
    adam.step(&mut gradients).unwrap();
    for (name, var) in &learned {
        assert_close(&format!("{name} after"), var, &case["after"][name]);
    }
}

#[test]
fn both_phases_their_losses_gradients_and_steps_are_pytorchs() {
    let golden = golden("rating.json");
    let (network, case) = (seeded(&golden), &golden["pictures"]);
    let [_, map] = network.encode(&pictures(), true).unwrap();
    let made = network.decode(&map, true).unwrap();
    assert_close("made", &made, &case["results"]["made"]);
    let kept = structure(&pictures(), &made).unwrap().mean_all().unwrap();
    let error = (&made - pictures()).unwrap().sqr().unwrap().mean_all().unwrap();
    assert_phase(&network, case, &((1.0 - kept).unwrap() + error).unwrap(), None);

    let (network, case) = (seeded(&golden), &golden["ratings"]);
    let pairs = Var::from_tensor(&parameter("rating.pairs", &[3, 32])).unwrap();
    let maps = network.encode(&pictures(), true).unwrap();
    let judged =
        network.judge(&pairs, Sight::Maps { maps: &maps, places: &[0, 1, 2] }, true).unwrap();
    let review = network.review(&judged.last, true).unwrap();
    let [near, far] = judged.attention.as_ref().unwrap();
    for (name, ours) in [
        ("ratings", &judged.ratings(&[]).unwrap()),
        ("near", near),
        ("far", far),
        ("review", &review),
    ] {
        assert_close(name, ours, &case["results"][name]);
    }
    let truth = Tensor::new(&[-1f32, 0.5, 1.0], &Device::Cpu).unwrap();
    let error = (judged.ratings(&[]).unwrap() - truth).unwrap().sqr().unwrap().mean_all().unwrap();
    let vectors = parameter("rating.vectors", &[3, 20]);
    let apart = (review - vectors).unwrap().sqr().unwrap().mean_all().unwrap();
    let loss = (error + (apart * 0.5).unwrap()).unwrap();
    assert_phase(&network, case, &loss, Some(&pairs));
}

/// Twelve plain pictures of two shades, and 30 users half of whom like the light ones: the picture says all.
fn shades() -> (Arc<Gallery>, Ratings) {
    let shade = |item: usize| if item.is_multiple_of(2) { 220u8 } else { 30 };
    let pictures = (0..12).map(|item| Some(vec![shade(item) + item as u8; 3 * 40 * 40])).collect();
    let mut all = Vec::new();
    for user in 0..30u32 {
        for item in 0..12u32 {
            if (user * 7 + item * 5) % 3 != 0 {
                let likes = (user < 15) == item.is_multiple_of(2);
                let value = if likes { 0.8 } else { -0.8 };
                all.push(Rated { user, item, value, review: None });
            }
        }
    }
    let stars = Stars { least: 1.0, most: 5.0 };
    let ratings = Ratings { users: 30, items: 12, all, stars, reviews: Vec::new() };
    (Arc::new(Gallery::new(SIDE, pictures)), ratings)
}

#[test]
fn what_only_the_pictures_tell_is_learned_and_biases_cannot() {
    let (gallery, ratings) = shades();
    let (known, held) = ratings.divide(0.2, 1);
    assert_eq!(held.len(), ratings.all.len() / 5);
    let settings =
        RatingSettings { rate: 3e-3, rate_tables: 1e-2, batch: 32, ..Default::default() };
    let mut model = Rating::new(30, gallery, None, settings).unwrap();
    let pairs: Vec<(u32, u32)> = held.iter().map(|rated| (rated.user, rated.item)).collect();
    for epoch in 0..15 {
        model.learn(&known, 1, epoch).unwrap();
    }
    let ours = mean_squared_error(&held, &model.judge(&pairs).unwrap().0);
    let biases = Biases::of(&ratings, &known);
    let theirs: Vec<f32> = pairs.iter().map(|&(u, i)| biases.tell(Some(u), Some(i))).collect();
    let theirs = mean_squared_error(&held, &theirs);
    assert!(ours < 0.1 && theirs > 0.5, "{ours} {theirs}");
}

/// Before it has learned anything, a model on a ground tells what the ground does, to the last bit.
#[test]
fn a_model_begins_on_its_ground() {
    let (gallery, ratings) = shades();
    let training = RatingTraining { epochs: 0, patience: 1, seed: 1 };
    let settings = RatingSettings::default();
    let model = training.start(30, &ratings.all, gallery, None, settings).unwrap();
    let ground = model.ground().unwrap();
    let pairs: Vec<(u32, u32)> = (0..30).map(|n| (n, n * 5 % 12)).collect();
    let told: Vec<f32> = pairs.iter().map(|&(u, i)| ground.tell(u, i).tanh()).collect();
    assert_eq!(model.judge(&pairs).unwrap().0, told);
}

/// Users and items of four tastes each, a few noisy ratings, and reviews that tell both tastes: with them the held-out
/// ratings are told better than without.
#[test]
fn what_reviews_tell_is_learned_and_makes_ratings_truer() {
    let (users, items) = (120u32, 60u32);
    let taste = |name, n: u32| Chance::new(7, name, u64::from(n)).normals(4, 0.5);
    let (mut rated, mut vectors) = (Vec::new(), Vec::new());
    for user in 0..users {
        let mut chance = Chance::new(7, "rates", u64::from(user));
        for _ in 0..8 {
            let item = chance.below(items as usize) as u32;
            let (p, q) = (taste("user", user), taste("item", item));
            let value: f32 = p.iter().zip(&q).map(|(p, q)| p * q).sum();
            let value = (value + chance.normals(1, 0.3)[0]).clamp(-1.0, 1.0);
            rated.push(Rated { user, item, value, review: Some(rated.len() as u32) });
            let products = p.iter().zip(&q).map(|(p, q)| 2.0 * p * q);
            let row: Vec<f32> = p.iter().chain(&q).copied().chain(products).collect();
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            vectors.extend(row.iter().map(|x| x / length));
        }
    }
    let stars = Stars { least: 1.0, most: 5.0 };
    let (users, items) = (users as usize, items as usize);
    let ratings = Ratings { users, items, all: rated, stars, reviews: Vec::new() };
    let reviews = Arc::new(Features::new(vectors, 12));
    let gallery = Arc::new(Gallery::new(SIDE, vec![None; items]));
    let mut gain = 0.0;
    for seed in 1..=3 {
        let parts = ratings.parts(0.15, seed);
        let error = |told: bool| {
            let settings = RatingSettings {
                pictures: false,
                reviews: told,
                batch: 64,
                rate: 3e-3,
                rate_tables: 1e-2,
                ..Default::default()
            };
            let training = RatingTraining { epochs: 40, patience: 40, seed };
            let known = (parts.known.as_slice(), parts.validation.as_slice());
            let (gallery, reviews) = (Arc::clone(&gallery), Some(Arc::clone(&reviews)));
            let run = training.run(users, known, gallery, reviews, settings, &mut |_| ());
            run.unwrap().error(&parts.test).unwrap()
        };
        let (without, with) = (error(false), error(true));
        println!("seed {seed}: {without:.4} without reviews, {with:.4} with");
        gain += 1.0 - with / without;
    }
    assert!(gain / 3.0 > 0.1, "{gain}");
}

/// What is kept of pictures are numbers of half the length: ratings by them are those by the pictures within a hundredth
/// of a star.
#[test]
fn ratings_by_what_is_kept_of_pictures_are_those_by_the_pictures() {
    let (gallery, ratings) = shades();
    let mut model = Rating::new(30, gallery, None, RatingSettings::default()).unwrap();
    model.learn(&ratings.all, 1, 0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.looks");
    looks::write(&path, &model).unwrap();
    let values = model.network().look_values();
    let kept = looks::Looks::open(&path, 12, values).unwrap();
    let pairs: Vec<(u32, u32)> = (0..30).map(|n| (n, n * 5 % 12)).collect();
    let (by_kept, [near, far]) = model.judge_kept(&pairs, &kept).unwrap();
    let (by_pictures, attention) = model.judge(&pairs).unwrap();
    for (kept, seen) in [(&by_kept, &by_pictures), (&near, &attention[0]), (&far, &attention[1])] {
        assert_eq!(kept.len(), seen.len());
        let error = kept.iter().zip(seen).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 5e-3, "{error}");
    }
    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 7, 15, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(looks::Looks::open(&path, 12, values).is_err(), "{cut}");
    }
    assert!(looks::Looks::open(&folder.path().join("none"), 12, values).is_err());
}

/// By hand: of two ratings a user has one is held out at most, and of one none; no part has another's.
#[test]
fn whoever_is_judged_has_something_to_be_known_by() {
    let rated = |user, item| Rated { user, item, value: 0.0, review: None };
    let all: Vec<Rated> = (0..40).flat_map(|u| (0..=u % 4).map(move |i| rated(u, i))).collect();
    let stars = Stars { least: 1.0, most: 5.0 };
    let ratings = Ratings { users: 40, items: 4, all, stars, reviews: Vec::new() };
    let parts = ratings.parts(0.3, 1);
    assert_eq!((parts.known.len(), parts.validation.len(), parts.test.len()), (49, 21, 30));
    for held in parts.validation.iter().chain(&parts.test) {
        assert!(parts.known.iter().any(|known| known.user == held.user));
        assert!(!parts.known.contains(held));
    }
    assert!(parts.test.iter().all(|held| !parts.validation.contains(held)));
    assert_eq!(parts, ratings.parts(0.3, 1));
    assert_ne!(parts, ratings.parts(0.3, 2));
}

#[test]
fn a_run_that_was_interrupted_goes_on_as_if_it_had_not_been_on_any_number_of_threads() {
    let (gallery, ratings) = shades();
    let settings = RatingSettings { batch: 100, ..Default::default() };
    let start = || Rating::new(30, Arc::clone(&gallery), None, settings.clone()).unwrap();
    let on = |threads: usize, cut: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = start();
            model.learn(&ratings.all, 5, 0).unwrap();
            if cut {
                let state = model.state().unwrap();
                model = start();
                model.restore(&state).unwrap();
            }
            model.learn(&ratings.all, 5, 1).unwrap();
            model.state().unwrap()
        })
    };
    let whole = on(1, false);
    assert_eq!(whole, on(1, true));
    assert_eq!(whole, on(3, false));
}

/// By hand: values 1, 0 and -1 around a mean of 0, damped by ten.
#[test]
fn biases_are_damped_means_and_strangers_have_none() {
    let rated = |user, item, value| Rated { user, item, value, review: None };
    let all = vec![rated(0, 0, 1.0), rated(0, 1, 0.0), rated(1, 1, -1.0)];
    let stars = Stars { least: 1.0, most: 5.0 };
    let ratings = Ratings { users: 3, items: 3, all, stars, reviews: Vec::new() };
    let biases = Biases::of(&ratings, &ratings.all);
    assert_eq!(biases.mean, 0.0);
    let items = [1.0 / 11.0, -1.0 / 12.0, 0.0];
    let first = (1.0 - items[0] + 0.0 - items[1]) / 12.0;
    for (ours, theirs) in biases.items.iter().zip(items) {
        assert!((ours - theirs).abs() < 1e-6);
    }
    assert!((biases.users[0] - first).abs() < 1e-6 && biases.users[2] == 0.0);
    assert_eq!(biases.tell(None, Some(0)), biases.items[0]);
    assert_eq!(biases.tell(None, None), 0.0);
    assert!((mean_squared_error(&ratings.all, &[1.0, 1.0, 1.0]) - 5.0 / 3.0).abs() < 1e-12);
    assert_eq!((stars.to_value(4.0), stars.of_value(0.5)), (0.5, 4.0));
}

/// By hand: of four pixels of attention the last counts most, and its corner of the picture is the reddest.
#[test]
fn attention_is_drawn_where_it_was_and_pictures_stand_above_what_was_made_of_them() {
    let grey = vec![0.5; 3 * SIDE * SIDE];
    let drawn = overlaid(&grey, &[0.1, 0.1, 0.1, 0.7]);
    let (near, far) = (drawn.get_pixel(0, 0).0, drawn.get_pixel(239, 239).0);
    assert_eq!((drawn.width(), drawn.height()), (240, 240));
    assert!(near[0] == near[2] && far[0] > 150 && far[2] < 40, "{near:?} {far:?}");
    let black = vec![0.0; 2 * 3 * SIDE * SIDE];
    let white = vec![1.0; 2 * 3 * SIDE * SIDE];
    let sheet = side_by_side(&black, &white, 8);
    assert_eq!((sheet.width(), sheet.height()), (2 * 124 + 4, 2 * 120 + 12));
    assert_eq!((sheet.get_pixel(60, 60).0, sheet.get_pixel(60, 190).0), ([0; 3], [255; 3]));
}

#[test]
fn a_course_is_drawn_without_what_there_was_none_of() {
    let epoch = |epoch, mse| RatingEpoch {
        epoch,
        losses: Losses { structure: 0.5, pixels: 0.1, rating: 0.4, review: 0.0 },
        mse,
        seconds: 0.0,
    };
    let svg = course(&[epoch(0, 0.8), epoch(1, 0.4)]);
    assert_eq!(svg.matches("<polyline").count(), 4);
    assert!(svg.contains("40.0,30.0 600.0,130.0") && !svg.contains("reviews"), "{svg}");
}
