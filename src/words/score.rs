//! BM25: how well an item's words answer a query's.
//!
//! ```text
//! bm25(x)  = sum over the query's words w of  idf(w) * (K + 1) * part(w, x)
//! idf(w)   = ln(1 + (N - n(w) + 1/2) / (n(w) + 1/2))      N items, of which n(w) have w
//! part     = tf / (tf + K * (1 - B + B * length(x) / mean length))
//! ```
//!
//! `part` is below 1, so that `idf(w) * (K + 1)` is the most that a word can give. The sum of that over the
//! words that any item has is what a score is divided by to be fused with cosines: it lies between 0 and
//! 1, means the same in every item of every answer, and does not depend on which item happens to be the
//! best. An item of average length with every word once comes to 1 / (K + 1) = .45.
//!
//! Where a word stands for several spellings, an item counts for it once, by the best of those that it has,
//! and `n` is how many items have any: a rare misspelling must not outweigh the word itself. Lengths are
//! exact up to 40 words, and beyond that in steps of an eighth or so.

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED, Term};

use super::index::{Part, WordsIndex, guarded};
use super::matches::Matches;
use super::spelling::{Spelled, spell};
use super::{Error, Spelling, analysis};

/// How soon another occurrence of a word adds little.
const K: f32 = 1.2;
/// How much a long text is held against an item.
const B: f32 = 0.75;

/// A document of a segment, and a word's part in it.
type Found = Vec<(u32, f32)>;

impl WordsIndex {
    /// Every item that has one of the query's words, and how well it matches.
    pub(crate) fn matches(&self, query: &str, spelling: Spelling) -> Result<Matches, Error> {
        guarded(|| {
            let words = spell(self, &analysis::words(query), spelling)?;
            let saturation = self.saturation();
            let mut scores: Vec<Vec<f32>> =
                self.parts.iter().map(|part| vec![0.0; part.reader.max_doc() as usize]).collect();
            let mut most = 0.0;
            for spellings in words.iter().filter(|spellings| !spellings.is_empty()) {
                let found = self.parts.iter().map(|part| self.find(part, spellings, &saturation));
                let found = found.collect::<Result<Vec<Found>, Error>>()?;
                let gives = (K + 1.0) * self.rarity(found.iter().map(Vec::len).sum());
                most += gives;
                for (scores, found) in scores.iter_mut().zip(found) {
                    for (document, part) in found {
                        scores[document as usize] += gives * part;
                    }
                }
            }
            Matches::new(self.scored(&scores)?, most)
        })
    }

    fn rarity(&self, having: usize) -> f32 {
        let (all, having) = (self.items as f64, having as f64);
        (1.0 + (all - having + 0.5).max(0.0) / (having + 0.5)).ln() as f32
    }

    /// By the code of a text's length: at how many occurrences a word has half of its effect.
    fn saturation(&self) -> [f32; 256] {
        let mean = self.words as f32 / self.items.max(1) as f32;
        let length = |code| FieldNormReader::id_to_fieldnorm(code) as f32;
        std::array::from_fn(|code| K * (1.0 - B + B * length(code as u8) / mean.max(1.0)))
    }

    /// The documents of a segment that have any of the spellings, in their order.
    fn find(
        &self,
        part: &Part,
        spellings: &[Spelled],
        saturation: &[f32; 256],
    ) -> Result<Found, Error> {
        let lengths = part.reader.get_fieldnorms_reader(self.text)?;
        let inverted = part.reader.inverted_index(self.text)?;
        let alive = part.reader.alive_bitset();
        let mut found = Found::new();
        for Spelled { word, likeness } in spellings {
            let term = Term::from_field_text(self.text, word);
            let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::WithFreqs)?
            else {
                continue;
            };
            let mut document = postings.doc();
            while document != TERMINATED {
                if alive.is_none_or(|alive| alive.is_alive(document)) {
                    let times = postings.term_freq() as f32;
                    let half = saturation[usize::from(lengths.fieldnorm_id(document))];
                    found.push((document, likeness * times / (times + half)));
                }
                document = postings.advance();
            }
        }
        if spellings.len() > 1 {
            found.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
            found.dedup_by_key(|&mut (document, _)| document);
        }
        Ok(found)
    }

    fn scored(&self, scores: &[Vec<f32>]) -> Result<Vec<(u32, f32)>, Error> {
        let mut scored = Vec::new();
        for (part, scores) in self.parts.iter().zip(scores) {
            for (document, &score) in scores.iter().enumerate().filter(|&(_, &score)| score > 0.0) {
                scored.push((part.id(document as u32)?, score));
            }
        }
        // Each segment's items ascend for the most part, which this sort makes use of.
        scored.sort_by_key(|&(id, _)| id);
        Ok(scored)
    }
}
