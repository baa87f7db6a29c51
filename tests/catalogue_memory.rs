//! Reading a catalogue takes no more memory for a long one than for a short one.

mod counting;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use counting::measured;
use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::catalogue::{Catalogue, CatalogueOptions, Entry};
use parquet::basic::Compression as Packing;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

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

/// A feed of 200 MB, which takes little room on the disk; and what hides in a feed that has no end.
#[test]
fn a_long_feed_is_streamed() {
    const PRODUCTS: usize = 400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.xml.gz");
    let mut file = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
    file.write_all(b"<rss xmlns:g='http://base.google.com/ns/1.0'><channel>").unwrap();
    let filler = "Sits well and wears longer than its owner. ".repeat(9);
    let mut length = 0;
    for id in 0..PRODUCTS {
        let item = format!(
            "<item><g:id>{id}</g:id><title>A chair, of oak</title><g:description>{filler}</g:description>\
             <g:price>15.00 EUR</g:price></item>\n"
        );
        length += item.len();
        file.write_all(item.as_bytes()).unwrap();
    }
    file.write_all(b"</channel></rss>").unwrap();
    file.finish().unwrap();
    assert!(length > 200_000_000);
    let (items, memory) = read(&path);
    assert_eq!(items, PRODUCTS);
    assert!(memory < 4 << 20, "{memory} bytes");

    for start in
        ["<!--", "<!DOCTYPE rss [", "<rss><channel><item><title>", "<rss><channel><item><title a='"]
    {
        let path = folder.path().join("endless.xml.gz");
        let mut file = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        file.write_all(b"<?xml version='1.0'?>").unwrap();
        file.write_all(start.as_bytes()).unwrap();
        let noise = vec![b'x'; 1 << 20];
        (0..100).for_each(|_| file.write_all(&noise).unwrap());
        file.finish().unwrap();
        let (refused, memory) = measured(|| {
            let catalogue = Catalogue::open(&path, &CatalogueOptions::default());
            catalogue.err().unwrap().to_string()
        });
        assert!(refused.contains("longer than 16777216 bytes"), "{start}: {refused}");
        assert!(memory < 64 << 20, "{start}: {memory} bytes");
    }
}

#[test]
fn a_long_parquet_file_is_streamed() {
    const ROWS: usize = 400_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.parquet");
    let schema = "message products { required binary sku (UTF8); required binary title (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let options = WriterProperties::builder()
        .set_compression(Packing::SNAPPY)
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(64 << 10)
        .build();
    let file = File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(options)).unwrap();
    for group in 0..4 {
        let mut rows = writer.next_row_group().unwrap();
        for column in 0..2 {
            let mut cells = rows.next_column().unwrap().unwrap();
            for part in 0..10 {
                let numbers = (0..ROWS / 40).map(|row| (group * 10 + part) * ROWS / 40 + row);
                let text = |number| match column {
                    0 => format!("{number}"),
                    _ => format!("a chair, of oak, with {number} legs and a back of woven cane"),
                };
                let values: Vec<ByteArray> =
                    numbers.map(|number| ByteArray::from(text(number).into_bytes())).collect();
                cells.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            }
            cells.close().unwrap();
        }
        rows.close().unwrap();
    }
    writer.close().unwrap();
    let (items, memory) = read(&path);
    assert_eq!(items, ROWS);
    assert!(memory < 4 << 20, "{memory} bytes for {}", path.metadata().unwrap().len());
}
