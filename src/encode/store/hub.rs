//! Models from the model hub.
//!
//! Flowing in: a repository's name. Flowing out: the files of it that belong to the model, in a folder.
//! What was fetched of a download that was broken off is kept in that folder, and not fetched again.

use std::env;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use hf_hub::api::Progress as HubProgress;
use hf_hub::api::sync::{ApiBuilder, ApiError};

use super::files::{belongs, is_weights, target, without_doubles};
use super::model::{sha256_of, write_error};
use super::{Progress, SourceError};

/// How long the hub may take to answer at all. hf-hub itself waits for minutes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The hub, or the mirror of it that the user has set for all programs.
pub(super) fn endpoint() -> String {
    env::var("HF_ENDPOINT").unwrap_or("https://huggingface.co".into())
}

/// Fetches into `files`, by way of `scratch`. Returns the revision that it took.
pub(super) fn fetch(
    endpoint: &str,
    repository: &str,
    scratch: &Path,
    files: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, SourceError> {
    reach(endpoint)?;
    let boxed = |error: ApiError| SourceError::Hub(Box::new(error));
    let api = ApiBuilder::from_env()
        .with_endpoint(endpoint.to_owned())
        .with_cache_dir(scratch.to_owned())
        .with_retries(2)
        .with_progress(false)
        .build()
        .map_err(boxed)?;
    let repository = api.model(repository.to_owned());
    let info = repository.info().map_err(boxed)?;
    let names = info.siblings.into_iter().map(|sibling| sibling.rfilename);
    for name in without_doubles(names.filter(|name| belongs(name)).collect()) {
        let Some(to) = target(files, &name) else { continue };
        let counter = Counter { done: 0, total: 0, progress };
        let link = repository.download_with_progress(&name, counter).map_err(boxed)?;
        let fetched = link.canonicalize().map_err(write_error(&link))?;
        // It would lead nowhere once the file is moved, and be in the way of another attempt.
        std::fs::remove_file(&link).map_err(write_error(&link))?;
        check_word(&name, &fetched)?;
        let folder = to.parent().unwrap_or(files);
        std::fs::create_dir_all(folder).map_err(write_error(folder))?;
        std::fs::rename(&fetched, &to).map_err(write_error(&to))?;
    }
    Ok(info.sha)
}

/// The hub names large files by their SHA-256; a download that differs is thrown away.
fn check_word(name: &str, fetched: &Path) -> Result<(), SourceError> {
    let word = fetched.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !is_weights(name) || word.len() != 64 {
        return Ok(());
    }
    let found = sha256_of(fetched)?;
    if found == word {
        return Ok(());
    }
    std::fs::remove_file(fetched).map_err(write_error(fetched))?;
    Err(SourceError::Foreign { file: name.to_owned(), found, expected: word })
}

/// Opens a connection to the endpoint, to know soon whether it can be reached. Behind a proxy only the
/// proxy can tell, so that it is left to the download.
fn reach(endpoint: &str) -> Result<(), SourceError> {
    let proxies =
        ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
    if proxies.iter().any(|name| env::var_os(name).is_some_and(|proxy| !proxy.is_empty())) {
        return Ok(());
    }
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let host = rest.split('/').next().unwrap_or(rest).to_owned();
    let port = if scheme == "http" { 80 } else { 443 };
    let address = if host.contains(':') { host.clone() } else { format!("{host}:{port}") };
    let unreachable = |reason: String| SourceError::Unreachable { host: host.clone(), reason };

    // Looking up a name can hang and cannot be bounded, so it runs apart and may be left behind.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let found = address.to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>);
        // Nobody listens any more when it took too long.
        let _ = tell.send(found);
    });
    let addresses = told
        .recv_timeout(PATIENCE)
        .map_err(|_| unreachable("its name could not be looked up in time".into()))?
        .map_err(|error| unreachable(error.to_string()))?;
    let mut failure = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) => failure = error.to_string(),
        }
    }
    Err(unreachable(failure))
}

