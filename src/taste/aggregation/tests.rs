//! The networks against PyTorch (`tools/golden/aggregation.py`), gradients against finite differences, and what sets
//! must not depend on.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde_json::Value;

use super::*;
use crate::encode::image::seeded::{floats, parameter, places};
use crate::taste::model::Array;
use crate::taste::net::tests::slopes::{check, floats as values};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("fixtures/golden/train/aggregation.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Value) {
    let ours = values(ours);
    for (place, theirs) in places(ours.len()).zip(floats(theirs)) {
        let error = (ours[place] - theirs).abs() / (1.0 + theirs.abs());
        assert!(error < 2e-5, "{what} at {place}: {} where PyTorch has {theirs}", ours[place]);
    }
}

const LENGTHS: [usize; 3] = [5, 1, 7];

/// The golden features, of length one.
fn features() -> Tensor {
    let x = parameter("aggregation.features", &[13, 11]);
    let length = x.sqr().unwrap().sum_keepdim(1).unwrap().sqrt().unwrap();
    x.broadcast_div(&length).unwrap()
}

/// A network with the golden weights.
fn seeded(variant: Variant, case: &Value) -> Aggregator {
    let extent = Extent { features: 11, hidden: 13, categories: 9, dropout: 0.0 };
    let network = Aggregator::new(variant, extent, 1).unwrap();
    let shapes = case["shapes"].as_object().unwrap();
    assert_eq!(shapes.len(), network.parameters().iter().count());
    let array = |name: &String, shape: &Value| {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let values = values(&parameter(&format!("{}.{name}", variant.model()), &shape));
        (name.clone(), Array { shape, values })
    };
    network
        .parameters()
        .restore(&shapes.iter().map(|(name, shape)| array(name, shape)).collect())
        .unwrap();
    network
}

#[test]
fn networks_their_loss_gradients_and_a_step_are_pytorchs() {
    let golden = golden();
    for variant in Variant::ALL {
        let (name, case) = (variant.model(), &golden[variant.model()]);
        let network = seeded(variant, case);
        let mut adam = Adam::new(network.parameters().iter(), AdamSettings::default());
        let stretches = Stretches::of(LENGTHS);
        let pass = Pass::Train(&mut Chance::new(1, "none", 0));
        let logits = network.forward(&features(), &stretches, pass).unwrap();
        assert_close(&format!("{name}, logits"), &logits, &case["logits"]);
        let labels = parameter("aggregation.labels", &[3, 9]).gt(0.3).unwrap();
        let labels = labels.to_dtype(candle_core::DType::F32).unwrap();
        let loss = weighted_cross_entropy(&logits, &labels, 36.0).unwrap().mean_all().unwrap();
        let theirs = case["loss"].as_f64().unwrap();
        assert!((f64::from(loss.to_scalar::<f32>().unwrap()) / theirs - 1.0).abs() < 1e-5);
        let mut gradients = loss.backward().unwrap();
        for (parameter, var) in network.parameters().iter() {
            let ours = gradients.get(&var).unwrap();
            assert_close(&format!("{name}, {parameter}"), ours, &case["gradients"][&parameter]);
        }
        adam.step(&mut gradients).unwrap();
        for (parameter, var) in network.parameters().iter() {
            assert_close(&format!("{name}, {parameter} after"), &var, &case["after"][&parameter]);
        }
    }
}

#[test]
fn gradients_are_the_slopes_of_what_they_are_of() {
    let stretches = Stretches::of([4, 0, 1, 3]);
    check("attention", &[&[8, 5], &[4, 5]], 2e-3, |t| attend(&t[0], &t[1], &stretches));
    let labels = Tensor::new(&[[1f32, 0., 0.], [0., 1., 1.]], &Device::Cpu).unwrap();
    check("loss", &[&[2, 3]], 2e-3, |t| weighted_cross_entropy(&t[0], &labels, 36.0));
    // Through everything, down to the pictures: what fine-tuning a feature extractor needs.
    let extent = Extent { features: 4, hidden: 6, categories: 3, dropout: 0.0 };
    let network = Aggregator::new(Variant::Gated, extent, 1).unwrap();
    for (name, var) in network.parameters().iter() {
        let values = Chance::new(4, &name, 0).normals(var.elem_count(), 0.4);
        var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap()).unwrap();
    }
    let stretches = Stretches::of([3, 2]);
    check("pictures", &[&[5, 4]], 2e-3, |t| {
        let pass = Pass::Train(&mut Chance::new(1, "none", 0));
        network.forward(&t[0], &stretches, pass)
    });
}

#[test]
fn the_loss_of_sure_answers_is_finite_and_right() {
    let logits = Tensor::new(&[1000f32, -1000., 1000., -1000.], &Device::Cpu).unwrap();
    let labels = Tensor::new(&[1f32, 1., 0., 0.], &Device::Cpu).unwrap();
    let losses = weighted_cross_entropy(&logits, &labels, 36.0).unwrap();
    assert_eq!(values(&losses), [0.0, 36_000.0, 1000.0, 0.0]);
}

