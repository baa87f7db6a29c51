//! Where a run's time goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::report::Busy;

/// Adds up how long threads were busy with each stage.
#[derive(Default)]
pub(super) struct Clock {
    pub(super) read: AtomicU64,
    pub(super) decode: AtomicU64,
    pub(super) prepare: AtomicU64,
    pub(super) image_network: AtomicU64,
    pub(super) text_network: AtomicU64,
}

impl Clock {
    pub(super) fn busy(&self) -> Busy {
        let seconds =
            |nanos: &AtomicU64| Duration::from_nanos(nanos.load(Ordering::Relaxed)).as_secs_f64();
        Busy {
            read: seconds(&self.read),
            decode: seconds(&self.decode),
            prepare: seconds(&self.prepare),
            image_network: seconds(&self.image_network),
            text_network: seconds(&self.text_network),
        }
    }
}

/// Does the work and adds what it took.
pub(super) fn timed<T>(total: &AtomicU64, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    total.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
    result
}
