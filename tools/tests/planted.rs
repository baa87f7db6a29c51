//! On planted shoppers the four ways to aggregate pictures come out in the order in which the published study found
//! averaging, one attention block and two of them with context gating.

use std::sync::Arc;

use lookalike::taste::aggregation::{Aggregation, AggregationSettings, Variant, measure};
use lookalike_tools::planted::Planted;

/// F1 of 15 categories, on shoppers that the model has not seen.
fn f1(planted: &Planted, pooling: Variant, epochs: u32) -> f64 {
    let (train, test) = planted.parts();
    let settings =
        AggregationSettings { hidden: 256, rate: 3e-3, ..AggregationSettings::of(pooling) };
    let categories = planted.labels.inventory();
    let mut model = Aggregation::new(Arc::clone(&planted.features), categories, settings).unwrap();
    for epoch in 0..epochs {
        model.learn(&train, &planted.labels, 1, epoch).unwrap();
    }
    let at_15 = measure(&model, &test, &planted.labels).unwrap()[2];
    assert_eq!(at_15.at, 15);
    at_15.f1
}

#[test]
fn attention_beats_the_average_and_two_gated_blocks_beat_one() {
    let planted = Planted::draw(3000, 128, 1);
    let [average, one, gated] =
        [Variant::Average, Variant::One, Variant::Gated].map(|v| f1(&planted, v, 160));
    assert!(average < one && one < gated, "{average:.3} {one:.3} {gated:.3}");
    // Learned to the end, the distance is that of `tools/bench sets`.
    assert!(gated - average > 0.1, "{average:.3} {gated:.3}");
}
