//! The life of a collection: filled, brought up to date, interrupted, read while it is written.

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use image::RgbImage;
use lookalike::catalogue::{Entry, Item, Rejection};
use lookalike::collection::{Collection, Error};
use lookalike::encode::{self, Embedding, Encoder, Identity, ImageEncoder, Pixels};
use lookalike::{Indexer, Modality, Query};
use support::{Both, Colours, entries, item, pictured};

const RED: [u8; 3] = [200, 20, 20];
const GREEN: [u8; 3] = [20, 200, 20];
const BLUE: [u8; 3] = [20, 20, 200];

fn three(directory: &Path) -> Vec<Item> {
    vec![
        pictured("a", 1, "red shirt", RED, directory),
        pictured("b", 2, "green shirt", GREEN, directory),
        pictured("c", 3, "blue mug", BLUE, directory),
    ]
}

fn keys(collection: &Collection, query: Query) -> Vec<String> {
    collection.search(&query).unwrap().hits.into_iter().map(|hit| hit.item.key).collect()
}

fn ledger(collection: &Collection) -> Vec<Rejection> {
    collection.ledger().unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_second_run_embeds_nothing_and_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let first = both.index(&path, three(dir.path()));
    assert_eq!((first.added, first.items, first.generation, first.published), (3, 3, 1, true));
    assert_eq!(both.encoded(), (3, 3));
    let second = both.index(&path, three(dir.path()));
    assert_eq!((second.added, second.updated, second.removed), (0, 0, 0));
    assert_eq!((second.generation, second.published), (1, false));
    assert_eq!(both.encoded(), (3, 3));
}

#[test]
fn only_what_changed_is_embedded_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let mut items = three(dir.path());
    items[1] = pictured("b", 2, "yellow shirt", [200, 200, 20], dir.path());
    items[2].fields.insert("price".into(), "9.50".into());
    let report = both.index(&path, items);
    assert_eq!((report.added, report.updated), (0, 2));
    assert_eq!(both.encoded(), (4, 4), "one picture and one text differ; a price is not embedded");
    let collection = both.open(&path);
    assert_eq!(keys(&collection, Query::new().text("yellow"))[0], "b");
    let mug = collection.item(collection.id_of("c").unwrap().unwrap()).unwrap().unwrap();
    assert_eq!(mug.fields["price"], "9.50");
}

#[test]
fn what_left_the_catalogue_stays_unless_it_is_to_be_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    assert_eq!(both.index(&path, three(dir.path()).into_iter().take(2)).items, 3);
    let report = both
        .indexer(&path)
        .prune(true)
        .run(entries(three(dir.path()).into_iter().take(2)))
        .unwrap();
    assert_eq!((report.removed, report.items), (1, 2));
    let collection = both.open(&path);
    assert_eq!(collection.id_of("c").unwrap(), None);
    assert_eq!(keys(&collection, Query::new().text("blue mug")).len(), 2);
    collection.verify().unwrap();
    // It may come back, and is then found in the cache.
    let before = both.encoded();
    assert_eq!(both.index(&path, three(dir.path())).added, 1);
    assert_eq!(both.encoded(), before);
    assert_eq!(keys(&both.open(&path), Query::new().text("blue mug"))[0], "c");
}

#[test]
fn a_row_that_was_refused_is_not_pruned() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let refused = Rejection { row: 3, key: Some("c".into()), reason: "torn".into(), kept: false };
    let rows = entries(three(dir.path()).into_iter().take(2))
        .chain([Ok(Entry::Rejected(refused.clone()))]);
    let report = both.indexer(&path).prune(true).run(rows).unwrap();
    assert_eq!((report.removed, report.items), (0, 3));
    assert_eq!(ledger(&both.open(&path)), [refused]);
}

#[test]
fn a_key_that_comes_twice_is_indexed_once() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let report =
        both.index(&path, [item("a", 1, "red"), item("b", 2, "blue"), item("a", 3, "green")]);
    assert_eq!((report.items, report.progress.rejected), (2, 1));
    let collection = both.open(&path);
    let entry = &ledger(&collection)[0];
    assert_eq!((entry.row, entry.key.as_deref(), entry.kept), (3, Some("a"), false));
    assert!(entry.reason.contains("row 1"), "{}", entry.reason);
    assert_eq!(collection.item(0).unwrap().unwrap().text, "red");
}

