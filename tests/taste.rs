//! Models live in their collection: trained, taken up again, asked, and in the order of what they say.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{Rgb, RgbImage};
use lookalike::taste::rating::{
    Biases, GroundKind, KeptRating, Rated, RatingCourse, RatingSettings, RatingTraining, Ratings,
    SIDE, Stars, embed,
};
use lookalike::taste::{
    Course, Error, Gallery, InteractionFile, InteractionOptions, Interactions, Learned, Looks,
    Material, Paused, Recipe, Reranker, Reranking, Served, Split, SplitRule, Study, StudyRow,
    Training, Trial, Visitor, attempt,
};
use lookalike::{Collection, Item, Modality, Query};
use support::{Both, pictured};

/// Of the places of a histogram of 27 colours.
const COLOURS: [[u8; 3]; 6] =
    [[200, 20, 20], [20, 200, 20], [20, 20, 200], [200, 200, 20], [100, 100, 100], [20, 200, 200]];
const NOUNS: [&str; 4] = ["shirt", "mug", "lamp", "hat"];

/// Items by number: the colour shows in the picture, the circle shows nowhere.
const ITEMS: usize = 120;
const USERS: usize = 150;

fn colour(item: usize) -> usize {
    item % COLOURS.len()
}

fn circle(item: usize) -> usize {
    item / COLOURS.len() % 5
}

struct Shop {
    directory: tempfile::TempDir,
    both: Both,
    items: Vec<Item>,
}

impl Shop {
    /// Users take what is of their colour and their circle, then of one of them; every third at last something
    /// late of their colour.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let item = |n: usize| {
            let text = format!("{} number {n}", NOUNS[n % 4]);
            pictured(&format!("k{n:03}"), n as u64 + 1, &text, COLOURS[colour(n)], directory.path())
        };
        let items: Vec<Item> = (0..ITEMS).map(item).collect();
        let both = Both::default();
        both.index(&directory.path().join("shop"), items.clone());
        let mut purchases = "user,item,time\n".to_owned();
        for user in 0..USERS {
            let (own, friends) = (user % COLOURS.len(), user / COLOURS.len() % 5);
            let likes = |item: &usize| colour(*item) == own || circle(*item) == friends;
            // Nobody takes the last items before the very end.
            let mut taken: Vec<usize> = (0..96).filter(likes).collect();
            // A shuffle of one's own.
            taken.sort_by_key(|item| (item * 7919 + user * 104_729) % 1009);
            taken.truncate(9);
            if user % 3 == 0 {
                taken.push(96 + own + 6 * (user / 3 % 4));
            }
            for (time, item) in taken.into_iter().enumerate() {
                purchases += &format!("u{user:03},k{item:03},{}\n", 1_000_000 + time);
            }
        }
        let file = directory.path().join("purchases.csv");
        fs::write(&file, purchases).unwrap();
        let shop = Shop { directory, both, items };
        let rows = InteractionFile::open(&file, &InteractionOptions::default()).unwrap();
        let report = Collection::add_interactions::<Error>(shop.path(), rows, false).unwrap();
        assert_eq!((report.users, report.left_out()), (USERS as u64, 0));
        shop
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("shop")
    }

    fn open(&self) -> Collection {
        self.both.open(&self.path())
    }
}

fn recipe(name: &str, changes: &[(&str, &str)]) -> Recipe {
    let changes: Vec<_> =
        changes.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Recipe::new(name, &changes).unwrap()
}

/// Trains a model and keeps it.
fn train(collection: &Collection, recipe: &Recipe) -> (Interactions, Trial) {
    let interactions = Interactions::of(collection).unwrap();
    let split = Split::new(&interactions, SplitRule::Last, 1).for_serving();
    let material = Material::of(collection, &interactions);
    let training = Training { epochs: 6, ..Training::default() };
    let trial = attempt(recipe, &split, &material, &training, true, &mut |_, _| Ok(())).unwrap();
    let history = split.train.with(&split.validation);
    trial.keep(recipe, &history, &interactions, collection).unwrap();
    (interactions, trial)
}

