//! Reviews: stars for what was bought, and words that feel as the stars do.

use crate::seed::Rng;

use super::calendar::{DAY, DAYS, Moment, OPENING};
use super::product::Product;
use super::range::Range;
use super::shoppers::{Purchase, Shopper};

/// A shopper's verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Review {
    /// The shopper's position.
    pub shopper: usize,
    /// The product's position in the catalogue.
    pub product: usize,
    /// 1 to 5.
    pub stars: u8,
    /// Some words, or none.
    pub text: String,
    /// When.
    pub at: Moment,
}

/// Verdicts on some two thirds of what was bought, each thing once a shopper.
pub fn reviews(
    seed: u64,
    shoppers: &[Shopper],
    products: &[Product],
    purchases: &[Purchase],
) -> Vec<Review> {
    let mut reviews: Vec<Review> = Vec::new();
    for (number, purchase) in purchases.iter().enumerate() {
        let mut rng = Rng::new(seed, "review", number as u64);
        // Purchases stand shopper by shopper, so that an earlier verdict of this shopper is near the end.
        let told = reviews
            .iter()
            .rev()
            .take_while(|review| review.shopper == purchase.shopper)
            .any(|review| review.product == purchase.product);
        if told || !rng.chance(0.68) {
            continue;
        }
        let product = &products[purchase.product];
        let stars = shoppers[purchase.shopper].stars(product, &mut rng);
        let text = if rng.chance(0.8) { words(&mut rng, product, stars) } else { String::new() };
        let end = OPENING + DAYS * DAY - 1;
        let at = Moment((purchase.at.0 + DAY * (2 + rng.below(20) as u64)).min(end));
        reviews.push(Review {
            shopper: purchase.shopper,
            product: purchase.product,
            stars,
            text,
            at,
        });
    }
    reviews
}

/// The phrases of one mood: a beginning, remarks for each part of the shop, and an end.
struct Mood {
    openings: &'static [&'static str],
    remarks: &'static [&'static str],
    wear: &'static [&'static str],
    home: &'static [&'static str],
    endings: &'static [&'static str],
}

const DELIGHTED: Mood = Mood {
    openings: &[
        "Absolutely love this {noun}!",
        "Even better than in the picture.",
        "Best thing I have bought all year.",
        "I am delighted.",
        "Perfect, from the parcel to the last detail.",
        "A wonderful {noun}.",
    ],
    remarks: &[
        "The {material} feels superb.",
        "Beautifully made, not a loose thread or chip anywhere.",
        "The {colour} is gorgeous.",
        "Worth every penny.",
        "It arrived early and carefully packed.",
        "{brand} never lets me down.",
    ],
    wear: &[
        "It fits like a dream.",
        "I have worn it three days running.",
        "Strangers keep paying me compliments on it.",
    ],
    home: &[
        "It lifts the whole room.",
        "Guests ask where I found it.",
        "It looks lovely in the morning light.",
    ],
    endings: &["I will buy another.", "Highly recommended.", "Ten out of ten.", "Thank you!", ""],
};

const PLEASED: Mood = Mood {
    openings: &[
        "Very happy with this {noun}.",
        "A good buy.",
        "Really nice, with one small quibble.",
        "Just what I was looking for.",
        "Pleased with it.",
        "Good quality.",
    ],
    remarks: &[
        "The {material} is nice to the touch.",
        "The {colour} is true to the picture.",
        "Solid work by {brand}.",
        "Delivery took a day longer than promised, no harm done.",
        "Fair for the price.",
    ],
    wear: &[
        "Comfortable from the start.",
        "A touch long, otherwise right.",
        "Goes with most of what I own.",
    ],
    home: &[
        "It looks good on the shelf.",
        "Slightly smaller than I thought, still charming.",
        "It suits our flat.",
    ],
    endings: &["I would buy it again.", "Recommended.", "Nearly perfect.", ""],
};

const TORN: Mood = Mood {
    openings: &[
        "It is all right.",
        "Not bad, not great.",
        "I am in two minds about this {noun}.",
        "Decent enough.",
        "A mixed bag.",
        "Average.",
    ],
    remarks: &[
        "The {colour} is nice but the {material} is thinner than I hoped.",
        "Fine, though a little dear for what it is.",
        "Good idea, so-so finish.",
        "It does its job.",
        "I expected a bit more from {brand}.",
    ],
    wear: &["The fit is acceptable.", "Looks good, pinches a little.", "Okay for the weekend."],
    home: &[
        "It is fine from a distance.",
        "Pretty, but it wobbles slightly.",
        "It does for the spare room.",
    ],
    endings: &["I might keep it.", "Undecided.", "Could be better, could be worse.", ""],
};

const DISAPPOINTED: Mood = Mood {
    openings: &[
        "Disappointing.",
        "Not what I expected.",
        "I wanted to like this {noun}, but no.",
        "Sadly below par.",
        "Would not buy again.",
        "Looks better online than in the hand.",
    ],
    remarks: &[
        "The {material} feels cheap.",
        "The {colour} is duller than shown.",
        "Poor finish around the edges.",
        "Overpriced.",
        "It arrived late and creased.",
        "I thought better of {brand}.",
    ],
    wear: &[
        "It runs small and digs in.",
        "It lost its shape after one wash.",
        "Uncomfortable after an hour.",
    ],
    home: &[
        "It wobbles and I gave up on it.",
        "There was a scratch on the front.",
        "It looks out of place everywhere.",
    ],
    endings: &["I am sending it back.", "A pity.", "Not recommended.", ""],
};

