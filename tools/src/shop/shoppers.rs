//! Shoppers: what each loves, what each bought, and when.
//!
//! A purchase is drawn from a shelf of products, each as likely as its appeal times how well it meets
//! the shopper's taste. One part of taste, the emblem and the trim, shows in pictures only: a model
//! that sees no pictures cannot know it of a product that nobody has bought.

use rayon::prelude::*;

use crate::draw::Kind;
use crate::draw::motif::Motif;
use crate::draw::pattern::Pattern;
use crate::seed::Rng;

use super::calendar::{DAY, DAYS, Moment, OPENING};
use super::palette;
use super::product::{BRANDS, Product};
use super::range::Range;

/// How many products a shopper looks at in a large shop, unless told otherwise.
pub const SHELF: usize = 400;

/// One shopper and the tastes that made the purchases.
#[derive(Debug, Clone)]
pub struct Shopper {
    /// The shopper's key.
    pub id: String,
    /// Families of colours, the most loved first.
    pub colours: [&'static str; 2],
    /// Prints, the most loved first.
    pub patterns: [Pattern; 2],
    /// Kinds of things.
    pub kinds: [Kind; 4],
    /// Where between a kind's cheapest and dearest this shopper likes to buy.
    pub level: f64,
    /// The emblem that wins this shopper over.
    pub motif: Motif,
    /// Whether trim that stands out pleases.
    pub likes_trim: bool,
    /// How much kinder than others this shopper's stars are.
    pub kindness: f64,
    /// Whether this shopper has bought nothing yet.
    pub cold: bool,
}

/// Something bought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Purchase {
    /// The shopper's position.
    pub shopper: usize,
    /// The product's position in the catalogue.
    pub product: usize,
    /// When.
    pub at: Moment,
    /// How many.
    pub quantity: u32,
}

/// Takes `N` different ones.
fn several<T: Copy + Default, const N: usize>(rng: &mut Rng, mut all: Vec<T>) -> [T; N] {
    std::array::from_fn(|_| match all.len() {
        0 => T::default(),
        left => all.swap_remove(rng.below(left)),
    })
}

impl Shopper {
    /// Shopper number `index`.
    pub fn new(seed: u64, index: usize) -> Self {
        let mut rng = Rng::new(seed, "shopper", index as u64);
        Self {
            id: format!("U{:06}", index + 1),
            colours: several(&mut rng, palette::families()),
            patterns: several(&mut rng, (0..Pattern::ALL.len()).collect()).map(|p| Pattern::ALL[p]),
            kinds: several(&mut rng, (0..Kind::ALL.len()).collect()).map(|k| Kind::ALL[k]),
            level: rng.unit(),
            motif: *rng.pick(&Motif::ALL),
            likes_trim: rng.chance(0.5),
            kindness: rng.normal() * 0.4,
            cold: rng.chance(0.06),
        }
    }

    /// How well a product meets this taste: the factor by which it is likelier to be bought.
    pub fn fondness(&self, product: &Product) -> f64 {
        let design = &product.design;
        let rank = |at: Option<usize>, first: f64, second: f64| match at {
            Some(0) => first,
            Some(_) => second,
            None => 1.0,
        };
        let family = product.shade.family;
        let colour = rank(self.colours.iter().position(|&loved| loved == family), 4.0, 2.5);
        let print = rank(self.patterns.iter().position(|&loved| loved == design.pattern), 3.0, 2.0);
        let kind = if self.kinds.contains(&design.kind) { 4.0 } else { 1.0 };
        let off = BRANDS
            .iter()
            .find(|(brand, _)| *brand == design.brand)
            .map_or(0.0, |(_, level)| (level - self.level).abs());
        let emblem = match design.motif {
            Some(motif) if motif == self.motif => 6.0,
            Some(_) => 0.8,
            None => 1.0,
        };
        let trim = if design.trimmed == self.likes_trim { 1.5 } else { 1.0 };
        colour * print * kind * emblem * trim * (1.3 - off)
    }

    /// How many stars this shopper gives a product: 1 to 5.
    pub fn stars(&self, product: &Product, rng: &mut Rng) -> u8 {
        let design = &product.design;
        let liking = |likes: bool, worth: f64| if likes { worth } else { 0.0 };
        let stars = 2.75
            + liking(self.colours.contains(&product.shade.family), 0.5)
            + liking(self.patterns.contains(&design.pattern), 0.35)
            + liking(design.motif == Some(self.motif), 0.9)
            + liking(design.trimmed == self.likes_trim, 0.25)
            + 0.7 * design.quality
            + self.kindness
            + 0.65 * rng.normal();
        (stars + 0.5).clamp(1.0, 5.0) as u8
    }
}

/// Everything bought in three years, shopper by shopper, each in order of time. A shopper looks at no more products
/// than a `shelf` has: the larger it is, the more it is taste that decides, and not what is popular.
pub fn purchases(
    seed: u64,
    shelf: usize,
    shoppers: &[Shopper],
    products: &[Product],
) -> Vec<Purchase> {
    let mut ranking: Vec<usize> = (0..products.len()).filter(|&i| !products[i].cold).collect();
    ranking.sort_by(|&a, &b| products[b].appeal.total_cmp(&products[a].appeal).then(a.cmp(&b)));
    let baskets: Vec<_> = shoppers
        .par_iter()
        .enumerate()
        .map(|(index, shopper)| basket(seed, index, shopper, products, &ranking, shelf))
        .collect();
    baskets.into_iter().flatten().collect()
}

