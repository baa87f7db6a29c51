//! A damaged file gives a typed error, or answers that are wrong at worst: never a panic, a wrong
//! read or a hang. So does one whose checksums an attacker has put right again.

use lookalike_index::{Error, Fault, GraphOptions, Precision, Segment};

use crate::graph::with_graph;
use crate::hostile::{judge, seal, seal_all, whatever};
use crate::naive::Problem;

/// A small file: 3 rows of 5 components.
fn small(precision: Precision) -> Vec<u8> {
    Problem::drawn(3, 5).bytes(precision)
}

/// A small file with a graph: enough rows that a narrow walk pays.
fn small_with_graph() -> Vec<u8> {
    with_graph(&Problem::drawn(12, 5), Precision::F16, &GraphOptions::default().from_rows(0))
}

fn fault(bytes: &[u8]) -> Fault {
    match judge(bytes) {
        Err(Error::Corrupted { fault, .. }) => fault,
        other => panic!("{other:?} instead of a fault"),
    }
}

#[test]
fn a_file_cut_short_anywhere_does_not_open() {
    let bytes = small(Precision::F32);
    judge(&bytes).unwrap();
    for length in 0..bytes.len() {
        let error = Segment::from_bytes(&bytes[..length]).unwrap_err();
        match length {
            0..8 => assert!(matches!(error, Error::NotASegment { .. }), "{length}: {error}"),
            _ => assert!(
                matches!(error, Error::Corrupted { fault: Fault::FileLength { .. }, .. }),
                "{length}: {error}"
            ),
        }
    }
}

#[test]
fn a_file_that_goes_on_does_not_open() {
    let mut bytes = small(Precision::F16);
    bytes.push(0);
    assert!(matches!(fault(&bytes), Fault::FileLength { .. }));
}

