//! Whether one model is better than another, or was lucky with its users.

use rayon::prelude::*;

use super::chance::Chance;

/// The outcome of a paired test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The mean over users of the first's value less the second's.
    pub mean: f64,
    /// How likely at least so large a mean would be, in either direction, if it were a toss-up for every
    /// user which of the two is ahead.
    pub p: f64,
}

/// How often the signs are tossed: the least p is one in so many and one.
const TOSSES: u64 = 9_999;

/// Sign-flip permutation test: if neither were better, each user's difference could as well have the
/// other sign. `None` where there are no users, or not the same number of them.
pub fn compare(first: &[f64], second: &[f64], seed: u64) -> Option<Difference> {
    if first.is_empty() || first.len() != second.len() {
        return None;
    }
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
    let sum: f64 = differences.iter().sum();
    // Sums in another order may differ in the last bits, and must not count as smaller for that.
    let as_large = sum.abs() - 1e-12 * differences.iter().map(|d| d.abs()).sum::<f64>();
    let reached = (0..TOSSES)
        .into_par_iter()
        .filter(|&toss| {
            let mut chance = Chance::new(seed, "toss", toss);
            let tossed: f64 = differences
                .chunks(64)
                .map(|some| {
                    let bits = chance.bits();
                    let signed = some.iter().enumerate();
                    signed.map(|(n, d)| if bits >> n & 1 == 1 { *d } else { -d }).sum::<f64>()
                })
                .sum();
            tossed.abs() >= as_large
        })
        .count();
    let p = (reached + 1) as f64 / (TOSSES + 1) as f64;
    Some(Difference { mean: sum / differences.len() as f64, p })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_are_equal() {
        let values: Vec<f64> = (0..50).map(f64::from).collect();
        assert_eq!(compare(&values, &values, 1), Some(Difference { mean: 0.0, p: 1.0 }));
        assert_eq!(compare(&[], &[], 1), None);
        assert_eq!(compare(&[1.0], &[], 1), None);
    }

    /// By hand: five users, all in favour. Of 32 ways to toss, all heads and all tails reach the sum.
    #[test]
    fn few_users_prove_little() {
        let found = compare(&[1.0; 5], &[0.0; 5], 1).unwrap();
        assert_eq!(found.mean, 1.0);
        assert!((found.p - 2.0 / 32.0).abs() < 0.01, "{}", found.p);
    }

    /// SciPy counts all 16,384 ways to toss (`tools/golden/significance.py`).
    #[test]
    fn p_is_scipys() {
        let golden = include_str!("../../fixtures/golden/train/significance.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(golden).unwrap();
        for case in cases {
            let values = |name: &str| -> Vec<f64> {
                case[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let found = compare(&values("first"), &values("second"), 1).unwrap();
            let (mean, p) = (case["mean"].as_f64().unwrap(), case["p"].as_f64().unwrap());
            assert!((found.mean - mean).abs() < 1e-12);
            // Four standard errors of so many tosses.
            let room = 4.0 * (p * (1.0 - p) / TOSSES as f64).sqrt() + 1.0 / TOSSES as f64;
            assert!((found.p - p).abs() < room, "{} for {p}", found.p);
        }
    }

    #[test]
    fn many_users_prove_much_and_noise_nothing() {
        let mut chance = Chance::new(1, "noise", 0);
        let base: Vec<f64> = (0..400).map(|_| f64::from(chance.normal())).collect();
        let other: Vec<f64> = base.iter().map(|b| b + f64::from(chance.normal())).collect();
        let better: Vec<f64> = other.iter().map(|b| b + 0.4).collect();
        assert!(compare(&better, &base, 1).unwrap().p < 0.001);
        assert!(compare(&other, &base, 1).unwrap().p > 0.05);
        assert_eq!(compare(&other, &base, 1), compare(&other, &base, 1));
    }
}
