//! The author: whether `From` says who sent it (`exchange-semantics.md` §3.2).
//!
//! In: the sender with his proof, the authors as the strict grammar read them, what checks found, the directory.
//! Out: nothing, or the refusal of the whole message. Never: a sender made more than he is; with the rule off (as
//! Exchange) a look at the header section.
//!
//! | `From` | answer with the rule on |
//! |---|---|
//! | none; several fields; a group; an encoded-word for an address; not readable | refused, each with its reason |
//! | of ours, sender internal | must be the sender, or have permitted him (send as, send on behalf) |
//! | of ours, sender not proven | refused as forged, unless DMARC passes for it |
//! | several mailboxes | each of them must pass |
//! | looks like one of ours and is not | refused |
//! | anybody else's | passes: outside mail through lists and services has other reverse-paths |

use super::membership::{Answer, Doubt, Identity, ask};
use super::rules::AuthorRule;
use super::{Refusal, Rules};
use crate::directory::attribute::Attribute;
use crate::directory::value::ValueRef;
use crate::directory::{RecipientObject, Reference};
use crate::mail::authentication::{Findings, Verdict};
use crate::mail::header::{AuthorFault, Authors};
use crate::mail::{Domain, Mailbox};
use crate::resolver::{AcceptedDomains, DomainKind, Proof, Sender, Standing};
use crate::rolls::View;
use crate::track::Reason;

/// Whether reports of this session are our own servers'.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Session {
    /// A network of ours.
    Trusted,
    /// Anybody else.
    Untrusted,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who sends, with his proof.
    pub sender: &'a Sender,
    /// Who says to have written it.
    pub authors: &'a Authors,
    /// Where from.
    pub session: Session,
    /// What checks found, if any were made.
    pub findings: Option<&'a Findings>,
}

/// Judges the authors of a message.
pub fn judge(question: &Question<'_>, view: &View, rules: &Rules) -> Result<(), Refusal> {
    let sender = question.sender;
    let own_report = match sender.standing {
        Standing::System => true,
        Standing::Null => question.session == Session::Trusted,
        Standing::Internal { .. } | Standing::External | Standing::Undecided | Standing::Spoofed => false,
    };
    if rules.author == AuthorRule::Ignore || own_report {
        return Ok(());
    }
    let path = sender.reverse_path.mailbox();
    if path.is_some_and(|path| looks_like_ours(&path.domain_key(), &rules.accepted)) {
        return refused(Reason::SenderLooksAlike);
    }
    let authors = match question.authors {
        // Reports of other systems are not always whole.
        Authors::Missing if sender.standing == Standing::Null => return Ok(()),
        Authors::Missing => return refused(Reason::AuthorMissing),
        Authors::Unclear(AuthorFault::SeveralFields) => return refused(Reason::AuthorFieldTwice),
        Authors::Unclear(AuthorFault::Group) => return refused(Reason::AuthorIsGroup),
        Authors::Unclear(AuthorFault::Encoded) => return refused(Reason::AuthorEncoded),
        Authors::Unclear(AuthorFault::Malformed) => return refused(Reason::AuthorMalformed),
        Authors::Named(list) => list,
    };
    let identity = Identity::of(sender, view);
    authors.iter().try_for_each(|author| match &sender.standing {
        Standing::Internal { proof } => internal(author, proof, &identity, view, rules),
        Standing::System | Standing::Null | Standing::External | Standing::Undecided | Standing::Spoofed => {
            unproven(author, question, rules)
        }
    })
}

/// True if the rule asks whether DMARC passes for these authors, should their sender not be proven.
#[must_use]
pub fn asks_for_dmarc(authors: &Authors, rules: &Rules) -> bool {
    match authors {
        Authors::Named(list) => match list.as_slice() {
            [only] => rules.author != AuthorRule::Ignore && rules.accepted.owns(only),
            _ => false,
        },
        Authors::Missing | Authors::Unclear(_) => false,
    }
}

fn refused(reason: Reason) -> Result<(), Refusal> {
    Err(Refusal::of(reason, None))
}

fn internal(author: &Mailbox, proof: &Proof, identity: &Identity, view: &View, rules: &Rules) -> Result<(), Refusal> {
    // Then it is the author who was proven.
    let proved_by_dmarc = matches!(proof, Proof::Dmarc(domain) if *domain == author.domain_key());
    if proved_by_dmarc || is_sender(author, identity, view) {
        return Ok(());
    }
    let leave = match rules.author {
        AuthorRule::Permitted => may_write_as(author, identity, view),
        AuthorRule::Same | AuthorRule::Ignore => Leave::NotGiven,
    };
    match leave {
        Leave::Given => Ok(()),
        Leave::NotReady => refused(Reason::ListNotReady),
        Leave::NotGiven => refused(Reason::AuthorNotPermitted),
    }
}

/// Whether somebody may write in the name of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leave {
    /// It is his, or its object permits him.
    Given,
    /// He may not.
    NotGiven,
    /// The lists that say so are not there yet.
    NotReady,
}

