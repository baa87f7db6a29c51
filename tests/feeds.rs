//! The feeds of shop systems, and the pictures that they give by web address.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookalike::catalogue::{
    Catalogue, CatalogueOptions, Entry, FetchOptions, Format, Item, Rejection,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/feeds").join(name)
}

/// Items and ledger; pictures are nobody's business here.
fn read(path: &Path, options: &CatalogueOptions) -> (Vec<Item>, Vec<Rejection>) {
    let (mut items, mut ledger) = (Vec::new(), Vec::new());
    for entry in Catalogue::open(path, options).unwrap() {
        match entry.unwrap() {
            Entry::Item(item, flaw) => {
                items.push(item);
                ledger.extend(flaw);
            }
            Entry::Rejected(rejection) => ledger.push(rejection),
        }
    }
    (items, ledger)
}

fn items(name: &str) -> Vec<Item> {
    read(&fixture(name), &CatalogueOptions::default()).0
}

fn refusal(path: &Path, options: &CatalogueOptions) -> String {
    Catalogue::open(path, options).err().expect("the catalogue was accepted").to_string()
}

/// A file in a folder of its own.
fn file(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    (folder, path)
}

fn about(path: &Path) -> String {
    let catalogue = Catalogue::open(path, &CatalogueOptions::default()).unwrap();
    format!("{}: {}", catalogue.dialect(), catalogue.columns())
}

#[test]
fn a_merchant_feed_in_rss_becomes_items() {
    assert_eq!(
        about(&fixture("merchant.xml")),
        "a Google Merchant feed, XML, UTF-8 (guessed): key: id (guessed); title: title (guessed); picture: \
         image_link (guessed); group: item_group_id (guessed); price: price (guessed); text: title + brand + \
         color + description (guessed)"
    );
    let items = items("merchant.xml");
    assert_eq!(items.len(), 2);
    assert_eq!(
        Value::Object(items[0].fields.clone()),
        json!({
            "id": "HS-100-S",
            "title": "Oilskin coat & belt, small",
            "description": "Keeps the rain out. Two pockets",
            "link": "https://shop.example/coat?size=s&from=feed",
            "image_link": "https://cdn.shop.example/p/coat.jpg",
            "additional_image_link": [
                "https://cdn.shop.example/p/coat-back.jpg", "https://cdn.shop.example/p/coat-detail.jpg"
            ],
            "availability": "in_stock",
            "price": "149.00 EUR",
            "price_amount": 149.0,
            "sale_price": "1,099.50 EUR",
            "sale_price_amount": 1099.5,
            "brand": "Café du Port é",
            "item_group_id": "HS-100",
            "color": "Yellow",
            "shipping": [
                {"country": "PT", "service": "Ground", "price": "4.90 EUR"},
                {"country": "ES", "price": "6.90 EUR"}
            ],
            "c:warehouse": "North",
            "media:thumbnail": "",
        })
    );
    assert_eq!((items[0].key.as_str(), items[0].row), ("HS-100-S", 1));
    assert_eq!(
        items[0].text,
        "Oilskin coat & belt, small, Café du Port é, Yellow, Keeps the rain out. Two pockets"
    );
    // What may come more than once is a list even where it came once.
    assert_eq!(items[1].fields["shipping"], json!([{"country": "PT"}]));
    assert_eq!(items[1].fields["price_amount"], json!(19.0));
    assert_eq!(items[1].fields["condition"], json!(""));
}

#[test]
fn a_feed_in_atom_is_read_by_its_namespaces() {
    let items = items("atom.xml");
    let fields = &items[0].fields;
    assert_eq!(
        Value::Object(fields.clone()),
        json!({
            "id": "A1", "title": "Rope sandals", "link": "https://shop.example/sandals?a=1&b=2",
            "summary": "Made of hemp", "image_link": "https://cdn.shop.example/p/sandals.jpg",
            "price": "35.00 EUR", "price_amount": 35.0
        })
    );
}

