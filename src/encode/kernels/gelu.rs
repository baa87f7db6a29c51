//! GELU, `x` times the chance that a normal variate is below `x`: exactly, and with tanh for the chance.
//!
//! libm's erf, a call a value, took 18% of a BERT's time; as a quotient of polynomials it takes 2%.

use std::f32::consts::FRAC_2_SQRT_PI;

use super::exp::exp;
use super::{LANES, for_each_isa};

for_each_isa! {
    /// `x / 2 (1 + erf(x / sqrt 2))`, in place.
    gelu(x: &mut [f32]) runs gelu_all
}

for_each_isa! {
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, in place.
    gelu_tanh(x: &mut [f32]) runs gelu_tanh_all
}

#[inline(always)]
fn gelu_all(x: &mut [f32]) {
    map(x, |x| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)));
}

#[inline(always)]
fn gelu_tanh_all(x: &mut [f32]) {
    // With tanh(u) = 1 - 2 / (1 + e^2u) the formula is x / (1 + e^-2u).
    const MINUS_TWO_ROOT: f32 = -1.595_769;
    map(x, |x| x / (1.0 + exp(MINUS_TWO_ROOT * (x + 0.044_715 * x * x * x))));
}

#[inline(always)]
fn map(x: &mut [f32], f: impl Fn(f32) -> f32) {
    let (chunks, tail) = x.as_chunks_mut::<LANES>();
    // Not `array::map`: it may stay a call, which is compiled without the instruction set (2% of a
    // MiniLM's time became 10%).
    for chunk in chunks {
        for x in chunk {
            *x = f(*x);
        }
    }
    for x in tail {
        *x = f(*x);
    }
}

/// The error function within 4e-7: `x P(x^2) / Q(x^2)`, fitted to it by weighted least squares (weights
/// raised where the error was large, until it was even) on the range beyond which it is 1 in `f32`.
#[inline(always)]
fn erf(x: f32) -> f32 {
    const END: f32 = 3.92;
    const P: [f32; 6] = [
        2.034_729_3e-6,
        2.874_792_3e-4,
        3.868_335e-3,
        5.306_050_6e-2,
        0.192_764_28,
        FRAC_2_SQRT_PI,
    ];
    const Q: [f32; 6] =
        [3.807_057e-5, 1.188_116_3e-3, 1.517_231_2e-2, 0.115_084_71, 0.504_164_6, 1.0];
    let t = x * x;
    let polynomial =
        |c: [f32; 6]| ((((c[0] * t + c[1]) * t + c[2]) * t + c[3]) * t + c[4]) * t + c[5];
    let inside = x * polynomial(P) / polynomial(Q);
    // NaN is not beyond the end, and passes.
    if x.abs() > END { 1f32.copysign(x) } else { inside }
}

#[cfg(test)]
mod tests {
    use super::super::Isa;
    use super::*;

    /// The error function in `f64`: Taylor's series where it converges fast, else the continued
    /// fraction of its complement.
    fn erf_64(x: f64) -> f64 {
        let a = x.abs();
        let value = if a < 3.0 {
            let mut term = a;
            let mut sum = a;
            for n in 1..100 {
                term *= -a * a / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        } else {
            let fraction = (1..200).rev().fold(a, |below, n| a + f64::from(n) / 2.0 / below);
            1.0 - (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt())
        };
        value.copysign(x)
    }

    #[test]
    fn the_oracle_equals_printed_tables() {
        for (x, printed) in [(0.5, 0.520499877813), (1.0, 0.842700792950), (2.0, 0.995322265019)] {
            assert!((erf_64(x) - printed).abs() < 1e-12);
            assert!((erf_64(-x) + printed).abs() < 1e-12);
        }
        assert!((erf_64(3.0 - 1e-12) - erf_64(3.0)).abs() < 1e-12);
    }

    #[test]
    fn erf_equals_the_oracle() {
        for n in -600_000..=600_000 {
            let x = n as f32 * 1e-5;
            let error = (f64::from(erf(x)) - erf_64(f64::from(x))).abs();
            assert!(error < 4e-7, "{x}: off by {error:e}");
        }
    }

    #[test]
    fn both_equal_their_definition_on_every_instruction_set() {
        // Not a whole number of chunks.
        let x: Vec<f32> = (-20_003..20_000).map(|n| n as f32 * 5e-4).collect();
        for isa in Isa::available() {
            let (mut exact, mut with_tanh) = (x.clone(), x.clone());
            gelu(isa, &mut exact);
            gelu_tanh(isa, &mut with_tanh);
            for (n, &x) in x.iter().enumerate() {
                let x = f64::from(x);
                let chance = 0.5 * (1.0 + erf_64(x / 2f64.sqrt()));
                let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
                let close = |ours: f32, theirs: f64| {
                    let error = (f64::from(ours) - theirs).abs();
                    assert!(error < 3e-7 * x.abs().max(1.0), "{isa:?}, {x}: {ours}, not {theirs}");
                };
                close(exact[n], x * chance);
                close(with_tanh[n], 0.5 * x * (1.0 + u.tanh()));
            }
        }
    }

    #[test]
    fn nan_stays_nan_and_the_far_ends_are_zero_and_x() {
        for isa in Isa::available() {
            for f in [gelu, gelu_tanh] {
                let mut x = [f32::NAN, -50.0, 50.0];
                f(isa, &mut x);
                assert!(x[0].is_nan());
                assert!(x[1].abs() < 1e-30 && x[2] == 50.0, "{isa:?}: {x:?}");
            }
        }
    }
}
