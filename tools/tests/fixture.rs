//! The committed shop is what its generator draws, to the byte, and stays small.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lookalike_tools::shop::{self, Settings};

/// What the committed shop may weigh in all.
const LIMIT: u64 = 2_000_000;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/shop")
}

/// Every file below a folder but the README, by its path within the folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if !path.ends_with("README.md") {
                found.insert(
                    path.strip_prefix(folder).unwrap().to_owned(),
                    fs::read(&path).unwrap(),
                );
            }
        }
    }
    found
}

fn draw(settings: &Settings) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    shop::draw(folder.path(), settings).unwrap();
    files(folder.path())
}

#[test]
fn the_committed_shop_is_the_drawn_one() {
    let (drawn, committed) = (draw(&Settings::default()), files(&committed()));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&drawn), names(&committed));
    let stale: Vec<_> = drawn.iter().filter(|(name, bytes)| committed[*name] != **bytes).collect();
    let stale: Vec<_> = stale.iter().map(|(name, _)| name).collect();
    assert!(stale.is_empty(), "fixtures/shop differs from what draw-shop draws: {stale:?}");
}

#[test]
fn the_committed_shop_stays_small() {
    let size: u64 = files(&committed()).values().map(|bytes| bytes.len() as u64).sum();
    assert!(size < LIMIT, "{size} bytes");
}

#[test]
fn every_committed_picture_opens_at_its_size_and_in_the_format_of_its_name() {
    let mut formats = BTreeMap::new();
    for (name, bytes) in files(&committed()) {
        let Ok(format) = image::ImageFormat::from_path(&name) else { continue };
        let picture = image::load_from_memory_with_format(&bytes, format).unwrap();
        assert_eq!((picture.width(), picture.height()), (224, 224), "{}", name.display());
        *formats.entry(format!("{format:?}")).or_insert(0) += 1;
    }
    assert_eq!(formats.values().sum::<i32>(), 240);
    assert_eq!(formats.len(), 3, "{formats:?}");
}

#[test]
fn the_number_of_threads_changes_nothing_and_the_seed_everything() {
    let settings = Settings { products: 70, shoppers: 20, side: Some(64), ..Settings::default() };
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| draw(&settings))
    };
    assert_eq!(on(1), on(3));
    let other = draw(&Settings { seed: 2, ..settings.clone() });
    assert_ne!(on(1)[Path::new("catalogue.csv")], other[Path::new("catalogue.csv")]);
}

#[test]
fn a_shop_without_pictures_names_none() {
    let settings = Settings { products: 30, shoppers: 5, side: None, ..Settings::default() };
    let drawn = draw(&settings);
    assert!(drawn.keys().all(|name| name.extension().is_some_and(|extension| extension == "csv")));
    let mut catalogue = csv::Reader::from_reader(&drawn[Path::new("catalogue.csv")][..]);
    assert!(!catalogue.headers().unwrap().iter().any(|column| column == "image"));
    assert_eq!(catalogue.records().map(Result::unwrap).count(), 30);
}

#[test]
fn every_purchase_and_review_is_of_a_known_item_by_a_known_shopper() {
    let column = |file: &str, name: &str| -> Vec<String> {
        let mut table = csv::Reader::from_path(committed().join(file)).unwrap();
        let at = table.headers().unwrap().iter().position(|column| column == name).unwrap();
        table.records().map(|row| row.unwrap()[at].to_owned()).collect()
    };
    let (items, users) = (column("catalogue.csv", "sku"), column("shoppers.csv", "id"));
    assert_eq!(column("hidden.csv", "sku"), items);
    for file in ["purchases.csv", "reviews.csv"] {
        assert!(column(file, "item").iter().all(|item| items.contains(item)), "{file}");
        assert!(column(file, "user").iter().all(|user| users.contains(user)), "{file}");
    }
}

/// The text columns are all that a model without eyes has; the hidden file must not be joined to them.
#[test]
fn the_catalogue_has_no_column_of_what_is_hidden() {
    let headers = |file: &str| -> Vec<String> {
        let mut table = csv::Reader::from_path(committed().join(file)).unwrap();
        table.headers().unwrap().iter().map(str::to_owned).collect()
    };
    let catalogue = headers("catalogue.csv");
    for hidden in headers("hidden.csv").iter().filter(|column| *column != "sku") {
        assert!(!catalogue.contains(hidden), "{hidden}");
    }
}