fn vbpr() -> Recipe {
    recipe("vbpr", &[("visual", "8"), ("latent", "4"), ("rate", "0.01")])
}

/// Every item's score by the model's own vectors.
fn scores(learned: &Learned, user: u32) -> Vec<f64> {
    let score = |item: u32| {
        let sides = learned.factors.user(user).iter().zip(learned.factors.item(item));
        sides.map(|(p, q)| f64::from(*p) * f64::from(*q)).sum()
    };
    (0..ITEMS as u32).map(score).collect()
}

fn normalised(scores: &[f64]) -> Vec<f64> {
    let least = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.iter().map(|score| (score - least) / (most - least)).collect()
}

#[test]
fn hits_come_in_the_order_of_a_taste_and_receipts_add_up_to_the_bit() {
    let shop = Shop::new();
    let collection = shop.open();
    let (_, trial) = train(&collection, &vbpr());
    let (_, other) = train(&collection, &recipe("bpr-mf", &[("latent", "6")]));
    let models = ["vbpr", "bpr-mf"].map(|name| Served::open(&collection, name).unwrap());
    let query = Query::new().text("shirt number 40").item("k010").top(12);
    let found = collection.search(&query.clone().top(50)).unwrap().hits;

    // By definition, in double precision.
    let fused: Vec<f64> = found.iter().map(|hit| f64::from(hit.score)).collect();
    let of = |learned: &Learned| -> Vec<f64> {
        let all = scores(learned, 7);
        normalised(&found.iter().map(|hit| all[hit.id as usize]).collect::<Vec<_>>())
    };
    let (first, second) = (of(&trial.best.learned), of(&other.best.learned));
    let mut expected: Vec<(f64, u32)> = normalised(&fused)
        .iter()
        .zip(first.iter().zip(&second))
        .zip(&found)
        .map(|((fused, (a, b)), hit)| (0.4 * fused + 0.6 * (0.75 * a + 0.25 * b), hit.id))
        .collect();
    expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));

    let reranking =
        Reranking::new().by(&models[0], 3.0).by(&models[1], 1.0).blend(0.6).candidates(50);
    let visitor = Visitor::user("u007");
    let reranked = reranking.search(&collection, &query, &visitor).unwrap();
    assert!(reranked.personal && reranked.strangers.is_empty());
    assert_eq!(reranked.hits.hits.len(), 12);
    for (hit, (score, id)) in reranked.hits.hits.iter().zip(&expected) {
        assert!((f64::from(hit.score) - score).abs() < 1e-5, "{} for {score}", hit.score);
        assert_eq!(hit.id, *id);
        assert_eq!(hit.receipt.total().to_bits(), hit.score.to_bits());
        // Every model has its terms and what is taken off.
        let count = |model: &str| hit.receipt.taste.iter().filter(|t| t.model == model).count();
        assert_eq!((count("search"), count("vbpr"), count("bpr-mf")), (1, 5, 3));
    }
    // The second page goes on.
    let page = reranking.search(&collection, &query.clone().offset(12), &visitor).unwrap();
    let ids: Vec<u32> = page.hits.hits.iter().map(|hit| hit.id).collect();
    assert_eq!(ids, expected[12..24].iter().map(|(_, id)| *id).collect::<Vec<_>>());
    // Search alone, and a blend that is none.
    let alone = Reranking::new().by(&models[0], 1.0).blend(0.0).candidates(50);
    let alone = alone.search(&collection, &query, &visitor).unwrap().hits.hits;
    assert!(alone.iter().map(|hit| hit.id).eq(found[..12].iter().map(|hit| hit.id)));
    let none =
        Reranking::new().by(&models[0], 1.0).blend(1.5).search(&collection, &query, &visitor);
    assert!(matches!(none, Err(Error::Blend { .. })));
}

