//! From a value as the catalogue spells it to a key that can be compared.

use std::cmp::Ordering;

use serde_json::Value;

use super::{FieldReading, FieldType};

/// Of a longer text so many characters are compared: enough to tell names apart, whereas a description
/// kept whole would be kept twice.
const LONGEST: usize = 200;
/// Digits that a number in double precision keeps. What has more of them is a code.
const DIGITS: usize = 15;
const CURRENCY_SIGNS: [char; 4] = ['$', '€', '£', '¥'];
const CURRENCIES: [&str; 32] = [
    "AED", "AUD", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON",
    "SEK", "SGD", "THB", "TRY", "USD", "ZAR",
];

/// A value by which items are compared. Booleans are 0 and 1, dates seconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    Text(String),
    Number(f64),
}

impl Key {
    /// The order of the values. Keys of one field are all of one kind.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Key::Text(a), Key::Text(b)) => a.cmp(b),
            (Key::Number(a), Key::Number(b)) => a.total_cmp(b),
            (Key::Number(_), Key::Text(_)) => Ordering::Less,
            (Key::Text(_), Key::Number(_)) => Ordering::Greater,
        }
    }
}

/// The values of a field, each as text; none where it is empty.
pub(in crate::collection) fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::Null => (),
        Value::String(text) => match cut(text) {
            "" => (),
            text => take(text),
        },
        Value::Array(values) => values.iter().for_each(|value| texts(value, take)),
        other => take(cut(&other.to_string())),
    }
}

/// The text without blanks around it, and as much of it as is compared.
fn cut(text: &str) -> &str {
    let text = text.trim();
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| text[..end].trim_end())
}

/// The values that a cell holds.
pub(crate) fn parts(cell: &str, reading: FieldReading) -> impl Iterator<Item = &str> {
    let parts: Box<dyn Iterator<Item = &str>> = match reading.separator {
        Some(separator) => Box::new(cell.split(separator)),
        None => Box::new(std::iter::once(cell)),
    };
    parts.map(str::trim).filter(|part| !part.is_empty())
}

/// The key of a value; `None` where it is not of the field's type.
pub(in crate::collection) fn key(value: &str, kind: FieldType) -> Option<Key> {
    match kind {
        FieldType::Text => Some(Key::Text(fold(value))),
        FieldType::Number => number(value).map(Key::Number),
        FieldType::Boolean => boolean(value).map(|truth| Key::Number(truth.into())),
        FieldType::Date => date(value).map(|date| Key::Number(date.from)),
    }
}

/// Text as it is compared: in lower case, without blanks around it, and cut. Each character is lowered by
/// itself, so that the beginning of a text is the beginning of its folded form.
pub(crate) fn fold(text: &str) -> String {
    cut(text).chars().flat_map(char::to_lowercase).collect()
}

/// A decimal number, with a currency before or behind it or none. `007` and whatever else would not be
/// itself again after having been a number is none.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = without_currency(text);
    let (digits, rest) = match text.as_bytes() {
        [b'-' | b'+', digits @ ..] => (digits, &text[1..]),
        digits => (digits, text),
    };
    let plain = matches!(digits, [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..]);
    let padded = matches!(digits, [b'0', b'0'..=b'9', ..]);
    let mantissa = rest.split(['e', 'E']).next().unwrap_or_default();
    // Zeros before the first digit that counts, and after the last, cost no precision.
    let long = mantissa
        .trim_start_matches(['0', '.'])
        .trim_end_matches('0')
        .bytes()
        .filter(u8::is_ascii_digit)
        .count()
        > DIGITS;
    if !plain || padded || long {
        return None;
    }
    // What is added makes a negative zero a plain one.
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(|number| number + 0.0)
}

fn without_currency(text: &str) -> &str {
    let bare = text.strip_prefix(CURRENCY_SIGNS).or_else(|| text.strip_suffix(CURRENCY_SIGNS));
    let code = || {
        let before = text.get(..3).filter(|code| CURRENCIES.contains(code)).map(|_| &text[3..]);
        let start = text.len().checked_sub(3)?;
        before.or_else(|| {
            text.get(start..).filter(|code| CURRENCIES.contains(code)).map(|_| &text[..start])
        })
    };
    bare.or_else(code).unwrap_or(text).trim()
}

pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "t" | "y" | "1" | "on" => Some(true),
        "false" | "no" | "f" | "n" | "0" | "off" => Some(false),
        _ => None,
    }
}

/// A stretch of time that an ISO 8601 date names, in seconds since 1970: a year, a month, a day or a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Date {
    pub(crate) from: f64,
    /// The last instant that belongs to it.
    pub(crate) to: f64,
    day: bool,
}

impl Date {
    /// Whether it says at least the day.
    pub(super) fn to_the_day(self) -> bool {
        self.day
    }
}

const DAY: f64 = 86_400.0;