#[test]
fn every_flipped_bit_is_found() {
    for precision in [Precision::F32, Precision::F16] {
        let mut bytes = small(precision);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let error = judge(&bytes).expect_err("a flipped bit");
            let magic = matches!(error, Error::NotASegment { .. });
            assert_eq!(magic, bit < 64, "{error}");
            assert!(magic || matches!(error, Error::Corrupted { .. }), "bit {bit}: {error}");
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn flipped_bits_under_checksums_put_right_do_no_harm() {
    for precision in [Precision::F32, Precision::F16] {
        let sound = small(precision);
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            seal_all(&mut bytes);
            let _ = judge(&bytes);
            // The ends of the ranges, where sums overflow.
            for extreme in
                [[0x00; 8], [0xff; 8], (u64::MAX - 63).to_le_bytes(), (1u64 << 32).to_le_bytes()]
            {
                let mut bytes = sound.clone();
                if let Some(place) = bytes.get_mut(bit / 8..bit / 8 + 8) {
                    place.copy_from_slice(&extreme);
                    seal_all(&mut bytes);
                    let _ = judge(&bytes);
                }
            }
        }
    }
}

#[test]
fn foreign_files_are_told_as_such() {
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    for foreign in [&b""[..], b"key,title\n1,shirt\n", png, &[0; 4096], &[0xff; 4096]] {
        assert!(matches!(Segment::from_bytes(foreign), Err(Error::NotASegment { .. })));
    }
}

#[test]
fn a_newer_version_is_told_from_damage() {
    let mut bytes = small(Precision::F32);
    bytes[8] = 9;
    assert_eq!(fault(&bytes), Fault::HeaderChecksum);
    seal(&mut bytes);
    let error = judge(&bytes).unwrap_err();
    assert!(matches!(error, Error::NewerVersion { found: 9, supported: 1, .. }));
    assert!(error.to_string().contains("format 9"), "{error}");
}

#[test]
fn a_header_says_nothing_impossible() {
    let altered = |at: usize, value: &[u8]| {
        let mut bytes = small(Precision::F32);
        bytes[at..at + value.len()].copy_from_slice(value);
        seal(&mut bytes);
        fault(&bytes)
    };
    assert!(matches!(altered(8, &[0]), Fault::Header(_)), "version");
    assert!(matches!(altered(12, &[65]), Fault::Header(_)), "sections");
    assert_eq!(altered(12, &[2]), Fault::Misplaced("VECS".into()), "a table cut short");
    assert_eq!(altered(16, &[4]), Fault::SectionLength("VECS"), "rows");
    assert!(matches!(altered(16, &[0xff; 8]), Fault::Header(_)), "rows");
    assert!(matches!(altered(24, &[0]), Fault::Header(_)), "dimension");
    assert!(matches!(altered(24, &[0xff; 4]), Fault::Header(_)), "dimension");
    assert!(matches!(altered(28, &[8]), Fault::Header(_)), "precision");
    assert_eq!(altered(28, &[16]), Fault::SectionLength("VECS"), "precision");
    assert_eq!(altered(64, b"????"), Fault::SectionCount("VECS"), "missing");
    assert_eq!(altered(96, b"VECS"), Fault::SectionCount("VECS"), "twice");
    assert_eq!(altered(72, &[0]), Fault::Misplaced("VECS".into()), "over the table");
    assert_eq!(altered(104, &192u64.to_le_bytes()), Fault::Misplaced("IDS".into()), "over another");
    assert_eq!(altered(144, &[4]), Fault::Misplaced("LABL".into()), "short of the end");
}

#[test]
fn verify_reads_what_open_does_not() {
    let section = |entry: usize| {
        let bytes = small(Precision::F32);
        u64::from_le_bytes(bytes[entry + 8..entry + 16].try_into().unwrap()) as usize
    };
    let (vectors, ids) = (section(64), section(96));
    let altered = |at: usize, value: &[u8], sealed: bool| {
        let mut bytes = small(Precision::F32);
        bytes[at..at + value.len()].copy_from_slice(value);
        if sealed {
            seal_all(&mut bytes);
        }
        Segment::from_bytes(&bytes[..]).expect("nothing that open would read is altered");
        fault(&bytes)
    };
    assert_eq!(altered(vectors, &[1], false), Fault::SectionChecksum("VECS".into()));
    assert_eq!(altered(ids, &[9], false), Fault::SectionChecksum("IDS".into()));
    assert_eq!(altered(vectors - 1, &[1], false), Fault::Gap("VECS".into()));
    assert_eq!(altered(ids - 1, &[1], false), Fault::Gap("IDS".into()));
    assert_eq!(altered(vectors + 20, &f32::NAN.to_le_bytes(), true), Fault::NotFinite(1));
    assert!(matches!(
        altered(vectors + 40, &2f32.to_le_bytes(), true),
        Fault::NotUnit { row: 2, norm } if norm >= 2.0
    ));
    assert_eq!(altered(ids + 4, &[1], true), Fault::IdOrder(1), "the same twice");
}

#[test]
fn unknown_sections_are_passed_over_and_verified() {
    // A later version's file, as long as it keeps to version 1: one more section at the end.
    let sound = small(Precision::F32);
    let mut bytes = sound[..160].to_vec();
    bytes[12] = 4;
    let more = b"what a graph needs";
    let start = sound.len().next_multiple_of(64);
    bytes.extend(b"LINK");
    bytes.extend(crc32fast::hash(more).to_le_bytes());
    bytes.extend((start as u64).to_le_bytes());
    bytes.extend((more.len() as u64).to_le_bytes());
    bytes.extend([0; 8]);
    // The table of four still ends where the first section starts.
    bytes.extend(&sound[192..]);
    bytes.resize(start, 0);
    bytes.extend(more);
    let length = bytes.len() as u64;
    bytes[32..40].copy_from_slice(&length.to_le_bytes());
    seal(&mut bytes);
    judge(&bytes).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(fault(&bytes), Fault::SectionChecksum("LINK".into()));
}

/// Where the graph's section lies.
fn graph_section(bytes: &[u8]) -> std::ops::Range<usize> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    assert_eq!(&bytes[160..164], b"GRPH");
    number(168)..number(168) + number(176)
}

#[test]
fn every_flipped_bit_of_a_graph_is_found() {
    let sound = small_with_graph();
    judge(&sound).unwrap();
    for at in graph_section(&sound) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(matches!(judge(&bytes), Err(Error::Corrupted { .. })), "byte {at}");
    }
}

#[test]
fn graphs_under_checksums_put_right_do_no_harm() {
    let sound = small_with_graph();
    for at in graph_section(&sound) {
        for value in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            seal_all(&mut bytes);
            let _ = judge(&bytes);
        }
        let mut bytes = sound.clone();
        for value in [0xff, 0x7f] {
            if let Some(place) = bytes.get_mut(at..at + 4) {
                place.fill(value);
                seal_all(&mut bytes);
                let _ = judge(&bytes);
            }
        }
    }
    // All at once: every link out of reach, every scale and point no number.
    for value in [0x00, 0xff] {
        let mut bytes = sound.clone();
        let section = graph_section(&bytes);
        bytes[section.start + 64..section.end - 64].fill(value);
        seal_all(&mut bytes);
        let _ = judge(&bytes);
    }
}

