//! What was fetched, by content, and which address led to it.
//!
//! ```text
//! pictures/
//!   content/3f/3fa9...c1.jpg     a picture, named by the SHA-256 of its bytes
//!   addresses/07/07be...55.json  what an address led to, and how to ask whether it still does
//! ```

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::catalogue::picture::Kind;

/// The folder of fetched pictures.
pub(super) struct Cache {
    folder: PathBuf,
}

/// What an address led to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Record {
    /// The address, for people who look.
    pub address: String,
    /// The picture's file, below the folder.
    pub content: PathBuf,
    /// By what the server knows this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it was changed last, in the server's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Until when the server vouches for it, in seconds since 1970.
    #[serde(default)]
    pub fresh_until: u64,
}

/// Why bytes from the web were not kept.
pub(super) enum Unkept {
    TooLong,
    /// What it is instead, and the remedy.
    NoPicture(String),
    /// The server or the network gave up.
    Broken(io::Error),
    Disk(io::Error),
}

impl Cache {
    pub fn at(folder: PathBuf) -> io::Result<Self> {
        for part in ["content", "addresses"] {
            fs::create_dir_all(folder.join(part))?;
        }
        // Items keep the paths of their pictures, which have to lead there from anywhere.
        Ok(Cache { folder: std::path::absolute(folder)? })
    }

    /// What is known of an address, if its picture is still there.
    pub fn known(&self, address: &str) -> Option<Record> {
        let bytes = fs::read(self.record(address)).ok()?;
        let record: Record = serde_json::from_slice(&bytes).ok()?;
        (record.address == address && self.path(&record).is_file()).then_some(record)
    }

    pub fn path(&self, record: &Record) -> PathBuf {
        self.folder.join(&record.content)
    }

    pub fn remember(&self, record: &Record) -> io::Result<()> {
        let path = self.record(&record.address);
        let mut file = self.temporary(&path)?;
        file.write_all(&serde_json::to_vec(record)?)?;
        file.persist(path)?;
        Ok(())
    }

    /// Keeps a picture; returns where, below the folder.
    pub fn keep(&self, bytes: &mut impl Read, most: u64) -> Result<PathBuf, Unkept> {
        let mut head = Vec::new();
        bytes.take(1024).read_to_end(&mut head).map_err(Unkept::Broken)?;
        let kind = Kind::of(&head).map_err(|error| Unkept::NoPicture(error.to_string()))?;
        let mut file = NamedTempFile::new_in(&self.folder).map_err(Unkept::Disk)?;
        let (mut hash, mut length) = (Sha256::new(), 0);
        let mut block = vec![0; 64 << 10];
        let mut count = head.len();
        block[..count].copy_from_slice(&head);
        while count > 0 {
            length += count as u64;
            if length > most {
                return Err(Unkept::TooLong);
            }
            hash.update(&block[..count]);
            file.write_all(&block[..count]).map_err(Unkept::Disk)?;
            count = bytes.read(&mut block).map_err(Unkept::Broken)?;
        }
        let name = format!("{:x}.{}", hash.finalize(), kind.extension());
        let content = Path::new("content").join(&name[..2]).join(&name);
        let path = self.folder.join(&content);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(Unkept::Disk)?;
        // The same bytes may be there already; a picture that is there is left as it is, so that its
        // clock does not say that it has changed.
        if !path.is_file() {
            file.persist(&path).map_err(|error| Unkept::Disk(error.error))?;
        }
        Ok(content)
    }

    fn record(&self, address: &str) -> PathBuf {
        let name = format!("{:x}.json", Sha256::digest(address));
        self.folder.join("addresses").join(&name[..2]).join(name)
    }

    fn temporary(&self, path: &Path) -> io::Result<NamedTempFile> {
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder)?;
        NamedTempFile::new_in(folder)
    }
}
