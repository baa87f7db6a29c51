//! How the vectors of one modality change from one generation to the next.
//!
//! Flowing in: what is published of the modality, and which items' vectors are new, other ones or gone.
//! Flowing out: the segments of the new generation. Most are the old ones, with more of their vectors dead;
//! one is new, and holds what is fresh together with whatever [`tiers`] finds worth merging with it. Vectors
//! come from the embedding cache and from the segments, by ascending id, one at a time.

use std::ops::ControlFlow;

use lookalike_index::{Precision, RowSet, Segment, SegmentWriter, Shelf};

use super::commit::VectorOptions;
use super::encoders::Known;
use super::layout::Layout;
use super::manifest::{Dead, EncoderEntry, SegmentEntry, StoredItem};
use super::report::{GraphProgress, Progress};
use super::store::{Cached, Store};
use super::tiers::{self, Size};
use super::{Error, open_part};
use crate::encode::Modality;

/// What a run changes in the vectors of one modality.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Items that have a vector which is not the published one.
    fresh: Vec<u32>,
    /// Items whose published vector is to go.
    gone: Vec<u32>,
    /// How much of the rest stays where it is.
    pub(super) rest: Rest,
}

/// What becomes of vectors that have not changed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Rest {
    /// They stay where they are, as far as that pays.
    #[default]
    Kept,
    /// All go into one segment.
    Merged,
    /// They cannot be relied upon: all are written anew, from the cache.
    Anew,
}

impl Changes {
    /// Notes that an item's vector is new, another one or gone.
    pub(super) fn note(&mut self, id: u32, now: Option<&StoredItem>, modality: Modality) {
        match now.and_then(|now| now.content(modality)) {
            Some(_) => self.fresh.push(id),
            None => self.gone.push(id),
        }
    }

    /// Whether the new generation may have the very segments of the old one.
    pub(super) fn none(&self, published: &[SegmentEntry]) -> bool {
        self.fresh.is_empty()
            && self.gone.is_empty()
            && match self.rest {
                Rest::Kept => true,
                Rest::Merged => {
                    published.len() < 2 && published.iter().all(|entry| entry.dead.is_none())
                }
                Rest::Anew => false,
            }
    }
}

/// Writes the vectors of one modality for one generation.
pub(super) struct Revision<'a, 'b> {
    pub(super) store: &'a Store,
    pub(super) layout: &'a Layout,
    pub(super) generation: u32,
    pub(super) encoder: Known,
    pub(super) progress: Progress,
    pub(super) options: &'a mut VectorOptions<'b>,
}

/// Items with their ids.
type Items<'s> = Box<dyn Iterator<Item = Result<(u32, StoredItem), Error>> + 's>;

/// A published segment on its way into the new generation.
struct Published {
    entry: SegmentEntry,
    segment: Segment,
    dead: RowSet,
}

impl Published {
    fn size(&self) -> Size {
        let dead = self.dead.len() as u64;
        Size { alive: self.entry.vectors.saturating_sub(dead), dead }
    }
}

impl Revision<'_, '_> {
    /// The segments of the new generation, oldest first. What is written is on the medium and nobody's
    /// until a manifest names it.
    pub(super) fn write(
        mut self,
        published: &[SegmentEntry],
        changes: &Changes,
    ) -> Result<Vec<SegmentEntry>, Error> {
        if changes.none(published) {
            return Ok(published.to_vec());
        }
        let published = match changes.rest {
            Rest::Anew => Vec::new(),
            Rest::Kept | Rest::Merged => self.open(published, changes)?,
        };
        let sizes: Vec<Size> = published.iter().map(Published::size).collect();
        let merged = match changes.rest {
            Rest::Merged => vec![true; sizes.len()],
            Rest::Kept | Rest::Anew => tiers::merged(&sizes, changes.fresh.len() as u64),
        };
        let (mut kept, mut taken) = (Vec::new(), Vec::new());
        for (segment, merged) in published.into_iter().zip(merged) {
            if merged { taken.push(segment) } else { kept.push(segment) }
        }
        let written = self.write_segment(taken, &kept, changes)?;
        let kept =
            kept.into_iter().map(|segment| self.keep(segment)).collect::<Result<Vec<_>, _>>()?;
        Ok(kept.into_iter().chain(written).collect())
    }