#[test]
fn a_merchant_table_has_the_same_names() {
    let told = about(&fixture("merchant.tsv"));
    assert!(told.starts_with("a Google Merchant feed, cells separated by tabs, UTF-8"), "{told}");
    assert!(
        told.contains("picture: image_link (guessed); group: item_group_id (guessed)"),
        "{told}"
    );
    let items = items("merchant.tsv");
    let coat = &items[0].fields;
    assert_eq!(coat["price"], json!("149.00 EUR"));
    assert_eq!(coat["price_amount"], json!(149.0));
    let more = json!(["https://cdn.shop.example/p/a.jpg", "https://cdn.shop.example/p/b.jpg"]);
    assert_eq!(coat["additional_image_link"], more);
    assert_eq!(items[1].fields["additional_image_link"], json!([]));
    // As it stands, if that is wanted.
    let options = CatalogueOptions { format: Some(Format::Delimited), ..Default::default() };
    let (plain, _) = read(&fixture("merchant.tsv"), &options);
    assert!(
        plain[0].fields.contains_key("image link") && !plain[0].fields.contains_key("price_amount")
    );
}

/// An entity bomb, a file's content asked for, tags that do not match: each costs its product only.
#[test]
fn a_broken_feed_costs_its_broken_products() {
    let (items, ledger) = read(&fixture("broken.xml"), &CatalogueOptions::default());
    let titles: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    assert_eq!(titles, ["Sound & simple, with a bare ampersand", "Sound again"]);
    let told: Vec<String> = ledger.iter().map(Rejection::to_string).collect();
    let unknown = "write the character itself (a document's own entities are not expanded)";
    assert_eq!(
        told,
        [
            &format!("row 2: &c; is no known entity: {unknown}"),
            &format!("row 3: &secret; is no known entity: {unknown}"),
            "row 4: <title> is closed by </g:link>: correct the feed",
            "row 5: <title> is not closed: correct the feed",
            "row 6: <item> is not closed before the next one begins",
            "row 7: <m> stands deeper than 12 elements",
            "row 8: no key in \"id\": every product needs one",
            "row 10: the file ends before </item>",
        ]
    );
}

#[test]
fn xml_is_decoded_as_it_says_of_itself() {
    let document = |encoding: &str| {
        format!(
            "<?xml version=\"1.0\"{encoding}?>\n<rss><channel><item><id>1</id><title>Crème brûlée</title></item>\
             </channel></rss>"
        )
    };
    let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(document("").as_bytes()).unwrap();
    for (name, bytes, encoding) in [
        ("a.xml", document("").into_bytes(), "UTF-8"),
        ("a.xml", latin(&document(" encoding='iso-8859-15'")), "ISO-8859-15"),
        ("a.xml", latin(&document(" encoding=\"ISO-8859-1\" standalone=\"yes\"")), "windows-1252"),
        // It says what it is not, as files do that somebody converted.
        ("a.xml", document(" encoding=\"UTF-16\"").into_bytes(), "UTF-8"),
        ("a.xml", latin(&document(" encoding=\"UTF-8\"")), "windows-1252"),
        ("a.xml", utf16(&document(" encoding=\"UTF-16\"")), "UTF-16LE"),
        ("a.xml", utf16(&format!("\u{feff}{}", document(""))), "UTF-16LE"),
        ("a.xml.gz", packed.finish().unwrap(), "UTF-8"),
    ] {
        let (_folder, path) = file(name, bytes);
        let catalogue = Catalogue::open(&path, &CatalogueOptions::default()).unwrap();
        assert_eq!(catalogue.dialect().encoding, Some(encoding));
        let (items, ledger) = read(&path, &CatalogueOptions::default());
        assert_eq!((items[0].text.as_str(), ledger), ("Crème brûlée", vec![]), "{encoding}");
    }
}

