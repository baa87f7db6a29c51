//! The store as a whole, on checkpoints with seeded weights.

use std::path::{Path, PathBuf};
use std::sync::Barrier;

use tempfile::TempDir;

use super::{Checked, ModelStore, StoreError};
use crate::encode::text::tests::{golden, write_broken_checkpoint, write_checkpoint};
use crate::encode::{Device, Modality};

fn store() -> (TempDir, ModelStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ModelStore::at(dir.path());
    (dir, store)
}

fn checkpoint() -> TempDir {
    let checkpoint = write_checkpoint(&golden("bert"), &["mean_tokens"]);
    std::fs::write(checkpoint.path().join("README.md"), "words").unwrap();
    checkpoint
}

/// Everything below the store's directory but its locks.
fn entries(store: &ModelStore) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(&store.dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_none_or(|e| e != "lock")).collect()
}

#[test]
fn an_added_model_is_listed_opened_and_sound() {
    let (_cache, store) = store();
    let checkpoint = checkpoint();
    let model = store.add(checkpoint.path(), Some("mine")).unwrap();
    assert_eq!((model.name.as_str(), model.modality), ("mine", Modality::Text));
    let record = model.record.clone().unwrap();
    assert_eq!((record.architecture.as_str(), record.dimension), ("bert", 32));
    assert_eq!(record.files.len(), 6, "{:?}", record.files);
    assert!(!model.dir.join("README.md").exists());

    let line = store.list().unwrap().into_iter().find(|model| model.name == "mine").unwrap();
    assert!(line.present && !line.default && line.dimension == 32);

    let here = store.get("mine").unwrap().open_text(&Device::cpu()).unwrap();
    let there = store.get(checkpoint.path().to_str().unwrap()).unwrap();
    let there = there.open_text(&Device::cpu()).unwrap();
    assert_eq!(here.fingerprint(), there.fingerprint());
    assert_eq!(here.encode(&["red"]).unwrap(), there.encode(&["red"]).unwrap());
    assert!(matches!(model.open_image(&Device::cpu()), Err(StoreError::WrongModality { .. })));

    let sound = Checked { files: 6, dimension: 32, answer_known: false };
    assert_eq!(store.check("mine").unwrap(), sound);
}

#[test]
fn a_changed_file_is_found_and_named() {
    let (_cache, store) = store();
    let model = store.add(checkpoint().path(), Some("mine")).unwrap();
    for file in ["model.safetensors", "vocab.txt", "1_Pooling/config.json"] {
        let path = model.dir.join(file);
        let sound = std::fs::read(&path).unwrap();
        let mut changed = sound.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        let error = store.check("mine").unwrap_err();
        assert!(matches!(&error, StoreError::Altered { path } if path.ends_with(file)), "{error}");
        std::fs::write(&path, sound).unwrap();
    }
    std::fs::write(model.dir.join("lookalike.json"), "{").unwrap();
    assert!(matches!(store.get("mine"), Err(StoreError::Altered { .. })));
}

#[test]
fn what_is_not_here_says_how_to_get_it() {
    let (_cache, store) = store();
    let say = |error: StoreError| error.to_string();
    let error = say(store.get("all-minilm-l6-v2").unwrap_err());
    assert!(error.contains("`lookalike models pull all-minilm-l6-v2`"), "{error}");
    let error = say(store.get("all-minilm").unwrap_err());
    assert!(error.contains("did you mean all-minilm-l6-v2?"), "{error}");
    let error = say(store.pull("resnet5", &mut |_| ()).unwrap_err());
    assert!(error.contains("did you mean resnet50?"), "{error}");
    let error = say(store.default_for(Modality::Image).unwrap_err());
    assert!(error.contains("pull resnet50`, or efficientnet-lite0"), "{error}");
    assert!(store.list().unwrap().iter().all(|model| !model.present && !model.default));
}

#[test]
fn a_foreign_model_is_not_taken_under_a_known_name() {
    let (_cache, store) = store();
    let error = store.add(checkpoint().path(), Some("all-minilm-l6-v2")).unwrap_err().to_string();
    assert!(error.contains("53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"));
    // Of this one no hash is known, but its architecture and its dimension are.
    let error = store.add(checkpoint().path(), Some("bert-base-nli-mean-tokens")).unwrap_err();
    assert!(error.to_string().contains("another model than its name says"), "{error}");
    assert_eq!(entries(&store), Vec::<PathBuf>::new());
}

