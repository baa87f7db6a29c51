//! The company that items keep: what is rated by the same users is alike, whatever the stars.
//!
//! ```text
//! B = (D_u + 5)^-1/2 A (D_i + 5)^-1/2        A: who rated what; D: of how many ratings
//! X <- BᵀB orth(X - s sᵀX)                   s = √d_i / |√d_i|: that some things are rated more often says nothing
//! f_i = x_i / |x_i|
//! ```
//!
//! Twenty turns find the subspace of the strongest directions beside the trivial one; an item's row in it says with what
//! it is rated. Who has few ratings counts for less by the five that are added.

use super::ratings::Rated;
use crate::taste::chance::Chance;

/// Values of an item's row. On the drawn shop 6, 8 and 16 are alike within .001 of the error.
pub(super) const WIDTH: usize = 8;

const TURNS: usize = 20;
const DAMPING: f64 = 5.0;

/// A row for each item, of length one; zeros for those that nobody rated.
pub(super) fn company(users: usize, items: usize, known: &[Rated], seed: u64) -> Vec<f64> {
    let (mut of_users, mut of_items) = (vec![0.0f64; users], vec![0.0f64; items]);
    for rated in known {
        of_users[rated.user as usize] += 1.0;
        of_items[rated.item as usize] += 1.0;
    }
    let length = of_items.iter().sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
    let trivial: Vec<f64> = of_items.iter().map(|count| count.sqrt() / length).collect();
    let scale = |counts: &[f64]| -> Vec<f64> {
        counts.iter().map(|count| (count + DAMPING).sqrt().recip()).collect()
    };
    let scales = [scale(&of_users), scale(&of_items)];
    let drawn = Chance::new(seed, "company", 0).normals(items * WIDTH, 1.0);
    let mut rows: Vec<f64> = drawn.into_iter().map(f64::from).collect();
    for _ in 0..TURNS {
        straighten(&mut rows, &trivial);
        rows = turned(&rows, known, &scales);
    }
    leave_out(&mut rows, &trivial);
    for (row, &count) in rows.chunks_exact_mut(WIDTH).zip(&of_items) {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if count > 0.0 && length > 0.0 { length.recip() } else { 0.0 };
        row.iter_mut().for_each(|x| *x *= scale);
    }
    rows
}

/// `BᵀB X`.
fn turned(rows: &[f64], known: &[Rated], [of_users, of_items]: &[Vec<f64>; 2]) -> Vec<f64> {
    let mut met = vec![0.0; of_users.len() * WIDTH];
    let mut turned = vec![0.0; rows.len()];
    let places = |rated: &Rated| (rated.user as usize, rated.item as usize);
    let add = |sums: &mut [f64], at: usize, rows: &[f64], from: usize, scale: f64| {
        let row = &rows[from * WIDTH..][..WIDTH];
        let sums = &mut sums[at * WIDTH..][..WIDTH];
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += scale * x);
    };
    for (user, item) in known.iter().map(places) {
        add(&mut met, user, rows, item, of_users[user] * of_items[item]);
    }
    for (user, item) in known.iter().map(places) {
        add(&mut turned, item, &met, user, of_users[user] * of_items[item]);
    }
    turned
}

/// Takes a direction of length one out of the columns.
fn leave_out(rows: &mut [f64], direction: &[f64]) {
    let mut along = [0.0; WIDTH];
    for (row, d) in rows.chunks_exact(WIDTH).zip(direction) {
        along.iter_mut().zip(row).for_each(|(sum, x)| *sum += d * x);
    }
    for (row, d) in rows.chunks_exact_mut(WIDTH).zip(direction) {
        row.iter_mut().zip(along).for_each(|(x, along)| *x -= d * along);
    }
}

/// Makes the columns orthogonal to a direction and to each other, and of length one; one that has nothing of its own
/// becomes zero.
fn straighten(rows: &mut [f64], direction: &[f64]) {
    leave_out(rows, direction);
    let product = |rows: &[f64], a: usize, b: usize| -> f64 {
        rows.chunks_exact(WIDTH).map(|row| row[a] * row[b]).sum()
    };
    for column in 0..WIDTH {
        let before = product(rows, column, column);
        for other in 0..column {
            let along = product(rows, column, other);
            rows.chunks_exact_mut(WIDTH).for_each(|row| row[column] -= along * row[other]);
        }
        let left = product(rows, column, column);
        let scale = if left > 1e-12 * before { left.sqrt().recip() } else { 0.0 };
        rows.chunks_exact_mut(WIDTH).for_each(|row| row[column] *= scale);
    }
}
