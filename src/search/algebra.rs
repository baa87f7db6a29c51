//! A query as people write it: `"red dress" + ./photo.jpg - 2:stripes + item:SKU123`.
//!
//! Flowing in: one line. Flowing out: terms with their weights, or an error that points at the place.
//!
//! ```text
//! query  = [sign] term { sign term }       sign    + or -, with white space or the line's start before it
//! term   = [number ":"] what               the number is the term's weight, 1 where there is none
//! what   = "quoted" | 'quoted'             words to be similar to, whatever stands in them
//!        | kind ":" what                   kind    text, words, image or item
//!        | path                            begins with ./ ../ / or ~/, or ends like a picture's name
//!        | word { word }                   words to be similar to, as far as the next sign
//! ```
//!
//! What a word is follows from how it is written and never from what happens to lie in the folder, so that a
//! query means the same everywhere. Where the folder suggests that something else was meant, the query is
//! refused, and the refusal says how to write either.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use unicode_width::UnicodeWidthStr;

use super::query::{Term, Weighted};
use crate::catalogue::is_picture_name;

/// Why a written query could not be understood, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct ExpressionError {
    /// The query as it was written.
    pub expression: String,
    /// The bytes of it that could not be understood.
    pub place: Range<usize>,
    /// What is wrong with them, and what to write instead.
    pub reason: String,
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.expression.trim().is_empty() {
            return f.write_str(&self.reason);
        }
        let Range { start, end } = self.place.clone();
        let before = self.expression.get(..start).unwrap_or_default().width();
        let marked = self.expression.get(start..end).unwrap_or_default().width().max(1);
        let caret = format!("{:before$}{:^<marked$}", "", "");
        write!(f, "{}\n  {}\n  {caret}", self.reason, self.expression)
    }
}

/// What may stand before a colon.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Words,
    Image,
    Item,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Kind::Text),
            "words" => Some(Kind::Words),
            "image" => Some(Kind::Image),
            "item" => Some(Kind::Item),
            _ => None,
        }
    }

    fn term(self, operand: String) -> Term {
        match self {
            Kind::Text => Term::Text(operand),
            Kind::Words => Term::Words(operand),
            Kind::Image => Term::Image(home(&operand)),
            Kind::Item => Term::Item(operand),
        }
    }
}

/// The terms of a written query.
pub(super) fn terms(expression: &str) -> Result<Vec<Weighted>, ExpressionError> {
    let mut reader = Reader { text: expression, at: 0 };
    let mut terms = Vec::new();
    reader.skip_space();
    while !reader.rest().is_empty() {
        terms.push(reader.signed_term(terms.is_empty())?);
        reader.skip_space();
    }
    match terms.is_empty() {
        true => {
            Err(reader.refuse(0..0, "the query is empty: write words, ./a-picture.jpg or item:KEY"))
        }
        false => Ok(terms),
    }
}

