//! What counts as a word: letters and digits between anything else, in lower case and without accents.
//!
//! Words are not cut to their stems, since nobody says which language a catalogue is written in. Scripts
//! that put no space between words are searched by whatever stands between two signs.

use tantivy::tokenizer::{
    AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer,
};

/// Changes whenever the same text would be cut into other words.
pub(super) const VERSION: u32 = 1;

/// The name under which an index knows the analyser.
pub(super) const NAME: &str = "lookalike";

/// Longer words, in bytes, are no words: keys, addresses, pictures written as letters.
const LONGEST: usize = 60;

pub(super) fn analyser() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(LONGEST))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// The words of a query, each once, in their order.
pub(super) fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut analyser = analyser();
    let mut tokens = analyser.token_stream(query);
    while let Some(token) = tokens.next() {
        if !words.contains(&token.text) {
            words.push(token.text.clone());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_letters_and_digits_in_lower_case_and_each_counts_once() {
        let expected = ["navy", "blue", "t", "shirt", "501", "creme"];
        assert_eq!(words("Navy-blue T-Shirt, \"501\" CRÈME (navy)"), expected);
        assert!(words("  -- !").is_empty());
        assert!(words(&"x".repeat(LONGEST + 1)).is_empty());
    }
}