#[test]
fn a_set_is_told_alike_in_any_order_and_beside_any_other() {
    let golden = golden();
    let all = values(&features());
    let said = |network: &Aggregator, rows: &[usize], lengths: &[usize]| {
        let values: Vec<f32> = rows.iter().flat_map(|&r| &all[r * 11..][..11]).copied().collect();
        let rows = Tensor::from_vec(values, (rows.len(), 11), &Device::Cpu).unwrap();
        let stretches = Stretches::of(lengths.iter().copied());
        self::values(&network.forward(&rows, &stretches, Pass::Use).unwrap())
    };
    for variant in Variant::ALL {
        let network = seeded(variant, &golden[variant.model()]);
        let alone = said(&network, &[0, 1, 2], &[3]);
        let beside = said(&network, &[7, 8, 9, 10, 11, 0, 1, 2, 3], &[5, 3, 1]);
        let turned = said(&network, &[2, 0, 1], &[3]);
        // Up to rounding: a row by itself is added up in another order.
        for (a, b) in alone.iter().zip(&beside[9..18]).chain(alone.iter().zip(&turned)) {
            assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{variant:?}: {a} {b}");
        }
    }
}

/// Six users, five items, three categories.
fn small() -> (Arc<Features>, Categories, History) {
    let mut rows = Chance::new(8, "pictures", 0).normals(5 * 4, 1.0);
    for row in rows.chunks_mut(4) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    let of = History::new(5, 3, [(0, 0), (1, 1), (2, 2), (3, 0), (3, 1), (4, 2)]);
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    let pairs = [(0, 0), (0, 3), (1, 1), (2, 2), (2, 4), (3, 0), (3, 2), (4, 3), (5, 4), (5, 1)];
    (Arc::new(Features::new(rows, 4)), Categories::new(names, of), History::new(6, 5, pairs))
}

#[test]
fn a_run_that_was_interrupted_goes_on_as_if_it_had_not_been_on_any_number_of_threads() {
    let (features, categories, sets) = small();
    let settings = AggregationSettings { hidden: 8, batch: 2, most: 1, ..Default::default() };
    let labels = categories.of_sets(&sets);
    let start =
        || Aggregation::new(Arc::clone(&features), categories.len(), settings.clone()).unwrap();
    let on = |threads: usize, cut: bool| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = start();
            model.learn(&sets, &labels, 5, 0).unwrap();
            if cut {
                let state = model.state().unwrap();
                model = start();
                model.restore(&state).unwrap();
            }
            model.learn(&sets, &labels, 5, 1).unwrap();
            model.state().unwrap()
        })
    };
    let whole = on(1, false);
    assert_eq!(whole, on(1, true));
    assert_eq!(whole, on(3, false));
}

/// By hand: a model that says of everybody `a` first, then `b`, then `c`. User 1 has `b` alone: right at 1
/// of 5 places.
#[test]
fn what_is_named_is_counted_against_what_is_there() {
    let (features, categories, sets) = small();
    let settings = AggregationSettings { hidden: 2, ..Default::default() };
    let model = Aggregation::new(Arc::clone(&features), categories.len(), settings).unwrap();
    let mut state = model.network().parameters().state().unwrap();
    state.get_mut("output.weight").unwrap().values.fill(0.0);
    state.get_mut("output.bias").unwrap().values.copy_from_slice(&[1.0, 0.0, -1.0]);
    model.network().parameters().restore(&state).unwrap();
    let places = measure(&model, &sets, &categories.of_sets(&sets)).unwrap();
    // Sets: ab, b, c, ac, ab, bc. All are among the first five of three.
    assert_eq!((places[0].at, places[0].recall), (5, 1.0));
    let hits = [2.0, 1.0, 1.0, 2.0, 2.0, 2.0];
    let mean = |f: &dyn Fn(f64) -> f64| hits.iter().map(|&h| f(h)).sum::<f64>() / 6.0;
    assert!((places[0].precision - mean(&|h| h / 5.0)).abs() < 1e-12);
    assert!((places[2].f1 - mean(&|h| 2.0 * h / (15.0 + h))).abs() < 1e-12);
}

#[test]
fn three_curves_are_drawn_for_each_model() {
    let place = |at| Place { at, precision: 0.5, recall: 0.25, f1: 1.0 };
    let model = |name: &str| Curve { model: name.to_owned(), places: PLACES.map(place).to_vec() };
    let svg = curves(&[model("one"), model("<two>")]);
    assert_eq!(svg.matches("<polyline").count(), 6);
    // F1 of 1 at 5 categories: the top left of the third panel.
    assert!(svg.contains("\"640.0,30.0") && svg.contains("&lt;two"), "{svg}");
}
