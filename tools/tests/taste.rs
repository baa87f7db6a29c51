//! On the drawn shop, where part of what shoppers love shows only in pictures, models stand in the order that theory
//! gives: who learns from others beats what is the same for all, and of things that nobody has bought yet only those
//! know who look at them.

use std::sync::Arc;

use lookalike::taste::baselines::{Popularity, Random};
use lookalike::taste::{
    BprMf, BprMfSettings, Course, Factors, Features, Interaction, Interactions, Judge, Metric,
    Model, Ranker, Slice, Split, SplitRule, Training, Vbpr, VbprSettings,
};
use lookalike_tools::draw::Kind;
use lookalike_tools::draw::motif::Motif;
use lookalike_tools::draw::pattern::Pattern;
use lookalike_tools::shop::palette;
use lookalike_tools::shop::product::{Product, products};
use lookalike_tools::shop::shoppers::{Shopper, purchases};

const PRODUCTS: usize = 300;
const SHOPPERS: usize = 3000;

struct Shop {
    /// Each shopper's last thing is for the test.
    split: Split,
    /// The same, and a tenth of the products have only just come in.
    arrivals: Split,
    features: Arc<Features>,
}

/// What a network sees that was trained to see such things: the kind, the colour, the print, the emblem and the trim.
fn seen(product: &Product) -> Vec<f32> {
    let design = &product.design;
    let is = |same: bool| f32::from(u8::from(same));
    let kinds = Kind::ALL.iter().map(|&kind| is(kind == design.kind));
    let colours = palette::families().into_iter().map(|family| is(family == product.shade.family));
    let prints = Pattern::ALL.iter().map(|&print| is(print == design.pattern));
    let emblems = Motif::ALL.iter().map(|&emblem| is(Some(emblem) == design.motif));
    kinds.chain(colours).chain(prints).chain(emblems).chain([is(design.trimmed)]).collect()
}

impl Shop {
    fn draw() -> Self {
        let products = products(1, PRODUCTS);
        let shoppers: Vec<Shopper> = (0..SHOPPERS).map(|index| Shopper::new(1, index)).collect();
        let bought = purchases(1, PRODUCTS, &shoppers, &products).into_iter().enumerate();
        let rows = bought.map(|(row, bought)| Interaction {
            time: Some(bought.at.0 as i64),
            row: row as u64,
            ..Interaction::new(&shoppers[bought.shopper].id, bought.product as u32)
        });
        let interactions = Interactions::new((0..PRODUCTS as u32).collect(), rows);
        let split = Split::new(&interactions, SplitRule::Last, 1);
        let arrivals = split.with_arrivals(0.1, 1);
        let dimension = seen(&products[0]).len();
        let features = Features::new(products.iter().flat_map(seen).collect(), dimension);
        let features = Arc::new(features.centred());
        Shop { split, arrivals, features }
    }

    /// The AUC of all items, and of those that nobody has bought yet where a tenth has only just come in.
    fn judged(&self, ranker: impl Fn(&Split) -> Box<dyn Ranker + '_>) -> Auc {
        let auc = |split: &Split, slice: Slice| {
            let judge =
                Judge { metrics: vec![Metric::Auc], slices: vec![slice], ..Judge::default() };
            judge.judge(&*ranker(split), &split.train, &split.test)[0].mean(0).unwrap()
        };
        Auc { all: auc(&self.split, Slice::All), new: auc(&self.arrivals, Slice::Cold) }
    }
}

/// How a model does.
#[derive(Debug, Clone, Copy)]
struct Auc {
    all: f64,
    new: f64,
}

/// At its best on the validation.
fn trained(mut model: impl Model, split: &Split, epochs: u32) -> Factors {
    let training = Training { epochs, ..Training::default() };
    let course = training.run(&mut model, split, Course::default(), &mut |_, _| Ok(())).unwrap();
    course.best.unwrap().learned.factors
}

#[test]
fn models_stand_in_the_order_that_theory_gives() {
    let shop = Shop::draw();
    let random = shop.judged(|_| Box::new(Random { seed: 1 }));
    let popularity = shop.judged(|split| Box::new(Popularity::new(&split.train)));
    let bpr_mf = shop.judged(|split| {
        let model = BprMf::new(&split.train, BprMfSettings::default());
        Box::new(Owned(trained(model, split, 40)))
    });
    let vbpr = shop.judged(|split| {
        let settings = VbprSettings {
            visual: 32,
            rate: 5e-3,
            lambda: 0.03,
            lambda_looks: 0.1,
            strength: 2.0,
            ..VbprSettings::default()
        };
        let model = Vbpr::new(&split.train, Arc::clone(&shop.features), settings);
        Box::new(Owned(trained(model, split, 20)))
    });
    let all = format!(
        "random {random:.3?} popularity {popularity:.3?} bpr-mf {bpr_mf:.3?} vbpr {vbpr:.3?}"
    );
    println!("{all}");
    assert!((random.all - 0.5).abs() < 0.03, "{all}");
    assert!(popularity.all > random.all + 0.1, "{all}");
    assert!(bpr_mf.all > popularity.all + 0.02, "{all}");
    assert!(vbpr.all > popularity.all + 0.02, "{all}");
    assert!((bpr_mf.new - 0.5).abs() < 0.06 && popularity.new < 0.4, "{all}");
    assert!(vbpr.new > bpr_mf.new + 0.08, "{all}");
}

/// Factors that rank by themselves.
struct Owned(Factors);

impl Ranker for Owned {
    fn score(&self, users: &[u32], scores: &mut [f32]) {
        self.0.ranker().score(users, scores);
    }
}
