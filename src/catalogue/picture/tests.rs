use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::*;

fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures")
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(fixtures().join(name)).unwrap()
}

fn expected() -> serde_json::Map<String, Value> {
    serde_json::from_slice(&fixture("expected.json")).unwrap()
}

fn decoded(bytes: &[u8]) -> Result<RgbImage, PictureError> {
    decode_picture(bytes, &PictureLimits::default())
}

fn message(bytes: &[u8]) -> String {
    decoded(bytes).unwrap_err().to_string()
}

/// Every kind of file against Pillow's reading of it; see tools/golden/pictures.py.
#[test]
fn every_kind_of_file_reads_as_pillow_reads_it() {
    let mut wrong = Vec::new();
    for (name, want) in expected() {
        let picture = decoded(&fixture(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let size = (picture.width().into(), picture.height().into());
        assert_eq!(
            size,
            (want["width"].as_u64().unwrap(), want["height"].as_u64().unwrap()),
            "{name}"
        );

        let hex = want["rgb"].as_str().unwrap();
        let samples = hex
            .as_bytes()
            .chunks_exact(2)
            .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).unwrap(), 16).unwrap());
        assert_eq!(samples.len(), picture.as_raw().len(), "{name}");
        let furthest =
            samples.zip(picture.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).max().unwrap();
        if furthest > want["tolerance"].as_u64().unwrap() {
            wrong.push(format!("{name}: differs by {furthest}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A file that lost its tail is refused whatever its format, wherever it was cut.
#[test]
fn a_truncated_file_is_refused() {
    for (name, _) in expected() {
        let whole = fixture(&name);
        for tenths in 1..=9 {
            let cut = &whole[..whole.len() * tenths / 10];
            // Behind the first frame of an animated GIF there is nothing that we need.
            let harmless = name == "animated.gif"
                && decoded(cut).is_ok_and(|picture| picture == decoded(&whole).unwrap());
            assert!(decoded(cut).is_err() || harmless, "{name} cut to {tenths}/10 was accepted");
        }
    }
}

/// The decoder fills in grey and reports success; even the last byte's absence must not go unnoticed,
/// nor may the end of the thumbnail within the metadata pass for the picture's own.
#[test]
fn a_truncated_jpeg_is_named_as_such() {
    for name in ["444.jpg", "420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"] {
        let whole = fixture(name);
        for missing in [1, 2, 3, 20] {
            assert_eq!(
                message(&whole[..whole.len() - missing]),
                "the JPEG file is cut off before the picture's end: copy or download it again",
                "{name} without its last {missing} bytes"
            );
        }
    }

    let whole = fixture("444.jpg");
    let mut with_thumbnail = whole[..2].to_vec();
    with_thumbnail.extend([0xFF, 0xE1]);
    with_thumbnail.extend((whole.len() as u16 + 2).to_be_bytes());
    with_thumbnail.extend(&whole);
    with_thumbnail.extend(&whole[2..]);
    assert!(decoded(&with_thumbnail).is_ok());
    assert!(decoded(&with_thumbnail[..with_thumbnail.len() - 2]).is_err());
}

#[test]
fn what_follows_the_end_of_a_jpeg_does_not_matter() {
    let mut bytes = fixture("444.jpg");
    bytes.extend(b"\0\0\0appended by a camera");
    assert_eq!(decoded(&bytes).unwrap(), decoded(&fixture("444.jpg")).unwrap());
}

#[test]
fn a_huge_picture_is_refused_by_its_header() {
    assert_eq!(
        message(&fixture("hostile/huge.png")),
        "the picture has 50000 x 50000 pixels, more than the limit of 100000000: shrink it, or raise \
         the limit with `index --max-picture-pixels` if the file is trusted"
    );
    let exact = PictureLimits { max_pixels: 21 * 13, ..Default::default() };
    assert!(decode_picture(&fixture("rgb.png"), &exact).is_ok());
    let less = PictureLimits { max_pixels: 21 * 13 - 1, ..Default::default() };
    for (name, _) in expected() {
        let refused = decode_picture(&fixture(&name), &less).unwrap_err();
        assert!(matches!(refused, PictureError::TooManyPixels { .. }), "{name}: {refused}");
    }
}

#[test]
fn what_is_no_picture_is_named() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "this is an empty file, not a picture: JPEG, PNG, WebP, GIF and BMP can be read"),
        (b"BMW is no bitmap, although it begins like one", "this is a text file, not a picture"),
        (b"<!DOCTYPE html><title>404</title>", "this is a web page"),
        (b"%PDF-1.7", "this is a PDF document"),
        (
            b"\0\0\0\x1cftypavif",
            "AVIF pictures cannot be read: convert it to JPEG, PNG, WebP, GIF or BMP",
        ),
        (b"\0\0\0\x18ftypheic", "HEIC pictures cannot be read"),
        (b"II*\0\x08\0\0\0", "TIFF pictures cannot be read"),
        (b"\xEF\xBB\xBF<?xml version='1.0'?>\n<svg width='1'/>", "SVG pictures cannot be read"),
        (b"\x01\x02\x03\x04", "this is a file of unknown kind"),
    ];
    for (bytes, start) in cases {
        let message = message(bytes);
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn no_pixels_is_an_error() {
    let mut bytes = fixture("24.bmp");
    bytes[18..22].fill(0);
    assert!(decoded(&bytes).is_err());
    let mut bytes = fixture("palette.gif");
    bytes[6..8].fill(0);
    assert_eq!(message(&bytes), "the picture has 0 x 13 pixels: save it again from its source");
}

#[test]
fn alpha_is_rounded_to_nearest() {
    for value in 0..=255u8 {
        for alpha in 0..=255u8 {
            let share = f64::from(alpha) / 255.0;
            let exact = (f64::from(value) * share + 255.0 * (1.0 - share)).round();
            assert_eq!(f64::from(over(value, alpha)), exact, "{value} at {alpha}");
        }
    }
}

#[test]
fn a_file_is_read_only_within_its_limits() {
    let folder = tempfile::tempdir().unwrap();
    let limits = PictureLimits { max_bytes: 10, ..Default::default() };
    let path = folder.path().join("shoe.jpg");
    fs::write(&path, [1; 10]).unwrap();
    assert_eq!(read_picture(&path, &limits).unwrap(), [1; 10]);
    fs::write(&path, [1; 11]).unwrap();
    assert_eq!(
        read_picture(&path, &limits).unwrap_err().to_string(),
        "the picture file has 11 bytes, more than the limit of 10: raise it with `index --max-picture-bytes` \
         if the file is trusted"
    );
    let missing = read_picture(&folder.path().join("hat.jpg"), &limits).unwrap_err().to_string();
    assert!(missing.contains("hat.jpg: No such file"), "{missing}");
}

/// Opening a pipe for reading would wait for a writer that never comes.
#[cfg(unix)]
#[test]
fn a_pipe_and_a_folder_are_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.jpg");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for path in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
        let refused = read_picture(path, &PictureLimits::default()).unwrap_err();
        assert!(matches!(refused, PictureError::NotAFile { .. }), "{refused}");
    }
}

/// Against the whole picture's means over the pixels that each stands for.
#[test]
fn a_fraction_of_a_jpeg_is_the_mean_of_its_pixels() {
    let wave = |x: u32, by: f32| (127.0 + 120.0 * (x as f32 / by).sin()) as u8;
    let picture = RgbImage::from_fn(803, 610, |x, y| {
        image::Rgb([wave(x, 50.0), wave(y, 40.0), wave(x + y, 90.0)])
    });
    let mut bytes = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 95);
    picture.write_with_encoder(encoder).unwrap();
    let limits = PictureLimits::default();
    let whole = decode_picture(&bytes, &limits).unwrap();
    for (enough, fraction) in [(611, 1), (400, 1), (305, 2), (153, 2), (152, 4), (76, 8), (1, 8)] {
        let part = decode_at_least(&bytes, &limits, enough).unwrap();
        let size = (803u32.div_ceil(fraction), 610u32.div_ceil(fraction));
        assert_eq!(part.dimensions(), size, "at least {enough}");
        // But for the last column and row, which stand for fewer.
        for (x, y) in (0..size.1 - 1).flat_map(|y| (0..size.0 - 1).map(move |x| (x, y))) {
            for channel in 0..3 {
                let under = (0..fraction * fraction).map(|n| {
                    let (x, y) = (x * fraction + n % fraction, y * fraction + n / fraction);
                    u32::from(whole.get_pixel(x, y)[channel])
                });
                let mean = under.sum::<u32>() as f32 / (fraction * fraction) as f32;
                let apart = (f32::from(part.get_pixel(x, y)[channel]) - mean).abs();
                assert!(apart < 6.0, "1/{fraction}, {x} {y}, channel {channel}: {apart}");
            }
        }
    }
}

#[test]
fn a_fraction_of_a_jpeg_lies_as_the_whole_does() {
    let limits = PictureLimits::default();
    for (name, want) in expected().into_iter().filter(|(name, _)| name.ends_with(".jpg")) {
        let part = decode_at_least(&fixture(&name), &limits, 3).unwrap();
        let sides = [&want["width"], &want["height"]].map(|side| side.as_u64().unwrap() as u32);
        // Those in inks are left whole.
        let fraction = if name == "cmyk.jpg" || name == "ycck.jpg" { 1 } else { 4 };
        assert_eq!(part.dimensions(), (sides[0].div_ceil(fraction), sides[1].div_ceil(fraction)));
        let mean = |picture: &RgbImage| -> f32 {
            let bytes = picture.as_raw();
            bytes.iter().map(|&byte| f32::from(byte)).sum::<f32>() / bytes.len() as f32
        };
        let whole = decoded(&fixture(&name)).unwrap();
        assert!((mean(&part) - mean(&whole)).abs() < 12.0, "{name}");
    }
}
