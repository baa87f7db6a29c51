//! A learning MobileNet against PyTorch (`tools/golden/mobilenet_learning.py`), with most layers frozen and with none.

use std::path::Path;

use candle_core::Tensor;
use serde_json::Value;

use crate::encode::image::seeded::{floats, parameter, places};
use crate::taste::model::{Array, State};
use crate::taste::net::*;

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn assert_close(what: &str, ours: &[f32], theirs: &Value, tolerance: f32) {
    let theirs = floats(theirs);
    let size = theirs.iter().map(|x| x.abs()).fold(0.0, f32::max);
    for (place, theirs) in places(ours.len()).zip(theirs) {
        let error = (ours[place] - theirs).abs() / (1e-3 + size);
        assert!(error < tolerance, "{what} at {place}: {} where PyTorch has {theirs}", ours[place]);
    }
}

#[test]
fn what_it_learns_of_a_batch_is_pytorchs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/train/mobilenet.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for frozen in [22, 0] {
        let case = &golden[frozen.to_string()];
        let mut network = MobileNet::new(32, 1).unwrap();
        let drawn = network.shapes().map(|(name, shape)| {
            let values = values(&parameter(&name, &shape));
            (name, Array { shape, values })
        });
        let first: State = drawn.collect();
        network.restore(&first).unwrap();
        let pictures = (parameter("mobilenet.pictures", &[15 * 64, 64]) * 3.0).unwrap();
        let pictures = pictures.reshape((5, 3, 64, 64)).unwrap();
        let y = network.learn(&pictures, frozen).unwrap();
        assert_close("what comes out", &values(&y), &case["y"], 1e-4);
        let weights = parameter("mobilenet.dy", &[5, 32]);
        let mut adam = Adam::new(network.parameters(frozen), AdamSettings::default());
        let mut gradients = backward(&(y * weights).unwrap().sum_all().unwrap()).unwrap();
        let learned: Vec<_> = network.parameters(frozen).collect();
        assert_eq!(learned.len(), case["gradients"].as_object().unwrap().len());
        for (name, var) in &learned {
            let ours = values(gradients.get(var).unwrap());
            assert_close(name, &ours, &case["gradients"][name], 2e-3);
        }
        adam.step(&mut gradients).unwrap();
        let state = network.state().unwrap();
        for (name, array) in &state {
            match name.contains("running") {
                true => assert_close(name, &array.values, &case["running"][name], 1e-4),
                false if case["after"][name].is_null() => assert_eq!(array, &first[name]),
                false => assert_close(name, &array.values, &case["after"][name], 2e-3),
            }
        }
    }
}

#[test]
fn with_every_layer_frozen_it_learns_nothing_and_sees_the_same() {
    let mut network = MobileNet::new(16, 1).unwrap();
    let x = parameter("mobilenet.pictures", &[6 * 32, 32]).reshape((2, 3, 32, 32)).unwrap();
    let learned = values(&network.learn(&x, MobileNet::LAYERS).unwrap());
    assert_eq!(learned, values(&network.look(&x).unwrap()));
    assert!(learned.iter().any(|&x| x > 0.0));
    assert_eq!((network.parameters(MobileNet::LAYERS).count(), network.dimension()), (0, 64));
}
