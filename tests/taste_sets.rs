//! Models of sets of pictures in a collection: with an extractor that was tuned for the shop, with words in receipts, and
//! as members of a blend.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use candle_core::{Device as Anywhere, Tensor};
use lookalike::encode::store::ModelStore;
use lookalike::encode::{Device, ImageEncoder};
use lookalike::taste::{
    Blend, Chance, Error, InteractionFile, InteractionOptions, Interactions, Material, Recipe,
    Reranker, Reranking, Served, Split, SplitRule, Training, Visitor, attempt, rerankers,
};
use lookalike::{Collection, Indexer, Item, Query};
use serde_json::Value;
use support::{Both, pictured};

const COLOURS: [(&str, [u8; 3]); 3] =
    [("red", [200, 20, 20]), ("green", [20, 200, 20]), ("blue", [20, 20, 200])];

struct Shop {
    directory: tempfile::TempDir,
    both: Both,
}

impl Shop {
    fn new() -> Self {
        Shop::indexed_by(|both, path| both.indexer(path))
    }

    /// Items whose category is their colour; users who take of one or two of them.
    fn indexed_by<'a>(indexer: impl FnOnce(&Both, &Path) -> Indexer<'a>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let item = |n: usize| {
            let (name, colour) = COLOURS[n % 3];
            let text = format!("thing number {n}");
            let item = pictured(&format!("k{n:02}"), n as u64 + 1, &text, colour, directory.path());
            Item { fields: [("kind".to_owned(), name.into())].into_iter().collect(), ..item }
        };
        let both = Both::default();
        let items = support::entries((0..30).map(item));
        indexer(&both, &directory.path().join("shop")).run(items).unwrap();
        let mut purchases = "user,item,time\n".to_owned();
        for (user, time) in (0..24).flat_map(|user| (0..5).map(move |time| (user, time))) {
            let item =
                (user + 3 * time * (1 + user % 4) + usize::from(user % 2 == 0 && time == 3)) % 30;
            purchases += &format!("u{user:02},k{item:02},{}\n", 1_000_000 + time);
        }
        let file = directory.path().join("purchases.csv");
        fs::write(&file, purchases).unwrap();
        let shop = Shop { directory, both };
        let rows = InteractionFile::open(&file, &InteractionOptions::default()).unwrap();
        Collection::add_interactions::<Error>(shop.path(), rows, false).unwrap();
        shop
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    fn open(&self) -> Collection {
        self.both.open(&self.path())
    }
}

/// Trains a model and keeps it; returns what was told of what took long.
fn train(collection: &Collection, name: &str, changes: &[(&str, &str)]) -> Vec<String> {
    let changes: Vec<_> =
        changes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    let recipe = Recipe::new(name, &changes).unwrap();
    let interactions = Interactions::of(collection).unwrap();
    let split = Split::new(&interactions, SplitRule::Last, 1).for_serving();
    let told = Mutex::new(Vec::new());
    let tell = |progress: &str| told.lock().unwrap().push(progress.to_owned());
    let material = Material::of(collection, &interactions).telling(&tell);
    let training = Training { epochs: 8, patience: 8, ..Training::default() };
    let trial = attempt(&recipe, &split, &material, &training, false, &mut |_, _| Ok(())).unwrap();
    trial.keep(&recipe, &split.train, &interactions, collection).unwrap();
    drop(material);
    told.into_inner().unwrap()
}

const SMALL: [(&str, &str); 4] =
    [("hidden", "32"), ("rate", "0.01"), ("dropout", "0"), ("batch", "8")];

#[test]
fn a_tuned_extractor_is_kept_with_its_model_and_embeds_liked_pictures() {
    let shop = Shop::new();
    let collection = shop.open();
    let tuned = [
        ("finetune", "chance"),
        ("side", "32"),
        ("thin", "32"),
        ("pictures", "8"),
        ("top_passes", "1"),
        ("all_passes", "5"),
        ("all_rate", "0.01"),
    ];
    let changes: Vec<_> = SMALL.iter().chain(&tuned).copied().collect();
    let told = train(&collection, "aggregation-gated", &changes);
    assert_eq!(told.len(), 6, "{told:?}");
    // Another model of the same extractor finds it ready.
    assert!(train(&collection, "aggregation-1", &changes).is_empty());

    let model = Served::open(&collection, "aggregation-gated").unwrap();
    let picture = shop.directory.path().join("k04.png");
    let item = Visitor::default().likes(&collection, "k04").unwrap();
    let file = Visitor::default().likes(&collection, &picture.to_string_lossy()).unwrap();
    assert_eq!((item.liked.len(), file.pictures.len()), (1, 1));
    let [of_item, of_file] =
        [&item, &file].map(|visitor| model.testimony(visitor).unwrap().unwrap());
    assert_eq!(of_item.categories, of_file.categories);
    assert_eq!(of_item.liked[0].as_ref().unwrap().attention, 1.0);
    assert_eq!(of_item.categories[0].0, "green", "{of_item:?}");
    // What it makes of a file is no longer what the collection's own encoder does.
    let plain = train(&collection, "aggregation-2", &SMALL);
    let other = Served::open(&collection, "aggregation-2").unwrap();
    assert!(plain.is_empty() && other.testimony(&item).unwrap() != Some(of_item));
}