#[test]
fn a_broken_picture_costs_the_item_its_looks_and_is_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let mut items = three(dir.path());
    fs::write(items[0].picture.as_ref().unwrap(), "no picture").unwrap();
    items[1].text.clear();
    fs::write(items[1].picture.as_ref().unwrap(), "nor this").unwrap();
    let report = both.index(&path, items.clone());
    assert_eq!((report.items, report.progress.rejected), (2, 2));
    let collection = both.open(&path);
    let entries = ledger(&collection);
    assert_eq!((entries[0].row, entries[0].kept), (1, true));
    assert_eq!((entries[1].row, entries[1].kept), (2, false));
    assert_eq!(collection.vectors(Modality::Image).unwrap().len(), 1);
    assert_eq!(keys(&collection, Query::new().text("red shirt"))[0], "a");

    let again = both.index(&path, items.clone());
    assert_eq!((again.published, again.progress.rejected), (false, 2), "the ledger stands");
    // Mended, it is embedded.
    items[0] = pictured("a", 1, "red shirt", RED, dir.path());
    assert_eq!(both.index(&path, items).progress.pictures_embedded, 1);
    assert_eq!(both.open(&path).vectors(Modality::Image).unwrap().len(), 2);
}

#[test]
fn a_run_that_fails_leaves_what_was_published_and_is_taken_up_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let more: Vec<Item> =
        (0..200).map(|n| item(&format!("n{n}"), n + 4, &format!("thing {n}"))).collect();
    let missing = lookalike::catalogue::Catalogue::open(Path::new("/nowhere"), &Default::default());
    let torn = entries(more.clone()).chain([Err(missing.err().unwrap())]);
    assert!(matches!(both.indexer(&path).run(torn), Err(Error::Catalogue(_))));
    assert_eq!(both.open(&path).len(), 3);
    both.open(&path).verify().unwrap();

    let (_, texts_before) = both.encoded();
    assert!(texts_before > 3, "the torn run got somewhere");
    let report = both.index(&path, more);
    assert_eq!((report.added, report.items), (200, 203));
    assert_eq!(both.encoded().1, 203, "nothing that the torn run embedded was embedded again");
    both.open(&path).verify().unwrap();
}

/// Sees colours as [`Colours`] does, but for those pictures that it has no numbers for.
struct Blinking {
    colours: Colours,
    blind_to: fn(&Pixels) -> bool,
}

impl Encoder for Blinking {
    fn identity(&self) -> &Identity {
        self.colours.identity()
    }
}

impl ImageEncoder for Blinking {
    fn prepare(&self, picture: &RgbImage) -> Pixels {
        self.colours.prepare(picture)
    }

    fn encode(&self, batch: &[Pixels]) -> Result<Vec<Embedding>, encode::Error> {
        match batch.iter().any(self.blind_to) {
            true => Ok(vec![Embedding::new(vec![f32::NAN])?]),
            false => self.colours.encode(batch),
        }
    }
}

#[test]
fn a_network_that_gives_no_numbers_stops_the_run_and_one_odd_picture_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let index = |path: &str, blind_to| {
        let colours = Blinking { colours: Colours::default(), blind_to };
        let indexer =
            Indexer::new(dir.path().join(path)).image_encoder("colours", Arc::new(colours));
        indexer.run(entries(three(dir.path())))
    };
    // Red is the histogram's place 18: of three thirds of brightness the last, none of green and blue.
    let report = index("odd", |pixels| pixels.values[18] > 0.0).unwrap();
    assert_eq!((report.items, report.progress.rejected), (2, 1));
    let collection = Collection::open(dir.path().join("odd")).unwrap();
    assert_eq!(ledger(&collection)[0].key.as_deref(), Some("a"));

    let error = index("blind", |_| true).unwrap_err();
    assert!(matches!(&error, Error::Encode(encode::Error::Broken { .. })), "{error}");
    assert!(error.to_string().contains("the network colours"), "{error}");
    // The cache has not been told that these pictures have no vectors.
    assert_eq!(index("blind", |_| false).unwrap().items, 3);
}

