//! The contact sheet: hits as a page of pictures, in one file that needs no network.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use lookalike::catalogue::picture::{decode_picture, read_picture};
use lookalike::{Collection, Hit, Hits, Part, PictureLimits, StoredItem, Term};

use super::words::Words;

const STYLE: &str = include_str!("sheet.css");

/// The longer side of a picture on the sheet: sharp on a dense screen, and small in the file.
const SIDE: u32 = 320;

/// The page for the answer to a query.
pub fn page(terms: &[Term], hits: &Hits, collection: &Collection, words: &Words) -> String {
    let asked: Vec<String> =
        terms.iter().map(|term| asked_words(term, collection, words)).collect();
    let heading = escape(&asked.join(" + "));
    let pictures: String =
        terms.iter().filter_map(|term| asked_picture(term, collection)).collect();
    let cards: String =
        hits.hits.iter().enumerate().map(|(place, hit)| card(place + 1, hit, words)).collect();
    let cards = if cards.is_empty() { "<li>Nothing answers this query.</li>" } else { &cards };
    let about = format!(
        "{} of {} items in {}, best first",
        hits.hits.len(),
        collection.len(),
        escape(&collection.path().display().to_string())
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{heading}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{heading}</h1>\n\
         <div class=\"asked\">{pictures}</div>\n<p class=\"about\">{about}</p>\n\
         <ol>\n{cards}</ol>\n</body>\n</html>\n"
    )
}

/// A term as a heading says it: an item by its title.
fn asked_words(term: &Term, collection: &Collection, words: &Words) -> String {
    match asked_item(term, collection) {
        Some(item) => format!("like {}", words.title(&item)),
        None => term.name(),
    }
}

fn asked_item(term: &Term, collection: &Collection) -> Option<StoredItem> {
    let Term::Item(key) = term else { return None };
    collection.item(collection.id_of(key).ok()??).ok()?
}

/// The picture that a term asks with.
fn asked_picture(term: &Term, collection: &Collection) -> Option<String> {
    let path = match term {
        Term::Image(path) => path.clone(),
        term => asked_item(term, collection)?.picture?.path,
    };
    let name = escape(&term.name());
    Some(format!("<img src=\"{}\" alt=\"{name}\" title=\"{name}\">", thumbnail(&path)?))
}

fn card(place: usize, hit: &Hit, words: &Words) -> String {
    let title = escape(&words.title(&hit.item));
    let picture = hit.item.picture.as_ref().and_then(|picture| thumbnail(&picture.path));
    let picture = match picture {
        Some(source) => format!("<img src=\"{source}\" alt=\"{title}\">"),
        None => format!("<div class=\"blank\">{title}</div>"),
    };
    let bars: String = hit.receipt.parts.iter().map(bar).collect();
    format!(
        "<li><figure>{picture}<figcaption><p class=\"name\"><b>{place}</b> {title}</p>\
         <p class=\"key\">{}</p>{bars}<p class=\"score\">score <b>{:.3}</b></p>\
         </figcaption></figure></li>\n",
        escape(&words.subtitle(&hit.item)),
        hit.score,
    )
}

/// One line of a receipt: the cosine as a bar, its value and rank as words, the whole sum on hovering.
fn bar(part: &Part) -> String {
    let modality = part.modality;
    let width = part.cosine.unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    let value = match (part.cosine, part.rank) {
        (Some(cosine), Some(rank)) => format!("{cosine:.2} #{rank}"),
        (Some(cosine), None) => format!("{cosine:.2}"),
        (None, _) => "none".to_owned(),
    };
    let sum = match part.cosine {
        Some(cosine) => format!("{:.2} × {cosine:.3} = {:.3}", part.weight, part.share),
        None => "the item has none of this modality, which counts as 0".to_owned(),
    };
    format!(
        "<div class=\"part {modality}\" title=\"{}: {sum}\"><span>{modality}</span>\
         <span class=\"bar\"><i style=\"width:{width:.0}%\"></i></span><span>{value}</span></div>",
        escape(&part.term)
    )
}

/// A picture's file made small and put into the page; nothing where it cannot be read any more.
fn thumbnail(path: &Path) -> Option<String> {
    let limits = PictureLimits::default();
    let picture = decode_picture(&read_picture(path, &limits).ok()?, &limits).ok()?;
    let (width, height) = picture.dimensions();
    let picture = if width.max(height) > SIDE {
        image::DynamicImage::from(picture).thumbnail(SIDE, SIDE).into_rgb8()
    } else {
        picture
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 85).encode_image(&picture).ok()?;
    Some(format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(jpeg)))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
