//! One generation of the index, open for reading.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use tantivy::columnar::Column;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing};
use tantivy::{Index, SegmentReader, TantivyError};

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
    names: Vec<String>,
}

/// One of tantivy's segments.
pub(super) struct Part {
    pub(super) reader: SegmentReader,
    ids: Column<u64>,
}

impl Part {
    /// The item of a document.
    pub(super) fn id(&self, document: u32) -> Result<u32, Error> {
        let id = self.ids.first(document).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| Error::damaged("a text is nobody's"))
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
            let index = Index::open(files)?;
            let fields = Fields::new();
            if index.schema() != fields.schema {
                return Err(Error::damaged("its fields are not ours"));
            }
            let parts = index.searchable_segments()?.into_iter().map(|segment| {
                let reader = SegmentReader::open(&segment)?;
                let ids = reader.fast_fields().u64(ID)?;
                let lengths = reader.get_fieldnorms_reader(fields.text)?;
                if lengths.num_docs() != reader.max_doc() || ids.num_docs() != reader.max_doc() {
                    return Err(Error::damaged("a list is shorter than its segment"));
                }
                Ok(Part { reader, ids })
            });
            let parts = parts.collect::<Result<_, Error>>()?;
            let (items, words) = (entry.items, entry.words);
            let (text, names) = (fields.text, entry.files.clone());
            Ok(WordsIndex { parts, text, items, words, index, names })
        })
    }

    /// The items that have a text, in no particular order.
    pub(crate) fn ids(&self) -> Result<Vec<u32>, Error> {
        guarded(|| {
            let of_part = |part: &Part| {
                let ids = part.reader.doc_ids_alive().map(|document| part.id(document));
                ids.collect::<Result<Vec<_>, _>>()
            };
            let ids = self.parts.iter().map(of_part).collect::<Result<Vec<_>, Error>>()?.concat();
            match ids.len() as u64 == self.items {
                true => Ok(ids),
                false => Err(Error::damaged(format!(
                    "{} texts are there, not {}",
                    ids.len(),
                    self.items
                ))),
            }
        })
    }

    /// Reads every byte, and says whether it is as it was written.
    pub(crate) fn verify(&self) -> Result<(), Error> {
        guarded(|| {
            for name in &self.names {
                let sound = self.index.directory().validate_checksum(Path::new(name));
                if !sound.map_err(TantivyError::from)? {
                    return Err(Error::damaged(format!("the checksum of {name} is wrong")));
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
