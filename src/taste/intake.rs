//! A shop's file of purchases, clicks or ratings, row by row.
//!
//! Flowing in: CSV, TSV or JSON lines, read as a catalogue is. Flowing out: an interaction a row, with
//! the item's key as the shop writes it, or a [`Rejection`].

use std::fmt;
use std::path::Path;

use serde_json::{Map, Value};

use super::{Error, moment};
use crate::catalogue::{
    self, CatalogueOptions, Chosen, Records, Rejection, Role, Why, choose, first_text,
};
use crate::collection::{Interaction, InteractionRow, Purpose};

const USERS: &[&str] = &[
    "user",
    "userid",
    "customer",
    "customerid",
    "shopper",
    "shopperid",
    "reviewerid",
    "account",
    "accountid",
    "visitor",
    "visitorid",
    "client",
    "clientid",
    "buyer",
    "buyerid",
    "uid",
    "email",
];
const ITEMS: &[&str] = &[
    "item",
    "itemid",
    "sku",
    "product",
    "productid",
    "article",
    "articleid",
    "asin",
    "variantsku",
    "key",
    "itemkey",
    "productkey",
    "iid",
    "id",
];
const TIMES: &[&str] = &[
    "time",
    "timestamp",
    "date",
    "datetime",
    "createdat",
    "orderdate",
    "purchasedat",
    "purchasedate",
    "tdat",
    "unixreviewtime",
    "boughtat",
    "day",
];
const RATINGS: &[&str] = &["rating", "stars", "score", "overall", "ratingvalue"];
const WEIGHTS: &[&str] = &["weight", "quantity", "qty", "count", "amount", "plays"];
const SPLITS: &[&str] = &["split", "subset", "fold", "part", "partition"];
const REVIEWS: &[&str] = &["review", "reviewtext", "comment", "text", "reviewbody"];

/// Which column means what. What is not said is guessed from the columns' names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InteractionOptions {
    /// The column of users.
    pub user: Option<String>,
    /// The column of items' keys.
    pub item: Option<String>,
    /// The column of times: dates, or seconds since 1970.
    pub time: Option<String>,
    /// The column of ratings.
    pub rating: Option<String>,
    /// The column of weights.
    pub weight: Option<String>,
    /// The column that says `train`, `validation` or `test`.
    pub split: Option<String>,
    /// The column of reviews.
    pub review: Option<String>,
    /// How the file is written, where that should not be guessed.
    pub reading: CatalogueOptions,
}

/// The roles of the columns. `Display` prints them on one line, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InteractionColumns {
    user: Chosen,
    item: Chosen,
    /// In the order time, rating, weight, split, review.
    others: [(Role, Option<Chosen>); 5],
}

impl InteractionColumns {
    fn choose(all: &[String], options: &InteractionOptions) -> Result<Self, Error> {
        let choose = |role, wish: &Option<String>, usual, taken: &[&Option<Chosen>]| {
            choose(all, role, wish, usual, taken).map_err(|error| match error {
                catalogue::Error::NoColumn { role, column, columns } => {
                    Error::NoColumn { role, column: Some(column), columns }
                }
                error => Error::Catalogue(error),
            })
        };
        let needed = |role, chosen: Option<Chosen>| {
            chosen.ok_or_else(|| Error::NoColumn { role, column: None, columns: all.to_vec() })
        };
        let user = choose(Role::User, &options.user, USERS, &[])?;
        let item = choose(Role::Item, &options.item, ITEMS, &[&user])?;
        let others = [
            (Role::Time, &options.time, TIMES),
            (Role::Rating, &options.rating, RATINGS),
            (Role::Weight, &options.weight, WEIGHTS),
            (Role::Split, &options.split, SPLITS),
            (Role::Review, &options.review, REVIEWS),
        ];
        let others = others.map(|(role, wish, usual)| {
            choose(role, wish, usual, &[&user, &item]).map(|chosen| (role, chosen))
        });
        let [time, rating, weight, split, review] = others;
        Ok(InteractionColumns {
            user: needed(Role::User, user)?,
            item: needed(Role::Item, item)?,
            others: [time?, rating?, weight?, split?, review?],
        })
    }

    /// The column in one of the roles that may be missing.
    pub fn other(&self, role: Role) -> Option<&Chosen> {
        self.others.iter().find(|(r, _)| *r == role)?.1.as_ref()
    }
}

impl fmt::Display for InteractionColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut print = |prefix, role: Role, chosen: &Chosen| {
            let why = if chosen.why == Why::Given { "given" } else { "guessed" };
            write!(f, "{prefix}{role}: {} ({why})", chosen.column)
        };
        print("", Role::User, &self.user)?;
        print("; ", Role::Item, &self.item)?;
        let mut others = self.others.iter().filter_map(|(role, c)| Some((*role, c.as_ref()?)));
        others.try_for_each(|(role, chosen)| print("; ", role, chosen))
    }
}

/// A file of interactions that is being read.
pub struct InteractionFile {
    records: Records,
    columns: InteractionColumns,
}

impl InteractionFile {
    /// Opens a file and settles which column means what.
    pub fn open(path: impl AsRef<Path>, options: &InteractionOptions) -> Result<Self, Error> {
        let records = Records::open(path.as_ref(), &options.reading)?;
        let columns = InteractionColumns::choose(&records.columns, options)?;
        Ok(InteractionFile { records, columns })
    }

    /// Which column means what, and why.
    pub fn columns(&self) -> &InteractionColumns {
        &self.columns
    }

