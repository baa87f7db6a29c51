//! Chance that repeats itself: a small seeded generator, and arithmetic that is the same on every machine.
//!
//! The standard library's `sin`, `ln` and `exp` differ between platforms in the last bit, so nothing
//! here needs them: IEEE prescribes the result of `+ - * /` and of the square root, and of no more.

/// A stream of random numbers (SplitMix64). Streams of different names are independent, so that a
/// product looks the same however many others are drawn before it, and on whichever thread.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream called `name`, number `index`, of a seed.
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        let mut state = scramble(seed ^ 0x6c6f_6f6b_616c_696b);
        for byte in name.bytes() {
            state = scramble(state ^ u64::from(byte));
        }
        Self(scramble(state ^ index))
    }

    /// Sixty-four random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number in `0..n`; 0 where `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Roughly normal, mean 0 and deviation 1: the sum of twelve uniform numbers, less six.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// One of the choices, each as likely as the next.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// A position in `weights`, each as likely as its weight says.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let mut left = self.unit() * weights.iter().sum::<f64>();
        for (position, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return position;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// The finaliser of SplitMix64: every bit of the input sways every bit of the output.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ_by_name_and_index() {
        let take = |name, index| Rng::new(1, name, index).bits();
        assert_eq!(take("product", 7), take("product", 7));
        assert_ne!(take("product", 7), take("product", 8));
        assert_ne!(take("product", 7), take("shopper", 7));
    }

    #[test]
    fn the_first_number_of_splitmix64_is_the_published_one() {
        // Sebastiano Vigna's reference implementation, state 1234567.
        assert_eq!(Rng(1_234_567).bits(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn a_weight_of_nothing_is_never_chosen_and_the_rest_in_proportion() {
        let mut rng = Rng::new(3, "weights", 0);
        let mut seen = [0_u32; 3];
        for _ in 0..30_000 {
            seen[rng.weighted(&[1.0, 0.0, 2.0])] += 1;
        }
        assert_eq!(seen[1], 0);
        let share = f64::from(seen[2]) / 30_000.0;
        assert!((share - 2.0 / 3.0).abs() < 0.01, "{share}");
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut rng = Rng::new(4, "normal", 0);
        let drawn: Vec<f64> = (0..50_000).map(|_| rng.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 50_000.0;
        let spread = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 50_000.0;
        assert!(mean.abs() < 0.02 && (spread - 1.0).abs() < 0.03, "{mean} {spread}");
    }
}
