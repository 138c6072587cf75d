//! What one transaction with a next hop will say, in the next hop's terms.
//!
//! In: the copy's envelope and what the peer offers. Out: encoded MAIL and RCPT commands, or why the peer cannot
//! take this copy.
//! Never: an octet in a command that could end it early.

use std::fmt::Write as _;

use super::extension::Extensions;
use super::xtext::is_xtext;
use crate::mail::{BodyType, Notify, OriginalRecipient, ReturnContent, ReversePath};

/// The MAIL command of a transaction to come.
#[derive(Clone, Debug)]
pub struct MailCommand<'a> {
    /// Reverse-path of the copy.
    pub reverse_path: &'a ReversePath,
    /// Octets of the copy; sent as `SIZE=` where offered.
    pub size_bytes: u64,
    /// `BODY=`; sent where 8BITMIME is offered. Content is never converted (DESIGN promise 5): whether it may go without
    /// the parameter is for the caller to know (RFC 6152 §3).
    pub body: BodyType,
    /// The copy needs SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// `RET=`; sent where DSN is offered.
    pub ret: Option<ReturnContent>,
    /// `ENVID=`, xtext; sent where DSN is offered.
    pub envid: Option<&'a str>,
}

/// Why a copy cannot be offered to this peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    /// The copy or the address needs SMTPUTF8 and the peer does not offer it.
    #[error("the next hop does not offer SMTPUTF8")]
    SmtpUtf8Missing,
    /// The copy may go on over verified TLS only, and the peer does not promise that.
    #[error("the next hop does not offer REQUIRETLS")]
    RequireTlsMissing,
    /// The copy is larger than the peer's SIZE.
    #[error("the next hop takes at most {limit} octets")]
    TooLarge {
        /// The peer's maximum in octets.
        limit: u64,
    },
    /// A path or parameter holds an octet that may not stand there. Our bug: they were parsed once.
    #[error("a path or parameter cannot stand in a command")]
    Unsendable,
}

/// Encoded commands of one transaction.
#[derive(Clone, Debug)]
pub struct TransactionPlan {
    mail: String,
    rcpts: String,
    /// End of each RCPT command in `rcpts`.
    ends: Vec<usize>,
    dsn: bool,
    smtputf8: bool,
    /// Octets of content, if it goes as one chunk.
    chunk: Option<u64>,
}

impl TransactionPlan {
    /// Begins a plan for a peer that offers `peer` (see [`super::client::ClientSession::extensions`]).
    pub fn new(peer: &Extensions, mail: &MailCommand<'_>) -> Result<Self, PlanFault> {
        let needs_smtputf8 = mail.smtputf8 || !mail.reverse_path.as_str().is_ascii();
        if needs_smtputf8 && !peer.smtputf8 {
            return Err(PlanFault::SmtpUtf8Missing);
        }
        if let Some(limit) = peer.size.limit().filter(|&limit| mail.size_bytes > limit) {
            return Err(PlanFault::TooLarge { limit });
        }
        check_path(mail.reverse_path.as_str())?;
        let mut text = format!("MAIL FROM:<{}>", mail.reverse_path.as_str());
        if peer.size.is_offered() {
            let _ = write!(text, " SIZE={}", mail.size_bytes);
        }
        if peer.eight_bit_mime && mail.body == BodyType::EightBitMime {
            text.push_str(" BODY=8BITMIME");
        }
        if needs_smtputf8 {
            text.push_str(" SMTPUTF8");
        }
        if peer.dsn {
            text.push_str(match mail.ret {
                Some(ReturnContent::Full) => " RET=FULL",
                Some(ReturnContent::Headers) => " RET=HDRS",
                None => "",
            });
            if let Some(envid) = mail.envid {
                check_xtext(envid)?;
                let _ = write!(text, " ENVID={envid}");
            }
        }
        text.push_str("\r\n");
        Ok(Self {
            mail: text,
            rcpts: String::new(),
            ends: Vec::new(),
            dsn: peer.dsn,
            smtputf8: needs_smtputf8,
            chunk: None,
        })
    }