/// Asks the object of an address whether a proven sender may use it.
pub(super) fn may_write_as(author: &Mailbox, identity: &Identity, view: &View) -> Leave {
    if is_sender(author, identity, view) {
        return Leave::Given;
    }
    let found = view.directory.lookup(&author.key()).one();
    let Some(object) = found
        .and_then(|ordinal| view.object(ordinal))
        .filter(|_| identity.accepted_as)
    else {
        return Leave::NotGiven;
    };
    match ask(&permitted(&object), identity, Doubt::Ignored, view) {
        Answer::Listed(_) => Leave::Given,
        Answer::NotReady(_) => Leave::NotReady,
        Answer::NotListed => Leave::NotGiven,
    }
}

/// The same address, or another one of the same object.
fn is_sender(author: &Mailbox, identity: &Identity, view: &View) -> bool {
    let key = author.key();
    let same_object = || {
        let found = view.directory.lookup(&key).one();
        found.is_some_and(|ordinal| identity.objects.len() == 1 && identity.objects.contains(ordinal.0))
    };
    identity.key.as_ref() == Some(&key) || same_object()
}

/// Who may write in the name of an object: send as, and send on behalf. Exchange shows the sender for the second;
/// that is the client's part.
fn permitted(object: &RecipientObject) -> Vec<Reference> {
    let mut list = object
        .delivery
        .as_deref()
        .map(|delivery| delivery.send_as.clone())
        .unwrap_or_default();
    list.extend(on_behalf(object));
    list
}

/// Who may write on behalf of an object.
#[must_use]
pub fn on_behalf(object: &RecipientObject) -> Vec<Reference> {
    match object.value(Attribute::GrantSendOnBehalfTo) {
        ValueRef::Text(one) => vec![Reference::from(&*one)],
        ValueRef::Texts(several) => several.iter().map(|each| Reference::from(&**each)).collect(),
        ValueRef::Absent | ValueRef::Boolean(_) | ValueRef::Integer(_) | ValueRef::Size(_) | ValueRef::Time(_) => {
            Vec::new()
        }
    }
}

fn unproven(author: &Mailbox, question: &Question<'_>, rules: &Rules) -> Result<(), Refusal> {
    let domain = author.domain_key();
    if !rules.accepted.is_ours(&domain) {
        if looks_like_ours(&domain, &rules.accepted) {
            return refused(Reason::AuthorLooksAlike);
        }
        return Ok(());
    }
    let dmarc = question.findings.and_then(|findings| findings.dmarc.as_ref());
    match dmarc.map(|dmarc| dmarc.verdict) {
        // A colleague's mail that comes back from a list outside.
        Some(Verdict::Pass) if dmarc.is_some_and(|dmarc| Domain::parse(&dmarc.domain).as_ref() == Ok(&domain)) => {
            Ok(())
        }
        Some(Verdict::TempError) => refused(Reason::ProofUnavailable),
        _ => refused(Reason::AuthorForged),
    }
}

/// True if a domain, or one above it, reads like an accepted one and is none (UTS 39 §4: the same skeleton).
#[must_use]
pub fn looks_like_ours(domain: &Domain, accepted: &AcceptedDomains) -> bool {
    if accepted.kind(domain).is_some() || domain.is_literal() {
        return false;
    }
    let ours: Vec<(&str, String)> = accepted
        .iter()
        .filter(|each| each.kind != DomainKind::ExternalRelay)
        .map(|each| (each.domain.as_str(), skeleton(each.domain.as_str())))
        .collect();
    let mut rest = Some(domain.as_str());
    while let Some(name) = rest {
        let seen = skeleton(name);
        if ours.iter().any(|(own, skeleton)| *own != name && *skeleton == seen) {
            return true;
        }
        rest = name.split_once('.').map(|(_, parent)| parent);
    }
    false
}

/// What a reader sees of a domain, case aside.
fn skeleton(domain: &str) -> String {
    let (shown, _) = idna::domain_to_unicode(domain);
    // Once more after folding: `0` reads as a capital O.
    let folded: String = unicode_security::skeleton(&shown.to_lowercase()).collect();
    unicode_security::skeleton(&folded.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::rules;

    #[test]
    fn look_alikes_of_our_domains_are_told_from_others() {
        for (domain, alike, why) in [
            ("contoso.example", false, "ours"),
            ("CONTOSO.example", false, "ours"),
            ("c0ntoso.example", true, "a nought"),
            ("cont0s0.example", true, "two"),
            ("contoso.examp1e", true, "a one"),
            ("c\u{43e}ntoso.example", true, "a Cyrillic o"),
            ("\u{441}\u{43e}ntoso.ex\u{430}mple", true, "more of them"),
            ("c\u{3bf}ntoso.example", true, "a Greek o"),
            ("contos\u{f6}.example", false, "an umlaut is seen"),
            ("mail.c0ntoso.example", true, "below one"),
            (
                "mail.contoso.example",
                false,
                "below ours, which does not look like it: it is",
            ),
            ("contoso-mail.example", false, "another name"),
            ("contoso.test", false, "another top level"),
            ("outside.example", false, "not alike"),
            ("[192.0.2.1]", false, "an address"),
        ] {
            let domain = Domain::parse(domain).expect("a domain");
            assert_eq!(looks_like_ours(&domain, &rules().accepted), alike, "{domain}: {why}");
        }
    }
}
