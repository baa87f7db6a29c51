//! Columns for people: as wide as what stands in them, and no wider than the terminal.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Rows of text under headings.
pub struct Table {
    headings: Vec<Heading>,
    rows: Vec<Vec<String>>,
}

/// The top of a column, and how it is laid out.
pub struct Heading {
    name: String,
    right: bool,
    yields: bool,
}

impl Heading {
    /// A column of words.
    pub fn left(name: impl Into<String>) -> Self {
        Heading { name: name.into(), right: false, yields: false }
    }

    /// A column of numbers.
    pub fn right(name: impl Into<String>) -> Self {
        Heading { name: name.into(), right: true, yields: false }
    }

    /// A column of words that is cut short where the terminal is too narrow for the whole table.
    pub fn yielding(name: impl Into<String>) -> Self {
        Heading { name: name.into(), right: false, yields: true }
    }
}

impl Table {
    pub fn new(headings: impl IntoIterator<Item = Heading>) -> Self {
        Table { headings: headings.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row. Line breaks and other control characters in it become spaces.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let clean = |cell: String| cell.replace(char::is_control, " ");
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    /// Prints the table, within the terminal's width where `out` goes to one.
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let limit = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| width.0.into());
        self.print_within(limit, out)
    }

    fn print_within(&self, limit: Option<usize>, out: &mut impl Write) -> io::Result<()> {
        let widths = self.widths(limit);
        let names: Vec<String> = self.headings.iter().map(|h| h.name.clone()).collect();
        for row in std::iter::once(&names).chain(&self.rows) {
            let mut line = String::new();
            for ((heading, cell), &width) in self.headings.iter().zip(row).zip(&widths) {
                let cell = cut(cell, width);
                let space = " ".repeat(width - cell.width());
                let (before, after) =
                    if heading.right { (space, "".into()) } else { ("".into(), space) };
                line.extend([&before, &cell, &after, "  "]);
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|h| h.name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let total = widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(2);
        let mut excess = limit.map_or(0, |limit| total.saturating_sub(limit));
        for (heading, width) in self.headings.iter().zip(&mut widths) {
            if heading.yields {
                let narrowed = width.saturating_sub(excess).max(8).min(*width);
                excess -= *width - narrowed;
                *width = narrowed;
            }
        }
        widths
    }
}

/// The text within a width, its end replaced by an ellipsis where it is too long.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, limit: Option<usize>) -> String {
        let mut out = Vec::new();
        table.print_within(limit, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn example() -> Table {
        let mut table =
            Table::new([Heading::right("n"), Heading::yielding("title"), Heading::left("key")]);
        table.row(["1".into(), "A long-sleeved\nshirt".into(), "a".into()]);
        table.row(["10".into(), "靴".into(), "b".into()]);
        table
    }

    #[test]
    fn columns_align_whatever_the_script() {
        let expected = " n  title                 key\n 1  A long-sleeved shirt  a\n10  靴                    b\n";
        assert_eq!(printed(&example(), None), expected);
    }

    #[test]
    fn the_yielding_column_is_cut_to_the_limit() {
        let expected = " n  title       key\n 1  A long-sl…  a\n10  靴          b\n";
        assert_eq!(printed(&example(), Some(19)), expected);
    }
}
