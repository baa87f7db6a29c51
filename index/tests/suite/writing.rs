//! What the writer accepts, and what it leaves on the disk.

use std::path::Path;

use lookalike_index::{Error, Precision, RowError, Segment, SegmentWriter, WriteError};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    std::fs::read_dir(folder).unwrap().map(|e| name(e).into_string().unwrap()).collect()
}

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/golden/segment").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn version_1_is_read_and_written_as_specified() {
    // tools/golden/segment.py wrote these files, from FORMAT.md and without this crate.
    for (precision, name) in
        [(Precision::F32, "version-1-f32.seg"), (Precision::F16, "version-1-f16.seg")]
    {
        let bytes = golden(name);
        let segment = Segment::from_bytes(&bytes[..]).unwrap();
        segment.verify().unwrap();
        assert_eq!((segment.len(), segment.dimension(), segment.precision()), (4, 3, precision));
        assert_eq!(segment.label(), b"golden");
        assert_eq!(segment.ids().collect::<Vec<_>>(), [0, 7, 300, u32::MAX]);
        assert_eq!(segment.row_of(300), Some(2));
        assert_eq!(segment.row_of(301), None);
        assert_eq!(segment.vector(1).unwrap(), [0.0, -1.0, 0.0]);

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let mut writer = SegmentWriter::create(&path, 3, precision, b"golden").unwrap();
        let third = 1.0f32 / 3.0;
        let vectors = [
            [1.0, 0.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.6, 0.8, 0.0],
            [third, 2.0 * third, -2.0 * third],
        ];
        for (id, vector) in [0, 7, 300, u32::MAX].into_iter().zip(vectors) {
            writer.push(id, &vector).unwrap();
        }
        writer.finish().unwrap();
        assert!(std::fs::read(&path).unwrap() == bytes, "{name} byte by byte");
    }
}

#[test]
fn f32_vectors_come_back_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let vector = [0.599_99, -0.8, 1e-42, -0.0];
    let mut writer = SegmentWriter::create(&path, 4, Precision::F32, b"").unwrap();
    writer.push(1, &vector).unwrap();
    writer.finish().unwrap();
    let stored = Segment::open(&path).unwrap().vector(0).unwrap();
    assert!(
        stored.iter().map(|x| x.to_bits()).eq(vector.iter().map(|x| x.to_bits())),
        "{stored:?}"
    );
}

#[test]
fn a_refused_row_leaves_the_writer_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let mut writer = SegmentWriter::create(&path, 2, Precision::F16, b"").unwrap();
    let refused =
        |writer: &mut SegmentWriter, id: u32, vector: &[f32]| match writer.push(id, vector) {
            Err(WriteError::Row { id: named, source }) => {
                assert_eq!(named, id);
                source
            }
            other => panic!("{other:?}"),
        };
    writer.push(5, &[0.6, 0.8]).unwrap();
    let dimension = RowError::Dimension { expected: 2, found: 3 };
    assert_eq!(refused(&mut writer, 6, &[0.6, 0.8, 0.0]), dimension);
    assert_eq!(refused(&mut writer, 5, &[0.6, 0.8]), RowError::IdOrder { last: 5 });
    assert_eq!(refused(&mut writer, 6, &[f32::NAN, 1.0]), RowError::NotFinite);
    assert_eq!(refused(&mut writer, 6, &[f32::INFINITY, 1.0]), RowError::NotFinite);
    assert_eq!(refused(&mut writer, 6, &[0.0, 0.0]), RowError::NotUnit(0.0));
    assert!(matches!(refused(&mut writer, 6, &[0.6, 0.802]), RowError::NotUnit(_)));
    assert!(matches!(refused(&mut writer, 6, &[1e30, 1e30]), RowError::NotUnit(_)));
    writer.push(6, &[0.6, 0.8005]).unwrap();
    assert_eq!(writer.len(), 2);
    writer.finish().unwrap();
    let segment = Segment::open(&path).unwrap();
    segment.verify().unwrap();
    assert_eq!(segment.ids().collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn an_unfinished_segment_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer =
        SegmentWriter::create(folder.path().join("segment"), 2, Precision::F32, b"").unwrap();
    writer.push(1, &[0.6, 0.8]).unwrap();
    assert_eq!(names(folder.path()).len(), 1, "the unfinished file, under another name");
    assert!(names(folder.path())[0].starts_with(".segment."));
    drop(writer);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_published_segment_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    let mut early = SegmentWriter::create(&path, 1, Precision::F32, b"early").unwrap();
    early.push(1, &[1.0]).unwrap();
    let late = SegmentWriter::create(&path, 1, Precision::F32, b"late").unwrap();
    late.finish().unwrap();
    assert!(matches!(early.finish(), Err(WriteError::Exists { .. })));
    let again = SegmentWriter::create(&path, 1, Precision::F32, b"again");
    assert!(matches!(again, Err(WriteError::Exists { .. })));
    assert_eq!(Segment::open(&path).unwrap().label(), b"late");
    assert_eq!(names(folder.path()), ["segment"]);
}

#[test]
fn a_segment_may_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("segment");
    SegmentWriter::create(&path, 8, Precision::F16, b"").unwrap().finish().unwrap();
    let segment = Segment::open(&path).unwrap();
    segment.verify().unwrap();
    assert!(segment.is_empty());
    assert_eq!((segment.id(0), segment.row_of(0), segment.vector(0)), (None, None, None));
}

#[test]
fn impossible_segments_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let create = |dimension, label: &[u8]| {
        SegmentWriter::create(folder.path().join("segment"), dimension, Precision::F32, label)
    };
    assert!(matches!(create(0, b""), Err(WriteError::Dimension(0))));
    assert!(matches!(create(65_537, b""), Err(WriteError::Dimension(65_537))));
    assert!(matches!(create(1, &[0; 65_537]), Err(WriteError::Label(65_537))));
    let nowhere = folder.path().join("no/such/folder");
    assert!(matches!(
        SegmentWriter::create(nowhere, 1, Precision::F32, b""),
        Err(WriteError::Io { .. })
    ));
    assert!(names(folder.path()).is_empty());
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.seg");
    let error = Segment::open(&missing).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
    assert!(error.to_string().contains("missing.seg"), "{error}");
    let empty = folder.path().join("empty.seg");
    std::fs::write(&empty, b"").unwrap();
    assert!(matches!(Segment::open(&empty), Err(Error::NotASegment { .. })));
}
