//! Who took what: interactions by `(user, item)`, and what of their files could not be used.

use rocksdb::{ReadOptions, WriteBatch};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{INTERACTIONS, Store};
use crate::collection::Error;

/// Before the key of an interaction.
const TAKEN: u8 = b't';
/// Before the key of a ledger's entry.
const LEFT_OUT: u8 = b'x';

/// A user's key may hold any character but this, which ends it.
const END: char = '\0';

impl Store {
    /// Writes interactions, in one batch; one of the same user and item is replaced.
    pub(in crate::collection) fn put_interactions<T: Serialize>(
        &self,
        rows: impl IntoIterator<Item = (String, u32, T)>,
    ) -> Result<(), Error> {
        let family = self.family(INTERACTIONS)?;
        let mut batch = WriteBatch::default();
        for (user, item, row) in rows {
            let mut key = vec![TAKEN];
            key.extend(user.replace(END, " ").bytes());
            key.push(END as u8);
            key.extend(item.to_be_bytes());
            batch.put_cf(family, key, self.encode(&row)?);
        }
        self.db.write(batch).map_err(|e| self.failed(e))
    }

    /// Writes an entry of the ledger of interactions.
    pub(in crate::collection) fn put_left_out<T: Serialize>(
        &self,
        position: u32,
        entry: &T,
    ) -> Result<(), Error> {
        let [a, b, c, d] = position.to_be_bytes();
        self.put(INTERACTIONS, &[LEFT_OUT, a, b, c, d], &self.encode(entry)?)
    }

    /// Every interaction, by user and then by item.
    pub(in crate::collection) fn interactions<T: DeserializeOwned>(
        &self,
    ) -> Result<impl Iterator<Item = Result<T, Error>>, Error> {
        self.rows_under(TAKEN)
    }

    /// What could not be used, in the order in which it was found.
    pub(in crate::collection) fn left_out<T: DeserializeOwned>(
        &self,
    ) -> Result<impl Iterator<Item = Result<T, Error>>, Error> {
        self.rows_under(LEFT_OUT)
    }

    fn rows_under<T: DeserializeOwned>(
        &self,
        prefix: u8,
    ) -> Result<impl Iterator<Item = Result<T, Error>> + use<'_, T>, Error> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound([prefix]);
        options.set_iterate_upper_bound([prefix + 1]);
        let rows = self.rows(INTERACTIONS, options)?;
        Ok(rows.map(|row| self.decode(&row?.1)))
    }

    /// Forgets the ledger of interactions, and the interactions too where `all` says so.
    pub(in crate::collection) fn forget_interactions(&self, all: bool) -> Result<(), Error> {
        let family = self.family(INTERACTIONS)?;
        for prefix in [LEFT_OUT, TAKEN].into_iter().take(1 + usize::from(all)) {
            let cleared = self.db.delete_range_cf(family, [prefix], [prefix + 1]);
            cleared.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }
}
