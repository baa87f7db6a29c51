//! Products. Flowing in: the seed and a group's number. Flowing out: the group's variants, each with
//! what the catalogue says of it and what only its picture shows.

use crate::draw::backdrop::{Backdrop, WALLS};
use crate::draw::motif::Motif;
use crate::draw::pattern::Pattern;
use crate::draw::{Kind, Look};
use crate::seed::Rng;

use super::palette::{SHADES, Shade};
use super::range::Range;
use super::words;

/// The seasons a thing is for.
pub const SEASONS: [&str; 5] = ["spring", "summer", "autumn", "winter", "all year"];
/// The years from which the shop's things stem; the last is the year in which its records end.
pub const YEARS: std::ops::RangeInclusive<u16> = 2023..=2025;

/// The houses that make the shop's things, and where their prices lie between a kind's cheapest and dearest.
pub const BRANDS: [(&str, f64); 10] = [
    ("Brindle", 0.10),
    ("Harbour Lane", 0.20),
    ("Tansy Row", 0.25),
    ("Oakfold", 0.35),
    ("Linnet", 0.40),
    ("Juniper Yard", 0.50),
    ("Northlight", 0.55),
    ("Saltmarsh", 0.65),
    ("Petit Quai", 0.75),
    ("Maren & Holt", 0.90),
];

/// What a group's variants have in common.
#[derive(Debug, Clone)]
pub struct Design {
    /// The group's key.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// Which of the kind's three cuts.
    pub cut: usize,
    /// Its print.
    pub pattern: Pattern,
    /// What it is made of.
    pub material: &'static str,
    /// The name that the brand gave it.
    pub name: String,
    /// Its brand.
    pub brand: &'static str,
    /// What it is for: one of [`SEASONS`].
    pub season: &'static str,
    /// The year in which it came into the shop.
    pub year: u16,
    /// Its price in pence.
    pub pence: u32,
    /// How the title is put together.
    pub template: usize,
    /// Whether cuffs, soles and hems stand out. Only the picture shows it.
    pub trimmed: bool,
    /// The emblem. Only the picture shows it.
    pub motif: Option<Motif>,
    /// How large its print is.
    weave: f32,
    /// How well it is made, around 0. Only reviews tell.
    pub quality: f64,
}

/// One row of the catalogue.
#[derive(Debug, Clone)]
pub struct Product {
    /// Its key.
    pub sku: String,
    /// What it shares with its variants.
    pub design: Design,
    /// Its main colour.
    pub shade: &'static Shade,
    /// Its title.
    pub title: String,
    /// Its description.
    pub description: String,
    /// Words by which it is found.
    pub tags: Vec<&'static str>,
    /// Whether none is left.
    pub sold_out: bool,
    /// Whether nobody has bought it yet.
    pub cold: bool,
    /// How much everybody wants it; a few things are wanted far more than the rest.
    pub appeal: f64,
    /// Its picture's file name.
    pub image: String,
    /// What its picture shows.
    pub look: Look,
}

/// The shop's first `count` products. A smaller shop is the beginning of a larger one.
pub fn products(seed: u64, count: usize) -> Vec<Product> {
    let mut products = Vec::with_capacity(count + 3);
    let mut group = 0;
    while products.len() < count {
        variants(seed, group, &mut products);
        group += 1;
    }
    products.truncate(count);
    products
}

fn variants(seed: u64, group: u64, products: &mut Vec<Product>) {
    let mut rng = Rng::new(seed, "group", group);
    let design = Design::new(&mut rng, group);
    let count = 1 + rng.weighted(&[0.35, 0.30, 0.20, 0.15]);
    let mut shades: Vec<&'static Shade> = SHADES.iter().collect();
    for variant in 0..count {
        let shade = shades.swap_remove(rng.below(shades.len()));
        let position = products.len();
        products.push(Product::new(&mut rng, design.clone(), shade, variant, position));
    }
}

impl Design {
    fn new(rng: &mut Rng, group: u64) -> Self {
        let kind = Kind::ALL[(group % 16) as usize];
        let range = Range::of(kind);
        let &(brand, level) = rng.pick(&BRANDS);
        let (low, high) = range.prices;
        // Prices end in 9.00, 9.50 or 9.90, the dear ones in whole pounds.
        let level = (level + rng.between(-0.1, 0.1)).clamp(0.0, 1.0);
        let pounds = (low + (high - low) * level * level.sqrt()) as u32;
        let pence = pounds * 100 + if pounds < 60 { *rng.pick(&[0, 50, 90, 95]) } else { 0 };
        let years = usize::from(YEARS.end() - YEARS.start()) + 1;
        Self {
            key: format!("{}{group:05}", range.code),
            kind,
            cut: rng.below(3),
            pattern: Pattern::ALL[rng.weighted(&[0.30, 0.12, 0.10, 0.12, 0.10, 0.08, 0.08, 0.10])],
            material: *rng.pick(&range.materials),
            name: words::style_name(rng),
            brand,
            season: SEASONS[rng.weighted(&[0.18, 0.18, 0.18, 0.18, 0.28])],
            year: YEARS.start() + rng.weighted(&[0.4, 0.35, 0.25]).min(years - 1) as u16,
            pence,
            template: rng.below(words::TEMPLATES),
            trimmed: rng.chance(0.4),
            motif: rng.chance(0.72).then(|| *rng.pick(&Motif::ALL)),
            weave: *rng.pick(&[0.8, 1.0, 1.25]),
            quality: rng.normal(),
        }
    }
}