const ANGRY: Mood = Mood {
    openings: &[
        "Terrible.",
        "A waste of money.",
        "Awful {noun}, avoid.",
        "I have rarely been this annoyed by a parcel.",
        "Broken within a week.",
        "Worst purchase in ages.",
    ],
    remarks: &[
        "The {material} fell apart.",
        "The {colour} came off on everything.",
        "Shoddy work from start to finish.",
        "Nobody answered my complaint.",
        "It smelled of chemicals.",
        "{brand} should be ashamed.",
    ],
    wear: &[
        "The seams burst on the first day.",
        "Horribly uncomfortable.",
        "The sizes are pure fantasy.",
    ],
    home: &["It came in pieces.", "It cracked the first time we used it.", "Ugly and unsafe."],
    endings: &["I want my money back.", "Never again.", "Zero stars if I could.", ""],
};

fn words(rng: &mut Rng, product: &Product, stars: u8) -> String {
    let mood = match stars {
        5 => &DELIGHTED,
        4 => &PLEASED,
        3 => &TORN,
        2 => &DISAPPOINTED,
        _ => &ANGRY,
    };
    let design = &product.design;
    let range = Range::of(design.kind);
    let fitting = if range.category == "home" { mood.home } else { mood.wear };
    let mut sentences = vec![*rng.pick(mood.openings)];
    if rng.chance(0.8) {
        sentences.push(*rng.pick(mood.remarks));
    }
    if rng.chance(0.6) {
        sentences.push(*rng.pick(fitting));
    }
    sentences.push(*rng.pick(mood.endings));
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
        .join(" ")
        .replace("{noun}", range.kind)
        .replace("{material}", design.material)
        .replace("{colour}", product.shade.name)
        .replace("{brand}", design.brand)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::shop::product::products;
    use crate::shop::shoppers::{SHELF, purchases};

    fn shop() -> (Vec<Product>, Vec<Shopper>, Vec<Review>) {
        let products = products(1, 240);
        let shoppers: Vec<_> = (0..600).map(|index| Shopper::new(1, index)).collect();
        let purchases = purchases(1, SHELF, &shoppers, &products);
        let reviews = reviews(1, &shoppers, &products, &purchases);
        (products, shoppers, reviews)
    }

    #[test]
    fn all_stars_occur_and_the_mean_is_that_of_a_shop() {
        let (_, _, reviews) = shop();
        let count = |stars| reviews.iter().filter(|review| review.stars == stars).count();
        for stars in 1..=5 {
            assert!(count(stars) * 40 > reviews.len(), "{} of {stars} stars", count(stars));
        }
        let mean = reviews.iter().map(|review| f64::from(review.stars)).sum::<f64>()
            / reviews.len() as f64;
        assert!((3.4..4.2).contains(&mean), "{mean}");
    }

    #[test]
    fn the_emblem_a_shopper_loves_earns_stars() {
        let (products, shoppers, reviews) = shop();
        let mean = |loved: bool| {
            let stars: Vec<f64> = reviews
                .iter()
                .filter(|r| {
                    (products[r.product].design.motif == Some(shoppers[r.shopper].motif)) == loved
                })
                .map(|review| f64::from(review.stars))
                .collect();
            stars.iter().sum::<f64>() / stars.len() as f64
        };
        assert!(mean(true) > mean(false) + 0.4, "{} against {}", mean(true), mean(false));
    }

    #[test]
    fn words_vary_and_feel_as_the_stars_do() {
        let (_, _, reviews) = shop();
        let worded: Vec<_> = reviews.iter().filter(|review| !review.text.is_empty()).collect();
        let different: HashSet<_> = worded.iter().map(|review| &review.text).collect();
        assert!(different.len() * 10 > worded.len() * 7, "{} of {}", different.len(), worded.len());
        // Words from outside this file: a reader's short list of what praise and blame sound like.
        let praise =
            ["love", "perfect", "wonderful", "lovely", "delighted", "gorgeous", "happy", "superb"];
        let blame = [
            "waste",
            "terrible",
            "awful",
            "cheap",
            "disappointing",
            "poor",
            "broken",
            "never again",
        ];
        let balance = |stars: u8| {
            let texts = worded.iter().filter(|review| review.stars == stars);
            texts
                .map(|review| {
                    let text = review.text.to_lowercase();
                    let hits =
                        |list: &[&str]| list.iter().filter(|word| text.contains(**word)).count();
                    hits(&praise) as i64 - hits(&blame) as i64
                })
                .sum::<i64>()
        };
        assert!(balance(5) > 0 && balance(4) > 0 && balance(2) < 0 && balance(1) < 0);
    }

    #[test]
    fn nobody_reviews_the_same_thing_twice() {
        let (_, _, reviews) = shop();
        let pairs: HashSet<_> =
            reviews.iter().map(|review| (review.shopper, review.product)).collect();
        assert_eq!(pairs.len(), reviews.len());
    }
}
