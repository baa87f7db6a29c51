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
    /// Beyond this a cell is cut even where no terminal sets a limit.
    widest: usize,
}

/// Wider than any sensible key or title, and narrow enough that one monster does not push the other
/// columns out of sight.
const WIDEST: usize = 100;

impl Heading {
    /// A column of words.
    pub fn left(name: impl Into<String>) -> Self {
        Heading { name: name.into(), right: false, yields: false, widest: WIDEST }
    }

    /// A column of sentences that must be read to their end: the last one.
    pub fn sentences(name: impl Into<String>) -> Self {
        Heading { widest: usize::MAX, ..Heading::left(name) }
    }

    /// A column of numbers.
    pub fn right(name: impl Into<String>) -> Self {
        Heading { right: true, ..Heading::left(name) }
    }

    /// A column of words that is cut short where the terminal is too narrow for the whole table.
    pub fn yielding(name: impl Into<String>) -> Self {
        Heading { yields: true, ..Heading::left(name) }
    }
}

impl Table {
    pub fn new(headings: impl IntoIterator<Item = Heading>) -> Self {
        let clean = |heading: Heading| Heading { name: clean(&heading.name), ..heading };
        Table { headings: headings.into_iter().map(clean).collect(), rows: Vec::new() }
    }

    /// Adds a row. Line breaks and other control characters in it become spaces.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell)).collect());
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
        for (heading, width) in self.headings.iter().zip(&mut widths) {
            *width = (*width).min(heading.widest);
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

fn clean(cell: &str) -> String {
    cell.replace(|c: char| c.is_control() || turns_text(c), " ")
}

/// Marks that break lines or turn the direction of what follows them.
pub fn turns_text(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
    fn nothing_in_a_cell_moves_the_cursor_and_none_crowds_out_the_others() {
        let mut table = Table::new([Heading::left("\x1b[31mkey"), Heading::sentences("why")]);
        table.row(["a\x1b]0;x\x07\u{202e}b".into(), "w".repeat(300)]);
        table.row(["k".repeat(5000), "v".into()]);
        let out = printed(&table, None);
        assert!(!out.contains(|c: char| c.is_control() && c != '\n' || turns_text(c)), "{out:?}");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[1].trim_start_matches(|c| c != 'w').len(), 300);
        assert_eq!(lines[2].width(), WIDEST + 3);
        assert!(lines[2].ends_with("…  v"));
    }

    #[test]
    fn the_yielding_column_is_cut_to_the_limit() {
        let expected = " n  title       key\n 1  A long-sl…  a\n10  靴          b\n";
        assert_eq!(printed(&example(), Some(19)), expected);
    }
}
