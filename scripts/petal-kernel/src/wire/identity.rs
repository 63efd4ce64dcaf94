//! Names that occur once, and the time as Jupyter writes it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A name that no other process and no other call gives.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}{:016x}", hasher.finish(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The time at hand, in UTC: `2026-11-27T07:31:02.123456Z`.
pub(crate) fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    date(since.as_secs(), since.subsec_micros())
}

/// Days since 1970 as a date, by Howard Hinnant's `civil_from_days`.
fn date(seconds: u64, micros: u32) -> String {
    let days = (seconds / 86400) as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `datetime.fromtimestamp(seconds, timezone.utc).isoformat()` writes them.
    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(date(951_782_400, 5), "2000-02-29T00:00:00.000005Z");
        assert_eq!(date(1_795_763_862, 123_456), "2026-11-27T07:17:42.123456Z");
        assert_eq!(date(4_107_542_399, 0), "2100-02-28T23:59:59.000000Z");
    }

    #[test]
    fn names_occur_once() {
        assert_ne!(unique(), unique());
    }
}
