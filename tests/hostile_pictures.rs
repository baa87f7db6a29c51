//! Damaged picture files cost an error: never a panic, a long wait or much memory.
//!
//! A program of its own, since it counts what its allocator hands out.

mod counting;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use counting::measured;
use lookalike::catalogue::picture::{PictureError, PictureLimits, decode_picture};

/// A small generator of its own, so that the same damage is done on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) as usize % sides
    }
}

/// Flips, overwrites, cuts, doubles: a few at once, more often in the header than elsewhere.
fn damaged(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + dice.roll(4) {
        if bytes.is_empty() {
            break;
        }
        let reach = if dice.roll(2) == 0 { bytes.len() } else { bytes.len().min(64) };
        let at = dice.roll(reach);
        match dice.roll(6) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at] = dice.roll(256) as u8,
            2 => bytes[at] = [0x00, 0x7F, 0x80, 0xFF][dice.roll(4)],
            3 => bytes.truncate(at),
            4 => {
                let end = bytes.len().min(at + 1 + dice.roll(32));
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ => {
                let end = bytes.len().min(at + 1 + dice.roll(8));
                bytes[at..end].fill(0xFF);
            }
        }
    }
    bytes
}

#[test]
fn damaged_pictures_cost_an_error_and_little_else() {
    const ROUNDS: usize = 2000;
    const MEMORY: usize = 48 << 20;
    const TIME: Duration = Duration::from_secs(5);

    let limits = PictureLimits { max_pixels: 1_000_000, ..Default::default() };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures");
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e != "json"))
        .collect();
    names.sort();
    assert!(names.len() > 30, "the fixtures are missing");

    let (mut refused, mut read) = (0, 0);
    for path in names {
        let whole = fs::read(&path).unwrap();
        for seed in 0..ROUNDS {
            let bytes = damaged(&whole, &mut Dice(seed as u64));
            let started = Instant::now();
            let (outcome, used) = measured(|| decode_picture(&bytes, &limits));
            let took = started.elapsed();

            let what = format!("{} with damage {seed}", path.display());
            assert!(took < TIME, "{what} took {took:?}");
            assert!(used < MEMORY, "{what} allocated {used} bytes");
            match outcome {
                Ok(picture) => {
                    assert!(u64::from(picture.width()) * u64::from(picture.height()) <= 1_000_000);
                    read += 1;
                }
                // What the border catches is somebody's bug all the same: it should be known to us.
                Err(PictureError::DecoderFailed(kind)) => {
                    panic!("{what}: the {kind} decoder panicked")
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1000 && read > 100, "{refused} refused, {read} read: the damage is lopsided");
}

#[test]
fn a_huge_claim_in_a_small_file_costs_nothing() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/pictures/hostile/huge.png");
    let bytes = fs::read(path).unwrap();
    let (outcome, used) = measured(|| decode_picture(&bytes, &PictureLimits::default()));
    assert!(matches!(
        outcome,
        Err(PictureError::TooManyPixels { width: 50_000, height: 50_000, .. })
    ));
    assert!(used < 1 << 20, "{used} bytes");
}
