//! The kernels of the graph against plain loops, on every instruction set that this processor has.

use proptest::prelude::*;

use super::Kernels;
use super::bytes::{Codes, STEP};
use super::halfbytes::{RUN, RUN_BYTES};
use super::nibbles::{Factors, NEIGHBOURS, SLOT, SLOT_GROUP, Table};

proptest! {
    #[test]
    fn byte_products_are_sums_of_products(steps in 1usize..5, seed: u64, extreme: bool) {
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // The least byte of all is where signed and unsigned part.
            if extreme { if state >> 63 == 0 { i8::MIN } else { i8::MAX } } else { (state >> 56) as i8 }
        };
        let bytes: Vec<i8> = (0..7 * steps * STEP).map(|_| byte()).collect();
        let codes = Codes { bytes: &bytes, stride: steps * STEP };
        let rows = [3, 0, 6, 6, 1, 2];
        let expected: Vec<(u32, i32)> = rows
            .iter()
            .map(|&row| (row, codes.get(5).iter().zip(codes.get(row)).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()))
            .collect();
        for kernels in Kernels::available() {
            let mut found = Vec::new();
            kernels.byte_products(codes.get(5), codes, &rows, |row, product| found.push((row, product)));
            prop_assert_eq!(&found, &expected, "{}", kernels.name());
        }
    }

    #[test]
    fn estimates_are_looked_up_and_scaled(
        groups in 1usize..=64,
        seed: u64,
        full: bool,
        scales in prop::collection::vec(0.0f32..2.0, NEIGHBOURS),
        offsets in prop::collection::vec(-0.5f32..0.5, NEIGHBOURS),
        (centre, unit, base, length) in (-1.0f32..1.0, 0.0f32..0.001, -1.0f32..0.0, 0.0f32..3.0),
    ) {
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if full { 255 } else { (state >> 56) as u8 }
        };
        let slots = groups * SLOT_GROUP;
        let codes: Vec<u8> = (0..slots * SLOT).map(|_| byte()).collect();
        let table = Table { bytes: (0..slots * SLOT).map(|_| byte()).collect(), unit, base, length };
        let halves = |x: Vec<f32>| x.into_iter().map(half::f16::from_f32).collect::<Vec<_>>();
        let (scales, offsets) = (halves(scales), halves(offsets));
        let stored = |x: &[half::f16]| -> [[u8; 2]; NEIGHBOURS] { std::array::from_fn(|i| x[i].to_le_bytes()) };
        let factors = Factors { scales: &stored(&scales), offsets: &stored(&offsets) };
        let expected: Vec<f32> = (0..NEIGHBOURS)
            .map(|i| {
                let code = |slot: usize| codes[slot * SLOT + i % SLOT] >> (4 * (i / SLOT)) & 15;
                let sum: u32 = (0..slots).map(|s| u32::from(table.bytes[s * SLOT + usize::from(code(s))])).sum();
                scales[i].to_f32().mul_add((sum as f32).mul_add(unit, base), offsets[i].to_f32().mul_add(length, centre))
            })
            .collect();
        for kernels in Kernels::available() {
            let mut found = [f32::NAN; NEIGHBOURS];
            kernels.estimates(&table, &codes, factors, centre, &mut found);
            prop_assert_eq!(&found[..], &expected[..], "{}", kernels.name());
        }
    }

    #[test]
    fn sketches_are_multiplied_half_byte_by_half_byte(runs in 1usize..5, seed: u64, extreme: bool) {
        let mut state = seed;
        let mut byte = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if extreme { if state >> 63 == 0 { 0xff } else { 0x80 } } else { (state >> 56) as u8 }
        };
        let sketch: Vec<u8> = (0..runs * RUN_BYTES).map(|_| byte()).collect();
        let query: Vec<i8> = (0..runs * RUN).map(|_| byte() as i8).collect();
        let expected: i32 = (0..runs * RUN)
            .map(|i| {
                let both = sketch[i / RUN * RUN_BYTES + i % RUN_BYTES];
                let code = if i % RUN < RUN_BYTES { both & 15 } else { both >> 4 };
                i32::from(code) * i32::from(query[i])
            })
            .sum();
        for kernels in Kernels::available() {
            prop_assert_eq!(kernels.sketch_product(&sketch, &query), expected, "{}", kernels.name());
        }
    }
}
