//! The links of a growing graph, with room for some more than will stay.

/// A list for each row, all in one allocation.
#[derive(Debug)]
pub(crate) struct Links {
    lists: Vec<u32>,
    lengths: Vec<u8>,
    room: usize,
}

impl Links {
    /// Empty lists with room for so many links each, below 256.
    pub(super) fn new(rows: usize, room: usize) -> Self {
        Links { lists: vec![0; rows * room], lengths: vec![0; rows], room }
    }

    pub(super) fn rows(&self) -> usize {
        self.lengths.len()
    }

    pub(super) fn room(&self) -> usize {
        self.room
    }

    #[inline]
    pub(crate) fn of(&self, row: u32) -> &[u32] {
        let row = row as usize;
        &self.lists[row * self.room..][..usize::from(self.lengths[row])]
    }

    /// Replaces the list of a row by one for which there is room.
    pub(super) fn set(&mut self, row: u32, list: &[u32]) {
        let row = row as usize;
        self.lists[row * self.room..][..list.len()].copy_from_slice(list);
        self.lengths[row] = list.len() as u8;
    }
}
