//! One transaction's commands, straight from the roster.
//!
//! In: a set, the ranks of a batch, what the peer offers. Out: the plan with its members in order, and a verdict
//! for each recipient that this peer cannot be offered.

use std::borrow::Cow;
use std::collections::HashMap;

use super::shelf::Loaded;
use super::verdict::{Verdict, Verdicts};
use crate::mail::{Mailbox, Reply, ReversePath};
use crate::queue::ranks;
use crate::smtp::extension::Extensions;
use crate::smtp::plan::{MailCommand, PlanFault, TransactionPlan};
use crate::track::Reason;

/// Today's forward-paths where they differ from the roster's.
pub type Readdressed = HashMap<u32, String>;

/// A transaction to be made.
#[derive(Debug)]
pub struct Planned {
    /// The commands; none if nobody is left to be asked for.
    pub plan: Option<TransactionPlan>,
    /// Ranks in the plan's order.
    pub members: Vec<u32>,
    /// Verdicts of the others.
    pub verdicts: Verdicts,
}

/// What a transaction may count on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Whether content goes by BDAT.
    pub chunking: Chunking,
    /// It is proved whom we talk to, over TLS.
    pub verified: bool,
    /// The peer knows us by AUTH.
    pub signed_in: bool,
}

/// Whether content goes by BDAT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunking {
    /// If the peer offers CHUNKING.
    WhereOffered,
    /// Never.
    Never,
}

/// The forward-path of a rank today.
#[must_use]
pub fn forward_path<'a>(loaded: &'a Loaded, readdressed: &'a Readdressed, rank: u32) -> &'a str {
    let today = readdressed.get(&rank).map(String::as_str);
    today.unwrap_or_else(|| loaded.set.roster.forward_path(rank))
}

/// Plans a transaction for the ranks; `prefix` goes before the content.
#[must_use]
pub fn plan(
    peer: &Extensions,
    loaded: &Loaded,
    prefix: &[u8],
    reverse_path: &ReversePath,
    ranges: &[(u32, u32)],
    readdressed: &Readdressed,
    terms: Terms,
) -> Planned {
    let set = &loaded.set;
    let path = |rank: u32| forward_path(loaded, readdressed, rank);
    // RFC 6531 §3.4: the parameter is for messages that need it. One that was only offered with it needs it for its
    // addresses or its header section.
    let content_needs = set.smtputf8 && !header_is_ascii(loaded);
    let smtputf8 = content_needs || (peer.smtputf8 && !ranks::each(ranges).all(|rank| path(rank).is_ascii()));
    let mail = MailCommand {
        reverse_path,
        size_bytes: prefix.len() as u64 + loaded.content.len(),
        body: set.body,
        smtputf8,
        ret: set.ret,
        envid: set.envid.as_deref(),
    };
    let mut planned = Planned {
        plan: None,
        members: Vec::with_capacity(ranks::count(ranges) as usize),
        verdicts: Verdicts::default(),
    };
    let mut plan = match TransactionPlan::new(peer, &mail) {
        Ok(plan) => plan,
        Err(fault) => {
            planned.verdicts = Verdicts::all(ranges.to_vec(), verdict(fault));
            return planned;
        }
    };
    if loaded.message.envelope.require_tls {
        // RFC 8689 §4.2.1: both the connection and the peer's promise are needed.
        let promised = plan.require_tls(peer);
        // RFC 8689 §5: a report about such a message asks for the same, and is not thrown away where that cannot be had.
        let must_have = *reverse_path != ReversePath::Null;
        if must_have && (promised.is_err() || !terms.verified) {
            planned.verdicts = Verdicts::all(ranges.to_vec(), verdict(PlanFault::RequireTlsMissing));
            return planned;
        }
    }
    if terms.signed_in {
        plan.submitter_unknown();
    }
    if peer.chunking && terms.chunking == Chunking::WhereOffered {
        plan.by_chunk(mail.size_bytes);
    }
    for rank in ranks::each(ranges) {
        let path = sendable(path(rank), peer);
        let roster = &set.roster;
        let origin = roster.origins.get(roster.origin_of(rank) as usize);
        let notify = origin.and_then(|origin| origin.notify);
        let original = origin.and_then(|origin| origin.original.as_ref());
        match plan.recipient(&path, notify, original) {
            Ok(()) => planned.members.push(rank),
            Err(fault) => planned.verdicts.push(rank, verdict(fault)),
        }
    }
    planned.plan = (!plan.is_empty()).then_some(plan);
    planned
}

/// An address whose domain alone is international needs no SMTPUTF8: its domain has an ASCII form.
fn sendable<'a>(path: &'a str, peer: &Extensions) -> Cow<'a, str> {
    if path.is_ascii() || peer.smtputf8 {
        return Cow::Borrowed(path);
    }
    match Mailbox::parse(path) {
        Ok(mailbox) => Cow::Owned(format!("{}@{}", mailbox.local_part(), mailbox.domain_key())),
        Err(_) => Cow::Borrowed(path),
    }
}

fn header_is_ascii(loaded: &Loaded) -> bool {
    let head = &loaded.content.head;
    let end = memchr::memmem::find(head, b"\r\n\r\n").unwrap_or(head.len());
    head[..end].is_ascii()
}

/// The content cannot go to a peer without 8BITMIME, and we do not convert (RFC 6152 §3).
#[must_use]
pub fn eight_bit_missing() -> Verdict {
    // RFC 3463 §3.7: X.6.3, conversion required but not supported.
    let text = "the next hop does not support 8BITMIME, and the content is not 7-bit";
    Verdict::Failed(Reason::EightBitMimeMissing, Reply::new(554, (5, 6, 3), text))
}

fn verdict(fault: PlanFault) -> Verdict {
    match fault {
        // RFC 6531 §3.5: 5.6.7 where the peer lacks the extension.
        PlanFault::SmtpUtf8Missing => Verdict::Failed(
            Reason::SmtpUtf8Missing,
            Reply::new(
                550,
                (5, 6, 7),
                "the next hop does not support internationalised addresses",
            ),
        ),
        // RFC 8689 §4.2.1: it is returned rather than sent in a way that its sender has ruled out.
        PlanFault::RequireTlsMissing => Verdict::Failed(
            Reason::RequireTlsMissing,
            Reply::new(
                550,
                (5, 7, 30),
                "the message requires verified TLS all the way, and the next hop does not offer it",
            ),
        ),
        // RFC 1870 §6.2.
        PlanFault::TooLarge { limit } => Verdict::Failed(
            Reason::TooLargeForNextHop,
            Reply::new(552, (5, 3, 4), format!("the next hop takes at most {limit} octets")),
        ),
        // Our bug: wait for somebody to see it rather than turn good mail away.
        PlanFault::Unsendable => Verdict::Deferred(Reason::Broken, None),
    }
}