impl Product {
    fn new(
        rng: &mut Rng,
        design: Design,
        shade: &'static Shade,
        variant: usize,
        position: usize,
    ) -> Self {
        let backdrop = match position % 60 {
            // What is cut out needs a format that knows transparency, and is small without a backdrop.
            17 | 37 => Backdrop::CutOut,
            _ => *rng.pick(&[Backdrop::Studio, Backdrop::Disc, Backdrop::Arch, Backdrop::Split]),
        };
        let format = match position % 60 {
            17 => "png",
            37 => "webp",
            _ => "jpg",
        };
        let [second, third, _] = shade.partners();
        let look = Look {
            kind: design.kind,
            cut: design.cut,
            colours: [shade.rgb, second, third],
            pattern: design.pattern,
            weave: design.weave,
            motif: design.motif,
            trim: design.trimmed.then_some(if rng.chance(0.5) { second } else { third }),
            backdrop,
            wall: *rng.pick(&WALLS),
        };
        let sku = format!("{}-{}", design.key, variant + 1);
        Self {
            title: words::title(&design, shade),
            description: words::description(rng, &design, shade),
            tags: words::tags(rng, &design),
            sold_out: rng.chance(0.08),
            cold: rng.chance(0.06),
            appeal: 1.0 / (0.08 + rng.unit()),
            image: format!("pictures/{sku}.{format}"),
            sku,
            design,
            shade,
            look,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn a_smaller_shop_is_the_beginning_of_a_larger_one() {
        let (small, large) = (products(1, 50), products(1, 300));
        for (a, b) in small.iter().zip(&large) {
            assert_eq!((&a.sku, &a.title, &a.look), (&b.sku, &b.title, &b.look));
        }
    }

    #[test]
    fn variants_of_a_group_differ_in_colour_and_in_nothing_that_makes_the_design() {
        let products = products(1, 2_000);
        let mut groups: HashMap<&str, Vec<&Product>> = HashMap::new();
        for product in &products {
            groups.entry(&product.design.key).or_default().push(product);
        }
        assert!(groups.values().filter(|group| group.len() > 1).count() > 300);
        for (key, group) in groups {
            let colours: HashSet<_> = group.iter().map(|product| product.shade.name).collect();
            assert_eq!(colours.len(), group.len(), "{key} has a colour twice");
            let first = group[0];
            // The title in words without its colour, which may itself be two words.
            let stem = |product: &Product| {
                let words = product.title.to_lowercase().replace(',', " ,");
                format!(" {words} ").replacen(&format!(" {} ", product.shade.name), " * ", 1)
            };
            for other in &group[1..] {
                assert_eq!(stem(first), stem(other));
                assert_eq!(
                    (first.look.kind, first.look.cut, first.look.pattern, first.look.motif),
                    (other.look.kind, other.look.cut, other.look.pattern, other.look.motif),
                );
                assert_eq!(first.look.trim.is_some(), other.look.trim.is_some());
                assert_eq!(first.design.pence, other.design.pence);
                assert_eq!(first.design.brand, other.design.brand);
            }
        }
    }

    #[test]
    fn titles_stay_diverse_in_a_large_shop() {
        let products = products(1, 20_000);
        let titles: HashSet<_> = products.iter().map(|product| &product.title).collect();
        assert!(titles.len() > 18_000, "{} titles for 20,000 products", titles.len());
        let keys: HashSet<_> = products.iter().map(|product| &product.sku).collect();
        assert_eq!(keys.len(), products.len());
    }

    #[test]
    fn the_text_tells_nothing_of_emblem_and_trim() {
        let hidden: HashSet<&str> = Motif::ALL
            .iter()
            .map(|motif| motif.name())
            .chain(["hearts", "stars", "anchors", "cats", "moons", "leaves", "kitten", "crescent"])
            .chain([
                "emblem",
                "motif",
                "badge",
                "embroidered",
                "trim",
                "trimmed",
                "contrast",
                "contrasting",
            ])
            .chain(["studio", "disc", "arch", "backdrop"])
            .collect();
        for product in products(1, 5_000) {
            let text = format!("{} {} {:?}", product.title, product.description, product.tags);
            for word in text.to_lowercase().split(|letter: char| !letter.is_alphabetic()) {
                assert!(!hidden.contains(word), "{word:?} in {text:?}");
            }
        }
    }

    /// Not the words only: nothing that the text says lets one guess the emblem better than chance.
    #[test]
    fn the_text_does_not_foretell_the_emblem() {
        let products = products(1, 20_000);
        let with = |holds: &dyn Fn(&Product) -> bool| {
            let those: Vec<_> = products.iter().filter(|product| holds(product)).collect();
            let hearts = those.iter().filter(|p| p.design.motif == Some(Motif::Heart)).count();
            hearts as f64 / those.len() as f64
        };
        let overall = with(&|_| true);
        for pattern in Pattern::ALL {
            let share = with(&|product| product.design.pattern == pattern);
            assert!((share - overall).abs() < 0.05, "{pattern:?} {share} {overall}");
        }
        for shade in &SHADES {
            let share = with(&|product| product.shade.name == shade.name);
            assert!((share - overall).abs() < 0.05, "{} {share} {overall}", shade.name);
        }
    }
}
