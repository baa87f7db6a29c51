//! Catalogues as shops hand them over: every format, encoding and flaw, through the public interface.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::catalogue::{Catalogue, CatalogueOptions, Entry, Error, Format, Item, Rejection};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with one file in it.
struct Shop {
    folder: TempDir,
    path: PathBuf,
}

fn shop(name: &str, content: impl AsRef<[u8]>) -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    Shop { folder, path }
}

impl Shop {
    fn add(&self, file: &str) -> &Self {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"").unwrap();
        self
    }

    fn open(&self) -> Result<Catalogue, Error> {
        Catalogue::open(&self.path, &CatalogueOptions::default())
    }

    fn items(&self) -> Vec<Item> {
        items(self.open().unwrap())
    }

    /// What the ledger would say.
    fn ledger(&self) -> Vec<String> {
        let (_, rejections) = split(self.open().unwrap());
        let here = self.folder.path().to_str().unwrap();
        rejections.iter().map(|rejection| rejection.to_string().replace(here, "SHOP")).collect()
    }

    /// Why it cannot be opened.
    fn refusal(&self) -> String {
        let error = self.open().err().expect("the catalogue was accepted");
        error.to_string().replace(self.folder.path().to_str().unwrap(), "SHOP")
    }
}

fn split(catalogue: Catalogue) -> (Vec<Item>, Vec<Rejection>) {
    let (mut items, mut rejections) = (Vec::new(), Vec::new());
    for entry in catalogue {
        match entry.unwrap() {
            Entry::Item(item, flaw) => {
                items.push(item);
                rejections.extend(flaw);
            }
            Entry::Rejected(rejection) => rejections.push(rejection),
        }
    }
    (items, rejections)
}

fn items(catalogue: Catalogue) -> Vec<Item> {
    let (items, rejections) = split(catalogue);
    assert_eq!(rejections, []);
    items
}

fn texts(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.text.as_str()).collect()
}

#[test]
fn a_csv_becomes_items() {
    let shop = shop(
        "products.csv",
        "sku,title,colour,price,image\r\n\
         A1,\"Shirt, \"\"Oxford\"\"\nlong sleeves\",blue,19.90,a1.jpg\r\n\
         \r\n\
         A2,Hat,red,007,\r\n",
    );
    shop.add("a1.jpg");
    let catalogue = shop.open().unwrap();
    assert_eq!(catalogue.dialect().to_string(), "cells separated by ',', UTF-8 (guessed)");
    assert_eq!(Catalogue::count_rows(&shop.path, &CatalogueOptions::default()).unwrap(), 2);
    let items = items(catalogue);
    assert_eq!(
        items[0],
        Item {
            key: "A1".into(),
            row: 1,
            fields: json!({
                "sku": "A1", "title": "Shirt, \"Oxford\"\nlong sleeves", "colour": "blue", "price": "19.90",
                "image": "a1.jpg"
            })
            .as_object()
            .unwrap()
            .clone(),
            text: "Shirt, \"Oxford\" long sleeves, blue".into(),
            picture: Some(shop.folder.path().join("a1.jpg")),
        }
    );
    let hat = &items[1];
    assert_eq!((hat.row, hat.fields["price"].as_str(), &hat.picture), (2, Some("007"), &None));
    assert!(items[0].fields.keys().eq(["sku", "title", "colour", "price", "image"]));
}

#[test]
fn encodings_are_told_apart() {
    let text = "id;title\n1;Crème brûlée €5 — “fine”\n";
    let utf16 = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
        mark.into_iter().chain(text.encode_utf16().flat_map(bytes)).collect::<Vec<u8>>()
    };
    let windows = b"id;title\n1;Cr\xE8me br\xFBl\xE9e \x805 \x97 \x93fine\x94\n".to_vec();
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        ([b"\xEF\xBB\xBF", text.as_bytes()].concat(), "UTF-8"),
        (utf16([0xFF, 0xFE], u16::to_le_bytes), "UTF-16LE"),
        (utf16([0xFE, 0xFF], u16::to_be_bytes), "UTF-16BE"),
        (windows, "windows-1252"),
    ] {
        let shop = shop("menu.csv", bytes);
        let catalogue = shop.open().unwrap();
        assert_eq!(catalogue.dialect().encoding, Some(encoding));
        assert_eq!(texts(&items(catalogue)), ["Crème brûlée €5 — “fine”"], "{encoding}");
    }
}

