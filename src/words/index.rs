//! One generation of the index, open for reading.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tantivy::columnar::Column;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing};
use tantivy::{Directory, Index, SegmentReader};

use super::files::Files;
use super::{Error, WordsEntry, analysis};

/// The number of an item's document.
const ID: &str = "id";
/// Its text.
const TEXT: &str = "text";

/// The texts of a generation's items, as words.
pub(crate) struct WordsIndex {
    pub(super) parts: Vec<Part>,
    pub(super) text: Field,
    pub(super) items: u64,
    pub(super) words: u64,
    index: Index,
    files: Files,
    files: Vec<String>,
}

/// One of tantivy's segments.
pub(super) struct Part {
    pub(super) reader: SegmentReader,
    ids: Column<u64>,
}

impl Part {
    /// The item of a document.
    pub(super) fn id(&self, document: u32) -> Option<u32> {
        self.ids.first(document).and_then(|id| u32::try_from(id).ok())
    }
}

/// What a document consists of.
pub(super) struct Fields {
    pub(super) schema: Schema,
    pub(super) id: Field,
    pub(super) text: Field,
}

impl Fields {
    pub(super) fn new() -> Self {
        let mut schema = Schema::builder();
        let id = schema.add_u64_field(ID, INDEXED | FAST);
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(analysis::NAME)
            .set_index_option(IndexRecordOption::WithFreqs);
        let options = tantivy::schema::TextOptions::default().set_indexing_options(indexing);
        let text = schema.add_text_field(TEXT, options);
        Fields { schema: schema.build(), id, text }
    }
}

impl WordsIndex {
    /// Opens the generation that `entry` describes. All of its files are held from now on, whatever is
    /// swept from the directory.
    pub(crate) fn open(directory: &Path, entry: &WordsEntry) -> Result<Self, Error> {
        if entry.analysis != analysis::VERSION {
            return Err(Error::damaged(format!("its words are cut in way {}", entry.analysis)));
        }
        let files = Files::open(directory, Some(&entry.segments))?;
        guarded(|| {
            let index = Index::open(files.clone())?;
            let fields = Fields::new();
            if index.schema() != fields.schema {
                return Err(Error::damaged("its fields are not ours"));
            }
            let parts = index.searchable_segments()?.iter().map(|segment| {
                let reader = SegmentReader::open(segment)?;
                let ids = reader.fast_fields().u64(ID)?;
                let lengths = reader.get_fieldnorms_reader(fields.text)?;
                if lengths.num_docs() != reader.max_doc() || ids.num_docs() != reader.max_doc() {
                    return Err(Error::damaged("a list is shorter than its segment"));
                }
                Ok(Part { reader, ids })
            });
            let parts = parts.collect::<Result<_, Error>>()?;
            let (items, words) = (entry.items, entry.words);
            let (text, files) = (fields.text, entry.files.clone());
            Ok(WordsIndex { parts, text, items, words, index, files: files.clone(), files })
        })
    }

    /// How many items have words.
    pub(crate) fn items(&self) -> u64 {
        self.items
    }

    /// Reads every byte, and says whether it is as it was written.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        guarded(|| {
            for file in &self.files {
                // What a list names need not be there: not every segment has one of each kind.
                let there = self.files.exists(Path::new(file)).map_err(tantivy::TantivyError::from)?;
                let sound = |file| self.index.directory().validate_checksum(file);
                if there && !sound(Path::new(file)).map_err(tantivy::TantivyError::from)? {
                    return Err(Error::damaged(format!("the checksum of {file} is wrong")));
                }
            }
            Ok(())
        })
    }
}

/// Reads what somebody may have damaged. tantivy checks its files only where asked to, and panics at some
/// of what it may find in them; to whoever searches, that is an error like any other.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Error::damaged(said.unwrap_or("its files contradict each other")))
    })
}
