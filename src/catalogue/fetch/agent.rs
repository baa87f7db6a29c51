//! One picture over HTTP.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::http::{HeaderMap, Response, StatusCode, Uri, header};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::cache::{Cache, Record, Unkept};
use super::guard::{Guard, is_public};
use super::{FetchOptions, Fetched};
use crate::catalogue::Error;

/// After so many failures in a row a host is left alone for the rest of the run.
const PATIENCE: u32 = 5;
/// A host that does not even take a connection in this time will not.
const CONNECT: Duration = Duration::from_secs(10);

/// Asks servers for pictures and keeps them.
pub(super) struct Client {
    agent: Agent,
    cache: Cache,
    options: FetchOptions,
    /// How often in a row each host has failed.
    failures: Mutex<HashMap<String, u32>>,
}

impl Client {
    pub fn new(options: FetchOptions) -> Result<Self, Error> {
        let allowed = if options.allow_private { |_| true } else { is_public };
        Self::guarded(options, allowed)
    }

    /// Asks only hosts whose addresses are allowed.
    fn guarded(options: FetchOptions, allowed: fn(IpAddr) -> bool) -> Result<Self, Error> {
        let cache = Cache::at(options.cache.clone())
            .map_err(|source| Error::Fetch { path: options.cache.clone(), source })?;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(options.timeout))
            .timeout_connect(Some(CONNECT.min(options.timeout)))
            .max_redirects(options.redirects)
            .max_redirects_will_error(true)
            // Through a proxy nobody here could tell where a connection ends.
            .proxy(None)
            .user_agent(concat!("lookalike/", env!("CARGO_PKG_VERSION")))
            .accept("image/*")
            .build();
        let guard = Guard { resolver: DefaultResolver::default(), allowed };
        let agent = Agent::with_parts(config, DefaultConnector::default(), guard);
        Ok(Client { agent, cache, options, failures: Mutex::default() })
    }

    /// The picture at an address: as it is kept where that is still right, or as it comes now.
    pub fn picture(&self, address: &str) -> Result<Fetched, String> {
        let address = match address.strip_prefix("//") {
            Some(rest) => format!("https://{rest}"),
            None => address.to_owned(),
        };
        let known = self.cache.known(&address);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if let Some(record) = &known
            && record.fresh_until > now
        {
            return Ok(Fetched { path: self.cache.path(record), stale: None });
        }
        let failed = |reason: String| format!("picture {address:?} cannot be fetched: {reason}");
        match (self.ask(&address, known.as_ref(), now), known) {
            (Ok(record), _) => Ok(Fetched { path: self.cache.path(&record), stale: None }),
            (Err(reason), Some(record)) => {
                let stale = format!("{}; the copy of an earlier run is used", failed(reason));
                Ok(Fetched { path: self.cache.path(&record), stale: Some(stale) })
            }
            (Err(reason), None) => Err(failed(reason)),
        }
    }

    fn ask(&self, address: &str, known: Option<&Record>, now: u64) -> Result<Record, String> {
        let uri: Uri =
            encoded(address).parse().map_err(|_| "it is no web address: correct it".to_owned())?;
        let host = uri.host().unwrap_or_default().to_owned();
        if self.failures().get(&host).is_some_and(|&count| count >= PATIENCE) {
            return Err(format!(
                "{host} failed {PATIENCE} times in a row and is left alone in this run"
            ));
        }
        let mut request = self.agent.get(uri);
        if let Some(etag) = known.and_then(|known| known.etag.as_ref()) {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        if let Some(date) = known.and_then(|known| known.last_modified.as_ref()) {
            request = request.header(header::IF_MODIFIED_SINCE, date);
        }
        let answered = request.call();
        self.count(&host, answered.is_ok());
        let response = answered.map_err(|error| error.to_string())?;
        self.take(address, known, response, now)
    }

    /// Keeps what a server answers.
    fn take(
        &self,
        address: &str,
        known: Option<&Record>,
        mut response: Response<Body>,
        now: u64,
    ) -> Result<Record, String> {
        let (status, headers) = (response.status(), response.headers().clone());
        let content = match (status, known) {
            (StatusCode::NOT_MODIFIED, Some(known)) => known.content.clone(),
            (StatusCode::OK, _) => {
                let mut body = response.body_mut().as_reader();
                self.cache.keep(&mut body, self.options.max_bytes).map_err(|why| self.told(why))?
            }
            (status, _) => {
                return Err(format!(
                    "the server answers {status}: correct the address, or try later"
                ));
            }
        };
        let told =
            |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let before =
            |pick: fn(&Record) -> &Option<String>| known.and_then(|known| pick(known).clone());
        let unchanged = status == StatusCode::NOT_MODIFIED;
        let record = Record {
            address: address.to_owned(),
            content,
            etag: told(header::ETAG).or_else(|| before(|k| &k.etag).filter(|_| unchanged)),
            last_modified: told(header::LAST_MODIFIED)
                .or_else(|| before(|k| &k.last_modified).filter(|_| unchanged)),
            fresh_until: now.saturating_add(vouched(&headers)),
        };
        // Without its record a picture is only asked for again.
        let _ = self.cache.remember(&record);
        Ok(record)
    }

    fn told(&self, why: Unkept) -> String {
        match why {
            Unkept::TooLong => format!(
                "it has more than {} bytes: raise the limit with --fetch-bytes if the site is trusted",
                self.options.max_bytes
            ),
            Unkept::NoPicture(reason) => reason,
            Unkept::Broken(error) => format!("the connection broke ({error}): try again"),
            Unkept::Disk(error) => {
                format!("it cannot be kept in {}: {error}", self.options.cache.display())
            }
        }
    }

    fn count(&self, host: &str, answered: bool) {
        let mut failures = self.failures();
        match answered {
            true => drop(failures.remove(host)),
            false => *failures.entry(host.to_owned()).or_default() += 1,
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, HashMap<String, u32>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an address must not hold as it is, written as it may: spaces, and what is not ASCII.
fn encoded(address: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
    if address.bytes().all(plain) {
        return Cow::Borrowed(address);
    }
    let write = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    Cow::Owned(address.bytes().map(write).collect())
}

/// For how many seconds the server vouches that the picture stays as it is.
fn vouched(headers: &HeaderMap) -> u64 {
    let said = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let directives = said.unwrap_or_default().split(',').map(|d| d.trim().to_ascii_lowercase());
    let mut seconds = 0;
    for directive in directives {
        match directive.split_once('=') {
            Some(("max-age", age)) => seconds = age.parse().unwrap_or(0),
            None if matches!(directive.as_str(), "no-cache" | "no-store") => return 0,
            _ => (),
        }
    }
    seconds
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// A public site may send us on to a private one: the second connection is looked at like the first.
    #[test]
    fn a_redirect_does_not_lead_past_the_guard() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            let moved = format!(
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:{port}/x.png\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n"
            );
            stream.write_all(moved.as_bytes()).unwrap();
        });
        let folder = tempfile::tempdir().unwrap();
        let allowed = |address| address == IpAddr::V4(Ipv4Addr::LOCALHOST);
        let client = Client::guarded(FetchOptions::into(folder.path()), allowed).unwrap();
        let refused = client.picture(&format!("http://127.0.0.1:{port}/x.png")).unwrap_err();
        assert!(
            refused.contains("127.0.0.2 is at 127.0.0.2, which is no public address"),
            "{refused}"
        );
        server.join().unwrap();
    }

    #[test]
    fn servers_vouch_in_many_words() {
        for (said, seconds) in [
            ("max-age=60", 60),
            ("public, Max-Age=3600, immutable", 3600),
            ("max-age=60, no-cache", 0),
            ("no-store", 0),
            ("max-age=soon", 0),
            ("", 0),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, said.parse().unwrap());
            assert_eq!(vouched(&headers), seconds, "{said}");
        }
    }

    #[test]
    fn addresses_are_encoded_once() {
        assert_eq!(
            encoded("https://a.example/my shoe%20é.jpg"),
            "https://a.example/my%20shoe%20%C3%A9.jpg"
        );
    }
}
