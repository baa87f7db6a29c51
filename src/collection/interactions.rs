//! What a collection knows of its users: who took which item.
//!
//! Flowing in: rows that name an item by the shop's key. Flowing out: [`Interaction`]s that name it by
//! the collection's number, and a ledger of what could not be used. They belong to no generation: what
//! was bought stays bought, whatever becomes of the catalogue.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::manifest::Manifest;
use super::store::Store;
use super::{Collection, Error};
use crate::catalogue::Rejection;

/// What an interaction is for, where a column says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To learn from.
    Train,
    /// To decide by, when to stop and which settings are best.
    Validation,
    /// To be judged by.
    Test,
}

/// Somebody took an item: bought it, clicked it, rated it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The shop's own identifier of the user.
    pub user: String,
    /// The collection's number of the item.
    pub item: u32,
    /// The file's row, counted from 1.
    pub row: u64,
    /// When, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// How well it was liked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<f32>,
    /// How much it counts; 1 unless a column says otherwise.
    pub weight: f32,
    /// What a column says that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// What the user wrote about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

impl Interaction {
    /// That somebody took an item, and no more.
    pub fn new(user: &str, item: u32) -> Self {
        Interaction {
            user: user.to_owned(),
            item,
            row: 0,
            time: None,
            rating: None,
            weight: 1.0,
            purpose: None,
            review: None,
        }
    }
}

/// A row of a file of interactions: the item's key as the shop writes it, and the rest.
pub type InteractionRow = (String, Interaction);

/// What became of a file of interactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InteractionReport {
    /// Rows that were read.
    pub rows: u64,
    /// Pairs of a user and an item that are in the collection now because of them.
    pub kept: u64,
    /// Users among those.
    pub users: u64,
    /// Rows whose item the collection does not have.
    pub unknown_items: u64,
    /// Rows that repeat a user and an item: their weights are added to the first one's.
    pub repeated: u64,
    /// Rows that cannot be read.
    pub unreadable: u64,
}

impl InteractionReport {
    /// Rows that could not be used.
    pub fn left_out(&self) -> u64 {
        self.unknown_items + self.unreadable
    }
}

/// The ledger keeps so many entries; the report counts all of them.
const LEDGER: u32 = 10_000;

/// What is written in one batch.
const BATCH: usize = 20_000;

impl Collection {
    /// Every interaction, by user and then by item. Items that are gone may still be named.
    pub fn interactions(&self) -> Result<impl Iterator<Item = Result<Interaction, Error>>, Error> {
        self.store.interactions()
    }

    /// What of the last file of interactions could not be used, and why.
    pub fn interactions_ledger(
        &self,
    ) -> Result<impl Iterator<Item = Result<Rejection, Error>>, Error> {
        self.store.left_out()
    }

    /// Takes interactions into the collection at `path`. They join those that are there, unless `anew`
    /// throws those away; a pair of user and item that is there already becomes what the file says.
    pub fn add_interactions<E>(
        path: impl AsRef<Path>,
        rows: impl IntoIterator<Item = Result<Result<InteractionRow, Rejection>, E>>,
        anew: bool,
    ) -> Result<InteractionReport, E>
    where
        E: From<Error>,
    {
        let layout = Layout::open(path.as_ref())?;
        let _lock = layout.lock()?;
        let store = Store::open_for_writing(&layout.store())?;
        let manifest: Manifest = store
            .current()?
            .ok_or_else(|| Error::Unpublished { path: layout.root().to_owned() })?;
        let mut intake = Intake::new(&store, manifest.generation);
        for row in rows {
            match row? {
                Ok((key, interaction)) => intake.take(key, interaction)?,
                Err(rejection) => intake.refuse(rejection),
            }
        }
        Ok(intake.publish(anew)?)
    }
}

/// What a file has given so far.
struct Intake<'a> {
    store: &'a Store,
    generation: u32,
    report: InteractionReport,
    /// By the shop's key; `None` where the collection has no such item.
    ids: BTreeMap<String, Option<u32>>,
    taken: BTreeMap<(String, u32), Interaction>,
    ledger: Vec<Rejection>,
}

impl<'a> Intake<'a> {
    fn new(store: &'a Store, generation: u32) -> Self {
        Intake {
            store,
            generation,
            report: InteractionReport::default(),
            ids: BTreeMap::new(),
            taken: BTreeMap::new(),
            ledger: Vec::new(),
        }
    }

    fn take(&mut self, key: String, interaction: Interaction) -> Result<(), Error> {
        self.report.rows += 1;
        let Some(item) = self.id_of(&key)? else {
            self.report.unknown_items += 1;
            let reason = format!(
                "the collection has no item \"{key}\": index it first, or leave the row out"
            );
            self.note(Rejection { row: interaction.row, key: Some(key), reason, kept: false });
            return Ok(());
        };
        let pair = (interaction.user.clone(), item);
        if let Some(first) = self.taken.get_mut(&pair) {
            self.report.repeated += 1;
            let reason = format!(
                "user \"{}\" took it on row {} already: its weight is added to that row's",
                first.user, first.row
            );
            first.weight += interaction.weight;
            let row = interaction.row;
            self.note(Rejection { row, key: Some(key), reason, kept: true });
            return Ok(());
        }
        self.taken.insert(pair, Interaction { item, ..interaction });
        Ok(())
    }

    fn refuse(&mut self, rejection: Rejection) {
        self.report.rows += 1;
        self.report.unreadable += 1;
        self.note(rejection);
    }

    fn note(&mut self, rejection: Rejection) {
        if self.ledger.len() < LEDGER as usize {
            self.ledger.push(rejection);
        }
    }

    /// The number of an item that is in the collection now.
    fn id_of(&mut self, key: &str) -> Result<Option<u32>, Error> {
        if let Some(known) = self.ids.get(key) {
            return Ok(*known);
        }
        let id = match self.store.id_of(key)? {
            Some(id) => self.store.item::<serde::de::IgnoredAny>(id, self.generation)?.map(|_| id),
            None => None,
        };
        self.ids.insert(key.to_owned(), id);
        Ok(id)
    }

    fn publish(mut self, anew: bool) -> Result<InteractionReport, Error> {
        self.report.kept = self.taken.len() as u64;
        let mut last = None;
        for (user, _) in self.taken.keys() {
            self.report.users += u64::from(last != Some(user));
            last = Some(user);
        }
        self.store.forget_interactions(anew)?;
        for (position, entry) in (0..).zip(&self.ledger) {
            self.store.put_left_out(position, entry)?;
        }
        let mut rows =
            self.taken.into_iter().map(|((user, item), row)| (user, item, row)).peekable();
        while rows.peek().is_some() {
            self.store.put_interactions(rows.by_ref().take(BATCH))?;
        }
        self.store.settle()?;
        Ok(self.report)
    }
}
