//! Whether an addressed recipient stands in To or Cc, for groups that take no mail in Bcc.

use std::cell::OnceCell;
use std::collections::HashSet;

use super::pass::Candidate;
use crate::mail::AddressKey;
use crate::mail::header::{HeaderSection, addressees_of};
use crate::rolls::View;

/// The addressees of one message, read when the first group asks.
pub(super) struct Addressees<'a> {
    candidate: &'a Candidate,
    named: OnceCell<HashSet<AddressKey>>,
}

impl<'a> Addressees<'a> {
    pub(super) fn of(candidate: &'a Candidate) -> Self {
        Self {
            candidate,
            named: OnceCell::new(),
        }
    }

    /// True if neither To nor Cc names the addressed recipient, by the address used or any other of his object.
    pub(super) fn in_bcc(&self, addressed: u32, view: &View) -> bool {
        let Some(recipient) = self.candidate.envelope.recipients.get(addressed as usize) else {
            return false;
        };
        let named = self.named.get_or_init(|| {
            let section = HeaderSection::parse(&self.candidate.content.head);
            section.map(|section| addressees_of(&section)).unwrap_or_default()
        });
        let key = recipient.forward_path.key();
        if named.contains(&key) {
            return false;
        }
        let object = view
            .directory
            .lookup(&key)
            .one()
            .and_then(|ordinal| view.object(ordinal));
        !object.is_some_and(|object| object.mailboxes().any(|mailbox| named.contains(&mailbox.key())))
    }
}