#[test]
fn who_is_not_known_gets_what_search_found_and_is_told_so() {
    let shop = Shop::new();
    let collection = shop.open();
    train(&collection, &vbpr());
    let model = Served::open(&collection, "vbpr").unwrap();
    let query = Query::new().text("lamp number 3");
    let reranking = Reranking::new().by(&model, 1.0);
    let reranked = reranking.search(&collection, &query, &Visitor::user("nobody")).unwrap();
    assert_eq!((reranked.strangers, reranked.personal), (vec!["vbpr".to_owned()], false));
    let plain = collection.search(&query).unwrap();
    assert_eq!(format!("{:?}", reranked.hits.hits), format!("{:?}", plain.hits));
    // Recommended is what everybody likes, which is the same for all strangers.
    let (found, personal) = model.recommend(&Visitor::user("nobody"), &[], 5).unwrap();
    assert!(!personal && found.len() == 5);
    let ghost = Served::open(&collection, "ghost").err().unwrap().to_string();
    assert!(ghost.contains("no model \"ghost\" (it has vbpr)"), "{ghost}");
}

#[test]
fn the_whole_catalogue_is_recommended_from_exactly() {
    let shop = Shop::new();
    let collection = shop.open();
    for recipe in [vbpr(), recipe("bpr-mf", &[("latent", "6")])] {
        let (interactions, trial) = train(&collection, &recipe);
        let model = Served::open(&collection, recipe.name()).unwrap();
        for user in ["u000", "u033", "u149"] {
            let dense = interactions.user(user).unwrap();
            let taken = collection.taken_by(user).unwrap();
            let all = scores(&trial.best.learned, dense);
            let mut expected: Vec<u32> =
                (0..ITEMS as u32).filter(|id| !taken.contains(id)).collect();
            expected.sort_by(|a, b| all[*b as usize].total_cmp(&all[*a as usize]));
            let (found, personal) = model.recommend(&Visitor::user(user), &taken, 20).unwrap();
            assert!(personal && found.len() == 20);
            for (one, id) in found.iter().zip(expected) {
                assert!((f64::from(one.score) - all[id as usize]).abs() < 1e-4);
                assert!(!taken.contains(&one.id));
                let total: f32 = one.terms.iter().map(|(_, share)| share).sum();
                assert_eq!(total.to_bits(), one.score.to_bits());
            }
        }
    }
}

#[test]
fn what_is_new_is_scored_from_its_picture() {
    let shop = Shop::new();
    let (interactions, trial) = train(&shop.open(), &vbpr());
    let mut items = shop.items.clone();
    let place = shop.directory.path();
    items.push(pictured("new", 500, "something new", COLOURS[2], place));
    shop.both.index(&shop.path(), items);
    let collection = shop.open();
    let model = Served::open(&collection, "vbpr").unwrap();
    let id = collection.id_of("new").unwrap().unwrap();
    let feature = collection.embedding(id, Modality::Image).unwrap().unwrap();
    let looks = Looks { feature: Some(&feature), picture: &|| Ok(None) };
    let vector = trial.best.learned.insight.as_ref().unwrap().item(&looks).unwrap().unwrap();
    // A user of that colour, who has not taken everything.
    let user = trial.best.learned.factors.user(interactions.user("u002").unwrap());
    let expected: f32 = user.iter().zip(&vector).map(|(p, q)| p * q).sum();
    let (found, _) = model.recommend(&Visitor::user("u002"), &[], ITEMS + 1).unwrap();
    assert_eq!(found.len(), ITEMS + 1);
    let new = found.iter().find(|one| one.id == id).unwrap();
    assert!((new.score - expected).abs() < 1e-5, "{} for {expected}", new.score);
    let term = |name: &str| new.terms.iter().find(|(term, _)| term == name).unwrap().1;
    assert_eq!((term("popularity"), term("history")), (0.0, 0.0));

    // To like a picture is to like a new item that looks so.
    let file = place.join("liked.png");
    RgbImage::from_pixel(8, 8, Rgb(COLOURS[2])).save(&file).unwrap();
    let likes = |what: &str| Visitor::default().likes(&collection, what).unwrap();
    let by_item = model.recommend(&likes("new"), &[id], 10).unwrap();
    let by_picture = model.recommend(&likes(file.to_str().unwrap()), &[id], 10).unwrap();
    assert!(by_item.1 && by_picture.1);
    for (a, b) in by_item.0.iter().zip(&by_picture.0) {
        assert!((a.score - b.score).abs() < 1e-3 * a.score.abs().max(1.0));
    }
    // And it leads to what looks so: the eight best are of its colour.
    assert!(by_picture.0[..8].iter().all(|one| colour(one.id as usize) == 2), "{by_picture:?}");
    let nothing = Visitor::default().likes(&collection, "no such thing").unwrap_err();
    assert!(matches!(nothing, Error::NothingLiked { .. }));
}

