//! Which items may be among the hits, as an expression over their fields.
//!
//! Flowing in: the words of a `--where`, or the builder's calls. Flowing out: the set of items that match,
//! once the expression has met a collection's fields.
//!
//! The rules, all of them:
//! - **Comparisons**: `=` (or `==`), `!=` (or `<>`), `<`, `<=`, `>`, `>=`, `between 20 and 80` (both included),
//!   `in ("red", "black")`, `starts with "nike"`. Before the last three `not` may stand. `exists(image)` asks
//!   for a value, whatever it is; where no field is called `image` or `text`, for a picture or a text that can
//!   be searched by. A boolean field stands alone: `not sold_out`.
//! - **Together**: `and` binds closer than `or`, `not` closer than both, and parentheses closest.
//! - **Several values** match if one of them does. **No value** matches nothing but a negation: `!=` is the
//!   opposite of `=`, so that `colour != "red"` finds what has no colour too.
//! - **Text** is compared without regard to case and to blanks at its ends, and ordered by its letters' numbers
//!   in lower case; of longer texts the first 200 characters count.
//! - **Numbers** may carry a currency. **Dates** are ISO 8601, and a date without a time means all of its day
//!   (`2024`, `2024-05`: of its year, its month).
//! - **Names** of fields are written as in the catalogue, in whatever case; in quotes where they have blanks in
//!   them or read like a word of this language. Values of one word need no quotes. Within quotes of either
//!   kind a quote is written twice.

mod error;
mod evaluate;
mod expression;
mod parse;
mod place;
mod tokens;

pub use error::FilterError;
pub(super) use evaluate::field_named;
pub use expression::{Comparison, Filter, Literal};