    fn row(&self, row: u64, fields: &Map<String, Value>) -> Result<InteractionRow, Rejection> {
        let text = |chosen: &Chosen| fields.get(&chosen.column).and_then(first_text);
        let other = |role| {
            let chosen = self.columns.other(role)?;
            text(chosen).map(|text| (text, chosen.column.as_str()))
        };
        let item = text(&self.columns.item);
        let refuse = |reason| Rejection { row, key: item.clone(), reason, kept: false };
        let missing = |column: &str| {
            refuse(format!("no value in {column:?}: every row needs a user and an item"))
        };
        let number = |role| match other(role) {
            None => Ok(None),
            Some((text, column)) => match text.parse::<f32>() {
                Ok(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(refuse(format!("\"{text}\" in {column:?} is no number"))),
            },
        };
        let user = text(&self.columns.user).ok_or_else(|| missing(&self.columns.user.column))?;
        let key = item.clone().ok_or_else(|| missing(&self.columns.item.column))?;
        let time = match other(Role::Time) {
            None => None,
            Some((text, column)) => Some(moment::seconds(&text).ok_or_else(|| {
                refuse(format!(
                    "\"{text}\" in {column:?} is no time: write 2024-05-31, 2024-05-31T18:30:00 or seconds \
                     since 1970"
                ))
            })?),
        };
        let purpose = match other(Role::Split) {
            None => None,
            Some((text, column)) => Some(purpose(&text).ok_or_else(|| {
                refuse(format!("\"{text}\" in {column:?} is none of train, validation, test"))
            })?),
        };
        let (rating, weight) = (number(Role::Rating)?, number(Role::Weight)?.unwrap_or(1.0));
        if weight <= 0.0 {
            return Err(refuse(format!(
                "a weight of {weight}: what counts nothing teaches nothing"
            )));
        }
        let review = other(Role::Review).map(|(text, _)| text);
        Ok((key, Interaction { user, item: 0, row, time, rating, weight, purpose, review }))
    }
}

fn purpose(text: &str) -> Option<Purpose> {
    match text.to_lowercase().as_str() {
        "train" | "training" => Some(Purpose::Train),
        "validation" | "valid" | "val" | "dev" => Some(Purpose::Validation),
        "test" | "testing" => Some(Purpose::Test),
        _ => None,
    }
}

impl Iterator for InteractionFile {
    type Item = Result<Result<InteractionRow, Rejection>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.records.next()?.map_err(Error::from).map(|(row, fields)| match fields {
            Ok(fields) => self.row(row, &fields),
            Err(reason) => Err(Rejection { row, key: None, reason, kept: false }),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &str) -> Result<String, String> {
        let all: Vec<String> = header.split(',').map(str::to_owned).collect();
        let chosen = InteractionColumns::choose(&all, &InteractionOptions::default());
        chosen.map(|columns| columns.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn usual_headers_are_understood() {
        for (header, told) in [
            (
                "user,item,timestamp,quantity",
                "user: user (guessed); item: item (guessed); time: timestamp (guessed); weight: quantity \
                 (guessed)",
            ),
            (
                "t_dat,customer_id,article_id,price",
                "user: customer_id (guessed); item: article_id (guessed); time: t_dat (guessed)",
            ),
            (
                "reviewerID,asin,overall,unixReviewTime,reviewText",
                "user: reviewerID (guessed); item: asin (guessed); time: unixReviewTime (guessed); rating: \
                 overall (guessed); review: reviewText (guessed)",
            ),
        ] {
            assert_eq!(columns(header).unwrap(), told);
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        assert_eq!(
            columns("who,sku").unwrap_err(),
            "no column looks like the interactions' user: name it with --user-column COLUMN; the file has: \
             who, sku"
        );
    }

    fn read(text: &str) -> Vec<Result<InteractionRow, Rejection>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken.csv");
        std::fs::write(&path, text).unwrap();
        let file = InteractionFile::open(&path, &InteractionOptions::default()).unwrap();
        file.map(Result::unwrap).collect()
    }

    #[test]
    fn rows_are_read_and_what_is_wrong_with_them_is_said() {
        let rows = read(
            "user,item,date,stars,qty,split\n\
             a,X,2018-09-20,4.5,2,train\n\
             a,,2018-09-20,4,1,\n\
             a,Y,yesterday,4,1,\n\
             a,Y,,good,1,\n\
             a,Y,,,0,\n\
             a,Y,,,1,exam\n\
             b,Y,,,,val\n",
        );
        let expected = Interaction {
            row: 1,
            time: Some(1_537_401_600),
            rating: Some(4.5),
            weight: 2.0,
            purpose: Some(Purpose::Train),
            ..Interaction::new("a", 0)
        };
        assert_eq!(rows[0], Ok(("X".to_owned(), expected)));
        let reasons: Vec<String> =
            rows[1..6].iter().map(|row| row.clone().unwrap_err().to_string()).collect();
        assert!(reasons[0].starts_with("row 2: no value in \"item\""), "{}", reasons[0]);
        assert!(reasons[1].starts_with("row 3 (Y): \"yesterday\" in \"date\" is no time"));
        assert_eq!(reasons[2], "row 4 (Y): \"good\" in \"stars\" is no number");
        assert!(reasons[3].starts_with("row 5 (Y): a weight of 0"));
        assert!(reasons[4].ends_with("is none of train, validation, test"));
        let plain =
            Interaction { row: 7, purpose: Some(Purpose::Validation), ..Interaction::new("b", 0) };
        assert_eq!(rows[6], Ok(("Y".to_owned(), plain)));
    }
}
