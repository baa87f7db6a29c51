//! CuratorNet against PyTorch (`tools/golden/profiles.py`).

use super::*;
use crate::taste::profile::tests::{assert_close, batch, features, golden, values, weights};

fn settings() -> CuratorNetSettings {
    CuratorNetSettings { visual: 5, hidden: 6, ..CuratorNetSettings::default() }
}

#[test]
fn the_loss_its_gradients_and_a_step_are_pytorchs() {
    let golden = golden("curatornet");
    let network = Curator::new(7, &settings()).unwrap();
    network.parameters.restore(&weights("curatornet", &golden["shapes"])).unwrap();
    let (_, _, batch) = batch();
    let loss = network.loss(&scaled(&features(), &batch.items).unwrap(), &batch).unwrap();
    let theirs = golden["loss"].as_f64().unwrap();
    assert!((f64::from(loss.to_scalar::<f32>().unwrap()) / theirs - 1.0).abs() < 1e-5);
    let mut gradients = loss.backward().unwrap();
    for (name, var) in network.parameters.iter() {
        let ours = values(gradients.get(&var).unwrap());
        assert_close(&name, &ours, &golden["gradients"][&name]);
    }
    let mut adam = Adam::new(network.parameters.iter(), AdamSettings::default());
    adam.step(&mut gradients).unwrap();
    for (name, var) in network.parameters.iter() {
        assert_close(&format!("{name} after"), &values(&var), &golden["after"][&name]);
    }
}

/// What is served of a visitor who likes what a user took is what the user has.
#[test]
fn strangers_are_told_as_users_are_and_new_items_as_old_ones() {
    let (history, _, _) = batch();
    let features = features().centred();
    let raw = super::super::profile::tests::features();
    let material = Material::bare(&[0, 1, 2, 3, 4, 5], Some(features));
    let mut model = settings().build(&material, &history, 1).unwrap();
    model.epoch(&history, 1, 0).unwrap();
    let learned = model.learned().unwrap();
    let insight = learned.insight.as_ref().unwrap();
    let state = insight.state();
    let again = settings().insight(&state, &material).unwrap().unwrap();
    for insight in [insight, &again] {
        let feature = raw.row(3).to_vec();
        let picture = || Ok(None);
        let looks = Looks { feature: Some(&feature), picture: &picture };
        let item = insight.item(&looks).unwrap().unwrap();
        let liked: Vec<Liked> = (history.of(0).iter())
            .map(|&item| Liked { vector: None, feature: Some(raw.row(item).to_vec()) })
            .collect();
        let visitor = insight.visitor(&liked).unwrap().unwrap();
        for (ours, theirs) in [(item, learned.factors.item(3)), (visitor, learned.factors.user(0))]
        {
            for (a, b) in ours.iter().zip(theirs) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}
