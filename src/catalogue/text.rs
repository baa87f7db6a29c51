//! The sentence that the text encoder reads of a product.

use serde_json::{Map, Value};

/// What exports write for "no value".
const NO_VALUE: &[&str] = &["nan", "null", "none", "n/a"];

/// Joins the values of the fields `names`, in that order, into one sentence.
///
/// The rule: runs of white space become one space. Values without a letter or a digit, and the usual
/// words for "no value" (`nan`, `null`, `none`, `n/a`), are left out. So is a value whose words already
/// stand together, in whatever case, in one earlier part: of "Bata Men Black Shoes", "Shoes" and
/// "Black" nothing but the title is new. Parts are joined by `separator`; after a part that ends with a
/// full stop or its like a space suffices. Numbers read as they are written, `true` and `false` say
/// nothing, the elements of an array or object are joined by commas, and so are those of a cell that holds
/// several values with `|` between them.
pub(super) fn sentence(fields: &Map<String, Value>, names: &[String], separator: &str) -> String {
    let mut sentence = String::new();
    let mut said: Vec<Vec<String>> = Vec::new();
    for value in names.iter().filter_map(|name| fields.get(name)) {
        let part = words_of(value);
        let words = words(&part);
        let repeats = said.iter().any(|part| part.windows(words.len().max(1)).any(|w| w == words));
        if words.is_empty() || repeats || NO_VALUE.contains(&part.to_lowercase().as_str()) {
            continue;
        }
        if !sentence.is_empty() {
            let ended = sentence.ends_with(['.', ',', ';', ':', '!', '?']);
            sentence.push_str(if ended { " " } else { separator });
        }
        sentence.push_str(&part);
        said.push(words);
    }
    sentence
}

/// A value as a person would read it out.
fn words_of(value: &Value) -> String {
    let listed = |parts: Vec<String>| {
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    match value {
        Value::Null | Value::Bool(_) => String::new(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => listed(
            text.split('|')
                .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect(),
        ),
        Value::Array(values) => listed(values.iter().map(words_of).collect()),
        Value::Object(values) => listed(values.values().map(words_of).collect()),
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The words in a file's name, for pictures that come without any: `red_leather-shoe.jpg`.
pub(super) fn words_of_name(stem: &str) -> String {
    let spaced = |c: char| if c.is_alphanumeric() || c == '\'' { c } else { ' ' };
    let text: String = stem.chars().map(spaced).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(fields: Value) -> String {
        let fields = fields.as_object().unwrap();
        let names: Vec<String> = fields.keys().cloned().collect();
        sentence(fields, &names, ", ")
    }

    #[test]
    fn fields_join_into_one_sentence() {
        let fields =
            json!({"title": "Linen  dress\n", "season": "Summer", "year": 2012, "use": "Casual"});
        assert_eq!(said(fields), "Linen dress, Summer, 2012, Casual");
    }

    #[test]
    fn the_order_and_the_separator_are_the_callers() {
        let fields = json!({"title": "Dress", "season": "Summer"});
        let names = ["season".to_owned(), "absent".to_owned(), "title".to_owned()];
        assert_eq!(sentence(fields.as_object().unwrap(), &names, " "), "Summer Dress");
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let fields =
            json!({"a": "", "b": " ", "c": "-", "d": "NaN", "e": null, "f": true, "g": "n/a"});
        assert_eq!(said(fields), "");
    }

    #[test]
    fn words_are_not_said_twice() {
        let fields = json!({
            "title": "Bata Men Black Shoes", "type": "Shoes", "colour": "black", "kind": "Black Men",
            "use": "Shoe"
        });
        // "Black Men" do not stand together in the title, and "Shoe" is another word than "Shoes".
        assert_eq!(said(fields), "Bata Men Black Shoes, Black Men, Shoe");
    }

    #[test]
    fn several_values_of_a_cell_are_joined_by_commas() {
        let fields = json!({"tags": "summer|linen |beach"});
        let names = ["tags".to_owned()];
        assert_eq!(sentence(fields.as_object().unwrap(), &names, ", "), "summer, linen, beach");
    }

    #[test]
    fn arrays_are_joined_by_commas_and_full_stops_need_none() {
        let fields =
            json!({"colours": ["red", "black", ""], "text": "Made by hand.", "use": "Formal"});
        assert_eq!(said(fields), "red, black, Made by hand. Formal");
        assert_eq!(said(json!({"name": {"en": "Hat", "weight": 1.5}})), "Hat, 1.5");
    }

    #[test]
    fn names_of_files_have_words() {
        assert_eq!(words_of_name("red_leather-shoe (2)"), "red leather shoe 2");
    }
}
