//! A large JPEG decoded at a fraction of its size has the embedding of the whole.

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use lookalike::catalogue::picture::{PictureLimits, decode_at_least, decode_picture};
use lookalike::encode::store::ModelStore;
use lookalike::encode::{Device, ImageEncoder};

/// The sheet of drawn products, and some photographs where `LOOKALIKE_DATA` has them.
fn pictures() -> Vec<PathBuf> {
    let mut pictures =
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/contact-sheet.jpg")];
    match std::env::var_os("LOOKALIKE_DATA") {
        Some(data) => {
            let hats = Path::new(&data).join("clothing/train/hat");
            let mut files: Vec<_> =
                std::fs::read_dir(hats).unwrap().map(|entry| entry.unwrap().path()).collect();
            files.sort();
            pictures.extend(files.into_iter().take(5));
        }
        None => eprintln!("skipped: photographs, for LOOKALIKE_DATA is not set"),
    }
    pictures
}

fn cosine(encoder: &dyn ImageEncoder, bytes: &[u8]) -> f32 {
    let limits = PictureLimits::default();
    let whole = decode_picture(bytes, &limits).unwrap();
    let enough = encoder.enough().unwrap();
    let part = decode_at_least(bytes, &limits, enough).unwrap();
    assert!(part.width() < whole.width() && part.width().min(part.height()) >= enough);
    let embeddings = encoder.encode(&[encoder.prepare(&whole), encoder.prepare(&part)]).unwrap();
    embeddings[0].iter().zip(&*embeddings[1]).map(|(a, b)| a * b).sum()
}

#[test]
fn a_part_of_a_large_jpeg_is_as_good_as_the_whole() {
    let model = ModelStore::default_location().and_then(|store| store.get("efficientnet-lite0"));
    let Ok(model) = model else {
        eprintln!("skipped: efficientnet-lite0 is not in the model cache");
        return;
    };
    let encoder = model.open_image(&Device::cpu()).unwrap();
    for path in pictures() {
        let bytes = std::fs::read(&path).unwrap();
        let picture = decode_picture(&bytes, &PictureLimits::default()).unwrap();
        let times = 1400u32.div_ceil(picture.width().min(picture.height()));
        let (width, height) = (picture.width() * times, picture.height() * times);
        let large = resize(&picture, width, height, FilterType::CatmullRom);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&large).unwrap();
        let cosine = cosine(&*encoder, &bytes);
        assert!(cosine >= 0.999, "{}: {cosine}", path.display());
    }
}
