//! Chance that repeats itself: the same seed gives the same numbers on every machine and any number of
//! threads, since every draw names the stream that it is from.

/// A stream of random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Stream `index` of what `name` is drawn from, of a seed. Streams are independent of each other.
    pub fn new(seed: u64, name: &str, index: u64) -> Self {
        let mut state = scramble(seed ^ 0x7461_7374_6521_7461);
        for byte in name.bytes() {
            state = scramble(state ^ u64::from(byte));
        }
        Chance(scramble(state ^ index))
    }

    /// Sixty-four random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    /// A number below `end`; 0 where that is 0.
    #[inline]
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// A number from 0 up to, and without, 1.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Roughly normal, mean 0 and deviation 1: the sum of twelve uniform numbers, less six. IEEE fixes
    /// its every bit, which it does not for logarithms and cosines.
    pub fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    /// So many normal numbers of this deviation.
    pub fn normals(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        (0..count).map(|_| self.normal() * deviation).collect()
    }

    /// Puts things into a random order.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            things.swap(last, self.below(last + 1));
        }
    }
}

/// The finaliser of SplitMix64: every bit of the input sways every bit of the output.
#[inline]
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_of_splitmix64_is_the_published_one() {
        // Sebastiano Vigna's reference implementation, state 1234567.
        assert_eq!(Chance(1_234_567).bits(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn streams_differ_by_seed_name_and_index_and_repeat() {
        let first = |seed, name, index| Chance::new(seed, name, index).bits();
        assert_eq!(first(1, "a", 7), first(1, "a", 7));
        for other in [first(2, "a", 7), first(1, "b", 7), first(1, "a", 8)] {
            assert_ne!(first(1, "a", 7), other);
        }
    }

    #[test]
    fn a_shuffle_keeps_everything_and_favours_no_place() {
        let mut first = [0u32; 5];
        for index in 0..5000 {
            let mut things = [0, 1, 2, 3, 4];
            Chance::new(3, "deck", index).shuffle(&mut things);
            first[things[0]] += 1;
            things.sort_unstable();
            assert_eq!(things, [0, 1, 2, 3, 4]);
        }
        assert!(first.iter().all(|&count| (900..1100).contains(&count)), "{first:?}");
    }
}
