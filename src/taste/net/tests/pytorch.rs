//! PyTorch's results, gradients and optimiser steps on the same numbers (`tools/golden/train.py`).

use std::path::Path;

use candle_core::{Tensor, Var};
use serde_json::Value;

use crate::encode::image::seeded::{floats, parameter, places};
use crate::encode::image::{Geometry, Padding};
use crate::taste::adam::{Adam as LazyAdam, Table};
use crate::taste::net::*;

/// A file of `fixtures/golden/train`.
fn golden(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/train");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn shape(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn number(case: &Value, key: &str) -> usize {
    case[key].as_u64().unwrap() as usize
}

fn assert_close(what: &str, ours: &Tensor, theirs: &Value) {
    let ours = values(ours);
    for (place, theirs) in places(ours.len()).zip(floats(theirs)) {
        let error = (ours[place] - theirs).abs() / (1.0 + theirs.abs());
        assert!(error < 2e-5, "{what} at {place}: {} where PyTorch has {theirs}", ours[place]);
    }
}

fn apply(case: &Value, t: &[Tensor]) -> candle_core::Result<Tensor> {
    let activation = match case["relu"].as_bool() {
        Some(true) => Activation::Relu,
        _ => Activation::None,
    };
    let geometry = || Geometry {
        kernel: number(case, "kernel"),
        stride: number(case, "stride"),
        padding: case["padding"]
            .as_u64()
            .map_or(Padding::Same, |zeros| Padding::Each(zeros as usize)),
    };
    match case["op"].as_str().unwrap() {
        "conv" => conv2d(&t[0], &t[1], &t[2], geometry(), activation),
        "transposed" => {
            conv_transpose2d(&t[0], &t[1], &t[2], geometry(), number(case, "beyond"), activation)
        }
        "dense" => dense(&t[0], &t[1], &t[2], activation),
        "pool" => {
            let pooling = if case["max"] == true { Pooling::Max } else { Pooling::Mean };
            let windows = match number(case, "even") {
                0 => Windows::Sliding(geometry()),
                count => Windows::Even(count),
            };
            pool2d(&t[0], pooling, windows)
        }
        "batch-norm" => batch_norm(&t[0], &t[1], &t[2], 1e-5).map(|(y, _)| y),
        "layer-norm" => layer_norm(&t[0], &t[1], &t[2], 1e-5),
        "softmax" => softmax(&t[0]),
        "log-sigmoid" => log_sigmoid(&t[0]),
        other => panic!("unknown operation {other}"),
    }
}

#[test]
fn operations_and_gradients_are_pytorchs() {
    let golden = golden("operations.json");
    for (n, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let what = format!("case {n}, {}", case["op"]);
        let shapes = case["shapes"].as_array().unwrap().iter().map(shape);
        let vars: Vec<Var> = ["x", "weight", "bias"]
            .iter()
            .zip(shapes)
            .map(|(name, shape): (_, Vec<usize>)| {
                Var::from_tensor(&parameter(&format!("{n}.{name}"), &shape)).unwrap()
            })
            .collect();
        let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        let y = apply(case, &tensors).unwrap();
        assert_eq!(y.dims(), shape(&case["shape"]), "{what}");
        assert_close(&what, &y, &case["y"]);
        let dy = parameter(&format!("{n}.dy"), y.dims());
        let gradients = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
        for (input, (var, theirs)) in
            vars.iter().zip(case["gradients"].as_array().unwrap()).enumerate()
        {
            let ours = gradients.get(var).unwrap();
            assert_close(&format!("{what}, gradient {input}"), ours, theirs);
        }
    }
}

