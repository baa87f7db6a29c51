//! A limit on what one step of a parser may read, so that a row which never ends cannot fill the memory.

use std::io::{self, Read};

/// A reader that stops with an error after so many bytes, until whoever steps through the rows moves it on.
pub(super) struct Fence<R> {
    inner: R,
    left: u64,
    most: u64,
}

impl<R> Fence<R> {
    pub fn new(inner: R, most: u64) -> Self {
        Fence { inner, left: most, most }
    }

    /// Allows as many bytes again.
    pub fn move_on(&mut self) {
        self.left = self.most;
    }

    /// Whether it is why reading stopped.
    pub fn is_reached(&self) -> bool {
        self.left == 0
    }
}

impl<R: Read> Read for Fence<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("row too long"));
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}
