//! ACF against PyTorch (`tools/golden/profiles.py`).

use super::*;
use crate::encode::image::seeded::parameter;
use crate::taste::profile::tests::{
    assert_close, assert_moved, batch, features, golden, values, weights,
};

/// Whole pictures, and pictures cut into tiles.
fn sights() -> [(&'static str, Sight); 2] {
    let tiles = values(&parameter("profiles.tiles", &[6, 4, 3]));
    let tiles = Sight::Tiles(Arc::new(Tiles::new(tiles, 4, 3)));
    [("acf", Sight::Whole(Arc::new(features()))), ("acf.tiles", tiles)]
}

#[test]
fn the_loss_its_gradients_and_a_step_are_pytorchs() {
    for (name, sight) in sights() {
        let golden = golden(name);
        let (history, triples, batch) = batch();
        let settings = AcfSettings {
            latent: 5,
            attention: 6,
            rate: 1e-3,
            rate_tables: 1e-3,
            lambda: 0.0,
            ..AcfSettings::default()
        };
        let mut model = Acf::new(sight, &history, settings).unwrap();
        model.attention.parameters.restore(&weights(name, &golden["shapes"])).unwrap();
        let tables = weights(name, &golden["tables"]);
        model.users = Table::new(5, tables["users"].values.clone(), 3);
        model.items = Table::new(10, tables["items"].values.clone(), 6);
        // The batch names every user and every item once, in order.
        let var = |table: &Table, width: usize, rows: &[u32]| {
            Var::from_tensor(&Acf::rows(table, width, rows).unwrap()).unwrap()
        };
        let (g, pairs) = (var(&model.users, 5, &[0, 1, 2]), var(&model.items, 10, &batch.items));
        let gradients = model.loss(&g, &pairs, &batch).unwrap().backward().unwrap();
        let tables = [("users".to_owned(), g), ("items".to_owned(), pairs)];
        for (part, var) in model.attention.parameters.iter().chain(tables) {
            let ours = values(gradients.get(&var).unwrap());
            assert_close(&format!("{name}, {part}, gradient"), &ours, &golden["gradients"][&part]);
        }
        let loss = model.step(&triples, &batch).unwrap();
        assert!((loss / golden["loss"].as_f64().unwrap() - 1.0).abs() < 1e-5, "{name}: {loss}");
        for (part, var) in model.attention.parameters.iter() {
            assert_moved(&part, &values(&var), &golden);
        }
        assert_moved("users", model.users.values(), &golden);
        assert_moved("items", model.items.values(), &golden);
    }
}

#[test]
fn a_run_that_was_interrupted_goes_on_as_if_it_had_not_been_on_any_number_of_threads() {
    let (history, _, _) = batch();
    let settings = AcfSettings { latent: 4, attention: 3, batch: 2, ..AcfSettings::default() };
    let on = |which: usize, threads: usize, cut: bool| {
        let start = || {
            let (_, sight) = sights().into_iter().nth(which).unwrap();
            Acf::new(sight, &history, settings.clone()).unwrap()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut model = start();
            model.epoch(&history, 5, 0).unwrap();
            if cut {
                let state = model.state().unwrap();
                model = start();
                model.restore(&state).unwrap();
            }
            model.epoch(&history, 5, 1).unwrap();
            (model.state().unwrap(), model.learned().unwrap().factors)
        })
    };
    for which in [0, 1] {
        let whole = on(which, 1, false);
        assert!(whole == on(which, 1, true) && whole == on(which, 3, false), "{which}");
    }
}