#[test]
fn a_run_that_was_stopped_goes_on_as_if_it_had_not_been() {
    let shop = Shop::new();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let split = Split::new(&interactions, SplitRule::Last, 1);
    let material = Material::of(&collection, &interactions);
    let training = Training { epochs: 6, ..Training::default() };
    for recipe in [vbpr(), recipe("bpr-mf", &[])] {
        let mut model = recipe.build(&material, &split.train, 1).unwrap();
        let whole = training.run(&mut *model, &split, Course::default(), &mut |_, _| Ok(()));
        let whole = whole.unwrap();
        let paused = || Paused::new(&collection, &recipe, &split, 1).always();
        let mut file = paused();
        let mut model = recipe.build(&material, &split.train, 1).unwrap();
        let stopped = training.run(&mut *model, &split, Course::default(), &mut |model, course| {
            file.write(model, course)?;
            if course.epochs.len() == 3 { Err(Error::Diverged { epoch: 3 }) } else { Ok(()) }
        });
        assert!(stopped.is_err());
        // Not a model to be served, and not another run's.
        assert!(!Served::names(&collection).iter().any(|name| name.contains("run")));
        let other = Paused::new(&collection, &recipe, &split, 2);
        let mut model = recipe.build(&material, &split.train, 1).unwrap();
        assert!(other.resume(&mut *model, &recipe, &material).unwrap().epochs.is_empty());
        let file = paused();
        let before = file.resume(&mut *model, &recipe, &material).unwrap();
        assert_eq!(before.epochs.len(), 3);
        let again = training.run(&mut *model, &split, before, &mut |_, _| Ok(())).unwrap();
        assert_eq!(again.epochs.last().unwrap().loss, whole.epochs.last().unwrap().loss);
        let (again, whole) = (again.best.unwrap(), whole.best.unwrap());
        assert_eq!((again.epoch, again.auc), (whole.epoch, whole.auc));
        assert!(again.learned.factors == whole.learned.factors);
        file.remove().unwrap();
        let mut model = recipe.build(&material, &split.train, 1).unwrap();
        let nothing = paused().resume(&mut *model, &recipe, &material).unwrap();
        assert!(nothing.epochs.is_empty());
    }
}

#[test]
fn models_go_with_a_snapshot_and_stay_as_they_were_opened() {
    let shop = Shop::new();
    let collection = shop.open();
    train(&collection, &vbpr());
    let recommended = |model: &Served<'_>| {
        let (found, _) = model.recommend(&Visitor::user("u033"), &[], 20).unwrap();
        found.iter().map(|one| (one.id, one.score.to_bits())).collect::<Vec<_>>()
    };
    let before = Served::open(&collection, "vbpr").unwrap();
    let expected = recommended(&before);
    let copy = Collection::snapshot(shop.path(), shop.path().with_extension("copy")).unwrap();
    let others = recipe("vbpr", &[("visual", "3"), ("latent", "6"), ("rate", "0.02")]);
    train(&collection, &others);
    assert_ne!(recommended(&Served::open(&collection, "vbpr").unwrap()), expected);
    assert_eq!(recommended(&before), expected);
    assert_eq!(recommended(&Served::open(&copy, "vbpr").unwrap()), expected);
    let files = fs::read_dir(shop.path().join("taste")).unwrap();
    let rows = files.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "items");
    assert_eq!(rows.count(), 1);
}