/// A line and how far it has been read.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn refuse(&self, place: Range<usize>, reason: impl Into<String>) -> ExpressionError {
        ExpressionError { expression: self.text.to_owned(), place, reason: reason.into() }
    }

    /// From here to the next white space.
    fn to_space(&self) -> Range<usize> {
        let length = self.rest().find(char::is_whitespace).unwrap_or(self.rest().len());
        self.at..self.at + length
    }

    fn signed_term(&mut self, first: bool) -> Result<Weighted, ExpressionError> {
        let sign = match self.rest().as_bytes().first() {
            Some(b'+') => Some(1.0),
            Some(b'-') => Some(-1.0),
            _ => None,
        };
        if sign.is_none() && !first {
            return Err(self.refuse(self.to_space(), "write + or - between two terms"));
        }
        let at = self.at;
        if sign.is_some() {
            self.at += 1;
            self.skip_space();
        }
        if self.rest().is_empty() || self.rest().starts_with(['+', '-']) {
            let reason = "a sign stands before a term; quotes make it a word, as in \"-\"";
            return Err(self.refuse(at..at + 1, reason));
        }
        let weight = sign.unwrap_or(1.0) * self.weight()?.unwrap_or(1.0);
        Ok(Weighted { term: self.term()?, weight })
    }

    /// The number before a colon, if there is one.
    fn weight(&mut self) -> Result<Option<f32>, ExpressionError> {
        let Some((number, after)) = self.rest().split_once(':') else { return Ok(None) };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Ok(None);
        }
        let place = self.at..self.at + number.len() + 1;
        let weight = number.parse().ok().filter(|weight: &f32| weight.is_finite());
        let weight = weight.ok_or_else(|| {
            self.refuse(place.clone(), "the weight before a colon is a number, such as 2 or 0.5")
        })?;
        if after.starts_with(char::is_whitespace) || after.is_empty() {
            let reason = format!(
                "a weight stands right before its term, as in {number}:stripes; quotes make it words"
            );
            return Err(self.refuse(place, reason));
        }
        self.at = place.end;
        Ok(Some(weight))
    }

    fn term(&mut self) -> Result<Term, ExpressionError> {
        let start = self.at;
        if let Some(words) = self.quoted()? {
            if Path::new(&words).is_file() {
                let reason = format!(
                    "\"{words}\" is a file here: write image:\"{words}\" to search by that picture, or \
                     text:\"{words}\" to search for these words"
                );
                return Err(self.refuse(start..self.at, reason));
            }
            return Ok(Term::Text(words));
        }
        if looks_like_path(&self.text[self.to_space()]) {
            return self.picture();
        }
        if let Some(kind) = self.kind()? {
            return Ok(kind.term(self.operand(kind)?));
        }
        let words = self.words()?;
        if Path::new(&words).is_file() {
            let reason = format!(
                "\"{words}\" is a file here: write ./{words} to search by that picture, or text:\"{words}\" to \
                 search for these words"
            );
            return Err(self.refuse(start..self.at, reason));
        }
        Ok(Term::Text(words))
    }

    /// A path that is told by how it is written. One that only its ending makes a path has to be there:
    /// it may have been meant as a word.
    fn picture(&mut self) -> Result<Term, ExpressionError> {
        let start = self.at;
        let written = self.token();
        let path = home(&written);
        if !begins_like_path(&written) && !path.exists() {
            let reason = format!(
                "there is no picture {written} here; to search for it as words, quote it: \"{written}\""
            );
            return Err(self.refuse(start..self.at, reason));
        }
        Ok(Term::Image(path))
    }

    /// The kind that a term begins with, if it does.
    fn kind(&mut self) -> Result<Option<Kind>, ExpressionError> {
        let token = &self.text[self.to_space()];
        let Some((name, after)) = token.split_once(':') else { return Ok(None) };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Ok(None);
        }
        let place = self.at..self.at + name.len() + 1;
        if after.starts_with("//") {
            let reason = "pictures are not fetched from elsewhere: save it, and write its path";
            return Err(self.refuse(self.to_space(), reason));
        }
        match Kind::named(name) {
            Some(_) if after.is_empty() => {
                let reason =
                    format!("{name}: stands right before what it names, as in {name}:\"...\"");
                Err(self.refuse(place, reason))
            }
            Some(kind) => {
                self.at = place.end;
                Ok(Some(kind))
            }
            None if after.is_empty() => Ok(None),
            None => {
                let reason = format!(
                    "there is no kind of term called \"{name}\": it can be text, words, image or item. Quotes \
                     make it words: \"{token}\""
                );
                Err(self.refuse(place, reason))
            }
        }
    }

    /// What a kind names: quoted, or else as many words as such a thing has.
    fn operand(&mut self, kind: Kind) -> Result<String, ExpressionError> {
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted);
        }
        match kind {
            Kind::Text | Kind::Words => self.words(),
            Kind::Image | Kind::Item => Ok(self.token()),
        }
    }

    /// What stands between quotes, if a quote is next. A backslash takes the next quote, or backslash, for
    /// itself.
    fn quoted(&mut self) -> Result<Option<String>, ExpressionError> {
        let Some(quote @ ('"' | '\'')) = self.rest().chars().next() else { return Ok(None) };
        let start = self.at;
        let mut inside = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = chars.next() {
            match (c, chars.peek()) {
                ('\\', Some(&(_, next))) if next == quote || next == '\\' => {
                    inside.push(next);
                    chars.next();
                }
                (c, next) if c == quote => {
                    self.at = start + offset + c.len_utf8();
                    return match next {
                        Some((_, next)) if !next.is_whitespace() => {
                            let reason = "white space, or the end, follows a closing quote";
                            Err(self.refuse(self.to_space(), reason))
                        }
                        _ => Ok(Some(inside)),
                    };
                }
                _ => inside.push(c),
            }
        }
        Err(self.refuse(start..start + 1, "this quote is not closed"))
    }

    /// Everything to the next white space. A backslash takes a sign, colon, quote, blank or backslash for
    /// itself; before anything else it is itself, as in the paths of Windows.
    fn token(&mut self) -> String {
        let mut token = String::new();
        let mut chars = self.rest().chars().peekable();
        while let Some(c) = chars.next_if(|c| !c.is_whitespace()) {
            self.at += c.len_utf8();
            match chars.next_if(|next| c == '\\' && "+-:\"'\\ ".contains(*next)) {
                Some(escaped) => {
                    self.at += escaped.len_utf8();
                    token.push(escaped);
                }
                None => token.push(c),
            }
        }
        token
    }

    /// Words up to the next sign or the end. What would begin a term of its own may not stand among them.
    fn words(&mut self) -> Result<String, ExpressionError> {
        let mut words = self.token();
        loop {
            self.skip_space();
            let next = self.to_space();
            if next.is_empty() || self.rest().starts_with(['+', '-']) {
                return Ok(words);
            }
            let token = &self.text[next.clone()];
            let kind = token.split_once(':').and_then(|(name, _)| Kind::named(name));
            if token.starts_with(['"', '\'']) || looks_like_path(token) || kind.is_some() {
                let reason =
                    "write + or - before this term, or quote all of it to search for these words";
                return Err(self.refuse(next, reason));
            }
            words = format!("{words} {}", self.token());
        }
    }
}

fn begins_like_path(token: &str) -> bool {
    let drive =
        |t: &[u8]| matches!(t, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    ["./", "../", "/", "~/", ".\\", "..\\"].iter().any(|start| token.starts_with(start))
        || drive(token.as_bytes())
}

fn looks_like_path(token: &str) -> bool {
    let foreign = token
        .split_once(':')
        .is_some_and(|(kind, after)| Kind::named(kind).is_some() || after.starts_with("//"));
    begins_like_path(token) || is_picture_name(Path::new(token)) && !foreign
}

/// The path, with the home directory in place of the `~` that a shell leaves alone within quotes.
fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}