struct Counter<'a> {
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl HubProgress for Counter<'_> {
    fn init(&mut self, size: usize, _file: &str) {
        (self.done, self.total) = (0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.progress)(Progress::Bytes { done: self.done, total: self.total });
    }

    fn finish(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    use sha2::{Digest, Sha256};

    use super::*;

    /// Serves a repository as the hub does: its list of files, and each file by ranges, with its hash
    /// as entity tag.
    fn serve(files: HashMap<&'static str, Vec<u8>>, lie: bool) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let Some(Ok(request)) = lines.next() else { continue };
                let headers: Vec<String> =
                    lines.map_while(|l| l.ok()).take_while(|l| !l.is_empty()).collect();
                let path = request.split(' ').nth(1).unwrap();
                let found = match path.split_once("/resolve/main/") {
                    Some((_, file)) => files.get(file).cloned(),
                    None => {
                        let siblings: Vec<_> =
                            files.keys().map(|f| serde_json::json!({"rfilename": f})).collect();
                        let info = serde_json::json!({"sha": "abc123", "siblings": siblings});
                        Some(info.to_string().into_bytes())
                    }
                };
                let Some(body) = found else {
                    write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
                    continue;
                };
                let range = headers.iter().find(|h| h.to_lowercase().starts_with("range:"));
                let range = range.and_then(|range| range.rsplit_once('=')).map_or("0-", |r| r.1);
                let (from, to) = range.split_once('-').unwrap();
                let from: usize = from.parse().unwrap();
                let to = to.parse().map_or(body.len(), |to: usize| to + 1);
                let mut etag = crate::hex::encode(Sha256::digest(&body));
                if lie {
                    etag = etag.replace(|c: char| c.is_ascii_digit(), "0");
                }
                write!(
                    stream,
                    "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes \
                     {from}-{}/{}\r\nETag: \"{etag}\"\r\nX-Repo-Commit: abc123\r\nConnection: \
                     close\r\n\r\n",
                    to - from,
                    to - 1,
                    body.len()
                )
                .unwrap();
                stream.write_all(&body[from..to]).unwrap();
            }
        });
        endpoint
    }

    fn repository() -> HashMap<&'static str, Vec<u8>> {
        HashMap::from([
            ("config.json", b"{}".to_vec()),
            ("1_Pooling/config.json", b"{\"a\":1}".to_vec()),
            ("model.safetensors", (0..100_000).map(|n| (n % 251) as u8).collect()),
            ("pytorch_model.bin", b"the same weights, pickled".to_vec()),
            ("onnx/model.onnx", b"the same weights again".to_vec()),
            ("README.md", b"words".to_vec()),
        ])
    }

    #[test]
    fn fetches_the_model_s_files_and_no_others() {
        let endpoint = serve(repository(), false);
        let dir = tempfile::tempdir().unwrap();
        let files = dir.path().join("files");
        std::fs::create_dir(&files).unwrap();
        let mut furthest = 0;
        let mut progress = |progress: Progress| {
            if let Progress::Bytes { done, total } = progress {
                assert!(done <= total);
                furthest = furthest.max(done);
            }
        };
        let scratch = dir.path().join("hub");
        let revision = fetch(&endpoint, "some/model", &scratch, &files, &mut progress).unwrap();
        assert_eq!((revision.as_str(), furthest), ("abc123", 100_000));
        let expected = ["1_Pooling/config.json", "config.json", "model.safetensors"];
        assert_eq!(super::super::files::list(&files).unwrap(), expected);
        for file in expected {
            assert_eq!(std::fs::read(files.join(file)).unwrap(), repository()[file], "{file}");
        }
        assert!(!files.join("README.md").exists() && !files.join("onnx").exists());
        // Once more over what the first attempt left.
        fetch(&endpoint, "some/model", &scratch, &files, &mut |_| ()).unwrap();
    }

    #[test]
    fn refuses_weights_that_are_not_what_the_hub_says() {
        let endpoint = serve(repository(), true);
        let dir = tempfile::tempdir().unwrap();
        let (scratch, files) = (dir.path().join("hub"), dir.path().join("files"));
        let error = fetch(&endpoint, "some/model", &scratch, &files, &mut |_| ()).unwrap_err();
        assert!(matches!(error, SourceError::Foreign { .. }), "{error}");
    }

    #[test]
    fn a_hub_that_is_not_there_is_known_soon() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let closed = listener.local_addr().unwrap();
        drop(listener);
        let dir = tempfile::tempdir().unwrap();
        let begun = Instant::now();
        for endpoint in [format!("http://{closed}"), "https://no-such-host.invalid".into()] {
            let error = fetch(&endpoint, "a/b", dir.path(), dir.path(), &mut |_| ()).unwrap_err();
            assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
        }
        assert!(begun.elapsed() < 3 * PATIENCE);
    }
}
