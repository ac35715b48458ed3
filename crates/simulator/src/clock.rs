//! The simulator's own time: the machine's, plus what the control API advanced.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that tests move forward instead of waiting.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    started_at_ms: i64,
    advanced_ms: AtomicI64,
}

impl Clock {
    /// A clock that shows the machine's time. The only place of this crate that reads it.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the machine's clock; everything else is given this one"
    )]
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), started_at_ms: since_epoch.as_millis() as i64, advanced_ms: AtomicI64::new(0) }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.started_at_ms + self.age_ms()
    }

    /// Milliseconds since the simulator started, as it sees time.
    #[must_use]
    pub fn age_ms(&self) -> i64 {
        self.started.elapsed().as_millis() as i64 + self.advanced_ms.load(Ordering::Relaxed)
    }

    /// Whole hours since the simulator started. Goes into tokens, so that two simulators started at different times write the same ones.
    #[must_use]
    pub fn age_hours(&self) -> u64 {
        (self.age_ms() / 3_600_000) as u64
    }

    /// Moves time forward.
    pub fn advance_ms(&self, ms: i64) {
        self.advanced_ms.fetch_add(ms.max(0), Ordering::Relaxed);
    }
}

/// Appends `2024-05-06T07:08:09Z` for seconds since 1970.
pub fn put_time(out: &mut Vec<u8>, seconds: i64) {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (y, m, d) = civil(days);
    let mut two = |n: i64, end: u8| out.extend_from_slice(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8, end]);
    two(y / 100, b' ');
    out.pop();
    let mut two = |n: i64, end: u8| out.extend_from_slice(&[b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8, end]);
    two(y % 100, b'-');
    two(m, b'-');
    two(d, b'T');
    two(rest / 3600, b':');
    two(rest / 60 % 60, b':');
    two(rest % 60, b'Z');
}

/// Seconds since 1970 as ISO text.
#[must_use]
pub fn iso(seconds: i64) -> String {
    let mut out = Vec::with_capacity(20);
    put_time(&mut out, seconds);
    String::from_utf8_lossy(&out).into_owned()
}

/// Milliseconds since 1970 of `2024-05-06`, or of an instant such as `2024-05-06T07:08:09.5Z` or `…+02:00`.
#[must_use]
pub fn read_time(text: &str) -> Option<i64> {
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.as_millisecond());
    }
    // A date alone is the beginning of its day; a date with a time of day needs to say where.
    let date: jiff::civil::Date = if text.contains(['T', 't', ' ']) { return None } else { text.parse().ok()? };
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// The date header's form, `Fri, 20 Nov 2026 13:00:00 GMT`.
#[must_use]
pub fn http_date(seconds: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (y, m, d) = civil(days);
    let (day, month) = (DAYS[days.rem_euclid(7) as usize], MONTHS[(m - 1) as usize]);
    format!("{day}, {d:02} {month} {y} {:02}:{:02}:{:02} GMT", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day number (Howard Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_instants_are_written_right() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(read_time("2000-02-29T01:00:00.25+01:00"), Some(951_782_400_250));
        assert_eq!(
            (read_time("2023-02-29"), read_time("2023-02-28T24:00:00Z"), read_time("2023-02-28T10:00")),
            (None, None, None)
        );
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