fn basket(
    seed: u64,
    index: usize,
    shopper: &Shopper,
    products: &[Product],
    ranking: &[usize],
    most: usize,
) -> Vec<Purchase> {
    let mut rng = Rng::new(seed, "basket", index as u64);
    let shelf = shelf(&mut rng, ranking, most);
    if shopper.cold || shelf.is_empty() {
        return Vec::new();
    }
    // A few buy a lot: 4 to 40 things, 14 on average.
    let busy = rng.unit();
    let count = (4.0 + 36.0 * busy * busy * (0.4 + 0.6 * busy)) as usize;
    let joined = rng.below((DAYS / 2) as usize) as u64;
    let mut moments: Vec<Moment> = (0..count)
        .map(|_| {
            let day = joined + rng.below((DAYS - joined) as usize) as u64;
            Moment(OPENING + day * DAY + 25_200 + rng.below(57_600) as u64)
        })
        .collect();
    moments.sort_unstable();
    let mut weights: Vec<f64> =
        shelf.iter().map(|&i| products[i].appeal * shopper.fondness(&products[i])).collect();
    let mut basket = Vec::with_capacity(count);
    for at in moments {
        let (year, season) = (at.date().0, at.season());
        let now: Vec<f64> = shelf
            .iter()
            .zip(&weights)
            .map(|(&i, weight)| {
                let design = &products[i].design;
                let fits = if design.season == season { 1.6 } else { 1.0 };
                if design.year > year { 0.0 } else { weight * fits }
            })
            .collect();
        let chosen = rng.weighted(&now);
        if now[chosen] == 0.0 {
            continue;
        }
        // Few things are bought twice.
        weights[chosen] *= 0.01;
        let quantity = 1 + rng.weighted(&[0.88, 0.09, 0.03]) as u32;
        basket.push(Purchase { shopper: index, product: shelf[chosen], at, quantity });
    }
    basket
}

/// What a shopper gets to see: everything in a small shop, in a large one a sample that prefers what is popular.
fn shelf(rng: &mut Rng, ranking: &[usize], most: usize) -> Vec<usize> {
    if ranking.len() <= most {
        return ranking.to_vec();
    }
    let mut shelf: Vec<usize> = (0..most)
        .map(|_| {
            let depth = rng.unit();
            ranking[(depth * depth * ranking.len() as f64) as usize]
        })
        .collect();
    shelf.sort_unstable();
    shelf.dedup();
    shelf
}

/// The words of a taste, for the reference file.
pub(super) fn kinds_in_words(kinds: &[Kind]) -> String {
    kinds.iter().map(|&kind| Range::of(kind).kind).collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::shop::product::products;

    fn shop() -> (Vec<Product>, Vec<Shopper>, Vec<Purchase>) {
        let products = products(1, 240);
        let shoppers: Vec<_> = (0..120).map(|index| Shopper::new(1, index)).collect();
        let purchases = purchases(1, SHELF, &shoppers, &products);
        (products, shoppers, purchases)
    }

    /// How much oftener shoppers bought what `agrees` than it would have come up by popularity alone.
    fn lift(agrees: impl Fn(&Shopper, &Product) -> bool) -> f64 {
        let (products, shoppers, purchases) = shop();
        let bought = purchases
            .iter()
            .filter(|purchase| agrees(&shoppers[purchase.shopper], &products[purchase.product]))
            .count();
        // Every purchase handed to every shopper: the same popularity, without any taste.
        let by_chance: usize = purchases
            .iter()
            .map(|p| shoppers.iter().filter(|s| agrees(s, &products[p.product])).count())
            .sum();
        bought as f64 / (by_chance as f64 / shoppers.len() as f64)
    }

    #[test]
    fn purchases_follow_taste_that_text_tells() {
        assert!(lift(|s, p| s.colours.contains(&p.shade.family)) > 1.5);
        assert!(lift(|s, p| s.kinds.contains(&p.design.kind)) > 1.5);
        assert!(lift(|s, p| s.patterns.contains(&p.design.pattern)) > 1.2);
    }

    #[test]
    fn purchases_follow_taste_that_only_the_picture_shows() {
        let emblem = lift(|s, p| p.design.motif == Some(s.motif));
        assert!(emblem > 2.0, "{emblem}");
        assert!(lift(|s, p| p.design.trimmed == s.likes_trim) > 1.08);
    }

    #[test]
    fn some_products_and_some_shoppers_are_cold_and_the_rest_has_enough() {
        let (products, shoppers, purchases) = shop();
        let sold: HashSet<_> = purchases.iter().map(|purchase| purchase.product).collect();
        let buyers: HashSet<_> = purchases.iter().map(|purchase| purchase.shopper).collect();
        assert!((5..60).contains(&(products.len() - sold.len())), "{} sold", sold.len());
        assert!((2..20).contains(&(shoppers.len() - buyers.len())), "{} buyers", buyers.len());
        assert!(purchases.iter().all(|purchase| !products[purchase.product].cold));
        for buyer in buyers {
            let count = purchases.iter().filter(|purchase| purchase.shopper == buyer).count();
            assert!(count >= 3, "{count} purchases");
        }
    }

    #[test]
    fn nothing_is_bought_before_it_is_made() {
        let (products, _, purchases) = shop();
        for purchase in purchases {
            assert!(purchase.at.date().0 >= products[purchase.product].design.year);
        }
    }

    #[test]
    fn some_things_are_bought_far_more_than_others() {
        let (products, _, purchases) = shop();
        let mut counts = vec![0_u32; products.len()];
        purchases.iter().for_each(|purchase| counts[purchase.product] += 1);
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let top: u32 = counts[..24].iter().sum();
        let share = f64::from(top) / purchases.len() as f64;
        assert!((0.2..0.6).contains(&share), "the most popular tenth has {share}");
    }
}