#[test]
fn readers_keep_their_generation_while_a_writer_publishes() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let before = both.open(&path);
    let mut items = three(dir.path());
    items.truncate(2);
    items[0].text = "crimson shirt".into();
    both.indexer(&path).prune(true).run(entries(items)).unwrap();
    assert_eq!((before.len(), before.manifest().generation), (3, 1));
    assert_eq!(keys(&before, Query::new().text("blue mug"))[0], "c");
    assert_eq!(before.item(0).unwrap().unwrap().text, "red shirt");
    before.verify().unwrap();
    let after = both.open(&path);
    assert_eq!((after.len(), after.item(0).unwrap().unwrap().text.as_str()), (2, "crimson shirt"));
}

#[test]
fn one_writer_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    let inner = both.clone();
    let inner_path = path.clone();
    let rows = entries(three(dir.path())).inspect(move |_| {
        let second = inner.indexer(&inner_path).run(entries([]));
        assert!(matches!(second, Err(Error::Busy { .. })));
    });
    both.indexer(&path).run(rows).unwrap();
}

#[test]
fn another_encoder_is_refused_or_embeds_everything_again() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let other = Both { colours: Colours::version(1).into(), ..both.clone() };
    let refused = other.indexer(&path).run(entries(three(dir.path())));
    assert!(matches!(refused, Err(Error::ModelChanged { .. })));
    let refused = Collection::open(&path).unwrap().with_image_encoder(other.colours.clone());
    assert!(matches!(refused, Err(Error::ModelChanged { .. })));
    let half = lookalike::Indexer::new(&path).text_encoder("words", both.words.clone());
    assert!(matches!(half.run(entries([])), Err(Error::MissingEncoder { .. })));

    // Items that this catalogue does not mention are embedded anew as well.
    let rows = entries(three(dir.path()).into_iter().take(1));
    let report = other.indexer(&path).change_encoder(true).run(rows).unwrap();
    assert_eq!((report.items, report.progress.pictures_embedded), (3, 3));
    let collection = other.open(&path);
    assert_eq!(collection.vectors(Modality::Image).unwrap().len(), 3);
    collection.verify().unwrap();
}

#[test]
fn the_same_catalogue_makes_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<Vec<u8>> = ["one", "two"]
        .iter()
        .map(|name| {
            let path = dir.path().join(name);
            Both::default().index(&path, three(dir.path()));
            fs::read(path.join("vectors/1-image.seg")).unwrap()
        })
        .collect();
    assert_eq!(files[0], files[1]);
}

#[test]
fn a_directory_of_somebody_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "precious").unwrap();
    let refused = Both::default().indexer(dir.path()).run(entries([]));
    assert!(matches!(refused, Err(Error::NotACollection { .. })));
    assert!(matches!(Collection::open(dir.path()), Err(Error::NotACollection { .. })));
    assert!(matches!(Collection::open(dir.path().join("x")), Err(Error::NotFound { .. })));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_collection_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    Both::default().index(&path, three(dir.path()));
    let options = rocksdb::Options::default();
    let names = rocksdb::DB::list_cf(&options, path.join("store")).unwrap();
    let store = rocksdb::DB::open_cf(&options, path.join("store"), names).unwrap();
    store.put_cf(store.cf_handle("settings").unwrap(), "format", "99").unwrap();
    drop(store);
    assert!(matches!(Collection::open(&path), Err(Error::NewerVersion { found: 99, .. })));
    let refused = Both::default().indexer(&path).run(entries([]));
    assert!(matches!(refused, Err(Error::NewerVersion { found: 99, .. })));
}

