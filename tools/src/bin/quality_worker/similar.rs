//! Lists of similar items to be timed.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::time::Instant;

use lookalike::search::{Error as SearchError, SimilarTo};
use lookalike::{Collection, Modality, Similar};
use serde_json::json;

use super::{Outcome, say};

const TOP: usize = 10;
/// Of so many rows the answer of one is told, to be held to another's.
const EACH: usize = 100;

/// Writes the vectors by pictures, row by row.
pub fn vectors(collection: &Collection, out: &str) -> Outcome {
    let shelf = collection.vectors(Modality::Image).ok_or("it has no pictures")?;
    let mut out = BufWriter::new(File::create(out)?);
    for (_, vector) in shelf.vectors() {
        vector.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
    }
    Ok(out.flush()?)
}

/// Finds everybody's most similar by pictures.
pub fn similar(collection: &Collection, how: &str) -> Outcome {
    let wish = Similar::by([Modality::Image]).top(TOP);
    let wish = if how == "exact" { wish.exact() } else { wish };
    let (start, before) = (Instant::now(), cpu()?);
    let mut lists: Vec<SimilarTo> = Vec::new();
    let keep = |list| -> Result<(), SearchError> {
        lists.push(list);
        Ok(())
    };
    collection.similar(&wish, keep)?;
    let (seconds, used) = (start.elapsed().as_secs_f64(), cpu()? - before);
    // Rows are what others know, and not our numbers.
    let row = |id: u32| lists.binary_search_by_key(&id, |list| list.id).unwrap_or(usize::MAX);
    let sample = lists.iter().step_by(EACH);
    let sample = sample.map(|list| list.others.iter().map(|&(id, _)| row(id)).collect());
    let sample: Vec<Vec<usize>> = sample.collect();
    say(&json!({"seconds": seconds, "cpu": used, "sample": sample}))
}

/// The CPU seconds of this process, all threads included, as Linux counts them.
fn cpu() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // What follows the name, which may hold anything; user and system time, in hundredths.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    Ok((fields[12].parse::<f64>()? + fields[13].parse::<f64>()?) / 100.0)
}