#[test]
fn the_encoding_can_be_given() {
    let shop = shop("menu.csv", b"id,title\n1,\xCF\xF0\xE8\xE2\xE5\xF2\n");
    let with = |label: &str| {
        let options = CatalogueOptions { encoding: Some(label.into()), ..Default::default() };
        Catalogue::open(&shop.path, &options)
    };
    let catalogue = with("windows-1251").unwrap();
    assert_eq!(catalogue.dialect().to_string(), "cells separated by ',', windows-1251");
    assert_eq!(texts(&items(catalogue)), ["Привет"]);
    assert_eq!(
        with("klingon").err().unwrap().to_string(),
        "unknown encoding \"klingon\": --encoding takes utf-8, utf-16le, windows-1252, latin1 ..."
    );
}

/// The head is UTF-8; one bad byte far behind it costs its row and names the remedy.
#[test]
fn a_late_bad_byte_costs_one_row() {
    let mut bytes = b"id,title\n".to_vec();
    for id in 0..120_000 {
        bytes.extend(format!("{id},a chair\n").bytes());
    }
    bytes.extend(b"120000,Cr\xE8me\n120001,Hat\n");
    let shop = shop("long.csv", bytes);
    let (items, rejections) = split(shop.open().unwrap());
    assert_eq!(items.len(), 120_001);
    assert_eq!(
        rejections.iter().map(Rejection::to_string).collect::<Vec<_>>(),
        [
            "row 120001: line 120002 is not valid UTF-8 in column \"title\": correct it, or name the file's \
          encoding with --encoding (windows-1252, say)"
        ]
    );
}

#[test]
fn rows_that_do_not_fit_are_rejected_with_their_place() {
    let shop = shop(
        "products.csv",
        "sku,title,colour\n1,Hat,red\n2,Cap\n3,Shoe, blue,suede\n,Sock,red\n,,\n5,\"Bag,red\n6,Belt\",x,y\n7,,\n",
    );
    assert_eq!(
        shop.ledger(),
        [
            "row 2: line 3 has 2 cells where the header has 3: quote cells that contain the delimiter, and \
             write empty cells too",
            "row 3: line 4 has 4 cells where the header has 3: quote cells that contain the delimiter, and \
             write empty cells too",
            "row 4: no key in \"sku\": every product needs one",
            "row 6: line 7 has 4 cells where the header has 3: is a quote not closed, or a delimiter not \
             quoted?",
            "row 7 (7): neither text nor picture: name its columns with --text and --picture",
        ]
    );
    let (items, rejections) = split(shop.open().unwrap());
    assert_eq!(items.iter().map(|item| item.row).collect::<Vec<_>>(), [1]);
    assert!(rejections.iter().all(|rejection| !rejection.kept));
}

#[test]
fn delimiters_are_guessed_or_given() {
    for (name, content) in [
        ("a.tsv", "id\ttitle\n1\tHat, red\n"),
        ("a.csv", "id;title\n1;Hat, red\n"),
        ("a.txt", "id|title\n1|Hat, red\n"),
        ("a.csv", "sep=;\r\nid;title\r\n1;Hat, red\r\n"),
    ] {
        assert_eq!(texts(&shop(name, content).items()), ["Hat, red"], "{content:?}");
    }
    let shop = shop("a.csv", "id^title\n1^Hat, red\n");
    let with = |delimiter| {
        let options = CatalogueOptions { delimiter: Some(delimiter), ..Default::default() };
        Catalogue::open(&shop.path, &options)
    };
    assert_eq!(texts(&items(with('^').unwrap())), ["Hat, red"]);
    assert_eq!(
        with('→').err().unwrap().to_string(),
        "'→' cannot separate cells: --delimiter takes one ASCII character such as ; or |"
    );
}

#[test]
fn columns_without_a_name_of_their_own_get_one() {
    let shop = shop("a.csv", ",id,title,title,\n0,1,Hat,Cap,x\n");
    let item = &shop.items()[0];
    assert!(item.fields.keys().eq(["column 1", "id", "title", "title (2)", "column 5"]));
}

