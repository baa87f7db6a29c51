//! When something was taken, however the shop writes it.

/// Seconds since 1970 from `2024-05-31`, `2024/05/31 18:30`, `2024-05-31T18:30:05.25+02:00`, seconds or
/// milliseconds since 1970; `None` where it is none of these.
pub fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
        && number.abs() >= 1e5
    {
        // Seconds stay below this until the year 5138.
        return Some(if number.abs() < 1e11 { number } else { number / 1e3 } as i64);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let separator = date.chars().nth(4).filter(|c| matches!(c, '-' | '/' | '.'))?;
    let mut parts = date.split(separator).map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let fits = (1..=12).contains(&month) && (1..=31).contains(&day) && parts.next().is_none();
    if !fits {
        return None;
    }
    Some(days(year, month, day) * 86_400 + of_day(rest)?)
}

/// The seconds that the part after the date adds.
fn of_day(rest: &str) -> Option<i64> {
    let rest = rest.trim_start_matches(['T', 't', ' ']);
    let at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(at);
    let offset = match zone.trim_start_matches(' ') {
        "" | "Z" | "z" | "UTC" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
            let number: i64 = digits.parse().ok()?;
            let (hours, minutes) =
                if digits.len() > 2 { (number / 100, number % 100) } else { (number, 0) };
            sign * (hours * 3600 + minutes * 60)
        }
    };
    let mut seconds = 0.0;
    for (part, worth) in clock.split(':').filter(|part| !part.is_empty()).zip([3600.0, 60.0, 1.0]) {
        seconds += part.parse::<f64>().ok()? * worth;
    }
    Some(seconds as i64 - offset)
}

/// Days since 1970 of a date of the Gregorian calendar, counted in eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are what `date -u -d ... +%s` prints.
    #[test]
    fn dates_are_read_as_shops_write_them() {
        for (text, expected) in [
            ("1970-01-01", 0),
            ("2018-09-20", 1_537_401_600),
            ("2024/02/29", 1_709_164_800),
            ("1969-12-31", -86_400),
            ("2023-08-17T22:50:47Z", 1_692_312_647),
            ("2023-08-17 22:50", 1_692_312_600),
            ("2024-05-31T18:30:05.25+02:00", 1_717_173_005),
            ("2024-05-31T18:30:05-0330", 1_717_192_805),
            (" 1537401600 ", 1_537_401_600),
            ("1537401600000", 1_537_401_600),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "soon", "2024", "2024-13-01", "2024-00-10", "20-01-2024", "2024-05-31Tnoon"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
