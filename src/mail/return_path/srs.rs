//! The Sender Rewriting Scheme: an outside sender's address within our domain, and back.
//!
//! `lena@partner.example` becomes `SRS0=HASH=TT=partner.example=lena@srs-domain`; an address that another forwarder
//! made so becomes `SRS1=TTHASH=its.domain==rest`. TT is a day, modulo 1,024; the hash field is ours alone to read,
//! so the day stands in it where the scheme has no place for one. Hashes cover the address in lower case, because
//! some systems fold local-parts.

use jiff::Timestamp;

use super::{LOCAL_PART_PORTABLE_MAX, ReturnFault, ReturnPaths, base32, bounce::same, day};
use crate::mail::Mailbox;

/// 50 bits.
const HASH_DIGITS: usize = 10;
const DAY_DIGITS: usize = 2;
const DAYS: u64 = 1_024;
const USED_FOR: &str = "muster srs 1";

pub(super) fn write(paths: &ReturnPaths, sender: &Mailbox, now: Timestamp) -> Option<Mailbox> {
    let local = sender.local_part();
    if !sender.as_str().is_ascii() || local.starts_with('"') {
        return None;
    }
    let stamp = stamp(day(now));
    let domain = sender.domain();
    let rewritten = match tagged(local) {
        None => {
            let hash = hash(paths, &stamp, &format!("{domain}={local}"));
            format!("SRS0={hash}={stamp}={domain}={local}")
        }
        Some(("srs0", rest)) => wrapped(paths, &stamp, &format!("{domain}={rest}")),
        // A second forwarder stays the one that reports are sent to.
        Some((_, rest)) => {
            let (_, rest) = rest.get(1..)?.split_once('=')?;
            wrapped(paths, &stamp, rest)
        }
    };
    if rewritten.len() > LOCAL_PART_PORTABLE_MAX {
        return None;
    }
    Mailbox::parse(&format!("{rewritten}@{}", paths.srs_domain)).ok()
}

fn wrapped(paths: &ReturnPaths, stamp: &str, rest: &str) -> String {
    format!("SRS1={stamp}{}={rest}", hash(paths, stamp, rest))
}

/// None if it is no rewritten address at all.
pub(super) fn read(paths: &ReturnPaths, local: &str, now: Timestamp) -> Option<Result<Mailbox, ReturnFault>> {
    let (tag, rest) = tagged(local)?;
    let read = match tag {
        "srs0" => read_first(paths, rest),
        _ => read_further(paths, rest),
    };
    Some(read.ok_or(ReturnFault::Forged).and_then(|(sender, made)| {
        let age = (day(now) % DAYS + DAYS - made) % DAYS;
        // The day after tomorrow and later is not a clock that went back.
        if age > paths.days() && age < DAYS - 1 {
            Err(ReturnFault::Expired)
        } else {
            Ok(sender)
        }
    }))
}

fn read_first(paths: &ReturnPaths, rest: &str) -> Option<(Mailbox, u64)> {
    let mut fields = rest.get(1..)?.splitn(3, '=');
    let (theirs, stamp, said) = (fields.next()?, fields.next()?, fields.next()?);
    let made = verified(paths, theirs, stamp, said)?;
    let (domain, local) = said.split_once('=')?;
    Some((Mailbox::parse(&format!("{local}@{domain}")).ok()?, made))
}

fn read_further(paths: &ReturnPaths, rest: &str) -> Option<(Mailbox, u64)> {
    let (sealed, said) = rest.get(1..)?.split_once('=')?;
    let (stamp, theirs) = sealed.split_at_checked(DAY_DIGITS)?;
    let made = verified(paths, theirs, stamp, said)?;
    let (domain, opaque) = said.split_once('=')?;
    Some((Mailbox::parse(&format!("SRS0{opaque}@{domain}")).ok()?, made))
}

fn verified(paths: &ReturnPaths, theirs: &str, stamp: &str, said: &str) -> Option<u64> {
    let ours = hash(paths, &stamp.to_ascii_lowercase(), said);
    if !same(theirs.to_ascii_lowercase().as_bytes(), ours.as_bytes()) {
        return None;
    }
    match stamp.as_bytes() {
        [high, low] => Some(u64::from(base32::value(*high)? << 5 | base32::value(*low)?)),
        _ => None,
    }
}

fn hash(paths: &ReturnPaths, stamp: &str, said: &str) -> String {
    let said = said.to_ascii_lowercase();
    let domain = paths.srs_domain.as_str().as_bytes();
    let sum = paths.key.sum(USED_FOR, &[domain, stamp.as_bytes(), said.as_bytes()]);
    let mut hash = base32::encode(&sum);
    hash.truncate(HASH_DIGITS);
    hash
}

fn stamp(day: u64) -> String {
    let day = u32::try_from(day % DAYS).unwrap_or(0);
    [base32::digit(day >> 5), base32::digit(day)].iter().collect()
}

/// `srs0` or `srs1`, and the rest from its separator on.
fn tagged(local: &str) -> Option<(&'static str, &str)> {
    let (head, rest) = local.split_at_checked(4)?;
    let tag = ["srs0", "srs1"]
        .into_iter()
        .find(|tag| head.eq_ignore_ascii_case(tag))?;
    rest.starts_with(['=', '+', '-']).then_some((tag, rest))
}
