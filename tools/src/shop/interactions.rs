//! Ratings alone, at the size of a very large shop: no catalogue, no pictures, rows as fast as they can
//! be written. Users fall into circles that favour the same part of the range, so that there is
//! something to learn; few users and few items have most of the ratings, as everywhere.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::seed::Rng;

use super::calendar::{DAY, DAYS, Moment, OPENING};

/// Into how many circles users and items fall.
const CIRCLES: usize = 24;

/// How much to write.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// How many users rate something, if there are ratings enough.
    pub users: usize,
    /// How many items are rated, if there are ratings enough.
    pub items: usize,
    /// How many ratings.
    pub ratings: usize,
}

/// Writes `user,item,stars,date`, user by user. No user rates an item twice; a user who has rated half
/// of all items rates no more, so that a volume of more than half the matrix comes out smaller. Returns
/// the number of ratings.
pub fn write(seed: u64, volume: Volume, out: impl Write) -> io::Result<usize> {
    let mut out = io::BufWriter::with_capacity(1 << 20, out);
    writeln!(out, "user,item,stars,date")?;
    let days: Vec<String> = (0..DAYS).map(|day| Moment(OPENING + day * DAY).day()).collect();
    let counts = counts(seed, volume);
    let (mut written, mut due) = (0_usize, 0_usize);
    let mut rated = HashSet::new();
    for (user, count) in counts.into_iter().enumerate() {
        let mut rng = Rng::new(seed, "rater", user as u64);
        let (circle, kindness) = (rng.below(CIRCLES), rng.normal() * 0.4);
        rated.clear();
        for _ in 0..count.min(volume.items.div_ceil(2)) {
            // Spread over the whole file, every item's turn comes once, so that none is left out.
            let turn = due * volume.ratings <= written * volume.items && due < volume.items;
            let mut item = if turn {
                shuffled(due, volume.items)
            } else {
                chosen(&mut rng, circle, volume.items)
            };
            due += usize::from(turn);
            while !rated.insert(item) {
                item = (item + 1) % volume.items;
            }
            let quality = Rng::new(seed, "rated", item as u64).normal() * 0.5;
            let fondness = if item % CIRCLES == circle { 0.5 } else { -0.3 };
            let stars = 3.8 + quality + kindness + fondness + 0.7 * rng.normal();
            let stars = (stars + 0.5).clamp(1.0, 5.0) as u8;
            let day = &days[rng.below(days.len())];
            writeln!(out, "U{:07},I{:07},{stars},{day}", user + 1, item + 1)?;
            written += 1;
        }
    }
    out.flush()?;
    Ok(written)
}

/// How many ratings each user writes: one each, and the rest to the busy.
fn counts(seed: u64, volume: Volume) -> Vec<usize> {
    let mut counts = vec![1; volume.users.min(volume.ratings)];
    let mut rng = Rng::new(seed, "raters", 0);
    for _ in counts.len()..volume.ratings {
        let depth = rng.unit();
        let user = shuffled((depth * depth * counts.len() as f64) as usize, counts.len());
        if let Some(count) = counts.get_mut(user) {
            *count += 1;
        }
    }
    counts
}

/// An item: half of the time from the user's own circle, and rather a popular one.
fn chosen(rng: &mut Rng, circle: usize, items: usize) -> usize {
    let depth = rng.unit();
    let item = (depth * depth * depth * items as f64) as usize;
    let own = item - item % CIRCLES + circle;
    if own < items && rng.chance(0.5) { own } else { item }
}

/// Where `position` lands when `count` things are dealt out in strides that meet each of them once.
fn shuffled(position: usize, count: usize) -> usize {
    let mut stride = (count as f64 * 0.618) as usize + 1;
    while gcd(stride, count) > 1 {
        stride += 1;
    }
    ((position as u128 * stride as u128) % count.max(1) as u128) as usize
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_and_every_item_occurs_and_no_pair_twice() {
        let volume = Volume { users: 3_000, items: 700, ratings: 9_000 };
        let mut file = Vec::new();
        let written = write(5, volume, &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let rows: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), written);
        assert_eq!(written, 9_000);
        let users: HashSet<_> = rows.iter().map(|row| row[0]).collect();
        let items: HashSet<_> = rows.iter().map(|row| row[1]).collect();
        let pairs: HashSet<_> = rows.iter().map(|row| (row[0], row[1])).collect();
        assert_eq!(users.len(), 3_000);
        assert_eq!(items.len(), 700);
        assert_eq!(pairs.len(), rows.len());
        assert!(rows.iter().all(|row| ("1"..="5").contains(&row[2])));
    }

    #[test]
    fn the_same_seed_writes_the_same_file() {
        let volume = Volume { users: 50, items: 40, ratings: 300 };
        let file = |seed| {
            let mut file = Vec::new();
            write(seed, volume, &mut file).unwrap();
            file
        };
        assert_eq!(file(1), file(1));
        assert_ne!(file(1), file(2));
    }

    #[test]
    fn a_volume_of_nothing_is_a_header() {
        let mut file = Vec::new();
        assert_eq!(write(1, Volume { users: 0, items: 0, ratings: 10 }, &mut file).unwrap(), 0);
        assert_eq!(file, b"user,item,stars,date\n");
    }
}