    /// Content goes by BDAT, as one chunk of so many octets: no round trip for 354, no dots to stuff (RFC 3030 §2). For
    /// peers that offer CHUNKING.
    pub fn by_chunk(&mut self, octets: u64) {
        self.chunk = Some(octets);
    }

    /// The copy goes on over verified TLS only (RFC 8689 §4.2.1): the peer is told. What is known of the connection is for
    /// the caller to judge.
    pub fn require_tls(&mut self, peer: &Extensions) -> Result<(), PlanFault> {
        if !peer.require_tls {
            return Err(PlanFault::RequireTlsMissing);
        }
        self.add_to_mail(" REQUIRETLS");
        Ok(())
    }

    /// Nobody is named as the one who submitted the message (RFC 4954 §5): whoever we signed in as is who relays it, and
    /// the peer must not take him for its author. For peers that we signed in to.
    pub fn submitter_unknown(&mut self) {
        self.add_to_mail(" AUTH=<>");
    }

    fn add_to_mail(&mut self, parameter: &str) {
        self.mail.truncate(self.mail.trim_end().len());
        self.mail.push_str(parameter);
        self.mail.push_str("\r\n");
    }

    /// Octets of content, if it goes as one chunk.
    #[must_use]
    pub fn chunk(&self) -> Option<u64> {
        self.chunk
    }

    /// Adds a recipient; its index is [`TransactionPlan::len`] before the call. On a fault nothing is added.
    pub fn recipient(
        &mut self,
        forward_path: &str,
        notify: Option<Notify>,
        original: Option<&OriginalRecipient>,
    ) -> Result<(), PlanFault> {
        check_path(forward_path)?;
        if forward_path.is_empty() {
            return Err(PlanFault::Unsendable);
        }
        if !forward_path.is_ascii() && !self.smtputf8 {
            return Err(PlanFault::SmtpUtf8Missing);
        }
        let original = original.filter(|_| self.dsn);
        if let Some(original) = original {
            check_xtext(&original.xtext)?;
            if !is_xtext(original.address_type.as_bytes()) || original.address_type.contains(';') {
                return Err(PlanFault::Unsendable);
            }
        }
        let _ = write!(self.rcpts, "RCPT TO:<{forward_path}>");
        if let Some(notify) = notify.filter(|_| self.dsn) {
            let _ = write!(self.rcpts, " NOTIFY={notify}");
        }
        if let Some(original) = original {
            let _ = write!(self.rcpts, " ORCPT={};{}", original.address_type, original.xtext);
        }
        self.rcpts.push_str("\r\n");
        self.ends.push(self.rcpts.len());
        Ok(())
    }

    /// Recipients.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without recipients.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The MAIL command, CRLF ended.
    #[must_use]
    pub fn mail_command(&self) -> &[u8] {
        self.mail.as_bytes()
    }

    /// The RCPT command at an index, CRLF ended.
    #[must_use]
    pub fn rcpt_command(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.rcpts.as_bytes()[start..self.ends[index]]
    }

    /// All RCPT commands in order.
    #[must_use]
    pub fn rcpt_commands(&self) -> &[u8] {
        self.rcpts.as_bytes()
    }
}

/// Paths were parsed once; this is the last look before the wire, against octets that could end or split a command.
fn check_path(path: &str) -> Result<(), PlanFault> {
    let quoted = path.starts_with('"');
    let bad = |c: char| c.is_control() || (!quoted && matches!(c, ' ' | '<' | '>'));
    if path.contains(bad) {
        Err(PlanFault::Unsendable)
    } else {
        Ok(())
    }
}