/// `2024`, `2024-05`, `2024-05-01`, `2024-05-01T12:30`, `2024-05-01 12:30:15.5Z`, `...+02:00`. Without an
/// offset it is universal time.
pub(crate) fn date(text: &str) -> Option<Date> {
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map(|month| digits(month, 2).filter(|m| (1..=12).contains(m)));
    let date = parts.next().map(|date| digits(date, 2));
    if parts.next().is_some() {
        return None;
    }
    let start = |year: i64, month: i64| days(year, month) as f64 * DAY;
    let (from, end) = match (month, date) {
        (None, _) => (start(year, 1), start(year + 1, 1)),
        (Some(month), None) => {
            let month = month?;
            (start(year, month), start(year + month / 12, month % 12 + 1))
        }
        (Some(month), Some(date)) => {
            let (month, date) = (month?, date?);
            let length = days(year + month / 12, month % 12 + 1) - days(year, month);
            let from = (1..=length)
                .contains(&date)
                .then(|| start(year, month) + (date - 1) as f64 * DAY)?;
            (from, from + DAY)
        }
    };
    let day = date.is_some();
    match time {
        None => Some(Date { from, to: end.next_down(), day }),
        Some(time) if day => {
            let moment = from + seconds(time)?;
            Some(Date { from: moment, to: moment, day })
        }
        Some(_) => None,
    }
}

/// A time of the day in seconds, its offset from universal time taken off.
fn seconds(time: &str) -> Option<f64> {
    let time = time.trim();
    let (clock, offset) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0.0),
        None => match time.rfind(['+', '-']) {
            Some(at) => (&time[..at], offset(&time[at..])?),
            None => (time, 0.0),
        },
    };
    let mut parts = clock.split(':');
    let hours = digits(parts.next()?, 2).filter(|&hours| hours < 24)?;
    let minutes = digits(parts.next()?, 2).filter(|&minutes| minutes < 60)?;
    let seconds = match parts.next() {
        None => 0.0,
        Some(text) if text.bytes().all(|c| c.is_ascii_digit() || c == b'.') => text.parse().ok()?,
        Some(_) => return None,
    };
    let sound = parts.next().is_none() && (0.0..=60.0).contains(&seconds);
    sound.then(|| (hours * 3600 + minutes * 60) as f64 + seconds - offset)
}

/// `+02:00`, `-0530` or `+02` in seconds.
fn offset(text: &str) -> Option<f64> {
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let text = text[1..].replace(':', "");
    let (hours, minutes) = text.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { 0 } else { digits(minutes, 2)? };
    Some(sign * (digits(hours, 2)? * 3600 + minutes * 60) as f64)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|c| c.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from the first of January 1970 to the first of a month, by the Gregorian calendar: years are taken
/// to begin in March, so that the leap day is their last.
fn days(year: i64, month: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let since_march = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (since_march * 153 + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_can_be_calculated_with() {
        let some = [
            ("0", 0.0),
            ("-0", 0.0),
            ("+4", 4.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("19.90 EUR", 19.9),
            ("USD 7", 7.0),
            ("€3", 3.0),
            ("3 €", 3.0),
            ("123456789012345", 123456789012345.0),
            ("0.000000000000000001", 1e-18),
        ];
        for (text, expected) in some {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        let none = [
            "",
            "-",
            "nan",
            "inf",
            "007",
            "00",
            "4.99.1",
            "1,5",
            "12 PCS",
            "1e999",
            "4006381333931123",
            "EUR",
            "é",
        ];
        for text in none {
            assert_eq!(number(text), None, "{text}");
        }
        assert!(number("-0").is_some_and(|zero| zero.is_sign_positive()));
    }

    #[test]
    fn dates_are_counted_from_1970() {
        // The seconds are what `date -u -d TEXT +%s` prints.
        let some = [
            ("1970-01-01", 0.0),
            ("1969-12-31T23:59:59Z", -1.0),
            ("2000-02-29", 951_782_400.0),
            ("2024-05-01T12:30", 1_714_566_600.0),
            ("2024-05-01 12:30:15.5Z", 1_714_566_615.5),
            ("2024-05-01T12:30:00+02:00", 1_714_559_400.0),
            ("2024-05-01T12:30-0530", 1_714_586_400.0),
            ("2024", 1_704_067_200.0),
            ("2024-12", 1_733_011_200.0),
            ("0001-01-01", -62_135_596_800.0),
        ];
        for (text, expected) in some {
            assert_eq!(date(text).map(|date| date.from), Some(expected), "{text}");
        }
        for (text, end) in [
            ("2023", "2024-01-01"),
            ("2023-12", "2024-01-01"),
            ("2024-02", "2024-03-01"),
            ("2024-02-29", "2024-03-01"),
        ] {
            assert_eq!(date(text).unwrap().to, date(end).unwrap().from.next_down(), "{text}");
        }
        for text in [
            "",
            "24-05-01",
            "2023-02-29",
            "2024-13",
            "2024-00",
            "2024-05-01-",
            "2024-05T10:00",
            "2024-05-01T25:00",
            "2024-05-01T10",
            "2024-05-01T10:00:xx",
            "2024-05-01T10:00+é1",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn text_is_compared_by_its_letters() {
        assert_eq!(fold("  Größe ΟΔΟΣ "), "größe οδοσ");
        let (long, longer) = ("É".repeat(LONGEST), "É".repeat(2 * LONGEST));
        assert_eq!(fold(&long), fold(&longer));
        assert_eq!(fold(&longer).chars().count(), LONGEST);
    }
}
