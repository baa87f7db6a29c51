//! What an attacker may do to a file, and everything that a reader may then be asked. The fuzz target shares it.

#![allow(dead_code)] // The fuzz target uses its own part of this.

use std::sync::Arc;

use lookalike_index::{Error, Neighbours, RowSet, SearchOptions, Segment, Shelf};

/// Asks a segment everything. Answers may be nonsense; there must be some.
pub fn use_all<B: AsRef<[u8]>>(segment: &Segment<B>) {
    let rows = segment.len() as u32;
    let query = vec![0.5; segment.dimension()];
    let options = SearchOptions::default();
    let answer = segment.exact().search(&query, 4, &options).unwrap();
    assert_eq!(answer.candidates.len(), 4.min(segment.len()));
    assert!(answer.candidates.iter().all(|candidate| !candidate.similarity.is_nan()));
    if let Some(graph) = segment.graph() {
        let walk = options.clone().breadth(1);
        let answer = graph.search(&query, 1, &walk).unwrap();
        assert!(answer.looked_at <= segment.len(), "no row is looked at twice");
        let found = answer.candidates;
        assert!(found.len() <= 1 && found.iter().all(|found| !found.similarity.is_nan()));
        graph.search(&query, 5, &options.clone().recall(0.5)).unwrap();
        let odd: RowSet = (1..rows).step_by(2).collect();
        graph.search(&query, 1, &walk.clone().within(Arc::new(odd))).unwrap();
        let mut pages = graph.pages(&query, &walk).unwrap();
        let mut given = pages.more(1).candidates.len();
        given += pages.more(2).candidates.len() + pages.more(usize::MAX).candidates.len();
        assert!(given <= segment.len(), "no row is given twice");
        assert!(graph.curve().all(|point| (0.0..=1.0).contains(&point.recall)));
    }
    segment.scan(&query, &mut vec![0.0; segment.len()]).unwrap();
    for row in 0..rows {
        assert_eq!(segment.vector(row).unwrap().len(), segment.dimension());
        segment.similarities(&query, &[row]).unwrap();
        let found = segment.row_of(segment.id(row).unwrap());
        assert!(found.is_none_or(|found| found < rows));
    }
    assert_eq!((segment.id(rows), segment.vector(rows)), (None, None));
    assert_eq!(segment.ids().len(), segment.len());
    let _ = segment.label();
}

/// Opens and verifies, and uses whatever opens.
pub fn judge(bytes: &[u8]) -> Result<(), Error> {
    let segment = Segment::from_bytes(bytes)?;
    use_all(&segment);
    segment.verify()
}

/// Any bytes at all: as they are, and as whoever knows the checksums would make them.
pub fn whatever(bytes: &[u8]) {
    let _ = judge(bytes);
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 64 {
        let length = bytes.len() as u64;
        bytes[32..40].copy_from_slice(&length.to_le_bytes());
        seal_all(&mut bytes);
        if let Ok(segment) = Segment::from_bytes(&bytes[..]) {
            use_all(&segment);
            let _ = segment.verify();
            let dead: RowSet = (0..segment.len() as u32).step_by(3).collect();
            let shelf = Shelf::new(segment.dimension(), [(segment, dead)]).unwrap();
            let query = vec![0.5; shelf.dimension()];
            shelf.search(&query, 3, &SearchOptions::default()).unwrap();
            let _ = (shelf.verify(), shelf.ids().count());
        }
    }
}

/// Puts the checksums of header and table right.
pub fn seal(bytes: &mut [u8]) {
    let sections = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
    if let Some(table) = sections.checked_mul(32).and_then(|length| bytes.get(64..64 + length)) {
        let checksum = crc32fast::hash(table);
        bytes[40..44].copy_from_slice(&checksum.to_le_bytes());
    }
    let checksum = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
}

/// As [`seal`], and the checksums of the sections too, wherever they are in reach.
pub fn seal_all(bytes: &mut [u8]) {
    for entry in (64..).step_by(32).take(bytes[12].clamp(3, 4).into()) {
        let number = |at: usize| {
            let number = bytes.get(at..at + 8).map(|n| u64::from_le_bytes(n.try_into().unwrap()));
            number.map_or(usize::MAX, |number| number as usize)
        };
        let (start, length) = (number(entry + 8), number(entry + 16));
        if let Some(section) = start.checked_add(length).and_then(|end| bytes.get(start..end)) {
            let checksum = crc32fast::hash(section);
            bytes[entry + 4..entry + 8].copy_from_slice(&checksum.to_le_bytes());
        }
    }
    seal(bytes);
}