#[test]
fn a_damaged_model_is_refused_and_says_so() {
    let shop = Shop::new();
    let collection = shop.open();
    train(&collection, &vbpr());
    let path = collection.path().join("taste/vbpr.safetensors");
    let whole = fs::read(&path).unwrap();
    let opened = |bytes: &[u8]| {
        replace(&path, bytes);
        Served::open(&collection, "vbpr").map(|_| ())
    };
    for damaged in [&whole[..whole.len() / 2], &whole[..7], &[], b"{}", &[255; 64]] {
        let error = opened(damaged).unwrap_err();
        assert!(error.to_string().contains("train the model again"), "{error}");
    }
    opened(&whole).unwrap();
}

/// Stars for what users have taken, the better the lighter the picture; trained, kept and opened anew.
#[test]
fn a_rating_model_that_was_kept_tells_the_same_stars() {
    let shop = Shop::new();
    let mut rated = "user,item,rating,review\n".to_owned();
    for user in 0..30 {
        for item in (user % 7..ITEMS).step_by(7) {
            let stars = 1 + (item + user) % 5;
            rated += &format!("u{user:03},k{item:03},{stars},of {stars} stars\n");
        }
    }
    let file = shop.directory.path().join("reviews.csv");
    fs::write(&file, rated).unwrap();
    let rows = InteractionFile::open(&file, &InteractionOptions::default()).unwrap();
    Collection::add_interactions::<Error>(shop.path(), rows, true).unwrap();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let ratings = Ratings::of(&interactions);
    assert_eq!((ratings.users, ratings.all.len()), (30, ratings.reviews.len()));
    let reviews = embed(&collection, &ratings.reviews, &mut |_| ()).unwrap().map(Arc::new);
    let (known, validation) = ratings.divide(0.1, 1);
    for (pictures, ground) in [(true, GroundKind::Company), (false, GroundKind::None)] {
        let settings = RatingSettings { pictures, ground, ..RatingSettings::default() };
        let gallery = Arc::new(Gallery::of(&collection, &interactions.items, SIDE, None).unwrap());
        let training = RatingTraining { epochs: 2, patience: 2, seed: 1 };
        let parts = (known.as_slice(), validation.as_slice());
        let (users, learned_by) = (ratings.users, settings.clone());
        let trained =
            training.run(users, parts, gallery, reviews.clone(), learned_by, &mut |_| ()).unwrap();
        let kept = (&Biases::of(&ratings, &known), ratings.stars);
        KeptRating::write(&collection, &interactions, &trained, kept, settings).unwrap();

        let (first, again) = (KeptRating::open(&collection), KeptRating::open(&collection));
        let (first, again) = (first.unwrap(), again.unwrap());
        let id = |key: &str| collection.id_of(key).unwrap().unwrap();
        for key in ["k000", "k017", "k119"] {
            let told = first.tell("u003", id(key)).unwrap();
            assert_eq!(told, again.tell("u003", id(key)).unwrap());
            assert_eq!((told.user_known, told.attention.is_some()), (true, pictures));
            assert_eq!(told.ground.is_some(), ground != GroundKind::None);
            let pair = (3, interactions.items.binary_search(&id(key)).unwrap() as u32);
            let value = trained.model.judge(&[pair]).unwrap().0[0];
            let error = (ratings.stars.of_value(value) - told.stars).abs();
            assert!(error < if pictures { 0.01 } else { f32::MIN_POSITIVE }, "{error}");
            // A search's hits are rated by the same stars, one by one or all together.
            let ids = [id("k002"), id(key)];
            let scores = first.score(&Visitor::user("u003"), &ids).unwrap().unwrap();
            assert!((scores.score(1) - told.stars).abs() < 1e-5);
        }
        let stranger = first.tell("nobody", id("k000")).unwrap();
        assert!(
            !stranger.user_known && stranger.item_known && stranger.stars == stranger.by_biases
        );
        assert!(first.score(&Visitor::user("nobody"), &[0]).unwrap().is_none());
    }
}