#[test]
fn a_network_that_gives_no_numbers_is_not_taken() {
    let (_cache, store) = store();
    let error = store.add(write_broken_checkpoint().path(), Some("mine")).unwrap_err().to_string();
    assert!(error.contains("mine gives a wrong answer") && error.contains("finite"), "{error}");
    assert_eq!(entries(&store), Vec::<PathBuf>::new());
}

#[test]
fn names_that_lead_elsewhere_or_are_taken_are_refused() {
    let (_cache, store) = store();
    let checkpoint = checkpoint();
    for name in ["", "..", ".hidden", "a/b", "a b", "../up"] {
        let error = store.add(checkpoint.path(), Some(name)).unwrap_err();
        assert!(matches!(error, StoreError::BadName { .. }), "{name:?}: {error}");
    }
    store.add(checkpoint.path(), Some("mine")).unwrap();
    let error = store.add(checkpoint.path(), Some("mine")).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
}

#[test]
fn a_broken_model_leaves_nothing() {
    let (_cache, store) = store();
    let broken = checkpoint();
    std::fs::write(broken.path().join("vocab.txt"), "red\n").unwrap();
    let error = store.add(broken.path(), Some("mine")).unwrap_err().to_string();
    assert!(error.contains("vocab.txt"), "{error}");
    assert_eq!(entries(&store), Vec::<PathBuf>::new());
    let empty = tempfile::tempdir().unwrap();
    let error = store.add(empty.path(), Some("mine")).unwrap_err().to_string();
    assert!(error.contains("no weights file"), "{error}");
    assert!(store.add(Path::new("/no/such/model"), None).is_err());
}

#[test]
fn what_a_killed_pull_left_is_cleared_and_never_seen() {
    let (_cache, store) = store();
    let left = store.dir.join(".mine.partial/files");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("tokenizer.json"), "half a tokeni").unwrap();
    // And one that has a name, but no record: an older version may have died there.
    std::fs::create_dir_all(store.dir.join("other")).unwrap();
    assert!(store.get("mine").is_err() && store.get("other").is_err());
    assert!(store.list().unwrap().iter().all(|model| !model.present));
    let litter = store.dir.join(".mine.partial/.tmp123/pip");
    std::fs::create_dir_all(&litter).unwrap();
    std::fs::write(store.dir.join(".mine.partial/joined.zip"), "PK").unwrap();
    let hub = store.dir.join(".mine.partial/hub");
    std::fs::create_dir(&hub).unwrap();
    store.add(tempfile::tempdir().unwrap().path(), Some("mine")).unwrap_err();
    let kept = std::fs::read_dir(store.dir.join(".mine.partial")).unwrap();
    assert_eq!(kept.map(|entry| entry.unwrap().path()).collect::<Vec<_>>(), [hub]);
    let model = store.add(checkpoint().path(), Some("mine")).unwrap();
    assert!(!model.dir.join("tokenizer.json").exists());
    assert_eq!(entries(&store).len(), 2);
}

#[test]
fn of_many_at_once_one_writes_and_all_find_it_whole() {
    let (_cache, store) = store();
    let checkpoint = checkpoint();
    let start = Barrier::new(6);
    let added: usize = std::thread::scope(|scope| {
        let add = || {
            start.wait();
            let result = store.add(checkpoint.path(), Some("mine"));
            assert!(matches!(&result, Ok(_) | Err(StoreError::Exists { .. })), "{result:?}");
            store.check("mine").unwrap();
            usize::from(result.is_ok())
        };
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(add)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(added, 1);
    assert_eq!(entries(&store), [store.dir_of("mine")]);
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = ModelStore::at(file.path());
    let error = store.add(checkpoint().path(), Some("mine")).unwrap_err().to_string();
    assert!(error.contains(file.path().to_str().unwrap()), "{error}");
    assert!(error.contains("LOOKALIKE_CACHE"), "{error}");
}

#[test]
fn pickles_become_safetensors_once() {
    let dir = tempfile::tempdir().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden/weights/zip.pth");
    let pickle = dir.path().join("zip.pth");
    std::fs::copy(&golden, &pickle).unwrap();
    let before = crate::encode::Weights::open(&pickle).unwrap().sha256();
    super::files::convert(dir.path()).unwrap();
    assert!(!pickle.exists());
    let after = crate::encode::Weights::open(&dir.path().join("model.safetensors")).unwrap();
    assert_eq!(after.sha256(), before);
}
