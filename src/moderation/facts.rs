//! What templates of letters and pages may speak of: the words an operator writes in braces.
//!
//! In: a hold and its message, put into words by the categorizer. Out: plain texts and numbers. Never: a name that
//! changes, for operators' templates use it; a token outside a link.

use serde::Serialize;

/// Links to the moderator's page.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Links {
    /// To look at it.
    pub open: String,
    /// With approval chosen, not made.
    pub approve: String,
    /// With refusal chosen, not made.
    pub reject: String,
}

/// `mailto:` addresses that answer by mail.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct MailLinks {
    /// Yes.
    pub approve: String,
    /// No.
    pub reject: String,
}

/// What templates may speak of. Names do not change: operators use them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Facts {
    /// The hold: `m-17`.
    pub id: String,
    /// The message's number.
    pub message: String,
    /// Why it is held: `moderation`, `large_group`, `confirmation` or `quarantine`.
    pub cause: String,
    /// The cause in the reader's language.
    pub why_text: String,
    /// The moderated recipient.
    pub group: String,
    /// Its local-part.
    pub group_name: String,
    /// Groups above it, joined by ` > `; empty if it was addressed itself.
    pub path: String,
    /// Reverse-path of the message.
    pub sender: String,
    /// `internal`, `external`, `spoofed` or `null`.
    pub standing: String,
    /// What proved the sender internal.
    pub proof: String,
    /// The proof in the reader's language.
    pub proof_text: String,
    /// Subject, readable.
    pub subject: String,
    /// Size with unit.
    pub size: String,
    /// Recipients that an approval would reach now.
    pub recipients: u64,
    /// When it was held, with zone.
    pub held_at: String,
    /// When it expires, with zone.
    pub expires_at: String,
    /// Others were asked as well.
    pub others: bool,
    /// Approvals needed.
    pub quorum: u32,
    /// Approvals given.
    pub votes: u32,
    /// Approvals missing.
    pub missing: u32,
    /// Who reads this.
    pub moderator: String,
    /// `request`, `reminder` or `escalation`.
    pub round: String,
    /// How its text begins.
    pub excerpt: String,
    /// `whole` or `head`.
    pub attached: String,
    /// Links to the page, if there is one.
    pub links: Option<Links>,
    /// Answers by mail.
    pub mail: MailLinks,
    /// The moderator's words to the sender, indented.
    pub comment: String,
    /// Subjects of other messages that were refused with this one, indented.
    pub also: String,
    /// `approved`, `rejected`, `expired`.
    pub decision: String,
    /// By whom.
    pub decided_by: String,
    /// When, with zone.
    pub decided_at: String,
    /// Our host name.
    pub host: String,
    /// Whom to ask for help.
    pub postmaster: String,
}

/// What only the page knows.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PageFacts {
    /// The hold.
    #[serde(flatten)]
    pub hold: Facts,
    /// `ask`, `empty` (nothing chosen), `decided`, `counted`, `gone`, `unknown` or `unavailable`.
    pub view: String,
    /// `approve`, `reject` or nothing: which button is emphasised.
    pub choose: String,
    /// The decision is the reader's own.
    pub mine: bool,
    /// Where the form goes.
    pub action: String,
    /// Where the style sheet is.
    pub style: String,
}
