//! Structural similarity against scikit-image (`tools/golden/ssim.py`); gradients against finite differences.

use std::path::Path;

use candle_core::{Device, Tensor, Var};
use serde_json::Value;

use super::*;
use crate::encode::image::seeded::{floats, parameter, places};
use crate::taste::chance::Chance;

fn golden(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/train").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
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

/// `(f(x + h) - f(x - h)) / 2h` of the sum of what comes out, weighed, against `backward`; for the inputs
/// from `first` on.
fn check(what: &str, starts: Vec<Tensor>, first: usize, h: f32, f: impl Fn(&[Tensor]) -> Tensor) {
    let vars: Vec<Var> = starts.iter().map(|start| Var::from_tensor(start).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = f(&tensors);
    let weights = noise(y.dims(), what);
    let gradients = (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    for (input, var) in vars.iter().enumerate().skip(first) {
        let gradient = values(gradients.get(var).unwrap());
        let mut chance = Chance::new(2, what, input as u64);
        for _ in 0..60 {
            let place = chance.below(gradient.len());
            let at = |step: f32| {
                let mut moved = values(&starts[input]);
                moved[place] += step;
                let mut inputs = starts.clone();
                inputs[input] = Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap();
                let y = values(&f(&inputs));
                let all = y.iter().zip(values(&weights));
                all.map(|(y, w)| f64::from(*y) * f64::from(w)).sum::<f64>()
            };
            let slope = (at(h) - at(-h)) / (2.0 * f64::from(h));
            let error = (f64::from(gradient[place]) - slope).abs() / (1.0 + slope.abs());
            assert!(error < 2e-3, "{what}, input {input} at {place}: {} {slope}", gradient[place]);
        }
    }
}

fn noise(shape: &[usize], name: &str) -> Tensor {
    let values = Chance::new(3, name, 0).normals(shape.iter().product(), 0.5);
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

#[test]
fn gradients_are_the_slopes_of_what_they_are_of() {
    let maps = [noise(&[3, 4, 6], "keys"), noise(&[3, 4], "questions"), noise(&[4], "w")];
    check("worth", maps.to_vec(), 0, 5e-3, |t| worth(&t[0], &t[1], &t[2]).unwrap());
    let maps = [noise(&[3, 4, 6], "map"), noise(&[3, 6], "weights")];
    check("gather", maps.to_vec(), 0, 5e-3, |t| gather(&t[0], &t[1]).unwrap());
    let pictures = [noise(&[2, 3, 9, 11], "true"), noise(&[2, 3, 9, 11], "made")];
    check("structure", pictures.to_vec(), 1, 2e-3, |t| structure(&t[0], &t[1]).unwrap());
}

/// By hand: one unit, keys 0 and atanh(1/2), no question: worth 0 and w/2.
#[test]
fn a_pixel_is_worth_what_its_key_says() {
    let keys = Tensor::new(&[[[0f32, 0.549_306_1]]], &Device::Cpu).unwrap();
    let question = Tensor::new(&[[0f32]], &Device::Cpu).unwrap();
    let w = Tensor::new(&[3f32], &Device::Cpu).unwrap();
    let e = values(&worth(&keys, &question, &w).unwrap());
    assert!(e[0].abs() < 1e-6 && (e[1] - 1.5).abs() < 1e-5, "{e:?}");
}
