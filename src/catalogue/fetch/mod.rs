//! Pictures from the web, for those who ask for it.
//!
//! Flowing in: web addresses. Flowing out: files in a cache, or the reason for the ledger why there is
//! none. A few connections work side by side; whatever they fetch is bounded in size, time and redirects,
//! and comes from no private address unless that is allowed. Failures are not remembered: the next run
//! tries again.

mod agent;
mod cache;
mod guard;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::Error;
use agent::Client;

/// Addresses whose outcome is kept in mind: the variants of a product often share a picture, and stand
/// together.
const REMEMBERED: usize = 4096;
/// Rows ahead of the one that is waited for, for each connection.
const AHEAD: usize = 4;

/// How pictures are fetched.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FetchOptions {
    /// Where they are kept. A picture that has not changed on its server is not fetched again.
    pub cache: PathBuf,
    /// The most bytes of one picture.
    pub max_bytes: u64,
    /// The most time for one picture, from the look-up of its host to its last byte.
    pub timeout: Duration,
    /// How many redirects are followed.
    pub redirects: u32,
    /// How many pictures are fetched at the same time.
    pub connections: usize,
    /// Whether hosts within this machine or its network may be asked.
    pub allow_private: bool,
}

impl FetchOptions {
    /// Fetches into this folder: 32 MiB at the most, within 30 seconds, over 5 redirects, 8 at a time.
    pub fn into(cache: impl Into<PathBuf>) -> Self {
        FetchOptions {
            cache: cache.into(),
            max_bytes: 32 << 20,
            timeout: Duration::from_secs(30),
            redirects: 5,
            connections: 8,
            allow_private: false,
        }
    }
}

/// A picture that was fetched, now or earlier.
#[derive(Debug, Clone)]
pub(super) struct Fetched {
    pub path: PathBuf,
    /// Why it could not be asked for again, where it is an earlier run's.
    pub stale: Option<String>,
}

/// What a fetch will come to.
#[derive(Clone, Default)]
pub(super) struct Ticket(Arc<Slot>);

#[derive(Default)]
struct Slot {
    outcome: Mutex<Option<Result<Fetched, String>>>,
    done: Condvar,
}

impl Ticket {
    /// Waits until it is known.
    pub fn wait(&self) -> Result<Fetched, String> {
        let mut outcome = self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = self.0.done.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn settle(&self, outcome: Result<Fetched, String>) {
        // The first outcome counts.
        self.0.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
        self.0.done.notify_all();
    }
}

struct Job {
    address: String,
    ticket: Ticket,
}

/// However the work ends, nobody waits for ever.
impl Drop for Job {
    fn drop(&mut self) {
        let reason = format!("picture {:?} could not be fetched: try again", self.address);
        self.ticket.settle(Err(reason));
    }
}

/// Fetches pictures, several at a time.
pub(super) struct Fetcher {
    jobs: SyncSender<Job>,
    recent: HashMap<String, Ticket>,
    under_way: usize,
}

impl Fetcher {
    pub fn new(options: FetchOptions) -> Result<Self, Error> {
        let connections = options.connections.max(1);
        let under_way = connections * AHEAD;
        let client = Arc::new(Client::new(options)?);
        let (jobs, waiting) = sync_channel(under_way);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..connections {
            let (client, waiting) = (client.clone(), waiting.clone());
            thread::spawn(move || work(&client, &waiting));
        }
        Ok(Fetcher { jobs, recent: HashMap::new(), under_way })
    }

    /// How many rows to look at together, so that no connection is idle.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Has a picture fetched, unless that was done just now.
    pub fn fetch(&mut self, address: &str) -> Ticket {
        if let Some(ticket) = self.recent.get(address) {
            return ticket.clone();
        }
        if self.recent.len() == REMEMBERED {
            self.recent.clear();
        }
        let ticket = Ticket::default();
        self.recent.insert(address.to_owned(), ticket.clone());
        // Where nobody takes jobs any more, the job that is dropped settles its ticket.
        let _ = self.jobs.send(Job { address: address.to_owned(), ticket: ticket.clone() });
        ticket
    }
}

/// One connection's work, until there is no more.
fn work(client: &Client, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        job.ticket.settle(client.picture(&job.address));
    }
}
