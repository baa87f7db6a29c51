//! The colours in which the shop's things come.

use crate::draw::colour::Rgb;

/// A colour with a name.
#[derive(Debug, PartialEq)]
pub struct Shade {
    /// As titles have it.
    pub name: &'static str,
    /// The broad family that shoppers love or avoid.
    pub family: &'static str,
    /// The colour itself.
    pub rgb: Rgb,
    /// What a copywriter would say of it.
    pub mood: &'static str,
    /// The shades that go well with it, by name.
    partners: [&'static str; 3],
}

const fn shade(
    name: &'static str,
    family: &'static str,
    (r, g, b): (u8, u8, u8),
    mood: &'static str,
    partners: [&'static str; 3],
) -> Shade {
    Shade { name, family, rgb: Rgb(r, g, b), mood, partners }
}

/// All of them.
#[rustfmt::skip]
pub const SHADES: [Shade; 24] = [
    shade("navy", "blue", (38, 52, 94), "the blue of the sea after dusk", ["cream", "coral", "mustard"]),
    shade("cobalt", "blue", (42, 92, 172), "a blue that wakes up a grey morning", ["white", "mustard", "coral"]),
    shade("sky blue", "blue", (142, 184, 216), "as clear as a day in May", ["white", "navy", "coral"]),
    shade("teal", "green", (38, 116, 120), "somewhere between lagoon and pine", ["cream", "mustard", "blush"]),
    shade("mint", "green", (166, 208, 184), "cool and a little sweet", ["white", "teal", "coral"]),
    shade("sage", "green", (138, 158, 126), "quiet, like a herb garden in the rain", ["cream", "terracotta", "forest green"]),
    shade("forest green", "green", (44, 88, 66), "deep as the shade under firs", ["cream", "mustard", "rose"]),
    shade("olive", "green", (112, 110, 58), "an easy green that goes with denim", ["cream", "rust", "mustard"]),
    shade("mustard", "yellow", (218, 164, 54), "warm as late sunlight on a wall", ["navy", "cream", "burgundy"]),
    shade("lemon", "yellow", (244, 216, 104), "bright enough to skip the coffee", ["white", "cobalt", "sage"]),
    shade("apricot", "orange", (240, 172, 116), "soft as the fruit it is named after", ["cream", "teal", "burgundy"]),
    shade("rust", "orange", (176, 82, 44), "the colour of old bridges and autumn", ["cream", "navy", "sky blue"]),
    shade("terracotta", "orange", (202, 108, 78), "baked earth, still warm", ["cream", "sage", "teal"]),
    shade("coral", "red", (232, 106, 92), "lively without shouting", ["white", "navy", "mint"]),
    shade("red", "red", (192, 44, 52), "a true red, neither shy nor sorry", ["white", "navy", "lemon"]),
    shade("burgundy", "red", (116, 36, 54), "rich as a glass poured by the fire", ["cream", "mustard", "blush"]),
    shade("rose", "pink", (216, 122, 142), "a pink with its feet on the ground", ["cream", "forest green", "burgundy"]),
    shade("blush", "pink", (236, 190, 186), "barely there, and the better for it", ["burgundy", "teal", "grey"]),
    shade("lilac", "purple", (178, 160, 208), "like the hedge in early June", ["white", "plum", "lemon"]),
    shade("plum", "purple", (94, 52, 92), "dark and ripe", ["blush", "mustard", "lilac"]),
    shade("chocolate", "brown", (92, 60, 46), "dark, smooth and hard to resist", ["cream", "sky blue", "apricot"]),
    shade("camel", "brown", (196, 152, 104), "the neutral that never sulks", ["navy", "cream", "chocolate"]),
    shade("cream", "white", (242, 232, 212), "kinder than white and easier to keep", ["navy", "rust", "sage"]),
    shade("grey", "grey", (134, 138, 146), "calm, even and useful", ["white", "lemon", "blush"]),
];

/// Only ever a partner: a wholly white product would vanish against its wall.
const WHITE: Rgb = Rgb(250, 248, 242);

impl Shade {
    /// The colours of its partners, the best first.
    pub fn partners(&self) -> [Rgb; 3] {
        self.partners.map(|name| {
            SHADES.iter().find(|shade| shade.name == name).map_or(WHITE, |shade| shade.rgb)
        })
    }
}

/// The names of the families, each once.
pub fn families() -> Vec<&'static str> {
    let mut families: Vec<_> = SHADES.iter().map(|shade| shade.family).collect();
    families.dedup();
    families.sort_unstable();
    families.dedup();
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_exist_and_stand_out() {
        for shade in &SHADES {
            for (name, partner) in shade.partners.iter().zip(shade.partners()) {
                assert!(
                    *name == "white" || SHADES.iter().any(|other| other.name == *name),
                    "{name}"
                );
                let apart = |a: u8, b: u8| i32::from(a.abs_diff(b));
                let distance = apart(shade.rgb.0, partner.0)
                    + apart(shade.rgb.1, partner.1)
                    + apart(shade.rgb.2, partner.2);
                assert!(distance > 90, "{} on {}: {distance}", name, shade.name);
            }
        }
    }
}