#[test]
fn json_lines_keep_their_types() {
    let shop = shop(
        "products.jsonl",
        "\n{\"id\": 7, \"title\": \"Hat\", \"colour\": [\"red\", \"blue\"], \"stock\": {\"shop\": 2}, \
         \"price\": 1.50}\n\n{\"id\": \"8\", \"title\": null, \"description\": \"Warm\"}\n",
    );
    let catalogue = shop.open().unwrap();
    assert_eq!(catalogue.dialect().format, Format::JsonLines);
    let items = items(catalogue);
    assert_eq!(texts(&items), ["Hat, red, blue", "Warm"]);
    assert_eq!((items[0].key.as_str(), items[0].row, items[1].row), ("7", 2, 4));
    assert_eq!(items[0].fields["stock"], json!({"shop": 2}));
    assert_eq!(items[0].fields["price"], Value::from(1.5));
}

#[test]
fn lines_that_are_no_object_are_rejected() {
    let shop = shop(
        "products.jsonl",
        "{\"id\": 1, \"title\": \"Hat\"}\n{\"id\": 2, \"title\": \"Ca\n[3]\n\
         {\"id\": {}, \"title\": \"x\"}\n{\"title\": \"Sock\"}\n",
    );
    assert_eq!(
        shop.ledger(),
        [
            "row 2: the line is not JSON (EOF while parsing a string at column 22): write one whole object \
             a line",
            "row 3: the line holds an array where an object {...} is expected",
            "row 4: the key in \"id\" is neither text nor number",
            "row 5: no key in \"id\": every product needs one",
        ]
    );
}

#[test]
fn gzip_is_unpacked_on_the_way() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(b"id\ttitle\n1\tHat, red\n").unwrap();
    let packed = packed.finish().unwrap();
    let whole = shop("feed.tsv.gz", &packed);
    assert_eq!(
        whole.open().unwrap().dialect().to_string(),
        "cells separated by tabs, UTF-8 (guessed), gzip"
    );
    assert_eq!(texts(&whole.items()), ["Hat, red"]);
    let cut = shop("feed.tsv.gz", &packed[..packed.len() - 9]).refusal();
    assert!(cut.starts_with("cannot read SHOP/feed.tsv.gz: "), "{cut}");
}

#[test]
fn a_folder_of_pictures_is_a_catalogue() {
    let shop = shop("red_leather-shoe.jpg", "");
    shop.add("b/2.png").add("a/10.JPG").add("a/9.webp").add("notes.txt").add(".cache/1.jpg");
    let folder = shop.folder.path();
    let items = items(Catalogue::open(folder, &CatalogueOptions::default()).unwrap());
    let keys: Vec<_> = items.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["a/10.JPG", "a/9.webp", "b/2.png", "red_leather-shoe.jpg"]);
    assert_eq!(items[2].picture.as_deref(), Some(folder.join("b/2.png").as_path()));
    assert_eq!((items[2].row, items[2].text.as_str()), (3, ""));

    let options = CatalogueOptions { text_from_names: true, ..Default::default() };
    let named = Catalogue::open(folder, &options).unwrap();
    assert_eq!(texts(&self::items(named)).last(), Some(&"red leather shoe"));
}

#[cfg(unix)]
#[test]
fn what_a_folder_holds_besides_is_told() {
    use std::ffi::OsStr;
    use std::os::unix::{ffi::OsStrExt, fs::symlink};

    let outside = shop("secret.jpg", "");
    let shop = shop("a.jpg", "");
    let folder = shop.folder.path();
    shop.add("b.heic");
    symlink(&outside.path, folder.join("c.jpg")).unwrap();
    symlink("nowhere.jpg", folder.join("d.jpg")).unwrap();
    symlink(folder, folder.join("circle")).unwrap();
    fs::write(folder.join(OsStr::from_bytes(b"e\xFF.jpg")), b"").unwrap();
    let (items, rejections) = split(Catalogue::open(folder, &CatalogueOptions::default()).unwrap());
    assert_eq!(items.len(), 1);
    let told: Vec<_> = rejections
        .iter()
        .map(|rejection| rejection.to_string().replace(folder.to_str().unwrap(), "SHOP"))
        .collect();
    assert_eq!(
        told,
        [
            "row 2: b.heic is of a kind that cannot be read: convert it to JPEG, PNG, WebP, GIF or BMP",
            "row 3 (c.jpg): picture \"c.jpg\" lies outside SHOP: move it there, name its folder with \
             --images, or allow it with --allow-outside",
            "row 4 (d.jpg): picture \"d.jpg\" is not in SHOP: put it there, or name its folder with --images",
            "row 5: the name of e\u{FFFD}.jpg is not valid UTF-8: rename it",
        ]
    );
}

