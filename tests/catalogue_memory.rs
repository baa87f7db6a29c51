//! Reading a catalogue takes no more memory for a long one than for a short one.

mod counting;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use counting::measured;
use lookalike::catalogue::{Catalogue, CatalogueOptions, Entry};

/// The number of items, and the most memory held while they were read.
fn read(path: &Path) -> (usize, usize) {
    measured(|| {
        let catalogue = Catalogue::open(path, &CatalogueOptions::default()).unwrap();
        catalogue.filter(|entry| matches!(entry, Ok(Entry::Item(..)))).count()
    })
}

#[test]
fn a_long_catalogue_is_streamed() {
    const ROWS: usize = 400_000;
    let folder = tempfile::tempdir().unwrap();
    for (name, header, row) in [
        ("long.csv", "sku,title,colour\n", ["", ",\"a chair, of oak\",brown\n"]),
        ("long.jsonl", "", ["{\"sku\":", ",\"title\":\"a chair, of oak\",\"colour\":\"brown\"}\n"]),
        // In an encoding that has to be converted on the way.
        ("latin.csv", "sku;title;colour\n", ["", ";cha\u{ee}se;brune\n"]),
    ] {
        let path = folder.path().join(name);
        let mut file = BufWriter::new(File::create(&path).unwrap());
        file.write_all(header.as_bytes()).unwrap();
        for sku in 0..ROWS {
            let line = format!("{}{sku}{}", row[0], row[1]);
            let bytes: Vec<u8> = line.chars().map(|c| c as u8).collect();
            file.write_all(&bytes).unwrap();
        }
        file.into_inner().unwrap();
        let (items, memory) = read(&path);
        assert_eq!(items, ROWS, "{name}");
        assert!(
            memory < 4 << 20,
            "{name} of {} bytes took {memory}",
            path.metadata().unwrap().len()
        );
    }
}

/// A stray quote swallows all that follows; it must not swallow the memory too.
#[test]
fn a_quote_that_is_never_closed_is_found_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stray.csv");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    file.write_all(b"sku,title\n1,Hat\n2,\"24 inch wheel\n").unwrap();
    for _ in 0..1 << 20 {
        file.write_all(b"3,a chair with four legs and a back of woven cane, brown\n").unwrap();
    }
    file.into_inner().unwrap();

    let (entries, memory) = measured(|| {
        let catalogue = Catalogue::open(&path, &CatalogueOptions::default()).unwrap();
        catalogue.map(|entry| entry.map_err(|error| error.to_string())).collect::<Vec<_>>()
    });
    assert_eq!(entries.len(), 2, "one item, then the error, then nothing");
    let told = format!(
        "row 2 of {} (line 3) is longer than 16777216 bytes: a quote that is never closed? Correct it, or \
         read quotes as ordinary characters with --no-quotes",
        path.display()
    );
    assert_eq!(entries[1].as_ref().unwrap_err(), &told);
    assert!(memory < 64 << 20, "{memory} bytes");

    let options = CatalogueOptions { quotes: false, ..Default::default() };
    let first: Vec<_> = Catalogue::open(&path, &options).unwrap().take(2).collect();
    let Ok(Entry::Item(item, None)) = &first[1] else { panic!("{first:?}") };
    assert_eq!(item.text, "\"24 inch wheel");
}
