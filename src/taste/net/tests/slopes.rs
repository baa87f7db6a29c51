//! Central finite differences, against which `backward` is held.

use candle_core::{Device, Result, Tensor, Var};

use crate::taste::chance::Chance;

/// Values from -1 to 1.
pub fn noise(shape: &[usize], name: &str) -> Tensor {
    let mut chance = Chance::new(1, name, 0);
    let values = (0..shape.iter().product::<usize>()).map(|_| 2.0 * chance.unit() - 1.0);
    Tensor::from_iter(values, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

pub fn floats(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Compares `backward` with `(f(x + h) - f(x - h)) / 2h` at some places of each input, all of noise.
pub fn check(what: &str, shapes: &[&[usize]], h: f32, f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let starts = shapes.iter().enumerate().map(|(n, shape)| noise(shape, &format!("{what}{n}")));
    check_from(what, &starts.collect::<Vec<_>>(), 0, h, f);
}

/// The same of other inputs, from the `first` on.
pub fn check_from(
    what: &str,
    starts: &[Tensor],
    first: usize,
    h: f32,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let vars: Vec<Var> = starts.iter().map(|start| Var::from_tensor(start).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = f(&tensors).unwrap();
    let weights = noise(y.dims(), what);
    let gradients = (&y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let weights = floats(&weights);
    for (input, (var, start)) in vars.iter().zip(starts).enumerate().skip(first) {
        let gradient = floats(gradients.get(var).unwrap());
        let start = floats(start);
        let mut chance = Chance::new(2, what, input as u64);
        for _ in 0..60.min(2 * start.len()) {
            let place = chance.below(start.len());
            let at = |step: f32| {
                let mut moved = start.clone();
                moved[place] += step;
                let mut tensors: Vec<Tensor> = tensors.iter().map(Tensor::detach).collect();
                tensors[input] = Tensor::from_vec(moved, var.shape(), &Device::Cpu).unwrap();
                floats(&f(&tensors).unwrap())
            };
            let changes = at(h).into_iter().zip(at(-h)).zip(&weights);
            let change: f64 = changes
                .map(|((up, down), weight)| (f64::from(up) - f64::from(down)) * f64::from(*weight))
                .sum();
            let slope = change / (2.0 * f64::from(h));
            let ours = f64::from(gradient[place]);
            let error = (ours - slope).abs() / (1.0 + slope.abs());
            assert!(
                error < 3e-3,
                "{what}, input {input} at {place}: {ours} where {slope} is right"
            );
        }
    }
}