#[test]
fn what_is_no_feed_is_told() {
    for (name, content, told) in [
        (
            "a.xml",
            &b"<?xml version='1.0'?><rss><channel/></rss>"[..],
            "is XML without products: export an RSS feed with <item>, or an Atom feed with <entry> elements",
        ),
        ("a.xml", b"<!DOCTYPE html><html></html>", "is a web page: download the catalogue itself"),
    ] {
        let (_folder, path) = file(name, content);
        let refused = refusal(&path, &CatalogueOptions::default());
        assert!(refused.ends_with(told), "{refused}");
    }
    let (_folder, path) = file("a.csv", "id,title\n1,Hat\n");
    let options = CatalogueOptions { format: Some(Format::Shopify), ..Default::default() };
    assert_eq!(
        refusal(&path, &options).replace(path.to_str().unwrap(), "FILE"),
        "FILE has no columns of Shopify's export: it needs a handle, and a SKU or options; it has: id, title"
    );
    let options = CatalogueOptions { format: Some(Format::Parquet), ..Default::default() };
    let refused = refusal(&path, &options);
    assert!(refused.contains("cannot be read as Parquet from row 1 on"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Whatever a shop says of a product comes back, escaped or in CDATA.
    #[test]
    fn any_words_survive_xml(words in prop::collection::vec("[^\\x00-\\x1F\\x7F\u{FFFD}]{0,20}[a-z]", 1..6), plain: bool) {
        let mut feed = String::from("<rss xmlns:g='http://base.google.com/ns/1.0'><channel>");
        for (id, words) in words.iter().enumerate() {
            let words = match plain {
                true => format!("<![CDATA[{}]]>", words.replace("]]>", "]]]]><![CDATA[>")),
                false => words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            };
            feed += &format!("<item><g:id>k{id}</g:id><title>{words}</title></item>");
        }
        let (_folder, path) = file("a.xml", feed + "</channel></rss>");
        let options = CatalogueOptions { text: Some(vec!["id".into()]), ..Default::default() };
        let (items, ledger) = read(&path, &options);
        prop_assert_eq!(ledger, vec![]);
        let read: Vec<&str> = items.iter().map(|item| item.fields["title"].as_str().unwrap()).collect();
        prop_assert_eq!(read, words.iter().map(|words| words.trim()).collect::<Vec<_>>());
    }

    /// No bytes whatever make a reader panic or go on for ever.
    #[test]
    fn any_bytes_are_read_or_refused(
        name in prop::sample::select(vec!["merchant.xml", "broken.xml", "shopify.csv", "snappy.parquet"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = fs::read(fixture(name)).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut.index(3) == 0 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let (_folder, path) = file(name, bytes);
        if let Ok(catalogue) = Catalogue::open(&path, &CatalogueOptions::default()) {
            prop_assert!(catalogue.count() < 1000);
        }
    }
}

#[test]
fn shopifys_variants_are_items() {
    assert_eq!(
        about(&fixture("shopify.csv")),
        "Shopify's export, cells separated by ',', UTF-8 (guessed): key: key (guessed); title: Title (guessed); \
         picture: image (guessed); group: Handle (guessed); price: Variant Price (guessed); text: Title + Vendor \
         + Product Category + Type + Color + Body (HTML) + Tags (guessed)"
    );
    let items = items("shopify.csv");
    let keys: Vec<(&str, u64)> = items.iter().map(|item| (item.key.as_str(), item.row)).collect();
    // The fourth row only adds a picture.
    assert_eq!(keys, [("0801", 1), ("0802", 2), ("linen-shirt/Blue/M", 3), ("rope-bag", 5)]);
    let blue = &items[2].fields;
    for (column, value) in [
        ("Handle", json!("linen-shirt")),
        ("Title", json!("Linen shirt")),
        ("Body (HTML)", json!("Soft linen & air. Made in Porto.")),
        ("Vendor", json!("Harbour Street")),
        ("Tags", json!(["summer", "linen"])),
        ("Status", json!("active")),
        ("Color", json!("Blue")),
        ("Size", json!("M")),
        ("Variant SKU", json!("")),
        ("Variant Price", json!("51.00")),
        ("Variant Compare At Price", json!("")),
        ("Cost per item", json!("")),
        ("image", json!("https://cdn.shop.example/s/shirt-blue.jpg")),
        (
            "images",
            json!([
                "https://cdn.shop.example/s/shirt-white.jpg",
                "https://cdn.shop.example/s/shirt-blue.jpg",
                "https://cdn.shop.example/s/shirt-back.jpg"
            ]),
        ),
    ] {
        assert_eq!(blue.get(column), Some(&value), "{column}");
    }
    // Without a picture of its own, a variant has the product's first.
    assert_eq!(items[1].fields["image"], json!("https://cdn.shop.example/s/shirt-white.jpg"));
    assert_eq!(items[3].fields["image"], json!(null));
    assert!(!items[3].fields.contains_key("Title (2)") && items[3].fields["Title"] == "Rope bag");
}

#[test]
fn both_generations_of_shopify_say_the_same() {
    let (old, new) = (items("shopify.csv"), items("shopify-new.csv"));
    let say = |item: &Item, columns: [&str; 6]| {
        columns.map(|column| item.fields.get(column).cloned().unwrap_or_default())
    };
    let old_columns = ["Title", "Color", "Size", "Variant Price", "image", "Tags"];
    let new_columns = ["Title", "Color", "Size", "Price", "image", "Tags"];
    assert_eq!(say(&old[0], old_columns), say(&new[0], new_columns));
    assert_eq!(say(&old[2], old_columns), say(&new[1], new_columns));
    assert_eq!(
        (old[0].key.as_str(), old[2].key.as_str()),
        (new[0].key.as_str(), new[1].key.as_str())
    );
    assert!(
        about(&fixture("shopify-new.csv")).contains("group: URL handle (guessed); price: Price")
    );
    assert_eq!(new[1].fields["Description"], json!("Soft linen & air."));
}

#[test]
fn rows_without_a_handle_belong_to_the_product_above() {
    let (_folder, path) = file(
        "a.csv",
        "Handle,Title,Variant SKU,Variant Price,Option1 Name,Option1 Value\n,Lost,1,2,,\n\
         a,Hat,10,2,Size,S\n,,11,2,,M\nb,Cap,12,3,,\nbroken\na,,13,2,,\n",
    );
    let (items, ledger) = read(&path, &CatalogueOptions::default());
    let told: Vec<String> =
        items.iter().map(|item| format!("{} {}", item.key, item.text)).collect();
    assert_eq!(told, ["10 Hat", "11 Hat", "12 Cap"]);
    let rows: Vec<u64> = ledger.iter().map(|rejection| rejection.row).collect();
    assert_eq!(rows, [1, 5, 6]);
}

#[test]
fn parquet_is_read_as_pyarrow_wrote_it() {
    let expected: Vec<Value> =
        serde_json::from_slice(&fs::read(fixture("parquet.json")).unwrap()).unwrap();
    for name in
        ["none.parquet", "snappy.parquet", "gzip.parquet", "zstd.parquet", "snappy.parquet.gz"]
    {
        let options = CatalogueOptions { text: Some(vec!["sku".into()]), ..Default::default() };
        let (items, ledger) = read(&fixture(name), &options);
        assert_eq!(ledger, [], "{name}");
        let rows: Vec<Value> = items.iter().map(|item| item.fields.clone().into()).collect();
        assert_eq!(rows, expected, "{name}");
        assert_eq!(Catalogue::count_rows(fixture(name), &options).unwrap(), 3);
    }
    assert_eq!(
        about(&fixture("snappy.parquet.gz")),
        "Parquet, gzip: key: sku (guessed); title: title (guessed); price: price (guessed); text: title + \
         colours (guessed)"
    );
    let whole = fs::read(fixture("zstd.parquet")).unwrap();
    let (_folder, path) = file("cut.parquet", &whole[..whole.len() - 20]);
    let refused = refusal(&path, &CatalogueOptions::default());
    assert!(refused.contains("cannot be read as Parquet from row 1 on: "), "{refused}");
}

const PNG: &[u8] = include_bytes!("../fixtures/pictures/rgb.png");
const GREY: &[u8] = include_bytes!("../fixtures/pictures/grey.png");

/// A server on the loopback that answers as `respond` says and writes down what it was asked.
struct Server {
    base: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(respond: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, respond) = (asked.clone(), Arc::new(respond));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, log, respond) = (stream.unwrap(), log.clone(), respond.clone());
                std::thread::spawn(move || answer(stream, &log, &*respond));
            }
        });
        Server { base, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

fn answer(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    respond: &dyn Fn(&str, &str) -> Vec<u8>,
) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let tag =
        head.lines().find_map(|line| line.strip_prefix("if-none-match: ")).unwrap_or_default();
    log.lock().unwrap().push(format!("{path} {tag}").trim_end().to_owned());
    // Whoever hung up has seen enough.
    let _ = stream.write_all(&respond(&path, tag));
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A catalogue whose pictures are at these addresses.
fn catalogue(addresses: &[String]) -> (TempDir, PathBuf) {
    let rows: String =
        addresses.iter().enumerate().map(|(n, a)| format!("{n},Hat {n},{a}\n")).collect();
    file("a.csv", format!("id,title,image\n{rows}"))
}

fn fetching(cache: &Path) -> FetchOptions {
    let mut options = FetchOptions::into(cache);
    options.allow_private = true;
    options.timeout = Duration::from_secs(20);
    options
}

fn with(fetch: FetchOptions) -> CatalogueOptions {
    CatalogueOptions { fetch: Some(fetch), ..Default::default() }
}

#[test]
fn a_mirror_stands_for_the_sites_it_mirrors() {
    let mirror = tempfile::tempdir().unwrap();
    for path in ["a.example/p/1.jpg", "b.example/p/1.jpg", "p/2.jpg", "3.jpg"] {
        let path = mirror.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, PNG).unwrap();
    }
    let address = |host: &str, path: &str| format!("https://{host}.example/{path}");
    let (_folder, path) = catalogue(&[
        address("a", "p/1.jpg"),
        address("b", "p/1.jpg?w=2"),
        address("c", "p/2.jpg"),
        address("c", "x/y/3.jpg"),
        address("c", "4.jpg"),
    ]);
    let options = CatalogueOptions { mirror: Some(mirror.path().to_owned()), ..Default::default() };
    let (items, ledger) = read(&path, &options);
    let found: Vec<Option<&Path>> = items
        .iter()
        .map(|item| item.picture.as_deref().map(|path| path.strip_prefix(mirror.path()).unwrap()))
        .collect();
    let expected = ["a.example/p/1.jpg", "b.example/p/1.jpg", "p/2.jpg", "3.jpg"];
    assert_eq!(found[..4], expected.map(|path| Some(Path::new(path))));
    assert_eq!(ledger.len(), 1);
    assert!(ledger[0].reason.contains("have it fetched with --fetch"), "{}", ledger[0]);
}

#[test]
fn pictures_are_fetched_once_and_asked_for_again_by_their_tag() {
    let version = Arc::new(Mutex::new(1));
    let current = version.clone();
    let server = Server::start(move |path, tag| match path {
        "/moved.png" => response("302 Found", "Location: /hat.png\r\n", b""),
        "/kept.png" => response("200 OK", "Cache-Control: max-age=3600\r\n", GREY),
        _ => {
            let version = *current.lock().unwrap();
            let etag = format!("\"v{version}\"");
            if tag == etag {
                return response("304 Not Modified", "", b"");
            }
            response("200 OK", &format!("ETag: {etag}\r\n"), if version == 1 { PNG } else { GREY })
        }
    });
    let (folder, path) = catalogue(
        &["hat.png", "hat.png", "moved.png", "kept.png"]
            .map(|name| format!("{}/{name}", server.base)),
    );
    let cache = folder.path().join("cache");
    let pictures = || {
        let (items, ledger) = read(&path, &with(fetching(&cache)));
        assert_eq!(ledger, []);
        items.into_iter().map(|item| item.picture.unwrap()).collect::<Vec<_>>()
    };
    let first = pictures();
    assert_eq!(fs::read(&first[0]).unwrap(), PNG);
    assert_eq!((&first[0], &first[0]), (&first[1], &first[2]), "the same bytes are one file");
    assert_eq!(fs::read(&first[3]).unwrap(), GREY);
    assert_eq!(server.asked(), ["/hat.png", "/hat.png", "/kept.png", "/moved.png"]);

    assert_eq!(pictures(), first);
    assert_eq!(server.asked(), ["/hat.png \"v1\"", "/hat.png \"v1\"", "/moved.png \"v1\""]);

    *version.lock().unwrap() = 2;
    let second = pictures();
    assert_eq!(fs::read(&second[0]).unwrap(), GREY);
    assert_eq!(fs::read(&first[0]).unwrap(), PNG, "what an older collection names stays");
}

#[test]
fn what_cannot_be_fetched_is_told_and_tried_again() {
    let works = Arc::new(Mutex::new(false));
    let now = works.clone();
    let server = Server::start(move |path, _| match path {
        "/late.png" if *now.lock().unwrap() => response("200 OK", "", PNG),
        "/long.png" => response("200 OK", "", &[PNG, &[0; 4096]].concat()),
        "/page.png" => response("200 OK", "", b"<!DOCTYPE html><html>sold out</html>"),
        "/loop.png" => response("302 Found", "Location: /loop.png\r\n", b""),
        "/cut.png" => {
            let mut cut = response("200 OK", "", PNG);
            cut.truncate(cut.len() - 10);
            cut
        }
        _ => response("404 Not Found", "", b""),
    });
    let names = ["late.png", "long.png", "page.png", "loop.png", "cut.png"];
    let (folder, path) = catalogue(&names.map(|name| format!("{}/{name}", server.base)));
    let mut options = fetching(&folder.path().join("cache"));
    options.max_bytes = PNG.len() as u64 + 100;
    let ledger = || {
        let (items, ledger) = read(&path, &with(options.clone()));
        assert_eq!(items.len(), names.len(), "the text is indexed all the same");
        ledger.into_iter().map(|rejection| rejection.reason).collect::<Vec<_>>()
    };
    let told = ledger();
    for (reason, part) in told.iter().zip([
        "late.png\" cannot be fetched: the server answers 404 Not Found",
        "raise the limit with --fetch-bytes",
        "this is a web page",
        "too many redirects",
        "the connection broke",
    ]) {
        assert!(reason.contains(part), "{reason}");
    }
    *works.lock().unwrap() = true;
    assert_eq!(ledger()[..], told[1..]);
    let kept = fs::read_dir(folder.path().join("cache/content")).unwrap().count();
    assert_eq!(kept, 1, "of the others nothing is left");
}

/// A host that takes the connection and says nothing; then a host that is gone.
#[test]
fn silence_ends_and_what_was_fetched_stands_in() {
    let quiet = Arc::new(Mutex::new(false));
    let now = quiet.clone();
    let server = Server::start(move |_, _| {
        while *now.lock().unwrap() {
            std::thread::sleep(Duration::from_millis(50));
        }
        response("200 OK", "ETag: \"1\"\r\n", PNG)
    });
    let (folder, path) = catalogue(&[format!("{}/a.png", server.base)]);
    let mut options = fetching(&folder.path().join("cache"));
    let (items, ledger) = read(&path, &with(options.clone()));
    assert_eq!(ledger, []);

    *quiet.lock().unwrap() = true;
    options.timeout = Duration::from_millis(300);
    let (stale, ledger) = read(&path, &with(options.clone()));
    assert_eq!(stale[0].picture, items[0].picture);
    let told = &ledger[0].reason;
    assert!(
        told.contains("timeout") && told.ends_with("the copy of an earlier run is used"),
        "{told}"
    );
    assert!(ledger[0].kept);

    options.cache = folder.path().join("other");
    let (_, ledger) = read(&path, &with(options));
    assert!(ledger[0].reason.contains("timeout"), "{}", ledger[0]);
    *quiet.lock().unwrap() = false;
}

#[test]
fn private_addresses_are_not_asked_unless_allowed() {
    let server = Server::start(|_, _| response("200 OK", "", PNG));
    let port = server.base.rsplit(':').next().unwrap().to_owned();
    let hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0"];
    let (folder, path) = catalogue(&hosts.map(|host| format!("http://{host}:{port}/a.png")));
    let mut options = fetching(&folder.path().join("cache"));
    options.allow_private = false;
    let (_, ledger) = read(&path, &with(options));
    assert_eq!(ledger.len(), hosts.len());
    for rejection in &ledger {
        assert!(rejection.reason.contains("no public address"), "{rejection}");
    }
    assert_eq!(server.asked(), [""; 0]);
}

/// A host that fails again and again would cost its time once a picture.
#[test]
fn a_host_that_is_down_is_left_alone_after_a_while() {
    // A port that was just free: nobody listens there.
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let addresses: Vec<String> =
        (0..9).map(|n| format!("http://127.0.0.1:{port}/{n}.png")).collect();
    let (folder, path) = catalogue(&addresses);
    let mut options = fetching(&folder.path().join("cache"));
    options.connections = 1;
    let (_, ledger) = read(&path, &with(options));
    let left_alone =
        ledger.iter().filter(|r| r.reason.contains("is left alone in this run")).count();
    assert_eq!((ledger.len(), left_alone), (9, 4));
}
