//! The range: what the shop knows of each kind of thing, beyond its outline.

use crate::draw::Kind;

/// Facts about a kind.
#[derive(Debug)]
pub struct Range {
    /// The letters that its keys begin with.
    pub code: &'static str,
    /// The part of the shop.
    pub category: &'static str,
    /// The word in the column `kind`.
    pub kind: &'static str,
    /// The word in titles, one for each cut.
    pub nouns: [&'static str; 3],
    /// What it is made of.
    pub materials: [&'static str; 5],
    /// From the cheapest to the dearest, in pounds.
    pub prices: (f64, f64),
    /// The sizes, one after the other.
    pub sizes: &'static str,
    /// Openings of descriptions.
    pub openings: [&'static str; 3],
}

const CLOTHING: &str = "clothing";
const SHOES: &str = "shoes";
const ACCESSORIES: &str = "accessories";
const HOME: &str = "home";
const LETTERS: &str = "XS|S|M|L|XL";
const FEET: &str = "36|37|38|39|40|41|42|43";
const ONE: &str = "one size";

impl Range {
    /// What the shop knows of a kind.
    pub fn of(kind: Kind) -> &'static Self {
        &RANGES[kind as usize]
    }
}

#[rustfmt::skip]
static RANGES: [Range; 16] = [
    Range { code: "SH", category: CLOTHING, kind: "shirt", nouns: ["shirt", "short-sleeved shirt", "band-collar shirt"],
        materials: ["linen", "cotton", "poplin", "flannel", "chambray"], prices: (29.0, 95.0), sizes: LETTERS,
        openings: ["Buttoned up for work or open over a tee on Sunday.", "Cut with room to move and a back that stays tucked in.", "The one that ends up at the front of the rail."] },
    Range { code: "JU", category: CLOTHING, kind: "jumper", nouns: ["crew-neck jumper", "roll-neck jumper", "cardigan"],
        materials: ["lambswool", "merino", "cotton", "alpaca", "cashmere"], prices: (45.0, 160.0), sizes: LETTERS,
        openings: ["Knitted slowly and meant to be worn for years.", "For the first cold evening, and all that follow.", "Ribbed where it matters, soft everywhere else."] },
    Range { code: "DR", category: CLOTHING, kind: "dress", nouns: ["flared dress", "strappy dress", "long-sleeved dress"],
        materials: ["viscose", "cotton", "linen", "crepe", "jersey"], prices: (49.0, 180.0), sizes: LETTERS,
        openings: ["Made for weddings, picnics and the walk between them.", "It swings when you turn, and it has been tested.", "One piece, no thinking, out of the door."] },
    Range { code: "SK", category: CLOTHING, kind: "skirt", nouns: ["flared skirt", "pleated skirt", "pencil skirt"],
        materials: ["cotton", "wool", "denim", "satin", "corduroy"], prices: (35.0, 110.0), sizes: LETTERS,
        openings: ["Sits on the waist and keeps its shape on a bicycle.", "Lined, so it falls the way it should.", "Good with boots, better with bare ankles."] },
    Range { code: "TR", category: CLOTHING, kind: "trousers", nouns: ["straight trousers", "wide-leg trousers", "shorts"],
        materials: ["denim", "cotton twill", "linen", "wool", "corduroy"], prices: (39.0, 130.0), sizes: LETTERS,
        openings: ["Deep pockets, as promised.", "A fit that was argued over for a whole winter.", "Comfortable sitting down, which is how they are mostly worn."] },
    Range { code: "SN", category: SHOES, kind: "sneaker", nouns: ["sneakers", "high-top sneakers", "slip-on sneakers"],
        materials: ["canvas", "suede", "leather", "mesh", "recycled cotton"], prices: (49.0, 140.0), sizes: FEET,
        openings: ["Ready to walk from the first day.", "A cupped rubber sole and no fuss.", "They have crossed a city and asked for more."] },
    Range { code: "BO", category: SHOES, kind: "boot", nouns: ["Chelsea boots", "lace-up boots", "rain boots"],
        materials: ["leather", "suede", "rubber", "nubuck", "waxed canvas"], prices: (79.0, 240.0), sizes: FEET,
        openings: ["Puddles are no longer your problem.", "Soled to be soled again.", "Pull them on in the dark, walk the dog, come home dry."] },
    Range { code: "PU", category: SHOES, kind: "pump", nouns: ["stiletto pumps", "block-heel pumps", "ballet flats"],
        materials: ["leather", "suede", "satin", "velvet", "patent leather"], prices: (59.0, 190.0), sizes: FEET,
        openings: ["For rooms with polished floors.", "Padded at the ball of the foot, where evenings are decided.", "Light on the foot and sure on the stairs."] },
    Range { code: "BA", category: ACCESSORIES, kind: "bag", nouns: ["tote bag", "handbag", "backpack"],
        materials: ["canvas", "leather", "raffia", "nylon", "waxed cotton"], prices: (35.0, 260.0), sizes: ONE,
        openings: ["Holds a laptop, a lunch and a library book.", "Everything in its place, and a place for keys.", "Takes more than it shows."] },
    Range { code: "HA", category: ACCESSORIES, kind: "hat", nouns: ["wide-brim hat", "beanie", "cap"],
        materials: ["felt", "straw", "wool", "cotton twill", "corduroy"], prices: (19.0, 85.0), sizes: ONE,
        openings: ["Keeps its shape in a suitcase.", "A good hat settles the question of hair.", "Shade or warmth, according to the month."] },
    Range { code: "SC", category: ACCESSORIES, kind: "scarf", nouns: ["snood scarf", "long scarf", "neckerchief"],
        materials: ["silk", "wool", "cashmere", "cotton", "modal"], prices: (19.0, 120.0), sizes: ONE,
        openings: ["The quickest way to change a coat.", "Light enough to forget, warm enough to miss.", "Finished by hand, down to the last thread."] },
    Range { code: "MU", category: HOME, kind: "mug", nouns: ["mug", "rounded mug", "tumbler"],
        materials: ["stoneware", "porcelain", "earthenware", "enamel", "bone china"], prices: (9.0, 32.0), sizes: ONE,
        openings: ["Thrown on a wheel, glazed twice, safe in the dishwasher.", "Big enough for the whole first chapter.", "It sits well in the hand and stays warm."] },
    Range { code: "LA", category: HOME, kind: "lamp", nouns: ["table lamp", "dome lamp", "globe lamp"],
        materials: ["linen", "glass", "paper", "ceramic", "brass"], prices: (45.0, 220.0), sizes: ONE,
        openings: ["A pool of warm light for the end of the day.", "Reads well beside a bed or a sofa.", "It makes a corner out of an empty one."] },
    Range { code: "CU", category: HOME, kind: "cushion", nouns: ["cushion", "round cushion", "bolster"],
        materials: ["velvet", "linen", "cotton", "wool", "bouclé"], prices: (19.0, 79.0), sizes: ONE,
        openings: ["Plump, washable and made for naps.", "The sofa's best argument.", "Filled generously, so that it bounces back."] },
    Range { code: "CH", category: HOME, kind: "chair", nouns: ["armchair", "dining chair", "stool"],
        materials: ["velvet", "wool", "linen", "leather", "bouclé"], prices: (89.0, 690.0), sizes: ONE,
        openings: ["Solid joints, a seat that remembers nobody.", "Built in a small workshop and delivered whole.", "Sit down once and the evening is gone."] },
    Range { code: "VA", category: HOME, kind: "vase", nouns: ["bottle vase", "round vase", "jug vase"],
        materials: ["stoneware", "porcelain", "glass", "terracotta clay", "earthenware"], prices: (15.0, 95.0), sizes: ONE,
        openings: ["Handsome with flowers, handsome without.", "Weighted at the foot, so that tall stems stay put.", "Each one differs by a finger's breadth."] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_follows_the_order_of_the_kinds() {
        for kind in Kind::ALL {
            let word = format!("{kind:?}").to_lowercase();
            assert_eq!(Range::of(kind).kind, word);
        }
    }
}
