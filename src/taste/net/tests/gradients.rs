//! Central finite differences, for every operation and every input, on odd shapes.
//!
//! Convolutions, products and means are linear in each input, so a large step costs no exactness and
//! hides the rounding of `f32`; elsewhere the step is small.

use candle_core::{Device, Result, Tensor, Var};

use super::slopes::{check, floats, noise};
use crate::encode::image::{Geometry, Padding};
use crate::taste::chance::Chance;
use crate::taste::net::*;

/// An operation of pictures as it is, of a transposed view of them, and used twice in one graph.
fn check_on_pictures(
    what: &str,
    shapes: &[&[usize]],
    h: f32,
    f: impl Fn(&Tensor, &[Tensor]) -> Result<Tensor>,
) {
    check(what, shapes, h, |t| f(&t[0], &t[1..]));
    check(what, shapes, h, |t| f(&t[0].transpose(2, 3)?, &t[1..]));
    check(what, shapes, h, |t| f(&t[0], &t[1..])? + f(&(&t[0] * 0.5)?, &t[1..])?);
}

/// Fused or not, a ReLU is the same to the bit. Candle's own has the right gradient.
fn check_relu(shapes: &[&[usize]], f: impl Fn(&[Tensor], Activation) -> Result<Tensor>) {
    let vars: Vec<Var> =
        shapes.iter().map(|shape| Var::from_tensor(&noise(shape, "relu")).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let [fused, apart] = [Activation::Relu, Activation::None].map(|activation| {
        let y = f(&tensors, activation).unwrap();
        let y = if activation == Activation::None { y.relu().unwrap() } else { y };
        let loss = (&y * noise(y.dims(), "dy")).unwrap().sum_all().unwrap();
        let gradients = loss.backward().unwrap();
        let gradients: Vec<Vec<f32>> =
            vars.iter().map(|var| floats(gradients.get(var).unwrap())).collect();
        (floats(&y), gradients)
    });
    assert_eq!(fused, apart, "{shapes:?}");
}

const GEOMETRIES: [(usize, usize, Padding); 7] = [
    (3, 1, Padding::Each(1)),
    (1, 1, Padding::Each(0)),
    (2, 3, Padding::Each(0)),
    (5, 2, Padding::Each(2)),
    (4, 3, Padding::Each(1)),
    (3, 2, Padding::Same),
    (11, 4, Padding::Same),
];

#[test]
fn convolution() {
    for (kernel, stride, padding) in GEOMETRIES {
        let geometry = Geometry { kernel, stride, padding };
        let what = format!("convolution {geometry:?}");
        let shapes: [&[usize]; 3] = [&[3, 2, 13, 10], &[5, 2, kernel, kernel], &[5]];
        check_on_pictures(&what, &shapes, 0.5, |x, t| {
            conv2d(x, &t[0], &t[1], geometry, Activation::None)
        });
        check_relu(&shapes, |t, relu| conv2d(&t[0], &t[1], &t[2], geometry, relu));
    }
}

#[test]
fn depthwise_convolution() {
    for (kernel, stride, padding) in GEOMETRIES {
        let geometry = Geometry { kernel, stride, padding };
        let what = format!("depthwise {geometry:?}");
        let shapes: [&[usize]; 3] = [&[3, 2, 13, 10], &[2, 1, kernel, kernel], &[2]];
        check_on_pictures(&what, &shapes, 0.5, |x, t| {
            depthwise2d(x, &t[0], &t[1], geometry, Activation::None)
        });
        check_relu(&shapes, |t, relu| depthwise2d(&t[0], &t[1], &t[2], geometry, relu));
    }
}

/// By itself it is what it is in one with the sums; beyond its bounds nothing passes.
#[test]
fn activations_by_themselves() {
    let x = Var::new(&[-1f32, 0.5, 5.0, 7.0], &Device::Cpu).unwrap();
    let y = activate(&x, Activation::Relu6).unwrap();
    assert_eq!(floats(&y), [0.0, 0.5, 5.0, 6.0]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(floats(gradients.get(&x).unwrap()), [0.0, 1.0, 1.0, 0.0]);
    for (name, then) in
        [("selu", Activation::Selu), ("tanh", Activation::Tanh), ("sigmoid", Activation::Sigmoid)]
    {
        check(name, &[&[5, 7]], 1e-3, |t| activate(&(&t[0] * 3.0)?, then));
        check(name, &[&[5, 7], &[4, 7], &[4]], 1e-3, |t| dense(&t[0], &t[1], &t[2], then));
    }
    // By definition, in double precision, and where nothing must overflow.
    let x = Tensor::new(&[-1e4f32, -3.0, -0.1, 0.0, 0.2, 4.0, 1e4], &Device::Cpu).unwrap();
    type Exact = (Activation, fn(f64) -> f64);
    let exact: [Exact; 3] = [
        (Activation::Selu, |x| {
            let bent = 1.673_263_242_354_377_2 * x.min(0.0).exp_m1();
            1.050_700_987_355_480_5 * if x > 0.0 { x } else { bent }
        }),
        (Activation::Tanh, f64::tanh),
        (Activation::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
    ];
    for (then, f) in exact {
        for (ours, x) in floats(&activate(&x, then).unwrap()).into_iter().zip(floats(&x)) {
            let right = f(f64::from(x));
            assert!((f64::from(ours) - right).abs() < 3e-7 * right.abs().max(1.0), "{then:?} {x}");
        }
    }
    let shapes: [&[usize]; 3] = [&[2, 2, 6, 6], &[2, 1, 3, 3], &[2]];
    let [x, w, b] = [0, 1, 2].map(|n: usize| (noise(shapes[n], "six") * 9.0).unwrap());
    let geometry = Geometry { kernel: 3, stride: 2, padding: Padding::Same };
    let both = [Activation::Relu6, Activation::None].map(|then| {
        activate(&depthwise2d(&x, &w, &b, geometry, then).unwrap(), Activation::Relu6).unwrap()
    });
    assert_eq!(floats(&both[0]), floats(&both[1]));
}

#[test]
fn transposed_convolution() {
    for (kernel, stride, zeros, beyond) in
        [(3, 1, 0, 0), (3, 1, 1, 0), (4, 3, 0, 0), (3, 2, 1, 1), (5, 3, 2, 2)]
    {
        let geometry = Geometry { kernel, stride, padding: Padding::Each(zeros) };
        let what = format!("transposed {geometry:?} {beyond}");
        let shapes: [&[usize]; 3] = [&[3, 4, 5, 7], &[4, 3, kernel, kernel], &[3]];
        check_on_pictures(&what, &shapes, 0.5, |x, t| {
            conv_transpose2d(x, &t[0], &t[1], geometry, beyond, Activation::None)
        });
        check_relu(&shapes, |t, relu| {
            conv_transpose2d(&t[0], &t[1], &t[2], geometry, beyond, relu)
        });
    }
}

#[test]
fn same_padding_transposed_makes_stride_times_the_size() {
    let geometry = Geometry { kernel: 3, stride: 2, padding: Padding::Same };
    let (x, w, b) = (noise(&[2, 3, 4, 5], "x"), noise(&[3, 2, 3, 3], "w"), noise(&[2], "b"));
    let y = conv_transpose2d(&x, &w, &b, geometry, 0, Activation::None).unwrap();
    assert_eq!(y.dims(), [2, 2, 8, 10]);
    check("same", &[&[2, 3, 4, 5], &[3, 2, 3, 3], &[2]], 0.5, |t| {
        conv_transpose2d(&t[0], &t[1], &t[2], geometry, 0, Activation::None)
    });
}

#[test]
fn pooling() {
    let sliding = GEOMETRIES
        .map(|(kernel, stride, padding)| Windows::Sliding(Geometry { kernel, stride, padding }));
    for windows in sliding.into_iter().chain([1, 3, 6].map(Windows::Even)) {
        for (pooling, h) in [(Pooling::Max, 1e-3), (Pooling::Mean, 0.5)] {
            let what = format!("{pooling:?} {windows:?}");
            check_on_pictures(&what, &[&[2, 3, 13, 11]], h, |x, _| pool2d(x, pooling, windows));
        }
    }
}

#[test]
fn fully_connected() {
    for (rows, inputs, outputs) in [(3, 7, 5), (1, 1, 1), (9, 530, 40), (5, 20, 300)] {
        let shapes: [&[usize]; 3] = [&[rows, inputs], &[outputs, inputs], &[outputs]];
        check("dense", &shapes, 0.5, |t| dense(&t[0], &t[1], &t[2], Activation::None));
        check_relu(&shapes, |t, relu| dense(&t[0], &t[1], &t[2], relu));
    }
    // With constants beside the last 3 of 5 inputs.
    let beside: Vec<f32> = floats(&noise(&[9, 3], "beside"));
    check("beside", &[&[9, 2], &[4, 5], &[4]], 0.5, |t| {
        dense_beside(&t[0], beside.clone(), &t[1], &t[2], Activation::None)
    });
    let (x, [weight, bias]) = (noise(&[9, 2], "x"), [noise(&[4, 5], "w"), noise(&[4], "b")]);
    let all = Tensor::cat(&[&x, &noise(&[9, 3], "beside")], 1).unwrap();
    let ours = dense_beside(&x, beside, &weight, &bias, Activation::Selu).unwrap();
    let theirs = dense(&all, &weight, &bias, Activation::Selu).unwrap();
    for (a, b) in floats(&ours).into_iter().zip(floats(&theirs)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    // From a view, and with the same weights twice.
    check("view", &[&[6, 4], &[6, 6], &[6]], 0.5, |t| {
        let y = dense(&t[0].t()?, &t[1], &t[2], Activation::None)?;
        dense(&(&y * 0.3)?, &t[1], &t[2], Activation::None)? + y
    });
}

#[test]
fn norms_and_softmax() {
    let shapes: [&[usize]; 3] = [&[4, 3, 5, 6], &[3], &[3]];
    check_on_pictures("batch norm", &shapes, 5e-3, |x, t| {
        batch_norm(x, &t[0], &t[1], 1e-5).map(|(y, _)| y)
    });
    check("batch norm of rows", &[&[9, 4], &[4], &[4]], 5e-3, |t| {
        batch_norm(&t[0], &t[1], &t[2], 1e-5).map(|(y, _)| y)
    });
    check_on_pictures("layer norm", &[&[4, 3, 7, 7], &[7], &[7]], 5e-3, |x, t| {
        layer_norm(x, &t[0], &t[1], 1e-5)
    });
    check_on_pictures("softmax", &[&[2, 3, 5, 9]], 5e-3, |x, _| softmax(x));
    check_on_pictures("log sigmoid", &[&[2, 3, 5, 9]], 5e-3, |x, _| log_sigmoid(&(x * 5.0)?));
}

#[test]
fn dropout_keeps_the_mean_and_passes_the_gradient_where_it_passed_the_value() {
    let x = Var::from_tensor(&Tensor::ones(20_000, candle_core::DType::F32, &Device::Cpu).unwrap());
    let x = x.unwrap();
    let y = dropout(&x, 0.25, &mut Chance::new(1, "dropout", 0)).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let values = floats(&y);
    assert_eq!(floats(gradients.get(&x).unwrap()), values, "y = x m, so dx = m");
    let dropped = values.iter().filter(|value| **value == 0.0).count();
    assert!((4800..5200).contains(&dropped), "{dropped} of 20,000");
    assert!(values.iter().all(|value| [0.0, 1.0 / 0.75].contains(value)));
}

#[test]
fn the_logarithm_of_the_sigmoid_does_not_overflow() {
    let x = Var::new(&[-1e30f32, -100.0, 0.0, 100.0, 1e30], &Device::Cpu).unwrap();
    let y = log_sigmoid(&x).unwrap();
    let values = floats(&y);
    assert_eq!(values[..3], [-1e30, -100.0, -std::f32::consts::LN_2]);
    assert!(values[3].abs() < 1e-40 && values[4] == 0.0);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let gradient = floats(gradients.get(&x).unwrap());
    assert_eq!(gradient[..3], [1.0, 1.0, 0.5]);
    assert!(gradient[3] < 1e-40 && gradient[4] == 0.0);
}

#[test]
fn threads_do_not_change_a_bit() {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let shapes: [&[usize]; 4] = [&[7, 3, 20, 17], &[40, 3, 3, 3], &[40], &[50, 40 * 80]];
            let vars: Vec<Var> =
                shapes.iter().map(|s| Var::from_tensor(&noise(s, "threads")).unwrap()).collect();
            let geometry = Geometry { kernel: 3, stride: 1, padding: Padding::Same };
            let y = conv2d(&vars[0], &vars[1], &vars[2], geometry, Activation::Relu).unwrap();
            let (y, _) = batch_norm(&y, &vars[2], &vars[2], 1e-5).unwrap();
            let halves = Geometry { kernel: 2, stride: 2, padding: Padding::Each(0) };
            let y = pool2d(&y, Pooling::Max, Windows::Sliding(halves)).unwrap();
            let bias = noise(&[50], "bias");
            let y = dense(&y.flatten_from(1).unwrap(), &vars[3], &bias, Activation::None).unwrap();
            let gradients = log_sigmoid(&y).unwrap().sum_all().unwrap().backward().unwrap();
            let gradients: Vec<Vec<f32>> =
                vars.iter().map(|var| floats(gradients.get(var).unwrap())).collect();
            (floats(&y), gradients)
        })
    };
    let alone = run(1);
    assert!(alone.0.iter().any(|y| *y != 0.0));
    assert!([2, 3].into_iter().all(|threads| run(threads) == alone));
}

#[test]
fn what_is_not_a_number_stays_so() {
    let x = (noise(&[1, 1, 4, 4], "x") * f64::NAN).unwrap();
    let (w, b) = (noise(&[1, 1, 3, 3], "w"), noise(&[1], "b"));
    let geometry = Geometry { kernel: 3, stride: 1, padding: Padding::Same };
    let y = conv2d(&x, &w, &b, geometry, Activation::Relu).unwrap();
    let y = pool2d(&y, Pooling::Max, Windows::Even(2)).unwrap();
    assert!(floats(&y).iter().all(|y| y.is_nan()));
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let (x, w, b) = (noise(&[1, 2, 4, 4], "x"), noise(&[3, 2, 5, 5], "w"), noise(&[3], "b"));
    let geometry = |kernel, padding| Geometry { kernel, stride: 1, padding };
    for geometry in [geometry(5, Padding::Each(0)), geometry(3, Padding::Same)] {
        assert!(conv2d(&x, &w, &b, geometry, Activation::None).is_err(), "{geometry:?}");
    }
    let w = noise(&[3, 4, 5, 5], "w");
    assert!(conv2d(&x, &w, &b, geometry(5, Padding::Same), Activation::None).is_err());
    let empty = Windows::Sliding(Geometry { kernel: 1, stride: 2, padding: Padding::Each(1) });
    assert!(pool2d(&x, Pooling::Max, empty).is_err(), "a window with nothing but padding");
    assert!(
        dense(&noise(&[2, 3], "x"), &noise(&[4, 5], "w"), &noise(&[4], "b"), Activation::None)
            .is_err()
    );
}
