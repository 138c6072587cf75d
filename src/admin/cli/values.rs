//! Sizes and times as people write them.

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};

/// `4096`, `300K`, `12M`, `1G` in octets; units are powers of 1,024.
pub(super) fn size_in_octets(text: &str) -> Result<u64, String> {
    let fault = || format!("`{text}` is not a size such as 4096, 300K or 12M");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" | "KIB" => 1 << 10,
        "M" | "MB" | "MIB" => 1 << 20,
        "G" | "GB" | "GIB" => 1 << 30,
        _ => return Err(fault()),
    };
    let count: u64 = digits.parse().map_err(|_| fault())?;
    count.checked_mul(unit).ok_or_else(fault)
}

/// A time as RFC 3339, as a date or local time, as a day (`monday`: the last one, today included), or as an
/// age (`90m`, `12h`, `3d`).
pub(super) fn point_in_time(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let fault = || format!("`{text}` is not a time such as 2026-11-16, 2026-11-16T08:00+01:00, monday or 12h");
    let lower = text.to_ascii_lowercase();
    if let Some(seconds) = age_in_seconds(&lower) {
        return now.checked_sub(SignedDuration::from_secs(seconds)).map_err(|_| fault());
    }
    if let Some(date) = day(&lower, now.to_zoned(zone.clone()).date()) {
        return local(date.to_datetime(jiff::civil::Time::midnight()), zone).ok_or_else(fault);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let civil = text.parse::<DateTime>().map_err(|_| fault())?;
    local(civil, zone).ok_or_else(fault)
}

/// A time to come: as [`point_in_time`], but an age counts from now on (`14d`: in two weeks), and a day is the next one.
pub(super) fn point_in_future(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let lower = text.to_ascii_lowercase();
    let today = now.to_zoned(zone.clone()).date();
    let at = if let Some(seconds) = age_in_seconds(&lower) {
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    } else if lower == "tomorrow" {
        midnight(today.checked_add(1.day()).ok(), zone)
    } else if let Some(weekday) = weekday(&lower) {
        let ahead = i64::from(weekday.since(today.weekday()));
        midnight(today.checked_add(if ahead == 0 { 7 } else { ahead }.days()).ok(), zone)
    } else {
        Some(point_in_time(text, now, zone)?)
    };
    match at {
        Some(at) if at > now => Ok(at),
        Some(at) => Err(format!("`{text}` is {at}, which has passed")),
        None => Err(format!(
            "`{text}` is not a time such as 2026-12-04, 2026-12-04T18:00, friday or 14d"
        )),
    }
}

fn midnight(date: Option<Date>, zone: &TimeZone) -> Option<Timestamp> {
    local(date?.to_datetime(jiff::civil::Time::midnight()), zone)
}

fn local(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_zoned(civil).ok().map(|zoned| zoned.timestamp())
}

fn age_in_seconds(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let count: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    (count >= 0).then(|| count.checked_mul(seconds)).flatten()
}

fn day(text: &str, today: Date) -> Option<Date> {
    match text {
        "today" => return Some(today),
        "yesterday" => return today.checked_sub(1.day()).ok(),
        _ => {}
    }
    let back = i64::from(today.weekday().since(weekday(text)?));
    today.checked_sub(back.days()).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "monday" => Weekday::Monday,
        "tuesday" => Weekday::Tuesday,
        "wednesday" => Weekday::Wednesday,
        "thursday" => Weekday::Thursday,
        "friday" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, octets) in [
            ("4096", Some(4_096)),
            ("12M", Some(12 << 20)),
            ("300k", Some(300 << 10)),
            ("1GiB", Some(1 << 30)),
            ("", None),
            ("M", None),
            ("-1", None),
            ("1.5M", None),
            ("12X", None),
            ("99999999999999G", None),
        ] {
            assert_eq!(size_in_octets(text).ok(), octets, "{text}");
        }
    }

    #[test]
    fn times() {
        // A Saturday, 08:21 in Berlin.
        let now: Timestamp = "2026-11-21T07:21:30Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, at) in [
            ("2026-11-16", Some("2026-11-15T23:00:00Z")),
            ("2026-11-16T08:00", Some("2026-11-16T07:00:00Z")),
            ("2026-11-16T08:00:00+02:00", Some("2026-11-16T06:00:00Z")),
            ("2026-11-16T08:00+02:00", Some("2026-11-16T06:00:00Z")),
            ("2026-11-16T08:00:00Z", Some("2026-11-16T08:00:00Z")),
            ("Monday", Some("2026-11-15T23:00:00Z")),
            ("saturday", Some("2026-11-20T23:00:00Z")),
            ("sunday", Some("2026-11-14T23:00:00Z")),
            ("today", Some("2026-11-20T23:00:00Z")),
            ("yesterday", Some("2026-11-19T23:00:00Z")),
            ("90m", Some("2026-11-21T05:51:30Z")),
            ("3d", Some("2026-11-18T07:21:30Z")),
            ("-3d", None),
            ("9999999999999999d", None),
            ("soon", None),
            ("", None),
            ("é", None),
        ] {
            let expected = at.map(|at| at.parse::<Timestamp>().expect("a time"));
            assert_eq!(point_in_time(text, now, &zone).ok(), expected, "{text}");
        }
    }

    #[test]
    fn times_to_come() {
        // A Saturday, 08:21 in Berlin.
        let now: Timestamp = "2026-11-21T07:21:30Z".parse().expect("a time");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, at) in [
            ("2026-12-04", Some("2026-12-03T23:00:00Z")),
            ("2026-11-24T18:00", Some("2026-11-24T17:00:00Z")),
            ("14d", Some("2026-12-05T07:21:30Z")),
            ("tomorrow", Some("2026-11-21T23:00:00Z")),
            ("Sunday", Some("2026-11-21T23:00:00Z")),
            ("saturday", Some("2026-11-27T23:00:00Z")),
            ("2026-11-20", None),
            ("today", None),
            ("0s", None),
            ("soon", None),
        ] {
            let expected = at.map(|at| at.parse::<Timestamp>().expect("a time"));
            assert_eq!(point_in_future(text, now, &zone).ok(), expected, "{text}");
        }
    }
}
