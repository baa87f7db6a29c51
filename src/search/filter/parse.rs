//! From tokens to the expression, by recursive descent: one function a rule.
//!
//! ```text
//! any   = all { "or" all }
//! all   = one { "and" one }
//! one   = "not" one | "(" any ")" | "exists" "(" field ")" | field [ test ]
//! test  = comparison value | [ "not" ] ( "between" value "and" value | "in" "(" value { "," value } ")"
//!       | "starts" "with" value )
//! ```

use std::ops::Range;

use super::error::FilterError;
use super::expression::{Asked, Expression, Literal, Test};
use super::place::Place;
use super::tokens::{Kind, Token, is_keyword, tokens};

/// An expression nests no deeper than that: nobody writes such a one, and each level takes room on the stack.
const DEEPEST: usize = 100;

/// Where the field and the values of a test stand.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Spans {
    pub(super) field: Range<usize>,
    pub(super) values: Vec<Range<usize>>,
}

/// The expression, and where its tests stand in the text, in their order.
pub(super) fn parse(text: &str) -> Result<(Expression, Vec<Spans>), FilterError> {
    if text.trim().is_empty() {
        return Err(FilterError::Empty);
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens, next: 0, depth: 0, spans: Vec::new() };
    let expression = parser.any()?;
    match parser.peek() {
        Kind::End => Ok((expression, parser.spans)),
        _ => Err(parser.wrong("`and`, `or` or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    spans: Vec<Spans>,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let place = Place::new(self.text, self.at());
            return Err(FilterError::TooDeep { most: DEEPEST, place });
        }
        let any = self.chain("or", Self::all, Expression::Any);
        self.depth -= 1;
        any
    }

    fn all(&mut self) -> Result<Expression, FilterError> {
        self.chain("and", Self::one, Expression::All)
    }

    fn chain(
        &mut self,
        word: &str,
        part: fn(&mut Self) -> Result<Expression, FilterError>,
        together: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, FilterError> {
        let first = part(self)?;
        if !self.is_next(word) {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.take(word) {
            parts.push(part(self)?);
        }
        Ok(together(parts))
    }

    fn one(&mut self) -> Result<Expression, FilterError> {
        if self.take("not") {
            self.depth += 1;
            if self.depth > DEEPEST {
                let place = Place::new(self.text, self.at());
                return Err(FilterError::TooDeep { most: DEEPEST, place });
            }
            let negated = self.one()?;
            self.depth -= 1;
            return Ok(Expression::Not(Box::new(negated)));
        }
        if *self.peek() == Kind::Open {
            self.next += 1;
            let inner = self.any()?;
            self.expect(Kind::Close, "`)`, `and` or `or`")?;
            return Ok(inner);
        }
        if self.take("exists") {
            self.expect(Kind::Open, "`(` and the name of a field")?;
            let field = self.field()?;
            self.expect(Kind::Close, "`)`")?;
            return Ok(Expression::Test(Test { field, asked: Asked::Present }));
        }
        let field = self.field()?;
        self.test(field)
    }

    fn field(&mut self) -> Result<String, FilterError> {
        let field = match self.peek() {
            Kind::Quoted(name) => name.clone(),
            Kind::Word(name) if !is_keyword(name) => name.clone(),
            _ => return Err(self.wrong("the name of a field")),
        };
        self.spans.push(Spans { field: self.at(), values: Vec::new() });
        self.next += 1;
        Ok(field)
    }

    fn test(&mut self, field: String) -> Result<Expression, FilterError> {
        if let Kind::Comparison(how) = *self.peek() {
            self.next += 1;
            let asked = Asked::Compared(how, self.value()?);
            return Ok(Expression::Test(Test { field, asked }));
        }
        let negated = self.take("not");
        let asked = if self.take("between") {
            let low = self.value()?;
            self.expect_word("and", "`and` and the upper end")?;
            Asked::Between(low, self.value()?)
        } else if self.take("in") {
            Asked::OneOf(self.values()?)
        } else if self.take("starts") {
            self.expect_word("with", "`with`")?;
            Asked::Beginning(self.value()?)
        } else if negated {
            return Err(self.wrong("`in`, `between` or `starts with`"));
        } else if matches!(self.peek(), Kind::Word(word) if !is_keyword(word)) {
            return Err(self
                .wrong("a comparison (`=`, `<`, `in`, `between`, `starts with`), `and` or `or`"));
        } else {
            Asked::True
        };
        let test = Expression::Test(Test { field, asked });
        Ok(if negated { Expression::Not(Box::new(test)) } else { test })
    }

    fn values(&mut self) -> Result<Vec<Literal>, FilterError> {
        self.expect(Kind::Open, "`(` and the values")?;
        let mut values = vec![self.value()?];
        while *self.peek() == Kind::Comma {
            self.next += 1;
            values.push(self.value()?);
        }
        self.expect(Kind::Close, "`,` or `)`")?;
        Ok(values)
    }

    fn value(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.peek() {
            Kind::Quoted(text) => Literal { text: text.clone(), quoted: true },
            Kind::Word(text) if !is_keyword(text) => Literal { text: text.clone(), quoted: false },
            _ => return Err(self.wrong("a value")),
        };
        let at = self.at();
        self.spans.iter_mut().last().into_iter().for_each(|spans| spans.values.push(at.clone()));
        self.next += 1;
        Ok(literal)
    }

    fn peek(&self) -> &Kind {
        &self.token().kind
    }

    fn at(&self) -> Range<usize> {
        self.token().at.clone()
    }

    /// The end is never gone past.
    fn token(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn is_next(&self, keyword: &str) -> bool {
        matches!(self.peek(), Kind::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let taken = self.is_next(keyword);
        self.next += usize::from(taken);
        taken
    }

    fn expect(&mut self, kind: Kind, expected: &'static str) -> Result<(), FilterError> {
        if *self.peek() != kind {
            return Err(self.wrong(expected));
        }
        self.next += 1;
        Ok(())
    }

    fn expect_word(&mut self, word: &str, expected: &'static str) -> Result<(), FilterError> {
        self.take(word).then_some(()).ok_or_else(|| self.wrong(expected))
    }

    fn wrong(&self, expected: &'static str) -> FilterError {
        let at = self.at();
        let found = match self.peek() {
            Kind::End => "the end".to_owned(),
            _ => format!("`{}`", &self.text[at.clone()]),
        };
        FilterError::Syntax { expected, found, place: Place::new(self.text, at) }
    }
}