#[test]
fn a_missing_picture_leaves_the_text() {
    let shop =
        shop("a.csv", "id,title,image\n1,Hat,1.jpg\n2,Cap,2.jpg\n3,,3.jpg\n4,Sock,../x.jpg\n");
    shop.add("1.jpg");
    let (items, rejections) = split(shop.open().unwrap());
    assert_eq!(
        items.iter().map(|item| item.picture.is_some()).collect::<Vec<_>>(),
        [true, false, false]
    );
    assert_eq!(rejections.iter().map(|r| r.kept).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(
        shop.ledger(),
        [
            "row 2 (2): picture \"2.jpg\" is not in SHOP: put it there, or name its folder with --images",
            "row 3 (3): picture \"3.jpg\" is not in SHOP: put it there, or name its folder with --images",
            "row 4 (4): picture \"../x.jpg\" lies outside SHOP: move it there, name its folder with \
             --images, or allow it with --allow-outside",
        ]
    );
}

#[test]
fn without_a_picture_column_the_key_names_it() {
    let shop = shop("a.csv", "article_id,title\n0108775015,Top\n2,Cap\n");
    shop.add("photos/010/0108775015.jpg").add("photos/3.jpg");
    let photos = shop.folder.path().join("photos");
    let options = CatalogueOptions { images: Some(photos.clone()), ..Default::default() };
    let (items, rejections) = split(Catalogue::open(&shop.path, &options).unwrap());
    assert_eq!(items[0].picture, Some(photos.join("010/0108775015.jpg")));
    assert_eq!((rejections.len(), rejections[0].kept), (1, true));
    // Unless a folder is named, nobody spoke of pictures.
    assert!(shop.items().iter().all(|item| item.picture.is_none()));
}

#[test]
fn rows_can_be_numbered() {
    let shop = shop("a.csv", "title\nHat\nCap\n");
    assert!(shop.refusal().contains("name it with --key COLUMN"));
    let options = CatalogueOptions { number_keys: true, ..Default::default() };
    let items = items(Catalogue::open(&shop.path, &options).unwrap());
    assert_eq!(items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}

#[test]
fn what_cannot_be_read_is_named_with_the_remedy() {
    for (name, content, told) in [
        ("a.csv", &b""[..], "SHOP/a.csv is empty: export the catalogue again"),
        ("a.csv", b"\xEF\xBB\xBF \r\n\r\n", "SHOP/a.csv is empty: export the catalogue again"),
        ("a.csv", b"id,title\n", "SHOP/a.csv has a header but no rows: export the catalogue again"),
        (
            "a.csv",
            b"id,title\n,\n,\n",
            "SHOP/a.csv has a header but no rows: export the catalogue again",
        ),
        (
            "a.xlsx",
            b"PK\x03\x04\x14\0",
            "SHOP/a.xlsx is an Excel workbook: export the sheet as CSV",
        ),
        (
            "a.csv",
            b"PK\x03\x04\x14\0",
            "SHOP/a.csv is a ZIP archive: unpack it and name the catalogue within",
        ),
        (
            "a.parquet",
            b"PAR1\x15\0",
            "SHOP/a.parquet cannot be read as Parquet from row 1 on: EOF: Parquet file too small. Size is 6 but need 8; write it again",
        ),
        (
            "a.csv",
            b"id,\0\x01\x02\x03title",
            "SHOP/a.csv is a binary file: export the catalogue as CSV, TSV or JSON lines",
        ),
        (
            "a.csv",
            b"i\0d\0,\0t\0i\0t\0l\0e\0\n\x001\0,\0H\0",
            "SHOP/a.csv is UTF-16 text without a byte-order mark: say --encoding utf-16le or utf-16be",
        ),
        (
            "a.jpg",
            b"\xFF\xD8\xFF\xE0",
            "SHOP/a.jpg is a picture: name the folder of the pictures instead",
        ),
        (
            "a.xml",
            b"<?xml version='1.0'?><rss/>",
            "SHOP/a.xml is XML without products: export an RSS feed with <item>, or an Atom feed with <entry> elements",
        ),
        (
            "a.json",
            b"[{\"id\": 1}]",
            "SHOP/a.json is one JSON array: write one object a line, as `jq -c '.[]'` does",
        ),
        (
            "a.jsonl",
            b"[1]\n[2]\n",
            "SHOP/a.jsonl is one JSON array: write one object a line, as `jq -c '.[]'` does",
        ),
        (
            "a.jsonl",
            b"1\n2\n",
            "SHOP/a.jsonl is without JSON objects: write one object {...} a line",
        ),
        ("a.jsonl", b"\n\n", "SHOP/a.jsonl is empty: export the catalogue again"),
    ] {
        assert_eq!(shop(name, content).refusal(), told, "{content:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        Catalogue::open(path, &CatalogueOptions::default()).err().unwrap().to_string()
    };
    assert_eq!(
        open(folder.path()),
        format!(
            "no pictures in {}: expected files named *.jpg, *.png, *.webp, *.gif or *.bmp, there or below",
            folder.path().display()
        )
    );
    let missing = open(&folder.path().join("none.csv"));
    assert!(missing.contains("none.csv: No such file or directory"), "{missing}");
}

/// Real tables, read where LOOKALIKE_DATA names the folder they were unpacked in.
#[test]
fn real_catalogues_are_guessed_right() {
    let Some(data) = std::env::var_os("LOOKALIKE_DATA").map(PathBuf::from) else {
        eprintln!("skipped: LOOKALIKE_DATA does not name the folder of fashion-small and hm-2core");
        return;
    };
    for (file, count, told, first) in [
        (
            "fashion-small/products.csv",
            44_072,
            "key: id (guessed); title: title (guessed); picture: image (guessed); text: title + \
             master_category + sub_category + article_type + base_colour + usage (guessed)",
            "Mother Earth Women Aug Bagru Red Kurtas, Apparel, Topwear, Ethnic",
        ),
        (
            "hm-2core/items.csv",
            5378,
            "key: item_id (guessed); title: name (guessed); picture: image (guessed); text: name + type + \
             colour + description (guessed)",
            "",
        ),
    ] {
        let catalogue = Catalogue::open(data.join(file), &CatalogueOptions::default()).unwrap();
        assert_eq!(catalogue.columns().to_string(), told);
        let items = items(catalogue);
        assert_eq!((items.len(), items[0].text.as_str()), (count, first));
        assert!(items.iter().all(|item| item.picture.is_some()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever the csv crate writes comes back cell by cell, in any encoding that can hold it. (A zero
    /// byte is the one thing by which a text is told from a binary file.)
    #[test]
    fn any_cells_survive_the_way(
        rows in prop::collection::vec(prop::collection::vec("[^\\x00]{0,12}", 3), 1..12),
        delimiter in prop::sample::select(vec![',', ';', '\t', '|', '^']),
        line_ends in prop::sample::select(vec!["\n", "\r\n"]),
        utf16 in any::<bool>(),
        quote_all in any::<bool>(),
    ) {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(delimiter as u8)
            .terminator(match line_ends {
                "\n" => csv::Terminator::Any(b'\n'),
                _ => csv::Terminator::CRLF,
            })
            .quote_style(if quote_all { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary })
            .from_writer(Vec::new());
        writer.write_record(["id", "title", "size", "image note"]).unwrap();
        for (id, row) in rows.iter().enumerate() {
            let cells = [format!("id{id}")].into_iter().chain(row.iter().cloned());
            writer.write_record(cells).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let bytes = match utf16 {
            true => "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
            false => text.into_bytes(),
        };
        let shop = shop("any.csv", bytes);
        let options = CatalogueOptions {
            delimiter: Some(delimiter),
            // The key counts as text here, so that no row is without.
            text: Some(vec!["id".into()]),
            ..Default::default()
        };
        let items = items(Catalogue::open(&shop.path, &options).unwrap());
        prop_assert_eq!(items.len(), rows.len());
        for (item, row) in items.iter().zip(&rows) {
            let cells: Vec<_> = item.fields.values().skip(1).map(|cell| cell.as_str().unwrap()).collect();
            prop_assert_eq!(cells, row.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    /// No bytes whatever make the reader panic.
    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        name in prop::sample::select(vec!["a.csv", "a.tsv", "a.jsonl", "a.json.gz", "a"]),
        header in any::<bool>(),
    ) {
        let bytes = [if header { &b"id,title\n"[..] } else { b"" }, &bytes].concat();
        if let Ok(catalogue) = shop(name, bytes).open() {
            prop_assert!(catalogue.count() > 0);
        }
    }
}