#[test]
fn damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let (image, text) = (path.join("vectors/1-image.seg"), path.join("vectors/1-text.seg"));
    let sound = fs::read(&image).unwrap();

    let mut bytes = sound.clone();
    // A vector's lowest bit: opening does not look at it, verifying does.
    let vectors = bytes.windows(2).position(|w| w == half::f16::ONE.to_le_bytes()).unwrap();
    bytes[vectors] ^= 1;
    fs::write(&image, &bytes).unwrap();
    assert!(matches!(both.open(&path).verify(), Err(Error::DamagedVectors { .. })));
    fs::write(&image, &sound[..sound.len() / 2]).unwrap();
    assert!(matches!(Collection::open(&path), Err(Error::DamagedVectors { .. })));
    // Another modality's vectors in its place are not taken for its own.
    fs::copy(&text, &image).unwrap();
    assert!(matches!(Collection::open(&path), Err(Error::Damaged { .. })));
    fs::remove_file(&image).unwrap();
    assert!(matches!(Collection::open(&path), Err(Error::MissingVectors { .. })));
    fs::write(&image, &sound).unwrap();
    both.open(&path).verify().unwrap();
}

#[test]
fn indexing_again_makes_damaged_vectors_anew_and_embeds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let encoded = both.encoded();
    let image = |path: &Path| {
        let file = both.open(path).manifest().segments[0].file.clone();
        path.join("vectors").join(file)
    };
    let mut file = image(&path);
    let sound = fs::read(&file).unwrap();
    let vectors = sound.windows(2).position(|w| w == half::f16::ONE.to_le_bytes()).unwrap();
    let flipped: Vec<u8> =
        sound.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == vectors)).collect();
    for damage in [None, Some(&sound[..100]), Some(&flipped[..])] {
        match damage {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        both.index(&path, three(dir.path()));
        both.open(&path).verify().unwrap();
        file = image(&path);
        assert_eq!(fs::read(&file).unwrap(), sound);
    }
    assert_eq!(both.encoded(), encoded);
}

#[test]
fn what_a_run_left_that_was_killed_at_its_start_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    fs::create_dir_all(path.join("store")).unwrap();
    assert!(matches!(Collection::open(&path), Err(Error::Unpublished { .. })));
    assert_eq!(Collection::published(&path).unwrap(), None);
    // A store in which some tables are not there yet.
    let mut options = rocksdb::Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    drop(rocksdb::DB::open_cf(&options, path.join("store"), ["items", "keys"]).unwrap());
    assert!(matches!(Collection::open(&path), Err(Error::Unpublished { .. })));
    let both = Both::default();
    both.index(&path, three(dir.path()));
    both.open(&path).verify().unwrap();
}

#[test]
fn a_store_without_its_first_file_is_damaged_and_not_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let files = || fs::read_dir(path.join("store")).unwrap().count();
    fs::remove_file(path.join("store/CURRENT")).unwrap();
    let before = files();
    assert!(matches!(Collection::open(&path), Err(Error::Damaged { .. })));
    let refused = both.indexer(&path).run(entries(three(dir.path())));
    assert!(matches!(refused, Err(Error::Damaged { .. })));
    assert_eq!(files(), before);
}

#[test]
fn foreign_files_in_a_collection_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (path, both) = (dir.path().join("shop"), Both::default());
    both.index(&path, three(dir.path()));
    let vectors = path.join("vectors");
    fs::write(vectors.join("notes.txt"), "mine").unwrap();
    fs::create_dir(vectors.join("folder")).unwrap();
    fs::write(vectors.join("7-image.seg"), "of a killed run").unwrap();
    both.index(&path, three(dir.path()));
    assert!(vectors.join("notes.txt").exists() && vectors.join("folder").exists());
    assert!(!vectors.join("7-image.seg").exists());
}

#[test]
fn an_index_that_never_finished_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("shop");
    let missing = lookalike::catalogue::Catalogue::open(Path::new("/nowhere"), &Default::default());
    let torn = entries(three(dir.path())).chain([Err(missing.err().unwrap())]);
    assert!(Both::default().indexer(&path).run(torn).is_err());
    assert!(matches!(Collection::open(&path), Err(Error::Unpublished { .. })));
}