#[test]
fn optimisers_step_as_pytorchs_do() {
    let golden = golden("operations.json");
    let theta = parameter("theta.weight", &[6, 4]);
    let close = |what: &str, step: usize, ours: &[f32]| {
        let theirs = floats(&golden["optimisers"][what][step]);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 1e-6, "{what}, step {step}: {ours} for {theirs}");
        }
    };
    let gradient = |step: usize| parameter(&format!("gradient.{step}"), &[6, 4]);
    for (what, decay) in
        [("adam", Decay::None), ("penalty", Decay::Penalty(0.1)), ("shrink", Decay::Shrink(0.1))]
    {
        let settings = AdamSettings { rate: 0.01, decay, ..AdamSettings::default() };
        let var = Var::from_tensor(&theta).unwrap();
        let mut adam = Adam::new([("theta".to_owned(), var.clone())], settings);
        for step in 0..5 {
            // A loss whose gradient is the drawn one.
            let loss = (var.as_tensor() * gradient(step)).unwrap().sum_all().unwrap();
            adam.step(&mut loss.backward().unwrap()).unwrap();
            close(what, step, &var.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            // An optimiser that was put away and taken up again goes on as if it never had been.
            let mut other = Adam::new([("theta".to_owned(), var.clone())], settings);
            other.restore(adam.steps(), &adam.state()).unwrap();
            adam = other;
        }
    }
    // Rows that a step touches, some of them twice: SparseAdam.
    let mut table = Table::new(4, values(&theta), 6);
    let mut adam = LazyAdam::new(0.01);
    for step in 0..5 {
        let row = step as u32 % 6;
        for (row, found) in [row, 2, row].into_iter().zip(values(&gradient(step)).chunks(4)) {
            let (_, gradient) = table.touch(row);
            gradient.iter_mut().zip(found).for_each(|(sum, found)| *sum += found);
        }
        let step_size = adam.step();
        table.descend(step_size);
        close("sparse", step, table.values());
    }
}

/// A thin network, whose first weights the golden file's script draws as we do here.
fn drawn(name: &str, parameters: &[(String, Var)]) {
    for (parameter_name, var) in parameters {
        let values = parameter(&format!("{name}.{parameter_name}"), var.dims());
        // As in the script.
        let flat = var.rank() == 2;
        let values = if flat { ((values - 1.0).unwrap() * 0.2).unwrap() } else { values };
        var.set(&values).unwrap();
    }
}

#[test]
fn networks_gradients_and_a_step_are_pytorchs() {
    let golden = golden("networks.json");
    let thin = |side| Shape { side, thin: 16, dimension: 5, dropout: 0.0 };
    for name in ["cnn-f", "alexnet", "autoencoder"] {
        let theirs = &golden[name];
        let x = parameter(&format!("{name}.x"), &shape(&theirs["shape"]));
        let chance = &mut crate::taste::Chance::new(1, "none", 0);
        let (parameters, y): (Vec<_>, _) = match name {
            "autoencoder" => {
                let network = Autoencoder::new(16, 1).unwrap();
                let parameters: Vec<_> = network.parameters().collect();
                drawn(name, &parameters);
                let y = network.both(&x, chance).unwrap();
                let again = network.reconstruct(&x).unwrap();
                assert_eq!(values(&again), values(&y));
                (parameters, y)
            }
            _ => {
                let network =
                    if name == "cnn-f" { cnn_f(thin(40), 1) } else { alexnet(thin(80), 1) };
                let network = network.unwrap();
                let parameters: Vec<_> = network.parameters().collect();
                drawn(name, &parameters);
                let y = network.forward(&x, Pass::Train(chance)).unwrap();
                assert_eq!(values(&network.forward(&x, Pass::Use).unwrap()), values(&y));
                (parameters, y)
            }
        };
        assert_close(name, &y, &theirs["y"]);
        let loss = (y - 1.0).unwrap().sqr().unwrap().mean_all().unwrap();
        let mut gradients = backward(&loss).unwrap();
        let candles = loss.backward().unwrap();
        for (parameter, var) in &parameters {
            assert_eq!(values(gradients.get(var).unwrap()), values(candles.get(var).unwrap()));
            let what = format!("{name}, gradient of {parameter}");
            assert_close(&what, gradients.get(var).unwrap(), &theirs["gradients"][parameter]);
        }
        let settings = AdamSettings { rate: 1e-3, ..AdamSettings::default() };
        Adam::new(parameters.clone(), settings).step(&mut gradients).unwrap();
        for (parameter, var) in &parameters {
            let what = format!("{name}, {parameter} after a step");
            assert_close(&what, var.as_tensor(), &theirs["after"][parameter]);
        }
    }
}
