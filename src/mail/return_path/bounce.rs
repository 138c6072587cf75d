//! The address of one batch (VERP): `bounces+TOKEN@contoso.example`.
//!
//! ```text
//! flags, set, first rank, further ranks, 4 octets of the message id, day, 80 bits of HMAC
//! ```

use jiff::Timestamp;

use super::{ReturnFault, ReturnPaths, base32, day};
use crate::mail::{Mailbox, SetId};

const MAC_OCTETS: usize = 10;
const USED_FOR: &str = "muster bounce 1";
const PROVED: u8 = 1;
const QUIET: u8 = 2;
const FLAGS_KNOWN: u8 = PROVED | QUIET;

/// The copies of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReturnedCopy {
    /// Their set.
    pub set: SetId,
    /// First rank.
    pub first: u32,
    /// Last rank.
    pub last: u32,
    /// The last octets of the message id: a store that was made anew numbers its sets anew.
    pub tag: [u8; 4],
    /// The sender was proven internal, and may be told who it was.
    pub proved: bool,
    /// Automatic replies do not go to the sender.
    pub quiet: bool,
}

pub(super) fn write(paths: &ReturnPaths, copy: &ReturnedCopy, now: Timestamp) -> Mailbox {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let mut octets = vec![flag(copy.proved, PROVED) | flag(copy.quiet, QUIET)];
    put(&mut octets, copy.set.0);
    put(&mut octets, u64::from(copy.first));
    put(&mut octets, u64::from(copy.last.saturating_sub(copy.first)));
    octets.extend_from_slice(&copy.tag);
    octets.extend_from_slice(&u16::try_from(day(now)).unwrap_or(u16::MAX).to_be_bytes());
    let sum = sum(paths, &octets);
    octets.extend_from_slice(&sum);
    let token = base32::encode(&octets);
    let local = paths.bounces.local_part();
    Mailbox::parse(&format!("{local}+{token}@{}", paths.bounces.domain())).unwrap_or_else(|_| paths.bounces.clone())
}

pub(super) fn read(paths: &ReturnPaths, token: &str, now: Timestamp) -> Result<(ReturnedCopy, u64), ReturnFault> {
    let octets = base32::decode(token).ok_or(ReturnFault::Forged)?;
    let split = octets.len().checked_sub(MAC_OCTETS).ok_or(ReturnFault::Forged)?;
    let (said, theirs) = octets.split_at(split);
    if !same(theirs, &sum(paths, said)) {
        return Err(ReturnFault::Forged);
    }
    let (copy, made) = parse(said).ok_or(ReturnFault::Forged)?;
    // A clock that went back is no reason to turn reports away.
    let days = day(now).saturating_sub(made);
    if days > paths.days() {
        return Err(ReturnFault::Expired);
    }
    Ok((copy, days))
}

pub(super) fn sum(paths: &ReturnPaths, said: &[u8]) -> [u8; MAC_OCTETS] {
    let domain = paths.bounces.domain_key();
    let full = paths.key.sum(USED_FOR, &[domain.as_str().as_bytes(), said]);
    let mut sum = [0; MAC_OCTETS];
    sum.copy_from_slice(&full[..MAC_OCTETS]);
    sum
}

/// Equal, in a time that does not tell where they differ.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

fn parse(mut octets: &[u8]) -> Option<(ReturnedCopy, u64)> {
    let flags = take(&mut octets, 1)?[0];
    if flags & !FLAGS_KNOWN != 0 {
        return None;
    }
    let set = SetId(number(&mut octets)?);
    let first = u32::try_from(number(&mut octets)?).ok()?;
    let last = u32::try_from(number(&mut octets)?).ok()?.checked_add(first)?;
    let tag = take(&mut octets, 4)?.try_into().ok()?;
    let made = u16::from_be_bytes(take(&mut octets, 2)?.try_into().ok()?);
    let copy = ReturnedCopy {
        set,
        first,
        last,
        tag,
        proved: flags & PROVED != 0,
        quiet: flags & QUIET != 0,
    };
    octets.is_empty().then_some((copy, u64::from(made)))
}

fn take<'a>(octets: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = octets.split_at_checked(count)?;
    *octets = rest;
    Some(taken)
}

/// LEB128.
fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn number(octets: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let octet = take(octets, 1)?[0];
        number |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
