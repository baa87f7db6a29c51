//! The next generation of the index: what has changed, written beside what stays.

use std::path::{Path, PathBuf};

use tantivy::fieldnorm::FieldNormReader;
use tantivy::index::SegmentComponent;
use tantivy::indexer::LogMergePolicy;
use tantivy::{Directory, Index, IndexSettings, IndexWriter, TantivyDocument, TantivyError, Term};

use super::files::Files;
use super::index::{Fields, WordsIndex, guarded};
use super::{Error, WordsEntry, analysis};

/// What a segment consists of.
const KINDS: [SegmentComponent; 7] = [
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::Terms,
    SegmentComponent::Store,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Delete,
];

/// What the writer may keep in memory before it writes a segment.
const MEMORY: usize = 32 << 20;

/// A segment of which so great a part is of items that left is written anew without them.
const RUBBISH: f32 = 0.3;

/// Writes texts, and takes them away.
pub(crate) struct WordsWriter {
    writer: IndexWriter,
    files: Files,
    fields: Fields,
    directory: PathBuf,
}

impl WordsWriter {
    /// Goes on from what is published, or begins anew.
    pub(crate) fn open(directory: &Path, published: Option<&WordsEntry>) -> Result<Self, Error> {
        let files = Files::open(directory, published.map(|entry| entry.segments.as_str()))?;
        let fields = Fields::new();
        let index = match published {
            Some(_) => Index::open(files.clone())?,
            None => Index::create(files.clone(), fields.schema.clone(), IndexSettings::default())?,
        };
        index.tokenizers().register(analysis::NAME, analysis::analyser());
        // One thread, so that texts keep their order and the next run finds them in it.
        let writer: IndexWriter = index.writer_with_num_threads(1, MEMORY)?;
        let mut policy = LogMergePolicy::default();
        policy.set_del_docs_ratio_before_merge(RUBBISH);
        writer.set_merge_policy(Box::new(policy));
        Ok(WordsWriter { writer, files, fields, directory: directory.to_owned() })
    }

    /// Gives a text to an item that has none, or whose own was taken away.
    pub(crate) fn put(&mut self, id: u32, text: &str) -> Result<(), Error> {
        let mut document = TantivyDocument::default();
        document.add_u64(self.fields.id, id.into());
        document.add_text(self.fields.text, text);
        self.writer.add_document(document)?;
        Ok(())
    }

    /// Takes an item's text away.
    pub(crate) fn remove(&mut self, id: u32) {
        self.writer.delete_term(Term::from_field_u64(self.fields.id, id.into()));
    }

    /// Ends the generation: everything is on disk, and nobody knows of it until the entry is published.
    pub(crate) fn finish(mut self) -> Result<WordsEntry, Error> {
        self.writer.commit()?;
        let index = self.writer.index().clone();
        self.writer.wait_merging_threads()?;
        let segments = self.files.segments();
        let segments = segments.ok_or_else(|| Error::damaged("its segments are not listed"))?;
        let mut files = Vec::new();
        for segment in index.searchable_segment_metas()? {
            for path in KINDS.map(|kind| segment.relative_path(kind)) {
                // Not every segment has one of each kind.
                if self.files.exists(&path).map_err(TantivyError::from)? {
                    files.push(path.to_string_lossy().into_owned());
                }
            }
        }
        files.sort();
        let analysis = analysis::VERSION;
        let mut entry = WordsEntry { files, items: 0, words: 0, analysis, segments };
        let written = WordsIndex::open(&self.directory, &entry)?;
        (entry.items, entry.words) = written.count()?;
        Ok(entry)
    }
}

impl WordsIndex {
    /// How many items there are that have not left, and how many words these have.
    fn count(&self) -> Result<(u64, u64), Error> {
        guarded(|| {
            let (mut items, mut words) = (0, 0);
            for part in &self.parts {
                let lengths = part.reader.get_fieldnorms_reader(self.text)?;
                for document in part.reader.doc_ids_alive() {
                    let code = lengths.fieldnorm_id(document);
                    items += 1;
                    words += u64::from(FieldNormReader::id_to_fieldnorm(code));
                }
            }
            Ok((items, words))
        })
    }
}
