//! From the characters of an expression to its words and signs.

use std::ops::Range;

use super::error::FilterError;
use super::expression::Comparison;
use super::place::Place;

/// A word or a sign, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Word(String),
    Quoted(String),
    Comparison(Comparison),
    Open,
    Close,
    Comma,
    /// Behind everything.
    End,
}

const KEYWORDS: [&str; 8] = ["and", "or", "not", "between", "in", "exists", "starts", "with"];

/// Whether a word belongs to the language, so that a name like it has to be quoted.
pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(word))
}

/// Whether a name can be written without quotes.
pub(super) fn is_plain(name: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(inner)
}

/// The tokens of an expression; the last is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let (kind, length) = match first {
            '"' | '\'' | '`' => quoted(rest, first).ok_or_else(|| FilterError::OpenQuote {
                place: Place::new(text, start..start + 1),
            })?,
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            _ => comparison(rest).unwrap_or_else(|| word(rest)),
        };
        if length == 0 {
            let place = Place::new(text, start..start + first.len_utf8());
            let expected = "`!=`, or `not`";
            return Err(FilterError::Syntax { expected, found: format!("`{first}`"), place });
        }
        tokens.push(Token { kind, at: start..start + length });
        start += length;
    }
    tokens.push(Token { kind: Kind::End, at: text.len()..text.len() });
    Ok(tokens)
}

fn comparison(rest: &str) -> Option<(Kind, usize)> {
    let signs = [
        ("==", Comparison::Equal),
        ("!=", Comparison::Different),
        ("<>", Comparison::Different),
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::More),
    ];
    let found = signs.into_iter().find(|(sign, _)| rest.starts_with(sign));
    found.map(|(sign, comparison)| (Kind::Comparison(comparison), sign.len()))
}

/// All that stands between blanks, signs and parentheses.
fn word(rest: &str) -> (Kind, usize) {
    let end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=' | '<' | '>' | '!');
    let length = rest.find(end).unwrap_or(rest.len());
    (Kind::Word(rest[..length].to_owned()), length)
}

/// The text within quotes, in which a quote is written twice; `None` where it does not end.
fn quoted(rest: &str, quote: char) -> Option<(Kind, usize)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote && characters.next_if(|&(_, next)| next == quote).is_none() {
            return Some((Kind::Quoted(text), at + 1));
        }
        text.push(c);
    }
    None
}
