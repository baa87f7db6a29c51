//! Which column means what: given by the caller, or guessed from the names that shops use.
//!
//! Flowing in: the columns' names. Flowing out: [`Columns`]. Only names count, never values, so that the
//! same feed is read the same way tomorrow.

mod usual;

use std::fmt;

use serde_json::{Value, json};

use super::feeds::shopify::{self, Header};
use super::{CatalogueOptions, Error};
use usual::{GROUPS, KEYS, PICTURES, PRICES, SENTENCE, TITLES};

/// What a column can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The shop's own identifier.
    Key,
    /// The product's name.
    Title,
    /// The picture's path.
    Picture,
    /// What variants of one product share.
    Group,
    /// The price.
    Price,
    /// A part of the product's sentence.
    Text,
    /// Who took an item.
    User,
    /// The item that was taken.
    Item,
    /// When.
    Time,
    /// How well it was liked.
    Rating,
    /// How much it counts.
    Weight,
    /// Whether it is for training, validation or test.
    Split,
    /// What was written about it.
    Review,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Key => "key",
            Role::Title => "title",
            Role::Picture => "picture",
            Role::Group => "group",
            Role::Price => "price",
            Role::Text => "text",
            Role::User => "user",
            Role::Item => "item",
            Role::Time => "time",
            Role::Rating => "rating",
            Role::Weight => "weight",
            Role::Split => "split",
            Role::Review => "review",
        })
    }
}

/// Why a column has its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The caller named it.
    Given,
    /// Its name is a usual one for the role.
    Guessed,
}

/// A column in a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The column's own name.
    pub column: String,
    /// How it came to its role.
    pub why: Why,
}

/// The roles of a catalogue's columns. `Display` prints them on one line, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Every column, in the catalogue's order. JSON lines have the union of the first rows' names.
    pub all: Vec<String>,
    /// `None` only where rows are numbered.
    pub key: Option<Chosen>,
    /// The product's name.
    pub title: Option<Chosen>,
    /// The picture's path.
    pub picture: Option<Chosen>,
    /// What variants of one product share.
    pub group: Option<Chosen>,
    /// The price.
    pub price: Option<Chosen>,
    /// The parts of the sentence, in its order.
    pub text: Vec<String>,
    /// Whether those were given or guessed.
    pub text_why: Why,
}

