//! Numbers, sizes and times as people say them.

use std::time::Duration;

use crate::eval::Interval;

/// A count with its thousands apart: `11,169,605`.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `91.2 % (95 % interval 87.0 to 94.1 %)`
pub fn with_interval(interval: Interval) -> String {
    let Interval { value, low, high } = interval;
    format!("{:.1} % (95 % interval {:.1} to {:.1} %)", 100.0 * value, 100.0 * low, 100.0 * high)
}

/// A count with its noun: `1 photo`, `3,670 photos`. For nouns that take an s.
pub fn counted(count: usize, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {noun}{s}", thousands(count as u64))
}

/// Bytes as people say them: `9.4 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// A time as a person says it: `0.4 s`, `12.5 s`, `48 s`, `3 min 20 s`, `1 h 5 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..20 => format!("{:.1} s", seconds.max(0.0)),
        20..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A time that is only estimated: whole seconds at least.
pub(super) fn about(seconds: f64) -> String {
    if seconds < 20.0 { format!("{seconds:.0} s") } else { duration(seconds) }
}

/// How long ago, as people say it.
pub(super) fn ago(time: Duration) -> String {
    match time.as_secs() {
        0..90 => "just now".into(),
        seconds @ 90..5400 => format!("{} ago", counted((seconds / 60) as usize, "minute")),
        seconds @ 5400..172_800 => format!("{} ago", counted((seconds / 3600) as usize, "hour")),
        seconds => format!("{} ago", counted((seconds / 86_400) as usize, "day")),
    }
}

/// The first five of a list, and how many more there are.
pub(super) fn short_list(items: impl ExactSizeIterator<Item = String>) -> String {
    const MOST: usize = 5;
    let more = items.len().saturating_sub(MOST);
    let shown = items.take(MOST).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_say_them() {
        assert_eq!([bytes(999), bytes(9_409_928), bytes(2_500_000_000)], ["999 bytes", "9.4 MB", "2.5 GB"]);
        assert_eq!(
            [counted(0, "photo"), counted(1, "photo"), counted(3670, "photo")],
            ["0 photos", "1 photo", "3,670 photos"]
        );
        assert_eq!([thousands(0), thousands(999), thousands(1000)], ["0", "999", "1,000"]);
    }

    #[test]
    fn times_are_said_as_people_do() {
        let said = [0.04, 12.51, 19.4, 19.6, 48.4, 59.6, 200.0, 3599.6, 3900.0].map(duration);
        assert_eq!(
            said,
            ["0.0 s", "12.5 s", "19.4 s", "20 s", "48 s", "1 min 0 s", "3 min 20 s", "1 h 0 min", "1 h 5 min"]
        );
    }

    #[test]
    fn times_read_as_people_say_them() {
        let said =
            [0, 90, 119, 120, 600, 5400, 10_000, 172_800, 1_000_000].map(|seconds| ago(Duration::from_secs(seconds)));
        let expected = [
            "just now",
            "1 minute ago",
            "1 minute ago",
            "2 minutes ago",
            "10 minutes ago",
            "1 hour ago",
            "2 hours ago",
            "2 days ago",
            "11 days ago",
        ];
        assert_eq!(said, expected);
    }
}
