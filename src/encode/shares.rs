//! Work shared among the cores, the next piece to whichever is free.
//!
//! Pieces are taken in order, and the last ones are smaller: at the end, cores wait for each other no longer
//! than a small piece takes, even if one of them had something else to do at first.

use rayon::prelude::*;

/// What piece of the work comes next, where so much is left and the cores are `threads`: `most`, but where little
/// is left so much that every core has two more, and never less than `least`.
pub(super) fn next_share(left: usize, threads: usize, least: usize, most: usize) -> usize {
    match threads {
        0 | 1 => most,
        _ => left.div_ceil(2 * threads).clamp(least.min(most), most),
    }
}

/// Does each piece of work on some core; what comes of them stays in order.
pub(super) fn shared<T: Send, R: Send, E: Send>(
    pieces: Vec<T>,
    work: impl Fn(T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let numbered = pieces.into_iter().enumerate().par_bridge();
    let done: Result<Vec<_>, E> = numbered.map(|(at, piece)| Ok((at, work(piece)?))).collect();
    let mut done = done?;
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pieces_are_small() {
        let shares = |mut left: usize, threads| {
            let mut shares = Vec::new();
            while left > 0 {
                shares.push(next_share(left, threads, 2, 8).min(left));
                left -= shares[shares.len() - 1];
            }
            shares
        };
        assert_eq!(shares(20, 1), [8, 8, 4]);
        assert_eq!(shares(40, 2), [8, 8, 6, 5, 4, 3, 2, 2, 2]);
        assert_eq!(shares(3, 2), [2, 1]);
        assert!(shares(0, 2).is_empty());
    }

    #[test]
    fn results_stay_in_order_and_an_error_is_told() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        pool.install(|| {
            let doubled = shared((0..100).collect(), |x: u32| Ok::<_, ()>(2 * x)).unwrap();
            assert_eq!(doubled, (0..100).map(|x| 2 * x).collect::<Vec<_>>());
            let fail = |x: u32| if x == 7 { Err(x) } else { Ok(x) };
            assert_eq!(shared((0..100).collect(), fail), Err(7));
        });
    }
}
