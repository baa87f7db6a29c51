//! The expression itself: put together by the builder or the parser, and written out again.

use std::fmt;
use std::ops::Not;
use std::str::FromStr;
use std::sync::Arc;

use super::error::FilterError;
use super::parse::parse;
use super::tokens::{is_keyword, is_plain};

/// Which items may be among the hits.
///
/// ```
/// use lookalike::Filter;
///
/// let written: Filter = "category = shoes and price between 20 and 80 and not sold_out".parse()?;
/// let built = Filter::equals("category", "shoes")
///     .and(Filter::between("price", 20, 80))
///     .and(!Filter::holds("sold_out"));
/// assert_eq!(written.to_string(), "category = shoes and price between 20 and 80 and not sold_out");
/// assert_eq!(built.to_string(), "category = \"shoes\" and price between 20 and 80 and not sold_out");
/// # Ok::<(), lookalike::search::FilterError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Filter {
    pub(super) expression: Expression,
    /// As it was written, for errors to point into.
    pub(super) source: Option<Arc<str>>,
}

/// What a filter is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// At least two.
    All(Vec<Expression>),
    /// At least two.
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Test(Test),
}

/// What is asked of one field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Test {
    pub(super) field: String,
    pub(super) asked: Asked,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Asked {
    Compared(Comparison, Literal),
    Between(Literal, Literal),
    OneOf(Vec<Literal>),
    Beginning(Literal),
    Present,
    True,
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A value to compare with. What it is, a number, a date or text, is for the field's type to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    pub(super) text: String,
    pub(super) quoted: bool,
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Literal { text: text.to_owned(), quoted: true }
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Literal { text, quoted: true }
    }
}

macro_rules! literals_of {
    ($($number:ty),*) => {$(
        impl From<$number> for Literal {
            fn from(value: $number) -> Self {
                Literal { text: value.to_string(), quoted: false }
            }
        }
    )*};
}
literals_of!(bool, i32, i64, u32, u64, f32, f64);

impl Filter {
    /// The field compared with a value.
    pub fn compare(field: impl Into<String>, how: Comparison, value: impl Into<Literal>) -> Self {
        Self::test(field, Asked::Compared(how, value.into()))
    }

    /// The field is this; of text, in any case.
    pub fn equals(field: impl Into<String>, value: impl Into<Literal>) -> Self {
        Self::compare(field, Comparison::Equal, value)
    }

    /// The field is no less than the first and no more than the second.
    pub fn between(
        field: impl Into<String>,
        low: impl Into<Literal>,
        high: impl Into<Literal>,
    ) -> Self {
        Self::test(field, Asked::Between(low.into(), high.into()))
    }

    /// The field is one of these.
    pub fn one_of<L: Into<Literal>>(
        field: impl Into<String>,
        values: impl IntoIterator<Item = L>,
    ) -> Self {
        Self::test(field, Asked::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// The field's text begins with this.
    pub fn starts_with(field: impl Into<String>, beginning: impl Into<String>) -> Self {
        Self::test(field, Asked::Beginning(beginning.into().into()))
    }

    /// The field has a value.
    pub fn exists(field: impl Into<String>) -> Self {
        Self::test(field, Asked::Present)
    }

    /// The boolean field is true.
    pub fn holds(field: impl Into<String>) -> Self {
        Self::test(field, Asked::True)
    }

    /// This and that.
    pub fn and(self, other: Filter) -> Self {
        let mut all = match self.expression {
            Expression::All(all) => all,
            one => vec![one],
        };
        all.push(other.expression);
        Expression::All(all).into()
    }

    /// This or that.
    pub fn or(self, other: Filter) -> Self {
        let mut any = match self.expression {
            Expression::Any(any) => any,
            one => vec![one],
        };
        any.push(other.expression);
        Expression::Any(any).into()
    }

    fn test(field: impl Into<String>, asked: Asked) -> Self {
        Expression::Test(Test { field: field.into(), asked }).into()
    }
}

impl From<Expression> for Filter {
    fn from(expression: Expression) -> Self {
        Filter { expression, source: None }
    }
}

impl Not for Filter {
    type Output = Filter;

    fn not(self) -> Filter {
        Expression::Not(Box::new(self.expression)).into()
    }
}

/// Filters are equal that ask the same, however they were written.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (expression, _) = parse(text)?;
        Ok(Filter { expression, source: Some(text.into()) })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::All(all) => joined(f, all, " and "),
            Expression::Any(any) => joined(f, any, " or "),
            Expression::Not(negated) => {
                f.write_str("not ")?;
                negated.within(f)
            }
            Expression::Test(test) => test.fmt(f),
        }
    }
}

impl Expression {
    /// As a part of another.
    fn within(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::All(_) | Expression::Any(_) => write!(f, "({self})"),
            Expression::Not(_) | Expression::Test(_) => write!(f, "{self}"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expression], word: &str) -> fmt::Result {
    for (place, part) in parts.iter().enumerate() {
        f.write_str(if place > 0 { word } else { "" })?;
        part.within(f)?;
    }
    Ok(())
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bare = is_plain(&self.field) && !is_keyword(&self.field);
        let field = if bare { self.field.clone() } else { quoted(&self.field) };
        match &self.asked {
            Asked::Compared(how, value) => write!(f, "{field} {how} {value}"),
            Asked::Between(low, high) => write!(f, "{field} between {low} and {high}"),
            Asked::OneOf(values) => {
                let values: Vec<String> = values.iter().map(Literal::to_string).collect();
                write!(f, "{field} in ({})", values.join(", "))
            }
            Asked::Beginning(beginning) => write!(f, "{field} starts with {beginning}"),
            Asked::Present => write!(f, "exists({field})"),
            Asked::True => f.write_str(&field),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.quoted {
            true => f.write_str(&quoted(&self.text)),
            false => f.write_str(&self.text),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Comparison::Equal => "=",
            Comparison::Different => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        })
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