    /// Opens the published segments and buries what has changed.
    fn open(&self, published: &[SegmentEntry], changes: &Changes) -> Result<Vec<Published>, Error> {
        let open = |entry: &SegmentEntry| {
            let (segment, mut dead) = open_part(self.layout, self.store, entry)?;
            let changed = changes.fresh.iter().chain(&changes.gone);
            changed.filter_map(|&id| segment.row_of(id)).for_each(|row| dead.insert(row));
            Ok(Published { entry: entry.clone(), segment, dead })
        };
        published.iter().map(open).collect()
    }

    /// The entry of a segment that stays, and a note of its dead where they have become more.
    fn keep(&self, segment: Published) -> Result<SegmentEntry, Error> {
        let Published { mut entry, dead, .. } = segment;
        let vectors = dead.len() as u64;
        if vectors > entry.dead.as_ref().map_or(0, |before| before.vectors) {
            self.store.put_dead(&entry.file, self.generation, &dead)?;
            entry.dead = Some(Dead { vectors, generation: self.generation });
        }
        Ok(entry)
    }

    /// Writes what is fresh together with what is alive of some segments; `None` where that is nothing.
    fn write_segment(
        &mut self,
        taken: Vec<Published>,
        kept: &[Published],
        changes: &Changes,
    ) -> Result<Option<SegmentEntry>, Error> {
        let EncoderEntry { modality, dimension, .. } = self.encoder.entry;
        let file = Layout::segment_name(self.generation, modality);
        let path = self.layout.segment(&file);
        let label = self.encoder.entry.label();
        // Unless told otherwise, as precise as before.
        let before = kept.iter().chain(&taken).map(|p| p.segment.precision()).next();
        let precision = self.options.precision.or(before).unwrap_or(Precision::F16);
        let mut writer = SegmentWriter::create(&path, dimension, precision, label.as_bytes())?;
        let shelf = Shelf::new(dimension, taken.into_iter().map(|p| (p.segment, p.dead)))?;
        let mut stays = shelf.vectors().peekable();
        for item in self.fresh_items(changes)? {
            let (id, stored) = item?;
            let Some(vector) = self.vector(&stored)? else { continue };
            while let Some((id, vector)) = stays.next_if(|&(other, _)| other < id) {
                writer.push(id, &vector)?;
            }
            writer.push(id, &vector)?;
        }
        stays.try_for_each(|(id, vector)| writer.push(id, &vector))?;
        let vectors = writer.len() as u64;
        if vectors == 0 {
            return Ok(None);
        }
        let mut graph = self.options.graph.clone();
        let beside: u64 = kept.iter().map(|published| published.size().alive).sum();
        if beside + vectors >= graph.from_rows as u64 {
            // Where there are graphs already, nothing is gained by comparing a part of it whole.
            graph.from_rows = graph.from_rows.min(tiers::SMALLEST as usize);
        }
        let mut progress = self.progress;
        writer.finish_with_graph(&graph, &mut |built| {
            let (stage, done, of) = (built.stage, built.done, built.total);
            progress.graph = Some(GraphProgress { modality, stage, done, of });
            (self.options.progress)(&progress);
            ControlFlow::Continue(())
        })?;
        Ok(Some(SegmentEntry { file, vectors, dead: None, encoder: self.encoder.entry.clone() }))
    }

    /// The items whose vectors are written, by ascending id.
    fn fresh_items<'s>(&'s self, changes: &Changes) -> Result<Items<'s>, Error> {
        if changes.rest == Rest::Anew {
            let all = self.store.items(self.generation)?;
            return Ok(Box::new(all.map(|row| row.map(|(id, _, stored)| (id, stored)))));
        }
        let mut ids = changes.fresh.clone();
        ids.sort_unstable();
        Ok(Box::new(ids.into_iter().filter_map(|id| {
            let item = self.store.item(id, self.generation).transpose()?;
            Some(item.map(|(stored, _)| (id, stored)))
        })))
    }

    /// What the cache has of an item; `None` where it has nothing of this modality, or was refused.
    fn vector(&self, stored: &StoredItem) -> Result<Option<Vec<f32>>, Error> {
        let Some(content) = stored.content(self.encoder.entry.modality) else { return Ok(None) };
        match self.store.cached(&self.encoder.fingerprint, &content)? {
            Some(Cached::Embedding(vector)) => Ok(Some(vector)),
            Some(Cached::Refused(_)) | None => Ok(None),
        }
    }
}
