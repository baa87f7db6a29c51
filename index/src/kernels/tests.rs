use half::f16;
use proptest::prelude::*;

use super::*;

/// Components as a catalogue has them, and as only an attacker would: denormals, signed zeros, wide
/// ranges of exponents.
fn component() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => -1.0f32..1.0,
        1 => prop::num::f32::SUBNORMAL,
        1 => prop::num::f32::ZERO,
        1 => prop::num::f32::NORMAL.prop_map(|x| x % 1e15),
    ]
}

/// Rows and queries of one dimension: `(dimension, rows, queries)`.
fn problem() -> impl Strategy<Value = (usize, Vec<f32>, Vec<Vec<f32>>)> {
    (1usize..70, 0usize..10, 0usize..15).prop_flat_map(|(dimension, rows, queries)| {
        (
            Just(dimension),
            prop::collection::vec(component(), dimension * rows),
            prop::collection::vec(prop::collection::vec(component(), dimension), queries),
        )
    })
}

fn single(values: &[f32]) -> Vec<[u8; 4]> {
    values.iter().map(|x| x.to_le_bytes()).collect()
}

/// Kept below the greatest half, so that no infinity comes up.
fn half(values: &[f32]) -> Vec<[u8; 2]> {
    values.iter().map(|x| f16::from_f32(x.clamp(-6e4, 6e4)).to_le_bytes()).collect()
}

/// The bits of all similarities.
fn bits<E: Element>(
    kernels: Kernels,
    rows: &[E],
    dimension: usize,
    queries: &[&[f32]],
) -> Vec<u32> {
    let mut out = vec![f32::NAN; rows.len() / dimension * queries.len()];
    kernels.products(rows, queries, &mut out);
    out.into_iter().map(f32::to_bits).collect()
}

fn check<E: Element>(
    dimension: usize,
    rows: &[E],
    queries: &[Vec<f32>],
) -> Result<(), TestCaseError> {
    let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let reference = bits(Kernels::Scalar(scalar::Scalar), rows, dimension, &queries);
    for kernels in Kernels::available() {
        prop_assert_eq!(
            &bits(kernels, rows, dimension, &queries),
            &reference,
            "{}",
            kernels.name()
        );
    }
    // In f64 the products are exact and the sum nearly so. Each of the f32 steps may err by half a
    // unit in the last place of the magnitudes that it adds.
    for (q, query) in queries.iter().enumerate() {
        for (r, row) in rows.chunks(dimension).enumerate() {
            let products =
                || row.iter().zip(*query).map(|(x, q)| f64::from(x.to_f32()) * f64::from(*q));
            let exact: f64 = products().sum();
            let magnitude: f64 = products().map(f64::abs).sum();
            let found = f64::from(f32::from_bits(reference[q * (rows.len() / dimension) + r]));
            let allowed =
                magnitude * f64::from(f32::EPSILON) * (dimension as f64 / 16.0 + 5.0) + 1e-43;
            prop_assert!((found - exact).abs() <= allowed, "{found} for {exact}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn every_kernel_gives_the_bits_of_the_reference((dimension, rows, queries) in problem()) {
        check(dimension, &single(&rows), &queries)?;
        check(dimension, &half(&rows), &queries)?;
    }

    #[test]
    fn rows_may_start_at_any_address(offset in 0usize..64, row in prop::collection::vec(component(), 33)) {
        let mut bytes = vec![0u8; offset];
        bytes.extend(single(&row).as_flattened());
        let moved = bytes[offset..].as_chunks::<4>().0;
        for kernels in Kernels::available() {
            prop_assert_eq!(bits(kernels, moved, 33, &[&row]), bits(kernels, &single(&row), 33, &[&row]));
        }
    }
}

#[test]
fn one_row_is_summed_as_it_is_within_a_tile() {
    let rows: Vec<f32> = (0..50 * 9).map(|i| ((i * 37 % 101) as f32 - 50.0) / 71.0).collect();
    let queries: Vec<&[f32]> = rows.chunks(50).chain(rows.chunks(50)).collect();
    for kernels in Kernels::available() {
        let together = bits(kernels, &single(&rows), 50, &queries);
        for (q, query) in queries.iter().enumerate() {
            for (r, row) in rows.chunks(50).enumerate() {
                assert_eq!(bits(kernels, &single(row), 50, &[query]), [together[q * 9 + r]]);
            }
        }
    }
}

#[test]
fn what_is_no_number_counts_as_the_worst() {
    let rows = single(&[f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.5]);
    for kernels in Kernels::available() {
        let mut out = [0.0; 2];
        kernels.products(&rows, &[&[1.0, 1.0]], &mut out);
        assert_eq!(out, [f32::NEG_INFINITY; 2], "{}", kernels.name());
    }
}

#[test]
fn halves_are_widened_exactly() {
    let all: Vec<u16> = (0..=u16::MAX).filter(|&bits| f16::from_bits(bits).is_finite()).collect();
    let rows: Vec<[u8; 2]> = all.iter().map(|bits| bits.to_le_bytes()).collect();
    for kernels in Kernels::available() {
        // One component at a time, once in a tail and once in a whole step.
        for dimension in [1, 16] {
            let mut query = vec![0.0; dimension];
            for at in 0..dimension {
                query[at] = 1.0;
                let mut out = vec![0.0; rows.len() / dimension];
                kernels.products(&rows, &[&query], &mut out);
                for (similarity, bits) in out.iter().zip(all.chunks(dimension)) {
                    assert_eq!(
                        *similarity,
                        f16::from_bits(bits[at]).to_f32(),
                        "{}",
                        kernels.name()
                    );
                }
                query[at] = 0.0;
            }
        }
    }
}