fn check_xtext(text: &str) -> Result<(), PlanFault> {
    if !text.is_empty() && is_xtext(text.as_bytes()) {
        Ok(())
    } else {
        Err(PlanFault::Unsendable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Mailbox;
    use crate::smtp::extension::SizeOffer;

    fn mail(reverse_path: &ReversePath) -> MailCommand<'_> {
        MailCommand {
            reverse_path,
            size_bytes: 1_000,
            body: BodyType::EightBitMime,
            smtputf8: false,
            ret: Some(ReturnContent::Headers),
            envid: Some("QQ+3D1"),
        }
    }

    fn address(text: &str) -> ReversePath {
        ReversePath::Mailbox(Mailbox::parse(text).expect("valid"))
    }

    #[test]
    fn says_only_what_the_peer_understands() {
        let from = address("a@contoso.example");
        let original = OriginalRecipient {
            address_type: "rfc822".into(),
            xtext: "all@contoso.example".into(),
        };
        let mut plan = TransactionPlan::new(&Extensions::ours(5_000), &mail(&from)).expect("all offered");
        plan.recipient("b@fabrikam.example", Some(Notify::FAILURE), Some(&original))
            .expect("plain");
        assert_eq!(
            plan.mail_command(),
            b"MAIL FROM:<a@contoso.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=QQ+3D1\r\n"
        );
        assert_eq!(
            plan.rcpt_command(0),
            b"RCPT TO:<b@fabrikam.example> NOTIFY=FAILURE ORCPT=rfc822;all@contoso.example\r\n"
        );

        let mut plan = TransactionPlan::new(&Extensions::default(), &mail(&from)).expect("nothing offered");
        plan.recipient("b@fabrikam.example", Some(Notify::FAILURE), Some(&original))
            .expect("plain");
        plan.recipient("c@fabrikam.example", None, None).expect("plain");
        assert_eq!(plan.mail_command(), b"MAIL FROM:<a@contoso.example>\r\n");
        assert_eq!(plan.rcpt_command(0), b"RCPT TO:<b@fabrikam.example>\r\n");
        assert_eq!(plan.rcpt_command(1), b"RCPT TO:<c@fabrikam.example>\r\n");
    }

    #[test]
    fn asks_for_tls_further_on() {
        let from = address("a@contoso.example");
        let offering = Extensions {
            require_tls: true,
            ..Extensions::default()
        };
        let mut plan = TransactionPlan::new(&offering, &mail(&from)).expect("fits");
        assert_eq!(
            plan.require_tls(&Extensions::default()),
            Err(PlanFault::RequireTlsMissing)
        );
        assert_eq!(plan.require_tls(&offering), Ok(()));
        assert_eq!(plan.mail_command(), b"MAIL FROM:<a@contoso.example> REQUIRETLS\r\n");
    }

    #[test]
    fn names_no_submitter_to_whom_it_signed_in_to() {
        let from = address("a@contoso.example");
        let mut plan = TransactionPlan::new(&Extensions::default(), &mail(&from)).expect("fits");
        plan.submitter_unknown();
        assert_eq!(plan.mail_command(), b"MAIL FROM:<a@contoso.example> AUTH=<>\r\n");
    }

    #[test]
    fn refuses_what_the_peer_cannot_take() {
        let offers = |size, smtputf8| Extensions {
            size,
            smtputf8,
            ..Extensions::default()
        };
        let fault = |peer: Extensions, from: &str| TransactionPlan::new(&peer, &mail(&address(from))).err();
        assert_eq!(
            fault(offers(SizeOffer::Limited(999), false), "a@b.example"),
            Some(PlanFault::TooLarge { limit: 999 })
        );
        assert_eq!(fault(offers(SizeOffer::Limited(1_000), false), "a@b.example"), None);
        assert_eq!(
            fault(offers(SizeOffer::Absent, false), "grüße@b.example"),
            Some(PlanFault::SmtpUtf8Missing)
        );
        assert_eq!(fault(offers(SizeOffer::Absent, true), "grüße@b.example"), None);
    }

    #[test]
    fn never_lets_a_path_end_its_command() {
        let mut plan = TransactionPlan::new(&Extensions::ours(5_000), &mail(&ReversePath::Null)).expect("null");
        for path in [
            "",
            "a@b\r\nDATA",
            "a@b> NOTIFY=NEVER",
            "a b@c",
            "a\0@b",
            "\"a\r\n\"@b",
            "a@b\u{85}",
        ] {
            assert_eq!(plan.recipient(path, None, None), Err(PlanFault::Unsendable), "{path:?}");
        }
        let forged = OriginalRecipient {
            address_type: "rfc822".into(),
            xtext: "a\r\nDATA".into(),
        };
        assert_eq!(plan.recipient("a@b", None, Some(&forged)), Err(PlanFault::Unsendable));
        assert!(plan.is_empty());
    }
}