#[test]
fn receipts_tell_what_each_liked_picture_said() {
    let shop = Shop::new();
    let collection = shop.open();
    train(&collection, "aggregation-gated", &SMALL);
    let model = Served::open(&collection, "aggregation-gated").unwrap();
    let mut keys = ["k01", "k04", "k05"].into_iter();
    let visitor = keys.try_fold(Visitor::default(), |v, key| v.likes(&collection, key)).unwrap();
    let query = Query::new().text("thing").top(5);
    let reranked = Reranking::new().by(&model, 1.0).search(&collection, &query, &visitor).unwrap();
    let [(name, testimony)] = &reranked.testimonies[..] else { panic!("{reranked:?}") };
    assert_eq!((name.as_str(), testimony.liked.len()), ("aggregation-gated", 3));
    let witnesses: Vec<_> = testimony.liked.iter().flatten().collect();
    let sum: f32 = witnesses.iter().map(|witness| witness.attention).sum();
    assert!((sum - 1.0).abs() < 1e-5);
    let first = |n: usize| witnesses[n].categories[0].0.as_str();
    assert_eq!([first(0), first(1), first(2)], ["green", "green", "blue"]);
}

#[test]
fn a_blend_is_kept_and_is_its_members() {
    let shop = Shop::new();
    let collection = shop.open();
    let none = rerankers(&collection, "blend", 1.0).err().unwrap();
    assert!(matches!(none, Error::NoModel { .. }), "{none}");
    train(&collection, "aggregation-gated", &SMALL);
    train(&collection, "vbpr", &[("visual", "4"), ("latent", "2")]);
    let names = ["vbpr", "acf", "aggregation-gated"].map(str::to_owned);
    let blend = Blend {
        weights: names.into_iter().zip([0.3, 0.0, 0.7]).collect(),
        alone: vec![0.6, 0.5, 0.7],
        together: 0.8,
    };
    blend.keep(&collection).unwrap();
    assert_eq!(Blend::kept(&collection).unwrap(), Some(blend));

    // What counts for nothing need not be there.
    let members = rerankers(&collection, "blend", 2.0).unwrap();
    let told: Vec<_> = members.iter().map(|(model, weight)| (model.name(), *weight)).collect();
    assert_eq!(told, [("vbpr", 0.6), ("aggregation-gated", 1.4)]);
    let by_hand =
        ["vbpr", "aggregation-gated"].map(|name| Served::open(&collection, name).unwrap());
    let visitor = Visitor::user("u03");
    let query = Query::new().text("thing").top(8);
    let hits = |models: &[(&dyn Reranker, f32)]| {
        let reranking = models.iter().fold(Reranking::new(), |so_far, (m, w)| so_far.by(*m, *w));
        reranking.search(&collection, &query, &visitor).unwrap().hits.hits
    };
    let blended: Vec<(&dyn Reranker, f32)> =
        members.iter().map(|(model, weight)| (&**model, *weight)).collect();
    let blended = hits(&blended);
    let expected = hits(&[(&by_hand[0], 0.6), (&by_hand[1], 1.4)]);
    assert_eq!(format!("{blended:?}"), format!("{expected:?}"));
    for hit in &blended {
        assert_eq!(hit.receipt.total().to_bits(), hit.score.to_bits());
    }

    let file = shop.path().join("taste/blend.json");
    for damaged in ["", "{}", r#"{"weights":[["blend",1.0]],"alone":[],"together":1}"#] {
        fs::write(&file, damaged).unwrap();
        assert!(matches!(Blend::kept(&collection), Err(Error::Damaged { .. })), "{damaged}");
    }
}