#[test]
fn a_graph_says_nothing_impossible() {
    let altered = |at: usize, value: &[u8]| {
        let mut bytes = small_with_graph();
        let start = graph_section(&bytes).start;
        bytes[start + at..start + at + value.len()].copy_from_slice(value);
        seal_all(&mut bytes);
        fault(&bytes)
    };
    assert!(matches!(altered(0, &[3]), Fault::Graph(_)), "version");
    assert!(matches!(altered(4, &[12]), Fault::Graph(_)), "entry");
    assert!(matches!(altered(8, &[31]), Fault::Graph(_)), "degree");
    assert!(matches!(altered(12, &[0]), Fault::Graph(_)), "slots");
    assert!(matches!(altered(12, &[18]), Fault::Graph(_)), "slots");
    assert!(matches!(altered(12, &[0xff; 4]), Fault::Graph(_)), "slots");
    assert_eq!(altered(12, &[20]), Fault::SectionLength("GRPH"), "slots");
    assert!(matches!(altered(16, &[6]), Fault::Graph(_)), "axes");
    assert_eq!(altered(16, &[4]), Fault::SectionLength("GRPH"), "axes");
    assert!(matches!(altered(20, &[3]), Fault::Graph(_)), "sketches");
    assert_eq!(altered(20, &[4]), Fault::SectionLength("GRPH"), "sketches");
    let bytes = small_with_graph();
    let length = graph_section(&bytes).len();
    assert!(matches!(altered(length - 64, &f32::NAN.to_le_bytes()), Fault::Graph(_)), "error");
    assert!(matches!(altered(length - 60, &2f32.to_le_bytes()), Fault::Graph(_)), "curve");
    // What is only read where it is used is told by `verify`. A block has 256 bytes before its codes.
    let blocks = length - 64 - 12 * (256 + 16 * 16);
    assert_eq!(altered(blocks, &[12]), Fault::Graph("a link leads to no row"));
    assert_eq!(altered(blocks + 128, &[0xff; 2]), Fault::Graph("a scale is no length"));
    let entry = bytes[graph_section(&bytes).start + 4];
    let alone = [entry, 0, 0, 0].repeat(32);
    let at = blocks + usize::from(entry) * (256 + 16 * 16);
    assert_eq!(altered(blocks + 192, &[0xff; 2]), Fault::Graph("an offset is not finite"));
    assert_eq!(altered(at, &alone), Fault::Graph("a row cannot be reached"));
}

/// The body of the fuzz target (`index/fuzz`), on as many files as there is time for here: each time some places of a
/// sound one are altered, cut out or repeated, and the checksums put right.
#[test]
fn files_altered_at_random_do_no_harm() {
    let golden = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/golden/segment/");
        std::fs::read(folder.to_owned() + name).unwrap()
    };
    let sketched = Problem::drawn(9, 1_024);
    let sound = [
        small(Precision::F32),
        small_with_graph(),
        golden("version-1-graph.seg"),
        golden("version-1-graph-2.seg"),
        with_graph(&sketched, Precision::F16, &GraphOptions::default().from_rows(0)),
    ];
    let mut state = 23u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % end.max(1)
    };
    for round in 0..2_000 {
        // The large one is asked less often.
        let mut bytes = sound[if round % 50 == 0 { 4 } else { round % 4 }].clone();
        for _ in 0..=below(6) {
            // Half of the places are where the numbers are that lead elsewhere.
            let reach = if below(2) == 0 { 400.min(bytes.len()) } else { bytes.len() };
            let at = below(reach);
            match below(5) {
                0 => bytes[at] ^= 1 << below(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
                2 => bytes[at..].iter_mut().take(4).for_each(|byte| *byte = 0xff),
                3 => drop(bytes.drain(at..(at + 1 + below(70)).min(reach))),
                _ => {
                    let copied = bytes[at..(at + 1 + below(70)).min(reach)].to_vec();
                    bytes.splice(at..at, copied);
                }
            }
            if bytes.is_empty() {
                break;
            }
        }
        whatever(&bytes);
    }
}
