//! What a word of a query stands for: itself, what it begins, or what it was probably meant to be.
//!
//! A word that any item has stands for itself: who asks for a shirt shall not be shown skirts. Only a word
//! that no item has is taken for a slip, and then for the nearest words that there are, one edit away
//! (a letter too many, missing, wrong, or two swapped), or two in a long word. A word that is still being
//! written stands for every word that it begins; if it begins none, a slip is looked for in it likewise.

use std::collections::BTreeMap;

use tantivy::Term;
use tantivy::query::FuzzyTermQuery;

use super::index::WordsIndex;
use super::{Error, Spelling};

/// From so many letters on a word may have one slip,
const LETTERS_FOR_ONE: usize = 4;
/// or two.
const LETTERS_FOR_TWO: usize = 8;
/// The beginning of a word stands for so many words at the most, the commonest of them.
const MOST: usize = 64;

/// A word of the index that a word of the query stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spelled {
    pub(super) word: String,
    /// Which part of the longer of the two was written right: 1 for the very same.
    pub(super) likeness: f32,
}

/// What each word of a query stands for; nothing, where nobody has it.
pub(super) fn spell(
    index: &WordsIndex,
    words: &[String],
    spelling: Spelling,
) -> Result<Vec<Vec<Spelled>>, Error> {
    let last = words.len().saturating_sub(1);
    let spelled = words.iter().enumerate().map(|(place, word)| {
        let begun = spelling.as_you_type && place == last;
        let found = if begun { beginning(index, word)? } else { itself(index, word)? };
        match found.is_empty() && spelling.typos {
            true => nearest(index, word, begun),
            false => Ok(found),
        }
    });
    spelled.collect()
}

fn itself(index: &WordsIndex, word: &str) -> Result<Vec<Spelled>, Error> {
    let term = Term::from_field_text(index.text, word);
    for part in &index.parts {
        if part.reader.inverted_index(index.text)?.doc_freq(&term)? > 0 {
            return Ok(vec![Spelled { word: word.to_owned(), likeness: 1.0 }]);
        }
    }
    Ok(Vec::new())
}

fn beginning(index: &WordsIndex, begun: &str) -> Result<Vec<Spelled>, Error> {
    let mut found = BTreeMap::new();
    for part in &index.parts {
        let inverted = part.reader.inverted_index(index.text)?;
        let mut words = inverted.terms().range().ge(begun).into_stream()?;
        while words.advance() && words.key().starts_with(begun.as_bytes()) {
            let word = String::from_utf8_lossy(words.key()).into_owned();
            *found.entry(word).or_default() += words.value().doc_freq;
        }
    }
    Ok(commonest(found, begun, 0))
}

fn nearest(index: &WordsIndex, word: &str, begun: bool) -> Result<Vec<Spelled>, Error> {
    let slips = match word.chars().count() {
        LETTERS_FOR_TWO.. => 2,
        LETTERS_FOR_ONE.. => 1,
        _ => 0,
    };
    for slips in 1..=slips {
        let mut found = BTreeMap::new();
        for part in &index.parts {
            let term = Term::from_field_text(index.text, word);
            let like = match begun {
                true => FuzzyTermQuery::new_prefix(term, slips, true),
                false => FuzzyTermQuery::new(term, slips, true),
            };
            let inverted = part.reader.inverted_index(index.text)?;
            let mut words = inverted.terms().search(like.automaton()?).into_stream()?;
            while words.advance() {
                let word = String::from_utf8_lossy(words.key()).into_owned();
                *found.entry(word).or_default() += words.value().doc_freq;
            }
        }
        if !found.is_empty() {
            return Ok(commonest(found, word, slips.into()));
        }
    }
    Ok(Vec::new())
}

/// The words that most items have, in the order of the alphabet.
fn commonest(found: BTreeMap<String, u32>, written: &str, slips: usize) -> Vec<Spelled> {
    let mut found: Vec<(String, u32)> = found.into_iter().collect();
    found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    found.truncate(MOST);
    found.sort();
    let letters = written.chars().count();
    let spelled = found.into_iter().map(|(word, _)| {
        let longer = word.chars().count().max(letters);
        let likeness = letters.saturating_sub(slips) as f32 / longer as f32;
        Spelled { word, likeness }
    });
    spelled.collect()
}
