//! Titles, descriptions and tags: the shop's own voice. Nothing here may look at what only the
//! picture shows.

use crate::draw::pattern::Pattern;
use crate::seed::Rng;

use super::palette::Shade;
use super::product::Design;
use super::range::Range;

/// How many ways there are to put a title together.
pub const TEMPLATES: usize = 4;

/// A name such as a brand gives to a design: short, pronounceable, meaning nothing.
pub fn style_name(rng: &mut Rng) -> String {
    const HEADS: [&str; 28] = [
        "Ma", "Li", "Au", "Bre", "Ca", "Do", "El", "Fi", "Gre", "Ha", "Iv", "Jo", "Ka", "Lo", "Mi",
        "No", "Ol", "Pe", "Ro", "Sa", "Ti", "Ul", "Ve", "Wi", "Yo", "Bi", "Cle", "Da",
    ];
    const MIDDLES: [&str; 9] = ["", "", "", "ri", "la", "ne", "do", "ve", "mi"];
    const TAILS: [&str; 22] = [
        "ren", "nna", "ster", "lle", "mund", "ra", "sette", "ton", "via", "wen", "ska", "ley",
        "dra", "nor", "bel", "lin", "mar", "vik", "rell", "dale", "na", "tte",
    ];
    format!("{}{}{}", rng.pick(&HEADS), rng.pick(&MIDDLES), rng.pick(&TAILS))
}

/// The title of a design in one colour.
pub fn title(design: &Design, shade: &Shade) -> String {
    let noun = Range::of(design.kind).nouns[design.cut];
    let print = if design.pattern == Pattern::Plain { "" } else { design.pattern.name() };
    let Design { name, material, .. } = design;
    let colour = shade.name;
    let words = match design.template {
        0 => format!("{colour} {print} {material} {noun}"),
        1 => format!("{name} {noun} in {colour} {print} {material}"),
        2 => format!("{name} {print} {material} {noun}, {colour}"),
        _ => format!("{print} {colour} {noun} {name}"),
    };
    sentence(&words)
}

/// Single spaces and a capital at the beginning.
fn sentence(words: &str) -> String {
    let joined = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = joined.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => joined,
    }
}

/// A few sentences about a design in one colour. Not every fact is mentioned, and few by their column's word.
pub fn description(rng: &mut Rng, design: &Design, shade: &Shade) -> String {
    let range = Range::of(design.kind);
    let mut sentences = vec![(*rng.pick(&range.openings)).to_owned()];
    let colour = match rng.below(4) {
        0 => format!("The colour is {}.", shade.mood),
        1 => format!("In {}: {}.", shade.name, shade.mood),
        2 => format!("Our {} is {}.", shade.name, shade.mood),
        _ => String::new(),
    };
    let body = match rng.below(4) {
        0 => format!("Our {} comes from a mill that we visit twice a year.", design.material),
        1 => format!("We chose {} because it ages well.", design.material),
        2 => format!("{} by {}.", sentence(made(range.category)), design.brand),
        _ => format!("The {} softens with every season.", design.material),
    };
    let print = match design.pattern {
        Pattern::Plain => ["Nothing on it, nothing to tire of.", "Left plain on purpose.", ""],
        Pattern::Striped => ["Broad bands run straight across.", "Stripes, as on a deckchair.", ""],
        Pattern::Pinstriped => ["Fine lines from top to toe.", "A banker's stripe, off duty.", ""],
        Pattern::Dotted => ["Polka dots, evenly sown.", "Spotted all over, like good pudding.", ""],
        Pattern::Checked => {
            ["A gingham that remembers picnics.", "Checks woven in, never printed.", ""]
        }
        Pattern::Tartan => ["A plaid of our own drafting.", "Crossed bands, Highland manners.", ""],
        Pattern::Zigzag => ["Chevrons march from side to side.", "It zigs, and then it zags.", ""],
        Pattern::Floral => ["Strewn with small blossoms.", "A meadow in print.", ""],
    };
    let closing = match design.season {
        "spring" => ["First out in March.", "Best when the windows open again.", ""],
        "summer" => ["Pack it for the seaside.", "For long light evenings.", ""],
        "autumn" => ["Ready for windy walks.", "It looks right among falling foliage.", ""],
        "winter" => ["A comfort in January.", "Made with short days in mind.", ""],
        _ => ["It knows no season.", "Good in any month.", ""],
    };
    sentences.extend([colour, body]);
    let extras = [(*rng.pick(&print)).to_owned(), (*rng.pick(&closing)).to_owned()];
    // The order varies, so that a description is not a form filled in.
    if rng.chance(0.5) {
        sentences.extend(extras);
    } else {
        sentences.splice(1..1, extras);
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences.join(" ")
}

fn made(category: &str) -> &'static str {
    match category {
        "clothing" => "sewn in small runs",
        "shoes" => "lasted and stitched",
        "accessories" => "put together by four pairs of hands",
        _ => "finished one at a time",
    }
}

/// Two to four words by which shoppers find it.
pub fn tags(rng: &mut Rng, design: &Design) -> Vec<&'static str> {
    let fitting: &[&'static str] = match Range::of(design.kind).category {
        "clothing" => {
            &["office", "weekend", "wedding guest", "travel", "organic", "petite", "relaxed fit"]
        }
        "shoes" => &["walking", "office", "party", "vegan", "wide fit", "waterproof", "weekend"],
        "accessories" => &["gift", "travel", "handmade", "everyday", "commute", "holiday"],
        _ => &[
            "gift",
            "handmade",
            "living room",
            "kitchen",
            "bedroom",
            "housewarming",
            "small batch",
        ],
    };
    let mut left = fitting.to_vec();
    let count = 2 + rng.below(2);
    let mut tags: Vec<_> = (0..count).map(|_| left.swap_remove(rng.below(left.len()))).collect();
    if design.year == *super::product::YEARS.end() {
        tags.push("new in");
    }
    tags
}
