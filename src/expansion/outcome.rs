//! What an expansion answers.

use super::routes::HopId;
use crate::directory::{ObjectId, Ordinal};
use crate::mail::{Domain, Mailbox, Notify, Reply, ReversePath};
use crate::policy::storm::Braked;
use crate::policy::{Explanation, Refusal};
use crate::track::{EventKind, HoldCause, Reason};

/// What became of one addressed recipient, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Copies to make.
    pub recipients: u64,
    /// Already reached by an earlier path.
    pub duplicates: u64,
    /// Left out by named rules, each tracked.
    pub dropped: u64,
    /// Branches refused below it.
    pub refused: u64,
    /// Branches held below it.
    pub held: u64,
}

/// What became of one addressed recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Accepted; see the tally. At RCPT: provisionally.
    Accepted,
    /// It waits for its own moderators; one of [`Expansion::holds`] is for it.
    Held,
    /// Refused as a whole.
    Refused(Refusal),
    /// Accepted and dropped by a named rule (a report sent to a group).
    Discarded(Reason),
}

/// One addressed recipient.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Index in the envelope.
    pub addressed: u32,
    /// Its object, if it has one.
    pub object: Option<Ordinal>,
    /// What became of it.
    pub verdict: Verdict,
    /// In numbers; all zero at RCPT.
    pub tally: Tally,
    /// The group that was expanded for it: it is marked in the copies (DESIGN §6).
    pub expanded: Option<ObjectId>,
    /// One "expanded" report is due: it was asked for with NOTIFY=SUCCESS, and the copies carry none
    /// (RFC 3461 §5.2.7).
    pub report_expanded: bool,
}

/// One copy to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    /// The object, unless the address is outside.
    pub ordinal: Option<Ordinal>,
    /// Forward-path of the copy.
    pub final_address: Mailbox,
    /// Where it goes.
    pub hop: HopId,
}

/// Recipients with one addressed recipient and one envelope, in walk order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    /// Index of the addressed recipient in the envelope.
    pub addressed: u32,
    /// Reverse-path of the copies.
    pub reverse_path: ReversePath,
    /// `NOTIFY=` of the copies.
    pub notify: Option<Notify>,
    /// A group was expanded on the way.
    pub expanded: bool,
    /// A group on the way hides its membership.
    pub hidden: bool,
    /// The copies ask for no automatic replies.
    pub no_auto_replies: bool,
    /// Who gets them.
    pub recipients: Vec<Recipient>,
}

/// A group or member below an addressed recipient that refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefusedBranch {
    /// Index of the addressed recipient in the envelope.
    pub addressed: u32,
    /// Its object, if it has one.
    pub object: Option<Ordinal>,
    /// Its address.
    pub recipient: Mailbox,
    /// Groups above it, outermost first (primary addresses).
    pub path: Vec<String>,
    /// Whom to tell: the reverse-path of the branch.
    pub reverse_path: ReversePath,
    /// Which reports the branch asks for.
    pub notify: Option<Notify>,
    /// A group above hides its membership: a report names the addressed group.
    pub hidden: bool,
    /// What he is told, and why.
    pub refusal: Refusal,
}

/// A branch that waits for moderators.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewHold {
    /// Index of the addressed recipient in the envelope.
    pub addressed: u32,
    /// The moderated object.
    pub object: ObjectId,
    /// Its primary address.
    pub recipient: Mailbox,
    /// Groups above it, outermost first (primary addresses).
    pub path: Vec<String>,
    /// Reverse-path of the branch.
    pub reverse_path: ReversePath,
    /// DSN requests of the branch.
    pub notify: Option<Notify>,
    /// A group above hides its membership.
    pub hidden: bool,
    /// A group above was approved with BypassNestedModerationEnabled.
    pub bypass_nested: bool,
    /// Why.
    pub cause: HoldCause,
    /// The brake that holds it; none but for a storm.
    pub braked: Option<Braked>,
    /// Who may decide.
    pub moderators: Vec<Mailbox>,
    /// Who hears about a rejection.
    pub notice: crate::directory::delivery::ModerationNotice,
    /// Time it waits; none: the service's.
    pub expiry: Option<std::time::Duration>,
    /// Approvals needed; none: the service's.
    pub quorum: Option<u32>,
    /// Language of letters; none: the service's.
    pub language: Option<Box<str>>,
}

/// Nested groups that are gone: told to the owner, not to the sender (DESIGN §5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnerNotice {
    /// The group that still lists them.
    pub group: Mailbox,
    /// Its owners.
    pub owners: Vec<Mailbox>,
    /// Addresses of the groups that are gone.
    pub vanished: Vec<String>,
}

/// Something an operator should know about a group that was expanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    /// Primary address of the group.
    pub group: Mailbox,
    /// What.
    pub reason: Reason,
}

/// Why the message as a whole cannot be expanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Halt {
    /// 4yz: trouble that may pass, ask again later. 5yz: beyond a bound.
    pub refusal: Refusal,
    /// Where.
    pub recipient: Mailbox,
    /// Groups above it, outermost first (primary addresses).
    pub path: Vec<String>,
}

/// The answer.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Expansion {
    /// If set, nothing may be delivered, held or reported from this expansion: it is not made by halves
    /// (promises 6 and 7). The other fields but `judged` and `explanations` are empty then.
    pub halt: Option<Halt>,
    /// The addressed recipients in the order of the envelope; for a release, the one of the hold.
    pub judged: Vec<Judged>,
    /// Copies to make, in walk order.
    pub branches: Vec<Branch>,
    /// Refusals below accepted recipients.
    pub refused: Vec<RefusedBranch>,
    /// Holds to make.
    pub holds: Vec<NewHold>,
    /// Notices to owners.
    pub notices: Vec<OwnerNotice>,
    /// Shared domains of which unknown recipients go to the other side: the copies bear their marks.
    pub handed_over: Vec<Domain>,
    /// For the log.
    pub notes: Vec<Note>,
    /// EXPAND, DROP and BRANCH, in walk order.
    pub events: Vec<EventKind>,
    /// With [`super::Detail::Explain`]: every object that was judged by itself, in walk order.
    pub explanations: Vec<Explanation>,
    /// Entries looked at one by one: the cost, for tests and metrics.
    pub steps: u64,
}

impl Expansion {
    /// Copies in all branches.
    #[must_use]
    pub fn recipients(&self) -> u64 {
        self.branches.iter().map(|branch| branch.recipients.len() as u64).sum()
    }

    /// True if neither a copy nor a hold comes of it.
    #[must_use]
    pub fn reaches_nobody(&self) -> bool {
        self.branches.is_empty() && self.holds.is_empty()
    }

    /// The reply of the first refusal, for a transaction in which nobody is left.
    #[must_use]
    pub fn first_refusal(&self) -> Option<&Reply> {
        let halted = self.halt.as_ref().map(|halt| &halt.refusal.reply);
        let addressed = self.judged.iter().find_map(|judged| match &judged.verdict {
            Verdict::Refused(refusal) => Some(&refusal.reply),
            Verdict::Accepted | Verdict::Held | Verdict::Discarded(_) => None,
        });
        halted
            .or(addressed)
            .or_else(|| self.refused.first().map(|branch| &branch.refusal.reply))
    }
}