/// A name without what shops vary: case, spaces, underscores, any punctuation, Google's `g:` prefix.
fn plain(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_prefix("g:").unwrap_or(name);
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Columns {
    /// Gives each role its column among `all`.
    pub(super) fn choose(all: Vec<String>, options: &CatalogueOptions) -> Result<Self, Error> {
        let key = choose(&all, Role::Key, &options.key, KEYS, &[])?;
        if key.is_none() && !options.number_keys {
            return Err(Error::NoKey { columns: all });
        }
        let title = choose(&all, Role::Title, &options.title, TITLES, &[])?;
        let picture = choose(&all, Role::Picture, &options.picture, PICTURES, &[&key])?;
        let group = choose(&all, Role::Group, &options.group, GROUPS, &[&key])?;
        let price = choose(&all, Role::Price, &options.price, PRICES, &[])?;
        let (text, text_why) = match &options.text {
            Some(names) => {
                let found = names.iter().map(|name| given(&all, Role::Text, name));
                (found.collect::<Result<_, _>>()?, Why::Given)
            }
            None => (guess_text(&all, &title, &[&key, &picture, &group, &price]), Why::Guessed),
        };
        Ok(Columns { all, key, title, picture, group, price, text, text_why })
    }
}

impl Columns {
    /// The column of each role, as a collection remembers them: hits are named by them.
    pub fn roles(&self) -> Value {
        let name = |chosen: &Option<Chosen>| chosen.as_ref().map(|chosen| chosen.column.clone());
        json!({
            "key": name(&self.key),
            "title": name(&self.title),
            "picture": name(&self.picture),
            "group": name(&self.group),
            "price": name(&self.price),
            "text": self.text,
        })
    }

    /// Of Shopify's variants it is known what they go by, and not guessed from names.
    pub(super) fn is_shopify(&mut self, header: &Header, options: &CatalogueOptions) {
        let known = |name: &str| Some(Chosen { column: name.to_owned(), why: Why::Guessed });
        if options.key.is_none() {
            self.key = known(shopify::KEY);
        }
        if options.picture.is_none() {
            self.picture = known(shopify::PICTURE);
        }
        if options.group.is_none() {
            self.group = known(header.group());
        }
    }
}

/// The column for a role: the wished one, or else the first of the `usual` that is there and not taken.
pub(crate) fn choose(
    all: &[String],
    role: Role,
    wish: &Option<String>,
    usual: &[&str],
    taken: &[&Option<Chosen>],
) -> Result<Option<Chosen>, Error> {
    if let Some(name) = wish {
        return Ok(Some(Chosen { column: given(all, role, name)?, why: Why::Given }));
    }
    let free = |name: &&String| !taken.iter().any(|other| is(other, name));
    let guess = usual.iter().find_map(|usual| all.iter().filter(free).find(|n| plain(n) == *usual));
    Ok(guess.map(|name| Chosen { column: name.clone(), why: Why::Guessed }))
}

/// The column that the caller means: by its exact name, or else by one that differs in spelling only.
fn given(all: &[String], role: Role, name: &str) -> Result<String, Error> {
    all.iter()
        .find(|column| *column == name)
        .or_else(|| all.iter().find(|column| plain(column) == plain(name)))
        .cloned()
        .ok_or_else(|| Error::NoColumn { role, column: name.to_owned(), columns: all.to_vec() })
}

fn guess_text(all: &[String], title: &Option<Chosen>, taken: &[&Option<Chosen>]) -> Vec<String> {
    let free = |name: &&String| !taken.iter().any(|other| is(other, name));
    let mut text: Vec<String> = title.iter().map(|t| t.column.clone()).collect();
    for usual in SENTENCE {
        for name in all.iter().filter(free).filter(|name| usual.contains(&plain(name).as_str())) {
            if !text.contains(name) {
                text.push(name.clone());
            }
        }
    }
    text
}

fn is(chosen: &Option<Chosen>, name: &str) -> bool {
    chosen.as_ref().is_some_and(|chosen| chosen.column == name)
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = |why| match why {
            Why::Given => "given",
            Why::Guessed => "guessed",
        };
        match &self.key {
            Some(key) => write!(f, "key: {} ({})", key.column, why(key.why))?,
            None => f.write_str("key: the row's number")?,
        }
        for (role, chosen) in [
            (Role::Title, &self.title),
            (Role::Picture, &self.picture),
            (Role::Group, &self.group),
            (Role::Price, &self.price),
        ] {
            if let Some(chosen) = chosen {
                write!(f, "; {role}: {} ({})", chosen.column, why(chosen.why))?;
            }
        }
        match self.text.as_slice() {
            [] => f.write_str("; text: none"),
            text => write!(f, "; text: {} ({})", text.join(" + "), why(self.text_why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(header: &str) -> Columns {
        let all = header.split(',').map(str::to_owned).collect();
        Columns::choose(all, &CatalogueOptions::default()).unwrap()
    }

    /// Headers as public data sets and shop systems write them.
    #[test]
    fn usual_headers_are_understood() {
        let cases = [
            (
                "id,title,master_category,sub_category,article_type,base_colour,usage,image",
                "key: id (guessed); title: title (guessed); picture: image (guessed); text: title + \
                 master_category + sub_category + article_type + base_colour + usage (guessed)",
            ),
            (
                "item_id,image,name,type,colour,description",
                "key: item_id (guessed); title: name (guessed); picture: image (guessed); text: name + type \
                 + colour + description (guessed)",
            ),
            (
                "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,\
                 productDisplayName",
                "key: id (guessed); title: productDisplayName (guessed); text: productDisplayName + \
                 masterCategory + subCategory + articleType + baseColour + gender + season + year + usage \
                 (guessed)",
            ),
            (
                "g:id,g:title,g:description,g:link,g:image_link,g:price,g:brand,g:item_group_id,g:color",
                "key: g:id (guessed); title: g:title (guessed); picture: g:image_link (guessed); group: \
                 g:item_group_id (guessed); price: g:price (guessed); text: g:title + g:brand + g:color + \
                 g:description (guessed)",
            ),
            (
                "Handle,Title,Body (HTML),Vendor,Type,Variant SKU,Variant Price,Image Src",
                "key: Variant SKU (guessed); title: Title (guessed); picture: Image Src (guessed); group: \
                 Handle (guessed); price: Variant Price (guessed); text: Title + Vendor + Type + Body (HTML) \
                 (guessed)",
            ),
            (
                "article_id,product_code,prod_name,product_type_name,colour_group_name,detail_desc",
                "key: article_id (guessed); title: prod_name (guessed); group: product_code (guessed); text: \
                 prod_name + product_type_name + colour_group_name + detail_desc (guessed)",
            ),
            ("asin,imUrl", "key: asin (guessed); picture: imUrl (guessed); text: none"),
        ];
        for (header, told) in cases {
            assert_eq!(columns(header).to_string(), told);
        }
    }

    #[test]
    fn the_rank_decides_not_the_place() {
        assert_eq!(columns("handle,id,sku").key.unwrap().column, "sku");
        assert_eq!(columns("id,path,Image Path").picture.unwrap().column, "Image Path");
    }

    #[test]
    fn what_is_given_wins() {
        let all: Vec<_> = ["id", "EAN", "title", "blurb"].map(str::to_owned).into();
        let options = CatalogueOptions {
            key: Some("ean".into()),
            text: Some(vec!["blurb".into(), "title".into()]),
            ..Default::default()
        };
        let columns = Columns::choose(all, &options).unwrap();
        assert_eq!(columns.key, Some(Chosen { column: "EAN".into(), why: Why::Given }));
        assert_eq!((columns.text.join(" "), columns.text_why), ("blurb title".into(), Why::Given));
    }

    #[test]
    fn what_is_missing_is_said_with_what_there_is() {
        let all: Vec<_> = ["colour", "size"].map(str::to_owned).into();
        let choose = |options| Columns::choose(all.clone(), &options).unwrap_err().to_string();
        assert_eq!(
            choose(CatalogueOptions::default()),
            "no column looks like the products' key: name it with --key COLUMN, or number the rows with \
             --number-keys; the catalogue has: colour, size"
        );
        assert_eq!(
            choose(CatalogueOptions { key: Some("nr".into()), ..Default::default() }),
            "no column \"nr\" for key (--key); the catalogue has: colour, size"
        );
        let numbered = CatalogueOptions { number_keys: true, ..Default::default() };
        let columns = Columns::choose(all.clone(), &numbered).unwrap();
        assert_eq!(columns.to_string(), "key: the row's number; text: colour (guessed)");
    }
}
