//! The exponential as plain arithmetic, so that loops over it become vector instructions.

/// `e^x` within three units in the last place; what is below -87 counts as -87 (some 1.6e-38), what is
/// above 88 as 88. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Added to a number and taken off again, this rounds it to a whole one, which then stands in the
    // lowest bits of the sum.
    const ROUNDER: f32 = 1.5 * (1 << 23) as f32;
    // ln 2 in two parts, the first so short that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Written so that NaN passes.
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = (x - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // Taylor's series: the first term left out is 5e-9 at half of ln 2.
    let mut sum = 1.0 / 5040.0;
    for factorial in [720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        sum = sum * rest + 1.0 / factorial;
    }
    // Two to the whole part, by writing its exponent.
    sum * f32::from_bits((shifted.to_bits() << 23).wrapping_add(1f32.to_bits()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_exponential_of_libm() {
        for n in -870_000..=880_000 {
            let x = n as f32 * 1e-4;
            let theirs = f64::from(x).exp();
            let error = (f64::from(exp(x)) / theirs - 1.0).abs();
            assert!(error < 3.0 * f64::from(f32::EPSILON), "{x}: off by {error:e}");
        }
    }

    #[test]
    fn is_defined_everywhere() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
        assert_eq!(exp(f32::INFINITY), exp(88.0));
        assert!(exp(f32::NAN).is_nan());
    }
}
