//! The contact sheet: hits as a page of pictures, in one file that needs no network.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use image::codecs::jpeg::JpegEncoder;
use lookalike::catalogue::picture::{decode_picture, read_picture};
use lookalike::search::{Facet, How};
use lookalike::taste::by_model;
use lookalike::{Collection, Fusion, Hit, Part, PictureLimits, Query, StoredItem, Term};

use super::search::{Answer, counts, score};
use super::words::Words;

const STYLE: &str = include_str!("sheet.css");

/// The longer side of a picture on the sheet: sharp on a dense screen, and small in the file.
const SIDE: u32 = 320;

/// The page for the answers to a query: one, or a column each where several stand side by side.
pub fn page(query: &Query, answers: &[Answer], collection: &Collection, words: &Words) -> String {
    let asked: Vec<String> = query
        .terms()
        .enumerate()
        .map(|(place, (term, weight))| signed(place, weight, &asked_words(term, collection, words)))
        .collect();
    let filter = query.filtered_by().map(|filter| format!("where {filter}"));
    let asked: Vec<String> = asked.into_iter().chain(filter).collect();
    let heading = escape(&asked.join(" "));
    let pictures: String = query
        .terms()
        .filter_map(|(term, weight)| asked_picture(term, weight, collection))
        .collect();
    let hits: usize = answers.iter().map(|(_, hits)| hits.hits.len()).max().unwrap_or_default();
    let listed = answers.iter().all(|(_, hits)| hits.plan.how == How::Listed);
    let order = if listed { "listed" } else { "best first" };
    let about = format!(
        "{hits} of {} items in {}, {order}",
        collection.len(),
        escape(&collection.path().display().to_string())
    );
    let lists: String = answers.iter().map(|answer| list(answer, words)).collect();
    let lists = match answers {
        [_] => lists,
        _ => format!("<div class=\"columns\">\n{lists}</div>\n"),
    };
    document(&heading, &format!("<div class=\"asked\">{pictures}</div>\n"), &about, &lists)
}

/// A page of lists that answers no query; `about` is words, `lists` are elements.
pub fn listing(heading: &str, about: &str, lists: &str) -> String {
    document(&escape(heading), "", &escape(about), lists)
}

fn document(heading: &str, asked: &str, about: &str, lists: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{heading}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{heading}</h1>\n\
         {asked}<p class=\"about\">{about}</p>\n\
         {lists}</body>\n</html>\n"
    )
}

/// One answer, best first.
fn list((aspect, hits): &Answer, words: &Words) -> String {
    let cards = hits.hits.iter().enumerate();
    let cards: String =
        cards.map(|(place, hit)| card(hits.offset + place + 1, hit, hits.fusion, words)).collect();
    let cards = if cards.is_empty() { "<li>Nothing answers this query.</li>" } else { &cards };
    let counts: String = hits.facets.iter().map(counted).collect();
    match aspect {
        None => format!("{counts}<ol>\n{cards}</ol>\n"),
        Some(aspect) => {
            format!(
                "<section><h2 class=\"{aspect}\">by {aspect}</h2>\n{counts}<ol>\n{cards}</ol></section>\n"
            )
        }
    }
}

/// The counts of a field's values, as a line above the hits.
fn counted(facet: &Facet) -> String {
    let (field, counts) = (escape(&facet.field), escape(&counts(facet, 20)));
    format!("<p class=\"about\"><b>{field}</b> {counts}</p>\n")
}

/// A term with its sign and weight, as far as they say anything.
fn signed(place: usize, weight: f32, words: &str) -> String {
    let sign = match (place, weight < 0.0) {
        (_, true) => "\u{2212} ",
        (0, false) => "",
        (_, false) => "+ ",
    };
    match weight.abs() {
        1.0 => format!("{sign}{words}"),
        weight => format!("{sign}{weight} × {words}"),
    }
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
fn asked_picture(term: &Term, weight: f32, collection: &Collection) -> Option<String> {
    let path = match term {
        Term::Image(path) => path.clone(),
        term => asked_item(term, collection)?.picture?.path,
    };
    let name = escape(&term.name());
    let class = if weight < 0.0 { " class=\"unlike\"" } else { "" };
    Some(format!("<img{class} src=\"{}\" alt=\"{name}\" title=\"{name}\">", thumbnail(&path)?))
}

fn card(place: usize, hit: &Hit, fusion: Fusion, words: &Words) -> String {
    let bars: String = hit.receipt.parts.iter().map(|part| bar(part, fusion)).collect();
    let group = hit.group.as_ref().map_or(String::new(), |group| {
        format!("<p class=\"key\">best of {} with {}</p>", group.count, escape(&group.value))
    });
    // What was listed has no score.
    let score = match hit.receipt.parts.is_empty() {
        true => String::new(),
        false => format!("<p class=\"score\">score <b>{}</b></p>", score(hit.score, fusion)),
    };
    let given = by_model(hit).into_iter().map(|(who, share)| format!("{who} {share:+.3}"));
    let given: Vec<String> = given.collect();
    let given = match given.is_empty() {
        true => String::new(),
        false => format!("<p class=\"key\">{}</p>", escape(&given.join(", "))),
    };
    let below = format!("{group}{bars}{given}{score}");
    figure(place, &hit.item, &below, words)
}

/// An item's picture with its place, its name, and elements of what there is to say of it.
pub fn figure(place: usize, item: &StoredItem, below: &str, words: &Words) -> String {
    let title = escape(&words.title(item));
    let picture = item.picture.as_ref().and_then(|picture| thumbnail(&picture.path));
    let picture = match picture {
        Some(source) => format!("<img src=\"{source}\" alt=\"{title}\">"),
        None => format!("<div class=\"blank\">{title}</div>"),
    };
    format!(
        "<li><figure>{picture}<figcaption><p class=\"name\"><b>{place}</b> {title}</p>\
         <p class=\"key\">{}</p>{below}</figcaption></figure></li>\n",
        escape(&words.subtitle(item)),
    )
}

/// One line of a receipt: the value as a bar, itself and its rank as words, the whole sum on hovering.
fn bar(part: &Part, fusion: Fusion) -> String {
    let modality = part.modality;
    let width = part.value().unwrap_or(0.0).clamp(0.0, 1.0) * 100.0;
    let shown = match (part.value(), part.rank) {
        (Some(value), Some(rank)) => format!("{value:.2} #{rank}"),
        (Some(value), None) => format!("{value:.2}"),
        (None, _) => "none".to_owned(),
    };
    let sum = match (part.value(), part.rank, fusion) {
        (_, Some(rank), Fusion::Rrf { k, .. }) => {
            format!("{:.2} / ({k} + {rank}) = {:.5}", part.weight, part.share)
        }
        (_, None, Fusion::Rrf { depth, .. }) => format!("not among the first {depth}"),
        (Some(value), ..) => {
            let bm25 = part.bm25.map_or(String::new(), |bm25| format!(" (BM25 {:.2})", bm25.score));
            format!("{:.2} × {value:.3}{bm25} = {:.3}", part.weight, part.share)
        }
        (None, ..) => "the item has nothing of this, which counts as 0".to_owned(),
    };
    let unlike = if part.weight < 0.0 { " unlike" } else { "" };
    format!(
        "<div class=\"part {modality}{unlike}\" title=\"{}: {sum}\"><span>{modality}</span>\
         <span class=\"bar\"><i style=\"width:{width:.0}%\"></i></span><span>{shown}</span></div>",
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
