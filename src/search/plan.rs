//! How a query was answered, for whoever wants to know why it took as long as it did.

use std::fmt;

use serde::Serialize;

/// How a query was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// What was done with the items that match.
    pub how: How,
    /// How many items match the filter; `None` where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<u64>,
    /// How many items there are.
    pub of: u64,
}

/// What was done with the items that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum How {
    /// All of them were compared: few match, or there are few.
    Scanned,
    /// Graphs were walked, past what does not match.
    Walked,
    /// They were listed by their numbers: the query has no terms.
    Listed,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.how {
            How::Scanned => "exact",
            How::Walked => "approximate",
            How::Listed => "listed",
        })?;
        let Some(matching) = self.matching else { return Ok(()) };
        let share = matching as f64 * 100.0 / self.of.max(1) as f64;
        let done = match self.how {
            How::Scanned => "all compared",
            How::Walked => "found by walking the graph",
            How::Listed => "by ascending number",
        };
        write!(f, ": {matching} match ({share:.1}%), {done}")
    }
}