/// A MobileNet-v1 of drawn weights, in a store.
fn store(cache: &Path, name: &str, seed: u64) -> (ModelStore, Arc<dyn ImageEncoder>) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/image");
    let golden = fs::read(golden.join("mobilenet-v1.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let drawn = |(part, shape): (&String, &Value)| {
        let shape: Vec<usize> = serde_json::from_value(shape.clone()).unwrap();
        let count = shape.iter().product();
        let values = match shape.len() {
            1 => vec![
                if part.ends_with("weight") || part.ends_with("var") { 1.0 } else { 0.1 };
                count
            ],
            _ => {
                let inputs: usize = shape[1..].iter().product();
                Chance::new(seed, part, 0).normals(count, (2.0 / inputs as f32).sqrt())
            }
        };
        (part.clone(), Tensor::from_vec(values, shape, &Anywhere::Cpu).unwrap())
    };
    let tensors: std::collections::HashMap<String, Tensor> =
        golden["shapes"].as_object().unwrap().iter().map(drawn).collect();
    let folder = tempfile::tempdir().unwrap();
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    let store = ModelStore::at(cache);
    let model = store.add(folder.path(), Some(name)).unwrap();
    (store, model.open_image(&Device::cpu()).unwrap().into())
}

#[test]
fn attention_within_pictures_looks_at_each_once_and_again_at_what_is_damaged() {
    let cache = tempfile::tempdir().unwrap();
    let (store, encoder) = store(cache.path(), "eyes", 1);
    let shop = Shop::indexed_by(|_, path| Indexer::new(path).image_encoder("eyes", encoder));
    let collection = Collection::open(shop.path()).unwrap();
    let interactions = Interactions::of(&collection).unwrap();
    let split = Split::new(&interactions, SplitRule::Last, 1).for_serving();
    let changes = [("tiles", "2"), ("components", "5"), ("latent", "8"), ("attention", "8")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    // An epoch's loss, and what was told.
    let epoch_by = |store: &ModelStore, collection: &Collection, changes: &[(String, String)]| {
        let told = Mutex::new(Vec::new());
        let tell = |progress: &str| told.lock().unwrap().push(progress.to_owned());
        let material = Material::of(collection, &interactions);
        let material = material.with_models(store.clone()).telling(&tell);
        let mut model = Recipe::new("acf", changes)?.build(&material, &split.train, 1)?;
        let loss = model.epoch(&split.train, 1, 0)?;
        drop((model, material));
        Ok::<_, Error>((loss, told.into_inner().unwrap()))
    };
    let epoch = |collection: &Collection, changes: &[_]| epoch_by(&store, collection, changes);
    let (loss, told) = epoch(&collection, &changes).unwrap();
    // Thirty items, and a picture a colour.
    assert_eq!(told, ["mobilenet-v1 has seen 3 of 3 pictures"]);
    assert_eq!(epoch(&collection, &changes).unwrap(), (loss, vec![]));
    let kept = fs::read_dir(shop.path().join("taste/features")).unwrap();
    let [file] = &kept.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()[..] else { panic!() };
    let whole = fs::read(file).unwrap();
    for damaged in [&whole[..whole.len() - 1], &[], b"something else"] {
        fs::write(file, damaged).unwrap();
        assert_eq!(epoch(&collection, &changes).unwrap(), (loss, told.clone()));
        assert!(fs::read(file).unwrap() == whole);
    }
    // Pictures that are no longer what was indexed say nothing, and stand in nobody's way.
    fs::remove_file(file).unwrap();
    let picture = |n: usize| shop.directory.path().join(format!("k{n:02}.png"));
    (2..30).step_by(3).for_each(|n| fs::copy(picture(1), picture(n)).map(|_| ()).unwrap());
    let (other, _) = epoch(&collection, &changes).unwrap();
    assert!(other.is_finite() && fs::metadata(file).unwrap().len() < whole.len() as u64);
    fs::remove_file(file).unwrap();
    (0..30).for_each(|n| fs::remove_file(picture(n)).unwrap());
    let blind = epoch(&collection, &changes).unwrap_err().to_string();
    assert!(blind.contains("cannot be read") && blind.contains("acf.tiles=0"), "{blind}");
    let elsewhere = tempfile::tempdir().unwrap();
    let (others, _) = self::store(elsewhere.path(), "eyes", 2);
    let blind = epoch_by(&others, &collection, &changes).unwrap_err().to_string();
    assert!(blind.contains("no longer the one") && blind.contains("acf.tiles=0"), "{blind}");

    for (name, value) in [("latent", "0"), ("components", "0"), ("tiles", "1000")] {
        let changed = [&changes[..], &[(name.to_owned(), value.to_owned())]].concat();
        let refused = epoch(&collection, &changed).unwrap_err().to_string();
        assert_eq!(refused, format!("\"{value}\" is no value for {name}"));
    }
    // Whose encoder is not at hand, whose pictures are seen as wholes.
    let foreign = Shop::new();
    let blind = epoch(&foreign.open(), &changes).unwrap_err();
    assert!(matches!(blind, Error::Store(_)), "{blind}");
    assert!(epoch(&foreign.open(), &[]).unwrap().0.is_finite());
}
