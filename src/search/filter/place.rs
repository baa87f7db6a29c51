//! Where in an expression something is wrong.

use std::fmt;
use std::ops::Range;

use unicode_width::UnicodeWidthStr;

/// A stretch of an expression. It is shown as the expression with carets below that stretch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    expression: String,
    at: Range<usize>,
}

impl Place {
    pub(super) fn new(expression: &str, at: Range<usize>) -> Self {
        Place { expression: expression.to_owned(), at }
    }

    /// Where it begins, in characters from 1.
    pub fn column(&self) -> usize {
        self.before().chars().count() + 1
    }

    fn before(&self) -> &str {
        self.expression.get(..self.at.start).unwrap_or(&self.expression)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // One line, whatever it was: the carets count on it.
        let plain = |text: &str| text.replace(char::is_control, " ");
        let marked = self.expression.get(self.at.clone()).unwrap_or_default();
        let (before, carets) = (plain(self.before()).width(), plain(marked).width().max(1));
        write!(f, "  {}\n  {}{}", plain(&self.expression), " ".repeat(before), "^".repeat(carets))
    }
}