/// A run of the rating model that is stopped after its second epoch and taken up again comes to the same bits as one that
/// was not; one with another seed begins anew.
#[test]
fn a_rating_run_that_was_stopped_goes_on_where_it_was() {
    let shop = Shop::new();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let value = |n: u32| ((n * 7 + n / 9) % 5) as f32 / 2.0 - 1.0;
    let all = (0..240).map(|n| Rated { user: n % 20, item: n % 90, value: value(n), review: None });
    let ratings = Ratings {
        users: interactions.users.len(),
        items: interactions.items.len(),
        all: all.collect(),
        stars: Stars { least: 1.0, most: 5.0 },
        reviews: Vec::new(),
    };
    let (known, validation) = ratings.divide(0.2, 1);
    let parts = (known.as_slice(), validation.as_slice());
    let gallery = Arc::new(Gallery::of(&collection, &interactions.items, SIDE, None).unwrap());
    let settings = RatingSettings { batch: 32, rate: 1e-2, ..RatingSettings::default() };
    let training = RatingTraining { epochs: 4, patience: 4, seed: 3 };
    let start = || {
        let (gallery, settings) = (Arc::clone(&gallery), settings.clone());
        training.start(ratings.users, &known, gallery, None, settings).unwrap()
    };
    let paused = |seed| Paused::of_ratings(&collection, &settings, &ratings, parts, seed).always();
    let whole =
        training.go_on(start(), parts, RatingCourse::default(), &mut |_, _| Ok(())).unwrap();
    let mut file = paused(3);
    let stopped = training.go_on(start(), parts, RatingCourse::default(), &mut |model, course| {
        file.write_rating(model, course)?;
        match course.epochs.len() {
            2 => Err(Error::Diverged { epoch: 2 }),
            _ => Ok(()),
        }
    });
    assert!(stopped.is_err());
    let mut model = start();
    assert!(paused(4).resume_rating(&mut model).unwrap().epochs.is_empty());
    let course = paused(3).resume_rating(&mut model).unwrap();
    assert_eq!(course.epochs.len(), 2);
    let again = training.go_on(model, parts, course, &mut |_, _| Ok(())).unwrap();
    assert_eq!((again.epochs.len(), again.best), (4, whole.best));
    assert_eq!(again.model.state().unwrap(), whole.model.state().unwrap());
    paused(3).remove().unwrap();
    assert!(paused(3).resume_rating(&mut start()).unwrap().epochs.is_empty());
}

/// Trains the rating model a little on ratings that are all alike, and keeps it; returns its file.
fn keep_rating(
    collection: &Collection,
    interactions: &Interactions,
    settings: RatingSettings,
) -> PathBuf {
    let rated = |n: u32| Rated { user: n % 20, item: n % 90, value: 0.5, review: None };
    let known: Vec<Rated> = (0..60).map(rated).collect();
    let (users, items) = (interactions.users.len(), interactions.items.len());
    let stars = Stars { least: 1.0, most: 5.0 };
    let ratings = Ratings { users, items, all: known.clone(), stars, reviews: Vec::new() };
    let gallery = Arc::new(Gallery::of(collection, &interactions.items, SIDE, None).unwrap());
    let training = RatingTraining { epochs: 1, patience: 1, seed: 1 };
    let parts = (known.as_slice(), [].as_slice());
    let trained = training.run(users, parts, gallery, None, settings.clone(), &mut |_| ()).unwrap();
    let kept = (&Biases::of(&ratings, &known), stars);
    KeptRating::write(collection, interactions, &trained, kept, settings).unwrap()
}

