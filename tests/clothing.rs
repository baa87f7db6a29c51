//! What the pictures' vectors are worth, on photographs that people took of their clothes: the nearest
//! labelled picture names the class of another, through the whole product, from JPEG files to hits.
//!
//! Needs the data set "clothing dataset, small" with its `labels.csv` (columns split, class, image) in the
//! directory `clothing` of `LOOKALIKE_DATA`, and the model `efficientnet-lite0`; is skipped, and says so,
//! without them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lookalike::catalogue::{Entry, Error as CatalogueError};
use lookalike::encode::Device;
use lookalike::encode::store::ModelStore;
use lookalike::{Collection, Indexer, Item, Query};
use serde_json::{Map, json};

struct Labelled {
    class: String,
    picture: PathBuf,
}

fn labelled(directory: &Path, split: &str) -> Vec<Labelled> {
    let rows = csv::Reader::from_path(directory.join("labels.csv")).unwrap();
    let rows = rows.into_records().map(Result::unwrap).filter(|row| &row[0] == split);
    rows.map(|row| Labelled { class: row[1].to_owned(), picture: directory.join(&row[2]) })
        .collect()
}

fn entry((row, labelled): (usize, &Labelled)) -> Result<Entry, CatalogueError> {
    let fields = Map::from_iter([("class".to_owned(), json!(labelled.class))]);
    let picture = Some(labelled.picture.clone());
    let (key, row) = (format!("{row}"), row as u64 + 1);
    Ok(Entry::Item(Item { key, row, fields, text: String::new(), picture }, None))
}

/// PyTorch with the same weights finds .806 of the classes on this split, behind another JPEG decoder.
#[test]
fn the_nearest_picture_tells_the_class() {
    let Some(data) = std::env::var_os("LOOKALIKE_DATA") else {
        eprintln!("skipped: LOOKALIKE_DATA does not say where the data sets are");
        return;
    };
    let directory = PathBuf::from(data).join("clothing");
    if !directory.join("labels.csv").is_file() {
        eprintln!("skipped: there is no labels.csv in {}", directory.display());
        return;
    }
    let model = match ModelStore::default_location().unwrap().get("efficientnet-lite0") {
        Ok(model) => model,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let encoder = Arc::from(model.open_image(&Device::cpu()).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clothing.lookalike");
    let train = labelled(&directory, "train");
    let indexer = Indexer::new(&path).image_encoder("efficientnet-lite0", encoder);
    let report = indexer.run(train.iter().enumerate().map(entry)).unwrap();
    assert_eq!(report.progress.rejected, 0);

    let collection = Collection::open(&path).unwrap();
    let asked = labelled(&directory, "validation");
    let right = asked.iter().filter(|asked| {
        let query = Query::new().image(&asked.picture).top(1);
        let nearest = collection.search(&query).unwrap().hits.remove(0);
        nearest.item.fields["class"] == asked.class.as_str()
    });
    let precision = right.count() as f64 / asked.len() as f64;
    eprintln!("{} labelled, {} asked: precision@1 {precision:.3}", train.len(), asked.len());
    assert!(precision > 0.78, "{precision}");
}
