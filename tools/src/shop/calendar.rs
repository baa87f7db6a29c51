//! Days as the shop's records write them.

/// Seconds in a day.
pub const DAY: u64 = 86_400;
/// Midnight at the beginning of 2023, in Unix time: where the shop's records begin.
pub const OPENING: u64 = 1_672_531_200;
/// How many days the records cover: 2023, 2024 (a leap year) and 2025.
pub const DAYS: u64 = 365 + 366 + 365;

/// A moment of the shop's three years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(
    /// Unix time in seconds.
    pub u64,
);

impl Moment {
    /// Year, month and day of month.
    pub fn date(self) -> (u16, u8, u8) {
        let mut day = self.0.saturating_sub(OPENING) / DAY;
        let mut year = 2023;
        loop {
            for month in 1..=12 {
                let days = match month {
                    2 if year % 4 == 0 => 29,
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                if day < days {
                    return (year, month, day as u8 + 1);
                }
                day -= days;
            }
            year += 1;
        }
    }

    /// As `2024-02-29`.
    pub fn day(self) -> String {
        let (year, month, day) = self.date();
        format!("{year}-{month:02}-{day:02}")
    }

    /// As `2024-02-29T18:30:00Z`.
    pub fn timestamp(self) -> String {
        let second = self.0 % DAY;
        format!("{}T{:02}:{:02}:{:02}Z", self.day(), second / 3600, second / 60 % 60, second % 60)
    }

    /// The season of the northern year.
    pub fn season(self) -> &'static str {
        match self.date().1 {
            3..=5 => "spring",
            6..=8 => "summer",
            9..=11 => "autumn",
            _ => "winter",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_as_the_calendar_has_them() {
        // By hand, with GNU date: `date -u -d @1709231400 +%FT%TZ`.
        assert_eq!(Moment(1_709_231_400).timestamp(), "2024-02-29T18:30:00Z");
        assert_eq!(Moment(OPENING).day(), "2023-01-01");
        assert_eq!(Moment(OPENING + DAYS * DAY - 1).timestamp(), "2025-12-31T23:59:59Z");
        assert_eq!(Moment(1_709_231_400).season(), "winter");
    }
}