/// Cut short, emptied, of another make, or without what was seen of the pictures: told, and nothing else.
#[test]
fn a_damaged_rating_model_is_refused() {
    let shop = Shop::new();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let path = keep_rating(&collection, &interactions, RatingSettings::default());
    KeptRating::open(&collection).unwrap();
    let whole = fs::read(&path).unwrap();
    let older = String::from_utf8_lossy(&whole).find("version").unwrap();
    let mut old = whole.clone();
    let digit = old[older..].iter().position(u8::is_ascii_digit).unwrap();
    old[older + digit] = b'1';
    for damaged in [&whole[..whole.len() - 1], &whole[..whole.len() / 2], &whole[..5], &[], &old] {
        replace(&path, damaged);
        let error = KeptRating::open(&collection).err().unwrap().to_string();
        assert!(error.contains("rating.model is damaged") && error.contains("train"), "{error}");
    }
    replace(&path, &whole);
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let looks: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "looks")).collect();
    assert_eq!(looks.len(), 1);
    let seen = fs::read(&looks[0]).unwrap();
    for damaged in [&seen[..seen.len() - 2], &seen[..3], &[]] {
        replace(&looks[0], damaged);
        let error = KeptRating::open(&collection).err().unwrap().to_string();
        assert!(error.contains(".looks is damaged"), "{error}");
    }
    fs::remove_file(&looks[0]).unwrap();
    assert!(KeptRating::open(&collection).err().unwrap().to_string().contains("it is gone"));
}

/// Version 2 knew of no ground: what it kept is a model without any, and tells the same stars.
#[test]
fn a_rating_model_from_before_there_was_a_ground_still_answers() {
    let shop = Shop::new();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let settings = RatingSettings { ground: GroundKind::None, ..RatingSettings::default() };
    let path = keep_rating(&collection, &interactions, settings);
    let tell = || {
        let model = KeptRating::open(&collection).unwrap();
        model.tell(&interactions.users[3], interactions.items[3]).unwrap()
    };
    let now = tell();
    let mut file = fs::read(&path).unwrap();
    let mut becomes = |old: &[u8], new: &[u8]| {
        let at = file.windows(old.len()).position(|window| window == old).unwrap();
        file[at..at + old.len()].copy_from_slice(new);
    };
    becomes(br#"\"version\":3"#, br#"\"version\":2"#);
    becomes(br#"\"ground\":\"none\","#, &[b' '; 20]);
    replace(&path, &file);
    assert_eq!(tell(), now);
}

/// A new file in the old one's place, as whoever writes one should.
fn replace(path: &Path, bytes: &[u8]) {
    let beside = path.with_extension("beside");
    fs::write(&beside, bytes).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Part of the taste shows in pictures, part of it in what the same users take: so theory has it that whoever
/// looks at pictures is ahead where nobody has taken the item yet, that who learns from others beats what is the
/// same for all, and that chance is a half.
#[test]
fn models_stand_in_the_order_that_theory_gives() {
    let shop = Shop::new();
    let collection = shop.open();
    let interactions = Interactions::of(&collection).unwrap();
    let material = Material::of(&collection, &interactions);
    let mut study = Study::new(&interactions, &material, SplitRule::Last);
    study.seeds = vec![1, 2, 3];
    study.training = Training { epochs: 40, ..Training::default() };
    let recipes = [
        recipe("bpr-mf", &[("latent", "16"), ("spread", ".15")]),
        recipe("vbpr", &[("latent", "16"), ("visual", "8"), ("rate", "0.01")]),
    ];
    let rows = study.run(&recipes, &mut |_| ()).unwrap();
    let names = study.slice_names();
    let auc = |model: &str, slice: &str| -> f64 {
        let row: &StudyRow = rows.iter().find(|row| row.model == model).unwrap();
        let place = names.iter().position(|name| name == slice).unwrap();
        row.slices[place].figures[0].unwrap().mean
    };
    assert!((auc("random", "") - 0.5).abs() < 0.06);
    assert!(auc("bpr-mf", "-warm") > auc("popularity", "-warm") + 0.1);
    assert!(auc("vbpr", "-warm") > auc("popularity", "-warm") + 0.1);
    assert!(auc("vbpr", "-cold") > auc("bpr-mf", "-cold") + 0.2);
    assert!(auc("vbpr", "-cold") > auc("random", "-cold") + 0.2);
}
