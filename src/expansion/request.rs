//! What an expansion is asked.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use roaring::RoaringBitmap;

use crate::directory::ObjectId;
use crate::limits::{EXPANSION_DEPTH_MAX, EXPANSION_RECIPIENTS_MAX};
use crate::mail::{AddressKey, Domain, EnvelopeRecipient, Mailbox, Notify, ReversePath};
use crate::policy::storm::Braked;
use crate::resolver::{Relaying, Sender, Sources};
use crate::rolls::View;
use crate::track::Reason;

/// Whether the message is a report or automatic reply, as far as its header section tells (DESIGN §6).
///
/// A null reverse-path needs no mention here. `auto-generated`, `Precedence` and `X-Auto-Response-Suppress`
/// alone are ordinary mail. Before the content is known: [`ReportFacts::default`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReportFacts {
    /// `Content-Type: multipart/report`.
    pub multipart_report: bool,
    /// `Auto-Submitted: auto-replied` (RFC 3834).
    pub auto_replied: bool,
    /// A delivery status notification that says failed: what a group's owner wants to see.
    pub non_delivery: bool,
}

/// Bounds of one expansion; beyond them it is refused as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Groups, forwards and targets on one path.
    pub depth_max: usize,
    /// Recipients in all branches together.
    pub recipients_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth_max: EXPANSION_DEPTH_MAX,
            recipients_max: EXPANSION_RECIPIENTS_MAX,
        }
    }
}

/// Whether facts are collected for `explain`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// No.
    #[default]
    Quiet,
    /// One [`Explanation`](crate::policy::Explanation) per object that was judged by itself.
    Explain,
}

/// Who already has the message: it is subtracted from every release (DESIGN §6).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// Objects, by ordinals of the current space.
    pub objects: RoaringBitmap,
    /// Final addresses.
    pub finals: HashSet<AddressKey>,
}

impl Committed {
    /// Notes a recipient of an earlier commit; the ordinal only if it is of the current space.
    pub fn add(&mut self, ordinal: Option<u32>, forward_path: &Mailbox) {
        self.objects.extend(ordinal);
        self.finals.insert(forward_path.key());
    }
}

/// How another hold of the same message stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldStanding {
    /// Nobody has decided.
    Waiting,
    /// Approved, rejected or expired: the question is not asked again.
    Ended,
}

/// A held branch that was approved.
#[derive(Clone, Debug)]
pub struct Release {
    /// The held object.
    pub object: ObjectId,
    /// Its primary address when it was held.
    pub recipient: Mailbox,
    /// Index of the addressed recipient in the envelope.
    pub addressed: u32,
    /// Groups above it, outermost first (primary addresses).
    pub path: Vec<String>,
    /// Reverse-path of the branch.
    pub reverse_path: ReversePath,
    /// DSN requests of the branch.
    pub notify: Option<Notify>,
    /// A group above was approved with BypassNestedModerationEnabled.
    pub bypass_nested: bool,
    /// A group above hides its membership.
    pub hidden: bool,
    /// Who already has the message.
    pub committed: Committed,
    /// The other holds of this message, by their objects.
    pub others: BTreeMap<ObjectId, HoldStanding>,
}

/// Where an expansion starts.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// At the recipients of the envelope, in their order.
    Addressed(&'a [EnvelopeRecipient]),
    /// At a held branch.
    Release(&'a Release),
}

/// One question. For RCPT, `start` is ignored.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who sends, with his proof. Rules see this sender at every depth.
    pub sender: &'a Sender,
    /// Octets of the message, once known; `SIZE=` before that.
    pub size_bytes: Option<u64>,
    /// Whether it is a report.
    pub report: ReportFacts,
    /// Where to start.
    pub start: Start<'a>,
    /// True for groups the message has been through (the keyed loop field, DESIGN §6).
    pub marked: &'a dyn Fn(&ObjectId) -> bool,
    /// True if neither To nor Cc names the addressed recipient with this index; before the header section is
    /// known, false.
    pub in_bcc: &'a dyn Fn(u32, &View) -> bool,
    /// The brake on the message's thread to a group, if it is on (`policy::storm`); before the header section is known,
    /// none.
    pub braked: &'a dyn Fn(&ObjectId) -> Option<Braked>,
    /// Why mail for an unknown recipient of a shared domain may not go to the other side (`resolver::shared`); none: it may.
    pub came_from: &'a dyn Fn(&Domain) -> Option<Reason>,
    /// A content filter wants it held for those who decide about quarantined mail.
    pub quarantined: bool,
    /// Whether the client may send to other domains.
    pub relaying: Relaying,
    /// Whether the directory's sources are recent.
    pub sources: Sources,
    /// The time, for the age of rolls.
    pub now: Timestamp,
    /// Whether to collect facts.
    pub detail: Detail,
}

impl<'a> Request<'a> {
    /// A question about these recipients without any of the special cases.
    #[must_use]
    pub fn new(sender: &'a Sender, recipients: &'a [EnvelopeRecipient], now: Timestamp) -> Self {
        Self {
            sender,
            size_bytes: None,
            report: ReportFacts::default(),
            start: Start::Addressed(recipients),
            marked: &|_| false,
            in_bcc: &|_, _| false,
            braked: &|_| None,
            came_from: &|_| None,
            quarantined: false,
            relaying: Relaying::Denied,
            sources: Sources::Current,
            now,
            detail: Detail::Quiet,
        }
    }

    /// A report or automatic reply: no group expands it (`exchange-semantics.md` §3.7).
    #[must_use]
    pub fn is_report(&self) -> bool {
        self.sender.reverse_path.is_null() || self.report.multipart_report || self.report.auto_replied
    }
}
