//! What `index` does about pictures that a catalogue gives by web address.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use lookalike::catalogue::FetchOptions;
use lookalike::encode::store::StoreError;

use super::Common;

/// Pictures from elsewhere.
#[derive(clap::Args)]
#[command(next_help_heading = "Pictures given by web address")]
pub struct Remote {
    /// The folder that mirrors their sites: DIR/host/path, DIR/path, or just the file's name below DIR
    #[arg(long, value_name = "DIR", env = "LOOKALIKE_MIRROR")]
    pub mirror: Option<PathBuf>,
    /// Fetch those that are not there; what was fetched is kept, and asked for again by its ETag
    #[arg(long, env = "LOOKALIKE_FETCH", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    fetch: bool,
    /// Fetch from private addresses too: this machine, its network
    #[arg(long, requires = "fetch", env = "LOOKALIKE_FETCH_PRIVATE", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    fetch_private: bool,
    /// Give up a picture with more bytes [default: 33554432]
    #[arg(long, value_name = "N", env = "LOOKALIKE_FETCH_BYTES")]
    fetch_bytes: Option<u64>,
    /// Give up a picture that takes longer [default: 30]
    #[arg(long, value_name = "SECONDS", env = "LOOKALIKE_FETCH_SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    fetch_seconds: Option<u64>,
    /// Follow so many redirects [default: 5]
    #[arg(long, value_name = "N", env = "LOOKALIKE_FETCH_REDIRECTS", value_parser = clap::value_parser!(u32).range(..=20))]
    fetch_redirects: Option<u32>,
    /// Fetch so many at the same time [default: 8]
    #[arg(long, value_name = "N", env = "LOOKALIKE_FETCH_CONNECTIONS", value_parser = clap::value_parser!(u16).range(1..=64))]
    fetch_connections: Option<u16>,
}

impl Remote {
    /// How pictures are fetched, if they are.
    pub fn fetch(&self, common: &Common) -> Result<Option<FetchOptions>, StoreError> {
        if !self.fetch {
            return Ok(None);
        }
        let mut options = FetchOptions::into(common.models()?.cache().join("pictures"));
        options.allow_private = self.fetch_private;
        options.max_bytes = self.fetch_bytes.unwrap_or(options.max_bytes);
        options.timeout = self.fetch_seconds.map_or(options.timeout, Duration::from_secs);
        options.redirects = self.fetch_redirects.unwrap_or(options.redirects);
        options.connections = self.fetch_connections.map_or(options.connections, usize::from);
        Ok(Some(options))
    }
}
