//! On the drawn shop, where part of what shoppers love shows only in pictures, models stand in the order that theory
//! gives: who learns from others beats what is the same for all, and of things that nobody has bought yet only those
//! know who look at them.

use std::sync::Arc;

use lookalike::taste::baselines::{Popularity, Random};
use lookalike::taste::{
    BprMf, BprMfSettings, Course, Dvbpr, DvbprSettings, Features, Gallery, Interaction,
    Interactions, Judge, Metric, Model, Ranker, Slice, Split, SplitRule, Start, Training, Vbpr,
    VbprSettings,
};
use lookalike_tools::draw;
use lookalike_tools::shop::product::{Product, products};
use lookalike_tools::shop::shoppers::{Shopper, purchases};

const PRODUCTS: usize = 200;
const SHOPPERS: usize = 900;
/// Of pictures, in pixels.
const SIDE: usize = 32;

struct Shop {
    split: Split,
    gallery: Arc<Gallery>,
    features: Arc<Features>,
}

/// A product's picture, channel by channel.
fn planes(product: &Product) -> Vec<u8> {
    let drawn = draw::picture(&product.look, SIDE as u32).unwrap();
    // What is cut out lies on white.
    let value = |channel: usize| {
        drawn.data().chunks(4).map(move |pixel| pixel[channel].saturating_add(255 - pixel[3]))
    };
    (0..3).flat_map(value).collect()
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
        let split = Split::new(&interactions, SplitRule::Last, 1).with_arrivals(0.15, 1);
        let pictures: Vec<Vec<u8>> = products.iter().map(planes).collect();
        // A frozen network that does nothing: the pixels themselves.
        let pixels = pictures.iter().flatten().map(|&value| f32::from(value)).collect();
        let features = Arc::new(Features::new(pixels, 3 * SIDE * SIDE).centred());
        let gallery = Arc::new(Gallery::new(SIDE, pictures.into_iter().map(Some).collect()));
        Shop { split, gallery, features }
    }

    /// The AUC of items that somebody has bought, and of those that nobody has.
    fn judged(&self, ranker: &dyn Ranker) -> [f64; 2] {
        let slices = vec![Slice::Warm, Slice::Cold];
        let judge = Judge { metrics: vec![Metric::Auc], slices, ..Judge::default() };
        let judged = judge.judge(ranker, &self.split.train, &self.split.test);
        [0, 1].map(|slice| judged[slice].mean(0).unwrap())
    }

    fn trained(&self, mut model: impl Model, epochs: u32) -> [f64; 2] {
        let training = Training { epochs, ..Training::default() };
        let course = training.run(&mut model, &self.split, Course::default(), &mut |_, _| Ok(()));
        self.judged(&*course.unwrap().best.unwrap().learned.ranker())
    }
}

#[test]
fn models_stand_in_the_order_that_theory_gives() {
    let shop = Shop::draw();
    let train = &shop.split.train;
    let random = shop.judged(&Random { seed: 1 });
    let popularity = shop.judged(&Popularity::new(train));
    let bpr_mf = shop.trained(BprMf::new(train, BprMfSettings::default()), 40);
    let settings = VbprSettings {
        start: Start::Chance,
        visual: 20,
        rate: 5e-3,
        lambda: 0.05,
        lambda_looks: 1.0,
        visual_bias: false,
        ..VbprSettings::default()
    };
    let vbpr = shop.trained(Vbpr::new(train, Arc::clone(&shop.features), settings), 20);
    let settings = DvbprSettings {
        side: SIDE,
        thin: 16,
        visual: 20,
        batch: 64,
        rate: 2e-3,
        dropout: 0.0,
        ..DvbprSettings::default()
    };
    let dvbpr = Dvbpr::new(train, Arc::clone(&shop.gallery), settings).unwrap();
    let dvbpr = shop.trained(dvbpr, 6);

    let all = format!(
        "random {random:.3?} popularity {popularity:.3?} bpr-mf {bpr_mf:.3?} vbpr {vbpr:.3?} dvbpr {dvbpr:.3?}"
    );
    println!("{all}");
    let [warm, cold] = [0, 1].map(|slice| move |auc: [f64; 2]| auc[slice]);
    assert!((warm(random) - 0.5).abs() < 0.03, "{all}");
    assert!(warm(popularity) > warm(random) + 0.05, "{all}");
    assert!(warm(bpr_mf) > warm(popularity) + 0.03, "{all}");
    for visual in [vbpr, dvbpr] {
        assert!(warm(visual) > warm(popularity), "{all}");
        assert!(cold(visual) > cold(bpr_mf) + 0.08, "{all}");
        assert!(cold(visual) > cold(popularity) + 0.08, "{all}");
    }
}
